"""ALI: Dumoulin, Belghazi, Poole, Mastropietro, Lamb, Arjovsky and Courville, 2017, "Adversarially learned inference",
https://arxiv.org/abs/1606.00704; code: https://github.com/IshmaelBelghazi/ALI
BiGAN: Donahue, Krähenbühl and Darrell, 2017, "Adversarial feature learning", https://arxiv.org/abs/1605.09782; code:
https://github.com/jeffdonahue/bigan

Objective, with the decoder G, an encoder q(z|x) and logits d of pairs (latents, images), positive where a pair is taken
for one of data:
    discriminator:        E_q[softplus(-d(z^, x))] + E_p[softplus(d(z, G(z)))],   x of the data, z^ from q(z|x)
    generator + encoder:  E_q[softplus(d(z^, x))] + E_p[softplus(-d(z, G(z)))],   z from the prior
ALI's encoder gives mu and log sigma, z^ = mu + exp(log sigma) * eps with eps from N(0, 1), and its prior is N(0, 1).
BiGAN's encoder is deterministic, its prior U[-1, 1], and its losses are half of these.
At the optimum the joint distributions q(x) q(z|x) and p(z) p(x|z) are the same; that x is reconstructed is no term.

Schedule: one step of all three networks, their gradients taken at the same weights on the same images and latents; the
discriminator sees the pairs of both kinds in one batch, whose statistics its batch norm takes. With
`discriminator_steps=k` the batch is dealt out and k - 1 updates of the discriminator go before.

Departures from the papers:
- the tables are those for 32x32; at 28x28 the coarsest map is 3x3, not 4x4, and other sizes need networks of one's own;
- images are in [-1, 1]: the decoder's are 2 * sigmoid - 1, and dropped pixels are grey where the code's are black;
- a maxout layer has as many units as the tables say; the published code's have half, each the larger of two of them;
- each player's loss has a pass of the discriminator of its own, with other dropout masks; the code's has one for both;
- BiGAN too can begin at the mean image (`for_data`), as ALI's code does;
- BiGAN without the weight decay of its code, 2.5e-5, and without the linear decay of the rate in the second 200 epochs.
"""

import keras
import numpy as np
from keras import initializers, layers, ops

from keras_gans import engine
from keras_gans.data.checks import check_image_shape
from keras_gans.errors import ConfigurationError
from keras_gans.images import to_uint8
from keras_gans.layers import FusedBatchNormalization, UntiedBias, seeded_dropout
from keras_gans.losses import minimax_discriminator_loss
from keras_gans.model import AdversarialModel, check_encoder, uniform_of
from keras_gans.optimizers import FusedAdam

register = keras.saving.register_keras_serializable(package="keras_gans")

PIXELS = "pixels"  # the layer that holds a bias for each pixel
KERNELS = {32: ((5, 1), (4, 2), (4, 1), (4, 2), (4, 1)), 28: ((5, 1), (4, 2), (4, 1), (4, 2), (3, 1))}


def _kernels(image_shape):
    height, width, _ = image_shape
    if height != width or height not in KERNELS:
        raise ConfigurationError(
            f"Expected images of {' or '.join(f'{size}x{size}' for size in KERNELS)}. Received: {height}x{width}. "
            "Resize them, or pass networks of your own."
        )
    return KERNELS[height]


def _weights():
    return initializers.RandomNormal(stddev=0.01)


def _normal_units(x, layer, name, slope=0.1):
    x = FusedBatchNormalization(momentum=0.95, epsilon=1e-5, name=f"{name}_norm")(layer(x))
    return layers.LeakyReLU(slope, name=f"{name}_relu")(x)


def build_generator(image_shape, latent_dim=64, *, base_filters=32):
    """ALI's decoder for 32x32: transposed convolutions without padding, from one point to the image.

    Args:
        image_shape: (32, 32, channels) or (28, 28, channels).
        latent_dim: how many numbers an image is made from.
        base_filters: channels of the finest maps; the coarsest have 8 times as many.

    Returns:
        A Keras model, (N, latent_dim) to images in [-1, 1], with a bias of its own for each pixel.

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
    return keras.Model(latents, _pixels(x), name="generator")


def build_encoder(image_shape, latent_dim=64, *, base_filters=32):
    """ALI's encoder for 32x32: convolutions without padding down to one point.

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
    """ALI's discriminator of pairs for 32x32: maxout units of two pieces under dropout, without batch norm.

    Args:
        image_shape: (32, 32, channels) or (28, 28, channels).
        latent_dim: the generator's.
        base_filters: channels of the finest maps; the coarsest, and both layers of the latents, have 16 times as many,
            and the layers of both together 32 times.
        dropout: rates, of the images and latents, and of the hidden layers.

    Returns:
        A Keras model, [latents (N, latent_dim), images] to logits (N, 1).

    Raises:
        ConfigurationError: another size.
    """
    check_image_shape(image_shape)

    def maxout(x, name, layer, *options, rate=dropout[1]):
        # With a seed of its own: PyTorch's masks follow no other, and could not be resumed.
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


def build_dense_generator(image_shape, latent_dim=50, *, units=1024):
    """BiGAN's generator for MNIST: two hidden layers, the latents entering both.

    Args:
        image_shape: (height, width, channels).
        latent_dim: how many numbers an image is made from.
        units: width of the hidden layers.

    Returns:
        A Keras model, (N, latent_dim) to images in [-1, 1], with a bias of its own for each pixel.
    """
    check_image_shape(image_shape)
    latents = keras.Input((latent_dim,), name="latents")
    x = layers.ReLU(name="relu0")(_plain_norm(layers.Dense(units, use_bias=False, name="hidden0")(latents), "norm0"))
    x = _sum_of_maps(x, latents, units)
    x = layers.ReLU(name="relu1")(_plain_norm(x, "norm1"))
    x = layers.Dense(int(np.prod(image_shape)), use_bias=False, name="to_image")(x)
    return keras.Model(latents, _pixels(layers.Reshape(image_shape, name="reshape")(x)), name="generator")


def build_dense_encoder(image_shape, latent_dim=50, *, units=1024):
    """BiGAN's encoder for MNIST: two hidden layers, then latents without bounds.

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


def build_dense_discriminator(image_shape, latent_dim=50, *, units=1024):
    """BiGAN's discriminator of pairs for MNIST: the latents enter the second of two hidden layers.

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


def _pixels(x):
    x = layers.Activation("sigmoid", dtype="float32", name="sigmoid")(UntiedBias(dtype="float32", name=PIXELS)(x))
    return layers.Rescaling(2.0, offset=-1.0, dtype="float32", name="images")(x)


@register
class ALI(AdversarialModel):
    """GAN with an encoder, whose discriminator judges images and latents together.

    Args:
        generator: see `AdversarialModel`; the paper's decoder.
        discriminator: Keras model, [latents, images] to one logit (N, 1), positive for pairs of data.
        encoder: Keras model, images to (N, 2 * latent_dim), means and logarithms of standard deviations; or to
            (N, latent_dim), the latents themselves. With no network given, all three are the paper's for 32x32.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default networks.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

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

    encoders = ("encoder",)
    builders = (build_generator, build_discriminator, build_encoder)

    def __init__(
        self, generator=None, discriminator=None, encoder=None, *, image_shape=(32, 32, 3), latent_dim=64, **kwargs
    ):
        if generator is None and discriminator is None and encoder is None:
            generator, discriminator, encoder = (build(image_shape, latent_dim) for build in self.builders)
        super().__init__(generator, discriminator, **kwargs)
        if encoder is not None or discriminator is not None:
            check_encoder("encoder", encoder, self.image_shape, 2 * self.latent_dim, self.latent_dim)
        self.encoder = encoder

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
            ConfigurationError: a generator without the paper's layer "pixels".
            DataError: images that do not fit the model.
        """
        self.check_examples(images, self.example_shape)
        images = np.asarray(images)
        mean = images.mean(axis=0, dtype="float64")
        mean = mean / 255 if images.dtype == "uint8" else mean / 2 + 0.5
        mean = mean.clip(1e-3, 1 - 1e-3)  # a pixel that is always black would never be anything else
        for generator in (self.generator, self.sampling_generator):
            names = [layer.name for layer in generator.layers]
            if PIXELS not in names:
                raise ConfigurationError(
                    f"Expected a generator with a layer named {PIXELS!r}, of a bias for each pixel. Received the "
                    f"layers: {', '.join(names)}. Leave the call out, or use build_generator."
                )
            generator.get_layer(PIXELS).bias.assign(np.log(mean / (1 - mean)).astype("float32"))

    def judged_shapes(self, generator):
        return [generator.input_shape[1:], generator.output_shape[1:]]

    def player_variables(self, player):
        variables = super().player_variables(player)
        return variables if player == "discriminator" else variables + self.encoder.trainable_variables

    def drawn(self, code, noise):
        """Latents from q(z|x), of what the encoder made of x and standard normal noise (N, latent_dim)."""
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
        """Of the generator and the encoder: the discriminator's with the roles exchanged."""
        of_data, of_generated = self.score_both(data, generated, training)
        return minimax_discriminator_loss(of_generated, of_data)

    def train_step(self, data):
        images = self.real_images(data)
        k = self.discriminator_steps
        for i in range(k - 1):
            share = images[i::k]
            latents = self.latents_like(share)
            fake, encoded = self.pass_through(latents, share)
            self.minimize("discriminator", self.discriminator_loss, [encoded, share], [latents, fake])
        share = images[k - 1 :: k]
        latents = self.latents_like(share)
        # What the discriminator learns from is made before any network moves, and the discriminator moves last, so that
        # all gradients are those of the same weights.
        played = self.keep(lambda: self.pass_through(latents, share))

        def generator_loss(made):
            fake, encoded = made
            return self.generator_loss([encoded, share], [latents, fake])

        g_loss = self.minimize("generator", generator_loss, played)
        fake, encoded = played.images
        d_loss = self.minimize("discriminator", self.discriminator_loss, [encoded, share], [latents, fake])
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def test_step(self, data):
        """The losses of one batch with all networks in inference mode and noise of its own."""
        images = self.real_images(data)
        latents = self.latents_like(images, training=False)
        fake, encoded = self.pass_through(latents, images, training=False)
        pairs = [encoded, images], [latents, fake]
        return self._averaged(
            {
                "d_loss": self.discriminator_loss(*pairs, training=False),
                "g_loss": self.generator_loss(*pairs, training=False),
            }
        )

    def encode(self, images, seed=None):
        """Latents of images.

        Args:
            images: uint8, or floats in [-1, 1], (N, height, width, channels).
            seed: names a draw from q(z|x); None gives its mean. A deterministic encoder has but one answer.

        Returns:
            float32 (N, latent_dim).

        Raises:
            ConfigurationError: a model without an encoder.
            DataError: images that do not fit the model.
        """
        code = self.encoded("encoder", images)
        noise = np.zeros((len(code), self.latent_dim), "float32") if seed is None else self.noise(len(code), seed)
        return ops.convert_to_numpy(self.drawn(ops.convert_to_tensor(code), ops.convert_to_tensor(noise)))

    def reconstruct(self, images, seed=None):
        """Images of the latents that the encoder finds for images, by the generator that samples: with `ema_decay` the
        moving average, although the encoder is none.

        Args:
            images, seed: see `encode`.

        Returns:
            uint8 (N, height, width, channels).

        Raises:
            ConfigurationError, DataError: see `encode`.
        """
        made = self.sampling_generator.predict(self.encode(images, seed), verbose=0)
        return ops.convert_to_numpy(to_uint8(made))

    def paper_optimizers(self):
        return {player: FusedAdam(1e-4, beta_1=0.5) for player in ("generator", "discriminator")}

    def get_config(self):
        return {
            **super().get_config(),
            "encoder": self.encoder and keras.saving.serialize_keras_object(self.encoder),
        }


@register
class BiGAN(ALI):
    """ALI with a deterministic encoder, latents from U[-1, 1] and dense networks; see `ALI`.

    Args:
        generator, discriminator, encoder: see `ALI`; with none given, the paper's for MNIST.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default networks.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: networks that do not fit each other.

    Example:

    >>> gan = kg.BiGAN(image_shape=(8, 8, 1), latent_dim=4)
    >>> gan.compile()
    >>> gan.encode(gan.generate(3, seed=0)).shape
    (3, 4)

    Reference: Donahue et al., 2017, https://arxiv.org/abs/1605.09782
    """

    builders = (build_dense_generator, build_dense_discriminator, build_dense_encoder)

    def __init__(
        self, generator=None, discriminator=None, encoder=None, *, image_shape=(28, 28, 1), latent_dim=50, **kwargs
    ):
        super().__init__(generator, discriminator, encoder, image_shape=image_shape, latent_dim=latent_dim, **kwargs)
        if encoder is not None and encoder.output_shape[-1] != self.latent_dim:
            raise ConfigurationError(
                f"Expected an encoder to ({self.latent_dim},), since BiGAN's is deterministic. Received: one to "
                f"{encoder.output_shape[1:]}. ALI takes means and deviations."
            )

    def prior(self, noise):
        return 2.0 * uniform_of(noise) - 1.0

    def discriminator_loss(self, data, generated, training=True):
        return 0.5 * super().discriminator_loss(data, generated, training)

    def generator_loss(self, data, generated, training=True):
        return 0.5 * super().generator_loss(data, generated, training)

    def paper_optimizers(self):
        return {player: FusedAdam(2e-4, beta_1=0.5) for player in ("generator", "discriminator")}
