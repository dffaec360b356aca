"""Image classification: raw pixels in, a label out."""

from zoo.data.images import load_images
from zoo.image_classification.picture import where_it_looked
from zoo.inputs.image import Image
from zoo.outputs.label import Label
from zoo.task import Task


class ImageClassification(Task):
    """Answers with a label: `predict("cat.png")["label"]`.

    What a raw input is says `zoo.inputs.image.Image`; what an answer is says
    `zoo.outputs.label.Label`. The arguments are those of `zoo.task.Task`.
    """

    name = "image_classification"
    input, output = Image, Label
    read = staticmethod(load_images)

    def picture(self, raws, answers):
        read = self.input.arrays(raws)["image"]
        return where_it_looked(raws, read, answers, model=self.model)
