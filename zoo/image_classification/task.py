"""Image classification: raw pixels in, a label out."""

import dataclasses
import difflib

import keras
import numpy as np
from keras import ops

from zoo.data import images as image_data
from zoo.image_classification.attention_resnet import attention_resnet
from zoo.task import BUILDERS, Task

BUILDERS["attention_resnet"] = attention_resnet


class ImageClassification(Task):
    """Answers with a label: `predict("cat.png")["label"]`.

    A raw input is a path, encoded bytes, a `PIL.Image` or an array `(H, W, C)`
    with values 0 to 255; several are a list of those, or an array
    `(B, H, W, C)`. An answer is a dict: `label`, its `probability`, and
    `probabilities`, a dict from label to share, the highest first.

    The arguments are those of `zoo.task.Task`.
    """

    name = "image_classification"

    @property
    def size(self):
        """`(height, width)` that images are brought to."""
        return tuple(self.card["preprocessing"]["image_size"])

    @property
    def channels(self):
        """1 or 3: gray or colour."""
        return self.card["preprocessing"]["channels"]

    def several(self, raw):
        if isinstance(raw, np.ndarray) and raw.ndim == 4:
            return True, list(raw)
        return super().several(raw)

    def preprocess(self, raws):
        return image_data.prepare_images(raws, self.size, self.channels)

    def answer(self, outputs):
        labels = self.assets["labels"]
        answers = []
        for shares in outputs["probabilities"]:
            order = np.argsort(-shares, kind="stable")
            answers.append(
                {
                    "label": labels[order[0]],
                    "probability": float(shares[order[0]]),
                    "probabilities": {
                        labels[place]: float(shares[place]) for place in order
                    },
                }
            )
        return answers

    def loss(self, label_smoothing=0.0):
        if label_smoothing:
            return SmoothedCrossentropy(label_smoothing)
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def metrics(self):
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    @classmethod
    def preprocessing(cls, builder_args):
        height, width, channels = builder_args["input_shape"]
        return {
            "image_size": [height, width],
            "channels": channels,
            "range": [0, 255],
            "resize": "bilinear, antialiased",
        }

    @classmethod
    def read(cls, data, split="test"):
        return image_data.load_images(data, split)

    def new_labels(self, data, num_classes=None):
        names = data.label_names
        if num_classes is None or num_classes == len(names):
            return list(names)
        if num_classes < len(names):
            raise ValueError(
                "`num_classes` must be at least the number of classes in the "
                f"data, {len(names)}. Received: num_classes={num_classes}"
            )
        spare = [str(place) for place in range(len(names), num_classes)]
        return [*names, *spare]

    def batches(self, data, batch_size, augment=(), shuffle=False, seed=0):
        return image_data.Batches(
            self._in_own_classes(data),
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
        }

    def signatures(self):
        return {
            "raw": "image_bytes",
            "tensors": {"image": ((*self.size, self.channels), "float32")},
        }

    def _in_own_classes(self, data):
        labels = self.assets["labels"]
        own = {label: place for place, label in enumerate(labels)}
        unknown = [name for name in data.label_names if name not in own]
        if unknown and all(
            name.isdigit() and int(name) < len(own) for name in data.label_names
        ):
            own = {str(place): place for place in range(len(own))}
        elif unknown:
            near = difflib.get_close_matches(unknown[0], own, n=3, cutoff=0.4)
            raise ValueError(
                "The classes of the data must be among the model's: "
                f"{list(own)}. Received: {unknown[0]!r}"
                + (f"; near: {near}" if near else "")
            )
        places = np.array([own[name] for name in data.label_names])
        return dataclasses.replace(data, labels=places[data.labels])


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy of integer labels, whose share is spread a little.

    Keras smooths one-hot labels only, and weights classes of integers only.

    Args:
        label_smoothing: Float in [0, 1). Share spread over all classes.
        **kwargs: Keras's own.
    """

    def __init__(self, label_smoothing, **kwargs):
        super().__init__(**kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        one_hot = ops.one_hot(
            ops.cast(ops.reshape(y_true, (-1,)), "int32"), y_pred.shape[-1]
        )
        return keras.losses.categorical_crossentropy(
            one_hot,
            y_pred,
            from_logits=True,
            label_smoothing=self.label_smoothing,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "label_smoothing": self.label_smoothing,
        }
