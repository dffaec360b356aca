"""Pointing accuracy: is the heaviest place, or box, the object in question."""

import numpy as np

ROUNDING = 1e-6  # by which a box in float32 may exceed the image


def pointing(weights, boxes):
    """Tells which attention maps are heaviest inside their boxes.

    The mean of `hits` is the pointing accuracy, and the mean of `chance` is
    what a model that picks a cell at random would reach.

    Args:
        weights: Real numbers, `(n, h, w)`: how much attention each cell of a
            grid over the image gets. They need not sum to one.
        boxes: Real numbers, `(n, 4)`: `(x0, y0, x1, y1)` of the object that
            each item is about. See Convention. Leave out items that are about
            nothing in the image: their boxes have no area.

    Returns:
        `(hits, chance)`: booleans `(n,)`, whether the centre of the heaviest
        cell lies in the box; and float64 `(n,)`, the share of cells whose
        centre does. A box that is too small for the centre of any cell cannot
        be hit, and its chance is 0. An edge belongs to its box.

    Raises:
        ValueError: If a shape is another, a number is not finite, or a box
            has no area or exceeds the image.

    Convention: x points right and y down; -1 and 1 are the edges of the image.
        The centre of cell `(i, j)` is `((2j + 1) / w - 1, (2i + 1) / h - 1)`.

    Departures:
        The pointing game does not say what to do where several cells are the
        heaviest. Here they must all lie in the box, so that an even map, which
        points nowhere, gets no credit.

    Reference:
        Zhang et al. (2016), "Top-down Neural Attention by Excitation Backprop",
        section 4.1, https://arxiv.org/abs/1608.00507

    Example:

    >>> left, right = [[0.7, 0.2, 0.1]], [[0.1, 0.2, 0.7]]
    >>> hits, chance = pointing([left, right], 2 * [(0, -1, 1, 1)])
    >>> hits.tolist(), chance.round(2).tolist()
    ([False, True], [0.67, 0.67])
    """
    weights, boxes = _checked(weights, boxes)
    high, wide = weights.shape[1:]
    x = (2 * np.arange(wide) + 1) / wide - 1
    y = (2 * np.arange(high) + 1) / high - 1
    x0, y0, x1, y1 = boxes.T[..., None]
    columns = (x0 <= x) & (x <= x1)
    rows = (y0 <= y) & (y <= y1)
    inside = rows[:, :, None] & columns[:, None]
    heaviest = weights == weights.max(axis=(1, 2), keepdims=True)
    hits = (inside | ~heaviest).all(axis=(1, 2))
    return hits, inside.mean(axis=(1, 2))


def pointing_among(weights, counts, owners):
    """Tells which attention is heaviest on the box in question.

    As `pointing`, of attention over given boxes in place of a grid.

    Args:
        weights: Real numbers, `(n, K)`: how much attention each box gets. What
            is behind the `counts` of a row is padding, and not compared.
        counts: Integers, `(n,)`: how many boxes there are, one at least.
        owners: Integers, `(n,)`: the box that each item is about.

    Returns:
        `(hits, chance)`: booleans `(n,)`, whether that box alone is the
        heaviest; and float64 `(n,)`, one over the number of boxes.

    Raises:
        ValueError: If a shape is another, a number is not finite, or a count or
            an owner is out of range.

    Example:

    >>> weights = [[0.1, 0.9, 0.0], [0.3, 0.3, 0.4]]
    >>> hits, chance = pointing_among(weights, [2, 3], [1, 0])
    >>> hits.tolist(), chance.round(2).tolist()
    ([True, False], [0.5, 0.33])
    """
    weights, counts, owners = map(np.asarray, (weights, counts, owners))
    if weights.ndim != 2 or not (
        counts.shape == owners.shape == weights.shape[:1]
    ):
        raise ValueError(
            "`weights` must be (n, K), `counts` and `owners` (n,). Received: "
            f"shapes {weights.shape}, {counts.shape} and {owners.shape}"
        )
    there = np.arange(weights.shape[1]) < counts[:, None]
    inside = (0 <= owners) & (owners < counts) & (counts <= weights.shape[1])
    finite = np.isfinite(np.where(there, weights, 0)).all(axis=1)
    if not (inside & finite).all():
        place = (inside & finite).argmin()
        raise ValueError(
            "Each item must be about one of its boxes, whose weights must be "
            f"finite. Received: owner {owners[place]} of {counts[place]} boxes "
            f"with weights {weights[place].tolist()} at place {place}"
        )
    seen = np.where(there, weights, -np.inf)
    heaviest = seen == seen.max(axis=1, keepdims=True, initial=-np.inf)
    own = np.arange(weights.shape[1]) == owners[:, None]
    return (own | ~(heaviest & there)).all(axis=1), 1 / counts


def _checked(weights, boxes):
    """Both as float64 arrays, or an error."""
    weights, boxes = np.asarray(weights), np.asarray(boxes)
    if (
        weights.ndim != 3
        or 0 in weights.shape[1:]
        or boxes.shape != (len(weights), 4)
    ):
        raise ValueError(
            "`weights` must be (n, h, w) and `boxes` (n, 4), a map and a box "
            f"for each item. Received: weights of shape {weights.shape}, boxes "
            f"of shape {boxes.shape}"
        )
    for name, array in (("weights", weights), ("boxes", boxes)):
        if array.dtype.kind not in "biuf":
            raise ValueError(
                f"`{name}` must hold real numbers. "
                f"Received: {name} of dtype {array.dtype}"
            )
        finite = np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
        if not finite.all():
            raise ValueError(
                f"`{name}` must be finite, to be compared. Received: {name} "
                f"with NaN or infinity at place {finite.argmin()}"
            )
    boxes = boxes.astype("float64")
    x0, y0, x1, y1 = boxes.T
    right = (x0 < x1) & (y0 < y1) & (np.abs(boxes) <= 1 + ROUNDING).all(axis=1)
    if not right.all():
        place = right.argmin()
        raise ValueError(
            "`boxes` must be (x0, y0, x1, y1) in [-1, 1], x0 < x1 and y0 < y1; "
            "leave out items that are about nothing in the image. "
            f"Received: {boxes[place].tolist()} at place {place}"
        )
    return weights, boxes
