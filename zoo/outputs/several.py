"""Several labels and numbers as the output of a task."""

import dataclasses
import difflib
import json

import numpy as np

from zoo.cards import PresetError, check_strings, shown
from zoo.data.table_data import FEW, shown_value
from zoo.data.tables import is_number
from zoo.data.texts import one_line
from zoo.metrics import area_under_roc
from zoo.outputs.label import Label
from zoo.outputs.number import Number
from zoo.scores import Score

KINDS = {"label": Label, "number": Number}
# What an answer says besides.
TAKEN = ("answers", "attention", "missing", "unseen")


class Several:
    """Several labels and numbers, each answered by a head of the network.

    An answer is a dict from target to the answer of its kind: of a `Label` a
    dict with `label`, `probability` and `probabilities`, of a `Number` one with
    `value`; then what the input notes.

    Of training data, a column of words is a label, and so is one of at most 20
    different numbers; any other is a number. A recipe can say it otherwise:
    `{"target_kinds": {"rooms": "number"}}`.

    The network's outputs are `logits_1`, `logits_2` and so on, in the order of
    the targets.

    Args:
        parts: Dict from target to `Label` or `Number`.
    """

    roles = ("targets",)
    choices = {}
    decoding = None

    def __init__(self, parts):
        self.parts = parts
        self.heads = tuple(f"logits_{n}" for n in range(1, len(parts) + 1))

    @property
    def names(self):
        """List of strings, the targets."""
        return list(self.parts)

    @classmethod
    def learn(cls, data, recipe):
        if not data.targets:
            raise ValueError(
                "To learn from a table, `targets` must name the columns to be "
                f"answered. Received: targets={data.targets!r}, columns "
                f"{list(data.columns)[:50]}"
            )
        said, parts = recipe.get("target_kinds") or {}, {}
        for name, kind in said.items():
            if name not in data.targets or kind not in KINDS:
                raise ValueError(
                    "`target_kinds` must be a dict from target to "
                    '"label" or "number". '
                    f"Received: target_kinds[{name!r}]={kind!r}; the targets "
                    f"are {list(data.targets)}"
                )
        for name in data.targets:
            if name in TAKEN:
                raise ValueError(
                    f"A target must not be called one of {TAKEN}, which an "
                    f"answer says besides. Received: target={name!r}"
                )
            column = _varied(data, name)
            is_number = column.is_number and len(column.label_names) > FEW
            kind = said.get(name, "number" if is_number else "label")
            if kind == "number" and not column.is_number:
                raise ValueError(
                    "A target of words cannot be learned as a number. "
                    f"Received: target_kinds[{name!r}]={kind!r}"
                )
            try:
                parts[name] = KINDS[kind].learn(column, recipe)
            except ValueError as error:
                raise ValueError(f"{error} in the column {name!r}") from error
        return cls(parts)

    @classmethod
    def from_card(cls, settings, assets):
        targets = assets["targets"]
        if not isinstance(targets, list) or not targets:
            raise _wrong(targets)
        parts = {}
        for target in targets:
            if not isinstance(target, dict):
                raise _wrong(target)
            target = dict(target)
            name, kind = target.pop("name", None), target.pop("kind", None)
            if not isinstance(name, str) or name in parts or name in TAKEN:
                raise _wrong(name)
            if kind == "label" and set(target) == {"labels"}:
                parts[name] = Label(check_strings(target["labels"], "targets"))
            elif kind == "number":
                parts[name] = Number.from_card({}, {"number": target})
            else:
                raise _wrong(kind)
        return cls(parts)

    def settings(self):
        return {}

    def assets(self):
        return {
            "targets": [
                {
                    "name": name,
                    "kind": _kind(part),
                    **(
                        part.assets()
                        if isinstance(part, Label)
                        else part.assets()["number"]
                    ),
                }
                for name, part in self.parts.items()
            ]
        }

    def sizes(self):
        return {
            "num_outputs": [
                part.sizes()["num_classes"] for part in self.parts.values()
            ]
        }

    # Learning.

    def like(self, data, num_classes=None):
        """The same targets, of which labels may have other classes.

        Raises:
            ValueError: If the data have other targets, or one of another kind.
        """
        if num_classes is not None:
            raise ValueError(
                "`num_classes` is for a single label; of several answers the "
                f"data say it. Received: num_classes={num_classes}"
            )
        data = self._own(data)
        parts = {
            name: part.like(_varied(data, name))
            for name, part in self.parts.items()
        }
        same = all(parts[name] is part for name, part in self.parts.items())
        return self if same else Several(parts)

    def kept(self, other):
        return tuple(
            head
            for head, one, two in zip(
                self.heads, self.parts.values(), other.parts.values()
            )
            if one.kept(two)
        )

    def select(self, data):
        """The data, with the model's own targets.

        Raises:
            ValueError: If a target is absent or of another kind, or a class is
                not the model's.
        """
        data = self._own(data)
        self._columns(data)
        return data

    def teach(self, data, class_weight=None):
        """What a network learns of each target, by the names of its outputs."""
        if isinstance(class_weight, dict):
            raise ValueError(
                '`class_weight` of several answers must be "balanced" or None: '
                "which answer a class belongs to is not said. "
                f"Received: class_weight={class_weight!r}"
            )
        taught = {
            head: part.teach(column, class_weight)
            for head, part, column in zip(
                self.heads, self.parts.values(), self._columns(data)
            )
        }
        targets = {head: target for head, (target, _) in taught.items()}
        if class_weight is None:
            return targets, None
        return targets, {
            head: np.ones(len(data), "float32") if weights is None else weights
            for head, (_, weights) in taught.items()
        }

    def told(self, data):
        return np.arange(len(data)), {}

    def golden(self):
        return {}

    def loss(self, label_smoothing=0.0):
        return {
            head: part.loss(label_smoothing)
            for head, part in zip(self.heads, self.parts.values())
        }

    def metrics(self):
        return {
            head: part.metrics()
            for head, part in zip(self.heads, self.parts.values())
        }

    # Answering.

    def final(self, said):
        return {
            f"{name}/{key}": tensor
            for head, (name, part) in zip(self.heads, self.parts.items())
            for key, tensor in part.final(said[head]).items()
        }

    def answers(self, tensors, raws, notes):
        each = {
            name: part.answers(_part(tensors, name), raws, [{}] * len(notes))
            for name, part in self.parts.items()
        }
        return [
            {**{name: found[place] for name, found in each.items()}, **note}
            for place, note in enumerate(notes)
        ]

    def measure(self, tensors, data):
        """The metrics of each target, `"<target>_accuracy"`; `loss`, their sum.

        Of two classes `"<target>_auc"` comes first: the area under the ROC
        curve of the second class.

        Raises:
            ValueError: If a loss is not finite.
        """
        measured, losses = {}, []
        for (name, part), column in zip(
            self.parts.items(), self._columns(data)
        ):
            own = _part(tensors, name)
            found = part.measure(own, column)
            losses.append(found.pop("loss").values)
            if isinstance(part, Label) and len(part.labels) == 2:
                if len(np.unique(column.labels)) == 2:
                    scores = own["logits"][:, 1] - own["logits"][:, 0]
                    auc = area_under_roc(scores, column.labels)
                    found = {"auc": auc, **found}
            measured |= {f"{name}_{key}": x for key, x in found.items()}
        return {**measured, "loss": Score.mean(np.sum(losses, axis=0))}

    def count(self, data):
        return len(data)

    @property
    def classes(self):
        return {
            name: part.labels
            for name, part in self.parts.items()
            if isinstance(part, Label)
        }

    def judged(self, tensors, data):
        found = {}
        for (name, part), column in zip(
            self.parts.items(), self._columns(data)
        ):
            for each in part.judged(_part(tensors, name), column).values():
                found[name] = each
        return found

    def unlike(self, other):
        if sorted(self.names) != sorted(other.names):
            return f"targets {self.names} and {other.names}"
        for name, part in self.parts.items():
            if type(part) is not type(other.parts[name]):
                return f"the target {name!r}, a label and a number"
            if why := part.unlike(other.parts[name]):
                return f"the target {name!r}, {why}"
        return None

    # Served.

    def tensorflow(self, folder, name="labels"):
        import tensorflow as tf

        parts = {
            target: part.tensorflow(folder, f"{name}_{place}")
            for place, (target, part) in enumerate(self.parts.items(), 1)
        }

        class Answering(tf.Module):
            def __init__(self):
                self.modules = list(parts.values())

            def __call__(self, tensors):
                return {
                    f"{target}/{key}": tensor
                    for target, module in parts.items()
                    for key, tensor in module(_part(tensors, target)).items()
                }

        return Answering()

    def served(self, tensors):
        return {
            f"{name}/{key}": values
            for name, part in self.parts.items()
            for key, values in part.served(_part(tensors, name)).items()
        }

    def files(self):
        for part in self.parts.values():
            part.files()  # refuses labels that cannot be exported
        targets = self.assets()["targets"]
        text = json.dumps(targets, indent=1, ensure_ascii=False)
        return {"targets.json": text + "\n"}

    # Shown.

    def cells(self, answer):
        found = {}
        for name, part in self.parts.items():
            ((_, own), *more) = part.cells(answer[name])[0].items()
            found[name] = own
            for key, cell in more:
                # Another target may be called so.
                found.setdefault(f"{name} {key}", cell)
        notes = {k: v for k, v in answer.items() if k not in self.parts}
        return [{**found, **notes}]

    def tables(self, noun, shown, answers):
        names = [one_line(name) for name in self.parts]
        rows = []
        for place, text in enumerate(shown):
            row = [text]
            for name, part in self.parts.items():
                ((_, _, own),) = part.tables(noun, [""], [answers[place][name]])
                row.append(" ".join(own[0][1:3]))
            rows.append(tuple(row))
        return [(None, (noun, *names), rows)]

    def _own(self, data):
        """The data with the model's own targets, all of their kind."""
        if sorted(data.targets) != sorted(self.names) and data.targets:
            raise ValueError(
                "The targets must be those that the model was trained on: "
                f"{self.names}. Received: targets={list(data.targets)}"
            )
        data = data.answering(self.names)
        for name, part in self.parts.items():
            column = _column(data, name)
            if isinstance(part, Number) and not column.is_number:
                place = next(
                    place
                    for place, value in enumerate(column.values)
                    if not is_number(value)
                )
                found = f"the word {column.values[place]!r} {data.where(place)}"
            elif (
                isinstance(part, Label)
                and column.is_number
                and len(column.label_names) > FEW
                # A recipe may have said so of many numbers.
                and not set(column.label_names) <= set(part.labels)
            ):
                found = f"{len(column.label_names):,} different numbers"
            else:
                continue
            raise ValueError(
                f"The target {name!r} is of another kind than at training, "
                f"where it was a {_kind(part)}. Received: {found}"
            )
        return data

    def _columns(self, data):
        """The targets, each as its part takes it."""
        columns = []
        for name, part in self.parts.items():
            column = _column(data, name)
            if isinstance(part, Label):
                _check_classes(data, name, column, part.labels)
            columns.append(part.select(column))
        return columns


@dataclasses.dataclass
class Column:
    """One target of a table, as examples of one label or number."""

    values: np.ndarray
    labels: np.ndarray
    label_names: list
    is_number: bool

    def __len__(self):
        return len(self.values)


def _column(data, name):
    values = data.columns[name]
    found, places = np.unique(values, return_inverse=True)
    return Column(
        values,
        places.astype("int64"),
        [shown_value(value) for value in found],
        values.dtype.kind == "f",
    )


def _varied(data, name):
    """A target to learn from, which is not the same in every row."""
    column = _column(data, name)
    if len(column.label_names) < 2:
        raise ValueError(
            "A target must not be the same in every row, or there is nothing "
            f"to learn. Received: {column.label_names[0]!r} in each of "
            f"{len(data)} rows of the column {name!r}"
        )
    return column


def _check_classes(data, name, column, labels):
    unknown = [label for label in column.label_names if label not in labels]
    if unknown:
        label = unknown[0]
        place = column.labels.tolist().index(column.label_names.index(label))
        near = difflib.get_close_matches(label, labels, n=3)
        raise ValueError(
            f"The classes of the target {name!r} must be among the model's: "
            f"{labels}. Received: {label!r} {data.where(place)}"
            + (f"; near: {near}" if near else "")
        )


def _part(tensors, name):
    return {
        key.removeprefix(f"{name}/"): tensor
        for key, tensor in tensors.items()
        if key.rpartition("/")[0] == name
    }


def _kind(part):
    return "label" if isinstance(part, Label) else "number"


def _wrong(value):
    return PresetError(
        "`targets.json` must list the targets, each with a name of its own and "
        "a kind: a label with its labels, or a number with mean and deviation. "
        f"Received: {shown(value)}"
    )
