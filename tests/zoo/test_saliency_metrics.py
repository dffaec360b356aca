"""Metrics of saliency: worked out by hand, and py_sod_metrics's numbers."""

import numpy as np
import pytest

from zoo.saliency_metrics import f_measures, structure_measure


def drawn(seed=0, size=(20, 31)):
    """A blurred object, and a map that tells it with noise."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]]
    mask = ((rows - 8) / 5) ** 2 + ((columns - 20) / 7) ** 2 < 1
    return np.clip(0.6 * mask + 0.4 * generator.random(size), 0, 1), mask


def test_the_f_measure_is_that_of_precision_and_recall():
    saliency, mask = drawn()
    found = f_measures(saliency, mask)
    for threshold in (255, 200, 130, 60, 0):
        said = (saliency * 255).astype("uint8") >= threshold
        both = (said & mask).sum()
        expected = 0.0
        if both:
            precision, recall = both / said.sum(), both / mask.sum()
            below = 0.3 * precision + recall
            expected = 1.3 * precision * recall / below
        assert found[255 - threshold] == pytest.approx(expected), threshold


def test_nothing_that_stands_out_has_no_f_measure():
    assert (f_measures(np.ones((3, 4)), np.zeros((3, 4), bool)) == 0).all()


def test_structure_of_a_mask_that_is_told_exactly():
    _, mask = drawn()
    assert structure_measure(mask.astype("float64"), mask) == pytest.approx(1)
    assert structure_measure(1.0 - mask, mask) < 0.1


@pytest.mark.parametrize("everything", [False, True])
def test_structure_of_a_mask_that_is_empty_or_full(everything):
    saliency, mask = np.full((4, 5), 0.2), np.full((4, 5), everything)
    expected = 0.2 if everything else 0.8
    assert structure_measure(saliency, mask) == pytest.approx(expected)


def test_structure_of_an_object_of_one_pixel_at_the_edge():
    mask = np.zeros((4, 5), bool)
    mask[3, 4] = True
    assert structure_measure(mask.astype("float64"), mask) == pytest.approx(1)
    assert np.isfinite(structure_measure(np.full((4, 5), 0.5), mask))
