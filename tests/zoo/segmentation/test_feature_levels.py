"""feature_levels: sizes, fields, backbones; ResizedMap and PixelLogits."""

import keras
import numpy as np
import pytest

from tests.functional.test_resizing import by_hand
from tests.numbers import arrays, close, convolve, numpy, randomize
from zoo.backbones import Backbone, backbone_of
from zoo.segmentation.feature_levels import (
    PixelLogits,
    ResizedMap,
    feature_levels,
    resized,
)


def encoder(input_shape, *args, **kwargs):
    image = keras.Input(input_shape, name="image")
    return keras.Model(image, feature_levels(image, *args, **kwargs))


@pytest.mark.parametrize("channels", [1, 3])
def test_each_level_is_half_as_large_as_the_one_before(channels):
    model = encoder((32, 48, channels), (4, 6, 8), 1)
    assert model.output_shape == [
        (None, 32, 48, 4),
        (None, 16, 24, 6),
        (None, 8, 12, 8),
    ]
    assert model.layers[0].name == "image"
    assert all(la.name.startswith("encoder_") for la in model.layers[1:])


def test_each_level_has_its_number_of_blocks():
    model = encoder((8, 12, 3), (4, 6, 8), (1, 3, 2))
    sums = [la.name for la in model.layers if la.name.endswith("_add")]
    assert sorted(sums) == [
        *("encoder_1_block_1_add", "encoder_2_block_1_add"),
        *("encoder_2_block_2_add", "encoder_2_block_3_add"),
        *("encoder_3_block_1_add", "encoder_3_block_2_add"),
    ]
    one = encoder((8, 12, 3), (4, 6, 8), 2)
    assert sum(la.name.endswith("_add") for la in one.layers) == 6


def test_a_level_sees_the_pixels_around_each_place():
    model = encoder((24, 32, 1), (4, 4), 1)
    # Nothing is hidden by a ReLU.
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.beta.assign(np.full(layer.beta.shape, 50.0))
    image = np.random.default_rng(0).uniform(0, 255, (1, 24, 32, 1))
    changed = image.copy()
    changed[0, 12, 16] = 255 - changed[0, 12, 16]
    for factor, (old, new) in enumerate(zip(model(image), model(changed)), 1):
        differs = np.abs(numpy(old) - numpy(new))[0].max(-1) > 1e-4
        rows, columns = (np.flatnonzero(differs.any(a)) for a in (1, 0))
        # Three 3x3 convolutions reach 3 pixels; of stride 2 a few more places.
        first = {1: (9, 13), 2: (3, 5)}[factor]
        last = {1: (15, 19), 2: (8, 10)}[factor]
        assert (rows[0], columns[0]) >= first, factor
        assert (rows[-1], columns[-1]) <= last, factor
        assert differs[12 // factor, 16 // factor]


def test_reads_pixels_from_0_to_255():
    rescaling = encoder((8, 8, 1), (4, 4)).get_layer("encoder_rescaling")
    scaled = rescaling(np.array([[0.0, 127.5, 255.0]]))
    close(scaled, [[-1, 0, 1]])


@pytest.mark.parametrize(
    "shape, arguments, message",
    [
        ((30, 32, 3), {}, r"multiples of 4.*input_shape=\(30, 32, 3\)"),
        ((32, 34, 3), {}, r"multiples of 4.*input_shape=\(32, 34, 3\)"),
        ((None, 32, 3), {}, r"input_shape=\(None, 32, 3\)"),
        ((48, 64, 3), {"backbone": "VGG16"}, r"multiples of 32.*\(48, 64, 3\)"),
        ((64, 64, 1), {"backbone": "VGG16"}, r"input_shape=\(64, 64, 1\)"),
        ((64, 64, 3), {"backbone": "VGG15"}, "backbone='VGG15'; near"),
        ((32, 32, 3), {"filters": ()}, r"filters=\(\)"),
        ((32, 32, 3), {"blocks": (1, 2)}, r"blocks=\(1, 2\)"),
        ((32, 32, 3), {"blocks": 0}, r"blocks=\[0, 0, 0\]"),
    ],
)
def test_refuses_what_it_cannot_build(shape, arguments, message):
    with pytest.raises(ValueError, match=message):
        encoder(shape, **{"filters": (4, 4, 4), **arguments})


def test_a_backbone_gives_the_maps_of_four_strides():
    model = encoder((64, 96, 3), backbone="MobileNetV3Small")
    sizes = [shape[1:3] for shape in model.output_shape]
    assert sizes == [(16, 24), (8, 12), (4, 6), (2, 3)]
    assert [la.name for la in model.layers] == ["image", "encoder_backbone"]
    inside = backbone_of(model)
    assert isinstance(inside, Backbone) and inside.stride == (4, 8, 16, 32)
    maps = model(np.zeros((2, 64, 96, 3), "float32"))
    assert [tuple(each.shape) for each in maps] == [
        (2, *shape[1:]) for shape in model.output_shape
    ]


@pytest.mark.parametrize("size", [(8, 6), (5, 12), (2, 3), (4, 3)])
def test_a_map_is_resized_as_by_hand(size):
    x = np.random.default_rng(0).normal(size=(2, 4, 3, 5)).astype("float32")
    found = ResizedMap(size)(x)
    close(found, np.stack([by_hand(each, size) for each in x]))
    like = keras.Input((*size, 7))
    assert resized(keras.Input((4, 3, 5)), like, "a").shape == (None, *size, 5)


def test_logits_are_the_resized_ones_of_a_convolution():
    x = np.random.default_rng(1).normal(size=(2, 4, 3, 5)).astype("float32")
    layer = PixelLogits(2, (8, 9), name="logits")
    layer.build(x.shape)
    randomize(layer)
    kernel, bias = arrays(layer, "kernel", "bias")
    assert kernel.shape == (3, 3, 5, 2)
    expected = [by_hand(convolve(each, kernel) + bias, (8, 9)) for each in x]
    close(layer(x), np.stack(expected))
    assert layer.compute_output_shape(x.shape) == (2, 8, 9, 2)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_maps_are_of_the_policy_and_logits_of_their_own(policy):
    keras.config.set_dtype_policy(policy)
    x = np.ones((1, 2, 2, 3), "float32")
    half, full = ResizedMap((4, 4))(x), PixelLogits(2, (4, 4), dtype="float32")
    kinds = [keras.backend.standardize_dtype(y.dtype) for y in (half, full(x))]
    assert kinds == [policy.removeprefix("mixed_"), "float32"]


def test_both_layers_are_saved(tmp_path):
    x = keras.Input((4, 6, 3))
    y = PixelLogits(2, (16, 12), use_bias=False)(ResizedMap((8, 6))(x))
    model = keras.Model(x, y)
    model.save(tmp_path / "a.keras")
    again = keras.saving.load_model(tmp_path / "a.keras")
    data = np.random.default_rng(0).normal(size=(2, 4, 6, 3)).astype("float32")
    close(again(data), model(data))
    assert again.layers[-1].get_config() == model.layers[-1].get_config()
