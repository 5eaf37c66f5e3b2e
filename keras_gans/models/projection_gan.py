"""Projection discriminator: Miyato and Koyama, 2018, "cGANs with projection discriminator",
https://arxiv.org/abs/1802.05637; code: https://github.com/pfnet-research/sngan_projection

Objective, for the discriminator d(x, y) = psi(phi(x)) + <V y, phi(x)>. phi are the features of an image, summed over
the map; psi is linear, V embeds the label, and every kernel is spectrally normalized:
    discriminator: E[max(0, 1 - d(x, y))] + E[max(0, 1 + d(G(z, y), y))]
    generator:     -E[d(G(z, y), y)]
The gains and offsets of the generator's batch normalization depend on the label.

Schedule: as SNGAN's: `discriminator_steps` updates of the discriminator, each on fresh images and fresh noise, then
one update of the generator on fresh noise. Generated images have the labels of the real images of their batch.

Departures from the paper:
- the published code updates the generator at the first of an iteration's discriminator updates; here its update comes
  last;
- generated images have the labels of their batch; the published code draws labels uniformly for them;
- the generator's batch is as large as the discriminator's; the published code's is 128;
- images are x / 127.5 - 1; the published code has x / 128 - 1 with noise from U[0, 1 / 128];
- sizes other than 32x32 keep one width in all blocks;
- labels may also be attributes, several classes at once or continuous values; V y and the gains are linear in the
  encoded label.
"""

import keras

from keras_gans.fields import TEN_CLASSES, check_label_space, noise_to_images
from keras_gans.losses import hinge_discriminator_loss, hinge_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks, labels_and_images
from keras_gans.networks.residual import build_discriminator, build_generator
from keras_gans.optimizers import FusedAdam

UPDATES = 50_000  # generator updates over which the published code's learning rate falls to zero


@keras.saving.register_keras_serializable(package="keras_gans")
class ProjectionGAN(AdversarialModel):
    """Conditional GAN whose discriminator projects the label onto its features.

    The learning rate of `compile()`'s optimizers falls linearly from 2e-4 to zero at the 50 000th update of the
    generator, as in SNGAN. Pass other optimizers for a longer run.

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
        check_networks(generator, discriminator, label_space=label_space, judged=labels_and_images)
        super().__init__(
            generator=generator,
            discriminator=discriminator,
            discriminator_steps=discriminator_steps,
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
        updates = {"generator": UPDATES, "discriminator": UPDATES * self.discriminator_steps}
        return {
            player: FusedAdam(
                keras.optimizers.schedules.PolynomialDecay(2e-4, count, end_learning_rate=0.0), beta_1=0.0, beta_2=0.9
            )
            for player, count in updates.items()
        }
