"""Additive attention of Bahdanau et al. (2015)."""

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
    default_block_size,
    masked_softmax,
    visible_pairs,
    weighted_sum,
)
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class BahdanauAttention(keras.layers.Layer):
    """Additive attention: each query looks over a sequence of keys.

    A small network sees a query and a key side by side and scores how well
    they fit; the softmax of the scores says how much of each value to read:

        scores[i, j] = v . tanh(W query[i] + U key[j])
        weights[i, :] = softmax(scores[i, :])
        context[i] = sum_j weights[i, j] * value[j]

    Query and key may differ in size. In a decoder, the query is the state
    before the step, s[i - 1]; after it, the model is Luong's.

    Args:
        units: Positive integer. Width of the scoring network.
        dropout: Float in [0, 1). Share of the weights dropped in training.
        block_size: Positive integer, the queries taken at once; `None` takes
            as many as are cheap. Where no weights are asked for, memory grows
            as `block_size * Tk * units` instead of `Tq * Tk * units`, in the
            backward pass too.
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
        ValueError: If `units` or `block_size` is not positive, or a mask holds
            other than booleans, 1 and 0, or has another shape.

    Example:

    >>> import numpy as np
    >>> layer = BahdanauAttention(units=8)
    >>> decoder = np.ones((2, 1, 16), "float32")
    >>> encoder = np.ones((2, 5, 32), "float32")
    >>> context, weights = layer(
    ...     decoder, encoder, return_attention_scores=True
    ... )
    >>> tuple(context.shape), tuple(weights.shape)
    ((2, 1, 32), (2, 1, 5))

    Notation: `units` is n', `W` is W_a, `U` is U_a, `v` is v_a, the weights
    are alpha_ij and the context is c_i in the paper.

    Departures: none. (`keras.layers.AdditiveAttention` has no W and no U.)
    The vector v starts at random; the authors' code starts it at zero, where
    all keys share alike.

    Reference:
        Bahdanau, Cho, Bengio. Neural Machine Translation by Jointly Learning
        to Align and Translate. ICLR 2015, appendix A.1.2.
        https://arxiv.org/abs/1409.0473
    """

    def __init__(
        self, units, dropout=0.0, block_size=None, seed=None, **kwargs
    ):
        check_sizes("the width of the scoring network", units=units)
        check_sizes(
            "the queries taken at once, or None",
            optional=("block_size",),
            block_size=block_size,
        )
        check_share("dropout", dropout, "a share that leaves something")
        super().__init__(**kwargs)
        self.units = units
        self.dropout = dropout
        self.block_size = block_size
        self.seed = seed
        self.supports_masking = True
        self.query_projection = keras.layers.Dense(
            units, use_bias=False, dtype=self.dtype_policy, name="query"
        )
        self.key_projection = keras.layers.Dense(
            units, use_bias=False, dtype=self.dtype_policy, name="key"
        )
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
        self.query_projection.build(query_shape)
        self.key_projection.build(key_shape or value_shape)
        self.score_vector = self.add_weight(
            name="score_vector", shape=(self.units,)
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
        query, key = self.query_projection(query), self.key_projection(key)
        vector = ops.convert_to_tensor(self.score_vector)
        block_size = self.block_size or default_block_size(
            query.shape[1], key.shape[1], self.units
        )

        if not return_attention_scores and not (training and self.dropout):
            return additive_attention(
                query, key, value, vector, mask, block_size
            )
        scores = additive_scores(query, key, vector, block_size)
        weights = masked_softmax(scores, mask)
        context = weighted_sum(
            self.weights_dropout(weights, training=training), value
        )
        return (context, weights) if return_attention_scores else context

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "dropout": self.dropout,
            "block_size": self.block_size,
            "seed": self.seed,
        }
