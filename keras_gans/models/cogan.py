"""CoGAN: Liu and Tuzel, 2016, "Coupled generative adversarial networks", https://arxiv.org/abs/1606.07536; code:
https://github.com/mingyuliutw/CoGAN

Objective, of domains k = 1, 2 with the generators g_k of the same z, the logits f_k and images x_k without pairs:
    discriminators: mean over k of  E[softplus(-f_k(x_k))] + E[softplus(f_k(g_k(z)))]
    generators:     mean over k of  E[softplus(-f_k(g_k(z)))]               (non-saturating)
each beside l2_weight / 2 |w|^2 of the player's weights, which the logs leave out. All layers of the generators but the
last are one network, and all layers of the discriminators but the first: what is shown is common, how it looks is each
domain's own. No other tie makes the images of a pair belong together.

Schedule: the discriminators are updated on images of both domains and on pairs from fresh latents; then the generators
on latents drawn anew. With `discriminator_steps=k` the batch is dealt out to k updates of the discriminators.

Departures from the paper:
- the mean over the domains in the place of the paper's sum: in the published code the batches of both domains are one;
- one logit, where the published code has two and a softmax: the logit is their difference;
- no bias before batch normalization, which would take it away again;
- the networks, optimizers and the normal prior are those of the published PyTorch code for MNIST; the Caffe code has
  U(-1, 1), dropout and batches of 128. The adaptation of a classifier to another domain is left out;
- which layers are shared for faces: unconfirmed.
"""

import keras
from keras import initializers, layers

from keras_gans.data.checks import check_image_shape, check_images, is_number
from keras_gans.data.unpaired import edges, two_domains
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.images import grid
from keras_gans.layers import FusedBatchNormalization
from keras_gans.losses import non_saturating_discriminator_loss, non_saturating_generator_loss
from keras_gans.model import PLAYERS, AdversarialModel
from keras_gans.optimizers import FusedAdam
from keras_gans.penalties import l2_penalty

DOMAINS = ("first", "second")


def _xavier():
    return {
        "kernel_initializer": initializers.VarianceScaling(2.0, "fan_avg", "uniform"),
        "bias_initializer": initializers.Constant(0.1),
    }


def _prelu(name, rank):
    """One slope for all maps or units, as PyTorch's PReLU has it."""
    return layers.PReLU(initializers.Constant(0.25), shared_axes=list(range(1, rank)), name=name)


def _normalised(x, name):
    x = FusedBatchNormalization(momentum=0.9, epsilon=1e-5, center=False, scale=False, name=f"{name}_norm")(x)
    return _prelu(f"{name}_prelu", 4)(x)


def build_generator(image_shape=(28, 28, 1), latent_dim=100, *, filters=(1024, 512, 256, 128)):
    """The generators for MNIST, as one network: transposed convolutions for both domains, then one for each.

    The shared ones make a map of n pixels a side 2 n - 1; the last ones, of 6x6 pixels at 28x28, add what is missing.

    Args:
        image_shape: (height, width, channels) of an image of either domain.
        latent_dim: how many numbers a pair is made from.
        filters: channels of the shared maps, the smallest map first; one or more.

    Returns:
        A Keras model, (N, latent_dim) to pairs (N, 2, height, width, channels) in [-1, 1]. The layers of one domain
        alone are those whose names begin with "first" and "second".

    Raises:
        ConfigurationError: no filters.
    """
    check_image_shape(image_shape)
    if len(filters) == 0:
        raise ConfigurationError("Expected filters of one shared map or more. Received: none.")
    height, width, channels = image_shape
    doublings = len(filters) - 1
    smallest = [((side - 1) >> doublings) + 1 for side in (height, width)]
    largest = [((side - 1) << doublings) + 1 for side in smallest]
    latents = keras.Input((latent_dim,), name="latents")
    x = layers.Reshape((1, 1, latent_dim), name="reshape")(latents)
    x = layers.Conv2DTranspose(filters[0], smallest, use_bias=False, name="project", **_xavier())(x)
    x = _normalised(x, "project")
    for i, count in enumerate(filters[1:]):
        x = layers.Conv2DTranspose(count, 3, strides=2, use_bias=False, name=f"up{i}", **_xavier())(x)
        x = layers.Cropping2D(1, name=f"up{i}_crop")(x)  # PyTorch's padding of 1: 2 n + 1 becomes 2 n - 1
        x = _normalised(x, f"up{i}")
    size = [side - there + 3 for side, there in zip((height, width), largest)]
    pair = []
    for domain in DOMAINS:
        y = layers.Conv2DTranspose(channels, size, name=f"{domain}_pixels", **_xavier())(x)
        y = layers.Cropping2D(1, name=f"{domain}_crop")(y)
        pair.append(layers.Reshape((1, *image_shape), name=f"{domain}_reshape")(y))
    x = layers.Concatenate(axis=1, name="pair")(pair)
    x = layers.Activation("sigmoid", dtype="float32", name="sigmoid")(x)
    return keras.Model(latents, layers.Rescaling(2.0, offset=-1.0, dtype="float32", name="images")(x), name="generator")


def build_discriminator(image_shape=(28, 28, 1), *, filters=(20, 50), units=500, kernel_size=5):
    """The discriminators for MNIST, as one network: a convolution for each domain, then layers for both.

    Args:
        image_shape: (height, width, channels) of an image of either domain.
        filters: channels of the two convolutions.
        units: width of the dense layer.
        kernel_size: of both convolutions, which add no border; the map after either is halved.

    Returns:
        A Keras model, pairs (N, 2, height, width, channels) to logits (N, 2), each of one image alone. The layers of
        one domain alone are those whose names begin with "first" and "second".

    Raises:
        ConfigurationError: images that are too small for the convolutions.
    """
    check_image_shape(image_shape)
    if min(((side - kernel_size + 1) // 2 - kernel_size + 1) // 2 for side in image_shape[:2]) < 1:
        raise ConfigurationError(
            f"Expected images that two convolutions of {kernel_size}x{kernel_size} and two halvings leave a pixel of. "
            f"Received: image_shape={tuple(image_shape)}. Resize the images, or pass a smaller kernel_size."
        )
    shared = [
        layers.MaxPooling2D(2, name="pool0"),
        layers.Conv2D(filters[1], kernel_size, name="conv", **_xavier()),
        layers.MaxPooling2D(2, name="pool1"),
        layers.Flatten(name="flatten"),
        layers.Dense(units, name="dense", **_xavier()),
        _prelu("dense_prelu", 2),
        layers.Dense(1, dtype="float32", name="logit", **_xavier()),
    ]
    images = keras.Input((2, *image_shape), name="images")
    rescaled = layers.Rescaling(0.5, offset=0.5, name="rescale")(images)  # pixels in [0, 1]
    logits = []
    for k, domain in enumerate(DOMAINS):
        x = layers.Cropping3D(((k, 1 - k), (0, 0), (0, 0)), name=f"{domain}_image")(rescaled)
        x = layers.Reshape(image_shape, name=f"{domain}_reshape")(x)
        x = layers.Conv2D(filters[0], kernel_size, name=f"{domain}_conv", **_xavier())(x)
        for layer in shared:
            x = layer(x)
        logits.append(x)
    return keras.Model(images, layers.Concatenate(dtype="float32", name="logits")(logits), name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gans")
class CoGAN(AdversarialModel):
    """Coupled GANs: pairs of images of two domains, such as a digit and its edges, learned from images without pairs.

    What the base says of an image holds for a pair here: `fit` and `evaluate` take (N, 2, height, width, channels), the
    first domain's images first, as `kg.data.two_domains` and `kg.data.UnpairedBatches` give them; who stands beside
    whom is of no meaning. `generate` returns pairs, uint8 (n, 2, height, width, channels), that belong together.

    Args:
        generator: Keras model, latents (N, latent_dim) to pairs (N, 2, height, width, channels) in [-1, 1].
        discriminator: Keras model, pairs to logits (N, 2), each of one image alone. With neither, the published ones
            for MNIST, for `image_shape`.
        image_shape: (height, width, channels) of an image of the default networks.
        latent_dim: latents of the default generator.
        l2_weight: of the L2 penalty on all weights, 0 or more: its gradient is l2_weight w.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: a weight below 0, a generator of anything else than pairs, or networks that do not fit each
            other.

    Example:

    >>> gan = kg.CoGAN(image_shape=(28, 28, 1))
    >>> gan.compile()
    >>> pairs = gan.generate(4, seed=0)
    >>> pairs.shape, gan.picture(pairs, columns=4).shape     # each pair one above the other
    ((4, 2, 28, 28, 1), (56, 112, 1))

    Reference: Liu and Tuzel, 2016, https://arxiv.org/abs/1606.07536; code: https://github.com/mingyuliutw/CoGAN
    """

    logits_per_image = 2

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(28, 28, 1),
        latent_dim=100,
        l2_weight=5e-4,
        **kwargs,
    ):
        if generator is None and discriminator is None:
            generator, discriminator = build_generator(image_shape, latent_dim), build_discriminator(image_shape)
        if not is_number(l2_weight, 0.0):
            raise ConfigurationError(f"Expected an l2_weight of 0 or more. Received: {l2_weight!r}.")
        super().__init__(generator, discriminator, **kwargs)
        if len(generator.output_shape) != 5 or generator.output_shape[1] != 2:
            raise ConfigurationError(
                f"Expected a generator of pairs (N, 2, height, width, channels). Received: {generator.output_shape}."
            )
        self.l2_weight = l2_weight
        self.real_target = self.add_weight(shape=(), initializer="ones", trainable=False, name="real_target")
        if discriminator is not None:
            for player in PLAYERS:
                self.penalties[player]["l2"] = lambda player=player: (
                    self.l2_weight * l2_penalty(self.player_variables(player))
                )

    # The game

    def discriminator_loss(self, real, fake, training=True):
        """Of images of both domains and generated ones, (N, 2, height, width, channels): the mean over the domains."""
        return non_saturating_discriminator_loss(
            self.score(real, training), self.score(fake, training), self.real_target
        )

    def generator_loss(self, fake, training=True):
        return non_saturating_generator_loss(self.score(fake, training))

    def train_step(self, data):
        real = self.real_images(data)
        k = self.discriminator_steps
        for i in range(k):
            share = real[i::k]
            fake = self.generator(self.latents_like(share), training=True)
            d_loss = self.minimize("discriminator", self.discriminator_loss, share, fake)
        g_loss = self.minimize("generator", self.generator_loss, self.play(self.latents_like(share)))
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def paper_optimizers(self):
        return {player: FusedAdam(2e-4, beta_1=0.5, epsilon=1e-8) for player in PLAYERS}

    # Pairs in the place of images

    @property
    def image_shape(self):
        """(height, width, channels) of an image of either domain."""
        return tuple(self.generator.output_shape[2:])

    @property
    def example_shape(self):
        """(2, height, width, channels)."""
        return tuple(self.generator.output_shape[1:])

    def check_examples(self, examples, shape):
        if tuple(examples.shape[1:]) != tuple(shape):
            raise DataError(
                f"Expected images of shape (N, {', '.join(map(str, shape))}), one of each domain side by side. "
                f"Received: {tuple(examples.shape)}. Use kg.data.UnpairedBatches or kg.data.two_domains, with "
                "image_size for the model's size, or build the model with the images' image_shape."
            )
        check_images(examples, shape)

    def picture(self, samples, columns=None):
        """One picture of many pairs, the image of the first domain above that of the second."""
        count, _, height, width, channels = samples.shape
        return grid(samples.reshape(count, 2 * height, width, channels), columns)

    @classmethod
    def load_data(cls, source, *, change=edges, labels=False, **options):
        """`UnpairedBatches` for `fit`, by default of images and of the edges of others; see `kg.data.two_domains`."""
        if labels:
            raise ConfigurationError(f"Expected no labels: a CoGAN learns from images alone. Received: {labels!r}.")
        return two_domains(source, change, **options)

    def get_config(self):
        return {**super().get_config(), "l2_weight": self.l2_weight}
