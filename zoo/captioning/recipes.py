"""Recipes: how each preset of captioning is trained, as data.

`RECIPES` are of images alone, `REGION_RECIPES` of images and boxes on them.
"""

from zoo.captioning.show_attend_tell import PRESETS as SHOW_ATTEND_TELL
from zoo.captioning.up_down_captioner import PRESETS as UP_DOWN

_SCENES = {
    "data": "scenes",
    "words": {"beams": 3},
    "training": {
        "epochs": 16,
        "batch_size": 64,
        "optimizer": "adamw",
        "learning_rate": 2e-3,
        "schedule": "one_cycle",
        "weight_decay": 1e-4,
        "seed": 0,
    },
}


def _show_attend_tell(attention, **more):
    return {
        "builder": "show_attend_tell",
        "builder_args": {
            "input_shape": [64, 64, 3],
            "attention": attention,
            **SHOW_ATTEND_TELL["scenes"],
            **more,
        },
    }


RECIPES = {
    "sat_soft_scenes": {**_SCENES, **_show_attend_tell("soft")},
    # With a weight of 1 (and 128 units) 0.20 of the captions were right after
    # as many epochs, with this 0.65.
    "sat_hard_scenes": {
        **_SCENES,
        **_show_attend_tell("hard", score_weight=0.1),
    },
    "up_down_scenes": {
        **_SCENES,
        "builder": "up_down_captioner",
        "builder_args": {
            "input_shape": [64, 64, 3],
            "attention": True,
            **UP_DOWN["scenes"],
        },
    },
}

REGION_RECIPES = {
    "up_down_regions_scenes": {
        **_SCENES,
        "builder": "up_down_captioner",
        "builder_args": {
            "input_shape": [64, 64, 3],
            "attention": True,
            **UP_DOWN["scenes"],
        },
    },
}
