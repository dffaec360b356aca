"""AttentionPooling against the paper's equations, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import AttentionPooling
from tests.contract import check_layer
from tests.numbers import arrays, close, numpy, randomize


def test_contract(tmp_path):
    check_layer(
        AttentionPooling,
        inits=[{"units": 5}, {"units": 4, "num_queries": 2}],
        shapes={"inputs": (3, 6, 8)},
        output=[(3, 8), (3, 2, 8)],
        weights=[(3, 6), (3, 2, 6)],
        folder=tmp_path,
        sum_axis=-1,
        free_axes=(1,),
    )


def test_equals_the_equations_of_the_paper():
    inputs = np.random.default_rng(1).normal(size=(2, 6, 8))
    layer = AttentionPooling(units=5)
    layer.build(inputs.shape)
    randomize(layer)
    output, weights = layer(inputs, return_attention_scores=True)

    W, b, c = arrays(layer, "hidden/kernel", "hidden/bias", "context_vectors")
    for h, alpha, s in zip(inputs, numpy(weights), output, strict=True):
        u = [np.tanh(W.T @ h_t + b) for h_t in h]
        exponentials = np.array([np.exp(u_t @ c[:, 0]) for u_t in u])
        shares = exponentials / exponentials.sum()
        close(alpha, shares)
        close(s, sum(a * h_t for a, h_t in zip(shares, h)))


def test_every_query_looks_for_itself():
    inputs = np.random.default_rng(2).normal(size=(2, 5, 8))
    layer = AttentionPooling(units=4, num_queries=3)
    layer.build(inputs.shape)
    randomize(layer)
    output, weights = layer(inputs, return_attention_scores=True)
    one = AttentionPooling(units=4)
    one.build(inputs.shape)
    W, b, c = arrays(layer, "hidden/kernel", "hidden/bias", "context_vectors")
    for query in range(3):
        one.set_weights([c[:, query : query + 1], W, b])
        alone, shares = one(inputs, return_attention_scores=True)
        close(output[:, query], alone)
        close(weights[:, query], shares)


def test_one_query_asked_for_keeps_its_axis():
    inputs = np.ones((2, 5, 8))
    layer = AttentionPooling(units=4, num_queries=1)
    output, weights = layer(inputs, return_attention_scores=True)
    assert tuple(output.shape) == (2, 1, 8) and tuple(weights.shape) == (
        2,
        1,
        5,
    )


def test_padding_is_never_read():
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(2, 5, 8))
    padded = np.concatenate([inputs, rng.normal(size=(2, 3, 8)) * 9], axis=1)
    mask = np.arange(8) < np.array([[5], [5]])
    layer = AttentionPooling(units=4)
    close(layer(padded, mask=mask), layer(inputs), atol=1e-6)


def test_the_order_of_positions_does_not_count():
    rng = np.random.default_rng(4)
    inputs, order = rng.normal(size=(2, 6, 8)), rng.permutation(6)
    layer = AttentionPooling(units=4, num_queries=2)
    close(layer(inputs[:, order]), layer(inputs))


def test_large_scores_do_not_overflow():
    layer = AttentionPooling(units=1)
    layer.build((None, 2, 1))
    layer.set_weights([np.full((1, 1), 1e4), np.ones((1, 1)), np.zeros(1)])
    output = layer(np.array([[[5.0], [-5.0]]]))
    close(output, [[5.0]])


@pytest.mark.parametrize("policy", ["float32", "float16", "bfloat16"])
def test_nothing_to_see_is_zero(policy):
    layer = AttentionPooling(units=4, dtype=policy)
    inputs = np.full((2, 3, 8), 50.0)
    mask = np.array([[True, False, False], [False] * 3])
    output, weights = layer(inputs, mask=mask, return_attention_scores=True)
    output, weights = (keras.ops.cast(x, "float32") for x in (output, weights))
    close(weights, [[1, 0, 0], [0, 0, 0]])
    close(output, [[50.0] * 8, [0.0] * 8])


def test_takes_the_mask_an_embedding_carries_and_ends_it():
    ids = keras.Input((4,), dtype="int32")
    words = keras.layers.Embedding(5, 8, mask_zero=True)(ids)
    output, weights = AttentionPooling(4)(words, return_attention_scores=True)
    assert getattr(output, "_keras_mask", None) is None
    model = keras.Model(ids, [output, weights])
    weights = numpy(model(np.array([[3, 4, 0, 0]]))[1])
    assert (weights[0, :2] > 0).all() and not weights[0, 2:].any()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"units": 0}, "units=0"),
        ({"units": 3, "num_queries": 0}, "num_queries=0"),
    ],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        AttentionPooling(**arguments)


def test_refuses_bad_inputs():
    with pytest.raises(ValueError, match=r"input_shape=\(2, 8\)"):
        AttentionPooling(4)(np.ones((2, 8)))
    with pytest.raises(ValueError, match=r"\(2, \d\). Received: mask of shape"):
        AttentionPooling(4)(np.ones((2, 3, 8)), mask=np.zeros((2, 3)))
