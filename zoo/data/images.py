"""Images by class: from a public set, a folder, arrays, or scikit-learn.

Pixels are 0 to 255 everywhere. Nothing here guesses a range.
"""

import dataclasses
import io
import os
import pathlib
import threading

import keras
import numpy as np
from keras import ops

from zoo.data import examples

# Licence class of the data sets that presets are trained on: A open,
# B non-commercial or research terms, C none stated.
LICENCES = {
    "cifar10": "C",
    "digits": "A",
    "fashion_mnist": "A",
    "mnist": "B",
    "tf_flowers": "C",
}

AUGMENTATION = {
    "flip": lambda: keras.layers.RandomFlip("horizontal"),
    "shift": lambda: keras.layers.RandomTranslation(
        0.125, 0.125, fill_mode="constant", interpolation="nearest"
    ),
    "rotate": lambda: keras.layers.RandomRotation(0.04, fill_mode="constant"),
    "zoom": lambda: keras.layers.RandomZoom(0.15, fill_mode="constant"),
    "contrast": lambda: keras.layers.RandomContrast(0.2),
    "brightness": lambda: keras.layers.RandomBrightness(0.2),
}

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")


@dataclasses.dataclass
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
    """

    images: object
    labels: np.ndarray
    label_names: list
    name: str = "arrays"
    split: str = "all"
    version: str | None = None

    @staticmethod
    def as_bytes(raw):
        return np.ascontiguousarray(read_image(raw)).tobytes()


def load_images(source="digits", split="train"):
    """Finds images and their classes.

    Args:
        source: `"digits"`, scikit-learn's 1,797 scans, which need no download;
            the official name of a set of tensorflow-datasets (`"cifar10"`,
            `"fashion_mnist"`, `"mnist"`, `"tf_flowers"`, ...); a folder with a
            folder of images for each class, or with `train/` and `test/`
            (or `validation/`) which hold those; a pair `(images, labels)` of
            arrays; a `tf.data.Dataset` of such pairs, batched or not, read
            into memory once; or an `ImageData`, returned as it is.
        split: `"train"` or `"test"`. A set that comes in one part is cut, 80
            to 20, the same way every time.

    Returns:
        `ImageData`.

    Raises:
        ValueError: If nothing of that name is known, a folder has fewer than
            two classes, or arrays do not fit together.
    """
    examples.check_split(split)
    if isinstance(source, ImageData):
        return source
    if isinstance(source, tuple):
        return _from_arrays(*source)
    if hasattr(source, "as_numpy_iterator"):
        return _from_pairs(source.as_numpy_iterator())
    if str(source) == "digits":
        return _digits(split)
    if os.path.isdir(source):
        return _from_folder(pathlib.Path(source), split)
    return _from_tensorflow_datasets(str(source), split)


def read_image(raw):
    """Decodes one image.

    Args:
        raw: Path, bytes of an encoded image, `PIL.Image`, or array
            `(H, W)` or `(H, W, C)` with C of 1, 3 or 4 and values 0 to 255.

    Returns:
        Array `(H, W, 3)` or `(H, W, 1)`; uint8 for what was encoded.

    Raises:
        ValueError: If it is no image.
        FileNotFoundError: If there is no such file.
    """
    from PIL import Image, UnidentifiedImageError

    if isinstance(raw, (str, os.PathLike, bytes)):
        encoded = io.BytesIO(raw) if isinstance(raw, bytes) else raw
        shown = f"{len(raw)} bytes" if isinstance(raw, bytes) else str(raw)
        try:
            with Image.open(encoded) as image:
                return read_image(image.copy())
        except FileNotFoundError:
            raise
        except (UnidentifiedImageError, OSError, SyntaxError) as error:
            raise ValueError(
                "An image must be a file that Pillow can decode (PNG, JPEG, "
                f"...). Received: {shown} ({error})"
            ) from error
    if isinstance(raw, Image.Image):
        if raw.mode.startswith("I"):  # 16 bits; Pillow would cut, not scale
            deep = np.asarray(raw).astype("float32")[..., None]
            return np.round(deep / 257).astype("uint8")
        gray = raw.mode in ("1", "L", "LA")
        pixels = np.asarray(raw.convert("L" if gray else "RGB"))
        return pixels[..., None] if gray else pixels

    pixels = np.asarray(raw)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    numeric = pixels.dtype.kind in "uif"
    if pixels.ndim != 3 or pixels.shape[-1] not in (1, 3, 4) or not numeric:
        raise ValueError(
            "An image array must be numbers of shape (H, W) or (H, W, C), C "
            "being 1, 3 or 4, with values 0 to 255. "
            f"Received: shape={pixels.shape}, dtype={pixels.dtype}"
        )
    return pixels[..., :3]


def fit_pixels(images, size, channels):
    """Brings images to the size and the channels that a network reads.

    Written in `keras.ops`, so that prediction and export share it. Images are
    stretched to the size, bilinear with antialiasing.

    Args:
        images: `(B, H, W, C)`, 0 to 255, C being 1 or 3.
        size: `(height, width)`.
        channels: 1 or 3. Colour becomes gray by the weights of ITU-R BT.601;
            gray becomes colour by repeating.

    Returns:
        Float32 tensor `(B, height, width, channels)`, 0 to 255.
    """
    images = ops.cast(images, "float32")
    if tuple(images.shape[1:3]) != tuple(size):
        images = ops.image.resize(
            images,
            size,
            interpolation="bilinear",
            antialias=True,
            data_format="channels_last",
        )
    if images.shape[-1] == 3 and channels == 1:
        luma = ops.convert_to_tensor([0.299, 0.587, 0.114], dtype="float32")
        images = ops.sum(images * luma, axis=-1, keepdims=True)
    elif images.shape[-1] == 1 and channels == 3:
        images = ops.repeat(images, 3, axis=-1)
    return images


def prepare_images(images, size, channels):
    """Raw images as one batch that a network reads.

    Args:
        images: Array `(B, H, W, C)`, or a list of what `read_image` takes.
        size: `(height, width)`.
        channels: 1 or 3.

    Returns:
        Float32 array `(B, height, width, channels)`, 0 to 255.
    """
    if isinstance(images, np.ndarray) and images.ndim == 4:
        if images.shape[1:] == (*size, channels):
            return images.astype("float32")
        if images.shape[-1] in (1, 3):
            return ops.convert_to_numpy(fit_pixels(images, size, channels))
    return np.concatenate(
        [
            ops.convert_to_numpy(
                fit_pixels(read_image(image)[None], size, channels)
            )
            for image in images
        ]
    )


class Batches(examples.Batches):
    """Batches whose content is a function of (seed, epoch, place) alone.

    So a training that was killed goes on as if it had not been.

    Args:
        data: `ImageData`.
        size: `(height, width)`.
        channels: 1 or 3.
        batch_size: Positive integer.
        augment: Names in `AUGMENTATION`, applied in that order.
        shuffle: Boolean. Whether each epoch has an order of its own.
        seed: Integer.
    """

    def __init__(
        self,
        data,
        size,
        channels,
        batch_size=128,
        augment=(),
        shuffle=False,
        seed=0,
    ):
        unknown = sorted(set(augment) - set(AUGMENTATION))
        if unknown:
            raise ValueError(
                f"`augment` takes names among {sorted(AUGMENTATION)}. "
                f"Received: augment={list(augment)!r}"
            )
        super().__init__(data, batch_size, shuffle, seed)
        self.size = tuple(size)
        self.channels = channels
        self.layers = [AUGMENTATION[name]() for name in augment]
        self.lock = threading.Lock()

    def inputs(self, indices, epoch, place):
        part = self.data.take(indices)
        images = prepare_images(part.images, self.size, self.channels)
        return self._augmented(images, epoch, place)

    def _augmented(self, images, epoch, place):
        if not self.layers:
            return images
        # Keras reads one batch of the next epoch ahead, from another thread.
        with self.lock:
            for index, layer in enumerate(self.layers):
                drawn = np.random.default_rng((self.seed, epoch, place, index))
                layer.generator.state.assign(drawn.integers(0, 2**31, 2))
                images = layer(images, training=True)
        return ops.convert_to_numpy(images)


def _from_arrays(images, labels):
    places, names = examples.number_classes(labels, len(images), "images")
    return ImageData(images, places, names)


def _from_pairs(pairs):
    images, labels = examples.unbatched(pairs)
    shapes = {image.shape for image in images}
    if len(shapes) == 1 and images[0].ndim == 3:
        images = np.stack(images)
    return _from_arrays(images, labels)


def _digits(split):
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels = np.round(bunch.images * (255 / 16)).astype("uint8")[..., None]
    whole = ImageData(
        pixels,
        bunch.target.astype("int64"),
        [str(name) for name in bunch.target_names],
        "digits",
    )
    return examples.cut(whole, split)


def _from_folder(folder, split):
    part = examples.part_of_folder(folder, split)
    if part is None:
        return examples.cut(_folder_of_classes(folder), split)
    return dataclasses.replace(
        _folder_of_classes(part), name=folder.name, split=part.name
    )


def _folder_of_classes(folder):
    found = examples.files_by_class(folder, SUFFIXES, "images")
    return ImageData(*found, folder.name)


def _from_tensorflow_datasets(name, split):
    builder = examples.public_set(
        name,
        '"digits", a folder of images by class, arrays, or the name of an '
        "image set",
    )
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
