"""Glimpse sensor: the retina of the recurrent attention model."""

import keras
from keras import ops

from keras_attention.arguments import check_size_pair, check_sizes
from keras_attention.functional.axes import check_rank
from keras_attention.functional.sampling import (
    attention_matrix,
    hard_crop,
    normalised_places,
    pixel_places,
)
from keras_attention.shapes import shapes_by_tracing

TIE = 1e-3  # pixels: what float32 may lose of a place on a large image
FAR = 1e6  # pixels: outside of any image


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class GlimpseSensor(keras.layers.Layer):
    """Glimpse sensor: patches around a place, each wider and coarser.

        side[k] = size * scale^k
        patch[k] = the images' side[k] by side[k] pixels around the location
        output = concatenation over k of average_pool(patch[k], scale^k)

    A retina: sharp where it looks, and blurred further out. All patches come
    back `size` by `size`. They are cut at whole pixels and zero outside of the
    image, so no gradient flows to the location; the policy that chooses it is
    trained by REINFORCE. The images get theirs.

    Args:
        size: `(height, width)` of the finest patch, and of the output; or an
            integer, for both.
        num_scales: Positive integer, how many patches.
        scale: Positive integer, how much wider each patch is than the one
            before.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        images: `(B, H, W, C)`, channels last. H and W may be unknown when the
            layer is built, and smaller than a patch.
        location: `(B, 2)`, `(x, y)`; kept in the dtype in which it is given. It
            may lie outside of the image, whose zeros it then sees; one that is
            NaN, or a million pixels away, sees nothing but zeros.
        return_attention_scores: Boolean. Whether to return where the patches
            were cut.

    Returns:
        `(B, h, w, num_scales * C)`, all channels of the finest patch first;
        with `return_attention_scores=True` a pair with
        `(B, num_scales, 2, 3)`, the transform from each patch to the image,
        rows `(width ratio, 0, x)` and `(0, height ratio, y)` of the patch that
        was really cut. `affine_grid` and `bilinear_sample` with
        `align_corners=False` read the finest patch at it exactly.

    Raises:
        ValueError: If a size is no positive integer, the images are not of rank
            4 or the location is not `(B, 2)`.

    Example:

    >>> import numpy as np
    >>> images = np.ones((2, 28, 20, 3), "float32")
    >>> centre = np.zeros((2, 2), "float32")
    >>> layer = GlimpseSensor(size=8, num_scales=3)
    >>> output, transform = layer(
    ...     images, centre, return_attention_scores=True
    ... )
    >>> tuple(output.shape), tuple(transform.shape)
    ((2, 8, 8, 9), (2, 3, 2, 3))

    Convention: -1 and 1 are the edges of the image (`align_corners=False`), x
        to the right and y down. The upper left corner of a patch is the whole
        pixel nearest to `((x + 1) * W - width) / 2`, y likewise; of two equally
        near (to a thousandth of a pixel) it is the one to the right, or below.
        So a patch of even width centred in the image of even width is cut at
        its middle, and one of odd width in it a half pixel to the right.

    Notation: `images` is x, `location` l_{t-1} and the output rho(x, l_{t-1})
    in the paper.

    Departures: The paper resizes the patches and does not say how; here they
    are averaged, the zeros outside of the image counting too. Its rounding is
    not told either. A location outside of [-1, 1] is not moved back.

    Reference:
        Mnih, Heess, Graves, Kavukcuoglu. Recurrent Models of Visual Attention.
        NeurIPS 2014, section 3.1 and figure 1.
        https://arxiv.org/abs/1406.6247
    """

    def __init__(self, size, num_scales=3, scale=2, **kwargs):
        if isinstance(size, (tuple, list)):
            check_size_pair("size", size, "of the finest patch")
        else:
            check_sizes("the side of the finest patch", size=size)
        check_sizes(
            "how many patches, and how much wider each is than the last",
            num_scales=num_scales,
            scale=scale,
        )
        super().__init__(**kwargs)
        # Half precision cannot tell one pixel from the next.
        self.autocast = False
        self.size = size
        self.num_scales = num_scales
        self.scale = scale

    def build(self, images_shape, location_shape):
        check_rank(self, images_shape, (4,))
        if len(location_shape) != 2 or location_shape[1] != 2:
            raise ValueError(
                "The location must be (B, 2), (x, y) of each image. "
                f"Received: location_shape={tuple(location_shape)}"
            )

    def call(self, images, location, return_attention_scores=False):
        images = ops.cast(images, self.compute_dtype)
        location = ops.cast(location, "float32")
        shape = ops.shape(images)
        lengths = [
            known or found
            for known, found in zip(images.shape[2:0:-1], shape[2:0:-1])
        ]
        size = self.size
        height, width = (size, size) if isinstance(size, int) else size
        patches, transforms = [], []
        for step in range(self.num_scales):
            factor = self.scale**step
            sides = width * factor, height * factor
            corners = _corners(location, sides, lengths)
            patch = hard_crop(images, corners, sides[::-1])
            patches.append(_average_pool(patch, height, width, factor))
            transforms.append(_transform(corners, sides, lengths))
        output = ops.concatenate(patches, axis=-1)
        if not return_attention_scores:
            return output
        transform = ops.stack(transforms, axis=1)
        return output, ops.cast(transform, self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "size": self.size,
            "num_scales": self.num_scales,
            "scale": self.scale,
        }


def _corners(location, sides, lengths):
    """The upper left pixels `(x, y)` of patches of these sides."""
    corners = []
    for axis, (side, length) in enumerate(zip(sides, lengths)):
        centre = pixel_places(location[:, axis], length, align_corners=False)
        corner = ops.floor(centre - (side - 1) / 2 + 0.5 + TIE)
        # NaN is not below anything: it, too, is put beside the image.
        beside = ops.zeros_like(corner) + ops.cast(length, "float32")
        corners.append(ops.where(ops.abs(corner) < FAR, corner, beside))
    return ops.stack(corners, axis=-1)


def _transform(corners, sides, lengths):
    """From places in the patches to places in the image."""
    scale, shift = [], []
    for axis, (side, length) in enumerate(zip(sides, lengths)):
        centre = corners[:, axis] + (side - 1) / 2
        place = normalised_places(centre, length, align_corners=False)
        shift.append(place)
        scale.append(ops.ones_like(place) * side / ops.cast(length, "float32"))
    return attention_matrix(ops.stack(scale, -1), ops.stack(shift, -1))


def _average_pool(patch, height, width, factor):
    if factor == 1:
        return patch
    rows = ops.reshape(
        patch, (-1, height, factor, width * factor, ops.shape(patch)[3])
    )
    patch = ops.mean(rows, axis=2)
    columns = ops.reshape(
        patch, (-1, height, width, factor, ops.shape(patch)[3])
    )
    return ops.mean(columns, axis=3)
