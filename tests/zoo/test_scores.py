"""Intervals: against scipy, against formulas written out, and by coverage."""

import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from zoo.metrics import area_under_roc, f1, share_right
from zoo.outputs.number import Number
from zoo.scores import DRAWS, LEAST, Score, difference, interval, mcnemar


def drawn_by_hand(count, value, draws=DRAWS):
    """The metric of each draw, one by one."""
    generator = np.random.default_rng(0)
    return np.array(
        [value(generator.integers(count, size=count)) for _ in range(draws)]
    )


def test_a_score_is_a_float_that_keeps_its_examples():
    score = Score.mean([1.0, 2.0, 6.0])
    assert score == 3 and isinstance(score, float)
    assert type(float(score)) is float
    assert score.values.tolist() == [1, 2, 6]
    assert score.groups is None and score.right is None
    flags = Score.mean(np.array([True, False]), baseline=0.25)
    assert flags.right.tolist() == [True, False]
    assert (flags.baseline, flags.is_share) == (0.25, True)
    assert not score.is_share


def test_groups_of_one_are_no_groups():
    assert Score.mean([1, 0, 1], groups=[7, 3, 5]).groups is None
    score = Score.mean([1, 0, 1], groups=["b", "a", "b"])
    assert score.groups.tolist() == [1, 0, 1] and score.count == 2


@pytest.mark.parametrize("hits, count", [(0, 5), (5, 5), (1, 3), (81, 263)])
def test_a_share_has_the_interval_of_wilson(hits, count):
    ends, method = interval(Score.mean(np.arange(count) < hits))
    z, share = stats.norm.ppf(0.975), hits / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    wide = (
        z
        / (1 + z**2 / count)
        * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    )
    assert method == "wilson"
    np.testing.assert_allclose(ends, [middle - wide, middle + wide], atol=1e-12)
    if (hits, count) == (81, 263):
        # Newcombe (1998), "Two-sided confidence intervals for the single
        # proportion", table I, method 3.
        np.testing.assert_allclose(ends, [0.2553, 0.3662], atol=5e-5)


def test_a_mean_has_the_percentiles_of_scipy_s_bootstrap():
    values = np.random.default_rng(1).exponential(size=200)
    ends, method = interval(Score.mean(values))
    known = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=0
    ).confidence_interval
    assert method == "bootstrap"
    np.testing.assert_allclose(ends, known, atol=0.04 * np.ptp(ends))
    assert interval(Score.mean(values))[0] == ends  # a fixed seed


def test_groups_are_drawn_whole():
    generator = np.random.default_rng(2)
    groups = np.repeat(np.arange(40), generator.integers(1, 9, 40))
    values = (generator.random(40) < 0.6)[groups]
    ends, method = interval(Score.mean(values, groups))
    assert method == "bootstrap"

    def value(drawn):
        rows = np.concatenate([np.flatnonzero(groups == n) for n in drawn])
        return values[rows].mean()

    by_hand = drawn_by_hand(40, value)
    np.testing.assert_allclose(
        ends, np.percentile(by_hand, [2.5, 97.5]), atol=1e-12
    )
    # As if they were independent it would be far too narrow.
    alone, _ = interval(Score.mean(values))
    assert np.ptp(ends) > 1.5 * np.ptp(alone)


def test_where_all_groups_are_alike_each_counts_as_one_example():
    groups = np.repeat(np.arange(12), 5)
    ends, method = interval(Score.mean(np.ones(60, bool), groups))
    assert method == "wilson"
    assert ends == interval(Score.mean(np.ones(12, bool)))[0]


@pytest.mark.parametrize("values", [[3.0] * 50, np.arange(LEAST - 1) / 7])
def test_too_few_and_all_alike_have_no_interval(values):
    assert interval(Score.mean(values)) == (None, None)


def test_metrics_that_are_no_means_are_drawn_as_if_computed_anew():
    generator = np.random.default_rng(3)
    truth = generator.normal(size=60)
    said = truth + generator.normal(size=60)

    class Examples:
        values = truth

        def __len__(self):
            return 60

    found = Number().measure({"value": said}, Examples())
    known = {
        "rmse": lambda i: sk.root_mean_squared_error(truth[i], said[i]),
        "mae": lambda i: sk.mean_absolute_error(truth[i], said[i]),
        "r2": lambda i: sk.r2_score(truth[i], said[i]),
    }
    for name, value in known.items():
        score = found[name]
        assert score == pytest.approx(value(slice(None)))
        by_hand = drawn_by_hand(60, value, 50)
        np.testing.assert_allclose(score.drawn()[:50], by_hand)
    assert found["rmse"].baseline == pytest.approx(truth.std())
    assert found["r2"].baseline == 0

    labels = (truth > 0).astype("int64")
    guesses = (said > 0).astype("int64")
    score = f1(guesses, labels)
    assert score == pytest.approx(sk.f1_score(labels, guesses))
    by_hand = drawn_by_hand(
        60, lambda i: sk.f1_score(labels[i], guesses[i]), 50
    )
    np.testing.assert_allclose(score.drawn()[:50], by_hand)


def test_the_area_under_the_curve_is_drawn_to_the_first_order():
    generator = np.random.default_rng(4)
    labels = (generator.random(300) < 0.3).astype("int64")
    scores = np.round(labels + generator.normal(size=300), 1)  # with ties
    score = area_under_roc(scores, labels)
    assert score == pytest.approx(sk.roc_auc_score(labels, scores))
    assert score.metric(score.parts.sum(axis=0)) == pytest.approx(float(score))
    by_hand = drawn_by_hand(
        300, lambda i: sk.roc_auc_score(labels[i], scores[i]), 300
    )
    np.testing.assert_allclose(score.drawn()[:300], by_hand, atol=0.01)
    ends = np.percentile(score.drawn()[:300], [2.5, 97.5])
    known = np.percentile(by_hand, [2.5, 97.5])
    np.testing.assert_allclose(ends, known, atol=0.003)


def test_draws_that_lack_a_class_do_not_count_and_must_be_rare():
    scores = np.arange(12.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rare = area_under_roc(scores, (scores == 5).astype("int64"))
        assert interval(rare) == (None, None)


def test_a_baseline_is_the_commonest_class():
    labels = np.array([2, 0, 2, 1, 2])
    assert share_right(np.zeros(5, int), labels).baseline == 0.6
    pairs = np.array([1, 1, 1, 0])
    # All called 1: precision 3/4, recall 1.
    assert f1(pairs, pairs).baseline == pytest.approx(6 / 7)
    assert f1(pairs, 1 - pairs).baseline == 0


# Differences.


def flags(both, only_one, only_other, neither):
    one = [1] * both + [1] * only_one + [0] * only_other + [0] * neither
    other = [1] * both + [0] * only_one + [1] * only_other + [0] * neither
    return np.array(one, bool), np.array(other, bool)


def test_a_difference_of_shares_is_bonett_and_price_s():
    # Bentur et al. (2009), worked by hand: 2/23 - 8/23, and the square root
    # of (10/23 - (6/23)**2) / 23.
    one, other = map(Score.mean, flags(1, 1, 7, 12))
    ends, method = difference(one, other)
    middle, wide = -6 / 23, 1.959964 * ((10 / 23 - (6 / 23) ** 2) / 23) ** 0.5
    assert method == "bonett-price"
    np.testing.assert_allclose(ends, [middle - wide, middle + wide], rtol=1e-6)
    # Near to the published interval of Newcombe's for Cavo et al. (2012).
    one, other = map(Score.mean, flags(59, 6, 16, 80))
    ends, _ = difference(one, other)
    np.testing.assert_allclose(ends, [-0.1186, -0.0046], atol=0.002)


def test_two_models_that_never_differ_are_not_surely_the_same():
    one, other = map(Score.mean, flags(18, 0, 0, 2))
    (low, high), _ = difference(one, other)
    assert low == -high and 0.05 < high < 0.2
    groups = np.repeat(np.arange(5), 4)
    one, other = (Score.mean(x, groups) for x in flags(18, 0, 0, 2))
    (wider, _), method = difference(one, other)
    assert method == "bonett-price" and wider < low


def test_the_interval_of_a_difference_is_paired():
    generator = np.random.default_rng(5)
    shared = generator.normal(scale=5, size=150)
    one, other = (shared + generator.normal(size=150) + n for n in (0.3, 0))
    ends, method = difference(Score.mean(one), Score.mean(other))
    known = stats.bootstrap(
        (one, other),
        lambda x, y, axis: (x - y).mean(axis=axis),
        paired=True,
        n_resamples=20_000,
        method="percentile",
        rng=0,
    ).confidence_interval
    assert method == "bootstrap"
    np.testing.assert_allclose(ends, known, atol=0.02)
    # Far narrower than that of either.
    assert np.ptp(ends) < np.ptp(interval(Score.mean(one))[0]) / 3


def test_only_the_same_examples_are_compared():
    with pytest.raises(ValueError, match="same examples.*3 and 4 examples"):
        difference(Score.mean([1, 0, 1]), Score.mean([1, 0, 1, 1]))
    one = Score.mean([1, 0, 1], groups=[0, 0, 1])
    with pytest.raises(ValueError, match="2 and 3 of which can be drawn"):
        difference(one, Score.mean([1, 0, 1]))


def test_mcnemar_s_exact_test():
    # Two-sided binomial: 2 * (1 + 8) / 2**8.
    assert mcnemar(1, 7) == mcnemar(7, 1) == 18 / 256
    assert mcnemar(0, 0) == mcnemar(4, 4) == 1
    assert mcnemar(0, 6) == 2 / 64


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_intervals_hold_what_they_promise(share):
    """Of 300 samples, about 95 % of intervals have the true value in them."""
    generator = np.random.default_rng(6)
    held = paired = 0
    for _ in range(300):
        one, other = generator.random((2, 100)) < share
        low, high = interval(Score.mean(one))[0]
        held += low <= share <= high
        low, high = difference(Score.mean(one), Score.mean(other))[0]
        paired += low <= 0 <= high
    assert 0.91 < held / 300 < 0.99 and 0.91 < paired / 300 < 0.99
