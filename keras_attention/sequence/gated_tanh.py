"""Gated tanh of Anderson et al. (2018): a layer that gates itself."""

import keras

from keras_attention.arguments import check_known_depth, check_sizes
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class GatedTanh(keras.layers.Layer):
    """A dense layer whose output passes a gate computed from the same inputs.

        output = tanh(W inputs + b) * sigmoid(V inputs + c)

    The nonlinear layer of the paper's network for visual question answering,
    applied to the question, to the attended image features and, on both
    concatenated, in the score of each region. It has no attention of its own.

    Args:
        units: Positive integer. Size of the output.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(..., D)`, of any rank from 2.

    Returns:
        `(..., units)`, in (-1, 1).

    Raises:
        ValueError: If `units` is not positive.

    Example:

    >>> import numpy as np
    >>> regions = np.ones((2, 36, 32), "float32")
    >>> tuple(GatedTanh(units=8)(regions).shape)
    (2, 36, 8)

    Notation: V is W' and c is b' in the paper, the tanh is y-tilde and the
    sigmoid the gate g.

    Departures: none.

    Reference:
        Anderson, He, Buehler, Teney, Johnson, Gould, Zhang. Bottom-Up and
        Top-Down Attention for Image Captioning and Visual Question Answering.
        CVPR 2018, section on the VQA model. https://arxiv.org/abs/1707.07998
    """

    def __init__(self, units, **kwargs):
        check_sizes("the size of the output", units=units)
        super().__init__(**kwargs)
        self.units = units
        self.supports_masking = True
        self.hidden = keras.layers.Dense(
            units, activation="tanh", dtype=self.dtype_policy, name="hidden"
        )
        self.gate = keras.layers.Dense(
            units, activation="sigmoid", dtype=self.dtype_policy, name="gate"
        )

    def build(self, input_shape):
        check_known_depth(self, input_shape=input_shape)
        self.hidden.build(input_shape)
        self.gate.build(input_shape)

    def call(self, inputs):
        return self.hidden(inputs) * self.gate(inputs)

    def get_config(self):
        return {**super().get_config(), "units": self.units}
