"""GAM, the generative adversarial metric: of two trained models, each discriminator judges the other's images."""

from dataclasses import dataclass

import numpy as np
from keras import ops

from keras_gans import engine, sampling
from keras_gans.batch_statistics import judged_by_batch
from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_number, is_whole


@dataclass(frozen=True)
class Battle:
    """What `generative_adversarial_metric` returns.

    Args:
        test_errors: (of the first discriminator, of the second one): the share of test images that it takes for
            generated ones, 0 to 1.
        sample_errors: the same pair for the other model's images: the share that it takes for real ones.
        tolerance: how far the ratio of the test errors may be from 1 for there to be a winner: the larger error may
            exceed the smaller one by this share of it, 0 or more.

    Example:

    >>> battle = Battle(test_errors=(0.21, 0.2), sample_errors=(0.1, 0.4))
    >>> round(battle.test_ratio, 2), battle.sample_ratio, battle.winner
    (1.05, 0.25, 1)
    >>> Battle(test_errors=(0.5, 0.2), sample_errors=(0.1, 0.4)).winner is None    # the first discriminator is too weak
    True
    """

    test_errors: tuple
    sample_errors: tuple
    tolerance: float = 0.1

    @property
    def test_ratio(self):
        """r_test, the first discriminator's error on test images over the second's; NaN where neither errs."""
        return _ratio(*self.test_errors)

    @property
    def sample_ratio(self):
        """r_sample, the first discriminator's error on the second's images over the second's on the first's.

        NaN where neither errs.
        """
        return _ratio(*self.sample_errors)

    @property
    def winner(self):
        """1 or 2; None for a tie, and where the discriminators differ on test images or the ratio is NaN."""
        least, most = sorted(self.test_errors)
        comparable = 0.0 < most <= (1.0 + self.tolerance) * least
        first, second = self.sample_errors
        if not comparable or first == second:
            return None
        return 1 if first < second else 2


def generative_adversarial_metric(*, first, second, real, n=1000, seed=0, tolerance=0.1):
    """A battle of two trained models. The winner's images deceive the other's discriminator more often.

    An error is a logit on the wrong side of 0, that is, of the probability 1/2. There is a winner only where both
    discriminators err about equally often on test images: a discriminator that is weak, or overfitted to its training
    images, says nothing. Winning is not transitive: of three models each may beat the next.

    Args:
        first, second: models with discriminators of single images, one logit each, positive for real. Both make images
            of one shape, and are trained with a loss that puts the border at 0, as cross-entropy and hinge do. LSGAN's
            scores have their border at 1/2, and a critic's have none. Models for sampling, as in the zoo, have no
            discriminator. The networks run in inference mode, but the discriminators' batch norms use the statistics of
            the batches that they judge, up to 256 images, which are all real or all generated.
        real: test images, which neither model was trained on, uint8 or floats in [-1, 1].
        n: how many images each generator makes, 1 or more.
        seed: names these images; see `kg.DCGAN.generate`.
        tolerance: see `Battle`. The paper says "about 1"; 0.1 is this library's choice.

    Returns:
        A `Battle`. With the models swapped its ratios are inverted, and the winner is the same model.

    Raises:
        ConfigurationError: models without such discriminators or of two shapes, or numbers out of range.
        DataError: images that the models cannot take.

    Example:

    >>> first, second = (kg.GRAN(image_shape=(8, 8, 1), latent_dim=4, steps=steps) for steps in (1, 2))
    >>> images = kg.data.digits(20, (8, 8))[0]
    >>> battle = generative_adversarial_metric(first=first, second=second, real=images, n=20)
    >>> battle.winner in (None, 1, 2)
    True

    Reference: Im et al., 2016, section 4, https://arxiv.org/abs/1602.05110. The published code has ratios of the shares
    that are right, so there the first model wins where the ratio is above 1.
    """
    for name, model in (("first", first), ("second", second)):
        judge = getattr(model, "discriminator", None)
        if judge is None or len(model.output_fields) > 1 or not _judges(judge, model.image_shape):
            received = "a generator alone" if judge is None else f"one from {judge.input_shape} to {judge.output_shape}"
            raise ConfigurationError(
                f"Expected {name} to have a discriminator of single images with one logit. Received: {received}. Take "
                "the model of a training run, such as its checkpoint.keras."
            )
    if first.image_shape != second.image_shape:
        raise ConfigurationError(
            f"Expected two models of images of one shape. Received: {first.image_shape} and {second.image_shape}."
        )
    if not is_whole(n, 1) or not is_number(tolerance, 0.0):
        raise ConfigurationError(
            f"Expected n of 1 or more and a tolerance of 0 or more. Received: {n!r}, {tolerance!r}."
        )
    (field,) = first.output_fields.values()
    real = ops.convert_to_numpy(field.encode(field.check(np.asarray(real))))
    made = [_made(model, n, seed) for model in (first, second)]
    return Battle(
        test_errors=tuple(1.0 - _taken_for_real(model, real) for model in (first, second)),
        sample_errors=(_taken_for_real(first, made[1]), _taken_for_real(second, made[0])),
        tolerance=tolerance,
    )


def _judges(network, image_shape):
    """Whether a network gives one logit for a single image."""
    return network.input_shape == (None, *image_shape) and network.output_shape == (None, 1)


def _made(model, n, seed):
    """The images of `generate(n, seed)` as floats."""
    inputs = sampling.encode_inputs(model, sampling.complete_inputs(model, n, seed))
    return model.predict({name: ops.convert_to_numpy(tensor) for name, tensor in inputs.items()}, verbose=0)


def _taken_for_real(model, images):
    judge = engine.function(lambda inputs: {"logits": model.score(inputs["images"], training=False)})
    with judged_by_batch(model):
        logits = [
            judge({"images": images[i : i + sampling.BATCH]})["logits"] for i in range(0, len(images), sampling.BATCH)
        ]
    return float((np.concatenate(logits) > 0.0).mean())


def _ratio(first, second):
    if second == 0.0:
        return np.nan if first == 0.0 else np.inf
    return first / second
