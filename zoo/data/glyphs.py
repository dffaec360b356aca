"""Images of one kind of object, told apart by a small glyph; made by rule."""

import colorsys
import functools

import numpy as np

VERSION = "1.0.0"
SIDE = 96

# How many images, and the seed of their draw.
PARTS = {"train": (4000, 0), "test": (1000, 1)}

# The classes, in strokes of one pixel.
GLYPHS = {
    "bar": """
        ....#....
        ....#....
        ....#....
        ....#....
        ....#....
        ....#....
        ....#....
        ....#....
        ....#....
    """,
    "corner": """
        #........
        #........
        #........
        #........
        #........
        #........
        #........
        #........
        #########
    """,
    "cross": """
        ....#....
        ....#....
        ....#....
        ....#....
        #########
        ....#....
        ....#....
        ....#....
        ....#....
    """,
    "ring": """
        ..#####..
        .#.....#.
        #.......#
        #.......#
        #.......#
        #.......#
        #.......#
        .#.....#.
        ..#####..
    """,
    "saltire": """
        #.......#
        .#.....#.
        ..#...#..
        ...#.#...
        ....#....
        ...#.#...
        ..#...#..
        .#.....#.
        #.......#
    """,
    "tee": """
        #########
        ....#....
        ....#....
        ....#....
        ....#....
        ....#....
        ....#....
        ....#....
        ....#....
    """,
    "wedge": """
        #.......#
        #.......#
        .#.....#.
        .#.....#.
        ..#...#..
        ..#...#..
        ...#.#...
        ...#.#...
        ....#....
    """,
    "zed": """
        #########
        .......#.
        ......#..
        .....#...
        ....#....
        ...#.....
        ..#......
        .#.......
        #########
    """,
}
GLYPH_SIDE = 10  # with its shadow
_PATCHES = 7  # of the background, along a side
_NOISE = 10.0  # standard deviation, of 255


def glyphs(count, seed=0, relief=48.0):
    """Draws bird-like bodies that differ in a small embossed glyph alone.

    Each image has a background of random patches and a body with a head, of
    random place, direction, size and hue; classes share all of that. On the
    body, at a random place, is the glyph: light strokes of one pixel with an
    equally dark shadow to the lower right. Averaged over 2 x 2 pixels they
    cancel in part, on even places as a whole, so the class is plain in full
    resolution and harder to see the smaller an image is made.

    Args:
        count: Positive integer. How many images.
        seed: Integer. Seed of the draw. Image `i` depends on the seed and `i`
            alone; its class is `i` modulo 8.
        relief: Float in (0, 127]. By how much strokes are lighter, and shadows
            darker, than the body.

    Returns:
        `(images, labels, truth)`: uint8 array `(count, 96, 96, 3)`; int64 array
        `(count,)`, places in `GLYPHS`; and a dict with `box`, int64 array
        `(count, 4)`, the `(x, y, width, height)` in pixels of the glyph with
        its shadow, 10 x 10.

    Raises:
        ValueError: If an argument is out of range.
    """
    if count < 1 or not 0 < relief <= 127:
        raise ValueError(
            "There must be an image to draw, and `relief` must be in (0, 127], "
            f"of 255. Received: count={count}, relief={relief}"
        )
    images = np.empty((count, SIDE, SIDE, 3), "uint8")
    labels = np.arange(count) % len(GLYPHS)
    boxes = np.full((count, 4), GLYPH_SIDE, "int64")
    for index, label in enumerate(labels):
        generator = np.random.default_rng((seed, index))
        picture, corner = _body(generator)
        x, y = boxes[index, :2] = corner
        there = picture[y : y + GLYPH_SIDE, x : x + GLYPH_SIDE]
        there += relief * _reliefs()[label][..., None]
        noise = generator.standard_normal((SIDE, SIDE, 1), "float32")
        picture += _NOISE * noise
        images[index] = np.clip(picture, 0, 255, out=picture)
    return images, labels.astype("int64"), {"box": boxes}


@functools.cache
def _reliefs():
    """Each glyph: 1 is a stroke, -1 a shadow, -1 + 1 neither."""
    found = []
    for rows in GLYPHS.values():
        strokes = np.array([[c == "#" for c in row] for row in rows.split()])
        relief = np.zeros((GLYPH_SIDE, GLYPH_SIDE))
        relief[:-1, :-1] += strokes
        relief[1:, 1:] -= strokes
        found.append(relief)
    return found


def _body(generator):
    """A picture without its glyph, and the glyph's upper left pixel."""
    coarse = generator.uniform(30, 225, (3, _PATCHES, _PATCHES))
    picture = (_smooth() @ coarse @ _smooth().T).transpose(1, 2, 0)

    long, short = generator.uniform(25, 32), generator.uniform(17, 21)
    angle = generator.uniform(0, 2 * np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    centre = generator.uniform(41, SIDE - 41, 2)  # inside, head too
    hue, lightness = generator.random(), generator.uniform(0.4, 0.6)
    colour = 255 * np.array(colorsys.hls_to_rgb(hue, lightness, 0.5))
    right, down = np.arange(SIDE) - centre[:, None]
    forward = right * along[0] + down[:, None] * along[1]
    sideways = right * across[0] + down[:, None] * across[1]
    body = (forward / long) ** 2 + (sideways / short) ** 2 < 1
    head = (forward - 0.95 * long) ** 2 + sideways**2 < (0.5 * short) ** 2
    shown = body | head
    picture = picture.astype("float32")
    picture[shown] = colour + sideways[shown, None]  # shaded to one side

    # Even in the ellipse in which the glyph lies on the body as a whole.
    radius, turn = generator.random() ** 0.5, generator.uniform(0, 2 * np.pi)
    reach = GLYPH_SIDE / 2**0.5 + 1
    place = centre + radius * (
        (long - reach) * np.cos(turn) * along
        + (short - reach) * np.sin(turn) * across
    )
    corner = np.round(place - (GLYPH_SIDE - 1) / 2).astype("int64")
    return picture, corner


@functools.cache
def _smooth():
    """What each pixel takes of each patch along a side, `(96, 7)`, linear."""
    places = np.linspace(0, _PATCHES - 1, SIDE)[:, None]
    return np.maximum(1 - np.abs(places - np.arange(_PATCHES)), 0)
