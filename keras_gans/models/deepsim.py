"""DeePSiM: Dosovitskiy and Brox, 2016, "Generating images with perceptual similarity metrics based on deep networks",
https://arxiv.org/abs/1602.02644

Inverts a layer of a classifier: a generator makes an image from the layer's outputs.

Objective, for images x, codes f(x) of the layer that is inverted, features c(x) of the layer that is compared, both of
a classifier that never changes, and x' = G(f(x)) (d: logit; means over all elements):
    discriminator: E[softplus(-d(x))] + E[softplus(d(x'))]
    generator:     image_weight E[(x - x')^2] + feature_weight E[(c(x) - c(x'))^2]
                   + adversarial_weight E[softplus(-d(x'))]

Schedule: each step updates the discriminator, then the generator on the same images, judged by the updated
discriminator. A player that is too far ahead stops until the other has caught up. With the ratio r of the
discriminator's loss to the generator's adversarial one after each step:
    the discriminator stops where r < 0.1, and goes on where r > 0.5
    the generator stops where r > 10, and goes on where r < 0.1
With `discriminator_steps=k` the batch is split among k discriminator updates.

Networks: a generator of dense layers and transposed convolutions that ends linearly, without normalization; a
discriminator that averages its last map. It does not see the codes.

Departures from the paper:
- losses are means, of images in [-1, 1]. The authors' are halved sums over an image's elements, of images in [0, 255],
  with weights of 2e-6, 0.01 and 100. For their networks, divided by 100, these are the defaults here: 25, 0.46 and 1;
- one logit instead of two with a softmax: the same function of their difference;
- no L2 penalty of the discriminator (theirs 4e-4), and a constant learning rate;
- any size of images and any layer of a Keras classifier: the generator doubles its first map as often as the image
  needs, and its last map is cropped. For images below 64 pixels the discriminator has smaller kernels: our choice;
- from a map, the generator begins with three convolutions of the map's size; the authors' third one shrinks 6x6 to 4x4.
"""

import math

import keras
import numpy as np
from keras import layers, ops

from keras_gans.data.loading import load
from keras_gans.errors import ConfigurationError
from keras_gans.fields import Images, check_image_shape
from keras_gans.layers import seeded_dropout
from keras_gans.losses import non_saturating_discriminator_loss, non_saturating_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_built, check_discriminator, check_image_range
from keras_gans.optimizers import FusedAdam
from keras_gans_core.cards import did_you_mean
from keras_gans_core.checks import is_number, is_whole

BATCH = 256  # images encoded at once


def build_generator(code_shape, image_shape=(227, 227, 3), *, filters=256, units=4096):
    """The paper's generator: from a layer's outputs to an image.

    Args:
        code_shape: (units,) or (height, width, channels) of the layer's outputs for one image.
        image_shape: (height, width, channels) of the images.
        filters: channels of the first map.
        units: of the three dense layers, before which a vector goes; a map goes through three convolutions.

    Returns:
        A Keras model, codes (N, *code_shape) to images (N, *image_shape), not bounded.

    Raises:
        ConfigurationError: codes of another rank.

    Example:

    >>> build_generator((64,), (28, 28, 1), filters=4, units=8).output_shape
    (None, 28, 28, 1)
    """
    check_image_shape(image_shape)
    known = isinstance(code_shape, (tuple, list)) and all(is_whole(size, 1) for size in code_shape)
    if not known or len(code_shape) not in (1, 3):
        raise ConfigurationError(
            f"Expected codes (units,) or (height, width, channels) of a known size. Received: {code_shape!r}."
        )

    def act(x, name):
        return layers.LeakyReLU(0.3, name=f"{name}_act")(x)

    def conv(x, filters, name):
        return act(layers.Conv2D(filters, 3, padding="same", kernel_initializer="he_normal", name=name)(x), name)

    x = codes = keras.Input(code_shape, name="codes")
    if len(code_shape) == 1:
        for i in range(3):
            last = 16 * filters if i == 2 else units
            x = act(layers.Dense(last, kernel_initializer="he_normal", name=f"dense{i}")(x), f"dense{i}")
        x = layers.Reshape((4, 4, filters), name="reshape")(x)
    else:
        for i in range(3):
            x = conv(x, 2 * filters, f"from_map{i}")
    sides = x.shape[1:3]
    doublings = max(1, *(math.ceil(math.log2(large / small)) for large, small in zip(image_shape, sides)))
    for i in range(doublings):
        final = i == doublings - 1
        wide = image_shape[2] if final else max(filters >> max(0, i - 1), 4)
        policy = {"dtype": "float32"} if final else {}
        x = layers.Conv2DTranspose(wide, 4, 2, padding="same", kernel_initializer="he_normal", name=f"up{i}", **policy)(
            x
        )
        if not final:
            x = act(x, f"up{i}")
            if i < max(1, doublings - 3):
                x = conv(x, 2 * filters if i == 0 else wide, f"conv{i}")
    extra = [made - wanted for made, wanted in zip(x.shape[1:3], image_shape)]
    if any(extra):
        sides = [(more // 2, more - more // 2) for more in extra]
        x = layers.Cropping2D(sides, dtype="float32", name="crop")(x)
    return keras.Model(codes, x, name="generator")


def build_discriminator(image_shape=(227, 227, 3), *, filters=32, units=256):
    """The paper's discriminator: convolutions, the mean of the last map, and two dense layers with dropout.

    Args:
        image_shape: (height, width, channels). Images below 64 pixels get three smaller convolutions.
        filters: channels of the first map.
        units: of the dense layer.

    Returns:
        A Keras model, images to logits (N, 1).
    """
    check_image_shape(image_shape)
    large = min(image_shape[:2]) >= 64
    kinds = ((7, 4, 1), (5, 1, 2), (3, 2, 4), (3, 1, 8), (3, 2, 8)) if large else ((5, 2, 1), (3, 2, 2), (3, 2, 4))
    images = x = keras.Input(image_shape, name="images")
    for i, (size, stride, wide) in enumerate(kinds):
        padding = "valid" if large else "same"
        x = layers.Conv2D(
            wide * filters, size, stride, padding=padding, kernel_initializer="he_normal", name=f"conv{i}"
        )(x)
        x = layers.ReLU(name=f"conv{i}_act")(x)
    x = seeded_dropout(0.5, "dropout0")(layers.GlobalAveragePooling2D(name="mean")(x))
    x = seeded_dropout(0.5, "dropout1")(layers.Dense(units, activation="relu", name="dense")(x))
    return keras.Model(images, layers.Dense(1, dtype="float32", name="logits")(x), name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gans")
class DeePSiM(AdversarialModel):
    """Inverts a layer of a classifier: `reconstruct(images)` shows what the layer knows of images.

    Args:
        generator: Keras model, the layer's outputs to images.
        discriminator: Keras model, images to logits (N, 1). With neither network, the paper's for the comparator.
        comparator: Keras model of images, such as a classifier. Its weights never change: the constructor sets its
            `trainable` to False. Presets keep it.
        layer: name of the comparator's layer that is inverted.
        compared: name of the layer whose outputs are compared; None for the last map before its dense layers.
        image_weight, feature_weight, adversarial_weight: weights of the generator's losses, 0 or more.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: no comparator, an unknown layer, weights out of range, or networks that do not fit.

    Example:

    >>> classifier = kg.zoo.load_classifier("classifier_mnist")
    >>> model = kg.DeePSiM(comparator=classifier, layer="features")
    >>> model.reconstruct(np.zeros((2, 28, 28, 1), "uint8")).shape
    (2, 28, 28, 1)

    Reference: Dosovitskiy and Brox, 2016, https://arxiv.org/abs/1602.02644
    """

    kept = ("generator", "comparator")
    log_names = ("d_loss", "g_loss", "image_loss", "feature_loss")

    def __init__(
        self,
        generator=None,
        discriminator=None,
        comparator=None,
        *,
        layer="features",
        compared=None,
        image_weight=25.0,
        feature_weight=0.46,
        adversarial_weight=1.0,
        **kwargs,
    ):
        weights = {"image": image_weight, "feature": feature_weight, "adversarial": adversarial_weight}
        for name, weight in weights.items():
            if not is_number(weight, 0.0):
                raise ConfigurationError(f"Expected {name}_weight of 0 or more. Received: {weight!r}.")
        if comparator is None:
            raise ConfigurationError(
                "Expected a comparator, the network whose layer is inverted. Received: None. Pass comparator=, for "
                "instance kg.zoo.load_classifier('classifier_mnist')."
            )
        inner, compared = _inner(comparator, layer, compared)
        comparator.trainable = False
        shape = tuple(comparator.input_shape[1:])
        codes = tuple(inner.output_shape[0][1:])
        if generator is None and discriminator is None:
            generator, discriminator = build_generator(codes, shape), build_discriminator(shape)
        _check_networks(generator, discriminator, codes, shape)
        images = {"images": Images(shape)}
        super().__init__(
            generator=generator,
            discriminator=discriminator,
            comparator=comparator,
            batch_fields=images,
            input_fields=images,
            output_fields=images,
            **kwargs,
        )
        self.inner, self.layer, self.compared = inner, layer, compared
        self.image_weight, self.feature_weight = image_weight, feature_weight
        self.adversarial_weight = adversarial_weight
        self.real_target = self.add_weight(shape=(), initializer="ones", trainable=False, name="real_target")
        self.goes_on = {
            player: self.add_weight(shape=(), initializer="ones", trainable=False, name=f"{player}_goes_on")
            for player in self.players
        }

    # The game

    def seen(self, images):
        """[codes, features] of images: the outputs of the layer that is inverted and of the one that is compared."""
        return [ops.cast(outputs, "float32") for outputs in self.inner(images, training=False)]

    def discriminator_loss(self, real, fake, training=True):
        return non_saturating_discriminator_loss(
            self.score(real, training), self.score(fake, training), self.real_target
        )

    def generator_loss(self, fake, images, features, training=True):
        """The weighted sum of the losses, then each: of the image, of the features, against the discriminator."""
        fake = ops.cast(fake, "float32")
        image = ops.mean(ops.square(images - fake))
        feature = ops.mean(ops.square(features - self.seen(fake)[1]))
        adversarial = non_saturating_generator_loss(self.score(fake, training))
        total = self.image_weight * image + self.feature_weight * feature + self.adversarial_weight * adversarial
        return ops.stack([total, image, feature, adversarial])

    def train_step(self, data):
        images = self.encode_batch(data)["images"]
        for real in self.shares(images):
            codes, features = self.seen(real)
            fake = self.record(codes)
            d_loss = self.minimize_if("discriminator", self.discriminator_loss, real, fake.outputs)
        losses = self.minimize_if("generator", lambda fake: self.generator_loss(fake, real, features), fake)
        self.decide(d_loss, losses[3])
        return self.log(d_loss=d_loss, g_loss=losses[0], image_loss=losses[1], feature_loss=losses[2])

    def minimize_if(self, player, loss_fn, *inputs):
        """`minimize`, whose changes are taken back if the player has stopped."""
        optimizer = self.g_optimizer if player == "generator" else self.d_optimizer
        changing = [*self.player_variables(player), *optimizer.variables]
        if player == "generator" and self.ema_decay is not None:
            changing += self.ema.variables
        before = [ops.copy(ops.convert_to_tensor(variable)) for variable in changing]
        loss, goes_on = self.minimize(player, loss_fn, *inputs), ops.convert_to_tensor(self.goes_on[player]) > 0.5
        for variable, value in zip(changing, before):
            variable.assign(ops.where(goes_on, ops.convert_to_tensor(variable), value))
        return loss

    def decide(self, d_loss, adversarial):
        """Who goes on in the next step."""
        ratio = ops.cast(d_loss, "float32") / ops.maximum(ops.cast(adversarial, "float32"), 1e-12)
        d, g = self.goes_on["discriminator"], self.goes_on["generator"]
        d.assign(ops.where(ratio < 0.1, 0.0, ops.where(ratio > 0.5, 1.0, ops.convert_to_tensor(d))))
        g.assign(ops.where(ratio > 10.0, 0.0, ops.where(ratio < 0.1, 1.0, ops.convert_to_tensor(g))))

    def batch_losses(self, images):
        codes, features = self.seen(images)
        made = self.generator(codes, training=False)
        total, image, feature, _ = ops.unstack(self.generator_loss(made, images, features, training=False), 4)
        d_loss = self.discriminator_loss(images, made, training=False)
        return {"d_loss": d_loss, "g_loss": total, "image_loss": image, "feature_loss": feature}

    def batch_scores(self, images):
        made = self.generator(self.seen(images)[0], training=False)
        return self.score(images, training=False), self.score(made, training=False)

    def paper_optimizers(self):
        return {player: FusedAdam(2e-4, beta_1=0.9) for player in self.players}

    # Inverting

    def compute_outputs(self, inputs, training=False):
        """Images from what the layer knows of the encoded images."""
        (images,) = inputs.values() if isinstance(inputs, dict) else keras.tree.flatten(inputs)
        return self.generator(self.seen(images)[0], training=training)

    def encode(self, images):
        """The codes of images: the outputs of the layer that is inverted.

        Args:
            images: see `reconstruct`.

        Returns:
            float32 (N, ...).

        Raises:
            DataError: images that do not fit the comparator.
        """
        images = self.input_fields["images"].asked(images)
        return np.concatenate(
            [
                ops.convert_to_numpy(self.seen(self.input_fields["images"].encode(images[i : i + BATCH]))[0])
                for i in range(0, len(images), BATCH)
            ]
        )

    def reconstruct(self, images):
        """Images made from what the layer knows of given ones.

        Args:
            images: uint8, or floats in [-1, 1], (N, height, width, channels), or a single one.

        Returns:
            uint8 (N, height, width, channels).

        Raises:
            DataError: images that do not fit the comparator.
        """
        return self.generate(images=images)

    # Data

    @classmethod
    def load_data(cls, source, *, labels=False, augment=False, **options):
        """`Batches` of images; see `kg.data.load`."""
        if labels or augment:
            raise ConfigurationError(
                f"Expected images without labels and without random changes. Received: labels={labels!r}, "
                f"augment={augment!r}."
            )
        return load(source, labels=False, **options)

    @classmethod
    def for_data(cls, dataset, **options):
        """The paper's networks for the comparator among the options."""
        return cls(**options)


def _inner(comparator, layer, compared):
    """The comparator up to the layers `layer` and `compared`, a Keras model, and the name of the second."""
    check_built("comparator", comparator)
    if not isinstance(comparator.input_shape, tuple) or len(comparator.input_shape) != 4:
        raise ConfigurationError(
            f"Expected a comparator of images (N, height, width, channels). Received: {comparator.input_shape}."
        )
    names = [one.name for one in comparator.layers if not isinstance(one, keras.layers.InputLayer)]
    if compared is None:
        maps = [one.name for one in comparator.layers if one.name in names and len(one.output.shape) == 4]
        compared = (maps or names)[-1]
    for name in (layer, compared):
        if name not in names:
            raise ConfigurationError(
                f"Expected a layer of the comparator: {', '.join(names)}. Received: {name!r}. "
                f"{did_you_mean(str(name), names)}"
            )
    outputs = [comparator.get_layer(name).output for name in (layer, compared)]
    return keras.Model(comparator.input, outputs, name="inner"), compared


def _check_networks(generator, discriminator, codes, shape):
    check_built("generator", generator)
    if tuple(generator.input_shape[1:]) != codes or tuple(generator.output_shape[1:]) != shape:
        raise ConfigurationError(
            f"Expected a generator from the layer's outputs {codes} to the comparator's images {shape}. Received: one "
            f"from {generator.input_shape} to {generator.output_shape}."
        )
    check_image_range("generator", generator)
    if discriminator is not None:
        check_built("discriminator", discriminator)
        check_discriminator(discriminator, shape)
