"""Links of this repository's pages, led to where the site has them."""

import pathlib
import posixpath
import re

from website.docstrings import ROOT

LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)

# Pages of the repository that the site has under another name.
MOVED = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/README.md": "benchmarks.md",
    "saved_models/README.md": "presets/index.md",
    "docs/samples/README.md": "samples.md",
    "colab/README.md": "tutorials/index.md",
}


def led(text, source, page):
    """A text whose relative links hold on the site.

    Args:
        text: Markdown.
        source: Path in the repository that the text was written for.
        page: Path in the site that it is put at.

    Returns:
        The text. A link to a file that the site does not have is its label.
    """

    def one(match):
        picture, label, target = match.groups()
        if ":" in target or target.startswith("#"):
            return match[0]
        place, _, anchor = target.partition("#")
        place = on_site(posixpath.join(posixpath.dirname(source), place))
        if place is None:
            return label
        place = posixpath.relpath(place, posixpath.dirname(page) or ".")
        place += f"#{anchor}" if anchor else ""
        return f"{picture}[{label}]({place})"

    parts = FENCE.split(text)
    parts[::2] = [LINK.sub(one, part) for part in parts[::2]]
    return "".join(parts)


def on_site(path):
    """Where the site has a file of the repository, or `None`.

    Raises:
        FileNotFoundError: If the repository has no such file.
    """
    path = posixpath.normpath(path)
    if path + "/README.md" in MOVED:
        path += "/README.md"
    if not (ROOT / path).exists():
        raise FileNotFoundError(f"A page links to {path}, which is not there.")
    if path in MOVED:
        return MOVED[path]
    beside = pathlib.PurePosixPath(path)
    if beside.parts[0] == "colab" and beside.suffix == ".ipynb":
        return f"tutorials/{beside.stem}.md"
    if beside.parts[0] == "docs" and beside.suffix in (".md", ".png", ".jpg"):
        return str(beside.relative_to("docs"))
    return None


def fenced(language, text):
    """A code block that its own text cannot end."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
