"""Census-income (KDD) as tensorflow-datasets reads it, on rows of our own."""

import gzip

import pytest

from tests.public_data import needs_public
from zoo.data.tables import load_tables

tfds = pytest.importorskip("tensorflow_datasets")

from zoo.data.census_income_kdd import (  # noqa: E402
    COLUMNS,
    FILE,
    TARGETS,
    CensusIncomeKDD,
)


def line(place=0, **cells):
    """A line of the file; a cell tells the column it stands in."""
    row = {name: f"word {at}" for at, name in enumerate(FILE)}
    row |= {name: place for name, kind in FILE.items() if kind is float}
    row |= {"income": "- 50000.", "instance_weight": 1700.09, **cells}
    return ", ".join(str(row[name]) for name in FILE)


LINES = [
    line(33, marital_status="Never married", industry_recode=0, year=94),
    line(5, income="50000+.", migration_msa="?", age=41),
    *(line(at, marital_status="Widowed") for at in range(8)),
]


def write(folder, lines, end="\n"):
    manual = folder / "downloads" / "manual" / "census_income_kdd"
    manual.mkdir(parents=True)
    with gzip.open(manual / "census-income.test.gz", "wb") as file:
        file.write(end.join([*lines, ""]).encode())


def prepared(folder):
    builder = CensusIncomeKDD(data_dir=folder)
    builder.download_and_prepare()
    return builder


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_reads_upstream_file_in_its_order(end, tmp_path):
    write(tmp_path, LINES, end)
    builder = prepared(tmp_path)
    assert builder.info.full_name == "census_income_kdd/1.0.0"
    rows = list(builder.as_dataset(split="test").as_numpy_iterator())
    assert [row["age"] for row in rows] == [33, 41, *range(8)]
    incomes = [row["income"] for row in rows]
    assert incomes == [b"up to 50,000", b"over 50,000", *incomes[2:]]
    assert set(incomes[2:]) == {b"up to 50,000"}
    single = [row["never_married"] for row in rows]
    assert single == [b"yes", *[b"no"] * 9]
    assert rows[1]["weeks_worked"] == 5
    # Numbers that name categories, and each column where upstream has it.
    assert rows[0]["industry_recode"] == b"0" and rows[0]["year"] == b"94"
    words = {name: f"word {at}".encode() for at, name in enumerate(FILE)}
    for name, kind in COLUMNS.items():
        if kind is str and name not in TARGETS:
            assert rows[2][name] == words[name]


def test_what_would_tell_the_answer_or_nothing_is_no_column(tmp_path):
    write(tmp_path, LINES)
    (row,) = prepared(tmp_path).as_dataset(split="test").take(1)
    assert set(row) == set(COLUMNS)
    assert not {"marital_status", "instance_weight"} & set(row)
    assert len(COLUMNS) == 42 - 2 + 1


def test_both_parts_are_cut_from_it(tmp_path, monkeypatch):
    write(tmp_path, LINES)
    # The variable of the shell counted when the package was imported.
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    name = "census_income_kdd"
    train, test = load_tables(name), load_tables(name, "test")
    assert (len(train), len(test)) == (8, 2)
    assert train.targets == list(TARGETS) == ["income", "never_married"]
    assert list(train.columns) == list(COLUMNS)
    assert test.split == "20% of test (at random, seed 0)"
    words = {*train.columns["migration_msa"], *test.columns["migration_msa"]}
    assert words == {"", f"word {list(FILE).index('migration_msa')}"}


@pytest.mark.parametrize(
    "wrong, why",
    [
        (line(age="old"), "'old'.*census-income.test.gz, line 11"),
        (line(income="50000."), "'50000.'.*gz, line 11"),
        (line() + ", more", "42 columns. Received: 43 .*gz, line 11"),
        (line().rpartition(",")[0], "42 columns. Received: 41 .*gz, line 11"),
    ],
)
def test_refuses_a_malformed_line(wrong, why, tmp_path):
    write(tmp_path, [*LINES, wrong])
    with pytest.raises(ValueError, match=why):
        prepared(tmp_path)


def test_a_missing_file_is_told_with_what_to_do(tmp_path):
    with pytest.raises((FileNotFoundError, AssertionError), match="uci.edu"):
        prepared(tmp_path)


@needs_public("census_income_kdd")
def test_the_real_file_is_whole():
    test = load_tables("census_income_kdd", "test")
    assert CensusIncomeKDD().info.splits["test"].num_examples == 99_762
    assert len(test) == 19_953 and len(test.columns) == 41
    assert test.split == "20% of test (stratified, seed 0)"
    # A fifth of 6,186 and of 43,143.
    assert test.columns["income"].tolist().count("over 50,000") == 1_237
    assert test.columns["never_married"].tolist().count("yes") == 8_629
