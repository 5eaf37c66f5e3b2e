"""SNGAN: Miyato, Kataoka, Koyama and Yoshida, 2018, "Spectral normalization for generative adversarial networks",
https://arxiv.org/abs/1802.05957

Objective:
    discriminator: E[max(0, 1 - d(x))] + E[max(0, 1 + d(G(z)))]     every kernel W of d divided by its largest
    generator:     -E[d(G(z))]                                      singular value
The singular values are estimated by one step of the power method each time the discriminator scores in training; see
`keras_gans.layers.SpectralNormalization`.

Schedule: `discriminator_steps` updates of the discriminator, each on fresh images and fresh noise; then one update of
the generator on fresh noise. A batch is split among the discriminator's updates, so the paper's batch size of 64 is
5 * 64 here.

Departures from the paper:
- the published code updates the generator before the discriminator, with a batch of 128 for the generator; here both
  batches have the same size;
- images are x / 127.5 - 1; the published code has x / 128 - 1 with noise from U[0, 1 / 128];
- sizes other than 32x32 keep one width in all blocks; the paper's networks for larger images vary it.
"""

import keras

from keras_gans.fields import noise_to_images
from keras_gans.losses import hinge_discriminator_loss, hinge_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks
from keras_gans.networks.residual import build_discriminator, build_generator
from keras_gans.optimizers import FusedAdam

UPDATES = 50_000  # generator updates over which the published code's learning rate falls to zero


@keras.saving.register_keras_serializable(package="keras_gans")
class SNGAN(AdversarialModel):
    """Spectrally normalized GAN with the hinge loss.

    The learning rate of `compile()`'s optimizers falls linearly from 2e-4 to zero at the paper's 50 000th update of the
    generator. Nothing is learned after that, so pass other optimizers for a longer run.

    Args:
        generator, discriminator: networks; with neither, the paper's for CIFAR-10, for `image_shape`. In the
            discriminator `keras_gans.layers.SpectralNormalization` should wrap every layer with a kernel.
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
        check_networks(generator, discriminator)
        super().__init__(
            generator=generator,
            discriminator=discriminator,
            discriminator_steps=discriminator_steps,
            **noise_to_images(generator),
            **kwargs,
        )

    def discriminator_loss(self, real, fake, training=True):
        return hinge_discriminator_loss(self.score(real, training), self.score(fake, training))

    def generator_loss(self, fake, training=True):
        return hinge_generator_loss(self.score(fake, training))

    def train_step(self, data):
        for real in self.shares(self.encode_batch(data)["images"]):
            fake = self.generator(self.latents_like(real), training=True)
            d_loss = self.minimize("discriminator", self.discriminator_loss, real, fake)
        g_loss = self.minimize("generator", self.generator_loss, self.record(self.latents_like(real)))
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def paper_optimizers(self):
        updates = {"generator": UPDATES, "discriminator": UPDATES * self.discriminator_steps}
        return {
            player: FusedAdam(
                keras.optimizers.schedules.PolynomialDecay(2e-4, count, end_learning_rate=0.0), beta_1=0.0, beta_2=0.9
            )
            for player, count in updates.items()
        }
