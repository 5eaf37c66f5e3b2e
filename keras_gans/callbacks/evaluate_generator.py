"""Metrics of the generator during training, because its losses say little."""

import keras
from keras import ops

from keras_gans import engine, sampling
from keras_gans.batch_statistics import standing_statistics
from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_whole

KEY = "evaluate_generator"


class EvaluateGenerator(keras.callbacks.Callback):
    """Measures generated images every few epochs and logs `val_kernel_distance`, ... in every epoch.

    The images are those of `model.generate(samples, seed, **inputs)`: the same noise each time, and the moving averages
    of the weights if the model keeps them, with batch norm's statistics computed for them. Measuring does not change
    the training. Epochs in between log the last number again, so that a callback that waits for an improvement finds
    none there. The last epoch that `fit` is asked for is always measured, and so is the first, unless the run is
    resumed. If another callback ends the run early, its last epoch may not be measured.

    List it before the callbacks that read its numbers:

        best = {"monitor": "val_kernel_distance", "mode": "min"}
        callbacks = [
            EvaluateGenerator(evaluator, every=5),
            keras.callbacks.ModelCheckpoint("best.keras", **best, save_best_only=True),
            keras.callbacks.EarlyStopping(**best, patience=20),
            keras.callbacks.TensorBoard("logs"),
        ]

    Args:
        evaluator: a `kg.metrics.Evaluator`.
        samples: how many images, 2 or more; part of the measurements' protocol.
        every: epochs from one measurement to the next, 1 or more; a resumed run keeps counting.
        seed: whole number that determines the noise.
        inputs: {name: values} of inputs that cannot be drawn, such as `samples` images to translate.
        output: the name of the output to measure; None for the first.

    Attributes:
        measurements: a list of (epoch, {name: `Measurement`}) of this run, epochs counted from 1.

    Raises:
        ConfigurationError: numbers out of range; when training begins, an input that cannot be drawn and is not given,
            or an output that the model does not have.
        DataError: when training begins, a reference of another shape than the model's images.

    Example:

    >>> digits = kg.data.load("drawn:digits", take=200, batch_size=50)
    >>> evaluator = kg.metrics.Evaluator(digits, kg.metrics.pixels((28, 28, 1)), metrics=["kernel_distance"])
    >>> gan = kg.GAN(image_shape=(28, 28, 1))
    >>> gan.compile()
    >>> history = gan.fit(digits, callbacks=[EvaluateGenerator(evaluator, samples=100)], verbose=0)
    >>> sorted(history.history)
    ['d_loss', 'g_loss', 'val_kernel_distance']
    """

    def __init__(self, evaluator, *, samples=1000, every=1, seed=0, inputs=None, output=None):
        super().__init__()
        for name, number, least in (("samples", samples, 2), ("every", every, 1)):
            if not is_whole(number, least):
                raise ConfigurationError(
                    f"Expected {name} to be a whole number, {least} or more. Received: {number!r}."
                )
        self.evaluator, self.samples, self.every, self.seed = evaluator, samples, every, seed
        self.inputs, self.output = inputs, output
        self.measurements = []

    def set_model(self, model):
        super().set_model(model)
        # Saved with the model, so that a resumed run logs what the uninterrupted one does.
        with engine.scope_of(model):
            self._count = model.slots.get(f"{KEY}/count", (), "int32")
            self._kept = {name: model.slots.get(f"{KEY}/{name}") for name in self.evaluator.names}

    def on_train_begin(self, logs=None):
        fields = self.model.output_fields
        self._output = next(iter(fields)) if self.output is None else self.output
        if self._output not in fields:
            raise ConfigurationError(f"Expected output to be one of {', '.join(fields)}. Received: {self.output!r}.")
        self.evaluator.check(fields[self._output].shape)
        self._inputs = sampling.complete_inputs(self.model, self.samples, self.seed, self.inputs)
        self.measurements, self._measured = [], int(ops.convert_to_numpy(self._count)) > 0
        self._last = {name: float(ops.convert_to_numpy(variable)) for name, variable in self._kept.items()}

    def on_epoch_end(self, epoch, logs=None):
        if not self._measured or (epoch + 1) % self.every == 0 or epoch + 1 == self.params["epochs"]:
            with standing_statistics(self.model):
                made = self.model.sample(**self._inputs)[self._output]
            found = self.evaluator(made)
            self.measurements.append((epoch + 1, found))
            self._measured = True
            self._count.assign_add(1)
            for name, variable in self._kept.items():
                variable.assign(found[name].value)
                self._last[name] = float(ops.convert_to_numpy(variable))
        logs.update({f"val_{name}": value for name, value in self._last.items()})
