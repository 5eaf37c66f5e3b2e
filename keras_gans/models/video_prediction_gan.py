"""Video prediction: Mathieu, Couprie and LeCun, 2016, "Deep multi-scale video prediction beyond mean square error",
https://arxiv.org/abs/1511.05440; code: https://github.com/coupriec/VideoPredictionICLR2016

A generator predicts the next frame of a clip, and the ones after it from its own predictions.

X_k is the clip (its frames joined along the channels) and Y_k the next frame at scale k, averaged over windows of
2^(K - k) pixels; u doubles an image's size by repeating pixels. The networks N_1 to N_K predict from coarse to fine:
    y_1 = tanh(N_1(X_1)) / 0.9,    y_k = tanh(N_k([X_k, u(y_(k-1))]) + u(y_(k-1))) / 0.9
The coarser prediction is seen, and added before the tanh, as in the code. It is not detached: gradients flow through
all scales.

Objective (d_k: the logits of scale k's discriminator, which sees clip and frame; means over batch, pixels, channels):
    discriminator:  sum_k E[softplus(-d_k(X_k, Y_k))] + E[softplus(d_k(X_k, y_k))]
    generator:      adversarial_weight sum_k E[softplus(-d_k(X_k, y_k))]                     (non-saturating)
                    + lp_weight sum_k E[|Y_k - y_k|^p] + gdl_weight sum_k GDL_alpha(y_k, Y_k)
GDL is `kg.losses.gradient_difference_loss`, which compares the absolute differences of neighbouring pixels.

Schedule: each step predicts once for its batch. The discriminators are updated on true and predicted frames, then the
generator on the same predictions, judged by the updated discriminators. With `discriminator_steps=k` the batch is split
among k discriminator updates.

Departures from the paper and its code:
- the code draws a new batch for the generator's update; here it is that of the last discriminator update;
- the networks are those of the published training script, of an eighth of the paper's width; `filters=128` gives the
  paper's generators. Their number follows from the image size, as do the discriminators' kernels;
- sums over scales of means, as in the code; the paper writes sums over pixels;
- the code has no 0.9. Where most pixels are black, as around digits, black is reached only at the end of the tanh:
  there its slope vanishes, and the predicted frames of digits stayed black, with Adam and with SGD;
- the optimizers are Adam, with the rates 2e-4 and 1e-4. The code's are SGD with the rate 0.02.
"""

import keras
import numpy as np
from keras import layers, ops

from keras_gans.data.clips import load_clips
from keras_gans.errors import ConfigurationError
from keras_gans.fields import Clips, Images, check_image_shape
from keras_gans.images import to_float
from keras_gans.losses import (
    gradient_difference_loss,
    non_saturating_discriminator_loss,
    non_saturating_generator_loss,
)
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_built, check_discriminator, check_image_range
from keras_gans.optimizers import FusedAdam
from keras_gans_core.checks import is_number, is_whole

# The script's convolutions, of each scale from coarse to fine: the kernel, and the filters as multiples of the first's.
GENERATORS = (
    ((3, 1), (3, 2), (3, 1)),
    ((5, 1), (3, 2), (3, 1)),
    ((5, 1), (3, 2), (3, 4), (3, 2), (3, 1)),
    ((7, 1), (5, 2), (5, 4), (5, 2), (5, 1)),
)
LAST_KERNELS = (3, 5, 5, 7)
DISCRIMINATORS = (  # of images below 8, 16 and 32 pixels a side, and of others, which end in a pooling layer
    ((3, 1),),
    ((3, 1), (3, 1), (3, 2)),
    ((5, 1), (5, 1), (5, 2)),
    ((7, 1), (7, 1), (5, 2), (5, 4)),
)
SMALLEST = 4  # pixels per side of the coarsest scale
REACHED = 0.9  # the tanh where a pixel is white, and -0.9 where it is black: farther out its slope vanishes


def scales_of(image_shape):
    """How many scales images have: at most four, each half the size of the next, of 4 pixels a side or more.

    Raises:
        ConfigurationError: smaller images.

    Example:

    >>> scales_of((32, 32, 3)), scales_of((28, 28, 1)), scales_of((8, 8, 1))
    (4, 3, 2)
    """
    check_image_shape(image_shape)
    scales, sides = 1, image_shape[:2]
    if min(sides) < SMALLEST:
        raise ConfigurationError(
            f"Expected images of {SMALLEST} pixels a side or more. Received: image_shape={tuple(image_shape)}."
        )
    while scales < len(GENERATORS) and all(side % 2 == 0 and side >= 2 * SMALLEST for side in sides):
        scales, sides = scales + 1, [side // 2 for side in sides]
    return scales


def build_generator(channels=3, context=4, scales=4, *, filters=16):
    """The generator of the authors' training script: convolutions at every scale, for clips of any size.

    Args:
        channels: of a frame, 1 or 3.
        context: frames of a clip.
        scales: 1 to 4; the sides of the frames are multiples of 2^(scales - 1). See `scales_of`.
        filters: of the first convolutions; 128 in the paper.

    Returns:
        A Keras model, (N, height, width, context * channels) to a list of frames, from coarse to fine; the last is
        (N, height, width, channels). Values are in [-1.11, 1.11]; `predict_frames` clips them to [-1, 1].

    Raises:
        ConfigurationError: no frames, or another number of scales.

    Example:

    >>> network = build_generator(channels=1, scales=3, filters=4)
    >>> [tuple(frame.shape) for frame in network(np.zeros((2, 16, 16, 4), "float32"))]
    [(2, 4, 4, 1), (2, 8, 8, 1), (2, 16, 16, 1)]
    """
    if not is_whole(context, 1) or not is_whole(scales, 1) or scales > len(GENERATORS):
        raise ConfigurationError(
            f"Expected a context of 1 frame or more, and 1 to {len(GENERATORS)} scales. Received: {context!r} and "
            f"{scales!r}."
        )
    clips = keras.Input((None, None, context * channels), name="clips")
    frames = []
    for k, (table, last) in enumerate(zip(GENERATORS[-scales:], LAST_KERNELS[-scales:])):
        window, guess = 2 ** (scales - 1 - k), None
        x = clips if window == 1 else layers.AveragePooling2D(window, name=f"scale{k}_clips")(clips)
        if frames:
            guess = layers.UpSampling2D(2, dtype="float32", name=f"scale{k}_guess")(frames[-1])
            x = layers.Concatenate(name=f"scale{k}_seen")([x, guess])
        for i, (kernel, multiple) in enumerate(table):
            x = layers.Conv2D(multiple * filters, kernel, padding="same", activation="relu", name=f"scale{k}_conv{i}")(
                x
            )
        x = layers.Conv2D(channels, last, padding="same", dtype="float32", name=f"scale{k}_change")(x)
        if frames:
            x = layers.Add(dtype="float32", name=f"scale{k}_sum")([x, guess])
        x = layers.Activation("tanh", dtype="float32", name=f"scale{k}_tanh")(x)
        frames.append(layers.Rescaling(1.0 / REACHED, dtype="float32", name=f"scale{k}_frame")(x))
    return keras.Model(clips, frames, name="generator")


def build_discriminators(image_shape=(32, 32, 3), context=4, scales=None, *, filters=32, units=(256, 128)):
    """The discriminators of the authors' training script: convolutions without padding, then dense layers.

    Args:
        image_shape: (height, width, channels) of the frames; a discriminator takes this size alone.
        context: frames of a clip.
        scales: see `build_generator`; None for as many as `scales_of` says.
        filters: of the first convolutions.
        units: of the dense layers.

    Returns:
        A list of Keras models from coarse to fine, (N, h, w, (context + 1) * channels), where the frame to judge comes
        last, to logits (N, 1).

    Raises:
        ConfigurationError: more scales than the size allows.
    """
    most = scales_of(image_shape)
    scales = most if scales is None else scales
    if not is_whole(scales, 1) or scales > most:
        raise ConfigurationError(
            f"Expected 1 to {most} scales of images {tuple(image_shape)}: each is half the size of the next, and the "
            f"coarsest has {SMALLEST} pixels a side or more. Received: {scales!r}."
        )
    *size, channels = image_shape
    networks = []
    for k in range(scales):
        sides = [side >> (scales - 1 - k) for side in size]
        images = x = keras.Input((*sides, (context + 1) * channels), name="clips_and_frames")
        table = min(min(sides).bit_length() - 3, len(DISCRIMINATORS) - 1)
        for i, (kernel, multiple) in enumerate(DISCRIMINATORS[table]):
            x = layers.Conv2D(multiple * filters, kernel, activation="relu", name=f"conv{i}")(x)
        if table == len(DISCRIMINATORS) - 1:
            x = layers.MaxPooling2D(2, name="pool")(x)
        x = layers.Flatten(name="flatten")(x)
        for i, width in enumerate(units):
            x = layers.Dense(width, activation="relu", name=f"dense{i}")(x)
        logits = layers.Dense(1, dtype="float32", name="logits")(x)
        networks.append(keras.Model(images, logits, name=f"discriminator{k}"))
    return networks


@keras.saving.register_keras_serializable(package="keras_gans")
class VideoPredictionGAN(AdversarialModel):
    """Predicts the next frames of clips: `predict_frames(clips, frames=8)`.

    Trained on clips of one size, the generator takes any size that is a multiple of 2^(scales - 1).

    Args:
        generator: Keras model, clips (N, height, width, frames * channels) to a list of predictions, from coarse to
            fine, each twice the size of the one before. Its sides may be None.
        discriminators: list of Keras models, one for each scale, from coarse to fine: clips and frame, joined along the
            channels, to logits (N, 1). With neither, those of `image_shape`, see `build_generator`.
        image_shape: (height, width, channels) of the frames in training, for the default networks.
        context: how many frames the default networks see.
        adversarial_weight: weight of the generator's adversarial loss, 0 or more. With 0 the discriminators are neither
            needed nor trained.
        lp_weight, gdl_weight: weights of the pixels' and of the gradient difference loss, 0 or more.
        p: the power of the pixels' loss, 1 or more: 1 for absolute, 2 for squared errors.
        alpha: the power of the gradient difference loss, 1 or more.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: weights out of range, networks that do not fit each other, or updates of discriminators that
            are not trained.

    Example:

    >>> model = kg.VideoPredictionGAN(image_shape=(32, 32, 1))
    >>> model.predict_frames(np.zeros((2, 4, 32, 32, 1), "uint8"), frames=3).shape
    (2, 3, 32, 32, 1)

    Reference: Mathieu et al., 2016, https://arxiv.org/abs/1511.05440
    """

    players = {"generator": ("generator",), "discriminator": ("discriminators",)}
    log_names = ("d_loss", "g_loss", "lp_loss", "gdl_loss")

    def __init__(
        self,
        generator=None,
        discriminators=None,
        *,
        image_shape=(32, 32, 3),
        context=4,
        adversarial_weight=0.05,
        lp_weight=1.0,
        gdl_weight=1.0,
        p=1,
        alpha=1,
        **kwargs,
    ):
        weights = {"adversarial_weight": adversarial_weight, "lp_weight": lp_weight, "gdl_weight": gdl_weight}
        for name, number, least in (*((*one, 0.0) for one in weights.items()), ("p", p, 1.0), ("alpha", alpha, 1.0)):
            if not is_number(number, least):
                raise ConfigurationError(f"Expected {name} of {least:g} or more. Received: {number!r}.")
        if not any(weights.values()):
            raise ConfigurationError(f"Expected a weight above 0. Received: {', '.join(weights)} of 0.")
        if generator is None and discriminators is None:
            scales = scales_of(image_shape)
            generator = build_generator(image_shape[-1], context, scales)
            discriminators = build_discriminators(image_shape, context) if adversarial_weight else None
        context, scales, shape = _checked_generator(generator)
        trained = shape if discriminators is None else _checked_discriminators(discriminators, context, shape, scales)
        multiple = 2 ** (scales - 1)
        if not adversarial_weight:
            if kwargs.get("discriminator_steps", 1) != 1:
                raise ConfigurationError(
                    "Expected discriminator_steps=1 with adversarial_weight=0, where no discriminator is updated. "
                    f"Received: {kwargs['discriminator_steps']!r}. Leave it out."
                )
            self.players, self.log_names = {"generator": ("generator",), "discriminator": ()}, self.log_names[1:]
        super().__init__(
            generator=generator,
            batch_fields={"clips": Clips((context, *trained), multiple), "frames": Images(trained)},
            input_fields={"clips": Clips((context, *shape), multiple)},
            output_fields={"frames": Images(shape)},
            **kwargs,
        )
        self.discriminators, self.context, self.scales = discriminators, context, scales
        self.adversarial_weight, self.lp_weight, self.gdl_weight = adversarial_weight, lp_weight, gdl_weight
        self.p, self.alpha = p, alpha
        self.real_target = self.add_weight(shape=(), initializer="ones", trainable=False, name="real_target")

    # The game

    def at_scales(self, images):
        """Images, or clips as networks see them, at every scale, from coarse to fine: means over windows."""
        windows = [2 ** (self.scales - 1 - k) for k in range(self.scales)]
        return [images if window == 1 else ops.average_pool(images, window, window) for window in windows]

    def logits(self, clips, frames, training=True):
        """Each discriminator's logits, a list, for the clips and a frame at its scale."""
        seen = (ops.concatenate([ops.cast(part, "float32") for part in pair], axis=-1) for pair in zip(clips, frames))
        return [ops.cast(network(one, training=training), "float32") for network, one in zip(self.discriminators, seen)]

    def discriminator_loss(self, real, fake, clips, training=True):
        """The sum over the scales, for lists of frames at every scale."""
        pairs = zip(self.logits(clips, real, training), self.logits(clips, fake, training))
        return sum(non_saturating_discriminator_loss(*pair, self.real_target) for pair in pairs)

    def generator_loss(self, fake, real, clips, training=True):
        """The weighted sum of the losses, then the pixels' and that of the gradients, each summed over the scales."""
        fake = [ops.cast(frame, "float32") for frame in keras.tree.flatten(fake)]
        lp = sum(ops.mean(_power(ops.abs(y - made), self.p)) for y, made in zip(real, fake))
        gdl = sum(gradient_difference_loss(made, y, self.alpha) for y, made in zip(real, fake))
        total = self.lp_weight * lp + self.gdl_weight * gdl
        if self.adversarial_weight:
            judged = sum(non_saturating_generator_loss(logits) for logits in self.logits(clips, fake, training))
            total = total + self.adversarial_weight * judged
        return ops.stack([total, lp, gdl])

    def train_step(self, data):
        batch, logs = self.encode_batch(data), {}
        for clips, frames in self.shares(batch["clips"], batch["frames"]):
            fake = self.record(clips)
            real, seen = self.at_scales(frames), self.at_scales(clips)
            if self.adversarial_weight:
                made = keras.tree.flatten(fake.outputs)
                logs["d_loss"] = self.minimize("discriminator", self.discriminator_loss, real, made, seen)
        losses = self.minimize("generator", lambda fake: self.generator_loss(fake, real, seen), fake)
        return self.log(**logs, g_loss=losses[0], lp_loss=losses[1], gdl_loss=losses[2])

    def batch_losses(self, clips, frames):
        real, seen = self.at_scales(frames), self.at_scales(clips)
        made = keras.tree.flatten(self.generator(clips, training=False))
        g_loss, lp_loss, gdl_loss = ops.unstack(self.generator_loss(made, real, seen, training=False), 3)
        losses = {"g_loss": g_loss, "lp_loss": lp_loss, "gdl_loss": gdl_loss}
        if not self.adversarial_weight:
            return losses
        return {"d_loss": self.discriminator_loss(real, made, seen, training=False), **losses}

    def batch_scores(self, clips, frames):
        """The logits of the finest scale's discriminator."""
        if not self.adversarial_weight or self.discriminators is None:
            return None
        seen, made = self.at_scales(clips), keras.tree.flatten(self.generator(clips, training=False))
        pairs = self.logits(seen, self.at_scales(frames), False), self.logits(seen, made, False)
        return tuple(logits[-1] for logits in pairs)

    def paper_optimizers(self):
        return {"generator": FusedAdam(2e-4, beta_1=0.9), "discriminator": FusedAdam(1e-4, beta_1=0.9)}

    # Predicting

    def compute_outputs(self, inputs, training=False):
        """The next frame of the encoded clips."""
        (clips,) = inputs.values() if isinstance(inputs, dict) else keras.tree.flatten(inputs)
        return keras.tree.flatten(self.generator(clips, training=training))[-1]

    def predict_frames(self, clips, frames=8):
        """The frames that come after clips.

        The first is predicted from the clip's last frames, the next one from these and the first prediction, and so on.
        Predictions are rounded to grey levels in between: eight frames are four, and then four more of the longer clip.

        Args:
            clips: (N, T, height, width, channels), or a single clip, uint8 or floats in [-1, 1], the oldest frame
                first. The model sees the last `context` of the T frames.
            frames: how many to predict, 1 or more.

        Returns:
            uint8 (N, frames, height, width, channels).

        Raises:
            DataError: clips that are too short, or frames of a size or channels that the model does not take.
            ConfigurationError: no frames.
        """
        if not is_whole(frames, 1):
            raise ConfigurationError(f"Expected frames of 1 or more to predict. Received: {frames!r}.")
        field = self.input_fields["clips"]
        seen = field.asked(_last(clips, self.context))
        made = []
        for _ in range(frames):
            made.append(self.sample(clips=seen)["frames"])
            newest = made[-1] if seen.dtype == "uint8" else ops.convert_to_numpy(to_float(made[-1]))
            seen = np.concatenate([seen[:, 1:], newest[:, None]], axis=1)
        return np.stack(made, axis=1)

    # Data

    @classmethod
    def load_data(cls, source, *, labels=False, **options):
        """`ClipBatches` for `fit`; see `kg.data.load_clips`."""
        if labels:
            raise ConfigurationError(f"Expected no labels: clips have none. Received: labels={labels!r}.")
        return load_clips(source, **options)

    @classmethod
    def for_data(cls, dataset, **options):
        """The script's networks for what `load_data` returned."""
        context = dataset.arrays["clips"].shape[1]
        return cls(**{"image_shape": dataset.image_shape, "context": context, **options})


def _power(distances, p):
    if p == 1:
        return distances
    return ops.square(distances) if p == 2 else ops.power(distances, p)


def _last(clips, count):
    """The last frames of clips, or of a single one."""
    clips = np.asarray(ops.convert_to_numpy(clips) if ops.is_tensor(clips) else clips)
    return clips[..., -count:, :, :, :] if clips.ndim in (4, 5) else clips


def _checked_generator(generator):
    """How many frames and scales a generator has, and (height, width, channels) of a frame."""
    check_built("generator", generator)
    taken = generator.input_shape
    made = [tuple(output.shape[1:]) for output in generator.outputs]
    fits = isinstance(taken, tuple) and len(taken) == 4 and all(len(shape) == 3 for shape in made)
    fits = fits and None not in (taken[3], *(shape[2] for shape in made))
    if fits:
        scales, channels = len(made), made[-1][2]
        sides = [side or 2 ** (scales + 2) for side in taken[1:3]]
        shapes = keras.tree.flatten(generator.compute_output_shape((1, *sides, taken[3])))
        wanted = [(1, *(side >> (scales - 1 - k) for side in sides), channels) for k in range(scales)]
        fits = taken[3] % channels == 0 and shapes == [size for shape in wanted for size in shape]
    if not fits:
        raise ConfigurationError(
            "Expected a generator of clips (N, height, width, frames * channels) to a list of frames (N, h, w, "
            "channels), from coarse to fine, each twice the size of the one before and the last of the clip's size. "
            f"Received: one from {taken} to {made}."
        )
    check_image_range("generator", generator)
    return taken[3] // channels, scales, (*taken[1:3], channels)


def _checked_discriminators(discriminators, context, shape, scales):
    """(height, width, channels) of the frames that the finest discriminator judges."""
    if not isinstance(discriminators, (list, tuple)) or len(discriminators) != scales:
        received = len(discriminators) if isinstance(discriminators, (list, tuple)) else repr(discriminators)
        raise ConfigurationError(
            f"Expected a list of {scales} discriminators, one for each scale from coarse to fine. Received: {received}."
        )
    for k, network in enumerate(discriminators):
        check_built(f"discriminators[{k}]", network)
    taken = discriminators[-1].input_shape
    sides = [
        made or judged
        for made, judged in zip(shape[:2], taken[1:3] if isinstance(taken, tuple) and len(taken) == 4 else shape[:2])
    ]
    multiple = 2 ** (scales - 1)
    if any(side is not None and side % multiple for side in sides):
        raise ConfigurationError(
            f"Expected a discriminator that takes what the generator makes, frames whose sides are multiples of "
            f"{multiple}. Received: one for {taken}."
        )
    for k, network in enumerate(discriminators):
        small = (side and side >> (scales - 1 - k) for side in sides)
        check_discriminator(network, (*small, (context + 1) * shape[2]), 1)
    return (*sides, shape[2])
