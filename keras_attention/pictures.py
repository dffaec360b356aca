"""Pictures of attention: maps over images, words with words, channel gates.

Every function returns a `matplotlib.figure.Figure` made without pyplot: no
window, no global state, safe in threads and on servers. In a notebook, a
figure as the last line of a cell is shown; elsewhere, `save_figure` writes it.
Matplotlib is imported when a picture is drawn.
"""

import functools
import math
import os
import pathlib
import tempfile
import textwrap
import warnings

import numpy as np

from keras_attention.lettering import (
    INK,
    printable,
    shortened,
    unshown,
    width,
    write,
)

COLORMAP = "plasma"
BAR = "#3b6fb6"
CELL = 0.24  # inches, enough for a word on its side
LETTER = 0.072  # inches, the width of most
LONGEST = 18  # letters of a word


def heat_map(
    image,
    weights,
    title=None,
    ax=None,
    alpha=0.6,
    colormap=COLORMAP,
    value_range=(0, 255),
    weights_range=None,
):
    """Draws an image with a map of weights over it, and a bar of its colours.

    Under the map the image is grey, so that all colours are the map's. Its
    pixels stay crisp; the map is stretched over the whole image, bilinearly,
    so that the outer edges of both meet.

    Args:
        image: `(H, W, 3)`, `(H, W, 1)` or `(H, W)`, values in `value_range`.
        weights: `(h, w)` or `(h, w, 1)`, one value for each place; any size.
        title: String or `None`. A line above the picture.
        ax: A matplotlib `Axes` to draw into, with the bar beside it. `None`
            makes a figure.
        alpha: Float in [0, 1]. How much of the map covers the image.
        colormap: String. The name of a matplotlib colormap.
        value_range: Pair of floats, the image's black and white: `(0, 255)`
            or `(0, 1)`. It is never guessed.
        weights_range: Pair of floats, the weights at the ends of the colours.
            `None` takes the least and greatest weight of this map; give it
            to compare several pictures.

    Returns:
        The `matplotlib.figure.Figure`.

    Raises:
        ValueError: If a shape is another, a value is not finite or outside
            `value_range`, `alpha` is outside [0, 1], a range is empty, or the
            colormap is unknown.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import numpy as np
    >>> image = np.zeros((8, 8, 3), "uint8")
    >>> figure = heat_map(image, np.eye(4), title="where it looked")
    >>> [ax.get_title() for ax in figure.axes]
    ['where it looked', '']
    """
    picture = _image(image, value_range)
    values = _map(weights)
    if not 0 <= alpha <= 1:
        raise ValueError(
            "`alpha` must be in [0, 1], how much of the map covers the image. "
            f"Received: alpha={alpha}"
        )
    limits = _limits(values, weights_range)
    colors = _colors(colormap, limits)
    own = ax is None
    if own:
        figure = _figure(4.2, 3.6)
        ax = figure.add_subplot()
    _overlay(ax, picture, values, colors, alpha)
    if title is not None:
        write(ax.set_title, title, fontsize=10)
    _bar(ax.figure, colors, ax=ax, fraction=0.046, pad=0.03)
    return noted(ax.figure, own)


def attention_grid(
    images,
    maps,
    gates=None,
    titles=None,
    alpha=0.6,
    colormap=COLORMAP,
    value_range=(0, 255),
):
    """Draws a row for each image: itself, the maps over it, channel gates.

    Each column of maps has one range of colours, from its least to its
    greatest weight, so that rows can be compared; its bar is below.

    Args:
        images: `(B, H, W, 3)`, `(B, H, W, 1)` or `(B, H, W)`.
        maps: Dict from a column's name to its weights, `(B, h, w)` or
            `(B, h, w, 1)`. May be empty where `gates` are given.
        gates: Dict from a column's name to a layer's channel gates, `(B, C)`,
            `(B, 1, 1, C)` or `(B, C, 1, 1)`; or `None`.
        titles: List of `B` strings, one for each row, such as its label; or
            `None`.
        alpha: Float in [0, 1]. How much of a map covers the image.
        colormap: String. The name of a matplotlib colormap.
        value_range: Pair of floats, the images' black and white.

    Returns:
        The `matplotlib.figure.Figure`.

    Raises:
        ValueError: As for `heat_map` and `channel_gates`; or if there is no
            image, nothing to draw beside them, or the numbers of images, maps
            and titles differ.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import numpy as np
    >>> images = np.zeros((2, 8, 8, 1))
    >>> figure = attention_grid(
    ...     images,
    ...     {"early": np.ones((2, 4, 4)), "late": np.ones((2, 2, 2))},
    ...     titles=["zero", "one"],
    ... )
    >>> [ax.get_title() for ax in figure.axes[:3]]
    ['image', 'early', 'late']
    """
    gates = gates or {}
    images = [_image(image, value_range) for image in images]
    maps = {name: [_map(w) for w in group] for name, group in maps.items()}
    gates = {name: _gates(group) for name, group in gates.items()}
    if not 0 <= alpha <= 1:
        raise ValueError(
            "`alpha` must be in [0, 1], how much of the map covers the image. "
            f"Received: alpha={alpha}"
        )
    columns = {"titles": titles} if titles is not None else {}
    columns |= maps | gates
    counts = {name: len(group) for name, group in columns.items()}
    if (
        not images
        or not (maps or gates)
        or set(counts.values()) != {len(images)}
    ):
        raise ValueError(
            "There must be at least one image and one column of maps or gates, "
            "and one map, gate and title for each image. "
            f"Received: {len(images)} images, and by column {counts}"
        )

    high, wide = images[0].shape[:2]
    scale = 1.7 / max(high, wide / 3)  # inches a pixel
    height = max(0.2, scale * high)
    widths = [max(0.4, scale * wide)] * (1 + len(maps)) + [2.6] * len(gates)
    heights = [height] * len(images) + [0.09]
    figure = _figure(sum(widths) + 0.6, sum(heights) + 0.8)
    axes = figure.subplots(
        len(heights),
        len(widths),
        squeeze=False,
        width_ratios=widths,
        height_ratios=heights,
    )
    # The last row is for the bars of colours.
    axes, bars = axes[:-1], axes[-1]
    for name, ax in zip(("image", *maps, *gates), axes[0]):
        write(ax.set_title, name, fontsize=9)
    for row, picture in enumerate(images):
        _show(axes[row, 0], picture)
        if titles is not None:
            beside(axes[row, 0], titles[row])
    for column, group in enumerate(maps.values(), start=1):
        limits = _limits(np.concatenate([values.ravel() for values in group]))
        colors = _colors(colormap, limits)
        for row, values in enumerate(group):
            _overlay(axes[row, column], images[row], values, colors, alpha)
        _bar(figure, colors, cax=bars[column], orientation="horizontal")
    for column, group in enumerate(gates.values(), 1 + len(maps)):
        for row, values in enumerate(group):
            _bars(axes[row, column], values, _top(group))
            axes[row, column].tick_params(labelbottom=row == len(images) - 1)
        axes[-1, column].set_xlabel("channel", fontsize=8, color=INK)
    for ax in (bars[0], *bars[1 + len(maps) :]):
        ax.set_axis_off()
    return noted(figure)


def channel_gates(gates, labels=None, sort=False, title=None, ax=None):
    """Draws how far a layer opens each of its channels, for one image or more.

    One image is drawn as bars, several as steps over the same channels.

    Args:
        gates: `(B, C)`, `(B, 1, 1, C)` or `(B, C, 1, 1)`, not negative.
        labels: List of `B` strings, one for each image; or `None`.
        sort: Boolean. Whether the channels are ordered by their mean gate,
            the most open first. All images keep one order.
        title: String or `None`. A line above the picture.
        ax: A matplotlib `Axes` to draw into. `None` makes a figure.

    Returns:
        The `matplotlib.figure.Figure`.

    Raises:
        ValueError: If the shape is another, a gate is negative or not finite,
            or there is not one label for each image.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import numpy as np
    >>> figure = channel_gates(np.full((2, 16), 0.5), labels=["cat", "dog"])
    >>> figure.axes[0].get_xlabel()
    'channel'
    """
    values = _gates(gates)
    if labels is not None and len(labels) != len(values):
        raise ValueError(
            f"`labels` must hold one label for each of the {len(values)} "
            f"images. Received: labels={list(labels)}"
        )
    if sort:
        values = values[:, np.argsort(-values.mean(0), kind="stable")]
    own = ax is None
    if own:
        ax = _figure(6.4, 2.8).add_subplot()

    if len(values) == 1:
        _bars(ax, values[0], _top(values))
    else:
        _gate_axes(ax, values.shape[1], _top(values))
        edges = np.arange(values.shape[1] + 1) - 0.5
        shades = _colormap("viridis")(np.linspace(0, 0.85, len(values)))
        for row, shade in zip(values, shades):
            ax.stairs(row, edges, baseline=None, color=shade, linewidth=1.6)
    if labels is not None:
        legend = ax.legend(
            ax.patches[:1] if len(values) == 1 else ax.patches,
            [""] * len(labels),
            frameon=False,
            loc="upper left",
            bbox_to_anchor=(1, 1),
        )
        for text, label in zip(legend.get_texts(), labels):
            write(_setter(text), label, fontsize=8)
    order = "channel, the most open first" if sort else "channel"
    ax.set_xlabel(order, fontsize=9, color=INK)
    ax.set_ylabel("gate", fontsize=9, color=INK)
    if title is not None:
        write(ax.set_title, title, fontsize=10)
    return noted(ax.figure, own)


def alignment_matrix(
    weights,
    rows,
    columns,
    title=None,
    ax=None,
    colormap=COLORMAP,
    weights_range=None,
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

    Returns:
        The `matplotlib.figure.Figure`.

    Raises:
        ValueError: If a word has no weights or the reverse, there is no word,
            a value is not finite, the range is empty, or the colormap is
            unknown.
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
    limits = _limits(values, weights_range)
    colors = _colors(colormap, limits)
    own = ax is None
    place = {"ax": ax, "fraction": 0.046, "pad": 0.03}
    if own:
        left, wide, height = _room(rows, columns)
        title, above = _lines(title, wide)
        figure = _figure(left + wide + 0.7, above + height)
        ax, bar = figure.subplots(1, 2, width_ratios=(wide, 0.09))
        place = {"cax": bar}
    _cells(ax, values, rows, columns, colors)
    if title is not None:
        write(ax.set_title, title, fontsize=10)
    _bar(ax.figure, colors, **place)
    return noted(ax.figure, own)


def alignment_grid(
    maps,
    rows,
    columns,
    title=None,
    columns_per_row=4,
    colormap=COLORMAP,
    weights_range=None,
):
    """Draws several alignments of the same words side by side.

    All have one range of colours, so that they can be compared, and one bar.

    Args:
        maps: Dict from a panel's title to its weights, each
            `(len(rows), len(columns))`.
        rows: List of strings, the words from top to bottom. They stand at the
            first panel of each row of panels.
        columns: List of strings, the words from left to right.
        title: String or `None`. A line above the picture.
        columns_per_row: Positive integer. Panels side by side.
        colormap: String. The name of a matplotlib colormap.
        weights_range: Pair of floats, the weights at the ends of the colours.
            `None` takes the least and greatest weight of all maps.

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
    limits = _limits(np.stack(list(maps.values())), weights_range)
    colors = _colors(colormap, limits)
    wide = min(columns_per_row, len(maps))
    high = math.ceil(len(maps) / wide)
    left, across, height = _room(rows, columns)
    across = max(across, 0.1 + 1.2 * LETTER * max(map(width, maps)))
    title, above = _lines(title, wide * across)
    figure = _figure(
        left + wide * (across + 0.1) + 0.7, above + high * (height + 0.25)
    )
    places = figure.add_gridspec(
        high, wide + 1, width_ratios=[across] * wide + [0.09]
    )
    for index, (name, values) in enumerate(maps.items()):
        row, column = divmod(index, wide)
        ax = figure.add_subplot(places[row, column])
        _cells(ax, values, [] if column else rows, columns, colors)
        write(ax.set_title, name, fontsize=9)
    if title is not None:
        write(figure.suptitle, title, fontsize=10)
    _bar(figure, colors, cax=figure.add_subplot(places[:, -1]))
    return noted(figure)


def beside(ax, text):
    """Writes a text on the left of a picture, upright.

    Args:
        ax: A matplotlib `Axes`.
        text: String.
    """
    place = {"rotation": 0, "ha": "right", "va": "center", "labelpad": 6}
    write(ax.set_ylabel, text, fontsize=9, **place)


def noted(figure, own=True):
    """Says in a picture which of its signs no font of this machine has.

    Args:
        figure: A `matplotlib.figure.Figure`, finished.
        own: Boolean. Whether there is room for a line below it; else a
            warning says it.

    Returns:
        The figure.
    """
    from matplotlib.text import Text

    note = unshown("".join(text.get_text() for text in figure.findobj(Text)))
    if note and own:
        note = textwrap.fill(note, max(20, int(figure.get_figwidth() / 0.07)))
        write(figure.supxlabel, note, x=0.01, ha="left", fontsize=8)
        # The line is not taken from the picture.
        inches = 0.15 * (1 + note.count("\n"))
        figure.set_figheight(figure.get_figheight() + inches)
    elif note:
        warnings.warn(note, stacklevel=3)
    return figure


def save_figure(figure, path, dpi=160):
    """Writes a figure to a file, whole or not at all.

    Args:
        figure: A `matplotlib.figure.Figure`.
        path: Where to; the suffix names the format: `.png`, `.svg`, `.pdf`. A
            file that is there is replaced, links being followed. The folder
            must exist.
        dpi: Positive number. Pixels an inch.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If `figure` is no figure, the suffix names no format that
            matplotlib writes, or the folder does not exist.

    Example:

    >>> figure = heat_map(np.zeros((8, 8)), np.eye(4))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_figure(figure, f"{folder}/looked.png").name
    'looked.png'
    """
    given, path = pathlib.Path(path), pathlib.Path(os.path.realpath(path))
    if not hasattr(figure, "savefig"):
        raise ValueError(
            f"`figure` must be a matplotlib figure. Received: figure={figure!r}"
        )
    check_format(given)
    if not path.parent.is_dir():
        raise ValueError(
            "`path` must lie in a folder that exists. "
            f"Received: path={str(given)!r}"
        )
    # More pixels than this no side of a picture may have.
    dpi = min(dpi, 65_000 / max(figure.get_size_inches()))
    handle, partial = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix
    )
    try:
        with os.fdopen(handle, "wb") as file, warnings.catch_warnings():
            # A sign that its font lacks is a box, which the picture says.
            warnings.filterwarnings("ignore", "Glyph .* missing")
            figure.savefig(file, format=given.suffix[1:].lower(), dpi=dpi)
        # What `mkstemp` makes is readable by its owner alone.
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise
    return given


def check_format(path):
    """Raises unless the suffix of a path names a picture format.

    Args:
        path: Path of a picture that `save_figure` will write.

    Raises:
        ValueError: If matplotlib writes no format of that name.

    Example:

    >>> check_format("looked.png")
    """
    canvas = _matplotlib().figure.Figure().canvas
    formats = sorted(canvas.get_supported_filetypes())
    if pathlib.Path(path).suffix[1:].lower() not in formats:
        raise ValueError(
            f"`path` must end with a format that can be written: {formats}. "
            f"Received: path={str(path)!r}"
        )


def _matplotlib():
    try:
        import matplotlib.cm
        import matplotlib.colors
        import matplotlib.figure
        import matplotlib.ticker
    except ImportError as error:
        raise ImportError(
            "Pictures are drawn by matplotlib, which is not installed. "
            'Install it with `pip install "keras-attention-zoo[zoo]"`.'
        ) from error
    return matplotlib


def _figure(width, height):
    return _matplotlib().figure.Figure(
        (width, height), dpi=110, layout="constrained"
    )


def _image(image, value_range):
    """The image as `(H, W, 3)` floats in [0, 1]."""
    low, high = _range("value_range", value_range)
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[-1] not in (1, 3) or not pixels.size:
        raise ValueError(
            "An image must be (H, W, 3), (H, W, 1) or (H, W). "
            f"Received: image of shape {np.shape(image)}"
        )
    pixels = _finite("image", pixels)
    if pixels.min() < low or pixels.max() > high:
        raise ValueError(
            f"The image must lie in `value_range`, its black and white. "
            f"Received: value_range=({low:g}, {high:g}), an image from "
            f"{pixels.min():g} to {pixels.max():g}"
        )
    return np.broadcast_to(
        (pixels - low) / (high - low), (*pixels.shape[:2], 3)
    )


def _map(weights):
    """The weights as `(h, w)` floats."""
    values = np.asarray(weights)
    if values.ndim == 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim != 2 or not values.size:
        raise ValueError(
            "A map of weights must be (h, w) or (h, w, 1), one value for each "
            "place; take one image and one map. "
            f"Received: weights of shape {np.shape(weights)}"
        )
    return _finite("weights", values)


def _alignment(weights, rows, columns):
    """The weights as `(len(rows), len(columns))` floats."""
    values = _map(weights)
    if values.shape != (len(rows), len(columns)):
        raise ValueError(
            "The weights must have a row for each of `rows` and a column for "
            f"each of `columns`. Received: weights of shape {values.shape}, "
            f"{len(rows)} rows and {len(columns)} columns"
        )
    return values


def _gates(gates):
    """The gates as `(B, C)` floats."""
    values = np.asarray(gates)
    channels = math.prod(values.shape[1:])
    if values.ndim < 2 or not values.size or channels != max(values.shape[1:]):
        raise ValueError(
            "Channel gates must be (B, C), (B, 1, 1, C) or (B, C, 1, 1), one "
            f"value for each channel. Received: gates of shape {values.shape}"
        )
    values = _finite("gates", values).reshape(len(values), channels)
    if values.min() < 0:
        raise ValueError(
            "Channel gates must not be negative: 0 is closed. "
            f"Received: gates from {values.min():g} to {values.max():g}"
        )
    return values


def _finite(name, array):
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise ValueError(
            f"`{name}` must hold real numbers. "
            f"Received: {name} of dtype {array.dtype}"
        )
    values = array.astype("float64")
    if not np.isfinite(values).all():
        raise ValueError(
            f"`{name}` must be finite, or it has no colour. Received: {name} "
            f"with {(~np.isfinite(values)).sum()} values NaN or infinite"
        )
    return values


def _range(name, pair):
    low, high = pair
    if not low < high:
        raise ValueError(
            f"`{name}` must be a pair, the lower number first. "
            f"Received: {name}={pair}"
        )
    return low, high


def _limits(values, weights_range=None):
    if weights_range is not None:
        return _range("weights_range", weights_range)
    low, high = float(values.min()), float(values.max())
    # An even map still needs a range of colours to lie in.
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _colormap(name):
    colormaps = _matplotlib().colormaps
    if name not in colormaps:
        raise ValueError(
            "`colormap` must be the name of a matplotlib colormap, such as "
            f'"inferno" or "viridis". Received: colormap={name!r}'
        )
    return colormaps[name]


def _colors(colormap, limits):
    return _matplotlib().cm.ScalarMappable(
        _matplotlib().colors.Normalize(*limits), _colormap(colormap)
    )


def _show(ax, picture):
    height, width = picture.shape[:2]
    ax.imshow(picture, interpolation="nearest", extent=(0, width, height, 0))
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def _overlay(ax, picture, values, colors, alpha):
    height, width = picture.shape[:2]
    # In light greys the picture leaves the colours to the map.
    grey = 0.2 + 0.8 * picture @ (0.299, 0.587, 0.114)
    _show(ax, np.repeat(grey[..., None], 3, axis=-1))
    ax.imshow(
        values,
        interpolation="bilinear",
        extent=(0, width, height, 0),
        cmap=colors.cmap,
        norm=colors.norm,
        alpha=alpha,
    )


def _cells(ax, values, rows, columns, colors):
    ax.imshow(
        values,
        interpolation="nearest",
        aspect="auto",
        cmap=colors.cmap,
        norm=colors.norm,
    )
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    for put, words, rotation in (
        (ax.set_yticks, rows, 0),
        (ax.set_xticks, columns, 90),
    ):
        put = functools.partial(put, range(len(words)))
        write(put, _labels(words), size=8, rotation=rotation)
    ax.spines[:].set_visible(False)


def _labels(words):
    """The words as they can be drawn."""
    return [shortened(printable(word), LONGEST) for word in words]


def _room(rows, columns):
    """Inches: the words of the rows, the cells' width, the height of all."""
    left, top = (
        0.1 + LETTER * max(map(width, _labels(words)))
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


def _setter(text):
    """A function that gives a matplotlib text its words and its style."""

    def put(words, **style):
        text.update({"text": words, **style})

    return put


def _bar(figure, colors, **place):
    bar = figure.colorbar(colors, **place)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, length=2, color=INK, labelcolor=INK)
    low, high = colors.norm.vmin, colors.norm.vmax
    decimals = max(0, 1 - math.floor(math.log10(high - low)))
    ticks = np.linspace(low, high, 3)
    bar.set_ticks(ticks, labels=[f"{tick:.{decimals}f}" for tick in ticks])
    if bar.orientation == "horizontal":
        # Labels at the ends stay within the bar.
        first, _, last = bar.ax.get_xticklabels()
        first.set_ha("left")
        last.set_ha("right")


def _bars(ax, values, top):
    _gate_axes(ax, len(values), top)
    ax.bar(np.arange(len(values)), values, width=0.85, color=BAR)


def _gate_axes(ax, channels, top):
    ax.set_xlim(-0.5, channels - 0.5)
    ax.set_ylim(0, top)
    ax.xaxis.set_major_locator(_matplotlib().ticker.MaxNLocator(integer=True))
    ax.set_yticks([0, top / 2, top])
    ax.grid(axis="y", color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(labelsize=8, length=2, color=INK, labelcolor=INK)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color("#999999")


def _top(gates):
    """The upper end of the axis: 1 for shares, 2 for those that may double."""
    return max(1, math.ceil(gates.max() - 1e-6))
