"""BAM against the authors' code and the paper, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import BAM
from tests.contract import check_layer
from tests.numbers import (
    arrays,
    close,
    convolve,
    normalize,
    numpy,
    randomize,
    relu,
    sigmoid,
)

NORM = ("gamma", "beta", "moving_mean", "moving_variance")
# A bias just before a normalisation: it is subtracted again with the mean.
STILL = (
    "/reduce/bias",
    "/spatial_reduce/bias",
    "/spatial_dilated_1/bias",
    "/spatial_dilated_2/bias",
)


@pytest.mark.slow
def test_contract(tmp_path):
    check_layer(
        BAM,
        inits=[
            {"ratio": 2, "min_units": 4, "dilation": 2},
            {"combine": "sum", "min_units": 4, "norm_momentum": 0.8},
            {
                "ratio": 2,
                "identity_start": True,
                "data_format": "channels_first",
            },
        ],
        shapes={"inputs": (3, 5, 6, 8)},
        output=(3, 5, 6, 8),
        weights=(3, 5, 6, 8),
        weights_range=(1, 2),
        folder=tmp_path,
        free_axes=(1, 2),
        still=STILL,
    )


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("combine", ["product", "sum"])
def test_equals_the_equations(training, combine):
    inputs = np.random.default_rng(1).normal(size=(3, 6, 5, 6))
    layer = BAM(ratio=2, dilation=2, combine=combine)
    layer.build(inputs.shape)
    randomize(layer)

    def affine(name):
        return arrays(layer, f"{name}/kernel", f"{name}/bias")

    def norm(name, x):
        numbers = arrays(layer, *(f"{name}/{part}" for part in NORM))
        return relu(normalize(x, *numbers, training=training))

    W1, b1 = affine("reduce")
    W2, b2 = affine("expand")
    channel = norm("reduce_norm", inputs.mean((1, 2)) @ W1 + b1) @ W2 + b2

    spatial = inputs
    for name, dilation in (
        ("spatial_reduce", 1),
        ("spatial_dilated_1", 2),
        ("spatial_dilated_2", 2),
    ):
        kernel, bias = affine(name)
        spatial = np.stack([convolve(x, kernel, dilation) for x in spatial])
        spatial = norm(f"{name}_norm", spatial + bias)
    kernel, bias = affine("spatial_expand")
    spatial = np.stack([convolve(x, kernel) for x in spatial]) + bias

    channel = channel[:, None, None]
    logits = channel * spatial if combine == "product" else channel + spatial
    output, gate = layer(
        inputs, return_attention_scores=True, training=training
    )
    close(gate, 1 + sigmoid(logits))
    close(output, inputs * (1 + sigmoid(logits)))


def test_has_the_parameters_of_the_authors_code():
    layer = BAM(ratio=16)
    layer.build((None, 8, 8, 64))
    units = 4
    channel = 64 * units + units + 2 * units + units * 64 + 64
    spatial = 64 * units + units + 2 * units
    spatial += 2 * (9 * units**2 + units + 2 * units) + units + 1
    trainable = sum(int(np.prod(w.shape)) for w in layer.trainable_weights)
    assert trainable == channel + spatial == 1_173
    assert layer.count_params() == trainable + 4 * 2 * units


def test_an_identity_start_comes_to_life_in_both_branches():
    layer = BAM(ratio=2, identity_start=True)
    image = keras.Input((6, 6, 8))
    model = keras.Model(image, layer(image))
    inputs = np.random.default_rng(0).normal(size=(4, 6, 6, 8))
    inputs = inputs.astype("float32")
    close(model(inputs), inputs, rtol=0, atol=0)
    before = numpy(layer.spatial_expand.kernel).copy()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.train_on_batch(inputs, -inputs)
    assert numpy(layer.expand.kernel).any()
    model.train_on_batch(inputs, -inputs)
    assert (numpy(layer.spatial_expand.kernel) != before).any()


def test_sees_places_as_far_as_the_dilation_says():
    layer = BAM(ratio=2, dilation=3, combine="sum")
    layer.build((1, 15, 15, 4))
    layer.expand.kernel.assign(np.zeros((2, 4)))  # leaves it to the places
    for conv in (*layer.spatial_convs, layer.spatial_expand):
        conv.kernel.assign(np.full(conv.kernel.shape, 0.3))
    dark = np.zeros((1, 15, 15, 4), "float32")
    bright = dark.copy()
    bright[0, 7, 7] = 1
    _, before = layer(dark, return_attention_scores=True)
    _, after = layer(bright, return_attention_scores=True)
    moved = {tuple(p) for p in np.argwhere(numpy(after != before)[0, ..., 0])}
    reached = {7 + 3 * step for step in range(-2, 3)}
    assert moved == {(y, x) for y in reached for x in reached}


def test_a_batch_of_one_trains_with_the_same_channels_for_every_image():
    rng = np.random.default_rng(0)
    layer = BAM(ratio=2)
    layer.build((1, 5, 5, 8))
    randomize(layer)
    layer.spatial_expand.kernel.assign(np.zeros((1, 1, 4, 1)))
    gates = [
        layer(
            rng.normal(size=(1, 5, 5, 8)),
            return_attention_scores=True,
            training=True,
        )[1]
        for _ in range(2)
    ]
    close(*gates)
    _, pair = layer(
        rng.normal(size=(2, 5, 5, 8)),
        return_attention_scores=True,
        training=True,
    )
    assert np.abs(numpy(pair)[0] - numpy(pair)[1]).max() > 1e-3


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"ratio": 0}, "ratio=0"),
        ({"min_units": 0}, "min_units=0"),
        ({"dilation": 0}, "dilation=0"),
        ({"combine": "max"}, "combine='max'"),
        ({"norm_momentum": -0.1}, "norm_momentum=-0.1"),
        ({"data_format": "NHWC"}, "data_format='NHWC'"),
    ],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        BAM(**arguments)


def test_refuses_bad_inputs():
    with pytest.raises(ValueError, match=r"input_shape=\(2, 4, 8\)"):
        BAM()(np.ones((2, 4, 8)))
    with pytest.raises(ValueError, match="channels"):
        BAM()(keras.Input((4, 4, None)))
