# %% [markdown]
# # Serve a model, and call it from anywhere
#
# An export needs neither this library nor Keras: TensorFlow Serving, or any program that reads a SavedModel, runs it.

# %%
import json

import numpy as np

import keras_gans as kg

gan = kg.load("cgan_digits")
folder = kg.export(gan, "serving/cgan_digits")
print(folder)

# %% [markdown]
# ## A server
#
# ```sh
# docker run -p 8501:8501 -v "$PWD/serving/cgan_digits:/models/cgan_digits" -e MODEL_NAME=cgan_digits tensorflow/serving
# ```
#
# ## A client in any language
#
# The body of a request is JSON. With curl, Java, Go or JavaScript it is the same text:
#
# ```sh
# curl -d @request.json http://localhost:8501/v1/models/cgan_digits:predict
# ```

# %%
request = {"signature_name": "from_seed", "inputs": {"seeds": [0, 1, 2], "labels": [3, 5, 8]}}
with open("request.json", "w") as file:
    json.dump(request, file)

# %% [markdown]
# ## What the server answers
#
# The same signature, called in this process instead: the images of `generate`, to the last grey level.

# %%
import tensorflow as tf  # noqa: E402

served = tf.saved_model.load(str(folder)).signatures["from_seed"]
answer = served(**{name: tf.constant(values, "int64") for name, values in request["inputs"].items()})["images"].numpy()
made = gan.generate(seed=[0, 1, 2], labels=[3, 5, 8])
print("largest difference:", int(np.abs(answer.astype(int) - made).max()))
kg.images.save(kg.images.grid(answer), "served.png")
