"""Recipes: how each preset of translation is trained, as data."""

from zoo.translation.long_memory_reader import PRESETS as LONG_MEMORY
from zoo.translation.luong_translator import PRESETS as LUONG
from zoo.translation.pervasive_translator import PRESETS as PERVASIVE
from zoo.translation.rnn_search import PRESETS as RNN_SEARCH
from zoo.translation.transformer_translator import PRESETS as TRANSFORMER

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
    "words": {"vocabulary_size": 300},
    "training": {**_TRAINING, "epochs": 6},
}

_MULTI30K = {
    "data": "multi30k_de_en",
    "half": True,
    "pieces": {"vocabulary_size": 4000, "length": 48},
    "words": {
        "vocabulary_size": 4000,
        "length": 48,
        "beams": 4,
        "length_penalty": 0.6,
    },
    "training": {**_TRAINING, "batch_size": 128, "weight_decay": 1e-2},
}

RECIPES = {
    "rnn_search_dates": {
        "builder": "rnn_search",
        "builder_args": dict(RNN_SEARCH["dates"]),
        **_DATES,
    },
    "rnn_search_multi30k": {
        "builder": "rnn_search",
        "builder_args": dict(RNN_SEARCH["small"]),
        **_MULTI30K,
    },
    "luong_multi30k": {
        "builder": "luong_translator",
        "builder_args": dict(LUONG["small"]),
        **_MULTI30K,
    },
    "transformer_multi30k": {
        "builder": "transformer_translator",
        "builder_args": {
            **TRANSFORMER["small"],
            "tied": "all",
            "normalize_first": True,
        },
        **_MULTI30K,
        "pieces": {**_MULTI30K["pieces"], "shared": True},
        "training": {**_MULTI30K["training"], "learning_rate": 2e-3},
    },
}

_FROM_SCRATCH = {
    "pieces": {"vocabulary_size": 4000},
    "words": {"vocabulary_size": 4000, "beams": 4, "length_penalty": 0.6},
    "training": _TRAINING,
}

FROM_SCRATCH = {
    "long_memory_reader": {
        "builder_args": dict(LONG_MEMORY["copying"]),
        **_FROM_SCRATCH,
    },
    "pervasive_translator": {
        "builder_args": dict(PERVASIVE["small"]),
        **_FROM_SCRATCH,
        "training": {**_TRAINING, "learning_rate": 2e-3},
    },
    "rnn_search": {
        "builder_args": dict(RNN_SEARCH["small"]),
        **_FROM_SCRATCH,
    },
    "luong_translator": {
        "builder_args": dict(LUONG["small"]),
        **_FROM_SCRATCH,
    },
    "transformer_translator": {
        "builder_args": {**TRANSFORMER["small"], "normalize_first": True},
        **_FROM_SCRATCH,
        "training": {**_TRAINING, "learning_rate": 2e-3},
    },
}
