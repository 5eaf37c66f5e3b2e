"""From seeds to samples: drawing the inputs of a model, and computing its outputs in one compiled function."""

import math
import random

import numpy as np

from keras_gans import engine
from keras_gans.errors import ConfigurationError
from keras_gans_core import memory
from keras_gans_core.checks import is_whole
from keras_gans_core.pictures import in_rows

BATCH = 256  # examples computed at once: bounds the memory of generate(100_000)
NUMBERS = 2**22  # numbers of an input or output computed at once: large examples in smaller batches, 21 of 256x256x3
INNER_NUMBERS = (
    2**27
)  # numbers that a layer outputs at once, 512 MiB: networks that are wide inside, in smaller ones too
LARGEST_PICTURE = 2**28  # bytes of a picture of many examples, such as 64 of 1182x1182x3


def checked_run_seed(seed):
    """The seed of a model's training noise: a whole number of 31 bits; None draws one."""
    return random.randrange(2**31 - 1) if seed is None else checked_seed(seed, range(2**31 - 1))


def checked_seed(seed, allowed=range(-(2**63), 2**63)):
    """The seed as an int.

    Raises:
        ConfigurationError: not a whole number, or out of range.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or int(seed) not in allowed:
        raise ConfigurationError(
            f"Expected a seed that is a whole number from {allowed[0]} to {allowed[-1]}. Received: {seed!r}."
        )
    return int(seed)


# Inputs


def stream_of(name):
    """The number that separates the seeds of an input from those of others; 0 for noise."""
    return 0 if name == "noise" else int.from_bytes(name.encode()[:5])


def draw(model, name, n=None, seed=None):
    """`AdversarialModel.draw`."""
    if name not in model.input_fields:
        return None
    field = model.input_fields[name]
    if field.num_normals is None:
        raise ConfigurationError(
            f"Expected an input that can be drawn from a seed. Received: {name}. Pass its values to generate instead."
        )
    return field.from_normals(_normals(n, seed, field.num_normals, stream_of(name)))


def _normals(n, seed, width, stream):
    """Standard normal numbers, float32 (n, width), from the seeds that `generate` takes, in the input's own stream."""
    seed = random.randrange(2**31) if seed is None else seed
    if np.ndim(seed) == 0:
        if not is_whole(n, 1):
            raise ConfigurationError(f"Expected n, the number of images to generate, of 1 or more. Received: n={n!r}.")
        seeds, numbers = [seed], n * width
    else:
        seeds, numbers = np.asarray(seed).tolist(), width
        if n not in (None, len(seeds)) or not seeds:
            raise ConfigurationError(f"Expected one seed per image. Received: n={n!r} and {len(seeds)} seeds.")
    normal = engine.seeded_normal([checked_seed(s) ^ stream for s in seeds], numbers)
    return np.asarray(normal).reshape(-1, width)


def needed_inputs(model):
    """The names of the inputs that cannot be drawn from a seed: users and data sets provide them.

    Optional ones count only if the model draws no input at all, such as a model with two directions.
    """
    given = [name for name, field in model.input_fields.items() if field.num_normals is None]
    needed = [name for name in given if name not in model.optional_inputs]
    return needed or (given if len(given) == len(model.input_fields) else [])


def complete_inputs(model, n=None, seed=None, inputs=None):
    """{name: values} of all inputs that `generate(n, seed, **inputs)` samples from: what is not given is drawn.

    Raises:
        ConfigurationError: unknown names, an input that cannot be drawn and is not given, or counts that differ.
        DataError: values that their field refuses.
    """
    fields = model.input_fields
    given = {name: value for name, value in (inputs or {}).items() if value is not None}
    for name in given:
        if name not in fields:
            known = takers(model, name)
            remedy = f"It is an input of {' and '.join(known)}." if known else f"Leave {name} out."
            raise ConfigurationError(
                f"Expected inputs among {', '.join(fields)}: {type(model).__name__} takes no others. Received: "
                f"{name}. {remedy}"
            )
    given = {name: fields[name].asked(value) for name, value in given.items()}
    n = _count(n, seed, given, fields)
    if n is not None and not is_whole(n, 1):
        raise ConfigurationError(f"Expected n, the number of images to generate, of 1 or more. Received: n={n!r}.")
    if seed is None:  # with given noise, labels are drawn from the seed 0
        seed = 0 if any(fields[name].is_noise for name in given) else random.randrange(2**31)
    complete = {}
    for name, field in fields.items():
        if name in given:
            values = given[name]
            complete[name] = np.repeat(values, n, axis=0) if len(values) == 1 and is_whole(n, 1) else values
        elif field.num_normals is not None:
            complete[name] = draw(model, name, n, seed)
        elif name not in model.optional_inputs:
            raise ConfigurationError(
                f"Expected {name}, which cannot be drawn from a seed: {field}. Received: no {name}. Pass them: "
                f"generate({name}=...)."
            )
    if not complete:
        raise ConfigurationError(f"Expected one or more of {', '.join(fields)}. Received: none. Pass at least one.")
    counts = {name: len(values) for name, values in complete.items()}
    if len(set(counts.values())) > 1 or (is_whole(n, 1) and set(counts.values()) != {n}):
        shown = " and ".join(f"{count} {name}" for name, count in counts.items())
        raise ConfigurationError(f"Expected one value per image under each name. Received: {shown}, n={n!r}.")
    return complete


def takers(model, name):
    """The names of the variants with an optional input of this name."""
    base = [cls for cls in type(model).__mro__ if hasattr(cls, "optional_inputs")][-1]
    known, found = base.__subclasses__(), []
    while known:
        cls = known.pop()
        known += cls.__subclasses__()
        if name in cls.optional_inputs and cls.__module__.startswith("keras_gans.models."):
            found.append(cls.__name__)
    return sorted(found)


def _count(n, seed, given, fields):
    """How many examples are asked for."""
    if n is not None:
        return n
    if np.ndim(seed):
        return len(seed)
    lengths = [len(values) for values in given.values()]
    fixed = [length for length in lengths if length > 1]
    single = any(fields[name].is_noise or fields[name].num_normals is None for name in given)
    return fixed[0] if fixed else 1 if single else None


# Outputs


def in_order(inputs, fields):
    """The inputs as a list in the order of the fields. They may be a list, a dict by name, or one tensor."""
    if isinstance(inputs, dict):
        return [inputs[name] for name in fields if name in inputs]
    return list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]


def checked_inputs(model, inputs):
    """The inputs of `AdversarialModel.sample`, {name: values}, checked by their fields.

    Raises:
        ConfigurationError: unknown names, a missing input, or not as many values under each name.
        DataError: values that their field refuses.
    """
    fields = model.input_fields
    needed = {name for name in fields if name not in model.optional_inputs}
    if not inputs or not needed <= set(inputs) <= set(fields):
        raise ConfigurationError(
            f"Expected values of {', '.join(fields)}, arrays (N, ...) by name. Received: "
            f"{', '.join(inputs) or 'none'}. Use generate, which draws what can be drawn."
        )
    checked = {name: fields[name].check(values) for name, values in inputs.items()}
    counts = {name: len(values) for name, values in checked.items()}
    if len(set(counts.values())) > 1:
        shown = " and ".join(f"{count} {name}" for name, count in counts.items())
        raise ConfigurationError(f"Expected one value per example under each name. Received: {shown}.")
    return checked


def encode_inputs(model, inputs):
    """The inputs encoded for the networks, {name: tensor}, in the order of the fields."""
    return {name: field.encode(inputs[name]) for name, field in model.input_fields.items() if name in inputs}


def outputs_of(model, inputs):
    """The model's outputs for given inputs, {name: values}: the function that `sample` compiles and exports contain."""
    made = model(encode_inputs(model, inputs), training=False)
    if not isinstance(made, dict):
        made = {next(iter(model.output_fields)): made}
    return {name: model.output_fields[name].decode(made[name]) for name in model.output_fields if name in made}


def generators(model):
    """The networks that make a model's examples, a list: of the averaged ones, those that do not encode."""
    return model.networks(*(name for name in model.averaged if name.startswith("generator")))


def batch_size(model, inputs):
    """How many examples `sample` computes at once for inputs {name: values (N, ...)}: it is bounded in bytes."""
    shapes = [np.shape(values)[1:] for values in inputs.values()]
    shapes += [field.shape for field in model.output_fields.values() if None not in field.shape]
    outside = max((math.prod(shape) for shape in shapes), default=1)
    return max(1, min(BATCH, NUMBERS // max(1, outside), INNER_NUMBERS // max(1, _widest(model))))


def _widest(model):
    """The most numbers that a layer of the networks that sample outputs for one example, as far as Keras knows."""
    layers = [layer for network in model.networks(*model.kept) for layer in network._flatten_layers()]
    outputs = [tensor for layer in layers for node in layer._inbound_nodes for tensor in node.output_tensors]
    return max((math.prod(side or 1 for side in tensor.shape[1:]) for tensor in outputs), default=1)


def settle_averages(model):
    """Before training, makes weights that were set by hand the averages too."""
    if model.ema_decay is not None:
        model.ema.follow(model.step)


def sample(model, inputs, batch=None):
    """`AdversarialModel.sample`, computed `batch` examples at a time; None: see `batch_size`."""
    return gathered(_compiled(model), inputs, batch or batch_size(model, inputs))


def sampled(model, inputs, batch=None):
    """Yields what `sample` returns, `batch` examples at a time, which are all that is in memory."""
    return (made for _, made in in_batches(_compiled(model), inputs, batch or batch_size(model, inputs)))


def _compiled(model):
    settle_averages(model)
    if getattr(model, "_compiled_sample", None) is None:
        model._compiled_sample = engine.function(lambda inputs: outputs_of(model, inputs))
    return model._compiled_sample


def in_batches(compiled, inputs, size):
    """Yields (index of the first example, {name: outputs}) of a compiled function, `size` examples at a time."""
    for i in range(0, len(next(iter(inputs.values()))), size):
        yield i, compiled({name: values[i : i + size] for name, values in inputs.items()})


def gathered(compiled, inputs, size):
    """{name: outputs} of all examples: `in_batches`, in arrays that are allocated once.

    Raises:
        ConfigurationError: they do not fit into memory.
    """
    count, made = len(next(iter(inputs.values()))), {}
    for i, part in in_batches(compiled, inputs, size):
        if count <= size:
            return part
        made = made or _allocated(count, part)
        for name, values in part.items():
            made[name][i : i + len(values)] = values
    return made


def _allocated(count, part):
    """Arrays for `count` examples like those in {name: outputs}."""
    shapes = {name: (count, *values.shape[1:]) for name, values in part.items()}
    needed = sum(math.prod(shapes[name]) * values.dtype.itemsize for name, values in part.items())
    reason = memory.does_not_fit(needed)
    try:
        if reason is None:
            return {name: np.empty(shapes[name], values.dtype) for name, values in part.items()}
    except MemoryError:
        reason = memory.in_units(needed)
    raise ConfigurationError(
        f"Expected examples that fit into memory. Received: {count:,}, which take {reason}. Generate fewer at a time; "
        "keras-gans sample --folder keeps only a few in memory."
    )


def generate(model, n, seed, inputs):
    """`AdversarialModel.generate`."""
    complete = complete_inputs(model, n, seed, inputs)
    # Kernels divide a batch among threads by its size, which affects rounding. Examples with their own seeds are made
    # one at a time, because only this keeps each the same in any batch.
    return only(sample(model, complete, batch=1 if np.ndim(seed) else None))


def only(outputs):
    """The one output; a dict if there are several."""
    return next(iter(outputs.values())) if len(outputs) == 1 else outputs


# Pictures


def given_inputs(model, n, given):
    """{name: values} of the inputs that cannot be drawn, n of each, taken from examples.

    Args:
        model: an `AdversarialModel`.
        n: how many; the examples are repeated if there are fewer.
        given: {name: values} of examples; None for none.
    """
    fields, given = model.input_fields, given or {}
    return {
        name: np.take(given[name], np.arange(n) % len(given[name]), axis=0)
        for name, field in fields.items()
        if field.num_normals is None and name in given
    }


def for_grid(model, rows, columns, seed=None, given=None):
    """The inputs of a picture with rows and columns of examples, one class per column if the labels allow it.

    Args:
        model: an `AdversarialModel`.
        rows, columns: whole numbers, 1 or more.
        seed: see `AdversarialModel.generate`.
        given: {name: values} of examples, for inputs that cannot be drawn; they are repeated to fill the picture.

    Returns:
        {name: values}, each (rows * columns, ...).
    """
    n = rows * columns
    inputs = given_inputs(model, n, given)
    for name, field in model.input_fields.items():
        values = field.in_grid(n, columns)
        if values is not None:
            inputs[name] = values
    return complete_inputs(model, n, seed, inputs)


def sheet(model, rows, columns, seed=None, given=None):
    """One picture of a model's outputs, `columns` examples in a row.

    If an input cannot be drawn, as in image translation, each output stands between that input and what else the data
    have for the example, such as the target image. A model with several `ways` shows one after the other.

    Args:
        model: an `AdversarialModel`.
        rows, columns: whole numbers, 1 or more.
        seed: see `AdversarialModel.generate`.
        given: {name: values} of examples, for inputs that cannot be drawn; by default those that `fit` was last given.

    Returns:
        uint8 (height, width, channels).

    Raises:
        ConfigurationError: an input that cannot be drawn and is not given.
    """
    given = model.shown_examples if given is None else given
    inputs = for_grid(model, rows, columns, seed, given)
    if model.ways:  # each way's inputs, then what is made from them
        shown = []
        for names in model.ways.values():
            chosen = {name: inputs[name] for name in names}
            shown += [(model.input_fields[name], values) for name, values in chosen.items()]
            shown += [(model.output_fields[name], values) for name, values in sample(model, chosen).items()]
        return _side_by_side(shown, columns)
    parts = [(model.output_fields[name], values) for name, values in sample(model, inputs).items()]
    before = [
        (field, inputs[name])
        for name, field in model.input_fields.items()
        if field.num_normals is None and name not in model.optional_inputs
    ]
    if not before:
        return _side_by_side(parts, columns)
    others = {name: values for name, values in given.items() if name in model.batch_fields and name not in inputs}
    chosen = np.arange(rows * columns)
    after = [
        (model.batch_fields[name], np.take(values, chosen % len(values), axis=0)) for name, values in others.items()
    ]
    return _side_by_side([*before, *parts, *after], columns)


def picture(model, values, columns=None):
    """One picture of examples, {name: values} of inputs, outputs or batches, `columns` in a row.

    If an example has several images, they stand side by side.
    """
    fields = {**model.input_fields, **model.batch_fields, **model.output_fields}
    return _side_by_side([(fields[name], array) for name, array in values.items()], columns)


def check_picture(model, n):
    """Refuses a picture of `n` examples that would be too large, before they are made.

    Raises:
        ConfigurationError: more than `LARGEST_PICTURE` bytes.
    """
    size = n * sum(math.prod(side or 1 for side in field.shape) for field in model.output_fields.values())
    if size > LARGEST_PICTURE:
        raise ConfigurationError(
            f"Expected a picture of at most {memory.in_units(LARGEST_PICTURE)}. Received: {n} examples, which take "
            f"{memory.in_units(size)}. Make fewer (-n), or write one file each (--folder)."
        )


def _side_by_side(parts, columns):
    """One picture of examples, a list of (field, values). Several images of one example stand side by side; smaller
    ones are enlarged by whole factors."""
    shown = [(field, values) for field, values in parts if field.picture(values[:1], 1) is not None]
    if len(shown) == 1:
        ((field, values),) = shown
        return field.picture(values, columns)
    pictures = [[field.picture(values[i : i + 1], 1) for field, values in shown] for i in range(len(shown[0][1]))]
    return in_rows(pictures, columns)
