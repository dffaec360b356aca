"""What a model is measured on: the data at the place that its card says."""

import types

import pytest

from zoo import measuring
from zoo.data.table_source import Table
from zoo.data.texts import load_texts
from zoo.data.translations import load_translations

ASKED = {"columns": {"label": "stars"}, "delimiter": ";", "encoding": "cp1252"}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "mine.csv"
    lines = ["text;stars", *(f"é{n};{n % 2}" for n in range(20))]
    path.write_bytes("\n".join(lines).encode("cp1252"))
    return path


def model(card):
    return types.SimpleNamespace(
        card={"data": card, "recipe": {"training": {"seed": 0}}},
        read=load_texts,
        count=lambda metric, data: len(data),
        output=None,
    )


def test_a_table_is_read_again_as_its_card_says(path):
    test = load_texts(Table(path, **ASKED), "test")
    task = model({"name": "mine", "place": "elsewhere", "columns": {"a": "b"}})
    measuring.note(task, {"accuracy": 1.0}, test)
    card = task.card["data"]
    assert {key: card[key] for key in ASKED} == ASKED
    assert card["place"] == str(path) and card["test_split"] == test.split
    again = measuring.own_test(task)
    assert again.sha256() == card["test_sha256"] and again.texts == test.texts
    # Of a part that was read in another way, nothing is left.
    other = load_texts((["a", "b"], [0, 1]), "test")
    measuring.note(task, {}, other)
    assert card["columns"] == ASKED["columns"]  # it has no place of its own
    path.write_text("text,label\n" + "c,1\nd,2\n" * 5)
    measuring.note(task, {}, load_texts(path, "test"))
    assert not set(ASKED) & set(card)


def test_two_files_are_read_again(tmp_path):
    paths = [tmp_path / "a.de", tmp_path / "a.en"]
    for path, word in zip(paths, ("eins", "one"), strict=True):
        path.write_text("".join(f"{word} {n}\n" for n in range(20)))
    test = load_translations(tuple(paths), "test")
    task = model({"name": "a.de"})
    task.read = load_translations
    measuring.note(task, {}, test)
    again = measuring.own_test(task)
    assert again.sha256() == test.sha256() and again.split == test.split
    paths[1].unlink()
    with pytest.raises(FileNotFoundError, match="a.en.*no such file or folder"):
        measuring.own_test(task)


@pytest.mark.parametrize(
    "change, why",
    [
        ({"encoding": "nonsense"}, "Python knows.*'nonsense'"),
        ({"delimiter": "more than one"}, "one character"),
        ({"columns": {"text": "no"}}, "`columns`|must name the columns"),
        ({"columns": {"image": "text"}}, "must be among those of texts"),
        ({"columns": {"text": " "}}, "`columns` must be a dict"),
    ],
)
def test_what_a_strangers_card_says_of_a_table_is_checked(path, change, why):
    task = model({"name": "mine", "place": str(path), **ASKED, **change})
    with pytest.raises(ValueError, match=f"at the place on its card.*{why}"):
        measuring.own_test(task)


def test_without_a_place_nothing_is_read_from_a_file(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    task = model({"name": "mine.csv", **ASKED})
    with pytest.raises(ValueError, match="by the name on its card"):
        measuring.own_test(task)
