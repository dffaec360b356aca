"""Squeeze-and-excitation of Hu et al. (2018)."""

import keras
from keras import ops

from keras_attention.arguments import check_sizes
from keras_attention.functional import (
    as_floats,
    channel_axis,
    check_gate,
    check_mask,
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
class SEBlock(keras.layers.Layer):
    """Squeeze-and-excitation: a gate on every channel, from all places.

    Each channel is summed up over the whole map, a small network sees all the
    sums side by side, and says how much of each channel to let through:

        z[c] = mean over places of inputs[..., c]
        gate = sigmoid(W2 relu(W1 z + b1) + b2)
        output[..., c] = gate[c] * inputs[..., c]

    `W1` is `(C, units)` and `W2` is `(units, C)`, with
    `units = max(C // ratio, min_units)`: `2 C units + units + C` parameters.
    In a residual block its place is the branch, after the last normalisation
    and before the sum (section 3.3 of the paper).

    Args:
        ratio: Positive integer. How many times narrower than the channels the
            small network is.
        min_units: Positive integer. The least width of the small network,
            where `C // ratio` is smaller (MobileNets use 8).
        use_bias: Boolean. Whether the small network has biases, as in the
            authors' code; the paper's equations have none.
        gate: `"sigmoid"`, or `"hard_sigmoid"` (MobileNetV3).
        identity_start: Boolean. The gate is `2 sigmoid(z)` with `W2` and `b2`
            zero: exactly 1 at the start, so the layer can be put into a
            trained model without changing its answers. Range (0, 2).
        data_format: `"channels_last"` or `"channels_first"`. `None` takes
            Keras's global setting, once, when the layer is made.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(B, H, W, C)`; any number of spatial axes from 1 to 3. With
            `"channels_first"`, `(B, C, H, W)`.
        mask: Boolean `(B, H, W)`, `True` where a place counts, or 1 and 0.
            Taken from `inputs` when it carries a Keras mask, as an embedding's
            `(B, T, C)` does. A sample with no place counted is squeezed to
            zeros.
        return_attention_scores: Boolean. Whether to return the gate too.

    Returns:
        The gated map, shaped like `inputs`; with
        `return_attention_scores=True`, `(output, gate)`, where gate is
        `(B, 1, 1, C)`, or `(B, C, 1, 1)`, shares in (0, 1).

    Raises:
        ValueError: If `ratio` or `min_units` is below 1, a name is unknown,
            the input's rank is not 3 to 5, its channels are not known, or
            the mask holds other values or has another shape.

    Example:

    >>> import numpy as np
    >>> layer = SEBlock(ratio=4)
    >>> output, gate = layer(
    ...     np.ones((2, 8, 8, 16), "float32"), return_attention_scores=True
    ... )
    >>> tuple(output.shape), tuple(gate.shape), layer.count_params()
    ((2, 8, 8, 16), (2, 1, 1, 16), 148)

    Notation: `ratio` is r, `gate` is s, `W1` and `W2` as in the paper.

    Departures: biases by default, as in the authors' code and the published
    counts; `mask`, `gate` and `identity_start` are ours.

    Reference:
        Hu, Shen, Sun. Squeeze-and-Excitation Networks. CVPR 2018, section
        3, equations 2 to 4. https://arxiv.org/abs/1709.01507
    """

    def __init__(
        self,
        ratio=16,
        min_units=1,
        use_bias=True,
        gate="sigmoid",
        identity_start=False,
        data_format=None,
        **kwargs,
    ):
        check_sizes(
            "the gate's network is `max(channels // ratio, min_units)` wide",
            ratio=ratio,
            min_units=min_units,
        )
        check_gate(gate)
        super().__init__(**kwargs)
        self.ratio = ratio
        self.min_units = min_units
        self.use_bias = use_bias
        self.gate = gate
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

        squeezed = mean_pool(inputs, axes, mask)
        logits = self.expand(self.reduce(squeezed))
        shares = ops.expand_dims(
            gate(logits, self.gate, self.identity_start), axes
        )

        output = inputs * shares
        return (output, shares) if return_attention_scores else output

    def get_config(self):
        return {
            **super().get_config(),
            "ratio": self.ratio,
            "min_units": self.min_units,
            "use_bias": self.use_bias,
            "gate": self.gate,
            "identity_start": self.identity_start,
            "data_format": self.data_format,
        }
