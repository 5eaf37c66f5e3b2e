"""StyleGAN2: Karras, Laine, Aittala, Hellsten, Lehtinen and Aila, 2020, "Analyzing and improving the image quality of
StyleGAN", https://arxiv.org/abs/1912.04958; code: https://github.com/NVlabs/stylegan2-ada-pytorch

Objective, for logits d, images G(w) of styles w = f(z), and noise y ~ N(0, I) / sqrt(height width):
    discriminator: E[softplus(-d(x))] + E[softplus(d(G(w)))],    and every 16th step    gamma / 2 E[|grad d(x)|^2]
    generator:     E[softplus(-d(G(w)))],    and every 4th step    path_weight E[(|J^T y| - a)^2],    path_weight = 2
J^T y is the gradient of the sum of G(w) y for the styles. |J^T y|^2 is the mean over the layers of its sum of squares.
a is a moving average of the mean length, a = a + 0.01 (E|J^T y| - a): the penalty reads it, with its gradient, after it
has moved. The penalty is taken on half of the batch.

Schedule: the generator's update; its regularization, if the step is a multiple of 4; `discriminator_steps` updates of
the discriminator, each on its share of the batch; its regularization, if the step is a multiple of 16. Each draws
latents and noise maps of its own. A regularization is a step of the player's optimizer on the penalty alone, times its
interval k. For that, the learning rate and both betas of Adam are raised to what k + 1 updates in k steps need, with
c = k / (k + 1): rate c, beta^c.

Networks: a mapping network; a generator that modulates the kernels of its convolutions by styles, adds noise maps and
sums up images of all sizes; a residual discriminator with the minibatch standard deviation. See `MappedModel` for style
mixing, the average of styles and truncation.

Departures from the paper:
- noise maps are constant outside of training, as in the authors' pictures; for their metrics they draw them;
- the moving average of the weights is the base's, with one decay; it moves after the generator's update, and not after
  its regularization;
- the regularization moves no average of styles;
- gradients that are not finite end the training; the authors' code replaces them;
- the default networks are small: `widths`, `style_dim` and `depth` of the builders make those of the paper;
- no labels, no augmentation.
"""

import math

import keras
from keras import layers, ops

from keras_gans import engine
from keras_gans.errors import ConfigurationError
from keras_gans.layers import (
    EqualizedConv2D,
    EqualizedDense,
    FIRBlur2D,
    FIRDownsampling2D,
    FIRUpsampling2D,
    LearnedConstant,
    MinibatchStandardDeviation,
    ModulatedConv2D,
    NoiseInjection,
)
from keras_gans.losses import non_saturating_discriminator_loss, non_saturating_generator_loss
from keras_gans.mapped import MappedModel
from keras_gans.networks.doubling import checked_widths, doubled_sides
from keras_gans.networks.mapping import GAIN, build_mapping
from keras_gans.optimizers import lazy_adam
from keras_gans.penalties import path_lengths, r1_penalty, refuse_batch_norm
from keras_gans_core.checks import is_number, is_whole

PATH_DECAY = 0.01  # of the mean path length: how far it moves to that of a batch


def default_width(side):
    """Channels of maps: 64 up to 16x16, half as many whenever the side doubles, 8 at least."""
    return max(8, min(64, 1024 // side))


# Networks


def build_generator(image_shape, style_dim=64, *, widths=None):
    """The generator: a learned map, then two modulated convolutions at each size, and an image of each size.

    Args:
        image_shape: (height, width, channels), both sizes 4 to 7 times one power of two; 32x32 begins at 4x4.
        style_dim: size of the styles.
        widths: channels at each size, the smallest first; None for 64 up to 16x16 and half as many at each larger one.
            The paper has min(16384 / side, 512) for images below 512x512, and min(32768 / side, 512) for larger ones.

    Returns:
        A Keras model of [styles (N, layers, style_dim), noise maps (N, height, width, 1), ...] to images. It has two
        styles for each size, and a noise map for each 3x3 convolution. Nothing bounds its images.

    Raises:
        ConfigurationError: sizes that cannot be made by doubling, or widths that do not fit them.
    """
    sides = doubled_sides(image_shape)
    widths = checked_widths(sides, widths, default_width)
    if not is_whole(style_dim, 1):
        raise ConfigurationError(f"Expected a style_dim of 1 or more. Received: {style_dim!r}.")
    styles = keras.Input((2 * len(sides), style_dim), name="styles")
    each = ops.unstack(styles, 2 * len(sides), axis=1)
    maps = []

    def style(name, i, channels):
        return EqualizedDense(channels, gain=1.0, bias_initializer="ones", name=name)(each[i])

    def styled(x, i, width, size, upsample=False):
        noise = keras.Input((*size, 1), name=f"noise{i}")
        maps.append(noise)
        modulation = style(f"style{i}", i, x.shape[-1])
        x = ModulatedConv2D(width, 3, upsample=upsample, use_bias=True, name=f"conv{i}")([x, modulation])
        return _activated(NoiseInjection(name=f"noisy{i}")([x, noise]), f"act{i}")

    x = LearnedConstant((*sides[0], widths[0]), name="constant")(each[0])
    image = None
    for stage, (size, width) in enumerate(zip(sides, widths)):
        if stage > 0:
            x = styled(x, 2 * stage - 1, width, size, upsample=True)
        x = styled(x, 2 * stage, width, size)
        modulation = style(f"image_style{stage}", 2 * stage + 1, width)
        modulation = layers.Rescaling(1.0 / math.sqrt(width), name=f"image_scale{stage}")(modulation)
        part = ModulatedConv2D(
            image_shape[-1], 1, demodulate=False, use_bias=True, name=f"image{stage}"
        )([x, modulation])  # fmt: skip
        image = part if image is None else layers.Add(name=f"sum{stage}")([FIRUpsampling2D()(image), part])
    images = layers.Activation("linear", dtype="float32", name="images")(image)
    return keras.Model([styles, *maps], images, name="generator")


def build_discriminator(image_shape, *, widths=None, group_size=4):
    """The discriminator: residual blocks that halve the map down to the smallest size, the minibatch standard
    deviation, and one logit.

    Args:
        image_shape, widths: see `build_generator`.
        group_size: of the minibatch standard deviation.

    Returns:
        A Keras model, images to logits (N, 1).

    Raises:
        ConfigurationError: see `build_generator`.
    """
    sides = doubled_sides(image_shape)
    widths = checked_widths(sides, widths, default_width)
    images = keras.Input(image_shape, name="images")
    x = _activated(EqualizedConv2D(widths[-1], 1, gain=1.0, name="from_image")(images), "from_image_act")
    for stage in reversed(range(1, len(sides))):
        skip = FIRDownsampling2D(name=f"skip_half{stage}")(x)
        skip = EqualizedConv2D(
            widths[stage - 1], 1, gain=math.sqrt(0.5), use_bias=False, name=f"skip{stage}"
        )(skip)  # fmt: skip
        x = EqualizedConv2D(widths[stage], 3, gain=1.0, name=f"conv{stage}")(x)
        x = FIRBlur2D(2, name=f"blur{stage}")(_activated(x, f"act{stage}"))
        x = EqualizedConv2D(
            widths[stage - 1], 3, strides=2, padding="valid", gain=1.0, name=f"half{stage}"
        )(x)  # fmt: skip
        # The gain sqrt(2) sqrt(1 / 2) is 1: the sum of the block has variance 1.
        x = layers.LeakyReLU(0.2, name=f"half_act{stage}")(x)
        x = layers.Add(name=f"block{stage}")([skip, x])
    x = MinibatchStandardDeviation(group_size, name="deviation")(x)
    x = _activated(EqualizedConv2D(widths[0], 3, gain=1.0, name="conv0")(x), "act0")
    x = layers.Flatten(name="flatten")(x)
    x = _activated(EqualizedDense(widths[0], gain=1.0, name="features")(x), "features_act")
    logits = EqualizedDense(1, gain=1.0, dtype="float32", name="logits")(x)
    return keras.Model(images, logits, name="discriminator")


def _activated(x, name):
    """A leaky rectifier, times sqrt(2), which keeps the variance."""
    return layers.Rescaling(GAIN, name=f"{name}_gain")(layers.LeakyReLU(0.2, name=name)(x))


@keras.saving.register_keras_serializable(package="keras_gans")
class StyleGAN2(MappedModel):
    """StyleGAN2: a mapped latent space, modulated convolutions, lazy regularization, truncation.

    In the logs, `r1` and `path_penalty` are the penalties without their weights, means over the steps that took them;
    0 where an epoch took none. `compile()` has the code's rate of 0.0025; for another pass
    `kg.optimizers.lazy_adam(interval, rate)`.

    On several devices the minibatch standard deviation, style mixing and the mean path length are those of a device's
    share of the batch.

    Args:
        generator, discriminator, mapping: networks, see `MappedModel`, a discriminator without batch normalization.
            With none of them, small ones for `image_shape`, with two mapping layers.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default mapping, and the size of its styles.
        gamma: weight of R1, 0 or more; None for 0.0002 height width / 32, the published rule at batches of 32. It
            depends on the data: larger is more stable and less diverse. 0 takes no such steps; the optimizer's
            constants remain those for r1_interval, as in the code.
        r1_interval: steps from one regularization of the discriminator to the next, 1 or more.
        path_weight: weight of the path length penalty, 0 or more; 0 takes no such steps, as for CIFAR-10 in the code.
        path_interval: steps from one regularization of the generator to the next, 1 or more.
        mixing, style_decay: see `MappedModel`.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: numbers out of range, sizes that cannot be made by doubling, a discriminator with batch
            normalization, or networks that do not fit each other.

    Example:

    >>> widths = (8, 8, 4)
    >>> gan = kg.StyleGAN2(
    ...     build_generator((16, 16, 3), 8, widths=widths),
    ...     build_discriminator((16, 16, 3), widths=widths),
    ...     build_mapping(8, 8, depth=2),
    ... )
    >>> gan.compile()
    >>> gan.generate(4, seed=0, truncation_psi=0.7).shape
    (4, 16, 16, 3)

    Reference: Karras et al., 2020, https://arxiv.org/abs/1912.04958
    """

    log_names = ("d_loss", "g_loss", "r1", "path_penalty")

    def __init__(
        self,
        generator=None,
        discriminator=None,
        mapping=None,
        *,
        image_shape=(64, 64, 3),
        latent_dim=64,
        gamma=None,
        r1_interval=16,
        path_weight=2.0,
        path_interval=4,
        **kwargs,
    ):
        for name, weight in (("gamma", 0.0 if gamma is None else gamma), ("path_weight", path_weight)):
            if not is_number(weight, 0.0):
                raise ConfigurationError(f"Expected {name} of 0 or more. Received: {weight!r}.")
        for name, interval in (("r1_interval", r1_interval), ("path_interval", path_interval)):
            if not is_whole(interval, 1):
                raise ConfigurationError(f"Expected {name} of 1 or more. Received: {interval!r}.")
        if generator is None and discriminator is None and mapping is None:
            generator, discriminator = build_generator(image_shape, latent_dim), build_discriminator(image_shape)
            mapping = build_mapping(latent_dim, latent_dim, depth=2)
        super().__init__(generator=generator, discriminator=discriminator, mapping=mapping, **kwargs)
        if discriminator is not None:
            refuse_batch_norm(discriminator)
        height, width, _ = self.image_shape
        self.gamma = 0.0002 * height * width / 32 if gamma is None else gamma
        self.r1_interval, self.path_weight, self.path_interval = r1_interval, path_weight, path_interval
        self.path_mean = self.add_weight(
            shape=(), dtype="float32", initializer="zeros", trainable=False, aggregation="mean", name="path_mean"
        )

    # Losses

    def discriminator_loss(self, real, fake, training=True):
        return non_saturating_discriminator_loss(self.score(real, training), self.score(fake, training))

    def generator_loss(self, fake, training=True):
        return non_saturating_generator_loss(self.score(fake, training))

    def r1_loss(self, real):
        """R1 with its weight and for its interval, and without: a vector of two."""
        penalty = r1_penalty(self.score, real)
        return ops.stack([0.5 * self.gamma * self.r1_interval * penalty, penalty])

    def path_loss(self, draws, noise):
        """The path length penalty with its weight and for its interval, without, and the mean length: three numbers.

        Args:
            draws: what images are made from; see `draws_like`.
            noise: standard normal numbers in the images' shape.
        """
        styles, maps = self.mixed_styles(draws)[1], draws[3:]
        lengths = path_lengths(lambda styles: self.generator([styles, *maps], training=True), styles, noise)
        before = ops.convert_to_tensor(self.path_mean)
        mean = before + PATH_DECAY * (ops.mean(lengths) - before)
        penalty = ops.mean(ops.square(lengths - mean))
        return ops.stack([self.path_weight * self.path_interval * penalty, penalty, mean])

    # Training

    def train_step(self, data):
        shares = list(self.shares(self.encode_batch(data)["images"]))
        g_loss = self.minimize("generator", self.generator_loss, self.record(self.draws_like(shares[0])))
        if self.path_weight > 0.0:
            some = shares[0][: (ops.shape(shares[0])[0] + 1) // 2]
            inputs = self.draws_like(some), engine.normal((ops.shape(some)[0], *self.image_shape), self.latent_seeds)
            due, (_, path, mean) = self.regularize("generator", self.path_interval, lambda: self.path_loss(*inputs), 3)
            self.path_mean.assign(ops.where(due, mean, ops.convert_to_tensor(self.path_mean)))
            self.trackers["path_penalty"].update_state(path, sample_weight=ops.cast(due, "float32"))
        for real in shares:
            fake = self.images_from(self.draws_like(real))
            d_loss = self.minimize("discriminator", self.discriminator_loss, real, fake)
        if self.gamma > 0.0:
            due, (_, r1) = self.regularize("discriminator", self.r1_interval, lambda: self.r1_loss(shares[-1]), 2)
            self.trackers["r1"].update_state(r1, sample_weight=ops.cast(due, "float32"))
        logs = self.log(d_loss=d_loss, g_loss=g_loss)
        return {**logs, **{name: self.trackers[name].result() for name in ("r1", "path_penalty")}}

    def regularize(self, player, interval, loss_fn, size):
        """One step of a player's optimizer on `loss_fn()`, if the step is a multiple of `interval`. What callbacks
        add to a player's loss, or do after its update, belongs to `minimize` alone.

        Args:
            player, loss_fn: see `minimize`; the loss is a vector of `size` numbers.

        Returns:
            Whether the step was taken, a tensor; and the numbers, zeros if not.
        """
        due = ops.equal(ops.convert_to_tensor(self.step) % interval, 0)
        variables = self.player_variables(player)
        optimizer = self.g_optimizer if player == "generator" else self.d_optimizer
        replicas = engine.replica_count()

        def scale(loss):  # as in `minimize`
            return optimizer.scale_loss(loss[0] / replicas)

        def none():
            return [ops.zeros(variable.shape, variable.dtype) for variable in variables]

        def taken():
            loss, gradients = engine.value_and_grad(loss_fn, variables, scale)
            return [loss, *(zeros if slope is None else slope for slope, zeros in zip(gradients, none()))]

        def left():
            return [ops.zeros((size,)), *none()]

        loss, *gradients = engine.when(due, taken, left)
        engine.apply_gradients(optimizer, gradients, variables, due)
        return due, ops.unstack(loss, size)

    def paper_optimizers(self):
        intervals = {"generator": self.path_interval, "discriminator": self.r1_interval}
        return {player: lazy_adam(interval) for player, interval in intervals.items()}
