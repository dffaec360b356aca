"""attention_backbone: trained networks with attention inside, fine-tuned."""

import json
import re

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import zoo
from keras_attention import CBAM
from tests.numbers import close, numpy, randomize
from tests.zoo.contract import check_task
from tests.zoo.tiny import LABELS, tiny_data, tiny_task
from zoo import backbones, recipes, training
from zoo.backbones import backbone_of, load_backbone_weights
from zoo.cli import app
from zoo.data.images import ImageData
from zoo.image_classification.attention_backbone import attention_backbone
from zoo.image_classification.task import ImageClassification
from zoo.inputs import image as image_input
from zoo.outputs.label import Label

SMALL, SHAPE = "MobileNetV3Small", (32, 40, 3)
NAME = "MobileNetV2"
PLAN = {
    "epochs": 4,
    "batch_size": 8,
    "optimizer": "adamw",
    "learning_rate": 0.02,
    "schedule": "one_cycle",
    "weight_decay": 0.0,
    "seed": 0,
    "jit_compile": False,
}


def stand_in(include_top, weights, input_tensor, input_shape):
    """Two residual blocks, in place of a network that takes long to compile."""

    def conv(x, width, name, strides=1):
        x = keras.layers.Conv2D(
            width, 3, strides, "same", use_bias=False, name=name
        )(x)
        return keras.layers.BatchNormalization(name=f"{name}_BN")(x)

    assert not include_top and weights is None
    x = keras.layers.ReLU()(conv(input_tensor, 8, "first", 2))
    for place in (1, 2):
        branch = keras.layers.ReLU()(conv(x, 12, f"block_{place}_expand"))
        branch = conv(branch, 8, f"block_{place}_project")
        branch = keras.layers.Dropout(0.2)(branch)
        x = keras.layers.Add()([x, branch])
    return keras.Model(input_tensor, x, name="stand_in")


@pytest.fixture(autouse=True)
def small_network(monkeypatch):
    monkeypatch.setattr(keras.applications, NAME, stand_in)


def made(attention="cbam", size=(16, 16), **more):
    """A task and its recipe, on images of three colours."""
    recipe = {
        "builder": "attention_backbone",
        "builder_args": {
            "input_shape": [*size, 3],
            "num_classes": 3,
            "name": NAME,
            "attention": attention,
            **more,
        },
        "training": PLAN,
    }
    keras.utils.set_random_seed(0)
    task = ImageClassification.untrained(
        recipe, image_input.Image(size, 3), Label(LABELS)
    )
    task.card["data"] = {"name": "tiny"}
    return task, recipe


@pytest.fixture
def stored(tmp_path):
    """A file of weights of the stand-in that are no beginning."""
    keras.utils.set_random_seed(5)
    network = backbones.application(NAME, (16, 16, 3))
    randomize(network)
    path = tmp_path / "trained.weights.h5"
    network.save_weights(path)
    return path, network


def test_a_network_of_keras_answers_as_before_with_gates_inside():
    model = attention_backbone(SHAPE, 4, SMALL, "cbam", {"ratio": 4})
    plain = attention_backbone(SHAPE, 4, SMALL)
    inside = backbone_of(model)
    gates = [
        layer for layer in inside.network.layers if isinstance(layer, CBAM)
    ]
    assert [gate.name for gate in gates] == [
        f"expanded_conv_{place}_project_bn_cbam"
        for place in (2, 4, 5, 7, 9, 10)
    ]
    assert {gate.ratio for gate in gates} == {4}
    own = plain.get_layer("backbone").network
    for layer in filter(lambda layer: layer.weights, own.layers):
        inside.network.get_layer(layer.name).set_weights(layer.get_weights())
    model.get_layer("logits").set_weights(
        plain.get_layer("logits").get_weights()
    )
    images = np.random.default_rng(0).uniform(0, 255, (2, *SHAPE))
    images = images.astype("float32")
    close(model(images), numpy(plain(images)), 1e-5, 1e-5)
    assert [layer.name for layer in model.layers] == [
        *("image", "backbone", "pool", "dropout", "logits"),
    ]
    assert model.name == "attention_backbone"
    assert inside.image_shape == SHAPE


def test_its_arguments_reach_the_layers():
    model = attention_backbone(
        (16, 24, 3), 4, NAME, "se", {"ratio": 2}, "*_expand_BN", 0.4
    )
    inside = model.get_layer("backbone")
    names = [layer.name for layer in inside._gates(inside.network)]
    assert names == [f"block_{n}_expand_BN_se_block" for n in (1, 2)]
    assert {gate.ratio for gate in inside._gates(inside.network)} == {2}
    assert model.get_layer("dropout").rate == 0.4
    assert model.input_shape == (None, 16, 24, 3)
    half = made()[0].rebuilt(dtype="mixed_bfloat16").model
    assert half.get_layer("backbone").compute_dtype == "bfloat16"
    assert half.get_layer("logits").compute_dtype == "float32"


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"name": "MobilNetV2"}, "`name` must be.*name='MobilNetV2'; near"),
        ({"name": ["VGG16"]}, r"name=\['VGG16'\]"),
        ({"attention": "sk"}, "attention='sk'"),
        ({"attention": CBAM}, "attention=<class"),
        ({"attention_args": [3]}, r"attention_args=\[3\]"),
        ({"where": str}, "where=<class"),
        ({"where": "nowhere"}, "Its places are .*where='nowhere'"),
        ({"num_classes": 1}, "num_classes=1"),
        ({"input_shape": (16, 16, 1)}, r"\(16, 16, 1\)"),
    ],
)
def test_refuses_what_it_cannot_build(arguments, message):
    good = {
        "input_shape": (16, 16, 3),
        "num_classes": 3,
        "name": NAME,
        "attention": "cbam",
    }
    with pytest.raises(ValueError, match=message):
        attention_backbone(**{**good, **arguments})


def test_keeps_the_contract(tmp_path):
    task, recipe = made()
    data, files = tiny_data(24), [tmp_path / "a.png", tmp_path / "b.png"]
    for file, pixels in zip(files, data.images):
        Image.fromarray(pixels).save(file)
    check_task(
        task,
        recipe,
        data,
        list(data.images[:3]),
        list(map(str, files)),
        tmp_path / "made",
        ImageData(data.images, data.labels % 2, ["night", "day"]),
    )


def test_a_card_may_say_a_pattern_of_places_and_nothing_else(tmp_path):
    task, _ = made("se", where="block_?_project_B*")
    folder = task.save(tmp_path / "kept")
    assert zoo.load(folder).card["builder_args"]["where"] == (
        "block_?_project_B*"
    )
    card = json.loads((folder / "card.json").read_text())
    for key, value in (
        ("where", "../a b"),
        ("where", ["*"]),
        ("attention", "keras>Dense"),
        ("name", "keras.models"),
        ("name", "MobileNet*"),
    ):
        changed = {**card["builder_args"], key: value}
        text = json.dumps({**card, "builder_args": changed})
        (folder / "card.json").write_text(text)
        with pytest.raises(ValueError, match="Received"):
            zoo.load(folder)


def gates_and_head(task):
    inside = backbone_of(task.model)
    own = {id(w) for layer in inside.own_layers for w in layer.weights}
    return {
        weight.path: numpy(weight).copy()
        for weight in task.model.trainable_weights
        if id(weight) not in own
    }


def own_numbers(task):
    layers = backbone_of(task.model).own_layers
    return [w for layer in layers for w in layer.get_weights()]


def test_gradually_what_is_new_learns_first_and_then_all(
    stored, tmp_path, monkeypatch
):
    task, _ = made("se")  # whose gates have no statistics of their own
    load_backbone_weights(task.model, stored[0])
    images = tiny_data(4).images.astype("float32")
    inside = backbone_of(task.model)
    seen, apart = [(gates_and_head(task), own_numbers(task))], []
    write = training._Run.on_epoch_end

    def on_epoch_end(run, epoch, logs=None):
        seen.append((gates_and_head(task), own_numbers(task)))
        kept = inside.get_weights()
        both = (inside(images, training=x) for x in (True, False))
        apart.append(float(np.abs(np.subtract(*map(numpy, both))).max()))
        inside.set_weights(kept)
        write(run, epoch, logs)

    monkeypatch.setattr(training._Run, "on_epoch_end", on_epoch_end)
    options = {"epochs": 8, "schedule": "constant", "recipe": "gradual"}
    options["learning_rate"] = 0.002
    log = task.fit(tiny_data(), **{**PLAN, **options}, verbose=0)
    # For two of eight epochs, statistics of batches stand still, too.
    for _, own in seen[1:3]:
        for before, now in zip(seen[0][1], own, strict=True):
            np.testing.assert_array_equal(before, now)
    assert all((a != b).any() for a, b in zip(seen[0][1], seen[3][1]))
    for one, other in ((0, 1), (2, 3)):
        before, now = seen[one][0], seen[other][0]
        assert np.mean([(before[k] != now[k]).any() for k in before]) > 0.5
        head = "logits/kernel"
        assert (before[head] != now[head]).any()
    # At first it computes as at inference.
    assert max(apart[:2]) < 1e-5 and min(apart[2:]) > 1e-3
    np.testing.assert_allclose(
        [epoch["learning_rate"] for epoch in log],
        [0.02] * 2 + [0.002] * 6,
        rtol=1e-6,
    )
    assert [epoch["epoch"] for epoch in log] == [*range(1, 9)]
    every = task.model._flatten_layers()
    rates = [x.rate for x in every if isinstance(x, keras.layers.Dropout)]
    assert rates == [0.2, 0.2, 0.2] and all(layer.trainable for layer in every)
    assert task.card["recipe"]["training"]["recipe"] == "gradual"
    assert zoo.load(task.save(tmp_path / "a")).card["frozen_layers"] == []


def test_a_copy_is_tuned_gradually_too(monkeypatch):
    task, _ = made()
    data = ImageData(tiny_data().images, tiny_data().labels % 2, ["a", "b"])
    options = {"epochs": 2, "batch_size": 8, "verbose": 0}
    copy = task.finetune(data, recipe="gradual", **options)
    log = copy.card["recipe"]["log"]
    assert len(log) == 2 and copy.output.labels == ["a", "b"]
    assert copy.card["recipe"]["training"]["recipe"] == "gradual"
    # At the end of a cycle, and the first part's is ten times as high.
    assert log[1]["learning_rate"] < 0.2 * log[0]["learning_rate"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Photographs, gray ones among them, in a folder for each class."""
    monkeypatch.chdir(tmp_path)
    data = tiny_data(36)
    for index, (pixels, label) in enumerate(zip(data.images, data.labels)):
        place = tmp_path / "photos" / LABELS[label] / f"{index}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels if index > 3 else pixels[..., 0]).save(place)
    return tmp_path


COMMAND = (
    "train --task image_classification --network attention_backbone "
    f"--set name={NAME} --set attention=cbam --data photos --folder models"
).split()


def shell(*words):
    return CliRunner().invoke(app, [*COMMAND, *words])


@pytest.mark.parametrize("words", [[], ["--recipe", "gradual"]])
def test_the_shell_tunes_trained_weights_to_a_folder(
    words, folder, stored, monkeypatch
):
    monkeypatch.setitem(backbones.SIDES, NAME, 16)
    asked = []

    def downloaded(name):
        asked.append(name)
        return stored[1].get_weights()

    monkeypatch.setattr(backbones, "_downloaded", downloaded)
    result = shell("--epochs", "2", "--batch-size", "12", *words)
    assert result.exit_code == 0, result.output
    assert asked == [NAME]
    place = folder / "models/attention_backbone_photos"
    card = zoo.card(place)
    assert card["recipe"]["backbone_weights"] == "imagenet"
    assert card["builder_args"] == {
        "name": NAME,
        "attention": "cbam",
        "input_shape": [16, 16, 3],
        "num_classes": 3,
    }
    training = card["recipe"]["training"]
    assert training.get("recipe") == (words[1] if words else None)
    assert (
        f"--set name={NAME} --set attention=cbam" in (card["recipe"]["command"])
    )
    assert " ".join(words) in card["recipe"]["command"]
    # At a rate of 0.001 they are still near.
    inside = backbone_of(zoo.load(place).model).network
    first, other = (
        network.get_layer("first").get_weights()[0]
        for network in (inside, stored[1])
    )
    assert 0 < np.abs(first - other).max() < 0.05
    seen = CliRunner().invoke(
        app, ["look", str(place), "photos/red/33.png", "--out", "seen.png"]
    )
    assert seen.exit_code == 0, seen.output


def test_its_weights_come_from_a_file_or_from_nowhere(
    folder, stored, monkeypatch
):
    monkeypatch.setattr(backbones, "_downloaded", None)
    monkeypatch.setattr(training, "fit", lambda *args, **options: [])
    path, network = stored
    for name, weights, same in (("file", path, True), ("none", "none", False)):
        result = shell(
            *("--backbone-weights", str(weights), "--batch-size", "4", name),
            *("--set", "image_size=[16,24]"),
        )
        assert result.exit_code == 0, result.output
        task = zoo.load(folder / "models" / name)
        first = backbone_of(task.model).network.get_layer("first")
        expected = network.get_layer("first").get_weights()[0]
        assert (first.get_weights()[0] == expected).all() == same
        recipe = task.card["recipe"]
        assert recipe["backbone_weights"] == (path.name if same else None)
        # At random it takes as many steps as any network from scratch.
        assert recipe["training"]["epochs"] == (43 if same else 100)
        assert task.input.size == (16, 24)


def test_without_a_network_nothing_long_is_begun(folder, monkeypatch):
    def refused(*args):
        raise Exception("URL fetch failure on https://here")

    own = backbones.application

    def application(name, shape, weights=None):
        return refused() if weights == "imagenet" else own(name, shape)

    monkeypatch.setitem(backbones.SIDES, NAME, 16)
    monkeypatch.setattr(backbones, "application", application)
    monkeypatch.setattr(recipes.measuring, "check_readable", None)
    monkeypatch.setattr(ImageClassification, "follow", None)
    result = shell()
    assert result.exit_code == 1
    assert "--backbone-weights" in result.stderr
    assert "URL fetch failure" in result.stderr


@pytest.mark.parametrize(
    "words, message",
    [
        (["--set", "name=ResNet51"], "name='ResNet51'; near: .*'ResNet50'"),
        (["--backbone-weights", "nowhere.h5"], "nowhere.h5, where there is"),
        (["--recipe", "gradul"], "recipe='gradul'; near: .*gradual"),
        (["--recipe", "gradual", "--epochs", "1"], "epochs=1"),
        (["--recipe", "gradual", "--freeze", "backbone"], "'backbone'"),
        (
            ["--recipe", "gradual", "--backbone-weights", "none"],
            "trained backbone.*backbone_weights=None",
        ),
    ],
)
def test_wrong_options_are_refused_before_data_are_read(
    words, message, folder, monkeypatch
):
    monkeypatch.setattr(ImageClassification, "read", None)
    result = shell(*words)
    assert result.exit_code == 1
    assert re.search(message, " ".join(result.stderr.split())), result.stderr
    assert not (folder / "models").exists()


def test_gradual_is_for_networks_with_a_backbone(folder, monkeypatch):
    words = "--network attention_resnet --data photos --recipe gradual"
    result = CliRunner().invoke(app, [*COMMAND[:3], *words.split()])
    assert result.exit_code == 1
    said = " ".join(result.stderr.split())
    assert "trained backbone" in said and "'attention_resnet'" in said
    with pytest.raises(ValueError, match='recipe="gradual".* with 0'):
        tiny_task().finetune(tiny_data(), recipe="gradual", verbose=0)


def test_a_new_model_reads_images_at_the_size_of_its_network(monkeypatch):
    monkeypatch.setitem(backbones.SIDES, NAME, 20)
    data = ImageData(
        tiny_data(8).images[..., :1], tiny_data(8).labels % 2, ["a", "b"]
    )
    for sizes, expected in (
        ({}, (20, 20)),
        ({"image_size": (16, 24)}, (16, 24)),
        ({"input_shape": (24, 16, 3)}, (24, 16)),
    ):
        task = zoo.new(
            "image_classification",
            "attention_backbone",
            data,
            name=NAME,
            attention=None,
            **sizes,
        )
        assert task.input.size == expected and task.input.channels == 3
        assert task.model.input_shape == (None, *expected, 3)
        assert not backbone_of(task.model)._gates(task.model)
