"""Recipes of multi-task: what they build, and on which data."""

import pytest

from zoo import recipes
from zoo.data.table_data import LICENCES
from zoo.inputs.table_row import TableRow
from zoo.multi_task.recipes import RECIPES
from zoo.multi_task.task import MultiTask
from zoo.outputs.label import Label
from zoo.outputs.number import Number
from zoo.outputs.several import Several
from zoo.plan import Plan

COLUMNS = [
    {"name": "age", "kind": "number", "mean": 0.0, "deviation": 1.0},
    {"name": "job", "kind": "category", "values": ["baker", "clerk"]},
]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_builds_what_its_name_says(name):
    recipe = recipes.find(name)
    assert recipe["task"] == "multi_task"
    assert recipe["data"] in LICENCES
    network, data = name.split("_")
    assert recipe["data"].startswith(data)
    output = Several({"pay": Label(["low", "high"]), "rent": Number()})
    task = MultiTask.untrained(recipe, TableRow(COLUMNS), output)
    assert task.model.name == recipe["builder"] == network
    assert task.model.get_layer("experts").num_tasks == 2
    shapes = {name: x.shape for name, x in task.model.output.items()}
    assert shapes == {"logits_1": (None, 2), "logits_2": (None, 1)}
    shapes = {name: x.shape for name, x in task.model.input.items()}
    assert shapes == {"numbers": (None, 2), "categories": (None, 1)}
    Plan(**recipe["training"])


def test_every_set_has_a_recipe():
    assert {recipe["data"] for recipe in RECIPES.values()} == set(LICENCES)
