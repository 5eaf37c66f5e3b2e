"""f-GAN on MNIST, 28x28: Nowozin et al., 2016, https://arxiv.org/abs/1606.00709

    keras-gans train f_gan_mnist

The paper's networks for MNIST, the generator in less than half the width, trained by the Kullback-Leibler divergence,
which punishes what is left out. As in `gan_mnist` the discriminator sees its images through Gaussian noise, and the
generator starts from the mean image. It took 7 minutes of one CPU core, beside other work.
"""

import keras
import numpy as np
from keras import layers

import keras_gans as kg
from keras_gans.models.f_gan import build_discriminator, build_generator
from keras_gans.training import Recipe

SHAPE = (28, 28, 1)


def noisy_discriminator(units):
    images = keras.Input(SHAPE, name="images")
    noisy = layers.GaussianNoise(0.2, name="noise")(images)
    return keras.Model(images, build_discriminator(SHAPE, units=units)(noisy), name="discriminator")


def recipe(smoke=False):
    dataset = kg.data.load("mnist", split="train", batch_size=128, take=256 if smoke else None)
    generator = build_generator(SHAPE, latent_dim=64, units=32 if smoke else 512)
    mean = np.clip(dataset.images.mean(0) / 255, 0.01, 0.99)
    generator.get_layer("pixels").bias.assign(np.log(mean / (1 - mean)).ravel())  # what the sigmoid undoes
    model = kg.FGAN(
        generator,
        noisy_discriminator(8 if smoke else 240),
        divergence=kg.losses.KullbackLeibler(),
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    many = 1 if keras.backend.backend() == "torch" else 32  # steps this small are mostly overhead
    model.compile(adam(1e-3, beta_1=0.5), adam(1e-3, beta_1=0.5), steps_per_execution=many)
    return Recipe(
        title="Handwritten digits, 28x28, by the Kullback-Leibler divergence",
        dataset=dataset,
        model=model,
        epochs=1 if smoke else 48,
        limits="Fully connected networks, trained for seven minutes: strokes have gaps, some digits are between two.",
        not_good_for="Clean strokes: fully connected networks leave speckle. It takes no labels.",
    )
