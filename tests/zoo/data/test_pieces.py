"""Pieces of words: nothing is lost, and TensorFlow reads and joins alike."""

import random

import numpy as np
import pytest

from zoo.data import pieces as data
from zoo.data.pieces import END, FIRST, START, Pieces, normal

TEXTS = [
    "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche.",
    "Zwei Männer in grünen Hemden laufen.",
    "Ein Mann, der ein grünes Hemd trägt, läuft in der Nähe.",
    'Er sagt: "Nein!" (50 % der Zeit), don\'t run: 3,5 km/h.',
] * 3
ODD = [
    "",
    "   ",
    "\n\t\r",
    "\ufeffx",
    "a\u00a0b\u202fc",
    "a\u2003b",
    "e\u0301 é",
    "电影 \U0001f600 10/10",
    "x" * 300,
    "ab " * 200,
    "\x00\x01b\x7fc",
    "\\0 \\n $ ^ [UNK] [END]",
    "ﬁne ß ẞ İ ı",
]


@pytest.fixture(scope="module")
def learned():
    return Pieces.learn(TEXTS, vocabulary_size=320)


def some_strings(count=150):
    rng = random.Random(0)
    signs = "abz .,'\"\u00e4\u00df\u4e2d\U0001f680 \n\u00a0\u0301-09"
    return [
        "".join(rng.choices(signs, k=rng.randrange(30))) for _ in range(count)
    ]


def test_every_text_comes_back_normalised(learned):
    long = Pieces(learned.vocabulary, 2000)
    for text in TEXTS + ODD + some_strings():
        back = long.text(long([text])[0])
        assert back == normal(text)
        assert normal(back) == back


def test_normalises_blanks_and_nothing_else():
    assert normal(" a\n\tb\u00a0 c\x00d ") == "a b c d"
    assert normal("A\u2003é, “ß”…") == "A\u2003é, “ß”…"


def test_takes_the_longest_piece_first():
    made = Pieces(["ab", "abcd", " a"], 9)
    assert made.ids("abcde") == [FIRST + 2, *map(byte, "bcde")]
    assert made.ids("xabcde")[2:] == [FIRST + 1, byte("e")]
    assert made.ids("xabcx")[2:] == [FIRST, byte("c"), byte("x")]


def byte(letter):
    return 2 + ord(letter)


def test_joins_first_what_stands_together_most():
    units = {" ab": 9, " abc": 5, "xc": 4, "q": 50}
    assert data._joined(units, 3) == [" a", " ab", " abc"]
    # The fourth pair, `xc`, comes four times; one that comes once is none.
    assert data._joined(units, 9)[3:] == ["xc"]
    assert data._joined({"ab": 1}, 9) == []
    # A letter that takes several bytes is a piece if it is not rare.
    assert data._joined({"é": 10, "ß": 9}, 9) == ["é"]


def test_learning_is_the_same_every_time_and_never_too_much(learned):
    again = Pieces.learn(TEXTS[::-1], vocabulary_size=320)
    assert again.vocabulary == learned.vocabulary
    assert learned.vocabulary_size <= 320
    assert Pieces.learn(TEXTS, 259).vocabulary_size == 259
    assert max(len(learned.ids(text)) for text in TEXTS) == learned.length - 1
    many = Pieces.learn(TEXTS, 2000)
    for text in TEXTS:
        assert len(many.ids(text)) <= len(learned.ids(text))


def test_a_long_text_is_cut_and_does_not_end(learned):
    short = Pieces(learned.vocabulary, 5)
    (ids,) = short([TEXTS[0]])
    assert ids.tolist() == learned.ids(TEXTS[0])[:5] and END not in ids
    assert short.cut([TEXTS[0], "", "a"]) == 1
    assert short.text(ids) == learned.text(ids)


def test_shows_pieces_and_bytes():
    made = Pieces([" é"], 9)
    assert made.words(made([" éb中"])[0]) == [
        *(" é", "b", "<0xE4>", "<0xB8>", "<0xAD>")
    ]


def test_forbids_the_bytes_that_no_text_has_and_no_others():
    pieces = Pieces(["aa"], length=10_000)
    places = [*range(0x800), *range(0x800, 0x110000, 61)]
    letters = [chr(x) for x in places if not 0xD800 <= x < 0xE000]
    said = set()
    for start in range(0, len(letters), 2000):
        said.update(pieces.ids("".join(letters[start : start + 2000])))
    assert said == set(range(2, 258)) - set(pieces.forbidden)
    assert pieces.keys[pieces.forbidden[0]] == b"\0"


def test_half_a_letter_is_left_out():
    made = Pieces([" é"], 9)
    ids = [START, byte("a"), 2 + 0xE4, 2 + 0xB8, byte("b"), END, byte("c")]
    assert made.text(ids) == "ab"


@pytest.mark.parametrize(
    "vocabulary, length, message",
    [
        (["ab"], 1, "length=1"),
        (["ab"], True, "length=True"),
        (["ab"], 10_001, "length=10001"),
        (["ab", "ab"], 9, "2 pieces, 1 distinct"),
        (["a"], 9, "1 pieces, 0 distinct"),
        (["a b"], 9, "'a b'"),
        (["  a"], 9, "'  a'"),
        ([" "], 9, "distinct"),
        (["x" * 65], 9, "xxx"),
        (["a\ud800"], 9, "Unicode"),
        ([3], 9, "3"),
    ],
)
def test_refuses_what_is_no_vocabulary(vocabulary, length, message):
    with pytest.raises(ValueError, match=message):
        Pieces(vocabulary, length)


@pytest.mark.parametrize("size", [257, 3, 300.0])
def test_refuses_a_size_that_holds_no_bytes(size):
    with pytest.raises(ValueError, match=f"vocabulary_size={size}"):
        Pieces.learn(TEXTS, size)


def test_tensorflow_reads_alike(learned):
    tf = pytest.importorskip("tensorflow")
    read = tf.function(
        data.piece_reading(learned),
        input_signature=[tf.TensorSpec((None,), tf.string)],
    )
    texts = TEXTS[:4] + ODD + some_strings()
    ids = read(tf.constant([text.encode() for text in texts])).numpy()
    np.testing.assert_array_equal(ids, learned(texts))
    (alone,) = read(tf.constant([TEXTS[1].encode()])).numpy()
    np.testing.assert_array_equal(alone, learned([TEXTS[1]])[0])
    broken = read(tf.constant([b"a\xff\xe4b"])).numpy()
    np.testing.assert_array_equal(broken, learned(["a\ufffd\ufffdb"]))


def test_tensorflow_joins_alike(learned):
    tf = pytest.importorskip("tensorflow")
    join = tf.function(
        data.piece_joining(learned),
        input_signature=[tf.TensorSpec((None, None), tf.int32)],
    )
    rng = np.random.default_rng(0)
    ids = rng.integers(0, learned.vocabulary_size, (200, 12)).astype("int32")
    ids[:100] = np.maximum(ids[:100], 1)
    ids = np.concatenate([ids, learned(TEXTS)[:, :12]])
    joined = [text.decode() for text in join(tf.constant(ids)).numpy()]
    assert joined == [learned.text(row) for row in ids]


def test_says_which_letters_each_piece_spells():
    pieces = Pieces([" May", " 2", "ä"], length=20)
    text = "May 20, Bär"
    spans = pieces.spans(text)
    words = pieces.words(pieces.ids(text))
    assert len(spans) == len(words)
    found = [text[first:after] for first, after in spans]
    assert found[:4] == ["May", "2", "0", ","]
    assert found[-2:] == ["ä", "r"]
    # A space alone is a piece, and so are the bytes of a letter.
    assert pieces.spans("x é")[-2:] == [(2, 3), (2, 3)]


def test_lists_what_each_id_is():
    pieces = Pieces([" May", "é"], length=4)
    lines = pieces.lines()
    assert len(lines) == pieces.vocabulary_size == 260
    assert lines[:4] == ["[END]", "[START]", "<0x00>", "<0x01>"]
    assert lines[2 + ord("a")] == "a" and lines[2 + 0xC3] == "<0xC3>"
    assert lines[-2:] == [" May", "é"]


def test_pieces_are_learned_of_others_that_share_them():
    texts, others = ["rot rot"] * 3, ["blau blau"] * 9
    apart = Pieces.learn(texts, 280)
    both = Pieces.learn(texts, 280, others=others)
    assert " blau" in both.vocabulary and " blau" not in apart.vocabulary
    assert both.length == len(both.ids("rot rot")) + 1


LINED = [
    *ODD,
    "Ein Mann.\nZwei Männer.",
    "Ein Mann.\r\n\r\n\r\n\tZwei  Männer.\r\n",
    "a\rb\x0bc\x0cd\x85e\u2028f",
    "a \n \n b\n\x00\nc",
    "\n" * 70 + "x" + "\n" * 3,
    "x" * 100 + "\n" + "x" * 100,
]


def test_lines_are_kept_where_they_are_asked_for():
    assert normal("\n a\tb \r\n c\n\n\n\nd \n", True) == "a b\nc\n\nd"
    assert normal("a\rb\x0cc\x85d", True) == "a\nb\nc\nd"
    lined = Pieces.learn(TEXTS, 320, keep_lines=True)
    # Where there are no lines, all is as it was.
    plain = Pieces.learn(TEXTS, 320)
    assert lined.vocabulary == plain.vocabulary
    for text in TEXTS:
        assert lined.ids(text) == plain.ids(text)
    for text in [*TEXTS, *LINED, *some_strings()]:
        back = lined.text(lined.ids(text))
        assert back == normal(text, True) == normal(back, True)
        assert normal(back) == normal(text)


def test_a_line_is_its_byte_and_its_first_word_as_any_other():
    texts = ["rot\nrot\n\nrot blau"] * 9
    lined = Pieces.learn(texts, 300, keep_lines=True)
    assert lined.vocabulary == Pieces.learn(texts, 300).vocabulary
    red, line = FIRST + lined.vocabulary.index(" rot"), byte("\n")
    assert lined.ids("rot\nrot\n\nrot") == [red, line, red, line, line, red]
    assert line not in lined.forbidden
    assert line in Pieces(lined.vocabulary, 9).forbidden
    # A network may say a line's first word without a space.
    assert lined.text([red, line, byte("r"), END]) == "rot\nr"
    text = "rot\nrötx\n\nrot"
    found = [text[start:end] for start, end in lined.spans(text)]
    assert found[:2] == ["rot", "\n"] and found[-3:] == ["\n", "\n", "rot"]
    assert found[-4] == "x" and "ö" in found


def test_bytes_alone_will_do():
    alone = Pieces.learn(TEXTS, 258)
    assert alone.vocabulary == [] and alone.vocabulary_size == 258
    for text in [*TEXTS, *ODD]:
        content = normal(text).encode()
        assert len(alone.ids(text)) == len(content) + bool(content)
        assert alone.text(alone.ids(text)) == normal(text)


def test_tensorflow_keeps_lines_alike():
    tf = pytest.importorskip("tensorflow")
    lined = Pieces(Pieces.learn(TEXTS, 320).vocabulary, 60, keep_lines=True)
    read, join = (
        tf.function(twin, input_signature=[tf.TensorSpec(shape, dtype)])
        for twin, shape, dtype in (
            (data.piece_reading(lined), (None,), tf.string),
            (data.piece_joining(lined), (None, None), tf.int32),
        )
    )
    texts = [*TEXTS[:4], *LINED, *some_strings()]
    ids = read(tf.constant([text.encode() for text in texts])).numpy()
    np.testing.assert_array_equal(ids, lined(texts))
    rng = np.random.default_rng(0)
    more = rng.choice([0, 12, 34, 99, 100, 262, 270], (200, 60)).astype("int32")
    ids = np.concatenate([ids, more])
    joined = [text.decode() for text in join(tf.constant(ids)).numpy()]
    assert joined == [lined.text(row) for row in ids]
