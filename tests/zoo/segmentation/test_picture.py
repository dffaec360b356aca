"""The picture of masks: which colours, over which image, which legend."""

import numpy as np
import pytest

from zoo.data.masks import palette
from zoo.image_classification.picture import _seen_by_all
from zoo.segmentation.picture import (
    ALPHA,
    masks_of_answers,
    saliency_of_answers,
)

LABELS = ["ground", "square", "disc"]
GATES = {"up/gate": np.ones((1, 1, 4), "float32")}


def raws_and_read(*sizes):
    raws = [np.full((*size, 3), 100, "uint8") for size in sizes]
    return raws, np.full((len(sizes), 8, 12, 3), 100.0, "float32")


def row(figure, words):
    """The panels of a row, left to right."""
    (first,) = [ax for ax in figure.axes if ax.get_ylabel().startswith(words)]
    start = figure.axes.index(first)
    return figure.axes[start:]


def test_the_mask_lies_over_its_own_image_in_its_own_colours():
    raws, read = raws_and_read((20, 30), (10, 40))
    answers = []
    for place, raw in enumerate(raws):
        mask = np.zeros(raw.shape[:2], "uint8")
        mask[2:5, 3:9] = 2 - place
        shares = {"ground": 0.9, LABELS[2 - place]: 0.1, LABELS[1 + place]: 0.0}
        answers.append({"mask": mask, "shares": shares, "attention": GATES})
    figure = masks_of_answers(raws, read, answers, LABELS)
    for place, ax in zip((0, 1), row(figure, "the mask")):
        below, above = (image.get_array() for image in ax.images)
        assert above.shape[:2] == raws[place].shape[:2]
        assert above.shape[:2] == below.shape[:2]
        np.testing.assert_allclose(
            above[3, 5], [*palette(3)[2 - place] / 255, ALPHA]
        )
        assert above[0, 0, 3] == 0  # the background is clear
        # Both lie where the network read them.
        assert ax.images[0].get_extent() == pytest.approx((0, 12, 8, 0))
        assert ax.images[1].get_extent() == pytest.approx((0, 12, 8, 0))
    titles = [ax.get_title() for ax in figure.axes[:2]]
    assert titles == ["disc 10 %", "square 10 %"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "square",
        "disc",
    ]


def test_an_image_of_ground_alone_has_no_legend():
    raws, read = raws_and_read((8, 12))
    answer = {
        "mask": np.zeros((8, 12), "uint8"),
        "shares": {"ground": 1.0, "square": 0.0, "disc": 0.0},
        "attention": GATES,
    }
    figure = masks_of_answers(raws, read, [answer], LABELS)
    assert not figure.legends and figure.axes[0].get_title() == "ground"


def test_labels_are_shown_as_they_are():
    raws, read = raws_and_read((8, 12))
    answer = {
        "mask": np.ones((8, 12), "uint8"),
        "shares": {"$x_": 1.0, "ground": 0.0},
        "attention": GATES,
    }
    figure = masks_of_answers(raws, read, [answer], ["ground", "$x_"])
    figure.canvas.draw()
    assert "x_" in figure.legends[0].get_texts()[0].get_text()


def test_what_stands_out_has_one_range_for_all():
    raws, read = raws_and_read((8, 12), (8, 12))
    answers = [
        {
            "saliency": np.full((8, 12), value, "float32"),
            "share": value,
            "attention": GATES,
        }
        for value in (0.25, 0.75)
    ]
    figure = saliency_of_answers(raws, read, answers)
    for value, ax in zip((0.25, 0.75), row(figure, "what stands out")):
        assert ax.images[1].get_clim() == (0, 1)
        assert (ax.images[1].get_array() == value).all()
        assert ax.images[1].get_alpha() == ALPHA


class Window:
    kernel, dilation = 3, 2


def test_a_place_is_seen_by_those_whose_windows_reach_it():
    weights = np.zeros((1, 5, 6, 9))
    weights[0, 2, 3, 8] = 0.7  # down to the right, two places each
    weights[0, 0, 0, 4] = 0.2  # itself
    weights[0, 0, 0, 0] = 0.5  # outside
    weights[0, 4, 1, 2] = 0.1  # up to the right
    found = _seen_by_all(weights, Window)
    expected = np.zeros((1, 5, 6))
    expected[0, 4, 5], expected[0, 0, 0], expected[0, 2, 3] = 0.7, 0.2, 0.1
    np.testing.assert_allclose(found, expected)
