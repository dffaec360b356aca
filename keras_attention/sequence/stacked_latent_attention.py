"""Stacked latent attention of Fan and Zhou (2018), as far as it is known."""

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
class StackedLatentAttention(keras.layers.Layer):
    """Several attention layers that share a latent map of the places.

    A plain stack (`StackedAttention`) passes on what each layer read, and
    discards the hidden features from which it scored the places. Here these
    features, the latent map, are the path from the first layer to the last, and
    attention is a branch of it: scores are computed from the map, and contexts
    are read from the values.

        s[1, i] = relu(V value[i] + U query + b[1])
        weights[k, :] = softmax over i of w[k] . s[k, i]
        z[k] = sum_i weights[k, i] * value[i]
        s[k + 1, i] = relu(S[k] s[k, i] + Z[k] z[k] + b[k + 1]) + s[k, i]

    for k = 1 to `num_layers`, where `+ s[k, i]` is the skip connection. The
    output is z[k]. Places see each other through z only.

    The query is one vector for each sample, `(B, Dq)`, not a sequence as in
    other query layers: each query has a latent map of its own, and Tq of them
    would take memory of `(B, Tq, L, units)`.

    Args:
        units: Positive integer. Depth of the latent map.
        num_layers: Positive integer. How many times to attend.
        skip: Boolean. Whether each map is added to the next.
        output: `"last"`, what the last layer read; or `"concat"`, what all
            layers read, side by side.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        query: `(B, Dq)`, one vector for each sample, such as a question.
        value: `(B, L, Dv)`, the places. A feature map is reshaped to it.
        value_mask: Boolean `(B, L)`, `True` where a place may be seen; it may
            also hold 1 and 0. Taken from `value` when it carries a Keras mask.
        return_attention_scores: Boolean. Whether to return the weights too.

    Returns:
        `(B, Dv)`, or `(B, num_layers * Dv)`; with
        `return_attention_scores=True` a pair with the weights,
        `(B, num_layers, L)`, whose rows sum to one. Where nothing may be seen,
        both are zero.

    Raises:
        ValueError: If `units` or `num_layers` is not positive, `output` is
            unknown, the shapes are not those above, or the mask holds other
            than booleans, 1 and 0, or has another shape.

    Example:

    >>> import numpy as np
    >>> layer = StackedLatentAttention(units=8, num_layers=2)
    >>> question = np.ones((2, 16), "float32")
    >>> places = np.ones((2, 49, 32), "float32")
    >>> read, weights = layer(question, places, return_attention_scores=True)
    >>> tuple(read.shape), tuple(weights.shape)
    ((2, 32), (2, 2, 49))

    Notation: query, value[i] and weights are h, v_i and p, and the latent map
    and what was read {s_i} and z, in the paper.

    Departures: the wiring is a reconstruction. We could read the paper's
    abstract and summaries of it, not its equations; results of this layer are
    not the paper's. Where it convolves the map, concatenated with z at every
    place, with a kernel of size 1, this layer adds two products, which is equal
    and takes less memory. The two kernels are initialised so that together they
    have He's variance.

    Reference:
        Fan, Zhou. Stacked Latent Attention for Multimodal Reasoning. CVPR 2018,
        section on the model.
        https://openaccess.thecvf.com/content_cvpr_2018/papers/Fan_Stacked_Latent_Attention_CVPR_2018_paper.pdf
    """

    def __init__(self, units, num_layers, skip=True, output="last", **kwargs):
        check_sizes("the depth of the latent map", units=units)
        check_sizes("how many times to attend", num_layers=num_layers)
        if output not in OUTPUTS:
            raise ValueError(
                f"`output` must be one of {OUTPUTS}, the last layer's or all "
                f"side by side. Received: output={output!r}"
            )
        super().__init__(**kwargs)
        self.units = units
        self.num_layers = num_layers
        self.skip = skip
        self.returned = output  # Keras has an attribute `output` of its own.
        self.supports_masking = True
        layers = range(1, num_layers + 1)
        self.map_projections = [
            self._half(f"map_{k}" if k > 1 else "value") for k in layers
        ]
        self.read_projections = [
            self._half(f"read_{k}" if k > 1 else "query", use_bias=False)
            for k in layers
        ]
        self.scorers = [
            keras.layers.Dense(
                1, use_bias=False, dtype=self.dtype_policy, name=f"score_{k}"
            )
            for k in layers
        ]

    def _half(self, name, **options):
        """One of two products that are added before a ReLU.

        He's variance, 2 / inputs, over both of them side by side.
        """
        return keras.layers.Dense(
            self.units,
            kernel_initializer="lecun_normal",
            dtype=self.dtype_policy,
            name=name,
            **options,
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
        latent_shape = (*value_shape[:-1], self.units)
        read_shape = (value_shape[0], value_shape[-1])
        for k in range(self.num_layers):
            self.map_projections[k].build(latent_shape if k else value_shape)
            self.read_projections[k].build(read_shape if k else query_shape)
            self.scorers[k].build(latent_shape)

    def call(
        self, query, value, value_mask=None, return_attention_scores=False
    ):
        mask = check_mask("value_mask", value_mask, value.shape[:2])
        latent, read = value, query  # of which the first map is made
        reads, looks = [], []
        for k in range(self.num_layers):
            before = latent
            latent = ops.relu(
                self.map_projections[k](latent)
                + ops.expand_dims(self.read_projections[k](read), axis=1)
            )
            if self.skip and k:
                latent = latent + before
            scores = ops.squeeze(self.scorers[k](latent), axis=-1)
            weights = masked_softmax(scores, mask)
            read = weighted_sum(ops.expand_dims(weights, axis=1), value)
            read = ops.squeeze(read, axis=1)
            reads.append(read)
            looks.append(weights)
        output = read
        if self.returned == "concat":
            output = ops.concatenate(reads, axis=-1)
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
            "skip": self.skip,
            "output": self.returned,
        }
