"""Regions: what lies in boxes on a feature map, such as a detector's."""

import numpy as np
from keras import ops

from keras_attention.functional.sampling import pixel_places

THINNEST = 1e-3  # pixels of the map; a thinner box is read as one so thin


def box_weights(boxes, size):
    """How much each place of a feature map counts in the mean over a box.

    The map is read between places bilinearly, and beyond the centres of the
    outer ones as there. The weights are the exact mean of that over the box,
    not one over samples, so they are continuous in the box, and gradients flow
    to it. They are a product of one along each axis; of a box from `a` to `b`,
    in pixels,

        w[j] = integral from a to b of max(0, 1 - |t - j|) dt / (b - a)

    Multiplied by the map, `(B, h * w, C)`, they give each box's features.

    Args:
        boxes: `(..., 4)`: `(x0, y0, x1, y1)` of each box. See Convention.
        size: `(h, w)` of the feature map, integers.

    Returns:
        Float32 `(..., h * w)`, row by row, not negative; those of a box sum to
        one. A box without an extent is read as a very thin one.

    Convention: x points right and y down; -1 and 1 are the edges of the image.

    Departures:
        The paper reads zeros outside of the map; here the outer places go on,
        so a box at the edge of the image loses nothing.

    Reference:
        Jiang, Luo, Mao, Xiao, Jiang. Acquisition of Localization Confidence for
        Accurate Object Detection. ECCV 2018, section 3.2 (precise RoI pooling),
        equation 6. https://arxiv.org/abs/1807.11590
    """
    height, width = size
    boxes = ops.cast(boxes, "float32")
    across = _axis_weights(boxes[..., 0], boxes[..., 2], width)
    down = _axis_weights(boxes[..., 1], boxes[..., 3], height)
    weights = down[..., :, None] * across[..., None, :]
    return ops.reshape(weights, (*ops.shape(boxes)[:-1], height * width))


def _axis_weights(first, last, length):
    """The same along an axis, `(...,)` to `(..., length)`."""
    first, last = (
        pixel_places(x, length, align_corners=False)[..., None]
        for x in (first, last)
    )
    middle = (first + last) / 2
    # What follows divides by the extent, which rounding may have taken away.
    half = ops.maximum((last - first) / 2, THINNEST / 2)
    first, last = middle - half, middle + half
    places = np.arange(length)
    # One pixel's share fades on either side, but not towards the outside.
    rises, falls = places > 0, places < length - 1
    lowest, highest = (np.where(x, 1, 2 * length) for x in (rises, falls))
    places, rises, falls, lowest, highest = (
        ops.convert_to_tensor(x.astype("float32"))
        for x in (places, rises, falls, -lowest, highest)
    )

    def integral(place):
        """Of a pixel's share, up to a place; smooth at the pixels too."""
        away = ops.minimum(ops.maximum(place - places, lowest), highest)
        faded = falls * ops.relu(away) ** 2 - rises * ops.relu(-away) ** 2
        return away - faded / 2

    return (integral(last) - integral(first)) / (last - first)
