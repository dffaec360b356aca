"""TopDownAttention against the paper's equations, written out in NumPy."""

import numpy as np
import pytest

from keras_attention import BahdanauAttention, TopDownAttention
from tests.contract import check_query_layer
from tests.numbers import arrays, close, numpy, randomize, softmax


@pytest.mark.slow
def test_contract(tmp_path):
    check_query_layer(
        TopDownAttention,
        inits=[{"units": 5}],
        output=(3, 4, 8),
        weights=(3, 4, 6),
        folder=tmp_path,
    )


def made(query, value, key=None):
    layer = TopDownAttention(units=5)
    layer.build(query.shape, value.shape, None if key is None else key.shape)
    randomize(layer)
    return layer


def test_equals_the_equations_of_the_paper():
    rng = np.random.default_rng(1)
    query, value = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 6, 7))
    layer = made(query, value)
    context, weights = layer(query, value, return_attention_scores=True)

    W_ha, W_va, w_a = arrays(
        layer, "query/kernel", "key/kernel", "score_vector"
    )
    for n, t in np.ndindex(2, 3):
        h, v = query[n, t], value[n]
        a = [w_a @ np.tanh(W_va.T @ v_i + W_ha.T @ h) for v_i in v]
        alpha = softmax(np.array(a))
        close(weights[n, t], alpha)
        close(context[n, t], sum(share * v_i for share, v_i in zip(alpha, v)))
    close(layer(query, value), context)


def test_has_no_biases():
    layer = TopDownAttention(units=5)
    layer.build((None, 1, 4), (None, 9, 7))
    assert layer.count_params() == 4 * 5 + 7 * 5 + 5


def test_equals_bahdanau_attention_with_its_weights():
    rng = np.random.default_rng(2)
    query, value = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 6, 7))
    key = rng.normal(size=(2, 6, 5))
    layer, other = made(query, value, key), BahdanauAttention(units=5)
    other.build(query.shape, value.shape, key.shape)
    other.set_weights(layer.get_weights())
    for masks in ({}, {"value_mask": np.arange(6) < [[4], [0]]}):
        ours, theirs = (
            x(query, value, key, **masks, return_attention_scores=True)
            for x in (layer, other)
        )
        for one, known in zip(ours, theirs, strict=True):
            close(one, known)


def test_an_image_with_fewer_regions_is_as_if_it_were_alone():
    rng = np.random.default_rng(3)
    query, value = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 6, 7))
    layer = made(query, value)
    mask = np.arange(6) < [[4], [6]]
    context, weights = layer(
        query, value, value_mask=mask, return_attention_scores=True
    )
    alone, shares = layer(
        query[:1], value[:1, :4], return_attention_scores=True
    )
    close(context[:1], alone)
    close(weights[:1, :, :4], shares)
    assert not numpy(weights)[0, :, 4:].any()


@pytest.mark.parametrize("masked", [False, True])
def test_steps_give_what_a_call_gives(masked):
    rng = np.random.default_rng(4)
    query, value = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 6, 7))
    mask = np.arange(6) < np.array([[4], [0]]) if masked else None
    layer = made(query, value)
    whole = layer(query, value, value_mask=mask, return_attention_scores=True)
    projected = layer.project(value)
    assert tuple(projected.shape) == (2, 6, 5)
    for t in range(3):
        now = query[:, t : t + 1]
        step = layer.attend(now, projected, value, mask)
        for part, known in zip(step, whole, strict=True):
            close(part, known[:, t : t + 1])
    pairs = None if mask is None else mask[:, None]
    for part, known in zip(layer.attend(query, projected, value, pairs), whole):
        close(part, known)


def test_a_step_refuses_what_does_not_fit():
    layer, rows = TopDownAttention(units=5), np.ones((2, 3, 4))
    with pytest.raises(ValueError, match="built=False"):
        layer.project(rows)
    with pytest.raises(ValueError, match="built=False"):
        layer.attend(rows, rows, rows)
    layer(rows, rows)
    projected = layer.project(rows)
    with pytest.raises(ValueError, match="_mask` must be boolean"):
        layer.attend(rows, projected, rows, np.ones((2, 4), "bool"))
    with pytest.raises(ValueError, match="equally long"):
        layer.attend(rows, projected, np.ones((2, 2, 4)))


def test_refuses_bad_arguments():
    with pytest.raises(ValueError, match="units=0"):
        TopDownAttention(units=0)
