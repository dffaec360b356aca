"""The README's commands: each can be pasted, and its files are there."""

import ast
import importlib.util
import pathlib
import re
import shlex

import numpy as np
import pytest
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner

from zoo import catalogue, cli, presets, recipes

ROOT = pathlib.Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SAMPLES = ROOT / "docs" / "samples"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SHELL = "\n".join(block for kind, block in BLOCKS if kind == "sh")
PYTHON = [block for kind, block in BLOCKS if kind == "python"]
COMMANDS = [
    words
    for line in SHELL.replace("\\\n", " ").splitlines()
    for words in [shlex.split(part) for part in line.split("&&")]
    if words
]
OF_ZOO = [words for words in COMMANDS if words[0] == "zoo"]
PLACES = ("docs/", "models/")  # what is read, and what is made on the way
WRITTEN = ("out", "folder", "runs")


def parsed(words):
    """The parameters of a command, as the shell would understand them."""
    _, name, *rest = words
    command = get_command(cli.app).commands[name]
    return name, command.make_context(name, list(rest)).params


def test_the_commands_are_found():
    assert len(OF_ZOO) > 20 and len(PYTHON) >= 5
    assert {words[0] for words in COMMANDS} == {"zoo", "pip", "pytest"}


@pytest.mark.parametrize("words", OF_ZOO, ids=shlex.join)
def test_each_command_has_its_options(words):
    """Unknown options, missing ones and values of another type are errors."""
    parsed(words)


def test_each_command_has_its_files_and_its_model():
    made = set()
    for words in OF_ZOO:
        name, found = parsed(words)
        for asked in filter(None, map(found.get, ("name", "a", "b"))):
            known = (presets.CHECKOUT / asked).is_dir()
            if name == "train":
                known = asked in recipes.RECIPES
            assert known or asked in made, shlex.join(words)
        read = [*(found.get("inputs") or ()), found.get("data")]
        read += [found.get("candidates"), found.get("lines")]
        for each in map(str, filter(None, read)):
            if "/" in each or re.search(r"\.\w{2,4}$", each):
                assert (ROOT / each).exists(), shlex.join(words)
        for option in WRITTEN:
            place = str(found.get(option))
            assert not place.startswith("docs/"), shlex.join(words)
        made.add(str(found.get("out")))
        if found.get("task") is not None:
            called = recipes.own_name(found["network"], found["data"])
            made.add(f"{found['folder']}/{called}")


def test_each_program_is_whole_and_has_its_files():
    for program in PYTHON:
        for node in ast.walk(ast.parse(program)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if node.value.startswith("docs/"):
                    assert (ROOT / node.value).exists(), node.value


def test_the_table_has_every_network():
    models = README.split("\n### Models\n")[1]
    for name in catalogue.network_places():
        assert f"`{name}`" in models, name


def test_each_picture_and_page_is_there():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert len(links) > 10
    for link in links:
        assert (ROOT / link).exists(), link


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("predict abcnn3_wikiqa --question", ["1 ", "The Nile is about"]),
        ("predict mmoe_adult", [">50K", "Married-civ-spouse"]),
    ],
)
def test_what_a_command_answers(words, said, monkeypatch):
    monkeypatch.chdir(ROOT)
    (command,) = [
        each[1:] for each in OF_ZOO if shlex.join(each[1:]).startswith(words)
    ]
    result = CliRunner().invoke(cli.app, command)
    assert result.exit_code == 0, result.output
    for text in said:
        assert text in result.output


def test_the_first_program_says_what_it_draws(monkeypatch, tmp_path, capsys):
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(tmp_path)
    exec(PYTHON[0], {})
    assert "a large yellow circle right of" in capsys.readouterr().out
    drawn = np.asarray(Image.open("looked.png").convert("RGB")).astype(int)
    shown = Image.open(ROOT / re.search(r"\((docs/.*?png)\)", README)[1])
    shown = np.asarray(shown.convert("RGB")).astype(int)
    assert drawn.shape == shown.shape
    assert np.abs(drawn - shown).mean() < 2


# The samples themselves.


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What `make.py` makes, anew."""
    spec = importlib.util.spec_from_file_location("make", SAMPLES / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    folder = tmp_path_factory.mktemp("samples")
    make.write(folder)
    return folder


def test_samples_are_what_their_program_makes(made):
    files = [path for path in made.rglob("*") if path.is_file()]
    assert len(files) > 50
    for path in files:
        kept = SAMPLES / path.relative_to(made)
        if path.suffix == ".csv":
            assert path.read_bytes() == kept.read_bytes()
            continue
        one, other = (
            np.asarray(Image.open(each)).astype(int) for each in (path, kept)
        )
        # Of JPEG each version of a decoder rounds as it likes.
        assert np.abs(one - other).max() <= (0 if path.suffix == ".png" else 8)


def test_samples_are_small_and_each_is_told_of():
    files = [path for path in SAMPLES.rglob("*") if path.is_file()]
    own = [path for path in files if "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in own) < 300_000
    page = (SAMPLES / "README.md").read_text()
    for path in own:
        first = path.relative_to(SAMPLES).parts[0]
        assert f"`{first}" in page or first == "README.md"
