"""Sentence matching: a pair of texts in, a label out; or candidates, ranked."""

import keras
import numpy as np

from zoo import metrics
from zoo.data import labelled
from zoo.data import pairs as pair_data
from zoo.data.pair_tokens import PairTokens
from zoo.data.texts import text_from_shell
from zoo.data.vectors import corpus, learn_vectors, load_vectors
from zoo.reading import Reading
from zoo.sentence_matching import picture
from zoo.sentence_matching.abcnn import abcnn
from zoo.sentence_matching.mwan import mwan
from zoo.task import check_loss


class SentenceMatching(Reading):
    """Answers with a label for two texts: paraphrase, entailment.

    A raw input is a tuple of two strings, `(left, right)`; several are a list
    of tuples. An answer is a dict: `label`, its `probability`,
    `probabilities`, a dict from label to share, the highest first; `cut`, how
    many words of left and of right were not read, being beyond the lengths that
    the network takes; and `unknown`, the words of left and of right that were
    read but are not in the vocabulary.

    The vocabulary is learned from the training data, and kept: a copy that is
    fine-tuned reads by the same one.

    The arguments are those of `zoo.task.Task`; `assets` has `"vocabulary"`, a
    list of words, too.
    """

    name = "sentence_matching"
    noun = "pair"
    asked = "LEFT RIGHT"
    source = pair_data
    builders = {"abcnn": abcnn, "mwan": mwan}

    def __init__(self, model, card, assets):
        super().__init__(model, card, assets)
        self.tokens = PairTokens(assets["vocabulary"], **card["preprocessing"])

    @classmethod
    def untrained(
        cls, recipe, labels, dtype=None, idf=None, vectors=None, **assets
    ):
        """As `zoo.task.Task.untrained`.

        Args:
            recipe: As there.
            labels: As there.
            dtype: As there.
            idf: List of floats, how rare the word of each id is; for networks
                with `overlap_features`.
            vectors: Dict from word to array, which word vectors start from;
                words that it lacks start at random.
            **assets: As there.

        Returns:
            A task.
        """
        if vectors:
            depth = len(next(iter(vectors.values())))
            builder_args = {**recipe["builder_args"], "embedding_dim": depth}
            recipe = {**recipe, "builder_args": builder_args}
        task = super().untrained(recipe, labels, dtype, **assets)
        names = {layer.name for layer in task.model.layers}
        if idf is not None and "overlap_features" in names:
            task.model.get_layer("overlap_features").idf.assign(idf)
        if vectors:
            table = task.model.get_layer("embedding").embeddings
            # The others are drawn for vectors of length one.
            length = np.mean([np.linalg.norm(x) for x in vectors.values()])
            rows = keras.ops.convert_to_numpy(table) * length
            for place, word in enumerate(task.tokens.vocabulary, 2):
                if word in vectors:
                    rows[place] = vectors[word]
            table.assign(rows)
        return task

    def several(self, raw):
        several = isinstance(raw, list)
        raws = raw if several else [raw]
        for place, each in enumerate(raws):
            if (
                not isinstance(each, tuple)
                or len(each) != 2
                or not all(isinstance(text, str) for text in each)
            ):
                raise ValueError(
                    "A pair must be a tuple of two strings, left and right; "
                    "several are a list of tuples. "
                    f"Received: {repr(each)[:60]} at place {place}"
                )
            self._check_words(each, place, ("left", "right"))
        return several, raws

    def answers(self, raws, attention, batch_size):
        answers = super().answers(raws, attention, batch_size)
        for pair, answer in zip(raws, answers):
            if attention:
                answer["words"] = self.tokens.words(pair)
        return answers

    def look(self, raw, batch_size=32):
        """Answers, and says which words the model found alike.

        Args:
            raw: A pair, or a list of them.
            batch_size: Positive integer. How many are computed at once.

        Returns:
            As `zoo.task.Task.look`, each dict with `"words"` as well: the words
            of left and those of right as they were read, to which the first
            rows and columns of the maps belong. What comes after them is
            padding. The map `"block_1/output"` of ABCNN has a row for each
            window instead.

        Raises:
            ValueError: If the model has no attention layer, as BCNN.
        """
        return super().look(raw, batch_size)

    def from_shell(self, words):
        if len(words) % 2:
            raise ValueError(
                "Texts are compared two by two, so there must be an even "
                f"number of them. Received: {len(words)}"
            )
        texts = [text_from_shell(word) for word in words]
        return list(zip(texts[::2], texts[1::2]))

    def evaluate(self, data=None, batch_size=250, verbose=0):
        """Measures the model.

        Args:
            data: As in `zoo.task.Task.evaluate`.
            batch_size: Positive integer.
            verbose: As in `keras.Model.predict`.

        Returns:
            Dict from metric to float: what `measures` gives, and `"loss"`.

        Raises:
            ValueError: If the loss is not finite.
        """
        data = self.to_measure(data)
        labels = self.in_own_classes(data).labels
        logits = self.model.predict(
            self.batches(data, batch_size), verbose=verbose
        ).astype("float64")
        highest = logits.max(axis=1, keepdims=True)
        shares = np.exp(logits - highest)
        shares /= shares.sum(axis=1, keepdims=True)
        right = np.maximum(shares[np.arange(len(labels)), labels], 1e-300)
        loss = float(-np.log(right).mean())
        check_loss(loss)
        return {**self.measures(labels, shares, data), "loss": loss}

    def measures(self, labels, probabilities, data):
        """The metrics of a kind of task.

        Args:
            labels: Integers `(N,)`, places in the model's classes.
            probabilities: `(N, classes)`.
            data: `PairData`.

        Returns:
            Dict of floats: `"accuracy"`; of two classes also `"f1"`, of the
            second.
        """
        from sklearn.metrics import accuracy_score, f1_score

        guesses = probabilities.argmax(axis=1)
        found = {"accuracy": float(accuracy_score(labels, guesses))}
        if probabilities.shape[1] == 2:
            found["f1"] = float(f1_score(labels, guesses, zero_division=0))
        return found

    @classmethod
    def assets_from(cls, data, recipe):
        tokens = PairTokens.learn(data.pairs, **recipe["tokens"])
        texts = list(
            dict.fromkeys(text for pair in data.pairs for text in pair)
        )
        assets = {
            **super().assets_from(data, recipe),
            "vocabulary": tokens.vocabulary,
            "idf": tokens.idf(texts),
        }
        source = recipe.get("vectors")
        if isinstance(source, dict):
            for name in source["learned_from"]:
                texts += corpus(name)
            depth = recipe["builder_args"]["embedding_dim"]
            assets["vectors"] = learn_vectors(texts, tokens.vocabulary, depth)
        elif source is not None:
            assets["vectors"] = load_vectors(source, tokens.vocabulary)
        return assets

    @classmethod
    def builder_args(cls, recipe, assets):
        tokens = _tokens(recipe, assets)
        return {
            **super().builder_args(recipe, assets),
            "vocabulary_size": tokens.vocabulary_size,
            **tokens.config(),
        }

    @classmethod
    def preprocessing(cls, recipe, assets):
        return _tokens(recipe, assets).config()

    @classmethod
    def read(cls, data, split="test"):
        return pair_data.load_pairs(data, split)

    def golden_inputs(self):
        """Ids at random, the second half of the second pair being padding."""
        generator = np.random.default_rng(0)
        inputs = {}
        for name, symbol in self.model.input.items():
            length = symbol.shape[1]
            ids = generator.integers(2, self.tokens.num_ids, (2, length))
            ids[1, (length + 1) // 2 :] = 0
            inputs[name] = ids.astype("int32")
        return inputs

    def picture(self, raws, answers):
        return picture.alignment_figure(answers, self.tokens.left_length)

    def signatures(self):
        return self.signed(("left", "right"), self.model.input)

    def _check_words(self, texts, place, names):
        for name, text in zip(names, texts):
            if not any(map(len, self.tokens.words((text, "")))):
                raise ValueError(
                    "Each text must hold a word, or there is nothing to "
                    f"compare. Received: {name}={text[:50]!r} at place {place}"
                )


class AnswerSelection(SentenceMatching):
    """Ranks candidate sentences by how well they answer a question.

    A raw input is a tuple `(question, candidates)`, a string and a list of
    strings; several are a list of tuples. An answer is a dict: `question`, and
    `answers`, the best first, each a dict with its `text`, its `score`, the
    probability of being right, its `place` among the candidates from 0, and
    `cut` and `unknown`, as in `SentenceMatching`: how many words of it and of
    the question were not read, and which are not in the vocabulary. Candidates
    with equal scores stay in their order.

    To the network a candidate is left, the question right. Data are questions
    and candidates in two classes, `"wrong"` and `"right"`.

    The arguments are those of `SentenceMatching`.
    """

    name = "answer_selection"
    noun = "question"
    asked = "--question TEXT --candidates FILE"

    def several(self, raw):
        several = isinstance(raw, list)
        raws = raw if several else [raw]
        for place, each in enumerate(raws):
            if (
                not isinstance(each, tuple)
                or len(each) != 2
                or not isinstance(each[0], str)
                or not isinstance(each[1], (list, tuple))
                or not all(isinstance(text, str) for text in each[1])
            ):
                raise ValueError(
                    "A question must be a tuple of a string and a list of "
                    "strings, its candidates; several are a list of tuples. "
                    f"Received: {repr(each)[:60]} at place {place}"
                )
            question, candidates = each
            if not candidates:
                raise ValueError(
                    "A question must have a candidate at least. "
                    f"Received: none for {question[:50]!r} at place {place}"
                )
            self._check_words([question], place, ["question"])
            for number, candidate in enumerate(candidates):
                self._check_words([candidate], number, ["candidate"])
        return several, raws

    def answers(self, raws, attention, batch_size):
        pairs = [
            (candidate, question)
            for question, candidates in raws
            for candidate in candidates
        ]
        found = iter(super().answers(pairs, attention, batch_size))
        return [
            {
                "question": question,
                "answers": self._ranked(candidates, found),
            }
            for question, candidates in raws
        ]

    def look(self, raw, batch_size=32):
        """Ranks, and says which words the model found alike.

        Args:
            raw: A question with its candidates, or a list of them.
            batch_size: Positive integer. How many are computed at once.

        Returns:
            As `predict`, each of the `answers` with `"attention"` and `"words"`
            as in `SentenceMatching.look`; left is the candidate.

        Raises:
            ValueError: If the model has no attention layer, as BCNN.
        """
        return super().look(raw, batch_size)

    def from_shell(self, words):
        question, *candidates = map(text_from_shell, words)
        return [(question, candidates)]

    def from_question(self, question, candidates):
        return [(question, pair_data.read_lines(candidates))]

    def measures(self, labels, probabilities, data):
        """MAP and MRR over the questions that have a right candidate.

        Args:
            labels: As in `SentenceMatching.measures`.
            probabilities: As there.
            data: `PairData`, whose right texts are the questions.

        Returns:
            Dict of floats: `"map"` and `"mrr"`.
        """
        ranking = labels, probabilities[:, 1], data.groups
        return {
            "map": metrics.mean_average_precision(*ranking),
            "mrr": metrics.mean_reciprocal_rank(*ranking),
        }

    def count(self, data):
        return len(set(data.groups[data.labels == 1]))

    @classmethod
    def read(cls, data, split="test"):
        found = super().read(data, split)
        if isinstance(data, (tuple, list)) or labelled.is_stream(data):
            found = pair_data.as_candidates(found)
        if not found.grouped:
            raise ValueError(
                "Answers are selected from candidates, so data must have the "
                'columns question, candidate and label, be "wikiqa" or '
                '"who_did_what", or pairs (candidate, question) with the '
                "labels wrong and right, or 0 and 1. "
                f"Received: data={found.name!r}, classes {found.label_names}"
            )
        if list(found.label_names) != list(pair_data.ANSWERS):
            raise ValueError(
                f"The classes of candidates must be {list(pair_data.ANSWERS)}, "
                f"in this order. Received: label_names={found.label_names}"
            )
        if not found.labels.any():
            raise ValueError(
                "There must be a question with a right candidate, or there is "
                "nothing to learn or to measure. Received: "
                f"{len(found)} candidates, all of them wrong"
            )
        return found

    def picture(self, raws, answers):
        return picture.alignment_figure(
            [answer["answers"][0] for answer in answers],
            self.tokens.left_length,
        )

    @staticmethod
    def _ranked(candidates, found):
        ranked = []
        for place, text in enumerate(candidates):
            answer = next(found)
            score = answer.pop("probabilities")["right"]
            del answer["label"], answer["probability"]
            ranked.append(
                {"text": text, "score": score, "place": place, **answer}
            )
        return sorted(ranked, key=lambda answer: -answer["score"])


def _tokens(recipe, assets):
    settings = {**recipe["tokens"]}
    settings.pop("vocabulary_size", None)
    return PairTokens(assets["vocabulary"], **settings)
