"""ACGAN on avatars, 32x32 in colour, six attributes on demand: Odena et al., 2017, https://arxiv.org/abs/1610.09585

    keras-gans train acgan_avatars

Whether a face has a beard, glasses, a hat, long hair, a smile, sunglasses: six yes/no labels. DCGAN's networks with
half the filters, labels learned from real images alone, and a moving average of the generator. So that flat colours do
not let the discriminator win at once, the generator's tanh overshoots and is clipped, and R1 bounds the
discriminator's gradient. Budget: half an hour of two CPU cores with bfloat16; card.json says what it took.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars".
"""

import keras

import keras_gans as kg
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.training import Recipe, fast_policy

SHAPE = (32, 32, 3)


def recipe(smoke=False):
    keras.config.set_dtype_policy(fast_policy())
    filters = 4 if smoke else 32
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
    model = kg.ACGAN(
        build_generator(SHAPE, latent_dim=64, base_filters=filters, label_size=attributes.size, overshoot=0.1),
        build_discriminator(SHAPE, base_filters=filters, logits=1 + attributes.size),
        label_space=attributes,
        fake_label_weight=0.0,
        r1_weight=0.025,
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(1e-3, beta_1=0.5), adam(1e-3, beta_1=0.5))
    return Recipe(
        title="Drawn faces with attributes on demand, 32x32 in colour",
        dataset=dataset,
        model=model,
        epochs=1 if smoke else 60,
        limits="Small networks, trained for half an hour: hair, hats and beards are sometimes smeared.",
        not_good_for="Photographs, or drawings in another style: it has seen one library's faces only.",
    )
