"""Sequence layers say the same under every global setting of Keras.

What no plain call reaches: caches, positions that are given, masks, windows.
"""

import keras
import numpy as np
import pytest

from keras_attention import (
    LearnedPositionEncoding,
    LocalAttention,
    MultiHeadAttention,
    SinusoidalPositionEncoding,
    TransformerDecoder,
)
from keras_attention.functional import (
    causal_mask,
    padding_mask,
    visible_pairs,
    window_mask,
)
from tests.numbers import close, numpy

RNG = np.random.default_rng(0)
QUERY = RNG.normal(size=(2, 3, 8)).astype("float32")
VALUE = RNG.normal(size=(2, 5, 8)).astype("float32")
PADDING = np.arange(5) < np.array([[5], [3]])
MASKS = {"value_mask": PADDING, "use_causal_mask": True}


def step_by_step(layer):
    shape = (2, 2, 6, 4)
    cache = {
        name: np.zeros(shape, layer.compute_dtype) for name in ("key", "value")
    }
    outputs = []
    for index in range(3):
        output, cache = layer(
            QUERY[:, index : index + 1],
            VALUE,
            target_mask=np.ones((2, 1), "bool"),
            memory_mask=PADDING,
            cache=cache,
            cache_index=index,
        )
        outputs.append(output)
    return keras.ops.concatenate(outputs, axis=1)


def placed(layer):
    return layer(QUERY, VALUE, positions=np.array([[0, 2, 4], [1, 1, 0]]))


CASES = {
    "monotonic": (LocalAttention, {"window": 2}, {**MASKS, "value": VALUE}),
    "predictive": (
        LocalAttention,
        {"window": 2, "mode": "predictive", "score": "concat"},
        {**MASKS, "value": VALUE},
    ),
    "placed": (LocalAttention, {"window": 1}, placed),
    "window": (
        MultiHeadAttention,
        {"num_heads": 2, "key_dim": 3, "sliding_window": 2},
        {**MASKS, "value": VALUE},
    ),
    "waves": (SinusoidalPositionEncoding, {}, {"start": 40}),
    "vectors": (LearnedPositionEncoding, {"max_length": 9}, {"start": 2}),
    "cache": (
        TransformerDecoder,
        {"intermediate_dim": 16, "num_heads": 2},
        step_by_step,
    ),
}


@pytest.fixture(params=["channels_first", "float16", "float64"])
def setting(request):
    before = keras.config.image_data_format(), keras.config.floatx()
    yield request.param
    keras.config.set_image_data_format(before[0])
    keras.config.set_floatx(before[1])


def turn(setting):
    if setting == "channels_first":
        keras.config.set_image_data_format(setting)
    else:
        keras.config.set_floatx(setting)


@pytest.mark.parametrize("case", CASES)
def test_says_the_same_under_every_setting(case, setting):
    layer_class, init, ask = CASES[case]
    answer = ask if callable(ask) else lambda layer: layer(QUERY, **ask)
    exact = layer_class(**init)
    expected = numpy(answer(exact))
    turn(setting)
    for dtype in ("float32", None):  # None takes what is set
        layer = layer_class(**init, dtype=dtype)
        answer(layer)
        layer.set_weights(exact.get_weights())
        actual = answer(layer)
        kind = keras.backend.standardize_dtype(actual.dtype)
        assert kind == layer.compute_dtype
        half = kind == "float16"
        actual = numpy(actual).astype("float32")
        close(actual, expected, rtol=0, atol=0.02 if half else 1e-5)


def test_masks_are_the_same_under_every_setting(setting):
    def masks():
        seen = [
            padding_mask([1, 3], 4),
            causal_mask(2, 4),
            window_mask(np.arange(3), 5, 1),
            window_mask([[0.5, 2.0]], 5, 1),
            visible_pairs(QUERY, VALUE, **MASKS),
        ]
        return [numpy(mask) for mask in seen]

    expected = masks()
    turn(setting)
    for one, other in zip(masks(), expected, strict=True):
        np.testing.assert_array_equal(one, other)
