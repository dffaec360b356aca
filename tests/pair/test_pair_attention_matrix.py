"""PairAttentionMatrix against its three scores, cell by cell."""

import keras
import numpy as np
import pytest

from keras_attention import PairAttentionMatrix
from keras_attention.functional import blocks, matching, over_query_blocks
from tests.contract import check_pair_layer
from tests.numbers import close, numpy


def test_contract(tmp_path):
    check_pair_layer(
        PairAttentionMatrix,
        inits=[{}, {"score": "cosine"}],
        output=(3, 5, 7),
        weights=None,
        folder=tmp_path,
    )


@pytest.mark.parametrize(
    "score, equation",
    [
        ("inverse_distance", lambda x, y: 1 / (1 + np.linalg.norm(x - y))),
        ("cosine", lambda x, y: x @ y / np.linalg.norm(x) / np.linalg.norm(y)),
        ("dot", lambda x, y: x @ y),
    ],
)
def test_equals_the_equation(score, equation):
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 4))
    masks = {
        "left_mask": np.array([[1, 1, 0], [1, 1, 1]], "bool"),
        "right_mask": np.array([[1] * 5, [1, 1, 0, 1, 0]], "bool"),
    }
    grid = numpy(PairAttentionMatrix(score)(left, right, **masks))
    for b, i, j in np.ndindex(*grid.shape):
        seen = masks["left_mask"][b, i] and masks["right_mask"][b, j]
        expected = equation(left[b, i], right[b, j]) if seen else 0
        close(grid[b, i, j], expected)


def test_a_large_grid_is_compared_in_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    left = rng.normal(size=(1, 9, 4)).astype("float32")
    right = rng.normal(size=(1, 5, 4)).astype("float32")
    at_once = PairAttentionMatrix()(left, right)
    taken = []

    def noted(function, block_size, *tensors):
        taken.append(block_size)
        return over_query_blocks(function, block_size, *tensors)

    monkeypatch.setattr(matching, "over_query_blocks", noted)
    monkeypatch.setattr(blocks, "LARGE", 9 * 5 * 4 - 1)
    monkeypatch.setattr(blocks, "BLOCK", 2 * 5 * 4)
    close(PairAttentionMatrix()(left, right), at_once)
    assert taken == [2]


def test_ends_the_mask_that_it_was_given():
    words = keras.layers.Embedding(5, 4, mask_zero=True)(np.array([[1, 2, 0]]))
    grid = PairAttentionMatrix()(words, words)
    assert getattr(grid, "_keras_mask", None) is None
    assert numpy(grid)[0, :, 2].tolist() == [0, 0, 0]


def test_refuses_what_it_cannot_compare():
    with pytest.raises(ValueError, match="score='euclid'"):
        PairAttentionMatrix("euclid")
    with pytest.raises(ValueError, match=r"left_shape=\(2, 3, 4\)"):
        PairAttentionMatrix()(np.ones((2, 3, 4)), np.ones((2, 3, 5)))
    layer = PairAttentionMatrix()
    layer(np.ones((2, 3, 4)), np.ones((2, 3, 4)))
    with pytest.raises(ValueError, match=r"right_shape=\(2, 3, 1\)"):
        layer(np.ones((2, 3, 4)), np.ones((2, 3, 1)))
