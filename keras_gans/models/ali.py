"""ALI: Dumoulin, Belghazi, Poole, Mastropietro, Lamb, Arjovsky and Courville, 2017, "Adversarially learned inference",
https://arxiv.org/abs/1606.00704; code: https://github.com/IshmaelBelghazi/ALI

Objective, with the decoder G, an encoder q(z|x) and logits d of pairs (latents, images), positive where a pair is
judged to be a data pair:
    discriminator:        E_q[softplus(-d(z^, x))] + E_p[softplus(d(z, G(z)))],   x from the data, z^ from q(z|x)
    generator + encoder:  E_q[softplus(d(z^, x))] + E_p[softplus(-d(z, G(z)))],   z from the prior
The encoder gives mu and log sigma: z^ = mu + exp(log sigma) * eps with eps from N(0, 1). The prior is N(0, 1). At the
optimum the joint distributions q(x) q(z|x) and p(z) p(x|z) are the same. There is no reconstruction term.

Schedule: one step of all three networks. Their gradients are taken at the same weights on the same images and latents.
The discriminator sees the pairs of both kinds as one batch: where it has batch norm, the statistics cover both kinds.
With `discriminator_steps=k` the batch is split, and k - 1 updates of the discriminator come first.

Departures from the paper:
- the networks are those of the paper's table for 32x32. At 28x28 the coarsest map is 3x3, not 4x4. Other sizes need
  other networks;
- images are in [-1, 1]: the decoder's are 2 * sigmoid - 1. Dropped pixels are grey; the code's are black;
- a maxout layer has as many units as the table states. The published code's has half as many, each the larger of two of
  the table's units;
- each player's loss has its own pass through the discriminator, with different dropout masks. The code has one pass for
  both.
"""

import keras
import numpy as np
from keras import initializers, layers, ops

from keras_gans import engine
from keras_gans.errors import ConfigurationError
from keras_gans.fields import check_image_shape, noise_to_images
from keras_gans.layers import FusedBatchNormalization, seeded_dropout
from keras_gans.losses import minimax_discriminator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_encoder, check_networks, latents_and_images
from keras_gans.networks.encoding import encode_images
from keras_gans.networks.mean_image import biased_pixels, set_mean_image
from keras_gans.optimizers import FusedAdam

KERNELS = {32: ((5, 1), (4, 2), (4, 1), (4, 2), (4, 1)), 28: ((5, 1), (4, 2), (4, 1), (4, 2), (3, 1))}


def _kernels(image_shape):
    height, width, _ = image_shape
    if height != width or height not in KERNELS:
        raise ConfigurationError(
            f"Expected images of {' or '.join(f'{size}x{size}' for size in KERNELS)}. Received: {height}x{width}. "
            "Resize them, or pass other networks."
        )
    return KERNELS[height]


def _weights():
    return initializers.RandomNormal(stddev=0.01)


def _normal_units(x, layer, name, slope=0.1):
    x = FusedBatchNormalization(momentum=0.95, epsilon=1e-5, name=f"{name}_norm")(layer(x))
    return layers.LeakyReLU(slope, name=f"{name}_relu")(x)


def build_generator(image_shape, latent_dim=64, *, base_filters=32):
    """ALI's decoder for 32x32: transposed convolutions without padding, from a 1x1 map to the image.

    Args:
        image_shape: (32, 32, channels) or (28, 28, channels).
        latent_dim: size of the latents.
        base_filters: channels of the finest maps; the coarsest have 8 times as many.

    Returns:
        A Keras model, (N, latent_dim) to images in [-1, 1], with a bias for each pixel.

    Raises:
        ConfigurationError: another size.
    """
    check_image_shape(image_shape)
    kernels = _kernels(image_shape)[::-1]
    latents = keras.Input((latent_dim,), name="latents")
    x = layers.Reshape((1, 1, latent_dim), name="point")(latents)
    for i, ((size, stride), times) in enumerate(zip([*kernels, (1, 1)], (8, 4, 2, 1, 1, 1))):
        convolution = layers.Conv2DTranspose(
            times * base_filters, size, stride, use_bias=False, kernel_initializer=_weights(), name=f"up{i}"
        )
        x = _normal_units(x, convolution, f"up{i}")
    x = layers.Conv2D(image_shape[-1], 1, use_bias=False, kernel_initializer=_weights(), name="to_image")(x)
    return keras.Model(latents, biased_pixels(x), name="generator")


def build_encoder(image_shape, latent_dim=64, *, base_filters=32):
    """ALI's encoder for 32x32: convolutions without padding, down to a 1x1 map.

    Args:
        image_shape: (32, 32, channels) or (28, 28, channels).
        latent_dim: the generator's.
        base_filters: channels of the finest maps; the coarsest have 16 times as many.

    Returns:
        A Keras model, images to the means and the logarithms of the standard deviations, (N, 2 * latent_dim).

    Raises:
        ConfigurationError: another size.
    """
    check_image_shape(image_shape)
    images = x = keras.Input(image_shape, name="images")
    for i, ((size, stride), times) in enumerate(zip([*_kernels(image_shape), (1, 1)], (1, 2, 4, 8, 16, 16))):
        convolution = layers.Conv2D(
            times * base_filters, size, stride, use_bias=False, kernel_initializer=_weights(), name=f"down{i}"
        )
        x = _normal_units(x, convolution, f"down{i}")
    x = layers.Flatten(name="flatten")(x)
    code = layers.Dense(2 * latent_dim, kernel_initializer=_weights(), dtype="float32", name="code")(x)
    return keras.Model(images, code, name="encoder")


def build_discriminator(image_shape, latent_dim=64, *, base_filters=32, dropout=(0.2, 0.5)):
    """ALI's discriminator of pairs for 32x32: maxout units of two pieces with dropout, without batch norm.

    Args:
        image_shape: (32, 32, channels) or (28, 28, channels).
        latent_dim: the generator's.
        base_filters: channels of the finest maps; the coarsest maps and both layers of the latents have 16 times as
            many, and the joint layers 32 times as many.
        dropout: two rates, for the images and latents, and for the hidden layers.

    Returns:
        A Keras model, [latents (N, latent_dim), images] to logits (N, 1).

    Raises:
        ConfigurationError: another size.
    """
    check_image_shape(image_shape)

    def maxout(x, name, layer, *options, rate=dropout[1]):
        # Its own seed: without one, PyTorch's masks could not be reproduced in a resumed run.
        x = seeded_dropout(rate, f"{name}_dropout")(x)
        pieces = [layer(*options, kernel_initializer=_weights(), name=f"{name}_{piece}")(x) for piece in "ab"]
        return layers.Maximum(name=name)(pieces)

    latents, images = keras.Input((latent_dim,), name="latents"), keras.Input(image_shape, name="images")
    x, z = images, latents
    for i, ((size, stride), times) in enumerate(zip(_kernels(image_shape), (1, 2, 4, 8, 16))):
        x = maxout(x, f"image{i}", layers.Conv2D, times * base_filters, size, stride, rate=dropout[i > 0])
    for i in range(2):
        z = maxout(z, f"latent{i}", layers.Dense, 16 * base_filters, rate=dropout[i > 0])
    both = layers.Concatenate(name="both")([layers.Flatten(name="flatten")(x), z])
    for i in range(2):
        both = maxout(both, f"both{i}", layers.Dense, 32 * base_filters)
    both = seeded_dropout(dropout[1], "dropout")(both)
    logits = layers.Dense(1, kernel_initializer=_weights(), dtype="float32", name="logits")(both)
    return keras.Model([latents, images], logits, name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gans")
class ALI(AdversarialModel):
    """GAN with an encoder, whose discriminator judges images and latents together.

    Args:
        generator: see `AdversarialModel`; the paper's decoder.
        discriminator: Keras model, [latents, images] to one logit (N, 1), positive for data pairs.
        encoder: Keras model, images to (N, 2 * latent_dim), means and logarithms of standard deviations; or to
            (N, latent_dim), the latents themselves. With no network given, all three are the paper's for 32x32.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default networks.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`. The average is that of the generator, not of
            the encoder.

    Raises:
        ConfigurationError: networks that do not fit each other.

    Example:

    >>> gan = kg.ALI(image_shape=(28, 28, 1))
    >>> gan.compile()
    >>> images = gan.generate(4, seed=0)
    >>> gan.encode(images).shape, gan.reconstruct(images).shape
    ((4, 64), (4, 28, 28, 1))

    Reference: Dumoulin et al., 2017, https://arxiv.org/abs/1606.00704
    """

    players = {"generator": ("generator", "encoder"), "discriminator": ("discriminator",)}
    averaged = kept = ("generator", "encoder")

    def __init__(
        self, generator=None, discriminator=None, encoder=None, *, image_shape=(32, 32, 3), latent_dim=64, **kwargs
    ):
        if generator is None and discriminator is None and encoder is None:
            generator = build_generator(image_shape, latent_dim)
            discriminator = build_discriminator(image_shape, latent_dim)
            encoder = build_encoder(image_shape, latent_dim)
        check_networks(generator, discriminator, judged=latents_and_images)
        if encoder is not None or discriminator is not None:
            latents = generator.input_shape[-1]
            check_encoder("encoder", encoder, generator.output_shape[1:], 2 * latents, latents)
        super().__init__(
            generator=generator,
            discriminator=discriminator,
            encoder=encoder,
            **noise_to_images(generator),
            **kwargs,
        )

    @classmethod
    def for_data(cls, dataset, **options):
        model = super().for_data(dataset, **options)
        model.initialize_from_data(dataset.images)
        return model

    def initialize_from_data(self, images):
        """Sets the biases of the generator's pixels so that it begins near the mean image, as the paper's code does.

        Call it once, before `fit`; `for_data` does.

        Args:
            images: uint8, or floats in [-1, 1], (N, height, width, channels).

        Raises:
            ConfigurationError: a generator without the paper's layer "pixels".
            DataError: images that do not fit the model.
        """
        images = images if ops.is_tensor(images) else np.asarray(images)  # images on the disk are read once
        set_mean_image(self.generator, self.batch_fields["images"].check(images))
        if self.ema_decay is not None:
            self.ema.restart()

    def drawn(self, code, noise):
        """Latents from q(z|x), made from the encoder's output for x and standard normal noise (N, latent_dim)."""
        mean, log_sigma = code[:, : self.latent_dim], code[:, self.latent_dim :]
        return mean if log_sigma.shape[1] == 0 else mean + ops.exp(log_sigma) * noise

    def pass_through(self, latents, images, training=True):
        """G(z) and latents drawn from q(z|x): what the generator and the encoder make in a step."""
        seeds = self.latent_seeds if training else self.evaluation_seeds
        noise = engine.normal((ops.shape(images)[0], self.latent_dim), seeds)
        encoded = self.drawn(ops.cast(self.encoder(images, training=training), "float32"), noise)
        return [self.generator(latents, training=training), encoded]

    def score_both(self, data, generated, training=True):
        """Logits of the pairs [z^, x] and of the pairs [z, G(z)], judged as one batch."""
        logits = self.score([ops.concatenate(parts) for parts in zip(data, generated)], training)
        return ops.split(logits, 2)

    def discriminator_loss(self, data, generated, training=True):
        return minimax_discriminator_loss(*self.score_both(data, generated, training))

    def generator_loss(self, data, generated, training=True):
        """The loss of the generator and the encoder: the discriminator's loss with the roles of the pairs exchanged."""
        of_data, of_generated = self.score_both(data, generated, training)
        return minimax_discriminator_loss(of_generated, of_data)

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

    def encode(self, images, seed=None):
        """Latents of images.

        Args:
            images: uint8, or floats in [-1, 1], (N, height, width, channels).
            seed: selects a draw from q(z|x); None gives the mean. A deterministic encoder ignores it.

        Returns:
            float32 (N, latent_dim).

        Raises:
            ConfigurationError: a model without an encoder.
            DataError: images that do not fit the model.
        """
        code = encode_images(self, "encoder", images)
        noise = np.zeros((len(code), self.latent_dim), "float32") if seed is None else self.noise(len(code), seed)
        return ops.convert_to_numpy(self.drawn(ops.convert_to_tensor(code), ops.convert_to_tensor(noise)))

    def reconstruct(self, images, seed=None):
        """Encodes images and generates them again, with averaged weights where there are any.

        Args:
            images, seed: see `encode`.

        Returns:
            uint8 (N, height, width, channels).

        Raises:
            ConfigurationError, DataError: see `encode`.
        """
        made = self.predict(self.encode(images, seed), verbose=0)
        return ops.convert_to_numpy(self.output_fields["images"].decode(made))

    def paper_optimizers(self):
        return {player: FusedAdam(1e-4, beta_1=0.5) for player in self.players}
