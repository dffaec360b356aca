"""StackedAttention against the paper's equations, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import StackedAttention
from tests.contract import RUN, check_layer
from tests.numbers import (
    arrays,
    as_float32,
    close,
    numpy,
    randomize,
    softmax,
)


@pytest.mark.parametrize("value_size", [8, 5])
@pytest.mark.slow
def test_contract(value_size, tmp_path):
    check_layer(
        StackedAttention,
        inits=[
            {"units": 5, "num_layers": 2},
            {"units": 4, "num_layers": 3, "output": "concat"},
        ],
        shapes={"query": (3, 8), "value": (3, 6, value_size)},
        output=[(3, 8), (3, 24)],
        weights=[(3, 2, 6), (3, 3, 6)],
        folder=tmp_path,
        sum_axis=-1,
        free_axes={"query": (), "value": (1,)},
    )


def made(query, value, **arguments):
    layer = StackedAttention(**{"units": 5, "num_layers": 3, **arguments})
    layer.build(query.shape, value.shape)
    randomize(layer)
    return layer


def drawn(seed, query_size=4, value_size=7):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(2, query_size)), rng.normal(size=(2, 6, value_size))


@pytest.mark.parametrize("value_size", [4, 7])
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("output", ["last", "concat"])
def test_equals_the_equations_of_the_paper(value_size, num_layers, output):
    query, value = drawn(1, 4, value_size)
    layer = made(query, value, num_layers=num_layers, output=output)
    refined, weights = layer(query, value, return_attention_scores=True)

    for n in range(2):
        u, v, all_u = query[n], value[n], []
        if value_size != 4:
            W_I, b_I = arrays(layer, "value/kernel", "value/bias")
            v = np.array([np.tanh(W_I.T @ f + b_I) for f in v])
        for k in range(num_layers):
            W_IA, b_A, W_QA, W_P = arrays(
                layer,
                f"value_{k + 1}/kernel",
                f"value_{k + 1}/bias",
                f"query_{k + 1}/kernel",
                f"score_{k + 1}/kernel",
            )
            h_A = [np.tanh(W_IA.T @ v_i + (W_QA.T @ u + b_A)) for v_i in v]
            p = softmax(np.array([W_P[:, 0] @ h for h in h_A]))
            u = sum(p_i * v_i for p_i, v_i in zip(p, v)) + u
            all_u.append(u)
            close(weights[n, k], p)
        expected = u if output == "last" else np.concatenate(all_u)
        close(refined[n], expected)
    close(layer(query, value), refined)


def test_projects_values_only_if_their_size_is_not_the_querys():
    scores = 3 * (4 * 5 + 4 * 5 + 5 + 5)  # U, V and its bias, w, of 3 layers
    assert made(*drawn(2, 4, 4)).count_params() == scores
    assert made(*drawn(2, 4, 7)).count_params() == scores + (7 * 4 + 4)


def test_padding_is_never_read():
    query, value = drawn(3)
    more = np.random.default_rng(0).normal(size=(2, 3, 7)) * 9
    padded = np.concatenate([value, more], axis=1)
    mask = np.arange(9) < np.full((2, 1), 6)
    layer = made(query, value, output="concat")
    refined, weights = layer(query, value, return_attention_scores=True)
    for known in (mask, mask.astype("int32"), mask.tolist()):
        with_padding, shares = layer(
            query, padded, value_mask=known, return_attention_scores=True
        )
        close(with_padding, refined)
        close(shares[..., :6], weights)
        assert not numpy(shares)[..., 6:].any()


@pytest.mark.parametrize("policy", RUN)
def test_nothing_to_see_changes_nothing(policy):
    query, value = np.full((2, 4), 2.0), np.full((2, 6, 7), -30.0)
    mask = np.array([[True] * 6, [False] * 6])
    layer = made(query, value, dtype=policy)
    refined, weights = layer(
        query, value, value_mask=mask, return_attention_scores=True
    )
    assert np.isfinite(as_float32(refined)).all()
    assert not as_float32(weights)[1].any()
    close(as_float32(refined)[1], query[1])


def test_the_order_of_places_does_not_count():
    query, value = drawn(4)
    order = np.random.default_rng(0).permutation(6)
    layer = made(query, value)
    refined, weights = layer(query, value, return_attention_scores=True)
    moved, shares = layer(query, value[:, order], return_attention_scores=True)
    close(moved, refined)
    close(shares, numpy(weights)[..., order])


def test_takes_the_mask_of_its_values_and_ends_it():
    ids, asked = keras.Input((6,), dtype="int32"), keras.Input((8,))
    question = keras.layers.Masking()(asked)  # with a mask of its own, (B,)
    words = keras.layers.Embedding(9, 8, mask_zero=True)(ids)
    layer = StackedAttention(units=4, num_layers=2)
    refined, weights = layer(question, words, return_attention_scores=True)
    assert getattr(refined, "_keras_mask", None) is None
    model = keras.Model([asked, ids], weights)
    shares = numpy(model([np.ones((1, 8)), np.array([[3, 4, 5, 0, 0, 0]])]))
    assert (shares[..., :3] > 0).all() and not shares[..., 3:].any()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"units": 0, "num_layers": 2}, "units=0"),
        ({"units": 3, "num_layers": 0}, "num_layers=0"),
        ({"units": 3, "num_layers": 2, "output": "all"}, "output='all'"),
    ],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        StackedAttention(**arguments)


def test_refuses_bad_inputs():
    layer = StackedAttention(units=4, num_layers=2)
    query, value = drawn(5)
    with pytest.raises(ValueError, match=r"query_shape=\(2, 1, 4\)"):
        layer(query[:, None], value)
    with pytest.raises(ValueError, match=r"value_shape=\(2, 7\)"):
        layer(query, value[:, 0])
    for mask in (np.ones((2, 5), "bool"), np.zeros((2, 6))):
        with pytest.raises(ValueError, match="`value_mask` must be boolean"):
            layer(query, value, value_mask=mask)
