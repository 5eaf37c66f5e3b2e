"""DRAGAN: Kodali, Abernethy, Hays and Kira, 2017, "On convergence and stability of GANs",
https://arxiv.org/abs/1705.07215

Objective:
    discriminator: E[softplus(-d(x))] + E[softplus(d(G(z)))] + gp_weight E[(|grad d(x')|_2 - 1)^2]     (d: logit)
    generator:     E[softplus(-d(G(z)))]                                                          (non-saturating)
with x' = x + e (std / 2) u near the data: e ~ U[0, 1] once for each image, u ~ U[0, 1] for each pixel, and std the
standard deviation of all pixels of the update's batch.

Schedule: the discriminator is updated on real and generated images in two batches, then the generator on fresh noise,
1:1. With `discriminator_steps=k` the batch is split among k discriminator updates, each with its own latents.

Departures from the paper:
- the penalty's points, the optimizers and the schedule follow the authors' code (kodalinaveen3/DRAGAN), not the paper's
  text;
- networks: DCGAN's, without batch normalization in the discriminator; in the authors' code each player has one hidden
  layer;
- images are in [-1, 1]; the code has [0, 1], where the same function of the pixels has twice the slope;
- prior: normal; the authors' code draws from U(-1, 1).
"""

import keras
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans.fields import noise_to_images
from keras_gans.losses import non_saturating_discriminator_loss, non_saturating_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.optimizers import FusedAdam
from keras_gans.penalties import dragan_penalty
from keras_gans_core.checks import is_number


@keras.saving.register_keras_serializable(package="keras_gans")
class DRAGAN(AdversarialModel):
    """Deep regret analytic GAN: a discriminator whose gradient has a norm near one around the data.

    In the logs, `d_loss` is the discriminator's whole loss at the last of a step's updates, and `gp` is the penalty in
    that loss without its weight.

    Args:
        generator, discriminator: networks; with neither, DCGAN's for `image_shape` and `latent_dim`. The discriminator
            should have no batch normalization, because the penalty treats the images independently.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default generator.
        gp_weight: weight of the penalty, 0 or more.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: a negative weight, sizes that cannot be halved, or networks that do not fit each other.

    Example:

    >>> gan = kg.DRAGAN(image_shape=(28, 28, 1), gp_weight=5.0)
    >>> gan.compile()
    >>> gan.generate(4, seed=0).shape
    (4, 28, 28, 1)

    Reference: Kodali et al., 2017, https://arxiv.org/abs/1705.07215
    """

    log_names = ("d_loss", "g_loss", "gp")

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(64, 64, 3),
        latent_dim=100,
        gp_weight=10.0,
        **kwargs,
    ):
        if not is_number(gp_weight, 0.0):
            raise ConfigurationError(f"Expected a gp_weight of 0 or more. Received: {gp_weight!r}.")
        if generator is None and discriminator is None:
            generator = build_generator(image_shape, latent_dim)
            discriminator = build_discriminator(image_shape, batch_norm=False)
        check_networks(generator, discriminator)
        super().__init__(generator=generator, discriminator=discriminator, **noise_to_images(generator), **kwargs)
        self.gp_weight = gp_weight
        self.real_target = self.add_weight(shape=(), initializer="ones", trainable=False, name="real_target")

    def loss_and_penalty(self, real, fake, training=True):
        """The discriminator's loss, and the penalty in it without the weight: a vector of two."""
        noise, share = self.uniform(ops.shape(real), training), self.uniform_like(real, training)
        penalty = dragan_penalty(lambda images: self.score(images, training), real, noise, share)
        adversarial = non_saturating_discriminator_loss(
            self.score(real, training), self.score(fake, training), self.real_target
        )
        return ops.stack([adversarial + self.gp_weight * penalty, penalty])

    def discriminator_loss(self, real, fake, training=True):
        return self.loss_and_penalty(real, fake, training)[0]

    def generator_loss(self, fake, training=True):
        return non_saturating_generator_loss(self.score(fake, training))

    def train_step(self, data):
        for real in self.shares(self.encode_batch(data)["images"]):
            fake = self.generator(self.latents_like(real), training=True)
            d_loss, gp = ops.unstack(self.minimize("discriminator", self.loss_and_penalty, real, fake))
        g_loss = self.minimize("generator", self.generator_loss, self.record(self.latents_like(real)))
        return self.log(d_loss=d_loss, g_loss=g_loss, gp=gp)

    def paper_optimizers(self):
        return {player: FusedAdam(1e-4, beta_1=0.5, beta_2=0.9) for player in self.players}
