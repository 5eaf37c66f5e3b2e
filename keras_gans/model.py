"""The base of every variant: players, their optimizers, the step's mechanics, sampling and state."""

import random

import keras
import numpy as np
from keras import ops

from keras_gans import engine
from keras_gans.data.batches import Batches
from keras_gans.data.checks import check_dataset, check_images, images_of, is_number, is_whole, labels_of
from keras_gans.data.label_spaces import check_label_space
from keras_gans.data.loading import load
from keras_gans.errors import ConfigurationError
from keras_gans.images import grid, to_float, to_uint8
from keras_gans.layers.slots import Slots
from keras_gans.layers.virtual_batch_normalization import check_reference_batch
from keras_gans.optimizers import FusedAdam, OptimizerGroup, optimizer_of, with_loss_scale

PLAYERS = ("generator", "discriminator")
LABEL_STREAM = int.from_bytes(b"label")  # tells the seeds of labels from those of latents
# No logits come of these.
BOUNDED = (
    *("sigmoid", "hard_sigmoid", "hardsigmoid", "sparse_sigmoid", "log_sigmoid", "tanh", "hard_tanh", "softsign"),
    *("softmax", "log_softmax", "sparsemax", "relu", "relu6", "softplus", "exponential"),
)
SAMPLING_BATCH = 256  # images decoded at once: bounds the memory of generate(100_000)


def uniform_of(normal):
    """Numbers from U[0, 1] of standard normal ones: their distribution function, (1 + erf(n / sqrt(2))) / 2.

    >>> ops.convert_to_numpy(uniform_of(np.array([-9.0, 0.0, 9.0], "float32"))).tolist()
    [0.0, 0.5, 1.0]
    """
    return 0.5 * (1.0 + ops.erf(normal * 0.5**0.5))


class AdversarialModel(keras.Model):
    """A game between a generator and a discriminator, trained by `fit`.

    A variant gives the networks, `discriminator_loss`, `generator_loss`, `train_step` and `paper_optimizers`.

    Args:
        generator: Keras model, latents (N, latent_dim) to images (N, height, width, channels) in [-1, 1]; of a
            conditional model [latents, labels as `label_space` encodes them] to images.
        discriminator: Keras model, images to one logit (N, 1), without a sigmoid; None makes a model that samples and
            cannot train, as in the zoo.
        discriminator_steps: discriminator updates for each generator update; a batch is dealt out among them, so that
            each sees fresh images.
        ema_decay: decay in [0, 1) of the exponential moving average of the generator's weights that `generate`, the
            zoo and exports use; None keeps none. Early on it is min(ema_decay, (1 + step) / (10 + step)), so that the
            average forgets the initial weights.
        seed: whole number that names the run's noise; None draws one from Python's generator, which
            `keras.utils.set_random_seed` seeds.
        label_space: of a conditional model what its labels are, such as `kg.data.Classes(10)`; None without labels.

    Raises:
        ConfigurationError: networks whose shapes do not fit each other, or numbers out of range.
    """

    def __init__(
        self,
        generator,
        discriminator,
        *,
        discriminator_steps=1,
        ema_decay=None,
        seed=None,
        label_space=None,
        **kwargs,
    ):
        _check_networks(generator, discriminator, label_space, self.judged_shapes, self.logits_per_image)
        super().__init__(**{"dtype": generator.dtype_policy, **kwargs})
        if not is_whole(discriminator_steps, 1):
            raise ConfigurationError(f"Expected discriminator_steps of 1 or more. Received: {discriminator_steps!r}.")
        if ema_decay is not None and not (is_number(ema_decay, 0.0) and ema_decay < 1.0):
            raise ConfigurationError(f"Expected an ema_decay in [0, 1) or None. Received: {ema_decay!r}.")
        self.generator, self.discriminator = generator, discriminator
        self.discriminator_steps, self.ema_decay, self.label_space = discriminator_steps, ema_decay, label_space
        self.seed = random.randrange(2**31 - 1) if seed is None else _checked_seed(seed, range(2**31 - 1))
        self.latent_seeds = keras.random.SeedGenerator(self.seed)
        self.evaluation_seeds = keras.random.SeedGenerator(self.seed + 1)  # so that validating changes no training
        self.step = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="step")
        if ema_decay is not None:
            self.ema_generator = keras.models.clone_model(generator)
            self.ema_generator.set_weights(generator.get_weights())
            self.ema_generator.trainable = False
        self.slots = Slots(name="slots")
        self.trackers = {name: keras.metrics.Mean(name=name) for name in self.log_names}
        self.penalties = {player: {} for player in PLAYERS}  # callbacks' terms beside each player's loss
        self.after_update = {player: {} for player in PLAYERS}  # callbacks' work after each player's update
        self.g_optimizer = self.d_optimizer = None
        self.built = True
        engine.adapt(self)

    # What a variant may change

    log_names = ("d_loss", "g_loss")
    logits_per_image = 1  # of the discriminator; None: as many as there are
    packing = 1  # images that the discriminator judges together: the batches of `fit` are to hold whole packs of them
    encoders = ()  # names of networks beside the generator that are of use after training: the zoo keeps them

    def prior(self, noise):
        """The latents that the standard normal `noise` (N, latent_dim) stands for: by default the noise itself."""
        return noise

    def judged_shapes(self, generator):
        """What the discriminator takes, as shapes without the batch: one, or a list where it judges several inputs."""
        return generator.output_shape[1:]

    @property
    def learned_labels(self):
        """The space of the labels that `fit` asks for: a conditional model's own. None: no labels are looked at."""
        return self.label_space

    @property
    def smallest_batch(self):
        """How many images a batch must have at least: by default one for each discriminator update."""
        return self.discriminator_steps

    def player_variables(self, player):
        """The trainable variables that an update of `player` moves."""
        return getattr(self, player).trainable_variables

    def paper_optimizers(self):
        """The optimizers of the paper: {"generator": ..., "discriminator": ...}."""
        return {player: FusedAdam(2e-4, beta_1=0.5) for player in PLAYERS}

    def run_callbacks(self, dataset):
        """What a run on any data needs beside `fit`, as callbacks; recipes name their own."""
        return []

    # What a variant of other examples than images changes

    samples_name = "images"  # what an export calls what `generate` returns
    check_examples = staticmethod(check_images)  # what `fit` looks at, given a batch and `example_shape`

    @property
    def example_shape(self):
        """The shape of one example, as `fit` takes it and `generate` returns it."""
        return self.image_shape

    def as_real(self, examples):
        """A batch that `fit` was given as the discriminator sees it: float32 images in [-1, 1]."""
        return to_float(examples)

    def as_samples(self, generated):
        """What the generator made as `generate` returns it: uint8 images."""
        return to_uint8(generated)

    def picture(self, samples, columns=None):
        """One picture of many samples, uint8 (height, width, channels): a grid with so many images in a row."""
        return grid(samples, columns)

    @classmethod
    def load_data(cls, source, **options):
        """`Batches` for `fit`; see `kg.data.load`."""
        return load(source, **options)

    @classmethod
    def for_data(cls, dataset, **options):
        """The variant with its paper's networks for what `load_data` returned."""
        return cls(image_shape=dataset.image_shape, **options)

    # Shapes

    @property
    def image_shape(self):
        """(height, width, channels) of the images."""
        return tuple(self.generator.output_shape[1:])

    @property
    def latent_dim(self):
        """How many numbers an image is made from."""
        shape = self.generator.input_shape
        return (shape[0] if isinstance(shape, list) else shape)[-1]

    # Compiling

    def compile(
        self, g_optimizer=None, d_optimizer=None, *, jit_compile="auto", run_eagerly=False, steps_per_execution=1
    ):
        """Sets the players' optimizers; `compile()` alone is the paper's.

        Args:
            g_optimizer, d_optimizer: Keras optimizers or their names; None for the paper's. Under the dtype policy
                mixed_float16 each gets its own dynamic loss scale.
            jit_compile, run_eagerly, steps_per_execution: as in `keras.Model.compile`.

        Raises:
            ConfigurationError: no optimizers, one for both players, a model without a discriminator, or what Keras
                cannot do where several replicas share a batch.
        """
        if self.discriminator is None:
            raise ConfigurationError(
                "Expected a generator and a discriminator to train. Received: a generator alone, which samples. Build "
                f"{type(self).__name__} anew, or with generator=this.generator and a discriminator, to train it."
            )
        if isinstance(g_optimizer, keras.optimizers.Optimizer) and g_optimizer is d_optimizer:
            raise ConfigurationError(
                "Expected two optimizers, since each keeps its own moments. Received: one object as g_optimizer and "
                "d_optimizer. Make a second one."
            )
        engine.check_replicas(self, jit_compile, steps_per_execution)
        super().compile(
            optimizer=None, jit_compile=jit_compile, run_eagerly=run_eagerly, steps_per_execution=steps_per_execution
        )
        paper = self.paper_optimizers()
        g_optimizer = optimizer_of("g_optimizer", paper["generator"] if g_optimizer is None else g_optimizer)
        d_optimizer = optimizer_of("d_optimizer", paper["discriminator"] if d_optimizer is None else d_optimizer)
        self.g_optimizer = with_loss_scale(g_optimizer, self.dtype_policy)
        self.d_optimizer = with_loss_scale(d_optimizer, self.dtype_policy)
        # Built now, because Keras restores the state of built optimizers only.
        self.g_optimizer.build(self.player_variables("generator"))
        self.d_optimizer.build(self.player_variables("discriminator"))
        self.optimizer = OptimizerGroup([self.g_optimizer, self.d_optimizer])

    def make_train_function(self, force=False):
        if force or self.train_function is None:
            engine.adapt(self)  # JAX compiles a function once, whatever it reads has changed: this makes it a new one
        super().make_train_function(force)

    def get_compile_config(self):
        if not self.compiled:
            return {}
        return {
            "g_optimizer": keras.saving.serialize_keras_object(self.g_optimizer),
            "d_optimizer": keras.saving.serialize_keras_object(self.d_optimizer),
            "jit_compile": self.jit_compile,
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
        }

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

    # The mechanics of a step

    def real_images(self, data):
        """The images of a batch as the discriminator sees them, at least `smallest_batch` of them."""
        return self.enough(self.as_real(images_of(data)))

    def conditions(self, data):
        """The labels of a batch as the networks take them, float32 (N, label_space.size), at least `smallest_batch`."""
        return self.enough(self.label_space.encode(labels_of(data)))

    def enough(self, rows):
        """`rows`, at least `smallest_batch` of them."""
        if self.smallest_batch > 1:  # the last batch of an epoch may be smaller: its rows are dealt out again
            count, least = ops.shape(rows)[0], self.smallest_batch
            chosen = ops.arange(max(count, least) if isinstance(count, int) else ops.maximum(count, least)) % count
            rows = ops.take(rows, chosen, axis=0)
        return rows

    def latents_like(self, images, training=True):
        """Fresh latents, as many as there are images; outside training from seeds of their own."""
        seeds = self.latent_seeds if training else self.evaluation_seeds
        return self.prior(engine.normal((ops.shape(images)[0], self.latent_dim), seeds))

    def uniform_like(self, images, training=True):
        """Fresh numbers from U[0, 1], one for each image, (N, 1, 1, 1); outside training from seeds of its own."""
        return self.uniform((ops.shape(images)[0], *[1] * (len(images.shape) - 1)), training)

    def uniform(self, shape, training=True):
        """Fresh numbers from U[0, 1] of a shape that begins with the count of images; see `uniform_like`."""
        return uniform_of(engine.normal(shape, self.latent_seeds if training else self.evaluation_seeds))

    def score(self, images, training=True):
        """The discriminator's logits, float32 (N, logits_per_image), of images or of whatever else it judges."""
        return ops.cast(self.discriminator(images, training=training), "float32")

    def play(self, latents):
        """The generator's forward pass, kept so that `minimize("generator", loss_fn, played)` goes back through it."""
        return self.keep(lambda: self.generator(latents, training=True))

    def keep(self, forward):
        """`play` for a player of more networks than the generator: `forward()` returns a tensor or a list of them."""
        return Played(*engine.forward(forward, self.player_variables("generator")))

    def minimize(self, player, loss_fn, *inputs):
        """One optimizer step of `player` on `loss_fn(*inputs)`; moves no other player's weights.

        Args:
            player: "generator" or "discriminator".
            loss_fn: from the inputs to a scalar; or to a vector, whose first number is the loss and the others are for
                the logs.
            inputs: tensors or lists of them; or one `Played`, whose images the loss is of and whose forward pass is
                reused.

        Returns:
            What `loss_fn` gave before the step: the loss is without the callbacks' penalties.
        """
        variables = self.player_variables(player)
        optimizer = self.g_optimizer if player == "generator" else self.d_optimizer
        replicas = engine.replica_count()

        def scale(loss):  # replicas' gradients are summed; float16 needs large losses
            loss = loss[0] if len(loss.shape) else loss
            return optimizer.scale_loss(loss / replicas if replicas > 1 else loss)

        if inputs and isinstance(inputs[0], Played):
            loss, gradients = inputs[0].backward(loss_fn, scale)
        else:
            loss, gradients = engine.value_and_grad(lambda: loss_fn(*inputs), variables, scale)
        for penalty in self.penalties[player].values():
            _, more = engine.value_and_grad(penalty, variables, scale)
            gradients = [a + b for a, b in zip(gradients, more)]
        engine.apply_gradients(optimizer, gradients, variables)
        self.constrain(player)
        if player == "generator" and self.ema_decay is not None:
            self.follow(self.ema_generator, self.generator, self.ema_decay)
        for update in self.after_update[player].values():
            update()
        return loss

    def constrain(self, player):
        """What a variant does to the player's weights after each update, before averages and callbacks see them."""

    def follow(self, average, network, decay):
        """Moves `average`, a clone of `network`, towards it: the exponential moving average of its weights."""
        step = ops.cast(self.step, "float32")
        rate = 1.0 - ops.minimum(decay, (1.0 + step) / (10.0 + step))
        averaged = {id(weight) for weight in network.trainable_variables}
        for mean, weight in zip(average.variables, network.variables):
            # Moving statistics of batch norm are averages already, and seeds are not numbers to average.
            mean.assign(mean + rate * (weight - mean) if id(weight) in averaged else weight)

    def log(self, **values):
        """Ends a training step: counts it, and returns the running means of the epoch, as `fit` shows them."""
        self.step.assign_add(1)
        return self._averaged(values)

    def _averaged(self, values):
        for name, value in values.items():
            self.trackers[name].update_state(value)
        return {name: self.trackers[name].result() for name in values}

    @property
    def metrics(self):
        return list(self.trackers.values())

    # Fitting and evaluating

    def fit(
        self,
        x=None,
        y=None,
        *,
        epochs=1,
        initial_epoch=None,
        steps_per_epoch=None,
        shuffle=None,
        validation_data=None,
        verbose="auto",
        callbacks=None,
        **kwargs,
    ):
        """Trains on images; `keras.Model.fit` with checked data.

        Args:
            x: uint8 images or floats in [-1, 1]: an array, a `tf.data.Dataset` or any other iterable that Keras's
                `fit` takes, of images, of (images, labels) or of dicts with the key "image"; or what `kg.data.load`
                returns, which goes on at the model's own step count.
            y: labels, where x is an array; a variant without classes ignores them.
            epochs, steps_per_epoch, validation_data, verbose, callbacks, kwargs: as in `keras.Model.fit`.
            initial_epoch: how many epochs are done, of `epochs` in all; None: none of those that this call is to train.
                Where the model stands within the epoch that comes next, as after `kg.callbacks.resume`, what is left of
                that epoch comes first, and its logs are those of the whole epoch. Data that `kg.data.load` did not
                make begins the epoch anew.
            shuffle: whether to permute arrays before each epoch, by default yes.

        Returns:
            Keras's `History`.

        Raises:
            DataError: data that cannot be learned from; see `keras_gans.data.checks`.
            ConfigurationError: the model is not compiled, or weights for classes or samples, which no variant uses.
        """
        if not self.compiled:
            raise ConfigurationError(
                "Expected a compiled model. Call compile() first; without arguments it is the paper's."
            )
        for name in ("class_weight", "sample_weight"):
            if kwargs.get(name) is not None:
                raise ConfigurationError(f"Expected no {name}: adversarial losses do not use it. Leave it out.")
        if steps_per_epoch is not None and not is_whole(steps_per_epoch, 1):
            raise ConfigurationError(f"Expected steps_per_epoch of 1 or more, or None. Received: {steps_per_epoch!r}.")
        least = {"smallest_batch": self.smallest_batch, "packing": self.packing}
        x = self._checked(x, y, steps_per_epoch=steps_per_epoch, labels_needed=True, **least)
        if isinstance(validation_data, (tuple, list)):
            self._checked(*validation_data[:2])
        elif validation_data is not None:
            validation_data = self._checked(validation_data)
        if shuffle is None:
            shuffle = isinstance(x, np.ndarray)  # Keras warns of shuffle=True where it cannot shuffle
        kwargs |= {"epochs": epochs, "shuffle": shuffle, "validation_data": validation_data, "verbose": verbose}
        callbacks = _flat(callbacks)
        try:
            if isinstance(x, Batches):
                return self._fit_batches(x, steps_per_epoch or len(x), initial_epoch, callbacks, **kwargs)
            kwargs |= {"initial_epoch": initial_epoch or 0, "steps_per_epoch": steps_per_epoch, "callbacks": callbacks}
            return super().fit(x, y, **kwargs)
        finally:
            for callback in callbacks:  # Keras does not tell callbacks of an exception
                if hasattr(callback, "release") and callback.model is self:
                    callback.release()

    def _fit_batches(self, batches, count, initial_epoch, callbacks, *, epochs, **kwargs):
        """Keras's `fit` on epochs of `count` batches from the model's own step on; what is left of one comes first."""

        def fit(first, last, count, callbacks):
            following = batches.following(lambda: int(ops.convert_to_numpy(self.step)), count)
            return keras.Model.fit(self, following, initial_epoch=first, epochs=last, callbacks=callbacks, **kwargs)

        devices, size = engine.devices_of(self), batches.batch_size
        packs = devices * self.packing
        if size % packs or size // devices < self.smallest_batch:
            whole = f" in whole packs of {self.packing}" if self.packing > 1 else ""
            raise ConfigurationError(
                f"Expected a batch_size that {devices} devices share equally, each {self.smallest_batch} examples or "
                f"more{whole}. Received: {size}. Choose a multiple of {packs}."
            )
        first = initial_epoch or 0
        begun = 0 if initial_epoch is None else int(ops.convert_to_numpy(self.step)) - first * count
        if first >= epochs or not 0 < begun < count:
            return fit(first, epochs, count, callbacks)
        both = _OneTraining(self, callbacks, kwargs["verbose"], epochs, count - begun, count)
        fit(first, first + 1, count - begun, both)
        if first + 1 < epochs and not self.stop_training:
            fit(first + 1, epochs, count, both)
        return both.end()

    def evaluate(self, x=None, y=None, **kwargs):
        """The losses on data that is not trained on; `keras.Model.evaluate` with checked data."""
        if kwargs.get("_use_cached_eval_dataset"):  # called by `fit`, which has checked its validation data
            return super().evaluate(x, y, **kwargs)
        means = self._running_means()
        try:
            return super().evaluate(self._checked(x, y), y, **kwargs)
        finally:
            self._set_running_means(means)  # an epoch that was begun may go on after this

    def _running_means(self):
        return [ops.convert_to_numpy(variable) for variable in self.metrics_variables]

    def _set_running_means(self, means):
        for variable, mean in zip(self.metrics_variables, means):
            variable.assign(mean)

    def _checked(self, x, y=None, *, labels_needed=False, **least):
        return check_dataset(
            x,
            self.example_shape,
            check=self.check_examples,
            labels=y,
            label_space=self.learned_labels,
            labels_needed=labels_needed or self.label_space is not None,
            **least,
        )

    def test_step(self, data):
        """The losses of one batch with both networks in inference mode and noise of its own."""
        real = self.real_images(data)
        latents = self.latents_like(real, training=False)
        labels = [] if self.label_space is None else [self.conditions(data)]
        fake = self.generator([latents, *labels] if labels else latents, training=False)
        return self._averaged(
            {
                "d_loss": self.discriminator_loss(real, fake, *labels, training=False),
                "g_loss": self.generator_loss(fake, *labels, training=False),
            }
        )

    # Sampling

    @property
    def sampling_generator(self):
        """The generator that samples: the moving average where there is one."""
        return self.generator if self.ema_decay is None else self.ema_generator

    @property
    def sampling_variables(self):
        """What `images_of_noise` reads: by default the generator's; a prior with variables of its own adds them."""
        return self.sampling_generator.variables

    def call(self, inputs, training=False):
        """Images in [-1, 1] of latents, or of [latents, encoded labels]; what `predict` and `summary` see."""
        return self.sampling_generator(inputs, training=training)

    def images_of_noise(self, noise, conditions=None):
        """uint8 images of standard normal noise (N, latent_dim), and of encoded labels where the model is conditional:
        what `generate` compiles and an export holds."""
        latents = self.prior(noise)
        inputs = latents if conditions is None else [latents, conditions]
        return self.as_samples(self.sampling_generator(inputs, training=False))

    def noise(self, n=None, seed=None):
        """The standard normal noise that `generate(n, seed)` starts from, float32 (n, latent_dim)."""
        return _seeded_normal(n, seed, self.latent_dim)

    def labels(self, n=None, seed=None):
        """The labels that a conditional model's `generate(n, seed)` takes where it is given none.

        Every label is as likely as any other, but attributes that are drawn as data have them; `label_space.draw`.

        Args:
            n, seed: see `generate`.

        Returns:
            An array (n, ...); None where the model takes no labels.
        """
        if self.label_space is None:
            return None
        uniform = uniform_of(_seeded_normal(n, seed, self.label_space.draws, LABEL_STREAM))
        return self.label_space.draw(ops.convert_to_numpy(uniform))

    def inputs_like(self, n=None, seed=None, labels=None):
        """What the generator takes to make the images of `generate(n, seed, labels=labels)`, as arrays: latents, or
        [latents, encoded labels]."""
        if labels is not None:
            labels, n = self.checked_labels(labels, n, seed)
        seed = random.randrange(2**31) if seed is None else seed
        latents = ops.convert_to_numpy(self.prior(self.noise(n, seed)))
        if self.label_space is None:
            return latents
        labels = self.labels(n, seed) if labels is None else labels
        return [latents, ops.convert_to_numpy(self.label_space.encode(labels))]

    def sheet(self, rows, columns, seed=None):
        """Images for a picture of so many rows and columns, which shows one class a column where it can.

        Args:
            rows, columns: whole numbers, 1 or more.
            seed: see `generate`.

        Returns:
            uint8 (rows * columns, height, width, channels).
        """
        n = rows * columns
        return self.generate(n, seed, labels=self.label_space and self.label_space.in_grid(n, columns))

    def generate(self, n=None, seed=None, noise=None, labels=None):
        """New images.

        Args:
            n: how many; may be left out where `seed` or `labels` is a list, or beside `noise`.
            seed: a whole number for the whole batch; or a list of whole numbers, one an image, each image the same in
                any batch; None for other images at each call. The first image of seed s is that of [s], and the first
                images do not depend on n, up to a grey level of rounding.
            noise: instead of seed, standard normal numbers (n, latent_dim), finite.
            labels: of a conditional model, what the images are to show: one label for all of them, or a list or array
                of one for each. None: `labels(n, seed)`, with `noise` `labels(n, 0)`.

        Returns:
            uint8 (n, height, width, channels).

        Raises:
            ConfigurationError: n, seed or noise that cannot be, labels that are not one for each image, or where the
                model takes none.
            DataError: labels that are none of `label_space`.

        Example:

        >>> images = kg.GAN(image_shape=(8, 8, 1), latent_dim=4).generate(2, seed=0)
        >>> images.shape, images.dtype.name
        ((2, 8, 8, 1), 'uint8')
        """
        if labels is not None:
            labels, n = self.checked_labels(labels, n, seed, noise)
        if noise is None:
            seed = random.randrange(2**31) if seed is None else seed
            noise = self.noise(n, seed)
        else:
            try:
                noise = np.asarray(noise, "float32")
            except (TypeError, ValueError) as error:
                raise ConfigurationError(
                    f"Expected noise of shape (n, {self.latent_dim}), numbers. Received: {error}"
                ) from error
        if noise.ndim != 2 or noise.shape[1] != self.latent_dim or len(noise) == 0 or n not in (None, len(noise)):
            raise ConfigurationError(
                f"Expected noise of shape (n, {self.latent_dim}) with n of 1 or more. Received: {noise.shape}, n={n!r}."
            )
        if not np.isfinite(noise).all():
            bad = int((~np.isfinite(noise)).sum())
            raise ConfigurationError(f"Expected finite noise. Received: {bad} NaN or infinite numbers.")
        inputs = noise
        if self.label_space is not None:
            labels = self.labels(len(noise), 0 if seed is None else seed) if labels is None else labels
            inputs = np.concatenate([noise, ops.convert_to_numpy(self.label_space.encode(labels))], axis=1)
        if getattr(self, "_decode", None) is None:
            self._decode = engine.function(self._decoded, self.sampling_variables)
        # Kernels divide a batch among threads by its size and round accordingly: images with seeds of their own are
        # made one at a time, which alone keeps each the same in any batch.
        size = SAMPLING_BATCH if np.ndim(seed) == 0 else 1
        parts = [self._decode(inputs[i : i + size]) for i in range(0, len(inputs), size)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _decoded(self, inputs):
        """The images of noise, with encoded labels beside it where the model is conditional."""
        if self.label_space is None:
            return self.images_of_noise(inputs)
        return self.images_of_noise(inputs[:, : self.latent_dim], inputs[:, self.latent_dim :])

    def checked_labels(self, labels, n=None, seed=None, noise=None):
        """One label for each image, and how many images there are; see `generate`."""
        if self.label_space is None:
            raise ConfigurationError(
                f"Expected no labels: {type(self).__name__} is not conditional. Received: labels. Leave them out."
            )
        labels = self.label_space.asked(labels)
        if noise is not None:
            n = len(noise) if n is None else n
        elif np.ndim(seed):
            n = len(seed) if n is None else n
        elif n is None and len(labels) > 1:
            n = len(labels)
        if len(labels) == 1 and is_whole(n, 1):
            labels = np.repeat(labels, n, axis=0)
        if is_whole(n, 1) and len(labels) != n:
            raise ConfigurationError(f"Expected one label an image. Received: {len(labels)} labels for {n} images.")
        return labels, n

    # Encoding

    def encoded(self, name, images):
        """What one of the networks that `encoders` names makes of images.

        Args:
            name: of the network.
            images: uint8, or floats in [-1, 1], (N, height, width, channels).

        Returns:
            float32, as the network gives it.

        Raises:
            ConfigurationError: a model without this network.
            DataError: images that do not fit the model.
        """
        if getattr(self, name) is None:
            raise ConfigurationError(
                f"Expected a model with {name}, to encode images. Received: one without. Build {type(self).__name__} "
                f"with a {name}, or load a model that has kept it."
            )
        images = np.asarray(images)
        check_images(images, self.image_shape)
        return getattr(self, name).predict(ops.convert_to_numpy(to_float(images)), verbose=0).astype("float32")

    # Saving

    def get_config(self):
        return {
            "name": self.name,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": self.discriminator and keras.saving.serialize_keras_object(self.discriminator),
            "discriminator_steps": self.discriminator_steps,
            "ema_decay": self.ema_decay,
            "seed": self.seed,
            "label_space": self.label_space and keras.saving.serialize_keras_object(self.label_space),
            "slots": self.slots.get_config()["slots"],
        }

    @property
    def hyper_parameters(self):
        """What the variant's objective was set to, `{name: value}`, for cards: what its configuration has beyond every
        model's, networks left out; of an object, such as a divergence, the name of its class."""
        shared = AdversarialModel.get_config(self)
        own = {name: getattr(self, name) for name in self.get_config() if name not in shared}
        plain = (bool, int, float, str, list, tuple)
        return {
            name: value if isinstance(value, plain) else getattr(value, "__name__", type(value).__name__)
            for name, value in own.items()
            if value is not None and not isinstance(value, keras.Model)
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        slots = config.pop("slots", {})
        model = cls(**keras.saving.deserialize_keras_object(config, custom_objects=custom_objects))
        for name, about in slots.items():
            model.slots.get(name, **about)
        return model

    def _seed_states(self):
        """The seeds of the latents, of dropout, ...: Keras keeps them out of `weights` and out of files."""
        saved = {id(weight) for weight in self.weights}
        return [variable for variable in self.variables if id(variable) not in saved]

    def _unsaved_by_keras(self):
        """(key, variable) of the seeds, and of the logs' running means, which an epoch that is resumed goes on with."""
        return [
            *((f"seed_{i}", state) for i, state in enumerate(self._seed_states())),
            *((f"log_{i}", variable) for i, variable in enumerate(self.metrics_variables)),
        ]

    def save_own_variables(self, store):
        super().save_own_variables(store)
        for key, state in self._unsaved_by_keras():
            store[key] = ops.convert_to_numpy(state)

    def load_own_variables(self, store):
        ours = dict(self._unsaved_by_keras())
        super().load_own_variables({key: store[key] for key in store.keys() if key not in ours})
        for key, state in ours.items():
            if key in store.keys():
                state.assign(store[key])


class Played:
    """Generated images, or the list that `keep` was given, and the forward pass that made them."""

    def __init__(self, images, backward):
        self.images, self.backward = images, backward


class _OneTraining(keras.callbacks.CallbackList):
    """Callbacks of two calls of Keras's `fit`, the first of which ends an epoch that was begun before: to them it is
    one training, and that epoch's running means are those of the whole epoch."""

    def __init__(self, model, callbacks, verbose, epochs, left, steps):
        super().__init__(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            model=model,
            verbose=verbose,
            epochs=epochs,
            steps=left,
        )
        self.begun, self.steps = False, steps
        self.means = model._running_means()

    def on_train_begin(self, logs=None):
        if not self.begun:
            self.begun = True
            super().on_train_begin(logs)

    def on_epoch_begin(self, epoch, logs=None):
        if self.means is not None:  # Keras has just set them to zero
            self.model._set_running_means(self.means)
            self.means = None
        else:
            self.set_params({**self.params, "steps": self.steps})
        super().on_epoch_begin(epoch, logs)

    def on_train_end(self, logs=None):
        self.logs = logs

    def end(self):
        super().on_train_end(self.logs)
        return self.model.history


def _flat(callbacks):
    """The callbacks that `fit` was given as a list: one, nested lists or a `CallbackList`."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks.callbacks
    return keras.tree.flatten(callbacks) if callbacks else []


def _seeded_normal(n, seed, width, stream=0):
    """Standard normal numbers, float32 (n, width), of the seeds that `generate` takes, in a stream of their own."""
    seed = random.randrange(2**31) if seed is None else seed
    if np.ndim(seed) == 0:
        if not is_whole(n, 1):
            raise ConfigurationError(f"Expected n, how many images to generate, 1 or more. Received: n={n!r}.")
        seeds, width_of_one = [seed], n * width
    else:
        seeds, width_of_one = np.asarray(seed).tolist(), width
        if n not in (None, len(seeds)) or not seeds:
            raise ConfigurationError(f"Expected one seed an image. Received: n={n!r} and {len(seeds)} seeds.")
    normal = engine.seeded_normal([_checked_seed(s) ^ stream for s in seeds], width_of_one)
    return np.asarray(normal).reshape(-1, width)


def _checked_seed(seed, allowed=range(-(2**63), 2**63)):
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or int(seed) not in allowed:
        raise ConfigurationError(
            f"Expected a seed that is a whole number from {allowed[0]} to {allowed[-1]}. Received: {seed!r}."
        )
    return int(seed)


def check_encoder(name, encoder, image_shape, *widths):
    """Raises a `ConfigurationError` unless `encoder` is a built Keras model from images to (N, one of the widths)."""
    if not (isinstance(encoder, keras.Model) and encoder.built):
        raise ConfigurationError(f"Expected {name} to be a built Keras model. Received: {encoder!r}.")
    taken, made = encoder.input_shape[1:], encoder.output_shape[1:]
    if taken != image_shape or made not in [(width,) for width in widths]:
        wanted = " or ".join(str((width,)) for width in widths)
        raise ConfigurationError(
            f"Expected {name} to map images {image_shape} to {wanted}. Received: one from {taken} to {made}."
        )


def _check_networks(generator, discriminator, label_space, judged_shapes, logits):
    if label_space is not None:
        check_label_space(label_space)
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        if not (isinstance(network, keras.Model) and network.built) and not (
            name == "discriminator" and network is None
        ):
            raise ConfigurationError(f"Expected {name} to be a built Keras model. Received: {network!r}.")
        if network is not None:
            check_reference_batch(name, network)
    shapes = generator.input_shape if isinstance(generator.input_shape, list) else [generator.input_shape]
    if label_space is None and (len(shapes) != 1 or len(shapes[0]) != 2):
        raise ConfigurationError(f"Expected a generator of latents (N, latent_dim). Received: {generator.input_shape}.")
    if shapes[0][-1] == 0:
        raise ConfigurationError("Expected a latent_dim of 1 or more. Received: 0. All images would be the same.")
    if label_space is not None and (len(shapes) != 2 or len(shapes[0]) != 2 or shapes[1] != (None, label_space.size)):
        raise ConfigurationError(
            f"Expected a generator of latents (N, latent_dim) and of labels (N, {label_space.size}), since they are "
            f"{label_space}. Received: {generator.input_shape}."
        )
    if discriminator is None:
        return
    expected, shapes = judged_shapes(generator), discriminator.input_shape
    received = [shape[1:] for shape in shapes] if isinstance(shapes, list) else shapes[1:]
    if expected != received:
        raise ConfigurationError(
            f"Expected a discriminator that takes what the generator makes, {expected}. Received: one for {received}."
        )
    if len(discriminator.output_shape) != 2 or logits not in (None, discriminator.output_shape[1]):
        wanted = "logits (N, K)" if logits is None else "one logit an image, (N, 1)"
        raise ConfigurationError(f"Expected a discriminator with {wanted}. Received: {discriminator.output_shape}.")
    bounded = _bounded_by(discriminator)
    if bounded is not None:
        raise ConfigurationError(
            f"Expected a discriminator that ends in logits. Received: one that ends in {bounded}. Remove it: the "
            "losses contain what makes probabilities of logits."
        )


def _bounded_by(network):
    """The name of the function that keeps a network's outputs from being logits; None where none is seen."""
    for step in reversed(getattr(network, "operations", network.layers)):
        while isinstance(step, keras.layers.Wrapper):
            step = step.layer
        if isinstance(step, keras.Model):
            return _bounded_by(step)
        name = getattr(getattr(step, "activation", None), "__name__", type(step).__name__).lower()
        if name in BOUNDED:
            return name
        if not isinstance(step, (keras.layers.Activation, keras.layers.Flatten, keras.layers.Reshape)):
            return None
    return None
