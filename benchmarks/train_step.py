"""Times one training step of ours against the tutorials', side by side in one run.

    python benchmarks/train_step.py [--workloads dcgan28 dcgan64 mlp pix2pix cyclegan pix2pix_hd srgan stack_gan
                                    style_gan2]
                                    [--rounds 7] [--torch-python PYTHON]

Competitors, all with the same networks, losses, optimizers and batch:

- ours: `keras_gans`, through `fit`; "bf16" under the mixed_bfloat16 policy; the MLP GAN compiled by XLA with 32 steps
  an execution;
- (a) keras: the DCGAN loop of Keras's tutorial, written plainly as a `train_step` with `training=True`, in `fit`, with
  Keras's own layers; "keras fused" is the same loop given our fused batch normalization, so that its ratio is of the
  loops alone;
- (b) torch: networks of the same layers and sizes in eager PyTorch, with its own initialisation and the loop of
  PyTorch's DCGAN tutorial.

For pix2pix and CycleGAN, (a) and (b) are in translation.py; they have no batch normalization, hence no "keras fused",
and their share of peak is not counted. Of pix2pixHD, SRGAN, StackGAN++ and StyleGAN2 there is (b) alone, in systems.py
and style_based.py.

Each competitor is a process of its own, warmed and then waiting. A round lets each run alone, one after the other, so
that all see the same machine; a ratio is the median over rounds of the ratios inside a round. The share of peak is the
step's floating-point operations over its time, divided by what a large matrix product reaches in the same round.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import style_based
import systems
import translation

WORKLOADS = {
    "dcgan28": {"image_shape": (28, 28, 1), "batch": 128, "steps": 16},
    "dcgan64": {"image_shape": (64, 64, 3), "batch": 64, "steps": 6},
    "mlp": {"image_shape": (28, 28, 1), "batch": 64, "steps": 192},
    "pix2pix": {"image_shape": (64, 64, 3), "batch": 16, "steps": 6},
    "cyclegan": {"image_shape": (64, 64, 3), "batch": 4, "steps": 4},
    "pix2pix_hd": {"image_shape": (64, 64, 3), "batch": 4, "steps": 4},
    "srgan": {"image_shape": (96, 96, 3), "batch": 16, "steps": 2},
    "stack_gan": {"image_shape": (64, 64, 3), "batch": 24, "steps": 2},
    "style_gan2": {"image_shape": (32, 32, 3), "batch": 32, "steps": 16},  # one interval of its regularization
}
ALONE = {workload: module for module in (systems, style_based) for workload in module.SIDES}  # against PyTorch alone
LATENTS = 100
RATE = {"learning_rate": 2e-4, "beta_1": 0.5}


def networks(workload):
    from keras_gans.models import dcgan, gan

    shape = WORKLOADS[workload]["image_shape"]
    if workload in translation.SIDES:
        return translation.networks(workload, shape)
    module = gan if workload == "mlp" else dcgan
    return module.build_generator(shape, LATENTS), module.build_discriminator(shape)


def with_keras_batch_norm(network):
    """The network with Keras's own batch normalization in place of the fused one."""
    import keras

    def clone(layer):
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        return (keras.layers.BatchNormalization if is_norm else type(layer)).from_config(layer.get_config())

    return keras.models.clone_model(network, clone_function=clone)


def data(workload):
    """Images; for a translation two arrays of them, by the names of their fields."""
    import numpy as np

    about, random = WORKLOADS[workload], np.random.default_rng(0)
    if workload in ALONE:
        return ALONE[workload].data(workload, about["batch"] * about["steps"], about["image_shape"])
    shape = (about["batch"] * about["steps"], *about["image_shape"])
    sides = {side: random.uniform(-1, 1, shape).astype("float32") for side in translation.SIDES.get(workload, ["all"])}
    return sides.get("all", sides)


def keras_data(workload):
    import tensorflow as tf

    batch = WORKLOADS[workload]["batch"]
    dataset = tf.data.Dataset.from_tensor_slices(data(workload)).batch(batch, drop_remainder=True).prefetch(2)
    # The tuner's thread sleeps for 10, 20, 40, ... ms, and closing a dataset sometimes waits for it to wake: a round
    # of 0.7 s would then count as 1.27 s.
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def compiled(workload, policy="float32"):
    """Ours, compiled."""
    import keras

    import keras_gans as kg

    keras.config.set_dtype_policy(policy)
    if workload in ALONE:
        model = ALONE[workload].model(workload, WORKLOADS[workload]["image_shape"])
    else:
        variants = {"mlp": kg.GAN, "pix2pix": kg.Pix2Pix, "cyclegan": kg.CycleGAN}
        model = variants.get(workload, kg.DCGAN)(*networks(workload))
    options = {"jit_compile": True, "steps_per_execution": 32} if workload == "mlp" else {}
    adam = kg.optimizers.FusedAdam
    model.compile(adam(**RATE), adam(**RATE), **options)
    return model


def ours(workload, policy="float32"):
    """A function that runs the workload's steps once, and the operations of one step, None where not counted."""
    model, dataset = compiled(workload, policy), keras_data(workload)
    if workload in (*translation.SIDES, *ALONE):
        return lambda: model.fit(dataset, verbose=0), None
    # 3 forward passes of G (forward, and twice that backward), 8 of D (real and fake 3 each, the generator's step 2).
    work = 3 * multiply_adds(model.generator) + 8 * multiply_adds(model.discriminator)
    return lambda: model.fit(dataset, verbose=0), 2 * work * WORKLOADS[workload]["batch"]


def multiply_adds(network):
    """Multiply-adds of one example's forward pass through the dense and convolutional layers."""
    total = 0
    for layer in network.layers:
        kernel = getattr(getattr(layer, "dense", layer), "kernel", None)
        if kernel is not None:
            size = 1
            for n in kernel.shape:
                size *= n
            if len(kernel.shape) == 4:  # a transposed convolution does its work at the input's positions
                grid = layer.input.shape if type(layer).__name__ == "Conv2DTranspose" else layer.output.shape
                size *= grid[1] * grid[2]
            total += size
    return total


def keras_tutorial(workload, fused=False, in_turn=False):
    import keras
    import tensorflow as tf

    class TutorialGAN(keras.Model):
        def __init__(self, generator, discriminator):
            super().__init__()
            self.generator, self.discriminator = generator, discriminator
            self.d_metric, self.g_metric = keras.metrics.Mean(name="d_loss"), keras.metrics.Mean(name="g_loss")
            self.built = True

        def compile(self, d_optimizer, g_optimizer):
            super().compile(optimizer=None)
            self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer
            self.loss_fn = keras.losses.BinaryCrossentropy(from_logits=True)

        @property
        def metrics(self):
            return [self.d_metric, self.g_metric]

        def train_step(self, real):
            count = tf.shape(real)[0]
            fake = self.generator(tf.random.normal((count, LATENTS)), training=True)
            with tf.GradientTape() as tape:
                real_logits = self.discriminator(real, training=True)
                fake_logits = self.discriminator(fake, training=True)
                d_loss = self.loss_fn(tf.ones_like(real_logits), real_logits)
                d_loss += self.loss_fn(tf.zeros_like(fake_logits), fake_logits)
            weights = self.discriminator.trainable_weights
            self.d_optimizer.apply_gradients(zip(tape.gradient(d_loss, weights), weights))
            latents = tf.random.normal((count, LATENTS))
            with tf.GradientTape() as tape:
                logits = self.discriminator(self.generator(latents, training=True), training=True)
                g_loss = self.loss_fn(tf.ones_like(logits), logits)
            weights = self.generator.trainable_weights
            self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, weights), weights))
            self.d_metric.update_state(d_loss)
            self.g_metric.update_state(g_loss)
            return {"d_loss": self.d_metric.result(), "g_loss": self.g_metric.result()}

    players = networks(workload)
    if workload in translation.SIDES:
        model = translation.keras_tutorial(workload, players, RATE, in_turn)
    else:
        model = TutorialGAN(*(players if fused else map(with_keras_batch_norm, players)))
        model.compile(keras.optimizers.Adam(**RATE), keras.optimizers.Adam(**RATE))
    dataset = keras_data(workload)
    return lambda: model.fit(dataset, verbose=0, shuffle=False), None


def torch_tutorial(workload, device="cpu", bfloat16=False):
    """As `ours`. The device and bfloat16, by autocast, are for the GANs of noise here and in style_based.py."""
    import torch
    from torch import nn

    (height, width, channels), batch = WORKLOADS[workload]["image_shape"], WORKLOADS[workload]["batch"]
    if workload in translation.SIDES:
        return translation.torch_tutorial(workload, list(data(workload).values()), batch, RATE), None

    if workload in ALONE:
        where = {"device": device, "bfloat16": bfloat16} if workload in style_based.SIDES else {}
        return ALONE[workload].torch_tutorial(workload, data(workload), batch, RATE, **where), None

    class Maxout(nn.Module):
        def __init__(self, inputs, units, pieces):
            super().__init__()
            self.linear, self.shape = nn.Linear(inputs, units * pieces), (-1, units, pieces)

        def forward(self, x):
            return self.linear(x).reshape(self.shape).amax(-1)

    if workload == "mlp":
        pixels = height * width * channels
        generator = nn.Sequential(
            nn.Linear(LATENTS, 1200), nn.ReLU(), nn.Linear(1200, 1200), nn.ReLU(), nn.Linear(1200, pixels), nn.Tanh(),
            nn.Unflatten(1, (channels, height, width)),
        )  # fmt: skip
        discriminator = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.2), Maxout(pixels, 240, 5), nn.Dropout(0.5), Maxout(240, 240, 5),
            nn.Dropout(0.5), nn.Linear(240, 1),
        )  # fmt: skip
    else:
        start = 7 if height == 28 else 4
        stages = (height // start).bit_length() - 1
        widths = [64 << i for i in reversed(range(stages))]
        up = [nn.Linear(LATENTS, start * start * widths[0], bias=False), nn.BatchNorm1d(start * start * widths[0])]
        up += [nn.ReLU(), nn.Unflatten(1, (widths[0], start, start))]
        for a, b in zip(widths, [*widths[1:], channels]):
            up.append(nn.ConvTranspose2d(a, b, 5, stride=2, padding=2, output_padding=1, bias=False))
            up += [nn.Tanh()] if b == channels else [nn.BatchNorm2d(b), nn.ReLU()]
        down = []
        for i, (a, b) in enumerate(zip([channels, *reversed(widths)], reversed(widths))):
            down.append(nn.Conv2d(a, b, 5, stride=2, padding=2, bias=False))
            down += ([nn.BatchNorm2d(b)] if i else []) + [nn.LeakyReLU(0.2)]
        down += [nn.Flatten(), nn.Linear(start * start * widths[0], 1, bias=False)]
        generator, discriminator = nn.Sequential(*up), nn.Sequential(*down)

    generator, discriminator = generator.to(device), discriminator.to(device)
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=RATE["learning_rate"], betas=(RATE["beta_1"], 0.999))
    d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=RATE["learning_rate"], betas=(RATE["beta_1"], 0.999))
    loss_fn = nn.BCEWithLogitsLoss()
    images = torch.from_numpy(data(workload)).permute(0, 3, 1, 2).contiguous()
    ones, zeros = torch.ones(batch, 1, device=device), torch.zeros(batch, 1, device=device)

    def loss_of(made, target):
        with torch.autocast(device, torch.bfloat16, enabled=bfloat16):
            return loss_fn(discriminator(made), target)

    def epoch():
        for real in images.split(batch):
            discriminator.zero_grad()
            d_loss = loss_of(real.to(device), ones)
            d_loss.backward()
            with torch.autocast(device, torch.bfloat16, enabled=bfloat16):
                fake = generator(torch.randn(batch, LATENTS, device=device))
            loss_of(fake.detach(), zeros).backward()
            d_optimizer.step()
            generator.zero_grad()
            g_loss = loss_of(fake, ones)
            g_loss.backward()
            g_optimizer.step()
            d_loss.item(), g_loss.item()

    return epoch, None


def peak(_):
    """A large float32 matrix product: the unit of the share of peak."""
    import tensorflow as tf

    a = tf.random.normal((2048, 2048))
    return lambda: (tf.matmul(a, a) + 0.0).numpy(), 2 * 2048**3


COMPETITORS = {
    "ours": ours,
    "ours bf16": lambda workload: ours(workload, "mixed_bfloat16"),
    "keras": keras_tutorial,
    "keras fused": lambda workload: keras_tutorial(workload, fused=True),
    "keras in turn": lambda workload: keras_tutorial(workload, in_turn=True),
    "torch": torch_tutorial,
    "peak": peak,
}


def serve(competitor, workload):
    """The child: warms up, says so, then runs once for every line that it reads."""
    run, work = COMPETITORS[competitor](workload)
    for _ in range(2):
        run()
    print(json.dumps({"work": work}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        run()
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


class Competitor:
    """A warmed child process."""

    def __init__(self, name, workload, python):
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen(
            [python, __file__, "--serve", name, "--workloads", workload],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
        )  # fmt: skip
        self.work = self._answer()["work"]

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args}: the process ended without an answer")
        return json.loads(line)

    def seconds(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self._answer()["seconds"]

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def compare(workload, rounds, torch_python):
    """One workload's rows: (competitor, milliseconds a step, how many times ours is faster, share of peak)."""
    steps = WORKLOADS[workload]["steps"]
    names = [name for name in COMPETITORS if name != "torch" or torch_python]
    if not workload.startswith("dcgan"):
        names.remove("keras fused")  # there is no batch normalization
    if workload != "pix2pix":
        names.remove("keras in turn")  # the other tutorials update the discriminator first, or both players at once
    if workload in ALONE:
        names.remove("keras")  # there is no tutorial with these networks
    children = {name: Competitor(name, workload, torch_python if name == "torch" else sys.executable) for name in names}
    times = {name: [] for name in names}
    for _ in range(rounds):
        for name, child in children.items():
            times[name].append(child.seconds() / (1 if name == "peak" else steps))
    speed = [children["peak"].work / t for t in times["peak"]]
    rows = []
    for name in names:
        if name != "peak":
            ratio = statistics.median(other / own for other, own in zip(times[name], times["ours"]))
            work, share = children[name].work, None
            if work is not None:
                share = statistics.median(work / t / s for t, s in zip(times[name], speed))
            rows.append((name, statistics.median(times[name]) * 1e3, ratio, share))
    for child in children.values():
        child.stop()
    return rows, statistics.median(speed) / 1e9


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--torch-python", help="a Python with torch; without it (b) is left out")
    parser.add_argument("--serve", choices=COMPETITORS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.workloads[0])
        return
    print(f"{'workload':9} {'competitor':13} {'ms a step':>10} {'time over ours':>15} {'share of peak':>14}")
    for workload in options.workloads:
        rows, gigaflops = compare(workload, options.rounds, options.torch_python)
        for name, milliseconds, ratio, share in rows:
            shown = "" if share is None else f"{share:.0%}"
            print(f"{workload:9} {name:13} {milliseconds:10.1f} {ratio:15.2f} {shown:>14}", flush=True)
        print(f"{workload:9} peak of a matrix product: {gigaflops:.0f} GFLOP/s", flush=True)


if __name__ == "__main__":
    main()
