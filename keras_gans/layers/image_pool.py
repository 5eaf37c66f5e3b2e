"""A pool of generated images of earlier steps."""

import keras
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans_core.checks import is_whole


@keras.saving.register_keras_serializable(package="keras_gans")
class ImagePool(keras.layers.Layer):
    """Keeps generated images, so that a discriminator judges older ones too.

    Each image of a batch, one after the other:

    - while there is room, is stored and returned;
    - later, with probability 1/2, takes the place of a stored image drawn at random, which is returned instead;
    - otherwise is returned and not stored.

    The images are variables of fixed shape, so that the pool works in a compiled step and is saved with the model. The
    random numbers are an argument, so that a resumed run draws them again. Where several replicas share a batch, each
    draws from the same pool and the first one's images are stored.

    Args:
        size: how many images it holds, 1 or more.
        image_shape: (height, width, channels).

    Call arguments:
        images: floats (N, height, width, channels), without a gradient to go back through.
        uniform: numbers from U[0, 1], (N, 2): whether to exchange, and for which of the stored images.

    Returns:
        As many images.

    Raises:
        ConfigurationError: a size below 1.

    Example:

    >>> pool = ImagePool(1, (1, 1, 1))
    >>> images = np.reshape([1.0, 2.0, 3.0], (3, 1, 1, 1)).astype("float32")
    >>> exchange = np.array([[0.0, 0.0], [0.9, 0.0], [0.1, 0.0]], "float32")
    >>> ops.convert_to_numpy(pool(images, exchange)).ravel().tolist()    # stored; passed; exchanged for the first
    [1.0, 2.0, 1.0]
    >>> ops.convert_to_numpy(pool.images).ravel().tolist()
    [3.0]

    Reference: Shrivastava et al., 2017, "Learning from simulated and unsupervised images through adversarial
    training", section 2.3, https://arxiv.org/abs/1612.07828; in this form: Zhu et al., 2017,
    https://arxiv.org/abs/1703.10593
    """

    def __init__(self, size, image_shape, **kwargs):
        super().__init__(**{"dtype": "float32", "trainable": False, **kwargs})
        if not is_whole(size, 1):
            raise ConfigurationError(f"Expected a pool of 1 image or more. Received: size={size!r}.")
        self.size, self.image_shape = size, tuple(image_shape)
        shared = {"initializer": "zeros", "trainable": False, "aggregation": "only_first_replica"}
        self.images = self.add_weight(shape=(size, *self.image_shape), name="images", **shared)
        self.count = self.add_weight(shape=(), dtype="int32", name="count", **shared)
        self.built = True

    def call(self, images, uniform):
        count, given = ops.convert_to_tensor(self.count), ops.shape(images)[0]
        order = ops.arange(given, dtype="int32")
        stored = count + order < self.size
        drawn = ops.minimum(ops.cast(uniform[:, 1] * self.size, "int32"), self.size - 1)
        places = ops.where(stored, count + order, drawn)
        exchanged = ops.logical_and(ops.logical_not(stored), uniform[:, 0] < 0.5)
        writes = ops.logical_or(stored, exchanged)
        # The contents of all places one after the other: first what was there, then the images of the batch. `last` is
        # the last image that was put into a place, -1 where none was.
        contents = ops.concatenate([ops.convert_to_tensor(self.images), ops.cast(images, "float32")])

        def last(of, before):
            put = ops.logical_and(ops.logical_and(places[None] == of[:, None], writes[None]), before)
            return ops.max(ops.where(put, order[None], -1), axis=1)

        before = last(places, order[None] < order[:, None])
        found = ops.where(before < 0, places, self.size + before)
        returned = ops.take(contents, ops.where(exchanged, found, self.size + order), axis=0)
        every = ops.arange(self.size, dtype="int32")
        after = last(every, True)
        self.images.assign(ops.take(contents, ops.where(after < 0, every, self.size + after), axis=0))
        self.count.assign(ops.minimum(count + ops.cast(given, "int32"), self.size))
        return returned

    def get_config(self):
        return {**super().get_config(), "size": self.size, "image_shape": list(self.image_shape)}
