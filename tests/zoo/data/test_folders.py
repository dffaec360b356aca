"""Folders as people have them: names of parts, hidden files, strangers."""

import numpy as np
import pytest
from PIL import Image

from zoo.data import folders
from zoo.data.images import load_images
from zoo.data.texts import load_texts


def pictures(folder, *names, count=2):
    for name in names:
        (folder / name).mkdir(parents=True)
        for index in range(count):
            Image.new("L", (2, 2), index).save(folder / name / f"{index}.PNG")


@pytest.mark.parametrize(
    "train, test",
    [("Train", "Test"), ("TRAINING", "val"), ("train", "Dev"), ("Train", "ev")],
)
def test_parts_have_any_case_and_the_usual_names(tmp_path, train, test):
    test = test.replace("ev", "eval") if test == "ev" else test
    pictures(tmp_path / train, "cat", "dog")
    pictures(tmp_path / test, "cat", "dog", count=1)
    learned, measured = (load_images(tmp_path, s) for s in ("train", "test"))
    assert (len(learned), len(measured)) == (4, 2)
    assert learned.label_names == measured.label_names == ["cat", "dog"]
    assert (learned.split, measured.split) == (train, test)


def test_tables_are_parts_in_any_case(tmp_path):
    for name in ("Train.CSV", "valid.csv"):
        (tmp_path / name).write_text("text,label\na,x\nb,y\n")
    assert load_texts(tmp_path).split == "Train"
    assert load_texts(tmp_path, "test").split == "valid"


def test_test_alone_is_measured_and_not_learned(tmp_path):
    pictures(tmp_path / "Test", "cat", "dog")
    assert len(load_images(tmp_path, "test")) == 4
    with pytest.raises(ValueError, match="`test/` must have `train/`"):
        load_images(tmp_path)
    (tmp_path / "urine").mkdir()  # now they are classes
    assert folders.part_of_folder(tmp_path, "test") is None


def test_a_part_that_is_there_twice_is_refused(tmp_path):
    for name in ("train", "training", "test"):
        pictures(tmp_path / name, "cat", "dog")
    with pytest.raises(ValueError, match="once.*'train', 'training'"):
        load_images(tmp_path)
    assert len(load_images(tmp_path, "test")) == 4


def test_what_is_hidden_does_not_count(tmp_path):
    pictures(tmp_path, "cat", "dog", ".ipynb_checkpoints", "__MACOSX")
    for name in ("._0.png", ".DS_Store", ".cache/x.png"):
        path = tmp_path / "cat" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"no image")
    paths, labels, names, skipped = folders.files_by_class(
        tmp_path, (".png",), "images"
    )
    assert names == ["cat", "dog"] and skipped == ()
    assert [path.name for path in paths] == ["0.PNG", "1.PNG"] * 2
    assert labels.tolist() == [0, 0, 1, 1]


def test_what_is_skipped_is_said_and_kept(tmp_path):
    pictures(tmp_path, "cat", "dog", count=5)
    (tmp_path / "cat" / "b.heic").touch()
    (tmp_path / "a.png").touch()
    with pytest.warns(UserWarning, match="2 files .*a.png: lies beside"):
        data = load_images(tmp_path)
    assert data.skipped[1].startswith("cat/b.heic: not .bmp")
    assert data.found().startswith(
        f"{tmp_path.name}, 80% (stratified, seed 0): 8 examples of 2 classes "
        "(cat 4, dog 4); 2 files skipped"
    )
    assert data.take(np.arange(2)).skipped == data.skipped


def test_a_folder_of_other_files_says_what_they_are(tmp_path):
    pictures(tmp_path, "cat", "dog")
    for path in (tmp_path / "dog").iterdir():
        path.rename(path.with_suffix(".heic"))
    with pytest.raises(ValueError, match="none in .*dog; skipped: dog/0.heic"):
        load_images(tmp_path)


def test_images_without_folders_of_classes_are_named(tmp_path):
    pictures(tmp_path, "mine", count=2)
    with pytest.raises(ValueError, match="two classes.*skipped: 0.PNG: lies"):
        load_images(tmp_path / "mine")


def test_text_files_may_be_called_in_capitals(tmp_path):
    for name in ("no", "yes"):
        (tmp_path / name).mkdir()
        for index in range(5):
            (tmp_path / name / f"{index}.TXT").write_text(name)
    assert len(load_texts(tmp_path)) == 8


@pytest.mark.parametrize("empty", [True, False])
def test_one_class_is_enough_to_measure_on(tmp_path, empty):
    pictures(tmp_path / "train", "cat", "dog")
    pictures(tmp_path / "test", "dog")
    if empty:
        (tmp_path / "test" / "cat").mkdir()
    test = load_images(tmp_path, "test")
    assert {test.label_names[label] for label in test.labels} == {"dog"}
