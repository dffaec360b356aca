"""What the translators share: their inputs, and nothing said of nothing."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.numbers import numpy
from zoo.translation.two_texts import (
    check_dropout,
    nothing_of_nothing,
    translator,
)

MASK = np.array([[True, False], [False, False], [False, True]])


@pytest.mark.parametrize("shape", [(3, 4), (3, 2, 4)])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_only_the_end_is_said_of_an_empty_text(shape, dtype):
    logits = np.random.default_rng(0).normal(size=shape).astype(dtype)
    found = numpy(nothing_of_nothing(ops.convert_to_tensor(logits), MASK))
    assert found.dtype == dtype
    np.testing.assert_array_equal(found[[0, 2]], logits[[0, 2]])
    np.testing.assert_array_equal(
        found[1], np.broadcast_to([30, 0, 0, 0], shape[1:])
    )


def test_wires_an_encoder_and_a_decoder():
    class Counting(keras.layers.Layer):
        def compute_output_spec(self, target_ids, memory):
            return keras.KerasTensor((*target_ids.shape, 1))

        def call(self, target_ids, memory):
            words = ops.sum(memory, axis=1)[:, None, None]
            return ops.cast(target_ids[..., None] + words, "float32")

    ids = keras.Input((None,), dtype="int32")
    encoder = keras.Model(ids, ids + 1, name="encoder")
    model = translator(encoder, Counting(name="decoder"), "both")
    assert model.name == "both"
    assert {"encoder", "decoder"} <= {layer.name for layer in model.layers}
    inputs = {
        "source_ids": np.array([[2, 3]], "int32"),
        "target_ids": np.array([[1, 5, 6]], "int32"),
    }
    assert numpy(model(inputs))[0, :, 0].tolist() == [8, 12, 13]


@pytest.mark.parametrize("dropout", [-0.1, 1, float("nan")])
def test_a_dropout_leaves_something(dropout):
    with pytest.raises(ValueError, match="dropout="):
        check_dropout(dropout)
    assert check_dropout(0) is check_dropout(0.99) is None
