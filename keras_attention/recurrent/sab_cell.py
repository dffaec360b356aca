"""Sparse attentive backtracking of Ke et al. (2018): an LSTM with a memory."""

import keras
from keras import ops

from keras_attention.arguments import check_known_depth, check_sizes
from keras_attention.functional import additive_scores, sparse_top_k
from keras_attention.recurrent.counting import DIGITS, count_of, digits_of
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class SABCell(keras.layers.Layer):
    """LSTM cell that recalls a few of its own past states.

    To be run by `keras.layers.RNN`. Every `attend_every` steps the state is
    stored in a memory. Each step scores all memories and adds the `top_k` best
    to what the LSTM computed:

        h'[t], c[t] = LSTM(inputs[t], h[t - 1], c[t - 1])
        scores[i] = v . tanh(W h'[t] + U memory[i])
        weights = sparse_top_k(scores)
        summary[t] = sum_i weights[i] * memory[i]
        h[t] = h'[t] + summary[t]

    `sparse_top_k` subtracts the score after the `top_k` best ones, drops what
    is negative and divides by the sum (`keras_attention.functional`).

    In training the gradient goes back through time within blocks of `truncate`
    steps, and from every step to the memories that it recalls, however old;
    from there again to the start of the memory's block, and to what that block
    recalled. A memory whose weight is zero gets no gradient. So long
    dependencies are learned at the price of short backpropagation through time.

    Args:
        units: Positive integer. Width of the states, of the memories and of
            the scoring network.
        top_k: Positive integer. How many memories a step recalls. While there
            are no more than that, it recalls all, weighed by a softmax.
        attend_every: Positive integer. The state is stored after so many steps.
        truncate: Positive integer, the steps of a block: the gradient through
            time is cut before the steps `truncate`, `2 * truncate` and so on.
            `None` never cuts it.
        max_memories: Positive integer, how many states are kept. To keep all
            of a sequence of T steps, `T // attend_every`. When the memory is
            full, the oldest is overwritten.
        include_summary: Boolean. Whether the output is `[h; summary]`, which
            the paper's output layer reads, and not `h` alone.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: One step, `(B, D)`.
        states: List of the states before it: the last output; `c`, `(B,
            units)`; the memories and their projections by `U`, `(B,
            max_memories * 2 * units)`; and the number of steps so far, `(B,
            3)`. All zero at the start, as `get_initial_state(batch_size)`
            makes them.
        return_attention_scores: Boolean. Whether to return the weights too.

    Returns:
        Pair of the output, `(B, units)`, or `(B, 2 * units)` with
        `include_summary=True`, and the list of new states. With
        `return_attention_scores=True` the weights come third, `(B,
        max_memories)`. Column i is the memory of step `(i + 1) * attend_every -
        1`, counted from 0, and once the memory is full that of the later step
        that overwrote it. The weights sum to one; to zero where there is no
        memory yet, or the best `top_k + 1` scores are equal. `attention_maps`
        collects them for all steps of a `keras.layers.RNN`.

    Raises:
        ValueError: If a size is not positive.

    Example:

    >>> import numpy as np
    >>> cell = SABCell(
    ...     units=8, top_k=3, attend_every=2, truncate=5, max_memories=10
    ... )
    >>> layer = keras.layers.RNN(cell, return_sequences=True)
    >>> tuple(layer(np.ones((2, 20, 4), "float32")).shape)
    (2, 20, 8)
    >>> states = cell.get_initial_state(batch_size=2)
    >>> output, states, weights = cell(
    ...     np.ones((2, 4), "float32"), states, return_attention_scores=True
    ... )
    >>> tuple(output.shape), tuple(weights.shape)
    ((2, 8), (2, 10))

    Notation: `top_k` is k_top, `attend_every` is k_att, `truncate` is k_trunc,
    `h'` is h with a hat, `summary` is s, `W`, `U` and `v` are W1, W2 and w3 in
    the paper.

    Departures: exactly `top_k` memories survive, as in the paper; in the
    authors' code one less do. While there are no more than `top_k` memories
    there is no score to subtract: the softmax is our choice, where their code
    takes the raw scores. The scoring network has a hidden layer, as in the
    paper; without it, as in their code, the choice of memories would not
    depend on the step that asks. The memory starts empty, where their code
    starts it with a state of zeros. Blocks are cut at fixed steps, as in their
    code, not `truncate` steps before each loss. The threshold of
    `sparse_top_k` passes no gradient. A bound on the memory is ours.

    Reference:
        Ke, Goyal, Bilaniuk, Binas, Mozer, Pal, Bengio. Sparse Attentive
        Backtracking: Temporal Credit Assignment Through Reminding. NeurIPS
        2018, the section on the method. https://arxiv.org/abs/1809.03702
    """

    def __init__(
        self,
        units,
        top_k,
        attend_every,
        truncate,
        max_memories,
        include_summary=False,
        **kwargs,
    ):
        check_sizes(
            "the width of the states, the memories that are recalled, the "
            "steps from one memory to the next, those of a block, and the "
            "memories that are kept",
            optional=("truncate",),
            units=units,
            top_k=top_k,
            attend_every=attend_every,
            truncate=truncate,
            max_memories=max_memories,
        )
        super().__init__(**kwargs)
        self.units = units
        self.top_k = top_k
        self.attend_every = attend_every
        self.truncate = truncate
        self.max_memories = max_memories
        self.include_summary = include_summary
        self.output_size = 2 * units if include_summary else units
        self.state_size = [
            self.output_size,  # on JAX, RNN takes it for the last output
            units,
            max_memories * 2 * units,
            DIGITS,
        ]
        self.lstm = keras.layers.LSTMCell(
            units, dtype=self.dtype_policy, name="lstm"
        )
        self.query_projection = keras.layers.Dense(
            units, use_bias=False, dtype=self.dtype_policy, name="query"
        )
        self.key_projection = keras.layers.Dense(
            units, use_bias=False, dtype=self.dtype_policy, name="key"
        )

    def build(self, inputs_shape, states_shape=None):
        check_known_depth(self, inputs_shape=inputs_shape)
        self.lstm.build(inputs_shape)
        self.query_projection.build((None, self.units))
        self.key_projection.build((None, self.units))
        self.score_vector = self.add_weight(
            name="score_vector", shape=(self.units,)
        )

    def call(self, inputs, states, return_attention_scores=False):
        output, c, memory, steps = states
        h = output[:, : self.units]
        count = count_of(steps)
        if self.truncate is not None:
            cut = ops.logical_and(count > 0, count % self.truncate == 0)
            h = ops.where(cut, ops.stop_gradient(h), h)
            c = ops.where(cut, ops.stop_gradient(c), c)
        h, (_, c) = self.lstm(inputs, [h, c])

        size = memory.shape[-1]
        # What was stored beside its projection, which is computed once.
        memory = ops.reshape(memory, (-1, self.max_memories, 2 * self.units))
        weights = self._weigh(h, memory[:, :, self.units :], count)
        summary = ops.squeeze(
            ops.matmul(weights[:, None], memory[:, :, : self.units]), axis=1
        )
        h = h + summary

        stored = ops.concatenate([h, self.key_projection(h)], axis=-1)
        here = self._place(count)[:, :, None]
        memory = ops.where(here, stored[:, None], memory)
        output = h
        if self.include_summary:
            output = ops.concatenate([h, summary], axis=-1)
        states = [
            output,
            c,
            ops.reshape(memory, (-1, size)),
            digits_of(count + 1, steps.dtype),
        ]
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
            "top_k": self.top_k,
            "attend_every": self.attend_every,
            "truncate": self.truncate,
            "max_memories": self.max_memories,
            "include_summary": self.include_summary,
        }

    def _weigh(self, h, keys, count):
        """The weights of the memories that there are, `(B, max_memories)`."""
        exists = self._places() < count // self.attend_every
        query = ops.expand_dims(self.query_projection(h), axis=1)
        scores = additive_scores(query, keys, self.score_vector)
        return sparse_top_k(ops.squeeze(scores, axis=1), self.top_k, exists)

    def _place(self, count):
        """Where the state of this step is stored, `(B, max_memories)`."""
        due = (count + 1) % self.attend_every == 0
        place = count // self.attend_every % self.max_memories
        return ops.logical_and(due, self._places() == place)

    def _places(self):
        return ops.expand_dims(ops.arange(self.max_memories, dtype="int32"), 0)
