"""What can be read of values, and what is refused of integers."""

import keras
import numpy as np
import pytest

from keras_attention import (
    ABCNN,
    AttentionLayer,
    ChannelAttention,
    LocalAttention,
    LuongAttention,
    MultiHeadAttention,
    PairAttentionMatrix,
    ScaledDotProductAttention,
    SEBlock,
    TransformerDecoder,
    TransformerEncoder,
)
from keras_attention.functional import (
    as_floats,
    cast_back,
    known_integer,
    known_values,
)
from tests.numbers import close

INTEGERS = [3, np.int64(3), np.array(3), np.array(3, "uint8")]
INTEGERS.append(keras.ops.convert_to_tensor(3))


@pytest.mark.parametrize("value", INTEGERS)
def test_an_integer_is_read_whoever_made_it(value):
    assert known_integer("start", value) == 3


def test_values_of_a_symbol_are_not_known():
    symbol = keras.KerasTensor((), "int32")
    assert known_integer("start", symbol) is None
    assert known_values(symbol) is None
    np.testing.assert_array_equal(known_values([1, 2]), [1, 2])


@pytest.mark.parametrize(
    "value", [2.0, np.float32(2), np.array([2]), "2", None, True, [2]]
)
def test_refuses_what_is_no_integer(value):
    with pytest.raises(ValueError, match="`start` must be an integer"):
        known_integer("start", value)


def test_integers_become_floats_and_floats_stay():
    for inputs in (np.arange(3), np.array([True, False])):
        inputs = keras.ops.convert_to_tensor(inputs)
        floats = as_floats(inputs, "float16")
        assert keras.backend.standardize_dtype(floats.dtype) == "float16"
    half = keras.ops.ones(3, "bfloat16")
    assert as_floats(half, "float32") is half


def test_results_are_cast_back_to_floats_only():
    result = keras.ops.convert_to_tensor([0.25, 0.75])
    for dtype, expected in (("float16", "float16"), ("int32", "float32")):
        back = cast_back(result, keras.ops.ones(2, dtype))
        assert keras.backend.standardize_dtype(back.dtype) == expected
        np.testing.assert_array_equal(known_values(back), [0.25, 0.75])


LAYERS = {
    "dot": lambda: AttentionLayer("dot"),
    "scaled_dot": lambda: AttentionLayer(),
    "luong": lambda: LuongAttention(3, score="dot"),
    "monotonic": lambda: LocalAttention(1, score="dot"),
    "predictive": lambda: LocalAttention(1, "predictive", score="dot"),
    "scaled": ScaledDotProductAttention,
    "heads": lambda: MultiHeadAttention(2, 3),
    "encoder": lambda: TransformerEncoder(8, 2),
    "decoder": lambda: TransformerDecoder(8, 2),
    "se": lambda: SEBlock(2),
    "channels": lambda: ChannelAttention(2),
    "abcnn": lambda: ABCNN(5, max_length=9),
    "words": lambda: PairAttentionMatrix("cosine"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_do_not_round_what_they_make_of_integers(name):
    rng, layer = np.random.default_rng(0), LAYERS[name]()
    whole = [rng.integers(-3, 4, size=(2, t, 8)) for t in (4, 6)]
    if name in ("se", "channels", "encoder"):
        whole = whole[:1]
    floats = layer(*[x.astype("float32") for x in whole])
    integers = layer(*[x.astype("int32") for x in whole])
    for one, other in zip(*map(keras.tree.flatten, (integers, floats))):
        close(one, other)
