"""PervasiveAttention against the paper's equations, in NumPy."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import PervasiveAttention, attention_maps
from tests.contract import RUN, check_layer
from tests.numbers import (
    SLACK,
    arrays,
    as_float32,
    close,
    normalize,
    numpy,
    randomize,
    relu,
)

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


# What decays weights, and what moves them on by old gradients.
OPTIMIZERS = {
    "adamw": lambda: keras.optimizers.AdamW(0.1, weight_decay=0.5),
    "sgd": lambda: keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=0.5),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.1, weight_decay=0.5),
}


def trained(optimizer, **options):
    """After steps of training in which rows and columns were hidden."""
    layer = made(**options)
    model = keras.Sequential([Pair(layer)])
    model.compile(OPTIMIZERS[optimizer](), "mse")
    target = np.ones(numpy(layer(QUERY, VALUE[:, :5])).shape)
    for _ in range(3):
        model.train_on_batch(
            np.concatenate([QUERY, VALUE[:, :5]], axis=-1), target
        )
    return layer


class Pair(keras.layers.Layer):
    """Both sequences in one tensor, for a model with one input."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def call(self, both, training=None):
        return self.layer(
            both[..., :4],
            both[..., 4:],
            query_mask=QUERY_MASK,
            value_mask=VALUE_MASK[:, :5],
            training=training,
        )


LEARNED = pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "adamw", "aggregator": "max"},
        {"optimizer": "adamw", "aggregator": "mean"},
        {"optimizer": "adamw", "aggregator": "attention"},
        {"optimizer": "sgd", "aggregator": "max", "kernel_size": 5},
        {"optimizer": "rmsprop", "aggregator": "attention", "kernel_size": 5},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)


@pytest.mark.slow
@LEARNED
def test_no_output_knows_of_a_later_query(options):
    """Exactly, whatever it was trained by."""
    layer = trained(**options)
    for mask in (None, VALUE_MASK):
        before = numpy(layer(QUERY, VALUE, value_mask=mask))
        for place in range(1, 5):
            other = QUERY.copy()
            other[:, place:] = RNG.normal(size=other[:, place:].shape)
            after = numpy(layer(other, VALUE, value_mask=mask))
            np.testing.assert_array_equal(after[:, :place], before[:, :place])
            assert np.abs(after[:, place] - before[:, place]).max() > 1e-3


@pytest.mark.slow
@LEARNED
def test_no_padding_is_taken_whatever_it_was_trained_by(options):
    layer = trained(**options)
    norm = layer.last_norm
    norm.gamma.assign(-numpy(norm.gamma))  # What is nothing is the most.
    for beta in (-0.5, 2.0):
        norm.beta.assign(np.full(norm.beta.shape, beta))
        output, weights = layer(
            QUERY, VALUE, value_mask=VALUE_MASK, return_attention_scores=True
        )
        assert not (numpy(weights) * ~VALUE_MASK[:, None]).any()
        for row, count in enumerate(VALUE_MASK.sum(axis=1)):
            some = slice(row, row + 1)
            alone = layer(QUERY[some], VALUE[some, :count])
            close(numpy(output)[some], alone)


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


def stepped(layer, query, value, query_mask, value_mask, rows=1):
    """Output and weights, so many rows at a time."""
    state = layer.begin(value)
    form = tuple(state.shape), state.dtype
    found = []
    for first in range(0, query.shape[1], rows):
        some = slice(first, first + rows)
        *both, state = layer.step(
            query[:, some],
            state,
            value,
            query_mask=None if query_mask is None else query_mask[:, some],
            value_mask=value_mask,
        )
        assert (tuple(state.shape), state.dtype) == form
        found.append([numpy(x) for x in both])
    return [np.concatenate(parts, axis=1) for parts in zip(*found)]


# A row hidden between others too: what is below it reads zeros of it.
HOLES = np.array([[1, 1, 1, 1, 1], [1, 0, 1, 1, 0], [0, 1, 0, 0, 1]], "bool")


@pytest.mark.parametrize("aggregator", ["max", "mean", "attention"])
@pytest.mark.parametrize("kernel_size", [3, 5])
def test_steps_give_the_rows_of_a_call(kernel_size, aggregator):
    layer = made(kernel_size=kernel_size, aggregator=aggregator, dropout=0.5)
    for masks in itertools.product(
        (None, QUERY_MASK, HOLES), (None, VALUE_MASK)
    ):
        given = dict(zip(("query_mask", "value_mask"), masks))
        whole = layer(QUERY, VALUE, **given, return_attention_scores=True)
        for rows in (1, 2):
            found = stepped(layer, QUERY, VALUE, *masks, rows=rows)
            for one, other in zip(found, whole, strict=True):
                close(one, other, rtol=0, atol=1e-5)


def test_steps_beside_nothing_give_zeros():
    layer, none = made(aggregator="attention"), np.zeros((3, 7), "bool")
    for found in stepped(layer, QUERY, VALUE, None, none):
        assert not found.any()


class Reader(keras.layers.Layer):
    """Reads on by what it has read, row by row, in one loop."""

    def __init__(self, rows=4, **kwargs):
        super().__init__(**kwargs)
        self.rows = rows
        self.grid = PervasiveAttention(
            **SMALL,
            kernel_size=5,
            aggregator="attention",
            dtype=kwargs["dtype"],
        )

    def build(self, shapes):
        self.grid.build((None, None, 3), shapes["value"])

    def call(self, memory):
        value, mask = memory["value"], memory["mask"]

        def turn(index, query, state, found):
            output, _, state = self.grid.step(
                query, state, value, value_mask=mask
            )
            here = ops.arange(self.rows)[:, None] == index
            found = ops.where(here, output, found)
            return index + 1, output[..., :3], state, found

        start = ops.convert_to_tensor(0, dtype="int32")
        output = ops.zeros_like(ops.tile(value[:, :1, :1], (1, self.rows, 12)))
        state = (start, value[:, :1], self.grid.begin(value), output)
        return ops.while_loop(lambda index, *_: index < self.rows, turn, state)[
            -1
        ]

    def by_calls(self, value, mask):
        query = value[:, :1]
        for _ in range(self.rows):
            output = as_float32(self.grid(query, value, value_mask=mask))
            query = np.concatenate([value[:, :1], output[..., :3]], axis=1)
        return output


def reader(policy="float32"):
    """A model, and what it reads: a source known by its length only."""
    inputs = {
        "value": keras.Input((None, 3), name="value"),
        "mask": keras.Input((None,), dtype="bool", name="mask"),
    }
    layer = Reader(dtype=policy)
    model = keras.Model(inputs, layer(inputs))
    randomize(layer)
    return model, layer, {"value": VALUE, "mask": VALUE_MASK}


@pytest.mark.slow
@pytest.mark.parametrize("policy", RUN)
def test_takes_steps_in_a_loop_in_every_policy(policy):
    model, layer, memory = reader(policy)
    model.compile(jit_compile=keras.backend.backend() != "torch")
    expected = layer.by_calls(VALUE, VALUE_MASK)
    assert np.abs(np.diff(expected, axis=1)).max() > 0.1
    slack = 10 * SLACK[layer.compute_dtype]
    for found in (model(memory), model.predict(memory, verbose=0)):
        close(as_float32(found), expected, slack, slack)
    # Out of any layer's call, where nothing is cast by itself.
    *both, state = layer.grid.step(VALUE, layer.grid.begin(VALUE), VALUE)
    for part in (*both, state):
        kind = keras.backend.standardize_dtype(part.dtype)
        assert kind == layer.compute_dtype


@pytest.mark.slow
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports by TensorFlow"
)
def test_a_loop_of_steps_exports(tmp_path):
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    model, layer, memory = reader()
    expected = layer.by_calls(VALUE, VALUE_MASK)
    model.export(str(tmp_path / "model"), verbose=False)
    served = tf.saved_model.load(str(tmp_path / "model"))
    close(served.serve(memory), expected)
    # Other lengths than it was traced with.
    short = {name: x[:2, :4] for name, x in memory.items()}
    close(served.serve(short), layer.by_calls(*short.values()))

    file = str(tmp_path / "model.tflite")
    signature = {
        name: keras.InputSpec(shape=(1, *x.shape[1:]), dtype=x.dtype, name=name)
        for name, x in memory.items()
    }
    model.export(
        file,
        input_signature=[signature],
        format="litert",
        verbose=False,
        target_spec={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]},
    )
    run = Interpreter(file).get_signature_runner()
    for row in range(3):
        one = {name: x[row : row + 1] for name, x in memory.items()}
        (found,) = run(**one).values()
        close(found, expected[row : row + 1])


def test_a_step_refuses_what_does_not_fit():
    layer = PervasiveAttention(**SMALL)
    for take in (
        lambda: layer.begin(VALUE),
        lambda: layer.step(QUERY, None, VALUE),
    ):
        with pytest.raises(ValueError, match="built=False"):
            take()
    layer = made()
    state = layer.begin(VALUE)
    assert tuple(state.shape) == (3, 3, 1, 7, 6)
    for wrong in (layer.begin(VALUE[:, :6]), state[:, 0]):
        with pytest.raises(ValueError, match="Received: state of shape"):
            layer.step(QUERY, wrong, VALUE)
    with pytest.raises(ValueError, match=r"\(B, T, D\)"):
        layer.step(QUERY[:, 0], state, VALUE)
    with pytest.raises(ValueError, match="query_mask"):
        layer.step(QUERY[:, :1], state, VALUE, query_mask=QUERY_MASK)
    with pytest.raises(ValueError, match="value_mask"):
        layer.step(QUERY, state, VALUE, value_mask=QUERY_MASK)


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
