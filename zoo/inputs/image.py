"""An image as the input of a task."""

import io
import os
import pathlib

import numpy as np

from zoo.data import images as image_data
from zoo.data.encoded_images import decode_images

NO_IMAGE = b"no image"


class Image:
    """An image: a path, encoded bytes, a `PIL.Image`, an array or a tensor.

    An encoded image is a PNG, JPEG, GIF, BMP or WebP; an array has the shape
    `(H, W, C)` and values 0 to 255. Several are a list of those, or an array
    `(B, H, W, C)`.

    Args:
        image_size: `(height, width)` that images are brought to.
        channels: 1 or 3: gray or colour.
    """

    noun = "image"
    asked = "IMAGE..."
    columns_asked = ("image",)
    suffixes = image_data.SUFFIXES  # of files in a folder that is asked about
    roles = ()
    flags = ("decoded",)  # what an export says of each raw input beside
    augmentation = tuple(image_data.AUGMENTATION)
    choices = {
        "image_size": ("image", "image_size"),
        "channels": ("image", "channels"),
    }

    def __init__(self, image_size, channels):
        height, width = image_size
        self.size = height, width
        self.channels = channels

    @classmethod
    def learn(cls, data, recipe):
        asked = dict(recipe.get("image", {}))
        multiple = asked.pop("multiple", 1)
        shape = recipe["builder_args"].get("input_shape")
        if shape is None:
            shape = image_data.usual_shape(data.raws, multiple)
        own = {"image_size": tuple(shape[:2]), "channels": shape[2]}
        return cls(**own | asked)

    @classmethod
    def from_card(cls, settings, assets):
        return cls(settings["image_size"], settings["channels"])

    def resized(self, size):
        """The same input, its images brought to another `(height, width)`."""
        return type(self)(size, self.channels)

    def settings(self):
        return {
            "image_size": list(self.size),
            "channels": self.channels,
            "range": [0, 255],
            "resize": "bilinear, antialiased",
        }

    def assets(self):
        return {}

    def sizes(self):
        return {"input_shape": [*self.size, self.channels]}

    def tensors(self):
        return {"image": ((*self.size, self.channels), "float32")}

    def several(self, raw):
        if hasattr(raw, "__array__") and len(getattr(raw, "shape", ())) == 4:
            batch = image_data.as_array(raw)
            image_data.check_batch(batch)
            return True, batch
        several = isinstance(raw, (list, tuple))
        return several, raw if several else [raw]

    def arrays(self, raws):
        images = image_data.prepare_images(raws, self.size, self.channels)
        return {"image": images}

    def reader(self, data, augment=(), seed=0):
        read = image_data.Reader(
            data.raws, self.size, self.channels, augment, seed
        )
        return lambda *place: {"image": read(*place)}

    def notes(self, raws, maps):
        return [{} for _ in raws]

    def start(self, model):
        pass

    def golden(self):
        """Images of soft blobs."""
        height, width = (side or 32 for side in self.size)
        generator = np.random.default_rng(0)
        y, x = np.mgrid[0:height, 0:width]
        images = np.zeros((2, height, width, self.channels), "float32")
        for image in images:
            for _ in range(6):
                centre = generator.uniform(0, x.shape, 2)
                spread = generator.uniform(2, 8)
                blob = np.exp(
                    -((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / spread**2
                )
                image += blob[..., None] * generator.uniform(
                    0, 255, self.channels
                )
        return {"image": np.clip(np.round(images), 0, 255)}

    def extremes(self):
        """One upside down, all black, and all white."""
        turned = self.golden()["image"][0, ::-1]
        images = [turned, np.zeros_like(turned), np.full_like(turned, 255)]
        return {"image": np.stack(images)}

    def served(self):
        return {"image_bytes": "string"}

    def requests(self, arrays):
        """The images as PNG; the first in other kinds, sizes, and turned."""
        files = _files(arrays["image"])
        raws = [None if file is NO_IMAGE else file for file in files]
        return {"image_bytes": files}, raws

    def tensorflow(self):
        import tensorflow as tf

        size, channels = self.size, self.channels

        class Decoding(tf.Module):
            def __call__(self, image_bytes):
                images, decoded = decode_images(image_bytes, size, channels)
                return {"image": images}, {"decoded": decoded}

        return Decoding()

    def files(self):
        return {}

    def from_shell(self, words, options):
        paths = [pathlib.Path(word) for word in words]
        for path in paths:
            if not path.is_file():
                raise FileNotFoundError(
                    "An image must be a file that is there. "
                    f"Received: {str(path)!r}, "
                    + ("a folder" if path.is_dir() else "no such file")
                )
        return paths

    def to_shell(self, raw):
        """The arguments that ask about a raw input, or `None`."""
        return [str(raw)] if isinstance(raw, (str, os.PathLike)) else None

    def from_table(self, columns, folder, where):
        """The images that a table names by their paths from its folder."""
        paths = []
        for place, cell in enumerate(columns["image"]):
            path = folder / cell.strip()
            inside = path.resolve().is_relative_to(folder.resolve())
            if not inside or not path.is_file():
                why = "no such file" if inside else "which leads out of it"
                raise FileNotFoundError(
                    "The column `image` must hold paths of files in the "
                    f"table's folder. Received: {cell!r}, {why}, "
                    f"{where(place)}"
                )
            paths.append(path)
        return paths

    def shown(self, raw, note):
        return str(raw)


def _files(images):
    from PIL import Image as Picture

    first = np.clip(np.round(images[0]), 0, 255).astype("uint8")
    squeezed = first[..., 0] if first.shape[-1] == 1 else first
    image = Picture.fromarray(squeezed).convert("RGB")
    wide = image.resize((2 * image.width + 1, image.height))
    gray = wide.convert("L")
    deep = np.asarray(gray).astype("uint16") * 256 + 200
    see_through = wide.copy()
    see_through.putalpha(gray)
    files = [
        *map(_png, images),
        _encoded(wide, "png"),
        _encoded(gray, "png"),
        _encoded(see_through, "png"),
        _encoded(wide.quantize(16), "png", transparency=0),
        _encoded(Picture.fromarray(deep), "png"),
        _encoded(wide, "jpeg"),
        _encoded(gray, "jpeg"),
        _encoded(wide.convert("CMYK"), "jpeg"),
        NO_IMAGE,
        _encoded(wide, "bmp"),
        _encoded(
            wide.quantize(16),
            "gif",
            transparency=0,
            save_all=True,
            append_images=[gray],
        ),
    ]
    for orientation in range(2, 9):
        exif = Picture.Exif()
        exif[0x0112] = orientation
        form = "jpeg" if orientation % 2 else "png"
        files.append(_encoded(wide, form, exif=exif))
    return files


def _png(image):
    from PIL import Image as Picture

    pixels = np.clip(np.round(image), 0, 255).astype("uint8")
    gray = pixels.shape[-1] == 1
    return _encoded(
        Picture.fromarray(pixels[..., 0] if gray else pixels), "png"
    )


def _encoded(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()
