"""SABCell against the paper's equations, in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import SABCell
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
        SABCell,
        inits=[
            {
                "units": 6,
                "top_k": 2,
                "attend_every": 1,
                "truncate": 3,
                "max_memories": 5,
            },
            {
                "units": 5,
                "top_k": 3,
                "attend_every": 2,
                "truncate": None,
                "max_memories": 4,
                "include_summary": True,
            },
        ],
        output=[6, 10],
        weights=[5, 4],
        folder=tmp_path,
        policies=[p for p in POLICIES if halves or p != "float16"],
    )


def cell_of(top_k, attend_every, truncate, max_memories, **options):
    """A cell with any weights."""
    cell = SABCell(4, top_k, attend_every, truncate, max_memories, **options)
    cell.build((None, 5))
    randomize(cell)
    return cell


def steps(cell, words):
    """Outputs and weights, called step by step."""
    states = cell.get_initial_state(batch_size=len(words))
    outputs, shares = [], []
    for t in range(words.shape[1]):
        output, states, weights = cell(
            words[:, t], states, return_attention_scores=True
        )
        outputs.append(output)
        shares.append(numpy(weights))
    return keras.ops.stack(outputs, axis=1), np.stack(shares, axis=1)


def by_hand(cell, words):
    """The paper's equations, with a dict of memories. One sample."""
    kernel, recurrent_kernel, bias, W, U, v = arrays(
        cell,
        "lstm/kernel",
        "lstm/recurrent_kernel",
        "lstm/bias",
        "query/kernel",
        "key/kernel",
        "score_vector",
    )
    units = len(v)
    h, c, memory = np.zeros(units), np.zeros(units), {}
    outputs, shares = [], []
    for t, x in enumerate(words):
        i, f, g, o = np.split(x @ kernel + h @ recurrent_kernel + bias, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        weights = np.zeros(cell.max_memories)
        if memory:
            places = list(memory)
            scores = np.array(
                [v @ np.tanh(h @ W + memory[i] @ U) for i in places]
            )
            weights[places] = sparse(scores, cell.top_k)
        summary = sum((weights[i] * memory[i] for i in memory), np.zeros(units))
        h = h + summary
        if (t + 1) % cell.attend_every == 0:
            memory[t // cell.attend_every % cell.max_memories] = h
        outputs.append(np.concatenate([h, summary]))
        shares.append(weights)
    return np.array(outputs), np.array(shares)


def sparse(scores, top_k):
    if len(scores) <= top_k:
        return softmax(scores)
    excess = np.maximum(scores - np.sort(scores)[::-1][top_k], 0)
    return excess / excess.sum()


@pytest.mark.parametrize(
    "top_k, attend_every, max_memories",
    [(2, 1, 20), (1, 2, 6), (2, 1, 4), (3, 2, 2), (1, 3, 2), (9, 1, 11)],
)
def test_equals_the_equations_of_the_paper(top_k, attend_every, max_memories):
    cell = cell_of(top_k, attend_every, 3, max_memories, include_summary=True)
    outputs = keras.layers.RNN(cell, return_sequences=True)(WORDS)
    _, weights = steps(cell, WORDS)
    for b in range(2):
        expected, shares = by_hand(cell, WORDS[b])
        close(outputs[b], expected)
        close(weights[b], shares)
        assert np.abs(expected[:, 4:]).max() > 0.05  # it recalls something


def test_is_an_lstm_while_there_is_no_memory():
    cell = cell_of(2, 11, None, 3)
    twin = keras.layers.LSTM(4, return_sequences=True)
    twin.build(WORDS.shape)
    twin.cell.set_weights(cell.lstm.get_weights())
    close(
        keras.layers.RNN(cell, return_sequences=True)(WORDS),
        twin(WORDS),
        0,
        1e-6,
    )


@pytest.mark.parametrize("top_k", [1, 2, 3])
def test_recalls_exactly_top_k_memories_and_all_while_there_are_fewer(top_k):
    cell = cell_of(top_k, 1, None, 11)
    _, weights = steps(cell, WORDS)
    survivors = (weights > 0).sum(axis=-1)
    assert (survivors == np.minimum(np.arange(11), top_k)).all()


def test_the_output_may_end_in_the_summary():
    plain = cell_of(2, 1, 3, 11)
    both = cell_of(2, 1, 3, 11, include_summary=True)
    both.set_weights(plain.get_weights())
    expected, _ = steps(plain, WORDS)
    actual, _ = steps(both, WORDS)
    close(actual[:, :, :4], expected)
    assert tuple(actual.shape) == (2, 11, 8)


def reached(cell, words, of):
    """The steps to which the output of a step passes a gradient."""

    def output(words):
        outputs = keras.layers.RNN(cell, return_sequences=True)(words)
        return keras.ops.sum(outputs[:, of] ** 2)

    (slopes,) = gradients(output, words)
    return [set(np.flatnonzero(np.abs(s).max(axis=1) > 0)) for s in slopes]


@pytest.mark.parametrize("of", [2, 3, 5, 8, 10])
def test_the_gradient_is_cut_before_each_block(of):
    cell = cell_of(2, 11, 3, 3)  # there is never a memory
    expected = set(range(of // 3 * 3, of + 1))
    assert reached(cell, WORDS, of) == [expected] * 2


@pytest.mark.parametrize(
    "top_k, attend_every, truncate", [(1, 1, 1), (1, 3, 2), (2, 2, 1)]
)
def test_the_gradient_passes_to_what_was_recalled_and_nothing_else(
    top_k, attend_every, truncate
):
    cell = cell_of(top_k, attend_every, truncate, 11)
    _, weights = steps(cell, WORDS)
    for b, found in enumerate(reached(cell, WORDS, 10)):
        expected, ways = set(), [10]
        while ways:
            last = ways.pop()
            for t in range(last // truncate * truncate, last + 1):
                expected.add(t)
                ways += [
                    (i + 1) * attend_every - 1
                    for i in np.flatnonzero(weights[b, t])
                ]
        assert found == expected
        assert truncate < len(found) < 11


def test_the_gradient_is_never_cut_without_blocks():
    cell = cell_of(2, 11, None, 3)
    assert reached(cell, WORDS, 10) == [set(range(11))] * 2


def test_the_first_block_passes_a_gradient_to_the_states_given():
    cell = cell_of(2, 1, 3, 3)
    _, *others = cell.get_initial_state(batch_size=2)

    def output(h):
        states = [h, *others]
        for t in range(3):
            h, states = cell(WORDS[:, t], states)
        return keras.ops.sum(h**2)

    (slope,) = gradients(output, np.ones((2, 4), "float32"))
    assert (np.abs(slope) > 0).any()


# Without memories nothing is scored; PyTorch says so of the scoring weights.
@pytest.mark.filterwarnings("ignore:Gradients do not exist for variables")
@pytest.mark.slow
def test_learns_what_lies_beyond_its_blocks():
    """The first word is asked for at the end; a block is two steps long.

    Without memories an LSTM may happen to carry it there, but learns nothing
    of it: one of two starts at least fails, where none does with them.
    """
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 256)
    words = rng.normal(0, 0.1, size=(256, 16, 3)).astype("float32")
    words[:, 0, 0] = 2 * labels - 1
    words[:, -1, 1] = 1

    def accuracy(cell, seed):
        keras.utils.set_random_seed(seed)
        model = keras.Sequential(
            [
                keras.Input(words.shape[1:]),
                keras.layers.RNN(cell),
                keras.layers.Dense(1),
            ]
        )
        model.compile(
            keras.optimizers.Adam(0.02, clipnorm=1.0),
            keras.losses.BinaryCrossentropy(from_logits=True),
        )
        model.fit(words, labels[:, None], epochs=20, batch_size=64, verbose=0)
        return np.mean((numpy(model(words))[:, 0] > 0) == labels)

    seeds = (1, 2)
    assert min(accuracy(SABCell(8, 3, 1, 2, 16), x) for x in seeds) > 0.95
    # It never recalls anything.
    assert min(accuracy(SABCell(8, 3, 99, 2, 1), x) for x in seeds) < 0.8


def test_counts_its_steps_in_bfloat16():
    """Which holds no integers beyond 256."""
    cell = SABCell(2, 3, 130, None, 4, dtype="mixed_bfloat16")
    *states, _ = cell.get_initial_state(batch_size=1)
    states.append(np.array([[254, 0, 0]]))  # steps
    memories = []
    for _ in range(8):
        _, states, weights = cell(
            np.ones((1, 3)), states, return_attention_scores=True
        )
        memories.append(int((as_float32(weights) > 0).sum()))
    assert memories == [1] * 6 + [2] * 2


@pytest.mark.parametrize(
    "options, message",
    [
        ({"units": 0}, "units=0"),
        ({"top_k": 0}, "top_k=0"),
        ({"attend_every": 0}, "attend_every=0"),
        ({"truncate": 0}, "truncate=0"),
        ({"max_memories": 0}, "max_memories=0"),
        ({"max_memories": None}, "max_memories=None"),
    ],
)
def test_refuses_what_cannot_be(options, message):
    right = {
        "units": 4,
        "top_k": 2,
        "attend_every": 1,
        "truncate": 3,
        "max_memories": 5,
    }
    with pytest.raises(ValueError, match=message):
        SABCell(**{**right, **options})
