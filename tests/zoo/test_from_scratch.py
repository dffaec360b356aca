"""A network of the catalogue, made for one's own data and trained on them."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import zoo
from tests.zoo.captioning.test_task import tiny_data as tiny_captions
from tests.zoo.text_classification.tiny import tiny_texts
from zoo import catalogue, from_scratch
from zoo.cli import app
from zoo.data.images import ImageData
from zoo.plan import MOST_EPOCHS, enough_epochs

SMALL = {
    "embedding_dim": 8,
    "num_layers": 1,
    "num_heads": 2,
    "intermediate_dim": 16,
    "attention_units": 4,
}
SMALL_BY_SENTENCES = {"embedding_dim": 8, "units": 4, "attention_units": 4}

WRONG = {"dynamic_capacity_network": "num_patches", "ra_cnn": "num_scales"}


def small_reader(data=None, **more):
    return zoo.new(
        "text_classification",
        "transformer_classifier",
        data or tiny_texts(64),
        **SMALL,
        **more,
    )


def colours(count, size, channels=3):
    """Images of which the brightness tells the class."""
    labels = np.arange(count) % 2
    images = np.zeros((count, *size, channels), "uint8")
    images += (60 + 120 * labels[:, None, None, None]).astype("uint8")
    return ImageData(images, labels, ["dark", "light"])


@pytest.mark.parametrize("task", sorted(catalogue.TASKS))
def test_every_network_can_begin_from_scratch(task):
    found = catalogue.from_scratch(task)
    assert found.keys() == catalogue.networks(task).keys()
    for network, recipe in found.items():
        before = json.dumps(recipe)
        made = from_scratch.recipe_of(task, network, {})
        made["builder_args"].clear()
        assert json.dumps(found[network]) == before
        assert not {"num_classes", "input_shape"} & set(recipe["builder_args"])


def test_what_a_model_takes_from_data_is_taken_from_their_training_part():
    data = tiny_texts(64)
    task = small_reader(data)
    words = {word for text in data.texts for word in text.lower().split()}
    words = {word.strip(".!") for word in words}
    assert set(task.input.tokens.vocabulary) == words
    assert task.input.tokens.length == 6  # words of each
    assert task.output.labels == data.label_names
    assert task.card["data"] == data.describe()


@pytest.mark.slow
def test_a_model_from_scratch_learns_and_is_kept(tmp_path):
    task = small_reader()
    before = task.evaluate(tiny_texts(64, seed=1))
    log = task.fit(tiny_texts(64), learning_rate=2e-2, epochs=30, verbose=0)
    assert len(log) == task.card["recipe"]["training"]["epochs"] == 30
    after = task.evaluate(tiny_texts(64, seed=1))
    assert after["accuracy"] > 0.9 > before["accuracy"]
    kept = zoo.load(task.save(tmp_path / "mine"))
    assert kept.evaluate(tiny_texts(64, seed=1)) == pytest.approx(after)


def test_the_recipe_of_the_network_says_how_it_is_fitted():
    task = small_reader(seed=3)
    expected = catalogue.from_scratch("text_classification")
    expected = expected["transformer_classifier"]["training"]
    assert task.training == {**expected, "seed": 3, "epochs": 100}
    task.fit(tiny_texts(64), epochs=1, verbose=0)
    noted = task.card["recipe"]["training"]
    assert noted["learning_rate"] == expected["learning_rate"]
    assert noted["seed"] == 3 and noted["epochs"] == 1


def test_small_data_are_read_more_often():
    recipe = {"training": {"epochs": 10, "batch_size": 32}}
    assert from_scratch.epochs_of(recipe, 32 * 50) == 20
    assert from_scratch.epochs_of(recipe, 32 * 50 + 1) == 20  # 51 steps each
    assert from_scratch.epochs_of(recipe, 10**6) == 10
    assert from_scratch.epochs_of(recipe, 8) == MOST_EPOCHS


def test_a_copy_reads_small_data_more_often_too():
    assert enough_epochs(10**6, 32) == 5
    assert enough_epochs(32 * 20, 32) == 5
    assert enough_epochs(32 * 19, 32) == 6
    assert enough_epochs(24, 8) == 34
    assert enough_epochs(1, 32) == MOST_EPOCHS
    copy = small_reader().finetune(tiny_texts(128), batch_size=8, verbose=0)
    assert copy.card["recipe"]["training"]["epochs"] == 7
    assert len(copy.history) == 7


def test_a_seed_makes_the_same_model_again():
    task = small_reader()
    weights = task.model.get_weights()
    again = small_reader()
    for first, second in zip(weights, again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
    other = small_reader(seed=1)
    assert any(
        map(np.any, map(np.subtract, weights, other.model.get_weights()))
    )


def test_sizes_reach_the_network_and_what_it_reads():
    task = zoo.new(
        "text_classification",
        "hierarchical_attention_network",
        tiny_texts(64),
        vocabulary_size=6,
        words=3,
        sentences=4,
        keep="last",
        **SMALL_BY_SENTENCES,
        dtype="mixed_bfloat16",
    )
    assert task.model.input_shape == (None, 4, 3)
    assert len(task.input.tokens.vocabulary) == 4
    assert task.input.tokens.keep == "last"
    assert task.card["builder_args"]["units"] == 4
    assert task.model.get_layer("embedding").compute_dtype == "bfloat16"


def test_sentences_alone_may_be_said():
    task = zoo.new(
        "text_classification",
        "hierarchical_attention_network",
        tiny_texts(64),
        sentences=5,
        **SMALL_BY_SENTENCES,
    )
    assert task.model.input_shape[1] == 5


@pytest.mark.parametrize(
    "size, sizes, expected",
    [
        ((12, 20), {}, (12, 20, 3)),  # they have one size, a small one
        ((12, 200), {}, (96, 96, 3)),
        ((12, 20), {"image_size": (16, 24)}, (16, 24, 3)),
        ((12, 20), {"image_size": 16}, (16, 16, 3)),
        ((12, 20), {"channels": 1}, (12, 20, 1)),
        ((12, 20), {"input_shape": (8, 16, 1)}, (8, 16, 1)),
    ],
)
def test_the_size_of_images_follows_from_them_or_is_said(size, sizes, expected):
    task = zoo.new(
        "image_classification",
        "attention_resnet",
        colours(8, size),
        filters=[4],
        blocks=1,
        **sizes,
    )
    assert task.model.input_shape == (None, *expected)
    assert task.input.settings()["image_size"] == list(expected[:2])


@pytest.mark.parametrize(
    "task, network, size",
    [
        ("captioning", "show_attend_tell", (32, 48)),
        ("captioning", "up_down_captioner", (32, 48)),
        ("region_captioning", "up_down_captioner", (32, 48)),
        ("visual_question_answering", "bottom_up_top_down_vqa", (24, 40)),
        ("visual_question_answering", "stacked_latent_vqa", (24, 40)),
    ],
)
def test_small_images_are_read_at_a_size_that_can_be_halved(
    task, network, size
):
    images = [np.zeros((17, 33, 3), "uint8")] * 4
    questions = [{"image": image, "question": "is it?"} for image in images]
    data = {
        "captioning": (images, ["a day"] * 4),
        "region_captioning": (images, [[(-1, -1, 1, 1)]] * 4, ["a day"] * 4),
        "visual_question_answering": (questions, list("nyny")),
    }
    made = zoo.new(task, network, data[task], units=4)
    assert made.model.get_layer("image").output.shape == (None, *size, 3)
    assert made.card["builder_args"]["input_shape"] == [*size, 3]


@pytest.mark.parametrize("network", ["dynamic_capacity_network", "ra_cnn"])
def test_images_too_small_for_a_network_are_read_larger_as_the_error_says(
    network,
):
    data = colours(8, (8, 9))
    with pytest.raises(ValueError, match="image_size.*96.*shape=.8, 9, 3"):
        zoo.new("image_classification", network, data)
    with pytest.raises(ValueError, match="^(?!.*image_size).*num_"):
        zoo.new(
            "image_classification",
            network,
            data,
            **{WRONG[network]: 0, "image_size": 96},
        )
    task = zoo.new("image_classification", network, data, image_size=96)
    assert task.input.size == (96, 96)


def test_gray_images_stay_gray():
    task = zoo.new(
        "image_classification",
        "attention_resnet",
        colours(8, (12, 20), 1),
        filters=[4],
        blocks=1,
    )
    assert task.model.input_shape == (None, 12, 20, 1)


def test_words_that_are_said_have_sizes_too():
    task = zoo.new(
        "captioning",
        "show_attend_tell",
        tiny_captions(8),
        filters=[4],
        embedding_dim=4,
        units=4,
        attention_units=4,
        target_length=5,
        beams=2,
    )
    assert task.output.said.length == 5
    assert task.output.decoding["beams"] == 2


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"task": "text_clasification"}, "near: \\['text_classification"),
        (
            {"network": "transformr_classifier"},
            "near: \\['transformer_classifier",
        ),
        ({"num_layer": 3}, "near: .*num_layers"),
        ({"sentences": 3}, "argument='sentences'"),  # of another network
        ({"num_classes": 7}, "follows from the data: 2 here"),
        ({"targets": "a"}, "task `multi_task`"),
        ({"name": "mine"}, "argument='name'"),
    ],
)
def test_what_cannot_be_is_refused(changed, message):
    arguments = {
        "task": "text_classification",
        "network": "transformer_classifier",
        "data": tiny_texts(8),
        **SMALL,
        **changed,
    }
    with pytest.raises(ValueError, match=message):
        zoo.new(**arguments)


def test_a_model_keeps_the_policy_that_it_was_made_with():
    with pytest.raises(ValueError, match="dtype='mixed_float16'"):
        small_reader().fit(tiny_texts(8), dtype="mixed_float16", verbose=0)


def test_other_classes_are_refused():
    data = tiny_texts(8)
    data.label_names = ["poor", "rich"]
    with pytest.raises(ValueError, match="must be among the model's"):
        small_reader().fit(data, verbose=0)


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = tiny_texts(60)
    rows = [
        f'"{text}",{data.label_names[label]}'
        for text, label in zip(data.texts, data.labels)
    ]
    path = tmp_path / "my own.csv"
    path.write_text("\n".join(["text,label", *rows]) + "\n")
    return path


@pytest.mark.slow
def test_the_shell_trains_from_scratch_and_goes_on(table, tmp_path):
    words = ["train", "--task", "text_classification", "--data", str(table)]
    words += ["--network", "transformer_classifier", "--folder", "models"]
    words += ["--validation", "0.2", "--epochs", "2", "--batch-size", "16"]
    for name, value in SMALL.items():
        words += ["--set", f"{name}={value}"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    place = "models/transformer_classifier_my_own"
    assert "my own, 20% (stratified, seed 0): accuracy " in result.stdout
    assert f"try: zoo look {place} '" in result.stdout
    assert "replaced" not in result.stdout
    task = zoo.load(tmp_path / place)
    assert task.card["builder_args"]["num_layers"] == 1
    assert task.card["data"]["train_split"].startswith("80%")
    assert "val_loss" in task.card["recipe"]["log"][1]
    assert task.card["metrics"]["accuracy"]["n"] == 12
    again = CliRunner().invoke(app, words)
    assert "finished already with epoch 2 of 2" in again.stdout
    other = CliRunner().invoke(app, [*words, "--learning-rate", "0.5"])
    assert other.exit_code == 1 and "learning_rate" in other.stderr
    # What is said to help does.
    assert "--runs" in other.stderr and "--no-resume" in other.stderr
    for way in (["--runs", "others"], ["--no-resume"]):
        other = CliRunner().invoke(
            app, [*words, "--learning-rate", "0.5", *way]
        )
        assert other.exit_code == 0, other.output
        assert f"{place}: the model there is replaced" in other.stdout

    # The card says the command that made it.
    made = task.card["recipe"]["command"]
    assert made.startswith(
        "zoo train transformer_classifier_my_own --task text_classification "
        "--network transformer_classifier --data "
    )
    assert "--set num_layers=1" in made and "--batch-size 16" in made
    assert "--validation 0.2" in made and "'" in made  # around the blank


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "none of them"),
        (["--task", "text_classification"], "network=None"),
        (["--network", "transformer_classifier"], "task=None"),
        (
            ["a/b", "--task", "text_classification"]
            + ["--network", "transformer_classifier", "--data", "my own.csv"],
            "name='a/b'",
        ),
    ],
)
def test_the_shell_says_what_is_missing(words, message, table):
    result = CliRunner().invoke(app, ["train", *words])
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (table.parent / "saved_models").exists()


def test_columns_of_a_table_are_answered():
    rows = {"a": [1.0, 2.0, 3.0, 4.5] * 8, "b": ["x", "y"] * 16}
    task = zoo.new("multi_task", "shared_bottom", rows, targets="b", units=4)
    assert task.output.names == ["b"]
    assert [column["name"] for column in task.input.columns] == ["a"]
    log = task.fit(rows, epochs=1, verbose=0)
    assert np.isfinite(log[0]["loss"])
