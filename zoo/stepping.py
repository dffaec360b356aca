"""A step of a decoder, taken for every word of a text that is told.

To answer, a decoder is stepped by `zoo.decoding`; to learn, all its steps are
taken here, in one loop whose length need not be known. What a step reads of
elsewhere, such as a memory, it may close over.
"""

import keras


def over_steps(step, inputs, state):
    """Takes a step for each place of a sequence, one after the other.

    Args:
        step: Function of `(B, D)`, the inputs of a place, and the state:
            `(output, state)`, the output `(B, K)`.
        inputs: `(B, T, D)`. T may be unknown.
        state: List of tensors `(B, ...)`, floats of one dtype, whose last axis
            is known.

    Returns:
        The outputs, `(B, T, K)`.

    Example:

    >>> import numpy as np
    >>> def step(x, state):
    ...     (total,) = state
    ...     return total + x, [total + x]
    >>> sums = over_steps(step, np.ones((1, 3, 2)), [np.zeros((1, 2))])
    >>> np.array(sums)[0, :, 0].tolist()
    [1.0, 2.0, 3.0]
    """
    dtype = keras.backend.standardize_dtype(state[0].dtype)
    cell = _Step(step, [each.shape[-1] for each in state], dtype)
    loop = keras.layers.RNN(cell, return_sequences=True, dtype=dtype)
    return loop(inputs, initial_state=list(state))


class _Step(keras.layers.Layer):
    """A function as a cell of `keras.layers.RNN`; it has no weights."""

    def __init__(self, step, state_size, dtype):
        super().__init__(dtype=dtype)
        self.step = step
        self.state_size = state_size
        self.built = True

    def call(self, inputs, states, training=None):
        return self.step(inputs, list(states))
