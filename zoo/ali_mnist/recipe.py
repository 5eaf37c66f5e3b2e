"""ALI on MNIST, 28x28: Dumoulin et al., 2017, https://arxiv.org/abs/1606.00704

    keras-gans train ali_mnist

The paper's game with networks that learn faster than its tables' on two CPU cores: DCGAN's generator and an encoder of
the same convolutions, each with half the filters, and a discriminator of pairs that joins the latents to the image
behind two convolutions. 32 latents, Adam at twice the paper's rate, and a moving average of the generator. It took 17
minutes of two CPU cores with bfloat16, beside other work.
"""

import keras
from keras import layers

import keras_gans as kg
from keras_gans.layers import seeded_dropout
from keras_gans.models.ic_gan import build_encoder
from keras_gans.networks.dcgan import build_generator
from keras_gans.training import Recipe, fast_policy

SHAPE, LATENTS = (28, 28, 1), 32


def joint_discriminator(filters, units):
    """No batch norm, whose statistics would tell the two kinds of pairs apart; dropout, as in the paper."""
    latents, images = keras.Input((LATENTS,), name="latents"), keras.Input(SHAPE, name="images")
    x, z = images, layers.Dense(units, name="latents0")(latents)
    for i in range(2):
        x = layers.Conv2D(filters << i, 5, strides=2, padding="same", name=f"down{i}")(x)
        x = layers.LeakyReLU(0.2, name=f"down{i}_relu")(x)
    x = layers.Concatenate(name="both")([layers.Flatten(name="flatten")(x), layers.LeakyReLU(0.2, name="relu0")(z)])
    for i in range(2):
        x = layers.Dense(units, name=f"both{i}")(seeded_dropout(0.2, f"dropout{i}")(x))
        x = layers.LeakyReLU(0.2, name=f"both{i}_relu")(x)
    return keras.Model([latents, images], layers.Dense(1, dtype="float32", name="logits")(x), name="discriminator")


def recipe(smoke=False):
    keras.config.set_dtype_policy(fast_policy())
    filters, units = (4, 16) if smoke else (32, 256)
    model = kg.ALI(
        build_generator(SHAPE, latent_dim=LATENTS, base_filters=filters),
        joint_discriminator(filters, units),
        build_encoder(SHAPE, 2 * LATENTS, base_filters=filters),
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(2e-4, beta_1=0.5), adam(2e-4, beta_1=0.5))
    return Recipe(
        title="Handwritten digits, 28x28, with the way back: encode and reconstruct",
        dataset=kg.data.load("mnist", split="train", batch_size=100, take=400 if smoke else None),
        model=model,
        epochs=1 if smoke else 25,
        limits="Small networks, trained for a quarter of an hour: some digits are between two, and so are "
        "some reconstructions. In a generated image the encoder finds a latent of such images, seldom the one that it "
        "was made of.",
        not_good_for="Exact copies: a reconstruction keeps what kind of digit it is more than how it is written.",
    )
