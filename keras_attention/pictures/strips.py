"""Strips of pictures: where a model looked as it said each word."""

import collections
import functools
import math
import textwrap

import numpy as np

from keras_attention.lettering import (
    INK,
    drawn_width,
    printable,
    shortened,
    unshown,
    width,
    wrapped,
    write,
)
from keras_attention.pictures.drawing import (
    COLORMAP,
    as_finite,
    check_range,
    color_bar,
    find_colormap,
    import_matplotlib,
    in_notebooks,
)
from keras_attention.pictures.glimpses import as_transforms, draw_regions
from keras_attention.pictures.images import as_image, draw_image

# Inches.
PANEL = 1.5  # of an image's longer side
LEAST = 0.6, 0.3  # of a panel's width and height, however long the image is
MARGIN = 0.08
SPACE = 0.07  # between panels
WORD = 0.2  # above a panel
LETTER = 0.1  # room for one in a word of the larger size
LINE = 0.22  # of a title
TITLE_LETTER = 0.095  # the width of most in a title
GAP = 0.2  # between strips
NOTE = 0.15  # a line of the note below
BAR = 0.1, 0.09, 0.6  # left of the bar, the bar, and what is written beside it
LEGEND_HEIGHT = 1.2  # of the bar at least, for its label

SIZES = 10, 7  # points of a word, and of one that would be too long
TITLE_SIZE = 11  # points
LINES = 4  # of a title
GAMMA = 0.5  # weak attention is seen beside strong
GREY = (0.299, 0.587, 0.114)
# Of the image under the heat: how much of its colours, its black and white.
PALE, BLACK, WHITE = 0.4, 0.06, 0.56
LEGEND = "share of attention"

# Rows and columns of panels; the size of one, `(width, height)`; the number of
# rows beside which the bar stands; the size of all; the title in lines; the
# words as they fit, each with its points.
Layout = collections.namedtuple(
    "Layout", "rows columns panel bar width height title words"
)


def draw_strips(
    image,
    words,
    weights,
    boxes=None,
    title=None,
    columns=6,
    alpha=0.9,
    colormap=COLORMAP,
    value_range=(0, 255),
    weights_range=None,
):
    """Draws an image, and again for each word with the place looked at.

    The first panel is the image as it is. In those of the words, from left to
    right and row by row, it is dark and pale, and lights up where the attention
    is. The map is stretched over the whole image and smooth between the centres
    of its cells. All words share one range of colours, shown by a bar. Colours
    follow the square root of the share, so that attention spread over a large
    object is seen beside that on a small one.

    Args:
        image: `(H, W, 3)`, `(H, W, 1)` or `(H, W)`, values in `value_range`.
            It is drawn at full resolution; a larger `dpi` of `save_figure`
            shows more of a large one.
        words: List of T strings. Long ones are cut short, and a sign that
            cannot be printed is a dot. Without words the image stands alone.
        weights: `(T, h, w)` or `(T, h, w, 1)`, not negative: for each word,
            how much attention each cell of a grid over the image gets.
        boxes: List of T boxes `(x0, y0, x1, y1)`, such as of the object that
            a word is about, outlined in its panel; `None` for a word without
            one. See Convention. `None` draws no boxes.
        title: String or `None`. Above all panels, in at most 4 lines.
        columns: Positive integer. Panels side by side at most.
        alpha: Float in [0, 1]. How much of the image the colour of the
            greatest share covers; those of smaller shares cover less.
        colormap: String. The name of a matplotlib colormap.
        value_range: Pair of floats, the image's black and white.
        weights_range: Pair of floats, the weights at the ends of the colours.
            `None` takes 0 and the greatest weight; give it to compare several
            pictures.

    Returns:
        The `matplotlib.figure.Figure`.

    Raises:
        ValueError: If a shape is another, a value is not finite or outside
            `value_range`, a weight is negative, a box is none, a number or
            range is out of range, or the colormap is unknown.
        ImportError: If matplotlib is not installed.

    Convention: x points right and y down; -1 and 1 are the edges of the image.

    Example:

    >>> import numpy as np
    >>> image = np.zeros((48, 64, 3), "uint8")
    >>> weights = np.eye(12).reshape(12, 3, 4)[[0, 11]]
    >>> figure = draw_strips(image, ["a", "star"], weights, title="a star")
    >>> [ax.get_title() for ax in figure.axes]
    ['', 'a', 'star', '']
    """
    strips = Strips(
        image,
        words,
        weights,
        boxes,
        alpha,
        colormap,
        value_range,
        weights_range,
    )
    return page_of_strips([strips], [title], columns)


def page_of_strips(strips, titles, columns=6):
    """Draws strips one below the other.

    Args:
        strips: List of `Strips`, one at least.
        titles: List of a string or `None` for each, as in `draw_strips`.
        columns: Positive integer. Panels side by side at most.

    Returns:
        The `matplotlib.figure.Figure`.

    Raises:
        ValueError: If `columns` is not a positive integer.
    """
    layouts = [each.layout(columns, t) for each, t in zip(strips, titles)]
    across = max(layout.width for layout in layouts)
    down = sum(layout.height for layout in layouts) + GAP * (len(layouts) - 1)
    shown = [line for layout in layouts for line in layout.title]
    shown += [word for layout in layouts for word, _ in layout.words]
    note = unshown("".join(shown)) or ""
    note = textwrap.wrap(note, max(20, int(across / LETTER)))
    figure = import_matplotlib().figure.Figure(
        (across, down + NOTE * len(note)), dpi=110
    )
    top = 0.0
    for each, layout in zip(strips, layouts):
        each.draw(figure, layout, top)
        top += layout.height + GAP
    for number, line in enumerate(note):
        _text(figure, MARGIN, down + NOTE * (number + 0.5), line, 8)
    return in_notebooks(figure)


class Strips:
    """The panels of `draw_strips`, for a figure that holds more than those.

    Args:
        image: As in `draw_strips`.
        words: As in `draw_strips`.
        weights: As in `draw_strips`.
        boxes: As in `draw_strips`.
        alpha: As in `draw_strips`.
        colormap: As in `draw_strips`.
        value_range: As in `draw_strips`.
        weights_range: As in `draw_strips`.

    Raises:
        ValueError: As for `draw_strips`.
    """

    def __init__(
        self,
        image,
        words,
        weights,
        boxes=None,
        alpha=0.9,
        colormap=COLORMAP,
        value_range=(0, 255),
        weights_range=None,
    ):
        # A byte for each value: every panel keeps a copy.
        picture = as_image(image, value_range)
        grey = (picture @ GREY)[..., None]
        pale = grey + PALE * (picture - grey)
        self.picture = _as_bytes(picture)
        self.dark = _as_bytes(BLACK + (WHITE - BLACK) * pale)
        self.words = _as_words(words)
        self.weights = _as_maps(weights, self.words)
        self.boxes = _as_boxes(boxes, self.words)
        if not 0 <= alpha <= 1:
            raise ValueError(
                "`alpha` must be in [0, 1], how much of the image the greatest "
                f"share covers. Received: alpha={alpha}"
            )
        low, high = 0.0, float(self.weights.max(initial=0)) or 1.0
        if weights_range is not None:
            low, high = check_range("weights_range", weights_range)
        matplotlib = import_matplotlib()
        ramp = find_colormap(colormap)(np.linspace(0, 1, 256))
        ramp[:, 3] = alpha * np.linspace(0, 1, 256)
        self.norm = matplotlib.colors.PowerNorm(GAMMA, low, high, clip=True)
        self.heat = matplotlib.colors.ListedColormap(ramp)
        # The legend's colours are those over a grey between black and white.
        under = (BLACK + WHITE) / 2
        over = ramp[:, :3] * ramp[:, 3:] + under * (1 - ramp[:, 3:])
        self.legend = matplotlib.cm.ScalarMappable(
            self.norm, matplotlib.colors.ListedColormap(over)
        )

    def layout(self, columns=6, title=None):
        """How the panels stand, and the inches that they need.

        Args:
            columns: Positive integer. Panels side by side at most; the rows
                are as even as they can be.
            title: String or `None`.

        Returns:
            `Layout`.

        Raises:
            ValueError: If `columns` is not a positive integer.
        """
        if (
            isinstance(columns, bool)
            or not isinstance(columns, int)
            or columns < 1
        ):
            raise ValueError(
                "`columns` must be a positive integer. "
                f"Received: columns={columns!r}"
            )
        count = 1 + len(self.words)
        rows = -(-count // columns)
        columns = -(-count // rows)
        high, wide = self.picture.shape[:2]
        scale = PANEL / max(high, wide)
        panel = max(LEAST[0], scale * wide), max(LEAST[1], scale * high)
        across = 2 * MARGIN + columns * (panel[0] + SPACE) - SPACE
        down = 2 * MARGIN + rows * (WORD + panel[1] + SPACE) - SPACE
        beside = 0
        if self.words:
            # As many as the bar needs, if there are.
            beside = min(rows, math.ceil(LEGEND_HEIGHT / (WORD + panel[1])))
            across += sum(BAR)
            down = max(down, 2 * MARGIN + WORD + LEGEND_HEIGHT)
        lines = wrapped(
            title or "",
            across - 2 * MARGIN,
            TITLE_LETTER,
            LINES,
            fontsize=TITLE_SIZE,
        )
        words = [_fitted(word, panel[0]) for word in self.words]
        down += LINE * len(lines)
        return Layout(rows, columns, panel, beside, across, down, lines, words)

    def draw(self, figure, layout, top=0.0):
        """Draws all panels.

        Args:
            figure: A matplotlib `Figure` without a layout engine.
            layout: What `layout` gave.
            top: Float. How far below the figure's upper edge, in inches.
        """
        for number, line in enumerate(layout.title):
            place = top + MARGIN + LINE * (number + 0.5)
            _text(figure, MARGIN, place, line, TITLE_SIZE)
        top += MARGIN + LINE * len(layout.title)
        across, down = layout.panel
        for place in range(1 + len(self.words)):
            row, column = divmod(place, layout.columns)
            ax = _axes(
                figure,
                MARGIN + column * (across + SPACE),
                top + row * (WORD + down + SPACE) + WORD,
                across,
                down,
            )
            if place:
                self._draw_map(ax, place - 1)
                word, size = layout.words[place - 1]
                write(ax.set_title, word, fontsize=size, pad=3)
            else:
                draw_image(ax, self.picture)
        if self.words:
            gap, bar, _ = BAR
            left = layout.columns * (across + SPACE) - SPACE + gap
            height = layout.bar * (WORD + down + SPACE) - WORD - SPACE
            height = max(height, LEGEND_HEIGHT)
            ax = _axes(figure, MARGIN + left, top + WORD, bar, height)
            color_bar(figure, self.legend, cax=ax)
            ax.set_ylabel(LEGEND, fontsize=8, color=INK)

    def _draw_map(self, ax, index):
        high, wide = size = self.picture.shape[:2]
        draw_image(ax, self.dark)
        ax.imshow(
            self.weights[index],
            interpolation="catrom",
            interpolation_stage="data",
            extent=(0, wide, high, 0),
            cmap=self.heat,
            norm=self.norm,
        )
        if self.boxes[index] is not None:
            x0, y0, x1, y1 = self.boxes[index]
            region = [
                [(x1 - x0) / 2, 0, (x0 + x1) / 2],
                [0, (y1 - y0) / 2, (y0 + y1) / 2],
            ]
            draw_regions(ax, size, as_transforms(region), False, ["white"])


def _axes(figure, left, top, width, height):
    """Axes at a place and of a size in inches, from the upper left corner."""
    across, down = figure.get_size_inches()
    low = (down - top - height) / down
    return figure.add_axes((left / across, low, width / across, height / down))


def _text(figure, left, middle, line, size):
    """A line at a place in inches, from the upper left corner."""
    across, down = figure.get_size_inches()
    put = functools.partial(figure.text, left / across, 1 - middle / down)
    write(put, line, fontsize=size, ha="left", va="center")


def _as_bytes(picture):
    return np.round(255 * picture).astype("uint8")


def _as_words(words):
    words = list(words)
    for word in words:
        if not isinstance(word, str):
            raise ValueError(
                f"`words` must be strings. Received: {repr(word)[:50]}"
            )
    return words


def _as_maps(weights, words):
    """The weights as `(T, h, w)` floats."""
    values = np.asarray(weights)
    if values.ndim == 4 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim != 3 or len(values) != len(words) or 0 in values.shape[1:]:
        raise ValueError(
            "`weights` must be (T, h, w) or (T, h, w, 1), one map for each of "
            f"the T words. Received: weights of shape {np.shape(weights)}, "
            f"{len(words)} words"
        )
    values = as_finite("weights", values)
    if values.min(initial=0) < 0:
        raise ValueError(
            "`weights` must not be negative: they are shares of attention. "
            f"Received: a weight of {values.min():g}"
        )
    return values


def _as_boxes(boxes, words):
    """A box or `None` for each word."""
    if boxes is None:
        return [None] * len(words)
    if len(boxes) != len(words):
        raise ValueError(
            "`boxes` must hold a box, or None, for each word. "
            f"Received: {len(boxes)} boxes, {len(words)} words"
        )
    found = []
    for box in boxes:
        if box is not None:
            box = np.asarray(box)
            if box.shape != (4,):
                raise ValueError(
                    "A box must be (x0, y0, x1, y1). "
                    f"Received: a box of shape {box.shape}"
                )
            box = as_finite("boxes", box)
            if not (box[0] < box[2] and box[1] < box[3]):
                raise ValueError(
                    "A box must be (x0, y0, x1, y1), x0 < x1 and y0 < y1; give "
                    "None for a word without one. "
                    f"Received: {box.tolist()}"
                )
        found.append(box)
    return found


def _fitted(word, inches):
    """A word as it fits above a panel, and its size in points."""
    size, least = SIZES
    room = size * inches / LETTER  # of letters, times their size
    word = shortened(printable(word), int(room / least))
    size = max(least, min(size, room / max(1, width(word))))
    # Some letters are wider than most; and words must not touch.
    inches -= SPACE
    wide = drawn_width(word, fontsize=size)
    if wide > inches:
        size = max(least, size * inches / wide)
    while drawn_width(word, fontsize=size) > inches and width(word) > 1:
        word = shortened(word, width(word) - 1)
    return word, size
