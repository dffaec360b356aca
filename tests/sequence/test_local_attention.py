"""LocalAttention against the paper's equations, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import LocalAttention
from tests.contract import check_query_layer
from tests.numbers import (
    arrays,
    close,
    gradients,
    numpy,
    randomize,
    sigmoid,
)


@pytest.mark.slow
def test_contract(tmp_path):
    # Windows that hold every key: the contract asks what each query sees.
    check_query_layer(
        LocalAttention,
        inits=[
            {"window": 9},
            {"window": 9, "score": "dot", "dropout": 0.1, "seed": 3},
            {"window": 9, "score": "concat"},
            {"window": 9, "mode": "predictive"},
            {"window": 9, "mode": "predictive", "units": 5},
        ],
        output=(3, 4, 8),
        weights=(3, 4, 6),
        folder=tmp_path,
        positional=True,
        sum_axis=[-1, -1, -1, None, None],
    )


SCORES = {
    "dot": lambda h, s: h @ s,
    "general": lambda h, s, W: h @ W @ s,
    "concat": lambda h, s, W, v: v @ np.tanh(np.concatenate([h, s]) @ W),
}
PARTS = {
    "dot": (),
    "general": ("kernel",),
    "concat": ("kernel", "score_vector"),
}


@pytest.mark.parametrize("mode", ["monotonic", "predictive"])
@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("keys", [9, 140], ids=["all keys", "windows"])
def test_equals_the_equations_of_the_paper(score, mode, keys):
    """Whether all keys are multiplied or those of windows are gathered."""
    rng = np.random.default_rng(1)
    window, lengths = 2, [keys, 6]
    query, value = rng.normal(size=(2, 8, 4)), rng.normal(size=(2, keys, 4))
    mask = np.arange(keys) < np.array(lengths)[:, None]
    layer = LocalAttention(window, mode=mode, score=score)
    layer.build(query.shape, value.shape)
    randomize(layer)
    context, weights = layer(
        query, value, value_mask=mask, return_attention_scores=True
    )

    parts = arrays(layer, *PARTS[score])
    for b, t in np.ndindex(2, 8):
        h, length = query[b, t], lengths[b]
        p = float(t)
        if mode == "predictive":
            W_p, v_p = arrays(layer, "position_kernel", "position_vector")
            p = length * sigmoid(v_p @ np.tanh(h @ W_p))
        a = np.zeros(keys)
        for s in range(length):
            if abs(s - np.floor(p)) <= window:
                a[s] = np.exp(SCORES[score](h, value[b, s], *parts))
        a /= a.sum() or 1
        if mode == "predictive":
            a *= np.exp(-((np.arange(keys) - p) ** 2) / (2 * (window / 2) ** 2))
        close(weights[b, t], a)
        close(context[b, t], a @ value[b])
    close(layer(query, value, value_mask=mask), context)


def of_the_full_matrix(layer, query, value, seen):
    """The monotonic layer in NumPy; `seen` is `(B, Tq, Tk)`."""
    i, j = np.indices(seen.shape[1:])
    seen = seen & (abs(i - j) <= layer.window)
    if layer.score == "general":
        query = query @ arrays(layer, "kernel")[0]
    scores = np.where(seen, query @ value.swapaxes(1, 2), -np.inf)
    most = scores.max(-1, keepdims=True)
    weights = np.exp(scores - np.where(np.isfinite(most), most, 0))
    weights /= np.maximum(weights.sum(-1, keepdims=True), 1e-30)
    return weights @ value, weights


# Blocks of 32, or of twice the window: whole, cut, of several numbers.
LONG = [(3, 160, 160), (3, 171, 200), (1, 200, 163), (20, 215, 203)]


@pytest.mark.parametrize("window, queries, keys", LONG)
@pytest.mark.parametrize("score", ["dot", "general"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_blocks_equal_the_full_matrix(
    window, queries, keys, score, causal, masked
):
    rng = np.random.default_rng(6)
    query, value = (
        rng.normal(size=(2, length, 4)).astype("float32")
        for length in (queries, keys)
    )
    layer = LocalAttention(window, score=score)
    layer.build(query.shape, value.shape)
    randomize(layer)
    assert layer._cuts(query, value)
    masks = {}
    seen = np.ones((2, queries, keys), "bool")
    if masked:
        masks = {
            "query_mask": rng.random((2, queries)) < 0.8,
            "value_mask": rng.random((2, keys)) < 0.7,
        }
        seen &= masks["query_mask"][:, :, None] & masks["value_mask"][:, None]
    if causal:
        seen &= np.tri(queries, keys, keys - queries, dtype="bool")
    expected, expected_weights = of_the_full_matrix(layer, query, value, seen)
    context, weights = layer(
        query,
        value,
        use_causal_mask=causal,
        return_attention_scores=True,
        **masks,
    )
    close(weights, expected_weights)
    close(context, expected)
    close(layer(query, value, use_causal_mask=causal, **masks), expected)


def ways_of(layer, query, value):
    """The same sums three ways: in blocks, over all keys, over windows."""
    places = np.arange(query.shape[1])[None].repeat(len(query), axis=0)
    assert layer._cuts(query, value)
    assert layer._takes_all(value, True) and not layer._takes_all(value, False)
    return [
        lambda *inputs: layer(*inputs, training=False),
        lambda *inputs: layer(*inputs, positions=places, training=True),
        lambda *inputs: layer(*inputs, positions=places, training=False),
    ]


def test_all_ways_have_the_same_gradients():
    rng = np.random.default_rng(7)
    query, value = rng.normal(size=(2, 2, 165, 4)).astype("float32")
    layer = LocalAttention(2)
    layer.build(query.shape, value.shape)
    found = [
        gradients(lambda *x, way=way: keras.ops.sum(way(*x) ** 2), query, value)
        for way in ways_of(layer, query, value)
    ]
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            assert np.abs(one).max() > 0.1
            close(one, other)


def test_a_length_that_is_not_known_changes_no_number():
    rng = np.random.default_rng(8)
    query, value = rng.normal(size=(2, 2, 165, 4)).astype("float32")
    layer = LocalAttention(2)
    inputs = [keras.Input((None, 4)), keras.Input((None, 4))]
    model = keras.Model(inputs, layer(*inputs))
    close(model([query, value]), layer(query, value))


def test_keys_of_their_own_are_cut_as_the_values_are():
    rng = np.random.default_rng(9)
    query, value, key = rng.normal(size=(3, 2, 140, 4)).astype("float32")
    layer = LocalAttention(3)
    layer.build(query.shape, value.shape, key.shape)
    places = np.arange(140)[None].repeat(2, axis=0)
    close(
        layer(query, value, key),
        layer(query, value, key, positions=places),
    )


def test_blocks_read_nothing_outside_the_window():
    rng = np.random.default_rng(10)
    sequence = rng.normal(size=(1, 200, 4)).astype("float32")
    layer = LocalAttention(3)
    before = numpy(layer(sequence, sequence))
    value = sequence.copy()
    value[0, 64] = 1e6
    after = numpy(layer(sequence, value))
    moved = np.abs(after - before)[0].max(-1) > 1e-6
    assert np.flatnonzero(moved).tolist() == list(range(61, 68))


@pytest.mark.parametrize("logit", [-0.7, 0.4, 20.0])  # 20 predicts S itself
def test_predicts_a_share_of_the_number_of_keys_that_are_visible(logit):
    """S counts what each query may see, by whichever mask."""
    query, value = np.ones((4, 5, 2)), np.ones((4, 8, 2))
    mask = np.ones((4, 8), "bool")
    mask[1, 5:] = False
    mask[2, [0, 3]] = False  # a hole
    mask[3] = False
    causal = np.tri(5, 8, 3, dtype="bool")  # the last query at the last key
    layer = LocalAttention(window=4, mode="predictive", score="dot")
    layer.build(query.shape, value.shape)
    layer.position_kernel.assign(np.eye(2))
    layer.position_vector.assign([logit / np.tanh(1), 0])
    for use_causal in (False, True):
        pairs = mask[:, None] & (causal | (not use_causal))
        ways = (
            {"value_mask": mask, "use_causal_mask": use_causal},
            {"attention_mask": pairs},
        )
        for options in ways:
            # Equal scores: each window's share is the Gaussian alone.
            _, weights = layer(
                query, value, return_attention_scores=True, **options
            )
            for b, i in np.ndindex(4, 5):
                p = np.float32(pairs[b, i].sum() * sigmoid(logit))
                places = np.arange(8)
                seen = pairs[b, i] & (abs(places - np.floor(p)) <= 4)
                near = np.exp(-((places - p) ** 2) / (2 * 2**2))
                close(weights[b, i], seen * near / max(seen.sum(), 1))


def test_reads_nothing_outside_the_window():
    rng = np.random.default_rng(2)
    query, value = rng.normal(size=(1, 7, 4)), rng.normal(size=(1, 7, 4))
    layer = LocalAttention(window=1)
    before = numpy(layer(query, value))
    value[0, 3] = 50
    moved = np.abs(numpy(layer(query, value)) - before)[0].max(-1) > 1e-6
    assert moved.tolist() == [False, False, True, True, True, False, False]


def test_positions_say_where_to_look():
    rng = np.random.default_rng(3)
    query, value = rng.normal(size=(2, 6, 4)), rng.normal(size=(2, 9, 4))
    layer = LocalAttention(window=2)
    whole = numpy(layer(query, value))
    for t in range(6):
        step = layer(query[:, t : t + 1], value, positions=np.full((2, 1), t))
        close(step[:, 0], whole[:, t])


def test_a_window_beyond_the_end_is_zero():
    query, value = np.ones((1, 6, 4)), np.ones((1, 3, 4))
    context, weights = LocalAttention(window=1)(
        query, value, return_attention_scores=True
    )
    close(numpy(weights).sum(-1), [[1, 1, 1, 1, 0, 0]])
    close(context[0, 4:], np.zeros((2, 4)))


def test_a_causal_window_ends_at_the_query():
    rng = np.random.default_rng(4)
    query, value = rng.normal(size=(1, 5, 4)), rng.normal(size=(1, 5, 4))
    _, weights = LocalAttention(window=2)(
        query, value, use_causal_mask=True, return_attention_scores=True
    )
    i, j = np.indices((5, 5))
    np.testing.assert_array_equal(
        numpy(weights)[0] > 0, (j <= i) & (i - j <= 2)
    )


def test_the_centre_learns_through_the_gaussian():
    layer = LocalAttention(window=3, mode="predictive")
    query, value = keras.Input((2, 4)), keras.Input((9, 4))
    model = keras.Model([query, value], layer(query, value))
    model.compile(keras.optimizers.SGD(1.0), "mse")
    before = numpy(layer.position_vector).copy()
    rng = np.random.default_rng(5)
    data = [rng.normal(size=(4, 2, 4)), rng.normal(size=(4, 9, 4))]
    model.train_on_batch(data, np.ones((4, 2, 4)))
    assert (numpy(layer.position_vector) != before).all()


def test_drops_weights_in_training_only():
    ones = np.ones((1, 2, 4))
    layer = LocalAttention(window=3, dropout=0.9, seed=0)
    close(layer(ones, ones), ones)
    assert not np.allclose(numpy(layer(ones, ones, training=True)), ones)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"window": 0}, "window=0"),
        ({"window": 2, "mode": "local-m"}, "mode='local-m'"),
        ({"window": 2, "score": "additive"}, "score='additive'"),
        ({"window": 2, "units": 4}, "units=4, mode='monotonic'"),
        ({"window": 2, "mode": "predictive", "units": 0}, "units=0"),
    ],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        LocalAttention(**arguments)


def test_refuses_bad_inputs():
    with pytest.raises(ValueError, match="the same size"):
        LocalAttention(2, score="dot")(np.ones((1, 2, 4)), np.ones((1, 2, 5)))
    with pytest.raises(ValueError, match="`positions` are for"):
        LocalAttention(2, mode="predictive")(
            np.ones((1, 2, 4)), np.ones((1, 2, 4)), positions=np.ones((1, 2))
        )


@pytest.mark.parametrize("mode", ["monotonic", "predictive"])
def test_an_integer_mask_says_what_a_boolean_one_does(mode):
    rng = np.random.default_rng(8)
    query, value = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 6, 4))
    mask = np.array([[1, 1, 0, 1, 1, 0], [1, 1, 1, 0, 0, 0]], "bool")
    layer = LocalAttention(window=2, mode=mode)
    expected = layer(query, value, value_mask=mask)
    close(layer(query, value, value_mask=mask * 2), expected)
    row = mask[:, None]  # the same pairs for all queries
    pairs = row.repeat(3, axis=1)
    expected = layer(query, value, attention_mask=pairs)
    close(layer(query, value, attention_mask=row), expected)


def test_refuses_another_depth_than_it_was_built_for():
    layer = LocalAttention(window=1, score="concat")
    layer(np.ones((2, 3, 4)), np.ones((2, 5, 6)))
    for query, key in ((6, 4), (5, 5)):
        with pytest.raises(ValueError, match="built for depth 4"):
            layer(np.ones((2, 3, query)), np.ones((2, 5, key)))
