"""Resizing against the formula, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention.functional import resize, size_of
from tests.numbers import close, gradients, numpy


def by_hand(image, size):
    """Bilinear, half-pixel centres, of `(H, W, C)`."""
    for axis, new in enumerate(size):
        old = image.shape[axis]
        place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, old - 1)
        share = place - low
        share = share[:, None, None] if axis == 0 else share[None, :, None]
        parts = [np.take(image, each, axis=axis) for each in (low, high)]
        image = parts[0] * (1 - share) + parts[1] * share
    return image


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("size", [(6, 10), (4, 3), (7, 9), (1, 1), (2, 11)])
def test_equals_the_formula(size, data_format):
    image = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype("float32")
    expected = np.stack([by_hand(each, size) for each in image])
    if data_format == "channels_first":
        found = resize(np.moveaxis(image, -1, 1), size, data_format)
        found = np.moveaxis(numpy(found), 1, -1)
    else:
        found = resize(image, size, data_format)
    close(found, expected)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("size", [(6, 10), (4, 3), (7, 9), (1, 1), (2, 11)])
def test_sizes_that_are_not_known_are_as_good(size, data_format):
    image = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype("float32")
    sizes = [keras.ops.convert_to_tensor(each, "int32") for each in size]
    close(resize(image, sizes, data_format), resize(image, size, data_format))


def test_doubles_as_it_says():
    line = np.array([0.0, 1.0], "float32").reshape(1, 1, 2, 1)
    found = numpy(resize(line, (1, 4), "channels_last")).ravel()
    close(found, [0, 0.25, 0.75, 1])


def test_a_map_of_that_size_stays_as_it_is():
    image = keras.ops.ones((1, 3, 4, 2))
    assert resize(image, (3, 4), "channels_last") is image
    assert resize(image, (4, 2), "channels_first") is image


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_keeps_half_precision(dtype):
    image = keras.ops.ones((1, 3, 4, 2), dtype)
    found = resize(image, (6, 5), "channels_last")
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    close(numpy(keras.ops.cast(found, "float32")), np.ones((1, 6, 5, 2)))


def test_shares_the_gradient_out_by_the_weights():
    image = np.zeros((1, 2, 3, 1), "float32")
    (found,) = gradients(
        lambda x: keras.ops.sum(resize(x, (4, 6), "channels_last")), image
    )
    close(found, np.full_like(image, 4))


def test_says_the_size_of_either_format():
    image = keras.ops.ones((1, 3, 4, 2))
    assert size_of(image, "channels_last") == (3, 4)
    assert size_of(image, "channels_first") == (4, 2)
