"""SEBlock against the paper's equations, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import ChannelAttention, SEBlock
from tests.contract import check_layer
from tests.numbers import arrays, close, numpy, randomize, relu, sigmoid


def test_contract(tmp_path):
    check_layer(
        SEBlock,
        inits=[
            {"ratio": 2, "min_units": 4},
            {"use_bias": False, "gate": "hard_sigmoid", "min_units": 5},
            {
                "ratio": 2,
                "identity_start": True,
                "data_format": "channels_first",
            },
        ],
        shapes={"inputs": (3, 5, 6, 8)},
        output=(3, 5, 6, 8),
        weights=(3, 1, 1, 8),
        folder=tmp_path,
        free_axes=(1, 2),
    )


@pytest.mark.parametrize("places", [(7,), (4, 5), (3, 2, 4)])
def test_equals_the_equations_of_the_paper(places):
    inputs = np.random.default_rng(1).normal(size=(2, *places, 6))
    layer = SEBlock(ratio=2)
    layer.build(inputs.shape)
    randomize(layer)
    output, gate = layer(inputs, return_attention_scores=True)

    W1, b1, W2, b2 = arrays(
        layer, "reduce/kernel", "reduce/bias", "expand/kernel", "expand/bias"
    )
    assert W1.shape == (6, 3) and W2.shape == (3, 6)
    for sample, shares, result in zip(inputs, numpy(gate), output, strict=True):
        z = [sample[..., c].sum() / np.prod(places) for c in range(6)]
        expected = sigmoid(relu(z @ W1 + b1) @ W2 + b2)
        close(shares.reshape(-1), expected)
        close(result, sample * expected)


def test_has_the_parameters_of_the_paper():
    layer = SEBlock(ratio=16)
    layer.build((None, 8, 8, 64))
    assert layer.count_params() == 2 * 64**2 // 16 + 64 // 16 + 64 == 580
    bare = SEBlock(ratio=16, use_bias=False)
    bare.build((None, 8, 8, 64))
    assert bare.count_params() == 2 * 64**2 // 16


def test_is_never_narrower_than_the_least_width():
    layer = SEBlock(ratio=100, min_units=3)
    layer.build((None, 4, 4, 8))
    assert layer.reduce.units == 3


def test_a_hard_gate_is_straight_between_its_ends():
    layer = SEBlock(gate="hard_sigmoid")
    layer.build((None, 1, 1, 5))
    layer.expand.kernel.assign(np.zeros((1, 5)))
    layer.expand.bias.assign([-4.0, -1.5, 0.0, 1.5, 4.0])
    _, gate = layer(np.ones((1, 1, 1, 5)), return_attention_scores=True)
    close(numpy(gate).ravel(), [0, 0.25, 0.5, 0.75, 1])


def test_an_identity_start_begins_to_learn_at_once():
    layer = SEBlock(ratio=2, identity_start=True)
    inputs = np.random.default_rng(0).normal(size=(4, 3, 3, 8))
    inputs = inputs.astype("float32")
    image = keras.Input((3, 3, 8))
    model = keras.Model(image, layer(image))
    model.compile("sgd", "mse")
    close(model.predict(inputs, verbose=0), inputs, rtol=0, atol=0)
    model.train_on_batch(inputs, -inputs)
    assert numpy(layer.expand.kernel).any()


def test_places_that_a_mask_hides_do_not_count():
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(2, 5, 8))
    layer = SEBlock(ratio=2)
    mask = np.array([[True] * 3 + [False] * 2] * 2)
    _, masked = layer(inputs, mask=mask, return_attention_scores=True)
    _, short = layer(inputs[:, :3], return_attention_scores=True)
    close(masked, short)
    _, whole = layer(inputs, return_attention_scores=True)
    assert np.abs(numpy(masked) - numpy(whole)).max() > 1e-3


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_padding_around_an_image_changes_nothing_that_is_kept(data_format):
    inputs = np.random.default_rng(3).normal(size=(2, 4, 5, 8))
    layer = SEBlock(ratio=2, data_format=data_format)
    padded = np.pad(inputs, ((0, 0), (0, 3), (0, 2), (0, 0)), constant_values=7)
    mask = np.zeros((2, 7, 7), "bool")
    mask[:, :4, :5] = True
    if data_format == "channels_last":
        close(layer(padded, mask=mask)[:, :4, :5], layer(inputs))
    else:
        padded, inputs = (np.moveaxis(x, -1, 1) for x in (padded, inputs))
        close(layer(padded, mask=mask)[:, :, :4, :5], layer(inputs))


def test_takes_the_mask_an_embedding_carries_and_hands_it_on():
    embedding = keras.layers.Embedding(9, 8, mask_zero=True)
    layer = SEBlock(ratio=2)
    padded, short = np.array([[3, 4, 5, 0, 0]]), np.array([[3, 4, 5]])
    close(layer(embedding(padded))[:, :3], layer(embedding(short)))
    words = keras.Input((None,), dtype="int32")
    pooled = keras.layers.GlobalAveragePooling1D()(layer(embedding(words)))
    model = keras.Model(words, pooled)
    close(model(padded), model(short))


def test_a_sample_with_nothing_to_see_squeezes_to_zeros():
    layer = SEBlock(ratio=2)
    ones = np.ones((1, 4, 8), "float32")
    nothing = np.zeros((1, 4), "bool")
    _, gate = layer(ones, mask=nothing, return_attention_scores=True)
    _, empty = layer(0 * ones, return_attention_scores=True)
    close(gate, empty)


def test_a_large_map_does_not_overflow_half_precision():
    layer = SEBlock(ratio=2, dtype="float16")
    bright = np.full((1, 64, 64, 4), 60.0, "float16")  # the sum is 245,760
    assert np.isfinite(numpy(layer(bright)).astype("float32")).all()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"ratio": 0}, "ratio=0"),
        ({"min_units": 0}, "min_units=0"),
        ({"gate": "tanh"}, "gate='tanh'"),
        ({"data_format": "channel_last"}, "data_format='channel_last'"),
    ],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        SEBlock(**arguments)


def test_refuses_bad_inputs():
    with pytest.raises(ValueError, match=r"input_shape=\(2, 8\)"):
        SEBlock()(np.ones((2, 8)))
    with pytest.raises(ValueError, match="channels"):
        SEBlock()(keras.Input((4, 4, None)))


@pytest.mark.parametrize("layer_class", [SEBlock, ChannelAttention])
def test_a_mask_of_numbers_says_what_a_boolean_one_does(layer_class):
    rng = np.random.default_rng(11)
    x = rng.normal(size=(2, 3, 4, 8)).astype("float32")
    seen = rng.random((2, 3, 4)) < 0.5
    layer = layer_class(ratio=2)
    expected = layer(x, mask=seen)
    assert np.abs(numpy(expected) - numpy(layer(x))).max() > 1e-3
    for mask in (seen.astype("float32"), seen.astype("int32"), seen.tolist()):
        close(layer(x, mask=mask), expected)
    for mask in (np.where(seen, 0, -1e9), 1.0 * ~seen - 1, seen[:, 0]):
        with pytest.raises(ValueError, match="`mask` must be boolean"):
            layer(x, mask=mask)
