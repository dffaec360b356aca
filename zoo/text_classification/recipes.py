"""Recipes: how each preset of text classification is trained, as data."""

from zoo.text_classification import (
    hierarchical_attention_network,
    recurrent_classifier,
    transformer_classifier,
)

_IMDB = {
    "data": "imdb_reviews",
    "half": True,
    "training": {
        "epochs": 3,
        "batch_size": 128,
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "schedule": "one_cycle",
        "weight_decay": 5e-3,
        "seed": 0,
    },
}

# A review's verdict tends to stand at its end.
_WORDS = {"vocabulary_size": 10_000, "length": 200, "keep": "last"}
_SENTENCES = {**_WORDS, "length": 20, "sentences": 12}


def _han(pooling):
    return {
        "builder": "hierarchical_attention_network",
        "builder_args": {
            **hierarchical_attention_network.PRESETS["imdb"],
            "pooling": pooling,
        },
        "tokens": _SENTENCES,
    }


def _transformer(pooling):
    return {
        "builder": "transformer_classifier",
        "builder_args": {
            **transformer_classifier.PRESETS["imdb"],
            "pooling": pooling,
        },
        "tokens": _WORDS,
    }


def _recurrent(pooling):
    return {
        "builder": "recurrent_classifier",
        "builder_args": {
            **recurrent_classifier.PRESETS["imdb"],
            "pooling": pooling,
        },
        "tokens": _WORDS,
    }


RECIPES = {
    "han_imdb": {**_han("attention"), **_IMDB},
    "han_average_imdb": {**_han("average"), **_IMDB},
    "transformer_imdb": {**_transformer("attention"), **_IMDB},
    "transformer_average_imdb": {**_transformer("average"), **_IMDB},
    "recurrent_imdb": {**_recurrent("attention"), **_IMDB},
    "recurrent_average_imdb": {**_recurrent("average"), **_IMDB},
}

# What a text's length is is learned from the texts.
_OWN_WORDS = {"vocabulary_size": 10_000, "length": None}
_OWN_TRAINING = {
    "epochs": 10,
    "batch_size": 32,
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "schedule": "one_cycle",
    "weight_decay": 5e-3,
    "seed": 0,
}

FROM_SCRATCH = {
    "advanced_lstm_classifier": {
        "builder_args": {"pooling": "attention", "dropout": 0.5},
        "tokens": _OWN_WORDS,
        "training": _OWN_TRAINING,
    },
    "hierarchical_attention_network": {
        "builder_args": {"pooling": "attention", "dropout": 0.5},
        "tokens": {**_OWN_WORDS, "sentences": None},
        "training": _OWN_TRAINING,
    },
    "recurrent_classifier": {
        "builder_args": {"pooling": "attention", "dropout": 0.5},
        "tokens": _OWN_WORDS,
        "training": _OWN_TRAINING,
    },
    "transformer_classifier": {
        "builder_args": {"pooling": "attention", "dropout": 0.3},
        "tokens": _OWN_WORDS,
        "training": _OWN_TRAINING,
    },
}
