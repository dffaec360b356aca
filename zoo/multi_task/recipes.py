"""Recipes: how each preset of multi-task is trained, as data."""

from zoo.multi_task.mmoe import PRESETS

_TRAINING = {
    "epochs": 10,
    "batch_size": 256,
    "optimizer": "adamw",
    "learning_rate": 3e-3,
    "schedule": "one_cycle",
    "weight_decay": 5e-3,
    "seed": 0,
}

RECIPES = {
    "mmoe_correlated": {
        "builder": "mmoe",
        "builder_args": {**PRESETS["census"], "dropout": 0.0},
        "data": "correlated_tasks",
        "training": {**_TRAINING, "epochs": 60, "batch_size": 250},
    },
    "mmoe_adult": {
        "builder": "mmoe",
        "builder_args": dict(PRESETS["census"]),
        "data": "adult",
        "training": {**_TRAINING, "epochs": 20},
    },
    "mmoe_census": {
        "builder": "mmoe",
        "builder_args": dict(PRESETS["census"]),
        "data": "census_income_kdd",
        "training": dict(_TRAINING),
    },
}

FROM_SCRATCH = {
    "mmoe": {
        "builder_args": dict(PRESETS["census"]),
        "training": {**_TRAINING, "epochs": 20, "batch_size": 64},
    },
    "shared_bottom": {
        "builder_args": {"dropout": 0.1},
        "training": {**_TRAINING, "epochs": 20, "batch_size": 64},
    },
}
