"""Text classification: a text in, a label out."""

from zoo.data.texts import load_texts
from zoo.inputs.text import Text
from zoo.outputs.label import Label
from zoo.task import Task
from zoo.text_classification.picture import (
    words_figure,
    words_html,
    words_page,
)


class TextClassification(Task):
    """Answers with a label: `predict("What a film!")["label"]`.

    What a raw input is says `zoo.inputs.text.Text`; what an answer is says
    `zoo.outputs.label.Label`. The vocabulary is learned from the training data;
    what becomes of it in a copy says `finetune`. The arguments are those of
    `zoo.task.Task`.
    """

    name = "text_classification"
    input, output = Text, Label
    read = staticmethod(load_texts)

    def picture(self, raws, answers):
        return words_figure(answers, self.input.tokens.keep)

    def page(self, answers):
        return words_page(answers, self.input.tokens.keep)

    def html(self, answers):
        return words_html(answers, self.input.tokens.keep)
