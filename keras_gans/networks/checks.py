"""Whether networks that a user passes fit each other: what the variants' constructors check."""

import keras

from keras_gans.errors import ConfigurationError
from keras_gans.fields import check_label_space
from keras_gans.layers.virtual_batch_normalization import check_reference_batch
from keras_gans_core.checks import is_number

# Functions whose results are not logits.
BOUNDED = (
    *("sigmoid", "hard_sigmoid", "hardsigmoid", "sparse_sigmoid", "log_sigmoid", "tanh", "hard_tanh", "softsign"),
    *("softmax", "log_softmax", "sparsemax", "relu", "relu6", "softplus", "exponential"),
)

# Those of them whose results are never negative. A softmax is left out: generators of text end in it.
NEVER_NEGATIVE = (
    "sigmoid",
    "hard_sigmoid",
    "hardsigmoid",
    "sparse_sigmoid",
    "relu",
    "relu6",
    "softplus",
    "exponential",
)
LEVELS = 100  # a layer that multiplies or divides by more is meant for grey levels
FLOATS = ("float16", "bfloat16", "float32", "float64")  # dtypes that networks compute with


def check_dtypes(model):
    """Raises a `ConfigurationError` unless a model and all its layers with weights compute with floats."""
    for layer in model._flatten_layers():
        if layer.compute_dtype not in FLOATS and (layer is model or layer.weights):
            raise ConfigurationError(
                f"Expected networks that compute with floats. Received: {layer.name} with the dtype policy "
                f"{layer.dtype_policy.name!r}. Use one such as 'float32' or 'mixed_float16'."
            )


def check_built(name, network):
    """Raises a `ConfigurationError` unless `network` is a built Keras model."""
    if not (isinstance(network, keras.Model) and network.built):
        raise ConfigurationError(f"Expected {name} to be a built Keras model. Received: {network!r}.")
    if getattr(network, "input_shape", None) is None:  # a subclass of keras.Model, which has no symbolic inputs
        shape = (network.get_build_config() or {}).get("input_shape")
        inputs = f"keras.Input({tuple(shape[1:])})" if isinstance(shape, (list, tuple)) else "keras.Input(shape)"
        raise ConfigurationError(
            f"Expected {name} with symbolic inputs, which tell its shapes. Received: {type(network).__name__}, a "
            f"subclass of keras.Model without them. Wrap it: inputs = {inputs}; {name} = keras.Model(inputs, "
            f"{name}(inputs))"
        )


def images_alone(generator):
    """The shape that a discriminator of images takes."""
    return generator.output_shape[1:]


def labels_and_images(generator):
    """The shapes that a discriminator of [labels, images] takes."""
    return [generator.input_shape[1][1:], generator.output_shape[1:]]


def latents_and_images(generator):
    """The shapes that a discriminator of [latents, images] takes."""
    return [generator.input_shape[1:], generator.output_shape[1:]]


def check_networks(generator, discriminator, *, label_space=None, judged=images_alone, logits=1):
    """Checks a generator of latents, and the discriminator that judges what it makes.

    Args:
        generator: Keras model, (N, latent_dim) to examples; with a label space [(N, latent_dim), (N, label size)].
        discriminator: Keras model to logits (N, `logits`); None is allowed, as in the zoo.
        label_space: of a conditional model, what its labels are.
        judged: function from the generator to the shapes that the discriminator takes, without the batch: one, or a
            list of them.
        logits: how many the discriminator gives for one example; None for any number.

    Raises:
        ConfigurationError: networks that are not built or do not fit each other.
    """
    if label_space is not None:
        check_label_space(label_space)
    check_built("generator", generator)
    check_reference_batch("generator", generator)
    check_generator(generator, label_space)
    check_image_range("generator", generator)
    if discriminator is None:
        return
    check_built("discriminator", discriminator)
    check_reference_batch("discriminator", discriminator)
    check_discriminator(discriminator, judged(generator), logits)


def check_generator(generator, label_space=None):
    """Raises a `ConfigurationError` unless a generator takes latents, or latents and labels of a label space."""
    shapes = generator.input_shape if isinstance(generator.input_shape, list) else [generator.input_shape]
    if label_space is None and (len(shapes) != 1 or len(shapes[0]) != 2):
        raise ConfigurationError(f"Expected a generator of latents (N, latent_dim). Received: {generator.input_shape}.")
    if shapes[0][-1] == 0:
        raise ConfigurationError("Expected a latent_dim of 1 or more. Received: 0. All images would be the same.")
    if label_space is not None and (len(shapes) != 2 or len(shapes[0]) != 2 or shapes[1] != (None, label_space.size)):
        raise ConfigurationError(
            f"Expected a generator of latents (N, latent_dim) and of labels (N, {label_space.size}), since they are "
            f"{label_space}. Received: {generator.input_shape}."
        )


def check_image_range(name, network):
    """Raises a `ConfigurationError` where a network that is to make images in [-1, 1] never makes a negative number."""
    bounded = bounded_by(network)
    if bounded in NEVER_NEGATIVE:
        raise ConfigurationError(
            f"Expected {name} to make images in [-1, 1]. Received: a network that ends in {bounded}, so that no pixel "
            "could be darker than mid grey. End it in tanh, or put layers.Rescaling(2, -1) after a sigmoid."
        )
    last = [tensor._keras_history.operation for tensor in network.outputs]
    _check_rescaling(name, last, "generate() returns uint8 images")


def _check_rescaling(name, outermost, why):
    """Raises a `ConfigurationError` where a network's first or last layer is meant for levels from 0 to 255."""
    for layer in outermost:
        scale = layer.scale if isinstance(layer, keras.layers.Rescaling) else 1.0
        if is_number(scale) and not 1 / LEVELS < abs(scale) < LEVELS:
            raise ConfigurationError(
                f"Expected {name} of images in [-1, 1]. Received: one that multiplies them by {scale:g}, in the layer "
                f"{layer.name!r}. Remove it: {why}."
            )


def check_discriminator(discriminator, judged, logits=1):
    """Raises a `ConfigurationError` unless a discriminator takes the shapes `judged` and ends in logits."""
    inner = [layer for layer in discriminator.layers if not isinstance(layer, keras.layers.InputLayer)]
    _check_rescaling("a discriminator", inner[:1], "uint8 images are scaled before networks see them")
    shapes = discriminator.input_shape
    received = [shape[1:] for shape in shapes] if isinstance(shapes, list) else shapes[1:]
    if judged != received:
        raise ConfigurationError(
            f"Expected a discriminator that takes what the generator makes, {judged}. Received: one for {received}."
        )
    if len(discriminator.output_shape) != 2 or logits not in (None, discriminator.output_shape[1]):
        wanted = "logits (N, K)" if logits is None else "one logit an image, (N, 1)"
        raise ConfigurationError(f"Expected a discriminator with {wanted}. Received: {discriminator.output_shape}.")
    check_logits(discriminator)


def check_logits(discriminator):
    """Raises a `ConfigurationError` where a discriminator ends in a function whose results are not logits."""
    bounded = bounded_by(discriminator)
    if bounded is not None:
        raise ConfigurationError(
            f"Expected a discriminator that ends in logits. Received: one that ends in {bounded}. Remove it: the "
            "losses turn logits into probabilities themselves."
        )


def bounded_by(network):
    """The name of the function that keeps a network's outputs from being logits; None where none is seen."""
    for step in reversed(getattr(network, "operations", network.layers)):
        while isinstance(step, keras.layers.Wrapper):
            step = step.layer
        if isinstance(step, keras.Model):
            return bounded_by(step)
        name = getattr(getattr(step, "activation", None), "__name__", type(step).__name__).lower()
        if name in BOUNDED:
            return name
        if not isinstance(step, (keras.layers.Activation, keras.layers.Flatten, keras.layers.Reshape)):
            return None
    return None


def check_encoder(name, encoder, image_shape, *widths):
    """Raises a `ConfigurationError` unless `encoder` is a built Keras model from images to (N, one of the widths)."""
    check_built(name, encoder)
    taken, made = encoder.input_shape[1:], encoder.output_shape[1:]
    if taken != tuple(image_shape) or made not in [(width,) for width in widths]:
        wanted = " or ".join(str((width,)) for width in widths)
        raise ConfigurationError(
            f"Expected {name} to map images {image_shape} to {wanted}. Received: one from {taken} to {made}."
        )
