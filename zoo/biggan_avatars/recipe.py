"""BigGAN on avatars, 32x32 in colour, six attributes on demand: Brock et al., 2018, https://arxiv.org/abs/1809.11096

    keras-gans train biggan_avatars

Whether a face has a beard, glasses, a hat, long hair, a smile, sunglasses: six yes/no labels. A third of the paper's
filters, 15 latents for each of four sizes, one discriminator update a step instead of two, and a moving average of the
generator. Batches are of 64 instead of 2048, and the learning rates are four and twice the paper's.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars".
"""

import keras

import keras_gans as kg
from keras_gans.models.biggan import build_discriminator, build_generator
from keras_gans.training import Recipe, fast_policy

SHAPE = (32, 32, 3)


def recipe(smoke=False):
    keras.config.set_dtype_policy(fast_policy())
    filters = 8 if smoke else 32
    dataset = kg.data.load(
        "avatars",
        split="train",
        labels="attributes",
        image_size=SHAPE[:2],
        batch_size=64,
        take=256 if smoke else None,
    )
    # In the order of their names: beard, glasses, hat, long hair, smiling, sunglasses.
    attributes = kg.data.label_space_of(dataset.labels)
    model = kg.BigGAN(
        build_generator(SHAPE, 60, base_filters=filters, label_size=attributes.size, embedding_size=32),
        build_discriminator(SHAPE, base_filters=filters, label_size=attributes.size),
        label_space=attributes,
        discriminator_steps=1,
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    options = {"beta_1": 0.0, "beta_2": 0.999, "epsilon": 1e-6}
    model.compile(adam(2e-4, **options), adam(4e-4, **options))
    return Recipe(
        title="Drawn faces with attributes on demand, 32x32 in colour, from latents at every size",
        dataset=dataset,
        model=model,
        epochs=1 if smoke else 50,
        limits="A third of the paper's filters, and batches of 64 faces, trained for less than an hour.",
        not_good_for="Photographs, or drawings in another style: it has seen one library's faces only.",
    )
