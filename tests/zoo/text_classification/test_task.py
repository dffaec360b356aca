"""TextClassification: learns, answers, looks, is tuned, kept and loaded."""

import io
import json

import keras
import numpy as np
import pytest

import zoo
from tests.numbers import randomize
from tests.zoo.contract import check_task
from tests.zoo.text_classification.tiny import (
    HAN,
    LABELS,
    NETWORKS,
    RECURRENT,
    TRANSFORMER,
    tiny_reader,
    tiny_recipe,
    tiny_texts,
)
from zoo import layer_groups
from zoo.data.texts import TextData, key_sentences
from zoo.text_classification.task import TextClassification

PLAN = {
    "epochs": 8,
    "batch_size": 16,
    "optimizer": "adamw",
    "learning_rate": 0.03,
    "schedule": "one_cycle",
    "weight_decay": 0.0,
    "seed": 0,
}
TEXT = "Lamp, house LOVELY! Tree road<br />stone stone zebra."


@pytest.fixture(scope="module")
def trained():
    task = tiny_reader()
    recipe = {**tiny_recipe(TRANSFORMER), "training": PLAN}
    task.follow(tiny_texts(64), recipe, verbose=0)
    return task


@pytest.fixture(scope="module")
def han():
    task = tiny_reader(HAN)
    randomize(task.model)
    return task


def test_learns_a_toy_set(trained):
    results = trained.evaluate(tiny_texts(40, seed=9))
    assert list(results) == ["accuracy", "loss"]
    assert results["accuracy"] >= 0.9
    assert len(trained.card["recipe"]["log"]) == 8


@pytest.mark.parametrize("builder", [HAN, RECURRENT])
@pytest.mark.slow
def test_every_network_learns(builder):
    task = tiny_reader(builder)
    data = tiny_texts(32)
    before = task.evaluate(data)["loss"]
    plan = {**PLAN, "epochs": 2, "schedule": "constant"}
    task.follow(data, {"training": plan}, verbose=0)
    assert task.evaluate(data)["loss"] < before


def test_accuracy_is_the_share_of_right_labels(trained):
    data = tiny_texts(20, seed=4)
    data.labels[:5] = 1 - data.labels[:5]  # so that some are wrong
    right = [
        answer["label"] == LABELS[label]
        for answer, label in zip(
            trained.predict(data.texts), data.labels, strict=True
        )
    ]
    assert 0 < np.mean(right) < 1
    assert trained.evaluate(data)["accuracy"] == pytest.approx(np.mean(right))


def test_answers_one_with_a_dict_and_several_with_a_list(trained):
    one = trained.predict(TEXT)
    assert list(one) == [
        "label",
        "probability",
        "probabilities",
        "cut",
        "unknown",
    ]
    assert one["label"] == "good"
    assert one["probability"] == one["probabilities"]["good"]
    (same,) = trained.predict([TEXT])
    assert same == one
    assert trained.predict([]) == [] == trained.look([])


@pytest.mark.parametrize("builder", NETWORKS)
def test_a_text_of_nothing_or_of_strangers_is_answered(builder):
    task = tiny_reader(builder)
    answers = task.predict(["", " ...!? ", "<br />", "zebra " * 100])
    for answer in answers:
        assert 0.5 <= answer["probability"] <= 1
    assert answers[0] == answers[1] == answers[2]


def test_a_text_of_a_million_characters_is_answered(trained):
    long = tiny_texts(1).texts[0] + " lamp" * 200_000
    assert trained.predict(long)["label"] in LABELS


@pytest.mark.parametrize("raw", [b"bytes", 5, ["good", None]])
def test_what_is_no_text_is_refused(trained, raw):
    with pytest.raises(ValueError, match="must be a string"):
        trained.predict(raw)


def test_says_which_words_it_looked_at(trained):
    answer = trained.look(TEXT)
    assert answer["label"] == trained.predict(TEXT)["label"]
    maps = answer["attention"]
    assert maps["encoder_1"].shape == (2, 8, 8)
    words, weights = zip(*answer["words"])
    assert list(words) == (
        "lamp house lovely tree road stone stone zebra".split()
    )
    np.testing.assert_array_equal(weights, maps["pool"])
    assert sum(weights) == pytest.approx(1, abs=1e-5)
    assert all(isinstance(weight, float) for weight in weights)


def test_says_which_words_of_which_sentences(han):
    empty, answer = han.look(["", "One lamp here. " + TEXT])
    assert empty["words"] == []
    sentences = answer["words"]
    assert [[word for word, _ in s["words"]] for s in sentences] == [
        ["one", "lamp", "here"],
        ["lamp", "house", "lovely"],
        ["tree", "road"],
    ]
    maps = answer["attention"]
    assert set(maps) == {"attention/words", "attention/sentences"}
    for place, sentence in enumerate(sentences):
        weights = [weight for _, weight in sentence["words"]]
        shares = maps["attention/words"][place]
        np.testing.assert_array_equal(weights, shares[: len(weights)])
        assert sum(weights) == pytest.approx(1, abs=1e-5)
        assert sentence["weight"] == maps["attention/sentences"][place]
    assert sum(s["weight"] for s in sentences) == pytest.approx(1, abs=1e-5)


def test_without_a_pooling_that_weighs_the_last_block_tells():
    task = tiny_reader(pooling="average")
    randomize(task.model)
    answer = task.look("lamp house lovely")
    received = answer["attention"]["encoder_1"][:, :3].mean(axis=(0, 1))
    words, weights = zip(*answer["words"])
    assert words == ("lamp", "house", "lovely")
    np.testing.assert_array_equal(weights, received[:3])
    assert sum(weights) == pytest.approx(1, abs=1e-5)
    assert task.look("")["words"] == []


@pytest.mark.parametrize("builder", [HAN, RECURRENT])
def test_a_model_without_attention_cannot_look(builder):
    with pytest.raises(ValueError, match="attention layer"):
        tiny_reader(builder, "average").look(TEXT)


def test_learns_its_vocabulary_from_the_training_texts():
    data = TextData(["b b b a, a c", "<br />B d"], np.arange(2), ["x", "y"])
    recipe = tiny_recipe(TRANSFORMER)
    recipe["tokens"] = {"vocabulary_size": 4, "length": 5, "keep": "last"}
    task = TextClassification.untrained(
        recipe, *TextClassification.learn(data, recipe)
    )
    assert task.assets == {"labels": ["x", "y"], "vocabulary": ["b", "a"]}
    assert task.card["builder_args"]["vocabulary_size"] == 4
    assert task.card["builder_args"]["length"] == 5
    assert task.card["preprocessing"] == {
        "length": 5,
        "sentences": None,
        "keep": "last",
    }
    ids = task.input.arrays(["c a b", "a b c d b a"])["token_ids"]
    assert ids.tolist() == [[1, 3, 2, 0, 0], [2, 1, 1, 2, 3]]


def test_the_network_takes_its_shape_from_the_tokens(han):
    arguments = han.card["builder_args"]
    assert (arguments["sentences"], arguments["words"]) == (3, 4)
    assert han.model.input_shape == (None, 3, 4)


@pytest.mark.parametrize("builder", NETWORKS)
def test_golden_ids_are_in_the_vocabulary_and_one_text_is_padded(builder):
    task = tiny_reader(builder)
    ids = task.input.golden()["token_ids"]
    np.testing.assert_array_equal(ids, task.input.golden()["token_ids"])
    assert ids.shape == (2, *task.model.input_shape[1:])
    assert (
        ids.dtype == "int32" and ids.max() < task.input.tokens.vocabulary_size
    )
    assert ids[0].min() >= 1
    words = (ids[1] > 0).sum(axis=-1)
    expected = [2, 2, 0] if builder == HAN else 4
    np.testing.assert_array_equal(words, expected)


def test_is_kept_and_loaded_and_answers_alike(han, tmp_path):
    folder = han.save(tmp_path / "mine")
    again = zoo.load(folder)
    texts = ["", TEXT, *tiny_texts(2).texts]
    assert again.predict(texts) == han.predict(texts)
    card = json.loads((folder / "card.json").read_text())
    assert card["assets"] == {
        "labels": "labels.json",
        "vocabulary": "vocabulary.json",
    }
    vocabulary = json.loads((folder / "vocabulary.json").read_text())
    assert vocabulary == han.assets["vocabulary"]
    golden = np.load(folder / "golden.npz")
    np.testing.assert_allclose(
        again.model(golden["input_0"]), golden["output_0"], rtol=1e-5
    )


def test_lower_layers_learn_more_slowly(trained):
    groups = layer_groups.multipliers(trained.model, 0.5, ("logits",))
    rates = {path.split("/")[0]: rate for path, rate in groups.items()}
    assert rates == {
        "embedding": 0.125,
        "encoder_1": 0.25,
        "pool": 0.5,
        "logits": 1.0,
    }


def test_labels_are_told_by_name(trained):
    data = tiny_texts(12)
    renamed = TextData(data.texts, 1 - data.labels, ["good", "bad"])
    assert trained.evaluate(renamed) == trained.evaluate(data)
    alien = TextData(data.texts, data.labels, ["bad", "goood"])
    with pytest.raises(ValueError, match="'goood'; near: .*good"):
        trained.evaluate(alien)


def test_one_class_is_enough_to_measure_on(trained):
    data = tiny_texts(12)
    good = [text for text in data.texts if "lovely" in text]
    share = np.mean([a["label"] == "good" for a in trained.predict(good)])
    one = (good, ["good"] * len(good))
    assert trained.evaluate(one)["accuracy"] == share
    copy = trained.finetune(
        data, validation=one, epochs=1, freeze="backbone", verbose=0
    )
    assert "val_accuracy" in copy.card["recipe"]["log"][0]
    with pytest.raises(ValueError, match=r"two classes.*\['good'\]"):
        trained.finetune(one, epochs=1)


def test_new_classes_have_names_of_their_own(trained):
    data = TextData(tiny_texts(8).texts, np.arange(8) % 2, ["3", "5"])
    assert trained.output.like(data, 4).labels == ["3", "5", "2", "4"]
    turned = TextData(data.texts, data.labels, ["good", "bad"])
    assert trained.output.like(turned).labels == [
        "bad",
        "good",
    ]  # the head stays


def test_of_a_users_own_data_no_licence_is_known(trained):
    data = tiny_texts(8)
    data.name = "trec"
    assert data.describe()["licence_class"] is None


def test_the_card_says_what_it_learned_from(trained):
    described = key_sentences(4)[0].describe()
    assert described == {
        "name": "key_sentences",
        "version": "2",
        "licence_class": "A",
        "train_split": "4 of seed 0",
    }
    assert trained.card["data"]["licence_class"] is None


def test_a_minus_on_the_command_line_is_standard_input(trained, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("from a pipe\n"))
    assert trained.input.from_shell(["-"], {}) == ["from a pipe\n"]
    assert trained.input.from_shell(["- is no text"], {}) == ["- is no text"]


@pytest.mark.slow
def test_keeps_the_contract(trained, tmp_path):
    texts = ["lovely lamp", "awful road", "lovely", "tree awful"] * 4
    check_task(
        trained,
        {**tiny_recipe(TRANSFORMER), "training": PLAN},
        tiny_texts(24),
        [TEXT, "awful lamp"],
        [TEXT, "awful lamp"],
        tmp_path,
        TextData(texts, np.tile([1, 0], 8), ["dull", "fine"]),
    )


@pytest.mark.slow
def test_the_seed_decides_on_the_new_head_and_the_order(trained):
    data = tiny_texts(8)
    data.label_names = ["dull", "fine"]
    heads = []
    for number, seed in enumerate((1, 1, 2)):
        keras.utils.set_random_seed(number)  # whatever was drawn before
        copy = trained.finetune(data, seed=seed, epochs=1, verbose=0)
        heads.append(copy.model.get_layer("logits").get_weights()[0])
    np.testing.assert_array_equal(heads[0], heads[1])
    assert (heads[0] != heads[2]).any()
