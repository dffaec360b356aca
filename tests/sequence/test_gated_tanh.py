"""GatedTanh against the paper's equation, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import GatedTanh
from tests.contract import check_layer
from tests.numbers import arrays, close, numpy, randomize, sigmoid


def test_contract(tmp_path):
    check_layer(
        GatedTanh,
        inits=[{"units": 5}],
        shapes={"inputs": (3, 6, 8)},
        output=(3, 6, 5),
        weights=None,
        folder=tmp_path,
        free_axes=(1,),
    )


@pytest.mark.parametrize("shape", [(2, 4), (2, 3, 4), (2, 3, 5, 4)])
def test_equals_the_equation_of_the_paper(shape):
    inputs = np.random.default_rng(1).normal(size=shape)
    layer = GatedTanh(units=3)
    layer.build(shape)
    randomize(layer)
    output = numpy(layer(inputs))
    assert output.shape == (*shape[:-1], 3)

    names = "hidden/kernel", "hidden/bias", "gate/kernel", "gate/bias"
    W, b, V, c = arrays(layer, *names)
    for place in np.ndindex(*shape[:-1]):
        x = inputs[place]
        close(output[place], np.tanh(W.T @ x + b) * sigmoid(V.T @ x + c))


def test_a_closed_gate_lets_nothing_through_and_an_open_one_all():
    inputs = np.random.default_rng(2).normal(size=(2, 4))
    layer = GatedTanh(units=3)
    layer.build(inputs.shape)
    layer.gate.bias.assign(np.full(3, -1e4))
    close(layer(inputs), np.zeros((2, 3)))
    layer.gate.bias.assign(np.full(3, 1e4))
    close(layer(inputs), layer.hidden(inputs))


def test_hands_on_the_mask_of_its_inputs():
    ids = keras.Input((4,), dtype="int32")
    words = keras.layers.Embedding(5, 8, mask_zero=True)(ids)
    assert GatedTanh(3)(words)._keras_mask is not None


def test_refuses_bad_arguments():
    with pytest.raises(ValueError, match="units=0"):
        GatedTanh(units=0)
