"""Digits of half to twice a size, somewhere in an image; with their masks.

scikit-learn's scans of 8 x 8 pixels, enlarged. How large a digit is says
nothing of which it is, so a network must know each at every size.
"""

import numpy as np

from zoo.data.resizing import fit_pixels

VERSION = "1.0.0"
SIDE = 64
LEAST, MOST = 12, 48  # pixels of a digit's side, half and twice 24
INK = 96  # from this gray on, of 255, a pixel is of the digit
NOISE = 40  # gray of the background at most

# How many images, the seed of their draw, and which scans they show.
PARTS = {"train": (3000, 1), "test": (500, 2)}
NAMES = ("background", *map(str, range(10)))


def make(scans, labels, count, seed=0, side=SIDE):
    """Draws images of one to three digits.

    Args:
        scans: uint8 array `(N, 8, 8)`, 0 to 255.
        labels: Integers `(N,)` from 0 to 9, what they show.
        count: Positive integer. How many images.
        seed: Integer of at least 0. Seed of the draw. Image `i` depends on the
            seed, `i`, `side` and the scans alone.
        side: Integer of at least `MOST`. Height and width.

    Returns:
        `(images, masks, heights)`: uint8 `(count, side, side, 1)`; uint8
        `(count, side, side)`, 0 beside the digits, `1 + digit` on one; and
        int64 `(count, side, side)`, the side of the digit that a pixel is of,
        0 beside them.

    Raises:
        ValueError: If there is nothing to draw, or no room.

    Example:

    >>> scans = np.full((1, 8, 8), 255, "uint8")
    >>> images, masks, heights = make(scans, np.array([7]), 2)
    >>> sorted(set(masks.reshape(-1).tolist()))
    [0, 8]
    """
    if count < 1 or seed < 0 or side < MOST or not len(scans):
        raise ValueError(
            "There must be a scan and an image to draw, the seed must not be "
            f"negative, and the side at least {MOST}. Received: "
            f"{len(scans)} scans, count={count}, seed={seed}, side={side}"
        )
    images = np.empty((count, side, side, 1), "uint8")
    masks = np.zeros((count, side, side), "uint8")
    heights = np.zeros((count, side, side), "int64")
    for index in range(count):
        generator = np.random.default_rng((seed, index))
        image = generator.integers(0, NOISE + 1, (side, side)).astype("float32")
        for _ in range(generator.integers(1, 4)):
            # Small and large ones alike: even on a logarithmic scale.
            drawn = np.exp(generator.uniform(np.log(LEAST), np.log(MOST)))
            height = int(round(drawn))
            scan = generator.integers(len(scans))
            row, column = generator.integers(0, side - height + 1, 2)
            there = slice(row, row + height), slice(column, column + height)
            if heights[index][there].any():
                continue  # no room
            digit = fit_pixels(
                scans[scan][None, ..., None], (height, height), 1
            )[0, ..., 0]
            image[there] = np.maximum(image[there], digit)
            ink = digit >= INK
            masks[index][there][ink] = 1 + labels[scan]
            heights[index][there][ink] = height
        images[index, ..., 0] = np.round(image)
    return images, masks, heights
