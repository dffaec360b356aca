"""Bottleneck attention module of Park et al. (2018)."""

import keras
from keras import ops

from keras_attention.arguments import check_share, check_sizes
from keras_attention.functional import (
    channel_axis,
    check_rank,
    gate,
    known_channels,
    mean_pool,
    resolve_data_format,
    spatial_axes,
)
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class BAM(keras.layers.Layer):
    """Bottleneck attention: a gate on every value, from two looks side by side.

    One branch asks which channels matter, from the means over all places; the
    other asks which places matter, from a wide neighbourhood:

        c = W2 relu(norm(W1 mean + b1)) + b2
        s = conv4(block3(block2(block1(inputs))))
        block(x) = relu(norm(conv(x)))
        gate[h, w, k] = 1 + sigmoid(c[k] * s[h, w])
        output = gate * inputs

    `W1` and the convolutions of the blocks are `units` wide, with
    `units = max(C // ratio, min_units)`; the first is 1x1, the second and
    third 3x3 and dilated, and `conv4` is 1x1 with one channel. All have
    biases. The gate is above 1: it strengthens, and lets everything through.
    In a residual network its place is between two stages (figure 1 of the
    paper).

    In training, the channel branch is normalised over the samples of the
    batch alone: a batch of one has nothing to compare, and `c` is then the
    same for every image. Train with at least 2, better 16 or more.

    Args:
        ratio: Positive integer. How many times narrower than the channels
            both branches are.
        dilation: Positive integer, in places. Distance between the places
            that the 3x3 convolutions look at.
        combine: `"product"`, `c * s`, as in the authors' code; or `"sum"`,
            `c + s`, as in the paper's equation 2.
        min_units: Positive integer. The least width of the branches, where
            `C // ratio` is smaller.
        norm_momentum: Float in [0, 1). Share of the old moving averages that
            the normalisations keep at each step. The authors' is 0.9 (their
            framework calls it 0.1).
        identity_start: Boolean. The gate is `2 sigmoid(z)`, exactly 1 at the
            start, range (0, 2), so the layer can be put into a trained model
            without changing its answers. With `"product"` only `W2` and `b2`
            start at zero, and the spatial branch first moves in the second
            training step: were both factors zero, neither would ever move.
            With `"sum"` the weights of `conv4` start at zero too.
        data_format: `"channels_last"` or `"channels_first"`. `None` takes
            Keras's global setting, once, when the layer is made.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(B, H, W, C)`, or `(B, C, H, W)` with `"channels_first"`.
        return_attention_scores: Boolean. Whether to return the gate too.
        training: Boolean. Whether the normalisations use the batch.

    Returns:
        The gated map, shaped like `inputs`; with
        `return_attention_scores=True`, `(output, gate)`, where gate is shaped
        like `inputs`, in (1, 2).

    Raises:
        ValueError: If `ratio`, `min_units` or `dilation` is below 1,
            `norm_momentum` is not in [0, 1), a name is unknown, the input's
            rank is not 4, or its channels are not known.

    Example:

    >>> import numpy as np
    >>> layer = BAM(ratio=4)
    >>> output, gate = layer(
    ...     np.ones((2, 8, 8, 16), "float32"), return_attention_scores=True
    ... )
    >>> tuple(output.shape), tuple(gate.shape)
    ((2, 8, 8, 16), (2, 8, 8, 16))

    Notation: `ratio` is r, `dilation` is d; `c` is M_c, `s` is M_s, and
    `gate` is 1 + M.

    Departures: none from the authors' code. The paper adds the branches
    (`combine="sum"`) and normalises each once, at its end; the code normalises
    inside. `min_units`, `norm_momentum` and `identity_start` are ours.

    Reference:
        Park, Woo, Lee, Kweon. BAM: Bottleneck Attention Module. BMVC 2018,
        section 3. https://arxiv.org/abs/1807.06514
    """

    def __init__(
        self,
        ratio=16,
        dilation=4,
        combine="product",
        min_units=1,
        norm_momentum=0.9,
        identity_start=False,
        data_format=None,
        **kwargs,
    ):
        check_sizes(
            "the branches are `max(channels // ratio, min_units)` wide",
            ratio=ratio,
            min_units=min_units,
        )
        check_sizes(
            "the distance between the places that a convolution looks at",
            dilation=dilation,
        )
        if combine not in ("product", "sum"):
            raise ValueError(
                '`combine` must be "product" or "sum", how the two branches '
                f"meet inside the gate. Received: combine={combine!r}"
            )
        check_share(
            "norm_momentum",
            norm_momentum,
            "the share of the old moving average that is kept",
        )
        super().__init__(**kwargs)
        self.ratio = ratio
        self.dilation = dilation
        self.combine = combine
        self.min_units = min_units
        self.norm_momentum = norm_momentum
        self.identity_start = identity_start
        self.data_format = resolve_data_format(data_format)

    def build(self, input_shape):
        check_rank(self, input_shape, (4,))
        channels = known_channels(self, input_shape, self.data_format)
        units = max(channels // self.ratio, self.min_units)
        narrow_shape = list(input_shape)
        narrow_shape[channel_axis(self.data_format)] = units
        zero = "zeros" if self.identity_start else "glorot_uniform"

        self.reduce = self._dense("reduce", units, "he_normal")
        self.reduce_norm = self._norm("reduce_norm", -1)
        self.expand = self._dense("expand", channels, zero)
        self.reduce.build((input_shape[0], channels))
        self.reduce_norm.build((input_shape[0], units))
        self.expand.build((input_shape[0], units))

        self.spatial_convs = []
        self.spatial_norms = []
        shape = tuple(input_shape)
        for name, size, dilation in (
            ("spatial_reduce", 1, 1),
            ("spatial_dilated_1", 3, self.dilation),
            ("spatial_dilated_2", 3, self.dilation),
        ):
            conv = self._conv(name, units, size, dilation, "he_normal")
            norm = self._norm(f"{name}_norm", channel_axis(self.data_format))
            conv.build(shape)
            shape = tuple(narrow_shape)
            norm.build(shape)
            self.spatial_convs.append(conv)
            self.spatial_norms.append(norm)
        # A product of two zeros has no gradient: one factor stays random.
        start = zero if self.combine == "sum" else "glorot_uniform"
        self.spatial_expand = self._conv("spatial_expand", 1, 1, 1, start)
        self.spatial_expand.build(shape)

    def call(self, inputs, return_attention_scores=False, training=None):
        axes = spatial_axes(4, self.data_format)

        channels = self.reduce(mean_pool(inputs, axes))
        channels = ops.relu(self.reduce_norm(channels, training=training))
        channels = ops.expand_dims(self.expand(channels), axes)

        places = inputs
        for conv, norm in zip(self.spatial_convs, self.spatial_norms):
            places = ops.relu(norm(conv(places), training=training))
        places = self.spatial_expand(places)

        if self.combine == "sum":
            logits = channels + places
        else:
            logits = channels * places
        shares = gate(logits, identity_start=self.identity_start)
        if not self.identity_start:
            shares = 1 + shares

        output = inputs * shares
        return (output, shares) if return_attention_scores else output

    def get_config(self):
        return {
            **super().get_config(),
            "ratio": self.ratio,
            "dilation": self.dilation,
            "combine": self.combine,
            "min_units": self.min_units,
            "norm_momentum": self.norm_momentum,
            "identity_start": self.identity_start,
            "data_format": self.data_format,
        }

    def _dense(self, name, units, initializer):
        return keras.layers.Dense(
            units,
            kernel_initializer=initializer,
            dtype=self.dtype_policy,
            name=name,
        )

    def _conv(self, name, filters, size, dilation, initializer):
        return keras.layers.Conv2D(
            filters,
            size,
            padding="same",
            dilation_rate=dilation,
            kernel_initializer=initializer,
            data_format=self.data_format,
            dtype=self.dtype_policy,
            name=name,
        )

    def _norm(self, name, axis):
        return keras.layers.BatchNormalization(
            axis=axis,
            momentum=self.norm_momentum,
            epsilon=1e-5,
            dtype=self.dtype_policy,
            name=name,
        )
