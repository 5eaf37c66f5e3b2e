"""Settings that are one number per example: what is taken, and what is refused."""

import numpy as np
import pytest
from keras import ops

from keras_gans.errors import DataError
from keras_gans.fields import Numbers


def test_one_number_is_for_all_examples_and_a_list_has_one_for_each():
    field = Numbers("psi")
    assert field.asked(0.5).tolist() == [0.5] and field.asked(1).dtype == "float32"
    assert field.asked([0.25, 1]).tolist() == [0.25, 1.0]
    assert field.asked(ops.convert_to_tensor([0.5, 2.0])).tolist() == [0.5, 2.0]
    assert (field.num_normals, field.shape, field.is_noise, field.picture([1.0])) == (None, (), False, None)
    assert str(field) == "psi (N,), numbers"


def test_whole_numbers_have_bounds():
    field = Numbers("cutoff", 0, 4, whole=True)
    assert field.asked(4).tolist() == [4] and field.check(np.array([0, 3], "uint8")).dtype == "int32"
    assert ops.convert_to_numpy(field.encode(np.array([2], "int32"))).tolist() == [2]
    for wrong in (5, -1, 1.0, True, [0, 5]):
        with pytest.raises(DataError, match="cutoff .N,., whole numbers from 0 to 4"):
            field.asked(wrong)


def test_the_lower_bound_may_be_the_only_one():
    field = Numbers("size", 0)
    assert field.asked([0, 1e30]).tolist() == [0.0, np.float32(1e30)]
    for wrong in (-0.5, [1.0, -1e-6], np.nan, True):
        with pytest.raises(DataError, match="size .N,., numbers of 0 or more"):
            field.asked(wrong)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e39, "half", None, [], [[0.5]], [0.5, "a"], [[1], [1, 2]]], ids=str)
def test_what_is_no_number_for_each_example_is_refused(wrong):
    with pytest.raises(DataError, match="psi"):
        Numbers("psi").asked(wrong)
