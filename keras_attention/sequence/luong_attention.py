"""Global attention and the attentional vector of Luong et al. (2015)."""

import keras
from keras import ops

from keras_attention.arguments import (
    check_known_depth,
    check_share,
    check_sizes,
)
from keras_attention.sequence.attention_layer import AttentionLayer
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class LuongAttention(keras.layers.Layer):
    """Looks over a sequence, and joins what was read with who asked.

        weights[i, :] = softmax over j of score(query[i], key[j])
        context[i] = sum_j weights[i, j] * value[j]
        output[i] = tanh(W_c [context[i]; query[i]])

    with the score

        "dot"      query[i] . key[j]
        "general"  query[i] . W key[j]
        "concat"   v . tanh(W [query[i]; key[j]])

    In a decoder, the query is the state after the step, h[t]; with input
    feeding, the output goes into the next step beside the next word.

    Args:
        units: Positive integer, the size of the output; `None` returns the
            context itself.
        score: `"dot"`, `"general"` or `"concat"`. The hidden layer of
            `"concat"` is as wide as the query, as in the paper.
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

    Returns:
        The attentional vector, `(B, Tq, units)`, in [-1, 1]; with
        `return_attention_scores=True` `(output, weights)`, where weights is
        `(B, Tq, Tk)`, before dropout, and its rows sum to one, to zero where
        nothing may be seen.

    Raises:
        ValueError: If `units` is not positive, the score is unknown, query and
            key differ in size with `"dot"`, or a mask holds other than
            booleans, 1 and 0, or has another shape.

    Example:

    >>> import numpy as np
    >>> layer = LuongAttention(units=8)
    >>> decoder = np.ones((2, 1, 16), "float32")
    >>> encoder = np.ones((2, 5, 32), "float32")
    >>> output, weights = layer(decoder, encoder, return_attention_scores=True)
    >>> tuple(output.shape), tuple(weights.shape)
    ((2, 1, 8), (2, 1, 5))

    Notation: query, key and weights are h_t, the source's h_s and a_t, the
    context is c_t and the output is h_t with a tilde in the paper.

    Departures: none. (`keras.layers.Attention(score_mode="concat")` has one
    number in place of W and v.) The paper's fourth score, `"location"`, is in
    `AttentionLayer`, its windows in `LocalAttention`.

    Reference:
        Luong, Pham, Manning. Effective Approaches to Attention-based Neural
        Machine Translation. EMNLP 2015, sections 3 and 3.1.
        https://arxiv.org/abs/1508.04025
    """

    def __init__(
        self, units, score="general", dropout=0.0, seed=None, **kwargs
    ):
        check_sizes(
            "the size of the output, or None",
            optional=("units",),
            units=units,
        )
        check_share("dropout", dropout, "a share that leaves something")
        if score not in ("dot", "general", "concat"):
            raise ValueError(
                '`score` must be "dot", "general" or "concat". '
                f"Received: score={score!r}"
            )
        super().__init__(**kwargs)
        self.units = units
        self.score = score
        self.dropout = dropout
        self.seed = seed
        self.supports_masking = True
        if units is not None:
            self.combine = keras.layers.Dense(
                units,
                activation="tanh",
                use_bias=False,
                dtype=self.dtype_policy,
                name="combine",
            )

    def build(self, query_shape, value_shape, key_shape=None):
        check_known_depth(
            self,
            query_shape=query_shape,
            value_shape=value_shape,
            key_shape=key_shape,
        )
        self.attention = AttentionLayer(
            self.score,
            units=query_shape[-1] if self.score == "concat" else None,
            dropout=self.dropout,
            seed=self.seed,
            dtype=self.dtype_policy,
            name="attention",
        )
        self.attention.build(query_shape, value_shape, key_shape)
        if self.units is not None:
            size = value_shape[-1] + query_shape[-1]
            self.combine.build((*query_shape[:-1], size))

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
        result = self.attention(
            query,
            value,
            key,
            query_mask=query_mask,
            value_mask=value_mask,
            key_mask=key_mask,
            attention_mask=attention_mask,
            return_attention_scores=return_attention_scores,
            training=training,
            use_causal_mask=use_causal_mask,
        )
        output, weights = result if return_attention_scores else (result, None)
        if self.units is not None:
            output = self.combine(ops.concatenate([output, query], axis=-1))
            if query_mask is not None:
                asked = ops.expand_dims(query_mask, axis=-1)
                output = output * ops.cast(asked, output.dtype)
        return (output, weights) if return_attention_scores else output

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "score": self.score,
            "dropout": self.dropout,
            "seed": self.seed,
        }
