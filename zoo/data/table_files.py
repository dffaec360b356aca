"""Table files: bytes to cells, whichever delimiter and encoding they have.

What a file says of itself is read: a byte order mark, valid UTF-8, and the one
delimiter under which its lines have alike many columns. What is not certain is
asked for, never guessed.
"""

import codecs
import contextlib
import csv
import dataclasses
import io
import re
import warnings

SUFFIXES = (".csv", ".tsv")
DELIMITERS = {
    ",": "commas",
    "\t": "tabs",
    ";": "semicolons",
    "|": "vertical bars",
}
NAMES = {"tab": "\t", "\\t": "\t"}  # as a shell can say them

# Byte order marks, UTF-32's before UTF-16's that it begins with.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What an encoding is called with its mark.
_SAME = {
    "utf-8": ("utf-8-sig",),
    "utf-16-le": ("utf-16",),
    "utf-16-be": ("utf-16",),
    "utf-32-le": ("utf-32",),
    "utf-32-be": ("utf-32",),
}
# Codecs of Python that are no character set.
_NO_CHARACTERS = (
    "idna",
    "punycode",
    "raw-unicode-escape",
    "undefined",
    "unicode-escape",
)


@dataclasses.dataclass(frozen=True)
class Sheet:
    """What a table file holds.

    Args:
        header: List of strings, the cells of the first line without the white
            space around them.
        rows: List of lists of strings, as many in each as in the header.
        lines: List of integers, the number of the line where each row ends.
        delimiter: String.
        encoding: String.
    """

    header: list
    rows: list
    lines: list
    delimiter: str
    encoding: str

    def notes(self):
        """Words for what is no comma or no UTF-8, a tuple of strings."""
        said = []
        if self.delimiter != ",":
            word = DELIMITERS.get(self.delimiter, repr(self.delimiter))
            said.append(f"{word} between columns")
        if self.encoding != "utf-8":
            said.append(f"in {self.encoding.upper()}")
        return tuple(said)


def read_sheet(
    path, delimiter=None, encoding=None, content=None, holds=None, check=None
):
    """Reads a table file, quotes around cells as Python's `csv` has them.

    The encoding is told apart by a byte order mark, and is UTF-8 without one.
    The delimiter of a `.tsv` is the tab; else it is that of `DELIMITERS` under
    which the first line has all wanted columns, and where that is none or
    several, the one under which most rows from the first on have as many cells
    as the first line, two at least; a file whose first line has none of them
    has one column. In a file with tabs, quotes count if rows come out whole
    with them, and are part of the cells if only so.

    Args:
        path: `pathlib.Path`; for errors only, where `content` is given.
        delimiter: As `checked_delimiter` takes it, `None` to tell it apart.
        encoding: As `checked_encoding` takes it, `None` to tell it apart.
        content: Bytes, what is in it; `None` reads the file.
        holds: Function of a header: whether it has the wanted columns; `None`
            where none are wanted.
        check: Function of a header that raises if it is none, called before
            rows are read; `None` takes any.

    Returns:
        `Sheet`. Blank lines are passed over.

    Raises:
        ValueError: If the file is malformed, is not in the encoding, or its
            delimiter cannot be told; file and line are told.
    """
    if encoding is not None:
        checked_encoding(encoding)
    content = path.read_bytes() if content is None else content
    text, encoding = _decoded(content, encoding, path)
    with _long_cells():
        delimiter = (
            _delimiter(text, path, holds)
            if delimiter is None
            else checked_delimiter(delimiter)
        )
        quoting = csv.QUOTE_MINIMAL
        if delimiter == "\t" and '"' in text:
            quoting = _quoting(text, path)
        table = _reader(text, delimiter, quoting)
        try:
            header = [name.strip() for name in next(table, [])]
            if check is not None:
                check(header)
            rows, lines = [], []
            for row in filter(None, table):
                if len(row) != len(header):
                    raise _misfit(path, table, row, header, delimiter)
                rows.append(row)
                lines.append(table.line_num)
        except csv.Error as error:
            raise ValueError(
                "A table must be a CSV file as Python's `csv` reads it. "
                f"Received: {path}, line {table.line_num}: {error}"
            ) from error
    return Sheet(header, rows, lines, delimiter, encoding)


def checked_delimiter(delimiter):
    """The character that a delimiter stands for.

    Args:
        delimiter: String of one character, or `"tab"`.

    Returns:
        String of one character.

    Raises:
        ValueError: If it can be none.
    """
    found = NAMES.get(delimiter, delimiter) if delimiter else delimiter
    if (
        not isinstance(found, str)
        or len(found) != 1
        or found in '"\r\n\0\ufeff'
    ):
        raise ValueError(
            "`delimiter` must be one character, such as ',' or ';', or 'tab', "
            f"and no quote or line break. Received: delimiter={delimiter!r}"
        )
    return found


def checked_encoding(encoding):
    """The name of an encoding as it was given.

    Args:
        encoding: String.

    Returns:
        String.

    Raises:
        ValueError: If Python knows none of that name.
    """
    try:
        known = isinstance(encoding, str) and _codec(encoding)
        if known:
            b"a".decode(encoding)
    except LookupError:  # unknown, or no encoding of texts
        known = False
    except UnicodeError:  # one letter is no text in UTF-16
        pass
    if not known or known in _NO_CHARACTERS:
        raise ValueError(
            "`encoding` must be the name of an encoding of texts that Python "
            f'knows, such as "cp1252". Received: encoding={encoding!r}'
        )
    return encoding


def _codec(encoding):
    """One name for all spellings of an encoding."""
    try:
        return codecs.lookup(encoding).name.replace("_", "-")
    except (ValueError, ImportError) as error:  # a NUL; a broken codec
        raise LookupError(str(error)) from error


def _decoded(content, encoding, path):
    """`(text, encoding)` of the bytes of a file."""
    mark, own = next(
        (each for each in _MARKS if content.startswith(each[0])), (b"", None)
    )
    named = None if encoding is None else _codec(encoding)
    if own is not None:
        if named not in (None, own, *_SAME[own]):
            raise ValueError(
                "`encoding` must be that of the file, which its byte order "
                f"mark says is {own}; without `encoding` it is read as that. "
                f"Received: encoding={encoding!r} for {path}, line 1"
            )
        used = own
    elif named in ("utf-16", "utf-32"):
        raise ValueError(
            "A file without a byte order mark must be read with its bytes' "
            f'order named: encoding="{named}-le" or "{named}-be". '
            f"Received: encoding={encoding!r} for {path}, line 1"
        )
    else:
        used = "utf-8" if named in (None, "utf-8-sig") else named
    try:
        text = content[len(mark) :].decode(used)
    except UnicodeError as error:
        raise _undecoded(content, mark, used, path, encoding, error) from error
    _check_characters(text, content, used, path, encoding)
    return text, used


def _undecoded(content, mark, used, path, encoding, error):
    start = getattr(error, "start", 0)
    before = content[len(mark) :][:start].decode(used, "ignore")
    how = f"A table must be in its encoding, here {used}"
    if encoding is None and not mark:
        how = (
            "A table must be in UTF-8, or its encoding must be named, such as "
            'zoo.Table(..., encoding="cp1252"), in a shell --encoding cp1252'
        )
    return ValueError(f"{how}. Received: {path}, line {_line(before)}: {error}")


def _check_characters(text, content, used, path, encoding):
    """Refuses what decodes, but to no text that anyone wrote."""
    if "\0" in text:
        line = _line(text[: text.index("\0")])
        raise ValueError(
            "A table must have no NUL characters, as a file in UTF-16 without "
            "a byte order mark has when it is read in another encoding; then "
            'name it, encoding="utf-16-le" or "utf-16-be". '
            f"Received: {path}, line {line}, read as {used}"
        )
    if encoding is None or used.startswith("utf-") or text.isascii():
        return
    if strange := re.search("[\x80-\x84\x86-\x9f]", text):
        raise ValueError(
            "A table must have no control characters, which a file in cp1252 "
            "has when it is read as latin-1: name the encoding in which it "
            f"was written. Received: encoding={encoding!r} for {path}, line "
            f"{_line(text[: strange.start()])}, {strange[0]!r}"
        )
    with contextlib.suppress(UnicodeDecodeError):
        content.decode("utf-8")
        warnings.warn(
            f"{path} is read as encoding={encoding!r} says, though it is valid "
            "UTF-8, which other encodings hardly ever are; leave `encoding` "
            "out if words look wrong.",
            stacklevel=2,
        )


def _line(before):
    """The number of the line that follows on some text."""
    return len(re.split("\r\n|\r|\n", before))


def _delimiter(text, path, holds):
    """The delimiter of a file that does not name it."""
    if path is not None and str(path).lower().endswith(".tsv"):
        return "\t"
    headers = {}
    for delimiter in DELIMITERS:
        with contextlib.suppress(csv.Error):
            header = next(_reader(text, delimiter), [])
            if len(header) > 1:
                headers[delimiter] = [name.strip() for name in header]
    if holds is not None:
        wanted = {d: header for d, header in headers.items() if holds(header)}
        headers = wanted or headers
    if len(headers) < 2:
        return next(iter(headers), ",")
    whole = {d: _whole(text, d, len(header)) for d, header in headers.items()}
    best = [d for d, count in whole.items() if count == max(whole.values())]
    if len(best) > 1:
        raise ValueError(
            "It must be clear what stands between the columns of a table, or "
            'be named, such as zoo.Table(..., delimiter=";"), in a shell '
            '--delimiter ";". Received: '
            f"{' or '.join(map(repr, best))}, each of which parts the lines of "
            f"{path} into alike many cells; line 1: "
            f"{text.splitlines()[0][:50]!r}"
        )
    return best[0]


def _whole(text, delimiter, count):
    """How many rows from the first on have a number of cells."""
    found = -1  # the header
    with contextlib.suppress(csv.Error):
        for row in filter(None, _reader(text, delimiter)):
            if len(row) != count:
                break
            found += 1
    return found


def _quoting(text, path):
    """Whether quotes count between tabs, or belong to the cells."""
    sizes = {}
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
        with contextlib.suppress(csv.Error):
            rows = filter(None, _reader(text, "\t", quoting))
            counts = list(map(len, rows))
            if len(set(counts)) == 1:
                sizes[quoting] = len(counts)
    if len(set(sizes.values())) == 2:
        raise ValueError(
            "It must be clear whether quotes in a table with tabs count: "
            "write it with commas, and each quote in a cell twice. Received: "
            f"{sizes[csv.QUOTE_NONE] - 1} rows if quotes belong to the cells, "
            f"{sizes[csv.QUOTE_MINIMAL] - 1} if they are around them, in {path}"
        )
    return next(iter(sizes), csv.QUOTE_MINIMAL)


def _reader(text, delimiter, quoting=csv.QUOTE_MINIMAL):
    return csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=quoting,
        strict=True,
    )


@contextlib.contextmanager
def _long_cells():
    """Inside, a cell may be as long as a text is."""
    limit = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _misfit(path, table, row, header, delimiter):
    word = DELIMITERS.get(delimiter, repr(delimiter))
    return ValueError(
        f"Each line must hold {len(header)} columns; a cell with {word} or "
        f"line breaks needs quotes. Received: {len(row)} columns in {path}, "
        f"line {table.line_num}: {delimiter.join(row)[:50]!r}"
    )
