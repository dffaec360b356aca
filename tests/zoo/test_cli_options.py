"""Every option of every command arrives where it is meant to.

Nothing is loaded or trained: recorders stand where the commands' work is done.
An option without a row in the tables fails.
"""

import inspect
import pathlib
import shlex
import types

import pytest
import typer
from typer.testing import CliRunner

import zoo
from zoo import (
    answer_files,
    asking,
    catalogue,
    cli,
    demo,
    exported,
    presets,
    recipes,
    report_pictures,
    report_tables,
    training,
)
from zoo.cli import app
from zoo.task import Task

Path = pathlib.Path
TUNE = "finetune m --data d --out o "
TRAIN = "train cbam_resnet20_cifar10 "
ASK = "--question q --candidates c"
ASKED = {"question": "q", "candidates": "c"}
BOXES = ("m a --boxes=-1;0", "asked", "options", {"boxes": "-1;0"})

CARD = {
    **dict.fromkeys(("name", "task", "builder"), "n"),
    **{
        key: {}
        for key in (
            *("metrics", "parameters", "builder_args", "preprocessing"),
            *("data", "recipe", "versions", "sha256"),
        )
    },
}

REPORT = {
    "task": "answer_selection",
    "data": {"name": "d", "split": "s", "examples": 1, "of_card": False},
    "metrics": {},
    "classes": {},
}

# Command, its parameter, the words, who is called, with which argument.
ROWS = [
    ("demo", "out", "demo --out o", "demo.run", "folder", Path("o")),
    ("demo", "epochs", "demo --epochs 3", "demo.run", "epochs", 3),
    ("list", "task", "list --task t", "list_models", "task", "t"),
    ("list", "filter", "list --filter f*", "list_models", "filter", "f*"),
    ("show", "name", "show m", "card", "name", "m"),
    ("show", "as_json", "show m --json", "print_json", "value", CARD),
    ("predict", "name", "predict m a", "load", "name", "m"),
    ("predict", "inputs", "predict m a b", "predict", "raw", ["a", "b"]),
    ("predict", "question", f"predict m {ASK}", "asked", "options", ASKED),
    ("predict", "candidates", f"predict m {ASK}", "asked", "options", ASKED),
    ("predict", "boxes", f"predict {BOXES[0]}", *BOXES[1:]),
    (
        *("predict", "as_json", "predict m a --json", "print_json", "value"),
        [{"image": "a", "label": "answer"}],
    ),
    (
        *("predict", "runtime", "predict m a --runtime litert"),
        *("exported.load", "path", "m"),
    ),
    (
        *("predict", "out", "predict m a --out o.csv"),
        *("answers", "path", Path("o.csv")),
    ),
    (
        *("predict", "lines", "predict m --in t.txt"),
        *("from_lines", "path", Path("t.txt")),
    ),
    ("look", "name", "look m a", "load", "name", "m"),
    ("look", "inputs", "look m a b", "look", "raw", ["a", "b"]),
    ("look", "question", f"look m {ASK}", "asked", "options", ASKED),
    ("look", "candidates", f"look m {ASK}", "asked", "options", ASKED),
    ("look", "boxes", f"look {BOXES[0]}", *BOXES[1:]),
    (
        "look",
        "out",
        "look m a --out o.svg",
        "save_figure",
        "path",
        Path("o.svg"),
    ),
    ("look", "out", "look m a --out o.htm", "save_page", "path", Path("o.htm")),
    ("train", "name", TRAIN, "train", "name", "cbam_resnet20_cifar10"),
    ("train", "folder", TRAIN + "--folder f", "train", "folder", Path("f")),
    ("train", "runs", TRAIN + "--runs r", "train", "runs", Path("r")),
    ("train", "seed", TRAIN + "--seed 0", "train", "seed", 0),
    ("train", "epochs", TRAIN + "--epochs 3", "train", "epochs", 3),
    ("train", "task", TRAIN + "--task t", "train", "task", "t"),
    ("train", "network", TRAIN + "--network n", "train", "network", "n"),
    ("train", "batch_size", TRAIN + "--batch-size 4", "train", "batch_size", 4),
    (
        *("train", "augment", TRAIN + "--augment flip,shift"),
        *("train", "augment", ["flip", "shift"]),
    ),
    ("train", "augment", TRAIN, "train", "augment", None),
    (
        *("train", "validation", TRAIN + "--validation 0.2"),
        *("train", "validation", 0.2),
    ),
    (
        *("train", "early_stopping", TRAIN + "--early-stopping 2"),
        *("train", "early_stopping", 2),
    ),
    (
        *("train", "class_weight", TRAIN + "--class-weight balanced"),
        *("train", "class_weight", "balanced"),
    ),
    (
        *("train", "learning_rate", TRAIN + "--learning-rate 0.5"),
        *("train", "learning_rate", 0.5),
    ),
    (
        *("train", "freeze", TRAIN + "--freeze backbone"),
        *("train", "freeze", "backbone"),
    ),
    (
        *("train", "freeze", TRAIN + "--freeze stem,stage_1"),
        *("train", "freeze", ["stem", "stage_1"]),
    ),
    ("train", "dtype", TRAIN + "--dtype t", "train", "dtype", "t"),
    ("train", "vectors", TRAIN + "--vectors v", "train", "vectors", Path("v")),
    ("train", "data", TRAIN + "--data d", "train", "data", "d"),
    ("train", "targets", TRAIN + "--targets a,b", "train", "targets", "a,b"),
    (
        *("train", "set_", TRAIN + "--set a=[1,2] --set b=c=d"),
        *("train", "builder_args", {"a": [1, 2], "b": "c=d"}),
    ),
    (
        *("train", "backbone_weights", TRAIN + "--backbone-weights imagenet"),
        *("train", "backbone_weights", "imagenet"),
    ),
    (
        *("train", "recipe", TRAIN + "--recipe gradual"),
        *("train", "recipe", "gradual"),
    ),
    ("train", "resume", TRAIN + "--resume", "train", "resume", True),
    ("train", "resume", TRAIN + "--no-resume", "train", "resume", False),
    ("train", "data_note", TRAIN + "--data-note n", "train", "data_note", "n"),
    ("train", "tensorboard", TRAIN, "train", "tensorboard", False),
    (
        *("train", "tensorboard", TRAIN + "--tensorboard"),
        *("train", "tensorboard", True),
    ),
    ("evaluate", "name", "evaluate m", "load", "name", "m"),
    ("evaluate", "data", "evaluate m --data d", "read", "data", "d"),
    (
        *("evaluate", "batch_size", "evaluate m --batch-size 3"),
        *("report", "batch_size", 3),
    ),
    ("evaluate", "as_json", "evaluate m --json", "print_json", "value", REPORT),
    (
        *("evaluate", "out", "evaluate m --out o.svg"),
        *("save_figure", "path", Path("o.svg")),
    ),
    ("compare", "a", "compare m n", "compare", "a", "m"),
    ("compare", "b", "compare m n", "compare", "b", "n"),
    ("compare", "data", "compare m n --data d", "compare", "data", "d"),
    (
        *("compare", "batch_size", "compare m n --batch-size 3"),
        *("compare", "batch_size", 3),
    ),
    (
        *("compare", "as_json", "compare m n --json"),
        *("print_json", "value", REPORT),
    ),
    ("finetune", "name", TUNE, "load", "name", "m"),
    ("finetune", "data", TUNE, "read", "data", "d"),
    ("finetune", "data", TUNE, "finetune", "data", "data"),
    ("finetune", "out", TUNE, "save", "folder", Path("o")),
    ("finetune", "epochs", TUNE + "--epochs 3", "finetune", "epochs", 3),
    ("finetune", "freeze", TUNE, "finetune", "freeze", None),
    ("finetune", "freeze", TUNE + "--freeze a", "finetune", "freeze", ["a"]),
    (
        *("finetune", "freeze", TUNE + "--freeze stem,stage_1"),
        *("finetune", "freeze", ["stem", "stage_1"]),
    ),
    (
        *("finetune", "freeze", TUNE + "--freeze backbone"),
        *("finetune", "freeze", "backbone"),
    ),
    (
        *("finetune", "layer_decay", TUNE + "--layer-decay 0.5"),
        *("finetune", "layer_decay", 0.5),
    ),
    (
        *("finetune", "learning_rate", TUNE + "--learning-rate 0.2"),
        *("finetune", "learning_rate", 0.2),
    ),
    ("finetune", "learning_rate", TUNE, "finetune", "learning_rate", None),
    (
        *("finetune", "image_size", TUNE + "--image-size 128x96"),
        *("finetune", "image_size", (128, 96)),
    ),
    (
        *("finetune", "image_size", TUNE + "--image-size 64"),
        *("finetune", "image_size", 64),
    ),
    ("finetune", "image_size", TUNE, "finetune", "image_size", None),
    (
        *("finetune", "augment", TUNE + "--augment flip,shift"),
        *("finetune", "augment", ["flip", "shift"]),
    ),
    (
        *("finetune", "validation", TUNE + "--validation 0.25"),
        *("finetune", "validation", 0.25),
    ),
    (
        *("finetune", "early_stopping", TUNE + "--early-stopping 2"),
        *("finetune", "early_stopping", 2),
    ),
    (
        *("finetune", "class_weight", TUNE + "--class-weight balanced"),
        *("finetune", "class_weight", "balanced"),
    ),
    (
        *("finetune", "label_smoothing", TUNE + "--label-smoothing 0.1"),
        *("finetune", "label_smoothing", 0.1),
    ),
    (
        *("finetune", "self_critical", TUNE + "--self-critical"),
        *("finetune", "self_critical", True),
    ),
    (
        *("finetune", "recipe", TUNE + "--recipe gradual"),
        *("finetune", "recipe", "gradual"),
    ),
    (
        *("finetune", "batch_size", TUNE + "--batch-size 3"),
        *("finetune", "batch_size", 3),
    ),
    ("finetune", "seed", TUNE + "--seed 4", "finetune", "seed", 4),
    (
        *("finetune", "dtype", TUNE + "--dtype mixed_float16"),
        *("finetune", "dtype", "mixed_float16"),
    ),
    ("finetune", "runs", TUNE, "finetune", "folder", Path("runs/o")),
    (
        *("finetune", "runs", TUNE + "--runs r"),
        *("finetune", "folder", Path("r/o")),
    ),
    ("finetune", "resume", TUNE, "finetune", "resume", True),
    (
        *("finetune", "resume", TUNE + "--no-resume"),
        *("finetune", "resume", False),
    ),
    ("finetune", "tensorboard", TUNE, "finetune", "tensorboard", False),
    (
        *("finetune", "vocabulary", TUNE + "--vocabulary new"),
        *("finetune", "vocabulary", "new"),
    ),
    (
        *("finetune", "tensorboard", TUNE + "--tensorboard"),
        *("finetune", "tensorboard", True),
    ),
    ("export", "name", "export m --out o", "load", "name", "m"),
    ("export", "out", "export m --out o", "export", "folder", Path("o")),
    ("export", "format", "export m --out o", "export", "formats", None),
    (
        *("export", "format", "export m --out o --format a --format b"),
        *("export", "formats", ["a", "b"]),
    ),
]


# What is said of a table goes with its name to whoever reads it.
SAID = {
    **{
        f"{name}_column": (f"--{name}-column C", {"columns": {name: "C"}})
        for name in ("text", "left", "right", "label", "image", "caption")
    },
    **{
        f"{name}_column": (f"--{name}-column C", {"columns": {name: "C"}})
        for name in ("boxes", "question", "candidate", "answer")
    },
    **{
        f"{name}_column": (f"--{name}-column C", {"columns": {name: "C"}})
        for name in ("source", "target")
    },
    "delimiter": ("--delimiter ;", {"delimiter": ";"}),
    "encoding": ("--encoding cp1252", {"encoding": "cp1252"}),
}
ROWS += [
    (command, name, f"{words} {option}", who, "data", zoo.Table("d", **asked))
    for command, words, who in (
        ("train", TRAIN + "--data d", "train"),
        ("evaluate", "evaluate m --data d", "read"),
        ("finetune", TUNE, "read"),
        ("compare", "compare m n --data d", "compare"),
    )
    for name, (option, asked) in SAID.items()
]
ROWS += [
    (command, name, f"{command} m a {option}", "from_words", "how", asked)
    for command in ("predict", "look")
    for name, (option, asked) in SAID.items()
]


@pytest.fixture(autouse=True)
def tensorboard_is_there(monkeypatch):
    """It belongs to an extra; tests/zoo/test_plan.py asks without it."""
    monkeypatch.setattr(training, "check_tensorboard", lambda *args: None)


@pytest.fixture
def reached(tmp_path, monkeypatch):
    """`(who, argument)` -> value, of each call to where the work is done."""
    monkeypatch.chdir(tmp_path)
    found = {}

    def recorder(who, real, result):
        signature = inspect.signature(real)

        def record(*args, **kwargs):
            bound = signature.bind(*args, **kwargs)
            found.update({(who, k): v for k, v in bound.arguments.items()})
            return result

        return record

    def from_shell(words, options):
        found["asked", "options"] = options
        return words

    from_words = asking.from_words

    def asked_in_words(input, words, options, how):
        found["from_words", "how"] = how
        return from_words(input, words, options)

    monkeypatch.setattr(asking, "from_words", asked_in_words)
    asked = types.SimpleNamespace(
        noun="image",
        columns_asked=(),
        suffixes=(),
        asked="IMAGE...",
        from_shell=from_shell,
        assets=dict,
        reader=lambda data: None,
    )
    # The options of all tasks, as if they were this one's.
    own = catalogue.TASKS[_Asked.name]
    monkeypatch.setitem(own, "options", catalogue.options())
    answered = types.SimpleNamespace(assets=dict, classes={"label": []})
    task = _Asked(None, CARD, asked, answered)
    data = _Data("data")
    answers = [{"label": "answer"}] * 2
    for who, result in {
        "read": data,
        "predict": answers[:1],
        "look": answers,
        "report": REPORT,
        "finetune": task,
        "save": None,
        "export": {},
        "measure": {},
    }.items():
        record = recorder(who, getattr(task, who), result)
        monkeypatch.setattr(task, who, record, raising=False)
    for place, name, who, result in (
        (zoo, "load", "load", task),
        (exported, "load", "exported.load", task),
        (zoo, "train", "train", task),
        (zoo, "compare", "compare", REPORT),
        (report_tables, "comparison_parts", "tables", []),
        (report_pictures, "confusion_figure", "figure", "figure"),
        (answer_files, "answer", "answers", []),
        (zoo, "card", "card", CARD),
        (zoo, "list_models", "list_models", []),
        (demo, "run", "demo.run", None),
        (asking, "from_lines", "from_lines", ["a"]),
        (cli, "print_json", "print_json", None),
        (cli, "_print_made", "made", None),
        (cli, "save_page", "save_page", None),
        (cli, "print_answers", "print_answers", None),
        (cli, "exports_table", "exports_table", ""),
    ):
        record = recorder(who, getattr(place, name), result)
        monkeypatch.setattr(place, name, record)
    from keras_attention import pictures

    record = recorder("save_figure", pictures.save_figure, None)
    monkeypatch.setattr(pictures, "save_figure", record)
    return found


class _Data(str):
    """Stands for data that were read."""

    name, split, place = "d", "test", None

    def sha256(self):
        return ""

    def found(self):
        return "found"


class _Asked(Task):
    """A task that only says what it is asked."""

    name = "answer_selection"

    @staticmethod
    def read(data, split):
        return _Data("data")

    def check_attention(self):
        pass

    def picture(self, raws, answers):
        return "figure"

    def page(self, answers):
        return "page"

    def html(self, answers):
        return "<html>"


def commands():
    return typer.main.get_command(app).commands


def test_every_option_of_every_command_has_a_row():
    there = {
        (name, parameter.name)
        for name, command in commands().items()
        for parameter in command.params
    }
    assert there == {row[:2] for row in ROWS}
    # Of the program itself; tests/zoo/test_cli.py tries both.
    mine = {parameter.name for parameter in typer.main.get_command(app).params}
    assert mine == {"version", "debug"}


@pytest.mark.parametrize(
    "words, who, argument, value",
    [row[2:] for row in ROWS],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_option_reaches_what_it_is_meant_for(
    words, who, argument, value, reached
):
    result = CliRunner().invoke(app, ["--debug", *words.split()])
    if result.exception is not None:
        raise result.exception
    assert (who, argument) in reached
    found = reached[who, argument]
    assert found == value and type(found) in (type(value), _Data)


@pytest.mark.parametrize("command", [TRAIN, "evaluate m", TUNE])
def test_options_of_a_table_come_with_a_table(command, reached):
    words = [*command.split(), "--delimiter", ";", "--text-column", "C"]
    if "--data" in words:
        place = words.index("--data")
        words[place : place + 2] = ["--data=d"]
        words += ["--label-column", "L"]
        columns = {"label": "L", "text": "C"}
        assert CliRunner().invoke(app, words).exit_code == 0
        assert reached["read", "data"] == zoo.Table("d", columns, ";")
        return
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert "--text-column says how" in result.stderr
    assert "no --data" in result.stderr


@pytest.mark.parametrize(
    "argument, value, shown",
    [
        ("runs", "r", lambda call: str(call["folder"].parent)),
        ("resume", False, lambda call: call["resume"]),
        ("tensorboard", True, lambda call: call["tensorboard"]),
        ("verbose", 0, lambda call: call["verbose"]),
        ("seed", 7, lambda call: call["recipe"]["training"]["seed"]),
        ("epochs", 3, lambda call: call["recipe"]["training"]["epochs"]),
        (
            "learning_rate",
            0.5,
            lambda call: call["recipe"]["training"]["learning_rate"],
        ),
        ("freeze", ["a"], lambda call: call["recipe"]["training"]["freeze"]),
        ("augment", [], lambda call: call["recipe"]["training"]["augment"]),
        ("validation", 0.5, lambda call: call["validation"]),
        (
            "builder_args",
            {"dropout": 0.5},
            lambda call: call["recipe"]["asked"],
        ),
        ("dtype", "mixed_float16", lambda call: call["dtype"]),
        (
            "dtype",
            "mixed_float16",
            lambda call: call["recipe"]["training"]["dtype"],
        ),
        ("vectors", "v", lambda call: call["recipe"]["vectors"]),
        ("data_note", "n", lambda call: call["card"]["data"]["note"]),
        ("data", "./d", lambda call: call["recipe"]["data"]),
        ("folder", "f", lambda call: str(call["saved"].parent)),
        ("name", "abcnn3_wikiqa", lambda call: call["saved"].name),
    ],
)
def test_an_argument_of_train_reaches_the_training(
    argument, value, shown, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    call = {}

    def follow(recipe, **options):
        call.update(recipe=recipe, **options)
        task = types.SimpleNamespace(card={"recipe": {}, "data": {}})
        task.save = lambda folder: call.update(saved=folder, card=task.card)
        return task

    monkeypatch.setattr(recipes, "follow", follow)
    monkeypatch.setattr(presets, "write_manifest", lambda folder: None)
    zoo.train(**{"name": "abcnn3_wikiqa", argument: value})
    assert shown(call) == value


@pytest.mark.parametrize(
    "asked",
    [
        {"columns": {"text": "my review", "label": "-x"}, "delimiter": "\t"},
        {"delimiter": ";", "encoding": "cp1252"},
        {},
    ],
)
def test_the_command_on_a_card_reads_the_same_table(
    asked, reached, monkeypatch
):
    table, call = zoo.Table("./my data.csv", **asked), {}
    train = recipes.train

    def follow(recipe, **options):
        call.update(recipe)
        task = types.SimpleNamespace(card={"recipe": {}, "data": {}})
        task.save = lambda folder: call.update(card=task.card)
        return task

    monkeypatch.setattr(recipes, "follow", follow)
    monkeypatch.setattr(presets, "write_manifest", lambda folder: None)
    train("transformer_imdb", data=table)
    assert call["data"] == "./my data.csv" and call.get("table", {}) == asked
    command = call["card"]["recipe"]["command"]
    assert command.isprintable()
    _, *words = shlex.split(command)
    assert CliRunner().invoke(app, words).exit_code == 0
    again = reached["train", "data"]
    assert again == (table if asked else "./my data.csv")


@pytest.mark.parametrize("data", [{"a": [1]}, zoo.Table({"a": [1]})])
def test_what_is_in_memory_is_no_data_of_a_command(data):
    with pytest.raises(ValueError, match="a name or a place.*type dict"):
        recipes.train("transformer_imdb", data=data)
