"""AttentionLayer against the papers' equations, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import AttentionLayer, BahdanauAttention
from tests.contract import check_query_layer
from tests.numbers import arrays, close, numpy, randomize


@pytest.mark.slow
def test_contract(tmp_path):
    check_query_layer(
        AttentionLayer,
        inits=[
            {},
            {"score": "dot", "dropout": 0.1, "seed": 1},
            {"score": "general"},
            {"score": "additive", "units": 5, "use_bias": True},
            {"score": "concat", "units": 5, "block_size": 2},
            {"score": "minus", "units": 4},
            {"score": "location", "max_length": 10, "use_bias": True},
        ],
        output=(3, 4, 8),
        weights=(3, 4, 6),
        folder=tmp_path,
        positional=[False] * 6 + [True],
    )


EQUATIONS = {
    "dot": lambda q, k, j: q @ k,
    "scaled_dot": lambda q, k, j: q @ k / np.sqrt(len(k)),
    "general": lambda q, k, j, W: q @ W @ k,
    "additive": lambda q, k, j, W, U, b, v: v @ np.tanh(q @ W + k @ U + b),
    "concat": lambda q, k, j, W, b, v: (
        v @ np.tanh(np.concatenate([q, k]) @ W + b)
    ),
    "minus": lambda q, k, j, W, b, v: v @ np.tanh((q - k) @ W + b),
    "location": lambda q, k, j, W, b: (q @ W + b)[j],
}
PARTS = {
    "general": ("kernel",),
    "additive": ("query_kernel", "key_kernel", "bias", "score_vector"),
    "concat": ("kernel", "bias", "score_vector"),
    "minus": ("kernel", "bias", "score_vector"),
    "location": ("kernel", "bias"),
}
ARGUMENTS = {
    "additive": {"units": 5, "use_bias": True},
    "concat": {"units": 5, "use_bias": True},
    "minus": {"units": 5, "use_bias": True},
    "location": {"max_length": 9, "use_bias": True},
}


@pytest.mark.parametrize("score", EQUATIONS)
def test_equals_the_equations_of_the_papers(score):
    rng = np.random.default_rng(1)
    same = score in ("dot", "scaled_dot", "minus")
    query, value = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 6, 7))
    key = rng.normal(size=(2, 6, 4 if same else 5))
    layer = AttentionLayer(score, **ARGUMENTS.get(score, {}))
    layer.build(query.shape, value.shape, key.shape)
    randomize(layer)
    context, weights = layer(query, value, key, return_attention_scores=True)

    parts = arrays(layer, *PARTS.get(score, ()))
    for b, i in np.ndindex(2, 3):
        exponentials = np.exp(
            [
                EQUATIONS[score](query[b, i], key[b, j], j, *parts)
                for j in range(6)
            ]
        )
        shares = exponentials / exponentials.sum()
        close(weights[b, i], shares)
        close(context[b, i], shares @ value[b])


def test_the_additive_score_is_bahdanaus():
    rng = np.random.default_rng(2)
    query, value = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 6, 7))
    layer, other = AttentionLayer("additive", units=5), BahdanauAttention(5)
    layer.build(query.shape, value.shape)
    other.build(query.shape, value.shape)
    randomize(layer)
    W, U, v = arrays(layer, "query_kernel", "key_kernel", "score_vector")
    other.set_weights([v, W, U])
    close(layer(query, value), other(query, value))


def test_equals_keras_where_keras_has_the_same():
    rng = np.random.default_rng(3)
    query, value = rng.normal(size=(2, 5, 4)), rng.normal(size=(2, 5, 4))
    mask = np.arange(5) < np.array([[5], [3]])
    theirs = keras.layers.Attention()
    expected = theirs([query, value], mask=[None, mask], use_causal_mask=True)
    ours = AttentionLayer("dot")
    close(ours(query, value, value_mask=mask, use_causal_mask=True), expected)


@pytest.mark.parametrize("score", ["additive", "concat", "minus"])
def test_blocks_change_no_number(score):
    rng = np.random.default_rng(4)
    query, value = rng.normal(size=(2, 7, 4)), rng.normal(size=(2, 6, 4))
    whole = AttentionLayer(score, units=3, block_size=7)
    whole.build(query.shape, value.shape)
    randomize(whole)
    parts = AttentionLayer(score, units=3, block_size=3)
    parts.build(query.shape, value.shape)
    parts.set_weights(whole.get_weights())
    for causal in (False, True):
        answers = [
            layer(
                query,
                value,
                use_causal_mask=causal,
                return_attention_scores=True,
            )
            for layer in (whole, parts)
        ]
        for one, other in zip(*answers, strict=True):
            close(one, other, atol=1e-6)
        close(parts(query, value, use_causal_mask=causal), answers[0][0])


def test_a_large_score_alone_takes_all():
    layer = AttentionLayer("dot")
    query, value = np.full((1, 1, 1), 1e3), np.array([[[1e3], [-1e3], [0.0]]])
    context, weights = layer(query, value, return_attention_scores=True)
    close(weights, [[[1, 0, 0]]])
    close(context, [[[1e3]]])


def test_drops_weights_in_training_only():
    ones = np.ones((1, 2, 4))
    for arguments in ({}, {"score": "additive", "units": 3}):
        layer = AttentionLayer(dropout=0.9, seed=0, **arguments)
        close(layer(ones, ones), ones)
        dropped = numpy(layer(ones, ones, training=True))
        assert not np.allclose(dropped, ones)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"score": "cosine"}, "score='cosine'"),
        ({"score": "additive"}, "`units` must.*needs. Received: units=None"),
        ({"score": "concat", "units": 0}, "units=0"),
        ({"score": "dot", "units": 4}, "does not use `units`"),
        ({"score": "location"}, "`max_length` must.*needs"),
        ({"score": "minus", "units": 3, "max_length": 4}, "does not use"),
        ({"score": "general", "use_bias": True}, "use_bias=True"),
        ({"score": "dot", "block_size": 4}, "does not use `block_size`"),
        ({"score": "minus", "units": 3, "block_size": 0}, "block_size=0"),
    ],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        AttentionLayer(**arguments)


@pytest.mark.parametrize("score", ["dot", "scaled_dot", "minus"])
def test_refuses_sizes_that_do_not_fit(score):
    layer = AttentionLayer(score, units=3 if score == "minus" else None)
    with pytest.raises(ValueError, match=r"query_shape=\(1, 2, 4\)"):
        layer(np.ones((1, 2, 4)), np.ones((1, 2, 5)))


def test_refuses_more_keys_than_it_has_places():
    layer = AttentionLayer("location", max_length=3)
    with pytest.raises(ValueError, match="4 keys, max_length=3"):
        layer(np.ones((1, 2, 4)), np.ones((1, 4, 4)))
    with pytest.raises(ValueError, match="4 keys, max_length=3"):
        layer(keras.Input((2, 4)), keras.Input((4, 4)))


def test_the_location_score_takes_lengths_that_are_not_known_yet():
    query, value = keras.Input((None, 4)), keras.Input((None, 5))
    layer = AttentionLayer("location", max_length=3)
    context, weights = layer(query, value, return_attention_scores=True)
    assert context.shape == (None, None, 5)
    assert weights.shape == (None, None, None)
    model = keras.Model([query, value], context)
    data = np.ones((2, 4, 4)), np.ones((2, 3, 5))
    close(model(data), layer(*data))


def test_refuses_another_depth_than_it_was_built_for():
    layer = AttentionLayer("concat", units=3)
    layer(np.ones((2, 3, 4)), np.ones((2, 5, 6)))
    for query, key in ((6, 4), (5, 5)):
        with pytest.raises(ValueError, match="built for depth 4"):
            layer(np.ones((2, 3, query)), np.ones((2, 5, key)))
