"""Grids and what is read at them, against the definitions and PyTorch."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.functional.sampling import (
    affine_grid,
    attention_matrix,
    bilinear_sample,
    check_padding,
    composed,
    control_points,
    gaussian_filter_bank,
    hard_crop,
    normalised_places,
    pixel_places,
    projective_grid,
    splined,
    target_places,
    thin_plate_spline_grid,
    transformed,
)
from tests.numbers import close, gradients, numpy

PADDINGS = ["zeros", "border", "reflection"]
CORNERS = [True, False]
SIZES = [(5, 7), (28, 28), (41, 33), (60, 100), (224, 99), (1, 4), (3, 1)]


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def matrices(*rows, count=2):
    return np.tile(np.array(rows, "float32"), (count, 1, 1))


def turned(angle, count=1):
    """The turn of places by `angle` degrees, from x towards y."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return matrices((c, -s, 0), (s, c, 0), count=count)


def by_definition(images, grid, align_corners, padding):
    """Equation 5 of Jaderberg et al., pixel by pixel."""
    batch, height, width, channels = images.shape
    output = np.zeros((*grid.shape[:3], channels))
    for b, i, j in np.ndindex(grid.shape[:3]):
        place = grid[b, i, j].astype("float64")
        x, y = (
            wrapped(
                (at + 1) / 2 * (length - 1)
                if align_corners
                else ((at + 1) * length - 1) / 2,
                length,
                align_corners,
                padding,
            )
            for at, length in zip(place, (width, height))
        )
        for m, n in np.ndindex(height, width):
            share = max(0, 1 - abs(y - m)) * max(0, 1 - abs(x - n))
            output[b, i, j] += share * images[b, m, n]
    return output


def wrapped(at, length, align_corners, padding):
    if padding == "border":
        return min(max(at, 0), length - 1)
    if padding == "reflection":
        low, high = (0, length - 1) if align_corners else (-0.5, length - 0.5)
        if low == high:
            return 0.0
        while not low <= at <= high:
            at = 2 * low - at if at < low else 2 * high - at
        return min(max(at, 0), length - 1)
    return at


# The reader.


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("align_corners", CORNERS)
@pytest.mark.parametrize("height, width", [(4, 6), (6, 3), (1, 3)])
def test_equals_the_definition_at_every_pixel(
    height, width, align_corners, padding
):
    images = drawn(2, height, width, 3)
    grid = 1.7 * drawn(2, 5, 4, 2, seed=1)  # inside, and far outside
    close(
        bilinear_sample(images, grid, align_corners, padding),
        by_definition(images, grid, align_corners, padding),
    )


@pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="compares with PyTorch's own"
)
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("align_corners", CORNERS)
def test_equals_grid_sample_and_its_gradients(align_corners, padding):
    import torch

    images = torch.tensor(drawn(2, 9, 13, 3), requires_grad=True)
    grid = torch.tensor(1.5 * drawn(2, 8, 6, 2, seed=1), requires_grad=True)
    slope = torch.tensor(drawn(2, 8, 6, 3, seed=2))
    ours = bilinear_sample(images, grid, align_corners, padding)
    theirs = torch.nn.functional.grid_sample(
        images.permute(0, 3, 1, 2),
        grid,
        "bilinear",
        padding,
        align_corners,
    ).permute(0, 2, 3, 1)
    close(ours.detach(), theirs.detach())
    for one, other in zip(
        torch.autograd.grad((ours * slope).sum(), (images, grid)),
        torch.autograd.grad((theirs * slope).sum(), (images, grid)),
    ):
        close(one, other, atol=1e-4)


@pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="compares with PyTorch's own"
)
@pytest.mark.parametrize("align_corners", CORNERS)
def test_equals_affine_grid(align_corners):
    import torch

    matrix = drawn(3, 2, 3)
    theirs = torch.nn.functional.affine_grid(
        torch.tensor(matrix), (3, 1, 7, 5), align_corners
    )
    close(affine_grid(matrix, (7, 5), align_corners), theirs)


@pytest.mark.parametrize("align_corners", CORNERS)
@pytest.mark.parametrize("height, width", SIZES)
def test_the_identity_gives_the_image_back_exactly(
    height, width, align_corners
):
    images = drawn(2, height, width, 2)
    size = (height, width)
    eye = np.eye(3, dtype="float32")
    grids = [
        affine_grid(matrices(*eye[:2]), size, align_corners),
        projective_grid(matrices(*eye), size, align_corners),
        thin_plate_spline_grid(
            np.stack([control_points(4)] * 2), size, align_corners
        ),
    ]
    for grid in grids:
        for padding in PADDINGS:
            same = bilinear_sample(images, grid, align_corners, padding)
            np.testing.assert_array_equal(numpy(same), images)


@pytest.mark.parametrize("align_corners", CORNERS)
@pytest.mark.parametrize("side", [7, 8, 33, 100])
def test_a_quarter_turn_is_rot90(side, align_corners):
    images = drawn(1, side, side, 2)
    for quarters in (1, 2, 3):
        grid = affine_grid(turned(90 * quarters), (side, side), align_corners)
        read = numpy(bilinear_sample(images, grid, align_corners))
        # What is read from the right, anticlockwise on the page.
        expected = np.rot90(images, quarters, axes=(1, 2))
        np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize("align_corners", CORNERS)
@pytest.mark.parametrize("right, down", [(1, 0), (0, 2), (-3, 1), (9, -2)])
def test_shifts_by_whole_pixels_are_exact(right, down, align_corners):
    height, width = 11, 13
    images = drawn(1, height, width, 2)
    less = 1 if align_corners else 0
    shift = (2 * right / (width - less), 2 * down / (height - less))
    matrix = matrices((1, 0, shift[0]), (0, 1, shift[1]), count=1)
    grid = affine_grid(matrix, (height, width), align_corners)
    padded = np.pad(images, ((0, 0), (9, 9), (9, 9), (0, 0)))
    expected = padded[:, 9 + down :, 9 + right :][:, :height, :width]
    np.testing.assert_array_equal(
        numpy(bilinear_sample(images, grid, align_corners)), expected
    )


def test_places_between_pixels_are_shared_by_distance():
    image = np.array([[0.0, 1.0], [2.0, 3.0]], "float32")[None, :, :, None]
    grid = np.array([[[[0.0, 0.0], [0.5, -1.0], [1.0, 0.0]]]], "float32")
    close(numpy(bilinear_sample(image, grid))[0, 0, :, 0], [1.5, 0.75, 2.0])


def test_outside_is_zeros_the_border_or_the_mirror_image():
    row = np.array([1.0, 2.0, 3.0], "float32").reshape(1, 1, 3, 1)
    places = np.array([-3.0, -2.0, 1.5, 2.0, 5.0], "float32")
    grid = np.stack([places, 0 * places], -1).reshape(1, 1, 5, 2)
    for padding, expected in {
        "zeros": [0, 0, 1.5, 0, 0],
        "border": [1, 1, 3, 3, 3],
        "reflection": [3, 2, 2.5, 2, 3],
    }.items():
        read = bilinear_sample(row, grid, padding=padding)
        close(numpy(read).ravel(), expected)


@pytest.mark.parametrize("padding", PADDINGS)
def test_places_beyond_all_bounds_are_finite_and_nan_is_seen(padding):
    images = 1 + abs(drawn(1, 4, 5, 1))
    far = np.array([[[[1e30, 0], [0, -1e30], [1e9, 1e9]]]], "float32")
    read = numpy(bilinear_sample(images, far, padding=padding))
    assert np.isfinite(read).all()
    if padding == "zeros":
        assert (read == 0).all()
    unknown = np.array([[[[np.nan, 0.0], [0.0, 0.0]]]], "float32")
    read = numpy(bilinear_sample(images, unknown, padding=padding)).ravel()
    assert np.isnan(read[0]) and np.isfinite(read[1])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "uint8"])
def test_keeps_the_dtype_of_floats_and_places_in_float32(dtype):
    images = ops.convert_to_tensor(
        np.arange(300).reshape(1, 1, 300, 1) % 100, dtype=dtype
    )
    grid = affine_grid(matrices((1, 0, 0), (0, 1, 0), count=1), (1, 300))
    read = bilinear_sample(images, grid)
    kind = keras.backend.standardize_dtype(read.dtype)
    assert kind == ("float32" if dtype == "uint8" else dtype)
    np.testing.assert_array_equal(
        numpy(ops.cast(read, "float32")).ravel(), np.arange(300) % 100
    )


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("align_corners", CORNERS)
def test_gradients_equal_finite_differences(align_corners, padding):
    images, grid = drawn(1, 4, 5, 2), drawn(1, 3, 4, 2, seed=3)
    for axis, length in ((0, 5), (1, 4)):  # away from pixels' centres
        at = numpy(pixel_places(grid[..., axis], length, align_corners))
        away = abs(at - np.round(at)) < 0.05
        moved = np.where(away, np.round(at) + 0.3, at)
        grid[..., axis] = normalised_places(moved, length, align_corners)
    slope = drawn(1, 3, 4, 2, seed=4)
    weighing = ops.convert_to_tensor(slope)

    def total(images, grid):
        read = bilinear_sample(images, grid, align_corners, padding)
        return ops.sum(read * weighing)

    def exact(images, grid):
        return (
            by_definition(images, grid, align_corners, padding) * slope
        ).sum()

    found = gradients(total, images, grid)
    for place, array in enumerate((images, grid)):
        step = 1e-3
        expected = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            ends = []
            for sign in (1, -1):
                arrays = [images.astype("float64"), grid.astype("float64")]
                arrays[place][index] += sign * step
                ends.append(exact(*arrays))
            expected[index] = (ends[0] - ends[1]) / (2 * step)
        close(found[place], expected, rtol=1e-3, atol=1e-3)


def test_at_a_pixels_centre_the_slope_is_that_to_the_right_and_down():
    images = drawn(1, 4, 5, 1)
    grid = target_places((4, 5)).reshape(1, 4, 5, 2)
    (slope,) = gradients(
        lambda grid: ops.sum(bilinear_sample(images, grid)), grid
    )
    beyond = np.pad(images[0, :, :, 0], ((0, 1), (0, 1)))
    right = (beyond[:4, 1:] - images[0, :, :, 0]) * (5 - 1) / 2
    down = (beyond[1:, :5] - images[0, :, :, 0]) * (4 - 1) / 2
    close(slope[0], np.stack([right, down], axis=-1))


@pytest.mark.parametrize(
    "images, grid, padding, message",
    [
        ((2, 3, 4), (2, 1, 1, 2), "zeros", "images of shape"),
        ((2, 3, 4, 1), (2, 1, 1, 3), "zeros", "grid of shape"),
        ((2, 3, 4, 1), (2, 1, 1, 2), "wrap", "padding='wrap'"),
    ],
)
def test_refuses_what_it_cannot_read(images, grid, padding, message):
    with pytest.raises(ValueError, match=message):
        bilinear_sample(np.zeros(images), np.zeros(grid), padding=padding)


@pytest.mark.parametrize("padding", PADDINGS)
def test_knows_its_paddings(padding):
    check_padding(padding)
    with pytest.raises(ValueError, match="padding='wrap'"):
        check_padding("wrap")


# Grids.


@pytest.mark.parametrize("align_corners", CORNERS)
def test_places_in_pixels_and_back(align_corners):
    pixels = np.array([-0.5, 0, 2, 4, 4.5])
    places = normalised_places(pixels, 5, align_corners)
    if align_corners:
        close(places, [-1.25, -1, 0, 1, 1.25])
    else:
        close(places, [-1, -0.8, 0, 0.8, 1])
    close(pixel_places(places, 5, align_corners), pixels)


@pytest.mark.parametrize("align_corners", CORNERS)
def test_sizes_may_be_tensors(align_corners):
    size = [ops.convert_to_tensor(n, dtype="int32") for n in (4, 6)]
    if keras.backend.backend() == "jax":
        pytest.skip("JAX knows every size")
    close(
        target_places(size, align_corners), target_places((4, 6), align_corners)
    )


def test_affine_takes_places_of_the_output_to_the_source():
    matrix = np.array([[[1, 2, 3], [4, 5, 6]]], "float32")
    grid = numpy(affine_grid(matrix, (3, 2)))
    assert grid.shape == (1, 3, 2, 2)
    for i, y in enumerate((-1, 0, 1)):
        for j, x in enumerate((-1, 1)):
            close(grid[0, i, j], (x + 2 * y + 3, 4 * x + 5 * y + 6))


def test_projective_divides_by_the_third_coordinate():
    matrix = drawn(1, 3, 3) + 3 * np.eye(3, dtype="float32")
    grid = numpy(projective_grid(matrix, (3, 2)))
    for i, y in enumerate((-1, 0, 1)):
        for j, x in enumerate((-1, 1)):
            u, v, w = matrix[0] @ (x, y, 1)
            close(grid[0, i, j], (u / w, v / w))
    close(projective_grid(-matrix, (3, 2)), grid)  # the same transform


def test_a_singular_projective_transform_is_finite_and_reads_outside():
    images = 1 + abs(drawn(1, 5, 5, 1))
    horizon = np.array([[[1, 0, 0], [0, 1, 0], [1, 0, 0]]], "float32")
    nothing = np.zeros((1, 3, 3), "float32")
    for matrix, column in ((horizon, [2]), (nothing, [0, 1, 2, 3, 4])):
        grid = projective_grid(matrix, (5, 5))
        assert np.isfinite(numpy(grid)).all()
        read = numpy(bilinear_sample(images, grid))
        assert (read[0, :, column] == 0).all()

    def total(matrix):
        return ops.sum(bilinear_sample(images, projective_grid(matrix, (5, 5))))

    (slope,) = gradients(total, horizon)
    assert np.isfinite(slope).all()
    flat = np.array([[[1, 0, 0], [0, 0, 0]]], "float32")  # affine, to a line
    read = numpy(bilinear_sample(images, affine_grid(flat, (5, 5))))
    np.testing.assert_array_equal(read[0, :, :, 0], [images[0, 2, :, 0]] * 5)


def test_attention_is_a_part_upright():
    matrix = numpy(
        attention_matrix(np.full((1, 1), 0.5), np.array([[0.2, -0.3]]))
    )
    close(matrix, [[[0.5, 0, 0.2], [0, 0.5, -0.3]]])
    both = numpy(attention_matrix(np.array([[0.5, 0.25]]), np.zeros((1, 2))))
    close(both, [[[0.5, 0, 0], [0, 0.25, 0]]])


@pytest.mark.parametrize("rows", [2, 3])
def test_composed_does_the_inner_first(rows):
    outer, inner = drawn(2, rows, 3), drawn(2, rows, 3, seed=1)
    if rows == 3:  # away from the horizon
        outer[:, 2] = inner[:, 2] = (0.1, 0.1, 1)
    places = drawn(2, 7, 2, seed=2) / 3
    close(
        transformed(composed(outer, inner), places),
        transformed(outer, transformed(inner, places)),
        atol=1e-4,
    )


def test_a_spline_takes_control_points_to_their_points():
    for side in (2, 3, 5):
        points = control_points(side)[None] + 0.3 * drawn(2, side**2, 2)
        close(splined(points, control_points(side)[None]), points, atol=1e-4)


def test_a_spline_is_the_solution_of_its_equations():
    points = control_points(3) + 0.3 * drawn(9, 2)
    places = drawn(5, 2, seed=1)
    control = control_points(3)

    def bend(r):
        return np.where(r > 0, r**2 * np.log(np.maximum(r, 1e-30)), 0)

    def distances(a):
        return np.linalg.norm(a[:, None] - control[None], axis=-1)

    flat = np.c_[np.ones(9), control]
    system = np.block(
        [[bend(distances(control)), flat], [flat.T, np.zeros((3, 3))]]
    )
    solution = np.linalg.solve(system, np.r_[points, np.zeros((3, 2))])
    expected = np.c_[bend(distances(places)), np.ones(5), places] @ solution
    close(splined(points[None], places[None])[0], expected, atol=1e-4)
    tensors = ops.convert_to_tensor(places[None], dtype="float32")
    close(splined(points[None], tensors)[0], expected, atol=1e-4)


def test_a_spline_of_an_affine_map_is_that_map():
    matrix = drawn(1, 2, 3)
    points = transformed(matrix, control_points(4)[None])
    close(
        thin_plate_spline_grid(points, (6, 5)),
        affine_grid(matrix, (6, 5)),
        atol=1e-4,
    )


def test_a_spline_has_a_slope_at_its_control_points():
    def total(points, places):
        return ops.sum(splined(points, places))

    points = control_points(3).astype("float32")[None]
    for slope in gradients(total, points + 0.1, points):
        assert np.isfinite(slope).all() and abs(slope).max() > 0


@pytest.mark.parametrize("count", [1, 3, 8])
def test_a_spline_needs_a_square_of_points(count):
    with pytest.raises(ValueError, match="k \\* k points"):
        splined(np.zeros((1, count, 2)), np.zeros((1, 1, 2)))


# Parts and filters.


def test_a_crop_is_the_part_and_zeros_outside():
    images = drawn(4, 6, 9, 2)
    corners = np.array([[2, 1], [-2, -1], [7, 4], [20, -9]])
    read = numpy(hard_crop(images, corners, (3, 4)))
    padded = np.pad(images, ((0, 0), (20, 20), (20, 20), (0, 0)))
    for b, (x, y) in enumerate(corners):
        expected = padded[b, 20 + y : 23 + y, 20 + x : 24 + x]
        if x == 20:
            expected = np.zeros((3, 4, 2))
        np.testing.assert_array_equal(read[b], expected)


def test_a_crop_may_be_larger_than_the_image_and_keeps_the_dtype():
    images = np.arange(6, dtype="uint8").reshape(1, 2, 3, 1)
    read = hard_crop(images, np.array([[-1, -1]]), (4, 5))
    assert keras.backend.standardize_dtype(read.dtype) == "uint8"
    np.testing.assert_array_equal(
        numpy(read)[0, :, :, 0], np.pad(images[0, :, :, 0], 1)
    )


def test_an_infinite_pixel_outside_of_a_crop_is_not_read():
    images = np.zeros((1, 3, 3, 1), "float32")
    images[0, 0, 0] = np.inf
    read = numpy(hard_crop(images, np.array([[-5, -5]]), (2, 2)))
    assert (read == 0).all()


@pytest.mark.parametrize("normalize", ["softmax", "sum_eps"])
def test_filters_are_gaussians_in_a_row(normalize):
    first, stride, deviation = (
        np.array(x) for x in ([1.5, 0.0], [2.0, 0.5], [0.7, 1.3])
    )
    bank = numpy(
        gaussian_filter_bank(first, stride, deviation, 3, 8, normalize)
    )
    assert bank.shape == (2, 3, 8)
    for b, i in np.ndindex(2, 3):
        centre = first[b] + i * stride[b]
        heights = np.exp(-0.5 * ((np.arange(8) - centre) / deviation[b]) ** 2)
        close(bank[b, i], heights / heights.sum())


def test_far_outside_a_filter_reads_the_edge_or_fades():
    one = np.ones(1, "float32")
    far = (one * 500, one, one * 0.5, 1, 8)
    close(gaussian_filter_bank(*far)[0, 0], np.eye(8)[7])
    close(gaussian_filter_bank(*far, "sum_eps"), np.zeros((1, 1, 8)))


def test_a_deviation_of_nothing_is_a_pixel():
    one = np.ones(1, "float32")
    for deviation in (1e-9, 0.0):
        bank = gaussian_filter_bank(2 * one, one, one * deviation, 3, 8)
        np.testing.assert_array_equal(numpy(bank)[0], np.eye(8)[2:5])


def test_refuses_an_unknown_normalization():
    one = np.ones(1)
    with pytest.raises(ValueError, match="normalize='l2'"):
        gaussian_filter_bank(one, one, one, 3, 8, "l2")
