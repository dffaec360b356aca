"""A picture of where a network looked to answer: heat over the user's picture.

Each question has a row: the picture as it is; a panel for each look, its heat
over the picture in grey; and the most probable answers.
"""

import functools

import numpy as np

from keras_attention.lettering import shortened, wrapped, write
from keras_attention.pictures import BAR, COLORMAP, noted
from keras_attention.pictures.drawing import color_bar, color_scale
from keras_attention.pictures.images import as_image, draw_image
from zoo.data.images import image_to_draw

PANEL = 2.4  # inches, how wide a picture is drawn
LOWEST, HIGHEST = 0.3, 1.5  # of its height over its width
SCALE, BARS = 0.09, 1.4  # inches of the bar of colours, and of the answers
TITLE = 0.95  # inches of the lines above and below a row
MARGIN = 0.2  # inches beside the question
WIDEST, LINES = 60, 2  # letters of a line of the question, and lines
ANSWERS = 4  # bars
LETTERS = 14  # of an answer beside its bar
ALPHA = 0.62  # how much of the heat covers the picture
GREY = (0.299, 0.587, 0.114)
PALE = "#c3cfdf"


def where_it_looked(raws, answers, grid):
    """Draws a row for each question: the picture, the looks, the answers.

    The looks of a question have one range of colours, from zero to the greatest
    weight of any of them, which the bar at their end states. A frame is
    around the heaviest place of each. Pictures of more than 512 pixels a side
    are reduced.

    Args:
        raws: List of dicts with `image`, what `read_image` takes, and
            `question`, a string.
        answers: List of as many answers of `Task.look`.
        grid: `(h, w)`, the places of a picture. A map is `(h * w,)`, or
            `(looks, h * w)`.

    Returns:
        A `matplotlib.figure.Figure`; `keras_attention.pictures.save_figure`
        writes it.

    Raises:
        ValueError: If there is no question, or no map over the picture.
    """
    from matplotlib.figure import Figure

    if not answers:
        raise ValueError("There must be a question to look at. Received: none")
    pixels = [as_image(image_to_draw(raw["image"]), (0, 255)) for raw in raws]
    looks = [_looks(answer, grid) for answer in answers]
    heights = [TITLE + PANEL * _shape(picture) for picture in pixels]
    most = max(map(len, looks))
    figure = Figure(
        (PANEL * (1 + most) + SCALE + BARS + 1.4, sum(heights)),
        dpi=110,
        layout="constrained",
    )
    rows = figure.subfigures(
        len(answers), 1, squeeze=False, height_ratios=heights
    )
    for row, raw, answer, picture, weights in zip(
        rows[:, 0], raws, answers, pixels, looks
    ):
        style = {"fontsize": 12, "fontweight": "bold"}
        wide = figure.get_figwidth() - 2 * MARGIN
        title = wrapped(raw["question"], wide, wide / WIDEST, LINES, **style)
        write(row.suptitle, "\n".join(title) or "(nothing)", **style)
        widths = [PANEL] * (1 + most) + [SCALE, BARS]
        first, *panels, scale, last = row.subplots(
            1, len(widths), width_ratios=widths
        )
        for ax, wide in zip((scale, last), widths[-2:]):
            ax.set_box_aspect(PANEL / wide * _shape(picture))
        draw_image(first, picture)
        write(first.set_title, "the picture", fontsize=9)
        _draw_looks(panels, scale, picture, weights)
        _draw_answers(last, answer["probabilities"])
    return noted(figure)


def _looks(answer, grid):
    """The maps over the picture, `(looks, h, w)`."""
    high, wide = grid
    found = [
        weights.reshape(-1, high, wide)
        for weights in answer["attention"].values()
        if weights.ndim <= 2 and weights.shape[-1] == high * wide
    ]
    if not found:
        shapes = {k: v.shape for k, v in answer["attention"].items()}
        raise ValueError(
            "There must be a map over the picture, (h * w,) or (looks, h * w). "
            f"Received: grid={tuple(grid)}, maps of shapes {shapes}"
        )
    return np.concatenate(found)


def _shape(picture):
    """The height over the width of a panel."""
    high, wide = picture.shape[:2]
    return min(HIGHEST, max(LOWEST, high / wide))


def _draw_looks(panels, scale, picture, weights):
    """Heat over the picture, a panel for each look, and what it means."""
    from matplotlib.patches import Rectangle

    colors = color_scale(COLORMAP, weights, (0, max(weights.max(), 1e-6)))
    height, width = picture.shape[:2]
    # In light greys the picture leaves the colours to the heat.
    grey = 0.25 + 0.75 * np.repeat((picture @ GREY)[..., None], 3, axis=-1)
    for number, (ax, values) in enumerate(zip(panels, weights), 1):
        draw_image(ax, grey)
        ax.imshow(
            values,
            interpolation="hermite",  # smooth, and exact at the centres
            extent=(0, width, height, 0),
            cmap=colors.cmap,
            norm=colors.norm,
            alpha=ALPHA,
        )
        high, wide = values.shape
        y, x = np.unravel_index(values.argmax(), values.shape)
        cell = width / wide, height / high
        frame = Rectangle(
            (x * cell[0], y * cell[1]), *cell, fill=False, color="white", lw=1.6
        )
        ax.add_patch(frame)
        words = "where it looked"
        if len(weights) > 1:
            words = f"look {number} of {len(weights)}"
        write(ax.set_title, words, fontsize=9)
    for ax in panels[len(weights) :]:
        ax.set_axis_off()
    write(panels[0].set_xlabel, "frame: the heaviest place", fontsize=8)
    color_bar(scale.figure, colors, cax=scale)
    write(scale.set_title, "weight", fontsize=9)


def _draw_answers(ax, probabilities):
    """The most probable answers, the first of them in full colour."""
    best = list(probabilities.items())[:ANSWERS]
    names = [shortened(name, LETTERS) for name, _ in best]
    shares = [share for _, share in best]
    places = np.arange(len(best))
    ax.barh(places, shares, 0.62, color=[BAR] + [PALE] * (len(best) - 1))
    for place, share in zip(places, shares):
        write(
            functools.partial(ax.text, share + 0.04, place),
            f"{100 * share:.0f} %",
            fontsize=9,
            va="center",
        )
    ax.set(xlim=(0, 1.35), ylim=(ANSWERS - 0.4, -0.6), xticks=[])
    write(functools.partial(ax.set_yticks, places), names, fontsize=9)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    write(ax.set_title, "the answer", fontsize=9)
