"""GLO: Bojanowski, Joulin, Lopez-Paz and Szlam, 2017, "Optimizing the latent space of generative networks",
https://arxiv.org/abs/1707.05776

There is no adversary: each training image x_i has latents z_i of its own, which are learned with the generator.

Objective, over the generator and all z_i in the closed unit ball:
    E_i[Lap1(G(z_i), x_i) + l2_weight mean (G(z_i) - x_i)^2]
with Lap1 as in `kg.losses.laplacian_loss`. Means are over the batch and over pixels, so the latents need a large rate.

Schedule (one step of gradient descent with two rates): the gradients for the generator and for the batch's latents are
taken at the same weights. The latents are updated first and projected, z / max(|z|, 1); the latents of other images
stay as they are, bit for bit. Then the generator is updated. With `discriminator_steps=k` the batch is split among k
updates of the latents, each on its own images; the generator is updated with the last.

Sampling: one normal distribution with full covariance is fitted to the learned latents at the end of each epoch, and
`generate` draws from it, without a projection.

Departures from the paper (we did not find the authors' code):
- the weights 2^(2j) of the levels of Lap1, the sum of Lap1 and the squared error, and sampling from one normal
  distribution are our choices;
- rates of 1 and 10, batches of 128 and the networks, DCGAN's generator with kernels of 4, are those of another
  implementation (tneumann/minimal_glo), which has no squared error and another pyramid, without doubling;
- the gradients come from two passes through the generator, so its batch norm's moving averages see each batch twice.
"""

import keras
import numpy as np
from keras import layers, ops

from keras_gans.data.batches import Batches
from keras_gans.data.loading import load
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import Images, Index, Noise
from keras_gans.fitting import flat
from keras_gans.images import to_float
from keras_gans.losses import laplacian_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_built, check_networks
from keras_gans.networks.dcgan import build_generator
from keras_gans_core.checks import is_number, is_whole

register = keras.saving.register_keras_serializable(package="keras_gans")
INSIDE = 1.0 + 1e-6  # norms up to this count as inside: rounding leaves projected rows here, and they stay as they are
PRINCIPAL = 24576  # how many images the principal components are computed from


@register
class UnitBall(keras.constraints.Constraint):
    """Projects rows outside the unit ball to its surface; rows inside stay as they are.

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
    """The table of latents: standard normal numbers, projected to the unit ball.

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
    """Generative latent optimization: a generator trained to reconstruct each image from latents of its own.

    Training takes images with their indices, so that an image keeps its latents in any order:
    `fit(images, np.arange(len(images)))`, or what `GLO.load_data` returns. `evaluate` also takes training images with
    their indices.

    There is no adversary. The second player is the table of latents, a network from indices to latents, which
    `d_optimizer` updates; `g_loss` is the loss of both players. Training draws no noise, so `seed` does not change it.
    A model from the zoo has the fitted normal distribution and no table: it can sample but not reconstruct.

    Args:
        generator: see `AdversarialModel`.
        latents: the table of latents, such as `build_latents` makes; with neither, DCGAN's generator for
            `image_shape` and a table of `num_images` rows.
        image_shape: (height, width, channels) of the default generator.
        latent_dim: latents of the default networks.
        num_images: how many training images there are, for the default table.
        levels: of the Laplacian pyramids, 1 or more.
        l2_weight: weight of the mean squared error, 0 or more.
        discriminator_steps: updates of the latents for each update of the generator.
        ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: numbers out of range, a table whose latents do not fit the generator, or networks that do
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

    players = {"generator": ("generator",), "latents": ("latents",)}
    kept = ("generator", "gaussian")
    log_names = ("g_loss",)

    def __init__(
        self,
        generator=None,
        latents=None,
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
        if generator is None and latents is None:
            if not is_whole(num_images, 1):
                raise ConfigurationError(
                    "Expected num_images, how many training images there are, each with latents of its own. Received: "
                    f"{num_images!r}."
                )
            generator = build_generator(image_shape, latent_dim, kernel_size=4)
            latents = build_latents(num_images, latent_dim)
        check_networks(generator, None)
        latent_dim, images = generator.input_shape[-1], Images(generator.output_shape[1:])
        if latents is not None:
            _check_table(latents, latent_dim)
        _check_levels(levels, images.shape)
        super().__init__(
            generator=generator,
            latents=latents,
            batch_fields={"images": images, "indices": Index(0 if latents is None else latents.layers[-1].input_dim)},
            input_fields={"noise": Noise(latent_dim, self.drawn_latents)},
            output_fields={"images": images},
            **kwargs,
        )
        self.levels, self.l2_weight = levels, l2_weight
        # The fitted normal distribution: latents = mean + noise @ factor, which starts as the standard normal.
        self.gaussian = layers.Dense(
            latent_dim, kernel_initializer="identity", trainable=False, dtype="float32", name="gaussian"
        )
        self.gaussian.build((None, latent_dim))

    # The latents

    @property
    def num_images(self):
        """How many images have latents; each image in `fit` needs an index below this. None without a table."""
        return None if self.latents is None else self.latents.layers[-1].input_dim

    @property
    def learned_latents(self):
        """The learned latents, float32 (num_images, latent_dim); row i belongs to the image with index i."""
        return ops.convert_to_numpy(self._table("the latents").embeddings)

    def _table(self, what):
        if self.latents is None:
            raise ConfigurationError(
                f"Expected a model with its table of latents, for {what}. Received: a generator alone. Use the model "
                "of a training run, such as its checkpoint.keras."
            )
        return self.latents.layers[-1]

    def initialize_from_data(self, images):
        """Sets the latents to the images' first principal components, not scaled, and projects them to the ball.

        Training is then many times shorter than from random latents, as the authors of tneumann/minimal_glo found. Call
        it once, before `fit`. Where images have fewer components than there are latents, the last latents stay at zero.

        Args:
            images: the training images in the order of their indices, uint8 or floats in [-1, 1]; or the `Batches`.

        Raises:
            DataError: not one image for each row of the table, or images of another shape.
        """
        table = self._table("the images' components")
        if isinstance(images, Batches):
            images = images.images
        images = self.batch_fields["images"].check(np.asarray(images))
        if len(images) != self.num_images:
            raise DataError(f"Expected the {self.num_images} images with latents. Received: {len(images)}.")
        rows = ops.convert_to_numpy(to_float(images)).reshape(len(images), -1)
        found = principal_components(rows, self.latent_dim)
        latents = np.zeros((len(rows), self.latent_dim), "float32")
        latents[:, : found.shape[1]] = found
        table.embeddings.assign(UnitBall()(latents))

    def fit_gaussian(self):
        """Fits the normal distribution that `generate` draws from to the learned latents; `fit` does so every epoch."""
        latents = self.learned_latents.astype("float64")
        values, vectors = np.linalg.eigh(np.cov(latents, rowvar=False, bias=True).reshape([self.latent_dim] * 2))
        # A square root of the covariance that exists even if some direction has no variance.
        self.gaussian.set_weights([(vectors * np.sqrt(np.maximum(values, 0.0))).T, latents.mean(axis=0)])

    def drawn_latents(self, noise):
        """The latents that `generate` makes from standard normal noise: draws from the fitted normal distribution."""
        return self.gaussian(noise)

    def reconstruct(self, indices):
        """The images that the generator makes from the latents of training images.

        Args:
            indices: which training images, whole numbers (n,).

        Returns:
            uint8 (n, height, width, channels).

        Raises:
            ConfigurationError: a model without its latents, as in the zoo.
            DataError: no indices, or an index that no image has.
        """
        latents = self.learned_latents
        made = self.predict(latents[self.batch_fields["indices"].check(indices)], verbose=0)
        return ops.convert_to_numpy(self.output_fields["images"].decode(made))

    # Training

    def reconstruction_loss(self, made, real):
        """The loss on `made`, what the generator made from the latents of the images `real`."""
        return laplacian_loss(made, real, self.levels) + self.l2_weight * ops.mean(ops.square(made - real))

    def loss_of_latents(self, real, indices, training=True):
        """The loss on images and their indices: that of the latents, and in `evaluate` that of both players."""
        made = self.generator(self.latents(indices), training=training)
        return self.reconstruction_loss(made, real)

    def train_step(self, data):
        batch = self.encode_batch(data)
        *before, (real, indices) = self.shares(batch["images"], batch["indices"])
        for share in before:
            self.minimize("latents", self.loss_of_latents, *share)
        recorded = self.record(self.latents(indices))  # before the latents are updated
        self.minimize("latents", self.loss_of_latents, real, indices)
        g_loss = self.minimize("generator", lambda made: self.reconstruction_loss(made, real), recorded)
        return self.log(g_loss=g_loss)

    def batch_losses(self, images, indices):
        return {"g_loss": self.loss_of_latents(images, indices, training=False)}

    def batch_scores(self, images, **others):
        """None: there is no discriminator."""
        return None

    def compile(self, g_optimizer=None, d_optimizer=None, **kwargs):
        """Sets the optimizers; `compile()` without arguments uses the rates in the module's docstring.

        Args:
            g_optimizer: of the generator, any.
            d_optimizer: of the latents: plain SGD. An optimizer with momentum or moments would also move
                the latents of images that are not in the batch.
            kwargs: as in `AdversarialModel.compile`.

        Raises:
            ConfigurationError: see `AdversarialModel.compile`; or an optimizer of the latents other than plain SGD.
        """
        super().compile(g_optimizer, d_optimizer, **kwargs)
        optimizer = getattr(self.d_optimizer, "inner_optimizer", self.d_optimizer)
        plain = isinstance(optimizer, keras.optimizers.SGD) and not optimizer.momentum and not optimizer.weight_decay
        if not plain:
            raise ConfigurationError(
                "Expected keras.optimizers.SGD without momentum and weight decay for the latents, since others also "
                f"move the latents of images outside the batch. Received: d_optimizer={optimizer.get_config()}."
            )

    def paper_optimizers(self):
        return {"generator": keras.optimizers.SGD(1.0), "latents": keras.optimizers.SGD(10.0)}

    def fit(self, x=None, y=None, *, callbacks=None, **kwargs):
        """Trains on images with their indices, and fits the normal distribution; see `AdversarialModel.fit`."""
        fitting = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: self.fit_gaussian())
        return super().fit(x, y, callbacks=[fitting, *flat(callbacks)], **kwargs)

    # Data

    @classmethod
    def load_data(cls, source, **options):
        """`Batches` of images with their indices; see `kg.data.load`."""
        loaded = load(source, **{**options, "labels": False})
        return Batches(
            loaded.images,
            indices=np.arange(loaded.count),
            batch_size=loaded.batch_size,
            shuffle=loaded.shuffle,
            seed=loaded.seed,
            about=loaded.about,
            **loaded.decoding,
        )

    @classmethod
    def for_data(cls, dataset, **options):
        """The default networks for what `load_data` returned, with the latents set to the principal components."""
        model = cls(**{"image_shape": dataset.image_shape, "num_images": dataset.count, **options})
        model.initialize_from_data(dataset.images)
        return model


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
    wanted = min(count + 10, *some.shape)  # a few extra directions make the wanted ones converge fast
    space = np.random.default_rng(0).normal(size=(some.shape[1], wanted)).astype("float32")
    for _ in range(6):
        space = np.linalg.qr(some.T @ (some @ space))[0]
    directions = np.linalg.svd(some @ space, full_matrices=False)[2]
    return (rows @ (space @ directions.T))[:, :count].astype("float32")


def _check_table(table, latent_dim):
    check_built("latents", table)
    if tuple(table.input_shape) != (None,):
        raise ConfigurationError(f"Expected a table that takes indices (N,). Received: one for {table.input_shape}.")
    if not isinstance(table.layers[-1], layers.Embedding) or table.output_shape[-1] != latent_dim:
        raise ConfigurationError(
            f"Expected a table of {latent_dim} latents per image, such as build_latents makes. Received: a network "
            f"that ends in {type(table.layers[-1]).__name__}, with {table.output_shape[-1]} numbers."
        )
