"""A text as the input of a task."""

import numpy as np

from zoo.cards import check_strings
from zoo.data import tokens as token_data
from zoo.data.texts import text_from_shell, text_to_shell
from zoo.data.tokens import SPECIAL, Tokens
from zoo.inputs import word_notes


class Text:
    """A text, a string; several are a list of strings.

    An answer says of it, beside what the task answers, `cut`, how many words
    were not read, being beyond the length that the network takes, at the
    beginning where `keep` is `"last"`; and `unknown`, the words that were read
    but are not in the vocabulary. Where the model looked says `words`, as
    `weighed_words` gives them.

    Args:
        vocabulary: List of strings, learned from the training data.
        **settings: Those of `zoo.data.tokens.Tokens`.
    """

    noun = "text"
    asked = "TEXT..."
    columns_asked = ("text",)
    suffixes = (".txt",)
    roles = ("vocabulary",)
    flags = ()
    choices = {
        "vocabulary_size": ("tokens", "vocabulary_size"),
        "length": ("tokens", "length"),
        "words": ("tokens", "length"),
        "sentences": ("tokens", "sentences"),
        "keep": ("tokens", "keep"),
    }

    def __init__(self, vocabulary, **settings):
        self.tokens = Tokens(vocabulary, **settings)

    @classmethod
    def learn(cls, data, recipe):
        learned = Tokens.learn(data.raws, **recipe["tokens"])
        return cls(learned.vocabulary, **learned.config())

    @classmethod
    def from_card(cls, settings, assets):
        check_strings(assets["vocabulary"], "vocabulary")
        return cls(assets["vocabulary"], **settings)

    def like(self, data, vocabulary=None):
        """The input of a copy that learns from `data`, the same if it can.

        Args:
            data: What is learned from.
            vocabulary: As in `zoo.inputs.word_notes.adapted`.

        Returns:
            `(input, said)`, an input and what a user should know of it.
        """
        words, said = word_notes.adapted(self.tokens, data, vocabulary)
        if words is self.tokens.vocabulary:
            return self, said
        return type(self)(words, **self.tokens.config()), said

    def rows(self, before):
        """Of layers with a row for each id: where each was with `before`.

        Returns:
            Dict from a layer's name to integers, -1 for what is new.
        """
        own, others = self.tokens.vocabulary, before.tokens.vocabulary
        return {"embedding": word_notes.rows_of(own, others)}

    def settings(self):
        return self.tokens.config()

    def assets(self):
        return {"vocabulary": self.tokens.vocabulary}

    def sizes(self):
        tokens = self.tokens
        if tokens.sentences is None:
            shape = {"length": tokens.length}
        else:
            shape = {"sentences": tokens.sentences, "words": tokens.length}
        return {"vocabulary_size": tokens.vocabulary_size, **shape}

    def tensors(self):
        rows, length = self.tokens.sentences, self.tokens.length
        shape = (length,) if rows is None else (rows, length)
        return {"token_ids": (shape, "int32")}

    def several(self, raw):
        several = isinstance(raw, (list, tuple))
        return several, raw if several else [raw]

    def arrays(self, raws):
        return {"token_ids": self.tokens(raws)}

    def reader(self, data, augment=(), seed=0):
        word_notes.check_no_augmentation(augment)
        word_notes.warn_of_unknown_data(self.tokens, data)
        ids = self.tokens(data.raws)
        return lambda indices, epoch, place: {"token_ids": ids[indices]}

    def notes(self, raws, maps):
        notes = [
            {"cut": self.tokens.cut(raw), "unknown": self.tokens.unknown(raw)}
            for raw in raws
        ]
        for index, (raw, note) in enumerate(zip(raws, notes)):
            if maps:
                own = {name: weights[index] for name, weights in maps.items()}
                note["words"] = weighed_words(self.tokens, raw, own)
        unknown = [note["unknown"] for note in notes]
        word_notes.warn_of_unknown_raws(self.tokens, raws, unknown)
        return notes

    def start(self, model):
        pass

    def golden(self):
        """Ids at random, the second half of the second text being padding."""
        generator = np.random.default_rng(0)
        ((shape, _),) = self.tensors().values()
        ids = generator.integers(1, self.tokens.vocabulary_size, (2, *shape))
        for axis, size in enumerate(shape):
            np.moveaxis(ids[1], axis, 0)[(size + 1) // 2 :] = 0
        return {"token_ids": ids.astype("int32")}

    def extremes(self):
        """One backwards; then empty, full, unknown, and of one word."""
        ids = self.tokens(word_notes.extreme_texts(self.tokens.vocabulary))
        backwards = self.golden()["token_ids"][:1, ::-1]
        return {"token_ids": np.concatenate([backwards, ids])}

    def served(self):
        return {"text": "string"}

    def requests(self, arrays):
        """The words of the ids, and texts that are hard to take apart."""
        vocabulary = self.tokens.vocabulary
        texts = [
            word_notes.said(vocabulary, np.atleast_2d(ids))
            for ids in arrays["token_ids"]
        ]
        texts += word_notes.extreme_texts(vocabulary) + word_notes.HARD_TEXTS
        return {"text": texts}, texts

    def tensorflow(self):
        import tensorflow as tf

        tokens = self.tokens

        class Reading(tf.Module):
            def __init__(self):
                self.ids = token_data.vectorization(tokens)

            def __call__(self, text):
                return {"token_ids": self.ids(text)}, {}

        return Reading()

    def files(self):
        words = [*SPECIAL, *self.tokens.vocabulary]
        return {"vocabulary.txt": "".join(f"{word}\n" for word in words)}

    def from_shell(self, words, options):
        return [text_from_shell(word) for word in words]

    def to_shell(self, raw):
        """The arguments that ask about a raw input, or `None`."""
        return [text_to_shell(raw)]

    def from_table(self, columns, folder, where):
        word_notes.check_cells(columns, where)
        return columns["text"]

    def shown(self, raw, note):
        return word_notes.shown_text(
            raw, note["cut"], note["unknown"], self.tokens.keep
        )


def weighed_words(tokens, text, maps):
    """The words of a text as a model read them, and how much it looked at each.

    Args:
        tokens: `zoo.data.tokens.Tokens`.
        text: String.
        maps: Dict from name to the weights for this text.

    Returns:
        List of pairs `(word, weight)`; where the model reads by sentences, a
        list of dicts, `weight` of the sentence and `words`, such a list. The
        weights sum to one over the words, over the words of a sentence, and
        over the sentences. They are those of the pooling; without one that
        weighs, the share of the last block's attention that each word received,
        heads and words averaged.
    """
    words = tokens.words(text)
    if tokens.sentences is not None:
        of_words = maps["attention/words"]
        of_sentences = maps["attention/sentences"]
        return [
            {"weight": float(weight), "words": _pairs(sentence, weights)}
            for sentence, weights, weight in zip(words, of_words, of_sentences)
        ]
    if "pool" in maps:
        return _pairs(words, maps["pool"])
    weights = list(maps.values())[-1]
    received = weights[:, : max(1, len(words))].mean(axis=(0, 1))
    return _pairs(words, received)


def _pairs(words, weights):
    return [(word, float(weight)) for word, weight in zip(words, weights)]
