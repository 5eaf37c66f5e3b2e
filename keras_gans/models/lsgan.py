"""LSGAN: Mao, Li, Xie, Lau, Wang and Smolley, 2017, "Least squares generative adversarial networks",
https://arxiv.org/abs/1611.04076

Objective, for the targets a of generated images, b = 1 of real images, and c of the generator:
    discriminator: E[(d(x) - b)^2] / 2 + E[(d(G(z)) - a)^2] / 2
    generator:     E[(d(G(z)) - c)^2] / 2
The default is (a, c) = (0, 1). With (-1, 0), so that b - c = 1 and b - a = 2, the generator minimises Pearson's
chi-squared divergence between p_data + p_G and 2 p_G.

Schedule: as DCGAN's: the discriminator is updated on real and generated images in two batches, then the generator on
the same generated images. With `discriminator_steps=k` the batch is split among k discriminator updates.

Departures from the paper:
- networks: DCGAN's; the paper's for 112x112 scenes have more layers;
- optimizer: Adam with DCGAN's rate of 2e-4 and beta_1 of 0.5 for all data, our choice.
"""

import keras

from keras_gans.errors import ConfigurationError
from keras_gans.fields import noise_to_images
from keras_gans.losses import least_squares_discriminator_loss, least_squares_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans_core.checks import is_number


@keras.saving.register_keras_serializable(package="keras_gans")
class LSGAN(AdversarialModel):
    """Least squares GAN.

    Args:
        generator, discriminator: networks; with neither, DCGAN's for `image_shape` and `latent_dim`.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default generator.
        fake_target, generator_target: a and c. b is the variable `real_target`, which `LabelSmoothing` lowers.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: targets that are not finite numbers, or networks that do not fit each other.

    Example:

    >>> gan = kg.LSGAN(image_shape=(28, 28, 1), fake_target=-1.0, generator_target=0.0)
    >>> gan.compile()

    Reference: Mao et al., 2017, https://arxiv.org/abs/1611.04076
    """

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(64, 64, 3),
        latent_dim=100,
        fake_target=0.0,
        generator_target=1.0,
        **kwargs,
    ):
        for name, target in (("fake_target", fake_target), ("generator_target", generator_target)):
            if not is_number(target):
                raise ConfigurationError(f"Expected a {name} that is a finite number. Received: {target!r}.")
        if generator is None and discriminator is None:
            generator, discriminator = build_generator(image_shape, latent_dim), build_discriminator(image_shape)
        check_networks(generator, discriminator)
        super().__init__(generator=generator, discriminator=discriminator, **noise_to_images(generator), **kwargs)
        self.fake_target, self.generator_target = fake_target, generator_target
        self.real_target = self.add_weight(shape=(), initializer="ones", trainable=False, name="real_target")

    def discriminator_loss(self, real, fake, training=True):
        return least_squares_discriminator_loss(
            self.score(real, training), self.score(fake, training), self.real_target, self.fake_target
        )

    def generator_loss(self, fake, training=True):
        return least_squares_generator_loss(self.score(fake, training), self.generator_target)

    def train_step(self, data):
        for real in self.shares(self.encode_batch(data)["images"]):
            fake = self.record(self.latents_like(real))
            d_loss = self.minimize("discriminator", self.discriminator_loss, real, fake.outputs)
        g_loss = self.minimize("generator", self.generator_loss, fake)
        return self.log(d_loss=d_loss, g_loss=g_loss)
