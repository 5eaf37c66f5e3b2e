"""Directions of noise that change one thing: fitted from labels, or found in the generator."""

import keras
import numpy as np
from keras import ops

from keras_gans import engine
from keras_gans.data.checks import is_number, is_whole
from keras_gans.errors import ConfigurationError, DataError, UnsupportedError
from keras_gans.latent.checks import as_latents
from keras_gans.latent.priors import affine_kernel, elementwise_places
from keras_gans.metrics.classes import predict_attributes, predict_classes
from keras_gans.metrics.features import resized

BATCH = 256  # latents at once


def attribute_direction(latents, labels, attribute=1):
    """The mean latent of the images that have an attribute less that of those that do not, of norm 1.

    Correlated attributes share their directions: see `orthogonalize`.

    Args:
        latents: (N, d), standard normal, of the images.
        labels: (N,), whole numbers or booleans, such as a classifier's of the generated images.
        attribute: the label whose direction is sought.

    Returns:
        float32 (d,).

    Raises:
        ConfigurationError: a label that no image has, or that all have.
        DataError: other counts of latents and labels, or means that are equal.

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
            f"{np.unique(labels).tolist()}. Choose another, or more images."
        )
    difference = latents[has].mean(axis=0) - latents[~has].mean(axis=0)
    if not np.any(difference):
        raise DataError("Expected latents that differ between the labels. Received: equal means. Give more images.")
    return _unit(difference)


def class_directions(model, classifier, names, chosen=(), attributes=False, samples=2000, seed=0, label=None):
    """`attribute_direction` of classes or attributes by name, by a classifier's opinion of generated images.

    Args:
        model: an `AdversarialModel` of images.
        classifier: Keras model, such as `kg.zoo.load_classifier` returns; images are resized to its size.
        names: of the classifier's outputs, in their order.
        chosen: some of the names; none for all.
        attributes: whether an image may have several (`predict_attributes`) rather than one class (`predict_classes`).
        samples: images looked at.
        seed: whole number, names them.
        label: of a conditional model what all of them are asked to show: with others it is the label that decides what
            an image has, and not the latents.

    Returns:
        {name: float32 (latent_dim,)}, of norm 1.

    Raises:
        ConfigurationError: a name that is none of the names, or what no image has, or all have; or a conditional model
            without a label.
        UnsupportedError: a model of anything else than single images.
    """
    names = [str(name) for name in names]
    unknown = [name for name in chosen if name not in names]
    if unknown:
        raise ConfigurationError(f"Expected attributes of {', '.join(names)}. Received: {', '.join(unknown)}.")
    if model.example_shape != model.image_shape:
        raise UnsupportedError(f"Expected a model of images. Received: one of examples {model.example_shape}.")
    _check_label(model, label)
    noise = model.noise(samples, seed)
    images = resized(model.generate(noise=noise, labels=label), classifier.input_shape[1:3])
    found = predict_attributes(classifier, images) if attributes else predict_classes(classifier, images)

    def direction(place):
        return attribute_direction(noise, found[:, place]) if attributes else attribute_direction(noise, found, place)

    return {name: direction(names.index(name)) for name in chosen or names}


def orthogonalize(direction, others):
    """`direction` without its part along `others`, of norm 1: it changes one attribute and leaves the others.

    For two unit vectors this is n1 - <n1, n2> n2 (Shen et al., 2020, section 3.2; the page was not read, so that the
    name of this "conditional manipulation" is unconfirmed).

    Args:
        direction: (d,).
        others: (d,) or (K, d); they may depend on each other.

    Returns:
        float32 (d,).

    Raises:
        ConfigurationError: nothing is left, since `direction` is made of the others.
        DataError: directions of several lengths.

    Example:

    >>> np.round(orthogonalize([0.6, 0.8], [0.0, 1.0]), 6).tolist()
    [1.0, 0.0]
    """
    direction, others = as_latents(direction, 1), np.atleast_2d(as_latents(others))
    if others.shape[1:] != direction.shape:
        raise DataError(f"Expected others ({direction.size},) or (K, {direction.size}). Received: {others.shape}.")
    weights = np.linalg.lstsq(others.T, direction, rcond=None)[0]
    rest = direction - weights @ others
    if np.linalg.norm(rest) <= 1e-6 * np.linalg.norm(direction):
        raise ConfigurationError("Expected a direction that is not made of the others. Leave one of them out.")
    return _unit(rest)


def first_layer_directions(model, count=None):
    """The unit directions of noise that move the output of the generator's first dense layer furthest (SeFa).

    The layer maps z to z W + b, so a step n changes its output by n W: eigenvectors of W W^T, largest eigenvalues
    first. They are the right singular vectors of the paper's A = W^T; where several dense layers take the latents, as
    in BiGAN's generator, W is all of theirs side by side. Signs are arbitrary: here the largest entry is positive. A
    normalization after the layer changes the scale of its outputs, which is not looked at.

    Directions are those of the noise that `generate(noise=...)` takes. Where an affine prior makes z of it, noise K + c
    as GLO's, W stands for K W. Where one rising function makes each latent of its own number, as uniform priors do,
    the directions are the latents', and the lengths are of steps of the latents. The numbers of which an argmax makes
    InfoGAN's categories stay as they are: `InfoGAN.traverse` changes those.

    Args:
        model: an `AdversarialModel` whose latents, or latents and labels, go into a dense layer.
        count: how many, 1 to latent_dim, of an InfoGAN less its categories; None for all.

    Returns:
        float32 (count, latent_dim), orthonormal rows; and the lengths |n W|, float32 (count,), descending.

    Raises:
        ConfigurationError: a count out of range.
        UnsupportedError: a generator whose first weights are not a dense layer's of the latents, or a prior of another
            kind.

    Example:

    >>> gan = kg.DCGAN(image_shape=(8, 8, 1), latent_dim=4)
    >>> directions, lengths = first_layer_directions(gan, 2)
    >>> directions.shape, bool(lengths[0] >= lengths[1])
    ((2, 4), True)

    Reference: Shen and Zhou, 2021, "Closed-form factorization of latent semantics in GANs",
    https://arxiv.org/abs/2007.06600
    """
    kernel = _first_kernel(model)
    mixing, places = affine_kernel(model), np.arange(model.latent_dim)
    if mixing is not None:
        kernel = mixing @ kernel
    else:
        places = elementwise_places(model)
        if len(places) == 0:
            raise UnsupportedError(
                "Expected a prior that is affine, or makes each latent of its own number of the noise. Received: that "
                f"of {type(model).__name__}. Use activation_directions, which asks for no kind of prior."
            )
        kernel = kernel[places]
    count = _checked_count(count, len(places))
    values, vectors = np.linalg.eigh(kernel @ kernel.T)  # ascending
    directions = np.zeros((count, model.latent_dim), "float32")
    directions[:, places] = _signed(vectors[:, ::-1].T[:count])
    return directions, np.sqrt(np.maximum(values[::-1][:count], 0.0)).astype("float32")


def _first_kernel(model):
    """The rows of the generator's first dense layer that are the latents', float64 (latent_dim, units); of all dense
    layers that take the same."""
    generator = model.sampling_generator
    first = next((layer for layer in generator.layers if layer.weights), None)
    kernel = getattr(first, "kernel", None)
    joined = next((layer for layer in generator.layers if isinstance(layer, keras.layers.Concatenate)), None)
    size = model.latent_dim
    if joined is not None and first.input is joined.output and joined.input[0] is generator.inputs[0]:
        size = joined.output.shape[-1]  # a conditional generator's labels, behind the latents
    if kernel is None or len(kernel.shape) != 2 or kernel.shape[0] != size:
        raise UnsupportedError(
            f"Expected a generator that begins with a dense layer of {model.latent_dim} latents. Received: "
            f"{first!r}. Use activation_directions, which asks for no kind of layer."
        )
    alike = [
        layer for layer in generator.layers if isinstance(layer, keras.layers.Dense) and layer.input is first.input
    ]
    kernels = [ops.convert_to_numpy(layer.kernel)[: model.latent_dim] for layer in alike]
    return np.concatenate(kernels, axis=1).astype("float64")


def activation_directions(model, layer, count=10, samples=2000, seed=0, label=None):
    """Directions of latents that move the activations of a layer along their principal components (GANSpace).

    The activations of `samples` latents are centred and decomposed; their coordinates c along the components, divided
    by their standard deviations, are regressed back to the latents, argmin_U |c U - z|^2. The rows of U, of norm 1, are
    the directions.

    Args:
        model: an `AdversarialModel`.
        layer: name of one of the generator's layers, an early one.
        count: how many, 1 or more.
        samples: latents drawn, more than `count`.
        seed: whole number, names them.
        label: of a conditional model, for all of them: labels that change move activations more than latents do, and
            the directions of what they move would be chance.

    Returns:
        float32 (count, latent_dim), rows of norm 1; and the variances of the activations along the components, float32
        (count,), descending.

    Raises:
        ConfigurationError: no such layer, more directions than there are components, or a conditional model without a
            label.

    Reference: Härkönen et al., 2020, "GANSpace: Discovering interpretable GAN controls",
    https://arxiv.org/abs/2004.02546
    """
    generator = model.sampling_generator
    inner = keras.layers.InputLayer, keras.Model  # a network within, such as a level of LAPGAN's, has no one output
    names = [known.name for known in generator.layers if not isinstance(known, inner)]
    if layer not in names:
        raise ConfigurationError(f"Expected layer to be one of {', '.join(names)}. Received: {layer!r}.")
    if not is_whole(samples, 2):
        raise ConfigurationError(f"Expected samples to be a whole number, 2 or more. Received: {samples!r}.")
    count = _checked_count(count, samples - 1)
    _check_label(model, label)
    early = keras.Model(generator.inputs, generator.get_layer(layer).output)

    def activations_of(inputs):  # as `generate` compiles it: noise, and encoded labels beside it
        latents = model.prior(inputs[:, : model.latent_dim])
        return early(latents if model.label_space is None else [latents, inputs[:, model.latent_dim :]], training=False)

    apply, noise = engine.function(activations_of, early.variables), model.noise(samples, seed)
    inputs = noise
    if model.label_space is not None or label is not None:
        labels, _ = model.checked_labels(label, samples)
        encoded = ops.convert_to_numpy(model.label_space.encode(labels))
        inputs = np.concatenate([noise, encoded], axis=1)
    parts = [apply(inputs[i : i + BATCH]).reshape(len(inputs[i : i + BATCH]), -1) for i in range(0, samples, BATCH)]
    activations = np.concatenate(parts).astype("float64")
    activations -= activations.mean(axis=0)
    # The left singular vectors are the standardised coordinates, up to sqrt(samples): there is no need of components.
    if activations.shape[1] > samples:
        values, left = np.linalg.eigh(activations @ activations.T)
    else:
        values, components = np.linalg.eigh(activations.T @ activations)
        left = activations @ components / np.sqrt(np.maximum(values, 1e-300))
    values, left = values[::-1], left[:, ::-1]
    rank = int(np.sum(values > 1e-9 * max(values[0], 1e-300)))
    if count > rank:
        raise ConfigurationError(f"Expected count of {rank} or less, as many as {layer} has components. Got {count}.")
    coordinates = left[:, :count]  # orthonormal columns: least squares is a product
    directions = coordinates.T @ (noise - noise.mean(axis=0))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return _signed(directions).astype("float32"), (values[:count] / samples).astype("float32")


def traverse(latents, direction, reach=3.0, steps=7):
    """Each latent moved along a direction: z + alpha n for alpha from -reach to reach.

    Args:
        latents: (N, d).
        direction: (d,), of norm 1.
        reach: more than 0; latents have standard deviation 1 along every direction.
        steps: latents a path, 2 or more; an odd number has the unmoved latent in the middle.

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
    if model.label_space is not None and label is None:
        raise ConfigurationError(
            f"Expected a label, {model.label_space}, which all images are to show: where labels change, the latents' "
            f"part is not to be seen. Received: none for a {type(model).__name__}. What labels say, change by labels."
        )


def _checked_count(count, most):
    if count is not None and (not is_whole(count, 1) or count > most):
        raise ConfigurationError(f"Expected count to be a whole number from 1 to {most}. Received: {count!r}.")
    return most if count is None else count


def _unit(vector):
    return (vector / np.linalg.norm(vector)).astype("float32")


def _signed(rows):
    """Rows with the sign that makes the largest entry positive, so that every machine finds the same."""
    largest = np.take_along_axis(rows, np.argmax(np.abs(rows), axis=1)[:, None], axis=1)
    return rows * np.sign(largest)
