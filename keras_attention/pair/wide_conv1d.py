"""Wide convolution over a sequence, as BCNN takes it (Yin et al. 2016)."""

import keras
from keras import ops

from keras_attention.arguments import check_known_depth, check_sizes
from keras_attention.functional import check_mask, hide
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class WideConv1D(keras.layers.Layer):
    """Convolves a sequence beyond its ends: every window that touches it.

        output[i] = tanh(W [inputs[i - w + 1]; ...; inputs[i]] + b)

    for i from 0 to T + w - 2, zeros standing outside, so that each word is at
    every place of a window, the first and the last word too. `keras.layers`
    has `"valid"`, `"same"` and `"causal"`, not this.

    Args:
        filters: Positive integer. Width of the output.
        kernel_size: Positive integer. Words in a window, w.
        activation: An activation of Keras, or its name.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(B, T, D)`.
        mask: Boolean `(B, T)`, `True` where a position may be seen; others
            count as zeros. Taken from `inputs` when they carry a Keras mask.

    Returns:
        `(B, T + kernel_size - 1, filters)`, with a Keras mask if there was
        one; zeros where a window holds nothing visible.

    Raises:
        ValueError: If a size is not positive, the inputs are not of rank 3, or
            the mask holds other than booleans, 1 and 0, or has another shape.

    Example:

    >>> import numpy as np
    >>> layer = WideConv1D(filters=5, kernel_size=3)
    >>> tuple(layer(np.ones((2, 7, 8), "float32")).shape)
    (2, 9, 5)

    Notation: `inputs[i]` is v_i, `output[i]` is p_i in the paper, which counts
    from 1.

    Departures: none.

    Reference:
        Yin, Schuetze, Xiang, Zhou. ABCNN: Attention-Based Convolutional Neural
        Network for Modeling Sentence Pairs. TACL 2016, section 3.
        https://arxiv.org/abs/1512.05193
    """

    def __init__(self, filters, kernel_size=4, activation="tanh", **kwargs):
        check_sizes(
            "the width of the output and of a window",
            filters=filters,
            kernel_size=kernel_size,
        )
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.activation = keras.activations.get(activation)
        self.supports_masking = True
        self.convolution = keras.layers.Conv1D(
            filters,
            kernel_size,
            activation=self.activation,
            data_format="channels_last",
            dtype=self.dtype_policy,
            name="convolution",
        )

    def build(self, input_shape):
        check_known_depth(self, input_shape=input_shape)
        if len(input_shape) != 3:
            raise ValueError(
                "The inputs must be a sequence of vectors, (B, T, D). "
                f"Received: input_shape={tuple(input_shape)}"
            )
        batch, length, depth = input_shape
        if length is not None:
            length += 2 * (self.kernel_size - 1)
        self.convolution.build((batch, length, depth))

    def call(self, inputs, mask=None):
        mask = check_mask("mask", mask, inputs.shape[:2])
        if mask is not None:
            inputs = hide(inputs, ops.expand_dims(mask, axis=-1))
        ends = (self.kernel_size - 1, self.kernel_size - 1)
        outputs = self.convolution(ops.pad(inputs, ((0, 0), ends, (0, 0))))
        if mask is not None:
            outputs = hide(outputs, ops.expand_dims(self._wide(mask), axis=-1))
        return outputs

    def compute_mask(self, inputs, previous_mask=None):
        if previous_mask is None:
            return None
        return self._wide(ops.cast(previous_mask, "bool"))

    def _wide(self, mask):
        """Which windows hold anything visible, `(B, T + kernel_size - 1)`."""
        more = self.kernel_size - 1
        wide = ops.pad(mask, ((0, 0), (0, more)))
        for shift in range(1, self.kernel_size):
            shifted = ops.pad(mask, ((0, 0), (shift, more - shift)))
            wide = ops.logical_or(wide, shifted)
        return wide

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "activation": keras.activations.serialize(self.activation),
        }
