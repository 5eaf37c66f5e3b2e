"""The moving average of networks' weights, as variables that take the place of the weights when sampling."""

import keras
from keras import ops

from keras_gans import engine


@keras.saving.register_keras_serializable(package="keras_gans")
class Averages(keras.layers.Layer):
    """Exponential moving averages of the trainable weights of networks.

    After the update of step t, counted from 0,

        average = r average + (1 - r) weight    with r = min(decay, (1 + t) / (10 + t)),

    so that the average forgets the initial weights. Only trainable weights are averaged. The moving statistics of
    batch norm belong to the weights; `keras_gans.batch_statistics` computes those of the averages.

    Args:
        networks: built Keras models.
        decay: number in [0, 1).

    Example:

    >>> network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    >>> averages = Averages([network], decay=0.9)
    >>> network.set_weights([np.array([[3.0]]), np.array([1.0])])
    >>> with averages.in_use():
    ...     float(network(np.ones((1, 1)))[0, 0])
    1.0
    """

    def __init__(self, networks, decay, **kwargs):
        super().__init__(**{"dtype": "float32", "trainable": False, **kwargs})
        self.decay = decay
        averaged = [weight for network in networks for weight in network.trainable_variables]
        self._averaged = lambda: averaged  # a plain list would make them this layer's own weights
        for i, weight in enumerate(averaged):
            self.add_weight(
                shape=weight.shape, dtype=weight.dtype, initializer="zeros", trainable=False, name=f"average{i}"
            )
        self.built = True
        self.untouched = True  # the averages are the weights that the networks had at first
        self.restart()

    def restart(self):
        """Sets every average to its weight, as after weights were set by hand."""
        for average, weight in zip(self.weights, self._averaged()):
            average.assign(ops.convert_to_numpy(weight))  # a copy: JAX would share the buffer

    def take_over(self, other):
        """Sets the averages of the weights that `other`, too, averages, to those of `other`."""
        self.untouched = False
        known = {id(weight): average for average, weight in zip(other.weights, other._averaged())}
        for average, weight in zip(self.weights, self._averaged()):
            if id(weight) in known:
                average.assign(ops.convert_to_numpy(known[id(weight)]))

    def update(self, step):
        """Moves every average towards its weight.

        Args:
            step: training steps done before this one, a scalar tensor.
        """
        step = ops.cast(step, "float32")
        rate = 1.0 - ops.minimum(self.decay, (1.0 + step) / (10.0 + step))
        for average, weight in zip(self.weights, self._averaged()):
            average.assign(average + rate * (weight - average))

    def follow(self, step):
        """Before training, sets every average to its weight, which may have been set by hand.

        Args:
            step: training steps done, a variable; read only if the averages may be untouched.
        """
        if self.untouched:
            self.untouched = int(ops.convert_to_numpy(step)) == 0
        if self.untouched:
            self.restart()

    def load_own_variables(self, store):
        super().load_own_variables(store)
        self.untouched = False

    def in_use(self):
        """A context in which the networks compute with the averages in the place of their weights."""
        return engine.substituted(list(zip(self._averaged(), self.weights)))
