"""ImageClassification: learns, answers, looks, is tuned, kept and loaded."""

import dataclasses
import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from keras_attention import attention_maps
from tests.numbers import randomize
from tests.zoo.contract import check_task
from tests.zoo.tiny import LABELS, tiny_data, tiny_recipe, tiny_task
from zoo import measuring, training
from zoo.data.images import ImageData
from zoo.image_classification import (
    dynamic_capacity_network,
    ra_cnn,
    spatial_transformer_network,
)
from zoo.image_classification.recurrent_attention_model import PRESETS as RAM
from zoo.image_classification.task import ImageClassification
from zoo.inputs import image as image_input
from zoo.outputs.label import Label

PLAN = {
    "epochs": 6,
    "batch_size": 8,
    "optimizer": "adamw",
    "learning_rate": 0.02,
    "schedule": "one_cycle",
    "weight_decay": 0.0,
    "seed": 0,
}


@pytest.fixture(scope="module")
def trained():
    task = tiny_task("cbam")
    task.follow(tiny_data(48), {"training": PLAN}, verbose=0)
    return task


@pytest.mark.slow
def test_learns_a_toy_set(trained):
    results = trained.evaluate(tiny_data(30, seed=9))
    assert list(results) == ["accuracy", "loss"]
    assert results["accuracy"] >= 0.9
    assert tiny_task("cbam").evaluate(tiny_data(30, seed=9))["accuracy"] < 0.9
    assert len(trained.card["recipe"]["log"]) == 6


def test_accuracy_is_the_share_of_right_labels(trained):
    data = tiny_data(30, seed=4)
    data.labels[:10] = (data.labels[:10] + 1) % 3  # so that some are wrong
    answers = trained.predict(data.images)
    right = [
        answer["label"] == LABELS[label]
        for answer, label in zip(answers, data.labels, strict=True)
    ]
    assert 0 < np.mean(right) < 1
    assert trained.evaluate(data)["accuracy"] == pytest.approx(np.mean(right))


def test_answers_one_with_a_dict_and_several_with_a_list(trained, tmp_path):
    pixels = tiny_data(3).images
    path = tmp_path / "image.png"
    Image.fromarray(pixels[1]).save(path)
    one = trained.predict(path)
    assert list(one) == ["label", "probability", "probabilities"]
    assert one["probability"] == one["probabilities"][one["label"]]
    assert sum(one["probabilities"].values()) == pytest.approx(1, abs=1e-6)
    shares = list(one["probabilities"].values())
    assert shares == sorted(shares, reverse=True)
    for raws in ([path], pixels[1:2], [Image.fromarray(pixels[1])]):
        (same,) = trained.predict(raws)
        assert same["label"] == one["label"]
        assert same["probability"] == pytest.approx(one["probability"])
    assert trained.predict([]) == []


def test_probabilities_are_the_softmax_of_the_models_logits(trained):
    pixels = tiny_data(2).images
    logits = np.asarray(trained.model(pixels.astype("float32")))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    for answer, shares in zip(trained.predict(pixels), expected, strict=True):
        np.testing.assert_allclose(
            [answer["probabilities"][label] for label in LABELS],
            shares,
            rtol=1e-4,
        )


def test_several_images_may_come_in_any_container(trained):
    pixels = tiny_data(2).images
    expected = [answer["label"] for answer in trained.predict(pixels)]
    for raws in (
        list(pixels),
        tuple(pixels),
        keras.ops.convert_to_tensor(pixels),
        [keras.ops.convert_to_tensor(image) for image in pixels],
        np.concatenate([pixels, pixels[..., :1]], axis=-1),  # transparency
        pixels.astype("float32"),
    ):
        answers = trained.predict(raws)
        assert [answer["label"] for answer in answers] == expected
    one = trained.predict(keras.ops.convert_to_tensor(pixels[0]))
    assert one["label"] == expected[0]
    assert trained.predict(np.zeros((0, 16, 16, 3))) == []
    assert trained.predict([]) == []


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda image: image.tolist(), "np.asarray.*list at place 0"),
        (lambda image: image[0].tolist(), "np.asarray.*list at place 0"),
        (lambda image: iter([image]), "np.asarray.*list_iterator"),
        (lambda image: [image, image.tolist()], "list at place 1"),
        (lambda image: np.stack([image[..., 0]] * 2), r"shape=\(2, 16, 16\)"),
        (lambda image: image[None].swapaxes(1, 3), r"shape=\(1, 3, 16, 16\)"),
        (lambda image: image.astype(object), "dtype=object"),
        (lambda image: image[None].astype(object), "dtype=object"),
        (lambda image: image[None] / 255.0, "multiply them by 255"),
        (lambda image: image[None] * np.nan, "NaN or infinity"),
    ],
)
def test_refuses_what_is_not_one_image_or_several(trained, make, message):
    with pytest.raises(ValueError, match=message):
        trained.predict(make(tiny_data(1).images[0]))


def test_nan_is_never_an_answer(trained):
    broken = trained.rebuilt()
    bias = broken.model.get_layer("logits").bias
    bias.assign([0.0, np.nan, 0.0])
    for ask in (broken.predict, broken.look):
        with pytest.raises(ValueError, match="finite.*nan.* at place 0"):
            ask(tiny_data(2).images)


def test_images_that_are_wider_than_high_are_read_upright():
    recipe = {
        "builder": "attention_resnet",
        "builder_args": {
            "input_shape": [6, 14, 3],
            "attention": "cbam",
            "filters": [8],
            "blocks": 1,
        },
    }
    task = ImageClassification.untrained(
        recipe, image_input.Image((6, 14), 3), Label(["a", "b"])
    )
    randomize(task.model)  # untrained, CBAM's maps are even
    image = np.zeros((12, 28, 3), "uint8")
    image[:6, :14] = 200
    (read,) = task.input.arrays([image])["image"]
    assert read.shape == (6, 14, 3)
    assert read[0, 0, 0] == pytest.approx(200) and not read[-1, :].any()
    looked = task.look([image, image[:, ::-1]])
    maps = [
        answer["attention"]["stage_1_block_1_attention/spatial"]
        for answer in looked
    ]
    assert maps[0].shape == (6, 14, 1)
    figure = task.picture([image, image[:, ::-1]], looked)
    rows = np.reshape(figure.axes[:6], (3, 2))
    as_read = task.input.arrays([image, image[:, ::-1]])["image"]
    for place, (above, between, below) in enumerate(rows.T):
        own = image[:, ::-1] if place else image
        np.testing.assert_array_equal(above.images[0].get_array(), own)
        shown = between.images[0].get_array() * 255
        np.testing.assert_allclose(shown, as_read[place], atol=1e-3)
        for drawn in below.images:
            assert tuple(drawn.get_extent()) == (0, 14, 6, 0)
        np.testing.assert_array_equal(
            below.images[1].get_array(), maps[place][..., 0]
        )
    assert np.abs(maps[0] - maps[1]).max() > 1e-3
    data = ImageData([image, image[:, ::-1]] * 2, np.arange(4) % 2, ["a", "b"])
    copy = task.finetune(data, epochs=1, verbose=0)
    assert copy.input.size == (6, 14) and copy.evaluate(data)["loss"] > 0


def test_says_where_it_looked(trained):
    images = tiny_data(2).images
    answer = trained.look(images[0])
    assert answer["label"] == trained.predict(images[0])["label"]
    maps = answer["attention"]
    assert maps["stage_2_block_1_attention/channel"].shape == (1, 1, 16)
    assert maps["stage_2_block_1_attention/spatial"].shape == (8, 8, 1)
    expected = attention_maps(trained.model, images.astype("float32"))
    for index, several in enumerate(trained.look(images)):
        gates = expected["stage_1_block_1_attention"]
        np.testing.assert_allclose(
            several["attention"]["stage_1_block_1_attention/spatial"],
            gates["spatial"][index],
            rtol=1e-4,
        )
    with pytest.raises(ValueError, match="attention"):
        tiny_task(None).look(tiny_data(1).images[0])


def test_is_kept_and_loaded_and_answers_alike(trained, tmp_path):
    folder = trained.save(tmp_path / "mine")
    again = zoo.load(folder)
    pixels = tiny_data(3).images
    for one, other in zip(
        trained.predict(pixels), again.predict(pixels), strict=True
    ):
        assert one["label"] == other["label"]
        assert one["probability"] == pytest.approx(other["probability"])
    card = json.loads((folder / "card.json").read_text())
    assert card["name"] == "mine" and card["builder"] == "attention_resnet"
    assert card["parameters"]["trainable"] == sum(
        int(np.prod(v.shape)) for v in trained.model.trainable_variables
    )
    assert card == again.card == zoo.card(folder)
    with zipfile.ZipFile(folder / "model.keras") as archive:
        weights = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights) as file:  # what a user has to fetch
        assert "layers" in file and "optimizer" not in file


def test_finetunes_a_copy_and_stays_as_it_was(trained):
    before = [w.copy() for w in trained.model.get_weights()]
    generator = np.random.default_rng(0)
    bright = np.arange(20) % 2
    images = (
        generator.integers(0, 60, (20, 9, 9, 1))
        + 150 * bright[:, None, None, None]
    )
    data = ImageData(images.astype("uint8"), bright, ["night", "day"])
    copy = trained.finetune(
        data, epochs=6, batch_size=5, learning_rate=0.01, verbose=0
    )
    assert copy.assets["labels"] == ["night", "day"]
    assert copy.evaluate(data)["accuracy"] == 1.0
    assert copy.predict(images[1])["label"] == "day"
    assert copy.card["builder_args"]["num_classes"] == 2
    for old, now in zip(before, trained.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)


def stem_and_head(task):
    return (
        task.model.get_layer("stem_conv").get_weights()[0],
        task.model.get_layer("logits").get_weights()[0],
    )


def test_keeps_the_head_for_the_same_classes_only(trained):
    stem, head = stem_and_head(trained)
    same = trained.rebuilt(Label(LABELS))
    np.testing.assert_array_equal(stem_and_head(same)[0], stem)
    np.testing.assert_array_equal(stem_and_head(same)[1], head)
    other = trained.rebuilt(Label(["a", "b", "c"]))
    np.testing.assert_array_equal(stem_and_head(other)[0], stem)
    assert (stem_and_head(other)[1] != head).all()


def tuned(task, **options):
    options = {"epochs": 1, "batch_size": 8, "verbose": 0, **options}
    return task.finetune(tiny_data(), **options)


@pytest.mark.parametrize(
    "freeze, still", [("backbone", True), (["stem"], True), (None, False)]
)
@pytest.mark.slow
def test_freezes_what_is_named(trained, freeze, still):
    stem, head = stem_and_head(trained)
    after = stem_and_head(tuned(trained, freeze=freeze))
    assert (after[0] == stem).all() == still
    assert (after[1] != head).any()
    if freeze == "backbone":  # its normalisations stand still too
        norm = trained.model.get_layer("stem_norm").get_weights()
        copy = tuned(trained, freeze=freeze)
        for old, new in zip(
            norm, copy.model.get_layer("stem_norm").get_weights(), strict=True
        ):
            np.testing.assert_array_equal(old, new)


def test_a_new_head_on_a_frozen_backbone_learns_by_default(trained):
    data = tiny_data(96)
    labels = (data.labels > 0).astype("int64")
    data = ImageData(data.images, labels, ["red", "no red"])
    # At the usual rate a few steps change next to nothing.
    losses = {}
    for rate in (None, 1e-3):
        copy = trained.finetune(
            data, epochs=5, freeze="backbone", learning_rate=rate, verbose=0
        )
        losses[rate] = copy.evaluate(data)["loss"]
    assert losses[None] < 0.1 * losses[1e-3]


def upscaled(data, times=2):
    images = data.images.repeat(times, axis=1).repeat(times, axis=2)
    return dataclasses.replace(data, images=images)


def test_a_copy_reads_another_size_with_the_same_weights(trained):
    data = tiny_data(30, seed=7)
    copy = trained.rebuilt(input=trained.input.resized((32, 32)))
    assert trained.input.size == (16, 16)
    for old, new in zip(
        trained.model.get_weights(), copy.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(old, new)
    assert copy.evaluate(upscaled(data))["accuracy"] >= 0.9
    # A mosaic of itself is, but for its seams, the same to every layer.
    mosaic = np.tile(data.images, (1, 2, 2, 1)).astype("float32")
    pixels = data.images.astype("float32")
    said, before = map(np.asarray, (copy.model(mosaic), trained.model(pixels)))
    assert np.abs(said - before).mean() < 0.2 * np.abs(before).mean()
    # It reads all pixels: the other networks cannot tell these two apart.
    image = np.full((1, 32, 32, 3), 100, "uint8")
    striped = image.copy()
    striped[:, ::2], striped[:, 1::2] = 0, 200
    asked = [
        copy.model(copy.input.arrays(x)["image"]) for x in (image, striped)
    ]
    assert np.abs(np.subtract(*map(np.asarray, asked))).max() > 1e-2


@pytest.fixture
def untouched(monkeypatch):
    """What a training would begin with: none is done."""
    monkeypatch.setattr(training, "fit", lambda *args, **options: [])


def test_a_copy_says_its_size_and_is_exported_at_it(
    trained, untouched, tmp_path
):
    copy = tuned(trained, image_size=(24, 20))
    assert type(copy.input) is type(trained.input)
    assert copy.input.size == (24, 20) and trained.input.size == (16, 16)
    card = zoo.card(copy.save(tmp_path / "copy"))
    assert card["preprocessing"]["image_size"] == [24, 20]
    assert card["builder_args"]["input_shape"] == [24, 20, 3]
    assert card["recipe"]["image_size"] == [24, 20]
    assert trained.card["preprocessing"]["image_size"] == [16, 16]
    if keras.backend.backend() == "tensorflow":
        copy.export(tmp_path / "served", ["litert"])
        assert list(copy.card["exports"]) == ["litert"]


def test_the_size_of_before_is_no_other_size(trained, untouched):
    copy = tuned(trained, image_size=16)
    assert copy.input is trained.input
    assert "image_size" not in copy.card["recipe"]
    assert tuned(trained, image_size=20).input.size == (20, 20)


@pytest.mark.slow
def test_a_training_goes_on_at_the_size_that_it_began_with(trained, tmp_path):
    options = {"folder": tmp_path, "epochs": 1, "image_size": (12, 20)}
    tuned(trained, **options)
    tuned(trained, **options)
    for other in ((20, 12), None):
        with pytest.raises(ValueError, match=r"image_size=.*\[12, 20\]"):
            tuned(trained, **{**options, "image_size": other})


STN, RA_CNN = spatial_transformer_network.PRESETS, ra_cnn.PRESETS
DCN = dynamic_capacity_network.PRESETS


@pytest.mark.parametrize(
    "builder, shape, args, size, message",
    [
        (
            *("spatial_transformer_network", (16, 16, 3), STN["tiny"]),
            *((32, 32), r"layer 'transformer'.*features/kernel.*\(256, 8\)"),
        ),
        (
            "spatial_transformer_network",
            (16, 16, 3),
            {**STN["tiny"], "transform": None},
            (16, 24),
            r"layer 'features'.*features/kernel of shape \(192, 8\) in place",
        ),
        (
            *("ra_cnn", (16, 16, 3), RA_CNN["tiny"]),
            *((24, 24), "layer 'scale_1_proposal'.*hidden/kernel"),
        ),
        (
            *("dynamic_capacity_network", (16, 16, 3), DCN["tiny"]),
            *((6, 16), "large enough for the convolutions"),
        ),
    ],
)
def test_a_size_that_a_network_cannot_take_is_refused(
    builder, shape, args, size, message, monkeypatch
):
    recipe = {
        "builder": builder,
        "builder_args": {"input_shape": shape, **args},
    }
    task = ImageClassification.untrained(
        recipe, image_input.Image(shape[:2], 3), Label(LABELS)
    )
    monkeypatch.setattr(task, "fit", None)  # nothing is trained
    with pytest.raises(ValueError, match=message) as refused:
        task.finetune(tiny_data(), image_size=size)
    text = str(refused.value)
    assert text.startswith("`image_size` must be") and builder in text
    assert str(size) in text and text.count("Received") == 1


@pytest.mark.parametrize(
    "builder, args, size",
    [
        ("recurrent_attention_model", RAM["tiny"], (24, 31)),
        ("dynamic_capacity_network", DCN["tiny"], (21, 30)),
        (
            *("dynamic_capacity_network", {**DCN["tiny"], "capacity": "fine"}),
            (21, 30),
        ),
        ("ra_cnn", {**RA_CNN["tiny"], "num_scales": 1}, (21, 30)),
        # One that comes to the same map.
        ("spatial_transformer_network", STN["tiny"], (17, 16)),
    ],
)
def test_other_networks_take_other_sizes(builder, args, size):
    recipe = {
        "builder": builder,
        "builder_args": {"input_shape": (16, 16, 3), **args},
    }
    task = ImageClassification.untrained(
        recipe, image_input.Image((16, 16), 3), Label(LABELS)
    )
    copy = task.rebuilt(input=task.input.resized(size))
    for old, new in zip(
        task.model.get_weights(), copy.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(old, new)
    assert len(copy.predict(tiny_data(2).images)) == 2


@pytest.mark.slow
def test_lower_layers_learn_more_slowly(trained):
    steps = {}
    for decay in (1.0, 0.1):
        copy = tuned(
            trained,
            layer_decay=decay,
            batch_size=24,
            schedule="constant",
            weight_decay=0.0,
            learning_rate=0.01,
        )
        stem, head = stem_and_head(trained)
        steps[decay] = [
            np.abs(new - old).max()
            for new, old in zip(stem_and_head(copy), (stem, head), strict=True)
        ]
    # One step of Adam is the rate; stem, two stages, head: three below.
    np.testing.assert_allclose(steps[1.0], [0.01, 0.01], rtol=0.05)
    np.testing.assert_allclose(steps[0.1], [0.01 * 0.1**3, 0.01], rtol=0.05)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"freeze": "stme"}, "freeze='stme'"),
        ({"freeze": ["st", "logits"]}, "freeze="),
        ({"layer_decay": 0.0}, "layer_decay=0.0"),
        ({"num_classes": 2}, "num_classes=2"),
        ({"validation": 1.5}, "validation=1.5"),
    ],
)
def test_refuses_a_tuning_that_cannot_be(trained, options, message):
    with pytest.raises(ValueError, match=message):
        tuned(trained, **options)


def test_sets_examples_aside_and_weighs_classes(trained):
    copy = tuned(
        trained,
        validation=0.25,
        class_weight="balanced",
        label_smoothing=0.1,
        num_classes=5,
        augment=["flip"],
    )
    log = copy.card["recipe"]["log"]
    assert "val_accuracy" in log[0]
    assert copy.assets["labels"] == [*LABELS, "3", "4"]


def test_labels_are_told_by_name(trained):
    data = tiny_data(12)
    order = ["blue", "red", "green"]
    places = np.array([order.index(name) for name in LABELS])
    renamed = ImageData(data.images, places[data.labels], order)
    assert trained.evaluate(renamed) == trained.evaluate(data)
    arrays = (data.images, data.labels)
    assert trained.evaluate(arrays) == trained.evaluate(data)
    alien = ImageData(data.images, data.labels, ["red", "green", "blu"])
    with pytest.raises(ValueError, match="'blu'; near: .*blue"):
        trained.evaluate(alien)


@pytest.mark.slow
def test_one_class_is_enough_to_measure_on(trained):
    data = tiny_data(12)
    blue = data.images[data.labels == 2]
    share = np.mean([a["label"] == "blue" for a in trained.predict(blue)])
    for one in (
        (blue, ["blue"] * 4),
        (blue, [2] * 4),
        ImageData(blue, np.zeros(4, "int64"), ["blue"]),
        data.take(np.flatnonzero(data.labels == 2)),
    ):
        assert trained.evaluate(one)["accuracy"] == share
        copy = tuned(trained, validation=one, freeze="backbone")
        expected = copy.evaluate(one)["loss"]
        log = copy.card["recipe"]["log"]
        assert log[0]["val_loss"] == pytest.approx(expected, rel=1e-4)
    some = (data.images[data.labels > 0], [LABELS[x] for x in data.labels if x])
    whole = data.take(np.flatnonzero(data.labels > 0))
    assert trained.evaluate(some) == trained.evaluate(whole)
    with pytest.raises(ValueError, match=r"two classes.*\['2'\]"):
        trained.finetune((blue, [2] * 4), epochs=1)


def test_the_card_says_where_it_was_measured(trained, monkeypatch):
    monkeypatch.setitem(trained.card, "data", {"name": "tiny"})
    monkeypatch.setitem(trained.card, "metrics", {})
    test = dataclasses.replace(tiny_data(6), place="~/tiny")
    trained.measure(test)
    assert trained.card["data"]["place"] == "~/tiny"
    assert trained.card["data"]["test_sha256"] == test.sha256()


def test_a_wrong_digest_is_said_once(trained, monkeypatch):
    digests = []

    def sha256(self):
        digests.append("0" * 64)
        return digests[-1]

    monkeypatch.setattr(ImageData, "sha256", sha256)
    monkeypatch.setattr(measuring, "own_test", lambda task: tiny_data(6))
    stated = {**trained.card["data"], "test_sha256": "1" * 64}
    monkeypatch.setitem(trained.card, "data", stated)
    with pytest.warns(UserWarning, match="are not those of the card") as told:
        trained.evaluate()
    assert len(told) == len(digests) == 1
    assert told[0].filename == __file__
    stated["test_sha256"] = "0" * 64
    trained.evaluate()


def test_the_users_own_compile_stays(trained):
    trained.model.compile("sgd", "mse")
    trained.evaluate(tiny_data(3))
    assert trained.model.loss == "mse"


@pytest.mark.slow
def test_keeps_the_contract(trained, tmp_path):
    data, files = tiny_data(24), [tmp_path / "a.png", tmp_path / "b.png"]
    for file, pixels in zip(files, data.images):
        Image.fromarray(pixels).save(file)
    other = ImageData(data.images, data.labels % 2, ["night", "day"])
    check_task(
        trained,
        {**tiny_recipe(), "training": PLAN},
        data,
        list(data.images[:3]),
        list(map(str, files)),
        tmp_path / "made",
        other,
    )
