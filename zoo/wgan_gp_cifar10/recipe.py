"""WGAN-GP on CIFAR-10, 32x32 in colour: Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028

    keras-gans train wgan_gp_cifar10

The paper's residual networks, five critic updates a step and Adam whose rate falls linearly to zero, as in the
published code without labels, and a moving average of the generator. Budget: 100,000 steps, for a GPU; not trained yet.
"""

import keras

import keras_gans as kg
from keras_gans.models.wgan_gp import build_residual_discriminator, build_residual_generator
from keras_gans.training import Recipe

SHAPE = (32, 32, 3)
STEPS = 100_000


def recipe(smoke=False):
    filters = 4 if smoke else 128
    model = kg.WGANGP(
        build_residual_generator(SHAPE, filters=filters),
        build_residual_discriminator(SHAPE, filters=filters),
        discriminator_steps=1 if smoke else 5,
        ema_decay=0.999,
    )
    falling = keras.optimizers.schedules.PolynomialDecay
    adam = kg.optimizers.FusedAdam
    model.compile(
        adam(falling(2e-4, STEPS, 0.0), beta_1=0.0, beta_2=0.9),
        adam(falling(2e-4, STEPS * model.discriminator_steps, 0.0), beta_1=0.0, beta_2=0.9),
    )
    dataset = kg.data.load("cifar10", split="train", labels=False, batch_size=5 * 64, take=640 if smoke else None)
    return Recipe(
        title="Small photographs of ten kinds, 32x32, from a Wasserstein GAN with gradient penalty",
        dataset=dataset,
        model=model,
        epochs=1 if smoke else STEPS // len(dataset),
        not_good_for="Larger pictures, or a kind on demand: it takes no labels.",
    )
