"""Targets of every form, and streams of every kind, read right or refused."""

import itertools

import keras
import numpy as np
import pytest

from zoo.data import labelled
from zoo.data.images import load_images
from zoo.data.pairs import load_pairs
from zoo.data.texts import load_texts

IMAGES = np.arange(5 * 4 * 4 * 3, dtype="uint8").reshape(5, 4, 4, 3)
LABELS = [2, 0, 1, 1, 2]
ONE_HOT = np.eye(3)[LABELS]


class Stream(keras.utils.PyDataset):
    length = 3

    def __len__(self):
        return self.length

    def __getitem__(self, place):
        part = slice(2 * place, 2 * place + 2)
        return IMAGES[part], ONE_HOT[part]


@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize(
    "labels",
    [
        LABELS,
        ONE_HOT,
        ONE_HOT.astype("int32"),
        np.array(LABELS, "float32")[:, None],
    ],
)
def test_a_dataset_of_any_targets_gives_each_image_once(labels, batch):
    tf = pytest.importorskip("tensorflow")
    dataset = tf.data.Dataset.from_tensor_slices((IMAGES, labels))
    data = load_images(dataset.batch(batch) if batch else dataset)
    np.testing.assert_array_equal(data.images, IMAGES)
    assert data.labels.tolist() == LABELS
    assert data.label_names == ["0", "1", "2"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: zip(IMAGES, LABELS),
        lambda: ((x[None], y[None]) for x, y in zip(IMAGES, ONE_HOT)),
        lambda: list(zip(IMAGES, LABELS)),
        lambda: list(zip(IMAGES, ONE_HOT)),
        Stream,
    ],
)
def test_a_stream_of_any_kind_is_read(make):
    data = load_images(make())
    np.testing.assert_array_equal(data.images, IMAGES)
    assert data.labels.tolist() == LABELS


def test_a_batch_of_gray_images_is_no_image():
    data = load_images([(IMAGES[..., 0].repeat(2, 2), np.array(LABELS))])
    assert len(data) == 5


@pytest.mark.parametrize("side", [1, 3, 4])
@pytest.mark.parametrize("one_hot", [False, True])
def test_a_batch_of_narrow_gray_images_is_a_batch(side, one_hot):
    """`(5, 6, side)` could be one image too, but for its labels."""
    tf = pytest.importorskip("tensorflow")
    gray = np.arange(5 * 6 * side, dtype="uint8").reshape(5, 6, side)
    for labels in (LABELS, [0, 0, 1, 0, 0]):  # the latter could be one-hot
        targets = np.eye(3, dtype="float32")[labels] if one_hot else labels
        pairs = tf.data.Dataset.from_tensor_slices((gray, targets))
        for dataset in (pairs, pairs.batch(5), pairs.batch(2)):
            data = load_images(dataset)
            assert np.shape(data.images) == gray.shape
            assert data.labels.tolist() == labels
    assert len(load_images([(gray, LABELS)])) == 5


def test_an_image_as_high_as_there_are_classes_is_one_image():
    tf = pytest.importorskip("tensorflow")
    images, labels = IMAGES, np.eye(4)[LABELS]  # each (4, 4, 3) and (4,)
    dataset = tf.data.Dataset.from_tensor_slices((images, labels))
    for source in (dataset, list(zip(images, labels))):
        data = load_images(source)
        np.testing.assert_array_equal(data.images, images)
        assert data.labels.tolist() == LABELS


def test_texts_and_pairs_come_in_streams_too():
    data = load_texts([("one", "b"), ("two", "a")])
    assert data.texts == ["one", "two"] and data.labels.tolist() == [1, 0]
    data = load_texts((["one", "two"], np.eye(2)))
    assert data.labels.tolist() == [0, 1]
    data = load_pairs(iter([(("a", "b"), 1), (("c", "d"), 0)]))
    assert data.pairs == [("a", "b"), ("c", "d")]
    data = load_pairs([((["a", "c"], ["b", "d"]), [1, 0])])
    assert data.pairs == [("a", "b"), ("c", "d")]


def test_the_names_of_keras_dataset_functions_are_kept(tmp_path):
    pytest.importorskip("tensorflow")
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for index in range(2):
            path = tmp_path / name / f"{index}.png"
            keras.utils.save_img(path, IMAGES[index], scale=False)
    for mode in ("int", "categorical", "binary"):
        dataset = keras.utils.image_dataset_from_directory(
            tmp_path,
            label_mode=mode,
            image_size=(4, 4),
            shuffle=False,
            verbose=False,
        )
        data = load_images(dataset)
        assert data.label_names == ["cat", "dog"]
        assert data.labels.tolist() == [0, 0, 1, 1]


def test_texts_of_keras_dataset_functions_are_read(tmp_path):
    tf = pytest.importorskip("tensorflow")
    for name in ("bad", "good"):
        (tmp_path / name).mkdir()
        for index in range(3):
            (tmp_path / name / f"{index}.txt").write_text(f"{name} é {index}")
    for mode in ("int", "categorical", "binary"):
        dataset = keras.utils.text_dataset_from_directory(
            tmp_path,
            label_mode=mode,
            batch_size=4,
            shuffle=False,
            verbose=False,
        )
        data = load_texts(dataset)
        assert data.label_names == ["bad", "good"]
        assert data.labels.tolist() == [0, 0, 0, 1, 1, 1]
        assert data.texts[4] == "good é 1"
        # What drops `class_names` leaves numbers for names.
        upper = dataset.map(lambda text, y: (tf.strings.upper(text), y))
        data = load_texts(upper)
        assert data.label_names == ["0", "1"] and "GOOD" in data.texts[4]
        assert len(load_texts(dataset.take(1))) == 4
    dataset = keras.utils.text_dataset_from_directory(
        tmp_path, label_mode=None, verbose=False
    )
    with pytest.raises(ValueError, match="a pair of texts and labels"):
        load_texts(dataset)


def test_two_datasets_are_to_learn_from_and_to_measure_on(tmp_path):
    pytest.importorskip("tensorflow")
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for index in range(5):
            path = tmp_path / name / f"{index}.png"
            keras.utils.save_img(path, IMAGES[index], scale=False)
    both = keras.utils.image_dataset_from_directory(
        tmp_path,
        validation_split=0.3,
        subset="both",
        seed=1,
        image_size=(4, 4),
        verbose=False,
    )
    for source in (both, tuple(both)):
        train, test = (load_images(source, part) for part in ("train", "test"))
        assert (len(train), len(test)) == (7, 3)
        assert (train.split, test.split) == ("train", "test")
        assert train.label_names == test.label_names == ["cat", "dog"]
    assert len(load_images((Stream(), Stream()), "test")) == 5


@pytest.mark.parametrize("shape", [(5, 6, 4), (5, 4, 4, 3), (5, 2, 2, 1)])
def test_the_arrays_of_keras_datasets_are_cut_already(shape):
    """`keras.datasets.mnist.load_data()` and its like give such pairs."""
    images = np.arange(np.prod(shape), dtype="uint8").reshape(shape)
    labels = np.array(LABELS, "uint8")
    pairs = (images, labels), (images[:2] + 1, labels[:2, None])
    train, test = (load_images(pairs, part) for part in ("train", "test"))
    full = images if len(shape) == 4 else images[..., None]
    np.testing.assert_array_equal(train.images, full)
    np.testing.assert_array_equal(test.images, full[:2] + 1)
    assert train.label_names == ["0", "1", "2"]
    assert test.label_names == ["0", "2"] and test.labels.tolist() == [1, 0]
    assert (train.split, test.split) == ("train", "test")
    alone = load_images(pairs[0])
    np.testing.assert_array_equal(alone.images, full)
    assert alone.split == "all"


def test_two_pairs_that_are_examples_are_no_parts():
    for labels in ([1, 0], np.eye(2)):
        data = load_images(((IMAGES[0], IMAGES[1]), tuple(labels)))
        assert len(data) == 2 and data.split == "all"
    high = np.zeros((2, 2, 3), "uint8")  # as high as there are classes
    data = load_images([(high, np.eye(2)[0]), (high, np.eye(2)[1])])
    assert np.shape(data.images) == (2, *high.shape) and data.split == "all"
    with pytest.raises(ValueError, match="a string. Received: ndarray"):
        load_texts(((IMAGES, LABELS), (IMAGES, LABELS)))


@pytest.mark.parametrize(
    "source, why",
    [
        ((IMAGES, LABELS, LABELS), "weights of examples.*tuple of 3"),
        ([(IMAGES[0], 1, 1.0)], "weights of examples.*tuple of 3 at place 0"),
        ([(IMAGES, 1)], "label for each.*5 images, labels of shape"),
        ({"image": IMAGES}, "must be a pair.*str at place 0"),
        ((IMAGES, [0, 1, None, 1, 0]), "Received: None at place 2"),
        ((IMAGES, [0, 1, np.nan, 1, 0]), "Received: nan at place 2"),
        ((IMAGES, [0, 1, np.inf, 1, 0]), "Received: inf at place 2"),
        ((IMAGES, ["a", "b", np.nan, "a", "b"]), "of one kind.*nan"),
        ((IMAGES, [0, -1, 1, 1, 0]), "Received: -1 at place 1"),
        ((IMAGES, [0, 1, 1, 0.5, 0]), "Received: 0.5 at place 3"),
        ((IMAGES, ["a", "b", "", "a", "b"]), "Received: '' at place 2"),
        ((IMAGES, [0, 1, "1", 0, 1]), "one kind. Received: 0.*'1' at place 2"),
        ((IMAGES, ONE_HOT * 0.5), r"one-hot.*0.5\] at place 0"),
        ((IMAGES, np.ones((5, 3))), "one-hot: a single 1"),
    ],
)
def test_what_cannot_be_told_is_refused(source, why):
    with pytest.raises(ValueError, match=why):
        load_images(source)


def test_what_never_ends_is_refused(monkeypatch):
    tf = pytest.importorskip("tensorflow")
    dataset = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).repeat()
    with pytest.raises(ValueError, match="an infinite tf.data.Dataset"):
        load_images(dataset)
    monkeypatch.setattr(labelled, "MOST", 20)
    with pytest.raises(ValueError, match="come to an end.*21 images so far"):
        load_images(itertools.cycle(zip(IMAGES, LABELS)))
    assert len(load_images([(IMAGES, LABELS)] * 5)) == 25
    endless = Stream()
    endless.length = None
    monkeypatch.setattr(Stream, "num_batches", None)
    with pytest.raises(ValueError, match="Stream of None batches"):
        load_images(endless)


@pytest.mark.parametrize(
    "labels, names",
    [
        ([True, False], ["False", "True"]),
        ([10, 9], ["9", "10"]),
        ([2.0, 0.0], ["0", "2"]),
        ([b"b", b"a"], ["a", "b"]),
        (np.array(["b", "a"]), ["a", "b"]),
        (np.array([b"b", b"a"]), ["a", "b"]),
        (np.array(["b", "a"], object)[:, None], ["a", "b"]),
        ([np.int8(3), np.int64(1)], ["1", "3"]),
    ],
)
def test_labels_of_every_type_keep_their_names(labels, names):
    places, found = labelled.number_classes(labels, 2, "images")
    assert found == names and places.tolist() == [1, 0]


def test_one_class_is_enough_to_measure_on():
    for load, one in ((load_images, IMAGES), (load_texts, ["a"] * 5)):
        assert load((one, ["x"] * 5), "test").label_names == ["x"]
        with pytest.raises(ValueError, match=r"two classes.*\['x'\]"):
            load((one, ["x"] * 5), "train")
