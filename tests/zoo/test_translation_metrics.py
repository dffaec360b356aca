"""Translation metrics: sacrebleu's numbers, and what each text adds to them."""

import sys

import numpy as np
import pytest

from zoo.scores import interval
from zoo.translation_metrics import (
    bleu_by_length,
    signature,
    translation_metrics,
)

sacrebleu = pytest.importorskip("sacrebleu")

WORDS = "Der die das, Hund Größe läuft. zum 3,5 km/h &amp; „Strand“ 中文"
WORDS = WORDS.split()
HARD = {
    "empty": (["", "The dog runs on."], [["A man."], ["The dog runs on."]]),
    "all empty": (["", " "], [["A man runs over there."], ["b"]]),
    "one word": (["dog"], [["dog"]]),
    "one word of many": (["dog"], [["The dog runs on the beach."]]),
    "three words": (["The dog runs", "a"], [["The dog runs"], ["b"]]),
    "no four in a row": (["a b c d e x"], [["a b x c d e"]]),
    "only letters in common": (["undo"], [["done by an undone man"]]),
    "nothing in common": (["xyz"], [["a b c d e"]]),
    "unicode": (
        ["电影\U0001f600 10/10", "Straße", "e\u0301 é\u00a0x\u2028y"],
        [["电影 \U0001f600 9/10"], ["STRASSE"], ["é é x y"]],
    ),
    "marks": (
        ['"Nein!" (50 %) don\'t &quot;run&quot;: 3,5 km/h -\nlos <skipped>.'],
        [['“Nein!” (50%) don\'t "run": 3,5km/h los.']],
    ),
    "case": (["the Dog Runs on it"], [["The dog runs on it"]]),
    "several": (
        ["the cat sat on the mat", "two men are here today", "x"],
        [
            ["a cat sat on a mat", "the cat sat there on the mat", "mat"],
            ["two men are here", "there are two men"],
            ["y"],
        ],
    ),
    "shorter than chrF's letters": (["abcdefgh", "ab"], [["abc"], ["abcdefg"]]),
}


def made(seed, texts=40):
    """Translations that share words with their references."""
    generator = np.random.default_rng(seed)
    references, translations = [], []
    for _ in range(texts):
        known = [
            list(generator.choice(WORDS, generator.integers(1, 30)))
            for _ in range(generator.integers(1, 4))
        ]
        said = known[0] + list(generator.choice(WORDS, 2))
        said[generator.integers(len(said))] = "Hund"
        translations.append(" ".join(said[generator.integers(4) :]))
        references.append([" ".join(words) for words in known])
    return translations, references


def streams(references):
    """References as sacrebleu wants them, and as its files would hold them."""
    most = max(map(len, references))
    return [
        [known[n] if n < len(known) else None for known in references]
        for n in range(most)
    ]


CASES = [*HARD.values(), *map(made, range(4))]
NAMES = [*HARD, "made 0", "made 1", "made 2", "made 3"]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_gives_the_numbers_of_sacrebleu(case):
    translations, references = case
    found = translation_metrics(translations, references)
    known = streams(references)
    bleu = sacrebleu.corpus_bleu(translations, known, force=True)
    chrf = sacrebleu.corpus_chrf(translations, known)
    assert found["bleu"] == bleu.score
    assert found["chrf"] == chrf.score
    assert all(isinstance(score, float) for score in found.values())


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_parts_of_texts_add_up_to_the_metric(case):
    translations, references = case
    for name, score in translation_metrics(translations, references).items():
        assert len(score.parts) == len(translations), name
        assert score.metric(score.parts.sum(0)) == float(score), name
        # Of several sums at once, as draws are.
        both = np.stack([score.parts.sum(0), 2 * score.parts.sum(0)])
        assert score.metric(both).shape == (2,)
        assert score.metric(both)[0] == float(score), name


def test_a_draw_is_the_metric_of_the_texts_drawn():
    translations, references = made(5)
    drawn = np.random.default_rng(0).integers(40, size=40)
    found = translation_metrics(translations, references)
    again = translation_metrics(
        *([given[n] for n in drawn] for given in (translations, references))
    )
    for name, score in found.items():
        sums = score.parts[drawn].sum(0)
        assert score.metric(sums) == float(again[name]), name
        if name != "exact":
            (low, high), method = interval(score)
            assert low < score < high and method == "bootstrap", name


def test_bleu_by_hand():
    # Words matched 4 + 3, pairs 3 + 1, threes 2 + 0, fours 1 + 0; of 5 + 4,
    # 4 + 3, 3 + 2 and 2 + 1. Lengths 9, closest references 6 + 4.
    said = ["a b c d x", "a b y c"]
    known = [["a b c d e f", "y y y y y y y y"], ["a b c d"]]
    expected = np.prod([7 / 9, 4 / 7, 2 / 5, 1 / 3]) ** 0.25
    found = translation_metrics(said, known)["bleu"]
    assert found == pytest.approx(100 * expected * np.exp(1 - 10 / 9))
    # The first order without a match counts half of one, the next a quarter.
    found = translation_metrics(["a b x y"], [["a b c d"]])["bleu"]
    expected = np.prod([2 / 4, 1 / 3, 1 / 2 / 2, 1 / 4 / 1]) ** 0.25
    assert found == pytest.approx(100 * expected)


def test_chrf_by_hand():
    # Letters 2 of 3 and 4, pairs 1 of 2 and 3, threes 0 of 1 and 2; there are
    # no four on one side.
    precision = (2 / 3 + 1 / 2 + 0) / 3
    recall = (2 / 4 + 1 / 3 + 0) / 3
    expected = 5 * precision * recall / (4 * precision + recall)
    for said in ("abx", " a b\tx"):
        found = translation_metrics([said], [["abyz"]])["chrf"]
        assert found == pytest.approx(100 * expected)
    # The better reference counts, wherever it stands.
    for known in (["abx", "xyz"], ["xyz", "abx"]):
        assert translation_metrics(["abx"], [known])["chrf"] == 100


def test_exact_is_to_the_letter_and_takes_no_notice_of_white_space():
    said = ["Two men.", "two men.", " Two\u00a0 men.\n", "Two men", ""]
    known = [["Both.", "Two men."]] * 5
    found = translation_metrics(said, known)["exact"]
    assert found == 2 / 5
    assert found.right.tolist() == [True, False, True, False, False]


def test_whoever_repeats_a_reference_has_full_marks():
    _, references = made(6)
    said = [known[-1] for known in references]
    found = translation_metrics(said, references)
    assert found == pytest.approx({"bleu": 100, "chrf": 100, "exact": 1})


def test_the_baseline_leaves_texts_untranslated():
    translations, references = made(7)
    sources = [known[0] for known in references[:20]] + ["nein"] * 20
    found = translation_metrics(translations, references, sources)
    left = translation_metrics(sources, references)
    for name, score in found.items():
        assert score.baseline == float(left[name]), name
        assert left[name].baseline is None
    assert found["exact"].baseline == 0.5


def test_bleu_by_length_divides_the_texts():
    translations, references = made(8)
    sources = [" ".join(["wort"] * n) for n in range(40)]
    found = bleu_by_length(translations, references, sources, [5, np.int64(9)])
    assert [ends for *ends, _ in found] == [[0, 5], [5, 9], [9, None]]
    for (*_, score), part in zip(found, (slice(5), slice(5, 9), slice(9, 40))):
        alone = translation_metrics(translations[part], references[part])
        assert score == float(alone["bleu"])
        np.testing.assert_array_equal(score.parts, alone["bleu"].parts)
    # Lengths that no text has are left out.
    found = bleu_by_length(translations, references, ["a  b"] * 40, (2, 3, 4))
    ((least, below, score),) = found
    assert (least, below) == (2, 3)
    assert score == float(translation_metrics(translations, references)["bleu"])
    found = bleu_by_length(translations, references, ["a"] * 40, ())
    assert [ends for *ends, _ in found] == [[0, None]]


@pytest.mark.parametrize("edges", [(3, 2), (2, 2), (0, 2), (-1,), (1.5,)])
def test_refuses_edges_that_do_not_ascend(edges):
    with pytest.raises(ValueError, match="edges="):
        bleu_by_length(["a"], [["a"]], ["a"], edges)


def test_the_signature_is_that_of_sacrebleu():
    translations, references = made(9)
    for known, given in (
        ([each[:1] for each in references], None),
        ([each[:1] * 2 for each in references], "references"),
        (references, "references"),
    ):
        found = signature(known) if given else signature()
        for name, kind in (("bleu", "BLEU"), ("chrf", "CHRF")):
            metric = getattr(sacrebleu, kind)()
            metric.corpus_score(translations, streams(known))
            assert found[name] == metric.get_signature().format()
    assert "nrefs:var" in signature(references)["chrf"]


@pytest.mark.parametrize(
    "translations, references, message",
    [
        ([], [], "0 translations, 0 lists"),
        (["a"], [["a"], ["b"]], "1 translations, 2 lists"),
        (["a", "b"], [["a"], []], r"\[\] at place 1"),
        (["a"], [["a", " \n"]], "blank.* at place 0"),
        ("a man", [["a man"]], "list of strings"),
        (["a man"], ["a man"], "list of strings"),
        ([None], [["a"]], "text=None"),
        (["a"], [["a", 7]], "text=7"),
        (["\ud800"], [["a"]], "surrogate"),
    ],
)
def test_refuses_what_cannot_be_compared(translations, references, message):
    with pytest.raises(ValueError, match=message):
        translation_metrics(translations, references)
    with pytest.raises(ValueError, match=message):
        bleu_by_length(translations, references, translations)


def test_refuses_sources_of_other_texts():
    for compare in (translation_metrics, bleu_by_length):
        with pytest.raises(ValueError, match="2 sources, 1 translations"):
            compare(["a"], [["a"]], ["b", "c"])


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    for asked in (lambda: translation_metrics(["a"], [["a"]]), signature):
        with pytest.raises(ImportError, match=r"keras-attention-zoo\[zoo\]"):
            asked()
