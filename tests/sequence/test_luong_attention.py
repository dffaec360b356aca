"""LuongAttention against the paper's equations, written out in NumPy."""

import numpy as np
import pytest

from keras_attention import LuongAttention
from tests.contract import check_query_layer
from tests.numbers import arrays, close, numpy, randomize


@pytest.mark.slow
def test_contract(tmp_path):
    check_query_layer(
        LuongAttention,
        inits=[
            {"units": 5},
            {"units": 4, "score": "concat", "dropout": 0.1, "seed": 3},
            {"units": 3, "score": "dot"},
        ],
        output=[(3, 4, 5), (3, 4, 4), (3, 4, 3)],
        weights=(3, 4, 6),
        folder=tmp_path,
        reads_query=True,
    )


EQUATIONS = {
    "dot": lambda h, s: h @ s,
    "general": lambda h, s, W: h @ W @ s,
    "concat": lambda h, s, W, v: v @ np.tanh(np.concatenate([h, s]) @ W),
}
PARTS = {
    "dot": (),
    "general": ("attention/kernel",),
    "concat": ("attention/kernel", "attention/score_vector"),
}


@pytest.mark.parametrize("score", EQUATIONS)
def test_equals_the_equations_of_the_paper(score):
    rng = np.random.default_rng(1)
    query = rng.normal(size=(2, 3, 4))
    value = rng.normal(size=(2, 6, 4 if score == "dot" else 7))
    layer = LuongAttention(units=5, score=score)
    layer.build(query.shape, value.shape)
    randomize(layer)
    output, weights = layer(query, value, return_attention_scores=True)

    parts = arrays(layer, *PARTS[score])
    (W_c,) = arrays(layer, "combine/kernel")
    for b, t in np.ndindex(2, 3):
        h = query[b, t]
        scores = [EQUATIONS[score](h, s, *parts) for s in value[b]]
        a = np.exp(scores) / np.exp(scores).sum()
        c = a @ value[b]
        close(weights[b, t], a)
        close(output[b, t], np.tanh(np.concatenate([c, h]) @ W_c))


def test_without_units_it_returns_the_context():
    rng = np.random.default_rng(2)
    query, value = rng.normal(size=(1, 2, 4)), rng.normal(size=(1, 5, 6))
    layer = LuongAttention(units=None)
    context, weights = layer(query, value, return_attention_scores=True)
    close(context, numpy(weights) @ value)
    assert [w.name for w in layer.weights] == ["kernel"]


def test_the_concat_layer_is_as_wide_as_the_query():
    layer = LuongAttention(units=5, score="concat")
    layer.build((None, 3, 4), (None, 6, 7))
    kernel, vector = arrays(layer, "attention/kernel", "attention/score_vector")
    assert kernel.shape == (4 + 7, 4) and vector.shape == (4,)


def test_a_query_that_sees_nothing_answers_from_itself():
    query, value = np.ones((1, 2, 4)), np.ones((1, 3, 6))
    layer = LuongAttention(units=5)
    nothing = np.zeros((1, 3), "bool")
    output = layer(query, value, value_mask=nothing)
    (W_c,) = arrays(layer, "combine/kernel")
    close(output[0, 0], np.tanh(query[0, 0] @ W_c[6:]))


def test_drops_weights_in_training_only():
    ones = np.ones((1, 2, 4))
    layer = LuongAttention(units=None, dropout=0.9, seed=0)
    close(layer(ones, ones), ones)
    assert not np.allclose(numpy(layer(ones, ones, training=True)), ones)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"units": 0}, "units=0"),
        ({"units": 2, "score": "location"}, "score='location'"),
    ],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        LuongAttention(**arguments)


def test_refuses_sizes_that_do_not_fit():
    with pytest.raises(ValueError, match="the same size"):
        LuongAttention(3, score="dot")(np.ones((1, 2, 4)), np.ones((1, 2, 5)))
