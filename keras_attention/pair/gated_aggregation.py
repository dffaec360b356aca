"""Inside aggregation of Tan et al. (2018): a gate, then a recurrence."""

import keras
from keras import ops

from keras_attention.arguments import check_known_depth, check_sizes
from keras_attention.functional import check_mask, hide
from keras_attention.pair.directions import both_directions
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class GatedAggregation(keras.layers.Layer):
    """Puts what each position read beside the position, weighs it, reads it.

        x[t] = [context[t]; inputs[t]]
        gate[t] = sigmoid(W x[t])
        output = bidirectional GRU over gate[t] * x[t]

    Args:
        units: Positive integer. Size of each direction of the GRU.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        context: What each position read of the other sequence, `(B, T, Dc)`.
        inputs: The sequence itself, `(B, T, D)`.
        inputs_mask: Boolean `(B, T)`, `True` where a position may be seen.
            Taken from `inputs` when they carry a Keras mask.
        return_attention_scores: Boolean. Whether to return the gate too.

    Returns:
        `(B, T, 2 * units)`, zeros where hidden; with
        `return_attention_scores=True` a pair with the gate, `(B, T, Dc + D)`,
        in [0, 1].

    Raises:
        ValueError: If `units` is not positive, the shapes are not of two
            sequences of one length, or the mask holds other than booleans, 1
            and 0, or has another shape.

    Example:

    >>> import numpy as np
    >>> read = np.ones((2, 7, 4), "float32")
    >>> words = np.ones((2, 7, 6), "float32")
    >>> tuple(GatedAggregation(units=5)(read, words).shape)
    (2, 7, 10)

    Notation: context[t] is q_t^k, inputs[t] is h_t^p, W is W_g and the gate g_t
    in the paper.

    Departures: none.

    Reference:
        Tan, Wei, Wang, Lv, Zhou. Multiway Attention Networks for Modeling
        Sentence Pairs. IJCAI 2018, pages 4411-4417, in the section on
        inside aggregation.
        https://www.ijcai.org/proceedings/2018/613
    """

    def __init__(self, units, **kwargs):
        check_sizes("the size of each direction of the GRU", units=units)
        super().__init__(**kwargs)
        self.units = units
        self.supports_masking = True
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

    def build(self, context_shape, inputs_shape):
        check_known_depth(
            self, context_shape=context_shape, inputs_shape=inputs_shape
        )
        _check_shapes(context_shape, inputs_shape)
        depth = context_shape[-1] + inputs_shape[-1]
        self.gate_kernel = self.add_weight(
            name="gate_kernel", shape=(depth, depth)
        )
        shape = (*inputs_shape[:2], depth)
        self.forward_gru.build(shape)
        self.backward_gru.build(shape)

    def call(
        self,
        context,
        inputs,
        inputs_mask=None,
        return_attention_scores=False,
    ):
        inputs_mask = check_mask("inputs_mask", inputs_mask, inputs.shape[:2])
        gated, gate = self.gated(context, inputs)
        output = both_directions(
            self.forward_gru, self.backward_gru, gated, inputs_mask
        )
        if inputs_mask is not None:
            output = hide(output, ops.expand_dims(inputs_mask, axis=-1))
        return (output, gate) if return_attention_scores else output

    def gated(self, context, inputs):
        """What the GRU reads.

        Args:
            context: `(B, T, Dc)`.
            inputs: `(B, T, D)`.

        Returns:
            Both side by side, gated, and the gate: `(B, T, Dc + D)` each.

        Raises:
            ValueError: If they are not sequences of one length.
        """
        _check_shapes(context.shape, inputs.shape)
        x = ops.concatenate([context, inputs], axis=-1)
        gate = ops.sigmoid(ops.matmul(x, self.gate_kernel))
        return gate * x, gate

    def compute_mask(self, inputs, previous_mask=None):
        return None

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def _check_shapes(context_shape, inputs_shape):
    shapes = tuple(context_shape), tuple(inputs_shape)
    lengths = {
        shape[1]
        for shape in shapes
        if len(shape) == 3 and isinstance(shape[1], int)
    }
    if any(len(shape) != 3 for shape in shapes) or len(lengths) > 1:
        raise ValueError(
            "`context` and `inputs` must be sequences of one length, "
            "(B, T, Dc) and (B, T, D): each position has read something. "
            f"Received: context_shape={shapes[0]}, inputs_shape={shapes[1]}"
        )
