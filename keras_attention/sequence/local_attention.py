"""Local attention of Luong et al. (2015): a window around a position."""

import keras
import numpy as np
from keras import ops

from keras_attention.arguments import (
    check_known_depth,
    check_share,
    check_sizes,
)
from keras_attention.functional import (
    as_floats,
    check_depth,
    check_query_call,
    combine_masks,
    masked_softmax,
    visible_pairs,
    window_mask,
)
from keras_attention.shapes import shapes_by_tracing

SCORES = ("dot", "general", "concat")

# What is faster was measured by `benchmarks/local_attention.py`: the product
# with all keys, masked, up to so many times those of a window; then a gather.
ALL, ALL_IN_TRAINING = 18, 34
# Queries in a block, at least; and from how many blocks on they pay.
LEAST_BLOCK, LEAST_BLOCKS = 32, 5


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class LocalAttention(keras.layers.Layer):
    """Each query looks at a window of keys, and reads no other.

    The window goes `window` positions to each side of a centre p, cut off at
    the ends of the sequence:

        monotonic    p[i] = positions[i]
        predictive   p[i] = length[i] * sigmoid(v_p . tanh(W_p query[i]))

        weights[i, j] = softmax over |j - floor(p[i])| <= window
                        of score(query[i], key[j])

    where `length[i]` is the number of keys that the query may see under all of
    the masks (so pad at the end). Where the centre is predicted, nearer keys
    count more, which is how it learns:

        weights[i, j] *= exp(-(j - p[i])^2 / (2 std^2)),   std = window / 2

    Time and memory grow as `Tq * window`: each block of queries is multiplied
    by the keys around it. Where the centres are data (`"predictive"`,
    `positions`), a length is unknown, the score is `"concat"` or there is an
    `attention_mask`, the keys of each window are gathered. Short sequences are
    multiplied whole and masked, which is faster. Beside that a full matrix is
    made only where the weights are asked for, and a boolean one where
    `"predictive"` is given a causal mask.

    Args:
        window: Positive integer, the positions on each side of the centre (10
            in the paper).
        mode: `"monotonic"` (local-m) or `"predictive"` (local-p).
        score: `"dot"`, `"general"` or `"concat"`, as in `LuongAttention`.
        units: Positive integer, the width of the network that predicts the
            centre; `None` is the size of the query. For `"predictive"` only.
        dropout: Float in [0, 1). Share of the weights dropped in training.
        seed: Integer or `None`. Seed of the dropout.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        query: `(B, Tq, Dq)`.
        value: `(B, Tk, Dv)`.
        key: `(B, Tk, Dk)`. Defaults to `value`.
        query_mask: Boolean `(B, Tq)`; where it is `False` the output is zero.
            Taken from `query` when it carries a Keras mask.
        value_mask: Boolean `(B, Tk)`, `True` where a key may be seen. Taken
            from `value` when it carries a Keras mask.
        key_mask: Boolean `(B, Tk)`, the same for `key`.
        attention_mask: Boolean `(Tq, Tk)` or `(B, Tq, Tk)`, which query may
            see which key. As every mask here, it may also hold 1 and 0.
        return_attention_scores: Boolean. Whether to return the weights too.
        training: Boolean. Whether to apply the dropout.
        use_causal_mask: Boolean. Whether a query sees no key that comes after
            it; the last query stands at the last key.
        positions: Integers `(B, Tq)`, the centres of `"monotonic"`, from 0;
            by default the places of the queries, 0 to Tq - 1. Give them where
            a decoder runs step by step, or where one sequence is longer.

    Returns:
        The context, `(B, Tq, Dv)`; with `return_attention_scores=True`
        `(context, weights)`, where weights is `(B, Tq, Tk)`, before dropout.
        Its rows sum to one, to at most one for `"predictive"`, and to zero
        where nothing in the window may be seen.

    Raises:
        ValueError: If a size is not positive, a name is unknown, `units` or
            `positions` is given where it is not used, query and key differ in
            size with `"dot"`, or a mask holds other than booleans, 1 and 0, or
            has another shape.

    Example:

    >>> import numpy as np
    >>> layer = LocalAttention(window=2, mode="predictive")
    >>> context, weights = layer(
    ...     np.ones((2, 3, 16)),
    ...     np.ones((2, 9, 8)),
    ...     return_attention_scores=True,
    ... )
    >>> tuple(context.shape), tuple(weights.shape)
    ((2, 3, 8), (2, 3, 9))

    Notation: `window` is D, `length` is S, query, key and weights are h_t, the
    source's h_s and a_t, the centre is p_t, std is sigma in the paper.

    Departures: none. As in the authors' code, the window is centred on floor(p)
    and the Gaussian on p itself, and the product is not renormalised.

    Reference:
        Luong, Pham, Manning. Effective Approaches to Attention-based Neural
        Machine Translation. EMNLP 2015, section 3.2, equations 9 and 10.
        https://arxiv.org/abs/1508.04025
    """

    def __init__(
        self,
        window,
        mode="monotonic",
        score="general",
        units=None,
        dropout=0.0,
        seed=None,
        **kwargs,
    ):
        check_sizes("the positions on each side of the centre", window=window)
        check_sizes("the network's width", optional=("units",), units=units)
        check_share("dropout", dropout, "a share that leaves something")
        if mode not in ("monotonic", "predictive"):
            raise ValueError(
                '`mode` must be "monotonic" or "predictive". '
                f"Received: mode={mode!r}"
            )
        if score not in SCORES:
            raise ValueError(
                f"`score` must be one of {SCORES}. Received: score={score!r}"
            )
        if units is not None and mode == "monotonic":
            raise ValueError(
                '`units` must be a positive integer, and is for "predictive", '
                "which has a network that predicts the centre. "
                f"Received: units={units}, mode={mode!r}"
            )
        super().__init__(**kwargs)
        self.window = window
        self.mode = mode
        self.score = score
        self.units = units
        self.dropout = dropout
        self.seed = seed
        self.supports_masking = True
        self.weights_dropout = keras.layers.Dropout(
            dropout, seed=seed, dtype=self.dtype_policy, name="dropout"
        )

    def build(self, query_shape, value_shape, key_shape=None):
        check_known_depth(
            self,
            query_shape=query_shape,
            value_shape=value_shape,
            key_shape=key_shape,
        )
        query_size, key_size = query_shape[-1], (key_shape or value_shape)[-1]
        self.query_size = query_size
        if self.score == "dot" and query_size != key_size:
            raise ValueError(
                "With the score 'dot', query and key must have the same size; "
                "use 'general'. "
                f"Received: query_shape={tuple(query_shape)}, "
                f"key_shape={tuple(key_shape or value_shape)}"
            )
        if self.score == "general":
            self.kernel = self.add_weight(
                name="kernel", shape=(query_size, key_size)
            )
        elif self.score == "concat":
            self.kernel = self.add_weight(
                name="kernel", shape=(query_size + key_size, query_size)
            )
            self.score_vector = self.add_weight(
                name="score_vector", shape=(query_size,)
            )
        if self.mode == "predictive":
            units = self.units or query_size
            self.position_kernel = self.add_weight(
                name="position_kernel", shape=(query_size, units)
            )
            self.position_vector = self.add_weight(
                name="position_vector", shape=(units,)
            )

    def call(
        self,
        query,
        value,
        key=None,
        query_mask=None,
        value_mask=None,
        key_mask=None,
        attention_mask=None,
        return_attention_scores=False,
        training=None,
        use_causal_mask=False,
        positions=None,
    ):
        key = value if key is None else key
        query, key, value = (
            as_floats(x, self.compute_dtype) for x in (query, key, value)
        )
        query_mask, value_mask, key_mask, attention_mask = check_query_call(
            query, value, key, query_mask, value_mask, key_mask, attention_mask
        )
        if self.score == "concat":
            check_depth(query, self.query_size)
        key_mask = combine_masks(value_mask, key_mask)

        centred = self.mode == "monotonic" and positions is None
        cuts = attention_mask is None and self._cuts(query, key)
        if centred and cuts:
            context, weights = self._of_blocks(
                *(query, value, key, query_mask, key_mask, use_causal_mask),
                training,
            )
            if not return_attention_scores:
                return context
            return context, self._rows(weights, query.shape[1], key.shape[1])

        lengths = None
        if self.mode == "predictive":
            lengths = _visible_keys(
                query, key, key_mask, attention_mask, use_causal_mask
            )
        centres = self._centres(query, lengths, positions)
        whole = ops.cast(ops.floor(centres), "int32")
        last = ops.shape(key)[1] - 1
        takes_all = self._takes_all(key, training)
        # `places`: the keys in each query's window, (B, Tq, 2 window + 1); or
        # all of them.
        if takes_all:
            places = ops.arange(last + 1, dtype="int32")[None, None]
            if centred and isinstance(query.shape[1], int):
                own = np.arange(query.shape[1])[:, None]
                seen = abs(np.arange(key.shape[1]) - own) <= self.window
                seen = seen[None]
            else:
                seen = window_mask(whole, last + 1, self.window)
        else:
            offsets = ops.arange(-self.window, self.window + 1, dtype="int32")
            places = ops.expand_dims(whole, axis=2) + offsets
            seen = ops.logical_and(places >= 0, places <= last)
        inside = ops.clip(places, 0, last)
        if use_causal_mask:
            seen = ops.logical_and(seen, places <= _own_places(query, key))
        if key_mask is not None:
            near = key_mask[:, None] if takes_all else _gather(key_mask, inside)
            seen = ops.logical_and(seen, near)
        if attention_mask is not None:
            allowed = attention_mask
            if not takes_all:
                allowed = ops.take_along_axis(allowed, inside, axis=2)
            seen = ops.logical_and(seen, allowed)
        if query_mask is not None:
            seen = ops.logical_and(seen, ops.expand_dims(query_mask, axis=2))

        if takes_all:
            scores = ops.einsum(
                "bqd,bkd->bqk", self._projected(query, key), key
            )
        else:
            scores = self._scores(query, key, inside)
        weights = masked_softmax(scores, seen)
        if self.mode == "predictive":
            distances = ops.cast(places, "float32") - ops.expand_dims(
                centres, axis=2
            )
            nearness = ops.exp(-2.0 * ops.square(distances / self.window))
            weights = weights * ops.cast(nearness, weights.dtype)
        kept = ops.cast(
            self.weights_dropout(weights, training=training), value.dtype
        )
        if takes_all:
            context = ops.matmul(kept, value)
            return (context, weights) if return_attention_scores else context
        context = ops.einsum("bqw,bqwd->bqd", kept, _gather(value, inside))
        if return_attention_scores:
            return context, _scattered(weights, whole, ops.shape(key)[1])
        return context

    def _cuts(self, query, key):
        """Whether the queries are cut into blocks."""
        lengths = query.shape[1], key.shape[1]
        return (
            self.score != "concat"
            and all(isinstance(length, int) for length in lengths)
            and min(lengths) >= LEAST_BLOCKS * self._block
        )

    def _takes_all(self, key, training):
        """Whether each query is multiplied by all keys."""
        times = ALL_IN_TRAINING if training is True else ALL
        length = key.shape[1]
        return (
            self.score != "concat"
            and isinstance(length, int)
            and length <= times * (2 * self.window + 1)
        )

    @property
    def _block(self):
        return max(2 * self.window, LEAST_BLOCK)

    def _of_blocks(
        self, query, value, key, query_mask, key_mask, use_causal_mask, training
    ):
        """The context, and the weights of each block."""
        length, keys, window = query.shape[1], key.shape[1], self.window
        block, width = self._block, self._block + 2 * window
        count = -(-length // block)
        # Of row r of block m, column c is key m * block + c - window.
        rows, columns = np.arange(block)[:, None], np.arange(width)
        inside = (columns >= rows) & (columns <= rows + 2 * window)
        if use_causal_mask:
            inside &= columns - window <= rows + keys - length
        starts = np.arange(count)[:, None, None] * block
        places = starts + columns - window
        seen = inside & (places >= 0) & (places < keys)
        seen |= starts + rows >= length  # no query: what it sees is cut off
        seen = seen[None]
        if key_mask is not None:
            near = _around_blocks(key_mask, block, count, window)
            seen = ops.logical_and(seen, near[:, :, None])
        if query_mask is not None:
            asks = _blocks(query_mask, block, count)
            seen = ops.logical_and(seen, asks[..., None])

        query = _blocks(self._projected(query, key), block, count)
        around = _around_blocks(key, block, count, window)
        scores = ops.einsum("bnqd,bnkd->bnqk", query, around)
        weights = masked_softmax(scores, seen)
        kept = self.weights_dropout(weights, training=training)
        if value is not key:
            around = _around_blocks(value, block, count, window)
        context = ops.matmul(ops.cast(kept, value.dtype), around)
        context = ops.reshape(context, (-1, count * block, value.shape[2]))
        return _first(context, length), weights

    def _rows(self, weights, length, keys):
        """The weights of blocks as rows over all keys, `(B, Tq, Tk)`."""
        window, block = self.window, self._block
        columns = np.arange(block)[:, None] + np.arange(2 * window + 1)
        weights = ops.take_along_axis(
            weights, ops.convert_to_tensor(columns[None, None]), axis=3
        )
        weights = ops.reshape(
            weights, (-1, weights.shape[1] * block, 2 * window + 1)
        )
        centres = ops.arange(length, dtype="int32")[None]
        return _scattered(weights[:, :length], centres, keys)

    def _centres(self, query, lengths, positions):
        """Where each query looks, float32 `(B, Tq)`."""
        if self.mode == "monotonic":
            if positions is None:
                positions = ops.arange(ops.shape(query)[1], dtype="int32")[None]
            return ops.broadcast_to(
                ops.cast(positions, "float32"), ops.shape(query)[:2]
            )
        if positions is not None:
            raise ValueError(
                '`positions` are for mode="monotonic"; "predictive" makes its '
                f"own. Received: positions of shape {tuple(positions.shape)}"
            )
        hidden = ops.tanh(ops.matmul(query, self.position_kernel))
        share = ops.sigmoid(
            ops.cast(ops.matmul(hidden, self.position_vector), "float32")
        )
        return share * ops.cast(lengths, "float32")

    def _scores(self, query, key, places):
        """`(B, Tq, 2 window + 1)`."""
        if self.score == "concat":
            size = query.shape[-1]
            key = ops.matmul(key, self.kernel[size:])
            query = ops.matmul(query, self.kernel[:size])
            hidden = ops.tanh(
                ops.expand_dims(query, axis=2) + _gather(key, places)
            )
            return ops.matmul(hidden, self.score_vector)
        return ops.einsum(
            "bqd,bqwd->bqw", self._projected(query, key), _gather(key, places)
        )

    def _projected(self, query, key):
        """What is multiplied by the keys, `(B, Tq, Dk)`."""
        if self.score == "dot":
            return query
        # PyTorch multiplies float64 in float32, and mixes none.
        return ops.cast(ops.matmul(query, self.kernel), key.dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "window": self.window,
            "mode": self.mode,
            "score": self.score,
            "units": self.units,
            "dropout": self.dropout,
            "seed": self.seed,
        }


def _visible_keys(query, key, key_mask, attention_mask, use_causal_mask):
    """How many keys each query may see; broadcastable to `(B, Tq)`."""
    pairs = visible_pairs(
        query,
        key,
        key_mask=key_mask,
        attention_mask=attention_mask,
        use_causal_mask=use_causal_mask,
    )
    if pairs is None:
        return ops.shape(key)[1]
    return ops.sum(ops.cast(pairs, "int32"), axis=-1)


def _own_places(query, key):
    """The key at which each query stands, the last at the last, (Tq, 1)."""
    queries, keys = ops.shape(query)[1], ops.shape(key)[1]
    return (ops.arange(queries, dtype="int32") + (keys - queries))[:, None]


def _blocks(sequence, block, count, before=0):
    """`(B, T, ...)` to `(B, count, block, ...)`, zeros at the ends."""
    sequence = _first(sequence, count * block - before)
    behind = count * block - before - sequence.shape[1]
    if before or behind:
        rest = [(0, 0)] * (len(sequence.shape) - 2)
        sequence = ops.pad(sequence, [(0, 0), (before, behind), *rest])
    return ops.reshape(sequence, (-1, count, block, *sequence.shape[2:]))


def _around_blocks(sequence, block, count, window):
    """Each block and `window` more on either side, zeros beyond the ends.

    Returns:
        `(B, count, block + 2 * window, ...)`; `2 * window` is at most `block`.
    """
    blocks = _blocks(sequence, block, count + 1, before=window)
    then = ops.split(blocks, [1], axis=1)[1]
    return ops.concatenate(
        [_first(blocks, count), _first(then, 2 * window, axis=2)], axis=2
    )


def _first(sequence, count, axis=1):
    """The first `count` of an axis, or all if there are no more.

    A slice would do; but TensorFlow takes ten times as long for its gradient.
    """
    if sequence.shape[axis] <= count:
        return sequence
    return ops.split(sequence, [count], axis=axis)[0]


def _gather(sequence, places):
    """`sequence[b, places[b, i, w]]`: `(B, Tk, ...)` to `(B, Tq, W, ...)`."""
    batch, length = ops.shape(sequence)[:2]
    flat = ops.reshape(sequence, (batch * length, *sequence.shape[2:]))
    starts = ops.reshape(ops.arange(batch, dtype="int32") * length, (-1, 1, 1))
    return ops.take(flat, places + ops.cast(starts, places.dtype), axis=0)


def _scattered(weights, centres, length):
    """The weights of windows as rows over all keys, `(B, Tq, length)`."""
    window = weights.shape[2] // 2
    start = ops.expand_dims(centres, axis=2) - window
    column = ops.arange(length, dtype="int32") - start
    inside = ops.logical_and(column >= 0, column <= 2 * window)
    rows = ops.take_along_axis(weights, ops.clip(column, 0, 2 * window), axis=2)
    return ops.where(inside, rows, ops.zeros_like(rows))
