"""Export for serving: a model as a TensorFlow SavedModel in the layout that TensorFlow Serving reads, or as a file for
ONNX or LiteRT."""

import contextlib
import logging
import os
import re
import shutil
import uuid
from functools import partial
from pathlib import Path

import keras
import numpy as np

from keras_gans import conversion, engine, sampling, zoo
from keras_gans.batch_statistics import standing_statistics
from keras_gans.errors import ConfigurationError, OutputError, UnsupportedError
from keras_gans.fields import Clips, Images, Prompts, Tokens
from keras_gans.images import atomic_write
from keras_gans.model import AdversarialModel
from keras_gans_core.checks import is_whole
from keras_gans_core.errors import format_error

PNG_CHANNELS = (1, 2, 3, 4)  # grey, grey and alpha, colour, colour and alpha: what the format can hold
ANY_SIZE = 64  # length of a side that may have any, in warm-up requests
TRIED = 4  # examples with which a converted model is tried
SAVED_MODEL = "tf_saved_model"
CONVERTERS = {"onnx": (".onnx", conversion.to_onnx), "litert": (".tflite", conversion.to_litert)}


def export(model, path, format=SAVED_MODEL, image_size=None, max_examples=None):
    """Writes the sampling half of `model`: as the next version in the folder `path`, for TensorFlow Serving; or as a
    file for ONNX Runtime or LiteRT, which need neither TensorFlow nor this library.

    **"onnx" and "litert"**. The file takes the model's inputs by name, as `sample` does, and returns its outputs: for a
    model that makes images from noise {"noise": float32 (N, latent_dim)} to {"images": uint8 (N, height, width,
    channels)}. N is free in ONNX and 1 in LiteRT. Settings that may be left out, such as `truncation_psi`, are left
    out, and prompts are ids of words, int32 (N, length). In ONNX an output that has an input's name gets the prefix
    "output_". The networks compute in float32 with what `kg.zoo.sampler(model)` has, also if the model trains in mixed
    precision. The file is tried before it appears: ONNX Runtime or LiteRT makes a few examples, which must be the
    model's, images to one grey level. `path` is the file, with the ending .onnx or .tflite, or a folder, in which it is
    called model.onnx or model.tflite.

    **"tf_saved_model"**. The version is a SavedModel that needs only TensorFlow to run. Its signatures follow from
    the model's fields; each takes any number of examples, or up to `max_examples`. For a model that makes images from
    noise they are:

    - `serving_default`: {"noise": float32 (N, latent_dim)} to {"images": uint8 (N, height, width, channels)}, the
      images of `model.generate(noise=noise)`. Before models had fields, it took "latents", which was
      `model.prior(noise)`.
    - `from_seed`: {"seeds": int64 (N,)} to {"images": ...}, the images of `model.generate(seed=seeds)`.
    - `png`: {"seeds": int64 (N,)} to {"png_bytes": string (N,)}, the same images as PNG files.

    In general `serving_default` takes all of the model's inputs by name and returns all of its outputs. `from_seed`
    takes seeds instead of noise, and the other inputs: labels as int64 (float32 for `Values`), images as uint8, and
    prompts as text, string (N,) in UTF-8. A model without noise has no `from_seed`. Settings that may be left out, such
    as `truncation_psi`, float32 (N,), are inputs of `with_settings` alone, which is `from_seed` with them. If all
    inputs may be left out, each of the model's `ways` has a signature as well.

    The graph checks its inputs. NaN or infinite numbers, labels and other values outside the field's bounds, inputs
    with different numbers of examples, and more examples than `max_examples` are an `InvalidArgumentError`. TensorFlow
    Serving turns it into the status INVALID_ARGUMENT, HTTP 400. Unknown words of prompts, and words beyond the model's
    length, are passed over.

    `png` exists if the only output is images with 1 to 4 channels, as PNG can hold. If the only output is tokens, there
    is instead:

    - `text`: {"seeds": int64 (N,)} to {"text": string (N,)}, the lines in UTF-8, without the padding at the end.

    Both take what `from_seed` takes or, without noise, what `serving_default` takes.

    The networks compute with the moving averages of their weights if the model keeps them, and batch norm with the
    statistics of these: the images are those of `kg.zoo.sampler(model).generate`. A version appears whole: it
    is written to a hidden folder next to it, which is renamed once it is on disk. If that fails, what was written is
    removed and older versions stay as they are. Several exports into one folder at the same time each become a version.

    The version's `assets.extra/tf_serving_warmup_requests` holds one request to each signature, for one example drawn
    from the seed 0. An input that cannot be drawn is the first example that `fit` was given. Without one it is zeros;
    for prompts, the vocabulary's first word, repeated. TensorFlow Serving answers the requests before it serves the
    version, so that no client waits for the setup of the first run. The requests use the last part of `path` as the
    model's name; the server ignores it.

    Args:
        model: an `AdversarialModel`, compiled or not.
        path: the served model's folder, or the file; folders are created if needed.
        format: "tf_saved_model"; "onnx", which needs the extra onnx (tf2onnx and ONNX Runtime); or "litert", which
            needs the extra litert (ai-edge-litert).
        image_size: (height, width) of the images in a file, for a model that takes images of any size. LiteRT needs it
            then.
        max_examples: the most examples of one request to a SavedModel, 1 or more; None for any number. If the server
            joins requests into batches, each of these counts as one request: give its `max_batch_size` or more.

    Returns:
        The `Path` of the file; or of the version, `path/<n>`: n is one more than the largest version there, 1 for the
        first.

    Raises:
        UnsupportedError: the Keras backend is not TensorFlow, the extra is not installed, or an operation of the
            networks that the format does not have; the message names it.
        OutputError: the folder or the file cannot be made or written to.
        ConfigurationError: not a model of this library, another format or another ending of the file, an image size
            that is needed and missing, or not needed and there, or a `max_examples` below 1 or for a file.

    Example:

    >>> model = kg.GAN(image_shape=(8, 8, 1), latent_dim=4)
    >>> kg.export(model, "serving/gan")                                   # doctest: +SKIP
    PosixPath('serving/gan/1')
    >>> kg.export(model, "gan.onnx", format="onnx")                       # doctest: +SKIP
    PosixPath('gan.onnx')
    """
    _check_backend()
    if not isinstance(model, AdversarialModel):
        raise ConfigurationError(
            f"Expected an AdversarialModel. Received: {model!r}. For a preset, pass kg.load(name)."
        )
    if format not in (SAVED_MODEL, *CONVERTERS):
        raise ConfigurationError(
            f"Expected a format among {', '.join(map(repr, (SAVED_MODEL, *CONVERTERS)))}. Received: {format!r}."
        )
    if max_examples is not None and (format != SAVED_MODEL or not is_whole(max_examples, 1)):
        raise ConfigurationError(
            "Expected max_examples of 1 or more, for a SavedModel, or None. Received: "
            f"max_examples={max_examples!r}, for {format!r}. Leave max_examples out."
        )
    if format != SAVED_MODEL:
        return _export_file(model, path, format, image_size)
    if image_size is not None:
        raise ConfigurationError(
            f"Expected image_size for a file of ONNX or LiteRT. Received: image_size={image_size!r} for a SavedModel, "
            "which takes what the model does. Leave image_size out."
        )
    sampling.settle_averages(model)
    folder = Path(path)
    temporary = folder / f".{uuid.uuid4().hex}"  # servers skip names that are not numbers
    made = [path for path in (folder, *folder.parents) if not os.path.exists(path)]
    try:
        temporary.mkdir(parents=True)
        with standing_statistics(model):
            _save(model, temporary, folder.resolve().name, max_examples)
        _flush(temporary)
        return _publish(temporary, folder)
    except OSError as error:
        raise OutputError(f"Cannot write to {folder}: {error}. Choose a folder that can be written to.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # it no longer exists if it became a version
        with contextlib.suppress(OSError):  # a folder that is not empty stays
            for path in made:
                path.rmdir()


def _check_backend():
    if keras.backend.backend() != "tensorflow":
        raise UnsupportedError(
            "Expected the Keras backend 'tensorflow', the only one that exports. Received: "
            f"{keras.backend.backend()!r}. Save the model with model.save('model.keras'), load that file in a process "
            "started with KERAS_BACKEND=tensorflow, and export it there."
        )


def _export_file(model, path, format, image_size):
    """`export` as one file."""
    path, (ending, _) = Path(path), CONVERTERS[format]
    if path.suffix.lower() in (".keras", *(known for known, _ in CONVERTERS.values())):
        if path.suffix.lower() != ending:
            raise ConfigurationError(f"Expected a file name that ends in {ending}, for {format}. Received: {path}.")
    else:
        path = path / f"model{ending}"
    content = converted(zoo.sampler(model), format, image_size)
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
    return path


def converted(model, format, image_size=None):
    """The bytes of a model's file in `format`, a key of `CONVERTERS`, after it has been tried.

    Args:
        model: an `AdversarialModel` in float32 as `kg.zoo.sampler` returns it, and `kg.load`.
        format, image_size: see `export`.
    """
    _check_backend()
    function, inputs = _signatures(model)["serving_default"]
    free = [name for name, (shape, _) in inputs.items() if None in shape]
    if image_size is None and free and format == "litert":
        raise ConfigurationError(
            f"Expected image_size, because LiteRT has no free sides. Received: none, and {', '.join(free)} of any "
            "size. Pass image_size=(height, width), or --image-size HEIGHTxWIDTH."
        )
    if image_size is not None:
        sides = tuple(image_size) if isinstance(image_size, (list, tuple)) else ()
        if not free or len(sides) != 2 or not all(is_whole(side, 1) for side in sides):
            raise ConfigurationError(
                "Expected image_size=(height, width), two whole numbers, for a model that takes images of any size. "
                f"Received: {image_size!r} and {', '.join(f'{name} {shape}' for name, (shape, _) in inputs.items())}."
            )
        inputs = {name: (_with_sides(shape, sides), dtype) for name, (shape, dtype) in inputs.items()}
    tolerances = {name: field.tolerance for name, field in model.output_fields.items()}
    drawn = _example(model, TRIED, inputs)
    example = {name: np.asarray(drawn[name]).astype(dtype) for name, (_, dtype) in inputs.items()}
    try:
        return CONVERTERS[format][1](function, inputs, example, tolerances)
    except ValueError as error:
        if image_size is None or isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(
            f"Expected a size of images that the networks take. Received: image_size={image_size!r}: "
            f"{format_error(error)}."
        ) from error


def _with_sides(shape, sides):
    """A shape with sizes in the place of its free ones."""
    sides = iter(sides)
    return tuple(next(sides) if side is None else side for side in shape)


def _publish(temporary, folder):
    """Renames the finished SavedModel to the next free version."""
    while True:
        versions = [int(path.name) for path in folder.iterdir() if path.name.isascii() and path.name.isdigit()]
        version = folder / str(max(versions, default=0) + 1)
        try:
            return temporary.rename(version)
        except OSError:
            if not version.exists():
                raise  # otherwise another process has just published that version: take the next one


def _flush(folder):
    """Waits until `folder` is on disk: a power cut may otherwise keep a rename and lose what was written before it."""
    if os.name != "posix":
        return  # folders cannot be opened there
    for path in (*folder.rglob("*"), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _save(model, path, name, max_examples):
    import tensorflow as tf

    readers, module = _readers(model), tf.Module()
    module.tables_ = [reader.table for reader in readers.values()]
    signatures = {}
    for key, signature in _signatures(model).items():
        function, inputs = _reading(readers, *signature)
        signatures[key] = _traced(_checking(model, max_examples, function), inputs)
    module.variables_ = list({id(v): v for traced in signatures.values() for v in traced.graph.variables}.values())
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


def _traced(function, inputs):
    """`function` from {name: tensor} to {name: tensor} as a graph, for any number of examples."""
    import tensorflow as tf

    specs = {name: tf.TensorSpec((None, *shape), dtype, name=name) for name, (shape, dtype) in inputs.items()}
    return tf.function(lambda **tensors: function(tensors)).get_concrete_function(**specs)


def _signatures(model):
    """{name: (function from {name: tensor} to {name: tensor}, {input: (shape, dtype) of one example})}."""
    known = {name: (field.shape, field.dtype) for name, field in model.input_fields.items()}
    settings = model.optional_inputs if len(known) > len(model.optional_inputs) else ()
    fields = {name: about for name, about in known.items() if name not in settings}
    noise = [name for name, field in model.input_fields.items() if field.is_noise]

    def sample(inputs):
        return sampling.outputs_of(model, inputs)

    signatures = {"serving_default": (sample, fields)}
    for way, names in model.ways.items():
        signatures[way] = sample, {name: fields[name] for name in names}
    by_hand = sample, fields
    if noise:
        others = {name: about for name, about in fields.items() if name not in noise}
        by_hand = signatures["from_seed"] = partial(_from_seed, model), {"seeds": ((), "int64"), **others}
        if settings:
            given = {name: known[name] for name in settings}
            signatures["with_settings"] = partial(_from_seed, model), {"seeds": ((), "int64"), **others, **given}
    if len(model.output_fields) == 1:
        ((output, field),) = model.output_fields.items()
        for kind, (signature, name, file_of) in FILES.items():
            if isinstance(field, kind) and (written := file_of(field)) is not None:
                signatures[signature] = _as_files(by_hand[0], output, name, written), by_hand[1]
    return signatures


def _checking(model, most, function):
    """A signature's function, whose graph first checks its inputs: their values, that there are equally many, and that
    there are at most `most` examples, if that is not None."""
    import tensorflow as tf

    def checked(tensors):
        demands = [demand for name, values in tensors.items() for demand in _demands(model, name, values)]
        counts = [tf.shape(values)[0] for values in tensors.values()]
        demands += [
            (count == counts[0], "Expected the same number of examples under each name.") for count in counts[1:]
        ]
        if most is not None:
            text = f"Expected at most {most} examples. Send the others in further requests."
            demands.append((counts[0] <= most, text))
        with tf.control_dependencies([tf.debugging.Assert(right, [text]) for right, text in demands]):
            return function({name: tf.identity(values) for name, values in tensors.items()})

    return checked


def _demands(model, name, values):
    """Yields (whether values of an input are right, a text that says what is expected)."""
    import tensorflow as tf

    field = model.input_fields.get(name)  # None for the seeds of noise
    if values.dtype.is_floating:
        yield tf.reduce_all(tf.math.is_finite(values)), f"Expected finite numbers in {name}."
    bounds = () if field is None else ((tf.greater_equal, field.low), (tf.less_equal, field.high))
    for keeps, bound in bounds:
        if bound is not None:
            yield tf.reduce_all(keeps(values, tf.cast(bound, values.dtype))), f"Expected in {name}: {field}."


def _from_seed(model, inputs):
    """The model's outputs for noise drawn from inputs["seeds"] and for the other inputs."""
    import tensorflow as tf

    inputs = dict(inputs)
    seeds = inputs.pop("seeds")
    for name, field in model.input_fields.items():
        if field.is_noise:
            stream = tf.constant(sampling.stream_of(name), "int64")
            normals = engine.seeded_normal(tf.bitwise.bitwise_xor(seeds, stream), field.num_normals)
            inputs[name] = field.from_normals(normals)

    def one_of(row):  # one at a time, as `generate` does for a list of seeds: see there
        made = sampling.outputs_of(model, {name: values[None] for name, values in row.items()})
        return {name: values[0] for name, values in made.items()}

    specs = {name: tf.TensorSpec(field.shape, field.dtype) for name, field in model.output_fields.items()}
    return tf.map_fn(one_of, inputs, fn_output_signature=specs)


# Inputs that are text


class _Words:
    """The function from text in UTF-8, string (N,), to the ids of `Prompts`: as its `ids`, but without errors."""

    def __init__(self, field):
        import tensorflow as tf

        words = tf.lookup.KeyValueTensorInitializer(
            list(field.vocabulary), list(field.places.values()), "string", "int32"
        )
        self.field, self.table = field, tf.lookup.StaticHashTable(words, 0)

    def __call__(self, texts):
        import tensorflow as tf

        spaced = tf.strings.regex_replace(tf.strings.lower(texts, "utf-8"), r"[^\p{L}\p{M}\p{N}]+", " ")
        ids = tf.ragged.map_flat_values(self.table.lookup, tf.strings.split(spaced))
        return tf.ragged.boolean_mask(ids, ids > 0).to_tensor(shape=(None, self.field.length))


READERS = {Prompts: _Words}  # {class of an input's field: what reads its text}


def _is_text(field):
    """Whether clients give an input as text."""
    return isinstance(field, tuple(READERS))


def _readers(model):
    """{name of an input that clients give as text: the function from text to the field's values}."""
    fields = model.input_fields.items()
    return {name: made(field) for name, field in fields for kind, made in READERS.items() if isinstance(field, kind)}


def _reading(readers, function, inputs):
    """A signature's function and inputs, with text in the place of the values that readers make of it."""

    def read(tensors):
        return function({name: readers[name](x) if name in readers else x for name, x in tensors.items()})

    return read, {name: ((), "string") if name in readers else about for name, about in inputs.items()}


# Outputs as files


def _as_files(function, output, name, file_of):
    return lambda inputs: {name: file_of(function(inputs)[output])}


def _png_of(field):
    """The function from images to PNG files, or None where PNG cannot hold them."""
    import tensorflow as tf

    return tf.io.encode_png if field.shape[-1] in PNG_CHANNELS else None


def _text_of(field):
    """The function from tokens to lines in UTF-8."""
    import tensorflow as tf

    def text(tokens):
        characters = tf.gather(list(field.alphabet), tf.cast(tokens, "int32"))
        padding = re.escape(field.alphabet[0])
        return tf.strings.regex_replace(tf.strings.reduce_join(characters, axis=-1), f"(?:{padding})+$", "")

    return text


# {class of an output's field: (signature, its output, function from the field to a function from values to files)}
FILES = {Images: ("png", "png_bytes", _png_of), Tokens: ("text", "text", _text_of)}


# Warm-up requests


def _save_requests(model, path, name, signatures):
    """Writes the warm-up requests: PredictionLogs of TensorFlow Serving's prediction_log.proto.

    They are encoded here, because the package with these messages depends on gRPC and is of no other use to us.
    """
    import tensorflow as tf

    example = _as_text(model, _example(model, 1))
    file = path / "assets.extra" / "tf_serving_warmup_requests"
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as writer:
        for signature_name, signature in signatures.items():
            inputs = []
            for spec in signature.structured_input_signature[1].values():
                of_generate = spec.name == "seeds" and spec.dtype == tf.int64  # a field of this name is int32
                value = np.zeros(1, "int64") if of_generate else example[spec.name]
                proto = tf.make_tensor_proto(value, spec.dtype).SerializeToString()
                # PredictRequest's inputs, a map: key = 1, value = 2
                inputs.append(_field(1, spec.name.encode()) + _field(2, proto))
            # ModelSpec: name = 1, signature_name = 3
            model_spec = _field(1, name.encode(errors="replace")) + _field(3, signature_name.encode())
            # PredictRequest: model_spec = 1, inputs = 2
            request = _field(1, model_spec) + b"".join(_field(2, entry) for entry in inputs)
            # PredictionLog: predict_log = 6; PredictLog: request = 1
            writer.write(_field(6, _field(1, request)))


def _as_text(model, example):
    """An example's {name: values} with the text of inputs that clients give as text."""
    return {
        name: np.array(model.input_fields[name].text(values)) if _is_text(model.input_fields[name]) else values
        for name, values in example.items()
    }


def _example(model, count, inputs=None):
    """{name: values} of examples of the model's inputs: those that `fit` was given, drawn ones, or zeros.

    With `inputs`, {name: (shape, dtype)}, images of that size, whose values differ.
    """
    blank = {name: _blank(field, count, (inputs or {}).get(name)) for name, field in model.input_fields.items()}
    known = blank if inputs else {**blank, **(model.shown_examples or {})}
    return sampling.complete_inputs(model, count, 0, sampling.given_inputs(model, count, known))


def _blank(field, count, about):
    shape = field.shape if about is None else about[0]
    shape = (count, *(ANY_SIZE if side is None else side for side in shape))
    if about is not None and isinstance(field, (Images, Clips)):
        return np.random.default_rng(0).integers(0, 256, shape, "uint8")
    return np.full(shape, 1 if _is_text(field) else 0, field.dtype)


def _field(number, content):
    """Field `number` of a protocol buffer, of a type with a length: a string, bytes or another message."""
    length, rest = [], len(content)
    while rest > 127:  # seven bits per byte, the lowest first; the eighth says that more follow
        length.append(rest & 127 | 128)
        rest >>= 7
    return bytes([number << 3 | 2, *length, rest]) + content
