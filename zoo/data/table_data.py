"""Rows of a table in memory, and which of its columns are to be answered."""

import dataclasses
import difflib
import hashlib
import numbers

import numpy as np

from zoo.data import examples
from zoo.data.table_source import Reading

# Licence class of the data sets that presets are trained on: A open,
# B non-commercial or research terms, C none stated.
LICENCES = {"adult": "A", "census_income_kdd": "A", "correlated_tasks": "A"}

FEW = 20  # distinct numbers that can be classes


@dataclasses.dataclass(repr=False)
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
        reading: `Reading` or `None`. How a table was read.
        lines: Integers `(N,)`, the line of each row in its file; or `None`.
        file: String. That file, for errors; or `None`.
    """

    licences = LICENCES

    columns: dict
    targets: list
    name: str = "rows"
    split: str = "all"
    version: str | None = None
    place: str | None = None
    skipped: tuple = ()
    reading: Reading | None = None
    lines: np.ndarray | None = None
    file: str | None = None

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

    def _cut(self, count, seed):
        """Two parts; drawn from all rows where one is less than the strata."""
        strata = self.strata
        if strata is None or min(count, len(self) - count) > strata.max():
            return super()._cut(count, seed)
        parts = dataclasses.replace(self, targets=[])._cut(count, seed)
        return tuple(
            dataclasses.replace(part, targets=self.targets) for part in parts
        )

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
            + self.beside()
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
        return f"in line {self.lines[place]} of {self.file or self.name}"

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


def spread(values):
    """Mean and standard deviation of numbers that are to be standardised.

    Args:
        values: Floats `(N,)`, one at least.

    Returns:
        Two floats; the deviation of equal numbers is exactly 0.

    Raises:
        ValueError: If the numbers are too large, or too small, for these.
    """
    with np.errstate(over="ignore"):
        mean, deviation = float(np.mean(values)), float(np.std(values))
    if not np.min(values) < np.max(values):
        deviation = 0.0  # need not come out as that
    elif not (np.isfinite(mean) and 0 < deviation < np.inf):
        raise ValueError(
            "Numbers must have a mean and a deviation in 64 bits; give them in "
            f"another unit. Received: {np.min(values)} to {np.max(values)}"
        )
    return mean, deviation


def fits_32_bits(mean, deviation, share):
    """Whether numbers can be told in 32 bits.

    Args:
        mean: Float.
        deviation: Positive float.
        share: Float. The share of a deviation that may be lost by rounding.

    Returns:
        Boolean.
    """
    rounded = abs(mean) * float(np.finfo("float32").epsneg)
    return bool(1e-30 < deviation < 1e30 and rounded <= share * deviation)


def shown_value(value):
    """A value as a word: whole numbers without a point."""
    if isinstance(value, numbers.Real) and float(value).is_integer():
        return str(int(value))
    return str(value)
