"""Where a map is heaviest, against boxes: worked by hand, and by loops."""

import numpy as np
import pytest

from zoo.pointing import pointing, pointing_among

HALVES = {
    "left": (-1, -1, 0, 1),
    "right": (0, -1, 1, 1),
    "top": (-1, -1, 1, 0),
    "bottom": (-1, 0, 1, 1),
}


def peak(shape, place):
    weights = np.full(shape, 0.1)
    weights[place] = 0.5
    return weights


def by_loops(weights, boxes):
    """Both, written out: one item and one cell after the other."""
    hits, chance = [], []
    for grid, (x0, y0, x1, y1) in zip(weights, boxes):
        high, wide = grid.shape
        heaviest, hit, count = -np.inf, None, 0
        for i in range(high):
            for j in range(wide):
                x, y = (2 * j + 1) / wide - 1, (2 * i + 1) / high - 1
                inside = x0 <= x <= x1 and y0 <= y <= y1
                count += inside
                if grid[i, j] > heaviest:
                    heaviest, hit = grid[i, j], inside
        hits.append(hit)
        chance.append(count / (high * wide))
    return hits, chance


@pytest.mark.parametrize(
    "place, halves",
    [
        ((0, 0), {"left", "top"}),
        ((0, 5), {"right", "top"}),
        ((1, 0), {"left", "bottom"}),
        ((1, 3), {"right", "bottom"}),
    ],
)
def test_x_is_along_the_columns_and_y_goes_down(place, halves):
    weights = np.stack(4 * [peak((2, 6), place)])
    hits, chance = pointing(weights, list(HALVES.values()))
    assert hits.tolist() == [name in halves for name in HALVES]
    assert chance.tolist() == [0.5] * 4
    assert hits.dtype == bool and chance.dtype == "float64"


def test_worked_by_hand():
    # Centres of 2 rows and 3 columns: y at -1/2 and 1/2, x at -2/3, 0 and 2/3.
    box = (-0.1, -0.6, 0.7, -0.4)
    weights = np.stack([peak((2, 3), place) for place in np.ndindex(2, 3)])
    hits, chance = pointing(weights, np.tile(box, (6, 1)))
    assert hits.tolist() == [False, True, True, False, False, False]
    np.testing.assert_allclose(chance, 2 / 6)


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (1, 5), (4, 4)])
def test_equals_the_loops(shape):
    generator = np.random.default_rng(0)
    weights = generator.random((200, *shape))
    ends = np.sort(generator.uniform(-1, 1, (200, 2, 2)), axis=1)
    boxes = ends.reshape(200, 4)
    hits, chance = pointing(weights, boxes)
    expected = by_loops(weights, boxes)
    assert hits.tolist() == expected[0] and 0 < hits.mean() < 1
    np.testing.assert_allclose(chance, expected[1])
    # At random, chance is what is reached.
    assert abs(hits.mean() - chance.mean()) < 0.1


def test_an_edge_belongs_to_its_box_and_the_next_cell_does_not():
    # Of four columns the centres are at -3/4, -1/4, 1/4 and 3/4.
    weights = np.stack([peak((1, 4), (0, j)) for j in range(4)])
    box = (-0.25, -1, 0.25, 1)
    hits, chance = pointing(weights, [box] * 4)
    assert hits.tolist() == [False, True, True, False]
    assert chance.tolist() == [0.5] * 4
    upright, rows = weights.swapaxes(1, 2), (-1, -0.25, 1, 0.25)
    assert pointing(upright, [rows] * 4)[0].tolist() == hits.tolist()
    narrower = (-0.249, -1, 0.249, 1)
    hits, chance = pointing(weights, [narrower] * 4)
    assert not hits.any() and chance.tolist() == [0] * 4


def test_who_looks_everywhere_alike_gets_no_credit():
    even = np.full((1, 4, 4), 1 / 16, "float32")
    assert pointing(even, [(-1, -1, 0, 0)])[0].tolist() == [False]
    assert pointing(even, [(-1, -1, 1, 1)])[0].tolist() == [True]
    two = peak((1, 4), (0, 0)) + peak((1, 4), (0, 1))
    boxes = [(-1, -1, 0, 1), (-1, -1, -0.5, 1), (-0.5, -1, 0, 1)]
    assert pointing([two] * 3, boxes)[0].tolist() == [True, False, False]


def test_any_real_numbers_will_do():
    box = [(0, -1, 1, 1)]
    logits = [[[-9.0, -3.0]]]
    assert pointing(logits, box)[0].tolist() == [True]
    half = np.array([[[1, 0]]], "float16")
    assert pointing(half, np.array(box, "float32"))[0].tolist() == [False]
    shares = np.array([[[7, 200]]], "uint8")
    assert pointing(shares, box)[0].tolist() == [True]
    rounded = np.nextafter(np.ones(4, "float32"), np.float32(2)) * (
        -1,
        -1,
        1,
        1,
    )
    hits, chance = pointing(logits, [rounded])
    assert hits.all() and chance.tolist() == [1]


def test_of_no_items_there_is_nothing_to_say():
    hits, chance = pointing(np.zeros((0, 2, 2)), np.zeros((0, 4)))
    assert hits.shape == chance.shape == (0,)


@pytest.mark.parametrize(
    "weights, boxes, message",
    [
        (np.eye(2), [HALVES["left"]], r"weights of shape \(2, 2\)"),
        ([np.eye(2)], HALVES["left"], r"boxes of shape \(4,\)"),
        ([np.eye(2)], [HALVES["left"]] * 2, r"boxes of shape \(2, 4\)"),
        (np.zeros((1, 0, 2)), [HALVES["left"]], r"\(1, 0, 2\)"),
        ([np.eye(2), [[0, np.nan], [0, 0]]], [HALVES["top"]] * 2, "place 1"),
        ([[[np.inf, 0]]], [HALVES["left"]], "`weights` must be finite"),
        ([np.eye(2)], [(np.nan, -1, 1, 1)], "`boxes` must be finite"),
        ([np.eye(2) * 1j], [HALVES["left"]], "complex"),
        ([[["a"]]], [HALVES["left"]], "real numbers"),
        ([np.eye(2)], [(0, 0, 0, 0)], "about nothing.*at place 0"),
        ([np.eye(2)], [(0, -1, 0, 1)], "x0 < x1 and y0 < y1"),
        ([np.eye(2)], [(-1, 0, 1, 0)], "x0 < x1 and y0 < y1"),
        ([np.eye(2)], [(-1, 1, 1, -1)], r"\[-1.0, 1.0, 1.0, -1.0\]"),
        ([np.eye(2)], [(0, 0, 32, 32)], r"in \[-1, 1\]"),
    ],
)
def test_refuses_what_cannot_be_compared(weights, boxes, message):
    with pytest.raises(ValueError, match=message):
        pointing(weights, boxes)


def test_among_boxes_the_heaviest_must_be_the_right_one():
    weights = np.array([[0.2, 0.5, 0.3, 0.0]] * 4)
    hits, chance = pointing_among(weights, [3, 3, 3, 4], [0, 1, 2, 1])
    assert hits.tolist() == [False, True, False, True]
    assert hits.dtype == bool
    np.testing.assert_allclose(chance, [1 / 3, 1 / 3, 1 / 3, 1 / 4])


def test_among_boxes_padding_is_not_compared():
    weights = [[0.1, 0.2, np.nan, 9.0], [0.3, 0.1, np.inf, 0.0]]
    hits, _ = pointing_among(weights, [2, 1], [1, 0])
    assert hits.tolist() == [True, True]


def test_among_boxes_who_looks_at_all_alike_gets_no_credit():
    hits, chance = pointing_among([[0.5, 0.5], [1.0, 0.0]], [2, 1], [0, 0])
    assert hits.tolist() == [False, True]
    assert chance.tolist() == [0.5, 1]
    hits, chance = pointing_among(np.zeros((0, 3)), [], [])
    assert hits.shape == chance.shape == (0,)


def test_among_boxes_chance_is_what_is_reached_at_random():
    generator = np.random.default_rng(0)
    counts = generator.integers(1, 6, 3000)
    owners = generator.integers(0, counts)
    hits, chance = pointing_among(generator.random((3000, 5)), counts, owners)
    assert abs(hits.mean() - chance.mean()) < 0.03


@pytest.mark.parametrize(
    "weights, counts, owners, message",
    [
        ([0.5, 0.5], [2], [0], r"shapes \(2,\)"),
        ([[0.5, 0.5]], [2, 2], [0], r"\(2,\) and \(1,\)"),
        ([[0.5, 0.5]], [2], [2], "owner 2 of 2 boxes"),
        ([[0.5, 0.5]], [2], [-1], "owner -1"),
        ([[0.5, 0.5]], [3], [0], "of 3 boxes"),
        ([[0.5, 0.5]] * 2, [2, 0], [0, 0], "of 0 boxes.*at place 1"),
        ([[0.5, np.nan]], [2], [0], "finite"),
    ],
)
def test_among_boxes_refuses_what_cannot_be_compared(
    weights, counts, owners, message
):
    with pytest.raises(ValueError, match=message):
        pointing_among(weights, counts, owners)
