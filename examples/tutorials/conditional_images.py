# %% [markdown]
# # Images on demand
#
# A conditional model, whose labels have names, and how often a classifier finds what was asked for.

# %%
import os

import numpy as np

import keras_gans as kg

EPOCHS, COUNT = int(os.environ.get("EPOCHS", 8)), int(os.environ.get("COUNT", 8192))

# %% [markdown]
# ## Data with labels
#
# `kg.data.load("photos/")` takes the names of the subfolders for labels. `labels="attributes"` reads yes/no columns.

# %%
data = kg.data.load("drawn:digits", batch_size=64, take=COUNT)
print(data.label_space)

# %% [markdown]
# ## The model
#
# Taking `label_space` from the data also takes its names. `fit` refuses data with other classes.

# %%
gan = kg.CGAN(image_shape=data.image_shape, latent_dim=32, label_space=data.label_space, ema_decay=0.99)
gan.compile(kg.optimizers.FusedAdam(1e-3, beta_1=0.5), kg.optimizers.FusedAdam(1e-3, beta_1=0.5))
gan.fit(data, epochs=EPOCHS, verbose=2)

# %% [markdown]
# ## Ask for labels
#
# Noise and label are independent: a row here has one label, and a column one seed.

# %%
seeds, labels = np.tile(np.arange(8), 10), np.repeat(np.arange(10), 8)
kg.images.save(kg.images.grid(gan.generate(seed=seeds.tolist(), labels=labels.tolist()), 8), "asked.png")

# %% [markdown]
# ## Is it what was asked for?

# %%
wanted = np.arange(500) % 10
made = gan.generate(500, seed=0, labels=wanted.tolist())
logits = kg.zoo.load_classifier("classifier_digits").predict(kg.images.to_float(made), verbose=0)
print(f"{np.mean(logits.argmax(1) == wanted):.1%} of the labels are recognised")
