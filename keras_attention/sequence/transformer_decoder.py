"""The Transformer's decoder block of Vaswani et al. (2017)."""

import keras
import numpy as np
from keras import ops

from keras_attention.arguments import (
    check_positive,
    check_share,
    check_sizes,
)
from keras_attention.functional import (
    as_floats,
    check_mask,
    combine_masks,
    known_integer,
    scaled_dot_product_attention,
)
from keras_attention.sequence.multi_head_attention import MultiHeadAttention
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class TransformerDecoder(keras.layers.Layer):
    """One block of a Transformer's decoder; without memory, one of GPT.

    Every position looks at itself and at those before it, then at what an
    encoder made of another sequence, the memory; then a small network works on
    each position alone. Around each there is a sum with what came in:

        x = norm(target + drop(causal_attention(target)))
        x = norm(x + drop(attention(x, memory)))
        output = norm(x + drop(feed_forward(x)))
        feed_forward(x) = activation(x W1 + b1) W2 + b2

    and with `normalize_first=True`, which trains without a warm-up, each part
    reads `norm(x)` instead and the sums stay as they are; the last block of a
    stack then wants one more normalisation behind it.

    Whether there is a memory is decided when the layer is built: without one
    it has no second line, and is the block of GPT.

    A sequence that grows step by step need not be read from its start each
    time: with a `cache` the block keeps the keys and values of all positions
    so far, and `target` is the new ones alone. The numbers are the same. It
    works inside `keras.ops.while_loop`, with a tensor as `cache_index`.

    The dropout is the paper's, on what is added to the sum; its seed is Keras's
    global one. The weights are not dropped, so the fused attention runs in
    training too.

    Args:
        intermediate_dim: Positive integer. Width of the small network's hidden
            layer; 4 times the depth in the paper.
        num_heads: Positive integer that divides the depth of the target.
        dropout: Float in [0, 1). Share dropped, in training, of what each part
            adds.
        activation: An activation of Keras, or its name, of the hidden layer.
        layer_norm_epsilon: Positive float, added to the variance.
        normalize_first: Boolean. Whether each part normalises what it reads,
            not the sum that it leaves.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        target: `(B, T, D)`.
        memory: `(B, Tk, Dk)`, in every call or in none.
        target_mask: Boolean `(B, T)`, `True` where there is something to see.
            Taken from `target` when it carries a Keras mask, which is handed
            on. The rows that it hides are not seen by any other. With a cache
            it may be `(B, Tmax)`, for all its places; what `(B, T)` hides, the
            next call would see, since the cache keeps no mask.
        memory_mask: Boolean `(B, Tk)`, `True` where the memory may be seen.
            Taken from `memory` when it carries a Keras mask.
        cache: Dict of `"key"` and `"value"`, each `(B, N, Tmax, D / N)` in the
            layer's compute dtype: zeros at first, later what the last call
            returned.
        cache_index: Integer, or a scalar integer tensor, 0 or more. The place
            of the first of `target` in the cache, which must hold all of it.
        return_attention_scores: Boolean. Whether to return the weights too.
        training: Boolean. Whether to apply the dropout.

    Returns:
        The new sequence, `(B, T, D)`; with `return_attention_scores=True`
        `(output, weights)`; with a cache, it comes last. The weights are
        `(B, N, T, T)`, with a cache `(B, N, T, Tmax)`, and each row sums to
        one, to zero where nothing can be seen. With a memory they are a dict
        of these, `"self"`, and of `"cross"`, `(B, N, T, Tk)`.

    Raises:
        ValueError: If `intermediate_dim` or `num_heads` is below 1, `num_heads`
            does not divide the depth, the depth is not known, the memory is
            there in some calls and not in others, `cache` and `cache_index` are
            not given together, the target does not fit into the cache, as far
            as that is known before the layer runs, or a mask holds other than
            booleans, 1 and 0, or has another shape.

    Example:

    >>> import numpy as np
    >>> layer = TransformerDecoder(intermediate_dim=64, num_heads=4)
    >>> target = np.ones((2, 3, 16), "float32")
    >>> memory = np.ones((2, 5, 16), "float32")
    >>> output, weights = layer(target, memory, return_attention_scores=True)
    >>> tuple(weights["self"].shape), tuple(weights["cross"].shape)
    ((2, 4, 3, 3), (2, 4, 3, 5))

    Step by step, with room for 10 positions:

    >>> cache = {name: np.zeros((2, 4, 10, 4)) for name in ("key", "value")}
    >>> for i in range(3):
    ...     step, cache = layer(
    ...         target[:, i : i + 1], memory, cache=cache, cache_index=i
    ...     )
    >>> bool(ops.max(ops.abs(step[:, 0] - output[:, 2])) < 1e-5)
    True

    Notation: `intermediate_dim` is d_ff, `num_heads` is h, the depth is
    d_model.

    Departures: the projections of attention have biases, as in Keras.
    `normalize_first` came later: it is figure 1 (b) of Xiong et al. (2020).

    Reference:
        Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin.
        Attention Is All You Need. NeurIPS 2017, sections 3.1, 3.3 and 5.4.
        https://arxiv.org/abs/1706.03762
        Xiong et al. On Layer Normalization in the Transformer Architecture.
        ICML 2020, figure 1. https://arxiv.org/abs/2002.04745
    """

    def __init__(
        self,
        intermediate_dim,
        num_heads,
        dropout=0.0,
        activation="relu",
        layer_norm_epsilon=1e-5,
        normalize_first=False,
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
        super().__init__(**kwargs)
        self.intermediate_dim = intermediate_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.activation = keras.activations.get(activation)
        self.layer_norm_epsilon = layer_norm_epsilon
        self.normalize_first = normalize_first
        self.supports_masking = True
        self.residual_dropout = keras.layers.Dropout(
            dropout, dtype=self.dtype_policy, name="dropout"
        )

    def build(self, target_shape, memory_shape=None):
        depth = target_shape[-1]
        if depth is None or depth % self.num_heads:
            raise ValueError(
                "`num_heads` must divide the depth of the target, its last "
                "axis: every head takes an equal part. Received: "
                f"num_heads={self.num_heads}, target_shape={target_shape}"
            )
        self.self_attention = self._attention("self_attention", depth)
        self.self_attention_norm = self._norm("self_attention_norm")
        self.self_attention.build(target_shape, target_shape)
        self.self_attention_norm.build(target_shape)

        self.has_memory = memory_shape is not None
        if self.has_memory:
            self.cross_attention = self._attention("cross_attention", depth)
            self.cross_attention_norm = self._norm("cross_attention_norm")
            self.cross_attention.build(target_shape, memory_shape)
            self.cross_attention_norm.build(target_shape)

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
        self.expand.build(target_shape)
        self.contract.build((*target_shape[:-1], self.intermediate_dim))
        self.feed_forward_norm.build(target_shape)

    def call(
        self,
        target,
        memory=None,
        target_mask=None,
        memory_mask=None,
        cache=None,
        cache_index=None,
        return_attention_scores=False,
        training=None,
    ):
        if self.has_memory != (memory is not None):
            raise ValueError(
                "`memory` must be given in every call or in none: the layer "
                "was built for it, or without its weights. Received: "
                f"memory={'a tensor' if memory is not None else None}, "
                f"built {'with' if self.has_memory else 'without'} one"
            )
        if self.has_memory:
            memory_mask = check_mask(
                "memory_mask", memory_mask, memory.shape[:2]
            )
        target = as_floats(target, self.compute_dtype)
        weights = {}

        read = self._before(self.self_attention_norm, target)
        if cache is None and cache_index is None:
            target_mask = check_mask(
                "target_mask", target_mask, target.shape[:2]
            )
            added = self.self_attention(
                read,
                read,
                query_mask=target_mask,
                value_mask=target_mask,
                return_attention_scores=return_attention_scores,
                use_causal_mask=True,
            )
            if return_attention_scores:
                added, weights["self"] = added
        else:
            target_mask = self._check_cache(
                target, target_mask, cache, cache_index
            )
            added, weights["self"], cache = self._attend_cached(
                read, target_mask, cache, cache_index
            )
        x = self._after(self.self_attention_norm, target, added, training)

        if self.has_memory:
            added = self.cross_attention(
                self._before(self.cross_attention_norm, x),
                memory,
                value_mask=memory_mask,
                return_attention_scores=return_attention_scores,
            )
            if return_attention_scores:
                added, weights["cross"] = added
            x = self._after(self.cross_attention_norm, x, added, training)

        read = self._before(self.feed_forward_norm, x)
        added = self.contract(self.expand(read))
        outputs = [self._after(self.feed_forward_norm, x, added, training)]

        if return_attention_scores:
            outputs.append(weights if self.has_memory else weights["self"])
        if cache is not None:
            outputs.append(cache)
        return tuple(outputs) if len(outputs) > 1 else outputs[0]

    def get_config(self):
        return {
            **super().get_config(),
            "intermediate_dim": self.intermediate_dim,
            "num_heads": self.num_heads,
            "dropout": self.dropout,
            "activation": keras.activations.serialize(self.activation),
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "normalize_first": self.normalize_first,
        }

    def _attend_cached(self, read, target_mask, cache, index):
        """The new positions look over the cache, once they are in it."""
        attention = self.self_attention
        query, key, value = (
            ops.swapaxes(projection(read), 1, 2)
            for projection in (
                attention.query_projection,
                attention.key_projection,
                attention.value_projection,
            )
        )
        index = ops.cast(index, "int32")
        start = (0, 0, index, 0)
        cache = {
            "key": ops.slice_update(cache["key"], start, key),
            "value": ops.slice_update(cache["value"], start, value),
        }
        own = ops.arange(ops.shape(read)[1], dtype="int32") + index
        room = ops.shape(cache["key"])[2]
        visible = (ops.arange(room, dtype="int32") <= own[:, None])[None]
        if target_mask is not None:
            kept = target_mask
            if kept.shape[1] != cache["key"].shape[2]:
                others = ops.ones((ops.shape(kept)[0], room), "bool")
                kept = ops.slice_update(others, (0, index), kept)
            asked = ops.take(kept, own, axis=1)
            visible = combine_masks(visible, kept[:, None], asked[:, :, None])
        context, weights = scaled_dot_product_attention(
            query, cache["key"], cache["value"], visible[:, None]
        )
        output = attention.output_projection(ops.swapaxes(context, 1, 2))
        sees = ops.any(visible, axis=-1, keepdims=True)
        output = ops.where(sees, output, ops.zeros_like(output))
        return output, weights, cache

    def _check_cache(self, target, target_mask, cache, index):
        if cache is None or index is None:
            raise ValueError(
                "`cache` and `cache_index` must be given together: the one "
                "says what is kept, the other where the target belongs. "
                f"Received: cache={cache}, cache_index={index}"
            )
        room, length = cache["key"].shape[2], target.shape[1]
        first = known_integer("cache_index", index) or 0
        beyond = isinstance(room, int) and (
            first + (length if isinstance(length, int) else 0) > room
        )
        if first < 0 or beyond:
            raise ValueError(
                "The cache must have a place for all of the target, the first "
                "place being 0. Received: "
                f"cache of {room} places, cache_index={index}, "
                f"target of shape {tuple(target.shape)}"
            )
        if np.shape(target_mask)[1:] == (length,):
            room = length
        return check_mask("target_mask", target_mask, (target.shape[0], room))

    def _before(self, norm, x):
        return norm(x) if self.normalize_first else x

    def _after(self, norm, x, added, training):
        x = x + self.residual_dropout(added, training=training)
        return x if self.normalize_first else norm(x)

    def _attention(self, name, depth):
        return MultiHeadAttention(
            self.num_heads,
            depth // self.num_heads,
            dtype=self.dtype_policy,
            name=name,
        )

    def _norm(self, name):
        return keras.layers.LayerNormalization(
            epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name=name
        )
