"""Each score against its equation, pair by pair, in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention.functional import (
    additive_scores,
    check_depth,
    concat_projections,
    dot_scores,
    general_scores,
    location_scores,
    minus_projections,
    scaled_dot_scores,
)
from tests.numbers import DTYPES, SLACK, as_float32, close, tensor


def pairs(score, query, key):
    """`score(query[b, i], key[b, j], j)` for all."""
    result = np.zeros((*query.shape[:2], key.shape[1]))
    for b, i, j in np.ndindex(*result.shape):
        result[b, i, j] = score(query[b, i], key[b, j], j)
    return result


def check(function, equation, key_size, parts, dtype):
    """`function(query, key, *parts)` against the equation, in a dtype."""
    rng = np.random.default_rng(0)
    shapes = [(2, 3, 4), (2, 5, key_size), *parts]
    held, exact = zip(*(tensor(rng.normal(0, 0.5, s), dtype) for s in shapes))
    query, key, *parameters = exact
    scores = function(*held)
    assert keras.backend.standardize_dtype(scores.dtype) == dtype
    expected = pairs(lambda q, k, j: equation(q, k, j, *parameters), query, key)
    close(as_float32(scores), expected, 0, 5 * SLACK[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_dot(dtype):
    check(dot_scores, lambda q, k, j: q @ k, 4, [], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_scaled_dot(dtype):
    check(scaled_dot_scores, lambda q, k, j: q @ k / 2, 4, [], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_general(dtype):
    check(general_scores, lambda q, k, j, W: q @ W @ k, 6, [(4, 6)], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("block_size", [None, 1, 2, 7])
def test_additive(dtype, block_size):
    def scores(query, key, vector):
        return additive_scores(query, key, vector, block_size)

    check(scores, lambda q, k, j, v: v @ np.tanh(q + k), 4, [(4,)], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_concat(dtype):
    def scores(query, key, kernel, vector):
        return additive_scores(*concat_projections(query, key, kernel), vector)

    def equation(q, k, j, W, v):
        return v @ np.tanh(np.concatenate([q, k]) @ W)

    check(scores, equation, 6, [(10, 3), (3,)], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_minus(dtype):
    def scores(query, key, kernel, vector):
        return additive_scores(*minus_projections(query, key, kernel), vector)

    check(
        scores,
        lambda q, k, j, W, v: v @ np.tanh((q - k) @ W),
        4,
        [(4, 3), (3,)],
        dtype,
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_location(dtype):
    check(
        location_scores,
        lambda q, k, j, W, b: (q @ W + b)[j],
        6,
        [(4, 8), (8,)],
        dtype,
    )


def test_scores_of_heads_have_their_own_axis():
    rng = np.random.default_rng(1)
    query, key = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(2, 3, 6, 5))
    for head in range(3):
        for function in (dot_scores, scaled_dot_scores):
            close(
                function(query, key)[:, head],
                function(query[:, head], key[:, head]),
            )


def test_the_scale_keeps_large_sizes_from_overflowing_in_float16():
    query, _ = tensor(np.full((1, 1, 1024), 15.0), "float16")
    assert np.isfinite(as_float32(scaled_dot_scores(query, query))).all()


def test_refuses_a_depth_that_the_kernel_was_not_built_for():
    check_depth(np.ones((2, 3, 4)), 4)
    with pytest.raises(ValueError, match=r"\(2, 3, 4\), built for depth 6"):
        check_depth(np.ones((2, 3, 4)), 6)
