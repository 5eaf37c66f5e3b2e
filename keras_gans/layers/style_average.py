"""The moving average of the styles of a mapping network."""

import keras
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_number, is_whole


@keras.saving.register_keras_serializable(package="keras_gans")
class StyleAverage(keras.layers.Layer):
    """The moving average of styles w, the mean style, to which truncation pulls. It is 0 at first.

        average = average + (1 - decay) (mean of the batch - average)

    Args:
        style_dim: numbers in a style.
        decay: number in [0, 1); 0.995 in the paper.

    Raises:
        ConfigurationError: numbers out of range.

    Example:

    >>> average = StyleAverage(2, decay=0.5)
    >>> average.update(np.array([[2.0, 0.0], [4.0, 0.0]], "float32"))
    >>> ops.convert_to_numpy(average.value).tolist()
    [1.5, 0.0]

    Reference: Karras et al., 2019, "A style-based generator architecture for generative adversarial networks",
    appendix B, https://arxiv.org/abs/1812.04948
    """

    def __init__(self, style_dim, decay=0.995, **kwargs):
        super().__init__(**{"dtype": "float32", "trainable": False, **kwargs})
        if not is_whole(style_dim, 1) or not (is_number(decay, 0.0) and decay < 1.0):
            raise ConfigurationError(
                f"Expected a style_dim of 1 or more and a decay in [0, 1). Received: {style_dim!r} and {decay!r}."
            )
        self.style_dim, self.decay = style_dim, decay
        # Replicas see different latents: their means are averaged.
        self.average = self.add_weight(
            shape=(style_dim,),
            initializer="zeros",
            trainable=False,
            autocast=False,  # styles stay float32 under mixed precision
            aggregation="mean",
            name="average",
        )
        self.built = True

    @property
    def value(self):
        """The average, a float32 tensor (style_dim,)."""
        return ops.convert_to_tensor(self.average)

    def update(self, styles):
        """Moves the average towards the mean of styles (N, style_dim)."""
        now = ops.mean(ops.stop_gradient(ops.cast(styles, "float32")), axis=0)
        self.average.assign(self.average + (1.0 - self.decay) * (now - self.average))

    def truncated(self, styles, psi, cutoff=None):
        """Styles pulled to the average: average + psi (w - average). It makes images more alike, and often better.

        Args:
            styles: (N, layers, style_dim), a style for each layer.
            psi: (N,); 1 changes nothing, and with 0 all are the average.
            cutoff: int (N,), how many layers are truncated, the first ones; None for all.

        Returns:
            float32 (N, layers, style_dim).

        Example:

        >>> average = StyleAverage(1)    # 0
        >>> styles, half, one = np.full((1, 3, 1), 4.0, "float32"), np.array([0.5], "float32"), np.array([1], "int32")
        >>> ops.convert_to_numpy(average.truncated(styles, half, one)).ravel().tolist()
        [2.0, 4.0, 4.0]
        """
        styles, psi = ops.cast(styles, "float32"), ops.cast(psi, "float32")[:, None, None]
        truncated = self.value + psi * (styles - self.value)
        if cutoff is None:
            return truncated
        layers = ops.arange(styles.shape[1], dtype="int32")
        return ops.where((layers[None] < ops.cast(cutoff, "int32")[:, None])[..., None], truncated, styles)

    def get_config(self):
        return {**super().get_config(), "style_dim": self.style_dim, "decay": self.decay}
