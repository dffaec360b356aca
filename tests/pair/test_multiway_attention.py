"""MultiwayAttention against the paper's four scores, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import MultiwayAttention
from keras_attention.functional import (
    blocks,
    matching,
    over_query_blocks,
    scores,
)
from keras_attention.pair.multiway_attention import WAYS
from tests.contract import check_pair_layer
from tests.numbers import arrays, close, numpy, randomize, softmax


@pytest.mark.slow
def test_contract(tmp_path):
    ways = [WAYS, ("minus", "dot")]
    check_pair_layer(
        MultiwayAttention,
        inits=[{"units": 6}, {"units": 4, "ways": ("minus", "dot")}],
        output=[{way: (3, 5, 8) for way in names} for names in ways],
        weights=[{way: (3, 5, 7) for way in names} for names in ways],
        folder=tmp_path,
        sum_axis=-1,
    )


def test_equals_the_equations_of_the_paper():
    rng = np.random.default_rng(0)
    p, q = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 4))
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 1, 0]], "bool")
    layer = MultiwayAttention(units=6)
    layer.build(p.shape, q.shape)
    randomize(layer)
    read, weights = layer(p, q, right_mask=mask, return_attention_scores=True)

    (W_b,) = arrays(layer, "bilinear_kernel")
    W_c, v_c = arrays(layer, "concat_kernel", "concat_vector")
    W_d, v_d = arrays(layer, "dot_kernel", "dot_vector")
    W_m, v_m = arrays(layer, "minus_kernel", "minus_vector")
    scores = {
        "concat": lambda h_q, h_p: v_c @ np.tanh(np.r_[h_p, h_q] @ W_c),
        "bilinear": lambda h_q, h_p: h_q @ W_b.T @ h_p,
        "dot": lambda h_q, h_p: v_d @ np.tanh((h_q * h_p) @ W_d),
        "minus": lambda h_q, h_p: v_m @ np.tanh((h_q - h_p) @ W_m),
    }
    for way, score in scores.items():
        for b, t in np.ndindex(2, 3):
            seen = q[b][mask[b]]
            shares = softmax(np.array([score(h, p[b, t]) for h in seen]))
            close(numpy(weights[way])[b, t][mask[b]], shares)
            assert not numpy(weights[way])[b, t][~mask[b]].any()
            close(read[way][b, t], shares @ seen)


def test_minus_is_antisymmetric_and_dot_symmetric():
    """Concat is symmetric too, where both halves of its kernel are one."""
    rng = np.random.default_rng(0)
    p, q = rng.normal(size=(1, 3, 4)), rng.normal(size=(1, 5, 4))
    layer = MultiwayAttention(units=6)
    layer.build(p.shape, q.shape)
    half = rng.normal(size=(4, 6))
    layer.kernels["concat"].assign(np.concatenate([half, half]))
    p, q = p.astype("float32"), q.astype("float32")
    for way, sign in (("minus", -1), ("dot", 1), ("concat", 1)):
        one, other = layer._scores(way, p, q), layer._scores(way, q, p)
        close(one, sign * np.swapaxes(numpy(other), 1, 2))


@pytest.mark.parametrize("depth, units", [(4, 6), (6, 4)])
def test_a_large_grid_is_read_in_blocks(depth, units, monkeypatch):
    """What is wider counts: the products, or the hidden layer on them."""
    rng = np.random.default_rng(0)
    p = rng.normal(size=(1, 9, depth)).astype("float32")
    q = rng.normal(size=(1, 5, depth)).astype("float32")
    layer = MultiwayAttention(units, ways=["dot", "minus", "concat"])
    _, at_once = layer(p, q, return_attention_scores=True)

    taken = []

    def noted(function, block_size, *tensors):
        taken.append(block_size)
        return over_query_blocks(function, block_size, *tensors)

    for module in (matching, scores):
        monkeypatch.setattr(module, "over_query_blocks", noted)
    monkeypatch.setattr(blocks, "LARGE", 5 * 5 * 6)
    monkeypatch.setattr(blocks, "BLOCK", 2 * 5 * 6)
    _, weights = layer(p, q, return_attention_scores=True)
    hidden = 2 * 5 * 6 // (5 * units)
    assert taken == [2, hidden, hidden]
    for way, grid in at_once.items():
        close(weights[way], grid)


def test_each_reading_carries_the_mask_of_the_left_side():
    words = keras.layers.Embedding(9, 3, mask_zero=True)
    left, right = words(np.array([[3, 1, 0]])), words(np.array([[2, 0]]))
    for read in MultiwayAttention(2)(left, right).values():
        assert numpy(read._keras_mask).tolist() == [[True, True, False]]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"units": 0}, "units=0"),
        ({"ways": ["plus"]}, "plus"),
        ({"ways": []}, r"ways=\[\]"),
        ({"ways": ["dot", "dot"]}, "at most once"),
    ],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        MultiwayAttention(**{"units": 4, **arguments})
