"""Multi-head attention of Vaswani et al. (2017)."""

import keras
from keras import ops

from keras_attention.arguments import check_share, check_sizes
from keras_attention.functional import (
    masked_softmax,
    scaled_dot_scores,
    visible_pairs,
    weighted_sum,
)
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class MultiHeadAttention(keras.layers.Layer):
    """Multi-head attention: several looks over the same sequence at once.

    Each head has its own projections of query, key and value, and looks by the
    scaled dot product; what the heads read is projected back together:

        weights[n] = softmax((query Wq[n]) (key Wk[n])^T / sqrt(key_dim))
        head[n] = weights[n] (value Wv[n])
        output = [head[1]; ...; head[N]] Wo

    where every projection also adds its bias.

    It takes the arguments and the weights of `keras.layers.MultiHeadAttention`,
    in the same order and shapes, so `set_weights` works both ways, and gives
    the same numbers except in two cases, where that layer's answer depends on
    whether the weights are asked for or does not fit decoding: a query that
    sees nothing gets zeros, and causal masks are aligned to the end.

    Without weights asked for, the backend's fused attention runs, which on some
    devices never stores them.

    Args:
        num_heads: Positive integer.
        key_dim: Positive integer. Width of each head's query and key.
        value_dim: Positive integer. Width of each head's value. `None` takes
            `key_dim`; with another, the fused attention cannot be used.
        dropout: Float in [0, 1). Share of the weights dropped in training,
            where the fused attention cannot be used.
        use_bias: Boolean. Whether the projections have biases, as in Keras;
            the paper's equations have none.
        output_shape: Positive integer, width of the output. `None` takes the
            query's.
        kernel_initializer: An initializer of Keras, or its name, for the four
            kernels.
        seed: Integer or `None`. Seed of the dropout.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        query: `(B, Tq, Dq)`.
        value: `(B, Tk, Dv)`.
        key: `(B, Tk, Dk)`. Defaults to `value`.
        query_mask: Boolean `(B, Tq)`. The rows of hidden queries are zeros.
            Taken from `query` when it carries a Keras mask.
        value_mask: Boolean `(B, Tk)`, `True` where a key may be seen. Taken
            from `value` when it carries a Keras mask.
        key_mask: Boolean `(B, Tk)`, likewise, from `key`.
        attention_mask: Boolean `(B, Tq, Tk)`, `True` where a query may see a
            key.
        return_attention_scores: Boolean. Whether to return the weights too.
        training: Boolean. Whether to apply the dropout.
        use_causal_mask: Boolean. Whether to hide from each query the keys that
            come after it. The last query stands at the last key.

    Returns:
        The output, `(B, Tq, Dq)` or `(B, Tq, output_shape)`; with
        `return_attention_scores=True`, `(output, weights)`, where weights is
        `(B, N, Tq, Tk)`, before dropout, and its rows sum to one. A query that
        sees nothing has zeros in both, whatever the bias.

    Raises:
        ValueError: If `num_heads`, `key_dim`, `value_dim` or `output_shape` is
            below 1, an input's rank is not 3, its depth is not known, `key`
            and `value` differ in length, or a mask is not boolean or has
            another shape.

    Example:

    >>> import numpy as np
    >>> layer = MultiHeadAttention(num_heads=2, key_dim=8)
    >>> query = np.ones((3, 4, 16), "float32")
    >>> value = np.ones((3, 6, 12), "float32")
    >>> output, weights = layer(query, value, return_attention_scores=True)
    >>> tuple(output.shape), tuple(weights.shape)
    ((3, 4, 16), (3, 2, 4, 6))

    Notation: `num_heads` is h, `key_dim` is d_k, `value_dim` is d_v, the depth
    of the query is d_model.

    Departures: biases by default, as in Keras; `output_shape` is Keras's.

    Reference:
        Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin.
        Attention Is All You Need. NeurIPS 2017, section 3.2.
        https://arxiv.org/abs/1706.03762
    """

    def __init__(
        self,
        num_heads,
        key_dim,
        value_dim=None,
        dropout=0.0,
        use_bias=True,
        output_shape=None,
        kernel_initializer="glorot_uniform",
        seed=None,
        **kwargs,
    ):
        check_sizes(
            "they are sizes",
            optional=("value_dim", "output_shape"),
            num_heads=num_heads,
            key_dim=key_dim,
            value_dim=value_dim,
            output_shape=output_shape,
        )
        check_share("dropout", dropout, "a share that leaves something")
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.value_dim = value_dim
        self.dropout = dropout
        self.use_bias = use_bias
        self.output_dim = output_shape  # Keras has its own `output_shape`.
        self.kernel_initializer = kernel_initializer
        self.seed = seed
        self.supports_masking = True
        self.weights_dropout = keras.layers.Dropout(
            dropout, seed=seed, dtype=self.dtype_policy, name="dropout"
        )

    def build(self, query_shape, value_shape, key_shape=None):
        key_shape = key_shape or value_shape
        _check_shapes(query_shape, value_shape, key_shape)
        key_dim, value_dim = self.key_dim, self.value_dim or self.key_dim
        output_dim = self.output_dim or query_shape[-1]

        self.query_projection = self._to_heads(key_dim, "query")
        self.key_projection = self._to_heads(key_dim, "key")
        self.value_projection = self._to_heads(value_dim, "value")
        self.output_projection = self._projection(
            "abcd,cde->abe", (None, output_dim), "e", "attention_output"
        )
        self.query_projection.build(query_shape)
        self.key_projection.build(key_shape)
        self.value_projection.build(value_shape)
        self.output_projection.build(
            (*query_shape[:2], self.num_heads, value_dim)
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
        query = self.query_projection(query)  # (B, Tq, N, K)
        key = self.key_projection(key)
        value = self.value_projection(value)

        if return_attention_scores or not self._can_fuse(training):
            context, weights = self._attend(query, key, value, mask, training)
        else:
            context = self._attend_fused(query, key, value, mask)

        output = self.output_projection(context)
        if mask is not None:
            sees = ops.any(mask, axis=-1, keepdims=True)
            output = ops.where(sees, output, ops.zeros_like(output))
        return (output, weights) if return_attention_scores else output

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "output_shape": self.output_dim,
            "kernel_initializer": self.kernel_initializer,
            "seed": self.seed,
        }

    def _attend(self, query, key, value, mask, training):
        query, key, value = (
            ops.swapaxes(heads, 1, 2) for heads in (query, key, value)
        )
        weights = masked_softmax(
            scaled_dot_scores(query, key),
            None if mask is None else ops.expand_dims(mask, axis=1),
        )
        dropped = self.weights_dropout(weights, training=training)
        context = weighted_sum(dropped, value)
        return ops.swapaxes(context, 1, 2), weights

    def _attend_fused(self, query, key, value, mask):
        # Scaled beforehand: the fused product itself may overflow float16.
        return ops.dot_product_attention(
            query * self.key_dim**-0.5,
            key,
            value,
            mask=None if mask is None else ops.expand_dims(mask, axis=1),
            scale=1.0,
        )

    def _can_fuse(self, training):
        # JAX wants heads of one width; no backend drops weights.
        drops = training and self.dropout > 0
        return not drops and self.value_dim in (None, self.key_dim)

    def _to_heads(self, width, name):
        return self._projection(
            "abc,cde->abde", (None, self.num_heads, width), "de", name
        )

    def _projection(self, equation, output_shape, bias_axes, name):
        # One initializer given to two layers would give them equal kernels.
        initializer = keras.initializers.get(self.kernel_initializer)
        projection = keras.layers.EinsumDense(
            equation,
            output_shape=output_shape,
            bias_axes=bias_axes if self.use_bias else None,
            kernel_initializer=initializer.clone(),
            dtype=self.dtype_policy,
            name=name,
        )
        projection.supports_masking = True  # Else Keras warns of every mask.
        return projection


def _check_shapes(query_shape, value_shape, key_shape):
    shapes = (query_shape, value_shape, key_shape)
    if any(len(shape) != 3 or shape[-1] is None for shape in shapes):
        raise ValueError(
            "`query`, `value` and `key` must be `(B, T, D)` with a known D, on "
            "which the kernels depend. Received: "
            f"query_shape={query_shape}, value_shape={value_shape}, "
            f"key_shape={key_shape}"
        )
