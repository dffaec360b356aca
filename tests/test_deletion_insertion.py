"""faithfulness on models whose curves are known in closed form."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import faithfulness
from tests.numbers import close, numpy

HEIGHT, WIDTH = 4, 6
PIXELS = HEIGHT * WIDTH
# Class 0 is the mean of the eight pixels at the top right, class 1 of the rest.
KNOWN = np.zeros((HEIGHT, WIDTH))
KNOWN[:2, 2:] = 1
ONES = np.ones((3, HEIGHT, WIDTH, 2), "float32")
MAPS = np.stack([KNOWN] * 3)


def linear(*kernels, channels=2):
    """Scores that are weighted sums of the pixels, the channels' mean."""
    image = keras.Input((*kernels[0].shape, channels))
    x = keras.layers.Flatten()(ops.mean(image, axis=-1))
    dense = keras.layers.Dense(len(kernels), use_bias=False)
    model = keras.Model(image, dense(x))
    dense.kernel.assign(np.stack([k.ravel() for k in kernels], axis=-1))
    return model


def known_model():
    return linear(KNOWN / 8, (1 - KNOWN) / 16)


def left(counts):
    """What is left of class 0 after its pixels went first."""
    return np.maximum(0, 8 - np.array(counts)) / 8


@pytest.mark.parametrize("steps", [1, 6, 7])
def test_the_right_map_has_the_curve_of_its_pixels(steps):
    curves = faithfulness(
        known_model(), ONES, MAPS, target=0, baseline=0, steps=steps
    )
    counts = [PIXELS * k // steps for k in range(steps + 1)]
    shares = np.array(counts) / PIXELS
    close(curves["shares"], shares)
    for name, curve in {
        "deletion": left(counts),
        "insertion": 1 - left(counts),
    }.items():
        close(curves[name]["curve"], np.stack([curve] * 3))
        area = sum(
            (shares[k + 1] - shares[k]) * (curve[k] + curve[k + 1]) / 2
            for k in range(steps)
        )
        close(curves[name]["area"], [area] * 3)
        assert curves[name]["area"].dtype == "float32"


def test_the_wrong_map_has_the_opposite_areas():
    model = known_model()
    options = {"target": 0, "baseline": 0, "steps": 6}
    right = faithfulness(model, ONES, MAPS, **options)
    wrong = faithfulness(model, ONES, -MAPS, **options)
    # A linear model forgets in one order what it is told in the reverse order.
    close(wrong["deletion"]["area"], 1 - right["deletion"]["area"])
    assert (wrong["deletion"]["area"] > 0.8).all()
    assert (wrong["insertion"]["area"] < 0.2).all()


def test_a_random_order_is_in_the_middle_of_a_linear_model():
    images, maps = np.repeat(ONES, 40, 0), np.repeat(MAPS, 40, 0)
    # Each of 120 areas is off by 0.1 or so.
    options = {"target": 0, "baseline": 0, "steps": 3}
    model = known_model()
    for seed in (0, 1):
        curves = faithfulness(model, images, maps, seed=seed, **options)
        for kind in ("deletion", "insertion"):
            areas = curves[kind]["random_area"]
            assert len(np.unique(areas)) > 5
            assert abs(areas.mean() - 0.5) < 0.04
            ends = curves[kind]["random_curve"][:, [0, -1]]
            close(
                ends,
                np.tile([1, 0] if kind == "deletion" else [0, 1], (120, 1)),
            )
        again = faithfulness(
            model, images, maps, seed=seed, batch_size=90, **options
        )
        keras.tree.map_structure(close, curves, again)
    other = faithfulness(model, images, maps, seed=2, **options)
    close(other["deletion"]["area"], curves["deletion"]["area"])
    assert not np.allclose(
        other["deletion"]["random_area"], curves["deletion"]["random_area"]
    )


def test_a_map_that_says_nothing_is_as_good_as_a_random_one():
    images = np.repeat(ONES, 40, 0)
    flat = np.full((120, 2, 5), 0.1)  # 0.1 has no exact float
    curves = faithfulness(
        known_model(), images, flat, target=0, baseline=0, steps=3
    )
    for kind in ("deletion", "insertion"):
        close(curves[kind]["area"], curves[kind]["random_area"])
        assert len(np.unique(curves[kind]["area"])) > 5
        assert abs(curves[kind]["area"].mean() - 0.5) < 0.04


def test_random_maps_are_as_coarse_as_the_maps():
    """Of a map of two halves, one half goes first, the other or this."""
    halves = np.tile([[0.0, 1.0]], (40, 1, 1))
    left_half = np.zeros((4, 16))
    left_half[:, :8] = 1 / 32
    curves = faithfulness(
        linear(left_half, channels=1),
        np.ones((40, 4, 16, 1)),
        halves,
        target=0,
        baseline=0,
        steps=2,
    )
    close(curves["deletion"]["curve"], np.tile([1, 1, 0], (40, 1)))
    middle = curves["deletion"]["random_curve"][:, 1]
    assert set(np.round(middle, 5)) == {0, 1}


def order(maps, height, width):
    """In which order pixels are deleted: each is worth its own number."""
    pixels = height * width
    worth = 1.0 + np.arange(pixels).reshape(height, width)
    curves = faithfulness(
        linear(worth, channels=1),
        np.ones((len(maps), height, width, 1)),
        maps,
        target=0,
        baseline=0,
        steps=pixels,
    )
    return np.round(-np.diff(curves["deletion"]["curve"])).astype(int) - 1


@pytest.mark.parametrize("size", [(2, 3), (3, 2), (5, 7), (1, 1)])
def test_maps_are_resized_bilinearly_edge_to_edge(size):
    maps = np.random.default_rng(0).random((2, *size)).astype("float32")
    resized = ops.image.resize(
        ops.convert_to_tensor(maps[..., None]), (5, 7), "bilinear"
    )
    expected = numpy(resized).reshape(2, -1)
    for values, found in zip(expected, order(maps, 5, 7), strict=True):
        assert sorted(found) == list(range(35))
        assert (np.diff(values[found]) < 1e-6).all()


def test_pixels_are_replaced_by_the_mean_or_a_number():
    rng = np.random.default_rng(0)
    images = rng.random((3, HEIGHT, WIDTH, 2)).astype("float32")
    model = known_model()
    options = {"target": 1, "steps": 4}
    for baseline, expected in {
        "mean": images.mean((1, 2, 3)),
        0.3: np.full(3, 0.3),
        2: np.full(3, 2.0),
    }.items():
        curves = faithfulness(model, images, MAPS, baseline=baseline, **options)
        close(curves["deletion"]["curve"][:, -1], expected)
        close(curves["insertion"]["curve"][:, 0], expected)
        whole = numpy(model(images))[:, 1]
        close(curves["deletion"]["curve"][:, 0], whole)
        close(curves["insertion"]["curve"][:, -1], whole)


def test_the_mean_is_of_each_channel():
    image = np.zeros((1, HEIGHT, WIDTH, 2), "float32")
    image[..., 1] = np.arange(PIXELS).reshape(HEIGHT, WIDTH)
    inputs = keras.Input((HEIGHT, WIDTH, 2))
    model = keras.Model(inputs, inputs[:, 0, 0])
    for channel, expected in ((0, 0), (1, 11.5)):
        curves = faithfulness(
            model, image, MAPS[:1], baseline="mean", target=channel, steps=1
        )
        close(curves["deletion"]["curve"], [[0, expected]])


def test_the_blur_is_gaussian_and_keeps_to_the_image():
    height, width = 10, 32  # a standard deviation of two pixels
    image = np.random.default_rng(0).random((1, height, width, 1))
    y, x = 1, 20
    read = np.zeros((height, width))
    read[y, x] = 1
    curves = faithfulness(
        linear(read, channels=1),
        image,
        np.ones((1, 1, 1)),
        target=0,
        steps=1,
    )
    total = weights = 0
    for i, j in np.ndindex(height, width):
        weight = np.exp(-((i - y) ** 2 + (j - x) ** 2) / (2 * 2**2))
        total += weight * image[0, i, j, 0]
        weights += weight
    close(curves["deletion"]["curve"], [[image[0, y, x, 0], total / weights]])


def test_the_class_is_that_of_the_whole_image():
    images = ONES * np.where(KNOWN, 1.0, 0.5)[..., None]
    images[1:] = ONES[1:] * np.where(KNOWN, 0.5, 1.0)[..., None]
    options = {"baseline": 0, "steps": 3}
    found = faithfulness(known_model(), images, MAPS, batch_size=2, **options)
    told = faithfulness(
        known_model(), images, MAPS, target=[0, 1, 1], batch_size=2, **options
    )
    keras.tree.map_structure(close, found, told)
    close(found["deletion"]["curve"][0], [1, 0, 0, 0])
    close(found["deletion"]["curve"][1:], np.tile([1, 1, 0.5, 0], (2, 1)))


def test_a_function_may_say_the_score():
    curves = faithfulness(
        known_model(),
        ONES,
        MAPS,
        target=lambda outputs: 3 * outputs[:, 0] + outputs[:, 1],
        baseline=0,
        steps=3,
    )
    close(curves["deletion"]["curve"], np.tile([4, 1, 0.5, 0], (3, 1)))


def test_channels_first_is_the_same():
    images = np.random.default_rng(0).random((3, HEIGHT, WIDTH, 2))
    image = keras.Input((2, HEIGHT, WIDTH))
    first = keras.Model(image, known_model()(ops.moveaxis(image, 1, -1)))
    expected = faithfulness(known_model(), images, MAPS[..., None], steps=5)
    actual = faithfulness(
        first,
        np.moveaxis(images, -1, 1),
        MAPS[:, None],
        steps=5,
        data_format="channels_first",
    )
    keras.tree.map_structure(close, actual, expected)


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"images": ONES[0]}, "images of shape"),
        ({"images": ONES[:0]}, "images of shape"),
        ({"maps": MAPS[:2]}, "for 3 images"),
        ({"maps": MAPS[0]}, "maps of shape"),
        ({"maps": MAPS[..., None].repeat(2, -1)}, "maps of shape"),
        ({"maps": MAPS * np.nan}, "72 values NaN"),
        ({"target": [0, 1]}, "3 samples"),
        ({"target": 2}, "below 2"),
        ({"baseline": "black"}, "baseline='black'"),
        ({"baseline": np.inf}, "baseline=inf"),
        ({"steps": 0}, "steps=0"),
        ({"steps": 25}, "steps=25 for 24 pixels"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"data_format": "first"}, "data_format='first'"),
    ],
)
def test_refuses(changed, message):
    arguments = {"images": ONES, "maps": MAPS, "steps": 2, **changed}
    with pytest.raises(ValueError, match=message):
        faithfulness(known_model(), **arguments)


def test_refuses_a_layer():
    with pytest.raises(ValueError, match="type Flatten"):
        faithfulness(keras.layers.Flatten(), ONES, MAPS)
