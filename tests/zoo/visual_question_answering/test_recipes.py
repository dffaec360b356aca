"""Recipes of visual question answering: what they build, and of which data."""

import pytest

from zoo import recipes
from zoo.data.questions import LICENCES
from zoo.inputs.image import Image
from zoo.inputs.text import Text
from zoo.outputs.label import Label
from zoo.plan import Plan
from zoo.visual_question_answering.recipes import RECIPES
from zoo.visual_question_answering.task import VisualQuestionAnswering


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_builds_what_its_name_says(name):
    recipe = recipes.find(name)
    assert recipe["task"] == "visual_question_answering"
    assert recipe["data"] in LICENCES
    tokens = {**recipe["tokens"]}
    tokens.pop("vocabulary_size")
    words = Text([f"word{place}" for place in range(20)], **tokens)
    made = VisualQuestionAnswering.input(
        image=Image((64, 64), 3), question=words
    )
    task = VisualQuestionAnswering.untrained(
        recipe, made, Label(["no", "yes", "red"])
    )
    shapes = {key: x.shape for key, x in task.model.input.items()}
    assert shapes == {"image": (None, 64, 64, 3), "token_ids": (None, 12)}
    assert task.model.get_layer("encoder_places").output.shape[1] == 64
    looks = {"butd": (64,), "sla": (2, 64)}[name.split("_")[0]]
    assert task.graph(True).output[1]["attention"].shape == (None, *looks)
    assert Plan(**recipe["training"]).jit_compile is False
