"""Batch norm's statistics for averaged weights."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_gans as kg
from keras_gans import batch_statistics, sampling, zoo
from keras_gans.images import to_float
from keras_gans.layers import ConditionalBatchNormalization, StepBatchNormalization
from keras_gans.networks.patch import build_patch_discriminator


def dense_model(ema_decay=0.9):
    """A GAN whose generator is a dense layer and a batch norm; the averages differ from the weights."""
    generator = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4), layers.BatchNormalization(), layers.Reshape((2, 2, 1))]
    )
    discriminator = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(1)])
    model = kg.GAN(generator, discriminator, ema_decay=ema_decay, seed=0)
    model.compile()
    model.fit(np.random.default_rng(0).uniform(-1, 1, (32, 2, 2, 1)).astype("float32"), batch_size=8, verbose=0)
    return model


def state(model):
    return [ops.convert_to_numpy(variable) for variable in model.variables]


def test_the_values_are_the_mean_and_variance_of_what_the_averaged_weights_make():
    model = dense_model()
    kernel, bias, *_ = (ops.convert_to_numpy(average) for average in model.ema.weights)
    noise = [model.noise(sampling.BATCH, seed=seed) for seed in range(batch_statistics.BATCHES)]
    made = ops.convert_to_numpy(model.prior(np.concatenate(noise))) @ kernel + bias
    (mean, mean_value), (variance, variance_value) = batch_statistics.standing_values(model)
    norm = model.generator.layers[1]
    assert mean is norm.moving_mean and variance is norm.moving_variance
    np.testing.assert_allclose(mean_value, made.mean(axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(variance_value, made.var(axis=0), rtol=1e-4)
    assert np.abs(mean_value - ops.convert_to_numpy(mean)).max() > 1e-3, "the moving statistics are others"


def test_computing_them_is_repeatable_and_changes_no_variable():
    model = dense_model()
    before = state(model)
    first, second = (batch_statistics.standing_values(model) for _ in range(2))
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(first, second))
    assert all(np.array_equal(a, b) for a, b in zip(before, state(model)))
    assert model.generator.layers[1].momentum == layers.BatchNormalization().momentum


def test_inside_the_context_samples_use_them_and_afterwards_not():
    model = dense_model()
    before, plain = state(model), model.sample(noise=model.noise(64, seed=1))["images"]
    with batch_statistics.standing_statistics(model):
        inside = model.sample(noise=model.noise(64, seed=1))["images"]
    assert (inside != plain).any()
    assert np.array_equal(model.sample(noise=model.noise(64, seed=1))["images"], plain)
    assert all(np.array_equal(a, b) for a, b in zip(before, state(model)))


def test_the_context_restores_them_after_an_error():
    model = dense_model()
    before = state(model)
    with pytest.raises(RuntimeError, match="stop"), batch_statistics.standing_statistics(model):
        raise RuntimeError("stop")
    assert all(np.array_equal(a, b) for a, b in zip(before, state(model)))


def test_a_preset_keeps_them():
    model = dense_model()
    copy = zoo.sampler(model)
    expected = [value for _, value in batch_statistics.standing_values(copy)]
    norm = copy.generator.layers[1]
    for variable, value in zip((norm.moving_mean, norm.moving_variance), expected):
        assert np.array_equal(ops.convert_to_numpy(variable), value)
    with batch_statistics.standing_statistics(model):
        live = model.generate(16, seed=0)
    assert np.abs(copy.generate(16, seed=0).astype("int32") - live).max() <= 1


def test_without_averages_the_moving_statistics_stay():
    model = dense_model(ema_decay=None)
    moving = ops.convert_to_numpy(model.generator.layers[1].moving_mean)
    with batch_statistics.standing_statistics(model):
        assert np.array_equal(ops.convert_to_numpy(model.generator.layers[1].moving_mean), moving)
    assert np.array_equal(ops.convert_to_numpy(zoo.sampler(model).generator.layers[1].moving_mean), moving)


def test_a_model_without_batch_norm_has_none():
    assert batch_statistics.standing_values(kg.GAN(image_shape=(8, 8, 1), latent_dim=4, ema_decay=0.9)) == []


def test_norms_inside_other_layers_are_found():
    latents, labels = keras.Input((3,)), keras.Input((2,))
    maps = layers.Reshape((2, 2, 1))(layers.Dense(4)(latents))
    maps = ConditionalBatchNormalization()([maps, labels])
    step = StepBatchNormalization(steps=2)
    maps = step(step(maps, step=0), step=1)
    discriminator = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(1)])
    given, images = keras.Input((2,)), keras.Input((2, 2, 1))
    judge = keras.Model([given, images], discriminator(images) + layers.Dense(1)(given))
    model = kg.CGAN(keras.Model([latents, labels], maps), judge, label_space=kg.data.Classes(2), ema_decay=0.9)
    found = batch_statistics.standing_values(model)
    assert len(found) == 6, "a mean and a variance of the conditional norm and of each of the two steps"
    values = [float(np.ravel(value)[0]) for _, value in found]
    assert values[2] == pytest.approx(0.0, abs=1e-5) and values[3] == pytest.approx(1.0, abs=0.05), "normalised before"


def test_an_input_that_cannot_be_drawn_is_taken_from_the_examples():
    images, seeds = keras.Input((8, 8, 1)), keras.Input((), dtype="int32")
    scaled = layers.Rescaling(1e-9)(layers.Reshape((1, 1, 1))(seeds))
    generator = keras.Model([images, seeds], layers.BatchNormalization(name="norm")(images) + scaled)
    discriminator = build_patch_discriminator((8, 8, 1), (8, 8, 1), filters=4, num_layers=0)
    model = kg.Pix2Pix(generator, discriminator, ema_decay=0.9)
    assert batch_statistics.standing_values(model) == [], "there is no example"
    sources = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1), "uint8")
    (_, mean), (_, variance) = batch_statistics.standing_values(model, {"sources": sources})
    seen = np.take(sources / 127.5 - 1, np.arange(sampling.BATCH) % 12, axis=0)
    assert float(mean[0]) == pytest.approx(seen.mean(), abs=1e-5)
    assert float(variance[0]) == pytest.approx(seen.var(), rel=1e-4)


def judged_model():
    """A GAN whose discriminator is a batch norm, dropout and the mean of the pixels."""
    generator = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.Reshape((2, 2, 1))])
    judge = keras.Sequential(
        [keras.Input((2, 2, 1)), layers.Flatten(), layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(1)]
    )
    model = kg.GAN(generator, judge, seed=0)
    model.compile()
    return model


def test_validation_judges_real_and_generated_images_by_their_own_statistics():
    model = judged_model()
    images = np.random.default_rng(0).integers(0, 256, (16, 2, 2, 1), "uint8")
    model.fit(images, batch_size=8, verbose=0)
    before, norm = state(model), model.discriminator.layers[1]
    seed = ops.convert_to_numpy(model.evaluation_seeds.state)
    losses = model.evaluate(images, batch_size=16, verbose=0, return_dict=True)
    model.evaluation_seeds.state.assign(seed)
    fake = ops.convert_to_numpy(model.generator(model.latents_like(images, training=False)))
    gamma, beta = (ops.convert_to_numpy(weight) for weight in (norm.gamma, norm.beta))
    kernel, bias = (ops.convert_to_numpy(weight) for weight in model.discriminator.layers[-1].weights)

    def logits(images):
        rows = np.reshape(images, (len(images), 4)).astype("float64")
        normal = (rows - rows.mean(axis=0)) / np.sqrt(rows.var(axis=0) + norm.epsilon)
        return (normal * gamma + beta) @ kernel + bias

    real, made = logits(to_float(images)), logits(fake)
    expected = np.mean(np.log1p(np.exp(-real))) + np.mean(np.log1p(np.exp(made)))
    assert losses["d_loss"] == pytest.approx(expected, rel=1e-4)
    assert losses["g_loss"] == pytest.approx(np.mean(np.log1p(np.exp(-made))), rel=1e-4)
    names = [variable.path for variable in model.variables]
    moved = [name for name, a, b in zip(names, before, state(model)) if not np.array_equal(a, b)]
    assert all("mean" in name or "seed" in name for name in moved) and not any("moving" in name for name in moved)


def test_after_the_context_the_moving_statistics_are_used_again():
    model = judged_model()
    images = np.ones((4, 2, 2, 1), "float32")
    plain = ops.convert_to_numpy(model.score(images, training=False))
    with batch_statistics.judged_by_batch(model):
        by_batch = ops.convert_to_numpy(model.score(images, training=False))
    assert np.allclose(by_batch, 0.0, atol=1e-6), "equal images are all zero after batch norm, and the bias is zero"
    assert np.array_equal(ops.convert_to_numpy(model.score(images, training=False)), plain)
    assert np.abs(plain).max() > 1e-2
