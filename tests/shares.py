"""Trains a small model on two devices with data whose last batch is too small to share; prints what came of it.

In a process of its own: see replicas.py.
"""

import json
import os

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"  # what JAX needs; TensorFlow is told by shared_by

import keras  # noqa: E402
import numpy as np  # noqa: E402

from keras_gans import engine  # noqa: E402

engine.shared_by(2)  # before the first tensor

import keras_gans as kg  # noqa: E402

IMAGES = np.random.default_rng(0).integers(0, 256, (17, 8, 8, 1)).astype("uint8")


class Rows(keras.utils.PyDataset):
    @property
    def num_batches(self):
        return 3

    def __getitem__(self, index):
        return (IMAGES[index * 8 :][:8],)


def of_tensorflow(images):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(images).batch(8)


with engine.shared_by(2):
    MODEL = kg.GAN(image_shape=(8, 8, 1), latent_dim=4, discriminator_steps=2, seed=0)
    MODEL.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01))


def outcome(fit, steps=3):
    """What `fit(model)` raises, or which values are not finite after it. The model is compiled once, and goes on."""
    before = int(keras.ops.convert_to_numpy(MODEL.step))
    try:
        logs = fit(MODEL)
    except kg.errors.KerasGansError as error:
        return str(error)
    logs = getattr(logs, "history", logs)
    broken = [name for name, value in logs.items() if not np.isfinite(value).all()]
    broken += [w.path for w in MODEL.weights if not np.isfinite(keras.ops.convert_to_numpy(w)).all()]
    taken = int(keras.ops.convert_to_numpy(MODEL.step)) - before
    return broken or ("fine" if taken == steps else "another number of steps")


whole = kg.data.Batches(IMAGES, batch_size=8)
print(
    json.dumps(
        {
            "array": outcome(lambda gan: gan.fit(IMAGES, batch_size=8, verbose=0)),
            "dict": outcome(lambda gan: gan.fit({"images": IMAGES}, batch_size=8, verbose=0)),
            "tensorflow": outcome(lambda gan: gan.fit(of_tensorflow(IMAGES), verbose=0)),
            "rows": outcome(lambda gan: gan.fit(Rows(), verbose=0)),
            "generator": outcome(
                lambda gan: gan.fit((Rows()[i] for i in range(3)), steps_per_epoch=3, verbose=0),
            ),
            "batches": outcome(lambda gan: gan.fit(whole, verbose=0), 2),
            "validation": outcome(lambda gan: gan.fit(whole, validation_data=of_tensorflow(IMAGES), verbose=0), 2),
            "validation array": outcome(
                lambda gan: gan.fit(whole, validation_data=(IMAGES[:5], None), validation_batch_size=4, verbose=0), 2
            ),
            "split": outcome(lambda gan: gan.fit(IMAGES, batch_size=4, validation_split=0.3, verbose=0), 3),
            "evaluate": outcome(lambda gan: gan.evaluate(Rows(), return_dict=True, verbose=0), 0),
            "evaluate batches": outcome(
                lambda gan: gan.evaluate(kg.data.Batches(IMAGES, batch_size=1), return_dict=True, verbose=0), 0
            ),
            "uneven": outcome(lambda gan: gan.fit(IMAGES, batch_size=5, verbose=0)),
            "uneven stream": outcome(lambda gan: gan.fit(of_tensorflow(IMAGES[:7]), verbose=0)),
            "less than the updates need": outcome(lambda gan: gan.fit(IMAGES, batch_size=2, verbose=0)),
        }
    )
)
