# %% [markdown]
# # Find out why a training fails, and mend it
#
# A GAN whose discriminator does not learn: its generator finds what fools it, and stays there. The doctor looks at
# each epoch.

# %%
import os

import keras
from keras import layers

import keras_gans as kg

EPOCHS = int(os.environ.get("EPOCHS", 8))
data = kg.data.load("drawn:digits", image_size=(12, 12), batch_size=160, take=16000)


def generator():
    latents = x = keras.Input((16,))
    for _ in range(2):
        x = layers.Dense(128, activation="relu")(x)
    return keras.Model(latents, layers.Reshape((12, 12, 1))(layers.Dense(144, activation="tanh")(x)))


def discriminator():
    images = keras.Input((12, 12, 1))
    x = layers.Flatten()(images)
    for _ in range(2):
        x = layers.LeakyReLU(0.2)(layers.Dense(128)(x))
    return keras.Model(images, layers.Dense(1)(x))


def trained(variant, generator_rate, discriminator_rate):
    gan = variant(generator(), discriminator(), seed=1)
    gan.compile(
        keras.optimizers.Adam(generator_rate, beta_1=0.5, beta_2=0.9),
        keras.optimizers.Adam(discriminator_rate, beta_1=0.5, beta_2=0.9),
    )
    doctor = kg.callbacks.GANDoctor(data.images[:256])  # it says at once what it finds, with evidence and a remedy
    gan.fit(data, epochs=EPOCHS, callbacks=[doctor], verbose=0)
    return gan, [verdict.name.value for verdict in doctor.verdicts]


# %% [markdown]
# ## The sick one

# %%
gan, found = trained(kg.GAN, 1e-3, 0.0)
print("found:", found)
kg.images.save(kg.images.grid(gan.generate(64, seed=0)), "sick.png")

# %% [markdown]
# ## The mended one
#
# The doctor named three remedies. Here the discriminator learns, and the game is that of WGAN-GP.

# %%
gan, found = trained(kg.WGANGP, 5e-4, 5e-4)
print("found:", found or "nothing")
kg.images.save(kg.images.grid(gan.generate(64, seed=0)), "mended.png")
