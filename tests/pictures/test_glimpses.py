"""Outlines of regions: on the pixels that were read, and what was read."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from keras_attention import pictures
from keras_attention.pictures.drawing import new_figure
from keras_attention.pictures.glimpses import (
    REGION_COLORS,
    draw_read,
    draw_regions,
    region_color,
    region_lines,
)
from keras_attention.pictures.images import draw_image
from tests.drawn import inside

pytest.importorskip("matplotlib")

SIZE = (20, 40)  # height, width
CORNERS = [(-1, -1), (1, -1), (1, 1), (-1, 1)]  # of a region, clockwise
TURNED = [[0.3, -0.4, 0.1], [0.5, 0.2, -0.2]]
TILTED = [[0.5, 0.1, 0.2], [-0.2, 0.6, 0.1], [0.3, -0.4, 1.0]]
WHOLE = [[1, 0, 0], [0, 1, 0]]


def in_pixels(place, align_corners):
    """By hand: from the outer corner of the first pixel."""
    ends = [(0.5, side - 0.5) if align_corners else (0, side) for side in SIZE]
    (top, bottom), (left, right) = ends
    x, y = place
    return (
        left + (right - left) * (x + 1) / 2,
        top + (bottom - top) * (y + 1) / 2,
    )


def moved(matrix, place):
    found = np.array(matrix) @ (*place, 1)
    return found[:2] / (found[2] if len(found) == 3 else 1)


def outlines(transforms, **options):
    figure = pictures.region_outlines(np.zeros(SIZE), transforms, **options)
    return figure.axes[0]


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("matrix", [TURNED, TILTED])
def test_a_region_is_outlined_where_its_corners_come_from(
    matrix, align_corners
):
    ax = outlines(matrix, align_corners=align_corners)
    expected = [
        in_pixels(moved(matrix, corner), align_corners) for corner in CORNERS
    ]
    (outline,) = ax.patches
    assert outline.get_closed()
    np.testing.assert_allclose(
        outline.get_xy(), [*expected, expected[0]], atol=1e-4
    )


def test_the_whole_image_ends_at_its_edges_or_at_its_corner_pixels():
    edges, centres = (
        outlines(WHOLE, align_corners=each).patches[0].get_xy()[:4]
        for each in (False, True)
    )
    frame = np.array([(0, 0), (40, 0), (40, 20), (0, 20)])
    np.testing.assert_allclose(edges, frame, atol=1e-5)
    half = [(0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5)]
    np.testing.assert_allclose(centres, frame + half, atol=1e-5)


@pytest.mark.parametrize("align_corners", [True, False])
def test_a_spline_is_drawn_through_its_control_points(align_corners):
    generator = np.random.default_rng(0)
    ticks = np.linspace(-1, 1, 3)
    even = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    points = 0.6 * even + generator.normal(0, 0.1, even.shape)
    ax = outlines(points, align_corners=align_corners)
    lines = [patch.get_xy() for patch in ax.patches]
    assert len(lines) == 6 and not any(p.get_closed() for p in ax.patches)
    expected = np.array([in_pixels(each, align_corners) for each in points])
    grid = expected.reshape(3, 3, 2)
    for line, through in zip(lines, [*grid, *grid.swapaxes(0, 1)], strict=True):
        for place, at in zip(through, (0, len(line) // 2, -1), strict=True):
            np.testing.assert_allclose(line[at], place, atol=1e-3)
    # Between them it is bent.
    first, middle, last = lines[0][[0, 8, 16]]
    assert np.abs(middle - (first + last) / 2).max() > 0.05


def test_what_meets_its_horizon_is_drawn_in_pieces():
    matrix = np.array([[1, 0, 0], [0, 1, 0], [2, 0, 1]], "float32")
    lines, closed = region_lines(matrix, SIZE, align_corners=False)
    # Upper edge in two, right, lower in two, left: from x = -0.5 on.
    assert [len(line) for line in lines] == [2] * 6 and not closed
    (start, before), (behind, end) = lines[0], lines[1]
    np.testing.assert_allclose(start, in_pixels((1, 1), False))
    np.testing.assert_allclose(end, in_pixels((1 / 3, -1 / 3), False), 1e-5)
    assert before[0] > 1000 and behind[0] < -1000
    np.testing.assert_allclose(lines[2][1], in_pixels((1 / 3, 1 / 3), False))
    outlines(matrix).figure.draw_without_rendering()


def test_what_lies_outside_is_cut_off_at_the_frame_and_not_moved():
    # The lower right quarter, and as much outside: x from 30, y from 15.
    ax = outlines([[0.5, 0, 1], [0, 0.5, 1]], align_corners=False, labels=["1"])
    np.testing.assert_allclose(ax.patches[0].get_xy()[2], (50, 25), atol=1e-5)
    assert ax.get_xlim() == (0, 40) and ax.get_ylim() == (20, 0)
    drawn = inside(ax)
    height, width = drawn.shape[:2]
    shown = np.argwhere(drawn.max(-1) > 150)
    top, left = shown.min(0)
    assert left / width == pytest.approx(30 / 40, abs=0.03)
    assert top / height == pytest.approx(15 / 20, abs=0.03)
    bottom, right = shown.max(0)
    assert right >= width - 2 and bottom >= height - 2
    # Nothing beside the axes.
    figure = ax.figure
    canvas = figure.canvas
    canvas.draw()
    box = ax.get_window_extent()
    beside = np.asarray(canvas.buffer_rgba())[:, int(box.x1) + 3 :, :3]
    assert beside.size and (beside == 255).all()


def luminance(colour):
    """Relative luminance of WCAG 2.1, and its 0.05."""
    linear = np.asarray(colour) / 255
    linear = np.where(
        linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4
    )
    return linear @ (0.2126, 0.7152, 0.0722) + 0.05


@pytest.mark.parametrize("background", [0, 128, 255])
def test_every_colour_is_seen_on_any_background(background):
    for index in range(len(REGION_COLORS)):
        ax = new_figure(3, 3).add_subplot()
        draw_image(ax, np.full((8, 8, 3), background / 255))
        draw_regions(
            ax,
            (8, 8),
            np.array([[[0.5, 0, 0], [0, 0.5, 0]]], "float32"),
            colors=REGION_COLORS[index:],
        )
        middle = inside(ax)
        middle = middle[:, middle.shape[1] // 2]
        light = luminance(middle)
        around = luminance(np.full(3, background))
        contrast = np.maximum(light, around) / np.minimum(light, around)
        assert contrast.max() > 3, REGION_COLORS[index]
        assert len(middle[np.ptp(middle, axis=-1) > 40]), "it is coloured"


def test_regions_have_colours_of_their_own_for_as_long_as_there_are():
    shifts = np.linspace(-0.5, 0.5, 7)
    regions = [[[0.2, 0, x], [0, 0.2, 0]] for x in shifts]
    ax = outlines(regions)
    found = [to_hex(patch.get_edgecolor()) for patch in ax.patches]
    assert found == [*REGION_COLORS, REGION_COLORS[0]]
    assert len(set(REGION_COLORS)) == 6
    assert region_color(7) == REGION_COLORS[1]


def test_labels_stand_at_the_centres_which_a_path_joins_in_order():
    regions = [[[0.2, 0, x], [0, 0.2, y]] for x, y in [(0.5, -0.5), (-0.5, 0)]]
    ax = outlines(
        regions, align_corners=False, labels=["1", "$\\frac\n"], path=True
    )
    centres = [(30, 5), (10, 10)]
    assert [text.get_text() for text in ax.texts] == ["1", "$\\frac\n"]
    assert not any(text.get_parse_math() for text in ax.texts)
    for text, centre in zip(ax.texts, centres):
        np.testing.assert_allclose(text.get_position(), centre, atol=1e-5)
    *_, path = ax.patches
    np.testing.assert_allclose(path.get_xy(), centres, atol=1e-5)
    assert not path.get_closed() and not path.get_fill()
    plain = outlines(regions)
    assert len(plain.patches) == 2 and not plain.texts


@pytest.mark.parametrize("degrees", [0, 90, 180, -60])
def test_a_triangle_points_to_the_upper_edge_of_what_was_read(degrees):
    angle = np.deg2rad(degrees)
    matrix = 0.5 * np.array(
        [
            [np.cos(angle), -np.sin(angle), 0],
            [np.sin(angle), np.cos(angle), 0],
        ]
    )
    ax = outlines(matrix, align_corners=False, upwards=True)
    triangle, outline = ax.patches
    assert triangle.get_fill() and not outline.get_fill()
    # Back into the region, where up is up.
    places = triangle.get_xy()[:3] / (20, 10) - 1
    back = np.linalg.solve(matrix[:, :2], places.T).T
    (left, low), (right, also_low), (tip, high) = back
    assert -1 < left < tip < right < 1
    assert -1 < high < low == pytest.approx(also_low) and low < -0.3


def test_it_is_drawn_into_axes_that_are_given():
    figure = new_figure(4, 2)
    left, right = figure.subplots(1, 2)
    found = pictures.region_outlines(
        np.ones((8, 8, 1)), WHOLE, ax=right, title="here", value_range=(0, 1)
    )
    assert found is figure and not left.images
    assert right.get_title() == "here"
    assert (right.images[0].get_array() == 1).all()


def test_regions_follow_as_they_were_read_in_the_colour_of_their_outline():
    generator = np.random.default_rng(0)
    image = generator.uniform(0, 255, (*SIZE, 3))
    regions = np.array([TURNED, [[1, 0, 2], [0, 1, 0]]])  # one is outside
    figure = pictures.region_outlines(
        image, regions, size=(6, 8), padding="border"
    )
    first, *others = figure.axes
    assert len(others) == len(first.patches) == 2
    for ax, region, outline in zip(others, regions, first.patches):
        expected = pictures.read_region(
            image / 255, region, (6, 8), padding="border"
        )
        np.testing.assert_allclose(
            ax.images[0].get_array(), expected, atol=1e-6
        )
        assert ax.images[0].get_extent() == [0, 8, 6, 0]
        frame = ax.spines["left"]
        assert frame.get_visible()
        assert to_hex(frame.get_edgecolor()) == to_hex(outline.get_edgecolor())


def test_what_lies_outside_was_read_as_zeros_and_is_drawn_grey():
    figure = pictures.region_outlines(
        np.full(SIZE, 255), [[1, 0, 2], [0, 1, 0]], size=SIZE
    )
    read = figure.axes[1].images[0].get_array()
    np.testing.assert_allclose(read[:, 0], 1)  # the last column
    np.testing.assert_allclose(read[:, 1:], 0.5)


def test_what_was_read_is_drawn_within_black_and_white(caplog):
    ax = new_figure(2, 2).add_subplot()
    draw_read(ax, np.array([[[-0.1] * 3, [1.2] * 3]]), "red")
    np.testing.assert_array_equal(
        ax.images[0].get_array(), [[[0] * 3, [1] * 3]]
    )
    assert not caplog.records  # matplotlib has nothing to say of it


@pytest.mark.parametrize("align_corners", [True, False])
def test_a_region_is_read_between_pixels_by_their_distance(align_corners):
    generator = np.random.default_rng(1)
    image = generator.uniform(0, 1, (5, 7, 3))
    read = pictures.read_region(image, TURNED, (2, 3), align_corners)
    assert read.shape == (2, 3, 3)
    for i in range(2):
        for j in range(3):
            if align_corners:
                place = j - 1, 2 * i - 1
            else:
                place = (2 * j + 1) / 3 - 1, (2 * i + 1) / 2 - 1
            x, y = moved(TURNED, place)
            if align_corners:
                x, y = (x + 1) / 2 * 6, (y + 1) / 2 * 4
            else:
                x, y = ((x + 1) * 7 - 1) / 2, ((y + 1) * 5 - 1) / 2
            expected = sum(
                image[m, n] * max(0, 1 - abs(y - m)) * max(0, 1 - abs(x - n))
                for m in range(5)
                for n in range(7)
            )
            np.testing.assert_allclose(read[i, j], expected, atol=1e-5)


def test_the_whole_image_is_read_as_it_is():
    image = np.random.default_rng(2).uniform(0, 255, SIZE)
    even = np.array([(-1, -1), (1, -1), (-1, 1), (1, 1)])
    for whole in (WHOLE, np.eye(3), even):
        read = pictures.read_region(image, whole, SIZE)
        assert read.dtype == "float32"
        np.testing.assert_allclose(read, image, rtol=1e-4)


def test_zeros_stand_for_what_is_told():
    image = np.array([[3.0, 5.0]])
    beside = [[1, 0, 2], [0, 1, 0]]  # one pixel to the right of the first
    for outside in (0, 7):
        read = pictures.read_region(image, beside, (1, 2), outside=outside)
        np.testing.assert_allclose(read, [[5, outside]])
    read = pictures.read_region(image, beside, (1, 2), padding="border")
    np.testing.assert_allclose(read, [[5, 5]])


@pytest.mark.parametrize(
    ("transforms", "options", "message"),
    [
        (np.zeros((0, 2, 3)), {}, r"\(0, 2, 3\)"),
        (np.zeros((1, 4, 2, 3)), {}, r"\(1, 4, 2, 3\)"),
        (np.zeros((5, 2)), {}, r"\(5, 2\)"),
        (np.zeros((1, 2)), {}, r"\(1, 2\)"),
        (np.zeros(6), {}, r"\(6,\)"),
        (np.full((2, 3), np.nan), {}, "finite"),
        (WHOLE, {"labels": ["1", "2"]}, "each of the 1"),
        (WHOLE, {"padding": "mirror"}, "mirror"),
        (WHOLE, {"size": (2, 2), "ax": 0}, r"size=\(2, 2\)"),
        (WHOLE, {"value_range": (0, -1)}, "value_range"),
    ],
)
def test_refuses_regions_that_it_cannot_draw(transforms, options, message):
    with pytest.raises(ValueError, match=message):
        outlines(transforms, **options)
    if not options:
        with pytest.raises(ValueError, match=message):
            pictures.read_region(np.zeros(SIZE), transforms, (2, 2))


def test_refuses_what_is_no_image():
    with pytest.raises(ValueError, match=r"\(4, 4, 2\)"):
        pictures.region_outlines(np.zeros((4, 4, 2)), WHOLE)


def test_many_regions_are_wrapped_in_their_order():
    image = np.arange(90).reshape(9, 10)
    places = np.linspace(-0.8, 0.8, 6)
    regions = [[[0.1, 0, x], [0, 0.1, -x]] for x in places]
    figure = pictures.region_outlines(image, regions, size=(2, 3))
    (whole, *read), grid = figure.axes, figure.axes[0].get_gridspec()
    assert (grid.nrows, grid.ncols) == (2, 4) and len(read) == 6
    assert whole.get_subplotspec().rowspan == range(2)
    for index, (ax, region) in enumerate(zip(read, regions)):
        place = ax.get_subplotspec()
        assert place.rowspan.start == index // 3
        assert place.colspan.start == 1 + index % 3
        expected = pictures.read_region(image / 255, region, (2, 3))
        drawn = np.asarray(ax.images[0].get_array())[..., 0]
        np.testing.assert_allclose(drawn, expected, atol=1e-5)
