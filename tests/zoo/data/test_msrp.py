"""MSRP as tensorflow-datasets reads it, shown on pairs of our own."""

import pytest

from tests.public_data import needs_public

tfds = pytest.importorskip("tensorflow_datasets")

from zoo.data.msrp import FILES, MSRP  # noqa: E402

NAMES = tuple(FILES.values())
LINES = [
    "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String",
    '1\t31\t32\t"We saw the kite," she said.\tShe said: "We saw it.',
    *(f"0\t{at}\t52\tA goat sings.\tThe kite flies." for at in range(9)),
]


def write(folder, lines, end="\n", names=NAMES):
    manual = folder / "downloads" / "manual" / "msrp"
    manual.mkdir(parents=True)
    for name in names:
        content = end.join([*lines, ""])
        (manual / name).write_bytes(content.encode("utf-8-sig"))


def prepared(folder):
    builder = MSRP(data_dir=folder)
    builder.download_and_prepare()
    return builder


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_reads_upstream_files_in_their_order(end, tmp_path):
    write(tmp_path, LINES, end)
    builder = prepared(tmp_path)
    names = builder.info.features["label"].names
    assert names == ["not_equivalent", "equivalent"]
    for part in ("train", "test"):
        first, *others = builder.as_dataset(split=part).as_numpy_iterator()
        assert first["sentence1"] == b'"We saw the kite," she said.'
        assert first["sentence2"] == b'She said: "We saw it.'
        assert (first["id_1"], first["id_2"], first["label"]) == (31, 32, 1)
        assert [row["id_1"] for row in others] == list(range(9))
        assert {(row["id_2"], row["label"]) for row in others} == {(52, 0)}


@pytest.mark.parametrize(
    "line, why",
    [
        ("1\t71\t72\tA goat.", "5 columns.*msr_paraphrase_train.txt, line 12"),
        ("1\t71\t72\tA goat.\t", "none empty.*_train.txt, line 12: '1"),
        ("2\t71\t72\tA goat.\tA kite.", "`Quality`.*'2' in .*_train.txt, line"),
        ("1\t71\tx\tA goat.\tA kite.", "`#2 ID`.*'x' in .*_train.txt, line 12"),
    ],
)
def test_refuses_a_malformed_line(line, why, tmp_path):
    write(tmp_path, [*LINES, line])
    with pytest.raises(ValueError, match=why):
        prepared(tmp_path)


def test_refuses_a_file_without_its_header(tmp_path):
    write(tmp_path, LINES[1:])
    with pytest.raises(ValueError, match="first line.*_train.txt, line 1"):
        prepared(tmp_path)


def test_a_missing_file_is_told_with_what_to_do(tmp_path):
    write(tmp_path, LINES, names=("msr_paraphrase_train.txt",))
    with pytest.raises(
        FileNotFoundError, match="id=52398.*no .*msr_paraphrase_test.txt"
    ):
        prepared(tmp_path)


@needs_public("msrp")
def test_the_real_files_are_whole():
    builder = MSRP()
    builder.download_and_prepare()
    for part, count in (("train", 4076), ("test", 1725)):
        assert builder.info.splits[part].num_examples == count
