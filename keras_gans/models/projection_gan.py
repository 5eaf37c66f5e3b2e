"""Projection discriminator: Miyato and Koyama, 2018, "cGANs with projection discriminator",
https://arxiv.org/abs/1802.05637; code: https://github.com/pfnet-research/sngan_projection

Objective, for the discriminator d(x, y) = psi(phi(x)) + <V y, phi(x)>, where phi are the features of an image, summed
over the map, psi is linear and V embeds the label, every kernel spectrally normalized:
    discriminator: E[max(0, 1 - d(x, y))] + E[max(0, 1 + d(G(z, y), y))]
    generator:     -E[d(G(z, y), y)]
The generator's batch normalization has gains and offsets that follow the label.

Schedule: as of SNGAN: `discriminator_steps` updates of the discriminator, each on fresh images and fresh noise, then
one update of the generator on fresh noise. Generated images have the labels of the real images of their batch.

Departures from the paper:
- the published code updates the generator at the first of an iteration's discriminator updates; here it comes last, on
  as many images as one of those has;
- generated images have their batch's labels; the published code draws theirs uniformly and apart;
- the generator's batch is as large as the discriminator's; the published code's is 128;
- images are x / 127.5 - 1; the published code has x / 128 - 1 with noise from U[0, 1 / 128];
- sizes other than 32x32 keep one width in all blocks;
- attributes, several classes at once and continuous labels are this library's: V y and the gains are linear in the
  encoded label.
"""

import keras

from keras_gans.data import label_space_of
from keras_gans.data.label_spaces import TEN_CLASSES, check_label_space
from keras_gans.losses import hinge_discriminator_loss, hinge_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.residual import build_discriminator, build_generator
from keras_gans.optimizers import FusedAdam

UPDATES = 50_000  # of the generator, over which the published code's learning rate falls to zero


@keras.saving.register_keras_serializable(package="keras_gans")
class ProjectionGAN(AdversarialModel):
    """Conditional GAN whose discriminator projects the label onto its features.

    The rate of `compile()`'s optimizers falls linearly from 2e-4 to zero at the 50 000th update of the generator, as
    SNGAN's: a longer run needs optimizers of its own.

    Args:
        generator, discriminator: networks, the generator of [latents, labels], the discriminator of [labels, images];
            with neither, the paper's residual ones in the size of `image_shape`.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default generator.
        label_space: what the labels are: `kg.data.Classes`, `Attributes` or `Values`.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: sizes that cannot be halved, or networks that do not fit each other or the labels.

    Example:

    >>> gan = kg.ProjectionGAN(
    ...     build_generator((16, 16, 3), base_filters=16, label_size=10),
    ...     build_discriminator((16, 16, 3), base_filters=8, label_size=10),
    ...     label_space=kg.data.Classes(10),
    ... )
    >>> gan.compile()
    >>> gan.generate(2, seed=0, labels=[1, 7]).shape
    (2, 16, 16, 3)

    Reference: Miyato and Koyama, 2018, https://arxiv.org/abs/1802.05637
    """

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(32, 32, 3),
        latent_dim=128,
        label_space=TEN_CLASSES,
        discriminator_steps=5,
        **kwargs,
    ):
        size = check_label_space(label_space).size
        if generator is None and discriminator is None:
            generator = build_generator(image_shape, latent_dim, label_size=size)
            discriminator = build_discriminator(image_shape, label_size=size)
        super().__init__(
            generator, discriminator, label_space=label_space, discriminator_steps=discriminator_steps, **kwargs
        )

    @classmethod
    def for_data(cls, dataset, **options):
        return super().for_data(dataset, **{"label_space": label_space_of(dataset.labels), **options})

    def judged_shapes(self, generator):
        return [generator.input_shape[1][1:], generator.output_shape[1:]]

    def discriminator_loss(self, real, fake, labels, training=True):
        """Of real and generated images with the same encoded labels."""
        return hinge_discriminator_loss(self.score([labels, real], training), self.score([labels, fake], training))

    def generator_loss(self, fake, labels, training=True):
        return hinge_generator_loss(self.score([labels, fake], training))

    def train_step(self, data):
        images, asked = self.real_images(data), self.conditions(data)
        k = self.discriminator_steps
        for i in range(k):
            real, labels = images[i::k], asked[i::k]
            fake = self.generator([self.latents_like(real), labels], training=True)
            d_loss = self.minimize("discriminator", self.discriminator_loss, real, fake, labels)
        played = self.play([self.latents_like(real), labels])
        g_loss = self.minimize("generator", lambda fake: self.generator_loss(fake, labels), played)
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def paper_optimizers(self):
        updates = {"generator": UPDATES, "discriminator": UPDATES * self.discriminator_steps}
        return {
            player: FusedAdam(
                keras.optimizers.schedules.PolynomialDecay(2e-4, count, end_learning_rate=0.0), beta_1=0.0, beta_2=0.9
            )
            for player, count in updates.items()
        }
