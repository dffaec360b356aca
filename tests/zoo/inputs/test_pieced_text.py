"""A text read in pieces: the contract, and what is its own."""

import pytest

from tests.zoo.contract import check_input
from tests.zoo.translation.tiny import tiny_translations
from zoo.inputs.pieced_text import PiecedText

RAWS = ["rot Hund", "", "Ein \U0001f600 Café, zweimal!"]


def learned(**settings):
    pieces = {"vocabulary_size": 270, **settings}
    return PiecedText.learn(tiny_translations(6), {"pieces": pieces})


@pytest.mark.parametrize("settings", [{}, {"length": 4}, {"shared": True}])
def test_keeps_the_contract(settings):
    wrong = [(b"bytes", "must be a string"), (["a", None], "must be a string")]
    check_input(learned(**settings), tiny_translations(6), RAWS, wrong)


def test_keeps_case_and_marks_and_knows_every_word():
    made = learned(length=40)
    ids = made.arrays(RAWS)["source_ids"]
    assert [made.pieces.text(row) for row in ids] == RAWS


def test_counts_the_pieces_that_are_not_read():
    made = learned(length=4)
    (note,) = made.notes(["xxxxxx"], {})
    assert note == {"cut": 3}  # the space before it is a piece, too
    assert "3 pieces at its end not read" in made.shown("xxxxxx", note)
    assert "--in" not in made.shown("xxxxxx", note)
    assert "--in FILE" in made.shown("xxx\nxxx", note)
    (note,) = made.notes(["x"], {"attention": None})
    assert note == {"cut": 0, "source": [" ", "x"]}


def test_says_how_long_the_texts_of_data_are():
    data = tiny_translations(6)
    made = learned(length=5)
    expected = [min(5, len(made.pieces.ids(text))) for text in data.texts]
    assert made.lengths(data).tolist() == expected


def test_pieces_stay_whatever_is_learned_from():
    made = learned()
    assert made.like(tiny_translations(3)) == (made, "")
    with pytest.raises(ValueError, match="vocabulary='new'"):
        made.like(tiny_translations(3), "new")


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"sentences": 3}, "Received: 'sentences'"),
        ({"length": 0}, "length=0"),
        ({"vocabulary_size": 257}, "vocabulary_size=257"),
    ],
)
def test_refuses_what_it_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        learned(**settings)


def test_augmentation_is_not_for_texts():
    with pytest.raises(ValueError, match="leave `augment` empty.*'flip'"):
        learned().reader(tiny_translations(6), ["flip"])
