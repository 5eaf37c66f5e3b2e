"""pix2pixHD: Wang, Liu, Zhu, Tao, Kautz and Catanzaro, 2018, "High-resolution image synthesis and semantic manipulation
with conditional GANs", https://arxiv.org/abs/1711.11585

Objective, for label maps with their boundaries s, images y and made images G(s) (d_k: scores of scale k = 1..K, one for
each patch; d_k^j: the map after its activation j = 1..J; V_i: maps of `features`, if given; means over all elements):
    discriminator: sum_k (E[(d_k(s, y) - 1)^2] + E[d_k(s, G(s))^2]) / 2
    generator:     sum_k E[(d_k(s, G(s)) - 1)^2]
                   + matching_weight sum_k sum_j 4 / (K J) E|d_k^j(s, G(s)) - d_k^j(s, y)|      matching_weight = 10
                   + perceptual_weight sum_i w_i E|V_i(G(s)) - V_i(y)|                          perceptual_weight = 10

where the maps of y are constants, and w_i = 1/32, 1/16, 1/8, 1/4, 1 for five maps, as many of the last for fewer.

Styles: with an encoder E, the generator also sees, in each pixel, the mean of E(y) over the pixel's region. k-means
finds `num_styles` such means for each class (`find_styles`); sampling draws one of them for each region.

Schedule: each step makes images once. The generator, and E with it, is updated, judged by the discriminator; then the
discriminator, on the same made images. With `discriminator_steps=k` the batch is split among k discriminator updates.

Coarse to fine (`phases`): the global generator G1 learns at half the size. A local enhancer is added around it, which
sees the map at full size, and learns alone for a 20th as many epochs, then both together for 9 in 20. The rate is 2e-4,
and falls to zero in the second half of the first phase and of the two others together.

Networks: G1 has 9 residual blocks at its smallest map. The enhancer adds its own map to G1's last one, then has 3 more
blocks. The discriminator's scales are PatchGANs of the same size on images that were halved 0, 1 and 2 times.

Departures from the paper:
- no VGG by default: pass Keras networks as `features`, such as `keras_gans.models.srgan.vgg_features()`;
- instance normalization has no gamma and beta, as in the authors' code; the convolutions before it have no bias, which
  it would remove: in their code they have one, without effect;
- convolutions with stride 2 put their border pixel below and to the right; PyTorch's do so above and to the left;
- small images have fewer halvings in generator and encoder, fewer layers of stride 2 in the discriminators, and below
  64x64 fewer scales: our choice;
- the discriminators of the second phase are new. Every phase has new optimizers; in the authors' code the third
  phase's discriminators keep theirs;
- as in the authors' script for large images, E is fixed from the second phase on. Its styles are found there;
- a style of a region is a number. The authors' tool also takes the style of a region of another image as it is;
  `styles_of` gives the number that is nearest to it.
"""

import keras
import numpy as np
from keras import initializers, layers, ops

from keras_gans import engine, sampling
from keras_gans.clustering import k_means
from keras_gans.data.pair_batches import DIRECTIONS, check_direction
from keras_gans.data.pairs import load_pairs
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import Images, InstanceMaps, LabelMaps, Styles, check_image_shape
from keras_gans.layers import AverageHalving, InstanceNormalization, ReflectionPadding2D
from keras_gans.losses import least_squares_discriminator_loss, least_squares_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_built, check_image_range, check_logits
from keras_gans.networks.patch import layers_for, patch_maps
from keras_gans.networks.regions import edge_map, painted, region_means
from keras_gans.optimizers import FusedAdam, LinearDecay
from keras_gans.phases import Phase
from keras_gans_core.checks import is_number, is_whole

RATE = {"beta_1": 0.5, "epsilon": 1e-8}
COARSE = 64  # pixels per side from which on the default model learns coarse to fine
INNER = "global"  # the layer of an enhancer that holds the generator that it enhances


# Networks


def scales_for(image_shape):
    """How many scales the discriminator of a size has by default: 3 from 64x64 on, fewer below.

    >>> [scales_for((side, side, 3)) for side in (16, 32, 64, 256)]
    [1, 2, 3, 3]
    """
    return min(max(min(image_shape[:2]).bit_length() - 4, 1), 3)


def halvings_for(image_shape):
    """How often a generator halves images of a size by default: 4 times, less often where a side would be below 8.

    >>> [halvings_for((side, side, 3)) for side in (8, 32, 64, 512)]
    [1, 2, 3, 4]
    """
    return min(max(min(image_shape[:2]).bit_length() - 4, 1), 4)


def build_generator(source_shape, channels=3, *, filters=64, halvings=None, blocks=9):
    """The paper's global generator, G1.

    Args:
        source_shape: (height, width, channels) of what it sees: one-hot classes, boundaries and, if any, styles.
        channels: of the images that it makes.
        filters: channels of the first convolution, which double with each halving.
        halvings: how often it halves its maps, 1 or more; None for `halvings_for(source_shape)`.
        blocks: residual blocks, 1 or more.

    Returns:
        A Keras model, (N, *source_shape) to images (N, height, width, channels) in [-1, 1].

    Raises:
        ConfigurationError: sides that cannot be halved so often, with two pixels left, or are below 8.

    Example:

    >>> build_generator((32, 32, 9), filters=4, blocks=1).output_shape
    (None, 32, 32, 3)
    """
    check_image_shape((*source_shape[:2], 1))
    halvings = halvings_for(source_shape) if halvings is None else halvings
    if not (is_whole(halvings, 1) and is_whole(blocks, 1)):
        raise ConfigurationError(
            f"Expected 1 halving and 1 block, or more. Received: halvings={halvings!r}, blocks={blocks!r}."
        )
    _check_sides(source_shape, 2**halvings)
    sources = keras.Input(source_shape, name="sources")
    x = _stage(sources, filters, 7, "first")
    for i in range(1, halvings + 1):
        x = _stage(x, filters * 2**i, 3, f"down{i}", stride=2)
    for i in range(blocks):
        x = _block(x, f"block{i}")
    for i in reversed(range(halvings)):
        x = _stage(x, filters * 2**i, 3, f"up{i}", up=True)
    return keras.Model(sources, _image(x, channels), name="generator")


def build_enhancer(generator, *, filters=None, blocks=3):
    """The paper's local enhancer, G2: a generator of twice the size around a given one, which it shares.

    Args:
        generator: what `build_generator` or `build_enhancer` returned. Its last convolution, which makes images, is
            left out.
        filters: channels of the first convolution; None for half of the channels of the generator's last map, which it
            must be.
        blocks: residual blocks, 0 or more.

    Returns:
        A Keras model, (N, 2 height, 2 width, channels) to images of that size.

    Raises:
        ConfigurationError: a network that was not built here, or another number of filters.

    Example:

    >>> build_enhancer(build_generator((16, 16, 4), filters=4, blocks=1), blocks=1).output_shape
    (None, 32, 32, 3)
    """
    check_built("generator", generator)
    if "last_border" not in [layer.name for layer in generator.layers]:
        raise ConfigurationError(
            f"Expected a generator of build_generator or build_enhancer. Received: {generator.name}, of the shape "
            f"{generator.output_shape}, without the layer last_border."
        )
    inner = keras.Model(generator.input, generator.get_layer("last_border").input, name=INNER)
    height, width, channels = generator.input_shape[1:]
    wide = inner.output_shape[-1]
    filters = wide // 2 if filters is None else filters
    if 2 * filters != wide or not is_whole(blocks, 0):
        raise ConfigurationError(
            f"Expected {wide / 2:g} filters, half of the channels that are enhanced, and 0 blocks or more. Received: "
            f"filters={filters!r}, blocks={blocks!r}."
        )
    sources = keras.Input((2 * height, 2 * width, channels), name="sources")
    coarse = inner(AverageHalving(name="halved")(sources))
    x = _stage(_stage(sources, filters, 7, "first"), wide, 3, "down1", stride=2)
    x = layers.Add(name="enhanced")([coarse, x])
    for i in range(blocks):
        x = _block(x, f"block{i}")
    x = _stage(x, filters, 3, "up0", up=True)
    return keras.Model(sources, _image(x, generator.output_shape[-1]), name="generator")


def build_encoder(image_shape=(None, None, 3), channels=3, *, filters=16, halvings=4):
    """The paper's encoder of styles, for images of any size.

    Args:
        image_shape: (height, width, channels) of the images; None for any height or width.
        channels: of the map that it makes.
        filters: channels of the first convolution, which double with each halving.
        halvings: how often it halves its maps; sides must be multiples of 2^halvings.

    Returns:
        A Keras model, images to (N, height, width, channels) in [-1, 1].

    Raises:
        ConfigurationError: another shape, or no channel or halving.

    Example:

    >>> build_encoder(filters=2, halvings=2).compute_output_shape((1, 16, 32, 3))
    (1, 16, 32, 3)
    """
    any_size = isinstance(image_shape, (tuple, list)) and None in image_shape[:2]
    check_image_shape((32, 32, *image_shape[2:]) if any_size else image_shape)
    if not (is_whole(channels, 1) and is_whole(halvings, 1)):
        raise ConfigurationError(
            f"Expected 1 channel and 1 halving, or more. Received: channels={channels!r}, halvings={halvings!r}."
        )
    images = keras.Input(image_shape, name="images")
    x = _stage(images, filters, 7, "first")
    for i in range(1, halvings + 1):
        x = _stage(x, filters * 2**i, 3, f"down{i}", stride=2)
    for i in reversed(range(halvings)):
        x = _stage(x, filters * 2**i, 3, f"up{i}", up=True)
    return keras.Model(images, _image(x, channels), name="encoder")


def build_discriminator(image_shape, source_shape, *, scales=None, filters=64, num_layers=None):
    """The paper's discriminator: a PatchGAN on the images, one on the halved images, and so on.

    Args:
        image_shape: (height, width, channels) of the images.
        source_shape: (height, width, channels) of what they were made from: one-hot classes and boundaries.
        scales: how many PatchGANs; None for `scales_for(image_shape)`.
        filters: channels of each one's first convolution.
        num_layers: of stride 2 in each; None for `keras_gans.networks.patch.layers_for(image_shape)`.

    Returns:
        A Keras model, [sources, images] to a list for each scale: the maps after each activation, then the scores
        (N, h, w, 1). For one scale it is this list alone.

    Raises:
        ConfigurationError: sources of another size, or no scale or layer.

    Example:

    >>> scales = build_discriminator((32, 32, 3), (32, 32, 9), filters=2).output
    >>> [[maps.shape[1] for maps in scale] for scale in scales]
    [[17, 9, 10, 11], [9, 5, 6, 7]]
    """
    check_image_shape(image_shape)
    scales = scales_for(image_shape) if scales is None else scales
    num_layers = layers_for(image_shape) if num_layers is None else num_layers
    if not (is_whole(scales, 1) and is_whole(num_layers, 1)):
        raise ConfigurationError(
            f"Expected 1 scale and 1 layer of stride 2, or more. Received: scales={scales!r}, "
            f"num_layers={num_layers!r}."
        )
    if tuple(source_shape[:2]) != tuple(image_shape[:2]):
        raise ConfigurationError(
            f"Expected sources as large as the images, {tuple(image_shape[:2])}. Received: {tuple(source_shape)}."
        )
    sources, images = keras.Input(source_shape, name="sources"), keras.Input(image_shape, name="images")
    x, maps = layers.Concatenate(name="both")([sources, images]), []
    for k in range(scales):
        x = AverageHalving(name=f"halved{k}")(x) if k else x
        maps.append(patch_maps(x, filters, num_layers, border=2, prefix=f"scale{k}_"))
    return keras.Model([sources, images], maps, name="discriminator")


def build_styles(classes, num_styles, channels):
    """The table of styles, at first random numbers in [-1, 1].

    Returns:
        A Keras model, maps of class * num_styles + style, int32 (N, height, width), to (N, height, width, channels).
    """
    numbers = keras.Input((None, None), dtype="int32", name="numbers")
    table = layers.Embedding(
        classes * num_styles,
        channels,
        embeddings_initializer=initializers.RandomUniform(-1.0, 1.0),
        trainable=False,
        dtype="float32",
        name="table",
    )
    return keras.Model(numbers, table(numbers), name="styles")


def _stage(x, filters, size, name, stride=1, up=False, relu=True):
    """A convolution, reflected at the border where it keeps the size, instance normalization, and a ReLU."""
    options = {"kernel_initializer": initializers.RandomNormal(0.0, 0.02), "use_bias": False, "name": name}
    if up:
        x = layers.Conv2DTranspose(filters, size, 2, padding="same", **options)(x)
    elif stride > 1:
        x = layers.Conv2D(filters, size, stride, padding="same", **options)(x)
    else:
        x = layers.Conv2D(filters, size, **options)(ReflectionPadding2D(size // 2, name=f"{name}_border")(x))
    x = InstanceNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_act")(x) if relu else x


def _block(x, name):
    inner = _stage(_stage(x, x.shape[-1], 3, f"{name}a"), x.shape[-1], 3, f"{name}b", relu=False)
    return layers.Add(name=name)([x, inner])


def _image(x, channels):
    """The last convolution, and tanh."""
    x = ReflectionPadding2D(3, name="last_border")(x)
    x = layers.Conv2D(channels, 7, kernel_initializer=initializers.RandomNormal(0.0, 0.02), name="last")(x)
    return layers.Activation("tanh", dtype="float32", name="made")(x)


def _check_sides(shape, step):
    least = max(8, 2 * step)  # the smallest map has two pixels a side, of which one is reflected
    if any(side % step or side < least for side in shape[:2]):
        near = sorted({max(side // step + up, -(-least // step)) * step for side in shape[:2] for up in (0, 1)})
        raise ConfigurationError(
            f"Expected a height and a width that are multiples of {step}, {least} or more, such as "
            f"{' and '.join(map(str, near))}. Received: {tuple(shape[:2])}. Resize the images, or pass fewer halvings."
        )


@keras.saving.register_keras_serializable(package="keras_gans")
class Pix2PixHD(AdversarialModel):
    """Makes images from label maps, learned from pairs: `translate(maps)`; with an encoder, in several styles.

    Args:
        generator: Keras model, one-hot classes, boundaries and styles (N, height, width, channels) to images.
        discriminator: Keras model, [one-hot classes and boundaries, images] to maps and scores; see
            `build_discriminator`. With neither network, the paper's for `image_shape`.
        encoder: Keras model, images to maps of as many channels as a style has; None for one style.
        styles: Keras model, the table of styles; None for `build_styles`.
        features: Keras model, images to a map or a list of maps that the perceptual loss compares. Its weights never
            change: the constructor sets its `trainable` to False. None leaves the loss out.
        image_shape: (height, width, channels) of the images.
        source_classes: how many classes the label maps have; it may be left out where networks are given.
        style_channels: how many numbers a style has; for the default networks. 0 builds no encoder.
        num_styles: how many styles each class has. They are random until `find_styles` is called, as `phases` does;
            after a `fit` of your own call it yourself.
        instances: how many objects a map may have, if maps of their ids are given: boundaries and styles are then those
            of the objects. None: of the classes.
        matching_weight, perceptual_weight: weights of the generator's losses, 0 or more.
        fixed_global: whether the generator that an enhancer is built around stays as it is.
        fixed_encoder: whether the encoder stays as it is.
        direction: "AtoB" or "BtoA": which side of a pair the label maps were.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: sizes that cannot be halved, weights out of range, or networks that do not fit each other.

    Example:

    >>> model = kg.Pix2PixHD(image_shape=(16, 16, 3), source_classes=8, style_channels=3)
    >>> model.compile()
    >>> maps = np.zeros((2, 16, 16), "uint8")
    >>> model.translate(maps, seed=0).shape
    (2, 16, 16, 3)
    >>> model.translate(maps, style={0: 4}, seed=0).shape               # another style for the regions of class 0
    (2, 16, 16, 3)

    Reference: Wang et al., 2018, https://arxiv.org/abs/1711.11585; code: https://github.com/NVIDIA/pix2pixHD
    """

    averaged = ("generator", "encoder")
    kept = ("generator", "encoder", "styles")
    log_names = ("d_loss", "g_loss", "matching_loss")

    def __init__(
        self,
        generator=None,
        discriminator=None,
        encoder=None,
        styles=None,
        features=None,
        *,
        image_shape=(256, 256, 3),
        source_classes=None,
        style_channels=0,
        num_styles=10,
        instances=None,
        matching_weight=10.0,
        perceptual_weight=10.0,
        fixed_global=False,
        fixed_encoder=False,
        direction="AtoB",
        **kwargs,
    ):
        for name, weight in (("matching_weight", matching_weight), ("perceptual_weight", perceptual_weight)):
            if not is_number(weight, 0.0):
                raise ConfigurationError(f"Expected {name} of 0 or more. Received: {weight!r}.")
        for name, number, least in (("style_channels", style_channels, 0), ("num_styles", num_styles, 1)):
            if not is_whole(number, least):
                raise ConfigurationError(f"Expected {name} of {least} or more. Received: {number!r}.")
        check_direction(direction, DIRECTIONS)
        if generator is None and discriminator is None:
            check_image_shape(image_shape)
            if source_classes is None:
                raise ConfigurationError(
                    "Expected source_classes, how many classes the label maps have. Received: None. Pass it, or "
                    "classes= (--classes) to what loads the data."
                )
            LabelMaps(image_shape[:2], source_classes)  # checks it
            size, seen = tuple(image_shape[:2]), source_classes + 1
            generator = build_generator((*size, seen + style_channels), image_shape[2])
            discriminator = build_discriminator(image_shape, (*size, seen))
            if style_channels and encoder is None:
                shape = (None, None, image_shape[2])
                encoder = build_encoder(shape, style_channels, halvings=halvings_for(image_shape))
        shape, classes, channels = _checked_networks(generator, discriminator, encoder, features, source_classes)
        if encoder is not None:
            styles = build_styles(classes, num_styles, channels) if styles is None else styles
            num_styles = _checked_styles(styles, classes, channels)
            encoder.trainable = not fixed_encoder
            styles.trainable = False
        _fix_global(generator, fixed_global)
        if features is not None:
            features.trainable = False
        learning = ("generator",) if encoder is None or fixed_encoder else ("generator", "encoder")
        self.players = {"generator": learning, "discriminator": ("discriminator",)}
        sources, targets = LabelMaps(shape[:2], classes), Images(shape)
        objects = {} if instances is None else {"instances": InstanceMaps(shape[:2], instances)}
        drawn = {} if encoder is None else {"styles": Styles(instances or classes, num_styles)}
        super().__init__(
            generator=generator,
            discriminator=discriminator,
            encoder=encoder,
            styles=styles,
            batch_fields={"sources": sources, "targets": targets, **objects},
            input_fields={"sources": sources, **objects, **drawn},
            output_fields={"targets": targets},
            **kwargs,
        )
        self.features = features
        self.source_classes, self.style_channels, self.num_styles = classes, channels, num_styles
        self.instances, self.direction = instances, direction
        self.matching_weight, self.perceptual_weight = matching_weight, perceptual_weight
        self.fixed_global, self.fixed_encoder = bool(fixed_global), bool(fixed_encoder)
        self.real_target = self.add_weight(shape=(), initializer="ones", trainable=False, name="real_target")

    # What the networks see

    def conditions(self, sources, instances=None):
        """One-hot classes and boundaries, float32 (N, height, width, classes + 1).

        Args:
            sources, instances: encoded label maps, and maps of instances where the model has them.
        """
        ids = ops.argmax(sources if instances is None else instances, axis=-1)
        return ops.concatenate([sources, edge_map(ids)], axis=-1)

    def made_like(self, images, sources, instances=None, training=True):
        """Images made from label maps in the styles of given images."""
        seen = self.conditions(sources, instances)
        if self.encoder is None:
            return self.generator(seen, training=training)
        regions = sources if instances is None else instances
        means, _ = region_means(self.encoder(images, training=training), regions)
        return self.generator(ops.concatenate([seen, painted(means, regions)], axis=-1), training=training)

    def compute_outputs(self, inputs, training=False):
        """Images from encoded label maps, with the numbers of their regions' styles if the model has styles."""
        if not isinstance(inputs, dict):
            inputs = dict(zip(self.input_fields, keras.tree.flatten(inputs)))
        sources, instances = inputs["sources"], inputs.get("instances")
        seen = self.conditions(sources, instances)
        if self.encoder is not None:
            regions = sources if instances is None else instances
            numbers = painted(ops.cast(inputs["styles"], "float32")[..., None], regions)[..., 0]
            rows = ops.cast(ops.argmax(sources, axis=-1), "int32") * self.num_styles
            rows += ops.cast(ops.round(numbers), "int32")
            seen = ops.concatenate([seen, self.styles(rows)], axis=-1)
        return self.generator(seen, training=training)

    # The game

    def judged(self, examples, training=True):
        """What the discriminator makes of [conditions, images]: for each scale its maps, then its scores, float32."""
        scales = _by_scale(self.discriminator(examples, training=training))
        return [[ops.cast(one, "float32") for one in maps] for maps in scales]

    def score(self, examples, training=True):
        """The scores of all patches of all scales, float32 (N, patches)."""
        scores = [maps[-1] for maps in self.judged(examples, training)]
        return ops.concatenate([ops.reshape(one, (ops.shape(one)[0], -1)) for one in scores], axis=1)

    def discriminator_loss(self, real, fake, training=True):
        """The loss on [conditions, images] and [conditions, made images]."""
        both = zip(self.judged(real, training), self.judged(fake, training))
        return sum(least_squares_discriminator_loss(a[-1], b[-1], self.real_target) for a, b in both)

    def matching_loss(self, real, fake):
        """How far the discriminator's maps of made images are from those of true ones, which are constants."""
        total = ops.zeros(())
        for maps, others in zip(real, fake):
            for a, b in zip(maps[:-1], others[:-1]):
                total += 4.0 / (len(real) * (len(maps) - 1)) * ops.mean(ops.abs(b - ops.stop_gradient(a)))
        return total

    def perceptual_loss(self, made, images):
        """The weighted distances of the maps of `features`; 0 without them."""
        if self.features is None:
            return ops.zeros(())
        wanted, seen = (keras.tree.flatten(self.features(shown, training=False)) for shown in (images, made))
        weights = [0.5 ** (len(seen) - i) for i in range(len(seen) - 1)] + [1.0]
        distances = [
            ops.mean(ops.abs(ops.cast(b, "float32") - ops.stop_gradient(ops.cast(a, "float32"))))
            for a, b in zip(wanted, seen)
        ]
        return sum(weight * distance for weight, distance in zip(weights, distances))

    def generator_loss(self, fake, conditions, images, training=True):
        """The weighted sum of the losses, and the distance of the discriminator's maps."""
        fake = ops.cast(fake, "float32")
        real_maps, fake_maps = (self.judged([conditions, shown], training) for shown in (images, fake))
        # Twice, because the loss of the least squares GAN is half a square.
        adversarial = sum(2.0 * least_squares_generator_loss(maps[-1]) for maps in fake_maps)
        matching = self.matching_loss(real_maps, fake_maps)
        perceptual = self.perceptual_loss(fake, images)
        total = adversarial + self.matching_weight * matching + self.perceptual_weight * perceptual
        return ops.stack([total, matching])

    def train_step(self, data):
        batch = self.encode_batch(data)
        images = batch.pop("targets")
        seen = self.conditions(**batch)
        made = self.record_pass(lambda: self.made_like(images, **batch))
        losses = self.minimize("generator", lambda made: self.generator_loss(made, seen, images), made)
        for maps, real, fake in self.shares(seen, images, made.outputs):
            d_loss = self.minimize("discriminator", self.discriminator_loss, [maps, real], [maps, fake])
        return self.log(d_loss=d_loss, g_loss=losses[0], matching_loss=losses[1])

    def batch_losses(self, sources, targets, instances=None):
        seen, made = self.conditions(sources, instances), self.made_like(targets, sources, instances, training=False)
        g_loss, matching_loss = ops.unstack(self.generator_loss(made, seen, targets, training=False), 2)
        d_loss = self.discriminator_loss([seen, targets], [seen, made], training=False)
        return {"d_loss": d_loss, "g_loss": g_loss, "matching_loss": matching_loss}

    def batch_scores(self, sources, targets, instances=None):
        seen, made = self.conditions(sources, instances), self.made_like(targets, sources, instances, training=False)
        return self.score([seen, targets], training=False), self.score([seen, made], training=False)

    def paper_optimizers(self):
        return {player: FusedAdam(2e-4, **RATE) for player in self.players}

    # Phases

    def with_enhancer(self, generator=None, discriminator=None):
        """The model of the second phase, not compiled: twice the size, the global generator and the encoder fixed.

        Args:
            generator: what `build_enhancer` returned for this model's generator; None for the paper's.
            discriminator: for the larger images; None for the paper's.
        """
        height, width, channels = self.image_shape
        shape, seen = (2 * height, 2 * width, channels), (2 * height, 2 * width, self.source_classes + 1)
        return self._with(
            build_enhancer(self.generator) if generator is None else generator,
            build_discriminator(shape, seen) if discriminator is None else discriminator,
            fixed_global=True,
            fixed_encoder=self.encoder is not None,
        )

    def with_all(self):
        """The model of the third phase, not compiled: the enhancer and the global generator learn."""
        return self._with(self.generator, self.discriminator, fixed_global=False, fixed_encoder=self.fixed_encoder)

    def _with(self, generator, discriminator, **fixed):
        return type(self)(
            generator,
            discriminator,
            self.encoder,
            self.styles,
            self.features,
            source_classes=self.source_classes,
            instances=self.instances,
            matching_weight=self.matching_weight,
            perceptual_weight=self.perceptual_weight,
            direction=self.direction,
            discriminator_steps=self.discriminator_steps,
            ema_decay=self.ema_decay,
            seed=self.seed,
            name=self.name,
            dtype=self.dtype_policy,
            **fixed,
        )

    def phases(self, dataset, epochs):
        """Coarse to fine for data of twice the model's size; the rates are the paper's.

        Otherwise one phase, or with an encoder that learns two: the styles are found where the rate begins to fall, and
        the encoder stays as it is from there on.
        """
        size, large = tuple(self.image_shape[:2]), tuple(dataset.image_shape[:2])
        coarse = large == tuple(2 * side for side in size)
        if coarse:  # the second phase's size, checked before the first one is trained
            _check_beside(self.encoder, self.features, (*large, self.image_shape[2]))
        if not coarse and "encoder" in self.players["generator"]:
            falling = max(1, epochs // 2)

            def styled(model):
                model.find_styles(dataset)
                model = model._with(
                    model.generator, model.discriminator, fixed_global=model.fixed_global, fixed_encoder=True
                )
                model.compile(*_falling(model, dataset, 0, falling))
                return model

            self.compile()
            return [
                Phase(dataset, max(1, epochs - falling), title="generator and encoder"),
                Phase(dataset, falling, prepare=styled, title="generator, with the styles that were found"),
            ]
        data = dataset.halved() if coarse else dataset
        self.compile(*_falling(self, data, epochs - epochs // 2, epochs // 2))
        if not coarse:
            return [Phase(data, epochs)]
        alone, decay = max(1, epochs // 20), epochs // 4
        both = max(1, epochs // 2 - alone)

        def enhanced(model):
            model = model.with_enhancer()
            if model.encoder is not None:
                model.find_styles(dataset)
            model.compile()
            return model

        def whole(model):
            model = model.with_all()
            model.compile(*_falling(model, dataset, both - min(decay, both - 1), min(decay, both - 1)))
            return model

        return [
            Phase(data, epochs, title="global generator, half the size"),
            Phase(dataset, alone, prepare=enhanced, title="local enhancer"),
            Phase(dataset, both, prepare=whole, title="both together"),
        ]

    # Styles

    def find_styles(self, data, seed=0):
        """Finds the styles of each class: the centres of the clusters of what the encoder makes of its regions.

        A class of which there is no region keeps the numbers that it had.

        Args:
            data: what `load_data` returned, of the model's size. One epoch of it is read; as in training, examples that
                do not fill a batch are left out.
            seed: of k-means; see `keras_gans.clustering.k_means`.

        Raises:
            ConfigurationError: a model without an encoder.
            DataError: data that do not fit the model.
        """
        self._check_styles()
        found = [[] for _ in range(self.source_classes)]
        for index in range(len(data)):
            batch = data.at(index)
            means, pixels, classes = self._regions(batch["targets"], batch["sources"], batch.get("instances"))
            for row, column in zip(*np.nonzero(pixels)):
                found[classes[row, column]].append(means[row, column])
        table = ops.convert_to_numpy(self.styles.get_layer("table").embeddings).copy()
        for i, points in enumerate(found):
            if points:
                table[i * self.num_styles : (i + 1) * self.num_styles] = k_means(points, self.num_styles, seed)
        self.styles.get_layer("table").set_weights([table])

    def styles_of(self, images, maps, instances=None):
        """The numbers of the styles that are nearest to those of given images' regions.

        Args:
            images: uint8, or floats in [-1, 1], (N, height, width, channels), or a single one.
            maps: their label maps.
            instances: their maps of instances, for a model that has them.

        Returns:
            int32 (N, regions), for `translate(maps, style=...)`; 0 for regions without a pixel.

        Raises:
            ConfigurationError: a model without an encoder.
            DataError: values that do not fit the model.
        """
        self._check_styles()
        means, pixels, classes = self._regions(images, maps, instances)
        table = ops.convert_to_numpy(self.styles.get_layer("table").embeddings)
        choices = table.reshape(self.source_classes, self.num_styles, -1)[classes]
        nearest = np.square(choices - means[:, :, None]).sum(-1).argmin(-1)
        return np.where(pixels > 0, nearest, 0).astype("int32")

    def _regions(self, images, maps, instances):
        """The mean style of each region, (N, regions, style_channels), its pixels, and the class of most of them."""
        images = self.output_fields["targets"].asked(images)
        given = {"sources": maps} if self.instances is None else {"sources": maps, "instances": instances}
        if any(values is None for values in given.values()):
            raise ConfigurationError(_without_instances(self))
        inputs = {"targets": images} | {name: self.input_fields[name].asked(values) for name, values in given.items()}
        counts = {name: len(values) for name, values in inputs.items()}
        if len(set(counts.values())) > 1:
            received = ", ".join(f"{count} {name}" for name, count in counts.items())
            raise DataError(f"Expected a map for each image. Received: {received}. Pass as many of each.")
        sampling.settle_averages(self)
        if getattr(self, "_compiled_regions", None) is None:
            self._compiled_regions = engine.function(self._region_means)
        found = sampling.gathered(self._compiled_regions, inputs, sampling.batch_size(self, inputs))
        return (found[name] for name in ("means", "pixels", "classes"))

    def _region_means(self, inputs):
        encoded = {name: self.batch_fields[name].encode(values) for name, values in inputs.items()}
        sources = encoded["sources"]
        regions = encoded.get("instances", sources)
        with self.averages_in_use():
            means, pixels = region_means(self.encoder(encoded["targets"], training=False), regions)
        shares, _ = region_means(sources, regions)
        return {"means": means, "pixels": pixels, "classes": ops.argmax(shares, axis=-1)}

    def _check_styles(self):
        if self.encoder is None:
            raise ConfigurationError(
                "Expected a model with an encoder, for styles. Received: encoder=None. Build it with style_channels=3."
            )

    # Translating

    def translate(self, images, direction=None, style=None, instances=None, seed=None):
        """Makes images from label maps.

        Args:
            images: label maps (N, height, width), or a single one.
            direction: the model's own or None.
            style: for a model with an encoder: the number of the style of every region; numbers (regions,) or
                (N, regions); or {region: number}, which changes these of the drawn styles. None draws them. Regions
                are the classes in their order; for a model with instances, the objects of a map in the order of their
                ids. A key of the dict is a class or an id.
            instances: maps of instances (N, height, width), for a model that has them.
            seed: draws the styles; None for different ones at each call.

        Returns:
            uint8 (N, height, width, channels).

        Raises:
            ConfigurationError: another direction, styles out of range or without an encoder, or no instances.
            DataError: maps of another kind or size, or a region that is not there.

        Example:

        >>> model = kg.Pix2PixHD(image_shape=(16, 16, 1), source_classes=3, style_channels=2)
        >>> maps = np.tile(np.arange(16) // 6, (1, 16, 1))
        >>> a, b = model.translate(maps, style=0), model.translate(maps, style={2: 1}, seed=0)
        """
        if direction is not None and check_direction(direction, DIRECTIONS) != self.direction:
            raise ConfigurationError(
                f"Expected the direction {self.direction!r}, in which this model was trained. Received: {direction!r}. "
                f"Train another with kg.data.load_pairs(..., direction={direction!r})."
            )
        if self.instances is not None and instances is None:
            raise ConfigurationError(_without_instances(self))
        given = {"sources": self.input_fields["sources"].asked(images), "instances": instances}
        if style is not None:
            self._check_styles()
            given["styles"] = self._numbers(style, given["sources"], instances, seed)
        return self.generate(seed=seed, **given)

    def _numbers(self, style, maps, instances, seed):
        """The numbers of styles that `translate` is given, int32 (N, regions)."""
        field = self.input_fields["styles"]
        ids = maps if self.instances is None else self.input_fields["instances"].asked(instances)
        count = len(seed) if np.ndim(seed) else max(len(maps), len(ids))
        if isinstance(style, dict):
            ids = np.repeat(ids, count, axis=0) if len(ids) == 1 else ids
            styles = np.array(self.draw("styles", count, seed), "int64")
            for region, number in style.items():
                if not (is_whole(region, -np.inf) and is_whole(number, -np.inf)):
                    raise ConfigurationError(
                        "Expected style={region: number}, a whole number for a class or an id. Received: "
                        f"{region!r}: {number!r}."
                    )
                for row, column in self._places(region, ids):
                    styles[row, column] = number
            return field.check(styles)
        if np.ndim(style) == 0:
            style = np.full((1, *field.shape), style)
        styles = field.asked(style)
        return np.repeat(styles, count, axis=0) if len(styles) == 1 else styles

    def _places(self, region, ids):
        """(row, column) of a region in the numbers of styles, for each map that has it."""
        rows = [i for i, one in enumerate(ids) if (one == region).any()]
        if not rows:
            kind = "a class" if self.instances is None else "an id"
            raise DataError(f"Expected a region of the maps, {kind}. Received: {region!r}, which no map has.")
        if self.instances is None:
            return [(row, region) for row in rows]
        return [(row, int(np.searchsorted(np.unique(ids[row]), region))) for row in rows]

    # Data

    @classmethod
    def load_data(cls, source, *, labels=False, target_classes=None, **options):
        """`PairedBatches` for `fit`; see `kg.data.load_pairs`."""
        if labels or target_classes:
            raise ConfigurationError(
                "Expected no labels and no label maps as targets: pix2pixHD makes images from label maps. Received: "
                f"labels={labels!r}, target_classes={target_classes!r}."
            )
        return load_pairs(source, **options)

    @classmethod
    def for_data(cls, dataset, **options):
        """The paper's networks for what `load_data` returned: from 64x64 on of half the size, for coarse to fine.

        With maps of instances the model takes as many objects as the map with the most has.
        """
        height, width, channels = dataset.image_shape
        step = 2 if min(height, width) >= COARSE and height % 2 == width % 2 == 0 else 1
        about = {
            "image_shape": (height // step, width // step, channels),
            "source_classes": dataset.classes,
            "direction": dataset.direction,
        }
        if "instances" in dataset.arrays and "instances" not in options:  # counting reads all maps
            about["instances"] = max(2, *(len(np.unique(ids)) for ids in dataset.arrays["instances"]))
        return cls(**{**about, **options})


def _falling(model, data, constant, falling):
    """Optimizers with the paper's rate: constant for some epochs, then down to zero in others."""
    counts = (len(data), len(data) * model.discriminator_steps)
    return [FusedAdam(LinearDecay(2e-4, updates, constant, falling), **RATE) for updates in counts]


def _without_instances(model):
    return (
        f"Expected maps of instances, which this model was trained with: at most {model.instances} objects in one. "
        "Received: none. Pass instances=, ids (N, height, width); or --instances, their files."
    )


def _fix_global(generator, fixed):
    inner = [layer for layer in generator.layers if layer.name == INNER]
    if fixed and not inner:
        raise ConfigurationError(
            "Expected a generator of build_enhancer, whose global part can be fixed. Received: fixed_global=True for "
            f"{generator.name}, which has none."
        )
    for layer in inner:
        layer.trainable = not fixed


def _checked_networks(generator, discriminator, encoder, features, classes):
    """(height, width, channels) of the images, the number of classes, and of a style's channels."""
    check_built("generator", generator)
    taken, made = generator.input_shape, generator.output_shape
    if isinstance(taken, list) or len(taken) != 4 or len(made) != 4 or taken[1:3] != made[1:3] or None in made[1:]:
        raise ConfigurationError(
            "Expected a generator of sources (N, height, width, channels) to images of the same, known size. Received: "
            f"one from {taken} to {made}."
        )
    check_image_range("generator", generator)
    shape = made[1:]
    _check_beside(encoder, features, shape)
    channels = 0 if encoder is None else encoder.output_shape[-1]
    seen = taken[-1] - channels
    if classes not in (None, seen - 1) or seen < 3:
        raise ConfigurationError(
            f"Expected a generator of sources with {classes or 'two or more'} classes, their boundaries and "
            f"{channels} channels of a style. Received: {taken}."
        )
    if discriminator is not None:
        _check_discriminator(discriminator, [(*shape[:2], seen), shape])
    return shape, seen - 1, channels


def _check_beside(encoder, features, shape):
    """Refuses an encoder and features that do not take images of a shape."""
    if encoder is not None:
        check_built("encoder", encoder)
        taken_whole = all(b in (None, a) for a, b in zip((None, *shape), encoder.input_shape))
        if not taken_whole or encoder.compute_output_shape((1, *shape))[:3] != (1, *shape[:2]):
            raise ConfigurationError(
                f"Expected an encoder of images {shape} to maps of their size. Received: one from "
                f"{encoder.input_shape} to {encoder.output_shape}."
            )
    if features is not None:
        check_built("features", features)
        if any(b not in (None, a) for a, b in zip(shape, features.input_shape[1:])):
            raise ConfigurationError(
                f"Expected features to take what the generator makes, images {shape}. Received: one for "
                f"{features.input_shape}."
            )


def _by_scale(outputs):
    """What a discriminator gives, as a list for each scale: it may be one list for one scale, or scores alone."""
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    return outputs if isinstance(outputs[0], (list, tuple)) else [outputs]


def _check_discriminator(discriminator, judged):
    check_built("discriminator", discriminator)
    taken, made = discriminator.input_shape, discriminator.output_shape
    if not isinstance(taken, list) or [shape[1:] for shape in taken] != judged:
        raise ConfigurationError(
            f"Expected a discriminator that takes what the generator makes, after its sources, {judged}. Received: one "
            f"for {taken}."
        )
    if any(maps[-1].shape[-1] != 1 for maps in _by_scale(discriminator.output)):
        raise ConfigurationError(
            "Expected a discriminator with a list of maps for each scale, of which the last has one logit per patch, "
            f"(N, h, w, 1). Received: {made}."
        )
    check_logits(discriminator)


def _checked_styles(styles, classes, channels):
    """How many styles each class has."""
    check_built("styles", styles)
    rows = styles.get_layer("table").input_dim
    if rows % classes or styles.output_shape[-1] != channels:
        raise ConfigurationError(
            f"Expected a table of styles of {classes} classes, each of {channels} numbers. Received: {rows} rows of "
            f"{styles.output_shape}."
        )
    return rows // classes
