"""ProGAN: Karras, Aila, Laine and Lehtinen, 2018, "Progressive growing of GANs for improved quality, stability, and
variation", https://arxiv.org/abs/1710.10196; code: https://github.com/tkarras/progressive_growing_of_gans

The networks grow while they train: from small images to large ones, a size at a time.

Objective, for scores d, and x' between real and generated images as in WGAN-GP:
    discriminator: E[d(G(z))] - E[d(x)] + gp_weight E[(|grad d(x')| - 1)^2] + drift_weight E[d(x)^2]
    generator:     -E[d(G(z))]
The drift term keeps the scores near zero, which the rest leaves free.

Growing, at each size above the first: a block is added to both networks, and fades in over `fade_steps` steps:
    generator:     (1 - a) up(image of the smaller network) + a (image of the new block)
    discriminator: (1 - a) (features of the image at half the size) + a (features of the new block)
    real images:   (1 - a) up(half(x)) + a x
where half takes the mean of 2x2 pixels, up repeats each, and a rises from 0 to 1. Then the size is trained as it is.

Schedule: the discriminator is updated, then the generator, each on fresh noise. With `discriminator_steps=k` the batch
is split among k discriminator updates. Each size is a phase (`phases`), which begins with fresh optimizers: twice as
long as the first one's, with the fade in its first half. A batch has as many images at each size, so that epochs count
images.

Networks: weights with an equalized learning rate, the feature vectors of the generator normalised at each pixel, the
minibatch standard deviation at the end of the discriminator, and images without a tanh.

Departures from the paper:
- the optimizers are fresh when a size begins; the code's are so once more when its fade ends;
- the batch is as large at each size; the code's is smaller from 256x256 on;
- the code moves the average of the weights before the generator's update, here it is moved after it, as often;
- the average is the base's, whose decay grows in the first steps;
- the generator's first layer has a bias for each position and channel; the code's has one for each channel;
- the minibatch standard deviation is over groups of 4, the code's default; the paper's is over the batch;
- images are not mirrored at random, as the code's reader does for faces;
- the fade moves on at each step; the code's does so at every fourth;
- no labels.
"""

import copy

import keras
import numpy as np
from keras import layers, ops

from keras_gans.errors import CheckpointError, ConfigurationError, DataError
from keras_gans.fields import noise_to_images
from keras_gans.fitting import PHASE
from keras_gans.layers import EqualizedConv2D, EqualizedDense, FadeIn, MinibatchStandardDeviation, PixelNormalization
from keras_gans.losses import wasserstein_discriminator_loss, wasserstein_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks
from keras_gans.networks.doubling import checked_widths, doubled_sides
from keras_gans.optimizers import FusedAdam
from keras_gans.penalties import gradient_penalty, refuse_batch_norm
from keras_gans.phases import Phase
from keras_gans_core.checks import is_number, is_whole

# Sizes


def default_width(side):
    """Channels of the paper's maps: 512 up to 32x32, half as many whenever the side doubles."""
    return max(1, min(512, 512 * 32 // side))


def _doubled(size, final):
    """Whether a final size is a size times a power of two."""
    factors = {larger // side if larger % side == 0 else 0 for side, larger in zip(size, final)}
    factor = factors.pop()
    return not factors and factor > 0 and factor & (factor - 1) == 0


def _checked_final(size, final):
    """The (height, width) of the finished images; by default those that there are."""
    if final is None:
        return tuple(size)
    if not isinstance(final, (list, tuple)) or len(final) != 2 or not all(is_whole(side, 1) for side in final):
        raise ConfigurationError(f"Expected final_size=(height, width), or None. Received: {final!r}.")
    if not _doubled(size, final):
        height, width = size
        reached = ", ".join(f"{height << i}x{width << i}" for i in range(6))
        raise ConfigurationError(
            f"Expected a final_size that doubling {height}x{width} reaches: {reached}, ... Received: "
            f"{final[0]}x{final[1]}."
        )
    return tuple(final)


# Networks


def _shared(below, size):
    """A function from a layer's name, class and arguments to the layer: that of the smaller network, if it has one."""
    if below is None:
        return lambda name, kind, *args, **options: kind(*args, name=name, **options)
    known, images = {layer.name: layer for layer in below.layers}, below.output_shape[1:-1] or below.input_shape[1:-1]
    if "conv0" not in known or tuple(2 * side for side in images) != size:
        raise ConfigurationError(
            f"Expected a network to grow to {size[0]}x{size[1]} that the same builder made for half the size. "
            f"Received: {below.name!r}, from {below.input_shape} to {below.output_shape}."
        )
    policy = known["conv0"].dtype_policy

    def layer(name, kind, *args, **options):
        if name not in known:
            return kind(*args, **{"dtype": policy, **options}, name=name)
        if kind is EqualizedConv2D and known[name].filters != args[0]:
            raise ConfigurationError(
                f"Expected the widths of the smaller network, such as {known[name].filters} in {name}. Received: "
                f"{args[0]}."
            )
        return known[name]

    return layer


def build_generator(image_shape, latent_dim=512, *, widths=None, below=None):
    """The paper's generator: a map of 4x4 to 7x7 that is doubled to the images' size, two convolutions at each.

    Args:
        image_shape: (height, width, channels); both sizes 4 to 7 times one power of two.
        latent_dim: size of the latents.
        widths: channels of the maps of each size, the smallest first; None for the paper's: 512 up to 32x32, half as
            many whenever the side doubles.
        below: a generator of half the size, made by this function. Its layers are shared, not copied, and its images
            fade into those of the new block; see `keras_gans.layers.FadeIn`.

    Returns:
        A Keras model, (N, latent_dim) to (N, height, width, channels). Nothing bounds its images.

    Raises:
        ConfigurationError: sizes that cannot be halved to the smallest map, widths that do not fit them, or another
            network below.

    Example:

    >>> small = build_generator((4, 4, 3), 8, widths=(16,))
    >>> build_generator((8, 8, 3), 8, widths=(16, 8), below=small).output_shape
    (None, 8, 8, 3)
    """
    sizes = doubled_sides(image_shape)
    widths, layer, last = checked_widths(sizes, widths, default_width), _shared(below, sizes[-1]), len(sizes) - 1

    def activated(x, name):
        x = layer(f"{name}_activated", layers.LeakyReLU, 0.2)(x)
        return layer(f"{name}_normalised", PixelNormalization)(x)

    def to_image(x, stage):  # in float32, and linear
        return layer(f"to_image{stage}", EqualizedConv2D, image_shape[-1], 1, gain=1.0, dtype="float32")(x)

    if below is not None and below.input_shape[-1] != latent_dim:
        raise ConfigurationError(f"Expected latent_dim={below.input_shape[-1]}, as below. Received: {latent_dim}.")
    latents = keras.Input((latent_dim,), name="latents")
    x = layer("latents_normalised", PixelNormalization)(latents)
    height, width = sizes[0]
    # A gain of sqrt(2) / 4 at 4x4: as if the layer were a 4x4 convolution, which has 16 times the inputs.
    gain = (2.0 / (height * width)) ** 0.5
    x = layer("project", EqualizedDense, height * width * widths[0], gain=gain)(x)
    x = activated(layer("map", layers.Reshape, (height, width, widths[0]))(x), "project")
    x = activated(layer("conv0", EqualizedConv2D, widths[0], 3)(x), "conv0")
    for stage in range(1, len(sizes)):
        before = x
        x = layer(f"double{stage}", layers.UpSampling2D, 2)(x)
        for i in range(2):
            x = activated(layer(f"conv{stage}_{i}", EqualizedConv2D, widths[stage], 3)(x), f"conv{stage}_{i}")
    images = to_image(x, last)
    if below is not None:
        small = layer(f"double_image{last}", layers.UpSampling2D, 2, dtype="float32")(to_image(before, last - 1))
        images = layer(f"fade{last}", FadeIn, dtype="float32")([small, images])
    return keras.Model(latents, images, name="generator")


def build_discriminator(image_shape, *, widths=None, below=None):
    """The paper's discriminator: the generator's mirror image, with the minibatch standard deviation at its end.

    Args:
        image_shape, widths: see `build_generator`.
        below: a discriminator of half the size, made by this function. Its layers are shared, and what it makes of
            images at half the size fades into what the new block makes of them.

    Returns:
        A Keras model, images to scores (N, 1).

    Raises:
        ConfigurationError: see `build_generator`.
    """
    sizes = doubled_sides(image_shape)
    widths, layer, last = checked_widths(sizes, widths, default_width), _shared(below, sizes[-1]), len(sizes) - 1

    def conv(x, filters, size, name):
        x = layer(name, EqualizedConv2D, filters, size)(x)
        return layer(f"{name}_activated", layers.LeakyReLU, 0.2)(x)

    images = keras.Input(image_shape, name="images")
    x = conv(images, widths[last], 1, f"from_image{last}")
    for stage in range(last, 0, -1):
        x = conv(x, widths[stage], 3, f"conv{stage}_0")
        x = conv(x, widths[stage - 1], 3, f"conv{stage}_1")
        x = layer(f"halve{stage}", layers.AveragePooling2D, 2)(x)
        if stage == last and below is not None:
            half = layer(f"halve_image{stage}", layers.AveragePooling2D, 2)(images)
            x = layer(f"fade{stage}", FadeIn)([conv(half, widths[stage - 1], 1, f"from_image{stage - 1}"), x])
    x = layer("deviation", MinibatchStandardDeviation)(x)
    x = layer("features", layers.Flatten)(conv(x, widths[0], 3, "conv0"))
    x = layer("dense_activated", layers.LeakyReLU, 0.2)(layer("dense", EqualizedDense, widths[0])(x))
    scores = layer("scores", EqualizedDense, 1, gain=1.0, dtype="float32")(x)
    return keras.Model(images, scores, name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gans")
class ProGAN(AdversarialModel):
    """GAN whose networks grow while they train.

    The model has one size at a time: it takes and makes images of `image_shape`. `grown(fade_steps)` returns one of
    twice the size, which shares all layers; `phases` lists the trainings up to `final_size`. `for_data` begins at the
    smallest size. A model of its final size is one as any other, and can also be trained from the start without
    growing.

    In the logs, `d_loss` is the discriminator's whole loss at the last of a step's updates, and `gp` is the gradient
    penalty in it without its weight. On several devices the minibatch standard deviation is that of a device's share of
    the batch.

    Args:
        generator, discriminator: networks, without batch normalization in the discriminator. With neither, the paper's
            for `image_shape`.
        image_shape: (height, width, channels) of the default networks.
        final_size: (height, width) that the model may grow to, `image_shape`'s times a power of two; None for that of
            `image_shape`.
        latent_dim: latents of the default generator.
        widths: channels of the maps of each size up to `final_size`, the smallest first; None for the paper's. A model
            that is given networks and shall grow needs them.
        fade_steps: steps in which the last block fades in; `grown` sets it.
        gp_weight, drift_weight: weights of the gradient penalty and of the mean square of real scores, 0 or more.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: sizes that doubling does not reach, numbers out of range, a discriminator with batch
            normalization, or networks that do not fit each other.

    Example:

    >>> gan = kg.ProGAN(image_shape=(4, 4, 3), final_size=(8, 8), latent_dim=8, widths=(16, 8))
    >>> gan.generate(2, seed=0).shape
    (2, 4, 4, 3)
    >>> grown = gan.grown(fade_steps=100)
    >>> grown.generate(2, seed=0).shape                # at first the same images, each pixel four times
    (2, 8, 8, 3)

    Reference: Karras et al., 2018, https://arxiv.org/abs/1710.10196
    """

    log_names = ("d_loss", "g_loss", "gp")

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(32, 32, 3),
        final_size=None,
        latent_dim=512,
        widths=None,
        fade_steps=0,
        gp_weight=10.0,
        drift_weight=1e-3,
        **kwargs,
    ):
        for name, weight in (("gp_weight", gp_weight), ("drift_weight", drift_weight)):
            if not is_number(weight, 0.0):
                raise ConfigurationError(f"Expected {name} of 0 or more. Received: {weight!r}.")
        if not is_whole(fade_steps, 0):
            raise ConfigurationError(f"Expected fade_steps of 0 or more. Received: {fade_steps!r}.")
        if generator is None and discriminator is None:
            sizes = doubled_sides(image_shape)
            final_size = _checked_final(image_shape[:2], final_size)
            widths = checked_widths(doubled_sides((*final_size, image_shape[-1])), widths, default_width)
            generator = build_generator(image_shape, latent_dim, widths=widths[: len(sizes)])
            discriminator = build_discriminator(image_shape, widths=widths[: len(sizes)])
        check_networks(generator, discriminator)
        super().__init__(generator=generator, discriminator=discriminator, **noise_to_images(generator), **kwargs)
        if discriminator is not None:
            refuse_batch_norm(discriminator)
        self.final_size = _checked_final(self.image_shape[:2], final_size)
        if widths is not None:
            widths = checked_widths(doubled_sides((*self.final_size, self.image_shape[-1])), widths, default_width)
        elif self.final_size != self.image_shape[:2]:
            raise ConfigurationError(
                "Expected widths of the maps up to final_size, since networks are given. Received: widths=None and "
                f"final_size={final_size!r}."
            )
        self.widths, self.fade_steps = widths, fade_steps
        self.gp_weight, self.drift_weight = gp_weight, drift_weight
        if fade_steps and not self.fades():
            raise ConfigurationError(
                f"Expected fade_steps=0 for networks in which nothing fades in. Received: {fade_steps!r}. A model's "
                "grown(fade_steps) returns one with a new block."
            )
        if not fade_steps:
            for fade in self.fades():
                fade.alpha.assign(1.0)

    # Fading in

    def fades(self):
        """The layers in which the last block fades in: one of each network, or none."""
        held = self.networks("generator", "discriminator")
        return [layer for network in held for layer in network.layers if isinstance(layer, FadeIn)]

    def fade_in(self):
        """Moves the blend of old and new block to where it is at this step of the phase."""
        start = ops.convert_to_tensor(self.slots.get(PHASE))[1] if PHASE in self.slots.names else 0
        done = ops.convert_to_tensor(self.step) - start
        share = ops.cast(done, "float32") / max(1, self.fade_steps)
        for fade in self.fades():
            fade.alpha.assign(ops.where(done >= self.fade_steps, 1.0, share))

    def faded(self, images):
        """Real images with as much detail as the generator's, while its last block fades in."""
        if not self.fade_steps:
            return images
        alpha = ops.convert_to_tensor(self.fades()[0].alpha)
        coarse = ops.average_pool(images, 2, strides=2, data_format="channels_last")
        coarse = ops.repeat(ops.repeat(coarse, 2, axis=1), 2, axis=2)
        return (1.0 - alpha) * coarse + alpha * images

    # The game

    def loss_and_penalty(self, real, fake, training=True):
        """The discriminator's loss, and the gradient penalty in it without its weight: a vector of two."""
        real = self.faded(real)
        between = self.uniform_like(real, training)
        penalty = gradient_penalty(lambda images: self.score(images, training), real, fake, between)
        scores = self.score(real, training)
        wasserstein = wasserstein_discriminator_loss(scores, self.score(fake, training))
        drift = ops.mean(ops.square(scores))
        return ops.stack([wasserstein + self.gp_weight * penalty + self.drift_weight * drift, penalty])

    def discriminator_loss(self, real, fake, training=True):
        return self.loss_and_penalty(real, fake, training)[0]

    def generator_loss(self, fake, training=True):
        return wasserstein_generator_loss(self.score(fake, training))

    def train_step(self, data):
        images = self.encode_batch(data)["images"]
        self.fade_in()
        for real in self.shares(images):
            fake = self.generator(self.latents_like(real), training=True)
            d_loss, gp = ops.unstack(self.minimize("discriminator", self.loss_and_penalty, real, fake), 2)
        g_loss = self.minimize("generator", self.generator_loss, self.record(self.latents_like(real)))
        return self.log(d_loss=d_loss, g_loss=g_loss, gp=gp)

    def batch_scores(self, images, **others):
        return super().batch_scores(self.faded(images), **others)

    def paper_optimizers(self):
        return {player: FusedAdam(1e-3, beta_1=0.0, beta_2=0.99, epsilon=1e-8) for player in self.players}

    # Growing

    def grown(self, fade_steps=0):
        """The model of the next phase, not compiled: twice the size, with a new block around each of these networks.

        Its step count starts at zero; in a training by `phases` it goes on.

        Args:
            fade_steps: steps in which the new blocks fade in.

        Raises:
            ConfigurationError: a model of its final size, or without a discriminator, or networks that the builders of
                this module did not make.
        """
        height, width, channels = self.image_shape
        if (height, width) == self.final_size:
            raise ConfigurationError(
                f"Expected a model below its final size, to grow. Received: one of {height}x{width}, which is final. "
                f"Build it with a larger final_size, such as {2 * height}x{2 * width}."
            )
        if self.discriminator is None:
            raise ConfigurationError("Expected a model with a discriminator. Received: discriminator=None. Pass one.")
        shape = (2 * height, 2 * width, channels)
        widths = self.widths[: len(doubled_sides(shape))]
        model = type(self)(
            build_generator(shape, self.latent_dim, widths=widths, below=self.generator),
            build_discriminator(shape, widths=widths, below=self.discriminator),
            final_size=self.final_size,
            widths=self.widths,
            fade_steps=fade_steps,
            gp_weight=self.gp_weight,
            drift_weight=self.drift_weight,
            discriminator_steps=self.discriminator_steps,
            ema_decay=self.ema_decay,
            seed=self.seed,
            name=self.name,
            dtype=self.dtype_policy,
        )
        if self.ema_decay is not None:
            model.ema.take_over(self.ema)
        return model

    def phases(self, dataset, epochs):
        """A phase for each size, from this model's to its final one.

        Args:
            dataset: `Batches` of images of the final size. Smaller ones are means of their pixels.
            epochs: of all phases: the first gets one share, each further one two, of which the first is the fade. Or a
                list with the epochs of each phase. No phase has less than one.

        Raises:
            DataError: images of another size.
            ConfigurationError: epochs that are not one number for each size.
        """
        final, channels = self.final_size, self.image_shape[-1]
        if dataset.image_shape != (*final, channels):
            raise DataError(
                f"Expected images of the final size, {(*final, channels)}. Received: {dataset.image_shape}. Resize "
                f"them, or build the model with final_size={dataset.image_shape[:2]}."
            )
        sizes = [self.image_shape[:2]]
        while sizes[-1] != final:
            sizes.append(tuple(2 * side for side in sizes[-1]))
        parts = _parts(epochs, len(sizes))
        phases = [Phase(_made_smaller(dataset, sizes[0]), parts[0], title=_named(sizes[0]))]
        for size, count in zip(sizes[1:], parts[1:]):
            steps = max(1, len(dataset) * count // 2)
            phases.append(
                Phase(
                    lambda model, size=size: _data_for(model, dataset, size),
                    count,
                    prepare=lambda model, steps=steps: _grown(model, steps),
                    title=f"{_named(size)}, which fades in over {steps:,} steps",
                )
            )
        return phases

    @classmethod
    def for_data(cls, dataset, **options):
        """The paper's networks at the smallest size, which grow to that of what `load_data` returned."""
        height, width, channels = dataset.image_shape
        first = doubled_sides(dataset.image_shape)[0]
        return cls(**{"image_shape": (*first, channels), "final_size": (height, width), **options})


def _named(size):
    return f"{size[0]}x{size[1]}"


def _parts(epochs, count):
    """The epochs of each of `count` phases."""
    if isinstance(epochs, (list, tuple)):
        if len(epochs) != count or not all(is_whole(part, 1) for part in epochs):
            raise ConfigurationError(
                f"Expected epochs with a number of 1 or more for each of {count} sizes. Received: {epochs!r}."
            )
        return list(epochs)
    if not is_whole(epochs, 1):
        raise ConfigurationError(f"Expected epochs of 1 or more, or a list of them. Received: {epochs!r}.")
    ends = [round(epochs * (2 * i + 1) / (2 * count - 1)) for i in range(count)]
    return [max(1, end - start) for start, end in zip([0, *ends], ends)]


def _grown(model, fade_steps):
    """The grown model, compiled with optimizers like those of the model, which have no state yet."""
    larger = model.grown(fade_steps)
    larger.compile_from_config(model.get_compile_config())
    return larger


def _data_for(model, dataset, size):
    """The data of a phase, for a model that may come from a checkpoint."""
    if model.image_shape[:2] != size:
        raise CheckpointError(
            f"Expected a model of {_named(size)} in this phase. Received: one of {_named(model.image_shape)}. Resume "
            "with the recipe that started the run."
        )
    return _made_smaller(dataset, size)


def _made_smaller(dataset, size):
    """The same examples with images of a smaller size, whose pixels are the means of their parts."""
    height, width, channels = dataset.image_shape
    if (height, width) == size:
        return dataset
    images = np.asarray(dataset.images)
    parts = images.reshape(len(images), size[0], height // size[0], size[1], width // size[1], channels)
    means = parts.mean((2, 4), dtype="float32")
    smaller = copy.copy(dataset)
    smaller.arrays = {
        **dataset.arrays,
        "images": np.round(means).astype(images.dtype) if images.dtype == "uint8" else means.astype(images.dtype),
    }
    smaller.about = {**dataset.about, "image_shape": [*size, channels]}
    return smaller
