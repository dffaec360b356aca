"""Images with boxes and captions: every way in, and what is refused."""

import dataclasses

import numpy as np
import pytest

from tests.zoo.data.test_captions import draw, write
from zoo.data import scenes
from zoo.data.captions import CaptionData, load_captions
from zoo.data.region_captions import (
    RegionCaptionData,
    load_region_captions,
    proposals,
    scene_region_captions,
)

HEADER = "image,boxes,caption"
IMAGES = np.zeros((2, 4, 4, 3), "uint8")
LEFT, RIGHT = (-1, -1, 0, 1), (0, -1, 1, 1)
BOXES = [[LEFT], np.array([LEFT, RIGHT])]


def test_scenes_are_the_embedded_default():
    data = load_region_captions("scenes", "test")
    drawn = scenes.make(1000, seed=2)
    np.testing.assert_array_equal(data.images, drawn.images)
    assert data.captions == [[each] for each in drawn.captions]
    boxes, owners = proposals(drawn, 2)
    np.testing.assert_array_equal(data.truth["owners"], owners)
    assert data.raws["boxes"] is data.boxes
    for found, expected in zip(data.boxes, boxes, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert data.describe() == {
        "name": "scenes",
        "version": scenes.VERSION,
        "licence_class": "A",
        "train_split": "test",
    }
    assert data.found() == (
        "scenes, test: 1,000 images with 1,000 captions of 9 to 10 words; "
        "2 to 6 boxes each"
    )


def test_scenes_are_drawn_as_many_as_asked():
    data, drawn = scene_region_captions(3, seed=5), scenes.make(3, seed=5)
    boxes, owners = proposals(drawn, 5)
    np.testing.assert_array_equal(data.images, drawn.images)
    assert data.captions == [[each] for each in drawn.captions]
    for one, other in zip(data.boxes, boxes, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(data.truth["owners"], owners)
    assert (data.name, data.split) == ("scenes", "3 of seed 5")


def test_words_own_the_boxes_of_their_objects():
    drawn = scenes.make(200, 5)
    boxes, owners = proposals(drawn)
    for place in range(200):
        for word, old in enumerate(drawn.owners[place]):
            new = owners[place, word]
            assert (new < 0) == (old < 0)
            if old >= 0:
                np.testing.assert_array_equal(
                    boxes[place][new], drawn.boxes[place, old]
                )


def test_other_boxes_hold_background_alone():
    drawn = scenes.make(200, 5)
    boxes, _ = proposals(drawn)
    more = [len(b) - (k[:, 0] >= 0).sum() for b, k in zip(boxes, drawn.kinds)]
    assert set(more) == {0, 1, 2}
    height, width = drawn.masks.shape[1:]
    for mask, objects, found in zip(drawn.masks, drawn.boxes, boxes):
        assert (np.abs(found) <= 1).all()
        assert ((found[:, 2:] - found[:, :2]) > 0.3).all()
        for x0, y0, x1, y1 in found:
            if not (objects == (x0, y0, x1, y1)).all(axis=1).any():
                # Pixels wholly inside, as objects fill whole ones.
                rows = slice(
                    int(np.ceil((y0 + 1) / 2 * height)),
                    int((y1 + 1) / 2 * height),
                )
                columns = slice(
                    int(np.ceil((x0 + 1) / 2 * width)),
                    int((x1 + 1) / 2 * width),
                )
                assert not mask[rows, columns].any()


def test_the_order_of_boxes_tells_nothing_of_the_caption():
    boxes, owners = proposals(scenes.make(800, 5))
    first = owners[:, 2]  # the colour of the first object
    counts = np.bincount(first, minlength=6)[:4] / 800
    # Of 2 to 6 boxes, it is at each place as often as any.
    sizes = np.array([len(each) for each in boxes])
    expected = [np.mean((sizes > place) / sizes) for place in range(4)]
    np.testing.assert_allclose(counts, expected, atol=0.05)


def test_boxes_of_a_scene_depend_on_its_place_and_the_seed_alone():
    few, many = (proposals(scenes.make(count, 5))[0] for count in (3, 9))
    for one, two in zip(few, many):
        np.testing.assert_array_equal(one, two)
    other = proposals(scenes.make(3, 5), seed=1)[0]
    assert any(x.shape != y.shape or (x != y).any() for x, y in zip(few, other))


def test_boxes_and_truth_are_taken_along_when_data_are_cut():
    data = load_region_captions("scenes", "test").sample(40)
    first, second = data.divide(0.25)
    assert (len(first), len(second)) == (30, 10)
    whole = {image.tobytes(): at for at, image in enumerate(data.images)}
    for at, image in enumerate(second.images):
        old = whole[image.tobytes()]
        np.testing.assert_array_equal(second.boxes[at], data.boxes[old])
        np.testing.assert_array_equal(
            second.truth["owners"][at], data.truth["owners"][old]
        )
        assert second.captions[at] == data.captions[old]


def test_the_digest_tells_images_boxes_and_captions():
    def digest(boxes, texts=("a cat", "a dog"), images=IMAGES):
        return load_region_captions((images, boxes, list(texts))).sha256()

    other = IMAGES.copy()
    other[1] = 9
    found = [
        digest(BOXES),
        digest(BOXES[::-1]),
        digest([[LEFT, RIGHT], [LEFT]]) + " again",
        digest([[RIGHT], BOXES[1]]),
        digest([[LEFT, LEFT], [RIGHT]]),
        digest(BOXES, ("a dog", "a cat")),
        digest(BOXES, images=other),
        digest(BOXES, images=other[::-1]),
    ]
    assert len(set(found)) == 8
    assert f"{found[1]} again" == found[2]
    assert digest([np.array([LEFT]), list(BOXES[1])]) == found[0]


def test_takes_three_lists_or_a_list_of_triples():
    texts = ["a cat", ["a dog", "a brown dog"]]
    lists = load_region_captions((IMAGES, BOXES, texts))
    assert lists.captions == [["a cat"], ["a dog", "a brown dog"]]
    assert [each.shape for each in lists.boxes] == [(1, 4), (2, 4)]
    assert {each.dtype.name for each in lists.boxes} == {"float32"}
    assert (lists.name, lists.split, lists.truth) == ("captions", "all", None)
    again = load_region_captions(list(zip(IMAGES, BOXES, texts)))
    assert again.sha256() == lists.sha256()
    assert load_region_captions([IMAGES, BOXES, texts]).sha256() == (
        lists.sha256()
    )
    same = np.array([[LEFT], [RIGHT]])
    assert len(load_region_captions((IMAGES, same, texts)).boxes) == 2
    assert load_region_captions(lists, "test") is lists
    assert lists.fields == ("boxes", "images", "captions")
    told = dataclasses.replace(lists, truth={"owners": np.zeros((2, 3))})
    assert told.fields[-1] == "truth"


def test_reads_a_table_of_a_folder(tmp_path):
    draw(tmp_path, "a.png", "b.png", "c.png")
    write(
        tmp_path,
        "a.png,-1 -1 0 1; 0 -1 1 1,two halves",
        "b.png,-1 -1 1 1,all",
        'b.png,"-1, -1, 1, 1",the whole',
        header=HEADER,
    )
    with pytest.warns(UserWarning, match="c.png: no caption"):
        parts = [load_region_captions(tmp_path, x) for x in ("train", "test")]
    assert [len(part) for part in parts] == [1, 1]
    (one, two) = sorted(parts, key=lambda part: part.captions)
    assert one.captions == [["all", "the whole"]]
    assert one.boxes[0].tolist() == [[-1, -1, 1, 1]]
    assert two.boxes[0].tolist() == [list(LEFT), list(RIGHT)]
    assert two.images == [tmp_path / "a.png"]
    assert one.skipped == ("c.png: no caption",)
    assert one.place.endswith(tmp_path.name) and one.version is None
    assert isinstance(one, RegionCaptionData)
    (tmp_path / "captions.csv").rename(tmp_path / "mine.csv")
    assert load_region_captions(tmp_path / "mine.csv").name == "mine"


@pytest.mark.parametrize(
    "line, why",
    [
        ("b.png,,a dog", "an empty boxes in .*captions.csv, line 3"),
        ("b.png,;,a dog", "a box at least.*captions.csv, line 3"),
        ("b.png,0 0 1,a dog", "four numbers.*'0 0 1' in .*line 3"),
        ("b.png,0 0 0 0,a dog", "an area.*at place 0 in .*line 3"),
        ("b.png,0 0 32 32,a dog", "on the image.*line 3"),
        ("b.png,0 0 1 nan,a dog", "finite.*line 3"),
        ("b.png,0 0 1 1,", "an empty caption in .*line 3"),
        ("a.png,0 0 1 1,a cat", "the same boxes.*others than above in .*3"),
        ("../a.png,0 0 1 1,a cat", "lie in the folder.*line 3"),
    ],
)
def test_refuses_a_malformed_line(line, why, tmp_path):
    draw(tmp_path, "a.png", "b.png")
    write(tmp_path, "a.png,-1 -1 0 0,a cat", line, header=HEADER)
    with pytest.raises(ValueError, match=why):
        load_region_captions(tmp_path)


def test_a_table_without_boxes_is_refused(tmp_path):
    draw(tmp_path, "a.png")
    write(tmp_path, "a.png,a cat")
    with pytest.raises(ValueError, match="`image`, `boxes` and `caption`"):
        load_region_captions(tmp_path)


@pytest.mark.parametrize(
    "source, why",
    [
        ((IMAGES, BOXES), "three lists.*tuple of 2"),
        ((IMAGES, BOXES[:1], ["a", "b"]), "2 images, boxes of list of 1"),
        ((IMAGES, None, ["a", "b"]), "boxes of NoneType"),
        ((IMAGES, [[LEFT], []], ["a", "b"]), "no boxes of image 1"),
        ((IMAGES, [[LEFT], [(0, 0, 2, 2)]], ["a", "b"]), "of image 1"),
        ((IMAGES, BOXES, ["a", ""]), "at place 1"),
        ([("a.png", [LEFT], "a"), ("a.png", "a")], "triple.*2 at place 1"),
        ([], "list of 0"),
        (CaptionData(IMAGES, [["a"], ["b"]]), "boxes on each.*'captions'"),
        ("scene", r"no such file or folder; near: \['scenes'"),
        ("coco_mini", '"scenes", a .csv file'),
        (None, "NoneType"),
    ],
)
def test_refuses_what_are_no_regions(source, why):
    with pytest.raises(ValueError, match=why):
        load_region_captions(source)
    with pytest.raises(ValueError, match="split='val'"):
        load_region_captions(source, "val")


def test_a_captioner_of_images_alone_takes_none():
    with pytest.raises(ValueError, match="region_captioning.*RegionCaption"):
        load_captions(load_region_captions((IMAGES, BOXES, ["a", "b"])))
