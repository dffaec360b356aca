"""Blocks: a long row of queries, some of them at a time.

Scores with a hidden layer make a tensor `(B, Tq, Tk, units)`. Taken over blocks
of queries, and computed again in the backward pass, only one block of it is
ever in memory.
"""

import keras
from keras import ops

# Entries of the tensor, for one sample: with fewer than the first it is made at
# once; divided, a block has about the second.
LARGE, BLOCK = 2**24, 2**20


def over_query_blocks(function, block_size, per_query, shared):
    """Runs a function over blocks of queries and joins what it returns.

    The same numbers as `function(*per_query, *shared)`, and the same gradients
    for all arguments: whatever needs one must be an argument.

    Args:
        function: From tensors to one tensor, with the queries on axis 1 of
            the result.
        block_size: Positive integer, the queries taken at once. `None` takes
            all of them: no blocks.
        per_query: List of tensors `(B, Tq, ...)`, or `None` in their place.
        shared: List of tensors, or `None` in their place, that every block
            sees whole.

    Returns:
        Tensor `(B, Tq, ...)`.
    """
    if block_size is None:
        return function(*per_query, *shared)
    queries = per_query[0].shape[1] or ops.shape(per_query[0])[1]
    blocks = -(-queries // block_size)
    given = [x is not None for x in per_query]

    def run(block):
        block = iter(block)
        mine = [next(block) if here else None for here in given]
        return _recomputed(function, [*mine, *shared])

    results = ops.map(
        run,
        [
            _divided(x, queries, blocks, block_size)
            for x in per_query
            if x is not None
        ],
    )
    joined = ops.reshape(
        ops.moveaxis(results, 0, 1),
        (-1, blocks * block_size, *ops.shape(results)[3:]),
    )
    return joined[:, :queries]


def default_block_size(query_length, key_length, units):
    """How many queries to take at once, when nobody says.

    Args:
        query_length: Integer, Tq, or `None` where it is not known yet.
        key_length: Integer, Tk, or `None`.
        units: Integer, the width of the hidden layer.

    Returns:
        Positive integer; `None`, no blocks, where all of them are few or a
        length is unknown.
    """
    known = isinstance(query_length, int) and isinstance(key_length, int)
    if not known:  # `None`, or JAX's symbol for it
        return None
    if query_length * key_length * units <= LARGE:
        return None
    return max(1, BLOCK // (key_length * units))


def _recomputed(function, arguments):
    """Calls the function, which keeps nothing for the backward pass."""
    floats = [
        x is not None and keras.backend.is_float_dtype(x.dtype)
        for x in arguments
    ]

    @keras.remat
    def step(*tensors):
        tensors = iter(tensors)
        return function(
            *[next(tensors) if f else x for x, f in zip(arguments, floats)]
        )

    return step(*[x for x, f in zip(arguments, floats) if f])


def _divided(tensor, queries, blocks, block_size):
    """`(B, Tq, ...)` as `(blocks, B, block_size, ...)`, zeros at the end."""
    rest = tensor.shape[2:]
    padding = [(0, 0), (0, blocks * block_size - queries)]
    padded = ops.pad(tensor, padding + [(0, 0)] * len(rest))
    parts = ops.reshape(padded, (-1, blocks, block_size, *rest))
    return ops.moveaxis(parts, 1, 0)
