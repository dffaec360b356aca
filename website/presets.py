"""A page for each preset, made from its card.

A card is data, and some of its strings are free text: nothing of it becomes
Markdown or HTML.
"""

import json

from website.docstrings import ROOT
from website.links import fenced

FOLDER = ROOT / "saved_models"
SIGNS = "&\\`*_{}[]#!|~^=$<>:@"  # those that mean something in Markdown or HTML
LICENCES = {
    "A": "open",
    "B": "non-commercial or research terms",
    "C": "none stated",
}


def pages():
    """Path in the site -> text of the page of every preset."""
    return {
        f"presets/{path.parent.name}.md": page(json.loads(path.read_text()))
        for path in cards()
    }


def cards():
    """The card of every preset, as sorted paths."""
    return sorted(FOLDER.glob("*/card.json"))


def page(card):
    """A card as Markdown.

    Args:
        card: Dict, as `saved_models/README.md` describes it.

    Returns:
        String.
    """
    name, data, recipe = card["name"], card["data"], card["recipe"]
    facts = {
        "Task": card["task"].replace("_", " "),
        "Network": card["builder"],
        "Trainable parameters": f"{card['parameters']['trainable']:,}",
        "Data": f"{data['name']} {data['version'] or ''}".strip(),
        "Licence of the data": LICENCES[data["licence_class"]],
        "Learned from": data["train_split"],
        "Measured on": data["test_split"],
        "Note": data.get("note"),
        "Trained with": ", ".join(
            f"{key} {value}" for key, value in card["versions"].items()
        ),
    }
    rows = [
        f"| {plain(metric)} | {found['value']:.4f} | {found['n']:,} "
        f"| {len(found['seeds'])} |"
        for metric, found in card["metrics"].items()
    ]
    details = {
        "Network": card["builder_args"],
        "Input": card["preprocessing"],
        "Answers": card.get("postprocessing") or {},
        "Training": recipe["training"],
    }
    return "\n\n".join(
        [
            f"# `{name}`",
            "\n".join(
                f"- {title}: {plain(fact)}"
                for title, fact in facts.items()
                if fact
            ),
            "\n".join(
                [
                    "| metric | value | examples | seeds |",
                    "| --- | --- | --- | --- |",
                    *rows,
                ]
            ),
            "Show it, and train it again:",
            fenced("sh", f"zoo show {name}\n{recipe['command']}"),
            *(
                f"## {title}\n\n" + fenced("json", json.dumps(what, indent=1))
                for title, what in details.items()
                if what
            ),
        ]
    )


def plain(text):
    """A string that Markdown shows as it is, on one line."""
    return "".join(
        f"&#{ord(sign)};" if sign in SIGNS else sign
        for sign in " ".join(str(text).split())
    )
