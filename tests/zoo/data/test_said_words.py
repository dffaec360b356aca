"""Words that are said: taken apart, put together, in both twins."""

import keras
import numpy as np
import pytest

from zoo.data.said_words import (
    END,
    START,
    UNKNOWN,
    SaidWords,
    join_words,
    joining,
    split_words,
)

TEXTS = [
    "3.5 of 1,000 cost 7, no 8.",
    "कुत्ता दौड़ता है",
    "A dog's ball, red-brown.",
    "Zwei Männer (jung) sitzen: einer schläft!",
    "a large red square",
    "Well? [Yes]; 50% {of} it.",
    "x",
    'a sign that says "stop"',
    '"Go," he said, "now." ("Why?")',
    "The dogs' ball and the cats' 'no' sign",
    "'Tis a 'T-shirt' of the '90s: rock 'n' roll!",
    '\'"Yes" she said\', "the dogs\' day"',
    "“Stop” said the dogs’ ‘owner’, ’tis all…",
    'a 6" pipe, 6\'2" tall, by a "pipe" sign',
    "$5, £3.99, #1, 3.5cm, 10:30 a.m., 1/2, the U.S. and/or w/ it",
    "pre- and post-war, -5 degrees, a - b",
    'a sign that says "stop',
    '""',
]


@pytest.mark.parametrize("text", TEXTS)
def test_takes_apart_and_puts_together_again(text):
    words = split_words(text)
    assert join_words(words) == text
    assert [split_words(word) for word in words] == [[word] for word in words]


def test_quotes_are_marks_where_they_come_in_pairs():
    assert split_words('says "stop"') == ["says", '"', "stop", '"']
    assert split_words("the dogs' 'no'") == ["the", "dogs'", "'", "no", "'"]
    assert split_words('6" "a" \'tis') == ['6"', '"', "a", '"', "'tis"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("50 % , a / b", "50%, a/b"),
        ("R&B at 5 $ and $ 5", "R & B at 5 $ and $5"),
        ('a " b " or a"b" or "', 'a "b" or a "b" or "'),
        ("it_now d.e", "it _ now d. e"),
    ],
)
def test_only_spaces_are_lost(text, said):
    assert join_words(split_words(text)) == said


def test_keeps_case_marks_and_what_joins_a_word():
    assert split_words("Don't stop, Re-Run it_now…") == [
        *("Don't", "stop", ",", "Re-Run", "it", "_", "now", "…"),
    ]
    assert split_words("  \n\t") == []
    assert split_words("3.5, 1,000. 2.x 4") == [
        *("3.5", ",", "1,000", ".", "2", ".", "x", "4"),
    ]
    # A letter and its mark, in one character or in two.
    assert (
        split_words("cafe\u0301") == split_words("caf\u00e9") == ["caf\u00e9"]
    )
    assert split_words("कुत्ता है") == ["कुत्ता", "है"]


def test_ids_end_and_are_filled_up():
    words = SaidWords(["a", "b", "."], length=4)
    np.testing.assert_array_equal(
        words(["a b", "b z .", "a b a b", "a a a", ""]),
        [
            [3, 4, END, END],
            [4, UNKNOWN, 5, END],
            [3, 4, 3, 4],
            [3, 3, 3, END],
            [END] * 4,
        ],
    )
    assert words(["a"]).dtype == "int32" and words.vocabulary_size == 6
    assert (END, START, UNKNOWN) == (0, 1, 2)


def test_says_words_up_to_the_end():
    words = SaidWords(["a", "b", "."], length=4)
    assert words.text([3, 4, 5, 0]) == "a b."
    assert words.words([4, END, 3, 3]) == ["b"]
    assert words.text([END, 3]) == ""


def test_learns_the_most_frequent_words_and_the_longest_length():
    texts = ["b b a c", "a b", "d c a"]
    words = SaidWords.learn(texts)
    assert words.vocabulary == ["a", "b", "c", "d"] and words.length == 5
    # As many ids as are allowed; of equals the alphabet's first.
    assert SaidWords.learn(texts, 5).vocabulary == ["a", "b"]
    assert SaidWords.learn(texts, length=3).length == 3


def test_tells_what_is_unknown_and_what_is_cut():
    words = SaidWords(["a", "b"], length=3)
    assert words.unknown(["a z", "b y"]) == 0.5
    assert words.unknown([]) == 0
    # With two words there is room for the end, with three there is none.
    assert words.cut(["a b", "a b a", "a b a b"]) == 2


@pytest.mark.parametrize(
    "vocabulary, length, message",
    [
        (["a"], 1, "`length` must be.*length=1"),
        (["a"], True, "length=True"),
        (["a"], 2.0, r"length=2\.0"),
        ([], 3, "one at least"),
        (["a", "a"], 3, "2 words, 1 distinct"),
        (["a b"], 3, "Received: 'a b'"),
        (["a."], 3, r"Received: 'a\.'"),
        ([""], 3, "Received: ''"),
        ([3], 3, "Received"),
    ],
)
def test_refuses_what_it_cannot_say(vocabulary, length, message):
    with pytest.raises(ValueError, match=message):
        SaidWords(vocabulary, length)


def test_a_vocabulary_has_room_for_a_word():
    with pytest.raises(ValueError, match="vocabulary_size=3"):
        SaidWords.learn(["a"], 3)
    with pytest.raises(ValueError, match="one at least"):
        SaidWords.learn(["", " "])


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow's twin"
)
def test_the_twin_puts_the_same_texts_together(tmp_path):
    marks = """" ' ( ) [ ] { } “ ” ‘ ’ … . , ; : % / - & $ £ # 5 3.5""".split()
    texts = [*TEXTS, " ".join(marks)]
    words = SaidWords.learn(texts, length=12)
    file = tmp_path / "words.txt"
    every = ["[END]", "[START]", "[UNK]", *words.vocabulary]
    file.write_text("".join(f"{word}\n" for word in every), "utf-8")
    generator = np.random.default_rng(0)
    # Half of them only marks; some end, and say more behind it.
    ids = generator.integers(0, words.vocabulary_size, (600, words.length))
    quotes = words(["".join(marks[:2])])[0, :2]
    only_marks = np.concatenate([words(marks)[:, 0], quotes.repeat(5)])
    ids[::2] = generator.choice(only_marks, ids[::2].shape)
    ids = np.concatenate([words(texts), ids.astype("int32")])
    found = [text.decode() for text in joining(file)(ids).numpy().tolist()]
    assert found == [words.text(row) for row in ids]
    assert len(set(found)) > 500
