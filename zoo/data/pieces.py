"""Texts as pieces of words and back: no word is unknown, and nothing is lost.

Pieces are matched greedily, the longest first, on the bytes of UTF-8; each
byte is a piece too, so whatever is written can be read and said. Python's and
TensorFlow's (`piece_reading`, `piece_joining`) give the same ids.

Text is normalised first, and comes back so: what ends lines or is blank,
control characters and the no-break space among it, becomes one space, and the
ends are cut. With `keep_lines` a line feed stays, and two, a blank line, do;
several blank lines become one.
"""

import collections
import functools
import heapq
import re

import numpy as np

from zoo.data.tokens import checked_texts

# The end of a text, which also fills the places behind it, and what goes before
# the first piece; then the bytes, then the vocabulary.
END, START, BYTES = 0, 1, 2
SPECIAL = ("[END]", "[START]")
FIRST = BYTES + 256  # the id of the first piece that was learned

# Bytes that come in no text that is normalised: control characters, and what
# UTF-8 has not.
NEVER = (*range(0x20), 0x7F, 0xC0, 0xC1, *range(0xF5, 0x100))

# Python and RE2 read these alike. A word keeps the space before it; what is
# longer goes on without one, which bounds the work that a word makes.
GAP = "[\u0000-\u0020\u007f-\u00a0\u202f]+"
WORD = " ?[^ ]{1,64}"

# The same where line feeds are kept. Nothing blank is left around them; a word
# after one is told from the rest of a word by a space that is not in the text.
LINES = (
    ("\r\n?|[\u000b\u000c\u0085]", "\n"),
    ("[\u0000-\u0009\u000b-\u0020\u007f-\u00a0\u202f]+", " "),
    (" ?\n ?", "\n"),
    ("\n{2,}", "\n\n"),
)
LINE_OR_WORD = "\n| ?[^ \n]{1,64}"
LINE_BEGIN, SPACED = "\n([^\n])", "\n \\1"

# What no piece goes beyond: letters, a figure, a mark.
UNIT = re.compile(r" ?(?:[^\W\d_]+|\d|[^\w\s]|_)")

RARE = 10  # a letter beyond ASCII that comes less often is spelled in bytes
LEAST = 2  # times that a pair must come to become a piece
LONGEST_PIECE = 64  # letters
LONGEST = 10_000  # ids of a text


def normal(text, keep_lines=False):
    r"""A text as it comes back.

    >>> normal("  A dog\n runs. ")
    'A dog runs.'
    >>> normal("  A dog\r\n runs.\n\n\n\tA  cat. ", keep_lines=True)
    'A dog\nruns.\n\nA cat.'
    """
    if not keep_lines:
        return re.sub(GAP, " ", text).strip(" ")
    for pattern, replaced in LINES:
        text = re.sub(pattern, replaced, text)
    return text.strip(" \n")


class Pieces:
    """Turns texts into ids of pieces, and back.

    Id 0 ends a text and fills the places behind it, 1 goes before the first
    piece, then come the 256 bytes, then the vocabulary in its order.

    Args:
        vocabulary: List of distinct strings of at least one letter beyond a
            byte's, without blanks but for a space that they begin with.
        length: Integer from 2 to 10,000. The most ids of a text, its end
            included.
        keep_lines: Boolean. Whether line feeds are kept. Each is its byte, and
            part of no piece.

    Call arguments:
        texts: List of strings.

    Returns:
        int32 array `(B, length)`. A text that is too long is cut, and then does
        not end.

    Raises:
        ValueError: If an argument is not what it must be, or a text is no
            string of valid Unicode.

    Example:

    >>> pieces = Pieces([" A", " dog", " run"], length=6)
    >>> pieces(["A dog runs"]).tolist()
    [[258, 259, 260, 117, 0, 0]]
    >>> pieces.text([258, 259, 260, 117, 0, 0])
    'A dog runs'
    """

    def __init__(self, vocabulary, length, keep_lines=False):
        if (
            isinstance(length, bool)
            or not isinstance(length, int)
            or not 2 <= length <= LONGEST
        ):
            raise ValueError(
                "`length` must be an integer of at least 2, a piece and an "
                f"end, and of {LONGEST} at most. Received: length={length!r}"
            )
        self.vocabulary = checked_texts(vocabulary)
        self.length = length
        self.keep_lines = keep_lines
        bytes_ = [bytes([byte]) for byte in range(256)]
        self.keys = [b""] * BYTES + bytes_
        self.keys += [piece.encode() for piece in vocabulary]
        self._ids = {key: place for place, key in enumerate(self.keys) if key}
        if len(self._ids) < len(self.keys) - BYTES:
            raise ValueError(
                "The vocabulary must be distinct pieces, none a byte alone. "
                f"Received: {len(vocabulary)} pieces, "
                f"{len(self._ids) - 256} distinct"
            )
        for piece in vocabulary:
            plain = piece.removeprefix(" ")
            if not 0 < len(piece) <= LONGEST_PIECE or re.search(GAP, plain):
                raise ValueError(
                    f"A piece must be at most {LONGEST_PIECE} letters, with no "
                    f"blank but a space at its beginning. Received: {piece!r}"
                )
        self.longest = max(map(len, self.keys))
        self._spelled = functools.lru_cache(2**16)(self._spell)

    @classmethod
    def learn(
        cls,
        texts,
        vocabulary_size=8_000,
        length=None,
        others=(),
        keep_lines=False,
    ):
        """Learns pieces from texts, by joining what stands together most.

        Byte-pair encoding (Sennrich et al. 2016) on letters, within words,
        figures and marks.

        Args:
            texts: List of strings.
            vocabulary_size: Integer, 258 or more. How many ids there may be;
                258 are the bytes alone, with the end and the start.
            length: As of the class; by default that of the longest text.
            others: List of strings, whose pieces are learned too, such as
                those of another language that shares the vocabulary.
            keep_lines: As of the class.

        Returns:
            `Pieces`.
        """
        if not isinstance(vocabulary_size, int) or vocabulary_size < FIRST:
            raise ValueError(
                f"`vocabulary_size` must be an integer of at least {FIRST}: "
                "the end, the start and all bytes. "
                f"Received: vocabulary_size={vocabulary_size!r}"
            )
        units = collections.Counter(
            unit
            for text in checked_texts([*texts, *others])
            for unit in UNIT.findall(_spaced(normal(text, keep_lines)))
        )
        found = _joined(units, vocabulary_size - FIRST)
        learned = cls(found, LONGEST, keep_lines)
        if length is None:
            longest = max((len(learned.ids(text)) for text in texts), default=1)
            length = max(2, min(longest + 1, LONGEST))
        return cls(learned.vocabulary, length, keep_lines)

    @property
    def vocabulary_size(self):
        """How many ids there are, the special ones and the bytes included."""
        return len(self.keys)

    def __call__(self, texts):
        ids = np.full((len(texts), self.length), END, "int32")
        for row, text in zip(ids, checked_texts(texts)):
            found = self.ids(text)[: self.length]
            row[: len(found)] = found
        return ids

    def ids(self, text):
        """The ids of a text, however many, without an end."""
        text = _spaced(normal(text, self.keep_lines))
        words = re.findall(LINE_OR_WORD if self.keep_lines else WORD, text)
        return [place for word in words for place in self._spelled(word)]

    def _spell(self, word):
        word, ids, start = word.encode(), [], 0
        while start < len(word):
            end = min(len(word), start + self.longest)
            while word[start:end] not in self._ids:
                end -= 1
            ids.append(self._ids[word[start:end]])
            start = end
        return ids

    @property
    def forbidden(self):
        """Ids that are never said: of bytes that no text has."""
        kept = b"\n" if self.keep_lines else b""
        return tuple(BYTES + byte for byte in NEVER if byte not in kept)

    def lines(self):
        """What each id is, in their order; a byte alone is `<0xNN>`."""
        return [*SPECIAL, *map(_shown, self.keys[BYTES:])]

    def joining(self, file):
        """As the function `piece_joining`; the file is not needed."""
        return piece_joining(self)

    def words(self, ids):
        """The pieces of one text's ids, up to the end, as they are shown.

        Args:
            ids: Integers, `(length,)`.

        Returns:
            List of strings; a byte that is no letter is `<0xNN>`.
        """
        ids = list(ids)
        if END in ids:
            ids = ids[: ids.index(END)]
        return [_shown(self.keys[place]) for place in ids]

    def spans(self, text):
        """Which letters of a normal text each of its pieces spells.

        Args:
            text: String, as `normal` gives it.

        Returns:
            List of pairs of integers, from which letter up to which; the space
            that a piece begins with is not counted, and a piece that is a part
            of a letter has that letter.
        """
        letters, place = [], -2
        spaced = _spaced(text)
        for before, letter in zip(f"\n{spaced}", spaced):
            # The space that goes before a line is not in the text.
            place += place == -2 or before != "\n" or letter != " "
            letters += [place] * len(letter.encode())
        found, start = [], 0
        for place in self.ids(text):
            own = letters[start : start + len(self.keys[place])]
            start += len(own)
            if len(own) > 1 and self.keys[place].startswith(b" "):
                own = own[1:]
            found.append((own[0], own[-1] + 1))
        return found

    def text(self, ids):
        """The text of one text's ids, without bytes that make no letter."""
        ids = list(ids)
        if END in ids:
            ids = ids[: ids.index(END)]
        joined = b"".join(self.keys[place] for place in ids)
        text = joined.decode("utf-8", "ignore").removeprefix(" ")
        return text.replace("\n ", "\n") if self.keep_lines else text

    def unknown(self, texts):
        """The share of texts that cannot be spelled: none."""
        return 0.0

    def cut(self, texts):
        """How many of the texts are too long to be said whole."""
        return sum(len(self.ids(text)) >= self.length for text in texts)


def _spaced(text):
    """A normal text with a space before its first word, and that of a line."""
    return " " + re.sub(LINE_BEGIN, SPACED, text)


def _shown(key):
    """The bytes of a piece as they are shown."""
    try:
        shown = key.decode()
    except UnicodeDecodeError:
        return "".join(f"<0x{byte:02X}>" for byte in key)
    return shown if shown.isprintable() else f"<0x{ord(shown):02X}>"


def _joined(units, most):
    """The pieces that byte-pair encoding makes of counted units.

    Args:
        units: Dict from string to how often it comes.
        most: Integer. How many pieces at most.

    Returns:
        List of strings, the most useful first.
    """
    letters = collections.Counter()
    for unit, count in units.items():
        letters.update(dict.fromkeys(unit, count))
    pieces = {
        letter: None
        for letter, count in sorted(letters.items())
        if count >= RARE and ord(letter) > 127
    }
    words = [(list(unit), count) for unit, count in sorted(units.items())]
    pairs, places = collections.Counter(), collections.defaultdict(set)
    for index, (word, count) in enumerate(words):
        for pair in zip(word, word[1:]):
            pairs[pair] += count
            places[pair].add(index)
    waiting = [(-count, pair) for pair, count in pairs.items()]
    heapq.heapify(waiting)
    while waiting and len(pieces) < most:
        count, pair = heapq.heappop(waiting)
        if -count != pairs[pair]:  # it was counted before others were joined
            heapq.heappush(waiting, (-pairs[pair], pair))
            continue
        if -count < LEAST:
            break
        piece = "".join(pair)
        changed = set()
        for index in places.pop(pair):
            word, times = words[index]
            for old in zip(word, word[1:]):
                pairs[old] -= times
            for start in range(len(word)):
                if tuple(word[start : start + 2]) == pair:
                    word[start : start + 2] = [piece]
            for new in zip(word, word[1:]):
                pairs[new] += times
                places[new].add(index)
                changed.add(new)
        if len(piece) <= LONGEST_PIECE:
            pieces[piece] = None
        for new in sorted(changed):
            heapq.heappush(waiting, (-pairs[new], new))
    return list(pieces)[:most]


def piece_reading(pieces):
    """The TensorFlow twin of `Pieces`.

    Args:
        pieces: `Pieces`.

    Returns:
        `tf.Module`, from strings `(B,)` to int32 ids `(B, length)`.
    """
    import tensorflow as tf

    strings = tf.strings
    lengths = tf.range(1, pieces.longest + 1)

    class Reading(tf.Module):
        def __init__(self):
            keys = np.array(pieces.keys[BYTES:], "object")
            self.ids = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(
                    tf.constant(keys), tf.range(BYTES, len(pieces.keys))
                ),
                END,
            )

        def __call__(self, texts):
            # What is no UTF-8 is replaced, as where bytes become a string.
            texts = strings.unicode_transcode(
                texts, "UTF-8", "UTF-8", "replace"
            )
            words = (self.lines if pieces.keep_lines else self.words)(texts)
            # Each word is spelled once, however often it comes.
            distinct, places = tf.unique(words.flat_values)
            spelled = tf.gather(self.spelled(distinct), places)
            ids = words.with_flat_values(spelled).merge_dims(1, 2)
            return ids.to_tensor(END, shape=(None, pieces.length))

        def words(self, texts):
            """Ragged words, with the space before them."""
            texts = strings.regex_replace(strings.join([" ", texts]), GAP, " ")
            texts = strings.regex_replace(texts, " $", "")
            return strings.split(
                strings.regex_replace(texts, WORD, "\\0\n"), "\n"
            )[:, :-1]

        def lines(self, texts):
            """Ragged words, and the line feeds between them."""
            for pattern, replaced in LINES:
                texts = strings.regex_replace(texts, pattern, replaced)
            texts = strings.regex_replace(texts, "^[ \n]+|[ \n]+$", "")
            texts = strings.regex_replace(texts, LINE_BEGIN, SPACED)
            texts = strings.join([" ", texts])
            # No control character but the line feed is left in a text.
            return strings.split(
                strings.regex_replace(texts, LINE_OR_WORD, "\\0\x01"), "\x01"
            )[:, :-1]

        def spelled(self, words):
            """Ragged ids of each word, all words a piece further at a time."""
            size = strings.length(words)

            def step(start, found, count):
                places = start[:, None] + 0 * lengths
                parts = strings.substr(
                    words[:, None], places, lengths + 0 * places
                )
                ids = self.ids.lookup(parts)
                best = tf.argmax(tf.where(ids > 0, lengths, 0), 1, "int32")
                found = found.write(count, tf.gather(ids, best, batch_dims=1))
                further = tf.minimum(best + 1, size - start)
                return start + further, found, count + 1

            found = tf.TensorArray(
                "int32", 0, dynamic_size=True, element_shape=[None]
            )
            _, found, count = tf.while_loop(
                lambda start, *_: tf.reduce_any(start < size),
                step,
                (tf.zeros_like(size), found, 0),
            )
            ids = tf.reshape(found.stack(), [count, tf.size(size)])
            return tf.RaggedTensor.from_tensor(tf.transpose(ids), padding=END)

    return Reading()


def piece_joining(pieces):
    """The TensorFlow twin of `Pieces.text`.

    Args:
        pieces: `Pieces`.

    Returns:
        `tf.Module`, from ids `(B, length)` to strings `(B,)`.
    """
    import tensorflow as tf

    class Joining(tf.Module):
        def __init__(self):
            self.keys = tf.constant(np.array(pieces.keys, "object"))

        def __call__(self, ids):
            ended = tf.cumsum(tf.cast(tf.equal(ids, END), "int32"), axis=1) > 0
            parts = tf.gather(self.keys, tf.where(ended, END, ids))
            joined = tf.strings.reduce_join(parts, axis=1)
            joined = tf.strings.unicode_transcode(
                joined, "UTF-8", "UTF-8", "ignore"
            )
            joined = tf.strings.regex_replace(joined, "^ ", "")
            if pieces.keep_lines:
                joined = tf.strings.regex_replace(joined, "\n ", "\n")
            return joined

    return Joining()
