import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest
from contract import BACKEND, equal, slow_on_jax, values
from keras import layers, ops

import keras_gans as kg
from keras_gans import engine
from keras_gans.callbacks import Checkpoint, GANDoctor, HistoricalAveraging, Sickness, resume
from keras_gans.callbacks.doctor import SIGNALS, WINDOW, _of_logits, _same_noise, _signs
from keras_gans.errors import ConfigurationError, DataError, OutputError
from keras_gans.images import to_float

FILE = Path(__file__).parents[2] / "benchmarks" / "doctor.py"
REAL = np.random.default_rng(7).integers(0, 256, (8, 8, 8, 1)).astype("uint8")
HELD_OUT = np.random.default_rng(8).integers(0, 256, (6, 8, 8, 1)).astype("uint8")
WELL = {"finite": 1.0, "diversity": 1.0, "separation": 1.0}
APART = {"real_accuracy": 1.0, "fake_accuracy": 1.0}
COLLAPSED = {**WELL, "diversity": 0.1}


class Scripted(GANDoctor):
    """A doctor whose signals are given, one dict an evaluation."""

    def __init__(self, signals, **options):
        super().__init__(REAL, **options)
        self.signals = iter(signals)

    def _examine(self, logs):
        return {**dict.fromkeys(self._names, 0.0), **next(self.signals)}


class Scores(GANDoctor):
    """A doctor that asks for no gradients."""

    def _gradient(self, loss):
        return 1.0


class Record(keras.callbacks.Callback):
    """`of(model)` at the end of each epoch."""

    def __init__(self, of):
        super().__init__()
        self.of, self.seen = of, []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(self.of(self.model))


class Sicken(keras.callbacks.Callback):
    """Multiplies the weights of the generator by zero when an epoch begins."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            for variable in self.model.generator.trainable_variables:
                variable.assign(variable.value * 0.0)


def state(gan):
    """All that training depends on and leaves, seeds included; not what the doctor keeps."""
    slots = {id(weight) for weight in gan.slots.weights}
    variables = [*gan.variables, *gan.g_optimizer.variables, *gan.d_optimizer.variables]
    return values([variable for variable in variables if id(variable) not in slots])


def fit(gan, batches, callbacks, epochs=1, **options):
    return gan.fit(batches, epochs=epochs, steps_per_epoch=1, verbose=0, callbacks=callbacks, **options)


def found(doctor):
    return [(verdict.name, verdict.epoch, verdict.until) for verdict in doctor.verdicts]


# What is measured


def test_the_signals_of_logits_by_hand():
    """Means 3 and -1, middle 1; both variances 4: four away, in widths of two. Of the held-out logits, of mean 1.5 and
    variance 6.25, two of four are above the middle; their mean is 1.5 lower, within 3 sqrt(4 / 4 + 6.25 / 4) = 4.8."""
    signals = _of_logits(np.array([1.0, 5, 1, 5]), np.array([-3.0, 1, -3, 1]), np.array([-1.0, -1, 4, 4]))
    assert signals == {
        "real_accuracy": 0.5,  # ones are on the middle, not above
        "fake_accuracy": 0.5,
        "separation": 2.0,
        "held_out_accuracy": 0.5,
        "overfitting": 0.0,
    }


def test_overfitting_is_the_share_of_the_gap_that_unseen_images_do_not_have():
    """Means 3, -1 and 2, spreads of 0.1: (3 - 2) / (3 + 1)."""
    around = np.array([0.1, -0.1] * 8)
    assert _of_logits(3 + around, -1 + around, 2 + around)["overfitting"] == pytest.approx(0.25)
    assert _of_logits(-1 + around, 3 + around, -2 + around)["overfitting"] == 0.0  # real images look generated


def test_a_discriminator_that_says_one_number_has_no_separation():
    assert _of_logits(np.ones(4), np.ones(4))["separation"] == 0.0


@pytest.mark.parametrize("factor, shift", [(0.01, 3.0), (100.0, -7.0)])
def test_the_signals_of_logits_do_not_depend_on_their_scale(factor, shift):
    rng = np.random.default_rng(0)
    logits = [rng.normal(mean, 1.0, 64) for mean in (4.0, -1.0, 1.0)]
    changed = _of_logits(*(factor * array + shift for array in logits))
    assert changed == pytest.approx(_of_logits(*logits), rel=1e-9)


def test_the_signals_of_a_model_by_hand(make, batches):
    """Recomputed in NumPy with the networks' outputs; the loss is softplus(-d), whose slope is -1 / (1 + exp(d))."""
    gan = make()
    history = fit(gan, batches, [GANDoctor(REAL, HELD_OUT)]).history
    assert {f"doctor/{name}" for name in SIGNALS} <= set(history)

    def array(tensor):
        return np.asarray(ops.convert_to_numpy(tensor), "float64")

    real, made = to_float(REAL), gan.generator(gan.noise(8, seed=0), training=False)
    with _same_noise(gan):
        latents = gan.latents_like(REAL, training=False)
    fake = gan.generator(latents, training=False)
    logits = [array(gan.discriminator(images, training=False))[:, 0] for images in (real, fake, to_float(HELD_OUT))]
    rounded = np.round((array(made) + 1) * 127.5) / 127.5 - 1
    expected = {
        "finite": 1.0,
        "oscillation": 0.0,
        "diversity": np.sqrt(rounded.var(axis=0).sum() / array(real).var(axis=0).sum()),
        "steepness": np.concatenate(logits[:2]).std() / np.sqrt(array(real).var(axis=0).sum()),
        **_of_logits(*logits),
    }

    def gradient(of_logits):
        variables = gan.generator.trainable_variables
        loss = engine.value_and_grad(
            lambda: ops.mean(of_logits(gan.discriminator(gan.generator(latents, training=False)))), variables
        )
        return np.sqrt(sum(np.square(array(slope)).sum() for slope in loss[1]))

    expected["g_gradient"] = gradient(lambda logits: ops.softplus(-logits))
    expected["g_slope"] = expected["g_gradient"] / gradient(lambda logits: logits)
    assert set(expected) == set(SIGNALS)
    for name, value in expected.items():
        assert history[f"doctor/{name}"][0] == pytest.approx(value, rel=1e-4), name  # float32, a rounded pixel or two


@pytest.mark.parametrize("variant, straight", [(kg.DCGAN, False), (kg.SNGAN, True)])
@pytest.mark.parametrize("factor, shift", [(5.0, 0.0), (1.0, 6.0)])
def test_what_scale_and_place_of_the_logits_change(variant, straight, factor, shift, batches):
    """The last layer's kernel and bias, multiplied and added to: all logits are d -> factor * d + shift. The slope of
    softplus(-d) is sigmoid(-d), about 0.5 here and sigmoid(-6) = 0.0025 there; the hinge's generator has a slope of 1.
    """
    signals = []
    for scale, place in ((1.0, 0.0), (factor, shift)):
        gan = tiny(variant)
        kernel, bias = gan.discriminator.layers[-1].weights
        kernel.assign(kernel.value * scale)
        bias.assign(bias.value + place)
        gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
        signals.append(fit(gan, batches, [GANDoctor(REAL, HELD_OUT)]).history)
    before, after = ({name: history[f"doctor/{name}"][0] for name in SIGNALS} for history in signals)
    same = set(SIGNALS) - {"steepness", "g_gradient", "g_slope"}
    assert {name: after[name] for name in same} == pytest.approx({name: before[name] for name in same}, rel=1e-3)
    assert after["steepness"] == pytest.approx(factor * before["steepness"], rel=1e-3)
    if straight:
        assert after["g_slope"] == pytest.approx(before["g_slope"]) == pytest.approx(1.0)
        assert after["g_gradient"] == pytest.approx(factor * before["g_gradient"], rel=1e-3)
    else:
        assert abs(after["g_slope"] - before["g_slope"]) > 1e-3
        assert abs(after["g_gradient"] / before["g_gradient"] - factor) > 1e-3


def test_oscillation_is_the_way_beyond_the_straight_one(make):
    """The mean goes 0, 2, 1, 3, 2: steps of 2, 1, 2, 1 for a distance of 2, so (6 - 2) / 4; then on to 3: the last
    five, 2, 1, 3, 2, 3, have steps of 1, 2, 1, 1 for 1, so (5 - 1) / 4. A straight way counts nothing."""
    gan, doctor = make(), GANDoctor(REAL)
    doctor.set_model(gan)
    way = [doctor._oscillation(np.full(64, x / 8)) for x in (0, 2, 1, 3, 2, 3)]  # sqrt(64) is 8
    assert way == pytest.approx([0, 0, 0, 0, 1.0, 1.0], abs=1e-6)
    straight = [doctor._oscillation(np.full(64, x / 8)) for x in range(WINDOW)]
    assert straight[-1] == pytest.approx(0.0, abs=1e-6)


def test_values_that_are_not_finite_are_one_signal(make, batches):
    gan = make()
    gan.discriminator.trainable_variables[0].assign(gan.discriminator.trainable_variables[0].value + np.inf)
    doctor = GANDoctor(REAL, patience=9, stop=True)  # `fit` would end it with an error
    history = fit(gan, batches, [doctor]).history
    assert history["doctor/finite"] == [0.0] and np.isnan(history["doctor/diversity"]).all()
    assert found(doctor) == [("divergence", 1, None)]  # without patience
    assert doctor.verdicts[0].evidence["finite"] == 0.0


@pytest.mark.parametrize(
    "signals, expected",
    [
        ({}, []),
        ({"finite": 0.0, "diversity": np.nan}, ["divergence"]),
        ({"steepness": 101.0, "diversity": 0.0}, ["divergence"]),  # the cause
        ({"diversity": 0.19}, ["mode collapse"]),
        ({"oscillation": 0.61}, ["oscillation"]),
        ({"overfitting": 0.31}, ["discriminator overfitting"]),
        ({"separation": 10.1}, ["discriminator overpowering"]),
        ({"separation": -20.0}, []),
        ({"separation": 20.0, "diversity": 0.0}, ["mode collapse"]),  # the cause
        ({"g_slope": 0.009, **APART, "separation": 11.0}, ["vanishing generator gradient"]),  # the cause
        ({"g_slope": 0.009, "real_accuracy": 0.0, "fake_accuracy": 0.0}, []),  # a generator that has won
        ({"g_slope": 0.1, **APART}, []),
    ],
    ids=str,
)
def test_the_signs(signals, expected):
    assert sorted(_signs({**WELL, **signals})) == expected


def test_it_changes_nothing(make, batches):
    """Moving averages, statistics, dropout's seeds, the seeds of validation: all as without it."""
    watched, plain = make(ema_decay=0.9), make(ema_decay=0.9)
    validation = {"validation_data": REAL}
    with_doctor = fit(watched, batches, [GANDoctor(REAL, HELD_OUT, rollback=True)], epochs=3, **validation).history
    without = fit(plain, batches, [], epochs=3, **validation).history
    assert equal(state(watched), state(plain))
    assert {name: with_doctor[name] for name in without} == without


def test_callbacks_after_it_see_the_signals(make, batches, tmp_path):
    gan = make()
    best = keras.callbacks.ModelCheckpoint(
        tmp_path / "{epoch}-{doctor/diversity:.3f}.keras", monitor="doctor/diversity", save_best_only=True, mode="max"
    )
    history = fit(gan, batches, [GANDoctor(REAL), best]).history
    assert [path.name for path in tmp_path.iterdir()] == [f"1-{history['doctor/diversity'][0]:.3f}.keras"]


def test_between_evaluations_the_last_signals_are_repeated(make, batches):
    gan = make()
    diversity = [{**WELL, "diversity": x} for x in (1.0, 2.0, 3.0)]
    history = fit(gan, batches, [Scripted(diversity, period=2)], epochs=5).history
    assert history["doctor/diversity"] == [1.0, 1.0, 2.0, 2.0, 3.0]


def test_before_the_first_evaluation_there_are_no_signals(make, batches):
    gan = make()
    history = fit(gan, batches, [Scripted([WELL], period=2)], epochs=3, initial_epoch=1).history
    assert np.isnan(history["doctor/finite"][0]) and history["doctor/finite"][1] == 1.0


# Verdicts


def test_a_verdict_begins_after_patience_and_ends_with_the_signs(make, batches, capsys):
    gan, doctor = make(), Scripted([COLLAPSED, COLLAPSED, WELL, *[COLLAPSED] * 4, WELL], patience=3)
    fit(gan, batches, [doctor], epochs=8)
    assert found(doctor) == [("mode collapse", 6, 8)]
    (verdict,) = doctor.verdicts
    assert verdict.name is Sickness.MODE_COLLAPSE and "PacGAN" in verdict.remedy
    assert dict(verdict.evidence) == pytest.approx({"diversity": 0.1}, abs=1e-7)
    printed = capsys.readouterr().out
    assert printed.count("mode collapse (diversity 0.1). Lower") == printed.count("Epoch 6: ") == 1
    with pytest.raises(AttributeError):
        verdict.epoch = 1


def test_several_verdicts_hold_at_a_time(make, batches):
    swinging = {**COLLAPSED, "oscillation": 1.0}
    gan, doctor = make(), Scripted([COLLAPSED, swinging, {**WELL, "oscillation": 1.0}], patience=1)
    fit(gan, batches, [doctor], epochs=3)
    assert found(doctor) == [("mode collapse", 1, 3), ("oscillation", 2, None)]


def test_it_says_it_where_keras_does(make, batches, capsys, caplog):
    gan = make()
    keras.config.disable_interactive_logging()
    try:
        with caplog.at_level("INFO", logger="absl"):
            fit(gan, batches, [Scripted([COLLAPSED], patience=1)])
    finally:
        keras.config.enable_interactive_logging()
    assert capsys.readouterr().out == "" and "mode collapse" in caplog.text


def test_a_verdict_may_end_the_training(make, batches):
    gan = make()
    history = fit(gan, batches, [Scripted([WELL, *[COLLAPSED] * 9], patience=2, stop=True)], epochs=9)
    assert history.epoch == [0, 1, 2]


@pytest.mark.parametrize("in_a_file", [False, True], ids=["memory", "file"])
def test_a_verdict_may_roll_back(in_a_file, make, batches, tmp_path):
    """To the state of the second epoch, but for noise, step count and learning rates, and for the doctor's counts."""
    rollback = tmp_path / "new" / "healthy.keras" if in_a_file else True
    gan = make(ema_decay=0.9)
    signals = [WELL, WELL, COLLAPSED, COLLAPSED, WELL, COLLAPSED]
    doctor = Scripted(signals, patience=2, rollback=rollback)

    def restored(gan):
        optimizers = [v for o in (gan.g_optimizer, gan.d_optimizer) for v in o.variables if v.name != "learning_rate"]
        return values([*gan.generator.weights, *gan.discriminator.weights, *gan.ema.weights, *optimizers])

    def slower(epoch, logs):
        gan.g_optimizer.learning_rate.assign(1e-4 / (1 + epoch))

    rate = keras.callbacks.LambdaCallback(on_epoch_begin=slower)
    states, others = Record(restored), Record(lambda gan: values([gan.step, gan.latent_seeds.state]))
    fit(gan, batches, [rate, HistoricalAveraging(0.0), doctor, states, others], epochs=6)
    assert equal(states.seen[3], states.seen[1]) and not equal(states.seen[2], states.seen[1])
    assert not equal(states.seen[4], states.seen[2])
    assert [int(step) for step, _ in others.seen] == [1, 2, 3, 4, 5, 6]
    assert len({seed.tobytes() for _, seed in others.seen}) == 6
    assert float(gan.g_optimizer.learning_rate) == pytest.approx(1e-4 / 6)
    assert int(gan.slots.get("historical_averaging/generator/count")) == 4  # six updates less two
    assert found(doctor) == [("mode collapse", 4, 4)]
    if in_a_file:
        assert [path.name for path in rollback.parent.iterdir()] == ["healthy.keras"]
        assert int(keras.saving.load_model(rollback).step) == 5


def test_without_a_healthy_evaluation_it_rolls_back_to_the_beginning(make, batches):
    gan = make()
    before = values([*gan.generator.weights, *gan.discriminator.weights])
    fit(gan, batches, [Scripted([COLLAPSED], patience=1, rollback=True)])
    assert equal(values([*gan.generator.weights, *gan.discriminator.weights]), before)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_each_rollback_lowers_the_rates(policy, batches):
    keras.config.set_dtype_policy(policy)
    gan = kg.GAN(image_shape=(8, 8, 1), latent_dim=4)
    gan.compile(keras.optimizers.Adam(0.5), keras.optimizers.SGD(0.25))
    signals = [WELL, COLLAPSED, WELL, {"finite": 0.0}]
    fit(gan, batches, [Scripted(signals, patience=1, rollback=True, rate_factor=0.5)], epochs=4)
    assert [float(gan.g_optimizer.learning_rate), float(gan.d_optimizer.learning_rate)] == [0.125, 0.0625]
    gan.compile()  # the paper's rates follow a schedule
    with pytest.raises(ConfigurationError, match="rate_factor=0.5 and an optimizer with a schedule"):
        fit(gan, batches, [GANDoctor(REAL, rollback=True, rate_factor=0.5)])


def test_a_run_rolled_back_from_nan_is_finite_again(make, batches):
    gan = make()

    class Poison(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.generator.trainable_variables[0].assign(self.model.generator.trainable_variables[0] * np.nan)

    doctor = GANDoctor(REAL, rollback=True)
    history = fit(gan, batches, [Poison(), doctor], epochs=3).history
    assert history["doctor/finite"] == [1.0, 0.0, 1.0] and np.isfinite(history["g_loss"][2])
    assert found(doctor) == [("divergence", 2, 2)]


def test_a_resumed_run_goes_on_with_the_counts(make, batches, tmp_path):
    """A verdict holds and another is on its way when the run is interrupted."""

    def doctor():
        return GANDoctor(REAL, HELD_OUT, patience=2)

    whole, begun = doctor(), doctor()
    first, second = make(), make()
    histories = [fit(first, batches, [Sicken(1), whole], epochs=7).history]
    fit(second, batches, [Sicken(1), begun, Checkpoint(tmp_path)], epochs=4)
    resumed, again = resume(tmp_path), doctor()
    histories.append(fit(resumed, batches, [Sicken(1), again], epochs=7, initial_epoch=4).history)
    assert ("mode collapse", 3) in [(name, epoch) for name, epoch, _ in found(begun)]
    assert found(again) == found(whole)
    assert again.verdicts == whole.verdicts
    assert [histories[0][name][4:] for name in histories[0]] == [histories[1][name] for name in histories[0]]
    assert equal(values(resumed.variables), values(first.variables))


def test_a_resumed_run_rolls_back_to_the_file_of_the_one_before(make, batches, tmp_path):
    path = tmp_path / "healthy.keras"
    gan = make()
    fit(gan, batches, [Scripted([WELL, COLLAPSED], patience=2, rollback=path)], epochs=2)
    healthy = values(keras.saving.load_model(path).generator.weights)
    fit(gan, batches, [Scripted([COLLAPSED], patience=2, rollback=path)], epochs=3, initial_epoch=2)
    assert equal(values(gan.generator.weights), healthy)


# Any variant


def tiny(variant):
    """The variant with dense networks for 8x8 images, or its own."""
    keras.utils.set_random_seed(1)
    if variant is kg.ImprovedGAN:
        networks = kg.models.improved_gan
        return kg.ImprovedGAN(
            networks.build_generator((8, 8, 1), 4, units=(8,)),
            networks.build_discriminator((8, 8, 1), 3, units=(8, 8)),
            seed=5,
        )
    if variant is kg.InfoGAN:
        networks = kg.models.info_gan
        return kg.InfoGAN(
            networks.build_generator((8, 8, 1), 14, base_filters=4, units=8),
            networks.build_discriminator((8, 8, 1), base_filters=4, units=8),
            networks.build_recognizer(8, 12, units=8),
            seed=5,
        )
    if variant is kg.CoGAN:
        networks = kg.models.cogan
        return kg.CoGAN(
            networks.build_generators((8, 8, 1), 4, filters=(4, 4)),
            networks.build_discriminators((8, 8, 1), filters=(4, 4), units=8, kernel_size=2),
            seed=5,
        )
    if variant is kg.CGAN:
        networks = kg.models.cgan
        return kg.CGAN(
            networks.build_generator((8, 8, 1), 4, 3, units=(4, 4, 8)),
            networks.build_discriminator((8, 8, 1), 3, units=(4, 4, 4), pieces=(2, 2, 2)),
            label_space=kg.data.Classes(3),
            seed=5,
        )
    if variant is kg.Pix2Pix:
        source, seeds, target = keras.Input((8, 8, 1)), keras.Input((), dtype="int32"), keras.Input((8, 8, 1))
        number = layers.Reshape((1,))(ops.cast(seeds, "float32") / 2.0**31)
        noise = layers.Reshape((8, 8, 1))(layers.Dense(64)(number))
        made = layers.Conv2D(1, 3, padding="same", activation="tanh")(source + noise)
        logits = layers.Conv2D(1, 3)(layers.Concatenate()([source, target]))
        return kg.Pix2Pix(keras.Model([source, seeds], made), keras.Model([source, target], logits), seed=5)
    if variant is kg.GRAN:
        networks = kg.models.gran
        return kg.GRAN(
            networks.build_generator((8, 8, 1), 4, steps=2, base_filters=4, code_size=8),
            networks.build_discriminator((8, 8, 1), base_filters=4, units=8),
            seed=5,
        )
    if variant in (kg.ALI, kg.BiGAN):
        networks = kg.models.bi_gan
        return variant(
            networks.build_generator((8, 8, 1), 4, units=8),
            networks.build_discriminator((8, 8, 1), 4, units=8),
            networks.build_encoder((8, 8, 1), 4, units=8),
            seed=5,
        )
    if variant is kg.GLO:
        return kg.GLO(image_shape=(8, 8, 1), latent_dim=4, num_images=8, seed=5)
    if variant is kg.VEEGAN:
        return kg.VEEGAN(image_shape=(8, 8, 1), latent_dim=4, seed=5)
    if variant is kg.WGANGPText:
        networks = kg.models.wgan_gp_text
        return kg.WGANGPText(
            networks.build_generator(8, 5, 4, width=4, blocks=1),
            networks.build_discriminator(8, 5, width=4, blocks=1),
            alphabet="`abcd",
            discriminator_steps=1,
            seed=5,
        )
    generator = keras.Sequential([keras.Input((4,)), layers.Dense(64, activation="tanh"), layers.Reshape((8, 8, 1))])
    packing = 2 if variant is kg.PacGAN else 1
    discriminator = keras.Sequential([keras.Input((8, 8, packing)), layers.Flatten(), layers.Dense(1)])
    options = {"unrolled_steps": 1} if variant is kg.UnrolledGAN else {}
    return variant(generator, discriminator, discriminator_steps=1, seed=5, **options)


VARIANTS = [kg.GAN, kg.WGAN, kg.WGANGP, kg.WGANGPText, kg.LSGAN, kg.FGAN, kg.DRAGAN, kg.SNGAN, kg.PacGAN]
VARIANTS += [kg.UnrolledGAN, kg.ImprovedGAN, kg.InfoGAN, kg.VEEGAN, kg.GLO, kg.CoGAN, kg.GRAN, kg.ALI, kg.BiGAN]
VARIANTS += [kg.CGAN, kg.Pix2Pix]
SAMPLES = {"finite", "diversity", "oscillation"}


def examples(variant):
    """What the variant learns from, and as many again or fewer that it does not see."""
    classes = np.arange(8) % 3
    if variant is kg.WGANGPText:
        return [np.random.default_rng(n).integers(0, 5, (n, 8)).astype("uint8") for n in (8, 6)]
    named = {
        kg.CoGAN: lambda images: {"first": images, "second": images[::-1]},
        kg.CGAN: lambda images: {"images": images, "labels": classes[: len(images)]},
        kg.ImprovedGAN: lambda images: {"images": images, "labels": classes[: len(images)]},
        kg.GLO: lambda images: {"images": images, "indices": np.arange(len(images))},
        kg.Pix2Pix: lambda images: {"sources": images[::-1], "targets": images},
    }.get(variant, lambda images: images)
    return [named(images) for images in (REAL, HELD_OUT)]


@slow_on_jax
@pytest.mark.parametrize("variant", VARIANTS)
def test_it_examines_every_variant_and_changes_nothing(variant):
    watched, plain = tiny(variant), tiny(variant)
    real, held_out = examples(variant)
    histories = []
    for gan, callbacks in ((watched, [GANDoctor(real, held_out)]), (plain, [])):
        gan.compile()
        histories.append(gan.fit(real, batch_size=8, epochs=2, shuffle=False, verbose=0, callbacks=callbacks))
    assert equal(state(watched), state(plain))
    signals = {name[len("doctor/") :] for name in histories[0].history if name.startswith("doctor/")}
    missing = set(SIGNALS) - SAMPLES if variant in (kg.VEEGAN, kg.ALI, kg.BiGAN, kg.GLO) else set()
    assert signals == set(SIGNALS) - missing
    assert all(np.isfinite(histories[0].history[f"doctor/{name}"]).all() for name in signals)
    if variant in (kg.WGAN, kg.WGANGP, kg.WGANGPText):
        assert histories[0].history["doctor/g_slope"] == pytest.approx([1.0, 1.0])  # the loss is the mean score


def test_without_the_labels_of_a_conditional_model_the_samples_are_judged(batches):
    gan = tiny(kg.CGAN)
    gan.compile()
    labelled = kg.data.Batches(batches.images, np.arange(len(batches.images)) % 3, batch_size=8)
    history = fit(gan, labelled, [GANDoctor(REAL, HELD_OUT)]).history
    assert {name for name in SIGNALS if f"doctor/{name}" in history} == SAMPLES
    with pytest.raises(DataError, match="Received: 8 images and 3 labels"):
        fit(gan, labelled, [GANDoctor({"images": REAL, "labels": [0, 1, 2]})])


def test_a_translations_samples_are_compared_with_the_targets():
    gan = tiny(kg.Pix2Pix)
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    pairs = {"sources": REAL, "targets": REAL // 2}
    history = gan.fit(pairs, batch_size=8, verbose=0, callbacks=[GANDoctor(pairs)]).history
    made = gan.sample(sources=REAL, seeds=gan.draw("seeds", 8, seed=0))["targets"]
    spreads = [np.sqrt(images.astype("float64").var(axis=0).sum()) for images in (made, pairs["targets"])]
    assert history["doctor/diversity"][0] == pytest.approx(spreads[0] / spreads[1], rel=1e-4)


def test_each_logit_of_an_example_counts(make, batches):
    """Half of them are right where one's are, however large the other's."""
    gan = make()
    gan.batch_scores = lambda images: (np.tile([[9.0, -1.0]], (8, 1)), np.tile([[9.0, -1.0]], (8, 1)))
    history = fit(gan, batches, [Scores(REAL)]).history
    assert history["doctor/real_accuracy"] == history["doctor/fake_accuracy"] == [0.5]


@pytest.mark.skipif(BACKEND != "tensorflow", reason="float16 without a GPU is tested on TensorFlow")
def test_float16s_loss_scale_cancels(make, batches):
    """The slope of softplus(-d) is between 0 and 1; a scale of 2^15 that is left in would show."""
    keras.config.set_dtype_policy("mixed_float16")
    history = fit(make(), batches, [GANDoctor(REAL)]).history
    assert 0.1 < history["doctor/g_slope"][0] < 1.0 and 1e-3 < history["doctor/g_gradient"][0] < 10.0


# What cannot be


@pytest.mark.parametrize(
    "options",
    [
        {"period": 0},
        {"period": 1.5},
        {"patience": 0},
        {"patience": True},
        {"rollback": "a.npz"},
        {"rollback": 3},
        {"rate_factor": 0.0},
        {"rate_factor": 2.0},
        {"rate_factor": "0.5"},
        {"rate_factor": None},
    ],
    ids=str,
)
def test_arguments_that_cannot_be_are_refused(options):
    with pytest.raises(ConfigurationError, match=f"Expected {next(iter(options))}.*Received"):
        GANDoctor(REAL, **options)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"real": REAL[:, :4]}, "shape"),
        ({"real": REAL[:1]}, "Expected real to be 2 examples or more. Received: 1"),
        ({"real": np.repeat(REAL[:1], 4, axis=0)}, "examples that differ"),
        ({"real": REAL, "held_out": REAL[:0]}, "at least one image"),
    ],
)
def test_images_that_it_cannot_judge_by_are_refused_before_training(options, message, make, batches):
    gan = make()
    with pytest.raises(DataError, match=message):
        fit(gan, batches, [GANDoctor(**options)])
    assert int(gan.step) == 0


def test_a_folder_that_cannot_be_written_to_is_refused_before_training(make, batches, tmp_path):
    (tmp_path / "file").write_text("in the way")
    gan = make()
    with pytest.raises(OutputError):
        fit(gan, batches, [GANDoctor(REAL, rollback=tmp_path / "file" / "healthy.keras")])
    assert int(gan.step) == 0


# Runs that are sick by construction, and healthy ones: the reduced table of benchmarks/doctor.py


def benchmark():
    spec = importlib.util.spec_from_file_location("benchmark_doctor", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABLE = benchmark()


@pytest.mark.skipif(BACKEND != "tensorflow", reason="the runs were tuned on TensorFlow, and take a minute")
@pytest.mark.parametrize("name", TABLE.QUICK)
def test_the_table_of_verdicts(name):
    expected, make, settings = {**TABLE.SICK, **TABLE.HEALTHY}[name]
    doctor, _ = TABLE.diagnosed(make, settings, TABLE.QUICK[name])
    assert TABLE.passed(expected, doctor), doctor.verdicts
