"""Export for serving: a model as a TensorFlow SavedModel in the layout that TensorFlow Serving reads."""

import contextlib
import logging
import re
import shutil
import uuid
from pathlib import Path

import keras

from keras_gans import engine
from keras_gans.errors import OutputError, UnsupportedError

PNG_CHANNELS = (1, 2, 3, 4)  # grey, grey and alpha, colour, colour and alpha: what the format can hold


def export(model, folder):
    """Writes the sampling half of `model` as the next version in `folder`, for TensorFlow Serving.

    The version is a SavedModel that needs TensorFlow alone to run. Its signatures, each for any number of examples:

    - `serving_default`: {"latents": float32 (N, latent_dim)} to {"images": uint8 (N, height, width, channels)}. Latents
      are what the generator takes, that is `model.prior(noise)` of standard normal noise.
    - `from_seed`: {"seeds": int64 (N,)} to {"images": ...}, the images of `model.generate(seed=seeds)`.
    - `png`: {"seeds": int64 (N,)} to {"png_bytes": string (N,)}, the same images as PNG files. Left out where
      images have more than the 4 channels that PNG can hold.

    A model of text has {"tokens": uint8 (N, length)}, the ids of characters, in the place of images, and in the place
    of `png`:

    - `text`: {"seeds": int64 (N,)} to {"text": string (N,)}, the same lines in UTF-8, without the padding at the end.

    The generator is the moving average where the model keeps one. A version appears whole, by renaming a hidden folder
    beside it; if that fails, what was written is removed again and older versions stay as they are.

    Args:
        model: an `AdversarialModel`, compiled or not.
        folder: the served model's folder; made where it does not exist.

    Returns:
        The `Path` of the version, `folder/<n>`: n is one more than the largest version there, at first 1.

    Raises:
        UnsupportedError: the Keras backend is not TensorFlow.
        OutputError: the folder cannot be made or written to.

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
    folder = Path(folder)
    temporary = folder / f".{uuid.uuid4().hex}"  # servers skip names that are no numbers
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        temporary.mkdir(parents=True)
        _save(model, temporary)
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


def _save(model, path):
    import tensorflow as tf

    def from_latents(latents):
        return {model.samples_name: model.as_samples(model.sampling_generator(latents, training=False))}

    def from_seed(seeds):
        # One at a time, as `generate` does for a list of seeds: see there.
        noise = engine.seeded_normal(seeds, model.latent_dim)
        spec = tf.TensorSpec(model.example_shape, "uint8")
        samples = tf.map_fn(lambda one: model.images_of_noise(one[None])[0], noise, fn_output_signature=spec)
        return {model.samples_name: samples}

    def png(seeds):
        return {"png_bytes": tf.io.encode_png(from_seed(seeds)["images"])}

    def text(seeds):
        padding = re.escape(model.alphabet[0])
        characters = tf.gather(list(model.alphabet), tf.cast(from_seed(seeds)["tokens"], "int32"))
        return {"text": tf.strings.regex_replace(tf.strings.reduce_join(characters, axis=-1), f"(?:{padding})+$", "")}

    latents = tf.TensorSpec((None, model.latent_dim), "float32", name="latents")
    seeds = tf.TensorSpec((None,), "int64", name="seeds")
    signatures = {
        "serving_default": tf.function(from_latents, input_signature=[latents]),
        "from_seed": tf.function(from_seed, input_signature=[seeds]),
    }
    if model.samples_name == "tokens":
        signatures["text"] = tf.function(text, input_signature=[seeds])
    elif model.image_shape[-1] in PNG_CHANNELS:
        signatures["png"] = tf.function(png, input_signature=[seeds])
    module = tf.Module()
    module.variables_ = [variable.value for variable in model.sampling_generator.variables]
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)  # TensorFlow announces every file
    try:
        tf.saved_model.save(module, str(path), signatures=signatures)
    except tf.errors.OpError as error:  # how TensorFlow reports a full disk
        raise OSError(error.message) from error
    finally:
        logger.setLevel(level)
