"""GAU against the paper, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import GlobalAttentionUpsample
from tests.contract import check_layer
from tests.functional.test_resizing import by_hand
from tests.numbers import (
    arrays,
    close,
    convolve,
    normalize,
    randomize,
    relu,
    sigmoid,
)

NORM = ("gamma", "beta", "moving_mean", "moving_variance")


@pytest.mark.slow
def test_contract(tmp_path):
    check_layer(
        GlobalAttentionUpsample,
        inits=[
            {"filters": 8},
            {"filters": 5, "gate": "sigmoid", "norm_momentum": 0.8},
            {"filters": 8, "data_format": "channels_first"},
        ],
        shapes={"low": (3, 6, 5, 4), "high": (3, 3, 2, 7)},
        output=[(3, 6, 5, 8), (3, 6, 5, 5), (3, 6, 5, 8)],
        weights=[(3, 1, 1, 8), (3, 1, 1, 5), (3, 1, 1, 8)],
        weights_range=(0, np.inf),
        folder=tmp_path,
        free_axes={"low": (1, 2), "high": (1, 2)},
    )


def normed(layer, name, x, training):
    """A convolution and its normalisation."""
    (kernel,) = arrays(layer, f"{name}_conv/kernel")
    numbers = arrays(layer, *(f"{name}_norm/{part}" for part in NORM))
    x = np.stack([convolve(each, kernel) for each in x])
    return normalize(x, *numbers, training=training)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("gate", ["relu", "sigmoid"])
def test_equals_the_equations(gate, training):
    rng = np.random.default_rng(1)
    low, high = rng.normal(size=(3, 6, 4, 5)), rng.normal(size=(3, 3, 2, 7))
    layer = GlobalAttentionUpsample(6, gate=gate)
    layer.build(low.shape, high.shape)
    randomize(layer)

    mean = high.mean((1, 2), keepdims=True)
    function = {"relu": relu, "sigmoid": sigmoid}[gate]
    expected_gate = function(normed(layer, "gate", mean, training))
    b = normed(layer, "high", high, training)
    b = np.stack([by_hand(each, (6, 4)) for each in b])
    a = normed(layer, "low", low, training)
    output, found = layer(
        low, high, return_attention_scores=True, training=training
    )
    close(found, expected_gate)
    close(output, relu(b + expected_gate * a))


def closed(gate):
    """A layer whose gates are all shut."""
    layer = GlobalAttentionUpsample(6, gate=gate)
    layer.build((None, 8, 8, 5), (None, 4, 4, 7))
    randomize(layer)
    layer.gate_norm.gamma.assign(np.zeros(6))
    layer.gate_norm.beta.assign(np.full(6, -1e4 if gate == "sigmoid" else -1))
    return layer


@pytest.mark.parametrize("gate", ["relu", "sigmoid"])
def test_a_gate_of_zero_leaves_the_coarse_map_alone(gate):
    rng = np.random.default_rng(2)
    high = rng.normal(size=(2, 4, 4, 7))
    layer = closed(gate)
    first = layer(rng.normal(size=(2, 8, 8, 5)), high)
    output, found = layer(
        rng.normal(size=(2, 8, 8, 5)), high, return_attention_scores=True
    )
    close(found, np.zeros((2, 1, 1, 6)), rtol=0, atol=0)
    close(output, first, rtol=0, atol=0)


def test_the_gate_is_of_the_whole_coarse_map():
    rng = np.random.default_rng(3)
    layer = GlobalAttentionUpsample(6)
    layer.build((None, 8, 8, 5), (None, 4, 4, 7))
    randomize(layer)
    low, high = rng.normal(size=(2, 8, 8, 5)), rng.normal(size=(2, 4, 4, 7))
    _, gate = layer(low, high, return_attention_scores=True)
    turned = high[:, ::-1, ::-1]
    _, same = layer(low, turned, return_attention_scores=True)
    close(gate, same)


def test_one_of_the_maps_may_have_a_size_that_is_not_known():
    rng = np.random.default_rng(4)
    low, high = rng.normal(size=(2, 8, 6, 5)), rng.normal(size=(2, 4, 3, 7))
    layer = GlobalAttentionUpsample(6)
    expected = layer(low, high)
    for shapes in (
        ((None, None, 5), (4, 3, 7)),
        ((8, None, 5), (4, 3, 7)),
        ((8, 6, 5), (None, None, 7)),
    ):
        inputs = [keras.Input(shape) for shape in shapes]
        model = keras.Model(inputs, layer(*inputs))
        found = model.predict_on_batch([low, high])
        close(found, expected)


def test_has_the_parameters_that_its_equations_have():
    layer = GlobalAttentionUpsample(6)
    layer.build((None, 8, 8, 5), (None, 4, 4, 7))
    trainable = sum(int(np.prod(w.shape)) for w in layer.trainable_weights)
    assert trainable == 9 * 5 * 6 + 2 * 7 * 6 + 3 * 2 * 6


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"filters": 0}, "filters=0"),
        ({"gate": "tanh"}, "gate='tanh'"),
        ({"norm_momentum": 1.0}, "norm_momentum=1.0"),
        ({"data_format": "NHWC"}, "data_format='NHWC'"),
    ],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        GlobalAttentionUpsample(**{"filters": 4, **arguments})


def test_refuses_bad_inputs():
    image = np.ones((2, 4, 4, 3))
    for low, high in ((image[:, 0], image), (image, image[:, 0])):
        with pytest.raises(ValueError, match=r"input_shape=\(2, 4, 3\)"):
            GlobalAttentionUpsample(4)(low, high)
    with pytest.raises(ValueError, match="channels"):
        GlobalAttentionUpsample(4)(image, keras.Input((4, 4, None)))
