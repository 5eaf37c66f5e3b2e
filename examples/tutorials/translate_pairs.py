# %% [markdown]
# # Translate your own pairs
#
# pix2pix learns from pairs: here from the edges of digits to the digits. `A/` and `B/` hold files of the same names.
# One file with both sides next to each other works too.

# %%
import os
from pathlib import Path

import numpy as np

import keras_gans as kg

EPOCHS, COUNT = int(os.environ.get("EPOCHS", 10)), int(os.environ.get("COUNT", 1024))
FOLDER, SIDE = Path("pairs"), 32

# %%
images, _ = kg.data.digits(COUNT + 16, image_size=(SIDE, SIDE))
for i, (edges, image) in enumerate(zip(kg.data.edges(images), images)):
    split = "train" if i < COUNT else "test"
    kg.images.save(edges, FOLDER / split / "A" / f"{i}.png")
    kg.images.save(image, FOLDER / split / "B" / f"{i}.png")

data = kg.data.load_pairs(FOLDER, split="train", batch_size=16)
print(data.image_shape)

# %%
model = kg.Pix2Pix(image_shape=(SIDE, SIDE, 1), source_shape=(SIDE, SIDE, 1))
model.compile()
model.fit(data, epochs=EPOCHS, verbose=2)

# %% [markdown]
# ## Pairs that it has not seen
#
# Edges, what the model makes of them, and the digits that they come from.

# %%
held_back = kg.data.load_pairs(FOLDER, split="test", batch_size=16, shuffle=False)
batch = held_back[0]
made = model.translate(batch["sources"], seed=0)
error = np.abs(made.astype(float) - batch["targets"]).mean() / 255
print(f"mean error {error:.3f}; of white images {np.abs(255.0 - batch['targets']).mean() / 255:.3f}")
columns = [batch["sources"], made, batch["targets"]]
kg.images.save(kg.images.grid([column[i] for i in range(len(made)) for column in columns], 3), "translated.png")
