"""residual_attention_network: counts of the paper, masks, modes, errors."""

import keras
import numpy as np
import pytest
from PIL import Image as Pillow

from keras_attention import ResidualAttentionModule, attention_maps
from keras_attention.looking import attention_model
from tests.numbers import close, numpy, randomize
from tests.zoo.contract import check_task
from tests.zoo.settings import global_setting
from tests.zoo.tiny import LABELS, tiny_data
from zoo.data.images import ImageData
from zoo.image_classification.residual_attention_network import (
    PRESETS,
    residual_attention_network,
)
from zoo.image_classification.task import ImageClassification
from zoo.inputs.image import Image
from zoo.outputs.label import Label

SHAPE = (16, 24, 3)  # not square
IMAGES = np.random.default_rng(0).uniform(0, 255, (3, *SHAPE))
IMAGES = IMAGES.astype("float32")
TINY = PRESETS["tiny"]


def network(shape=SHAPE, **arguments):
    keras.utils.set_random_seed(0)
    return residual_attention_network(shape, 3, **{**TINY, **arguments})


def modules(model):
    return [
        layer
        for layer in model.layers
        if isinstance(layer, ResidualAttentionModule)
    ]


def trainable(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


# The paper's counts


def unit(channels, ratio=4):
    """Parameters: 1x1, 3x3 and 1x1, and what normalises in front of each."""
    narrow = channels // ratio
    kernels = 2 * channels * narrow + 9 * narrow**2
    return kernels + 2 * (channels + 2 * narrow)


def widening(before, channels, ratio=4):
    """Of a unit that changes the channels, with its shortcut."""
    narrow = channels // ratio
    kernels = before * narrow + 9 * narrow**2 + narrow * channels
    return kernels + 2 * (before + 2 * narrow) + before * channels


def parameters(m, filters, blocks=2, outer=1, trunk=2, masks=True, classes=10):
    before = filters[0] // 4
    count = 27 * before
    for depth, channels in zip((3, 2, 1), filters, strict=True):
        count += widening(before, channels) + (blocks - 1) * unit(channels)
        count += m * (2 * outer + trunk) * unit(channels)
        if masks:  # down, up, and a unit on each shortcut but the finest
            units = 3 * depth - 1
            ends = 2 * (channels**2 + 2 * channels)
            count += m * (units * unit(channels) + ends)
        before = channels
    return count + 2 * before + classes * (before + 1)


WIDE, NARROW = (64, 128, 256), (32, 64, 128)
SHALLOW = {"blocks": 1, "outer": 0, "trunk": 1}


@pytest.mark.parametrize(
    "preset, mode, expected",
    [
        ("attention_20", "naive", parameters(1, NARROW, **SHALLOW)),
        ("attention_20", None, parameters(1, NARROW, masks=False, **SHALLOW)),
        ("attention_56", None, parameters(1, WIDE, masks=False)),
        ("attention_56", "residual", parameters(1, WIDE)),
    ],
)
def test_has_the_parameters_that_its_widths_give(preset, mode, expected):
    model = residual_attention_network(
        (32, 32, 3), 10, mode=mode, **PRESETS[preset]
    )
    assert trainable(model) == expected


@pytest.mark.slow
def test_attention_92_has_the_parameters_of_the_paper():
    arguments = PRESETS["attention_92"]
    model = residual_attention_network((32, 32, 3), 10, **arguments)
    count = trainable(model)
    assert count == parameters(2, WIDE) == 1_841_242
    assert count == pytest.approx(1.9e6, rel=0.04)
    # Attention-236, six modules in each stage.
    assert parameters(6, WIDE) == pytest.approx(5.1e6, rel=0.01)
    plain = parameters(2, WIDE, masks=False)
    assert round(100 * plain / count) == 52


@pytest.mark.parametrize(
    "preset, depth",
    [("attention_20", 20), ("attention_56", 56), ("attention_92", 92)],
)
def test_is_as_deep_as_its_name_says(preset, depth):
    arguments = {**PRESETS[preset], "filters": (4, 4, 4)}
    plain = residual_attention_network((8, 8, 3), 10, mode=None, **arguments)
    assert not modules(plain)
    found = [
        layer.name
        for layer in plain.layers
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense))
        and "shortcut" not in layer.name
    ]
    assert len(found) == depth


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (
            {"filters": (4, 4, 4)},
            {"stage_1": [3], "stage_2": [2], "stage_3": [1]},
        ),
        (
            {"modules": (2, 0), "outer_units": 1, "trunk_units": 2},
            {"stage_1": [2, 2], "stage_2": []},
        ),
    ],
)
def test_masks_of_all_stages_see_equally_coarsely(arguments, expected):
    model = network(**arguments, mask_units=2)
    found = {
        stage: [
            layer.depth
            for layer in modules(model)
            if layer.name.startswith(f"{stage}_attention_")
        ]
        for stage in expected
    }
    assert found == expected
    assert len(modules(model)) == sum(map(len, expected.values()))
    arguments = {**TINY, **arguments}
    for layer in modules(model):
        assert len(layer.before) == len(layer.after) == arguments["outer_units"]
        assert len(layer.trunk) == arguments["trunk_units"]
        assert layer.mask_units == 2


# What it computes


@pytest.mark.parametrize(
    "shape", [(28, 28, 1), (64, 96, 3), (9, 15, 3), (2, 5, 3)]
)
def test_takes_any_size(shape):
    model = network(shape, filters=(4, 4, 6))
    images = np.random.default_rng(1).uniform(0, 255, (2, *shape))
    maps = attention_maps(model, images.astype("float32"))
    height, width, _ = shape
    for stage, (name, mask) in enumerate(maps.items(), start=1):
        assert name == f"stage_{stage}_attention_1"
        assert mask.shape == (2, height, width, (4, 4, 6)[stage - 1])
        height, width = -(-height // 2), -(-width // 2)
    assert stage == 3


def test_weights_fit_other_sizes_and_unknown_ones():
    model = network()
    randomize(model)
    other, unknown = network((9, 20, 3)), network((None, None, 3))
    other.set_weights(model.get_weights())
    unknown.set_weights(model.get_weights())
    close(unknown(IMAGES), model(IMAGES))
    close(unknown(IMAGES[:, :9, :20]), other(IMAGES[:, :9, :20]))


def test_a_model_of_its_masks_has_one_for_each_module():
    model = network(modules=(1, 2))
    maps = attention_model(model).predict(IMAGES, verbose=0)
    assert {name: mask.shape for name, mask in maps.items()} == {
        "stage_1_attention_1": (3, 16, 24, 4),
        "stage_2_attention_1": (3, 8, 12, 8),
        "stage_2_attention_2": (3, 8, 12, 8),
    }
    for mask in maps.values():
        assert 0 <= mask.min() < mask.max() <= 1
    with pytest.raises(ValueError, match="attention layer"):
        attention_maps(network(mode=None), IMAGES)


def masks_of(model, value):
    """Makes all masks the sigmoid of a value."""
    for layer in modules(model):
        last = layer.mask_convs[-1]
        last.norm.gamma.assign(0 * last.norm.gamma)
        last.norm.beta.assign(0 * last.norm.beta + 1)
        channels = last.conv.kernel.shape[-1]
        last.conv.kernel.assign(0 * last.conv.kernel + value / channels)


def without_masks(model, **arguments):
    """The baseline, with the weights of the trunk."""
    plain = network(mode=None, **arguments)
    theirs = {layer.name: layer for layer in model.layers}
    for layer in plain.layers:
        if layer.name in theirs:
            layer.set_weights(theirs[layer.name].get_weights())
    for module in modules(model):
        name = module.name.replace("attention", "trunk")
        units = [*module.before, *module.trunk, *module.after]
        for number, each in enumerate(units, start=1):
            for place, conv in enumerate(each.convs, start=1):
                part = f"{name}_{number}_{place}"
                norm = plain.get_layer(f"{part}_norm")
                norm.set_weights(conv.norm.get_weights())
                kernel = plain.get_layer(f"{part}_conv")
                kernel.set_weights(conv.conv.get_weights())
    return plain


UNITS = {"modules": (0, 2), "outer_units": 1, "trunk_units": 2}


def test_masks_of_zero_leave_the_trunk():
    model = network(**UNITS)
    randomize(model)
    masks_of(model, -1e4)
    plain = without_masks(model, **UNITS)
    close(model(IMAGES), plain(IMAGES), rtol=1e-3, atol=1e-3)
    masks_of(model, 0.0)
    assert np.abs(numpy(model(IMAGES)) - numpy(plain(IMAGES))).max() > 0.1


def test_naive_masks_of_zero_leave_nothing_and_those_of_one_the_trunk():
    model = network(mode="naive", **UNITS)
    randomize(model)
    masks_of(model, -1e4)
    logits = numpy(model(IMAGES))
    close(logits, logits[:1].repeat(3, axis=0))
    masks_of(model, 1e4)
    plain = without_masks(model, **UNITS)
    close(model(IMAGES), plain(IMAGES), rtol=1e-3, atol=1e-3)


def test_mode_and_mask_reach_the_modules():
    found = {}
    for mode, mask in (
        ("residual", "mixed"),
        ("naive", "mixed"),
        ("naive", "channel"),
        ("residual", "spatial"),
    ):
        model = network(mode=mode, mask=mask, modules=(0, 1))
        randomize(model)
        found[mode, mask] = numpy(model(IMAGES))
        (layer,) = modules(model)
        assert (layer.mode, layer.mask) == (mode, mask)
        assert layer.ratio == TINY["ratio"]
    for place, (one, logits) in enumerate(found.items()):
        for other in list(found.values())[:place]:
            assert np.abs(logits - other).max() > 1e-3, one


def test_blocks_stand_around_the_modules():
    model = network(blocks=3, modules=(0, 2))
    order = [
        layer.name
        for layer in model.layers
        if layer.name.startswith("stage_2")
        and (layer.name.endswith("_add") or "attention" in layer.name)
    ]
    assert order == [
        "stage_2_unit_1_add",
        "stage_2_attention_1",
        "stage_2_attention_2",
        "stage_2_unit_2_add",
        "stage_2_unit_3_add",
    ]


def test_the_shortcut_of_a_unit_reads_what_its_branch_reads():
    model = network(modules=0, filters=(4, 6))
    randomize(model)
    part = "stage_2_unit_1"
    inside = keras.Model(
        model.input,
        [
            model.get_layer(f"{part}_1_relu").output,
            model.get_layer(f"{part}_3_conv").output,
            model.get_layer(f"{part}_add").output,
        ],
    )
    read, branch, sum_ = map(numpy, inside(IMAGES))
    (kernel,) = model.get_layer(f"{part}_shortcut_conv").get_weights()
    close(sum_, branch + read[:, ::2, ::2] @ kernel[0, 0], rtol=1e-3, atol=1e-3)
    # A unit that changes no shape has its input as the shortcut.
    model = network(modules=0, blocks=2)
    randomize(model)
    part = "stage_1_unit_2"
    layers = ["stage_1_unit_1_add", f"{part}_3_conv", f"{part}_add"]
    inside = keras.Model(
        model.input, [model.get_layer(name).output for name in layers]
    )
    x, branch, sum_ = map(numpy, inside(IMAGES))
    close(sum_, x + branch, rtol=1e-3, atol=1e-3)


def test_reads_pixels_from_0_to_255():
    model = network((8, 8, 1))
    rescaling = model.layers[1]
    scaled = rescaling(np.array([[0.0, 127.5, 255.0]]))
    close(scaled, [[-1, 0, 1]])


@pytest.mark.parametrize("setting", ["channels_first", "float16"])
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="needs TensorFlow"
)
def test_global_settings_change_nothing(setting):
    model = network()
    with global_setting(setting):
        other = network()
        other.set_weights(model.get_weights())
        assert other.input.dtype == other.output.dtype == "float32"
        logits = numpy(other(IMAGES))
    close(logits, model(IMAGES), atol=0.05 if setting == "float16" else 1e-5)


def test_is_saved_and_loaded(tmp_path):
    model = network()
    randomize(model)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    close(again(IMAGES), model(IMAGES))
    assert again.name == "residual_attention_network"


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["residual", "naive"])
def test_learns_a_few_images(mode):
    data = tiny_data(24)
    model = network((16, 16, 3), mode=mode, modules=(1, 0))
    model.compile(
        keras.optimizers.AdamW(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    images = data.images.astype("float32")
    before = [numpy(v.value).copy() for v in model.trainable_variables]
    model.fit(images, data.labels, batch_size=8, epochs=20, verbose=0)
    # Every weight takes part.
    for variable, old in zip(model.trainable_variables, before, strict=True):
        assert np.abs(numpy(variable.value) - old).max() > 0, variable.path
    fresh = tiny_data(30, seed=9)
    logits = model.predict(fresh.images.astype("float32"), verbose=0)
    assert (logits.argmax(axis=1) == fresh.labels).mean() >= 0.9


@pytest.mark.slow
def test_keeps_the_contract(tmp_path):
    recipe = {
        "builder": "residual_attention_network",
        "builder_args": {
            "input_shape": [16, 16, 3],
            **TINY,
            "filters": list(TINY["filters"]),
            "modules": [0, 1],
        },
        "training": {
            "epochs": 6,
            "batch_size": 8,
            "optimizer": "adamw",
            "learning_rate": 0.02,
            "schedule": "one_cycle",
            "weight_decay": 0.0,
            "jit_compile": False,
            "seed": 0,
        },
    }
    keras.utils.set_random_seed(0)
    task = ImageClassification.untrained(
        recipe, Image((16, 16), 3), Label(LABELS)
    )
    task.card["data"] = {"name": "tiny"}
    data = tiny_data(24)
    task.follow(data, recipe, verbose=0)
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file, pixels in zip(files, data.images):
        Pillow.fromarray(pixels).save(file)
    check_task(
        task,
        recipe,
        data,
        list(data.images[:3]),
        list(map(str, files)),
        tmp_path / "made",
        ImageData(data.images, data.labels % 2, ["night", "day"]),
    )
    shown = task.look(data.images[:1])[0]["attention"]
    assert {name: x.shape for name, x in shown.items()} == {
        "stage_2_attention_1": (8, 8, 8),
    }


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_classes": 1}, "num_classes=1"),
        ({"modules": (1, 2, 3)}, r"2 stages.*modules=\(1, 2, 3\)"),
        ({"modules": -1}, r"modules=\[-1, -1\]"),
        ({"filters": ()}, r"0 stages.*modules=\[\]"),
        ({"blocks": 0}, "blocks=0"),
        ({"outer_units": -1}, "outer_units=-1"),
        ({"trunk_units": 0}, "trunk_units=0"),
        ({"mask_units": 0}, "mask_units=0"),
        ({"ratio": 5}, r"ratio=5, filters=\(4, 8\)"),
        ({"ratio": 0}, "ratio=0"),
        ({"mask": "hard"}, "mask='hard'"),
        ({"mode": "plain"}, "mode='plain'"),
    ],
)
@pytest.mark.parametrize("mode", ["residual", None])
def test_refuses_what_it_cannot_build(mode, arguments, message):
    good = {"input_shape": (8, 8, 3), "num_classes": 3, **TINY, "mode": mode}
    with pytest.raises(ValueError, match=message):
        residual_attention_network(**{**good, **arguments})
