"""SelectiveKernel against the paper's equations, written out in NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import SelectiveKernel
from keras_attention.feature_map import selective_kernel
from tests.contract import check_layer
from tests.numbers import (
    arrays,
    close,
    convolve,
    normalize,
    numpy,
    randomize,
    relu,
)

NORM = ("gamma", "beta", "moving_mean", "moving_variance")


@pytest.mark.slow
def test_contract(tmp_path, monkeypatch):
    monkeypatch.setattr(selective_kernel, "PART", 2)  # two parts of two groups
    check_layer(
        SelectiveKernel,
        inits=[
            {"filters": 8, "groups": 4, "min_units": 4},
            {
                "filters": 8,
                "groups": 4,
                "kernels": (3, 5, 7),
                "strides": 2,
                "ratio": 2,
                "norm_momentum": 0.8,
                "data_format": "channels_first",
            },
        ],
        shapes={"inputs": (3, 5, 6, 4)},
        output=[(3, 5, 6, 8), (3, 3, 3, 8)],
        weights=[(3, 2, 8), (3, 3, 8)],
        folder=tmp_path,
        sum_axis=1,
        free_axes=(1, 2),
    )


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("part", [2, 4, 32])
def test_equals_the_equations_of_the_paper(
    training, strides, part, monkeypatch
):
    """However many groups are computed as one convolution: one, two, all."""
    monkeypatch.setattr(selective_kernel, "PART", part)
    inputs = np.random.default_rng(1).normal(size=(3, 6, 5, 8))
    kernels = (3, 5, 7)
    layer = SelectiveKernel(
        12, kernels, groups=4, ratio=2, min_units=1, strides=strides
    )
    layer.build(inputs.shape)
    randomize(layer)

    def norm(name, x):
        numbers = arrays(layer, *(f"{name}/{part}" for part in NORM))
        return relu(normalize(x, *numbers, training=training))

    branches = []
    for side in kernels:
        (kernel,) = arrays(layer, f"conv_{side}_kernel")
        seen = [convolve(x, kernel, (side - 1) // 2, groups=4) for x in inputs]
        kept = np.stack(seen)[:, ::strides, ::strides]
        branches.append(norm(f"norm_{side}", kept))
    W, A = arrays(layer, "reduce/kernel", "select/kernel")
    assert W.shape == (12, 6)
    z = norm("reduce_norm", sum(branches).mean((1, 2)) @ W)
    logits = np.stack([z @ part for part in np.split(A, 3, axis=1)], axis=1)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = sum(
        shares[:, m, None, None] * branch for m, branch in enumerate(branches)
    )

    output, looked = layer(
        inputs, return_attention_scores=True, training=training
    )
    close(looked, shares)
    close(output, expected)


@pytest.mark.parametrize(
    "channels, filters, groups, convolutions",
    [(4, 8, 2, 1), (64, 64, 32, 2), (96, 192, 3, 3), (256, 128, 32, 4)],
)
def test_the_parts_of_the_groups_are_not_narrower_than_is_quick(
    channels, filters, groups, convolutions, monkeypatch
):
    """Counted, since a result does not tell."""
    own, seen = ops.conv, []

    def conv(inputs, kernel, **options):
        seen.append(kernel.shape)
        return own(inputs, kernel, **options)

    inputs = np.random.default_rng(0).normal(size=(1, 3, 4, channels))
    layer = SelectiveKernel(filters, (5,), groups, data_format="channels_last")
    layer.build(inputs.shape)
    if keras.backend.backend() == "torch":
        convolutions, wide = 1, channels // groups
    else:
        wide = channels // convolutions
    monkeypatch.setattr(ops, "conv", conv)
    output = numpy(layer(inputs))
    assert seen == [(3, 3, wide, filters // convolutions)] * convolutions
    monkeypatch.undo()
    (kernel,) = arrays(layer, "conv_5_kernel")
    expected = convolve(inputs[0], kernel, 2, groups=groups)
    close(output[0], relu(expected / np.sqrt(1 + 1e-5)))


def test_has_the_parameters_of_the_paper():
    layer = SelectiveKernel(64, groups=32)
    layer.build((None, 8, 8, 64))
    convs = 2 * (9 * 64 * 64 // 32 + 2 * 64)
    choice = 64 * 32 + 2 * 32 + 32 * 2 * 64
    trainable = sum(int(np.prod(w.shape)) for w in layer.trainable_weights)
    assert trainable == convs + choice == 8_768


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("side", [3, 5])
def test_one_kernel_is_the_plain_grouped_convolution(side, strides):
    inputs = np.random.default_rng(0).normal(size=(2, 6, 5, 4))
    inputs = inputs.astype("float32")
    layer = SelectiveKernel(8, kernels=(side,), groups=2, strides=strides)
    output, shares = layer(inputs, return_attention_scores=True)
    close(shares, np.ones((2, 1, 8)), rtol=0, atol=0)
    close(output, relu(numpy(layer.norms[0](plain(inputs, layer, 0)))))


def test_a_branch_that_is_chosen_alone_is_the_output():
    inputs = np.random.default_rng(0).normal(size=(2, 5, 5, 4))
    inputs = inputs.astype("float32")
    layer = SelectiveKernel(4, groups=2, min_units=4)
    layer.build(inputs.shape)
    layer.reduce_norm.beta.assign(np.full(4, 50.0))
    A = np.zeros((4, 2, 4))
    A[:, 1] = 1.0  # every channel chooses the wide kernel
    layer.select.kernel.assign(A.reshape(4, 8))
    output, shares = layer(inputs, return_attention_scores=True)
    close(numpy(shares)[:, 1], np.ones((2, 4)))
    close(output, relu(numpy(layer.norms[1](plain(inputs, layer, 1)))))


def test_starts_with_nearly_equal_shares():
    inputs = np.random.default_rng(0).normal(size=(4, 5, 5, 8))
    layer = SelectiveKernel(8, groups=2)
    _, shares = layer(inputs, return_attention_scores=True)
    assert np.abs(numpy(shares) - 0.5).max() < 0.1


def test_z_is_never_narrower_than_the_least_width():
    assert SelectiveKernel(64).reduce.units == 32
    assert SelectiveKernel(1024).reduce.units == 64
    assert SelectiveKernel(64, min_units=3).reduce.units == 4


def plain(inputs, layer, branch):
    """Keras's own grouped convolution, then its strides as a slice."""
    reach = (layer.kernels[branch] - 1) // 2
    pads = ((0, 0), (reach, reach), (reach, reach), (0, 0))
    seen = keras.ops.conv(
        np.pad(inputs, pads),
        layer.conv_kernels[branch],
        padding="valid",
        dilation_rate=reach,
    )
    return seen[:, :: layer.strides, :: layer.strides]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"filters": 0}, "filters=0"),
        ({"ratio": 0}, "ratio=0"),
        ({"strides": 0}, "strides=0"),
        ({"kernels": ()}, r"kernels=\(\)"),
        ({"kernels": (3, 4)}, r"kernels=\(3, 4\)"),
        ({"kernels": (1,)}, r"kernels=\(1,\)"),
        ({"kernels": (3, 3)}, r"kernels=\(3, 3\)"),
        ({"groups": 0}, "groups=0"),
        ({"groups": 5}, "groups=5, filters=8"),
        ({"min_units": 0}, "min_units=0"),
        ({"norm_momentum": 1.0}, "norm_momentum=1.0"),
        ({"data_format": "NHWC"}, "data_format='NHWC'"),
    ],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        SelectiveKernel(**{"filters": 8, "groups": 2, **arguments})


def test_refuses_bad_inputs():
    with pytest.raises(ValueError, match=r"input_shape=\(2, 4, 8\)"):
        SelectiveKernel(8, groups=2)(np.ones((2, 4, 8)))
    with pytest.raises(ValueError, match="channels"):
        SelectiveKernel(8, groups=2)(keras.Input((4, 4, None)))
    with pytest.raises(ValueError, match="groups=4, input_shape"):
        SelectiveKernel(8, groups=4)(np.ones((2, 4, 4, 6)))
