"""Steps counted in states of every float dtype."""

import keras
import numpy as np
import pytest

from keras_attention.recurrent.counting import (
    BASE,
    DIGITS,
    count_of,
    digits_of,
)
from tests.numbers import DTYPES, numpy


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_count_is_kept_exactly(dtype):
    counts = np.array([[0], [1], [255], [256], [257], [2049], [65536], [9**7]])
    digits = digits_of(counts.astype("int32"), dtype)
    assert tuple(digits.shape) == (len(counts), DIGITS)
    assert keras.backend.standardize_dtype(digits.dtype) == dtype
    assert (numpy(count_of(digits)) == counts).all()


def test_zeros_are_no_step_and_a_full_count_starts_anew():
    assert not numpy(count_of(np.zeros((1, DIGITS), "float32"))).any()
    full = np.array([[BASE**DIGITS]], "int32")
    assert not numpy(digits_of(full, "float32")).any()
