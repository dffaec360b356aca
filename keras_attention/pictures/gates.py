"""Channel gates as bars, steps or rows of colours."""

import functools
import math

import numpy as np

from keras_attention.lettering import INK, shortened, write
from keras_attention.pictures.drawing import (
    BAR,
    COLORMAP,
    as_finite,
    color_bar,
    color_scale,
    draw_cells,
    find_colormap,
    import_matplotlib,
    new_figure,
    noted,
)

STEPS = 6  # images whose steps are told apart
MANY = 128  # channels, whose steps are thinner
LETTERS = 24  # of a label in front of a row


def channel_gates(gates, labels=None, sort=False, title=None, ax=None):
    """Draws how far a layer opens each of its channels, for one image or more.

    One image is drawn as bars, up to 6 as steps over the same channels, and
    more as rows of colours.

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
    values = as_gates(gates)
    if labels is not None and len(labels) != len(values):
        raise ValueError(
            f"`labels` must hold one label for each of the {len(values)} "
            f"images. Received: labels={list(labels)}"
        )
    if sort:
        values = values[:, np.argsort(-values.mean(0), kind="stable")]
    own = ax is None
    if own:
        high = 2.8 if len(values) <= STEPS else 0.8 + 0.2 * len(values)
        ax = new_figure(6.4, high).add_subplot()

    if len(values) == 1:
        draw_gates(ax, values[0], gate_limit(values))
    elif len(values) > STEPS:
        _gate_rows(ax, values, labels or map(str, range(1, 1 + len(values))))
    else:
        line = 1.6 if values.shape[1] <= MANY else 0.8
        _gate_axes(ax, values.shape[1], gate_limit(values))
        edges = np.arange(values.shape[1] + 1) - 0.5
        shades = find_colormap("viridis")(np.linspace(0, 0.85, len(values)))
        for row, shade in zip(values, shades):
            ax.stairs(row, edges, baseline=None, color=shade, linewidth=line)
    if labels is not None and len(values) <= STEPS:
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
    told = "gate" if len(values) <= STEPS else "image"
    ax.set_ylabel(told, fontsize=9, color=INK)
    if title is not None:
        write(ax.set_title, title, fontsize=10)
    return noted(ax.figure, own)


def _gate_rows(ax, values, labels):
    """Draws the gates of each image as a row of colours."""
    colors = color_scale(COLORMAP, values, (0, gate_limit(values)))
    draw_cells(ax, values, colors)
    put = functools.partial(ax.set_yticks, range(len(values)))
    write(put, [shortened(label, LETTERS) for label in labels], size=8)
    ax.tick_params(labelsize=8, length=2, color=INK, labelcolor=INK)
    ax.spines[:].set_visible(False)
    color_bar(ax.figure, colors, ax=ax, fraction=0.046, pad=0.02)
    ax.figure.axes[-1].set_title("gate", fontsize=8, color=INK)


def as_gates(gates):
    """The gates as `(B, C)` floats."""
    values = np.asarray(gates)
    channels = math.prod(values.shape[1:])
    if values.ndim < 2 or not values.size or channels != max(values.shape[1:]):
        raise ValueError(
            "Channel gates must be (B, C), (B, 1, 1, C) or (B, C, 1, 1), one "
            f"value for each channel. Received: gates of shape {values.shape}"
        )
    values = as_finite("gates", values).reshape(len(values), channels)
    if values.min() < 0:
        raise ValueError(
            "Channel gates must not be negative: 0 is closed. "
            f"Received: gates from {values.min():g} to {values.max():g}"
        )
    return values


def draw_gates(ax, values, top):
    """Draws the gates of one image as bars, up to `top`."""
    _gate_axes(ax, len(values), top)
    ax.bar(np.arange(len(values)), values, width=0.85, color=BAR)


def gate_limit(gates):
    """The upper end of the axis: 1 for shares, 2 for those that may double."""
    return max(1, math.ceil(gates.max() - 1e-6))


def _gate_axes(ax, channels, top):
    ax.set_xlim(-0.5, channels - 0.5)
    ax.set_ylim(0, top)
    ax.xaxis.set_major_locator(
        import_matplotlib().ticker.MaxNLocator(integer=True)
    )
    ax.set_yticks([0, top / 2, top])
    ax.grid(axis="y", color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(labelsize=8, length=2, color=INK, labelcolor=INK)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color("#999999")


def _setter(text):
    """A function that gives a matplotlib text its words and its style."""

    def put(words, **style):
        text.update({"text": words, **style})

    return put
