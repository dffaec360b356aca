"""Pervasive attention of Elbayad et al. (2018): convolutions over a grid."""

import keras
from keras import ops

from keras_attention.arguments import (
    check_known_depth,
    check_share,
    check_sizes,
)
from keras_attention.functional import (
    check_query_call,
    combine_masks,
    hide,
    masked_softmax,
)
from keras_attention.functional.weights import LOWEST
from keras_attention.shapes import shapes_by_tracing

AGGREGATORS = ("max", "mean", "attention")


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class PervasiveAttention(keras.layers.Layer):
    """Reads a grid of all pairs of a target's and a source's words.

    Each cell holds the two words side by side. Convolutions over the grid read
    the source anew by what was said so far, in every layer; in the end each row
    is made one vector:

        H[0][i, j] = [query[i]; value[j]]
        h[l] = conv(relu(norm(relu(norm(H[l - 1])) A[l])))
        H[l] = [H[l - 1]; dropout(h[l])]
        F = relu(norm(relu(H[L]) B))
        output[i] = aggregate over j of F[i, j]

    `conv` reads cells up to `kernel_size // 2` columns to either side, and as
    many rows above, none below: no output knows of a later query, so the
    queries of a translator are the words that came before each (the target,
    shifted). `A[l]` has `bottleneck * growth_rate` columns, `h[l]`
    `growth_rate` channels, and `B` halves the channels.

    At inference a row can be computed when its query becomes known, from a
    state of what each convolution still reads of the rows above it: `begin`
    makes the first state, `step` takes the next row.

    Over the columns that may be seen, `"max"` takes the greatest of each
    channel; `"mean"` the mean, times the root of their number;
    `"attention"` the sum weighted by a softmax over j of `F[i, j] . w + b`, and
    the greatest beside it.

    Args:
        num_layers: Positive integer, L. How many convolutions.
        growth_rate: Positive integer. Channels that each one adds.
        kernel_size: Odd integer of at least 3. Columns of each convolution;
            it has `kernel_size // 2 + 1` rows.
        bottleneck: Positive integer. How many times `growth_rate` each one
            reads.
        aggregator: `"max"`, `"mean"` or `"attention"`.
        dropout: Float in [0, 1). Share of what a convolution adds that is
            dropped in training.
        norm_momentum: Float in [0, 1). Share of the old moving averages that
            the normalisations keep at each step.
        seed: Integer or `None`. Seed of the dropout.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        query: The target, `(B, Tq, Dq)`.
        value: The source, `(B, Tk, Dv)`.
        query_mask: Boolean `(B, Tq)`, `True` where a position may be seen.
            Taken from `query` when it carries a Keras mask.
        value_mask: Boolean `(B, Tk)`. Taken from `value` likewise.
        return_attention_scores: Boolean. Whether to return how much each row
            took of each column.
        training: Boolean. Whether the normalisations use the batch, and what
            is added is dropped.

    Returns:
        `(B, Tq, channels)`, zeros where the query is hidden or sees nothing;
        `channels` is `(Dq + Dv + num_layers * growth_rate) // 2`, twice that
        with `"attention"`. With `return_attention_scores=True` a pair with the
        weights, `(B, Tq, Tk)`, in [0, 1]: of `"attention"` the softmax, of
        `"mean"` equal shares, and of `"max"` the share that a column has of the
        sum of all greatest values. They sum to one, or to zero where nothing
        was taken.

    Raises:
        ValueError: If a size is not positive, `kernel_size` is even or below 3,
            `aggregator` is unknown, `dropout` or `norm_momentum` is outside of
            [0, 1), or the inputs are no two sequences with masks that fit.

    Example:

    >>> import numpy as np
    >>> target, source = np.ones((2, 5, 8)), np.ones((2, 7, 6))
    >>> layer = PervasiveAttention(num_layers=3, growth_rate=4)
    >>> output, weights = layer(target, source, return_attention_scores=True)
    >>> tuple(output.shape), tuple(weights.shape)
    ((2, 5, 13), (2, 5, 7))
    >>> state = layer.begin(source)
    >>> row, weights, state = layer.step(target[:, :1], state, source)
    >>> tuple(row.shape), tuple(weights.shape)
    ((2, 1, 13), (2, 1, 7))
    >>> bool(ops.max(ops.abs(row - output[:, :1])) < 1e-5)
    True

    Notation: query is the target t, value the source s, `growth_rate` is g,
    `kernel_size` is k.

    Departures: what is hidden is zero in every layer, has no part in the
    normalisations and wins no maximum, where the authors' code leaves padding
    in. The weighted sum of `"attention"` is not scaled by the length of the
    source, which their code does. In training the normalisations use the whole
    batch, so there a row knows of later ones by their mean and variance, as
    with the authors. The kernels have no rows below the centre, where theirs
    are multiplied by zero; they begin by He's rule for the numbers that they
    read, and there are no biases, which the authors' code has by default.

    Reference:
        Elbayad, Besacier, Verbeek. Pervasive Attention: 2D Convolutional
        Neural Networks for Sequence-to-Sequence Prediction. CoNLL 2018,
        sections 3.1 and 3.2. https://arxiv.org/abs/1808.03867
    """

    def __init__(
        self,
        num_layers=24,
        growth_rate=32,
        kernel_size=3,
        bottleneck=4,
        aggregator="max",
        dropout=0.0,
        norm_momentum=0.9,
        seed=None,
        **kwargs,
    ):
        check_sizes(
            "sizes of the network",
            num_layers=num_layers,
            growth_rate=growth_rate,
            kernel_size=kernel_size,
            bottleneck=bottleneck,
        )
        if kernel_size < 3 or kernel_size % 2 == 0:
            raise ValueError(
                "`kernel_size` must be odd and at least 3: a convolution reads "
                "as far to the left as to the right, and the row above. "
                f"Received: kernel_size={kernel_size}"
            )
        if aggregator not in AGGREGATORS:
            raise ValueError(
                f"`aggregator` must be one of {AGGREGATORS}. "
                f"Received: aggregator={aggregator!r}"
            )
        check_share("dropout", dropout, "the share of what is added")
        check_share(
            "norm_momentum",
            norm_momentum,
            "the share of the old moving average that is kept",
        )
        super().__init__(**kwargs)
        self.num_layers = num_layers
        self.growth_rate = growth_rate
        self.kernel_size = kernel_size
        self.bottleneck = bottleneck
        self.aggregator = aggregator
        self.dropout = dropout
        self.norm_momentum = norm_momentum
        self.seed = seed
        self.supports_masking = True

        self.norms = [
            [self._norm(f"norm_{place}_{name}") for name in ("wide", "narrow")]
            for place in range(num_layers)
        ]
        self.last_norm = self._norm("norm_last")
        self.added_dropout = keras.layers.Dropout(
            dropout, seed=seed, dtype=self.dtype_policy, name="dropout"
        )

    def build(self, query_shape, value_shape):
        check_known_depth(
            self, query_shape=query_shape, value_shape=value_shape
        )
        channels = query_shape[-1] + value_shape[-1]
        grid = (None, None, None)
        narrow = self.bottleneck * self.growth_rate
        columns = self.kernel_size
        rows = columns // 2 + 1
        self.reductions, self.convolutions = [], []
        for place in range(self.num_layers):
            self.reductions.append(
                self.add_weight(
                    name=f"reduction_{place}",
                    shape=(channels, narrow),
                    initializer="he_normal",
                )
            )
            self.convolutions.append(
                self.add_weight(
                    name=f"convolution_{place}",
                    shape=(rows, columns, narrow, self.growth_rate),
                    initializer="he_normal",
                )
            )
            wide_norm, narrow_norm = self.norms[place]
            wide_norm.build((*grid, channels))
            narrow_norm.build((*grid, narrow))
            channels += self.growth_rate
        self.transition = self.add_weight(
            name="transition",
            shape=(channels, channels // 2),
            initializer="he_normal",
        )
        self.last_norm.build((*grid, channels // 2))
        if self.aggregator == "attention":
            self.score_vector = self.add_weight(
                name="score_vector", shape=(channels // 2,)
            )
            self.score_bias = self.add_weight(
                name="score_bias", shape=(), initializer="zeros"
            )

    def call(
        self,
        query,
        value,
        query_mask=None,
        value_mask=None,
        return_attention_scores=False,
        training=None,
    ):
        output, weights, _ = self._read(
            query, value, query_mask, value_mask, training=training
        )
        return (output, weights) if return_attention_scores else output

    def begin(self, value):
        """The state before the first row.

        Args:
            value: The source, `(B, Tk, Dv)`.

        Returns:
            Zeros in the compute dtype, `(B, num_layers, kernel_size // 2, Tk,
            bottleneck * growth_rate)`: what each convolution reads of the rows
            above, of which there are none yet.

        Raises:
            ValueError: If the layer is not built.
        """
        self._check_built()
        batch, columns = ops.shape(value)[:2]
        return ops.zeros(
            (batch, *self._state_sizes(columns)), dtype=self.compute_dtype
        )

    def step(self, query, state, value, query_mask=None, value_mask=None):
        """The next row, or rows, without those before computed again.

        All rows of a target, step by step, are those that a call returns at
        inference. The normalisations use their moving averages, and nothing is
        dropped. It can run inside `keras.ops.while_loop` and
        `keras.ops.scan`.

        Args:
            query: The next rows of the target, `(B, n, Dq)`.
            state: From `begin`, or from the step before.
            value: The source, `(B, Tk, Dv)`, the same in every step.
            query_mask: Boolean `(B, n)`, `True` where a row may be seen; or
                `None`.
            value_mask: Boolean `(B, Tk)`, `True` where a column may be seen; or
                `None`. The same in every step.

        Returns:
            `(output, weights, state)`: `(B, n, channels)` and `(B, n, Tk)` as a
            call returns them, and a state of the same shape and dtype.

        Raises:
            ValueError: If the layer is not built, or shapes or masks do not
                fit.
        """
        self._check_built()
        wanted = self._state_sizes(value.shape[1])
        if _differ(state.shape[1:], wanted):
            raise ValueError(
                "`state` must be what `begin` or the last step returned for "
                f"the same `value`, of shape {(value.shape[0], *wanted)}. "
                f"Received: state of shape {tuple(state.shape)}"
            )
        return self._read(query, value, query_mask, value_mask, state)

    def _read(
        self, query, value, query_mask, value_mask, state=None, training=False
    ):
        """Output, weights, and the state behind the last row, if any went in.

        Without a state the queries are the first ones.
        """
        query, value = (ops.cast(x, self.compute_dtype) for x in (query, value))
        query_mask, value_mask, _, _ = check_query_call(
            query, value, value, query_mask, value_mask
        )
        grid, cells = _pairs(query, value, query_mask, value_mask)
        reach, states = self.kernel_size // 2, []
        for place, norms in enumerate(self.norms):
            read = ops.relu(norms[0](grid, training=training, mask=cells))
            read = ops.matmul(read, self._weight(self.reductions[place]))
            read = ops.relu(norms[1](read, training=training, mask=cells))
            if cells is not None:
                read = hide(read, cells[..., None])
            missing = reach  # rows above, which are zeros
            if state is not None:
                read = ops.concatenate([state[:, place], read], axis=1)
                states.append(read[:, -reach:])
                missing = 0
            added = self._convolved(read, self.convolutions[place], missing)
            added = self.added_dropout(added, training=training)
            grid = ops.concatenate([grid, added], axis=-1)

        grid = ops.matmul(ops.relu(grid), self._weight(self.transition))
        grid = ops.relu(self.last_norm(grid, training=training, mask=cells))
        output, weights = self._aggregated(grid, value_mask)
        if query_mask is not None:
            asks = query_mask[..., None]
            output, weights = hide(output, asks), hide(weights, asks)
        if state is not None:
            # As exactly known as before, which a loop's state must be.
            state = ops.reshape(ops.stack(states, axis=1), ops.shape(state))
        return output, weights, state

    def _aggregated(self, grid, value_mask):
        """`(B, Tq, channels)` and the share of each column."""
        seen = None
        if value_mask is not None:
            seen = value_mask[:, None]
        if self.aggregator == "mean":
            weights = masked_softmax(ops.zeros_like(grid[..., 0]), seen)
            count = ops.sum(ops.cast(weights > 0, "float32"), axis=-1)
            root = ops.cast(ops.sqrt(count), grid.dtype)[..., None]
            return _weighted(weights, grid) * root, weights

        greatest, shares = _greatest(grid, seen)
        if self.aggregator == "max":
            return greatest, shares
        scores = ops.matmul(grid, self._weight(self.score_vector))
        scores = scores + self._weight(self.score_bias)
        weights = masked_softmax(scores, seen)
        both = [greatest, _weighted(weights, grid)]
        return ops.concatenate(both, axis=-1), weights

    def _convolved(self, grid, kernel, missing):
        """What each cell reads of itself, its sides and the rows above.

        The first rows of the grid lack so many rows above them.
        """
        reach = self.kernel_size // 2
        sides = [(0, 0), (missing, 0), (reach, reach), (0, 0)]
        return ops.conv(
            ops.pad(grid, sides),
            self._weight(kernel),
            padding="valid",
            data_format="channels_last",
        )

    def _weight(self, variable):
        """In the compute dtype: in a step Keras casts no variable."""
        return ops.cast(variable, self.compute_dtype)

    def _state_sizes(self, columns):
        """The shape of a state behind its batch."""
        narrow = self.bottleneck * self.growth_rate
        return self.num_layers, self.kernel_size // 2, columns, narrow

    def _check_built(self):
        if not self.built:
            raise ValueError(
                "The layer must be built before one of its steps is taken, by "
                "a call or by `build`. Received: built=False"
            )

    def _norm(self, name):
        return keras.layers.BatchNormalization(
            momentum=self.norm_momentum,
            epsilon=1e-5,
            dtype=self.dtype_policy,
            name=name,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "growth_rate": self.growth_rate,
            "kernel_size": self.kernel_size,
            "bottleneck": self.bottleneck,
            "aggregator": self.aggregator,
            "dropout": self.dropout,
            "norm_momentum": self.norm_momentum,
            "seed": self.seed,
        }


def _pairs(query, value, query_mask, value_mask):
    """The grid of pairs, zeros where hidden, and which of its cells are not.

    `(B, Tq, Tk, Dq + Dv)`, and boolean `(B, Tq, Tk)` or `None` for all.
    """
    if query_mask is not None:
        query = hide(query, query_mask[..., None])
    if value_mask is not None:
        value = hide(value, value_mask[..., None])
    batch, rows = ops.shape(query)[:2]
    sides = (batch, rows, ops.shape(value)[1])
    pair = [
        ops.broadcast_to(query[:, :, None], (*sides, query.shape[2])),
        ops.broadcast_to(value[:, None], (*sides, value.shape[2])),
    ]
    cells = combine_masks(
        None if query_mask is None else query_mask[:, :, None],
        None if value_mask is None else value_mask[:, None],
    )
    if cells is not None:
        cells = ops.broadcast_to(cells, sides)
    return ops.concatenate(pair, axis=-1), cells


def _differ(shape, other):
    """Whether two shapes differ, as far as they are known."""
    return len(shape) != len(other) or any(
        isinstance(x, int) and isinstance(y, int) and x != y
        for x, y in zip(shape, other)
    )


def _greatest(grid, seen):
    """The greatest of each channel, and the share of each column in them.

    By its place, not by `ops.max`: JAX looks for what equals the maximum to
    pass the gradient on, and a cell that was computed twice may not.
    """
    values = ops.transpose(ops.cast(grid, "float32"), (0, 1, 3, 2))
    if seen is not None:
        values = ops.where(seen[:, :, None], values, LOWEST)
    greatest, first = ops.top_k(values, 1)
    if seen is not None:
        some = ops.any(seen, axis=-1)[..., None, None]
        greatest = ops.where(some, greatest, 0.0)
    taken = greatest * ops.one_hot(
        first[..., 0], ops.shape(values)[3], dtype="float32"
    )
    shares = ops.sum(taken, axis=2)
    total = ops.sum(shares, axis=-1, keepdims=True)
    shares = shares / ops.where(total > 0, total, 1.0)
    return ops.cast(greatest[..., 0], grid.dtype), ops.cast(shares, grid.dtype)


def _weighted(weights, grid):
    """`sum_j weights[i, j] * grid[i, j]`."""
    return ops.sum(ops.cast(weights, grid.dtype)[..., None] * grid, axis=2)
