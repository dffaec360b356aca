"""GPT: the papers' equations, its cache, its packed rows, its promises."""

import keras
import numpy as np
import pytest

from keras_attention import attention_maps
from tests.numbers import arrays, close, numpy, randomize
from tests.zoo.contract import check_decoder
from zoo.answering import Answering
from zoo.decoding import beam_search, sample
from zoo.language_modelling.gpt import PRESETS, SURE, gpt
from zoo.outputs.words import Words

WORDS, ROOM, DEPTH, HEADS = 7, 9, 8, 2
END, START = 0, 1
SIZES = {
    "embedding_dim": DEPTH,
    "num_layers": 2,
    "num_heads": HEADS,
    "intermediate_dim": 12,
}
BEGINNINGS = np.array([[3, 4, 5], [6, 0, 0], [0, 0, 0], [2, 5, 0]], "int32")
LENGTHS = [3, 1, 0, 2]


def model(seed=1, **options):
    made = gpt(WORDS, ROOM, **{**SIZES, "dropout": 0.0, **options})
    if seed is not None:
        randomize(made, seed)
    return made


def parts(made):
    return made.get_layer("encoder"), made.get_layer("decoder")


def ids(rows, length, seed=0):
    """The words before each: the start, then any, some of them the start."""
    made = np.random.default_rng(seed).integers(0, WORDS, (rows, length))
    made[:, 0] = START
    return made.astype("int32")


def told(targets, beginnings=None, documents=None):
    if beginnings is None:
        beginnings = np.zeros((len(targets), 1), "int32")
    if documents is None:
        documents = np.ones_like(targets)
    return {
        "token_ids": beginnings,
        "target_ids": targets,
        "document_ids": documents,
    }


def norm(x, gamma, beta):
    x = x - x.mean(-1, keepdims=True)
    return gamma * x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) + beta


def said_by_the_paper(decoder, text):
    """The logits behind each word of one text, by the papers' equations."""
    first = decoder.normalize_first
    weights = {
        w.path.split("decoder/", 1)[1]: numpy(w).astype("float64")
        for w in decoder.weights
    }
    x = weights["embedding/embeddings"][text]
    x = x + weights["places/embeddings"][: len(text)]
    for number in range(decoder.num_layers):
        own = {
            path.removeprefix(f"block_{number}/"): w
            for path, w in weights.items()
        }

        def normal(x, name, own=own):
            return norm(x, own[f"{name}/gamma"], own[f"{name}/beta"])

        def heads(x, name, own=own):
            kernel = own[f"self_attention/{name}/kernel"]
            bias = own[f"self_attention/{name}/bias"]
            return np.einsum("td,dnk->ntk", x, kernel) + bias[:, None]

        read = normal(x, "self_attention_norm") if first else x
        query, key, value = (
            heads(read, name) for name in ("query", "key", "value")
        )
        scores = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[-1])
        scores[:, np.triu(np.ones((len(text),) * 2, bool), 1)] = -np.inf
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        added = np.einsum(
            "ntk,nkd->td",
            shares @ value,
            own["self_attention/attention_output/kernel"],
        )
        x = x + added + own["self_attention/attention_output/bias"]
        x = x if first else normal(x, "self_attention_norm")

        read = normal(x, "feed_forward_norm") if first else x
        hidden = read @ own["expand/kernel"] + own["expand/bias"]
        hidden = (
            0.5
            * hidden
            * (
                1
                + np.tanh(np.sqrt(2 / np.pi) * (hidden + 0.044715 * hidden**3))
            )
        )
        x = x + hidden @ own["contract/kernel"] + own["contract/bias"]
        x = x if first else normal(x, "feed_forward_norm")
    if first:
        x = norm(x, weights["norm/gamma"], weights["norm/beta"])
    return x @ weights["embedding/embeddings"].T


@pytest.mark.parametrize("normalize_first", [True, False])
def test_equals_the_equations_of_the_papers(normalize_first):
    made = model(normalize_first=normalize_first)
    targets = ids(3, ROOM)
    found = numpy(made(told(targets)))
    for row in range(3):
        expected = said_by_the_paper(made.get_layer("decoder"), targets[row])
        close(found[row], expected, 1e-4, 2e-5)


def parameters(
    words, room, embedding_dim, num_layers, intermediate_dim, normalize_first
):
    D, F = embedding_dim, intermediate_dim
    block = 4 * (D * D + D) + (D * F + F) + (F * D + D) + 2 * 2 * D
    tables = words * D + room * D  # the last layer is the first of them
    return tables + num_layers * block + (2 * D if normalize_first else 0)


@pytest.mark.parametrize("normalize_first", [True, False])
def test_has_the_parameters_of_the_papers(normalize_first):
    made = model(None, normalize_first=normalize_first)
    assert made.count_params() == parameters(
        WORDS, ROOM, DEPTH, 2, 12, normalize_first
    )
    # The smallest GPT-2, and the first GPT, as released.
    assert parameters(50257, 1024, 768, 12, 3072, True) == 124_439_808
    assert parameters(40478, 512, 768, 12, 3072, False) == 116_534_784


@pytest.mark.parametrize("normalize_first", [True, False])
def test_begins_as_the_papers_say(normalize_first):
    layers = 8
    made = gpt(
        400,
        300,
        **{**SIZES, "embedding_dim": 64, "intermediate_dim": 256},
        normalize_first=normalize_first,
    )
    made = gpt(*(400, 300, 64, layers, 2, 256), normalize_first=normalize_first)
    less = 1 / np.sqrt(2 * layers) if normalize_first else 1
    seen = set()
    for weight in made.weights:
        path, value = weight.path, numpy(weight)
        name = path.rsplit("/", 1)[1]
        if name == "gamma":
            assert (value == 1).all()
        elif name in ("beta", "bias"):
            assert (value == 0).all()
        else:
            added = "contract" in path or "attention_output" in path
            wanted = 0.02 * (less if added else 1)
            assert 0.95 * wanted < value.std() < 1.05 * wanted, path
            assert abs(value.mean()) < wanted / 10
            seen.add(float(value.flat[0]))
    assert len(seen) == 2 + 6 * layers  # each its own numbers


@pytest.mark.parametrize("normalize_first", [True, False])
def test_no_word_knows_a_later_one(normalize_first):
    made = model(normalize_first=normalize_first)
    targets = ids(4, 6)
    before = numpy(made(told(targets, BEGINNINGS)))
    for place in range(1, 6):
        changed = targets.copy()
        changed[:, place:] = (changed[:, place:] + 1) % WORDS
        after = numpy(made(told(changed, BEGINNINGS)))
        np.testing.assert_array_equal(after[:, :place], before[:, :place])
        assert abs(after[:, place] - before[:, place]).max() > 1e-3


def test_a_beginning_is_the_text_before():
    made = model()
    encoder, decoder = parts(made)
    targets = ids(4, 5)
    found = numpy(made(told(targets, BEGINNINGS)))
    memory = encoder(BEGINNINGS)
    assert set(memory) == {"before", "first", "lengths"}
    np.testing.assert_array_equal(numpy(memory["lengths"]), LENGTHS)
    np.testing.assert_array_equal(numpy(memory["first"]), [5, 6, START, 5])
    for row, count in enumerate(LENGTHS):
        whole = [START, *BEGINNINGS[row, :count], *targets[row, 1:]]
        expected = said_by_the_paper(decoder, whole)[count:]
        close(found[row], expected, 1e-4, 2e-5)


@pytest.mark.parametrize("normalize_first", [True, False])
def test_steps_from_several_ends_are_the_whole(normalize_first):
    made = model(normalize_first=normalize_first)
    encoder, decoder = parts(made)
    targets, memory = ids(4, 5), encoder(BEGINNINGS)
    whole = numpy(decoder(targets, memory))
    state, steps = decoder.begin(memory), []
    for index in range(5):
        last = keras.ops.convert_to_tensor(targets[:, index])
        logits, state, maps = decoder.step(last, index, state, memory)
        steps.append(numpy(logits))
        for name in ("block_0", "block_1"):
            assert maps[name].shape == (4, HEADS, ROOM)
            seen = numpy(maps[name]) > 0
            for row, count in enumerate(LENGTHS):
                told_of = np.arange(ROOM) <= count + index
                assert (seen[row] == told_of).all()
    close(np.stack(steps, axis=1), whole, 1e-5, 1e-5)


@pytest.mark.parametrize("beams", [1, 3])
def test_goes_on_in_a_batch_as_from_each_beginning_alone(beams):
    encoder, decoder = parts(model())
    found, _ = beam_search(decoder, encoder(BEGINNINGS), START, 5, beams)
    for row, count in enumerate(LENGTHS):
        alone = encoder(BEGINNINGS[row : row + 1, :count])
        expected, _ = beam_search(decoder, alone, START, 5, beams)
        np.testing.assert_array_equal(
            numpy(found["token_ids"])[row], numpy(expected["token_ids"])[0]
        )
        close(found["score"][row], expected["score"][0], 1e-5, 1e-5)


def test_greedy_is_the_likeliest_word_each_time():
    made = model()
    encoder, decoder = parts(made)
    answers, _ = sample(decoder, encoder(BEGINNINGS), START, 5, temperature=0.0)
    found = numpy(answers["token_ids"])
    for row, count in enumerate(LENGTHS):
        text, expected = [START, *BEGINNINGS[row, :count]], []
        while len(expected) < 5 and END not in expected:
            logits = said_by_the_paper(decoder, text)[-1]
            logits[START] = -np.inf  # is never said
            expected.append(int(logits.argmax()))
            text.append(expected[-1])
        expected += [END] * (5 - len(expected))
        assert found[row].tolist() == expected


def test_the_zoo_answers_with_it_as_with_any_network_that_says_words():
    made = model()
    encoder, decoder = parts(made)
    output = Words(["a", "b", "c", "d"], length=5, beams=2)
    assert output.said.vocabulary_size == WORDS
    inputs = {"token_ids": keras.ops.convert_to_tensor(BEGINNINGS)}
    answers, maps = Answering(made, output, attention=True)(inputs)
    expected, _ = beam_search(decoder, encoder(BEGINNINGS), **output.decoding)
    np.testing.assert_array_equal(
        numpy(answers["token_ids"]), numpy(expected["token_ids"])
    )
    assert maps["block_1"].shape == (4, 5, HEADS, ROOM)


def test_sampled_words_come_with_their_probabilities():
    made = model()
    encoder, decoder = parts(made)
    memory = encoder(BEGINNINGS)
    answers, _ = sample(decoder, memory, START, 4, seed=3)
    said, scores = numpy(answers["token_ids"]), numpy(answers["score"])
    targets = np.pad(said[:, :-1], ((0, 0), (1, 0)), constant_values=START)
    logits = numpy(made(told(targets, BEGINNINGS))).astype("float64")
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    for row, text in enumerate(said.tolist()):
        count = [*text, END].index(END) + 1
        own = sum(logs[row, i, token] for i, token in enumerate(text[:count]))
        assert scores[row] == pytest.approx(own, abs=1e-4)


@pytest.mark.parametrize("normalize_first", [True, False])
def test_texts_packed_into_a_row_are_as_apart(normalize_first):
    made = model(normalize_first=normalize_first)
    targets = ids(2, 8)
    documents = np.array(
        [[1, 1, 1, 2, 2, 2, 2, 3], [5, 5, 2, 2, 2, 2, 0, 0]], "int32"
    )
    packed = numpy(made(told(targets, documents=documents)))
    assert np.isfinite(packed).all()
    for row in range(2):
        for text in {*documents[row]} - {0}:
            own = documents[row] == text
            alone = numpy(made(told(targets[row : row + 1, own])))[0]
            close(packed[row, own], alone, 1e-5, 1e-5)
    whole = numpy(made(told(targets)))
    assert abs(whole[:, 2:] - packed[:, 2:]).max() > 1e-2


def test_a_beginning_is_of_the_first_text_of_its_row():
    made = model()
    targets = ids(4, 6)
    documents = np.tile(np.int32([4, 4, 2, 2, 2, 0]), (4, 1))
    found = numpy(made(told(targets, BEGINNINGS, documents)))
    begun = numpy(made(told(targets[:, :2], BEGINNINGS)))
    alone = numpy(made(told(targets[:, 2:5])))
    close(found[:, :2], begun, 1e-5, 1e-5)
    close(found[:, 2:5], alone, 1e-5, 1e-5)


def test_padding_changes_nothing():
    made = model()
    encoder, decoder = parts(made)
    targets = ids(4, 4)
    expected = numpy(made(told(targets, BEGINNINGS)))
    wider = np.pad(BEGINNINGS, ((0, 0), (0, 4)))
    longer = np.pad(targets, ((0, 0), (0, 3)))
    for documents in (None, np.int32([[1, 1, 1, 1, 0, 0, 0]] * 4)):
        found = numpy(made(told(longer, wider, documents)))
        assert np.isfinite(found).all()
        close(found[:, :4], expected, 1e-5, 1e-5)
    memory = encoder(BEGINNINGS)
    behind = np.arange(3) >= np.array(LENGTHS)[:, None]
    other = np.where(behind, 6, numpy(memory["before"])).astype("int32")
    assert (other != numpy(memory["before"])).any()
    found = decoder(targets, {**memory, "before": other})
    close(found, expected, 1e-5, 1e-5)


def test_a_beginning_may_have_no_width():
    made = model()
    encoder, decoder = parts(made)
    targets = ids(2, 4)
    expected = made(told(targets))
    memory = encoder(np.zeros((2, 0), "int32"))
    close(decoder(targets, memory), expected, 1e-5, 1e-5)
    found, _ = beam_search(decoder, memory, START, 4)
    empty, _ = beam_search(
        decoder, encoder(np.zeros((2, 1), "int32")), START, 4
    )
    np.testing.assert_array_equal(
        numpy(found["token_ids"]), numpy(empty["token_ids"])
    )


def test_says_the_end_where_no_place_is_left():
    made = model()
    encoder, decoder = parts(made)
    decoder.embedding.embeddings.assign(
        numpy(decoder.embedding.embeddings) * np.float32([[0]] + [[1]] * 6)
    )
    beginnings = np.int32([[2, 3, 4, 5, 6, 2, 3], [2, 0, 0, 0, 0, 0, 0]])
    memory = encoder(beginnings)
    logits = numpy(made(told(ids(2, 5), beginnings)))
    # Seven words, the start before them; two places are left.
    full = np.array([[False, False, True, True, True], [False] * 5])
    sure = np.float32([SURE] + [0] * (WORDS - 1))
    np.testing.assert_array_equal(logits[full], np.tile(sure, (3, 1)))
    assert abs(logits[~full] - sure).max(axis=-1).min() > 1
    for beams in (1, 3):
        answers, _ = beam_search(decoder, memory, START, 6, beams)
        assert not numpy(answers["token_ids"])[0, 2:].any()
        assert np.isfinite(numpy(answers["score"])).all()
    state = decoder.begin(memory)
    for index in range(5):
        last = keras.ops.convert_to_tensor(ids(2, 5)[:, index])
        said, state, _ = decoder.step(last, index, state, memory)
        close(said, logits[:, index], 1e-5, 1e-5)


@pytest.mark.parametrize("normalize_first", [True, False])
@pytest.mark.slow
def test_keeps_the_contract_of_decoders(normalize_first, tmp_path):
    made = gpt(5, 6, **SIZES, dropout=0.0, normalize_first=normalize_first)
    randomize(made, seed=1)
    encoder, decoder = parts(made)
    beginnings = np.int32([[3, 4, 2], [2, 0, 0], [0, 0, 0]])
    memory = {k: numpy(x) for k, x in encoder(beginnings).items()}
    behind = np.arange(3) >= memory["lengths"][:, None]
    padded = np.where(behind, 4, memory["before"]).astype("int32")
    check_decoder(decoder, memory, {**memory, "before": padded}, tmp_path, 3)


def test_drops_in_training_only():
    made = model(dropout=0.5)
    data = told(ids(2, 5))
    whole = numpy(made(data))
    close(made(data, training=False), whole, 0, 0)
    assert abs(numpy(made(data, training=True)) - whole).max() > 1e-2
    encoder, decoder = parts(made)
    memory = encoder(BEGINNINGS)
    found = [
        numpy(beam_search(decoder, memory, START, 4)[0]["score"])
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_says_float32_whatever_it_computes_in(policy):
    exact = model()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        made = model()
    finally:
        keras.config.set_dtype_policy(before)
    encoder, decoder = parts(made)
    sublayers = decoder._flatten_layers(include_self=False)
    assert {layer.dtype_policy.name for layer in sublayers} == {policy}
    targets = ids(4, 5)
    logits = made(told(targets, BEGINNINGS))
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    expected = numpy(exact(told(targets, BEGINNINGS)))
    close(logits, expected, 0.1, 0.3)
    answers, _ = sample(decoder, encoder(BEGINNINGS), START, 4, seed=1)
    assert np.isfinite(numpy(answers["score"])).all()


def test_a_saved_model_is_read_again(tmp_path):
    made = model(normalize_first=False, dropout=0.2)
    made.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    data = told(ids(4, 5), BEGINNINGS)
    close(again(data), made(data), 0, 1e-6)
    decoder = again.get_layer("decoder")
    assert decoder.get_config() == made.get_layer("decoder").get_config()
    assert decoder.dropout == 0.2 and not decoder.normalize_first


def test_shows_where_each_block_looks():
    made = model()
    documents = np.int32([[1, 1, 2, 2, 0]] * 4)
    data = told(ids(4, 5), BEGINNINGS, documents)
    maps = attention_maps(made, data)["decoder"]
    assert list(maps) == ["block_0", "block_1"]
    begun = np.arange(3) < np.array(LENGTHS)[:, None]
    texts = np.concatenate([begun.astype("int32"), documents], axis=1)
    for weights in maps.values():
        assert weights.shape == (4, HEADS, 5, 8)
        same = (texts[:, 3:, None] == texts[:, None]) & (
            documents[:, :, None] > 0
        )
        same &= np.arange(8) <= np.arange(3, 8)[:, None]
        np.testing.assert_array_equal(
            weights > 0, np.broadcast_to(same[:, None], weights.shape)
        )
        close(weights.sum(-1)[:, :, :4], np.ones((4, HEADS, 4)), 1e-5, 1e-5)
        assert not weights[:, :, 4].any()
    decoder = made.get_layer("decoder")
    spec = decoder.compute_output_spec(
        keras.KerasTensor((4, 5), "int32"),
        {"before": keras.KerasTensor((4, 3), "int32")},
        return_attention_scores=True,
    )
    assert spec[0].shape == (4, 5, WORDS)
    assert spec[1]["block_1"].shape == (4, HEADS, 5, 8)


@pytest.mark.slow
def test_learns_packed_rows_and_says_them():
    """Each text is told by its first word."""
    made = model(seed=None)
    keras.utils.set_random_seed(0)
    texts = [[2, 3, 4], [5, 6], [4, 4, 6]]
    labels = np.int32([[*texts[0], 0, *texts[1], 0], [*texts[2], 0, 0, 0, 0]])
    labels = np.tile(labels[:, :7], (8, 1))
    documents = np.int32([[1, 1, 1, 1, 2, 2, 2], [1, 1, 1, 1, 0, 0, 0]])
    documents = np.tile(documents, (8, 1))
    targets = np.pad(labels[:, :-1], ((0, 0), (1, 0)))
    first = np.pad(documents[:, :-1], ((0, 0), (1, 0))) != documents
    targets[first & (documents > 0)] = START
    before = [numpy(w).copy() for w in made.trainable_weights]
    made.compile(
        keras.optimizers.Adam(0.03),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=keras.backend.backend() != "torch",
    )
    made.fit(
        told(targets, documents=documents),
        labels,
        sample_weight=(documents > 0).astype("float32"),
        epochs=40,
        batch_size=16,
        verbose=0,
    )
    for old, weight in zip(before, made.trainable_weights):
        if not weight.path.endswith("key/bias"):  # which no softmax sees
            assert (numpy(weight) != old).any(), weight.path
    encoder, decoder = parts(made)
    beginnings = np.int32([[2, 0], [5, 0], [4, 4], [2, 3]])
    answers, _ = beam_search(decoder, encoder(beginnings), START, 4)
    assert numpy(answers["token_ids"]).tolist() == [
        [3, 4, 0, 0],
        [6, 0, 0, 0],
        [6, 0, 0, 0],
        [4, 0, 0, 0],
    ]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"num_layers": 0}, "must be positive integers.*num_layers=0"),
        ({"embedding_dim": 8.0}, "must be positive integers.*dim=8.0"),
        ({"num_heads": 3}, "must divide.*num_heads=3, embedding_dim=8"),
        ({"dropout": 1}, r"`dropout` must be in \[0, 1\).*dropout=1"),
    ],
)
def test_refuses_sizes_that_fit_no_network(options, message):
    with pytest.raises(ValueError, match=message):
        model(**options)


def test_refuses_more_words_than_places():
    made = model()
    encoder, decoder = parts(made)
    wide = np.ones((2, ROOM + 1), "int32")
    with pytest.raises(ValueError, match="target_ids of 10 words, length=9"):
        decoder(wide, encoder(BEGINNINGS[:2]))
    with pytest.raises(ValueError, match="beginning of 10 words, length=9"):
        decoder.begin(encoder(wide))
    with pytest.raises(ValueError, match="length=10, decoder.length=9"):
        beam_search(decoder, encoder(BEGINNINGS), START, ROOM + 1)


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_presets_are_networks(preset):
    made = gpt(300, 16, **PRESETS[preset])
    (table,) = arrays(made.get_layer("decoder"), "embedding/embeddings")
    assert table.shape == (300, PRESETS[preset]["embedding_dim"])
    assert made(told(ids(2, 5))).shape == (2, 5, 300)
