"""Global attention upsample of Li et al. (2018)."""

import keras
from keras import ops

from keras_attention.arguments import check_share, check_sizes
from keras_attention.functional import (
    channel_axis,
    check_rank,
    known_channels,
    mean_pool,
    resize,
    resolve_data_format,
    size_of,
    spatial_axes,
)
from keras_attention.shapes import shapes_by_tracing

GATES = {"relu": ops.relu, "sigmoid": ops.sigmoid}


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class GlobalAttentionUpsample(keras.layers.Layer):
    """A coarse map says which channels of a finer one are let through (GAU).

    Where a decoder joins what the encoder saw early, in detail, to what it saw
    late, in context:

        a = norm(conv3x3(low))
        gate = relu(norm(conv1x1(mean over places of high)))
        b = norm(conv1x1(high))
        output = relu(resize(b) + gate * a)

    All convolutions have `filters` channels and no biases; `resize` is bilinear
    and brings `high` to the places of `low`
    (`keras_attention.functional.resize`). A gate of zero leaves the coarse map
    alone.

    In training, the gate is normalised over the samples of the batch alone:
    with a batch of one it is the same for every image. Train with at least 2,
    better 16 or more.

    Args:
        filters: Positive integer. Channels of the output.
        gate: `"relu"`, as in the paper's figure 4: a gate of 0 or any weight
            above; or `"sigmoid"`, as in much used code: between 0 and 1.
        norm_momentum: Float in [0, 1). Share of the old moving averages that
            the normalisations keep at each step.
        data_format: `"channels_last"` or `"channels_first"`. `None` takes
            Keras's global setting, once, when the layer is made.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        low: `(B, H, W, Cl)`, or `(B, Cl, H, W)` with `"channels_first"`: the
            finer map, of lower layers.
        high: `(B, h, w, Ch)`, or `(B, Ch, h, w)`: the coarser one, of higher
            layers. Any size will do.
        return_attention_scores: Boolean. Whether to return the gate too.
        training: Boolean. Whether the normalisations use the batch.

    Returns:
        `(B, H, W, filters)`, or `(B, filters, H, W)`; with
        `return_attention_scores=True`, `(output, gate)`, where gate is
        `(B, 1, 1, filters)`, or `(B, filters, 1, 1)`, of at least 0.

    Raises:
        ValueError: If `filters` is below 1, `gate` or `data_format` is unknown,
            `norm_momentum` is not in [0, 1), an input's rank is not 4, or its
            channels are not known.

    Example:

    >>> import numpy as np
    >>> layer = GlobalAttentionUpsample(8)
    >>> low, high = np.ones((2, 8, 8, 16)), np.ones((2, 4, 4, 32))
    >>> output, gate = layer(low, high, return_attention_scores=True)
    >>> tuple(output.shape), tuple(gate.shape)
    ((2, 8, 8, 8), (2, 1, 1, 8))

    Notation: the layer is GAU; `low` and `high` are the low-level and
    high-level features of figure 4.

    Departures: the paper leaves open what is done to `high` before it is
    resized; here it is brought to `filters` channels and normalised, as
    `low` is. `gate="sigmoid"` and `norm_momentum` are ours.

    Reference:
        Li, Xiong, An, Wang. Pyramid Attention Network for Semantic
        Segmentation. BMVC 2018, section 3.2. https://arxiv.org/abs/1805.10180
    """

    def __init__(
        self,
        filters,
        gate="relu",
        norm_momentum=0.9,
        data_format=None,
        **kwargs,
    ):
        check_sizes("the channels of the output", filters=filters)
        if gate not in GATES:
            raise ValueError(
                f"`gate` must be one of {', '.join(map(repr, GATES))}, what "
                f"makes a gate of a number. Received: gate={gate!r}"
            )
        check_share(
            "norm_momentum",
            norm_momentum,
            "the share of the old moving average that is kept",
        )
        super().__init__(**kwargs)
        self.filters = filters
        self.gate = gate
        self.norm_momentum = norm_momentum
        self.data_format = resolve_data_format(data_format)
        self.low_conv, self.low_norm = self._normed("low", 3)
        self.gate_conv, self.gate_norm = self._normed("gate", 1)
        self.high_conv, self.high_norm = self._normed("high", 1)

    def build(self, low_shape, high_shape):
        for shape in (low_shape, high_shape):
            check_rank(self, shape, (4,))
            known_channels(self, shape, self.data_format)
        narrow = [None] * 4
        narrow[channel_axis(self.data_format)] = self.filters
        for conv, norm, shape in (
            (self.low_conv, self.low_norm, low_shape),
            (self.gate_conv, self.gate_norm, high_shape),
            (self.high_conv, self.high_norm, high_shape),
        ):
            conv.build(shape)
            norm.build(tuple(narrow))

    def call(self, low, high, return_attention_scores=False, training=None):
        axes = spatial_axes(4, self.data_format)
        mean = mean_pool(high, axes, keepdims=True)
        gate = self.gate_norm(self.gate_conv(mean), training=training)
        gate = GATES[self.gate](gate)

        kept = gate * self.low_norm(self.low_conv(low), training=training)
        context = self.high_norm(self.high_conv(high), training=training)
        context = resize(
            context, size_of(low, self.data_format), self.data_format
        )
        output = ops.relu(context + kept)
        return (output, gate) if return_attention_scores else output

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "gate": self.gate,
            "norm_momentum": self.norm_momentum,
            "data_format": self.data_format,
        }

    def _normed(self, name, size):
        """A convolution without bias and what normalises it."""
        conv = keras.layers.Conv2D(
            self.filters,
            size,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            data_format=self.data_format,
            dtype=self.dtype_policy,
            name=f"{name}_conv",
        )
        norm = keras.layers.BatchNormalization(
            axis=channel_axis(self.data_format),
            momentum=self.norm_momentum,
            epsilon=1e-5,
            dtype=self.dtype_policy,
            name=f"{name}_norm",
        )
        return conv, norm
