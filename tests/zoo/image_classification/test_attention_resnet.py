"""attention_resnet: counts of the papers, places of the gates, errors."""

import keras
import numpy as np
import pytest

from keras_attention import BAM, CBAM, SEBlock, SelectiveKernel
from zoo.image_classification.attention_resnet import (
    PRESETS,
    attention_resnet,
)


def trainable(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


@pytest.mark.parametrize(
    "attention, count",
    # 3 x (2C^2/r + C/r + C) more with SE, for C of 16, 32 and 64 and r of 16;
    # CBAM adds 98 + 2 to each of the nine gates.
    [(None, 272_474), ("se", 274_847), ("cbam", 274_847 + 9 * 100)],
)
def test_has_the_parameters_of_the_papers(attention, count):
    model = attention_resnet((32, 32, 3), 10, attention, **PRESETS["resnet_20"])
    assert trainable(model) == count


def test_resnet_50_has_the_parameters_of_the_paper():
    # The 25,557,032 that everyone counts, less the biases we do not have: none.
    model = attention_resnet((64, 64, 3), 1000, **PRESETS["resnet_50"])
    assert trainable(model) == 25_557_032


def test_resnet_18_has_the_parameters_of_the_paper():
    model = attention_resnet((64, 64, 3), 1000, **PRESETS["resnet_18"])
    assert trainable(model) == 11_689_512


@pytest.mark.parametrize(
    "attention, kind, names",
    [
        ("se", SEBlock, ["stage_1_block_1", "stage_2_block_1"]),
        ("cbam", CBAM, ["stage_1_block_1", "stage_2_block_1"]),
        ("bam", BAM, ["stage_1"]),
        ("sk", SelectiveKernel, ["stage_1_block_1_1", "stage_2_block_1_1"]),
    ],
)
def test_puts_each_mechanism_in_its_place(attention, kind, names):
    model = attention_resnet((16, 16, 3), 3, attention, **PRESETS["tiny"])
    found = [la.name for la in model.layers if isinstance(la, kind)]
    assert found == [f"{name}_attention" for name in names]
    assert model(np.zeros((2, 16, 16, 3), "float32")).shape == (2, 3)


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_gates_the_branch_and_not_the_shortcut(block):
    class Nothing(keras.layers.Layer):
        def call(self, inputs):
            return inputs * 0.0

    arguments = {"filters": (4, 8), "blocks": 1, "block": block}
    model = attention_resnet((8, 8, 3), 3, Nothing, **arguments)
    image = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3))
    first = model(image)
    for layer in model.layers:  # nothing of the branches comes through
        if "block" in layer.name and "shortcut" not in layer.name:
            layer.set_weights([w + 1.0 for w in layer.get_weights()])
    np.testing.assert_array_equal(first, model(image))
    for layer in model.layers:
        if layer.name.endswith("shortcut_conv"):
            layer.set_weights([w + 1.0 for w in layer.get_weights()])
    assert not np.allclose(first, model(image))


def test_reads_pixels_from_0_to_255():
    model = attention_resnet((8, 8, 1), 2, filters=(4,), blocks=1)
    rescaling = model.get_layer("rescaling")
    scaled = rescaling(np.array([[0.0, 127.5, 255.0]]))
    np.testing.assert_allclose(np.asarray(scaled), [[-1, 0, 1]], atol=1e-6)
    assert model.layers[1] is rescaling


def test_attention_arguments_reach_the_layer():
    model = attention_resnet(
        (8, 8, 3), 2, "se", {"ratio": 2}, filters=(4,), blocks=1
    )
    assert model.get_layer("stage_1_block_1_attention").ratio == 2


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"attention": "cbma"}, "attention='cbma'"),
        ({"num_classes": 1}, "num_classes=1"),
        ({"blocks": (1, 2, 3)}, "blocks"),
        ({"block": "wide"}, "block='wide'"),
        ({"stem": "big"}, "stem='big'"),
    ],
)
def test_refuses_what_it_cannot_build(arguments, message):
    good = {"input_shape": (8, 8, 3), "num_classes": 3, "filters": (4, 8)}
    with pytest.raises(ValueError, match=message):
        attention_resnet(**{**good, "blocks": 1, **arguments})
