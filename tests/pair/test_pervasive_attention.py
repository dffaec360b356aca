"""PervasiveAttention against the paper's equations, in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import PervasiveAttention, attention_maps
from tests.contract import check_layer
from tests.numbers import arrays, close, normalize, numpy, randomize, relu

NORM = ("gamma", "beta", "moving_mean", "moving_variance")
RNG = np.random.default_rng(0)
QUERY = RNG.normal(size=(3, 5, 4)).astype("float32")
VALUE = RNG.normal(size=(3, 7, 3)).astype("float32")
QUERY_MASK = np.arange(5) < [[5], [3], [4]]
VALUE_MASK = np.arange(7) < [[7], [4], [1]]
SMALL = {"num_layers": 3, "growth_rate": 2, "bottleneck": 3}


def made(seed=0, query=QUERY, value=VALUE, **options):
    layer = PervasiveAttention(**SMALL | options)
    layer.build(query.shape, value.shape)
    randomize(layer, np.random.default_rng(seed))
    return layer


@pytest.mark.slow
def test_contract(tmp_path):
    check_layer(
        PervasiveAttention,
        inits=[
            {**SMALL, "aggregator": "attention"},
            {
                "num_layers": 2,
                "growth_rate": 3,
                "kernel_size": 5,
                "bottleneck": 2,
                "dropout": 0.3,
                "norm_momentum": 0.8,
                "seed": 1,
            },
            {**SMALL, "aggregator": "mean"},
        ],
        shapes={"query": (3, 5, 6), "value": (3, 7, 4)},
        output=[(3, 5, 16), (3, 5, 8), (3, 5, 8)],
        weights=[(3, 5, 7)] * 3,
        folder=tmp_path,
        sum_axis=2,
        free_axes=(1,),
        # A softmax does not know how high its scores are.
        still=("score_bias",),
    )


def by_hand(layer, query, value, query_mask, value_mask, training):
    """Cell by cell, from the paper's equations."""
    count, rows, columns = len(query), query.shape[1], value.shape[1]
    cells = query_mask[:, :, None] & value_mask[:, None]
    grid = np.zeros((count, rows, columns, query.shape[2] + value.shape[2]))
    for i in range(rows):
        for j in range(columns):
            grid[:, i, j] = np.concatenate([query[:, i], value[:, j]], -1)

    def norm(name, x):
        numbers = arrays(layer, *(f"{name}/{part}" for part in NORM))
        if not training:
            return normalize(x, *numbers)
        seen = x[cells]
        gamma, beta = numbers[:2]
        spread = np.sqrt(seen.var(0) + 1e-5)
        return (x - seen.mean(0)) / spread * gamma + beta

    reach = layer.kernel_size // 2
    for place in range(layer.num_layers):
        A, K = arrays(layer, f"reduction_{place}", f"convolution_{place}")
        read = relu(norm(f"norm_{place}_wide", grid)) @ A
        read = relu(norm(f"norm_{place}_narrow", read)) * cells[..., None]
        added = np.zeros((*grid.shape[:3], layer.growth_rate))
        for i in range(rows):
            for j in range(columns):
                for a in range(reach + 1):
                    for b in range(2 * reach + 1):
                        y, x = i - reach + a, j - reach + b
                        if y >= 0 and 0 <= x < columns:
                            added[:, i, j] += read[:, y, x] @ K[a, b]
        grid = np.concatenate([grid, added], -1)
    (B,) = arrays(layer, "transition")
    grid = relu(norm("norm_last", relu(grid) @ B))

    output, weights = [], np.zeros((count, rows, columns))
    for n in range(count):
        for i in range(rows):
            seen = grid[n, i, value_mask[n]]
            shares = np.full(len(seen), 1 / len(seen))
            found = np.sqrt(len(seen)) * seen.mean(0)
            if layer.aggregator != "mean":
                found, first = seen.max(0), seen.argmax(0)
                shares = np.bincount(first, found, len(seen)) / found.sum()
            if layer.aggregator == "attention":
                w, b = arrays(layer, "score_vector", "score_bias")
                scores = np.exp(seen @ w + b)
                shares = scores / scores.sum()
                found = np.concatenate([found, shares @ seen])
            output.append(found * query_mask[n, i])
            weights[n, i, value_mask[n]] = shares * query_mask[n, i]
    return np.reshape(output, (count, rows, -1)), weights


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("aggregator", ["max", "mean", "attention"])
@pytest.mark.parametrize("kernel_size", [3, 5])
def test_equals_the_equations_of_the_paper(kernel_size, aggregator, training):
    masks = QUERY_MASK, VALUE_MASK
    layer = made(kernel_size=kernel_size, aggregator=aggregator)
    expected = by_hand(layer, QUERY, VALUE, *masks, training)
    found = layer(
        QUERY, VALUE, *masks, return_attention_scores=True, training=training
    )
    for one, other in zip(found, expected, strict=True):
        close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("aggregator", ["max", "mean", "attention"])
def test_no_output_knows_of_a_later_query(aggregator):
    """Exactly, after a training step with weight decay too."""
    layer = made(aggregator=aggregator)
    model = keras.Sequential([Pair(layer)])
    model.compile(keras.optimizers.AdamW(0.1, weight_decay=0.5), "mse")
    target = np.ones(numpy(layer(QUERY, VALUE)).shape)
    model.train_on_batch(np.concatenate([QUERY, VALUE[:, :5, :]], -1), target)
    before = numpy(layer(QUERY, VALUE))
    for place in range(1, 5):
        other = QUERY.copy()
        other[:, place:] = RNG.normal(size=other[:, place:].shape)
        after = numpy(layer(other, VALUE))
        np.testing.assert_array_equal(after[:, :place], before[:, :place])
        assert np.abs(after[:, place] - before[:, place]).max() > 1e-3


class Pair(keras.layers.Layer):
    """Both sequences in one tensor, for a model with one input."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def call(self, both, training=None):
        return self.layer(both[..., :4], both[..., 4:], training=training)


@pytest.mark.parametrize("aggregator", ["max", "mean", "attention"])
@pytest.mark.parametrize("training", [False, True])
def test_padding_changes_nothing_and_wins_no_maximum(aggregator, training):
    layer = made(aggregator=aggregator)
    layer.last_norm.beta.assign(np.full(layer.last_norm.beta.shape, -0.5))
    state = layer.get_weights()
    expected = layer(
        QUERY, VALUE, return_attention_scores=True, training=training
    )
    expected = [numpy(x) for x in expected]
    wide = np.pad(QUERY, ((0, 0), (0, 2), (0, 0)), constant_values=50)
    long = np.pad(VALUE, ((0, 0), (0, 3), (0, 0)), constant_values=np.nan)
    layer.set_weights(state)
    output, weights = layer(
        wide,
        long,
        query_mask=np.arange(7)[None].repeat(3, 0) < 5,
        value_mask=np.arange(10)[None].repeat(3, 0) < 7,
        return_attention_scores=True,
        training=training,
    )
    close(numpy(output)[:, :5], expected[0], rtol=1e-4, atol=1e-5)
    close(numpy(weights)[:, :5, :7], expected[1], rtol=1e-4, atol=1e-5)
    assert not numpy(output)[:, 5:].any() and not numpy(weights)[..., 7:].any()


def test_where_nothing_is_seen_there_are_zeros():
    for aggregator in ("max", "mean", "attention"):
        layer = made(aggregator=aggregator)
        none = np.zeros((3, 7), "bool")
        for training in (False, True):
            output, weights = layer(
                QUERY,
                VALUE,
                value_mask=none,
                return_attention_scores=True,
                training=training,
            )
            assert not numpy(output).any() and not numpy(weights).any()


def test_reads_the_source_on_both_sides_as_far_as_its_layers_reach():
    """Three layers of three columns: three words to either side, no more."""
    value = RNG.normal(size=(3, 15, 3)).astype("float32")
    layer = made(aggregator="attention", value=value, growth_rate=9)
    cells = []
    aggregated = layer._aggregated
    layer._aggregated = lambda grid, seen: (
        cells.append(numpy(grid)) or aggregated(grid, seen)
    )
    other = value.copy()
    other[:, 7] += 1
    layer(QUERY, value), layer(QUERY, other)
    changed = np.abs(cells[1] - cells[0]).max((0, 1, 3)) > 1e-6
    np.testing.assert_array_equal(np.flatnonzero(changed), np.arange(4, 11))


def test_drops_what_is_added_in_training_only():
    calm, wild = made(), PervasiveAttention(**SMALL, dropout=0.5, seed=3)
    wild.build(QUERY.shape, VALUE.shape)
    numbers = {weight.path.split("/", 1)[1]: weight for weight in calm.weights}
    for weight in wild.weights:
        if (name := weight.path.split("/", 1)[1]) in numbers:
            weight.assign(numbers[name])
    same = numpy(wild(QUERY, VALUE)), numpy(calm(QUERY, VALUE))
    np.testing.assert_array_equal(*same)
    dropped = numpy(wild(QUERY, VALUE, training=True))
    whole = numpy(calm(QUERY, VALUE, training=True))
    assert np.abs(dropped - whole).max() > 0.1


def test_masks_come_with_the_tensors_and_go_on():
    ids = [keras.Input((None,), dtype="int32") for _ in range(2)]
    embed = [keras.layers.Embedding(9, 4, mask_zero=True) for _ in range(2)]
    layer = PervasiveAttention(**SMALL)
    found = layer(embed[0](ids[0]), embed[1](ids[1]))
    mean = keras.layers.GlobalAveragePooling1D()(found)
    model = keras.Model(ids, [found, mean])
    target = np.array([[3, 1, 4, 0], [1, 5, 0, 0]])
    source = np.array([[2, 7, 0], [1, 8, 2]])
    output, pooled = model([target, source])
    tables = [numpy(each.embeddings) for each in embed]
    expected = layer(
        tables[0][target], tables[1][source], target > 0, source > 0
    )
    close(output, numpy(expected))
    counts = (target > 0).sum(1, keepdims=True)
    close(pooled, numpy(expected).sum(1) / counts)


def test_its_weights_are_among_the_maps_of_a_model():
    pair = keras.Input((5, 4)), keras.Input((7, 3))
    layer = PervasiveAttention(**SMALL, name="grid")
    model = keras.Model(pair, layer(*pair))
    maps = attention_maps(model, [QUERY, VALUE])
    assert {k: v.shape for k, v in maps.items()} == {"grid": (3, 5, 7)}


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_layers": 0}, "num_layers=0"),
        ({"growth_rate": 1.5}, "growth_rate=1.5"),
        ({"bottleneck": 0}, "bottleneck=0"),
        ({"kernel_size": 4}, "odd.*kernel_size=4"),
        ({"kernel_size": 1}, "at least 3.*kernel_size=1"),
        ({"aggregator": "sum"}, "aggregator='sum'"),
        ({"dropout": 1}, "dropout=1"),
        ({"norm_momentum": 1.0}, "norm_momentum=1.0"),
    ],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        PervasiveAttention(**arguments)


def test_refuses_bad_inputs():
    layer = made()
    with pytest.raises(ValueError, match="query_mask"):
        layer(QUERY, VALUE, query_mask=VALUE_MASK)
    with pytest.raises(ValueError, match="value_mask"):
        layer(QUERY, VALUE, value_mask=QUERY_MASK)
    with pytest.raises(ValueError, match="query_shape"):
        PervasiveAttention()(keras.Input((5, None)), keras.Input((7, 3)))
