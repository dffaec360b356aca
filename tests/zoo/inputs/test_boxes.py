"""Boxes as an input: the contract, and what is their own."""

import numpy as np
import pytest

from tests.zoo.contract import check_input
from zoo.data.examples import Examples
from zoo.inputs.boxes import Boxes

ONE, TWO = [(-1, -1, 0, 0.5)], [(0, 0, 1, 1), (-0.5, -1, 0.5, 0)]


class Boxed(Examples):
    """Examples of boxes alone."""

    name = split = "boxed"

    def __init__(self, boxes):
        self.boxes = boxes

    @property
    def raws(self):
        return self.boxes

    def take(self, indices):
        return Boxed([self.boxes[place] for place in indices])


@pytest.mark.parametrize("most", [1, 2, 5])
def test_keeps_the_contract(most):
    raws = [np.array(x[:most], "float32") for x in (ONE, TWO, TWO)]
    wrong = [
        ([[]], "a box at least"),
        ([(0, 0, 0, 0)], "an area"),
        ([(0, 0, 2, 1)], "on the image"),
        ([(0, 0, np.nan, 1)], "finite"),
        (TWO * 5, f"at most {most} boxes.*Received: 10"),
        ("left", "real numbers"),
        ([raws[0], np.zeros((0, 4))], "no boxes of image 1"),
    ]
    check_input(Boxes(most), Boxed(raws), raws, wrong)


def test_reads_as_many_as_the_data_have_or_the_recipe_says():
    data = Boxed([ONE, TWO, ONE])
    assert Boxes.learn(data, {}).sizes() == {"regions": 2}
    assert Boxes.learn(data, {"builder_args": {"regions": 7}}).most == 7


@pytest.mark.parametrize("most", [0, -1, 2.0, True, "3", None, 1001])
def test_a_card_must_say_how_many(most):
    with pytest.raises(ValueError, match="`most` must be a positive integer"):
        Boxes.from_card({"most": most, "form": "x"}, {})


def test_fewer_are_padded_by_zeros():
    found = Boxes(3).arrays([ONE, TWO])["boxes"]
    assert found[0].tolist() == [[-1, -1, 0, 0.5], [0] * 4, [0] * 4]
    np.testing.assert_array_equal(found[1], [*TWO, [0] * 4])


@pytest.mark.parametrize(
    "raw, count",
    [
        (ONE, None),
        (TWO, None),
        (np.array(TWO), None),
        ([list(box) for box in TWO], None),
        ([np.array(box) for box in TWO], None),
        ([ONE, TWO], 2),
        ((ONE, TWO, ONE), 3),
        ([np.array(ONE)], 1),
        (np.array([TWO, TWO]), 2),
        ([], 0),
    ],
)
def test_several_are_told_from_one(raw, count):
    several, raws = Boxes(2).several(raw)
    assert several == (count is not None)
    assert len(raws) == (count if several else 1)
    for each in raws:
        assert np.shape(each)[1:] == (4,)


def test_notes_say_the_weights_of_the_boxes_that_are_there():
    weights = np.array(
        [
            [[1, 0, 0], [1, 0, 0], [0, 0, 0]],
            [[0.25, 0.75, 0], [0, 0, 0], [0, 0, 0]],
        ]
    )
    made = Boxes(3)
    notes = made.notes([ONE, TWO], {"attention": weights})
    assert notes == [
        {"count": 1, "weights": [[1.0], [1.0]]},
        {"count": 2, "weights": [[0.25, 0.75]]},
    ]
    once = made.notes([TWO], {"pool": np.array([[0.5, 0.5, 0]])})
    assert once == [{"count": 2, "weights": [[0.5, 0.5]]}]


def test_a_shell_names_them_by_text():
    made = Boxes(3)
    (found,) = made.from_shell(["-1 -1 0 0.5"], {})
    assert found == [[-1, -1, 0, 0.5]]
    assert made.shown(found, {}) == "1 box"
    assert made.shown(TWO, {}) == "2 boxes"


def test_boxes_are_not_turned_in_training():
    with pytest.raises(ValueError, match="augment=.'flip'"):
        Boxes(2).reader(Boxed([ONE]), ["flip"])
