"""spatial_transformer_network: sizes, what it undoes, its baseline, errors."""

import keras
import numpy as np
import pytest

from keras_attention.looking import attention_maps
from tests.zoo.contract import check_task
from tests.zoo.tiny import LABELS, tiny_data
from zoo import layer_groups
from zoo.data.images import ImageData
from zoo.image_classification.spatial_transformer_network import (
    PRESETS,
    equal_baseline,
    spatial_transformer_network,
)
from zoo.image_classification.task import ImageClassification
from zoo.inputs.image import Image
from zoo.outputs.label import Label

TINY = PRESETS["tiny"]
SHAPE = (16, 12, 1)  # higher than wide
IMAGES = np.random.default_rng(0).uniform(0, 255, (3, *SHAPE)).astype("float32")


def trainable(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def transforms(model, images):
    return attention_maps(model, images)["transformer"]


def parameters(model):
    """The last layer of the localisation: its kernel and its bias."""
    layer = model.get_layer("transformer")
    return layer.kernel, layer.bias


def copied(source, target):
    """`target` with the weights that `source` has under the same names."""
    for layer in target.layers:
        layer.set_weights(source.get_layer(layer.name).get_weights())
    return target


@pytest.mark.parametrize(
    "transform, more",
    # Localisation: 3x3 of 1 to 4, normalised, 4 x 3 x 4 to 8, 8 to the rest.
    [
        (None, 0),
        ("translation", 44 + 392 + 9 * 2),
        ("attention", 44 + 392 + 9 * 3),
        ("affine", 44 + 392 + 9 * 6),
        ("projective", 44 + 392 + 9 * 8),
        ("tps", 44 + 392 + 9 * 32),
    ],
)
def test_has_the_parameters_of_its_layers(transform, more):
    model = spatial_transformer_network(SHAPE, 3, transform, **TINY)
    # Two convolutions with their normalisations, 4 x 3 x 8 to 8, 8 to 3.
    plain = (9 * 4 + 8) + (9 * 4 * 8 + 16) + (96 * 8 + 8) + (8 * 3 + 3)
    assert trainable(model) == plain + more
    assert model(IMAGES).shape == (3, 3)


def test_the_preset_for_mnist_is_small():
    model = spatial_transformer_network((28, 28, 1), 10, **PRESETS["mnist"])
    assert trainable(model) < 60_000


def test_at_the_start_it_is_the_plain_network():
    plain = spatial_transformer_network(SHAPE, 3, None, **TINY)
    for transform in ("affine", "attention", "translation"):
        model = spatial_transformer_network(SHAPE, 3, transform, **TINY)
        copied(model, plain)
        np.testing.assert_array_equal(model(IMAGES), plain(IMAGES))
    identity = np.tile([[1.0, 0, 0], [0, 1, 0]], (3, 1, 1))
    np.testing.assert_array_equal(transforms(model, IMAGES), identity)


def test_what_is_classified_is_the_turned_image():
    square = (12, 12, 1)
    images = IMAGES[:, :12]
    model = spatial_transformer_network(square, 3, **TINY)
    plain = copied(model, spatial_transformer_network(square, 3, None, **TINY))
    # The output's x axis lies along the image's y axis: turned to the left.
    parameters(model)[1].assign([0.0, -1, 0, 1, 0, 0])
    expected = plain(np.rot90(images, axes=(1, 2)))
    assert not np.allclose(plain(images), expected, atol=1e-3)
    np.testing.assert_allclose(model(images), expected, atol=1e-5)


def test_outside_of_the_image_it_is_as_black_as_the_image():
    model = spatial_transformer_network(SHAPE, 3, "translation", **TINY)
    plain = copied(model, spatial_transformer_network(SHAPE, 3, None, **TINY))
    parameters(model)[1].assign([2 * 5 / 11, 0.0])  # 5 pixels to the right
    moved = np.zeros_like(IMAGES)
    moved[:, :, :-5] = IMAGES[:, :, 5:]
    np.testing.assert_allclose(model(IMAGES), plain(moved), atol=1e-4)


def test_padding_reaches_the_transformer():
    args = {"transform": "translation", "padding": "border"}
    model = spatial_transformer_network(SHAPE, 3, **args, **TINY)
    plain = copied(model, spatial_transformer_network(SHAPE, 3, None, **TINY))
    parameters(model)[1].assign([2 * 5 / 11, 0.0])
    moved = np.repeat(IMAGES[:, :, -1:], 12, axis=2)
    moved[:, :, :-5] = IMAGES[:, :, 5:]
    np.testing.assert_allclose(model(IMAGES), plain(moved), atol=1e-4)


def test_an_output_size_of_its_own_is_what_is_classified():
    model = spatial_transformer_network(
        SHAPE, 3, "attention", output_size=(8, 6), **TINY
    )
    assert model.get_layer("transformer").output.shape == (None, 8, 6, 1)
    assert model.get_layer("flatten").output.shape == (None, 2 * 1 * 8)
    # Half the scale about the centre of the lower right quarter.
    parameters(model)[1].assign([7 / 15, 8 / 15, 8 / 15])
    small = spatial_transformer_network((8, 6, 1), 3, None, **TINY)
    copied(model, small)
    parameters(model)[1].assign([1.0, 0.0, 0.0])
    whole = np.zeros((3, 8, 6, 1), "float32")
    rows, columns = np.linspace(0, 15, 8), np.linspace(0, 11, 6)
    for i, y in enumerate(rows):
        for j, x in enumerate(columns):
            for m in range(16):
                for n in range(12):
                    share = max(0, 1 - abs(y - m)) * max(0, 1 - abs(x - n))
                    whole[:, i, j] += share * IMAGES[:, m, n]
    np.testing.assert_allclose(model(IMAGES), small(whole), atol=1e-4)


@pytest.mark.parametrize("transform", ["affine", "attention"])
def test_may_start_with_the_middle_of_the_image(transform):
    model = spatial_transformer_network(
        SHAPE, 3, transform, start_scale=0.5, **TINY
    )
    middle = np.tile([[0.5, 0, 0], [0, 0.5, 0]], (3, 1, 1))
    np.testing.assert_array_equal(transforms(model, IMAGES), middle)


def test_two_steps_look_twice_with_the_same_parameters():
    once, twice = (
        spatial_transformer_network(SHAPE, 3, "translation", steps=n, **TINY)
        for n in (1, 2)
    )
    assert trainable(once) == trainable(twice)
    for model in (once, twice):
        parameters(model)[1].assign([0.1, -0.2])
    once_moved = transforms(once, IMAGES)[:, :, 2]
    np.testing.assert_allclose(once_moved, [[0.1, -0.2]] * 3, atol=1e-6)
    np.testing.assert_allclose(
        transforms(twice, IMAGES)[:, :, 2], 2 * once_moved, atol=1e-6
    )


def test_localization_sizes_reach_its_network():
    model = spatial_transformer_network(
        SHAPE, 3, localization_filters=(5, 6), localization_units=7
    )
    network = model.get_layer("transformer").localization
    shapes = [tuple(w.shape) for w in network.trainable_variables]
    kernels = [shape for shape in shapes if len(shape) > 1]
    assert kernels == [(3, 3, 1, 5), (3, 3, 5, 6), (2 * 1 * 6, 7)]


@pytest.mark.slow
def test_the_localization_learns_from_the_classification_alone():
    keras.utils.set_random_seed(0)
    model = spatial_transformer_network(SHAPE, 3, **TINY)
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
    )
    layer = model.get_layer("transformer")
    before = [w.copy() for w in layer.get_weights()]
    for _ in range(3):
        model.train_on_batch(IMAGES, np.array([0, 1, 2]))
    for old, new in zip(before, layer.get_weights(), strict=True):
        assert np.abs(new - old).max() > 0
    spread = transforms(model, IMAGES).std(axis=0)
    assert (spread > 0).any() and np.isfinite(spread).all()


@pytest.mark.parametrize(
    "arguments",
    [
        {"transform": "affine", **PRESETS["mnist"]},
        {"transform": "attention", **PRESETS["mnist"], "steps": 2},
        {"transform": "tps", "filters": (8, 16), "units": 32},
        {"output_size": (14, 14), "filters": (12, 24)},
        {},
    ],
)
@pytest.mark.parametrize("shape", [(28, 28, 1), (60, 60, 1), (40, 32, 3)])
def test_the_baseline_has_as_many_parameters(shape, arguments):
    wanted = trainable(spatial_transformer_network(shape, 10, **arguments))
    baseline = equal_baseline(shape, 10, **arguments)
    assert baseline["transform"] is None
    found = trainable(spatial_transformer_network(shape, 10, **baseline))
    assert found == pytest.approx(wanted, rel=0.015)


def test_the_baseline_of_a_plain_network_is_itself():
    # So small that the normalisations' parameters would show as units.
    arguments = {"transform": None, "filters": [32, 32], "units": 8}
    assert equal_baseline((4, 4, 1), 3, **arguments) == arguments


def test_groups_its_layers():
    model = spatial_transformer_network(SHAPE, 3, **TINY)
    groups = [layer_groups.group(la.name) for la in model.layers]
    assert list(dict.fromkeys(groups)) == [
        "image",
        "rescaling",
        "transformer",
        "stage_1",
        "stage_2",
        "flatten",
        "features",
        "logits",
    ]


def test_mixed_precision_keeps_the_transform_in_floats_of_32_bits():
    full = spatial_transformer_network(SHAPE, 3, **TINY)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = spatial_transformer_network(SHAPE, 3, **TINY)
    finally:
        keras.config.set_dtype_policy("float32")
    copied(full, half)
    assert half.get_layer("transformer").compute_dtype == "float16"
    assert half.output.dtype == "float32"
    np.testing.assert_allclose(half(IMAGES), full(IMAGES), atol=0.02)


def task():
    keras.utils.set_random_seed(0)
    recipe = {
        "builder": "spatial_transformer_network",
        "builder_args": {
            "input_shape": [16, 16, 3],
            "num_classes": 3,
            "transform": "affine",
            **{
                k: list(v) if k.endswith("filters") else v
                for k, v in TINY.items()
            },
        },
    }
    made = ImageClassification.untrained(
        recipe, Image((16, 16), 3), Label(LABELS)
    )
    made.card["data"] = {"name": "tiny"}
    return made, recipe


@pytest.mark.slow
def test_keeps_the_contract_of_a_task(tmp_path):
    from PIL import Image as Picture

    made, recipe = task()
    data, files = tiny_data(24), [tmp_path / "a.png", tmp_path / "b.png"]
    for file, pixels in zip(files, data.images):
        Picture.fromarray(pixels).save(file)
    plan = {
        "epochs": 4,
        "batch_size": 8,
        "optimizer": "adamw",
        "learning_rate": 0.01,
        "seed": 0,
    }
    recipe = {**recipe, "training": plan}
    made.follow(data, recipe, verbose=0)
    kernel, _ = parameters(made.model)
    kernel.assign(0.1 * np.random.default_rng(0).normal(size=kernel.shape))
    other = ImageData(data.images, data.labels % 2, ["night", "day"])
    check_task(
        made,
        recipe,
        data,
        list(data.images[:3]),
        list(map(str, files)),
        tmp_path / "made",
        other,
        one_size=True,
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_classes": 1}, "num_classes=1"),
        ({"transform": "afine"}, "transform='afine'"),
        ({"input_shape": (None, 16, 1)}, "None, 16"),
        ({"input_shape": (16, None, 1)}, "16, None"),
        ({"filters": (4, 4, 4, 4)}, r"filters=\(4, 4, 4, 4\)"),
        ({"output_size": (2, 16)}, r"filters=.*\(2, 16\)"),
        (
            {"localization_filters": (4, 4, 4)},
            r"localization_filters=\(4, 4, 4\).*\(8, 6\)",
        ),
        ({"steps": 0}, "steps=0"),
        ({"padding": "edge"}, "padding='edge'"),
        ({"start_scale": 0}, "start_scale=0"),
        (
            {"start_scale": 0.5, "transform": "translation"},
            "start_scale=0.5, transform='translation'",
        ),
    ],
)
def test_refuses_what_it_cannot_build(arguments, message):
    good = {"input_shape": SHAPE, "num_classes": 3, **TINY}
    with pytest.raises(ValueError, match=message):
        spatial_transformer_network(**{**good, **arguments})
