"""The contract itself: it passes a right layer, and each fault goes red."""

import random

import keras
import pytest
from keras import ops

from keras_attention.arguments import check_sizes
from keras_attention.shapes import shapes_by_tracing
from tests import contract

REGISTER = keras.saving.register_keras_serializable
INITS = [
    {"units": 6, "sizes": (3, 5)},
    {"identity_start": True, "data_format": "channels_first"},
]
SHAPE = (3, 4, 5, 8)


def check(layer_class, folder, **changes):
    """The right call for `Right`, but for the changes."""
    arguments = {
        "inits": INITS,
        "shapes": {"inputs": SHAPE},
        "output": SHAPE,
        "weights": (3, 1, 1, 8),
        "folder": folder,
        "free_axes": (1, 2),
        "litert_batches": (),
    }
    contract.check_layer(layer_class, **{**arguments, **changes})


@REGISTER(package="keras_attention")
@shapes_by_tracing
class Right(keras.layers.Layer):
    """A small squeeze-and-excitation, with parts that a fault can replace."""

    def __init__(
        self,
        units=4,
        sizes=(1, 2),
        identity_start=False,
        data_format=None,
        **kwargs,
    ):
        self.check(units)
        if not isinstance(sizes, list | tuple):
            raise ValueError(
                f"`sizes` must be several. Received: sizes={sizes}"
            )
        super().__init__(**kwargs)
        self.units = units
        self.sizes = sizes
        self.identity_start = identity_start
        self.data_format = data_format or keras.config.image_data_format()
        self.hidden = keras.layers.Dense(
            units, "tanh", dtype=self.dtype_policy, name="hidden"
        )

    def check(self, units):
        check_sizes("the hidden layer's width", units=units)

    def build(self, input_shape):
        last = self.data_format == "channels_last"
        channels = input_shape[-1 if last else 1]
        self.check_depth(channels, input_shape)
        self.expand = keras.layers.Dense(
            channels,
            kernel_initializer="zeros" if self.identity_start else "normal",
            dtype=self.dtype_policy,
            name="expand",
        )
        self.hidden.build((None, channels))
        self.expand.build((None, self.units))

    def check_depth(self, channels, input_shape):
        if channels is None:
            raise ValueError(
                "`inputs` must have known channels, which the weights need. "
                f"Received: input_shape={input_shape}"
            )

    def call(self, inputs, return_attention_scores=False):
        gate = self.gate(self.expand(self.hidden(self.pool(inputs))))
        gate = ops.expand_dims(gate, self.axes())
        output = self.output_of(inputs * gate)
        return (output, gate) if return_attention_scores else output

    def axes(self):
        return (1, 2) if self.data_format == "channels_last" else (2, 3)

    def pool(self, inputs):
        return ops.mean(inputs, self.axes())

    def gate(self, logits):
        return ops.sigmoid(logits) * (2 if self.identity_start else 1)

    def output_of(self, output):
        return output

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "sizes": self.sizes,
            "identity_start": self.identity_start,
            "data_format": self.data_format,
        }


def test_a_right_layer_passes(tmp_path):
    check(Right, tmp_path, litert_batches=(1, 3))
    assert len(contract.lifecycle.SAVED) == len(INITS)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="LiteRT needs TensorFlow"
)
def test_a_layer_that_needs_more_than_builtin_operators_is_red(tmp_path):
    with pytest.raises(Exception, match="(?i)convert"):
        check(NoBuiltin, tmp_path, litert_batches=(1, 3))


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="XLA is TensorFlow's here"
)
def test_a_layer_that_does_not_compile_is_red(tmp_path):
    with pytest.raises(Exception, match="XLA"):
        check(NotCompiled, tmp_path)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="the other backends never trace an unknown size",
)
def test_a_layer_that_needs_its_sizes_when_built_is_red(tmp_path):
    with pytest.raises((TypeError, ValueError)):
        check(SizesFixed, tmp_path)


@pytest.mark.parametrize(
    "changes, complaint",
    [
        ({"inits": INITS[:1]}, "`identity_start` is at its default"),
        ({"output": (3, 4, 5, 9)}, "9"),
        ({"weights": (3, 1, 8)}, "8"),
        ({"weights_range": (0, 0.3)}, "attention weights span"),
        ({"sum_axis": -1}, "Not equal to tolerance"),
    ],
)
def test_a_wrong_expectation_is_red(changes, complaint, tmp_path):
    with pytest.raises(AssertionError, match=complaint):
        check(Right, tmp_path, **changes)


@REGISTER(package="keras_attention")
class Ungated(Right):
    def gate(self, logits):
        return logits + (1 if self.identity_start else 0)


@REGISTER(package="keras_attention")
class OverTheBatch(Right):
    def pool(self, inputs):
        return super().pool(inputs - ops.mean(inputs, 0))


@REGISTER(package="keras_attention")
class Forgetful(Right):
    def get_config(self):
        config = super().get_config()
        del config["units"]
        return config


@REGISTER(package="keras_attention")
class Altering(Right):
    def __init__(self, sizes=(1, 2), **kwargs):
        super().__init__(sizes=sizes, **kwargs)
        self.sizes = list(sizes)


@REGISTER(package="keras_attention")
class Idle(Right):
    def build(self, input_shape):
        super().build(input_shape)
        self.idle = self.add_weight(name="idle", shape=(2,))


@REGISTER(package="keras_attention")
class FullPrecisionInside(Right):
    def build(self, input_shape):
        self.hidden = keras.layers.Dense(self.units, "tanh", name="hidden")
        super().build(input_shape)


@REGISTER(package="keras_attention")
class FullPrecisionOut(Right):
    def output_of(self, output):
        return ops.cast(output, "float32")


@REGISTER(package="keras_attention")
class Overflowing(Right):
    def pool(self, inputs):
        return super().pool(inputs * 1e4 * 1e4) / 1e4 / 1e4


@REGISTER(package="other")
class Elsewhere(Right):
    pass


@REGISTER(package="keras_attention")
class Remembering(Right):
    calls = 0

    def output_of(self, output):
        self.calls += 1
        return output * (1 + 0.001 * self.calls)


@REGISTER(package="keras_attention")
class OneFormatOnly(Right):
    def pool(self, inputs):
        if self.data_format == "channels_first":
            return ops.max(inputs, self.axes())
        return super().pool(inputs)


@REGISTER(package="keras_attention")
class FormatNotResolved(Right):
    def __init__(
        self,
        units=4,
        sizes=(1, 2),
        identity_start=False,
        data_format=None,
        **kwargs,
    ):
        super().__init__(units, sizes, identity_start, data_format, **kwargs)
        self.given_format = data_format

    def get_config(self):
        return {**super().get_config(), "data_format": self.given_format}


@REGISTER(package="keras_attention")
class NotIdentity(Right):
    def gate(self, logits):
        return ops.sigmoid(logits) * 1.99 if self.identity_start else logits


@REGISTER(package="keras_attention")
class SizesFixed(Right):
    def output_of(self, output):
        return ops.reshape(output, (-1, *output.shape[1:]))


@REGISTER(package="keras_attention")
class TrainingByDefault(Right):
    def call(self, inputs, return_attention_scores=False, training=True):
        return super().call(inputs, return_attention_scores)


@REGISTER(package="keras_attention")
class Unsaved(Right):
    made = 0

    def build(self, input_shape):
        super().build(input_shape)
        Unsaved.made += 1
        self.number = Unsaved.made % 2

    def pool(self, inputs):
        return super().pool(inputs) + self.number


@REGISTER(package="keras_attention")
class TakesAnySize(Right):
    def check(self, units):
        pass


@REGISTER(package="keras_attention")
class RefusesByType(Right):
    def check(self, units):
        if units < 1:
            raise ValueError(f"`units` is small. Received: units={units}")


@REGISTER(package="keras_attention")
class UnknownDepthInKerasWords(Right):
    def check_depth(self, channels, input_shape):
        pass


@REGISTER(package="keras_attention")
class TakesNothing(Right):
    call = Right.call.__wrapped__


@REGISTER(package="keras_attention")
class DropsTheMask(Right):
    def call(self, inputs, mask=None, return_attention_scores=False):
        return super().call(inputs, return_attention_scores)


@REGISTER(package="keras_attention")
class MoreThanItsCall(Right):
    def __call__(self, inputs, **kwargs):
        return super().__call__(keras.ops.abs(inputs), **kwargs)


@REGISTER(package="keras_attention")
class ShapeByHand(Right):
    def compute_output_shape(self, inputs_shape, **flags):
        return inputs_shape


@REGISTER(package="keras_attention")
class AskedByChance(Right):
    def compute_output_shape(self, inputs_shape, **flags):
        random.random()
        return super().compute_output_shape(inputs_shape, **flags)


@REGISTER(package="keras_attention")
class InTheGlobalFormat(Right):
    def pool(self, inputs):
        if keras.config.image_data_format() == "channels_first":
            return super().pool(inputs) + 1
        return super().pool(inputs)


@REGISTER(package="keras_attention")
class InTheGlobalPrecision(Right):
    def pool(self, inputs):
        exact = keras.config.floatx() == "float32"
        return super().pool(inputs) + (0 if exact else 1)


@REGISTER(package="keras_attention")
class NoBuiltin(Right):
    def output_of(self, output):
        order = ops.argmax(ops.mean(output, (1, 2)), axis=-1)
        return output + 0 * ops.cast(order, output.dtype)[:, None, None, None]


@REGISTER(package="keras_attention")
class NotCompiled(Right):
    def output_of(self, output):
        return ops.image.resize(
            output, (4, 5), "bicubic", data_format=self.data_format
        )


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize(
    "layer_class, complaint",
    [
        (Ungated, "attention weights span"),
        (OverTheBatch, "a sample alone"),
        (Forgetful, "`units` is not in get_config"),
        (Altering, r"sizes=\(3, 5\) is kept as \[3, 5\]"),
        (Idle, "training never moves .*idle"),
        (FullPrecisionInside, "policy float32 inside a layer of mixed_float16"),
        (FullPrecisionOut, "mixed_float16: compute_output_spec tells float16"),
        (Overflowing, "is not finite|are not finite"),
        (Elsewhere, "other>Elsewhere"),
        (Remembering, "with and without|a sample alone|again, after others"),
        (OneFormatOnly, "channels first against channels last"),
        (FormatNotResolved, "data_format=None is kept"),
        (NotIdentity, "must return its input|attention weights span"),
        (TrainingByDefault, "training=None"),
        (Unsaved, "a saved model, reloaded"),
        (TakesAnySize, "takes units="),
        (RefusesByType, "units="),
        (UnknownDepthInKerasWords, "unknown depth"),
        (TakesNothing, "empty: takes size 0"),
        (DropsTheMask, "supports_masking"),
        (MoreThanItsCall, "under TimeDistributed"),
        (ShapeByHand, "compute_output_shape tells"),
        (AskedByChance, "asking for shapes draws seeds"),
        (InTheGlobalFormat, "under channels_first, float32"),
        (InTheGlobalPrecision, "under channels_last, float16"),
    ],
)
def test_a_fault_is_red(layer_class, complaint, tmp_path):
    with pytest.raises(AssertionError, match=complaint):
        check(layer_class, tmp_path)
