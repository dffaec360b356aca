"""Digits of many sizes: where they are, how large, and what the masks say."""

import numpy as np
import pytest

from zoo.data.scaled_digits import INK, LEAST, MOST, make

SCANS = np.stack([np.full((8, 8), 255), np.full((8, 8), 180)]).astype("uint8")
LABELS = np.array([3, 8])


def test_masks_lie_on_their_digits():
    images, masks, heights = make(SCANS, LABELS, 40, 5)
    assert images.shape == (40, 64, 64, 1) and images.dtype == "uint8"
    assert set(np.unique(masks)) == {0, 4, 9}
    gray = images[..., 0]
    assert (gray[masks == 4] == 255).all() and (gray[masks == 9] == 180).all()
    assert gray[masks == 0].max() < INK
    np.testing.assert_array_equal(heights > 0, masks > 0)
    assert masks.any(axis=(1, 2)).all()


def test_sizes_are_even_on_a_logarithmic_scale():
    _, masks, heights = make(SCANS, LABELS, 400, 1)
    found = []
    for each in heights:
        found += [h for h in np.unique(each) if h]
    found = np.array(found)
    assert found.min() >= LEAST and found.max() <= MOST
    below = (found < np.sqrt(LEAST * MOST)).mean()
    # Of several, large ones find no room more often.
    assert 0.45 < below < 0.65


def test_an_image_is_a_function_of_seed_and_place():
    first = make(SCANS, LABELS, 6, 2)
    for one, other in zip(first, make(SCANS, LABELS, 3, 2)):
        np.testing.assert_array_equal(one[:3], other)
    assert (make(SCANS, LABELS, 6, 3)[0] != first[0]).any()


@pytest.mark.parametrize(
    "options", [{"count": 0}, {"seed": -1}, {"side": 47}, {"scans": SCANS[:0]}]
)
def test_what_cannot_be_drawn_is_refused(options):
    given = {"scans": SCANS, "labels": LABELS, "count": 1, **options}
    with pytest.raises(ValueError, match="There must be a scan"):
        make(**given)
