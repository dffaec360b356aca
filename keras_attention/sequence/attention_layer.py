"""Global attention with the score chosen by name."""

import keras
from keras import ops

from keras_attention.arguments import (
    check_known_depth,
    check_share,
    check_sizes,
)
from keras_attention.functional import (
    additive_attention,
    additive_scores,
    check_depth,
    concat_projections,
    default_block_size,
    dot_scores,
    general_scores,
    location_scores,
    masked_softmax,
    minus_projections,
    scaled_dot_scores,
    visible_pairs,
    weighted_sum,
)
from keras_attention.shapes import shapes_by_tracing, traced_spec

HIDDEN = ("additive", "concat", "minus")  # scored by a hidden layer
SCORES = (*HIDDEN, "dot", "general", "location", "scaled_dot")


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class AttentionLayer(keras.layers.Layer):
    """Attention over a whole sequence, with the score chosen by name.

        weights[i, :] = softmax over j of score(query[i], key[j])
        context[i] = sum_j weights[i, j] * value[j]

    | score | equation | sizes |
    |---|---|---|
    | `"dot"` | query[i] . key[j] | Dq = Dk |
    | `"scaled_dot"` | query[i] . key[j] / sqrt(Dk) | Dq = Dk |
    | `"general"` | query[i] . W key[j] | any |
    | `"additive"` | v . tanh(W query[i] + U key[j]) | any |
    | `"concat"` | v . tanh(W [query[i]; key[j]]) | any |
    | `"minus"` | v . tanh(W (query[i] - key[j])) | Dq = Dk |
    | `"location"` | (W query[i])[j] | at most `max_length` keys |

    `"concat"` is `"additive"` with both matrices in one. For several heads see
    `MultiHeadAttention`, for a window `LocalAttention`.

    Args:
        score: A name of the table.
        units: Positive integer, the width of the hidden layer; for
            `"additive"`, `"concat"` and `"minus"`, which need it, only.
        max_length: Positive integer, the longest sequence of keys; for
            `"location"`, which needs it, only.
        use_bias: Boolean. Whether to add a bias inside the tanh, or to each
            place of `"location"`; for the scores named so far only.
        dropout: Float in [0, 1). Share of the weights dropped in training.
        block_size: Positive integer, the queries taken at once; `None` takes
            as many as are cheap. For the scores with `units` only: where no
            weights are asked for, memory grows as `block_size * Tk * units`
            instead of `Tq * Tk * units`, in the backward pass too.
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

    Returns:
        The context, `(B, Tq, Dv)`; with `return_attention_scores=True`
        `(context, weights)`, where weights is `(B, Tq, Tk)`, before dropout,
        and its rows sum to one, to zero where nothing may be seen.

    Raises:
        ValueError: If the score is unknown, an argument that it needs is
            missing or one that it does not use is given, sizes do not fit,
            there are more keys than `max_length`, as far as that is known
            before the layer runs, or a mask holds other than booleans, 1 and 0,
            or has another shape.

    Example:

    >>> import numpy as np
    >>> layer = AttentionLayer(score="general")
    >>> context, weights = layer(
    ...     np.ones((2, 3, 16)),
    ...     np.ones((2, 5, 8)),
    ...     return_attention_scores=True,
    ... )
    >>> tuple(context.shape), tuple(weights.shape)
    ((2, 3, 8), (2, 3, 5))

    Notation: of each paper: `units` is n' in Bahdanau et al.; query, key and
    weights are h_t, the source's h_s and a_t in Luong et al., Q, K and the
    softmax in Vaswani et al., h_p, h_q and a in Tan et al.

    Departures: a query that may see nothing has zero weights and a zero
    context, where Keras's `Attention` gives a mean or NaN; a causal mask is
    aligned to the end.

    Reference:
        Bahdanau, Cho, Bengio. ICLR 2015, appendix A.1.2 (additive).
        https://arxiv.org/abs/1409.0473
        Luong, Pham, Manning. EMNLP 2015, section 3.1 (dot, general, concat,
        location). https://arxiv.org/abs/1508.04025
        Vaswani et al. NeurIPS 2017, equation 1 (scaled_dot).
        https://arxiv.org/abs/1706.03762
        Tan, Wei, Wang, Lv, Zhou. IJCAI 2018, section 3.2 (minus).
        https://doi.org/10.24963/ijcai.2018/613
    """

    def __init__(
        self,
        score="scaled_dot",
        units=None,
        max_length=None,
        use_bias=False,
        dropout=0.0,
        block_size=None,
        seed=None,
        **kwargs,
    ):
        if score not in SCORES:
            raise ValueError(
                f"`score` must be one of {sorted(SCORES)}. "
                f"Received: score={score!r}"
            )
        _check_size("units", units, score, score in HIDDEN)
        _check_size("max_length", max_length, score, score == "location")
        if use_bias and score not in (*HIDDEN, "location"):
            raise ValueError(
                "`use_bias` is for scores with a layer to add it in, "
                f"{sorted((*HIDDEN, 'location'))}. "
                f"Received: use_bias={use_bias}, score={score!r}"
            )
        if block_size is not None:
            _check_size("block_size", block_size, score, score in HIDDEN)
        check_share("dropout", dropout, "a share that leaves something")
        super().__init__(**kwargs)
        self.score = score
        self.units = units
        self.max_length = max_length
        self.use_bias = use_bias
        self.dropout = dropout
        self.block_size = block_size
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
        if self.score in ("dot", "scaled_dot", "minus"):
            if query_size != key_size:
                raise ValueError(
                    f"With the score {self.score!r}, query and key must have "
                    "the same size; project one of them, or use another score. "
                    f"Received: query_shape={tuple(query_shape)}, "
                    f"key_shape={tuple(key_shape or value_shape)}"
                )
        if self.score == "additive":
            self.query_kernel = self._kernel("query_kernel", query_size)
            self.key_kernel = self._kernel("key_kernel", key_size)
        elif self.score == "concat":
            self.kernel = self._kernel("kernel", query_size + key_size)
        elif self.score == "minus":
            self.kernel = self._kernel("kernel", query_size)
        elif self.score == "general":
            self.kernel = self.add_weight(
                name="kernel", shape=(query_size, key_size)
            )
        elif self.score == "location":
            self.kernel = self.add_weight(
                name="kernel", shape=(query_size, self.max_length)
            )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.units or self.max_length,),
                initializer="zeros",
            )
        if self.score in HIDDEN:
            self.score_vector = self.add_weight(
                name="score_vector", shape=(self.units,)
            )

    def _kernel(self, name, size):
        return self.add_weight(name=name, shape=(size, self.units))

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
    ):
        key = value if key is None else key
        mask = visible_pairs(
            query,
            value,
            key,
            query_mask,
            value_mask,
            key_mask,
            attention_mask,
            use_causal_mask,
        )
        if self.score in HIDDEN:
            query, key = self._projections(query, key)
            vector = ops.convert_to_tensor(self.score_vector)
            block_size = self.block_size or default_block_size(
                query.shape[1], key.shape[1], self.units
            )
            if not return_attention_scores and not (training and self.dropout):
                return additive_attention(
                    query, key, value, vector, mask, block_size
                )
            scores = additive_scores(query, key, vector, block_size)
        else:
            scores = self._scores(query, key)
        weights = masked_softmax(scores, mask)
        context = weighted_sum(
            self.weights_dropout(weights, training=training), value
        )
        return (context, weights) if return_attention_scores else context

    def _projections(self, query, key):
        """What goes into the tanh, of each query and of each key."""
        if self.score == "additive":
            query = ops.matmul(query, self.query_kernel)
            key = ops.matmul(key, self.key_kernel)
        elif self.score == "concat":
            check_depth(query, self.query_size)
            query, key = concat_projections(query, key, self.kernel)
        else:
            query, key = minus_projections(query, key, self.kernel)
        return (query + self.bias if self.use_bias else query), key

    def _scores(self, query, key):
        if self.score == "dot":
            return dot_scores(query, key)
        if self.score == "scaled_dot":
            return scaled_dot_scores(query, key)
        if self.score == "general":
            return general_scores(query, key, self.kernel)
        self._check_length(key)
        return location_scores(
            query, key, self.kernel, self.bias if self.use_bias else None
        )

    def compute_output_spec(
        self, query, value, key=None, return_attention_scores=False, **kwargs
    ):
        if self.score != "location":
            return traced_spec(
                self,
                query,
                value,
                key,
                return_attention_scores=return_attention_scores,
                **kwargs,
            )
        # Tracing would fill an unknown length with a number of its own.
        self._check_length(value)
        rows = query.shape[:2]
        context = keras.KerasTensor((*rows, value.shape[2]), self.compute_dtype)
        weights = keras.KerasTensor((*rows, value.shape[1]), self.compute_dtype)
        return (context, weights) if return_attention_scores else context

    def _check_length(self, key):
        length = key.shape[1]
        if isinstance(length, int) and length > self.max_length:
            raise ValueError(
                "There must be at most `max_length` keys: the score has a "
                "weight for each place. "
                f"Received: {length} keys, max_length={self.max_length}"
            )

    def get_config(self):
        return {
            **super().get_config(),
            "score": self.score,
            "units": self.units,
            "max_length": self.max_length,
            "use_bias": self.use_bias,
            "dropout": self.dropout,
            "block_size": self.block_size,
            "seed": self.seed,
        }


def _check_size(name, size, score, used):
    """Refuses a size that the score needs and lacks, or does not use."""
    if used:
        check_sizes(f"which the score {score!r} needs", **{name: size})
    if not used and size is not None:
        raise ValueError(
            f"The score {score!r} does not use `{name}`. "
            f"Received: {name}={size}"
        )
