"""Multi-head attention of Vaswani et al. (2017)."""

import keras
from keras import ops

from keras_attention.arguments import check_share, check_sizes
from keras_attention.functional import (
    as_floats,
    combine_masks,
    hide,
    masked_softmax,
    scaled_dot_scores,
    visible_pairs,
    weighted_sum,
    window_mask,
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
        output_shape: Positive integer, width of the output, or a tuple of them
            for several axes. `None` takes the query's width.
        attention_axes: `None`, or 1 or `(1,)`, which mean the same: the inputs
            have one axis of positions. For Keras's signature.
        sliding_window: Positive integer or `None`. A query sees only keys less
            than `sliding_window` positions from its own, on both sides. As for
            causal masks, the last query stands at the last key.
        flash_attention: Boolean or `None`, handed to
            `keras.ops.dot_product_attention` where the fused attention runs.
        kernel_initializer: An initializer of Keras, or its name, for the
            kernels.
        bias_initializer: The same for the biases.
        kernel_regularizer: A regularizer of Keras, or its name, for the
            kernels.
        bias_regularizer: The same for the biases.
        activity_regularizer: The same for what each projection gives, as in
            Keras.
        kernel_constraint: A constraint of Keras, or its name, for the kernels.
        bias_constraint: The same for the biases.
        use_gate: Boolean. Whether to multiply what the heads read by
            `sigmoid(query Wg[n] + bg[n])`, a projection more, before the last.
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
        attention_mask: Boolean, `True` where a query may see a key: `(Tq, Tk)`,
            `(B, Tq, Tk)`, `(B, 1, Tq, Tk)`, or `(B, N, Tq, Tk)` for each head.
            As every mask here, it may also hold 1 and 0.
        return_attention_scores: Boolean. Whether to return the weights too.
        training: Boolean. Whether to apply the dropout.
        use_causal_mask: Boolean. Whether to hide from each query the keys that
            come after it. The last query stands at the last key.

    Returns:
        The output, `(B, Tq, Dq)` or `(B, Tq, *output_shape)`; with
        `return_attention_scores=True`, `(output, weights)`, where weights is
        `(B, N, Tq, Tk)`, before dropout, and its rows sum to one. A query that
        sees nothing has zeros in both, whatever the bias.

    Raises:
        ValueError: If `num_heads`, `key_dim`, `value_dim` or `output_shape` is
            below 1, an input's rank is not 3, its depth is not known, `key`
            and `value` differ in length, `attention_axes` names another axis,
            or a mask has other values than booleans, 1 and 0, or another shape.

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

    Departures: biases by default, as in Keras; `output_shape`,
    `sliding_window` and `use_gate` are Keras's (the gate: Qiu et al. 2025).

    Reference:
        Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin.
        Attention Is All You Need. NeurIPS 2017, section 3.2.
        https://arxiv.org/abs/1706.03762
        Qiu et al. Gated Attention for Large Language Models. 2025.
        https://arxiv.org/abs/2505.06708
    """

    def __init__(
        self,
        num_heads,
        key_dim,
        value_dim=None,
        dropout=0.0,
        use_bias=True,
        output_shape=None,
        attention_axes=None,
        sliding_window=None,
        flash_attention=None,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        use_gate=False,
        seed=None,
        **kwargs,
    ):
        check_sizes(
            "they are sizes",
            optional=("value_dim", "sliding_window"),
            num_heads=num_heads,
            key_dim=key_dim,
            value_dim=value_dim,
            sliding_window=sliding_window,
        )
        for size in _output_sizes(output_shape):
            check_sizes("the size of an axis", output_shape=size)
        check_share("dropout", dropout, "a share that leaves something")
        if attention_axes not in (None, 1, (1,), [1]):
            raise ValueError(
                "`attention_axes` must be None or 1: the inputs are "
                "`(B, T, D)`, with one axis of positions. "
                f"Received: attention_axes={attention_axes}"
            )
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.value_dim = value_dim
        self.dropout = dropout
        self.use_bias = use_bias
        self.output_dim = output_shape  # Keras has its own `output_shape`.
        self.attention_axes = attention_axes
        self.sliding_window = sliding_window
        self.flash_attention = flash_attention
        # For the projections: a layer's own `activity_regularizer` would be
        # applied to the output once more.
        self.projection_options = {
            "kernel_initializer": kernel_initializer,
            "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer,
            "bias_regularizer": bias_regularizer,
            "activity_regularizer": activity_regularizer,
            "kernel_constraint": kernel_constraint,
            "bias_constraint": bias_constraint,
        }
        self.use_gate = use_gate
        self.seed = seed
        self.supports_masking = True
        self.weights_dropout = keras.layers.Dropout(
            dropout, seed=seed, dtype=self.dtype_policy, name="dropout"
        )

    def build(self, query_shape, value_shape, key_shape=None):
        key_shape = key_shape or value_shape
        _check_shapes(query_shape, value_shape, key_shape)
        key_dim, value_dim = self.key_dim, self.value_dim or self.key_dim
        output_sizes = _output_sizes(self.output_dim or query_shape[-1])
        axes = "efghijklmnopqrstuvwxyz"[: len(output_sizes)]

        # In Keras's order, which is that of the weights.
        self.query_projection = self._to_heads(key_dim, "query")
        self.key_projection = self._to_heads(key_dim, "key")
        if self.use_gate:
            self.gate_projection = self._to_heads(
                value_dim, "gate", activation="sigmoid"
            )
        self.value_projection = self._to_heads(value_dim, "value")
        self.output_projection = self._projection(
            f"abcd,cd{axes}->ab{axes}",
            (None, *output_sizes),
            axes,
            "attention_output",
        )
        self.query_projection.build(query_shape)
        self.key_projection.build(key_shape)
        if self.use_gate:
            self.gate_projection.build(query_shape)
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
        query, key, value = (
            as_floats(x, self.compute_dtype) for x in (query, key, value)
        )
        mask = visible_pairs(
            query,
            value,
            key,
            query_mask,
            value_mask,
            key_mask,
            attention_mask,
            use_causal_mask,
            heads=self.num_heads,
        )
        if self.sliding_window is not None:
            mask = combine_masks(mask, self._near(query, key))
        gate = self.gate_projection(query) if self.use_gate else None
        query = self.query_projection(query)  # (B, Tq, N, K)
        key = self.key_projection(key)
        value = self.value_projection(value)

        if return_attention_scores or not self._can_fuse(training):
            context, weights = self._attend(query, key, value, mask, training)
        else:
            context = self._attend_fused(query, key, value, mask)

        if gate is not None:
            context = context * gate
        output = self.output_projection(context)
        if mask is not None:
            sees = ops.any(mask, axis=(1, 3))  # (B, Tq), by any head
            axes = tuple(range(2, len(output.shape)))
            output = hide(output, ops.expand_dims(sees, axes))
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
            "attention_axes": self.attention_axes,
            "sliding_window": self.sliding_window,
            "flash_attention": self.flash_attention,
            **self.projection_options,
            "use_gate": self.use_gate,
            "seed": self.seed,
        }

    def _attend(self, query, key, value, mask, training):
        query, key, value = (
            ops.swapaxes(heads, 1, 2) for heads in (query, key, value)
        )
        weights = masked_softmax(scaled_dot_scores(query, key), mask)
        dropped = self.weights_dropout(weights, training=training)
        context = weighted_sum(dropped, value)
        return ops.swapaxes(context, 1, 2), weights

    def _attend_fused(self, query, key, value, mask):
        # Scaled beforehand: the fused product itself may overflow float16.
        context = ops.dot_product_attention(
            query * self.key_dim**-0.5,
            key,
            value,
            mask=mask,
            scale=1.0,
            flash_attention=self.flash_attention,
        )
        if mask is not None and mask.shape[1] != 1:
            # One head may see nothing where the others do.
            sees = ops.any(mask, axis=-1, keepdims=True)
            context = hide(context, ops.swapaxes(sees, 1, 2))
        return context

    def _near(self, query, key):
        """The pairs within the window, `(1, 1, Tq, Tk)`."""
        queries, keys = ops.shape(query)[1], ops.shape(key)[1]
        own = ops.arange(queries, dtype="int32") + (keys - queries)
        return window_mask(own, keys, self.sliding_window - 1)[None, None]

    def _can_fuse(self, training):
        # JAX wants heads of one width; no backend drops weights.
        drops = training and self.dropout > 0
        return not drops and self.value_dim in (None, self.key_dim)

    def _to_heads(self, width, name, activation=None):
        return self._projection(
            "abc,cde->abde",
            (None, self.num_heads, width),
            "de",
            name,
            activation,
        )

    def _projection(
        self, equation, output_shape, bias_axes, name, activation=None
    ):
        options = dict(self.projection_options)
        for key in ("kernel_initializer", "bias_initializer"):
            # One initializer given to two layers would give them equal kernels.
            options[key] = keras.initializers.get(options[key]).clone()
        projection = keras.layers.EinsumDense(
            equation,
            output_shape=output_shape,
            activation=activation,
            bias_axes=bias_axes if self.use_bias else None,
            dtype=self.dtype_policy,
            name=name,
            **options,
        )
        projection.supports_masking = True  # Else Keras warns of every mask.
        return projection


def _output_sizes(output_shape):
    """A width, or several, as a tuple; empty for `None`."""
    if output_shape is None:
        return ()
    several = isinstance(output_shape, list | tuple)
    return tuple(output_shape) if several else (output_shape,)


def _check_shapes(query_shape, value_shape, key_shape):
    shapes = (query_shape, value_shape, key_shape)
    if any(len(shape) != 3 or shape[-1] is None for shape in shapes):
        raise ValueError(
            "`query`, `value` and `key` must be `(B, T, D)` with a known D, on "
            "which the kernels depend. Received: "
            f"query_shape={query_shape}, value_shape={value_shape}, "
            f"key_shape={key_shape}"
        )
