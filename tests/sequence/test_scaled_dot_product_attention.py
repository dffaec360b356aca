"""ScaledDotProductAttention against the paper's equation, in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import ScaledDotProductAttention
from tests.contract import check_query_layer
from tests.numbers import close, numpy


def test_contract(tmp_path):
    check_query_layer(
        ScaledDotProductAttention,
        inits=[{}, {"dropout": 0.1, "seed": 3}],
        output=(3, 4, 8),
        weights=(3, 4, 6),
        folder=tmp_path,
    )


def test_equals_the_equation_of_the_paper():
    rng = np.random.default_rng(1)
    query, key = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 6, 4))
    value = rng.normal(size=(2, 6, 7))
    layer = ScaledDotProductAttention()
    context, weights = layer(query, value, key, return_attention_scores=True)
    for b, i in np.ndindex(2, 3):
        exponentials = np.exp([query[b, i] @ k / np.sqrt(4) for k in key[b]])
        shares = exponentials / exponentials.sum()
        close(weights[b, i], shares)
        close(context[b, i], shares @ value[b])


def test_equals_the_layer_of_keras_where_every_query_sees_something():
    rng = np.random.default_rng(2)
    query, value = rng.normal(size=(2, 2, 5, 4)).astype("float32")
    mask = np.arange(5) < np.array([[5], [2]])
    ours = ScaledDotProductAttention()(
        query, value, value_mask=mask, use_causal_mask=True
    )
    other = keras.layers.Attention()  # without a scale of its own
    theirs = other([query / 2, value], mask=[None, mask], use_causal_mask=True)
    close(ours, theirs)


def test_has_nothing_to_learn():
    layer = ScaledDotProductAttention()
    layer(np.ones((1, 2, 4)), np.ones((1, 3, 4)))
    assert layer.count_params() == 0


@pytest.mark.parametrize("depth", [4, 1024])
def test_the_weights_stay_spread_however_deep_the_keys_are(depth):
    rng = np.random.default_rng(3)
    query, key = rng.normal(size=(2, 1, 64, depth))
    _, weights = ScaledDotProductAttention()(
        query, key, return_attention_scores=True
    )
    assert numpy(weights).max(axis=-1).mean() < 0.2


def test_drops_weights_in_training_only_and_returns_them_whole():
    rng = np.random.default_rng(4)
    query, value = rng.normal(size=(2, 2, 5, 4))
    layer = ScaledDotProductAttention(dropout=0.5, seed=1)
    context, weights = layer(query, value, return_attention_scores=True)
    close(layer(query, value), context)
    dropped, kept = layer(
        query, value, return_attention_scores=True, training=True
    )
    close(kept, weights)
    assert np.abs(numpy(dropped) - numpy(context)).max() > 1e-3


def test_refuses_bad_inputs():
    ones = np.ones((2, 3, 4))
    layer = ScaledDotProductAttention()
    with pytest.raises(ValueError, match="same depth"):
        layer(ones, ones, ones[..., :3])
    with pytest.raises(ValueError, match="equally long"):
        layer(ones, ones, ones[:, :2])
    with pytest.raises(ValueError, match=r"query_shape=\(2, 4\)"):
        layer(ones[:, 0], ones)
    with pytest.raises(ValueError, match="dropout=1.5|rate=1.5"):
        ScaledDotProductAttention(dropout=1.5)
