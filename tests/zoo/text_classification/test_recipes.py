"""Recipes of text classification: what they build, and what they differ in."""

import pytest

from zoo import recipes
from zoo.inputs.text import Text
from zoo.outputs.label import Label
from zoo.text_classification.recipes import RECIPES
from zoo.text_classification.task import TextClassification


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_builds_what_its_name_says(name):
    recipe = recipes.find(name)
    assert recipe["task"] == "text_classification"
    words = [f"word{place}" for place in range(20)]
    tokens = {**recipe["tokens"]}
    tokens.pop("vocabulary_size")
    task = TextClassification.untrained(
        recipe, Text(words, **tokens), Label(["no", "yes"])
    )
    shape = (12, 20) if name.startswith("han") else (200,)
    assert task.model.input_shape == (None, *shape)
    assert task.input.tokens.keep == "last"
    assert task.model.name.startswith(
        {"han": "hier", "transformer": "trans", "recurrent": "recur"}[
            name.split("_")[0]
        ]
    )


@pytest.mark.parametrize("name", ["han", "transformer", "recurrent"])
def test_a_preset_and_its_baseline_differ_in_the_pooling_only(name):
    first, second = RECIPES[f"{name}_imdb"], RECIPES[f"{name}_average_imdb"]
    assert first["builder_args"]["pooling"] == "attention"
    assert second["builder_args"]["pooling"] == "average"
    arguments = {**second["builder_args"], "pooling": "attention"}
    assert {**second, "builder_args": arguments} == first
