"""An image with boxes on it, or with a question about it."""

from zoo.inputs.boxes import Boxes
from zoo.inputs.image import Image
from zoo.inputs.several import Several
from zoo.inputs.text import Text


class StillImage(Image):
    """An image that training does not move: its boxes would stay behind."""

    augmentation = ("contrast", "brightness")


ImageWithBoxes = Several.of(image=StillImage, boxes=Boxes)
ImageWithQuestion = Several.of(image=Image, question=Text)
