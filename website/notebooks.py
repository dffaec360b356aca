"""The notebooks of `colab/`, with their outputs, as pages of the site."""

import base64
import json
import re

from website.docstrings import ROOT
from website.links import fenced

FOLDER = ROOT / "colab"
ANSI = re.compile(r"\x1b\[[0-9;]*m")
BADGE = re.compile(r"!\[(Open in Colab)\]\(https:[^)]*\)")


def names():
    """The notebooks' names, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def pages():
    """Path in the site -> Markdown of every notebook."""
    return {f"tutorials/{name}.md": page(name, cells(name)) for name in names()}


def pictures():
    """Path in the site -> PNG of every picture in the outputs."""
    return {
        f"tutorials/{picture(name, number, place)}": base64.b64decode(
            "".join(output["data"]["image/png"])
        )
        for name in names()
        for number, cell in enumerate(cells(name))
        for place, output in enumerate(cell.get("outputs", ()))
        if "image/png" in output.get("data", ())
    }


def cells(name):
    """The cells of a notebook, a list of dicts."""
    return json.loads((FOLDER / f"{name}.ipynb").read_text("utf-8"))["cells"]


def page(name, cells):
    """A notebook as Markdown.

    Args:
        name: String.
        cells: List of dicts, as `nbformat` has them.

    Returns:
        String.
    """
    parts = []
    for number, cell in enumerate(cells):
        # A link without its picture: the site fetches nothing from elsewhere.
        source = BADGE.sub(r"\1", "".join(cell["source"]))
        code = cell["cell_type"] == "code"
        parts.append(fenced("python", source) if code else source)
        for place, output in enumerate(cell.get("outputs", ())):
            data = output.get("data", {})
            if "image/png" in data:
                parts.append(f"![The picture]({picture(name, number, place)})")
            else:
                text = "".join(output.get("text") or data["text/plain"])
                parts.append(fenced("text", ANSI.sub("", text).strip("\n")))
    return "\n\n".join(parts) + "\n"


def picture(name, cell, output):
    """The file of a picture beside its page."""
    return f"{name}_{cell}_{output}.png"
