"""Boxes on an image as the input of a task, beside the image itself."""

import numpy as np

from zoo.data.boxes import (
    MOST,
    ROUNDING,
    checked_boxes,
    read_boxes,
    written_boxes,
)

FORM = "x0, y0, x1, y1 in [-1, 1], y down"


class Boxes:
    """The boxes of an image: a list, array or tensor `(k, 4)`.

    Of each box `(x0, y0, x1, y1)`, x to the right and y downwards, -1 and 1
    being the edges of the image. Several are a list of those, or an array
    `(B, k, 4)`. The network reads as many as the training data had at the most,
    or as the recipe says by `regions`; fewer are padded by boxes of zeros,
    which have no area and are never looked at.

    An answer says of them `count`, how many they are. Where the model looked
    says `weights`, too: a list of rows, one for each step, such as a word and
    the end, of the weight of each box.

    Args:
        most: Integer from 1 to 1,000. How many boxes the network reads.
    """

    noun = "boxes"
    asked = "BOXES"
    columns_asked = ("boxes",)
    suffixes = ()
    roles = ()
    choices = {}
    flags = ("decoded",)  # in an export, whether all were as they must be

    def __init__(self, most):
        if (
            isinstance(most, bool)
            or not isinstance(most, int)
            or not 1 <= most <= MOST
        ):
            raise ValueError(
                "`most` must be a positive integer, how many boxes of an image "
                f"are read, {MOST} at most. Received: most={most!r}"
            )
        self.most = most

    @classmethod
    def learn(cls, data, recipe):
        own = recipe.get("builder_args", {}).get("regions")
        return cls(max(map(len, data.raws)) if own is None else own)

    @classmethod
    def from_card(cls, settings, assets):
        return cls(settings["most"])

    def settings(self):
        return {"most": self.most, "form": FORM}

    def assets(self):
        return {}

    def sizes(self):
        return {"regions": self.most}

    def tensors(self):
        return {"boxes": ((self.most, 4), "float32")}

    def several(self, raw):
        depth = _depth(raw)
        several = depth == 3 or depth == 1 and isinstance(raw, (list, tuple))
        return several, list(raw) if several else [raw]

    def arrays(self, raws):
        boxes = np.zeros((len(raws), self.most, 4), "float32")
        for place, raw in enumerate(raws):
            try:
                found = checked_boxes(raw, self.most)
            except ValueError as error:
                if len(raws) == 1:
                    raise
                raise ValueError(f"{error} of image {place}") from error
            boxes[place, : len(found)] = found
        return {"boxes": boxes}

    def reader(self, data, augment=(), seed=0):
        if augment:
            raise ValueError(
                "Boxes stay where they are, so `augment` must be empty. "
                f"Received: augment={list(augment)!r}"
            )
        boxes = self.arrays(data.raws)["boxes"]
        return lambda indices, epoch, place: {"boxes": boxes[indices]}

    def notes(self, raws, maps):
        notes = [{"count": len(raw)} for raw in raws]
        for index, note in enumerate(notes):
            for weights in maps.values():
                rows = np.atleast_2d(weights[index])[:, : note["count"]]
                # Behind the end there was nothing to look for.
                steps = 1 + max(np.flatnonzero(rows.any(axis=1)), default=-1)
                note["weights"] = rows[:steps].tolist()
        return notes

    def start(self, model):
        pass

    def golden(self):
        """Boxes at random, the second half of the second image's padding."""
        generator = np.random.default_rng(0)
        edges = generator.integers(-64, 65, (2, self.most, 2, 2))
        edges.sort(axis=2)
        edges[:, :, 0] -= edges[:, :, 0] == 64
        edges[:, :, 1] += edges[:, :, 0] == edges[:, :, 1]
        boxes = (edges / 64).reshape(2, self.most, 4)
        boxes[1, (self.most + 1) // 2 :] = 0
        return {"boxes": boxes.astype("float32")}

    def extremes(self):
        """The whole image alone; it, as often as may be; and thin ones."""
        boxes = np.zeros((3, self.most, 4))
        boxes[0, 0] = boxes[1] = (-1, -1, 1, 1)
        for place, box in enumerate(boxes[2]):
            low = place / self.most
            box[:] = (low, -1, low + 1e-3, 1) if place % 2 else (-1, low, 1, 1)
        return {"boxes": boxes.astype("float32")}

    def served(self):
        return {"boxes": ((None, 4), "float32")}

    def requests(self, arrays):
        """The boxes; those with padding between; and those that are none."""
        boxes = arrays["boxes"]
        first, last = boxes[0, 0], boxes[-1, 0]
        no_boxes = [
            [],
            [first] * (self.most + 1),
            [(0.5, 0, 0.5, 1)],
            [(0.5, 1, 1, 0)],
            [first[::-1]],
            [(-1, -1, 1, 1 + 1e-5)],
            [(1, -1, 1 + ROUNDING / 2, 1)],
            [(np.nan, 0, 1, 1)],
            [(0, 0, np.inf, 1)],
        ]
        edge = 1 + ROUNDING / 2
        raws = [each[each.any(axis=1)] for each in boxes]
        raws += [np.array([(-1, -1, edge, 1)]), np.array([last])]
        asked = np.zeros(
            (len(raws) + len(no_boxes), self.most + 1, 4), "float32"
        )
        for row, each in zip(asked, raws):
            row[: len(each)] = each
        asked[len(raws) - 1, :2] = [(0, 0, 0, 0), last]
        for row, each in zip(asked[len(raws) :], no_boxes):
            row[: len(each)] = each or 0
        return {"boxes": asked}, raws + [None] * len(no_boxes)

    def tensorflow(self):
        import tensorflow as tf

        most = self.most

        class Checking(tf.Module):
            def __call__(self, boxes):
                inside = tf.reduce_all(tf.abs(boxes) <= 1 + ROUNDING, axis=-1)
                padding = tf.reduce_all(tf.equal(boxes, 0), axis=-1)
                boxes = tf.clip_by_value(boxes, -1.0, 1.0)
                x0, y0, x1, y1 = tf.unstack(boxes, axis=-1)
                area = tf.logical_and(x0 < x1, y0 < y1)
                right = tf.logical_or(tf.logical_and(area, inside), padding)
                count = tf.reduce_sum(tf.cast(~padding, "int32"), axis=-1)
                decoded = tf.reduce_all(right, axis=-1)
                decoded &= (count > 0) & (count <= most)
                # Those that are there come first, in their order.
                boxes = tf.pad(boxes, [[0, 0], [0, most], [0, 0]])
                padding = tf.pad(
                    padding, [[0, 0], [0, most]], constant_values=True
                )
                order = tf.argsort(
                    tf.cast(padding, "int32"), axis=-1, stable=True
                )
                boxes = tf.gather(boxes, order[:, :most], batch_dims=1)
                boxes = tf.where(decoded[:, None, None], boxes, 0.0)
                return {"boxes": boxes}, {"decoded": decoded}

        return Checking()

    def files(self):
        return {}

    def from_shell(self, words, options):
        return [read_boxes(word) for word in words]

    def to_shell(self, raw):
        """The arguments that ask about a raw input, or `None`."""
        return [written_boxes(raw)]

    def from_table(self, columns, folder, where):
        raws = []
        for place, cell in enumerate(columns["boxes"]):
            try:
                raws.append(read_boxes(cell))
                checked_boxes(raws[-1], self.most)
            except ValueError as error:
                raise ValueError(f"{error} {where(place)}") from error
        return raws

    def shown(self, raw, note):
        return "1 box" if len(raw) == 1 else f"{len(raw)} boxes"


def _depth(raw):
    """Of how many axes an array, or a list of lists, is."""
    if hasattr(raw, "__array__"):
        return len(getattr(raw, "shape", ()))
    if not isinstance(raw, (list, tuple)):
        return 0
    return 1 + (_depth(raw[0]) if raw else 0)
