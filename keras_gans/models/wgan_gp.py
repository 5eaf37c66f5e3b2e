"""WGAN-GP: Gulrajani, Ahmed, Arjovsky, Dumoulin and Courville, 2017, "Improved training of Wasserstein GANs",
https://arxiv.org/abs/1704.00028

Objective:
    critic:    E[f(G(z))] - E[f(x)] + gp_weight E[(|grad f(x')|_2 - 1)^2]     (eq. 3)
    generator: -E[f(G(z))]
with x' = e x + (1 - e) G(z) and e ~ U[0, 1] once for each image.

Schedule (algorithm 1): `discriminator_steps` updates of the critic, each on fresh images and fresh noise; then one
update of the generator on fresh noise. A batch is split among the critic's updates, so the paper's batch size of 64 is
5 * 64 here.

Departures from the paper:
- the published code updates the generator before the critic, and not in the first iteration;
- optimizers: those of algorithm 1. The published code has a beta_1 of 0.5 for MNIST and for CIFAR-10's convolutional
  networks, and for the residual ones a learning rate of 2e-4 that falls linearly to 0;
- images are in [-1, 1] and the generator ends in tanh; the published code for MNIST has [0, 1] and a sigmoid, where the
  same function of the pixels has twice the slope;
- the images get no noise; the published code of the residual networks adds U[0, 1/128] to each pixel;
- kernels start from Keras's He uniform. For a transposed convolution Keras counts its outputs as the fan, so the last
  kernel for digits is three times the published code's, and the first samples have saturated pixels;
- the critic's last layer has no bias, because the difference of two means would cancel it;
- the residual networks: the generator's batch is as large as the critic's, while the published code doubles it; batch
  norm is Keras's, with a moving average for sampling.
"""

import math

import keras
from keras import layers, ops

from keras_gans.errors import ConfigurationError
from keras_gans.fields import check_image_shape, noise_to_images
from keras_gans.layers import FusedBatchNormalization
from keras_gans.losses import wasserstein_discriminator_loss, wasserstein_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks
from keras_gans.networks.heads import image_values
from keras_gans.optimizers import FusedAdam
from keras_gans.penalties import gradient_penalty, refuse_batch_norm
from keras_gans_core.checks import is_number


def _sizes(image_shape):
    """(height, width) of every map, from the image down to sides of 4 or less: 28, 14, 7, 4."""
    sizes = [tuple(image_shape[:2])]
    while max(sizes[-1]) > 4:
        sizes.append(tuple(math.ceil(side / 2) for side in sizes[-1]))
    if len(sizes) == 1:
        raise ConfigurationError(
            f"Expected a height or width above 4. Received: image_shape={tuple(image_shape)}. Resize the images, for "
            "instance to 32x32."
        )
    return sizes


def _scores(features):
    """One number for each image, without a bias, which the difference of two means would cancel."""
    return layers.Dense(1, use_bias=False, dtype="float32", name="scores")(features)


def build_generator(image_shape, latent_dim=128, *, base_filters=64, batch_norm=False, overshoot=0.0):
    """The paper's generator of transposed convolutions: 4x4 maps, doubled and cropped to the critic's sizes.

    Args:
        image_shape: (height, width, channels); 28x28 and 32x32 give three stages.
        latent_dim: size of the latents.
        base_filters: channels of the last hidden map; 64 for MNIST and 128 for CIFAR-10 in the published code.
        batch_norm: False for MNIST and True for CIFAR-10 in the published code.
        overshoot: the tanh is multiplied by 1 + overshoot and clipped to [-1, 1], so that it reaches pure black and
            white; 0, as in the paper, for neither.

    Returns:
        A Keras model, (N, latent_dim) to (N, height, width, channels) in [-1, 1].

    Raises:
        ConfigurationError: images too small to halve, or a negative overshoot.
    """
    check_image_shape(image_shape)
    *sizes, smallest = _sizes(image_shape)
    filters = base_filters << (len(sizes) - 1)

    def activated(x):
        return layers.ReLU()(FusedBatchNormalization(momentum=0.9, epsilon=1e-5)(x) if batch_norm else x)

    latents = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(smallest[0] * smallest[1] * filters, kernel_initializer="he_uniform", name="project")(latents)
    x = layers.Reshape((*smallest, filters))(activated(x))
    for size in reversed(sizes):
        filters //= 2
        last = size == sizes[0]
        x = layers.Conv2DTranspose(
            image_shape[-1] if last else filters, 5, strides=2, padding="same", kernel_initializer="he_uniform"
        )(x)
        x = layers.Cropping2D([(0, x.shape[1] - size[0]), (0, x.shape[2] - size[1])])(x)
        x = x if last else activated(x)
    return keras.Model(latents, image_values(x, overshoot), name="generator")


def build_discriminator(image_shape, *, base_filters=64):
    """The paper's critic of strided convolutions. It has no batch norm, because each image is penalised separately.

    Args:
        image_shape: (height, width, channels).
        base_filters: channels of the first map; 64 for MNIST and 128 for CIFAR-10 in the published code.

    Returns:
        A Keras model, images to scores (N, 1).

    Raises:
        ConfigurationError: images too small to halve.
    """
    check_image_shape(image_shape)
    images = x = keras.Input(image_shape, name="images")
    for stage in range(len(_sizes(image_shape)) - 1):
        x = layers.Conv2D(base_filters << stage, 5, strides=2, padding="same", kernel_initializer="he_uniform")(x)
        x = layers.LeakyReLU(0.2)(x)
    return keras.Model(images, _scores(layers.Flatten()(x)), name="discriminator")


def _residual_block(x, filters, *, resample=None, norm=False, first=False):
    """norm - ReLU - conv - norm - ReLU - conv plus a shortcut; `resample` is "up", "down" or None for both paths."""

    def normed(x):
        return FusedBatchNormalization(momentum=0.9, epsilon=1e-5)(x) if norm else x

    def conv(x, size):
        return layers.Conv2D(
            filters, size, padding="same", kernel_initializer="he_uniform" if size > 1 else "glorot_uniform"
        )(x)

    shortcut = x
    if resample == "up":
        shortcut = conv(layers.UpSampling2D()(shortcut), 1)
    elif resample == "down":
        shortcut = conv(layers.AveragePooling2D(2)(shortcut), 1) if first else layers.AveragePooling2D(2)(conv(x, 1))
    x = x if first else layers.ReLU()(normed(x))
    x = conv(layers.UpSampling2D()(x) if resample == "up" else x, 3)
    x = conv(layers.ReLU()(normed(x)), 3)
    return layers.Add()([layers.AveragePooling2D(2)(x) if resample == "down" else x, shortcut])


def build_residual_generator(image_shape=(32, 32, 3), latent_dim=128, *, filters=128):
    """The paper's residual generator for CIFAR-10: a 4x4 map, doubled by residual blocks.

    Args:
        image_shape: (height, width, channels), both sizes the same power of two, 8 or more; 32x32 is the paper's.
        latent_dim: size of the latents.
        filters: channels of every map.

    Returns:
        A Keras model, (N, latent_dim) to (N, height, width, channels) in [-1, 1].

    Raises:
        ConfigurationError: a size that is not a power of two.
    """
    check_image_shape(image_shape)
    latents = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(4 * 4 * filters, name="project")(latents)
    x = layers.Reshape((4, 4, filters))(x)
    for _ in range(_doublings(image_shape)):
        x = _residual_block(x, filters, resample="up", norm=True)
    x = layers.ReLU()(FusedBatchNormalization(momentum=0.9, epsilon=1e-5)(x))
    x = layers.Conv2D(image_shape[-1], 3, padding="same", name="to_image")(x)
    return keras.Model(latents, layers.Activation("tanh", dtype="float32", name="images")(x), name="generator")


def build_residual_discriminator(image_shape=(32, 32, 3), *, filters=128):
    """The paper's residual critic for CIFAR-10: blocks that halve the map to 8x8, two more, and a mean over the map.

    Args:
        image_shape: as for `build_residual_generator`; below 16x16 the map is halved once all the same.
        filters: channels of every map.

    Returns:
        A Keras model, images to scores (N, 1).

    Raises:
        ConfigurationError: a size that is not a power of two.
    """
    check_image_shape(image_shape)
    images = x = keras.Input(image_shape, name="images")
    for stage in range(max(1, _doublings(image_shape) - 1)):
        x = _residual_block(x, filters, resample="down", first=stage == 0)
    for _ in range(2):
        x = _residual_block(x, filters)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    return keras.Model(images, _scores(x), name="discriminator")


def _doublings(image_shape):
    """How often 4x4 is doubled to reach the image."""
    height, width, _ = image_shape
    doublings = (height // 4).bit_length() - 1
    if height != width or height < 8 or height != 4 << doublings:
        raise ConfigurationError(
            "Expected square images whose side is a power of two, 8 or more. Received: "
            f"image_shape={tuple(image_shape)}. Resize the images, for instance to 32x32."
        )
    return doublings


@keras.saving.register_keras_serializable(package="keras_gans")
class WGANGP(AdversarialModel):
    """Wasserstein GAN with gradient penalty.

    In the logs, `d_loss` is the critic's whole loss at the last of a step's updates, and `gp` is the penalty in
    that loss without its weight, so -(d_loss - gp_weight * gp) estimates the Wasserstein distance,
    E[f(x)] - E[f(G(z))].

    Args:
        generator, discriminator: networks; with neither, the paper's for MNIST, for `image_shape`. The
            discriminator is a critic: it ends in one unbounded number and has no batch normalization.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default generator.
        gp_weight: weight of the gradient penalty, 0 or more.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: a critic with batch normalization, or networks that do not fit each other.

    Example:

    >>> gan = kg.WGANGP(image_shape=(28, 28, 1))
    >>> gan.compile()
    >>> gan.generate(4, seed=0).shape
    (4, 28, 28, 1)

    Reference: Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028
    """

    log_names = ("d_loss", "g_loss", "gp")

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(32, 32, 3),
        latent_dim=128,
        gp_weight=10.0,
        discriminator_steps=5,
        **kwargs,
    ):
        if generator is None and discriminator is None:
            generator, discriminator = build_generator(image_shape, latent_dim), build_discriminator(image_shape)
        if not is_number(gp_weight, 0.0):
            raise ConfigurationError(f"Expected a gp_weight of 0 or more. Received: {gp_weight!r}.")
        check_networks(generator, discriminator)
        super().__init__(
            generator=generator,
            discriminator=discriminator,
            discriminator_steps=discriminator_steps,
            **noise_to_images(generator),
            **kwargs,
        )
        if discriminator is not None:
            refuse_batch_norm(discriminator)
        self.gp_weight = gp_weight

    def loss_and_penalty(self, real, fake, training=True):
        """The critic's loss, eq. 3, and the penalty in it without the weight: a vector of two."""
        between = self.uniform_like(real, training)
        penalty = gradient_penalty(lambda images: self.score(images, training), real, fake, between)
        wasserstein = wasserstein_discriminator_loss(self.score(real, training), self.score(fake, training))
        return ops.stack([wasserstein + self.gp_weight * penalty, penalty])

    def discriminator_loss(self, real, fake, training=True):
        return self.loss_and_penalty(real, fake, training)[0]

    def generator_loss(self, fake, training=True):
        return wasserstein_generator_loss(self.score(fake, training))

    def train_step(self, data):
        for real in self.shares(self.encode_batch(data)["images"]):
            fake = self.generator(self.latents_like(real), training=True)
            d_loss, gp = ops.unstack(self.minimize("discriminator", self.loss_and_penalty, real, fake))
        g_loss = self.minimize("generator", self.generator_loss, self.record(self.latents_like(real)))
        return self.log(d_loss=d_loss, g_loss=g_loss, gp=gp)

    def paper_optimizers(self):
        return {player: FusedAdam(1e-4, beta_1=0.0, beta_2=0.9) for player in self.players}
