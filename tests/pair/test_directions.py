"""Both directions against a recurrence run on the sequence turned round."""

import keras
import numpy as np

from keras_attention.pair.directions import both_directions
from tests.numbers import close, numpy


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
