"""Networks in the formats of other runtimes: ONNX, and LiteRT for phones.

The function that a model samples with is frozen to a TensorFlow graph, its weights as constants. Some operations that
neither format has are replaced by others with the same values (`FORMS`). The converted file is then run once and
compared with TensorFlow: no file appears whose outputs differ from the model's.
"""

import contextlib
import importlib
import logging
import re

import numpy as np

from keras_gans.errors import UnsupportedError
from keras_gans_core.errors import format_error
from keras_gans_core.networks import OnnxNetwork

OPSET = 18  # of ONNX: the first with operations on bits, and the newest that tf2onnx knows
LOWEST = -(2**31)  # of int32: the sign bit alone
MOST_CHANGED = 0.01  # what share of whole numbers, such as ids of characters, rounding may change


def to_onnx(function, inputs, example, tolerances):
    """The bytes of an ONNX file.

    Args:
        function: from {name: tensor} to {name: tensor}.
        inputs: {name: (shape, dtype) of one example}. The number of examples is free, and sides of None are.
        example: {name: values (N, ...)} of the inputs, with which the file is tried.
        tolerances: {output: how far its values may be from the function's}.

    Returns:
        The bytes. An output whose name is also an input's is called "output_..." in it.

    Raises:
        UnsupportedError: tf2onnx or ONNX Runtime is not installed, an operation that ONNX does not have, or outputs
            that differ.
    """
    onnx, converter = needed("onnx", "onnx"), needed("tf2onnx.convert", "onnx")
    needed("onnxruntime", "onnx")
    plain, outputs = _rewritten("ONNX", function, inputs, None, FORMS)
    names = onnx_names(inputs, outputs)
    with _quiet("tf2onnx", "tensorflow"), _named("ONNX"):  # operations that it does not know are found below
        made, _ = converter.from_graph_def(
            plain.graph.as_graph_def(),
            name="keras_gans",
            input_names=[tensor.name for tensor in plain.inputs],
            output_names=[tensor.name for tensor in plain.outputs],
            opset=OPSET,
            tensors_to_rename={
                **{tensor.name: tensor.op.name for tensor in plain.inputs},
                **{tensor.name: names[key] for key, tensor in zip(outputs, plain.outputs)},
            },
        )
    for value in (*made.graph.input, *made.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    unknown = {node.op_type for node in _nodes(made.graph) if not onnx.defs.has(node.op_type, OPSET, node.domain)}
    if unknown:
        raise _not_converted("ONNX", unknown)
    content = made.SerializeToString()
    _try("ONNX", lambda: OnnxNetwork(content), function, example, names, tolerances)
    return content


def onnx_names(inputs, outputs):
    """{output: its name in an ONNX file}, in which an output and an input cannot have the same."""
    return {name: f"output_{name}" if name in inputs else name for name in outputs}


def to_litert(function, inputs, example, tolerances):
    """The bytes of a LiteRT file, .tflite, for one example at a time; see `to_onnx`. All sides must be known.

    Its signature `serving_default` has the names of the inputs and of the outputs.
    """
    needed("ai_edge_litert.interpreter", "litert")
    import tensorflow as tf

    plain, _ = _rewritten("LiteRT", function, inputs, 1, {**FORMS, "Erf": _erf})
    with _quiet("tensorflow"), _named("LiteRT"):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([plain], tf.Module())
        content = bytes(converter.convert())
    _try("LiteRT", lambda: LitertNetwork(content), function, example, {}, tolerances)
    return content


class LitertNetwork:
    """A LiteRT file as a function from {name: values (N, ...)} to {name: values (N, ...)}, one after the other."""

    def __init__(self, content):
        self.interpreter = needed("ai_edge_litert.interpreter", "litert").Interpreter(model_content=content)
        self.run = self.interpreter.get_signature_runner()

    def __call__(self, inputs):
        count = len(next(iter(inputs.values())))
        made = [self.run(**{name: values[i : i + 1] for name, values in inputs.items()}) for i in range(count)]
        return {name: np.concatenate([one[name] for one in made]) for name in made[0]}


def needed(module, extra):
    """The module of a package that an extra installs.

    Raises:
        UnsupportedError: it is not installed. The message has the line that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UnsupportedError(
            f"Expected the packages of the extra {extra!r}. Received: {error}. Install them: pip install "
            f"'keras-gans[{extra}]'"
        ) from error


@contextlib.contextmanager
def _quiet(*names):
    """Without the lines that packages log while they convert; they are on every file, and errors are raised as well."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)


def _not_converted(kind, operations):
    return UnsupportedError(
        f"Expected a model of operations that {kind} has. Received: {', '.join(sorted(operations))}. Build the network "
        'of other layers, or export it with format="tf_saved_model", which has them all.'
    )


@contextlib.contextmanager
def _named(kind):
    """Turns the errors of converters and runtimes, which have classes of their own, into one that names operations."""
    try:
        yield
    except Exception as error:
        raise _not_converted(kind, _named_in(error)) from error


def _named_in(error):
    """The operations that a converter's or a runtime's error names; without any, what it says."""
    found = re.findall(r"'tf\.(\w+)' op|for the node (\w+)|Registered for (\w+)|implementation for (\w+)", str(error))
    return {next(filter(None, names)) for names in found} or {format_error(error)}


def _nodes(graph):
    """All nodes of an ONNX graph, and of the graphs in them."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def _try(kind, opened, function, example, names, tolerances):
    """Runs a converted network, which `opened()` reads, once and compares it with the function.

    Raises:
        UnsupportedError: the runtime cannot run it, or its outputs differ.
    """
    import tensorflow as tf

    wanted = function({name: tf.convert_to_tensor(values) for name, values in example.items()})
    with _named(kind):
        made = opened()(example)
    for name, values in wanted.items():
        different = np.abs(made[names.get(name, name)].astype("float64") - values.numpy())
        few = tolerances[name] == 0 and (different > 0).mean() < MOST_CHANGED  # a class, of two that are as probable
        if not (different.max() <= tolerances[name] or few):
            raise UnsupportedError(
                f"Expected {name} as the model makes them, to {tolerances[name]}. Received: {different.max():g} of "
                f'difference in {kind}\'s. Export the model with format="tf_saved_model".'
            )


# The graph


def _rewritten(kind, function, inputs, count, forms):
    """A function as one graph of plain operations, its weights as constants.

    Args:
        kind: the name of the format, for errors.
        function, inputs: see `to_onnx`.
        count: the number of examples, None for any.
        forms: {type of operation: function from it and its inputs to an equal output, or to None to leave it}.

    Returns:
        (concrete function, the names of its outputs in their order).

    Raises:
        UnsupportedError: a loop, or a graph that cannot be frozen or written anew.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    specs = {name: tf.TensorSpec((count, *shape), dtype, name=name) for name, (shape, dtype) in inputs.items()}
    traced = tf.function(lambda **tensors: function(tensors), autograph=False).get_concrete_function(**specs)
    with _named(kind):  # not the function itself: its errors are about the inputs, such as a size of images
        frozen = convert_variables_to_constants_v2(traced)
    if any(op.type == "NextIteration" for op in frozen.graph.get_operations()):  # the end of a loop's round
        raise _not_converted(kind, {"While"})
    outputs = sorted(traced.structured_outputs)  # TensorFlow flattens a dict in the order of its names

    def replay(**tensors):
        graph, made = tf.compat.v1.get_default_graph(), {}
        for op in frozen.graph.get_operations():
            if op.type == "Placeholder":
                made[op.outputs[0].ref()] = tensors[op.name]
                continue
            given = [made[tensor.ref()] for tensor in op.inputs]
            if (equal := forms[op.type](op, *given) if op.type in forms else None) is not None:
                made[op.outputs[0].ref()] = equal
                continue
            dtypes = [tensor.dtype for tensor in op.outputs]
            same = graph.create_op(op.type, given, dtypes, attrs=dict(op.node_def.attr), name=op.name)
            for old, new in zip(op.outputs, same.outputs):
                new.set_shape(old.shape)
                made[old.ref()] = new
        return {name: tf.identity(made[tensor.ref()]) for name, tensor in zip(outputs, frozen.outputs)}

    with _named(kind):
        return tf.function(replay, autograph=False).get_concrete_function(**specs), outputs


def _bitwise_and(op, numbers, mask):
    """The low bits of int32 as a remainder. With the sign bit of a float, as Keras's argmax asks for it, a comparison:
    a zero is negative if its reciprocal is."""
    import tensorflow as tf

    bits = _constant(op.inputs[1])
    if op.inputs[0].op.type == "Bitcast" and bits == LOWEST:
        floats = numbers.op.inputs[0]
        return tf.where((floats < 0) | ((floats == 0) & (1 / floats < 0)), LOWEST, 0)
    if numbers.dtype == tf.int32 and bits is not None and 0 < bits < 2**30 and bits & (bits + 1) == 0:
        return _remainder(numbers, bits + 1)
    return None


def _right_shift(op, numbers, by):
    """A shift of int32 as a division, which rounds down."""
    import tensorflow as tf

    by = _constant(op.inputs[1])
    if numbers.dtype != tf.int32 or by is None or not 0 <= by < 31:
        return None
    return (numbers - _remainder(numbers, 2**by)) // 2**by


def _remainder(numbers, divisor):
    """The remainder from 0 to divisor - 1; tf2onnx's own has the sign of the number."""
    import tensorflow as tf

    remainder = tf.math.floormod(numbers, divisor)
    return tf.where(remainder < 0, remainder + divisor, remainder)


def _erf(op, x):
    """The error function to 1.5e-7 and rounding: formula 7.1.26 of Abramowitz and Stegun, 1964, "Handbook of
    mathematical functions"."""
    import tensorflow as tf

    t, polynomial = 1 / (1 + 0.3275911 * tf.abs(x)), 0.0
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        polynomial = (polynomial + factor) * t
    return tf.sign(x) * (1 - polynomial * tf.exp(-x * x))


def _constant(tensor):
    """The whole number that a tensor always is, or None."""
    import tensorflow as tf

    value = tf.get_static_value(tensor)
    return int(value.item()) if value is not None and value.size == 1 else None


FORMS = {"BitwiseAnd": _bitwise_and, "RightShift": _right_shift}  # ONNX has no shift of signed numbers
