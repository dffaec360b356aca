"""Image classification: raw pixels in, a label out."""

import pathlib

import numpy as np

from zoo.classification import Classification
from zoo.data import images as image_data
from zoo.image_classification.attention_resnet import attention_resnet
from zoo.image_classification.picture import where_it_looked


class ImageClassification(Classification):
    """Answers with a label: `predict("cat.png")["label"]`.

    A raw input is a path or the bytes of a PNG, JPEG, GIF, BMP or WebP, a
    `PIL.Image`, or an array `(H, W, C)` or tensor with values 0 to 255; several
    are a list of those, or an array `(B, H, W, C)`. An answer is a dict:
    `label`, its `probability`, and `probabilities`, a dict from label to share,
    the highest first.

    The arguments are those of `zoo.task.Task`.
    """

    name = "image_classification"
    noun = "image"
    asked = "IMAGE..."
    builders = {"attention_resnet": attention_resnet}

    @property
    def size(self):
        """`(height, width)` that images are brought to."""
        return tuple(self.card["preprocessing"]["image_size"])

    @property
    def channels(self):
        """1 or 3: gray or colour."""
        return self.card["preprocessing"]["channels"]

    def several(self, raw):
        if hasattr(raw, "__array__") and len(getattr(raw, "shape", ())) == 4:
            batch = image_data.as_array(raw)
            image_data.check_batch(batch)
            return True, batch
        return super().several(raw)

    def from_shell(self, words):
        paths = [pathlib.Path(word) for word in words]
        for path in paths:
            if not path.is_file():
                raise FileNotFoundError(
                    "An image must be a file that is there. "
                    f"Received: {str(path)!r}, "
                    + ("a folder" if path.is_dir() else "no such file")
                )
        return paths

    def preprocess(self, raws):
        return image_data.prepare_images(raws, self.size, self.channels)

    @classmethod
    def preprocessing(cls, recipe, assets):
        height, width, channels = recipe["builder_args"]["input_shape"]
        return {
            "image_size": [height, width],
            "channels": channels,
            "range": [0, 255],
            "resize": "bilinear, antialiased",
        }

    @classmethod
    def read(cls, data, split="test"):
        return image_data.load_images(data, split)

    def batches(self, data, batch_size, augment=(), shuffle=False, seed=0):
        return image_data.Batches(
            self.in_own_classes(data),
            self.size,
            self.channels,
            batch_size,
            augment,
            shuffle,
            seed,
        )

    def describe(self, data):
        return {
            "name": data.name,
            "version": data.version,
            "licence_class": image_data.LICENCES.get(data.name),
            "train_split": data.split,
            **({} if data.place is None else {"place": data.place}),
        }

    def golden_inputs(self):
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
        return np.clip(np.round(images), 0, 255)

    def picture(self, raws, answers):
        return where_it_looked(self.preprocess(raws), answers)

    def signatures(self):
        return {
            "raw": ("image_bytes",),
            "tensors": {"image": ((*self.size, self.channels), "float32")},
        }
