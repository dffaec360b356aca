"""Recipes: a preset is trained, measured, written, and goes on after a kill."""

import pytest

import zoo
from tests.zoo.tiny import tiny_data
from zoo import recipes
from zoo.data import sources
from zoo.image_classification.task import ImageClassification

TINY = {
    "task": "image_classification",
    "builder": "attention_resnet",
    "builder_args": {
        "input_shape": [16, 16, 3],
        "num_classes": 3,
        "attention": "se",
        "attention_args": {},
        "filters": [8, 16],
        "blocks": 1,
    },
    "data": "tiny",
    "training": {
        "epochs": 2,
        "batch_size": 8,
        "optimizer": "sgd",
        "learning_rate": 0.05,
        "schedule": "cosine",
        "weight_decay": 1e-3,
        "seed": 0,
    },
}


def test_the_data_of_a_recipe_are_never_a_folder_of_that_name(
    tmp_path, monkeypatch
):
    class Asked(Exception):
        pass

    def read(data, split="test"):
        # A name here, though a folder of that name lies beside.
        raise Asked(sources.place(data, {"digits"}))

    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    monkeypatch.setitem(
        recipes.RECIPES, "se_digits", {**TINY, "data": "digits"}
    )
    monkeypatch.setattr(ImageClassification, "read", staticmethod(read))
    with pytest.raises(Asked, match="None"):
        zoo.train("se_digits", "saved", verbose=0)
    with pytest.raises(ValueError, match="./digits"):
        sources.place("digits", {"digits"})


def test_a_recipe_becomes_a_preset_that_reprints_its_card(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(recipes.RECIPES, "se_tiny", TINY)
    read = ImageClassification.read

    def read_tiny(data, split="test"):
        if data == "tiny":
            return tiny_data(24 if split == "train" else 12, split == "test")
        return read(data, split)

    monkeypatch.setattr(ImageClassification, "read", staticmethod(read_tiny))
    zoo.train(
        "se_tiny",
        tmp_path / "saved",
        tmp_path / "runs",
        data_note="made here",
        seed=4,
        verbose=0,
    )
    card = zoo.card(tmp_path / "saved/se_tiny")
    task = zoo.load(tmp_path / "saved/se_tiny")
    accuracy = card["metrics"]["accuracy"]
    assert task.evaluate()["accuracy"] == pytest.approx(accuracy["value"])
    assert accuracy["n"] == 12 and accuracy["seeds"] == [4]
    assert card["data"]["note"] == "made here"
    assert card["data"]["test_sha256"] == tiny_data(12, 1).sha256()
    command = "zoo train se_tiny --seed 4 --data-note 'made here'"
    assert card["recipe"]["command"] == command
    assert len(card["recipe"]["log"]) == 2
    assert recipes.RECIPES["se_tiny"]["training"]["seed"] == 0


def pairs_of(folder):
    """Two tables of pairs, of which the word "same" tells the class."""
    lines = [f"one {n};{('same', 'other')[n % 2]};{n % 2}" for n in range(12)]
    table = "\n".join(["first;right;label", *lines])
    for part in ("train", "test"):
        (folder / f"{part}.csv").write_text(table)
    return str(folder)


def test_word_vectors_of_a_file_take_the_place_of_the_recipes(
    tmp_path, monkeypatch
):
    path = tmp_path / "vectors.txt"
    path.write_text("same 1 2 3\nelse 4 5 6\nother 7 8 9\n")
    recipe = {
        "task": "sentence_matching",
        "builder": "abcnn",
        "builder_args": {
            "embedding_dim": 8,
            "train_embedding": False,
            "filters": 4,
            "kernel_size": 2,
            "variant": "bcnn",
        },
        "data": "scene_claims",
        "tokens": {"left_length": 3, "right_length": 2},
        "vectors": {"learned_from": ["squad"]},
        "training": {**TINY["training"], "epochs": 1},
    }
    monkeypatch.setitem(recipes.RECIPES, "bcnn_tiny", recipe)
    folder, runs = tmp_path / "saved", tmp_path / "runs"
    table = zoo.Table(pairs_of(tmp_path), {"left": "first"}, ";")
    zoo.train("bcnn_tiny", folder, runs, vectors=path, data=table, verbose=0)
    task = zoo.load(folder / "bcnn_tiny")
    assert task.card["recipe"]["vectors"] == str(path)
    assert task.card["recipe"]["command"] == (
        f"zoo train bcnn_tiny --data {tmp_path} --left-column first "
        f"--delimiter ';' --vectors {path}"
    )
    assert task.card["data"]["columns"] == {"left": "first"}
    assert task.card["data"]["delimiter"] == ";"
    assert task.evaluate().keys() == task.card["metrics"].keys()
    assert task.card["builder_args"]["embedding_dim"] == 3
    (table,) = task.model.get_layer("embedding").get_weights()
    words = ["", "[UNK]", *task.assets["vocabulary"]]
    assert table[words.index("same")].tolist() == [1, 2, 3]
    assert table[words.index("other")].tolist() == [7, 8, 9]
    assert recipe["vectors"] == {"learned_from": ["squad"]}


def test_a_recipe_without_word_vectors_takes_none(monkeypatch):
    monkeypatch.setitem(recipes.RECIPES, "se_tiny", TINY)
    with pytest.raises(ValueError, match="vectors='glove.txt', name='se_tiny'"):
        zoo.train("se_tiny", vectors="glove.txt")


def test_an_unknown_recipe_lists_the_near_ones():
    with pytest.raises(zoo.PresetError, match="near: .*cbam_resnet20_cifar10"):
        zoo.train("cbam_resnet20_cifar")


def test_presets_of_one_table_differ_in_attention_only():
    names = ["resnet20_cifar10", "se_resnet20_cifar10", "cbam_resnet20_cifar10"]
    plans = []
    for name in names:
        plan = {**recipes.find(name)}
        plan["builder_args"] = {**plan["builder_args"], "attention": None}
        plans.append(plan)
    assert plans[0] == plans[1] == plans[2]
