"""Regularizers: what attention weights cost, beside the task's own loss."""

from keras import ops

from keras_attention.functional.masks import check_mask
from keras_attention.functional.matching import hide


def doubly_stochastic_penalty(weights, mask=None, target=1.0, value_mask=None):
    """`sum_j (target - sum_i weights[i, j])^2` (Xu et al. 2015, section 4.2.1).

    Attention weights sum to one over the places, for each word. The penalty
    is zero only if they also sum to `target` over the words, for each place,
    which makes a caption attend to the whole image.

    One number for each sample, the sum over its places; add the mean over the
    batch to the loss. (The authors' code adds the sum over the batch divided by
    the number of places, and counts padded words.) Computed in float32.

    Args:
        weights: `(B, T, L)`: of each word, the share of each place.
        mask: Boolean `(B, T)`, `True` where a word counts, or `None`: all do.
        target: Float, or a tensor `(B, 1)`. With T words and L places,
            every place can reach T / L at most.
        value_mask: Boolean `(B, L)`, `True` where a place counts, or `None`:
            all do. Padded places have no weight, and would each add the square
            of `target`.

    Returns:
        `(B,)`, float32.

    Raises:
        ValueError: If the weights are not `(B, T, L)`, or a mask does not pass
            `check_mask`.
    """
    shape = tuple(weights.shape)
    if len(shape) != 3:
        raise ValueError(
            "`weights` must be `(B, T, L)`, the shares of L places for each of "
            f"T words. Received: weights of shape {shape}"
        )
    mask = check_mask("mask", mask, shape[:2])
    value_mask = check_mask("value_mask", value_mask, (shape[0], shape[2]))
    weights = ops.cast(weights, "float32")
    if mask is not None:
        weights = hide(weights, ops.expand_dims(mask, axis=2))
    target = ops.convert_to_tensor(target, dtype="float32")
    squares = ops.square(target - ops.sum(weights, axis=1))
    return ops.sum(hide(squares, value_mask), axis=1)
