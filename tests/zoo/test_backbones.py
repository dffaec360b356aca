"""Networks of keras.applications: their pixels, their grids, their weights."""

import io
import json
import types
import zipfile

import h5py
import keras
import numpy as np
import pytest
from typer.testing import CliRunner

import zoo
from keras_attention import SEBlock
from tests.contract.lifecycle import check_litert
from tests.numbers import close, numpy, randomize
from tests.zoo.settings import global_setting
from zoo import backbones, layer_groups, recipes, weights
from zoo.backbones import (
    Backbone,
    application,
    backbone_of,
    check_weights,
    load_backbone_weights,
    names,
)
from zoo.captioning.show_attend_tell import PRESETS, show_attend_tell
from zoo.captioning.task import Captioning
from zoo.cli import app
from zoo.data import scenes
from zoo.data.captions import CaptionData
from zoo.picture_grids import grid_encoder, grid_of

SMALL, SHAPE = "MobileNetV3Small", (64, 96, 3)
MODULES = {
    name: module
    for name, module in vars(keras.applications).items()
    if isinstance(module, types.ModuleType)
    and hasattr(module, "preprocess_input")
    and name != "imagenet_utils"
}
PICTURES = np.random.default_rng(0).uniform(0, 255, (2, *SHAPE))
PICTURES = PICTURES.astype("float32")


def pixels_only(name, shape=SHAPE):
    """A backbone with a network of one layer, which takes no time to make."""
    made = Backbone.__new__(Backbone)
    keras.layers.Layer.__init__(made, autocast=False)
    made.pixels = backbones._pixels(name)
    made.build((None, *shape))
    return made


def drawn(network, seed=0):
    """A network with numbers of which each layer makes others."""
    generator = np.random.default_rng(seed)
    values = []
    for array in network.get_weights():
        if array.dtype.kind != "f":
            values.append(array)
            continue
        fresh = generator.normal(0, 0.2, array.shape)
        values.append(np.abs(fresh) + 0.5 if (array == 1).all() else fresh)
    network.set_weights(values)
    return network


@pytest.fixture(scope="module")
def small():
    keras.utils.set_random_seed(0)
    return drawn(application(SMALL, SHAPE))


@pytest.fixture(scope="module")
def stored(small, tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "small.weights.h5"
    small.save_weights(path)
    return path


def test_every_network_of_keras_is_known():
    given = {
        name
        for name, found in vars(keras.applications).items()
        if isinstance(found, types.FunctionType)
    }
    assert set(names()) == given and len(given) > 30


@pytest.mark.parametrize("module", sorted(MODULES))
def test_pixels_are_those_that_each_family_was_trained_with(module):
    pattern = {"mobilenet_v3": "MobileNetV3Small"}
    members = [name for name in vars(MODULES[module]) if name in names()]
    members = members or [pattern[module]]
    expected = MODULES[module].preprocess_input(PICTURES.copy())
    for name in members:
        made = pixels_only(name)
        found = numpy(made.preprocess(PICTURES))
        if made.pixels == "stored":  # the network's own rescaling is ours
            found = 255 * found
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("name", "stride", "layer"),
    [
        ("VGG16", 16, "block5_conv3"),  # what Show, Attend and Tell looks at
        ("ResNet50V2", 8, "conv3_block3_out"),
        ("EfficientNetB0", 16, "block6a_expand_activation"),
    ],
)
def test_a_stride_is_the_last_layer_before_the_next_step_down(
    name, stride, layer
):
    network = application(name, (96, 128, 3))
    found = backbones._end(network, stride, name)
    assert found is network.get_layer(layer).output


def test_a_network_is_cut_only_where_all_paths_meet():
    """As those of NASNet never do, whose cells read two before them."""
    image = before = keras.Input(SHAPE)
    x = keras.layers.Conv2D(4, 3, 2, "same", name="first")(image)
    before = keras.layers.AveragePooling2D(2)(image)
    for stride in (1, 2, 1):
        once = keras.layers.Conv2D(4, 3, stride, "same")(x)
        skipped = keras.layers.Conv2D(4, 1, stride)(before)
        before, x = x, keras.layers.Concatenate()([once, skipped])
        if stride == 2:
            before = keras.layers.MaxPooling2D(2)(before)
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = keras.layers.Conv2D(8, 1, 3, name="gate")(gate)  # of no stride
    x = keras.layers.Multiply()([x, gate])
    x = keras.layers.ZeroPadding2D(1)(x)
    x = keras.Sequential([keras.layers.Conv2D(4, 2, 2)])(x)
    x = keras.layers.Conv2D(4, 1, name="last")(x)
    network = keras.Model(image, x)
    assert backbones._end(network, 8, "mine") is x
    with pytest.raises(ValueError, match=r"one of \[4, 8\], where mine"):
        backbones._end(network, 2, "mine")
    assert backbones._end(network, 4, "mine").shape == (None, 16, 24, 8)
    for stride in (0, True, 12, "16"):
        with pytest.raises(ValueError, match=rf"_stride={stride!r}"):
            backbones._end(network, stride, "mine")


@pytest.mark.parametrize("stride", [None, 16])
def test_answers_as_keras_own_network_with_the_weights_of_a_file(
    stride, small, stored
):
    made = Backbone(SMALL, SHAPE, stride)
    before = numpy(made(PICTURES))
    made.load(stored)
    found = numpy(made(PICTURES))
    end = backbones._end(small, stride, SMALL) if stride else small.output
    expected = numpy(keras.Model(small.input, end)(PICTURES))
    assert found.shape == (2, *made.output_map) == expected.shape
    assert np.abs(found - before).max() > 0.1 * np.abs(expected).max()
    close(found, expected, 1e-5, 1e-5)
    # What comes after is not built in.
    assert (made.count_params() < small.count_params()) == (stride == 16)
    again = Backbone.from_config(made.get_config())
    again.build((None, *SHAPE))
    again.set_weights(made.get_weights())
    close(again(PICTURES), found, 1e-6, 1e-6)


@pytest.mark.parametrize("stride", [None, 16])
def test_gates_begin_as_the_identity_and_stay_when_weights_come(
    stride, small, stored
):
    made = Backbone(
        *(SMALL, SHAPE, stride, "cbam", {"ratio": 8}),
        where="expanded_conv_?_project_bn",
    )
    gates = made._gates(made.network)
    assert [gate.name for gate in gates] == [
        f"expanded_conv_{place}_project_bn_cbam" for place in range(1, 8)
    ] + [
        f"expanded_conv_{place}_project_bn_cbam"
        for place in (8, 9)
        if stride is None
    ]
    assert {gate.ratio for gate in gates} == {8}
    made.load(stored)
    end = backbones._end(small, stride, SMALL) if stride else small.output
    network = keras.Model(small.input, end)
    close(made(PICTURES), numpy(network(PICTURES)), 1e-5, 1e-5)
    for place, gate in enumerate(gates):
        randomize(gate, place)
    kept = [gate.get_weights() for gate in gates]
    for layer in made.own_layers:
        layer.set_weights([0 * array for array in layer.get_weights()])
    made.load(stored)
    assert [[*map(np.ndarray.tolist, x)] for x in kept] == [
        [*map(np.ndarray.tolist, gate.get_weights())] for gate in gates
    ]
    for layer in filter(lambda layer: layer.weights, network.layers):
        own = made.network.get_layer(layer.name).get_weights()
        for one, other in zip(own, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    if stride is not None:
        again = Backbone.from_config(made.get_config())
        again.build((None, *SHAPE))
        again.set_weights(made.get_weights())
        close(again(PICTURES), numpy(made(PICTURES)), 1e-6, 1e-6)
    # Every weight is a gate's or the network's own, and none is both.
    inside = [w for x in (*gates, *made.own_layers) for w in x.weights]
    assert sorted(map(id, inside)) == sorted(map(id, made.weights))


def test_gates_are_of_the_policy_behind_pixels_that_a_file_says():
    made = Backbone(*("EfficientNetB0", SHAPE, 4, "se"), dtype="mixed_bfloat16")
    (gate,) = made._gates(made.network)
    assert gate.name == "block2b_project_bn_se_block"
    assert gate.dtype_policy.name == "mixed_bfloat16"
    assert isinstance(gate, SEBlock) and gate.identity_start
    found = made(PICTURES)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    inside = [w for x in (gate, *made.own_layers) for w in x.weights]
    assert len(made.weights) == len(inside) + len(["scale", "offset"])


def test_the_size_of_a_network_is_that_of_its_weights(monkeypatch):
    class Asked(Exception):
        pass

    def obtain_input_shape(input_shape, default_size, *args, **kwargs):
        raise Asked(default_size)

    for name in names():
        if name.startswith("MobileNetV3"):  # which ask for no size
            assert backbones.own_size(name) == (224, 224)
            continue
        build = getattr(keras.applications, name)
        utils = build.__globals__["imagenet_utils"]
        monkeypatch.setattr(utils, "obtain_input_shape", obtain_input_shape)
        with pytest.raises(Asked) as asked:
            build(weights=None)
        assert backbones.own_size(name) == (asked.value.args[0],) * 2, name
    assert set(backbones.SIDES) < set(names())
    with pytest.raises(ValueError, match="name='VGG15'; near"):
        backbones.own_size("VGG15")


@pytest.mark.parametrize("shape", [(50, 75, 3), (33, 64, 3)])
def test_a_grid_is_as_large_as_the_network_makes_it(shape):
    encoder = grid_encoder(shape, backbone=SMALL, backbone_stride=8)
    image = np.full((1, *shape), 9, "float32")
    height, width = grid_of(encoder)
    inside = encoder.get_layer("encoder_backbone")
    assert numpy(inside(image)).shape[1:3] == (height, width)
    assert (height, width) == (-(-shape[0] // 8), -(-shape[1] // 8))
    assert [layer.name for layer in encoder.layers] == [
        "image",
        "encoder_backbone",
        "encoder_places",
    ]
    found = numpy(encoder(image))
    assert found.shape[1:] == (height * width, 96 + 2)
    last = [1 - 1 / width, 1 - 1 / height]
    np.testing.assert_allclose(found[0, -1, -2:], last, atol=1e-6)


def test_keras_global_settings_change_nothing(small):
    with global_setting("channels_first"), global_setting("float16"):
        made = Backbone(SMALL, SHAPE, dtype="float32")
        made.network.set_weights(small.get_weights())
        assert keras.config.image_data_format() == "channels_first"
        still = numpy(made(PICTURES))
    expected = numpy(small(PICTURES))
    close(made(PICTURES), expected, 1e-5, 1e-5)
    # Keras on PyTorch has the constants of some activations in `floatx`.
    close(still, expected, 1e-2, 1e-2 * np.abs(expected).max())


def test_computes_in_its_policy_from_pixels_in_float32():
    made = Backbone("EfficientNetB0", SHAPE, 4, dtype="mixed_bfloat16")
    policies = {layer.dtype_policy.name for layer in made._flatten_layers()} - {
        "float32"
    }
    assert policies == {"mixed_bfloat16"}
    found = made(PICTURES)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    pixels = made.preprocess(PICTURES)
    assert keras.backend.standardize_dtype(pixels.dtype) == "float32"


@pytest.mark.parametrize("name", ["VGG16", "EfficientNetB0"])
def test_pixels_are_turned_alike_saved_compiled_and_exported(name, tmp_path):
    made = Backbone(name, (32, 40, 3), 2)
    image = keras.Input((32, 40, 3), name="image")
    model = keras.Model(image, made(image))
    if made.pixels == "stored":
        made.pixel_scale.assign([0.01, 0.02, 0.03])
        made.pixel_offset.assign([-1, 0, 1])
    data = PICTURES[:, :32, :40]
    expected = numpy(model(data))
    model.save(tmp_path / "a.keras")
    again = keras.saving.load_model(tmp_path / "a.keras")
    close(again(data), expected, 1e-6)
    if name == "VGG16" and keras.backend.backend() != "torch":  # it takes long
        again.compile(jit_compile=True)
        size = np.abs(expected).max()
        close(again.predict(data, verbose=0), expected, 1e-3, 1e-4 * size)
    if keras.backend.backend() == "tensorflow":
        check_litert(made, {"inputs": data}, (1, 2), tmp_path)


def test_frozen_it_computes_as_at_inference():
    made = Backbone("EfficientNetB0", SHAPE, 4)
    drawn(made.network)
    drops = [
        layer
        for layer in made.network.layers
        if isinstance(layer, keras.layers.Dropout)
    ]
    for layer in drops:
        layer.rate = 0.9
    assert drops
    still, kept = numpy(made(PICTURES)), made.get_weights()
    moved = numpy(made(PICTURES, training=True))
    assert np.abs(moved - still).max() > 1e-2
    changed = made.get_weights()
    assert any((a != b).any() for a, b in zip(kept, changed))
    made.set_weights(kept)
    made.trainable = False
    close(made(PICTURES, training=True), still, 1e-6, 1e-6)
    for old, new in zip(kept, made.get_weights()):
        np.testing.assert_array_equal(old, new)
    assert not made.trainable_variables


def test_batch_statistics_settle_within_a_short_training():
    made = Backbone(SMALL, SHAPE, 8)
    norms = [
        layer
        for layer in made._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert norms and {norm.momentum for norm in norms} == {0.9}


def test_efficientnet_reads_pixels_by_the_numbers_of_its_file(monkeypatch):
    """Keras's files call deviations variances, and its network corrects it."""
    made = Backbone("EfficientNetB0", SHAPE, 4, "se")
    made.build((None, *SHAPE))
    close(made.preprocess(PICTURES), PICTURES / 255, 1e-6)
    source = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Normalization()]
    )

    def read(mean, deviation, variance, read_from):
        values = [mean, variance, np.zeros((), "int32")]
        read_from(values)
        expected = (PICTURES / 255 - mean) / deviation
        found = numpy(made.preprocess(PICTURES))
        np.testing.assert_allclose(found, expected, atol=2e-5)

    def small_one(values):
        source.layers[0].set_weights(values)
        made._read_pixels(source)

    def whole_file(values):
        def load_file(network, path):
            backbones._normalization(network).set_weights(values)

        monkeypatch.setattr(weights, "load_file", load_file)
        made.load("b0.weights.h5")

    mean = np.array([0.485, 0.456, 0.406])
    deviation = np.array([0.229, 0.224, 0.225])
    read(mean, deviation, deviation**2, small_one)
    read(mean - 0.1, 2 * deviation, 4 * deviation**2, small_one)
    read(mean, deviation, deviation, whole_file)
    # Unlike those of Keras's layer they are there after `set_weights`.
    again = Backbone.from_config(made.get_config())
    again.build((None, *SHAPE))
    again.set_weights(made.get_weights())
    close(again(PICTURES), numpy(made(PICTURES)), 1e-6)


def test_imagenet_is_asked_of_keras_and_of_nobody_else(monkeypatch, small):
    asked = []
    own = keras.applications.MobileNetV3Small

    def downloaded(weights, input_shape, **options):
        asked.append((weights, input_shape))
        made = own(weights=None, input_shape=input_shape, **options)
        if weights == "imagenet":
            made.set_weights(small.get_weights())
        return made

    monkeypatch.setattr(keras.applications, "MobileNetV3Small", downloaded)
    made = Backbone(SMALL, SHAPE)
    made.build((None, *SHAPE))
    assert asked == [(None, SHAPE)]
    check_weights("imagenet")
    made.load("imagenet")
    assert asked[1:] == [(None, SHAPE), ("imagenet", (224, 224, 3))]
    close(made(PICTURES), numpy(small(PICTURES)), 1e-5, 1e-5)


def test_without_a_network_it_says_how_else_weights_come(monkeypatch):
    failure = "URL fetch failure on https://here: None -- no such host"

    def downloaded(weights, **options):
        if weights == "imagenet":
            raise Exception(failure)
        return own(weights=None, **options)

    own = keras.applications.MobileNetV3Small
    made = Backbone(SMALL, SHAPE)
    monkeypatch.setattr(keras.applications, SMALL, downloaded)
    with pytest.raises(ConnectionError, match="--backbone-weights.*such host"):
        made.load("imagenet")
    failure = "another one"
    with pytest.raises(Exception, match="^another one$"):
        made.load("imagenet")


def tiny(width=3, head=False):
    """What Keras writes of it is laid out as of a large network."""
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(width, 3, use_bias=False)(image)
    x = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(x))
    x = keras.layers.Conv2D(2, 1)(x)
    return keras.Model(image, keras.layers.Dense(2)(x) if head else x)


@pytest.mark.parametrize("kind", ["weights", "keras", "compiled", "old", "h5"])
def test_weights_are_read_from_every_file_of_keras(kind, tmp_path):
    own = drawn(tiny())
    path = tmp_path / {"weights": "a.weights.h5", "keras": "a.keras"}.get(
        kind, "a.h5"
    )
    if kind == "weights":
        own.save_weights(path)
    elif kind == "compiled":
        path = tmp_path / "a.keras"
        own.compile("adam", "mse")
        own.optimizer.build(own.trainable_variables)
        own.save(path)
    else:
        own.save(path)
    if kind == "old":  # weights alone, as Keras gives its own out to this day
        with h5py.File(path, "r") as whole:
            path = tmp_path / "old.h5"
            with h5py.File(path, "w") as old:
                for key in whole["model_weights"]:
                    whole.copy(f"model_weights/{key}", old)
                for key, value in whole["model_weights"].attrs.items():
                    old.attrs[key] = value
    found = tiny()
    weights.load_file(found, path)
    for one, other in zip(found.get_weights(), own.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_file_that_does_not_fit_is_refused(tmp_path):
    made = Backbone(SMALL, SHAPE, 8)
    before, same = made.get_weights(), tiny()
    with pytest.raises(ValueError, match="none.h5, where there is none"):
        made.load(tmp_path / "none.h5")
    with pytest.raises(ValueError, match="where there is none"):
        check_weights("Imagenet")
    other = tmp_path / "other.weights.h5"
    same.save_weights(other)
    with pytest.raises(ValueError, match="without its head.*other.weights.h5"):
        made.load(other)
    for old, new in zip(before, made.get_weights()):
        np.testing.assert_array_equal(old, new)

    def refused(path, message):
        with pytest.raises(ValueError, match=message):
            weights.load_file(same, path)

    refused(tmp_path, "where there is none")
    (tmp_path / "text.h5").write_text("no weights")
    refused(tmp_path / "text.h5", "text.h5 with")
    for wrong in (
        tiny(4),
        tiny(head=True),
        keras.Sequential(tiny().layers[:2]),
    ):
        wrong.save_weights(other)
        refused(other, "without its head.*with .* in place of .* at ")
        wrong.save(tmp_path / "old.h5")
        refused(tmp_path / "old.h5", "without its head.*old.h5: ValueError")

    # What HDF5 can do beside holding numbers.
    for name in ("link", "text", "nan"):
        same.save_weights(other)
        with h5py.File(other, "r+") as file:
            group = file["layers/conv2d/vars"]
            if name == "nan":
                group["0"][0, 0, 0, 0] = np.nan
            else:
                del group["0"]
            if name == "link":
                group["0"] = h5py.ExternalLink("elsewhere.h5", "/x")
            elif name == "text":
                group["0"] = "a text"
        messages = {"link": "a link at", "text": "no plain", "nan": "finite"}
        refused(other, messages[name])
    packed = tmp_path / "packed.keras"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", other.read_bytes())
    refused(packed, "compressed")


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("ResNet51", SHAPE, "backbone='ResNet51'; near: .*'ResNet50'"),
        ("resnet", SHAPE, "backbone='resnet'"),  # a module of Keras's
        ("keras", SHAPE, "known: .*'VGG16'"),
        (3, SHAPE, "backbone=3"),
        (["VGG16"], SHAPE, r"backbone=\['VGG16'\]"),
        (SMALL, (64, 64, 1), r"input_shape=\(64, 64, 1\)"),
        (SMALL, (None, 64, 3), r"input_shape=\(None, 64, 3\)"),
        (SMALL, (16, 64, 3), "at least 32x32"),
        ("InceptionV3", SHAPE, "at least 75x75"),
    ],
)
def test_what_is_no_backbone_is_refused(name, shape, message):
    with pytest.raises(ValueError, match=message):
        grid_encoder(shape, backbone=name)


def test_the_small_network_takes_no_stride_and_no_weights():
    with pytest.raises(ValueError, match="backbone_stride=8, backbone=None"):
        grid_encoder(SHAPE, (4, 4), backbone_stride=8)
    with pytest.raises(ValueError, match="backbone_attention='se', backbone="):
        grid_encoder(SHAPE, (4, 4), backbone_attention="se")
    with pytest.raises(ValueError, match="encoder with 0"):
        load_backbone_weights(grid_encoder(SHAPE, (4, 4)), "imagenet")


@pytest.mark.parametrize(
    "network",
    ["up_down_captioner", "bottom_up_top_down_vqa", "stacked_latent_vqa"],
)
def test_every_network_that_looks_at_a_grid_takes_one(network, small, stored):
    sizes = {"units": 8, "attention_units": 8, "embedding_dim": 6}
    if network == "up_down_captioner":
        sizes |= {"target_vocabulary_size": 9, "target_length": 3}
        asked = {"target_ids": np.ones((2, 3), "int32")}
    else:
        sizes |= {"vocabulary_size": 9, "num_classes": 4, "length": 5}
        asked = {"token_ids": np.ones((2, 5), "int32")}
    model = getattr(zoo, network)(
        SHAPE,
        backbone=SMALL,
        backbone_stride=8,
        backbone_attention="se",
        **sizes,
    )
    load_backbone_weights(model, stored)
    inside = backbone_of(model)
    (gate,) = inside._gates(inside.network)
    assert gate.name == "expanded_conv_2_project_bn_se_block"
    assert inside.name == "encoder_backbone" and inside.stride == 8
    first = small.get_layer("conv").get_weights()[0]
    np.testing.assert_array_equal(inside.get_weights()[0], first)
    said = numpy(model({"image": PICTURES, **asked}))
    assert np.isfinite(said).all()
    layer_groups.freeze(model, "encoder", ("decoder", "logits"))
    assert not inside.trainable_variables and model.trainable_variables


def test_a_card_cannot_ask_for_more_than_its_file_holds():
    """Of a network that is cut, what is dropped is not counted."""
    made = {"input_shape": SHAPE, "backbone": SMALL}
    sizes = {"target_vocabulary_size": 9, "target_length": 3}

    def build(**more):
        return show_attend_tell(**made, **sizes, **more, **PRESETS["tiny"])

    def as_stored(model, less=0):
        data = io.BytesIO()
        count = sum(w.size for w in model.get_weights()) - less
        array = np.zeros(count, "float32")
        with h5py.File(data, "w") as file:
            file["a"] = array
        return weights._stored(data.getvalue(), "here")

    for more in ({}, {"backbone_attention": "se"}):
        model = build(backbone_stride=8, **more)
        cut = as_stored(model)
        again = weights.build(
            lambda more=more: build(backbone_stride=8, **more), cut
        )
        assert again.count_params() == cut.count < 200_000
    with pytest.raises(zoo.PresetError, match="more than"):
        weights.build(build, cut)
    short = as_stored(model, 1)
    with pytest.raises(zoo.PresetError, match="more than"):
        weights.build(lambda: build(backbone_stride=8, **more), short)


@pytest.fixture
def recipe(monkeypatch):
    """That of a captioner of six pictures, by its name."""
    made = scenes.make(6, 0, (40, 52))
    data = CaptionData(made.images, [["a shape"], ["a red one"]] * 3, "six")
    monkeypatch.setattr(Captioning, "read", staticmethod(lambda *_: data))
    recipe = {
        "task": "captioning",
        "builder": "show_attend_tell",
        "builder_args": {"input_shape": [32, 40, 3], **PRESETS["tiny"]},
        "words": {"beams": 2},
        "data": "six",
        "training": {"epochs": 1, "batch_size": 6, "freeze": "encoder"},
    }
    recipe["training"]["seed"] = 0
    monkeypatch.setitem(recipes.RECIPES, "sat_six", recipe)
    return recipe, data


@pytest.mark.slow
def test_the_shell_trains_a_captioner_on_a_backbone(
    recipe, small, stored, tmp_path
):
    """Its weights are read once; then they are the model's."""
    folder = tmp_path / "made"
    options = {
        "--set": ["backbone=" + SMALL, "backbone_stride=4"],
        "--backbone-weights": [str(stored)],
        "--folder": [str(folder)],
        "--runs": [str(tmp_path / "runs")],
    }
    options["--set"].append("input_shape=[40,52,3]")
    words = [
        x for name, each in options.items() for v in each for x in (name, v)
    ]
    result = CliRunner().invoke(app, ["train", "sat_six", *words])
    assert result.exit_code == 0, result.output
    card = zoo.card(folder / "sat_six")
    assert card["builder_args"]["backbone"] == SMALL
    assert card["recipe"]["backbone_weights"] == "small.weights.h5"
    assert (
        f"--set backbone={SMALL} --set backbone_" in card["recipe"]["command"]
    )
    assert str(tmp_path) not in json.dumps(card)
    assert card["frozen_layers"] == ["encoder"]
    assert "backbone" not in recipe[0]["builder_args"]

    stored.rename(tmp_path / "elsewhere.h5")
    try:
        task = zoo.load(folder / "sat_six")
    finally:
        (tmp_path / "elsewhere.h5").rename(stored)
    inside = backbone_of(task.model)
    first = small.get_layer("conv").get_weights()[0]
    np.testing.assert_array_equal(inside.get_weights()[0], first)
    assert not inside.trainable_variables
    answers = task.look(list(recipe[1].images[:2]))
    assert answers[0]["attention"]["attention"].shape[1:] == (10, 13)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"builder_args": {"backbon": SMALL}}, "near: .*'backbone'"),
        ({"builder_args": {"name": "mine"}}, "show_attend_tell.*name='mine'"),
        ({"backbone_weights": "a.h5"}, "with a `backbone`.*'a.h5'"),
        (
            {
                "builder_args": {"backbone": SMALL},
                "backbone_weights": "nowhere.h5",
            },
            "nowhere.h5, where there is none",
        ),
    ],
)
def test_wrong_options_of_a_training_are_refused_before_data_are_read(
    options, message, recipe, monkeypatch, tmp_path
):
    monkeypatch.setattr(Captioning, "read", None)
    with pytest.raises(ValueError, match=message):
        zoo.train("sat_six", tmp_path / "a", tmp_path / "b", **options)
    assert not list(tmp_path.iterdir())


def test_the_shell_says_what_set_takes(recipe):
    result = CliRunner().invoke(app, ["train", "sat_six", "--set", "backbone"])
    assert result.exit_code == 1
    assert "NAME=VALUE" in result.output + result.stderr


SEVERAL = (4, 8, 16, 32)


@pytest.mark.slow
@pytest.mark.parametrize("attention", [None, "se"])
def test_several_strides_give_the_map_of_each(
    attention, small, stored, tmp_path
):
    made = Backbone(SMALL, SHAPE, SEVERAL, attention)
    assert isinstance(made.output_map, list)
    image = keras.Input(SHAPE, name="image")
    model = keras.Model(image, made(image))
    assert model.output_shape == [(None, *each) for each in made.output_map]
    assert backbone_of(model) is made
    load_backbone_weights(model, stored)
    found = [numpy(each) for each in model(PICTURES)]
    ends = [backbones._end(small, stride, SMALL) for stride in SEVERAL]
    expected = keras.Model(small.input, ends)(PICTURES)
    for one, other, stride in zip(found, expected, SEVERAL, strict=True):
        assert one.shape[1:3] == (64 // stride, 96 // stride)
        close(one, other, 1e-5, 1e-5)
    # The gates stay, and all is saved.
    for place, gate in enumerate(made._gates(made.network)):
        randomize(gate, place)
    found = [numpy(each) for each in model(PICTURES)]
    made.load(stored)
    model.save(tmp_path / "a.keras")
    again = keras.saving.load_model(tmp_path / "a.keras")
    assert backbone_of(again).stride == SEVERAL
    for one, other in zip(again(PICTURES), found, strict=True):
        close(one, other, 1e-6, 1e-6)
    assert made.get_config()["stride"] == list(SEVERAL)
    json.dumps(made.get_config())
    layer_groups.still(made)
    assert not made.trainable_variables


def test_several_maps_are_cut_behind_pixels_that_a_file_says():
    made = Backbone("EfficientNetB0", SHAPE, [2, 4])
    assert made.output_map == [(32, 48, 96), (16, 24, 144)]
    assert [tuple(x.shape) for x in made(PICTURES)] == [
        (2, 32, 48, 96),
        (2, 16, 24, 144),
    ]
    assert made.pixels == "stored" and len(made.network.outputs) == 2


@pytest.mark.parametrize(
    "stride", [(), (8, 4), (4, 4), (4, 64), (4, None), (4, "8"), (True, 4)]
)
def test_several_strides_must_grow_and_be_there(stride):
    with pytest.raises(ValueError, match=r"must grow.*\[2, 4, 8, 16, 32\]"):
        Backbone(SMALL, SHAPE, stride)
