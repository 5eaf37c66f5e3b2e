"""Adapts the probability of augmentation: Karras et al., 2020, https://arxiv.org/abs/2006.06676"""

import keras
import numpy as np
from keras import ops

from keras_gans import checking, engine
from keras_gans.augment import AdaptiveAugment, adapted_probability
from keras_gans.batch_statistics import judged_by_batch
from keras_gans.data import Batches
from keras_gans.errors import ConfigurationError
from keras_gans.fitting import phase_of, steps_of
from keras_gans_core.checks import is_number, is_whole

KEY = "adapt_augmentation"


class AdaptAugmentation(keras.callbacks.Callback):
    """Adapts p of the model's `kg.augment.AdaptiveAugment` to how well the discriminator knows the real images.

    Every `interval` steps it computes

        r_t = E[sign(D(T(x)))]

    over the real images x of the last `interval` batches, augmented by T, with the discriminator as it is then, in
    inference mode. Above the target the discriminator overfits, and p rises by interval * batch size / images_to_one;
    below it p falls by as much, to 0 at least.

    The authors' code reads the logits of the training itself, one after each of the discriminator's updates. Here the
    images are judged once more, so that any variant's training stays as it is. It costs up to one forward pass of the
    generator and two of the discriminator a step. The numbers that the augmentation is drawn from follow from the step,
    and p is saved with the model, so a resumed run goes on exactly.

    The logs of an epoch have the last r_t, `real_sign`, and p, `augment_probability`.

    Args:
        batches: the `kg.data.Batches` that `fit` is given.
        target: of r_t, in [0, 1].
        interval: steps from one adjustment to the next, 1 or more.
        images_to_one: real images after which p rises from 0 to 1.
        relative: whether the sign is that of D(T(x)) - D(T(G(z))), for losses that leave the logits' zero open:
            relativistic ones, such as R3GAN's, and those of Wasserstein GANs.

    Raises:
        ConfigurationError: numbers out of range, or batches of another kind; in `fit`, a model without an
            `AdaptiveAugment`, or with several, or one that does not score single images.

    Example:

    >>> AdaptAugmentation(kg.data.Batches(np.zeros((8, 8, 8, 1), "uint8"), batch_size=4), target=0.5).interval
    4

    Reference: Karras et al., 2020, section 3, https://arxiv.org/abs/2006.06676
    """

    def __init__(self, batches, target=0.6, interval=4, images_to_one=500_000, relative=False):
        super().__init__()
        if not isinstance(batches, Batches):
            raise ConfigurationError(
                f"Expected the kg.data.Batches that fit is given. Received: {type(batches).__name__}. Make them of "
                "arrays: kg.data.Batches(images, batch_size=64)."
            )
        if not (is_number(target, 0.0) and target <= 1.0):
            raise ConfigurationError(
                f"Expected a target in [0, 1], a mean sign of the logits of real images. Received: {target!r}."
            )
        for name, number in (("interval", interval), ("images_to_one", images_to_one)):
            if not is_whole(number, 1):
                raise ConfigurationError(f"Expected {name} of 1 or more. Received: {number!r}.")
        # A copy of its own: `fit` reads batches ahead in another thread, and they remember the epoch's order.
        self.batches = batches.reseeded(batches.seed)
        self.target, self.interval = float(target), interval
        self.images_to_one, self.relative = images_to_one, relative

    def set_model(self, model):
        super().set_model(model)
        found = [layer for layer in model._flatten_layers() if isinstance(layer, AdaptiveAugment)]
        if len({id(layer) for layer in found}) != 1:
            raise ConfigurationError(
                f"Expected a model with one kg.augment.AdaptiveAugment. Received: {len(found)} in "
                f"{type(model).__name__}. Build it with discriminator=kg.augment.with_augmentation(discriminator, "
                "kg.augment.AdaptiveAugment())."
            )
        if model.packing != 1:
            raise ConfigurationError(
                "Expected a model whose discriminator judges single images. Received: "
                f"{type(model).__name__}, of packs of {model.packing}."
            )
        self.augment = found[0]
        self._shape = tuple(self.augment.input.shape[1:])  # of what the discriminator sees
        with engine.scope_of(model):
            self._sign = model.slots.get(f"{KEY}/sign")

    def on_train_begin(self, logs=None):
        self._judge = engine.function(self._signs)
        self._start, self._step = phase_of(self.model)[1], steps_of(self.model)
        self.measure(self._step)  # says now what the model cannot do

    def on_epoch_begin(self, epoch, logs=None):
        self._batch = -1

    def on_train_batch_end(self, batch, logs=None):
        before, self._step = self._step, self._step + batch - self._batch
        self._batch = batch
        for step in range(before + 1, self._step + 1):
            if step % self.interval == 0:
                self._adjust(step)

    def on_epoch_end(self, epoch, logs=None):
        logs["real_sign"] = float(ops.convert_to_numpy(self._sign))
        logs["augment_probability"] = float(ops.convert_to_numpy(self.augment.probability))

    def _adjust(self, step):
        sign = np.mean([self.measure(one) for one in range(step - self.interval, step)])
        self._sign.assign(sign)
        probability = self.augment.probability
        count = self.interval * self.batches.batch_size
        options = {"target": self.target, "count": count, "images_to_one": self.images_to_one}
        probability.assign(adapted_probability(float(ops.convert_to_numpy(probability)), sign, **options))

    def measure(self, step):
        """The mean sign of the batch of a training step, counted from 0."""
        model = self.model  # on JAX, Keras now gives the variables their values of this step
        batch = checking.named(self.batches.at(max(0, step - self._start)), model.batch_fields)
        count, width = len(next(iter(batch.values()))), self.augment.count(self._shape)
        numbers = engine.seeded_normal([step], count * width)
        seeds = model.evaluation_seeds.state
        before = np.array(ops.convert_to_numpy(seeds), copy=True)
        sign = self._judge({**batch, KEY: np.reshape(numbers, (count, width))})["sign"]
        seeds.assign(before)  # validation goes on as without this
        return float(sign)

    def _signs(self, inputs):
        model, inputs = self._model, dict(inputs)
        numbers = inputs.pop(KEY)
        encoded = {name: model.batch_fields[name].encode(values) for name, values in inputs.items()}
        with judged_by_batch(model), self.augment.drawn_from(numbers):
            scores = model.batch_scores(**encoded)
        if scores is None:
            raise ConfigurationError(
                f"Expected a model that scores real images. Received: {type(model).__name__}, whose batch_scores "
                "returns None."
            )
        real, fake = scores
        logits = real - fake if self.relative else real
        return {"sign": ops.mean(ops.sign(logits))}
