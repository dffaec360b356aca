"""Means and maxima of a feature map, against NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.functional import max_pool, mean_pool
from tests.numbers import DTYPES, SLACK, as_float32, close, tensor

AXES = [(1, 2), -1, (1,)]
NUMPY = {mean_pool: np.mean, max_pool: np.max}
POOLS = sorted(NUMPY, key=lambda pool: pool.__name__)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("keepdims", [False, True])
def test_equals_numpy_and_keeps_the_dtype(pool, dtype, axes, keepdims):
    rng = np.random.default_rng(0)
    held, exact = tensor(rng.normal(size=(2, 3, 4, 5)), dtype)
    result = pool(held, axes, keepdims=keepdims)
    assert keras.backend.standardize_dtype(result.dtype) == dtype
    expected = NUMPY[pool](exact, axis=axes, keepdims=keepdims)
    close(as_float32(result), expected, SLACK[dtype], SLACK[dtype])


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_counts_only_what_the_mask_shows(pool, dtype):
    rng = np.random.default_rng(1)
    held, exact = tensor(rng.normal(size=(3, 6, 4)) - 9, dtype)
    mask = rng.random((3, 6, 1)) < 0.5
    assert mask.any(1).all() and not mask.all()
    result = as_float32(pool(held, 1, mask))
    for b in range(3):
        expected = NUMPY[pool](exact[b][mask[b, :, 0]], axis=0)
        close(result[b], expected, SLACK[dtype], SLACK[dtype])


@pytest.mark.parametrize("pool", POOLS)
def test_a_mask_that_shows_all_changes_nothing(pool):
    inputs = np.random.default_rng(2).normal(size=(2, 3, 4)).astype("float32")
    close(pool(inputs, 1, np.ones((2, 3, 1), "bool")), pool(inputs, 1))


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("hidden", [-1e4, 1e4, np.inf])
def test_what_is_hidden_is_never_read(pool, hidden):
    inputs = np.random.default_rng(3).normal(size=(1, 5, 2)).astype("float32")
    expected = pool(inputs[:, :3], 1)
    inputs[:, 3:] = hidden
    mask = np.array([[True, True, True, False, False]])[..., None]
    close(pool(inputs, 1, mask), expected)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("keepdims", [False, True])
def test_of_nothing_is_zero(pool, keepdims):
    nothing = np.zeros((2, 3, 1), "bool")
    inputs = np.full((2, 3, 4), -5.0, "float32")
    result = pool(inputs, 1, nothing, keepdims=keepdims)
    shape = (2, 1, 4) if keepdims else (2, 4)
    close(result, np.zeros(shape), 0, 0)


def test_a_mean_over_a_large_map_does_not_overflow():
    bright = ops.full((1, 64, 64, 1), 60.0, dtype="float16")
    mask = np.ones((1, 64, 64, 1), "bool")
    close(as_float32(mean_pool(bright, (1, 2))), [[60.0]])
    close(as_float32(mean_pool(bright, (1, 2), mask)), [[60.0]])


def test_a_mean_of_many_small_numbers_keeps_them():
    """Summed in bfloat16, 1 would swallow all that follows."""
    held, exact = tensor(
        np.r_[1, np.full(4095, 1e-3)][None, :, None], "bfloat16"
    )
    close(as_float32(mean_pool(held, 1)), exact.mean(1), 1e-2, 0)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("shape", [(2, 0, 4, 5), (0, 3, 4, 5)])
@pytest.mark.parametrize("masked", [False, True])
def test_no_places_sum_up_to_zeros_not_nan(pool, shape, masked):
    mask = np.ones((*shape[:3], 1), "bool") if masked else None
    result = pool(ops.ones(shape), (1, 2), mask)
    np.testing.assert_array_equal(as_float32(result), np.zeros((shape[0], 5)))
