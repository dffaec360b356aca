"""A preset whose labels and notes are hostile, through every command."""

import json

import pytest
from typer.testing import CliRunner

from tests.numbers import randomize
from tests.zoo.test_printing import is_tame
from tests.zoo.text_classification.tiny import HAN, tiny_recipe, tiny_texts
from zoo.cli import app
from zoo.text_classification.task import TextClassification

pytestmark = pytest.mark.usefixtures("home")

EVIL = "\x1b[31m\x9b2J\u202ebad</b>[/b] $\\frac{$"
LABELS = [EVIL, "<script>alert(1)</script>"]
TEXT = f"lamp zorbly lovely {EVIL} " + "tree. " * 9


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    data = tiny_texts()
    data.label_names = LABELS
    recipe = tiny_recipe(HAN)
    task = TextClassification.untrained(
        recipe, *TextClassification.learn(data, recipe)
    )
    randomize(task.model)
    task.card["data"] = {"name": f"of {EVIL}", "note": EVIL}
    task.card["metrics"] = {
        EVIL: {"value": 0.5, "seeds": [0], "std": None, "n": 24}
    }
    task.save(home / "evil")
    return home


def said(*words, code=0):
    result = CliRunner().invoke(app, words)
    assert result.exit_code == code, result.output
    assert is_tame(result.output)
    return result.output


def test_cards_are_shown_tame():
    assert "evil" in said("list")
    assert "·[31m·2J·bad</b>[/b] $\\frac{$" in said("show", "evil")
    card = json.loads(said("show", "evil", "--json"))
    assert card["data"]["note"] == EVIL


def test_answers_are_shown_tame():
    said("predict", "evil", TEXT)
    (answer,) = json.loads(said("predict", "evil", TEXT, "--json"))
    assert set(answer["probabilities"]) == set(LABELS)
    assert answer["text"] == TEXT
    assert "zorbly" in answer["unknown"] and answer["cut"] == 7


def test_pictures_and_pages_are_drawn_tame(tmp_path):
    shown = said("look", "evil", TEXT)
    assert (tmp_path / "looked.png").read_bytes()[:4] == b"\x89PNG"
    assert "[zorbly]" in shown and "(the last 7 words were not" in shown
    said("look", "evil", TEXT, "--out", "looked.html")
    page = (tmp_path / "looked.html").read_text("utf-8")
    assert is_tame(page) and "<script" not in page
    assert "[zorbly]" in page and "(the last 7 words were not" in page


def test_errors_are_shown_tame():
    said("evaluate", "evil", code=1)  # its data are named so and not at hand
    said("predict", f"evil{EVIL}", TEXT, code=1)
    said("look", "evil", TEXT, "--out", f"{EVIL}.nothing", code=1)
