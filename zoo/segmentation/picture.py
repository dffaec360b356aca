"""A picture of a mask over its image, and of where the network looked."""

import numpy as np

from keras_attention.lettering import printable, shortened
from keras_attention.pictures import COLORMAP
from zoo.data.images import DRAWN
from zoo.data.mask_files import resize_mask
from zoo.data.masks import palette
from zoo.image_classification.picture import where_it_looked

ALPHA = 0.65  # how much of the image a mask covers
LETTERS = 24  # of a label in the legend
MOST = 12  # labels in the legend, the largest ones


def masks_of_answers(raws, read, answers, labels, model=None):
    """Draws images, the masks over them, and where the network looked.

    The background, the first class, is left clear.

    Args:
        raws: As in `zoo.image_classification.picture.where_it_looked`.
        read: The same.
        answers: List of answers of `Task.look`, with `mask` and `shares`.
        labels: List of strings, the classes.
        model: The same as there.

    Returns:
        A `matplotlib.figure.Figure`, with a legend of the classes that are
        there.

    Raises:
        ValueError: As there.
    """
    from matplotlib.patches import Patch

    colours = palette(max(len(labels), 1)) / 255

    def draw(ax, index, style):
        mask = _reduced(answers[index]["mask"])
        painted = np.concatenate(
            [colours[mask], ALPHA * (mask > 0)[..., None]], axis=-1
        )
        ax.imshow(painted, interpolation="nearest", **style)

    figure = where_it_looked(
        raws,
        read,
        answers,
        titles=[_largest(answer["shares"], labels) for answer in answers],
        model=model,
        answered=[("the mask", draw)],
    )
    totals = {
        label: sum(answer["shares"][label] for answer in answers)
        for label in labels[1:]
    }
    there = sorted(filter(totals.get, totals), key=lambda x: -totals[x])
    if there:
        figure.legend(
            [
                Patch(color=colours[labels.index(label)], alpha=ALPHA)
                for label in there[:MOST]
            ],
            [shortened(printable(label), LETTERS) for label in there[:MOST]],
            loc="outside lower center",
            ncols=min(len(there), 4),
            fontsize=8,
            frameon=False,
        )
    return figure


def saliency_of_answers(raws, read, answers, model=None):
    """Draws images, what stands out on them, and where the network looked.

    Args:
        raws: As in `zoo.image_classification.picture.where_it_looked`.
        read: The same.
        answers: List of answers of `Task.look`, with `saliency` and `share`.
        model: The same as there.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ValueError: As there.
    """

    def draw(ax, index, style):
        ax.imshow(
            _reduced(answers[index]["saliency"]),
            interpolation="nearest",
            cmap=COLORMAP,
            vmin=0,
            vmax=1,
            alpha=ALPHA,
            **style,
        )

    return where_it_looked(
        raws,
        read,
        answers,
        titles=[f"{100 * each['share']:.0f} % stands out" for each in answers],
        model=model,
        answered=[("what stands out\n0.00 to 1.00", draw)],
    )


def _reduced(values):
    """Values of pixels, no more of them than an image is drawn with."""
    scale = min(1, DRAWN / max(values.shape))
    return resize_mask(values, [max(1, round(scale * x)) for x in values.shape])


def _largest(shares, labels):
    """The largest class but the background, in words."""
    others = {k: v for k, v in shares.items() if k != labels[0] and v}
    if not others:
        return shortened(printable(labels[0]), LETTERS - 8)
    label, share = next(iter(others.items()))
    return f"{shortened(printable(label), LETTERS - 8)} {100 * share:.0f} %"
