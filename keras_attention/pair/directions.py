"""Directions: a sequence read from its beginning and from its end."""

import keras
from keras import ops


def both_directions(forward, backward, inputs, mask=None):
    """What two recurrences say of each position, side by side.

    As `keras.layers.Bidirectional`, whose two halves are copies that Keras
    takes for one another when a model of several is loaded.

    Args:
        forward: A recurrent layer with `return_sequences=True`.
        backward: Another, with `go_backwards=True` too.
        inputs: `(B, T, D)`.
        mask: Boolean `(B, T)` or `None`. What is hidden is passed over.

    Returns:
        `(B, T, 2 * units)`.
    """
    return ops.concatenate(
        [
            forward(inputs, mask=mask),
            ops.flip(backward(inputs, mask=mask), axis=1),
        ],
        axis=-1,
    )


def both_directions_of_several(pairs, sequences, mask=None):
    """`both_directions` of several pairs of GRUs of one size, in two loops.

    All that go one way take their step in one loop, each by its own product, so
    that a graph has two loops in place of two for each pair.

    Args:
        pairs: List of K pairs of `keras.layers.GRU`, as in `both_directions`,
            built, all of one size and as Keras makes them by default.
        sequences: List of K tensors `(B, T, D)`.
        mask: Boolean `(B, T)` or `None`, for all of them.

    Returns:
        List of K tensors `(B, T, 2 * units)`.
    """
    said = []
    for grus in zip(*pairs):  # all forward, then all backward
        # The sum over the inputs is outside the loop, as in Keras's own.
        inputs = ops.concatenate(
            [
                ops.matmul(x, gru.cell.kernel) + gru.cell.bias[0]
                for x, gru in zip(sequences, grus)
            ],
            axis=-1,
        )
        loop = keras.layers.RNN(
            _SideBySide([gru.cell for gru in grus]),
            return_sequences=True,
            go_backwards=grus[0].go_backwards,
            dtype=grus[0].dtype_policy,
        )
        states = loop(inputs, mask=mask)
        if grus[0].go_backwards:
            states = ops.flip(states, axis=1)
        said.append(ops.split(states, len(grus), axis=-1))
    return [ops.concatenate(both, axis=-1) for both in zip(*said)]


class _SideBySide(keras.layers.Layer):
    """A step of several GRUs, whose inputs are projected already.

    It has no weights of its own, and lives no longer than the call that
    made it.
    """

    def __init__(self, cells):
        super().__init__(dtype=cells[0].dtype_policy)
        self.weights_of = [(c.recurrent_kernel, c.bias) for c in cells]
        self.units = cells[0].units
        self.state_size = self.units * len(cells)

    def call(self, inputs, states):
        # No axes are exchanged: LiteRT's converter mistakes the order of axes
        # of a loop's inside for that of its outside.
        state = self._apart(states[0], self.units)
        inner = ops.stack(
            [
                ops.matmul(state[:, place], kernel) + bias[1]
                for place, (kernel, bias) in enumerate(self.weights_of)
            ],
            axis=1,
        )
        inputs = self._apart(inputs, 3 * self.units)
        update, reset, new = ops.split(inputs, 3, axis=-1)
        inner_update, inner_reset, inner_new = ops.split(inner, 3, axis=-1)
        update = ops.sigmoid(update + inner_update)
        new = ops.tanh(new + ops.sigmoid(reset + inner_reset) * inner_new)
        state = update * state + (1 - update) * new
        state = ops.reshape(state, (ops.shape(state)[0], self.state_size))
        return state, [state]

    def _apart(self, columns, width):
        """`(B, K * width)` to `(B, K, width)`."""
        # LiteRT takes a loop only where a batch that is known stays known.
        return ops.reshape(
            columns, (ops.shape(columns)[0], len(self.weights_of), width)
        )
