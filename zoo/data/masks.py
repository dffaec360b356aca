"""Images with a class for each pixel: made by rule, public, folders, lists.

A mask's value is a place in the names of the classes; 255 is not labelled, and
counts nowhere.
"""

import collections
import concurrent.futures
import dataclasses
import hashlib
import os
import pathlib
import warnings

import numpy as np

from zoo.data import (
    examples,
    folders,
    images,
    labelled,
    odd_one_out,
    scaled_digits,
    scenes,
    sources,
)
from zoo.data.mask_files import (
    UNLABELLED,
    RawMask,
    classes_seen,
    image_size,
    look_at,
    read_mask,
    rule,
)
from zoo.data.table_source import as_table

# Licence class of the data sets that presets are trained on: A open,
# B non-commercial or research terms, C none stated.
LICENCES = {
    "odd_one_out": "A",
    "oxford_iiit_pet": "A",
    "scaled_digits": "A",
    "scene_shapes": "A",
    "weizmann_horse": "C",
}
PUBLIC = ("oxford_iiit_pet", "weizmann_horse")

# How the two folders are usually called, in any case.
IMAGES = tuple(
    "images image imgs img jpegimages photos pictures rgb inputs".split()
)
MASKS = tuple(
    "masks mask labels label annotations annotation segmentationclass "
    "segmentations segmentation ground_truth groundtruth gt figure_ground "
    "targets".split()
)
CLASSES = "classes.txt"  # a name a line, beside the folders or among the masks

MOST_COUNTED = 2**26  # pixels of masks that are counted to describe them
SOME = 100  # masks that are counted where all are more


@dataclasses.dataclass(repr=False)
class MaskData(examples.Examples):
    """Images and the class of each of their pixels.

    Args:
        images: Array `(N, H, W, C)` of 0 to 255, or a list of anything that
            `zoo.data.images.read_image` takes, sizes mixed.
        masks: uint8 array `(N, H, W)`, or a list of uint8 arrays `(H, W)` and
            of what `read_mask` takes, each of the size of its image: places in
            `label_names`, and 255 where the class is not known.
        label_names: List of strings, 255 at most.
        name: String. What the data is called.
        split: String. Which part of it this is.
        version: String or `None`. The data set's own version.
        place: String or `None`. Where the data were read from.
        skipped: Tuple of strings. Files that are no examples, and why.
        truth: Dict of arrays `(N, ...)` or `None`. What is known of each image
            beside its mask; nothing learns from it.
    """

    licences = LICENCES
    how_cut = "at random"

    images: object
    masks: object
    label_names: list
    name: str = "masks"
    split: str = "all"
    version: str | None = None
    place: str | None = None
    skipped: tuple = ()
    truth: dict | None = None

    as_bytes = staticmethod(images.ImageData.as_bytes)

    @property
    def fields(self):
        known = () if self.truth is None else ("truth",)
        return ("images", "masks", *known)

    @property
    def strata(self):
        return None

    def __len__(self):
        return len(self.masks)

    def found(self):
        if not len(self):
            return f"{self.name}, {self.split}: no images" + self.beside()
        some = self._some()
        counts = np.zeros(UNLABELLED + 1, "int64")
        for mask in read_masks(some):
            counts += np.bincount(mask.reshape(-1), minlength=len(counts))
        unknown, known = counts[UNLABELLED], counts[:UNLABELLED].sum()
        shown = [
            f"{name} {100 * count / max(known, 1):.1f} %"
            for name, count in zip(self.label_names[:20], counts)
        ]
        if len(self.label_names) > 20:
            shown.append("...")
        words = (
            f"{self.name}, {self.split}: {len(self):,} images of "
            f"{len(self.label_names)} classes ({', '.join(shown)}"
        )
        if unknown:
            share = 100 * unknown / (known + unknown)
            words += f"; {share:.1f} % of pixels not labelled"
        if len(some) < len(self):
            words += f"; of {len(some)} masks"
        return words + ")" + self.beside()

    def _some(self):
        """The data, or as many as are counted where that would take long."""
        if isinstance(self.masks, np.ndarray):
            few = self.masks.size <= MOST_COUNTED
        else:
            few = len(self) <= SOME
        return (
            self if few else self.take(slice(None, None, -(-len(self) // SOME)))
        )

    def digest_targets(self):
        digests = [
            hashlib.sha256(
                np.array(mask.shape, "int64").tobytes() + mask.tobytes()
            ).digest()
            for mask in read_masks(self)
        ]
        return b"".join(digests)


def load_masks(source="scene_shapes", split="train"):
    """Finds images and the class of each of their pixels.

    Args:
        source: `"scene_shapes"`, whose classes are the background and the
            shapes of the objects in `zoo.data.scenes`; `"odd_one_out"`, made by
            `zoo.data.odd_one_out`; or `"scaled_digits"`, scikit-learn's digits
            of many sizes, by `zoo.data.scaled_digits`; these need no download;
            `"weizmann_horse"`, whose files are downloaded by hand;
            `"oxford_iiit_pet"`, if tensorflow-datasets has prepared it, whose
            classes are `background`, `pet` and `border`, the pixels between
            them that upstream left open; a folder with two folders, `images/`
            and `masks/` (or another usual name, in `IMAGES` and `MASKS`), or
            with `train/` and `test/` (or `validation/`) which hold those, or
            two folders with such parts in each; two folders, a pair of paths or
            one string with a comma between them; a pair `(images, masks)` of
            arrays or lists, or two of them, to learn from and to measure on; a
            list of pairs `(image, mask)`; or a `MaskData`, returned as it is.
            How a name is told from a place says `zoo.data.sources.place`.

            In folders, a mask has the name of its image; their endings may
            differ. What files hold says `zoo.data.mask_files.rule`, which looks
            at all masks of the set, those of other parts too: class ids, gray
            or with a palette, 255 being not labelled; 0 and 255, two classes; a
            colour for each class. Names of the classes are read from a file
            `classes.txt`, a name a line, if there is one beside the folders or
            among the masks. Arrays are read by the same rule.
        split: `"train"` or `"test"`. A set that comes in one part is cut, 80
            to 20, the same way every time.

    Returns:
        `MaskData`. In folders, images without a mask and masks without an image
        are left out and listed as `skipped`. Masks in files are decoded when
        they are read. `"odd_one_out"` has a `truth`. Public sets stay encoded,
        and take the memory that their files do.

    Raises:
        ValueError: If nothing of that name is known; there is no image with a
            mask; a mask is not of the size of its image, as that is seen; a
            value is of no class; it is not clear what values mean; or all
            pixels are of one class.
        FileNotFoundError: If there is no such file or folder, a file is not
            where it should be after a download by hand, or a public set is not
            prepared.

    Example:

    >>> images = np.zeros((2, 4, 6, 3), "uint8")
    >>> masks = np.zeros((2, 4, 6), "uint8")
    >>> masks[:, 1:3, 2:4] = 255
    >>> load_masks((images, masks)).found()
    'masks, all: 2 images of 2 classes (background 83.3 %, object 16.7 %)'
    """
    examples.check_split(split)
    if isinstance(source, MaskData):
        return source
    if as_table(source) is not None:
        raise ValueError(
            "Masks are not read from tables, and take no `columns`, "
            "`delimiter` or `encoding`: make two folders, images/ and masks/, "
            f"or two lists. Received: data of type {type(source).__name__}"
        )
    if two := _two_folders(source):
        return _from_two_folders(*two, split)
    if pairs := _two_pairs(source):
        return _from_two_pairs(*pairs, split)
    if isinstance(source, list) and labelled.is_stream(source):
        source = _two_lists(source)
    if isinstance(source, (tuple, list)):
        return _from_lists(_parts_of_lists(_check_pair(source)), split)
    if labelled.is_stream(source):
        raise ValueError(
            "Images with masks are not read from streams: make two arrays or "
            f"lists, (images, masks). Received: {type(source).__name__}"
        )
    path = sources.place(source, LICENCES)
    if path is None:
        return _known(source, split)
    return _from_place(path, split)


def read_masks(data):
    """The masks of `MaskData`, decoded, in their order.

    Args:
        data: `MaskData`.

    Yields:
        uint8 array `(H, W)` for each.

    Raises:
        ValueError: As `read_mask`.
        FileNotFoundError: As there.
    """
    if isinstance(data.masks, np.ndarray) or len(data.masks) == 1:
        yield from map(read_mask, data.masks)
        return
    with concurrent.futures.ThreadPoolExecutor(images.READERS) as pool:
        ahead = collections.deque()
        for mask in data.masks:
            ahead.append(pool.submit(read_mask, mask))
            if len(ahead) > images.READERS:
                yield ahead.popleft().result()
        for each in ahead:
            yield each.result()


def palette(count):
    """Colours that tell classes apart, those of PASCAL VOC.

    The bits of a class go in turn to red, green and blue, from the highest bit
    of a colour down. The first is black, for the background.

    Args:
        count: Integer from 1 to 256.

    Returns:
        uint8 array `(count, 3)`.

    Raises:
        ValueError: If `count` is out of range.

    Example:

    >>> palette(4).tolist()
    [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    """
    if not 1 <= count <= 256:
        raise ValueError(
            "A palette must have 1 to 256 colours, as a byte tells apart. "
            f"Received: count={count}"
        )
    classes = np.arange(count)[:, None]
    channels = np.arange(3)
    colours = np.zeros((count, 3), "int64")
    for bit in range(3):
        colours |= (classes >> (3 * bit + channels) & 1) << (7 - bit)
    return colours.astype("uint8")


def scene_shapes(count, seed=0, size=(scenes.SIDE, scenes.SIDE)):
    """Scenes as `zoo.data.scenes.make` draws them, and the shape at each pixel.

    Args:
        count: Positive integer. How many scenes.
        seed: Integer of at least 0. Seed of the draw.
        size: `(height, width)`, as there.

    Returns:
        `MaskData` of the classes `background`, `square`, `circle` and
        `triangle`.
    """
    drawn = scenes.make(count, seed, size)
    # Of each scene: the class of the background, and of each object.
    classes = np.zeros((count, 1 + scenes.MOST_OBJECTS), "uint8")
    classes[:, 1:] = 1 + drawn.kinds[..., 2]
    masks = classes[np.arange(count)[:, None, None], drawn.masks]
    return MaskData(
        drawn.images,
        masks,
        ["background", *scenes.SHAPES],
        "scene_shapes",
        f"{count} of seed {seed}",
        scenes.VERSION,
    )


def odd_objects(count, seed=0, size=(scenes.SIDE, scenes.SIDE)):
    """Pictures as `zoo.data.odd_one_out.make` draws them, the odd one masked.

    Args:
        count: Positive integer. How many pictures.
        seed: Integer of at least 0. Seed of the draw.
        size: `(height, width)`, as there.

    Returns:
        `MaskData` of the classes `background`, which the ordinary objects are
        part of, and `object`, with a `truth`.
    """
    pictures, masks, truth = odd_one_out.make(count, seed, size)
    return MaskData(
        pictures,
        masks,
        ["background", "object"],
        "odd_one_out",
        f"{count} of seed {seed}",
        odd_one_out.VERSION,
        truth=truth,
    )


# In memory.


def _two_lists(pairs):
    """A list of `(image, mask)` as a pair of lists."""
    for place, each in enumerate(pairs):
        if len(each) != 2:
            raise ValueError(
                "Each element must be a pair, (image, mask). "
                f"Received: tuple of {len(each)} at place {place}"
            )
    return tuple(map(list, zip(*pairs)))


def _check_pair(source):
    if len(source) != 2:
        raise ValueError(
            "`data` must be two, images and masks. "
            f"Received: {type(source).__name__} of {len(source)}"
        )
    return source


def _parts_of_lists(source):
    """The pairs of images and masks: one, or two to learn and to measure."""

    def is_pair(part):
        return (
            isinstance(part, tuple)
            and len(part) == 2
            and all(isinstance(x, list) or np.ndim(x) > 2 for x in part)
        )

    if isinstance(source, tuple) and all(map(is_pair, source)):
        return list(source)
    return [source]


def _as_listed(given):
    """An array of numbers, or a list of what is not one array."""
    if isinstance(given, tuple):
        return list(given)
    if isinstance(given, list):
        return given
    if hasattr(given, "__array__") and not isinstance(given, np.generic):
        given = images.as_array(given)
        return given.tolist() if given.dtype.kind in "OSU" else given
    raise ValueError(
        "`data` must be two arrays or lists, of images and of masks. "
        f"Received: {type(given).__name__}"
    )


def _from_lists(parts, split):
    """A part of the data that are in memory, or listed there."""
    parts = [_checked_lists(*map(_as_listed, part)) for part in parts]
    wanted = 0 if split == "train" or len(parts) == 1 else 1
    seen = [_look(*part) for part in parts]
    values, names = rule(sum(seen, []))
    _check_classes(seen[wanted], values, names, split)
    pictures, masks = parts[wanted]
    if isinstance(masks, np.ndarray):
        masks = np.stack([read_mask(each, values) for each in masks])
    else:
        masks = [_kept(each, values) for each in masks]
    data = MaskData(pictures, masks, names)
    return data if len(parts) == 1 else dataclasses.replace(data, split=split)


def _checked_lists(pictures, masks):
    if isinstance(pictures, np.ndarray):
        if pictures.ndim == 3:
            pictures = pictures[..., None]  # gray, as masks have no channels
        images.check_batch(pictures)
    if isinstance(masks, np.ndarray) and (
        masks.ndim not in (3, 4) or masks.ndim == 4 and masks.shape[-1] != 1
    ):
        raise ValueError(
            "Masks in one array must be (N, H, W), a class for each pixel; "
            "where they have a channel for each class, take "
            f"`argmax(axis=-1)`. Received: shape={masks.shape}"
        )
    if isinstance(masks, list):  # of other data, perhaps
        masks = [
            x if not isinstance(x, RawMask) else read_mask(x) for x in masks
        ]
    if not len(pictures) or len(pictures) != len(masks):
        raise ValueError(
            "There must be an image, and a mask for each. "
            f"Received: {len(pictures)} images, {len(masks)} masks"
        )
    return pictures, masks


def _look(pictures, masks):
    """What is seen of masks that have the sizes of their images."""
    seen = look_at(masks)
    if isinstance(pictures, np.ndarray):
        sizes = [pictures.shape[1:3]] * len(pictures)
    else:
        with concurrent.futures.ThreadPoolExecutor(images.READERS) as pool:
            sizes = list(pool.map(_size, pictures, range(len(pictures))))
    for place, (picture, size, each) in enumerate(zip(pictures, sizes, seen)):
        if tuple(size) != tuple(each.size):
            what = (
                picture
                if isinstance(picture, (str, os.PathLike))
                else f"the image at place {place}"
            )
            raise ValueError(
                "A mask must have the size of its image, as that is seen: "
                "turned, where a camera noted so. Received, height x width: "
                f"{size[0]} x {size[1]} of {what}, "
                f"{each.size[0]} x {each.size[1]} of {each.where}"
            )
    return seen


def _size(picture, place):
    try:
        return image_size(picture)
    except ValueError as error:
        raise ValueError(f"{error} at place {place}") from error


def _check_classes(seen, values, names, split):
    """Refuses masks in which there are no classes to tell apart."""
    used = classes_seen(seen, values)
    if len(names) < 2 or split == "train" and len(used) < 2 or not used:
        shown = ", ".join(names[each] for each in sorted(used)) or "none"
        raise ValueError(
            "Masks must have two classes to tell apart, one of which may be "
            f"the background. Received: {len(seen)} masks, in all of which "
            f"the only class is: {shown}"
        )


def _kept(mask, values):
    """A mask as data keep it: as a file is, or an array of classes."""
    if isinstance(mask, (str, os.PathLike, bytes)):
        return RawMask(mask, values)
    return read_mask(mask, values)


# In folders.


def _two_folders(source):
    """The paths of two folders, `False` if it is no two."""
    if isinstance(source, str):  # as a shell gives them
        # A shell expands the first `~` alone.
        two = tuple(map(os.path.expanduser, source.split(",")))
        return len(two) == 2 and all(map(os.path.isdir, two)) and two
    return (
        isinstance(source, (tuple, list))
        and len(source) == 2
        and all(isinstance(each, (str, os.PathLike)) for each in source)
        and tuple(map(os.path.expanduser, source))
    )


def _two_pairs(source):
    """Two pairs of folders that are there, `False` if it is none."""
    if not isinstance(source, tuple) or len(source) != 2:
        return False
    pairs = list(map(_two_folders, source))
    return all(x and all(map(os.path.isdir, x)) for x in pairs) and pairs


def _from_two_folders(pictures, masks, split):
    paths = _checked_folders(pictures, masks)
    found = _of_pair(*paths, paths[0].name, split)
    return dataclasses.replace(found, place=_shown(paths))


def _from_two_pairs(train, test, split):
    """Of two pairs of folders, to learn from and to measure on.

    They have no one place: by that of the second alone a card would say of
    all of it that it is to be cut.
    """
    pairs = [_checked_folders(*train), _checked_folders(*test)]
    parts = dict(zip(("train", "test"), pairs))
    return _of_parts(parts, [], pairs[0][0].name, split)


def _shown(paths):
    return ",".join(map(sources.shown, paths))


def _checked_folders(*paths):
    paths = [pathlib.Path(each) for each in paths]
    for path in paths:
        if not path.is_dir():
            raise FileNotFoundError(
                "Images and masks must be in two folders that are there. "
                f"Received: {str(path)!r}, no such folder"
            )
    if paths[0].resolve() == paths[1].resolve():
        raise ValueError(
            "Images and masks must be in two folders, as a mask has the name "
            f"of its image. Received: {paths[0]} for both"
        )
    return tuple(paths)


def _from_place(path, split):
    """A part of the data in a folder that holds the two folders, or parts."""
    if not path.is_dir():
        raise ValueError(
            "A place of masks must be a folder with two folders, `images/` and "
            f"`masks/`. Received: the file {path}"
        )
    own = _pair_in(path)
    parts = {
        kind: pair
        for kind, part in _parts_in(path).items()
        if (pair := _pair_in(part))
    }
    if own and parts:
        raise ValueError(
            "A folder must either hold `images/` and `masks/` or be cut into "
            "parts that hold both; it is not clear which to read. Received: "
            f"{own[0]} beside {next(iter(parts.values()))[0].parent}"
        )
    if own:
        found = _of_pair(*own, path.name, split)
    elif parts:
        found = _of_parts(parts, [path], path.name, split)
    else:
        names = [each.name for each in _folders_in(path)]
        raise ValueError(
            "A folder of masks must hold two folders, `images/` and `masks/`, "
            "or `train/` and `test/` (or `validation/`) that hold both. "
            f"Received: {path} with the folders {names}"
        )
    return dataclasses.replace(found, place=sources.shown(path))


def _folders_in(path):
    children = filter(folders.visible, sorted(path.iterdir()))
    return [child for child in children if child.is_dir()]


def _pair_in(path):
    """The folders of images and of masks in a folder, `None` if it has none."""
    pair = []
    for what, names in (("images", IMAGES), ("masks", MASKS)):
        found = [x for x in _folders_in(path) if x.name.lower() in names]
        if len(found) > 1:  # others may be there, of XML or of polygons
            found = [each for each in found if _files(each)] or found[:1]
        if len(found) > 1:
            raise ValueError(
                f"A folder must hold one folder of {what}; give the two "
                "folders to read as a pair of paths. "
                f"Received: {[each.name for each in found]} in {path}"
            )
        pair += found
    return tuple(pair) if len(pair) == 2 else None


def _parts_in(path):
    """The parts of a folder that is cut, a dict from `train` and so on."""
    parts = {}
    for child in _folders_in(path):
        for kind, names in folders.PARTS.items():
            if child.name.lower() not in names:
                continue
            if kind in parts:
                raise ValueError(
                    f"A folder must hold the part `{kind}` once. Received: "
                    f"{[parts[kind].name, child.name]} in {path}"
                )
            parts[kind] = child
    return parts


def _of_pair(pictures, masks, name, split):
    """A part of the data in two folders, each of which may be cut."""
    sides = [_parts_in(each) for each in (pictures, masks)]
    cut = [
        "train" in parts or bool(parts) and len(parts) == len(_folders_in(each))
        for parts, each in zip(sides, (pictures, masks))
    ]
    if all(cut):
        both = {
            kind: (part, sides[1][kind])
            for kind, part in sides[0].items()
            if kind in sides[1]
        }
        return _of_parts(both, [masks.parent], name, split)
    found = _read({"all": (pictures, masks)}, "all", [masks.parent], split)
    return examples.cut(dataclasses.replace(found, name=name), split)


def _of_parts(parts, places, name, split):
    """A part of data that are cut already, as `_read` takes them."""
    for kind in ("train",) if split == "train" else ("test", "validation"):
        if kind in parts:
            found = _read(parts, kind, places, split)
            pictures, _ = parts[kind]
            called = [
                each.name
                for each in (pictures, pictures.parent)
                if each.name.lower() in folders.PARTS[kind]
            ]
            part = called[0] if called else kind
            return dataclasses.replace(found, name=name, split=part)
    raise ValueError(
        "Data that are cut must have a part `train/` to learn from, and "
        "`test/` or `validation/` to measure on, each with images and masks. "
        f"Received: {sorted(parts)} in {places[0]}"
    )


def _read(parts, wanted, places, split):
    """A part of the data in folders; the rule is that of all parts.

    Args:
        parts: Dict from a part's name to its folders of images and masks.
        wanted: The name of the part to read.
        places: Folders in which the names of the classes may be.
        split: `"train"` or `"test"`.

    Returns:
        `MaskData`, whole.
    """
    seen, read, skipped = {}, {}, ()
    for part, pair in parts.items():
        *read[part], left = _paired(*pair)
        if part == wanted:
            skipped = left
            _check_some(read[part], pair, left)
        seen[part] = _look(*read[part])
        places = [*places, *pair, *{each.parent for each in pair}]
    values, names = rule(sum(seen.values(), []), _names(places))
    _check_classes(seen[wanted], values, names, split)
    pictures, masks = read[wanted]
    if skipped:
        more = "; ..." if len(skipped) > 5 else ""
        warnings.warn(
            f"{len(skipped)} files in {' and '.join(map(str, parts[wanted]))} "
            f"are skipped: {'; '.join(skipped[:5])}{more}",
            stacklevel=2,
        )
    masks = [RawMask(each, values) for each in masks]
    return MaskData(pictures, masks, names, skipped=skipped)


def _check_some(found, pair, skipped):
    if not found[0]:
        beside = f"; skipped: {'; '.join(skipped[:5])}" if skipped else ""
        raise ValueError(
            "There must be an image with a mask of its name "
            f"({', '.join(images.SUFFIXES)}, whose endings may differ). "
            f"Received: none in {pair[0]} and {pair[1]}{beside}"
        )


def _paired(pictures, masks):
    """The files of two folders by their names, and what has no partner."""
    first, second = _files(pictures, masks), _files(masks, pictures)
    both = sorted(first.keys() & second.keys())
    skipped = [
        f"{side.name}/{found[name].relative_to(side).as_posix()}: no {missing}"
        for side, found, others, missing in (
            (pictures, first, second, "mask"),
            (masks, second, first, "image"),
        )
        for name in sorted(found.keys() - others.keys())
    ]
    return (
        [first[name] for name in both],
        [second[name] for name in both],
        tuple(skipped),
    )


def _files(folder, other=None):
    """The visible image files below a folder by their names without endings.

    Those below `other`, where that lies in the folder, are not among them.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if (
            path.suffix.lower() not in images.SUFFIXES
            or not all(map(folders.visible, (inside, *inside.parents[:-1])))
            or other in path.parents
            and other not in folder.parents
            or not path.is_file()
        ):
            continue
        name = inside.with_suffix("").as_posix()
        if name in found:
            raise ValueError(
                "A folder must hold one file of a name, as images and masks "
                "are paired by their names without endings. "
                f"Received: {found[name]} beside {path}"
            )
        found[name] = path
    return found


def _names(places):
    """The names of classes in `classes.txt`, `None` if there is none."""
    found = {}
    for place in dict.fromkeys(places):
        path = place / CLASSES
        if path.is_file():
            lines = examples.read_lines(path)
            while lines and not lines[-1]:
                lines.pop()
            found[path] = lines
    if not found:
        return None
    (path, names), *others = found.items()
    for other, lines in others:
        if lines != names:
            raise ValueError(
                f"All files `{CLASSES}` of a set must name the same classes. "
                f"Received: {path} and {other}"
            )
    if (
        not 2 <= len(names) <= UNLABELLED
        or not all(names)
        or len({*names}) < len(names)
    ):
        raise ValueError(
            f"`{CLASSES}` must name 2 to {UNLABELLED} different classes, one a "
            f"line. Received: {len(names)} lines in {path}: {names[:10]}"
        )
    return names


# Known sets.


def _known(name, split):
    made = {
        "scene_shapes": (scene_shapes, scenes.PARTS),
        "odd_one_out": (odd_objects, odd_one_out.PARTS),
    }
    if name == "scaled_digits":
        return _scaled_digits(split)
    if name in made:
        make, parts = made[name]
        return dataclasses.replace(make(*parts[split]), split=split)
    if name not in LICENCES:
        raise ValueError(
            '`data` must be "scene_shapes", "odd_one_out", "scaled_digits", a '
            "folder with images/ and masks/, two folders, images with masks, "
            f"or a public set: {', '.join(PUBLIC)}. Received: "
            f"data={str(name)!r}, no such file or folder"
            f"{sources.near(name, LICENCES)}"
        )
    return _from_tensorflow_datasets(name, split)


def _scaled_digits(split):
    # Scans of the test are not learned from.
    scans = images.load_images("digits", split)
    pictures, masks, heights = scaled_digits.make(
        scans.images[..., 0], scans.labels, *scaled_digits.PARTS[split]
    )
    return MaskData(
        pictures,
        masks,
        list(scaled_digits.NAMES),
        "scaled_digits",
        split,
        scaled_digits.VERSION,
        truth={"heights": heights},
    )


def _from_tensorflow_datasets(name, split):
    builder = _builder(name)

    def read(part):
        return _read_part(builder, name, part)

    return examples.read_public(builder, split, None, read)


def _builder(name):
    tfds = examples.tensorflow_datasets(name)
    if name == "weizmann_horse":
        from zoo.data.weizmann_horse import WeizmannHorse

        return WeizmannHorse()
    builder = tfds.builder(name)
    if not builder.is_prepared():
        raise FileNotFoundError(
            f"{name} must be prepared, which downloads it: "
            f'tensorflow_datasets.builder("{name}").download_and_prepare(). '
            f"Received: nothing in {builder.data_dir}"
        )
    return builder


# What a pixel of each class holds, and what the classes are called.
_CLASSES = {
    "oxford_iiit_pet": ((2, 1, 3), ["background", "pet", "border"]),
    "weizmann_horse": ((0, 1), ["background", "horse"]),
}


def _read_part(builder, name, part):
    import tensorflow_datasets as tfds

    values, names = _CLASSES[name]
    skip = tfds.decode.SkipDecoding()
    dataset = builder.as_dataset(
        split=part, decoders={"image": skip, "segmentation_mask": skip}
    )
    found = list(dataset.as_numpy_iterator())
    return MaskData(
        [each["image"] for each in found],
        [RawMask(each["segmentation_mask"], values) for each in found],
        list(names),
        name,
        part,
        str(builder.info.version),
    )
