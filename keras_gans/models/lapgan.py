"""LAPGAN and class-conditional LAPGAN: Denton, Chintala, Szlam and Fergus, 2015, "Deep generative image models using a
Laplacian pyramid of adversarial networks", https://arxiv.org/abs/1506.05751; code: https://github.com/facebook/eyescream

An image I_0 is halved to I_1, ..., I_K. Level k < K has the residual h_k = I_k - l_k over the doubled coarser image
l_k = u(I_{k+1}), and level K has the coarsest image itself. Then I_k = l_k + h_k, exactly.

Objective of each level, with logits d_k; G_k makes a residual for a coarse image, and G_K an image from noise alone:
    discriminator: E[softplus(-d_k(h_k, l_k))] / 2 + E[softplus(d_k(G_k(z_k, l_k), l_k))] / 2
    generator:     E[softplus(-d_k(G_k(z_k, l_k), l_k))]                               (non-saturating)
The logged losses are sums over the trained levels, in training without levels that rest. d_k sees the sum of residual
and coarse image. No gradient goes from one level to another: each level has its own networks, and l_k comes from a real
image.

Sampling: I_K = G_K(z_K), then I_k = l_k + G_k(z_k, l_k) with l_k = u(I_{k+1}), from coarse to fine.

Schedule: `discriminator_steps` updates of all levels' discriminators, each on fresh images and fresh noise; then one
update of their generators on fresh noise. With `trained_levels` only those levels are updated. `balance=m` is the rule
of the paper's code for LSUN: at a level where the error on generated images, E[softplus(d_k)], is larger than that on
real images plus m, the generator rests. Otherwise the discriminator rests, unless its error on real images is above
0.7. An optimizer with momentum keeps moving a resting network; the code's optimizer has none. Where several replicas
share a batch, each replica decides by its own share of it.

Departures from the paper:
- images are halved by the 5 x 5 binomial filter and doubled likewise (`keras_gans.pyramids`); the code resizes
  bilinearly. Every level is half the size of the level before: 32, 16, 8 for CIFAR-10;
- images are in [-1, 1] and are not normalised pixel by pixel;
- real and generated images pass through the discriminator in two batches; the code mixes them in one;
- the generator's coarse images are those of the last discriminator update; the code draws others;
- `compile()`'s optimizer is the one the code starts with, for all forms. The code then divides the rate by 1.000004 per
  epoch (class-conditional: 1.00004) and raises the momentum by 0.0008 up to 0.7 (class-conditional: from 0). The LSUN
  code, which has the balance rule, uses the rate 0.01 and no momentum;
- the coarsest level's initial weights are Glorot's, instead of N(0, 0.05) and N(0, 0.005);
- no epoch is chosen by held-out nearest distances ("approximate Parzen").
"""

import keras
import numpy as np
from keras import layers, ops

from keras_gans import engine, sampling
from keras_gans.errors import ConfigurationError
from keras_gans.fields import Images, Noise, check_image_shape, check_label_space, uniform_of
from keras_gans.images import grid
from keras_gans.layers import seeded_dropout
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_built, check_discriminator, check_image_range
from keras_gans.pyramids import double, halve
from keras_gans_core.checks import is_number, is_whole

REST = 0.7  # from the LSUN code: a discriminator with a larger error on real images always learns


def sizes_of(image_shape, levels):
    """The (height, width) of every level, the finest first.

    Args:
        image_shape: (height, width, channels).
        levels: how many, 1 or more.

    Returns:
        A list of pairs.

    Raises:
        ConfigurationError: fewer than one level, or a level to halve that has 4 pixels a side or less.

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
    """The labels as one additional channel of an image."""
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


def build_generators(
    image_shape=(32, 32, 3),
    levels=3,
    latent_dim=100,
    *,
    filters=64,
    kernel_sizes=(7, 7, 5),
    units=1200,
    label_size=0,
):
    """The paper's generators for CIFAR-10, one for each level.

    Args:
        image_shape: (height, width, channels).
        levels: how many images a pyramid has, 1 or more; odd sizes are halved and rounded up.
        latent_dim: size of the coarsest level's noise; the noise of the others is a plane of the image's size.
        filters: of the hidden convolutions.
        kernel_sizes: of a level's convolutions; the last makes the residual.
        units: width of the coarsest level's two hidden layers.
        label_size: width of the encoded labels, which every level sees; 0 without labels.

    Returns:
        A list of Keras models, the finest level first: [noise (N, pixels), coarse images] to residuals; the last one
        maps noise (N, latent_dim) to the coarsest images. With labels, each takes them as its last input.

    Raises:
        ConfigurationError: more levels than the image size allows.
    """
    check_image_shape(image_shape)
    *finer, coarsest = sizes_of(image_shape, levels)
    channels = image_shape[-1]
    last = _coarsest_generator((*coarsest, channels), latent_dim, units, label_size, f"level{levels - 1}")
    return [
        *(
            _level_generator(size, channels, filters, kernel_sizes, label_size, f"level{k}")
            for k, size in enumerate(finer)
        ),
        last,
    ]


def _level_discriminator(size, channels, filters, kernel_size, label_size, name):
    shape = (*size, channels)
    residual, coarse = keras.Input(shape, name="residual"), keras.Input(shape, name="coarse")
    labels = [keras.Input((label_size,), name="labels")] if label_size else []
    x = layers.Add(name="image")([residual, coarse])
    if labels:
        x = layers.Concatenate(name="seen")([x, _plane(labels[0], size, "class")])
    x = layers.Conv2D(filters, kernel_size, activation="relu", name="conv0")(x)
    # In the code, a ReLU follows only in the class-conditional form.
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


def build_discriminators(image_shape=(32, 32, 3), levels=3, *, filters=64, kernel_size=5, units=600, label_size=0):
    """The paper's discriminators for CIFAR-10, one for each level.

    Args:
        image_shape, levels: see `build_generators`.
        filters: of the convolutions.
        kernel_size: of the convolutions, which have no padding; the second has a stride of 2.
        units: width of the coarsest level's two hidden layers.
        label_size: width of the encoded labels, which every level sees; 0 without labels.

    Returns:
        A list of Keras models to logits (N, 1), the finest level first: [residuals, coarse images]; the last one takes
        only the coarsest images. With labels, each takes them as its first input.

    Raises:
        ConfigurationError: more levels than the image size or the convolutions allow.
    """
    check_image_shape(image_shape)
    *finer, coarsest = sizes_of(image_shape, levels)
    channels, least = image_shape[-1], 2 * kernel_size - 1
    if finer and min(finer[-1]) < least:
        raise ConfigurationError(
            f"Expected levels of {least} pixels or more a side above the coarsest, for two convolutions of "
            f"{kernel_size}x{kernel_size}. Received: {levels} levels of {tuple(image_shape)}, one of "
            f"{finer[-1][0]}x{finer[-1][1]}. Ask for fewer levels, or pass a smaller kernel_size."
        )
    return [
        *(
            _level_discriminator(size, channels, filters, kernel_size, label_size, f"level{k}")
            for k, size in enumerate(finer)
        ),
        _coarsest_discriminator((*coarsest, channels), units, label_size, f"level{levels - 1}"),
    ]


def symmetric(noise):
    """Numbers from U[-1, 1], made from standard normal ones."""
    return 2.0 * uniform_of(noise) - 1.0


@keras.saving.register_keras_serializable(package="keras_gans")
class LAPGAN(AdversarialModel):
    """GANs on the levels of a Laplacian pyramid, sampled from coarse to fine; with a label space, for given labels.

    One `fit` trains all levels. To train only some, set `trained_levels` before `compile`:

        gan.trained_levels = (2,)
        gan.compile()

    The noise is uniform on [-1, 1]: the coarsest level's numbers first, the finest level's last.

    Args:
        generators, discriminators: lists of networks, the finest level first, as `build_generators` and
            `build_discriminators` make them; with neither, the paper's for CIFAR-10, for `image_shape` and `levels`.
        image_shape: (height, width, channels) of the default networks.
        levels: number of levels of the default networks.
        latent_dim: size of the coarsest level's noise in the default networks.
        label_space: what the labels of a class-conditional LAPGAN are, such as `kg.data.Classes(10)`; None for none.
        trained_levels: the levels that `fit` trains, 0 the finest; None for all.
        balance: margin m of the rule that lets one player rest, 0.3 in the paper's code for LSUN; None for no rule.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: networks that do not fit each other, more levels than the image size allows, levels that
            do not exist, or a margin below zero.

    Example:

    >>> gan = kg.LAPGAN(image_shape=(32, 32, 1), levels=3)
    >>> gan.compile()
    >>> [images.shape for images in gan.scales(2, seed=0)]
    [(2, 8, 8, 1), (2, 16, 16, 1), (2, 32, 32, 1)]

    Reference: Denton et al., 2015, https://arxiv.org/abs/1506.05751
    """

    players = {"generator": ("generators",), "discriminator": ("discriminators",)}
    averaged = kept = ("generators",)

    def __init__(
        self,
        generators=None,
        discriminators=None,
        *,
        image_shape=(32, 32, 3),
        levels=3,
        latent_dim=100,
        label_space=None,
        trained_levels=None,
        balance=None,
        **kwargs,
    ):
        size = 0 if label_space is None else check_label_space(label_space).size
        if generators is None and discriminators is None:
            generators = build_generators(image_shape, levels, latent_dim, label_size=size)
            discriminators = build_discriminators(image_shape, levels, label_size=size)
        if balance is not None and not is_number(balance, 0.0):
            raise ConfigurationError(f"Expected a balance of 0 or more, or None. Received: {balance!r}.")
        _check_generators(generators, size)
        _check_discriminators(discriminators, generators, size)
        images = Images(generators[0].output_shape[1:])
        labels = {} if label_space is None else {"labels": label_space}
        super().__init__(
            generators=generators,
            discriminators=discriminators,
            batch_fields={"images": images, **labels},
            input_fields={"noise": Noise(sum(_noise_sizes(generators)), symmetric), **labels},
            output_fields={"images": images},
            **kwargs,
        )
        self.label_space, self.balance = label_space, balance
        self.trained_levels = range(self.levels) if trained_levels is None else trained_levels

    @classmethod
    def for_data(cls, dataset, **options):
        # Three, as for CIFAR-10; fewer where a level above the coarsest is too small for the two convolutions.
        side = min(dataset.image_shape[:2])
        levels = 1 + (side >= 9) + (-(-side // 2) >= 9)
        return super().for_data(dataset, **{"levels": levels, **options})

    # Levels

    @property
    def levels(self):
        """How many images the pyramid has."""
        return len(self.generators)

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

    def player_variables(self, player):
        """The trainable variables that an update of `player` moves: those of the trained levels."""
        (name,) = self.players[player]
        return [v for k in self.trained_levels for v in getattr(self, name)[k].trainable_variables]

    # The pyramid

    def real_pyramid(self, images):
        """The residuals [h_0, h_1, ..., I_K] of images, and the coarse images [l_0, l_1, ...] to add them to."""
        residuals, coarse, images = [], [], ops.convert_to_tensor(images)
        for _ in range(self.levels - 1):
            smaller = halve(images)
            coarse.append(double(smaller, images.shape[1:3]))
            residuals.append(images - coarse[-1])
            images = smaller
        return [*residuals, images], coarse

    def noise_of_levels(self, latents):
        """The noise of each level in latents (N, latent_dim), the finest level first."""
        parts, start = [], 0
        for size in reversed(_noise_sizes(self.generators)):
            parts.append(latents[:, start : start + size])
            start += size
        return parts[::-1]

    def residuals(self, latents, coarse, labels=(), training=True):
        """What the generators make from noise and given coarse images: [h_0, h_1, ..., I_K].

        Args:
            latents: (N, latent_dim).
            coarse: [l_0, l_1, ...], such as those of `real_pyramid`.
            labels: a list with the encoded labels of a conditional model.
            training: the networks' mode.
        """
        return [
            self.residual(k, noise, coarse[k : k + 1], labels, training)
            for k, noise in enumerate(self.noise_of_levels(latents))
        ]

    def residual(self, level, noise, coarse, labels, training):
        """What one level's generator makes; `coarse` is a list of one coarse image, empty at the last level."""
        inputs = [noise, *coarse, *labels]
        return self.generators[level](inputs if len(inputs) > 1 else inputs[0], training=training)

    def stages(self, latents, *labels, training=False):
        """The images I_K, ..., I_1, I_0 made from latents, from coarse to fine."""
        *finer, noise = self.noise_of_levels(latents)
        images = [self.residual(self.levels - 1, noise, [], labels, training)]
        for k in reversed(range(self.levels - 1)):
            coarse = double(images[-1], self.generators[k].output_shape[1:3])
            images.append(coarse + self.residual(k, finer[k], [coarse], labels, training))
        return images

    def compute_outputs(self, inputs, training=False):
        inputs = map(ops.convert_to_tensor, sampling.in_order(inputs, self.input_fields))
        return self.stages(*inputs, training=training)[-1]

    # The game

    def score(self, residuals, coarse, labels=(), training=True):
        """The logits of each level's discriminator, float32 (N, levels)."""
        judged = [[*labels, residual, *coarse[k : k + 1]] for k, residual in enumerate(residuals)]
        logits = [
            network(inputs if len(inputs) > 1 else inputs[0], training=training)
            for network, inputs in zip(self.discriminators, judged)
        ]
        return ops.cast(ops.concatenate(logits, axis=1), "float32")

    def errors(self, pyramid, is_real, training=True):
        """The cross-entropy of each level's logits, (levels,), with real or generated as the target.

        Args:
            pyramid: (residuals, coarse) or (residuals, coarse, labels), arguments of `score`.
            is_real: whether the target is real.
            training: the networks' mode.
        """
        logits = self.score(*pyramid, training=training)
        return ops.mean(ops.softplus(-logits if is_real else logits), axis=0)

    def learning(self, real, fake):
        """Whether each level's discriminator and generator learn from a batch, as 0 or 1: two tensors (levels,)."""
        trained = self.trained_as_numbers()
        if self.balance is None:
            return trained, trained
        of_real, of_fake = self.errors(real, True), self.errors(fake, False)
        behind = of_fake > of_real + self.balance
        discriminator, generator = ops.logical_or(behind, of_real > REST), ops.logical_not(behind)
        return tuple(trained * ops.cast(learns, "float32") for learns in (discriminator, generator))

    def trained_as_numbers(self):
        """1 for each level that is trained and 0 for the others, a tensor (levels,)."""
        return ops.convert_to_tensor([float(k in self.trained_levels) for k in range(self.levels)])

    def discriminator_loss(self, real, fake, learning=1.0, training=True):
        """The loss, summed over the levels that learn; `real` and `fake` are pyramids as `errors` takes them."""
        errors = self.errors(real, True, training) + self.errors(fake, False, training)
        return 0.5 * ops.sum(learning * errors)  # one mean over a batch of both kinds, as in the code

    def generator_loss(self, fake, learning=1.0, training=True):
        """The loss, summed over the levels that learn; `fake` is a pyramid as `errors` takes it."""
        return ops.sum(learning * self.errors(fake, True, training))

    def train_step(self, data):
        batch = tuple(self.encode_batch(data).values())
        for share in self.shares(*batch):
            images, *labels = share if len(batch) > 1 else [share]
            real, coarse = self.real_pyramid(images)
            fake = self.residuals(self.latents_like(images), coarse, labels)
            d_learns, g_learns = self.learning((real, coarse, labels), (fake, coarse, labels))

            def d_loss_of(real, fake, coarse=coarse, labels=labels, learning=d_learns):
                return self.discriminator_loss((real, coarse, labels), (fake, coarse, labels), learning)

            d_loss = self.minimize("discriminator", d_loss_of, real, fake)
        latents = self.latents_like(images)
        recorded = self.record_pass(lambda: self.residuals(latents, coarse, labels))
        g_loss = self.minimize(
            "generator", lambda made: self.generator_loss((made, coarse, labels), g_learns), recorded
        )
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def batch_losses(self, images, labels=None):
        real, coarse = self.real_pyramid(images)
        labels = [] if labels is None else [labels]
        fake = self.residuals(self.latents_like(images, training=False), coarse, labels, training=False)
        trained = self.trained_as_numbers()
        return {
            "d_loss": self.discriminator_loss((real, coarse, labels), (fake, coarse, labels), trained, training=False),
            "g_loss": self.generator_loss((fake, coarse, labels), trained, training=False),
        }

    def batch_scores(self, images, **others):
        """None: the discriminators judge residuals over coarse images, each level its own."""
        return None

    def paper_optimizers(self):
        return {player: keras.optimizers.SGD(0.02, momentum=0.5) for player in self.players}

    # Samples of all sizes

    def scales(self, n=None, seed=None, **inputs):
        """The images of `generate(n, seed, **inputs)` at every level, from coarse to fine.

        Args:
            n, seed, inputs: see `generate`.

        Returns:
            A list of uint8 arrays (n, height, width, channels), the coarsest level first, the images last.

        Raises:
            ConfigurationError, DataError: see `generate`.
        """
        complete = sampling.complete_inputs(self, n, seed, inputs)
        images = self.output_fields["images"]

        def stages_of(inputs):
            with self.averages_in_use():
                stages = self.stages(*sampling.encode_inputs(self, inputs).values())
            return {f"stage{i}": images.decode(stage) for i, stage in enumerate(stages)}

        made = sampling.gathered(engine.function(stages_of), complete, sampling.batch_size(self, complete))
        return [made[f"stage{i}"] for i in range(self.levels)]

    def picture_of_scales(self, scales):
        """One picture of what `scales` returned: a row for each image, all levels enlarged to the finest size."""
        height, width, _ = self.image_shape
        rows = []
        for images in scales:
            down = np.arange(height) * images.shape[1] // height
            across = np.arange(width) * images.shape[2] // width
            rows.append(images[:, down][:, :, across])
        return grid(np.stack(rows, axis=1).reshape(-1, *self.image_shape), len(scales))


def _noise_sizes(generators):
    """How many numbers each level's generator takes as noise."""
    shapes = (network.input_shape for network in generators)
    return [(shape[0] if isinstance(shape, list) else shape)[-1] for shape in shapes]


def _check_generators(generators, label_size):
    """Refuses generators that are not those of a pyramid's levels."""
    networks = list(generators) if isinstance(generators, (list, tuple)) else []
    if not networks:
        raise ConfigurationError(
            "Expected generators as a list of networks, the finest level first, as "
            f"keras_gans.models.lapgan.build_generators makes it. Received: {generators!r}."
        )
    for network in networks:
        check_built("each of the generators", network)
    labels = [(None, label_size)] if label_size else []
    for k, network in enumerate(networks):
        shapes, made = network.input_shape, tuple(network.output_shape)
        shapes = [tuple(shape) for shape in (shapes if isinstance(shapes, list) else [shapes])]
        coarse = [made] if k < len(networks) - 1 else []
        finer = networks[k - 1].output_shape if k else None
        half = finer and (None, *(-(-side // 2) for side in finer[1:3]), finer[3])
        if len(made) != 4 or len(shapes[0]) != 2 or shapes[1:] != [*coarse, *labels] or (finer and made != half):
            wanted = ["noise (N, pixels)", *(["images of its own size"] if coarse else [])]
            wanted += [f"labels (N, {label_size})"] if labels else []
            size = f"images of half the size of {tuple(finer[1:])}" if finer else "images"
            raise ConfigurationError(
                f"Expected the generator of level {k} of {len(networks)} to take {', '.join(wanted)} and to make "
                f"{size}. Received: one from {network.input_shape} to {network.output_shape}."
            )
    check_image_range("the generator of the coarsest level", networks[-1])


def _check_discriminators(discriminators, generators, label_size):
    """Refuses discriminators that do not judge what the generators make; None is allowed, as in the zoo."""
    if discriminators is None:
        return
    if not isinstance(discriminators, (list, tuple)) or len(discriminators) != len(generators):
        count = len(discriminators) if isinstance(discriminators, (list, tuple)) else repr(discriminators)
        raise ConfigurationError(
            f"Expected a list of {len(generators)} discriminators, one for each level. Received: {count}."
        )
    for k, (generator, discriminator) in enumerate(zip(generators, discriminators)):
        check_built("each of the discriminators", discriminator)
        made = tuple(generator.output_shape[1:])
        judged = [*([(label_size,)] if label_size else []), made, *([made] if k < len(generators) - 1 else [])]
        check_discriminator(discriminator, judged if len(judged) > 1 else judged[0])
