"""The Transformer's encoder block of Vaswani et al. (2017)."""

import keras

from keras_attention.arguments import (
    check_groups,
    check_positive,
    check_share,
    check_sizes,
)
from keras_attention.functional import (
    as_floats,
    check_mask,
    check_position_encoding,
)
from keras_attention.sequence.multi_head_attention import MultiHeadAttention
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class TransformerEncoder(keras.layers.Layer):
    """One block of a Transformer's encoder.

    Every position looks at all others, then a small network works on each
    alone. Around both there is a sum with what came in:

        x = norm(inputs + drop(attention(inputs)))
        output = norm(x + drop(feed_forward(x)))
        feed_forward(x) = activation(x W1 + b1) W2 + b2

    and with `normalize_first=True`, which trains without a warm-up:

        x = inputs + drop(attention(norm(inputs)))
        output = x + drop(feed_forward(norm(x)))

    where the last block of a stack wants one more normalisation behind it.

    The dropout is the paper's, on what is added to the sum; its seed is Keras's
    global one. The weights are not dropped, so the fused attention runs in
    training too.

    The block knows no order: permuted inputs give permuted outputs. Add a
    `SinusoidalPositionEncoding` or `LearnedPositionEncoding` before the first,
    or give each block a `position_encoding`. ALiBi is symmetric here: it
    tells how far a key is, not whether it comes before or after.

    Args:
        intermediate_dim: Positive integer. Width of the small network's hidden
            layer; 4 times the depth in the paper.
        num_heads: Positive integer that divides the depth of the input.
        dropout: Float in [0, 1). Share dropped, in training, of what attention
            and the small network add.
        activation: An activation of Keras, or its name, of the hidden layer.
        layer_norm_epsilon: Positive float, added to the variance.
        normalize_first: Boolean. Whether each part normalises what it reads,
            not the sum that it leaves.
        num_key_value_heads: Positive integer that divides `num_heads`, the
            heads of keys and values, which neighbouring heads of queries share
            (grouped queries). `None` takes `num_heads`.
        position_encoding: `None`; `"rotary"`, queries and keys turned by their
            position, which needs an even depth of each head; or `"alibi"`,
            scores lowered with the distance. Both as in `MultiHeadAttention`.
        rope_max_wavelength: Positive number. With `"rotary"`, the slowest pair
            of channels turns once in nearly `2 pi` times as many positions.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(B, T, D)`.
        mask: Boolean `(B, T)`, `True` where there is something to see. Taken
            from `inputs` when it carries a Keras mask, and handed on. The rows
            that it hides are not seen by any other.
        attention_mask: Boolean `(T, T)`, `(B, T, T)`, `(B, 1, T, T)` or
            `(B, N, T, T)`, `True` where a position (last axis but one) may see
            another (last axis).
            As every mask here, it may also hold 1 and 0.
        return_attention_scores: Boolean. Whether to return the weights too.
        training: Boolean. Whether to apply the dropout.

    Returns:
        The new sequence, `(B, T, D)`; with `return_attention_scores=True`,
        `(output, weights)`, where weights is `(B, N, T, T)` and its rows sum
        to one, to zero where nothing can be seen.

    Raises:
        ValueError: If `intermediate_dim` or `num_heads` is below 1, `num_heads`
            does not divide the depth or `num_key_value_heads` `num_heads`,
            `position_encoding` is not known, or is rotary and the depth of a
            head odd, `rope_max_wavelength` is not positive, the depth is not
            known, or a mask holds other than booleans, 1 and 0, or has another
            shape.

    Example:

    >>> import numpy as np
    >>> layer = TransformerEncoder(intermediate_dim=64, num_heads=4)
    >>> tokens = np.ones((2, 5, 16), "float32")
    >>> output, weights = layer(tokens, return_attention_scores=True)
    >>> tuple(output.shape), tuple(weights.shape)
    ((2, 5, 16), (2, 4, 5, 5))

    Notation: `intermediate_dim` is d_ff, `num_heads` is h, the depth is
    d_model.

    Departures: the projections of attention have biases, as in Keras.
    `normalize_first` came later: it is figure 1 (b) of Xiong et al. (2020).
    So did grouped queries and the position encodings; the paper of ALiBi has
    causal attention only.

    Reference:
        Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin.
        Attention Is All You Need. NeurIPS 2017, sections 3.1, 3.3 and 5.4.
        https://arxiv.org/abs/1706.03762
        Xiong et al. On Layer Normalization in the Transformer Architecture.
        ICML 2020, figure 1. https://arxiv.org/abs/2002.04745
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
        intermediate_dim,
        num_heads,
        dropout=0.0,
        activation="relu",
        layer_norm_epsilon=1e-5,
        normalize_first=False,
        num_key_value_heads=None,
        position_encoding=None,
        rope_max_wavelength=10000,
        **kwargs,
    ):
        check_sizes(
            "sizes of the block",
            intermediate_dim=intermediate_dim,
            num_heads=num_heads,
        )
        check_share("dropout", dropout, "a share that leaves something")
        check_positive(
            "layer_norm_epsilon", layer_norm_epsilon, "added to the variance"
        )
        check_groups(num_heads, num_key_value_heads)
        check_position_encoding(position_encoding)
        check_positive(
            "rope_max_wavelength", rope_max_wavelength, "the slowest pair's"
        )
        super().__init__(**kwargs)
        self.intermediate_dim = intermediate_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.activation = keras.activations.get(activation)
        self.layer_norm_epsilon = layer_norm_epsilon
        self.normalize_first = normalize_first
        self.num_key_value_heads = num_key_value_heads
        self.position_encoding = position_encoding
        self.rope_max_wavelength = rope_max_wavelength
        self.supports_masking = True
        self.residual_dropout = keras.layers.Dropout(
            dropout, dtype=self.dtype_policy, name="dropout"
        )

    def build(self, inputs_shape):
        depth = inputs_shape[-1]
        if depth is None or depth % self.num_heads:
            raise ValueError(
                "`num_heads` must divide the depth of the input, the last "
                "axis: every head takes an equal part. Received: "
                f"num_heads={self.num_heads}, inputs_shape={inputs_shape}"
            )
        check_position_encoding(self.position_encoding, depth // self.num_heads)
        self.attention = MultiHeadAttention(
            self.num_heads,
            depth // self.num_heads,
            num_key_value_heads=self.num_key_value_heads,
            position_encoding=self.position_encoding,
            rope_max_wavelength=self.rope_max_wavelength,
            dtype=self.dtype_policy,
            name="attention",
        )
        self.attention_norm = self._norm("attention_norm")
        self.expand = keras.layers.Dense(
            self.intermediate_dim,
            activation=self.activation,
            dtype=self.dtype_policy,
            name="expand",
        )
        self.contract = keras.layers.Dense(
            depth, dtype=self.dtype_policy, name="contract"
        )
        self.feed_forward_norm = self._norm("feed_forward_norm")

        self.attention.build(inputs_shape, inputs_shape)
        self.attention_norm.build(inputs_shape)
        self.expand.build(inputs_shape)
        self.contract.build((*inputs_shape[:-1], self.intermediate_dim))
        self.feed_forward_norm.build(inputs_shape)

    def call(
        self,
        inputs,
        mask=None,
        attention_mask=None,
        return_attention_scores=False,
        training=None,
    ):
        mask = check_mask("mask", mask, inputs.shape[:2])
        inputs = as_floats(inputs, self.compute_dtype)
        read = self._before(self.attention_norm, inputs)
        added = self.attention(
            read,
            read,
            query_mask=mask,
            value_mask=mask,
            attention_mask=attention_mask,
            return_attention_scores=return_attention_scores,
        )
        if return_attention_scores:
            added, weights = added
        x = self._after(self.attention_norm, inputs, added, training)

        read = self._before(self.feed_forward_norm, x)
        added = self.contract(self.expand(read))
        output = self._after(self.feed_forward_norm, x, added, training)
        return (output, weights) if return_attention_scores else output

    def get_config(self):
        return {
            **super().get_config(),
            "intermediate_dim": self.intermediate_dim,
            "num_heads": self.num_heads,
            "dropout": self.dropout,
            "activation": keras.activations.serialize(self.activation),
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "normalize_first": self.normalize_first,
            "num_key_value_heads": self.num_key_value_heads,
            "position_encoding": self.position_encoding,
            "rope_max_wavelength": self.rope_max_wavelength,
        }

    def _before(self, norm, x):
        return norm(x) if self.normalize_first else x

    def _after(self, norm, x, added, training):
        x = x + self.residual_dropout(added, training=training)
        return x if self.normalize_first else norm(x)

    def _norm(self, name):
        return keras.layers.LayerNormalization(
            epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name=name
        )
