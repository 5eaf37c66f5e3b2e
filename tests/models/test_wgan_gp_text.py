"""WGAN-GP's language model: the contract with lines in the place of images, the networks, text in and out."""

import json
import os

import forked
import keras
import numpy as np
import pytest
from contract import VariantContract, needs_tensorflow, number, slow_on_jax
from keras import layers, ops
from PIL import Image

import keras_gans as kg
from keras_gans import training
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import ALPHABET
from keras_gans.models.wgan_gp_text import WGANGPText, build_discriminator, build_generator
from keras_gans_core import cards

LENGTH = 8
SHAPE = (LENGTH, len(ALPHABET))


def drawn(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


class TestWGANGPText(VariantContract):
    def make(self, **options):
        generator = build_generator(*SHAPE, latent_dim=4, width=4, blocks=1)
        critic = build_discriminator(*SHAPE, width=4, blocks=1)
        return WGANGPText(generator, critic, **{"discriminator_steps": 1, **options})

    def tokens(self, count):
        return self.arrays()["tokens"][:count]

    def test_builds_networks_that_fit(self, one):
        rows = one.compute_outputs(self.inputs(one, 4))
        assert tuple(rows.shape) == (4, *SHAPE) and tuple(one.discriminator(rows).shape) == (4, 1)
        assert one.generate(4, seed=0).shape == (4, LENGTH) and one.length == LENGTH

    @pytest.mark.parametrize(
        "damage, message",
        [
            (lambda x: x[:, :6], r"of shape \(N, 8\). Received: \(16, 6\).*length=8"),
            (lambda x: x[..., None], r"Received: \(16, 8, 1\)"),
            (lambda x: x[:, 0], r"Received: \(16,\)"),
            (lambda x: x + 1, "ids from 0 to 94. Received: values from 1 to 95.*own alphabet"),
            (lambda x: x - 1, "values from -1 to 93"),
            (lambda x: x.astype("float32"), "float32.*kg.data.encode_text"),
            (lambda x: x[:0], "empty"),
            (lambda x: kg.data.decode_text(x, ALPHABET), "kg.data.load_text"),
        ],
        ids=["length", "rank", "flat", "high", "low", "dtype", "empty", "strings"],
    )
    def test_bad_ids_are_refused(self, one, damage, message):
        tokens = np.arange(16 * LENGTH).reshape(16, LENGTH) % len(ALPHABET)
        with pytest.raises(DataError, match=message):
            one.fit(damage(tokens), verbose=0)
        with pytest.raises(DataError, match=message):
            one.evaluate(damage(tokens), verbose=0)
        with pytest.raises(DataError, match=message):
            one.fit(tokens, validation_data=(damage(tokens),), verbose=0)

    # The game

    def test_rows_are_probabilities_and_the_critic_sees_them_as_they_are(self, one):
        rows = ops.convert_to_numpy(one.generator(np.random.default_rng(0).normal(size=(5, 4)).astype("float32")))
        assert rows.shape == (5, *SHAPE) and (rows > 0.0).all()
        np.testing.assert_allclose(rows.sum(-1), 1.0, rtol=1e-6)  # a sum of 95 float32
        taken = ops.convert_to_numpy(one.batch_fields["tokens"].encode(np.array([[3, 0]], "uint8")))
        np.testing.assert_array_equal(taken, np.eye(95, dtype="float32")[[[3, 0]]])

    def test_the_penalty_is_over_places_and_characters_together(self):
        """A critic a.x has the slope |a| everywhere: 3 costs 10 (3 - 1)^2, whatever the points between."""
        flat = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(1, use_bias=False)])
        kernel = np.zeros((LENGTH * 95, 1), "float32")
        kernel[[0, 5, 95 * 3 + 1]] = [[2.0], [-2.0], [1.0]]  # two characters of one place, one of another
        flat.layers[-1].kernel.assign(kernel)
        gan = WGANGPText(self.make().generator, flat)
        real = self.seen(self.tokens(6))
        fake = np.random.default_rng(0).dirichlet(np.ones(95), (6, LENGTH)).astype("float32")
        gap = (fake.reshape(6, -1) @ kernel).mean() - (ops.convert_to_numpy(real).reshape(6, -1) @ kernel).mean()
        assert number(gan.discriminator_loss(real, fake)) == pytest.approx(gap + 40.0, rel=1e-4)
        assert number(gan.generator_loss(fake)) == pytest.approx(-(fake.reshape(6, -1) @ kernel).mean(), rel=1e-4)

    def test_the_penalty_is_in_the_logs(self):
        """A critic a.x of slope 3, a = 3 for one character of one place: gp = (3 - 1)^2; E[f(x)] is 3 times how often
        it is there, and f is 3 / 95 of rows where all characters are alike."""
        flat = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(1, use_bias=False)])
        tokens = self.tokens(8)
        kernel = np.zeros((LENGTH, 95, 1), "float32")
        kernel[0, tokens[0, 0]] = 3.0
        flat.set_weights([kernel.reshape(-1, 1)])
        generator = self.make().generator
        generator.set_weights([np.zeros_like(weight) for weight in generator.get_weights()])
        gan = WGANGPText(generator, flat, discriminator_steps=1, seed=0)
        gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
        logs = {name: mean for name, (mean,) in gan.fit(tokens, batch_size=8, verbose=0).history.items()}
        assert list(logs) == ["d_loss", "g_loss", "gp"] and logs["gp"] == pytest.approx(4.0, rel=1e-4)
        distance = 3.0 * (tokens[:, 0] == tokens[0, 0]).mean() - 3.0 / 95.0
        assert -(logs["d_loss"] - 10.0 * logs["gp"]) == pytest.approx(distance, abs=1e-4)

    def test_points_between_are_one_a_line(self):
        drawn = ops.convert_to_numpy(self.gan().uniform_like(np.zeros((50, *SHAPE), "float32")))
        assert drawn.shape == (50, 1, 1) and len(np.unique(drawn)) == 50

    @slow_on_jax
    def test_it_learns_the_letters_of_its_lines(self):
        """Data of one word: the frequencies of its letters are learned, so the divergence falls below a quarter."""
        data = kg.data.load_text(["abba"] * 64, length=4, alphabet="`abcdefg", batch_size=64)
        keras.utils.set_random_seed(0)
        sizes = {"width": 8, "blocks": 1}
        gan = WGANGPText(
            build_generator(4, 8, 4, **sizes), build_discriminator(4, 8, **sizes), alphabet="`abcdefg",
            discriminator_steps=4, seed=0,
        )  # fmt: skip

        def divergence():
            return kg.metrics.ngram_divergence(real=data.arrays["tokens"], fake=gan.generate(64, seed=0), n=1)

        adam = keras.optimizers.Adam
        gan.compile(adam(3e-3, beta_1=0.5, beta_2=0.9), adam(3e-3, beta_1=0.5, beta_2=0.9))
        before = divergence()
        gan.fit(data, epochs=60, verbose=0)
        assert divergence() < before / 4

    def test_compile_alone_is_the_published_codes(self):
        gan = self.gan()
        for optimizer in (gan.g_optimizer, gan.d_optimizer):
            config = optimizer.get_config()
            assert isinstance(optimizer, keras.optimizers.Adam)
            assert [config[key] for key in ("learning_rate", "beta_1", "beta_2")] == pytest.approx([1e-4, 0.5, 0.9])
        assert WGANGPText(gan.generator, gan.discriminator).discriminator_steps == 10

    def test_what_cannot_be_is_refused(self, one):
        with pytest.raises(ConfigurationError, match="gp_weight"):
            self.make(gp_weight=-1.0)
        with pytest.raises(ConfigurationError, match="alphabet.*95.* and 3 characters"):
            self.make(alphabet="`ab")
        with pytest.raises(ConfigurationError, match="Expected an alphabet"):
            self.make(alphabet="aa")
        critic = keras.Sequential([keras.Input(SHAPE), layers.BatchNormalization(), layers.Flatten(), layers.Dense(1)])
        with pytest.raises(ConfigurationError, match="without batch normalization"):
            WGANGPText(one.generator, critic)
        with pytest.raises(ConfigurationError, match="no image_size"):
            WGANGPText.load_data(["a"], image_size=(8, 8))

    # Text in and out

    def test_lines_are_those_of_the_ids(self, one):
        tokens = one.generate(5, seed=2)
        lines = one.generate_text(5, seed=2)
        assert lines == one.text(tokens) == kg.data.decode_text(tokens, ALPHABET)
        assert lines[:2] == one.generate_text(2, seed=2) and one.generate_text(seed=[2])[0] == lines[0]

    def test_ids_by_another_alphabet_are_refused(self, one):
        data = kg.data.load_text(["all flesh", "is grass"], length=LENGTH, batch_size=2)
        for use in (
            lambda: one.fit(data, verbose=0),
            lambda: one.evaluate(data, verbose=0),
            lambda: one.fit(self.tokens(8), validation_data=data, verbose=0),
        ):
            with pytest.raises(DataError, match="the model's alphabet.*Received: ids of '` aefgilrs'"):
                use()

    @pytest.mark.parametrize("alphabet", ["`" + ALPHABET[:0:-1], "\0" + "".join(chr(0x3B1 + i) for i in range(94))])
    def test_a_saved_model_keeps_its_alphabet(self, alphabet, tmp_path):
        gan = self.make(alphabet=alphabet)
        assert json.loads(json.dumps(gan.get_config()))["alphabet"] == alphabet
        gan.save(tmp_path / "gan.keras")
        loaded = keras.saving.load_model(tmp_path / "gan.keras")
        assert loaded.alphabet == alphabet and loaded.generate_text(3, seed=0) == gan.generate_text(3, seed=0)
        kg.zoo.write_preset(gan, tmp_path / "tiny", {"title": "tiny"})
        assert kg.load(str(tmp_path / "tiny")).alphabet == alphabet

    def test_the_picture_is_of_the_lines(self, one, tmp_path):
        tokens = kg.data.encode_text(["a", "bcdefghi", ""], ALPHABET, LENGTH)
        picture = one.output_fields["tokens"].picture(tokens)
        assert picture.shape == (3 * 16, LENGTH * 9, 1) and picture.dtype == np.uint8
        ink = (picture < 128).reshape(3, 16, LENGTH, 9).any(axis=(1, 3))  # by line and place
        assert ink.tolist() == [[True] + [False] * 7, [True] * 8, [False] * 8]
        np.testing.assert_array_equal(picture[:16], one.output_fields["tokens"].picture(tokens[:1]))
        grids = kg.callbacks.SampleGrid(tmp_path, rows=2, timelapse="lapse.png")
        grids.set_model(one)
        grids.set_params({"epochs": 1})
        grids.on_train_begin()
        grids.on_epoch_end(0)
        grids.on_train_end()
        wanted = kg.sampling.picture(one, {"tokens": one.generate(4, seed=0)})[..., 0]
        np.testing.assert_array_equal(drawn(tmp_path / "epoch_0001.png"), wanted)

    def test_a_preset_is_written_and_sampled_by_the_command(self, one, tmp_path):
        folder = tmp_path / "tiny"
        kg.zoo.write_preset(one, folder, {"title": "tiny lines"})
        card, loaded = cards.read_card(folder), kg.load(str(folder))
        assert card["image_shape"] == [LENGTH, 95] and card["variant"] == "WGANGPText"
        # No character of the golden lines changes, in half the bytes or, where one would, in all of them.
        np.testing.assert_array_equal(loaded.generate(16, seed=2014), one.generate(16, seed=2014))
        assert drawn(folder / "samples.png").shape == (64 * 16, LENGTH * 9)
        common = ["-m", "keras_gans_cli.app", "sample", "tiny", "-n", "3", "--seed", "1"]
        environment = {**os.environ, "KERAS_GANS_ZOO": str(tmp_path)}
        shown = forked.run(*common, cwd=tmp_path, env=environment).stdout
        assert shown == "\n".join(["wrote grid.png", *loaded.generate_text(3, seed=1)]) + "\n"
        wanted = kg.sampling.picture(loaded, {"tokens": loaded.generate(3, seed=1)})[..., 0]
        np.testing.assert_array_equal(drawn(tmp_path / "grid.png"), wanted)
        assert forked.run(*common, "--folder", "lines", cwd=tmp_path, env=environment).returncode == 0
        np.testing.assert_array_equal(drawn(tmp_path / "lines" / "tiny_0002.png"), wanted[-16:])

    @needs_tensorflow
    @pytest.mark.parametrize("alphabet", [ALPHABET, "." + ALPHABET.replace(".", "")], ids=["backtick", "dot"])
    def test_an_export_gives_ids_and_lines(self, alphabet, tmp_path):
        import tensorflow as tf

        gan = self.make(alphabet=alphabet)
        bias = gan.generator.get_layer("to_characters").bias
        bias.assign(np.where(np.arange(95) == 0, 0.3, 0.0).astype("float32"))  # lines that end in padding
        signatures = tf.saved_model.load(str(kg.export(gan, tmp_path))).signatures
        assert set(signatures) == {"serving_default", "from_seed", "text"}
        seeds = list(range(20))
        tokens, lines = gan.generate(seed=seeds), gan.generate_text(seed=seeds)
        assert any(len(line) < LENGTH for line in lines) and any(alphabet[0] in line for line in lines)
        served = signatures["from_seed"](seeds=tf.constant(seeds, "int64"))["tokens"]
        np.testing.assert_array_equal(served, tokens)
        noise = tf.constant(gan.noise(seed=seeds))
        np.testing.assert_array_equal(signatures["serving_default"](noise=noise)["tokens"], tokens)
        text = signatures["text"](seeds=tf.constant(seeds, "int64"))["text"].numpy()
        assert [line.decode() for line in text] == lines

    def test_a_variants_recipe_takes_text(self, tmp_path, monkeypatch):
        """`keras-gans train wgan_gp_text --data lines.txt`, with smaller networks than the paper's."""
        for build in ("build_generator", "build_discriminator"):
            whole = getattr(kg.models.wgan_gp_text, build)
            small = lambda *sizes, whole=whole: whole(*sizes, width=4, blocks=1)  # noqa: E731
            monkeypatch.setattr(kg.models.wgan_gp_text, build, small)
        (tmp_path / "lines.txt").write_text("\n".join(f"line {i}" for i in range(300)))
        run = training.variant_recipe(WGANGPText, str(tmp_path / "lines.txt"), batch_size=4)()
        assert run.model.alphabet == run.dataset.about["alphabet"] == "` 0123456789eiln"
        assert run.model.length == 32 and run.dataset.at(0)["tokens"].shape == (10 * 4, 32)


@slow_on_jax
def test_networks_are_the_papers():
    """Kernels and biases by hand: a block is two convolutions of 5 * 512^2 + 512."""
    generator, critic = build_generator(32, 60), build_discriminator(32, 60)
    assert generator.input_shape == (None, 128) and generator.output_shape == (None, 32, 60)
    assert critic.input_shape == (None, 32, 60) and critic.output_shape == (None, 1)
    block = 2 * (5 * 512**2 + 512)
    assert generator.count_params() == (128 + 1) * 32 * 512 + 5 * block + 512 * 60 + 60
    assert critic.count_params() == 60 * 512 + 512 + 5 * block - 512 + 32 * 512  # no bias in the last two layers
    for network in (generator, critic):
        adds = [layer for layer in network.layers if isinstance(layer, layers.Add)]
        assert len(adds) == 5 and all(layer.output.shape == (None, 32, 512) for layer in adds)
        assert not any(isinstance(layer, layers.BatchNormalization) for layer in network.layers)


def test_a_block_adds_three_tenths_of_its_convolutions():
    critic = build_discriminator(6, 3, width=2, blocks=1)
    x = np.random.default_rng(0).normal(size=(4, 6, 3)).astype("float32")
    numbers = [ops.convert_to_numpy(weight) for weight in critic.weights]
    embed, embed_bias, first, first_bias, second, dense = numbers

    def conv(x, kernel, bias=0.0):
        padded = np.pad(x, ((0, 0), (2, 2), (0, 0)))
        return sum(padded[:, i : i + 6] @ kernel[i] for i in range(5)) + bias

    h = x @ embed[0] + embed_bias
    h = h + 0.3 * conv(np.maximum(conv(np.maximum(h, 0.0), first, first_bias), 0.0), second)
    np.testing.assert_allclose(ops.convert_to_numpy(critic(x)), h.reshape(4, -1) @ dense, rtol=1e-4, atol=1e-5)
