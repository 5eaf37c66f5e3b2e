"""Layers and networks of one's own: refused where a file could not be read back, and trusted by an import."""

import os
import random

import forked
import keras
import numpy as np
import pytest
from contract import equal, needs_tensorflow, training_state, values
from keras import layers

import keras_gans as kg
from keras_gans import training
from keras_gans.callbacks import Checkpoint, resume
from keras_gans.errors import CheckpointError, ConfigurationError, UntrustedFileError
from keras_gans.saving import check_readable
from keras_gans_core import trust

BATCHES = kg.data.Batches(np.random.default_rng(0).integers(0, 256, (16, 4, 4, 1)).astype("uint8"), batch_size=8)


@keras.saving.register_keras_serializable("tests")
class Scaled(layers.Layer):
    """A layer with an argument, weights and a complete configuration."""

    def __init__(self, start=1.0, **kwargs):
        super().__init__(**kwargs)
        self.start = start

    def build(self, shape):
        self.scale = self.add_weight(shape=shape[-1:], initializer=keras.initializers.Constant(self.start))

    def call(self, x):
        return x * self.scale

    def get_config(self):
        return {**super().get_config(), "start": self.start}


@keras.saving.register_keras_serializable("tests")
class Forgetful(Scaled):
    """Its configuration has an argument that its constructor does not take."""

    def __init__(self, start=1.0, **kwargs):
        super().__init__(start, **kwargs)

    def get_config(self):
        return {**super().get_config(), "stop": 2.0}


class Unregistered(layers.Layer):
    def call(self, x):
        return x

    def compute_output_shape(self, shape):
        return shape


@keras.saving.register_keras_serializable("tests")
class OwnNetwork(keras.Model):
    """A network as tutorials write it."""

    def __init__(self, shape, **kwargs):
        super().__init__(**kwargs)
        self.shape = tuple(shape)
        self.flat, self.dense = layers.Flatten(), layers.Dense(int(np.prod(self.shape)))
        self.last = layers.Reshape(self.shape)

    def call(self, x):
        return self.last(self.dense(self.flat(x)))

    def get_config(self):
        return {**super().get_config(), "shape": list(self.shape)}


def own_function(x):
    return keras.ops.tanh(x)


@keras.saving.register_keras_serializable("tests")
def registered_function(x):
    return keras.ops.tanh(x)


def network(kind, layer=()):
    """A tiny generator or discriminator with `layer` in it."""
    if kind == "generator":
        return keras.Sequential([keras.Input((3,)), layers.Dense(16), *layer, layers.Reshape((4, 4, 1))])
    return keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), *layer, layers.Dense(1)])


def compiled(generator=None, discriminator=None, **options):
    gan = kg.GAN(generator or network("generator"), discriminator or network("discriminator"), **options)
    gan.compile("adam", "adam")
    return gan


def with_layer(kind, *layer):
    return compiled(**{kind: network(kind, layer)})


UNREADABLE = {
    "a lambda": (lambda: layers.Lambda(lambda x: 2.0 * x), "Received: a lambda"),
    "a lambda as an activation": (lambda: layers.Dense(16, activation=lambda x: 2.0 * x), "Received: a lambda"),
    "an unregistered layer": (Unregistered, "Received: Unregistered, not registered"),
    "an unregistered function in a layer": (lambda: layers.Lambda(own_function), "Received: own_function, not reg"),
    "an unregistered activation": (lambda: layers.Dense(16, activation=own_function), "own_function"),
    "an unregistered layer in a wrapper": (lambda: layers.TimeDistributed(Unregistered()), "Unregistered, not reg"),
    "a configuration of another constructor": (Forgetful, "get_config"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_a_checkpoint_could_not_be_read_with_is_refused_before_training(case, tmp_path):
    kind = "generator" if list(UNREADABLE).index(case) % 2 else "discriminator"
    make, message = UNREADABLE[case]
    layer = [layers.Reshape((1, 16)), make(), layers.Flatten()] if "wrapper" in case else [make()]
    gan = with_layer(kind, *layer)
    with pytest.raises(ConfigurationError, match=message) as refused:
        gan.fit(BATCHES, verbose=0, callbacks=[Checkpoint(tmp_path / "run")])
    assert "register_keras_serializable" in str(refused.value) or "get_config" in str(refused.value)
    assert len(str(refused.value)) < 800  # ten lines of a terminal
    assert int(gan.step) == 0 and not list(tmp_path.rglob("*.keras"))
    if case == "a lambda":
        gan.fit(BATCHES, verbose=0)  # without a file it trains
        assert int(gan.step) == 2


@keras.saving.register_keras_serializable("tests")
class OwnOptimizer(keras.optimizers.SGD):
    pass


class UnregisteredOptimizer(keras.optimizers.SGD):
    pass


class UnregisteredVariant(kg.GAN):
    pass


def test_an_unregistered_variant_is_refused(tmp_path):
    gan = UnregisteredVariant(network("generator"), network("discriminator"))
    gan.compile()
    with pytest.raises(ConfigurationError, match="UnregisteredVariant, not registered"):
        gan.fit(BATCHES, verbose=0, callbacks=[Checkpoint(tmp_path)])


def test_the_librarys_own_parts_are_known_without_reading_them_back(monkeypatch):
    monkeypatch.setattr(kg.saving, "read_model", None)
    for name in ("GAN", "CGAN", "WGANGP", "FGAN", "ImprovedGAN"):
        gan = getattr(kg, name)(image_shape=(8, 8, 1), latent_dim=4)
        gan.compile()
        check_readable(gan)
    functions = ["relu", "gelu", "silu", "leaky_relu", keras.ops.sigmoid, keras.activations.tanh]
    check_readable(compiled(network("generator", [layers.Dense(16, activation=f) for f in functions])))


def test_an_unregistered_optimizer_is_refused(tmp_path):
    gan = compiled()
    gan.compile(UnregisteredOptimizer(0.1), OwnOptimizer(0.1))
    with pytest.raises(ConfigurationError, match="UnregisteredOptimizer, not registered"):
        gan.fit(BATCHES, verbose=0, callbacks=[Checkpoint(tmp_path)])
    gan.compile(OwnOptimizer(0.1), OwnOptimizer(0.1))
    gan.fit(BATCHES, verbose=0, callbacks=[Checkpoint(tmp_path)])
    assert type(resume(tmp_path).g_optimizer) is OwnOptimizer


def wrapped(shape_in, shape_out):
    """A network of one's own, wrapped as the error advises."""
    own, inputs = OwnNetwork(shape_out), keras.Input(shape_in)
    return keras.Model(inputs, own(inputs))


READABLE = {
    "a registered layer": lambda: with_layer("generator", Scaled(0.5)),
    "a registered function": lambda: with_layer("generator", layers.Dense(16, activation=registered_function)),
    "a registered function in a layer": lambda: with_layer("generator", layers.Lambda(registered_function)),
    "wrapped networks": lambda: compiled(wrapped((3,), (4, 4, 1)), wrapped((4, 4, 1), (1,)), ema_decay=0.5),
}


@pytest.mark.parametrize("case", READABLE)
def test_what_is_registered_is_resumed_kept_as_a_preset_and_loaded(case, tmp_path):
    keras.utils.set_random_seed(0)
    whole = READABLE[case]()
    whole.fit(BATCHES, epochs=2, verbose=0)
    keras.utils.set_random_seed(0)
    READABLE[case]().fit(BATCHES, epochs=1, verbose=0, callbacks=[Checkpoint(tmp_path / "run")])
    again = resume(tmp_path / "run")
    again.fit(BATCHES, initial_epoch=1, epochs=2, verbose=0)
    assert equal(training_state(again), training_state(whole))
    kg.zoo.write_preset(again, tmp_path / "kept", {})
    loaded = kg.load(str(tmp_path / "kept")).generate(3, seed=0).astype(int)
    assert np.abs(loaded - again.generate(3, seed=0)).max() <= 1  # of weights in half precision


@needs_tensorflow
def test_wrapped_networks_are_exported(tmp_path):
    import tensorflow as tf

    gan = READABLE["wrapped networks"]()
    served = tf.saved_model.load(kg.export(gan, tmp_path)).signatures["from_seed"]
    made = served(seeds=tf.constant([3, 4], "int64"))["images"]
    np.testing.assert_array_equal(made, gan.generate(seed=[3, 4]))


@pytest.mark.parametrize(
    "kind, shape_in, shape_out", [("generator", (3,), (4, 4, 1)), ("discriminator", (4, 4, 1), (1,))]
)
def test_a_network_without_symbolic_inputs_is_refused_with_the_line_that_wraps_it(kind, shape_in, shape_out):
    own = OwnNetwork(shape_out)
    with pytest.raises(ConfigurationError, match="a built Keras model"):
        compiled(**{kind: own})
    own(np.zeros((1, *shape_in), "float32"))
    with pytest.raises(ConfigurationError, match="OwnNetwork, a subclass of keras.Model") as refused:
        compiled(**{kind: own})
    line, names = str(refused.value).partition("Wrap it: ")[2], {"keras": keras, kind: own}
    exec(line, names)
    assert compiled(**{kind: names[kind]}).generate(1, seed=0).shape == (1, 4, 4, 1)


def test_every_variant_refuses_a_network_without_symbolic_inputs():
    own = OwnNetwork((4, 4, 1))
    own(np.zeros((1, 3), "float32"))
    for variant in (kg.DCGAN, kg.WGANGP, kg.SNGAN, kg.CGAN, kg.ACGAN, kg.InfoGAN, kg.ImprovedGAN, kg.Pix2Pix):
        with pytest.raises(ConfigurationError, match="subclass of keras.Model"):
            variant(own, network("discriminator"))
    with pytest.raises(ConfigurationError, match="subclass of keras.Model"):
        kg.LAPGAN([own, own], [network("discriminator")] * 2)


def test_the_check_changes_no_random_numbers_and_no_state():
    gan = with_layer("generator", Scaled(), layers.Dropout(0.5))
    gan.fit(BATCHES, verbose=0)
    before, drawn = values(gan.variables), random.getstate()
    check_readable(gan)
    assert equal(values(gan.variables), before) and random.getstate() == drawn


# Files


def saved(gan, path):
    path.parent.mkdir(exist_ok=True)
    gan.save(path)
    return path


def test_a_file_with_code_is_read_only_by_name(tmp_path):
    gan = with_layer("generator", layers.Lambda(lambda x: 2.0 * x))
    path = saved(gan, tmp_path / "run" / "checkpoint.keras")
    for read in (lambda **o: kg.zoo.load_file(path, **o), lambda **o: resume(path.parent, **o)):
        with pytest.raises(UntrustedFileError, match="with a lambda.*safe_mode=False"):
            read()
        np.testing.assert_array_equal(read(safe_mode=False).generate(2, seed=0), gan.generate(2, seed=0))
    assert resume(path.parent, safe_mode=False).compiled


def test_a_file_with_unknown_layers_names_them_and_the_import(tmp_path, monkeypatch):
    path = saved(with_layer("generator", Scaled(), Scaled()), tmp_path / "run" / "checkpoint.keras")
    monkeypatch.delitem(keras.saving.get_custom_objects(), "tests>Scaled")
    for read in (kg.zoo.load_file, lambda path, **o: resume(path.parent, **o)):
        for options in ({}, {"safe_mode": False}):
            with pytest.raises(UntrustedFileError, match="needs tests>Scaled. Import the module") as refused:
                read(path, **options)
            assert len(str(refused.value)) < 800
    with keras.saving.custom_object_scope({"tests>Scaled": Scaled}):
        assert kg.zoo.load_file(path).generate(1, seed=0).shape == (1, 4, 4, 1)


def test_a_damaged_checkpoint_is_still_one_that_cannot_be_read(tmp_path):
    (tmp_path / "checkpoint.keras").write_bytes(b"PK")
    with pytest.raises(CheckpointError, match="cannot be read"):
        resume(tmp_path)


# Recipes

RECIPE = """
import pathlib
import keras
import keras_gans as kg
from keras import layers
from keras_gans.training import Recipe

with open({log!r}, "a") as log:
    log.write("run\\n")

{register}
class Swish(layers.Layer):
    def call(self, x):
        return x * keras.ops.sigmoid(x)

def recipe(smoke=False):
    data = kg.data.load("drawn:digits", take=64, image_size=(8, 8))
    generator = keras.Sequential([keras.Input((4,)), layers.Dense(64), Swish(), layers.Reshape((8, 8, 1))])
    discriminator = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), Swish(), layers.Dense(1)])
    gan = kg.GAN(generator, discriminator)
    gan.compile("adam", "adam")
    return Recipe(model=gan, dataset=data, epochs=1)
"""


def write_recipe(folder, register='@keras.saving.register_keras_serializable("tests_recipe")'):
    path = folder / "recipe.py"
    path.write_text(RECIPE.format(log=str(folder / "log"), register=register))
    return path


def command(*arguments, cwd, code=0, home=None):
    environment = {**os.environ, "KERAS_HOME": str(home or cwd / "home")}
    done = forked.run("-m", "keras_gans_cli.app", *arguments, cwd=cwd, env=environment)
    assert done.returncode == code, done.stdout + done.stderr
    return done


@needs_tensorflow
def test_a_run_of_a_recipe_with_own_layers_is_sampled_and_exported_as_advised_and_by_nobody_else(tmp_path):
    write_recipe(tmp_path)
    advice = command("train", "recipe.py", "-o", "run", cwd=tmp_path).stdout
    assert "now: keras-gans sample run\n" in advice
    (tmp_path / "recipe.py").unlink()  # the run has its own copy
    command("sample", "run", cwd=tmp_path)
    command("sample", "run/checkpoint.keras", cwd=tmp_path)
    command("export", "run", "serving", cwd=tmp_path)
    times = (tmp_path / "log").read_text().count("run")
    assert times == 4

    stranger = {"cwd": tmp_path, "home": tmp_path / "other"}  # the same files, from somebody else
    for arguments in (("sample", "run"), ("verify", "run")):
        said = command(*arguments, code=2, **stranger).stderr
        assert "needs tests_recipe>Swish" in said and "--import FILE.py" in said and len(said) < 1000
    assert (tmp_path / "log").read_text().count("run") == times  # nothing was run
    command("sample", "run", "--import", "run/recipe.py", **stranger)
    assert (tmp_path / "log").read_text().count("run") == times + 1

    with open(tmp_path / "run" / "recipe.py", "a") as recipe:
        recipe.write("\n# changed by somebody\n")
    command("sample", "run", code=2, cwd=tmp_path)
    command("sample", "run", "--import", "missing.py", code=2, cwd=tmp_path)


def test_a_recipe_with_unregistered_layers_is_refused_before_training(tmp_path, capsys):
    path = write_recipe(tmp_path, register="")
    with pytest.raises(ConfigurationError, match="Swish, not registered"):
        training.train(training.read_recipe(path), tmp_path / "run", recipe_file=path, verbose=0)
    assert not list((tmp_path / "run").glob("*.keras"))


def test_a_recipe_that_was_run_is_known_by_its_content(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    path, copy = tmp_path / "recipe.py", tmp_path / "copy.py"
    path.write_text("a = 1\n")
    copy.write_text("a = 1\n")
    assert not trust.is_known(path) and not trust.is_known(tmp_path / "missing.py")
    assert trust.remember(path) and trust.remember(path) and trust.is_known(copy)
    assert len((tmp_path / "home" / trust.NOTES).read_text().split()) == 1
    copy.write_text("a = 2\n")
    assert not trust.is_known(copy)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file" / "home"))
    assert not trust.remember(path) and not trust.is_known(path)


def test_the_classifier_of_a_recipe_is_checked_too(tmp_path):
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(name="features"), Unregistered(), layers.Dense(2)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    data = kg.data.load((np.zeros((8, 4, 4, 1), "uint8"), np.arange(8) % 2), batch_size=4)
    recipe = training.ClassifierRecipe(model=model, dataset=data, test=data, epochs=1)
    with pytest.raises(ConfigurationError, match="Unregistered, not registered"):
        training.train(lambda smoke: recipe, tmp_path, verbose=0)
