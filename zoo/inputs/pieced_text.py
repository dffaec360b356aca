"""A text as the input of a task, read in pieces of words."""

import numpy as np

from zoo.cards import check_strings
from zoo.data.pieces import BYTES, END, Pieces, normal, piece_reading
from zoo.data.texts import text_from_shell, text_to_shell
from zoo.inputs import word_notes

NAMES = ("vocabulary_size", "length", "shared")


class PiecedText:
    """A text, a string; several are a list of strings.

    It is read in pieces of words, with its case and its marks, so no word is
    unknown. An answer says of it, beside what the task answers, `cut`, how many
    pieces at its end were not read, being beyond the length that the network
    takes; and where the model looked also `source`, the pieces that were read.

    Args:
        vocabulary: List of distinct pieces, learned from the training data.
        length: Integer of at least 2. The most pieces that are read.
    """

    noun = "text"
    asked = "TEXT..."
    columns_asked = ("text",)
    suffixes = (".txt",)
    roles = ("source_pieces",)
    flags = ()
    choices = {
        "vocabulary_size": ("pieces", "vocabulary_size"),
        "source_vocabulary_size": ("pieces", "vocabulary_size"),
        "length": ("pieces", "length"),
        "source_length": ("pieces", "length"),
        "shared": ("pieces", "shared"),
    }

    def __init__(self, vocabulary, length):
        self.pieces = Pieces(vocabulary, length)

    @classmethod
    def learn(cls, data, recipe):
        settings = dict(recipe.get("pieces", {}))
        for name in settings:
            if name not in NAMES:
                raise ValueError(
                    "`pieces` of a recipe must be among vocabulary_size, "
                    f"length and shared. Received: {name!r}"
                )
        if settings.pop("shared", False):
            said = [text for texts in data.translations for text in texts]
            settings["others"] = said
        learned = Pieces.learn(data.texts, **settings)
        return cls(learned.vocabulary, learned.length)

    @classmethod
    def from_card(cls, settings, assets):
        (role,) = cls.roles
        return cls(check_strings(assets[role], role), **settings)

    def like(self, data, vocabulary=None):
        """The input of a copy that learns from `data`: this one.

        Args:
            data: What is learned from.
            vocabulary: `"keep"` or `None`, the same: pieces spell every word.

        Returns:
            `(input, "")`.

        Raises:
            ValueError: If another vocabulary is asked for.
        """
        if vocabulary not in (None, "keep"):
            raise ValueError(
                "Pieces spell every word, and stay as they are: `vocabulary` "
                f'must be "keep". Received: vocabulary={vocabulary!r}'
            )
        return self, ""

    def rows(self, before):
        return {}

    def settings(self):
        return {"length": self.pieces.length}

    def assets(self):
        (role,) = self.roles
        return {role: self.pieces.vocabulary}

    def sizes(self):
        return {
            "source_vocabulary_size": self.pieces.vocabulary_size,
            "source_length": self.pieces.length,
        }

    def tensors(self):
        return {"source_ids": ((self.pieces.length,), "int32")}

    def several(self, raw):
        several = isinstance(raw, (list, tuple))
        return several, raw if several else [raw]

    def arrays(self, raws):
        return {"source_ids": self.pieces(raws)}

    def reader(self, data, augment=(), seed=0):
        word_notes.check_no_augmentation(augment)
        ids = self.pieces(data.raws)
        return lambda indices, epoch, place: {"source_ids": ids[indices]}

    def lengths(self, data):
        """How many pieces of each text are read, integers `(N,)`."""
        return np.count_nonzero(self.pieces(data.raws) != END, axis=1)

    def notes(self, raws, maps):
        notes = []
        for raw in raws:
            ids = self.pieces.ids(raw)
            notes.append({"cut": max(0, len(ids) - self.pieces.length)})
            if maps:
                read = ids[: self.pieces.length]
                notes[-1]["source"] = self.pieces.words(read)
        return notes

    def start(self, model):
        pass

    def golden(self):
        """Ids at random, the second half of the second text being padding."""
        generator = np.random.default_rng(0)
        shape = 2, self.pieces.length
        size = self.pieces.vocabulary_size
        ids = generator.integers(BYTES, size, shape).astype("int32")
        ids[1, (shape[1] + 1) // 2 :] = END
        return {"source_ids": ids}

    def extremes(self):
        """One backwards, with its padding first; empty, full, one piece."""
        backwards = self.golden()["source_ids"][:1, ::-1]
        longer = "x" * (64 * self.pieces.length)
        texts = self.pieces(["", longer, "a"])
        return {"source_ids": np.concatenate([backwards, texts])}

    def served(self):
        return {"text": "string"}

    def requests(self, arrays):
        """The texts of the ids, and texts that are hard to take apart."""
        texts = [normal(self.pieces.text(x)) for x in arrays["source_ids"]]
        texts += word_notes.HARD_TEXTS
        return {"text": texts}, texts

    def tensorflow(self):
        import tensorflow as tf

        pieces = self.pieces

        class Reading(tf.Module):
            def __init__(self):
                self.ids = piece_reading(pieces)

            def __call__(self, text):
                return {"source_ids": self.ids(text)}, {}

        return Reading()

    def files(self):
        lines = self.pieces.lines()
        (role,) = self.roles
        return {f"{role}.txt": "".join(f"{line}\n" for line in lines)}

    def from_shell(self, words, options):
        return [text_from_shell(word) for word in words]

    def to_shell(self, raw):
        """The arguments that ask about a raw input, or `None`."""
        return [text_to_shell(raw)]

    def from_table(self, columns, folder, where):
        word_notes.check_cells(columns, where)
        return columns["text"]

    def shown(self, raw, note):
        cut = word_notes.unread(note["cut"], (), part="piece")
        if cut and len(raw.split("\n")) > 1:
            cut += " [--in FILE reads each line of a file as a text]"
        return word_notes.beginning(raw) + cut
