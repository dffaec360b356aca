"""What lies in boxes, against dense sampling of the map and by hand."""

import numpy as np
import pytest
from keras import ops

from keras_attention.functional import box_weights
from tests.numbers import close, gradients, numpy


def interpolated(size, places, axis):
    """Shares of the places along an axis, at points in [-1, 1]. `(n, size)`."""
    length = size[axis]
    pixels = np.clip(((places + 1) * length - 1) / 2, 0, length - 1)
    return np.maximum(0, 1 - np.abs(pixels[:, None] - np.arange(length)))


def by_sampling(box, size, count=4000):
    """The mean over very many points, read bilinearly."""
    x0, y0, x1, y1 = box
    steps = (np.arange(count) + 0.5) / count
    across = interpolated(size, x0 + (x1 - x0) * steps, 1).mean(0)
    down = interpolated(size, y0 + (y1 - y0) * steps, 0).mean(0)
    return (down[:, None] * across).ravel()


def random_boxes(count, seed=0):
    ends = np.random.default_rng(seed).uniform(-1, 1, (count, 2, 2))
    return np.sort(ends, axis=1).reshape(count, 4).astype("float32")


@pytest.mark.parametrize("size", [(3, 7), (5, 1)])
def test_is_the_mean_of_the_map_over_the_box(size):
    boxes = random_boxes(20)
    found = numpy(box_weights(boxes, size))
    assert found.shape == (20, size[0] * size[1])
    for weights, box in zip(found, boxes):
        np.testing.assert_allclose(weights, by_sampling(box, size), atol=1e-4)


def test_worked_by_hand():
    # Of four columns the centres are at -3/4, -1/4, 1/4 and 3/4. From 0 to 1,
    # half a column fades out of the second and into the third, whose other half
    # fades into the fourth, which goes on to the edge.
    (found,) = numpy(box_weights(np.array([[0, -1, 1, 1]], "float32"), (1, 4)))
    close(found, [0, 0.0625, 0.4375, 0.5])
    (found,) = numpy(box_weights(np.array([[-1, 0, 1, 1]], "float32"), (4, 1)))
    close(found, [0, 0.0625, 0.4375, 0.5])


def test_the_whole_image_is_the_mean_of_all_places():
    whole = np.array([[-1, -1, 1, 1]], "float32")
    close(box_weights(whole, (3, 5)), np.full((1, 15), 1 / 15))


def test_x_is_along_the_columns_and_y_goes_down():
    corner = np.array([[0.5, -1, 1, -0.5]], "float32")  # upper right
    assert numpy(box_weights(corner, (4, 4)))[0].argmax() == 3
    boxes = random_boxes(5)
    turned = numpy(box_weights(boxes[:, [1, 0, 3, 2]], (3, 5)))
    close(
        box_weights(boxes, (5, 3)),
        turned.reshape(5, 3, 5).swapaxes(1, 2).reshape(5, 15),
    )


def test_weights_of_a_box_sum_to_one_however_thin_it_is():
    edge = np.nextafter(np.float32(1), np.float32(0))
    thin = [
        (0.3, -1, 0.3 + 1e-6, 1),
        (edge, -1, 1, 1),
        (-1, -1, -edge, -edge),
        (0, 0, 0, 0),
    ]
    found = numpy(box_weights(np.array(thin, "float32"), (4, 8)))
    close(found.sum(-1), np.ones(4))
    assert (found >= 0).all()
    # As at the point itself: column 4.7, and the last.
    close(found[0].reshape(4, 8).sum(0)[4:6], [0.3, 0.7], atol=1e-3)
    close(found[1].reshape(4, 8).sum(0)[-1], 1)


def test_boxes_may_have_any_axes_before_them_and_any_float():
    boxes = random_boxes(6)
    many = ops.convert_to_tensor(boxes.reshape(2, 3, 4), dtype="float16")
    found = box_weights(many, (2, 3))
    assert found.shape == (2, 3, 6) and "float32" in str(found.dtype)
    close(
        ops.reshape(found, (6, 6)),
        box_weights(boxes.astype("float16").astype("float32"), (2, 3)),
    )


def test_the_box_learns_where_to_lie():
    boxes = np.array([[-0.7, -0.2, 0.4, 0.9], [0.1, -0.9, 0.35, 0]], "float32")
    image = np.random.default_rng(0).normal(size=12).astype("float32")

    def mean(boxes):
        values = ops.convert_to_tensor(3 * image)
        return ops.sum(box_weights(boxes, (3, 4)) * values)

    (found,) = gradients(mean, boxes)
    for place in np.ndindex(*boxes.shape):
        moved = np.zeros_like(boxes)
        moved[place] = 2e-3
        slope = numpy(mean(boxes + moved)) - numpy(mean(boxes - moved))
        assert found[place] == pytest.approx(slope / 4e-3, abs=0.02)
    assert (np.abs(found) > 1e-3).sum() >= 7
