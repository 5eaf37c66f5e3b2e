"""Directions of noise that change one thing: fitted to labels, or found in the generator."""

import keras
import numpy as np
from keras import ops

from keras_gans import engine, sampling
from keras_gans.errors import ConfigurationError, DataError, UnsupportedError
from keras_gans.latent.checks import as_latents, check_mapped, check_noise, generator_of, images_of
from keras_gans.latent.priors import affine_kernel, elementwise_places
from keras_gans.metrics.classes import predict_attributes, predict_classes
from keras_gans.metrics.features import resized
from keras_gans_core.checks import is_number, is_whole

BATCH = 256  # latents at once


def attribute_direction(latents, labels, attribute=1):
    """The mean latent of images with an attribute minus that of images without it, of norm 1.

    Correlated attributes have similar directions: see `orthogonalize`.

    Args:
        latents: (N, d), standard normal, of the images.
        labels: (N,), whole numbers or booleans, such as a classifier's for the generated images.
        attribute: the label to find the direction of.

    Returns:
        float32 (d,).

    Raises:
        ConfigurationError: a label that no image has, or that all have.
        DataError: different counts of latents and labels, or equal means.

    Example:

    >>> attribute_direction([[2.0, 1.0], [-2.0, 1.0]], [1, 0]).tolist()
    [1.0, 0.0]
    """
    latents, labels = as_latents(latents, 2), np.asarray(labels)
    if labels.shape != latents.shape[:1]:
        raise DataError(f"Expected latents (N, d) and labels (N,). Received: {latents.shape} and {labels.shape}.")
    has = labels == attribute
    if not has.any() or has.all():
        raise ConfigurationError(
            f"Expected an attribute that some images have and others do not. Received: {attribute!r}; the labels are "
            f"{np.unique(labels).tolist()}. Choose another attribute, or more images."
        )
    difference = latents[has].mean(axis=0) - latents[~has].mean(axis=0)
    if not np.any(difference):
        raise DataError("Expected latents that differ between the labels. Received: equal means. Give more images.")
    return _unit(difference)


def class_directions(
    model, classifier, names, chosen=(), attributes=False, samples=2000, seed=0, label=None, mapped=False
):
    """`attribute_direction` of classes or attributes by name, with a classifier's labels for generated images.

    Args:
        model: an `AdversarialModel` that makes images from noise.
        classifier: Keras model, such as `kg.zoo.load_classifier` returns; images are resized to its size.
        names: names of the classifier's outputs, in their order.
        chosen: some of the names; none for all.
        attributes: whether an image may have several (`predict_attributes`) rather than one class (`predict_classes`).
        samples: how many images to classify.
        seed: whole number that determines these images.
        label: the one label that all images of a conditional model show. If labels differed, they and not the latents
            would decide what an image shows.
        mapped: whether the directions are of styles, for a model with a mapped latent space, instead of noise.

    Returns:
        {name: float32 (latent_dim,)}, or (style_dim,), of norm 1.

    Raises:
        ConfigurationError: an unknown name, one that no image has or that all have, or a conditional model without a
            label.
        UnsupportedError: a model that does not make single images from noise; or, with `mapped`, one without styles.
    """
    names = [str(name) for name in names]
    unknown = [name for name in chosen if name not in names]
    if unknown:
        raise ConfigurationError(f"Expected attributes of {', '.join(names)}. Received: {', '.join(unknown)}.")
    images_of(model)
    if mapped:
        check_mapped(model)
    _check_label(model, label)
    noise = model.noise(samples, seed)
    latents = model.to_styles(noise=noise)[:, 0] if mapped else noise
    images = resized(model.generate(noise=noise, labels=label), classifier.input_shape[1:3])
    found = predict_attributes(classifier, images) if attributes else predict_classes(classifier, images)

    def direction(place):
        if attributes:
            return attribute_direction(latents, found[:, place])
        return attribute_direction(latents, found, place)

    return {name: direction(names.index(name)) for name in chosen or names}


def orthogonalize(direction, others):
    """`direction` without its part along `others`, of norm 1: it changes one attribute and leaves the others alone.

    For two unit vectors this is n1 - <n1, n2> n2, the conditional manipulation of InterFaceGAN.

    Args:
        direction: (d,).
        others: (d,) or (K, d); they may be linearly dependent.

    Returns:
        float32 (d,).

    Raises:
        ConfigurationError: nothing is left, because `direction` is a combination of the others.
        DataError: directions of several lengths.

    Example:

    >>> np.round(orthogonalize([0.6, 0.8], [0.0, 1.0]), 6).tolist()
    [1.0, 0.0]

    Reference: Shen et al., 2020, "Interpreting the latent space of GANs for semantic face editing",
    https://arxiv.org/abs/1907.10786; code: https://github.com/genforce/interfacegan (utils/manipulator.py)
    """
    direction, others = as_latents(direction, 1), np.atleast_2d(as_latents(others))
    if others.shape[1:] != direction.shape:
        raise DataError(f"Expected others ({direction.size},) or (K, {direction.size}). Received: {others.shape}.")
    weights = np.linalg.lstsq(others.T, direction, rcond=None)[0]
    rest = direction - weights @ others
    if np.linalg.norm(rest) <= 1e-6 * np.linalg.norm(direction):
        raise ConfigurationError(
            "Expected a direction that is not a combination of the others. Received: one that is. Leave one of the "
            "others out."
        )
    return _unit(rest)


def first_layer_directions(model, count=None):
    """The unit directions of noise that move the output of the generator's first dense layer furthest (SeFa).

    The layer maps z to z W + b, so a step n changes its output by n W. As in the paper's code, each unit's weights, a
    column of W, are first divided by their norm. For standard normal latents this is the unit's standard deviation, so
    it is what a batch norm after the layer does. The directions are the eigenvectors of W W^T, in the order of
    decreasing eigenvalues: the right singular vectors of the paper's A = W^T. If several dense layers take the latents,
    as in BiGAN's generator, W has all their kernels side by side. Signs are arbitrary; here the largest entry is
    positive.

    Directions are those of the noise that `generate(noise=...)` takes. With an affine prior, z = noise K + c as in GLO,
    W is replaced by K W. With a prior that makes each latent from its own number by one rising function, such as a
    uniform one, directions and lengths are those of the latents. Numbers that an argmax turns into InfoGAN's categories
    do not change: `InfoGAN.traverse` changes those.

    Args:
        model: an `AdversarialModel` whose latents, or latents and labels, go into a dense layer.
        count: how many, 1 to latent_dim (without the categories of an InfoGAN); None for all.

    Returns:
        float32 (count, latent_dim), orthonormal rows; and the lengths |n W|, float32 (count,), descending. The sum of
        all squared lengths is the number of units.

    Raises:
        ConfigurationError: a count out of range.
        UnsupportedError: a model without noise, a generator whose first weights are not those of a dense layer on the
            latents, or another kind of prior.

    Example:

    >>> gan = kg.DCGAN(image_shape=(8, 8, 1), latent_dim=4)
    >>> directions, lengths = first_layer_directions(gan, 2)
    >>> directions.shape, bool(lengths[0] >= lengths[1])
    ((2, 4), True)

    Reference: Shen and Zhou, 2021, "Closed-form factorization of latent semantics in GANs",
    https://arxiv.org/abs/2007.06600
    """
    check_noise(model)
    kernel = _first_kernel(model)
    mixing, places = affine_kernel(model), np.arange(model.latent_dim)
    if mixing is not None:
        kernel = mixing @ kernel
    else:
        places = elementwise_places(model)
        if len(places) == 0:
            raise UnsupportedError(
                "Expected a prior that is affine, or makes each latent from its own number of the noise. Received: "
                f"that of {type(model).__name__}. Use activation_directions, which works with any prior."
            )
        kernel = kernel[places]
    count = checked_count(count, len(places))
    norms = np.linalg.norm(kernel, axis=0, keepdims=True)
    kernel = kernel / np.where(norms == 0.0, 1.0, norms)
    values, vectors = np.linalg.eigh(kernel @ kernel.T)  # ascending
    directions = np.zeros((count, model.latent_dim), "float32")
    directions[:, places] = signed(vectors[:, ::-1].T[:count])
    return directions, np.sqrt(np.maximum(values[::-1][:count], 0.0)).astype("float32")


def _first_kernel(model):
    """The latents' rows of the kernel of the generator's first dense layer, float64 (latent_dim, units).

    Kernels of several dense layers that take the same input stand side by side.
    """
    generator = generator_of(model)
    first = next((layer for layer in generator.layers if layer.weights), None)
    kernel = getattr(first, "kernel", None)
    joined = next((layer for layer in generator.layers if isinstance(layer, keras.layers.Concatenate)), None)
    size = model.latent_dim
    if joined is not None and first.input is joined.output and joined.input[0] is generator.inputs[0]:
        size = joined.output.shape[-1]  # a conditional generator's labels come after the latents
    if kernel is None or len(kernel.shape) != 2 or kernel.shape[0] != size:
        raise UnsupportedError(
            f"Expected a generator that begins with a dense layer of {model.latent_dim} latents. Received: "
            f"{first!r}. Use activation_directions, which works with any layer."
        )
    alike = [
        layer for layer in generator.layers if isinstance(layer, keras.layers.Dense) and layer.input is first.input
    ]
    with model.averages_in_use():
        kernels = [ops.convert_to_numpy(ops.convert_to_tensor(layer.kernel))[: model.latent_dim] for layer in alike]
    return np.concatenate(kernels, axis=1).astype("float64")


def activation_directions(model, layer, count=10, samples=2000, seed=0, label=None):
    """Directions of noise that move the activations of a layer along their principal components (GANSpace).

    The activations for `samples` rows of noise are centred and decomposed. Their coordinates c along the components,
    divided by their standard deviations, are regressed back to the noise z: argmin_U |c U - z|^2. The rows of U, scaled
    to norm 1, are the directions.

    Args:
        model: an `AdversarialModel` with noise as an input.
        layer: name of one of the generator's layers, an early one.
        count: how many directions, 1 or more.
        samples: how many rows of noise to draw, more than `count`.
        seed: whole number that determines the noise.
        label: the one label of a conditional model for all of them. Labels that differ would change activations more
            than the noise does.

    Returns:
        float32 (count, latent_dim), rows of norm 1; and the variances of the activations along the components, float32
        (count,), descending.

    Raises:
        ConfigurationError: an unknown layer, more directions than there are components, or a conditional model without
            a label.
        UnsupportedError: a model without noise.

    Reference: Härkönen et al., 2020, "GANSpace: Discovering interpretable GAN controls",
    https://arxiv.org/abs/2004.02546
    """
    check_noise(model)
    generator = generator_of(model)
    inner = keras.layers.InputLayer, keras.Model  # an inner network may have several outputs
    names = [known.name for known in generator.layers if not isinstance(known, inner)]
    if layer not in names:
        raise ConfigurationError(f"Expected layer to be one of {', '.join(names)}. Received: {layer!r}.")
    if not is_whole(samples, 2):
        raise ConfigurationError(f"Expected samples to be a whole number, 2 or more. Received: {samples!r}.")
    count = checked_count(count, samples - 1)
    _check_label(model, label)
    early = keras.Model(generator.inputs, generator.get_layer(layer).output)

    def activations_of(inputs):
        encoded = list(sampling.encode_inputs(model, inputs).values())
        with model.averages_in_use():
            return {"activations": early(encoded if len(encoded) > 1 else encoded[0], training=False)}

    apply = engine.function(activations_of)
    inputs = sampling.complete_inputs(model, samples, seed, {"labels": label})
    parts = [
        apply({name: values[i : i + BATCH] for name, values in inputs.items()})["activations"]
        for i in range(0, samples, BATCH)
    ]
    noise, activations = inputs["noise"], np.concatenate(parts).reshape(samples, -1).astype("float64")
    activations -= activations.mean(axis=0)
    # The left singular vectors are the standardised coordinates, up to sqrt(samples): components are not needed.
    if activations.shape[1] > samples:
        values, left = np.linalg.eigh(activations @ activations.T)
    else:
        values, components = np.linalg.eigh(activations.T @ activations)
        left = activations @ components / np.sqrt(np.maximum(values, 1e-300))
    values, left = values[::-1], left[:, ::-1]
    rank = int(np.sum(values > 1e-9 * max(values[0], 1e-300)))
    if count > rank:
        raise ConfigurationError(
            f"Expected count of {rank} or less, as many as {layer} has components. Received: {count}. Lower count."
        )
    coordinates = left[:, :count]  # orthonormal columns, so that least squares is a product
    directions = coordinates.T @ (noise - noise.mean(axis=0))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return signed(directions).astype("float32"), (values[:count] / samples).astype("float32")


def traverse(latents, direction, reach=3.0, steps=7):
    """Each latent moved along a direction: z + alpha n for alpha from -reach to reach.

    Args:
        latents: (N, d).
        direction: (d,), of norm 1.
        reach: more than 0; latents have standard deviation 1 along every direction.
        steps: latents in each path, 2 or more; with an odd number the unmoved latent is in the middle.

    Returns:
        float32 (N, steps, d).

    Raises:
        ConfigurationError: numbers out of range.
        DataError: a direction of another length than the latents'.

    Example:

    >>> traverse(np.zeros((1, 2)), [1.0, 0.0], reach=2.0, steps=3)[0].tolist()
    [[-2.0, 0.0], [0.0, 0.0], [2.0, 0.0]]
    """
    if not is_whole(steps, 2) or not is_number(reach) or reach <= 0.0:
        raise ConfigurationError(f"Expected 2 steps or more and a reach above 0. Received: {steps!r} and {reach!r}.")
    latents, direction = as_latents(latents, 2), as_latents(direction, 1)
    if direction.shape != latents.shape[1:]:
        raise DataError(f"Expected a direction ({latents.shape[1]},). Received: {direction.shape}.")
    alphas = np.linspace(-reach, reach, steps)[:, None]
    return (latents[:, None] + alphas * direction).astype("float32")


def _check_label(model, label):
    if "labels" in model.input_fields and label is None:
        raise ConfigurationError(
            f"Expected a label, {model.input_fields['labels']}, for all images: where labels differ, the effect of the "
            f"latents cannot be told from theirs. Received: no label for {type(model).__name__}. Pass label=..."
        )


def checked_count(count, most):
    """A count of directions, `most` for None.

    Raises:
        ConfigurationError: not a whole number from 1 to `most`.
    """
    if count is not None and (not is_whole(count, 1) or count > most):
        raise ConfigurationError(f"Expected count to be a whole number from 1 to {most}. Received: {count!r}.")
    return most if count is None else count


def _unit(vector):
    return (vector / np.linalg.norm(vector)).astype("float32")


def signed(rows):
    """Rows with the sign that makes the largest entry positive, so that every machine finds the same signs."""
    largest = np.take_along_axis(rows, np.argmax(np.abs(rows), axis=1)[:, None], axis=1)
    return rows * np.sign(largest)
