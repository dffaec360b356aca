"""Scaled dot-product attention of Vaswani et al. (2017)."""

import keras

from keras_attention.arguments import check_known_depth, check_share
from keras_attention.functional import (
    masked_softmax,
    scaled_dot_scores,
    visible_pairs,
    weighted_sum,
)
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class ScaledDotProductAttention(keras.layers.Layer):
    """Scaled dot-product attention: each query reads where keys resemble it.

    There is nothing to learn. The products of a query with all keys are
    divided by the root of their size, and their softmax says how much of each
    value to read:

        weights = softmax(query key^T / sqrt(D))
        context = weights value

    If the entries of query and key have variance one, their product has
    variance D; without the root, a large D leaves the softmax at one key with
    no gradient.

    Args:
        dropout: Float in [0, 1). Share of the weights dropped in training.
        seed: Integer or `None`. Seed of the dropout.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        query: `(B, Tq, D)`.
        value: `(B, Tk, Dv)`.
        key: `(B, Tk, D)`. Defaults to `value`.
        query_mask: Boolean `(B, Tq)`. The rows of hidden queries are zeros.
            Taken from `query` when it carries a Keras mask.
        value_mask: Boolean `(B, Tk)`, `True` where a key may be seen. Taken
            from `value` when it carries a Keras mask.
        key_mask: Boolean `(B, Tk)`, likewise, from `key`.
        attention_mask: Boolean `(Tq, Tk)` or `(B, Tq, Tk)`, `True` where a
            query may see a key. As every mask here, it may also hold 1 and 0.
        return_attention_scores: Boolean. Whether to return the weights too.
        training: Boolean. Whether to apply the dropout.
        use_causal_mask: Boolean. Whether to hide from each query the keys that
            come after it. The last query stands at the last key.

    Returns:
        The context, `(B, Tq, Dv)`; with `return_attention_scores=True`,
        `(context, weights)`, where weights is `(B, Tq, Tk)`, before dropout,
        and its rows sum to one. A query that sees nothing has zeros in both.

    Raises:
        ValueError: If an input's rank is not 3, `query` and `key` differ in
            depth, `key` and `value` in length, or a mask holds other than
            booleans, 1 and 0, or has another shape.

    Example:

    >>> import numpy as np
    >>> context, weights = ScaledDotProductAttention()(
    ...     np.ones((2, 3, 8), "float32"),
    ...     np.ones((2, 5, 8), "float32"),
    ...     return_attention_scores=True,
    ... )
    >>> tuple(context.shape), tuple(weights.shape)
    ((2, 3, 8), (2, 3, 5))

    Notation: `query` is Q, `key` is K, `value` is V, `D` is d_k.

    Departures: none.

    Reference:
        Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin.
        Attention Is All You Need. NeurIPS 2017, equation 1.
        https://arxiv.org/abs/1706.03762
    """

    def __init__(self, dropout=0.0, seed=None, **kwargs):
        check_share("dropout", dropout, "a share that leaves something")
        super().__init__(**kwargs)
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
        _check_depths(query_shape, key_shape or value_shape)

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
        _check_depths(query.shape, key.shape)
        weights = masked_softmax(scaled_dot_scores(query, key), mask)
        dropped = self.weights_dropout(weights, training=training)
        context = weighted_sum(dropped, value)
        return (context, weights) if return_attention_scores else context

    def get_config(self):
        return {
            **super().get_config(),
            "dropout": self.dropout,
            "seed": self.seed,
        }


def _check_depths(query_shape, key_shape):
    if query_shape[-1] != key_shape[-1]:
        raise ValueError(
            "`query` and `key` must have the same depth, to be multiplied. "
            f"Received: query_shape={tuple(query_shape)}, "
            f"key_shape={tuple(key_shape)}"
        )
