"""SAGAN on avatars, 32x32 in colour, six attributes on demand: Zhang et al., 2018, https://arxiv.org/abs/1805.08318

    keras-gans train sagan_avatars

Whether a face has a beard, glasses, a hat, long hair, a smile, sunglasses: six yes/no labels. The paper's networks with
half the filters and latents, self-attention on maps of 16x16, and a moving average of the generator. The generator's
learning rate is twice the paper's, half that of the discriminator.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars".
"""

import keras

import keras_gans as kg
from keras_gans.models.sagan import build_discriminator, build_generator
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
    model = kg.SAGAN(
        build_generator(SHAPE, latent_dim=64, base_filters=filters, label_size=attributes.size),
        build_discriminator(SHAPE, base_filters=filters, label_size=attributes.size),
        label_space=attributes,
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(2e-4, beta_1=0.0, beta_2=0.9), adam(4e-4, beta_1=0.0, beta_2=0.9))
    return Recipe(
        title="Drawn faces with attributes on demand, 32x32 in colour, from maps that attend to themselves",
        dataset=dataset,
        model=model,
        epochs=1 if smoke else 60,
        limits="Half the paper's filters, trained for less than an hour.",
        not_good_for="Photographs, or drawings in another style: it has seen one library's faces only.",
    )
