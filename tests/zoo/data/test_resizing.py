"""Resizing: triangles by hand, and TensorFlow's numbers."""

import numpy as np
import pytest

from zoo.data import resizing
from zoo.data.resizing import fit_pixels


def pixels(*shape, kind="uint8"):
    return np.random.default_rng(0).integers(0, 256, shape).astype(kind)


def test_colour_becomes_gray_and_gray_becomes_colour():
    colour = np.array([[[[100.0, 50.0, 200.0]]]])
    gray = 0.299 * 100 + 0.587 * 50 + 0.114 * 200
    np.testing.assert_allclose(fit_pixels(colour, (1, 1), 1), [[[[gray]]]])
    np.testing.assert_array_equal(
        fit_pixels(np.array([[[[7.0]]]]), (1, 1), 3), [[[[7.0] * 3]]]
    )


def test_stretches_by_the_mean_of_what_a_place_covers():
    image = np.arange(16.0).reshape(1, 4, 4, 1)
    small = fit_pixels(image, (2, 2), 1)[0, :, :, 0]
    # Antialiased: triangles of twice the width, [1, 3, 3, 1] cut at the edge.
    rows = np.array([[3, 3, 1, 0], [0, 1, 3, 3]]) / 7
    expected = rows @ image[0, :, :, 0] @ rows.T
    np.testing.assert_allclose(small, expected, rtol=1e-5)


def test_between_two_places_it_is_the_mean_of_their_nearness():
    image = np.array([[0.0, 100.0]])[None, ..., None]
    wide = fit_pixels(image, (1, 8), 1)[0, 0, :, 0]
    expected = [0, 0, 12.5, 37.5, 62.5, 87.5, 100, 100]
    np.testing.assert_allclose(wide, expected, atol=1e-5)


@pytest.mark.parametrize(
    "shape, size",
    [
        ((2, 120, 160, 3), (32, 32)),
        ((2, 32, 32, 3), (224, 224)),  # where float64 would differ
        ((1, 61, 200, 1), (100, 33)),  # fewer columns, more rows
        ((3, 7, 5, 3), (8, 5)),
        ((1, 1, 1, 1), (5, 4)),
        ((1, 900, 2, 1), (1, 1)),
    ],
)
def test_gives_the_numbers_of_tensorflow(shape, size):
    tf = pytest.importorskip("tensorflow")
    images = pixels(*shape)
    expected = tf.image.resize(images, size, antialias=True)
    found = fit_pixels(images, size, shape[-1])
    assert found.dtype == "float32" and found.flags.c_contiguous
    np.testing.assert_allclose(found, expected, rtol=0, atol=255e-6)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int64", "float16"])
def test_takes_every_kind_of_numbers_and_any_strides(kind):
    images = pixels(2, 9, 12, 3, kind=kind)
    expected = fit_pixels(images.astype("float32"), (4, 5), 3)
    turned = np.ascontiguousarray(images.swapaxes(1, 2)).swapaxes(1, 2)
    for same in (images, turned):
        np.testing.assert_array_equal(fit_pixels(same, (4, 5), 3), expected)


def test_one_of_many_is_as_it_is_alone():
    images = pixels(3, 40, 50, 3)
    together = fit_pixels(images, (17, 35), 1)
    for image, found in zip(images, together):
        np.testing.assert_allclose(
            fit_pixels(image[None], (17, 35), 1)[0], found, rtol=1e-6
        )


@pytest.mark.parametrize("length, wanted", [(3, 50), (50, 3), (64, 64 * 3)])
def test_the_weights_of_each_row_sum_to_one_whatever_rows_are_made_at_once(
    length, wanted, monkeypatch
):
    def whole():
        resizing._weights.cache_clear()
        matrix, done = np.zeros((wanted, length)), 0
        for covered, weights in resizing._weights(length, wanted):
            matrix[done : done + len(weights), covered] = weights
            done += len(weights)
        assert done == wanted
        return matrix

    matrix = whole()
    np.testing.assert_allclose(matrix.sum(1), 1, rtol=1e-6)
    monkeypatch.setattr(resizing, "ROWS", 1000)
    np.testing.assert_array_equal(whole(), matrix)
    resizing._weights.cache_clear()
