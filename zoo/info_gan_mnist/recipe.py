"""InfoGAN on MNIST, 28x28: Chen et al., 2016, https://arxiv.org/abs/1606.03657

    keras-gans train info_gan_mnist

The paper's codes (one of ten categories, two continuous ones) and networks in half the width; its 62 numbers of noise,
its optimizers, and a moving average of the generator. No label is read: `traverse(0)` shows what the categories have
become. It took 14 minutes of two CPU cores, beside other work.
"""

import keras_gans as kg
from keras_gans.models.info_gan import build_discriminator, build_generator, build_recognizer
from keras_gans.training import Recipe

SHAPE = (28, 28, 1)


def recipe(smoke=False):
    filters, units = (4, 16) if smoke else (32, 512)
    model = kg.InfoGAN(
        build_generator(SHAPE, latent_dim=62 + 10 + 2, base_filters=filters, units=units),
        build_discriminator(SHAPE, base_filters=filters, units=units),
        build_recognizer(units, 10 + 2, units=64),
        ema_decay=0.999,
    )
    model.compile()
    return Recipe(
        title="Handwritten digits, 28x28, with codes for their kind and style",
        dataset=kg.data.load("mnist", split="train", batch_size=64, take=256 if smoke else None),
        model=model,
        epochs=1 if smoke else 15,
        limits="Half the paper's width, trained for a quarter of an hour: two of the ten categories share two digits.",
        not_good_for="A digit on demand: which category is which digit was left to chance, and some are mixed.",
    )
