"""Show, Attend and Tell against NumPy, and its two losses."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import attention_maps
from keras_attention.sequence import hard_attention
from tests.numbers import close, numpy, randomize
from tests.zoo.captioning.unpacked import Unpacked
from tests.zoo.contract import check_decoder
from zoo.captioning.show_attend_tell import (
    PRESETS,
    AttendingDecoder,
    hard_loss,
    show_attend_tell,
)
from zoo.losses import SentenceCrossentropy
from zoo.own_loss import NetworkWithOwnLoss

GRID, DEPTH, TOKENS, STEPS = (2, 3), 4, 5, 3
MEMORY = np.random.default_rng(0).normal(size=(3, 6, DEPTH)).astype("float32")
IDS = np.array([[1, 3, 4, 4], [1, 4, 2, 0], [1, 0, 0, 0]], "int32")


def decoder(attention="soft", grid=GRID, size=1.0, **options):
    made = AttendingDecoder(
        TOKENS,
        grid,
        attention,
        units=6,
        embedding_dim=3,
        attention_units=5,
        **options,
    )
    made.build((None, None), (None, grid[0] * grid[1], DEPTH))
    randomize(made, seed=1)
    for variable in made.trainable_variables:
        variable.assign(size * numpy(variable))
    return made


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_hand(made, memory, ids):
    """Logits and weights in float64, by the paper's equations."""
    w = {
        v.path.split("/", 1)[-1]: numpy(v).astype("float64")
        for v in made.weights
    }
    memory = memory.astype("float64")
    mean = memory.mean(axis=1)
    hidden = np.tanh(mean @ w["first_hidden/kernel"] + w["first_hidden/bias"])
    cell = np.tanh(mean @ w["first_cell/kernel"] + w["first_cell/bias"])
    logits, weights = [], []
    for last in ids.T:
        if made.attention == "none":
            context = mean
        else:
            if made.attention == "soft":
                key = memory @ w["look/key/kernel"] + w["look/key/bias"]
                query = hidden @ w["look/query/kernel"]
                gate = w["look/gate/kernel"], w["look/gate/bias"]
            else:
                key = memory @ w["look/key_kernel"]
                query = hidden @ w["look/query_kernel"]
                gate = w["gate/kernel"], w["gate/bias"]
            scores = np.tanh(key + query[:, None]) @ w["look/score_vector"]
            shares = np.exp(scores - scores.max(1, keepdims=True))
            shares /= shares.sum(1, keepdims=True)
            weights.append(shares)
            read = shares
            if made.attention == "hard":
                read = np.eye(memory.shape[1])[shares.argmax(1)]
            context = np.einsum("bl,bld->bd", read, memory)
            context = sigmoid(hidden @ gate[0] + gate[1]) * context
        word = w["embedding/embeddings"][last]
        x = np.concatenate([word, context], axis=1)
        z = x @ w["cell/kernel"] + hidden @ w["cell/recurrent_kernel"]
        i, f, g, o = np.split(z + w["cell/bias"], 4, axis=1)
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
        hidden = sigmoid(o) * np.tanh(cell)
        deep = word + hidden @ w["of_state/kernel"] + w["of_state/bias"]
        deep = np.tanh(deep + context @ w["of_seen/kernel"])
        logits.append(deep @ w["logits/kernel"] + w["logits/bias"])
    return np.stack(logits, 1), np.stack(weights, 1) if weights else None


@pytest.mark.parametrize("attention", ["soft", "hard", "none"])
def test_equals_the_papers_equations(attention):
    made = decoder(attention, size=3.0)
    logits, weights = by_hand(made, MEMORY, IDS)
    close(made(IDS, MEMORY), logits, 1e-4, 1e-5)
    if attention == "none":
        with pytest.raises(ValueError, match="attention='none'"):
            made(IDS, MEMORY, return_attention_scores=True)
        return
    found, maps = made(IDS, MEMORY, return_attention_scores=True)
    close(found, logits, 1e-4, 1e-5)
    close(maps, weights.reshape(3, 4, *GRID), 1e-4, 1e-5)
    assert weights.max() > 0.5  # it does look somewhere


@pytest.mark.parametrize("attention", ["soft", "hard", "none"])
@pytest.mark.slow
def test_keeps_the_contract_of_decoders(attention, tmp_path):
    made = Unpacked(decoder(attention, size=2.0))
    memory = {"places": MEMORY[:2]}
    check_decoder(made, memory, memory, tmp_path, STEPS)


def test_the_state_before_the_word_says_where_to_look():
    made = decoder()
    other = IDS.copy()
    other[:, 1] = 2
    _, maps = made(IDS, MEMORY, return_attention_scores=True)
    _, changed = made(other, MEMORY, return_attention_scores=True)
    # A word changes the state behind it, and so the map of the next word only.
    np.testing.assert_array_equal(numpy(maps)[:, :2], numpy(changed)[:, :2])
    assert np.abs(numpy(maps)[:, 2] - numpy(changed)[:, 2]).max() > 1e-3


def test_dropout_is_of_training_only():
    made, plain = decoder(dropout=0.5, seed=0), decoder()
    close(made(IDS, MEMORY), numpy(plain(IDS, MEMORY)))
    trained = numpy(made(IDS, MEMORY, training=True))
    assert np.abs(trained - numpy(plain(IDS, MEMORY))).max() > 0.01


def network(attention="soft", **options):
    keras.utils.set_random_seed(0)
    model = show_attend_tell(
        (16, 24, 3), TOKENS, 4, attention, **{**PRESETS["tiny"], **options}
    )
    model.compile(keras.optimizers.SGD(0.0), SentenceCrossentropy())
    return model


def batch():
    generator = np.random.default_rng(0)
    image = generator.uniform(0, 255, (3, 16, 24, 3)).astype("float32")
    words = np.pad(IDS[:, 1:], ((0, 0), (0, 1)))
    return {"image": image, "target_ids": IDS}, words


@pytest.mark.slow
def test_the_regulariser_asks_that_all_places_are_looked_at():
    inputs, words = batch()
    model = network(stochastic_weight=0.5)
    assert isinstance(model, NetworkWithOwnLoss)
    weights = attention_maps(model, inputs)["decoder"]
    assert weights.shape == (3, 4, 4, 6)
    penalties = []
    for shares, count in zip(weights, [4, 3, 1]):  # the end counts
        reached = shares[:count].sum(axis=0)
        penalties.append(((1 - reached) ** 2).sum())
    plain = model.evaluate(inputs, words, verbose=0)
    found = model.train_on_batch(inputs, words)
    # Its batch statistics are others in training, so the maps are, a little.
    frozen = network(stochastic_weight=0.5)
    frozen.get_layer("encoder").trainable = False
    frozen.compile(keras.optimizers.SGD(0.0), SentenceCrossentropy())
    found = frozen.train_on_batch(inputs, words)
    assert found == pytest.approx(plain + 0.5 * np.mean(penalties), rel=1e-4)


def test_without_terms_of_its_own_it_is_a_plain_network():
    assert not isinstance(network(), NetworkWithOwnLoss)
    assert not isinstance(network("none"), NetworkWithOwnLoss)


def test_the_baseline_follows_the_reward():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(3, 4, TOKENS)).astype("float32")
    _, words = batch()
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    counts = np.array([4, 3, 1])
    reward = np.array(
        [
            sum(row[t, i[t]] for t in range(n))
            for row, i, n in zip(logs, words, counts)
        ]
    )
    log_probability = -generator.uniform(0, 3, (3, 4)).astype("float32")
    entropy = generator.uniform(0, 1, (3, 4)).astype("float32")
    baseline = keras.Variable(-2.0)
    found = hard_loss(
        words, logits, log_probability, entropy, baseline, 0.5, 0.25
    )
    expected = [
        -0.5 * (r + 2) * p[:n].sum() - 0.25 * h[:n].sum()
        for r, p, h, n in zip(reward, log_probability, entropy, counts)
    ]
    close(found, expected, 1e-5)
    assert float(numpy(baseline)) == pytest.approx(-1.8 + 0.1 * reward.mean())


def gradients_by(made, monkeypatch, memory, ids, words, baseline):
    """The probability of each way to look, and what is learned from it."""
    import tensorflow as tf

    places, steps = memory.shape[1], ids.shape[1]
    variables = [v.value for v in made.trainable_variables]
    monkeypatch.setattr(type(made), "_soft_this_time", lambda self: None)
    found, bound = [], 0.0
    with tf.GradientTape() as outer:
        for way in np.ndindex(*[places] * steps):
            turn = iter(way)
            monkeypatch.setattr(
                hard_attention,
                "one_hot_sample",
                lambda scores, mask, seed, turn=turn: ops.one_hot(
                    ops.full(scores.shape[:-1], next(turn), "int32"), places
                ),
            )
            with tf.GradientTape() as tape:
                logits, more = made(
                    ids, memory, return_more=True, training=True
                )
                made.baseline.assign(baseline)
                loss = SentenceCrossentropy()(words, logits) + ops.mean(
                    hard_loss(
                        words,
                        logits,
                        **more,
                        baseline=made.baseline,
                        entropy_weight=0.0,
                    )
                )
            chance = ops.exp(ops.sum(more["log_probability"]))
            found.append((numpy(chance), tape.gradient(loss, variables)))
            bound += chance * SentenceCrossentropy()(words, logits)
    return found, outer.gradient(bound, variables)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="gradients by its tape"
)
@pytest.mark.parametrize("baseline", [0.0, -3.0])
def test_the_hard_gradient_is_the_enumerated_one(baseline, monkeypatch):
    made = decoder("hard", grid=(1, 3), size=0.7)
    memory, ids = MEMORY[:1, :3], IDS[:1, :2]
    words = np.array([[3, 0]], "int32")
    found, expected = gradients_by(
        made, monkeypatch, memory, ids, words, baseline
    )
    assert sum(chance for chance, _ in found) == pytest.approx(1, rel=1e-5)
    assert len(found) == 9
    for place, one in enumerate(expected):
        mean = sum(
            chance * numpy(ops.convert_to_tensor(gradients[place]))
            for chance, gradients in found
            if gradients[place] is not None
        )
        one = numpy(ops.convert_to_tensor(one))
        np.testing.assert_allclose(mean, one, atol=1e-5)
    assert (
        max(np.abs(numpy(ops.convert_to_tensor(g))).max() for g in expected)
        > 0.05
    )


def test_half_of_the_batches_read_the_soft_context():
    made = decoder("hard", seed=3)
    drawn = [bool(numpy(made._soft_this_time())) for _ in range(200)]
    assert 70 < sum(drawn) < 130
    logits = [numpy(made(IDS, MEMORY, training=True)) for _ in range(20)]
    soft = decoder("hard", seed=3)
    monkey = soft.look.call

    def expected(*args, **options):
        context, log, weights = monkey(*args, **options)
        return ops.matmul(weights, args[1]), log, weights

    vars(soft.look)["call"] = expected
    wanted = numpy(soft(IDS, MEMORY))
    near = [np.allclose(each, wanted, atol=1e-5) for each in logits]
    assert 3 < sum(near) < 17


@pytest.mark.parametrize("attention", ["soft", "hard", "none"])
@pytest.mark.slow
def test_everything_learns(attention):
    inputs, words = batch()
    model = network(
        attention, stochastic_weight=0.1 if attention == "soft" else 0
    )
    model.compile(keras.optimizers.Adam(0.01), SentenceCrossentropy())
    before = {v.path: numpy(v).copy() for v in model.trainable_variables}
    for _ in range(3):
        loss = model.train_on_batch(inputs, words)
    assert np.isfinite(loss)
    for variable in model.trainable_variables:
        if variable.path.endswith("look/gate/bias"):
            continue
        assert (numpy(variable) != before[variable.path]).any(), variable.path


@pytest.mark.parametrize(
    "options, message",
    [
        ({"attention": "some"}, "attention='some'"),
        (
            {"stochastic_weight": -1},
            "`stochastic_weight`.*stochastic_weight=-1",
        ),
        ({"score_weight": float("nan")}, "score_weight=nan"),
        ({"entropy_weight": float("inf")}, "entropy_weight=inf"),
        ({"filters": [8, 8, 8, 8]}, "filters"),
    ],
)
def test_refuses_what_it_cannot_build(options, message):
    with pytest.raises(ValueError, match=message):
        network(**options)
