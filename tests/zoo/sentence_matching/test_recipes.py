"""Recipes of pairs: what they build, and what those of one table share."""

import pytest

from zoo import catalogue, recipes
from zoo.sentence_matching.recipes import ANSWER_SELECTION, SENTENCE_MATCHING

TABLES = {
    "answer_selection": ANSWER_SELECTION,
    "sentence_matching": SENTENCE_MATCHING,
}
NAMES = [(task, name) for task, table in TABLES.items() for name in table]


@pytest.mark.parametrize("task_name, name", NAMES)
def test_a_recipe_builds_what_its_name_says(task_name, name):
    recipe = recipes.find(name)
    assert recipe["task"] == task_name
    words = [f"word{place}" for place in range(20)]
    vectors = {"word3": [0.5] * recipe["builder_args"]["embedding_dim"]}
    tokens = {**recipe["tokens"]}
    tokens.pop("vocabulary_size")
    kind = catalogue.task_class(task_name)
    task = kind.untrained(
        recipe,
        kind.input(words, vectors=vectors, **tokens),
        kind.output(["no", "yes"]),
    )
    network, data = name.split("_")[0], name.split("_")[-1]
    assert recipe["data"] == data
    assert task.model.name in (network.rstrip("123"), f"a{network}")
    shapes = {name: symbol.shape for name, symbol in task.model.input.items()}
    assert shapes == {
        "left_ids": (None, recipe["tokens"]["left_length"]),
        "right_ids": (None, recipe["tokens"]["right_length"]),
    }
    assert task.model.output_shape == (None, 2)
    (table,) = task.model.get_layer("embedding").get_weights()
    assert set(table[5]) == {0.5}


@pytest.mark.parametrize("name", ANSWER_SELECTION)
def test_a_name_tells_the_variant(name):
    variant = ANSWER_SELECTION[name]["builder_args"]["variant"]
    assert name.startswith("bcnn" if variant == "bcnn" else f"abcnn{variant}")


@pytest.mark.parametrize("task_name, name", NAMES)
def test_presets_of_one_data_set_differ_in_the_network_only(task_name, name):
    for other in TABLES[task_name].values():
        recipe = TABLES[task_name][name]
        if other["data"] == recipe["data"]:
            for key in ("tokens", "vectors", "training"):
                assert other[key] == recipe[key]
