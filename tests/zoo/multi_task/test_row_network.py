"""The two ends of the networks for rows."""

import keras
import numpy as np
import pytest

from tests.numbers import close, randomize, relu
from zoo.multi_task.row_network import (
    CategoryEmbedding,
    answer,
    check_outputs,
    read_row,
)
from zoo.weights import dtype_policy

SIZES = [3, 2, 4]
IDS = np.array([[0, 0, 0], [2, 1, 3], [1, 0, 2]], "int32")


def embedding(**options):
    layer = CategoryEmbedding(SIZES, 5, **options)
    layer.build((None, 3))
    randomize(layer)
    return layer


def test_every_category_of_every_column_has_a_vector_of_its_own():
    layer = embedding()
    (table,) = layer.get_weights()
    assert table.shape == (9, 5)
    first, second, third = np.split(table, [3, 5])
    expected = [
        np.concatenate([first[one], second[two], third[three]])
        for one, two, three in IDS
    ]
    close(layer(IDS), np.array(expected))


def test_an_embedding_is_made_again_and_saved(tmp_path):
    layer = embedding(name="embedding")
    again = CategoryEmbedding.from_config(layer.get_config())
    assert again.category_sizes == SIZES and again.embedding_dim == 5
    assert layer.compute_output_shape((None, 3)) == (None, 15)
    inputs = keras.Input((3,), dtype="int32")
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    close(keras.models.load_model(tmp_path / "model.keras")(IDS), layer(IDS))


def test_an_embedding_answers_in_half_precision():
    layer = embedding(dtype="mixed_float16")
    assert keras.backend.standardize_dtype(layer(IDS).dtype) == "float16"
    assert layer.weights[0].dtype == "float32"


@pytest.mark.parametrize(
    "numbers, sizes, names, width",
    [
        (2, SIZES, ["numbers", "categories"], 17),
        (2, [], ["numbers"], 2),
        (0, SIZES, ["categories"], 15),
    ],
)
def test_a_row_is_its_numbers_and_a_vector_for_each_category(
    numbers, sizes, names, width
):
    inputs, x = read_row(numbers, sizes, 5)
    assert list(inputs) == names and x.shape == (None, width)
    model = keras.Model(inputs, x)
    values = {"numbers": np.array([[1.5, -2]] * 3, "float32")[:, :numbers]}
    values["categories"] = IDS
    found = np.asarray(model({name: values[name] for name in names}))
    close(found[:, :numbers], values["numbers"])
    if sizes:
        close(found[:, numbers:], model.get_layer("embedding")(IDS))


def test_each_task_has_a_tower_and_a_head_of_its_own():
    inputs = keras.Input((3, 4))
    model = keras.Model(inputs, answer(inputs, [2, 1, 5], 6, 0.0))
    randomize(model)
    x = np.random.default_rng(0).normal(size=(7, 3, 4)).astype("float32")
    found = model(x)
    assert list(found) == ["logits_1", "logits_2", "logits_3"]
    kernel, bias = model.get_layer("towers").get_weights()
    for task, (name, size) in enumerate(zip(found, [2, 1, 5])):
        tower = relu(x[:, task] @ kernel[task] + bias[task])
        head, start = model.get_layer(name).get_weights()
        assert found[name].shape == (7, size)
        close(found[name], tower @ head + start)


def test_answers_are_of_full_precision():
    with dtype_policy("mixed_float16"):
        outputs = answer(keras.Input((2, 4)), [2, 1], 3, 0.0)
    assert {x.dtype for x in outputs.values()} == {"float32"}


@pytest.mark.parametrize("sizes", [[], [2, 0], [2, -1]])
def test_each_task_must_have_an_output(sizes):
    with pytest.raises(ValueError, match="`num_outputs`.*Received: num_outp"):
        check_outputs(sizes)
    check_outputs([1, 7])


def test_a_row_of_nothing_is_refused():
    with pytest.raises(ValueError, match="num_numbers=0, category_sizes"):
        read_row(0, [], 5)
