"""Every page of the site, and the files that the pages show."""

import pathlib
import re
import shutil

from website import api, catalogue, links, notebooks, presets, tables
from website.docstrings import ROOT

# Path in the site -> headings of the README that it has, in their order; the
# first page begins as the README does.
README = {
    "index.md": ("Install", "In your own model"),
    "models.md": ("Trained models", "Catalogue/Models"),
    "own_data.md": ("Your own data",),
}
TITLES = {"models.md": "Trained models", "own_data.md": "Your own data"}
COPIED = (".md", ".png", ".jpg")


def write(folder):
    """Writes the sources of the site, anew.

    Args:
        folder: Path; what it holds is removed.
    """
    folder = pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    for path, text in pages().items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8")
    for picture in (ROOT / "docs").rglob("*"):
        if picture.suffix in (".png", ".jpg"):
            place = folder / picture.relative_to(ROOT / "docs")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(picture, place)
    for path, content in notebooks.pictures().items():
        (folder / path).write_bytes(content)


def pages():
    """Path in the site -> Markdown of every page."""
    written = {
        path.name: _read(f"docs/{path.name}", path.name)
        for path in sorted((ROOT / "docs").glob("*.md"))
    }
    of_readme = {
        page: links.led(_of_readme(page), "README.md", page) for page in README
    }
    of_readme["models.md"] = _with_links(of_readme["models.md"], "presets/")
    _lead_to_its_page(of_readme)
    moved = {
        page: _read(source, page)
        for source, page in links.MOVED.items()
        if source != "README.md"
    }
    moved["presets/index.md"] = _with_links(moved["presets/index.md"])
    return {
        **written,
        **of_readme,
        **moved,
        **api.pages(),
        **presets.pages(),
        **notebooks.pages(),
        "catalogue.md": catalogue.page(),
    }


def sections(text, level=2):
    """Heading -> what stands below it; before the first heading it is `""`."""
    parts = re.split(rf"^{'#' * level} (.*)\n", text, flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def _of_readme(page):
    """The sections of the README that a page has."""
    found = sections((ROOT / "README.md").read_text("utf-8"))
    if page == "index.md":
        parts = [found[""]]
    else:
        parts = [f"# {TITLES[page]}\n"]
    for heading in README[page]:
        heading, _, below = heading.partition("/")
        text = sections(found[heading], 3)[below] if below else found[heading]
        title = below or heading
        if title == TITLES.get(page):
            parts.append(re.sub(r"^###", "##", text, flags=re.MULTILINE))
        else:
            parts.append(f"## {title}\n{text}")
    return "\n".join(parts)


def _lead_to_its_page(texts):
    """Leads links within the README to the page that has the heading."""
    homes = {
        tables.anchor(title): page
        for page, text in texts.items()
        for part in links.FENCE.split(text)[::2]  # outside of programs
        for title in re.findall(r"^#+ (.*)$", part, re.MULTILINE)
    }
    for page, text in texts.items():
        texts[page] = re.sub(
            r"\]\(#([\w-]+)\)",
            lambda match: f"]({homes[match[1]]}#{match[1]})",
            text,
        )


def _read(source, page):
    return links.led((ROOT / source).read_text("utf-8"), source, page)


def _with_links(text, folder=""):
    """The table of presets, each name a link to its page in a folder."""
    names = "|".join(path.parent.name for path in presets.cards())
    return re.sub(
        rf"^\| `({names})` ", rf"| [`\1`]({folder}\1.md) ", text, flags=re.M
    )
