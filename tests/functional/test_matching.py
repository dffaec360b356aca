"""Matching against NumPy, cell by cell, in every dtype and in blocks."""

import keras
import numpy as np
import pytest

from keras_attention.functional import (
    check_pair_call,
    check_same_depth,
    cosine_similarity,
    hide,
    inverse_distance,
    product_scores,
    visible_cells,
)
from tests.numbers import DTYPES, SLACK, as_float32, close, numpy, tensor


def check(function, equation, parts, dtype):
    rng = np.random.default_rng(0)
    shapes = [(2, 3, 4), (2, 5, 4), *parts]
    held, exact = zip(*(tensor(rng.normal(0, 0.5, s), dtype) for s in shapes))
    left, right, *parameters = exact
    result = function(*held)
    assert keras.backend.standardize_dtype(result.dtype) == dtype
    assert tuple(result.shape) == (2, 3, 5)
    for b, i, j in np.ndindex(2, 3, 5):
        expected = equation(left[b, i], right[b, j], *parameters)
        close(as_float32(result)[b, i, j], expected, 0, 5 * SLACK[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("block_size", [None, 1, 2, 7])
def test_inverse_distance(dtype, block_size):
    check(
        lambda left, right: inverse_distance(left, right, block_size),
        lambda x, y: 1 / (1 + np.sqrt(((x - y) ** 2).sum())),
        [],
        dtype,
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_cosine_similarity(dtype):
    check(
        cosine_similarity,
        lambda x, y: x @ y / (np.linalg.norm(x) * np.linalg.norm(y)),
        [],
        dtype,
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("block_size", [None, 1, 2, 7])
def test_product_scores(dtype, block_size):
    check(
        lambda *tensors: product_scores(*tensors, block_size),
        lambda x, y, W, v: v @ np.tanh((x * y) @ W),
        [(4, 6), (6,)],
        dtype,
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_equal_vectors_are_exactly_one_however_large(dtype):
    vectors = np.random.default_rng(0).normal(0, 30, (1, 4, 300))
    held, _ = tensor(vectors, dtype)
    grid = as_float32(inverse_distance(held, held))
    assert np.diagonal(grid[0]).tolist() == [1] * 4
    assert (grid[0][~np.eye(4, dtype=bool)] < 0.1).all()


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "float16"])
@pytest.mark.parametrize(
    "grid",
    [
        lambda x, zero: inverse_distance(x, x + zero),
        lambda x, zero: cosine_similarity(x, x * 0 + zero),
    ],
    ids=["equal vectors", "a zero vector"],
)
def test_where_a_root_has_no_gradient_it_is_zero(grid, policy):
    class Grid(keras.layers.Layer):
        def build(self, shape):
            self.zero = self.add_weight(shape=shape[1:], initializer="zeros")

        def call(self, x):
            return grid(x, self.zero)

    layer = Grid(dtype=policy)
    inputs = keras.Input((1, 4))
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.SGD(1.0), loss="mse")
    model.fit(np.ones((2, 1, 4)), np.full((2, 1, 1), 0.5), verbose=0)
    assert not numpy(keras.ops.cast(layer.zero, "float32")).any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_cosine_beside_nothing_is_zero(dtype):
    nothing, _ = tensor(np.zeros((1, 2, 3)), dtype)
    some, _ = tensor(np.ones((1, 2, 3)), dtype)
    assert not as_float32(cosine_similarity(nothing, some)).any()
    close(as_float32(cosine_similarity(some, some)), np.ones((1, 2, 2)), 1e-3)


def test_a_cell_is_visible_where_row_and_column_are():
    left = np.array([[True, False]])
    right = np.array([[True, True, False]])
    rows, columns = left[:, :, None], right[:, None, :]
    close(visible_cells(left, right), rows & columns)
    close(visible_cells(left, None), rows)
    close(visible_cells(None, right), columns)
    assert visible_cells(None, None) is None


def test_what_is_hidden_is_zero_even_beyond_numbers():
    values = np.array([[1.0, np.nan], [np.inf, 2.0]], "float32")
    mask = np.array([[True, False], [False, True]])
    hidden = hide(keras.ops.convert_to_tensor(values), mask)
    assert numpy(hidden).tolist() == [[1, 0], [0, 2]]
    tensor = keras.ops.ones((2,))
    assert hide(tensor, None) is tensor


def test_masks_come_back_as_booleans():
    pair = np.ones((2, 3, 4)), np.ones((2, 5, 4))
    left, right = check_pair_call(*pair, np.ones((2, 3), "int32"))
    assert keras.backend.standardize_dtype(left.dtype) == "bool"
    assert right is None


@pytest.mark.parametrize(
    "shapes, message",
    [
        (((2, 3), (2, 5, 4)), r"left_shape=\(2, 3\)"),
        (((2, 3, 4), (2, 5, 4), (2, 5)), "`left_mask`"),
        (((2, 3, 4), (2, 5, 4), (2, 3), (2, 3)), "`right_mask`"),
    ],
)
def test_refuses_what_does_not_fit_together(shapes, message):
    with pytest.raises(ValueError, match=message):
        check_pair_call(*(np.ones(shape, "int32") for shape in shapes))


def test_refuses_other_depths():
    check_same_depth((2, 3, 4), (None, 5, 4))
    for left, right in (((2, 3, 4), (2, 5, 3)), ((2, 4), (2, 5, 4))):
        with pytest.raises(ValueError, match="one depth"):
            check_same_depth(left, right)
