"""A ranking of candidates as the output of a task."""

from zoo import metrics
from zoo.data.texts import one_line
from zoo.inputs import word_notes
from zoo.outputs.label import Label


class Ranking(Label):
    """The candidates of a question, the best first.

    An answer is a dict: `question`, and `answers`, the best first, each a dict
    with its `text`, its `score`, the probability of being right, its `place`
    among the candidates from 0, and what the input notes of it. Candidates with
    equal scores stay in their order. To the network, a candidate has one of two
    labels, `"wrong"` and `"right"`.

    Args:
        labels: As in `Label`.
    """

    def answers(self, tensors, raws, notes):
        found = iter(super().answers(tensors, raws, notes))
        answers = []
        for question, candidates in raws:
            ranked = []
            for place, text in enumerate(candidates):
                answer = next(found)
                score = answer.pop("probabilities")["right"]
                del answer["label"], answer["probability"]
                ranked.append(
                    {"text": text, "score": score, "place": place, **answer}
                )
            ranked.sort(key=lambda answer: -answer["score"])
            answers.append({"question": question, "answers": ranked})
        return answers

    def measure(self, tensors, data):
        """`map`, `mrr` and `loss`, over the questions with a right candidate.

        Raises:
            ValueError: If the loss is not finite.
        """
        loss = super().measure(tensors, data)["loss"]
        shares = metrics.softmax(tensors["logits"])
        ranking = data.labels, shares[:, 1], data.groups
        return {
            "map": metrics.mean_average_precision(*ranking),
            "mrr": metrics.mean_reciprocal_rank(*ranking),
            "loss": loss,
        }

    def count(self, data):
        return len(set(data.groups[data.labels == 1]))

    classes = {}  # questions are what is counted

    def judged(self, tensors, data):
        return {}

    def cells(self, answer):
        rows = []
        for rank, each in enumerate(answer["answers"], 1):
            row = dict(each)
            first = {"rank": rank, "score": row.pop("score")}
            rows.append({**first, "candidate": row.pop("text"), **row})
        return rows

    def tables(self, noun, shown, answers):
        tables = []
        for question, answer in zip(shown, answers):
            rows = [
                (
                    str(rank),
                    f"{each['score']:.4f}",
                    one_line(each["text"])
                    + word_notes.unread(each["cut"][0], each["unknown"][0]),
                )
                for rank, each in enumerate(answer["answers"], 1)
            ]
            tables.append((question, ("", "score", "candidate"), rows))
        return tables
