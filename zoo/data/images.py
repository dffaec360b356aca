"""Images by class: from a public set, a folder, arrays, or scikit-learn.

Pixels are 0 to 255 everywhere. Nothing here guesses a range.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import difflib
import functools
import hashlib
import io
import os
import re
import threading
import warnings

import numpy as np

from zoo.data import distorted_digits as distorting
from zoo.data import examples, folders, glyphs, labelled, sources
from zoo.data.resizing import fit_pixels
from zoo.lazy import keras

# Licence class of the data sets that presets are trained on: A open,
# B non-commercial or research terms, C none stated.
LICENCES = {
    "cifar10": "C",
    "digits": "A",
    "fashion_mnist": "A",
    "glyphs": "A",
    "mnist": "B",
    "tf_flowers": "C",
}
# What is made of which set, and how: `"digits_rotated"` of `"digits"`.
DISTORTED = {
    f"{base}_{distortion}": (base, distortion)
    for base in distorting.COUNTS
    for distortion in distorting.DISTORTIONS
}
LICENCES |= {name: LICENCES[base] for name, (base, _) in DISTORTED.items()}

# What `image_data_format` and `floatx` say must not change what is learned.
_PINNED = {"data_format": "channels_last", "dtype": "float32"}
AUGMENTATION = {
    "flip": lambda: keras.layers.RandomFlip("horizontal", **_PINNED),
    "shift": lambda: keras.layers.RandomTranslation(
        0.125,
        0.125,
        fill_mode="constant",
        interpolation="nearest",
        **_PINNED,
    ),
    "rotate": lambda: keras.layers.RandomRotation(
        0.04, fill_mode="constant", **_PINNED
    ),
    "zoom": lambda: keras.layers.RandomZoom(
        0.15, fill_mode="constant", **_PINNED
    ),
    "contrast": lambda: keras.layers.RandomContrast(0.2, **_PINNED),
    "brightness": lambda: keras.layers.RandomBrightness(0.2, **_PINNED),
}

# The same of masks, by nearest pixels; what comes in from outside is 255.
_OF_MASKS = {"fill_mode": "constant", "fill_value": 255.0, **_PINNED}
MOVES = {
    "flip": AUGMENTATION["flip"],
    "shift": lambda: keras.layers.RandomTranslation(
        0.125, 0.125, interpolation="nearest", **_OF_MASKS
    ),
    "rotate": lambda: keras.layers.RandomRotation(
        0.04, interpolation="nearest", **_OF_MASKS
    ),
    "zoom": lambda: keras.layers.RandomZoom(
        0.15, interpolation="nearest", **_OF_MASKS
    ),
}

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")

# What a new network reads, where the images do not say it.
USUAL_SIZE = (96, 96)
LARGEST_KEPT = 96  # pixels of a side
LOOKED_AT = 64  # images at most

# A small file can hold an image that fills the memory, so a larger one is
# refused before it is decoded. The environment variable takes precedence.
MAX_PIXELS = 2**26
MAX_PIXELS_VARIABLE = "KERAS_ATTENTION_ZOO_MAX_PIXELS"
READERS = min(8, os.cpu_count() or 1)  # threads
DRAWN = 512  # pixels of the longer side of an image in a picture


@dataclasses.dataclass(repr=False)
class ImageData(examples.Examples):
    """Images and their classes.

    Args:
        images: Array `(N, H, W, C)` of 0 to 255, or a list of anything that
            `read_image` takes, sizes mixed.
        labels: Integers, `(N,)`, places in `label_names`.
        label_names: List of strings.
        name: String. What the data is called.
        split: String. Which part of it this is.
        version: String or `None`. The data set's own version.
        place: String or `None`. Where the data were read from.
        skipped: Tuple of strings. Files that are no examples, and why.
        truth: Dict of arrays `(N, ...)` or `None`. What is known of each image
            beside its class, such as the `box` of what decides; nothing learns
            from it.
    """

    licences = LICENCES

    images: object
    labels: np.ndarray
    label_names: list
    name: str = "arrays"
    split: str = "all"
    version: str | None = None
    place: str | None = None
    skipped: tuple = ()
    truth: dict | None = None

    @property
    def fields(self):
        return super().fields + (() if self.truth is None else ("truth",))

    @staticmethod
    def as_bytes(raw):
        return np.ascontiguousarray(read_image(raw)).tobytes()


def load_images(source="digits", split="train"):
    """Finds images and their classes.

    Args:
        source: `"digits"`, scikit-learn's 1,797 scans, or `"glyphs"`, made by
            `zoo.data.glyphs`, which need no download; either of `"digits"` and
            `"mnist"` with a name in `zoo.data.distorted_digits.DISTORTIONS`,
            such as `"mnist_rotated"`; the official name of a set of
            tensorflow-datasets (`"cifar10"`, `"fashion_mnist"`, `"mnist"`,
            `"tf_flowers"`, ...); a folder with a folder of images for each
            class, or with `train/` and `test/` (or `validation/`) which hold
            those; a pair `(images, labels)` of arrays, or two of them, to
            learn from and to measure on, as `keras.datasets.mnist.load_data()`
            has them; a `tf.data.Dataset`, `keras.utils.PyDataset`, generator or
            list of such pairs, batched or not, read into memory once, or two
            datasets; or an `ImageData`, returned as it is. Of a dataset of
            `keras.utils.image_dataset_from_directory` the classes have their
            names; `map` and `take` drop them, and then the names are numbers.
            Labels are as `zoo.data.labelled.number_classes` takes them.
            How a name is told from a place says `zoo.data.sources.place`.
        split: `"train"` or `"test"`. A set that comes in one part is cut, 80
            to 20, the same way every time.

    Returns:
        `ImageData`. What is made here has a `truth`.

    Raises:
        ValueError: If nothing of that name is known, a folder has fewer than
            two classes (to measure on, one will do), or arrays do not fit
            together.
        FileNotFoundError: If there is no such folder.
    """
    return labelled.find(
        source,
        split,
        "images",
        ImageData,
        _from_pairs,
        _from_arrays,
        _known,
        from_place=_from_folder,
    )


def read_image(raw):
    """Decodes one image.

    The orientation that a camera noted (EXIF) is applied. Transparency is
    dropped. Of an animation the first frame counts; there, as TensorFlow does,
    what is transparent is black. Of 16 bits a channel the upper 8 count.

    Args:
        raw: Path or bytes of a PNG, JPEG, GIF, BMP or WebP; `PIL.Image`; or
            array `(H, W)` or `(H, W, C)` with C of 1, 3 or 4 and values 0 to
            255.

    Returns:
        Array `(H, W, 3)` or `(H, W, 1)`; uint8 for what was encoded.

    Raises:
        ValueError: If it is no image; has more pixels than `max_pixels`; or
            its values are not finite, not within 0 to 255, or floats that are
            all within 0 to 1.
        FileNotFoundError: If there is no such file.
    """
    pixels = _pixels(raw)
    if pixels.dtype != "uint8":
        check_range(pixels)
    return pixels


def image_to_draw(raw, most=DRAWN):
    """Decodes one image for a picture of it, as it is or reduced.

    Args:
        raw: As in `read_image`.
        most: Positive integer. The longer side of a larger image is brought
            down to so many pixels, antialiased; the aspect ratio is kept.

    Returns:
        uint8 array `(H, W, 3)` or `(H, W, 1)`.

    Raises:
        ValueError: As `read_image`.
        FileNotFoundError: As `read_image`.
    """
    from PIL import Image

    pixels = np.round(read_image(raw)).astype("uint8")
    height, width = pixels.shape[:2]
    scale = most / max(height, width)
    if scale >= 1:
        return pixels
    size = [max(1, round(side * scale)) for side in (width, height)]
    gray = pixels.shape[-1] == 1
    image = Image.fromarray(pixels[..., 0] if gray else pixels)
    reduced = np.asarray(image.resize(size, Image.Resampling.BILINEAR))
    return reduced[..., None] if gray else reduced


def check_range(pixels):
    """Raises unless pixels are within 0 to 255.

    Floats that are all within 0 to 1 are refused too, since they are most
    likely scaled, and would be read as black. All zeros are black either way.

    Args:
        pixels: Array of numbers, one image or several of one range.

    Raises:
        ValueError: If they are not.
    """
    if not pixels.size or pixels.dtype == "uint8":
        return
    low, high = pixels.min(), pixels.max()  # NaN if there is one
    if not (low >= 0 and high <= 255):
        raise ValueError(
            "The values of an image must be finite numbers from 0 to 255. "
            f"Received: values from {low:g} to {high:g}"
            if np.isfinite(pixels).all()
            else "The values of an image must be finite numbers from 0 to "
            "255. Received: NaN or infinity among them"
        )
    if pixels.dtype.kind == "f" and 0 < high <= 1:
        raise ValueError(
            "The values of an image must be from 0 to 255, and these would be "
            "read as black: multiply them by 255. Received: floats from "
            f"{low:g} to {high:g}"
        )


def usual_shape(images, multiple=1):
    """The shape in which a new network reads images.

    That of the images, where all have one and no side has more than
    `LARGEST_KEPT` pixels; else `USUAL_SIZE`. One channel where all are gray.

    Args:
        images: Array `(N, H, W, C)`, or a list of what `read_image` takes, of
            which some are looked at.
        multiple: Positive integer. Sides are rounded up to multiples of it, as
            networks ask whose convolutions halve them.

    Returns:
        `(height, width, channels)`, channels being 1 or 3.
    """
    step = -(-len(images) // LOOKED_AT)
    shapes = {read_image(image).shape for image in images[::step]}
    channels = 1 if {shape[-1] for shape in shapes} == {1} else 3
    sizes = {shape[:2] for shape in shapes}
    size = sizes.pop()
    if sizes or max(size) > LARGEST_KEPT:
        size = USUAL_SIZE
    return *(-(-side // multiple) * multiple for side in size), channels


def max_pixels():
    """The most pixels, height times width, that an encoded image may have.

    Returns:
        Integer: `zoo.data.images.MAX_PIXELS`, or the environment variable
        `KERAS_ATTENTION_ZOO_MAX_PIXELS` where it is set.

    Raises:
        ValueError: If the variable is not a positive integer.
    """
    value = os.environ.get(MAX_PIXELS_VARIABLE)
    if not value:
        return MAX_PIXELS
    if not value.strip().isdecimal() or int(value) < 1:
        raise ValueError(
            f"The environment variable {MAX_PIXELS_VARIABLE} must be a "
            f"positive integer. Received: {value!r}"
        )
    return int(value)


def _pixels(raw):
    """What `read_image` gives, its values unchecked."""
    from PIL import Image

    if isinstance(raw, (bytearray, memoryview)):
        raw = bytes(raw)
    if isinstance(raw, (str, os.PathLike, bytes)):
        return _decoded(raw)
    if isinstance(raw, Image.Image):
        _check_size(raw.size, "a PIL.Image")
        return _of_pillow(raw)

    if not hasattr(raw, "__array__") or isinstance(raw, np.generic):
        raise ValueError(
            "An image must be a path, encoded bytes, a PIL.Image or an array; "
            "make numbers in nested lists an array, np.asarray(image). "
            f"Received: {type(raw).__name__}"
        )
    pixels = as_array(raw)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    numeric = pixels.dtype.kind in "uif"
    if (
        pixels.ndim != 3
        or pixels.shape[-1] not in (1, 3, 4)
        or not pixels.size
        or not numeric
    ):
        raise ValueError(
            "An image array must be numbers of shape (H, W) or (H, W, C), C "
            "being 1, 3 or 4, with values 0 to 255; several are "
            "(B, H, W, C). "
            f"Received: shape={np.shape(raw)}, dtype={pixels.dtype}"
        )
    return pixels[..., :3]


def as_array(raw):
    """An array or tensor as NumPy has it.

    Args:
        raw: Array or tensor, of the backend or of another library.

    Returns:
        `np.ndarray`.
    """
    if not isinstance(raw, np.ndarray) and keras.ops.is_tensor(raw):
        return keras.ops.convert_to_numpy(raw)
    return np.asarray(raw)


_opening = threading.Lock()  # filters of warnings belong to all threads


def _decoded(raw):
    from PIL import Image

    shown = f"{len(raw)} bytes" if isinstance(raw, bytes) else str(raw)
    try:
        # Pillow's own limit is not the user's; ours is checked next.
        with _opening, warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(
                io.BytesIO(raw) if isinstance(raw, bytes) else raw,
                formats=FORMATS,
            )
        with image:
            _check_size(image.size, shown)
            image.load()
            return _of_pillow(image)
    except (FileNotFoundError, _TooLarge):
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(f"{shown} ({error})") from error
    except Exception as error:  # Pillow raises of every kind
        raise ValueError(
            "An image must be a PNG, JPEG, GIF, BMP or WebP that Pillow can "
            f"decode. Received: {shown} ({error})"
        ) from error


class _TooLarge(ValueError):
    """An image with more pixels than may be decoded."""


def _check_size(size, shown):
    if size[0] * size[1] > max_pixels():
        raise _too_large(f"{shown} of {size[1]} x {size[0]} pixels")


def _too_large(shown):
    return _TooLarge(
        f"An image must have at most {max_pixels()} pixels, or decoding it "
        "could fill the memory; where you trust its source, set the "
        f"environment variable {MAX_PIXELS_VARIABLE} (above 178956970, "
        f"PIL.Image.MAX_IMAGE_PIXELS too). Received: {shown}"
    )


def _of_pillow(image):
    from PIL import ImageOps

    of_gif = image.format == "GIF"
    try:
        image = ImageOps.exif_transpose(image)
    except Exception:  # what the camera noted is broken: the image is not
        pass
    if image.mode.startswith("I;16"):
        return (np.asarray(image).astype("uint16") >> 8).astype("uint8")[
            ..., None
        ]
    if image.mode in ("I", "F"):  # of any range: checked as an array is
        return np.asarray(image)[..., None]
    if image.mode in ("1", "L", "LA"):
        return np.asarray(image.convert("L"))[..., None]
    if image.has_transparency_data:
        pixels = np.asarray(image.convert("RGBA"))
        return pixels[..., :3] * (pixels[..., 3:] > 0 if of_gif else 1)
    return np.asarray(image.convert("RGB"))


def prepare_images(images, size, channels):
    """Raw images as one batch that a network reads.

    Args:
        images: Array `(B, H, W, C)`, or a list of what `read_image` takes.
        size: `(height, width)`.
        channels: 1 or 3.

    Returns:
        Float32 array `(B, height, width, channels)`, 0 to 255.

    Raises:
        ValueError: As `read_image`, with the place among several.
    """
    if isinstance(images, np.ndarray) and images.ndim == 4:
        check_batch(images)
    return _fitted(images, size, channels)


def check_batch(images):
    """Raises unless an array is a batch of images from 0 to 255.

    Args:
        images: Array `(B, H, W, C)`, C being 1, 3 or 4.

    Raises:
        ValueError: If it is not.
    """
    numeric = images.dtype.kind in "uif"
    if images.ndim != 4 or images.shape[-1] not in (1, 3, 4) or not numeric:
        raise ValueError(
            "Images in one array must be numbers of shape (B, H, W, C), C "
            "being 1, 3 or 4, with values 0 to 255. "
            f"Received: shape={images.shape}, dtype={images.dtype}"
        )
    check_range(images)


def _fitted(images, size, channels, places=None):
    """As `prepare_images`, of arrays whose range is known to be right.

    `places` are those that an error names, by default those in `images`.
    """
    if isinstance(images, np.ndarray) and images.ndim == 4:
        images = images[..., :3]
        if images.shape[1:] == (*size, channels):
            return images.astype("float32")
        return fit_pixels(images, size, channels)

    def read(image):
        return fit_pixels(read_image(image)[None], size, channels)[0]

    fitted = np.empty((len(images), *size, channels), "float32")
    with contextlib.closing(_in_threads(read, images)) as found:
        for place, result in enumerate(found):
            try:
                fitted[place] = result()
            except ValueError as error:
                if places is not None:
                    place = places[place]
                elif len(images) == 1:
                    raise
                raise ValueError(f"{error} at place {place}") from error
    return fitted


def _in_threads(read, images):
    """For each, in order, a function that gives what was read of it.

    Threads read files ahead; what is in memory may be in several places of
    `images`, and is read by the caller.
    """
    if len(images) == 1:
        yield functools.partial(read, images[0])
        return
    with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
        ahead = collections.deque()
        for image in images:
            if isinstance(image, (str, os.PathLike, bytes)):
                ahead.append(pool.submit(read, image).result)
            else:
                ahead.append(functools.partial(read, image))
            if len(ahead) > READERS:
                yield ahead.popleft()
        yield from ahead


class Reader:
    """Images as a network reads them, turned and shifted in training.

    What it draws is a function of (seed, epoch, place) alone, so that a
    training that was killed goes on as if it had not been.

    Args:
        images: Array `(N, H, W, C)`, or a list of what `read_image` takes.
        size: `(height, width)`.
        channels: 1 or 3.
        augment: Names in `AUGMENTATION`, applied in that order.
        seed: Integer.

    Call arguments:
        indices: Array of places among the images.
        epoch: Integer. The epoch that the batch belongs to.
        place: Integer. The batch's place in the epoch.

    Returns:
        Float32 array `(B, height, width, channels)`, 0 to 255.
    """

    def __init__(self, images, size, channels, augment=(), seed=0):
        self.augmenting = Augmenting(augment, seed)
        if isinstance(images, np.ndarray):
            check_batch(images)
        self.images = images
        self.size = tuple(size)
        self.channels = channels

    def __call__(self, indices, epoch, place):
        images = examples.at(self.images, indices)
        images = _fitted(images, self.size, self.channels, indices)
        images, _ = self.augmenting(images, (), epoch, place)
        return images


class Augmenting:
    """Images, and masks of them, turned and shifted alike.

    Args:
        augment: As in `Reader`.
        seed: Integer.

    Call arguments:
        images: Float32 array `(B, H, W, C)`, 0 to 255.
        masks: List of arrays `(B, H, W)`, a value for each pixel. They move as
            the images do, and what comes in from outside is 255.
        epoch: As in `Reader`.
        place: As there.

    Returns:
        `(images, masks)`.
    """

    def __init__(self, augment, seed=0):
        unknown = sorted(set(augment) - set(AUGMENTATION))
        if unknown:
            raise ValueError(
                f"`augment` takes names among {sorted(AUGMENTATION)}. "
                f"Received: augment={list(augment)!r}"
            )
        self.seed = seed
        self.layers = [AUGMENTATION[name]() for name in augment]
        self.moves = [
            MOVES[name]() if name in MOVES else None for name in augment
        ]
        self.lock = threading.Lock()

    def __call__(self, images, masks, epoch, place):
        if not self.layers:
            return images, masks
        kinds = [mask.dtype for mask in masks]
        masks = [mask[..., None].astype("float32") for mask in masks]
        # Keras reads one batch of the next epoch ahead, from another thread.
        with self.lock, _floats_of_32_bits():
            for index, layer in enumerate(self.layers):
                images = self._changed(layer, images, epoch, place, index)
                move = self.moves[index]
                if move is not None:
                    masks = [
                        self._changed(move, mask, epoch, place, index)
                        for mask in masks
                    ]
        return keras.ops.convert_to_numpy(images), [
            np.round(keras.ops.convert_to_numpy(mask)[..., 0]).astype(kind)
            if kind.kind in "iu"
            else keras.ops.convert_to_numpy(mask)[..., 0]
            for mask, kind in zip(masks, kinds)
        ]

    def _changed(self, layer, images, *drawn):
        drawn = np.random.default_rng((self.seed, *drawn))
        layer.generator.state.assign(drawn.integers(0, 2**31, 2))
        return layer(images, training=True)


@contextlib.contextmanager
def _floats_of_32_bits():
    """Keras draws in its global `floatx`, and then cannot rotate in 16 bits."""
    before = keras.config.floatx()
    keras.config.set_floatx("float32")
    try:
        yield
    finally:
        keras.config.set_floatx(before)


def identity(image):
    """The same for two raw images only if they are one.

    Args:
        image: What `read_image` takes.

    Returns:
        What a dict can have for a key.
    """
    if isinstance(image, os.PathLike):
        return os.fspath(image)
    if isinstance(image, (str, bytes)):
        return image
    if getattr(image, "shape", None) is None:
        return id(image)  # of Pillow, or what will be refused
    pixels = as_array(image)
    digest = hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).digest()
    return pixels.shape, pixels.dtype.str, digest


def _from_arrays(images, labels, least, class_names=None):
    if isinstance(images, np.ndarray) and images.ndim == 3:
        images = images[..., None]  # gray, as there is a label for each
    places, names = labelled.number_classes(
        labels, len(images), "images", least, class_names
    )
    return ImageData(images, places, names)


def _from_pairs(source, least):
    several = functools.partial(_several, lengths=_lengths(source))
    images, labels = labelled.unbatched(source, several, "images")
    if all(isinstance(image, np.ndarray) for image in images):
        shapes = {image.shape for image in images}
        if len(shapes) == 1 and images[0].ndim == 3:
            images = np.stack(images)
    class_names = getattr(source, "class_names", None)
    return _from_arrays(images, labels, least, class_names)


def _lengths(source):
    """How long images and labels are in every element, `None` if it varies."""
    spec = getattr(source, "element_spec", None)
    if isinstance(spec, tuple) and len(spec) == 2:
        shapes = [getattr(part, "shape", None) for part in spec]
        if all(shape is not None and shape.rank for shape in shapes):
            return tuple(shape[0] for shape in shapes)
    return None


def _several(images, place, labels, lengths=None):
    """The images of an element, if it holds several.

    Three sides may be one image, or a batch of gray ones: a batch has a label
    for each, and is of any length where the data say how long elements are.
    """
    if isinstance(images, list):
        return images
    shape, of_labels = np.shape(images), np.shape(labels)
    if len(shape) != 3:
        return list(images) if len(shape) in (1, 4) else None
    if shape[-1] not in (1, 3, 4):
        return list(images)
    if of_labels[:1] != shape[:1]:
        return None
    if len(of_labels) == 1 and lengths != (None, None):
        one_hot = bool(labelled.is_one_hot(np.asarray(labels)))
        return None if one_hot else list(images)
    return list(images)


_CHOICES = (
    '"digits", "glyphs", either of "digits" and "mnist" with one of '
    f"{', '.join(f'_{name}' for name in distorting.DISTORTIONS)}, a folder of "
    "images by class, arrays, or the name of an image set"
)


def _known(name, split):
    if name == "digits":
        return _digits(split)
    if name == "glyphs":
        return _glyphs(split)
    if name in DISTORTED:
        base, distortion = DISTORTED[name]
        scans = _known(base, split)
        return distorting.distorted_digits(scans, distortion, split)
    if near := difflib.get_close_matches(name, DISTORTED, cutoff=0.9):
        _refuse_unless_public(name, near)
    return _from_tensorflow_datasets(name, split)


def _refuse_unless_public(name, near):
    """Tells what is made here and called almost so."""
    if re.split("[/:]", name)[0] not in sources.public_names():
        raise ValueError(
            f"`data` must be {_CHOICES} of tensorflow-datasets. Received: "
            f"data={str(name)!r}, no data of this name; near: {near}"
        )


def _glyphs(split):
    images, labels, truth = glyphs.glyphs(*glyphs.PARTS[split])
    return ImageData(
        images,
        labels,
        list(glyphs.GLYPHS),
        "glyphs",
        split,
        glyphs.VERSION,
        truth=truth,
    )


def _digits(split):
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels = np.round(bunch.images * (255 / 16)).astype("uint8")[..., None]
    whole = ImageData(
        pixels,
        bunch.target.astype("int64"),
        [str(name) for name in bunch.target_names],
        "digits",
        version="1",
    )
    return examples.cut(whole, split)


def _from_folder(folder, split, least):
    if not folder.is_dir():
        raise ValueError(
            "A place of images must be a folder with a folder for each class. "
            f"Received: the file {folder}"
        )
    part = folders.part_of_folder(folder, split)
    if part is None:
        return examples.cut(_folder_of_classes(folder, least), split)
    return dataclasses.replace(
        _folder_of_classes(part, least), name=folder.name, split=part.name
    )


def _folder_of_classes(folder, least):
    *found, skipped = folders.files_by_class(folder, SUFFIXES, "images", least)
    return ImageData(*found, folder.name, skipped=skipped)


def _from_tensorflow_datasets(name, split):
    builder = examples.public_set(name, _CHOICES)
    features = builder.info.features
    if "image" not in features or "label" not in features:
        raise ValueError(
            "The data set must have the features `image` and `label`. "
            f"Received: {name} with {sorted(features)}"
        )
    builder.download_and_prepare()
    if "test" in builder.info.splits:
        part = split
    elif split == "test" and "validation" in builder.info.splits:
        part = "validation"
    else:
        part = "train[:80%]" if split == "train" else "train[80%:]"

    dataset = builder.as_dataset(split=part)
    label_names = list(features["label"].names)
    if None in features["image"].shape:
        found = list(dataset.as_numpy_iterator())
        images = [example["image"] for example in found]
        labels = np.array([example["label"] for example in found])
    else:
        batches = list(dataset.batch(1024).as_numpy_iterator())
        images = np.concatenate([batch["image"] for batch in batches])
        labels = np.concatenate([batch["label"] for batch in batches])
    return ImageData(
        images,
        labels.astype("int64"),
        label_names,
        builder.info.name,
        part,
        str(builder.info.version),
    )
