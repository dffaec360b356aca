"""Attention pooling of Yang et al. (2016): the query is a learned vector."""

import keras
from keras import ops

from keras_attention.arguments import check_known_depth, check_sizes
from keras_attention.functional import check_mask, masked_softmax, weighted_sum
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class AttentionPooling(keras.layers.Layer):
    """Sums up a sequence: learns what to look for, and reads it.

    A learned vector asks "what matters here?" of every position:

        u[t] = tanh(W inputs[t] + b)
        weights = softmax over t of u[t] . c
        output = sum_t weights[t] * inputs[t]

    Args:
        units: Positive integer. Width of the scoring network.
        num_queries: Positive integer, how many context vectors look, each for
            something else; `None` is one, without an axis of its own.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(B, T, D)`.
        mask: Boolean `(B, T)`, `True` where a position may be seen. Taken from
            `inputs` when they carry a Keras mask.
        return_attention_scores: Boolean. Whether to return the weights too.

    Returns:
        `(B, D)`, or `(B, num_queries, D)`; with `return_attention_scores=True`
        a pair with the weights, `(B, T)`, or `(B, num_queries, T)`, which sum
        to one over T. A sequence without a visible position gives zeros.

    Raises:
        ValueError: If `units` or `num_queries` is not positive, the inputs are
            not of rank 3, or the mask holds other than booleans, 1 and 0, or
            has another shape.

    Example:

    >>> import numpy as np
    >>> words = np.ones((2, 7, 16), "float32")
    >>> sentence, weights = AttentionPooling(units=8)(
    ...     words, return_attention_scores=True
    ... )
    >>> tuple(sentence.shape), tuple(weights.shape)
    ((2, 16), (2, 7))

    Notation: `inputs[t]` is h_it, `W` is W_w, `b` is b_w, `c` is u_w and the
    weights are alpha_it in the paper.

    Departures: several queries are ours.

    Reference:
        Yang, Yang, Dyer, He, Smola, Hovy. Hierarchical Attention Networks for
        Document Classification. NAACL 2016, equations 5 to 7.
        https://aclanthology.org/N16-1174
    """

    def __init__(self, units, num_queries=None, **kwargs):
        check_sizes("the width of the scoring network", units=units)
        check_sizes(
            "the context vectors that look, or None",
            optional=("num_queries",),
            num_queries=num_queries,
        )
        super().__init__(**kwargs)
        self.units = units
        self.num_queries = num_queries
        self.supports_masking = True
        self.hidden = keras.layers.Dense(
            units, activation="tanh", dtype=self.dtype_policy, name="hidden"
        )

    def build(self, input_shape):
        check_known_depth(self, input_shape=input_shape)
        if len(input_shape) != 3:
            raise ValueError(
                "The inputs must be a sequence of vectors, (B, T, D). "
                f"Received: input_shape={tuple(input_shape)}"
            )
        self.hidden.build(input_shape)
        self.context_vectors = self.add_weight(
            name="context_vectors",
            shape=(self.units, self.num_queries or 1),
            initializer="glorot_uniform",
        )

    def call(self, inputs, mask=None, return_attention_scores=False):
        mask = check_mask("mask", mask, inputs.shape[:2])
        scores = ops.matmul(self.hidden(inputs), self.context_vectors)
        if scores.shape[2] == 1:
            # tf2onnx writes a transposition as a reshape to a batch of one.
            scores = ops.expand_dims(ops.squeeze(scores, axis=2), axis=1)
        else:
            scores = ops.swapaxes(scores, 1, 2)
        weights = masked_softmax(
            scores, None if mask is None else ops.expand_dims(mask, axis=1)
        )
        output = weighted_sum(weights, inputs)
        if self.num_queries is None:
            output = ops.squeeze(output, axis=1)
            weights = ops.squeeze(weights, axis=1)
        return (output, weights) if return_attention_scores else output

    def compute_mask(self, inputs, previous_mask=None):
        return None

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "num_queries": self.num_queries,
        }
