"""How a training went: a panel for each quantity, epoch by epoch."""

import math
import numbers

import numpy as np

from keras_attention.lettering import INK, printable, shortened, write
from keras_attention.pictures.drawing import (
    BAR,
    import_matplotlib,
    new_figure,
    noted,
)

VALIDATION = "#d55e00"  # beside the blue of bars; also dashed
PANEL = 2.7, 2.0  # inches
COLUMNS = 3
LETTERS = 30


def training_curves(history, title=None, columns=COLUMNS):
    """Draws what was logged of a training, a panel for each quantity.

    A quantity and its twin on the validation data, `"loss"` and `"val_loss"`,
    share a panel: the first is a solid line, the second dashed. A value that is
    not finite has no point, and the panel's title counts them.

    Args:
        history: What `keras.Model.fit` returns, or its `history`: a dict from
            names to lists of a float for each epoch; or a list of a dict for
            each epoch, such as `history` of a task of the zoo. An epoch may
            lack a quantity; what is no number is not drawn, nor is `"epoch"`.
        title: String or `None`. A line above the panels.
        columns: Positive integer. Panels side by side at most.

    Returns:
        The `matplotlib.figure.Figure`.

    Raises:
        ValueError: If there is no epoch or no number, or `columns` is not a
            positive integer.
        ImportError: If matplotlib is not installed.

    Example:

    >>> figure = training_curves({"loss": [2.0, 1.0], "val_loss": [2.1, 1.5]})
    >>> figure.axes[0].get_title(), len(figure.axes[0].lines)
    ('loss', 2)
    """
    curves = _curves(history)
    if isinstance(columns, bool) or not isinstance(columns, int) or columns < 1:
        raise ValueError(
            "`columns` must be a positive integer. "
            f"Received: columns={columns!r}"
        )
    names = [
        name
        for name in curves
        if not (name.startswith("val_") and name[4:] in curves)
    ]
    wide = min(columns, len(names))
    high = math.ceil(len(names) / wide)
    figure = new_figure(wide * PANEL[0], high * PANEL[1] + 0.35)
    axes = list(figure.subplots(high, wide, squeeze=False).flat)
    handles = {}
    for ax, name in zip(axes, names):
        twins = {"training": curves[name]}
        if name.startswith("val_"):
            twins = {"validation": curves[name]}
        if f"val_{name}" in curves:
            twins["validation"] = curves[f"val_{name}"]
        handles |= _panel(ax, name, twins)
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=2,
        fontsize=8,
        labelcolor=INK,
        frameon=False,
    )
    if title is not None:
        write(figure.suptitle, title, fontsize=10)
    return noted(figure)


def _curves(history):
    """Name -> a float for each epoch, NaN where there is none."""
    history = getattr(history, "history", history)
    if isinstance(history, dict):
        epochs = max((np.size(x) for x in history.values()), default=0)
        history = [
            {name: x[i] for name, x in history.items() if i < np.size(x)}
            for i in range(epochs)
        ]
    names = {name: None for epoch in history for name in epoch}
    names.pop("epoch", None)
    curves = {
        name: np.array([_number(epoch.get(name)) for epoch in history])
        for name in names
        if any(_is_number(epoch.get(name)) for epoch in history)
    }
    if not curves:
        raise ValueError(
            "`history` must hold a number of one epoch at least. "
            f"Received: {len(history)} epochs of {list(names)}"
        )
    return curves


def _is_number(value):
    return isinstance(value, (numbers.Real, np.number)) and not isinstance(
        value, bool
    )


def _number(value):
    return float(value) if _is_number(value) else math.nan


def _panel(ax, name, twins):
    """Draws the curves of one quantity; returns them by what they are of."""
    styles = {
        "training": {"color": BAR, "linestyle": "-"},
        "validation": {"color": VALIDATION, "linestyle": "--"},
    }
    found, missing = {}, 0
    for of, values in twins.items():
        finite = np.where(np.isfinite(values), values, np.nan)
        missing += int(np.isnan(finite).sum())
        epochs = np.arange(1, len(values) + 1)
        # Alone between gaps, a point without a mark would not be seen.
        mark = "o" if len(values) <= 12 or np.isnan(finite).any() else None
        (found[of],) = ax.plot(
            epochs, finite, marker=mark, markersize=3, **styles[of]
        )
    heading = shortened(printable(name), LETTERS)
    if missing:
        heading += f"\npoints that are not finite: {missing}"
    write(ax.set_title, heading, fontsize=9)
    ax.set_xlabel("epoch", fontsize=8, color=INK)
    ax.set_xlim(0.5, len(values) + 0.5)
    if len(values) < 6:
        ax.set_xticks(epochs)
    else:
        ticker = import_matplotlib().ticker
        ax.xaxis.set_major_locator(ticker.MaxNLocator(5, integer=True))
    ax.grid(color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(labelsize=8, length=2, color=INK, labelcolor=INK)
    ax.yaxis.get_offset_text().set(size=8, color=INK)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color("#999999")
    return found
