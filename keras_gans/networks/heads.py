"""What ends a generator: from the last convolution to pixels in [-1, 1]."""

from keras import layers

from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_number


def image_values(x, overshoot=0.0, name="images"):
    """tanh, or with an overshoot clip((1 + overshoot) tanh, -1, 1), in float32.

    A tanh never quite reaches pure black or white, and a discriminator sees that in drawings. With an overshoot of 0.1
    the generator reaches both where its tanh is beyond 0.91.

    Args:
        x: Keras tensor (N, height, width, channels).
        overshoot: 0 or more; 0 for the tanh alone.
        name: of the last layer.

    Returns:
        A Keras tensor of the same shape.

    Raises:
        ConfigurationError: a negative overshoot.
    """
    if not is_number(overshoot, 0.0):
        raise ConfigurationError(f"Expected an overshoot of 0 or more. Received: {overshoot!r}.")
    if not overshoot:
        return layers.Activation("tanh", dtype="float32", name=name)(x)
    x = layers.Activation("tanh", dtype="float32", name=f"{name}_tanh")(x)
    x = layers.Rescaling(1.0 + overshoot, dtype="float32", name=f"{name}_overshoot")(x)
    return layers.Activation("hard_tanh", dtype="float32", name=name)(x)
