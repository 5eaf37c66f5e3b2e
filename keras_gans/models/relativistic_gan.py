"""Relativistic GANs: Jolicoeur-Martineau, 2018, "The relativistic discriminator: a key element missing from standard
GAN", https://arxiv.org/abs/1807.00734

Objective, for logits d, real images x and generated images G(z), with means over the batch:
    average:  discriminator: E[softplus(-(d(x) - E d(G(z))))] + E[softplus(d(G(z)) - E d(x))]
              generator:     the same with d(x) and d(G(z)) swapped
    pairing:  discriminator: E[softplus(-(d(x_i) - d(G(z_i))))]
              generator:     E[softplus(-(d(G(z_i)) - d(x_i)))]
The discriminator says which images are more real than others, so both losses need real images.

Schedule: the discriminator is updated on real and generated images in two batches, then the generator on the same
images. With `discriminator_steps=k` the batch is split among k discriminator updates.

Departures from the paper and its author's code:
- the average form is the sum of two halves, as in the paper; the code divides by two, to which Adam is indifferent;
- the generator's update uses the last batch of the discriminator; the code draws fresh images and latents;
- networks: DCGAN's, as in the paper's experiments with high resolutions; those for 32x32 have spectral normalization.
"""

import keras

from keras_gans.errors import ConfigurationError
from keras_gans.fields import noise_to_images
from keras_gans.losses import (
    relativistic_average_discriminator_loss,
    relativistic_average_generator_loss,
    relativistic_pairing_discriminator_loss,
    relativistic_pairing_generator_loss,
)
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks
from keras_gans.networks.dcgan import build_discriminator, build_generator


@keras.saving.register_keras_serializable(package="keras_gans")
class RelativisticGAN(AdversarialModel):
    """Relativistic GAN, in the average form (RaSGAN) or the pairing form (RSGAN).

    Args:
        generator, discriminator: networks; with neither, DCGAN's for `image_shape` and `latent_dim`.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default generator.
        pairing: whether each real image is compared with one generated image instead of with their mean logit. This is
            the form of R3GAN (https://arxiv.org/abs/2501.05441).
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: a `pairing` that is not a boolean, or networks that do not fit each other.

    Example:

    >>> gan = kg.RelativisticGAN(image_shape=(28, 28, 1), pairing=True)
    >>> gan.compile()

    Reference: Jolicoeur-Martineau, 2018, https://arxiv.org/abs/1807.00734
    """

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(64, 64, 3),
        latent_dim=100,
        pairing=False,
        **kwargs,
    ):
        if not isinstance(pairing, bool):
            raise ConfigurationError(f"Expected pairing to be True or False. Received: {pairing!r}.")
        if generator is None and discriminator is None:
            generator, discriminator = build_generator(image_shape, latent_dim), build_discriminator(image_shape)
        check_networks(generator, discriminator)
        super().__init__(generator=generator, discriminator=discriminator, **noise_to_images(generator), **kwargs)
        self.pairing = pairing

    def discriminator_loss(self, real, fake, training=True):
        loss = relativistic_pairing_discriminator_loss if self.pairing else relativistic_average_discriminator_loss
        return loss(self.score(real, training), self.score(fake, training))

    def generator_loss(self, fake, real, training=True):
        loss = relativistic_pairing_generator_loss if self.pairing else relativistic_average_generator_loss
        return loss(self.score(real, training), self.score(fake, training))

    def train_step(self, data):
        for real in self.shares(self.encode_batch(data)["images"]):
            fake = self.record(self.latents_like(real))
            d_loss = self.minimize("discriminator", self.discriminator_loss, real, fake.outputs)
        g_loss = self.minimize("generator", lambda fake: self.generator_loss(fake, real), fake)
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def batch_losses(self, images):
        fake = self.generator(self.latents_like(images, training=False), training=False)
        return {
            "d_loss": self.discriminator_loss(images, fake, training=False),
            "g_loss": self.generator_loss(fake, images, training=False),
        }
