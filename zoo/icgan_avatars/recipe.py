"""IcGAN on avatars, 32x32 in colour, six attributes to edit: Perarnau et al., 2016, https://arxiv.org/abs/1611.06355

    keras-gans train icgan_avatars

Whether a face has a beard, glasses, a hat, long hair, a smile, sunglasses: six yes/no labels. The paper's networks with
half the filters, then its two encoders, and a moving average of the generator. So that flat colours do not let the
discriminator win at once, the generator's tanh overshoots and is clipped, and R1 bounds the discriminator's gradient.
Budget: half an hour of two CPU cores with bfloat16; card.json says what it took.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars".
"""

import keras

import keras_gans as kg
from keras_gans.models.ic_gan import build_encoder
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.training import Phase, Recipe, fast_policy

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
    size = attributes.size
    model = kg.IcGAN(
        build_generator(SHAPE, latent_dim=32, base_filters=filters, label_size=size, overshoot=0.1),
        build_discriminator(SHAPE, base_filters=filters, label_size=size),
        build_encoder(SHAPE, 32, base_filters=filters, name="latent_encoder"),
        build_encoder(SHAPE, size, base_filters=filters, name="label_encoder"),
        label_space=attributes,
        r1_weight=0.025,
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(1e-3, beta_1=0.5), adam(1e-3, beta_1=0.5))
    return Recipe(
        title="Drawn faces whose attributes can be edited, 32x32 in colour",
        model=model,
        phases=[
            Phase(dataset, epochs=1 if smoke else 48, title="conditional GAN"),
            Phase(
                lambda model: model.encoder_data(dataset),
                epochs=1 if smoke else 15,
                prepare=lambda model: model.for_encoders(),
                title="encoders",
            ),
        ],
        limits="Small networks, trained for half an hour: some edits are not seen by the "
        "classifier. The encoder of latents has seen as many generated faces as there are real ones, and of new ones "
        "it misses most of the latents: copies of real faces may change hair and clothes.",
        not_good_for="Photographs, or drawings in another style: it has seen one library's faces only.",
    )
