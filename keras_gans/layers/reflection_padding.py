"""Padding by reflection at the border."""

import keras
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_whole


@keras.saving.register_keras_serializable(package="keras_gans")
class ReflectionPadding2D(keras.layers.Layer):
    """Continues images beyond their borders by their mirror images, without the border pixel itself.

    Zeros, which convolutions pad with by default, show in generated images as frames.

    Args:
        padding: pixels on each side, 1 or more; less than the height and the width of what is padded.

    Returns:
        (N, height + 2 padding, width + 2 padding, channels).

    Raises:
        ConfigurationError: a padding below 1, or images that are too small for it.

    Example:

    >>> row = np.reshape([1.0, 2.0, 3.0], (1, 1, 3, 1)) * np.ones((1, 3, 1, 1))
    >>> ops.convert_to_numpy(ReflectionPadding2D(1)(row))[0, 0, :, 0].tolist()
    [2.0, 1.0, 2.0, 3.0, 2.0]
    """

    def __init__(self, padding=1, **kwargs):
        super().__init__(**kwargs)
        if not is_whole(padding, 1):
            raise ConfigurationError(f"Expected a padding of 1 pixel or more. Received: {padding!r}.")
        self.padding = padding

    def call(self, inputs):
        sides = (self.padding, self.padding)
        return ops.pad(inputs, ((0, 0), sides, sides, (0, 0)), mode="reflect")

    def compute_output_shape(self, input_shape):
        count, height, width, channels = input_shape
        if any(side is not None and side <= self.padding for side in (height, width)):
            raise ConfigurationError(
                f"Expected images larger than {self.padding}x{self.padding}, to reflect {self.padding} of their "
                f"pixels. Received: {height}x{width}. Use larger images or a smaller padding."
            )
        more = 2 * self.padding
        return (count, height and height + more, width and width + more, channels)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype=inputs.dtype)

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}
