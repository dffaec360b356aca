"""Context-aware pyramid feature extraction of Zhao and Wu (2019)."""

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


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class ContextAwarePyramid(keras.layers.Layer):
    """Reads maps of several depths at several distances, and weighs channels.

    What a network saw late, in maps of several sizes, is read by kernels that
    reach ever further, brought to one size, and gated:

        read(x) = relu(norm(concat(conv1x1(x), conv3x3(x) at each rate)))
        joined = concat over maps of resize(read(map))
        gate = sigmoid(W2 relu(W1 mean over places of joined))
        output = gate * joined

    Each convolution is `filters` wide, its places `rate` apart, with biases.
    `resize` is bilinear and brings all maps to the size of the first
    (`keras_attention.functional.resize`). `W1` is `C // ratio` wide; both have
    biases. It is the squeeze-and-excitation block on what all maps say
    together.

    Args:
        filters: Positive integer. Channels of each convolution.
        rates: Positive integers, in places: how far apart the places are that
            the 3x3 convolutions look at.
        ratio: Positive integer. How many times narrower than the joined
            channels the gate is inside.
        norm_momentum: Float in [0, 1). Share of the old moving averages that
            the normalisations keep at each step.
        data_format: `"channels_last"` or `"channels_first"`. `None` takes
            Keras's global setting, once, when the layer is made.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        maps: List of maps `(B, Hm, Wm, Cm)`, or `(B, Cm, Hm, Wm)` with
            `"channels_first"`, the finest first.
        return_attention_scores: Boolean. Whether to return the gate too.
        training: Boolean. Whether the normalisations use the batch.

    Returns:
        `(B, H, W, C)`, or `(B, C, H, W)`, of the size of `maps[0]`, with
        `C = filters * (1 + len(rates)) * len(maps)`; with
        `return_attention_scores=True`, `(output, gate)`, where gate is
        `(B, 1, 1, C)`, or `(B, C, 1, 1)`, in [0, 1].

    Raises:
        ValueError: If `filters` or `ratio` is below 1, `rates` are no positive
            integers, `norm_momentum` is not in [0, 1), `data_format` is
            unknown, there is no map, a map's rank is not 4, or its channels are
            not known.

    Example:

    >>> import numpy as np
    >>> layer = ContextAwarePyramid(filters=4)
    >>> maps = [np.ones((2, 8, 8, 16)), np.ones((2, 4, 4, 32))]
    >>> output, gate = layer(maps, return_attention_scores=True)
    >>> tuple(output.shape), tuple(gate.shape)
    ((2, 8, 8, 32), (2, 1, 1, 32))

    Notation: `joined` is the paper's CPFE of three maps, `gate` its
    channel-wise attention; `filters` is 32 there.

    Departures: the authors' code also adds a penalty on the gate's mean, which
    is not here. `norm_momentum` is ours.

    Reference:
        Zhao, Wu. Pyramid Feature Attention Network for Saliency Detection.
        CVPR 2019, sections 3.1 and 3.2. https://arxiv.org/abs/1903.00179
    """

    def __init__(
        self,
        filters=32,
        rates=(3, 5, 7),
        ratio=4,
        norm_momentum=0.9,
        data_format=None,
        **kwargs,
    ):
        check_sizes(
            "the channels of a convolution, and how much narrower the gate is",
            filters=filters,
            ratio=ratio,
        )
        several = isinstance(rates, list | tuple) and len(rates) > 0
        if not several or not all(
            isinstance(rate, int) and not isinstance(rate, bool) and rate > 0
            for rate in rates
        ):
            raise ValueError(
                "`rates` must be positive integers, the distances at which the "
                f"convolutions look. Received: rates={rates!r}"
            )
        check_share(
            "norm_momentum",
            norm_momentum,
            "the share of the old moving average that is kept",
        )
        super().__init__(**kwargs)
        self.filters = filters
        self.rates = tuple(rates)
        self.ratio = ratio
        self.norm_momentum = norm_momentum
        self.data_format = resolve_data_format(data_format)

    def build(self, maps_shape):
        if not maps_shape or not isinstance(maps_shape[0], list | tuple):
            raise ValueError(
                "`maps` must be a list of feature maps, one at least. "
                f"Received: maps of shape {maps_shape}"
            )
        axis = channel_axis(self.data_format)
        self.convs, self.norms = [], []
        read = [None] * 4
        read[axis] = self.filters * (1 + len(self.rates))
        for place, shape in enumerate(maps_shape):
            check_rank(self, shape, (4,))
            known_channels(self, shape, self.data_format)
            convs = [self._conv(f"near_{place}", 1, 1)]
            for rate in self.rates:
                convs.append(self._conv(f"far_{place}_{rate}", 3, rate))
            for conv in convs:
                conv.build(tuple(shape))
            norm = keras.layers.BatchNormalization(
                axis=axis,
                momentum=self.norm_momentum,
                epsilon=1e-5,
                dtype=self.dtype_policy,
                name=f"norm_{place}",
            )
            norm.build(tuple(read))
            self.convs.append(convs)
            self.norms.append(norm)
        channels = read[axis] * len(maps_shape)
        units = max(channels // self.ratio, 1)
        self.reduce = self._dense("reduce", units, "he_normal")
        self.reduce.build((None, channels))
        self.expand = self._dense("expand", channels, "glorot_uniform")
        self.expand.build((None, units))

    def call(self, maps, return_attention_scores=False, training=None):
        axis = channel_axis(self.data_format)
        size = size_of(maps[0], self.data_format)
        parts = []
        for each, convs, norm in zip(maps, self.convs, self.norms):
            read = ops.concatenate([conv(each) for conv in convs], axis=axis)
            read = ops.relu(norm(read, training=training))
            parts.append(resize(read, size, self.data_format))
        joined = ops.concatenate(parts, axis=axis)

        axes = spatial_axes(4, self.data_format)
        hidden = ops.relu(self.reduce(mean_pool(joined, axes)))
        gate = ops.expand_dims(ops.sigmoid(self.expand(hidden)), axes)
        output = joined * gate
        return (output, gate) if return_attention_scores else output

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "rates": self.rates,
            "ratio": self.ratio,
            "norm_momentum": self.norm_momentum,
            "data_format": self.data_format,
        }

    def _conv(self, name, size, rate):
        return keras.layers.Conv2D(
            self.filters,
            size,
            padding="same",
            dilation_rate=rate,
            kernel_initializer="he_normal",
            data_format=self.data_format,
            dtype=self.dtype_policy,
            name=name,
        )

    def _dense(self, name, units, initializer):
        return keras.layers.Dense(
            units,
            kernel_initializer=initializer,
            dtype=self.dtype_policy,
            name=name,
        )
