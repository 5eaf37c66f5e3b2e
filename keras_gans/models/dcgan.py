"""DCGAN: Radford, Metz and Chintala, 2015, "Unsupervised representation learning with deep convolutional generative
adversarial networks", https://arxiv.org/abs/1511.06434

Objective:
    discriminator: E[softplus(-d(x))] + E[softplus(d(G(z)))]        (d: logit)
    generator:     E[softplus(-d(G(z)))]                            (non-saturating)

Schedule: each step draws one batch of latents. The discriminator is updated on real and generated images, passed
through it in two batches, so that batch norm cannot tell them apart by their mixture; then the generator on the same
generated images, scored by the updated discriminator. With `discriminator_steps=k` the batch is dealt out to k
discriminator updates, each with latents of its own.

Departures from the paper:
- order of updates: the paper's Theano code updates G and D on alternate batches; this is the order of the authors'
  Torch code (soumith/dcgan.torch), except that the generator's loss reads the discriminator after its update;
- prior: normal, as in the Torch code; the Theano code draws from U(-1, 1);
- batch norm keeps moving averages (momentum 0.9, epsilon 1e-5) for sampling; the Theano code normalises the sampled
  batch by itself, with epsilon 1e-8;
- no L2 penalty; the Theano code has 1e-5.
"""

import keras

from keras_gans.losses import non_saturating_discriminator_loss, non_saturating_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.optimizers import FusedAdam


@keras.saving.register_keras_serializable(package="keras_gans")
class DCGAN(AdversarialModel):
    """Deep convolutional GAN.

    Args:
        generator, discriminator: networks; with neither, the paper's for `image_shape` and `latent_dim`.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default generator.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: sizes that cannot be halved, or networks that do not fit each other.

    Example:

    >>> gan = kg.DCGAN(image_shape=(28, 28, 1))
    >>> gan.compile()
    >>> gan.generate(4, seed=0).shape
    (4, 28, 28, 1)

    Reference: Radford et al., 2015, https://arxiv.org/abs/1511.06434
    """

    def __init__(self, generator=None, discriminator=None, *, image_shape=(64, 64, 3), latent_dim=100, **kwargs):
        if generator is None and discriminator is None:
            generator, discriminator = build_generator(image_shape, latent_dim), build_discriminator(image_shape)
        super().__init__(generator, discriminator, **kwargs)
        self.real_target = self.add_weight(shape=(), initializer="ones", trainable=False, name="real_target")

    def discriminator_loss(self, real, fake, training=True):
        return non_saturating_discriminator_loss(
            self.score(real, training), self.score(fake, training), self.real_target
        )

    def generator_loss(self, fake, training=True):
        return non_saturating_generator_loss(self.score(fake, training))

    def train_step(self, data):
        real = self.real_images(data)
        k = self.discriminator_steps
        for i in range(k - 1):
            share = real[i::k]
            fake = self.generator(self.latents_like(share), training=True)
            self.minimize("discriminator", self.discriminator_loss, share, fake)
        share = real[k - 1 :: k]
        played = self.play(self.latents_like(share))
        d_loss = self.minimize("discriminator", self.discriminator_loss, share, played.images)
        g_loss = self.minimize("generator", self.generator_loss, played)
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def paper_optimizers(self):
        return {player: FusedAdam(2e-4, beta_1=0.5, epsilon=1e-8) for player in ("generator", "discriminator")}
