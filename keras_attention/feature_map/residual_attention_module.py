"""Attention module of the residual attention network of Wang et al. (2017)."""

import keras
from keras import ops

from keras_attention.arguments import check_share, check_sizes
from keras_attention.functional import (
    cast_back,
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

MASKS = ("mixed", "channel", "spatial")
MODES = ("residual", "naive")
EPSILON = 1e-6


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class ResidualAttentionModule(keras.layers.Layer):
    """A part of a residual network that is weighed by what it sees from afar.

    Beside the trunk, a few residual units, a mask branch goes down to a coarse
    map and up again, and says how much of each of the trunk's values counts:

        x = units(inputs)                         outer_units of them
        T = units(x)                              trunk_units
        d[i] = units(pool(d[i - 1]))              mask_units, d[0] = x
        u[i] = resize(units(u[i + 1] + unit(d[i])))
        M = mask(conv(conv(u[1])))                1x1, normalised before
        H = (1 + M) * T                           or M * T
        output = units(H)                         outer_units

    `depth` times the map is halved by the maxima of its places; `u` of the
    coarsest level is of `d` alone; `resize` is bilinear and brings a map to the
    size it had before (`keras_attention.functional.resize`). `mask` is

        mixed     sigmoid(z)
        channel   z / ||z||, over the channels of each place
        spatial   sigmoid((z - mean) / std), of the places of each channel

    with 1e-6 added to the squares, so that no number is divided by zero. A unit
    is that of a pre-activation ResNet, `conv` always behind a normalisation and
    a ReLU, without biases:

        unit(x) = x + conv1x1(conv3x3(conv1x1(x)))

    the first two being `C // ratio` channels wide. Where the mask is zero,
    `"residual"` leaves the trunk as it is, and stacks of modules stay
    trainable; `"naive"` takes it away. The mask also weighs the gradient, so
    what is masked learns little from wrong labels.

    Args:
        depth: Positive integer. How often the mask branch halves the map.
        outer_units: Integer of at least 0. Units before the branches, and as
            many behind them.
        trunk_units: Positive integer. Units of the trunk.
        mask_units: Positive integer. Units between two changes of size.
        mask: `"mixed"`, `"channel"` or `"spatial"`.
        mode: `"residual"`, attention residual learning, or `"naive"`.
        ratio: Positive integer. How many times narrower than the channels the
            units are inside.
        norm_momentum: Float in [0, 1). Share of the old moving averages that
            the normalisations keep at each step.
        data_format: `"channels_last"` or `"channels_first"`. `None` takes
            Keras's global setting, once, when the layer is made.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(B, H, W, C)`, or `(B, C, H, W)` with `"channels_first"`. Best
            of at least `2 ** depth` places on each side.
        return_attention_scores: Boolean. Whether to return the mask too.
        training: Boolean. Whether the normalisations use the batch.

    Returns:
        Shaped like `inputs`; with `return_attention_scores=True`,
        `(output, M)`, where M is shaped like `inputs`: in [0, 1], or in
        [-1, 1] with `mask="channel"`.

    Raises:
        ValueError: If a number of units, `depth` or `ratio` is too small,
            `mask`, `mode` or `data_format` is unknown, `norm_momentum` is not
            in [0, 1), the input's rank is not 4, its channels are not known, or
            they are fewer than `ratio`.

    Example:

    >>> import numpy as np
    >>> layer = ResidualAttentionModule(depth=1)
    >>> output, mask = layer(
    ...     np.ones((2, 8, 8, 16)), return_attention_scores=True
    ... )
    >>> tuple(output.shape), tuple(mask.shape)
    ((2, 8, 8, 16), (2, 8, 8, 16))

    Notation: `outer_units` is p, `trunk_units` t, `mask_units` r; `mixed`,
    `channel` and `spatial` are f1, f2 and f3.

    Departures: maxima are of 2x2 places, whose centres are those of the
    resizing; the authors' network takes 3x3. Their released network also
    adds the trunk to the mask branch, of which the paper says nothing: here
    it is added nowhere.

    Reference:
        Wang, Jiang, Qian, Yang, Li, Zhang, Wang, Tang. Residual Attention
        Network for Image Classification. CVPR 2017, sections 3.1 to 3.3.
        https://arxiv.org/abs/1704.06904
    """

    def __init__(
        self,
        depth=2,
        outer_units=1,
        trunk_units=2,
        mask_units=1,
        mask="mixed",
        mode="residual",
        ratio=4,
        norm_momentum=0.9,
        data_format=None,
        **kwargs,
    ):
        check_sizes(
            "how often the map is halved, and how many units there are",
            depth=depth,
            trunk_units=trunk_units,
            mask_units=mask_units,
            ratio=ratio,
        )
        if (
            isinstance(outer_units, bool)
            or not isinstance(outer_units, int)
            or outer_units < 0
        ):
            raise ValueError(
                "`outer_units` must be an integer of at least 0, how many "
                "units stand before the branches and behind them. "
                f"Received: outer_units={outer_units!r}"
            )
        for name, value, known in (
            ("mask", mask, MASKS),
            ("mode", mode, MODES),
        ):
            if value not in known:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(map(repr, known))}. "
                    f"Received: {name}={value!r}"
                )
        check_share(
            "norm_momentum",
            norm_momentum,
            "the share of the old moving average that is kept",
        )
        super().__init__(**kwargs)
        self.depth = depth
        self.outer_units = outer_units
        self.trunk_units = trunk_units
        self.mask_units = mask_units
        self.mask = mask
        self.mode = mode
        self.ratio = ratio
        self.norm_momentum = norm_momentum
        self.data_format = resolve_data_format(data_format)

        self.before = self._units("before", outer_units)
        self.trunk = self._units("trunk", trunk_units)
        self.down = [self._units(f"down_{i}", mask_units) for i in range(depth)]
        self.skips = [self._units(f"skip_{i}", 1)[0] for i in range(depth - 1)]
        self.up = [self._units(f"up_{i}", mask_units) for i in range(depth)]
        self.after = self._units("after", outer_units)

    def build(self, input_shape):
        check_rank(self, input_shape, (4,))
        channels = known_channels(self, input_shape, self.data_format)
        if channels < self.ratio:
            raise ValueError(
                "`ratio` must be at most the channels of the input, which are "
                "that many times wider than the units inside. Received: "
                f"ratio={self.ratio}, input_shape={tuple(input_shape)}"
            )
        self.mask_convs = [
            _NormedConv(
                channels,
                1,
                self.norm_momentum,
                self.data_format,
                dtype=self.dtype_policy,
                name=f"mask_conv_{place}",
            )
            for place in range(2)
        ]
        for part in (
            *(self.before, self.trunk, *self.down, self.skips, *self.up),
            *(self.mask_convs, self.after),
        ):
            for each in part:
                each.build(input_shape)

    def call(self, inputs, return_attention_scores=False, training=None):
        x = _through(self.before, inputs, training)
        trunk = _through(self.trunk, x, training)

        levels = [x]
        for units in self.down:
            pooled = ops.max_pool(
                levels[-1], 2, 2, "same", data_format=self.data_format
            )
            levels.append(_through(units, pooled, training))
        z = levels[-1]
        for place in reversed(range(self.depth)):
            z = _through(self.up[place], z, training)
            finer = levels[place]
            size = size_of(finer, self.data_format)
            z = resize(z, size, self.data_format)
            if place:
                z = z + self.skips[place - 1](finer, training=training)
        mask = self._masked(_through(self.mask_convs, z, training))

        kept = mask * trunk
        if self.mode == "residual":
            kept = trunk + kept
        output = _through(self.after, kept, training)
        return (output, mask) if return_attention_scores else output

    def get_config(self):
        return {
            **super().get_config(),
            "depth": self.depth,
            "outer_units": self.outer_units,
            "trunk_units": self.trunk_units,
            "mask_units": self.mask_units,
            "mask": self.mask,
            "mode": self.mode,
            "ratio": self.ratio,
            "norm_momentum": self.norm_momentum,
            "data_format": self.data_format,
        }

    def _masked(self, z):
        """A mask of numbers, by one of three functions; in float32 inside."""
        values = ops.cast(z, "float32")
        if self.mask == "channel":
            axis = channel_axis(self.data_format)
            squares = ops.sum(ops.square(values), axis=axis, keepdims=True)
            values = values * ops.rsqrt(squares + EPSILON)
        else:
            if self.mask == "spatial":
                axes = spatial_axes(4, self.data_format)
                values = values - mean_pool(values, axes, keepdims=True)
                spread = mean_pool(ops.square(values), axes, keepdims=True)
                values = values * ops.rsqrt(spread + EPSILON)
            values = ops.sigmoid(values)
        return cast_back(values, z)

    def _units(self, name, count):
        return [
            _ResidualUnit(
                self.ratio,
                self.norm_momentum,
                self.data_format,
                dtype=self.dtype_policy,
                name=f"{name}_{place}",
            )
            for place in range(count)
        ]


class _NormedConv(keras.layers.Layer):
    """A convolution without bias, behind a normalisation and a ReLU."""

    def __init__(self, filters, size, momentum, data_format, **kwargs):
        super().__init__(**kwargs)
        self.norm = keras.layers.BatchNormalization(
            axis=channel_axis(data_format),
            momentum=momentum,
            epsilon=1e-5,
            dtype=self.dtype_policy,
            name="norm",
        )
        self.conv = keras.layers.Conv2D(
            filters,
            size,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            data_format=data_format,
            dtype=self.dtype_policy,
            name="conv",
        )

    def build(self, input_shape):
        self.norm.build(input_shape)
        self.conv.build(input_shape)

    def call(self, inputs, training=None):
        return self.conv(ops.relu(self.norm(inputs, training=training)))


class _ResidualUnit(keras.layers.Layer):
    """Three convolutions, narrower inside, whose sum is added to the input."""

    def __init__(self, ratio, momentum, data_format, **kwargs):
        super().__init__(**kwargs)
        self.ratio = ratio
        self.momentum = momentum
        self.data_format = data_format

    def build(self, input_shape):
        axis = channel_axis(self.data_format)
        channels = input_shape[axis]
        narrow = channels // self.ratio
        self.convs = []
        shape = list(input_shape)
        for name, filters, size in (
            ("reduce", narrow, 1),
            ("look", narrow, 3),
            ("expand", channels, 1),
        ):
            conv = _NormedConv(
                filters,
                size,
                self.momentum,
                self.data_format,
                dtype=self.dtype_policy,
                name=name,
            )
            conv.build(tuple(shape))
            shape[axis] = filters
            self.convs.append(conv)

    def call(self, inputs, training=None):
        return inputs + _through(self.convs, inputs, training)


def _through(layers, x, training):
    """One layer after the other."""
    for layer in layers:
        x = layer(x, training=training)
    return x
