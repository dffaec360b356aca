"""Pictures of similar objects, one of which differs; made by rule.

Which object is the odd one shows only in comparison with the others: a red
circle is odd among blue ones and ordinary among red ones.
"""

import numpy as np

from zoo.data.scenes import COLOURS, LEAST_SIDE, SHAPES, SIDE, SIZES, paint

VERSION = "1.0.0"

# How many pictures, and the seed of their draw.
PARTS = {"train": (4000, 1), "test": (500, 2)}

LEAST_OBJECTS, MOST_OBJECTS = 4, 5  # the odd one among them

# In what the odd one may differ, which are the columns of `kinds`.
DIFFERENCES = ("size", "colour", "shape")

# In pixels of an image of 64 x 64; they grow with the shorter side.
_SIDES = ((9, 10), (15, 16))  # of a small and of a large object
_GAP = 2  # between two objects
_TRIALS = 64  # places that are drawn at once


def make(count, seed=0, size=(SIDE, SIDE)):
    """Draws pictures of four or five objects, one of which differs.

    The objects are alike in size, colour and shape, but for their shade and a
    pixel of their sides. The odd one differs in one of the three. Every kind of
    object is as often the odd one as any other, so that a look at one object
    alone does not tell it.

    Args:
        count: Positive integer. How many pictures.
        seed: Integer of at least 0. Seed of the draw. Picture `i` depends on
            the seed, `i` and `size` alone.
        size: `(height, width)`, each at least 32.

    Returns:
        `(images, masks, truth)`: uint8 array `(N, H, W, 3)`; uint8 array
        `(N, H, W)`, 1 on the odd one, otherwise 0; and a dict with

        - `differs`, int8 `(N,)`: a place in `DIFFERENCES`;
        - `odd`, int8 `(N,)`: which of the objects is the odd one;
        - `kinds`, int8 `(N, 5, 3)`: places of each object's words in `SIZES`,
          `COLOURS` and `SHAPES` of `zoo.data.scenes`; -1 where there is no
          object;
        - `boxes`, float32 `(N, 5, 4)`: `(x0, y0, x1, y1)` of each object in
          [-1, 1], as in `zoo.data.scenes.Scenes`.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> images, masks, truth = make(3, seed=1)
    >>> images.shape, masks.shape, truth["kinds"].shape
    ((3, 64, 64, 3), (3, 64, 64), (3, 5, 3))
    """
    height, width = size
    if count < 1 or seed < 0 or min(size) < LEAST_SIDE:
        raise ValueError(
            "There must be a picture to draw, the seed must not be negative, "
            f"and the height and width must be at least {LEAST_SIDE}. "
            f"Received: count={count}, seed={seed}, size={size}"
        )
    images = np.empty((count, height, width, 3), "uint8")
    masks = np.zeros((count, height, width), "uint8")
    truth = {
        "differs": np.empty(count, "int8"),
        "odd": np.empty(count, "int8"),
        "kinds": np.full((count, MOST_OBJECTS, 3), -1, "int8"),
        "boxes": np.zeros((count, MOST_OBJECTS, 4), "float32"),
    }
    for index in range(count):
        generator = np.random.default_rng((seed, index))
        kinds, odd, differs = _objects(generator)
        sides = _sides(generator, kinds, size)
        corners = _places(generator, sides, size)
        paint(generator, kinds, corners, sides, images[index], masks[index])
        masks[index] = masks[index] == 1 + odd
        edges = np.concatenate([corners, corners + sides[:, None]], axis=1)
        truth["differs"][index], truth["odd"][index] = differs, odd
        truth["kinds"][index, : len(kinds)] = kinds
        truth["boxes"][index, : len(kinds)] = (
            edges / np.array([width, height] * 2) * 2 - 1
        )
    return images, masks, truth


def _objects(generator):
    """Kinds `(K, 3)`, which of them is odd, and in what."""
    choices = [len(names) for names in (SIZES, COLOURS, SHAPES)]
    count = generator.integers(LEAST_OBJECTS, MOST_OBJECTS, endpoint=True)
    kinds = np.tile(generator.integers(0, choices), (count, 1))
    odd = generator.integers(count)
    differs = generator.integers(len(DIFFERENCES))
    # Any other than that of the rest, each as likely.
    step = generator.integers(1, choices[differs])
    kinds[odd, differs] = (kinds[odd, differs] + step) % choices[differs]
    return kinds, odd, differs


def _sides(generator, kinds, size):
    scale = min(size) / SIDE
    ranges = np.round(scale * np.array(_SIDES)).astype("int64")
    low, high = ranges[kinds[:, 0]].T
    return generator.integers(low, high, endpoint=True)


def _places(generator, sides, size):
    """Corners `(K, 2)`, as x and y, at which objects lie apart."""
    gap = min(size) / SIDE * _GAP
    while True:
        corners = np.empty((0, 2), "int64")
        for side in sides:
            most = [size[1] - side - 1, size[0] - side - 1]
            tried = generator.integers(1, most, (_TRIALS, 2), endpoint=True)
            between = np.abs(
                (tried + side / 2)[:, None]
                - (corners + sides[: len(corners), None] / 2)
            ).max(axis=-1)
            free = between >= (side + sides[: len(corners)]) / 2 + gap
            found = tried[free.all(axis=1)][:1]
            if not len(found):
                break
            corners = np.concatenate([corners, found])
        else:
            return corners
