"""The smallest translation: words of the other language, one for one."""

import keras
import numpy as np

from zoo.data.translations import TranslationData
from zoo.translation.rnn_search import PRESETS
from zoo.translation.task import Translation

WORDS = {"rot": "red", "blau": "blue", "Hund": "dog", "Haus": "house"}


def tiny_translations(count=24, seed=0):
    """Two words, or three, and where each letter of the answer comes from."""
    generator = np.random.default_rng(seed)
    texts, said = [], []
    spans = np.full((count, 24, 2), -1)
    for row in range(count):
        words = generator.choice(list(WORDS), 2 + row % 2)
        texts.append(" ".join(words))
        said.append([" ".join(WORDS[word] for word in words)])
        read = answered = 0
        for word in words:
            to = answered + len(WORDS[word])
            spans[row, answered:to] = read, read + len(word)
            read, answered = read + len(word) + 1, to + 1
    return TranslationData(texts, said, "tiny", truth={"spans": spans})


def tiny_recipe(builder="rnn_search", presets=PRESETS, **options):
    return {
        "builder": builder,
        "builder_args": {**presets["tiny"], **options},
        "pieces": {"vocabulary_size": 300},
        "words": {"vocabulary_size": 290, "beams": 2},
        "training": {
            "epochs": 6,
            "batch_size": 8,
            "optimizer": "adamw",
            "learning_rate": 0.01,
            "schedule": "one_cycle",
            "weight_decay": 0.0,
            "seed": 0,
        },
    }


def untrained(data=None, **options):
    keras.utils.set_random_seed(0)
    data, recipe = data or tiny_translations(), tiny_recipe(**options)
    task = Translation.untrained(recipe, *Translation.learn(data, recipe))
    task.card["data"] = {"name": "tiny"}
    return task, recipe
