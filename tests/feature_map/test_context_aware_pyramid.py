"""The context-aware pyramid against the authors' code, written in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import ContextAwarePyramid
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
    sigmoid,
)

NORM = ("gamma", "beta", "moving_mean", "moving_variance")
# A bias just before a normalisation: it is subtracted again with the mean.
STILL = tuple(
    f"/{name}_{place}{rate}/bias"
    for place in (0, 1)
    for name, rate in (
        ("near", ""),
        *(("far", f"_{rate}") for rate in (2, 3, 5, 7)),
    )
)


@pytest.mark.slow
def test_contract(tmp_path):
    check_layer(
        ContextAwarePyramid,
        inits=[
            {"filters": 4},
            {"filters": 3, "rates": (2,), "ratio": 2, "norm_momentum": 0.8},
            {"filters": 4, "data_format": "channels_first"},
        ],
        shapes={"maps": [(3, 6, 5, 4), (3, 3, 2, 3)]},
        output=[(3, 6, 5, 32), (3, 6, 5, 12), (3, 6, 5, 32)],
        weights=[(3, 1, 1, 32), (3, 1, 1, 12), (3, 1, 1, 32)],
        folder=tmp_path,
        free_axes={"maps": (1, 2)},
        still=STILL,
    )


@pytest.mark.parametrize("training", [False, True])
def test_equals_the_equations(training):
    rng = np.random.default_rng(1)
    maps = [rng.normal(size=(3, 8, 6, 4)), rng.normal(size=(3, 4, 3, 5))]
    layer = ContextAwarePyramid(filters=3, rates=(2, 3))
    layer.build([x.shape for x in maps])
    randomize(layer)

    parts = []
    for place, each in enumerate(maps):
        read = []
        for name, rate in (("near", 1), ("far", 2), ("far", 3)):
            name = f"{name}_{place}" + (f"_{rate}" if name == "far" else "")
            kernel, bias = arrays(layer, f"{name}/kernel", f"{name}/bias")
            read.append(np.stack([convolve(x, kernel, rate) for x in each]))
            read[-1] = read[-1] + bias
        numbers = arrays(layer, *(f"norm_{place}/{part}" for part in NORM))
        read = np.concatenate(read, axis=-1)
        read = relu(normalize(read, *numbers, training=training))
        parts.append(np.stack([by_hand(x, (8, 6)) for x in read]))
    joined = np.concatenate(parts, axis=-1)
    W1, b1, W2, b2 = arrays(
        layer, "reduce/kernel", "reduce/bias", "expand/kernel", "expand/bias"
    )
    expected = sigmoid(relu(joined.mean((1, 2)) @ W1 + b1) @ W2 + b2)
    expected = expected[:, None, None]
    output, gate = layer(maps, return_attention_scores=True, training=training)
    close(gate, expected)
    close(output, joined * expected)


def test_sees_as_far_as_the_rates_say():
    layer = ContextAwarePyramid(filters=1, rates=(2, 4))
    layer.build([(1, 15, 15, 2)])
    for conv in layer.convs[0]:
        conv.kernel.assign(np.ones(conv.kernel.shape))
    dark = np.zeros((1, 15, 15, 2), "float32")
    bright = dark.copy()
    bright[0, 7, 7] = 1
    moved = numpy(layer([bright])) != numpy(layer([dark]))
    for channel, rate in enumerate((0, 2, 4)):
        places = {tuple(p) for p in np.argwhere(moved[0, ..., channel])}
        reached = {7 - rate, 7, 7 + rate}
        assert places == {(y, x) for y in reached for x in reached}


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"filters": 0}, "filters=0"),
        ({"rates": ()}, r"rates=\(\)"),
        ({"rates": (0,)}, r"rates=\(0,\)"),
        ({"ratio": 0}, "ratio=0"),
        ({"norm_momentum": 1.0}, "norm_momentum=1.0"),
        ({"data_format": "NHWC"}, "data_format='NHWC'"),
    ],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ContextAwarePyramid(**arguments)


def test_refuses_bad_inputs():
    with pytest.raises(ValueError, match=r"input_shape=\(2, 4, 8\)"):
        ContextAwarePyramid()([np.ones((2, 4, 8))])
    with pytest.raises(ValueError, match="a list of feature maps"):
        ContextAwarePyramid()(np.ones((2, 4, 4, 3)))
    with pytest.raises(ValueError, match="channels"):
        ContextAwarePyramid()([keras.Input((4, 4, None))])
