"""A row of a table as an input: the contract, and what is its own."""

import io
import json
import sys

import numpy as np
import pytest

from tests.zoo.contract import check_input
from zoo.cards import PresetError
from zoo.data.tables import load_tables
from zoo.inputs import table_row
from zoo.inputs.table_row import TableRow

JOBS = ["baker", "teacher", "baker", "", "clerk", "baker", "teacher", "smith"]
AGES = [20, 40, None, 60, 20, 40, 60, 40]
PAY = ["low", "high"] * 4
MEAN, DEVIATION = 40.0, (4 * 400 / 7) ** 0.5
ROW = {"age": 60, "job": "baker"}


def people(**other):
    columns = {"age": AGES, "job": JOBS, "pay": PAY, **other}
    return load_tables(columns, targets=["pay"])


def learned(**other):
    return TableRow.learn(people(**other), {})


def known_rows(data):
    """Some of which enough is known for no warning."""
    return [
        {name: values[place] for name, values in data.columns.items()}
        for place in (0, 1, 5)
    ]


WRONG = [
    ("baker", "a dict from column.*'baker'"),
    ([ROW, 3], "a dict from column.*at place 1"),
    ([ROW, {"age": 3}], "column 'job' in the row at place 1"),
    ({"Age": 3, "job": "x"}, r"column 'age'.*near: \['Age'\]"),
    ([ROW, {**ROW, "age": "1,234"}], "commas.*'1,234' in the column 'age', at"),
    ({**ROW, "age": "old"}, "'old' in the column 'age', at place 0"),
    ({**ROW, "age": float("inf")}, "finite.*inf in the column 'age'"),
    ({**ROW, "age": 10**400}, r"finite.*10{49} in the column 'age'"),
    ({**ROW, "age": True}, "finite.*True in the column 'age'"),
    ({**ROW, "age": [60]}, r"finite.*\[60\] in the column 'age'"),
    ({**ROW, "job": ["baker"]}, "a number, a word.*in the column 'job'"),
    ({**ROW, "job": b"baker"}, "a number, a word.*in the column 'job'"),
]


def test_keeps_the_contract():
    data = people(rooms=[1, 2, 3, 4, 5, 6, 7, None], town=["a", "b"] * 4)
    check_input(TableRow.learn(data, {}), data, known_rows(data), WRONG[:1])


@pytest.mark.parametrize("raw, why", WRONG)
def test_a_row_that_does_not_fit_is_refused(raw, why):
    with pytest.raises(ValueError, match=why):
        learned().several(raw)


@pytest.mark.parametrize(
    "left, name", [("age", "numbers"), ("job", "categori")]
)
def test_a_table_may_be_of_one_kind(left, name):
    columns = {"age": AGES, "job": JOBS}
    data = load_tables({left: columns[left], "pay": PAY}, targets=["pay"])
    row = TableRow.learn(data, {})
    assert len(row.tensors()) == 1 and list(row.tensors())[0].startswith(name)
    check_input(row, data, known_rows(data))


def test_numbers_are_standardised_and_say_whether_they_are_missing():
    row = learned()
    assert row.columns[0] == {
        "name": "age",
        "kind": "number",
        "mean": MEAN,
        "deviation": pytest.approx(DEVIATION),
    }
    cells = [40, "60", None, " 20.0 ", "?", np.float32(40), np.nan]
    arrays = row.arrays([{"age": cell, "job": ""} for cell in cells])
    step = 20 / DEVIATION
    standard, missing = arrays["numbers"].T
    np.testing.assert_allclose(
        standard, [0, step, 0, -step, 0, 0, 0], rtol=1e-6
    )
    assert missing.tolist() == [0, 0, 1, 0, 1, 0, 1]
    assert row.sizes() == {"num_numbers": 2, "category_sizes": [4]}


def test_the_flags_stand_behind_all_numbers():
    row = learned(rooms=[1, 2, 3, 4, 5, 6, 7, 8])
    (found,) = row.arrays([{"age": 60, "job": "x", "rooms": None}])["numbers"]
    np.testing.assert_allclose(found, [20 / DEVIATION, 0, 0, 1], rtol=1e-6)


def test_numbers_that_are_all_alike_tell_nothing():
    # Their deviation comes out as 1e-17, by which nothing may be divided.
    assert np.std([0.1] * 12) > 0
    data = load_tables({"x": [0.1] * 12, "pay": PAY + PAY[:4]}, targets="pay")
    (column,) = TableRow.learn(data, {}).columns
    assert column["deviation"] == 1.0
    data = load_tables(
        {"x": [None] * 8, "pay": PAY}, targets="pay", kinds={"x": "number"}
    )
    (column,) = TableRow.learn(data, {}).columns
    assert (column["mean"], column["deviation"]) == (0.0, 1.0)


def test_categories_come_by_how_often_and_once_is_not_enough():
    row = learned()
    assert row.columns[1]["values"] == ["baker", "teacher"]
    words = ["baker", "teacher", "clerk", "", None, "NaN", " baker ", "Baker"]
    ids = row.arrays([{"age": 1, "job": word} for word in words])["categories"]
    assert ids.tolist() == [[2], [3], [1], [0], [0], [0], [2], [1]]


def test_there_is_an_end_to_the_categories(monkeypatch):
    monkeypatch.setattr(table_row, "MOST", 1)
    assert learned().columns[1]["values"] == ["baker"]
    long = ["x" * 1001] * 6 + ["y" * 1000] * 2
    assert learned(text=long).columns[-1]["values"] == ["y" * 1000]


def test_the_targets_are_not_read():
    data = people(rooms=[3, 4] * 4)
    row = TableRow.learn(data, {})
    assert [x["name"] for x in row.columns] == ["age", "job", "rooms"]
    known, other = dict(ROW, rooms=3), dict(ROW, rooms=3, pay="high", more=[])
    for name, array in row.arrays([known]).items():
        np.testing.assert_array_equal(array, row.arrays([other])[name])
    row.several(other)
    with pytest.raises(ValueError, match="beside its targets"):
        TableRow.learn(load_tables({"pay": PAY}, targets="pay"), {})


def test_says_what_is_missing_and_what_is_new():
    row = learned(town=["a", "b"] * 4)
    asked = [
        {"age": None, "job": "baker", "town": "a"},
        {"age": 3, "job": "Clerk", "town": "a"},
        {"age": 3, "job": "baker", "town": "b"},
    ]
    assert row.notes(asked, {}) == [
        {"missing": ["age"], "unseen": []},
        {"missing": [], "unseen": ["job"]},
        {"missing": [], "unseen": []},
    ]
    shown = list(map(row.shown, asked, row.notes(asked, {})))
    assert shown[0] == "job baker, town a [missing: age]"
    assert shown[1] == "age 3, job Clerk, town a [unseen: job]"
    assert shown[2] == "age 3, job baker, town b"


def test_warns_once_if_most_of_a_row_is_not_known():
    row = learned(town=["a", "b"] * 4)
    strange = {"age": None, "job": "pilot", "town": "a"}
    with pytest.warns(UserWarning) as warned:
        row.notes([strange, {**ROW, "town": "a"}, strange], {})
    (message,) = warned
    assert "2 of 3 rows" in str(message.message)
    assert "'pilot'" not in str(message.message)  # the columns, not the cells
    assert "['age']" in str(message.message)
    assert "['job']" in str(message.message)


def test_a_long_row_is_shown_by_its_first_columns():
    more = {f"town {n}": ["a", "b"] * 4 for n in range(5)}
    row = learned(**more)
    raw = {"age": 3, "job": "?", **dict.fromkeys(more, "a")}
    note = {"missing": ["job"], "unseen": [*more][:4]}
    assert row.shown(raw, note) == (
        "age 3, town 0 a, town 1 a, town 2 a, ... "
        "[missing: job; unseen: town 0, town 1, town 2 and 1 more]"
    )
    nothing = dict.fromkeys(raw)
    noted = {"missing": list(raw), "unseen": []}
    assert row.shown(nothing, noted).startswith("(nothing) [missing: age, job")


# Data whose columns are not those of training.


def test_a_renamed_column_is_told():
    data = load_tables({"AGE": AGES, "job": JOBS, "pay": PAY})
    with pytest.raises(ValueError, match="column 'age' in the data 'rows'"):
        learned().reader(data)


def test_words_where_there_were_numbers_are_told_with_their_line(tmp_path):
    text = "age,job\n3,baker\nold,baker\nyoung,clerk\n"
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text(text)
    data = load_tables(tmp_path, "test")
    with pytest.raises(ValueError, match="'age' .*numbers.*'old' in line 3 of"):
        learned().reader(data)


def test_numbers_may_be_read_as_words_and_nothing_known_as_either():
    codes = ["1", "2", "2", "1", "x", "x", "x", "1"]
    row = learned(code=codes)
    digits = people(code=[2, 1, 2, 7, 1, 2, None, 2])
    assert digits.columns["code"].dtype == "float64"
    ids = row.reader(digits)(np.arange(8), 0, 0)["categories"][:, 1]
    known = row.ids["code"]
    assert ids.tolist() == [
        *[known["2"], known["1"], known["2"], 1],
        *[known["1"], known["2"], 0, known["2"]],
    ]
    # Of a column of which nothing is known, nothing says what it held.
    nothing = load_tables({"age": [None] * 8, "job": JOBS})
    assert nothing.columns["age"].dtype == "object"
    numbers = learned().reader(nothing)(np.arange(8), 0, 0)["numbers"]
    np.testing.assert_array_equal(numbers, [[0, 1]] * 8)


def test_codes_that_numbers_cannot_tell_must_be_declared():
    kinds = {"code": "category"}
    columns = {"age": AGES, "code": ["01", "1"] * 4, "pay": PAY}
    data = load_tables(columns, targets="pay", kinds=kinds)
    row = TableRow.learn(data, {})
    with pytest.raises(ValueError, match="'01'.*kinds={'code': \"category\"}"):
        row.reader(load_tables(columns))
    row.reader(load_tables(columns, kinds=kinds))


def test_rows_are_not_augmented():
    with pytest.raises(ValueError, match="leave `augment` empty.*'flip'"):
        learned().reader(people(), ["flip"])


# Served.


def test_an_export_reads_cells_as_they_are_read_here():
    tf = pytest.importorskip("tensorflow")
    row = learned()
    words = ["baker", " teacher ", "Baker", "", "NaN", " nUlL", "?", "pilot"]
    ages = [20, 40.5, np.nan, -1e6, 0, 1e6, 60, 39.999]
    raws = [
        {"age": None if np.isnan(age) else float(np.float32(age)), "job": word}
        for age, word in zip(ages, words)
    ]
    tensors, flags = row.tensorflow()(
        age=tf.constant(ages, "float32"), job=tf.constant(words)
    )
    assert flags == {}
    for name, array in row.arrays(raws).items():
        np.testing.assert_allclose(tensors[name], array, rtol=1e-6)


def test_small_differences_of_large_numbers_are_kept():
    tf = pytest.importorskip("tensorflow")
    years = [946_684_800 + 64 * n for n in range(8)]
    row = learned(second=years)
    served = np.array(years, "float32")
    tensors, _ = row.tensorflow()(
        age=tf.fill([8], 40.0),
        job=tf.fill([8], "baker"),
        second=tf.constant(served),
    )
    raws = [dict(ROW, age=40, second=float(x)) for x in served]
    expected = row.arrays(raws)["numbers"]
    np.testing.assert_allclose(tensors["numbers"], expected, rtol=1e-6)
    assert len(np.unique(expected[:, 1])) == 8


def test_any_white_space_around_a_word_is_left_out_of_an_export_too():
    tf = pytest.importorskip("tensorflow")
    row = learned()
    spaces = [c for c in map(chr, range(0x3001)) if c.isspace()]
    words = [
        word
        for c in spaces
        for word in (f"{c}{c}baker{c}", c, f"NA{c}", f"x{c}x")
    ]
    raws = [{"age": 40, "job": word} for word in words]
    tensors, _ = row.tensorflow()(
        age=tf.fill([len(words)], 40.0), job=tf.constant(words)
    )
    np.testing.assert_array_equal(
        tensors["categories"], row.arrays(raws)["categories"]
    )
    assert tensors["categories"].numpy()[:4, 0].tolist() == [2, 0, 0, 1]


@pytest.mark.parametrize(
    "step, dtype", [(1e6, "float32"), (1.0, "float64"), (1e50, "float64")]
)
def test_numbers_are_served_in_as_many_bits_as_they_need(step, dtype):
    row = learned(second=[1.7e9 + step * n for n in range(8)])
    assert row.served()["second"] == dtype
    columns, raws = row.requests(row.golden())
    assert columns["second"].dtype == dtype
    arrays = row.arrays(raws)["numbers"]
    np.testing.assert_allclose(arrays, row.golden()["numbers"], atol=1e-3)


@pytest.mark.parametrize("values", [[1e200, -1e200] * 4, [0.0, 1e-320] * 4])
def test_numbers_without_a_deviation_in_64_bits_are_refused(values):
    with pytest.raises(ValueError, match="another unit.*the column 'second'"):
        learned(second=values)


def test_foreign_names_of_columns_are_made_safe():
    names = ["self", "class", "2nd", "_x", "a b", "a/b", "é"]
    data = load_tables({**{x: JOBS for x in names}, "pay": PAY}, targets="pay")
    row = TableRow.learn(data, {})
    safe = ["x_self", "x_class", "x_2nd", "x__x", "a_b", "a_b_2", "x__"]
    assert list(row.served()) == safe
    assert set(row.served().values()) == {"string"}
    check_input(row, data, known_rows(data))
    told = json.loads(row.files()["columns.json"])
    assert [column["name"] for column in told.values()] == names
    assert list(told) == safe


def test_extremes_are_missing_unseen_and_the_last():
    row = learned()
    found = row.extremes()
    assert found["numbers"].tolist() == [[0, 1], [100, 0], [-100, 0]]
    assert found["categories"].tolist() == [[0], [1], [3]]
    _, raws = row.requests(found)
    assert raws[0] == {"age": None, "job": ""}
    assert raws[2]["job"] == "teacher" and raws[1]["job"] not in JOBS
    for name, array in row.arrays(raws).items():
        np.testing.assert_allclose(array, found[name], rtol=1e-6)


# Kept.


NUMBER = {"name": "age", "kind": "number", "mean": 0.0, "deviation": 1.0}
WORDS = {"name": "job", "kind": "category", "values": ["a", "b"]}


@pytest.mark.parametrize(
    "columns",
    [
        [],
        {"age": NUMBER},
        ["age"],
        [{**NUMBER, "kind": "date"}],
        [{**NUMBER, "kind": ["number"]}],
        [{**NUMBER, "more": 1}],
        [{"name": "age", "kind": "number", "mean": 0.0}],
        [{**NUMBER, "name": ""}],
        [{**NUMBER, "name": 3}],
        [{**NUMBER, "name": "x" * 1001}],
        [{**NUMBER, "mean": "0"}],
        [{**NUMBER, "mean": True}],
        [{**NUMBER, "mean": float("nan")}],
        [{**NUMBER, "mean": 10**400}],
        [{**NUMBER, "deviation": 0}],
        [{**NUMBER, "deviation": -1.0}],
        [{**NUMBER, "deviation": float("inf")}],
        [NUMBER, NUMBER],
        [{**WORDS, "values": "ab"}],
        [{**WORDS, "values": ["a", 3]}],
        [{**WORDS, "values": ["a", "a"]}],
        [{**WORDS, "values": ["a", ""]}],
        [{**WORDS, "values": ["x" * 1001]}],
    ],
)
def test_a_strangers_columns_are_checked(columns):
    with pytest.raises((PresetError, TypeError)):
        TableRow.from_card({}, {"columns": columns})


def test_a_column_may_have_no_category_that_is_known():
    made = TableRow.from_card({}, {"columns": [{**WORDS, "values": []}]})
    assert made.sizes()["category_sizes"] == [2]
    assert made.extremes()["categories"].tolist() == [[0], [1], [1]]


# From the command line.


def test_rows_come_from_files_and_from_standard_input(tmp_path, monkeypatch):
    path = tmp_path / "rows.csv"
    path.write_text("job,age,more\nbaker,20,x\n,?,y\n", "utf-8")
    stdin = io.StringIO("\ufeffage,job\n60,teacher\n")
    monkeypatch.setattr(sys, "stdin", stdin)
    row = learned()
    found = row.from_shell([str(path), "-"], {})
    assert found == [
        {"job": "baker", "age": "20", "more": "x"},
        {"job": "", "age": "?", "more": "y"},
        {"age": "60", "job": "teacher"},
    ]
    arrays = row.arrays(row.several(found)[1])
    assert arrays["categories"].tolist() == [[2], [0], [3]]
    assert arrays["numbers"][:, 1].tolist() == [0, 1, 0]


def test_a_file_of_rows_may_have_any_delimiter_and_encoding(
    tmp_path, monkeypatch
):
    row, found = learned(), [{"job": "bäcker", "age": "20"}]
    path = tmp_path / "rows.tsv"
    path.write_text("job\tage\nbäcker\t20\n", "utf-8")
    assert row.from_shell([str(path)], {}) == found
    # By the columns that the model reads, it is the semicolon.
    odd = tmp_path / "odd.csv"
    odd.write_text("a,b;job;age,c\n1,2;x;3,4\n", "utf-8")
    with pytest.raises(ValueError, match="delimiter"):
        row.from_shell([str(odd)], {})
    odd.write_bytes("job:age\nbäcker:20\n".encode("cp1252"))
    options = {"delimiter": ":", "encoding": "cp1252"}
    assert row.from_shell([str(odd)], options) == found
    stdin = io.TextIOWrapper(io.BytesIO(odd.read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert row.from_shell(["-"], options) == found
    with pytest.raises(ValueError, match="encoding='utf-9'"):
        row.from_shell([str(odd)], {"encoding": "utf-9"})
    with pytest.raises(ValueError, match="something to answer: FILE.csv"):
        row.from_shell([], options)


@pytest.mark.parametrize(
    "text, why",
    [
        ("Age,job\n3,x\n", r"column 'age' in .*rows.csv.*near: \['Age'\]"),
        (
            'age,job\n3,x\n"1,234",y\n',
            "commas.*'1,234' in the column 'age', in .*rows.csv, line 3",
        ),
        ("age,job\n3,x\n4\n", "2 columns.*1 columns in .*rows.csv, line 3"),
        ("age,job\n", "a row at least.*rows.csv"),
    ],
)
def test_a_file_that_does_not_fit_is_told_with_its_line(text, why, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=why):
        learned().from_shell([str(path)], {})


def test_a_file_must_be_there():
    with pytest.raises(FileNotFoundError, match="'nowhere.csv', no such file"):
        learned().from_shell(["nowhere.csv"], {})
