"""A picture of where a captioner looked: a strip of pictures for each image."""

import numpy as np

from keras_attention.lettering import printable, shortened
from keras_attention.pictures.region_strips import RegionStrips
from keras_attention.pictures.strips import Strips, page_of_strips
from zoo.data.boxes import checked_boxes
from zoo.data.images import as_array, image_to_draw

COLUMNS = 6  # panels side by side
MOST = 1024  # pixels of an image's longer side; more would not be seen
LETTERS = 24  # of a map's name


def strips_of_answers(raws, answers, grid=None, columns=COLUMNS):
    """Draws each image, and again for each word of its caption.

    Each image has its own range of colours. A network that attends by several
    layers has a strip for each.

    Args:
        raws: List of images, as `zoo.inputs.image.Image` takes them; or an
            array `(B, H, W, C)`. Drawn at full resolution, whatever size the
            network read; those of more than 1,024 pixels a side are reduced.
        answers: List of `B` answers, dicts of `caption`, a string; `words`, the
            list of the words said; and `attention`, a dict from names to maps
            `(T, h, w)` or `(T, h * w)`, a map for each word and perhaps more,
            which are not drawn. Other entries are ignored.
        grid: `(h, w)` of the network's cells, needed for maps `(T, h * w)`,
            whose cells are row by row.
        columns: Positive integer. Panels side by side at most.

    Returns:
        A `matplotlib.figure.Figure`; `keras_attention.pictures.save_figure`
        writes it.

    Raises:
        ValueError: If there is no image, the number of answers is another,
            an answer has no map or fewer maps than words, a map is not of the
            grid, or its values are no shares; and as
            `zoo.data.images.read_image` for what is no image.
    """
    raws = list(raws)
    _check_counts(raws, answers)
    strips, titles = [], []
    for raw, answer in zip(raws, answers):
        image = image_to_draw(raw, MOST)
        for title, weights in _maps(answer, grid):
            strips.append(Strips(image, answer["words"], weights))
            titles.append(title)
    return page_of_strips(strips, titles, columns)


def region_strips_of_answers(raws, answers, columns=COLUMNS):
    """Draws each image with its boxes, and again for each word of its caption.

    Args:
        raws: List of dicts of `image`, as in `strips_of_answers`, and `boxes`,
            as `zoo.inputs.boxes.Boxes` takes them.
        answers: List of as many answers, dicts of `caption`, `words`, and
            `boxes`, a dict of `weights`: a list of rows of the weight of each
            box, for each word and perhaps more, which are not drawn.
        columns: Positive integer. Panels side by side at most.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ValueError: If there is no image, the number of answers is another, an
            answer has no weights or fewer rows than words; and as
            `zoo.data.images.read_image` and `zoo.data.boxes.checked_boxes`.
    """
    _check_counts(raws, answers)
    strips = []
    for raw, answer in zip(raws, answers):
        words, boxes = answer["words"], checked_boxes(raw["boxes"])
        weights = np.array(answer["boxes"].get("weights", []))[: len(words)]
        if not words:
            weights = np.zeros((0, len(boxes)))
        if weights.shape != (len(words), len(boxes)):
            raise ValueError(
                "There must be a weight of each box for each word. Received: "
                f"{len(words)} words, {len(boxes)} boxes, weights of shape "
                f"{weights.shape}"
            )
        image = image_to_draw(raw["image"], MOST)
        strips.append(RegionStrips(image, words, weights, boxes))
    titles = [answer["caption"] or "(no words)" for answer in answers]
    return page_of_strips(strips, titles, columns)


def _check_counts(raws, answers):
    if not len(raws) or len(raws) != len(answers):
        raise ValueError(
            "There must be an image to look at, and an answer for each. "
            f"Received: {len(raws)} images, {len(answers)} answers"
        )


def _maps(answer, grid):
    """A title and the maps of the words that were said, for each strip."""
    words, maps = answer["words"], answer["attention"]
    caption = answer["caption"] or "(no words)"
    if not maps:
        raise ValueError(
            "An answer must have a map of attention to draw; this model has "
            "none. Received: attention={}"
        )
    found = []
    for name, weights in maps.items():
        weights = as_array(weights)
        flat = weights.ndim == 2 and grid is not None
        if flat and weights.shape[1] == grid[0] * grid[1]:
            weights = weights.reshape(-1, *grid)
        if weights.ndim != 3 or len(weights) < len(words):
            raise ValueError(
                "Maps must be (T, h, w), or (T, h * w) for a `grid` of (h, w), "
                f"with one for each of the {len(words)} words at least. "
                f"Received: {name!r} of shape {weights.shape}, grid={grid}"
            )
        title = caption
        if len(maps) > 1:
            title = f"{shortened(printable(name), LETTERS)}: {caption}"
        found.append((title, weights[: len(words)]))
    return found
