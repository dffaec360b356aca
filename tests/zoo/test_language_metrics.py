"""Bits per byte and character: the same whatever the tokens are."""

import numpy as np
import pytest

from zoo.data.packed_rows import pack_rows
from zoo.data.pieces import END, START, Pieces
from zoo.language_metrics import language_metrics
from zoo.scores import interval

TEXTS = ["Größe zählt.", "a", "The dog runs.", "电影"]


def test_a_uniform_model_of_bytes_takes_eight_bits():
    sizes = np.array([len(text.encode()) for text in TEXTS])
    found = language_metrics(sizes * np.log(256), TEXTS, tokens=sizes)
    assert found["bits_per_byte"] == pytest.approx(8)
    letters = sum(map(len, TEXTS))
    assert found["bits_per_character"] == pytest.approx(
        8 * sizes.sum() / letters
    )
    assert found["perplexity"] == pytest.approx(256)


def test_the_baseline_is_what_bytes_alone_tell():
    texts = ["abab", "bbaa"]
    found = language_metrics([1.0, 1.0], texts)
    assert found["bits_per_byte"].baseline == pytest.approx(1)
    assert list(found) == ["bits_per_byte", "bits_per_character"]
    # A letter of two bytes: 1.5 bits for each of four.
    found = language_metrics([1.0], ["äab"])
    assert found["bits_per_byte"].baseline == pytest.approx(2)
    assert found["bits_per_character"].baseline == pytest.approx(8 / 3)


def test_does_not_depend_on_how_texts_are_taken_apart():
    """The same probabilities, said by bytes and by pieces in packed rows."""
    found = []
    cost = {text: place + 1.5 for place, text in enumerate(TEXTS)}
    for pieces in (Pieces([], 2), Pieces(["The", " dog", "öß"], 2)):
        documents = [pieces.ids(text) for text in TEXTS]
        rows = pack_rows(documents, 7, START, END, seed=0)
        share = [cost[x] / (len(y) + 1) for x, y in zip(TEXTS, documents)]
        nats = np.zeros(rows.targets.shape)
        for document, _, length, row, column in rows.parts:
            nats[row, column : column + length] = share[document]
        found.append(language_metrics(rows.sums(nats), TEXTS))
    assert found[0] == pytest.approx(found[1])
    size = sum(len(text.encode()) for text in TEXTS)
    bits = sum(cost.values()) / np.log(2) / size
    assert found[0]["bits_per_byte"] == pytest.approx(bits)


def test_knows_its_examples():
    generator = np.random.default_rng(0)
    texts = ["x" * size for size in generator.integers(1, 30, 50)]
    nats = generator.uniform(1, 2, 50) * [len(text) for text in texts]
    found = language_metrics(nats, texts, [len(text) for text in texts])
    for score in found.values():
        (low, high), method = interval(score)
        assert low < score < high and method == "bootstrap"
    grouped = language_metrics(nats, texts, groups=np.arange(50) // 5)
    assert grouped["bits_per_byte"].count == 10


@pytest.mark.parametrize(
    "arguments, message",
    [
        (([1.0], ["a", "b"]), r"the 2 texts.*nats of shape \(1,\)"),
        (([-1.0], ["a"]), "nats of shape"),
        (([float("nan")], ["a"]), "nats"),
        (([1.0], ["a"], [1, 2]), "tokens of shape"),
        (([1.0], ["a"], [0]), "tokens="),
        (([], []), "0 texts of 0 characters"),
        (([1.0], [""]), "1 texts of 0"),
        (([1.0], "a"), "list of strings"),
        (([1.0], [5]), "text=5"),
    ],
)
def test_refuses_what_cannot_be_measured(arguments, message):
    with pytest.raises(ValueError, match=message):
        language_metrics(*arguments)
