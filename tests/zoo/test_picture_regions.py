"""Regions of a picture: the features of boxes, and which boxes there are."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.numbers import numpy
from zoo.picture_regions import RegionsOfGrid

GRID = (2, 4)
BOXES = np.array(
    [
        [(-1, -1, 1, 1), (0, -1, 1, 0), (-1, -0.5, -0.75, 0.5)],
        [(-0.5, 0, 0.5, 1), (0, 0, 0, 0), (0, 0, 0, 0)],
    ],
    "float32",
)
PLACES = np.random.default_rng(0).normal(size=(2, 8, 3)).astype("float32")


def sampled(image, box, count=400):
    """The mean of a bilinear map over a box, by very many points."""
    x0, y0, x1, y1 = box
    steps = (np.arange(count) + 0.5) / count
    high, wide = image.shape[:2]
    y = np.clip(((y0 + (y1 - y0) * steps + 1) * high - 1) / 2, 0, high - 1)
    x = np.clip(((x0 + (x1 - x0) * steps + 1) * wide - 1) / 2, 0, wide - 1)
    rows = np.maximum(0, 1 - np.abs(y[:, None] - np.arange(high))).mean(0)
    columns = np.maximum(0, 1 - np.abs(x[:, None] - np.arange(wide))).mean(0)
    return np.einsum("h,w,hwc->c", rows, columns, image)


def test_a_region_is_the_mean_over_its_box_and_the_box():
    found = RegionsOfGrid(GRID)(PLACES, BOXES)
    regions, mask = numpy(found["regions"]), numpy(found["mask"])
    assert mask.dtype == bool
    assert mask.tolist() == [[True] * 3, [True, False, False]]
    areas = {(0, 0): 1, (0, 1): 1 / 4, (0, 2): 1 / 16, (1, 0): 1 / 4}
    for (row, place), area in areas.items():
        image = PLACES[row].reshape(*GRID, 3)
        expected = [*sampled(image, BOXES[row, place]), *BOXES[row, place]]
        np.testing.assert_allclose(
            regions[row, place], [*expected, area], atol=1e-3
        )
    assert not regions[1, 1:].any()


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 0), (0.5, -1, 0.5, 1), (0, 1, 1, 0), (1, 1, 1, 1)]
)
def test_a_box_without_area_is_padding(box):
    boxes = BOXES.copy()
    boxes[1, 1] = box
    found = RegionsOfGrid(GRID)(PLACES, boxes)
    assert numpy(found["mask"])[1].tolist() == [True, False, False]
    assert not numpy(found["regions"])[1, 1:].any()


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "float16"])
def test_thin_boxes_stay_boxes_in_fewer_bits(dtype):
    thin = np.array([[(0.9, -1, 0.9001, 1), (0.9001, -1, 0.9002, 1)]] * 2)
    layer = RegionsOfGrid(GRID, dtype=dtype)
    found = layer(PLACES, thin.astype("float32"))
    assert numpy(found["mask"]).all()
    regions = found["regions"]
    kind = keras.backend.standardize_dtype(regions.dtype)
    assert kind == layer.compute_dtype != "float32"
    expected = RegionsOfGrid(GRID)(PLACES, thin.astype("float32"))["regions"]
    np.testing.assert_allclose(
        numpy(ops.cast(regions, "float32")), numpy(expected), atol=2e-2
    )


def test_is_built_again_and_tells_its_shapes():
    layer = RegionsOfGrid.from_config(RegionsOfGrid(GRID).get_config())
    boxes = keras.Input((5, 4))
    found = layer(keras.Input((8, 3)), boxes)
    assert found["regions"].shape == (None, 5, 8)
    assert found["mask"].shape == (None, 5) and found["mask"].dtype == "bool"
