"""Channel gates as bars or steps."""

import math

import numpy as np

from keras_attention.lettering import INK, write
from keras_attention.pictures.drawing import (
    BAR,
    as_finite,
    find_colormap,
    import_matplotlib,
    new_figure,
    noted,
)


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
        ax = new_figure(6.4, 2.8).add_subplot()

    if len(values) == 1:
        draw_gates(ax, values[0], gate_limit(values))
    else:
        _gate_axes(ax, values.shape[1], gate_limit(values))
        edges = np.arange(values.shape[1] + 1) - 0.5
        shades = find_colormap("viridis")(np.linspace(0, 0.85, len(values)))
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
