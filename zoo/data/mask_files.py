"""Masks as files hold them: decoded, and read alike in all of a set.

A mask file may hold class ids, gray or with a palette; black and white; or a
colour for each class. Which it is, one file does not always tell: 0 and 255
may be the two classes, or a class and what is not labelled. So a set is looked
at as a whole, and all of its masks are read by one rule.
"""

import concurrent.futures
import dataclasses
import io
import os

import numpy as np

from zoo.data import images

UNLABELLED = 255  # the value of pixels whose class is not known
MOST_COLOURS = 64  # of a set of masks in colours
# Without names, ids beyond these are taken for shades of gray, and refused.
MOST_IDS = 64  # different ones
SPARSE = 4  # how many times more ids there may be than are used
THRESHOLD = 128  # of a JPEG
_BETWEEN = 64, 192  # neither black nor white
_MOST_BETWEEN = 0.1  # share of the pixels of JPEG masks that may be so
_COLOUR = 32  # by how much channels of what is gray may differ in a JPEG
BLACK_AND_WHITE = 0, 255
TWO_NAMES = ["background", "object"]


@dataclasses.dataclass(frozen=True)
class RawMask:
    """A mask as it is encoded, and how to read it.

    Args:
        raw: What `read_mask` takes: a path or bytes of an image file, most
            often.
        values: As in `read_mask`.
        as_ours: 256 bytes, or `None`: for each class of the mask that of those
            who read it, where they number the classes in another way.
    """

    raw: object
    values: tuple | None = None
    as_ours: bytes | None = None

    def __repr__(self):
        shown = _where(self.raw, "bytes")
        return f"{type(self).__name__}({shown}, values={self.values})"


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a look at one mask, or at an array of masks, tells.

    Args:
        where: String. What it is, for errors.
        size: `(height, width)`.
        numbers: Set of integers, the values of its pixels; `None` where they
            are colours that are not gray.
        colours: Set of integers, the colours, `0xRRGGBB`.
        kind: String. How it is stored: `"numbers"`; `"rgb"`; or what can only
            be black and white, `"bits"` and `"jpeg"`, the latter blurred.
        between: Float. Share of a JPEG's pixels that are neither.
        palette: Dict from an index to its colour, of those that are used; of
            no palette empty.
    """

    where: str
    size: tuple
    numbers: set | None
    colours: set = frozenset()
    kind: str = "numbers"
    between: float = 0.0
    palette: dict = dataclasses.field(default_factory=dict)


def read_mask(raw, values=None):
    """Reads one mask.

    Of a palette image the indices count, not the colours, unless `values` are
    colours. A JPEG is black below 128 and white from there on. The
    orientation that a camera noted (EXIF) is not applied; transparency is
    dropped.

    Args:
        raw: `RawMask`; path or bytes of a PNG, JPEG, GIF, BMP or WebP;
            `PIL.Image`; or array `(H, W)` or `(H, W, 1)` of whole numbers or
            booleans.
        values: What the pixels of each class hold: tuple of integers, such as
            `(0, 255)`, or of colours `(red, green, blue)`. `None`: what a
            `RawMask` says; else they are class ids as they stand, and what is
            black and white by its format has the classes 0 and 1.

    Returns:
        uint8 array `(H, W)` of classes; 255 is not labelled.

    Raises:
        ValueError: If it is no mask, or a pixel has a value of no class.
        FileNotFoundError: If there is no such file.

    Example:

    >>> import numpy as np
    >>> read_mask(np.array([[0, 2], [255, 1]])).tolist()
    [[0, 2], [255, 1]]
    >>> read_mask(np.array([[7, 2], [7, 7]]), values=(2, 7)).tolist()
    [[1, 0], [1, 1]]
    """
    if isinstance(raw, RawMask):
        found = read_mask(raw.raw, raw.values if values is None else values)
        if raw.as_ours is None:
            return found
        return np.frombuffer(raw.as_ours, "uint8")[found]
    where = _where(raw)
    if not _is_image(raw):
        return _classes(_array(raw, where), values, where)
    image = _decoded(raw, where)
    if values is None and _two(image):
        values = BLACK_AND_WHITE
    in_colours = values is not None and np.ndim(values) == 2
    return _classes(_numbers(image, where, in_colours), values, where)


def look_at(raws, wheres=None):
    """Looks at masks, to tell how to read them.

    Args:
        raws: List of what `read_mask` takes, or an array `(N, H, W)` or
            `(N, H, W, 1)`.
        wheres: List of strings, what each is called in errors; by default its
            path, or its place.

    Returns:
        List of `Seen`, one for each mask.

    Raises:
        ValueError: If one is no mask.
        FileNotFoundError: If a file is not there.
    """
    if wheres is None:
        wheres = [
            _where(raw, f"the mask at place {place}")
            for place, raw in enumerate(raws)
        ]
    if any(map(_is_file, raws)):
        with concurrent.futures.ThreadPoolExecutor(images.READERS) as pool:
            return list(pool.map(_look, raws, wheres))
    return list(map(_look, raws, wheres))


def rule(seen, names=None):
    """By which one rule a set of masks is read.

    What is black and white (0 and 255, all of the set) has two classes. Other
    values of up to 255 are class ids, 255 being not labelled. Where any mask
    has colours, each colour is a class, and they are sorted by red, then green,
    then blue.

    Args:
        seen: List of `Seen`, of all masks of the set.
        names: List of strings, the classes, or `None`.

    Returns:
        `(values, names)`: as `read_mask` takes them, and a list of strings: the
        given names; or `background` and `object`, the numbers of the ids, or
        the colours, `#rrggbb`.

    Raises:
        ValueError: If masks do not fit together, or a value is of no class, or
            it is not clear what the values mean.
    """
    if any(each.numbers is None for each in seen):
        return _rule_of_colours(seen, names)
    _check_palettes(seen)
    found = set().union(*(each.numbers for each in seen))
    if names is None or len(names) == 2:
        forms = {each.kind for each in seen}
        white = UNLABELLED in found or forms <= {"bits", "jpeg"}
        if found <= {*BLACK_AND_WHITE} and white:
            _check_jpegs(seen)
            return BLACK_AND_WHITE, list(names or TWO_NAMES)
        if found == {0, 65535}:
            return (0, 65535), list(names or TWO_NAMES)
    if {each.kind for each in seen} == {"rgb"} and not _are_ids(found, names):
        return _rule_of_colours(seen, names)
    for each in seen:
        if each.kind == "jpeg":
            raise ValueError(
                "A JPEG blurs class ids, so a mask that is one must be black "
                "and white, and so must the others of its set. Received: "
                f"{each.where} in a set with the values {_some(found)}"
            )
    most = UNLABELLED if names is None else len(names)
    for each in seen:
        unknown = {*each.numbers} - {*range(most), UNLABELLED}
        if unknown:
            raise ValueError(
                "The value of a pixel must be a class, 0 to "
                f"{most - 1}, or {UNLABELLED}, which is not labelled. "
                f"Received: {_some(unknown)} in {each.where}"
            )
    if not _are_ids(found, names):
        raise ValueError(
            "It must be clear that the values of masks are class ids, and not "
            "shades of gray: name the classes, one a line, in a file "
            "`classes.txt` beside the folders, or number them from 0 without "
            f"gaps. Received: the values {_some(found)}"
        )
    if names is None:
        names = map(str, range(max(found - {UNLABELLED}) + 1))
    return None, list(names)


def classes_seen(seen, values):
    """Which classes masks hold.

    Args:
        seen: List of `Seen`.
        values: What `rule` gave.

    Returns:
        Set of integers.
    """
    if values is None:
        return set().union(*(each.numbers for each in seen)) - {UNLABELLED}
    if np.ndim(values) == 2:
        found = set().union(*(each.colours for each in seen))
        values = map(_packed, values)
    else:
        found = set().union(*(each.numbers for each in seen))
    return {place for place, each in enumerate(values) if each in found}


def image_size(raw):
    """The size of an image as it is seen, which is not decoded for it.

    Args:
        raw: What `zoo.data.images.read_image` takes.

    Returns:
        `(height, width)`, after the orientation that a camera noted is applied.

    Raises:
        ValueError: As `zoo.data.images.read_image`.
        FileNotFoundError: As there.
    """
    from PIL import ExifTags, Image

    if not _is_file(raw):
        return images.read_image(raw).shape[:2]
    try:
        with _opened(raw) as image:
            # Not PNG's own, which decodes it in search of notes at its end.
            noted = Image.Image.getexif(image).get(ExifTags.Base.Orientation)
            return image.size if noted in (5, 6, 7, 8) else image.size[::-1]
    except FileNotFoundError:
        raise
    except Exception:  # Pillow raises of every kind; this says what is wrong
        return images.read_image(raw).shape[:2]


def resize_mask(mask, size):
    """Brings a mask to a size: each pixel is that nearest to its centre.

    Args:
        mask: Array `(h, w)`.
        size: `(height, width)`.

    Returns:
        Array `(height, width)`.

    Example:

    >>> import numpy as np
    >>> resize_mask(np.array([[0, 1, 2]]), (2, 6)).tolist()
    [[0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2]]
    """
    rows, columns = (
        (2 * np.arange(wanted) + 1) * own // (2 * wanted)
        for own, wanted in zip(mask.shape, size)
    )
    return mask[rows[:, None], columns]


def _is_file(raw):
    return isinstance(raw, (str, os.PathLike, bytes, bytearray, memoryview))


def _is_image(raw):
    from PIL import Image

    return _is_file(raw) or isinstance(raw, Image.Image)


def _where(raw, else_="the mask"):
    """What a mask is called in an error."""
    return str(raw) if isinstance(raw, (str, os.PathLike)) else else_


def _opened(raw):
    from PIL import Image

    if isinstance(raw, (bytes, bytearray, memoryview)):
        raw = io.BytesIO(raw)
    return Image.open(raw, formats=images.FORMATS)


def _decoded(raw, where):
    """The `PIL.Image` of a mask, as it is stored."""
    from PIL import Image

    if isinstance(raw, Image.Image):
        return raw
    try:
        with _opened(raw) as image:
            height, width = image.height, image.width
            allowed = height * width <= images.max_pixels()
            if allowed:
                image.load()
    except FileNotFoundError:
        raise
    except Exception as error:  # Pillow raises of every kind
        raise ValueError(
            "A mask must be a PNG, JPEG, GIF, BMP or WebP that Pillow can "
            f"decode. Received: {where} ({error})"
        ) from error
    if not allowed:
        raise ValueError(
            f"A mask must have at most {images.max_pixels()} pixels, or "
            "decoding it could fill the memory; where you trust its source, "
            f"set the environment variable {images.MAX_PIXELS_VARIABLE}. "
            f"Received: {where} of {height} x {width} pixels"
        )
    return image


def _jpeg(image):
    return image.format in ("JPEG", "MPO")


def _two(image):
    """Whether an image can only be black and white, by its format."""
    return _jpeg(image) or image.mode == "1"


def _numbers(image, where, in_colours=False):
    """The pixels, `(H, W)`, or `(H, W, 3)` where they are colours."""
    if _jpeg(image):
        white = np.asarray(image.convert("L")) >= THRESHOLD
        numbers = white * np.uint8(255)
    elif image.mode == "P" and in_colours:
        numbers = np.asarray(_in_colours(image))
    elif image.mode == "1":
        numbers = np.asarray(image) * np.uint8(255)
    elif image.mode in ("L", "P", "I", "F") or image.mode.startswith("I;16"):
        numbers = np.asarray(image)
    elif image.mode == "LA":
        numbers = np.asarray(image)[..., 0]
    else:
        numbers = np.asarray(_in_colours(image))
    return _whole(numbers, where)


def _in_colours(image):
    """The image without its transparency, which is no colour."""
    return image.convert("RGBA").convert("RGB")


def _array(raw, where):
    """An array of a mask, `(H, W)`."""
    if not hasattr(raw, "__array__") or isinstance(raw, np.generic):
        raise ValueError(
            "A mask must be a path, encoded bytes, a PIL.Image or an array. "
            f"Received: {type(raw).__name__} as {where}"
        )
    array = images.as_array(raw)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 2 or not array.size:
        raise ValueError(
            "The array of a mask must be (H, W), a class for each pixel; where "
            "it has a channel for each class, take `argmax(axis=-1)`. "
            f"Received: shape={np.shape(raw)} as {where}"
        )
    return _whole(array, where)


def _whole(array, where):
    """The array, if its values are whole numbers that are not negative."""
    if array.dtype.kind not in "biuf":
        raise ValueError(
            "A mask must be of numbers or booleans. "
            f"Received: dtype={array.dtype} as {where}"
        )
    if array.dtype.kind == "b":
        return array.astype("uint8")
    if array.dtype.kind == "u":
        return array
    wrong = array < 0
    if array.dtype.kind == "f":
        wrong |= ~np.isfinite(array)
        wrong |= array != np.floor(array)
    if wrong.any():
        raise ValueError(
            "The values of a mask must be whole numbers that are not negative. "
            f"Received: {array[wrong][0]:g} in {where}"
        )
    return array.astype("int64")


def _look(raw, where):
    if not _is_image(raw):
        array = _array(raw, where)
        numbers = _different(array)
        return Seen(where, array.shape, numbers, _as_gray(numbers))
    image = _decoded(raw, where)
    size = image.height, image.width
    if _jpeg(image):
        return _look_at_jpeg(image, where, size)
    numbers = _numbers(image, where)
    if numbers.ndim == 2:
        found = _different(numbers)
        kind = "bits" if image.mode == "1" else "numbers"
        if image.mode != "P":
            return Seen(where, size, found, _as_gray(found), kind)
        known = np.reshape(image.getpalette("RGB"), (-1, 3)).tolist()
        known = dict(enumerate(map(_packed, known)))
        used = {index: known.get(index, 0) for index in found}
        return Seen(where, size, found, {*used.values()}, kind, palette=used)
    colours = _colours(image)
    if colours is None:
        raise ValueError(
            f"A mask in colours must have at most {MOST_COLOURS}, one for each "
            "class; is it a photograph, or blurred by resizing? "
            f"Received: more than 256 in {where}"
        )
    gray = {each & 0xFF for each in colours}
    plain = _as_gray(gray) == colours
    return Seen(where, size, gray if plain else None, colours, "rgb")


def _look_at_jpeg(image, where, size):
    if len(image.getbands()) > 1:
        channels = np.asarray(image.convert("RGB")).astype("int16")
        coloured = np.ptp(channels, axis=-1) > _COLOUR
        if coloured.mean() > 0.01:
            raise ValueError(
                "A JPEG blurs colours, so a mask that is one must be black and "
                "white; save masks in colours as PNG. "
                f"Received: {where}, a JPEG in colours"
            )
    gray = np.asarray(image.convert("L"))
    low, high = _BETWEEN
    between = float(((gray >= low) & (gray < high)).mean())
    found = _different(_numbers(image, where))
    return Seen(where, size, found, _as_gray(found), "jpeg", between)


def _different(array):
    """The different values of whole numbers, a set of integers."""
    if array.dtype == "uint8":
        return set(np.flatnonzero(np.bincount(array.reshape(-1))).tolist())
    return set(np.unique(array).tolist())


def _colours(image):
    """The different colours, `0xRRGGBB`; `None` if they are more than 256."""
    found = _in_colours(image).getcolors(256)
    return None if found is None else {_packed(each) for _, each in found}


def _packed(colour):
    red, green, blue = colour
    return red << 16 | green << 8 | blue


def _as_gray(numbers):
    return {0x10101 * each for each in numbers if each < 256}


def _rule_of_colours(seen, names):
    found = set()
    for each in seen:
        if each.kind == "jpeg":
            raise ValueError(
                "A JPEG blurs colours, so a set of masks in colours must hold "
                f"none. Received: {each.where} in a set with colours"
            )
        found |= each.colours
        if len(found) > MOST_COLOURS:
            raise ValueError(
                f"Masks in colours must have at most {MOST_COLOURS}, one for "
                "each class; are they photographs, or blurred by resizing? "
                f"Received: {len(found)} by {each.where}, which has "
                f"{len(each.colours)}"
            )
    order = sorted(found)
    shown = [f"#{each:06x}" for each in order]
    if names is not None and len(names) != len(order):
        raise ValueError(
            "There must be a name for each colour of the masks, in the order "
            f"of the colours. Received: {len(names)} names, {names}, of the "
            f"colours {', '.join(shown)}"
        )
    values = tuple(
        (each >> 16, each >> 8 & 0xFF, each & 0xFF) for each in order
    )
    return values, list(names or shown)


def _check_palettes(seen):
    """Refuses palettes of which an index is not the same class everywhere."""
    known = {}
    for each in seen:
        for index, colour in each.palette.items():
            first, where = known.setdefault(index, (colour, each.where))
            if colour != first:
                raise ValueError(
                    "Masks with palettes must have the same one, or an index "
                    "is not the same class in all; save them as colours, RGB, "
                    f"or as class ids, gray. Received: index {index} is "
                    f"#{first:06x} in {where} and #{colour:06x} in {each.where}"
                )


def _check_jpegs(seen):
    """Refuses JPEG masks of more shades than black and white."""
    jpegs = [each for each in seen if each.kind == "jpeg"]
    if jpegs and np.mean([each.between for each in jpegs]) > _MOST_BETWEEN:
        worst = max(jpegs, key=lambda each: each.between)
        raise ValueError(
            "A mask that is a JPEG must be black and white; save those of more "
            f"classes as PNG. Received: {100 * worst.between:.0f} % of the "
            f"pixels in between in {worst.where}"
        )


def _are_ids(found, names):
    """Whether values are clearly class ids, where no name says so."""
    ids = found - {UNLABELLED}
    if names is not None:
        return ids <= {*range(len(names))}
    return len(ids) <= MOST_IDS and max(ids) + 1 <= SPARSE * len(ids)


def _classes(numbers, values, where):
    """Pixels as classes, uint8 `(H, W)`."""
    in_colours = values is not None and np.ndim(values) == 2
    if in_colours:
        if numbers.ndim == 2:
            numbers = np.repeat(numbers[..., None], 3, axis=-1)
        numbers = numbers.astype("int64") @ np.array([1 << 16, 1 << 8, 1])
        values = tuple(map(_packed, values))
    elif numbers.ndim == 3:
        if (numbers != numbers[..., :1]).any():
            raise ValueError(
                "A mask must be gray or have a palette, where its classes are "
                f"not told by colours. Received: colours in {where}"
            )
        numbers = numbers[..., 0]
    if values is None:
        if numbers.max() > UNLABELLED:
            raise _no_class({int(numbers.max())}, where)
        return numbers.astype("uint8")
    order = np.argsort(values)
    known = np.array(values)[order]
    places = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
    classes = order[places]
    wrong = known[places] != numbers
    if wrong.any():
        unknown = _different(numbers[wrong])
        if in_colours:
            raise _no_class([f"#{each:06x}" for each in unknown], where)
        if unknown != {UNLABELLED}:
            raise _no_class(unknown - {UNLABELLED}, where)
        classes[wrong] = UNLABELLED
    return classes.astype("uint8")


def _no_class(values, where):
    return ValueError(
        "The value of a pixel must be that of a class. "
        f"Received: {_some(values)} in {where}"
    )


def _some(values, most=10):
    """Some of many values, in words."""
    shown = ", ".join(map(str, sorted(values)[:most]))
    return f"{shown}, ..." if len(values) > most else shown
