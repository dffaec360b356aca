"""HardAttention against the paper's sampling, written out in NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.functional.estimators import (
    gumbel_softmax,
    score_function_loss,
)
from keras_attention.sequence.hard_attention import HardAttention
from tests.contract import check_query_layer
from tests.numbers import (
    arrays,
    as_float32,
    close,
    gradients,
    numpy,
    randomize,
    softmax,
)

ESTIMATORS = ["reinforce", "straight_through", "gumbel"]


@pytest.mark.slow
def test_contract(tmp_path):
    # With "reinforce" the scores learn nothing from the context alone, so that
    # those with weights are here with the other two.
    check_query_layer(
        HardAttention,
        inits=[
            {},
            {"score": "general", "estimator": "straight_through"},
            {
                "score": "additive",
                "units": 5,
                "estimator": "gumbel",
                "temperature": 0.5,
                "seed": 3,
            },
            {"score": "concat", "units": 5, "estimator": "gumbel"},
            {"score": "minus", "units": 4, "estimator": "straight_through"},
            {"score": "dot", "estimator": "gumbel", "temperature": 2.0},
        ],
        output=(3, 4, 8),
        weights=(3, 4, 6),
        folder=tmp_path,
    )


EQUATIONS = {
    "dot": lambda q, k: q @ k,
    "scaled_dot": lambda q, k: q @ k / np.sqrt(len(k)),
    "general": lambda q, k, W: q @ W @ k,
    "additive": lambda q, k, W, U, v: v @ np.tanh(q @ W + k @ U),
    "concat": lambda q, k, W, v: v @ np.tanh(np.concatenate([q, k]) @ W),
    "minus": lambda q, k, W, v: v @ np.tanh((q - k) @ W),
}
PARTS = {
    "general": ("kernel",),
    "additive": ("query_kernel", "key_kernel", "score_vector"),
    "concat": ("kernel", "score_vector"),
    "minus": ("kernel", "score_vector"),
}


def sequences(seed=1, same=True, keys=6):
    rng = np.random.default_rng(seed)
    query = rng.normal(size=(2, 3, 4))
    key = rng.normal(size=(2, keys, 4 if same else 5))
    value = rng.normal(size=(2, keys, 7))
    return [array.astype("float32") for array in (query, value, key)]


@pytest.mark.parametrize("score", EQUATIONS)
def test_reads_the_likeliest_position_by_the_papers_scores(score):
    units = 5 if score in ("additive", "concat", "minus") else None
    same = score in ("dot", "scaled_dot", "minus")
    query, value, key = sequences(same=same)
    layer = HardAttention(score, units=units)
    layer.build(query.shape, value.shape, key.shape)
    randomize(layer)
    context, logs, weights = layer(
        query,
        value,
        key,
        return_log_probability=True,
        return_attention_scores=True,
    )
    parts = arrays(layer, *PARTS.get(score, ()))
    for b, i in np.ndindex(2, 3):
        scores = [EQUATIONS[score](query[b, i], k, *parts) for k in key[b]]
        shares = softmax(np.array(scores))
        close(weights[b, i], shares)
        np.testing.assert_array_equal(
            numpy(context[b, i]), value[b, shares.argmax()]
        )
        close(logs[b, i], np.log(shares.max()))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_at_inference_all_estimators_do_the_same(estimator):
    query, value, key = sequences()
    expected = numpy(HardAttention()(query, value, key))
    layer = HardAttention(estimator=estimator, seed=1)
    for training in (None, False):
        found = layer(query, value, key, training=training)
        np.testing.assert_array_equal(numpy(found), expected)


def test_of_equally_likely_positions_the_first_is_read():
    query = np.zeros((1, 2, 4), "float32")
    value = np.arange(12, dtype="float32").reshape(1, 3, 4)
    layer = HardAttention()
    np.testing.assert_array_equal(
        numpy(layer(query, value)), np.tile(value[:, :1], (1, 2, 1))
    )
    mask = np.array([[False, True, True]])
    np.testing.assert_array_equal(
        numpy(layer(query, value, value_mask=mask)),
        np.tile(value[:, 1:2], (1, 2, 1)),
    )


COPIES = 4000
# One query, and four positions that say their own number.
QUERY = np.tile(
    np.array([[[0.9, -0.4, 0.3, 0.1]]], "float32") * 2, (COPIES, 1, 1)
)
PLACES = np.tile(np.eye(4, dtype="float32"), (COPIES, 1, 1))
SHARES = softmax(QUERY[0, 0] / 2)  # scaled by the root of 4


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_in_training_positions_are_sampled_by_their_probability(estimator):
    layer = HardAttention(estimator=estimator, seed=1)
    context, logs, weights = layer(
        QUERY,
        PLACES,
        training=True,
        return_log_probability=True,
        return_attention_scores=True,
    )
    read = numpy(context)[:, 0]
    np.testing.assert_array_equal(read.sum(-1), np.ones(COPIES))
    assert set(np.unique(read)) == {0, 1}
    close(read.mean(0), SHARES, 0, 0.03)
    close(weights[:, 0], np.tile(SHARES, (COPIES, 1)))
    # The log-probability is that of the very position that was read.
    close(logs[:, 0], np.log(SHARES)[read.argmax(-1)])
    again = numpy(layer(QUERY, PLACES, training=True))[:, 0]
    assert (again != read).any()
    twin = HardAttention(estimator=estimator, seed=1)
    np.testing.assert_array_equal(
        numpy(twin(QUERY, PLACES, training=True))[:, 0], read
    )


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_what_is_masked_is_never_sampled(estimator):
    layer = HardAttention(estimator=estimator, seed=1)
    mask = np.ones((COPIES, 4), "bool")
    mask[:, 0] = False
    mask[COPIES // 2 :] = False
    context, logs, weights = layer(
        QUERY,
        PLACES,
        value_mask=mask,
        training=True,
        return_log_probability=True,
        return_attention_scores=True,
    )
    read, nothing = np.split(numpy(context)[:, 0], 2)
    shares = np.append(0, softmax(QUERY[0, 0, 1:] / 2))
    close(read.mean(0), shares, 0, 0.04)
    assert not read[:, 0].any() and not nothing.any()
    assert not numpy(weights)[COPIES // 2 :].any()
    assert not numpy(logs)[COPIES // 2 :].any()
    close(
        numpy(logs)[: COPIES // 2, 0],
        np.log(shares[1:])[read[:, 1:].argmax(-1)],
    )


def test_a_causal_sample_comes_from_what_is_past():
    query = np.zeros((500, 3, 4), "float32")
    value = np.tile(np.eye(4, dtype="float32"), (500, 1, 1))
    layer = HardAttention(seed=1)
    context = layer(query, value, use_causal_mask=True, training=True)
    often = numpy(context).mean(0)
    i, j = np.indices((3, 4))
    np.testing.assert_array_equal(often > 0, j <= i + 1)


def slopes(layer, query, value, key, slope, of="context"):
    """Gradients of what the layer says in training, weighed by `slope`."""

    def total(query, value, key):
        context, logs = layer(
            query, value, key, training=True, return_log_probability=True
        )
        said = context if of == "context" else logs
        # So there is a way, from each.
        own = ops.sum(query) + ops.sum(value) + ops.sum(key)
        return ops.sum(said * ops.convert_to_tensor(slope)) + own

    return [found - 1 for found in gradients(total, query, value, key)]


def test_reinforce_learns_from_the_log_probability_alone():
    query, value, key = sequences()
    slope = np.random.default_rng(2).normal(size=(2, 3, 7)).astype("float32")
    chosen = numpy(
        HardAttention(seed=5)(
            query, np.tile(np.eye(6), (2, 1, 1)), key, training=True
        )
    )
    layer = HardAttention(seed=5)
    to_query, to_value, to_key = slopes(layer, query, value, key, slope)
    assert not to_query.any() and not to_key.any()
    close(to_value, np.einsum("btk,btd->bkd", chosen, slope))

    layer = HardAttention(seed=5)
    slope = slope[..., 0]
    to_query, to_value, to_key = slopes(layer, query, value, key, slope, "logs")
    assert not to_value.any()
    for b, i in np.ndindex(2, 3):
        shares = softmax(query[b, i] @ key[b].T / 2)
        expected = (chosen[b, i] - shares) @ key[b] / 2 * slope[b, i]
        close(to_query[b, i], expected)


@pytest.mark.parametrize("estimator", ["straight_through", "gumbel"])
def test_the_others_learn_as_if_the_choice_had_been_soft(estimator):
    query, value, key = sequences()
    slope = np.random.default_rng(2).normal(size=(2, 3, 7)).astype("float32")
    settings = {"estimator": estimator, "seed": 5}
    temperature = 1.0
    if estimator == "gumbel":
        temperature = settings["temperature"] = 0.6
    places = np.tile(np.eye(6, dtype="float32"), (2, 1, 1))
    chosen = numpy(HardAttention(**settings)(query, places, key, training=True))
    np.testing.assert_array_equal(np.sort(chosen)[..., -2:], [[[0, 1]] * 3] * 2)
    to_query, to_value, _ = slopes(
        HardAttention(**settings), query, value, key, slope
    )
    # Forwards one position was read, and so the values learn.
    close(to_value, np.einsum("btk,btd->bkd", chosen, slope))
    scores = query @ key.swapaxes(1, 2) / 2
    shares = np.stack([[softmax(row) for row in rows] for rows in scores])
    if estimator == "gumbel":
        seed = keras.random.SeedGenerator(5)
        shares = numpy(gumbel_softmax(scores, temperature, seed=seed))
        np.testing.assert_array_equal(shares.argmax(-1), chosen.argmax(-1))
    for b, i in np.ndindex(2, 3):
        worth = value[b] @ slope[b, i]
        to_scores = shares[b, i] * (worth - shares[b, i] @ worth) / temperature
        close(to_query[b, i], to_scores @ key[b] / 2)


def test_the_estimate_of_the_layer_is_unbiased():
    """On average over samples: the gradient of the expected reward."""
    rewards = np.array([5.0, 1.0, 4.0, 2.0], "float32")
    layer = HardAttention(seed=2)

    def loss(query):
        context, logs = layer(
            query, PLACES, training=True, return_log_probability=True
        )
        reward = ops.matmul(context, rewards)
        baseline = ops.zeros_like(reward) + float(SHARES @ rewards)
        return ops.sum(score_function_loss(logs, reward, baseline))

    (slope,) = gradients(loss, QUERY)
    found = -slope.mean((0, 1))
    exact = SHARES * (rewards - SHARES @ rewards) / 2
    close(found, exact, 0, 0.03)
    assert np.abs(exact).max() > 0.1


class Reader(keras.Model):
    """Points at what it was told of, and is told only whether it was right."""

    def __init__(self):
        super().__init__()
        self.attention = HardAttention("general", seed=1)

    def call(self, inputs, training=None):
        return self.attention(
            inputs["query"],
            inputs["value"],
            training=training,
            return_log_probability=True,
        )

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        context, log_probability = y_pred
        right = ops.all(ops.equal(context, y), axis=-1)
        reward = ops.cast(right, "float32")
        baseline = ops.mean(reward) + ops.zeros_like(reward)
        return ops.mean(score_function_loss(log_probability, reward, baseline))


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.slow
def test_a_model_learns_by_reinforcement(compiled):
    """Codes in another order each time; a code is asked for by another."""
    if compiled and keras.backend.backend() == "torch":
        pytest.skip("torch.compile takes minutes")
    rng = np.random.default_rng(0)
    codes = np.eye(5, dtype="float32")
    asked, order = rng.integers(5, size=640), rng.random((640, 5)).argsort(1)
    data = {"query": codes[asked][:, None], "value": codes[order]}
    target = codes[(asked + 2) % 5][:, None]
    model = Reader()

    def success(**options):
        context, _ = model(data, **options)
        return numpy(ops.all(ops.equal(context, target), axis=-1)).mean()

    assert success(training=True) < 0.35
    model.compile(keras.optimizers.Adam(0.2), jit_compile=compiled)
    model.fit(data, target, batch_size=64, epochs=8, verbose=0)
    assert success(training=True) > 0.9  # by samples, too: it has become sure
    assert success() == 1


@pytest.mark.parametrize(
    "policy", ["mixed_float16", "float16", "mixed_bfloat16"]
)
def test_log_probabilities_are_finite_in_half_precision(policy):
    query, value, key = sequences()
    layer = HardAttention(dtype=policy, seed=1)
    _, logs, weights = layer(
        query * 30,
        value,
        key,
        training=True,
        return_log_probability=True,
        return_attention_scores=True,
    )
    assert keras.backend.standardize_dtype(logs.dtype) == layer.compute_dtype
    logs, weights = as_float32(logs), as_float32(weights)
    assert np.isfinite(logs).all() and (logs <= 0).all()
    best = weights.max(-1)
    sure = best > 0.999
    close(logs[sure], np.zeros(sure.sum()), 0, 0.01)


def test_one_position_is_certain():
    query, value, _ = sequences()
    context, logs, weights = HardAttention()(
        query,
        value[:, :1],
        np.ones((2, 1, 4), "float32"),
        training=True,
        return_log_probability=True,
        return_attention_scores=True,
    )
    np.testing.assert_array_equal(
        numpy(context), np.tile(value[:, :1], (1, 3, 1))
    )
    assert not numpy(logs).any() and (numpy(weights) == 1).all()


def test_integers_are_read_as_floats():
    query, value, key = (np.round(array * 3) for array in sequences())
    expected = numpy(HardAttention()(query, value, key))
    integers = [array.astype("int32") for array in (query, value, key)]
    np.testing.assert_array_equal(numpy(HardAttention()(*integers)), expected)


def test_variables_are_named_as_those_of_the_soft_layer():
    from keras_attention.sequence.attention_layer import AttentionLayer

    query, value, key = sequences()
    for score in ("general", "additive", "concat", "minus"):
        units = None if score == "general" else 5
        pair = [
            kind(score, units=units) for kind in (HardAttention, AttentionLayer)
        ]
        for layer in pair:
            layer.build(query.shape, value.shape, key.shape)
        hard, soft = (
            {w.path.split("/")[-1]: tuple(w.shape) for w in x.trainable_weights}
            for x in pair
        )
        assert hard == soft
        pair[1].set_weights([numpy(w) for w in pair[0].trainable_weights])
        answers = [
            layer(query, value, key, return_attention_scores=True)[1]
            for layer in pair
        ]
        close(*answers)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"score": "location"}, "score='location'"),
        ({"estimator": "soft"}, "`estimator` .*estimator='soft'"),
        ({"estimator": "gumbel", "temperature": 0.0}, "temperature=0.0"),
        ({"estimator": "gumbel", "temperature": "1"}, "temperature='1'"),
        ({"temperature": 0.5}, "gumbel.*temperature=0.5.*'reinforce'"),
        ({"score": "additive"}, "units=None"),
        ({"score": "additive", "units": 0}, "units=0"),
        ({"units": 4}, "does not use `units`.*units=4"),
    ],
)
def test_refuses_what_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        HardAttention(**options)


def test_refuses_sizes_that_do_not_fit():
    query, value, key = sequences(same=False)
    for score in ("dot", "scaled_dot", "minus"):
        units = 3 if score == "minus" else None
        with pytest.raises(ValueError, match="same size.*key_shape"):
            HardAttention(score, units=units)(query, value, key)
