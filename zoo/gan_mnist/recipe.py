"""GAN on MNIST, 28x28: Goodfellow et al., 2014, https://arxiv.org/abs/1406.2661

    keras-gans train gan_mnist

The paper's networks, fully connected, the generator at reduced width. Adam replaces the paper's momentum, for which a
maxout discriminator is too strong: it has 480 units of two linear pieces here instead of 240 of five, sees its images
through Gaussian noise, and aims at 0.9 for real ones. It took 26 minutes of one CPU core, beside other work.
"""

import keras
from keras import layers

import keras_gans as kg
from keras_gans.models.gan import build_discriminator, build_generator
from keras_gans.training import Recipe

SHAPE = (28, 28, 1)


def noisy_discriminator(units):
    images = keras.Input(SHAPE, name="images")
    noisy = layers.GaussianNoise(0.2, name="noise")(images)
    return keras.Model(images, build_discriminator(SHAPE, units=units, pieces=2)(noisy), name="discriminator")


def recipe(smoke=False):
    dataset = kg.data.load("mnist", split="train", batch_size=128, take=256 if smoke else None)
    model = kg.GAN(
        build_generator(
            SHAPE, latent_dim=64, units=32 if smoke else 512, mean_image=dataset.images.mean(0) / 127.5 - 1
        ),
        noisy_discriminator(8 if smoke else 480),
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    many = 1 if keras.backend.backend() == "torch" else 32  # steps this small are mostly overhead
    model.compile(adam(1e-3, beta_1=0.5), adam(1e-3, beta_1=0.5), steps_per_execution=many)
    return Recipe(
        title="Handwritten digits, 28x28, from fully connected networks",
        dataset=dataset,
        model=model,
        epochs=1 if smoke else 48,
        callbacks=[kg.callbacks.LabelSmoothing(0.9)],
        limits="Fully connected networks, trained for half an hour: strokes have gaps, some digits are between two.",
        not_good_for="Clean strokes: fully connected networks leave speckle. It takes no labels.",
    )
