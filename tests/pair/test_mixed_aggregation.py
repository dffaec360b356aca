"""MixedAggregation against the paper's equations, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import MixedAggregation
from tests.contract import POLICIES, check_layer
from tests.numbers import arrays, both_ways, close, numpy, randomize, softmax


@pytest.mark.slow
def test_contract(tmp_path):
    halves = keras.backend.backend() == "tensorflow"
    check_layer(
        MixedAggregation,
        inits=[{"units": 3}, {"units": 2, "attention_units": 5}],
        shapes={"inputs": (3, 5, 4, 6)},
        output=[(3, 5, 6), (3, 5, 4)],
        weights=(3, 5, 4),
        folder=tmp_path,
        sum_axis=-1,
        free_axes=(1,),
        litert_batches=(1,),
        policies=[p for p in POLICIES if halves or p != "float16"],
    )


def test_equals_the_equations_of_the_paper():
    h = np.random.default_rng(0).normal(size=(2, 4, 3, 5))
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], "bool")
    layer = MixedAggregation(units=2, attention_units=6)
    layer.build(h.shape)
    randomize(layer)
    output, weights = layer(h, mask=mask, return_attention_scores=True)
    W, b, v = arrays(
        layer,
        "attention/hidden/kernel",
        "attention/hidden/bias",
        "attention/context_vectors",
    )
    for n, length in enumerate((4, 2)):
        x = np.zeros((length, 5))
        for t in range(length):
            shares = softmax(np.tanh(h[n, t] @ W + b) @ v[:, 0])
            close(weights[n, t], shares)
            x[t] = shares @ h[n, t]
        close(output[n, :length], both_ways(layer, "", x))
        assert not numpy(output)[n, length:].any()
        assert not numpy(weights)[n, length:].any()


def test_hands_on_its_mask():
    h = np.ones((1, 3, 2, 4), "float32")
    mask = keras.ops.convert_to_tensor([[True, True, False]])
    output = MixedAggregation(units=2)(h, mask=mask)
    assert numpy(output._keras_mask).tolist() == [[True, True, False]]


def test_the_order_of_the_readings_does_not_count():
    h = np.random.default_rng(0).normal(size=(2, 4, 3, 5)).astype("float32")
    layer = MixedAggregation(units=2)
    output, weights = layer(h, return_attention_scores=True)
    turned = h[:, :, ::-1].copy()
    moved, others = layer(turned, return_attention_scores=True)
    close(moved, output)
    close(numpy(others)[..., ::-1], weights)


def test_refuses_bad_arguments_and_inputs():
    for arguments in ({"units": 0}, {"units": 2, "attention_units": 0}):
        with pytest.raises(ValueError, match="positive integers"):
            MixedAggregation(**arguments)
    with pytest.raises(ValueError, match=r"input_shape=\(2, 3, 4\)"):
        MixedAggregation(2)(np.ones((2, 3, 4)))
    with pytest.raises(ValueError, match="`mask` must be boolean"):
        MixedAggregation(2)(np.ones((2, 3, 4, 5)), mask=np.ones((2, 4), "bool"))
