"""Gaussian attention: the glimpses of DRAW and of HART."""

import keras
from keras import ops

from keras_attention.arguments import check_size_pair
from keras_attention.functional.axes import check_rank
from keras_attention.functional.sampling import (
    NORMALIZATIONS,
    gaussian_filter_bank,
)
from keras_attention.shapes import shapes_by_tracing

# How many parameters describe a glimpse.
PARAMETERS = {"relative": 6, "pixels": 6, "draw": 5}


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class GaussianAttention(keras.layers.Layer):
    """Gaussian attention: a grid of blurred reads, differentiable in its place.

        centre[i] = first + i * stride
        filter[i, p] ~ exp(-((p - centre[i]) / deviation)^2 / 2)
        glimpse = rows . image . columns^T        for each channel

    `rows` are the filters along y and `columns` those along x, each a share of
    every pixel. Unlike a hard crop, the glimpse has a gradient to where it was
    taken, so the network that says where can be trained by backpropagation.

    | parametrization | parameters |
    |---|---|
    | `"pixels"` | `first, deviation, stride` of x, then of y |
    | `"relative"` | `u, s, d` of x, then of y: shares of the image |
    | `"draw"` | g_x, g_y, log variance, log stride, log gamma |

    Along an axis of `length` pixels with `count` filters, `"relative"` means

        first = u * length
        deviation = (s + 1e-5) * length / count
        stride = d * (length - 1) / (count - 1)

    so `(0, s, 1)` spans the image; a single filter has no stride. `"draw"` has
    one stride and one deviation for both axes, and means

        stride = (max(H, W) - 1) / (max(h, w) - 1) * exp(log stride)
        centre[i] = (length + 1) / 2 * (g + 1) + (i - count / 2 - 0.5) * stride

    for i = 1..count and pixels numbered from 1, so at g = 0 the grid is centred
    in the image. The glimpse is multiplied by gamma.

    Args:
        output_size: `(height, width)` of the glimpse, h and w.
        parametrization: A name of the table.
        normalize: `"softmax"`: each filter sums to one, wherever it is; one far
            outside of the image reads the nearest pixels and still has a
            gradient back into it. `"sum_eps"`: divided by the sum plus 1e-8, as
            in the source; far outside it is zero and has no gradient.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        images: `(B, H, W, C)`, channels last. H and W may be unknown when the
            layer is built.
        parameters: `(B, 6)`, or `(B, 5)` for `"draw"`; kept in the dtype in
            which they are given. A deviation below 1e-3 pixels, which reads
            single pixels, counts as 1e-3, and below about 0.3 pixels little
            gradient to the place is left: let the network give
            `0.3 + softplus(...)`.
        return_attention_scores: Boolean. Whether to return the filters too.

    Returns:
        `(B, h, w, C)`; with `return_attention_scores=True` a pair with a dict
        of the filters: `"rows"`, `(B, h, H)`, and `"columns"`, `(B, w, W)`.
        Each sums to one over its last axis, less with `"sum_eps"` far outside.

    Raises:
        ValueError: If `output_size` is not two positive integers, a name is
            unknown, the images are not of rank 4 or there is another number of
            parameters.

    Example:

    >>> import numpy as np
    >>> images = np.ones((2, 28, 20, 1), "float32")
    >>> whole = np.array([[0, 0.5, 1, 0, 0.5, 1]] * 2, "float32")
    >>> layer = GaussianAttention(output_size=(7, 5))
    >>> glimpse, weights = layer(images, whole, return_attention_scores=True)
    >>> tuple(glimpse.shape), tuple(weights["rows"].shape)
    ((2, 7, 5, 1), (2, 7, 28))

    Convention: x to the right before y down; a pixel's place is its index, 0
        the centre of the first.

    Notation: `rows` is A_y, `columns` A_x^T, `(first, deviation, stride)`
    `(u, std, d)` in HART; in DRAW `rows` is F_Y and `columns` F_X, `images` x,
    and the parameters g~_X, g~_Y, log sigma^2, log delta~ and log gamma.

    Departures: `"softmax"` is the same filter, normalised by its logarithm. The
    sources' glimpses are square: where height and width differ, the one stride
    of `"draw"` is that of the longer side. DRAW's write operation is not here.

    Reference:
        Kosiorek, Bewley, Posner. Hierarchical Attentive Recurrent Tracking.
        NeurIPS 2017, section 3.1. https://arxiv.org/abs/1706.09262

        Gregor, Danihelka, Graves, Rezende, Wierstra. DRAW: A Recurrent Neural
        Network For Image Generation. ICML 2015, section 3.2, equations 19 to
        27. https://arxiv.org/abs/1502.04623
    """

    def __init__(
        self,
        output_size,
        parametrization="relative",
        normalize="softmax",
        **kwargs,
    ):
        check_size_pair("output_size", output_size, "of the glimpse")
        if parametrization not in PARAMETERS:
            raise ValueError(
                f"`parametrization` must be one of {tuple(PARAMETERS)}, what "
                "the parameters of a glimpse mean. "
                f"Received: parametrization={parametrization!r}"
            )
        if normalize not in NORMALIZATIONS:
            raise ValueError(
                f"`normalize` must be one of {NORMALIZATIONS}. "
                f"Received: normalize={normalize!r}"
            )
        super().__init__(**kwargs)
        # Half precision cannot tell one pixel from the next.
        self.autocast = False
        self.output_size = output_size
        self.parametrization = parametrization
        self.normalize = normalize

    def build(self, images_shape, parameters_shape):
        check_rank(self, images_shape, (4,))
        count = PARAMETERS[self.parametrization]
        if len(parameters_shape) != 2 or parameters_shape[1] != count:
            raise ValueError(
                f"The parameters must be (B, {count}) with parametrization="
                f"{self.parametrization!r}. "
                f"Received: parameters_shape={tuple(parameters_shape)}"
            )

    def call(self, images, parameters, return_attention_scores=False):
        images = ops.cast(images, self.compute_dtype)
        parameters = ops.cast(parameters, "float32")
        shape = ops.shape(images)
        height, width = (
            known or found for known, found in zip(images.shape[1:3], shape[1:])
        )
        along_x, along_y, gamma = self._filters(parameters, height, width)
        columns, rows = (
            ops.cast(
                gaussian_filter_bank(
                    *filters, count, length, normalize=self.normalize
                ),
                self.compute_dtype,
            )
            for filters, count, length in (
                (along_x, self.output_size[1], width),
                (along_y, self.output_size[0], height),
            )
        )
        glimpse = ops.einsum("biy,byxc->bixc", rows, images)
        glimpse = ops.einsum("bjx,bixc->bijc", columns, glimpse)
        if gamma is not None:
            glimpse = glimpse * ops.cast(gamma, glimpse.dtype)
        if not return_attention_scores:
            return glimpse
        return glimpse, {"rows": rows, "columns": columns}

    def get_config(self):
        return {
            **super().get_config(),
            "output_size": self.output_size,
            "parametrization": self.parametrization,
            "normalize": self.normalize,
        }

    def _filters(self, parameters, height, width):
        """`(first, stride, deviation)` in pixels, of x and of y; and gamma."""
        height, width = (_as_float(length) for length in (height, width))
        if self.parametrization == "draw":
            return self._filters_of_draw(parameters, height, width)
        found = []
        for start, length, count in (
            (0, width, self.output_size[1]),
            (3, height, self.output_size[0]),
        ):
            first, deviation, stride = (
                parameters[:, start + n] for n in range(3)
            )
            if self.parametrization == "relative":
                first = first * length
                deviation = (deviation + 1e-5) * length / count
                stride = stride * (length - 1) / max(count - 1, 1)
            found.append((first, stride, deviation))
        return *found, None

    def _filters_of_draw(self, parameters, height, width):
        x, y, log_variance, log_stride, log_gamma = (
            parameters[:, n] for n in range(5)
        )
        known = isinstance(height, float) and isinstance(width, float)
        longest = (max if known else ops.maximum)(height, width)
        gaps = max(*self.output_size, 2) - 1
        stride = (longest - 1) / gaps * ops.exp(log_stride)
        deviation = ops.exp(log_variance / 2)
        found = []
        for place, length, count in (
            (x, width, self.output_size[1]),
            (y, height, self.output_size[0]),
        ):
            # Less one: our first pixel is 0, DRAW's is 1.
            centre = (length + 1) / 2 * (place + 1) - 1
            first = centre + (1 - count / 2 - 0.5) * stride
            found.append((first, stride, deviation))
        return *found, ops.exp(log_gamma)[:, None, None, None]


def _as_float(length):
    return (
        float(length)
        if isinstance(length, int)
        else ops.cast(length, "float32")
    )
