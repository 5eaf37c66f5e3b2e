"""How long a training waits for a folder of JPEGs, and how much memory it takes: `kg.data.load` beside `tf.data`.

    python benchmarks/data.py [--images 20000] [--steps 30] [--folder FOLDER]

Makes a folder of JPEGs of 256 pixels (64 different ones, and links to them), or takes one that is there, and reads them
at 64 pixels. Each row is a process of its own:

- read: images per second, without a training;
- wait: the part of a DCGAN-64 step that the training waits for its batch (`next` of the iterator that Keras reads);
- first step: seconds from the start of the process to the end of the first step, imports and compilation included;
- peak: the highest memory of the process, in MiB, for a quarter, a half and all of the images.

`cache` is a cache that is there; `making it` is the run that makes it. `tf.data` lists the files in a shuffled order,
and decodes and resizes them in parallel, as its guide says. Its filter is not Pillow's.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIZE, BATCH, EACH = (64, 64), 64, 1000  # images in a folder
WAYS = ("memory", "lazy", "making it", "cache", "tf.data")


def written(folder, count):
    """A folder of JPEGs of 256 pixels, most of them links."""
    rng = np.random.default_rng(0)
    for i in range(count):
        place = folder / f"{i // EACH:04}"
        place.mkdir(parents=True, exist_ok=True)
        path = place / f"{i:07}.jpg"
        if i < 64:
            small = Image.fromarray(rng.integers(0, 256, (16, 16, 3)).astype("uint8"))
            small.resize((256, 256), Image.Resampling.BICUBIC).save(path, quality=90)
        else:
            os.link(folder / "0000" / f"{i % 64:07}.jpg", path)
    return folder


def of_tensorflow(folder):
    import tensorflow as tf

    def decoded(path):
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.cast(tf.image.resize(image, SIZE, antialias=True), "uint8")

    files = tf.data.Dataset.list_files(f"{folder}/*/*.jpg", shuffle=True, seed=0)
    images = files.repeat().map(decoded, num_parallel_calls=tf.data.AUTOTUNE)
    return images.batch(BATCH, drop_remainder=True).map(lambda x: {"images": x}).prefetch(tf.data.AUTOTUNE)


def measured(way, folder, cache, take, steps, begun):
    """What one process finds, as a dict."""
    import keras

    import keras_gans as kg
    from keras_gans import engine

    keras.config.disable_interactive_logging()
    loading = time.time()
    if way == "tf.data":
        data = of_tensorflow(folder)
    else:
        options = {"memory": {}, "lazy": {"lazy": True}}.get(way, {"cache": cache})
        batches = kg.data.load(folder, image_size=SIZE, batch_size=BATCH, labels=False, take=take, **options)
        data, *_ = engine.readable(batches.following(lambda: 0, 10**6))
    loaded = time.time()
    model = kg.DCGAN(image_shape=(*SIZE, 3), seed=0)
    model.compile()
    batch = iter(data)
    model.train_on_batch(next(batch))
    found = {"load": loaded - loading, "first step": time.time() - begun}
    waited, began = 0.0, time.perf_counter()
    for _ in range(steps):
        asked = time.perf_counter()
        one = next(batch)
        waited += time.perf_counter() - asked
        model.train_on_batch(one)
    total = time.perf_counter() - began
    found |= {"step": total / max(1, steps), "wait": waited / max(total, 1e-9)}
    began = time.perf_counter()
    for _ in range(steps):
        next(batch)
    found["read"] = steps * BATCH / (time.perf_counter() - began)
    return found | {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def row(way, folder, cache, take, steps):
    command = [
        sys.executable,
        __file__,
        "--child",
        json.dumps([way, str(folder), str(cache), take, steps, time.time()]),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--folder", type=Path, help="of images that are there, in folders")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measured(*json.loads(options.child))))
        return
    with tempfile.TemporaryDirectory() as place:
        folder = options.folder or written(Path(place) / "photos", options.images)
        print(
            f"{'':10} {'load s':>8} {'first step s':>13} {'step ms':>8} {'wait %':>7} {'read images/s':>14}"
            f" {'peak MiB':>9}"
        )
        for way in options.ways:
            found = row(way, folder, Path(place) / "cache", None, options.steps)
            print(
                f"{way:10} {found['load']:8.1f} {found['first step']:13.1f} {1000 * found['step']:8.0f} "
                f"{100 * found['wait']:7.2f} {found['read']:14.0f} {found['peak']:9.0f}",
                flush=True,
            )
        for way in [way for way in options.ways if way in ("memory", "lazy", "making it")]:
            peaks = [
                row(way, folder, Path(place) / f"cache {part}", options.images // part, 4)["peak"] for part in (4, 2, 1)
            ]
            print(f"peak MiB, {way}, a quarter, a half, all: {', '.join(f'{peak:.0f}' for peak in peaks)}", flush=True)


if __name__ == "__main__":
    main()
