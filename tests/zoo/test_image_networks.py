"""Building blocks for images, against the numbers of their convolutions."""

import functools

import keras
import numpy as np
import pytest

from tests.numbers import close
from zoo.image_networks import (
    bottleneck_block,
    conv,
    every_other,
    merge,
    residual_block,
)

IMAGES = np.random.default_rng(0).normal(size=(2, 7, 10, 4)).astype("float32")


def model_of(make, channels=4):
    x = keras.Input((None, None, channels), dtype="float32")
    return keras.Model(x, make(x))


def normalised(layer, x):
    """What a new normalisation, in inference, makes of a map."""
    assert (layer.momentum, layer.epsilon) == (0.9, 1e-5)
    return x / np.sqrt(1 + 1e-5)


@pytest.mark.parametrize("strides, dilation", [(1, 1), (2, 1), (1, 3)])
def test_a_convolution_reads_the_places_it_says(strides, dilation):
    model = model_of(
        lambda x: conv(
            x,
            5,
            "part",
            strides=strides,
            dilation_rate=dilation,
            activation=None,
        )
    )
    kernel, *_ = model.get_layer("part_conv").get_weights()
    assert kernel.shape == (3, 3, 4, 5)
    height, width = -(-7 // strides), -(-10 // strides)
    # As "same" pads: as evenly as it can, the odd row at the end.
    reach = 2 * dilation + 1
    top = max((height - 1) * strides + reach - 7, 0) // 2
    left = max((width - 1) * strides + reach - 10, 0) // 2
    padded = np.pad(IMAGES, ((0, 0), (top, 9), (left, 9), (0, 0)))
    expected = sum(
        padded[
            :,
            dilation * i : dilation * i + strides * height : strides,
            dilation * j : dilation * j + strides * width : strides,
        ]
        @ kernel[i, j]
        for i in range(3)
        for j in range(3)
    )
    close(model(IMAGES), normalised(model.get_layer("part_norm"), expected))


def test_a_convolution_names_its_layers():
    model = model_of(lambda x: conv(x, 5, "part", activation="sigmoid"))
    names = [layer.name for layer in model.layers[1:]]
    assert names == ["part_conv", "part_norm", "part_sigmoid"]
    assert not model.get_layer("part_conv").use_bias
    model = model_of(lambda x: conv(x, 5, "part", 1))
    assert model.layers[-1].name == "part_relu"
    assert model.get_layer("part_conv").kernel_size == (1, 1)


@pytest.mark.parametrize("block", [residual_block, bottleneck_block])
@pytest.mark.parametrize("strides", [1, 2])
def test_a_block_adds_its_branch_to_the_shortcut(block, strides):
    model = model_of(lambda x: block(x, 6, strides, "block"))
    width = {residual_block: 6, bottleneck_block: 24}[block]
    assert model(IMAGES).shape == (
        2,
        -(-7 // strides),
        -(-10 // strides),
        width,
    )
    count = {residual_block: 2, bottleneck_block: 3}[block]
    convs = [f"block_{i}_conv" for i in range(1, count + 1)]
    found = [
        layer.name
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D)
    ]
    assert sorted(found) == sorted([*convs, "block_shortcut_conv"])
    # Without its branch, the shortcut is left: a 1x1 convolution.
    last = model.get_layer(convs[-1])
    last.set_weights([0 * w for w in last.get_weights()])
    (kernel,) = model.get_layer("block_shortcut_conv").get_weights()
    shortcut = IMAGES[:, ::strides, ::strides] @ kernel[0, 0]
    norm = model.get_layer("block_shortcut_norm")
    close(model(IMAGES), np.maximum(normalised(norm, shortcut), 0))


def test_a_block_that_changes_no_shape_has_a_plain_shortcut():
    model = model_of(lambda x: residual_block(x, 4, 1, "block"))
    assert not any("shortcut" in layer.name for layer in model.layers)
    last = model.get_layer("block_2_conv")
    last.set_weights([0 * w for w in last.get_weights()])
    close(model(IMAGES), np.maximum(IMAGES, 0))


@pytest.mark.parametrize(
    "block, place", [(residual_block, 1), (bottleneck_block, 2)]
)
def test_a_block_takes_another_convolution_and_a_gate(block, place):
    gates = []

    def gate(x, name):
        gates.append(name)
        return 0.0 * x

    model = model_of(
        lambda x: block(
            x,
            4,
            1,
            "block",
            conv=functools.partial(conv, dilation_rate=2),
            gate=gate,
        ),
        16 if block is bottleneck_block else 4,
    )
    assert gates == ["block_attention"]
    dilated = [
        layer.name
        for layer in model.layers
        if getattr(layer, "dilation_rate", (1, 1)) == (2, 2)
    ]
    assert dilated == [f"block_{place}_conv"]
    x = np.repeat(IMAGES, 4, -1) if block is bottleneck_block else IMAGES
    close(model(x), np.maximum(x, 0))


def test_merges_what_differs_in_channels_only():
    model = model_of(
        lambda x: merge(x, keras.ops.repeat(x, 2, axis=-1), 1, "sum")
    )
    (kernel,) = model.get_layer("sum_shortcut_conv").get_weights()
    assert kernel.shape == (1, 1, 4, 8)
    norm = model.get_layer("sum_shortcut_norm")
    expected = normalised(norm, IMAGES @ kernel[0, 0])
    expected += np.repeat(IMAGES, 2, axis=-1)
    close(model(IMAGES), np.maximum(expected, 0))


def test_takes_every_other_place():
    model = model_of(lambda x: every_other(x, 2, "pool"))
    close(model(IMAGES), IMAGES[:, ::2, ::2])
