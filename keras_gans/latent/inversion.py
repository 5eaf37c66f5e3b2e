"""The latents of given images, whole or in part: by optimisation, an encoder, or the nearest of many seeds."""

from dataclasses import dataclass

import numpy as np
from keras import ops

from keras_gans import engine, sampling
from keras_gans.errors import ConfigurationError, DataError, UnsupportedError
from keras_gans.fields import normal
from keras_gans.images import to_float, to_uint8
from keras_gans.latent.checks import as_latents, images_of
from keras_gans.latent.priors import elementwise_places, latents_of
from keras_gans_core.checks import is_number, is_whole

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Adam's
BATCH = 256  # seeds at once
MARGIN = 2.0  # over sqrt(d): for any d, 0.2 to 0.3 % of normal draws of d numbers are longer
WIDEST = 4.0  # the largest noise that an encoder finds under a bounded prior: beyond it float32 tells few latents apart


@dataclass(frozen=True)
class Inversion:
    """What `invert` found.

    Attributes:
        noise: float32 (N, latent_dim), for `generate(noise=...)`.
        first_loss, loss: float32 (N,), each image's loss at the start and at `noise`.
    """

    noise: np.ndarray
    first_loss: np.ndarray
    loss: np.ndarray


def invert(
    model,
    images,
    *,
    labels=None,
    mask=None,
    start=None,
    steps=300,
    learning_rate=0.1,
    features=None,
    feature_weight=1.0,
    seed=0,
):
    """The noise whose images come closest to given ones, found by Adam on the noise. The model does not change.

    The loss of an image is mean (G(z) - x)^2 over its pixels in [-1, 1], or over those that `mask` keeps, plus, with
    `features`, feature_weight times mean (f(G(z)) - f(x))^2 over features. The model samples in inference mode, with
    the averages of its weights where it keeps them. So each image is inverted separately, and no weight and no
    statistic of batch normalization changes.
    The learning rate rises from 0 in the first twentieth of the steps and falls to 0 as a cosine in the last quarter,
    as in StyleGAN2's projector; unlike there, no noise is added to the latents.

    After each step |z| is limited to sqrt(latent_dim) + 2, which two or three of a thousand draws exceed, or to the
    start's norm where that is larger. Noise further out may fit better, but the generator was not trained there. The
    categories of an InfoGAN stay those of the start, because the argmax that makes them has no gradient.

    Args:
        model: an `AdversarialModel` that makes images from noise.
        images: uint8, or floats in [-1, 1], (N, height, width, channels) of the model's image_shape.
        labels: what the images of a conditional model show, one label for all or one for each image.
        mask: True for the pixels that count, (N, height, width), or (height, width) for all images; None for all
            pixels. An image needs one or more. Features cannot be compared in part.
        start: noise (N, latent_dim) to start from, such as `nearest` or `encode` finds; None for that of `seed`. The
            loss has many minima: a start from `nearest` ends lower than a random one.
        steps: steps of Adam, 1 or more.
        learning_rate: the largest learning rate, more than 0.
        features: `kg.metrics.FeatureExtractor` for images of the model's shape; None for pixels only.
        feature_weight: 0 or more.
        seed: whole number that determines the start.

    Returns:
        An `Inversion`, no worse than the start for any image. The same arguments give the same result.

    Raises:
        DataError: images of another shape than the model's, a mask that does not fit them, or a start of rows of
            several lengths.
        ConfigurationError: numbers out of range, features for images of another shape or beside a mask, or not one
            label for each image of a conditional model.
        UnsupportedError: a model that does not make single images from noise.

    Example:

    >>> gan = kg.GAN(image_shape=(8, 8, 1), latent_dim=4, seed=0)
    >>> found = invert(gan, gan.generate(2, seed=1), steps=100)
    >>> bool((found.loss < found.first_loss).all())
    True

    Reference: Karras et al., 2020, "Analyzing and improving the image quality of StyleGAN", appendix D,
    https://arxiv.org/abs/1912.04958
    """
    target, labels = target_of(model, images), _labels_of(model, images, labels)
    weights = _weights(mask, target)
    numbers = is_number(learning_rate) and learning_rate > 0.0 and is_number(feature_weight, 0.0)
    if not is_whole(steps, 1) or not numbers:
        raise ConfigurationError(
            "Expected 1 step or more, a learning_rate above 0 and a feature_weight of 0 or more. Received: "
            f"{steps!r}, {learning_rate!r} and {feature_weight!r}."
        )
    if features is not None and features.image_shape != model.image_shape:
        raise ConfigurationError(
            f"Expected features for images {model.image_shape}. Received: {features.name}, of {features.image_shape}."
        )
    if features is not None and mask is not None:
        raise ConfigurationError("Expected features or a mask, not both. Received both. Leave one of them out.")
    noise = model.noise(len(target), seed) if start is None else as_latents(start).astype("float32")
    if noise.shape != (len(target), model.latent_dim):
        raise ConfigurationError(f"Expected a start {(len(target), model.latent_dim)}. Received: {noise.shape}.")

    wanted = None if features is None else features(target)
    network = None if features is None else features.network
    inputs = sampling.complete_inputs(model, len(target), seed, {"labels": labels})
    conditions = sampling.encode_inputs(model, {name: inputs[name] for name in inputs if name != "noise"})

    def losses(noise):
        made = ops.cast(model({"noise": model.prior(noise), **conditions}, training=False), "float32")
        loss = ops.mean(ops.multiply(ops.square(ops.subtract(made, target)), weights), axis=(1, 2, 3))
        if network is not None:
            found = network(made, training=False)
            found = found[0] if isinstance(found, (list, tuple)) else found
            loss = loss + feature_weight * ops.mean(
                ops.square(ops.subtract(ops.cast(found, "float32"), wanted)), axis=1
            )
        return loss

    compiled_losses = engine.function(lambda inputs: {"losses": losses(inputs["noise"])})
    # Each image's loss depends only on its own row, so the gradient of their sum has each image's gradient in its row.
    compiled_slopes = engine.function(lambda inputs: {"slopes": engine.input_gradient(losses, inputs["noise"])})

    def losses_of(noise):
        return compiled_losses({"noise": noise})["losses"]

    begun, first = noise, losses_of(noise)
    farthest = np.maximum(np.sqrt(model.latent_dim) + MARGIN, np.linalg.norm(begun, axis=1, keepdims=True))
    mean, square = np.zeros_like(noise), np.zeros_like(noise)
    for step in range(1, steps + 1):
        slope = compiled_slopes({"noise": noise})["slopes"]
        mean = BETA_1 * mean + (1.0 - BETA_1) * slope
        square = BETA_2 * square + (1.0 - BETA_2) * slope**2
        update = mean / (1.0 - BETA_1**step) / (np.sqrt(square / (1.0 - BETA_2**step)) + EPSILON)
        noise = noise - learning_rate * ramp((step - 1) / steps) * update
        norms = np.linalg.norm(noise, axis=1, keepdims=True)
        noise = (noise * np.minimum(1.0, farthest / np.maximum(norms, EPSILON))).astype("float32")
    last = losses_of(noise)
    worse = last > first  # Adam's first steps have one length and may lead away from a minimum nearby
    return Inversion(np.where(worse[:, None], begun, noise), first, np.minimum(first, last))


def ramp(t):
    """The share of the learning rate at t in [0, 1) of the steps: min(1, t / 0.05) times a cosine from 1 at 0.75 to 0.

    >>> [round(float(ramp(t)), 3) for t in (0.0, 0.025, 0.05, 0.75, 0.875)]
    [0.0, 0.5, 1.0, 1.0, 0.5]
    """
    return (0.5 - 0.5 * np.cos(np.pi * min(1.0, (1.0 - t) / 0.25))) * min(1.0, t / 0.05)


def encode(model, images):
    """The noise that the model's encoder finds for images, for variants that have one.

    If a rising function turns noise into latents, such as BiGAN's uniform ones, its inverse turns the encoder's latents
    into noise. Latents beyond the function's range become noise of -4 or 4.

    Args:
        model: an `AdversarialModel` with `encode(images)`.
        images: uint8, or floats in [-1, 1], (N, height, width, channels).

    Returns:
        float32 (N, latent_dim).

    Raises:
        DataError: images of another shape than the model's.
        UnsupportedError: a model without an encoder, one that does not make single images from noise, or another
            kind of prior.

    Example:

    >>> gan = kg.BiGAN(image_shape=(8, 8, 1), latent_dim=4)
    >>> encode(gan, gan.generate(2, seed=0)).shape
    (2, 4)
    """
    if not hasattr(model, "encode"):
        raise UnsupportedError(
            f"Expected a model with an encoder. Received: {type(model).__name__}. Find its latents by optimisation: "
            "kg.latent.invert, or the command without --encoder."
        )
    target_of(model, images)
    if model.input_fields["noise"].distribution is normal:
        return np.asarray(model.encode(images), "float32")
    if len(elementwise_places(model)) < model.latent_dim:
        raise UnsupportedError(
            "Expected a prior that makes each latent from its own number of the noise, to invert it. Received: "
            f"that of {type(model).__name__}. Use invert, which needs no inverse."
        )
    table = np.linspace(-WIDEST, WIDEST, 8001)
    made = latents_of(model, np.repeat(table[:, None], model.latent_dim, axis=1))[:, 0]
    return np.interp(model.encode(images), made, table).astype("float32")


def inpaint(model, images, mask, *, labels=None, seeds=1000, steps=300):
    """Images whose missing pixels are filled by the model, and the inversion that found them.

    Of many seeds' images the nearest in the known pixels is the start of `invert`, which compares these pixels alone.
    The known pixels of the result are those given; there may be a seam where they end.

    Args:
        model: an `AdversarialModel` that makes images from noise.
        images: uint8, or floats in [-1, 1], (N, height, width, channels). What missing pixels show does not matter.
        mask: True for the known pixels, False for the missing ones, (N, height, width), or (height, width) for all.
        labels: what the images of a conditional model show, one label for all or one for each image.
        seeds: how many seeds to try for the start, or which.
        steps: steps of the optimisation, 1 or more.

    Returns:
        uint8 images (N, height, width, channels), and an `Inversion`.

    Raises:
        As `invert` and `nearest` do.

    Example:

    >>> gan = kg.GAN(image_shape=(8, 8, 1), latent_dim=4, seed=0)
    >>> images, known = gan.generate(2, seed=1), np.ones((8, 8), bool)
    >>> known[2:5, 2:5] = False
    >>> filled, found = inpaint(gan, images, known, seeds=[0, 1], steps=5)
    >>> filled.shape, bool((filled[:, known] == images[:, known]).all())
    ((2, 8, 8, 1), True)

    Reference: Yeh et al., 2017, "Semantic image inpainting with deep generative models",
    https://arxiv.org/abs/1607.07539, without its loss by the discriminator and its Poisson blending.
    """
    if mask is None:
        raise DataError("Expected a mask, True for the known pixels. Received: None. `invert` compares all pixels.")
    start = model.noise(seed=nearest(model, images, seeds, labels, mask=mask)[0])
    found = invert(model, images, labels=labels, mask=mask, start=start, steps=steps)
    known = ops.convert_to_numpy(to_uint8(target_of(model, images)))
    made = model.generate(noise=found.noise, labels=labels)
    return np.where(np.broadcast_to(np.asarray(mask, bool), known.shape[:3])[..., None], known, made), found


def nearest(model, images, seeds=1000, labels=None, *, mask=None):
    """Finds the seeds, among many, whose images come closest to given ones in pixels.

    Args:
        model: an `AdversarialModel` that makes images from noise.
        images: uint8, or floats in [-1, 1], (N, height, width, channels).
        seeds: how many to try, from 0 on, 1 or more; or a list of seeds.
        labels: what the images of a conditional model show, one label for all or one for each image.
        mask: True for the pixels that count, (N, height, width), or (height, width) for all images; None for all
            pixels. An image needs one or more.

    Returns:
        int64 (N,): seeds, for `generate(seed=[...], labels=labels)`; and the mean squared distances in [-1, 1], float32
        (N,).

    Raises:
        DataError: images of another shape than the model's, or a mask that does not fit them.
        ConfigurationError: no seeds, or not one label for each image of a conditional model.
        UnsupportedError: a model that does not make single images from noise.

    Example:

    >>> gan = kg.GAN(image_shape=(8, 8, 1), latent_dim=4, seed=0)
    >>> nearest(gan, gan.generate(seed=[7, 3]), seeds=20)[0].tolist()
    [7, 3]
    """
    target, labels = target_of(model, images), _labels_of(model, images, labels)
    weights = _weights(mask, target)
    if np.ndim(seeds) == 0 and not is_whole(seeds, 1):
        raise ConfigurationError(f"Expected seeds, how many or which, 1 or more. Received: {seeds!r}.")
    seeds = list(range(seeds)) if np.ndim(seeds) == 0 else list(seeds)
    if not seeds:
        raise ConfigurationError("Expected one seed or more. Received: none.")
    kinds = [(None, np.arange(len(target)))]
    if labels is not None:
        shown, kind = np.unique(labels, axis=0, return_inverse=True)
        kinds = [(label, np.flatnonzero(kind.ravel() == i)) for i, label in enumerate(shown)]
    best, least = np.zeros(len(target), "int64"), np.full(len(target), np.inf, "float32")
    for i in range(0, len(seeds), BATCH):
        chosen = seeds[i : i + BATCH]
        noise = model.noise(seed=chosen)
        for label, rows in kinds:
            made = ops.convert_to_numpy(to_float(model.generate(noise=noise, labels=label)))
            for row in rows:
                distances = np.mean(np.square(made - target[row]) * weights[row], axis=(1, 2, 3))
                if distances.min() < least[row]:
                    least[row], best[row] = distances.min(), chosen[int(distances.argmin())]
    return best, least


def _labels_of(model, images, labels):
    """Labels of a conditional model, one for each image; None if the model takes none."""
    if labels is None and "labels" in model.input_fields:
        raise ConfigurationError(
            f"Expected labels, {model.input_fields['labels']}: {type(model).__name__} makes images for given labels. "
            "Received: no labels. Pass what the images show."
        )
    return sampling.complete_inputs(model, len(images), 0, {"labels": labels}).get("labels")


def target_of(model, images):
    """Images of the model's shape as float32 in [-1, 1]."""
    field = images_of(model)
    return ops.convert_to_numpy(field.encode(field.check(np.asarray(images))))


def _weights(mask, target):
    """float32 (N, height, width, 1): 0 for pixels that do not count, and for the others what makes a mean of theirs."""
    if mask is None:
        return np.ones((len(target), 1, 1, 1), "float32")
    mask = np.asarray(mask)
    if mask.dtype.kind not in "biu" or not np.isin(mask, (0, 1)).all() or mask.shape not in (
        target.shape[1:3], target.shape[:3]
    ):  # fmt: skip
        raise DataError(
            f"Expected a mask of booleans, {target.shape[1:3]} or {target.shape[:3]}, True for the pixels that are "
            f"known. Received: {mask.dtype} {mask.shape}."
        )
    counted = np.broadcast_to(mask != 0, target.shape[:3])[..., None].astype("float32")
    share = counted.mean(axis=(1, 2, 3), keepdims=True)
    if not share.all():
        raise DataError(
            f"Expected a mask that keeps pixels of each image. Received: none kept of image {int(share.argmin())}."
        )
    return counted / share
