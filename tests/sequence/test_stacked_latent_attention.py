"""StackedLatentAttention against its equations, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import StackedLatentAttention
from tests.contract import RUN, check_layer
from tests.numbers import (
    arrays,
    as_float32,
    close,
    numpy,
    randomize,
    relu,
    softmax,
)


@pytest.mark.slow
def test_contract(tmp_path):
    check_layer(
        StackedLatentAttention,
        inits=[
            {"units": 8, "num_layers": 2},
            {"units": 9, "num_layers": 3, "skip": False, "output": "concat"},
        ],
        shapes={"query": (3, 5), "value": (3, 6, 8)},
        output=[(3, 8), (3, 24)],
        weights=[(3, 2, 6), (3, 3, 6)],
        folder=tmp_path,
        sum_axis=-1,
        free_axes={"query": (), "value": (1,)},
    )


def made(query, value, **arguments):
    layer = StackedLatentAttention(**{"units": 5, "num_layers": 3, **arguments})
    layer.build(query.shape, value.shape)
    randomize(layer)
    return layer


def drawn(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(2, 4)), rng.normal(size=(2, 6, 7))


def kernels(layer, k):
    """Of map k: of what is before it, its bias, of what was read; the scores'.

    The first map is made of the values and the query.
    """
    before, read = (f"map_{k}", f"read_{k}") if k > 1 else ("value", "query")
    return arrays(
        layer,
        f"{before}/kernel",
        f"{before}/bias",
        f"{read}/kernel",
        f"score_{k}/kernel",
    )


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("output", ["last", "concat"])
def test_equals_the_equations(skip, num_layers, output):
    query, value = drawn(1)
    layer = made(query, value, num_layers=num_layers, skip=skip, output=output)
    read, weights = layer(query, value, return_attention_scores=True)

    for n in range(2):
        h, v, z = query[n], value[n], []
        W_v, b, W_h, w = kernels(layer, 1)
        s = [relu(W_v.T @ v_i + W_h.T @ h + b) for v_i in v]
        for k in range(1, num_layers + 1):
            if k > 1:
                W_s, b, W_z, w = kernels(layer, k)
                after = [relu(W_s.T @ s_i + W_z.T @ z[-1] + b) for s_i in s]
                if skip:
                    after = [new + old for new, old in zip(after, s)]
                s = after
            p = softmax(np.array([w[:, 0] @ s_i for s_i in s]))
            z.append(sum(p_i * v_i for p_i, v_i in zip(p, v)))
            close(weights[n, k - 1], p)
        close(read[n], z[-1] if output == "last" else np.concatenate(z))
    close(layer(query, value), read)


def test_the_query_is_from_outside_and_places_see_each_other_by_reading_only():
    """Not self-attention: each place is thought about by itself."""
    query, value = drawn(2)
    layer = made(query, value)
    _, weights = layer(query, value, return_attention_scores=True)
    _, asked = layer(-query, value, return_attention_scores=True)
    assert abs(numpy(asked) - numpy(weights)).max() > 1e-2

    changed = value.copy()
    changed[:, 0] += 1
    logs = {}
    for cut in (False, True):
        if cut:  # nothing that was read goes on
            for projection in layer.read_projections[1:]:
                projection.kernel.assign(np.zeros((7, 5)))
        for name, places in (("before", value), ("after", changed)):
            _, shares = layer(query, places, return_attention_scores=True)
            shares = np.log(numpy(shares)[..., 1:])
            logs[name, cut] = shares - shares[..., :1]
    close(logs["after", True], logs["before", True], atol=1e-4)
    moved = abs(logs["after", False] - logs["before", False])
    assert moved[:, 0].max() < 1e-4 < 1e-2 < moved[:, 1:].max()


def test_what_is_read_is_of_the_values_and_never_of_the_map():
    query, value = drawn(3)
    layer = made(query, value, output="concat")
    read, weights = layer(query, value, return_attention_scores=True)
    expected = numpy(weights) @ value
    close(numpy(read).reshape(2, 3, 7), expected)
    same = np.repeat(value[:, :1], 6, axis=1)
    close(numpy(layer(query, same)).reshape(2, 3, 7), same[:, :3])


def test_the_map_of_a_layer_reaches_the_next_though_nothing_was_read():
    """In a plain stack, only what was read goes on."""
    query, value = drawn(4)
    layer = made(query, value, num_layers=2)
    layer.read_projections[1].kernel.assign(np.zeros((7, 5)))
    _, weights = layer(query, value, return_attention_scores=True)
    _, asked = layer(-query, value, return_attention_scores=True)
    assert abs(numpy(asked)[:, 1] - numpy(weights)[:, 1]).max() > 1e-2


def test_equals_a_convolution_of_the_map_beside_what_was_read(monkeypatch):
    """And puts nothing side by side, which takes memory at every place."""
    query, value = drawn(5)
    layer = made(query, value, num_layers=2, skip=False)
    with monkeypatch.context() as patch:
        patch.delattr(keras.ops, "concatenate")
        patch.delattr(keras.ops, "repeat")
        read, weights = layer(query, value, return_attention_scores=True)

    W_v, b_1, W_h, w_1 = kernels(layer, 1)
    first = relu(value @ W_v + (query @ W_h)[:, None] + b_1)
    shares = np.stack([softmax(row) for row in (first @ w_1)[..., 0]])
    content = np.repeat(shares[:, None] @ value, 6, axis=1)
    W_s, b_2, W_z, w_2 = kernels(layer, 2)
    whole = np.concatenate([W_s, W_z])
    second = relu(np.concatenate([first, content], axis=-1) @ whole + b_2)
    shares = np.stack([softmax(row) for row in (second @ w_2)[..., 0]])
    close(weights[:, 1], shares)
    close(read, (shares[:, None] @ value)[:, 0])


def test_starts_with_hes_variance_over_all_that_enters_a_map():
    layer = StackedLatentAttention(units=600, num_layers=2)
    layer.build((None, 500), (None, 9, 400))
    for k, sizes in ((1, (400, 500)), (2, (600, 400))):
        before, _, read, _ = kernels(layer, k)
        # Features of variance one: as 2 / (m + n) over m + n of them.
        entering = before.var() * sizes[0] + read.var() * sizes[1]
        close(entering, 2.0, rtol=0.02)


def test_each_map_and_each_reading_has_its_own_weights():
    layer = StackedLatentAttention(units=5, num_layers=3)
    layer.build((None, 4), (None, 9, 7))
    first = 7 * 5 + 4 * 5 + 5 + 5  # V, U, the bias and w
    assert layer.count_params() == first + 2 * (5 * 5 + 7 * 5 + 5 + 5)


def test_the_order_of_places_does_not_count():
    query, value = drawn(6)
    order = np.random.default_rng(0).permutation(6)
    layer = made(query, value)
    read, weights = layer(query, value, return_attention_scores=True)
    moved, shares = layer(query, value[:, order], return_attention_scores=True)
    close(moved, read)
    close(shares, numpy(weights)[..., order])


def test_padding_is_never_read():
    query, value = drawn(7)
    more = np.random.default_rng(0).normal(size=(2, 3, 7)) * 9
    padded = np.concatenate([value, more], axis=1)
    mask = np.arange(9) < np.full((2, 1), 6)
    layer = made(query, value, output="concat")
    read, weights = layer(query, value, return_attention_scores=True)
    for known in (mask, mask.astype("int32"), mask.tolist()):
        with_padding, shares = layer(
            query, padded, value_mask=known, return_attention_scores=True
        )
        close(with_padding, read)
        close(shares[..., :6], weights)
        assert not numpy(shares)[..., 6:].any()


@pytest.mark.parametrize("policy", RUN)
def test_nothing_to_see_is_zero(policy):
    query, value = np.full((2, 4), 2.0), np.full((2, 6, 7), -30.0)
    mask = np.array([[True] * 6, [False] * 6])
    layer = made(query, value, output="concat", dtype=policy)
    read, weights = layer(
        query, value, value_mask=mask, return_attention_scores=True
    )
    assert np.isfinite(as_float32(read)).all()
    assert not as_float32(weights)[1].any()
    assert not as_float32(read)[1].any() and as_float32(read)[0].all()


def test_takes_the_mask_of_its_values_and_ends_it():
    ids, asked = keras.Input((6,), dtype="int32"), keras.Input((8,))
    question = keras.layers.Masking()(asked)  # with a mask of its own, (B,)
    words = keras.layers.Embedding(9, 8, mask_zero=True)(ids)
    layer = StackedLatentAttention(units=4, num_layers=2)
    read, weights = layer(question, words, return_attention_scores=True)
    assert getattr(read, "_keras_mask", None) is None
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
        StackedLatentAttention(**arguments)


def test_refuses_bad_inputs():
    layer = StackedLatentAttention(units=4, num_layers=2)
    query, value = drawn(8)
    with pytest.raises(ValueError, match=r"query_shape=\(2, 1, 4\)"):
        layer(query[:, None], value)
    with pytest.raises(ValueError, match=r"value_shape=\(2, 7\)"):
        layer(query, value[:, 0])
    for mask in (np.ones((2, 5), "bool"), np.zeros((2, 6))):
        with pytest.raises(ValueError, match="`value_mask` must be boolean"):
            layer(query, value, value_mask=mask)
