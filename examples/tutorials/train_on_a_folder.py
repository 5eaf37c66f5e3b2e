# %% [markdown]
# # Train on a folder of images
#
# From a folder to samples, a stop and a resume. A real training takes some epochs more: raise `EPOCHS` and `COUNT`. The
# folder here holds drawn digits, so that nothing needs to be downloaded; yours may hold any images.

# %%
import os
from pathlib import Path

import keras_gans as kg

EPOCHS, COUNT = int(os.environ.get("EPOCHS", 4)), int(os.environ.get("COUNT", 2048))
FOLDER, RUN = Path("digits"), Path("runs/digits")

# %% [markdown]
# ## The data
#
# A folder for each class. Without subfolders the images have no classes.

# %%
images, labels = kg.data.digits(COUNT)
for i, (image, label) in enumerate(zip(images, labels)):
    kg.images.save(image, FOLDER / str(label) / f"{i}.png")

data = kg.data.load(FOLDER, labels=False, batch_size=64)
print(data.image_shape, len(data), "batches")

# %% [markdown]
# ## The model
#
# `compile` without arguments takes the paper's optimizers. On data as simple as these a larger rate learns faster.

# %%
gan = kg.DCGAN(image_shape=data.image_shape, latent_dim=32, ema_decay=0.99)
gan.compile(kg.optimizers.FusedAdam(1e-3, beta_1=0.5), kg.optimizers.FusedAdam(1e-3, beta_1=0.5))

# %% [markdown]
# ## The training
#
# A checkpoint and a grid of the same latents after each epoch, and a callback that says if something goes wrong.

# %%
callbacks = [
    kg.callbacks.Checkpoint(RUN),
    kg.callbacks.SampleGrid(RUN / "samples"),
    kg.callbacks.GANDoctor(data.images),
]
gan.fit(data, epochs=EPOCHS, callbacks=callbacks, verbose=2)
kg.images.save(kg.images.grid(gan.generate(64, seed=0)), "first.png")

# %% [markdown]
# ## Going on later
#
# `resume` reads the newest checkpoint: weights, optimizers, averages, the place in the data. Two epochs more are the
# same whether the training was interrupted or not.

# %%
gan = kg.callbacks.resume(RUN)
gan.fit(data, epochs=EPOCHS + 2, initial_epoch=EPOCHS, callbacks=[kg.callbacks.Checkpoint(RUN)], verbose=2)
kg.images.save(kg.images.grid(gan.generate(64, seed=0)), "samples.png")
