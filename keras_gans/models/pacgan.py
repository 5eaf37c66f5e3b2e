"""PacGAN: Lin, Khetan, Fanti and Oh, 2018, "PacGAN: The power of two samples in generative adversarial networks",
https://arxiv.org/abs/1712.04086

Objective, for packs of m = `packing` images that the discriminator judges together:
    discriminator: E[softplus(-d(x_1, ..., x_m))] + E[softplus(d(G(z_1), ..., G(z_m)))]     (d: logit of a pack)
    generator:     E[softplus(-d(G(z_1), ..., G(z_m)))]                                     (non-saturating)
The images of a pack are independent draws, so a generator that lost modes is easy to detect: its packs hold
too many similar images.

Schedule: the same as DCGAN's here, and as the published code's for the unrolled GAN's protocol. The discriminator is
updated on real and generated packs in two batches; then the generator is updated on the same latents, scored by the
updated discriminator. The images of a batch are packed in their order. With `discriminator_steps=k` the packs are split
among k discriminator updates. A batch size of m * 64 gives each update 64 packs, as in VEEGAN's protocol.

Departures from the paper:
- each image of a batch is in one pack; the published code draws m times as many images for a batch of packs;
- for VEEGAN's protocol the published code updates the generator twice per batch and draws latents from U(-1, 1); here
  the generator is updated once, and latents are normal;
- for points the published code updates both players at once, from gradients at the same weights;
- the networks have no biases before batch norm, which removes them; the published ones have.
"""

import keras
import numpy as np
from keras import initializers, layers, ops

from keras_gans.checking import check_batch_size, named
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import check_image_shape, noise_to_images
from keras_gans.images import pack
from keras_gans.layers import FusedBatchNormalization, Maxout
from keras_gans.losses import non_saturating_discriminator_loss, non_saturating_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks
from keras_gans.optimizers import FusedAdam
from keras_gans_core.checks import is_whole


def _sizes(image_shape, halvings):
    """(height, width) of the image and of each smaller map, halved at most `halvings` times.

    The longer side stays 2 or more.
    A side of 28 becomes 14, 7, 4 and 2.
    """
    sizes = [tuple(image_shape[:2])]
    while len(sizes) <= halvings and max(sizes[-1]) > 2:
        sizes.append(tuple(-(-side // 2) for side in sizes[-1]))
    if len(sizes) == 1:
        raise ConfigurationError(
            f"Expected a height or width above 2. Received: image_shape={tuple(image_shape)}. For points use "
            "build_point_generator and build_point_discriminator."
        )
    return sizes


def _normal():
    return initializers.RandomNormal(stddev=0.02)


def _norm(x, momentum=0.9):
    return FusedBatchNormalization(momentum=momentum, epsilon=1e-5)(x)


def _doubled(x, filters, kernel_size, size, **options):
    """A transposed convolution to exactly `size`.

    Where a side of `size` is odd, the first row or column is removed, as in TensorFlow with an explicit output shape.
    """
    x = layers.Conv2DTranspose(
        filters, kernel_size, strides=2, padding="same", kernel_initializer=_normal(), **options
    )(x)
    return layers.Cropping2D([(x.shape[1] - size[0], 0), (x.shape[2] - size[1], 0)])(x)


def _halved(x, filters, kernel_size, **options):
    return layers.Conv2D(
        filters,
        kernel_size,
        strides=2,
        padding="same",
        kernel_initializer=initializers.TruncatedNormal(stddev=0.02),
        **options,
    )(x)


def _projected(latents, shape):
    """Latents as a first map, normalised and rectified."""
    x = layers.Dense(int(np.prod(shape)), use_bias=False, kernel_initializer=_normal(), name="project")(latents)
    return layers.ReLU()(_norm(layers.Reshape(shape)(x)))


def _packs(image_shape, packing):
    _check_packing(packing)
    return keras.Input((*image_shape[:-1], packing * image_shape[-1]), name="packs")


def _logits(features):
    return layers.Dense(1, kernel_initializer=_normal(), dtype="float32", name="logits")(features)


def build_generator(image_shape=(28, 28, 3), latent_dim=100, *, base_filters=64):
    """The generator of VEEGAN's protocol for stacked MNIST: DCGAN's, from a 2x2 map that is doubled four times.

    The protocol trains it in batches of 64 packs with Adam at 2e-4 and a beta_1 of 0.5, as `compile()` does.

    Args:
        image_shape: (height, width, channels), a side above 2; the map is halved to 2x2, at most four times.
        latent_dim: size of the latents.
        base_filters: channels of the last hidden map; each smaller map has twice as many.

    Returns:
        A Keras model, (N, latent_dim) to (N, height, width, channels) in [-1, 1].

    Raises:
        ConfigurationError: images that cannot be halved.
    """
    check_image_shape(image_shape)
    *sizes, smallest = _sizes(image_shape, 4)
    filters = base_filters << (len(sizes) - 1)
    latents = keras.Input((latent_dim,), name="latents")
    x = _projected(latents, (*smallest, filters))
    for size in sizes[:0:-1]:
        filters //= 2
        x = layers.ReLU()(_norm(_doubled(x, filters, 5, size, use_bias=False)))
    x = _doubled(x, image_shape[-1], 5, sizes[0])
    return keras.Model(latents, layers.Activation("tanh", dtype="float32", name="images")(x), name="generator")


def build_discriminator(image_shape=(28, 28, 3), packing=2, *, base_filters=64):
    """The discriminator of VEEGAN's protocol for stacked MNIST: four strided convolutions, then one logit.

    Args:
        image_shape: of one image; see `build_generator`.
        packing: images per pack, m, 1 or more; only the first layer depends on it.
        base_filters: channels of the first map; each smaller map has twice as many.

    Returns:
        A Keras model, packs (N, height, width, m * channels) to logits (N, 1).

    Raises:
        ConfigurationError: images that cannot be halved, or a packing below 1.
    """
    check_image_shape(image_shape)
    packs = x = _packs(image_shape, packing)
    for stage in range(len(_sizes(image_shape, 4)) - 1):
        x = _halved(x, base_filters << stage, 5, use_bias=stage == 0)
        x = layers.LeakyReLU(0.2)(_norm(x) if stage else x)
    return keras.Model(packs, _logits(layers.Flatten()(x)), name="discriminator")


def build_unrolled_generator(image_shape=(28, 28, 3), latent_dim=256, *, base_filters=8):
    """The generator of the unrolled GAN's protocol for stacked MNIST: from a 4x4 map that is doubled three times.

    The protocol trains it in batches of 128 packs with Adam at 1e-4 (the discriminator: 2e-4), a beta_1 of 0.5 and
    a beta_2 of 0.99.

    Args:
        image_shape: (height, width, channels), a side above 2; the map is halved to 2x2, at most three times.
        latent_dim: size of the latents.
        base_filters: channels of the largest map; each smaller map has twice as many.

    Returns:
        A Keras model, (N, latent_dim) to (N, height, width, channels) in [-1, 1].

    Raises:
        ConfigurationError: images that cannot be halved.
    """
    check_image_shape(image_shape)
    *sizes, smallest = _sizes(image_shape, 3)
    filters = base_filters << len(sizes)
    latents = keras.Input((latent_dim,), name="latents")
    x = _projected(latents, (*smallest, filters))
    for size in reversed(sizes):
        filters //= 2
        x = layers.ReLU()(_norm(_doubled(x, filters, 3, size, use_bias=False)))
    x = layers.Conv2D(
        image_shape[-1],
        3,
        padding="same",
        kernel_initializer=initializers.TruncatedNormal(stddev=0.02),
        name="to_image",
    )(x)
    return keras.Model(latents, layers.Activation("tanh", dtype="float32", name="images")(x), name="generator")


def build_unrolled_discriminator(image_shape=(28, 28, 3), packing=2, *, base_filters=2):
    """The discriminator of the unrolled GAN's protocol for stacked MNIST: small on purpose, batch norm at every map.

    Args:
        image_shape: of one image; see `build_unrolled_generator`.
        packing: images per pack, m, 1 or more.
        base_filters: channels of the first map: 2 for the protocol's "D = 1/4 G", 4 for its "D = 1/2 G".

    Returns:
        A Keras model, packs (N, height, width, m * channels) to logits (N, 1).

    Raises:
        ConfigurationError: images that cannot be halved, or a packing below 1.
    """
    check_image_shape(image_shape)
    packs = x = _packs(image_shape, packing)
    for stage in range(len(_sizes(image_shape, 3)) - 1):
        x = layers.LeakyReLU(0.3)(_norm(_halved(x, base_filters << stage, 3, use_bias=False)))
    return keras.Model(packs, _logits(layers.Flatten()(x)), name="discriminator")


def build_point_generator(latent_dim=2, *, units=400):
    """The paper's generator for points in the plane: four hidden layers and an unbounded output.

    Points are images of shape (1, 1, 2) in [-1, 1]: divide `kg.data.ring` by 1.1 and `kg.data.grid` by 4.5, and divide
    lengths, such as the radius of a mode, by the same number. Take points as floats from
    `predict`, because `generate` rounds to 256 levels:

    >>> gan = kg.PacGAN(build_point_generator(), build_point_discriminator(packing=3), packing=3)
    >>> points = 1.1 * gan.predict(gan.noise(2500, seed=0), verbose=0).reshape(-1, 2)
    >>> points.shape
    (2500, 2)

    The published code trains it in batches of 100 packs with Adam at 1e-4 and a beta_1 of 0.8.

    Args:
        latent_dim: size of the latents.
        units: width of the hidden layers.

    Returns:
        A Keras model, (N, latent_dim) to (N, 1, 1, 2).
    """
    latents = x = keras.Input((latent_dim,), name="latents")
    for _ in range(4):
        x = layers.Dense(units, use_bias=False, kernel_initializer=_normal())(x)
        x = layers.ReLU()(_norm(x, momentum=0.95))
    x = layers.Dense(2, kernel_initializer=_normal(), dtype="float32", name="coordinates")(x)
    return keras.Model(latents, layers.Reshape((1, 1, 2), dtype="float32", name="points")(x), name="generator")


def build_point_discriminator(packing=2, *, units=200, pieces=5):
    """The paper's discriminator for points in the plane: three maxout layers, then one logit.

    Args:
        packing: points per pack, m, 1 or more; only the first layer depends on it.
        units: width of the hidden layers.
        pieces: linear pieces of each maxout unit.

    Returns:
        A Keras model, packs (N, 1, 1, 2 m) to logits (N, 1).

    Raises:
        ConfigurationError: a packing below 1.
    """
    packs = _packs((1, 1, 2), packing)
    x = layers.Flatten()(packs)
    for _ in range(3):
        x = Maxout(units, pieces, _normal())(x)
    return keras.Model(packs, _logits(x), name="discriminator")


def _check_packing(packing):
    if not is_whole(packing, 1):
        raise ConfigurationError(f"Expected a packing of 1 or more. Received: {packing!r}.")


@keras.saving.register_keras_serializable(package="keras_gans")
class PacGAN(AdversarialModel):
    """A GAN whose discriminator judges packs of images; `packing=1` is the plain GAN.

    Consecutive images of a batch make a real pack, so shuffle ordered data. `fit` refuses a batch size that is not a
    whole number of packs. In a smaller last batch, images that do not fill a pack are left out of the step.
    Only the last batch of a stream, or of `evaluate`, may have fewer images than a pack; its one pack repeats them.

    Args:
        generator, discriminator: networks. The discriminator takes packs, with `packing` times as many channels as an
            image. With neither, those of VEEGAN's protocol for `image_shape` and `latent_dim`.
        packing: images per pack, m, 1 or more.
        image_shape: (height, width, channels) of the default networks' images.
        latent_dim: latents of the default generator.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: a packing below 1, images too small, or networks that do not fit each other.

    Example:

    >>> gan = kg.PacGAN(image_shape=(28, 28, 1), packing=3)
    >>> gan.compile()
    >>> gan.discriminator.input_shape, gan.generate(4, seed=0).shape
    ((None, 28, 28, 3), (4, 28, 28, 1))

    Reference: Lin et al., 2018, https://arxiv.org/abs/1712.04086; code: https://github.com/fjxmlzn/PacGAN
    """

    def __init__(
        self, generator=None, discriminator=None, *, packing=2, image_shape=(28, 28, 3), latent_dim=100, **kwargs
    ):
        _check_packing(packing)
        if generator is None and discriminator is None:
            generator = build_generator(image_shape, latent_dim)
            discriminator = build_discriminator(image_shape, packing)

        def packs_of_images(generator):
            *size, channels = generator.output_shape[1:]
            return (*size, packing * channels)

        check_networks(generator, discriminator, judged=packs_of_images)
        self.packing = packing
        super().__init__(generator=generator, discriminator=discriminator, **noise_to_images(generator), **kwargs)
        self.real_target = self.add_weight(shape=(), initializer="ones", trainable=False, name="real_target")

    def fit(self, x=None, y=None, **options):
        """`AdversarialModel.fit` for batches of whole packs.

        Raises:
            DataError: also for arrays whose batches are not a whole number of packs, or whose last batch has fewer
                images than a pack.
        """
        images = named(x, self.batch_fields)["images"] if isinstance(x, dict) else x
        if isinstance(images, (np.ndarray, list)) or ops.is_tensor(images):
            size = options.get("batch_size") or 32  # Keras's default
            check_batch_size(size, self.packing)
            last = len(images) % size or size
            if 0 < len(images) and last < self.packing:
                raise DataError(
                    f"Expected batches of at least {self.packing} images, a pack. Received: {len(images)} images in "
                    f"batches of {size}, the last of {last}. Choose another batch_size, or pass "
                    "kg.data.Batches(images, batch_size=...), which leaves out the rest of each epoch."
                )
        return super().fit(x, y, **options)

    def encode_batch(self, data):
        """The batch as the networks see it: whole packs of images, at least one for each discriminator update."""
        images = super().encode_batch(data)["images"]
        return {"images": images[: ops.shape(images)[0] // self.packing * self.packing]}

    def score(self, images, training=True):
        """The discriminator's logits of the images' packs, float32 (N / m, 1)."""
        return super().score(pack(images, self.packing), training)

    def discriminator_loss(self, real, fake, training=True):
        return non_saturating_discriminator_loss(
            self.score(real, training), self.score(fake, training), self.real_target
        )

    def generator_loss(self, fake, training=True):
        return non_saturating_generator_loss(self.score(fake, training))

    def train_step(self, data):
        images = self.encode_batch(data)["images"]
        for packs in self.shares(ops.reshape(images, (-1, self.packing, *self.image_shape))):
            real = ops.reshape(packs, (-1, *self.image_shape))
            fake = self.record(self.latents_like(real))
            d_loss = self.minimize("discriminator", self.discriminator_loss, real, fake.outputs)
        g_loss = self.minimize("generator", self.generator_loss, fake)
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def paper_optimizers(self):
        return {player: FusedAdam(2e-4, beta_1=0.5) for player in self.players}
