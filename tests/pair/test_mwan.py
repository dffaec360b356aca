"""MwAN against the paper's equations, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import MwAN
from keras_attention.pair.multiway_attention import WAYS
from tests.contract import POLICIES, check_pair_layer
from tests.numbers import (
    arrays,
    both_ways,
    close,
    numpy,
    randomize,
    sigmoid,
    softmax,
)


def weights_of(ways, batch=3, left=3, right=4):
    return {
        **{way: (batch, left, right) for way in ways},
        "ways": (batch, left, len(ways)),
        "right": (batch, right),
        "left": (batch, left),
    }


@pytest.mark.slow
def test_contract(tmp_path):
    halves = keras.backend.backend() == "tensorflow"
    # Two ways where it is compiled and exported: a graph of all takes a minute.
    two, others = ("dot", "concat"), {"dropout": 0.1, "seed": 1}
    check_pair_layer(
        MwAN,
        inits=[
            {"units": 3, "ways": two},
            {"attention_units": 5, "units": 2, **others},
        ],
        output=[((3, 3, 6), (3, 6)), ((3, 3, 4), (3, 4))],
        weights=[weights_of(two), weights_of(WAYS)],
        folder=tmp_path,
        left=(3, 3, 8),
        right=(3, 4, 8),
        sum_axis=-1,
        litert_batches=(1,),
        policies=[p for p in POLICIES if halves or p != "float16"],
    )


def test_equals_the_equations_of_the_paper():
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 5, 3))
    lengths = [(4, 5), (3, 2)]
    masks = {
        "left_mask": np.arange(4) < np.array([[4], [3]]),
        "right_mask": np.arange(5) < np.array([[5], [2]]),
    }
    layer = MwAN(units=2, attention_units=6)
    layer.build(left.shape, right.shape)
    randomize(layer)
    states, vector, weights = layer(
        left, right, **masks, return_attention_scores=True
    )
    for b, (n, m) in enumerate(lengths):
        h_o, r_p, shares = _mwan(layer, left[b, :n], right[b, :m])
        close(states[b, :n], h_o)
        assert not numpy(states)[b, n:].any()
        close(vector[b], r_p)
        assert set(weights) == set(shares)
        for name, expected in shares.items():
            kept = tuple(slice(size) for size in expected.shape)
            close(weights[name][b][kept], expected)


def _mwan(layer, p, q):
    """The whole network, of one pair without padding."""
    h_p, h_q = (both_ways(layer, "", words) for words in (p, q))
    weights, h = {}, []
    for way in WAYS:
        (W,) = arrays(layer, f"attention/{way}_kernel")
        if way == "bilinear":
            scores = h_p @ W @ h_q.T
        else:
            (v,) = arrays(layer, f"attention/{way}_vector")
            joined = {
                "concat": lambda x, y: np.r_[x, y],
                "dot": lambda x, y: x * y,
                "minus": lambda x, y: y - x,
            }[way]
            scores = np.array(
                [[v @ np.tanh(joined(x, y) @ W) for y in h_q] for x in h_p]
            )
        weights[way] = np.stack([softmax(row) for row in scores])
        x = np.concatenate([weights[way] @ h_q, h_p], axis=1)
        (W_g,) = arrays(layer, f"{way}_aggregation/gate_kernel")
        gated = sigmoid(x @ W_g) * x
        h.append(both_ways(layer, f"{way}_aggregation/", gated))
    h = np.stack(h, axis=1)
    weights["ways"] = np.stack(
        [_shares(layer, "mixed_aggregation/attention", h_t) for h_t in h]
    )
    mixed = np.einsum("tk,tkd->td", weights["ways"], h)
    h_o = both_ways(layer, "mixed_aggregation/", mixed)
    weights["right"] = _shares(layer, "right_pooling", h_q)
    r_q = weights["right"] @ h_q
    W_q, W_o, v = arrays(
        layer,
        "left_pooling/query/kernel",
        "left_pooling/key/kernel",
        "left_pooling/score_vector",
    )
    weights["left"] = softmax(np.tanh(r_q @ W_q + h_o @ W_o) @ v)
    return h_o, weights["left"] @ h_o, weights


def _shares(layer, path, h):
    W, b, v = arrays(
        layer,
        f"{path}/hidden/kernel",
        f"{path}/hidden/bias",
        f"{path}/context_vectors",
    )
    return softmax(np.tanh(h @ W + b) @ v[:, 0])


def test_each_word_of_the_passage_reads_the_question():
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 6, 3))
    states, vector, weights = MwAN(2)(left, right, return_attention_scores=True)
    assert tuple(states.shape) == (2, 4, 4) and tuple(vector.shape) == (2, 4)
    for way in WAYS:
        close(numpy(weights[way]).sum(axis=-1), np.ones((2, 4)))


def test_the_states_carry_the_mask_of_the_left_side():
    words = keras.layers.Embedding(9, 3, mask_zero=True)
    left, right = words(np.array([[3, 1, 0]])), words(np.array([[2, 0]]))
    states, vector = MwAN(2)(left, right)
    assert numpy(states._keras_mask).tolist() == [[True, True, False]]
    assert getattr(vector, "_keras_mask", None) is None


def test_drops_states_in_training_only():
    rng = np.random.default_rng(0)
    pair = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 5, 3))
    layer = MwAN(3, dropout=0.5, seed=0)
    _, vector = layer(*pair)
    close(layer(*pair, training=False)[1], vector)
    assert not np.allclose(numpy(layer(*pair, training=True)[1]), numpy(vector))


def test_drops_what_each_gru_says_by_its_seed(monkeypatch):
    rng = np.random.default_rng(0)
    pair = rng.normal(size=(1, 4, 3)), rng.normal(size=(1, 5, 3))
    layers = [MwAN(3, dropout=0.5, seed=seed) for seed in (1, 1, 2)]
    dropped = []
    call = keras.layers.Dropout.call

    def noted(self, inputs, training=False):
        if self.rate:  # that of the pooling is zero
            dropped.append(tuple(inputs.shape))
        return call(self, inputs, training=training)

    monkeypatch.setattr(keras.layers.Dropout, "call", noted)
    vectors = []
    for layer in layers:
        layer(*pair)
        layer.set_weights(layers[0].get_weights())
        dropped.clear()
        vectors.append(numpy(layer(*pair, training=True)[1]))
        # Left, right, four readings and their mixture.
        sizes = [(1, 4, 6), (1, 5, 6), *[(1, 4, 6)] * 5]
        assert dropped == sizes
    close(vectors[0], vectors[1])
    assert not np.allclose(vectors[0], vectors[2])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"units": 0}, "units=0"),
        ({"attention_units": 0}, "attention_units=0"),
        ({"ways": ["plus"]}, "plus"),
    ],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        MwAN(**{"units": 4, **arguments})


def test_refuses_sides_of_two_depths():
    with pytest.raises(ValueError, match=r"right_shape=\(2, 3, 5\)"):
        MwAN(4)(np.ones((2, 3, 4)), np.ones((2, 3, 5)))
