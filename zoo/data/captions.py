"""Images with captions: scenes made by rule, public sets, a table, lists.

Nothing here takes a caption apart: what is a word says who reads it.
"""

import dataclasses
import pathlib
import warnings

import numpy as np

from zoo.data import examples, folders, images, labelled, scenes, sources
from zoo.data.table_files import SUFFIXES
from zoo.data.table_source import Reading, Table, as_table, read_rows
from zoo.data.tokens import Tokens, checked_texts

# Licence class of the data sets that presets are trained on: A open,
# B non-commercial or research terms, C none stated.
LICENCES = {
    "coco_captions": "A",
    "coco_mini": "A",
    "scenes": "A",
    "ucm_captions": "C",
}
PUBLIC = ("coco_captions", "coco_mini", "ucm_captions")

TABLE = "captions.csv"  # of a folder; or captions.tsv

# It tells words apart as `zoo.caption_metrics` does, whatever it knows.
_READER = Tokens(["a"])


@dataclasses.dataclass(repr=False)
class CaptionData(examples.Examples):
    """Images and what people, or a rule, say of each.

    Args:
        images: Array `(N, H, W, C)` of 0 to 255, or a list of anything that
            `zoo.data.images.read_image` takes, sizes mixed.
        captions: List of lists of strings, the captions of each image, one at
            least.
        name: String. What the data is called.
        split: String. Which part of it this is.
        version: String or `None`. The data set's own version.
        place: String or `None`. Where the data were read from.
        skipped: Tuple of strings. Files that are no examples, and why.
        reading: `Reading` or `None`. How a table was read.
        truth: Dict of arrays `(N, ...)` or `None`. What is known of each image
            beside its captions: `boxes`, the objects on it, and `owners`, which
            of them each word of the first caption is about, as
            `zoo.data.scenes.Scenes` has them; nothing learns from it.
    """

    licences = LICENCES
    how_cut = "at random"

    images: object
    captions: list
    name: str = "captions"
    split: str = "all"
    version: str | None = None
    place: str | None = None
    skipped: tuple = ()
    reading: Reading | None = None
    truth: dict | None = None

    as_bytes = staticmethod(images.ImageData.as_bytes)

    @property
    def fields(self):
        known = () if self.truth is None else ("truth",)
        return ("images", "captions", *known)

    @property
    def strata(self):
        return None

    def __len__(self):
        return len(self.captions)

    def found(self):
        counts = [len(each) for each in self.captions]
        words = [len(one.split()) for each in self.captions for one in each]
        said = (
            f"{self.name}, {self.split}: {len(self):,} images with "
            f"{sum(counts):,} captions of {min(words)} to {max(words)} words"
            if counts
            else f"{self.name}, {self.split}: no images"
        )
        return said + self.beside()

    def digest_targets(self):
        return b"".join(
            len(each).to_bytes(8, "little")
            + b"".join(
                len(one).to_bytes(8, "little") + one
                for one in (caption.encode() for caption in each)
            )
            for each in self.captions
        )


def load_captions(source="scenes", split="train"):
    """Finds images and their captions.

    Args:
        source: `"scenes"`, made here by `zoo.data.scenes`, which needs no
            download; `"ucm_captions"` or `"coco_mini"`, whose files are
            downloaded by hand; `"coco_captions"`, if tensorflow-datasets has
            prepared it; a `.csv` or `.tsv` file that names in its first line
            the columns `image` and `caption`, or a folder with such a file
            `captions`, or with `train/` and `test/` (or `validation/`) which
            hold one each; a `zoo.Table` or a frame, in which columns may have
            other names; a pair `(images, captions)`, captions being strings or
            lists of strings, or a list of such pairs, one for each image; or a
            `CaptionData`, returned as it is. In a table, several lines of one
            image are several captions; an image is a path from the table's
            folder, and lies in it; in a frame it is anything that
            `zoo.data.images.read_image` takes. How a name is told from a place
            says `zoo.data.sources.place`.
        split: `"train"` or `"test"`. A set that comes in one part is cut, 80
            to 20, the same way every time. The validation part of
            `"ucm_captions"` and of `"coco_captions"` is left alone; that of
            `"coco_mini"` is its test.

    Returns:
        `CaptionData`. Images without a caption are left out and listed as
        `skipped`, where a folder or a public set has any. `"scenes"` has a
        `truth`. Of `"coco_captions"` the images stay encoded, and take the
        memory that their files do.

    Raises:
        ValueError: If nothing of that name is known, a file is malformed, a
            caption is empty, or images and captions do not fit together.
        FileNotFoundError: If there is no such file or folder, an image is not
            where the table says, or a file is not where it should be after a
            download by hand.
    """
    examples.check_split(split)
    if isinstance(source, CaptionData):
        if isinstance(source.raws, dict):
            raise ValueError(
                "Images alone are read here; images with boxes are for the "
                f"task region_captioning. Received: {type(source).__name__}"
            )
        return source
    table = as_table(source)
    if table is not None:
        return from_table(table, split, LICENCES, _from_table)
    if isinstance(source, list) and labelled.is_stream(source):
        source = _two_lists(source)
    if isinstance(source, (tuple, list)):
        return _from_lists(*_check_pair(source))
    if labelled.is_stream(source):
        raise ValueError(
            "Images with captions are not read from streams: make two lists, "
            f"(images, captions). Received: {type(source).__name__}"
        )
    path = sources.place(source, LICENCES)
    if path is None:
        return _known(source, split)
    return from_place(Table(path), split, _from_table)


def _two_lists(pairs):
    """A list of `(image, captions)` as a pair of lists."""
    for place, each in enumerate(pairs):
        if len(each) != 2:
            raise ValueError(
                "Each element must be a pair, (image, captions). "
                f"Received: tuple of {len(each)} at place {place}"
            )
    return tuple(map(list, zip(*pairs)))


def _check_pair(source):
    if len(source) != 2:
        raise ValueError(
            "`data` must be two, images and captions. "
            f"Received: {type(source).__name__} of {len(source)}"
        )
    return source


def _from_lists(pictures, captions):
    if hasattr(pictures, "__array__"):
        pictures = images.as_array(pictures)
    if isinstance(pictures, np.ndarray) and pictures.dtype.kind in "OSU":
        pictures = pictures.tolist()  # paths
    if isinstance(pictures, np.ndarray):
        images.check_batch(pictures)
    if isinstance(captions, np.ndarray):
        captions = captions.tolist()
    for given, what in ((pictures, "images"), (captions, "captions")):
        if not isinstance(given, (list, tuple, np.ndarray)):
            raise ValueError(
                "`data` must be two lists, of images and of captions. "
                f"Received: {type(given).__name__} as {what}"
            )
    if not len(pictures) or len(pictures) != len(captions):
        raise ValueError(
            "There must be an image, and captions for each. "
            f"Received: {len(pictures)} images, captions for {len(captions)}"
        )
    if isinstance(pictures, tuple):
        pictures = list(pictures)
    return CaptionData(
        pictures, [_checked(each, at) for at, each in enumerate(captions)]
    )


def has_word(text):
    """Whether a text has a word, by which captions are compared."""
    return bool(_READER.words(text))


def _checked(given, place):
    """The captions of one image, a list."""
    found = [given] if isinstance(given, str) else given
    if (
        not isinstance(found, (list, tuple))
        or not found
        or not all(isinstance(each, str) for each in found)
        or not all(map(has_word, checked_texts(found)))
    ):
        raise ValueError(
            "The captions of an image must be a string or a list of strings, "
            "one at least and each with a word in it. "
            f"Received: {repr(given)[:50]} at place {place}"
        )
    return list(found)


def from_table(table, split, names, read):
    """A part of the data that a `Table` says, a file, folder or in memory.

    Args:
        table: `Table`.
        split: `"train"` or `"test"`; what is in memory is not divided.
        names: The names of known data.
        read: As in `from_place`.

    Returns:
        What `read` gives.

    Raises:
        ValueError: If it is not clear what to read, or as `read`.
        FileNotFoundError: If nothing is there.
    """
    if table.in_memory:
        return read(table)
    path = labelled.place_of(table, names)
    return from_place(dataclasses.replace(table, source=path), split, read)


def from_place(table, split, read):
    """A part of the data that lie at a place: a table, or a folder with one.

    Args:
        table: `Table`, whose source is a `pathlib.Path` that is there.
        split: `"train"` or `"test"`.
        read: Function of the `Table` of a file: `CaptionData`, whose images are
            the paths of files in its folder.

    Returns:
        What `read` gives, that part of it.

    Raises:
        ValueError: If it is not clear what to read, or as `read`.
    """
    return dataclasses.replace(
        _part(table, split, read), place=sources.shown(table.source)
    )


def _part(table, split, read):
    path = table.source
    if path.is_file():
        return examples.cut(read(table), split)
    if (own := _table_of(path)) is not None:
        below = filter(pathlib.Path.is_dir, sorted(path.iterdir()))
        if parts := list(filter(None, map(_table_of, below))):
            raise ValueError(
                f"A folder must either hold `{TABLE}` or be cut into parts "
                "that hold one each; it is not clear which to read. Received: "
                f"{own} beside {parts[0]}"
            )
        return examples.cut(_from_folder(table, path, read), split)
    part = folders.part_of_folder(path, split) or path
    return dataclasses.replace(
        _from_folder(table, part, read), name=path.name, split=part.name
    )


def _table_of(folder):
    """The table of a folder, `None` if it has none."""
    stem = pathlib.PurePath(TABLE).stem
    found = [folder / f"{stem}{suffix}" for suffix in SUFFIXES]
    found = [path for path in found if path.is_file()]
    if len(found) > 1:
        raise ValueError(
            "A folder must hold one table of captions. Received: "
            f"{' and '.join(map(str, found))}"
        )
    return found[0] if found else None


def _from_folder(table, folder, read):
    """The images of a folder by its table, and which it does not name."""
    path = _table_of(folder)
    if path is None:
        raise ValueError(
            f"A folder of images with captions must hold `{TABLE}`, whose "
            "first line names its columns, `image` and `caption` among them, "
            "or `train/` and `test/` that hold one each. "
            f"Received: no {folder / TABLE}"
        )
    found = read(dataclasses.replace(table, source=path))
    named = {path.resolve() for path in found.images}
    skipped = tuple(
        f"{path.relative_to(folder).as_posix()}: no caption"
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in images.SUFFIXES
        and all(map(folders.visible, path.relative_to(folder).parents))
        and folders.visible(path)
        and path.is_file()
        and path.resolve() not in named
    )
    if skipped:
        more = "; ..." if len(skipped) > 5 else ""
        warnings.warn(
            f"{len(skipped)} images in {folder} have no caption and are "
            f"skipped: {'; '.join(skipped[:5])}{more}",
            stacklevel=2,
        )
    return dataclasses.replace(found, name=folder.name, skipped=skipped)


def read_captions(table, columns=("image", "caption")):
    """The rows of a table of images and captions.

    Args:
        table: `Table` of a file or in memory.
        columns: Its columns to read, `image` first and `caption` last.

    Returns:
        `(rows, told)`: a list with a tuple for each row, and what data say of
        their table, a dict. A tuple holds where the row stands, for errors; the
        image, in a file its path; what is the same for the same image; the
        cells between; the caption.

    Raises:
        ValueError: If there is no row, or one is malformed or leads out of the
            table's folder.
        FileNotFoundError: If an image is not there.
    """
    read, found = read_rows(table, "images with captions", columns), []
    for where, (image, *cells, caption) in read.rows:
        if not isinstance(caption, str) or not has_word(caption):
            raise ValueError(
                "Each line must name an image and say something of it. "
                f"Received: caption={repr(caption)[:50]} {where}"
            )
        if table.in_memory:
            place = images.identity(image)
        else:
            image, place = _inside(table.source.parent, image, where)
        found.append((where, image, place, *cells, caption.strip()))
    return found, read.told()


def _inside(folder, name, where):
    """The file of an image in the folder of its table, and without links."""
    image = folder / name
    place = image.resolve()
    if not place.is_relative_to(folder.resolve()):
        raise ValueError(
            "An image must lie in the folder of its table, links "
            f"followed. Received: image={name!r} {where}"
        )
    if not place.is_file():
        raise FileNotFoundError(
            "An image must be a file that is there. "
            f"Received: image={name!r} {where}"
        )
    return image, place


def _from_table(table):
    captions, pictures = {}, {}
    rows, told = read_captions(table)
    for _, image, place, caption in rows:
        pictures.setdefault(place, image)
        captions.setdefault(place, []).append(caption)
    data = CaptionData(list(pictures.values()), list(captions.values()))
    return dataclasses.replace(data, **told)


def _known(name, split):
    if name == "scenes":
        found = scene_captions(*scenes.PARTS[split])
        return dataclasses.replace(found, split=split)
    if name not in LICENCES:
        raise ValueError(
            '`data` must be "scenes", a .csv file, a folder with one, '
            f"images with captions, or a public set: {', '.join(PUBLIC)}. "
            f"Received: data={str(name)!r}, no such file or folder"
            f"{sources.near(name, LICENCES)}"
        )
    return _from_tensorflow_datasets(name, split)


def scene_captions(count, seed=0):
    """Scenes as `zoo.data.scenes.make` draws them, with their captions.

    Args:
        count: Positive integer. How many scenes.
        seed: Integer of at least 0. Seed of the draw.

    Returns:
        `CaptionData`, which knows the object that each word is about.
    """
    drawn = scenes.make(count, seed)
    return CaptionData(
        drawn.images,
        [[caption] for caption in drawn.captions],
        "scenes",
        f"{count} of seed {seed}",
        scenes.VERSION,
        truth={"boxes": drawn.boxes, "owners": drawn.owners},
    )


def _from_tensorflow_datasets(name, split):
    builder = _builder(name)

    def read(part):
        return _read_part(builder, name, part)

    # The number of an image stands for a label, which is never withheld.
    return examples.read_public(builder, split, "image/id", read)


def _builder(name):
    tfds = examples.tensorflow_datasets(name)
    from zoo.data import coco_mini, ucm_captions

    own = {
        "coco_mini": coco_mini.CocoMini,
        "ucm_captions": ucm_captions.UCMCaptions,
    }
    if name in own:
        return own[name]()
    builder = tfds.builder(name)
    if not builder.is_prepared():
        raise FileNotFoundError(
            f"{name} must be prepared, which downloads many gigabytes: "
            f'tensorflow_datasets.builder("{name}").download_and_prepare(). '
            f"Received: nothing in {builder.data_dir}"
        )
    return builder


def _read_part(builder, name, part):
    import tensorflow_datasets as tfds

    encoded, captions, skipped = [], [], []
    undecoded = {"image": tfds.decode.SkipDecoding()}
    dataset = builder.as_dataset(split=part, decoders=undecoded)
    for each in dataset.as_numpy_iterator():
        said = [text.decode().strip() for text in each["captions"]["text"]]
        said = list(filter(has_word, said))
        if said:
            encoded.append(each["image"])
            captions.append(said)
        else:
            skipped.append(f"{each['image/filename'].decode()}: no caption")
    if name == "ucm_captions":  # small, and mostly of one size
        decoded = list(map(images.read_image, encoded))
        alike = len({image.shape for image in decoded}) == 1
        encoded = np.stack(decoded) if alike else decoded
    return CaptionData(
        encoded,
        captions,
        name,
        part,
        str(builder.info.version),
        skipped=tuple(skipped),
    )
