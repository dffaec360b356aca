"""What is printed: no text that others wrote steers a terminal or hides."""

import io
import json
import warnings

import numpy as np
import pytest
from rich.table import Table
from rich.text import Text

from zoo import printing
from zoo.printing import SafeConsole, as_json, visible

NASTY = {
    "colours": "cat\x1b[31m",
    "title of the window": "cat\x1b]0;owned\x07",
    "C1": "cat\x9b2J\x85",
    "delete": "cat\x7f\x08\x08\x08dog",
    "carriage return": "cat\rdog",
    "turned round": "cat\u202egod\u2066",
    "no width": "c\u200bat\ufeff",
    "other line ends": "cat\u2028\u2029\x0b\x0c",
    "half a pair": "cat\ud800",
    "beyond 16 bits": "cat\U000e0001",
    "markup": "[/b][link=http://x.example]cat[/link]",
    "emoji code": ":cat:",
    "dollars": "$\\frac{$ $$",
    "null": "cat\x00",
}
each_nasty = pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)


def is_tame(text):
    return all(each.isprintable() or each == "\n" for each in text)


def heading(text):
    return Table("a" * 60, title=text)


def cell(text):
    table = Table("a", "b")
    table.add_row(text, Text(text))
    return table


def plain(text):
    return text


DOORS = (plain, Text, heading, cell)


@each_nasty
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_nothing_printed_steers_the_terminal(text, door):
    console = SafeConsole(file=io.StringIO(), width=100)
    console.print(door(text))
    printed = console.file.getvalue()
    assert is_tame(printed)
    # Rich itself drops some codes, without a dot.
    assert visible(text).replace("·", "") in printed.replace("·", "")


def test_styles_of_the_house_stay():
    console = SafeConsole(
        file=io.StringIO(), force_terminal=True, color_system="standard"
    )
    console.print(Text("cat\x1b", style="bold"))
    assert console.file.getvalue() == "\x1b[1mcat·\x1b[0m\n"


@pytest.mark.parametrize("text", ["naïve", "猫 🐈", "قط", "a\nb", "50 %·"])
def test_letters_and_lines_stay_as_they_are(text):
    assert visible(text) == text


@each_nasty
def test_json_holds_no_control_code_and_reads_back_to_the_same(text):
    written = as_json({text: [text, "naïve 猫"]})
    assert is_tame(written)
    assert json.loads(written) == {text: [text, "naïve 猫"]}
    assert "naïve 猫" in written


@each_nasty
def test_a_waiting_line_shows_a_name_as_it_is(text):
    console = SafeConsole(
        file=io.StringIO(), force_terminal=True, color_system=None, width=100
    )
    with console.status(f"loading {text}"):
        pass
    assert f"loading {visible(text)}" in console.file.getvalue()


@pytest.fixture
def said(monkeypatch):
    messages = SafeConsole(file=io.StringIO(), width=100)
    monkeypatch.setattr(printing, "messages", messages)
    return messages.file


@each_nasty
def test_errors_and_warnings_are_tame(said, text):
    printing.show_error(ValueError(f"no such label: {text}"))
    with printing.warnings_shown():
        warnings.simplefilter("always")
        warnings.warn(f"unknown: {text}", UserWarning, stacklevel=1)
    assert is_tame(said.getvalue())
    assert said.getvalue().splitlines() == [
        f"error: no such label: {visible(text)}",
        f"warning: unknown: {visible(text)}",
    ]


def test_a_warning_about_both_parts_of_the_data_is_said_once(said):
    with printing.warnings_shown():
        warnings.simplefilter("always")
        for text in ("1 file is skipped", "1 file is skipped", "another"):
            warnings.warn(text, UserWarning, stacklevel=1)
    assert said.getvalue() == "warning: 1 file is skipped\nwarning: another\n"


def test_a_text_within_an_error_cannot_forge_a_line(said):
    printing.show_error(ValueError("no such label: x\nmodel: saved\rall well"))
    assert said.getvalue() == (
        "error: no such label: x\n       model: saved·all well\n"
    )


def test_warnings_of_python_are_tame_too(monkeypatch):
    shown = []
    monkeypatch.setattr(
        warnings, "showwarning", lambda *found: shown.append(found[0])
    )
    with printing.warnings_shown():
        warnings.simplefilter("always")
        warnings.warn("old: \x1b[2J", DeprecationWarning, stacklevel=1)
    assert shown == ["old: ·[2J"]


def test_a_metric_that_was_no_finite_number_is_said():
    found = {"value": None, "seeds": [0], "std": None, "n": 24}
    card = {"metrics": {"accuracy": {"value": 0.5}, "auc": found}}
    assert printing.metrics_line(card) == "accuracy 0.5000, auc not finite"
    assert printing.metric_line(found).startswith("not finite (24 examples")


def test_of_many_metrics_the_first_are_shown_and_the_others_counted():
    values = {"auc": 0.5, "loss": 2.0, "accuracy": 0.25, "rmse": 3.0}
    card = {"metrics": {name: {"value": x} for name, x in values.items()}}
    assert (
        printing.metrics_line(card)
        == "auc 0.5000, accuracy 0.2500, rmse 3.0000"
    )
    assert printing.metrics_line(card, most=2) == (
        "auc 0.5000, accuracy 0.2500, 1 more"
    )
    assert printing.metrics_line({"metrics": {}}, most=2) == ""


def test_what_was_reached_says_of_how_many():
    metrics = {"accuracy": {"value": 0.5, "n": 4}, "loss": {"value": 1, "n": 9}}
    line = printing.reached_line({"metrics": {"accuracy": metrics["accuracy"]}})
    assert line == "accuracy 0.5000 (4 examples)"
    assert printing.reached_line({"metrics": metrics}).endswith("(4 examples)")


def test_arrays_are_lists_in_json_and_other_things_are_refused():
    value = {"mask": np.array([[0, 2]], "uint8"), "share": np.float32(0.5)}
    assert json.loads(as_json(value)) == {"mask": [[0, 2]], "share": 0.5}
    with pytest.raises(TypeError, match="set is not what JSON"):
        as_json({1})
