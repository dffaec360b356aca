"""Captioning: raw pixels in, words out."""

import numpy as np

from zoo.captioning.picture import strips_of_answers
from zoo.data.captions import load_captions
from zoo.inputs.image import Image
from zoo.outputs.words import Words
from zoo.pointing import pointing
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
        losses, maps = taught(self, data)
        found = self.output.measure({**outputs, "losses": losses}, data)
        if maps is None or data.truth is None:
            return found
        if not self.count("pointing", data):  # no word is about an object
            return found
        loss = found.pop("loss")
        owners = self._owners(data)
        hits, chance = pointing(*_words_about_objects(maps, owners, data))
        found["pointing"] = float(np.mean(hits))
        found["chance"] = float(np.mean(chance))
        return {**found, "loss": loss}

    def count(self, metric, data):
        """How many captions the loss is of, words `pointing`, else images."""
        if metric == "loss":
            return sum(map(len, data.captions))
        if metric in ("pointing", "chance"):
            return int((self._owners(data) >= 0).sum())
        return super().count(metric, data)

    def picture(self, raws, answers):
        return strips_of_answers(raws, answers)

    def _owners(self, data):
        """Of each word that the model can say, the object that it is about."""
        return data.truth["owners"][:, : self.output.said.length]


def _words_about_objects(maps, owners, data):
    """`(weights, boxes)` of each word that is about an object."""
    counts = [len(each) for each in data.captions]
    first = np.cumsum([0, *counts[:-1]])  # the reference that `owners` is of
    images, words = np.nonzero(owners >= 0)
    boxes = data.truth["boxes"][images, owners[images, words]]
    return maps[first[images], words], boxes
