"""What examples of every kind have in common, shown on numbers."""

import dataclasses
import gzip

import numpy as np
import pytest

from zoo.data import (
    captions,
    examples,
    folders,
    images,
    labelled,
    pairs,
    questions,
    region_captions,
    tables,
    texts,
)
from zoo.data.batches import Batches

ONE_IMAGE = np.zeros((200, 300, 3), "uint8")
LOADED = {
    "ImageData": lambda: images.load_images(([ONE_IMAGE] * 4, list("abab"))),
    "TextData": lambda: texts.load_texts((["word " * 99] * 4, list("abab"))),
    "PairData": lambda: pairs.load_pairs(
        ([("word " * 99, "word " * 99)] * 4, list("abab"))
    ),
    "CaptionData": lambda: captions.load_captions(
        ([ONE_IMAGE] * 4, ["word " * 99] * 4)
    ),
    "RegionCaptionData": lambda: region_captions.load_region_captions(
        ([ONE_IMAGE] * 4, [[(0, 0, 1, 1)]] * 4, ["word " * 99] * 4)
    ),
    "QuestionData": lambda: questions.load_questions(
        ([{"image": ONE_IMAGE, "question": "word " * 99}] * 4, list("abab"))
    ),
    "TableData": lambda: tables.load_tables(
        {"size": np.arange(4.0), "words": ["word " * 99] * 4}
    ),
}


@dataclasses.dataclass(repr=False)
class Numbers(examples.Examples):
    numbers: object
    labels: np.ndarray
    label_names: list
    name: str = "numbers"
    split: str = "all"
    version: str | None = None

    @staticmethod
    def as_bytes(raw):
        return bytes([raw])


def numbers(count=20, kind=list):
    return Numbers(kind(range(count)), np.arange(count) % 2, ["even", "odd"])


def batches_of(data, batch_size, shuffle=False, seed=0):
    def read(indices, epoch, place):
        return np.asarray(data.raws)[indices] + 1000 * epoch

    return Batches(
        len(data), read, data.labels, None, batch_size, shuffle, seed
    )


@pytest.mark.parametrize("kind", LOADED)
def test_at_the_prompt_it_is_one_short_line(kind):
    data = LOADED[kind]()
    said = repr(data)
    assert said.startswith(f"<{kind} {data.name}, {data.split}: 4 ")
    assert len(said) < 200 and "\n" not in said


def test_a_class_says_at_the_prompt_how_often_it_occurs():
    assert repr(numbers(5)) == (
        "<Numbers numbers, all: 5 examples of 2 classes (even 3, odd 2)>"
    )


@pytest.mark.parametrize("kind", [list, lambda r: np.array(r)])
def test_takes_what_is_asked_for_in_that_order(kind):
    taken = numbers(kind=kind).take([7, 2])
    assert list(taken.raws) == [7, 2] and taken.labels.tolist() == [1, 0]
    assert isinstance(taken.raws, type(kind([1])))
    assert taken.label_names == ["even", "odd"] and len(taken) == 2


def test_divides_classes_in_proportion_without_overlap():
    for seed in range(4):
        first, second = numbers().divide(0.2, seed)
        assert np.bincount(second.labels).tolist() == [2, 2]
    assert sorted(first.raws + second.raws) == list(range(20))
    assert numbers().divide(0.2, seed)[1].raws == second.raws
    assert numbers().divide(0.2, seed=9)[1].raws != second.raws
    with pytest.raises(ValueError, match="fraction=1"):
        numbers().divide(1)


def test_samples_every_class_alike_and_never_more_than_there_are():
    assert np.bincount(numbers().sample(8).labels).tolist() == [4, 4]
    assert len(numbers().sample(100)) == 20
    # 7 / 25 * 25 is a little more than 7.
    assert len(numbers(25).sample(7)) == 7


@pytest.mark.parametrize("places", [[0, 1, 2, 3], [*range(0, 20, 2), 1]])
def test_says_what_it_takes_to_be_divided(places):
    with pytest.raises(ValueError, match="two examples of every class"):
        numbers().take(places).divide(0.2)


def test_its_number_tells_contents_order_and_labels():
    data = numbers()
    same = numbers(kind=lambda r: np.array(r))
    assert data.sha256() == same.sha256()
    others = [
        data.take(np.arange(19)),
        data.take(np.arange(20)[::-1]),
        dataclasses.replace(data, labels=1 - data.labels),
        dataclasses.replace(data, numbers=[*range(19), 21]),
    ]
    assert len({data.sha256(), *(each.sha256() for each in others)}) == 5


def test_a_set_in_one_part_is_cut_and_says_so():
    train, test = (examples.cut(numbers(), s) for s in ("train", "test"))
    assert (len(train), len(test)) == (16, 4)
    assert sorted(train.raws + test.raws) == list(range(20))
    assert train.split == "80% (stratified, seed 0)"
    part = dataclasses.replace(numbers(), split="test")
    assert examples.cut(part, "test").split == (
        "20% of test (stratified, seed 0)"
    )


def test_a_part_says_how_it_was_cut():
    @dataclasses.dataclass
    class Halves(Numbers):
        how_cut = "in halves"

        def _cut(self, count, seed):
            places = np.arange(len(self))
            return self.take(places[:-count]), self.take(places[-count:])

    halves = Halves(list(range(5)), np.arange(5) % 2, ["even", "odd"])
    test = examples.cut(halves, "test")
    assert test.raws == [4] and test.split == "20% (in halves, seed 0)"
    assert [part.raws for part in halves.divide(0.4)] == [[0, 1, 2], [3, 4]]


def test_a_batch_depends_on_seed_epoch_and_place_alone():
    one = batches_of(numbers(), 8, shuffle=True, seed=1)
    other = batches_of(numbers(), 8, shuffle=True, seed=1)
    one[0], one[1]  # what came before must not matter
    np.testing.assert_array_equal(one[2][0], other[2][0])
    np.testing.assert_array_equal(one[2][1], one[2][0] % 2)
    one.epoch = 1
    assert (one[0][0] % 1000 != other[0][0]).any()
    assert (batches_of(numbers(), 8, True, 2)[0][0] != other[0][0]).any()


def test_an_epoch_sees_every_example_once():
    batches = batches_of(numbers(), 8, shuffle=True)
    assert [len(batches[place][0]) for place in range(len(batches))] == [
        8,
        8,
        4,
    ]
    seen = np.concatenate([batches[place][0] for place in range(3)])
    assert sorted(seen) == list(range(20)) and seen.tolist() != sorted(seen)
    assert batches_of(numbers(), 8)[1][0].tolist() == list(range(8, 16))


def test_numbers_classes_by_their_sorted_names():
    places, names = labelled.number_classes(["b", "a", "b"], 3, "numbers")
    assert places.tolist() == [1, 0, 1] and names == ["a", "b"]
    column = np.array([[7], [2], [7]])
    places, names = labelled.number_classes(column, 3, "numbers")
    assert places.tolist() == [1, 0, 1] and names == ["2", "7"]
    with pytest.raises(ValueError, match=r"3 numbers, labels of shape \(2,\)"):
        labelled.number_classes([1, 2], 3, "numbers")
    with pytest.raises(ValueError, match=r"two classes.*\['1'\]"):
        labelled.number_classes([1, 1], 2, "numbers")


def test_finds_the_part_of_a_folder(tmp_path):
    assert folders.part_of_folder(tmp_path, "train") is None
    (tmp_path / "train").mkdir()
    (tmp_path / "test").touch()  # a file is no part of folders
    assert folders.part_of_folder(tmp_path, "train").name == "train"
    assert folders.part_of_folder(tmp_path, "train", ".csv") is None
    with pytest.raises(
        ValueError, match=r"`train/` must have `test/` or `validation/`"
    ):
        folders.part_of_folder(tmp_path, "test")
    (tmp_path / "validation").mkdir()
    assert folders.part_of_folder(tmp_path, "test").name == "validation"
    for name in ("train.csv", "test.csv", "validation.csv"):
        (tmp_path / name).touch()
    assert folders.part_of_folder(tmp_path, "test", ".csv").name == "test.csv"


def test_refuses_another_part():
    examples.check_split("train")
    with pytest.raises(ValueError, match="split='dev'"):
        examples.check_split("dev")


def test_reads_a_file_as_it_is(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes("\ufeffé\r\nb\u2028c\r".encode())
    assert examples.read_file(path) == "é\r\nb\u2028c\r"
    path.write_bytes(b"a\nb\n\xe9")
    with pytest.raises(ValueError, match=r"text.txt, line 3: .*position 4"):
        examples.read_file(path)


def test_reads_a_compressed_file(tmp_path):
    path = tmp_path / "text.gz"
    packed = gzip.compress("é\r\nb".encode())
    path.write_bytes(packed)
    assert examples.read_file(path) == "é\r\nb"
    path.write_bytes(gzip.compress(b"a\n\xe9"))
    with pytest.raises(ValueError, match="UTF-8.*text.gz, line 2"):
        examples.read_file(path)
    for broken in (b"no gzip", packed[:-3], packed[:12] + b"\xff" * 9):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match="and whole.*text.gz"):
            examples.read_file(path)


COLUMNS = {"count": int, "word": {"a": "one", '"b': "two"}.__getitem__}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("header", [True, False])
def test_reads_columns_that_tabs_part(tmp_path, header, end):
    path = tmp_path / "columns.txt"
    lines = ["1\ta", "", '-2\t"b', ""]
    path.write_bytes(end.join(["count\tword"] * header + lines).encode())
    found = examples.read_columns(path, COLUMNS, header)
    assert list(found) == [[1, "one"], [-2, "two"]]


@pytest.mark.parametrize(
    "content, why",
    [
        ("word\tcount\n1\ta", "name the columns .*'word'.*line 1: 'word"),
        ("count\tword\n1", "2 columns with tabs.*columns.txt, line 2: '1'"),
        ("count\tword\n1\ta\n1\t ", "none empty.*columns.txt, line 3"),
        ("count\tword\n1\ta\tb", "2 columns with tabs.*line 2"),
        ("count\tword\n1.5\ta", "`count`.*'1.5' in .*columns.txt, line 2"),
        ("count\tword\n1\tb", "`word`.*'b' in .*columns.txt, line 2"),
    ],
)
def test_refuses_columns_that_cannot_be(content, why, tmp_path):
    path = tmp_path / "columns.txt"
    path.write_text(content)
    with pytest.raises(ValueError, match=why):
        list(examples.read_columns(path, COLUMNS))


def test_says_what_to_do_without_an_upstream_file(tmp_path):
    class Builder:
        MANUAL_DOWNLOAD_INSTRUCTIONS = "Ask upstream."

    (tmp_path / "there.txt").touch()
    path = examples.upstream_file(Builder, tmp_path, "there.txt")
    assert path == tmp_path / "there.txt"
    with pytest.raises(FileNotFoundError, match="Ask up.*no .*elsewhere.txt"):
        examples.upstream_file(Builder, tmp_path, "elsewhere.txt")


@pytest.fixture
def offered(tmp_path):
    """Makes a public set of some parts, of so many examples each."""
    tfds = pytest.importorskip("tensorflow_datasets")
    tf = pytest.importorskip("tensorflow")

    def make(**counts):
        texts = {"front": tfds.features.Text(), "back": tfds.features.Text()}
        return tfds.dataset_builders.store_as_tfds_dataset(
            name="offered",
            version="1.0.0",
            features=tfds.features.FeaturesDict({**texts, "kind": np.int32}),
            split_datasets={
                part: tf.data.Dataset.from_tensor_slices(
                    {
                        "front": [f"é {at}" for at in range(count)],
                        "back": [f"{at} {part}" for at in range(count)],
                        "kind": np.arange(count, dtype="int32") % 3,
                    }
                )
                for part, count in counts.items()
            },
            data_dir=tmp_path,
        )

    return make


def test_reads_texts_and_labels_of_a_public_set_side_by_side(offered):
    builder = offered(some=1030)  # more than are read at once
    rows, labels = examples.read_part(
        builder, "some", ("back", "front"), "kind"
    )
    assert len(set(rows)) == len(labels) == 1030 and labels.dtype == "int64"
    for (back, front), label in zip(rows, labels):
        place = int(back.removesuffix(" some"))
        assert front == f"é {place}" and label == place % 3


@pytest.mark.parametrize("label", ["kind", None])
@pytest.mark.parametrize(
    "parts, train, test",
    [
        (("train", "test", "validation"), "train", "test"),
        (("train", "validation", "more"), "train", "validation"),
        (("train", "more"), "80% of train", "20% of train"),
        (("test", "validation"), "80% of test", "20% of test"),
    ],
)
def test_finds_the_part_of_a_public_set(offered, parts, train, test, label):
    builder = offered(**dict.fromkeys(parts, 3))

    def read(part):
        return dataclasses.replace(numbers(), split=part)

    for split, expected in (("train", train), ("test", test)):
        found = examples.read_public(builder, split, label, read).split
        assert found.removesuffix(" (stratified, seed 0)") == expected
