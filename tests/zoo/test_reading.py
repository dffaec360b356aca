"""What was not read is said: words cut off, words that are unknown."""

import numpy as np
import pytest

from tests.zoo.sentence_matching.tiny import tiny_matcher, tiny_selector
from tests.zoo.text_classification.tiny import HAN, RECURRENT, tiny_reader
from zoo import printing
from zoo.data.pairs import PairData
from zoo.data.texts import TextData


@pytest.fixture(scope="module")
def reader():
    return tiny_reader(RECURRENT)


@pytest.fixture(scope="module")
def matcher():
    return tiny_matcher()


@pytest.fixture
def warned(recwarn):
    def found():
        said = [str(each.message) for each in recwarn]
        recwarn.clear()
        return [each for each in said if "vocabulary" in each]

    return found


KNOWN, LONG = "lamp house lovely", "lamp house tree " * 4


@pytest.mark.parametrize("method", ["predict", "look"])
def test_an_answer_says_what_of_its_text_was_not_read(reader, method):
    answers = getattr(reader, method)(
        [KNOWN, LONG, "lamp zorbly lovely zorbly tree", ""]
    )
    assert [answer["cut"] for answer in answers] == [0, 4, 0, 0]
    assert [a["unknown"] for a in answers] == [[], [], ["zorbly"], []]


def test_of_sentences_what_is_in_no_row_was_not_read():
    answer = tiny_reader(HAN).predict("lamp tree. " * 5)
    assert answer["cut"] == 4


def test_an_answer_says_what_of_its_pair_was_not_read(matcher):
    answer = matcher.predict(("blick dax " * 4, "dax zorbly fep"))
    assert answer["cut"] == (2, 0)
    assert answer["unknown"] == ([], ["zorbly"])


def test_each_candidate_says_what_of_it_was_not_read():
    answer = tiny_selector().predict(("blick dax zorbly", ["fep", "gnarl dax"]))
    unknown = {each["text"]: each["unknown"] for each in answer["answers"]}
    assert unknown == {
        "fep": ([], ["zorbly"]),
        "gnarl dax": (["gnarl"], ["zorbly"]),
    }


def test_mostly_unknown_words_warn_once_with_share_and_example(reader, warned):
    reader.predict([KNOWN, "schöner film", "lamp ganz toll", "lamp house eins"])
    assert warned() == [
        "Most words of 2 of 4 inputs are not in the model's vocabulary "
        "(80 %, such as 'schöner'): do not rely on the answers."
    ]
    reader.look(["sehr " + "x\x1b" * 40])
    (message,) = warned()
    assert (
        message.startswith("Most words of 1 of 1 inputs") and "sehr" in message
    )
    reader.predict([KNOWN, "lamp film", ""])  # half is not most
    assert warned() == []


def test_an_example_is_short_and_tame(reader, warned):
    reader.predict("x\x1b\u202e" + "y" * 400)
    (message,) = warned()
    assert message.isprintable() and len(message) < 160


def test_mostly_unknown_pairs_warn(matcher, warned):
    matcher.predict([("blick dax", "dax"), ("ein hund", "blick")])
    (message,) = warned()
    assert message.startswith("Most words of 1 of 2 inputs")
    assert "67 %, such as 'ein'" in message


@pytest.mark.parametrize("words, said", [("ein hund", 1), ("lamp house", 0)])
def test_data_of_mostly_unknown_words_warn_once(reader, warned, words, said):
    count = 2500
    data = TextData(
        [f"{words} lamp" for _ in range(count)],
        np.arange(count) % 2,
        ["bad", "good"],
        "mine",
        "test",
    )
    reader.input.reader(data)
    messages = warned()
    assert len(messages) == said
    if said:
        assert "the data 'mine' (test)" in messages[0]
        assert "67 %, such as 'ein'" in messages[0]


def test_data_of_mostly_unknown_pairs_warn_when_measured(matcher, warned):
    pairs = [("ein hund", "eine katze"), ("blick dax", "vier fünf sechs")]
    data = PairData(pairs, np.array([0, 1]), ["apart", "alike"], "mine", "test")
    matcher.evaluate(data)
    (message,) = warned()
    assert "the data 'mine' (test)" in message


def test_the_table_says_what_was_not_read(reader, matcher, capsys, monkeypatch):
    console = printing.SafeConsole(width=200)
    monkeypatch.setattr(printing, "console", console)

    def table(task, raws):
        printing.print_answers(task, raws, task.predict(raws))
        return " ".join(capsys.readouterr().out.split())

    shown = table(reader, [LONG, "zorbly a b c d lamp", KNOWN])
    end = {"last": "beginning", "first": "end"}[reader.input.tokens.keep]
    assert f"[4 words at its {end} not read]" in shown
    assert "[not in the vocabulary: zorbly, a, b and 2 more]" in shown
    assert shown.count("[") == 2
    shown = table(matcher, [("blick " * 7, "zorbly dax")])
    assert "[1 word at its end not read]" in shown
    assert "zorbly dax [not in the vocabulary: zorbly]" in shown
    shown = table(
        tiny_selector(), [("blick zorbly", ["dax " * 9 + "zorbly", "gnarl"])]
    )
    assert "blick zorbly [not in the vocabulary: zorbly]" in shown
    assert "[3 words at its end not read; not" not in shown
    assert "[4 words at its end not read]" in shown
    assert "gnarl [not in the vocabulary: gnarl]" in shown
