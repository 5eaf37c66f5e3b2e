"""LAPGAN and class-conditional LAPGAN: Denton, Chintala, Szlam and Fergus, 2015, "Deep generative image models using a
Laplacian pyramid of adversarial networks", https://arxiv.org/abs/1506.05751; code: https://github.com/facebook/eyescream

An image I_0 is halved to I_1, ..., I_K; level k < K has the residual h_k = I_k - l_k over the doubled coarser image
l_k = u(I_{k+1}), and level K the coarsest image itself. Then I_k = l_k + h_k, exactly.

Objective of each level, with logits d_k; G_k makes a residual for a coarse image, and G_K an image of noise alone:
    discriminator: E[softplus(-d_k(h_k, l_k))] + E[softplus(d_k(G_k(z_k, l_k), l_k))]
    generator:     E[softplus(-d_k(G_k(z_k, l_k), l_k))]                               (non-saturating)
The losses shown are the sums over the levels that are trained, in training without those that rest. d_k sees the sum of
residual and coarse image. No level has a gradient from another: each has networks of its own, and l_k is of a real
image.

Sampling: I_K = G_K(z_K), then I_k = l_k + G_k(z_k, l_k) with l_k = u(I_{k+1}), from coarse to fine.

Schedule: `discriminator_steps` updates of all levels' discriminators, each on fresh images and fresh noise, then one
update of their generators on fresh noise. With `trained_levels` only those levels are updated. With `balance=m`, the
rule of the paper's code for LSUN: at a level where the error of generated images, E[softplus(d_k)], is larger than that
of real images plus m, the generator rests; otherwise the discriminator rests, unless its error of real images is above
0.7. An optimizer with momentum moves a resting network on by what it has: the code's has none. Where
several replicas share a batch, each goes by its own share of it.

Departures from the paper:
- images are halved by the 5 x 5 binomial filter and doubled likewise (`keras_gans.pyramids`); the code resizes
  bilinearly; the paper's chain 8, 14, 28 for CIFAR-10 (unconfirmed) is no exact halving;
- images are in [-1, 1] and are not normalised pixel by pixel;
- real and generated images pass the discriminator in two batches; the code mixes them in one;
- the generator's coarse images are those of the last discriminator update; the code draws others;
- `compile()`'s optimizer is the code's at its start, for all forms: there the rate is divided by 1.000004 an epoch
  (class-conditional: 1.00004) and the momentum raised by 0.0008 up to 0.7 (from 0 where class-conditional), and the
  LSUN code, whose balance rule this is, has the rate 0.01 and no momentum;
- the coarsest level's initial weights are Glorot's, in the place of N(0, 0.05) and N(0, 0.005);
- no choice of an epoch by held-out nearest distances ("approximate Parzen").
"""

import keras
import numpy as np
from keras import layers, ops

from keras_gans.data.checks import check_image_shape, is_number, is_whole
from keras_gans.data.label_spaces import check_label_space
from keras_gans.errors import ConfigurationError
from keras_gans.layers import seeded_dropout
from keras_gans.model import AdversarialModel, uniform_of
from keras_gans.pyramids import double, halve

REST = 0.7  # of the LSUN code: a discriminator with a larger error of real images always learns


@keras.saving.register_keras_serializable(package="keras_gans")
class Doubled(layers.Layer):
    """`keras_gans.pyramids.double` as a layer.

    Args:
        size: (height, width) of the result.
    """

    def __init__(self, size, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.size = tuple(size)

    def call(self, images):
        return double(images, self.size)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.size, input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="keras_gans")
class Part(layers.Layer):
    """The columns from `start` to `stop` of (N, features).

    Args:
        start, stop: whole numbers.
    """

    def __init__(self, start, stop, **kwargs):
        super().__init__(**kwargs)
        self.start, self.stop = start, stop

    def call(self, inputs):
        return inputs[:, self.start : self.stop]

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.stop - self.start)

    def get_config(self):
        return {**super().get_config(), "start": self.start, "stop": self.stop}


def sizes_of(image_shape, levels):
    """The (height, width) of every level, the finest first.

    Args:
        image_shape: (height, width, channels).
        levels: how many, 1 or more.

    Returns:
        A list of pairs.

    Raises:
        ConfigurationError: fewer than one level, or a level of 4 pixels a side or less that is to be halved.

    Example:

    >>> sizes_of((28, 28, 1), 3)
    [(28, 28), (14, 14), (7, 7)]
    """
    height, width, _ = image_shape
    sizes = [(height, width)]
    while min(sizes[-1]) > 4:
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    if not is_whole(levels, 1) or levels > len(sizes):
        raise ConfigurationError(
            f"Expected 1 to {len(sizes)} levels of {height}x{width} images, since {sizes[-1][0]}x{sizes[-1][1]} is too "
            f"small to halve. Received: {levels}."
        )
    return sizes[:levels]


def _plane(labels, size, name):
    """The labels as one plane beside an image's channels."""
    x = layers.Dense(size[0] * size[1], activation="relu", name=name)(labels)
    return layers.Reshape((*size, 1), name=f"{name}_plane")(x)


def _level_generator(size, channels, filters, kernel_sizes, label_size, name):
    noise, coarse = keras.Input((size[0] * size[1],), name="noise"), keras.Input((*size, channels), name="coarse")
    labels = [keras.Input((label_size,), name="labels")] if label_size else []
    planes = [layers.Reshape((*size, 1), name="noise_plane")(noise), *(_plane(x, size, "class") for x in labels)]
    x = layers.Concatenate(name="seen")([*planes, coarse])
    for i, kernel_size in enumerate(kernel_sizes[:-1]):
        x = layers.Conv2D(filters, kernel_size, padding="same", activation="relu", name=f"conv{i}")(x)
    residual = layers.Conv2D(channels, kernel_sizes[-1], padding="same", dtype="float32", name="residual")(x)
    return keras.Model([noise, coarse, *labels], residual, name=name)


def _coarsest_generator(image_shape, latent_dim, units, label_size, name):
    latents = keras.Input((latent_dim,), name="noise")
    labels = [keras.Input((label_size,), name="labels")] if label_size else []
    x = layers.Concatenate(name="seen")([latents, *labels]) if labels else latents
    for i in range(2):
        x = layers.Dense(units, activation="relu", name=f"hidden{i}")(x)
    x = layers.Dense(int(np.prod(image_shape)), dtype="float32", name="pixels")(x)
    images = layers.Reshape(image_shape, dtype="float32", name="images")(x)
    return keras.Model([latents, *labels] if labels else latents, images, name=name)


def build_generator(
    image_shape=(32, 32, 3),
    levels=3,
    latent_dim=100,
    *,
    filters=64,
    kernel_sizes=(7, 7, 5),
    units=1200,
    label_size=0,
):
    """The paper's generators for CIFAR-10, one a level, as the network that samples: from coarse to fine.

    Args:
        image_shape: (height, width, channels).
        levels: how many images a pyramid has, 1 or more; odd sizes are halved to the larger half.
        latent_dim: numbers of the coarsest level's noise; the noise of the others is a plane of the image's size.
        filters: of the hidden convolutions.
        kernel_sizes: of a level's convolutions; the last makes the residual.
        units: width of the coarsest level's two hidden layers.
        label_size: width of the encoded labels, which every level sees; 0 without labels.

    Returns:
        A Keras model, latents (N, latent_dim + pixels of the finer levels), or [latents, labels], to images. The level
        k is its layer "level<k>", and what it adds up to "image<k>".

    Raises:
        ConfigurationError: more levels than the size can be halved for.
    """
    check_image_shape(image_shape)
    *finer, coarsest = sizes = sizes_of(image_shape, levels)
    channels = image_shape[-1]
    latents = keras.Input((latent_dim + sum(h * w for h, w in finer),), name="latents")
    labels = [keras.Input((label_size,), name="labels")] if label_size else []
    network = _coarsest_generator((*coarsest, channels), latent_dim, units, label_size, f"level{levels - 1}")
    noise = Part(0, latent_dim, name=f"noise{levels - 1}")(latents)
    images, used = network([noise, *labels] if labels else noise), latent_dim
    images = layers.Identity(dtype="float32", name=f"image{levels - 1}")(images)
    for k in reversed(range(levels - 1)):
        pixels = sizes[k][0] * sizes[k][1]
        noise = Part(used, used + pixels, name=f"noise{k}")(latents)
        coarse = Doubled(sizes[k], name=f"coarse{k}")(images)
        network = _level_generator(sizes[k], channels, filters, kernel_sizes, label_size, f"level{k}")
        images = layers.Add(dtype="float32", name=f"image{k}")([coarse, network([noise, coarse, *labels])])
        used += pixels
    return keras.Model([latents, *labels] if labels else latents, images, name="generator")


def _level_discriminator(size, channels, filters, kernel_size, label_size, name):
    shape = (*size, channels)
    residual, coarse = keras.Input(shape, name="residual"), keras.Input(shape, name="coarse")
    labels = [keras.Input((label_size,), name="labels")] if label_size else []
    x = layers.Add(name="image")([residual, coarse])
    if labels:
        x = layers.Concatenate(name="seen")([x, _plane(labels[0], size, "class")])
    x = layers.Conv2D(filters, kernel_size, activation="relu", name="conv0")(x)
    # In the code a ReLU follows in the class-conditional form alone.
    activation = "relu" if labels else None
    x = layers.Conv2D(filters, kernel_size, strides=2, activation=activation, name="conv1")(x)
    x = seeded_dropout(0.5, "dropout")(layers.Flatten(name="flatten")(x))
    logits = layers.Dense(1, dtype="float32", name="logits")(x)
    return keras.Model([*labels, residual, coarse], logits, name=name)


def _coarsest_discriminator(image_shape, units, label_size, name):
    images = keras.Input(image_shape, name="images")
    labels = [keras.Input((label_size,), name="labels")] if label_size else []
    x = layers.Flatten(name="flatten")(images)
    if labels:
        x = layers.Concatenate(name="seen")([x, *labels])
    for i in range(2):
        x = layers.Dense(units, activation="relu", name=f"hidden{i}")(x)
        x = seeded_dropout(0.5, f"dropout{i}")(x)
    logits = layers.Dense(1, dtype="float32", name="logits")(x)
    return keras.Model([*labels, images] if labels else images, logits, name=name)


def build_discriminator(image_shape=(32, 32, 3), levels=3, *, filters=64, kernel_size=5, units=600, label_size=0):
    """The paper's discriminators for CIFAR-10, one a level, as one network.

    Args:
        image_shape, levels: see `build_generator`.
        filters: of the convolutions.
        kernel_size: of the convolutions, which have no padding; the second has a stride of 2.
        units: width of the coarsest level's two hidden layers.
        label_size: width of the encoded labels, which every level sees; 0 without labels.

    Returns:
        A Keras model, [labels, if there are any, then the residual and the doubled coarse image of each level, the
        finest first, then the coarsest image] to logits (N, levels). The level k is its layer "level<k>".

    Raises:
        ConfigurationError: more levels than the size can be halved for, or than the convolutions leave a pixel of.
    """
    check_image_shape(image_shape)
    *finer, coarsest = sizes_of(image_shape, levels)
    channels, least = image_shape[-1], 2 * kernel_size - 1
    if finer and min(finer[-1]) < least:
        raise ConfigurationError(
            f"Expected levels of {least} pixels or more a side above the coarsest, which two convolutions of "
            f"{kernel_size}x{kernel_size} leave a pixel of. Received: {levels} levels of {tuple(image_shape)}, one of "
            f"{finer[-1][0]}x{finer[-1][1]}. Ask for fewer levels, or pass a smaller kernel_size."
        )
    labels = [keras.Input((label_size,), name="labels")] if label_size else []
    inputs, logits = list(labels), []
    for k, size in enumerate(finer):
        network = _level_discriminator(size, channels, filters, kernel_size, label_size, f"level{k}")
        pair = [keras.Input((*size, channels), name=f"{what}{k}") for what in ("residual", "coarse")]
        inputs += pair
        logits.append(network([*labels, *pair]))
    network = _coarsest_discriminator((*coarsest, channels), units, label_size, f"level{levels - 1}")
    images = keras.Input((*coarsest, channels), name=f"image{levels - 1}")
    logits.append(network([*labels, images] if labels else images))
    x = layers.Concatenate(dtype="float32", name="logits")(logits) if len(logits) > 1 else logits[0]
    return keras.Model([*inputs, images] if len(inputs) else images, x, name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gans")
class LAPGAN(AdversarialModel):
    """GANs on the levels of a Laplacian pyramid, sampled from coarse to fine; with a label space, of what labels ask.

    All levels are trained by one `fit`; to train some alone, set `trained_levels` before `compile`:

        gan.trained_levels = (2,)
        gan.compile()

    The noise is uniform on [-1, 1].

    Args:
        generator, discriminator: networks as `build_generator` and `build_discriminator` make them; with neither, the
            paper's for CIFAR-10, for `image_shape` and `levels`.
        image_shape: (height, width, channels) of the default networks.
        levels: how many the default networks have.
        latent_dim: numbers of the coarsest level's noise.
        label_space: of a class-conditional LAPGAN what the labels are, such as `kg.data.Classes(10)`; None without.
        trained_levels: the levels that `fit` is to train, 0 the finest; None for all.
        balance: margin m of the rule that lets one player rest, 0.3 in the paper's code for LSUN; None for none.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: networks that do not fit each other, more levels than the size can be halved for, levels
            that are not there, or a margin below zero.

    Example:

    >>> gan = kg.LAPGAN(image_shape=(32, 32, 1), levels=3)
    >>> gan.compile()
    >>> [images.shape for images in gan.scales(2, seed=0)]
    [(2, 8, 8, 1), (2, 16, 16, 1), (2, 32, 32, 1)]

    Reference: Denton et al., 2015, https://arxiv.org/abs/1506.05751
    """

    logits_per_image = None

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(32, 32, 3),
        levels=3,
        latent_dim=100,
        label_space=None,
        trained_levels=None,
        balance=None,
        **kwargs,
    ):
        if generator is None and discriminator is None:
            size = 0 if label_space is None else check_label_space(label_space).size
            generator = build_generator(image_shape, levels, latent_dim, label_size=size)
            discriminator = build_discriminator(image_shape, levels, label_size=size)
        super().__init__(generator, discriminator, label_space=label_space, **kwargs)
        if balance is not None and not is_number(balance, 0.0):
            raise ConfigurationError(f"Expected a balance of 0 or more, or None. Received: {balance!r}.")
        self.balance = balance
        self.trained_levels = range(self.levels) if trained_levels is None else trained_levels

    @classmethod
    def for_data(cls, dataset, **options):
        # Three as for CIFAR-10; fewer where the two convolutions above the coarsest would leave no pixel of a level.
        side = min(dataset.image_shape[:2])
        levels = 1 + (side >= 9) + (-(-side // 2) >= 9)
        return super().for_data(dataset, **{"levels": levels, **options})

    @property
    def levels(self):
        """How many images the pyramid has."""
        return _levels(self.generator)

    @property
    def trained_levels(self):
        """The levels that `fit` trains, a tuple; 0 is the finest."""
        return self._trained_levels

    @trained_levels.setter
    def trained_levels(self, levels):
        given = list(levels) if isinstance(levels, (list, tuple, range, np.ndarray)) else [None]
        if not given or not all(is_whole(k, 0) and k < self.levels for k in given) or len(set(given)) < len(given):
            raise ConfigurationError(
                f"Expected a tuple of levels out of 0 to {self.levels - 1}, each once. Received: {levels!r}."
            )
        self._trained_levels = tuple(int(k) for k in given)
        self.compiled = False  # the optimizers have the variables of other levels

    def judged_shapes(self, generator):
        levels = _levels(generator)
        shapes = [generator.get_layer(f"image{k}").output.shape[1:] for k in range(levels)]
        labels = [shape[1:] for shape in generator.input_shape[1:]] if isinstance(generator.input_shape, list) else []
        judged = [*labels, *(shape for shape in shapes[:-1] for _ in range(2)), shapes[-1]]
        return judged if len(judged) > 1 else judged[0]

    def prior(self, noise):
        return 2.0 * uniform_of(noise) - 1.0

    def player_variables(self, player):
        network = getattr(self, player)
        return [v for k in self.trained_levels for v in network.get_layer(f"level{k}").trainable_variables]

    def real_pyramid(self, images, labels=()):
        """What the discriminator judges of real images: [labels, if there are any, h_0, l_0, h_1, l_1, ..., I_K]."""
        judged, images = list(labels), ops.convert_to_tensor(images)
        for _ in range(self.levels - 1):
            smaller = halve(images)
            coarse = double(smaller, images.shape[1:3])
            judged += [images - coarse, coarse]
            images = smaller
        return [*judged, images]

    def residuals(self, latents, real, training=True):
        """What each level's generator makes of its noise over the coarse images of a real pyramid: h_0, h_1, ..., I_K.

        Args:
            latents: (N, latent_dim).
            real: what `real_pyramid` returned.
            training: the networks' mode.
        """
        labels, coarse = self._split(real)
        made = []
        for k in range(self.levels):
            inputs = [self.generator.get_layer(f"noise{k}")(latents), *coarse[k : k + 1], *labels]
            network = self.generator.get_layer(f"level{k}")
            made.append(network(inputs if len(inputs) > 1 else inputs[0], training=training))
        return made

    def beside(self, made, real):
        """What was made as the discriminator judges it, beside the real labels and coarse images."""
        labels, coarse = self._split(real)
        return [*labels, *(x for k, residual in enumerate(made) for x in (residual, *coarse[k : k + 1]))]

    def _split(self, pyramid):
        """The labels and the coarse images l_0, l_1, ... of what the discriminator judges."""
        count = self.label_space is not None
        return pyramid[:count], pyramid[count + 1 :: 2]

    def errors(self, pyramid, real, training=True):
        """The cross-entropy of each level's verdict on a pyramid that is taken for real or for generated, (levels,)."""
        logits = self.score(pyramid if len(pyramid) > 1 else pyramid[0], training)
        return ops.mean(ops.softplus(-logits if real else logits), axis=0)

    def learning(self, real, fake):
        """Whether each level's discriminator and generator learn from a batch, as 0 or 1: two tensors (levels,)."""
        trained = ops.convert_to_tensor([float(k in self.trained_levels) for k in range(self.levels)])
        if self.balance is None:
            return trained, trained
        of_real, of_fake = self.errors(real, True), self.errors(fake, False)
        behind = of_fake > of_real + self.balance
        discriminator, generator = ops.logical_or(behind, of_real > REST), ops.logical_not(behind)
        return tuple(trained * ops.cast(learns, "float32") for learns in (discriminator, generator))

    def discriminator_loss(self, real, fake, learning=1.0, training=True):
        """Summed over the levels that learn; of pyramids as `real_pyramid` and `beside` make them."""
        return ops.sum(learning * (self.errors(real, True, training) + self.errors(fake, False, training)))

    def generator_loss(self, fake, learning=1.0, training=True):
        """Summed over the levels that learn; of a pyramid as `beside` makes it."""
        return ops.sum(learning * self.errors(fake, True, training))

    def train_step(self, data):
        images = self.real_images(data)
        labels = [] if self.label_space is None else [self.conditions(data)]
        k = self.discriminator_steps
        for i in range(k):
            real = self.real_pyramid(images[i::k], [x[i::k] for x in labels])
            fake = self.beside(self.residuals(self.latents_like(images[i::k]), real), real)
            learns, plays = self.learning(real, fake)

            def d_loss_of(real, fake, learns=learns):
                return self.discriminator_loss(real, fake, learns)

            d_loss = self.minimize("discriminator", d_loss_of, real, fake)
        latents = self.latents_like(images[k - 1 :: k])
        played = self.keep(lambda: self.residuals(latents, real))
        g_loss = self.minimize("generator", lambda made: self.generator_loss(self.beside(made, real), plays), played)
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def test_step(self, data):
        """The losses of one batch, of the trained levels, with both networks in inference mode and noise of its own."""
        images = self.real_images(data)
        real = self.real_pyramid(images, [] if self.label_space is None else [self.conditions(data)])
        fake = self.beside(self.residuals(self.latents_like(images, training=False), real, training=False), real)
        trained = ops.convert_to_tensor([float(k in self.trained_levels) for k in range(self.levels)])
        return self._averaged(
            {
                "d_loss": self.discriminator_loss(real, fake, trained, training=False),
                "g_loss": self.generator_loss(fake, trained, training=False),
            }
        )

    def scales(self, n=None, seed=None, labels=None):
        """The images of `generate(n, seed, labels=labels)` as they become finer.

        Args:
            n, seed, labels: see `generate`.

        Returns:
            A list of uint8 arrays (n, height, width, channels), the coarsest level first, the images last.

        Raises:
            ConfigurationError, DataError: see `generate`.
        """
        network = self.sampling_generator
        outputs = [network.get_layer(f"image{k}").output for k in reversed(range(self.levels))]
        inner = keras.Model(network.inputs, outputs)
        made = inner.predict(self.inputs_like(n, seed, labels), verbose=0)
        return [ops.convert_to_numpy(self.as_samples(images)) for images in (made if self.levels > 1 else [made])]

    def picture_of_scales(self, scales):
        """One picture of what `scales` returned: a row an image, all levels enlarged to the size of the finest."""
        height, width, _ = self.image_shape
        rows = []
        for images in scales:
            down = np.arange(height) * images.shape[1] // height
            across = np.arange(width) * images.shape[2] // width
            rows.append(images[:, down][:, :, across])
        return self.picture(np.stack(rows, axis=1).reshape(-1, *self.image_shape), len(scales))

    def paper_optimizers(self):
        return {player: keras.optimizers.SGD(0.02, momentum=0.5) for player in ("generator", "discriminator")}

    def get_config(self):
        return {**super().get_config(), "trained_levels": list(self.trained_levels), "balance": self.balance}


def _levels(generator):
    names = {layer.name for layer in generator.layers} if isinstance(generator, keras.Model) else set()
    levels = next(level for level in range(len(names) + 1) if f"level{level}" not in names)
    if levels == 0 or not all(f"image{level}" in names for level in range(levels)):
        raise ConfigurationError(
            "Expected a generator with the layers level0, image0, level1, ..., as "
            "keras_gans.models.lapgan.build_generator makes it. Received: one without."
        )
    return levels
