"""The reader with a long memory: what it recalls, and what it learns from."""

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
)
from zoo.losses import SentenceCrossentropy
from zoo.translation.long_memory_reader import (
    PRESETS,
    STATES,
    RemindedDecoder,
    long_memory_reader,
)

INPUTS = {"source_ids": SOURCE_IDS, "target_ids": TARGET_IDS}
TINY = PRESETS["tiny"]


def network(**options):
    """Weights that recall one memory more than the others."""
    made = long_memory_reader(SOURCE, 4, TARGET, 4, **{**TINY, **options})
    randomize(made, seed=2)
    for variable in made.trainable_variables:
        variable.assign(2 * numpy(variable))
    return made


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def sparse(scores, k):
    """As the paper has it; a softmax of no more than k."""
    if len(scores) <= k:
        shares = np.exp(scores - scores.max()) if len(scores) else scores
        return shares / max(shares.sum(), 1e-300)
    over = np.maximum(scores - np.sort(scores)[::-1][k], 0)
    return over / over.sum() if over.any() else over


def read_by_hand(w, words, state, k=2, every=2):
    """Steps of one text: outputs, weights, and the state after them."""
    h, c, stored, count = state
    outputs, weights = [], []
    for x in words:
        i, f, new, o = np.split(
            x @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"], 4
        )
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(new)
        hat = sigmoid(o) * np.tanh(c)
        scores = np.array(
            [
                np.tanh(hat @ w["query"] + key) @ w["score_vector"]
                for _, key in stored
            ]
        )
        shares = sparse(scores, k)
        summary = sum(
            (share * m for share, (m, _) in zip(shares, stored)), 0 * hat
        )
        h = hat + summary
        count += 1
        if count % every == 0:
            # The key is that of who stored it.
            stored = [*stored, (h, h @ w["key"])]
        outputs.append(np.concatenate([h, summary]))
        weights.append(shares)
    return outputs, weights, (h, c, stored, count)


def cell_of(cell):
    w = {
        "/".join(v.path.split("/")[-2:]): numpy(v).astype("float64")
        for v in cell.weights
    }
    names = ("kernel", "recurrent_kernel", "bias")
    return {
        **{name: w[f"lstm/{name}"] for name in names},
        **{name: w[f"{name}/kernel"] for name in ("query", "key")},
        "score_vector": numpy(cell.score_vector).astype("float64"),
    }


def test_equals_the_papers_equations_over_both_texts():
    model = network()
    encoder, decoder = (model.get_layer(x) for x in ("encoder", "decoder"))
    tables = (
        numpy(encoder.get_layer("source_embedding").embeddings),
        numpy(decoder.embedding.embeddings),
    )
    reading = cell_of(encoder.get_layer("reading").cell)
    saying = cell_of(decoder.cell)
    kernel, bias = map(numpy, decoder.logits.weights)
    memory = encoder(SOURCE_IDS)
    found, maps = decoder(TARGET_IDS, memory, return_attention_scores=True)
    for row, (source, target) in enumerate(zip(SOURCE_IDS, TARGET_IDS)):
        source = source[source != 0]
        state = np.zeros(8), np.zeros(8), [], 0
        _, _, state = read_by_hand(reading, tables[0][source], state)
        outputs, weights, _ = read_by_hand(saying, tables[1][target], state)
        close(found[row], np.stack(outputs) @ kernel + bias, 1e-4, 1e-4)
        expected = np.zeros((4, 4))
        for step, shares in enumerate(weights):
            for place, share in enumerate(shares[: len(source) // 2]):
                expected[step, 2 * place + 1] = share
        close(maps[row], expected, 1e-4, 1e-5)
    assert numpy(maps)[0].max() > 0.6  # it does recall something
    close(model(INPUTS), found, 1e-5, 1e-5)


def test_without_recall_nothing_old_is_told():
    """The gradient to a word before the last block is zero; with it is not."""
    seen = {}
    for recall in (True, False):
        model = network(recall=recall)
        encoder, decoder = (model.get_layer(x) for x in ("encoder", "decoder"))
        assert decoder.attention == recall
        table = encoder.get_layer("source_embedding").embeddings
        ids = np.arange(3, 9, dtype="int32")[None]
        seen[recall] = gradient(
            model, {"source_ids": ids, "target_ids": TARGET_IDS[:1]}, table
        )
    # Six words are read in blocks of three; the cut is before the fourth and
    # before the first that is said. Two of the three memories are recalled.
    stored = np.abs(seen[True][[4, 6, 8]]).max(axis=1)
    assert (stored > 1e-7).sum() == 2
    assert np.abs(seen[False]).max() == 0
    with pytest.raises(ValueError, match="attention=False"):
        network(recall=False).get_layer("decoder")(
            TARGET_IDS, encoder(SOURCE_IDS), return_attention_scores=True
        )


def gradient(model, inputs, variable):
    """Of the sum of all logits, by the rows of a table."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(inputs, training=True))
        found = tape.gradient(loss, variable.value)
        if found is None:
            return np.zeros(variable.shape)
        return numpy(tf.convert_to_tensor(found))
    pytest.skip("gradients of the cell are tested on every backend")


def test_padding_changes_nothing():
    model = network()
    wide = {k: np.pad(v, ((0, 0), (0, 3))) for k, v in INPUTS.items()}
    close(numpy(model(wide))[:, :4], model(INPUTS))


def test_all_that_is_stored_is_kept():
    model = long_memory_reader(9, 21, 9, 12, **{**TINY, "attend_every": 4})
    cell = model.get_layer("encoder").get_layer("reading").cell
    decoder = model.get_layer("decoder")
    assert cell.max_memories == decoder.cell.max_memories == 33 // 4
    assert cell.truncate == 3 and cell.top_k == 2 and cell.attend_every == 4


@pytest.mark.slow
@pytest.mark.parametrize("recall", [True, False])
def test_keeps_the_contract_of_decoders(recall, tmp_path):
    model = network(recall=recall)
    encoder, decoder = (model.get_layer(x) for x in ("encoder", "decoder"))
    read = {k: numpy(v) for k, v in encoder(SOURCE_IDS[:2]).items()}
    assert set(read) == {"mask", *STATES}
    check_decoder(decoder, read, read, tmp_path, 3)


def test_an_empty_text_has_an_empty_answer():
    model = network()
    empty = {**INPUTS, "source_ids": SOURCE_IDS * [[1], [0], [1]]}
    logits = numpy(model(empty))
    shares = np.exp(logits[1]) / np.exp(logits[1]).sum(-1, keepdims=True)
    close(shares[:, 0], np.ones(4), 0, 1e-6)
    close(logits[[0, 2]], numpy(model(INPUTS))[[0, 2]])


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_drops_in_training_only(dropout):
    model = network(dropout=dropout)
    plain = numpy(model(INPUTS))
    close(numpy(model(INPUTS)), plain, 0, 0)
    trained = numpy(model(INPUTS, training=True))
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
    model = long_memory_reader(6, 5, 6, 5, **TINY)
    model.compile("adam", SentenceCrossentropy())
    model.optimizer.learning_rate = 0.02
    first = model.evaluate(inputs, words, verbose=0)
    model.fit(inputs, words, epochs=15, batch_size=32, verbose=0)
    assert model.evaluate(inputs, words, verbose=0) < 0.7 * first


@pytest.mark.parametrize(
    "arguments, message",
    [({"dropout": 1}, "dropout=1"), ({"top_k": 0}, "top_k=0")],
)
def test_refuses_what_it_cannot_build(arguments, message):
    with pytest.raises(ValueError, match=message):
        long_memory_reader(9, 4, 9, 4, **{**TINY, **arguments})


def test_a_decoder_is_made_again_from_its_configuration():
    model = network()
    encoder, made = (model.get_layer(x) for x in ("encoder", "decoder"))
    memory = encoder(SOURCE_IDS)
    again = RemindedDecoder.from_config(made.get_config())
    again(TARGET_IDS, memory)
    again.set_weights(made.get_weights())
    close(again(TARGET_IDS, memory), numpy(made(TARGET_IDS, memory)), 0, 1e-6)
