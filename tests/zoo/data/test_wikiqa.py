"""WikiQA as tensorflow-datasets reads it, shown on pairs of our own."""

import pytest

from tests.public_data import needs_public
from zoo.data.pairs import load_pairs

tfds = pytest.importorskip("tensorflow_datasets")

from zoo.data.wikiqa import WikiQA  # noqa: E402

LINES = [
    'who made the " blue " kite ?\tOur aunt made it – of silk .\t1',
    'who made the " blue " kite ?\tKites fly in autumn .\t0',
    *(f"where is kite {at} ?\tIt hangs in a tree .\t0" for at in range(9)),
]


def write(folder, name, *lines, end="\n"):
    path = folder / "downloads" / "manual" / "wikiqa" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(end.join([*lines, ""]).encode())


def prepared(folder):
    builder = WikiQA(data_dir=folder)
    builder.download_and_prepare()
    return builder


def test_reads_upstream_files_in_their_order(tmp_path):
    write(tmp_path, "WikiQA-train.txt", *LINES)
    write(tmp_path, "WikiQA-test.txt", LINES[1], end="\r\n")
    builder = prepared(tmp_path)
    rows = list(builder.as_dataset(split="train").as_numpy_iterator())
    assert [
        "\t".join(
            (row["question"].decode(), row["candidate"].decode())
            + (str(row["label"]),)
        )
        for row in rows
    ] == LINES
    assert builder.info.features["label"].names == ["wrong", "right"]
    assert builder.info.full_name == "wikiqa/1.0.0"
    assert set(builder.info.splits) == {"train", "test"}


def test_the_development_part_is_read_where_there_is_one(tmp_path):
    for name in ("train", "dev", "test"):
        write(tmp_path, f"WikiQA-{name}.txt", *LINES)
    splits = prepared(tmp_path).info.splits
    assert set(splits) == {"train", "validation", "test"}
    assert splits["validation"].num_examples == len(LINES)


@pytest.mark.parametrize(
    "line, why",
    [
        ("who ?\tA kite .", "3 columns.*WikiQA-train.txt, line 12: 'who"),
        ("who ?\t \t1", "none empty.*WikiQA-train.txt, line 12"),
        ("who ?\tA kite .\tyes", "`label`.*'yes' in .*-train.txt, line 12"),
    ],
)
def test_refuses_a_malformed_line(line, why, tmp_path):
    write(tmp_path, "WikiQA-train.txt", *LINES, line)
    write(tmp_path, "WikiQA-test.txt", *LINES)
    with pytest.raises(ValueError, match=why):
        prepared(tmp_path)


def test_a_missing_file_is_told_with_what_to_do(tmp_path):
    write(tmp_path, "WikiQA-train.txt", *LINES)
    with pytest.raises(
        FileNotFoundError, match="aka.ms/WikiQA.*no .*WikiQA-test.txt"
    ):
        prepared(tmp_path)


@needs_public("wikiqa")
def test_the_real_files_are_whole():
    builder = WikiQA()
    builder.download_and_prepare()
    for part, count in (("train", 20360), ("test", 2351)):
        assert builder.info.splits[part].num_examples == count


def test_an_empty_folder_of_downloads_says_what_to_do(tmp_path, monkeypatch):
    # The variable of the shell counted when the package was imported.
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="aka.ms/WikiQA.*Received: Man"):
        load_pairs("wikiqa")
