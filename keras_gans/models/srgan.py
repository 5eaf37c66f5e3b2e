"""SRGAN and SRResNet: Ledig et al., 2017, "Photo-realistic single image super-resolution using a generative adversarial
network", https://arxiv.org/abs/1609.04802

A generator makes images larger: G(x) of a small image x, which was made from a large one, y.

Objective (d: logits of the discriminator; phi: `features`, a fixed network; means over batch, pixels and channels):
    first phase, SRResNet:  generator      E[(y - G(x))^2]
    second phase, SRGAN:    discriminator  E[softplus(-d(y))] + E[softplus(d(G(x)))]
                            generator      E[(phi(y) - phi(G(x)))^2] + adversarial_weight E[softplus(-d(G(x)))]
                                           adversarial_weight = 1e-3; phi is the identity without `features`

Schedule: in the first phase (`pretraining=True`) each step updates the generator. In the second, each step makes the
batch's images larger once. The discriminator is updated on large and on made images, in separate batches, then the
generator on the same made images, judged by the updated discriminator. With `discriminator_steps=k` the batch is split
among k discriminator updates.

Networks: the generator has residual blocks at the small size, then one pixel shuffle for each factor of two.

Departures from the paper:
- small images are in [-1, 1] like large ones; the paper's are in [0, 1];
- the paper sums the adversarial loss over the batch's images and divides the content loss by width and height alone.
  Both are means here, also over the features' channels, as in the known implementations;
- PReLU has one slope per channel; the paper does not say;
- `phases` trains the second phase for a fifth of the first one's epochs, as the paper's 2e5 updates after 1e6, with a
  tenth of the rate in its second half.
"""

import keras
from keras import layers, ops

from keras_gans.data.patches import load_patches
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import Images, check_image_shape
from keras_gans.layers import BicubicEnlargement, FusedBatchNormalization, PixelShuffle
from keras_gans.losses import non_saturating_discriminator_loss, non_saturating_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_built, check_discriminator, check_image_range
from keras_gans.optimizers import FusedAdam
from keras_gans.phases import Phase
from keras_gans.tiles import in_tiles, reach, resized
from keras_gans_core.checks import is_number, is_whole


def build_generator(channels=3, *, factor=4, filters=64, blocks=16, skip=False):
    """The paper's SRResNet, for images of any size.

    Args:
        channels: of the images, 1 or 3.
        factor: how many times larger it makes them, a power of two.
        filters: channels of the maps.
        blocks: residual blocks.
        skip: whether the network's output, which is zero at first, is added to the image enlarged bicubically. In the
            paper it is not. A short training does not reach bicubic resizing without it.

    Returns:
        A Keras model, (N, height, width, channels) to (N, factor height, factor width, channels).

    Raises:
        ConfigurationError: another factor.

    Example:

    >>> build_generator(filters=4, blocks=1).compute_output_shape((1, 6, 5, 3))
    (1, 24, 20, 3)
    """
    if not is_whole(factor, 2) or factor & (factor - 1):
        raise ConfigurationError(f"Expected a factor that is a power of two, such as 4. Received: {factor!r}.")

    def conv(filters, size=3, name=None):
        return layers.Conv2D(filters, size, padding="same", name=name)

    def norm(name):
        return FusedBatchNormalization(momentum=0.9, epsilon=1e-5, name=name)

    def act(name):
        return layers.PReLU(shared_axes=(1, 2), name=name)

    images = keras.Input((None, None, channels), name="small")
    head = x = act("head_act")(conv(filters, 9, "head")(images))
    for i in range(blocks):
        y = act(f"block{i}_act")(norm(f"block{i}_norm0")(conv(filters, name=f"block{i}_conv0")(x)))
        x = layers.Add(name=f"block{i}")([x, norm(f"block{i}_norm1")(conv(filters, name=f"block{i}_conv1")(y))])
    x = layers.Add(name="body")([head, norm("body_norm")(conv(filters, name="body_conv")(x))])
    for i in range(factor.bit_length() - 1):
        x = PixelShuffle(2, name=f"up{i}_shuffle")(conv(4 * filters, name=f"up{i}")(x))
        x = act(f"up{i}_act")(x)
    start = "zeros" if skip else "glorot_uniform"
    x = layers.Conv2D(channels, 9, padding="same", kernel_initializer=start, dtype="float32", name="images")(x)
    if skip:
        enlarged = BicubicEnlargement(factor, dtype="float32", name="enlarged")(images)
        x = layers.Add(dtype="float32", name="with_enlarged")([x, enlarged])
    return keras.Model(images, x, name="generator")


def build_discriminator(image_shape=(96, 96, 3), *, filters=64, units=1024):
    """The paper's discriminator: convolutions whose strides halve the map four times, then two dense layers.

    Args:
        image_shape: (height, width, channels) of the large images, both sides 16 or more.
        filters: channels of the first map; there are twice as many after each second convolution.
        units: of the dense layer.

    Returns:
        A Keras model, images to logits (N, 1).

    Raises:
        ConfigurationError: smaller images.
    """
    check_image_shape(image_shape)
    if min(image_shape[:2]) < 16:
        raise ConfigurationError(f"Expected images of 16x16 or more. Received: image_shape={tuple(image_shape)}.")
    images = x = keras.Input(image_shape, name="images")
    for i in range(8):
        x = layers.Conv2D(filters << (i // 2), 3, 1 + i % 2, padding="same", use_bias=i == 0, name=f"conv{i}")(x)
        if i > 0:
            x = FusedBatchNormalization(momentum=0.9, epsilon=1e-5, name=f"norm{i}")(x)
        x = layers.LeakyReLU(0.2, name=f"act{i}")(x)
    x = layers.LeakyReLU(0.2, name="dense_act")(layers.Dense(units, name="dense")(layers.Flatten(name="flatten")(x)))
    return keras.Model(images, layers.Dense(1, dtype="float32", name="logits")(x), name="discriminator")


def vgg_features(layer="block5_conv4"):
    """The features of the paper's content loss: VGG19 up to a layer, after its activation, divided by 12.75.

    "block5_conv4" is the paper's VGG54, "block2_conv2" its VGG22. Keras downloads the weights (80 MB), once.

    Returns:
        A Keras model, images (N, height, width, 3) in [-1, 1] to maps.

    Raises:
        DataError: no weights and no network.
        ConfigurationError: no such layer.
    """
    images = keras.Input((None, None, 3), name="images")
    try:
        vgg = keras.applications.VGG19(include_top=False, weights="imagenet")
    except Exception as error:  # Keras passes on whatever the network raises
        raise DataError(
            f"Expected the weights of VGG19, which Keras downloads. Received: {type(error).__name__}. Try again with a "
            "network, or pass another Keras model as features=, such as convolutions of a classifier of your own."
        ) from error
    names = [one.name for one in vgg.layers if "conv" in one.name]
    if layer not in names:
        raise ConfigurationError(f"Expected a layer of VGG19: {', '.join(names)}. Received: {layer!r}.")
    maps = keras.Model(vgg.input, vgg.get_layer(layer).output)
    blue_green_red = ops.flip(127.5 * (images + 1.0), axis=-1) - ops.array([103.939, 116.779, 123.68])
    return keras.Model(images, layers.Rescaling(1 / 12.75)(maps(blue_green_red)), name=f"vgg19_{layer}")


@keras.saving.register_keras_serializable(package="keras_gans")
class SRGAN(AdversarialModel):
    """Makes images larger: `upscale(images)`, of any size.

    Args:
        generator: Keras model, small images to large ones. Its sides may be None.
        discriminator: Keras model, large images to logits (N, 1). With neither network, the paper's for `image_shape`.
        features: Keras model, large images to whatever the content loss compares, such as `vgg_features()`. Its weights
            never change: the constructor sets its `trainable` to False. None compares pixels (the paper's SRGAN-MSE).
        image_shape: (height, width, channels) of the large images in training; `upscale` takes small ones of any size.
        factor: how many times larger the default generator makes images, a power of two.
        pretraining: whether `fit` trains the generator alone, by the squared error (SRResNet). `for_adversary()`
            returns the model of the second phase.
        adversarial_weight: weight of the generator's adversarial loss, 0 or more.
        pixel_weight: weight of the squared error of pixels in the second phase, beside the features'. 0 in the paper.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: weights out of range, or networks that do not fit each other.

    Example:

    >>> model = kg.SRGAN(image_shape=(32, 32, 3))
    >>> model.upscale(np.zeros((1, 10, 7, 3), "uint8")).shape
    (1, 40, 28, 3)

    Reference: Ledig et al., 2017, https://arxiv.org/abs/1609.04802
    """

    log_names = ("d_loss", "g_loss", "content_loss")

    def __init__(
        self,
        generator=None,
        discriminator=None,
        features=None,
        *,
        image_shape=(96, 96, 3),
        factor=4,
        pretraining=False,
        adversarial_weight=1e-3,
        pixel_weight=0.0,
        **kwargs,
    ):
        for name, weight in (("adversarial_weight", adversarial_weight), ("pixel_weight", pixel_weight)):
            if not is_number(weight, 0.0):
                raise ConfigurationError(f"Expected {name} of 0 or more. Received: {weight!r}.")
        if generator is None and discriminator is None:
            generator = build_generator(image_shape[-1], factor=factor)
            discriminator = build_discriminator(image_shape)
        factor = _checked_factor(generator)
        large = _checked_shape(generator, discriminator, features, factor)
        small = (*(side and side // factor for side in large[:2]), large[2])
        if pretraining:
            self.players, self.log_names = {"generator": ("generator",), "discriminator": ()}, ("pixel_loss",)
        any_size = generator.input_shape[1:]
        super().__init__(
            generator=generator,
            batch_fields={"small": Images(small), "images": Images(large)},
            input_fields={"small": Images(any_size)},
            output_fields={"images": Images((*(side and side * factor for side in any_size[:2]), large[2]))},
            **kwargs,
        )
        if features is not None:
            features.trainable = False
        self.discriminator, self.features = discriminator, features
        self.factor, self.pretraining = factor, bool(pretraining)
        self.adversarial_weight, self.pixel_weight = adversarial_weight, pixel_weight
        self.real_target = self.add_weight(shape=(), initializer="ones", trainable=False, name="real_target")

    # The game

    def content_loss(self, made, images):
        """How far made images are from the true ones: by the features, and `pixel_weight` times by the pixels."""
        pixels = self.pixel_loss(made, images)
        if self.features is None:
            return (1.0 + self.pixel_weight) * pixels
        wanted, seen = (ops.cast(self.features(shown, training=False), "float32") for shown in (images, made))
        return ops.mean(ops.square(wanted - seen)) + self.pixel_weight * pixels

    def discriminator_loss(self, real, fake, training=True):
        return non_saturating_discriminator_loss(
            self.score(real, training), self.score(fake, training), self.real_target
        )

    def generator_loss(self, fake, images, training=True):
        """The weighted sum of the losses, and the content loss."""
        content = self.content_loss(fake, images)
        adversarial = non_saturating_generator_loss(self.score(fake, training))
        return ops.stack([content + self.adversarial_weight * adversarial, content])

    def pixel_loss(self, made, images):
        """The squared error of made images, mean over all elements."""
        return ops.mean(ops.square(images - ops.cast(made, "float32")))

    def train_step(self, data):
        batch = self.encode_batch(data)
        if self.pretraining:
            made, images = self.record(batch["small"]), batch["images"]
            return self.log(pixel_loss=self.minimize("generator", lambda made: self.pixel_loss(made, images), made))
        for small, images in self.shares(batch["small"], batch["images"]):
            fake = self.record(small)
            d_loss = self.minimize("discriminator", self.discriminator_loss, images, fake.outputs)
        losses = self.minimize("generator", lambda fake: self.generator_loss(fake, images), fake)
        return self.log(d_loss=d_loss, g_loss=losses[0], content_loss=losses[1])

    def batch_losses(self, small, images):
        made = self.generator(small, training=False)
        if self.pretraining:
            return {"pixel_loss": self.pixel_loss(made, images)}
        g_loss, content_loss = ops.unstack(self.generator_loss(made, images, training=False), 2)
        d_loss = self.discriminator_loss(images, made, training=False)
        return {"d_loss": d_loss, "g_loss": g_loss, "content_loss": content_loss}

    def batch_scores(self, small, images):
        if self.discriminator is None:
            return None
        return self.score(images, training=False), self.score(self.generator(small, training=False), training=False)

    def paper_optimizers(self):
        return {player: FusedAdam(1e-4, beta_1=0.9) for player in self.players}

    # Phases

    def for_adversary(self):
        """The model of the second phase, not compiled: it trains the same generator against the discriminator.

        Raises:
            ConfigurationError: a model without a discriminator.
        """
        if self.discriminator is None:
            raise ConfigurationError("Expected a model with a discriminator. Received: discriminator=None. Pass one.")
        return type(self)(
            self.generator,
            self.discriminator,
            self.features,
            adversarial_weight=self.adversarial_weight,
            pixel_weight=self.pixel_weight,
            discriminator_steps=self.discriminator_steps,
            ema_decay=self.ema_decay,
            seed=self.seed,
            name=self.name,
            dtype=self.dtype_policy,
        )

    def phases(self, dataset, epochs):
        """With `pretraining`, first the squared error, then a fifth as many epochs of the game; else the game alone."""
        if not self.pretraining:
            return [Phase(dataset, epochs, title="against a discriminator")]
        return [
            Phase(dataset, epochs, title="squared error"),
            Phase(
                dataset,
                max(1, epochs // 5),
                prepare=lambda model: _compiled(model.for_adversary(), len(dataset) * max(1, epochs // 5)),
                title="against a discriminator",
            ),
        ]

    # Upscaling

    def upscale(self, images, outscale=None, tile=None, tile_pad=None):
        """Makes images larger.

        Args:
            images: (N, height, width, channels) of any size, or a single one, uint8 or floats in [-1, 1].
            outscale: how many times larger, a number above 0; None for the model's `factor`. The network's images are
                resized for any other.
            tile: longest side, in pixels of `images`, of the tiles that are made larger one at a time, which bounds the
                memory; 0 for whole images. None for 256 where an image has more than 2^17 pixels, such as 400x400, and
                no layer sees the whole image.
            tile_pad: pixels around a tile that the network also sees. From `reach(generator)` on, which None stands
                for, the result is that without tiles; a warning says where it is less.

        Returns:
            uint8 (N, outscale height, outscale width, channels).

        Raises:
            DataError: images with other channels, or of a size that the generator does not take.
            ConfigurationError: an outscale, tile or tile_pad out of range.

        Example:

        >>> model = kg.SRGAN(image_shape=(32, 32, 3))
        >>> model.upscale(np.zeros((20, 30, 3), "uint8"), outscale=2, tile=16, tile_pad=40).shape
        (1, 40, 60, 3)
        """
        if outscale is not None and not (is_number(outscale, 0.0) and outscale > 0):
            raise ConfigurationError(f"Expected an outscale above 0, such as {self.factor}. Received: {outscale!r}.")
        small = self.input_fields["small"].asked(images)
        if tile is None and None not in self.input_fields["small"].shape:
            tile = 0  # the generator takes images of one size alone
        made = in_tiles(lambda part: self.sample(small=part)["images"], small, self.factor, tile, tile_pad,
                        reach(self.generator))  # fmt: skip
        return made if outscale in (None, self.factor) else resized(made, small.shape[1:3], outscale)

    # Data

    @classmethod
    def load_data(cls, source, *, labels=False, **options):
        """`Patches` for `fit`; see `kg.data.load_patches`."""
        if labels:
            raise ConfigurationError(f"Expected no labels: SRGAN learns from images alone. Received: {labels!r}.")
        return load_patches(source, **options)

    @classmethod
    def for_data(cls, dataset, **options):
        """The paper's networks for what `load_data` returned, in the first phase."""
        factor = dataset.image_shape[0] // dataset.arrays["small"].shape[1]
        return cls(**{"image_shape": dataset.image_shape, "factor": factor, "pretraining": True, **options})


def _compiled(model, updates):
    """The model with the paper's rates for its length: 1e-4 for half of the updates, then 1e-5."""
    rates = keras.optimizers.schedules.PiecewiseConstantDecay([updates // 2], [1e-4, 1e-5])
    model.compile(*(FusedAdam(rates, beta_1=0.9) for _ in model.players))
    return model


def _checked_factor(generator):
    """How many times larger a generator makes images."""
    check_built("generator", generator)
    shape = generator.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or len(generator.output_shape) != 4:
        raise ConfigurationError(
            f"Expected a generator of images to images. Received: one from {shape} to {generator.output_shape}."
        )
    small = [side or 8 for side in shape[1:3]]
    large = generator.compute_output_shape((1, *small, shape[3]))[1:3]
    factor = large[0] // small[0]
    if factor < 1 or [side * factor for side in small] != list(large) or shape[3] != generator.output_shape[3]:
        raise ConfigurationError(
            "Expected a generator that makes both sides larger by one whole number and keeps the channels. Received: "
            f"one from {(*small, shape[3])} to {(*large, generator.output_shape[3])}."
        )
    check_image_range("generator", generator)
    return factor


def _checked_shape(generator, discriminator, features, factor):
    """(height, width, channels) of large images in training: what the discriminator takes."""
    made = (*(side and side * factor for side in generator.input_shape[1:3]), generator.output_shape[3])
    for name, network in (("discriminator", discriminator), ("features", features)):
        if network is not None:
            check_built(name, network)
            taken = network.input_shape[1:] if isinstance(network.input_shape, tuple) else None
            sides = zip(made, taken) if taken is not None and len(taken) == 3 else [(0, 1)]
            if any(a is not None and b is not None and a != b for a, b in sides):
                raise ConfigurationError(
                    f"Expected {name} to take what the generator makes, images {made}. Received: one for "
                    f"{network.input_shape}."
                )
    if discriminator is None:
        return made
    large = discriminator.input_shape[1:]
    check_discriminator(discriminator, large, 1)
    if any(side is None or side % factor for side in large[:2]):
        raise ConfigurationError(
            "Expected a discriminator that takes what the generator makes, images whose sides are multiples of "
            f"{factor}. Received: one for {large}."
        )
    return large
