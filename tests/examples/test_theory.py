"""The demos of the theory: their mathematics in closed form, and that each writes its picture."""

import importlib.util
from pathlib import Path

import forked
import keras
import numpy as np
import pytest
from contract import once_elsewhere

import keras_gans as kg
from keras_gans import engine

FOLDER = Path(__file__).parents[2] / "examples" / "theory"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py"))
EPOCHS = (  # scripts that train for so many
    "ali_mixture",
    "blurry_likelihood",
    "generalization",
    "importance_sampling",
    "mode_averaging",
    "shortest_map",
    "structured_prior",
)
OF_DIGITS = ("blurry_likelihood", "generalization", "importance_sampling")  # whose networks take minutes on JAX
pytest.importorskip("matplotlib", reason="the demos draw with matplotlib")


def demo(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[once_elsewhere] if name in OF_DIGITS else []) for name in SCRIPTS]
)
def test_a_demo_writes_its_picture(name, tmp_path):
    command = [FOLDER / f"{name}.py", "--output", tmp_path / "pictures"]
    if name == "one_dimension":
        command += ["--epochs", "2", "--every", "1"]
    if name in EPOCHS:
        command += ["--epochs", "1"]
    if name == "shortest_map":
        command += ["--runs", "1"]  # of three, alike but for their first weights
    forked.run(*command).check_returncode()
    (picture,) = (tmp_path / "pictures").iterdir()
    assert picture.stem == name and picture.stat().st_size > 10_000


# Prediction


def test_the_squared_error_asks_for_the_mean_and_the_absolute_error_for_the_more_frequent_target():
    averaging = demo("mode_averaging")
    for x in (-1.0, 0.3):
        target = float(averaging.branch(np.float64(x)))
        assert averaging.best_constant([-target, target], [0.5, 0.5], 2) == 0.0
        # The mean of unequal branches, and the branch that 3 of 4 examples have: each as near as the grid allows.
        assert averaging.best_constant([-target, target], [0.75, 0.25], 2) == pytest.approx(-target / 2, abs=6e-4)
        assert averaging.best_constant([-target, target], [0.75, 0.25], 1) == pytest.approx(-target, abs=6e-4)


def test_an_adversarial_loss_picks_a_target_where_the_squared_error_averages():
    averaging = demo("mode_averaging")
    keras.utils.set_random_seed(0)
    x, y = averaging.pairs(4096)
    network, gan = averaging.regressor(x, y, 10), averaging.conditional_gan(x, y, 30)
    asked = np.linspace(-1.0, 1.0, 100).astype("float32")
    mean = network.predict(asked[:, None], verbose=0)[:, 0]
    latents = gan.prior(gan.noise(100, seed=0))
    samples = gan.predict([latents, gan.label_space.encode(asked[:, None])], verbose=0).reshape(-1)
    # Zero is 0.25 to 0.75 away from the targets, on average 0.5. Samples of three seeds were 0.14 to 0.16 away.
    assert averaging.distance_to_targets(asked, mean).mean() > 0.4
    assert averaging.distance_to_targets(asked, samples).mean() < 0.25


def test_the_transport_term_keeps_the_order_of_the_latents():
    """On a line the shortest map is the quantile function. The first weights of both seeds lead to the opposite order
    without the term: its runs 0 and 1 in the picture."""
    shortest = demo("shortest_map")
    z = np.random.default_rng(1).normal(size=1000)
    for seed in (0, 1):
        made = shortest.mapped(shortest.flow(0.05, seed, 80), z)
        assert shortest.order_kept(z, made) > 0.95 and shortest.peaks_found(made) == 4


def test_the_order_of_numbers_is_compared_by_hand():
    """Ranks 0 1 2 3 beside 1 0 2 3: 1 - 6 (1 + 1) / (4 (16 - 1)) = 0.8."""
    shortest = demo("shortest_map")
    assert shortest.order_kept(np.arange(4.0), np.array([2.0, 1.0, 3.0, 9.0])) == 0.8
    assert shortest.order_kept(np.arange(4.0), -np.arange(4.0)) == -1.0


# Objectives


@pytest.mark.parametrize("targets", [(1.0, 0.0), (0.9, 0.0), (0.9, 0.1)])
def test_no_discriminator_is_better_than_the_best_one(targets):
    objectives, (real, fake) = demo("objectives"), targets
    for p, q in random_laws(5):
        best = objectives.best_discriminator(p, q, real, fake)

        def value(d):
            """The cross-entropy, of weight p with target `real` and of weight q with target `fake`."""
            log_d, log_not = np.log(d), np.log(1 - d)
            return -(p * (real * log_d + (1 - real) * log_not) + q * (fake * log_d + (1 - fake) * log_not)).sum()

        for other in np.clip(best + [[0.02], [-0.02]], 1e-3, 1 - 1e-3):
            assert value(best) < value(other)


def test_smoothing_the_fake_side_rewards_the_generator_where_no_data_is():
    """D at the generator's peak and left of it: one-sided it falls towards 0 with p, two-sided it ends at 0.1."""
    objectives = demo("objectives")
    p, q = objectives.normal(10.0, 0, 1), objectives.normal(10.0, 3, 1)
    assert objectives.best_discriminator(p, q, 0.9) < 1e-9
    assert objectives.best_discriminator(p, q, 0.9, 0.1) == pytest.approx(0.1)


def test_the_generators_losses_and_slopes_are_the_librarys():
    objectives = demo("objectives")
    games = (kg.losses.minimax_generator_loss, kg.losses.non_saturating_generator_loss)
    for logit in (-6.0, -0.5, 0.0, 3.0):
        variable = keras.Variable(np.full((1, 1), logit, "float32"))
        values = zip(games, objectives.generator_losses(logit), objectives.generator_slopes(logit))
        for loss, expected, expected_slope in values:
            found, (slope,) = engine.value_and_grad(lambda: loss(variable * 1.0), [variable])
            assert float(found) == pytest.approx(expected, abs=1e-6)
            assert float(keras.ops.convert_to_numpy(slope)[0, 0]) == pytest.approx(expected_slope, abs=1e-6)


def test_a_collapsed_batch_is_as_similar_as_can_be():
    objectives = demo("objectives")
    assert objectives.similarity(0.0) == 1.0
    for spread in (0.3, 1.0, 3.0):
        # 512 examples give the mean to about 2 %; each is once compared with itself, which adds at most 1 / 512.
        assert objectives.similarity(spread) == pytest.approx(objectives.expected_similarity(spread), rel=0.05)


# Divergences


def random_laws(count, size=5):
    laws = np.random.Generator(np.random.PCG64(0)).random((count, 2, size))
    return laws / laws.sum(-1, keepdims=True)


def test_the_value_at_the_best_discriminator_is_jensen_shannons():
    divergences = demo("divergences")
    for p, q in random_laws(20):
        np.testing.assert_allclose(divergences.gan_value(p, q), -np.log(4) + 2 * divergences.js(p, q), atol=1e-12)
        best = p / (p + q)  # no other discriminator does better
        for other in np.clip(best + [[0.05], [-0.05]], 0.001, 0.999):
            assert np.sum(p * np.log(other) + q * np.log(1 - other)) < divergences.gan_value(p, q)


def test_the_lambda_divergence_ends_in_both_kullback_leiblers():
    divergences = demo("divergences")
    small = 1e-7
    for p, q in random_laws(5):
        # The next term of the series is of the order of lambda times a chi-squared distance, which is below 10 here.
        forward = divergences.lambda_divergence(p, q, small) / small
        np.testing.assert_allclose(forward, divergences.kl(p, q), atol=1e-5)
        backward = divergences.lambda_divergence(p, q, 1 - small) / small
        np.testing.assert_allclose(backward, divergences.kl(q, p), atol=1e-5)


def test_peaks_that_move_apart():
    """KL of Gaussians is closed: log(s/t) + (t^2 + d^2) / (2 s^2) - 1/2; W1 of shifted equal ones is the shift."""
    divergences = demo("divergences")
    x = np.linspace(-12, 18, 6001)
    width = x[1] - x[0]
    p = divergences.normal(x, 0, 1)
    for shift in (0.5, 3.0, 6.0):
        q = divergences.normal(x, shift, 0.7)
        np.testing.assert_allclose(
            divergences.kl(q, p, width), np.log(1 / 0.7) + (0.49 + shift**2) / 2 - 0.5, rtol=1e-8
        )
        moved = divergences.normal(x, shift, 1)
        np.testing.assert_allclose(divergences.earth_mover(p, moved, width), shift, rtol=1e-8)
    narrow = [divergences.normal(x, mean, 0.2) for mean in (0, 15)]
    assert divergences.js(*narrow, width) == pytest.approx(np.log(2), abs=1e-9)
    assert divergences.js([1.0, 0.0], [0.0, 1.0]) == np.log(2) and divergences.kl([1.0, 0.0], [0.0, 1.0]) == np.inf


def test_parallel_lines():
    """W1 = |theta|, and JS = log 2 however near the lines are (the WGAN's example 1)."""
    theta, js, earth_mover = demo("divergences").parallel_lines(41)
    assert (theta == 0).sum() == 1 and theta[0] == -1
    np.testing.assert_allclose(earth_mover, np.abs(theta), atol=1e-12)
    np.testing.assert_allclose(js, np.where(theta == 0, 0.0, np.log(2)), atol=1e-12)


def test_who_covers_and_who_seeks():
    """KL(data, model) is least at the mixture's own moments, v + m^2 = 4.25; the reverse at one peak, worth log 2."""
    mode_seeking = demo("mode_seeking")
    step = mode_seeking.DEVIATIONS[1] - mode_seeking.DEVIATIONS[0]
    mean, std, _ = mode_seeking.best_fit(mode_seeking.DIVERGENCES["KL(data, model)"])
    assert mean == pytest.approx(0, abs=1e-12) and std == pytest.approx(4.25**0.5, abs=step)
    mean, std, value = mode_seeking.best_fit(mode_seeking.DIVERGENCES["KL(model, data)"])
    assert abs(mean) == pytest.approx(2, abs=1e-9) and std == pytest.approx(0.5, abs=step)
    assert value == pytest.approx(np.log(2), abs=2e-3)  # the other peak is four deviations away, not infinitely far


def test_a_point_belongs_to_the_nearest_mode():
    mixture = demo("ali_mixture")
    points, modes = kg.data.grid(500)  # 20 deviations between neighbours
    np.testing.assert_array_equal(mixture.nearest(points), modes)


def test_samples_of_the_mixtures_models_are_of_their_priors():
    """Of an identity's: kg.GAN draws from +-sqrt(3), where 1 of 12 normal numbers is not."""
    mixture = demo("ali_mixture")
    latents = keras.Input((2,))
    model = kg.GAN(keras.Model(latents, keras.layers.Reshape((1, 1, 2))(latents)), None)
    points = mixture.sampled(model, 1000) / mixture.SCALE
    assert points.shape == (1000, 2) and 1.7 < np.abs(points).max() <= 3**0.5 + 1e-6


def test_the_lines_generator_is_shown_on_the_noise_it_is_trained_on():
    line = demo("one_dimension")
    panels = line.Panels(every=1)
    panels.set_model(line.build(steps=1))
    panels.on_train_begin()
    points = panels.model.generate(2000, seed=1)[:, 0, 0, 0] / 127.5 - 1.0  # rounded to 256 levels
    ((_, _, made, goes_to),) = panels.frames
    assert np.abs(made - line.density(points)).max() < 0.02 * made.max()
    assert goes_to.min() <= points.min() + 0.01 and goes_to.max() >= points.max() - 0.01


def test_the_mixtures_models_differ_in_nothing_but_the_way_back():
    mixture = demo("ali_mixture")
    gan, ali = mixture.gan(), mixture.ali()
    noise = gan.noise(100, seed=0)
    for model in (gan, ali):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(model.prior(noise)), noise)
    assert [w.shape for w in gan.generator.weights] == [w.shape for w in ali.generator.weights]
    own, pairs = ([w.shape for w in model.discriminator.weights] for model in (gan, ali))
    assert own[1:] == pairs[1:] and (own[0], pairs[0]) == ((2, 128), (2 + 2, 128))


def test_a_run_of_the_mixture_begins_as_its_setting_says():
    mixture = demo("ali_mixture")
    model = mixture.trained(mixture.ali, (1e-9, 0.7, 0.3), kg.data.grid(100)[0], epochs=1)  # one step, to nowhere
    kernels = [w for w in model.trainable_variables if w.name == "kernel"]
    assert len(kernels) == 4 + 4 + 3  # of the decoder, the discriminator and the encoder
    for kernel in kernels:
        assert np.std(keras.ops.convert_to_numpy(kernel)) == pytest.approx(0.3, rel=0.2)
    for optimizer in (model.g_optimizer, model.d_optimizer):
        assert float(optimizer.learning_rate) == pytest.approx(1e-9) and optimizer.beta_1 == 0.7


def test_the_mixtures_picture_is_of_the_run_with_the_most_modes(monkeypatch, capsys):
    mixture = demo("ali_mixture")
    modes = iter([3, 7, 5])
    monkeypatch.setattr(mixture, "trained", lambda *_: next(modes))
    monkeypatch.setattr(mixture, "sampled", lambda model, count: np.resize(mixture.CENTERS[:model], (count, 2)))
    settings = mixture.random_settings(3)
    assert len(set(settings)) == 3
    model, _, found = mixture.best_of(mixture.ali, settings, None, 1)
    assert model == found == 7
    assert "ALI  5.0 ± 2.0 modes, 3 to 7, over 3 runs" in capsys.readouterr().out


# Games


def test_the_bilinear_game():
    games = demo("games")
    points = games.play_bilinear(games.simultaneous, steps=50, step=0.1)
    radii = np.hypot(*points.T)
    np.testing.assert_allclose(radii[1:] / radii[:-1], (1 + 0.1**2) ** 0.5, rtol=1e-12)
    x, y = games.play_bilinear(games.alternating, steps=1000, step=0.1).T
    np.testing.assert_allclose(x**2 - 0.1 * x * y + y**2, 1.9, rtol=1e-10)
    radii = np.hypot(*games.play_bilinear(games.extra_gradient, steps=100, step=0.1).T)
    # One step multiplies x + i y by 1 - h^2 + i h.
    np.testing.assert_allclose(radii[1:] / radii[:-1], ((1 - 0.01) ** 2 + 0.01) ** 0.5, rtol=1e-12)


def test_historical_averaging_decays_as_derived():
    games = demo("games")
    radii = np.hypot(*games.play_bilinear(games.historical_averaging, steps=20_000, step=0.01).T)
    power = np.log(radii[20_000] / radii[5_000]) / np.log(4)
    assert power == pytest.approx(-1 / (1 + 4 * 0.25**2), rel=0.02)  # the derivation neglects terms of order 1 / t


def test_rock_paper_scissors_is_played_in_circles_around_its_average():
    played, mean = demo("games").play_rock_paper_scissors()
    away = np.abs(played - 1 / 3).max(1)
    assert away[-500:].min() > away[0]  # the play itself comes no nearer
    assert np.abs(mean[-1] - 1 / 3).max() < 0.01 < 0.1 < np.abs(mean[50] - 1 / 3).max()


# Dirac-GAN


@pytest.mark.parametrize(
    ("name", "expected"),
    [  # f'(0) = 1/2, f''(0) = -1/4; the formulas of the paper's table
        ("minimax", [0.5j, -0.5j]),
        ("non_saturating", [0.5j, -0.5j]),
        ("wasserstein", [1j, -1j]),
        ("instance_noise", -0.25 * 0.49 + np.array([1j, -1j]) * (0.25 - (0.25 * 0.49) ** 2) ** 0.5),
        ("r1", -0.15 + np.array([1j, -1j]) * (0.25 - 0.15**2) ** 0.5),
        ("critical_r1", [-0.5, -0.5]),
        ("consensus", [-0.25 + 0.5j, -0.25 - 0.5j]),
    ],
)
def test_eigenvalues(name, expected):
    dirac_gan = demo("dirac_gan")
    found = dirac_gan.eigenvalues(getattr(dirac_gan, name))
    # At the double root of critical damping an error e of the differences moves the roots by sqrt(e).
    np.testing.assert_allclose(sorted(found, key=np.imag), sorted(expected, key=np.imag), atol=1e-4)


def test_the_fields_are_the_librarys_losses():
    """The non-saturating field and R1 by automatic differentiation of what the variants train with.

    D(x) = psi x: real 0, fake theta. The demo's psi ascends f(D(fake)) + f(-D(real)), so its D is the library's
    negated.
    """
    dirac_gan = demo("dirac_gan")
    theta, psi = keras.Variable(0.8), keras.Variable(-0.6)

    def score(x):
        return -psi * x

    def logits(x):
        return keras.ops.reshape(score(x), (1, 1))

    def discriminator():
        return kg.losses.non_saturating_discriminator_loss(logits(0.0 * theta), logits(theta))

    def generator():
        return kg.losses.non_saturating_generator_loss(logits(theta))

    _, (d_psi,) = engine.value_and_grad(discriminator, [psi], lambda loss: loss)
    _, (d_theta,) = engine.value_and_grad(generator, [theta], lambda loss: loss)
    field = dirac_gan.non_saturating(0.8, -0.6)
    np.testing.assert_allclose([-float(d_theta), -float(d_psi)], field, rtol=1e-6)

    def regularized():
        point = keras.ops.zeros((1, 1, 1, 1))
        return discriminator() + 0.5 * 0.3 * kg.penalties.r1_penalty(
            lambda x: keras.ops.reshape(score(x), (1, 1)), point
        )

    _, (d_psi,) = engine.value_and_grad(regularized, [psi], lambda loss: loss)
    np.testing.assert_allclose(-float(d_psi), dirac_gan.r1(0.8, -0.6)[1], rtol=1e-6)

    def around_the_data():  # at -0.6 the slope is less than the target, where the penalty pushes it outwards
        point = keras.ops.ones((1, 1, 1, 1))
        return discriminator() + 0.5 * 0.7 * kg.penalties.dragan_penalty(
            lambda x: keras.ops.reshape(score(x), (1, 1)), point, 0.5 * point, epsilon=0.3
        )

    _, (d_psi,) = engine.value_and_grad(around_the_data, [psi], lambda loss: loss)
    np.testing.assert_allclose(-float(d_psi), dirac_gan.dragan(0.8, -0.6)[1], rtol=1e-5)


def test_trajectories_end_as_the_paper_says():
    dirac_gan = demo("dirac_gan")
    found = {
        name: dirac_gan.outcome(dirac_gan.trajectory(field, update))
        for name, (field, update) in dirac_gan.METHODS.items()
    }
    assert found == {
        "minimax, simultaneous": "diverges",
        "minimax, alternating": "goes on turning",
        "non-saturating": "goes on turning",
        "WGAN, clipped": "goes on turning",
        "WGAN-GP": "goes on turning",
        "DRAGAN": "goes on turning",
        "instance noise 0.7": "converges",
        "R1, gamma 0.3": "converges",
        "R1, gamma 1 (critical)": "converges",
        "consensus": "converges",
    }
    # Steps of length h end in a circle of radius sqrt(2 h) without saturation.
    points = dirac_gan.trajectory(dirac_gan.non_saturating, dirac_gan.simultaneous, steps=3000)
    assert np.hypot(*points[-500:].T).mean() == pytest.approx(0.4**0.5, rel=0.01)


def test_the_lyapunov_function_of_the_game():
    """The flow as it is keeps theta^2 + psi^2, the non-saturating one's never grows, and R1 makes it fall."""
    dirac_gan = demo("dirac_gan")
    at = np.random.default_rng(0).normal(0, 2, (2, 100))
    np.testing.assert_allclose(dirac_gan.lyapunov_rate(dirac_gan.minimax, *at), 0.0, atol=1e-14)
    u = at.prod(axis=0)
    np.testing.assert_allclose(
        dirac_gan.lyapunov_rate(dirac_gan.non_saturating, *at), -2 * u * np.tanh(u / 2), atol=1e-12
    )
    np.testing.assert_allclose(dirac_gan.lyapunov_rate(dirac_gan.critical_r1, *at), -2 * at[1] ** 2, atol=1e-12)


def test_the_lyapunov_rate_is_the_change_of_a_small_step():
    dirac_gan = demo("dirac_gan")
    for field in (dirac_gan.r1, dirac_gan.consensus, dirac_gan.instance_noise):
        theta, psi = dirac_gan.simultaneous(field, 0.8, -0.5, 1e-6)
        found = (theta**2 + psi**2 - 0.8**2 - 0.5**2) / 1e-6
        assert found == pytest.approx(dirac_gan.lyapunov_rate(field, 0.8, -0.5), abs=1e-5)


def test_penalties_with_a_corner_push_the_slope_away_from_zero():
    """At the equilibrium itself psi is driven off by weight times target, 0.7, on either side."""
    dirac_gan = demo("dirac_gan")
    for field in (dirac_gan.gradient_penalty, dirac_gan.dragan):
        above, below = (field(0.0, psi)[1] for psi in (1e-9, -1e-9))
        assert above == pytest.approx(0.7) and below == pytest.approx(-0.7)


def test_damping():
    """Below the critical gamma, 1, theta changes its sign again and again, at and above it never."""
    dirac_gan = demo("dirac_gan")

    def changes(gamma):
        points = dirac_gan.trajectory(lambda *at: dirac_gan.r1(*at, gamma=gamma), dirac_gan.simultaneous)
        return np.sum(np.diff(np.sign(points[:, 0])) != 0)

    assert changes(0.3) > 10 and changes(0.9) > 5 and changes(1.0) == changes(3.0) == 0


# What a discriminator knows


def test_the_weights_of_the_true_ratio_turn_one_law_into_the_other():
    """From N(0, 1) to N(0.5, 0.8^2), whose logit is known: means, deviations and the earth mover's distance."""
    sampling = demo("importance_sampling")
    rng = np.random.default_rng(0)
    points, wanted = rng.standard_normal(100_000), 0.5 + 0.8 * rng.standard_normal(100_000)
    logits = points**2 / 2 - ((points - 0.5) / 0.8) ** 2 / 2 - np.log(0.8)
    weights, kept = sampling.weights_of(logits), sampling.accepted(logits, logits.max())
    assert weights.sum() == pytest.approx(1.0)
    assert kept.mean() == pytest.approx(np.exp(-logits.max()), rel=0.03)  # the share is 1 / max p/q
    for mean, square in ((weights @ points, weights @ points**2), (points[kept].mean(), (points[kept] ** 2).mean())):
        assert mean == pytest.approx(0.5, abs=0.02) and square == pytest.approx(0.5**2 + 0.8**2, abs=0.03)
    assert sampling.earth_mover(points, wanted) > 0.4
    assert sampling.earth_mover(points, wanted, weights) < 0.02 > sampling.earth_mover(points[kept], wanted)


def test_the_earth_mover_of_points_by_hand():
    sampling = demo("importance_sampling")
    move = sampling.earth_mover
    assert move(np.array([0.0, 1.0]), np.array([2.0, 5.0])) == pytest.approx(3.0)  # 0 to 2, 1 to 5
    assert move(np.array([1.0, 0.0]), np.array([0.0]), np.array([0.25, 0.75])) == pytest.approx(0.25)
    assert move(np.array([3.0, 1.0, 1.0]), np.array([1.0, 3.0, 1.0])) == pytest.approx(0.0)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.9])
def test_the_cap_keeps_the_share_asked_for(share):
    sampling = demo("importance_sampling")
    logits = np.random.default_rng(0).normal(1.0, 2.0, 20_000)
    kept = sampling.accepted(logits, sampling.cap_for(logits, share))
    assert kept.mean() == pytest.approx(share, abs=4 * (share * (1 - share) / 20_000) ** 0.5)


def test_a_discriminator_brings_samples_nearer_to_the_data():
    """The distance of 0.14 becomes 0.04, weighted or kept."""
    points, logits, kept, distances = demo("importance_sampling").on_the_line(epochs=10, count=8192)
    assert points.shape == logits.shape == kept.shape == (8192,) and 0.1 < kept.mean() < 0.9
    assert distances["as they are"] > 0.1
    assert distances["weighted"] < 0.6 * distances["as they are"]
    assert distances["kept"] < 0.6 * distances["as they are"]


@pytest.mark.slow
def test_a_discriminator_brings_digits_nearer_to_the_data():
    """17.5 as they are, 14.8 kept, as the picture shows."""
    _, _, kept, distances = demo("importance_sampling").on_digits()
    assert kept.mean() == pytest.approx(0.2, abs=0.01) and distances["kept"] < 0.95 * distances["as they are"]


@once_elsewhere
def test_few_images_are_learned_by_heart_and_many_are_not(monkeypatch):
    generalization = demo("generalization")
    monkeypatch.setattr(generalization, "COUNTS", (2048,))  # of each epoch
    images, _ = kg.data.digits(2048 + 512, (14, 14))
    images = images.astype("float32") / 127.5 - 1.0
    (seen, others, _), (fake, held_out) = generalization.measured(images[:64], images[-512:], epochs=40)
    assert seen - others > 0.5 and fake < held_out
    (seen, others, _), (fake, held_out) = generalization.measured(images[:2048], images[-512:], epochs=20)
    assert seen - others < 0.2 and fake > held_out


# Likelihood


def test_sharpness_and_grey_by_hand():
    blurry = demo("blurry_likelihood")
    rng = np.random.default_rng(0)
    assert blurry.sharpness(rng.random((64, 20, 20, 1))) == pytest.approx(1.0, abs=0.02)  # noise
    step = np.repeat([0.0, 1.0], 4)[None, None, :, None] * np.ones((1, 8, 8, 1))
    assert blurry.sharpness(step) == pytest.approx(1 / 7 / 2 / 0.5)  # one of 7 to the right, none down; variance 1/4
    blurred = np.array([0, 0, 0, 1, 2, 3, 3, 3])[None, None, :, None] / 3 * np.ones((1, 8, 8, 1))
    assert blurry.sharpness(blurred) < 0.5 * blurry.sharpness(step)
    assert blurry.grey(step) == 0.0 and blurry.grey(blurred) == pytest.approx(2 / 5)


@once_elsewhere
def test_the_squared_error_makes_greyer_digits_than_the_data():
    blurry = demo("blurry_likelihood")
    keras.utils.set_random_seed(0)
    images = blurry.digits(2048 + 512)
    encode, decode = blurry.autoencoder(images[:2048], epochs=10)
    data, copies = (
        (x + 1) / 2 for x in (images[2048:], decode.predict(encode.predict(images[2048:], verbose=0), verbose=0))
    )
    assert blurry.sharpness(copies) < 0.85 * blurry.sharpness(data) and blurry.grey(copies) > 1.3 * blurry.grey(data)


@pytest.mark.slow
def test_a_gan_is_as_sharp_as_the_data_where_the_squared_error_blurs():
    """Sharpness 0.25 of the data, 0.18 and 0.17 of the autoencoder, 0.24 of the GAN; grey 36 %, 57 %, 57 %, 32 %."""
    blurry = demo("blurry_likelihood")
    made = blurry.gallery().values()
    data, copies, samples, by_gan = [(blurry.sharpness(x), blurry.grey(x)) for x in made]
    assert by_gan[0] == pytest.approx(data[0], rel=0.15) and by_gan[1] < 1.2 * data[1]
    for sharpness, grey in (copies, samples):
        assert sharpness < 0.85 * data[0] and grey > 1.3 * data[1]


# Structured latents


def test_the_datas_own_points_are_on_its_clusters():
    prior = demo("structured_prior")
    points, modes = kg.data.ring(20_000, prior.MODES, std=prior.STD)
    assert prior.off(points) == pytest.approx(np.exp(-4.5), abs=0.003)  # beyond three deviations, in two dimensions
    assert prior.modes_found(points) == 8 and prior.modes_found(points[modes < 3]) == 3
    assert prior.purity(points, modes) == pytest.approx(1.0, abs=1e-3)
    assert prior.purity(points, np.zeros(20_000, int)) == pytest.approx(1 / 8, abs=0.01)
    assert prior.off(0 * points) == 1.0 and prior.modes_found(0 * points) == 0


def test_the_mixtures_prior_is_one_of_eight_codes():
    prior = demo("structured_prior")
    gan = prior.mixture(0.0)
    latents = keras.ops.convert_to_numpy(gan.prior(gan.noise(4000, seed=0)))
    assert latents.shape == (4000, 2 + 8) and set(np.unique(latents[:, 2:])) == {0.0, 1.0}
    np.testing.assert_array_equal(latents[:, 2:].sum(1), 1.0)
    assert np.abs(latents[:, 2:].mean(0) - 1 / 8).max() < 0.03
    _, codes = prior.samples(gan, 100)
    np.testing.assert_array_equal(codes, latents[:100, 2:].argmax(1))
    assert (prior.samples(prior.one_gaussian(), 100)[1] == 0).all()


@pytest.mark.slow
def test_points_that_tell_their_code_are_on_the_clusters_and_others_are_between_them():
    """Off: 15 % from one Gaussian, 14 % from the mixture, 0 % where the points tell the code, each for one cluster."""
    prior = demo("structured_prior")
    gaussian, mixed, told = [prior.samples(prior.trained(make, 30)) for make in prior.MODELS.values()]
    assert prior.off(gaussian[0]) > 0.08 and prior.off(mixed[0]) > 0.08 and prior.off(told[0]) < 0.04
    assert prior.modes_found(told[0]) == 8 and prior.purity(*told) > 0.95 and prior.purity(*mixed) < 0.5
