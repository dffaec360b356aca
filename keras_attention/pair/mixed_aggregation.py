"""Mixed aggregation of Tan et al. (2018): which of the readings to trust."""

import keras
from keras import ops

from keras_attention.arguments import check_known_depth, check_sizes
from keras_attention.functional import check_mask, hide
from keras_attention.pair.directions import both_directions
from keras_attention.sequence.attention_pooling import AttentionPooling
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class MixedAggregation(keras.layers.Layer):
    """Mixes several readings of each position, then reads the mixture.

        s[t, k] = v . tanh(W inputs[t, k] + b)
        weights = softmax over the readings k of s
        x[t] = sum_k weights[t, k] inputs[t, k]
        output = bidirectional GRU over x

    Args:
        units: Positive integer. Size of each direction of the GRU.
        attention_units: Positive integer. Width of the scoring network; `None`
            is `units`.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: K readings of each position, `(B, T, K, D)`.
        mask: Boolean `(B, T)`, `True` where a position may be seen.
        return_attention_scores: Boolean. Whether to return the weights too.

    Returns:
        `(B, T, 2 * units)`, zeros where hidden; with
        `return_attention_scores=True` a pair with the weights, `(B, T, K)`,
        which sum to one over K, and are zeros where hidden.

    Raises:
        ValueError: If a size is not positive, the inputs are not of rank 4, or
            the mask holds other than booleans, 1 and 0, or has another shape.

    Example:

    >>> import numpy as np
    >>> readings = np.ones((2, 7, 4, 6), "float32")
    >>> output, weights = MixedAggregation(units=5)(
    ...     readings, return_attention_scores=True
    ... )
    >>> tuple(output.shape), tuple(weights.shape)
    ((2, 7, 10), (2, 7, 4))

    Notation: inputs[t, k] is h_t^k, W is W_1, v is v and b is W_2 v_a, a
    product of two learned things that is one, in the paper.

    Departures: none but that.

    Reference:
        Tan, Wei, Wang, Lv, Zhou. Multiway Attention Networks for Modeling
        Sentence Pairs. IJCAI 2018, pages 4411-4417, in the section on
        mixed aggregation.
        https://www.ijcai.org/proceedings/2018/613
    """

    def __init__(self, units, attention_units=None, **kwargs):
        check_sizes(
            "the sizes of the GRU and of the scoring network",
            optional=("attention_units",),
            units=units,
            attention_units=attention_units,
        )
        super().__init__(**kwargs)
        self.units = units
        self.attention_units = attention_units
        self.supports_masking = True
        self.attention = AttentionPooling(
            attention_units or units, dtype=self.dtype_policy, name="attention"
        )
        self.forward_gru, self.backward_gru = (
            keras.layers.GRU(
                units,
                return_sequences=True,
                go_backwards=name == "backward",
                dtype=self.dtype_policy,
                name=f"{name}_gru",
            )
            for name in ("forward", "backward")
        )

    def build(self, input_shape):
        check_known_depth(self, input_shape=input_shape)
        if len(input_shape) != 4:
            raise ValueError(
                "The inputs must be K readings of each position, (B, T, K, D). "
                f"Received: input_shape={tuple(input_shape)}"
            )
        batch, length, readings, depth = input_shape
        self.attention.build((None, readings, depth))
        self.forward_gru.build((batch, length, depth))
        self.backward_gru.build((batch, length, depth))

    def call(self, inputs, mask=None, return_attention_scores=False):
        mask = check_mask("mask", mask, inputs.shape[:2])
        batch, length, readings, depth = ops.shape(inputs)
        mixture, weights = self.attention(
            ops.reshape(inputs, (batch * length, readings, depth)),
            return_attention_scores=True,
        )
        mixture = ops.reshape(mixture, (batch, length, depth))
        weights = ops.reshape(weights, (batch, length, readings))
        output = both_directions(
            self.forward_gru, self.backward_gru, mixture, mask
        )
        if mask is not None:
            visible = ops.expand_dims(mask, axis=-1)
            output, weights = hide(output, visible), hide(weights, visible)
        return (output, weights) if return_attention_scores else output

    def compute_mask(self, inputs, previous_mask=None):
        return previous_mask

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "attention_units": self.attention_units,
        }
