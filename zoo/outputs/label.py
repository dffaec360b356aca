"""One of several labels as the output of a task."""

import dataclasses
import difflib

import numpy as np

from zoo.cards import check_strings
from zoo.lazy import keras
from zoo.metrics import check_loss, cross_entropy, share_right

FEW = 20  # classes, each of which has a column in a table of answers


class Label:
    """One of several labels.

    An answer is a dict: `label`, its `probability`, and `probabilities`, a dict
    from label to share, the highest first; then what the input notes.

    Args:
        labels: List of distinct strings, the classes.
    """

    roles = ("labels",)
    choices = {}
    heads = ("logits",)
    decoding = None

    def __init__(self, labels):
        self.labels = list(labels)

    @classmethod
    def learn(cls, data, recipe):
        return cls(data.label_names)

    @classmethod
    def from_card(cls, settings, assets):
        return cls(check_strings(assets["labels"], "labels"))

    def settings(self):
        return {}

    def assets(self):
        return {"labels": self.labels}

    def sizes(self):
        return {"num_classes": len(self.labels)}

    # Learning.

    def like(self, data, num_classes=None):
        """The classes of a copy that learns from `data`, the same if it can.

        Raises:
            ValueError: If `num_classes` are fewer than those of the data.
        """
        names = data.label_names
        if num_classes is None or num_classes == len(names):
            same = sorted(self.labels) == sorted(names)
            return self if same else self._of(names)
        if num_classes < len(names):
            raise ValueError(
                "`num_classes` must be at least the number of classes in the "
                f"data, {len(names)}. Received: num_classes={num_classes}"
            )
        places = range(len(names), len(names) + num_classes)
        spare = [str(place) for place in places]
        spare = [name for name in spare if name not in names]
        return self._of([*names, *spare][:num_classes])

    def _of(self, labels):
        """The same for other labels."""
        return type(self)(labels)

    def kept(self, other):
        """Names of the heads whose weights go over to a copy for `other`."""
        return self.heads if other.labels == self.labels else ()

    def select(self, data):
        """The data, their labels being places in the model's own classes.

        Classes are told by name, or by place where the data's names are
        numbers and none of them is a label.

        Raises:
            ValueError: If a class is not the model's; near ones are listed.
        """
        places = self._places(data)
        return dataclasses.replace(data, labels=places[data.labels])

    def _places(self, data):
        """Where each class of the data is among the model's own, int64."""
        own = {label: place for place, label in enumerate(self.labels)}
        unknown = [name for name in data.label_names if name not in own]
        # Places only if none is a name: else all would be shifted.
        if len(unknown) == len(data.label_names) and all(
            name.isdigit() and int(name) < len(own) for name in unknown
        ):
            own = {str(place): place for place in range(len(own))}
        elif unknown:
            near = difflib.get_close_matches(unknown[0], own, n=3, cutoff=0.4)
            raise ValueError(
                "The classes of the data must be among the model's: "
                f"{list(own)}. Received: {unknown[0]!r}"
                + (f"; near: {near}" if near else "")
            )
        return np.array([own[name] for name in data.label_names], "int64")

    def teach(self, data, class_weight=None):
        """What a network learns from selected data.

        Args:
            data: What `select` gave.
            class_weight: Dict from label to weight, others being 1;
                `"balanced"`, under which every class that has an example
                counts alike; or `None`.

        Returns:
            `(labels, weights)`: int64 `(N,)`, and floats `(N,)` or `None`.
        """
        if class_weight is None:
            return data.labels, None
        counts = np.bincount(data.labels, minlength=len(self.labels))
        by_class = self._weights(class_weight, counts)
        return data.labels, by_class[data.labels].astype("float32")

    def _weights(self, class_weight, counts):
        """The weight of each class, of which there are so many."""
        if class_weight == "balanced":
            return counts.sum() / ((counts > 0).sum() * np.maximum(counts, 1))
        weights = np.ones(len(self.labels))
        for name, weight in class_weight.items():
            weights[self.labels.index(name)] = weight
        return weights

    def told(self, data):
        return np.arange(len(data)), {}

    def golden(self):
        return {}

    def loss(self, label_smoothing=0.0):
        if label_smoothing:
            from zoo.losses import SmoothedCrossentropy

            return SmoothedCrossentropy(label_smoothing)
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def metrics(self):
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    # Answering.

    def final(self, said):
        return {"logits": said, "probabilities": keras.ops.softmax(said)}

    def answers(self, tensors, raws, notes):
        answers = []
        for place, (shares, note) in enumerate(
            zip(tensors["probabilities"], notes, strict=True)
        ):
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
                    "label": self.labels[order[0]],
                    "probability": float(shares[order[0]]),
                    "probabilities": {
                        self.labels[place]: float(shares[place])
                        for place in order
                    },
                    **note,
                }
            )
        return answers

    def measure(self, tensors, data):
        """`accuracy` and `loss`, the cross-entropy, over selected data.

        Raises:
            ValueError: If the loss is not finite.
        """
        groups = getattr(data, "together", None)
        loss = cross_entropy(tensors["logits"], data.labels, groups)
        check_loss(loss)
        guesses = tensors["logits"].argmax(axis=-1)
        return {
            "accuracy": share_right(guesses, data.labels, groups),
            "loss": loss,
        }

    def count(self, data):
        return len(data)

    @property
    def classes(self):
        """The labels, by the name of what is answered."""
        return {"label": self.labels}

    def judged(self, tensors, data):
        """The labels that are right and those that are said, by that name."""
        return {"label": (data.labels, tensors["logits"].argmax(axis=-1))}

    def unlike(self, other):
        """Why answers cannot be compared with another's, or `None`."""
        if sorted(self.labels) != sorted(other.labels):
            only = sorted({*self.labels} ^ {*other.labels})
            return f"labels that only one of them has: {only[:10]}"
        # Some metrics are of the second of two classes.
        if len(self.labels) == 2 and self.labels != other.labels:
            return f"labels in another order: {self.labels}, {other.labels}"
        return None

    # Served.

    def tensorflow(self, folder, name="labels"):
        """What a SavedModel answers, a `tf.Module` of the final tensors.

        Args:
            folder: `pathlib.Path`, which must last until all is saved. A file
                of labels in it becomes the model's asset.
            name: String. What the file is called.

        Returns:
            `tf.Module`, from a dict of final tensors to a dict of named ones.
        """
        import tensorflow as tf

        file = folder / f"{name}.txt"
        file.write_text(self.files()["labels.txt"], "utf-8")

        class Labelling(tf.Module):
            def __init__(self):
                self.labels = tf.lookup.StaticHashTable(
                    tf.lookup.TextFileInitializer(
                        str(file),
                        key_dtype=tf.int64,
                        key_index=tf.lookup.TextFileIndex.LINE_NUMBER,
                        value_dtype=tf.string,
                        value_index=tf.lookup.TextFileIndex.WHOLE_LINE,
                    ),
                    default_value="",
                )

            def __call__(self, tensors):
                shares = tensors["probabilities"]
                return {
                    "label": self.labels.lookup(tf.argmax(shares, axis=-1)),
                    "probability": tf.reduce_max(shares, axis=-1),
                    "probabilities": shares,
                }

        return Labelling()

    def served(self, tensors):
        shares = tensors["probabilities"]
        return {
            "label": [self.labels[place] for place in shares.argmax(axis=-1)],
            "probability": shares.max(axis=-1),
            "probabilities": shares,
        }

    def files(self):
        for label in self.labels:
            if "\n" in label or "\r" in label:
                raise ValueError(
                    "Labels are exported in a file, one a line, so none may "
                    f"hold a line's end. Received: {label!r}"
                )
        return {"labels.txt": "".join(f"{label}\n" for label in self.labels)}

    # Shown.

    def line(self, answer):
        """The text of an answer."""
        return answer["label"]

    def cells(self, answer):
        """The cells of an answer in a table: a list with a dict for each row.

        Of many classes only the likeliest has its probability told.
        """
        found = dict(answer)
        shares = found.pop("probabilities")
        if len(self.labels) <= FEW:
            told = {f"probability of {x}": shares[x] for x in self.labels}
            notes = {k: found.pop(k) for k in [*found][2:]}
            found |= told | notes
        return [found]

    def tables(self, noun, shown, answers):
        rows = []
        for text, answer in zip(shown, answers):
            others = list(answer["probabilities"].items())[1:3]
            then = ", ".join(f"{name} {_percent(x)}" for name, x in others)
            first = answer["label"], _percent(answer["probability"])
            rows.append((text, *first, then))
        return [(None, (noun, "answer", "", "then"), rows)]


def _percent(share):
    return f"{100 * share:.1f} %"
