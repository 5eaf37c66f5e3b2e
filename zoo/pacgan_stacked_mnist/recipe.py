"""PacGAN on stacked MNIST, 28x28 in colour: Lin et al., 2018, https://arxiv.org/abs/1712.04086

    keras-gans train pacgan_stacked_mnist

Three digits in one image, red, green and blue, are a thousand classes; a discriminator that judges two images at a time
sees when some are missing. The data, packs and counts of VEEGAN's protocol, with DCGAN's networks at half the filters
and a moving average of the generator. So that the discriminator does not win at once, it gets noise on its packs and
half the generator's learning rate; both rates fall to zero along a cosine. Budget: about 45 minutes on two CPU cores
with PyTorch as Keras's backend (`KERAS_BACKEND=torch`), half as long again with TensorFlow; card.json says what it
took.
"""

import keras

import keras_gans as kg
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.training import Recipe

SHAPE = (28, 28, 3)
PACKING = 2


def recipe(smoke=False):
    networks = {"base_filters": 4 if smoke else 32, "kernel_size": 4}
    model = kg.PacGAN(
        build_generator(SHAPE, latent_dim=100, **networks),
        build_discriminator((*SHAPE[:2], PACKING * SHAPE[2]), input_noise=0.3, **networks),
        packing=PACKING,
        ema_decay=0.999,
    )
    data = kg.data.stacked_mnist(count=512 if smoke else 128_000, batch_size=PACKING * 64)
    epochs = 1 if smoke else 24

    def adam(rate):
        return kg.optimizers.FusedAdam(keras.optimizers.schedules.CosineDecay(rate, epochs * len(data)), beta_1=0.5)

    model.compile(adam(2e-4), adam(1e-4))
    return Recipe(
        title="Three handwritten digits in one image, 28x28, from packs of two",
        dataset=data,
        model=model,
        epochs=epochs,
        limits="Half of DCGAN's filters, trained for less than an hour: one digit in the three is often rough.",
        not_good_for="Anything but counting modes: three digits are drawn over each other on purpose.",
    )
