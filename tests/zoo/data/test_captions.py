"""Images with captions: every way in, and what is refused."""

import dataclasses
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.public_data import needs_public
from zoo.data import scenes
from zoo.data.captions import CaptionData, load_captions, scene_captions
from zoo.data.images import Reader


def draw(folder, *names):
    """Images of a colour of their own each, and their paths."""
    for at, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6 + at, 5), (10 * at, 20, 30)).save(path)


def write(folder, *lines, name="captions.csv", header="image,caption"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pets"
    names = [f"{at}.png" for at in range(9)] + ["more/9.png"]
    draw(root, *names)
    write(
        root,
        *(f"{name},pet {at}" for at, name in enumerate(names)),
        '0.png,"a cat, asleep"',
    )
    return root


@pytest.mark.slow
def test_scenes_are_the_embedded_default():
    train, test = load_captions(), load_captions("scenes", "test")
    assert train.images.shape == (8000, 64, 64, 3) and len(test) == 1000
    drawn = scenes.make(1000, seed=2)
    np.testing.assert_array_equal(test.images, drawn.images)
    assert test.captions == [[each] for each in drawn.captions]
    np.testing.assert_array_equal(test.truth["boxes"], drawn.boxes)
    np.testing.assert_array_equal(test.truth["owners"], drawn.owners)
    assert train.describe() == {
        "name": "scenes",
        "version": scenes.VERSION,
        "licence_class": "A",
        "train_split": "train",
    }
    assert train.found() == (
        "scenes, train: 8,000 images with 8,000 captions of 9 to 10 words"
    )
    there = {each.tobytes() for each in train.images}
    assert not there & {each.tobytes() for each in test.images}


def test_scenes_are_drawn_as_many_as_asked():
    data, drawn = scene_captions(3, seed=5), scenes.make(3, seed=5)
    np.testing.assert_array_equal(data.images, drawn.images)
    assert data.captions == [[each] for each in drawn.captions]
    np.testing.assert_array_equal(data.truth["owners"], drawn.owners)
    np.testing.assert_array_equal(data.truth["boxes"], drawn.boxes)
    assert (data.name, data.split) == ("scenes", "3 of seed 5")


def test_truth_is_taken_along_when_data_are_cut():
    data = load_captions("scenes", "test")
    first, second = data.divide(0.1)
    assert (len(first), len(second)) == (900, 100)
    whole = {image.tobytes(): at for at, image in enumerate(data.images)}
    for at, image in enumerate(second.images):
        old = whole[image.tobytes()]
        assert second.captions[at] == data.captions[old]
        for name in ("boxes", "owners"):
            np.testing.assert_array_equal(
                second.truth[name][at], data.truth[name][old]
            )
    assert len(data.sample(7)) == 7


def test_the_digest_tells_images_captions_and_their_order():
    image = np.zeros((2, 4, 4, 3), "uint8")
    image[1] = 9

    def digest(*captions, images=image):
        return load_captions((images, list(captions))).sha256()

    found = [
        digest("a cat", "a dog"),
        digest("a dog", "a cat"),
        digest("a ca", "ta dog"),
        digest(["a cat", "a dog"], "a dog"),
        digest("a cat", ["a dog", "a dog"]),
        digest(["a cata", " dog"], "a dog"),
        digest("a cat", "a dog", images=image[::-1]),
    ]
    assert len(set(found)) == 7
    assert digest(["a cat"], "a dog") == found[0]


def test_reads_a_folder_with_a_table(folder):
    train, test = load_captions(folder, "train"), load_captions(folder, "test")
    assert (len(train), len(test)) == (8, 2)
    assert not set(train.images) & set(test.images)
    assert train.name == "pets" and train.split == "80% (at random, seed 0)"
    assert train.place.endswith("pets") and train.version is None
    said = dict(zip(train.images + test.images, train.captions + test.captions))
    assert said[folder / "0.png"] == ["pet 0", "a cat, asleep"]
    assert said[folder / "more" / "9.png"] == ["pet 9"]
    assert train.sha256() == load_captions(str(folder)).sha256()
    read = Reader(train.images, (4, 4), 3)
    assert read(np.arange(3), 0, 0).shape == (3, 4, 4, 3)


def test_reads_any_table_by_its_path(folder):
    (folder / "captions.csv").rename(folder / "Said.CSV")
    data = load_captions(folder / "Said.CSV")
    assert (data.name, len(data)) == ("Said", 8)
    assert data.skipped == ()  # what else lies there is not its matter


def test_other_columns_are_not_read(tmp_path):
    draw(tmp_path, "a.png", "b.png")
    write(tmp_path, "1,x y,a.png", "2,z,b.png", header="id,caption,image")
    assert sorted(
        load_captions(tmp_path).captions
        + load_captions(tmp_path, "test").captions
    ) == [["x y"], ["z"]]


def test_reads_a_folder_that_is_cut_already(folder, tmp_path):
    whole = tmp_path / "whole"
    shutil.copytree(folder, whole / "train")
    with pytest.raises(ValueError, match="`test/` or `validation/`"):
        load_captions(whole, "test")
    draw(whole / "val", "x.png")
    write(whole / "val", "x.png,one")
    train, test = load_captions(whole), load_captions(whole, "test")
    assert (len(train), train.split, train.name) == (10, "train", "whole")
    assert (len(test), test.split, test.captions) == (1, "val", [["one"]])
    draw(whole, "y.png")
    write(whole, "y.png,two")
    with pytest.raises(ValueError, match="not clear which.*captions.csv"):
        load_captions(whole)


def test_a_folder_of_pictures_may_be_called_train(tmp_path):
    draw(tmp_path, "train/a.png", "train/b.png")
    write(tmp_path, "train/a.png,one", "train/b.png,two")
    assert len(load_captions(tmp_path, "test")) == 1


def test_pictures_without_captions_are_skipped_and_said(folder):
    draw(folder, "x.png", "more/y.JPG", ".hidden/z.png", ".w.png")
    (folder / "notes.txt").write_text("no image")
    with pytest.warns(UserWarning, match="2 images in .*skipped: more/y.JPG"):
        data = load_captions(folder)
    assert data.skipped == ("more/y.JPG: no caption", "x.png: no caption")
    assert data.found().endswith("; 2 files skipped")


def test_spellings_of_a_path_are_one_image(tmp_path):
    draw(tmp_path, "a.png", "b/c.png")
    write(
        tmp_path, "a.png,one", "./a.png,two", "b/../a.png,three", "b/c.png,four"
    )
    parts = [load_captions(tmp_path, split) for split in ("train", "test")]
    said = sorted(parts[0].captions + parts[1].captions)
    assert said == [["four"], ["one", "two", "three"]]


@pytest.mark.parametrize(
    "line, why",
    [
        ("b.png,", "an empty caption in .*captions.csv, line 3"),
        ("b.png,  ", "an empty caption in .*captions.csv, line 3"),
        ("b.png,?!", r"caption='\?!' in .*captions.csv, line 3"),
        (" ,a dog", "an empty image in .*captions.csv, line 3"),
        ("b.png,a dog,brown", "3 columns in .*captions.csv, line 3"),
        ("b.png", "1 columns in .*captions.csv, line 3"),
        ("../b.png,a dog", r"lie in the folder.*'../b.png' in .*line 3"),
        ("/etc/hostname,a name", "lie in the folder.*line 3"),
        ("link.png,a dog", "links followed.*'link.png' in .*line 3"),
    ],
)
def test_refuses_a_malformed_line(line, why, tmp_path):
    draw(tmp_path, "b.png", "in/a.png", "in/b.png")
    os.symlink(tmp_path / "b.png", tmp_path / "in" / "link.png")
    write(tmp_path / "in", "a.png,a cat", line)
    with pytest.raises(ValueError, match=why):
        load_captions(tmp_path / "in")


def test_refuses_a_table_without_what_it_must_have(tmp_path):
    draw(tmp_path, "a.png")
    table = write(tmp_path, "a.png,a cat", header="picture,caption")
    with pytest.raises(ValueError, match="`image` and `caption`.*line 1"):
        load_captions(table)
    write(tmp_path, "a.png,a cat", "b.png,a dog")
    with pytest.raises(FileNotFoundError, match="image='b.png' in .*line 3"):
        load_captions(table)
    write(tmp_path, "a.png,a cat")
    with pytest.raises(ValueError, match="an example for either part"):
        load_captions(table)
    write(tmp_path)
    with pytest.raises(ValueError, match="a row at least.*captions.csv"):
        load_captions(table)
    table.write_bytes("image,caption\na.png,Gr\xfcn".encode("latin-1"))
    with pytest.raises(ValueError, match="UTF-8.*line 2"):
        load_captions(table)
    table.unlink()
    with pytest.raises(ValueError, match="must hold `captions.csv`"):
        load_captions(tmp_path)
    with pytest.raises(FileNotFoundError, match="captions.csv"):
        load_captions(table)


def test_broken_bytes_are_told_when_they_are_read(tmp_path):
    draw(tmp_path, "a.png")
    (tmp_path / "b.png").write_text("no image")
    write(tmp_path, "a.png,a cat", "b.png,a dog")
    parts = [load_captions(tmp_path, split) for split in ("train", "test")]
    paths = parts[0].images + parts[1].images
    with pytest.raises(ValueError, match="b.png"):
        Reader(paths, (4, 4), 3)(np.arange(2), 0, 0)


def test_takes_images_with_their_captions(tmp_path):
    draw(tmp_path, "a.png")
    image = np.zeros((4, 4, 3), "uint8")
    for images in (
        [image, tmp_path / "a.png"],
        (image, str(tmp_path / "a.png")),
        np.stack([image, image]),
        np.array([str(tmp_path / "a.png")] * 2),
    ):
        data = load_captions((images, ["a cat", ["a dog", "a brown dog"]]))
        assert data.captions == [["a cat"], ["a dog", "a brown dog"]]
        assert (data.name, data.split, data.truth) == ("captions", "all", None)
        assert len(data.take(np.array([1])).images) == 1
        assert len(data.sha256()) == 64
    assert load_captions(data, "test") is data
    pairs = [("a.png", "a cat"), ("b.png", ("a dog", "a brown dog"))]
    data = load_captions(pairs)
    assert data.images == ["a.png", "b.png"]
    assert data.captions == [["a cat"], ["a dog", "a brown dog"]]
    assert load_captions((pairs[0], np.array(["x", "y"]))).captions == [
        ["x"],
        ["y"],
    ]


IMAGES = np.zeros((2, 4, 4, 3), "uint8")


@pytest.mark.parametrize(
    "source, why",
    [
        ((IMAGES, ["a cat"]), "2 images, captions for 1"),
        (([], []), "0 images"),
        ((IMAGES, ["a cat", ""]), "Received: '' at place 1"),
        ((IMAGES, ["a cat", []]), r"Received: \[\] at place 1"),
        ((IMAGES, [["a cat", " "], "a dog"]), "at place 0"),
        ((IMAGES, ["a cat", 5]), "Received: 5 at place 1"),
        ((IMAGES, [b"a cat", "a dog"]), "at place 0"),
        ((IMAGES, "a cat"), "str as captions"),
        (("a.png", ["a cat"]), "str as images"),
        ((IMAGES[0], ["a cat"]), r"shape=\(4, 4, 3\)"),
        ((IMAGES / 255 + 0.1, ["a cat", "a dog"]), "multiply them by 255"),
        ((IMAGES, ["a", "b"], [1, 1]), "tuple of 3"),
        ([("a.png", "a cat"), ("b.png", "a dog", 1)], "3 at place 1"),
        ([], "list of 0"),
        (iter([("a.png", "a cat")]), "two lists.*list_iterator"),
        (None, "NoneType"),
        ("scene", r"'scene', no such file or folder; near: \['scenes'"),
        ("mnist", "public set: coco_captions, coco_mini, ucm_captions"),
    ],
)
def test_refuses_what_are_no_captions(source, why):
    with pytest.raises(ValueError, match=why):
        load_captions(source)


def test_refuses_an_unknown_part():
    with pytest.raises(ValueError, match="split='val'"):
        load_captions("scenes", "val")


def test_data_without_truth_have_no_such_field():
    data = CaptionData([0, 1], [["a"], ["b", "b c d"]])
    assert data.fields == ("images", "captions")
    assert data.found() == (
        "captions, all: 2 images with 3 captions of 1 to 3 words"
    )
    told = dataclasses.replace(data, truth={"boxes": np.zeros((2, 4, 4))})
    assert told.fields == ("images", "captions", "truth")


def coco(folder, monkeypatch, names=("train2014", "val2014")):
    """The official builder, prepared from pictures of our own."""
    tfds = pytest.importorskip("tensorflow_datasets")
    from tensorflow_datasets.object_detection.coco_captions import CocoCaptions

    def examples_of(part):
        for number in range(3):
            name = f"{part}_{number}.jpg"
            draw(folder, name)
            said = ["  a cat ", " ", f"{part} {number}"] if number else []
            yield (
                number,
                {
                    "image": os.fspath(folder / name),
                    "image/filename": name,
                    "image/id": number,
                    "objects": [],
                    "captions": [
                        {"text": text, "id": at} for at, text in enumerate(said)
                    ],
                },
            )

    monkeypatch.setattr(
        CocoCaptions,
        "_split_generators",
        lambda self, manager: {
            part: examples_of(part) for part in ("train", "val", "test")
        },
    )
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(folder))
    return tfds.builder("coco_captions")


def test_reads_the_official_set_where_it_is_prepared(tmp_path, monkeypatch):
    builder = coco(tmp_path, monkeypatch)
    with pytest.raises(FileNotFoundError, match="must be prepared.*coco_capt"):
        load_captions("coco_captions")
    builder.download_and_prepare()
    data = load_captions("coco_captions", "test")
    assert data.captions == [["a cat", "test 1"], ["a cat", "test 2"]]
    assert data.skipped == ("test_0.jpg: no caption",)
    assert [type(image) for image in data.images] == [bytes, bytes]
    assert data.images[0] == (tmp_path / "test_1.jpg").read_bytes()
    assert load_captions("coco_captions").captions[0] == ["a cat", "train 1"]
    assert data.describe()["licence_class"] == "A"
    assert data.version == str(builder.info.version)


def test_an_empty_folder_of_downloads_says_what_to_do(tmp_path, monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    for name, where in (
        ("coco_mini", "Obmutescence"),
        ("ucm_captions", "triplets.json"),
    ):
        with pytest.raises(FileNotFoundError, match=f"{where}.*Received: Man"):
            load_captions(name)


@needs_public("ucm_captions")
def test_reads_the_aerial_pictures():
    pytest.importorskip("tensorflow_datasets")
    train, test = (load_captions("ucm_captions", x) for x in ("train", "test"))
    assert train.images.shape == (1672, 128, 128, 3)
    assert len(train.skipped) == 8 and not test.skipped
    assert (len(test), test.split) == (210, "test")
    assert sum(map(len, train.captions)) == 7277
    assert "piece of farmland" in train.captions[0]
    assert all(map(all, train.captions))
    assert train.describe()["licence_class"] == "C"


@needs_public("coco_mini")
def test_reads_the_photographs():
    pytest.importorskip("tensorflow_datasets")
    train, test = (load_captions("coco_mini", x) for x in ("train", "test"))
    assert (len(train), len(test), test.split) == (50, 51, "validation")
    assert {len(each) for each in train.captions + test.captions} == {5}
    batch = Reader(train.images, (32, 48), 3)(np.arange(4), 0, 0)
    assert batch.shape == (4, 32, 48, 3) and batch.std() > 20
