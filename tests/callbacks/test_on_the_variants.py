"""Historical averaging and label smoothing by their formulas on other variants than the one of the tests beside."""

import keras
import numpy as np
import pytest
from contract import largest_difference, values
from keras import layers

import keras_gans as kg
from keras_gans.callbacks import HistoricalAveraging, LabelSmoothing
from keras_gans.images import pack, to_float

VARIANTS = [kg.GAN, kg.WGAN, kg.WGANGP, kg.LSGAN, kg.FGAN, kg.DRAGAN, kg.SNGAN, kg.PacGAN]
VARIANTS += [kg.UnrolledGAN, kg.ImprovedGAN, kg.VEEGAN, kg.WGANGPText]


def tiny(variant, rate):
    """The variant with one dense layer for each network and gradient descent at `rate`."""
    keras.utils.set_random_seed(1)
    shape, activation, options = (8, 8, 1), "tanh", {}
    if variant is kg.WGANGPText:
        shape, activation, options = (16, 4), "softmax", {"alphabet": "`abc"}
    generator = [keras.Input((4,)), layers.Dense(64), layers.Reshape(shape), layers.Activation(activation)]
    inputs = keras.Input((8, 8, 2) if variant is kg.PacGAN else shape)
    features = layers.Flatten(name="features")(inputs)
    if variant is kg.PacGAN:
        options = {"packing": 2}
    if variant is kg.UnrolledGAN:
        options = {"unrolled_steps": 1}
    if variant is kg.VEEGAN:
        inputs = [keras.Input((4,)), inputs]
        features = layers.Concatenate()([inputs[0], features])
        way_back = [keras.Input(shape), layers.GlobalAveragePooling2D(), layers.Dense(4)]
        options = {"reconstructor": keras.Sequential(way_back)}
    last = layers.Dense(3 if variant is kg.ImprovedGAN else 1, use_bias=False)
    networks = keras.Sequential(generator), keras.Model(inputs, last(features))
    gan = variant(*networks, discriminator_steps=1, seed=5, **options)
    gan.compile(keras.optimizers.SGD(rate), keras.optimizers.SGD(rate))
    return gan


def examples(variant, batches):
    """As many batches of what the variant learns from; the images' labels are ImprovedGAN's alone to look at."""
    if variant is kg.WGANGPText:
        tokens = np.random.default_rng(0).integers(0, 4, (26, 16)).astype("uint8")
        return kg.data.Batches(tokens=tokens, batch_size=8, seed=2)
    return kg.data.Batches(batches.images, np.arange(26) % 3, batch_size=8, seed=2)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_historical_mean_is_that_of_the_trajectory(variant, batches):
    history = []

    class Trajectory(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            history.append(values(self.model.player_variables("generator")))

    gan, plain, batches = tiny(variant, 0.1), tiny(variant, 0.1), examples(variant, batches)
    gan.fit(batches, verbose=0, callbacks=[HistoricalAveraging(2.0, players=("generator",)), Trajectory()])
    expected = [np.mean(path, axis=0, dtype="float64") for path in zip(*history)]
    means = values([gan.slots.get(f"historical_averaging/generator/{i}") for i in range(len(expected))])
    assert largest_difference(expected, means) < 1e-6  # float32 sums of weights below 1
    # The third update is the first with a mean that is not the weights themselves: 2 * 2.0 * (theta - mean), down.
    plain.fit(batches, verbose=0)
    pulled = [-0.1 * 2 * 2.0 * (b - np.mean([a, b], axis=0)) for a, b in zip(*history[:2])]
    moved = [a - b for a, b in zip(history[2], values(plain.player_variables("generator")))]
    assert max(abs(pull).max() for pull in pulled) > 1e-4 and largest_difference(pulled, moved) < 1e-6


def test_the_mean_of_clipped_weights_is_within_the_clip(batches):
    gan = tiny(kg.WGAN, 0.1)
    before = values(gan.player_variables("discriminator"))
    gan.fit(examples(kg.WGAN, batches), verbose=0, callbacks=[HistoricalAveraging(0.0, players=("discriminator",))])
    means = values([gan.slots.get(f"historical_averaging/discriminator/{i}") for i in range(len(before))])
    assert max(np.abs(weight).max() for weight in before) > 2 * gan.clip
    assert max(np.abs(mean).max() for mean in means) <= gan.clip * (1 + 1e-6)


@pytest.mark.parametrize("variant", [variant for variant in VARIANTS if hasattr(tiny(variant, 0.0), "real_target")])
def test_a_smoothed_target_changes_the_loss_as_derived(variant, batches):
    """Cross entropy of logits d: softplus(-d) t + softplus(d) (1 - t), that is (1 - t) d more than at t = 1; least
    squares: ((d - t)^2 - (d - 1)^2) / 2. With a rate of 0 both runs see the same networks and noise."""
    plain, smoothed = tiny(variant, 0.0), tiny(variant, 0.0)
    losses = [
        gan.fit(batches, verbose=0, callbacks=callbacks).history["d_loss"][0]
        for gan, callbacks in ((plain, []), (smoothed, [LabelSmoothing(0.75)]))
    ]
    real = [to_float(batches.at(step)["images"]) for step in range(3)]
    logits = np.concatenate(
        [
            keras.ops.convert_to_numpy(plain.discriminator(pack(images, 2) if variant is kg.PacGAN else images))
            for images in real
        ]
    ).astype("float64")
    if variant is kg.LSGAN:
        expected = np.mean((logits - 0.75) ** 2 - (logits - 1.0) ** 2) / 2
    else:
        expected = np.mean(0.25 * logits)
    assert losses[1] - losses[0] == pytest.approx(expected, abs=1e-6)
