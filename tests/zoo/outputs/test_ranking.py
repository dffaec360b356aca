"""A ranking as an output: the contract, and what is its own."""

import numpy as np
import pytest

from tests.zoo.contract import check_output
from tests.zoo.sentence_matching.tiny import tiny_questions
from zoo.data.pairs import ANSWERS
from zoo.outputs.ranking import Ranking

RAWS = [("first", ["a", "b", "c"]), ("second", ["d", "e"])]
NOTES = [{"cut": (0, 0), "unknown": ([], [])}] * 5
SHARES = np.array([0.2, 0.9, 0.5, 0.3, 0.3])


def test_keeps_the_contract():
    data = tiny_questions(4)
    said = np.random.default_rng(0).normal(size=(len(data), 2))
    raws = [
        (f"question {place}", [f"{place} {n}" for n in range(size)])
        for place, size in enumerate(np.bincount(data.groups))
    ]
    notes = [NOTES[0]] * len(data)
    check_output(Ranking(ANSWERS), data, said.astype("float32"), raws, notes)


def test_the_best_comes_first_and_ties_stay_in_their_order():
    shares = np.stack([1 - SHARES, SHARES], axis=1)
    first, second = Ranking(ANSWERS).answers(
        {"probabilities": shares}, RAWS, [dict(note) for note in NOTES]
    )
    assert [each["text"] for each in first["answers"]] == ["b", "c", "a"]
    assert [each["place"] for each in first["answers"]] == [1, 2, 0]
    assert [each["text"] for each in second["answers"]] == ["d", "e"]
    assert first["question"] == "first"
    assert first["answers"][0]["score"] == pytest.approx(0.9)
