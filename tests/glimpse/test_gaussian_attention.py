"""GaussianAttention against the sources' equations, in NumPy by loops."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.glimpse.gaussian_attention import GaussianAttention
from tests.contract import check_glimpse_layer
from tests.contract.glimpse import swapped_by_shape
from tests.numbers import close, gradients, numpy

IMAGES = np.random.default_rng(1).normal(size=(2, 9, 7, 3)).astype("float32")
SIZE = (4, 5)
CROP = (2.0, 0.0, 1.0)  # from the third pixel on, one by one


def filters(first, deviation, stride, count, length, normalize="softmax"):
    """`(count, length)`, pixel by pixel."""
    bank = np.zeros((count, length))
    for i in range(count):
        for p in range(length):
            bank[i, p] = -0.5 * ((p - (first + i * stride)) / deviation) ** 2
        if normalize == "softmax":
            bank[i] -= bank[i].max()
        bank[i] = np.exp(bank[i])
        bank[i] /= bank[i].sum() + 1e-8 * (normalize == "sum_eps")
    return bank


def read(image, rows, columns):
    glimpse = np.zeros((len(rows), len(columns), image.shape[-1]))
    for i, j, y, x in np.ndindex(len(rows), len(columns), *image.shape[:2]):
        glimpse[i, j] += rows[i, y] * columns[j, x] * image[y, x]
    return glimpse


def in_pixels(parametrization, row, length, count):
    """`(first, deviation, stride)` of an axis."""
    first, deviation, stride = row
    if parametrization == "pixels":
        return row
    gaps = max(count - 1, 1)
    return (
        first * length,
        (deviation + 1e-5) * length / count,
        stride * (length - 1) / gaps,
    )


def ask(parameters, images=IMAGES, size=SIZE, **options):
    layer = GaussianAttention(size, **options)
    parameters = np.asarray(parameters, "float32")
    if parameters.ndim == 1:
        parameters = np.tile(parameters, (len(images), 1))
    glimpse, weights = layer(images, parameters, return_attention_scores=True)
    return numpy(glimpse), numpy(weights["rows"]), numpy(weights["columns"])


def swapped(array):
    if array.shape[-1] == 6:
        return np.concatenate([array[:, 3:], array[:, :3]], axis=-1)
    return swapped_by_shape(array)


@pytest.mark.parametrize("count", [6, 5])
@pytest.mark.slow
def test_contract(count, tmp_path):
    start = {"output_size": SIZE}
    inits = [
        start,
        {**start, "parametrization": "pixels", "normalize": "sum_eps"},
        {**start, "normalize": "sum_eps"},
    ]
    outside = [None, (90, 1, 1, 90, 1, 1), (9, 0.1, 1, 9, 0.1, 1)]
    if count == 5:
        start["parametrization"] = "draw"
        inits = [start, {**start, "normalize": "sum_eps"}]
        outside = [None, (9, 9, -2, 0, 0)]
    check_glimpse_layer(
        GaussianAttention,
        inits=inits,
        shapes={"images": (3, 9, 7, 2), "parameters": (3, count)},
        output=(3, 4, 5, 2),
        weights={"rows": (3, 4, 9), "columns": (3, 5, 7)},
        folder=tmp_path,
        swapped=swapped,
        outside=outside,
        weights_range=(0, 1),
        sum_axis=[-1, None, None],
    )


@pytest.mark.parametrize("normalize", ["softmax", "sum_eps"])
@pytest.mark.parametrize("parametrization", ["pixels", "relative"])
def test_equals_the_equations_of_the_source(parametrization, normalize):
    parameters = {
        "pixels": [[1.2, 0.7, 1.1, 3.4, 1.5, 0.8], [-2, 1.3, 2.5, 5, 0.4, 0.2]],
        "relative": [[0.1, 0.4, 0.8, 0.3, 1, 0.5], [-0.2, 0.6, 1, 0, 0.2, 0.9]],
    }[parametrization]
    glimpse, rows, columns = ask(
        parameters, parametrization=parametrization, normalize=normalize
    )
    for sample, row in enumerate(parameters):
        x = in_pixels(parametrization, row[:3], 7, 5)
        y = in_pixels(parametrization, row[3:], 9, 4)
        expected = filters(*y, 4, 9, normalize), filters(*x, 5, 7, normalize)
        close(rows[sample], expected[0])
        close(columns[sample], expected[1])
        close(glimpse[sample], read(IMAGES[sample], *expected))


@pytest.mark.parametrize("normalize", ["softmax", "sum_eps"])
@pytest.mark.parametrize("size", [(4, 5), (3, 3), (1, 2)])
def test_equals_the_equations_of_draw(size, normalize):
    h, w = size
    rng = np.random.default_rng(0)
    parameters = rng.normal(0, 0.4, (2, 5)).astype("float32")
    glimpse, rows, columns = ask(
        parameters, size=size, parametrization="draw", normalize=normalize
    )
    for sample, row in enumerate(parameters):
        g_x, g_y, log_variance, log_stride, log_gamma = row.astype("float64")
        delta = (9 - 1) / (max(h, w, 2) - 1) * np.exp(log_stride)
        sigma = np.exp(log_variance / 2)
        banks = []
        for g, count, length in ((g_y, h, 9), (g_x, w, 7)):
            bank = np.zeros((count, length))
            for i in range(1, count + 1):
                mu = (length + 1) / 2 * (g + 1) + (i - count / 2 - 0.5) * delta
                for a in range(1, length + 1):
                    bank[i - 1, a - 1] = np.exp(
                        -((a - mu) ** 2) / (2 * sigma**2)
                    )
            bank /= bank.sum(1, keepdims=True) + 1e-8
            banks.append(bank)
        close(rows[sample], banks[0])
        close(columns[sample], banks[1])
        close(glimpse[sample], np.exp(log_gamma) * read(IMAGES[sample], *banks))


def test_without_blur_it_is_the_crop_exactly():
    images = np.random.default_rng(0).normal(size=(2, 10, 10, 3))
    images = images.astype("float32")
    glimpse, _, _ = ask(
        [*CROP, *CROP], images, (5, 5), parametrization="pixels"
    )
    np.testing.assert_array_equal(glimpse, images[:, 2:7, 2:7])


def test_x_is_to_the_right_and_comes_first():
    glimpse, rows, columns = ask(
        [1, 0, 2, 5, 0, 1], size=(4, 3), parametrization="pixels"
    )
    np.testing.assert_array_equal(glimpse, IMAGES[:, 5:9, 1:6:2])
    np.testing.assert_array_equal(rows[0].argmax(-1), [5, 6, 7, 8])
    np.testing.assert_array_equal(columns[0].argmax(-1), [1, 3, 5])


def test_shares_of_the_image_are_no_pixels():
    """The whole image is (0, s, 1), whatever its size, and `s` of a stride."""
    for shape in ((9, 7), (30, 20)):
        images = np.random.default_rng(0).normal(size=(1, *shape, 1))
        images = images.astype("float32")
        glimpse, _, _ = ask([0, 0, 1] * 2, images, shape)
        np.testing.assert_array_equal(glimpse, images)
        _, rows, _ = ask([0.5, 0.3, 0] * 2, images, (4, 4))
        height = shape[0]
        deviation = (0.3 + 1e-5) * height / 4
        close(rows[0], filters(0.5 * height, deviation, 0, 4, height))


@pytest.mark.parametrize(
    "parametrization, row",
    [("relative", [0.3, 0.5, 7, 0.3, 0.5, 7]), ("draw", [0, 0, 0, 0, 0])],
)
def test_a_single_filter_has_no_stride(parametrization, row):
    options = {"size": (1, 1), "parametrization": parametrization}
    glimpse, rows, _ = ask(row, **options)
    assert np.isfinite(glimpse).all()
    row[3 if parametrization == "draw" else 5] = -2
    np.testing.assert_array_equal(ask(row, **options)[1], rows)


def test_the_variance_is_the_square_of_the_deviation():
    """At one pixel's distance exp(-2) of the height: 0.135 and not 0.018."""
    images = np.zeros((1, 9, 7, 1), "float32")
    _, rows, columns = ask(
        [0, 0, np.log(0.25), 0, 0], images, (1, 1), parametrization="draw"
    )
    _, in_pixels, _ = ask(
        [3, 0.5, 1, 4, 0.5, 1], images, (1, 1), parametrization="pixels"
    )
    for bank, middle in ((rows, 4), (columns, 3), (in_pixels, 4)):
        share = bank[0, 0, middle + 1] / bank[0, 0, middle]
        assert share == pytest.approx(0.1353, abs=1e-4)


@pytest.mark.parametrize("count", [3, 4])
@pytest.mark.parametrize("length", [8, 9])
def test_draw_starts_in_the_middle_of_the_image(length, count):
    images = np.zeros((1, length, length, 1), "float32")
    _, rows, _ = ask(
        [0, 0, 0, -0.5, 0], images, (count, count), parametrization="draw"
    )
    close(rows, rows[:, ::-1, ::-1])


def test_draw_starts_with_the_whole_image():
    images = np.random.default_rng(0).normal(size=(1, 6, 6, 2))
    images = images.astype("float32")
    glimpse, _, _ = ask(
        [0, 0, -30, 0, 0], images, (6, 6), parametrization="draw"
    )
    np.testing.assert_array_equal(glimpse, images)


def test_gamma_is_of_the_glimpse_and_not_of_the_filters():
    plain = ask([0.1, -0.2, 0, -1, 0], parametrization="draw")
    bright = ask([0.1, -0.2, 0, -1, np.log(3)], parametrization="draw")
    close(bright[0], 3 * plain[0])
    for one, other in zip(plain[1:], bright[1:]):
        np.testing.assert_array_equal(one, other)


def gradient(parameters, images=IMAGES[:1], **options):
    layer = GaussianAttention((1, 1), "pixels", **options)
    (found,) = gradients(
        lambda x: ops.sum(layer(images, x)[..., 0]),
        np.array([parameters], "float32"),
    )
    return found[0]


def test_far_outside_a_softmax_leads_back_and_a_sum_does_not():
    images = np.tile(np.arange(7.0)[:, None], (1, 9, 1, 1)).astype("float32")
    far = [60, 3, 0, 3, 1, 0]
    right, left = (gradient(far, x) for x in (images, images[:, :, ::-1]))
    assert np.isfinite(right).all() and right[0] > 1e-4 and left[0] < -1e-4
    none = gradient(far, images, normalize="sum_eps")
    np.testing.assert_array_equal(none, 0)
    glimpse, _, columns = ask(far, images, (1, 1), parametrization="pixels")
    assert columns[0, 0].argmax() == 6 and glimpse[0, 0, 0, 0] > 5.9
    glimpse, _, columns = ask(
        far, images, (1, 1), parametrization="pixels", normalize="sum_eps"
    )
    assert not columns.any() and not glimpse.any()


def test_a_deviation_of_a_third_of_a_pixel_still_has_a_gradient():
    sharp, blurred = (gradient([3, s, 1, 4, s, 1]) for s in (0.05, 0.3))
    np.testing.assert_array_equal(sharp[[0, 3]], 0)
    assert (abs(blurred[[0, 3]]) > 1e-3).all()


def test_a_deviation_that_is_not_positive_reads_single_pixels():
    least = ask([1.2, 1e-3, 1, 2.2, 1e-3, 1], parametrization="pixels")[0]
    np.testing.assert_array_equal(least, IMAGES[:, 2:6, 1:6])
    for deviation in (0, -1, -np.inf):
        row = [1.2, deviation, 1, 2.2, deviation, 1]
        other = ask(row, parametrization="pixels")[0]
        np.testing.assert_array_equal(other, least)


def test_the_weights_read_the_glimpse():
    glimpse, rows, columns = ask([0.2, 0.3, 0.7, 0.1, 0.5, 0.9])
    expected = rows[:, None] @ np.moveaxis(IMAGES, -1, 1)
    expected = expected @ columns.swapaxes(1, 2)[:, None]
    close(glimpse, np.moveaxis(expected, 1, -1))


def test_its_gradients_equal_finite_differences():
    rng = np.random.default_rng(2)
    slope = rng.normal(size=(1, *SIZE, 3)).astype("float32")
    start = np.array([[1.2, 0.7, 1.1, 3.4, 1.5, 0.8]])
    layer = GaussianAttention(SIZE, "pixels")

    def total(row):
        x, y = row[:3], row[3:]
        banks = filters(*y, 4, 9), filters(*x, 5, 7)
        return (read(IMAGES[0].astype("float64"), *banks) * slope).sum()

    (found,) = gradients(
        lambda x: ops.sum(ops.multiply(layer(IMAGES[:1], x), slope)),
        start.astype("float32"),
    )
    for n in range(6):
        step = 1e-5 * np.eye(6)[n]
        there, back = total(start[0] + step), total(start[0] - step)
        close(found[0, n], (there - back) / 2e-5, rtol=1e-3, atol=1e-4)


def test_a_locator_is_trained_by_its_gradient():
    """It finds a bright square, told only that the glimpse should be bright."""
    rng = np.random.default_rng(0)
    places = rng.integers(2, (9, 6), (256, 2))
    images = np.zeros((256, 10, 13, 1), "float32")
    for image, (x, y) in zip(images, places):
        image[y : y + 3, x : x + 3] = 1
    inputs = keras.Input((10, 13, 1))
    first = 4 + keras.layers.Dense(2, kernel_initializer="zeros")(
        keras.layers.Flatten()(inputs)
    )
    others = ops.ones_like(first) * np.array([1.5, 1.0], "float32")
    glimpse = GaussianAttention((3, 3), "pixels")(
        inputs,
        ops.concatenate([first[:, :1], others, first[:, 1:], others], -1),
    )
    locator = keras.Model(inputs, first)
    model = keras.Model(inputs, ops.mean(glimpse, (1, 2, 3)))
    model.compile(keras.optimizers.Adam(0.01), "mse")

    def near():
        return (abs(numpy(locator(images)) - places).max(-1) < 0.5).mean()

    assert near() < 0.1
    model.fit(images, np.ones(256), batch_size=64, epochs=30, verbose=0)
    assert near() > 0.95


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_places_are_not_rounded_to_half_precision(dtype):
    images = np.zeros((1, 2, 4200, 1), "float32")
    _, _, columns = ask(
        [257, 0, 1920, 0, 0, 1],
        images,
        (2, 3),
        parametrization="pixels",
        dtype=dtype,
    )
    found = numpy(ops.cast(columns, "float32"))[0].argmax(-1)
    np.testing.assert_array_equal(found, [257, 2177, 4097])


def test_images_of_integers_are_read_as_floats():
    integers = np.arange(63, dtype="uint8").reshape(1, 9, 7, 1)
    row = [0.2, 0.6, 0.7, 0.1, 0.5, 0.9]
    floats = ask(row, integers.astype("float32"))
    np.testing.assert_array_equal(ask(row, integers)[0], floats[0])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"output_size": 4}, "output_size=4"),
        ({"output_size": (4, 0)}, r"output_size=\(4, 0\)"),
        ({"parametrization": "share"}, "parametrization='share'"),
        ({"normalize": "sum"}, "normalize='sum'"),
    ],
)
def test_refuses_what_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        GaussianAttention(**{"output_size": SIZE, **options})


@pytest.mark.parametrize(
    "parametrization, count", [("pixels", 5), ("relative", 3), ("draw", 6)]
)
def test_refuses_another_number_of_parameters(parametrization, count):
    layer = GaussianAttention(SIZE, parametrization)
    with pytest.raises(ValueError, match=rf"'{parametrization}'.*\(2, {count}"):
        layer(IMAGES, np.zeros((2, count), "float32"))


def test_refuses_images_of_another_rank():
    with pytest.raises(ValueError, match=r"Received: .*\(2, 9, 7\)"):
        GaussianAttention(SIZE)(IMAGES[..., 0], np.zeros((2, 6), "float32"))
