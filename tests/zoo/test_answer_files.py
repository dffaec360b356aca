"""What is asked by folders and tables, and answers in a file."""

import csv
import json
import os

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import zoo
from tests.zoo.test_printing import NASTY, is_tame
from tests.zoo.text_classification.tiny import HAN, tiny_recipe, tiny_texts
from tests.zoo.tiny import LABELS, tiny_task
from zoo import answer_files, asking
from zoo.cli import app
from zoo.inputs.boxes import Boxes
from zoo.inputs.candidates import Candidates
from zoo.inputs.image import Image as ImageInput
from zoo.inputs.several import Several
from zoo.inputs.text import Text
from zoo.inputs.text_pair import TextPair
from zoo.outputs.label import Label
from zoo.outputs.number import Number
from zoo.outputs.ranking import Ranking
from zoo.outputs.several import Several as Answers
from zoo.outputs.words import Words
from zoo.text_classification.task import TextClassification

pytestmark = pytest.mark.usefixtures("home")
some_skipped = pytest.mark.filterwarnings("default:.*are skipped")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    tiny_task(None).save(home / "images")
    data, recipe = tiny_texts(), tiny_recipe(HAN)
    task = TextClassification.untrained(
        recipe, *TextClassification.learn(data, recipe)
    )
    task.save(home / "texts")
    return home


@pytest.fixture
def album(tmp_path):
    """Two pictures, one of them below; and what is none."""
    generator = np.random.default_rng(0)
    (tmp_path / "album" / "deep" / ".cache").mkdir(parents=True)
    names = ("b.png", "deep/a.PNG", ".hidden.png", "deep/.cache/c.png")
    for name in names:
        pixels = generator.integers(0, 255, (20, 30, 3)).astype("uint8")
        Image.fromarray(pixels).save(tmp_path / "album" / name, "png")
    (tmp_path / "album" / "notes.md").write_text("notes")
    return tmp_path / "album"


def call(*words, code=0):
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exit_code == code, result.output
    assert is_tame(result.output)
    return result.stdout if code == 0 else result.stderr


def write(path, task, raws, answers):
    """Writes answers, as a task that gives them would be asked for them."""
    task.predict = lambda some: answers
    assert answer_files.answer(path, task, raws, lambda count: None) == []


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


# A folder.


@some_skipped
def test_a_folder_is_answered_picture_by_picture(album):
    result = CliRunner().invoke(
        app, ["predict", "images", "album", "--out", "new/answers.csv"]
    )
    assert result.exit_code == 0, result.output
    assert "1 files in album are skipped: notes.md: not .bmp" in result.stderr
    assert "answers: new/answers.csv (2 of 2)" in result.stdout
    found = rows("new/answers.csv")
    paths = ["album/b.png", "album/deep/a.PNG"]
    assert [row["image"] for row in found] == paths
    for row, answer in zip(found, zoo.load("images").predict(paths)):
        assert row["label"] == answer["label"]
        assert float(row["probability"]) == pytest.approx(
            answer["probability"], rel=1e-6
        )
        for label in LABELS:
            assert float(row[f"probability of {label}"]) == pytest.approx(
                answer["probabilities"][label], rel=1e-6
            )
    assert os.listdir("new") == ["answers.csv"]


@some_skipped
def test_a_picture_that_cannot_be_read_does_not_cost_the_others(album):
    (album / "broken.png").write_text("no picture")
    message = call("predict", "images", "album", "--out", "a.csv", code=1)
    assert "1 of 3 images could not be answered" in message
    found = {row["image"]: row for row in rows("a.csv")}
    assert "cannot identify" in found["album/broken.png"]["error"]
    assert found["album/broken.png"]["label"] == ""
    assert found["album/b.png"]["label"] in LABELS
    assert found["album/b.png"]["error"] == ""
    for name in ("b.png", "deep/a.PNG"):
        (album / name).write_text("no picture either")
    call("predict", "images", "album", "--out", "none.csv", code=1)
    assert not os.path.exists("none.csv")


# A table.


@pytest.mark.slow
def test_a_table_is_answered_row_by_row(tmp_path):
    (tmp_path / "t.csv").write_text(
        'id,text\n1,"A lovely lamp, zorbly"\n2,Dull\n', "utf-8"
    )
    call("predict", "texts", "t.csv", "--out", "a.csv")
    found = rows("a.csv")
    assert [row["text"] for row in found] == ["A lovely lamp, zorbly", "Dull"]
    assert "zorbly" in found[0]["unknown"] and found[0]["cut"] == "0"
    answer = zoo.load("texts").predict("A lovely lamp, zorbly")
    assert found[0]["label"] == answer["label"]
    # Without a file, they are printed.
    assert len(json.loads(call("predict", "texts", "t.csv", "--json"))) == 2


@pytest.mark.parametrize(
    "content, why",
    [
        ("id,txet\n1,a\n", "t.csv, line 1; near: ..text.: ..txet"),
        ("text\na\n \n", "an empty text in t.csv, line 3"),
        ("text\na,b\n", "line 2"),
    ],
)
def test_a_wrong_table_is_told_with_file_column_and_line(
    content, why, tmp_path
):
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(ValueError, match=why):
        asking.from_words(Text(["a"], length=4), ["t.csv"], {})


def test_columns_of_other_names_are_asked_about(tmp_path):
    (tmp_path / "t.tsv").write_bytes("id\tavis\n1\tdéjà\n".encode("cp1252"))
    how = {"columns": {"text": "avis"}, "encoding": "cp1252"}
    input = Text(["a"], length=4)
    assert asking.from_words(input, ["t.tsv"], {}, how) == ["déjà"]
    with pytest.raises(ValueError, match="where one is asked about"):
        asking.from_words(input, ["a text"], {}, how)


def test_a_table_holds_all_that_is_asked(tmp_path):
    (tmp_path / "t.csv").write_text("text\na\n")
    with pytest.raises(ValueError, match="nothing else.*'t.csv' with .'more'"):
        asking.from_words(Text(["a"], length=4), ["t.csv", "more"], {})


def test_each_input_names_its_columns(tmp_path, album):
    def asked(input, text):
        (tmp_path / "t.csv").write_text(text)
        return asking.from_words(input, ["t.csv"], {})

    settings = {"left_length": 4, "right_length": 4}
    pairs = asked(TextPair(["a"], **settings), "right,left\nb,a\n")
    assert pairs == [("a", "b")]
    questions = asked(
        Candidates(["a"], **settings),
        "question,candidate\nwho?,a\nwhy?,b\nwho?,c\n",
    )
    assert questions == [("who?", ["a", "c"]), ("why?", ["b"])]
    both = Several.of(image=ImageInput, question=Text)(
        image=ImageInput((8, 8), 3), question=Text(["a"], length=4)
    )
    raws = asked(both, "question,image\nwhat?,album/b.png\n")
    assert raws[0]["question"] == "what?"
    assert raws[0]["image"].samefile(album / "b.png")
    marked = Several.of(image=ImageInput, boxes=Boxes)(
        image=ImageInput((8, 8), 3), boxes=Boxes(1)
    )
    raws = asked(marked, "boxes,image\n-1 -1 1 0,album/b.png\n")
    assert raws[0]["boxes"] == [[-1, -1, 1, 0]]
    wrong = {
        "question,image\nwhat?,album/none.png\n": "'album/none.png', no such",
        f"question,image\nwhat?,{album}/../../x.png\n": "leads out of it",
    }
    for text, why in wrong.items():
        with pytest.raises(FileNotFoundError, match=f"{why}.*line 2"):
            asked(both, text)
    with pytest.raises(ValueError, match="In `boxes`: .*line 2"):
        asked(marked, "boxes,image\n0 0 0,album/b.png\n")


# What is written.


class Task:
    """A task of some input and output, which is asked nothing."""

    def __init__(self, output, noun="text", columns_asked=("text",)):
        self.output = output
        self.input = type(
            "Input", (), {"noun": noun, "columns_asked": columns_asked}
        )


def label(probabilities, **notes):
    first, share = next(iter(probabilities.items()))
    return {
        "label": first,
        "probability": share,
        "probabilities": probabilities,
        **notes,
    }


def test_each_output_has_its_cells():
    notes = {"cut": 0, "unknown": ["x", "y"]}
    two = Label(["low", "high"])
    answer = label({"high": 0.75, "low": 0.25}, **notes)
    assert answer_files.table(Task(two), ["t"], [answer]) == [
        {
            **{"text": "t", "label": "high", "probability": 0.75},
            **{"probability of low": 0.25, "probability of high": 0.75},
            **{"cut": 0, "unknown": "x, y"},
        }
    ]
    many = {f"c{n}": 1 / 21 for n in range(21)}
    (row,) = answer_files.table(Task(Label(list(many))), ["t"], [label(many)])
    assert list(row) == ["text", "label", "probability"]

    ranked = [
        {"text": "b", "score": 0.9, "place": 1, "cut": (0, 2)},
        {"text": "a", "score": 0.2, "place": 0, "cut": (0, 2)},
    ]
    found = answer_files.table(
        Task(
            Ranking(["wrong", "right"]), "question", ("question", "candidate")
        ),
        [("who?", ["a", "b"])],
        [{"question": "who?", "answers": ranked}],
    )
    assert found[0] == {
        **{"question": "who?", "rank": 1, "score": 0.9, "candidate": "b"},
        **{"place": 1, "cut": "0, 2"},
    }
    assert [row["rank"] for row in found] == [1, 2]

    said = {"caption": "a dog", "words": ["a", "dog"], "score": -1.5}
    (row,) = answer_files.table(Task(Words(["a", "dog"], 4)), ["t"], [said])
    assert row == {"text": "t", "caption": "a dog", "score": -1.5}

    output = Answers({"pay": two, "rent": Number()})
    answer = {"pay": label({"low": 0.5, "high": 0.5}), "rent": {"value": 2.5}}
    (row,) = answer_files.table(
        Task(output, "row", ()),
        [{"rooms": "3", "pay": "low"}],
        [{**answer, "missing": [], "unseen": ["rooms"]}],
    )
    # The table had the right answer.
    assert row["pay"] == "low" and row["predicted pay"] == "low"
    assert row["rent"] == 2.5 and row["unseen"] == "rooms"
    assert row["pay probability of high"] == 0.5


def test_of_a_pair_without_unknown_words_the_cell_is_empty():
    for unknown, cell in (
        ([[], []], ""),
        ([["x"], []], "x; "),
        ([[], ["x", "y"]], "; x, y"),
    ):
        answer = label({"a": 1.0}, unknown=unknown)
        (row,) = answer_files.table(Task(Label(["a"])), ["t"], [answer])
        assert row["unknown"] == cell


def test_notes_of_a_part_have_its_name():
    answer = label({"a": 1.0}, question={"cut": 1, "unknown": []})
    raw = {"image": "x.png", "question": "what?"}
    (row,) = answer_files.table(Task(Label(["a"])), [raw], [answer])
    assert row["question"] == "what?" and row["question cut"] == 1


DANGEROUS = [
    *("=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1"),
    *("\n=1", "＝1+1", "-1a", "--"),
]


@pytest.mark.parametrize("text", DANGEROUS)
def test_no_cell_is_a_formula(text, tmp_path):
    answer = label({text: 1.0}, unknown=[text])
    path = tmp_path / "a.csv"
    write(path, Task(Label([text]), noun=text), [text], [answer])
    with path.open(encoding="utf-8", newline="") as file:
        header, row = csv.reader(file)
    assert header[0] == row[0] == row[1] == row[-1] == f"'{text}"
    # JSON is for programs, and holds it as it is.
    write(tmp_path / "a.jsonl", Task(Label([text])), [text], [answer])
    (line,) = (tmp_path / "a.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["text"] == text == json.loads(line)["label"]


@pytest.mark.parametrize("text", ["-1", "+2.5", "-1e-5", "a=b", "'quoted'"])
def test_what_is_no_formula_stays(text, tmp_path):
    path = tmp_path / "a.csv"
    write(path, Task(Label([text])), [text], [label({text: -1.0})])
    (row,) = rows(path)
    assert row["text"] == row["label"] == text
    assert row["probability"] == "-1.0"


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_any_text_comes_back(text, tmp_path):
    task, answer = Task(Label([text, "b"])), label({text: 0.5, "b": 0.5})
    for name in ("a.json", "a.jsonl", "a.csv"):
        write(tmp_path / name, task, [text], [answer])
    (found,) = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert found["text"] == text and found["probabilities"] == {
        text: 0.5,
        "b": 0.5,
    }
    (line,) = (tmp_path / "a.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line) == found
    (row,) = rows(tmp_path / "a.csv")
    assert row["label"] == text.encode("utf-8", "backslashreplace").decode()


# Where it is written.


def test_what_is_read_is_never_replaced(tmp_path, album):
    (tmp_path / "t.csv").write_text("text\na\n")
    (tmp_path / "link.csv").symlink_to("t.csv")
    os.link("t.csv", "hard.csv")
    (album / "old.json").write_text("{}")
    for out in ("t.csv", "link.csv", "./t.csv", "hard.csv"):
        message = call("predict", "texts", "t.csv", "--out", out, code=1)
        assert f"--out {os.path.normpath(out)}, and t.csv is read" in message
    message = call(
        "predict", "images", "album", "--out", album / "old.json", code=1
    )
    assert "album is read" in message
    call(
        "predict", "texts", "a", "--question", "t.csv", "--out", "t.csv", code=1
    )
    assert (tmp_path / "t.csv").read_text() == "text\na\n"
    assert (album / "old.json").read_text() == "{}"


def test_a_model_s_file_is_never_replaced(home):
    for name in ("card.json", "labels.json"):
        before = (home / "texts" / name).read_bytes()
        out = home / "texts" / name
        message = call("predict", home / "texts", "a", "--out", out, code=1)
        assert "must not replace a file of a model" in message
        assert (home / "texts" / name).read_bytes() == before


def test_evaluate_never_draws_over_its_data(album):
    before = (album / "b.png").read_bytes()
    words = ["evaluate", "images", "--data", "album", "--out", "album/b.png"]
    assert "album is read" in call(*words, code=1)
    assert (album / "b.png").read_bytes() == before


def test_other_endings_are_refused_before_any_work(monkeypatch):
    def load(name):
        raise AssertionError("work began")

    monkeypatch.setattr(zoo, "load", load)
    message = call("predict", "texts", "a", "--out", "a.xlsx", code=1)
    assert "'.csv', '.json', '.jsonl'" in message and "a.xlsx" in message


def test_what_was_there_stays_if_writing_fails(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text("before")

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(answer_files, "table", fail)
    assert "disk full" in call(
        "predict", "texts", "a", "--out", "a.csv", code=1
    )
    assert os.listdir(tmp_path) == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "before"


def test_many_inputs_are_answered_part_by_part(monkeypatch, tmp_path):
    monkeypatch.setattr(answer_files, "TOGETHER", 2)
    asked, done = [], []

    class Asked(Task):
        def predict(self, raws):
            asked.append(len(raws))
            return [label({"a": 1.0})] * len(raws)

    path = tmp_path / "a.json"
    failed = answer_files.answer(
        path, Asked(Label(["a"])), ["t"] * 5, done.append
    )
    assert asked == done == [2, 2, 1] and failed == []
    assert len(json.loads(path.read_text())) == 5


def test_a_target_called_error_is_no_error(tmp_path):
    class Asked(Task):
        def predict(self, raws):
            return [{"error": {"value": 1.0}}] * len(raws)

    task = Asked(Answers({"error": Number()}), "row", ())
    path = tmp_path / "a.csv"
    failed = answer_files.answer(path, task, [{"x": 1}], lambda count: None)
    assert failed == []
    assert rows(tmp_path / "a.csv") == [{"x": "1", "error": "1.0"}]
