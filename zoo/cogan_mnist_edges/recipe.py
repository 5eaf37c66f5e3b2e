"""CoGAN on MNIST's digits and the edges of other digits, 28x28: Liu and Tuzel, 2016, https://arxiv.org/abs/1606.07536

    keras-gans train cogan_mnist_edges

Half of the digits as they are, the edges of the other half, and no pair of a digit with its own edges. The networks of
the published code, the generator with a quarter of its filters; Adam at five times its rate, and a moving average of
the generator. The log `agreement` is the share of pixels in which the edges of a generated digit are those generated
beside it. It took 18 minutes of one CPU core with bfloat16, beside other work.
"""

import keras
import numpy as np

import keras_gans as kg
from keras_gans.models.cogan import build_discriminators, build_generators
from keras_gans.training import Recipe, fast_policy

SHAPE = (28, 28, 1)


class Agreement(keras.callbacks.Callback):
    """Logs the pixel agreement ratio of 1000 pairs after each epoch."""

    def on_epoch_end(self, epoch, logs=None):
        made = self.model.generate(1000, seed=0)
        pairs = np.stack([made["first"], made["second"]], axis=1)
        logs["agreement"] = kg.metrics.pixel_agreement(fake=pairs, change=kg.data.edges)


def recipe(smoke=False):
    keras.config.set_dtype_policy(fast_policy())
    filters = (8, 8, 4, 4) if smoke else (256, 128, 64, 32)
    model = kg.CoGAN(
        build_generators(SHAPE, filters=filters),
        build_discriminators(SHAPE, **({"filters": (4, 4), "units": 8} if smoke else {})),
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(1e-3, beta_1=0.5), adam(1e-3, beta_1=0.5))
    return Recipe(
        title="Handwritten digits and their edges, 28x28, learned without pairs",
        dataset=kg.data.two_domains("mnist", kg.data.edges, split="train", take=512 if smoke else None),
        model=model,
        epochs=1 if smoke else 11,
        callbacks=[Agreement()],
        limits="Small networks, trained for a quarter of an hour: some digits are between two, and some "
        "edges are broken.",
        not_good_for="The edges of a digit that you have: it makes pairs, and changes no image into another.",
    )
