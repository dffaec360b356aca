"""Feature pyramid attention of Li et al. (2018)."""

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
class FeaturePyramidAttention(keras.layers.Layer):
    """Weighs places by what is around them, seen at several distances.

    Where an encoder ends: a pyramid of ever coarser maps, each read by a
    smaller kernel, is added up from the coarsest to the finest, and the sum
    weighs every place of the input:

        d[0] = inputs
        d[i] = block_i(pool(d[i - 1]))           for kernels 7, 5, 3
        u[i] = block'_i(d[i]) + resize(u[i + 1]) nothing above the coarsest
        weights = resize(u[1])
        mean = block(mean over places of inputs)
        output = weights * block(inputs) + mean
        block(x) = relu(norm(conv(x)))

    `pool` halves a map by its maxima, `resize` is bilinear and brings a map to
    the places of the next finer one (`keras_attention.functional.resize`). The
    blocks of the pyramid have the kernels' sizes and `units` channels, the two
    others 1x1 and `filters`; none has a bias. A map too small to be halved
    stays one place.

    In training, `mean` is normalised over the samples of the batch alone: with
    a batch of one it is the same for every image, and so is a pyramid's level
    of one place. Train with at least 2, better 16 or more.

    Args:
        filters: Positive integer. Channels of the output.
        kernels: Odd positive integers, the sides of the kernels from the finest
            level to the coarsest.
        units: 1, one weight for each place; or `filters`, one for each value.
        norm_momentum: Float in [0, 1). Share of the old moving averages that
            the normalisations keep at each step.
        data_format: `"channels_last"` or `"channels_first"`. `None` takes
            Keras's global setting, once, when the layer is made.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(B, H, W, C)`, or `(B, C, H, W)` with `"channels_first"`.
        return_attention_scores: Boolean. Whether to return the weights too.
        training: Boolean. Whether the normalisations use the batch.

    Returns:
        `(B, H, W, filters)`, or `(B, filters, H, W)`; with
        `return_attention_scores=True`, `(output, weights)`, where weights is
        `(B, H, W, units)`, or `(B, units, H, W)`, of at least 0.

    Raises:
        ValueError: If `filters` is below 1, `kernels` are no odd positive
            integers, `units` is neither 1 nor `filters`, `norm_momentum` is not
            in [0, 1), `data_format` is unknown, the input's rank is not 4, or
            its channels are not known.

    Example:

    >>> import numpy as np
    >>> layer = FeaturePyramidAttention(8)
    >>> output, weights = layer(
    ...     np.ones((2, 16, 16, 32)), return_attention_scores=True
    ... )
    >>> tuple(output.shape), tuple(weights.shape)
    ((2, 16, 16, 8), (2, 16, 16, 1))

    Notation: the layer is FPA; `mean` is the branch of global pooling in
    figure 3.

    Departures: the paper gives the kernels and the shape of the pyramid (its
    figure 3), but neither its widths nor how it is halved: one channel, as
    in much used code, and maxima of 2x2 places, whose centres are those of
    the resizing. `norm_momentum` is ours.

    Reference:
        Li, Xiong, An, Wang. Pyramid Attention Network for Semantic
        Segmentation. BMVC 2018, section 3.1. https://arxiv.org/abs/1805.10180
    """

    def __init__(
        self,
        filters,
        kernels=(7, 5, 3),
        units=1,
        norm_momentum=0.9,
        data_format=None,
        **kwargs,
    ):
        check_sizes(
            "the channels of the output and of the pyramid",
            filters=filters,
            units=units,
        )
        several = isinstance(kernels, list | tuple) and len(kernels) > 0
        if not several or not all(
            isinstance(side, int) and side > 0 and side % 2 for side in kernels
        ):
            raise ValueError(
                "`kernels` must be odd positive integers, one for each level "
                f"of the pyramid. Received: kernels={kernels!r}"
            )
        if units not in (1, filters):
            raise ValueError(
                "`units` must be 1, a weight for each place, or `filters`, one "
                f"for each value. Received: units={units!r}, filters={filters}"
            )
        check_share(
            "norm_momentum",
            norm_momentum,
            "the share of the old moving average that is kept",
        )
        super().__init__(**kwargs)
        self.filters = filters
        self.kernels = tuple(kernels)
        self.units = units
        self.norm_momentum = norm_momentum
        self.data_format = resolve_data_format(data_format)
        self.inputs_block = self._block("inputs", filters, 1)
        self.mean_block = self._block("mean", filters, 1)
        self.down_blocks, self.up_blocks = (
            [
                self._block(f"{way}_{place}", units, side)
                for place, side in enumerate(kernels)
            ]
            for way in ("down", "up")
        )

    def build(self, input_shape):
        check_rank(self, input_shape, (4,))
        known_channels(self, input_shape, self.data_format)
        within = [None] * 4
        within[channel_axis(self.data_format)] = self.units
        for block in (self.inputs_block, self.mean_block, self.down_blocks[0]):
            block.build(input_shape)
        for block in (*self.down_blocks[1:], *self.up_blocks):
            block.build(tuple(within))

    def call(self, inputs, return_attention_scores=False, training=None):
        levels = [inputs]
        for block in self.down_blocks:
            pooled = ops.max_pool(
                levels[-1], 2, 2, "same", data_format=self.data_format
            )
            levels.append(block(pooled, training=training))

        weights = None
        for place in reversed(range(len(self.kernels))):
            block, level = self.up_blocks[place], levels[place + 1]
            above, weights = weights, block(level, training=training)
            if above is not None:
                weights = weights + above
            finer = size_of(levels[place], self.data_format)
            weights = resize(weights, finer, self.data_format)

        axes = spatial_axes(4, self.data_format)
        mean = mean_pool(inputs, axes, keepdims=True)
        output = weights * self.inputs_block(inputs, training=training)
        output = output + self.mean_block(mean, training=training)
        return (output, weights) if return_attention_scores else output

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernels": self.kernels,
            "units": self.units,
            "norm_momentum": self.norm_momentum,
            "data_format": self.data_format,
        }

    def _block(self, name, filters, size):
        return _ConvBlock(
            filters,
            size,
            self.norm_momentum,
            self.data_format,
            dtype=self.dtype_policy,
            name=name,
        )


class _ConvBlock(keras.layers.Layer):
    """A convolution without bias, normalised, with a ReLU."""

    def __init__(self, filters, size, momentum, data_format, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.axis = channel_axis(data_format)
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
        self.norm = keras.layers.BatchNormalization(
            axis=self.axis,
            momentum=momentum,
            epsilon=1e-5,
            dtype=self.dtype_policy,
            name="norm",
        )

    def build(self, input_shape):
        self.conv.build(input_shape)
        shape = [None] * 4
        shape[self.axis] = self.filters
        self.norm.build(tuple(shape))

    def call(self, inputs, training=None):
        return ops.relu(self.norm(self.conv(inputs), training=training))
