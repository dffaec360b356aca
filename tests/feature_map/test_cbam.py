"""CBAM and its halves against the paper's equations, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import CBAM, ChannelAttention, SpatialAttention
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

SHAPES = {"inputs": (3, 5, 6, 8)}


@pytest.mark.slow
def test_contract(tmp_path):
    check_layer(
        CBAM,
        inits=[
            {"ratio": 2, "min_units": 4, "kernel_size": 3},
            {
                "spatial_norm": False,
                "pool_order": "mean_max",
                "use_bias": False,
                "min_units": 4,
            },
            {
                "ratio": 2,
                "norm_momentum": 0.8,
                "identity_start": True,
                "data_format": "channels_first",
            },
        ],
        shapes=SHAPES,
        output=(3, 5, 6, 8),
        weights={"channel": (3, 1, 1, 8), "spatial": (3, 5, 6, 1)},
        folder=tmp_path,
        free_axes=(1, 2),
    )


@pytest.mark.slow
def test_contract_of_the_channel_half(tmp_path):
    check_layer(
        ChannelAttention,
        inits=[
            {"ratio": 2, "min_units": 4},
            {"use_bias": False, "min_units": 5},
            {
                "ratio": 2,
                "identity_start": True,
                "data_format": "channels_first",
            },
        ],
        shapes=SHAPES,
        output=(3, 5, 6, 8),
        weights=(3, 1, 1, 8),
        folder=tmp_path,
        free_axes=(1, 2),
    )


@pytest.mark.slow
def test_contract_of_the_spatial_half(tmp_path):
    check_layer(
        SpatialAttention,
        inits=[
            {"kernel_size": 3},
            {"spatial_norm": False, "pool_order": "mean_max"},
            {
                "norm_momentum": 0.8,
                "identity_start": True,
                "data_format": "channels_first",
            },
            {
                "kernel_size": 5,
                "spatial_norm": False,
                "identity_start": True,
            },
        ],
        shapes=SHAPES,
        output=(3, 5, 6, 8),
        weights=(3, 5, 6, 1),
        folder=tmp_path,
        free_axes=(1, 2),
    )


def channel_gate(layer, sample):
    W0, b0, W1, b1 = arrays(
        layer,
        "channel/reduce/kernel",
        "channel/reduce/bias",
        "channel/expand/kernel",
        "channel/expand/bias",
    )
    logits = 0
    for look in (np.mean, np.max):
        z = np.array([look(sample[..., c]) for c in range(sample.shape[-1])])
        logits = logits + relu(z @ W0 + b0) @ W1 + b1
    return sigmoid(logits)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("order", ["max_mean", "mean_max"])
def test_equals_the_equations_of_the_paper(training, order):
    inputs = np.random.default_rng(1).normal(size=(3, 4, 5, 6))
    layer = CBAM(ratio=2, kernel_size=3, pool_order=order)
    layer.build(inputs.shape)
    randomize(layer)
    kernel, *norm = arrays(
        layer,
        "spatial/conv/kernel",
        "spatial/norm/gamma",
        "spatial/norm/beta",
        "spatial/norm/moving_mean",
        "spatial/norm/moving_variance",
    )
    output, gates = layer(
        inputs, return_attention_scores=True, training=training
    )

    channels = np.stack([channel_gate(layer, sample) for sample in inputs])
    refined = inputs * channels[:, None, None]
    looks = [refined.max(-1), refined.mean(-1)]
    if order == "mean_max":
        looks.reverse()
    looks = np.stack(looks, axis=-1)
    logits = np.stack([convolve(look, kernel) for look in looks])
    places = sigmoid(normalize(logits, *norm, training=training))

    close(gates["channel"], channels[:, None, None])
    close(gates["spatial"], places)
    close(output, refined * places)


def test_without_norm_the_gate_is_the_sigmoid_of_the_convolution():
    inputs = np.random.default_rng(1).normal(size=(2, 4, 5, 6))
    layer = SpatialAttention(kernel_size=5, spatial_norm=False)
    _, gate = layer(inputs, return_attention_scores=True)
    (kernel,) = arrays(layer, "conv/kernel")
    looks = np.stack([inputs.max(-1), inputs.mean(-1)], axis=-1)
    close(gate, sigmoid(np.stack([convolve(x, kernel) for x in looks])))


def test_has_the_parameters_of_the_authors_code():
    layer = CBAM(ratio=16)
    layer.build((None, 8, 8, 64))
    trainable = sum(int(np.prod(w.shape)) for w in layer.trainable_weights)
    assert trainable == 2 * 64**2 // 16 + 64 // 16 + 64 + 98 + 2 == 680
    assert layer.count_params() == trainable + 2
    bare = CBAM(ratio=16, spatial_norm=False, use_bias=False)
    bare.build((None, 8, 8, 64))
    assert bare.count_params() == 2 * 64**2 // 16 + 98


def test_starts_as_the_authors_do_half_open_everywhere():
    inputs = np.random.default_rng(0).normal(size=(2, 6, 6, 16))
    _, gates = CBAM()(inputs, return_attention_scores=True)
    close(gates["spatial"], np.full((2, 6, 6, 1), 0.5), rtol=0, atol=0)


def test_is_its_two_halves_one_after_the_other():
    inputs = np.random.default_rng(0).normal(size=(2, 6, 6, 8))
    whole = CBAM(ratio=2)
    whole.build(inputs.shape)
    randomize(whole)
    first, second = ChannelAttention(ratio=2), SpatialAttention()
    first.build(inputs.shape)
    second.build(inputs.shape)
    first.set_weights(whole.channel_attention.get_weights())
    second.set_weights(whole.spatial_attention.get_weights())
    close(whole(inputs), second(first(inputs)))


def test_both_looks_share_one_network():
    layer = ChannelAttention(ratio=2)
    layer.build((None, 4, 4, 8))
    assert len(layer.weights) == 4
    flat = np.full((1, 4, 4, 8), 0.3, "float32")  # the mean is the maximum
    _, gate = layer(flat, return_attention_scores=True)
    W0, b0, W1, b1 = (np.array(x) for x in layer.get_weights())
    once = relu(flat[0, 0, 0] @ W0 + b0) @ W1 + b1
    close(gate[0, 0, 0], sigmoid(2 * once))


def test_an_identity_start_comes_to_life_in_both_gates():
    layer = CBAM(ratio=2, kernel_size=3, identity_start=True)
    image = keras.Input((6, 6, 8))
    model = keras.Model(image, layer(image))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    inputs = np.random.default_rng(0).normal(size=(4, 6, 6, 8))
    model.train_on_batch(inputs, -inputs)
    _, gates = layer(inputs, return_attention_scores=True)
    for gate in gates.values():
        assert np.abs(numpy(gate) - 1).max() > 1e-4


def test_places_that_a_mask_hides_do_not_count_for_channels():
    inputs = np.random.default_rng(2).normal(size=(2, 5, 8)) - 9
    layer = ChannelAttention(ratio=2)
    layer.build(inputs.shape)
    randomize(layer)
    inputs[:, 3:] = 0  # padding is higher than all that counts
    mask = np.array([[True] * 3 + [False] * 2] * 2)
    _, masked = layer(inputs, mask=mask, return_attention_scores=True)
    _, short = layer(inputs[:, :3], return_attention_scores=True)
    close(masked, short)
    nothing = np.zeros((2, 5), "bool")
    _, none = layer(inputs, mask=nothing, return_attention_scores=True)
    _, empty = layer(0 * inputs, return_attention_scores=True)
    close(none, empty)


@pytest.mark.parametrize(
    "layer, arguments, message",
    [
        (CBAM, {"ratio": 0}, "ratio=0"),
        (ChannelAttention, {"min_units": 0}, "min_units=0"),
        (CBAM, {"kernel_size": 4}, "kernel_size=4"),
        (SpatialAttention, {"kernel_size": 1}, "kernel_size=1"),
        (CBAM, {"pool_order": "avg_max"}, "pool_order='avg_max'"),
        (SpatialAttention, {"norm_momentum": 1}, "norm_momentum=1"),
        (CBAM, {"data_format": "NHWC"}, "data_format='NHWC'"),
    ],
)
def test_refuses_bad_arguments(layer, arguments, message):
    with pytest.raises(ValueError, match=message):
        layer(**arguments)


@pytest.mark.parametrize("layer", [CBAM, SpatialAttention])
def test_refuses_bad_inputs(layer):
    with pytest.raises(ValueError, match=r"input_shape=\(2, 4, 8\)"):
        layer()(np.ones((2, 4, 8)))
    if layer is CBAM:
        with pytest.raises(ValueError, match="channels"):
            layer()(keras.Input((4, 4, None)))
