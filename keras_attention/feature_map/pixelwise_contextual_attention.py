"""Pixel-wise contextual attention of Liu et al. (2018)."""

import keras
from keras import ops

from keras_attention.arguments import check_sizes
from keras_attention.functional import (
    channel_axis,
    check_rank,
    known_channels,
    masked_softmax,
    resolve_data_format,
    size_of,
)
from keras_attention.shapes import shapes_by_tracing

# Kernel and dilation of each mode, as the paper has them.
WINDOWS = {"global": (10, 3), "local": (7, 2)}


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class PixelwiseContextualAttention(keras.layers.Layer):
    """Every place reads the places around it, each with weights of its own.

    From what a place has seen of the map, it draws a weight for each place of
    a window around it, and sums up what stands there (PiCANet):

        z = conv1x1(look(inputs))                         K * K channels
        weights[h, w] = softmax(z[h, w])
        output[h, w] = sum over i, j of weights[h, w, i, j]
            * inputs[h + (i - K // 2) * dilation, w + (j - K // 2) * dilation]

    `"local"` looks by a convolution over the same window, `relu(conv(inputs))`;
    `"global"` by recurrent sweeps over the whole map, an LSTM both ways along
    each row and another both ways along each column of what the first one says.
    Either is `units` wide, each way. Places outside of the map get no weight.
    With all weights alike the output is a blur.

    Args:
        mode: `"local"` or `"global"`, how a place looks before it chooses.
        units: Positive integer. Width of what it has seen.
        kernel: Positive integer, K: places along each side of the window.
            `None`: 7 of a local one, 10 of a global one, as in the paper.
        dilation: Positive integer, in places: how far apart those are. `None`:
            2 of a local one, 3 of a global one.
        data_format: `"channels_last"` or `"channels_first"`. `None` takes
            Keras's global setting, once, when the layer is made.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(B, H, W, C)`, or `(B, C, H, W)` with `"channels_first"`.
        return_attention_scores: Boolean. Whether to return the weights too.
        training: Boolean.

    Returns:
        Shaped like `inputs`; with `return_attention_scores=True`,
        `(output, weights)`, where weights is `(B, H, W, K * K)`, or
        `(B, K * K, H, W)`, in [0, 1], the window row by row; it sums to one for
        every place.

    Raises:
        ValueError: If `mode` or `data_format` is unknown, `units`, `kernel` or
            `dilation` is below 1, the input's rank is not 4, or its channels
            are not known.

    Example:

    >>> import numpy as np
    >>> layer = PixelwiseContextualAttention("local", units=8)
    >>> output, weights = layer(
    ...     np.ones((1, 9, 9, 4)), return_attention_scores=True
    ... )
    >>> tuple(output.shape), tuple(weights.shape)
    ((1, 9, 9, 4), (1, 9, 9, 49))

    Notation: `weights` is alpha, `inputs` F, `output` F_att; a window has
    `K * K` = D places.

    Departures: the authors' code lets a window beyond the edge read zeros, and
        give weight to them; here it reads the places that there are.

    Reference:
        Liu, Han, Yang. PiCANet: Learning Pixel-wise Contextual Attention for
        Saliency Detection. CVPR 2018, sections 3.1 and 3.2, equation 1.
        https://arxiv.org/abs/1708.06433
    """

    def __init__(
        self,
        mode="local",
        units=128,
        kernel=None,
        dilation=None,
        data_format=None,
        **kwargs,
    ):
        if mode not in WINDOWS:
            raise ValueError(
                f"`mode` must be one of {', '.join(map(repr, WINDOWS))}, how a "
                f"place looks before it chooses. Received: mode={mode!r}"
            )
        known = {"units": units, "kernel": kernel, "dilation": dilation}
        check_sizes(
            "what a place has seen, and the places of its window",
            **{
                name: value
                for name, value in known.items()
                if name == "units" or value is not None
            },
        )
        super().__init__(**kwargs)
        self.mode = mode
        self.units = units
        self.kernel = WINDOWS[mode][0] if kernel is None else kernel
        self.dilation = WINDOWS[mode][1] if dilation is None else dilation
        self.data_format = resolve_data_format(data_format)

        if mode == "local":
            self.look = self._conv(
                "look",
                units,
                self.kernel,
                dilation_rate=self.dilation,
                activation="relu",
                kernel_initializer="he_normal",
            )
        else:
            self.rows = self._sweep("rows")
            self.columns = self._sweep("columns")
        self.choose = self._conv("choose", self.kernel**2, 1)

    def build(self, input_shape):
        check_rank(self, input_shape, (4,))
        channels = known_channels(self, input_shape, self.data_format)
        if self.mode == "local":
            self.look.build((None, None, None, channels))
            seen = self.units
        else:
            self.rows.build((None, None, channels))
            seen = 2 * self.units
            self.columns.build((None, None, seen))
        self.choose.build((None, None, None, seen))

    def call(self, inputs, return_attention_scores=False, training=None):
        first = channel_axis(self.data_format) == 1
        x = ops.moveaxis(inputs, 1, -1) if first else inputs
        height, width = size_of(x, "channels_last")
        if self.mode == "local":
            seen = self.look(x)
        else:
            # Columns are the rows of the map that is turned.
            seen = _swept(self.rows, x, training)
            seen = ops.swapaxes(seen, 1, 2)
            seen = ops.swapaxes(_swept(self.columns, seen, training), 1, 2)
        inside = self._inside(height, width)
        weights = masked_softmax(self.choose(seen), inside)

        before = self.dilation * (self.kernel // 2)
        beyond = self.dilation * (self.kernel - 1) - before
        padded = ops.pad(
            x, ((0, 0), (before, beyond), (before, beyond), (0, 0))
        )
        output = 0
        for place in range(self.kernel**2):
            down, right = (
                self.dilation * i for i in divmod(place, self.kernel)
            )
            there = padded[:, down : down + height, right : right + width]
            output = output + weights[..., place : place + 1] * there
        if first:
            output, weights = (
                ops.moveaxis(each, -1, 1) for each in (output, weights)
            )
        return (output, weights) if return_attention_scores else output

    def get_config(self):
        return {
            **super().get_config(),
            "mode": self.mode,
            "units": self.units,
            "kernel": self.kernel,
            "dilation": self.dilation,
            "data_format": self.data_format,
        }

    def _inside(self, height, width):
        """Which places of its window a place has, `(1, H, W, K * K)`."""
        steps = ops.arange(self.kernel, dtype="int32") - self.kernel // 2
        ways = []
        for size in (height, width):
            there = ops.arange(size, dtype="int32")[:, None]
            there = there + self.dilation * steps  # (size, K)
            ways.append(ops.logical_and(there >= 0, there < size))
        rows, columns = ways
        inside = ops.logical_and(
            rows[:, None, :, None], columns[None, :, None, :]
        )
        return ops.reshape(inside, (1, height, width, self.kernel**2))

    def _conv(self, name, filters, size, **options):
        return keras.layers.Conv2D(
            filters,
            size,
            padding="same",
            data_format="channels_last",
            dtype=self.dtype_policy,
            name=name,
            **options,
        )

    def _sweep(self, name):
        return keras.layers.Bidirectional(
            keras.layers.LSTM(
                self.units,
                return_sequences=True,
                dtype=self.dtype_policy,
                name="lstm",
            ),
            dtype=self.dtype_policy,
            name=name,
        )


def _swept(sweep, x, training):
    """A recurrent layer along each row of `(B, H, W, C)`."""
    height, width = size_of(x, "channels_last")
    rows = ops.reshape(x, (-1, width, x.shape[-1]))
    seen = sweep(rows, training=training)
    return ops.reshape(seen, (-1, height, width, seen.shape[-1]))
