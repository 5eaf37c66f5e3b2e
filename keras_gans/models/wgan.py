"""WGAN: Arjovsky, Chintala and Bottou, 2017, "Wasserstein GAN", https://arxiv.org/abs/1701.07875

Objective:
    distance:  W(p_data, p_G) = sup over 1-Lipschitz f of  E[f(x)] - E[f(G(z))]
    critic:    E[f(G(z))] - E[f(x)]     with every trainable weight of f clipped to [-clip, clip]
    generator: -E[f(G(z))]

While the critic is near its optimum, -d_loss of a step's last update estimates the distance, up to the Lipschitz
constant that clipping allows.

Schedule (algorithm 1): `discriminator_steps` updates of the critic, each on fresh images and fresh noise and each
followed by clipping; then one update of the generator on fresh noise. A batch is split among the critic's updates, so
the paper's batch size of 64 is 5 * 64 here.

Departures from the paper:
- weights are clipped after the update, as in algorithm 1; the published code clips before it, so its generator is
  scored by weights outside the range;
- the critic is updated `discriminator_steps` times in every step, as in algorithm 1; the published code updates it 100
  times in each of the generator's first 25 steps and in every 500th;
- the published generator starts with a transposed convolution, normalised per channel; ours starts with a dense layer,
  normalised per unit;
- optimizer: RMSprop with rho 0.99, the default of PyTorch, which the published code uses. Keras adds epsilon under the
  root, so its default of 1e-7 would act like a floor of 3e-4 below gradients; clipping makes them far smaller than
  that, and epsilon is 1e-16 here.
"""

import keras

from keras_gans.errors import ConfigurationError
from keras_gans.fields import noise_to_images
from keras_gans.losses import wasserstein_discriminator_loss, wasserstein_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.penalties import clip_weights
from keras_gans_core.checks import is_number


@keras.saving.register_keras_serializable(package="keras_gans")
class WGAN(AdversarialModel):
    """Wasserstein GAN with weight clipping.

    Args:
        generator, discriminator: networks; with neither, DCGAN's for `image_shape` and `latent_dim`, with kernels of 4.
            The discriminator is a critic: it ends in one unbounded number.
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
        check_networks(generator, discriminator)
        super().__init__(
            generator=generator,
            discriminator=discriminator,
            discriminator_steps=discriminator_steps,
            **noise_to_images(generator),
            **kwargs,
        )
        self.clip = float(clip)
        self.after_step["discriminator"]["clip"] = lambda: clip_weights(
            self.discriminator.trainable_variables, self.clip
        )

    def discriminator_loss(self, real, fake, training=True):
        return wasserstein_discriminator_loss(self.score(real, training), self.score(fake, training))

    def generator_loss(self, fake, training=True):
        return wasserstein_generator_loss(self.score(fake, training))

    def train_step(self, data):
        for real in self.shares(self.encode_batch(data)["images"]):
            fake = self.generator(self.latents_like(real), training=True)
            d_loss = self.minimize("discriminator", self.discriminator_loss, real, fake)  # then clips: `after_step`
        g_loss = self.minimize("generator", self.generator_loss, self.record(self.latents_like(real)))
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def paper_optimizers(self):
        # Without momentum, because the clipped critic's loss is not stationary (section 4).
        return {player: keras.optimizers.RMSprop(5e-5, rho=0.99, epsilon=1e-16) for player in self.players}
