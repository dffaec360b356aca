"""ABCNN of Yin et al. (2016): two sentences convolved, aware of each other."""

import keras
from keras import ops

from keras_attention.arguments import check_known_depth, check_sizes
from keras_attention.functional import check_pair_call, check_same_depth, hide
from keras_attention.pair.pair_attention_matrix import PairAttentionMatrix
from keras_attention.pair.wide_conv1d import WideConv1D
from keras_attention.shapes import shapes_by_tracing

VARIANTS = ("bcnn", 1, 2, 3)


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class ABCNN(keras.layers.Layer):
    """One block of an attention-based convolutional network for two sequences.

    Both sides share a wide convolution and are pooled back to their lengths,
    so that blocks can be stacked. With w the kernel's size:

        bcnn:  c = wide convolution of the sequence          (T + w - 1 columns)
               output[j] = mean of c[j] ... c[j + w - 1]
        1:     A[i, j] = 1 / (1 + |left[i] - right[j]|)
               the convolution also reads A W_right beside left, and
               A^T W_left beside right
        2:     A of the columns of the two convolutions
               output[j] = sum_k a[k] c[k], k = j ... j + w - 1
               a[k] = the sum of row k of A for left, of column k for right
        3:     both

    The sum of variant 2 is not normalised: a column that is like much of the
    other sequence counts more than once. What is hidden is never read, nor
    does it add to a sum.

    Args:
        filters: Positive integer. Width of both outputs.
        kernel_size: Positive integer. Words in a window, w.
        variant: `"bcnn"`, 1, 2 or 3.
        max_length: Positive integer, the greatest length of either side.
            Variants 1 and 3 need it, and no other takes it: their attention
            kernels have a row for each place.
        share_attention_kernels: Boolean. Whether `W_left` and `W_right` are one
            kernel, so that exchanging the sides exchanges the outputs.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        left: `(B, Tl, D)`.
        right: `(B, Tr, D)`.
        left_mask: Boolean `(B, Tl)`, `True` where a position may be seen.
            Taken from `left` when it carries a Keras mask, as it does from
            block to block (but not under `keras.RematScope`: give it there).
        right_mask: Boolean `(B, Tr)`, the same of `right`.
        return_attention_scores: Boolean. Whether to return the weights too.

    Returns:
        `(left, right)`, `(B, Tl, filters)` and `(B, Tr, filters)`: zeros where
        hidden, with the Keras masks that were given. With
        `return_attention_scores=True` `(left, right, weights)`, where weights
        is a dict: `"input"`, `(B, Tl, Tr)`, of variants 1 and 3, and
        `"output"`, `(B, Tl + w - 1, Tr + w - 1)`, of variants 2 and 3. A cell
        is 1 for equal vectors, near 0 for distant ones, and 0 where hidden; a
        column of the convolutions is hidden where its window holds nothing
        visible.

    Raises:
        ValueError: If an argument is out of range, `max_length` is missing or
            of no use, the sequences are not of rank 3 and of one depth, one is
            longer than `max_length`, as far as that is known before the layer
            runs, or a mask holds other than booleans, 1 and 0, or has another
            shape.

    Example:

    >>> import numpy as np
    >>> question = np.ones((2, 5, 16), "float32")
    >>> answer = np.zeros((2, 7, 16), "float32")
    >>> layer = ABCNN(filters=8, kernel_size=3, max_length=10)
    >>> left, right, weights = layer(
    ...     question, answer, return_attention_scores=True
    ... )
    >>> tuple(left.shape), tuple(right.shape)
    ((2, 5, 8), (2, 7, 8))
    >>> {name: tuple(grid.shape) for name, grid in weights.items()}
    {'input': (2, 5, 7), 'output': (2, 7, 9)}

    Notation: left and right are F_0 and F_1, `W_right` and `W_left`
    are the transposes of W_0 and W_1, `filters` is d_1, and the pooling over w
    columns is w-ap in the paper, which counts words along columns.

    Departures: the paper's all-ap, its pooling over all columns, is left to
    the model; there, it is best taken over the outputs, which variant 2 has
    weighted.

    Reference:
        Yin, Schuetze, Xiang, Zhou. ABCNN: Attention-Based Convolutional Neural
        Network for Modeling Sentence Pairs. TACL 2016, sections 3 and 4.
        https://arxiv.org/abs/1512.05193
    """

    def __init__(
        self,
        filters,
        kernel_size=4,
        variant=3,
        max_length=None,
        share_attention_kernels=False,
        **kwargs,
    ):
        if variant not in VARIANTS or isinstance(variant, bool):
            raise ValueError(
                f"`variant` must be one of {VARIANTS}. "
                f"Received: variant={variant!r}"
            )
        check_sizes(
            "the width of the outputs and of a window",
            filters=filters,
            kernel_size=kernel_size,
        )
        compares_input = variant in (1, 3)
        if compares_input:
            check_sizes(
                "for variants 1 and 3, whose attention kernels have a row for "
                "each place",
                max_length=max_length,
            )
        if not compares_input and (
            max_length is not None or share_attention_kernels
        ):
            raise ValueError(
                "`max_length` and `share_attention_kernels` are for variants 1 "
                "and 3: the others have no attention kernels. Received: "
                f"max_length={max_length}, share_attention_kernels="
                f"{share_attention_kernels}, variant={variant!r}"
            )
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.variant = variant
        self.max_length = max_length
        self.share_attention_kernels = share_attention_kernels
        self.supports_masking = True
        self.compares_input = compares_input
        self.compares_output = variant in (2, 3)
        self.convolution = WideConv1D(
            filters, kernel_size, dtype=self.dtype_policy, name="convolution"
        )
        self.matrix = PairAttentionMatrix(
            dtype=self.dtype_policy, name="attention_matrix"
        )
        self.hidden = _Hidden(dtype=self.dtype_policy, name="hidden")

    def build(self, left_shape, right_shape):
        check_known_depth(self, left_shape=left_shape, right_shape=right_shape)
        check_same_depth(left_shape, right_shape)
        batch, length, depth = left_shape
        if self.compares_input:
            sides = ("left", "right")
            if self.share_attention_kernels:
                sides = ("attention",)
            kernels = [
                self.add_weight(
                    name=f"{side}_kernel",
                    shape=(self.max_length, depth),
                    initializer="glorot_uniform",
                )
                for side in sides
            ]
            self.left_kernel, self.right_kernel = kernels[0], kernels[-1]
            depth *= 2
        self.convolution.build((batch, length, depth))

    def call(
        self,
        left,
        right,
        left_mask=None,
        right_mask=None,
        return_attention_scores=False,
    ):
        masks = self._checked_masks(left, right, left_mask, right_mask)
        sides, weights = [left, right], {}
        if self.compares_input:
            grid = self.matrix(
                left, right, left_mask=masks[0], right_mask=masks[1]
            )
            weights["input"] = grid
            kernels = self.right_kernel, self.left_kernel
            maps = [
                ops.matmul(seen, _first_rows(kernel, ops.shape(seen)[2]))
                for seen, kernel in zip(_both(grid), kernels)
            ]
            sides = [ops.concatenate(both, -1) for both in zip(sides, maps)]
        columns = [
            self.convolution(x, mask=mask) for x, mask in zip(sides, masks)
        ]
        if self.compares_output:
            # The convolutions carry the masks of their columns.
            grid = self.matrix(*columns)
            weights["output"] = grid
            columns = [
                x * ops.sum(seen, axis=-1, keepdims=True)
                for x, seen in zip(columns, _both(grid))
            ]
        outputs = [self._pooled(x) for x in columns]
        left, right = (
            self.hidden(x, mask=mask) for x, mask in zip(outputs, masks)
        )
        if return_attention_scores:
            return left, right, weights
        return left, right

    def compute_output_spec(
        self,
        left,
        right,
        left_mask=None,
        right_mask=None,
        return_attention_scores=False,
    ):
        # Tracing would fill an unknown length with a number of its own.
        self._checked_masks(left, right, left_mask, right_mask)
        batch, lengths = left.shape[0], (left.shape[1], right.shape[1])

        def spec(*shape):
            return keras.KerasTensor((batch, *shape), self.compute_dtype)

        outputs = tuple(spec(length, self.filters) for length in lengths)
        if not return_attention_scores:
            return outputs
        weights = {}
        if self.compares_input:
            weights["input"] = spec(*lengths)
        if self.compares_output:
            weights["output"] = spec(
                *(n and n + self.kernel_size - 1 for n in lengths)
            )
        return *outputs, weights

    def _pooled(self, columns):
        """w-ap: as many as there are words, each from `kernel_size` columns."""
        mean = ops.average_pool(
            columns, self.kernel_size, 1, data_format="channels_last"
        )
        return mean * self.kernel_size if self.compares_output else mean

    def _checked_masks(self, left, right, left_mask, right_mask):
        masks = check_pair_call(left, right, left_mask, right_mask)
        check_same_depth(left.shape, right.shape)
        for name, side in (("left", left), ("right", right)):
            length = side.shape[1]
            limited = self.compares_input and isinstance(length, int)
            if limited and length > self.max_length:
                raise ValueError(
                    "No side may be longer than `max_length`, for whose places "
                    f"there are kernels. Received: {name} of length {length}, "
                    f"max_length={self.max_length}"
                )
        return masks

    def compute_mask(self, inputs, previous_mask=None):
        return None  # both outputs carry theirs from `call`

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "variant": self.variant,
            "max_length": self.max_length,
            "share_attention_kernels": self.share_attention_kernels,
        }


class _Hidden(keras.layers.Layer):
    """Zeros where masked; the mask goes on with the output.

    Keras gives a layer of two inputs the mask of the first only.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        if mask is None:
            return inputs
        return hide(inputs, ops.expand_dims(mask, axis=-1))


def _first_rows(kernel, count):
    # A slice may be shorter, as JAX knows, which the product does not take.
    return ops.take(kernel, ops.arange(count, dtype="int32"), axis=0)


def _both(grid):
    """The grid as left sees right, and as right sees left."""
    return grid, ops.swapaxes(grid, 1, 2)
