"""Rotary positions and ALiBi against the papers' equations."""

import numpy as np
import pytest

from keras_attention.functional import (
    alibi_bias,
    alibi_slopes,
    check_position_encoding,
    rotate,
)
from tests.numbers import DTYPES, SLACK, as_float32, close, softmax, tensor


def rotation(position, depth, max_wavelength):
    """Equation 15 of RoFormer, a matrix of blocks of two."""
    matrix = np.zeros((depth, depth))
    for i in range(depth // 2):
        angle = position * max_wavelength ** (-2 * i / depth)
        cosine, sine = np.cos(angle), np.sin(angle)
        block = slice(2 * i, 2 * i + 2)
        matrix[block, block] = [[cosine, -sine], [sine, cosine]]
    return matrix


@pytest.mark.parametrize("max_wavelength", [10000, 50.5])
def test_rotates_as_the_paper_but_for_the_order_of_channels(max_wavelength):
    vectors = np.random.default_rng(1).normal(size=(2, 5, 3, 6))
    positions = np.array([[0, 1, 2, 3, 4], [7, 7, 0, 900, -2]])
    turned = as_float32(
        rotate(vectors.astype("float32"), positions, max_wavelength)
    )
    neighbours = [0, 3, 1, 4, 2, 5]  # channel i + 3 beside channel i
    for b, t, n in np.ndindex(2, 5, 3):
        matrix = rotation(positions[b, t], 6, max_wavelength)
        expected = matrix @ vectors[b, t, n, neighbours]
        close(turned[b, t, n, neighbours], expected)


def test_a_rotated_product_depends_on_the_distance_alone():
    query, key = np.random.default_rng(2).normal(size=(2, 1, 1, 1, 8))
    query, key = query.astype("float32"), key.astype("float32")

    def product(query_position, key_position):
        return np.sum(
            as_float32(rotate(query, np.array([[query_position]])))
            * as_float32(rotate(key, np.array([[key_position]])))
        )

    close(product(5, 2), product(103, 100))
    assert abs(product(5, 2) - product(5, 3)) > 1e-2


@pytest.mark.parametrize("dtype", DTYPES)
def test_rotates_far_positions_in_every_dtype(dtype):
    vectors = np.random.default_rng(3).normal(size=(1, 2, 1, 4))
    vectors, held = tensor(vectors, dtype)
    positions = np.array([[1001, 4003]])
    exact = rotate(held, positions)
    turned = rotate(vectors, positions)
    assert turned.dtype == vectors.dtype
    close(as_float32(turned), as_float32(exact), atol=4 * SLACK[dtype])


@pytest.mark.parametrize(
    "heads, powers",
    [
        (1, [-8]),
        (2, [-4, -8]),
        (3, [-4, -8, -2]),
        (6, [-2, -4, -6, -8, -1, -3]),
        (8, range(-1, -9, -1)),
        (16, np.arange(-0.5, -8.5, -0.5)),
    ],
)
def test_slopes_are_powers(heads, powers):
    slopes = alibi_slopes(heads)
    close(slopes, 2.0 ** np.array(powers))
    assert slopes.shape == (heads,) and slopes.dtype == "float32"


def test_a_bias_grows_with_the_distance():
    positions = np.array([[0, 1, 2], [4, 0, 9]])
    bias = as_float32(alibi_bias(positions, 5, 2))
    for b, n, i, j in np.ndindex(2, 2, 3, 5):
        distance = abs(positions[b, i] - j)
        close(bias[b, n, i, j], -(2.0 ** [-4, -8][n]) * distance)
    assert bias.shape == (2, 2, 3, 5)


def test_a_causal_bias_is_that_of_the_paper():
    scores = np.random.default_rng(4).normal(size=(7,))
    bias = as_float32(alibi_bias(np.array([[6]]), 7, 4))
    for n, slope in enumerate(alibi_slopes(4)):
        paper = slope * np.arange(7)
        close(softmax(scores + bias[0, n, 0]), softmax(scores + paper))


@pytest.mark.parametrize("kind", ["learned", True, ["rotary"]])
def test_refuses_an_encoding_that_is_not_known(kind):
    with pytest.raises(ValueError, match="Received: position_encoding="):
        check_position_encoding(kind)


def test_refuses_to_rotate_an_odd_depth():
    check_position_encoding("rotary", 4)
    check_position_encoding("alibi", 3)
    check_position_encoding(None, 3)
    with pytest.raises(ValueError, match="key_dim=3"):
        check_position_encoding("rotary", 3)
