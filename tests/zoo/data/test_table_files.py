"""Table files: delimiters and encodings told apart, or asked for, by name."""

import csv
import itertools
import pathlib

import numpy as np
import pytest

from zoo.data.table_files import (
    DELIMITERS,
    checked_delimiter,
    checked_encoding,
    read_sheet,
)

PATH = pathlib.Path("mine.csv")
TEXT = "text,label\nGrün – café,gut\nтак,schlecht\n"


def sheet(content, path=PATH, **options):
    if isinstance(content, str):
        content = content.encode()
    return read_sheet(path, content=content, **options)


def holds(*names):
    return lambda header: set(names) <= set(header)


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("known", [True, False])
def test_a_delimiter_is_told_by_the_first_line(delimiter, known):
    """In the cells are all the others."""
    rows = [["a, b; c | d\te", "x"], ['say "no"\n', "y"], ["", "1,5"]]
    lines = [["text", " label "], *rows]
    quoted = [f'"{cell}"' for cell in ("a, b; c | d\te", 'say ""no""\n')]
    content = "\r\n".join(
        [
            delimiter.join(lines[0]),
            delimiter.join([quoted[0], "x"]),
            delimiter.join([quoted[1], "y"]),
            delimiter.join(["", '"1,5"']),
        ]
    )
    found = sheet(content, holds=holds("text", "label") if known else None)
    assert found.delimiter == delimiter
    assert found.header == ["text", "label"] and found.rows == rows
    assert found.lines == [2, 4, 5]
    assert (
        found.notes()
        == {
            ",": (),
            "\t": ("tabs between columns",),
            ";": ("semicolons between columns",),
            "|": ("vertical bars between columns",),
        }[delimiter]
    )


def test_random_tables_come_back_whatever_is_in_their_cells(tmp_path):
    generator = np.random.default_rng(0)
    letters = list("ab ,;|\t\n\r'é") + ['"']
    for case, delimiter in itertools.product(range(15), DELIMITERS):
        width, height = generator.integers(2, 5), generator.integers(1, 6)
        rows = [
            ["x" + "".join(generator.choice(letters, 4)) for _ in range(width)]
            for _ in range(height)
        ]
        header = [f"c{place}" for place in range(width)]
        path = tmp_path / f"{case}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=delimiter).writerows([header, *rows])
        found = read_sheet(path)
        assert (found.delimiter, found.header) == (delimiter, header)
        assert found.rows == rows


def test_of_several_delimiters_in_the_first_line_rows_tell_which():
    found = sheet("price;in, EUR\n1;2\n3;4\n")
    assert (found.delimiter, found.rows) == (";", [["1", "2"], ["3", "4"]])
    # The wanted columns come before what rows look like.
    text = "a;text,label;b\n1;2,3;4\n"
    assert sheet(text, holds=holds("a", "b")).delimiter == ";"
    assert sheet(text, holds=holds("a;text")).delimiter == ","
    assert sheet("a;text,label\nx,y\n").delimiter == ","


@pytest.mark.parametrize(
    "text", ["price, EUR;count\n1,5;3\n2,5;4\n", "a,b;c\n", "a,b;c\nx\n"]
)
def test_what_is_not_clear_is_asked_for_by_name(text):
    with pytest.raises(ValueError, match="delimiter=.*',' or ';'.*mine.csv"):
        sheet(text)
    assert sheet(text[: text.index("\n")], delimiter=";").delimiter == ";"


def test_a_table_of_one_column_needs_no_delimiter():
    found = sheet("text\none\ntwo\n")
    assert (found.header, found.rows) == (["text"], [["one"], ["two"]])
    with pytest.raises(ValueError, match="1 columns.*2 columns.*line 2"):
        sheet("text\none, two\n")


def test_a_named_delimiter_counts():
    found = sheet("a:b,c\n1:2,3\n", delimiter=":")
    assert found.rows == [["1", "2,3"]]
    assert found.notes() == ("':' between columns",)
    path = pathlib.Path("mine.tsv")
    assert sheet("a,b\n1,2\n", path, delimiter=",").header == ["a", "b"]
    assert sheet("a,b\n1,2\n", path).header == ["a,b"]  # tabs, as it is called
    assert sheet("a,b\t\n", pathlib.Path("MINE.TSV")).delimiter == "\t"


@pytest.mark.parametrize(
    "lines, rows",
    [
        (['"no" he said\tx'], [['"no" he said', "x"]]),
        (
            ['he said "no"\tx', '"a\tb"\ty'],
            [['he said "no"', "x"], ["a\tb", "y"]],
        ),
        (['"a ""b"""\tx'], [['a "b"', "x"]]),
        (['5" wide\tx', '"open\ty'], [['5" wide', "x"], ['"open', "y"]]),
    ],
)
def test_quotes_between_tabs_count_where_rows_need_them(lines, rows):
    content = "\n".join(["text\tlabel", *lines])
    assert sheet(content).rows == rows


def test_quotes_of_which_both_could_be_are_not_guessed():
    text = 'a\tb\n"one\tx\ntwo"\ty\n'
    with pytest.raises(ValueError, match="2 rows if quotes belong.*mine.csv"):
        sheet(text)
    (row,) = sheet(text.replace("\t", ";")).rows
    assert row == ["one;x\ntwo", "y"]


MARKED = ["utf-8-sig", "utf-16", "utf-32"]


@pytest.mark.parametrize("encoding", ["utf-8", *MARKED])
def test_utf_is_told_by_its_mark(encoding):
    content = TEXT.encode(encoding)
    for named in (None, encoding):
        found = sheet(content, encoding=named)
        assert found.header == ["text", "label"]
        assert found.rows == [["Grün – café", "gut"], ["так", "schlecht"]]
    little = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(encoding)
    expected = (f"in {little.upper()}",) if little else ()
    assert found.notes() == expected


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be", "utf-32-be"])
def test_without_a_mark_the_order_of_bytes_is_named(order):
    content = TEXT.encode(order)
    assert sheet(content, encoding=order).rows[1] == ["так", "schlecht"]
    marked = "\ufeff".encode(order) + content
    assert sheet(marked).header == ["text", "label"]
    assert sheet(marked, encoding=order).header == ["text", "label"]
    with pytest.raises(ValueError, match=f"{order[:6]}-le.*mine.csv, line 1"):
        sheet(content, encoding=order[:6])


def test_utf_16_without_a_mark_is_no_utf_8():
    for order in ("utf-16-le", "utf-16-be"):
        text = "a,b\nx,y\n"
        with pytest.raises(ValueError, match="NUL.*utf-16-le.*mine.csv, line"):
            sheet(text.encode(order))
        with pytest.raises(ValueError, match="NUL.*read as cp1252"):
            sheet(text.encode(order), encoding="cp1252")


def test_another_encoding_must_be_named():
    content = "text,label\na,x\r\ncaf\xe9,y\n".encode("cp1252")
    with pytest.raises(ValueError, match="--encoding cp1252.*mine.csv, line 3"):
        sheet(content)
    found = sheet(content, encoding="cp1252")
    assert found.rows[1] == ["café", "y"] and found.notes() == ("in CP1252",)
    cyrillic = "текст,метка\nда,x\n".encode("koi8-r")
    assert sheet(cyrillic, encoding="koi8-r").header == ["текст", "метка"]


def test_a_named_encoding_that_is_not_the_files_is_refused():
    marked = TEXT.encode("utf-8-sig")
    with pytest.raises(ValueError, match="mark says is utf-8.*'cp1252'"):
        sheet(marked, encoding="cp1252")
    with pytest.raises(ValueError, match="its encoding, here cp1252.*line 2"):
        sheet(b"a,b\n\x81,c\n", encoding="cp1252")
    with pytest.raises(ValueError, match="its encoding, here ascii.*line 2"):
        sheet(TEXT, encoding="ascii")
    # Curled quotes of cp1252 are control characters in latin-1.
    with pytest.raises(ValueError, match="latin-1.*line 2.*x93"):
        sheet(b"a,b\n\x93c\x94,d\n", encoding="latin-1")
    with pytest.raises(ValueError, match="here utf-16-le.*mine.csv, line 1"):
        sheet("\ufeffa,b".encode("utf-16-le") + b"\0")


def test_what_is_utf_8_and_read_otherwise_is_warned_of():
    content = "a,b\ncafé,x\n".encode()
    with pytest.warns(UserWarning, match="mine.csv is read as.*'cp1252'"):
        assert sheet(content, encoding="cp1252").rows[0][0] == "cafÃ©"
    assert sheet("a,b\nx,y\n", encoding="cp1252").rows == [["x", "y"]]


def test_blank_lines_are_passed_over_and_long_cells_read():
    limit = csv.field_size_limit()
    found = sheet("a,b\n\n" + "x" * 10**6 + ",y\n\n")
    assert found.lines == [3] and len(found.rows[0][0]) == 10**6
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize(
    "text, why",
    [
        ("a,b\n1,2\n3\n", "2 columns.*1 columns in mine.csv, line 3: '3'"),
        ("a;b\n1;2\n3;4;5\n", "semicolons.*3 columns.*line 3: '3;4;5'"),
        ('a,b\n"1,2\n', "Python's `csv`.*mine.csv, line 2: unexpected end"),
        ('a,b\n"1"2,3\n', "Python's `csv`.*mine.csv, line 2"),
    ],
)
def test_a_malformed_row_is_told_by_its_line(text, why):
    with pytest.raises(ValueError, match=why):
        sheet(text)


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n", 3, "tabs"])
def test_what_is_no_delimiter_is_refused(delimiter):
    with pytest.raises(ValueError, match="one character.*delimiter="):
        checked_delimiter(delimiter)


def test_a_tab_can_be_written():
    assert checked_delimiter("tab") == checked_delimiter("\\t") == "\t"


@pytest.mark.parametrize(
    "encoding", ["cp0", "hex", "rot13", "idna", "", 3, "a\0", "a/../b"]
)
def test_what_is_no_encoding_is_refused(encoding):
    for known in ("latin", "CP1252", "utf_16", "gb18030"):
        assert checked_encoding(known) == known
    with pytest.raises(ValueError, match="that Python knows.*encoding="):
        checked_encoding(encoding)
