"""GRAN on MNIST, 28x28: Im et al., 2016, https://arxiv.org/abs/1602.05110

    keras-gans train gran_mnist

Three steps of one decoder, which an encoder reminds of what it last drew: `canvases(8, seed=0)` of the model shows
them. A quarter of the published code's filters, 64 latents and codes in the place of 100, DCGAN's Adam in the place of
the code's slower one, and a moving average of the generator. It took 12 minutes of two CPU
cores with bfloat16, beside other work.
"""

import keras

import keras_gans as kg
from keras_gans.models.gran import build_discriminator, build_generator
from keras_gans.training import Recipe, fast_policy

SHAPE = (28, 28, 1)


def recipe(smoke=False):
    keras.config.set_dtype_policy(fast_policy())
    filters = 4 if smoke else 32
    model = kg.GRAN(
        build_generator(SHAPE, latent_dim=64, steps=3, base_filters=filters, code_size=64),
        build_discriminator(SHAPE, base_filters=filters),
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(2e-4, beta_1=0.5), adam(2e-4, beta_1=0.5))
    return Recipe(
        title="Handwritten digits, 28x28, drawn in three steps",
        dataset=kg.data.load("mnist", split="train", batch_size=64, take=256 if smoke else None),
        model=model,
        epochs=1 if smoke else 10,
        limits="A quarter of the published code's filters, trained for a quarter of an hour: fewer styles "
        "of writing than in the data.",
        not_good_for="Digits on demand: it takes no labels. Its steps are no strokes: each adds to the whole picture.",
    )
