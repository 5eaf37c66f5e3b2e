"""SAGAN: Zhang, Goodfellow, Metaxas and Odena, 2018, "Self-attention generative adversarial networks",
https://arxiv.org/abs/1805.08318; code: https://github.com/brain-research/self-attention-gan

Objective, for the discriminator d(x, y) = psi(phi(x)) + <V y, phi(x)>, where phi are an image's features, summed over
the map:
    discriminator: E[max(0, 1 - d(x, y))] + E[max(0, 1 + d(G(z, y), y))]
    generator:     -E[d(G(z, y), y)]
In both networks every kernel but those of the labels' gains and offsets is divided by its largest singular value.

Schedule: one update of the discriminator, then one of the generator, each on fresh noise. The discriminator learns four
times as fast: 4e-4 and 1e-4 (two time scales). Generated images have the labels of the real images of their batch.

Networks: residual blocks, in the generator with batch normalization whose gains and offsets depend on the label. Maps
of a middle size attend to themselves, see `keras_gans.layers.SelfAttention2D`.

Departures from the paper:
- generated images have the labels of their batch; the published code draws labels uniformly for them;
- the singular vectors move in each training pass; the published code moves the discriminator's with real images only;
- psi has no bias;
- labels may also be attributes, several classes at once or continuous values; V y and the gains are linear in the
  encoded label.
"""

import keras
from keras import layers

from keras_gans.fields import TEN_CLASSES, check_image_shape, check_label_space, noise_to_images
from keras_gans.layers import (
    ConditionalBatchNormalization,
    FusedBatchNormalization,
    SelfAttention2D,
    SpectralNormalization,
)
from keras_gans.losses import hinge_discriminator_loss, hinge_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks, labels_and_images
from keras_gans.networks.heads import image_values
from keras_gans.networks.residual import (
    attended_height,
    discriminator_block,
    doubling_widths,
    generator_block,
    projection_logits,
)
from keras_gans.optimizers import FusedAdam

ATTENTION = 32  # height of the published networks' maps that attend to themselves, in images of 128x128
NORM = {"momentum": 0.9, "epsilon": 1e-5}

# Networks


def _conv(filters, size, activated=True, **options):
    return SpectralNormalization(layers.Conv2D(filters, size, padding="same", **options))


def build_generator(
    image_shape=(32, 32, 3), latent_dim=128, *, base_filters=64, label_size=10, attention_height=None, overshoot=0.0
):
    """The generator: a small map whose size is doubled by residual blocks, while its channels are halved.

    Args:
        image_shape: (height, width, channels), both sizes even and 8 or more; 32x32 begins at 4x4, 28x28 at 7x7.
        latent_dim: size of the latents.
        base_filters: channels of the largest map; the smallest has up to 16 times as many.
        label_size: size of the encoded labels, on which every normalisation except the last depends.
        attention_height: height of the maps that attend to themselves, below the image's; None for half the image's,
            at most 32; 0 for none.
        overshoot: the tanh is multiplied by 1 + overshoot and clipped to [-1, 1], so that it reaches pure black and
            white.

    Returns:
        A Keras model, [(N, latent_dim), (N, label_size)] to (N, height, width, channels) in [-1, 1].

    Raises:
        ConfigurationError: sizes that cannot be halved, or an attention_height that no map has.
    """
    check_image_shape(image_shape)
    widths = doubling_widths(image_shape, base_filters)
    attended = attended_height(image_shape, attention_height, ATTENTION)
    sides = [side >> len(widths) for side in image_shape[:2]]
    latents, labels = keras.Input((latent_dim,), name="latents"), keras.Input((label_size,), name="labels")
    x = SpectralNormalization(layers.Dense(sides[0] * sides[1] * widths[0], name="project"))(latents)
    x = layers.Reshape((*sides, widths[0]), name="reshape")(x)
    for width in widths:
        x = SelfAttention2D(name="attention")(x) if x.shape[1] == attended else x
        x = generator_block(x, width, lambda x: ConditionalBatchNormalization(**NORM)([x, labels]), _conv)
    x = layers.ReLU()(FusedBatchNormalization(**NORM)(x))
    x = _conv(image_shape[-1], 3, name="to_image")(x)
    return keras.Model([latents, labels], image_values(x, overshoot), name="generator")


def build_discriminator(image_shape=(32, 32, 3), *, base_filters=64, label_size=10, attention_height=None):
    """The discriminator: residual blocks that halve the map to the generator's smallest, one more block, and a sum.

    Args:
        image_shape, label_size, attention_height: see `build_generator`.
        base_filters: channels of the first map; the last has up to 16 times as many.

    Returns:
        A Keras model, [labels (N, label_size), images] to logits (N, 1).

    Raises:
        ConfigurationError: see `build_generator`.
    """
    check_image_shape(image_shape)
    widths = doubling_widths(image_shape, base_filters)[::-1]
    attended = attended_height(image_shape, attention_height, ATTENTION)
    labels, images = keras.Input((label_size,), name="labels"), keras.Input(image_shape, name="images")
    x = images
    for i, width in enumerate(widths):
        x = discriminator_block(x, width, _conv, halve=True, first=i == 0)
        x = SelfAttention2D(name="attention")(x) if x.shape[1] == attended else x
    x = discriminator_block(x, widths[-1], _conv)
    return keras.Model([labels, images], projection_logits(x, labels), name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gans")
class SAGAN(AdversarialModel):
    """Conditional GAN whose maps attend to themselves, with spectral normalization in both networks.

    Args:
        generator, discriminator: networks. The generator takes [latents, labels], the discriminator [labels, images].
            With neither, the paper's residual networks for `image_shape`.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default generator.
        label_space: what the labels are: `kg.data.Classes`, `Attributes` or `Values`.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: sizes that cannot be halved, or networks that do not fit each other or the labels.

    Example:

    >>> gan = kg.SAGAN(
    ...     build_generator((16, 16, 3), base_filters=8, label_size=10),
    ...     build_discriminator((16, 16, 3), base_filters=8, label_size=10),
    ...     label_space=kg.data.Classes(10),
    ... )
    >>> gan.compile()
    >>> gan.generate(2, seed=0, labels=[1, 7]).shape
    (2, 16, 16, 3)

    Reference: Zhang et al., 2018, https://arxiv.org/abs/1805.08318
    """

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(32, 32, 3),
        latent_dim=128,
        label_space=TEN_CLASSES,
        **kwargs,
    ):
        size = check_label_space(label_space).size
        if generator is None and discriminator is None:
            generator = build_generator(image_shape, latent_dim, label_size=size)
            discriminator = build_discriminator(image_shape, label_size=size)
        check_networks(generator, discriminator, label_space=label_space, judged=labels_and_images)
        super().__init__(
            generator=generator,
            discriminator=discriminator,
            **noise_to_images(generator, label_space=label_space),
            **kwargs,
        )
        self.label_space = label_space

    @classmethod
    def for_data(cls, dataset, **options):
        return super().for_data(dataset, **{"label_space": dataset.label_space, **options})

    def discriminator_loss(self, real, fake, labels, training=True):
        """The loss on real and generated images with the same encoded labels."""
        return hinge_discriminator_loss(self.score([labels, real], training), self.score([labels, fake], training))

    def generator_loss(self, fake, labels, training=True):
        return hinge_generator_loss(self.score([labels, fake], training))

    def train_step(self, data):
        batch = self.encode_batch(data)
        for real, labels in self.shares(batch["images"], batch["labels"]):
            fake = self.generator([self.latents_like(real), labels], training=True)
            d_loss = self.minimize("discriminator", self.discriminator_loss, real, fake, labels)
        fake = self.record([self.latents_like(real), labels])
        g_loss = self.minimize("generator", lambda fake: self.generator_loss(fake, labels), fake)
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def batch_losses(self, images, labels):
        fake = self.generator([self.latents_like(images, training=False), labels], training=False)
        return {
            "d_loss": self.discriminator_loss(images, fake, labels, training=False),
            "g_loss": self.generator_loss(fake, labels, training=False),
        }

    def batch_scores(self, images, labels):
        fake = self.generator([self.latents_like(images, training=False), labels], training=False)
        return self.score([labels, images], training=False), self.score([labels, fake], training=False)

    def paper_optimizers(self):
        rates = {"generator": 1e-4, "discriminator": 4e-4}
        return {player: FusedAdam(rate, beta_1=0.0, beta_2=0.9) for player, rate in rates.items()}
