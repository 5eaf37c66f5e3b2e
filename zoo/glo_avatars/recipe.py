"""GLO on avatars, 32x32 in colour: Bojanowski et al., 2017, https://arxiv.org/abs/1707.05776

    keras-gans train glo_avatars

DCGAN's generator with kernels of 4 and half the filters, and 64 latents for each of the 10,000 faces, which begin as
principal components. The latents move by plain descent, as in the paper; the generator by Adam, whose rate falls, which
needs fewer epochs. `samples.png` shows draws from the Gaussian that was fitted to the latents, not reconstructions.
Budget: 24 minutes on two CPU cores, beside other work.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars", or pass images of your own to `keras-gans train glo --data FOLDER`.
"""

import keras

import keras_gans as kg
from keras_gans.models.glo import build_latents
from keras_gans.networks.dcgan import build_generator
from keras_gans.training import Recipe

SHAPE = (32, 32, 3)


def recipe(smoke=False):
    dataset = kg.GLO.load_data("avatars", image_size=SHAPE[:2], batch_size=64, take=256 if smoke else None)
    epochs, latent_dim = (1, 8) if smoke else (100, 64)
    model = kg.GLO(
        build_generator(SHAPE, latent_dim, base_filters=4 if smoke else 32, kernel_size=4),
        build_latents(len(dataset.images), latent_dim),
    )
    model.initialize_from_data(dataset.images)
    falling = keras.optimizers.schedules.CosineDecay(1e-3, epochs * len(dataset))
    model.compile(kg.optimizers.FusedAdam(falling), keras.optimizers.SGD(10.0))
    return Recipe(
        title="Drawn faces, 32x32 in colour, from a generator without an adversary",
        dataset=dataset,
        model=model,
        epochs=epochs,
        limits="Half the filters, trained for less than half an hour: samples are soft, and hair or glasses "
        "are often blends of two.",
        not_good_for="Sharp samples: the Gaussian covers the latents of faces and what lies between them.",
    )
