"""Stories by rule: each keeps all rules, and what breaks one is found."""

import re

import numpy as np
import pytest

from zoo.data import stories as data
from zoo.data.stories import CHANCE, PARTS, RULES, kept, make, places, shares

STORY = (
    "Mira, a baker, lived in Oldwick. One morning she packed three things: a "
    "rope, a lamp and a map. The bells near the gate and behind the tower were "
    "old. On the road she met Otto (as everyone knew [or so they say] though "
    "nobody asked). The boat beside the trees stands empty. In the evening she "
    "unpacked a rope, a lamp and a map. So ended the day of Mira the baker."
)
BROKEN = [
    ("name", "of Mira the", "of Otto the"),
    ("name", "of Mira the", "of Mirabel the"),
    ("job", "Mira the baker", "Mira the miller"),
    ("pronoun", "evening she", "evening he"),
    ("pronoun", "On the road she", "On the road HE"),
    ("agreement", "were old", "was old"),
    ("agreement", "stands empty", "stand empty"),
    ("agreement", "The bells near", "The bell near"),
    ("agreement", "The bells near the gate", "The bells close to it"),
    ("agreement", "The bells", "The clouds"),
    ("brackets", "say]", "say)"),
    ("brackets", "asked)", "asked"),
    ("brackets", "(as everyone", "as everyone"),
    ("brackets", "say] though nobody asked)", "say) though nobody asked]"),
    ("count", "three things", "four things"),
    ("count", "three things", "many things"),
    ("copy", "unpacked a rope, a lamp", "unpacked a lamp, a rope"),
    ("copy", "unpacked a rope, a lamp and", "unpacked a rope and"),
]
MISSING = [
    (("name", "job"), " So ended the day of Mira the baker."),
    (("name", "job"), " of Mira the baker."),
    (("copy",), " In the evening she unpacked a rope, a lamp and a map."),
]


@pytest.fixture(scope="module")
def some():
    return make(2000, seed=5)


def broken_rules(text):
    return [rule for rule, held in kept(text).items() if not held]


def test_every_story_keeps_every_rule(some):
    assert not broken_rules(STORY)
    found = shares(some)
    assert list(found) == [*RULES, "all"]
    assert set(found.values()) == {1.0}
    assert found["count"].baseline == CHANCE["count"]


@pytest.mark.parametrize("rule, old, new", BROKEN)
def test_what_breaks_a_rule_is_found_and_breaks_no_other(rule, old, new):
    text = STORY.replace(old, new)
    assert text != STORY and broken_rules(text) == [rule]


@pytest.mark.parametrize("rules, old", MISSING)
def test_a_story_that_stops_does_not_keep_what_it_never_came_to(rules, old):
    text = STORY.replace(old, "")
    assert text != STORY and broken_rules(text) == list(rules)


def test_an_empty_text_keeps_none():
    assert broken_rules("") == broken_rules("x. y.") == list(RULES)
    assert places("")["name"] == []
    assert shares(["", STORY])["all"] == 0.5


def test_the_places_are_those_that_must_agree(some):
    found = {
        rule: [STORY[start:end] for start, end, right in spans if right]
        for rule, spans in places(STORY).items()
    }
    assert found == {
        "name": ["Mira"],
        "job": ["baker"],
        "pronoun": ["she", "she", "she"],
        "agreement": ["were", "stands"],
        "brackets": ["]", ")"],
        "count": ["a rope, a lamp and a map"],
        "copy": ["a rope, a lamp and a map"],
    }
    # As many as by other means.
    for text in some[:300]:
        found = places(text)
        assert len(found["brackets"]) == sum(map(text.count, ")]}"))
        assert len(found["agreement"]) == text.count(". The ")
        words = re.findall(r"\w+", text.lower())
        told = sum(words.count(word) for word in data.PRONOUNS)
        assert len(found["pronoun"]) == told >= 3


def test_chance_is_what_stories_drawn_blind_come_to():
    found = shares(make(3000, seed=4, blind=True))
    for rule in RULES:
        assert found[rule] == pytest.approx(CHANCE[rule], abs=0.02), rule
    assert found["all"] == 0


def test_draws_are_seeded_and_parts_share_no_story():
    parts = {part: make(*arguments) for part, arguments in PARTS.items()}
    for part, (count, _) in PARTS.items():
        assert len(set(parts[part])) == count
    assert not set(parts["train"]) & set(parts["test"])
    # A story depends on its place, not on how many are drawn.
    assert make(5, seed=1) == parts["train"][:5] != make(5, seed=3)
    assert make(5, seed=1) != make(5, seed=1, blind=True)


def test_beginnings_tell_nothing_of_names_by_their_place(some):
    """Who is met on the way is as often any other."""
    names = [re.findall(rf"\b({'|'.join(data.NAMES)})\b", x) for x in some]
    assert {each[0] for each in names} == set(data.NAMES)
    for each in names:
        assert each[0] == each[-1] and each[0] not in each[1:-1] != []
    words = [len(text.split()) for text in some]
    assert 40 < min(words) and max(words) < 150
    assert np.std([each.count("(") for each in some]) > 0


@pytest.mark.parametrize("arguments", [(0, 1), (-1, 0), (3, -1)])
def test_refuses_what_cannot_be_drawn(arguments):
    with pytest.raises(ValueError, match="count=.*seed="):
        make(*arguments)


@pytest.mark.parametrize("texts", [[], "a story"])
def test_refuses_no_texts(texts):
    with pytest.raises(ValueError, match="texts="):
        shares(texts)
