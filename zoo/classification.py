"""What all tasks share whose answer is one of several labels."""

import dataclasses
import difflib

import keras
import numpy as np
from keras import ops

from zoo.task import Task


class Classification(Task):
    """Answers with a label: `predict(raw)["label"]`.

    An answer is a dict: `label`, its `probability`, and `probabilities`, a dict
    from label to share, the highest first.

    The arguments are those of `zoo.task.Task`.
    """

    def answer(self, outputs):
        labels = self.assets["labels"]
        answers = []
        for place, shares in enumerate(outputs["probabilities"]):
            if not np.isfinite(shares).all():
                raise ValueError(
                    "Probabilities must be finite numbers; the model's "
                    "weights are not, or overflow on this input. "
                    f"Received: probabilities={shares.tolist()[:5]} at place "
                    f"{place}"
                )
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

    def new_labels(self, data, num_classes=None):
        names = data.label_names
        if num_classes is None or num_classes == len(names):
            own = self.assets["labels"]
            return list(own if sorted(own) == sorted(names) else names)
        if num_classes < len(names):
            raise ValueError(
                "`num_classes` must be at least the number of classes in the "
                f"data, {len(names)}. Received: num_classes={num_classes}"
            )
        places = range(len(names), len(names) + num_classes)
        spare = [str(place) for place in places]
        spare = [name for name in spare if name not in names]
        return [*names, *spare][:num_classes]

    def in_own_classes(self, data):
        """The data, their labels being places in the model's own classes.

        Args:
            data: A dataclass with `labels` and `label_names`.

        Returns:
            A copy with other `labels`. Classes are told by name, or by place
            where the data's names are numbers.

        Raises:
            ValueError: If a class is not the model's; near ones are listed.
        """
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
