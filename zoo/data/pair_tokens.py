"""Words of two texts as ids that both share, in Python and for the export.

The words are those of `zoo.data.tokens`. One that is not in the vocabulary
gets an id of its own within its pair, so that its second occurrence, in the
same text or in the other, can be told to be the same word: the extended
vocabulary of See et al. (2017, section 2.2).
"""

import collections
import math
import sys

import numpy as np

from zoo.data.tokens import (
    LONGEST,
    PADDING,
    SPECIAL,
    UNKNOWN,
    Tokens,
    checked_texts,
    id_table,
    length_of_most,
    replaced,
    words_apart,
)


class PairTokens:
    """Turns pairs of texts into two rows of ids each, padded on the right.

    Id 0 is padding; 1 stands for any unknown word, and is never given: it is
    what a network may map the ids above the vocabulary to. The vocabulary
    follows in its order. A word that is not in it gets `vocabulary_size` and
    the place where it first stands in its pair: left's places are 0 to
    `left_length - 1`, right's go on from there. Words beyond the lengths are
    not read.

    Args:
        vocabulary: List of distinct words, as `Tokens` makes them of text; ids
            2 and up.
        left_length: Positive integer. Words in a left row.
        right_length: Positive integer. Words in a right row.

    Call arguments:
        pairs: List of `(left, right)`, two strings each.

    Returns:
        Dict of int32 arrays: `left_ids` `(B, left_length)` and `right_ids`
        `(B, right_length)`.

    Raises:
        ValueError: If an argument is out of range, a pair is not two strings,
            or one of them is not valid Unicode.

    Example:

    >>> tokens = PairTokens(["who", "wrote"], left_length=3, right_length=4)
    >>> ids = tokens([("Who wrote Emma?", "Austen wrote Emma.")])
    >>> ids["left_ids"].tolist(), ids["right_ids"].tolist()
    ([[2, 3, 6]], [[7, 3, 6, 0]])
    """

    def __init__(self, vocabulary, left_length=40, right_length=40):
        lengths = {"left_length": left_length, "right_length": right_length}
        for name, value in lengths.items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"`{name}` must be a positive integer. "
                    f"Received: {name}={value!r}"
                )
        # It makes the words; the lengths are cut here.
        self._tokens = Tokens(vocabulary, length=sys.maxsize, keep="first")
        self.keep = "first"
        self.left_length = left_length
        self.right_length = right_length
        self._ids = {
            word: place
            for place, word in enumerate(self.vocabulary, len(SPECIAL))
        }

    @classmethod
    def learn(cls, pairs, vocabulary_size=10_000, **config):
        """Takes the vocabulary from pairs: the words they use most.

        A text counts once, however many pairs it is in: a question stands
        beside each of its candidates.

        Args:
            pairs: List of `(left, right)`, those that a network is trained on.
            vocabulary_size: Integer, 3 or more. How many ids there may be,
                padding and unknown included. Of two words that are equally
                frequent the alphabet's first is taken.
            **config: `left_length` and `right_length`; where one is `None` it
                follows from the texts, as in `zoo.data.tokens.Tokens.learn`.

        Returns:
            `PairTokens`.
        """
        texts = {text for pair in _checked(pairs) for text in pair}
        tokens = Tokens.learn(texts, vocabulary_size, length=LONGEST)
        for place, name in enumerate(("left_length", "right_length")):
            if config.get(name, 0) is None:
                side = {pair[place] for pair in pairs}
                lengths = [len(tokens.words(text)) for text in side]
                config[name] = length_of_most(lengths, LONGEST)
        return cls(tokens.vocabulary, **config)

    @property
    def vocabulary(self):
        """The words that have an id of their own in every pair, a list."""
        return self._tokens.vocabulary

    @property
    def vocabulary_size(self):
        """How many ids every pair shares, padding and unknown included."""
        return self._tokens.vocabulary_size

    @property
    def num_ids(self):
        """How many ids there are, those of unknown words included."""
        return self.vocabulary_size + self.left_length + self.right_length

    def config(self):
        """Every argument but the vocabulary, as JSON values."""
        return {
            "left_length": self.left_length,
            "right_length": self.right_length,
        }

    def __call__(self, pairs):
        pairs = _checked(pairs)
        texts = {text for pair in pairs for text in pair}
        words = {text: self._tokens.words(text) for text in texts}
        lengths = (self.left_length, self.right_length)
        rows = [
            np.full((len(pairs), length), PADDING, "int32")
            for length in lengths
        ]
        for index, pair in enumerate(pairs):
            first = {}
            own = self.vocabulary_size
            for row, length, text in zip(rows, lengths, pair):
                kept = words[text][:length]
                row[index, : len(kept)] = [
                    self._ids.get(word) or first.setdefault(word, place)
                    for place, word in enumerate(kept, own)
                ]
                own += length
        return {"left_ids": rows[0], "right_ids": rows[1]}

    def words(self, pair):
        """The words of one pair, laid out as its ids are.

        Args:
            pair: `(left, right)`, two strings.

        Returns:
            Pair of lists of strings. Padding is left out, and an unknown word
            is shown as it is.
        """
        left, right = self._words(pair)
        return left[: self.left_length], right[: self.right_length]

    def cut(self, pair):
        """How many words of one pair are beyond the lengths.

        Args:
            pair: `(left, right)`, two strings.

        Returns:
            Pair of integers; 0 where all are read.
        """
        left, right = self._words(pair)
        return (
            max(0, len(left) - self.left_length),
            max(0, len(right) - self.right_length),
        )

    def knows(self, word):
        """Whether a word, as `words` gives it, is in the vocabulary."""
        return word in self._ids

    def unknown(self, pair):
        """The words of one pair that were read but are not in the vocabulary.

        Each still has an id of its own within the pair.

        Args:
            pair: `(left, right)`, two strings.

        Returns:
            Pair of lists of strings, each word once, in their order.
        """
        return tuple(
            list(dict.fromkeys(w for w in words if not self.knows(w)))
            for words in self.words(pair)
        )

    def idf(self, texts):
        """How rare each word is, the inverse document frequency.

        It is `log(N / df)`: of `N` distinct texts `df` hold the word, whole
        texts, not cut. A word that none holds counts as if one did.

        Args:
            texts: List of strings, one at least.

        Returns:
            List of `vocabulary_size` floats, one for each id: 0 for padding,
            and for unknown words `log(N)`.

        Raises:
            ValueError: If there is no text, or one is no string of valid
                Unicode.

        Example:

        >>> tokens = PairTokens(["the", "end"])
        >>> [round(weight, 2) for weight in tokens.idf(["The end.", "The"])]
        [0.0, 0.69, 0.0, 0.69]
        """
        texts = set(checked_texts(texts))
        if not texts:
            raise ValueError("`texts` must not be empty. Received: texts=[]")
        counts = collections.Counter()
        for text in texts:
            counts.update(set(self._tokens.words(text)))
        known = [
            math.log(len(texts) / max(1, counts[word]))
            for word in self.vocabulary
        ]
        return [0.0, math.log(len(texts)), *known]

    def _words(self, pair):
        ((left, right),) = _checked([pair])
        return self._tokens.words(left), self._tokens.words(right)


def pair_vectorization(tokens):
    """The same ids by TensorFlow, to be saved with a model.

    Args:
        tokens: `PairTokens`.

    Returns:
        `tf.Module`. Called with two string tensors `(B,)` of UTF-8, left and
        right, it gives the dict of ids that `tokens` gives, int32. What is
        saved must hold it as an attribute, since it owns a table.
    """
    import tensorflow as tf

    class PairVectorization(tf.Module):
        def __init__(self):
            self.table = id_table(tokens.vocabulary)

        def __call__(self, left, right):
            words = tf.concat(
                [
                    self.words(left, tokens.left_length),
                    self.words(right, tokens.right_length),
                ],
                axis=1,
            )
            count = tokens.left_length + tokens.right_length
            same = words[:, :, None] == words[:, None, :]
            first = tf.reduce_min(
                tf.where(same, tf.range(count), count), axis=2
            )
            ids = tf.cast(self.table.lookup(words), "int32")
            ids = tf.where(ids == UNKNOWN, tokens.vocabulary_size + first, ids)
            ids = tf.where(words == "", PADDING, ids)
            return {
                "left_ids": ids[:, : tokens.left_length],
                "right_ids": ids[:, tokens.left_length :],
            }

        def words(self, texts, length):
            words = words_apart(replaced(texts))
            return words.to_tensor("", shape=(None, length))

    return PairVectorization()


def _checked(pairs):
    if isinstance(pairs, (str, bytes)):
        raise ValueError(
            f"Pairs must be a list of `(left, right)`. Received: {pairs[:50]!r}"
        )
    pairs = list(pairs)
    for pair in pairs:
        if (
            not isinstance(pair, (tuple, list))
            or len(pair) != 2
            or not all(isinstance(text, str) for text in pair)
        ):
            raise ValueError(
                "A pair must be two strings, left and right. "
                f"Received: pair={repr(pair)[:50]}"
            )
    return pairs
