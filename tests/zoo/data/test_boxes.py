"""Boxes: what is one, and how a text names them."""

import numpy as np
import pytest
from keras import ops

from zoo.data.boxes import checked_boxes, read_boxes

PAIR = [[-1.0, -0.5, 0.0, 0.25], [0.0, 0.0, 1.0, 1.0]]


@pytest.mark.parametrize(
    "make",
    [
        list,
        tuple,
        np.array,
        lambda x: np.array(x, "float64"),
        lambda x: np.array(x, "float16"),
        ops.convert_to_tensor,
        lambda x: [np.array(box) for box in x],
    ],
)
def test_boxes_come_in_many_forms(make):
    found = checked_boxes(make(PAIR))
    assert found.dtype == "float32" and found.tolist() == PAIR
    assert checked_boxes([(-1, -1, 1, 1)]).tolist() == [[-1, -1, 1, 1]]


def test_rounding_beyond_the_edge_is_the_edge():
    above = float(np.nextafter(np.float32(1), np.float32(2)))
    assert checked_boxes([(-above, -1, above, 1)]).tolist() == [[-1, -1, 1, 1]]


@pytest.mark.parametrize(
    "raw, message",
    [
        ([], "a box at least.*Received: no boxes"),
        (np.zeros((0, 4)), "no boxes"),
        ([[]], "no boxes"),
        ([0, 0, 1, 1], r"real numbers \(k, 4\).*Received: \[0, 0, 1, 1\]"),
        ([(0, 0, 1)], r"\(k, 4\)"),
        ([(0, 0, 1, 1), (0, 0, 1)], r"\(k, 4\)"),
        ([("0", "0", "1", "1")], r"\(k, 4\)"),
        ([(0j, 0, 1, 1)], r"\(k, 4\)"),
        (None, "Received: None"),
        ("0 0 1 1", "Received: '0 0 1 1'"),
        ([(False, False, True, True)], r"\(k, 4\)"),
        ([PAIR[0], (0, 0, np.nan, 1)], "must be finite.*at place 1"),
        ([(-np.inf, 0, 1, 1)], "must be finite"),
        ([(0, 0, 1e300, 1)], "must be finite"),
        ([(0, 0, 32, 32)], r"on the image.*2 \* pixel / side - 1.*32"),
        ([(0, 0, 1, 1.00001)], "on the image"),
        (
            [PAIR[1], (0, 0, 0, 0)],
            r"an area.*0.0, 0.0\] at place 1",
        ),
        ([(0.5, 0, 0.5, 1)], "an area"),
        ([(0, 1, 1, 0)], "x0 < x1 and y0 < y1"),
        ([(0.5, 0, 0.5 + 1e-9, 1)], "an area"),  # none in 32 bits
        ([(1, 0, 1 + 5e-7, 1)], "an area"),  # nor on the image
    ],
)
def test_what_is_no_box_is_refused(raw, message):
    with pytest.raises(ValueError, match=message):
        checked_boxes(raw)


def test_none_is_left_out_silently():
    assert len(checked_boxes(PAIR, 2)) == 2
    with pytest.raises(ValueError, match="at most 1 boxes.*Received: 2 boxes"):
        checked_boxes(PAIR, 1)
    with pytest.raises(ValueError, match="1000.*1001 boxes"):
        checked_boxes([PAIR[0]] * 1001)


@pytest.mark.parametrize(
    "text",
    [
        "-1 -.5 0 .25; 0 0 1 1",
        "-1, -0.5, 0, 0.25; 0,0,1,1;",
        " -1\t-5e-1 0 0.25 ;\n 0 0 1 1 ",
    ],
)
def test_boxes_are_read_from_text(text):
    assert read_boxes(text) == PAIR


@pytest.mark.parametrize(
    "text, shown", [("1 2 3", "1 2 3"), ("0 0 1 1; a b c d", "a b c d")]
)
def test_other_text_is_refused(text, shown):
    with pytest.raises(ValueError, match=f"semicolon.*Received: '{shown}'"):
        read_boxes(text)


def test_text_without_boxes_has_none():
    assert read_boxes("") == read_boxes(" ; ") == []
    with pytest.raises(ValueError, match="must be finite"):
        checked_boxes(read_boxes("nan 0 1 1"))
