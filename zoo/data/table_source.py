"""Tables of your own: which file or frame, and what its columns are called."""

import dataclasses
import difflib
import numbers
import os

from zoo.data.table_files import (
    checked_delimiter,
    checked_encoding,
    read_sheet,
)

# What a card keeps of how a table is read, where it was said.
OPTIONS = ("columns", "delimiter", "encoding")


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of your own, for wherever `data` are taken.

    A plain path to a `.csv` or `.tsv` file, and a `pandas.DataFrame`, need no
    `Table` where the columns have the names that the task gives them; upper and
    lower case, and white space, may differ.

    Args:
        source: Path of a file, or of a folder with a table `train` and a table
            `test` (or `validation`); or a `pandas.DataFrame`, a dict from
            column to values, or a list of dicts. The index of a frame is not
            read.
        columns: Dict from what the task calls a column to the table's own name
            for it, such as `{"text": "review", "label": "stars"}`, for those
            that have another.
        delimiter: String of one character, or `"tab"`; what stands between the
            columns of a file. `None` tells commas, tabs, semicolons and bars
            apart, and asks where that is not certain.
        encoding: String. The encoding of a file; `None` reads UTF-8, and UTF-16
            and UTF-32 with a byte order mark.

    Raises:
        ValueError: If an argument is none of the above.

    Example:

    >>> from zoo.data.texts import load_texts
    >>> rows = {"review": ["good", "bad"], "stars": [5, 1]}
    >>> table = Table(rows, columns={"text": "review", "label": "stars"})
    >>> load_texts(table).label_names
    ['1', '5']
    """

    source: object
    columns: dict | None = None
    delimiter: str | None = None
    encoding: str | None = None

    def __post_init__(self):
        if not self.in_memory and not isinstance(
            self.source, (str, os.PathLike)
        ):
            raise ValueError(
                "The `source` of a table must be a path, a frame such as "
                "pandas', a dict of columns or a list of dicts. Received: "
                f"source of type {type(self.source).__name__}"
            )
        if self.columns is not None and not (
            isinstance(self.columns, dict)
            and self.columns
            and all(
                isinstance(name, str) and name.strip()
                for pair in self.columns.items()
                for name in pair
            )
        ):
            raise ValueError(
                "`columns` must be a dict from what the task calls a column to "
                'the name that it has, such as {"text": "review"}. '
                f"Received: columns={self.columns!r}"
            )
        if self.in_memory and (self.delimiter or self.encoding):
            raise ValueError(
                "`delimiter` and `encoding` are for files. Received: "
                f"delimiter={self.delimiter!r}, encoding={self.encoding!r}, "
                f"and source of type {type(self.source).__name__}"
            )
        if self.delimiter is not None:
            found = checked_delimiter(self.delimiter)
            object.__setattr__(self, "delimiter", found)
        if self.encoding is not None:
            checked_encoding(self.encoding)

    @property
    def in_memory(self):
        """Whether the source is no path."""
        return is_frame(self.source) or isinstance(self.source, (dict, list))

    def asked(self):
        """Those of `OPTIONS` that are given, a dict."""
        given = {name: getattr(self, name) for name in OPTIONS}
        return {name: x for name, x in given.items() if x is not None}


@dataclasses.dataclass(frozen=True)
class Reading:
    """How a table was read.

    Args:
        asked: Dict. What was asked of its file, as `Table.asked` gives it.
        notes: Tuple of strings. What is to be said of it.
    """

    asked: dict
    notes: tuple

    def words(self):
        """The notes for the end of a line, "" where there are none."""
        return "".join(f"; {note}" for note in self.notes)


@dataclasses.dataclass(frozen=True)
class Rows:
    """The cells of some columns of a table.

    Args:
        roles: Tuple of strings, what the task calls the columns.
        rows: List of `(where, cells)`: words for an error, and the row's cells
            in that order, none of them missing.
        named: Dict from role to the column's own name.
        place: String, where the table is, for errors.
        name: String, what it is called; or `None`.
        reading: `Reading`.
    """

    roles: tuple
    rows: list
    named: dict
    place: str
    name: str | None
    reading: Reading

    def cells(self, role):
        """The cells of one column, a list."""
        place = self.roles.index(role)
        return [cells[place] for _, cells in self.rows]

    def told(self):
        """What data say of their table: their name, and how it was read."""
        name = {} if self.name is None else {"name": self.name}
        return {**name, "reading": self.reading}

    def about(self, role):
        """A column in words, for errors."""
        return f"{role}s in the column {self.named[role]!r} of {self.place}"


def is_frame(source):
    """Whether it is a frame, such as `pandas.DataFrame`."""
    return hasattr(source, "columns") and hasattr(source, "to_dict")


def as_table(source):
    """A `Table` or a frame as a `Table`; anything else gives `None`."""
    if is_frame(source):
        return Table(source)
    return source if isinstance(source, Table) else None


def is_nothing(cell):
    """Whether a cell is `None`, NaN, or what pandas has for a missing one."""
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(cell, numbers.Real) and bool(cell != cell)


def read_rows(table, kind, *choices):
    """The cells of the columns that a task reads.

    Args:
        table: `Table` of a file or in memory.
        kind: String. What the rows are, in the plural, for errors.
        *choices: Tuples of strings: the columns that a task reads. The first
            tuple counts whose columns are all there.

    Returns:
        `Rows`. Strings of the column `label` or `answer` are without the white
        space around them.

    Raises:
        ValueError: If the table is malformed, columns are absent or there are
            no rows, or a cell is missing or blank; file and line are told.
    """
    named = table.columns or {}
    wanted = [each for each in choices if named.keys() <= set(each)]
    if not wanted:
        known = " or ".join(", ".join(each) for each in choices)
        raise ValueError(
            f"`columns`, in a shell --NAME-column, must be among those of "
            f"{kind}: {known}. Received: columns={named!r}"
        )

    own_names = [
        {role: named.get(role, role) for role in roles} for roles in wanted
    ]

    def found(header):
        """What is read of a table of that header, `None` if it lacks some."""
        for names in own_names:
            if all(_places(name, header) for name in names.values()):
                return names
        return None

    def check(header):
        if found(header) is None:
            raise _absent(own_names, header, table)

    if table.in_memory:
        columns = columns_of(table.source)
        header, notes, asked = list(columns), (), {}
        check(header)
        cells = list(map(list, zip(*columns.values())))
        where = [f"at place {row}" for row in range(len(cells))]
    else:
        sheet = read_sheet(
            table.source,
            table.delimiter,
            table.encoding,
            holds=found,
            check=check,
        )
        header, cells = sheet.header, sheet.rows
        notes, asked = sheet.notes(), table.asked()
        where = [f"in {table.source}, line {line}" for line in sheet.lines]
    names = found(header)
    chosen = {
        role: _only(name, header, _first_line(table))
        for role, name in names.items()
    }
    if len(set(chosen.values())) < len(chosen):
        raise ValueError(
            "Each column must be another one. Received: "
            f"columns={names} of {_first_line(table)}"
        )
    if not cells:
        raise ValueError(
            "A table must have a row at least, below the names of its "
            f"columns. Received: none in {_place(table)}"
        )
    own = {role: header[at] for role, at in chosen.items()}
    rows = [
        (at, [_filled(row[chosen[role]], role, own[role], at) for role in own])
        for at, row in zip(where, cells)
    ]
    if others := [f"{k} is {v!r}" for k, v in own.items() if k != v]:
        notes = (*notes, ", ".join(others))
    name = None if table.in_memory else table.source.stem
    reading = Reading(asked, notes)
    return Rows(tuple(own), rows, own, _place(table), name, reading)


def columns_of(source):
    """The columns of a table in memory.

    Args:
        source: Frame, dict from column to values, or list of dicts.

    Returns:
        Dict from column to a list of cells.

    Raises:
        ValueError: If it is none of those, names are blank or not distinct, or
            columns differ in length or have no row.
    """
    if is_frame(source):
        names = list(map(str, source.columns))
        if len(set(names)) < len(names):
            raise ValueError(
                f"No two columns may have one name. Received: {names}"
            )
        source = dict(zip(names, (list(source[x]) for x in source.columns)))
    if isinstance(source, (list, tuple)):
        source = _of_rows(source)
    for key, values in source.items():
        if not isinstance(key, str) or not key.strip():
            raise ValueError(
                "A column's name must be a string that is not blank. "
                f"Received: {key!r}"
            )
        if (
            isinstance(values, (str, bytes, dict))
            or not hasattr(values, "__len__")
            or getattr(values, "ndim", 1) != 1
        ):
            raise ValueError(
                "A column must be a list or an array of one axis, with a cell "
                f"for each row. Received: {repr(values)[:50]} as {key!r}"
            )
    lengths = {key: len(values) for key, values in source.items()}
    if len(set(lengths.values())) != 1 or not next(iter(lengths.values())):
        raise ValueError(
            "Columns must be of one length, with a row at least. "
            f"Received: lengths {lengths}"
        )
    return {key: list(values) for key, values in source.items()}


def _of_rows(rows):
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


def _place(table):
    if table.in_memory:
        return f"the {type(table.source).__name__}"
    return str(table.source)


def _first_line(table):
    return _place(table) + ("" if table.in_memory else ", line 1")


def _plain(name):
    """A name without case and white space."""
    return "".join(name.casefold().split())


def _places(name, header):
    """Where a column of that name is, or else one that is written alike."""
    exact = [at for at, other in enumerate(header) if other == name.strip()]
    return exact or [
        at for at, other in enumerate(header) if _plain(other) == _plain(name)
    ]


def _only(name, header, place):
    found = _places(name, header)
    if len(found) > 1:
        raise ValueError(
            f"There must be one column `{name}`. Received: "
            f"{[header[at] for at in found]} in {place}"
        )
    return found[0]


def _absent(wanted, header, table):
    """The error of a table without the columns that are `wanted`."""

    def listed(names):
        shown = [
            f"`{name}`" if name == role else f"`{name}` (the {role})"
            for role, name in names.items()
        ]
        return f"{', '.join(shown[:-1])} and {shown[-1]}"

    names = min(
        wanted, key=lambda names: sum(not _places(x, header) for x in names)
    )
    absent = [role for role, name in names.items() if not _places(name, header)]
    plain = {_plain(name): name for name in header}
    near = {
        names[role]: [plain[each] for each in found]
        for role in absent
        if (found := difflib.get_close_matches(_plain(names[role]), plain, 3))
    }
    more = f"; near: {near}" if near else ""
    what = "A table must have"
    if not table.in_memory:
        what = "The first line of a table must name"
        if len(header) == 1:
            more = "; `delimiter` names what stands between columns"
    options = ", ".join(f"--{role}-column" for role in absent)
    return ValueError(
        f"{what} the columns {', or '.join(map(listed, wanted))}; where they "
        "have other names, say so by zoo.Table(..., columns="
        f'{{"{absent[0]}": ...}}), in a shell {options}. '
        f"Received: {header[:50]} in {_first_line(table)}{more}"
    )


def _filled(cell, role, name, where):
    """A cell that is not missing, without the white space around a label."""
    if is_nothing(cell) or isinstance(cell, str) and not cell.strip():
        what = role if role == name else f"{role} (the column {name!r})"
        raise ValueError(
            "The columns that are read must not have empty cells. "
            f"Received: an empty {what} {where}"
        )
    if isinstance(cell, str) and role in ("label", "answer"):
        return cell.strip()
    return cell
