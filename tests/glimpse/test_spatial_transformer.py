"""SpatialTransformer against its equation, step by step, and at its start."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.functional.sampling import (
    bilinear_sample,
    control_points,
    splined,
    target_places,
)
from keras_attention.glimpse.spatial_transformer import SpatialTransformer
from tests.contract import check_glimpse_layer
from tests.numbers import close, numpy

KINDS = ["affine", "attention", "translation", "projective", "tps"]


def localization(features=4):
    """A small network of a user's own."""
    return keras.Sequential(
        [
            keras.layers.GlobalAveragePooling2D(data_format="channels_last"),
            keras.layers.Dense(features, activation="tanh"),
        ]
    )


@pytest.mark.slow
def test_contract(tmp_path):
    check_glimpse_layer(
        SpatialTransformer,
        inits=[
            {"output_size": (6, 5)},
            {
                "transform": "attention",
                "steps": 2,
                "align_corners": False,
                "padding": "border",
            },
            {"transform": "projective", "padding": "reflection"},
            {"transform": "tps", "points": 3, "steps": 2},
            {"transform": "translation", "localization": localization()},
        ],
        shapes={"images": (3, 7, 9, 2)},
        output=[(3, 6, 5, 2)] + 4 * [(3, 7, 9, 2)],
        weights=[(3, 2, 3), (3, 2, 3), (3, 3, 3), (3, 9, 2), (3, 2, 3)],
        folder=tmp_path,
        learning_rate=1e-3,
    )


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def asked(kind, images, parameters, **options):
    """A layer that asks for these parameters, whatever it sees."""
    layer = SpatialTransformer(transform=kind, **options)
    layer(images)
    layer.bias.assign(parameters)
    output, transform = layer(images, return_attention_scores=True)
    return numpy(output), numpy(transform)


PARAMETERS = {
    "affine": [0.8, 0.3, 0.1, -0.2, 1.1, 0.2],
    "attention": [0.6, 0.3, -0.2],
    "translation": [0.4, -0.1],
    "projective": [0.9, 0.1, 0.1, -0.2, 0.8, 0.0, 0.2, 0.1],
    "tps": (
        control_points(3) + 0.2 * drawn(9, 2, seed=5).astype("float64")
    ).ravel(),
}


def matrix_of(kind, p):
    return {
        "affine": [p[:3], p[3:6]],
        "attention": [[p[0], 0, p[1]], [0, p[0], p[-1]]],
        "translation": [[1, 0, p[0]], [0, 1, p[1]]],
        "projective": [p[:3], p[3:6], [*p[6:8], 1]],
    }[kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("align_corners", [True, False])
def test_reads_the_image_where_the_transform_says(kind, align_corners):
    images, parameters = drawn(2, 6, 8, 2), PARAMETERS[kind]
    output, transform = asked(
        kind,
        images,
        parameters,
        points=3,
        output_size=(5, 4),
        align_corners=align_corners,
    )
    places = target_places((5, 4), align_corners)[0]
    if kind == "tps":
        points = np.reshape(parameters, (1, 9, 2))
        close(transform, np.repeat(points, 2, axis=0))
        grid = numpy(splined(points, places[None]))[0]
    else:
        matrix = np.array(matrix_of(kind, parameters))
        close(transform, np.stack([matrix] * 2))
        grid = np.c_[places, np.ones(20)] @ matrix.T
        if kind == "projective":
            grid = grid / grid[:, 2:]
        grid = grid[:, :2]
    grid = np.stack([grid.reshape(5, 4, 2)] * 2).astype("float32")
    close(output, bilinear_sample(images, grid, align_corners))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("align_corners", [True, False])
def test_the_image_comes_back_exactly_at_the_start(kind, steps, align_corners):
    images = drawn(2, 28, 21, 3)
    layer = SpatialTransformer(
        transform=kind, steps=steps, align_corners=align_corners
    )
    np.testing.assert_array_equal(numpy(layer(images)), images)


def test_a_part_is_shown_larger():
    image = np.zeros((1, 8, 8, 1), "float32")
    image[0, 6, 5] = 1  # right of the middle, near the lower edge
    output, _ = asked("attention", image, [0.5, 0.5, 0.5], align_corners=False)
    y, x = np.unravel_index(output[0, :, :, 0].argmax(), (8, 8))
    assert y in (4, 5) and x in (2, 3)


@pytest.mark.parametrize(
    "padding, outside", [("zeros", 0.0), ("border", 2.0), ("reflection", 2.0)]
)
def test_padding_reaches_the_reader(padding, outside):
    image = np.full((1, 4, 4, 1), 2, "float32")
    output, _ = asked("translation", image, [5.0, 0.0], padding=padding)
    assert (output == outside).all()


class Brightness(keras.layers.Layer):
    """Features that tell what is seen: the four quarters' means."""

    def call(self, images):
        quarters = ops.stack(
            [
                ops.mean(images[:, rows, columns], axis=(1, 2, 3))
                for rows in (slice(None, 3), slice(3, None))
                for columns in (slice(None, 4), slice(4, None))
            ],
            axis=-1,
        )
        return quarters


@pytest.mark.parametrize("kind", KINDS)
def test_each_step_looks_at_what_is_read_so_far_of_the_original(kind):
    images = drawn(2, 6, 8, 1)
    kernel = 0.1 * drawn(4, len(PARAMETERS[kind]), seed=7)
    layers = []
    for steps in (1, 2, 3):
        layer = SpatialTransformer(
            Brightness(), kind, steps=steps, points=3, output_size=(5, 7)
        )
        layer(images)
        layer.kernel.assign(kernel)
        layer.bias.assign(PARAMETERS[kind])
        layers.append(layer)

    def parameters(seen):
        features = numpy(Brightness()(seen))
        return features @ kernel + np.array(PARAMETERS[kind])

    def move(p, places):
        """One step's transform of places `(N, 2)`, for one image."""
        if kind == "tps":
            return numpy(splined(p.reshape(1, 9, 2), places[None]))[0]
        there = (
            np.c_[places, np.ones(len(places))] @ np.array(matrix_of(kind, p)).T
        )
        return there[:, :2] / (there[:, 2:] if kind == "projective" else 1)

    def read(found, size):
        """What the steps so far read: the last one is done first."""
        grids = []
        for each in zip(*found):
            places = target_places(size)[0].astype("float64")
            for p in reversed(each):
                places = move(p, places)
            grids.append(places.reshape(*size, 2))
        return numpy(bilinear_sample(images, np.stack(grids).astype("float32")))

    found, seen = [], images
    for layer in layers:
        found.append(parameters(seen))
        close(layer(images), read(found, (5, 7)), atol=1e-4)
        seen = read(found, (6, 8))  # of the original, at its own size


def test_the_composed_transform_is_returned():
    images = drawn(2, 6, 8, 1)
    for kind, expected in (
        ("attention", [[0.25, 0, 0.45], [0, 0.25, 0]]),
        ("translation", [[1, 0, 0.6], [0, 1, -0.4]]),
    ):
        parameters = [0.5, 0.3, 0.0] if kind == "attention" else [0.3, -0.2]
        _, transform = asked(kind, images, parameters, steps=2)
        close(transform, [expected] * 2)
    points = (0.5 * control_points(3)).ravel()
    _, transform = asked("tps", images, points, points=3, steps=2)
    close(transform, [0.25 * control_points(3)] * 2, atol=1e-4)


class One(keras.layers.Layer):
    """A feature that is always 1."""

    def call(self, images):
        return ops.ones_like(images[:, :1, 0, 0])


@pytest.mark.parametrize("policy", ["mixed_float16", "float16"])
def test_the_transform_is_found_in_full_precision(policy):
    images = drawn(1, 1, 500, 1).astype("float16")
    shift = 2 / 499  # a pixel; float16 would miss it by a twentieth
    for name in ("kernel", "bias"):
        layer = SpatialTransformer(One(), "translation", dtype=policy)
        layer(images)
        variable = getattr(layer, name)
        variable.assign(np.reshape([shift, 0.0], variable.shape))
        output = numpy(layer(images))
        np.testing.assert_array_equal(output[:, :, :-1], images[:, :, 1:])


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="XLA is not PyTorch's"
)
@pytest.mark.slow
def test_learns_compiled_by_xla_to_bring_a_spot_to_the_middle():
    rng = np.random.default_rng(0)
    count, side = 256, 16
    centres = rng.uniform(4, 11, (count, 2))
    y, x = np.mgrid[:side, :side]
    spots = np.exp(
        -((x - centres[:, :1, None]) ** 2 + (y - centres[:, 1:, None]) ** 2) / 4
    )[..., None].astype("float32")
    middle = np.exp(-((x - 7.5) ** 2 + (y - 7.5) ** 2) / 4)[None, ..., None]
    model = keras.Sequential(
        [
            keras.Input((side, side, 1)),
            SpatialTransformer(transform="translation", name="looking"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "mse", jit_compile=True)
    target = np.repeat(middle, count, axis=0).astype("float32")
    before = model.evaluate(spots, target, verbose=0)
    model.fit(spots, target, epochs=40, batch_size=32, verbose=0)
    assert model.evaluate(spots, target, verbose=0) < 0.1 * before
    _, transform = model.get_layer("looking")(
        spots, return_attention_scores=True
    )
    places = numpy(transform)[:, :, 2]  # where the spot is, by our convention
    for axis in (0, 1):
        expected = centres[:, axis] / (side - 1) * 2 - 1
        assert np.corrcoef(places[:, axis], expected)[0, 1] > 0.95


def test_works_in_an_ordinary_sequential_model_with_its_defaults():
    model = keras.Sequential(
        [
            keras.Input((20, 24, 1)),
            SpatialTransformer(),
            keras.layers.Conv2D(4, 3),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )
    model.compile("adam", "mse")
    model.fit(drawn(8, 20, 24, 1), drawn(8, 2), verbose=0)
    assert model.predict(drawn(3, 20, 24, 1), verbose=0).shape == (3, 2)


def test_a_network_of_ones_own_is_used_kept_and_shared_by_nobody_else():
    own = localization(3)
    layer = SpatialTransformer(own)
    layer(drawn(1, 5, 5, 2))
    assert layer.localization is own and layer.kernel.shape == (3, 6)
    twin = SpatialTransformer.from_config(layer.get_config())
    assert twin.localization is not own
    assert SpatialTransformer().get_config()["localization"] is None


def test_training_reaches_the_localization_network():
    class Noting(keras.layers.Layer):
        noted = None

        def call(self, images, training=None):
            Noting.noted = training
            return ops.mean(images, axis=(1, 2))

    layer = SpatialTransformer(Noting(), steps=2)
    for training in (True, False):
        layer(drawn(1, 5, 5, 2), training=training)
        assert Noting.noted is training


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"transform": "rigid"}, "transform='rigid'"),
        ({"padding": "wrap"}, "padding='wrap'"),
        ({"localization": "resnet"}, "localization='resnet'"),
        ({"output_size": 8}, "output_size=8"),
        ({"output_size": (8, 0)}, "output_size="),
        ({"steps": 0}, "steps=0"),
        ({"points": 1}, "points=1"),
    ],
)
def test_refuses_arguments_that_mean_nothing(arguments, message):
    with pytest.raises(ValueError, match=message):
        SpatialTransformer(**arguments)


def test_refuses_what_it_cannot_look_at():
    with pytest.raises(ValueError, match="rank 4"):
        SpatialTransformer()(np.zeros((2, 5, 3), "float32"))
    flat = keras.layers.Conv2D(2, 3)
    with pytest.raises(ValueError, match=r"features \(B, D\)"):
        SpatialTransformer(flat)(np.zeros((2, 5, 5, 3), "float32"))
