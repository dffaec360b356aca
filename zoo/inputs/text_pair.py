"""Two texts as the input of a task."""

import itertools

import numpy as np

from zoo.cards import check_strings
from zoo.data.pair_tokens import PairTokens, pair_vectorization
from zoo.data.texts import text_from_shell, text_to_shell
from zoo.data.tokens import SPECIAL
from zoo.data.vectors import corpus, learn_vectors, load_vectors
from zoo.inputs import word_notes
from zoo.lazy import keras


class TextPair:
    """Two texts, a tuple `(left, right)`; several are a list of tuples.

    An answer says of them, beside what the task answers, `cut`, how many words
    of left and of right were not read, being beyond the lengths that the
    network takes; and `unknown`, the words of left and of right that were read
    but are not in the vocabulary. Where the model looked says `words`, too:
    those of left and of right as they were read, to which the first rows and
    columns of the maps belong. What comes after them is padding. The map
    `"block_1/output"` of ABCNN has a row for each window instead.

    Args:
        vocabulary: List of strings, learned from the training data.
        idf: List of floats, how rare the word of each id is; for networks with
            `overlap_features`, at their start. `None` leaves them as they are.
        vectors: Dict from word to array, which word vectors start from; words
            that it lacks start at random. `None` leaves all at random.
        **settings: Those of `zoo.data.pair_tokens.PairTokens`.
    """

    noun = "pair"
    asked = "LEFT RIGHT"
    columns_asked = ("left", "right")
    suffixes = ()
    roles = ("vocabulary",)
    flags = ()
    choices = {
        name: ("tokens", name)
        for name in ("vocabulary_size", "left_length", "right_length")
    }

    def __init__(self, vocabulary, idf=None, vectors=None, **settings):
        self.tokens = PairTokens(vocabulary, **settings)
        self.idf = idf
        self.vectors = vectors

    @classmethod
    def learn(cls, data, recipe):
        tokens = PairTokens.learn(data.pairs, **recipe["tokens"])
        texts = list(
            dict.fromkeys(text for pair in data.pairs for text in pair)
        )
        idf, vectors = tokens.idf(texts), None
        source = recipe.get("vectors")
        if isinstance(source, dict):
            for name in source["learned_from"]:
                texts += corpus(name)
            depth = recipe["builder_args"]["embedding_dim"]
            vectors = learn_vectors(texts, tokens.vocabulary, depth)
        elif source is not None:
            vectors = load_vectors(source, tokens.vocabulary)
        return cls(tokens.vocabulary, idf, vectors, **tokens.config())

    @classmethod
    def from_card(cls, settings, assets):
        check_strings(assets["vocabulary"], "vocabulary")
        lengths = {
            name: settings[name] for name in ("left_length", "right_length")
        }
        return cls(assets["vocabulary"], **lengths)

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
        tokens = PairTokens(words, **self.tokens.config())
        texts = {text for pair in data.raws for text in pair}
        return type(self)(words, tokens.idf(texts), **tokens.config()), said

    def rows(self, before):
        """Of layers with a row for each id: where each was with `before`.

        Returns:
            Dict from a layer's name to integers, -1 for what is new.
        """
        own, others = self.tokens.vocabulary, before.tokens.vocabulary
        rows = word_notes.rows_of(own, others)
        places = np.arange(before.tokens.vocabulary_size, before.tokens.num_ids)
        return {
            "embedding": np.concatenate([rows, places]),
            "overlap_features": rows,
        }

    def settings(self):
        return self.tokens.config()

    def assets(self):
        return {"vocabulary": self.tokens.vocabulary}

    def sizes(self):
        found = {"vocabulary_size": self.tokens.vocabulary_size}
        if self.vectors:
            depth = len(next(iter(self.vectors.values())))
            found["embedding_dim"] = depth
        return {**found, **self.tokens.config()}

    def tensors(self):
        return {
            "left_ids": ((self.tokens.left_length,), "int32"),
            "right_ids": ((self.tokens.right_length,), "int32"),
        }

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
            self.check_words(each, place, ("left", "right"))
        return several, raws

    def check_words(self, texts, place, names):
        """Raises ValueError unless each text holds a word.

        Args:
            texts: Strings.
            place: Integer. Where they stand, for the error.
            names: Strings. What each is called, for the error.
        """
        for name, text in zip(names, texts):
            if not any(map(len, self.tokens.words((text, "")))):
                raise ValueError(
                    "Each text must hold a word, or there is nothing to "
                    f"compare. Received: {name}={text[:50]!r} at place {place}"
                )

    def arrays(self, raws):
        return self.tokens(raws)

    def reader(self, data, augment=(), seed=0):
        word_notes.check_no_augmentation(augment)
        word_notes.warn_of_unknown_data(self.tokens, data)
        ids = self.tokens(data.pairs)
        return lambda indices, epoch, place: {
            name: rows[indices] for name, rows in ids.items()
        }

    def notes(self, raws, maps):
        notes = [
            {"cut": self.tokens.cut(raw), "unknown": self.tokens.unknown(raw)}
            for raw in raws
        ]
        for raw, note in zip(raws, notes):
            if maps:
                note["words"] = self.tokens.words(raw)
        unknown = [note["unknown"] for note in notes]
        word_notes.warn_of_unknown_raws(self.tokens, raws, unknown)
        return notes

    def start(self, model):
        names = {layer.name for layer in model.layers}
        if self.idf is not None and "overlap_features" in names:
            model.get_layer("overlap_features").idf.assign(self.idf)
        if self.vectors:
            table = model.get_layer("embedding").embeddings
            # The others are drawn for vectors of length one.
            lengths = [np.linalg.norm(x) for x in self.vectors.values()]
            rows = keras.ops.convert_to_numpy(table) * np.mean(lengths)
            for place, word in enumerate(self.tokens.vocabulary, len(SPECIAL)):
                if word in self.vectors:
                    rows[place] = self.vectors[word]
            table.assign(rows)

    def golden(self):
        """Ids at random, the second half of the second pair being padding."""
        generator = np.random.default_rng(0)
        inputs = {}
        for name, ((length,), dtype) in self.tensors().items():
            ids = generator.integers(2, self.tokens.num_ids, (2, length))
            ids[1, (length + 1) // 2 :] = 0
            inputs[name] = ids.astype(dtype)
        return inputs

    def extremes(self):
        """One backwards; then each text with each: either may be empty."""
        golden = self.golden()
        return {
            name: np.concatenate([golden[name][:1, ::-1], ids])
            for name, ids in self.tokens(self._extreme_pairs()).items()
        }

    def served(self):
        return {"left": "string", "right": "string"}

    def requests(self, arrays):
        """The words of the ids; hard texts with themselves, and with others."""
        vocabulary, hard = self.tokens.vocabulary, word_notes.HARD_TEXTS
        pairs = [
            tuple(word_notes.said(vocabulary, [row]) for row in rows)
            for rows in zip(arrays["left_ids"], arrays["right_ids"])
        ]
        pairs += self._extreme_pairs()
        pairs += [*zip(hard, hard), *zip(hard, hard[1:])]
        left, right = map(list, zip(*pairs))
        return {"left": left, "right": right}, pairs

    def tensorflow(self):
        import tensorflow as tf

        tokens = self.tokens

        class Reading(tf.Module):
            def __init__(self):
                self.ids = pair_vectorization(tokens)

            def __call__(self, left, right):
                return self.ids(left, right), {}

        return Reading()

    def files(self):
        words = [*SPECIAL, *self.tokens.vocabulary]
        return {"vocabulary.txt": "".join(f"{word}\n" for word in words)}

    def from_shell(self, words, options):
        if len(words) % 2:
            raise ValueError(
                "Texts are compared two by two, so there must be an even "
                f"number of them. Received: {len(words)}"
            )
        texts = [text_from_shell(word) for word in words]
        return list(zip(texts[::2], texts[1::2]))

    def to_shell(self, raw):
        """The arguments that ask about a raw input, or `None`."""
        return list(map(text_to_shell, raw))

    def from_table(self, columns, folder, where):
        word_notes.check_cells(columns, where)
        return list(zip(columns["left"], columns["right"]))

    def shown(self, raw, note):
        return "\n".join(
            map(word_notes.shown_text, raw, note["cut"], note["unknown"])
        )

    def _extreme_pairs(self):
        texts = word_notes.extreme_texts(self.tokens.vocabulary)
        return list(itertools.product(texts, repeat=2))
