"""The command `zoo`, on tiny models."""

import inspect
import json
import re
import shutil
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import zoo
from tests.zoo.tiny import LABELS, tiny_task
from zoo import catalogue, recipes
from zoo.cli import app
from zoo.data.images import DISTORTED, load_images
from zoo.image_classification.attention_resnet import PRESETS
from zoo.image_classification.task import ImageClassification
from zoo.task import Task

pytestmark = pytest.mark.usefixtures("home")

DIGITS = {
    "task": "image_classification",
    "builder": "attention_resnet",
    "builder_args": {
        "input_shape": [16, 16, 1],
        "attention": "se",
        "filters": list(PRESETS["tiny"]["filters"]),
        "blocks": 1,
    },
    "data": "digits",
    "training": {
        "epochs": 2,
        "batch_size": 128,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "schedule": "one_cycle",
        "weight_decay": 5e-3,
        "seed": 0,
    },
}


def saved(folder, attention, metrics=None):
    task = tiny_task(attention)
    task.card["metrics"] = metrics or {}
    task.save(folder)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Models of three kinds: two that look, and a plain one."""
    home = tmp_path_factory.mktemp("home")
    accuracy = {"value": 0.5, "seeds": [0], "std": None, "n": 24}
    saved(home / "cbam_tiny", "cbam", {"accuracy": accuracy})
    saved(home / "sk_tiny", "sk")
    saved(home / "plain_tiny", None)

    test = load_images("digits", "test")
    task = ImageClassification.untrained(
        DIGITS, *ImageClassification.learn(test, DIGITS)
    )
    task.card["data"] = {"name": "digits", "test_sha256": test.sha256()}
    found = task.evaluate(test)
    task.card["metrics"] = {
        name: {**accuracy, "value": value} for name, value in found.items()
    }
    task.save(home / "se_digits")
    return home


@pytest.fixture
def red(tmp_path):
    pixels = np.zeros((20, 30, 3), "uint8")
    pixels[..., 0] = 200
    path = tmp_path / "red.png"
    Image.fromarray(pixels).save(path)
    return path


def run(*words, ok=True):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert (result.exit_code == 0) == ok, result.output
    return result.stdout


def fails(*words):
    """The message on stderr, which is no traceback."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.output
    return result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["finetune", "--help"],
        ["--version"],
        ["list"],
        ["show", "cbam_resnet20_cifar10"],
        ["show", "mwan_sick", "--json"],
    ],
    ids=" ".join,
)
def test_says_what_it_knows_without_keras(words):
    program = (
        "import sys; from zoo.cli import app;"
        f"app({words}, standalone_mode=False);"
        "assert not {'keras', 'numpy', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_help_names_every_command():
    text = run("--help")
    for name in (
        "demo list show predict look train evaluate compare finetune export"
    ).split():
        assert f"\n│ {name} " in text


@pytest.mark.parametrize("name", ["finetune", "train", "evaluate"])
def test_help_says_what_data_each_task_takes(name):
    text = " ".join(run(name, "--help").split())
    assert len(catalogue.TASKS) == len(catalogue.data())
    for task, data in catalogue.data().items():
        assert f"{task}: {data}" in text


@pytest.mark.parametrize("task", catalogue.TASKS)
def test_the_data_that_help_names_are_those_that_are_read(task):
    read, text = catalogue.task_class(task).read, catalogue.data()[task]
    own = inspect.signature(read).parameters["source"].default
    assert own in text.split(";")[0]
    for name in re.findall(r"\w+_\w+", text):
        assert f'"{name}"' in inspect.getdoc(read) or name in DISTORTED


def test_version_is_the_package_s_own():
    from keras_attention import __version__

    assert run("--version") == f"{__version__}\n"


def test_list_shows_what_is_at_hand():
    text = run("list")
    (row,) = [line for line in text.splitlines() if "cbam_tiny" in line]
    parameters = zoo.card("cbam_tiny")["parameters"]["total"]
    for shown in ("image_classification", "0.5000", f"{parameters:,}"):
        assert shown in row
    assert "sk_tiny" in text and "plain_tiny" in text


def test_list_is_of_presets_whatever_lies_here(home, tmp_path):
    expected = run("list")
    shutil.copytree(home / "plain_tiny", tmp_path / "cbam_tiny")
    assert run("list") == expected
    assert "write ./cbam_tiny" in fails("show", "cbam_tiny")


def test_list_takes_a_pattern():
    text = run("list", "--filter", "*_tiny")
    assert "cbam_tiny" in text and "se_digits" not in text


def test_list_says_when_nothing_fits():
    assert "No trained model" in run("list", "--filter", "transformer")


def test_list_refuses_an_unknown_task():
    assert "image_classification" in fails("list", "--task", "cooking")


def test_show_shows_the_card():
    text = run("show", "cbam_tiny")
    card = zoo.card("cbam_tiny")
    for shown in ("accuracy", "0.5000", "attention cbam", "model.keras"):
        assert shown in text
    assert f"trainable {card['parameters']['trainable']}" in text


def test_show_prints_the_card_itself_as_json():
    text = run("show", "cbam_tiny", "--json")
    assert json.loads(text) == zoo.card("cbam_tiny")


def test_predict_answers_with_a_label_and_the_next_two(red):
    answer = zoo.load("cbam_tiny").predict(red)
    (row,) = [
        line
        for line in run("predict", "cbam_tiny", red).splitlines()
        if "red.png" in line
    ]
    words = row.split("red.png")[1]
    places = [words.index(label) for label in answer["probabilities"]]
    assert places == sorted(places) and len(places) == 3
    for share in answer["probabilities"].values():
        assert f"{100 * share:.1f} %" in words


def test_predict_gives_all_as_json(red):
    text = run("predict", "cbam_tiny", red, red, "--json")
    answer = zoo.load("cbam_tiny").predict(red)
    found = json.loads(text)
    assert len(found) == 2
    assert found[1]["image"] == str(red)
    assert found[1]["label"] == answer["label"]
    assert set(found[1]["probabilities"]) == set(LABELS)


def test_a_model_may_be_a_folder(shelf, red):
    by_name = run("predict", "sk_tiny", red, "--json")
    assert run("predict", shelf / "sk_tiny", red, "--json") == by_name


@pytest.mark.parametrize("name", ["cbam_tiny", "sk_tiny", "se_digits"])
def test_look_draws_a_picture_that_opens(name, red, tmp_path):
    text = run("look", name, red, red, "--out", "seen.png")
    assert "picture: seen.png" in text and "red.png" in text
    with Image.open(tmp_path / "seen.png") as picture:
        assert len(picture.convert("L").getcolors(100000)) > 50


def test_look_never_draws_over_what_it_looks_at(red, tmp_path):
    before = red.read_bytes()
    link = tmp_path / "link.png"
    link.symlink_to(red)
    for out in (red, link, red.relative_to(tmp_path)):
        message = fails("look", "cbam_tiny", red, "--out", out)
        assert "must not replace what is looked at" in message
    assert red.read_bytes() == before


def test_look_refuses_a_model_that_has_no_attention(red, tmp_path):
    message = fails("look", "plain_tiny", red)
    assert "attention layer" in message and "'plain_tiny'" in message
    # Before inputs are read.
    assert message == fails("look", "plain_tiny", tmp_path / "missing.png")
    with pytest.raises(ValueError, match="`look` needs a model.*plain_tiny"):
        zoo.load("plain_tiny").look(tmp_path / "missing.png")
    assert not (tmp_path / "looked.png").exists()


def test_evaluate_agrees_with_the_card_on_the_same_data():
    text = run("evaluate", "se_digits")
    card = zoo.card("se_digits")
    value = f"{card['metrics']['accuracy']['value']:.4f}"
    (row,) = [line for line in text.splitlines() if "accuracy" in line]
    words = row.replace(" to ", " ").split()
    low, high = map(float, words[2:4])
    assert low < float(value) < high
    assert [*words[:2], *words[5:]] == ["accuracy", value, value, "agrees"]
    assert "same SHA-256" in text and "360 images" in text


def test_evaluate_fails_where_the_card_is_not_reached(home, tmp_path):
    task = zoo.load("se_digits")
    task.card["metrics"]["accuracy"]["value"] += 0.01
    task.save(tmp_path / "vain")
    result = CliRunner().invoke(app, ["evaluate", str(tmp_path / "vain")])
    assert result.exit_code == 1
    assert "differs" in result.stdout


def test_the_data_of_a_card_are_never_a_folder(tmp_path):
    folder = tmp_path / "digits" / "0"
    folder.mkdir(parents=True)
    for index in range(10):
        Image.new("L", (8, 8), index).save(folder / f"{index}.png")
    assert "same SHA-256" in run("evaluate", "se_digits")
    message = fails("evaluate", "se_digits", "--data", "digits")
    assert "both; write ./digits for" in message
    text = run("evaluate", "se_digits", "--data", "./digits")
    assert "2 examples of 1 classes (0 2)" in text


def test_evaluate_says_when_the_data_are_others(tmp_path):
    task = zoo.load("se_digits")
    task.card["data"]["test_sha256"] = "0" * 64
    task.card["metrics"]["accuracy"]["value"] += 0.01
    task.save(tmp_path / "other")
    text = run("evaluate", tmp_path / "other")
    assert text.count("SHA-256") == 1 and "another SHA-256" in text
    assert "agrees" not in text and "differs" not in text


@pytest.mark.slow
def test_finetune_learns_a_folder_of_images_by_class(tmp_path, images):
    out = tmp_path / "tuned"
    text = run(
        *("finetune", "cbam_tiny", "--data", images, "--out", out),
        *("--epochs", 1, "--augment", "flip, shift", "--batch-size", 8),
        *("--validation", 0.25, "--freeze", "stem", "--seed", 3),
        *("--class-weight", "balanced", "--dtype", "mixed_bfloat16"),
    )
    tuned = zoo.load(out)
    assert tuned.assets["labels"] == ["dark", "light"]
    plan = tuned.card["recipe"]["training"]
    assert plan["augment"] == ["flip", "shift"]
    assert plan["freeze"] == ["stem"]
    assert plan["class_weight"] == "balanced"
    assert (plan["epochs"], plan["batch_size"], plan["seed"]) == (1, 8, 3)
    assert "val_loss" in tuned.card["recipe"]["log"][0]
    assert tuned.model.get_layer("stem_conv").dtype_policy.name == (
        "mixed_bfloat16"
    )
    test = load_images(images, "test")
    accuracy = tuned.card["metrics"]["accuracy"]
    assert accuracy["n"] == len(test)
    assert accuracy["value"] == tuned.evaluate(test)["accuracy"]
    assert f"accuracy {accuracy['value']:.4f}" in text
    assert "agrees" in run("evaluate", out, "--data", images)


@pytest.mark.slow
def test_a_tuned_model_is_measured_again_where_its_data_were(tmp_path, images):
    words = ("--data", "images", "--out", "tuned", "--epochs", 1)
    text = run("finetune", "cbam_tiny", *words, "--freeze", "backbone")
    tried = re.search(
        r"^try: zoo look tuned (images/\w+/\w+\.png)$", text, re.M
    )
    assert (tmp_path / tried[1]).is_file() and "replaced" not in text
    text = run("finetune", "cbam_tiny", *words, "--freeze", "backbone")
    assert "tuned: the model there is replaced" in text
    found = "images, {} (stratified, seed 0): {} examples of 2 classes ({})"
    assert found.format("20%", 4, "dark 2, light 2") in text
    assert found.format("80%", 16, "dark 8, light 8") in text
    text = run("evaluate", "tuned")
    assert "agrees" in text and "same SHA-256" in text

    for path in images.rglob("*.png"):
        with Image.open(path) as image:
            image.transpose(Image.Transpose.ROTATE_180).save(path)
    result = CliRunner().invoke(app, ["evaluate", "tuned"])
    assert result.exit_code == 0, result.output
    assert result.output.count("SHA-256") == 1
    assert "another SHA-256" in result.output
    assert "agrees" not in result.output

    images.rename(tmp_path / "moved")
    message = fails("evaluate", "tuned")
    assert message.count("Received") == 1
    assert f"place={str(images)!r}, no such file or folder" in message
    assert "4 images" in run("evaluate", "tuned", "--data", "moved")


def test_names_of_folders_do_not_steer_the_terminal(tmp_path, images):
    (images / "dark").rename(images / "da\nrk\x1b[31m")
    text = run("evaluate", "cbam_tiny", "--data", images, ok=False)
    assert "(da rk·[31m 2, light 2)" in text


def test_finetune_never_replaces_what_is_no_model(tmp_path, images):
    (tmp_path / "letters").mkdir()
    letter = tmp_path / "letters" / "dear.txt"
    letter.write_text("Dear")
    message = fails(
        *("finetune", "cbam_tiny", "--data", images),
        *("--out", letter.parent, "--epochs", 1),
    )
    assert "letters" in message
    assert letter.read_text() == "Dear"


def test_a_broken_image_to_measure_on_is_found_before_the_training(
    tmp_path, images
):
    parts = tmp_path / "parts"
    for part in ("train", "test"):
        shutil.copytree(images, parts / part)
    broken = sorted((parts / "test" / "light").iterdir())[-1]
    broken.write_bytes(b"no image")
    with mock.patch("zoo.training.fit", side_effect=AssertionError):
        message = fails(
            "finetune", "cbam_tiny", "--data", parts, "--out", "new"
        )
    assert broken.name in message


def test_finetune_refuses_a_folder_of_one_class(tmp_path):
    (tmp_path / "few" / "cat").mkdir(parents=True)
    message = fails(
        "finetune", "cbam_tiny", "--data", tmp_path / "few", "--out", "new"
    )
    assert "two classes" in message and "cat" in message
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_train_makes_a_preset_by_its_recipe(tmp_path, monkeypatch):
    monkeypatch.setitem(recipes.RECIPES, "se_digits_again", DIGITS)
    text = run(
        *("train", "se_digits_again", "--folder", "shelf", "--runs", "logs"),
        *("--epochs", 1, "--seed", 2, "--data-note", "a copy"),
    )
    card = zoo.card(tmp_path / "shelf" / "se_digits_again")
    assert card["recipe"]["training"]["epochs"] == 1
    assert card["recipe"]["training"]["seed"] == 2
    assert card["data"]["note"] == "a copy"
    assert f"accuracy {card['metrics']['accuracy']['value']:.4f}" in text
    for part in ("80%", "20%"):
        assert f"digits, {part} (stratified, seed 0): " in text
    assert "examples of 10 classes (0 " in text
    assert (tmp_path / "logs" / "se_digits_again" / "log.json").exists()


def test_train_names_the_recipes_that_are_near():
    message = fails("train", "cbam_resnet20_cifar")
    assert "cbam_resnet20_cifar10" in message


def test_export_says_what_it_wrote_and_measured(monkeypatch):
    asked = []

    def export(self, folder, formats=None):
        asked.append((str(folder), formats))
        return {
            "litert": {
                "path": "there/model.tflite",
                "bytes": 1_234_567,
                "largest_difference": 2.5e-7,
                "tolerance": 1e-5,
                "threads": 2,
            }
        }

    monkeypatch.setattr(Task, "export", export)
    text = run("export", "cbam_tiny", "--out", "there", "--format", "litert")
    assert asked == [("there", ["litert"])]
    for shown in ("litert", "1.23 MB", "2.5e-07", "1e-05", "model.tflite"):
        assert shown in text
    row = next(line for line in text.splitlines() if "1.23 MB" in line)
    assert "threads" in text and row.split()[5] == "2"


def test_export_names_the_formats_that_are_near(tmp_path):
    message = fails(
        "export", "cbam_tiny", "--out", "there", "--format", "saved-model"
    )
    assert "saved_model" in message and "'saved-model'" in message
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("words", [["show"], ["predict", "red.png"]])
def test_an_unknown_model_lists_the_near_ones(words, red):
    command, *images = words
    message = fails(command, "cbam_tini", *images)
    assert "cbam_tini" in message and "cbam_tiny" in message


def test_a_file_that_is_no_image_is_named(red, tmp_path):
    text = tmp_path / "notes.png"
    text.write_text("no image")
    message = fails("predict", "cbam_tiny", red, text)
    assert "notes.png" in message and "Pillow" in message
    message = fails("predict", "cbam_tiny", tmp_path / "lost.png")
    assert "'lost.png', no such file" in message.replace(f"{tmp_path}/", "")
    (tmp_path / "album").mkdir()
    assert "Received: none in album" in fails("predict", "cbam_tiny", "album")


def test_debug_shows_where_an_error_was_raised(monkeypatch):
    for words in (["--debug", "show", "nothing"], ["show", "nothing"]):
        result = CliRunner().invoke(app, words)
        assert isinstance(result.exception, zoo.PresetError)
        monkeypatch.setenv("KERAS_ATTENTION_ZOO_DEBUG", "1")


def test_a_fault_of_ours_is_told_from_a_wrong_input(red, monkeypatch):
    def broken(self, raw):
        raise KeyError("somewhere")

    monkeypatch.setattr(Task, "predict", broken)
    message = fails("predict", "cbam_tiny", red)
    assert "KeyError" in message and "--debug" in message


@pytest.fixture
def images(tmp_path):
    """Two classes, ten images each, of several sizes."""
    generator = np.random.default_rng(0)
    for place, name in enumerate(("dark", "light")):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        for index in range(10):
            shape = (16 + index, 20, 3)
            pixels = generator.integers(0, 90, shape) + 150 * place
            Image.fromarray(pixels.astype("uint8")).save(
                folder / f"{index}.png"
            )
    return tmp_path / "images"
