"""shared_bottom: one layer for all tasks, in NumPy."""

import numpy as np
import pytest

from tests.numbers import close, randomize, relu
from zoo.multi_task.shared_bottom import PRESETS, shared_bottom

NUMBERS = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
IDS = np.random.default_rng(1).integers(0, 3, (6, 1)).astype("int32")
ROWS = {"numbers": NUMBERS, "categories": IDS}


def network(**options):
    model = shared_bottom(4, [3], [2, 1], **{**PRESETS["tiny"], **options})
    randomize(model)
    return model


def test_all_tasks_read_the_same_and_each_has_a_tower():
    model = network()
    (table,) = model.get_layer("embedding").get_weights()
    x = np.concatenate([NUMBERS, table[IDS[:, 0]]], axis=1)
    W, b = model.get_layer("bottom").get_weights()
    bottom = relu(x @ W + b)
    kernel, bias = model.get_layer("towers").get_weights()
    said = model(ROWS)
    assert list(said) == ["logits_1", "logits_2"]
    for task in range(2):
        tower = relu(bottom @ kernel[task] + bias[task])
        head, start = model.get_layer(f"logits_{task + 1}").get_weights()
        close(said[f"logits_{task + 1}"], tower @ head + start)


def test_has_the_parameters_it_should():
    model = shared_bottom(10, [7, 9], [2, 1], units=32, tower_units=8)
    width = 10 + 2 * 8
    expected = 16 * 8 + 32 * (width + 1) + 2 * 8 * (32 + 1) + 9 * (2 + 1)
    assert model.count_params() == expected


def test_drops_in_training_only():
    model = network(dropout=0.5)
    first = np.asarray(model(ROWS, training=True)["logits_1"])
    assert not np.allclose(first, model(ROWS, training=True)["logits_1"])
    close(model(ROWS)["logits_1"], model(ROWS)["logits_1"])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_outputs": [0]}, r"num_outputs=\[0\]"),
        ({"num_numbers": 0, "category_sizes": []}, "num_numbers=0"),
    ],
)
def test_refuses_what_it_cannot_build(arguments, message):
    good = {"num_numbers": 4, "category_sizes": [3], "num_outputs": [2]}
    with pytest.raises(ValueError, match=message):
        shared_bottom(**{**good, **PRESETS["tiny"], **arguments})
