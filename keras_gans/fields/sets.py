"""The fields of models that turn noise, and labels if there are any, into images."""

from keras_gans.fields.images import Images
from keras_gans.fields.noise import Noise, normal


def noise_to_images(generator, distribution=normal, label_space=None):
    """The three dictionaries of fields of a model whose generator makes images from latents, or from [latents, labels].

    Args:
        generator: Keras model, (N, latent_dim) or [(N, latent_dim), (N, label size)] to (N, height, width, channels).
        distribution: function from standard normal noise to latents; see `Noise`.
        label_space: for a conditional model, what its labels are.

    Returns:
        {"batch_fields": ..., "input_fields": ..., "output_fields": ...}, arguments of `AdversarialModel`.

    Example:

    >>> generator = kg.models.gan.build_generator((8, 8, 1), latent_dim=4)
    >>> fields = noise_to_images(generator, label_space=kg.data.Classes(10))
    >>> list(fields["batch_fields"]), list(fields["input_fields"])
    (['images', 'labels'], ['noise', 'labels'])
    """
    shape = generator.input_shape
    latent_dim = (shape[0] if isinstance(shape, list) else shape)[-1]
    images, labels = Images(generator.output_shape[1:]), {} if label_space is None else {"labels": label_space}
    return {
        "batch_fields": {"images": images, **labels},
        "input_fields": {"noise": Noise(latent_dim, distribution), **labels},
        "output_fields": {"images": images},
    }
