"""PiCANet's attention against the paper, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import PixelwiseContextualAttention
from tests.contract import POLICIES, check_layer
from tests.numbers import (
    arrays,
    close,
    convolve,
    numpy,
    randomize,
    relu,
    sigmoid,
    softmax,
)


@pytest.mark.slow
def test_contract(tmp_path):
    check_layer(
        PixelwiseContextualAttention,
        inits=[
            {"units": 6, "kernel": 3},
            {"mode": "global", "units": 4, "kernel": 2, "dilation": 2},
            {
                **{"units": 6, "kernel": 3, "dilation": 1},
                "data_format": "channels_first",
            },
        ],
        shapes={"inputs": (3, 6, 5, 4)},
        output=(3, 6, 5, 4),
        weights=[(3, 6, 5, 9), (3, 6, 5, 4), (3, 6, 5, 9)],
        sum_axis=[-1, -1, 1],
        folder=tmp_path,
        free_axes=(1, 2),
    )


@pytest.mark.slow
def test_contract_of_the_global_one(tmp_path):
    # JAX and PyTorch have no decomposition of half matrices on CPU, with which
    # Keras starts recurrent kernels.
    halves = keras.backend.backend() == "tensorflow"
    check_layer(
        PixelwiseContextualAttention,
        inits=[
            {"mode": "global", "units": 4, "kernel": 3, "dilation": 1},
            {
                **{"mode": "global", "units": 5, "dilation": 2},
                **{"kernel": 2, "data_format": "channels_first"},
            },
        ],
        shapes={"inputs": (3, 4, 5, 4)},
        output=(3, 4, 5, 4),
        weights=[(3, 4, 5, 9), (3, 4, 5, 4)],
        sum_axis=[-1, 1],
        folder=tmp_path,
        free_axes=(1, 2),
        litert_batches=(1,),
        policies=[p for p in POLICIES if halves or p != "float16"],
    )


def attended(image, logits, kernel, dilation):
    """What each place reads, and by which weights. `(H, W, C)`."""
    height, width, channels = image.shape
    output = np.zeros_like(image)
    weights = np.zeros((height, width, kernel**2))
    for h in range(height):
        for w in range(width):
            there = [
                (
                    h + (i - kernel // 2) * dilation,
                    w + (j - kernel // 2) * dilation,
                )
                for i in range(kernel)
                for j in range(kernel)
            ]
            known = [
                place
                for place, (y, x) in enumerate(there)
                if 0 <= y < height and 0 <= x < width
            ]
            shares = softmax(logits[h, w, known])
            weights[h, w, known] = shares
            output[h, w] = sum(
                share * image[there[place]]
                for share, place in zip(shares, known)
            )
    return output, weights


def lstm(layer, path, x):
    """Keras's LSTM over `(T, D)`."""
    kernel, recurrent, bias = arrays(
        layer, *(f"{path}/{n}" for n in ("kernel", "recurrent_kernel", "bias"))
    )
    units = recurrent.shape[0]
    h, c, states = np.zeros(units), np.zeros(units), []
    for each in x:
        i, f, g, o = np.split(each @ kernel + h @ recurrent + bias, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.array(states)


def sweep(layer, name, rows):
    """Both ways along each row."""
    ahead, back = (
        f"{name}/{way}_lstm/lstm_cell" for way in ("forward", "backward")
    )
    return np.stack(
        [
            np.concatenate(
                [lstm(layer, ahead, row), lstm(layer, back, row[::-1])[::-1]],
                axis=-1,
            )
            for row in rows
        ]
    )


def seen(layer, image):
    if layer.mode == "local":
        kernel, bias = arrays(layer, "look/kernel", "look/bias")
        return relu(convolve(image, kernel, layer.dilation) + bias)
    rows = sweep(layer, "rows", image)
    return sweep(layer, "columns", rows.swapaxes(0, 1)).swapaxes(0, 1)


@pytest.mark.parametrize(
    "mode, kernel, dilation",
    [("local", 3, 2), ("global", 3, 2), ("global", 4, 1)],
)
def test_equals_the_equations(mode, kernel, dilation):
    inputs = np.random.default_rng(1).normal(size=(2, 5, 7, 4))
    layer = PixelwiseContextualAttention(mode, 5, kernel, dilation)
    layer.build(inputs.shape)
    randomize(layer)
    weigh, bias = arrays(layer, "choose/kernel", "choose/bias")
    expected = [
        attended(
            image, seen(layer, image) @ weigh[0, 0] + bias, kernel, dilation
        )
        for image in inputs
    ]
    output, weights = layer(inputs, return_attention_scores=True)
    close(weights, np.stack([w for _, w in expected]))
    close(output, np.stack([o for o, _ in expected]))


@pytest.mark.parametrize("mode", ["local", "global"])
def test_each_weight_belongs_to_its_place(mode):
    """On an image of coordinates, a heavy weight gives those of its place."""
    layer = PixelwiseContextualAttention(mode, 4)
    K, step = layer.kernel, layer.dilation
    height, width = 50, 46
    rows, columns = np.mgrid[:height, :width]
    inputs = np.stack([rows, columns], axis=-1)[None].astype("float32")
    layer.build(inputs.shape)
    for place in (0, K + 2, K**2 - 1):
        layer.choose.kernel.assign(np.zeros(layer.choose.kernel.shape))
        layer.choose.bias.assign(40.0 * np.eye(K**2)[place])
        found = numpy(layer(inputs))[0]
        i, j = divmod(place, K)
        y, x = (step * (side - K // 2) for side in (i, j))
        np.testing.assert_allclose(found[25, 20], [25 + y, 20 + x], atol=1e-3)


def test_weights_that_are_alike_blur_what_there_is():
    layer = PixelwiseContextualAttention("local", 4, kernel=3, dilation=2)
    inputs = np.random.default_rng(2).normal(size=(1, 6, 6, 2))
    layer.build(inputs.shape)
    layer.choose.kernel.assign(np.zeros(layer.choose.kernel.shape))
    found = numpy(layer(inputs))[0]
    close(found[0, 0], inputs[0, :3:2, :3:2].mean((0, 1)))
    close(found[2, 3], inputs[0, :5:2, 1:6:2].mean((0, 1)))


def test_a_global_one_chooses_by_the_whole_map():
    rng = np.random.default_rng(3)
    layer = PixelwiseContextualAttention("global", 4, kernel=3, dilation=1)
    inputs = rng.normal(size=(1, 9, 8, 3)).astype("float32")
    layer.build(inputs.shape)
    randomize(layer)
    other = inputs.copy()
    other[0, 8, 7] += 3
    first, second = (
        numpy(layer(x, return_attention_scores=True)[1])
        for x in (inputs, other)
    )
    assert np.abs(first - second)[0, 0, 0].max() > 1e-6


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"mode": "near"}, "mode='near'"),
        ({"units": 0}, "units=0"),
        ({"kernel": 0}, "kernel=0"),
        ({"dilation": 0}, "dilation=0"),
        ({"data_format": "NHWC"}, "data_format='NHWC'"),
    ],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        PixelwiseContextualAttention(**arguments)


def test_refuses_bad_inputs():
    with pytest.raises(ValueError, match=r"input_shape=\(2, 4, 8\)"):
        PixelwiseContextualAttention()(np.ones((2, 4, 8)))
    with pytest.raises(ValueError, match="channels"):
        PixelwiseContextualAttention()(keras.Input((4, 4, None)))
