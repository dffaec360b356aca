"""mmoe: the paper's network in NumPy, its baseline, its size."""

import keras
import numpy as np
import pytest

from tests.numbers import close, randomize, relu
from zoo.multi_task.mmoe import PRESETS, mmoe

NUMBERS = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
IDS = np.random.default_rng(1).integers(0, 3, (6, 2)).astype("int32")
ROWS = {"numbers": NUMBERS, "categories": IDS}


def network(**options):
    model = mmoe(4, [3, 5], [2, 1], **{**PRESETS["tiny"], **options})
    randomize(model)
    return model


def softmax(scores):
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def test_equals_the_equations_of_the_paper():
    model = network()
    (table,) = model.get_layer("embedding").get_weights()
    x = np.concatenate([NUMBERS, table[IDS[:, 0]], table[3 + IDS[:, 1]]], 1)
    W, b, V = model.get_layer("experts").get_weights()
    experts = relu(np.einsum("bd,deu->beu", x, W) + b)
    kernel, bias = model.get_layer("towers").get_weights()
    said = model(ROWS)
    assert list(said) == ["logits_1", "logits_2"]
    for task in range(2):
        weights = softmax(x @ V[:, task])
        mixed = (weights[..., None] * experts).sum(axis=1)
        tower = relu(mixed @ kernel[task] + bias[task])
        head, start = model.get_layer(f"logits_{task + 1}").get_weights()
        close(said[f"logits_{task + 1}"], tower @ head + start)


def test_has_the_parameters_it_should():
    model = mmoe(10, [7, 9], [2, 7, 1], **PRESETS["census"])
    width, experts, units, tower = 10 + 2 * 8, 8, 16, 8
    expected = 16 * 8  # the vectors of the categories
    expected += experts * units * (width + 1) + 3 * width * experts
    expected += 3 * tower * (units + 1) + (tower + 1) * (2 + 7 + 1)
    assert model.count_params() == expected
    one = mmoe(10, [7, 9], [2, 7, 1], gate="shared", **PRESETS["census"])
    assert one.count_params() == expected - 2 * width * experts


@pytest.mark.parametrize("gate", ["input", "shared", "context"])
def test_the_gate_is_the_layers(gate):
    layer = network(gate=gate, gate_dropout=0.25).get_layer("experts")
    assert (layer.gate, layer.dropout) == (gate, 0.25)
    assert (layer.num_experts, layer.num_tasks, layer.units) == (3, 2, 8)


def test_the_baseline_has_one_mix_for_all_tasks():
    model = network(gate="shared")
    inside = keras.Model(model.input, model.get_layer("towers").input)
    mixed = np.asarray(inside(ROWS))
    close(mixed[:, 0], mixed[:, 1])
    other = network()
    inside = keras.Model(other.input, other.get_layer("towers").input)
    assert np.abs(np.diff(np.asarray(inside(ROWS)), axis=1)).max() > 1e-2


def test_a_table_may_be_of_one_kind():
    numbers = mmoe(4, [], [3], **PRESETS["tiny"])
    assert numbers(NUMBERS)["logits_1"].shape == (6, 3)
    words = mmoe(0, [3, 5], [3], **PRESETS["tiny"])
    assert words(IDS)["logits_1"].shape == (6, 3)


def test_drops_in_training_only():
    model = network(dropout=0.5)
    first = np.asarray(model(ROWS, training=True)["logits_1"])
    assert not np.allclose(first, model(ROWS, training=True)["logits_1"])
    close(model(ROWS)["logits_1"], model(ROWS)["logits_1"])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"gate": "none"}, "gate='none'"),
        ({"num_outputs": []}, r"num_outputs=\[\]"),
        ({"num_outputs": [2, 0]}, r"num_outputs=\[2, 0\]"),
        ({"num_numbers": 0, "category_sizes": []}, "num_numbers=0"),
        ({"num_experts": 0}, "num_experts=0"),
    ],
)
def test_refuses_what_it_cannot_build(arguments, message):
    good = {"num_numbers": 4, "category_sizes": [3], "num_outputs": [2]}
    with pytest.raises(ValueError, match=message):
        mmoe(**{**good, **PRESETS["tiny"], **arguments})
