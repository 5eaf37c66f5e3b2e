"""Named variables on a model that hold the state of callbacks."""

import keras


@keras.saving.register_keras_serializable(package="keras_gans")
class Slots(keras.layers.Layer):
    """Named variables that callbacks keep on a model, so that they are compiled into its step and saved with it.

    A built model accepts no new variables, but this child layer does. Its config lists them, so a loaded model has them
    too.

    Args:
        slots: `{name: {"shape": [...], "dtype": "float32"}}`, the variables to create at once.

    Example:

    >>> slots = Slots()
    >>> tuple(slots.get("mean/0", shape=(3,)).shape)
    (3,)
    """

    def __init__(self, slots=None, **kwargs):
        super().__init__(**kwargs)
        self.names = {}
        for name, about in (slots or {}).items():
            self.get(name, **about)
        self.built = True

    def get(self, name, shape=(), dtype="float32"):
        """The variable `name`, created with zeros on first use."""
        if name not in self.names:
            self.names[name] = len(self.weights)
            self.add_weight(shape=shape, dtype=dtype, initializer="zeros", trainable=False, name=name.replace("/", "_"))
        return self.weights[self.names[name]]

    def get_config(self):
        slots = {
            name: {"shape": list(self.weights[i].shape), "dtype": self.weights[i].dtype}
            for name, i in self.names.items()
        }
        return {**super().get_config(), "slots": slots}
