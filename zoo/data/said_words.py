"""Words that are said, as ids: texts taken apart, and put together again.

Unlike `zoo.data.tokens`, which reads, this keeps letters' case and punctuation.
Texts become ids only to be learned; an export needs the way back alone, whose
TensorFlow twin is `joining`.
"""

import collections
import re
import unicodedata

import numpy as np
import regex

from zoo.data.tokens import checked_texts

# The end of a text, which also fills the places behind it; what goes before the
# first word; a word that is not in the vocabulary, and is never said.
END, START, UNKNOWN = 0, 1, 2
SPECIAL = ("[END]", "[START]", "[UNK]")

# A word, with what joins its parts (don't, red-brown, 3.5, 10:30, U.S.) and the
# sign that it begins or ends with (-5, pre-, w/); or a mark alone. A letter
# keeps its marks.
_LETTER = r"[\p{L}\p{N}\p{M}]"
_PART = rf"[\p{{L}}\p{{N}}]{_LETTER}*"
WORD = regex.compile(
    rf"(?<!{_LETTER})(?:\p{{L}}\.){{2,}}(?!{_LETTER})"
    rf"|(?:(?<![\p{{L}}\p{{N}}\p{{M}}\-/’])[\-/’])?{_PART}"
    rf"(?:['’\-]{_PART}|(?<=\p{{N}})[.,:/]\p{{N}}{_LETTER}*)*"
    r"(?:[\-/](?![\p{L}\p{N}\-/]))?"
    r"|\S"
)

LONGEST = 10_000  # ids of a text; more would fill the memory to no end

# No space after an opening mark, nor before a closing one, nor around a slash,
# nor between a currency and its number. RE2 reads all of them alike.
OPENING = r"[(\[{“‘/]"
CLOSING = r"[.,!?;:%)\]}”’…/]"
CURRENCY = r"[$£€¥#]"
NUMBER = r"[0-9].*"
QUOTES = ('"', "'")  # which open and close in turn


def split_words(text):
    r"""The words and marks of a text.

    >>> split_words("A dog's ball, red-brown.")
    ['A', "dog's", 'ball', ',', 'red-brown', '.']

    Quotes are marks of their own where they come in pairs. One without a
    partner belongs to the word that it touches: an apostrophe, or inches.

    >>> split_words("The dogs' sign, 6\" wide, says 'no'.")[1:5]
    ["dogs'", 'sign', ',', '6"']

    Marks are joined to letters first, where Unicode has a character for both.
    """
    text = unicodedata.normalize("NFC", text)
    found = list(WORD.finditer(text))
    words = [match.group() for match in found]

    def side(place):
        """1 and -1 for a quote that touches only a word after, or before it."""
        start, end = found[place].span()
        before = bool(
            regex.search(rf"{_LETTER}$", text[max(0, start - 1) : start])
        )
        return bool(regex.match(_LETTER, text[end : end + 1])) - before

    goes_on = set()  # places of what belongs to the word before it
    waiting = {}  # the place of each kind's opening quote
    for place, word in enumerate(words):
        if word not in QUOTES:
            continue
        if word not in waiting:
            if side(place) == -1:
                goes_on.add(place)
            else:
                waiting[word] = place
        elif side(place) == 1 and side(waiting[word]) == 1:
            goes_on.add(waiting[word] + 1)
            waiting[word] = place
        else:
            del waiting[word]
    goes_on.update(place + 1 for place in waiting.values() if side(place) == 1)
    joined = []
    for place, word in enumerate(words):
        if place in goes_on:
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def join_words(words):
    """The text of words and marks.

    >>> join_words(["A", "dog", "(", "brown", ")", "runs", "."])
    'A dog (brown) runs.'

    Quotes open and close in turn; the last of an odd number has a space on
    either side. What only the text's spaces told is not known any more: "50 %"
    becomes "50%", "black / white" becomes "black/white", "R&B" becomes "R & B".
    """
    left = collections.Counter(words)
    seen = collections.Counter()
    text, tight = "", True
    for word, following in zip(words, [*words[1:], ""]):
        opens, closes = re.fullmatch(OPENING, word), re.fullmatch(CLOSING, word)
        if word in QUOTES:
            seen[word] += 1
            closes = seen[word] % 2 == 0
            opens = not closes and seen[word] < left[word]
        text += word if tight or closes else f" {word}"
        tight = opens or (
            re.fullmatch(CURRENCY, word) and re.fullmatch(NUMBER, following)
        )
    return text


class SaidWords:
    """Turns texts into the ids that a decoder learns to say, and back.

    Id 0 ends a text and fills the places behind it, 1 goes before the first
    word, 2 is a word that is not in the vocabulary, which follows in its order.

    Args:
        vocabulary: List of distinct words, as `split_words` makes them.
        length: Integer from 2 to 10,000. The most ids of a text, its end
            included.

    Call arguments:
        texts: List of strings.

    Returns:
        int32 array `(B, length)`. A text that is too long is cut, and then does
        not end.

    Raises:
        ValueError: If an argument is out of range, or a text is no string of
            valid Unicode.

    Example:

    >>> words = SaidWords(["A", "dog", "."], length=5)
    >>> words(["A dog.", "A red dog runs around."]).tolist()
    [[3, 4, 5, 0, 0], [3, 2, 4, 2, 2]]
    >>> words.text([3, 4, 5, 0, 0])
    'A dog.'
    """

    def __init__(self, vocabulary, length):
        if (
            isinstance(length, bool)
            or not isinstance(length, int)
            or not 2 <= length <= LONGEST
        ):
            raise ValueError(
                "`length` must be an integer of at least 2, a word and an end, "
                f"and of {LONGEST} at most. Received: length={length!r}"
            )
        self.vocabulary = checked_texts(vocabulary)
        self.length = length
        for word in self.vocabulary:
            if split_words(word) != [word]:
                raise ValueError(
                    "Each word of the vocabulary must be one that a text can "
                    f"be taken apart into. Received: {word!r}"
                )
        self._ids = {
            word: place for place, word in enumerate(vocabulary, len(SPECIAL))
        }
        if not vocabulary or len(self._ids) < len(vocabulary):
            raise ValueError(
                "The vocabulary must be distinct words, one at least. "
                f"Received: {len(vocabulary)} words, {len(self._ids)} distinct"
            )

    @classmethod
    def learn(cls, texts, vocabulary_size=10_000, length=None):
        """Takes the vocabulary from texts: the words they use most.

        Args:
            texts: List of strings, those that a network is trained on.
            vocabulary_size: Integer, 4 or more. How many ids there may be. Of
                two words that are equally frequent the alphabet's first is
                taken.
            length: As of the class; by default that of the longest text.

        Returns:
            `SaidWords`.
        """
        if not isinstance(vocabulary_size, int) or vocabulary_size < 4:
            raise ValueError(
                "`vocabulary_size` must be an integer of at least 4: the end, "
                "the start, the unknown and a word. "
                f"Received: vocabulary_size={vocabulary_size!r}"
            )
        counts, longest = collections.Counter(), 1
        for text in checked_texts(texts):
            words = split_words(text)
            counts.update(words)
            longest = max(longest, len(words))
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        kept = ranked[: vocabulary_size - len(SPECIAL)]
        return cls(kept, longest + 1 if length is None else length)

    @property
    def vocabulary_size(self):
        """How many ids there are, the special ones included."""
        return len(SPECIAL) + len(self.vocabulary)

    def __call__(self, texts):
        ids = np.full((len(texts), self.length), END, "int32")
        for row, text in zip(ids, checked_texts(texts)):
            found = [self._ids.get(word, UNKNOWN) for word in split_words(text)]
            found = found[: self.length]
            row[: len(found)] = found
        return ids

    @property
    def forbidden(self):
        """Ids that are never said."""
        return (UNKNOWN,)

    def lines(self):
        """What each id is, in their order, as a file lists it."""
        return [*SPECIAL, *self.vocabulary]

    def joining(self, file):
        """As the function `joining`, the file being written here.

        Args:
            file: `pathlib.Path`, which must last until all is saved.

        Returns:
            `tf.Module`, from ids `(B, length)` to strings `(B,)`.
        """
        text = "".join(f"{word}\n" for word in self.lines())
        file.write_text(text, "utf-8")
        return joining(file)

    def words(self, ids):
        """The words of one text's ids, up to the end.

        Args:
            ids: Integers, `(length,)`.

        Returns:
            List of strings.
        """
        every = (*SPECIAL, *self.vocabulary)
        words = []
        for place in ids:
            if place == END:
                break
            words.append(every[place])
        return words

    def text(self, ids):
        """The text of one text's ids."""
        return join_words(self.words(ids))

    def unknown(self, texts):
        """The share of words of texts that are not in the vocabulary."""
        found = [
            self._ids.get(w, UNKNOWN) for t in texts for w in split_words(t)
        ]
        return sum(place == UNKNOWN for place in found) / max(1, len(found))

    def cut(self, texts):
        """How many of the texts are too long to be said whole."""
        return sum(len(split_words(text)) >= self.length for text in texts)


def joining(file):
    """The TensorFlow twin of `SaidWords.text`.

    Args:
        file: Path of a file with the word of each id, one a line.

    Returns:
        `tf.Module`, from ids `(B, length)` to strings `(B,)`.
    """
    import tensorflow as tf

    class Joining(tf.Module):
        def __init__(self):
            self.words = tf.lookup.StaticHashTable(
                tf.lookup.TextFileInitializer(
                    str(file),
                    key_dtype=tf.int64,
                    key_index=tf.lookup.TextFileIndex.LINE_NUMBER,
                    value_dtype=tf.string,
                    value_index=tf.lookup.TextFileIndex.WHOLE_LINE,
                ),
                default_value="",
            )

        def __call__(self, ids):
            is_end = tf.cast(tf.equal(ids, END), tf.int32)
            words = self.words.lookup(tf.cast(ids, tf.int64))
            words = tf.where(tf.cumsum(is_end, axis=-1) > 0, "", words)
            following = tf.pad(
                words[:, 1:], ((0, 0), (0, 1)), constant_values=""
            )

            def matches(rule, words):
                return tf.strings.regex_full_match(words, rule)

            opens = matches(OPENING, words) | (
                matches(CURRENCY, words) & matches(NUMBER, following)
            )
            closes = matches(CLOSING, words)
            for quote in QUOTES:
                here = tf.equal(words, quote)
                seen = tf.cumsum(tf.cast(here, tf.int32), axis=-1)
                even = tf.equal(seen % 2, 0)
                opens |= here & ~even & (seen < seen[:, -1:])
                closes |= here & even
            tight = opens[:, :-1] | closes[:, 1:] | tf.equal(words[:, 1:], "")
            spaces = tf.where(tight, "", " ")
            spaces = tf.pad(spaces, ((0, 0), (0, 1)), constant_values="")
            return tf.strings.reduce_join(
                tf.strings.join([words, spaces]), axis=-1
            )

    return Joining()
