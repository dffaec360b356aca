"""Scores: metrics that know what each example adds, and so their intervals.

A metric is a function of sums over the examples, such as a mean, a root of a
mean, or the phrases counted by BLEU. So it can be computed again for examples
that are drawn anew, without asking the network anew.
"""

import numpy as np

DRAWS = 2000  # of the bootstrap
SEED = 0
LEAST = 10  # fewer that can be drawn tell nothing of the spread
LEVEL = 0.95
MOST_DRAWN = 2**22  # numbers held at once


class Score(float):
    """A metric, a float, which knows what each example adds to it.

    Args:
        value: Float, the metric.
        parts: Floats `(N, K)`. What each example adds to the sums.
        metric: Function from sums `(..., K)` to metrics `(...)`; of the sums
            over all examples it gives `value`.
        groups: Integers `(N,)`, or `None`. Examples that depend on each other
            have the same one, such as questions about one picture: they are
            drawn together.
        right: Booleans `(N,)`, or `None`. Which examples count as answered
            rightly.
        baseline: Float or `None`. What is reached without looking: by always
            answering the commonest class, the mean or the commonest caption,
            by an order drawn at random, or by leaving texts untranslated.

    Example:

    >>> score = Score.mean(np.array([1, 1, 0, 1]))
    >>> score, len(score.parts)
    (0.75, 4)
    """

    def __new__(cls, value, *args, **kwargs):
        return super().__new__(cls, value)

    def __init__(
        self, value, parts, metric, groups=None, right=None, baseline=None
    ):
        self.parts = np.asarray(parts, "float64")
        self.metric = metric
        self.right = right
        self.baseline = baseline
        self.groups = None
        if groups is not None:
            _, places = np.unique(groups, return_inverse=True)
            # Groups of one are none.
            if len(places) and places.max() + 1 < len(places):
                self.groups = places.reshape(-1)

    @classmethod
    def mean(cls, values, groups=None, right=None, baseline=None):
        """A metric that is the mean of a value of each example.

        Args:
            values: Numbers or booleans `(N,)`.
            groups: As above.
            right: As above; of booleans by default they themselves.
            baseline: As above.

        Returns:
            `Score`.
        """
        values = np.asarray(values)
        if right is None and values.dtype == bool:
            right = values
        parts = np.stack([values, np.ones(len(values))], axis=1)
        value = np.mean(values, dtype="float64")
        return cls(value, parts, _ratio, groups, right, baseline)

    @property
    def count(self):
        """Integer. How many can be drawn: groups, or else examples."""
        if self.groups is None:
            return len(self.parts)
        return int(self.groups.max()) + 1

    @property
    def values(self):
        """Floats `(N,)`, the examples' values of a mean; `None` of others."""
        return self.parts[:, 0] if self.metric is _ratio else None

    @property
    def is_share(self):
        """Boolean. Whether it is the share of examples with some property."""
        return self.values is not None and bool(
            np.isin(self.values, (0, 1)).all()
        )

    def drawn(self):
        """The metric of examples drawn anew with replacement, `(DRAWS,)`.

        The draws are the same for all scores of as many examples or groups, so
        that those of two models are paired.
        """
        sums = self.parts
        if self.groups is not None:
            sums = np.zeros((self.count, self.parts.shape[1]))
            np.add.at(sums, self.groups, self.parts)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.concatenate(
                [self.metric(often @ sums) for often in _draws(self.count)]
            )


def interval(score):
    """The 95 % confidence interval of a metric.

    Of a share it is Wilson's; of any other metric, and of a share where
    examples come in groups, the percentiles of a bootstrap. Where all groups
    are alike the bootstrap would have no width, and a share takes Wilson's
    interval as if each group were one example.

    Args:
        score: `Score`.

    Returns:
        `(ends, method)`: a list of two floats and `"wilson"` or `"bootstrap"`;
        or `(None, None)` where the examples are too few or all alike.

    Reference:
        Wilson (1927), "Probable Inference, the Law of Succession, and
        Statistical Inference", https://doi.org/10.2307/2276774; Efron &
        Tibshirani (1993), "An Introduction to the Bootstrap", section 13.3.

    Example:

    >>> ends, method = interval(Score.mean(np.arange(10) < 8))
    >>> [round(end, 3) for end in ends], method
    ([0.49, 0.943], 'wilson')
    """
    if score.is_share and (score.groups is None or _alike(score.values)):
        from scipy.stats import binomtest

        count = score.count
        found = binomtest(round(float(score) * count), count)
        low, high = found.proportion_ci(LEVEL, "wilson")
        return [float(low), float(high)], "wilson"
    return _percentiles(score.count, score.drawn)


def difference(one, other):
    """The 95 % interval of the difference of one metric of two models.

    Both are of the same examples, so the difference is paired. Of a share it
    is Wald's interval as Bonett and Price adjust it; of any other metric, and
    where examples come in groups, the percentiles of a bootstrap which draws
    the same examples for both.

    Args:
        one: `Score`.
        other: `Score` of the same examples.

    Returns:
        `(ends, method)` of `one - other`, as in `interval`; the method may be
        `"bonett-price"`.

    Raises:
        ValueError: If the examples are not the same.

    Reference:
        Bonett & Price (2012), "Adjusted Wald Confidence Interval for a
        Difference of Binomial Proportions Based on Paired Data",
        https://doi.org/10.3102/1076998611411915

    Example:

    >>> one, other = np.arange(20) < 15, np.arange(20) % 2 < 1
    >>> ends, method = difference(Score.mean(one), Score.mean(other))
    >>> [round(end, 3) for end in ends], method
    ([-0.053, 0.507], 'bonett-price')
    """
    if not same_examples(one, other):
        raise ValueError(
            "Two scores are compared on the same examples. Received: "
            f"{len(one.parts)} and {len(other.parts)} examples, {one.count} "
            f"and {other.count} of which can be drawn"
        )
    if one.is_share and other.is_share:
        apart = one.values - other.values
        if one.groups is None or _alike(apart):
            count = one.count
            scale = count / len(apart)
            only = (apart > 0).sum() * scale, (apart < 0).sum() * scale
            return _bonett_price(*only, count), "bonett-price"
    return _percentiles(one.count, lambda: one.drawn() - other.drawn())


def same_examples(one, other):
    """Whether two scores are of as many examples, in the same groups."""
    return len(one.parts) == len(other.parts) and np.array_equal(
        one.groups, other.groups
    )


def mcnemar(only_one, only_other):
    """McNemar's exact test: could both be right equally often?

    Args:
        only_one: Integer. Examples that only the one answers rightly.
        only_other: Integer. Examples that only the other answers rightly.

    Returns:
        Float, the two-sided p-value; 1 where there are no such examples.

    Reference:
        McNemar (1947), "Note on the Sampling Error of the Difference between
        Correlated Proportions or Percentages",
        https://doi.org/10.1007/BF02295996

    Example:

    >>> mcnemar(1, 7)
    0.0703125
    """
    from scipy.stats import binomtest

    if not only_one + only_other:
        return 1.0
    return float(binomtest(int(only_one), int(only_one + only_other)).pvalue)


def _ratio(sums):
    return sums[..., 0] / sums[..., 1]


def _alike(values):
    return bool((values == values[0]).all())


def _draws(count):
    """How often each of `count` is drawn, several draws at a time."""
    generator = np.random.default_rng(SEED)
    rows = max(1, MOST_DRAWN // count)
    for start in range(0, DRAWS, rows):
        size = min(rows, DRAWS - start)
        drawn = generator.integers(count, size=(size, count))
        drawn += count * np.arange(size)[:, None]
        often = np.bincount(drawn.reshape(-1), minlength=size * count)
        yield often.reshape(size, count).astype("float64")


def _percentiles(count, draw):
    if count < LEAST:
        return None, None
    drawn = draw()
    known = drawn[np.isfinite(drawn)]
    # Draws without an example of a class have no metric; they must be rare.
    if len(known) < 0.99 * DRAWS or np.ptp(known) <= 1e-12:
        return None, None
    tail = 50 * (1 - LEVEL)
    return [float(x) for x in np.percentile(known, [tail, 100 - tail])], (
        "bootstrap"
    )


def _bonett_price(only_one, only_other, count):
    from scipy.stats import norm

    one, other = (only_one + 1) / (count + 2), (only_other + 1) / (count + 2)
    wide = norm.ppf((1 + LEVEL) / 2) * np.sqrt(
        (one + other - (one - other) ** 2) / (count + 2)
    )
    middle = one - other
    return [float(max(-1, middle - wide)), float(min(1, middle + wide))]
