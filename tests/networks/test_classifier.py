"""The classifier's shapes; what it learns is in the zoo's card and tests."""

import numpy as np
import pytest

from keras_gans.errors import ConfigurationError
from keras_gans.networks.classifier import build_classifier


def test_shapes_and_parameters():
    """By hand: 9 * (16 + 16 * 32 + 2 * 32 * 32) = 23 184, norms 4 * (16 + 3 * 32) = 448, dense 49 * 32 * 64 + 64 and
    64 * 10 + 10.
    """
    classifier = build_classifier()
    assert classifier.count_params() == 23_184 + 448 + 100_416 + 650
    assert classifier.get_layer("features").output.shape == (None, 64)
    assert classifier(np.zeros((3, 28, 28, 1), "float32")).shape == (3, 10)
    assert [layer.output.shape[1] for layer in classifier.layers if "conv" in layer.name] == [28, 14, 14, 7]


@pytest.mark.parametrize("arguments", [((3, 28, 1),), ((28, 28, 1), 1)])
def test_invalid_arguments_are_refused(arguments):
    with pytest.raises(ConfigurationError, match="4x4 or more"):
        build_classifier(*arguments)
