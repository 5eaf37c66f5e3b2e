"""WGAN-GP on avatars, 32x32 in colour: Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028

    keras-gans train wgan_gp_avatars

The published code's plain networks for CIFAR-10 with fewer filters and an overshoot, three critic updates a step
instead of five, a higher learning rate for the shorter run, and a moving average of the generator. It took 32 minutes
of one CPU core with bfloat16, beside other work.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars", or pass images of your own to `keras-gans train wgan_gp --data FOLDER --image-size 32`.
"""

import keras

import keras_gans as kg
from keras_gans.models.wgan_gp import build_discriminator, build_generator
from keras_gans.training import Recipe, fast_policy

SHAPE = (32, 32, 3)


def recipe(smoke=False):
    keras.config.set_dtype_policy(fast_policy())
    filters = 4 if smoke else 40
    model = kg.WGANGP(
        build_generator(SHAPE, latent_dim=64, base_filters=filters, batch_norm=True, overshoot=0.1),
        build_discriminator(SHAPE, base_filters=filters),
        discriminator_steps=3,
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(1e-3, beta_1=0.0, beta_2=0.9), adam(1e-3, beta_1=0.0, beta_2=0.9))
    return Recipe(
        title="Drawn faces, 32x32 in colour, from a Wasserstein GAN with gradient penalty",
        dataset=kg.data.load(
            "avatars",
            split="train",
            labels=False,
            image_size=SHAPE[:2],
            batch_size=3 * 64,
            take=384 if smoke else None,
        ),
        model=model,
        epochs=1 if smoke else 60,
        limits="Few filters, and half an hour in which most updates are the critic's: faces are rough.",
        not_good_for="Photographs, or drawings in another style: it has seen one library's faces only.",
    )
