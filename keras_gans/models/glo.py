"""GLO: Bojanowski, Joulin, Lopez-Paz and Szlam, 2017, "Optimizing the latent space of generative networks",
https://arxiv.org/abs/1707.05776

There is no adversary: each training image x_i has latents z_i of its own, which are learned with the generator.

Objective, over the generator and all z_i in the closed unit ball:
    E_i[Lap1(G(z_i), x_i) + l2_weight mean (G(z_i) - x_i)^2]
with Lap1 as in `kg.losses.laplacian_loss`. Means are over the batch and over pixels: hence the latents' large rate.

Schedule (one step of descent with two rates): the gradients for the generator and for the batch's latents are taken at
the same weights. The latents move first and are projected, z / max(|z|, 1); the latents of other images stay as they
are, bit for bit. Then the generator moves. With `discriminator_steps=k` the batch is dealt out, and k - 1 updates of
latents alone go before, each of its own images.

Sampling: one normal distribution with full covariance is fitted to the learned latents at the end of each epoch, and
`generate` draws from it, without a projection.

Departures from the paper (of which the authors' code was not found):
- that the levels of Lap1 weigh 2^(2j), that sampling is by one Gaussian, and the sum of Lap1 and the squared error:
  unconfirmed, the last from a third party's summary;
- rates of 1 and 10, batches of 128 and the networks, DCGAN's generator with kernels of 4, are those of another
  implementation (tneumann/minimal_glo), which has no squared error and another pyramid, without doubling;
- the gradients come from two passes through the generator, so that its moving averages of batch norm see a batch twice.
"""

import keras
import numpy as np
from keras import layers, ops

from keras_gans.data.batches import Batches
from keras_gans.data.checks import is_number, is_whole, labels_of
from keras_gans.data.label_spaces import Classes
from keras_gans.data.loading import load
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.images import to_float
from keras_gans.losses import laplacian_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.dcgan import build_generator

register = keras.saving.register_keras_serializable(package="keras_gans")
INSIDE = 1.0 + 1e-6  # norms up to this are of the ball: a projected row, which rounding leaves here, stays as it is
PRINCIPAL = 24576  # images that the principal components are computed from


@register
class UnitBall(keras.constraints.Constraint):
    """Rows outside the unit ball are brought to its surface; those inside stay.

    Example:

    >>> rows = UnitBall()(np.array([[0.0, 4.0], [0.25, 0.5]], "float32"))
    >>> ops.convert_to_numpy(rows).tolist()
    [[0.0, 1.0], [0.25, 0.5]]
    """

    def __call__(self, value):
        value = ops.convert_to_tensor(value)
        norms = ops.sqrt(ops.sum(ops.square(value), axis=-1, keepdims=True))
        return ops.where(norms > INSIDE, value / ops.maximum(norms, 1.0), value)


def build_latents(num_images, latent_dim=128):
    """The table of latents: standard normal numbers at first, rows outside the unit ball brought to its surface.

    Args:
        num_images: how many training images there are.
        latent_dim: the generator's.

    Returns:
        A Keras model, indices (N,) to latents (N, latent_dim).
    """
    indices = keras.Input((), dtype="int32", name="indices")
    table = layers.Embedding(
        num_images,
        latent_dim,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=1.0),
        embeddings_constraint=UnitBall(),
        dtype="float32",
        name="table",
    )
    latents = table(indices)
    table.embeddings.assign(UnitBall()(table.embeddings))
    return keras.Model(indices, latents, name="latents")


@register
class GLO(AdversarialModel):
    """Generative latent optimization: a generator trained to reconstruct, each image from latents of its own.

    It is trained on images with their indices in the place of labels, so that an image keeps its latents in any order:
    `fit(images, np.arange(len(images)))`, or what `GLO.load_data` returns.

    What the base says of adversaries does not apply, since there is none. In the discriminator's place stands the table
    of latents, a network from indices to latents: it is the second player, moved by `d_optimizer`, and `d_loss` is not
    logged, being the generator's. `evaluate` too takes images with their indices, those of training. No noise is drawn
    in training, so `seed` names nothing of it. A model from the zoo has the fitted normal distribution and no table: it
    samples, and does not reconstruct.

    Args:
        generator: see `AdversarialModel`.
        discriminator: the table of latents, such as `build_latents` makes; with neither, DCGAN's generator for
            `image_shape` and a table of `num_images` rows.
        image_shape: (height, width, channels) of the default generator.
        latent_dim: latents of the default networks.
        num_images: how many training images there are.
        levels: of the Laplacian pyramids, 1 or more.
        l2_weight: weight of the mean squared error, 0 or more.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: numbers out of range, a table of other latents than the generator's, or networks that do
            not fit each other.

    Example:

    >>> images = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 1)).astype("uint8")
    >>> gan = kg.GLO(image_shape=(8, 8, 1), latent_dim=4, num_images=32)
    >>> gan.initialize_from_data(images)
    >>> gan.compile()
    >>> history = gan.fit(images, np.arange(32), batch_size=8, verbose=0)
    >>> gan.reconstruct([3, 1]).shape, gan.generate(5, seed=0).shape
    ((2, 8, 8, 1), (5, 8, 8, 1))

    Reference: Bojanowski et al., 2017, https://arxiv.org/abs/1707.05776
    """

    log_names = ("g_loss",)
    logits_per_image = None
    encoders = ("gaussian",)

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(64, 64, 3),
        latent_dim=128,
        num_images=None,
        levels=4,
        l2_weight=1.0,
        **kwargs,
    ):
        if not is_whole(levels, 1) or not is_number(l2_weight, 0.0):
            raise ConfigurationError(
                "Expected levels of 1 or more and an l2_weight of 0 or more. Received: "
                f"levels={levels!r} and l2_weight={l2_weight!r}."
            )
        if generator is None and discriminator is None:
            if not is_whole(num_images, 1):
                raise ConfigurationError(
                    "Expected num_images, how many training images there are, each with latents of its own. Received: "
                    f"{num_images!r}."
                )
            generator = build_generator(image_shape, latent_dim, kernel_size=4)
            discriminator = build_latents(num_images, latent_dim)
        super().__init__(generator, discriminator, **kwargs)
        if discriminator is not None:
            _check_table(discriminator, self.latent_dim)
        _check_levels(levels, self.image_shape)
        self.levels, self.l2_weight = levels, l2_weight
        # The fitted normal distribution: latents = mean + noise @ factor, which begins as the standard normal one.
        self.gaussian = layers.Dense(
            self.latent_dim, kernel_initializer="identity", trainable=False, dtype="float32", name="gaussian"
        )
        self.gaussian.build((None, self.latent_dim))

    # The latents

    def judged_shapes(self, generator):
        return ()  # indices

    @property
    def learned_labels(self):
        return None if self.discriminator is None else Classes(self.num_images)

    @property
    def num_images(self):
        """How many images have latents; `fit` asks for an index below it with each. None without a table."""
        return None if self.discriminator is None else self.discriminator.layers[-1].input_dim

    @property
    def latents(self):
        """The learned latents, float32 (num_images, latent_dim); row i is of the image with the index i."""
        return ops.convert_to_numpy(self._table("the latents").embeddings)

    def _table(self, what):
        if self.discriminator is None:
            raise ConfigurationError(
                f"Expected a model with its table of latents, for {what}. Received: a generator alone. Use the model "
                "of a training run, such as its checkpoint.keras."
            )
        return self.discriminator.layers[-1]

    def initialize_from_data(self, images):
        """Sets the latents to the images' first principal components, not scaled, and projects them to the ball.

        Training is many times shorter than from random latents, as the authors of the code say that this is from. Call
        it once, before `fit`. Images of fewer components
        than there are latents leave the last of these at zero.

        Args:
            images: the training images in the order of their indices, uint8 or floats in [-1, 1]; or the `Batches`.

        Raises:
            DataError: not one image for each row of the table, or images of another shape.
        """
        table = self._table("the images' components")
        if isinstance(images, Batches):
            images = images.images
        images = np.asarray(images)
        self.check_examples(images, self.example_shape)
        if len(images) != self.num_images:
            raise DataError(f"Expected the {self.num_images} images with latents. Received: {len(images)}.")
        rows = ops.convert_to_numpy(to_float(np.asarray(images))).reshape(len(images), -1)
        found = principal_components(rows, self.latent_dim)
        latents = np.zeros((len(rows), self.latent_dim), "float32")
        latents[:, : found.shape[1]] = found
        table.embeddings.assign(UnitBall()(latents))

    def fit_gaussian(self):
        """Fits the normal distribution that `generate` draws from to the learned latents; `fit` does, each epoch."""
        latents = self.latents.astype("float64")
        values, vectors = np.linalg.eigh(np.cov(latents, rowvar=False, bias=True).reshape([self.latent_dim] * 2))
        # A root of the covariance that also exists where some direction has no variance.
        self.gaussian.set_weights([(vectors * np.sqrt(np.maximum(values, 0.0))).T, latents.mean(axis=0)])

    def prior(self, noise):
        return self.gaussian(noise)

    @property
    def sampling_variables(self):
        return [*super().sampling_variables, *self.gaussian.variables]

    def reconstruct(self, indices):
        """The images that the generator makes of the latents of training images.

        Args:
            indices: whole numbers (n,), which images.

        Returns:
            uint8 (n, height, width, channels).

        Raises:
            ConfigurationError: a model without its latents, as in the zoo.
            DataError: no indices, or some that no image has.
        """
        latents, indices = self.latents, np.asarray(indices)
        whole = indices.ndim == 1 and indices.dtype.kind in "iu" and len(indices) > 0
        if not whole or indices.min() < 0 or indices.max() >= len(latents):
            raise DataError(f"Expected indices from 0 to {len(latents) - 1}, one or more. Received: {indices!r}.")
        return ops.convert_to_numpy(self.as_samples(self.predict(latents[indices], verbose=0)))

    # Training

    def reconstruction_loss(self, made, real):
        """Of what the generator made of the images' own latents."""
        return laplacian_loss(made, real, self.levels) + self.l2_weight * ops.mean(ops.square(made - real))

    def discriminator_loss(self, real, indices, training=True):
        """The loss for the latents: of images and their indices."""
        made = self.generator(self.discriminator(indices), training=training)
        return self.reconstruction_loss(made, real)

    def generator_loss(self, made, real):
        return self.reconstruction_loss(made, real)

    def indices(self, data):
        """The indices of a batch's images, as many as `real_images` gives."""
        return self.enough(ops.reshape(ops.cast(labels_of(data), "int32"), (-1,)))

    def train_step(self, data):
        real, indices = self.real_images(data), self.indices(data)
        k = self.discriminator_steps
        for i in range(k - 1):
            self.minimize("discriminator", self.discriminator_loss, real[i::k], indices[i::k])
        share, rows = real[k - 1 :: k], indices[k - 1 :: k]
        played = self.play(self.discriminator(rows))  # before the latents move
        self.minimize("discriminator", self.discriminator_loss, share, rows)
        g_loss = self.minimize("generator", lambda made: self.generator_loss(made, share), played)
        return self.log(g_loss=g_loss)

    def test_step(self, data):
        """The loss of training images in inference mode."""
        return self._averaged(
            {"g_loss": self.discriminator_loss(self.real_images(data), self.indices(data), training=False)}
        )

    def compile(self, g_optimizer=None, d_optimizer=None, **kwargs):
        """Sets the optimizers; `compile()` alone has the rates of the module's docstring.

        Args:
            g_optimizer: of the generator, any.
            d_optimizer: of the latents: plain SGD. An optimizer that remembers, by momentum or moments, would move the
                latents of images that are not in the batch.
            kwargs: as in `AdversarialModel.compile`.

        Raises:
            ConfigurationError: see `AdversarialModel.compile`; or latents that anything but plain SGD would move.
        """
        super().compile(g_optimizer, d_optimizer, **kwargs)
        optimizer = getattr(self.d_optimizer, "inner_optimizer", self.d_optimizer)
        plain = isinstance(optimizer, keras.optimizers.SGD) and not optimizer.momentum and not optimizer.weight_decay
        if not plain:
            raise ConfigurationError(
                "Expected keras.optimizers.SGD without momentum and weight decay for the latents, since others move "
                f"those of images outside the batch. Received: d_optimizer={optimizer.get_config()}."
            )

    def paper_optimizers(self):
        return {"generator": keras.optimizers.SGD(1.0), "discriminator": keras.optimizers.SGD(10.0)}

    def fit(self, x=None, y=None, *, callbacks=None, **kwargs):
        """Trains on images with their indices, and fits the normal distribution; see `AdversarialModel.fit`."""
        fitting = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: self.fit_gaussian())
        others = getattr(callbacks, "callbacks", callbacks)  # of a CallbackList
        return super().fit(x, y, callbacks=[fitting] if others is None else [fitting, others], **kwargs)

    def _checked(self, x, y=None, *, labels_needed=True, **least):
        return super()._checked(x, y, labels_needed=True, **least)

    # Data

    @classmethod
    def load_data(cls, source, **options):
        """`Batches` of images with their indices; see `kg.data.load`."""
        dataset = load(source, **{**options, "labels": False})
        dataset.labels = np.arange(len(dataset.images))
        return dataset

    @classmethod
    def for_data(cls, dataset, **options):
        """The default networks for what `load_data` returned, the latents set to the images' principal components."""
        model = cls(**{"image_shape": dataset.image_shape, "num_images": len(dataset.images), **options})
        model.initialize_from_data(dataset.images)
        return model

    def get_config(self):
        return {**super().get_config(), "levels": self.levels, "l2_weight": self.l2_weight}


def _check_levels(levels, image_shape):
    side, most = min(image_shape[:2]), 1
    while side > 1:
        side, most = -(-side // 2), most + 1
    if levels > most:
        raise ConfigurationError(
            f"Expected 1 to {most} levels for images {tuple(image_shape)}, which can be halved {most - 1} times. "
            f"Received: levels={levels}."
        )


def principal_components(rows, count):
    """The rows' coordinates along their first principal directions, by subspace iteration.

    Args:
        rows: floats (N, numbers).
        count: how many directions.

    Returns:
        float32 (N, count), fewer columns where there are fewer directions; the largest variance first.

    Reference: Halko, Martinsson and Tropp, 2011, "Finding structure with randomness", algorithm 4.4
    """
    rows = rows - rows[:PRINCIPAL].mean(axis=0)
    some = rows[:PRINCIPAL]
    wanted = min(count + 10, *some.shape)  # a few more directions make those that are wanted converge fast
    space = np.random.default_rng(0).normal(size=(some.shape[1], wanted)).astype("float32")
    for _ in range(6):
        space = np.linalg.qr(some.T @ (some @ space))[0]
    directions = np.linalg.svd(some @ space, full_matrices=False)[2]
    return (rows @ (space @ directions.T))[:, :count].astype("float32")


def _check_table(table, latent_dim):
    if not isinstance(table.layers[-1], layers.Embedding) or table.output_shape[-1] != latent_dim:
        raise ConfigurationError(
            f"Expected a table of {latent_dim} latents an image, such as build_latents makes. Received: a network that "
            f"ends in {type(table.layers[-1]).__name__}, with {table.output_shape[-1]} numbers."
        )
