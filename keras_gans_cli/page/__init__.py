"""A page that runs a model in the browser: static files, which any file server can serve."""

import json
import os
from pathlib import Path

from keras_gans_cli import fast
from keras_gans_core.errors import ConfigurationError

OWN = Path(__file__).parent
RUNTIME = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


def missing_files(runtime):
    """The names of the files that `runtime`, a folder, lacks."""
    return [file for file in RUNTIME if not os.path.isfile(os.path.join(runtime, file))]


def write(model, folder, name, runtime, image_size=None):
    """Writes the page of a model: index.html, noise.js, network.onnx and the files of ONNX Runtime Web, which refer to
    nothing outside the folder.

    Args:
        model: an `AdversarialModel` that makes images from noise, and labels if there are any.
        folder: created if needed; files of an earlier page are replaced.
        name: the page's title.
        runtime: the folder with ONNX Runtime Web's files, `RUNTIME`.

    Returns:
        The `Path` of the folder.

    Raises:
        ConfigurationError: a model of another kind.
        OutputError: a file that cannot be written.
        UnsupportedError: see `kg.export`.
    """
    from keras_gans import serving, zoo
    from keras_gans_core.pictures import atomic_write

    about, folder = fast.about(model), Path(folder)
    if about is None or "noise" not in about["inputs"]:
        raise ConfigurationError(
            f"Expected a model that makes images from noise and labels. Received: {name}, a {type(model).__name__}, "
            f"whose inputs are {', '.join(model.input_fields)}. Write its file with --format onnx."
        )
    network = serving.converted(zoo.sampler(model), "onnx", image_size)
    shown = {"name": name, "noise": about["inputs"]["noise"]["normals"], "outputs": about["outputs"]}
    shown |= _columns(**about["inputs"]["labels"]) if "labels" in about["inputs"] else {}
    text = json.dumps(shown).replace("<", "\\u003c")
    files = {
        **{file: (Path(runtime) / file).read_bytes() for file in RUNTIME},
        "noise.js": (OWN / "noise.js").read_bytes(),
        "network.onnx": network,
        "index.html": (OWN / "index.html").read_text(encoding="utf-8").replace("ABOUT", text).encode(),
    }
    for file, content in files.items():  # the page last
        with atomic_write(folder / file) as temporary:
            temporary.write_bytes(content)
    return folder


def _columns(kind, config, shape, **_):
    """What the page needs to know of labels: a control for each of their columns."""
    names = config.get("names")
    if kind == "Classes":
        several = names if len(shape) else [names]
        columns = [
            {"title": "class" if len(config["counts"]) == 1 else f"class {i + 1}", "choices": list(choices)}
            for i, choices in enumerate(
                several if names else [[str(number) for number in range(count)] for count in config["counts"]]
            )
        ]
    elif kind == "Attributes":
        titles = names or [f"attribute {i + 1}" for i in range(config["count"])]
        columns = [{"title": title, "choices": ["no", "yes"]} for title in titles]
    else:
        titles = [f"number {i + 1}" for i in range(config["count"])]
        columns = [{"title": title, "low": config["low"], "high": config["high"]} for title in titles]
    return {"columns": columns, "whole": kind != "Values", "flat": not len(shape)}
