"""Word vectors: files as they are given out, and counting written by loops."""

import re
import time

import numpy as np
import pytest

from tests.public_data import needs_public
from zoo.data.vectors import corpus, learn_vectors, load_vectors

LINES = ["the 0.5 -1 2e-1", "Cat 1 2 3", ", 7 8 9", "cat 4 5 6", "the 7 7 7"]


def write(path, *lines, end="\n"):
    path.write_bytes(end.join([*lines, ""]).encode())
    return path


@pytest.mark.parametrize("header", [[], ["5 3"]])
@pytest.mark.parametrize("end", ["\n", " \n", "\r\n"])
def test_reads_files_as_glove_and_word2vec_are_given_out(tmp_path, header, end):
    path = write(tmp_path / "vectors.txt", *header, *LINES, end=end)
    found = load_vectors(path, ["cat", "the", "dog"])
    assert {word: vector.tolist() for word, vector in found.items()} == {
        "the": np.array([0.5, -1, 0.2], "float32").tolist(),
        "cat": [4, 5, 6],
    }
    assert {vector.dtype for vector in found.values()} == {np.dtype("float32")}
    assert set(load_vectors(str(path), ["Cat"])) == {"Cat"}


def test_a_first_line_of_one_number_is_no_header(tmp_path):
    path = write(tmp_path / "flat.txt", "1984 0.5", "1985 2")
    assert load_vectors(path, ["1984"])["1984"].tolist() == [0.5]


def test_finds_words_of_any_letters(tmp_path):
    words = [
        "naïve",
        "😀",
        "a\u3000b",
        "\u00a0",
        "x\u2028",
        "y\u0085",
        "\u200b",
    ]
    lines = [f"{word} {place} 0" for place, word in enumerate(words)]
    path = write(tmp_path / "odd.txt", *lines)
    with open(path, "ab") as file:
        file.write(b"\xff\xfe 8 8\nlast 9 9\n")  # no UTF-8, and not wanted
    found = load_vectors(path, [*words, "last"])
    assert list(found) == [*words, "last"]
    assert [int(vector[0]) for vector in found.values()] == [*range(7), 9]


def test_a_word_may_hold_spaces(tmp_path):
    spaced = [". . . 1 1 1", "at name@domain.com 2 2 2", "1 2/3 3 3 3"]
    path = write(tmp_path / "840B.txt", "the 0 0 0", *spaced, "at 4 4 4")
    found = load_vectors(path, ["at", "1", "the", "."])
    assert set(found) == {"the", "at"} and found["at"].tolist() == [4, 4, 4]
    assert set(load_vectors(path, ["at name@domain.com"])) == {spaced[1][:-6]}


def test_a_word_of_the_first_line_may_hold_spaces_and_lines_may_be_blank(
    tmp_path,
):
    path = write(tmp_path / "v.txt", "", ". . 1 1 1", "the 2 2 2", "", "")
    assert load_vectors(path, ["the"])["the"].tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    "lines, why",
    [
        (["cat 1 2 3", "dog 1 2"], "line 2: 'dog 1 2"),
        (["cat 1 2 3", "mouse 1 2"], "line 2: 'mouse 1 2"),
        (["2 3", "cat 1 2"], "line 2: 'cat 1 2"),
        (["cat 1 2 3", "dog 1 2 x"], "line 2: 'dog 1 2 x"),
        (["mouse 1 2", "dog 1 nan"], "line 2: 'dog 1 nan"),
        (["mouse 1 2", "cat 1 2", "dog 1 inf"], "line 3: 'dog 1 inf"),
        (["cat"], "line 1: 'cat"),
        (["mouse 1 2"], "none of 2 in"),
        ([], "none of 2 in"),
    ],
)
def test_a_malformed_line_is_told(lines, why, tmp_path):
    path = write(tmp_path / "bad.txt", *lines)
    if not lines:
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=why) as caught:
        load_vectors(path, ["cat", "dog"])
    assert str(path) in str(caught.value)


def test_a_large_file_takes_seconds(tmp_path):
    numbers = " 0.12345 -0.54321" * 10
    path = write(
        tmp_path / "large.txt",
        *(f"word{place}{numbers}" for place in range(100_000)),
    )
    start = time.perf_counter()
    found = load_vectors(path, [f"word{10 * place}" for place in range(10_000)])
    assert time.perf_counter() - start < 20
    assert len(found) == 10_000 and found["word99990"].shape == (20,)


WORDS = [f"w{place}" for place in range(14)]


def random_texts(count=60):
    """Words that are not alike frequent, two of which are not known."""
    generator = np.random.default_rng(0)
    words = [*WORDS[:12], "other", "another"]
    shares = 1 / np.arange(2, len(words) + 2)
    texts = [
        " ".join(generator.choice(words, size, p=shares / shares.sum()))
        for size in generator.integers(1, 9, count)
    ]
    return [f"{text.capitalize()}." for text in texts]


def counted(texts, window):
    """How near each word of `WORDS` stands to each, added up."""
    counts = np.zeros((len(WORDS), len(WORDS)))
    for text in set(texts):
        said = re.findall(r"\w+", text.lower())
        for place, word in enumerate(said):
            for other in range(len(said)):
                distance = abs(place - other)
                if not 0 < distance <= window:
                    continue
                if word in WORDS and said[other] in WORDS:
                    row, column = WORDS.index(word), WORDS.index(said[other])
                    counts[row, column] += 1 / distance
    return counts


def information(counts):
    """Levy et al. (2015): PPMI, contexts smoothed, sections 2.1 and 3.2."""
    positive = np.zeros(counts.shape)
    smoothed = counts.sum(axis=0) ** 0.75
    for word, context in zip(*np.nonzero(counts)):
        together = counts[word, context] / counts.sum()
        alone = counts[word].sum() / counts.sum()
        chance = smoothed[context] / smoothed.sum()
        positive[word, context] = max(0, np.log(together / (alone * chance)))
    return positive


@pytest.mark.parametrize("window, depth", [(1, 3), (3, 5), (9, 4)])
def test_equals_counting_by_loops(window, depth):
    texts = random_texts()
    positive = information(counted(texts, window))
    left, values, _ = np.linalg.svd(positive)
    assert values[depth - 1] - values[depth] > 0.01, "the best is not unique"
    rows = (left * np.sqrt(values))[:12, :depth]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    # A text that is there twice counts once.
    found = learn_vectors([*texts, *texts[:20]], WORDS, depth, window)
    assert list(found) == WORDS[:12], "the last two do not occur"
    vectors = np.stack(list(found.values()))
    assert vectors.shape == (12, depth) and vectors.dtype == "float32"
    # Vectors are told apart from their mirror images by nothing.
    np.testing.assert_allclose(vectors @ vectors.T, rows @ rows.T, atol=1e-4)


def test_is_the_same_every_time():
    first, again = (learn_vectors(random_texts(), WORDS, 4) for _ in range(2))
    for word, vector in first.items():
        np.testing.assert_array_equal(vector, again[word])


def test_words_of_like_company_are_near():
    texts = [
        f"{who} {did} {how}"
        for whos, dids, hows in (
            (("cat", "dog"), ("sleeps", "eats", "runs"), ("often", "gladly")),
            (("stone", "brick"), ("lies", "cracks"), ("below", "flat")),
        )
        for who in whos
        for did in dids
        for how in hows
    ]
    words = sorted({word for text in texts for word in text.split()})
    vectors = learn_vectors(texts, words, depth=3, window=2)
    near = vectors["cat"] @ vectors["dog"]
    assert near > 0.95 and vectors["stone"] @ vectors["brick"] > 0.95
    assert vectors["cat"] @ vectors["stone"] < 0.3


def test_a_word_without_company_has_no_vector():
    texts = ["a b c a", "b c", "alone", "Apart, unknown words beside", "c a b"]
    words = ["a", "b", "c", "alone", "apart", "missing"]
    assert set(learn_vectors(texts, words, 2)) == {"a", "b", "c"}


@pytest.mark.parametrize(
    "texts, depth, why",
    [
        (["a b", "b c"], 3, "depth=3, 3 words"),
        (["a b", "b c"], 0, "depth=0, 3 words"),
        (["a", "b", "c x x x x x a"], 2, "none within window=5"),
        ([], 2, "none within window=5"),
    ],
)
def test_refuses_what_it_cannot_learn_from(texts, depth, why):
    with pytest.raises(ValueError, match=why):
        learn_vectors(texts, ["a", "b", "c"], depth)


@pytest.mark.slow
@needs_public("squad")
def test_the_text_of_a_public_set_is_there_once():
    pytest.importorskip("tensorflow_datasets")
    texts = corpus("squad")
    assert len(texts) == len(set(texts)) == 106246
    assert sum(text.strip().endswith("?") for text in texts) > 80_000
    assert all(isinstance(text, str) for text in texts)


def test_refuses_a_corpus_that_nobody_knows():
    with pytest.raises(ValueError, match=r"\['squad'\].*'wikipedia'"):
        corpus("wikipedia")
