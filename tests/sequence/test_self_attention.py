"""SelfAttention against the paper's equations, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import MultiHeadAttention, SelfAttention
from tests.contract import check_layer
from tests.numbers import arrays, close, numpy, randomize


@pytest.mark.slow
def test_contract(tmp_path):
    check_layer(
        SelfAttention,
        inits=[
            {"num_heads": 2},
            {"num_heads": 4, "dropout": 0.1, "use_bias": False, "seed": 3},
        ],
        shapes={"inputs": (3, 5, 8)},
        output=(3, 5, 8),
        weights=[(3, 2, 5, 5), (3, 4, 5, 5)],
        folder=tmp_path,
        sum_axis=-1,
        free_axes=(1,),
        # The softmax does not see what is added to all of its scores.
        still=("key/bias",),
    )


def test_equals_the_equations_of_the_paper():
    inputs = np.random.default_rng(1).normal(size=(2, 5, 6))
    layer = SelfAttention(num_heads=2, use_bias=False)
    layer.build(inputs.shape)
    randomize(layer)
    output, weights = layer(inputs, return_attention_scores=True)

    names = ("query", "key", "value", "attention_output")
    Wq, Wk, Wv, Wo = arrays(layer, *(f"attention/{n}/kernel" for n in names))
    assert Wq.shape == (6, 2, 3)
    for b, i in np.ndindex(2, 5):
        expected = 0
        for n in range(2):
            query = inputs[b, i] @ Wq[:, n]
            scores = [query @ (x @ Wk[:, n]) / np.sqrt(3) for x in inputs[b]]
            shares = np.exp(scores) / np.exp(scores).sum()
            close(weights[b, n, i], shares)
            head = sum(s * (x @ Wv[:, n]) for s, x in zip(shares, inputs[b]))
            expected = expected + head @ Wo[n]
        close(output[b, i], expected)


def test_one_head_is_the_default_and_is_as_wide_as_the_input():
    inputs = np.random.default_rng(2).normal(size=(2, 5, 6))
    layer = SelfAttention()
    layer.build(inputs.shape)
    other = MultiHeadAttention(1, 6)
    other.build(inputs.shape, inputs.shape)
    other.set_weights(layer.get_weights())
    close(layer(inputs), other(inputs, inputs))


def test_no_position_sees_a_later_one_under_a_causal_mask():
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(2, 5, 8))
    layer = SelfAttention(num_heads=2)
    whole = numpy(layer(inputs, use_causal_mask=True))
    for length in range(1, 5):
        changed = inputs.copy()
        changed[:, length:] = rng.normal(size=(2, 5 - length, 8))
        answer = layer(changed, use_causal_mask=True)
        close(answer[:, :length], whole[:, :length])


def test_padding_is_not_seen_and_is_zero():
    rng = np.random.default_rng(4)
    inputs = rng.normal(size=(2, 5, 8))
    layer = SelfAttention(num_heads=2)
    layer.build(inputs.shape)
    randomize(layer)
    mask = np.array([[True] * 3 + [False] * 2] * 2)
    output, weights = layer(inputs, mask=mask, return_attention_scores=True)
    for answer in (output, layer(inputs, mask=mask)):
        close(answer[:, :3], layer(inputs[:, :3]))
        assert not numpy(answer)[:, 3:].any()
    assert not numpy(weights)[..., 3:].any()
    assert not numpy(weights)[:, :, 3:].any()


def test_takes_the_mask_an_embedding_carries_beside_one_of_pairs():
    embedding = keras.layers.Embedding(9, 8, mask_zero=True)
    layer = SelfAttention(num_heads=2)
    padded, short = np.array([[3, 4, 5, 0, 0]]), np.array([[3, 4, 5]])
    pairs = np.tril(np.ones((1, 5, 5), "bool"), 1)
    output = layer(embedding(padded), attention_mask=pairs)
    expected = layer(embedding(short), attention_mask=pairs[:, :3, :3])
    close(output[:, :3], expected)
    assert not numpy(output)[:, 3:].any()
    words = keras.Input((None,), dtype="int32")
    pooled = keras.layers.GlobalAveragePooling1D()(layer(embedding(words)))
    model = keras.Model(words, pooled)
    close(model(padded), model(short))


def test_knows_no_order():
    rng = np.random.default_rng(5)
    inputs, order = rng.normal(size=(2, 5, 8)), rng.permutation(5)
    layer = SelfAttention(num_heads=2)
    close(layer(inputs[:, order]), numpy(layer(inputs))[:, order])


def test_drops_weights_in_training_only():
    inputs = np.random.default_rng(6).normal(size=(2, 5, 8))
    layer = SelfAttention(num_heads=2, dropout=0.5, seed=1)
    whole = layer(inputs)
    close(layer(inputs), whole)
    dropped = layer(inputs, training=True)
    assert np.abs(numpy(dropped) - numpy(whole)).max() > 1e-3


def test_refuses_bad_arguments_and_inputs():
    with pytest.raises(ValueError, match="num_heads=0"):
        SelfAttention(num_heads=0)
    with pytest.raises(ValueError, match="num_heads=3, inputs_shape"):
        SelfAttention(num_heads=3)(np.ones((2, 5, 8)))
    with pytest.raises(ValueError, match=r"\(2, 8\)"):
        SelfAttention()(np.ones((2, 8)))
    with pytest.raises(ValueError, match="depth"):
        SelfAttention()(keras.Input((5, None)))
    with pytest.raises(ValueError, match="boolean"):
        SelfAttention()(np.ones((2, 5, 8)), mask=np.zeros((2, 5)))
