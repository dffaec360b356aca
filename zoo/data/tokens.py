"""Words as ids, one rule twice: in Python here, in TensorFlow for the export.

Text becomes words as `keras.layers.TextVectorization` makes them by default:
ASCII letters in lower case, ASCII punctuation removed, split at ASCII white
space. Before that `<br>` tags, dashes, ellipses and no-break spaces become
white space, and typographic quotes and apostrophes ASCII ones.
"""

import collections
import re

import numpy as np

PADDING, UNKNOWN = 0, 1

# Of lengths that follow from texts.
MOST_TEXTS = 0.95
LONGEST = 200  # words of a text
LONGEST_SENTENCES = 50, 30  # words of a sentence, and sentences
SPECIAL = ("", "[UNK]")

# What TextVectorization removes.
PUNCTUATION = b"!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'"

# As phones and word processors write them, and as that looks when it was read
# in another encoding, which is what the reviews of IMDB hold.
QUOTES = "[‘’‚‛“”„‟\u0082\u0084\u0091-\u0094]"
GAPS = "[–—…\u00a0\u0085\u0096\u0097]"

# Where a sentence ends: a tag, a mark before white space, a new line. RE2 and
# Python read it alike: `\s` they do not. One mark is enough, since those
# before it are removed; a run of them would make Python slow.
END = r"<[bB][rR][ \t\n\v\f\r]*/?>|[.!?][ \t\n\v\f\r]|[\n\r]"

REPLACED = ((QUOTES, "'"), (GAPS, " "), (END, "\n"))


class Tokens:
    r"""Turns texts into the ids that a network reads, padded on the right.

    Id 0 is padding, 1 a word that is not in the vocabulary; the vocabulary
    follows in its order.

    Without `sentences` a text is one row of words. With it a text is cut into
    sentences, at `<br>` tags, at line breaks and after each of `.!?` that white
    space follows; sentences without a word are dropped, and one of more than
    `length` words goes on in the next row.

    Args:
        vocabulary: List of distinct words, as this class itself makes them of
            text; ids 2 and up.
        length: Positive integer. Words in a row.
        sentences: Positive integer, rows for each text, or `None`.
        keep: `"first"` or `"last"`. Which words of a text (with `sentences`:
            which rows) stay when there are too many.

    Call arguments:
        texts: List of strings.

    Returns:
        int32 array `(B, length)`, or `(B, sentences, length)`.

    Raises:
        ValueError: If an argument is out of range, or a text is no string of
            valid Unicode.

    Example:

    >>> tokens = Tokens(["the", "end"], length=4)
    >>> tokens(["The end.", "To the\tvery end of THE road"]).tolist()
    [[2, 3, 0, 0], [1, 2, 1, 3]]
    >>> tokens = Tokens(["the", "end"], length=2, sentences=2)
    >>> tokens(["The end. Or is it?"]).tolist()
    [[[2, 3], [1, 1]]]
    """

    def __init__(self, vocabulary, length=200, sentences=None, keep="first"):
        sizes = {"length": length}
        if sentences is not None:
            sizes["sentences"] = sentences
        for name, value in sizes.items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"`{name}` must be a positive integer. "
                    f"Received: {name}={value!r}"
                )
        if keep not in ("first", "last"):
            raise ValueError(
                f'`keep` must be "first" or "last". Received: keep={keep!r}'
            )
        self.vocabulary = checked_texts(vocabulary)
        self.length = length
        self.sentences = sentences
        self.keep = keep

        words = [_plain(word) for word in self.vocabulary]
        for word, plain in zip(self.vocabulary, words):
            if plain.split() != [word.encode()]:
                raise ValueError(
                    "Each word of the vocabulary must be one that text can "
                    "become: lower case, without punctuation or white space. "
                    f"Received: {word!r}"
                )
        self._ids = {
            word: place for place, word in enumerate(words, len(SPECIAL))
        }
        if not words or len(self._ids) < len(words):
            raise ValueError(
                "The vocabulary must be distinct words, one at least. "
                f"Received: {len(words)} words, {len(self._ids)} distinct"
            )

    @classmethod
    def learn(cls, texts, vocabulary_size=10_000, **config):
        """Takes the vocabulary from texts: the words they use most.

        Args:
            texts: List of strings, those that a network is trained on.
            vocabulary_size: Integer, 3 or more. How many ids there may be,
                padding and unknown included. Of two words that are equally
                frequent the alphabet's first is taken.
            **config: `length`, `sentences` and `keep`. Where a `length` is
                `None`, or both it and `sentences` are, they follow from the
                texts: `MOST_TEXTS` of them are read whole, as long as that is
                no more than `LONGEST` words, or sentences and their words.

        Returns:
            `Tokens`.
        """
        if not isinstance(vocabulary_size, int) or vocabulary_size < 3:
            raise ValueError(
                "`vocabulary_size` must be an integer of at least 3: padding, "
                "unknown and a word. "
                f"Received: vocabulary_size={vocabulary_size!r}"
            )
        plain = [_plain(text) for text in checked_texts(texts)]
        counts = collections.Counter()
        for text in plain:
            counts.update(text.split())
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        kept = ranked[: vocabulary_size - len(SPECIAL)]
        if config.get("length", 0) is None:
            by_sentence = "sentences" in config
            config |= _fitting(plain, by_sentence, config.get("sentences"))
        return cls([word.decode() for word in kept], **config)

    @property
    def vocabulary_size(self):
        """How many ids there are, padding and unknown included."""
        return len(SPECIAL) + len(self.vocabulary)

    def config(self):
        """Every argument but the vocabulary, as JSON values."""
        return {
            "length": self.length,
            "sentences": self.sentences,
            "keep": self.keep,
        }

    def __call__(self, texts):
        texts = checked_texts(texts)
        rows = self.sentences or 1
        ids = np.full((len(texts), rows, self.length), PADDING, "int32")
        for index, text in enumerate(texts):
            for row, words in enumerate(self._rows(text)):
                ids[index, row, : len(words)] = [
                    self._ids.get(word, UNKNOWN) for word in words
                ]
        return ids if self.sentences else ids[:, 0]

    def words(self, text):
        """The words of one text, laid out as its ids are.

        Args:
            text: String.

        Returns:
            List of strings; with `sentences` a list of lists. Padding is left
            out, and an unknown word is shown as it is.
        """
        (text,) = checked_texts([text])
        rows = [[word.decode() for word in row] for row in self._rows(text)]
        return rows if self.sentences else rows[0]

    def knows(self, word):
        """Whether a word, as `words` gives it, is in the vocabulary."""
        return word.encode() in self._ids

    def unknown(self, text):
        """The words of one text that were read but are not in the vocabulary.

        Args:
            text: String.

        Returns:
            List of strings, each once, in their order.
        """
        (text,) = checked_texts([text])
        words = [word.decode() for row in self._rows(text) for word in row]
        return list(dict.fromkeys(w for w in words if not self.knows(w)))

    def cut(self, text):
        """How many words of one text are not read, there being too many.

        Args:
            text: String.

        Returns:
            Integer, 0 where all are read. With `keep="last"` they are those
            at the beginning.
        """
        (text,) = checked_texts([text])
        read = sum(map(len, self._rows(text)))
        return len(_plain(text).split()) - read

    def _rows(self, text):
        text = _plain(text)
        if self.sentences is None:
            return [text.split()[_span(self.keep, self.length)]]
        rows = []
        for sentence in text.split(b"\n"):
            words = sentence.split()
            starts = range(0, len(words), self.length)
            rows += [words[start : start + self.length] for start in starts]
        return rows[_span(self.keep, self.sentences)]


def length_of_most(lengths, most):
    """The length that `MOST_TEXTS` of the texts do not exceed.

    Args:
        lengths: Integers, how many words, or sentences, each text has.
        most: Integer. It is no more than that.

    Returns:
        Positive integer.
    """
    enough = np.quantile(lengths, MOST_TEXTS, method="inverted_cdf")
    return int(np.clip(enough, 1, most))


def _fitting(plain, by_sentence, sentences):
    """The lengths that follow from texts."""
    if not by_sentence:
        words = [len(text.split()) for text in plain]
        return {"length": length_of_most(words or [1], LONGEST)}
    rows = [
        [len(words) for words in map(bytes.split, text.split(b"\n")) if words]
        for text in plain
    ]
    every = [length for each in rows for length in each]
    longest_row, most_rows = LONGEST_SENTENCES
    length = length_of_most(every or [1], longest_row)
    if sentences is None:
        # A longer sentence goes on in the next row.
        counts = [sum(-(-n // length) for n in each) for each in rows]
        sentences = length_of_most(counts or [1], most_rows)
    return {"length": length, "sentences": sentences}


def vectorization(tokens):
    """The same ids by TensorFlow, to be saved with a model.

    Args:
        tokens: `Tokens`.

    Returns:
        `tf.Module`. Called with a string tensor `(B,)` of UTF-8, it gives the
        ids that `tokens` gives, int32. What is saved must hold it as an
        attribute, since it owns a table.
    """
    import tensorflow as tf

    class Vectorization(tf.Module):
        def __init__(self):
            self.table = id_table(tokens.vocabulary)

        def __call__(self, texts):
            texts = replaced(texts)
            if tokens.sentences is None:
                ids = self.ids(texts)[:, _span(tokens.keep, tokens.length)]
                shape = (None, tokens.length)
            else:
                ids = self.rows(texts)[:, _span(tokens.keep, tokens.sentences)]
                shape = (None, tokens.sentences, tokens.length)
            return tf.cast(ids.to_tensor(PADDING, shape=shape), "int32")

        def ids(self, texts):
            return tf.ragged.map_flat_values(
                self.table.lookup, words_apart(texts)
            )

        def rows(self, texts):
            sentences = tf.strings.split(texts, "\n")
            ids = self.ids(sentences.flat_values)
            # A row starts at every `length`-th word of its sentence.
            place = tf.ragged.range(ids.row_lengths()).flat_values
            starts = place % tokens.length == 0
            row = tf.cumsum(tf.cast(starts, "int64")) - 1
            sentence = tf.boolean_mask(ids.value_rowids(), starts)
            return tf.RaggedTensor.from_value_rowids(
                tf.RaggedTensor.from_value_rowids(ids.flat_values, row),
                tf.gather(sentences.value_rowids(), sentence),
                nrows=sentences.nrows(),
            )

    return Vectorization()


def replaced(texts):
    """Texts with sentences apart by a new line, by TensorFlow.

    Args:
        texts: String tensor `(B,)` of UTF-8.

    Returns:
        String tensor `(B,)`, what `words_apart` takes.
    """
    import tensorflow as tf

    for pattern, sign in REPLACED:
        texts = tf.strings.regex_replace(texts, pattern, sign)
    return texts


def words_apart(texts):
    """The words of texts, by TensorFlow.

    Args:
        texts: String tensor `(B,)` that `replaced` gave.

    Returns:
        Ragged string tensor `(B, None)`.
    """
    import tensorflow as tf

    removed = f"[{re.escape(PUNCTUATION.decode())}]"
    texts = tf.strings.regex_replace(tf.strings.lower(texts), removed, "")
    return tf.strings.split(texts)


def id_table(vocabulary):
    """The ids of words, for TensorFlow.

    Args:
        vocabulary: List of distinct words; ids 2 and up.

    Returns:
        `tf.lookup.StaticHashTable` from strings to int64; any other word is
        unknown. What is saved must hold it as an attribute.
    """
    import tensorflow as tf

    # An array of fixed width would be as wide as the longest word.
    words = tf.constant(np.array(vocabulary, "object"))
    ids = tf.range(len(SPECIAL), len(SPECIAL) + len(vocabulary), dtype="int64")
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(words, ids), UNKNOWN
    )


def checked_texts(texts):
    """The texts as a list.

    Args:
        texts: Iterable of strings.

    Returns:
        List of strings.

    Raises:
        ValueError: If it is a single text, or one is no string of valid
            Unicode.
    """
    if isinstance(texts, (str, bytes)):
        raise ValueError(
            "Texts must be a list of strings; put a single one in a list. "
            f"Received: {texts[:50]!r}"
        )
    texts = list(texts)
    for text in texts:
        if not isinstance(text, str):
            raise ValueError(
                f"A text must be a string. Received: text={repr(text)[:50]}"
            )
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                "A text must be valid Unicode, which half a surrogate pair is "
                f"not. Received: {ascii(text[error.start : error.end][:50])} "
                f"at place {error.start}"
            ) from error
    return texts


def _plain(text):
    """Words apart from each other, sentences by a new line; UTF-8."""
    for pattern, sign in REPLACED:
        text = re.sub(pattern, sign, text)
    return text.encode().lower().translate(None, PUNCTUATION)


def _span(keep, count):
    return slice(-count, None) if keep == "last" else slice(count)
