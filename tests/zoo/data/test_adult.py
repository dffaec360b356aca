"""Adult as tensorflow-datasets reads it, shown on people of our own."""

import numpy as np
import pytest

from tests.public_data import needs_public
from zoo.data.tables import load_tables

tfds = pytest.importorskip("tensorflow_datasets")

from zoo.data.adult import COLUMNS, TARGETS, Adult  # noqa: E402

HEADER = (
    "age,type_employer,fnlwgt,education,education_num,marital,occupation,"
    "relationship,race,sex,capital_gain,capital_loss,hr_per_week,country,income"
)
LINES = [
    HEADER,
    "31,State,5,Masters,14,Never-married,Sales,Own-child,Black,Male,7,0,40,"
    "Peru,>50K",
    "57,?,6,10th,6,Divorced,Sales,Unmarried,White,Female,0,0.5,12,Cuba,<=50K",
    *(
        f"{20 + at},Local,7,10th,6,Widowed,Craft,Wife,White,Female,0,0,{at},"
        "Iran,<=50K"
        for at in range(18)
    ),
]


def write(folder, lines, end="\n"):
    manual = folder / "downloads" / "manual" / "adult"
    manual.mkdir(parents=True)
    content = end.join([*lines, ""])
    (manual / "adult.data.csv").write_bytes(content.encode())


def prepared(folder):
    builder = Adult(data_dir=folder)
    builder.download_and_prepare()
    return builder


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_reads_the_file_in_its_order(end, tmp_path):
    write(tmp_path, LINES, end)
    builder = prepared(tmp_path)
    assert builder.info.full_name == "adult/1.0.0"
    rows = list(builder.as_dataset(split="train").as_numpy_iterator())
    assert [row["age"] for row in rows] == [31, 57, *range(20, 38)]
    assert list(rows[0]) == sorted(COLUMNS) and "fnlwgt" not in rows[0]
    assert rows[0]["income"] == b">50K" and rows[1]["income"] == b"<=50K"
    assert rows[0]["marital"] == b"Never-married"
    assert rows[1]["capital_loss"] == 0.5
    assert rows[1]["capital_loss"].dtype == "float32"


def test_both_parts_are_cut_from_it(tmp_path, monkeypatch):
    write(tmp_path, LINES)
    # The variable of the shell counted when the package was imported.
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    train, test = load_tables("adult"), load_tables("adult", "test")
    assert (len(train), len(test)) == (16, 4)
    assert train.targets == list(TARGETS) == ["income", "marital"]
    assert list(train.columns) == list(COLUMNS)
    assert train.split == "80% of train (at random, seed 0)"
    assert train.version == "1.0.0" and train.place is None
    words = {*train.columns["type_employer"], *test.columns["type_employer"]}
    assert words == {"State", "", "Local"}
    ages = np.concatenate([train.columns["age"], test.columns["age"]])
    assert sorted(ages) == [*range(20, 32), 31, *range(32, 38), 57]
    one = load_tables("adult", "test", targets=["sex"])
    assert one.targets == ["sex"] and one.sha256() == test.sha256()


@pytest.mark.parametrize(
    "line, why",
    [
        (LINES[1].replace("31", "young"), "'young'.*adult.data.csv, line 22"),
        (LINES[1].rpartition(",")[0], "another length.*csv, line 22"),
        (LINES[1] + ",more", "another length.*csv, line 22"),
    ],
)
def test_refuses_a_malformed_line(line, why, tmp_path):
    write(tmp_path, [*LINES, line])
    with pytest.raises(ValueError, match=why):
        prepared(tmp_path)


def test_refuses_a_file_without_its_header(tmp_path):
    write(tmp_path, LINES[1:])
    with pytest.raises(ValueError, match="upstream's file.*'age'.*line 2"):
        prepared(tmp_path)


def test_a_missing_file_is_told_with_what_to_do(tmp_path):
    with pytest.raises((FileNotFoundError, AssertionError), match="uci.edu"):
        prepared(tmp_path)


@needs_public("adult")
def test_the_real_file_is_whole():
    builder = Adult()
    builder.download_and_prepare()
    assert builder.info.splits["train"].num_examples == 30_162
    incomes = [
        row["income"]
        for row in builder.as_dataset(split="train").as_numpy_iterator()
    ]
    assert incomes.count(b">50K") == 7_508
    assert incomes.count(b"<=50K") == 30_162 - 7_508
