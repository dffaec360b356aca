"""Self-attention of Vaswani et al. (2017): a sequence looks over itself."""

import keras

from keras_attention.arguments import check_share, check_sizes
from keras_attention.functional import check_mask
from keras_attention.sequence.multi_head_attention import MultiHeadAttention
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class SelfAttention(keras.layers.Layer):
    """Self-attention: every position of a sequence looks over all of it.

    Query, key and value are projections of one input, for each of the heads:

        weights[n] = softmax((x Wq[n]) (x Wk[n])^T / sqrt(D / N))
        head[n] = weights[n] (x Wv[n])
        output = [head[1]; ...; head[N]] Wo

    where every projection also adds its bias. It is a `MultiHeadAttention`
    whose heads share the depth of the input; take that one for other widths.
    For a block with a sum, a normalisation and a small network around it, take
    `TransformerEncoder`.

    Args:
        num_heads: Positive integer that divides the depth of the input.
        dropout: Float in [0, 1). Share of the weights dropped in training.
        use_bias: Boolean. Whether the projections have biases, as in Keras;
            the paper's equations have none.
        seed: Integer or `None`. Seed of the dropout.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(B, T, D)`.
        mask: Boolean `(B, T)`, `True` where there is something to see. The
            rows that it hides are not seen by any other, and are zeros. Taken
            from `inputs` when it carries a Keras mask, and handed on.
        attention_mask: Boolean `(T, T)`, `(B, T, T)` or `(B, N, T, T)`, `True`
            where a position (last axis but one) may see another (last axis).
            As every mask here, it may also hold 1 and 0.
        return_attention_scores: Boolean. Whether to return the weights too.
        training: Boolean. Whether to apply the dropout.
        use_causal_mask: Boolean. Whether to hide from each position those that
            come after it.

    Returns:
        The output, `(B, T, D)`; with `return_attention_scores=True`,
        `(output, weights)`, where weights is `(B, N, T, T)`, before dropout,
        and its rows sum to one. A position that sees nothing has zeros in
        both.

    Raises:
        ValueError: If `num_heads` is below 1 or does not divide the depth, the
            input's rank is not 3, its depth is not known, or a mask holds other
            than booleans, 1 and 0, or has another shape.

    Example:

    >>> import numpy as np
    >>> layer = SelfAttention(num_heads=4)
    >>> words = np.ones((2, 5, 16), "float32")
    >>> output, weights = layer(words, return_attention_scores=True)
    >>> tuple(output.shape), tuple(weights.shape)
    ((2, 5, 16), (2, 4, 5, 5))

    Notation: `num_heads` is h, `D` is d_model.

    Departures: biases by default, as in Keras.

    Reference:
        Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin.
        Attention Is All You Need. NeurIPS 2017, section 3.2.
        https://arxiv.org/abs/1706.03762
    """

    def __init__(
        self, num_heads=1, dropout=0.0, use_bias=True, seed=None, **kwargs
    ):
        check_sizes("how many looks are taken", num_heads=num_heads)
        check_share("dropout", dropout, "a share that leaves something")
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.dropout = dropout
        self.use_bias = use_bias
        self.seed = seed
        self.supports_masking = True

    def build(self, inputs_shape):
        depth = inputs_shape[-1]
        if depth is None or depth % self.num_heads:
            raise ValueError(
                "`num_heads` must divide the depth of the input, its last "
                "axis: every head takes an equal part. Received: "
                f"num_heads={self.num_heads}, inputs_shape={inputs_shape}"
            )
        self.attention = MultiHeadAttention(
            self.num_heads,
            depth // self.num_heads,
            dropout=self.dropout,
            use_bias=self.use_bias,
            seed=self.seed,
            dtype=self.dtype_policy,
            name="attention",
        )
        self.attention.build(inputs_shape, inputs_shape)

    def call(
        self,
        inputs,
        mask=None,
        attention_mask=None,
        return_attention_scores=False,
        training=None,
        use_causal_mask=False,
    ):
        mask = check_mask("mask", mask, inputs.shape[:2])
        return self.attention(
            inputs,
            inputs,
            query_mask=mask,
            value_mask=mask,
            attention_mask=attention_mask,
            return_attention_scores=return_attention_scores,
            training=training,
            use_causal_mask=use_causal_mask,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "seed": self.seed,
        }
