"""What the library does on a machine with one GPU: trains a recipe for a while, and times training steps.

    python scripts/gpu_check.py --output DIR [--seconds 440] [--rounds 7] [--recipe r3gan_avatars]
                                [--data FILE] [--work dcgan64 style_gan2 r3gan] [--smoke]

It ends by itself within `--seconds`: half of them are for the training, the rest is shared by the timings. What is not
done by then is left out, and the table says so. It needs no network.

- The training runs on the backend that is there: TensorFlow if it sees a GPU, else JAX, else PyTorch; KERAS_BACKEND
  decides instead if it is set. The recipe trains until its epochs or its seconds are over. The preset, with weights,
  card and samples, is in DIR/RECIPE.
- Recipes read their data set with TensorFlow. Without it, `--data` is a file or a folder of the same images, such as an
  `.npz` with `images`; see docs/gpu.md.
- The timings are of DCGAN, StyleGAN2 and R3GAN at 64x64, in float32 and mixed_bfloat16: ours, and plain eager PyTorch
  with the same networks, by autocast in bfloat16, where benchmarks/ has such networks. Each is a process of its own,
  warmed and then waiting. A round lets each run alone, one after the other, and ends when the device has done all of
  its work; a ratio is the median over the rounds of the ratios inside a round.

DIR/gpu.md is the table, DIR/gpu.json the same with all settings. `--smoke` rehearses everything with one round of tiny
sizes, on a CPU if there is no GPU: its numbers mean nothing.
"""

import argparse
import contextlib
import importlib.metadata
import json
import os
import queue
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BACKENDS = ("tensorflow", "jax", "torch")
POLICIES = ("float32", "mixed_bfloat16")
PACKAGES = ("keras", *BACKENDS, "numpy")
SHAPE = (64, 64, 3)
# Names for readers, and what a round does. StyleGAN2's steps are whole intervals of its regularization.
WORK = {
    "dcgan64": ("DCGAN-64", {"image_shape": SHAPE, "batch": 64, "steps": 64}),
    "style_gan2": ("StyleGAN2-64", {"image_shape": SHAPE, "batch": 32, "steps": 32}),
    "r3gan": ("R3GAN-64", {"image_shape": SHAPE, "batch": 64, "steps": 16}),
}
TINY = {"image_shape": (8, 8, 3), "batch": 2, "steps": 1}
IN_PYTORCH = ("dcgan64", "style_gan2")  # of which benchmarks/ has the networks
TRAINING = 0.5  # of the seconds
ENDING = 0.25  # of the training's seconds, for its preset and samples
WARMING = 0.75  # of a workload's seconds, after which the rounds begin without those that are not warm

# In a process of its own: what is there


def probe():
    """Says which accelerators the backend has."""
    from keras_gans import engine

    print(json.dumps({"accelerators": engine.accelerators()}), flush=True)


# In a process of its own: the training


def train(name, output, seconds, data, smoke):
    """Trains a recipe for some seconds, as `keras-gans train` does."""
    started = time.monotonic()
    import keras

    import keras_gans as kg
    from keras_gans import training

    class Until(keras.callbacks.Callback):
        """Ends each `fit` when the seconds are over."""

        def on_train_batch_end(self, batch, logs=None):
            if time.monotonic() - started > seconds:
                self.model.stop_training = True

    if data is not None:
        kg.data.load = reading(kg.data.load, data)
    made = training.read_recipe(ROOT / "zoo" / name / "recipe.py")

    def recipe(smoke=False):
        run = made(smoke)
        run.callbacks.append(Until())
        return run

    training.train(recipe, output, smoke=smoke, verbose=0)
    card = json.loads((Path(output) / "card.json").read_text(encoding="utf-8"))
    known = {key: card["training"][key] for key in ("steps", "epochs", "wall_seconds", "device")}
    print(json.dumps(known), flush=True)


def reading(load, file):
    """`kg.data.load`, which reads images from a file in the place of a named data set."""

    from keras_gans.data.loading import LICENSES

    def load_file(source, *, split="train", **options):
        batches = load(file, **options)
        batches.about |= {"name": source, "split": split}
        batches.about["license"] = LICENSES.get(source, batches.about["license"])
        return batches

    return load_file


# In processes of their own: the competitors of the timings


def benchmarks():
    """The benchmarks that hold networks for both sides."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import train_step

    return train_step


def ours(workload, policy):
    """A function that takes the workload's steps, and one that waits for the device."""
    import keras

    import keras_gans as kg

    script = benchmarks()
    about = script.WORKLOADS[workload]
    if workload == "r3gan":
        keras.config.set_dtype_policy(policy)
        model = kg.R3GAN(image_shape=about["image_shape"])
        model.compile()
        images = script.style_based.data(workload, about["batch"] * about["steps"], about["image_shape"])["images"]
    else:
        model, images = script.compiled(workload, policy), script.data(workload)
    images = images["images"] if isinstance(images, dict) else images
    batches = kg.data.Batches(images, batch_size=about["batch"], shuffle=False)

    def wait():
        for variable in (model.generator.trainable_variables[0], model.discriminator.trainable_variables[0]):
            keras.ops.convert_to_numpy(variable)

    return lambda: model.fit(batches, verbose=0), wait


def eager(workload, policy):
    """As `ours`, in plain eager PyTorch."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    run, _ = benchmarks().torch_tutorial(workload, device, policy != "float32")
    return run, torch.cuda.synchronize if device == "cuda" else lambda: None


COMPETITORS = {"ours": ours, "eager PyTorch": eager}


def serve(competitor, workload, policy, smoke):
    """Warms up, says so, then runs once for every line that it reads."""
    benchmarks().WORKLOADS[workload] = TINY if smoke else WORK[workload][1]
    run, wait = COMPETITORS[competitor](workload, policy)
    run()
    wait()
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        run()
        wait()
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


# In the process that the user starts: it imports no backend


class Child:
    """This script as another process, which answers in lines of JSON on its standard output."""

    def __init__(self, arguments, log, backend):
        environment = {
            **os.environ,
            "KERAS_BACKEND": backend,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # several processes share the GPU
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        }
        self.log = open(log, "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, __file__, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment,
        )  # fmt: skip
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with self.process.stdout as said:
            for line in said:
                if line.startswith("{"):
                    self.lines.put(json.loads(line))
        self.process.wait()
        self.lines.put(None)

    def answer(self, deadline):
        """The next answer; None if the process ended or there is none by then."""
        with contextlib.suppress(queue.Empty):
            return self.lines.get(timeout=max(0.01, deadline - time.monotonic()))

    def ask(self, deadline):
        """The answer to a line; None as in `answer`."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write("go\n")
            self.process.stdin.flush()
        return self.answer(deadline)

    def stop(self):
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.log.close()

    def why(self):
        """Why there was no answer: the last line that the process wrote, or the time."""
        said = Path(self.log.name).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return said[-1][:200] if self.process.poll() and said else "not done in its time"


@contextlib.contextmanager
def children(folder, backend, arguments):
    """Processes for {name: arguments}, by name, which are ended at the end."""
    started = {}
    try:
        for name, words in arguments.items():
            started[name] = Child(words, folder / f"{name.replace(' ', '-')}.log", backend)
        yield started
    finally:
        for child in started.values():
            child.stop()


def choose(folder, deadline, smoke):
    """The backend, and the names of its accelerators.

    Raises:
        SystemExit: no backend, or no GPU and no rehearsal.
    """
    given = os.environ.get("KERAS_BACKEND")
    asked = [given] if given else [name for name in BACKENDS if installed(name)]
    found = {}
    for name in asked:
        with children(folder, name, {f"probe {name}": ["--probe"]}) as started:
            (child,) = started.values()
            said = child.answer(deadline)
            found[name] = None if said is None else said["accelerators"]
        if found[name]:
            return name, found[name]
    there = [name for name in found if found[name] is not None]
    if smoke and there:
        return there[0], []
    raise SystemExit(
        f"Expected a GPU that one of {', '.join(asked) or ', '.join(BACKENDS)} can use. Received: none. Install a "
        "backend with its GPU packages, or rehearse on this machine with --smoke."
    )


def installed(package):
    """The version of an installed package, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def trained(options, folder, backend, deadline):
    """What the training did: {"steps", "epochs", ...}, or {"missing": why}."""
    output, seconds = options.output / options.recipe, deadline - time.monotonic()
    words = ["--train", str(output), "--recipe", options.recipe, "--seconds", str((1.0 - ENDING) * seconds)]
    words += ["--data", options.data] if options.data else []
    words += ["--smoke"] if options.smoke else []
    with children(folder, backend, {"training": words}) as started:
        child = started["training"]
        return child.answer(deadline) or {"missing": child.why()}


def compared(workload, folder, backend, options, deadline):
    """The rows of one workload, a dict for each competitor and policy."""
    named, about = WORK[workload]
    about = TINY if options.smoke else about
    sides = [
        (competitor, policy)
        for policy in POLICIES
        for competitor in COMPETITORS
        if competitor == "ours" or (workload in IN_PYTORCH and installed("torch"))
    ]
    more = ["--smoke"] if options.smoke else []
    words = {f"{workload} {side} {policy}": ["--serve", side, workload, policy, *more] for side, policy in sides}
    times = {side: [] for side in sides}
    warm = deadline - (1.0 - WARMING) * (deadline - time.monotonic())
    with children(folder, backend, words) as started:
        waiting = dict(zip(sides, started.values()))
        missing = {side: child.why() for side, child in waiting.items() if child.answer(warm) is None}
        for _ in range(options.rounds):
            for side in [side for side in sides if side not in missing]:
                if (said := waiting[side].ask(deadline)) is None:
                    missing[side] = waiting[side].why()
                else:
                    times[side].append(said["seconds"] / about["steps"])
            if time.monotonic() > deadline:
                break
    rows = []
    for side in sides:
        row = {"step": named, "batch": about["batch"], "competitor": side[0], "policy": side[1]}
        if times[side]:
            low, high = min(times[side]), max(times[side])
            row |= {"milliseconds": 1e3 * statistics.median(times[side]), "least": 1e3 * low, "most": 1e3 * high}
            row |= {"rounds": len(times[side])}
            ratios = [other / own for other, own in zip(times.get(("eager PyTorch", side[1]), []), times[side])]
            row |= {"pytorch_over_ours": statistics.median(ratios)} if side[0] == "ours" and ratios else {}
        else:
            row["missing"] = missing.get(side, "not done in its time")
        rows.append(row)
    return rows


def table(found):
    """The Markdown of what was found."""
    done, versions = found["training"], ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    lines = [
        "# A check on a GPU" if found["accelerators"] else "# A rehearsal on a CPU: the numbers mean nothing",
        "",
        f"{', '.join(found['accelerators']) or 'CPU'}; ours on {found['backend']}; {versions}; "
        f"{found['seconds']:.0f} seconds in all.",
        "",
        f"Training of `{found['recipe']}`: "
        + (
            f"not done: {done['missing']}."
            if "missing" in done
            else f"{done['steps']:,} steps, {done['epochs']} epochs, {done['wall_seconds']:.0f} s."
        ),
        "",
        "| step | batch | policy | by | ms a step, median | least to most | rounds | PyTorch's time over ours |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in found["steps"]:
        cells = [row["step"], str(row["batch"]), row["policy"], row["competitor"]]
        if "missing" in row:
            cells += [row["missing"].replace("|", "/"), "", "0", ""]
        else:
            ratio = f"{row['pytorch_over_ours']:.2f}" if "pytorch_over_ours" in row else ""
            spread = f"{row['least']:.2f} to {row['most']:.2f}"
            cells += [f"{row['milliseconds']:.2f}", spread, str(row["rounds"]), ratio]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def check(options):
    """The whole check; writes its files."""
    start = time.monotonic()
    end = start + options.seconds
    folder = options.output / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    backend, accelerators = choose(folder, start + options.seconds / 4, options.smoke)
    found = {
        "accelerators": accelerators,
        "backend": backend,
        "versions": {name: version for name in PACKAGES if (version := installed(name))},
        "recipe": options.recipe,
        "rounds": options.rounds,
        "smoke": options.smoke,
        "training": trained(options, folder, backend, time.monotonic() + TRAINING * (end - time.monotonic())),
        "steps": [],
    }
    for done, workload in enumerate(options.work):
        share = (end - time.monotonic()) / (len(options.work) - done)
        found["steps"] += compared(workload, folder, backend, options, time.monotonic() + share)
        found["seconds"] = time.monotonic() - start
        (options.output / "gpu.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        (options.output / "gpu.md").write_text(table(found), encoding="utf-8")
    print(table(found), end="")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, help="folder for all that is written")
    parser.add_argument("--seconds", type=float, default=440.0, help="after which it has ended")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--recipe", default="r3gan_avatars", help="a folder in zoo/")
    parser.add_argument("--data", help="a file or folder of images, in the place of the recipe's data set")
    parser.add_argument("--work", nargs="+", choices=WORK, default=list(WORK), help="which steps are timed")
    parser.add_argument("--smoke", action="store_true", help="a rehearsal")
    parser.add_argument("--probe", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--train", help=argparse.SUPPRESS)
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.probe:
        return probe()
    if options.train:
        return train(options.recipe, options.train, options.seconds, options.data, options.smoke)
    if options.serve:
        return serve(*options.serve, options.smoke)
    if options.output is None:
        parser.error("Expected a folder for the results. Received: none. Give --output DIR.")
    options.rounds = 1 if options.smoke else options.rounds
    check(options)


if __name__ == "__main__":
    main()
