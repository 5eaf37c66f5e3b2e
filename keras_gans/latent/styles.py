"""Tools for models whose latents are mapped to styles: mixing, directions of styles, and the styles of given images.

Styles are float32 (N, layers, style_dim), a style for each layer of the generator: `model.to_styles(8, seed=0)` makes
them, and `model.from_styles(styles)` makes images of them.
"""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from keras_gans import engine, sampling
from keras_gans.errors import ConfigurationError, DataError, UnsupportedError
from keras_gans.latent.checks import as_latents, check_mapped
from keras_gans.latent.directions import checked_count, signed
from keras_gans.latent.inversion import BETA_1, BETA_2, EPSILON, ramp, target_of
from keras_gans.layers import EqualizedDense, ModulatedConv2D
from keras_gans_core.checks import is_number, is_whole

SMALLEST = 8  # side of the noise maps at which the projector's regularization ends


# Mixing


def mix(rows, columns, layers):
    """Each style of `rows` with some layers of each style of `columns`: a sheet of mixed styles.

    The first layers, of the small maps, decide the coarse features of an image, the last ones its colours.

    Args:
        rows: (A, L, d).
        columns: (B, L, d).
        layers: the layers that come from the columns, numbers from 0 to L - 1.

    Returns:
        float32 (A, B, L, d).

    Raises:
        DataError: styles of other shapes.
        ConfigurationError: layers that there are not.

    Example: the first layer of the column, the second of the row.

    >>> mix(np.zeros((1, 2, 1)), np.ones((3, 2, 1)), [0])[0, :, :, 0].tolist()
    [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]

    Reference: Karras et al., 2019, section 3.1, https://arxiv.org/abs/1812.04948
    """
    rows, columns = _as_styles(rows), _as_styles(columns)
    if rows.shape[1:] != columns.shape[1:]:
        raise DataError(f"Expected styles of one model. Received: {rows.shape} and {columns.shape}.")
    layers = _checked_layers(layers, rows.shape[1])
    mixed = np.repeat(rows[:, None], len(columns), axis=1)
    mixed[:, :, layers] = columns[None][:, :, layers]
    return mixed


# Directions


def style_directions(model, count=None, layers=None, image_layers=False):
    """The unit directions of styles that move the modulation of the generator's layers furthest (SeFa).

    Each layer computes its modulation from its style w by a dense layer, w A + b. The kernels A of the layers stand
    side by side, and each unit's weights, a column, are divided by their norm, as in the paper's code. The directions
    are the eigenvectors of A A^T, in the order of decreasing eigenvalues. Signs are arbitrary; here the largest entry
    is positive.

    Args:
        model: a model with a mapped latent space, such as `kg.StyleGAN2`.
        count: how many, 1 to style_dim; None for all.
        layers: numbers of the layers from 0 on; None for all.
        image_layers: whether the layers that make images count too. The paper takes the convolutions alone.

    Returns:
        float32 (count, style_dim), orthonormal rows; and the lengths |n A|, float32 (count,), descending.

    Raises:
        ConfigurationError: a count out of range, or layers that there are not.
        UnsupportedError: a model without styles, or a generator whose styles go into other layers than dense ones.

    Reference: Shen and Zhou, 2021, "Closed-form factorization of latent semantics in GANs",
    https://arxiv.org/abs/2007.06600; code: https://github.com/genforce/sefa
    """
    check_mapped(model)
    layers = _checked_layers(range(model.style_layers) if layers is None else layers, model.style_layers)
    chosen = [layer for i, layer, makes_image in _dense_layers(model) if i in layers and image_layers >= makes_image]
    if not chosen:
        raise ConfigurationError(
            f"Expected layers with a convolution that is not an image's. Received: {layers}. Choose others."
        )
    with model.averages_in_use():
        kernels = [ops.convert_to_numpy(ops.convert_to_tensor(layer.kernel)) for layer in chosen]
    kernel = np.concatenate(kernels, axis=1).astype("float64")
    count = checked_count(count, len(kernel))
    norms = np.linalg.norm(kernel, axis=0, keepdims=True)
    kernel = kernel / np.where(norms == 0.0, 1.0, norms)
    values, vectors = np.linalg.eigh(kernel @ kernel.T)  # ascending
    lengths = np.sqrt(np.maximum(values[::-1][:count], 0.0))
    return signed(vectors[:, ::-1].T[:count]).astype("float32"), lengths.astype("float32")


def _dense_layers(model):
    """(number of the style, dense layer on it, whether its modulation makes an image) of all of a generator's."""
    generator, image_makers = model.generator, set()
    for layer in generator.layers:
        if isinstance(layer, ModulatedConv2D) and not layer.demodulate:
            maker = layer.input[1]._keras_history.operation
            while isinstance(maker, keras.layers.Rescaling):
                maker = maker.input._keras_history.operation
            image_makers.add(maker)
    found = []
    for layer in generator.layers:
        if isinstance(layer, (EqualizedDense, keras.layers.Dense)):
            history = layer.input._keras_history
            given = keras.tree.flatten(history.operation.input)
            if any(tensor is generator.inputs[0] for tensor in given):  # one of the unstacked styles
                found.append((history.tensor_index, layer, layer in image_makers))
    if not found:
        raise UnsupportedError(
            "Expected a generator with dense layers on its styles, unstacked along the layers. Received: none in "
            f"{generator.name}."
        )
    return found


def style_components(model, count=10, samples=5000, seed=0):
    """The principal components of styles (GANSpace).

    Args:
        model: a model with a mapped latent space.
        count: how many, 1 to style_dim.
        samples: how many styles they are computed from, 2 or more; they are not truncated.
        seed: whole number that determines these.

    Returns:
        Unit components, float32 (count, style_dim), orthonormal rows; the standard deviations of styles along them,
        float32 (count,), descending; and the mean style, float32 (style_dim,).

    Raises:
        ConfigurationError: numbers out of range.
        UnsupportedError: a model without styles.

    Reference: Härkönen et al., 2020, "GANSpace: Discovering interpretable GAN controls",
    https://arxiv.org/abs/2004.02546
    """
    check_mapped(model)
    if not is_whole(samples, 2):
        raise ConfigurationError(f"Expected samples to be a whole number, 2 or more. Received: {samples!r}.")
    styles = mapped_styles(model, samples, seed).astype("float64")
    count = checked_count(count, styles.shape[1])
    mean = styles.mean(axis=0)
    values, vectors = np.linalg.eigh((styles - mean).T @ (styles - mean) / samples)  # ascending
    deviations = np.sqrt(np.maximum(values[::-1][:count], 0.0))
    components = signed(vectors[:, ::-1].T[:count])
    return components.astype("float32"), deviations.astype("float32"), mean.astype("float32")


def mapped_styles(model, samples, seed=0):
    """The styles, float32 (samples, style_dim), of the noise of `model.generate(samples, seed)`, without truncation."""
    check_mapped(model)
    return model.to_styles(samples, seed)[:, 0]


def traverse_styles(styles, direction, reach=3.0, steps=7, layers=None):
    """Styles moved along a direction: w + alpha n for alpha from -reach to reach, in some layers.

    Args:
        styles: (N, L, d).
        direction: (d,), of norm 1.
        reach: more than 0, in units of the direction: for a component that `style_components` found, two or three of
            its standard deviations.
        steps: styles in each path, 2 or more; with an odd number the unmoved style is in the middle.
        layers: numbers of the layers that move, from 0 on; None for all.

    Returns:
        float32 (N, steps, L, d).

    Raises:
        ConfigurationError: numbers out of range, or layers that there are not.
        DataError: styles or a direction of another shape.

    Example:

    >>> traverse_styles(np.zeros((1, 2, 1)), [1.0], reach=2.0, steps=3, layers=[1])[0, :, :, 0].tolist()
    [[0.0, -2.0], [0.0, 0.0], [0.0, 2.0]]
    """
    if not is_whole(steps, 2) or not is_number(reach) or reach <= 0.0:
        raise ConfigurationError(f"Expected 2 steps or more and a reach above 0. Received: {steps!r} and {reach!r}.")
    styles, direction = _as_styles(styles), as_latents(direction, 1)
    if direction.shape != styles.shape[2:]:
        raise DataError(f"Expected a direction ({styles.shape[2]},). Received: {direction.shape}.")
    layers = _checked_layers(range(styles.shape[1]) if layers is None else layers, styles.shape[1])
    moved = np.repeat(styles[:, None], steps, axis=1)
    moved[:, :, layers] += (np.linspace(-reach, reach, steps)[:, None] * direction)[None, :, None]
    return moved.astype("float32")


# Projection


@dataclass(frozen=True)
class Projection:
    """What `project` found.

    Attributes:
        styles: float32 (N, layers, style_dim), for `model.from_styles(styles, noise_maps)`.
        noise_maps: the generator's noise maps, a list of float32 (N, height, width, 1).
        first_loss, loss: float32 (N,), each image's distance at the start and at the end, without the regularization.
    """

    styles: np.ndarray
    noise_maps: list
    first_loss: np.ndarray
    loss: np.ndarray


def project(
    model,
    images,
    *,
    steps=1000,
    learning_rate=0.1,
    each_layer=False,
    features=None,
    feature_weight=1.0,
    pixel_weight=1.0,
    noise_weight=1e5,
    samples=10_000,
    seed=0,
):
    """The styles and noise maps whose images come closest to given ones, found by StyleGAN2's projector.

    The model does not change. Adam moves one style for each image, which all layers share, from the mean of `samples`
    styles, and the noise maps from N(0, 1). At t = step / steps the learning rate is learning_rate min(1, t / 0.05),
    times a cosine that falls from 1 at t = 0.75 to 0. Noise of 0.05 s max(0, 1 - t / 0.75)^2 N(0, 1) is added to the
    style, for this step alone, where s is the root of the mean of |w - mean|^2. The loss of an image is

        pixel_weight mean (G - x)^2 + feature_weight mean (f(G) - f(x))^2 + noise_weight R,

    where R keeps the noise maps from holding the image: for each map and each of its 2x2 averages down to a side of 8,
    the squares of the mean products of neighbours, along both axes. After each step each map is shifted and scaled to
    mean 0 and mean square 1.

    Args:
        model: a model with a mapped latent space.
        images: uint8, or floats in [-1, 1], (N, height, width, channels) of the model's image_shape.
        steps: 1 or more.
        learning_rate: the largest learning rate, more than 0.
        each_layer: whether each layer gets a style of its own (W+): it fits better and can be edited less.
        features: `kg.metrics.FeatureExtractor` for images of the model's shape; None for pixels only. The authors have
            LPIPS of VGG16.
        feature_weight, pixel_weight, noise_weight: 0 or more; the authors have no pixels.
        samples: styles that the mean and s are computed from, 2 or more.
        seed: whole number that determines these, and all noise.

    Returns:
        A `Projection`. The same arguments give the same result.

    Raises:
        DataError: images of another shape than the model's.
        ConfigurationError: numbers out of range, or features for images of another shape.
        UnsupportedError: a model without styles.

    Reference: Karras et al., 2020, appendix D, https://arxiv.org/abs/1912.04958; code:
    https://github.com/NVlabs/stylegan2-ada-pytorch (projector.py)
    """
    check_mapped(model)
    target, seed = target_of(model, images), sampling.checked_seed(seed)
    numbers = [feature_weight, pixel_weight, noise_weight]
    if not is_whole(steps, 1) or not is_whole(samples, 2) or not (is_number(learning_rate, 0.0) and learning_rate > 0):
        raise ConfigurationError(
            "Expected 1 step or more, 2 samples or more and a learning_rate above 0. Received: "
            f"{steps!r}, {samples!r} and {learning_rate!r}."
        )
    if not all(is_number(number, 0.0) for number in numbers):
        raise ConfigurationError(f"Expected weights of 0 or more. Received: {numbers}.")
    if features is not None and features.image_shape != model.image_shape:
        raise ConfigurationError(
            f"Expected features for images {model.image_shape}. Received: {features.name}, of {features.image_shape}."
        )
    known = mapped_styles(model, samples, seed).astype("float64")
    mean = known.mean(axis=0)
    deviation = np.sqrt(np.mean(np.sum(np.square(known - mean), axis=1)))
    count, rng = len(target), np.random.Generator(np.random.PCG64(seed % 2**64))
    layers = model.style_layers if each_layer else 1
    moving = [np.tile(mean.astype("float32"), (count, layers, 1))]
    moving += [rng.standard_normal((count, *shape)).astype("float32") for shape in model.noise_shapes]
    wanted = None if features is None else features(target)
    network = None if features is None else features.network

    def distances(styles, *maps):
        styles = styles if each_layer else ops.repeat(styles, model.style_layers, axis=1)
        with model.averages_in_use():
            made = ops.cast(model.generator([styles, *maps], training=False), "float32")
        loss = pixel_weight * ops.mean(ops.square(ops.subtract(made, target)), axis=(1, 2, 3))
        if network is not None:
            found = network(made, training=False)
            found = found[0] if isinstance(found, (list, tuple)) else found
            difference = ops.subtract(ops.cast(found, "float32"), wanted)
            loss = loss + feature_weight * ops.mean(ops.square(difference), axis=1)
        return loss

    def losses(styles, *maps):
        return distances(styles, *maps) + noise_weight * sum(map(noise_regularization, maps))

    names = [f"input{i}" for i in range(len(moving))]

    def in_order(given):  # JAX sorts the names
        return [given[name] for name in names]

    compiled_distances = engine.function(lambda given: {"losses": distances(*in_order(given))})
    compiled_slopes = engine.function(lambda given: dict(zip(names, engine.input_gradients(losses, in_order(given)))))

    first = compiled_distances(dict(zip(names, moving)))["losses"]
    means, squares = ([np.zeros_like(array) for array in moving] for _ in range(2))
    for step in range(steps):
        t = step / steps
        jitter = rng.standard_normal(moving[0].shape) * 0.05 * deviation * max(0.0, 1.0 - t / 0.75) ** 2
        slopes = compiled_slopes(dict(zip(names, [(moving[0] + jitter).astype("float32"), *moving[1:]])))
        for i, name in enumerate(names):
            means[i] = BETA_1 * means[i] + (1.0 - BETA_1) * slopes[name]
            squares[i] = BETA_2 * squares[i] + (1.0 - BETA_2) * slopes[name] ** 2
            root = np.sqrt(squares[i] / (1.0 - BETA_2 ** (step + 1))) + EPSILON
            update = means[i] / (1.0 - BETA_1 ** (step + 1)) / root
            moving[i] = (moving[i] - learning_rate * ramp(t) * update).astype("float32")
        moving[1:] = [_normalized(array) for array in moving[1:]]
    last = compiled_distances(dict(zip(names, moving)))["losses"]
    styles = moving[0] if each_layer else np.repeat(moving[0], model.style_layers, axis=1)
    return Projection(styles, moving[1:], first, last)


def noise_regularization(maps):
    """R of noise maps (N, height, width, 1), float32 (N,): how much neighbours have in common, at all sizes down to 8.

    Example: a map of ones has products of one along both axes.

    >>> ops.convert_to_numpy(noise_regularization(np.ones((1, 4, 4, 1), "float32"))).tolist()
    [2.0]
    """
    maps, total = ops.convert_to_tensor(maps), 0.0
    while True:
        for axis in (1, 2):
            total = total + ops.square(ops.mean(maps * ops.roll(maps, 1, axis=axis), axis=(1, 2, 3)))
        if maps.shape[1] <= SMALLEST:
            return total
        maps = ops.average_pool(maps, 2, strides=2, padding="valid", data_format="channels_last")


def _normalized(maps):
    """Each map with mean 0 and mean square 1."""
    maps = maps - maps.mean(axis=(1, 2, 3), keepdims=True)
    return (maps / np.sqrt(np.square(maps).mean(axis=(1, 2, 3), keepdims=True))).astype("float32")


# Checks


def _as_styles(styles):
    styles = as_latents(styles)
    if styles.ndim != 3:
        raise DataError(
            f"Expected styles (N, layers, style_dim). Received: {styles.shape}. model.to_styles(8, seed=0) makes them."
        )
    return styles.astype("float32")


def _checked_layers(layers, count):
    layers = list(layers)
    if not layers or not all(is_whole(layer, 0) and layer < count for layer in layers):
        raise ConfigurationError(f"Expected layers from 0 to {count - 1}. Received: {layers}.")
    return layers
