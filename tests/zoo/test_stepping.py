"""Steps in one loop: the states handed on, gradients, lengths not known."""

import keras
import numpy as np
from keras import ops

from tests.numbers import close, gradients, numpy
from zoo.stepping import over_steps

INPUTS = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")


def decayed(scale):
    def step(x, state):
        total, count = state
        total = total * scale + x
        return ops.concatenate([total, count], axis=-1), [total, count + 1]

    return step


def by_hand(scale):
    total, rows = np.zeros((2, 3)), []
    for place in range(5):
        total = total * scale + INPUTS[:, place]
        rows.append(np.concatenate([total, np.full((2, 1), place)], axis=1))
    return np.stack(rows, axis=1)


def begun():
    return [ops.zeros((2, 3)), ops.zeros((2, 1))]


def test_each_step_reads_what_the_step_before_left():
    close(over_steps(decayed(0.5), INPUTS, begun()), by_hand(0.5), 1e-5, 1e-6)


def test_gradients_reach_what_a_step_closes_over():
    def loss(scale):
        return ops.sum(over_steps(decayed(scale), INPUTS, begun()))

    (found,) = gradients(loss, np.float32(0.5))
    numeric = (by_hand(0.501).sum() - by_hand(0.499).sum()) / 0.002
    close(found, numeric, 1e-3, 1e-3)


def test_the_length_need_not_be_known():
    class Summing(keras.layers.Layer):
        def compute_output_spec(self, inputs):
            return keras.KerasTensor((*inputs.shape[:2], 4))

        def call(self, inputs):
            zeros = ops.zeros_like(inputs[:, 0])
            return over_steps(decayed(1.0), inputs, [zeros, zeros[:, :1]])

    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, Summing()(inputs))
    for length in (5, 2, 1):
        found = model.predict(INPUTS[:, :length], verbose=0)
        close(found, by_hand(1.0)[:, :length], 1e-5, 1e-5)
    assert numpy(found).shape == (2, 1, 4)


def test_keeps_the_dtype_of_its_state():
    state = [ops.cast(each, "bfloat16") for each in begun()]
    inputs = ops.cast(INPUTS, "bfloat16")
    found = over_steps(decayed(ops.cast(0.5, "bfloat16")), inputs, state)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    close(ops.cast(found, "float32"), by_hand(0.5), 0.05, 0.05)
