"""Visual question answering: a picture and a question in, a label out."""

import numpy as np

from zoo.data.questions import load_questions
from zoo.inputs.image_with import ImageWithQuestion
from zoo.metrics import share_right
from zoo.outputs.label import Label
from zoo.picture_grids import grid_of
from zoo.pointing import pointing
from zoo.scores import Score
from zoo.task import Task
from zoo.visual_question_answering.picture import where_it_looked


class VisualQuestionAnswering(Task):
    """Answers a question about a picture with a label.

    `predict({"image": "cat.png", "question": "what is it?"})["label"]`. What a
    raw input is says `zoo.inputs.several.Several`, of an `Image` and a `Text`;
    what an answer is says `zoo.outputs.label.Label`. The vocabulary is learned
    from the training data; what becomes of it in a copy says `finetune`. The
    arguments are those of `zoo.task.Task`.
    """

    name = "visual_question_answering"
    input, output = ImageWithQuestion, Label
    read = staticmethod(load_questions)

    def measured(self, outputs, data):
        """As `Label.measure`, and more where the data know more.

        `accuracy_` of each kind of question. Of questions about an object,
        `pointing` is the share at which the heaviest place lies on that object,
        at the last of several looks, and `chance` that of a place drawn at
        random.
        """
        found = self.output.measure(outputs, data)
        loss, truth = found.pop("loss"), data.truth or {}
        guesses = outputs["logits"].argmax(axis=-1)
        kinds = np.unique(truth.get("kind", ()))
        for kind in kinds if len(kinds) > 1 else ():
            own = truth["kind"] == kind
            found[f"accuracy_{kind}"] = share_right(
                guesses[own], data.labels[own], data.together[own]
            )
        if "box" in truth:
            found |= self._pointing(data)
        return {**found, "loss": loss}

    def count(self, metric, data):
        """How many questions a metric is of."""
        if metric in ("pointing", "chance"):
            return int(data.truth["box"].any(axis=1).sum())
        if metric.startswith("accuracy_"):
            kind = metric.removeprefix("accuracy_")
            return int((data.truth["kind"] == kind).sum())
        return super().count(metric, data)

    def picture(self, raws, answers):
        return where_it_looked(raws, answers, grid_of(self.model))

    def _pointing(self, data):
        """`pointing` and `chance`, where there is what they are of."""
        data = data.take(np.flatnonzero(data.truth["box"].any(axis=1)))
        if not len(data) or not self.has_attention():
            return {}
        _, maps = self.run(self.input.reader(data), len(data), 250, True)
        last = maps["attention"].reshape(len(data), -1, *grid_of(self.model))
        hits, chance = pointing(last[:, -1], data.truth["box"])
        return {
            "pointing": Score.mean(
                hits, data.together, baseline=float(chance.mean())
            ),
            "chance": Score.mean(chance, data.together),
        }
