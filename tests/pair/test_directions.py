"""Both directions against a recurrence run on the sequence turned round,
and several pairs side by side against one after the other."""

import keras
import numpy as np
import pytest

from keras_attention.pair.directions import (
    both_directions,
    both_directions_of_several,
)
from tests.numbers import close, gradients, numpy, randomize

UNITS = 3
MASKS = {
    "no mask": None,
    "padding": [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]],
    "padding in front": [[0, 0, 1, 1, 1], [0, 1, 1, 1, 1]],
    "holes": [[1, 0, 1, 0, 1], [0, 0, 0, 0, 0]],
}


def test_each_position_knows_what_comes_before_and_after():
    forward = keras.layers.GRU(3, return_sequences=True)
    backward = keras.layers.GRU(3, return_sequences=True, go_backwards=True)
    inputs = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    output = both_directions(forward, backward, inputs)
    close(output[..., :3], forward(inputs))
    plain = keras.layers.GRU(3, return_sequences=True)
    plain.build(inputs.shape)
    plain.set_weights(backward.get_weights())
    close(numpy(output)[:, ::-1, 3:], plain(inputs[:, ::-1].copy()))


def test_padding_is_passed_over_from_both_ends():
    layers = [
        keras.layers.GRU(3, return_sequences=True, go_backwards=backwards)
        for backwards in (False, True)
    ]
    inputs = np.random.default_rng(0).normal(size=(1, 4, 2)).astype("float32")
    noise = np.full((1, 2, 2), 9, "float32")
    short = both_directions(*layers, inputs)
    for parts, place in (((inputs, noise), 0), ((noise, inputs), 2)):
        mask = np.zeros((1, 6), "bool")
        mask[:, place : place + 4] = True
        long = both_directions(*layers, np.concatenate(parts, 1), mask)
        close(long[:, place : place + 4], short)


@pytest.fixture(scope="module")
def pairs_and_sequences():
    """Three pairs, whose sequences have two depths."""
    rng = np.random.default_rng(0)
    pairs, sequences = [], []
    for depth in (4, 2, 4):
        grus = [
            keras.layers.GRU(UNITS, return_sequences=True, go_backwards=back)
            for back in (False, True)
        ]
        for gru in grus:
            gru.build((2, 5, depth))
            randomize(gru)
        pairs.append(grus)
        sequences.append(rng.normal(size=(2, 5, depth)).astype("float32"))
    return pairs, sequences


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_each_says_what_it_says_alone(pairs_and_sequences, mask):
    pairs, sequences = pairs_and_sequences
    mask = None if mask is None else np.array(mask, bool)
    several = both_directions_of_several(pairs, sequences, mask)
    assert len(several) == 3
    for said, pair, inputs in zip(several, pairs, sequences):
        alone = both_directions(*pair, inputs, mask)
        assert tuple(said.shape) == (2, 5, 2 * UNITS)
        close(said, alone)


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_its_gradients_are_those_of_each_alone(pairs_and_sequences, mask):
    pairs, sequences = pairs_and_sequences
    mask = None if mask is None else np.array(mask, bool)

    def squares(states):
        return sum(keras.ops.sum(keras.ops.square(each)) for each in states)

    together = gradients(
        lambda *xs: squares(both_directions_of_several(pairs, xs, mask)),
        *sequences,
    )
    alone = gradients(
        lambda *xs: squares(
            both_directions(*pair, x, mask) for pair, x in zip(pairs, xs)
        ),
        *sequences,
    )
    for found, expected in zip(together, alone, strict=True):
        assert np.abs(expected).max() > 1e-3
        close(found, expected)
