"""SNGAN: Miyato, Kataoka, Koyama and Yoshida, 2018, "Spectral normalization for generative adversarial networks",
https://arxiv.org/abs/1802.05957

Objective:
    discriminator: E[max(0, 1 - d(x))] + E[max(0, 1 + d(G(z)))]     every kernel W of d divided by its largest
    generator:     -E[d(G(z))]                                      singular value
The singular values come from one step of the power method whenever the discriminator scores in training: see
`keras_gans.layers.SpectralNormalization`.

Schedule: `discriminator_steps` updates of the discriminator, each on fresh images and fresh noise; then one update of
the generator on fresh noise. A batch is dealt out among the discriminator's updates: a batch size of 5 * 64 is the
paper's 64.

Departures from the paper:
- the published code updates the generator before the discriminator, and its generator's batch is 128; here it is as
  large as the discriminator's;
- images are x / 127.5 - 1; the published code has x / 128 - 1 with noise from U[0, 1 / 128];
- sizes other than 32x32 keep one width in all blocks; the paper's networks for larger images vary it.
"""

import keras
from keras import initializers, layers

from keras_gans.errors import ConfigurationError
from keras_gans.layers import FusedBatchNormalization, SpectralNormalization
from keras_gans.losses import hinge_discriminator_loss, hinge_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.optimizers import FusedAdam

UPDATES = 50_000  # of the generator, over which the published code's learning rate falls to zero


def _halvings(image_shape):
    """How often an image can be halved before a side is less than 4 or odd: 3 at 32x32, which ends at 4x4."""
    height, width, _ = image_shape
    halvings = 0
    while height % 2 == width % 2 == 0 and min(height, width) >= 8:
        height, width, halvings = height // 2, width // 2, halvings + 1
    if halvings == 0:
        raise ConfigurationError(
            "Expected a height and width that are even and 8 or more, best a power of two. Received: "
            f"image_shape={tuple(image_shape)}. Resize the images, for instance to 32x32."
        )
    return halvings


def _conv(filters, size, activated=True):
    """A convolution; one on the residual path is initialised for the ReLU, with a gain of sqrt(2)."""
    gain = 2.0 if activated else 1.0  # of the variance
    return layers.Conv2D(
        filters, size, padding="same", kernel_initializer=initializers.VarianceScaling(gain, "fan_avg", "uniform")
    )


def _activated(x):
    return layers.ReLU()(FusedBatchNormalization(momentum=0.9, epsilon=2e-5)(x))


def _generator_block(x, filters):
    """norm - ReLU - double - conv - norm - ReLU - conv, beside double - conv."""
    shortcut = _conv(filters, 1, activated=False)(layers.UpSampling2D()(x))
    x = _conv(filters, 3)(layers.UpSampling2D()(_activated(x)))
    x = _conv(filters, 3)(_activated(x))
    return layers.Add()([x, shortcut])


def _discriminator_block(x, filters, *, halve=False, first=False):
    """ReLU - conv - ReLU - conv - halve, beside conv - halve; the first has images, and halves before its shortcut."""
    shortcut = x
    if halve:
        point = SpectralNormalization(_conv(filters, 1, activated=False))
        halved = layers.AveragePooling2D(2)
        shortcut = point(halved(x)) if first else halved(point(x))
    x = SpectralNormalization(_conv(filters, 3))(x if first else layers.ReLU()(x))
    x = SpectralNormalization(_conv(filters, 3))(layers.ReLU()(x))
    return layers.Add()([layers.AveragePooling2D(2)(x) if halve else x, shortcut])


def build_generator(image_shape=(32, 32, 3), latent_dim=128, *, base_filters=256):
    """The paper's residual generator: a 4x4 map, doubled by residual blocks.

    Args:
        image_shape: (height, width, channels), both sizes even and 8 or more; powers of two start from 4x4, as the
            paper's 32x32, 28x28 starts from 7x7.
        latent_dim: how many numbers an image is made from.
        base_filters: channels of every map.

    Returns:
        A Keras model, (N, latent_dim) to (N, height, width, channels) in [-1, 1].

    Raises:
        ConfigurationError: sizes that cannot be halved.
    """
    doublings = _halvings(image_shape)
    height, width, channels = image_shape
    smallest = (height >> doublings, width >> doublings, base_filters)
    latents = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(smallest[0] * smallest[1] * base_filters, name="project")(latents)
    x = layers.Reshape(smallest, name="reshape")(x)
    for _ in range(doublings):
        x = _generator_block(x, base_filters)
    x = layers.Conv2D(channels, 3, padding="same", name="to_image")(_activated(x))
    return keras.Model(latents, layers.Activation("tanh", dtype="float32", name="images")(x), name="generator")


def build_discriminator(image_shape=(32, 32, 3), *, base_filters=128):
    """The paper's residual discriminator, every layer spectrally normalized: blocks that halve the map to twice the
    generator's smallest, two more, and a sum over the map.

    Args:
        image_shape: as for `build_generator`; 32x32 ends at 8x8, 8x8 at 4x4.
        base_filters: channels of every map.

    Returns:
        A Keras model, images to logits (N, 1).

    Raises:
        ConfigurationError: sizes that cannot be halved.
    """
    images = x = keras.Input(image_shape, name="images")
    for stage in range(max(1, _halvings(image_shape) - 1)):
        x = _discriminator_block(x, base_filters, halve=True, first=stage == 0)
    for _ in range(2):
        x = _discriminator_block(x, base_filters)
    x = layers.ReLU()(x)
    places = x.shape[1] * x.shape[2]
    x = layers.GlobalAveragePooling2D(dtype="float32", name="mean")(x)
    x = layers.Rescaling(places, dtype="float32", name="sum")(x)  # the margin of the hinge is meant for the sum
    logits = SpectralNormalization(layers.Dense(1, use_bias=False, dtype="float32", name="logits"))(x)
    return keras.Model(images, logits, name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gans")
class SNGAN(AdversarialModel):
    """Spectrally normalized GAN with the hinge loss.

    The rate of `compile()`'s optimizers falls linearly from 2e-4 to zero at the paper's 50 000th update of the
    generator, after which nothing is learned: a longer run needs optimizers of its own.

    Args:
        generator, discriminator: networks, the discriminator of `keras_gans.layers.SpectralNormalization` around every
            layer with a kernel; with neither, the paper's for CIFAR-10 in the size of `image_shape`.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default generator.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: sizes that cannot be halved, or networks that do not fit each other.

    Example:

    >>> gan = kg.SNGAN(
    ...     build_generator((16, 16, 3), base_filters=32), build_discriminator((16, 16, 3), base_filters=16)
    ... )
    >>> gan.compile()
    >>> gan.discriminator_steps
    5

    Reference: Miyato et al., 2018, https://arxiv.org/abs/1802.05957
    """

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(32, 32, 3),
        latent_dim=128,
        discriminator_steps=5,
        **kwargs,
    ):
        if generator is None and discriminator is None:
            generator, discriminator = build_generator(image_shape, latent_dim), build_discriminator(image_shape)
        super().__init__(generator, discriminator, discriminator_steps=discriminator_steps, **kwargs)

    def discriminator_loss(self, real, fake, training=True):
        return hinge_discriminator_loss(self.score(real, training), self.score(fake, training))

    def generator_loss(self, fake, training=True):
        return hinge_generator_loss(self.score(fake, training))

    def train_step(self, data):
        real = self.real_images(data)
        k = self.discriminator_steps
        for i in range(k):
            share = real[i::k]
            fake = self.generator(self.latents_like(share), training=True)
            d_loss = self.minimize("discriminator", self.discriminator_loss, share, fake)
        g_loss = self.minimize("generator", self.generator_loss, self.play(self.latents_like(share)))
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def paper_optimizers(self):
        updates = {"generator": UPDATES, "discriminator": UPDATES * self.discriminator_steps}
        return {
            player: FusedAdam(
                keras.optimizers.schedules.PolynomialDecay(2e-4, count, end_learning_rate=0.0), beta_1=0.0, beta_2=0.9
            )
            for player, count in updates.items()
        }
