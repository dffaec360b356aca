"""Answers in files: a table, JSON, a line of text for each, or a picture."""

import collections
import csv
import os
import pathlib

from zoo import catalogue
from zoo.atomic import replacing
from zoo.data.tables import NUMBER
from zoo.printing import as_json, plain_answers
from zoo.writable import check_not_read, check_writable

SUFFIXES = (".csv", ".json", ".jsonl", ".txt")
PICTURE = ".png"  # of an answer that is one; a folder holds several
TOGETHER = 256  # inputs that are read and answered before the next ones are
FEW_TOGETHER = 16  # the same, where an answer is a picture, as large as it may
# What begins a formula in a spreadsheet, in wide letters too.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class Unanswered(dict):
    """What stands in place of an answer: its `error` says what was wrong."""


def check(path, inputs, task=None):
    """Raises unless answers can be written to a path.

    Args:
        path: `pathlib.Path`.
        inputs: As in `zoo.writable.check_not_read`.
        task: Name of the task whose answers they are, or `None`.

    Raises:
        ValueError: If the suffix is none of `SUFFIXES`, an answer of the task
            is not one text, or one picture, or an input would be replaced.
        OSError: If it cannot be written.
    """
    suffix = path.suffix.lower()
    output, pictures = None, True
    if task is not None:
        output = catalogue.named(catalogue.TASKS[task]["output"])
        pictures = hasattr(output, "image")
    if suffix not in SUFFIXES and not (pictures and suffix in (PICTURE, "")):
        raise ValueError(
            f"Answers are written to a file that ends with {SUFFIXES}; masks "
            f"to a file that ends with {PICTURE} too, and several of them to a "
            f"folder. Received: --out {path}"
            + ("" if task is None else f", a model of {task}")
        )
    if output is not None and suffix == ".txt":
        if getattr(output, "line", None) is None:
            raise ValueError(
                "A file of lines is for answers that are one text each; take "
                f".csv, .json or .jsonl. Received: --out {path}, a model of "
                f"{task}"
            )
    check_not_read(path, inputs)
    check_writable(path, is_folder=not suffix)


def pictures(path, raws):
    """Where the pictures of answers go.

    Args:
        path: `pathlib.Path`: a file that ends with `PICTURE`, for one answer;
            or a folder, in which each is called as what was asked about.
        raws: List of raw inputs.

    Returns:
        List of `pathlib.Path`; `None` where the path is of another kind.

    Raises:
        ValueError: If there are several for one file, two of one name, or a
            file of such a name is in the folder: nobody asked to replace it.
    """
    if path.suffix.lower() == PICTURE:
        if len(raws) > 1:
            raise ValueError(
                "A file holds the mask of one image; name a folder for "
                f"several, without {PICTURE}. Received: --out {path} for "
                f"{len(raws):,} images"
            )
        return [path]
    if path.suffix:
        return None
    names = [pathlib.Path(raw).stem for raw in raws]
    twice = [name for name, n in collections.Counter(names).items() if n > 1]
    if twice:
        raise ValueError(
            "Images whose masks go to one folder must have different names. "
            f"Received: {twice[0]!r} more than once"
        )
    places = [path / f"{name}{PICTURE}" for name in names]
    if there := list(filter(os.path.lexists, places)):
        raise ValueError(
            "A folder for masks must have no files of their names, which would "
            "be replaced; name another, or remove them. "
            f"Received: {there[0]}"
            + (f" and {len(there) - 1:,} more" if there[1:] else "")
        )
    return places


def answer(path, task, raws, progress):
    """Answers, and writes: a file whole or not at all, pictures one by one.

    What is not written of answers is let go before the next ones are given,
    since masks may be large. In a table, a text that a spreadsheet would run as
    a formula begins with an apostrophe; JSON holds all as it is, but a mask as
    a PNG in a `data:` URL. A file of lines has the text of each answer alone,
    and an empty line where there is none. Pictures go where `pictures` says.

    Args:
        path: `pathlib.Path`, as `check` takes it.
        task: A `zoo.task.Task`.
        raws: List of raw inputs.
        progress: Function that is called with how many more are answered.

    Returns:
        List of `Unanswered`, of the inputs that could not be read.

    Raises:
        ValueError: If none can be read, or as `pictures`.
        OSError: If none can be read, or it cannot be written.
    """
    places, rows, failed = pictures(path, raws), [], []
    for start, some, answers in answered(task, raws, progress):
        failed += [each for each in answers if isinstance(each, Unanswered)]
        if places is None:
            rows += _rows(path, task, some, answers)
        else:
            _write_pictures(places[start:], task, answers)
    if places is None:
        _write_rows(path, rows)
    return failed


def answered(task, raws, progress):
    """The answer to each input, or what was wrong with it, some at a time.

    Args:
        task: As in `answer`.
        raws: As there.
        progress: As there.

    Yields:
        `(start, some, answers)`: where some of the inputs begin, those, and a
        list of dicts, as `predict` gives them; of an input that cannot be read,
        `Unanswered`.

    Raises:
        ValueError: If none can be read.
        OSError: The same.
    """
    first, known = None, False
    together = FEW_TOGETHER if hasattr(task.output, "image") else TOGETHER
    for start in range(0, len(raws), together):
        some = raws[start : start + together]
        try:
            found = task.predict(some)
        except (ValueError, OSError):
            found = []
            for raw in some:  # one of them; the others are answered
                try:
                    found += task.predict([raw])
                except (ValueError, OSError) as error:
                    first = first or error
                    found.append(Unanswered(error=str(error)))
        known = known or not all(isinstance(x, Unanswered) for x in found)
        progress(len(some))
        yield start, some, found
    if not known:
        raise first


def _write_pictures(places, task, answers):
    for place, each in zip(places, answers):
        if not isinstance(each, Unanswered):
            with replacing(place) as part:
                task.output.image(each).save(part, "png")


def _rows(path, task, raws, answers):
    """What is written of answers: dicts, or a line of text for each."""
    suffix = path.suffix.lower()
    if suffix == ".txt":
        return [_line(task, each) for each in answers]
    if suffix == ".csv":
        return table(task, raws, answers)
    return plain_answers(task, raws, answers)


def _write_rows(path, rows):
    suffix = path.suffix.lower()
    with replacing(path) as part:
        if suffix == ".csv":
            with part.open(
                "w", encoding="utf-8", errors="backslashreplace", newline=""
            ) as file:
                _write_table(file, rows)
            return
        if suffix == ".json":
            text = as_json(rows) + "\n"
        elif suffix == ".jsonl":
            text = "".join(f"{as_json(row, None)}\n" for row in rows)
        else:
            text = "".join(f"{row}\n" for row in rows)
        part.write_text(text, "utf-8")


def _line(task, answer):
    """The text of an answer on one line, whatever was said."""
    if isinstance(answer, Unanswered):
        return ""
    return " ".join(task.output.line(answer).splitlines())


def table(task, raws, answers):
    """Answers as rows: what was asked, then the answer, then what is noted.

    Args:
        task: A `zoo.task.Task`.
        raws: List of raw inputs.
        answers: List of dicts, as `answered` gives them.

    Returns:
        List of dicts from column to a string or a number. A column of the
        answer that has the name of one that was asked begins with
        `"predicted "`.
    """
    rows = []
    for raw, answer in zip(raws, answers):
        asked = _asked(task.input, raw)
        unknown = isinstance(answer, Unanswered)
        for cells in [answer] if unknown else task.output.cells(answer):
            row = dict(asked)
            for name, cell in _flat(cells):
                while name in row:
                    name = f"predicted {name}"
                row[name] = cell
            rows.append(row)
    return rows


def _asked(input, raw):
    if isinstance(raw, dict):
        return {name: _cell(value) for name, value in raw.items()}
    if isinstance(raw, tuple):
        # Of a question's candidates each has a row of its own.
        named = zip(input.columns_asked, raw)
        return {name: x for name, x in named if isinstance(x, str)}
    return {input.noun: _cell(raw)}


def _flat(cells):
    """Pairs of column and cell; what is noted of a part has its name."""
    for name, value in cells.items():
        if isinstance(value, dict):
            for key, cell in _flat(value):
                yield f"{name} {key}", cell
        else:
            yield name, _cell(value)


def _cell(value):
    if value is None:
        return ""
    if isinstance(value, bool) or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return float(f"{value:.7g}")  # what 32 bits tell
    if isinstance(value, (list, tuple)):
        deep = any(isinstance(x, (list, tuple)) for x in value)
        if all(isinstance(x, float) for x in value):
            return " ".join(map(repr, value))
        cells = [str(_cell(x)) for x in value]
        return ("; " if deep else ", ").join(cells) if any(cells) else ""
    return str(value)


def _write_table(file, rows):
    columns = list(dict.fromkeys(name for row in rows for name in row))
    # A quoted cell stays one cell, whatever a spreadsheet splits at.
    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(map(_harmless, columns))
    for row in rows:
        writer.writerow(_harmless(row.get(name, "")) for name in columns)


def _harmless(cell):
    if (
        isinstance(cell, str)
        and cell.startswith(FORMULA)
        and not NUMBER.fullmatch(cell)
    ):
        return f"'{cell}"
    return cell
