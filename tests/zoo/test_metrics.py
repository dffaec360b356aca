"""How candidates are ranked: against loops, and worked by hand."""

import itertools

import numpy as np
import pytest

from zoo.metrics import mean_average_precision, mean_reciprocal_rank

BOTH = pytest.mark.parametrize(
    "metric", [mean_average_precision, mean_reciprocal_rank]
)


def by_loops(labels, scores, groups):
    """Both, written out."""
    precisions, reciprocals = [], []
    for group in set(groups):
        rows = [
            (-score, label)
            for label, score, other in zip(labels, scores, groups)
            if other == group
        ]
        ranked = [label for _, label in sorted(rows)]
        found = [place for place, label in enumerate(ranked, 1) if label]
        if found:
            precisions.append(
                sum((n + 1) / place for n, place in enumerate(found))
                / len(found)
            )
            reciprocals.append(1 / found[0])
    return np.mean(precisions), np.mean(reciprocals)


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_loops_whatever_the_order_of_rows(seed):
    generator = np.random.default_rng(seed)
    labels = (generator.random(200) < 0.2).astype(int)
    groups = generator.integers(30, size=200)
    scores = generator.integers(8, size=200) / 8  # many ties
    expected = by_loops(labels, scores, groups)
    for order in (np.arange(200), generator.permutation(200)):
        rows = (labels[order], scores[order], groups[order])
        np.testing.assert_allclose(mean_average_precision(*rows), expected[0])
        np.testing.assert_allclose(mean_reciprocal_rank(*rows), expected[1])


def test_worked_by_hand():
    labels = [0, 1, 0, 1, 1, 0, 0]
    scores = [0.9, 0.8, 0.7, 0.6, -2, -1, -3]
    groups = ["a", "a", "a", "a", "b", "b", "b"]
    # First question: ranks 2 and 4, (1/2 + 2/4) / 2; second: rank 2.
    assert mean_average_precision(labels, scores, groups) == 0.5
    assert mean_reciprocal_rank(labels, scores, groups) == 0.5
    # Ranks 1 and 4 of four: (1 + 2/4) / 2.
    ranked = ([1, 0, 0, 1], [4, 3, 2, 1], [0, 0, 0, 0])
    assert mean_average_precision(*ranked) == 0.75
    assert mean_reciprocal_rank(*ranked) == 1.0


def test_who_says_the_same_of_all_gets_no_credit():
    ties = ([1, 0, 0, 0], [0.5] * 4, [3] * 4)
    assert mean_average_precision(*ties) == 0.25
    assert mean_reciprocal_rank(*ties) == 0.25
    two = ([1, 1, 0], np.zeros(3, "uint8"), [3] * 3)
    np.testing.assert_allclose(
        mean_average_precision(*two), (1 / 2 + 2 / 3) / 2
    )
    assert mean_reciprocal_rank(*two) == 0.5


@BOTH
def test_the_baseline_is_the_mean_over_all_orders(metric):
    questions = [1], [1, 0], [1, 0, 0], [1, 1, 0], [1, 1], [1, 1, 0, 0, 0]
    expected = [
        np.mean(
            [
                metric(labels, -np.arange(len(labels)), [0] * len(labels))
                for labels in itertools.permutations(question)
            ]
        )
        for question in questions
    ]
    for question, value in zip(questions, expected):
        found = metric(question, np.zeros(len(question)), [3] * len(question))
        assert found.baseline == pytest.approx(value, abs=1e-12)
    labels = [label for question in questions for label in question] + [0]
    groups = np.repeat(np.arange(7), [*map(len, questions), 1])
    found = metric(labels, np.arange(len(labels)), groups)
    assert found.baseline == pytest.approx(np.mean(expected), abs=1e-12)


@BOTH
def test_a_question_without_a_right_candidate_does_not_count(metric):
    assert metric([True, False, False], [2, 1, 3], [0, 0, 1]) == 1.0
    assert metric([1, 1], [2, 1], [0, 1]) == 1.0
    assert isinstance(metric([1], [2], [0]), float)


@BOTH
def test_high_scores_stand_first_whatever_their_type(metric):
    assert metric([1, 0], np.array([200, 0], "uint8"), [0, 0]) == 1.0


@BOTH
@pytest.mark.parametrize(
    "rows, why",
    [
        (([1, 0], [1.0], [0, 0]), r"scores of shape \(1,\)"),
        (([[1, 0]], [[1, 0]], [[0, 0]]), r"labels of shape \(1, 2\)"),
        (([1, 0], [1.0, np.nan], [0, 0]), "finite.*nan at place 1"),
        (([1, 0], [np.inf, 0.0], [0, 0]), "finite.*inf at place 0"),
        (([1, 2], [1.0, 0.5], [0, 0]), "must be 0, wrong.*2.* at place 1"),
        (([0, 0], [1.0, 0.5], [0, 1]), "right candidate.*2 candidates"),
        (([], [], []), "right candidate.*0 candidates"),
    ],
)
def test_refuses_what_cannot_be_ranked(metric, rows, why):
    with pytest.raises(ValueError, match=why):
        metric(*rows)
