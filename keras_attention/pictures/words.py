"""A text as a picture, its words on the colour of their weight."""

import functools
import textwrap

import numpy as np

from keras_attention.lettering import (
    INK,
    printable,
    shortened,
    unshown,
    width,
    wrapped,
    write,
)
from keras_attention.pictures.drawing import (
    as_finite,
    check_range,
    import_matplotlib,
    in_notebooks,
    range_labels,
)

AMBER = (255, 176, 0)
LINE = 84  # characters in a line
FONT_SIZE = 9
RAMP = 14  # characters that the legend's colours take


def word_weights(words, weights, title=None, weights_range=None):
    """Draws a text, each word on the colour of its weight, from white to amber.

    Below the text stand the colours with their range. A long word is cut short,
    and a sign that cannot be printed is a dot.

    Args:
        words: List of T strings.
        weights: `(T,)` or `(T, 1)`, not negative: the weight of each word, as
            attention pooling has them. Of a matrix `(Tq, T)` take the row of
            one query, or the mean of all.
        title: String or `None`. A line above the text.
        weights_range: Pair of floats, the weights of white and of amber; `None`
            takes 0 and the greatest weight. Give it to compare several
            pictures.

    Returns:
        The `matplotlib.figure.Figure`.

    Raises:
        ValueError: If there is no word, the number of weights is another, a
            weight is negative or not finite, or the range is empty.
        ImportError: If matplotlib is not installed.

    Example:

    >>> figure = word_weights(["a", "lovely", "film"], [0.1, 0.6, 0.3])
    >>> [text.get_text() for text in figure.axes[0].texts][:3]
    ['a', 'lovely', 'film']
    """
    words, values = as_word_weights(words, weights)
    low, high = 0.0, float(values.max()) or 1.0
    if weights_range is not None:
        low, high = check_range("weights_range", weights_range)
    placed, y = [], 0.5
    style = {"family": "monospace", "fontsize": FONT_SIZE, "weight": "bold"}
    for line in wrapped(title or "", inches(LINE - 2), inches(1), 4, **style):
        placed.append((1, y, line, 0, "bold"))
        y += 1.2
    x = 1
    for word, value in zip(words, values):
        word = shortened(printable(word), LINE - 2)
        if x > 1 and x + width(word) > LINE - 1:
            x, y = 1, y + 1
        strength = min(1.0, max(0.0, (value - low) / (high - low)))
        placed.append((x, y, word, strength, "normal"))
        x += width(word) + 1
    low, _, high = range_labels(low, high)
    return text_figure(placed, y + 1.3, (f"weight {low}", high))


def text_figure(placed, height, ends):
    """A figure of pieces of text on their colours, and a legend below them.

    Args:
        placed: List of `(x, y, text, strength, font weight)`, from the upper
            left corner, in characters and lines. A strength of 0 has no colour.
        height: Float. The lines that they take.
        ends: Pair of strings, what white and amber mean.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    matplotlib = import_matplotlib()
    placed = list(placed)
    left = 1
    ramp = left + width(ends[0]) + 1
    placed.append((left, height, ends[0], 0, "normal"))
    placed.append((ramp + RAMP + 1, height, ends[1], 0, "normal"))
    legend, height = height, height + 1.2
    note = unshown("".join(text for _, _, text, *_ in placed), "monospace")
    for line in textwrap.wrap(note or "", LINE - 2):
        placed.append((left, height, line, 0, "normal"))
        height += 1
    height += 0.3
    figure = matplotlib.figure.Figure(
        (inches(LINE), height * FONT_SIZE * 1.7 / 72), dpi=110
    )
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.imshow(
        np.linspace(0, 1, 64)[None],
        extent=(ramp, ramp + RAMP, legend + 0.92, legend + 0.08),
        aspect="auto",
        cmap=matplotlib.colors.LinearSegmentedColormap.from_list(
            "amber", ["#ffffff", strength_color(1)]
        ),
    )
    for x, y, text, strength, weight in placed:
        if strength:
            box = matplotlib.patches.Rectangle(
                (x - 0.3, y + 0.08),
                width(text) + 0.6,
                0.84,
                color=strength_color(strength),
                linewidth=0,
            )
            ax.add_patch(box)
        write(
            functools.partial(ax.text, x, y + 0.5),
            text,
            family="monospace",
            size=FONT_SIZE,
            weight=weight,
            va="center",
        )
    edge = matplotlib.patches.Rectangle(
        (ramp, legend + 0.08), RAMP, 0.84, fill=False, color=INK, linewidth=0.5
    )
    ax.add_patch(edge)
    ax.set(xlim=(0, LINE), ylim=(height, 0))
    return in_notebooks(figure)


def inches(letters):
    """How wide so many characters are drawn."""
    return letters * FONT_SIZE * 0.62 / 72


def strength_color(strength):
    """White to amber, as `#rrggbb`; a strength is 0 to 1."""
    strength = min(1.0, max(0.0, strength))
    mixed = (round(255 + (part - 255) * strength) for part in AMBER)
    return "#" + "".join(f"{part:02x}" for part in mixed)


def as_word_weights(words, weights):
    """The words as a list, their weights as `(T,)` floats."""
    words = list(words)
    values = np.asarray(weights)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if not words or values.shape != (len(words),):
        raise ValueError(
            "There must be a word at least, and a weight for each. Received: "
            f"{len(words)} words, weights of shape {np.shape(weights)}"
        )
    return words, as_shares(values)


def as_shares(values):
    """Weights as floats; raises unless they are finite and not negative."""
    values = as_finite("weights", values)
    if values.min() < 0:
        raise ValueError(
            "`weights` must not be negative: they are shares of attention. "
            f"Received: a weight of {values.min():g}"
        )
    return values
