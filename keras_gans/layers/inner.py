"""The layers that a network is made of."""

import keras


def fresh(initializer):
    """An initializer for another weight: one object gives each weight the same random numbers."""
    return initializer.clone() if hasattr(initializer, "clone") else initializer


def inner_layers(network):
    """The layers of a network at any depth: those of nested networks, of wrappers and of layers in layers.

    Args:
        network: a Keras model.

    Returns:
        A list.

    Example:

    >>> inner = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="inside")])
    >>> [layer.name for layer in inner_layers(keras.Sequential([inner])) if isinstance(layer, keras.layers.Dense)]
    ['inside']
    """
    return [layer for layer in network._flatten_layers(include_self=False) if isinstance(layer, keras.layers.Layer)]
