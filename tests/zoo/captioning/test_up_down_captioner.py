"""The two LSTMs of Up-Down against NumPy."""

import keras
import numpy as np
import pytest

from tests.numbers import close, numpy, randomize
from tests.zoo.captioning.unpacked import Unpacked
from tests.zoo.contract import check_decoder
from zoo.captioning.up_down_captioner import (
    PRESETS,
    UpDownDecoder,
    up_down_captioner,
)
from zoo.outputs.words import SentenceCrossentropy

GRID, DEPTH, TOKENS = (2, 3), 4, 5
MEMORY = np.random.default_rng(0).normal(size=(3, 6, DEPTH)).astype("float32")
IDS = np.array([[1, 3, 4, 4], [1, 4, 2, 0], [1, 0, 0, 0]], "int32")


def decoder(attention=True, size=2.0, **options):
    made = UpDownDecoder(
        TOKENS,
        GRID,
        attention,
        units=6,
        embedding_dim=3,
        attention_units=5,
        **options,
    )
    made.build((None, None), (None, 6, DEPTH))
    randomize(made, seed=1)
    for variable in made.trainable_variables:
        variable.assign(size * numpy(variable))
    return made


def lstm(w, name, inputs, state):
    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    hidden, cell = state
    z = np.concatenate(inputs, axis=1) @ w[f"{name}/kernel"]
    z = z + hidden @ w[f"{name}/recurrent_kernel"] + w[f"{name}/bias"]
    i, f, g, o = np.split(z, 4, axis=1)
    cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(cell), cell


def by_hand(made, memory, ids):
    """Logits and weights in float64, by the paper's equations."""
    w = {
        v.path.split("/", 1)[-1]: numpy(v).astype("float64")
        for v in made.weights
    }
    memory = memory.astype("float64")
    mean = memory.mean(axis=1)
    one = two = (np.zeros((len(ids), 6)), np.zeros((len(ids), 6)))
    logits, weights = [], []
    for last in ids.T:
        word = w["embedding/embeddings"][last]
        one = lstm(w, "looking", [two[0], mean, word], one)
        seen = mean
        if made.attention:
            key = memory @ w["look/key/kernel"]
            query = one[0] @ w["look/query/kernel"]
            scores = np.tanh(key + query[:, None]) @ w["look/score_vector"]
            shares = np.exp(scores - scores.max(1, keepdims=True))
            shares /= shares.sum(1, keepdims=True)
            weights.append(shares)
            seen = np.einsum("bl,bld->bd", shares, memory)
        two = lstm(w, "speaking", [seen, one[0]], two)
        logits.append(two[0] @ w["logits/kernel"] + w["logits/bias"])
    return np.stack(logits, 1), np.stack(weights, 1) if weights else None


@pytest.mark.parametrize("attention", [True, False])
def test_equals_the_papers_equations(attention):
    made = decoder(attention)
    logits, weights = by_hand(made, MEMORY, IDS)
    close(made(IDS, MEMORY), logits, 1e-4, 1e-5)
    if not attention:
        with pytest.raises(ValueError, match="attention=False"):
            made(IDS, MEMORY, return_attention_scores=True)
        return
    found, maps = made(IDS, MEMORY, return_attention_scores=True)
    close(found, logits, 1e-4, 1e-5)
    close(maps, weights.reshape(3, 4, *GRID), 1e-4, 1e-5)
    assert weights.max() > 0.4  # it does look somewhere


@pytest.mark.parametrize("attention", [True, False])
def test_keeps_the_contract_of_decoders(attention, tmp_path):
    made = Unpacked(decoder(attention, size=2.5))
    memory = {"places": MEMORY[:2]}
    check_decoder(made, memory, memory, tmp_path, 3)


def test_the_word_before_says_where_to_look():
    made = decoder()
    other = IDS.copy()
    other[:, 2] = 3
    _, maps = made(IDS, MEMORY, return_attention_scores=True)
    _, changed = made(other, MEMORY, return_attention_scores=True)
    # Unlike in Show, Attend and Tell: the attention LSTM has read it.
    np.testing.assert_array_equal(numpy(maps)[:, :2], numpy(changed)[:, :2])
    assert np.abs(numpy(maps)[:, 2] - numpy(changed)[:, 2]).max() > 1e-3


def test_dropout_is_of_training_only():
    made, plain = decoder(dropout=0.5, seed=0), decoder()
    close(made(IDS, MEMORY), numpy(plain(IDS, MEMORY)))
    trained = numpy(made(IDS, MEMORY, training=True))
    assert np.abs(trained - numpy(plain(IDS, MEMORY))).max() > 0.01


@pytest.mark.parametrize("attention", [True, False])
def test_everything_learns(attention):
    keras.utils.set_random_seed(0)
    model = up_down_captioner(
        (16, 24, 3), TOKENS, 4, attention, **PRESETS["tiny"]
    )
    model.compile(keras.optimizers.Adam(0.01), SentenceCrossentropy())
    generator = np.random.default_rng(0)
    image = generator.uniform(0, 255, (3, 16, 24, 3)).astype("float32")
    words = np.pad(IDS[:, 1:], ((0, 0), (0, 1)))
    before = {v.path: numpy(v).copy() for v in model.trainable_variables}
    for _ in range(3):
        model.train_on_batch({"image": image, "target_ids": IDS}, words)
    for variable in model.trainable_variables:
        assert (numpy(variable) != before[variable.path]).any(), variable.path


def test_refuses_a_picture_that_does_not_fit_its_grid():
    with pytest.raises(ValueError, match=r"input_shape=\(18, 24, 3\)"):
        up_down_captioner((18, 24, 3), TOKENS, 4, **PRESETS["tiny"])
