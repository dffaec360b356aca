"""The smallest matchers: ABCNN and MwAN, and pairs of made-up words."""

import keras
import numpy as np

from tests.numbers import randomize
from zoo.data.pairs import ANSWERS, PairData
from zoo.sentence_matching import abcnn, mwan
from zoo.sentence_matching.task import AnswerSelection, SentenceMatching

LABELS = ["apart", "alike"]
SIDES = (
    ["blick", "dax", "wug", "toma"],
    ["fep", "gorp", "zav", "lim"],
)
TOKENS = {"vocabulary_size": 12, "left_length": 6, "right_length": 4}
MODULES = {"abcnn": abcnn, "mwan": mwan}
ABCNN, MWAN = MODULES


def tiny_pairs(count=32, seed=0):
    """Four to six words of one side, and two or three of the same or not."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    pairs = []
    for label in labels:
        side = generator.integers(2)
        left = generator.choice(SIDES[side], generator.integers(4, 7))
        right = generator.choice(
            SIDES[side if label else 1 - side], generator.integers(2, 4)
        )
        pairs.append((f"{' '.join(left)}.", f"{' '.join(right)}?"))
    return PairData(pairs, labels, list(LABELS), "tiny")


def tiny_questions(count=8, seed=0):
    """Questions of two words with three or four candidates, one of them right.

    The right one holds both words of its question, a wrong one neither.
    """
    generator = np.random.default_rng(seed)
    pairs, labels = [], []
    for number in range(count):
        side = number % 2
        asked = generator.permutation(SIDES[side])[:2]
        size = generator.integers(3, 5)
        right = generator.integers(size)
        for place in range(size):
            words = generator.choice(SIDES[1 - side], 3).tolist()
            if place == right:
                words[1:] = asked
            pairs.append(
                (f"{' '.join(words)}.", f"{number} {' '.join(asked)}?")
            )
            labels.append(int(place == right))
    labels = np.array(labels)
    return PairData(pairs, labels, list(ANSWERS), "tiny", grouped=True)


def tiny_recipe(builder=ABCNN, **builder_args):
    arguments = {**MODULES[builder].PRESETS["tiny"], **builder_args}
    return {
        "builder": builder,
        "builder_args": arguments,
        "tokens": dict(TOKENS),
    }


def tiny_matcher(builder=ABCNN, dtype=None, kind=SentenceMatching, **arguments):
    """A seeded, untrained task."""
    keras.utils.set_random_seed(0)
    recipe = tiny_recipe(builder, **arguments)
    data = tiny_pairs() if kind is SentenceMatching else tiny_questions()
    task = kind.untrained(recipe, *kind.learn(data, recipe), dtype)
    task.card["data"] = {"name": "tiny"}
    return task


def tiny_selector(builder=ABCNN, dtype=None, **arguments):
    """The same, of a task that ranks."""
    return tiny_matcher(builder, dtype, AnswerSelection, **arguments)


def stirred(task):
    """The task with weights of which each counts; idf stays positive."""
    idf = [w for w in task.model.weights if w.path.endswith("idf")]
    kept = [keras.ops.convert_to_numpy(weight) for weight in idf]
    randomize(task.model)
    for weight, values in zip(idf, kept):
        weight.assign(values)
    return task
