"""Positions inside attention: keys that are turned, scores that are lowered."""

import math

import numpy as np
from keras import ops

from keras_attention.functional.known import cast_back

POSITION_ENCODINGS = (None, "rotary", "alibi")


def check_position_encoding(kind, depth=None):
    """Refuses a position encoding that attention cannot use.

    Args:
        kind: The name.
        depth: Integer, of each head's query and key, where it is known.

    Raises:
        ValueError: If `kind` is not one of `POSITION_ENCODINGS`, or is
            `"rotary"` and the depth is odd.
    """
    if kind not in POSITION_ENCODINGS:
        raise ValueError(
            f"`position_encoding` must be one of {POSITION_ENCODINGS}, how "
            "attention is told where a query and a key stand. "
            f"Received: position_encoding={kind!r}"
        )
    if kind == "rotary" and depth is not None and depth % 2:
        raise ValueError(
            "The depth of each head, `key_dim`, must be even with "
            "`position_encoding='rotary'`, which turns pairs of channels. "
            f"Received: position_encoding={kind!r}, key_dim={depth}"
        )


def rotate(vectors, positions, max_wavelength=10000):
    """Turns each pair of channels by an angle that grows with the position.

        angle[t, i] = t / max_wavelength^(2i / D)
        output[i] = x[i] cos(angle[i]) - x[i + D/2] sin(angle[i])
        output[i + D/2] = x[i + D/2] cos(angle[i]) + x[i] sin(angle[i])

    A turned query times a turned key then depends on their distance, not on
    where they stand. Angles are taken in float32. The pairs are those of
    GPT-NeoX, Llama and keras-hub; Su et al. (2021, equation 34) pair
    neighbours, `2i` and `2i + 1`, which is the same but for the order of the
    channels.

    Args:
        vectors: `(B, T, N, D)`, with an even D.
        positions: Integers `(B, T)` or `(1, T)`.
        max_wavelength: Positive number. The slowest pair turns once in nearly
            `2 pi max_wavelength` positions.

    Returns:
        Tensor like `vectors`.
    """
    depth = vectors.shape[-1]
    speeds = max_wavelength ** -(np.arange(0, depth, 2) / depth)
    positions = ops.cast(positions, "float32")[:, :, None, None]
    angles = positions * ops.cast(speeds, "float32")  # (B, T, 1, D / 2)
    sine, cosine = ops.sin(angles), ops.cos(angles)
    first, second = ops.split(vectors, 2, axis=-1)
    turned = [
        ops.multiply(first, cosine) - ops.multiply(second, sine),
        ops.multiply(second, cosine) + ops.multiply(first, sine),
    ]
    return cast_back(ops.concatenate(turned, axis=-1), vectors)


def alibi_slopes(heads):
    """How much each head cares for distance (Press et al. 2022, section 3).

    Of N heads, N a power of two, `slope[n] = 2^(-8 n / N)`, n from 1. Else the
    greatest power of two below N has its slopes, and the other heads those
    halfway between, as in the authors' code.

    Args:
        heads: Positive integer, N.

    Returns:
        NumPy array `(N,)`, float32.
    """
    power = 2 ** math.floor(math.log2(heads))
    first = 2.0 ** (-8 * np.arange(1, power + 1) / power)
    between = 2.0 ** (-8 * np.arange(1, 2 * power, 2) / (2 * power))
    return np.append(first, between[: heads - power]).astype("float32")


def alibi_bias(positions, key_length, heads):
    """What is added to scores: `-slope[n] * |position of query - j|`.

    It is symmetric. Under a causal mask it is the paper's, where keys only come
    before their query: there, `slope * (j - i)` and `slope * j` have the same
    softmax.

    Args:
        positions: Integers `(B, Tq)` or `(1, Tq)`, of the queries.
        key_length: Integer, Tk. The keys are at 0, 1, ..., Tk - 1.
        heads: Positive integer, N.

    Returns:
        `(B, N, Tq, Tk)` or `(1, N, Tq, Tk)`, float32.
    """
    keys = ops.arange(key_length, dtype="int32")
    distance = ops.abs(ops.cast(positions, "int32")[:, None, :, None] - keys)
    slopes = alibi_slopes(heads)[:, None, None]
    return -ops.cast(distance, "float32") * ops.convert_to_tensor(slopes)
