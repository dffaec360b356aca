"""Words as ids: the rule, and that TensorFlow follows it to the letter."""

import random
import time

import keras
import numpy as np
import pytest

from zoo.data.tokens import PUNCTUATION, REPLACED, Tokens, vectorization

tf = pytest.importorskip("tensorflow")


def test_words_are_lower_case_without_punctuation_or_tags():
    tokens = Tokens(["a"])
    assert tokens.words("It's  GOOD,<br />very-good!<BR/>(Éva\tsaid)\f") == [
        "its",
        "good",
        "verygood",
        "Éva",
        "said",
    ]
    assert tokens.words("a < b > c <br> d <b>e</b>") == list("abcd") + ["beb"]


def test_typographic_signs_are_read_as_plain_ones():
    tokens = Tokens(["a"], length=9, sentences=9)
    for text, plain in (
        ("Don’t — it’s “great”…", "Don't - it's \"great\"..."),
        ("a–b—c…d\u00a0e\u0085f\u0096g\u0097h", "a b c d e f g h"),
        ("\u0091a\u0092 \u0093b\u0094 ‚c‛ „d‟ \u0082e \u0084f", "a b c d e f"),
        ("he left.” she stayed", 'he left." she stayed'),
        ("over.\u00a0Next", "over. Next"),
    ):
        assert tokens.words(text) == tokens.words(plain)


def test_what_else_is_not_ascii_stays_as_it_is():
    tokens = Tokens(["a"])
    for word in ("ÄÖ", "İstanbul", "naïve\u3000word", "a\u2028b", "«no»", "😀"):
        expected = "".join(
            letter.lower() if letter.isascii() else letter for letter in word
        )
        assert tokens.words(word) == [expected]


def test_ids_follow_padding_and_unknown_in_the_order_of_the_vocabulary():
    tokens = Tokens(["the", "end"], length=5)
    assert tokens.vocabulary_size == 4
    ids = tokens(["The end of the end.", "", "...", "who knows"])
    assert ids.dtype == np.int32
    assert ids.tolist() == [
        [2, 3, 1, 2, 3],
        [0] * 5,
        [0] * 5,
        [1, 1, 0, 0, 0],
    ]
    assert tokens([]).shape == (0, 5)


@pytest.mark.parametrize("keep, kept", [("first", "abc"), ("last", "cde")])
def test_keeps_the_first_or_the_last_words(keep, kept):
    tokens = Tokens(list("abcde"), length=3, keep=keep)
    assert tokens.words("a b c d e") == list(kept)
    assert tokens(["a b c d e"]).tolist() == [
        [2 + "abcde".index(word) for word in kept]
    ]
    assert tokens(["a b"]).tolist() == [[2, 3, 0]]


def test_sentences_end_at_marks_before_white_space_at_lines_and_at_tags():
    tokens = Tokens(["a"], length=9, sentences=9)
    text = (
        "Oh... Really?! It cost 3.50. e.g.this\nline\r\none<br />- !<br>last."
    )
    assert tokens.words(text) == [
        ["oh"],
        ["really"],
        ["it", "cost", "350"],
        ["egthis"],
        ["line"],
        ["one"],
        ["last"],
    ]
    assert tokens(["", ". . .", "a"])[:, :2, :2].tolist() == [
        [[0, 0], [0, 0]],
        [[0, 0], [0, 0]],
        [[2, 0], [0, 0]],
    ]


def test_a_mark_ends_a_sentence_before_white_space_of_ascii_alone():
    tokens = Tokens(["a"], length=9, sentences=9)
    for white in " \t\n\v\f\r":
        assert tokens.words(f"a.{white}b") == [["a"], ["b"]]
    for other in ("", "\u3000", "\x1c", "\u2028", '" '):
        assert len(tokens.words(f"a.{other}b")) == 1


def test_a_long_sentence_goes_on_in_the_next_row():
    words = [f"w{index}" for index in range(55)]
    tokens = Tokens(words, length=20, sentences=4)
    (ids,) = tokens([" ".join(words) + ". w0"])
    assert ids[:3].reshape(-1)[:55].tolist() == list(range(2, 57))
    assert ids[2, 15:].tolist() == [0] * 5
    assert ids[3].tolist() == [2] + [0] * 19


@pytest.mark.parametrize(
    "keep, kept", [("first", [["a", "b"], ["c"]]), ("last", [["c"], ["d"]])]
)
def test_keeps_the_first_or_the_last_rows(keep, kept):
    tokens = Tokens(list("abcd"), length=2, sentences=2, keep=keep)
    assert tokens.words("A b c. D.") == kept
    assert Tokens(["a"], 2, 3, keep).words("a") == [["a"]]


@pytest.mark.parametrize("sentences", [None, 3])
def test_words_are_laid_out_as_the_ids_are(sentences):
    text = "A b? zz cc. B a b a b. Yy!"
    tokens = Tokens(["a", "b", "cc"], 4, sentences, "last")
    place = {"a": 2, "b": 3, "cc": 4}
    shown = tokens.words(text)
    for words, ids in zip(
        shown if sentences else [shown], np.atleast_2d(tokens([text])[0])
    ):
        expected = [place.get(word, 1) for word in words]
        assert ids.tolist() == expected + [0] * (4 - len(words))


def test_learns_the_most_frequent_words_and_of_equals_the_first():
    texts = ["é d c. B c", "B a b, zzz", "é a d"]
    tokens = Tokens.learn(texts, 7, length=3)
    assert tokens.vocabulary == ["b", "a", "c", "d", "é"]
    assert tokens.vocabulary_size == 7
    assert Tokens.learn(texts, 1000).vocabulary[-1] == "zzz"


def test_its_description_rebuilds_it():
    tokens = Tokens.learn(["a b"], 4, length=3, sentences=2, keep="last")
    assert tokens.config() == {"length": 3, "sentences": 2, "keep": "last"}
    again = Tokens(tokens.vocabulary, **tokens.config())
    texts = ["a b c d. e. a", ""]
    np.testing.assert_array_equal(again(texts), tokens(texts))


def test_removes_what_keras_removes():
    everything = "".join(map(chr, range(33, 127)))
    layer = keras.layers.TextVectorization(output_mode="count")
    layer.adapt([f"{letter}x" for letter in everything])
    expected = set(layer.get_vocabulary()[1:])
    tokens = Tokens(["a"], length=1)
    assert {tokens.words(f"{letter}x")[0] for letter in everything} == expected
    assert len(PUNCTUATION) == 32


def strange_texts(count):
    """Texts of everything that two languages may read differently."""
    draw = random.Random(0)
    bits = [
        *"abAB.!?<>/-'\"_ \n\r\t\v\f\0\x01\x1c\x1f\x7f\x85",
        *"’“”‛–—…\x80\x82\x91\x92\x93\x94\x95\x96\x97éÉİıßſK\u00a0\u200b\u2028\u3000\ufeff\ufffd😀",
        *("<br />", "<BR>", "<br\t/>", "<br", ". ", "... ", "a b c", "&amp;"),
    ]
    texts = ["", "...", " ", "\n\n. . .", "qqq www", "word " * 55 + ". one"]
    for _ in range(count):
        texts.append("".join(draw.choices(bits, k=draw.randrange(80))))
        letters = (draw.randrange(0x110000) for _ in range(20))
        texts.append(
            "".join(chr(n) for n in letters if not 0xD800 <= n < 0xE000)
        )
    return texts


@pytest.mark.parametrize("keep", ["first", "last"])
@pytest.mark.parametrize(
    "vocabulary_size, length, sentences",
    [(60, 5, None), (10**6, 200, None), (60, 3, 4), (10**6, 20, 40)],
)
def test_tensorflow_gives_the_same_ids(
    vocabulary_size, length, sentences, keep
):
    texts = strange_texts(500)
    tokens = Tokens.learn(
        texts, vocabulary_size, length=length, sentences=sentences, keep=keep
    )
    ids = vectorization(tokens)(tf.constant(texts))
    assert ids.dtype == "int32"
    np.testing.assert_array_equal(ids, tokens(texts))


@pytest.mark.parametrize("sentences", [None, 12])
def test_tensorflow_keeps_it_in_a_saved_model(sentences, tmp_path):
    texts = strange_texts(20)
    tokens = Tokens.learn(texts, 50, length=4, sentences=sentences)
    root = tf.Module()
    root.vectorization = vectorization(tokens)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
    def serve(text):
        ids = root.vectorization(text)
        assert ids.shape == (None, *tokens([]).shape[1:])
        return {"token_ids": ids}

    tf.saved_model.save(root, tmp_path, signatures=serve)
    saved = tf.saved_model.load(tmp_path).signatures["serving_default"]
    for part in (texts, texts[:1]):
        np.testing.assert_array_equal(
            saved(tf.constant(part))["token_ids"], tokens(part)
        )
    empty = saved(tf.constant([], "string"))["token_ids"]
    assert tuple(empty.shape) == tokens([]).shape


def test_a_million_characters_take_seconds():
    million = 10**6
    texts = [
        "x" * million,
        "word " * (million // 5),
        "a. " * (million // 3),
        "." * million,
        "a" + "!?" * (million // 2),
        "<br" * (million // 3),
        "<br" + " " * million,
    ]
    tokens = Tokens.learn(texts, length=20, sentences=12, keep="last")
    assert "x" * million in tokens.vocabulary
    start = time.perf_counter()
    ids = tokens(texts)
    same = vectorization(tokens)(tf.constant(texts))
    assert time.perf_counter() - start < 60
    np.testing.assert_array_equal(ids, same)


@pytest.mark.parametrize(
    "text, why",
    [
        (b"bytes", "must be a string.*b'bytes'"),
        (None, "must be a string.*None"),
        (7, "must be a string.*7"),
        ("ab\ud800", r"valid Unicode.*'\\ud800' at place 2"),
    ],
)
def test_refuses_what_is_no_text(text, why):
    tokens = Tokens(["a"])
    with pytest.raises(ValueError, match=why):
        tokens(["fine", text])
    with pytest.raises(ValueError, match=why):
        tokens.words(text)
    with pytest.raises(ValueError, match=why):
        Tokens.learn([text])


def test_refuses_a_text_in_place_of_a_list():
    with pytest.raises(ValueError, match="put a single one in a list.*'abc'"):
        Tokens(["a"])("abc")


@pytest.mark.parametrize("vocabulary", [["Upper"], ["a b"], ["it's"], [""]])
def test_refuses_words_that_no_text_becomes(vocabulary):
    with pytest.raises(ValueError, match="one that text can become"):
        Tokens(["fine", *vocabulary])


@pytest.mark.parametrize("vocabulary", [[], ["a", "a"]])
def test_refuses_a_vocabulary_of_none_or_of_the_same(vocabulary):
    with pytest.raises(ValueError, match="distinct words, one at least"):
        Tokens(vocabulary)
    with pytest.raises(ValueError, match="distinct words, one at least"):
        Tokens.learn(["...", ""])


@pytest.mark.parametrize(
    "arguments, why",
    [
        ({"length": 0}, "length=0"),
        ({"length": None}, "length=None"),
        ({"length": 2.0}, r"length=2\.0"),
        ({"sentences": 0}, "sentences=0"),
        ({"keep": "middle"}, "keep='middle'"),
    ],
)
def test_refuses_arguments_out_of_range(arguments, why):
    with pytest.raises(ValueError, match=why):
        Tokens(["a"], **arguments)


def test_refuses_a_vocabulary_without_room_for_a_word():
    with pytest.raises(ValueError, match="vocabulary_size=2"):
        Tokens.learn(["a"], 2)


def test_one_pattern_serves_both_languages():
    # RE2's `\s` lacks the vertical tab.
    for pattern, _ in REPLACED:
        assert "\\s" not in pattern


@pytest.mark.parametrize("keep", ["first", "last"])
@pytest.mark.parametrize("sentences", [None, 2])
def test_counts_what_is_cut_and_names_what_is_unknown(keep, sentences):
    tokens = Tokens(["a", "b"], length=2, sentences=sentences, keep=keep)
    text = "a x b. é a x? b"  # rows of two: a x, b, é a, x, b
    words = tokens.words(text)
    read = sum(words, []) if sentences else words
    assert tokens.cut(text) == 7 - len(read) > 0
    unknown = {"x", "é"} & {*read}
    assert tokens.unknown(text) == [w for w in ("x", "é") if w in unknown]
    assert tokens.unknown("x x") == ["x"]
    assert tokens.cut("") == 0 and tokens.unknown("") == []
    assert tokens.knows("b") and not tokens.knows("x")
