"""Weights: scores made into shares of attention, or into gates."""

import keras
import numpy as np
from keras import ops

from keras_attention.functional.known import cast_back

LOWEST = -3.4e38  # in float32, of what is hidden: `exp` makes it an exact zero

GATES = {"sigmoid": ops.sigmoid, "hard_sigmoid": ops.hard_sigmoid}


def masked_softmax(scores, mask=None, axis=-1):
    """Softmax of the scores over the visible positions.

    Taken in float32 whatever the input, so half precision loses nothing. A
    row with no visible position gets zeros: not a uniform row, not NaN.

    Args:
        scores: Float tensor of any shape.
        mask: Boolean tensor broadcastable to `scores`; `True` is visible. A
            NumPy array is a constant, and costs less where each of its rows
            has a visible position.
        axis: Integer. The axis over which the weights sum to one.

    Returns:
        Tensor like `scores`, in [0, 1].
    """
    values = ops.cast(scores, "float32")
    if mask is None and scores.shape[axis] == 1:
        # Keras warns of such a softmax.
        return cast_back(ops.ones_like(values), scores)
    if mask is None:
        return cast_back(ops.softmax(values, axis=axis), scores)
    visible = ops.cast(mask, "bool")
    values = ops.where(visible, values, LOWEST)
    if values.shape[axis] == 1:
        weights = ops.ones_like(values)
    else:
        weights = ops.softmax(values, axis=axis)
    if not _each_row_sees(mask, axis, len(values.shape)):
        weights = ops.where(visible, weights, 0.0)
    return cast_back(weights, scores)


def _each_row_sees(mask, axis, rank):
    """Whether it is known that no row is hidden altogether.

    What is hidden beside something visible has a weight of zero already.
    """
    if not isinstance(mask, np.ndarray):
        return False
    axis = axis if axis < 0 else axis - rank
    return bool((mask.any(axis) if mask.ndim >= -axis else mask).all())


def top_k_softmax(scores, k, mask=None):
    """Softmax over the `k` best visible positions of a row, zero elsewhere.

    Positions that tie with the k-th best share in it too.

    Args:
        scores: Float tensor `(..., Tk)`.
        k: Positive integer. Where there are fewer positions, all share.
        mask: Boolean tensor broadcastable to `scores`; `True` is visible.

    Returns:
        Tensor like `scores`, in [0, 1].

    Raises:
        ValueError: If `k` is not positive.
    """
    if k < 1:
        raise ValueError(
            "`k` must be a positive integer, the positions that share. "
            f"Received: k={k}"
        )
    if isinstance(scores.shape[-1], int) and k >= scores.shape[-1]:
        return masked_softmax(scores, mask)
    values = ops.cast(scores, "float32")
    if mask is not None:
        mask = ops.cast(mask, "bool")
        values = ops.where(mask, values, LOWEST)
    enough = values
    if not isinstance(scores.shape[-1], int):  # there may be fewer than `k`
        sides = [(0, 0)] * (len(scores.shape) - 1) + [(0, k)]
        enough = ops.pad(values, sides, constant_values=LOWEST)
    share = values >= ops.top_k(enough, k)[0][..., -1:]
    if mask is not None:
        share = ops.logical_and(share, mask)
    return masked_softmax(scores, share)


def sparse_top_k(scores, k, mask=None):
    """Weights of the `k` best visible positions of a row, zeros elsewhere.

    The rule of sparse attentive backtracking (Ke et al. 2018), linear in the
    scores but for the division:

        excess[i] = relu(scores[i] - (the k+1-th greatest score))
        weights[i] = excess[i] / sum_j excess[j]

    A row with no more than `k` visible positions has no such threshold, and
    gets the softmax over all of them. Positions that tie with the threshold
    get zero, so a row whose best `k + 1` scores are equal is all zero. Taken
    in float32. The threshold passes no gradient: a position whose weight is
    zero gets none.

    Args:
        scores: Float tensor `(..., Tk)`.
        k: Positive integer, how many positions have a weight.
        mask: Boolean tensor broadcastable to `scores`; `True` is visible.

    Returns:
        Tensor like `scores`, in [0, 1]. Rows sum to one, or to less where
        the excess is below 1e-7 in sum: scores that close are a tie.

    Raises:
        ValueError: If `k` is not positive.
    """
    if k < 1:
        raise ValueError(
            "`k` must be a positive integer, the positions that have a weight. "
            f"Received: k={k}"
        )
    few = masked_softmax(scores, mask)
    if isinstance(scores.shape[-1], int) and k >= scores.shape[-1]:
        return few
    values = ops.cast(scores, "float32")
    visible = ops.ones_like(values, dtype="bool")
    if mask is not None:
        visible = ops.logical_and(visible, ops.cast(mask, "bool"))
    number = ops.sum(ops.cast(visible, "int32"), axis=-1, keepdims=True)
    ranked = ops.stop_gradient(ops.where(visible, values, LOWEST))
    if not isinstance(scores.shape[-1], int):  # there may be no more than `k`
        sides = [(0, 0)] * (len(scores.shape) - 1) + [(0, k + 1)]
        ranked = ops.pad(ranked, sides, constant_values=LOWEST)
    best = ops.top_k(ranked, k + 1)[0]
    # Where all visible ones share, no position exceeds this.
    threshold = ops.where(number > k, best[..., -1:], best[..., :1])
    excess = ops.relu(ops.where(visible, values - threshold, 0.0))
    total = ops.sum(excess, axis=-1, keepdims=True)
    weights = cast_back(excess / ops.maximum(total, 1e-7), scores)
    return ops.where(number > k, weights, few)


def one_hot_sample(scores, mask=None, seed=None):
    """One visible position of each row, drawn by the softmax of its scores.

    A choice passes no gradient on. A row with no visible position gets zeros.

    Args:
        scores: Float tensor `(..., Tk)`.
        mask: Boolean tensor broadcastable to `scores`; `True` is visible.
        seed: Integer, `keras.random.SeedGenerator` or `None`.

    Returns:
        Tensor like `scores`: zeros, and a single one in each row.
    """
    values = ops.cast(scores, "float32")
    # With Gumbel noise added, the greatest is drawn by the softmax.
    uniform = keras.random.uniform(
        ops.shape(values), minval=1e-7, maxval=1.0, seed=seed
    )
    values = values - ops.log(-ops.log(uniform))
    if mask is not None:
        mask = ops.cast(mask, "bool")
        values = ops.where(mask, values, LOWEST)
    chosen = ops.one_hot(
        ops.argmax(values, axis=-1), ops.shape(values)[-1], dtype="float32"
    )
    if mask is not None:
        chosen = ops.where(mask, chosen, 0.0)
    return ops.stop_gradient(ops.cast(chosen, scores.dtype))


def gate(logits, kind="sigmoid", identity_start=False):
    """Independent shares: how much of each thing to let through.

    Args:
        logits: Float tensor.
        kind: A name in `GATES`: `"sigmoid"` or `"hard_sigmoid"`.
        identity_start: Boolean. Twice the sigmoid, range [0, 2]: exactly 1 at
            logit 0, so a gate whose last weights are zero changes nothing.

    Returns:
        Tensor like `logits`, in [0, 1]; in [0, 2] with `identity_start`.
    """
    shares = GATES[kind](logits)
    return 2 * shares if identity_start else shares


def check_gate(kind):
    """Refuses a gate that `gate` does not know.

    Args:
        kind: The name.

    Raises:
        ValueError: If `kind` is not a name in `GATES`.
    """
    if kind not in GATES:
        raise ValueError(
            f"`gate` must be one of {sorted(GATES)}, the function from logits "
            f"to shares. Received: gate={kind!r}"
        )
