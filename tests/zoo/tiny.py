"""The smallest task that does everything: three colours, told apart."""

import keras
import numpy as np

from zoo.data.images import ImageData
from zoo.image_classification.attention_resnet import PRESETS
from zoo.image_classification.task import ImageClassification
from zoo.inputs.image import Image
from zoo.outputs.label import Label

LABELS = ["red", "green", "blue"]


def tiny_recipe(attention="cbam"):
    return {
        "builder": "attention_resnet",
        "builder_args": {
            "input_shape": [16, 16, 3],
            "num_classes": 3,
            "attention": attention,
            "attention_args": {},
            "filters": list(PRESETS["tiny"]["filters"]),
            "blocks": PRESETS["tiny"]["blocks"],
        },
    }


def tiny_task(attention="cbam", dtype=None):
    """A seeded, untrained task on images of 16 x 16."""
    keras.utils.set_random_seed(0)
    task = ImageClassification.untrained(
        tiny_recipe(attention), Image((16, 16), 3), Label(LABELS), dtype
    )
    task.card["data"] = {"name": "tiny"}
    return task


def tiny_data(count=24, seed=0):
    """Images of noise, one colour of which is brighter: the label."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = generator.integers(0, 120, (count, 16, 16, 3))
    images[np.arange(count), :, :, labels] += 120
    return ImageData(images.astype("uint8"), labels, list(LABELS), "tiny")
