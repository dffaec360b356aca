"""What can be read of values, and what is refused of integers."""

import keras
import numpy as np
import pytest

from keras_attention.functional import as_floats, known_integer, known_values

INTEGERS = [3, np.int64(3), np.array(3), np.array(3, "uint8")]
INTEGERS.append(keras.ops.convert_to_tensor(3))


@pytest.mark.parametrize("value", INTEGERS)
def test_an_integer_is_read_whoever_made_it(value):
    assert known_integer("start", value) == 3


def test_values_of_a_symbol_are_not_known():
    symbol = keras.KerasTensor((), "int32")
    assert known_integer("start", symbol) is None
    assert known_values(symbol) is None
    np.testing.assert_array_equal(known_values([1, 2]), [1, 2])


@pytest.mark.parametrize(
    "value", [2.0, np.float32(2), np.array([2]), "2", None, True, [2]]
)
def test_refuses_what_is_no_integer(value):
    with pytest.raises(ValueError, match="`start` must be an integer"):
        known_integer("start", value)


def test_integers_become_floats_and_floats_stay():
    for inputs in (np.arange(3), np.array([True, False])):
        inputs = keras.ops.convert_to_tensor(inputs)
        floats = as_floats(inputs, "float16")
        assert keras.backend.standardize_dtype(floats.dtype) == "float16"
    half = keras.ops.ones(3, "bfloat16")
    assert as_floats(half, "float32") is half
