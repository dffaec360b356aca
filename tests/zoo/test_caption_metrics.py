"""Caption metrics: the equations written out; the COCO evaluation's numbers."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

from zoo.caption_metrics import (
    caption_metrics,
    cider_scores,
    document_frequencies,
    rouge_l_scores,
)

pytest.importorskip("sacrebleu")

CAPTIONS = [
    "a red square left of a blue circle",
    "two stars",
    "a large green triangle on the right",
    "a small red star a small red star",
]
REFERENCES = [
    [
        "a red square left of a blue circle",
        "there is a red square next to a circle",
    ],
    ["three small yellow stars"],
    [
        "the large green triangle is on the right side",
        "a green triangle",
        "right of it a large triangle",
    ],
    ["a small red star", "a red star"],
]
WORDS = "a red blue large small square circle left of right star".split()


def made(seed, images=30):
    """Captions that share words with their references."""
    generator = np.random.default_rng(seed)
    references, captions = [], []
    for _ in range(images):
        known = [
            list(generator.choice(WORDS, generator.integers(1, 12)))
            for _ in range(generator.integers(1, 5))
        ]
        said = known[0] + list(generator.choice(WORDS, 2))
        said[generator.integers(len(said))] = "star"
        captions.append(" ".join(said[generator.integers(3) :]))
        references.append([" ".join(words) for words in known])
    return captions, references


def phrases(text, n):
    words = text.split()
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def cider_d(caption, references, corpus):
    """Vedantam et al. (2015), section 7, over the whole vocabulary."""
    per_n = []
    for n in (1, 2, 3, 4):
        known = {
            phrase
            for text in (caption, *itertools.chain(*references, *corpus))
            for phrase in phrases(text, n)
        }

        def g(text, n=n, known=known):
            counts = [phrases(text, n).count(phrase) for phrase in known]
            found = [
                sum(
                    any(phrase in phrases(s, n) for s in image)
                    for image in corpus
                )
                for phrase in known
            ]
            return counts * np.log(len(corpus) / np.maximum(found, 1))

        scores = []
        for reference in references:
            c, s = g(caption), g(reference)
            apart = len(caption.split()) - len(reference.split())
            norms = np.linalg.norm(c) * np.linalg.norm(s)
            cosine = np.minimum(c, s) @ s / norms if norms else 0
            scores.append(np.exp(-(apart**2) / (2 * 6**2)) * cosine)
        per_n.append(10 * np.mean(scores))
    return np.mean(per_n)


def longest_common(left, right):
    """By trying every subsequence of the left."""
    return max(
        len(kept)
        for length in range(len(left) + 1)
        for kept in itertools.combinations(left, length)
        if is_within(kept, right)
    )


def is_within(kept, words):
    words = iter(words)
    return all(word in words for word in kept)


def test_the_baseline_says_the_commonest_reference_of_every_image():
    references = [*REFERENCES, ["One star.", "A red star!"], ["a RED star"]]
    found = caption_metrics(["two stars"] * 6, references)
    said = caption_metrics(["a red star"] * 6, references)
    assert found["exact"].baseline == 0.5 and found["exact"] == 0
    assert found["cider"].baseline > 1
    for name, score in found.items():
        assert score.baseline == said[name], name
        assert said[name].baseline == said[name], name


def test_gives_the_numbers_of_the_coco_evaluation():
    # By pycocoevalcap 1.2, of the same words; its BLEU adds 1e-9 and less.
    metrics = caption_metrics(CAPTIONS, REFERENCES)
    assert metrics["bleu_4"] == pytest.approx(0.6160756744253862, abs=1e-9)
    np.testing.assert_allclose(
        cider_scores(CAPTIONS, REFERENCES),
        [
            5.999175107571516,
            0.9275895751968201,
            2.644418760916129,
            2.430646929490373,
        ],
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        rouge_l_scores(CAPTIONS, REFERENCES),
        [1.0, 0.31443298969072164, 0.9360613810741688, 0.7093023255813954],
        rtol=1e-12,
    )
    assert metrics["cider"] == pytest.approx(3.000457593293709, rel=1e-12)
    assert metrics["rouge_l"] == pytest.approx(0.7399491740865715, rel=1e-12)
    assert metrics["exact"] == 0.25
    assert all(isinstance(value, float) for value in metrics.values())


@pytest.mark.parametrize("seed", range(3))
def test_cider_is_the_equation(seed):
    captions, references = made(seed, images=12)
    expected = [
        cider_d(said, known, references)
        for said, known in zip(captions, references)
    ]
    scores = cider_scores(captions, references)
    np.testing.assert_allclose(scores, expected, rtol=1e-12, atol=1e-12)
    assert scores.max() > 1


def test_frequencies_of_a_data_set_score_a_part_of_it():
    captions, references = made(0)
    whole = cider_scores(captions, references)
    frequencies = document_frequencies(references)
    for part in (slice(0, 1), slice(3, 9)):
        found = cider_scores(captions[part], references[part], frequencies)
        np.testing.assert_array_equal(found, whole[part])
    # What no image of the data set has is as rare as what one has.
    said = ["a violet moon"]
    found = cider_scores(said, [said], frequencies)
    assert found == pytest.approx(cider_d(said[0], said, references))


def test_an_image_counts_a_phrase_once():
    counts, images = document_frequencies(
        [["A star, a star.", "a dot"], ["a dot"], ["star"]]
    )
    assert images == 3
    assert counts == {
        ("a",): 2,
        ("star",): 2,
        ("dot",): 2,
        ("a", "star"): 1,
        ("star", "a"): 1,
        ("a", "dot"): 2,
        ("a", "star", "a"): 1,
        ("star", "a", "star"): 1,
        ("a", "star", "a", "star"): 1,
    }


@pytest.mark.parametrize("seed", range(3))
def test_rouge_l_is_of_the_longest_common_subsequence(seed):
    captions, references = made(seed)
    for score, said, known in zip(
        rouge_l_scores(captions, references), captions, references
    ):
        said, known = said.split(), [text.split() for text in known]
        common = [longest_common(said, words) for words in known]
        p = max(common) / len(said)
        r = max(n / len(words) for n, words in zip(common, known))
        expected = 0 if p == 0 else (1 + 1.2**2) * p * r / (r + 1.2**2 * p)
        assert score == pytest.approx(expected, rel=1e-12)


def test_bleu_is_of_the_corpus_with_the_closest_reference():
    # Matches by hand: words 4 + 5, pairs 3 + 2, threes 2 + 1, fours 1 + 0;
    # of 5 + 5, 4 + 4, 3 + 3 and 2 + 2. Lengths 10, closest references 6 + 5.
    captions = ["a b c d x", "a b c a b"]
    references = [["a b c d e f", "y y y y y y y y"], ["a b c b a", "a b"]]
    expected = np.exp(1 - 11 / 10) * np.prod([9 / 10, 5 / 8, 3 / 6, 1 / 4]) ** (
        1 / 4
    )
    found = caption_metrics(captions, references)["bleu_4"]
    assert found == pytest.approx(expected, rel=1e-12)
    # Three words in a row are not four.
    assert caption_metrics(["a b c x"], [["a b c d"]])["bleu_4"] == 0


@pytest.mark.parametrize("seed", range(3))
def test_numbers_of_references_may_differ(seed):
    captions, references = made(seed)
    assert len({len(known) for known in references}) > 1
    scores = caption_metrics(captions, references)
    most = max(map(len, references))
    # Of the same reference twice BLEU takes no notice.
    filled = [
        [*known, *[known[0]] * (most - len(known))] for known in references
    ]
    assert caption_metrics(captions, filled)["bleu_4"] == scores["bleu_4"]
    # The order of references and of images does not count.
    turned = [known[::-1] for known in references[::-1]]
    again = caption_metrics(captions[::-1], turned)
    assert again == pytest.approx(scores, rel=1e-12)


def test_whoever_repeats_a_reference_has_full_marks():
    references = [[known[0]] for known in REFERENCES]
    captions = [known[0] for known in references]
    scores = caption_metrics(captions, references)
    assert scores == pytest.approx(
        {"bleu_4": 1, "cider": 10, "rouge_l": 1, "exact": 1}
    )
    # Of several references the others count too, for CIDEr.
    many = caption_metrics([known[-1] for known in REFERENCES], REFERENCES)
    assert many["exact"] == many["rouge_l"] == many["bleu_4"] == 1
    assert 5 < many["cider"] < 10


def test_case_and_punctuation_do_not_count():
    captions = [f"  {said.upper()}\t!" for said in CAPTIONS]
    references = [
        [text.replace(" ", ",  ").title() + "." for text in known]
        for known in REFERENCES
    ]
    assert caption_metrics(captions, references) == caption_metrics(
        CAPTIONS, REFERENCES
    )
    assert caption_metrics(["don’t"], [["Dont"]])["exact"] == 1


def test_an_empty_caption_scores_nothing_and_takes_nothing_from_others():
    captions = ["", "?!", *CAPTIONS[2:]]
    scores = caption_metrics(captions, REFERENCES)
    for name, score in (
        ("cider", cider_scores),
        ("rouge_l", rouge_l_scores),
    ):
        each = score(captions, REFERENCES)
        assert each[:2].tolist() == [0, 0]
        np.testing.assert_array_equal(each[2:], score(CAPTIONS, REFERENCES)[2:])
        assert scores[name] == each.mean()
    assert 0 < scores["bleu_4"] < 1
    nothing = caption_metrics([""] * 4, REFERENCES)
    assert nothing == {"bleu_4": 0, "cider": 0, "rouge_l": 0, "exact": 0}


def test_one_image_has_no_rare_phrase_and_short_captions_no_four_words():
    one = caption_metrics(
        ["a red star on the left"], [["a red star on the left"]]
    )
    assert one == pytest.approx(
        {"bleu_4": 1, "cider": 0, "rouge_l": 1, "exact": 1}
    )
    short = caption_metrics(["red star", "dot"], [["red star"], ["dot"]])
    # One word and two words of four lengths: 10 * (2 / 4 + 1 / 4) / 2.
    assert short == pytest.approx(
        {"bleu_4": 0, "cider": 3.75, "rouge_l": 1, "exact": 1}
    )


def test_another_process_gives_the_same_to_the_last_digit():
    captions, references = made(1)
    here = caption_metrics(captions, references)
    program = (
        "from tests.zoo.test_caption_metrics import made;"
        "from zoo.caption_metrics import caption_metrics;"
        "print(caption_metrics(*made(1)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.splitlines()[-1] == str(here)


@pytest.mark.parametrize(
    "captions, references, message",
    [
        ([], [], "0 captions, 0 lists"),
        (["a"], [["a"], ["b"]], "1 captions, 2 lists"),
        (["a", "b"], [["a"], []], r"\[\] at place 1"),
        (["a"], [["a", "..."]], r"\[\['a'\], \[\]\] at place 0"),
        ("a star", [["a star"]], "list of strings"),
        (["a star"], ["a star"], "list of strings"),
        ([None], [["a"]], "text=None"),
        (["a"], [["a", 7]], "text=7"),
        (["\ud800"], [["a"]], "surrogate"),
    ],
)
def test_refuses_what_cannot_be_compared(captions, references, message):
    with pytest.raises(ValueError, match=message):
        caption_metrics(captions, references)


def test_refuses_frequencies_of_nothing():
    with pytest.raises(ValueError, match="must not be empty"):
        document_frequencies([])


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    with pytest.raises(ImportError, match=r"keras-attention-zoo\[zoo\]"):
        caption_metrics(CAPTIONS, REFERENCES)
