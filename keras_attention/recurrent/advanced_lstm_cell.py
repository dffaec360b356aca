"""Advanced LSTM of Tao and Liu (2018): a weighted look at past states."""

import keras
from keras import ops

from keras_attention.arguments import check_known_depth, check_sizes
from keras_attention.functional import masked_softmax
from keras_attention.recurrent.counting import DIGITS, count_of, digits_of
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class AdvancedLSTMCell(keras.layers.Layer):
    """LSTM cell that continues from a weighted sum of several past states.

    To be run by `keras.layers.RNN`. A plain LSTM computes each step from the
    last hidden state and the last cell state. After every `update_every` steps
    this one takes attention-weighted sums of earlier states instead, both
    scored by the same vector:

        hidden_weights = softmax over lags of w . h[t - lag]
        cell_weights = softmax over lags of w . c[t - lag]
        h' = sum over lags of hidden_weights[lag] * h[t - lag]
        c' = sum over lags of cell_weights[lag] * c[t - lag]
        h[t + 1], c[t + 1] = LSTM(inputs[t + 1], h', c')

    At all other steps it is a plain LSTM, `LSTM(inputs[t + 1], h[t], c[t])`.
    States from before the first step are never attended to. With `lags=(0,)`
    the cell is `keras.layers.LSTMCell`, with its weights and states.

    Args:
        units: Positive integer. Width of the states.
        lags: Integers of at least 0, each once: how many steps before the last
            state lie the states that are attended to; 0 is the last state.
        update_every: Positive integer. The weighted sums are formed once in so
            many steps, for the first time after the first `update_every`.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: One step, `(B, D)`.
        states: List of the states before it: `h` and `c`, each `(B, units)`,
            the `max(lags)` pairs of them before those, latest first, `(B,
            max(lags) * 2 * units)` (left out where that is 0), and the number
            of steps so far, `(B, 3)` (left out with `lags=(0,)`). All zero at
            the start, as `get_initial_state(batch_size)` makes them.
        return_attention_scores: Boolean. Whether to return the weights too.

    Returns:
        Pair of the output, which is the new `h`, `(B, units)`, and the list of
        new states. With `return_attention_scores=True` the weights come third,
        a dict `{"hidden": (B, len(lags)), "cell": (B, len(lags))}` in the order
        of `lags`; they sum to one where past states were attended to, and to
        zero in plain steps. `attention_maps` collects them for all steps of a
        `keras.layers.RNN`.

    Raises:
        ValueError: If `units` or `update_every` is not positive, or `lags` are
            not distinct integers of at least 0.

    Example:

    >>> import numpy as np
    >>> cell = AdvancedLSTMCell(units=8, lags=(0, 2, 4), update_every=3)
    >>> layer = keras.layers.RNN(cell, return_sequences=True)
    >>> tuple(layer(np.ones((2, 10, 5), "float32")).shape)
    (2, 10, 8)
    >>> states = cell.get_initial_state(batch_size=2)
    >>> output, states, weights = cell(
    ...     np.ones((2, 5), "float32"), states, return_attention_scores=True
    ... )
    >>> tuple(output.shape), tuple(weights["hidden"].shape)
    ((2, 8), (2, 3))

    Notation: `h'`, `c'` are h', C' and `w` is W in the paper.

    Departures: that steps between two updates continue from the last states,
    and not from the last sums, is our reading of the paper. Where a listed
    state lies before the first step the softmax is over the others; where all
    do, the step is plain. A single lag needs no `w`, and has none.

    Reference:
        Tao, Liu. Advanced LSTM: A Study about Better Time Dependency Modeling
        in Emotion Recognition. ICASSP 2018, the section on the advanced LSTM.
        https://arxiv.org/abs/1710.10197
    """

    def __init__(self, units, lags=(0, 2, 4), update_every=3, **kwargs):
        check_sizes("the width of the states", units=units)
        check_sizes(
            "the steps from one update to the next", update_every=update_every
        )
        _check_lags(lags)
        super().__init__(**kwargs)
        self.units = units
        self.lags = tuple(lags)
        self.update_every = update_every
        self.reach = max(self.lags)
        self.output_size = units
        self.state_size = [units, units]
        if self.reach:
            self.state_size += [self.reach * 2 * units, DIGITS]
        self.lstm = keras.layers.LSTMCell(
            units, dtype=self.dtype_policy, name="lstm"
        )

    def build(self, inputs_shape, states_shape=None):
        check_known_depth(self, inputs_shape=inputs_shape)
        self.lstm.build(inputs_shape)
        if len(self.lags) > 1:
            self.score_vector = self.add_weight(
                name="score_vector",
                shape=(self.units, 1),
                initializer="glorot_uniform",
            )

    def call(self, inputs, states, return_attention_scores=False):
        h, c, *older = states
        attended, remembered = [h, c], []
        weights = dict.fromkeys(("hidden", "cell"), ops.zeros_like(h[:, :1]))
        if older:
            past, steps = older
            count = count_of(steps)
            pairs = ops.concatenate([h, c, past], axis=-1)
            attended, weights = self._attend(pairs, h, c, count)
            remembered = [
                pairs[:, : past.shape[-1]],
                digits_of(count + 1, steps.dtype),
            ]
        output, states = self.lstm(inputs, attended)
        states = [*states, *remembered]
        if return_attention_scores:
            return output, states, weights
        return output, states

    def get_initial_state(self, batch_size=None):
        return [
            ops.zeros((batch_size, size), dtype=self.compute_dtype)
            for size in self.state_size
        ]

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "lags": self.lags,
            "update_every": self.update_every,
        }

    def _attend(self, pairs, h, c, count):
        pairs = ops.reshape(pairs, (-1, self.reach + 1, 2, self.units))
        # (B, h or c, lags, units)
        pairs = ops.stack([pairs[:, lag] for lag in self.lags], axis=2)
        due = ops.logical_and(count > 0, count % self.update_every == 0)
        exists = count > ops.convert_to_tensor([self.lags], dtype="int32")
        visible = ops.logical_and(due, exists)
        if len(self.lags) > 1:
            scores = ops.squeeze(ops.matmul(pairs, self.score_vector), axis=-1)
        else:
            scores = pairs[..., 0]  # of one, which has all of the weight
        weights = masked_softmax(scores, visible[:, None])
        read = ops.sum(weights[..., None] * pairs, axis=2)
        looks = ops.any(visible, axis=1, keepdims=True)
        attended = [
            ops.where(looks, read[:, 0], h),
            ops.where(looks, read[:, 1], c),
        ]
        return attended, {"hidden": weights[:, 0], "cell": weights[:, 1]}


def _check_lags(lags):
    if (
        not isinstance(lags, (list, tuple))
        or not lags
        or not all(isinstance(lag, int) and lag is not True for lag in lags)
        or any(lag is False or lag < 0 for lag in lags)
        or len(set(lags)) < len(lags)
    ):
        raise ValueError(
            "`lags` must be distinct integers of at least 0, how many steps "
            "before the last state lie those that are attended to, and one at "
            f"least. Received: lags={lags!r}"
        )
