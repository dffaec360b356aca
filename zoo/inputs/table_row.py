"""A row of a table as the input of a task."""

import json
import math
import pathlib
import sys
import warnings

import numpy as np

from zoo.cards import PresetError, is_finite, shown
from zoo.data import tables
from zoo.data.table_data import fits_32_bits, spread
from zoo.inputs.safe_names import safe_names

ABSENT, UNSEEN = 0, 1  # ids of a category that is missing, or not known
FIRST = 2
LEAST, MOST = 2, 1000  # rows that hold a category, and categories of a column
LONGEST = 1000  # letters of a category
MOSTLY = 0.5  # from this share of columns on, a reader is warned
KINDS = ("number", "category")
FINE = 1e-3  # of a deviation, what a served number may be rounded by
# The white space that `str.strip` removes; TensorFlow's `strip` knows less.
SPACE = r"[\t-\r\x1c-\x1f\x{85}\pZ]+"


class TableRow:
    """A row of a table, a dict from column to a number or a word.

    `None`, and what `zoo.data.tables.MISSING` lists, is a value that is not
    known. The columns are those of the training data; others, such as the
    targets, are left alone. Several rows are a list of dicts. Numbers are
    standardised with the training data's mean and deviation; what is missing,
    and a category that the training data lack, are values of their own.

    An answer says of a row, beside what the task answers, `missing`, the
    columns of which nothing is known, and `unseen`, those with a category that
    is not known.

    Args:
        columns: List of dicts, one for each column: `name` and `kind`; of a
            `"number"` also `mean` and `deviation`, of a `"category"` also
            `values`, a list of strings.
    """

    noun = "row"
    asked = "FILE.csv"
    columns_asked = ()  # it reads tables by itself
    suffixes = ()
    roles = ("columns",)
    flags = ()
    choices = {}

    def __init__(self, columns):
        self.columns = columns
        self.numbers = [x for x in columns if x["kind"] == "number"]
        self.categories = [x for x in columns if x["kind"] == "category"]
        self.ids = {
            column["name"]: {
                "": ABSENT,
                **{x: i for i, x in enumerate(column["values"], FIRST)},
            }
            for column in self.categories
        }

    @classmethod
    def learn(cls, data, recipe):
        columns = []
        for name, values in data.columns.items():
            if name in data.targets:
                continue
            column = {"name": name, "kind": "category"}
            if values.dtype.kind == "f":
                known = values[~np.isnan(values)]
                column["kind"] = "number"
                mean, deviation = 0.0, 0.0
                try:
                    if len(known):
                        mean, deviation = spread(known)
                except ValueError as error:
                    raise ValueError(
                        f"{error} in the column {name!r}"
                    ) from error
                column["mean"], column["deviation"] = mean, deviation or 1.0
            else:
                found, counts = np.unique(values, return_counts=True)
                order = np.argsort(-counts, kind="stable")
                column["values"] = [
                    found[place]
                    for place in order
                    if 0 < len(found[place]) <= LONGEST
                    and counts[place] >= LEAST
                ][:MOST]
            columns.append(column)
        if not columns:
            raise ValueError(
                "A table must have a column beside its targets, to answer "
                f"from. Received: columns {list(data.columns)}, targets "
                f"{list(data.targets)}"
            )
        return cls(columns)

    @classmethod
    def from_card(cls, settings, assets):
        columns = assets["columns"]
        if not isinstance(columns, list) or not columns:
            raise _wrong(columns)
        for column in columns:
            if not isinstance(column, dict) or column.get("kind") not in KINDS:
                raise _wrong(column)
            own = {
                "number": {"name", "kind", "mean", "deviation"},
                "category": {"name", "kind", "values"},
            }[column["kind"]]
            if set(column) != own or not _is_word(column["name"]):
                raise _wrong(column)
            if column["kind"] == "number":
                numbers = column["mean"], column["deviation"]
                if not all(map(is_finite, numbers)) or numbers[1] <= 0:
                    raise _wrong(column)
            elif (
                not isinstance(column["values"], list)
                or not all(map(_is_word, column["values"]))
                or len(set(column["values"])) < len(column["values"])
            ):
                raise _wrong(column)
        names = [column["name"] for column in columns]
        if len(set(names)) < len(names):
            raise _wrong(names)
        return cls(columns)

    def settings(self):
        return {}

    def assets(self):
        return {"columns": self.columns}

    def sizes(self):
        return {
            "num_numbers": 2 * len(self.numbers),
            "category_sizes": [
                FIRST + len(column["values"]) for column in self.categories
            ],
        }

    def tensors(self):
        shapes = {
            "numbers": ((2 * len(self.numbers),), "float32"),
            "categories": ((len(self.categories),), "int32"),
        }
        return {name: x for name, x in shapes.items() if x[0][0]}

    def several(self, raw):
        several = isinstance(raw, (list, tuple))
        raws = list(raw) if several else [raw]
        for place, row in enumerate(raws):
            if not isinstance(row, dict):
                raise ValueError(
                    "A row must be a dict from column to a number or a word; "
                    "several are a list of dicts. "
                    f"Received: {repr(row)[:60]} at place {place}"
                )
            for column in self.columns:
                name = column["name"]
                tables.check_column(name, row, f"the row at place {place}")
                self._cell(column, row[name], f"at place {place}")
        return several, raws

    def arrays(self, raws):
        """What the network reads: `raws` may be a dict of columns, too."""
        count = (
            len(next(iter(raws.values())))
            if isinstance(raws, dict)
            else len(raws)
        )
        standard = np.zeros((count, len(self.numbers)), "float32")
        missing = np.zeros((count, len(self.numbers)), "float32")
        for place, column in enumerate(self.numbers):
            values = self._values(column, raws)
            absent = np.isnan(values)
            scaled = (values - column["mean"]) / column["deviation"]
            standard[:, place] = np.where(absent, 0, scaled)
            missing[:, place] = absent
        ids = np.zeros((count, len(self.categories)), "int32")
        for place, column in enumerate(self.categories):
            known = self.ids[column["name"]]
            values = self._values(column, raws)
            ids[:, place] = [known.get(value, UNSEEN) for value in values]
        found = {
            "numbers": np.concatenate([standard, missing], axis=1),
            "categories": ids,
        }
        return {name: found[name] for name in self.tensors()}

    def reader(self, data, augment=(), seed=0):
        if augment:
            raise ValueError(
                "Rows of tables are not augmented; leave `augment` empty. "
                f"Received: augment={list(augment)!r}"
            )
        self.check(data)
        arrays = self.arrays(data.columns)
        return lambda indices, epoch, place: {
            name: array[indices] for name, array in arrays.items()
        }

    def check(self, data):
        """Raises ValueError unless data have the columns, of their kinds."""
        for column in self.columns:
            name, kind = column["name"], column["kind"]
            tables.check_column(name, data.columns, f"the data {data.name!r}")
            values = data.columns[name]
            if kind == "category" and values.dtype.kind == "f":
                # Digits can be words, but of a number "07" has become "7".
                lost = [
                    word
                    for word in column["values"]
                    if tables.NUMBER.fullmatch(word)
                    and tables.category(tables.number(word)) != word
                ]
                if lost:
                    raise ValueError(
                        f"The column {name!r} holds words of digits such as "
                        f"{lost[0]!r}, which numbers cannot tell; declare it "
                        f'by kinds={{{name!r}: "category"}}. Received: numbers '
                        f"in the data {data.name!r}"
                    )
            if kind == "number" and values.dtype.kind != "f":
                wrong = [
                    (place, value)
                    for place, value in enumerate(values)
                    if not _reads(tables.number, value)
                ]
                if wrong:
                    place, value = wrong[0]
                    raise ValueError(
                        f"The column {name!r} must hold numbers, as in "
                        f"training. Received: {value[:50]!r} "
                        f"{data.where(place)}"
                    )

    def notes(self, raws, maps):
        notes = []
        for row in raws:
            missing, unseen = [], []
            for column in self.columns:
                name = column["name"]
                if tables.is_missing(row[name]):
                    missing.append(name)
                elif column["kind"] == "category":
                    value = tables.category(row[name])
                    if value not in self.ids[name]:
                        unseen.append(name)
            notes.append({"missing": missing, "unseen": unseen})
        mostly = [
            note
            for note in notes
            if len(note["missing"]) + len(note["unseen"])
            > MOSTLY * len(self.columns)
        ]
        if mostly:
            warnings.warn(
                f"Most values of {len(mostly)} of {len(notes)} rows are "
                f"missing or not known from training, such as {mostly[0]}: "
                "do not rely on the answers.",
                stacklevel=2,
            )
        return notes

    def start(self, model):
        pass

    def golden(self):
        """Two seeded rows; of the second every other column is missing."""
        generator = np.random.default_rng(0)
        half = len(self.numbers)
        numbers = np.zeros((2, 2 * half), "float32")
        numbers[:, :half] = generator.normal(size=(2, half))
        numbers[1, 1:half:2] = 0
        numbers[1, half + 1 :: 2] = 1
        ids = np.zeros((2, len(self.categories)), "int32")
        for place, column in enumerate(self.categories):
            size = FIRST + len(column["values"])
            ids[:, place] = generator.integers(UNSEEN, size, 2)
        ids[1, 1::2] = ABSENT
        found = {"numbers": numbers, "categories": ids}
        return {name: found[name] for name in self.tensors()}

    def extremes(self):
        """All missing; all unseen, and far above; the last ones, far below."""
        half = len(self.numbers)
        numbers = np.zeros((3, 2 * half), "float32")
        numbers[0, half:] = 1
        numbers[1, :half], numbers[2, :half] = 100, -100
        ids = np.zeros((3, len(self.categories)), "int32")
        ids[1] = UNSEEN
        ids[2] = [1 + len(column["values"]) for column in self.categories]
        found = {"numbers": numbers, "categories": ids}
        return {name: found[name] for name in self.tensors()}

    def served(self):
        return {
            safe: _served_as(column) for safe, column in self._safe().items()
        }

    def requests(self, arrays):
        """The rows of the arrays, each value as a user would write it."""
        count = len(next(iter(arrays.values())))
        raws = [{} for _ in range(count)]
        half = len(self.numbers)
        for place, column in enumerate(self.numbers):
            for row, values in zip(raws, arrays["numbers"]):
                standard = float(values[place])  # in 64 bits
                value = column["mean"] + column["deviation"] * standard
                absent = values[half + place]
                row[column["name"]] = None if absent else float(value)
        for place, column in enumerate(self.categories):
            words = ["", "never heard of", *column["values"]]
            for row, ids in zip(raws, arrays["categories"]):
                row[column["name"]] = words[ids[place]]
        columns = {}
        for safe, column in self._safe().items():
            cells = [row[column["name"]] for row in raws]
            if column["kind"] == "number":
                cells = [math.nan if x is None else x for x in cells]
                cells = np.array(cells, _served_as(column))
                for row, cell in zip(raws, cells):
                    # As it is served, most often in 32 bits.
                    known = None if np.isnan(cell) else float(cell)
                    row[column["name"]] = known
            columns[safe] = cells
        return columns, raws

    def tensorflow(self):
        import tensorflow as tf

        def table(column):
            words = np.array([*column["values"], ""], "object")
            ids = [*range(FIRST, FIRST + len(column["values"])), ABSENT]
            return tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(
                    tf.constant(words), tf.constant(ids, tf.int64)
                ),
                UNSEEN,
            )

        safe = {column["name"]: name for name, column in self._safe().items()}
        numbers, categories, names = (
            self.numbers,
            self.categories,
            list(self.tensors()),
        )

        class Preparing(tf.Module):
            def __init__(self):
                self.tables = [table(column) for column in categories]

            def __call__(self, **columns):
                scaled, missing, ids = [], [], []
                for column in numbers:
                    values = columns[safe[column["name"]]]
                    absent = tf.math.is_nan(values)
                    # In 64 bits, as it is learned.
                    exact = tf.cast(values, tf.float64) - column["mean"]
                    standard = tf.cast(exact / column["deviation"], tf.float32)
                    scaled.append(tf.where(absent, 0.0, standard))
                    missing.append(tf.cast(absent, tf.float32))
                for column, known in zip(categories, self.tables):
                    words = tf.strings.regex_replace(
                        columns[safe[column["name"]]],
                        f"\\A{SPACE}|{SPACE}\\z",
                        "",
                    )
                    lower = tf.strings.lower(words)
                    absent = tf.reduce_any(
                        lower[:, None] == tf.constant(tables.MISSING), axis=1
                    )
                    words = tf.where(absent, "", words)
                    ids.append(tf.cast(known.lookup(words), tf.int32))
                found = {}
                if "numbers" in names:
                    found["numbers"] = tf.stack(scaled + missing, axis=1)
                if "categories" in names:
                    found["categories"] = tf.stack(ids, axis=1)
                return found, {}

        return Preparing()

    def files(self):
        columns = {safe: column for safe, column in self._safe().items()}
        text = json.dumps(columns, indent=1, ensure_ascii=False)
        return {"columns.json": text + "\n"}

    def from_shell(self, words, options):
        raws = []
        if not words:
            raise ValueError(
                f"There must be something to answer: {self.asked}. "
                "Received: no arguments"
            )
        names = [column["name"] for column in self.columns]
        for word in words:
            path, content = pathlib.Path(word), None
            if word == "-":
                path, content = "standard input", _standard_input()
            elif not path.is_file():
                raise FileNotFoundError(
                    "Rows must be in a CSV file that is there. "
                    f"Received: {word!r}, no such file"
                )
            columns, lines, _ = tables.read_cells(
                path, content=content, wanted=names, **options
            )
            for column in self.columns:
                tables.check_column(column["name"], columns, str(word))
            for place, line in enumerate(lines):
                row = {name: cells[place] for name, cells in columns.items()}
                for column in self.columns:
                    where = f"in {word}, line {line}"
                    self._cell(column, row[column["name"]], where)
                raws.append(row)
        return raws

    def to_shell(self, raw):
        """`None`: rows are asked in a file."""

    def shown(self, raw, note):
        known = [
            f"{column['name']} {tables.category(raw[column['name']])}"
            for column in self.columns
            if column["name"] not in note["missing"]
        ]
        text = ", ".join(known[:4]) + (", ..." if len(known) > 4 else "")
        said = [
            f"{word}: {', '.join(note[word][:3])}"
            + (f" and {len(note[word]) - 3} more" if note[word][3:] else "")
            for word in ("missing", "unseen")
            if note[word]
        ]
        return (text or "(nothing)") + (f" [{'; '.join(said)}]" if said else "")

    def _safe(self):
        """Name in a signature -> column."""
        return safe_names({x["name"]: x for x in self.columns})

    def _values(self, column, raws):
        name = column["name"]
        if isinstance(raws, dict):
            values = raws[name]
            is_number = values.dtype.kind == "f"
            if column["kind"] == "number":
                if is_number:
                    return values
                return np.array([tables.number(x) for x in values])
            if is_number:
                return [tables.category(x) for x in values.tolist()]
            return values
        cells = [row[name] for row in raws]
        if column["kind"] == "number":
            return np.array([tables.number(cell) for cell in cells], "float64")
        return [tables.category(cell) for cell in cells]

    def _cell(self, column, cell, where):
        """Refuses a cell that is not of its column's kind."""
        read = {"number": tables.number, "category": tables.category}
        try:
            read[column["kind"]](cell)
        except ValueError as error:
            raise ValueError(
                f"{error} in the column {column['name']!r}, {where}"
            ) from error


def _served_as(column):
    """A column's type in a signature: wide where 32 bits would lose much."""
    if column["kind"] == "category":
        return "string"
    fits = fits_32_bits(column["mean"], column["deviation"], FINE)
    return "float32" if fits else "float64"


def _reads(function, value):
    try:
        function(value)
    except ValueError:
        return False
    return True


def _is_word(value):
    return isinstance(value, str) and 0 < len(value) <= LONGEST


def _wrong(value):
    return PresetError(
        "`columns.json` must list the columns of a table, each with a name of "
        "its own and a kind: a number with mean and deviation, or a category "
        f"with distinct values. Received: {shown(value)}"
    )


def _standard_input():
    """The bytes of standard input; in a test it may hold text."""
    found = getattr(sys.stdin, "buffer", sys.stdin).read()
    return found.encode() if isinstance(found, str) else found
