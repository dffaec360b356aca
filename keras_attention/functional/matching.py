"""Matching: two sequences compared cell by cell, each word with each word.

`left` is `(B, Tl, D)`, `right` is `(B, Tr, D)`, the grid is `(B, Tl, Tr)`. The
dot product and the bilinear form are `dot_scores` and `general_scores`; concat
and minus are `additive_scores` of their projections.
"""

from keras import ops

from keras_attention.functional.blocks import over_query_blocks
from keras_attention.functional.known import cast_back
from keras_attention.functional.masks import check_mask, combine_masks


def inverse_distance(left, right, block_size=None):
    """`1 / (1 + |left[i] - right[j]|)`, Euclidean (Yin et al. 2016, section 4).

    One for equal vectors, where the gradient is zero (that of the root alone
    is infinite). Taken in float32, from differences: through squares and
    products equal vectors would not be found equal.

    Args:
        left: `(B, Tl, D)`.
        right: `(B, Tr, D)`.
        block_size: Positive integer, the places of `left` taken at once;
            `None` makes a tensor `(B, Tl, Tr, D)` of all of them.

    Returns:
        `(B, Tl, Tr)`, in (0, 1].
    """

    def grid(left, right):
        apart = ops.expand_dims(left, axis=2) - ops.expand_dims(right, axis=1)
        squares = ops.sum(ops.square(apart), axis=-1)
        equal = ops.equal(squares, 0)
        distance = ops.where(
            equal, 0.0, ops.sqrt(ops.where(equal, 1.0, squares))
        )
        return 1 / (1 + distance)

    values = [ops.cast(side, "float32") for side in (left, right)]
    result = over_query_blocks(grid, block_size, values[:1], values[1:])
    return cast_back(result, left)


def cosine_similarity(left, right):
    """`left[i] . right[j] / (|left[i]| |right[j]|)`; 0 beside a zero vector.

    Taken in float32. A vector shorter than 1e-6 counts as zero, and has no
    gradient.

    Args:
        left: `(..., Tl, D)`.
        right: `(..., Tr, D)`.

    Returns:
        `(..., Tl, Tr)`, in [-1, 1] but for rounding.
    """

    def unit(vectors):
        vectors = ops.cast(vectors, "float32")
        squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
        # The gradient of a root is infinite at zero, and what hides it must
        # stand in front.
        nothing = squares < 1e-12
        length = ops.sqrt(ops.where(nothing, 1.0, squares))
        return ops.where(nothing, 0.0, vectors / length)

    result = ops.matmul(unit(left), ops.swapaxes(unit(right), -1, -2))
    return cast_back(result, left)


def product_scores(left, right, kernel, vector, block_size=None):
    """`v . tanh(W (left[i] * right[j]))` (Tan et al. 2018, dot attention).

    Args:
        left: `(B, Tl, D)`.
        right: `(B, Tr, D)`.
        kernel: `(D, units)`, W.
        vector: `(units,)`, v.
        block_size: Positive integer, the places of `left` taken at once;
            `None` makes a tensor `(B, Tl, Tr, D)` of all of them.

    Returns:
        `(B, Tl, Tr)`.
    """

    def scores(left, right, kernel, vector):
        products = ops.expand_dims(left, axis=2) * ops.expand_dims(
            right, axis=1
        )
        return ops.tensordot(
            ops.tanh(ops.matmul(products, kernel)), vector, axes=1
        )

    return over_query_blocks(
        scores, block_size, [left], [right, kernel, vector]
    )


def visible_cells(left_mask, right_mask):
    """The cells of a grid whose row and column are both visible.

    Args:
        left_mask: Boolean `(B, Tl)` or `None`.
        right_mask: Boolean `(B, Tr)` or `None`.

    Returns:
        Boolean, broadcastable to `(B, Tl, Tr)`; or `None`: all are.
    """
    return combine_masks(
        *[
            None if mask is None else ops.expand_dims(mask, axis=axis)
            for mask, axis in ((left_mask, 2), (right_mask, 1))
        ]
    )


def hide(tensor, mask):
    """Zeros where nothing may be seen.

    Args:
        tensor: Tensor of any shape.
        mask: Boolean, broadcastable to `tensor`, or `None`.

    Returns:
        Tensor like `tensor`.
    """
    if mask is None:
        return tensor
    return ops.where(mask, tensor, ops.zeros_like(tensor))


def check_pair_call(left, right, left_mask=None, right_mask=None):
    """Refuses two sequences and masks that do not fit together.

    Args:
        left: `(B, Tl, Dl)`.
        right: `(B, Tr, Dr)`.
        left_mask: `(B, Tl)` or `None`.
        right_mask: `(B, Tr)` or `None`.

    Returns:
        Both masks as booleans, or `None` where there is none.

    Raises:
        ValueError: If a sequence is not `(B, T, D)`, or a mask is none of it,
            as far as lengths are known before the layer runs.
    """
    shapes = tuple(left.shape), tuple(right.shape)
    if any(len(shape) != 3 for shape in shapes):
        raise ValueError(
            "`left` and `right` must be sequences of vectors, (B, T, D). "
            f"Received: left_shape={shapes[0]}, right_shape={shapes[1]}"
        )
    return (
        check_mask("left_mask", left_mask, shapes[0][:2]),
        check_mask("right_mask", right_mask, shapes[1][:2]),
    )


def check_same_depth(left_shape, right_shape):
    """Refuses two sequences whose vectors cannot be compared entry by entry.

    Args:
        left_shape: Shape `(B, Tl, D)`.
        right_shape: Shape `(B, Tr, D)`.

    Raises:
        ValueError: If a shape is none of a sequence, or the depths differ.
    """
    shapes = tuple(left_shape), tuple(right_shape)
    if any(len(shape) != 3 for shape in shapes) or (
        shapes[0][-1] != shapes[1][-1]
    ):
        raise ValueError(
            "`left` and `right` must be sequences of vectors of one depth, "
            "(B, Tl, D) and (B, Tr, D), since they are compared entry by "
            f"entry. Received: left_shape={shapes[0]}, right_shape={shapes[1]}"
        )
