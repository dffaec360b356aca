"""The smallest answerers, and questions about two coloured squares."""

import keras
import numpy as np

from zoo.data.questions import QuestionData
from zoo.visual_question_answering import (
    bottom_up_top_down_vqa,
    stacked_latent_vqa,
)
from zoo.visual_question_answering.task import VisualQuestionAnswering

COLOURS = ["blue", "green", "red"]
SIDES = ["left", "right"]
SHAPE, GRID = (16, 24, 3), (4, 6)
MODULES = {
    "bottom_up_top_down_vqa": bottom_up_top_down_vqa,
    "stacked_latent_vqa": stacked_latent_vqa,
}
BUTD, SLA = MODULES
PLAN = {
    "epochs": 10,
    "batch_size": 8,
    "learning_rate": 0.01,
    "jit_compile": False,
    "seed": 0,
}


def tiny_questions(pictures=32, seed=0):
    """Of each picture the colours of its left and of its right square."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 40, (pictures, *SHAPE)).astype("uint8")
    shown, questions, labels, boxes = [], [], [], []
    for place in range(pictures):
        for side, word in enumerate(SIDES):
            colour = generator.integers(len(COLOURS))
            y, x = generator.integers(0, 9), 12 * side + generator.integers(5)
            images[place, y : y + 8, x : x + 8, 2 - colour] += 200
            shown.append(place)
            questions.append(f"What colour is the {word} square?")
            labels.append(colour)
            box = np.array([x, y, x + 8, y + 8]) / [24, 16, 24, 16]
            boxes.append(2 * box - 1)
    return QuestionData(
        images,
        np.array(shown),
        questions,
        np.array(labels),
        list(COLOURS),
        "tiny",
        truth={
            "box": np.array(boxes, "float32"),
            "kind": np.array(SIDES * pictures),
        },
    )


def raws_of(data, count):
    """The first raw inputs of some data."""
    columns = data.raws
    return [
        {name: column[place] for name, column in columns.items()}
        for place in range(count)
    ]


def tiny_recipe(builder=BUTD, **builder_args):
    return {
        "builder": builder,
        "builder_args": {
            "input_shape": list(SHAPE),
            **MODULES[builder].PRESETS["tiny"],
            "filters": [8, 12],
            "units": 16,
            "attention_units": 16,
            **builder_args,
        },
        "tokens": {"vocabulary_size": 12, "length": 7},
        "training": PLAN,
    }


def tiny_answerer(builder=BUTD, **builder_args):
    """A seeded, untrained task."""
    keras.utils.set_random_seed(0)
    recipe = tiny_recipe(builder, **builder_args)
    learned = VisualQuestionAnswering.learn(tiny_questions(), recipe)
    task = VisualQuestionAnswering.untrained(recipe, *learned)
    task.card["data"] = {"name": "tiny"}
    return task
