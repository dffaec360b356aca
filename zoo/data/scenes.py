"""Pictures of coloured shapes, captions and questions; made by rule.

Where to look is known for every word of a caption and for every answer about
one object.
"""

import collections
import dataclasses
import functools

import numpy as np

VERSION = "1.0.0"
SIDE = 64
LEAST_SIDE = 32  # of an image; below it a small circle is a square

# How many scenes, and the seed of their draw.
PARTS = {"train": (8000, 1), "test": (1000, 2)}

MOST_OBJECTS = 4
WORDS = 10  # of the longest caption

# The words for what an object is, in the order in which they are spoken.
SIZES = ("small", "large")
COLOURS = {
    "red": (217, 38, 38),
    "green": (38, 166, 51),
    "blue": (46, 77, 230),
    "yellow": (235, 217, 38),
    "purple": (153, 51, 191),
    "white": (242, 242, 242),
}
SHAPES = ("square", "circle", "triangle")
RELATIONS = ("left of", "right of", "above", "below")

# What is asked: of one object, of several, of one beside another.
QUESTIONS = ("colour", "shape", "count", "comparison", "two_hop")

# In pixels of an image of 64 x 64; they grow with the shorter side.
_SIDES = ((10, 12), (18, 20))  # of a small and of a large object
_GAP = 2  # between two objects
_CLEAR = 3  # by how much a relation, or an order, is clearer than the other
_TRIALS = 256  # places that are drawn at once


@dataclasses.dataclass
class Scenes:
    """Pictures, what is on them, and what is said of them.

    Args:
        images: uint8 array `(N, H, W, 3)`.
        boxes: float32 array `(N, 4, 4)`: `(x0, y0, x1, y1)` of each object in
            [-1, 1], x to the right and y downwards, -1 and 1 the image's
            edges; zeros where there is no object.
        kinds: int8 array `(N, 4, 3)`: places of each object's words in
            `SIZES`, `COLOURS` and `SHAPES`; -1 where there is no object.
        masks: uint8 array `(N, H, W)`: 0 is background, `1 + k` object `k`.
        captions: List of strings, one for each image.
        owners: int8 array `(N, WORDS)`: the object that each word of the
            caption is about, words being what spaces part; -1 is none.
    """

    images: np.ndarray
    boxes: np.ndarray
    kinds: np.ndarray
    masks: np.ndarray
    captions: list
    owners: np.ndarray

    def __len__(self):
        return len(self.images)


def make(count, seed=0, size=(SIDE, SIDE)):
    """Draws scenes: two to four objects on a textured background.

    No two objects of a scene are of the same size, colour and shape. They lie
    apart, and of any two it is clear which is left of, right of, above or below
    the other: their centres differ more along one axis than along the other, in
    pixels and in shares of the image's sides alike.

    The caption is about the first two objects, which is a rule that can be
    learned: large ones come before small ones, and of the same size what is
    further left comes first.

    Args:
        count: Positive integer. How many scenes.
        seed: Integer of at least 0. Seed of the draw. Scene `i` depends on the
            seed, `i` and `size` alone.
        size: `(height, width)`, each at least 32, neither more than twice the
            other.

    Returns:
        `Scenes`.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    ```python
    scenes = make(3, seed=1)
    scenes.captions[0]  # e.g. "a large red square above a small blue circle"
    scenes.owners[0]  # e.g. [-1, 0, 0, 0, -1, -1, 1, 1, 1, -1]
    ```
    """
    height, width = size
    if (
        count < 1
        or seed < 0
        or min(size) < LEAST_SIDE
        or max(size) > 2 * min(size)
    ):
        raise ValueError(
            "There must be a scene to draw, the seed must not be negative, and "
            f"the height and width must be at least {LEAST_SIDE} and neither "
            "more than twice the other. "
            f"Received: count={count}, seed={seed}, size={size}"
        )
    scenes = Scenes(
        np.empty((count, height, width, 3), "uint8"),
        np.zeros((count, MOST_OBJECTS, 4), "float32"),
        np.full((count, MOST_OBJECTS, 3), -1, "int8"),
        np.zeros((count, height, width), "uint8"),
        [],
        np.full((count, WORDS), -1, "int8"),
    )
    for index in range(count):
        generator = np.random.default_rng((seed, index))
        kinds, corners, sides = _objects(generator, size)
        ends = corners + sides[:, None]
        edges = np.concatenate([corners, ends], axis=1)
        boxes = edges / np.array([width, height] * 2) * 2 - 1
        scenes.boxes[index, : len(boxes)] = boxes
        scenes.kinds[index, : len(kinds)] = kinds
        paint(
            generator,
            kinds,
            corners,
            sides,
            scenes.images[index],
            scenes.masks[index],
        )
        caption, owners = _caption(kinds, boxes)
        scenes.captions.append(caption)
        scenes.owners[index, : len(owners)] = owners
    return scenes


def questions(scenes, seed=0, per_scene=5, kinds=QUESTIONS):
    """Asks of scenes what has exactly one answer.

    Of one object: `"colour"` and `"shape"`, "what colour is the large square?",
    "what shape is the red one?". Of all: `"count"`, "how many red shapes are
    there?", and `"comparison"`, "are there more circles than squares?". In two
    steps: `"two_hop"`, "what colour is the shape left of the red square?" and
    "what shape is the one above the large circle?". The words for an object fit
    exactly one, and so does the relation to it.

    Kinds take turns, as far as a scene allows; of a kind, the rarest answer so
    far is taken, and of its questions the one that had it least often. So the
    answers of a kind come as evenly as scenes have them, and a question alone
    tells little of its answer.

    Args:
        scenes: `Scenes`.
        seed: Integer of at least 0. Seed of the draw.
        per_scene: Positive integer. How many different questions of each scene;
            fewer where there are no more.
        kinds: Names in `QUESTIONS`, those to ask.

    Returns:
        List of `(scene, question, answer, kind, target)`: the scene's place,
        two strings, a name in `kinds`, and the object that the answer is about;
        -1 for `"count"` and `"comparison"`, which are about all.

    Raises:
        ValueError: If an argument is out of range.
    """
    unknown = sorted(set(kinds) - set(QUESTIONS))
    if seed < 0 or per_scene < 1 or unknown or not kinds:
        raise ValueError(
            "There must be a question to ask, the seed must not be negative, "
            f"and `kinds` takes names among {list(QUESTIONS)}. Received: "
            f"seed={seed}, per_scene={per_scene}, kinds={list(kinds)}"
        )
    generator = np.random.default_rng(seed)
    of_kind, of_answer, of_question = (collections.Counter() for _ in range(3))
    asked = []
    for place in range(len(scenes)):
        there = scenes.kinds[place, :, 0] >= 0
        # Plain numbers: there is little to compute, and much to look up.
        objects = scenes.kinds[place, there].tolist()
        boxes = scenes.boxes[place, there].tolist()
        left = {kind: _ASKED[kind](objects, boxes) for kind in kinds}
        for _ in range(per_scene):
            able = [kind for kind in left if left[kind]]
            if not able:
                break
            kind = min(able, key=of_kind.__getitem__)
            drawn = generator.random(len(left[kind])).tolist()
            _, _, _, which = min(
                (of_answer[kind, answer], of_question[text, answer], draw, at)
                for at, ((text, answer, _), draw) in enumerate(
                    zip(left[kind], drawn)
                )
            )
            text, answer, target = left[kind].pop(which)
            of_kind[kind] += 1
            of_answer[kind, answer] += 1
            of_question[text, answer] += 1
            asked.append((place, text, answer, kind, target))
    return asked


def relation(box, other):
    """How one object lies to another.

    Args:
        box: `(x0, y0, x1, y1)`, of the object that is spoken of.
        other: The same, of the object that it is compared with.

    Returns:
        String in `RELATIONS`: along the axis on which the centres differ more.
    """
    right, down = (
        (box[axis] + box[axis + 2]) - (other[axis] + other[axis + 2])
        for axis in (0, 1)
    )
    if abs(right) > abs(down):
        return "left of" if right < 0 else "right of"
    return "above" if down < 0 else "below"


def _objects(generator, size):
    """Kinds `(K, 3)`, corners `(K, 2)` as x and y, and sides `(K,)`."""
    count = generator.integers(2, MOST_OBJECTS + 1)
    # Of few colours and shapes, so that there is something to count.
    colours, shapes = (
        generator.permutation(most)[
            : generator.integers(least, most, endpoint=True)
        ]
        for least, most in ((2, len(COLOURS)), (1, len(SHAPES)))
    )
    drawn = generator.permutation(len(SIZES) * len(colours) * len(shapes))
    of_size, of_colour, of_shape = np.unravel_index(
        drawn[:count], (len(SIZES), len(colours), len(shapes))
    )
    kinds = np.stack([of_size, colours[of_colour], shapes[of_shape]], axis=1)

    scale = min(size) / SIDE
    low, high = np.round(scale * np.array(_SIDES)).astype("int64")[of_size].T
    sides = generator.integers(low, high, endpoint=True)
    corners = _places(generator, of_size, sides, size)
    order = np.lexsort((2 * corners[:, 0] + sides, -of_size))
    return kinds[order], corners[order], sides[order]


def _places(generator, of_size, sides, size):
    """Corners at which objects lie apart and in clear relations."""
    height, width = size
    scale = min(size) / SIDE
    first, second = _pairs(len(sides))
    apart = (sides[first] + sides[second]) / 2 + scale * _GAP
    alike = of_size[first] == of_size[second]
    most = np.array([width, height]) - sides[:, None] - 1
    while True:
        corners = generator.integers(
            1, most, (_TRIALS, *most.shape), endpoint=True
        )
        centres = corners + sides[:, None] / 2
        between = np.abs(centres[:, first] - centres[:, second])
        across, down = np.moveaxis(between, -1, 0)
        clear = np.abs(across - down) >= scale * _CLEAR
        same = (across > down) == (across * height > down * width)
        ordered = (across >= scale * _CLEAR) | ~alike
        fits = (np.maximum(across, down) >= apart) & clear & same & ordered
        found = np.flatnonzero(fits.all(axis=1))
        if len(found):
            return corners[found[0]]


@functools.cache
def _pairs(count):
    return np.triu_indices(count, 1)


def paint(generator, kinds, corners, sides, image, mask):
    """Draws a background and objects into an image and its mask.

    All in whole numbers and in what every machine computes alike.

    Args:
        generator: `np.random.Generator`. Of the background, shades and noise.
        kinds: Integers `(K, 3)`: places of each object's words in `SIZES`,
            which is not read, `COLOURS` and `SHAPES`.
        corners: Integers `(K, 2)`: x and y of the upper left pixel.
        sides: Integers `(K,)`: height and width in pixels.
        image: uint8 array `(H, W, 3)`, overwritten.
        mask: uint8 array `(H, W)` of zeros; object `k` becomes `1 + k`.
    """
    height, width, _ = image.shape
    base = generator.integers(90, 155) + generator.integers(-20, 21, 3)
    patches = generator.integers(-20, 21, (16, 16, 1), "int16")
    patches = patches + generator.integers(-8, 9, (16, 16, 3), "int16")
    rows, columns = (np.arange(side) * 16 // side for side in (height, width))
    picture = patches[rows][:, columns] + base.astype("int16")
    # Stripes: a triangular wave in any direction.
    along = generator.uniform(-0.3, 0.3, 2)
    wave = along[0] * np.arange(width) + along[1] * np.arange(height)[:, None]
    wave = np.abs((wave + generator.uniform(0, 2)) % 2 - 1) - 0.5
    picture += np.rint(wave * generator.integers(0, 60)).astype("int16")[
        ..., None
    ]

    palette = _palette()
    for index, ((_, colour, shape), (x, y), side) in enumerate(
        zip(kinds, corners, sides)
    ):
        there = slice(y, y + side), slice(x, x + side)
        stencil = _stencil(shape, side)
        shade = generator.integers(-12, 13, 3)
        picture[there][stencil] = palette[colour] + shade
        mask[there][stencil] = 1 + index
    picture += generator.integers(-12, 13, picture.shape, "int8")
    image[:] = np.clip(picture, 0, 255, out=picture)


@functools.cache
def _palette():
    return np.array(list(COLOURS.values()), "int16")


@functools.cache
def _stencil(shape, side):
    """Which pixels of a square are those of a shape, which fills it."""
    across = np.abs(np.arange(side) - (side - 1) / 2)
    if SHAPES[shape] == "circle":
        return across**2 + across[:, None] ** 2 <= side**2 / 4
    if SHAPES[shape] == "triangle":  # its tip above
        return across <= np.arange(1, side + 1)[:, None] / 2
    return np.ones((side, side), bool)


def _name(kind):
    """An object's words, of size, colour and shape."""
    size, colour, shape = kind
    return SIZES[size], tuple(COLOURS)[colour], SHAPES[shape]


def _caption(kinds, boxes):
    """What is said of the first two objects, and of which each word is."""
    words, owners = ["a", *_name(kinds[0])], [-1, 0, 0, 0]
    between = [*relation(boxes[0], boxes[1]).split(), "a"]
    words += [*between, *_name(kinds[1])]
    owners += [-1] * len(between) + [1, 1, 1]
    return " ".join(words), owners


def _said(kind):
    """All words for an object: any of its size, colour and shape, one at least.

    Strings, from what they say: which of the three.
    """
    size, colour, shape = _name(kind)
    return {
        (by_size, by_colour, by_shape): " ".join(
            [size] * by_size
            + [colour] * by_colour
            + [shape if by_shape else "shape"]
        )
        for by_size in (0, 1)
        for by_colour in (0, 1)
        for by_shape in (0, 1)
        if by_size or by_colour or by_shape
    }


def _named(objects):
    """The words that fit one object only: `(what they say, words, place)`."""
    said = [_said(kind) for kind in objects]
    fits = collections.Counter(
        words for each in said for words in each.values()
    )
    return [
        (what, words, place)
        for place, each in enumerate(said)
        for what, words in each.items()
        if fits[words] == 1
    ]


def _of_colour(objects, boxes):
    return [
        (f"what colour is the {words}?", _name(objects[place])[1], place)
        for (_, by_colour, _), words, place in _named(objects)
        if not by_colour
    ]


def _of_shape(objects, boxes):
    return [
        (
            f"what shape is the {words.removesuffix('shape')}one?",
            _name(objects[place])[2],
            place,
        )
        for (_, _, by_shape), words, place in _named(objects)
        if not by_shape
    ]


def _of_count(objects, boxes):
    names = [_name(kind) for kind in objects]
    asked = []
    for part, words in enumerate((SIZES, COLOURS, SHAPES)):
        found = collections.Counter(name[part] for name in names)
        for word in words:
            noun = f"{word}s" if part == 2 else f"{word} shapes"
            asked.append((f"how many {noun} are there?", str(found[word]), -1))
    return asked


def _of_comparison(objects, boxes):
    names = [_name(kind) for kind in objects]
    asked = []
    for part, words in ((1, COLOURS), (2, SHAPES)):
        found = collections.Counter(name[part] for name in names)
        end = "s" if part == 2 else " shapes"
        for one in words:
            for other in words:
                # Of two that are both absent nobody would ask.
                if one != other and (found[one] or found[other]):
                    more = "yes" if found[one] > found[other] else "no"
                    text = f"are there more {one}{end} than {other}{end}?"
                    asked.append((text, more, -1))
    return asked


def _of_two_hops(objects, boxes):
    beside = collections.defaultdict(list)
    for one, box in enumerate(boxes):
        for other, base in enumerate(boxes):
            if one != other:
                beside[other, relation(box, base)].append(one)
    asked = []
    for _, words, place in _named(objects):
        for where in RELATIONS:
            if len(beside[place, where]) == 1:
                (target,) = beside[place, where]
                _, colour, shape = _name(objects[target])
                rest = f"{where} the {words}?"
                asked += [
                    (f"what colour is the shape {rest}", colour, target),
                    (f"what shape is the one {rest}", shape, target),
                ]
    return asked


_ASKED = dict(
    zip(
        QUESTIONS,
        (_of_colour, _of_shape, _of_count, _of_comparison, _of_two_hops),
    )
)
