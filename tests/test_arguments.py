"""Every argument of Keras's `fit`, `compile` and optimizers works or is refused; so does every way out of a model."""

import inspect

import keras
import numpy as np
import pytest
from contract import equal, values
from keras import layers, ops

import keras_gans as kg
from keras_gans.callbacks import OfPlayer
from keras_gans.errors import ConfigurationError, DataError, KerasGansError

SGD = keras.optimizers.SGD
IMAGES = np.random.default_rng(0).integers(0, 256, (24, 4, 4, 1)).astype("uint8")


def game(first=None, second=None, **options):
    """A game of two small networks, the same at every call."""
    keras.utils.set_random_seed(0)
    generator = keras.Sequential([keras.Input((2,)), layers.Dense(16), layers.Reshape((4, 4, 1))])
    discriminator = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(1)])
    gan = kg.GAN(generator, discriminator, seed=1, ema_decay=options.pop("ema_decay", None))
    gan.compile(first or SGD(0.1), second or SGD(0.1), **options)
    return gan


def fit(gan, x=IMAGES, y=None, **options):
    options = {"batch_size": 8, "shuffle": False, "verbose": 0, **options}
    return gan.fit(x, y, **options)


def trained(optimizer, steps=4, **options):
    """How far each weight of the generator moves in some steps, and what it was."""
    gan = game(optimizer, **options)
    before = np.concatenate([w.ravel() for w in values(gan.generator.weights)])
    fit(gan, epochs=-(-steps // 3), steps_per_epoch=min(steps, 3))
    return np.concatenate([w.ravel() for w in values(gan.generator.weights)]) - before, before


def norm(moved):
    return float(np.linalg.norm(moved))


# Optimizers: what each argument does to the generator's weights

PLAIN = {}


def plain(steps=4):
    if steps not in PLAIN:
        PLAIN[steps] = trained(SGD(0.1), steps)[0]
    return PLAIN[steps]


OPTIMIZERS = {
    "learning_rate": lambda: np.allclose(trained(SGD(0.05), 1)[0], plain(1) / 2, atol=1e-7),
    "a schedule": lambda: (
        not trained(SGD(keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.1, 0.0])), 4)[0][
            np.abs(plain(1)) < 1e-12
        ].any()
    ),
    "weight_decay": lambda: np.allclose(
        trained(SGD(0.1, weight_decay=0.1), 1)[0], plain(1) - 0.01 * trained(SGD(0.1), 1)[1], atol=1e-6
    ),
    "clipnorm": lambda: norm(trained(SGD(0.1, clipnorm=1e-4), 1)[0]) < 2e-5 < norm(plain(1)),
    "clipvalue": lambda: np.abs(trained(SGD(0.1, clipvalue=1e-4), 1)[0]).max() <= 1.1e-5,
    "global_clipnorm": lambda: np.isclose(norm(trained(SGD(0.1, global_clipnorm=1e-3), 1)[0]), 1e-4, rtol=1e-2),
    "loss_scale_factor": lambda: np.allclose(trained(SGD(0.1, loss_scale_factor=64.0))[0], plain(), atol=1e-6),
    "gradient_accumulation_steps": lambda: (
        not trained(SGD(0.1, gradient_accumulation_steps=2), 1)[0].any()
        and trained(SGD(0.1, gradient_accumulation_steps=2), 2)[0].any()
    ),
    "use_ema and ema_overwrite_frequency": lambda: (
        0.0
        < norm(trained(SGD(0.1, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=1), 2)[0])
        < 0.5 * norm(plain(2))
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizers_argument_has_its_effect(name):
    assert OPTIMIZERS[name]()


def test_every_argument_of_an_optimizer_is_tried():
    found = set(inspect.signature(SGD.__init__).parameters) - {"self", "name", "kwargs", "momentum", "nesterov"}
    tried = {*OPTIMIZERS, "use_ema", "ema_momentum", "ema_overwrite_frequency"}
    assert found <= tried, found - tried


@pytest.mark.parametrize("wrap", [lambda one: one, keras.optimizers.LossScaleOptimizer])
def test_averages_that_nothing_would_use_are_refused(wrap):
    with pytest.raises(ConfigurationError, match="ema_decay=0.9, which generate uses"):
        game(wrap(keras.optimizers.Adam(use_ema=True, ema_momentum=0.9)))


# compile


@pytest.mark.parametrize(
    "options",
    [{"run_eagerly": True}, {"jit_compile": False}, {"jit_compile": True}, {"steps_per_execution": 2}],
    ids=str,
)
def test_a_step_is_the_same_in_every_way_to_run_it(options):
    if options.get("jit_compile") and keras.backend.backend() == "torch":
        pytest.skip("PyTorch's compiler takes a minute")
    gan, other = game(), game(**options)
    for one in (gan, other):
        fit(one)
        assert int(one.step) == 3
    for a, b in zip(values(gan.weights), values(other.weights)):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"optimizer": "adam"}, "Pass g_optimizer and d_optimizer"),
        ({"loss": "mse"}, "defines both players' losses"),
        ({"loss_weights": [1.0]}, "such as gp_weight"),
        ({"metrics": ["mae"]}, "EvaluateGenerator"),
        ({"weighted_metrics": ["mae"]}, "EvaluateGenerator"),
        ({"auto_scale_loss": False}, "LossScaleOptimizer"),
    ],
    ids=str,
)
def test_what_compile_has_no_use_for_is_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        game(**options)


def test_every_argument_of_compile_is_known():
    known = set(inspect.signature(kg.GAN.compile).parameters) | {*kg.model.INSTEAD}
    assert set(inspect.signature(keras.Model.compile).parameters) <= known
    with pytest.raises(TypeError, match="unexpected keyword argument 'los'"):
        game(los="mse")


# fit


def steps(gan):
    return int(ops.convert_to_numpy(gan.step))


def batches(**options):
    return kg.data.Batches(IMAGES, batch_size=8, **options)


class Rows(keras.utils.PyDataset):
    @property
    def num_batches(self):
        return 3

    def __getitem__(self, index):
        return (IMAGES[index * 8 :][:8],)


# Name: (arguments, whether they had their effect, from the model and the history).
WORKING = {
    "batch_size": ({"batch_size": 12}, lambda gan, history: steps(gan) == 2),
    "epochs": ({"epochs": 2}, lambda gan, history: steps(gan) == 6),
    "initial_epoch": ({"epochs": 3, "initial_epoch": 1}, lambda gan, history: history.epoch == [1, 2]),
    "steps_per_epoch": ({"steps_per_epoch": 2}, lambda gan, history: steps(gan) == 2),
    "validation_split": ({"validation_split": 1 / 3}, lambda gan, h: steps(gan) == 2 and "val_d_loss" in h.history),
    "validation_data": ({"validation_data": IMAGES}, lambda gan, history: "val_g_loss" in history.history),
    "validation_freq": (
        {"validation_data": IMAGES, "validation_freq": 2, "epochs": 2},
        lambda gan, history: len(history.history["val_g_loss"]) == 1,
    ),
    "validation_steps": (
        {"validation_data": IMAGES, "validation_steps": 1, "validation_batch_size": 4},
        lambda gan, history: "val_g_loss" in history.history,
    ),
    "callbacks": (
        {"epochs": 9, "callbacks": keras.callbacks.EarlyStopping("g_loss", mode="min", min_delta=1e9, patience=1)},
        lambda gan, history: len(history.epoch) == 2,
    ),
    "verbose": ({"verbose": 2}, lambda gan, history: steps(gan) == 3),
    "sample_weight": ({"sample_weight": None}, lambda gan, history: steps(gan) == 3),
    "shuffle": ({"shuffle": True}, lambda gan, history: steps(gan) == 3),
    "of batches": ({"x": batches(), "batch_size": None, "shuffle": None}, lambda gan, history: steps(gan) == 3),
    "of a PyDataset": ({"x": Rows(), "batch_size": None, "shuffle": True}, lambda gan, history: steps(gan) == 3),
}

REFUSED = {
    "class_weight": ({"class_weight": {0: 1.0}}, "no class_weight"),
    "sample_weight": ({"sample_weight": np.ones(24)}, "no sample_weight"),
    "weights to validate with": ({"validation_data": (IMAGES, None, np.ones(24))}, "without sample weights"),
    "steps_per_epoch of 0": ({"steps_per_epoch": 0}, "of 1 or more"),
    "more steps than arrays have": ({"steps_per_epoch": 4}, "arrays for 3 of 8"),
    "batch_size of batches": ({"x": batches(), "batch_size": 4}, "no batch_size, since Batches"),
    "batch_size of a PyDataset": ({"x": Rows(), "batch_size": 4}, "no batch_size, since Rows"),
    "y of batches": ({"x": batches(), "y": np.arange(24), "batch_size": None}, "y besides it"),
    "y of a dict": ({"x": {"images": IMAGES}, "y": np.arange(24)}, "Leave y out"),
    "shuffle of batches": ({"x": batches(), "batch_size": None, "shuffle": True}, "an order of its own"),
    "validation_split of batches": ({"x": batches(), "batch_size": None, "validation_split": 0.5}, "Expected arrays"),
    "validation_split of all": ({"validation_split": 1.0}, "examples on both sides"),
}


@pytest.mark.parametrize("name", WORKING)
def test_an_argument_of_fit_has_its_effect(name):
    options, worked = WORKING[name]
    gan = game()
    assert worked(gan, fit(gan, **options))


@pytest.mark.parametrize("name", REFUSED)
def test_an_argument_of_fit_that_would_do_nothing_is_refused(name):
    options, message = REFUSED[name]
    gan = game()
    with pytest.raises((ConfigurationError, DataError), match=message) as caught:
        fit(gan, **options)
    assert steps(gan) == 0 and len(str(caught.value)) < 600


def test_every_argument_of_fit_is_tried():
    found = set(inspect.signature(keras.Model.fit).parameters) - {"self", "x", "y", "args", "kwargs"}
    tried = {name for options, _ in (*WORKING.values(), *REFUSED.values()) for name in options}
    assert found <= tried, found - tried


def test_a_repeated_stream_needs_the_length_of_an_epoch():
    tf = pytest.importorskip("tensorflow")
    stream = tf.data.Dataset.from_tensor_slices(IMAGES).batch(8).repeat()
    with pytest.raises(DataError, match="Expected steps_per_epoch for data without an end"):
        game().fit(stream, verbose=0)
    gan = game()
    gan.fit(stream, steps_per_epoch=2, epochs=2, verbose=0)
    assert steps(gan) == 4


def test_evaluating_refuses_what_it_does_not_use():
    for options in ({"sample_weight": np.ones(24)},):
        with pytest.raises(ConfigurationError, match="no sample_weight"):
            game().evaluate(IMAGES, verbose=0, **options)
    for options in ({"batch_size": 4}, {"y": np.arange(24)}):
        with pytest.raises(ConfigurationError, match="Batches"):
            game().evaluate(batches(), verbose=0, **options)


def test_single_batches_are_checked_too():
    gan = kg.CGAN(image_shape=(8, 8, 1), latent_dim=2, label_space=kg.data.Classes(3))
    gan.compile()
    images = np.zeros((4, 8, 8, 1), "uint8")
    for step in (gan.train_on_batch, gan.test_on_batch):
        with pytest.raises(DataError, match="from 0 to 2"):
            step(images, np.arange(4))
        with pytest.raises(DataError, match="Expected labels in each batch"):
            step(images)
        with pytest.raises(ConfigurationError, match="no sample_weight"):
            step(images, np.arange(4) % 3, sample_weight=np.ones(4))
    logs = gan.train_on_batch({"images": images, "labels": np.arange(4) % 3}, return_dict=True)
    assert set(logs) == {"d_loss", "g_loss"} and steps(gan) == 1
    assert len(gan.test_on_batch(images, np.arange(4) % 3)) == 2


# Callbacks


def rates(gan):
    return [float(ops.convert_to_numpy(optimizer.learning_rate)) for optimizer in (gan.g_optimizer, gan.d_optimizer)]


@pytest.mark.parametrize("player, expected", [("generator", [0.025, 0.1]), ("discriminator", [0.1, 0.025])])
def test_keras_rate_callbacks_act_on_the_player_of_choice(player, expected):
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    gan = game()
    history = fit(gan, epochs=2, callbacks=[OfPlayer(player, scheduler)]).history
    assert rates(gan) == pytest.approx(expected)
    assert history[f"learning_rate_{player}"] == pytest.approx([0.05, 0.025]) and "learning_rate" not in history
    plateau = keras.callbacks.ReduceLROnPlateau("g_loss", mode="min", min_delta=1e9, patience=1, factor=0.5)
    gan = game()
    fit(gan, epochs=3, callbacks=[OfPlayer(player, plateau)])
    assert rates(gan) == pytest.approx(expected)


def test_each_player_may_have_its_own():
    halve, third = (keras.callbacks.LearningRateScheduler(lambda epoch, rate, by=by: rate / by) for by in (2, 4))
    gan = game()
    history = fit(gan, callbacks=[OfPlayer("generator", halve), OfPlayer("discriminator", third)]).history
    assert rates(gan) == pytest.approx([0.05, 0.025])
    assert {"learning_rate_generator", "learning_rate_discriminator"} <= set(history)


def test_what_is_no_player_and_no_callback_is_refused():
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate)
    with pytest.raises(ConfigurationError, match=r"\['generator', 'discriminator'\]. Received: 'critic'"):
        fit(game(), callbacks=[OfPlayer("critic", scheduler)])
    with pytest.raises(ConfigurationError, match="Expected a Keras callback"):
        OfPlayer("generator", lambda epoch: 0.1)


def test_experiment_trackers_read_the_rate_and_the_settings():
    seen = []

    class Tracker(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            optimizer = self.model.optimizer
            seen.append((float(ops.convert_to_numpy(optimizer.learning_rate)), optimizer.get_config()))

    fit(game(SGD(0.25), SGD(0.5)), callbacks=[Tracker()])
    rate, config = seen[0]
    assert rate == 0.25 and [config[f"{i}_learning_rate"] for i in (0, 1)] == [0.25, 0.5]
    with pytest.raises(ConfigurationError, match="Set model.g_optimizer.learning_rate"):
        game().optimizer.learning_rate = 0.1


# Ways out and back in


def test_saving_and_loading_by_keras_methods(tmp_path):
    gan = game(ema_decay=0.5)
    fit(gan)
    gan.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    gan.save_weights(tmp_path / "model.weights.h5")
    other = game(ema_decay=0.5)
    other.load_weights(tmp_path / "model.weights.h5")
    for copy in (loaded, other):
        np.testing.assert_array_equal(copy.generate(4, seed=0), gan.generate(4, seed=0))
        assert equal(values(copy.g_optimizer.variables), values(gan.g_optimizer.variables))
    cloned = keras.models.clone_model(gan)
    assert type(cloned) is kg.GAN and cloned.generator is not gan.generator
    cloned.compile()
    fit(cloned)


def test_showing_a_model_by_keras_methods(tmp_path, capsys):
    gan = game()
    gan.summary()
    shown = capsys.readouterr().out
    assert all(network.name in shown for network in (gan.generator, gan.discriminator))
    pytest.importorskip("pydot")
    keras.utils.plot_model(gan.generator, tmp_path / "generator.png")
    assert (tmp_path / "generator.png").exists()


@pytest.mark.parametrize(
    "do, remedy",
    [
        (lambda gan, folder: gan.save(folder / "model.h5"), "ends in .keras"),
        (lambda gan, folder: gan.export(folder / "served"), "kg.export"),
        (lambda gan, folder: gan.quantize("int8"), "model.generator.quantize"),
    ],
    ids=["h5", "export", "quantize"],
)
def test_what_does_not_fit_a_game_says_what_to_call(do, remedy, tmp_path):
    with pytest.raises(KerasGansError, match=remedy):
        do(game(), tmp_path)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras exports from TensorFlow and JAX")
def test_a_generator_exports_alone(tmp_path):
    tf, gan = pytest.importorskip("tensorflow"), game()
    gan.generator.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    assert served.serve(gan.noise(3, seed=0)).shape == (3, 4, 4, 1)
