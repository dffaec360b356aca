"""What all pictures share: figures, colours, bars of colours, notes."""

import functools
import io
import math
import textwrap
import warnings

import numpy as np

from keras_attention.lettering import INK, unshown, write

COLORMAP = "plasma"
BAR = "#3b6fb6"


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
    return in_notebooks(figure)


def new_figure(width, height):
    """An empty figure of a size in inches."""
    return import_matplotlib().figure.Figure(
        (width, height), dpi=110, layout="constrained"
    )


def in_notebooks(figure):
    """Lets a notebook show a figure; of itself it does so beside pyplot only.

    Args:
        figure: A `matplotlib.figure.Figure`.

    Returns:
        The figure.
    """
    figure._repr_png_ = functools.partial(_as_png, figure)
    return figure


def _as_png(figure):
    file = io.BytesIO()
    with warnings.catch_warnings():
        # A sign that its font lacks is a box, which the picture says.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(file, format="png")
    return file.getvalue()


def as_map(weights):
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
    return as_finite("weights", values)


def as_finite(name, array):
    """The numbers as floats; raises unless they are real and finite."""
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


def check_range(name, pair):
    """The two ends of a range; raises unless the lower comes first."""
    low, high = pair
    if not low < high:
        raise ValueError(
            f"`{name}` must be a pair, the lower number first. "
            f"Received: {name}={pair}"
        )
    return low, high


def find_colormap(name):
    """A matplotlib colormap by its name."""
    colormaps = import_matplotlib().colormaps
    if name not in colormaps:
        raise ValueError(
            "`colormap` must be the name of a matplotlib colormap, such as "
            f'"inferno" or "viridis". Received: colormap={name!r}'
        )
    return colormaps[name]


def color_scale(colormap, values, weights_range=None):
    """The colours of a map of weights, over its range or the one given."""
    if weights_range is not None:
        low, high = check_range("weights_range", weights_range)
    else:
        low, high = float(values.min()), float(values.max())
    if low == high:
        # An even map still needs a range of colours to lie in: from 0 on.
        low, high = sorted((0.0, 2 * low or 1.0))
    matplotlib = import_matplotlib()
    return matplotlib.cm.ScalarMappable(
        matplotlib.colors.Normalize(low, high), find_colormap(colormap)
    )


def draw_cells(ax, values, colors):
    """Draws a matrix, each number a cell of its colour."""
    ax.imshow(
        values,
        interpolation="nearest",
        aspect="auto",
        cmap=colors.cmap,
        norm=colors.norm,
    )


def color_bar(figure, colors, **place):
    """Draws a bar of colours with the range's ends and middle beside it."""
    bar = figure.colorbar(colors, **place)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, length=2, color=INK, labelcolor=INK)
    low, high = colors.norm.vmin, colors.norm.vmax
    bar.set_ticks(np.linspace(low, high, 3), labels=range_labels(low, high))
    if bar.orientation == "horizontal":
        # Labels at the ends stay within the bar.
        first, _, last = bar.ax.get_xticklabels()
        first.set_ha("left")
        last.set_ha("right")


def range_labels(low, high):
    """The ends and the middle of a range, as precise as tells them apart."""
    decimals = max(0, 1 - math.floor(math.log10(high - low)))
    return [f"{tick:.{decimals}f}" for tick in np.linspace(low, high, 3)]


def import_matplotlib():
    """Matplotlib, or an error that says how to install it."""
    try:
        import matplotlib.cm
        import matplotlib.colors
        import matplotlib.figure
        import matplotlib.patches
        import matplotlib.patheffects
        import matplotlib.ticker
    except ImportError as error:
        raise ImportError(
            "Pictures are drawn by matplotlib, which is not installed. "
            'Install it with `pip install "keras-attention-zoo[zoo]"`.'
        ) from error
    return matplotlib
