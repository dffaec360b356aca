"""Top-down attention of Anderson et al. (2018), over regions of an image."""

import keras
from keras import ops

from keras_attention.arguments import check_known_depth, check_sizes
from keras_attention.functional import (
    additive_scores,
    default_block_size,
    masked_softmax,
    visible_pairs,
    weighted_sum,
)
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class TopDownAttention(keras.layers.Layer):
    """Top-down attention: the decoder's state weights regions of an image.

    Regions, such as the objects found by a detector, are the bottom-up part.
    The query, the top-down part, scores each of them:

        scores[i, j] = w . tanh(W value[j] + U query[i])
        weights[i, :] = softmax(scores[i, :])
        context[i] = sum_j weights[i, j] * value[j]

    There are no biases. In the paper's captioner, the query is the output of
    the attention LSTM at this word. Images with fewer regions than others are
    padded, and their padding is hidden by `value_mask`.

    A decoder that takes one step at a time calls `project(value)` once, and
    `attend(query, projected, value)` at each step; both give what a call gives.

    Args:
        units: Positive integer. Width of the scoring network.
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
        training: Boolean. Changes nothing: the layer has no dropout.
        use_causal_mask: Boolean. Whether a query sees no key that comes after
            it; the last query stands at the last key.

    Returns:
        The context, `(B, Tq, Dv)`; with `return_attention_scores=True`
        `(context, weights)`, where weights is `(B, Tq, Tk)` and its rows sum
        to one, to zero where nothing may be seen.

    Raises:
        ValueError: If `units` is not positive, sizes do not fit, or a mask
            holds other than booleans, 1 and 0, or has another shape.

    Example:

    >>> import numpy as np
    >>> layer = TopDownAttention(units=8)
    >>> state = np.ones((2, 1, 16), "float32")
    >>> regions = np.ones((2, 36, 32), "float32")
    >>> context, weights = layer(state, regions, return_attention_scores=True)
    >>> tuple(context.shape), tuple(weights.shape)
    ((2, 1, 32), (2, 1, 36))
    >>> projected = layer.project(regions)
    >>> context, weights = layer.attend(state, projected, regions)
    >>> tuple(context.shape), tuple(weights.shape)
    ((2, 1, 32), (2, 1, 36))

    Notation: query, values, weights and context are h_t^1, v_i, alpha_t and
    v-hat_t, `W`, `U` and `w` are W_va, W_ha and w_a, and the scores a_t, in the
    paper.

    Departures: none in the equations, which are those of `BahdanauAttention`
    (that layer has dropout and no single steps). Weights start by Glorot's
    rule; the authors' code starts them close to zero.

    Reference:
        Anderson, He, Buehler, Teney, Johnson, Gould, Zhang. Bottom-Up and
        Top-Down Attention for Image Captioning and Visual Question Answering.
        CVPR 2018, section 3.2.1. https://arxiv.org/abs/1707.07998
    """

    def __init__(self, units, **kwargs):
        check_sizes("the width of the scoring network", units=units)
        super().__init__(**kwargs)
        self.units = units
        self.supports_masking = True
        self.query_projection = keras.layers.Dense(
            units, use_bias=False, dtype=self.dtype_policy, name="query"
        )
        self.key_projection = keras.layers.Dense(
            units, use_bias=False, dtype=self.dtype_policy, name="key"
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
        context, weights = self._read(query, self.project(key), value, mask)
        return (context, weights) if return_attention_scores else context

    def project(self, value):
        """What the scores need of the regions, the same for every query.

        Args:
            value: `(B, Tk, Dv)`; the keys, where they are others.

        Returns:
            `(B, Tk, units)`.

        Raises:
            ValueError: If the layer is not built.
        """
        self._check_built()
        return self.key_projection(value)

    def attend(self, query, projected, value, mask=None):
        """One step or several, over regions that are projected already.

        Args:
            query: `(B, Tq, Dq)`.
            projected: `(B, Tk, units)`, from `project`.
            value: `(B, Tk, Dv)`.
            mask: Boolean `(B, Tk)`, `True` where a region may be seen, or
                `(B, Tq, Tk)`, where every axis but the last may be 1; or
                `None`.

        Returns:
            The context `(B, Tq, Dv)` and the weights `(B, Tq, Tk)`.

        Raises:
            ValueError: If the layer is not built, or shapes or the mask do not
                fit.
        """
        self._check_built()
        rank = None if mask is None else len(mask.shape)
        kind = "value_mask" if rank == 2 else "attention_mask"
        mask = visible_pairs(query, value, projected, **{kind: mask})
        return self._read(query, projected, value, mask)

    def _read(self, query, projected, value, mask):
        scores = additive_scores(
            self.query_projection(query),
            projected,
            ops.cast(self.score_vector, self.compute_dtype),
            default_block_size(query.shape[1], value.shape[1], self.units),
        )
        weights = masked_softmax(scores, mask)
        return weighted_sum(weights, ops.cast(value, weights.dtype)), weights

    def _check_built(self):
        if not self.built:
            raise ValueError(
                "The layer must be built before one of its steps is taken, by "
                "a call or by `build`. Received: built=False"
            )

    def get_config(self):
        return {**super().get_config(), "units": self.units}
