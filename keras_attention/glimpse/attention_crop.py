"""Attention crop of RA-CNN: a soft box, cut out and enlarged."""

import keras
from keras import ops

from keras_attention.arguments import check_positive, check_size_pair
from keras_attention.functional.axes import check_rank
from keras_attention.functional.sampling import (
    affine_grid,
    attention_matrix,
    bilinear_sample,
    target_places,
)
from keras_attention.shapes import shapes_by_tracing

GRADIENTS = ("bilinear", "boxcar")
LEAST_HALF = 1e-3  # of half the image


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class AttentionCrop(keras.layers.Layer):
    """Attention crop: dims what is outside of a box, cuts it out, enlarges it.

        h(z) = sigmoid(sharpness * z)
        along_x = h(px - (x - half)) - h(px - (x + half))
        along_y = h(py - (y - half)) - h(py - (y + half))
        output = bilinear zoom of images * along_x * along_y to the box

    with `(px, py)` the place of each pixel. The mask's edges are soft, so the
    box has a gradient: it is drawn to where the next network, which gets the
    output, would be more certain.

    Args:
        output_size: `(height, width)` of the output.
        sharpness: Positive float, k: how steep the mask's edges are, for places
            in [-1, 1], so that a picture has the same mask at any resolution.
            In the middle of the box the mask is `tanh(sharpness * half / 2)`
            along each axis: for small boxes take a larger one, at the price of
            gradients that reach less far.
        gradient: What carries the gradient to the box. `"boxcar"`: the mask
            only, the places that are read being constant (the paper).
            `"bilinear"`: the places too, as in a spatial transformer.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        images: `(B, H, W, C)`, channels last. H and W may be unknown when the
            layer is built.
        box: `(B, 3)`, `(x, y, half)`: the centre, and half the side as a share
            of half the image, in (0, 1]; kept in the dtype in which it is
            given. A half side below 1e-3, thus also one that is not positive,
            counts as 1e-3 and gets no gradient. A box with NaN gives NaN.
        return_attention_scores: Boolean. Whether to return the transform too.

    Returns:
        `(B, h, w, C)`, zero outside of the image; with
        `return_attention_scores=True` a pair with the transform from the output
        to the image, `(B, 2, 3)`: rows `(half, 0, x)` and `(0, half, y)`.

    Raises:
        ValueError: If `output_size` is not two positive integers, `sharpness`
            not positive or `gradient` unknown, the images are not of rank 4 or
            the box is not `(B, 3)`.

    Example:

    >>> import numpy as np
    >>> images = np.ones((2, 32, 24, 3), "float32")
    >>> upper_right = np.array([[0.5, -0.5, 0.5]] * 2, "float32")
    >>> layer = AttentionCrop(output_size=(16, 12))
    >>> crop, transform = layer(
    ...     images, upper_right, return_attention_scores=True
    ... )
    >>> tuple(crop.shape), tuple(transform.shape)
    ((2, 16, 12, 3), (2, 2, 3))

    Convention: -1 and 1 are the edges of the image (`align_corners=False`), x
        to the right and y down. The box has the image's proportions. A
        bilinear read sees 2 by 2 pixels: an output much smaller than the box
        has pixels skips some (aliasing); blur the images before that.

    Notation: `(x, y, half)` is (t_x, t_y, t_l), `along_x * along_y` M and
    `sharpness` k in the paper.

    Departures: The paper's box is in pixels, where its k = 10 is an edge of one
    pixel, without a gradient elsewhere; here k is of normalised places.
    `gradient="bilinear"` is not the paper's.

    Reference:
        Fu, Zheng, Mei. Look Closer to See Better: Recurrent Attention
        Convolutional Neural Network for Fine-grained Image Recognition. CVPR
        2017, section 3.2, equations 3 to 6.
        https://doi.org/10.1109/CVPR.2017.476
    """

    def __init__(
        self, output_size, sharpness=10.0, gradient="bilinear", **kwargs
    ):
        check_size_pair("output_size", output_size, "of the crop")
        check_positive("sharpness", sharpness, "how steep the mask's edges are")
        if gradient not in GRADIENTS:
            raise ValueError(
                f"`gradient` must be one of {GRADIENTS}, what carries it to "
                f"the box. Received: gradient={gradient!r}"
            )
        super().__init__(**kwargs)
        # Half precision cannot tell one pixel from the next.
        self.autocast = False
        self.output_size = output_size
        self.sharpness = sharpness
        self.gradient = gradient

    def build(self, images_shape, box_shape):
        check_rank(self, images_shape, (4,))
        if len(box_shape) != 2 or box_shape[1] != 3:
            raise ValueError(
                "The box must be (B, 3), (x, y, half side) for each image. "
                f"Received: box_shape={tuple(box_shape)}"
            )

    def call(self, images, box, return_attention_scores=False):
        images = ops.cast(images, self.compute_dtype)
        box = ops.cast(box, "float32")
        place, half = box[:, :2], box[:, 2:]
        half = ops.where(half < LEAST_HALF, LEAST_HALF, half)
        transform = attention_matrix(half, place)
        fixed = self.gradient == "boxcar"
        grid = affine_grid(
            ops.stop_gradient(transform) if fixed else transform,
            tuple(self.output_size),
            align_corners=False,
        )
        seen = images * ops.cast(self._mask(images, place, half), images.dtype)
        output = bilinear_sample(seen, grid, align_corners=False)
        if not return_attention_scores:
            return output
        return output, ops.cast(transform, self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "output_size": self.output_size,
            "sharpness": self.sharpness,
            "gradient": self.gradient,
        }

    def _mask(self, images, place, half):
        """The soft box, `(B, H, W, 1)`."""
        shape = ops.shape(images)
        size = tuple(
            known or found for known, found in zip(images.shape[1:3], shape[1:])
        )
        pixels = ops.convert_to_tensor(target_places(size, align_corners=False))
        apart = ops.reshape(pixels, (1, *size, 2)) - place[:, None, None]
        half = half[:, None, None]
        low, high = (
            ops.sigmoid(self.sharpness * (apart + side))
            for side in (half, -half)
        )
        along = low - high
        return along[..., :1] * along[..., 1:]
