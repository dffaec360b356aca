"""Words of pairs as shared ids: the rule, and that TensorFlow follows it."""

import math
import random
import time

import numpy as np
import pytest

from zoo.data.pair_tokens import PairTokens, pair_vectorization
from zoo.data.tokens import Tokens

tf = pytest.importorskip("tensorflow")


def test_ids_follow_padding_and_unknown_in_the_order_of_the_vocabulary():
    tokens = PairTokens(["the", "end"], left_length=3, right_length=4)
    assert tokens.vocabulary == ["the", "end"]
    assert tokens.vocabulary_size == 4
    assert tokens.num_ids == 4 + 3 + 4
    ids = tokens([("The END.", "end, the end"), ("...", "")])
    assert list(ids) == ["left_ids", "right_ids"]
    assert ids["left_ids"].dtype == ids["right_ids"].dtype == np.int32
    assert ids["left_ids"].tolist() == [[2, 3, 0], [0, 0, 0]]
    assert ids["right_ids"].tolist() == [[3, 2, 3, 0], [0, 0, 0, 0]]
    empty = tokens([])
    assert empty["left_ids"].shape == (0, 3)
    assert empty["right_ids"].shape == (0, 4)


def test_an_unknown_word_has_the_id_of_its_first_place_in_the_pair():
    tokens = PairTokens(["the"], left_length=4, right_length=5)
    ids = tokens(
        [
            ("Who is the one", "the one who is new"),
            ("so so", "new so new"),
            ("the", "who who"),
            ("", "last"),
        ]
    )
    assert ids["left_ids"].tolist() == [
        [3, 4, 2, 6],
        [3, 3, 0, 0],
        [2, 0, 0, 0],
        [0, 0, 0, 0],
    ]
    assert ids["right_ids"].tolist() == [
        [2, 6, 3, 4, 11],
        [7, 3, 7, 0, 0],
        [7, 7, 0, 0, 0],
        [7, 0, 0, 0, 0],
    ]
    assert ids["right_ids"].max() == tokens.num_ids - 1


def test_a_word_beyond_the_cut_is_not_there():
    tokens = PairTokens(["the"], left_length=2, right_length=2)
    ids = tokens([("the the emma", "the emma emma the")])
    assert ids["left_ids"].tolist() == [[2, 2]]
    assert ids["right_ids"].tolist() == [[2, 3 + 3]]


def test_words_and_what_is_cut_are_told_of_a_pair():
    tokens = PairTokens(["the"], left_length=2, right_length=3)
    pair = ("Who’s\u00a0the one—you?", "It's ME!")
    assert tokens.words(pair) == (["whos", "the"], ["its", "me"])
    assert tokens.cut(pair) == (2, 0)
    assert tokens.cut(("a b", "a b c d")) == (0, 1)
    assert tokens.words(["", "..."]) == ([], [])


def test_words_are_those_of_one_text():
    tokens = PairTokens(["the"], left_length=400, right_length=400)
    alone = Tokens(["the"], length=400)
    for text in strange_texts(100):
        assert tokens.words((text, text)) == (alone.words(text),) * 2


def test_learns_from_each_distinct_text_once():
    pairs = [
        ("who who", "emma"),
        ("who who", "ann emma"),
        ("who who", "zoe emma."),
        ("emma", "emma."),
    ]
    tokens = PairTokens.learn(pairs, 5, left_length=3, right_length=2)
    assert tokens.vocabulary == ["emma", "who", "ann"]
    assert tokens.config() == {"left_length": 3, "right_length": 2}
    again = PairTokens(tokens.vocabulary, **tokens.config())
    for name, ids in tokens(pairs).items():
        np.testing.assert_array_equal(again(pairs)[name], ids)


def test_rare_words_weigh_more():
    tokens = PairTokens(["the", "end", "never"], left_length=1)
    texts = ["The end, the END", "the start", "the", "The start", "the"]
    expected = [0, math.log(4), 0, math.log(4), math.log(4)]
    weights = tokens.idf(texts)
    assert weights == expected and isinstance(weights, list)
    assert tokens.idf(["end", "the end end"])[2:4] == [math.log(2), 0]
    assert len(weights) == tokens.vocabulary_size


def strange_texts(count):
    """Texts of everything that two languages may read differently."""
    draw = random.Random(1)
    bits = [
        *"abAB.!?<>/-'\"_ \n\r\t\v\f\0\x01\x1c\x1f\x7f\x85",
        *"’“”‛–—…\x80\x82\x91\x92\x93\x94\x95\x96\x97éÉİıßſK\u00a0\u200b\u2028\u3000\ufeff\ufffd😀",
        *("<br />", "<BR>", ". ", " ", " ", "a b c", " emma ", " 😀 "),
    ]
    texts = ["", "...", " ", "[UNK]", "😀", "Emma’s\u00a0“x”", "x" * 10**5]
    texts += ["word " * 10**4, "a b c d e f emma", "emma", "É é", "🏳️‍🌈 👍🏽"]
    for _ in range(count):
        texts.append("".join(draw.choices(bits, k=draw.randrange(60))))
        letters = (draw.randrange(0x110000) for _ in range(20))
        texts.append(
            "".join(chr(n) for n in letters if not 0xD800 <= n < 0xE000)
        )
    return texts


def strange_pairs(count):
    draw = random.Random(2)
    texts = strange_texts(count)
    pairs = [(text, text) for text in texts]
    pairs += zip(texts, draw.sample(texts, len(texts)))
    return pairs + [(left + " emma", "emma " + left) for left in texts]


def as_tensors(pairs):
    return [tf.constant(side, "string") for side in zip(*pairs)]


@pytest.mark.parametrize(
    "vocabulary_size, left_length, right_length",
    [(3, 1, 1), (20, 3, 7), (60, 12, 5), (10**6, 40, 40)],
)
def test_tensorflow_gives_the_same_ids(
    vocabulary_size, left_length, right_length
):
    pairs = strange_pairs(300)
    tokens = PairTokens.learn(
        pairs,
        vocabulary_size,
        left_length=left_length,
        right_length=right_length,
    )
    given = pair_vectorization(tokens)(*as_tensors(pairs))
    assert list(given) == ["left_ids", "right_ids"]
    for name, ids in tokens(pairs).items():
        assert given[name].dtype == "int32"
        np.testing.assert_array_equal(given[name], ids)


def test_tensorflow_keeps_it_in_a_saved_model(tmp_path):
    pairs = strange_pairs(20)
    tokens = PairTokens.learn(pairs, 20, left_length=4, right_length=6)
    root = tf.Module()
    root.vectorization = pair_vectorization(tokens)
    text = tf.TensorSpec((None,), tf.string)

    @tf.function(input_signature=[text, text])
    def serve(left, right):
        ids = root.vectorization(left, right)
        assert ids["left_ids"].shape == (None, 4)
        assert ids["right_ids"].shape == (None, 6)
        return ids

    tf.saved_model.save(root, tmp_path, signatures=serve)
    saved = tf.saved_model.load(tmp_path).signatures["serving_default"]
    for part in (pairs, pairs[:1]):
        left, right = as_tensors(part)
        given = saved(left=left, right=right)
        for name, ids in tokens(part).items():
            np.testing.assert_array_equal(given[name], ids)
    none = tf.constant([], "string")
    empty = saved(left=none, right=none)
    assert empty["left_ids"].shape == (0, 4)


def test_many_pairs_take_seconds():
    draw = random.Random(3)
    words = [f"w{index}" for index in range(30_000)]
    questions = [" ".join(draw.choices(words, k=9)) for _ in range(1000)]
    pairs = [
        (question, " ".join(draw.choices(words, k=30)))
        for question in questions
        for _ in range(20)
    ]
    tokens = PairTokens.learn(pairs)
    start = time.perf_counter()
    tokens(pairs)
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    "pair, shown",
    [
        ("ab", "'ab'"),
        (("a", "b", "c"), r"\('a', 'b', 'c'\)"),
        (("a",), r"\('a',\)"),
        (("a", None), r"\('a', None\)"),
        ((b"a", "b"), r"\(b'a', 'b'\)"),
        (None, "None"),
    ],
)
def test_refuses_what_is_no_pair(pair, shown):
    tokens = PairTokens(["a"])
    for ask in (tokens.words, tokens.cut):
        with pytest.raises(ValueError, match=f"two strings.*pair={shown}"):
            ask(pair)
    for ask in (tokens, PairTokens.learn):
        with pytest.raises(ValueError, match=f"two strings.*pair={shown}"):
            ask([("fine", "a"), pair])
        with pytest.raises(ValueError, match="must be a list.*'a b'"):
            ask("a b")


def test_refuses_half_a_surrogate_pair():
    tokens = PairTokens(["a"])
    for ask in (tokens, PairTokens.learn, lambda pairs: tokens.cut(pairs[0])):
        with pytest.raises(ValueError, match="valid Unicode"):
            ask([("a", "ab\ud800")])


def test_refuses_to_count_no_texts():
    tokens = PairTokens(["a"])
    with pytest.raises(
        ValueError, match=r"must not be empty. Received: texts=\[\]"
    ):
        tokens.idf([])
    with pytest.raises(ValueError, match="put a single one in a list"):
        tokens.idf("abc")
    with pytest.raises(ValueError, match="must be a string.*7"):
        tokens.idf(["fine", 7])


@pytest.mark.parametrize("name", ["left_length", "right_length"])
@pytest.mark.parametrize("value", [0, -1, None, 2.0])
def test_refuses_lengths_out_of_range(name, value):
    with pytest.raises(ValueError, match=f"{name}={value!r}"):
        PairTokens(["a"], **{name: value})


def test_refuses_the_vocabularies_that_one_text_refuses():
    for vocabulary in ([], ["a", "a"], ["Upper"], ["it's"], "a"):
        with pytest.raises(ValueError):
            PairTokens(vocabulary)
    with pytest.raises(ValueError, match="vocabulary_size=2"):
        PairTokens.learn([("a", "b")], 2)


def test_names_the_unknown_words_that_were_read():
    tokens = PairTokens(["who", "wrote"], left_length=3, right_length=2)
    assert tokens.unknown(("Who x x y?", "x wrote z")) == (["x"], ["x"])
    assert tokens.unknown(("who", "wrote")) == ([], [])
    assert tokens.knows("who") and not tokens.knows("x")
