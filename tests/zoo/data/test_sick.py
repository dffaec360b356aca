"""SICK as tensorflow-datasets reads it, shown on pairs of our own."""

import pytest

from tests.public_data import needs_public

tfds = pytest.importorskip("tensorflow_datasets")

from zoo.data.sick import FILES, SICK  # noqa: E402

NAMES = tuple(FILES.values())
LINES = [
    "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment",
    '3\tA goat "sings"\tAn animal makes a sound\t4.2\tENTAILMENT',
    "8\tA goat sings\tNo goat sings\t3.75\tCONTRADICTION",
    *(
        f"{at}\tA goat sings\tA kite flies\t1\tNEUTRAL"
        for at in range(30, 20, -1)
    ),
]


def write(folder, lines, end="\n", names=NAMES):
    manual = folder / "downloads" / "manual" / "sick"
    manual.mkdir(parents=True)
    for name in names:
        (manual / name).write_bytes(end.join([*lines, ""]).encode())


def prepared(folder):
    builder = SICK(data_dir=folder)
    builder.download_and_prepare()
    return builder


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_reads_upstream_files_in_their_order(end, tmp_path):
    write(tmp_path, LINES, end)
    builder = prepared(tmp_path)
    assert builder.info.features["label"].names == [
        "contradiction",
        "entailment",
        "neutral",
    ]
    for part in ("train", "validation", "test"):
        rows = list(builder.as_dataset(split=part).as_numpy_iterator())
        assert [row["pair_id"] for row in rows] == [3, 8, *range(30, 20, -1)]
        assert [row["label"] for row in rows] == [1, 0] + [2] * 10
        assert rows[0]["sentence_a"] == b'A goat "sings"'
        assert rows[0]["sentence_b"] == b"An animal makes a sound"
        assert rows[1]["relatedness_score"] == 3.75
        assert rows[1]["relatedness_score"].dtype == "float32"


@pytest.mark.parametrize(
    "line, why",
    [
        ("9\tA\tB\t1.0", "5 columns.*SICK_train.txt, line 14: '9"),
        ("9\tA\t\t1.0\tNEUTRAL", "none empty.*SICK_train.txt, line 14"),
        ("9\tA\tB\tfar\tNEUTRAL", "`relatedness_score`.*'far' in .*line 14"),
        ("9\tA\tB\t1.0\tneutral", "`entailment_judgment`.*'neutral' in .*14"),
        (
            "x\tA\tB\t1.0\tNEUTRAL",
            "`pair_ID`.*'x' in .*SICK_train.txt, line 14",
        ),
    ],
)
def test_refuses_a_malformed_line(line, why, tmp_path):
    write(tmp_path, [*LINES, line])
    with pytest.raises(ValueError, match=why):
        prepared(tmp_path)


def test_refuses_a_file_without_its_header(tmp_path):
    write(tmp_path, LINES[1:])
    with pytest.raises(ValueError, match="first line.*SICK_train.txt, line 1"):
        prepared(tmp_path)


def test_a_missing_file_is_told_with_what_to_do(tmp_path):
    write(tmp_path, LINES, names=("SICK_train.txt", "SICK_trial.txt"))
    with pytest.raises(
        FileNotFoundError, match="SemEval.*no .*SICK_test_annotated.txt"
    ):
        prepared(tmp_path)


@needs_public("sick")
def test_the_real_files_are_whole():
    builder = SICK()
    builder.download_and_prepare()
    counts = {"train": 4500, "validation": 500, "test": 4927}
    for part, count in counts.items():
        assert builder.info.splits[part].num_examples == count
