"""InfoGAN: Chen, Duan, Houthooft, Schulman, Sutskever and Abbeel, 2016, "InfoGAN: interpretable representation learning
by information maximizing generative adversarial nets", https://arxiv.org/abs/1606.03657; code:
https://github.com/openai/InfoGAN

Objective, with noise z, codes c, the discriminator's logit d and the recognition head Q, which reads the
discriminator's features:
    discriminator and Q: E[softplus(-d(x))] + E[softplus(d(G(z, c)))] - I(c, Q(G(z, c)))
    generator:           E[softplus(-d(G(z, c)))] - I(c, Q(G(z, c)))
    I = categorical_weight sum (E[log Q(c | G(z, c))] + log K)              over categorical codes of K categories
        + continuous_weight E[sum (c^2 - (c - mean)^2) / 2]                 over continuous codes, whose Q is N(mean, 1)
I is, up to a constant, a lower bound of the mutual information of images and their codes. Both players maximise it, as
in the authors' code, so the features are learned for it too. It has no term for real images.

Schedule: the discriminator and Q are one player with one optimizer. They are updated on real images and on images
generated from fresh latents, in two batches. Then the generator is updated on other latents. With
`discriminator_steps=k` the batch is split among k updates of the discriminator.

Latents: noise uniform on [-1, 1], then one-hot categorical codes, then continuous codes uniform on [-1, 1].

Departures from the paper:
- logarithms are computed from logits; the authors' code has log(D + 1e-8), and the same for Q;
- Q has one output for each continuous code; the authors' code has a second one, a standard deviation, and does not
  use it;
- the weights of both terms are 1, as in the published code for MNIST;
- initial weights are Glorot's, uniform; the published code draws them from N(0, 0.02). Batch norm's gains start at one;
  the code draws them from N(1, 0.02). The momentum of 0.9 and the epsilon of 1e-5 are the code's;
- the generator's smallest map is normalised per channel; the published code normalises each of its units.
"""

import functools

import keras
import numpy as np
from keras import layers, ops

from keras_gans.errors import ConfigurationError
from keras_gans.fields import check_image_shape, noise_to_images, symmetric_uniform
from keras_gans.images import to_float
from keras_gans.layers import FusedBatchNormalization
from keras_gans.losses import (
    categorical_information,
    continuous_information,
    non_saturating_discriminator_loss,
    non_saturating_generator_loss,
)
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_built, check_networks
from keras_gans.optimizers import FusedAdam
from keras_gans_core.checks import is_number, is_whole

FEATURES = "features"  # the discriminator's layer that Q reads


def _norm(x, name, activation):
    x = FusedBatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm")(x)
    return activation(name=f"{name}_relu")(x)


def _leaky(name):
    return layers.LeakyReLU(0.01, name=name)


def build_generator(image_shape=(28, 28, 1), latent_dim=74, *, base_filters=64, units=1024):
    """The paper's generator for MNIST: two dense layers, two transposed convolutions.

    Args:
        image_shape: (height, width, channels), both sizes multiples of 4.
        latent_dim: size of noise and codes together.
        base_filters: channels of the hidden map of half the size; the smaller one has twice as many.
        units: width of the first layer.

    Returns:
        A Keras model, (N, latent_dim) to (N, height, width, channels) in [-1, 1].

    Raises:
        ConfigurationError: sizes that are not multiples of 4.
    """
    check_image_shape(image_shape)
    height, width, channels = _checked(image_shape)
    smallest = (height // 4, width // 4, 2 * base_filters)
    latents = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(units, use_bias=False, name="hidden")(latents)
    x = _norm(x, "hidden", layers.ReLU)
    x = layers.Dense(int(np.prod(smallest)), use_bias=False, name="project")(x)
    x = _norm(layers.Reshape(smallest, name="reshape")(x), "project", layers.ReLU)
    up = {"kernel_size": 4, "strides": 2, "padding": "same"}
    x = layers.Conv2DTranspose(base_filters, use_bias=False, name="up", **up)(x)
    x = _norm(x, "up", layers.ReLU)
    x = layers.Conv2DTranspose(channels, name="to_image", **up)(x)
    x = layers.Activation("sigmoid", dtype="float32", name="sigmoid")(x)
    images = layers.Rescaling(2.0, offset=-1.0, dtype="float32", name="images")(x)
    return keras.Model(latents, images, name="generator")


def build_discriminator(image_shape=(28, 28, 1), *, base_filters=64, units=1024):
    """The paper's discriminator for MNIST: two strided convolutions and a dense layer, whose outputs Q reads as well.

    Args:
        image_shape: (height, width, channels), both sizes multiples of 4.
        base_filters: channels of the first map; the second has twice as many.
        units: how many features.

    Returns:
        A Keras model, images to logits (N, 1), with a layer named "features".

    Raises:
        ConfigurationError: sizes that are not multiples of 4.
    """
    check_image_shape(image_shape)
    images = keras.Input(_checked(image_shape), name="images")
    down = {"kernel_size": 4, "strides": 2, "padding": "same"}
    x = layers.Rescaling(0.5, offset=0.5, name="rescale")(images)  # pixels in [0, 1]
    x = _leaky("down0_relu")(layers.Conv2D(base_filters, name="down0", **down)(x))
    x = layers.Conv2D(2 * base_filters, use_bias=False, name="down1", **down)(x)
    x = _norm(x, "down1", _leaky)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(units, use_bias=False, name="dense")(x)
    x = _leaky(FEATURES)(FusedBatchNormalization(momentum=0.9, epsilon=1e-5, name="dense_norm")(x))
    logits = layers.Dense(1, dtype="float32", name="logits")(x)
    return keras.Model(images, logits, name="discriminator")


def build_recognizer(features, outputs, *, units=128):
    """The paper's head Q: one hidden layer on the discriminator's features.

    Args:
        features: number of outputs of the discriminator's layer "features".
        outputs: number of outputs, one for each category and each continuous code.
        units: width of the hidden layer.

    Returns:
        A Keras model, features to the categories' logits and the continuous codes' means, (N, outputs).
    """
    inputs = keras.Input((features,), name="features")
    x = layers.Dense(units, use_bias=False, name="hidden")(inputs)
    x = _norm(x, "hidden", _leaky)
    codes = layers.Dense(outputs, dtype="float32", name="codes")(x)
    return keras.Model(inputs, codes, name="recognizer")


def latents_of(noise, *, categories, continuous):
    """The latents made from standard normal noise: noise, one-hot categorical codes, continuous codes.

    The normal distribution function makes numbers uniform on [-1, 1]. The index of the largest of K normal numbers is
    uniform over K categories.

    Args:
        noise: standard normal (N, latent_dim); the last sum(categories) + continuous numbers are for the codes.
        categories: how many categories each categorical code has.
        continuous: how many continuous codes there are.

    Returns:
        float32 (N, latent_dim).

    Example:

    >>> noise = np.array([[0.0, 0.5, 2.0, 0.0]], "float32")
    >>> ops.convert_to_numpy(latents_of(noise, categories=(2,), continuous=1)).tolist()
    [[0.0, 0.0, 1.0, 0.0]]
    """
    latents = symmetric_uniform(noise)
    first = noise.shape[-1] - sum(categories) - continuous
    parts = [latents[:, :first]]
    for size in categories:
        largest = ops.argmax(noise[:, first : first + size], axis=-1)
        parts.append(ops.one_hot(largest, size, dtype=latents.dtype))
        first += size
    return ops.concatenate([*parts, latents[:, first:]], axis=-1)


@keras.saving.register_keras_serializable(package="keras_gans")
class InfoGAN(AdversarialModel):
    """GAN whose images must show some of their latents, the codes: categories and styles are learned without labels.

    The last latents are the codes: one-hot vectors of `categories[i]` numbers, then `continuous` numbers from -1 to 1;
    see `latents_of`. `evaluate` also logs `information`, in nats and without weights. It exceeds the lower bound by a
    constant: 0.39 for each continuous code.

    Args:
        generator: see `AdversarialModel`.
        discriminator: one with a layer named "features".
        recognizer: Keras model, the features to logits and means, (N, sum(categories) + continuous). With no network
            given, all three are the paper's for MNIST, for `image_shape`.
        image_shape: (height, width, channels) of the default networks, both sizes multiples of 4.
        noise_dim: latents of the default generator besides the codes.
        categories: how many categories each categorical code has, 2 or more; () for no categorical code.
        continuous: how many continuous codes there are, 0 or more.
        categorical_weight, continuous_weight: of the terms of the information, 0 or more.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: numbers out of range, no code, or networks that do not fit each other and the codes.

    Example:

    >>> gan = kg.InfoGAN(image_shape=(28, 28, 1))
    >>> gan.compile()
    >>> gan.recognize(gan.generate(4, seed=0)).shape
    (4, 12)
    >>> images, picture = gan.traverse(0, rows=2, seed=0)
    >>> images.shape, picture.shape
    ((2, 10, 28, 28, 1), (56, 280, 1))

    Reference: Chen et al., 2016, https://arxiv.org/abs/1606.03657
    """

    players = {"generator": ("generator",), "discriminator": ("discriminator", "recognizer")}
    evaluation_names = ("information",)

    def __init__(
        self,
        generator=None,
        discriminator=None,
        recognizer=None,
        *,
        image_shape=(28, 28, 1),
        noise_dim=62,
        categories=(10,),
        continuous=2,
        categorical_weight=1.0,
        continuous_weight=1.0,
        **kwargs,
    ):
        codes = _checked_codes(categories, continuous)
        if not is_whole(noise_dim, 0):
            raise ConfigurationError(f"Expected a noise_dim of 0 or more. Received: {noise_dim!r}.")
        for name, weight in (("categorical_weight", categorical_weight), ("continuous_weight", continuous_weight)):
            if not is_number(weight, 0.0):
                raise ConfigurationError(f"Expected a {name} of 0 or more. Received: {weight!r}.")
        if generator is None and discriminator is None and recognizer is None:
            generator, discriminator = build_generator(image_shape, noise_dim + codes), build_discriminator(image_shape)
            recognizer = build_recognizer(discriminator.get_layer(FEATURES).output.shape[-1], codes)
        check_networks(generator, discriminator)
        if generator.input_shape[-1] < codes:
            raise ConfigurationError(
                f"Expected a generator of {codes} latents or more, for the codes. Received: "
                f"{generator.input_shape[-1]}."
            )
        features = None if discriminator is None else _checked_features(discriminator, recognizer, codes)
        prior = functools.partial(latents_of, categories=tuple(categories), continuous=continuous)
        super().__init__(
            generator=generator,
            discriminator=discriminator,
            recognizer=None if discriminator is None else recognizer,  # which reads the discriminator's features
            **noise_to_images(generator, prior),
            **kwargs,
        )
        self.categories, self.continuous = tuple(categories), continuous
        self.categorical_weight, self.continuous_weight = categorical_weight, continuous_weight
        if discriminator is not None:
            self.two_heads = keras.Model(discriminator.inputs[0], [discriminator.output, recognizer(features)])

    # The codes

    @property
    def code_slices(self):
        """Where the codes lie in Q's output, a slice for each: the categorical ones, then the continuous ones."""
        ends = np.cumsum([0, *self.categories, *[1] * self.continuous]).tolist()
        return [slice(first, last) for first, last in zip(ends, ends[1:])]

    @property
    def code_dim(self):
        """How many of the latents, the last ones, are codes."""
        return sum(self.categories) + self.continuous

    @property
    def noise_dim(self):
        """How many of the latents, the first ones, are only noise."""
        return self.latent_dim - self.code_dim

    def information(self, recognized, latents):
        """The terms of the information, for categorical and for continuous codes, without weights.

        Args:
            recognized: Q's output for generated images, (N, code_dim).
            latents: what the images were made from, (N, latent_dim).

        Returns:
            Two float32 scalars; 0 where there is no code of that kind.
        """
        codes, count = latents[:, self.noise_dim :], sum(self.categories)
        categorical = [
            categorical_information(recognized[:, place], codes[:, place])
            for place in self.code_slices[: len(self.categories)]
        ]
        return sum(categorical, 0.0), continuous_information(recognized[:, count:], codes[:, count:])

    # The game

    def judge(self, images, training=True):
        """The logits and Q's output, both float32, from one pass through the features."""
        return [ops.cast(output, "float32") for output in self.two_heads(images, training=training)]

    def weighted_information(self, recognized, latents):
        """I in the module's docstring."""
        categorical, continuous = self.information(recognized, latents)
        return self.categorical_weight * categorical + self.continuous_weight * continuous

    def discriminator_loss(self, real, fake, latents, training=True):
        """The loss of the discriminator and Q on real images, and on generated ones with their latents."""
        logits, recognized = self.judge(fake, training)
        adversarial = non_saturating_discriminator_loss(self.score(real, training), logits)
        return adversarial - self.weighted_information(recognized, latents)

    def generator_loss(self, fake, latents, training=True):
        logits, recognized = self.judge(fake, training)
        return non_saturating_generator_loss(logits) - self.weighted_information(recognized, latents)

    def train_step(self, data):
        for real in self.shares(self.encode_batch(data)["images"]):
            latents = self.latents_like(real)
            fake = self.generator(latents, training=True)
            d_loss = self.minimize("discriminator", self.discriminator_loss, real, fake, latents)
        latents = self.latents_like(real)
        g_loss = self.minimize("generator", lambda fake: self.generator_loss(fake, latents), self.record(latents))
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def batch_losses(self, images):
        latents = self.latents_like(images, training=False)
        fake = self.generator(latents, training=False)
        return {
            "d_loss": self.discriminator_loss(images, fake, latents, training=False),
            "g_loss": self.generator_loss(fake, latents, training=False),
            "information": sum(self.information(self.judge(fake, training=False)[1], latents)),
        }

    def paper_optimizers(self):
        return {"generator": FusedAdam(1e-3, beta_1=0.5), "discriminator": FusedAdam(2e-4, beta_1=0.5)}

    # What was learned

    def recognize(self, images):
        """Q's output for images: the categories' probabilities and the continuous codes' means.

        Args:
            images: uint8 or floats in [-1, 1], an array (N, height, width, channels).

        Returns:
            float32 (N, code_dim): for each categorical code its probabilities, then the means.

        Raises:
            ConfigurationError: a model without a discriminator, as in the zoo.
            DataError: images that the model cannot take.
        """
        if self.discriminator is None:
            raise ConfigurationError(
                "Expected a discriminator, whose features Q reads. Received: a generator alone. Use the model of a "
                "training run, such as its checkpoint.keras."
            )
        images = self.batch_fields["images"].check(np.asarray(images))
        recognized = self.two_heads.predict(ops.convert_to_numpy(to_float(images)), batch_size=256, verbose=0)[1]
        recognized = np.array(recognized)
        for place in self.code_slices[: len(self.categories)]:
            recognized[:, place] = ops.convert_to_numpy(ops.softmax(recognized[:, place], axis=-1))
        return recognized

    def traverse(self, code, values=None, rows=10, seed=None):
        """Images for several values of one code, with all other latents fixed: they show what the code means.

        Args:
            code: which one, from 0: first the categorical codes, then the continuous ones.
            values: of the code, one for each column: categories, by default all; or numbers, by default ten from -1 to
                1. The generator was not trained outside that range.
            rows: number of rows, each with different latents.
            seed: see `generate`.

        Returns:
            uint8 images (rows, columns, height, width, channels), and one picture of them, (rows * height,
            columns * width, channels).

        Raises:
            ConfigurationError: a code or category that does not exist, or no values.

        Example:

        >>> gan = kg.InfoGAN(image_shape=(8, 8, 1))
        >>> images, picture = gan.traverse(1, values=[-1.0, 0.0, 1.0], rows=2, seed=0)
        >>> images.shape, picture.shape
        ((2, 3, 8, 8, 1), (16, 24, 1))
        """
        if not is_whole(code, 0) or code >= len(self.code_slices):
            raise ConfigurationError(f"Expected a code from 0 to {len(self.code_slices) - 1}. Received: {code!r}.")
        place = self.code_slices[code]
        size, categorical = place.stop - place.start, code < len(self.categories)
        values = (range(size) if categorical else np.linspace(-1.0, 1.0, 10)) if values is None else values
        values = list(values) if np.ndim(values) else [values]
        fits = (lambda value: is_whole(value, 0) and value < size) if categorical else is_number
        if len(values) == 0 or not all(map(fits, values)):
            wanted = f"categories from 0 to {size - 1}" if categorical else "numbers"
            raise ConfigurationError(f"Expected {wanted} as values, one or more. Received: {values!r}.")
        latents = ops.convert_to_numpy(self.prior(ops.convert_to_tensor(self.noise(rows, seed))))
        latents = np.repeat(latents[:, None], len(values), axis=1)  # (rows, columns, latent_dim)
        columns = np.eye(size)[list(values)] if categorical else np.asarray(values)[:, None]
        latents[..., self.noise_dim + place.start : self.noise_dim + place.stop] = columns
        made = self.predict(latents.reshape(-1, self.latent_dim), verbose=0)
        field = self.output_fields["images"]
        images = ops.convert_to_numpy(field.decode(made))
        return images.reshape(rows, len(values), *self.image_shape), field.picture(images, len(values))


def _checked(image_shape):
    height, width, _ = image_shape
    if height % 4 or width % 4 or min(height, width) < 4:
        raise ConfigurationError(
            f"Expected a height and width that are multiples of 4. Received: image_shape={tuple(image_shape)}. Resize "
            "the images, for instance to 28x28."
        )
    return tuple(image_shape)


def _checked_codes(categories, continuous):
    """How many latents are codes."""
    listed = isinstance(categories, (list, tuple))
    if not listed or not all(is_whole(size, 2) for size in categories) or not is_whole(continuous, 0):
        raise ConfigurationError(
            "Expected categories such as (10,), 2 or more for each code, and 0 or more continuous codes. Received: "
            f"categories={categories!r} and continuous={continuous!r}."
        )
    codes = sum(categories) + continuous
    if codes == 0:
        raise ConfigurationError("Expected at least one code. Received: none. Without codes use kg.DCGAN.")
    return codes


def _checked_features(discriminator, recognizer, codes):
    """The discriminator's features, after checking that the recognizer can read them."""
    if FEATURES not in [layer.name for layer in discriminator.layers]:
        raise ConfigurationError(
            f"Expected a discriminator with a layer named {FEATURES!r}, which the recognizer reads. "
            f"Received the layers: {', '.join(layer.name for layer in discriminator.layers)}. "
            f"Name one of them {FEATURES!r}."
        )
    features = discriminator.get_layer(FEATURES).output
    check_built("recognizer", recognizer)
    shapes = [tuple(shape[1:]) for shape in (recognizer.input_shape, recognizer.output_shape)]
    if shapes != [tuple(features.shape[1:]), (codes,)]:
        raise ConfigurationError(
            f"Expected a recognizer from the features to the codes, {tuple(features.shape[1:])} to {(codes,)}. "
            f"Received: {shapes[0]} to {shapes[1]}."
        )
    return features
