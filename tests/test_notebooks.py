"""The notebooks: as their sources say, in the agreed order, safe to publish.

They are run by `colab/make.py --smoke`, which `.ci/run` calls.
"""

import ast
import base64
import copy
import json
import re

import pytest

from colab import make
from website import notebooks
from zoo import catalogue

SOURCES = make.sources()
MADE = {name: make.notebook(name, text) for name, text in SOURCES.items()}
HEADINGS = [
    "The data",
    "The idea",
    "The model",
    "Train",
    "Where it looked",
    "Against the baseline",
    "Your turn",
]
each_notebook = pytest.mark.parametrize("name", SOURCES)


def code(made):
    return [
        cell["source"] for cell in made["cells"] if cell["cell_type"] == "code"
    ]


def text(made):
    return "\n\n".join(
        cell["source"]
        for cell in made["cells"]
        if cell["cell_type"] == "markdown"
    )


def committed(name):
    path = make.FOLDER / f"{name}.ipynb"
    return json.loads(path.read_text("utf-8"))


def program(made):
    """All code of a notebook, but for the cell with the magic."""
    return ast.parse("\n".join(code(made)[1:]))


def test_every_task_has_its_notebook_and_the_table_has_all():
    assert set(catalogue.TASKS) <= set(SOURCES)
    assert set(notebooks.names()) == set(SOURCES)
    table = (make.FOLDER / "README.md").read_text("utf-8")
    assert set(re.findall(r"\((\w+)\.ipynb\)", table)) == set(SOURCES)


@each_notebook
def test_the_notebook_is_made_of_its_source(name):
    made, found = copy.deepcopy(MADE[name]), committed(name)
    assert len(found["cells"]) == len(made["cells"])
    for cell, other in zip(made["cells"], found["cells"]):
        assert cell["source"] == "".join(other["source"])
        for key in ("cell_type", "id", "metadata"):
            assert cell[key] == other[key]
    for key in ("metadata", "nbformat", "nbformat_minor"):
        assert made[key] == found[key]


@each_notebook
def test_the_outputs_are_those_of_one_run_of_all_cells(name):
    cells = [c for c in committed(name)["cells"] if c["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == [
        number + 1 for number in range(len(cells))
    ]
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {
        "stream",
        "display_data",
        "execute_result",
    }
    assert any("image/png" in output.get("data", ()) for output in outputs)


@each_notebook
def test_the_order_of_the_cells(name):
    made = MADE[name]
    first, setup, parameters = made["cells"][:3]
    title, badge = first["source"].partition("\n")[::2]
    assert title.startswith("# ")
    assert make.BADGE.format(name=name) in badge
    assert re.search(r"minutes? on two CPU cores", badge)
    assert setup["source"] == make.SETUP
    assert parameters is make.parameters(made)
    headings = re.findall(r"^## (.*)$", text(made), re.MULTILINE)
    assert [each for each in headings if each in HEADINGS] == HEADINGS
    assert "**References.**" in made["cells"][-1]["source"]
    assert re.search(r"inspect\.(getsource|signature)\(", "\n".join(code(made)))
    # The formula: a block of its own.
    idea = text(made).partition("## The idea")[2].partition("\n## ")[0]
    assert re.search(r"^    \S", idea, re.MULTILINE)
    assert not re.search(r"\b(TIME|READING|TODO)\b", text(made))


@each_notebook
def test_no_cell_defines_a_class_or_a_long_function(name):
    for node in ast.walk(program(MADE[name])):
        assert not isinstance(node, ast.ClassDef)
        if isinstance(node, ast.FunctionDef):
            lines = node.end_lineno - node.lineno
            assert lines <= 8, f"{node.name} belongs in zoo: {lines} lines"


@each_notebook
def test_only_public_modules_of_ours_are_imported(name):
    for node in ast.walk(program(MADE[name])):
        if isinstance(node, ast.ImportFrom):
            names = [node.module, *(each.name for each in node.names)]
        elif isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        else:
            continue
        parts = ".".join(names).split(".")
        assert not any(part.startswith("_") for part in parts)
        assert not {"src", "tests", "colab", "benchmarks"} & set(parts)


@each_notebook
def test_nothing_of_the_machine_is_published(name):
    path = make.FOLDER / f"{name}.ipynb"
    assert path.stat().st_size < 300_000
    for cell in committed(name)["cells"]:
        for output in cell.get("outputs", ()):
            assert output.get("name", "stdout") == "stdout"
            data = output.get("data", {})
            assert set(data) <= {"text/plain", "image/png"}
            if "image/png" in data:
                png = base64.b64decode("".join(data["image/png"]))
                assert png.startswith(b"\x89PNG")
            shown = "".join(
                [*output.get("text", ()), *data.get("text/plain", ())]
            )
            assert not re.search(
                r"/(home|root|tmp|usr|opt|work|Users)\b", shown
            )
            assert "Traceback" not in shown


@each_notebook
def test_a_short_run_rewrites_the_parameters_and_nothing_else(name):
    made = copy.deepcopy(MADE[name])
    make.shrink(made)
    changed = [
        index
        for index, (one, other) in enumerate(
            zip(made["cells"], MADE[name]["cells"])
        )
        if one != other
    ]
    assert changed == [2]
    values = {}
    exec(make.parameters(made)["source"], values)
    assert values["EPOCHS"] == 1
    assert values["SAMPLES"] == make.SMOKE["SAMPLES"]


SMALL = """\
# %% tags=["setup"]

# %% tags=["parameters"]
EPOCHS = 3  # of training
PRESET = "mine"

# %% [markdown]
# Words of `a`,
#
#     b = c

# %%
print(EPOCHS)
"""


def test_a_source_becomes_cells():
    made = make.notebook("small", SMALL)
    kinds = [cell["cell_type"] for cell in made["cells"]]
    assert kinds == ["code", "code", "markdown", "code"]
    assert text(made) == "Words of `a`,\n\n    b = c"
    assert code(made)[2] == "print(EPOCHS)"
    make.shrink(made)
    assert code(made)[1] == "EPOCHS = 1\nPRESET = 'mine'"


@pytest.mark.parametrize(
    "change, message",
    [
        ((' tags=["parameters"]', ""), "one cell with the tag"),
        (("# %%\n", '# %% tags=["parameters"]\n'), "Received: 2"),
        (("PRESET", "PRESETS"), "PRESETS = 'mine'"),
        (('PRESET = "mine"', "print(1)"), "Received: 'print"),
    ],
)
def test_what_a_short_run_cannot_rewrite_is_refused(change, message):
    made = make.notebook("small", SMALL.replace(*change))
    with pytest.raises(ValueError, match=message):
        make.shrink(made)


def test_outputs_are_kept_only_of_the_same_code():
    before = make.notebook("small", SMALL)
    before["cells"][3] |= {"execution_count": 3, "outputs": ["of a run"]}
    other = make.notebook("small", SMALL.replace("Words", "Other words"))
    kept = make.with_outputs(other, before)
    assert kept["cells"][3]["outputs"] == ["of a run"]
    assert kept["cells"][3]["execution_count"] == 3
    assert text(kept).startswith("Other words")
    with pytest.raises(ValueError, match="run the notebook"):
        make.with_outputs(
            make.notebook("small", SMALL.replace("print(E", "print(-E")), before
        )


def test_only_prints_and_pictures_are_kept():
    made = make.notebook("small", SMALL)
    made["cells"][3]["outputs"] = [
        {"output_type": "stream", "name": "stderr", "text": "/home/me"},
        {"output_type": "stream", "name": "stdout", "text": ["1\n", "2\n"]},
        {
            "output_type": "stream",
            "name": "stdout",
            "text": "WARNING:tensorflow:5 of 0x7f\n3\n",
        },
        {"data": {"text/html": "<b>", "text/plain": "b", "image/png": "iV"}},
        {"data": {"text/html": "<b>", "text/plain": ""}},
    ]
    make.tidy(made)
    assert made["cells"][3]["outputs"] == [
        {"output_type": "stream", "name": "stdout", "text": "1\n2\n3\n"},
        {"data": {"text/plain": "b", "image/png": "iV"}},
    ]


def test_a_page_of_the_site_has_texts_cells_and_pictures():
    badged = SMALL.replace("Words of", "{badge} Words of")
    cells = make.notebook("small", badged)["cells"]
    cells[3]["outputs"] = [
        {"name": "stdout", "text": ["\x1b[1m``", "`\x1b[0m\n"]},
        {"data": {"image/png": "iV"}},
        {"data": {"text/plain": ["a ", "b"]}},
    ]
    assert notebooks.page("small", cells[2:]) == (
        f"[Open in Colab]({make.COLAB}/github/{make.REPOSITORY}/blob/main/"
        "colab/small.ipynb) Words of `a`,\n\n    b = c\n\n"
        "```python\nprint(EPOCHS)\n```\n\n"
        "````text\n```\n````\n\n"
        "![The picture](small_1_1.png)\n\n"
        "```text\na b\n```\n"
    )
