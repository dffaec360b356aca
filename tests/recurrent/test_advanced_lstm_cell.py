"""AdvancedLSTMCell against the paper's equations, in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import AdvancedLSTMCell
from tests.contract import POLICIES, check_cell
from tests.numbers import (
    arrays,
    as_float32,
    close,
    gradients,
    numpy,
    randomize,
    sigmoid,
    softmax,
)

WORDS = np.random.default_rng(1).normal(size=(2, 11, 5)).astype("float32")


@pytest.mark.slow
def test_contract(tmp_path):
    # Other backends make no orthogonal start of an LSTM in float16 on a CPU.
    halves = keras.backend.backend() == "tensorflow"
    check_cell(
        AdvancedLSTMCell,
        inits=[
            {"units": 6, "lags": (0, 1, 3), "update_every": 2},
            {"units": 5, "lags": (2, 1), "update_every": 1},
        ],
        output=[6, 5],
        weights=[{"hidden": 3, "cell": 3}, {"hidden": 2, "cell": 2}],
        folder=tmp_path,
        policies=[p for p in POLICIES if halves or p != "float16"],
    )


def lstm_step(x, h, c, kernel, recurrent_kernel, bias):
    i, f, g, o = np.split(x @ kernel + h @ recurrent_kernel + bias, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def by_hand(cell, words, lags, update_every):
    """The paper's equations, with a list of all states. One sample."""
    lstm = arrays(cell, "lstm/kernel", "lstm/recurrent_kernel", "lstm/bias")
    w = arrays(cell, "score_vector")[0] if len(lags) > 1 else None
    units = lstm[1].shape[0]
    hs, cs, shares = [], [], []
    for t, x in enumerate(words):
        h, c = (hs[-1], cs[-1]) if t else (np.zeros(units), np.zeros(units))
        places = [i for i, lag in enumerate(lags) if t - 1 - lag >= 0]
        share = np.zeros((2, len(lags)))
        if t and t % update_every == 0 and places:
            attended = []
            for row, states in zip(share, (hs, cs)):
                past = np.array([states[t - 1 - lags[i]] for i in places])
                row[places] = 1.0
                if w is not None:
                    row[places] = softmax(past @ w[:, 0])
                attended.append(row[places] @ past)
            h, c = attended
        h, c = lstm_step(x, h, c, *lstm)
        hs.append(h)
        cs.append(c)
        shares.append(share)
    return np.array(hs), np.array(cs), np.array(shares)


def steps(cell, words):
    """Outputs and weights, called step by step."""
    states = cell.get_initial_state(batch_size=len(words))
    outputs, shares = [], []
    for t in range(words.shape[1]):
        output, states, weights = cell(
            words[:, t], states, return_attention_scores=True
        )
        outputs.append(as_float32(output))
        shares.append([numpy(weights["hidden"]), numpy(weights["cell"])])
    return np.stack(outputs, 1), np.moveaxis(np.array(shares), 2, 0)


@pytest.mark.parametrize(
    "lags, update_every",
    [((0, 2, 4), 3), ((0, 2, 4), 1), ((3, 0), 2), ((2, 5), 1), ((2,), 2)],
)
def test_equals_the_equations_of_the_paper(lags, update_every):
    cell = AdvancedLSTMCell(4, lags=lags, update_every=update_every)
    cell.build((None, 5))
    randomize(cell)
    layer = keras.layers.RNN(cell, return_sequences=True, return_state=True)
    outputs, h, c, *_ = layer(WORDS)
    _, weights = steps(cell, WORDS)
    for b in range(2):
        hs, cs, shares = by_hand(cell, WORDS[b], lags, update_every)
        close(outputs[b], hs)
        close(h[b], hs[-1])
        close(c[b], cs[-1])
        close(weights[b], shares)
        assert (np.abs(hs - as_lstm(cell, WORDS)[b]) > 1e-3).any()


def as_lstm(cell, words):
    """The outputs of Keras's LSTM with the same weights."""
    lstm = keras.layers.LSTM(cell.units, return_sequences=True)
    lstm.build(words.shape)
    lstm.cell.set_weights(cell.lstm.get_weights())
    return numpy(lstm(words))


def test_the_last_state_alone_makes_the_lstm_of_keras():
    cell = AdvancedLSTMCell(4, lags=(0,), update_every=1)
    cell.build((None, 5))
    randomize(cell)
    twin = keras.layers.LSTMCell(4)
    twin.build((None, 5))
    twin.set_weights(cell.get_weights())
    assert cell.state_size == twin.state_size
    both = [
        keras.layers.RNN(each, return_sequences=True, return_state=True)(WORDS)
        for each in (cell, twin)
    ]
    for one, other in zip(*both, strict=True):
        close(one, other, 0, 1e-6)


def test_starts_as_the_lstm_of_keras_does():
    cell = AdvancedLSTMCell(4)
    cell.build((None, 5))
    twin = keras.layers.LSTMCell(4)
    twin.build((None, 5))
    bias = numpy(cell.lstm.bias)
    close(bias, numpy(twin.bias))
    assert (bias[4:8] == 1).all()


def test_is_a_plain_lstm_until_the_first_update():
    cell = AdvancedLSTMCell(4, update_every=11)
    layer = keras.layers.RNN(cell, return_sequences=True)
    layer.build(WORDS.shape)
    randomize(cell)
    close(layer(WORDS), as_lstm(cell, WORDS), 0, 1e-6)
    longer = np.concatenate([WORDS, WORDS], axis=1)
    differs = np.abs(numpy(layer(longer)) - as_lstm(cell, longer)).max((0, 2))
    assert (differs[:11] < 1e-6).all() and differs[11] > 1e-3


def test_attends_to_existing_steps_only():
    cell = AdvancedLSTMCell(4, lags=(0, 2, 4), update_every=1)
    cell.build((None, 5))
    randomize(cell)
    _, weights = steps(cell, WORDS)  # (B, T, h or c, lags)
    seen = (weights > 0).all(axis=(0, 2))
    expected = [[t > lag for lag in (0, 2, 4)] for t in range(11)]
    assert (seen == expected).all()


def test_the_gradient_reaches_what_was_attended_to_and_nothing_else():
    """Cut off from the last state, a step knows only those that it read."""
    cell = AdvancedLSTMCell(4, lags=(2, 5), update_every=8)
    cell.build((None, 5))
    randomize(cell)

    def last_output(words):
        states = cell.get_initial_state(batch_size=2)
        for t in range(9):
            output, states = cell(words[:, t], states)
        return keras.ops.sum(output**2)

    (slope,) = gradients(last_output, WORDS)
    reached = np.abs(slope).max(axis=(0, 2)) > 0
    # Step 8 reads the states of steps 5 and 2, which knew all before.
    assert (reached == [*[True] * 6, False, False, True, False, False]).all()


def test_counts_its_steps_in_bfloat16():
    """Which holds no integers beyond 256."""
    cell = AdvancedLSTMCell(
        2, lags=(0, 1), update_every=258, dtype="mixed_bfloat16"
    )
    *states, _ = cell.get_initial_state(batch_size=1)
    states.append(np.array([[254, 0, 0]]))  # steps
    looked = []
    for _ in range(6):
        _, states, weights = cell(
            np.ones((1, 3)), states, return_attention_scores=True
        )
        looked.append(bool(as_float32(weights["cell"]).any()))
    assert looked == [False] * 4 + [True, False]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"units": 0}, "units=0"),
        ({"units": 4, "update_every": 0}, "update_every=0"),
        ({"units": 4, "lags": ()}, r"lags=\(\)"),
        ({"units": 4, "lags": (0, -1)}, r"lags=\(0, -1\)"),
        ({"units": 4, "lags": (0, 2, 2)}, r"lags=\(0, 2, 2\)"),
        ({"units": 4, "lags": (0, True)}, r"lags=\(0, True\)"),
        ({"units": 4, "lags": 2}, "lags=2"),
    ],
)
def test_refuses_what_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        AdvancedLSTMCell(**options)
