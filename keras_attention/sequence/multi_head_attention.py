"""Multi-head attention of Vaswani et al. (2017)."""

import keras
from keras import ops

from keras_attention.arguments import (
    check_groups,
    check_positive,
    check_share,
    check_sizes,
)
from keras_attention.functional import (
    alibi_bias,
    as_floats,
    check_position_encoding,
    combine_masks,
    hide,
    masked_softmax,
    rotate,
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

    With `num_key_value_heads=G` the N heads of the query share G heads of keys
    and values, N / G neighbours each (grouped queries; G = 1 is multi-query
    attention): smaller projections, and less to keep when decoding. The weights
    and numbers are those of `keras.layers.GroupQueryAttention`.

    With a `position_encoding` heads know how far a key is from their query; the
    last query stands at the last key, padding counted:

        "rotary": queries and keys are turned by `functional.rotate`
        "alibi": scores += -slope[n] * |distance|, by `functional.alibi_bias`

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
        num_key_value_heads: Positive integer that divides `num_heads`, the
            heads of keys and values. `None` takes `num_heads`.
        position_encoding: `None`, `"rotary"`, which needs an even `key_dim`, or
            `"alibi"`. Both are for self-attention.
        rope_max_wavelength: Positive number. With `"rotary"`, the slowest pair
            of channels turns once in nearly `2 pi` times as many positions.
        output_initializer: An initializer of Keras, or its name, for the kernel
            of the last projection, which a residual network may want smaller.
            `None` takes `kernel_initializer`.
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
            below 1, `num_key_value_heads` does not divide `num_heads`,
            `position_encoding` is not known or does not fit `key_dim`,
            `rope_max_wavelength` is not positive, an input's rank is not 3, its
            depth is not known, `key` and `value` differ in length,
            `attention_axes` names another axis, or a mask has other values than
            booleans, 1 and 0, or another shape.

    Example:

    >>> import numpy as np
    >>> layer = MultiHeadAttention(num_heads=2, key_dim=8)
    >>> query = np.ones((3, 4, 16), "float32")
    >>> value = np.ones((3, 6, 12), "float32")
    >>> output, weights = layer(query, value, return_attention_scores=True)
    >>> tuple(output.shape), tuple(weights.shape)
    ((3, 4, 16), (3, 2, 4, 6))

    Four heads of queries that share two of keys and values, with rotary
    positions:

    >>> layer = MultiHeadAttention(
    ...     4, 8, num_key_value_heads=2, position_encoding="rotary"
    ... )
    >>> tuple(layer(query, query).shape)
    (3, 4, 16)
    >>> tuple(layer.key_projection.kernel.shape)
    (16, 2, 8)

    Notation: `num_heads` is h, `key_dim` is d_k, `value_dim` is d_v, the depth
    of the query is d_model.

    Departures: biases by default, as in Keras; `output_shape`,
    `sliding_window` and `use_gate` are Keras's (the gate: Qiu et al. 2025).
    Rotary positions pair channel `i` with `i + K/2`, as keras-hub does, not
    neighbours. ALiBi is symmetric where a query sees later keys; the paper has
    causal attention only.

    Reference:
        Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin.
        Attention Is All You Need. NeurIPS 2017, section 3.2.
        https://arxiv.org/abs/1706.03762
        Qiu et al. Gated Attention for Large Language Models. 2025.
        https://arxiv.org/abs/2505.06708
        Ainslie et al. GQA: Training Generalized Multi-Query Transformer Models
        from Multi-Head Checkpoints. EMNLP 2023, section 2.2.
        https://arxiv.org/abs/2305.13245
        Su et al. RoFormer: Enhanced Transformer with Rotary Position Embedding.
        2021, section 3.2. https://arxiv.org/abs/2104.09864
        Press, Smith, Lewis. Train Short, Test Long: Attention with Linear
        Biases Enables Input Length Extrapolation. ICLR 2022, section 3.
        https://arxiv.org/abs/2108.12409
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
        num_key_value_heads=None,
        position_encoding=None,
        rope_max_wavelength=10000,
        output_initializer=None,
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
        check_groups(num_heads, num_key_value_heads)
        check_position_encoding(position_encoding, key_dim)
        check_positive(
            "rope_max_wavelength", rope_max_wavelength, "the slowest pair's"
        )
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
        self.num_key_value_heads = num_key_value_heads
        self.position_encoding = position_encoding
        self.rope_max_wavelength = rope_max_wavelength
        self.output_initializer = output_initializer
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
        heads, shared = self.num_heads, self.key_value_heads
        self.query_projection = self._to_heads(heads, key_dim, "query")
        self.key_projection = self._to_heads(shared, key_dim, "key")
        if self.use_gate:
            self.gate_projection = self._to_heads(
                heads, value_dim, "gate", activation="sigmoid"
            )
        self.value_projection = self._to_heads(shared, value_dim, "value")
        self.output_projection = self._projection(
            f"abcd,cd{axes}->ab{axes}",
            (None, *output_sizes),
            axes,
            "attention_output",
            kernel_initializer=self.output_initializer,
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
        own, places, bias = None, None, None
        if self.sliding_window is not None or self.position_encoding:
            own, places = _aligned_places(query, key)
            mask = combine_masks(mask, self._near(own, ops.shape(key)[1]))
            bias = self._bias(own, ops.shape(key)[1])
        gate = self.gate_projection(query) if self.use_gate else None
        query = self._turned(self.query_projection(query), own)  # (B, Tq, N, K)
        key = self._turned(self.key_projection(key), places)
        value = self.value_projection(value)

        if return_attention_scores or not self._can_fuse(training):
            context, weights = self._attend(
                *(ops.swapaxes(heads, 1, 2) for heads in (query, key, value)),
                mask,
                bias,
                training,
            )
        else:
            context = self._attend_fused(query, key, value, mask, bias)
        output = self._output(context, gate, mask)
        return (output, weights) if return_attention_scores else output

    def keys_and_values(self, value, positions=None):
        """Projects what is looked over once, for many calls of `attend`.

        Args:
            value: `(B, Tk, D)`.
            positions: Integers `(B, Tk)` or `(1, Tk)`, where each stands; only
                for rotary positions.

        Returns:
            Keys `(B, G, Tk, key_dim)` and values `(B, G, Tk, value_dim)`, for
            the G heads of keys and values.
        """
        value = as_floats(value, self.compute_dtype)
        key = self._turned(self.key_projection(value), positions)
        value = self.value_projection(value)
        return ops.swapaxes(key, 1, 2), ops.swapaxes(value, 1, 2)

    def attend(
        self, query, key, value, mask=None, positions=None, training=None
    ):
        """Attends to keys and values that are already projected.

        As a decoder does, which keeps them from step to step.

        Args:
            query: `(B, Tq, Dq)`, not projected.
            key: `(B, G, Tk, key_dim)`, as of `keys_and_values`. The keys stand
                at 0, 1, ..., Tk - 1.
            value: `(B, G, Tk, value_dim)`, likewise.
            mask: Boolean of rank 4, broadcastable to `(B, N, Tq, Tk)`, or
                `None`.
            positions: Integers `(B, Tq)` or `(1, Tq)`, where each query stands;
                only for a position encoding or a window.
            training: Boolean. Whether to apply the dropout.

        Returns:
            The output `(B, Tq, Dq)` and the weights `(B, N, Tq, Tk)`.
        """
        length = ops.shape(key)[2]
        mask = combine_masks(mask, self._near(positions, length))
        gate = self.gate_projection(query) if self.use_gate else None
        query = self._turned(self.query_projection(query), positions)
        query, bias = ops.swapaxes(query, 1, 2), self._bias(positions, length)
        context, weights = self._attend(query, key, value, mask, bias, training)
        return self._output(context, gate, mask), weights

    @property
    def key_value_heads(self):
        """How many heads keys and values have."""
        return self.num_key_value_heads or self.num_heads

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
            "num_key_value_heads": self.num_key_value_heads,
            "position_encoding": self.position_encoding,
            "rope_max_wavelength": self.rope_max_wavelength,
            "output_initializer": self.output_initializer,
        }

    def _attend(self, query, key, value, mask, bias, training):
        """Heads come as `(B, N, T, K)`, the context goes as `(B, T, N, K)`."""
        key, value = self._repeated(key, axis=1), self._repeated(value, axis=1)
        scores = scaled_dot_scores(query, key)
        if bias is not None:
            scores = ops.add(scores, bias)
        weights = ops.cast(masked_softmax(scores, mask), query.dtype)
        dropped = self.weights_dropout(weights, training=training)
        context = weighted_sum(dropped, value)
        return ops.swapaxes(context, 1, 2), weights

    def _attend_fused(self, query, key, value, mask, bias):
        if bias is not None and mask is not None:
            # PyTorch takes only one of them, and it must stay finite.
            half = keras.backend.standardize_dtype(query.dtype) == "float16"
            bias = ops.where(mask, bias, -3e4 if half else -1e38)
        # Scaled beforehand: the fused product itself may overflow float16.
        context = ops.dot_product_attention(
            query * self.key_dim**-0.5,
            self._repeated(key, axis=2),
            self._repeated(value, axis=2),
            bias=bias,
            mask=mask if bias is None else None,
            scale=1.0,
            flash_attention=self.flash_attention,
        )
        if mask is not None and mask.shape[1] != 1:
            # One head may see nothing where the others do.
            sees = ops.any(mask, axis=-1, keepdims=True)
            context = hide(context, ops.swapaxes(sees, 1, 2))
        return context

    def _output(self, context, gate, mask):
        if gate is not None:
            context = context * gate
        output = self.output_projection(context)
        if mask is None:
            return output
        sees = ops.any(mask, axis=(1, 3))  # (B, Tq), by any head
        axes = tuple(range(2, len(output.shape)))
        return hide(output, ops.expand_dims(sees, axes))

    def _repeated(self, heads, axis):
        """Each head of keys or values, for every head of queries it serves."""
        times = self.num_heads // self.key_value_heads
        return heads if times == 1 else ops.repeat(heads, times, axis=axis)

    def _turned(self, heads, positions):
        if self.position_encoding != "rotary":
            return heads
        return rotate(heads, positions, self.rope_max_wavelength)

    def _bias(self, positions, length):
        if self.position_encoding != "alibi":
            return None
        return alibi_bias(positions, length, self.num_heads)

    def _near(self, positions, length):
        """The pairs within the window, `(1, 1, Tq, Tk)`, or `None`: all are."""
        if self.sliding_window is None:
            return None
        return window_mask(positions, length, self.sliding_window - 1)[:, None]

    def _can_fuse(self, training):
        # JAX wants heads of one width; no backend drops weights.
        drops = training and self.dropout > 0
        return not drops and self.value_dim in (None, self.key_dim)

    def _to_heads(self, heads, width, name, activation=None):
        return self._projection(
            "abc,cde->abde",
            (None, heads, width),
            "de",
            name,
            activation,
        )

    def _projection(
        self,
        equation,
        output_shape,
        bias_axes,
        name,
        activation=None,
        kernel_initializer=None,
    ):
        options = dict(self.projection_options)
        if kernel_initializer is not None:
            options["kernel_initializer"] = kernel_initializer
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


def _aligned_places(query, key):
    """Where queries and keys stand, `(1, Tq)` and `(1, Tk)`: they end alike."""
    queries, keys = ops.shape(query)[1], ops.shape(key)[1]
    own = ops.arange(queries, dtype="int32") + (keys - queries)
    return own[None], ops.arange(keys, dtype="int32")[None]


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
