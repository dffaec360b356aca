"""Selective kernel convolution of Li et al. (2019)."""

import functools

import keras
import numpy as np
from keras import ops

from keras_attention.arguments import check_share, check_sizes
from keras_attention.functional import (
    channel_axis,
    check_rank,
    known_channels,
    masked_softmax,
    mean_pool,
    resolve_data_format,
    spatial_axes,
)
from keras_attention.shapes import shapes_by_tracing

# Channels of input and output that one convolution of several groups has at
# least: with fewer a CPU is less busy, with more too much of it is zero.
PART = 32


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class SelectiveKernel(keras.layers.Layer):
    """A convolution whose kernel's size is chosen by each image and channel.

    Branches with kernels of several sizes look at the same map; their sum,
    averaged over places, says how much of each branch every channel takes:

        U[m] = relu(norm(conv_m(inputs)))
        z = relu(norm(W mean over places of (U[1] + ... + U[M])))
        weights[:, c] = softmax over m of (A[m] z)[c]
        output[..., c] = sum over m of weights[m, c] * U[m][..., c]

    `conv_m` is 3x3 in groups, its places `(kernel - 1) // 2` apart, so that it
    covers `kernel` places at the cost of 3. `W` is `(filters, units)` with
    `units = max(filters // ratio, min_units)`, and `A[m]` is
    `(units, filters)`. Nothing has a bias. With one kernel the weights are 1,
    and the layer is a plain convolution, normalised, with a ReLU. In a
    residual block it replaces the 3x3 convolution (section 3.2 of the paper).

    In training, `z` is normalised over the samples of the batch alone: with a
    batch of one it is the same for every image. Train with at least 2, better
    16 or more.

    On TensorFlow and JAX several groups, `PART` channels, are computed as one
    plain convolution whose kernel is zero between them: the same numbers, and
    on a CPU 1.6 to 7 times as fast forward as TensorFlow's own grouped
    convolution, whose gradient is slower still
    (`benchmarks/selective_kernel.py`). On PyTorch its own is taken. Only the
    grouped weights are stored.

    Args:
        filters: Positive integer. Channels of the output.
        kernels: Different odd integers of at least 3, the side of each
            branch's kernel, in places.
        groups: Positive integer that divides the channels of input and
            output. Within a branch, a channel reads its own group only.
        ratio: Positive integer. How many times narrower than the channels `z`
            is.
        min_units: Positive integer. The least width of `z`, where
            `filters // ratio` is smaller (L in the paper).
        strides: Positive integer, in places. The output keeps the first of
            every `strides` places along each axis, as a convolution padded
            alike on both sides does; its size is `ceil(size / strides)`.
            (Keras's own `padding="same"` keeps other places of an even map.)
        norm_momentum: Float in [0, 1). Share of the old moving averages that
            the normalisations keep at each step. The authors' is 0.95.
        data_format: `"channels_last"` or `"channels_first"`. `None` takes
            Keras's global setting, once, when the layer is made.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(B, H, W, C)`, or `(B, C, H, W)` with `"channels_first"`.
        return_attention_scores: Boolean. Whether to return the weights too.
        training: Boolean. Whether the normalisations use the batch.

    Returns:
        The new map, `(B, H', W', filters)`, or `(B, filters, H', W')`; with
        `return_attention_scores=True`, `(output, weights)`, where weights is
        `(B, branches, filters)`, in [0, 1], and sums to one over the branches
        for every channel.

    Raises:
        ValueError: If `filters`, `groups`, `ratio`, `min_units` or `strides`
            is below 1, a kernel is even or below 3 or there is none, `groups`
            does not divide the channels, `norm_momentum` is not in [0, 1),
            `data_format` is unknown, the input's rank is not 4, or its
            channels are not known.

    Example:

    >>> import numpy as np
    >>> layer = SelectiveKernel(filters=32, groups=8)
    >>> output, weights = layer(
    ...     np.ones((2, 8, 8, 16), "float32"), return_attention_scores=True
    ... )
    >>> tuple(output.shape), tuple(weights.shape)
    ((2, 8, 8, 32), (2, 2, 32))

    Notation: `filters` is C, `kernels` gives M branches, `groups` is G,
    `ratio` is r, `min_units` is L, `units` is d, `weights` is a and b, `A` is
    A and B, the output is V.

    Departures: none from the authors' code. `norm_momentum` is ours.

    Reference:
        Li, Wang, Hu, Yang. Selective Kernel Networks. CVPR 2019, section
        3.1, equations 1 to 6. https://arxiv.org/abs/1903.06586
    """

    def __init__(
        self,
        filters,
        kernels=(3, 5),
        groups=32,
        ratio=16,
        min_units=32,
        strides=1,
        norm_momentum=0.95,
        data_format=None,
        **kwargs,
    ):
        check_sizes(
            "sizes of the network and of its steps",
            filters=filters,
            groups=groups,
            ratio=ratio,
            min_units=min_units,
            strides=strides,
        )
        several = isinstance(kernels, list | tuple) and len(kernels) > 0
        odd = several and all(
            isinstance(side, int) and side >= 3 and side % 2 for side in kernels
        )
        if not odd or len(set(kernels)) < len(kernels):
            raise ValueError(
                "`kernels` must be different odd integers of at least 3: an "
                "even kernel has no centre, and each branch is a 3x3 "
                "convolution spread over its kernel's places. "
                f"Received: kernels={kernels!r}"
            )
        if filters % groups:
            raise ValueError(
                "`groups` must divide `filters`: every group makes as many "
                "channels of the output. "
                f"Received: groups={groups}, filters={filters}"
            )
        check_share(
            "norm_momentum",
            norm_momentum,
            "the share of the old moving average that is kept",
        )
        super().__init__(**kwargs)
        self.filters = filters
        self.kernels = tuple(kernels)
        self.groups = groups
        self.ratio = ratio
        self.min_units = min_units
        self.strides = strides
        self.norm_momentum = norm_momentum
        self.data_format = resolve_data_format(data_format)

        axis = channel_axis(self.data_format)
        self.norms = [self._norm(f"norm_{side}", axis) for side in kernels]
        self.reduce = keras.layers.Dense(
            max(filters // ratio, min_units),
            use_bias=False,
            kernel_initializer="he_normal",
            dtype=self.dtype_policy,
            name="reduce",
        )
        self.reduce_norm = self._norm("reduce_norm", -1)
        self.select = keras.layers.Dense(
            len(self.kernels) * filters,
            use_bias=False,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            dtype=self.dtype_policy,
            name="select",
        )

    def build(self, input_shape):
        check_rank(self, input_shape, (4,))
        channels = known_channels(self, input_shape, self.data_format)
        if channels % self.groups:
            raise ValueError(
                "`groups` must divide the input's channels: every group reads "
                f"as many of them. Received: groups={self.groups}, "
                f"input_shape={tuple(input_shape)}"
            )
        self.conv_kernels = [
            self.add_weight(
                name=f"conv_{side}_kernel",
                shape=(3, 3, channels // self.groups, self.filters),
                initializer="he_normal",
            )
            for side in self.kernels
        ]
        output_shape = [None] * 4
        output_shape[channel_axis(self.data_format)] = self.filters
        for norm in self.norms:
            norm.build(tuple(output_shape))
        self.reduce.build((input_shape[0], self.filters))
        self.reduce_norm.build((input_shape[0], self.reduce.units))
        self.select.build((input_shape[0], self.reduce.units))

    def call(self, inputs, return_attention_scores=False, training=None):
        axes = spatial_axes(4, self.data_format)

        branches = []
        for side, kernel, norm in zip(
            self.kernels, self.conv_kernels, self.norms
        ):
            branch = self._convolve(inputs, kernel, dilation=(side - 1) // 2)
            branches.append(ops.relu(norm(branch, training=training)))

        z = self.reduce(mean_pool(sum(branches), axes))
        z = ops.relu(self.reduce_norm(z, training=training))
        scores = ops.reshape(
            self.select(z), (-1, len(self.kernels), self.filters)
        )
        weights = masked_softmax(scores, axis=1)

        output = sum(
            branch * ops.expand_dims(weights[:, m], axes)
            for m, branch in enumerate(branches)
        )
        return (output, weights) if return_attention_scores else output

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernels": self.kernels,
            "groups": self.groups,
            "ratio": self.ratio,
            "min_units": self.min_units,
            "strides": self.strides,
            "norm_momentum": self.norm_momentum,
            "data_format": self.data_format,
        }

    def _norm(self, name, axis):
        return keras.layers.BatchNormalization(
            axis=axis,
            momentum=self.norm_momentum,
            epsilon=1e-5,
            dtype=self.dtype_policy,
            name=name,
        )

    def _convolve(self, inputs, kernel, dilation):
        """A 3x3 convolution, in groups, dilated and strided at once.

        No backend of Keras does the last two together.
        """
        strides = self.strides
        if dilation % strides == 0:
            # What the kept places read lies on the grid of the kept places.
            inputs = self._thin(inputs, strides)
            dilation, strides = dilation // strides, 1
        if dilation == 1 and strides > 1:
            pads = [(0, 0)] * 4
            for axis in spatial_axes(4, self.data_format):
                pads[axis] = (1, 1)
            return self._in_groups(
                ops.pad(inputs, pads), kernel, padding="valid", strides=strides
            )
        everywhere = self._in_groups(
            inputs, kernel, padding="same", dilation_rate=dilation
        )
        return self._thin(everywhere, strides)

    def _in_groups(self, inputs, kernel, **options):
        """A convolution in groups, in as many parts as are fastest."""
        convolve = functools.partial(
            ops.conv, data_format=self.data_format, **options
        )
        if keras.backend.backend() == "torch":
            return convolve(inputs, kernel)
        axis = channel_axis(self.data_format)
        width = min(inputs.shape[axis], self.filters)
        parts = max(
            count
            for count in range(1, self.groups + 1)
            if self.groups % count == 0
            and (count == 1 or width // count >= PART)
        )
        found = [
            convolve(some, _block_diagonal(each, self.groups // parts))
            for some, each in zip(
                ops.split(inputs, parts, axis), ops.split(kernel, parts, -1)
            )
        ]
        return ops.concatenate(found, axis) if parts > 1 else found[0]

    def _thin(self, inputs, strides):
        """The first of every `strides` places along each axis.

        A slice would do; but where the sizes are not known, JAX must see that
        the branches' shapes agree, and it writes a slice's another way.
        """
        if strides == 1:
            return inputs
        return ops.max_pool(inputs, 1, strides, data_format=self.data_format)


def _block_diagonal(kernel, groups):
    """The kernel of all input channels, zero between the groups."""
    if groups == 1:
        return kernel
    _, _, channels, filters = kernel.shape
    same_group = np.kron(np.eye(groups), np.ones((channels, filters // groups)))
    tiled = ops.tile(kernel, (1, 1, groups, 1))
    return tiled * ops.cast(same_group, tiled.dtype)
