"""MultiHeadAttention against the paper's equations, and against Keras's."""

import inspect

import keras
import numpy as np
import pytest

from keras_attention import MultiHeadAttention
from tests.contract import check_layer, check_query_layer
from tests.numbers import (
    arrays,
    as_float32,
    close,
    gradients,
    numpy,
    randomize,
    softmax,
)

# The softmax does not see what is added to all of its scores.
STILL = ("key/bias",)


@pytest.mark.slow
def test_contract(tmp_path):
    check_query_layer(
        MultiHeadAttention,
        inits=[
            {"num_heads": 2, "key_dim": 3},
            {
                "num_heads": 2,
                "key_dim": 3,
                "value_dim": 5,
                "dropout": 0.1,
                "use_bias": False,
                "output_shape": (7, 2),
                "attention_axes": (1,),
                "sliding_window": 9,  # all: the contract asks who sees what
                "flash_attention": False,
                "kernel_initializer": "he_normal",
                "bias_initializer": "ones",
                "kernel_regularizer": "l2",
                "bias_regularizer": "l1",
                "activity_regularizer": "l2",
                "kernel_constraint": "max_norm",
                "bias_constraint": "non_neg",
                "use_gate": True,
                "seed": 3,
                "num_key_value_heads": 1,
                "output_initializer": "glorot_normal",
            },
        ],
        output=[(3, 4, 8), (3, 4, 7, 2)],
        weights=(3, 2, 4, 6),
        folder=tmp_path,
        still=STILL,
        # Padding would move the queries, which end with the keys.
        beside=("position_encoding", "rope_max_wavelength"),
    )


@pytest.mark.slow
@pytest.mark.parametrize("position_encoding", ["rotary", "alibi"])
def test_contract_with_positions(position_encoding, tmp_path):
    init = {
        "num_heads": 4,
        "key_dim": 6,
        "num_key_value_heads": 2,
        "position_encoding": position_encoding,
    }
    check_layer(
        MultiHeadAttention,
        inits=[
            init,
            {**init, "rope_max_wavelength": 50, "value_dim": 5, "dropout": 0.1},
        ],
        shapes={"query": (3, 4, 8), "value": (3, 6, 7)},
        output=(3, 4, 8),
        weights=(3, 4, 4, 6),
        folder=tmp_path,
        sum_axis=-1,
        free_axes=(1,),
        still=STILL,
        beside=set(inspect.signature(MultiHeadAttention).parameters)
        - {*init, "rope_max_wavelength", "value_dim", "dropout", "kwargs"},
    )


@pytest.mark.parametrize("value_dim", [None, 5])
def test_equals_the_equations_of_the_paper(value_dim):
    rng = np.random.default_rng(1)
    query, value = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 6, 7))
    key = rng.normal(size=(2, 6, 5))
    layer = MultiHeadAttention(2, 3, value_dim)
    layer.build(query.shape, value.shape, key.shape)
    randomize(layer)
    output, weights = layer(query, value, key, return_attention_scores=True)

    names = ("query", "key", "value", "attention_output")
    Wq, Wk, Wv, Wo = arrays(layer, *(f"{name}/kernel" for name in names))
    bq, bk, bv, bo = arrays(layer, *(f"{name}/bias" for name in names))
    for b, i in np.ndindex(2, 3):
        expected = bo.copy()
        for n in range(2):
            q = query[b, i] @ Wq[:, n] + bq[n]
            scores = [q @ (k @ Wk[:, n] + bk[n]) / np.sqrt(3) for k in key[b]]
            shares = np.exp(scores) / np.exp(scores).sum()
            close(weights[b, n, i], shares)
            head = sum(
                share * (v @ Wv[:, n] + bv[n])
                for share, v in zip(shares, value[b])
            )
            expected += head @ Wo[n]
        close(output[b, i], expected)
    close(layer(query, value, key), output)


PADDING = np.arange(5) < np.array([[5], [4]])
PAIRS = np.random.default_rng(8).random((2, 3, 5, 5)) < 0.5
PAIRS |= np.eye(5, dtype="bool")  # so that no row is empty
MASKS = {
    "none": {},
    "padding": {"value_mask": PADDING},
    "all samples": {"attention_mask": PAIRS[0, 0]},
    "pairs": {"attention_mask": PAIRS[:, 0]},
    "all heads": {"attention_mask": PAIRS[:, :1]},
    "each head": {"attention_mask": PAIRS},
    "floats": {"attention_mask": PAIRS.astype("float32")},
    "integers": {"attention_mask": PAIRS[:, 0].astype("int32")},
    "causal": {"use_causal_mask": True},
    "two": {"attention_mask": PAIRS, "use_causal_mask": True},
}


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"use_bias": False},
        {"output_shape": (3, 2)},
        {"value_dim": 4, "output_shape": 7, "attention_axes": 1},
        {"sliding_window": 2},
        {"use_gate": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("masks", MASKS)
def test_equals_the_layer_of_keras_with_its_weights(masks, arguments):
    rng = np.random.default_rng(2)
    query = rng.normal(size=(2, 5, 4)).astype("float32")
    value = rng.normal(size=(2, 5, 6)).astype("float32")
    options = dict(MASKS[masks])
    arguments = {"num_heads": 3, "key_dim": 2, **arguments}
    layer = MultiHeadAttention(**arguments)
    other = keras.layers.MultiHeadAttention(**arguments)
    layer.build(query.shape, value.shape)
    other.build(query.shape, value.shape)
    randomize(other)
    layer.set_weights(other.get_weights())
    plain = layer(query, value, **options)
    options["return_attention_scores"] = True
    output, weights = layer(query, value, **options)
    # Without the weights, on JAX, theirs refuses another `value_dim`.
    expected, shares = other(query, value, **options)
    close(plain, expected)
    close(output, expected)
    close(weights, shares)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"use_bias": False}, {"sliding_window": 2}, {"use_gate": 1}],
)
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("masks", ["none", "padding", "each head", "causal"])
def test_equals_the_grouped_queries_of_keras(masks, groups, arguments):
    rng = np.random.default_rng(11)
    query = rng.normal(size=(2, 5, 7)).astype("float32")
    value = rng.normal(size=(2, 5, 6)).astype("float32")
    layer = MultiHeadAttention(4, 2, num_key_value_heads=groups, **arguments)
    other = keras.layers.GroupQueryAttention(2, 4, groups, **arguments)
    layer.build(query.shape, value.shape)
    other.build(query.shape, value.shape)
    randomize(other)
    layer.set_weights(other.get_weights())
    options = dict(MASKS[masks])
    if masks == "each head":
        pairs = np.random.default_rng(12).random((2, 4, 5, 5)) < 0.5
        options["attention_mask"] = pairs | np.eye(5, dtype="bool")
    plain = layer(query, value, **options)
    options["return_attention_scores"] = True
    output, weights = layer(query, value, **options)
    expected, shares = other(query, value, **options)
    close(plain, expected)
    close(output, expected)
    close(weights, shares)


def test_as_many_heads_of_keys_as_of_queries_are_the_default():
    query = np.random.default_rng(13).normal(size=(2, 5, 4))
    layers = [
        MultiHeadAttention(4, 3, num_key_value_heads=n) for n in (None, 4)
    ]
    for layer in layers:
        layer.build(query.shape, query.shape)
        randomize(layer)
    one, other = ([w.path.split("/", 1)[1] for w in x.weights] for x in layers)
    assert one == other
    np.testing.assert_array_equal(*(numpy(x(query, query)) for x in layers))
    assert layers[0].get_config()["num_key_value_heads"] is None


def test_a_recipe_from_before_groups_and_positions_still_works():
    config = MultiHeadAttention(4, 3).get_config()
    for name in (
        "num_key_value_heads",
        "position_encoding",
        "rope_max_wavelength",
    ):
        del config[name]
    layer = MultiHeadAttention.from_config(config)
    assert layer.position_encoding is None and layer.key_value_heads == 4


def turned(vector, position, max_wavelength):
    """Pairs as complex numbers, each times its own root of unity."""
    half = len(vector) // 2
    speeds = max_wavelength ** (-2 * np.arange(half) / len(vector))
    pairs = (vector[:half] + 1j * vector[half:]) * np.exp(
        1j * position * speeds
    )
    return np.concatenate([pairs.real, pairs.imag])


@pytest.mark.parametrize("masks", ["none", "padding", "each head", "causal"])
@pytest.mark.parametrize("groups", [None, 2])
@pytest.mark.parametrize("lengths", [(5, 5), (3, 5), (5, 2)])
@pytest.mark.parametrize("position_encoding", ["rotary", "alibi"])
def test_equals_the_papers_of_the_positions(
    position_encoding, lengths, groups, masks
):
    rng = np.random.default_rng(14)
    queries, keys = lengths
    query, value = (
        rng.normal(size=(2, queries, 5)),
        rng.normal(size=(2, keys, 6)),
    )
    layer = MultiHeadAttention(
        4,
        6,
        num_key_value_heads=groups,
        position_encoding=position_encoding,
        rope_max_wavelength=30,
    )
    layer.build(query.shape, value.shape)
    randomize(layer)
    visible = np.ones((2, 4, queries, keys), "bool")
    options = {}
    if masks == "padding":
        options["value_mask"] = np.arange(keys) < np.array([[keys], [1]])
        visible &= options["value_mask"][:, None, None]
    elif masks == "each head":
        visible = options["attention_mask"] = rng.random(visible.shape) < 0.6
    elif masks == "causal":
        options["use_causal_mask"] = True
        visible &= np.tri(queries, keys, keys - queries, dtype="bool")

    Wq, bq, Wk, bk, Wv, bv, Wo, bo = map(np.array, layer.get_weights())
    slopes = [2.0**-2, 2.0**-4, 2.0**-6, 2.0**-8]
    expected = np.zeros((2, queries, 5))
    shares = np.zeros((2, 4, queries, keys))
    for b, i, n in np.ndindex(2, queries, 4):
        seen = np.flatnonzero(visible[b, n, i])
        shared = n if groups is None else n // 2
        own = i + keys - queries
        q = query[b, i] @ Wq[:, n] + bq[n]
        scores = []
        for j in seen:
            k = value[b, j] @ Wk[:, shared] + bk[shared]
            if position_encoding == "rotary":
                score = turned(q, own, 30) @ turned(k, j, 30) / np.sqrt(6)
            else:
                score = q @ k / np.sqrt(6) - slopes[n] * abs(own - j)
            scores.append(score)
        if len(seen):
            shares[b, n, i, seen] = softmax(np.array(scores))
        read = shares[b, n, i] @ (value[b] @ Wv[:, shared] + bv[shared])
        expected[b, i] += read @ Wo[n]
    expected = np.where(visible.any((1, 3))[..., None], expected + bo, 0)

    output, weights = layer(
        query, value, **options, return_attention_scores=True
    )
    close(output, expected)
    close(weights, shares)
    close(layer(query, value, **options), expected)


@pytest.mark.parametrize("position_encoding", [None, "rotary", "alibi"])
@pytest.mark.parametrize(
    "arguments",
    [{}, {"use_gate": True, "value_dim": 5}, {"sliding_window": 2}],
    ids=str,
)
def test_keys_and_values_are_projected_once_for_many_calls(
    arguments, position_encoding
):
    rng = np.random.default_rng(15)
    query, value = rng.normal(size=(2, 3, 5)), rng.normal(size=(2, 6, 5))
    mask = rng.random((2, 4, 3, 6)) < 0.7
    layer = MultiHeadAttention(
        4,
        6,
        num_key_value_heads=2,
        position_encoding=position_encoding,
        **arguments,
    )
    layer.build(query.shape, value.shape)
    randomize(layer)
    expected, shares = layer(
        query, value, attention_mask=mask, return_attention_scores=True
    )
    kept = layer.keys_and_values(value, np.arange(6)[None])
    assert tuple(kept[1].shape) == (2, 2, 6, arguments.get("value_dim", 6))
    for i in range(3):
        one = slice(i, i + 1)
        output, weights = layer.attend(
            query[:, one], *kept, mask[:, :, one], positions=np.array([[3 + i]])
        )
        close(output, expected[:, one])
        close(weights, shares[:, :, one])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "mixed_bfloat16"])
@pytest.mark.parametrize("position_encoding", ["rotary", "alibi"])
def test_positions_in_half_precision(position_encoding, dtype):
    rng = np.random.default_rng(16)
    query = rng.normal(size=(2, 40, 8))
    mask = rng.random((2, 4, 40, 40)) < 0.5
    mask[0, :, 3] = False
    mask[1, 2] = False
    arguments = {
        "num_key_value_heads": 1,
        "position_encoding": position_encoding,
    }
    layer = MultiHeadAttention(4, 6, dtype=dtype, **arguments)
    exact = MultiHeadAttention(4, 6, dtype="float32", **arguments)
    expected = exact(query, query, attention_mask=mask)
    layer.build(query.shape, query.shape)
    layer.set_weights(exact.get_weights())
    plain = layer(query, query, attention_mask=mask)
    output, weights = layer(
        query, query, attention_mask=mask, return_attention_scores=True
    )
    for tensor in (plain, output, weights):
        kept = keras.backend.standardize_dtype(tensor.dtype)
        assert kept == layer.compute_dtype
    close(as_float32(plain), expected, atol=0.05)
    close(as_float32(output), expected, atol=0.05)
    assert not as_float32(plain)[0, 3].any()


def test_a_head_that_sees_nothing_has_a_finite_gradient_with_a_bias():
    layer = MultiHeadAttention(2, 4, position_encoding="alibi")
    query = np.random.default_rng(17).normal(size=(1, 3, 4)).astype("float32")
    mask = np.ones((1, 2, 3, 3), "bool")
    mask[0, 1] = False
    mask[0, :, 1] = False
    layer.build(query.shape, query.shape)
    (slope,) = gradients(
        lambda x: keras.ops.sum(layer(x, x, attention_mask=mask) ** 2), query
    )
    assert np.isfinite(slope).all() and slope.any()


def test_has_the_constructor_of_keras():
    def arguments(layer_class):
        parameters = inspect.signature(layer_class).parameters.values()
        return [(p.name, p.default) for p in parameters]

    *known, kwargs = arguments(keras.layers.MultiHeadAttention)
    ours = arguments(MultiHeadAttention)
    assert ours[: len(known)] == known and ours[-1] == kwargs


def test_has_the_losses_and_constraints_of_keras():
    rng = np.random.default_rng(9)
    query = rng.normal(size=(2, 3, 4)).astype("float32")
    arguments = {
        "kernel_regularizer": keras.regularizers.L2(0.3),
        "bias_regularizer": "l1",
        "activity_regularizer": keras.regularizers.L1(0.2),
        "kernel_constraint": "unit_norm",
        "bias_constraint": "non_neg",
        "bias_initializer": keras.initializers.RandomUniform(1, 2),
        "use_gate": True,
    }
    layer = MultiHeadAttention(2, 3, **arguments)
    other = keras.layers.MultiHeadAttention(2, 3, **arguments)
    twin = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    for one in (layer, other, twin):
        one.build(query.shape, query.shape)
        bias = [w for w in one.get_weights() if w.shape == (2, 3)][0]
        assert 1 < bias.min() < bias.max() < 2
    randomize(other)
    for one in (layer, twin):
        one.set_weights(other.get_weights())
        losses = [
            sum(float(numpy(loss)) for loss in each.losses)
            for each in (one, other)
            if each(query, query) is not None
        ]
        close(losses[0], losses[1])
        for mine, theirs in zip(one.weights, other.weights, strict=True):
            if mine.constraint is not None or theirs.constraint is not None:
                close(mine.constraint(mine), theirs.constraint(theirs))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_head_that_sees_nothing_adds_nothing(dtype):
    rng = np.random.default_rng(10)
    query, value = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 4))
    mask = np.ones((2, 2, 3, 5), "bool")
    mask[0, 1, 1] = False
    mask[1, :, 2] = False
    layer = MultiHeadAttention(2, 3, dtype=dtype)
    layer.build(query.shape, value.shape)
    randomize(layer)
    output, weights = layer(
        query, value, attention_mask=mask, return_attention_scores=True
    )
    output, weights, plain = (
        numpy(keras.ops.cast(x, "float32"))
        for x in (output, weights, layer(query, value, attention_mask=mask))
    )
    close(plain, output, atol=1e-5 if dtype == "float32" else 0.1)
    sums = np.where(mask.any(-1), 1, 0)
    close(weights.sum(-1), sums, atol=0.01)
    assert plain.any(-1).tolist() == [[True] * 3, [True, True, False]]

    Wq, bq, Wk, bk, Wv, bv, Wo, bo = layer.get_weights()
    if dtype == "float32":  # the one head that is left, alone
        alone = MultiHeadAttention(1, 3, output_shape=4)
        alone.build(query.shape, value.shape)
        parts = [w[:, :1] for w in (Wq, Wk, Wv)], [b[:1] for b in (bq, bk, bv)]
        pairs = [x for pair in zip(*parts) for x in pair]
        alone.set_weights([*pairs, Wo[:1], bo])
        close(plain[0, 1], numpy(alone(query, value))[0, 1])


def test_a_window_and_the_last_query_end_at_the_last_key():
    query, value = np.ones((1, 2, 4)), np.ones((1, 6, 4))
    _, weights = MultiHeadAttention(1, 2, sliding_window=2)(
        query, value, return_attention_scores=True
    )
    seen = [[0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1]]
    assert (numpy(weights)[0, 0] > 0).tolist() == np.array(
        seen, "bool"
    ).tolist()


def test_gives_its_weights_to_the_layer_of_keras():
    rng = np.random.default_rng(3)
    query = rng.normal(size=(2, 3, 4)).astype("float32")
    value = rng.normal(size=(2, 6, 7)).astype("float32")
    arguments = {"num_heads": 2, "key_dim": 3, "value_dim": 5}
    layer = MultiHeadAttention(**arguments, output_shape=9)
    other = keras.layers.MultiHeadAttention(**arguments, output_shape=9)
    layer.build(query.shape, value.shape)
    other.build(query.shape, value.shape)
    randomize(layer)
    other.set_weights(layer.get_weights())
    # Without the weights, on JAX, theirs refuses another `value_dim`.
    expected, _ = other(query, value, return_attention_scores=True)
    close(layer(query, value), expected)
    ours = [w.path.split("/", 1)[1] for w in layer.weights]
    assert ours == [w.path.split("/", 1)[1] for w in other.weights]


def test_says_the_shape_of_the_weights_when_traced():
    query, value = keras.Input((3, 4)), keras.Input((6, 4))
    layer = MultiHeadAttention(2, 3)
    _, weights = layer(query, value, return_attention_scores=True)
    assert weights.shape == (None, 2, 3, 6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16"])
def test_half_precision_is_the_same_with_and_without_weights(dtype):
    rng = np.random.default_rng(4)
    query, value = rng.normal(size=(2, 2, 4, 8))
    mask = rng.random((2, 4, 4)) < 0.5
    layer = MultiHeadAttention(2, 3, dtype=dtype)
    exact = MultiHeadAttention(2, 3)
    exact(query, value)
    layer(query, value)
    layer.set_weights(exact.get_weights())
    expected = exact(query, value, attention_mask=mask)
    looked, _ = layer(
        query, value, attention_mask=mask, return_attention_scores=True
    )
    for answer in (looked, layer(query, value, attention_mask=mask)):
        answer = numpy(keras.ops.cast(answer, "float32"))
        close(answer, expected, rtol=0, atol=0.03)


def test_large_products_do_not_overflow_half_precision():
    layer = MultiHeadAttention(1, 64, use_bias=False, dtype="float16")
    large = np.full((1, 2, 64), 40.0)  # the product with itself is 102,400
    layer.build(large.shape, large.shape)
    layer.set_weights(
        [np.eye(64).reshape(w.shape) for w in layer.get_weights()]
    )
    output, _ = layer(large, large, return_attention_scores=True)
    for answer in (output, layer(large, large)):
        close(keras.ops.cast(answer, "float32"), large)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_query_that_sees_nothing_has_zeros_whatever_the_bias(dtype):
    rng = np.random.default_rng(5)
    query, value = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 4))
    layer = MultiHeadAttention(2, 3, dtype=dtype)
    layer.build(query.shape, value.shape)
    randomize(layer)
    mask = np.ones((2, 3, 5), "bool")
    mask[0, 1] = False
    output, weights = layer(
        query, value, attention_mask=mask, return_attention_scores=True
    )
    plain = layer(query, value, attention_mask=mask)
    trained = layer(query, value, attention_mask=mask, training=True)
    for answer in (output, plain, trained):
        rows = numpy(keras.ops.cast(answer, "float32")).any(axis=-1)
        assert rows.tolist() == [[True, False, True], [True] * 3]
    assert not numpy(keras.ops.cast(weights, "float32"))[0, :, 1].any()


def test_a_query_that_sees_nothing_passes_no_gradient_that_is_not_finite():
    rng = np.random.default_rng(6)
    x = keras.Input((3, 4))
    nothing = np.zeros((1, 3, 3), "bool")
    layer = MultiHeadAttention(2, 3)
    model = keras.Model(x, layer(x, x, attention_mask=nothing))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    before = [w.copy() for w in layer.get_weights()]
    data = rng.normal(size=(2, 3, 4)) * 100
    model.train_on_batch(data, np.ones((2, 3, 4)))
    for old, new in zip(before, layer.get_weights()):
        close(old, new, rtol=0, atol=0)


@pytest.mark.slow
def test_takes_the_masks_that_embeddings_carry_and_hands_on_the_query_s():
    embedding = keras.layers.Embedding(9, 8, mask_zero=True)
    layer = MultiHeadAttention(2, 4)
    query, value = embedding(np.array([[3, 4, 0]])), np.array([[5, 6, 7, 0]])
    output = layer(query, embedding(value))
    short = layer(embedding(np.array([[3, 4]])), embedding(value[:, :3]))
    close(output[:, :2], short)
    assert not numpy(output)[0, 2].any()
    words = keras.Input((None,), dtype="int32")
    x = embedding(words)
    pooled = keras.layers.GlobalAveragePooling1D()(layer(x, x))
    model = keras.Model(words, pooled)
    close(model(value), model(value[:, :3]))


def test_drops_weights_in_training_only_and_returns_them_whole():
    rng = np.random.default_rng(7)
    query, value = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 6, 4))
    layer = MultiHeadAttention(2, 3, dropout=0.5, seed=1)
    output, weights = layer(query, value, return_attention_scores=True)
    close(layer(query, value), output)
    dropped, kept = layer(
        query, value, return_attention_scores=True, training=True
    )
    close(kept, weights)
    assert np.abs(numpy(dropped) - numpy(output)).max() > 1e-3
    again = MultiHeadAttention(2, 3, dropout=0.5, seed=1)
    again.build(query.shape, value.shape)
    again.set_weights(layer.get_weights())
    close(again(query, value, training=True), dropped)


def test_an_initializer_gives_every_kernel_its_own_numbers():
    normal = keras.initializers.RandomNormal(stddev=0.02)
    layer = MultiHeadAttention(2, 4, kernel_initializer=normal)
    layer.build((None, 3, 8), (None, 3, 8))
    query, key, _ = arrays(layer, "query/kernel", "key/kernel", "value/kernel")
    assert np.abs(query - key).max() > 1e-3
    assert 0.01 < query.std() < 0.03
    recipe = keras.saving.serialize_keras_object(layer)
    twin = keras.saving.deserialize_keras_object(recipe)
    (query,) = arrays(twin, "query/kernel")
    assert 0.01 < query.std() < 0.03


def test_the_last_projection_may_have_an_initializer_of_its_own():
    normal = keras.initializers.RandomNormal(stddev=0.02)
    small = keras.initializers.RandomNormal(stddev=0.001)
    made = MultiHeadAttention(
        2, 8, kernel_initializer=normal, output_initializer=small
    )
    recipe = keras.saving.serialize_keras_object(made)
    for layer in (made, keras.saving.deserialize_keras_object(recipe)):
        layer.build((None, 3, 16), (None, 3, 16))
        names = ("query", "key", "value", "attention_output")
        *others, last = arrays(layer, *(f"{name}/kernel" for name in names))
        assert all(0.015 < kernel.std() < 0.025 for kernel in others)
        assert 0.0007 < last.std() < 0.0013


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_heads": 0}, "num_heads=0"),
        ({"key_dim": 0}, "key_dim=0"),
        ({"value_dim": 0}, "value_dim=0"),
        ({"output_shape": 0}, "output_shape=0"),
        ({"output_shape": (3, 0)}, "output_shape=0"),
        ({"sliding_window": 0}, "sliding_window=0"),
        ({"attention_axes": 2}, "attention_axes=2"),
        ({"attention_axes": (1, 2)}, r"attention_axes=\(1, 2\)"),
    ],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention(**{"num_heads": 2, "key_dim": 3, **arguments})


def test_refuses_bad_inputs():
    ones = np.ones((2, 3, 4))
    layer = MultiHeadAttention(2, 3)
    with pytest.raises(ValueError, match=r"query_shape=\(2, 4\)"):
        layer(ones[:, 0], ones)
    with pytest.raises(ValueError, match="known D"):
        layer(ones, keras.Input((3, None)))
    with pytest.raises(ValueError, match="equally long"):
        layer(ones, ones, ones[:, :2])
    with pytest.raises(ValueError, match="`attention_mask`"):
        layer(ones, ones, attention_mask=np.zeros((2, 3, 3), "float32"))
