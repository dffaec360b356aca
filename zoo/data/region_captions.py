"""Images with boxes on them and captions: scenes made by rule, or yours."""

import dataclasses
import hashlib

import numpy as np

from zoo.data import captions, examples, scenes, sources
from zoo.data.boxes import checked_boxes, read_boxes
from zoo.data.captions import CaptionData
from zoo.data.table_source import Table, as_table

# Licence class of the data sets that presets are trained on: A open.
LICENCES = {"scenes": "A"}

COLUMNS = ("image", "boxes", "caption")  # of a table

# Of scenes: boxes that hold no object, at the most, and their sides as shares
# of the image's, like those of objects.
BACKGROUND = 2
_SIDES = 10 / 64, 20 / 64
_TRIALS = 64


@dataclasses.dataclass(repr=False)
class RegionCaptionData(CaptionData):
    """Images, boxes on each, and what people, or a rule, say of each.

    The arguments are those of `zoo.data.captions.CaptionData`, and

    Args:
        boxes: List of float32 arrays `(k, 4)`, one for each image, as
            `zoo.data.boxes.checked_boxes` gives them.
        truth: As there, but only `owners`: which of its boxes each word of an
            image's first caption is about, -1 being none.
    """

    licences = LICENCES

    boxes: list = dataclasses.field(kw_only=True)

    @property
    def raws(self):
        """The raw inputs by name, as `zoo.inputs.several` reads them."""
        return {"image": self.images, "boxes": self.boxes}

    @property
    def fields(self):
        return ("boxes", *super().fields)

    def found(self):
        counts = list(map(len, self.boxes)) or [0]
        return f"{super().found()}; {min(counts)} to {max(counts)} boxes each"

    def sha256(self):
        digest = hashlib.sha256(self.digest_targets())
        for image, boxes in zip(self.images, self.boxes):
            digest.update(hashlib.sha256(self.as_bytes(image)).digest())
            digest.update(hashlib.sha256(boxes.tobytes()).digest())
        return digest.hexdigest()


def load_region_captions(source="scenes", split="train"):
    """Finds images, the boxes on each, and their captions.

    Args:
        source: `"scenes"`, made here by `zoo.data.scenes`, which needs no
            download: the boxes are those of the objects and up to two that hold
            background, in an order drawn at random; a table with the columns
            `image`, `boxes` and `caption`, a file, a folder with one, a
            `zoo.Table` or a frame, as `zoo.data.captions.load_captions` reads
            them, a cell of boxes being what `zoo.data.boxes.read_boxes` takes,
            the same on every line of an image; in a frame it may be what
            `zoo.data.boxes.checked_boxes` takes; three lists,
            `(images, boxes, captions)`,
            or a list of triples, captions being strings or lists of strings; or
            a `RegionCaptionData`, returned as it is.
        split: `"train"` or `"test"`. A set that comes in one part is cut, 80
            to 20, the same way every time.

    Returns:
        `RegionCaptionData`. `"scenes"` has a `truth`.

    Raises:
        ValueError: If nothing of that name is known, a file is malformed, an
            image has no box or one that is none, a caption is empty, or the
            lists do not fit together.
        FileNotFoundError: If there is no such file or folder, or an image is
            not where the table says.
    """
    examples.check_split(split)
    if isinstance(source, RegionCaptionData):
        return source
    if isinstance(source, (tuple, list)):
        return _from_lists(*_three(source))
    if isinstance(source, CaptionData):
        raise ValueError(
            "There must be boxes on each image: give three lists, "
            "(images, boxes, captions). Received: "
            f"{type(source).__name__} {source.name!r}, without boxes"
        )
    table = as_table(source)
    if table is not None:
        return captions.from_table(table, split, LICENCES, _from_table)
    path = sources.place(source, LICENCES)
    if path is not None:
        return captions.from_place(Table(path), split, _from_table)
    if source != "scenes":
        raise ValueError(
            '`data` must be "scenes", a .csv file or a folder with one, whose '
            f"columns are {', '.join(COLUMNS)}, or three lists of those. "
            f"Received: data={str(source)!r}, no such file or folder"
            f"{sources.near(source, LICENCES)}"
        )
    found = scene_region_captions(*scenes.PARTS[split])
    return dataclasses.replace(found, split=split)


def proposals(drawn, seed=0):
    """Boxes as a detector might propose them: objects, and some background.

    Args:
        drawn: `zoo.data.scenes.Scenes`.
        seed: Integer of at least 0. Seed of the draw; what is drawn for a scene
            depends on the seed and its place alone.

    Returns:
        `(boxes, owners)`: a list of float32 arrays `(k, 4)`, the boxes of the
        objects and up to two that touch none, in an order that tells nothing;
        and int8 `(N, words)`, as `Scenes.owners`, but places among those.
    """
    boxes, owners = [], drawn.owners.copy()
    for index, objects in enumerate(drawn.boxes):
        # The scene itself was drawn by the first two.
        generator = np.random.default_rng((seed, index, 1))
        objects = objects[drawn.kinds[index, :, 0] >= 0]
        found = np.concatenate([objects, _background(generator, objects)])
        order = generator.permutation(len(found))
        boxes.append(found[order])
        moved = np.argsort(order)  # where each box has gone
        words = owners[index]
        owners[index] = np.where(words >= 0, moved[words], -1)
    return boxes, owners


def _background(generator, objects):
    """Boxes beside the objects, `(k, 4)`, k being 0 to 2."""
    count = generator.integers(BACKGROUND + 1)
    sides = 2 * generator.uniform(*_SIDES, (_TRIALS, 1))
    corners = -1 + (2 - sides) * generator.uniform(0, 1, (_TRIALS, 2))
    tried = np.concatenate([corners, corners + sides], axis=1)
    apart = (tried[:, None, :2] >= objects[:, 2:]) | (
        tried[:, None, 2:] <= objects[:, :2]
    )
    free = apart.any(axis=2).all(axis=1)
    return tried[free][:count].astype("float32")


def scene_region_captions(count, seed=0):
    """Scenes as `zoo.data.scenes.make` draws them, with boxes and captions.

    Args:
        count: Positive integer. How many scenes.
        seed: Integer of at least 0. Seed of the scenes and of the boxes, which
            are those of `proposals`.

    Returns:
        `RegionCaptionData`, which knows the box that each word is about.
    """
    drawn = scenes.make(count, seed)
    boxes, owners = proposals(drawn, seed)
    return RegionCaptionData(
        drawn.images,
        [[caption] for caption in drawn.captions],
        "scenes",
        f"{count} of seed {seed}",
        scenes.VERSION,
        truth={"owners": owners},
        boxes=boxes,
    )


def _three(source):
    """Three lists: they themselves, or those of a list of triples."""
    triples = (
        isinstance(source, list)
        and source
        and all(isinstance(each, tuple) for each in source)
    )
    for place, each in enumerate(source if triples else ()):
        if len(each) != 3:
            raise ValueError(
                "Each element must be a triple, (image, boxes, caption). "
                f"Received: tuple of {len(each)} at place {place}"
            )
    if triples:
        return tuple(map(list, zip(*source)))
    if len(source) != 3:
        raise ValueError(
            "`data` must be three lists, images, boxes and captions. "
            f"Received: {type(source).__name__} of {len(source)}"
        )
    return source


def _from_lists(pictures, boxes, texts):
    found = captions.load_captions((pictures, texts))
    if not hasattr(boxes, "__len__") or len(boxes) != len(found):
        raise ValueError(
            "There must be boxes on each image. Received: "
            f"{len(found)} images, boxes of {type(boxes).__name__}"
            + (f" of {len(boxes)}" if hasattr(boxes, "__len__") else "")
        )
    checked = []
    for place, each in enumerate(boxes):
        try:
            checked.append(checked_boxes(each))
        except ValueError as error:
            raise ValueError(f"{error} of image {place}") from error
    return RegionCaptionData(found.images, found.captions, boxes=checked)


def _from_table(table):
    pictures, boxes, texts = {}, {}, {}
    rows, told = captions.read_captions(table, COLUMNS)
    for where, image, place, cell, caption in rows:
        try:
            own = checked_boxes(
                read_boxes(cell) if isinstance(cell, str) else cell
            )
        except ValueError as error:
            raise ValueError(f"{error} {where}") from error
        pictures.setdefault(place, image)
        if not np.array_equal(boxes.setdefault(place, own), own):
            raise ValueError(
                "All lines of an image must name the same boxes on it. "
                f"Received: others than above {where}"
            )
        texts.setdefault(place, []).append(caption)
    data = RegionCaptionData(
        list(pictures.values()),
        list(texts.values()),
        boxes=list(boxes.values()),
    )
    return dataclasses.replace(data, **told)
