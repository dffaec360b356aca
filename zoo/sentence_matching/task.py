"""Sentence matching: a pair of texts in, a label out; or candidates, ranked."""

from zoo.data.pairs import load_candidates, load_pairs
from zoo.inputs.candidates import Candidates
from zoo.inputs.text_pair import TextPair
from zoo.metrics import f1
from zoo.outputs.label import Label
from zoo.outputs.ranking import Ranking
from zoo.sentence_matching.picture import alignment_figure
from zoo.task import Task


class SentenceMatching(Task):
    """Answers with a label for two texts: paraphrase, entailment.

    What a raw input is says `zoo.inputs.text_pair.TextPair`; what an answer is
    says `zoo.outputs.label.Label`. The vocabulary is learned from the training
    data; what becomes of it in a copy says `finetune`. The arguments are those
    of `zoo.task.Task`.
    """

    name = "sentence_matching"
    input, output = TextPair, Label
    read = staticmethod(load_pairs)

    def measured(self, outputs, data):
        """As `Label.measure`; of two classes also `f1`, of the second."""
        found = self.output.measure(outputs, data)
        loss = found.pop("loss")
        if len(self.output.labels) == 2:
            guesses = outputs["logits"].argmax(axis=-1)
            found["f1"] = f1(guesses, data.labels, data.together)
        return {**found, "loss": loss}

    def picture(self, raws, answers):
        return alignment_figure(answers, self.input.tokens.left_length)


class AnswerSelection(Task):
    """Ranks candidate sentences by how well they answer a question.

    What a raw input is says `zoo.inputs.candidates.Candidates`; what an answer
    is says `zoo.outputs.ranking.Ranking`. The arguments are those of
    `zoo.task.Task`.
    """

    name = "answer_selection"
    input, output = Candidates, Ranking
    read = staticmethod(load_candidates)

    def picture(self, raws, answers):
        best = [answer["answers"][0] for answer in answers]
        return alignment_figure(best, self.input.tokens.left_length)
