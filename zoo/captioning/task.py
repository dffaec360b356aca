"""Captioning: an image in, words out; or an image and boxes on it."""

import numpy as np

from zoo.captioning.picture import (
    region_strips_of_answers,
    strips_of_answers,
)
from zoo.data.captions import load_captions
from zoo.data.region_captions import load_region_captions
from zoo.inputs.image import Image
from zoo.inputs.image_with import ImageWithBoxes
from zoo.outputs.words import Words
from zoo.pointing import pointing, pointing_among
from zoo.scores import Score
from zoo.task import Task
from zoo.teaching import taught


class Captioning(Task):
    """Answers with a caption: `predict("dog.png")["caption"]`.

    What a raw input is says `zoo.inputs.image.Image`; what an answer is says
    `zoo.outputs.words.Words`. The arguments are those of `zoo.task.Task`.
    """

    name = "captioning"
    input, output = Image, Words
    read = staticmethod(load_captions)

    def measured(self, outputs, data):
        """As `Words.measure`; and where it looks, if the data know where to.

        `pointing` is the share of words about an object at which the heaviest
        place lies on that object, the right words before it being told, and
        `chance` that of a place drawn at random.
        """

        def on_boxes(weights, images, owners):
            return pointing(weights, data.truth["boxes"][images, owners])

        return _measured(self, outputs, data, on_boxes)

    def count(self, metric, data):
        """How many captions the loss is of, words `pointing`, else images."""
        found = _count(self, metric, data)
        return super().count(metric, data) if found is None else found

    def picture(self, raws, answers):
        return strips_of_answers(raws, answers)


class RegionCaptioning(Task):
    """Answers with a caption, of an image and boxes on it.

    `predict({"image": "dog.png", "boxes": [(-1, -1, 0, 1), (0, -1, 1, 0.5)]})`.
    The boxes may come from a detector, or from the user. What a raw input is
    says `zoo.inputs.several.Several`, of an `Image` and `Boxes`; what an answer
    is says `zoo.outputs.words.Words`. The arguments are those of
    `zoo.task.Task`.
    """

    name = "region_captioning"
    input, output = ImageWithBoxes, Words
    read = staticmethod(load_region_captions)

    def measured(self, outputs, data):
        """As `Words.measure`; and which box it looks at, if the data know it.

        `pointing` is the share of words about an object at which its box is the
        heaviest, the right words before it being told, and `chance` that of a
        box drawn at random.
        """
        counts = np.array(list(map(len, data.boxes)))

        def among_boxes(weights, images, owners):
            return pointing_among(weights, counts[images], owners)

        return _measured(self, outputs, data, among_boxes)

    def count(self, metric, data):
        """As in `Captioning`."""
        found = _count(self, metric, data)
        return super().count(metric, data) if found is None else found

    def picture(self, raws, answers):
        return region_strips_of_answers(raws, answers)


def _measured(task, outputs, data, point):
    """The metrics of captions, and what `point` tells of words on objects."""
    losses, maps = taught(task, data)
    found = task.output.measure({**outputs, "losses": losses}, data)
    if maps is None or data.truth is None:
        return found
    if not task.count("pointing", data):  # no word is about an object
        return found
    loss = found.pop("loss")
    counts = [len(each) for each in data.captions]
    first = np.cumsum([0, *counts[:-1]])  # the reference that `owners` is of
    owners = _owners(task, data)
    images, words = np.nonzero(owners >= 0)
    weights = maps[first[images], words]
    hits, chance = point(weights, images, owners[images, words])
    by_chance = Score.mean(chance, images)
    found["pointing"] = Score.mean(hits, images, baseline=float(by_chance))
    found["chance"] = by_chance
    return {**found, "loss": loss}


def _count(task, metric, data):
    """How many captions or words a metric is of; `None`: as of any task."""
    if metric == "loss":
        return sum(map(len, data.captions))
    if metric in ("pointing", "chance"):
        return int((_owners(task, data) >= 0).sum())
    return None


def _owners(task, data):
    """Of each word that the model can say, the object that it is about."""
    return data.truth["owners"][:, : task.output.said.length]
