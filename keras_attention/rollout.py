"""Attention rollout: how much each output token rests on each input token."""

import numpy as np

from keras_attention.arguments import check_share

# How far the weights of a row, rounded to half precision, may be from one.
SLACK = 1e-2


def attention_rollout(maps, residual=0.5):
    """Attention rollout: how much each output token rests on each input token.

        A[l] = residual * I + (1 - residual) * mean over heads of weights[l]
        rollout = A[L] @ ... @ A[2] @ A[1]

    with each row of A divided by its sum. One layer's weights say what it reads
    of the layer below, not of the input; rollout follows them down to the
    input, and the residual connections around them.

    It knows nothing of the values, of the layers between, nor of any class:
    see whether it is right by `keras_attention.faithfulness`.

    Args:
        maps: The self-attention weights of each layer, the lowest first: the
            dict that `attention_maps` returns, or a list. Arrays `(B, N, T, T)`
            or, without heads, `(B, T, T)`, queries before keys.
        residual: Float in [0, 1). The share of the residual connection; 0 for
            layers without.

    Returns:
        Float32 array `(B, T, T)`: of each output token (row) the shares of the
        input tokens, which sum to one. A query that saw nothing keeps itself,
        or is zero with `residual=0`. For a vision transformer with a class
        token first and `h * w` patches, `rollout[:, 0, 1:].reshape(-1, h, w)`
        is the map.

    Raises:
        ValueError: If there is no map, one is not of self-attention (square,
            not negative, its rows with a sum of one, or zero where a query sees
            nothing), their shapes differ, or `residual` is outside of [0, 1).

    Example:

    >>> import numpy as np
    >>> weights = np.array([[[0.5, 0.5], [0.0, 1.0]]])
    >>> attention_rollout([weights, weights]).tolist()
    [[[0.5625, 0.4375], [0.0, 1.0]]]

    Reference:
        Abnar, Zuidema. Quantifying Attention Flow in Transformers. ACL 2020,
        section 3, equation 1. https://arxiv.org/abs/2005.00928
    """
    check_share("residual", residual, "the share of the residual connection")
    named = maps if isinstance(maps, dict) else dict(enumerate(maps))
    layers = [_head_mean(name, weights) for name, weights in named.items()]
    shapes = {name: x.shape for name, x in zip(named, layers)}
    if len(set(shapes.values())) != 1:
        raise ValueError(
            "`maps` must be of at least one layer, all with the same samples "
            "and tokens: choose the layers of one stack. "
            f"Received: maps of shapes {shapes}, the heads averaged"
        )
    identity = np.eye(layers[0].shape[-1])
    rollout = identity
    for weights in layers:
        mixed = residual * identity + (1 - residual) * weights
        sums = mixed.sum(axis=-1, keepdims=True)
        rollout = mixed / np.where(sums == 0, 1, sums) @ rollout
    return rollout.astype("float32")


def _head_mean(name, weights):
    """The weights of a layer as `(B, T, T)` float64."""
    shape = np.shape(weights) if not isinstance(weights, dict) else ()
    if len(shape) not in (3, 4) or shape[-1] != shape[-2]:
        raise ValueError(
            "Rollout takes self-attention weights, (B, N, T, T) or (B, T, T): "
            "each token of a sequence reads the same sequence. Choose such "
            "layers of what `attention_maps` returned. "
            f"Received: maps[{name!r}] of type {type(weights).__name__} and "
            f"shape {shape}"
        )
    weights = np.asarray(weights, "float64")
    sums = weights.sum(axis=-1)
    one_or_zero = (np.abs(sums - 1) < SLACK) | (sums == 0)
    if not (one_or_zero.all() and weights.min() >= 0):
        raise ValueError(
            "Rollout takes weights of attention, which are not negative and "
            "sum to one over the keys, or are all zero. Received: "
            f"maps[{name!r}] with values from {weights.min():g} to "
            f"{weights.max():g} and sums from {sums.min():g} to {sums.max():g}"
        )
    return weights.mean(axis=1) if weights.ndim == 4 else weights
