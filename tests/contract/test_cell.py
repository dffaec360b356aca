"""The contract of cells itself: each fault goes red."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.functional import masked_softmax
from keras_attention.shapes import shapes_by_tracing
from tests import contract
from tests.contract import cell as checks


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class RightCell(keras.layers.Layer):
    """Attends to its last three outputs, with parts that a fault replaces."""

    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, 3 * units, 3]
        self.dense = keras.layers.Dense(units, dtype=self.dtype_policy)

    def build(self, inputs_shape, states_shape=None):
        self.dense.build((None, inputs_shape[-1] + self.units))

    def call(self, inputs, states, return_attention_scores=False):
        _, past, made = states
        rows = ops.reshape(past, (-1, 3, self.units))
        scores = ops.sum(rows, axis=-1)
        weights = self.weigh(masked_softmax(scores, made > 0))
        read = ops.sum(weights[..., None] * rows, axis=1)
        h = self.read(inputs, read, return_attention_scores)
        past = ops.concatenate([h, past[:, : -self.units]], axis=-1)
        made = self.count(made)
        states = self.keep([h, past, made])
        return (h, states, weights) if return_attention_scores else (h, states)

    def read(self, inputs, read, asked):
        return ops.tanh(self.dense(ops.concatenate([inputs, read], axis=-1)))

    def weigh(self, weights):
        return weights

    def count(self, made):
        return ops.concatenate(
            [ops.ones_like(made[:, :1]), made[:, :-1]], axis=-1
        )

    def keep(self, states):
        return states

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, n)) for n in self.state_size]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class NotOfOne(RightCell):
    def weigh(self, weights):
        return weights * 0.9


class WhenAsked(RightCell):
    def read(self, inputs, read, asked):
        return super().read(inputs, read * (2 if asked else 1), asked)


class AsInstance(RightCell):
    """Remembers in Python what belongs into the states."""

    seen = 0

    def read(self, inputs, read, asked):
        self.seen = self.seen + 1
        return super().read(inputs, read + 0.1 * self.seen, asked)


class OneAtTheStart(RightCell):
    def get_initial_state(self, batch_size=None):
        return [ops.ones((batch_size, n)) for n in self.state_size]


class OtherFirst(RightCell):
    """The first state is not the output."""

    def keep(self, states):
        return [states[0] * 0.5, *states[1:]]


class OtherNames(RightCell):
    def call(self, x, states, return_attention_scores=False):
        return super().call(x, states, return_attention_scores)


SEQUENCES = np.random.default_rng(0).normal(size=(3, 9, 8)).astype("float32")


def check(cell):
    cell.build((None, 8))
    checks.check_step_by_step(cell, SEQUENCES, 3)
    checks.check_carried(cell, SEQUENCES)
    checks.check_hidden_steps(cell, SEQUENCES)
    checks.check_start(cell, SEQUENCES)
    checks.check_ways_of_running(cell, SEQUENCES)


def test_a_right_cell_passes():
    check(RightCell())


@pytest.mark.parametrize(
    "cell_class, complaint",
    [
        (NotOfOne, "weights sum to"),
        (WhenAsked, "with and without the weights"),
        (AsInstance, "with and without the weights"),
        (OneAtTheStart, "not zero at the start"),
        (OtherFirst, "the first state is the output"),
    ],
)
def test_a_fault_in_a_cell_is_red(cell_class, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check(cell_class())


def test_a_cell_with_other_call_arguments_is_red(tmp_path):
    with pytest.raises(AssertionError, match="inputs, states"):
        contract.check_cell(
            OtherNames, [{"units": 5}], output=5, weights=3, folder=tmp_path
        )
