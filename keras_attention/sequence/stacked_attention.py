"""Stacked attention of Yang et al. (2016): a question refined step by step."""

import keras
from keras import ops

from keras_attention.arguments import check_known_depth, check_sizes
from keras_attention.functional import (
    check_mask,
    masked_softmax,
    weighted_sum,
)
from keras_attention.shapes import shapes_by_tracing

OUTPUTS = ("last", "concat")


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class StackedAttention(keras.layers.Layer):
    """Several attention layers, each of which refines the query.

    Each layer scores all places by the query, reads them, and adds what it
    read to the query of the next layer. A question that takes several steps
    ("what colour is the thing on the table?") is answered one step at a time:

        v[i] = value[i], or tanh(W value[i] + b) if its size is not the query's
        u[0] = query
        scores[k, i] = w[k] . tanh(V[k] v[i] + U[k] u[k - 1] + b[k])
        weights[k, :] = softmax(scores[k, :])
        u[k] = u[k - 1] + sum_i weights[k, i] * v[i]

    for k = 1 to `num_layers`. The output is u[k], the refined query. It is the
    baseline of `StackedLatentAttention`, which also passes on the hidden
    features of each place.

    Args:
        units: Positive integer. Width of the scoring networks.
        num_layers: Positive integer. How many times to attend.
        output: `"last"`, the refined query of the last layer, as in the paper;
            or `"concat"`, those of all layers side by side.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        query: `(B, Dq)`, one vector for each sample, such as a question.
        value: `(B, L, Dv)`, the places. A feature map is reshaped to it.
        value_mask: Boolean `(B, L)`, `True` where a place may be seen; it may
            also hold 1 and 0. Taken from `value` when it carries a Keras mask.
        return_attention_scores: Boolean. Whether to return the weights too.

    Returns:
        `(B, Dq)`, or `(B, num_layers * Dq)`; with
        `return_attention_scores=True` a pair with the weights,
        `(B, num_layers, L)`, whose rows sum to one. Where nothing may be seen,
        the weights are zero and the query is not changed.

    Raises:
        ValueError: If `units` or `num_layers` is not positive, `output` is
            unknown, the shapes are not those above, or the mask holds other
            than booleans, 1 and 0, or has another shape.

    Example:

    >>> import numpy as np
    >>> layer = StackedAttention(units=8, num_layers=2)
    >>> question = np.ones((2, 16), "float32")
    >>> places = np.ones((2, 49, 32), "float32")
    >>> refined, weights = layer(question, places, return_attention_scores=True)
    >>> tuple(refined.shape), tuple(weights.shape)
    ((2, 16), (2, 2, 49))

    Notation: query, places v[i], U, V, w and weights of layer k are v_Q, v_I,
    W_Q,A, W_I,A, W_P and p_I, and u[k] is u^k, in the paper.

    Departures: the paper always projects the features of an image to the size
    of the question; here that is done only if the sizes differ. The bias of
    the score, one number for all places, changes no weight and is left out.
    `output="concat"` is ours.

    Reference:
        Yang, He, Gao, Deng, Smola. Stacked Attention Networks for Image
        Question Answering. CVPR 2016, sections on the image model and on the
        stacked attention networks.
        https://arxiv.org/abs/1511.02274
    """

    def __init__(self, units, num_layers, output="last", **kwargs):
        check_sizes("the width of the scoring networks", units=units)
        check_sizes("how many times to attend", num_layers=num_layers)
        if output not in OUTPUTS:
            raise ValueError(
                f"`output` must be one of {OUTPUTS}, the last layer's or all "
                f"side by side. Received: output={output!r}"
            )
        super().__init__(**kwargs)
        self.units = units
        self.num_layers = num_layers
        self.returned = output  # Keras has an attribute `output` of its own.
        self.supports_masking = True
        layers = range(1, num_layers + 1)
        self.query_projections = [
            self._dense(units, f"query_{k}", use_bias=False) for k in layers
        ]
        self.value_projections = [
            self._dense(units, f"value_{k}") for k in layers
        ]
        self.scorers = [
            self._dense(1, f"score_{k}", use_bias=False) for k in layers
        ]

    def _dense(self, units, name, **options):
        return keras.layers.Dense(
            units, dtype=self.dtype_policy, name=name, **options
        )

    def build(self, query_shape, value_shape):
        check_known_depth(
            self, query_shape=query_shape, value_shape=value_shape
        )
        if len(query_shape) != 2 or len(value_shape) != 3:
            raise ValueError(
                "`query` must be one vector for each sample, (B, Dq), and "
                "`value` a sequence of them, (B, L, Dv). "
                f"Received: query_shape={tuple(query_shape)}, "
                f"value_shape={tuple(value_shape)}"
            )
        self.resizing = None
        if query_shape[-1] != value_shape[-1]:
            self.resizing = self._dense(
                query_shape[-1], "value", activation="tanh"
            )
            self.resizing.build(value_shape)
            value_shape = (*value_shape[:-1], query_shape[-1])
        for k in range(self.num_layers):
            self.query_projections[k].build(query_shape)
            self.value_projections[k].build(value_shape)
            self.scorers[k].build((*value_shape[:-1], self.units))

    def call(
        self, query, value, value_mask=None, return_attention_scores=False
    ):
        mask = check_mask("value_mask", value_mask, value.shape[:2])
        if self.resizing is not None:
            value = self.resizing(value)
        refined, looks = [query], []
        for k in range(self.num_layers):
            hidden = ops.tanh(
                self.value_projections[k](value)
                + ops.expand_dims(self.query_projections[k](refined[-1]), 1)
            )
            scores = ops.squeeze(self.scorers[k](hidden), axis=-1)
            looks.append(masked_softmax(scores, mask))
            read = weighted_sum(ops.expand_dims(looks[-1], axis=1), value)
            refined.append(refined[-1] + ops.squeeze(read, axis=1))
        output = refined[-1]
        if self.returned == "concat":
            output = ops.concatenate(refined[1:], axis=-1)
        if return_attention_scores:
            return output, ops.stack(looks, axis=1)
        return output

    def compute_mask(self, inputs, previous_mask=None):
        return None

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "num_layers": self.num_layers,
            "output": self.returned,
        }
