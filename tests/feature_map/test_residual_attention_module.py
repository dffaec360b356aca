"""The residual attention module against the paper, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import ResidualAttentionModule
from tests.contract import check_layer
from tests.feature_map.test_feature_pyramid_attention import pool
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


@pytest.mark.slow
def test_contract(tmp_path):
    check_layer(
        ResidualAttentionModule,
        inits=[
            {"depth": 1, "ratio": 2, "outer_units": 0, "trunk_units": 1},
            {"mask_units": 2, "mask": "spatial", "mode": "naive"},
            {
                **{"depth": 1, "ratio": 2, "norm_momentum": 0.8},
                "data_format": "channels_first",
            },
        ],
        shapes={"inputs": (3, 6, 5, 8)},
        output=(3, 6, 5, 8),
        weights=(3, 6, 5, 8),
        folder=tmp_path,
        free_axes=(1, 2),
    )


class Written:
    """The equations, with a layer's weights."""

    def __init__(self, layer, training=False):
        self.layer, self.training = layer, training

    def conv(self, name, x):
        numbers = arrays(self.layer, *(f"{name}/norm/{part}" for part in NORM))
        x = relu(normalize(x, *numbers, training=self.training))
        (kernel,) = arrays(self.layer, f"{name}/conv/kernel")
        return np.stack([convolve(each, kernel) for each in x])

    def units(self, name, count, x):
        for place in range(count):
            inside = x
            for part in ("reduce", "look", "expand"):
                inside = self.conv(f"{name}_{place}/{part}", inside)
            x = x + inside
        return x

    def mask(self, x, depth, r):
        levels = [x]
        for i in range(depth):
            levels.append(self.units(f"down_{i}", r, pool(levels[-1])))
        z = levels[-1]
        for i in reversed(range(depth)):
            z = self.units(f"up_{i}", r, z)
            size = levels[i].shape[1:3]
            z = np.stack([by_hand(each, size) for each in z])
            if i:
                z = z + self.units(f"skip_{i - 1}", 1, levels[i])
        for i in range(2):
            z = self.conv(f"mask_conv_{i}", z)
        return z


FUNCTIONS = {
    "mixed": sigmoid,
    "channel": lambda z: z / np.sqrt((z**2).sum(-1, keepdims=True) + 1e-6),
    "spatial": lambda z: sigmoid(
        (z - z.mean((1, 2), keepdims=True))
        / np.sqrt(z.var((1, 2), keepdims=True) + 1e-6)
    ),
}


def built(**arguments):
    """A layer with weights of its own, whose numbers stay small."""
    layer = ResidualAttentionModule(ratio=2, **arguments)
    layer.build((None, 8, 6, 4))
    randomize(layer)
    for weight in layer.weights:
        if weight.path.endswith("gamma"):
            weight.assign(0.5 * weight)
    return layer


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "mask, mode, depth, units",
    [
        ("mixed", "residual", 1, (1, 2, 1)),
        ("channel", "naive", 2, (0, 1, 2)),
        ("spatial", "residual", 3, (2, 1, 1)),
    ],
)
def test_equals_the_equations(mask, mode, depth, units, training):
    p, t, r = units
    layer = built(
        **{"depth": depth, "outer_units": p, "trunk_units": t},
        **{"mask_units": r, "mask": mask, "mode": mode},
    )
    inputs = np.random.default_rng(1).normal(size=(3, 8, 6, 4))
    written = Written(layer, training)
    x = written.units("before", p, inputs)
    M = FUNCTIONS[mask](written.mask(x, depth, r))
    T = written.units("trunk", t, x)
    H = (1 + M) * T if mode == "residual" else M * T
    output, found = layer(
        inputs, return_attention_scores=True, training=training
    )
    close(found, M, rtol=1e-3, atol=1e-4)
    close(output, written.units("after", p, H), rtol=1e-3, atol=1e-3)


def shut(mode):
    """A module whose mask is zero everywhere."""
    layer = built(depth=1, mode=mode)
    last = layer.mask_convs[-1]
    last.norm.gamma.assign(np.zeros(4))
    last.norm.beta.assign(np.ones(4))
    last.conv.kernel.assign(np.full((1, 1, 4, 4), -1e3))
    return layer


def test_a_mask_of_zero_gives_the_trunk():
    inputs = np.random.default_rng(2).normal(size=(2, 8, 6, 4))
    layer = shut("residual")
    output, mask = layer(inputs, return_attention_scores=True)
    close(mask, np.zeros((2, 8, 6, 4)), rtol=0, atol=0)
    written = Written(layer)
    x = written.units("before", 1, inputs)
    close(output, written.units("after", 1, written.units("trunk", 2, x)))


def test_a_naive_mask_of_zero_takes_the_trunk_away():
    rng = np.random.default_rng(3)
    layer = shut("naive")
    first, second = (layer(rng.normal(size=(2, 8, 6, 4))) for _ in range(2))
    close(first, second, rtol=0, atol=0)


def test_the_mask_sees_further_the_deeper_it_goes():
    inputs = np.zeros((1, 32, 32, 4), "float32")
    bright = inputs.copy()
    bright[0, 0, 0] = 5
    reach = []
    for depth in (1, 3):
        layer = ResidualAttentionModule(depth, 0, 1, ratio=2)
        layer.build(inputs.shape)
        randomize(layer)
        masks = [
            numpy(layer(x, return_attention_scores=True)[1])
            for x in (inputs, bright)
        ]
        moved = np.abs(masks[0] - masks[1]).max((0, 2, 3)) > 1e-7
        reach.append(np.flatnonzero(moved).max())
    assert reach[1] >= reach[0] + 8, reach


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (3, 2)])
def test_reads_the_smallest_maps(size):
    layer = ResidualAttentionModule(depth=3, ratio=2)
    output = layer(np.random.default_rng(4).normal(size=(2, *size, 4)))
    assert output.shape == (2, *size, 4) and np.isfinite(numpy(output)).all()


def test_has_the_parameters_that_its_equations_have():
    layer = ResidualAttentionModule(depth=2, ratio=4)
    layer.build((None, 8, 8, 16))
    unit = 16 * 4 + 9 * 4 * 4 + 4 * 16 + 2 * (16 + 4 + 4)
    units = 1 + 2 + 1 + 2 + 1 + 2  # before, trunk, after, down, skip, up
    trainable = sum(int(np.prod(w.shape)) for w in layer.trainable_weights)
    assert trainable == units * unit + 2 * (16 * 16 + 2 * 16)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"depth": 0}, "depth=0"),
        ({"outer_units": -1}, "outer_units=-1"),
        ({"trunk_units": 0}, "trunk_units=0"),
        ({"mask_units": 0}, "mask_units=0"),
        ({"mask": "hard"}, "mask='hard'"),
        ({"mode": "plain"}, "mode='plain'"),
        ({"ratio": 0}, "ratio=0"),
        ({"norm_momentum": 1.0}, "norm_momentum=1.0"),
        ({"data_format": "NHWC"}, "data_format='NHWC'"),
    ],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ResidualAttentionModule(**arguments)


def test_refuses_bad_inputs():
    with pytest.raises(ValueError, match=r"input_shape=\(2, 4, 8\)"):
        ResidualAttentionModule()(np.ones((2, 4, 8)))
    with pytest.raises(ValueError, match="ratio=4"):
        ResidualAttentionModule()(np.ones((2, 4, 4, 3)))
    with pytest.raises(ValueError, match="channels"):
        ResidualAttentionModule()(keras.Input((4, 4, None)))
