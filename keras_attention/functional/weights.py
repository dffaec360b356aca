"""Weights: scores made into shares of attention, or into gates."""

from keras import ops

GATES = {"sigmoid": ops.sigmoid, "hard_sigmoid": ops.hard_sigmoid}


def masked_softmax(scores, mask=None, axis=-1):
    """Softmax of the scores over the visible positions.

    Taken in float32 whatever the input, so half precision loses nothing. A
    row with no visible position gets zeros: not a uniform row, not NaN.

    Args:
        scores: Float tensor of any shape.
        mask: Boolean tensor broadcastable to `scores`; `True` is visible.
        axis: Integer. The axis over which the weights sum to one.

    Returns:
        Tensor like `scores`, in [0, 1].
    """
    values = ops.cast(scores, "float32")
    if mask is None and scores.shape[axis] == 1:
        return ops.ones_like(scores)  # Keras warns of such a softmax
    if mask is None:
        return ops.cast(ops.softmax(values, axis=axis), scores.dtype)
    visible = ops.broadcast_to(ops.cast(mask, "bool"), ops.shape(values))
    # Hidden scores are replaced before `exp`: multiplied away afterwards, an
    # overflow would leave NaN in the gradient.
    lowest = ops.min(values, axis=axis, keepdims=True)
    highest = ops.max(
        ops.where(visible, values, lowest), axis=axis, keepdims=True
    )
    shifted = ops.where(visible, values - ops.stop_gradient(highest), 0.0)
    exponentials = ops.where(visible, ops.exp(shifted), 0.0)
    total = ops.sum(exponentials, axis=axis, keepdims=True)
    return ops.cast(exponentials / ops.maximum(total, 1e-30), scores.dtype)


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
