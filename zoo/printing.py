"""What the command `zoo` says: tables, errors, warnings, JSON and pages.

Labels, names, notes and texts come from files that others wrote. All that is
printed goes through `SafeConsole` or `as_json`, where a sign that could steer a
terminal or hide something in it is replaced, so nothing else has to care.
Keras is not imported here, so that `zoo --help` answers at once.
"""

import contextlib
import json
import sys
import unicodedata
import warnings

from rich import box
from rich.console import Console
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

SIGN = "·"


def visible(text):
    r"""A text for a terminal: lines stay, any other control code is a dot.

    Replaced are control codes, marks of direction and of no width, and what
    is no character; other white space becomes a space. The length stays.

    Args:
        text: String.

    Returns:
        String.

    Example:

    >>> visible("a\x1b[31mb\u202ec\u00a0d\ne")
    'a·[31mb·c d\ne'
    """
    return "".join(
        each
        if each.isprintable() or each == "\n"
        else " "
        if each == "\t" or unicodedata.category(each) == "Zs"
        else SIGN
        for each in text
    )


class SafeConsole(Console):
    """A `rich.console.Console` that no printed text can steer.

    Text is printed as it is, without markup, and by `visible`; the codes of
    rich's own styles stay.

    Args:
        **options: Those of `rich.console.Console`.
    """

    def __init__(self, **options):
        super().__init__(markup=False, highlight=False, emoji=False, **options)

    def render_str(self, text, **options):
        # Before the layout, which measures the width of each sign.
        return super().render_str(visible(text), **options)

    def render(self, renderable, options=None):
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible(segment.text), segment.style)

    def status(self, status, **options):
        # Rich reads a string there as markup, whatever the console's setting.
        if isinstance(status, str):
            status = Text(visible(status))
        return super().status(status, **options)


# In a pipe, a table is as wide as it needs.
console = SafeConsole(width=None if sys.stdout.isatty() else 200)
messages = SafeConsole(stderr=True)


def as_json(value, indent=1):
    r"""JSON that reads back to the same value, without a control code.

    Letters of all languages stay; what `visible` would replace is escaped.

    Args:
        value: What `json.dumps` takes.
        indent: As there; `None` writes one line.

    Returns:
        String.

    Example:

    >>> print(as_json("é\x9b\u202e"))
    "é\u009b\u202e"
    """
    text = json.dumps(
        value, indent=indent, ensure_ascii=False, default=_as_list
    )
    return "".join(
        each
        if each.isprintable() or each == "\n"
        else json.dumps(each).strip('"')
        for each in text
    )


def _as_list(value):
    """An array in JSON."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not what JSON can hold")


@contextlib.contextmanager
def progress_bar(what, total):
    """A bar on stderr, where that is a terminal.

    Args:
        what: String, what is counted.
        total: Integer.

    Yields:
        Function that takes how many more are done.
    """
    from rich import progress

    columns = (
        progress.TextColumn("{task.completed:,} of {task.total:,}"),
        progress.TextColumn(what, markup=False),
        progress.BarColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(
        *columns, console=messages, disable=not messages.is_terminal
    ) as bar:
        place = bar.add_task(what, total=total)
        yield lambda count: bar.advance(place, count)


def print_json(value):
    """Prints a value as JSON, unwrapped."""
    console.print(as_json(value), soft_wrap=True)


def print_parts(parts):
    """Prints tables, and sentences, which a pipe gets unwrapped."""
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, str))


def show_error(error):
    """Prints an exception as one message on stderr."""
    expected = (ValueError, OSError, ImportError, RuntimeError)
    text = str(error)
    if not isinstance(error, expected) or not text:
        text = f"{type(error).__name__}: {text} (zoo --debug shows where)"
    _say("error: ", "bold red", text)


@contextlib.contextmanager
def warnings_shown():
    """Inside, warnings are messages that no text can steer, each said once."""
    before, said = warnings.showwarning, set()

    def show(message, category, *place, **options):
        if category is UserWarning:
            if str(message) not in said:
                _say("warning: ", "bold yellow", str(message))
            said.add(str(message))
        else:
            before(visible(str(message)), category, *place, **options)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _say(kind, style, text):
    # Lines are set in, so that a text in the message cannot forge another.
    text = visible(text).replace("\n", "\n" + " " * len(kind))
    messages.print(Text.assemble((kind, style), text), soft_wrap=True)


def exports_table(found):
    """What `Task.export` returned, as a table."""
    table = Table("format", box=box.SIMPLE)
    table.add_column("size", justify="right")
    table.add_column("largest difference", justify="right")
    table.add_column("allowed", justify="right")
    table.add_column("threads", justify="right")
    table.add_column("path", overflow="fold")
    for format, facts in found.items():
        table.add_row(
            format,
            f"{facts['bytes'] / 1e6:.2f} MB",
            f"{facts['largest_difference']:.1e}",
            f"{facts['tolerance']:.0e}",
            str(facts.get("threads", "")),
            str(facts["path"]),
        )
    return table


def save_page(page, path):
    """Writes a page of HTML, a string."""
    from zoo.atomic import replacing

    with replacing(path) as part:
        part.write_text(page, "utf-8")


def plain(raw):
    """What was asked, as JSON."""
    if isinstance(raw, dict):
        return {name: plain(value) for name, value in raw.items()}
    return list(raw) if isinstance(raw, (list, tuple)) else str(raw)


def plain_answers(task, raws, answers):
    """What was asked and answered, as JSON: a dict for each."""
    as_plain = getattr(task.output, "plain", dict)
    return [
        {
            task.input.noun: plain(raw),
            **(answer if "error" in answer else as_plain(answer)),
        }
        for raw, answer in zip(raws, answers)
    ]


def print_answers(task, raws, answers):
    """Prints the answers of a task as tables."""
    notes = [answer.get("answers", [answer])[0] for answer in answers]
    shown = list(map(task.input.shown, raws, notes))
    for title, columns, rows in task.output.tables(
        task.input.noun, shown, answers
    ):
        table = Table(title=title and Text(title), box=box.SIMPLE)
        for place, name in enumerate(columns):
            numeric = all(map(_is_numeric, (row[place] for row in rows)))
            table.add_column(
                name,
                overflow="fold",
                justify="right" if numeric else "left",
                style="bold" if name in ("answer", "score") else None,
            )
        for row in rows:
            table.add_row(*row)
        console.print(table)


def _is_numeric(text):
    return not text.strip("0123456789.,+- %")


def metrics_line(card, most=None):
    """The metrics of a card on one line, the loss left out.

    Args:
        card: Dict.
        most: Integer. How many are written out; the others are counted.

    Returns:
        String.
    """
    shown = [
        f"{metric} {metric_number(found['value'])}"
        for metric, found in card["metrics"].items()
        if metric != "loss"
    ]
    more = len(shown) - len(shown[:most])
    return ", ".join(shown[:most] + [f"{more} more"] * bool(more))


def reached_line(card):
    """The metrics of a card on one line, and of how many the first one is."""
    counts = [found["n"] for found in card["metrics"].values()]
    many = f" ({counts[0]:,} examples)" if counts else ""
    return metrics_line(card) + many


def metric_number(value):
    """A metric's value; a card has none for what was no finite number."""
    return "not finite" if value is None else f"{value:.4f}"


def metric_line(found):
    """One metric of a card, with its spread and how it was measured."""
    seeds = found.get("seeds") or []
    text = metric_number(found["value"])
    if found.get("std") is not None:
        text += f" ± {found['std']:.4f}"
    text += f" ({found['n']:,} examples, seeds {seeds})"
    if found.get("signature"):
        text += f" {found['signature']}"
    return text


def pairs_line(values):
    """A dict on one line, what is empty left out."""
    return ", ".join(
        f"{key} {value}"
        for key, value in values.items()
        if value is not None and value != [] and value != {}
    )
