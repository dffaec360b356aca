"""Files of lines: texts in, answers out, each in its own line."""

import pytest
from typer.testing import CliRunner

from tests.zoo.text_classification.tiny import tiny_texts
from tests.zoo.translation.tiny import untrained
from zoo import asking
from zoo.cli import app
from zoo.data.pieces import normal
from zoo.inputs.text import Text

LINES = "rot Hund\n\nblau\u2028Haus rot\r\n=Hund\n"


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    task, _ = untrained()
    return task, task.save(tmp_path_factory.mktemp("models") / "tiny")


@pytest.mark.parametrize(
    "suffix",
    [
        ".txt",
        pytest.param(".jsonl", marks=pytest.mark.slow),
        pytest.param(".csv", marks=pytest.mark.slow),
    ],
)
def test_answers_stand_in_the_lines_of_their_texts(model, tmp_path, suffix):
    task, folder = model
    (tmp_path / "in.txt").write_text(LINES, "utf-8")
    out = tmp_path / f"out{suffix}"
    done = run("predict", folder, "--in", tmp_path / "in.txt", "--out", out)
    assert done.exit_code == 0, done.output
    assert "(4 of 4)" in done.output
    said = out.read_text("utf-8").split("\n")[:-1]
    if suffix == ".csv":
        assert said[0].startswith('"text","translation"')
        said = said[1:]
    assert len(said) == 4
    if suffix == ".txt":
        texts = ["rot Hund", "", "blau\u2028Haus rot", "=Hund"]
        answers = task.predict(texts)
        assert said[1] == ""
        assert list(map(normal, said)) == [
            normal(" ".join(answer["translation"].splitlines()))
            for answer in answers
        ]


@pytest.mark.slow
def test_without_out_they_are_printed(model, tmp_path):
    (tmp_path / "in.txt").write_text("rot\nblau\n", "utf-8")
    done = run("predict", model[1], "--in", tmp_path / "in.txt", "--json")
    assert done.exit_code == 0 and done.output.count('"translation"') == 2


@pytest.mark.parametrize(
    "content, arguments, message",
    [
        (b"rot\nrot \xff\n", [], "line 2"),
        (b"", [], "an empty file"),
        (b"rot\n", ["rot"], "is all that is asked"),
    ],
)
def test_refuses_what_is_no_file_of_lines(
    model, tmp_path, content, arguments, message
):
    file = tmp_path / "in.txt"
    file.write_bytes(content)
    done = run("predict", model[1], *arguments, "--in", file)
    assert done.exit_code == 1 and message in " ".join(done.output.split())


def test_a_file_that_is_read_is_not_replaced(model, tmp_path):
    file = tmp_path / "in.txt"
    file.write_text("rot\n", "utf-8")
    done = run("predict", model[1], "--in", file, "--out", file)
    assert done.exit_code == 1 and file.read_text("utf-8") == "rot\n"


def test_a_missing_file_is_named(model, tmp_path):
    done = run("predict", model[1], "--in", tmp_path / "none.txt")
    assert done.exit_code == 1 and "none.txt" in done.output


def test_any_input_of_one_text_reads_lines(tmp_path):
    file = tmp_path / "in.txt"
    file.write_text("a\n\nb\n", "utf-8")
    text = Text.learn(tiny_texts(6), {"tokens": {"length": 8}})
    assert asking.from_lines(text, file) == ["a", "", "b"]
    from zoo.inputs.image import Image

    with pytest.raises(ValueError, match="a model that reads a"):
        asking.from_lines(Image((8, 8), 3), file)
