# %% [markdown]
# # Find out why a training fails, and mend it
#
# A GAN whose discriminator does not learn: its generator finds what fools it, and stays there. The doctor looks at
# each epoch.

# %%
import os

import keras_gans as kg

EPOCHS = int(os.environ.get("EPOCHS", 8))
data = kg.data.load("drawn:digits", image_size=(12, 12), batch_size=64, take=6400)


def trained(generator_rate, discriminator_rate):
    gan = kg.GAN(image_shape=data.image_shape, latent_dim=16, seed=1)
    gan.compile(
        kg.optimizers.FusedAdam(generator_rate, beta_1=0.5), kg.optimizers.FusedAdam(discriminator_rate, beta_1=0.5)
    )
    doctor = kg.callbacks.GANDoctor(data.images[:256])
    gan.fit(data, epochs=EPOCHS, callbacks=[doctor], verbose=0)
    return gan, doctor


# %% [markdown]
# ## The sick one
#
# Each verdict has a name, its evidence, and the argument to change.

# %%
gan, doctor = trained(1e-2, 0.0)
for verdict in doctor.verdicts:
    print(verdict)
kg.images.save(kg.images.grid(gan.generate(64, seed=0)), "sick.png")

# %% [markdown]
# ## The healthy one

# %%
gan, doctor = trained(1e-3, 1e-3)
print("verdicts:", doctor.verdicts or "none")
kg.images.save(kg.images.grid(gan.generate(64, seed=0)), "healthy.png")
