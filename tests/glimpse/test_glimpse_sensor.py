"""GlimpseSensor against RAM's retina, in NumPy pixel by pixel."""

import math

import numpy as np
import pytest
from keras import ops

from keras_attention.functional.sampling import affine_grid, bilinear_sample
from keras_attention.glimpse.glimpse_sensor import GlimpseSensor
from tests.contract import check_glimpse_layer
from tests.numbers import close, gradients, numpy

IMAGES = np.random.default_rng(1).normal(size=(2, 9, 12, 3)).astype("float32")


def corner_of(place, length, side):
    return math.floor(((place + 1) * length - side) / 2 + 0.5)


def cut(image, left, top, width, height):
    patch = np.zeros((height, width, image.shape[-1]))
    for i, j in np.ndindex(height, width):
        y, x = top + i, left + j
        if 0 <= y < image.shape[0] and 0 <= x < image.shape[1]:
            patch[i, j] = image[y, x]
    return patch


def retina(image, place, size, num_scales, scale):
    (h, w), patches = size, []
    for k in range(num_scales):
        f = scale**k
        left = corner_of(place[0], image.shape[1], w * f)
        top = corner_of(place[1], image.shape[0], h * f)
        wide = cut(image, left, top, w * f, h * f)
        patch = np.zeros((h, w, image.shape[-1]))
        for i, j in np.ndindex(h, w):
            block = wide[i * f : (i + 1) * f, j * f : (j + 1) * f]
            patch[i, j] = block.mean((0, 1))
        patches.append(patch)
    return np.concatenate(patches, axis=-1)


def look(place, size, images=IMAGES, num_scales=1, scale=2, **options):
    layer = GlimpseSensor(size, num_scales, scale, **options)
    places = np.asarray(place, "float32")
    if places.ndim == 1:
        places = np.tile(places, (len(images), 1))
    output, transform = layer(images, places, return_attention_scores=True)
    return numpy(output), numpy(transform)


def columns_seen(place, size, width):
    """The columns that a patch is cut from, counted from 1; 0 outside."""
    images = np.tile(np.arange(1.0, width + 1)[:, None], (1, 3, 1, 1))
    return look((place, 0), (1, size), images.astype("float32"))[0].ravel()


@pytest.mark.slow
def test_contract(tmp_path):
    check_glimpse_layer(
        GlimpseSensor,
        inits=[
            {"size": 4, "num_scales": 2},
            {"size": (2, 3), "scale": 3, "num_scales": 2},
        ],
        shapes={"images": (3, 9, 7, 2), "location": (3, 2)},
        output=[(3, 4, 4, 4), (3, 2, 3, 4)],
        weights=(3, 2, 2, 3),
        folder=tmp_path,
    )


@pytest.mark.parametrize("size", [(4, 4), (3, 3), (2, 5), (1, 1)])
@pytest.mark.parametrize("num_scales, scale", [(1, 2), (3, 2), (2, 3), (2, 1)])
def test_equals_the_retina_pixel_by_pixel(size, num_scales, scale):
    rng = np.random.default_rng(0)
    for _ in range(5):
        places = rng.uniform(-1.3, 1.3, (2, 2)).astype("float32")
        output, _ = look(places, size, IMAGES, num_scales, scale)
        for image, place, found in zip(IMAGES, places, output):
            close(found, retina(image, place, size, num_scales, scale))


def test_an_integer_is_the_side_of_a_square():
    for one, other in zip(look((0.2, 0.4), 4), look((0.2, 0.4), (4, 4))):
        np.testing.assert_array_equal(one, other)


def test_a_finer_patch_comes_before_a_coarser_with_all_its_channels():
    output, _ = look((0.2, 0.4), 2, num_scales=3)
    for scale in range(3):
        alone, _ = look((0.2, 0.4), 2 * 2**scale)
        factor = 2**scale
        blocks = alone.reshape(2, 2, factor, 2, factor, 3)
        close(output[..., 3 * scale : 3 * scale + 3], blocks.mean((2, 4)))


@pytest.mark.parametrize(
    "width, size, first",
    [
        (8, 4, 2),  # cut at the middle
        (7, 3, 2),
        (8, 3, 3),  # half a pixel to the right
        (7, 4, 2),
        (8, 1, 4),
        (8, 8, 0),
        (7, 7, 0),
    ],
)
def test_the_middle_of_the_image_is_at_zero(width, size, first):
    seen = columns_seen(0, size, width)
    np.testing.assert_array_equal(seen, first + 1 + np.arange(size))


@pytest.mark.parametrize("width", [7, 8])
def test_the_edges_of_the_image_are_at_one(width):
    right = [width - 1, width, 0, 0]
    np.testing.assert_array_equal(columns_seen(-1, 4, width), [0, 0, 1, 2])
    np.testing.assert_array_equal(columns_seen(1, 4, width), right)
    beyond = 1 + 2 / width  # a pixel
    np.testing.assert_array_equal(columns_seen(-beyond, 4, width), [0, 0, 0, 1])
    np.testing.assert_array_equal(
        columns_seen(beyond, 4, width), [width, 0, 0, 0]
    )


@pytest.mark.parametrize("width", [7, 8])
def test_a_place_is_rounded_to_the_nearest_pixel(width):
    for shift in (-0.49, 0, 0.49):
        place = (2 * 3 + 2 * shift) / width - 1  # between third and fourth
        seen = columns_seen(place, 2, width)
        np.testing.assert_array_equal(seen, [3, 4], f"{shift}")
    place = (2 * 3 + 1) / width - 1  # of the fourth
    for shift in (-0.49, 0, 0.49):
        seen = columns_seen(place + 2 * shift / width, 3, width)
        np.testing.assert_array_equal(seen, [3, 4, 5], f"{shift}")


@pytest.mark.parametrize("width", [7, 60, 100, 224, 1000])
def test_between_two_pixels_the_right_one_is_taken_in_spite_of_float32(width):
    pixels = np.arange(width)
    places = ((2 * pixels + 1) / width - 1).astype("float32")
    images = np.tile(pixels[:, None].astype("float32"), (width, 1, 1, 1))
    both = np.stack([places, np.zeros(width)], axis=-1)
    output, _ = look(both, (1, 2), images)
    np.testing.assert_array_equal(output[:, 0, 0, 0], pixels)
    upright = np.swapaxes(images, 1, 2)
    output, _ = look(both[:, ::-1], (2, 1), upright)
    np.testing.assert_array_equal(output[:, 0, 0, 0], pixels)


def test_x_is_to_the_right_and_comes_first():
    output, _ = look((1, -1), 4)
    close(output[:, 2:, :2], IMAGES[:, :2, -2:])
    assert not output[:, :2].any() and not output[:, :, 2:].any()


@pytest.mark.parametrize(
    "place", [(3, 0), (0, -3), (1e9, 1e9), (-np.inf, 0), (0, np.nan)]
)
def test_a_place_far_outside_or_none_sees_zeros(place):
    output, transform = look(place, 4, num_scales=2)
    assert not output[..., :3].any() and np.isfinite(transform).all()
    if max(np.abs(place)) != 3:
        assert not output.any()
        half, where = look(place, 4, dtype="float16")
        assert not half.any() and np.isfinite(where).all()


def test_a_patch_may_be_larger_than_the_image():
    output, _ = look((0, 0), (15, 16))
    expected = np.zeros((2, 15, 16, 3))
    expected[:, 3:12, 2:14] = IMAGES
    np.testing.assert_array_equal(output, expected.astype("float32"))
    coarse, _ = look((0, 0), (1, 1), num_scales=2, scale=20)
    # Zeros count in the mean.
    close(coarse[:, 0, 0, 3:], IMAGES.sum((1, 2)) / 400)


def test_no_gradient_flows_to_the_location_and_one_to_the_images():
    layer = GlimpseSensor(2, num_scales=2)
    slope = np.random.default_rng(0).normal(size=(2, 2, 2, 6))
    slope = slope.astype("float32")

    def total(images, location):
        output, transform = layer(
            images, location, return_attention_scores=True
        )
        seen = ops.sum(ops.multiply(output, slope)) + ops.sum(transform)
        return seen + 2 * ops.sum(location)  # so there is a way at all

    places = np.array([[0.2, 0.1], [-1, 0.4]], "float32")
    to_images, to_location = gradients(total, IMAGES, places)
    np.testing.assert_array_equal(to_location, 2)
    for sample, (x, y) in enumerate(places):
        expected = np.zeros((9, 12, 3))
        for side, part in ((2, slope[..., :3]), (4, slope[..., 3:])):
            left, top = corner_of(x, 12, side), corner_of(y, 9, side)
            for i, j in np.ndindex(side, side):
                inside = 0 <= top + i < 9 and 0 <= left + j < 12
                if inside:
                    expected[top + i, left + j] += (
                        part[sample, 2 * i // side, 2 * j // side]
                        / (side / 2) ** 2
                    )
        close(to_images[sample], expected)


@pytest.mark.parametrize("place", [(0, 0), (0.3, -0.45), (-1.1, 0.97)])
@pytest.mark.parametrize("size", [(4, 4), (3, 5), (1, 1)])
def test_the_weights_say_where_the_patches_were_cut(size, place):
    output, transform = look(place, size, num_scales=2)
    for scale in range(2):
        # Half as fine, each read is in the middle of the four to be averaged.
        grid = affine_grid(transform[:, scale], size, align_corners=False)
        seen = numpy(bilinear_sample(IMAGES, grid, align_corners=False))
        patch = output[..., 3 * scale : 3 * scale + 3]
        if scale == 0:
            np.testing.assert_array_equal(seen, patch)
        close(seen, patch)
        for axis, length in enumerate((12, 9)):
            side = size[1 - axis] * 2**scale
            corner = corner_of(place[axis], length, side)
            row = [0, 0, (2 * corner + side) / length - 1]
            row[axis] = side / length
            close(transform[0, scale, axis], row)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_places_are_not_rounded_to_half_precision(dtype):
    images = np.zeros((1, 1, 3000, 1), "float32")
    images[0, 0, 2101] = 1
    place = ((2 * 2101 + 1) / 3000 - 1, 0)
    output = look(place, 1, images, dtype=dtype)[0]
    assert float(output.ravel()[0]) == 1


def test_a_batch_of_one_stays_a_batch():
    output, transform = look((0.1, 0.2), 3, IMAGES[:1], num_scales=1)
    assert output.shape == (1, 3, 3, 3) and transform.shape == (1, 1, 2, 3)


def test_images_of_integers_are_averaged_as_floats():
    integers = np.arange(108, dtype="uint8").reshape(1, 9, 12, 1)
    floats = look((0, 0), 3, integers.astype("float32"), num_scales=2)
    found = look((0, 0), 3, integers, num_scales=2)
    assert (floats[0] % 1).any()
    np.testing.assert_array_equal(found[0], floats[0])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"size": 0}, "`size` .*size=0"),
        ({"size": (4, 2.5)}, r"`size` .*size=\(4, 2.5\)"),
        ({"size": (4,)}, r"`size` .*size=\(4,\)"),
        ({"num_scales": 0}, "num_scales=0"),
        ({"scale": 1.5}, "scale=1.5"),
    ],
)
def test_refuses_what_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        GlimpseSensor(**{"size": 4, **options})


def test_refuses_images_and_locations_of_another_shape():
    places = np.zeros((2, 2), "float32")
    with pytest.raises(ValueError, match=r"Received: .*\(2, 9, 12\)"):
        GlimpseSensor(4)(IMAGES[..., 0], places)
    with pytest.raises(ValueError, match=r"\(B, 2\).*\(2, 3\)"):
        GlimpseSensor(4)(IMAGES, np.zeros((2, 3), "float32"))
    with pytest.raises(ValueError, match=r"\(B, 2\).*\(2, 1, 2\)"):
        GlimpseSensor(4)(IMAGES, places[:, None])
