"""A question and its candidates as an input: the contract."""

import pytest

from tests.zoo.contract import check_input
from tests.zoo.sentence_matching.tiny import TOKENS, tiny_questions
from zoo.inputs.candidates import Candidates

RECIPE = {"tokens": TOKENS, "builder_args": {}}
RAWS = [("dax wug", ["blick", "toma dax"]), ("fep", ["gorp zav"])]


@pytest.fixture(scope="module")
def candidates():
    return Candidates.learn(tiny_questions(4), RECIPE)


def test_keeps_the_contract(candidates):
    wrong = [
        ("text", "a tuple of a string and a list"),
        (("dax", []), "none for 'dax' at place 0"),
        (("dax", ["wug", ""]), "candidate='' at place 1"),
    ]
    check_input(candidates, tiny_questions(4), RAWS, wrong)


def test_every_candidate_is_a_row_left_and_its_question_right(candidates):
    arrays = candidates.arrays(RAWS)
    known = candidates.tokens([("blick", "dax wug"), ("toma dax", "dax wug")])
    for name, rows in known.items():
        assert len(arrays[name]) == 3
        assert (arrays[name][:2] == rows).all()


@pytest.mark.parametrize(
    "words, options",
    [
        ([], {}),
        ([], {"question": "q"}),
        ([], {"candidates": "c"}),
        (["a"], {"question": "q", "candidates": "c"}),
    ],
)
def test_the_shell_gives_arguments_or_both_options(candidates, words, options):
    with pytest.raises(ValueError, match="either arguments or both.*Received"):
        candidates.from_shell(words, options)
