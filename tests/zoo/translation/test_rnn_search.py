"""RNNsearch against NumPy, written from the paper's appendix."""

import keras
import numpy as np
import pytest

from tests.numbers import close, numpy, randomize
from tests.zoo.contract import check_decoder
from tests.zoo.translation.memories import (
    SOURCE,
    SOURCE_IDS,
    TARGET,
    TARGET_IDS,
    memory,
    shapes_of,
)
from zoo.losses import SentenceCrossentropy
from zoo.translation.rnn_search import PRESETS, SearchingDecoder, rnn_search

UNITS, WIDTH = 6, 3
SHAPES = {"values": 8, "forward": 4, "backward": 4}


def decoder(attention=True, size=2.0, **options):
    made = SearchingDecoder(
        *(TARGET, attention, WIDTH, UNITS), attention_units=5, **options
    )
    made.build((None, None), shapes_of(memory(SHAPES)))
    randomize(made, seed=1)
    for variable in made.trainable_variables:
        variable.assign(size * numpy(variable))
    return made


def weights_of(made):
    return {
        v.path.split("/", 1)[-1]: numpy(v).astype("float64")
        for v in made.weights
    }


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru(w, name, x, before):
    """The paper's: what is forgotten is forgotten before it is multiplied."""
    size = before.shape[1]
    kernel, recurrent = w[f"{name}/kernel"], w[f"{name}/recurrent_kernel"]
    x = x @ kernel + w[f"{name}/bias"]
    z = sigmoid(x[:, :size] + before @ recurrent[:, :size])
    r = sigmoid(x[:, size:-size] + before @ recurrent[:, size:-size])
    new = np.tanh(x[:, -size:] + (r * before) @ recurrent[:, -size:])
    return z * before + (1 - z) * new


def by_hand(made, memory, ids):
    """Logits and weights in float64."""
    w = weights_of(made)
    values, mask = memory["values"].astype("float64"), memory["mask"]
    state = np.tanh(memory["backward"] @ w["first/kernel"])
    ends = np.concatenate([memory["forward"], memory["backward"]], axis=1)
    logits, weights = [], []
    for last in ids.T:
        word, context = w["embedding/embeddings"][last], ends
        if made.attention:
            hidden = np.tanh(
                values @ w["look/key/kernel"]
                + (state @ w["look/query/kernel"])[:, None]
            )
            scores = hidden @ w["look/score_vector"]
            shares = np.where(mask, np.exp(scores), 0)
            shares /= shares.sum(axis=1, keepdims=True)
            weights.append(shares)
            context = np.einsum("bs,bsd->bd", shares, values)
        read = np.concatenate([state, context, word], axis=1)
        pairs = read @ w["maxout/kernel"] + w["maxout/bias"]
        best = pairs.reshape(-1, WIDTH, 2).max(axis=-1)
        logits.append(best @ w["logits/kernel"] + w["logits/bias"])
        x = np.concatenate([word, context], axis=1)
        state = gru(w, "cell", x, state)
    return np.stack(logits, 1), np.stack(weights, 1) if weights else None


@pytest.mark.parametrize("attention", [True, False])
def test_the_decoder_equals_the_papers_equations(attention):
    made, read = decoder(attention), memory(SHAPES)
    logits, weights = by_hand(made, read, TARGET_IDS)
    close(made(TARGET_IDS, read), logits, 1e-4, 1e-4)
    if not attention:
        with pytest.raises(ValueError, match="attention=False"):
            made(TARGET_IDS, read, return_attention_scores=True)
        return
    found, maps = made(TARGET_IDS, read, return_attention_scores=True)
    close(found, logits, 1e-4, 1e-4)
    close(maps, weights, 1e-4, 1e-5)
    assert 0.4 < weights[0].max()  # it does look somewhere


def test_the_encoder_reads_both_ways_and_begins_where_backwards_ended():
    model = rnn_search(SOURCE, 4, TARGET, 4, **PRESETS["tiny"])
    encoder = model.get_layer("encoder")
    randomize(encoder, seed=3)
    found = {k: numpy(v) for k, v in encoder(SOURCE_IDS).items()}
    w = {v.path: numpy(v).astype("float64") for v in encoder.weights}
    table = next(x for path, x in w.items() if "embedding" in path)
    cells = {
        way: {
            f"x/{path.rsplit('/', 1)[1]}": x
            for path, x in w.items()
            if f"/{way}_" in path or path.startswith(f"{way}_")
        }
        for way in ("forward", "backward")
    }
    for row, ids in enumerate(SOURCE_IDS):
        words = table[ids[ids != 0]][:, None]
        for way, order in (("forward", 1), ("backward", -1)):
            state, states = np.zeros((1, 12)), []
            for word in words[::order]:
                state = gru(cells[way], "x", word, state)
                states.append(state[0])
            close(found[way][row], states[-1], 1e-4, 1e-5)
            half = slice(0, 12) if way == "forward" else slice(12, 24)
            close(
                found["values"][row, : len(words), half],
                np.array(states[::order]),
                1e-4,
                1e-5,
            )


@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.slow
def test_keeps_the_contract_of_decoders(attention, tmp_path):
    made = decoder(attention, size=2.5)
    read, padded = (memory(SHAPES, x, rows=2) for x in (0.0, 9.0))
    check_decoder(made, read, padded, tmp_path, 3)


def test_an_empty_text_has_an_empty_translation():
    made, read = decoder(), memory(SHAPES)
    others = by_hand(made, read, TARGET_IDS)[0][[0, 2]]
    read["mask"][1] = False
    logits = numpy(made(TARGET_IDS, read))
    shares = np.exp(logits[1]) / np.exp(logits[1]).sum(-1, keepdims=True)
    close(shares[:, 0], np.ones(4), 0, 1e-6)
    close(logits[[0, 2]], others, 1e-4, 1e-4)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_drops_in_training_only(dropout):
    model = rnn_search(SOURCE, 4, TARGET, 4, dropout=dropout, **PRESETS["tiny"])
    inputs = {"source_ids": SOURCE_IDS, "target_ids": TARGET_IDS}
    plain = numpy(model(inputs))
    close(numpy(model(inputs)), plain, 0, 0)
    trained = numpy(model(inputs, training=True))
    assert (abs(trained - plain).max() > 1e-4) == bool(dropout)


@pytest.mark.slow
def test_learns_to_copy():
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    words = generator.integers(2, 6, (64, 5)).astype("int32")
    inputs = {
        "source_ids": words,
        "target_ids": np.pad(
            words[:, :-1], ((0, 0), (1, 0)), constant_values=1
        ),
    }
    model = rnn_search(6, 5, 6, 5, **PRESETS["tiny"])
    model.compile("adam", SentenceCrossentropy())
    model.optimizer.learning_rate = 0.02
    first = model.evaluate(inputs, words, verbose=0)
    model.fit(inputs, words, epochs=15, batch_size=32, verbose=0)
    assert model.evaluate(inputs, words, verbose=0) < 0.7 * first


@pytest.mark.parametrize("dropout", [1, -0.1, 1.5])
def test_refuses_a_dropout_that_leaves_nothing(dropout):
    with pytest.raises(ValueError, match=f"dropout={dropout}"):
        rnn_search(9, 4, 9, 4, dropout=dropout)


def test_a_decoder_is_made_again_from_its_configuration():
    made = decoder()
    again = SearchingDecoder.from_config(made.get_config())
    again.build((None, None), shapes_of(memory(SHAPES)))
    again.set_weights(made.get_weights())
    read = memory(SHAPES)
    close(again(TARGET_IDS, read), numpy(made(TARGET_IDS, read)), 0, 1e-6)
