"""Export for serving: a model as a TensorFlow SavedModel in the layout that TensorFlow Serving reads."""

import contextlib
import logging
import os
import re
import shutil
import uuid
from pathlib import Path

import keras
import numpy as np

from keras_gans import engine
from keras_gans.data import Values
from keras_gans.errors import ConfigurationError, OutputError, UnsupportedError
from keras_gans.model import AdversarialModel

PNG_CHANNELS = (1, 2, 3, 4)  # grey, grey and alpha, colour, colour and alpha: what the format can hold


def export(model, folder):
    """Writes the sampling half of `model` as the next version in `folder`, for TensorFlow Serving.

    The version is a SavedModel that needs TensorFlow alone to run. Its signatures, each for any number of examples:

    - `serving_default`: {"latents": float32 (N, latent_dim)} to {"images": uint8 (N, height, width, channels)}. Latents
      are what the generator takes, that is `model.prior(noise)` of standard normal noise.
    - `from_seed`: {"seeds": int64 (N,)} to {"images": ...}, the images of `model.generate(seed=seeds)`.
    - `png`: {"seeds": int64 (N,)} to {"png_bytes": string (N,)}, the same images as PNG files. Left out where
      images have more than the 4 channels that PNG can hold.

    A conditional model takes {"labels": ...} beside them in each signature: one label of its `label_space` for each
    example, int64 or, of `Values`, float32. The server does not check that they are.

    A model of text has {"tokens": uint8 (N, length)}, the ids of characters, in the place of images, and in the place
    of `png`:

    - `text`: {"seeds": int64 (N,)} to {"text": string (N,)}, the same lines in UTF-8, without the padding at the end.

    The generator is the moving average where the model keeps one. A version appears whole, by renaming a hidden folder
    beside it once the disk holds it; if that fails, what was written is removed again and older versions stay as they
    are. Of several exports into one folder at the same time each becomes a version of its own.

    `assets.extra/tf_serving_warmup_requests` in it holds one request to each signature, for one example, the latents of
    `model.noise(1, seed=0)` or the seed 0. TensorFlow Serving answers them before it serves the version, so that no
    client waits for what the first run sets up. They name the model as `folder` is named; the server does not look.

    Args:
        model: an `AdversarialModel`, compiled or not.
        folder: the served model's folder; made where it does not exist.

    Returns:
        The `Path` of the version, `folder/<n>`: n is one more than the largest version there, at first 1.

    Raises:
        UnsupportedError: the Keras backend is not TensorFlow.
        OutputError: the folder cannot be made or written to.
        ConfigurationError: no model of this library.

    Example:

    >>> model = kg.GAN(image_shape=(8, 8, 1), latent_dim=4)
    >>> kg.export(model, "serving/gan")                                   # doctest: +SKIP
    PosixPath('serving/gan/1')
    """
    if keras.backend.backend() != "tensorflow":
        raise UnsupportedError(
            "Expected the Keras backend 'tensorflow', which alone writes SavedModels. Received: "
            f"{keras.backend.backend()!r}. Save the model with model.save('model.keras'), load that file in a process "
            "started with KERAS_BACKEND=tensorflow, and export it there."
        )
    if not isinstance(model, AdversarialModel):
        raise ConfigurationError(
            f"Expected an AdversarialModel. Received: {model!r}. Of a preset's name pass kg.load(name)."
        )
    folder = Path(folder)
    temporary = folder / f".{uuid.uuid4().hex}"  # servers skip names that are no numbers
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        temporary.mkdir(parents=True)
        _save(model, temporary, folder.resolve().name)
        _flush(temporary)
        return _publish(temporary, folder)
    except OSError as error:
        raise OutputError(f"Cannot write to {folder}: {error}. Choose a folder that can be written to.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # nothing where it became a version
        with contextlib.suppress(OSError):  # a folder that holds something stays
            for path in made:
                path.rmdir()


def _publish(temporary, folder):
    """Renames the finished SavedModel to the next free version."""
    while True:
        versions = [int(path.name) for path in folder.iterdir() if path.name.isascii() and path.name.isdigit()]
        version = folder / str(max(versions, default=0) + 1)
        try:
            return temporary.rename(version)
        except OSError:
            if not version.exists():
                raise  # otherwise somebody else has just published that version: take the one after it


def _flush(folder):
    """Waits until the disk holds `folder`: a power cut may otherwise keep a rename and lose what was written before."""
    if os.name != "posix":
        return  # where folders cannot be opened
    for path in (*folder.rglob("*"), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _save(model, path, name):
    import tensorflow as tf

    space = model.label_space

    def from_latents(latents, labels=None):
        inputs = latents if labels is None else [latents, space.encode(labels)]
        return {model.samples_name: model.as_samples(model.sampling_generator(inputs, training=False))}

    def from_seed(seeds, labels=None):
        # One at a time, as `generate` does for a list of seeds: see there.
        noise = engine.seeded_normal(seeds, model.latent_dim)
        rows = noise if labels is None else (noise, space.encode(labels))
        spec = tf.TensorSpec(model.example_shape, "uint8")

        def one_of(row):
            return model.images_of_noise(*(part[None] for part in tf.nest.flatten(row)))[0]

        return {model.samples_name: tf.map_fn(one_of, rows, fn_output_signature=spec)}

    def png(seeds, labels=None):
        return {"png_bytes": tf.io.encode_png(from_seed(seeds, labels)["images"])}

    def text(seeds):
        padding = re.escape(model.alphabet[0])
        characters = tf.gather(list(model.alphabet), tf.cast(from_seed(seeds)["tokens"], "int32"))
        return {"text": tf.strings.regex_replace(tf.strings.reduce_join(characters, axis=-1), f"(?:{padding})+$", "")}

    latents = tf.TensorSpec((None, model.latent_dim), "float32", name="latents")
    seeds = tf.TensorSpec((None,), "int64", name="seeds")
    labels = [] if space is None else [tf.TensorSpec((None, *space.shape), _label_dtype(space), name="labels")]
    signatures = {
        "serving_default": tf.function(from_latents, input_signature=[latents, *labels]),
        "from_seed": tf.function(from_seed, input_signature=[seeds, *labels]),
    }
    if model.samples_name == "tokens":
        signatures["text"] = tf.function(text, input_signature=[seeds])
    elif model.image_shape[-1] in PNG_CHANNELS:
        signatures["png"] = tf.function(png, input_signature=[seeds, *labels])
    module = tf.Module()
    module.variables_ = [variable.value for variable in model.sampling_variables]
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)  # TensorFlow announces every file
    try:
        tf.saved_model.save(module, str(path), signatures=signatures)
        _save_requests(model, path, name, signatures)
    except tf.errors.OpError as error:  # how TensorFlow reports a full disk
        raise OSError(error.message) from error
    finally:
        logger.setLevel(level)


def _save_requests(model, path, name, signatures):
    """Writes the requests that warm a server up: PredictionLogs of TensorFlow Serving's prediction_log.proto.

    They are encoded here, because the package with these messages depends on gRPC and is of no other use to us.
    """
    import tensorflow as tf

    examples = {"latents": np.asarray(model.prior(model.noise(1, seed=0)), "float32"), "seeds": np.zeros(1, "int64")}
    if model.label_space is not None:
        examples["labels"] = model.labels(1, seed=0).astype(_label_dtype(model.label_space))
    file = path / "assets.extra" / "tf_serving_warmup_requests"
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as writer:
        for signature_name, signature in signatures.items():
            # PredictRequest's inputs, a map: key = 1, value = 2
            inputs = [
                _field(1, spec.name.encode()) + _field(2, tf.make_tensor_proto(examples[spec.name]).SerializeToString())
                for spec in signature.input_signature
            ]
            # ModelSpec: name = 1, signature_name = 3
            model_spec = _field(1, name.encode(errors="replace")) + _field(3, signature_name.encode())
            # PredictRequest: model_spec = 1, inputs = 2
            request = _field(1, model_spec) + b"".join(_field(2, entry) for entry in inputs)
            # PredictionLog: predict_log = 6; PredictLog: request = 1
            writer.write(_field(6, _field(1, request)))


def _label_dtype(space):
    return "float32" if isinstance(space, Values) else "int64"


def _field(number, content):
    """Field `number` of a protocol buffer, of a kind that has a length: a string, bytes or another message."""
    length, rest = [], len(content)
    while rest > 127:  # seven bits a byte, the lowest first; the eighth says that more follow
        length.append(rest & 127 | 128)
        rest >>= 7
    return bytes([number << 3 | 2, *length, rest]) + content
