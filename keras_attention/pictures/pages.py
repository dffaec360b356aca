"""Texts as a page of HTML: words on the colour of their weight, head by head.

The page is one file without a script: what is chosen are radio buttons, what is
shown follows from them by rules of CSS. So it works where scripts do not run,
such as in a notebook of somebody else's.
"""

import html
import numbers

import numpy as np

from keras_attention.lettering import INK, printable
from keras_attention.pictures.drawing import BAR, range_labels
from keras_attention.pictures.words import as_shares, strength_color

MOST = 500_000  # coloured words of a page, some 60 bytes each
STYLE = f"""
:root {{ color-scheme: light; }}
body {{ margin: 1.5em auto; max-width: 60em; padding: 0 1em; color: {INK};
  background: #ffffff; font: 16px/1.7 system-ui, sans-serif; }}
h1, h2 {{ line-height: 1.3; overflow-wrap: anywhere; }}
h1 {{ font-size: 1.4em; }}
h2 {{ font-size: 1.15em; }}
section {{ border-top: 1px solid #dddddd; padding: 0.4em 0;
  position: relative; }}
.chances {{ border-collapse: collapse; margin: 0.5em 0; line-height: 1.4; }}
.chances td {{ padding: 0 0.8em 0 0; overflow-wrap: anywhere; }}
.share {{ text-align: right; font-variant-numeric: tabular-nums; }}
.bar {{ display: inline-block; height: 0.7em; background: {BAR}; }}
input {{ position: absolute; opacity: 0; pointer-events: none; }}
label {{ display: inline-block; padding: 0 0.45em; margin: 0.1em 0.15em 0.1em 0;
  border: 1px solid #bbbbbb; border-radius: 0.4em; cursor: pointer;
  overflow-wrap: anywhere; }}
.choice {{ margin: 0.4em 0; line-height: 1.9; }}
.view {{ display: none; margin: 0.6em 0; }}
.words span {{ padding: 0.1em 0.2em; border-radius: 0.2em;
  overflow-wrap: anywhere; unicode-bidi: isolate; }}
.legend {{ font-size: 0.85em; }}
.ramp {{ display: inline-block; width: 9em; height: 0.9em; margin: 0 0.4em;
  vertical-align: -0.1em; border: 1px solid #999999;
  background: linear-gradient(to right, #ffffff, {strength_color(1)}); }}
.note {{ font-style: italic; }}
"""


class Page(str):
    """A page of HTML; a notebook shows it in a frame of its own.

    It is the page's text: `pathlib.Path("looked.html").write_text(page,
    "utf-8")` keeps it.
    """

    def _repr_html_(self):
        return (
            '<iframe sandbox style="width: 100%; height: 30em; border: 0; '
            f'resize: vertical" srcdoc="{html.escape(self)}"></iframe>'
        )


def text_page(texts, title="Where it looked"):
    """A page of HTML: texts, each word on the colour of its weight.

    Each text has its title, its probabilities, buttons for its maps and their
    heads, and a legend with the range of what is shown: from 0, white, to the
    greatest weight, amber. Of a matrix, who reads whom, one more row of buttons
    chooses the word that reads; first, the mean of all. The single readers of
    a map and of all its heads have one range, and so have the means, so that
    heads can be compared. Pointing at a word tells its weight.

    The page is a single file that loads nothing and runs no script. All texts
    are escaped; signs that cannot be printed are dots.

    Args:
        texts: List of dicts, one for each text:

            - `"words"`: list of T strings; or a list of such lists, which
              stand each on a line of its own, such as sentences.
            - `"weights"`: dict from a map's name to its weights for this text,
              not negative: `(T,)`, a weight for each word; `(Tq, T)`, for each
              of the readers; or `(N, Tq, T)`, for each of the heads too, which
              is what `keras_attention.attention_maps` gives of one sample. Or
              such an array alone.
            - `"readers"`: list of Tq strings; without it, the words themselves.
              All matrices of a text have the same readers.
            - `"title"`: string.
            - `"probabilities"`: dict from labels to floats in [0, 1], drawn as
              bars in the order given.
            - `"notes"`: list of strings, below the text.

            All but the first two may be missing.
        title: String. Of the page.

    Returns:
        The page, a string, which a notebook shows in a frame.

    Raises:
        ValueError: If there is no text, a text has no word or no map, a shape
            is another, a weight is negative or not finite, a probability is
            not in [0, 1], or there would be more than 500,000 coloured words.

    Example:

    >>> import numpy as np
    >>> page = text_page(
    ...     [{"words": ["a", "film"], "weights": np.full((4, 2, 2), 0.5)}]
    ... )
    >>> ">head 4<" in page, "<script" in page
    (True, False)
    """
    texts = list(texts)
    if not texts:
        raise ValueError("There must be a text to show. Received: texts=[]")
    parts = [_Text(text, number) for number, text in enumerate(texts)]
    size = sum(part.size for part in parts)
    if size > MOST:
        raise ValueError(
            f"A page may have {MOST:,} coloured words at most, or no browser "
            "shows it swiftly: give fewer texts, maps or heads, or the mean "
            f"over the readers. Received: {size:,}"
        )
    style = STYLE + "".join(part.style() for part in parts)
    body = "".join(part.body() for part in parts)
    return Page(
        '<!DOCTYPE html>\n<html lang="und">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{_escaped(title)}</title>\n<style>{style}</style>\n</head>\n"
        f"<body>\n<h1>{_escaped(title)}</h1>\n{body}</body>\n</html>\n"
    )


class _Text:
    """One text of the page."""

    def __init__(self, text, number):
        self.text, self.name = text, f"t{number}"
        lines = list(text["words"])
        if lines and isinstance(lines[0], str):
            lines = [lines]
        self.lines = [[_escaped(word) for word in line] for line in lines]
        count = sum(map(len, self.lines))
        weights = text["weights"]
        if not isinstance(weights, dict):
            weights = {"attention": weights}
        if not count or not weights:
            raise ValueError(
                "A text must have a word and a map at least. "
                f"Received: {count} words, {len(weights)} maps"
            )
        readers = text.get("readers")
        if readers is None:
            readers = [word for line in lines for word in line]
        self.readers = [_escaped(word) for word in readers]
        # Pairs of a button's words, and the rows of weights that it chooses
        # among, each with the weight that is amber: one, or that of the mean
        # of all readers and those of each.
        self.views = []
        for name, values in weights.items():
            values = _checked(name, values, len(self.readers), count)
            self.views += _views(_escaped(name), values)
        self.by_reader = any(len(rows) > 1 for _, rows in self.views)
        self.size = count * sum(len(rows) for _, rows in self.views)

    def style(self):
        """Which view is shown for what is chosen; and what is chosen, blue."""
        rules, name = [], self.name
        for view, (_, rows) in enumerate(self.views):
            for reader in range(len(rows)):
                chosen = f"#{name}v{view}:checked"
                if len(rows) > 1:
                    chosen += f"~#{name}r{reader}:checked"
                rules.append(f"{chosen}~.{name}v{view}r{reader}")
        rules = ",".join(rules) + "{display:block}\n"
        inputs = [f"{name}v{i}" for i in range(len(self.views))]
        if self.by_reader:
            inputs += [f"{name}r{i}" for i in range(1 + len(self.readers))]
            # Of a map without readers their buttons choose nothing.
            rules += "".join(
                f"#{name}v{view}:checked~.{name}readers{{display:none}}\n"
                for view, (_, rows) in enumerate(self.views)
                if len(rows) == 1
            )
        labels = [f'#{x}:checked~.choice [for="{x}"]' for x in inputs]
        focused = [f'#{x}:focus-visible~.choice [for="{x}"]' for x in inputs]
        return (
            f"{rules}{','.join(labels)}"
            f"{{background:{BAR};border-color:{BAR};color:#ffffff}}\n"
            f"{','.join(focused)}{{outline:2px solid {INK}}}\n"
        )

    def body(self):
        """The section of this text."""
        parts, name = ["<section>\n"], self.name
        if self.text.get("title"):
            parts.append(f"<h2>{_escaped(self.text['title'])}</h2>\n")
        parts.append(_chances(self.text.get("probabilities") or {}))
        views = [label for label, _ in self.views]
        rows = [("v", views, "map", len(views) > 1)]
        if self.by_reader:
            readers = ["all, their mean", *self.readers]
            rows.append(("r", readers, "read by", True))
        for kind, labels, _, _ in rows:
            parts += [
                f'<input type="radio" name="{name}{kind}" '
                f'id="{name}{kind}{i}" aria-label="{label}"'
                f"{' checked' * (i == 0)}>\n"
                for i, label in enumerate(labels)
            ]
        for kind, labels, told, shown in rows:
            if shown:
                extra = f" {name}readers" * (kind == "r")
                buttons = "".join(
                    f'<label for="{name}{kind}{i}">{label}</label>'
                    for i, label in enumerate(labels)
                )
                parts.append(
                    f'<div class="choice{extra}">{told}: {buttons}</div>\n'
                )
        for view, (_, found) in enumerate(self.views):
            for reader, (weights, high) in enumerate(found):
                parts.append(
                    f'<div class="view {name}v{view}r{reader}">'
                    f"{self._words(weights, high)}{_legend(high)}</div>\n"
                )
        parts += [
            f'<div class="note">{_escaped(note)}</div>\n'
            for note in self.text.get("notes") or ()
        ]
        return "".join([*parts, "</section>\n"])

    def _words(self, weights, high):
        weights, parts = iter(weights), []
        for line in self.lines:
            spans = " ".join(_word(word, next(weights), high) for word in line)
            parts.append(f'<div class="words" dir="auto">{spans}</div>')
        return "".join(parts)


def _views(name, values):
    """A button's words and its rows, for each head of a map."""
    if values.ndim == 1:
        return [(name, [(values, values.max())])]
    heads = values if values.ndim == 3 else values[None]
    means = heads.mean(axis=1)
    most, most_of_means, views = heads.max(), means.max(), []
    for number, (head, mean) in enumerate(zip(heads, means), start=1):
        label = f"{name} " if name != "attention" else ""
        label = f"{label}head {number}" if values.ndim == 3 else name
        rows = [(mean, most_of_means)] + [(row, most) for row in head]
        views.append((label, rows))
    return views


def _checked(name, values, readers, words):
    """The weights of a map as floats."""
    values = np.asarray(values)
    shape = values.shape
    if (
        not 1 <= values.ndim <= 3
        or shape[-1] != words
        or (values.ndim > 1 and shape[-2] != readers)
        or not values.size
    ):
        raise ValueError(
            "The weights of a text must be (T,), (Tq, T) or (N, Tq, T), for "
            "its T words and Tq readers; cut off what pads them. "
            f"Received: {str(name)!r} of shape {shape}, {words} words, "
            f"{readers} readers"
        )
    return as_shares(values)


def _chances(probabilities):
    rows = []
    for label, value in probabilities.items():
        if not isinstance(value, numbers.Real) or not 0 <= value <= 1:
            raise ValueError(
                "`probabilities` must be floats in [0, 1]. "
                f"Received: {str(label)!r} of {value!r}"
            )
        bar = f'<span class="bar" style="width:{10 * float(value):.2f}em">'
        rows.append(
            f"<tr><td>{_escaped(label)}</td>"
            f'<td class="share">{100 * value:.1f} %</td>'
            f"<td>{bar}</span></td></tr>\n"
        )
    if not rows:
        return ""
    return f'<table class="chances">\n{"".join(rows)}</table>\n'


def _word(word, weight, high):
    color = strength_color(weight / high) if high else strength_color(0)
    return (
        f'<span style="background:{color}" title="{weight:.3g}">{word}</span>'
    )


def _legend(high):
    if not high:
        return '<div class="legend">all weights are 0</div>'
    low, _, top = range_labels(0, high)
    return (
        f'<div class="legend">weight {low}<span class="ramp"></span>{top}</div>'
    )


def _escaped(text):
    return html.escape(printable(str(text)))
