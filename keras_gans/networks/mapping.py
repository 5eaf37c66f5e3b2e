"""The mapping network of style-based generators: from latents z to styles w."""

import keras
from keras import layers

from keras_gans.errors import ConfigurationError
from keras_gans.layers import EqualizedDense, PixelNormalization
from keras_gans_core.checks import is_whole

GAIN = 2.0**0.5  # behind each activation: it keeps the variance


def build_mapping(latent_dim=512, style_dim=512, *, depth=8, learning_rate_multiplier=0.01):
    """The mapping network: latents of length sqrt(latent_dim), then dense layers with leaky rectifiers.

    Args:
        latent_dim: size of the latents z. They are scaled to a mean square of 1, so their length does not count.
        style_dim: size of the styles w, and of the layers between.
        depth: dense layers, 1 or more; 8 in the papers, 2 in the small configurations of StyleGAN2-ADA.
        learning_rate_multiplier: how much slower these layers learn than the others; see `EqualizedDense`.

    Returns:
        A Keras model, (N, latent_dim) to (N, style_dim).

    Raises:
        ConfigurationError: numbers out of range.

    Example:

    >>> build_mapping(16, 32, depth=2).output_shape
    (None, 32)

    Reference: Karras et al., 2019, https://arxiv.org/abs/1812.04948
    """
    for name, number in (("latent_dim", latent_dim), ("style_dim", style_dim), ("depth", depth)):
        if not is_whole(number, 1):
            raise ConfigurationError(f"Expected a {name} of 1 or more. Received: {number!r}.")
    latents = keras.Input((latent_dim,), name="latents")
    x = PixelNormalization(name="normalized")(latents)
    for i in range(depth):
        x = EqualizedDense(
            style_dim, gain=1.0, learning_rate_multiplier=learning_rate_multiplier, name=f"mapping{i}"
        )(x)  # fmt: skip
        x = layers.LeakyReLU(0.2, name=f"mapping_act{i}")(x)
        x = layers.Rescaling(GAIN, dtype="float32" if i == depth - 1 else None, name=f"mapping_gain{i}")(x)
    return keras.Model(latents, x, name="mapping")
