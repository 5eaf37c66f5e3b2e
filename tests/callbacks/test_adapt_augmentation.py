"""p follows the sign of the real images' logits, changes nothing else, and goes on after a resume."""

import keras
import numpy as np
import pytest
from contract import equal, needs_tensorflow, number, slow_on_jax, training_state, values
from keras import layers, ops

import keras_gans as kg
from keras_gans.augment import AdaptiveAugment, ada_color, with_augmentation
from keras_gans.callbacks import AdaptAugmentation
from keras_gans.errors import ConfigurationError
from keras_gans.files import read_model
from keras_gans.models import r3gan as r3
from keras_gans.networks import dcgan as dcgan_networks
from keras_gans.networks import residual

IMAGES = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 1)).astype("uint8")


def batches(images=IMAGES, labels=None):
    return kg.data.Batches(images, labels, batch_size=8, seed=2)


def networks(bias=0.0, augment=None):
    keras.utils.set_random_seed(1)
    generator = [keras.Input((4,)), layers.Dense(64, "tanh"), layers.Reshape((8, 8, 1))]
    discriminator = [
        keras.Input((8, 8, 1)),
        layers.Flatten(),
        layers.Dense(1, bias_initializer=keras.initializers.Constant(bias)),
    ]
    augment = AdaptiveAugment([ada_color], seed=3) if augment is None else augment
    return keras.Sequential(generator), with_augmentation(keras.Sequential(discriminator), augment)


def dcgan(bias=0.0, rate=0.0, compile=None, **options):
    """A discriminator whose logits are near `bias`, and stay there at a rate of zero."""
    gan = kg.DCGAN(*networks(bias), seed=5, **options)
    sgd = keras.optimizers.SGD
    gan.compile(sgd(rate), sgd(rate), **({"run_eagerly": True} if compile is None else compile))
    return gan


def augment_of(gan):
    return next(layer for layer in gan._flatten_layers() if isinstance(layer, AdaptiveAugment))


@pytest.mark.parametrize("bias, start, ends", [(50.0, 0.0, [0.032, 0.064]), (-50.0, 0.05, [0.018, 0.0])])
def test_p_rises_above_the_target_and_falls_below_it(bias, start, ends):
    """4 batches of 8 of 1000 images are a step of 0.032, at the end of each epoch."""
    gan = dcgan(bias, compile={})
    p = next(layer for layer in gan._flatten_layers() if isinstance(layer, AdaptiveAugment)).probability
    p.assign(start)
    history = gan.fit(
        batches(), epochs=2, verbose=0, callbacks=[AdaptAugmentation(batches(), images_to_one=1000)]
    ).history
    assert history["augment_probability"] == pytest.approx(ends, abs=1e-6)
    assert history["real_sign"] == [np.sign(bias)] * 2


def test_the_speed_is_the_papers_and_the_interval_counts_steps():
    gan = dcgan(50.0)
    history = gan.fit(batches(), epochs=3, verbose=0, callbacks=[AdaptAugmentation(batches(), interval=3)]).history
    # After 4, 8 and 12 steps, 1, 2 and 4 adjustments of 3 * 8 / 500 000.
    expected = [count * 24 / 500_000 for count in (1, 2, 4)]
    assert history["augment_probability"] == pytest.approx(expected, rel=1e-5)


def test_the_sign_is_that_of_the_last_batches_under_the_current_discriminator():
    gan = dcgan(0.0)
    callback = AdaptAugmentation(batches())
    history = gan.fit(batches(), verbose=0, callbacks=[callback]).history
    seen = np.concatenate([batches().at(step)["images"] for step in range(4)])
    logits = gan.discriminator.predict(seen / 127.5 - 1.0, verbose=0)
    assert len(np.unique(np.sign(logits))) == 2
    assert history["real_sign"] == [pytest.approx(np.sign(logits).mean(), abs=1e-6)]


def test_real_images_are_judged_augmented():
    """Colours that are turned around: a discriminator of the mean level sees bright images dark, with p of one."""
    augment = AdaptiveAugment([ada_color], probability=1.0, seed=3)
    generator, discriminator = networks(augment=augment)
    discriminator.layers[-1].set_weights([np.ones((64, 1), "float32"), np.zeros(1, "float32")])
    gan = kg.DCGAN(generator, discriminator, seed=5)
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    bright = np.full_like(IMAGES, 200)
    callback = AdaptAugmentation(batches(bright), images_to_one=10**9)
    history = gan.fit(batches(bright), epochs=2, verbose=0, callbacks=[callback]).history
    assert -0.9 < history["real_sign"][0] < 0.9
    augment.probability.assign(0.0)
    assert gan.fit(batches(bright), verbose=0, callbacks=[callback]).history["real_sign"] == [1.0]


@slow_on_jax
def test_measuring_changes_no_training():
    """A sign is never above a target of one, so p stays zero."""
    plain, measured = dcgan(rate=0.1), dcgan(rate=0.1)
    plain.fit(batches(), epochs=2, verbose=0, validation_data=IMAGES[:8])
    callback = AdaptAugmentation(batches(), target=1.0)
    measured.fit(batches(), epochs=2, verbose=0, validation_data=IMAGES[:8], callbacks=[callback])
    assert number(augment_of(measured).probability) == 0.0

    def state(gan):  # without what the callback keeps
        seeds = [gan.latent_seeds, gan.evaluation_seeds, augment_of(gan).seeds]
        weights = [v for network in (gan.generator, gan.discriminator) for v in network.weights]
        return values([*weights, *gan.g_optimizer.variables, *gan.d_optimizer.variables, *(one.state for one in seeds)])

    assert equal(state(plain), state(measured))


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path):
    """Saved in the middle of an epoch, between two adjustments."""

    def callback():
        return AdaptAugmentation(batches(), target=0.0, interval=3, images_to_one=100)

    class Save(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(ops.convert_to_numpy(self.model.step)) == 5:
                self.model.save(tmp_path / "gan.keras")

    gan = dcgan(rate=0.05)
    history = gan.fit(batches(), epochs=3, verbose=0, callbacks=[callback(), Save()]).history
    assert 0.0 < max(history["augment_probability"]) and len(set(history["augment_probability"])) > 1
    resumed = read_model(tmp_path / "gan.keras", compile=True)
    assert int(ops.convert_to_numpy(resumed.step)) == 5
    again = resumed.fit(batches(), initial_epoch=1, epochs=3, verbose=0, callbacks=[callback()]).history
    assert equal(training_state(resumed), training_state(gan))
    for name in ("augment_probability", "real_sign"):
        assert again[name] == history[name][1:]


@needs_tensorflow
def test_several_steps_an_execution_adjust_as_often():
    compile = {"steps_per_execution": 4}
    gan = dcgan(50.0, compile=compile)
    history = gan.fit(batches(), epochs=2, verbose=0, callbacks=[AdaptAugmentation(batches(), interval=2)]).history
    assert history["augment_probability"] == pytest.approx([2 * 16 / 500_000, 4 * 16 / 500_000], rel=1e-5)


def test_samples_are_not_augmented():
    gan = dcgan()
    augment = augment_of(gan)
    before = gan.generate(4, seed=0)
    augment.probability.assign(1.0)
    np.testing.assert_array_equal(gan.generate(4, seed=0), before)
    assert gan.evaluate(IMAGES[:8], verbose=0, return_dict=True) is not None


def test_both_players_learn_through_the_augmentation():
    """With p of one the generator's gradient goes through the layer; three calls a step, each with draws of its own."""
    gan = dcgan(rate=0.1)
    augment = augment_of(gan)
    augment.probability.assign(1.0)
    before, draws = values(gan.trainable_variables), []
    call = augment.call

    def watched(images, training=False):
        draws.append(tuple(values([augment.seeds.state])[0].tolist()))
        return call(images, training)

    augment.call = watched
    gan.fit(IMAGES[:8], batch_size=8, verbose=0)
    assert len(draws) == 3 and len(set(draws)) == 3
    assert not any(equal([a], [b]) for a, b in zip(before, values(gan.trainable_variables)))


def conditional():
    generator = dcgan_networks.build_generator((8, 8, 1), 4, base_filters=4, label_size=3)
    discriminator = dcgan_networks.build_discriminator((8, 8, 1), base_filters=4, label_size=3)
    return kg.CGAN, generator, discriminator, {"label_space": kg.data.Classes(3)}


def sngan():
    generator = residual.build_generator((8, 8, 3), 4, base_filters=4)
    return kg.SNGAN, generator, residual.build_discriminator((8, 8, 3), base_filters=4), {"discriminator_steps": 2}


def r3gan():
    small = {"widths": (8, 4), "blocks": 1}
    return kg.R3GAN, r3.build_generator((8, 8, 1), 4, **small), r3.build_discriminator((8, 8, 1), **small), {}


@slow_on_jax
@pytest.mark.parametrize("of", [conditional, sngan, r3gan])
def test_it_fits_other_variants(of):
    variant, generator, discriminator, options = of()
    channels = generator.output_shape[-1]
    images, labels = np.repeat(IMAGES, channels, axis=-1), np.arange(len(IMAGES)) % 3
    gan = variant(
        generator, with_augmentation(discriminator, AdaptiveAugment(probability=0.5, seed=0)), seed=1, **options
    )
    gan.compile(run_eagerly=True)
    data = batches(images, labels if variant is kg.CGAN else None)
    callback = AdaptAugmentation(data, images_to_one=1000, relative=variant is kg.R3GAN)
    history = gan.fit(data, verbose=0, callbacks=[callback]).history
    assert history["augment_probability"][0] in (pytest.approx(0.532, abs=1e-5), pytest.approx(0.468, abs=1e-5))
    assert -1.0 <= history["real_sign"][0] <= 1.0
    assert all(np.isfinite(history[name]).all() for name in gan.log_names)


def test_a_relative_sign_compares_real_with_generated_images():
    """A discriminator that adds a number to all logits: the sign of d(x) follows it, that of d(x) - d(f) does not."""
    found = {}
    for bias in (-50.0, 50.0):
        for relative in (False, True):
            callback = AdaptAugmentation(batches(), relative=relative)
            callback.set_model(dcgan(bias))
            callback.on_train_begin()
            found[bias, relative] = callback.measure(0)
    assert (found[-50.0, False], found[50.0, False]) == (-1.0, 1.0)
    assert found[-50.0, True] == found[50.0, True] and abs(found[50.0, True]) < 1.0


# What is refused


@pytest.mark.parametrize(
    "options, message",
    [({"target": target}, "a target in") for target in (-0.1, 1.5, True, "0.6", None, np.nan)]
    + [({"interval": 0}, "interval"), ({"interval": 2.5}, "interval"), ({"images_to_one": 0}, "images_to_one")],
)
def test_numbers_out_of_range_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=f"Expected {message}"):
        AdaptAugmentation(batches(), **options)


def test_other_data_and_models_are_refused():
    with pytest.raises(ConfigurationError, match="Expected the kg.data.Batches.*Received: ndarray"):
        AdaptAugmentation(IMAGES)
    generator, _ = networks()
    plain = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(1)])
    both = with_augmentation(with_augmentation(plain, AdaptiveAugment()), AdaptiveAugment())
    for discriminator, count in ((plain, 0), (both, 2)):
        gan = kg.DCGAN(generator, discriminator)
        gan.compile()
        with pytest.raises(ConfigurationError, match=f"one kg.augment.AdaptiveAugment. Received: {count}"):
            gan.fit(batches(), verbose=0, callbacks=[AdaptAugmentation(batches())])
