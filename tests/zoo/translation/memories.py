"""Small texts, ids and memories for the tests of translators."""

import numpy as np

SOURCE, TARGET = 9, 5  # words of both languages, the special ones included
DEPTH = 4
SOURCE_IDS = np.array([[3, 4, 5, 6], [7, 3, 0, 0], [8, 0, 0, 0]], "int32")
TARGET_IDS = np.array([[1, 3, 4, 4], [1, 4, 2, 0], [1, 0, 0, 0]], "int32")


def memory(shapes, filled=0.0, rows=3, seed=0):
    """A memory of four, two and one words; other values where there is none.

    Args:
        shapes: Dict from name to the width of a tensor, with `"values"` in the
            names of those that have one vector for each word.
        filled: Float. What stands behind the words.
        rows: Integer of at most 3.
        seed: Integer.

    Returns:
        Dict of arrays, `mask` among them.
    """
    generator = np.random.default_rng(seed)
    mask = SOURCE_IDS != 0
    made = {"mask": mask}
    for name, width in shapes.items():
        shape = (3, 4, width) if "values" in name else (3, width)
        made[name] = generator.normal(size=shape).astype("float32")
        if "values" in name:
            made[name][~mask] = filled
    return {name: x[:rows] for name, x in made.items()}


def shapes_of(memory):
    return {name: (None, *x.shape[1:]) for name, x in memory.items()}
