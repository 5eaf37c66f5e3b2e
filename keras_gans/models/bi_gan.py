"""BiGAN: Donahue, Krähenbühl and Darrell, 2017, "Adversarial feature learning", https://arxiv.org/abs/1605.09782; code:
https://github.com/jeffdonahue/bigan

Objective, with the generator G, the encoder E and logits d of pairs (latents, images), positive where a pair is judged
to be a data pair:
    discriminator:        (E[softplus(-d(E(x), x))] + E[softplus(d(z, G(z)))]) / 2,   x from the data, z from U[-1, 1]
    generator + encoder:  (E[softplus(d(E(x), x))] + E[softplus(-d(z, G(z)))]) / 2
At the optimum both kinds of pairs have the same distribution, and E and G are inverses of each other almost everywhere.
There is no reconstruction term.

Schedule: one step of all three networks. Their gradients are taken at the same weights on the same images and latents.
Data pairs and generated pairs pass through the discriminator one after the other, each kind with its own batch norm
statistics. (ALI passes both kinds as one batch; where the discriminator has batch norm, the two games differ.)
With `discriminator_steps=k` the batch is split, and k - 1 updates of the discriminator come first.

Departures from the paper's code for MNIST:
- initial weights are Glorot's, and outputs and first layers have biases. The code draws all weights from N(0, 0.02) and
  has no biases;
- so that the generator can begin at the mean image (`for_data`), it has a bias for each pixel, as in ALI's code;
- images are in [-1, 1]; the code's are in [0, 1];
- batch norm's epsilon is 1e-5 instead of 1e-8, and its moving averages are those of training. The code takes averages
  over batches after training;
- each player's loss has its own passes through the discriminator. The code has one pass of each kind for both;
- there is no weight decay (the code: 2.5e-5), and the learning rate does not fall in the second 200 epochs (in the
  code it falls exponentially, to a hundredth).
"""

import keras
import numpy as np
from keras import layers, ops

from keras_gans.fields import check_image_shape, noise_to_images, symmetric_uniform
from keras_gans.layers import FusedBatchNormalization
from keras_gans.losses import minimax_discriminator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_encoder, check_networks, latents_and_images
from keras_gans.networks.encoding import encode_images
from keras_gans.networks.mean_image import biased_pixels, set_mean_image
from keras_gans.optimizers import FusedAdam


def build_generator(image_shape, latent_dim=50, *, units=1024):
    """The generator for MNIST: two hidden layers, both of which take the latents.

    Args:
        image_shape: (height, width, channels).
        latent_dim: size of the latents.
        units: width of the hidden layers.

    Returns:
        A Keras model, (N, latent_dim) to images in [-1, 1], with a bias for each pixel.
    """
    check_image_shape(image_shape)
    latents = keras.Input((latent_dim,), name="latents")
    x = layers.ReLU(name="relu0")(_plain_norm(layers.Dense(units, use_bias=False, name="hidden0")(latents), "norm0"))
    x = _sum_of_maps(x, latents, units)
    x = layers.ReLU(name="relu1")(_plain_norm(x, "norm1"))
    x = layers.Dense(int(np.prod(image_shape)), use_bias=False, name="to_image")(x)
    return keras.Model(latents, biased_pixels(layers.Reshape(image_shape, name="reshape")(x)), name="generator")


def build_encoder(image_shape, latent_dim=50, *, units=1024):
    """The encoder for MNIST: two hidden layers, then unbounded latents.

    Args:
        image_shape: (height, width, channels).
        latent_dim: the generator's.
        units: width of the hidden layers.

    Returns:
        A Keras model, images to latents (N, latent_dim).
    """
    check_image_shape(image_shape)
    images = keras.Input(image_shape, name="images")
    x = layers.Dense(units, name="hidden0")(layers.Flatten(name="flatten")(images))
    x = layers.Dense(units, use_bias=False, name="hidden1")(layers.LeakyReLU(0.2, name="relu0")(x))
    x = layers.LeakyReLU(0.2, name="relu1")(_plain_norm(x, "norm1"))
    return keras.Model(images, layers.Dense(latent_dim, dtype="float32", name="code")(x), name="encoder")


def build_discriminator(image_shape, latent_dim=50, *, units=1024):
    """The discriminator of pairs for MNIST: the second of two hidden layers takes the latents too.

    Args:
        image_shape: (height, width, channels).
        latent_dim: the generator's.
        units: width of the hidden layers.

    Returns:
        A Keras model, [latents (N, latent_dim), images] to logits (N, 1).
    """
    check_image_shape(image_shape)
    latents, images = keras.Input((latent_dim,), name="latents"), keras.Input(image_shape, name="images")
    x = layers.Dense(units, name="hidden0")(layers.Flatten(name="flatten")(images))
    x = _sum_of_maps(layers.LeakyReLU(0.2, name="relu0")(x), latents, units)
    x = layers.LeakyReLU(0.2, name="relu1")(_plain_norm(x, "norm1"))
    return keras.Model([latents, images], layers.Dense(1, dtype="float32", name="logits")(x), name="discriminator")


def _plain_norm(x, name):
    return FusedBatchNormalization(momentum=0.9, epsilon=1e-5, center=False, scale=False, name=name)(x)


def _sum_of_maps(x, latents, units):
    from_latents = layers.Dense(units, use_bias=False, name="from_latents")(latents)
    return layers.Add(name="sum")([layers.Dense(units, use_bias=False, name="hidden1")(x), from_latents])


@keras.saving.register_keras_serializable(package="keras_gans")
class BiGAN(AdversarialModel):
    """GAN with a deterministic encoder, whose discriminator judges images and latents together.

    The latents are uniform on [-1, 1].

    Args:
        generator: see `AdversarialModel`.
        discriminator: Keras model, [latents, images] to one logit (N, 1), positive for data pairs.
        encoder: Keras model, images to latents (N, latent_dim). With no network given, all three are the paper's for
            MNIST.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default networks.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`. The average is that of the generator, not of
            the encoder.

    Raises:
        ConfigurationError: networks that do not fit each other.

    Example:

    >>> gan = kg.BiGAN(image_shape=(8, 8, 1), latent_dim=4)
    >>> gan.compile()
    >>> gan.encode(gan.generate(3, seed=0)).shape
    (3, 4)

    Reference: Donahue et al., 2017, https://arxiv.org/abs/1605.09782
    """

    players = {"generator": ("generator", "encoder"), "discriminator": ("discriminator",)}
    averaged = kept = ("generator", "encoder")

    def __init__(
        self, generator=None, discriminator=None, encoder=None, *, image_shape=(28, 28, 1), latent_dim=50, **kwargs
    ):
        if generator is None and discriminator is None and encoder is None:
            generator = build_generator(image_shape, latent_dim)
            discriminator = build_discriminator(image_shape, latent_dim)
            encoder = build_encoder(image_shape, latent_dim)
        check_networks(generator, discriminator, judged=latents_and_images)
        if encoder is not None or discriminator is not None:
            check_encoder("encoder", encoder, generator.output_shape[1:], generator.input_shape[-1])
        super().__init__(
            generator=generator,
            discriminator=discriminator,
            encoder=encoder,
            **noise_to_images(generator, symmetric_uniform),
            **kwargs,
        )

    @classmethod
    def for_data(cls, dataset, **options):
        model = super().for_data(dataset, **options)
        model.initialize_from_data(dataset.images)
        return model

    def initialize_from_data(self, images):
        """Sets the biases of the generator's pixels so that it begins near the mean image, as ALI's code does.

        Call it once, before `fit`; `for_data` does.

        Args:
            images: uint8, or floats in [-1, 1], (N, height, width, channels).

        Raises:
            ConfigurationError: a generator without the layer "pixels".
            DataError: images that do not fit the model.
        """
        images = images if ops.is_tensor(images) else np.asarray(images)  # images on the disk are read once
        set_mean_image(self.generator, self.batch_fields["images"].check(images))
        if self.ema_decay is not None:
            self.ema.restart()

    def pass_through(self, latents, images, training=True):
        """G(z) and E(x): what the generator and the encoder make in a step."""
        encoded = ops.cast(self.encoder(images, training=training), "float32")
        return [self.generator(latents, training=training), encoded]

    def discriminator_loss(self, data, generated, training=True):
        """The loss on the pairs [E(x), x] and [z, G(z)], each kind judged as a separate batch."""
        of_data, of_generated = self.score(data, training), self.score(generated, training)
        return 0.5 * minimax_discriminator_loss(of_data, of_generated)

    def generator_loss(self, data, generated, training=True):
        """The loss of the generator and the encoder: the discriminator's loss with the roles of the pairs exchanged."""
        of_data, of_generated = self.score(data, training), self.score(generated, training)
        return 0.5 * minimax_discriminator_loss(of_generated, of_data)

    def train_step(self, data):
        *first, images = self.shares(self.encode_batch(data)["images"])
        for share in first:
            latents = self.latents_like(share)
            fake, encoded = self.pass_through(latents, share)
            self.minimize("discriminator", self.discriminator_loss, [encoded, share], [latents, fake])
        latents = self.latents_like(images)
        # All gradients are at the same weights: the discriminator's inputs are made before any network is updated, and
        # the discriminator is updated last.
        made = self.record_pass(lambda: self.pass_through(latents, images))

        def generator_loss(made):
            fake, encoded = made
            return self.generator_loss([encoded, images], [latents, fake])

        g_loss = self.minimize("generator", generator_loss, made)
        fake, encoded = made.outputs
        d_loss = self.minimize("discriminator", self.discriminator_loss, [encoded, images], [latents, fake])
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def batch_losses(self, images):
        latents = self.latents_like(images, training=False)
        fake, encoded = self.pass_through(latents, images, training=False)
        pairs = [encoded, images], [latents, fake]
        return {
            "d_loss": self.discriminator_loss(*pairs, training=False),
            "g_loss": self.generator_loss(*pairs, training=False),
        }

    def encode(self, images):
        """The latents E(x) of images.

        Args:
            images: uint8, or floats in [-1, 1], (N, height, width, channels).

        Returns:
            float32 (N, latent_dim).

        Raises:
            ConfigurationError: a model without an encoder.
            DataError: images that do not fit the model.
        """
        return encode_images(self, "encoder", images)

    def reconstruct(self, images):
        """Encodes images and generates them again, with averaged weights where there are any.

        Args:
            images: see `encode`.

        Returns:
            uint8 (N, height, width, channels).

        Raises:
            ConfigurationError, DataError: see `encode`.
        """
        made = self.predict(self.encode(images), verbose=0)
        return ops.convert_to_numpy(self.output_fields["images"].decode(made))

    def paper_optimizers(self):
        return {player: FusedAdam(2e-4, beta_1=0.5) for player in self.players}
