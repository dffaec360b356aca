"""Recipes: how each preset of translation is trained, as data."""

from zoo.translation.rnn_search import PRESETS as RNN_SEARCH

_TRAINING = {
    "epochs": 10,
    "batch_size": 64,
    "optimizer": "adamw",
    "learning_rate": 3e-3,
    "schedule": "one_cycle",
    "weight_decay": 1e-3,
    "seed": 0,
}

_DATES = {
    "data": "dates",
    "pieces": {"vocabulary_size": 400},
    "words": {"vocabulary_size": 300, "beams": 1},
    "training": {**_TRAINING, "epochs": 4},
}

RECIPES = {
    "rnn_search_dates": {
        "builder": "rnn_search",
        "builder_args": dict(RNN_SEARCH["dates"]),
        **_DATES,
    },
}

_FROM_SCRATCH = {
    "pieces": {"vocabulary_size": 4000},
    "words": {"vocabulary_size": 4000, "beams": 4, "length_penalty": 0.6},
    "training": _TRAINING,
}

FROM_SCRATCH = {
    "rnn_search": {
        "builder_args": dict(RNN_SEARCH["small"]),
        **_FROM_SCRATCH,
    },
}
