"""Strips of boxes: which box lights up for which word, and how its line is."""

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from keras_attention.pictures.region_strips import RegionStrips
from keras_attention.pictures.strips import page_of_strips
from tests.drawn import bar, colours, inside

pytest.importorskip("matplotlib")

LEFT, RIGHT = (-0.9, -0.8, -0.1, 0.8), (0.1, -0.8, 0.9, 0.8)
LOW = (-0.5, 0.6, 0.5, 0.9)
IMAGE = np.full((20, 40, 3), 200, "uint8")


def drawn(weights, regions=(LEFT, RIGHT), image=IMAGE, **options):
    words = [f"word {place}" for place in range(len(weights))]
    strips = RegionStrips(image, words, weights, regions, **options)
    return page_of_strips([strips], ["a title"])


def boxes_of(ax):
    """The outlines of a panel, the last being in front."""
    found = [x for x in ax.patches if isinstance(x, Rectangle)]
    return sorted(found, key=lambda patch: patch.get_zorder())


def places(patches):
    """In [-1, 1], as the boxes were given."""
    return [
        np.array([*p.xy, p.get_x() + p.get_width(), p.get_y() + p.get_height()])
        / [20, 10, 20, 10]
        - 1
        for p in patches
    ]


def test_the_box_that_is_looked_at_lights_up():
    figure = drawn([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    _, first, second, both, _ = figure.axes
    half = inside(first).shape[1] // 2
    for ax, lit in ((first, (True, False)), (second, (False, True))):
        pixels = inside(ax)
        middle = len(pixels) // 2
        shown = [pixels[middle, half // 2], pixels[middle, half + half // 2]]
        for pixel, bright in zip(shown, lit):
            assert (np.abs(pixel - 200).max() < 3) == bright
            assert bright or pixel.max() < 150
    pixels = inside(both)
    one, two = pixels[len(pixels) // 2, [half // 2, half + half // 2]]
    np.testing.assert_allclose(one, two, atol=2)
    assert 130 < one.max() < 200


def test_boxes_lie_where_they_were_given_and_the_heaviest_in_front():
    weights = [[0.1, 0.6, 0.3], [0.5, 0.2, 0.3]]
    regions = [LEFT, RIGHT, LOW]
    given, *panels, _ = drawn(weights, regions).axes
    np.testing.assert_allclose(places(boxes_of(given)), regions)
    for ax, shares in zip(panels, weights):
        order = np.argsort(shares)
        np.testing.assert_allclose(
            places(boxes_of(ax)), np.array(regions)[order], atol=1e-6
        )
        lines = [patch.get_linewidth() for patch in boxes_of(ax)]
        opaque = [patch.get_alpha() for patch in boxes_of(ax)]
        assert lines == sorted(lines) and opaque == sorted(opaque)


def test_colours_are_of_one_range_that_the_bar_states():
    figure = drawn([[0.9, 0.1], [0.3, 0.0]])
    assert bar(figure) == ["0.00", "0.45", "0.90"]
    cold, hot = colours("plasma")
    _, first, second, _ = figure.axes
    edges = [
        255 * np.array(box.get_edgecolor()[:3])
        for ax in (first, second)
        for box in boxes_of(ax)
    ]
    np.testing.assert_allclose(edges[1], hot, atol=1)  # 0.9
    np.testing.assert_allclose(edges[2], cold, atol=1)  # 0
    assert np.abs(edges[3] - hot).max() > 30  # 0.3
    other = drawn([[0.5, 0.5]], weights_range=(0, 1), colormap="viridis")
    assert bar(other) == ["0.0", "0.5", "1.0"]


def test_boxes_without_weight_are_outlined_and_not_lit():
    _, ax, _ = drawn([[1.0, 0.0]]).axes
    assert len(boxes_of(ax)) == 2
    assert len(ax.images) == 2  # the pale image, and one box of the bright one


def test_an_image_without_words_shows_its_boxes():
    (ax,) = drawn(np.zeros((0, 2))).axes
    assert len(boxes_of(ax)) == 2
    np.testing.assert_array_equal(ax.images[0].get_array(), IMAGE)


@pytest.mark.parametrize(
    "weights, regions, message",
    [
        ([[1.0]], [LEFT, RIGHT], r"\(1, 1\), regions of shape \(2, 4\)"),
        ([1.0, 0.0], [LEFT, RIGHT], r"weights of shape \(2,\)"),
        ([[1.0, 0.0]], LEFT, r"regions of shape \(4,\)"),
        ([[1.0, np.nan]], [LEFT, RIGHT], "`weights` must be finite"),
        ([[1.0, -0.1]], [LEFT, RIGHT], "not be negative"),
        ([[1.0, 0.0]], [LEFT, (0, 0, np.inf, 1)], "`regions` must be finite"),
    ],
)
def test_refuses_what_it_cannot_draw(weights, regions, message):
    with pytest.raises(ValueError, match=message):
        drawn(weights, regions)
