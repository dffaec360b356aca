"""BahdanauAttention against the paper's equations, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import BahdanauAttention
from tests.contract import check_query_layer
from tests.numbers import arrays, close, numpy, randomize


@pytest.mark.slow
def test_contract(tmp_path):
    check_query_layer(
        BahdanauAttention,
        inits=[
            {"units": 5},
            {"units": 4, "dropout": 0.1, "block_size": 3, "seed": 3},
        ],
        output=(3, 4, 8),
        weights=(3, 4, 6),
        folder=tmp_path,
    )


def test_equals_the_equations_of_the_paper():
    rng = np.random.default_rng(1)
    query, value = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 6, 7))
    key = rng.normal(size=(2, 6, 5))
    layer = BahdanauAttention(units=5)
    layer.build(query.shape, value.shape, key.shape)
    randomize(layer)
    context, weights = layer(query, value, key, return_attention_scores=True)

    W, U, v = arrays(layer, "query/kernel", "key/kernel", "score_vector")
    for b, i in np.ndindex(2, 3):
        hidden = [np.tanh(query[b, i] @ W + k @ U) for k in key[b]]
        exponentials = np.exp([v @ h for h in hidden])
        shares = exponentials / exponentials.sum()
        close(weights[b, i], shares)
        close(context[b, i], shares @ value[b])
    close(layer(query, value, key), context)


def test_a_zero_score_vector_looks_at_all_alike():
    rng = np.random.default_rng(2)
    layer = BahdanauAttention(units=5)
    query, value = rng.normal(size=(1, 2, 4)), rng.normal(size=(1, 3, 4))
    layer.build(query.shape, value.shape)
    layer.score_vector.assign(np.zeros(5))
    _, weights = layer(query, value, return_attention_scores=True)
    close(weights, np.full((1, 2, 3), 1 / 3))


@pytest.mark.parametrize("block_size", [1, 2, 5, 9])
@pytest.mark.parametrize("causal", [False, True])
def test_blocks_change_no_number_and_no_gradient(block_size, causal):
    rng = np.random.default_rng(3)
    query, value = rng.normal(size=(2, 5, 4)), rng.normal(size=(2, 6, 4))
    data = {"query": query, "value": value}
    target = rng.normal(size=(2, 5, 4))
    mask = np.arange(6) < np.array([[4], [0]])

    def trained(block_size):
        layer = BahdanauAttention(units=3, block_size=block_size)
        inputs = {n: keras.Input(a.shape[1:]) for n, a in data.items()}
        seen = keras.Input((6,), dtype="bool")
        output = layer(**inputs, value_mask=seen, use_causal_mask=causal)
        model = keras.Model([inputs, seen], output)
        randomize(layer)
        model.compile(keras.optimizers.SGD(1.0), "mse")
        before = numpy(model([data, mask]))
        model.train_on_batch([data, mask], target)
        return before, layer.get_weights()

    whole, weights = trained(None)
    parts, learned = trained(block_size)
    close(parts, whole, atol=1e-6)
    for one, other in zip(learned, weights, strict=True):
        close(one, other, atol=1e-6)


@pytest.mark.parametrize("lengths", [(None, None), (6, None), (None, 5)])
def test_blocks_take_lengths_that_are_not_known_yet(lengths):
    rng = np.random.default_rng(3)
    query, value = rng.normal(size=(2, 6, 4)), rng.normal(size=(2, 5, 4))
    layer = BahdanauAttention(units=3, block_size=4)
    inputs = [keras.Input((length, 4)) for length in lengths]
    model = keras.Model(inputs, layer(*inputs, return_attention_scores=True))
    twin = BahdanauAttention(units=3)
    twin(query, value)
    randomize(twin)
    layer.set_weights(twin.get_weights())
    expected = twin(query, value, return_attention_scores=True)
    for answer, known in zip(model([query, value]), expected):
        close(answer, known)


def test_drops_weights_in_training_only():
    ones = np.ones((1, 2, 4))
    layer = BahdanauAttention(units=5, dropout=0.9, seed=0)
    close(layer(ones, ones), ones)
    assert not np.allclose(numpy(layer(ones, ones, training=True)), ones)
    _, weights = layer(ones, ones, training=True, return_attention_scores=True)
    close(numpy(weights).sum(-1), np.ones((1, 2)))  # before the dropout


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"units": 0}, "units=0"),
        ({"units": 2, "block_size": 0}, "block_size=0"),
    ],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        BahdanauAttention(**arguments)
