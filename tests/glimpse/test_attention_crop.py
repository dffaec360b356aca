"""AttentionCrop against RA-CNN's equations, in NumPy by loops."""

import numpy as np
import pytest
from keras import ops

from keras_attention.glimpse.attention_crop import AttentionCrop
from tests.contract import check_glimpse_layer
from tests.numbers import close, gradients, numpy, sigmoid

IMAGES = np.random.default_rng(1).normal(size=(2, 9, 12, 3)).astype("float32")
SIZE = (5, 4)
BOXES = [(0.31, -0.42, 0.37), (-0.23, 0.17, 0.71)]


def places_of(length):
    return (2 * np.arange(length) + 1) / length - 1


def mask_of(box, shape, k=10.0):
    x, y, half = box
    mask = np.zeros(shape)
    for i, py in enumerate(places_of(shape[0])):
        for j, px in enumerate(places_of(shape[1])):
            along_x = sigmoid(k * (px - (x - half))) - sigmoid(
                k * (px - (x + half))
            )
            along_y = sigmoid(k * (py - (y - half))) - sigmoid(
                k * (py - (y + half))
            )
            mask[i, j] = along_x * along_y
    return mask


def zoomed(image, box, size):
    """Read between pixels, zero outside."""
    x, y, half = box
    height, width, channels = image.shape
    output = np.zeros((*size, channels))
    for i, v in enumerate(places_of(size[0])):
        for j, u in enumerate(places_of(size[1])):
            column = ((x + half * u + 1) * width - 1) / 2
            row = ((y + half * v + 1) * height - 1) / 2
            for m, n in np.ndindex(height, width):
                share = max(0, 1 - abs(row - m)) * max(0, 1 - abs(column - n))
                output[i, j] += share * image[m, n]
    return output


def expected(image, box, size, k=10.0, places=None):
    image = image.astype("float64")
    dimmed = image * mask_of(box, image.shape[:2], k)[..., None]
    return zoomed(dimmed, places or box, size)


def crop(box, images=IMAGES, size=SIZE, **options):
    layer = AttentionCrop(size, **options)
    boxes = np.asarray(box, "float32")
    if boxes.ndim == 1:
        boxes = np.tile(boxes, (len(images), 1))
    output, transform = layer(images, boxes, return_attention_scores=True)
    return numpy(output), numpy(transform)


@pytest.mark.slow
def test_contract(tmp_path):
    check_glimpse_layer(
        AttentionCrop,
        inits=[
            {"output_size": (5, 4)},
            {"output_size": (5, 4), "sharpness": 30.0, "gradient": "boxcar"},
        ],
        shapes={"images": (3, 9, 7, 2), "box": (3, 3)},
        output=(3, 5, 4, 2),
        weights=(3, 2, 3),
        folder=tmp_path,
    )


@pytest.mark.parametrize("gradient", ["bilinear", "boxcar"])
@pytest.mark.parametrize("sharpness", [10.0, 3])
def test_equals_the_equations_of_the_paper(sharpness, gradient):
    output, transform = crop(BOXES, sharpness=sharpness, gradient=gradient)
    for sample, box in enumerate(BOXES):
        close(output[sample], expected(IMAGES[sample], box, SIZE, sharpness))
        x, y, half = box
        close(transform[sample], [[half, 0, x], [0, half, y]])


def test_a_box_of_the_whole_image_with_hard_edges_is_the_image():
    output, _ = crop((0, 0, 1), size=(9, 12), sharpness=1e4)
    np.testing.assert_array_equal(output, IMAGES)


def test_a_box_on_whole_pixels_with_hard_edges_is_their_crop():
    # Of 12 by 12 pixels the columns 7 to 10, the rows 1 to 4.
    images = np.random.default_rng(0).normal(size=(1, 12, 12, 2))
    images = images.astype("float32")
    box = ((7 + 2) / 6 - 1, (1 + 2) / 6 - 1, 2 / 6)
    output, _ = crop(box, images, (4, 4), sharpness=1e4)
    close(output, images[:, 1:5, 7:11], rtol=1e-5)


@pytest.mark.parametrize("shape", [(30, 30), (24, 40)])
@pytest.mark.parametrize("box", [(0.5, -0.5, 0.3), (-0.6, 0.2, 0.3)])
def test_what_the_mask_keeps_lies_in_its_own_crop(box, shape):
    size = tuple(int(0.3 * side) for side in shape)  # pixel by pixel
    images = np.ones((1, *shape, 1), "float32")
    inside, _ = crop(box, images, size, sharpness=20.0)
    total = mask_of(box, shape, 20.0).sum()
    assert inside.sum() / total > 0.7
    # The ones of another quadrant are dimmed away.
    images = np.zeros((1, *shape, 1), "float32")
    x, y, half = box
    seen = np.abs(places_of(shape[1]) - x) < half
    shown = np.abs(places_of(shape[0]) - y) < half
    images[0] = (shown[:, None] & seen)[..., None]
    alone, _ = crop(box, images, size, sharpness=20.0)
    close(alone.sum() / inside.sum(), 1, atol=0.15)


def test_in_the_middle_the_mask_is_what_the_docstring_says():
    images = np.ones((1, 9, 13, 1), "float32")
    for half in (0.1, 0.5):
        output, _ = crop((0, 0, half), images, (3, 5))
        middle = np.tanh(10 * half / 2) ** 2
        assert output[0, 1, 2, 0] == pytest.approx(middle, rel=1e-4)


def test_a_picture_has_the_same_crop_at_any_resolution():
    """The sharpness is not one of pixels."""
    x, y = np.meshgrid(places_of(24), places_of(20))
    fine_x, fine_y = np.meshgrid(places_of(96), places_of(80))
    coarse, fine = (
        crop(
            BOXES[0],
            (np.sin(3 * u) + v)[None, ..., None].astype("float32"),
        )[0]
        for u, v in ((x, y), (fine_x, fine_y))
    )
    close(coarse, fine, atol=0.02)


def pull(images, box, **options):
    """The gradient to the box of the brightness of its crop."""
    layer = AttentionCrop(images.shape[1:3], **options)
    (found,) = gradients(
        lambda x: ops.mean(layer(images, x)), np.array([box], "float32")
    )
    return found[0]


def test_the_mask_draws_the_box_to_a_bright_spot():
    for side, (x, y) in enumerate([(1, 0), (0, 1), (-1, 0), (0, -1)]):
        images = np.zeros((1, 40, 60, 1), "float32")
        row, column = 20 + 6 * y, 30 + 9 * x  # 0.3 away, far from an edge
        images[0, row - 2 : row + 2, column - 2 : column + 2] = 1
        found = pull(images, (0, 0, 0.6), gradient="boxcar")
        axis = side % 2
        assert found[axis] * (x + y) > 0.005
        assert abs(found[1 - axis]) < 0.2 * abs(found[axis])


def test_a_share_of_a_pixel_moves_the_crop():
    x, y, half = BOXES[0]
    here, there = (
        crop((x + shift, y, half), size=(3, 3), sharpness=1e3)[0]
        for shift in (0, 0.1 / 6)
    )
    assert (abs(here - there) > 1e-3).mean() > 0.9


def test_a_box_at_the_edge_is_not_moved_inwards():
    images = np.ones((1, 12, 12, 1), "float32")
    output, _ = crop((1, 0, 0.5), images, (6, 6), sharpness=100.0)
    assert output[0, 1:-1, 1:3].min() > 0.9
    np.testing.assert_array_equal(output[0, :, 3:], 0)
    output, _ = crop((0, -1.25, 0.5), images, (8, 8), sharpness=100.0)
    np.testing.assert_array_equal(output[0, :5], 0)  # fading in by a pixel
    assert output[0, 6:-1, 1:-1].max() > 0.5


@pytest.mark.parametrize("gradient", ["bilinear", "boxcar"])
@pytest.mark.parametrize("box", [(3, 0, 0.5), (0, -9, 2.0), (1e9, 1e9, 1e-9)])
def test_wholly_outside_there_are_zeros_and_nothing_is_infinite(box, gradient):
    output, transform = crop(box, gradient=gradient)
    np.testing.assert_array_equal(output, 0)
    assert np.isfinite(transform).all()
    assert np.isfinite(pull(IMAGES[:1], box, gradient=gradient)).all()


@pytest.mark.parametrize("gradient", ["bilinear", "boxcar"])
@pytest.mark.parametrize("half", [0.0, -0.4, -np.inf])
def test_a_half_side_that_is_not_positive_counts_as_the_least(half, gradient):
    least = crop((0.3, 0.1, 1e-3), gradient=gradient)
    for one, other in zip(crop((0.3, 0.1, half), gradient=gradient), least):
        np.testing.assert_array_equal(one, other)
    assert least[0].any()
    found = pull(IMAGES[:1], (0.3, 0.1, half), gradient=gradient)
    assert found[2] == 0 and found[:2].all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_box_that_is_no_number_does_not_pass_for_one(axis):
    box = np.array(BOXES, "float32")
    box[0, axis] = np.nan
    output, _ = crop(box)
    assert np.isnan(output[0]).all()
    close(output[1], crop(BOXES)[0][1])


@pytest.mark.parametrize("gradient", ["bilinear", "boxcar"])
@pytest.mark.slow
def test_its_gradients_equal_finite_differences(gradient):
    slope = np.random.default_rng(2).normal(size=(2, *SIZE, 3))
    slope = slope.astype("float32")
    layer = AttentionCrop(SIZE, gradient=gradient)
    to_images, to_boxes = gradients(
        lambda images, boxes: ops.sum(
            ops.multiply(layer(images, boxes), slope)
        ),
        IMAGES,
        np.array(BOXES, "float32"),
    )
    for sample, box in enumerate(BOXES):

        def total(step, sample=sample, box=box):
            moved = tuple(np.add(box, step))
            places = box if gradient == "boxcar" else None
            image = IMAGES[sample]
            crops = expected(image, moved, SIZE, places=places)
            return (crops * slope[sample]).sum()

        for n in range(3):
            step = 1e-6 * np.eye(3)[n]
            slopes = (total(step) - total(-step)) / 2e-6
            close(to_boxes[sample, n], slopes, rtol=1e-3, atol=1e-3)
        # Linear in the images.
        reached = (IMAGES[sample] * to_images[sample]).sum()
        close(reached, total(np.zeros(3)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_places_are_not_rounded_to_half_precision(dtype):
    images = np.zeros((1, 1, 3000, 1), "float32")
    images[0, 0, 2101] = 1
    box = ((2 * 2101 + 1) / 3000 - 1, 0, 1e-3)
    output, _ = crop(box, images, (1, 1), sharpness=1e5, dtype=dtype)
    assert float(output.ravel()[0]) > 0.9


def test_images_of_integers_are_read_as_floats():
    integers = np.arange(108, dtype="uint8").reshape(1, 9, 12, 1)
    floats, _ = crop(BOXES[0], integers.astype("float32"))
    np.testing.assert_array_equal(crop(BOXES[0], integers)[0], floats)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"output_size": 4}, "output_size=4"),
        ({"sharpness": 0}, "sharpness=0"),
        ({"gradient": "both"}, "gradient='both'"),
    ],
)
def test_refuses_what_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        AttentionCrop(**{"output_size": SIZE, **options})


def test_refuses_images_and_boxes_of_another_shape():
    with pytest.raises(ValueError, match=r"Received: .*\(2, 9, 12\)"):
        AttentionCrop(SIZE)(IMAGES[..., 0], np.array(BOXES, "float32"))
    for shape in ((2, 4), (2, 1, 3)):
        with pytest.raises(ValueError, match=rf"\(B, 3\).*\({shape[0]}, "):
            AttentionCrop(SIZE)(IMAGES, np.zeros(shape, "float32"))
