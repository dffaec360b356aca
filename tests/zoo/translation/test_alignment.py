"""Whether a translator looks where the word that it says stands."""

import numpy as np
import pytest

from zoo.data.pieces import Pieces
from zoo.translation.alignment import letters_found

LETTERS = Pieces([" May", " 3", " 0"], length=8)
TEXTS = [("3 May", "03")]
# From "3" comes the second letter, from "May" the first; a hyphen from none.
SPANS = np.array([[[2, 5], [0, 1], [-1, -1]]])


def of(weights, texts=TEXTS, spans=SPANS):
    return letters_found(np.array([weights]), spans, LETTERS, LETTERS, texts)


def test_finds_the_letters_whose_heaviest_piece_is_theirs():
    hits, chance, places = of([[0.1, 0.9], [0.8, 0.2]])
    assert hits.tolist() == [True, True] and places.tolist() == [0, 0]
    assert chance.tolist() == [0.5, 0.5]
    assert of([[0.9, 0.1], [0.8, 0.2]])[0].tolist() == [False, True]


def test_equal_weights_point_nowhere():
    assert not of([[0.5, 0.5], [0.5, 0.5]])[0].any()


def test_what_is_behind_the_text_is_not_compared():
    assert of([[0.1, 0.2, 0.7], [0.2, 0.1, 0.7]])[0].all()


def test_letters_from_nowhere_are_not_counted():
    hits, _, places = of(
        [[0.1, 0.9], [0.8, 0.2], [1, 0]], [("3 May", "03-")], SPANS
    )
    assert len(hits) == 2


@pytest.mark.parametrize("kept", [1, 2])
def test_of_texts_that_were_cut_the_rest_is_left_out(kept):
    weights = np.zeros((1, kept, 2))
    assert (
        len(letters_found(weights, SPANS, LETTERS, LETTERS, TEXTS)[0]) == kept
    )
