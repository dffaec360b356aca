"""What a task says of itself."""

import zoo
from tests.zoo.test_printing import is_tame
from tests.zoo.tiny import LABELS, tiny_data, tiny_task
from zoo.describing import summary
from zoo.outputs.label import Label
from zoo.outputs.number import Number
from zoo.outputs.several import Several


def test_a_task_is_one_line():
    task = tiny_task("se")
    count = f"{task.model.count_params():,}"
    expected = (
        "<ImageClassification 'not saved yet': attention_resnet, "
        f"{count} parameters>"
    )
    assert repr(task) == expected
    task.card["name"] = "m\x1b[31m"
    assert "'m·[31m'" in repr(task)


def said(task):
    lines = []
    summary(task, lines.append)
    return "\n".join(lines)


def test_a_summary_says_what_goes_in_and_out_and_shows_the_network(capsys):
    task = tiny_task("se")
    text = said(task)
    for part in (
        "In: Image, as image",
        "image: float32 (batch, 16, 16, 3)",
        "channels: 3",
        "stem_conv",
        "Total params",
        "Out: Label",
        f"labels: {', '.join(LABELS)}",
    ):
        assert part in text
    task.summary(line_length=100)
    assert "Out: Label" in capsys.readouterr().out


def test_a_summary_is_short_and_tame():
    task = tiny_task("se")
    task.output = Label([f"c{n}\x1b" for n in range(1000)])
    text = said(task)
    assert "c0·, c1·, c2·, c3·, c4·, ... (1,000)" in text
    assert is_tame(text)
    task.output = Several({"pay": Label(["low", "high"]), "rent": Number()})
    assert "targets: pay (label), rent (number)" in said(task)
    task.output = Number(3.5, 2.0)
    assert "number: mean 3.5, deviation 2.0" in said(task)


def test_the_history_is_the_log_of_the_training(tmp_path):
    task = tiny_task("se")
    assert task.history == []
    log = task.follow(
        tiny_data(),
        {"training": {"epochs": 2, "batch_size": 12}},
        verbose=0,
    )
    assert task.history == log and len(log) == 2
    task.history[0]["loss"] = None  # a copy
    assert task.history == log
    again = zoo.load(task.save(tmp_path / "kept"))
    assert again.history == log
