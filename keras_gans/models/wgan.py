"""WGAN: Arjovsky, Chintala and Bottou, 2017, "Wasserstein GAN", https://arxiv.org/abs/1701.07875

Objective:
    distance:  W(p_data, p_G) = sup over 1-Lipschitz f of  E[f(x)] - E[f(G(z))]
    critic:    E[f(G(z))] - E[f(x)]     with every trainable weight of f clipped to [-clip, clip]
    generator: -E[f(G(z))]

While the critic is near its best, -d_loss, of a step's last update, estimates the distance, up to the Lipschitz
constant that clipping allows.

Schedule (algorithm 1): `discriminator_steps` updates of the critic, each on fresh images and fresh noise and each
followed by clipping; then one update of the generator on fresh noise. A batch is dealt out among the critic's updates:
a batch size of 5 * 64 is the paper's 64.

Departures from the paper:
- clipping follows the update, as in algorithm 1; the published code clips before it, so that the generator there is
  scored by weights outside the range;
- the published code updates the critic 100 times for each of the generator's first 25 steps and for every 500th; that
  schedule is not offered: as in algorithm 1 it is always `discriminator_steps` times;
- the published networks start from a transposed convolution instead of a dense layer, and batch norm follows it per
  channel, not per unit.
"""

import keras

from keras_gans.data.checks import is_number
from keras_gans.errors import ConfigurationError
from keras_gans.losses import wasserstein_discriminator_loss, wasserstein_generator_loss
from keras_gans.model import PLAYERS, AdversarialModel
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.penalties import clip_weights


@keras.saving.register_keras_serializable(package="keras_gans")
class WGAN(AdversarialModel):
    """Wasserstein GAN with weight clipping.

    Args:
        generator, discriminator: networks, the discriminator a critic that ends in one number without bounds; with
            neither, DCGAN's for `image_shape` and `latent_dim`, with kernels of 4.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default generator.
        clip: bound of the critic's trainable weights, batch norm's included; above 0.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: a bound that is not positive, or networks that do not fit each other.

    Example:

    >>> gan = kg.WGAN(image_shape=(28, 28, 1), clip=0.02)
    >>> gan.compile()
    >>> gan.discriminator_steps
    5

    Reference: Arjovsky et al., 2017, https://arxiv.org/abs/1701.07875
    """

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(64, 64, 3),
        latent_dim=100,
        clip=0.01,
        discriminator_steps=5,
        **kwargs,
    ):
        if not is_number(clip, 0.0) or clip == 0.0:
            raise ConfigurationError(f"Expected a clip above 0. Received: {clip!r}.")
        if generator is None and discriminator is None:
            generator = build_generator(image_shape, latent_dim, kernel_size=4)
            discriminator = build_discriminator(image_shape, kernel_size=4)
        super().__init__(generator, discriminator, discriminator_steps=discriminator_steps, **kwargs)
        self.clip = float(clip)

    def discriminator_loss(self, real, fake, training=True):
        return wasserstein_discriminator_loss(self.score(real, training), self.score(fake, training))

    def generator_loss(self, fake, training=True):
        return wasserstein_generator_loss(self.score(fake, training))

    def constrain(self, player):
        if player == "discriminator":
            clip_weights(self.discriminator.trainable_variables, self.clip)

    def train_step(self, data):
        real = self.real_images(data)
        k = self.discriminator_steps
        for i in range(k):
            share = real[i::k]
            fake = self.generator(self.latents_like(share), training=True)
            d_loss = self.minimize("discriminator", self.discriminator_loss, share, fake)  # then clips: `constrain`
        g_loss = self.minimize("generator", self.generator_loss, self.play(self.latents_like(share)))
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def paper_optimizers(self):
        # Without momentum: the clipped critic's loss is not stationary (section 4). rho and epsilon are those of
        # PyTorch's RMSprop, which the published code takes (from general knowledge: unconfirmed), but that Keras adds
        # epsilon under the root: its own 1e-7 is a floor of 3e-4 below gradients that clipping makes far smaller.
        return {player: keras.optimizers.RMSprop(5e-5, rho=0.99, epsilon=1e-16) for player in PLAYERS}

    def get_config(self):
        return {**super().get_config(), "clip": self.clip}
