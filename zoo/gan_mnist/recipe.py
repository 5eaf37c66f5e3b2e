"""GAN on MNIST, 28x28: Goodfellow et al., 2014, https://arxiv.org/abs/1406.2661

    keras-gans train gan_mnist

The paper's networks at reduced width, fully connected, trained with Adam where the paper has momentum, and a moving
average of the generator. Budget: about twenty minutes on two CPU cores; card.json says what it took.
"""

import keras

import keras_gans as kg
from keras_gans.models.gan import build_discriminator, build_generator
from keras_gans.training import Recipe

SHAPE = (28, 28, 1)


def recipe(smoke=False):
    dataset = kg.data.load("mnist", split="train", batch_size=64, take=256 if smoke else None)
    model = kg.GAN(
        build_generator(SHAPE, latent_dim=64, units=32 if smoke else 512, mean_image=dataset.images.mean(0) / 127.5 - 1),
        build_discriminator(SHAPE, units=8 if smoke else 240, pieces=3),
        ema_decay=0.999,
    )
    adam = keras.optimizers.Adam
    model.compile(
        adam(2e-4, beta_1=0.5),
        adam(2e-4, beta_1=0.5),
        jit_compile=keras.backend.backend() != "torch",  # a step this small is mostly overhead
        steps_per_execution=1 if keras.backend.backend() == "torch" else 32,
    )
    return Recipe(
        title="Handwritten digits, 28x28, from fully connected networks",
        dataset=dataset,
        model=model,
        epochs=1 if smoke else 60,
        not_good_for="Clean strokes: fully connected networks leave speckle. It takes no labels.",
    )
