"""The odd one out: it is odd, masked, and told by comparison alone."""

import hashlib
import itertools

import numpy as np
import pytest

from zoo.data.odd_one_out import DIFFERENCES, PARTS, make
from zoo.data.scenes import COLOURS, SHAPES, SIZES

SHAPES_OF_IMAGES = [(64, 64), (48, 80), (96, 40), (32, 32), (33, 100)]
NAMES = (SIZES, tuple(COLOURS), SHAPES)


@pytest.fixture(scope="module")
def many():
    return make(3000, seed=7, size=(32, 32))


def objects_of(truth, place):
    there = truth["kinds"][place, :, 0] >= 0
    return truth["kinds"][place, there], truth["boxes"][place, there]


def test_a_picture_depends_on_seed_place_and_size_alone():
    few, more, other = make(4, seed=3), make(9, seed=3), make(4, seed=4)
    for one, two in zip(few[:2], more[:2]):
        np.testing.assert_array_equal(two[:4], one)
    for name, values in few[2].items():
        np.testing.assert_array_equal(more[2][name][:4], values)
    assert (other[0] != few[0]).any(axis=(1, 2, 3)).all()


def test_pictures_are_the_same_on_every_machine():
    images, masks, truth = make(5, seed=1, size=(40, 64))
    digest = hashlib.sha256()
    for part in (images, masks, *truth.values()):
        digest.update(part.tobytes())
    assert digest.hexdigest() == (
        "ff4e28c44d5a58af8af0ed2db5ead85bcba17b399f1b599187520badcc62a9f8"
    )


@pytest.mark.parametrize("size", SHAPES_OF_IMAGES)
def test_arrays_are_as_promised(size):
    images, masks, truth = make(40, seed=2, size=size)
    for part, shape, dtype in (
        (images, (40, *size, 3), "uint8"),
        (masks, (40, *size), "uint8"),
        (truth["differs"], (40,), "int8"),
        (truth["odd"], (40,), "int8"),
        (truth["kinds"], (40, 5, 3), "int8"),
        (truth["boxes"], (40, 5, 4), "float32"),
    ):
        assert part.shape == shape and part.dtype == dtype
    counts = (truth["kinds"][..., 0] >= 0).sum(axis=1)
    assert set(counts) == {4, 5}
    for place, count in enumerate(counts):
        assert (truth["kinds"][place, count:] == -1).all()
        assert (truth["boxes"][place, count:] == 0).all()
    assert set(np.unique(masks)) == {0, 1}


@pytest.mark.parametrize("size", SHAPES_OF_IMAGES)
def test_exactly_one_differs_and_in_one_thing(size):
    _, _, truth = make(150, seed=5, size=size)
    for place, (odd, differs) in enumerate(zip(truth["odd"], truth["differs"])):
        kinds, _ = objects_of(truth, place)
        others = np.delete(kinds, odd, axis=0)
        assert len(others) >= 3 and (others == others[0]).all()
        found = np.flatnonzero(kinds[odd] != others[0])
        assert found.tolist() == [differs]
    assert set(truth["differs"]) == set(range(len(DIFFERENCES)))


@pytest.mark.parametrize("size", SHAPES_OF_IMAGES)
def test_the_mask_fills_the_box_of_the_odd_one(size):
    _, masks, truth = make(60, seed=2, size=size)
    for place, (mask, odd) in enumerate(zip(masks, truth["odd"])):
        kinds, boxes = objects_of(truth, place)
        rows, columns = np.nonzero(mask)
        expected = np.array(
            [
                columns.min() / size[1],
                rows.min() / size[0],
                (columns.max() + 1) / size[1],
                (rows.max() + 1) / size[0],
            ]
        )
        np.testing.assert_allclose(boxes[odd], expected * 2 - 1, atol=1e-6)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert height == width
        share = mask.sum() / height**2
        low, high = {"square": (1, 1), "circle": (0.7, 0.9)}.get(
            SHAPES[kinds[odd, 2]], (0.5, 0.75)
        )
        assert low <= share <= high


@pytest.mark.parametrize("size", SHAPES_OF_IMAGES)
def test_objects_lie_apart_and_have_their_size(size):
    _, _, truth = make(60, seed=2, size=size)
    unit = min(size) / 64
    for place in range(60):
        kinds, boxes = objects_of(truth, place)
        pixels = (boxes + 1) * (np.array([*size[::-1]] * 2) / 2)
        assert (pixels[:, :2] >= 1 - 1e-4).all()
        assert (pixels[:, 2:] <= np.array(size[::-1]) - 1 + 1e-4).all()
        for a, b in itertools.combinations(pixels, 2):
            gap = np.maximum(a[:2] - b[2:], b[:2] - a[2:]).max()
            assert gap >= 2 * unit - 1e-4
        sides = pixels[:, 2] - pixels[:, 0]
        small = kinds[:, 0] == 0
        assert (sides[small] <= 10.5 * unit + 0.5).all()
        assert (sides[~small] >= 14.5 * unit - 0.5).all()


def test_pixels_have_the_colour_of_their_kind():
    images, _, truth = make(60, seed=3)
    values = np.array(list(COLOURS.values()), float)
    for place, image in enumerate(images):
        for kind, box in zip(*objects_of(truth, place)):
            x0, y0, x1, y1 = np.round((box + 1) * 32).astype(int)
            middle = (y0 + y1) // 2, (x0 + x1) // 2
            inside = image[
                middle[0] - 1 : y1 - 1, middle[1] - 1 : middle[1] + 2
            ]
            np.testing.assert_allclose(
                inside.mean(axis=(0, 1)), values[kind[1]], atol=20
            )


def test_no_kind_is_odd_more_often_than_others(many):
    _, _, truth = many
    there = truth["kinds"][..., 0] >= 0
    odd = np.arange(5) == truth["odd"][:, None]
    usual = odd[there].mean()
    np.testing.assert_allclose(usual, 1 / 4.5, atol=0.01)
    for column, names in enumerate(NAMES):
        shares = [
            odd[truth["kinds"][..., column] == each].mean()
            for each in range(len(names))
        ]
        # Four standard deviations of a colour: 500 odd ones, and as many
        # groups of ordinary ones.
        np.testing.assert_allclose(shares, usual, atol=0.045)
    codes = truth["kinds"].astype(int) @ [18, 3, 1]
    shares = [odd[there & (codes == each)].mean() for each in range(36)]
    np.testing.assert_allclose(shares, usual, atol=0.11)


def test_places_sizes_and_brightness_tell_nothing(many):
    images, masks, truth = many
    there = truth["kinds"][..., 0] >= 0
    odd = np.arange(5) == truth["odd"][:, None]
    sides = (truth["boxes"][..., 2] - truth["boxes"][..., 0])[..., None]
    centres = truth["boxes"][..., :2] + sides / 2
    for values in (centres, np.abs(centres), sides):
        difference = values[odd].mean(axis=0) - values[there & ~odd].mean(
            axis=0
        )
        spread = values[there].std(axis=0)
        assert (np.abs(difference) < 0.08 * spread).all()
    # As bright as the others, on the whole.
    gray = images.astype("float32").mean(axis=-1)
    boxes = np.round((truth["boxes"] + 1) * 16).astype(int)
    shown = np.zeros(there.shape)
    for place, each in zip(*np.nonzero(there)):
        x0, y0, x1, y1 = boxes[place, each]
        shown[place, each] = gray[place, y0:y1, x0:x1].mean()
    difference = shown[odd].mean() - shown[there & ~odd].mean()
    assert abs(difference) < 0.08 * shown[there].std()
    brightest = shown.argmax(axis=1) == truth["odd"]
    assert brightest.mean() < 0.4


def test_every_place_in_the_order_is_odd_as_often(many):
    _, _, truth = many
    counts = np.bincount(truth["odd"], minlength=5) / 3000
    np.testing.assert_allclose(counts[:4], (1 / 4 + 1 / 5) / 2, atol=0.03)
    np.testing.assert_allclose(counts[4], 1 / 10, atol=0.03)
    of = np.bincount(truth["differs"], minlength=3) / 3000
    np.testing.assert_allclose(of, 1 / 3, atol=0.03)


def test_the_parts_are_not_drawn_alike():
    (train, one), (test, two) = PARTS["train"], PARTS["test"]
    assert (train, test) == (4000, 500) and one != two


@pytest.mark.parametrize(
    "options, why",
    [
        ({"count": 0}, "count=0"),
        ({"seed": -1}, "seed=-1"),
        ({"size": (31, 60)}, r"size=\(31, 60\)"),
        ({"size": (60, 31)}, r"size=\(60, 31\)"),
    ],
)
def test_refuses_what_cannot_be_drawn(options, why):
    with pytest.raises(ValueError, match=why):
        make(**{"count": 2, **options})
