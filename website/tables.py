"""The tables of `benchmarks/README.md`, so that each figure stands once."""

import re

from website.docstrings import ROOT

BENCHMARKS = "benchmarks/README.md"


def table(heading, first):
    """The table under a heading whose header begins with a cell.

    Args:
        heading: String, as it stands after `## `.
        first: String, the first cell of the table's header.

    Returns:
        `(header, rows)`: lists of cells, and a list of those.

    Raises:
        ValueError: If there is no such table.
    """
    text = (ROOT / BENCHMARKS).read_text("utf-8")
    below = dict(
        zip(*[iter(re.split(r"^## (.*)\n", text, flags=re.M)[1:])] * 2)
    )
    lines = below.get(heading, "").splitlines()
    for number, line in enumerate(lines):
        if line.startswith(f"| {first} |"):
            rows = []
            for row in lines[number + 2 :]:
                if not row.startswith("|"):
                    break
                rows.append(cells(row))
            return cells(line), rows
    raise ValueError(
        f"{BENCHMARKS} must have a table {first!r} under its heading. "
        f"Received: heading={heading!r}"
    )


def cells(line):
    """The cells of a line of a Markdown table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def drawn(header, rows):
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def anchor(heading):
    """The place of a heading on its page, as Python-Markdown names it."""
    slug = re.sub(r"[^\w\s-]", "", heading).strip().lower()
    return re.sub(r"[-\s]+", "-", slug)
