"""Recipes: how each preset of sentence matching is trained, as data."""

from zoo.sentence_matching import abcnn, mwan

# The paper's word2vec is fixed too; ours is counted in text of Wikipedia.
_VECTORS = {"learned_from": ["squad"]}

_WIKIQA = {
    "data": "wikiqa",
    "half": True,
    "tokens": {
        # With the ids of unknown words, one for each place, 10,000.
        "vocabulary_size": 9_936,
        "left_length": 40,
        "right_length": 24,
    },
    "vectors": _VECTORS,
    "training": {
        "epochs": 6,
        "batch_size": 64,
        "optimizer": "adamw",
        "learning_rate": 1e-2,
        "schedule": "one_cycle",
        "weight_decay": 5e-3,
        "seed": 0,
    },
}

_SICK = {
    "data": "sick",
    "tokens": {
        "vocabulary_size": 10_000,
        "left_length": 32,
        "right_length": 32,
    },
    "vectors": _VECTORS,
    "training": {
        "epochs": 10,
        "batch_size": 64,
        "optimizer": "adamw",
        "learning_rate": 5e-3,
        "schedule": "one_cycle",
        "weight_decay": 5e-3,
        "seed": 0,
    },
}


def _abcnn(variant, overlap_features=True):
    return {
        "builder": "abcnn",
        "builder_args": {
            **abcnn.PRESETS["wikiqa"],
            "variant": variant,
            "overlap_features": overlap_features,
        },
    }


def _mwan(ways):
    return {
        "builder": "mwan",
        "builder_args": {**mwan.PRESETS["sick"], "ways": list(ways)},
    }


ANSWER_SELECTION = {"abcnn3_wikiqa": {**_abcnn(3), **_WIKIQA}}
SENTENCE_MATCHING = {"mwan_sick": {**_mwan(mwan.WAYS), **_SICK}}

# Word vectors begin at random, or with those of a user's file.
_OWN = {
    "tokens": {
        "vocabulary_size": 10_000,
        "left_length": None,
        "right_length": None,
    },
    "vectors": None,
}

MATCHING_FROM_SCRATCH = {
    "abcnn": {
        **_OWN,
        "builder_args": {
            **abcnn.PRESETS["wikiqa"],
            "train_embedding": True,
            "variant": 3,
            "overlap_features": True,
        },
        "training": _WIKIQA["training"],
    },
    "mwan": {
        **_OWN,
        "builder_args": {**mwan.PRESETS["sick"], "train_embedding": True},
        "training": _SICK["training"],
    },
}
