"""Arguments: what a layer's constructor refuses, in one form of words."""

import numbers


def check_sizes(meaning, optional=(), **sizes):
    """Refuses sizes that are no positive integers.

    Args:
        meaning: String, what the sizes are, which is why.
        optional: Names of those that may be `None`.
        **sizes: The arguments, by name.

    Raises:
        ValueError: If one is no integer, or below 1. A boolean is none.
    """
    wrong = [
        name
        for name, size in sizes.items()
        if not (size is None and name in optional)
        and not (_is_number(size, numbers.Integral) and size >= 1)
    ]
    if wrong:
        *others, last = (f"`{name}`" for name in sizes)
        names = f"{', '.join(others)} and {last}" if others else last
        kind = "positive integers" if others else "a positive integer"
        received = ", ".join(f"{name}={x!r}" for name, x in sizes.items())
        raise ValueError(
            f"{names} must be {kind}, {meaning}. Received: {received}"
        )


def check_size_pair(name, size, meaning):
    """Refuses what is no pair of positive integers.

    Args:
        name: String, the argument's name.
        size: The argument, `(height, width)`.
        meaning: String, what it is the size of, which is why.

    Raises:
        ValueError: If it is not two positive integers.
    """
    if (
        not isinstance(size, (tuple, list))
        or len(size) != 2
        or not all(_is_number(x, numbers.Integral) and x >= 1 for x in size)
    ):
        raise ValueError(
            f"`{name}` must be two positive integers, (height, width), "
            f"{meaning}. Received: {name}={size!r}"
        )


def check_groups(num_heads, num_key_value_heads):
    """Refuses heads of queries that share keys and values unequally.

    Args:
        num_heads: Positive integer.
        num_key_value_heads: Positive integer, or `None`: each has its own.

    Raises:
        ValueError: If it is no positive integer that divides `num_heads`.
    """
    check_sizes(
        "heads that share",
        optional=("num_key_value_heads",),
        num_key_value_heads=num_key_value_heads,
    )
    if num_heads % (num_key_value_heads or num_heads):
        raise ValueError(
            "`num_key_value_heads` must divide `num_heads`: each head of keys "
            "and values serves equally many of queries. Received: "
            f"num_key_value_heads={num_key_value_heads}, num_heads={num_heads}"
        )


def check_share(name, share, meaning):
    """Refuses what is no number in [0, 1).

    Args:
        name: String, the argument's name.
        share: The argument.
        meaning: String, what it is a share of, which is why.

    Raises:
        ValueError: If it is no number, or outside of [0, 1).
    """
    if not (_is_number(share, numbers.Real) and 0 <= share < 1):
        raise ValueError(
            f"`{name}` must be in [0, 1), {meaning}. Received: {name}={share!r}"
        )


def check_positive(name, number, meaning):
    """Refuses what is no positive number.

    Args:
        name: String, the argument's name.
        number: The argument.
        meaning: String, what it is, which is why.

    Raises:
        ValueError: If it is no number, or not above 0.
    """
    if not (_is_number(number, numbers.Real) and number > 0):
        raise ValueError(
            f"`{name}` must be positive, {meaning}. Received: {name}={number!r}"
        )


def check_known_depth(layer, **shapes):
    """Refuses inputs whose last axis is of unknown size.

    Args:
        layer: The layer, named in the error.
        **shapes: The inputs' shapes, by name; each may be `None`.

    Raises:
        ValueError: If the last size of one is `None`.
    """
    if any(shape and shape[-1] is None for shape in shapes.values()):
        received = ", ".join(
            f"{name}={tuple(shape)}"
            for name, shape in shapes.items()
            if shape is not None
        )
        raise ValueError(
            f"{type(layer).__name__} must know the depth of its inputs, their "
            "last axis, when it is built: its weights and scores depend on it. "
            f"Received: {received}"
        )


def _is_number(value, kind):
    return isinstance(value, kind) and not isinstance(value, bool)
