"""Segmentation and saliency: an image in, a mask of its own size out."""

from zoo.data.masks import load_masks
from zoo.inputs.image import Image
from zoo.outputs.mask import Mask
from zoo.outputs.saliency import Saliency
from zoo.segmentation.picture import masks_of_answers, saliency_of_answers
from zoo.task import Task


def load_salient(source="odd_one_out", split="train"):
    """Finds images and masks of what stands out in them.

    Args:
        source: As `zoo.data.masks.load_masks` takes it, such as
            `"odd_one_out"`, pictures made here in which one object is unlike
            all others; `"weizmann_horse"`; or a folder. There must be two
            classes, the second of which stands out.
        split: `"train"` or `"test"`.

    Returns:
        `zoo.data.masks.MaskData`.

    Raises:
        ValueError: As there.
        FileNotFoundError: As there.
    """
    return load_masks(source, split)


def _learned(cls, data, recipe):
    """The input and the output, both of one size."""
    input = cls.input.learn(data, recipe)
    return input, cls.output.learn(data, recipe, input.size)


class Segmentation(Task):
    """Answers with a class for each pixel: `predict("street.png")["mask"]`.

    What a raw input is says `zoo.inputs.image.Image`; what an answer is says
    `zoo.outputs.mask.Mask`. The arguments are those of `zoo.task.Task`.
    """

    name = "segmentation"
    input, output = Image, Mask
    learn = classmethod(_learned)
    read = staticmethod(load_masks)

    def picture(self, raws, answers):
        read = self.input.arrays(raws)["image"]
        labels = self.output.labels
        return masks_of_answers(raws, read, answers, labels, self.model)


class SaliencyDetection(Task):
    """Answers with what stands out: `predict("horse.png")["saliency"]`.

    What a raw input is says `zoo.inputs.image.Image`; what an answer is says
    `zoo.outputs.saliency.Saliency`. The arguments are those of
    `zoo.task.Task`.
    """

    name = "saliency"
    input, output = Image, Saliency
    learn = classmethod(_learned)
    read = staticmethod(load_salient)

    def picture(self, raws, answers):
        read = self.input.arrays(raws)["image"]
        return saliency_of_answers(raws, read, answers, self.model)
