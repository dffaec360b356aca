"""Tables: rows of numbers and words, some columns of which are to be answered.

A column holds numbers, or words of which each is a category. A cell that is
missing is a value of its own: NaN among numbers, "" among words.
"""

import dataclasses
import math
import numbers
import re

import numpy as np

from zoo.data import examples, labelled, sources
from zoo.data.table_data import (
    LICENCES,
    TableData,
    check_column,
    shown_value,
)
from zoo.data.table_files import read_sheet
from zoo.data.table_source import (
    Reading,
    Table,
    as_table,
    columns_of,
    is_frame,
    is_nothing,
)

# What a cell says where nothing is known, in any case.
MISSING = ("", "?", "na", "n/a", "nan", "null", "none")

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WITH_COMMAS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?|[+-]?\d+,\d+")
MOSTLY = 0.9  # from this share of numbers on, a word is a mistake


def load_tables(
    source="correlated_tasks", split="train", targets=None, kinds=None
):
    """Finds rows of a table and the columns to be answered.

    Args:
        source: `"correlated_tasks"`, two numbers that depend on the same ones,
            made here by rule; `"adult"` or `"census_income_kdd"`, whose files
            are downloaded by hand; a `.csv` or `.tsv` file that names its
            columns in the first line, or a folder with such files `train` and
            `test` (or `validation`); a dict from column to values, a list of
            dicts, or a `pandas.DataFrame`; a `zoo.Table` of one of those; or a
            `TableData`, returned as it is, but for `targets`. A cell is missing
            that is empty or one of `MISSING`. How a name is told from a place
            says `zoo.data.sources.place`.
        split: `"train"` or `"test"`. A set that comes in one part is cut, 80
            to 20, the same way every time.
        targets: List of columns to be answered, or a string with commas;
            `None` takes those of a known set, and of other data none.
        kinds: Dict from column to `"number"` or `"category"`, for those that
            are not what they look like: a column whose cells are all numbers
            is one of numbers.

    Returns:
        `TableData`.

    Raises:
        ValueError: If nothing of that name is known, a table is malformed, or
            a target is absent or has a missing cell.
        FileNotFoundError: If there is no such file or folder.
    """
    examples.check_split(split)
    if isinstance(targets, str):
        targets = [name.strip() for name in targets.split(",")]
    found = _found(source, split, kinds or {}, targets or ())
    if targets is None:
        return found
    return found.answering(targets)


def number(cell):
    """A cell as a number.

    Args:
        cell: Number, string or `None`.

    Returns:
        Float, NaN where it is missing.

    Raises:
        ValueError: If it is no finite number.
    """
    if is_missing(cell):
        return math.nan
    is_number = (
        NUMBER.fullmatch(cell.strip())
        if isinstance(cell, str)
        else isinstance(cell, numbers.Real) and not isinstance(cell, bool)
    )
    if is_number and not _is_infinite(cell):
        return float(cell)
    raise ValueError(
        "A number must be finite, written with digits and a point, without "
        f"commas. Received: {repr(cell)[:50]}"
    )


def category(cell):
    """A cell as a word.

    Args:
        cell: Number, string, boolean or `None`.

    Returns:
        String, "" where it is missing; of a whole number one without a point.

    Raises:
        ValueError: If it is anything else.
    """
    if is_missing(cell):
        return ""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, (bool, np.bool_)):
        return str(bool(cell))
    if isinstance(cell, numbers.Real):
        return shown_value(cell)
    raise ValueError(
        "A cell must be a number, a word, or None where nothing is known. "
        f"Received: {repr(cell)[:50]} of type {type(cell).__name__}"
    )


def is_missing(cell):
    """Whether a cell says that nothing is known."""
    if isinstance(cell, str):
        return cell.strip().lower() in MISSING
    return is_nothing(cell)


def read_cells(path, delimiter=None, encoding=None, content=None, wanted=()):
    """The cells of a table file that names all its columns.

    Args:
        path: `pathlib.Path`; for errors only, where `content` is given.
        delimiter: As in `zoo.data.table_files.read_sheet`.
        encoding: As there.
        content: As there.
        wanted: Names of columns by which the delimiter is told.

    Returns:
        `(columns, lines, notes)`: a dict from column to a list of strings, a
        list of the number of each row's line, and words for what is no comma or
        no UTF-8.

    Raises:
        ValueError: If the file is malformed; file and line are told.
    """

    def check(header):
        twice = sorted({name for name in header if header.count(name) > 1})
        if not header or "" in header or twice:
            raise ValueError(
                "The first line of a table must name each column, no two "
                f"alike. Received: {twice or header} in {path}, line 1"
            )

    sheet = read_sheet(
        path,
        delimiter,
        encoding,
        content,
        (lambda header: set(wanted) <= set(header)) if wanted else None,
        check,
    )
    if not sheet.rows:
        raise ValueError(
            f"A table must have a row at least. Received: none in {path}"
        )
    columns = dict(zip(sheet.header, map(list, zip(*sheet.rows))))
    return columns, sheet.lines, sheet.notes()


def _found(source, split, kinds, targets):
    if isinstance(source, TableData):
        _check_no_kinds(kinds, source.name)
        return source
    table = as_table(source)
    if table is not None and table.columns is not None:
        raise ValueError(
            "Rows have no fixed columns: those to be answered are `targets`, "
            f"in a shell --targets. Received: columns={table.columns!r}"
        )
    if table is not None and table.in_memory:
        source = table.source
    if is_frame(source) or isinstance(source, (dict, list, tuple)):
        return _typed(columns_of(source), kinds, "rows")
    path = labelled.place_of(table or source, LICENCES)
    if path is not None:
        found = labelled.part_of_tables(
            table or Table(path),
            path,
            split,
            lambda each: _from_csv(each, kinds, targets),
            "tables",
        )
        return dataclasses.replace(found, place=sources.shown(path))
    _check_no_kinds(kinds, source)
    if source == "correlated_tasks":
        from zoo.data.correlated_tasks import correlated_tasks

        count, draw = {"train": (10_000, 0), "test": (2_000, 1)}[split]
        return correlated_tasks(count, draw=draw)
    return _from_tensorflow_datasets(source, split)


def _check_no_kinds(kinds, name):
    if kinds:
        raise ValueError(
            "`kinds` is for files and for columns of your own; those of "
            f"{name!r} are known. Received: kinds={kinds!r}"
        )


def _from_csv(table, kinds, wanted):
    columns, lines, notes = read_cells(
        table.source, table.delimiter, table.encoding, wanted=wanted
    )
    name, file = table.source.stem, str(table.source)
    data = _typed(columns, kinds, name, np.array(lines), file)
    return dataclasses.replace(data, reading=Reading(table.asked(), notes))


def _typed(columns, kinds, name, lines=None, file=None):
    """Columns of any cells as those of a `TableData`."""
    for key, kind in kinds.items():
        check_column(key, columns, f"the data {name!r}")
        if kind not in ("number", "category"):
            raise ValueError(
                '`kinds` must say "number" or "category". '
                f"Received: kinds[{key!r}]={kind!r}"
            )
    data = TableData({}, [], name, lines=lines, file=file)
    for key, values in columns.items():
        data.columns[key] = _column(data, key, list(values), kinds.get(key))
    return data


def _column(data, name, cells, kind):
    cells = [x.item() if isinstance(x, np.generic) else x for x in cells]
    known = [(place, x) for place, x in enumerate(cells) if not is_missing(x)]
    wrong = [(place, x) for place, x in known if not is_number(x)]
    if kind is None:
        kind = "category" if wrong or not known else "number"
        meant = [x for x in wrong if _has_commas(x[1]) or _is_infinite(x[1])]
        words = len(wrong) - len(meant)
        if meant and words < (1 - MOSTLY) * len(known):
            why = "such as 1234.5"
            if _has_commas(meant[0][1]):
                why = "without commas: 1234.5 for 1,234.5"
            raise _refused(data, name, meant[0], why)
        if wrong and len(wrong) < (1 - MOSTLY) * len(known):
            raise _refused(data, name, wrong[0], "as most of its column are")
    if kind == "number":
        if wrong:
            raise _refused(data, name, wrong[0], "as `kinds` says")
        return np.array([number(x) for x in cells], "float64")
    words = np.empty(len(cells), "object")
    for place, cell in enumerate(cells):
        try:
            words[place] = category(cell)
        except ValueError as error:
            raise ValueError(
                f"{error} in the column {name!r}, {data.where(place)}"
            ) from error
    return words


def is_number(cell):
    """Whether a cell is a finite number, or missing."""
    try:
        number(cell)
    except ValueError:
        return False
    return True


def _has_commas(cell):
    return isinstance(cell, str) and bool(_WITH_COMMAS.fullmatch(cell.strip()))


def _is_infinite(cell):
    try:
        return math.isinf(float(cell))
    except OverflowError:  # an integer beyond all floats
        return True
    except (TypeError, ValueError):
        return False


def _refused(data, name, wrong, why):
    place, cell = wrong
    return ValueError(
        f"The cell must be a finite number, {why}; a column of words is "
        f'declared by kinds={{{name!r}: "category"}}. Received: '
        f"{str(cell)[:50]!r} in the column {name!r}, {data.where(place)}"
    )


def _from_tensorflow_datasets(name, split):
    if name not in ("adult", "census_income_kdd"):
        raise ValueError(
            '`data` must be "correlated_tasks", "adult", "census_income_kdd", '
            "a .csv file, a folder of them, a dict of columns or a list of "
            f"dicts. Received: data={str(name)!r}, no such file or folder"
            f"{sources.near(name, LICENCES)}"
        )
    examples.tensorflow_datasets(name)
    from zoo.data import adult, census_income_kdd

    module = {"adult": adult, "census_income_kdd": census_income_kdd}[name]
    builder = module.BUILDER()

    def read(part):
        batches = list(
            builder.as_dataset(split=part).batch(8192).as_numpy_iterator()
        )
        columns = {}
        for column, kind in module.COLUMNS.items():
            values = np.concatenate([batch[column] for batch in batches])
            if kind is str:
                cells = values.tolist()
                words = {x: category(x.decode()) for x in set(cells)}
                columns[column] = np.array([words[x] for x in cells], "object")
            else:
                columns[column] = values.astype("float64")
        return TableData(
            columns,
            list(module.TARGETS),
            name,
            part,
            str(builder.info.version),
        )

    builder.download_and_prepare()
    (only,) = builder.info.splits
    return examples.cut(read(only), split)
