"""The base model's own mechanics, beside the promises of the contract: players, steps, optimizers, slots."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_gans as kg
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.optimizers import OptimizerGroup, with_loss_scale


def array(tensor):
    return np.array(ops.convert_to_numpy(tensor), copy=True)


def tiny(compile=None, **options):
    """One latent w x b to a 1x1 image, scored linearly: gradients can be worked out by hand."""
    keras.utils.set_random_seed(0)
    generator = keras.Sequential([keras.Input((2,)), layers.Dense(4), layers.Reshape((2, 2, 1))])
    discriminator = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(1)])
    gan = kg.DCGAN(generator, discriminator, **{"seed": 1, **options})
    sgd = keras.optimizers.SGD
    gan.compile(**{"g_optimizer": sgd(0.1), "d_optimizer": sgd(0.1), **(compile or {})})
    return gan


def data():
    return np.random.default_rng(0).integers(0, 256, (8, 2, 2, 1)).astype("uint8")


def fit(gan, **options):
    gan.fit(data(), batch_size=4, shuffle=False, verbose=0, **options)
    return gan


def weights(gan):
    return [array(w.value) for w in gan.trainable_variables]


def test_a_discriminator_step_by_hand():
    """d = w x + b: SGD on mean softplus(-d(x)) + mean softplus(d(y)), worked out in NumPy."""
    gan = tiny()
    real, fake = np.random.default_rng(0).uniform(-1, 1, (2, 3, 2, 2, 1)).astype("float32")
    w, b = (array(v.value).astype("float64") for v in gan.discriminator.weights)
    x, y = (images.reshape(3, 4).astype("float64") for images in (real, fake))
    push = -1 / (1 + np.exp(x @ w + b)) / 3, 1 / (1 + np.exp(-(y @ w + b))) / 3
    expected = w - 0.1 * (x.T @ push[0] + y.T @ push[1]), b - 0.1 * (push[0].sum(0) + push[1].sum(0))
    tensors = ops.convert_to_tensor(real), ops.convert_to_tensor(fake)
    loss = gan.minimize("discriminator", gan.discriminator_loss, *tensors)
    value = np.mean(np.log1p(np.exp(-(x @ w + b)))) + np.mean(np.log1p(np.exp(y @ w + b)))
    assert float(array(loss)) == pytest.approx(value, rel=1e-5)
    for variable, numbers in zip(gan.discriminator.weights, expected):
        np.testing.assert_allclose(array(variable.value), numbers, atol=1e-6)


def test_the_generator_learns_from_the_updated_discriminator():
    """`record` keeps the generator's pass; the loss uses the discriminator as it is at the update."""
    gan, direct = tiny(), tiny()
    latents = ops.convert_to_tensor(np.random.default_rng(0).normal(size=(3, 2)).astype("float32"))
    recorded = gan.record(latents)
    for model in (gan, direct):
        model.discriminator.weights[0].assign(np.array([[1.0], [-2.0], [3.0], [0.5]]))
    loss = gan.minimize("generator", gan.generator_loss, recorded)
    again = direct.minimize("generator", lambda z: direct.generator_loss(direct.generator(z, training=True)), latents)
    assert float(array(loss)) == pytest.approx(float(array(again)), rel=1e-6)
    for one, other in zip(weights(gan), weights(direct)):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_penalty_adds_its_gradient_to_one_players_loss(player):
    """0.5 sum w^2 has the gradient w: SGD takes another 0.1 w away, and the logged loss stays the game's."""
    plain, penalised = tiny(), tiny()
    variables = penalised.player_variables(player)
    penalised.penalties[player]["decay"] = lambda: 0.5 * sum(ops.sum(ops.square(v)) for v in variables)
    real, latents = (
        ops.convert_to_tensor(np.random.default_rng(0).normal(size=shape).astype("float32"))
        for shape in ((3, 2, 2, 1), (3, 2))
    )
    before = [array(v.value) for v in variables]
    losses = []
    for gan in (plain, penalised):
        if player == "generator":
            losses.append(gan.minimize(player, gan.generator_loss, gan.record(latents)))
        else:
            losses.append(gan.minimize(player, gan.discriminator_loss, real, -real))
    assert float(array(losses[0])) == float(array(losses[1]))
    for start, one, other in zip(before, plain.player_variables(player), variables):
        np.testing.assert_allclose(array(other.value), array(one.value) - 0.1 * start, atol=1e-6)


def test_work_after_an_update_is_part_of_the_compiled_step():
    gan = tiny(discriminator_steps=2)
    counts = {player: gan.slots.get(f"count/{player}", dtype="int32") for player in gan.players}
    for player in gan.players:
        gan.after_step[player]["count"] = lambda count=counts[player]: count.assign(count + 1)
    fit(gan)
    assert {player: int(array(count.value)) for player, count in counts.items()} == {"generator": 2, "discriminator": 4}


def test_slots_are_saved_with_the_model(tmp_path):
    gan = tiny()
    gan.slots.get("mean/0", shape=(3,)).assign([1.0, 2.0, 3.0])
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert list(loaded.slots.names) == ["mean/0"]
    np.testing.assert_array_equal(array(loaded.slots.get("mean/0").value), [1, 2, 3])


def test_the_real_target_reaches_the_compiled_loss():
    """A discriminator of zeros pays log 2 twice, whatever the target; its gradient for the bias is 1 - target."""
    gan = tiny(compile={"d_optimizer": keras.optimizers.SGD(1.0)})
    for weight in gan.discriminator.weights:
        weight.assign(np.zeros(weight.shape))
    gan.real_target.assign(0.75)
    logs = gan.fit(data(), batch_size=8, verbose=0).history
    assert logs["d_loss"] == pytest.approx([2 * np.log(2)], rel=1e-6)
    # d/db [mean(softplus(d) - t d) + mean softplus(d)] at 0 = 1/2 - 3/4 + 1/2
    np.testing.assert_allclose(array(gan.discriminator.weights[1].value), [-0.25], atol=1e-6)


def test_the_losses_shown_are_the_epochs_means():
    gan = tiny(compile={"g_optimizer": keras.optimizers.SGD(0.0), "d_optimizer": keras.optimizers.SGD(0.0)})
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(float(logs["g_loss"]))

    history = gan.fit(data(), batch_size=2, epochs=2, verbose=0, callbacks=[Watch()]).history
    assert len(seen) == 8 and seen[3] == pytest.approx(history["g_loss"][0], rel=1e-6)
    assert seen[4] != seen[3]  # the mean starts again in each epoch
    assert seen[7] == pytest.approx(history["g_loss"][1], rel=1e-6)


def test_the_learning_rates_are_the_players_own():
    gan = tiny(compile={"d_optimizer": keras.optimizers.SGD(0.0)})
    before = [array(v.value) for v in gan.discriminator.trainable_variables]
    generator = [array(v.value) for v in gan.generator.trainable_variables]
    fit(gan)
    assert all(np.array_equal(a, array(v.value)) for a, v in zip(before, gan.discriminator.trainable_variables))
    assert not any(np.array_equal(a, array(v.value)) for a, v in zip(generator, gan.generator.trainable_variables))


def test_optimizers_go_by_name_and_are_saved_with_their_numbers(tmp_path):
    gan = tiny(compile={"g_optimizer": "rmsprop", "d_optimizer": keras.optimizers.Adam(3e-3, beta_1=0.1)})
    fit(gan)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert isinstance(loaded.g_optimizer, keras.optimizers.RMSprop)
    assert loaded.d_optimizer.get_config()["beta_1"] == 0.1
    assert int(array(loaded.d_optimizer.iterations.value)) == 2
    for one, other in zip(gan.optimizer.variables, loaded.optimizer.variables):
        np.testing.assert_array_equal(array(one.value), array(other.value))


def test_optimizer_group_shows_all_variables():
    first, second = keras.optimizers.Adam(), keras.optimizers.SGD()
    group = OptimizerGroup([first, second])
    variable = keras.Variable(np.zeros(3, "float32"))
    first.build([variable])
    assert not group.built
    second.build([variable])
    assert group.built and group.iterations is first.iterations
    assert [id(v) for v in group.variables] == [id(v) for v in [*first.variables, *second.variables]]


def test_an_optimizer_with_averages_of_its_own_is_refused():
    with pytest.raises(ConfigurationError, match="without use_ema.*ema_decay=0.9"):
        tiny(compile={"g_optimizer": keras.optimizers.Adam(use_ema=True, ema_momentum=0.9)})


def test_callbacks_read_one_learning_rate_and_cannot_set_it_for_both():
    gan, read = tiny(compile={"g_optimizer": keras.optimizers.SGD(0.5)}), []
    log = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: read.append(float(array(gan.optimizer.learning_rate)))
    )
    fit(gan, callbacks=[log])
    assert read == [0.5] and 0.5 in gan.optimizer.get_config().values()
    with pytest.raises(ConfigurationError, match="g_optimizer.learning_rate or model.d_optimizer.learning_rate"):
        gan.optimizer.learning_rate = 0.1


def test_keras_own_export_names_the_librarys():
    with pytest.raises(ConfigurationError, match=r"kg\.export\(model, folder\)"):
        tiny().export("folder")


def test_weights_that_are_set_before_training_are_the_averages_too():
    gan = tiny(ema_decay=0.999)
    before = gan.generate(2, seed=0)
    gan.generator.set_weights([np.ones_like(w) for w in gan.generator.get_weights()])
    expected = array(gan.generator(gan.prior(gan.noise(2, seed=0)), training=False))
    made = gan.generate(2, seed=0)
    assert np.abs(made - (np.clip(expected, -1.0, 1.0) + 1.0) * 127.5).max() <= 1 and (made != before).any()
    fit(gan)
    averages = [array(w) for w in gan.ema.weights]
    gan.generator.set_weights([np.zeros_like(w) for w in gan.generator.get_weights()])
    gan.generate(2, seed=0)
    assert all(np.array_equal(a, array(w)) for a, w in zip(averages, gan.ema.weights))


class Endless(keras.utils.PyDataset):
    num_batches = None

    def __getitem__(self, index):
        return data()[:2]


def test_data_without_an_end_need_a_number_of_steps():
    gan = tiny()
    with pytest.raises(DataError, match="Pass steps_per_epoch"):
        gan.fit(Endless(), verbose=0)
    gan.fit(Endless(), steps_per_epoch=1, verbose=0)
    assert int(gan.step) == 1


def test_a_loss_scale_is_for_float16_alone_and_not_put_on_twice():
    adam = keras.optimizers.Adam()
    for name in ("float32", "mixed_bfloat16"):
        assert with_loss_scale(adam, keras.DTypePolicy(name)) is adam
    scaled = with_loss_scale(adam, keras.DTypePolicy("mixed_float16"))
    assert scaled.inner_optimizer is adam
    assert with_loss_scale(scaled, keras.DTypePolicy("mixed_float16")) is scaled


def test_a_seed_is_drawn_from_pythons_generator():
    keras.utils.set_random_seed(3)
    first = kg.DCGAN(tiny().generator, tiny().discriminator, seed=None)
    assert 0 <= first.seed < 2**31
    seeds = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        seeds.append(kg.GAN(first.generator, first.discriminator).seed)
    assert seeds[0] == seeds[1]


def test_no_latents_are_refused():
    latents = keras.Input((0,))
    generator = keras.Model(latents, layers.Reshape((2, 2, 1))(layers.Dense(4, kernel_initializer="zeros")(latents)))
    with pytest.raises(ConfigurationError, match="latent_dim of 1 or more"):
        kg.DCGAN(generator, tiny().discriminator)


def test_a_generator_of_something_else_than_latents_is_refused():
    generator = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(4), layers.Reshape((2, 2, 1))])
    with pytest.raises(ConfigurationError, match="latents"):
        kg.DCGAN(generator, tiny().discriminator)


class Pair(kg.AdversarialModel):
    """Players of several networks, in lists, and a discriminator that judges both images of a pair."""

    players = {"generator": ("generators",), "discriminator": ("discriminators", "head")}
    averaged = kept = ("generators",)

    def __init__(self, generators, discriminators=None, head=None, **options):
        image = kg.fields.Images((2, 2, 1))
        super().__init__(
            generators=generators,
            discriminators=discriminators,
            head=head,
            batch_fields={"images": image},
            input_fields={"noise": kg.fields.Noise(2)},
            output_fields={"first": image, "second": image},
            **options,
        )

    def call(self, inputs, training=False):
        (noise,) = kg.sampling.in_order(inputs, self.input_fields)
        return {name: g(noise, training=training) for name, g in zip(self.output_fields, self.generators)}


def dense(inputs, outputs, *more):
    return keras.Sequential([keras.Input(inputs), layers.Flatten(), layers.Dense(outputs), *more])


def pair(**options):
    image = layers.Reshape
    return Pair([dense((2,), 4, image((2, 2, 1))) for _ in range(2)], [dense((2, 2, 1), 3)], dense((3,), 1), **options)


def test_players_are_the_networks_of_several_attributes_and_lists():
    gan = pair(ema_decay=0.5)
    assert gan.networks("generators", "head") == [*gan.generators, gan.head]
    assert [len(gan.player_variables(player)) for player in gan.players] == [4, 4]
    assert len(gan.ema.weights) == 4
    made = gan.generate(3, seed=0)
    assert list(made) == ["first", "second"] and made["second"].shape == (3, 2, 2, 1)


def test_a_model_without_the_networks_that_training_needs_says_which():
    alone = Pair(pair().generators)
    with pytest.raises(ConfigurationError, match="discriminators, head to train.*only generators"):
        alone.compile()


def test_networks_that_the_variant_does_not_have_are_refused():
    with pytest.raises(TypeError, match="unexpected keyword argument 'critic'"):
        pair(critic=dense((2,), 1))


def test_a_model_takes_its_inputs_by_name_or_in_order():
    gan, noise = tiny(), np.ones((1, 2), "float32")
    for inputs in (noise, [noise], {"noise": noise}):
        np.testing.assert_array_equal(array(gan(inputs)), array(gan.generator(noise)))


def test_a_batch_is_dealt_out_and_small_ones_are_repeated():
    gan = tiny(discriminator_steps=3)
    rows = ops.convert_to_tensor(np.arange(8.0))
    assert [array(share).tolist() for share in gan.shares(rows)] == [[0, 3, 6], [1, 4, 7], [2, 5]]
    assert [array(other).tolist() for _, other in gan.shares(rows, -rows)][2] == [-2, -5]
    assert array(gan.enough(rows[:2])).tolist() == [0, 1, 0]
    np.testing.assert_array_equal(array(gan.enough(rows)), array(rows))


def test_what_a_batch_lacks_is_left_out_of_what_is_encoded():
    batch = tiny().encode_batch({"image": data(), "label": np.arange(8)})
    assert list(batch) == ["images"]
    np.testing.assert_allclose(array(batch["images"]), data() / 127.5 - 1.0, atol=1e-6)


# Networks that are refused


def ends(*last):
    return [keras.Input((2, 2, 1)), layers.Flatten(), *last]


@pytest.mark.parametrize(
    "make, name",
    [
        (lambda: keras.Sequential(ends(layers.Dense(1, activation="sigmoid"), layers.Reshape((1,)))), "sigmoid"),
        (
            lambda: keras.Sequential(ends(layers.Dense(1, "sigmoid"), layers.Activation("linear", dtype="float32"))),
            "sigmoid",
        ),
        (lambda: keras.Sequential(ends(kg.layers.SpectralNormalization(layers.Dense(1, "sigmoid")))), "sigmoid"),
        (lambda: keras.Sequential(ends(keras.Sequential([keras.Input((4,)), layers.Dense(1, "tanh")]))), "tanh"),
        (lambda: through(ops.sigmoid), "sigmoid"),
        (lambda: through(ops.hard_sigmoid), "hardsigmoid"),
        (lambda: through(layers.ReLU()), "relu"),
        *((lambda name=name: through(layers.Activation(name)), name) for name in ("softsign", "hard_tanh", "relu6")),
        *((lambda name=name: through(layers.Activation(name)), name) for name in ("log_sigmoid", "exponential")),
    ],
)
def test_a_discriminator_that_does_not_end_in_logits_is_refused(make, name):
    latents = keras.Input((2,))
    generator = keras.Model(latents, layers.Reshape((2, 2, 1))(layers.Dense(4)(latents)))
    with pytest.raises(ConfigurationError, match=f"ends in {name}. Remove it"):
        kg.GAN(generator, make())
    kg.GAN(generator, through(layers.Activation("linear", dtype="float32")))  # the usual end beside bfloat16


def through(last):
    images = keras.Input((2, 2, 1))
    return keras.Model(images, last(layers.Dense(1)(layers.Flatten()(images))))


def makes(*last):
    latents = keras.Input((2,))
    x = layers.Reshape((2, 2, 1))(layers.Dense(4)(latents))
    for layer in last:
        x = layer(x)
    return keras.Model(latents, x)


@pytest.mark.parametrize("name", ["sigmoid", "hard_sigmoid", "relu", "softplus"])
def test_a_generator_of_no_negative_numbers_is_refused(name):
    judge = through(layers.Activation("linear"))
    for last in ([layers.Activation(name)], [layers.Conv2D(1, 1, activation=name), layers.Reshape((2, 2, 1))]):
        with pytest.raises(ConfigurationError, match=f"ends in {name}, so that .* than mid grey. End it in tanh"):
            kg.GAN(makes(*last), judge)
    kg.GAN(makes(layers.Activation(name), layers.Rescaling(2.0, -1.0)), judge)
    kg.GAN(makes(layers.Activation("tanh")), judge)
    kg.GAN(makes(), judge)


@pytest.mark.parametrize("scale", [255.0, 127.5])
def test_networks_that_scale_grey_levels_are_refused(scale):
    """The library does it; done twice, a discriminator would see almost nothing."""
    judge = through(layers.Activation("linear"))
    with pytest.raises(ConfigurationError, match=f"multiplies them by {scale:g}, in the layer 'twice'. Remove it: gen"):
        kg.GAN(makes(layers.Activation("tanh"), layers.Rescaling(scale, scale, name="twice")), judge)
    judges = keras.Sequential(ends(layers.Dense(1))), judge
    wrong = keras.Sequential([keras.Input((2, 2, 1)), layers.Rescaling(1 / scale, -1), *judges[0].layers])
    with pytest.raises(ConfigurationError, match="a discriminator of images in .* uint8 images are scaled before"):
        kg.GAN(makes(), wrong)
    kg.GAN(makes(), keras.Sequential([keras.Input((2, 2, 1)), layers.Rescaling(0.5, 0.5), *judges[0].layers]))


def test_a_generator_of_rows_is_refused():
    latents, rows = keras.Input((2,)), keras.Input((64,))
    networks = keras.Model(latents, layers.Dense(64)(latents)), keras.Model(rows, layers.Dense(1)(rows))
    for variant in (kg.GAN, kg.WGANGP):
        with pytest.raises(ConfigurationError, match=r"Received: \(N, 64\). End the .*Reshape\(\(1, 1, 64\)\)"):
            variant(*networks)


def test_an_improved_gan_whose_classes_are_probabilities_is_refused():
    images, latents = keras.Input((2, 2, 1)), keras.Input((2,))
    features = layers.Flatten(name="features")(images)
    generator = keras.Model(latents, layers.Reshape((2, 2, 1))(layers.Dense(4)(latents)))
    with pytest.raises(ConfigurationError, match="ends in softmax"):
        kg.ImprovedGAN(generator, keras.Model(images, layers.Dense(3, "softmax")(features)))


@pytest.mark.parametrize("wrong", ["0.01", True, float("nan"), float("inf"), -1.0, None])
def test_what_is_not_a_number_in_range_is_refused(wrong):
    for make in (
        lambda: kg.WGAN(image_shape=(8, 8, 1), clip=wrong),
        lambda: kg.WGANGP(image_shape=(8, 8, 1), gp_weight=wrong),
        lambda: kg.DRAGAN(image_shape=(8, 8, 1), gp_weight=wrong),
        lambda: kg.LSGAN(image_shape=(8, 8, 1), fake_target=np.nan if wrong == -1.0 else wrong),
        lambda: kg.ACGAN(image_shape=(8, 8, 1), fake_label_weight=wrong),
        lambda: kg.layers.InstanceNoise(wrong),
        lambda: kg.GAN(image_shape=(8, 8, 1), discriminator_steps=wrong),
    ):
        with pytest.raises(ConfigurationError, match="Expected"):
            make()


def test_fewer_examples_are_computed_at_once_where_they_are_large(monkeypatch):
    gan, sizes = tiny(), []
    gan.generate(1, seed=0)
    compiled = gan._compiled_sample
    monkeypatch.setattr(gan, "_compiled_sample", lambda inputs: sizes.append(len(inputs["noise"])) or compiled(inputs))
    monkeypatch.setattr("keras_gans.sampling.NUMBERS", 13)  # an image has 4 numbers, its noise 2
    images = gan.generate(7, seed=0)
    assert sizes == [3, 3, 1] and images.shape == (7, 2, 2, 1)


class Weighted(kg.DCGAN):
    """A variant of a user's: one more parameter, the others passed on."""

    def __init__(self, *networks, weight=1.0, keep=True, **options):
        super().__init__(*networks, **options)
        if keep:
            self.weight, self.keep = weight, keep


def test_a_users_variant_saves_its_own_parameters_and_those_it_passes_on():
    made = tiny()
    gan = Weighted(made.generator, made.discriminator, weight=3.0, discriminator_steps=2, seed=7)
    again = Weighted.from_config(gan.get_config())
    assert (again.weight, again.discriminator_steps, again.seed) == (3.0, 2, 7)
    assert len(again.generator.weights) == len(gan.generator.weights)
    forgetful = Weighted(made.generator, made.discriminator, weight=3.0, keep=False)
    with pytest.raises(ConfigurationError, match="Received: weight without one. Set self.weight = weight"):
        forgetful.get_config()
