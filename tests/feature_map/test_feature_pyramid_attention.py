"""Feature pyramid attention against the paper, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import FeaturePyramidAttention
from tests.contract import check_layer
from tests.functional.test_resizing import by_hand
from tests.numbers import (
    arrays,
    close,
    convolve,
    normalize,
    numpy,
    randomize,
    relu,
)

NORM = ("gamma", "beta", "moving_mean", "moving_variance")


@pytest.mark.slow
def test_contract(tmp_path):
    check_layer(
        FeaturePyramidAttention,
        inits=[
            {"filters": 8},
            {"filters": 6, "kernels": (5, 3), "units": 6},
            {
                "filters": 8,
                "norm_momentum": 0.8,
                "data_format": "channels_first",
            },
        ],
        shapes={"inputs": (3, 9, 8, 4)},
        output=[(3, 9, 8, 8), (3, 9, 8, 6), (3, 9, 8, 8)],
        weights=[(3, 9, 8, 1), (3, 9, 8, 6), (3, 9, 8, 1)],
        weights_range=(0, np.inf),
        folder=tmp_path,
        free_axes=(1, 2),
    )


def block(layer, name, x, training):
    (kernel,) = arrays(layer, f"{name}/conv/kernel")
    numbers = arrays(layer, *(f"{name}/norm/{part}" for part in NORM))
    x = np.stack([convolve(each, kernel) for each in x])
    return relu(normalize(x, *numbers, training=training))


def pool(x):
    """Maxima of 2x2 places; at an odd end, of what there is."""
    B, H, W, C = x.shape
    padded = np.full((B, H + H % 2, W + W % 2, C), -np.inf)
    padded[:, :H, :W] = x
    return padded.reshape(B, -(-H // 2), 2, -(-W // 2), 2, C).max((2, 4))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("units", [1, 6])
@pytest.mark.parametrize("size", [(12, 8), (9, 5)])
def test_equals_the_equations(size, units, training):
    inputs = np.random.default_rng(1).normal(size=(3, *size, 5))
    layer = FeaturePyramidAttention(6, units=units)
    layer.build(inputs.shape)
    randomize(layer)

    levels = [inputs]
    for place in range(3):
        levels.append(block(layer, f"down_{place}", pool(levels[-1]), training))
    weights = 0
    for place in (2, 1, 0):
        weights = weights + block(
            layer, f"up_{place}", levels[place + 1], training
        )
        finer = levels[place].shape[1:3]
        weights = np.stack([by_hand(each, finer) for each in weights])
    mean = block(layer, "mean", inputs.mean((1, 2), keepdims=True), training)
    expected = weights * block(layer, "inputs", inputs, training) + mean
    output, found = layer(
        inputs, return_attention_scores=True, training=training
    )
    close(found, weights, atol=1e-4)
    close(output, expected, atol=1e-4)


def test_without_the_pyramid_only_the_mean_is_left():
    inputs = np.random.default_rng(2).normal(size=(2, 8, 8, 5))
    layer = FeaturePyramidAttention(6)
    layer.build(inputs.shape)
    randomize(layer)
    for each in layer.up_blocks:
        each.norm.gamma.assign(np.zeros(1))
        each.norm.beta.assign(np.full(1, -1))
    output, weights = layer(inputs, return_attention_scores=True)
    close(weights, np.zeros((2, 8, 8, 1)), rtol=0, atol=0)
    assert np.ptp(numpy(output), axis=(1, 2)).max() == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 3)])
def test_reads_the_smallest_maps(size):
    inputs = np.random.default_rng(3).normal(size=(2, *size, 5))
    output = FeaturePyramidAttention(6)(inputs)
    assert output.shape == (2, *size, 6) and np.isfinite(numpy(output)).all()


def test_has_the_parameters_that_its_equations_have():
    layer = FeaturePyramidAttention(6)
    layer.build((None, 8, 8, 5))
    trainable = sum(int(np.prod(w.shape)) for w in layer.trainable_weights)
    pyramid = 49 * 5 + 25 + 9 + 49 + 25 + 9 + 6 * 2
    assert trainable == pyramid + 2 * (5 * 6 + 2 * 6)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"filters": 0}, "filters=0"),
        ({"kernels": (4,)}, r"kernels=\(4,\)"),
        ({"kernels": ()}, r"kernels=\(\)"),
        ({"kernels": 3}, "kernels=3"),
        ({"units": 3}, "units=3, filters=4"),
        ({"norm_momentum": 1.0}, "norm_momentum=1.0"),
        ({"data_format": "NHWC"}, "data_format='NHWC'"),
    ],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        FeaturePyramidAttention(**{"filters": 4, **arguments})


def test_refuses_bad_inputs():
    with pytest.raises(ValueError, match=r"input_shape=\(2, 4, 8\)"):
        FeaturePyramidAttention(4)(np.ones((2, 4, 8)))
    with pytest.raises(ValueError, match="channels"):
        FeaturePyramidAttention(4)(keras.Input((4, 4, None)))
