"""Recipes: how each preset of visual question answering is trained, as data."""

from zoo.visual_question_answering.bottom_up_top_down_vqa import (
    PRESETS as BOTTOM_UP_TOP_DOWN,
)
from zoo.visual_question_answering.stacked_latent_vqa import (
    PRESETS as STACKED_LATENT,
)


def _recipe(builder, sizes, data, epochs, **more):
    return {
        "builder": builder,
        "builder_args": {
            "input_shape": [64, 64, 3],
            **{**sizes, "filters": list(sizes["filters"])},
            **more,
        },
        "tokens": {"vocabulary_size": 100, "length": 12},
        "data": data,
        "training": {
            "epochs": epochs,
            "batch_size": 64,
            "optimizer": "adamw",
            "learning_rate": 3e-3,
            "schedule": "one_cycle",
            "weight_decay": 1e-3,
            "jit_compile": False,
            "seed": 0,
        },
    }


RECIPES = {
    "butd_vqa_easy": _recipe(
        "bottom_up_top_down_vqa",
        BOTTOM_UP_TOP_DOWN["scenes"],
        "easy_vqa",
        5,
        attention=True,
    ),
    "butd_vqa_scenes": _recipe(
        "bottom_up_top_down_vqa",
        BOTTOM_UP_TOP_DOWN["scenes"],
        "scenes",
        8,
        attention=True,
    ),
    "sla_vqa_scenes": _recipe(
        "stacked_latent_vqa",
        STACKED_LATENT["scenes"],
        "scenes_two_hop",
        8,
        stack="latent",
        num_layers=2,
    ),
}


def _from_scratch(sizes, **more):
    recipe = _recipe(None, sizes, None, 10, **more)
    del recipe["builder"], recipe["data"], recipe["builder_args"]["input_shape"]
    return {
        **recipe,
        "image": {"multiple": 2 ** len(sizes["filters"])},
        "tokens": {"vocabulary_size": 10_000, "length": None},
    }


FROM_SCRATCH = {
    "bottom_up_top_down_vqa": _from_scratch(
        BOTTOM_UP_TOP_DOWN["scenes"], attention=True
    ),
    "stacked_latent_vqa": _from_scratch(
        STACKED_LATENT["scenes"], stack="latent", num_layers=2
    ),
}
