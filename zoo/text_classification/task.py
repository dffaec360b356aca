"""Text classification: a text in, a label out."""

import numpy as np

from zoo.data import texts as text_data
from zoo.data.tokens import Tokens
from zoo.reading import Reading
from zoo.text_classification import picture
from zoo.text_classification.hierarchical_attention_network import (
    hierarchical_attention_network,
)
from zoo.text_classification.recurrent_classifier import recurrent_classifier
from zoo.text_classification.transformer_classifier import (
    transformer_classifier,
)


class TextClassification(Reading):
    """Answers with a label: `predict("What a film!")["label"]`.

    A raw input is a string; several are a list of strings. An answer is a dict:
    `label`, its `probability`, `probabilities`, a dict from label to share, the
    highest first; `cut`, how many words were not read, being beyond the length
    that the network takes, at the beginning where the card's `keep` is
    `"last"`; and `unknown`, the words that were read but are not in the
    vocabulary.

    The vocabulary is learned from the training data, and kept: a copy that is
    fine-tuned reads by the same one.

    The arguments are those of `zoo.task.Task`; `assets` has `"vocabulary"`, a
    list of words, too.
    """

    name = "text_classification"
    noun = "text"
    asked = "TEXT..."
    source = text_data
    builders = {
        "hierarchical_attention_network": hierarchical_attention_network,
        "recurrent_classifier": recurrent_classifier,
        "transformer_classifier": transformer_classifier,
    }

    def __init__(self, model, card, assets):
        super().__init__(model, card, assets)
        self.tokens = Tokens(assets["vocabulary"], **card["preprocessing"])

    def from_shell(self, words):
        return [text_data.text_from_shell(word) for word in words]

    def look(self, raw, batch_size=32):
        """Answers, and says which words the model looked at.

        Args:
            raw: A string, or a list of them.
            batch_size: Positive integer. How many are computed at once.

        Returns:
            As `zoo.task.Task.look`, each dict with `"words"` as well: the words
            as the model read them, a list of pairs `(word, weight)`; where it
            reads by sentences, a list of dicts, `weight` of the sentence and
            `words`, such a list. The weights sum to one over the words, over
            the words of a sentence, and over the sentences. They are those of
            the pooling; without one that weighs, the share of the last block's
            attention that each word received, heads and words averaged.

        Raises:
            ValueError: If the model has no attention layer.
        """
        self.check_attention()
        several, raws = self.several(raw)
        answers = super().look(raws, batch_size)
        for text, answer in zip(raws, answers):
            answer["words"] = self._weighed_words(text, answer["attention"])
        return answers if several else answers[0]

    @classmethod
    def assets_from(cls, data, recipe):
        tokens = Tokens.learn(data.texts, **recipe["tokens"])
        return {
            **super().assets_from(data, recipe),
            "vocabulary": tokens.vocabulary,
        }

    @classmethod
    def builder_args(cls, recipe, assets):
        tokens = _tokens(recipe, assets)
        if tokens.sentences is None:
            shape = {"length": tokens.length}
        else:
            shape = {"sentences": tokens.sentences, "words": tokens.length}
        return {
            **super().builder_args(recipe, assets),
            "vocabulary_size": tokens.vocabulary_size,
            **shape,
        }

    @classmethod
    def preprocessing(cls, recipe, assets):
        return _tokens(recipe, assets).config()

    @classmethod
    def read(cls, data, split="test"):
        return text_data.load_texts(data, split)

    def golden_inputs(self):
        """Ids at random, the second half of the second text being padding."""
        generator = np.random.default_rng(0)
        shape = self.model.input_shape[1:]
        ids = generator.integers(1, self.tokens.vocabulary_size, (2, *shape))
        for axis, size in enumerate(shape):
            np.moveaxis(ids[1], axis, 0)[(size + 1) // 2 :] = 0
        return ids.astype("int32")

    def picture(self, raws, answers):
        return picture.words_figure(answers, self.tokens.keep)

    def page(self, answers):
        return picture.words_page(answers, self.tokens.keep)

    def signatures(self):
        return self.signed(("text",), {"token_ids": self.model.input})

    def _weighed_words(self, text, maps):
        words = self.tokens.words(text)
        if self.tokens.sentences is not None:
            of_words = maps["attention/words"]
            of_sentences = maps["attention/sentences"]
            return [
                {"weight": float(weight), "words": _pairs(sentence, weights)}
                for sentence, weights, weight in zip(
                    words, of_words, of_sentences
                )
            ]
        if "pool" in maps:
            return _pairs(words, maps["pool"])
        weights = list(maps.values())[-1]
        received = weights[:, : max(1, len(words))].mean(axis=(0, 1))
        return _pairs(words, received)


def _tokens(recipe, assets):
    settings = {**recipe["tokens"]}
    settings.pop("vocabulary_size", None)
    return Tokens(assets["vocabulary"], **settings)


def _pairs(words, weights):
    return [(word, float(weight)) for word, weight in zip(words, weights)]
