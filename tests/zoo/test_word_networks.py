"""What the networks for texts share: the average, and what they refuse."""

import keras
import numpy as np
import pytest

from tests.numbers import close
from zoo.word_networks import (
    AveragePooling,
    classify,
    embed,
    pool,
)

VALUES = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1], [0, 1, 0, 1, 0], [0, 0, 0, 0, 0]], "bool")


def test_averages_what_is_visible_and_nothing_is_zeros():
    expected = [VALUES[0].mean(0), VALUES[1, [1, 3]].mean(0), np.zeros(4)]
    close(AveragePooling()(VALUES, mask=MASK), expected)
    close(AveragePooling()(VALUES), VALUES.mean(axis=1))


def test_averages_in_full_precision():
    many = np.full((1, 2049, 1), 1 + 2**-7, "float32")
    layer = AveragePooling(dtype="bfloat16")
    average = layer(many, mask=np.ones((1, 2049), "bool"))
    assert keras.backend.standardize_dtype(average.dtype) == "bfloat16"
    close(keras.ops.cast(average, "float32"), [[1 + 2**-7]], rtol=0)


def test_takes_the_mask_of_an_embedding():
    token_ids = keras.Input((5,), dtype="int32")
    embedded = embed(token_ids, 9, 4)
    model = keras.Model(token_ids, pool(embedded, "average", 4))
    ids = np.array([[3, 2, 0, 0, 0], [0, 0, 0, 0, 0]])
    table = model.get_layer("embedding").get_weights()[0]
    close(model(ids), [table[[3, 2]].mean(0), np.zeros(4)])


def test_an_embedding_may_have_more_rows_than_words():
    token_ids = keras.Input((2,), dtype="int32")
    model = keras.Model(token_ids, embed(token_ids, 9, 4, more_ids=3))
    (table,) = model.get_weights()
    assert table.shape == (12, 4)
    close(model(np.array([[11, 8]])), [table[[11, 8]]])


@pytest.mark.parametrize("trainable", [True, False])
def test_an_embedding_may_stay_as_it_is(trainable):
    token_ids = keras.Input((5,), dtype="int32")
    embedded = embed(token_ids, 9, 4, trainable=trainable)
    model = keras.Model(token_ids, pool(embedded, "average", 4))
    assert len(model.trainable_weights) == trainable
    assert [weight.shape for weight in model.weights] == [(9, 4)]
    ids = np.array([[3, 2, 0, 0, 0]])
    table = model.get_layer("embedding").get_weights()[0]
    close(model(ids), [table[[3, 2]].mean(0)])


def test_is_loaded_without_help(tmp_path):
    sequence = keras.Input((5, 4))
    model = keras.Model(sequence, AveragePooling()(sequence))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    close(again(VALUES), model(VALUES))


def test_logits_are_in_full_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    assert classify(keras.Input((4,)), 3, 0.0).dtype == "float32"


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda x: pool(x, "maximum", 4), "pooling='maximum'"),
        (lambda x: embed(x, 2, 4), "vocabulary_size=2"),
        (lambda x: classify(x, 1, 0.0), "num_classes=1"),
    ],
)
def test_refuses_what_it_cannot_build(make, message):
    with pytest.raises(ValueError, match=message):
        make(keras.Input((5, 4)))
