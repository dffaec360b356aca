"""Contexts: what is read, once it is known where to look."""

from keras import ops

from keras_attention.functional.blocks import over_query_blocks
from keras_attention.functional.masks import combine_masks
from keras_attention.functional.scores import additive_scores, scaled_dot_scores
from keras_attention.functional.weights import masked_softmax


def weighted_sum(weights, value):
    """`sum_j weights[i, j] * value[j]`.

    Args:
        weights: `(..., Tq, Tk)`.
        value: `(..., Tk, Dv)`.

    Returns:
        The context, `(..., Tq, Dv)`.
    """
    return ops.matmul(weights, value)


def scaled_dot_product_attention(query, key, value, mask=None):
    """`softmax(query key^T / sqrt(D)) value` (Vaswani et al. 2017, equation 1).

    Args:
        query: `(..., Tq, D)`.
        key: `(..., Tk, D)`.
        value: `(..., Tk, Dv)`.
        mask: Boolean, broadcastable to `(..., Tq, Tk)`, or `None`.

    Returns:
        The context `(..., Tq, Dv)` and the weights `(..., Tq, Tk)`.
    """
    weights = masked_softmax(scaled_dot_scores(query, key), mask)
    return weighted_sum(weights, value), weights


def additive_attention(query, key, value, vector, mask=None, block_size=None):
    """The context of `additive_scores`, weights never kept.

    Args:
        query: `(B, Tq, units)`.
        key: `(B, Tk, units)`.
        value: `(B, Tk, Dv)`.
        vector: `(units,)`.
        mask: Boolean, broadcastable to `(B, Tq, Tk)`, or `None`.
        block_size: Positive integer, the queries taken at once: memory grows
            as `block_size * Tk * units`, in the backward pass too. `None`
            takes all of them.

    Returns:
        The context, `(B, Tq, Dv)`.
    """

    def attend(query, mask_by_query, key, value, vector, mask):
        scores = additive_scores(query, key, vector)
        weights = masked_softmax(scores, combine_masks(mask_by_query, mask))
        return weighted_sum(weights, value)

    mask_by_query = None
    if mask is not None and mask.shape[1] != 1:
        mask_by_query, mask = mask, None
    return over_query_blocks(
        attend, block_size, [query, mask_by_query], [key, value, vector, mask]
    )
