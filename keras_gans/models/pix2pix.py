"""pix2pix: Isola, Zhu, Zhou and Efros, 2017, "Image-to-image translation with conditional adversarial networks",
https://arxiv.org/abs/1611.07004

Objective, for sources x, targets y and dropout z (d: logits, one for each patch; means over patches and pixels):
    discriminator: (E[softplus(-d(x, y))] + E[softplus(d(x, G(x, z)))]) / 2
    generator:     E[softplus(-d(x, G(x, z)))] + l1_weight E|y - G(x, z)|,    l1_weight = 100

Schedule: each step translates the batch's sources once. The discriminator is updated on them with the real and with the
translated targets, then the generator on the same translations, judged by the updated discriminator. With
`discriminator_steps=k` the batch is split among k discriminator updates.

Networks: a U-Net whose encoder halves the image until a side can no longer be halved, and whose decoder sees the
encoder's map of the same size at each level; a PatchGAN on the sources and the targets together, where each logit sees
70x70 pixels.
The noise is dropout in the decoder's first three levels, also when sampling.

Departures from the paper:
- instance normalization with learned gamma and beta instead of batch normalization, whose statistics the paper takes
  from the batch, also when sampling. For a batch of one, the paper's choice in most tasks, both are the same. For
  larger ones, a translation here does not depend on what else is in its batch;
- the innermost map is not normalised, unlike in the paper's text: with one pixel and one image per batch,
  normalization would set it to zero (the authors' erratum);
- dropout's mask is a function of a seed for each example: the input `seeds`, drawn like noise;
- order of updates: as in the authors' PyTorch code. In their Torch code, the generator's loss uses the discriminator's
  output from before its update;
- images smaller than 64x64 have a PatchGAN with fewer layers, so that it has at least 6x6 logits for images of 16x16 or
  more: our choice.
"""

import keras
from keras import initializers, layers, ops

from keras_gans import engine
from keras_gans.data.pair_batches import DIRECTIONS, check_direction
from keras_gans.data.pairs import load_pairs
from keras_gans.errors import ConfigurationError
from keras_gans.fields import Images, LabelMaps, Seeds, check_image_shape
from keras_gans.layers import HashedDropout, InstanceNormalization
from keras_gans.losses import non_saturating_discriminator_loss, non_saturating_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_built, check_image_range, check_logits
from keras_gans.networks.patch import build_patch_discriminator
from keras_gans.optimizers import FusedAdam
from keras_gans_core.checks import is_number, is_whole


def levels_for(image_shape):
    """How often a U-Net halves images of a given size: as often as both sides can be halved.

    >>> [levels_for((side, side, 3)) for side in (256, 64, 28)]
    [8, 6, 2]
    """
    height, width = image_shape[:2]
    return min((side & -side).bit_length() - 1 for side in (height, width))


def build_generator(
    source_shape=(256, 256, 3), image_shape=None, *, filters=64, levels=None, dropout=0.5, skips=True, maps=False
):
    """The paper's U-Net: 4x4 convolutions with stride 2, then transposed ones, with skip connections.

    Args:
        source_shape: (height, width, channels) of the encoded sources; for label maps, channels are the classes.
        image_shape: (height, width, channels) of the outputs, as large as the sources; None for `source_shape`.
        filters: channels of the first level, which double up to 8 times as many.
        levels: how often the image is halved, 2 or more; None for as often as possible.
        dropout: rate of the dropout in the decoder's first three levels, in [0, 1).
        skips: whether the decoder sees the encoder's maps. Without them it is the paper's encoder-decoder.
        maps: whether it makes label maps, with a channel for each class: probabilities instead of values in [-1, 1].

    Returns:
        A Keras model, [sources, seeds int32 (N,)] to images in [-1, 1] or to probabilities of classes.

    Raises:
        ConfigurationError: sizes that cannot be halved so often.

    Example:

    >>> build_generator((32, 32, 8), (32, 32, 3), filters=4).output_shape
    (None, 32, 32, 3)
    """
    image_shape = source_shape if image_shape is None else image_shape
    for shape in (source_shape, image_shape):
        check_image_shape(shape)
    levels = _checked_levels(source_shape, image_shape, levels)
    normal = initializers.RandomNormal(0.0, 0.02)

    def norm(name):
        return InstanceNormalization(True, gamma_initializer=initializers.RandomNormal(1.0, 0.02), name=name)

    options = {"padding": "same", "use_bias": False, "kernel_initializer": normal}
    sources, seeds = keras.Input(source_shape, name="sources"), keras.Input((), dtype="int32", name="seeds")
    x, encoded = sources, []
    for i in range(levels):
        if i > 0:
            x = layers.LeakyReLU(0.2, name=f"down_act{i}")(x)
        x = layers.Conv2D(filters * min(2**i, 8), 4, 2, name=f"down{i}", **options)(x)
        if 0 < i < levels - 1:
            x = norm(f"down_norm{i}")(x)
        encoded.append(x)
    for i in reversed(range(1, levels)):
        x = layers.ReLU(name=f"up_act{i}")(x)
        x = layers.Conv2DTranspose(filters * min(2 ** (i - 1), 8), 4, 2, name=f"up{i}", **options)(x)
        x = norm(f"up_norm{i}")(x)
        if i >= levels - 3 and dropout > 0:
            x = HashedDropout(dropout, number=i, name=f"dropout{i}")([x, seeds])
        if skips:
            x = layers.Concatenate(name=f"skip{i}")([x, encoded[i - 1]])
    x = layers.ReLU(name="up_act0")(x)
    x = layers.Conv2DTranspose(image_shape[-1], 4, 2, name="up0", **{**options, "use_bias": True})(x)
    images = layers.Activation("softmax" if maps else "tanh", dtype="float32", name="images")(x)
    return keras.Model([sources, seeds], images, name="generator")


def _checked_levels(source_shape, image_shape, levels):
    if tuple(source_shape[:2]) != tuple(image_shape[:2]):
        raise ConfigurationError(
            f"Expected sources and images of one size. Received: {tuple(source_shape)} and {tuple(image_shape)}."
        )
    possible = levels_for(image_shape)
    if levels is not None and not is_whole(levels, 2):
        raise ConfigurationError(f"Expected 2 levels or more, or None. Received: levels={levels!r}.")
    if possible < (levels or 2):
        step = 2 ** (levels or 2)
        near = sorted({max(side // step + up, 1) * step for side in image_shape[:2] for up in (0, 1)})
        raise ConfigurationError(
            f"Expected a height and a width that can be halved {levels or 2} times: multiples of {step}, such as "
            f"{' and '.join(map(str, near))}. Received: {tuple(image_shape[:2])}. Resize the images, or pass fewer "
            "levels."
        )
    return levels or possible


@keras.saving.register_keras_serializable(package="keras_gans")
class Pix2Pix(AdversarialModel):
    """Translates images to images, learned from pairs: `translate(sources)`.

    Args:
        generator: Keras model, [sources, seeds] to targets.
        discriminator: Keras model, [sources, targets] to logits (N, h, w, 1). With neither network, the
            paper's for `image_shape`.
        image_shape: (height, width, channels) of the targets.
        source_shape: of the sources, as large as the targets; None for `image_shape`.
        source_classes, target_classes: number of classes if the sources or the targets are label maps; None if they are
            images.
        l1_weight: weight of the distance to the target, 0 or more. 0 leaves only the adversarial loss (the paper's
            "cGAN").
        adversarial_weight: weight of the adversarial loss, 0 or more. 0 leaves only the distance (the paper's "L1").
        direction: "AtoB" or "BtoA": which side of a pair the sources were. `translate` checks it.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: sizes that cannot be halved, weights out of range, or networks that do not fit each other.

    Example:

    >>> model = kg.Pix2Pix(image_shape=(16, 16, 3), source_classes=8)
    >>> model.compile()
    >>> model.translate(np.zeros((2, 16, 16), "uint8"), seed=0).shape
    (2, 16, 16, 3)

    Reference: Isola et al., 2017, https://arxiv.org/abs/1611.07004; code: https://github.com/phillipi/pix2pix
    """

    log_names = ("d_loss", "g_loss", "l1_loss")

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(256, 256, 3),
        source_shape=None,
        source_classes=None,
        target_classes=None,
        l1_weight=100.0,
        adversarial_weight=1.0,
        direction="AtoB",
        **kwargs,
    ):
        for name, weight in (("l1_weight", l1_weight), ("adversarial_weight", adversarial_weight)):
            if not is_number(weight, 0.0):
                raise ConfigurationError(f"Expected {name} of 0 or more. Received: {weight!r}.")
        check_direction(direction, DIRECTIONS)
        if generator is None and discriminator is None:
            source_shape = _encoded_shape(image_shape if source_shape is None else source_shape, source_classes)
            image_shape = _encoded_shape(image_shape, target_classes)
            generator = build_generator(source_shape, image_shape, maps=target_classes is not None)
            discriminator = build_patch_discriminator(image_shape, source_shape, affine=True)
        _check_networks(generator, discriminator, source_classes, target_classes)
        taken, made = tuple(generator.input_shape[0][1:]), tuple(generator.output_shape[1:])
        sources, targets = _field(taken, source_classes), _field(made, target_classes)
        super().__init__(
            generator=generator,
            discriminator=discriminator,
            batch_fields={"sources": sources, "targets": targets},
            input_fields={"sources": sources, "seeds": Seeds()},
            output_fields={"targets": targets},
            **kwargs,
        )
        self.source_shape, self.source_classes, self.target_classes = taken, source_classes, target_classes
        self.l1_weight, self.adversarial_weight, self.direction = l1_weight, adversarial_weight, direction
        self.real_target = self.add_weight(shape=(), initializer="ones", trainable=False, name="real_target")

    # The game

    def seeds_like(self, sources, training=True):
        """Fresh seeds of dropout, int32 (N,)."""
        seeds, field = self.latent_seeds if training else self.evaluation_seeds, self.input_fields["seeds"]
        return field.from_normals(engine.normal((ops.shape(sources)[0], field.num_normals), seeds))

    def discriminator_loss(self, real, fake, training=True):
        """The loss on pairs [sources, targets] and [sources, translations]."""
        real_logits, fake_logits = self.score(real, training), self.score(fake, training)
        return 0.5 * non_saturating_discriminator_loss(real_logits, fake_logits, self.real_target)

    def generator_loss(self, fake, sources, targets, training=True):
        """The weighted sum of the losses, and the distance."""
        distance = ops.mean(ops.abs(targets - ops.cast(fake, "float32")))
        adversarial = non_saturating_generator_loss(self.score([sources, fake], training))
        return ops.stack([self.adversarial_weight * adversarial + self.l1_weight * distance, distance])

    def train_step(self, data):
        batch = self.encode_batch(data)
        for sources, targets in self.shares(batch["sources"], batch["targets"]):
            fake = self.record([sources, self.seeds_like(sources)])
            pairs = [sources, targets], [sources, fake.outputs]
            d_loss = self.minimize("discriminator", self.discriminator_loss, *pairs)
        losses = self.minimize("generator", lambda fake: self.generator_loss(fake, sources, targets), fake)
        return self.log(d_loss=d_loss, g_loss=losses[0], l1_loss=losses[1])

    def batch_losses(self, sources, targets):
        fake = self.generator([sources, self.seeds_like(sources, training=False)], training=False)
        g_loss, l1_loss = ops.unstack(self.generator_loss(fake, sources, targets, training=False), 2)
        d_loss = self.discriminator_loss([sources, targets], [sources, fake], training=False)
        return {"d_loss": d_loss, "g_loss": g_loss, "l1_loss": l1_loss}

    def batch_scores(self, sources, targets):
        fake = self.generator([sources, self.seeds_like(sources, training=False)], training=False)
        return self.score([sources, targets], training=False), self.score([sources, fake], training=False)

    def paper_optimizers(self):
        return {player: FusedAdam(2e-4, beta_1=0.5, epsilon=1e-8) for player in self.players}

    # Translating

    def translate(self, images, direction=None, seed=None):
        """Translates sources.

        Args:
            images: of the kind it was trained on, (N, height, width, channels), label maps (N, height, width), or a
                single one.
            direction: the model's own or None: a pix2pix translates in the direction in which it was trained.
            seed: determines the dropout, see `generate`; it changes details at most. None draws one.

        Returns:
            uint8 (N, height, width, channels), or label maps uint8 (N, height, width).

        Raises:
            ConfigurationError: another direction.
            DataError: images of another kind or size.
        """
        if direction is not None and check_direction(direction, DIRECTIONS) != self.direction:
            raise ConfigurationError(
                f"Expected the direction {self.direction!r}, in which this model was trained. Received: {direction!r}. "
                f"Train another with kg.data.load_pairs(..., direction={direction!r}), or use a CycleGAN, which has "
                "both."
            )
        return self.generate(sources=images, seed=seed)

    # Data

    @classmethod
    def load_data(cls, source, *, labels=False, instances=None, **options):
        """`PairedBatches` for `fit`; see `kg.data.load_pairs`."""
        if labels:
            raise ConfigurationError(f"Expected no labels: pix2pix learns from pairs of images. Received: {labels!r}.")
        if instances is not None:
            raise ConfigurationError(
                f"Expected no maps of instances: pix2pix learns from pairs alone. Received: instances={instances!r}. "
                "Leave it out, or use Pix2PixHD."
            )
        return load_pairs(source, **options)

    @classmethod
    def for_data(cls, dataset, **options):
        """The paper's networks for what `load_data` returned."""
        about = {
            "image_shape": dataset.image_shape,
            "source_shape": dataset.source_shape,
            "source_classes": dataset.classes,
            "target_classes": dataset.target_classes,
            "direction": dataset.direction,
        }
        return cls(**{**about, **options})


def _encoded_shape(shape, classes):
    """The shape in which networks see images, or label maps with `classes` classes."""
    if classes is None:
        return shape
    LabelMaps(shape[:2], classes)  # checks it
    return (*shape[:2], classes)


def _field(shape, classes):
    return Images(shape) if classes is None else LabelMaps(shape[:2], classes)


def _check_networks(generator, discriminator, source_classes, target_classes):
    check_built("generator", generator)
    shapes = generator.input_shape if isinstance(generator.input_shape, list) else [generator.input_shape]
    kinds = [len(shape) for shape in shapes]
    if kinds != [4, 1] or len(generator.output_shape) != 4 or shapes[0][1:3] != generator.output_shape[1:3]:
        raise ConfigurationError(
            "Expected a generator of [sources (N, height, width, channels), seeds (N,)] to images of the same size. "
            f"Received: one from {generator.input_shape} to {generator.output_shape}."
        )
    for side, classes, shape in (
        ("sources", source_classes, shapes[0]),
        ("targets", target_classes, generator.output_shape),
    ):
        if classes not in (None, shape[-1]):
            raise ConfigurationError(
                f"Expected a generator of {side} with {classes} channels, one for each class. Received: {shape}."
            )
    if target_classes is None:
        check_image_range("generator", generator)
    if discriminator is None:
        return
    check_built("discriminator", discriminator)
    judged = [shapes[0][1:], generator.output_shape[1:]]
    taken = discriminator.input_shape
    if not isinstance(taken, list) or [shape[1:] for shape in taken] != judged:
        raise ConfigurationError(
            "Expected a discriminator that takes what the generator makes, after its sources, "
            f"{judged}. Received: one for {taken}."
        )
    if discriminator.output_shape[-1] != 1:
        raise ConfigurationError(
            f"Expected a discriminator with one logit per patch, (N, h, w, 1). Received: {discriminator.output_shape}."
        )
    check_logits(discriminator)
