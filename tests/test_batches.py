"""Batches of inputs: every sample once. What is refused is in test_looking."""

import keras
import numpy as np
import pytest

from keras_attention.batches import batches, check_inputs, check_model, rows_of


@pytest.mark.parametrize("batch_size", [1, 2, 5, 9])
def test_every_sample_comes_once_and_in_order(batch_size):
    inputs = {"a": np.arange(5), "b": [np.arange(10).reshape(5, 2)]}
    parts = [rows_of(inputs, rows) for rows in batches(5, batch_size)]
    assert max(len(part["a"]) for part in parts) == min(batch_size, 5)
    whole = keras.tree.map_structure(lambda *x: np.concatenate(x), *parts)
    keras.tree.map_structure(np.testing.assert_array_equal, whole, inputs)


def test_inputs_are_counted_and_models_told_from_layers():
    assert check_inputs([np.ones((4, 2)), np.ones(4)], 1) == 4
    check_model(keras.Sequential())
    with pytest.raises(ValueError, match="type Dense"):
        check_model(keras.layers.Dense(2))
