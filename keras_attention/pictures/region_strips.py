"""Strips of pictures with boxes: which of them a model looked at, by word."""

import numpy as np

from keras_attention.pictures.drawing import (
    COLORMAP,
    as_finite,
    find_colormap,
    import_matplotlib,
)
from keras_attention.pictures.images import draw_image
from keras_attention.pictures.strips import Strips

# Points of the outline of a box that gets nothing, and what the heaviest has
# more; how opaque the first is; the black edge on either side of a line.
LINE = 0.5, 1.9
FAINT = 0.45
EDGE = 0.6
GIVEN = 0.8  # points of the outlines on the image as it is
UNSEEN = 0.02  # of the colours' range: below it, a box is not lit


class RegionStrips(Strips):
    """The panels of `draw_strips`, of attention over given boxes.

    The first panel is the image with all boxes outlined. In those of the words
    it is dark and pale, and in each box it lights up in its own colours, the
    more attention the box gets. Outlines are coloured by the share, and the
    wider the greater it is; the heaviest box lies in front.

    Args:
        image: As in `draw_strips`.
        words: As in `draw_strips`.
        weights: `(T, K)`, not negative: for each word, how much attention each
            box gets.
        regions: `(K, 4)`: `(x0, y0, x1, y1)` of each box. See Convention.
        **options: `colormap`, `value_range` and `weights_range`, as in
            `draw_strips`.

    Raises:
        ValueError: As for `draw_strips`; or if there are not as many boxes as
            weights of each word.

    Convention: x points right and y down; -1 and 1 are the edges of the image.
    """

    def __init__(self, image, words, weights, regions, **options):
        values, boxes = np.asarray(weights), np.asarray(regions)
        if (
            values.ndim != 2
            or boxes.ndim != 2
            or boxes.shape != (values.shape[1], 4)
        ):
            raise ValueError(
                "`weights` must be (T, K) and `regions` (K, 4), a box for each "
                f"weight. Received: weights of shape {values.shape}, regions "
                f"of shape {boxes.shape}"
            )
        super().__init__(image, words, values[:, None], **options)
        high, wide = self.picture.shape[:2]
        scale = np.array([wide, high, wide, high])
        self.regions = (as_finite("regions", boxes) + 1) / 2 * scale
        # The outlines are opaque, unlike heat over an image.
        self.legend = import_matplotlib().cm.ScalarMappable(
            self.norm, find_colormap(options.get("colormap", COLORMAP))
        )

    def draw(self, figure, layout, top=0.0):
        before = len(figure.axes)
        super().draw(figure, layout, top)
        for box in self.regions:
            _outline(figure.axes[before], box, GIVEN, edgecolor="white")

    def _draw_map(self, ax, index):
        high, wide = self.picture.shape[:2]
        draw_image(ax, self.dark)
        weights = self.weights[index, 0]
        shares = np.asarray(self.norm(weights))
        first, more = LINE
        for place in np.argsort(weights, kind="stable"):
            box, share = self.regions[place], float(shares[place])
            outline = _outline(
                ax,
                box,
                first + more * share,
                edgecolor=self.legend.to_rgba(weights[place]),
                alpha=FAINT + (1 - FAINT) * share,
            )
            if share > UNSEEN:
                lit = ax.imshow(
                    self.picture,
                    interpolation="antialiased",
                    extent=(0, wide, high, 0),
                    alpha=share,
                )
                lit.set_clip_path(outline)
                lit.set_zorder(outline.get_zorder() - 0.1)


def _outline(ax, box, line, **style):
    """A box in pixels, with a black edge so that it is seen on any image."""
    matplotlib = import_matplotlib()
    x0, y0, x1, y1 = box
    edge = matplotlib.patheffects.withStroke(
        linewidth=line + 2 * EDGE, foreground="black"
    )
    patch = matplotlib.patches.Rectangle(
        (x0, y0),
        x1 - x0,
        y1 - y0,
        fill=False,
        linewidth=line,
        joinstyle="round",
        path_effects=[edge],
        zorder=2 + len(ax.patches),
        **style,
    )
    return ax.add_patch(patch)
