"""The Transformer's decoder block of Vaswani et al. (2017)."""

import keras
import numpy as np
from keras import ops

from keras_attention.arguments import (
    check_groups,
    check_positive,
    check_share,
    check_sizes,
)
from keras_attention.functional import (
    as_floats,
    check_attention_mask,
    check_mask,
    check_position_encoding,
    combine_masks,
    known_integer,
    known_values,
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
    time: with a `cache`, first that of `new_cache`, the block keeps the keys
    and values of all positions so far, and `target` is the new ones alone. If
    it keeps those of the memory too, `memory` may be left out. The numbers are
    the same. It works inside `keras.ops.while_loop`, with a tensor as
    `cache_index`; a loop of steps exports to LiteRT, with a free batch and with
    one index for each row too (measured: builtin operators, 5e-7 from Keras).

    Prompts of several lengths in one batch are padded behind and read at once,
    at index 0; from then on `cache_index` holds the length of each row, which
    writes over its padding and sees only its own places up to there.

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
        num_key_value_heads: Positive integer that divides `num_heads`, the
            heads of keys and values, which neighbouring heads of queries share
            (grouped queries), of the memory too. `None` takes `num_heads`.
        position_encoding: `None`; `"rotary"`, queries and keys turned by their
            position, which needs an even depth of each head; or `"alibi"`,
            scores lowered with the distance. Both as in `MultiHeadAttention`.
        rope_max_wavelength: Positive number. With `"rotary"`, the slowest pair
            of channels turns once in nearly `2 pi` times as many positions.
        kernel_initializer: An initializer of Keras, or its name, for all
            kernels.
        output_initializer: The same for the kernels whose products are added to
            the sums, the last ones of attention and of the small network, which
            a deep stack wants smaller. `None` takes `kernel_initializer`.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        target: `(B, T, D)`.
        memory: `(B, Tk, Dk)`, in every call or in none. Not read where the
            cache has it.
        target_mask: Boolean `(B, T)`, `True` where there is something to see.
            Taken from `target` when it carries a Keras mask, which is handed
            on. The rows that it hides are not seen by any other. With a cache
            it may be `(B, Tmax)`, for all its places; what `(B, T)` hides, the
            next call would see, since the cache keeps no mask.
        memory_mask: Boolean `(B, Tk)`, `True` where the memory may be seen.
            Taken from `memory` when it carries a Keras mask; to be given where
            `memory` is left out.
        attention_mask: Boolean `(T, T)`, `(B, T, T)`, `(B, 1, T, T)` or
            `(B, N, T, T)`, `True` where a position (last axis but one) may see
            another (last axis), which does not come later. With a cache the
            last axis is all its places, Tmax. As every mask here, it may also
            hold 1 and 0.
        cache: Dict of `"key"` and `"value"`, each `(B, G, Tmax, D / N)`, with G
            the heads of keys and values, in the layer's compute dtype: zeros at
            first, later what the last call returned. It may have `"memory_key"`
            and `"memory_value"`, `(B, G, Tk, D / N)`, which stay as they are.
        cache_index: Integer, or an integer tensor, scalar or `(B,)`, 0 or more.
            The place of the first of `target`, or of each row's, in the cache,
            which must hold all of it.
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
            does not divide the depth or `num_key_value_heads` `num_heads`,
            `position_encoding` is not known, or is rotary and the depth of a
            head odd, `rope_max_wavelength` is not positive, the depth is not
            known, the memory is there in some calls and not in others, `cache`
            and `cache_index` are not given together, the target does not fit
            into the cache, as far as that is known before the layer runs,
            `cache_index` is neither an integer nor one for each row, or a mask
            holds other than booleans, 1 and 0, or has another shape.

    Example:

    >>> import numpy as np
    >>> layer = TransformerDecoder(intermediate_dim=64, num_heads=4)
    >>> target = np.ones((2, 3, 16), "float32")
    >>> memory = np.ones((2, 5, 16), "float32")
    >>> output, weights = layer(target, memory, return_attention_scores=True)
    >>> tuple(weights["self"].shape), tuple(weights["cross"].shape)
    ((2, 4, 3, 3), (2, 4, 3, 5))

    Step by step, with room for 10 positions:

    >>> cache = layer.new_cache(batch_size=2, length=10, memory=memory)
    >>> for i in range(3):
    ...     step, cache = layer(
    ...         target[:, i : i + 1], cache=cache, cache_index=i
    ...     )
    >>> bool(ops.max(ops.abs(step[:, 0] - output[:, 2])) < 1e-5)
    True

    Notation: `intermediate_dim` is d_ff, `num_heads` is h, the depth is
    d_model.

    Departures: the projections of attention have biases, as in Keras.
    `normalize_first` came later: it is figure 1 (b) of Xiong et al. (2020).
    So did grouped queries and the position encodings, which are in the
    self-attention alone.

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
        kernel_initializer="glorot_uniform",
        output_initializer=None,
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
        self.kernel_initializer = kernel_initializer
        self.output_initializer = output_initializer
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
        check_position_encoding(self.position_encoding, depth // self.num_heads)
        self.self_attention = self._attention(
            "self_attention",
            depth,
            position_encoding=self.position_encoding,
            rope_max_wavelength=self.rope_max_wavelength,
        )
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
            kernel_initializer=_another(self.kernel_initializer),
            dtype=self.dtype_policy,
            name="expand",
        )
        self.contract = keras.layers.Dense(
            depth,
            kernel_initializer=_another(
                self.output_initializer or self.kernel_initializer
            ),
            dtype=self.dtype_policy,
            name="contract",
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
        attention_mask=None,
        cache=None,
        cache_index=None,
        return_attention_scores=False,
        training=None,
    ):
        self._check_memory(memory, cache)
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
                attention_mask=attention_mask,
                return_attention_scores=return_attention_scores,
                use_causal_mask=True,
            )
            if return_attention_scores:
                added, weights["self"] = added
        else:
            added, weights["self"], cache = self._attend_cached(
                read, target_mask, attention_mask, cache, cache_index
            )
        x = self._after(self.self_attention_norm, target, added, training)

        if self.has_memory:
            added, weights["cross"] = self._attend_memory(
                self._before(self.cross_attention_norm, x),
                memory,
                memory_mask,
                cache,
                return_attention_scores,
            )
            x = self._after(self.cross_attention_norm, x, added, training)

        read = self._before(self.feed_forward_norm, x)
        added = self.contract(self.expand(read))
        outputs = [self._after(self.feed_forward_norm, x, added, training)]

        if return_attention_scores:
            outputs.append(weights if self.has_memory else weights["self"])
        if cache is not None:
            outputs.append(cache)
        return tuple(outputs) if len(outputs) > 1 else outputs[0]

    def new_cache(self, batch_size, length, memory=None):
        """An empty cache, in which the memory may be projected already.

        Args:
            batch_size: Integer, or a scalar integer tensor.
            length: Positive integer, Tmax: the places of the cache.
            memory: `(B, Tk, Dk)`, to project its keys and values once for all
                steps. `None` leaves it to be given in every call.

        Returns:
            Dict of `"key"` and `"value"`, zeros `(B, G, length, D / N)` in the
            compute dtype; with a memory also `"memory_key"` and
            `"memory_value"`, `(B, G, Tk, D / N)`.

        Raises:
            ValueError: If `length` is no positive integer, or the layer is not
                built, or was built without memory and is given one.
        """
        check_sizes("the places of the cache", length=length)
        if not self.built or (memory is not None and not self.has_memory):
            raise ValueError(
                "The layer must be built before it makes a cache, and built "
                "for a memory to project one: call it once, or `build`. "
                f"Received: memory={_said(memory)}, built={self.built}"
            )
        attention = self.self_attention
        heads = attention.key_value_heads
        shape = (batch_size, heads, length, attention.key_dim)
        cache = {
            name: ops.zeros(shape, self.compute_dtype)
            for name in ("key", "value")
        }
        if memory is not None:
            key, value = self.cross_attention.keys_and_values(memory)
            cache.update(memory_key=key, memory_value=value)
        return cache

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
            "kernel_initializer": self.kernel_initializer,
            "output_initializer": self.output_initializer,
        }

    def _attend_cached(self, read, mask, attention_mask, cache, index):
        """The new positions look over the cache, once they are in it."""
        self._check_cache(read, cache, index)
        index = ops.cast(index, "int32")
        own = ops.arange(ops.shape(read)[1], dtype="int32")[None]
        own = own + ops.reshape(index, (-1, 1))  # (1, T) or (B, T)
        key, value = self.self_attention.keys_and_values(read, own)
        cache = {
            **cache,
            "key": _written(cache["key"], index, key),
            "value": _written(cache["value"], index, value),
        }
        visible = self._visible(read, mask, attention_mask, cache, own)
        output, weights = self.self_attention.attend(
            read, cache["key"], cache["value"], visible, own
        )
        return output, weights, cache

    def _visible(self, read, mask, attention_mask, cache, own):
        """Which new position sees which place of the cache, of rank 4."""
        (rows, length), room = read.shape[:2], cache["key"].shape[2]
        places = ops.arange(ops.shape(cache["key"])[2], dtype="int32")
        visible = (places <= own[:, :, None])[:, None]
        if mask is not None:
            of_new = np.shape(mask)[1:] == (length,) and length != room
            size = length if of_new else room
            mask = check_mask("target_mask", mask, (rows, size))
            kept, asked = _kept_and_asked(
                mask, places == own[:, :, None], of_new
            )
            visible = combine_masks(
                visible, kept[:, None, None], asked[:, None, :, None]
            )
        return combine_masks(
            visible,
            check_attention_mask(
                attention_mask, (rows, length, room), self.num_heads
            ),
        )

    def _attend_memory(self, read, memory, mask, cache, return_scores):
        """What the target reads of the memory, and the weights if asked for."""
        if _keeps_memory(cache):
            key, value = cache["memory_key"], cache["memory_value"]
            mask = check_mask("memory_mask", mask, (key.shape[0], key.shape[2]))
            if mask is not None:
                mask = mask[:, None, None]
            return self.cross_attention.attend(read, key, value, mask)
        added = self.cross_attention(
            read,
            memory,
            value_mask=check_mask("memory_mask", mask, memory.shape[:2]),
            return_attention_scores=return_scores,
        )
        return added if return_scores else (added, None)

    def _check_memory(self, memory, cache):
        given = memory is not None or _keeps_memory(cache)
        if self.has_memory != given:
            raise ValueError(
                "`memory` must be given, or kept in the cache, in every call "
                "or in none: the layer was built for it, or without its "
                "weights. Received: "
                f"memory={_said(memory)}, "
                f"built {'with' if self.has_memory else 'without'} one"
            )

    def _check_cache(self, target, cache, index):
        if cache is None or index is None:
            raise ValueError(
                "`cache` and `cache_index` must be given together: the one "
                "says what is kept, the other where the target belongs. "
                f"Received: cache={cache}, cache_index={index}"
            )
        room, length = cache["key"].shape[2], target.shape[1]
        first = _known_places(index, target.shape[0])
        beyond = isinstance(room, int) and (
            max(first) + (length if isinstance(length, int) else 0) > room
        )
        if min(first) < 0 or beyond:
            raise ValueError(
                "The cache must have a place for all of the target, the first "
                "place being 0. Received: "
                f"cache of {room} places, cache_index={index}, "
                f"target of shape {tuple(target.shape)}"
            )

    def _before(self, norm, x):
        return norm(x) if self.normalize_first else x

    def _after(self, norm, x, added, training):
        x = x + self.residual_dropout(added, training=training)
        return x if self.normalize_first else norm(x)

    def _attention(self, name, depth, **options):
        return MultiHeadAttention(
            self.num_heads,
            depth // self.num_heads,
            num_key_value_heads=self.num_key_value_heads,
            kernel_initializer=self.kernel_initializer,
            output_initializer=self.output_initializer,
            **options,
            dtype=self.dtype_policy,
            name=name,
        )

    def _norm(self, name):
        return keras.layers.LayerNormalization(
            epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name=name
        )


def _another(initializer):
    """One of its own: given to two layers, it would draw equal kernels."""
    named = not isinstance(initializer, keras.initializers.Initializer)
    return initializer if named else initializer.clone()


def _said(memory):
    return None if memory is None else "a tensor"


def _keeps_memory(cache):
    return cache is not None and "memory_key" in cache


def _known_places(index, rows):
    """The places of `cache_index`, as far as they are known; else 0."""
    shape = tuple(np.shape(index))
    if not shape:
        return [known_integer("cache_index", index) or 0]
    known = isinstance(rows, int) and isinstance(shape[0], int)
    if len(shape) > 1 or (known and shape[0] != rows) or not _integers(index):
        raise ValueError(
            "`cache_index` must be an integer or integers `(B,)`, one for each "
            f"row of the target. Received: cache_index={index}, target of "
            f"{rows} rows"
        )
    values = known_values(index)
    return [0] if values is None else values.tolist()


def _integers(values):
    dtype = getattr(values, "dtype", None) or np.asarray(values).dtype
    return "int" in str(dtype)


def _written(cache, index, new):
    """The cache with `new` from place `index` on, or from one in each row.

    Rows of their own, and one place alone, are written by choosing, place by
    place, between what was there and what is new: of operators that every
    export has.
    """
    places = ops.arange(ops.shape(cache)[2], dtype="int32")
    if len(index.shape) == 0:
        if new.shape[2] == 1:
            return ops.where((places == index)[:, None], new, cache)
        return ops.slice_update(cache, (0, 0, index, 0), new)
    length = ops.shape(new)[2]
    source = places - index[:, None]  # (B, Tmax), which of `new` belongs here
    inside = ops.logical_and(source >= 0, source < length)
    source = ops.clip(source, 0, length - 1)
    moved = ops.take_along_axis(new, source[:, None, :, None], axis=2)
    return ops.where(inside[:, None, :, None], moved, cache)


def _kept_and_asked(mask, here, of_new):
    """What a target mask shows of the cache, and of the new positions.

    Args:
        mask: Boolean `(B, T)`, of new positions, or `(B, Tmax)`.
        here: Boolean `(B, T, Tmax)`, which place a new position has.
        of_new: Boolean, which of the two `mask` is.

    Returns:
        Booleans `(B, Tmax)` and `(B, T)`.
    """
    if of_new:
        hidden = ops.logical_and(here, ops.logical_not(mask)[:, :, None])
        return ops.logical_not(ops.any(hidden, axis=1)), mask
    return mask, ops.any(ops.logical_and(here, mask[:, None]), axis=2)
