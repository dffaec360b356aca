"""What is measured: the loss of labels, and how well candidates are ranked."""

import numpy as np

from zoo.scores import Score


def softmax(logits):
    """Shares in full precision.

    Args:
        logits: Floats, `(..., classes)`.

    Returns:
        float64 array of the same shape.
    """
    logits = np.asarray(logits, "float64")
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def cross_entropy(logits, labels, groups=None):
    """Mean of minus the logarithm of the right label's share.

    Args:
        logits: Floats, `(N, classes)`.
        labels: Integers, `(N,)`.
        groups: As in `zoo.scores.Score`.

    Returns:
        `Score`, a float.
    """
    right = softmax(logits)[np.arange(len(labels)), labels]
    return Score.mean(-np.log(np.maximum(right, 1e-300)), groups)


def share_right(guesses, labels, groups=None):
    """Accuracy: the share of labels that are guessed.

    Args:
        guesses: Integers, `(N,)`.
        labels: Integers, `(N,)`.
        groups: As in `zoo.scores.Score`.

    Returns:
        `Score`, whose baseline is the share of the commonest label.
    """
    return Score.mean(
        guesses == labels,
        groups,
        baseline=float(np.bincount(labels).max() / len(labels)),
    )


def f1(guesses, labels, groups=None):
    """The harmonic mean of precision and recall of the second of two classes.

    Args:
        guesses: Integers, `(N,)`, 0 or 1.
        labels: Integers, `(N,)`, 0 or 1.
        groups: As in `zoo.scores.Score`.

    Returns:
        `Score`, 0 where no label and no guess is 1. Its baseline is that of
        always answering the commonest class.
    """
    from sklearn.metrics import f1_score

    common = np.bincount(labels).argmax()
    return Score(
        f1_score(labels, guesses, zero_division=0),
        np.stack([2 * (guesses & labels), guesses + labels], axis=1),
        lambda sums: sums[..., 0] / np.maximum(sums[..., 1], 1),
        groups,
        baseline=float(
            f1_score(labels, np.full_like(labels, common), zero_division=0)
        ),
    )


def area_under_roc(scores, labels, groups=None):
    """The area under the ROC curve of the second of two classes.

    Args:
        scores: Floats, `(N,)`, higher for the second class.
        labels: Integers, `(N,)`, 0 or 1, both of which occur.
        groups: As in `zoo.scores.Score`.

    Returns:
        `Score`. What it is for other draws of the examples is found from the
        share of pairs that each example wins, to the first order, which is how
        DeLong's variance is found.

    Reference:
        DeLong et al. (1988), "Comparing the Areas under Two or More Correlated
        Receiver Operating Characteristic Curves: A Nonparametric Approach",
        https://doi.org/10.2307/2531595
    """
    from scipy.stats import rankdata
    from sklearn.metrics import roc_auc_score

    value = float(roc_auc_score(labels, scores))
    second = labels == 1
    ranks, wins = rankdata(scores), np.zeros(len(labels))
    for own in (second, ~second):
        wins[own] = (ranks[own] - rankdata(scores[own])) / (~own).sum()
    # Of the first class, lower scores win.
    wins[~second] = 1 - wins[~second]
    parts = np.stack([wins * second, second, wins * ~second, ~second], axis=1)
    return Score(
        value,
        parts,
        lambda sums: (
            sums[..., 0] / sums[..., 1] + sums[..., 2] / sums[..., 3] - value
        ),
        groups,
        baseline=0.5,
    )


def check_loss(loss):
    """Raises unless a measured loss is a finite number.

    Args:
        loss: Float.

    Raises:
        ValueError: If it is not. Answers that are no numbers count as the
            first class, so no metric means anything then.
    """
    if not np.isfinite(loss):
        raise ValueError(
            "The loss must be a finite number, or the metrics are not of "
            "answers: the model's weights are not finite, or overflow; a "
            "training that diverged needs a lower `learning_rate`. "
            f"Received: loss={loss}"
        )


def mean_average_precision(labels, scores, groups):
    """Mean over questions of the average precision of their candidates.

    The average precision of a question is the mean, over its right candidates,
    of the share of right ones among those ranked as high or higher.

    Args:
        labels: `(N,)`, 1 for a right candidate, 0 for a wrong one.
        scores: Floats, `(N,)`, higher for what is ranked first.
        groups: `(N,)`. Which candidates belong to one question: those with
            the same value, wherever they stand.

    Returns:
        `Score`, a float. Questions without a right candidate do not count. The
        baseline is what is expected of an order drawn at random.

    Raises:
        ValueError: If lengths differ, a score is not finite, a label is
            neither 0 nor 1, or no question has a right candidate.

    Departures:
        Of candidates with the same score the wrong ones are ranked first, so
        that a model which says the same of all gets no credit for it.
        trec_eval ranks them by the names of the documents.

    Example:

    >>> mean_average_precision([1, 0, 1], [0.9, 0.5, 0.1], [7, 7, 7])
    0.8333333333333333
    """
    from sklearn.metrics import average_precision_score

    ranked = _ranked(labels, scores, groups)
    return Score.mean(
        [
            average_precision_score(each, -np.arange(len(each)))
            for each in ranked
        ],
        baseline=float(
            np.mean([_precision_at_random(each) for each in ranked])
        ),
    )


def mean_reciprocal_rank(labels, scores, groups):
    """Mean over questions of one by the rank of the first right candidate.

    Args:
        labels: `(N,)`, 1 for a right candidate, 0 for a wrong one.
        scores: Floats, `(N,)`, higher for what is ranked first.
        groups: `(N,)`. Which candidates belong to one question: those with
            the same value, wherever they stand.

    Returns:
        `Score`, a float; right is a question whose first candidate is.
        Questions without a right candidate do not count. The baseline is what
        is expected of an order drawn at random.

    Raises:
        ValueError: If lengths differ, a score is not finite, a label is
            neither 0 nor 1, or no question has a right candidate.

    Departures:
        As in `mean_average_precision`.

    Example:

    >>> mean_reciprocal_rank([0, 1, 1], [0.9, 0.5, 0.1], [7, 7, 7])
    0.5
    """
    ranked = _ranked(labels, scores, groups)
    ranks = np.array([1 + np.argmax(each) for each in ranked])
    return Score.mean(
        1 / ranks,
        right=ranks == 1,
        baseline=float(
            np.mean([_reciprocal_at_random(each) for each in ranked])
        ),
    )


def _precision_at_random(ranked):
    """The expected average precision of candidates in random order.

    Right ones stand at every rank alike; before one of them each candidate is
    right with a probability of `(right - 1) / (count - 1)`.
    """
    count, right = len(ranked), ranked.sum()
    ranks = np.arange(1, count + 1)
    others = (right - 1) / max(1, count - 1)
    return np.mean((1 + (ranks - 1) * others) / ranks)


def _reciprocal_at_random(ranked):
    """The expected reciprocal rank of the first right one in random order."""
    count, right = len(ranked), ranked.sum()
    found, none_before = 0.0, 1.0
    for rank in range(1, count - right + 2):
        here = right / (count - rank + 1)  # if none of those before is right
        found += none_before * here / rank
        none_before *= 1 - here
    return found


def _ranked(labels, scores, groups):
    """The labels of each question that has a right one, the best rank first."""
    labels, groups = np.asarray(labels), np.asarray(groups)
    scores = np.asarray(scores, "float64")
    shapes = {labels.shape, scores.shape, groups.shape}
    if len(shapes) > 1 or labels.ndim != 1:
        raise ValueError(
            "There must be one label, one score and one group for each "
            f"candidate. Received: labels of shape {labels.shape}, scores of "
            f"shape {scores.shape}, groups of shape {groups.shape}"
        )
    if not np.isfinite(scores).all():
        place = np.argmin(np.isfinite(scores))
        raise ValueError(
            "Scores must be finite, to be ranked. "
            f"Received: {scores[place]} at place {place}"
        )
    known = np.isin(labels, (0, 1))
    if not known.all():
        place = np.argmin(known)
        raise ValueError(
            "Labels must be 0, wrong, or 1, right. "
            f"Received: {labels[place]!r} at place {place}"
        )
    order = np.lexsort((labels, -scores))
    labels, groups = labels[order], groups[order]
    ranked = [labels[groups == group] for group in np.unique(groups)]
    ranked = [each for each in ranked if each.any()]
    if not ranked:
        raise ValueError(
            "There must be a question with a right candidate. "
            f"Received: {len(labels)} candidates, all of them wrong"
        )
    return ranked
