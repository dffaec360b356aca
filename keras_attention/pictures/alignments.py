"""Alignment matrices: the words of one text against those of another."""

import functools
import math
import textwrap

import numpy as np

from keras_attention.lettering import printable, shortened, width, write
from keras_attention.pictures.drawing import (
    COLORMAP,
    as_map,
    color_bar,
    color_scale,
    draw_cells,
    new_figure,
    noted,
)

CELL = 0.24  # inches, enough for a word on its side
LETTER = 0.072  # inches, the width of most
LONGEST = 18  # letters of a word


def alignment_matrix(
    weights,
    rows,
    columns,
    title=None,
    ax=None,
    colormap=COLORMAP,
    weights_range=None,
    roles=None,
):
    """Draws how far each word of one text goes with each of another.

    Each pair of words is a cell of one colour. The words of the rows stand on
    the left, those of the columns above, on their side. A long word is cut
    short, and a sign that cannot be printed is a dot.

    Args:
        weights: `(len(rows), len(columns))`, one value for each pair of words.
        rows: List of strings, the words from top to bottom.
        columns: List of strings, the words from left to right.
        title: String or `None`. A line above the picture.
        ax: A matplotlib `Axes` to draw into, with the bar beside it. `None`
            makes a figure, which is as large as the words need.
        colormap: String. The name of a matplotlib colormap.
        weights_range: Pair of floats, the weights at the ends of the colours.
            `None` takes the least and greatest weight; give it to compare
            several pictures.
        roles: Pair of strings, what the rows and the columns are, beside them:
            `("reads", "is read")` of a layer's weights `(Tq, Tk)`. Or `None`.

    Returns:
        The `matplotlib.figure.Figure`.

    Raises:
        ValueError: If a word has no weights or the reverse, there is no word,
            a value is not finite, the range is empty, the colormap is unknown,
            or `roles` is no pair.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import numpy as np
    >>> figure = alignment_matrix(
    ...     np.eye(2, 3), ["who", "wrote"], ["austen", "wrote", "emma"]
    ... )
    >>> [word.get_text() for word in figure.axes[0].get_yticklabels()]
    ['who', 'wrote']
    """
    values = _alignment(weights, rows, columns)
    colors = color_scale(colormap, values, weights_range)
    own = ax is None
    place = {"ax": ax, "fraction": 0.046, "pad": 0.03}
    if own:
        left, wide, height = _room(rows, columns, roles)
        title, above = _lines(title, wide)
        figure = new_figure(left + wide + 0.7, above + height)
        ax, bar = figure.subplots(1, 2, width_ratios=(wide, 0.09))
        place = {"cax": bar}
    _cells(ax, values, rows, columns, colors, _checked(roles))
    if title is not None:
        write(ax.set_title, title, fontsize=10)
    color_bar(ax.figure, colors, **place)
    return noted(ax.figure, own)


def alignment_grid(
    maps,
    rows,
    columns,
    title=None,
    columns_per_row=4,
    colormap=COLORMAP,
    weights_range=None,
    roles=None,
):
    """Draws several alignments of the same words side by side, such as heads.

    All have one range of colours, so that they can be compared, and one bar.

    Args:
        maps: `(N, len(rows), len(columns))`, the heads of a layer for one
            sample, as `keras_attention.attention_maps` has them; or a dict
            from a panel's title to its weights, each
            `(len(rows), len(columns))`.
        rows: List of strings, the words from top to bottom. They stand at the
            first panel of each row of panels.
        columns: List of strings, the words from left to right.
        title: String or `None`. A line above the picture.
        columns_per_row: Positive integer. Panels side by side.
        colormap: String. The name of a matplotlib colormap.
        weights_range: Pair of floats, the weights at the ends of the colours.
            `None` takes the least and greatest weight of all maps.
        roles: Pair of strings, or `None`, as in `alignment_matrix`.

    Returns:
        The `matplotlib.figure.Figure`.

    Raises:
        ValueError: As for `alignment_matrix`; or if there is no map, or
            `columns_per_row` is not positive.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import numpy as np
    >>> figure = alignment_grid(
    ...     {"early": np.eye(1), "late": np.ones((1, 1))}, ["who"], ["emma"]
    ... )
    >>> [ax.get_title() for ax in figure.axes]
    ['early', 'late', '']
    """
    if not isinstance(maps, dict):
        maps = {f"head {n}": weights for n, weights in enumerate(maps, start=1)}
    maps = {
        name: _alignment(weights, rows, columns)
        for name, weights in maps.items()
    }
    if not maps:
        raise ValueError("There must be at least one map. Received: maps={}")
    if not isinstance(columns_per_row, int) or columns_per_row < 1:
        raise ValueError(
            "`columns_per_row` must be a positive integer. "
            f"Received: columns_per_row={columns_per_row!r}"
        )
    everything = np.stack(list(maps.values()))
    colors = color_scale(colormap, everything, weights_range)
    wide = min(columns_per_row, len(maps))
    high = math.ceil(len(maps) / wide)
    roles = _checked(roles)
    left, across, height = _room(rows, columns, roles)
    across = max(across, 0.1 + 1.2 * LETTER * max(map(width, maps)))
    title, above = _lines(title, wide * across)
    figure = new_figure(
        left + wide * (across + 0.1) + 0.7, above + high * (height + 0.25)
    )
    places = figure.add_gridspec(
        high, wide + 1, width_ratios=[across] * wide + [0.09]
    )
    for index, (name, values) in enumerate(maps.items()):
        row, column = divmod(index, wide)
        ax = figure.add_subplot(places[row, column])
        shown = (None, roles[1]) if column and roles else roles
        _cells(ax, values, [] if column else rows, columns, colors, shown)
        write(ax.set_title, name, fontsize=9)
    if title is not None:
        write(figure.suptitle, title, fontsize=10)
    color_bar(figure, colors, cax=figure.add_subplot(places[:, -1]))
    return noted(figure)


def _alignment(weights, rows, columns):
    """The weights as `(len(rows), len(columns))` floats."""
    values = as_map(weights)
    if values.shape != (len(rows), len(columns)):
        raise ValueError(
            "The weights must have a row for each of `rows` and a column for "
            f"each of `columns`. Received: weights of shape {values.shape}, "
            f"{len(rows)} rows and {len(columns)} columns"
        )
    return values


def _checked(roles):
    if roles is not None and (isinstance(roles, str) or len(roles) != 2):
        raise ValueError(
            "`roles` must be a pair of strings, of the rows and the columns. "
            f"Received: roles={roles!r}"
        )
    return roles


def _cells(ax, values, rows, columns, colors, roles):
    draw_cells(ax, values, colors)
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    for put, words, rotation in (
        (ax.set_yticks, rows, 0),
        (ax.set_xticks, columns, 90),
    ):
        put = functools.partial(put, range(len(words)))
        write(put, _labels(words), size=8, rotation=rotation)
    ax.spines[:].set_visible(False)
    ax.xaxis.set_label_position("top")
    for put, role in zip((ax.set_ylabel, ax.set_xlabel), roles or ()):
        if role is not None:
            write(put, role, fontsize=9, fontstyle="italic")


def _labels(words):
    """The words as they can be drawn."""
    return [shortened(printable(word), LONGEST) for word in words]


def _room(rows, columns, roles):
    """Inches: the words of the rows, the cells' width, the height of all."""
    left, top = (
        (0.3 if roles else 0.1) + LETTER * max(map(width, _labels(words)))
        for words in (rows, columns)
    )
    across = max(1.8, CELL * len(columns))
    return left, across, top + max(1, CELL * len(rows))


def _lines(title, across):
    """The title in lines of a width, and their height; inches."""
    if title is None:
        return None, 0.1
    letters = int(across / LETTER / 1.3)
    lines = [
        line
        for text in title.splitlines()
        for line in textwrap.wrap(text, letters)
    ]
    return "\n".join(lines), 0.1 + 0.2 * len(lines)
