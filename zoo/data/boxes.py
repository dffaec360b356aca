"""Boxes on an image: checked, and read from text."""

import re

import numpy as np

from zoo.data.images import as_array

MOST = 1000  # boxes of an image; more would fill the memory to no end
ROUNDING = 1e-6  # by which a box may exceed the image


def checked_boxes(raw, most=None):
    """The boxes of one image, as an array.

    Args:
        raw: List, array or tensor `(k, 4)`: `(x0, y0, x1, y1)` of each box in
            [-1, 1], x to the right and y downwards, -1 and 1 being the edges of
            the image.
        most: Positive integer, how many boxes there may be; `None` is 1,000.

    Returns:
        Float32 array `(k, 4)`.

    Raises:
        ValueError: If there is no box, there are too many, or one is not
            finite, has no area or does not lie on the image.

    Example:

    >>> checked_boxes([(-1, -1, 0, 0.5)]).tolist()
    [[-1.0, -1.0, 0.0, 0.5]]
    """
    most = MOST if most is None else most
    try:
        boxes = as_array(raw)
    except ValueError:  # rows of several lengths
        boxes = np.array(None)
    if boxes.size == 0 and boxes.ndim:
        raise ValueError(
            "There must be a box at least; for the whole image give "
            "(-1, -1, 1, 1). Received: no boxes"
        )
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.dtype.kind not in "uif":
        raise ValueError(
            "The boxes of an image must be real numbers (k, 4), "
            f"(x0, y0, x1, y1) of each. Received: {repr(raw)[:60]}"
        )
    if len(boxes) > most:
        raise ValueError(
            f"There must be at most {most} boxes; choose those that matter, "
            f"for none are left out silently. Received: {len(boxes)} boxes"
        )
    # What is equal in 32 bits has no area for the network.
    with np.errstate(over="ignore"):
        boxes = boxes.astype("float32")
    for place, box in enumerate(boxes):
        x0, y0, x1, y1 = np.clip(box, -1, 1)
        problem = None
        if not np.isfinite(box).all():
            problem = "must be finite"
        elif np.abs(box).max() > 1 + ROUNDING:
            problem = (
                "must lie on the image, whose edges are -1 and 1: a place in "
                "pixels is 2 * pixel / side - 1"
            )
        elif not (x0 < x1 and y0 < y1):
            problem = "must have an area: x0 < x1 and y0 < y1"
        if problem:
            raise ValueError(
                f"A box (x0, y0, x1, y1) {problem}. "
                f"Received: {box.tolist()} at place {place}"
            )
    return np.clip(boxes, -1, 1)


def written_boxes(boxes):
    """Boxes as `read_boxes` takes them.

    Args:
        boxes: Array `(k, 4)`, or a list of such rows.

    Returns:
        String.

    Example:

    >>> written_boxes([(-1, -1, 0, 0), (0, 0, 1, 0.5)])
    '-1 -1 0 0; 0 0 1 0.5'
    """
    return "; ".join(" ".join(f"{edge:g}" for edge in box) for box in boxes)


def read_boxes(text):
    """The boxes that a text names, such as a cell of a table.

    Args:
        text: String: the four numbers of each box with spaces or commas
            between them, and a semicolon between boxes.

    Returns:
        List of lists of four floats, as `checked_boxes` takes them.

    Raises:
        ValueError: If it is something else.

    Example:

    >>> read_boxes("-1 -1 0 0; 0, 0, 1, 0.5")
    [[-1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.5]]
    """
    boxes = []
    for part in filter(str.strip, text.split(";")):
        cells = re.split(r"\s*,\s*|\s+", part.strip())
        try:
            box = [float(cell) for cell in cells]
        except ValueError:
            box = []
        if len(box) != 4:
            raise ValueError(
                "Boxes must be four numbers each, x0 y0 x1 y1, with a "
                f"semicolon between boxes. Received: {part.strip()[:60]!r}"
            )
        boxes.append(box)
    return boxes
