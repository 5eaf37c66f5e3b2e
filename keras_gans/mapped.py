"""Models whose latents are mapped to styles before images are made: z -> w -> image."""

import math

import numpy as np
from keras import ops

from keras_gans import engine, sampling
from keras_gans.errors import ConfigurationError
from keras_gans.fields import Images, Noise, Numbers, uniform_of
from keras_gans.layers import StyleAverage
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_built, check_discriminator, check_image_range, images_alone
from keras_gans_core.checks import is_number


class MappedModel(AdversarialModel):
    """The base of variants with a mapping network: latents z become a style w, and each layer of the generator gets it.

    The generator takes styles (N, layers, style_dim), one for each layer, and noise maps (N, height, width, 1). In
    training, noise maps are drawn for each image, and with the probability `mixing` a batch's styles change to those of
    second latents from a random layer on. Outside of training the noise maps are constant, the same for all images, so
    an image is a function of its styles.

    `generate` and `sample` take `truncation_psi`, one number for all images or one for each: styles are then
    average + psi (w - average), where the average is `style_average`; and with it `truncation_cutoff`, how many layers,
    the first ones, are truncated. Without them nothing is truncated.

    Args:
        generator: Keras model of [styles (N, layers, style_dim), noise maps (N, height, width, 1), ...] to images; with
            no noise maps, of [styles].
        mapping: Keras model, latents (N, latent_dim) to (N, style_dim).
        discriminator: Keras model, images to logits (N, 1); None, as in the zoo.
        mixing: how often a batch is mixed, in [0, 1].
        style_decay: of the moving average of styles, in [0, 1).
        kwargs: see `AdversarialModel`.

    Raises:
        ConfigurationError: networks that do not fit each other, or numbers out of range.
    """

    players = {"generator": ("generator", "mapping"), "discriminator": ("discriminator",)}
    averaged = ("generator", "mapping")
    kept = ("generator", "mapping", "style_average")
    optional_inputs = ("truncation_psi", "truncation_cutoff")

    def __init__(self, *, generator, mapping, discriminator, mixing=0.9, style_decay=0.995, **kwargs):
        _check_networks(generator, mapping, discriminator)
        if not (is_number(mixing, 0.0) and mixing <= 1.0):
            raise ConfigurationError(f"Expected mixing in [0, 1]. Received: {mixing!r}.")
        average = StyleAverage(mapping.output_shape[-1], style_decay, name="style_average")
        images, layers = Images(generator.output_shape[1:]), generator.inputs[0].shape[1]
        super().__init__(
            generator=generator,
            mapping=mapping,
            discriminator=discriminator,
            batch_fields={"images": images},
            input_fields={
                "noise": Noise(mapping.input_shape[-1]),
                "truncation_psi": Numbers("truncation_psi"),
                "truncation_cutoff": Numbers("truncation_cutoff", 0, layers, whole=True),
            },
            output_fields={"images": images},
            **kwargs,
        )
        self.mixing, self.style_decay, self.style_average = mixing, style_decay, average

    @property
    def style_layers(self):
        """How many styles the generator takes for an image."""
        return self.generator.inputs[0].shape[1]

    @property
    def noise_shapes(self):
        """The shapes (height, width, 1) of the generator's noise maps."""
        return [tuple(tensor.shape[1:]) for tensor in self.generator.inputs[1:]]

    # Training

    def draws_like(self, examples):
        """Fresh numbers that as many images are made from in training, for `images_from`: a list of the latents, other
        latents, two numbers from U[0, 1] that decide about mixing, and the noise maps."""
        sizes = [2, self.latent_dim, self.latent_dim, *(math.prod(shape) for shape in self.noise_shapes)]
        count = ops.shape(examples)[0]
        numbers = engine.normal((count, sum(sizes)), self.latent_seeds)  # at once: each drawing has a dozen kernels
        chances, latents, others, *maps = ops.split(numbers, np.cumsum(sizes)[:-1].tolist(), axis=1)
        maps = [ops.reshape(one, (count, *shape)) for one, shape in zip(maps, self.noise_shapes)]
        return [self.prior(latents), self.prior(others), uniform_of(chances[0]), *maps]

    def mixed_styles(self, draws):
        """The styles (N, style_dim) of the first latents of `draws_like`, and those of all layers, mixed."""
        latents, others, (chance, place) = draws[0], draws[1], ops.unstack(draws[2], 2)
        mapped = self.mapping(latents, training=True)
        styles = self.for_each_layer(mapped)
        if self.mixing == 0.0:
            return mapped, styles
        layers = self.style_layers
        first = 1.0 + ops.floor(place * (layers - 1))  # the first layer of the second latents, from 1 to layers - 1
        first = ops.where(chance < self.mixing, ops.minimum(first, layers - 1.0), float(layers))
        mixed = ops.arange(layers, dtype="float32")[None, :, None] >= first
        return mapped, ops.where(mixed, self.for_each_layer(self.mapping(others, training=True)), styles)

    def images_from(self, draws):
        """Images of `draws_like`'s numbers, as in training; moves the average of styles by the first latents'."""
        mapped, styles = self.mixed_styles(draws)
        self.style_average.update(mapped)
        return self.generator([styles, *draws[3:]], training=True)

    def for_each_layer(self, styles):
        """Styles (N, style_dim) as (N, layers, style_dim): the same for each layer."""
        return ops.repeat(styles[:, None], self.style_layers, axis=1)

    def record(self, draws):
        """The forward pass of `images_from`, recorded; see `AdversarialModel.record`."""
        return self.record_pass(lambda: self.images_from(draws))

    # Outside of training

    def made_from(self, styles):
        """Images of styles (N, layers, style_dim), with the constant noise maps."""
        return self.generator([styles, *self.constant_maps(ops.shape(styles)[0])], training=False)

    def constant_maps(self, count):
        """The noise maps outside of training: a list of tensors (count, height, width, 1), the same for each image."""
        maps = [constant_map(shape, i) for i, shape in enumerate(self.noise_shapes)]
        return [ops.tile(ops.convert_to_tensor(one), (count, 1, 1, 1)) for one in maps]

    def fakes_like(self, examples):
        """As many images as there are examples, made as outside of training, from the evaluation's seeds."""
        return self.made_from(
            self.for_each_layer(self.mapping(self.latents_like(examples, training=False), training=False))
        )

    def truncated(self, inputs):
        """The styles (N, layers, style_dim) of encoded inputs, truncated if they say so."""
        if "truncation_cutoff" in inputs and "truncation_psi" not in inputs:
            raise ConfigurationError(
                "Expected truncation_psi with truncation_cutoff, which says how many layers are truncated. Received: "
                "no truncation_psi. Pass truncation_psi=0.7 too."
            )
        styles = self.for_each_layer(self.mapping(inputs["noise"], training=False))
        if "truncation_psi" not in inputs:
            return styles
        return self.style_average.truncated(styles, inputs["truncation_psi"], inputs.get("truncation_cutoff"))

    def compute_outputs(self, inputs, training=False):
        if not isinstance(inputs, dict):
            inputs = dict(zip(self.input_fields, sampling.in_order(inputs, self.input_fields)))
        return self.made_from(self.truncated(inputs))

    def batch_losses(self, images):
        fake = self.fakes_like(images)
        return {
            "d_loss": self.discriminator_loss(images, fake, training=False),
            "g_loss": self.generator_loss(fake, training=False),
        }

    def batch_scores(self, images):
        return self.score(images, training=False), self.score(self.fakes_like(images), training=False)

    # Styles as a space of their own

    def to_styles(self, n=None, seed=None, **inputs):
        """The styles of the images that `generate` makes of the same arguments: float32 (N, layers, style_dim).

        Args:
            n, seed, inputs: see `generate`, such as seed=[3, 1], or noise=..., and truncation_psi=0.7.
        """
        inputs = sampling.complete_inputs(self, n, seed, inputs)
        if getattr(self, "_compiled_styles", None) is None:
            self._compiled_styles = engine.function(self._styles_of)
        sampling.settle_averages(self)
        return np.array(sampling.gathered(self._compiled_styles, inputs, sampling.BATCH)["styles"])  # one to edit

    def _styles_of(self, inputs):
        with self.averages_in_use():
            return {"styles": self.truncated(sampling.encode_inputs(self, inputs))}

    def from_styles(self, styles, noise_maps=None):
        """The images of styles, as `generate` returns them.

        Args:
            styles: (N, style_dim), or (N, layers, style_dim) with a style for each layer.
            noise_maps: the generator's noise maps, a list of (N, height, width, 1); None for the constant ones.

        Returns:
            uint8 (N, height, width, channels).

        Raises:
            ConfigurationError: styles or noise maps of another shape, or not finite numbers.
        """
        styles = _finite(styles, "styles")
        if styles.ndim == 2:
            styles = np.repeat(styles[:, None], self.style_layers, axis=1)
        wanted = (self.style_layers, self.mapping.output_shape[-1])
        if styles.ndim != 3 or styles.shape[1:] != wanted or len(styles) == 0:
            raise ConfigurationError(
                f"Expected styles (N, {wanted[1]}) or (N, {wanted[0]}, {wanted[1]}). Received: {styles.shape}."
            )
        if getattr(self, "_compiled_synthesis", None) is None:
            self._compiled_synthesis = engine.function(self._images_of)
        sampling.settle_averages(self)
        inputs = {"styles": styles}
        if noise_maps is not None:
            maps = [_finite(one, "noise maps") for one in noise_maps]
            if [one.shape for one in maps] != [(len(styles), *shape) for shape in self.noise_shapes]:
                raise ConfigurationError(
                    f"Expected noise maps of shapes {', '.join(map(str, self.noise_shapes))} for each of "
                    f"{len(styles)} images. Received: {', '.join(str(one.shape) for one in maps)}."
                )
            inputs |= {f"map{i}": one for i, one in enumerate(maps)}
        return sampling.gathered(self._compiled_synthesis, inputs, sampling.batch_size(self, inputs))["images"]

    def _images_of(self, inputs):
        with self.averages_in_use():
            # By name: JAX sorts the names.
            styles, names = inputs["styles"], [f"map{i}" for i in range(len(inputs) - 1)]
            maps = [inputs[name] for name in names] or self.constant_maps(ops.shape(styles)[0])
            made = self.generator([styles, *maps], training=False)
            return {"images": self.output_fields["images"].decode(made)}


def _finite(values, what):
    """Values as a float32 array."""
    try:
        array = np.asarray(values, "float32")
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"Expected {what}, numbers. Received: {error}.") from error
    if not np.isfinite(array).all():
        raise ConfigurationError(f"Expected finite {what}. Received: NaN or infinite numbers.")
    return array


def constant_map(shape, number):
    """The noise map of a layer outside of training, float32 (1, height, width, 1): the same in each process."""
    # NumPy promises that the numbers of this generator stay the same.
    return np.random.RandomState(number).standard_normal((1, *shape)).astype("float32")


def _check_networks(generator, mapping, discriminator):
    for name, network in (("generator", generator), ("mapping", mapping)):
        check_built(name, network)
    shapes = [tuple(tensor.shape) for tensor in generator.inputs]
    if (
        len(shapes[0]) != 3
        or None in shapes[0][1:]
        or any(len(shape) != 4 or shape[-1] != 1 or None in shape[1:] for shape in shapes[1:])
        or len(generator.output_shape) != 4
    ):
        raise ConfigurationError(
            "Expected a generator of [styles (N, layers, style_dim), noise maps (N, height, width, 1), ...] to images. "
            f"Received: one from {generator.input_shape} to {generator.output_shape}."
        )
    if len(mapping.inputs) != 1 or len(mapping.input_shape) != 2 or mapping.output_shape != (None, shapes[0][2]):
        raise ConfigurationError(
            f"Expected a mapping from latents (N, latent_dim) to the generator's styles (N, {shapes[0][2]}). Received: "
            f"one from {mapping.input_shape} to {mapping.output_shape}."
        )
    check_image_range("generator", generator)
    if discriminator is not None:
        check_built("discriminator", discriminator)
        check_discriminator(discriminator, images_alone(generator))
