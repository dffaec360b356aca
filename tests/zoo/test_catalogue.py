"""The catalogue: what it names is there, and one entry makes a task."""

import json

import keras
import pytest
from typer.testing import CliRunner

import zoo
from tests.zoo.text_classification.tiny import tiny_texts
from zoo import catalogue, presets, recipes
from zoo.cli import app
from zoo.data.texts import load_texts
from zoo.inputs.text import Text
from zoo.outputs.label import Label
from zoo.task import Task

HERE = "tests.zoo.test_catalogue"


class Guessing(Task):
    """A task that the package does not know: it counts words."""

    name = "guessing"
    input, output = Text, Label
    read = staticmethod(load_texts)


def bag_of_words(vocabulary_size, num_classes, length, units=4):
    ids = keras.Input((length,), dtype="int32", name="token_ids")
    x = keras.layers.Embedding(vocabulary_size, units, name="embedding")(ids)
    x = keras.layers.GlobalAveragePooling1D(name="average")(x)
    logits = keras.layers.Dense(num_classes, name="logits")(x)
    return keras.Model(ids, logits, name="bag_of_words")


RECIPES = {
    "bag_of_tiny": {
        "builder": "bag_of_words",
        "builder_args": {"units": 8},
        "tokens": {"vocabulary_size": 12, "length": 8},
        "data": "key_sentences",
        "training": {"epochs": 1, "learning_rate": 0.01, "seed": 0},
    }
}


@pytest.fixture
def known(monkeypatch, tmp_path):
    entry = {
        "class": f"{HERE}:Guessing",
        "networks": {"bag_of_words": f"{HERE}:bag_of_words"},
        "recipes": f"{HERE}:RECIPES",
    }
    monkeypatch.setitem(catalogue.TASKS, "guessing", entry)
    monkeypatch.setattr(recipes, "RECIPES", catalogue.recipes())
    monkeypatch.setattr(presets, "CHECKOUT", tmp_path / "models")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", catalogue.TASKS)
def test_everything_that_it_names_is_there(name):
    kind = catalogue.task_class(name)
    assert issubclass(kind, Task) and kind.name == name
    for network, build in catalogue.networks(name).items():
        assert build.__name__ == network and getattr(zoo, network) is build
    for recipe in catalogue.named(catalogue.TASKS[name]["recipes"]).values():
        assert recipe["builder"] in catalogue.networks(name)


def test_no_recipe_has_a_name_twice():
    each = [
        name
        for entry in catalogue.TASKS.values()
        for name in catalogue.named(entry["recipes"])
    ]
    assert len(each) == len(set(each)) == len(recipes.RECIPES)


def test_one_entry_makes_a_task_known_everywhere(known, tmp_path):
    task = zoo.train("bag_of_tiny", tmp_path / "models", verbose=0)
    assert type(task) is Guessing
    assert zoo.list_models("guessing") == ["bag_of_tiny"]
    again = zoo.load("bag_of_tiny")
    texts = ["I found the soup lovely.", ""]
    assert again.predict(texts) == task.predict(texts)
    copy = again.finetune(tiny_texts(8), epochs=1, verbose=0)
    assert copy.output.labels == ["bad", "good"]
    assert set(copy.evaluate(tiny_texts(8))) == {"accuracy", "loss"}
    call = CliRunner().invoke(app, ["predict", "bag_of_tiny", "--json", "hm"])
    (answer,) = json.loads(call.stdout)
    assert answer["text"] == "hm" and answer["unknown"] == ["hm"]
    with pytest.raises(ValueError, match="attention layer"):
        again.look("hm")


def test_without_its_entry_a_model_of_a_task_is_refused(known, tmp_path):
    zoo.train("bag_of_tiny", tmp_path / "models", verbose=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(catalogue.TASKS, "guessing")
        with pytest.raises(zoo.PresetError, match="`task` must be one of"):
            zoo.load("bag_of_tiny")


@pytest.mark.parametrize("name", catalogue.TASKS)
def test_the_columns_of_a_task_are_those_that_it_reads(name):
    columns = catalogue.TASKS[name].get("columns", ())
    kind = catalogue.task_class(name)
    strange = zoo.Table({"strange": ["1"]}, columns={"strange": "strange"})
    if not columns:
        with pytest.raises(ValueError, match="`targets`|not read from tables"):
            kind.read(strange, "train")
        return
    with pytest.raises(ValueError, match="columns") as caught:
        kind.read(zoo.Table({"strange": ["1"]}), "train")
    (told,) = str(caught.value).split("in a shell ")[1:]
    options = ", ".join(f"--{column}-column" for column in columns)
    assert told.startswith(f"{options}. ")
    assert all(name in catalogue.columns()[column] for column in columns)
