"""Convolutional block attention module of Woo et al. (2018), and its parts."""

import keras
from keras import ops

from keras_attention.arguments import check_share, check_sizes
from keras_attention.functional import (
    as_floats,
    channel_axis,
    check_mask,
    check_rank,
    gate,
    known_channels,
    max_pool,
    mean_pool,
    resolve_data_format,
    spatial_axes,
)
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class ChannelAttention(keras.layers.Layer):
    """CBAM's first half: a gate on every channel, from its mean and maximum.

    One small network sees the means of all channels, and again their maxima:

        mlp(z) = W2 relu(W1 z + b1) + b2
        gate = sigmoid(mlp(mean over places) + mlp(max over places))
        output[..., c] = gate[c] * inputs[..., c]

    `W1` is `(C, units)` and `W2` is `(units, C)`, with
    `units = max(C // ratio, min_units)`; both looks share them.

    Args:
        ratio: Positive integer. How many times narrower than the channels the
            small network is.
        min_units: Positive integer. The least width of the small network,
            where `C // ratio` is smaller.
        use_bias: Boolean. Whether the small network has biases, as in the
            authors' code; timm has none.
        identity_start: Boolean. The gate is `2 sigmoid(z)` with `W2` and `b2`
            zero: exactly 1 at the start. Range (0, 2).
        data_format: `"channels_last"` or `"channels_first"`. `None` takes
            Keras's global setting, once, when the layer is made.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(B, H, W, C)`; any number of spatial axes from 1 to 3. With
            `"channels_first"`, `(B, C, H, W)`.
        mask: Boolean `(B, H, W)`, `True` where a place counts, or 1 and 0.
            Taken from `inputs` when it carries a Keras mask.
        return_attention_scores: Boolean. Whether to return the gate too.

    Returns:
        The gated map, shaped like `inputs`; with
        `return_attention_scores=True`, `(output, gate)`, where gate is
        `(B, 1, 1, C)`, or `(B, C, 1, 1)`, shares in (0, 1).

    Raises:
        ValueError: If `ratio` or `min_units` is below 1, the input's rank is
            not 3 to 5, or its channels are not known.

    Example:

    >>> import numpy as np
    >>> layer = ChannelAttention(ratio=4)
    >>> tuple(layer(np.ones((2, 8, 8, 16), "float32")).shape)
    (2, 8, 8, 16)

    Notation: `ratio` is r, `gate` is M_c, `W1` and `W2` are W_0 and W_1.

    Departures: none from the authors' code; `mask` and `identity_start` are
    ours.

    Reference:
        Woo, Park, Lee, Kweon. CBAM: Convolutional Block Attention Module.
        ECCV 2018, equation 2. https://arxiv.org/abs/1807.06521
    """

    def __init__(
        self,
        ratio=16,
        min_units=1,
        use_bias=True,
        identity_start=False,
        data_format=None,
        **kwargs,
    ):
        check_sizes(
            "the gate's network is `max(channels // ratio, min_units)` wide",
            ratio=ratio,
            min_units=min_units,
        )
        super().__init__(**kwargs)
        self.ratio = ratio
        self.min_units = min_units
        self.use_bias = use_bias
        self.identity_start = identity_start
        self.data_format = resolve_data_format(data_format)
        self.supports_masking = True

    def build(self, input_shape):
        check_rank(self, input_shape, (3, 4, 5))
        channels = known_channels(self, input_shape, self.data_format)
        units = max(channels // self.ratio, self.min_units)
        self.reduce = keras.layers.Dense(
            units,
            activation="relu",
            use_bias=self.use_bias,
            kernel_initializer="he_normal",
            dtype=self.dtype_policy,
            name="reduce",
        )
        self.expand = keras.layers.Dense(
            channels,
            use_bias=self.use_bias,
            kernel_initializer=(
                "zeros" if self.identity_start else "glorot_uniform"
            ),
            dtype=self.dtype_policy,
            name="expand",
        )
        self.reduce.build((input_shape[0], channels))
        self.expand.build((input_shape[0], units))

    def call(self, inputs, mask=None, return_attention_scores=False):
        axes = spatial_axes(len(inputs.shape), self.data_format)
        inputs = as_floats(inputs, self.compute_dtype)
        channels = channel_axis(self.data_format)
        if mask is not None:
            places = (inputs.shape[0], *(inputs.shape[axis] for axis in axes))
            mask = check_mask("mask", mask, places)
            mask = ops.expand_dims(mask, channels)

        logits = self.expand(self.reduce(mean_pool(inputs, axes, mask)))
        logits += self.expand(self.reduce(max_pool(inputs, axes, mask)))
        shares = ops.expand_dims(
            gate(logits, identity_start=self.identity_start), axes
        )

        output = inputs * shares
        return (output, shares) if return_attention_scores else output

    def get_config(self):
        return {
            **super().get_config(),
            "ratio": self.ratio,
            "min_units": self.min_units,
            "use_bias": self.use_bias,
            "identity_start": self.identity_start,
            "data_format": self.data_format,
        }


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class SpatialAttention(keras.layers.Layer):
    """CBAM's second half: a gate on every place, from all its channels.

    Each place is summed up by the maximum and the mean of its channels; one
    convolution sees the two maps around each place:

        z = conv([max over channels; mean over channels])
        gate = sigmoid(norm(z))
        output[h, w, :] = gate[h, w] * inputs[h, w, :]

    The convolution has no bias. The pooling is the reduction: nothing of it
    is learned.

    Args:
        kernel_size: Odd integer of at least 3. Side of the convolution, in
            places; the paper found 7 better than 3.
        spatial_norm: Boolean. Whether batch normalisation follows the
            convolution, as in the authors' code (its gain starts at zero, so
            the gate starts at 1/2 everywhere); the paper's equation has none.
        pool_order: `"max_mean"`, as in the authors' code, or `"mean_max"`, as
            in the paper's equation and timm. It matters only for weights
            brought from elsewhere.
        norm_momentum: Float in [0, 1). Share of the old moving average that
            the normalisation keeps at each step. The authors' is 0.99 (their
            framework calls it 0.01); short trainings want 0.9.
        identity_start: Boolean. The gate is `2 sigmoid(z)` with the last
            weights zero: exactly 1 at the start. Range (0, 2).
        data_format: `"channels_last"` or `"channels_first"`. `None` takes
            Keras's global setting, once, when the layer is made.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(B, H, W, C)`, or `(B, C, H, W)` with `"channels_first"`.
        return_attention_scores: Boolean. Whether to return the gate too.
        training: Boolean. Whether the normalisation uses the batch.

    Returns:
        The gated map, shaped like `inputs`; with
        `return_attention_scores=True`, `(output, gate)`, where gate is
        `(B, H, W, 1)`, or `(B, 1, H, W)`, shares in (0, 1).

    Raises:
        ValueError: If `kernel_size` is even or below 3, `norm_momentum` is
            not in [0, 1), a name is unknown, or the input's rank is not 4.

    Example:

    >>> import numpy as np
    >>> layer = SpatialAttention(kernel_size=3)
    >>> image = np.ones((2, 8, 8, 16), "float32")
    >>> output, gate = layer(image, return_attention_scores=True)
    >>> tuple(gate.shape)
    (2, 8, 8, 1)

    Notation: `gate` is M_s, `conv` is f^{7x7}.

    Departures: none from the authors' code; the paper's equation has no
    normalisation and writes the mean before the maximum. `norm_momentum` and
    `identity_start` are ours.

    Reference:
        Woo, Park, Lee, Kweon. CBAM: Convolutional Block Attention Module.
        ECCV 2018, equation 3. https://arxiv.org/abs/1807.06521
    """

    def __init__(
        self,
        kernel_size=7,
        spatial_norm=True,
        pool_order="max_mean",
        norm_momentum=0.99,
        identity_start=False,
        data_format=None,
        **kwargs,
    ):
        check_sizes(
            "the side of the convolution, in places", kernel_size=kernel_size
        )
        if kernel_size < 3 or kernel_size % 2 == 0:
            raise ValueError(
                "`kernel_size` must be odd and at least 3: an even kernel has "
                "no centre, and a kernel of 1 sees no neighbours. "
                f"Received: kernel_size={kernel_size}"
            )
        if pool_order not in ("max_mean", "mean_max"):
            raise ValueError(
                '`pool_order` must be "max_mean" or "mean_max", the order of '
                "the two maps that the convolution sees. "
                f"Received: pool_order={pool_order!r}"
            )
        check_share(
            "norm_momentum",
            norm_momentum,
            "the share of the old moving average that is kept",
        )
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.spatial_norm = spatial_norm
        self.pool_order = pool_order
        self.norm_momentum = norm_momentum
        self.identity_start = identity_start
        self.data_format = resolve_data_format(data_format)

        plain_start = identity_start and not spatial_norm
        self.conv = keras.layers.Conv2D(
            1,
            kernel_size,
            padding="same",
            use_bias=False,
            kernel_initializer="zeros" if plain_start else "he_normal",
            data_format=self.data_format,
            dtype=self.dtype_policy,
            name="conv",
        )
        if spatial_norm:
            self.norm = keras.layers.BatchNormalization(
                axis=channel_axis(self.data_format),
                momentum=norm_momentum,
                epsilon=1e-5,
                gamma_initializer="zeros",
                dtype=self.dtype_policy,
                name="norm",
            )

    def build(self, input_shape):
        check_rank(self, input_shape, (4,))
        pooled_shape = list(input_shape)
        pooled_shape[channel_axis(self.data_format)] = 2
        self.conv.build(tuple(pooled_shape))
        if self.spatial_norm:
            pooled_shape[channel_axis(self.data_format)] = 1
            self.norm.build(tuple(pooled_shape))

    def call(self, inputs, return_attention_scores=False, training=None):
        axis = channel_axis(self.data_format)

        pooled = [
            max_pool(inputs, axis, keepdims=True),
            mean_pool(inputs, axis, keepdims=True),
        ]
        if self.pool_order == "mean_max":
            pooled.reverse()
        logits = self.conv(ops.concatenate(pooled, axis=axis))
        if self.spatial_norm:
            logits = self.norm(logits, training=training)
        shares = gate(logits, identity_start=self.identity_start)

        output = inputs * shares
        return (output, shares) if return_attention_scores else output

    def get_config(self):
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "spatial_norm": self.spatial_norm,
            "pool_order": self.pool_order,
            "norm_momentum": self.norm_momentum,
            "identity_start": self.identity_start,
            "data_format": self.data_format,
        }


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class CBAM(keras.layers.Layer):
    """Convolutional block attention: first which channels, then which places.

        refined = channel_gate * inputs
        output = spatial_gate(refined) * refined

    The gates are those of `ChannelAttention` and `SpatialAttention`. In a
    residual block its place is the branch, after the last normalisation and
    before the sum (figure 3 of the paper).

    Args:
        ratio: Positive integer. How many times narrower than the channels the
            channel gate's network is.
        kernel_size: Odd integer of at least 3. Side of the spatial gate's
            convolution, in places.
        spatial_norm: Boolean. Whether batch normalisation follows that
            convolution, as in the authors' code; the paper's equation has
            none.
        pool_order: `"max_mean"`, as in the authors' code, or `"mean_max"`.
        min_units: Positive integer. The least width of the channel gate's
            network, where `C // ratio` is smaller.
        use_bias: Boolean. Whether that network has biases.
        norm_momentum: Float in [0, 1). Share of the old moving average that
            the normalisation keeps at each step; short trainings want 0.9.
        identity_start: Boolean. Both gates are `2 sigmoid(z)` with the last
            weights zero: exactly 1 at the start, so the layer can be put into
            a trained model without changing its answers. Range (0, 2).
        data_format: `"channels_last"` or `"channels_first"`. `None` takes
            Keras's global setting, once, when the layer is made.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(B, H, W, C)`, or `(B, C, H, W)` with `"channels_first"`.
        return_attention_scores: Boolean. Whether to return the gates too.
        training: Boolean. Whether the normalisation uses the batch.

    Returns:
        The refined map, shaped like `inputs`; with
        `return_attention_scores=True`, `(output, gates)`, where gates is
        `{"channel": (B, 1, 1, C), "spatial": (B, H, W, 1)}`, shares in
        (0, 1), axes after `data_format`.

    Raises:
        ValueError: If `ratio` or `min_units` is below 1, `kernel_size` is
            even or below 3, a name is unknown, the input's rank is not 4, or
            its channels are not known.

    Example:

    >>> import numpy as np
    >>> layer = CBAM(ratio=4)
    >>> output, gates = layer(
    ...     np.ones((2, 8, 8, 16), "float32"), return_attention_scores=True
    ... )
    >>> tuple(output.shape)
    (2, 8, 8, 16)
    >>> {name: tuple(gate.shape) for name, gate in gates.items()}
    {'channel': (2, 1, 1, 16), 'spatial': (2, 8, 8, 1)}

    Notation: `ratio` is r; the gates are M_c and M_s, refined is F'.

    Departures: none from the authors' code, which adds biases and a
    normalisation to the paper's equations. timm's layer is
    `CBAM(use_bias=False, pool_order="mean_max")` with another rounding of
    the width.

    Reference:
        Woo, Park, Lee, Kweon. CBAM: Convolutional Block Attention Module.
        ECCV 2018, equations 1 to 3. https://arxiv.org/abs/1807.06521
    """

    def __init__(
        self,
        ratio=16,
        kernel_size=7,
        spatial_norm=True,
        pool_order="max_mean",
        min_units=1,
        use_bias=True,
        norm_momentum=0.99,
        identity_start=False,
        data_format=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.ratio = ratio
        self.kernel_size = kernel_size
        self.spatial_norm = spatial_norm
        self.pool_order = pool_order
        self.min_units = min_units
        self.use_bias = use_bias
        self.norm_momentum = norm_momentum
        self.identity_start = identity_start
        self.data_format = resolve_data_format(data_format)
        self.channel_attention = ChannelAttention(
            ratio,
            min_units,
            use_bias,
            identity_start,
            self.data_format,
            dtype=self.dtype_policy,
            name="channel",
        )
        self.spatial_attention = SpatialAttention(
            kernel_size,
            spatial_norm,
            pool_order,
            norm_momentum,
            identity_start,
            self.data_format,
            dtype=self.dtype_policy,
            name="spatial",
        )

    def build(self, input_shape):
        check_rank(self, input_shape, (4,))
        self.channel_attention.build(input_shape)
        self.spatial_attention.build(input_shape)

    def call(self, inputs, return_attention_scores=False, training=None):
        refined, channel_gate = self.channel_attention(
            inputs, return_attention_scores=True
        )
        output, spatial_gate = self.spatial_attention(
            refined, return_attention_scores=True, training=training
        )

        if return_attention_scores:
            return output, {"channel": channel_gate, "spatial": spatial_gate}
        return output

    def get_config(self):
        return {
            **super().get_config(),
            "ratio": self.ratio,
            "kernel_size": self.kernel_size,
            "spatial_norm": self.spatial_norm,
            "pool_order": self.pool_order,
            "min_units": self.min_units,
            "use_bias": self.use_bias,
            "norm_momentum": self.norm_momentum,
            "identity_start": self.identity_start,
            "data_format": self.data_format,
        }
