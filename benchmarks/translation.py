"""The networks, tutorial loops and PyTorch loops of train_step.py's translation workloads, pix2pix and CycleGAN.

- keras: the loops of TensorFlow's and Keras's tutorials, written plainly: both players read the same passes, all
  gradients are taken from them, then applied; no pool of images. `keras.layers.GroupNormalization(groups=-1)` is
  their instance normalization, `keras.layers.Dropout` the noise, and a layer around `ops.pad` the reflection.
- torch: the loops of https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix with networks of the same layers and
  sizes, in eager mode: the discriminator first in pix2pix, the generators first in CycleGAN, whose discriminators
  see pools of 50 images.

Ours updates pix2pix's generator after the discriminator, as the PyTorch code does, which is one more pass of the
discriminator than the tutorial's. "keras in turn" is the tutorial's loop in this order: the same mathematics.
"""

import itertools
import random

SIDES = {"pix2pix": ("sources", "targets"), "cyclegan": ("a", "b")}  # the fields of a batch
BLOCKS = 6  # of a CycleGAN's generator
L1_WEIGHT, CYCLE_WEIGHT, IDENTITY_WEIGHT = 100.0, 10.0, 5.0
POOL_SIZE = 50


def networks(workload, shape):
    """Ours: (generator, discriminator) of pix2pix; both generators and both discriminators of a CycleGAN."""
    from keras_gans.models import cycle_gan, pix2pix
    from keras_gans.networks.patch import build_patch_discriminator

    if workload == "pix2pix":
        return pix2pix.build_generator(shape), build_patch_discriminator(shape, shape, affine=True)
    generators = [cycle_gan.build_generator(shape, blocks=BLOCKS) for _ in range(2)]
    return (*generators, *(build_patch_discriminator(shape) for _ in range(2)))


def with_keras_layers(network):
    """The network with Keras's own layers in place of ours; dropout needs no seeds then."""
    import keras
    from keras import layers, ops

    class Reflection(layers.Layer):
        def __init__(self, padding, **kwargs):
            super().__init__(**kwargs)
            self.sides = (padding, padding)

        def call(self, inputs):
            return ops.pad(inputs, ((0, 0), self.sides, self.sides, (0, 0)), mode="reflect")

    def clone(layer):
        kind = type(layer).__name__
        if kind == "InstanceNormalization":
            learned = {"center": layer.affine, "scale": layer.affine}
            return layers.GroupNormalization(groups=-1, epsilon=layer.epsilon, name=layer.name, **learned)
        if kind == "ReflectionPadding2D":
            return Reflection(layer.padding, name=layer.name)
        if kind == "HashedDropout":
            return layers.Dropout(layer.rate, name=layer.name)
        return type(layer).from_config(layer.get_config())

    def call(layer, inputs, *args, **kwargs):
        return layer(inputs[0] if isinstance(layer, layers.Dropout) else inputs, *args, **kwargs)

    cloned = keras.models.clone_model(network, clone_function=clone, call_function=call)
    used = [given for given in cloned.inputs if given.name != "seeds"]
    return keras.Model(used if len(used) > 1 else used[0], cloned.outputs[0], name=network.name)


def keras_tutorial(workload, players, rate, in_turn=False):
    """A model of the tutorial's loop, compiled; `players` as `networks` gives them. In turn: pix2pix's generator is
    judged by the updated discriminator.
    """
    import keras
    import tensorflow as tf

    entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    square, distance = keras.losses.MeanSquaredError(), keras.losses.MeanAbsoluteError()

    class Tutorial(keras.Model):
        def __init__(self, players):
            super().__init__()
            self.players = list(players)
            self.d_metric, self.g_metric = keras.metrics.Mean(name="d_loss"), keras.metrics.Mean(name="g_loss")
            self.built = True

        def compile(self, optimizers):
            super().compile(optimizer=None)
            self.own_optimizers = optimizers

        @property
        def metrics(self):
            return [self.d_metric, self.g_metric]

        def update(self, tape, losses):
            """One step of every player, from gradients that are all taken before."""
            gradients = [tape.gradient(loss, of.trainable_weights) for loss, of in zip(losses, self.players)]
            for player, found in zip(self.players, gradients):
                self.apply(player, found)

        def apply(self, player, gradients):
            optimizer = self.own_optimizers[self.players.index(player)]
            optimizer.apply_gradients(zip(gradients, player.trainable_weights))

        def log(self, d_loss, g_loss):
            self.d_metric.update_state(d_loss)
            self.g_metric.update_state(g_loss)
            return {"d_loss": self.d_metric.result(), "g_loss": self.g_metric.result()}

    class Pix2Pix(Tutorial):
        def train_step(self, batch):
            sources, targets = batch["sources"], batch["targets"]
            generator, discriminator = self.players
            with tf.GradientTape(persistent=True) as tape:
                fake = generator(sources, training=True)
                real_logits = discriminator([sources, targets], training=True)
                fake_logits = discriminator([sources, fake], training=True)
                d_loss = entropy(tf.ones_like(real_logits), real_logits)
                d_loss = 0.5 * (d_loss + entropy(tf.zeros_like(fake_logits), fake_logits))
                g_loss = entropy(tf.ones_like(fake_logits), fake_logits) + L1_WEIGHT * distance(targets, fake)
            self.update(tape, [g_loss, d_loss])
            return self.log(d_loss, g_loss)

    class Pix2PixInTurn(Tutorial):
        def train_step(self, batch):
            sources, targets = batch["sources"], batch["targets"]
            generator, discriminator = self.players
            with tf.GradientTape() as g_tape:
                fake = generator(sources, training=True)
                with g_tape.stop_recording(), tf.GradientTape() as d_tape:
                    real_logits = discriminator([sources, targets], training=True)
                    fake_logits = discriminator([sources, fake], training=True)
                    d_loss = entropy(tf.ones_like(real_logits), real_logits)
                    d_loss = 0.5 * (d_loss + entropy(tf.zeros_like(fake_logits), fake_logits))
                with g_tape.stop_recording():
                    self.apply(discriminator, d_tape.gradient(d_loss, discriminator.trainable_weights))
                logits = discriminator([sources, fake], training=True)
                g_loss = entropy(tf.ones_like(logits), logits) + L1_WEIGHT * distance(targets, fake)
            self.apply(generator, g_tape.gradient(g_loss, generator.trainable_weights))
            return self.log(d_loss, g_loss)

    class CycleGAN(Tutorial):
        def train_step(self, batch):
            a, b = batch["a"], batch["b"]
            ab, ba, judge_a, judge_b = self.players
            with tf.GradientTape(persistent=True) as tape:
                made_b, made_a = ab(a, training=True), ba(b, training=True)
                cycled_a, cycled_b = ba(made_b, training=True), ab(made_a, training=True)
                same_a, same_b = ba(a, training=True), ab(b, training=True)
                real_scores = judge_a(a, training=True), judge_b(b, training=True)
                made_scores = judge_a(made_a, training=True), judge_b(made_b, training=True)
                cycle = CYCLE_WEIGHT * (distance(a, cycled_a) + distance(b, cycled_b))
                fooled = [square(tf.ones_like(made), made) for made in made_scores]
                g_losses = [
                    fooled[1] + cycle + IDENTITY_WEIGHT * distance(b, same_b),
                    fooled[0] + cycle + IDENTITY_WEIGHT * distance(a, same_a),
                ]
                d_losses = [
                    0.5 * (square(tf.ones_like(real), real) + square(tf.zeros_like(made), made))
                    for real, made in zip(real_scores, made_scores)
                ]
            self.update(tape, [*g_losses, *d_losses])
            return self.log(sum(d_losses), sum(g_losses))

    pix2pix = Pix2PixInTurn if in_turn else Pix2Pix
    model = (pix2pix if workload == "pix2pix" else CycleGAN)(map(with_keras_layers, players))
    model.compile([keras.optimizers.Adam(**rate) for _ in players])
    return model


def torch_networks(workload, shape):
    """In PyTorch what `networks` gives."""
    import torch
    from torch import nn

    channels = shape[-1]

    def patch_discriminator(taken, affine):
        built = [nn.Conv2d(taken, 64, 4, 2, 1), nn.LeakyReLU(0.2)]
        # As many layers of stride 2 as ours has for the size: 3 from 64x64 on, fewer below.
        halvings = min(max(min(shape[:2]).bit_length() - 4, 1), 3)
        widths = [64 * min(2**i, 8) for i in range(halvings + 1)]
        for i, (before, width) in enumerate(itertools.pairwise(widths), 1):
            built.append(nn.Conv2d(before, width, 4, 2 if i < halvings else 1, 1, bias=False))
            built += [nn.InstanceNorm2d(width, affine=affine), nn.LeakyReLU(0.2)]
        return nn.Sequential(*built, nn.Conv2d(widths[-1], 1, 4, 1, 1))

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            levels = min((side & -side).bit_length() - 1 for side in shape[:2])
            widths = [64 * min(2**i, 8) for i in range(levels)]
            self.down, self.up = nn.ModuleList(), nn.ModuleList()
            for i, (before, width) in enumerate(zip([channels, *widths], widths)):
                stage = [nn.LeakyReLU(0.2)] if i else []
                stage.append(nn.Conv2d(before, width, 4, 2, 1, bias=False))
                self.down.append(nn.Sequential(*stage, *self.norm(width if 0 < i < levels - 1 else 0)))
            for i in reversed(range(1, levels)):
                taken, width = widths[i] * (1 if i == levels - 1 else 2), widths[i - 1]
                stage = [nn.ReLU(), nn.ConvTranspose2d(taken, width, 4, 2, 1, bias=False), *self.norm(width)]
                self.up.append(nn.Sequential(*stage, *([nn.Dropout(0.5)] if i >= levels - 3 else [])))
            self.last = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(2 * widths[0], channels, 4, 2, 1), nn.Tanh())

        @staticmethod
        def norm(width):
            return [nn.InstanceNorm2d(width, affine=True)] if width else []

        def forward(self, x):
            encoded = []
            for stage in self.down:
                x = stage(x)
                encoded.append(x)
            for stage, skipped in zip(self.up, reversed(encoded[:-1])):
                x = torch.cat([stage(x), skipped], 1)
            return self.last(x)

    def reflected(taken, width, size, bias=False):
        return [nn.ReflectionPad2d(size // 2), nn.Conv2d(taken, width, size, bias=bias)]

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            first = [*reflected(256, 256, 3), nn.InstanceNorm2d(256), nn.ReLU()]
            self.stages = nn.Sequential(*first, *reflected(256, 256, 3), nn.InstanceNorm2d(256))

        def forward(self, x):
            return x + self.stages(x)

    def resnet():
        built = [*reflected(channels, 64, 7), nn.InstanceNorm2d(64), nn.ReLU()]
        for width in (128, 256):
            built.append(nn.Conv2d(width // 2, width, 3, 2, 1, bias=False))
            built += [nn.InstanceNorm2d(width), nn.ReLU()]
        built += [Block() for _ in range(BLOCKS)]
        for width in (128, 64):
            built.append(nn.ConvTranspose2d(2 * width, width, 3, 2, 1, output_padding=1, bias=False))
            built += [nn.InstanceNorm2d(width), nn.ReLU()]
        return nn.Sequential(*built, *reflected(64, channels, 7, bias=True), nn.Tanh())

    if workload == "pix2pix":
        return UNet(), patch_discriminator(2 * channels, affine=True)
    return resnet(), resnet(), patch_discriminator(channels, False), patch_discriminator(channels, False)


class TorchPool:
    """Generated images of earlier steps, as the PyTorch code keeps them."""

    def __init__(self):
        self.images = []

    def query(self, images):
        import torch

        returned = []
        for image in images.split(1):
            if len(self.images) < POOL_SIZE:
                self.images.append(image)
            elif random.random() < 0.5:
                place = random.randrange(POOL_SIZE)
                image, self.images[place] = self.images[place], image.clone()
            returned.append(image)
        return torch.cat(returned)


def torch_tutorial(workload, images, batch, rate):
    """A function that takes one step for each batch of `images`, two arrays (N, height, width, channels)."""
    import torch
    from torch import nn

    players = torch_networks(workload, images[0].shape[1:])
    generators, discriminators = players[: len(players) // 2], players[len(players) // 2 :]

    def adam(networks):
        weights = itertools.chain.from_iterable(network.parameters() for network in networks)
        return torch.optim.Adam(weights, lr=rate["learning_rate"], betas=(rate["beta_1"], 0.999))

    g_optimizer, d_optimizer = adam(generators), adam(discriminators)
    entropy, square, distance = nn.BCEWithLogitsLoss(), nn.MSELoss(), nn.L1Loss()

    def says(loss, scores, real):
        return loss(scores, torch.full_like(scores, 1.0 if real else 0.0))

    def judges_learn(learn):
        for network in discriminators:
            network.requires_grad_(learn)

    def pix2pix_step(sources, targets):
        generator, discriminator = players
        fake = generator(sources)
        judges_learn(True)
        d_optimizer.zero_grad()
        fake_loss = says(entropy, discriminator(torch.cat([sources, fake.detach()], 1)), False)
        d_loss = 0.5 * (fake_loss + says(entropy, discriminator(torch.cat([sources, targets], 1)), True))
        d_loss.backward()
        d_optimizer.step()
        judges_learn(False)
        g_optimizer.zero_grad()
        g_loss = says(entropy, discriminator(torch.cat([sources, fake], 1)), True)
        g_loss = g_loss + L1_WEIGHT * distance(fake, targets)
        g_loss.backward()
        g_optimizer.step()
        return d_loss, g_loss

    pools = TorchPool(), TorchPool()

    def cyclegan_step(a, b):
        ab, ba, judge_a, judge_b = players
        made_b, made_a = ab(a), ba(b)
        cycle = distance(ba(made_b), a) + distance(ab(made_a), b)
        judges_learn(False)
        g_optimizer.zero_grad()
        g_loss = says(square, judge_b(made_b), True) + says(square, judge_a(made_a), True) + CYCLE_WEIGHT * cycle
        g_loss = g_loss + IDENTITY_WEIGHT * (distance(ab(b), b) + distance(ba(a), a))
        g_loss.backward()
        g_optimizer.step()
        judges_learn(True)
        d_optimizer.zero_grad()
        d_losses = []
        for judge, real, made, pool in ((judge_a, a, made_a, pools[0]), (judge_b, b, made_b, pools[1])):
            made_loss = says(square, judge(pool.query(made.detach())), False)
            d_losses.append(0.5 * (says(square, judge(real), True) + made_loss))
            d_losses[-1].backward()
        d_optimizer.step()
        return sum(d_losses), g_loss

    step = pix2pix_step if workload == "pix2pix" else cyclegan_step
    sides = [torch.from_numpy(side).permute(0, 3, 1, 2).contiguous().split(batch) for side in images]

    def epoch():
        for pair in zip(*sides):
            for loss in step(*pair):
                loss.item()

    return epoch
