"""WideConv1D against the paper's equation, window by window."""

import keras
import numpy as np
import pytest

from keras_attention import WideConv1D
from tests.contract import check_layer
from tests.numbers import arrays, close, numpy, randomize


def test_contract(tmp_path):
    check_layer(
        WideConv1D,
        inits=[
            {"filters": 5},
            {"filters": 4, "kernel_size": 1, "activation": "relu"},
        ],
        shapes={"inputs": (3, 6, 8)},
        output=[(3, 9, 5), (3, 6, 4)],
        weights=None,
        folder=tmp_path,
        free_axes=(1,),
    )


@pytest.mark.parametrize("kernel_size", [1, 2, 4, 7])
def test_equals_the_equation_of_the_paper(kernel_size):
    inputs = np.random.default_rng(0).normal(size=(2, 5, 3))
    layer = WideConv1D(4, kernel_size)
    layer.build(inputs.shape)
    randomize(layer)
    output = layer(inputs)
    W, b = arrays(layer, "convolution/kernel", "convolution/bias")
    W = W.reshape(-1, 4)  # the rows of v_{i-w+1} first
    ends = np.zeros((2, kernel_size - 1, 3))
    padded = np.concatenate([ends, inputs, ends], axis=1)
    assert output.shape[1] == 5 + kernel_size - 1
    for n, i in np.ndindex(*output.shape[:2]):
        window = padded[n, i : i + kernel_size].reshape(-1)
        close(output[n, i], np.tanh(window @ W + b))


def test_every_word_is_at_every_place_of_a_window():
    layer = WideConv1D(2, 3, activation="linear")
    impulse = np.zeros((1, 4, 1))
    impulse[0, 0] = 1
    output = numpy(layer(impulse))[0]
    (kernel,) = arrays(layer, "convolution/kernel")
    close(output[:3], kernel[::-1, 0])
    assert not output[3:].any()


def test_padding_counts_as_nothing_and_the_mask_grows_with_the_columns():
    rng = np.random.default_rng(0)
    words = keras.layers.Embedding(9, 3, mask_zero=True)
    layer = WideConv1D(4, 3)
    short = layer(words(np.array([[3, 1, 4]])))
    randomize(layer)
    short = layer(words(np.array([[3, 1, 4]])))
    long = layer(words(np.array([[3, 1, 4, 0, 0, 0]])))
    close(long[:, :5], short)
    assert not numpy(long)[:, 5:].any()
    seen = numpy(long._keras_mask)
    assert seen.tolist() == [[True] * 5 + [False] * 3]
    # A hole: windows beside it see what is left of them.
    inputs = rng.normal(size=(1, 4, 3)).astype("float32")
    mask = np.array([[True, False, False, True]])
    inputs[~mask] = 0
    close(layer(inputs, mask=mask), layer(inputs))


def test_reads_along_the_sequence_whatever_images_are_like():
    keras.config.set_image_data_format("channels_first")
    assert tuple(WideConv1D(4, 3)(np.ones((2, 5, 8))).shape) == (2, 7, 4)


def test_refuses_bad_arguments_and_inputs():
    for arguments in ({"filters": 0}, {"filters": 2, "kernel_size": 0}):
        with pytest.raises(ValueError, match="positive integers"):
            WideConv1D(**arguments)
    with pytest.raises(ValueError, match=r"input_shape=\(2, 3\)"):
        WideConv1D(2)(np.ones((2, 3)))
    with pytest.raises(ValueError, match="`mask` must be boolean"):
        WideConv1D(2)(np.ones((2, 3, 4)), mask=np.ones((2, 4), "bool"))
