"""Counting the steps of a recurrence in a state of any float dtype.

`keras.layers.RNN` casts every state to the cell's compute dtype, and bfloat16
holds no integer beyond 256 exactly. So a count is kept as digits of base 256.
"""

from keras import ops

BASE = 256
DIGITS = 3  # up to 16.7 million steps


def count_of(digits):
    """The number of steps that a state holds.

    Args:
        digits: `(B, DIGITS)`, the lowest first. Zeros are no step.

    Returns:
        `(B, 1)`, int32.
    """
    digits = ops.cast(digits, "int32")
    return sum(digits[:, i : i + 1] * BASE**i for i in range(DIGITS))


def digits_of(count, dtype):
    """A number of steps as a state. Beyond `BASE**DIGITS` it starts anew.

    Args:
        count: `(B, 1)`, int32.
        dtype: Name of the state's dtype.

    Returns:
        `(B, DIGITS)`.
    """
    digits = [count // BASE**i % BASE for i in range(DIGITS)]
    return ops.cast(ops.concatenate(digits, axis=-1), dtype)
