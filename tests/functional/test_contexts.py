"""What is read, against sums written out in NumPy."""

import numpy as np
import pytest

from keras_attention.functional import (
    additive_attention,
    scaled_dot_product_attention,
    weighted_sum,
)
from tests.numbers import DTYPES, SLACK, as_float32, close, tensor


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_context_is_a_weighted_sum(dtype):
    rng = np.random.default_rng(0)
    weights, shares = tensor(rng.random((2, 3, 4)), dtype)
    value, rows = tensor(rng.normal(size=(2, 4, 5)), dtype)
    context = as_float32(weighted_sum(weights, value))
    for b, i in np.ndindex(2, 3):
        expected = sum(shares[b, i, j] * rows[b, j] for j in range(4))
        close(context[b, i], expected, 0, 5 * SLACK[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_scaled_dot_product_attention(dtype):
    rng = np.random.default_rng(1)
    (q, query), (k, key), (v, value) = (
        tensor(rng.normal(size=(2, 3, length, size)), dtype)
        for length, size in ((4, 6), (5, 6), (5, 7))
    )
    mask = rng.random((2, 1, 4, 5)) < 0.6
    mask[0, 0, 0] = False
    context, weights = map(
        as_float32, scaled_dot_product_attention(q, k, v, mask)
    )
    for b, n, i in np.ndindex(2, 3, 4):
        scores = key[b, n] @ query[b, n, i] / np.sqrt(6)
        shares = np.exp(scores) * mask[b, 0, i]
        shares /= shares.sum() or 1
        close(weights[b, n, i], shares, 0, 5 * SLACK[dtype])
        close(context[b, n, i], shares @ value[b, n], 0, 9 * SLACK[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("block_size", [None, 2, 4])
@pytest.mark.parametrize("rows", [1, 4])
def test_additive_attention(dtype, block_size, rows):
    rng = np.random.default_rng(2)
    (q, query), (k, key), (v, value), (u, vector) = (
        tensor(rng.normal(0, 0.5, shape), dtype)
        for shape in ((2, 4, 6), (2, 5, 6), (2, 5, 7), (6,))
    )
    mask = rng.random((2, rows, 5)) < 0.6
    mask[0, 0] = False
    context = as_float32(additive_attention(q, k, v, u, mask, block_size))
    for b, i in np.ndindex(2, 4):
        scores = np.tanh(query[b, i] + key[b]) @ vector
        shares = np.exp(scores) * mask[b, i if rows > 1 else 0]
        shares /= shares.sum() or 1
        close(context[b, i], shares @ value[b], 0, 9 * SLACK[dtype])
