"""Images with masks: every way in, and what is refused."""

import dataclasses
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.public_data import needs_public
from zoo.data import masks as mask_data
from zoo.data import odd_one_out, scenes
from zoo.data.images import read_image
from zoo.data.mask_files import RawMask
from zoo.data.masks import (
    MaskData,
    load_masks,
    odd_objects,
    palette,
    read_mask,
    read_masks,
    scene_shapes,
)

SIZE = 4, 6


def mask_of(place, most=3):
    """A mask of its own for each place."""
    generator = np.random.default_rng(place)
    return generator.integers(0, most, SIZE, "uint8")


def picture_of(place):
    return np.full((*SIZE, 3), 20 * place % 256, "uint8")


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels)).save(path, **options)


def write(root, count=10, images="images", masks="masks", start=0):
    """A folder of images and masks of class ids."""
    for place in range(start, start + count):
        save(root / images / f"{place}.jpg", picture_of(place))
        save(root / masks / f"{place}.png", mask_of(place))
    return root


def both(source):
    return load_masks(source, "train"), load_masks(source, "test")


def by_name(*parts):
    """The masks of all parts, by the names of their images."""
    return {
        image.stem: mask.tolist()
        for data in parts
        for image, mask in zip(data.images, read_masks(data))
    }


def expected(*places):
    return {str(place): mask_of(place).tolist() for place in places}


# What is made here.


@pytest.mark.slow
def test_scene_shapes_are_the_embedded_default():
    train, test = load_masks(), load_masks("scene_shapes", "test")
    assert train.images.shape == (8000, 64, 64, 3) and len(test) == 1000
    assert train.describe() == {
        "name": "scene_shapes",
        "version": scenes.VERSION,
        "licence_class": "A",
        "train_split": "train",
    }
    assert train.found().startswith(
        "scene_shapes, train: 8,000 images of 4 classes (background 8"
    )
    drawn = scene_shapes(3, seed=2)
    np.testing.assert_array_equal(test.masks[:3], drawn.masks)


def test_the_shape_of_each_object_is_its_class():
    data, drawn = scene_shapes(30, 5, (48, 80)), scenes.make(30, 5, (48, 80))
    np.testing.assert_array_equal(data.images, drawn.images)
    assert data.masks.shape == (30, 48, 80) and data.masks.dtype == "uint8"
    assert data.label_names == ["background", "square", "circle", "triangle"]
    for mask, objects, kinds in zip(data.masks, drawn.masks, drawn.kinds):
        assert (mask[objects == 0] == 0).all()
        for place in range(objects.max()):
            shape = data.label_names.index(scenes.SHAPES[kinds[place, 2]])
            assert (mask[objects == 1 + place] == shape).all()
    assert (data.name, data.split) == ("scene_shapes", "30 of seed 5")


def test_the_odd_one_is_the_object():
    test = load_masks("odd_one_out", "test")
    images, masks, truth = odd_one_out.make(500, 2)
    np.testing.assert_array_equal(test.images, images)
    np.testing.assert_array_equal(test.masks, masks)
    assert test.label_names == ["background", "object"]
    assert test.describe()["licence_class"] == "A"
    first, second = test.divide(0.1)
    assert (len(first), len(second)) == (450, 50)
    whole = {image.tobytes(): at for at, image in enumerate(images)}
    for at, image in enumerate(second.images):
        old = whole[image.tobytes()]
        np.testing.assert_array_equal(second.masks[at], masks[old])
        for name, values in truth.items():
            np.testing.assert_array_equal(second.truth[name][at], values[old])
    wide = odd_objects(2, seed=1, size=(40, 90))
    assert wide.masks.shape == (2, 40, 90)


# In memory.


def test_takes_arrays_and_lists_of_all_forms(tmp_path):
    write(tmp_path, 3)
    masks = np.stack([mask_of(place) for place in range(3)])
    pictures = np.stack([picture_of(place) for place in range(3)])
    paths = [tmp_path / "masks" / f"{at}.png" for at in range(3)]
    files = [tmp_path / "images" / f"{at}.jpg" for at in range(3)]
    for source in (
        (pictures, masks),
        (pictures, masks[..., None]),
        (pictures, masks.astype("float64")),
        (pictures[..., 0], masks),
        [pictures, masks],
        (list(pictures), list(masks)),
        (tuple(pictures), tuple(masks)),
        list(zip(pictures, masks)),
        (files, paths),
        (list(map(str, files)), np.array(list(map(str, paths)))),
        (files, [path.read_bytes() for path in paths]),
        (files, [Image.open(path) for path in paths]),
        (files, [masks[0], paths[1], RawMask(paths[2])]),
    ):
        data = load_masks(source)
        assert len(data) == 3 and data.label_names == ["0", "1", "2"]
        found = list(read_masks(data))
        assert all(each.dtype == "uint8" for each in found)
        np.testing.assert_array_equal(found, masks)
        assert [read_image(each).shape[:2] for each in data.images] == [
            SIZE
        ] * 3
        assert data.split == "all" and data.version is None
    assert load_masks(data) is data


def test_takes_what_is_cut_already():
    def part(*places):
        return (
            np.stack([picture_of(place) for place in places]),
            np.stack([mask_of(place) for place in places]),
        )

    for source in (
        (part(0, 1), part(2, 3, 4)),
        tuple(tuple(map(list, each)) for each in (part(0, 1), part(2, 3, 4))),
    ):
        train, test = both(source)
        assert (len(train), train.split) == (2, "train")
        assert (len(test), test.split) == (3, "test")
        np.testing.assert_array_equal(test.masks[1], mask_of(3))
    # One rule for both: 255 is not labelled in either.
    pictures, masks = part(0, 1)
    train, test = both(((pictures, masks), (pictures, 255 * (masks > 0))))
    assert train.label_names == test.label_names == ["0", "1", "2"]
    assert set(np.unique(test.masks)) == {0, 255}


def test_two_images_and_two_masks_are_one_part(tmp_path):
    pictures, masks = map(
        tuple, zip(*((picture_of(x), mask_of(x)) for x in (0, 1)))
    )
    data = load_masks((pictures, masks), "test")
    assert len(data) == 2 and data.split == "all"
    write(tmp_path, 2)
    paths = (
        (tmp_path / "images" / "0.jpg", tmp_path / "images" / "1.jpg"),
        (tmp_path / "masks" / "0.png", tmp_path / "masks" / "1.png"),
    )
    np.testing.assert_array_equal(
        list(read_masks(load_masks(paths))), [mask_of(0), mask_of(1)]
    )


def test_images_of_one_pixel_have_masks():
    pictures = np.arange(12, dtype="uint8").reshape(4, 1, 1, 3)
    masks = np.array([0, 1, 255, 1], "uint8").reshape(4, 1, 1)
    for source in ((pictures, masks), (list(pictures), list(masks))):
        data = load_masks(source)
        assert [x.tolist() for x in read_masks(data)] == masks.tolist()
        assert data.found() == (
            "masks, all: 4 images of 2 classes (0 33.3 %, 1 66.7 %; "
            "25.0 % of pixels not labelled)"
        )


def test_booleans_are_two_classes():
    masks = np.array([[[True, False]], [[False, False]]])
    data = load_masks((np.zeros((2, 1, 2, 3), "uint8"), masks))
    assert data.masks.tolist() == [[[1, 0]], [[0, 0]]]
    assert data.label_names == ["0", "1"]


PICTURES = np.zeros((2, *SIZE, 3), "uint8")
MASKS = np.stack([mask_of(0), mask_of(1)]).astype("int64")


@pytest.mark.parametrize(
    "source, why",
    [
        ((PICTURES, MASKS, MASKS), "two, images and masks. .*tuple of 3"),
        ((PICTURES, MASKS[:1]), "2 images, 1 masks"),
        ((PICTURES[:0], MASKS[:0]), "0 images, 0 masks"),
        ((PICTURES, None), "Received: NoneType"),
        ((PICTURES, MASKS[0]), r"must be \(N, H, W\).*\(4, 6\)"),
        ((PICTURES, np.eye(3)[MASKS]), r"argmax.*\(2, 4, 6, 3\)"),
        ((PICTURES, list(np.eye(3)[MASKS])), r"argmax.*place 0"),
        ((PICTURES, MASKS[:, :, :5]), r"4 x 6 of .*place 0, 4 x 5 of the mask"),
        (
            (list(PICTURES), [MASKS[0], MASKS[1].T]),
            "4 x 6 of the image at place 1, 6 x 4 of the mask at place 1",
        ),
        ((PICTURES, MASKS / 2), "whole numbers.*0.5 in the mask at place 0"),
        ((PICTURES, MASKS - 1.0), "not negative.*-1 in the mask at place 0"),
        ((PICTURES, MASKS * 300), "255.*600 in the mask at place 0"),
        ((PICTURES, MASKS * 100), "shades of gray.*0, 100, 200"),
        ((PICTURES, MASKS * 0), "two classes.*2 masks.*only class is: 0"),
        ((PICTURES, MASKS * 0 + 255), "two classes.*only class is: object"),
        ((PICTURES / 255 + 0.5, MASKS), "multiply them by 255"),
        ((PICTURES[..., :2], MASKS), "C being 1, 3 or 4"),
        (([PICTURES[0], "a"], list(MASKS)), "a"),
        (([PICTURES[0], b"a"], list(MASKS)), "An image must .*at place 1"),
        ([(PICTURES[0],)], "a pair, .*tuple of 1 at place 0"),
        ((x for x in "ab"), "not read from streams.*generator"),
        (PICTURES, "type ndarray"),
    ],
)
def test_refuses_what_does_not_fit_together(source, why):
    with pytest.raises((ValueError, FileNotFoundError), match=why):
        load_masks(source)


def test_refuses_any_other_part():
    with pytest.raises(ValueError, match="split='dev'"):
        load_masks("scene_shapes", "dev")


# Folders.


def test_reads_a_folder_of_images_and_masks(tmp_path):
    root = write(tmp_path / "pets")
    train, test = both(root)
    assert (len(train), len(test)) == (8, 2)
    assert by_name(train, test) == expected(*range(10))
    assert train.name == "pets" and train.split == "80% (at random, seed 0)"
    assert train.place.endswith("pets") and train.version is None
    assert train.describe()["licence_class"] is None
    assert train.skipped == () and train.label_names == ["0", "1", "2"]
    assert train.sha256() == load_masks(str(root)).sha256()


@pytest.mark.parametrize(
    "images, masks",
    [
        ("img", "labels"),
        ("Images", "Annotations"),
        ("JPEGImages", "SegmentationClass"),
        ("rgb", "figure_ground"),
        ("imgs", "gt"),
    ],
)
def test_reads_folders_of_other_usual_names(images, masks, tmp_path):
    write(tmp_path, 5, images, masks)
    assert by_name(*both(tmp_path)) == expected(*range(5))


def test_a_folder_of_something_else_does_not_confuse(tmp_path):
    write(tmp_path, 5, "JPEGImages", "SegmentationClass")
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations" / "0.xml").write_text("<a/>")
    write(tmp_path / ".hidden", 2)
    assert len(load_masks(tmp_path)) == 4
    save(tmp_path / "labels" / "0.png", mask_of(0))
    with pytest.raises(ValueError, match="one folder of masks.*labels"):
        load_masks(tmp_path)


@pytest.mark.parametrize("inner", [False, True])
def test_reads_a_folder_that_is_cut_already(inner, tmp_path):
    def part(name):
        return (
            ("images/" + name, "masks/" + name)
            if inner
            else (
                name + "/images",
                name + "/masks",
            )
        )

    write(tmp_path, 4, *part("train"))
    with pytest.raises(ValueError, match="`test/` or `validation/`"):
        load_masks(tmp_path, "test")
    write(tmp_path, 3, *part("val"), start=4)
    train, test = both(tmp_path)
    assert by_name(train) == expected(*range(4)) and train.split == "train"
    assert by_name(test) == expected(4, 5, 6) and test.split == "val"
    assert train.name == test.name == tmp_path.name
    # A test whose masks are withheld is none.
    save(tmp_path / part("test")[0] / "9.jpg", picture_of(9))
    assert by_name(load_masks(tmp_path, "test")) == expected(4, 5, 6)
    write(tmp_path, 2, *part("Test"), start=7)
    with pytest.raises(ValueError, match="`test` once.*'Test', 'test'"):
        load_masks(tmp_path)


def test_all_parts_are_read_by_one_rule(tmp_path):
    write(tmp_path / "train", 4)
    for place in range(2):
        save(tmp_path / "test/images" / f"{place}.jpg", picture_of(place))
        save(
            tmp_path / "test/masks" / f"{place}.png", 255 * (mask_of(place) % 2)
        )
    train, test = both(tmp_path)
    # By itself, the test would be black and white.
    assert test.label_names == train.label_names == ["0", "1", "2"]
    assert by_name(test)["0"] == (255 * (mask_of(0) % 2)).tolist()
    assert load_masks(tmp_path / "test").label_names == ["background", "object"]


def test_two_folders_are_read_too(tmp_path):
    write(tmp_path, 5, "left", "right")
    left, right = tmp_path / "left", tmp_path / "right"
    for source in (
        (left, right),
        [str(left), str(right)],
        f"{left},{right}",
    ):
        train, test = both(source)
        assert by_name(train, test) == expected(*range(5))
        assert (train.name, len(test)) == ("left", 1)
        assert train.place == f"{left},{right}"
    with pytest.raises(FileNotFoundError, match="no such folder"):
        load_masks((left, tmp_path / "none"))
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        load_masks(f"{left},{tmp_path / 'none'}")
    with pytest.raises(ValueError, match="left for both"):
        load_masks((left, left))


def test_two_pairs_of_folders_are_read_too(tmp_path):
    write(tmp_path, 4, "a", "b")
    write(tmp_path, 2, "c", "d", start=6)
    source = tuple(
        tuple(str(tmp_path / each) for each in pair) for pair in ("ab", "cd")
    )
    train, test = both(source)
    assert by_name(train) == expected(*range(4)) and train.split == "train"
    assert by_name(test) == expected(6, 7) and test.split == "test"
    # Of two there is no one place; of the second alone, it would be cut.
    assert train.place is None and test.place is None


def test_masks_may_lie_in_the_folder_of_images(tmp_path):
    write(tmp_path, 5, ".", "masks")
    train, test = both((tmp_path, tmp_path / "masks"))
    assert by_name(train, test) == expected(*range(5))
    assert train.skipped == ()


def test_names_are_paired_in_subfolders_with_any_ending(tmp_path):
    for place, name in enumerate(("a/x", "b/x", "b/y.1")):
        save(
            tmp_path / "images" / f"{name}.JPG",
            picture_of(place),
            format="JPEG",
        )
        save(tmp_path / "masks" / f"{name}.bmp", mask_of(place))
    data = load_masks(tmp_path)
    for image, mask in zip(data.images, data.masks):
        inside = image.relative_to(tmp_path / "images").with_suffix("")
        assert (
            mask.raw.relative_to(tmp_path / "masks").with_suffix("") == inside
        )


def test_what_has_no_partner_is_skipped_and_said(tmp_path):
    write(tmp_path, 5)
    save(tmp_path / "images" / "x.png", picture_of(0))
    save(tmp_path / "masks" / "y" / "0.png", mask_of(0))
    save(tmp_path / "images" / ".z.png", picture_of(0))
    (tmp_path / "images" / "notes.txt").write_text("no image")
    with pytest.warns(UserWarning, match="2 files in .*skipped: images/x.png"):
        data = load_masks(tmp_path)
    assert data.skipped == (
        "images/x.png: no mask",
        "masks/y/0.png: no image",
    )
    assert data.found().endswith("; 2 files skipped")


def test_refuses_folders_without_a_pair(tmp_path):
    write(tmp_path, 3)
    for place in range(3):
        path = tmp_path / "masks" / f"{place}.png"
        path.rename(path.with_name(f"{place}_mask.png"))
    with pytest.raises(ValueError, match="mask of its name.*0.jpg: no mask"):
        load_masks(tmp_path)
    shutil.rmtree(tmp_path / "masks")
    with pytest.raises(ValueError, match=r"two folders, .*\['images'\]"):
        load_masks(tmp_path)
    with pytest.raises(ValueError, match="the file .*0.jpg"):
        load_masks(tmp_path / "images" / "0.jpg")


def test_refuses_two_files_of_one_name(tmp_path):
    write(tmp_path, 3)
    save(tmp_path / "images" / "1.png", picture_of(1))
    with pytest.raises(
        ValueError, match="one file of a name.*1.jpg beside .*1.p"
    ):
        load_masks(tmp_path)


def test_refuses_a_folder_that_is_cut_and_not(tmp_path):
    write(tmp_path, 3)
    write(tmp_path / "train", 3)
    with pytest.raises(ValueError, match="not clear which"):
        load_masks(tmp_path)


def test_refuses_a_mask_of_another_size(tmp_path):
    write(tmp_path, 3)
    save(tmp_path / "masks" / "1.png", mask_of(1).T)
    with pytest.raises(
        ValueError, match="4 x 6 of .*images/1.jpg, 6 x 4 of .*masks/1.png"
    ):
        load_masks(tmp_path)


def test_a_mask_fits_the_image_as_it_is_turned(tmp_path):
    write(tmp_path, 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "images" / "1.jpg", picture_of(1), exif=exif)
    with pytest.raises(ValueError, match="6 x 4 of .*1.jpg, 4 x 6 of .*1.png"):
        load_masks(tmp_path)
    save(tmp_path / "masks" / "1.png", mask_of(1).T)
    data = load_masks((tmp_path / "images", tmp_path / "masks"))
    for image, mask in zip(data.images, read_masks(data)):
        assert read_image(image).shape[:2] == mask.shape


def test_errors_name_the_file(tmp_path):
    write(tmp_path, 3)
    path = tmp_path / "masks" / "2.png"
    save(path, mask_of(2).astype("uint16") + 300)
    with pytest.raises(ValueError, match="300, 301, 302 in .*2.png"):
        load_masks(tmp_path)
    path.write_bytes(b"no image")
    with pytest.raises(ValueError, match="decode. Received: .*2.png"):
        load_masks(tmp_path)
    save(path, mask_of(2))
    (tmp_path / "images" / "0.jpg").write_bytes(b"no image")
    with pytest.raises(ValueError, match="An image must be .*0.jpg"):
        load_masks(tmp_path)


def test_names_are_read_from_a_file_beside(tmp_path):
    write(tmp_path, 5)
    path = tmp_path / "classes.txt"
    path.write_text("sky\nfield \ntree\nhouse\n\n")
    names = ["sky", "field", "tree", "house"]
    assert load_masks(tmp_path).label_names == names
    both_folders = tmp_path / "images", tmp_path / "masks"
    assert load_masks(both_folders).label_names == names
    path.rename(tmp_path / "masks" / "classes.txt")
    assert load_masks(tmp_path).label_names == names
    path.write_text("sky\nfield\n")
    with pytest.raises(ValueError, match="same classes"):
        load_masks(tmp_path)
    (tmp_path / "masks" / "classes.txt").unlink()
    with pytest.raises(ValueError, match="0 to 1, or 255.*2 in .*0.png"):
        load_masks(tmp_path)


@pytest.mark.parametrize("text", ["sky\n", "sky\nsky\n", "sky\n\ntree\n", ""])
def test_refuses_names_that_are_none(text, tmp_path):
    write(tmp_path, 3)
    (tmp_path / "classes.txt").write_text(text)
    with pytest.raises(ValueError, match="`classes.txt` must name 2 to 255"):
        load_masks(tmp_path)


def test_names_of_parts_are_read_beside_them_or_above(tmp_path):
    write(tmp_path / "train", 4)
    write(tmp_path / "test", 2)
    (tmp_path / "train" / "classes.txt").write_text("a\nb\nc\nd\n")
    assert [x.label_names for x in both(tmp_path)] == [list("abcd")] * 2
    (tmp_path / "train" / "classes.txt").rename(tmp_path / "classes.txt")
    assert [x.label_names for x in both(tmp_path)] == [list("abcd")] * 2


def test_all_background_is_refused_to_learn_from(tmp_path):
    for place in range(4):
        save(tmp_path / "images" / f"{place}.jpg", picture_of(place))
        save(tmp_path / "masks" / f"{place}.png", 0 * mask_of(place))
    for split in ("train", "test"):
        with pytest.raises(ValueError, match="4 masks.*only class is: 0"):
            load_masks(tmp_path, split)
    (tmp_path / "classes.txt").write_text("ground\nhorse\n")
    with pytest.raises(ValueError, match="4 masks.*only class is: ground"):
        load_masks(tmp_path)
    # To measure on, it will do.
    assert load_masks(tmp_path, "test").label_names == ["ground", "horse"]


def test_colours_and_black_and_white_are_read_from_folders(tmp_path):
    for place in range(3):
        save(tmp_path / "images" / f"{place}.jpg", picture_of(place))
        save(tmp_path / "masks" / f"{place}.png", palette(3)[mask_of(place)])
    data = load_masks(tmp_path)
    assert data.label_names == ["#000000", "#008000", "#800000"]
    (at, *_), mask = (int(x.stem) for x in data.images), next(read_masks(data))
    np.testing.assert_array_equal(mask, np.array([0, 2, 1])[mask_of(at)])
    for place in range(3):
        save(tmp_path / "masks" / f"{place}.png", 255 * (mask_of(place) % 2))
    data = load_masks(tmp_path)
    assert data.label_names == ["background", "object"]
    (at, *_), mask = (int(x.stem) for x in data.images), next(read_masks(data))
    np.testing.assert_array_equal(mask, mask_of(at) % 2)


def test_masks_are_read_from_files_when_they_are_asked_for(tmp_path):
    data = load_masks(write(tmp_path, 5))
    assert all(isinstance(each, RawMask) for each in data.masks)
    path = data.masks[2].raw
    save(path, np.ones(SIZE, "uint8"))
    assert (list(read_masks(data))[2] == 1).all()
    path.unlink()
    with pytest.raises(FileNotFoundError, match=path.name):
        list(read_masks(data))


def test_names_and_places_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="data='no_such/folder'"):
        load_masks("no_such/folder")
    with pytest.raises(ValueError, match="data='scene_shape'.*scene_shapes"):
        load_masks("scene_shape")
    write(tmp_path / "odd_one_out", 2)
    with pytest.raises(ValueError, match="either a name or a place"):
        load_masks("odd_one_out")
    assert load_masks("./odd_one_out").name == "odd_one_out"


# What data say of themselves.


def test_shares_are_those_of_the_pixels():
    masks = np.array([[[0, 0, 0, 1]], [[2, 2, 255, 255]]], "uint8")
    data = MaskData(np.zeros((2, 1, 4, 3), "uint8"), masks, list("abc"), "x")
    assert data.found() == (
        "x, all: 2 images of 3 classes (a 50.0 %, b 16.7 %, c 33.3 %; "
        "25.0 % of pixels not labelled)"
    )
    assert repr(data) == f"<MaskData {data.found()}>"
    assert data.take([]).found() == "x, all: no images"
    many = MaskData(data.images, masks, [str(x) for x in range(30)], "x")
    assert ", 19 0.0 %, ...; " in many.found()


def test_of_many_masks_some_are_counted_and_that_is_said(monkeypatch):
    masks = np.zeros((250, 1, 2), "uint8")
    masks[:, 0, 1] = 1
    pictures = np.zeros((250, 1, 2, 3), "uint8")
    whole = MaskData(pictures, masks, list("ab"))
    assert whole.found() == (
        "masks, all: 250 images of 2 classes (a 50.0 %, b 50.0 %)"
    )
    listed = MaskData(pictures, list(masks), list("ab"))
    assert listed.found().endswith("(a 50.0 %, b 50.0 %; of 84 masks)")
    monkeypatch.setattr(mask_data, "MOST_COUNTED", 499)
    assert whole.found().endswith("; of 84 masks)")


def test_the_digest_tells_images_masks_and_their_order(tmp_path):
    def digest(masks, pictures=PICTURES):
        return load_masks((pictures, masks)).sha256()

    other = MASKS.copy()
    other[1, 2, 3] = 3
    found = [
        digest(MASKS),
        digest(MASKS[::-1]),
        digest(other),
        digest(MASKS, PICTURES + 1),
        digest(MASKS.reshape(2, 6, 4), PICTURES.reshape(2, 6, 4, 3)),
    ]
    assert len(set(found)) == 5
    assert digest(list(MASKS)) == found[0]
    paths = [tmp_path / f"{place}.png" for place in range(2)]
    for path, mask in zip(paths, MASKS):
        save(path, mask.astype("uint8"))
    assert digest(paths) == found[0]


def test_parts_keep_masks_with_their_images(tmp_path):
    data = load_masks(write(tmp_path, 9))
    first, second = data.divide(0.3)
    assert len(first) + len(second) == 7
    assert by_name(first, second) == by_name(data)
    assert len(data.sample(3)) == 3
    assert data.strata is None
    none = dataclasses.replace(data, masks=list(read_masks(data)))
    assert none.sha256() == data.sha256()


def test_masks_are_read_in_order_whatever_they_are(tmp_path):
    write(tmp_path, 40)
    masks = [tmp_path / "masks" / f"{place}.png" for place in range(40)]
    masks[5] = mask_of(5)
    data = MaskData([None] * 40, masks, list("abc"))
    for place, mask in enumerate(read_masks(data)):
        np.testing.assert_array_equal(mask, mask_of(place))
    assert list(read_masks(data.take([]))) == []
    np.testing.assert_array_equal(next(read_masks(data.take([7]))), mask_of(7))
    assert read_mask is mask_data.read_mask


def test_the_palette_is_that_of_pascal_voc():
    known = {
        1: (128, 0, 0),
        7: (128, 128, 128),
        8: (64, 0, 0),
        15: (192, 128, 128),
        20: (0, 64, 128),
        255: (224, 224, 192),
    }
    colours = palette(256)
    assert colours.shape == (256, 3) and colours.dtype == "uint8"
    assert (colours[0] == 0).all()
    for place, colour in known.items():
        assert tuple(colours[place]) == colour
    assert len({tuple(each) for each in colours}) == 256
    np.testing.assert_array_equal(palette(5), colours[:5])
    for count in (0, 257):
        with pytest.raises(ValueError, match=f"count={count}"):
            palette(count)


# Public sets.


@pytest.fixture
def pets(tmp_path, monkeypatch):
    """The official builder, its pictures made here."""
    tfds = pytest.importorskip("tensorflow_datasets")
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    kind = type(tfds.builder("oxford_iiit_pet"))

    def examples(part, count):
        for place in range(count):
            save(tmp_path / f"{place}.jpg", picture_of(place))
            save(tmp_path / f"{part}{place}.png", 1 + mask_of(place))
            yield (
                f"{part}{place}",
                {
                    "image": str(tmp_path / f"{place}.jpg"),
                    "label": 0,
                    "species": 1,
                    "file_name": f"{place}.jpg",
                    "segmentation_mask": str(tmp_path / f"{part}{place}.png"),
                    "head_bbox": tfds.features.BBox(0.0, 0.0, 0.0, 0.0),
                },
            )

    monkeypatch.setattr(
        kind,
        "_split_generators",
        lambda self, manager: {
            "train": examples("train", 3),
            "test": examples("test", 2),
        },
    )
    return tfds.builder("oxford_iiit_pet")


def test_pets_are_read_if_they_are_prepared(pets):
    with pytest.raises(FileNotFoundError, match="oxford_iiit_pet must be prep"):
        load_masks("oxford_iiit_pet")
    pets.download_and_prepare()
    train, test = both("oxford_iiit_pet")
    assert train.label_names == ["background", "pet", "border"]
    assert (len(train), len(test), test.split) == (3, 2, "test")
    assert train.describe()["licence_class"] == "A"
    # Upstream: 1 is the pet, 2 the background, 3 was left open.
    upstream = {mask_of(place).tobytes(): place for place in range(3)}
    for image, mask in zip(train.images, read_masks(train)):
        back = np.array([1, 0, 2], "uint8")[mask]
        place = upstream[back.tobytes()]
        np.testing.assert_allclose(read_image(image), 20 * place, atol=2)


@needs_public("weizmann_horse")
def test_horses_are_read_from_upstream_files():
    train, test = both("weizmann_horse")
    assert (len(train), len(test)) == (262, 66)
    assert train.split == "80% of train (at random, seed 0)"
    assert train.label_names == ["background", "horse"]
    assert train.describe()["licence_class"] == "C"
    # Upstream has one of them twice.
    assert len({*train.images} & {*test.images}) == 1
    for image, mask in zip(test.images[:10], read_masks(test.take(range(10)))):
        assert read_image(image).shape[:2] == mask.shape
        assert set(np.unique(mask)) == {0, 1}
    shares = [mask.mean() for mask in read_masks(test)]
    assert 0.2 < np.mean(shares) < 0.3  # upstream: 25 % foreground
    assert "(background 7" in train.found() and "of 88 masks" in train.found()


def test_scaled_digits_are_learned_and_measured_from_different_scans():
    test = load_masks("scaled_digits", "test")
    assert test.images.shape == (500, 64, 64, 1)
    assert test.label_names == ["background", *map(str, range(10))]
    counts = np.bincount(test.masks.reshape(-1), minlength=11)
    assert counts[1:].min() > 0.5 * counts[1:].max()
    np.testing.assert_array_equal(test.truth["heights"] > 0, test.masks > 0)
