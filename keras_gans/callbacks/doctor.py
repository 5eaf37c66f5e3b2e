"""Watches a training for the known sicknesses of adversarial training, and says what to change."""

import contextlib
import dataclasses
import enum
import types
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_gans import checking, engine, sampling
from keras_gans.batch_statistics import judged_by_batch
from keras_gans.callbacks.folders import make_writable
from keras_gans.callbacks.messages import say
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.files import read_model
from keras_gans.guards import is_finite
from keras_gans.images import atomic_write
from keras_gans_core.checks import is_number, is_whole

KEY = "doctor"
WINDOW = 5  # evaluations whose sample means tell oscillation from movement in one direction

# What is logged as "doctor/...", in the order of the model's slots.
SIGNALS = (
    "finite",
    "diversity",
    "oscillation",
    "real_accuracy",
    "fake_accuracy",
    "separation",
    "steepness",
    "held_out_accuracy",
    "overfitting",
    "g_gradient",
    "g_slope",
)

# Thresholds between the values of healthy and sick runs in benchmarks/doctor.py, with three seeds.
COLLAPSED = 0.2  # diversity: 0.30 and more in healthy runs, untrained ones included; 0.13 and less in collapsed ones
SWINGING = 0.6  # oscillation: healthy up to 0.55; 0.64 to 2.5 in runs that circle, with gaps where they hop
SEPARATED = 10.0  # separation: healthy up to 7, and to 12 in the first two epochs; 14 to 107 against a frozen generator
TOLD_APART = 0.9  # both accuracies: 1 where the loss saturates; below, a flat loss is no sign: G fools D
FLAT = 0.01  # g_slope: 0.36 and more in healthy runs; 2e-5 and less under the minimax loss of a strong discriminator
STEEP = 100.0  # steepness: healthy up to 1.9, sick but finite ones up to 99; 3,000 and more, or NaN, in diverged ones
MEMORISED = 0.3  # overfitting: 0 in healthy runs except once (0.57); with 100 images from 0.1 at the start to 0.7
STANDARD_ERRORS = 3.0  # by which the held-out logits' mean is lower: healthy up to 2.8; 3.2 to 16 with 100 images


class Sickness(enum.StrEnum):
    """The names of the verdicts."""

    DIVERGENCE = "divergence"
    MODE_COLLAPSE = "mode collapse"
    VANISHING_GRADIENT = "vanishing generator gradient"
    OVERPOWERING = "discriminator overpowering"
    OVERFITTING = "discriminator overfitting"
    OSCILLATION = "oscillation"


EVIDENCE = {
    Sickness.DIVERGENCE: ("finite", "steepness"),
    Sickness.MODE_COLLAPSE: ("diversity",),
    Sickness.VANISHING_GRADIENT: ("g_slope", "g_gradient", "real_accuracy", "fake_accuracy"),
    Sickness.OVERPOWERING: ("separation", "real_accuracy", "fake_accuracy"),
    Sickness.OVERFITTING: ("overfitting", "real_accuracy", "held_out_accuracy"),
    Sickness.OSCILLATION: ("oscillation",),
}

REMEDIES = {
    Sickness.DIVERGENCE: (
        "Lower the learning rates of g_optimizer and d_optimizer in compile(), or give them clipnorm=1.0; under "
        "mixed_float16 try the policy mixed_bfloat16."
    ),
    Sickness.MODE_COLLAPSE: (
        "Lower the learning rate of g_optimizer in compile() or raise discriminator_steps; let the discriminator see "
        "several images at once (kg.PacGAN with packing=2, kg.layers.MinibatchStandardDeviation); or use kg.WGANGP. "
        "If nothing helps, check whether the generator's output depends on its latents."
    ),
    Sickness.VANISHING_GRADIENT: (
        "Give the model a loss that does not saturate (generator_objective=kg.losses.non_saturating_generator_loss, or "
        "kg.WGANGP), or lower the learning rate of d_optimizer in compile(). A g_gradient of 0 with another loss means "
        "that the generator itself is saturated: lower the learning rate of g_optimizer."
    ),
    Sickness.OVERPOWERING: (
        "Lower the learning rate of d_optimizer in compile(), or raise that of g_optimizer; lower discriminator_steps; "
        "or handicap the discriminator: kg.callbacks.LabelSmoothing(0.9), kg.layers.InstanceNoise. Check whether "
        "the generator learns at all (trainable, its learning rate)."
    ),
    Sickness.OVERFITTING: (
        "Train on more images, or augment what the discriminator sees (kg.augment); make the discriminator smaller or "
        "give it dropout; or stop here (stop=True)."
    ),
    Sickness.OSCILLATION: (
        "Lower both learning rates in compile(), and beta_1 to 0.5 or 0; damp the game with a gradient penalty "
        "(gp_weight of kg.DRAGAN or kg.WGANGP) or kg.callbacks.HistoricalAveraging; sample from the average of the "
        "weights (ema_decay=0.999)."
    ),
}


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A sickness that a `GANDoctor` found.

    Args:
        name: a `Sickness`, which equals its name as a string.
        epoch: the epoch in which the verdict began, counted from 1 as `fit` shows it.
        evidence: {signal: value} at that time.
        remedy: what to change.
        until: the epoch in which the signs were gone, or the weights were rolled back; None while the signs last.
    """

    name: Sickness
    epoch: int
    evidence: Mapping[str, float]
    remedy: str
    until: int | None = None

    def __str__(self):
        signs = ", ".join(f"{name} {value:.3g}" for name, value in self.evidence.items())
        return f"{self.name} ({signs}). {self.remedy}"


class GANDoctor(keras.callbacks.Callback):
    """Says what is wrong with a training, on what evidence, and what to change.

    At the end of an epoch it evaluates a small fixed batch and samples from fixed noise, both in inference mode and
    with the weights that are trained, not their averages. The discriminator's batch norms use the batch's statistics,
    as in training. The training stays the same, bit for bit. The measurements
    are in the logs, for callbacks that come later in the list:

    - "doctor/finite": 1, or 0 if losses, logits or samples are not finite;
    - "doctor/diversity": the root of the samples' variance over that of the real examples, around 1 in a healthy run;
    - "doctor/oscillation": how far the samples' mean moves back and forth between evaluations, over the spread of the
      real examples; movement in one direction does not count; healthy below 0.6;
    - "doctor/real_accuracy", "doctor/fake_accuracy", "doctor/held_out_accuracy": the shares of logits on the right side
      of the midpoint between the mean logits of real and generated examples;
    - "doctor/separation": the distance of these means in standard deviations, healthy below 10;
    - "doctor/steepness": the standard deviation of all these logits over the spread of the real examples, healthy
      below 100;
    - "doctor/overfitting": (mean real - mean held-out) / (mean real - mean generated) of the logits, r_v of Karras et
      al.; 0 if the first difference is within three standard errors, as in a healthy run;
    - "doctor/g_gradient": the norm of the gradient of the generator's loss with respect to its weights;
    - "doctor/g_slope": this norm over that of the mean logit's gradient: what the loss leaves of it; healthy from
      0.1 to 1.

    The accuracies, separation and overfitting do not change when logits are multiplied by a positive number or shifted,
    because a critic's scores are not probabilities. `steepness` depends on the logits' scale only. `g_gradient` and
    `g_slope` depend on the generator's loss: softplus(-d) has the slope sigmoid(-d), 0.5 at d = 0 and 0.0025 at d = 6.
    Under a linear loss, such as Wasserstein's or the hinge's, `g_slope` is always 1.

    A verdict needs `patience` evaluations in a row with its signs; values that are not finite lead to one at once:

    - mode collapse: samples are nearly the same. A generator that keeps a few distant modes is not noticed;
      `kg.metrics.mode_coverage` counts modes.
    - oscillation: the samples swing instead of settling; from the fifth evaluation on.
    - divergence: values that are not finite, or very large logits. Without `stop` and `rollback`, `fit` itself ends a
      training whose losses are not finite, with a `DivergenceError`.
    - discriminator overpowering: its logits of real and generated images lie far apart, and the generator does not
      catch up. A critic's gradient stays useful; there the verdict means that the generator hardly moves. It is not
      given together with mode collapse or a vanishing gradient, which name the cause.
    - vanishing generator gradient: the discriminator tells the images apart and the generator's loss is flat there.
      Wasserstein and hinge losses are linear: there only a generator with a saturated output has it.
    - discriminator overfitting: it takes unseen images for generated ones. Needs `held_out`.

    Samples are compared with the field of the batch that has the output's name or, failing that, its shape. Signals
    come from the model's `batch_losses` and `batch_scores`; if a model has no scores, or `real` lacks a field that
    every batch must have, such as the labels of a conditional model, only the other signals are used. If an example
    has several logits, each counts.

    Args:
        real: training examples as `fit` takes them, best 64 to 512, at least two: an array of the batch's first
            field, or {name: values}.
        held_out: about as many examples of the same kind that are not trained on; None leaves overfitting out.
        period: epochs from one evaluation to the next, 1 or more. The first epoch is evaluated, and those after
            which losses or weights are not finite; a resumed run keeps counting. In between the logs repeat the last
            values.
        patience: evaluations in a row that a verdict needs, 1 or more.
        stop: whether a verdict ends the training.
        rollback: True: a verdict restores the weights, moving averages and optimizer moments of the last evaluation
            without any sign, or of the start of training; a file name that ends in ".keras": the same, kept in that
            file as a whole model. Noise, data, step count and learning rates go on, so the run does not repeat itself
            exactly. None restores nothing.
        rate_factor: each rollback multiplies both learning rates by this number, in (0, 1].

    Attributes:
        verdicts: the `Verdict`s of this callback in the order in which they began.

    Raises:
        ConfigurationError: numbers out of range, or a rollback that is neither True nor the name of a `.keras` file;
            when training begins, a rate_factor below 1 with a learning rate that follows a schedule.
        DataError: when training begins, examples that the model cannot take.
        OutputError: when training begins, a file name in a folder that cannot be written to.

    Example:

    >>> images = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 1)).astype("uint8")
    >>> gan = kg.DCGAN(image_shape=(8, 8, 1), latent_dim=4)
    >>> gan.compile()
    >>> doctor = GANDoctor(images[:8], held_out=images[16:])
    >>> history = gan.fit(images[:16], verbose=0, callbacks=[doctor])
    >>> doctor.verdicts, history.history["doctor/finite"]
    ([], [1.0])

    Reference: r_v: Karras et al., 2020, "Training generative adversarial networks with limited data", section 3,
    https://arxiv.org/abs/2006.06676
    """

    def __init__(self, real, held_out=None, *, period=1, patience=3, stop=False, rollback=None, rate_factor=1.0):
        super().__init__()
        for name, number in (("period", period), ("patience", patience)):
            if not is_whole(number, 1):
                raise ConfigurationError(f"Expected {name} to be a whole number, 1 or more. Received: {number!r}.")
        if not (rollback is None or isinstance(rollback, bool)) and Path(str(rollback)).suffix != ".keras":
            raise ConfigurationError(f"Expected rollback to be True or a .keras file name. Received: {rollback!r}.")
        self.real, self.held_out, self.period, self.patience = real, held_out, period, patience
        if not (is_number(rate_factor, 0.0) and 0.0 < rate_factor <= 1.0):
            raise ConfigurationError(f"Expected rate_factor in (0, 1]. Received: {rate_factor!r}.")
        self.stop, self.rollback, self.rate_factor = stop, rollback, rate_factor
        self.acts_on_divergence = bool(stop or rollback)  # instead of `fit`, which would end the training with an error
        self.verdicts = []

    def set_model(self, model):
        super().set_model(model)
        self._given, self._real = self._batch(self.real, "real")
        self._held_out = None if self.held_out is None else self._batch(self.held_out, "held_out")[1]
        self._alike = _alike(model, self._real)
        real = [_as_made(model.batch_fields[like], self._real[like]) for like in self._alike.values()]
        size = sum(rows.shape[1] for rows in real)
        self._spread = _spread(np.concatenate(real, axis=1)) if real else np.nan
        # Slots are created here, not in on_train_begin, where another callback may already load them.
        with engine.scope_of(model):
            for name, shape, dtype in (
                ("evaluations", (), "int32"),
                ("streaks", (len(Sickness),), "int32"),
                ("epochs", (len(Sickness),), "int32"),  # in which current verdicts began; 0 for the others
                ("evidence", (len(Sickness), len(SIGNALS)), "float32"),
                ("signals", (len(SIGNALS),), "float32"),
                ("means", (WINDOW, size), "float32"),
            ):
                model.slots.get(f"{KEY}/{name}", shape, dtype)

    def on_train_begin(self, logs=None):
        model = self.model
        if self.rate_factor < 1.0 and not all(isinstance(rate, keras.Variable) for rate in _learning_rates(model)):
            raise ConfigurationError(
                f"Expected learning rates that can be lowered. Received: rate_factor={self.rate_factor} and an "
                "optimizer with a schedule. Give it a number, or leave rate_factor out."
            )
        if self._spread == 0.0:
            raise DataError("Expected real to be examples that differ. Received: copies of one. Give a mixed batch.")
        self._has_losses = all(name in self._real or name in model.optional_fields for name in model.batch_fields)
        self._has_scores = self._has_losses and self._scores(self._real) is not None
        self._has_slope = self._has_scores and "g_loss" in model.log_names
        self._names = [name for name in SIGNALS if name not in self._missing()]
        if not self._get("evaluations"):  # until the first evaluation, which `period` may delay
            self._put("signals", np.full(len(SIGNALS), np.nan))
        known = {(verdict.name, verdict.epoch) for verdict in self.verdicts}
        for sickness, epoch, values in zip(Sickness, self._get("epochs").tolist(), self._get("evidence").tolist()):
            if epoch and (sickness, epoch) not in known:  # from the run that this one resumes
                self.verdicts.append(_verdict(sickness, epoch, self._named(values)))
        if self.rollback:
            if self.rollback is not True:
                make_writable(Path(self.rollback).parent)
            if self.rollback is True or not (self._get("streaks").any() and Path(self.rollback).exists()):
                self._keep()

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        if epoch % self.period == 0 or not is_finite(self.model, logs):
            signals = self._examine(logs)
            self._put("signals", [signals.get(name, 0.0) for name in SIGNALS])
            self._judge(epoch + 1, signals)
        logs.update({f"{KEY}/{name}": value for name, value in self._named(self._get("signals").tolist()).items()})

    def _named(self, values):
        """{signal: value} of the available signals, from the values of all."""
        return {name: value for name, value in zip(SIGNALS, values) if name in self._names}

    # The signals

    def _examine(self, logs):
        """{signal: value} of the model as it is. If some values are not finite, all but "finite" are NaN."""
        with judged_by_batch(self.model):
            return self._signals(logs)

    def _signals(self, logs):
        model = self.model
        made = self._samples()
        batches = [self._real] if self._held_out is None else [self._real, self._held_out]
        scores = [self._scores(batch) for batch in batches] if self._has_scores else []
        losses = [logs[name] for name in model.log_names if name in logs]
        if self._has_losses:
            with _same_noise(model):
                losses += map(ops.convert_to_numpy, model.batch_losses(**self._real).values())
        seen = [*map(_flat, made.values()), *losses, *(values for pair in scores for values in pair)]
        finite = all(np.isfinite(values).all() for values in seen)
        signals = {**dict.fromkeys(self._names, np.nan), "finite": float(finite)}
        if not finite:
            return signals
        if self._alike:
            samples = np.concatenate([_as_made(model.output_fields[name], made[name]) for name in self._alike], axis=1)
            signals["diversity"] = _spread(samples) / self._spread
            signals["oscillation"] = self._oscillation(samples.mean(axis=0) / self._spread)
        if scores:
            (real, fake), *others = scores
            signals.update(_of_logits(real, fake, *(held_out for held_out, _ in others)))
            signals["steepness"] = float(np.std(np.concatenate([real, fake]))) / self._spread
        if self._has_slope:
            signals["g_gradient"] = self._gradient(lambda: model.batch_losses(**self._real)["g_loss"])
            raw = self._gradient(lambda: ops.mean(ops.cast(model.batch_scores(**self._real)[1], "float32")))
            signals["g_slope"] = signals["g_gradient"] / raw if raw > 0.0 else 0.0
        return signals

    def _missing(self):
        """The signals that this model does not have, or that would need held-out examples."""
        missing = [] if self._alike else ["diversity", "oscillation", "steepness"]
        if not self._has_scores:
            missing += ["real_accuracy", "fake_accuracy", "separation", "steepness"]
        if not self._has_scores or self._held_out is None:
            missing += ["held_out_accuracy", "overfitting"]
        if not self._has_slope:
            missing += ["g_gradient", "g_slope"]
        return missing

    def _batch(self, examples, what):
        """Examples as users give them and as networks see them, {name: values}."""
        model, first = self.model, next(iter(self.model.batch_fields))
        given = examples if isinstance(examples, dict) else {first: np.asarray(examples)}
        given = checking.named(given, model.batch_fields)
        for name, values in given.items():
            model.batch_fields[name].check(values)
        checking.check_counts(given)
        count, least = len(given[first]), max(2, model.smallest_batch)
        if count < least:
            raise DataError(f"Expected {what} to be {least} examples or more. Received: {count}.")
        whole = count // model.packing * model.packing
        given = {name: values[:whole] for name, values in given.items()}
        return given, model.encode_batch(given)

    def _samples(self):
        """{name: tensor} of samples from the noise of seed 0, with real examples for inputs that cannot be drawn."""
        model, n = self.model, len(next(iter(self._given.values())))
        given = sampling.given_inputs(model, n, self._given)
        inputs = sampling.encode_inputs(model, sampling.complete_inputs(model, n, 0, given))
        made = model.compute_outputs(inputs, training=False)
        return made if isinstance(made, dict) else {next(iter(model.output_fields)): made}

    def _scores(self, batch):
        """The logits of real and of generated examples, each a float64 vector, or None."""
        with _same_noise(self.model):
            scores = self.model.batch_scores(**batch)
        return None if scores is None else [_flat(logits).ravel() for logits in scores]

    def _oscillation(self, mean):
        """How much longer than a straight line the path of the samples' mean is, per step."""
        seen = int(self._get("evaluations"))
        means = np.concatenate([self._get("means")[1:], mean[None]])
        self._put("means", means)
        self._put("evaluations", min(seen + 1, WINDOW))
        if seen + 1 < WINDOW:
            return 0.0
        steps = np.linalg.norm(np.diff(means, axis=0), axis=1)
        return float(np.sum(steps) - np.linalg.norm(means[-1] - means[0])) / len(steps)

    def _gradient(self, loss):
        """The norm of the gradient of `loss()` with respect to the generator's weights."""
        model, scale = self.model, self.model.g_optimizer.scale_loss  # float16 needs large losses here too
        with _same_noise(model):
            _, gradients = engine.value_and_grad(loss, model.player_variables(next(iter(model.players))), scale)
        norms = [np.linalg.norm(ops.convert_to_numpy(slope)) for slope in gradients if slope is not None]
        return float(np.linalg.norm(norms) / float(scale(1.0)))

    # The verdicts

    def _judge(self, epoch, signals):
        signs = _signs(signals)
        streaks, epochs, evidence = (self._get(name) for name in ("streaks", "epochs", "evidence"))
        begun = []
        for i, sickness in enumerate(Sickness):
            streaks[i] = streaks[i] + 1 if sickness in signs else 0
            if epochs[i] and not streaks[i]:
                self._end(sickness, epochs[i], epoch)
                epochs[i] = 0
            at_once = sickness is Sickness.DIVERGENCE and not signals["finite"]
            if not epochs[i] and (streaks[i] >= self.patience or streaks[i] and at_once):
                epochs[i], evidence[i] = epoch, [signals.get(name, 0.0) for name in SIGNALS]
                begun.append(_verdict(sickness, epoch, signals))
        for name, values in (("streaks", streaks), ("epochs", epochs), ("evidence", evidence)):
            self._put(name, values)
        self.verdicts.extend(begun)
        for verdict in begun:
            say(f"\nEpoch {epoch}: {verdict}")
        if begun and self.stop:
            self.model.stop_training = True
        if begun and self.rollback:
            self._roll_back(epoch)
        elif self.rollback and not signs:
            self._keep()

    def _end(self, sickness, began, epoch):
        for i, verdict in enumerate(self.verdicts):
            if (verdict.name, verdict.epoch) == (sickness, began):
                self.verdicts[i] = dataclasses.replace(verdict, until=epoch)

    # The last healthy state

    def _keep(self):
        if self.rollback is True:
            self._kept = _values(self.model)
            return
        with atomic_write(self.rollback) as path:
            self.model.save(path)

    def _roll_back(self, epoch):
        kept = self._kept if self.rollback is True else _values(read_model(self.rollback, compile=True))
        for variable, value in zip(_state(self.model), kept, strict=True):
            variable.assign(value)
        for sickness, began in zip(Sickness, self._get("epochs").tolist()):
            self._end(sickness, began, epoch)
        for name in ("evaluations", "streaks", "epochs"):
            self._put(name, np.zeros_like(self._get(name)))
        if self.rate_factor < 1.0:
            for rate in _learning_rates(self.model):
                rate.assign(rate * self.rate_factor)
        say(f"Epoch {epoch}: back to the last healthy weights.")

    # What is kept on the model

    def _get(self, name):
        return np.array(ops.convert_to_numpy(self.model.slots.get(f"{KEY}/{name}")), copy=True)

    def _put(self, name, values):
        self.model.slots.get(f"{KEY}/{name}").assign(values)


@contextlib.contextmanager
def _same_noise(model):
    """A context in which the model evaluates with the same noise each time; later evaluations are not affected."""
    state = model.evaluation_seeds.state
    before = np.array(ops.convert_to_numpy(state), copy=True)
    state.assign(np.zeros_like(before))
    try:
        yield
    finally:
        state.assign(before)


def _alike(model, batch):
    """{name of an output: name of the field in the batch that it is compared with}."""
    found = {}
    targets = sorted(batch, key=lambda name: name in model.input_fields)  # stable: what is also an input comes last
    for name, field in model.output_fields.items():
        same = [other for other in targets if type(model.batch_fields[other]) is type(field)]
        shaped = [other for other in same if model.batch_fields[other].shape == field.shape]
        if name in same or shaped:
            found[name] = name if name in same else shaped[0]
    return found


def _as_made(field, encoded):
    """Float64 (N, numbers per example) of encoded values, rounded to whole grey levels, as users get them."""
    return _flat(field.encode(field.decode(encoded)))


def _signs(signals):
    """The sicknesses that show signs; a signal that is missing or NaN is no sign."""

    def at(name):
        return signals.get(name, np.nan)

    if at("finite") == 0.0 or at("steepness") > STEEP:
        return {Sickness.DIVERGENCE}  # all other signs follow from it
    signs = set()
    if at("diversity") < COLLAPSED:
        signs.add(Sickness.MODE_COLLAPSE)
    if at("oscillation") > SWINGING:
        signs.add(Sickness.OSCILLATION)
    if at("overfitting") > MEMORISED:
        signs.add(Sickness.OVERFITTING)
    if at("g_slope") < FLAT and min(at("real_accuracy"), at("fake_accuracy")) > TOLD_APART:
        signs.add(Sickness.VANISHING_GRADIENT)
    elif at("separation") > SEPARATED and Sickness.MODE_COLLAPSE not in signs:
        signs.add(Sickness.OVERPOWERING)
    return signs


def _of_logits(real, fake, held_out=None):
    """The signals of the logits of real, generated and, if there are any, held-out examples."""
    gap, middle = real.mean() - fake.mean(), (real.mean() + fake.mean()) / 2
    width = np.sqrt((real.var() + fake.var()) / 2)
    signals = {
        "real_accuracy": np.mean(real > middle),
        "fake_accuracy": np.mean(fake < middle),
        "separation": gap / width if width > 0.0 else 0.0,
    }
    if held_out is not None:
        lower = real.mean() - held_out.mean()
        error = np.sqrt(real.var() / len(real) + held_out.var() / len(held_out))
        known = gap > 0.0 and lower > STANDARD_ERRORS * error
        signals.update(held_out_accuracy=np.mean(held_out > middle), overfitting=lower / gap if known else 0.0)
    return {name: float(value) for name, value in signals.items()}


def _verdict(sickness, epoch, signals):
    evidence = {name: float(signals[name]) for name in EVIDENCE[sickness] if name in signals}
    return Verdict(sickness, epoch, types.MappingProxyType(evidence), REMEDIES[sickness])


def _state(model):
    """What a rollback restores: not the noise, the step count, the learning rates or the doctor's own counts."""
    own = {id(model.slots.get(name)) for name in model.slots.names if name.startswith(f"{KEY}/")} | {id(model.step)}
    variables = [*model.weights, *model.g_optimizer.variables, *model.d_optimizer.variables]
    return [v for v in variables if id(v) not in own and v.name != "learning_rate"]


def _learning_rates(model):
    """Both players' learning rates: variables, or plain numbers where they follow a schedule."""
    return [optimizer.learning_rate for optimizer in (model.g_optimizer, model.d_optimizer)]


def _values(model):
    return [np.array(ops.convert_to_numpy(variable.value), copy=True) for variable in _state(model)]


def _flat(batch):
    """A batch as float64 (N, numbers per example)."""
    batch = ops.convert_to_numpy(batch)
    return batch.astype("float64").reshape(len(batch), -1)


def _spread(rows):
    """The root of the rows' variance, summed over columns."""
    return float(np.sqrt(rows.var(axis=0).sum()))
