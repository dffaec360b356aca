"""Distorted digits: the same every time, and the truth about them is true."""

import dataclasses
import types

import numpy as np
import pytest
from scipy import ndimage

from keras_attention.functional.sampling import affine_grid, bilinear_sample
from tests.public_data import needs_public
from zoo import measuring
from zoo.data.distorted_digits import (
    DISTORTIONS,
    bounding_box,
    distorted_digits,
    upright,
)
from zoo.data.images import DISTORTED, LICENCES, load_images
from zoo.data.sources import Known

NAMES = sorted(DISTORTIONS)


@pytest.fixture(scope="module")
def scans():
    return load_images("digits", "train").take(slice(0, 300))


def middle(picture):
    """The centre of the light, `(x, y)` in pixels."""
    return np.array(ndimage.center_of_mass(picture)[::-1])


@pytest.mark.parametrize("name", NAMES)
def test_any_subset_has_the_same_pictures(scans, name):
    few = distorted_digits(scans, name, "train", 20)
    more = distorted_digits(scans, name, "train", 50)
    np.testing.assert_array_equal(more.images[:20], few.images)
    for key, values in few.truth.items():
        np.testing.assert_array_equal(more.truth[key][:20], values)
    taken = more.take(np.array([7, 3]))
    np.testing.assert_array_equal(taken.images, more.images[[7, 3]])
    np.testing.assert_array_equal(taken.truth["box"], more.truth["box"][[7, 3]])
    np.testing.assert_array_equal(taken.labels, scans.labels[[7, 3]])


@pytest.mark.parametrize("name", NAMES)
def test_seed_part_and_place_say_what_is_done(scans, name):
    seeds = {"seed": 3}
    one = distorted_digits(scans, name, "train", 4)
    other = distorted_digits(scans, name, "test", 4)
    assert (one.images != other.images).any()
    other = distorted_digits(scans, name, "train", 4, **seeds)
    assert (one.images != other.images).any()
    # A scan that comes again is distorted in another way.
    few = scans.take(slice(0, 2))
    again = distorted_digits(few, name, "train", 4)
    assert again.truth["scan"].tolist() == [0, 1, 0, 1]
    assert again.labels.tolist() == scans.labels[[0, 1, 0, 1]].tolist()
    assert (again.images[0] != again.images[2]).any()


@pytest.mark.parametrize("name", NAMES)
def test_pictures_are_of_their_size_and_nothing_is_cut_off(scans, name):
    kind = DISTORTIONS[name]
    data = distorted_digits(scans, name, "train", 300, pieces=0)
    assert data.images.shape == (300, kind.side, kind.side, 1)
    assert data.images.dtype == "uint8"
    assert data.images.max(axis=(1, 2, 3)).min() > 190
    light = data.images.astype(float).sum(axis=(1, 2, 3))
    whole = upright(scans.images)[:300].sum(axis=(1, 2))
    if name in ("rotated", "translated_40", "translated_60"):
        np.testing.assert_allclose(light, whole, rtol=0.01)
    if "scale" in data.truth:
        scaled = light / data.truth["scale"] ** 2
        np.testing.assert_allclose(scaled, whole, rtol=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_the_box_is_the_smallest_that_holds_the_digit(scans, name):
    # The digit itself is the same with and without clutter.
    data = distorted_digits(scans, name, "train", 100)
    clear = data
    if DISTORTIONS[name].pieces:
        clear = distorted_digits(scans, name, "train", 100, pieces=0)
        clear = dataclasses.replace(
            clear, images=_without_clutter(scans, data), truth=data.truth
        )
    for picture, (x, y, width, height) in zip(
        clear.images[..., 0], clear.truth["box"]
    ):
        inside = picture[y : y + height, x : x + width]
        assert np.count_nonzero(inside) == np.count_nonzero(picture)
        for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
            assert edge.any()
        at = middle(picture)
        assert (at >= (x, y)).all()
        assert (at <= (x + width - 1, y + height - 1)).all()


def _without_clutter(scans, data):
    """The digits alone, put where `corner` says."""
    clear = np.zeros_like(data.images)
    large = np.round(upright(scans.images)).astype("uint8")
    for picture, (x, y), scan in zip(
        clear, data.truth["corner"], data.truth["scan"]
    ):
        picture[y : y + 28, x : x + 28, 0] = large[scan]
    return clear


def test_a_positive_angle_turns_clockwise_as_seen():
    hand = np.zeros((1, 28, 28, 1), "uint8")
    hand[0, 4:14, 13:15] = 255  # of a clock, at twelve
    base = types.SimpleNamespace(images=hand)
    scan = upright(base.images)[0]
    function = DISTORTIONS["rotated"].function
    picture, truth = function(scan, np.array([0.75]), 28)
    assert truth["angle"] == 45
    x, y = middle(picture) - 13.5
    assert x > 3 and y < -3
    np.testing.assert_allclose(x, -y, atol=0.1)
    picture, truth = function(scan, np.array([0.0]), 28)
    assert truth["angle"] == -90
    np.testing.assert_allclose(picture, np.rot90(scan), atol=1e-3)


def test_turned_back_by_its_angle_a_digit_is_upright(scans):
    data = distorted_digits(scans, "rotated", "train", 200)
    angle = np.deg2rad(data.truth["angle"])
    cos, sin, zero = np.cos(angle), np.sin(angle), np.zeros(200)
    matrix = np.array([[cos, -sin, zero], [sin, cos, zero]])
    grid = affine_grid(matrix.transpose(2, 0, 1).astype("float32"), (28, 28))
    back = bilinear_sample(data.images.astype("float32"), grid)
    difference = np.asarray(back)[..., 0] - upright(scans.images)[:200]
    assert np.abs(difference).mean() < 4
    turned = data.images[..., 0] - upright(scans.images)[:200]
    assert np.abs(turned).mean() > 20
    angles = distorted_digits(scans, "rotated", "train", 2000).truth["angle"]
    assert -90 <= angles.min() < -89 and 89 < angles.max() < 90
    assert abs(angles.mean()) < 3


def test_angle_scale_and_centre_say_where_a_digit_is(scans):
    data = distorted_digits(scans, "rotated_scaled_translated", "train", 300)
    truth = data.truth
    assert np.abs(truth["angle"]).max() <= 45
    assert 0.7 <= truth["scale"].min() < 0.72 < 1.18 < truth["scale"].max()
    for index, scan in enumerate(upright(scans.images)[:300]):
        x, y = middle(scan) - 13.5
        angle, scale = np.deg2rad(truth["angle"][index]), truth["scale"][index]
        turned = [
            x * np.cos(angle) - y * np.sin(angle),
            x * np.sin(angle) + y * np.cos(angle),
        ]
        expected = truth["centre"][index] + scale * np.array(turned)
        found = middle(data.images[index, ..., 0])
        np.testing.assert_allclose(found, expected, atol=0.2)
    # Each edge of the picture is reached.
    x, y, width, height = truth["box"].T
    assert x.min() == y.min() == 0
    assert (x + width).max() == (y + height).max() == 42


def projected(points, corners):
    """Where a projective map takes points, if the scan's corners go there.

    Of the square in homogeneous coordinates the corners' weights follow from
    `w0 p0 - w1 p1 + w2 p2 - w3 p3 = 0`; the map is linear in between.
    """
    lifted = np.c_[corners, np.ones(4)] * [[1], [-1], [1], [-1]]
    weights = np.linalg.svd(lifted.T)[2][-1]
    across, down = (points / 27).T[..., None]
    first, second, _, fourth = np.c_[corners, np.ones(4)] * weights[:, None]
    mixed = first + across * (second - first) + down * (fourth - first)
    return mixed[:, :2] / mixed[:, 2:]


def test_corners_say_where_a_projected_digit_is(scans):
    data = distorted_digits(scans, "projective", "train", 1500)
    pulled = data.truth["corners"] - data.truth["corners"].mean(1)[:, None]
    assert 3 < pulled.std(axis=0).mean() < 5
    differences = []
    for picture, corners, scan in zip(
        data.images[..., 0].astype(float),
        data.truth["corners"],
        upright(scans.images)[data.truth["scan"]],
    ):
        y, x = np.nonzero(scan)
        places = projected(np.stack([x, y], axis=1), corners)
        # Nothing is cut off, but a part of the edge that fades to black.
        assert places.min() > -1 and places.max() < 28
        read = ndimage.map_coordinates(
            picture, places[:, ::-1].T, order=1, mode="grid-constant"
        )
        differences.append(np.abs(read - scan[y, x]).mean())
    # Read twice and made smaller; the scans themselves differ by over 100.
    assert np.median(differences) < 20 and np.max(differences) < 50


def test_no_square_is_folded_over_even_beside_the_digit():
    wide = np.zeros((28, 28))
    wide[9:23, 4:24] = 255
    drawn = np.random.default_rng(0).random((6000, 9))
    # Of these the last two would fit, but for a corner that goes too far.
    for row in drawn[[*range(200), 1780, 4466]]:
        _, truth = DISTORTIONS["projective"].function(wide, row, 28)
        edges = np.roll(truth["corners"], -1, axis=0) - truth["corners"]
        ahead = np.roll(edges, -1, axis=0)
        turns = edges[:, 0] * ahead[:, 1] - edges[:, 1] * ahead[:, 0]
        assert (turns > 0).all()


def test_points_say_what_an_elastic_digit_shows(scans):
    data = distorted_digits(scans, "elastic", "train", 300)
    assert data.truth["points"].shape == (300, 16, 2)
    even = np.array([[x, y] for y in (0, 9, 18, 27) for x in (0, 9, 18, 27)])
    moved = data.truth["points"] - even
    assert 1.2 < moved.std() < 1.6
    for picture, points, scan in zip(
        data.images[..., 0], data.truth["points"], upright(scans.images)
    ):
        shown = picture[even[:, 1], even[:, 0]]
        read = ndimage.map_coordinates(
            scan, points[:, ::-1].T, order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(shown, read, atol=1)


@pytest.mark.parametrize("side", [40, 60])
def test_a_digit_is_moved_to_any_place(scans, side):
    data = distorted_digits(scans, f"translated_{side}", "train", 2000)
    corners = data.truth["corner"]
    assert corners.min() == 0 and corners.max() == side - 28
    np.testing.assert_array_equal(
        data.images[:100], _without_clutter(scans, data)[:100]
    )


@pytest.mark.parametrize("name, pieces", [("60", 4), ("100", 8)])
def test_clutter_is_pieces_of_other_digits(scans, name, pieces):
    few = scans.take(slice(0, 3))  # so that every place can be looked for
    data = distorted_digits(few, f"cluttered_{name}", "train", 20)
    clear = _without_clutter(few, data)
    large = np.round(upright(few.images)).astype("uint8")
    assert (data.images >= clear).all()  # the brighter pixel counts
    for picture, alone, scan in zip(
        data.images[..., 0], clear[..., 0], data.truth["scan"]
    ):
        crops = {
            tuple(large[other, y : y + 8, x : x + 8].ravel())
            for other in range(3)
            if other != scan
            for y in range(4, 17)
            for x in range(4, 17)
        }
        crops = np.array(sorted(crops))
        left = picture > alone
        windows = np.lib.stride_tricks.sliding_window_view(picture, (8, 8))
        # Each pixel of clutter is in a window that shows a crop as a whole, or
        # in the few that overlap others.
        for y, x in np.argwhere(left)[::37]:
            around = windows[max(y - 7, 0) : y + 1, max(x - 7, 0) : x + 1]
            pixels = around.reshape(-1, 1, 64)
            assert (pixels >= crops).all(axis=-1).any()
    count = ndimage.label(data.images[0, ..., 0])[1]
    assert count <= 3 * pieces + 3
    assert _lit(few, name, 2 * pieces) > 1.5 * _lit(few, name, pieces)
    assert _lit(few, name, 0) == 0


def _lit(scans, name, pieces):
    """How many pixels clutter lights."""
    data = distorted_digits(
        scans, f"cluttered_{name}", "train", 100, pieces=pieces
    )
    return np.count_nonzero(data.images > _without_clutter(scans, data))


def test_scans_of_8_pixels_are_enlarged_as_mnist_has_them():
    scans = load_images("digits")
    large = upright(scans.images)
    assert large.shape == (1437, 28, 28) and large.max() == 255
    assert not large[:, :2].any() and not large[:, :, :2].any()
    x, y, width, height = bounding_box(large.max(axis=0))
    assert x + (width - 1) / 2 == y + (height - 1) / 2 == 13.5
    small = large[:, 4:24, 4:24].reshape(-1, 10, 2, 10, 2).mean((2, 4))
    back = ndimage.zoom(
        small, (1, 0.8, 0.8), order=1, grid_mode=True, mode="nearest"
    )
    pair = np.corrcoef(back.ravel(), scans.images.ravel())[0, 1]
    assert pair > 0.95
    whole = np.zeros((2, 28, 28, 1), "uint8")
    np.testing.assert_array_equal(upright(whole), whole[..., 0])


@pytest.mark.parametrize("distortion", NAMES)
def test_digits_are_known_by_name(distortion):
    name = f"digits_{distortion}"
    test = load_images(name, "test")
    assert (test.name, len(test)) == (name, 1500)
    assert test.split == "1500 of 20% (stratified, seed 0)"
    assert test.describe() == {
        "name": name,
        "version": "1.0.0, of digits 1",
        "licence_class": "A",
        "train_split": test.split,
    }
    assert test.label_names == [str(digit) for digit in range(10)]
    assert test.truth["box"].shape == (1500, 4)


def test_training_and_test_never_share_a_scan():
    train, test = (load_images("digits_rotated", p) for p in ("train", "test"))
    assert len(train) == 6000
    bases = [load_images("digits", part) for part in ("train", "test")]
    for data, base in zip((train, test), bases):
        assert set(data.truth["scan"]) == set(range(len(base)))
        expected = base.labels[data.truth["scan"]]
        np.testing.assert_array_equal(data.labels, expected)
    shown = [{scan.tobytes() for scan in base.images} for base in bases]
    assert not shown[0] & shown[1]


def test_truth_survives_a_division_and_is_no_part_of_the_digest(scans):
    data = distorted_digits(scans, "rotated", "train", 200)
    for part in data.divide(0.25):
        for picture, box in zip(part.images[..., 0], part.truth["box"]):
            np.testing.assert_array_equal(bounding_box(picture), box)
    assert len(data.sample(50).truth["angle"]) == 50
    bare = dataclasses.replace(data, truth=None)
    assert bare.sha256() == data.sha256()
    assert bare.take(np.array([0])).truth is None
    assert load_images(data) is data


def test_a_card_finds_its_test_data_again():
    card = {"data": load_images("digits_rotated").describe()}
    task = types.SimpleNamespace(card=card, read=load_images)
    test = measuring.own_test(task)
    assert test.sha256() == load_images("digits_rotated", "test").sha256()


@needs_public("mnist")
def test_mnist_is_distorted_by_name():
    pytest.importorskip("tensorflow_datasets")
    test = load_images("mnist_rotated", "test")
    assert test.images.shape == (10_000, 28, 28, 1)
    assert test.describe()["licence_class"] == "B"
    assert test.version.startswith("1.0.0, of mnist ")
    assert test.truth["scan"].tolist() == list(range(10_000))
    base = load_images("mnist", "test")
    few = distorted_digits(base, "rotated", "test", 50)
    np.testing.assert_array_equal(few.images, test.images[:50])
    cluttered = distorted_digits(base, "cluttered_60", "test", 50)
    assert cluttered.images.shape == (50, 60, 60, 1)
    for picture, (x, y, width, height) in zip(
        cluttered.images[..., 0], cluttered.truth["box"]
    ):
        assert picture[y : y + height, x : x + width].max() > 190


def test_every_name_has_the_licence_of_its_base():
    assert set(DISTORTED) <= set(LICENCES)
    assert LICENCES["mnist_cluttered_60"] == LICENCES["mnist"]
    assert LICENCES["digits_translated_40"] == LICENCES["digits"]


def test_a_name_written_almost_right_tells_the_right_one():
    with pytest.raises(ValueError, match="near: .*'digits_rotated'"):
        load_images("digits_rotate")
    with pytest.raises(ValueError, match="near: .*'mnist_cluttered_60'"):
        load_images(Known("mnist_clutered_60"))


@pytest.mark.parametrize(
    "options, why",
    [
        ({"distortion": "bent"}, "one of .*'elastic'.*distortion='bent'"),
        ({"split": "dev"}, "split='dev'"),
        ({"count": 0}, "count=0"),
        ({"pieces": -1}, "pieces=-1"),
    ],
)
def test_refuses_what_cannot_be_made(scans, options, why):
    given = {"distortion": "rotated", "split": "train", **options}
    with pytest.raises(ValueError, match=why):
        distorted_digits(scans, **given)


def test_refuses_what_are_no_digits_and_clutter_of_one(scans):
    with pytest.raises(ValueError, match="another scan.*1 scans"):
        distorted_digits(scans.take(slice(0, 1)), "cluttered_60", "train")
    with pytest.raises(ValueError, match=r"shape=\(2, 9, 8, 1\)"):
        upright(np.zeros((2, 9, 8, 1)))
