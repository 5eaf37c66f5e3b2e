"""R3GAN: Huang, Gokaslan, Kuleshov and Tompkin, 2024, "The GAN is dead; long live the GAN! A modern GAN baseline",
https://arxiv.org/abs/2501.05441; code: https://github.com/brownvc/R3GAN

Objective, for logits d, and real images x_i and generated images f_i paired by their place in the batch:
    discriminator: E[softplus(-(d(x) - d(f)))] + gamma / 2 (E[|grad d(x)|^2] + E[|grad d(f)|^2])
    generator:     E[softplus(d(x) - d(f))]
The penalties R1 and R2 are taken at every update. With R1 alone the paper's runs diverged.

Schedule: the discriminator is updated, then the generator, each on fresh noise. With `discriminator_steps=k` the batch
is split among k discriminator updates. Over `decay_steps` steps gamma and the learning rates fall along half a cosine,
and beta_2 rises along one.

Networks: residual blocks of 1x1, 3x3 (grouped) and 1x1 convolutions without normalization. The last convolution of a
block is zero at first, so that each network begins as its resampling and its ends. Filters resample, see
`keras_gans.layers.FIRUpsampling2D`.

Departures from the paper:
- the generator's update uses the real images of the discriminator's last update; the code draws others;
- the default networks have a twelfth of the paper's channels and no groups; `widths=(768,) * 4, cardinality=96` are the
  paper's at 32x32;
- the half-life of the moving average rises with the step in a line, 0.077 (step + 10) steps, until `ema_decay` bounds
  it, as in every variant; in the code it rises along half a cosine, over `decay_steps`;
- no augmentation, no labels, and float32 instead of bfloat16 in the larger maps;
- `finite_differences` estimates the penalties without second-order gradients, as the adversarial flow model does
  (https://arxiv.org/abs/2511.22475).
"""

import math

import keras
from keras import initializers, layers, ops

from keras_gans import engine
from keras_gans.errors import ConfigurationError
from keras_gans.fields import check_image_shape, noise_to_images
from keras_gans.layers import FIRDownsampling2D, FIRUpsampling2D
from keras_gans.losses import (
    relativistic_pairing_discriminator_loss,
    relativistic_pairing_generator_loss,
)
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks
from keras_gans.networks.heads import image_values
from keras_gans.optimizers import FusedAdam, RisingAdam, cosine_fall
from keras_gans.penalties import finite_difference_penalty, r1_penalty, r2_penalty, refuse_batch_norm
from keras_gans_core.checks import is_number, is_whole

GAIN = math.sqrt(2.0 / (1.0 + 0.2**2))  # of a leaky ReLU with slope 0.2: it keeps the variance of normal numbers
FALL = 10.0  # by which gamma falls; the learning rate falls by 4

# Networks


def _sides(image_shape):
    """(height, width) of the maps, the smallest first: 32x32 begins at 4x4, 28x28 at 7x7."""
    check_image_shape(image_shape)
    sides = [tuple(image_shape[:2])]
    while all(side % 2 == 0 and side >= 8 for side in sides[0]):
        sides.insert(0, tuple(side // 2 for side in sides[0]))
    if len(sides) == 1:
        raise ConfigurationError(
            "Expected a height and width that are even and 8 or more, best a power of two. Received: "
            f"image_shape={tuple(image_shape)}. Resize the images, for instance to 32x32."
        )
    return sides


def _widths(sides, widths, cardinality):
    """Channels and groups of each map; by default 64 channels up to 32x32, half as many whenever the side doubles."""
    if widths is None:
        widths = [max(8, 64 * 32 // max(32, *side)) for side in sides]
    groups = cardinality if isinstance(cardinality, (list, tuple)) else [cardinality] * len(sides)
    names = ", ".join(f"{height}x{width}" for height, width in sides)
    for name, counts in (("widths", widths), ("cardinality", groups)):
        if len(counts) != len(sides) or not all(is_whole(count, 1) for count in counts):
            raise ConfigurationError(
                f"Expected {name} with a number of 1 or more for each of the {len(sides)} maps {names}. "
                f"Received: {counts!r}."
            )
    for width, count in zip(widths, groups):
        if 2 * width % count:
            raise ConfigurationError(
                f"Expected a cardinality that divides twice the width of its map. Received: {count}, and the width "
                f"{width}."
            )
    return list(zip(widths, groups))


def _point(filters, name, gain=1.0):
    """A 1x1 convolution without bias, whose outputs have gain^2 times the variance of its inputs."""
    initializer = initializers.VarianceScaling(gain**2, "fan_in", "untruncated_normal")
    return layers.Conv2D(filters, 1, use_bias=False, kernel_initializer=initializer, name=name)


def _block(x, groups, blocks, name):
    """x + a residual path, which is zero at first; `blocks` is the number of blocks in the network."""
    width, initial = x.shape[-1], GAIN * blocks**-0.25
    scaled = initializers.VarianceScaling(initial**2, "fan_in", "untruncated_normal")
    # Keras takes all input channels of a grouped convolution for its fan-in.
    grouped = initializers.RandomNormal(stddev=initial / math.sqrt(9 * 2 * width / groups))
    y = layers.Conv2D(2 * width, 1, kernel_initializer=scaled, name=f"{name}_wide")(x)
    y = layers.LeakyReLU(0.2, name=f"{name}_wide_activated")(y)
    y = layers.Conv2D(2 * width, 3, padding="same", groups=groups, kernel_initializer=grouped, name=f"{name}_grouped")(
        y
    )
    y = layers.LeakyReLU(0.2, name=f"{name}_grouped_activated")(y)
    y = layers.Conv2D(width, 1, use_bias=False, kernel_initializer="zeros", name=f"{name}_narrow")(y)
    return layers.Add(name=name)([x, y])


def build_generator(image_shape, latent_dim=64, *, widths=None, cardinality=1, blocks=2, overshoot=None):
    """The generator: a learned map, scaled by the latents channel by channel, and residual blocks at each size.

    Args:
        image_shape: (height, width, channels), both sizes even and 8 or more; 32x32 begins at 4x4, 28x28 at 7x7.
        latent_dim: size of the latents.
        widths: channels at each size, the smallest first; None for 64 up to 32x32 and half as many at each larger one.
            The paper has 768.
        cardinality: groups of the 3x3 convolutions, one number or one for each size. The paper has an eighth of the
            width; on a CPU one group is faster.
        blocks: residual blocks at each size.
        overshoot: None, as in the paper, bounds the images by nothing. A number ends the network in a tanh, which is
            multiplied by 1 + overshoot and clipped to [-1, 1]; 0.1 is for drawings, whose white is pure.

    Returns:
        A Keras model, (N, latent_dim) to (N, height, width, channels).

    Raises:
        ConfigurationError: sizes that cannot be halved, or widths and groups that do not fit them.
    """
    sides = _sides(image_shape)
    stages = _widths(sides, widths, cardinality)
    latents = keras.Input((latent_dim,), name="latents")
    first = stages[0][0]
    x = layers.Dense(
        first, use_bias=False, kernel_initializer=initializers.VarianceScaling(1.0, "fan_in", "untruncated_normal"),
        name="scales",
    )(latents)  # fmt: skip
    basis = initializers.RandomNormal(stddev=1.0)
    x = layers.EinsumDense("nc,hwc->nhwc", (*sides[0], first), kernel_initializer=basis, name="basis")(x)
    for stage, (width, groups) in enumerate(stages):
        if stage > 0:
            x = x if x.shape[-1] == width else _point(width, f"width{stage}")(x)
            x = FIRUpsampling2D(name=f"double{stage}")(x)
        for i in range(blocks):
            x = _block(x, groups, blocks * len(stages), f"block{stage}_{i}")
    x = _point(image_shape[-1], "to_image")(x)
    if overshoot is None:
        images = layers.Activation("linear", dtype="float32", name="images")(x)
    else:
        images = image_values(x, overshoot)
    return keras.Model(latents, images, name="generator")


def build_discriminator(image_shape, *, widths=None, cardinality=1, blocks=2):
    """The discriminator: the generator's blocks from the largest map to the smallest, and one logit.

    Args:
        image_shape, widths, cardinality, blocks: see `build_generator`.

    Returns:
        A Keras model, images to logits (N, 1).

    Raises:
        ConfigurationError: see `build_generator`.
    """
    sides = _sides(image_shape)
    stages = list(enumerate(_widths(sides, widths, cardinality)))[::-1]
    images = keras.Input(image_shape, name="images")
    x = _point(stages[0][1][0], "from_image")(images)
    for stage, (width, groups) in stages:
        if stage < len(stages) - 1:
            x = FIRDownsampling2D(name=f"halve{stage}")(x)
            x = x if x.shape[-1] == width else _point(width, f"width{stage}")(x)
        for i in range(blocks):
            x = _block(x, groups, blocks * len(stages), f"block{stage}_{i}")
    size = sides[0]
    x = layers.DepthwiseConv2D(
        size, use_bias=False, depthwise_initializer=initializers.RandomNormal(stddev=1.0 / math.sqrt(math.prod(size))),
        name="pool",
    )(x)  # fmt: skip
    x = layers.Flatten(name="features")(x)
    scaled = initializers.VarianceScaling(1.0, "fan_in", "untruncated_normal")
    logits = layers.Dense(1, use_bias=False, kernel_initializer=scaled, dtype="float32", name="logits")(x)
    return keras.Model(images, logits, name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gans")
class R3GAN(AdversarialModel):
    """Relativistic pairing GAN with R1 and R2, and residual networks without normalization.

    In the logs, `d_loss` is the discriminator's whole loss at the last of a step's updates; `r1` and `r2` are the
    penalties in it, without their weight.

    Args:
        generator, discriminator: networks, a discriminator without batch normalization. With neither, a twelfth of the
            paper's channels for `image_shape`.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default generator.
        gamma: weight of the penalties, above 0, at the first step. It depends on the data: the paper has 0.05 for
            CIFAR-10, 2 for faces of 64x64, 150 for faces of 256x256.
        decay_steps: steps over which gamma falls to a tenth, and the optimizers of `compile()` change: the learning
            rates from 2e-4 to 5e-5, beta_2 from 0.9 to 0.99. None keeps gamma, 2e-4 and 0.99.
        finite_differences: None for exact penalties; or a share of the batch, in (0, 1], on which they are estimated by
            `keras_gans.penalties.finite_difference_penalty`. The code of the adversarial flow model has 0.25.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: numbers out of range, sizes that cannot be halved, a discriminator with batch normalization,
            or networks that do not fit each other.

    Example:

    >>> gan = kg.R3GAN(
    ...     build_generator((16, 16, 3), 16, widths=(32, 32, 16), cardinality=1),
    ...     build_discriminator((16, 16, 3), widths=(32, 32, 16), cardinality=1),
    ...     gamma=0.5,
    ... )
    >>> gan.compile()
    >>> gan.generate(4, seed=0).shape
    (4, 16, 16, 3)

    Reference: Huang et al., 2024, https://arxiv.org/abs/2501.05441
    """

    log_names = ("d_loss", "g_loss", "r1", "r2")

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(32, 32, 3),
        latent_dim=64,
        gamma=1.0,
        decay_steps=None,
        finite_differences=None,
        **kwargs,
    ):
        if not is_number(gamma, 0.0) or gamma == 0.0:
            raise ConfigurationError(f"Expected a gamma above 0. Received: {gamma!r}.")
        if decay_steps is not None and not is_whole(decay_steps, 1):
            raise ConfigurationError(f"Expected decay_steps of 1 or more, or None. Received: {decay_steps!r}.")
        share = finite_differences
        if share is not None and not (is_number(share, 0.0) and 0.0 < share <= 1.0):
            raise ConfigurationError(f"Expected finite_differences in (0, 1], or None. Received: {share!r}.")
        if generator is None and discriminator is None:
            generator, discriminator = build_generator(image_shape, latent_dim), build_discriminator(image_shape)
        check_networks(generator, discriminator)
        super().__init__(generator=generator, discriminator=discriminator, **noise_to_images(generator), **kwargs)
        if discriminator is not None:
            refuse_batch_norm(discriminator)
        self.gamma, self.decay_steps, self.finite_differences = gamma, decay_steps, finite_differences

    def current_gamma(self):
        """gamma at this step: it falls along half a cosine to a tenth."""
        if self.decay_steps is None:
            return self.gamma
        return cosine_fall(self.gamma, self.gamma / FALL, self.step, self.decay_steps)

    def penalty(self, exact, images, training=True):
        """R1 or R2 at the images: exact, or estimated on a share of them."""

        def score(images):
            return self.score(images, training)

        if self.finite_differences is None:
            return exact(score, images)
        count = ops.cast(ops.ceil(self.finite_differences * ops.cast(ops.shape(images)[0], "float32")), "int32")
        some = images[:count]
        seeds = self.latent_seeds if training else self.evaluation_seeds
        return finite_difference_penalty(score, some, engine.normal(ops.shape(some), seeds))

    def loss_and_penalties(self, real, fake, training=True):
        """The discriminator's loss, and R1 and R2 in it without their weight: a vector of three."""
        r1, r2 = self.penalty(r1_penalty, real, training), self.penalty(r2_penalty, fake, training)
        game = relativistic_pairing_discriminator_loss(self.score(real, training), self.score(fake, training))
        return ops.stack([game + 0.5 * self.current_gamma() * (r1 + r2), r1, r2])

    def discriminator_loss(self, real, fake, training=True):
        return self.loss_and_penalties(real, fake, training)[0]

    def generator_loss(self, fake, real, training=True):
        return relativistic_pairing_generator_loss(self.score(real, training), self.score(fake, training))

    def train_step(self, data):
        for real in self.shares(self.encode_batch(data)["images"]):
            fake = self.generator(self.latents_like(real), training=True)
            d_loss, r1, r2 = ops.unstack(self.minimize("discriminator", self.loss_and_penalties, real, fake))
        fake = self.record(self.latents_like(real))
        g_loss = self.minimize("generator", lambda fake: self.generator_loss(fake, real), fake)
        return self.log(d_loss=d_loss, g_loss=g_loss, r1=r1, r2=r2)

    def batch_losses(self, images):
        fake = self.generator(self.latents_like(images, training=False), training=False)
        return {
            "d_loss": self.discriminator_loss(images, fake, training=False),
            "g_loss": self.generator_loss(fake, images, training=False),
        }

    def paper_optimizers(self):
        common = {"beta_1": 0.0, "epsilon": 1e-8}
        if self.decay_steps is None:
            return {player: FusedAdam(2e-4, beta_2=0.99, **common) for player in self.players}
        steps = {"generator": self.decay_steps, "discriminator": self.decay_steps * self.discriminator_steps}
        return {
            player: RisingAdam(
                keras.optimizers.schedules.CosineDecay(2e-4, count, alpha=0.25), rise_steps=count, **common
            )
            for player, count in steps.items()
        }
