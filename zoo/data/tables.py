"""Tables: rows of numbers and words, some columns of which are to be answered.

A column holds numbers, or words of which each is a category. A cell that is
missing is a value of its own: NaN among numbers, "" among words.
"""

import csv
import dataclasses
import difflib
import hashlib
import io
import math
import numbers
import re

import numpy as np

from zoo.data import examples, folders, sources

# Licence class of the data sets that presets are trained on: A open,
# B non-commercial or research terms, C none stated.
LICENCES = {"adult": "A", "census_income_kdd": "A", "correlated_tasks": "A"}

# What a cell says where nothing is known, in any case.
MISSING = ("", "?", "na", "n/a", "nan", "null", "none")

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WITH_COMMAS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?|[+-]?\d+,\d+")
MOSTLY = 0.9  # from this share of numbers on, a word is a mistake
FEW = 20  # distinct numbers that can be classes


@dataclasses.dataclass
class TableData(examples.Examples):
    """Rows of a table, and which of its columns are to be answered.

    Args:
        columns: Dict from column to array `(N,)`: float64, NaN where missing,
            or strings (dtype object), "" where missing. The targets are among
            them.
        targets: List of strings, the columns to be answered; empty where that
            is not said yet.
        name: String. What the data is called.
        split: String. Which part of it this is.
        version: String or `None`. The data set's own version.
        place: String or `None`. Where the data were read from.
        skipped: Tuple of strings. Unused; rows are never skipped.
        lines: Integers `(N,)`, the line of each row in its file; or `None`.
    """

    licences = LICENCES

    columns: dict
    targets: list
    name: str = "rows"
    split: str = "all"
    version: str | None = None
    place: str | None = None
    skipped: tuple = ()
    lines: np.ndarray | None = None

    @property
    def fields(self):
        return ("columns",) if self.lines is None else ("columns", "lines")

    def __len__(self):
        return len(next(iter(self.columns.values()), ()))

    @property
    def strata(self):
        """The combination of the targets' classes, if none is rare.

        Of a target that is a number nothing is kept in proportion, nor of
        combinations of which one has less than ten rows: then the classes of
        the first target count, and else nothing.
        """
        classes = [
            np.unique(values, return_inverse=True)[1]
            for values in map(self.columns.get, self.targets)
            if values.dtype.kind == "O" or len(np.unique(values)) <= FEW
        ]
        for chosen in (classes, classes[:1]):
            if not chosen:
                continue
            rows = np.stack(chosen, axis=1)
            _, strata, sizes = np.unique(
                rows, axis=0, return_inverse=True, return_counts=True
            )
            if min(sizes) >= 10:
                return strata.reshape(-1)
        return None

    @property
    def how_cut(self):
        return "at random" if self.strata is None else "stratified"

    def found(self):
        said = []
        for name in self.targets:
            values = self.columns[name]
            if values.dtype.kind == "f" and len(np.unique(values)) > FEW:
                said.append(f"{name} {values.min():g} to {values.max():g}")
                continue
            counts = zip(*np.unique(values, return_counts=True))
            shown = [f"{shown_value(x)} {n:,}" for x, n in list(counts)[:20]]
            said.append(f"{name} ({', '.join(shown)})")
        return (
            f"{self.name}, {self.split}: {len(self):,} rows of "
            f"{len(self.columns)} columns"
            + (f", to answer {', '.join(said)}" if said else "")
        )

    def digest_targets(self):
        return b""  # columns like the others, whichever are to be answered

    def sha256(self):
        digest = hashlib.sha256(self.digest_targets())
        for name, values in self.columns.items():
            digest.update(f"\0{name}\0{values.dtype.kind}".encode())
            if values.dtype.kind == "f":
                digest.update(np.ascontiguousarray(values).tobytes())
            else:
                encoded = [text.encode() for text in values]
                digest.update(np.array(list(map(len, encoded))).tobytes())
                digest.update(b"".join(encoded))
        return digest.hexdigest()

    def where(self, place):
        """A row's place in words, its line if it was read from a file."""
        if self.lines is None:
            return f"at place {place}"
        return f"in line {self.lines[place]} of {self.place or self.name}"

    def answering(self, targets):
        """The same rows, with other columns to be answered.

        Args:
            targets: List of strings.

        Returns:
            `TableData`.

        Raises:
            ValueError: If a target is absent, named twice, or has a missing
                cell.
        """
        targets = list(targets)
        if len(set(targets)) < len(targets) or not targets:
            raise ValueError(
                "Targets must be columns, one at least, each named once. "
                f"Received: targets={targets}"
            )
        for name in targets:
            check_column(name, self.columns, f"the data {self.name!r}")
            values = self.columns[name]
            missing = (
                np.isnan(values) if values.dtype.kind == "f" else values == ""
            )
            if missing.any():
                place = int(missing.argmax())
                raise ValueError(
                    "A target must be known in every row. Received: "
                    f"{missing.sum():,} missing cells in the column {name!r}, "
                    f"the first {self.where(place)}"
                )
        return dataclasses.replace(self, targets=targets)


def load_tables(
    source="correlated_tasks", split="train", targets=None, kinds=None
):
    """Finds rows of a table and the columns to be answered.

    Args:
        source: `"correlated_tasks"`, two numbers that depend on the same ones,
            made here by rule; `"adult"` or `"census_income_kdd"`, whose files
            are downloaded by hand; a `.csv` file that names its columns in the
            first line, or a folder with `train.csv` and `test.csv` (or
            `validation.csv`); a dict from column to values, a list of dicts, or
            a `pandas.DataFrame`; or a `TableData`, returned as it is, but for
            `targets`. Files are in UTF-8. A cell is missing that is empty or
            one of `MISSING`. How a name is told from a place says
            `zoo.data.sources.place`.
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
    found = _found(source, split, kinds or {})
    if isinstance(targets, str):
        targets = [name.strip() for name in targets.split(",")]
    if targets is None:
        return found
    return found.answering(targets)


def check_column(name, columns, where):
    """Raises unless there is a column of that name.

    Args:
        name: String.
        columns: The names that there are.
        where: String. What has them, for the error.

    Raises:
        ValueError: If there is none; near ones are listed.
    """
    if name not in columns:
        near = difflib.get_close_matches(str(name), list(columns), n=3)
        raise ValueError(
            f"There must be a column {name!r} in {where}. Received: columns "
            f"{list(columns)[:50]}" + (f"; near: {near}" if near else "")
        )


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
    if isinstance(cell, numbers.Real) and not isinstance(cell, bool):
        if math.isfinite(cell):
            return float(cell)
    elif isinstance(cell, str) and NUMBER.fullmatch(cell.strip()):
        return float(cell)
    raise ValueError(
        "A number must be finite, written with digits and a point, without "
        f"commas. Received: {cell!r}"
    )


def category(cell):
    """A cell as a word, "" where it is missing."""
    if is_missing(cell):
        return ""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, numbers.Real) and not isinstance(cell, bool):
        return shown_value(cell)
    return str(cell)


def is_missing(cell):
    """Whether a cell says that nothing is known."""
    if isinstance(cell, str):
        return cell.strip().lower() in MISSING
    return cell is None or (isinstance(cell, numbers.Real) and cell != cell)


def shown_value(value):
    """A value as a word: whole numbers without a point."""
    if isinstance(value, numbers.Real) and float(value).is_integer():
        return str(int(value))
    return str(value)


def read_csv(path, text=None):
    """The cells of a CSV file that names its columns in the first line.

    Args:
        path: `pathlib.Path`.
        text: String, what is in it; `None` reads it.

    Returns:
        `(columns, lines)`: a dict from column to a list of strings, and a list
        of the number of each row's line.

    Raises:
        ValueError: If the file is malformed; file and line are told.
    """
    text = examples.read_file(path) if text is None else text
    table = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, lines = [], []
    limit = csv.field_size_limit(2**31 - 1)
    try:
        header = [name.strip() for name in next(table, [])]
        twice = sorted({name for name in header if header.count(name) > 1})
        if not header or "" in header or twice:
            raise ValueError(
                "The first line of a table must name each column, no two "
                f"alike. Received: {twice or header} in {path}, line 1"
            )
        for row in filter(None, table):
            if len(row) != len(header):
                raise ValueError(
                    f"Each line must hold {len(header)} columns; a cell with "
                    f"commas or line breaks needs quotes. Received: {len(row)} "
                    f"columns in {path}, line {table.line_num}: "
                    f"{','.join(row)[:50]!r}"
                )
            rows.append(row)
            lines.append(table.line_num)
    except csv.Error as error:
        raise ValueError(
            "A table must be a CSV file as Python's `csv` reads it. "
            f"Received: {path}, line {table.line_num}: {error}"
        ) from error
    finally:
        csv.field_size_limit(limit)
    if not rows:
        raise ValueError(
            f"A table must have a row at least. Received: none in {path}"
        )
    return dict(zip(header, map(list, zip(*rows)))), lines


def _found(source, split, kinds):
    if isinstance(source, TableData):
        return source
    if hasattr(source, "columns") and hasattr(source, "to_dict"):
        source = {str(name): list(source[name]) for name in source.columns}
    if isinstance(source, (list, tuple)):
        source = _columns_of(source)
    if isinstance(source, dict):
        return _typed(source, kinds, "rows")
    path = sources.place(source, LICENCES)
    if path is not None:
        found = _from_place(path, split, kinds)
        return dataclasses.replace(found, place=sources.shown(path))
    if source == "correlated_tasks":
        from zoo.data.correlated_tasks import correlated_tasks

        count, draw = {"train": (10_000, 0), "test": (2_000, 1)}[split]
        return correlated_tasks(count, draw=draw)
    return _from_tensorflow_datasets(source, split)


def _columns_of(rows):
    """A list of dicts as a dict of lists."""
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise ValueError(
            "Rows must be dicts from column to value, one at least. "
            f"Received: {type(rows).__name__} of {len(rows)}"
        )
    for place, row in enumerate(rows):
        if row.keys() != rows[0].keys():
            other = sorted(map(str, row.keys() ^ rows[0].keys()))
            raise ValueError(
                "All rows must have the same columns. "
                f"Received: {other} not in both, at place {place}"
            )
    return {name: [row[name] for row in rows] for name in rows[0]}


def _from_place(path, split, kinds):
    if path.is_file():
        whole = _from_csv(path, kinds)
        # What is to be answered may not be said yet: drawn from all rows.
        return examples.cut(whole, split)
    part = folders.part_of_folder(path, split, ".csv")
    if part is None:
        raise ValueError(
            "A folder of tables must hold `train.csv` and `test.csv` (or "
            f"`validation.csv`). Received: {path}"
        )
    found = _from_csv(part, kinds)
    return dataclasses.replace(found, name=path.name, split=part.stem)


def _from_csv(path, kinds):
    columns, lines = read_csv(path)
    return _typed(columns, kinds, path.stem, np.array(lines), str(path))


def _typed(columns, kinds, name, lines=None, place=None):
    """Columns of any cells as those of a `TableData`."""
    lengths = {key: len(values) for key, values in columns.items()}
    if len(set(lengths.values())) != 1 or not next(iter(lengths.values())):
        raise ValueError(
            "Columns must be of one length, with a row at least. "
            f"Received: lengths {lengths}"
        )
    for key, kind in kinds.items():
        check_column(key, columns, f"the data {name!r}")
        if kind not in ("number", "category"):
            raise ValueError(
                '`kinds` must say "number" or "category". '
                f"Received: kinds[{key!r}]={kind!r}"
            )
    data = TableData({}, [], name, place=place, lines=lines)
    for key, values in columns.items():
        if not isinstance(key, str):
            raise ValueError(
                f"A column's name must be a string. Received: {key!r}"
            )
        data.columns[key] = _column(data, key, list(values), kinds.get(key))
    return data


def _column(data, name, cells, kind):
    cells = [x.item() if isinstance(x, np.generic) else x for x in cells]
    known = [(place, x) for place, x in enumerate(cells) if not is_missing(x)]
    wrong = [(place, x) for place, x in known if not _is_number(x)]
    if kind is None:
        kind = "category" if wrong or not known else "number"
        commas = [(place, x) for place, x in wrong if _has_commas(x)]
        if commas and len(commas) == len(wrong):
            raise _refused(
                data, name, commas[0], "without commas: 1234.5 for 1,234.5"
            )
        if wrong and len(wrong) < (1 - MOSTLY) * len(known):
            raise _refused(data, name, wrong[0], "as most of its column are")
    if kind == "number":
        if wrong:
            raise _refused(data, name, wrong[0], "as `kinds` says")
        return np.array([number(x) for x in cells], "float64")
    return np.array([category(x) for x in cells], "object")


def _is_number(cell):
    try:
        number(cell)
    except ValueError:
        return False
    return True


def _has_commas(cell):
    return isinstance(cell, str) and bool(_WITH_COMMAS.fullmatch(cell.strip()))


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
                words = [category(x.decode()) for x in values.tolist()]
                columns[column] = np.array(words, "object")
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
