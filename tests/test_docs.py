"""The pages: their programs run, their links hold, their figures are ours."""

import importlib.util
import json
import pathlib
import re
import shlex
import tomllib

import keras
import pytest

from website import (
    api,
    catalogue,
    links,
    notebooks,
    pages,
    presets,
    tables,
)

ROOT = pathlib.Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
TEXTS = {path.name: path.read_text("utf-8") for path in DOCS}
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text, kind):
    return [block for name, block in FENCED.findall(text) if name == kind]


def programs(text):
    """The Python of a page, by its headings: each is a program of its own."""
    found = pages.sections(text)
    return {
        heading: "\n".join(blocks(part, "python"))
        for heading, part in found.items()
        if blocks(part, "python")
    }


# Of the README only what trains nothing; tests/zoo/test_readme.py has the rest.
README = programs((ROOT / "README.md").read_text("utf-8"))
PROGRAMS = [
    pytest.param(program, id=f"{name}: {heading}")
    for name, text in TEXTS.items()
    for heading, program in programs(text).items()
] + [
    pytest.param(README["In your own model"], id="README.md: In your own model")
]


@pytest.fixture(scope="module")
def made():
    """Path in the site -> text of every page."""
    return pages.pages()


def test_the_programs_are_found():
    assert len(PROGRAMS) >= 6


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_program_runs(program, monkeypatch, tmp_path):
    large = re.search("import zoo|keras.applications", program)
    if large and keras.backend.backend() != "tensorflow":
        pytest.skip("large networks are tested on TensorFlow")
    if "import torch" in program and not importlib.util.find_spec("torch"):
        pytest.skip("PyTorch is not installed")
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(tmp_path)
    keras.utils.clear_session()  # names of layers begin anew, as in a process
    exec(program, {})


def test_each_command_has_its_options():
    from tests.zoo.test_readme import parsed

    commands = [
        shlex.split(line)
        for text in TEXTS.values()
        for block in blocks(text, "sh")
        for line in block.splitlines()
    ]
    assert commands
    for words in commands:
        assert words[0] == "zoo"
        parsed(words)


def test_each_link_leads_somewhere(made):
    pictures = {
        path.relative_to(ROOT / "docs").as_posix()
        for path in (ROOT / "docs").rglob("*")
        if path.suffix in (".png", ".jpg")
    } | notebooks.pictures().keys()
    count = 0
    for page, text in made.items():
        for part in links.FENCE.split(text)[::2]:
            for _, _, target in links.LINK.findall(part):
                if ":" in target:
                    continue
                place, _, anchor = target.partition("#")
                place = (pathlib.PurePosixPath(page).parent / place).as_posix()
                place = page if target.startswith("#") else normal(place)
                assert place in made or place in pictures, f"{page}: {target}"
                if anchor:
                    assert anchor in anchors(made[place]), f"{page}: {target}"
                count += 1
    assert count > 100


def normal(path):
    parts = []
    for part in path.split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def anchors(text):
    outside = "".join(links.FENCE.split(text)[::2])
    return {
        tables.anchor(title)
        for title in re.findall(r"^#+ (.*)$", outside, re.MULTILINE)
    }


def test_a_link_to_a_missing_file_is_an_error():
    with pytest.raises(FileNotFoundError, match="docs/none.md"):
        links.led("[none](docs/none.md)", "README.md", "index.md")


def test_a_link_to_a_file_beside_the_site_is_its_label():
    led = links.led("[a](LICENSE) [b](docs/security.md)", "README.md", "x/y.md")
    assert led == "a [b](../security.md)"


def test_each_page_is_in_the_navigation(made):
    config = tomllib.loads((ROOT / "zensical.toml").read_text())
    listed = set(
        re.findall(r"[\w/]+\.md", json.dumps(config["project"]["nav"]))
    )
    assert listed == {
        page
        for page in made
        if page == "presets/index.md" or not page.startswith("presets/")
    }


def test_every_layer_has_its_place(made):
    rows = catalogue.readme_rows()
    assert len(rows) > 30
    for name in rows:
        assert f"### {name}\n" in made["catalogue.md"], name
    rooms = "".join(made[f"api/{room}.md"] for room in api.ROOMS)
    for name in rows:
        assert f"## {name}\n" in rooms, name


def test_every_layer_shows_its_equation(made):
    entries = pages.sections(made["catalogue.md"], 3)
    del entries[""]
    for name, entry in entries.items():
        assert re.search(r"^    \S", entry, re.MULTILINE), name


def test_figures_of_the_advice_are_of_the_benchmarks():
    """Each number with a point, or of four digits, stands there too."""
    advice = TEXTS["which_attention.md"]
    advice += pages.sections(TEXTS["export.md"], 3)["Threads"]
    figure = re.compile(r"\d[\d,]*\.\d+|\d{1,3},\d{3}|\b\d{4}\b")
    known = figure.findall((ROOT / tables.BENCHMARKS).read_text("utf-8"))
    found = figure.findall(advice)
    assert len(found) > 50
    assert set(found) <= set(known)


def test_a_table_that_is_gone_is_an_error():
    with pytest.raises(ValueError, match="heading='None such'"):
        tables.table("None such", "layer")


def test_a_card_is_shown_as_text():
    card = json.loads((ROOT / "saved_models/mmoe_adult/card.json").read_text())
    card["data"]["note"] = (
        "<script>x</script> [a](http://b) ![c](d) `e` *f*\n# g"
    )
    page = presets.page(card)
    assert "<script>" not in page and "[a]" not in page and "`e`" not in page
    assert "\n# g" not in page and "http:" not in page
    card["recipe"]["command"] = "zoo train x\n```\n<b>bold</b>"
    assert "````sh\n" in presets.page(card)


def test_cards_say_what_was_measured(made):
    page = made["presets/cbam_resnet20_cifar10.md"]
    assert "| accuracy | 0.8507 | 10,000 | 1 |" in page
    assert "zoo train cbam_resnet20_cifar10" in page


def test_the_site_is_written_anew(tmp_path):
    (tmp_path / "old.md").write_text("old")
    pages.write(tmp_path)
    assert not (tmp_path / "old.md").exists()
    assert (tmp_path / "index.md").exists()
    assert (tmp_path / "each_word_a_look.png").exists()
