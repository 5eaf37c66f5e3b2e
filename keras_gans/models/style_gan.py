"""StyleGAN: Karras, Laine and Aila, 2019, "A style-based generator architecture for generative adversarial networks",
https://arxiv.org/abs/1812.04948; code: https://github.com/NVlabs/stylegan

A mapping network turns latents z into styles w. Each layer of the generator normalises its maps and gives them the mean
and the deviation that its style says.

Objective, for logits d:
    discriminator: E[softplus(-d(x))] + E[softplus(d(G(w)))] + gamma / 2 E[|grad d(x)|^2]
    generator:     E[softplus(-d(G(w)))]
R1, the penalty at real images, is taken at every update.

Schedule: the discriminator is updated, then the generator, each on latents and noise maps of its own. With
`discriminator_steps=k` the batch is split among k discriminator updates.

Networks: a learned map, and two layers at each size. A layer is a convolution (the first has none), noise with a
strength for each channel, a bias, a leaky rectifier, and adaptive instance normalization by the layer's style. The
filter [1, 3, 3, 1] resamples. The discriminator is ProGAN's with that filter. See `MappedModel` for style mixing, the
average of styles and truncation.

Departures from the paper:
- the networks do not grow; in the paper they begin at 8x8. For growing see `ProGAN`;
- maps are enlarged before the convolution by the filter [1, 3, 3, 1]. In the code pixels are repeated before it and the
  filter [1, 2, 1] comes after it, which together are that filter; at borders the order makes a difference;
- the learned map begins as N(0, 1), as StyleGAN2's. The code begins with ones, whose deviation is 0: the first
  normalization would divide by the root of 1e-8, and its gradients would be 10,000 times too large. It has no bias of
  its own, which would be a part of it;
- noise maps are constant outside of training, as in the authors' pictures; for their metrics they draw them;
- the moving average of the weights is the base's, with one decay;
- the learning rate is 1e-3 at all sizes; the code raises it from 128x128 on to up to 3e-3;
- the default networks are small: `widths`, `style_dim` and `depth` of the builders make those of the paper;
- images are not mirrored at random; no labels.
"""

import keras
from keras import layers, ops

from keras_gans.errors import ConfigurationError
from keras_gans.layers import (
    AdaptiveInstanceNormalization,
    EqualizedConv2D,
    EqualizedDense,
    FIRDownsampling2D,
    FIRUpsampling2D,
    LearnedConstant,
    MinibatchStandardDeviation,
    NoiseInjection,
)
from keras_gans.losses import non_saturating_discriminator_loss, non_saturating_generator_loss
from keras_gans.mapped import MappedModel
from keras_gans.networks.doubling import checked_widths, doubled_sides
from keras_gans.networks.mapping import build_mapping
from keras_gans.optimizers import FusedAdam
from keras_gans.penalties import r1_penalty, refuse_batch_norm
from keras_gans_core.checks import is_number, is_whole


def default_width(side):
    """Channels of maps: 64 up to 16x16, half as many whenever the side doubles, 8 at least."""
    return max(8, min(64, 1024 // side))


# Networks


def build_generator(image_shape, style_dim=64, *, widths=None):
    """The generator: a learned map, doubled to the images' size, with two styled layers at each.

    Args:
        image_shape: (height, width, channels), both sizes 4 to 7 times one power of two; 32x32 begins at 4x4.
        style_dim: size of the styles.
        widths: channels at each size, the smallest first; None for 64 up to 16x16 and half as many at each larger one.
            The paper has 512 up to 32x32.

    Returns:
        A Keras model of [styles (N, layers, style_dim), noise maps (N, height, width, 1), ...] to images. It has two
        styles and two noise maps for each size. Nothing bounds its images.

    Raises:
        ConfigurationError: sizes that cannot be made by doubling, or widths that do not fit them.
    """
    sides = doubled_sides(image_shape)
    widths = checked_widths(sides, widths, default_width)
    if not is_whole(style_dim, 1):
        raise ConfigurationError(f"Expected a style_dim of 1 or more. Received: {style_dim!r}.")
    styles = keras.Input((2 * len(sides), style_dim), name="styles")
    each, maps = ops.unstack(styles, 2 * len(sides), axis=1), []

    def styled(x, i):
        """The end of layer i: noise, a rectifier, and the layer's style. The bias is the convolution's."""
        maps.append(keras.Input((*x.shape[1:3], 1), name=f"noise{i}"))
        x = NoiseInjection(per_channel=True, name=f"noisy{i}")([x, maps[-1]])
        x = layers.LeakyReLU(0.2, name=f"act{i}")(x)
        scale, offset = (
            EqualizedDense(x.shape[-1], gain=1.0, bias_initializer=bias, name=f"{name}{i}")(each[i])
            for name, bias in (("scale", "ones"), ("offset", "zeros"))
        )
        return AdaptiveInstanceNormalization(name=f"styled{i}")([x, scale, offset])

    x = styled(LearnedConstant((*sides[0], widths[0]), name="constant")(each[0]), 0)
    for stage, width in enumerate(widths):
        if stage > 0:
            x = FIRUpsampling2D(name=f"double{stage}")(x)
            x = styled(EqualizedConv2D(width, 3, name=f"conv{2 * stage}")(x), 2 * stage)
        x = styled(EqualizedConv2D(width, 3, name=f"conv{2 * stage + 1}")(x), 2 * stage + 1)
    images = EqualizedConv2D(image_shape[-1], 1, gain=1.0, dtype="float32", name="images")(x)
    return keras.Model([styles, *maps], images, name="generator")


def build_discriminator(image_shape, *, widths=None, group_size=4):
    """The discriminator: two convolutions at each size, filters that halve the map, the minibatch standard deviation.

    Args:
        image_shape, widths: see `build_generator`.
        group_size: of the minibatch standard deviation.

    Returns:
        A Keras model, images to logits (N, 1).

    Raises:
        ConfigurationError: see `build_generator`.
    """
    sides = doubled_sides(image_shape)
    widths = checked_widths(sides, widths, default_width)

    def activated(x, name):
        return layers.LeakyReLU(0.2, name=f"{name}_act")(x)

    images = keras.Input(image_shape, name="images")
    x = activated(EqualizedConv2D(widths[-1], 1, name="from_image")(images), "from_image")
    for stage in range(len(sides) - 1, 0, -1):
        x = activated(EqualizedConv2D(widths[stage], 3, name=f"conv{stage}_0")(x), f"conv{stage}_0")
        x = FIRDownsampling2D(name=f"halve{stage}")(EqualizedConv2D(widths[stage - 1], 3, name=f"conv{stage}_1")(x))
        x = activated(x, f"conv{stage}_1")
    x = MinibatchStandardDeviation(group_size, name="deviation")(x)
    x = layers.Flatten(name="flat")(activated(EqualizedConv2D(widths[0], 3, name="conv0")(x), "conv0"))
    x = activated(EqualizedDense(widths[0], name="dense")(x), "dense")
    logits = EqualizedDense(1, gain=1.0, dtype="float32", name="logits")(x)
    return keras.Model(images, logits, name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gans")
class StyleGAN(MappedModel):
    """StyleGAN: a mapped latent space, adaptive instance normalization, noise maps, truncation.

    In the logs, `d_loss` is the discriminator's whole loss at the last of a step's updates, and `r1` is the penalty in
    it without its weight. On several devices the minibatch standard deviation and style mixing are those of a device's
    share of the batch.

    Args:
        generator, discriminator, mapping: networks, see `MappedModel`, a discriminator without batch normalization.
            With none of them, small ones for `image_shape`, with eight mapping layers.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default mapping, and the size of its styles.
        gamma: weight of R1, 0 or more. It depends on the data: larger is more stable and less diverse, and small images
            need less than the paper's 10.
        mixing, style_decay: see `MappedModel`.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: numbers out of range, sizes that cannot be made by doubling, a discriminator with batch
            normalization, or networks that do not fit each other.

    Example:

    >>> widths = (8, 8, 4)
    >>> gan = kg.StyleGAN(
    ...     build_generator((16, 16, 3), 8, widths=widths),
    ...     build_discriminator((16, 16, 3), widths=widths),
    ...     build_mapping(8, 8, depth=2),
    ... )
    >>> gan.compile()
    >>> gan.generate(4, seed=0, truncation_psi=0.7, truncation_cutoff=4).shape
    (4, 16, 16, 3)

    Reference: Karras et al., 2019, https://arxiv.org/abs/1812.04948
    """

    log_names = ("d_loss", "g_loss", "r1")

    def __init__(
        self,
        generator=None,
        discriminator=None,
        mapping=None,
        *,
        image_shape=(64, 64, 3),
        latent_dim=64,
        gamma=10.0,
        **kwargs,
    ):
        if not is_number(gamma, 0.0):
            raise ConfigurationError(f"Expected a gamma of 0 or more. Received: {gamma!r}.")
        if generator is None and discriminator is None and mapping is None:
            generator, discriminator = build_generator(image_shape, latent_dim), build_discriminator(image_shape)
            mapping = build_mapping(latent_dim, latent_dim)
        super().__init__(generator=generator, discriminator=discriminator, mapping=mapping, **kwargs)
        if discriminator is not None:
            refuse_batch_norm(discriminator)
        self.gamma = gamma

    def loss_and_penalty(self, real, fake, training=True):
        """The discriminator's loss, and R1 in it without its weight: a vector of two."""
        penalty = r1_penalty(lambda images: self.score(images, training), real)
        game = non_saturating_discriminator_loss(self.score(real, training), self.score(fake, training))
        return ops.stack([game + 0.5 * self.gamma * penalty, penalty])

    def discriminator_loss(self, real, fake, training=True):
        return self.loss_and_penalty(real, fake, training)[0]

    def generator_loss(self, fake, training=True):
        return non_saturating_generator_loss(self.score(fake, training))

    def train_step(self, data):
        for real in self.shares(self.encode_batch(data)["images"]):
            fake = self.images_from(self.draws_like(real))
            d_loss, r1 = ops.unstack(self.minimize("discriminator", self.loss_and_penalty, real, fake), 2)
        g_loss = self.minimize("generator", self.generator_loss, self.record(self.draws_like(real)))
        return self.log(d_loss=d_loss, g_loss=g_loss, r1=r1)

    def paper_optimizers(self):
        return {player: FusedAdam(1e-3, beta_1=0.0, beta_2=0.99, epsilon=1e-8) for player in self.players}
