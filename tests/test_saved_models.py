"""Every saved model loads, answers as it did, and its card tells the truth."""

import functools
import json

import keras
import numpy as np
import pytest

pytest.importorskip("sklearn", reason="saved models need the extra `zoo`")

import zoo  # noqa: E402
from tests.public_data import needs_public  # noqa: E402
from tests.zoo.settings import global_setting  # noqa: E402
from zoo import presets, recipes  # noqa: E402
from zoo.folder import read_file  # noqa: E402

NAMES = presets._folders(presets.CHECKOUT)

# How far a metric may be from what the card says. A pair of candidates that
# two machines rank differently moves MAP by more than an image moves accuracy;
# BLEU is of 100, and a word that two machines choose differently moves others.
SLACK = {"map": 2e-3, "bleu": 0.1}


@functools.cache
def loaded(name):
    """The task, which several tests ask and none changes."""
    return zoo.load(name)


def test_there_are_saved_models():
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_answers_as_it_did_when_it_was_saved(name):
    check_golden(
        loaded(name), lambda model, inputs: model(inputs, training=False)
    )


# JAX has no float64 unless it is enabled, and says so.
@pytest.mark.filterwarnings("ignore:(?s).*requested dtype float64")
@pytest.mark.parametrize(
    "setting, name",
    [
        ("channels_first", "cbam_resnet20_fashion_mnist"),
        ("channels_first", "sat_soft_scenes"),
        ("channels_first", "sla_vqa_scenes"),
        ("float16", "abcnn3_wikiqa"),
        ("float16", "cbam_resnet20_cifar10"),
        ("float16", "han_imdb"),
        ("float16", "mmoe_adult"),
        ("float16", "mwan_sick"),
        ("float16", "recurrent_imdb"),
        ("float16", "sat_hard_scenes"),
        ("float16", "sat_soft_scenes"),
        ("float16", "sla_vqa_scenes"),
        ("float16", "transformer_imdb"),
        ("float16", "up_down_regions_scenes"),
        ("float16", "up_down_scenes"),
        ("float64", "abcnn3_wikiqa"),
        ("float64", "sat_soft_scenes"),
        ("float64", "transformer_imdb"),
    ],
)
def test_answers_alike_under_every_global_setting(setting, name):
    compiled = keras.Model.predict_on_batch
    with global_setting(setting):
        check_golden(zoo.load(name), compiled)


def check_golden(task, answer):
    golden = np.load(presets.CHECKOUT / task.card["name"] / "golden.npz")
    arrays, expected = (
        [golden[f"{side}_{n}"] for n in range(len(keras.tree.flatten(ends)))]
        for side, ends in (
            ("input", task.model.input),
            ("output", task.model.output),
        )
    )
    assert len(arrays) + len(expected) == len(golden.files)
    inputs = keras.tree.pack_sequence_as(task.model.input, arrays)
    outputs = keras.tree.flatten(answer(task.model, inputs))
    for found, array in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(found), array, rtol=1e-3, atol=1e-3
        )
    assert max(np.ptp(array, axis=0).max() for array in expected) > 0.1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("page", ["README.md", "saved_models/README.md"])
def test_the_tables_say_what_the_card_says(name, page):
    card = zoo.card(name)
    lines = (presets.CHECKOUT.parent / page).read_text().splitlines()
    (row,) = [line for line in lines if line.startswith(f"| `{name}` |")]
    reached = next(iter(card["metrics"].values()))["value"]
    assert f"| {reached:.4f} |" in row
    assert f"| {card['parameters']['trainable']:,} |" in row


@pytest.mark.parametrize("name", NAMES)
def test_the_recipe_is_the_one_that_made_it(name):
    card, recipe = zoo.card(name), recipes.find(name)
    assert card["builder"] == recipe["builder"]
    # What the data say comes beside: the size of a vocabulary.
    assert card["builder_args"].items() >= recipe["builder_args"].items()
    assert card["recipe"]["training"] == recipe["training"]
    for key in ("vectors", "half"):
        assert card["recipe"].get(key) == recipe.get(key)
    assert card["data"]["name"] == recipe["data"]
    assert len(card["recipe"]["log"]) == recipe["training"]["epochs"]


@pytest.mark.parametrize("name", NAMES)
def test_the_card_is_whole(name):
    card = zoo.card(name)
    assert set(card) >= {
        "format_version",
        "name",
        "task",
        "builder",
        "builder_args",
        "preprocessing",
        "data",
        "recipe",
        "metrics",
        "parameters",
        "versions",
        "assets",
        "sha256",
    }
    assert card["name"] == name
    assert card["recipe"]["command"].startswith(f"zoo train {name}")
    model = loaded(name).model
    total = sum(int(np.prod(weight.shape)) for weight in model.weights)
    assert card["parameters"]["total"] == total


def test_the_manifest_fits_the_cards():
    written = json.loads((presets.CHECKOUT / "manifest.json").read_text())
    assert sorted(written) == NAMES
    for name, entry in written.items():
        for file, digest in entry["sha256"].items():
            read_file(presets.CHECKOUT / name / file, digest)


def test_all_saved_models_are_small():
    sizes = [p.stat().st_size for p in presets.CHECKOUT.rglob("*")]
    assert sum(sizes) < 57 * 2**20


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=needs_public(zoo.card(name)["data"]["name"]))
        for name in NAMES
    ],
)
def test_reaches_what_its_card_says(name):
    task = loaded(name)
    metric, expected = next(iter(task.card["metrics"].items()))
    assert task.evaluate()[metric] == pytest.approx(
        expected["value"], abs=SLACK.get(metric, 1e-3)
    )
