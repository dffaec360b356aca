"""The smallest readers: three networks, and texts that one word tells apart."""

import keras
import numpy as np

from zoo.data.texts import TextData
from zoo.text_classification import (
    advanced_lstm_classifier,
    hierarchical_attention_network,
    recurrent_classifier,
    transformer_classifier,
)
from zoo.text_classification.task import TextClassification

LABELS = ["bad", "good"]
FILLERS = ["lamp", "house", "tree", "river", "stone", "cloud", "spoon", "road"]

# Builder -> its module, and the tokens that it reads.
NETWORKS = {
    "advanced_lstm_classifier": (advanced_lstm_classifier, {"length": 8}),
    "hierarchical_attention_network": (
        hierarchical_attention_network,
        {"length": 4, "sentences": 3},
    ),
    "recurrent_classifier": (recurrent_classifier, {"length": 8}),
    "transformer_classifier": (transformer_classifier, {"length": 8}),
}
_, HAN, RECURRENT, TRANSFORMER = NETWORKS


def tiny_texts(count=32, seed=0):
    """Two or three short sentences; one holds "awful" or "lovely"."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    texts = []
    for label in labels:
        words = generator.choice(FILLERS, 6).tolist()
        words[generator.integers(6)] = ("awful", "lovely")[label]
        texts.append(f"{' '.join(words[:3])}. {' '.join(words[3:])}!")
    return TextData(texts, labels, list(LABELS), "tiny")


def tiny_recipe(builder, pooling="attention"):
    module, tokens = NETWORKS[builder]
    return {
        "builder": builder,
        "builder_args": {**module.PRESETS["tiny"], "pooling": pooling},
        "tokens": {"vocabulary_size": 12, **tokens},
    }


def tiny_reader(builder=TRANSFORMER, pooling="attention", dtype=None):
    """A seeded, untrained task."""
    keras.utils.set_random_seed(0)
    recipe = tiny_recipe(builder, pooling)
    learned = TextClassification.learn(tiny_texts(), recipe)
    task = TextClassification.untrained(recipe, *learned, dtype)
    task.card["data"] = {"name": "tiny"}
    return task
