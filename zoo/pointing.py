"""Pointing accuracy: does the heaviest place lie on the object in question."""

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
