"""Tables: what is found, what a cell means, what is refused on which line."""

import dataclasses
import json

import numpy as np
import pytest

from tests.public_data import needs_public
from tests.zoo.data.frames import Frame
from zoo.data import tables
from zoo.data.table_data import TableData
from zoo.data.tables import load_tables

CSV = """age, job ,hours,pay
39,teacher,40,low
?,,38.5,high
28, baker ,-1e1,low
NA,None,n/a,high
51,baker,NaN,low
44,teacher,12,high
"""
HEADER = "age,job,pay\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(CSV, "utf-8")
    return path


def whole(text, tmp_path, **options):
    """The rows of a CSV file, in the order in which they stand."""
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text(text, "utf-8")
    return load_tables(tmp_path, **options)


def grown(count=200):
    """A table of two classes beside three, and a number."""
    return load_tables(
        {
            "x": np.arange(count) / 3,
            "two": ["yes" if n % 4 == 0 else "no" for n in range(count)],
            "three": [f"class {n % 3}" for n in range(count)],
        },
        targets=["two", "three"],
    )


# What is found.


def test_a_column_holds_numbers_or_words_and_what_is_missing(tmp_path):
    data = whole(CSV, tmp_path)
    assert list(data.columns) == ["age", "job", "hours", "pay"]
    assert data.targets == [] and len(data) == 6
    np.testing.assert_array_equal(
        data.columns["age"], [39, np.nan, 28, np.nan, 51, 44]
    )
    np.testing.assert_array_equal(
        data.columns["hours"], [40, 38.5, -10, np.nan, np.nan, 12]
    )
    words = ["teacher", "", "baker", "", "baker", "teacher"]
    assert data.columns["job"].tolist() == words
    assert data.columns["job"].dtype == "object"
    assert data.lines.tolist() == [2, 3, 4, 5, 6, 7]


def test_lines_count_those_inside_of_quotes_and_blank_ones(tmp_path):
    text = 'job,pay\n"a\nb",low\n\n"c, d",high\n'
    data = whole(text, tmp_path)
    assert data.columns["job"].tolist() == ["a\nb", "c, d"]
    assert data.lines.tolist() == [3, 5]
    assert whole("\ufeffjob,pay\r\nx,low\r\ny,high\r\n", tmp_path).columns[
        "job"
    ].tolist() == ["x", "y"]


def test_a_file_is_cut_alike_whatever_is_answered(file):
    train, test = load_tables(file), load_tables(str(file), "test")
    assert (len(train), len(test)) == (4, 2)
    assert sorted([*train.lines, *test.lines]) == [2, 3, 4, 5, 6, 7]
    assert train.split == "80% (at random, seed 0)"
    assert test.split == "20% (at random, seed 0)"
    again = load_tables(file, "test", targets="pay")
    assert again.targets == ["pay"]
    assert again.lines.tolist() == test.lines.tolist()
    assert again.sha256() == test.sha256()
    assert train.name == "people" and train.place.endswith("people.csv")


def test_a_folder_may_be_cut_already(tmp_path):
    (tmp_path / "train.csv").write_text("job,pay\nx,low\ny,high\n")
    (tmp_path / "dev.csv").write_text("job,pay\nz,low\n")
    train, test = load_tables(tmp_path), load_tables(tmp_path, "test")
    assert train.columns["job"].tolist() == ["x", "y"]
    assert test.columns["job"].tolist() == ["z"]
    assert (train.split, test.split) == ("train", "dev")
    assert train.name == tmp_path.name
    (tmp_path / "train.csv").rename(tmp_path / "people.csv")
    (tmp_path / "dev.csv").unlink()
    with pytest.raises(ValueError, match="`train.csv` and `test.csv`"):
        load_tables(tmp_path)


def test_columns_rows_and_frames_are_one_table():
    columns = {"age": [39, None], "job": ["baker", " "], "old": [True, False]}
    rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
    arrays = {
        "age": np.array([39, np.nan], "float32"),
        "job": np.array(["baker", ""]),
        "old": np.array([True, False]),
    }
    found = [load_tables(x) for x in (columns, rows, arrays, Frame(columns))]
    assert len({data.sha256() for data in found}) == 1
    (data, *_) = found
    np.testing.assert_array_equal(data.columns["age"], [39, np.nan])
    assert data.columns["job"].tolist() == ["baker", ""]
    assert data.columns["old"].tolist() == ["True", "False"]
    assert data.name == "rows" and data.lines is None
    asked = load_tables(data, targets="old")
    assert asked.targets == ["old"] and data.targets == []


def test_a_column_of_codes_is_declared(tmp_path):
    text = "code,job\n01,x\n7,y\n,z\n"
    data = whole(text, tmp_path, kinds={"code": "category"})
    assert data.columns["code"].tolist() == ["01", "7", ""]
    numbers = whole(text, tmp_path, kinds={"code": "number"}).columns["code"]
    np.testing.assert_array_equal(numbers, [1, 7, np.nan])
    columns = load_tables({"code": [1.0, 2.5]}, kinds={"code": "category"})
    assert columns.columns["code"].tolist() == ["1", "2.5"]


def test_a_column_of_which_nothing_is_known_is_of_words():
    data = load_tables({"x": [1, 2], "none": [None, "?"]})
    assert data.columns["none"].tolist() == ["", ""]


def test_the_default_is_two_tasks_made_here():
    train, test = load_tables(), load_tables(split="test")
    assert (len(train), len(test)) == (10_000, 2_000)
    assert train.targets == test.targets == ["task_1", "task_2"]
    # Other rows of the same world.
    assert train.columns["x_1"][0] != test.columns["x_1"][0]
    one = load_tables(targets="task_1")
    assert one.targets == ["task_1"] and "task_2" in one.columns


# What is refused.


@pytest.mark.parametrize(
    "text, why",
    [
        ("", "name each column.*line 1"),
        ("age,,pay\n1,2,3\n", "name each column.*line 1"),
        ("age,pay,age\n1,2,3\n", r"no two alike.*\['age'\].*line 1"),
        (HEADER, "a row at least.*train.csv"),
        (HEADER + "1,x,low\n2,y\n", "3 columns.*2 columns.*line 3: '2,y'"),
        (HEADER + "1,x,low\n2,y,z,high\n", "3 columns.*4 columns.*line 3"),
        (HEADER + '1,"x,low\n', "CSV file as Python's `csv`.*line 2"),
        (
            HEADER + "1,x,low\n\n" + '"1,234",y,high\n',
            "without commas.*'1,234' in the column 'age', in line 4 of .*csv",
        ),
        (
            HEADER + '"3,5",x,low\n"4,5",y,high\n',
            "without commas.*'3,5' in the column 'age', in line 2",
        ),
        (
            HEADER + "1,x,low\n-inf,y,high\n",
            "such as 1234.5;.*'-inf'.*'age', in line 3",
        ),
        (
            HEADER + "1,x,low\n1e400,y,a\n",
            "as 1234.5;.*'1e400'.*'age', in line 3",
        ),
        (
            HEADER + "".join(f"{n},x,low\n" for n in range(15)) + "old,x,low\n",
            "as most of its column are.*kinds={'age': \"category\"}.*"
            "'old' in the column 'age', in line 17",
        ),
    ],
)
def test_a_malformed_file_is_refused_with_column_and_line(text, why, tmp_path):
    with pytest.raises(ValueError, match=why):
        whole(text, tmp_path)


def test_a_file_of_another_encoding_is_refused(tmp_path):
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_bytes(
            "job,pay\nKöchin,low\n".encode("latin-1")
        )
    with pytest.raises(ValueError, match="UTF-8.*train.csv, line 2"):
        load_tables(tmp_path)


def test_half_words_are_words_and_few_may_be_declared(tmp_path):
    assert whole("age\n1\nold\n", tmp_path).columns["age"].tolist() == [
        "1",
        "old",
    ]
    text = "age\n" + "3\n" * 15 + "old\n"
    data = whole(text, tmp_path, kinds={"age": "category"})
    assert data.columns["age"].tolist() == ["3"] * 15 + ["old"]
    with pytest.raises(ValueError, match="as `kinds` says.*'old'.*line 17"):
        whole(text, tmp_path, kinds={"age": "number"})


@pytest.mark.parametrize(
    "source, why",
    [
        ([], "dicts from column to value.*list of 0"),
        ([{"a": 1}, {"b": 1}], r"same columns.*\['a', 'b'\].*at place 1"),
        ([{"a": 1}, 3], "dicts from column to value"),
        ({}, "one length.*lengths {}"),
        ({"a": []}, "one length, with a row.*'a': 0"),
        ({"a": [1, 2], "b": [1]}, "one length.*'a': 2, 'b': 1"),
        ({"a": 1}, "a list or an array.*Received: 1 as 'a'"),
        ({"a": "letters"}, "a list or an array.*Received: 'letters' as 'a'"),
        ({"a": np.ones((1, 2))}, "a list or an array.* as 'a'"),
        ({3: [1, 2]}, "name must be a string.*3"),
        ({" ": [1, 2]}, "name must be a string.*' '"),
        ({"a": [1.0, np.inf]}, "finite.*'inf' in the column 'a', at place 1"),
        ({"a": [1, 10**400]}, "finite.*in the column 'a', at place 1"),
        ({"a": ["x", ["y"]]}, "a number, a word, or None.*'a', at place 1"),
        ({"a": ["x", b"y"]}, "a number, a word, or None.*b'y'.*'a', at place"),
        (3, "of type int"),
        ("adlut", "no such file or folder.*adult"),
        ("no such", "no such file"),
        ("mnist", "must be \"correlated_tasks\".*'mnist'"),
    ],
)
def test_other_sources_are_refused(source, why):
    with pytest.raises((ValueError, FileNotFoundError), match=why):
        load_tables(source)


def test_a_frame_with_a_name_twice_is_refused():
    with pytest.raises(ValueError, match="No two columns.*'1', '1'"):
        load_tables(Frame({1: [1], "1": [2]}))


@pytest.mark.parametrize(
    "options, why",
    [
        ({"targets": "wages"}, "column 'wages' in the data 'people'.*'job'"),
        ({"targets": ["Pay"]}, r"column 'Pay'.*near: \['pay'\]"),
        ({"targets": "pay,pay"}, "named once.*'pay', 'pay'"),
        ({"targets": []}, "one at least"),
        ({"kinds": {"Pay": "number"}}, r"column 'Pay'.*near: \['pay'\]"),
        ({"kinds": {"pay": "word"}}, "\"category\".*kinds\\['pay'\\]='word'"),
        ({"kinds": {"pay": "number"}}, "as `kinds` says.*'low'.*'pay', in li"),
        ({"split": "dev"}, '"train" or "test".*dev'),
    ],
)
def test_a_column_that_is_not_there_is_told_with_near_ones(options, why, file):
    with pytest.raises(ValueError, match=why):
        load_tables(file, **options)


def test_a_target_is_known_in_every_row(tmp_path):
    text = HEADER + "1,x,low\n2,y,\n3,z,?\n"
    why = "2 missing cells in the column 'pay', the first in line 3 of .*n.csv"
    with pytest.raises(ValueError, match=why):
        whole(text, tmp_path, targets="pay")
    with pytest.raises(ValueError, match="'a', the first at place 1"):
        load_tables({"a": [1, None]}, targets=["a"])


@pytest.mark.parametrize("source", ["correlated_tasks", "adult"])
def test_kinds_of_known_data_are_not_asked(source):
    with pytest.raises(ValueError, match=f"columns of your own.*{source}"):
        load_tables(source, kinds={"age": "category"})
    with pytest.raises(ValueError, match="columns of your own.*rows"):
        load_tables(load_tables({"a": [1]}), kinds={"a": "category"})


# What a cell means.


def test_what_is_missing_is_told_in_any_case():
    missing = [*tables.MISSING, "NaN", " NULL ", "N/A", None, np.nan]
    assert all(map(tables.is_missing, missing))
    assert not any(map(tables.is_missing, [0, "0", "nano", "-", False]))
    assert np.isnan([tables.number(x) for x in missing]).all()
    assert {tables.category(x) for x in missing} == {""}


def test_a_number_is_written_with_digits_and_a_point():
    good = {"12": 12, " -1.5 ": -1.5, ".5": 0.5, "1.": 1, "+2e-1": 0.2}
    for text, value in good.items():
        assert tables.number(text) == value
    assert tables.number(np.float32(0.5)) == 0.5
    assert tables.number(np.int64(7)) == 7
    wrong = ["1,234", "1_000", "0x1", "inf", "1e999", "1 2", "x", True, b"1"]
    for cell in [*wrong, np.inf, 10**400, [1]]:
        with pytest.raises(ValueError, match="digits and a point"):
            tables.number(cell)


def test_a_category_is_a_word_or_a_number_without_a_useless_point():
    cells = [" Ab ", 3, 3.0, np.float64(2.5), True, np.bool_(False)]
    words = [tables.category(cell) for cell in cells]
    assert words == ["Ab", "3", "3", "2.5", "True", "False"]


# What the data say of themselves.


def test_both_parts_have_the_combinations_in_proportion():
    data = grown()
    assert len(np.unique(data.strata)) == 6
    train, test = data.divide(0.2)
    for part, rows in ((train, 160), (test, 40)):
        assert len(part) == rows and part.targets == ["two", "three"]
        pairs = list(zip(part.columns["two"], part.columns["three"]))
        for pair in set(pairs):
            share = (1 / 4 if pair[0] == "yes" else 3 / 4) / 3
            assert pairs.count(pair) == pytest.approx(share * rows, abs=1.01)
    assert data.how_cut == "stratified"


def test_rare_combinations_leave_the_first_target_and_else_nothing():
    assert len(np.unique(grown(60).strata)) == 2
    assert grown(30).strata is None and grown(30).how_cut == "at random"
    data = grown()
    numbers = data.answering(["x"])
    assert numbers.strata is None
    both = data.answering(["x", "three"])
    assert len(np.unique(both.strata)) == 3
    few = load_tables({"a": [n % 5 for n in range(60)]}, targets="a")
    assert len(np.unique(few.strata)) == 5


@pytest.mark.parametrize("count", [1, 3, 5])
def test_a_part_may_be_smaller_than_the_combinations(count):
    data = grown(61)
    first, second = data.divide(count / 61)
    assert (len(first), len(second)) == (61 - count, count)
    assert first.targets == second.targets == data.targets
    assert sorted([*first.columns["x"], *second.columns["x"]]) == sorted(
        data.columns["x"]
    )


def test_takes_rows_from_every_column(tmp_path):
    data = whole(CSV, tmp_path, targets="pay")
    part = data.take(np.array([3, 0]))
    assert part.columns["pay"].tolist() == ["high", "low"]
    np.testing.assert_array_equal(part.columns["age"], [np.nan, 39])
    assert part.lines.tolist() == [5, 2]
    assert part.where(0).startswith("in line 5 of ")
    assert grown().where(3) == "at place 3"


def test_every_cell_counts_in_the_digest():
    data = load_tables({"a": ["xy", "z"], "b": [1.0, np.nan]})
    others = [
        {"a": ["x", "yz"], "b": [1.0, np.nan]},
        {"a": ["xy", "z"], "b": [1.0, 2.0]},
        {"a": ["xy", "z"], "c": [1.0, np.nan]},
        {"b": [1.0, np.nan], "a": ["xy", "z"]},
        {"a": ["xy", ""], "b": [1.0, np.nan]},
    ]
    digests = {load_tables(other).sha256() for other in others}
    assert len(digests) == 5 and data.sha256() not in digests
    assert data.take([1, 0]).sha256() != data.sha256()
    assert data.take(slice(0, 2)).sha256() == data.sha256()


def test_says_what_was_read():
    data = grown(20)
    assert data.found() == (
        "rows, all: 20 rows of 3 columns, to answer two (no 15, yes 5), "
        "three (class 0 7, class 1 7, class 2 6)"
    )
    numbers = load_tables({"x": np.arange(30.0), "y": [0, 1] * 15})
    assert numbers.found() == "rows, all: 30 rows of 2 columns"
    found = numbers.answering(["x", "y"]).found()
    assert found.endswith("to answer x 0 to 29, y (0 15, 1 15)")
    said = dataclasses.replace(data, name="adult", version="1").describe()
    assert said["licence_class"] == "A" and json.dumps(said)
    assert data.describe()["licence_class"] is None


@needs_public("adult")
def test_a_real_set_is_cut_in_two():
    train, test = load_tables("adult"), load_tables("adult", "test")
    assert isinstance(test, TableData)
    assert (len(train), len(test)) == (24_129, 6_033)
    assert test.targets == ["income", "marital"] and len(test.columns) == 14
    assert test.split == "20% of train (stratified, seed 0)"
    assert test.version == "1.0.0"
    assert test.describe()["licence_class"] == "A"


def test_numbers_with_commas_are_refused_beside_a_few_words_too():
    cells = ["1"] * 60 + ["1,234"] * 39 + ["unknown"]
    with pytest.raises(ValueError, match="without commas.*'1,234'.*place 60"):
        load_tables({"price": cells, "y": ["a", "b"] * 50})
    few = ["red"] * 50 + ["1,234"] * 10 + ["5"] * 40  # words, after all
    assert load_tables({"x": few}).columns["x"][0] == "red"
