"""PacGAN on stacked MNIST, 28x28 in colour: Lin et al., 2018, https://arxiv.org/abs/1712.04086

    keras-gans train pacgan_stacked_mnist

Three digits in one image, red, green and blue, are a thousand classes; a discriminator that judges two images at a time
sees when some are missing. VEEGAN's protocol with three eighths of its filters and a moving average of the generator.
So that the discriminator does not win at once, it gets noise on its packs and half the generator's learning rate; both
rates fall to zero along a cosine. It took 28 minutes of two CPU cores with bfloat16, beside other work.
"""

import keras
from keras import layers

import keras_gans as kg
from keras_gans.models.pacgan import build_discriminator, build_generator
from keras_gans.training import Recipe

SHAPE = (28, 28, 3)


def noisy_discriminator(filters):
    packs = keras.Input((*SHAPE[:2], 2 * SHAPE[2]), name="packs")
    noisy = layers.GaussianNoise(0.3, dtype="float32", name="noise")(packs)
    return keras.Model(packs, build_discriminator(SHAPE, packing=2, base_filters=filters)(noisy), name="discriminator")


def recipe(smoke=False):
    keras.config.set_dtype_policy("mixed_bfloat16")
    filters = 4 if smoke else 24
    model = kg.PacGAN(
        build_generator(SHAPE, latent_dim=100, base_filters=filters),
        noisy_discriminator(filters),
        packing=2,
        ema_decay=0.999,
    )
    data = kg.data.stacked_mnist(count=512 if smoke else 128_000, batch_size=2 * 64)
    epochs = 1 if smoke else 24

    def adam(rate):
        return kg.optimizers.FusedAdam(keras.optimizers.schedules.CosineDecay(rate, epochs * len(data)), beta_1=0.5)

    model.compile(adam(2e-4), adam(1e-4))
    return Recipe(
        title="Three handwritten digits in one image, 28x28, from packs of two",
        dataset=data,
        model=model,
        epochs=epochs,
        limits="Three eighths of the protocol's filters, trained for less than an hour: one digit in the "
        "three is often rough.",
        not_good_for="Anything but counting modes: three digits are drawn over each other on purpose.",
    )
