"""The base of every variant: players and their networks, optimizers, the mechanics of a step."""

import contextlib

import keras
from keras import ops

from keras_gans import checking, engine, fitting, guards, sampling, saving
from keras_gans.batch_statistics import judged_by_batch
from keras_gans.data.loading import load
from keras_gans.errors import ConfigurationError
from keras_gans.fields import uniform_of
from keras_gans.layers import Averages
from keras_gans.layers.slots import Slots
from keras_gans.networks.checks import check_built, check_dtypes
from keras_gans.optimizers import FusedAdam, OptimizerGroup, optimizer_of, with_loss_scale
from keras_gans.phases import Phase
from keras_gans.presets import reading, writing
from keras_gans_core.checks import is_number, is_whole

# What `keras.Model.compile` takes and no game has a use for, and what there is instead.
INSTEAD = {
    "optimizer": "Pass g_optimizer and d_optimizer, one for each player.",
    "loss": "The variant defines both players' losses; kg.losses has others, for a variant of your own.",
    "loss_weights": "A variant has its weights as arguments of its own, such as gp_weight.",
    "metrics": "Pass kg.callbacks.EvaluateGenerator to fit, or measure with keras_gans.metrics.",
    "weighted_metrics": "Pass kg.callbacks.EvaluateGenerator to fit, or measure with keras_gans.metrics.",
    "auto_scale_loss": "Under mixed_float16 each optimizer has its own loss scale: pass your own LossScaleOptimizer.",
}


class AdversarialModel(keras.Model):
    """A game between two players, trained by `fit` and sampled by `generate`.

    A variant declares its networks and fields, and defines its losses, `train_step` and `paper_optimizers`:

    - `players`: {player: names of the attributes that hold its networks}. An attribute may be a list of networks.
      `g_optimizer` updates the first player, `d_optimizer` the second.
    - `averaged`: the attributes whose networks `ema_decay` averages. A model cannot do without the first.
    - `kept`: the attributes that a preset keeps: what sampling and encoding need.
    - `batch_fields`, `input_fields`, `output_fields`: {name: field} of what `fit` takes, what `sample` takes and
      what `sample` returns; see `keras_gans.fields`.

    Args:
        batch_fields, input_fields, output_fields: see above.
        discriminator_steps: discriminator updates for each generator update; a batch is split among them, so that
            each sees fresh examples.
        ema_decay: decay in [0, 1) of the exponential moving average of the generator's weights that `generate`, the
            zoo and exports use; None keeps none. See `keras_gans.layers.Averages`.
        seed: whole number that determines the run's noise; None draws one from Python's generator, which
            `keras.utils.set_random_seed` seeds.
        name, dtype: as in `keras.Model`; the dtype policy is the first network's by default.
        networks: the networks by name; one that sampling does not need may be None, as in the zoo.

    Raises:
        ConfigurationError: networks that are not built Keras models, or numbers out of range.
    """

    players = {"generator": ("generator",), "discriminator": ("discriminator",)}
    averaged = ("generator",)
    kept = ("generator",)
    log_names = ("d_loss", "g_loss")
    evaluation_names = ()  # names of further numbers that `batch_losses` returns
    optional_fields = ()  # names in `batch_fields` that a batch may lack
    packing = 1  # examples that the discriminator judges together: a batch must hold whole packs
    optional_inputs = ()  # names in `input_fields` that `sample` can do without
    label_space = None  # what the labels of a conditional model are
    shown_examples = None  # {name: values}: a few examples that `fit` was last given, for pictures
    ways = {}  # {name: inputs}: further signatures of an export, each with some of the inputs
    presets = reading.Presets()  # {name: {"metadata": summary of its card}} of the class and of those under it

    def __init__(
        self,
        *,
        batch_fields,
        input_fields,
        output_fields,
        discriminator_steps=1,
        ema_decay=None,
        seed=None,
        name=None,
        dtype=None,
        **networks,
    ):
        unknown = set(networks) - {*self.kept, *(name for names in self.players.values() for name in names)}
        if unknown:
            raise TypeError(f"{type(self).__name__} got an unexpected keyword argument {min(unknown)!r}.")
        for attribute, held in networks.items():
            for network in held if isinstance(held, (list, tuple)) else [held]:
                if network is not None or attribute == self.averaged[0]:
                    check_built(attribute, network)
        if not is_whole(discriminator_steps, 1):
            raise ConfigurationError(f"Expected discriminator_steps of 1 or more. Received: {discriminator_steps!r}.")
        if ema_decay is not None and not (is_number(ema_decay, 0.0) and ema_decay < 1.0):
            raise ConfigurationError(f"Expected an ema_decay in [0, 1) or None. Received: {ema_decay!r}.")
        first = keras.tree.flatten(networks[self.averaged[0]])[0]
        super().__init__(name=name, dtype=first.dtype_policy if dtype is None else dtype)
        for attribute, network in networks.items():
            setattr(self, attribute, network)
        check_dtypes(self)
        self.batch_fields, self.input_fields, self.output_fields = batch_fields, input_fields, output_fields
        self.discriminator_steps, self.ema_decay = discriminator_steps, ema_decay
        self.seed = sampling.checked_run_seed(seed)
        self.latent_seeds = keras.random.SeedGenerator(self.seed)
        self.evaluation_seeds = keras.random.SeedGenerator(self.seed + 1)  # so that validating changes no training
        self.step = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="step")
        if ema_decay is not None:
            self.ema = Averages(self.networks(*self.averaged), ema_decay, name="ema")
        self.slots = Slots(name="slots")
        self.trackers = {name: keras.metrics.Mean(name=name) for name in (*self.log_names, *self.evaluation_names)}
        self.penalties = {player: {} for player in self.players}  # terms that callbacks add to each player's loss
        self.after_step = {player: {} for player in self.players}  # functions called after each player's update
        self.g_optimizer = self.d_optimizer = None
        self.built = True
        engine.adapt(self)

    # Networks

    def networks(self, *names):
        """The networks that the attributes `names` hold, in order; None is left out."""
        held = [getattr(self, name, None) for name in names]
        return [network for network in keras.tree.flatten(held) if network is not None]

    def player_variables(self, player):
        """The trainable variables that an update of `player` changes."""
        return [v for network in self.networks(*self.players[player]) for v in network.trainable_variables]

    def averages_in_use(self):
        """A context in which networks compute with the moving averages of their weights, if the model keeps them."""
        return contextlib.nullcontext() if self.ema_decay is None else self.ema.in_use()

    # Compiling

    def paper_optimizers(self):
        """The optimizers of the paper: {player: optimizer}."""
        return {player: FusedAdam(2e-4, beta_1=0.5) for player in self.players}

    def compile(
        self,
        g_optimizer=None,
        d_optimizer=None,
        *,
        jit_compile="auto",
        run_eagerly=False,
        steps_per_execution=1,
        **others,
    ):
        """Sets the players' optimizers; without arguments it uses the paper's.

        Args:
            g_optimizer, d_optimizer: Keras optimizers or their names; None for the paper's. Under the dtype policy
                mixed_float16 each gets its own dynamic loss scale.
            jit_compile, run_eagerly, steps_per_execution: as in `keras.Model.compile`. What else that takes is refused.

        Raises:
            ConfigurationError: one optimizer for both players; a loss, metrics or another argument of Keras that has no
                use here; a model without the networks that training needs; or options that Keras does not support when
                several replicas share a batch.
        """
        for name in others:
            if name not in INSTEAD:
                raise TypeError(f"compile() got an unexpected keyword argument {name!r}.")
            if others[name] is not None:
                raise ConfigurationError(
                    f"Expected compile() without {name}. Received: {name}={others[name]!r}. {INSTEAD[name]}"
                )
        names = [name for player in self.players.values() for name in player]
        present = [name for name in names if getattr(self, name) is not None]
        if present != names:
            raise ConfigurationError(
                f"Expected {', '.join(names)} to train. Received: only {', '.join(present)}, which samples. Build "
                f"{type(self).__name__} from scratch, or with {present[0]}=this.{present[0]} and the other networks."
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
        first, second = self.players
        paper = self.paper_optimizers()
        g_optimizer = optimizer_of("g_optimizer", paper[first] if g_optimizer is None else g_optimizer)
        d_optimizer = optimizer_of("d_optimizer", paper[second] if d_optimizer is None else d_optimizer)
        self.g_optimizer = with_loss_scale(g_optimizer, self.dtype_policy)
        self.d_optimizer = with_loss_scale(d_optimizer, self.dtype_policy)
        # Built now, because Keras restores the state of built optimizers only.
        self.g_optimizer.build(self.player_variables(first))
        self.d_optimizer.build(self.player_variables(second))
        self.optimizer = OptimizerGroup([self.g_optimizer, self.d_optimizer])

    def make_train_function(self, force=False):
        if force or self.train_function is None:
            engine.adapt(self)  # JAX does not recompile when what a function reads has changed: make a new one
        super().make_train_function(force)

    # The mechanics of a step

    def encode_batch(self, data):
        """A batch that `fit` takes, encoded for the networks: {name: tensor}.

        If a batch is too small for the discriminator's updates, its rows are repeated.
        """
        named = checking.named(data, self.batch_fields)
        return {name: self.enough(self.batch_fields[name].encode(values)) for name, values in named.items()}

    @property
    def smallest_batch(self):
        """The fewest examples that a batch may have: a pack for each discriminator update."""
        return self.packing * self.discriminator_steps

    def enough(self, rows):
        """`rows`, repeated if there are fewer than `smallest_batch`."""
        if self.smallest_batch > 1:  # the last batch of an epoch may be smaller: its rows are repeated
            count, least = ops.shape(rows)[0], self.smallest_batch
            chosen = ops.arange(max(count, least) if isinstance(count, int) else ops.maximum(count, least)) % count
            rows = ops.take(rows, chosen, axis=0)
        return rows

    def shares(self, *batch):
        """A batch split among the discriminator's updates: yields each update's rows of every tensor in `batch`.

        A single tensor gives tensors, several give tuples of them.
        """
        k = self.discriminator_steps
        for i in range(k):
            rows = tuple(tensor[i::k] for tensor in batch)
            yield rows if len(rows) > 1 else rows[0]

    def latents_like(self, examples, training=True):
        """Fresh latents, as many as there are examples; outside training from a seed that training does not use."""
        seeds = self.latent_seeds if training else self.evaluation_seeds
        return self.prior(engine.normal((ops.shape(examples)[0], self.latent_dim), seeds))

    def uniform_like(self, examples, training=True):
        """Fresh numbers from U[0, 1], one for each example, (N, 1, 1, 1); see `latents_like` for `training`."""
        return self.uniform((ops.shape(examples)[0], *[1] * (len(examples.shape) - 1)), training)

    def uniform(self, shape, training=True):
        """Fresh numbers from U[0, 1] of a shape that begins with the count of examples."""
        return uniform_of(engine.normal(shape, self.latent_seeds if training else self.evaluation_seeds))

    def score(self, examples, training=True):
        """The discriminator's logits, float32 (N, ...), for images or whatever else it judges."""
        return ops.cast(self.discriminator(examples, training=training), "float32")

    def record(self, latents):
        """The generator's forward pass, recorded: `minimize("generator", loss_fn, recorded)` goes back through it."""
        return self.record_pass(lambda: self.generator(latents, training=True))

    def record_pass(self, forward):
        """`record` for a player of several networks: `forward()` returns a tensor or a list of them."""
        return Recorded(*engine.forward(forward, self.player_variables("generator")))

    def minimize(self, player, loss_fn, *inputs):
        """One optimizer step of `player` on `loss_fn(*inputs)`; no other player's weights change.

        Args:
            player: a name in `players`.
            loss_fn: function from the inputs to a scalar; or to a vector, whose first number is the loss and whose
                others are for the logs.
            inputs: tensors or lists of them; or one `Recorded`, whose outputs `loss_fn` gets and whose forward pass is
                reused.

        Returns:
            What `loss_fn` returned before the step. The callbacks' penalties are not included.
        """
        variables = self.player_variables(player)
        optimizer = self.g_optimizer if player == next(iter(self.players)) else self.d_optimizer
        replicas = engine.replica_count()

        def scale(loss):  # replicas' gradients are summed; float16 needs large losses
            loss = loss[0] if len(loss.shape) else loss
            return optimizer.scale_loss(loss / replicas if replicas > 1 else loss)

        if inputs and isinstance(inputs[0], Recorded):
            loss, gradients = inputs[0].backward(loss_fn, scale)
        else:
            loss, gradients = engine.value_and_grad(lambda: loss_fn(*inputs), variables, scale)
        for penalty in self.penalties[player].values():
            _, more = engine.value_and_grad(penalty, variables, scale)
            gradients = [a + b for a, b in zip(gradients, more)]
        engine.apply_gradients(optimizer, gradients, variables)
        if player == "generator" and self.ema_decay is not None:
            self.ema.update(self.step)
        for update in self.after_step[player].values():
            update()
        return loss

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

    # Defaults for one generator and one discriminator; other variants override them

    def batch_losses(self, images):
        """The losses of an encoded batch without training: {"d_loss": ..., "g_loss": ...}, in inference mode.

        `evaluate` and the doctor call it inside `keras_gans.batch_statistics.judged_by_batch`.
        """
        fake = self.generator(self.latents_like(images, training=False), training=False)
        return {
            "d_loss": self.discriminator_loss(images, fake, training=False),
            "g_loss": self.generator_loss(fake, training=False),
        }

    def batch_scores(self, images, **others):
        """The logits of real and of generated examples for an encoded batch, in inference mode: two tensors (N, ...).

        None if the discriminator takes other inputs besides the examples.
        """
        if isinstance(self.discriminator.input_shape, list):
            return None
        fake = self.generator(self.latents_like(images, training=False), training=False)
        return self.score(images, training=False), self.score(fake, training=False)

    def compute_outputs(self, inputs, training=False):
        """The networks' outputs for encoded inputs: a tensor, or {name: tensor} if there are several outputs.

        Args:
            inputs: {name: tensor} of `input_fields`, or only the tensors, in that order.
        """
        inputs = sampling.in_order(inputs, self.input_fields)
        return self.generator(inputs if len(inputs) > 1 else inputs[0], training=training)

    def call(self, inputs, training=False):
        """`compute_outputs` with the averages of the weights, if the model keeps them; what `predict` returns."""
        with self.averages_in_use():
            return self.compute_outputs(inputs, training=training)

    # Fitting and evaluating

    def fit(self, x=None, y=None, **options):
        """Trains on examples; `keras.Model.fit` with checked data.

        Args:
            x: values of `batch_fields`, such as uint8 images or floats in [-1, 1]: an array of the first field; a dict
                of arrays by the fields' names; a `tf.data.Dataset` or any other iterable that Keras's `fit` takes, of
                values of the first field, of tuples in the order of the fields, or of dicts by their names (or the
                singular: TFDS's "image"); or what `kg.data.load` returns, which continues at the model's step count.
            y: values of the second field, such as labels, if x is an array; a model without a second field ignores
                them.
            options: those of `keras.Model.fit`; these differ:
                initial_epoch: how many of the `epochs` are done. If the model has begun the next epoch, as after
                `kg.callbacks.resume`, the rest of that epoch comes first, and its logs cover the whole epoch. None,
                the default, starts with a whole epoch. Arrays and what `kg.data.load` returns go on with the very
                batches that an uninterrupted run would see. So do a `PyDataset`, a `tf.data.Dataset` and a `DataLoader`
                whose batches follow from their place alone; of others a warning says why they will be different.
                shuffle: whether to shuffle arrays before each epoch; yes by default. Their order follows from
                NumPy's generator, which `keras.utils.set_random_seed` seeds; the model's file keeps it.
                callbacks: one whose work is to act on losses that are not finite acts instead of the error below:
                Keras's `TerminateOnNaN`, `kg.callbacks.GANDoctor` with `rollback` or `stop`.

        Returns:
            Keras's `History`.

        Raises:
            DataError: data that the model cannot be trained on; see the fields' `check`. Arrays are checked before the
                first step, each batch of other data when it is read.
            DivergenceError: a loss that is not finite, after its step, or a weight, after its epoch.
            ConfigurationError: the model is not compiled; class or sample weights, which no variant uses; or other
                arguments that would do nothing, such as a batch_size for data with batches of their own.

        Warns:
            UserWarning: a run that is resumed with data that may come in another order, or whose length is not known.
        """
        return fitting.fit(self, super().fit, x, y, **options)

    def evaluate(self, x=None, y=None, **options):
        """The losses on data, without training; `keras.Model.evaluate` with checked data.

        Networks run in inference mode, but the discriminator's batch norms use each batch's statistics, as in training.
        """
        return fitting.evaluate(self, super().evaluate, x, y, **options)

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """One training step on a batch, checked as in `fit`; `keras.Model.train_on_batch`."""
        x = fitting.check_batch(self, x, y, {"sample_weight": sample_weight, "class_weight": class_weight})
        return super().train_on_batch(x, y, return_dict=return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """The losses on a batch, checked as in `evaluate`; `keras.Model.test_on_batch`."""
        x = fitting.check_batch(self, x, y, {"sample_weight": sample_weight})
        return super().test_on_batch(x, y, return_dict=return_dict)

    def test_step(self, data):
        with judged_by_batch(self):
            return self._averaged(self.batch_losses(**self.encode_batch(data)))

    # Sampling

    def sample(self, **inputs):
        """The model's outputs for given inputs, in one compiled function; `generate` and exports are built on it.

        Args:
            inputs: values of `input_fields` by name, arrays (N, ...), such as noise=standard normal numbers.

        Returns:
            {name: array} of `output_fields`, such as {"images": uint8 (N, height, width, channels)}.

        Example:

        >>> gan = kg.GAN(image_shape=(8, 8, 1), latent_dim=4)
        >>> gan.sample(noise=np.zeros((2, 4), "float32"))["images"].shape
        (2, 8, 8, 1)
        """
        return sampling.sample(self, sampling.checked_inputs(self, inputs))

    def generate(self, n=None, seed=None, **inputs):
        """New examples: draws the inputs that are not given, then samples.

        With `ema_decay`, networks compute with the averages of their weights, but with batch norm's moving statistics
        of the weights themselves. Presets, exports, `SampleGrid` and `EvaluateGenerator` compute the statistics of the
        averages, and so does `kg.zoo.sampler(model).generate(...)`.

        Args:
            n: how many; may be left out if `seed` or an input is a list.
            seed: a whole number for the whole batch; or a list of whole numbers, one per example, where each example is
                the same in any batch; None for different examples at each call. The first example of seed s is that of
                [s], and the first examples do not depend on n, both up to a grey level of rounding.
            inputs: values of `input_fields`: noise=standard normal numbers (n, latent_dim) instead of a seed; labels=
                for a conditional model, one for all or one per example; images for a model that changes images.

        Returns:
            The values of the output field, such as uint8 images (n, height, width, channels); {name: array} if there
            are several outputs.

        Raises:
            ConfigurationError: an invalid n, seed or noise, unknown or missing inputs, or not one value per example.
            DataError: values that their field refuses.

        Example:

        >>> images = kg.GAN(image_shape=(8, 8, 1), latent_dim=4).generate(2, seed=0)
        >>> images.shape, images.dtype.name
        ((2, 8, 8, 1), 'uint8')
        """
        return sampling.generate(self, n, seed, inputs)

    def draw(self, name, n=None, seed=None):
        """The values of an input that `generate(n, seed)` draws.

        Args:
            name: an input that can be drawn, such as "noise" or "labels".
            n, seed: see `generate`.

        Returns:
            An array (n, ...) of the field's values; None if the model has no such input.

        Raises:
            ConfigurationError: an invalid n or seed.
        """
        return sampling.draw(self, name, n, seed)

    def noise(self, n=None, seed=None):
        """The standard normal noise that `generate(n, seed)` starts from, float32 (n, latent_dim)."""
        return self.draw("noise", n, seed)

    def prior(self, noise):
        """The latents for standard normal `noise` (N, latent_dim): what the generator takes."""
        return self.input_fields["noise"].encode(noise)

    @property
    def latent_dim(self):
        """The length of the noise vector that an example is made from; None for a model without noise."""
        return self.input_fields["noise"].size if "noise" in self.input_fields else None

    @property
    def image_shape(self):
        """(height, width, channels) of the images that the model makes."""
        return next(iter(self.output_fields.values())).shape

    # Data

    @classmethod
    def load_data(cls, source, **options):
        """`Batches` for `fit`; see `kg.data.load`."""
        return load(source, **options)

    @classmethod
    def for_data(cls, dataset, **options):
        """The variant with its paper's networks for what `load_data` returned."""
        return cls(image_shape=dataset.image_shape, **options)

    def phases(self, dataset, epochs):
        """The phases of training on `dataset`, a list of `keras_gans.phases.Phase`: by default one with all epochs."""
        return [Phase(dataset, epochs)]

    # Presets

    @classmethod
    def from_preset(cls, preset, *, trainable=False, safe_mode=True, large=False):
        """The pretrained model `preset` of this class or one under it; see `kg.load`, which takes any class.

        Raises:
            UnknownPresetError: also a preset of another class.

        Example:

        >>> kg.DCGAN.from_preset("dcgan_mnist").image_shape
        (28, 28, 1)
        >>> kg.DCGAN.presets["dcgan_mnist"]["metadata"]["description"]
        'Handwritten digits, 28x28, from a small DCGAN'
        """
        return reading.load(cls, preset, trainable, safe_mode, large)

    def save_to_preset(self, folder, card=None, *, examples=None, trainable=False):
        """Writes a preset, which `kg.load(folder)` reads and `kg.upload_preset` shares.

        It is `model.keras` with what sampling needs, `golden.npz`, `samples.png`, `card.json`, and a model card
        `README.md`. They replace an earlier preset at once.

        Args:
            folder: the preset's folder; its name is the preset's.
            card: what the card says in addition to what the model knows: a dict, with such entries as "title",
                "license", "limits", "not_good_for", "dataset": {"name": ..., "license": ...}.
            examples: {name: values} of inputs that cannot be drawn, such as images to translate; by default those that
                `fit` was last given.
            trainable: whether the preset also keeps the networks that training needs, such as the discriminator.

        Raises:
            OutputError: a file that cannot be written.
            ConfigurationError: no examples of an input that cannot be drawn; a card that cannot be read again; or a
                trainable preset of a model that lacks networks.
        """
        writing.save_to_preset(self, folder, card, examples, trainable)

    # Saving

    @property
    def hyper_parameters(self):
        """The settings of the variant's objective, `{name: value}`, for cards; see `keras_gans.saving`."""
        return saving.hyper_parameters(self)

    def get_config(self):
        return saving.get_config(self)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return saving.from_config(cls, config, custom_objects)

    def get_compile_config(self):
        return saving.get_compile_config(self)

    def export(self, *args, **kwargs):
        """Refuses: Keras's export would leave out the fields and the averages, which `kg.export` knows."""
        raise ConfigurationError(
            "Expected kg.export(model, folder), which serves seeds, noise and labels and returns images. Received: "
            "model.export. One network alone is exported by model.generator.export(folder)."
        )

    def quantize(self, *args, **kwargs):
        """Refuses: the averages and the optimizers would no longer fit the networks."""
        raise ConfigurationError(
            "Expected to quantize one network: model.generator.quantize(...), in a model that is not trained on. "
            "Received: model.quantize."
        )

    def save(self, filepath, *args, **kwargs):
        """Saves the whole state of the training in a `.keras` file; `keras.Model.save`.

        Raises:
            ConfigurationError: an older format, `.h5`.
            DivergenceError: weights that are not finite, where there is a file already: it stays as it is.
        """
        if str(filepath).endswith((".h5", ".hdf5")):
            raise ConfigurationError(
                f"Expected a file name that ends in .keras. Received: {str(filepath)!r}. The weights alone go into "
                'model.save_weights("name.weights.h5").'
            )
        guards.check_overwriting(self, filepath)
        super().save(filepath, *args, **kwargs)
        engine.forget_kernels()

    def save_weights(self, filepath, *args, **kwargs):
        """Saves the weights alone; `keras.Model.save_weights`. As with `save`, good ones are not written over."""
        guards.check_overwriting(self, filepath)
        return super().save_weights(filepath, *args, **kwargs)

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

    def save_own_variables(self, store):
        sampling.settle_averages(self)
        super().save_own_variables(store)
        saving.save_states(self, store)

    def load_own_variables(self, store):
        super().load_own_variables(saving.without_states(self, store))
        saving.load_states(self, store)


class Recorded:
    """The outputs of a forward pass, a tensor or a list of them, and a function that backpropagates through it."""

    def __init__(self, outputs, backward):
        self.outputs, self.backward = outputs, backward
