"""DCGAN: Radford, Metz and Chintala, 2015, "Unsupervised representation learning with deep convolutional generative
adversarial networks", https://arxiv.org/abs/1511.06434

Objective:
    discriminator: E[softplus(-d(x))] + E[softplus(d(G(z)))]        (d: logit)
    generator:     E[softplus(-d(G(z)))]                            (non-saturating)

Schedule: each step draws one batch of latents. The discriminator is updated first, on real and generated images in two
separate batches, so that its batch norm never mixes them. Then the generator is updated on the same generated images,
scored by the updated discriminator. With `discriminator_steps=k` the batch is split among k discriminator updates, each
with its own latents.

Departures from the paper:
- order of updates: the paper's Theano code updates G and D on alternate batches. Ours is the order of the authors'
  Torch code (soumith/dcgan.torch), except that the generator's loss uses the discriminator after its update;
- prior: normal, as in the Torch code; the Theano code draws from U(-1, 1);
- sampling uses batch norm's moving averages (momentum 0.9, epsilon 1e-5); the Theano code uses the statistics of the
  sampled batch, with epsilon 1e-8;
- no L2 penalty; the Theano code has 1e-5;
- `r1_weight` is not the paper's: it is R1 of Mescheder et al., 2018 (https://arxiv.org/abs/1801.04406), whose networks
  have no batch norm. With batch norm in the discriminator an image's gradient is that of all logits of its batch;
- the default networks have the paper's layers, with 64 channels in the last hidden map as in the code, at any size. The
  Theano code for MNIST also has dense layers of 1,024 units, and labels: see `units` and `label_size` of the builders.
"""

import keras

from keras_gans.errors import ConfigurationError
from keras_gans.fields import noise_to_images
from keras_gans.losses import non_saturating_discriminator_loss, non_saturating_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.optimizers import FusedAdam
from keras_gans.penalties import r1_penalty
from keras_gans_core.checks import is_number


@keras.saving.register_keras_serializable(package="keras_gans")
class DCGAN(AdversarialModel):
    """Deep convolutional GAN.

    Args:
        generator, discriminator: networks; with neither, the paper's for `image_shape` and `latent_dim`.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default generator.
        r1_weight: weight of the penalty on the discriminator's gradient at real images, 0 or more; 0, as in the paper,
            for none. The preset dcgan_avatars, of drawings with flat colours, has 0.025.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: a negative weight, sizes that cannot be halved, or networks that do not fit each other.

    Example:

    >>> gan = kg.DCGAN(image_shape=(28, 28, 1))
    >>> gan.compile()
    >>> gan.generate(4, seed=0).shape
    (4, 28, 28, 1)

    Reference: Radford et al., 2015, https://arxiv.org/abs/1511.06434
    """

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(64, 64, 3),
        latent_dim=100,
        r1_weight=0.0,
        **kwargs,
    ):
        if not is_number(r1_weight, 0.0):
            raise ConfigurationError(f"Expected an r1_weight of 0 or more. Received: {r1_weight!r}.")
        if generator is None and discriminator is None:
            generator, discriminator = build_generator(image_shape, latent_dim), build_discriminator(image_shape)
        check_networks(generator, discriminator)
        super().__init__(generator=generator, discriminator=discriminator, **noise_to_images(generator), **kwargs)
        self.r1_weight = r1_weight
        self.real_target = self.add_weight(shape=(), initializer="ones", trainable=False, name="real_target")

    def discriminator_loss(self, real, fake, training=True):
        loss = non_saturating_discriminator_loss(
            self.score(real, training), self.score(fake, training), self.real_target
        )
        if self.r1_weight > 0.0:
            loss += self.r1_weight * r1_penalty(lambda images: self.score(images, training), real)
        return loss

    def generator_loss(self, fake, training=True):
        return non_saturating_generator_loss(self.score(fake, training))

    def train_step(self, data):
        for real in self.shares(self.encode_batch(data)["images"]):
            fake = self.record(self.latents_like(real))
            d_loss = self.minimize("discriminator", self.discriminator_loss, real, fake.outputs)
        g_loss = self.minimize("generator", self.generator_loss, fake)
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def paper_optimizers(self):
        return {player: FusedAdam(2e-4, beta_1=0.5, epsilon=1e-8) for player in self.players}
