"""Directions: a sequence read from its beginning and from its end."""

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
