"""The command `zoo` on models that read texts."""

import csv
import json
import shlex

import pytest
from PIL import Image
from typer.testing import CliRunner

import zoo
from tests.numbers import randomize
from tests.zoo.text_classification.tiny import (
    HAN,
    RECURRENT,
    tiny_reader,
    tiny_recipe,
    tiny_texts,
)
from zoo import recipes
from zoo.cli import app
from zoo.data.texts import load_texts
from zoo.text_classification.task import TextClassification

pytestmark = pytest.mark.usefixtures("home")

TEXT = "Lamp, house LOVELY! Tree road."


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    for name, builder, pooling in (
        ("han_tiny", HAN, "attention"),
        ("average_tiny", RECURRENT, "average"),
    ):
        task = tiny_reader(builder, pooling)
        randomize(task.model)
        task.card["metrics"] = {}
        task.save(home / name)

    test = load_texts("key_sentences", "test")
    recipe = tiny_recipe("transformer_classifier")
    task = TextClassification.untrained(
        recipe, *TextClassification.learn(test, recipe)
    )
    task.card["data"] = {"name": "key_sentences", "test_sha256": test.sha256()}
    task.card["metrics"] = {
        metric: {"value": value, "seeds": [0], "std": None, "n": len(test)}
        for metric, value in task.evaluate(test).items()
    }
    task.save(home / "transformer_tiny")
    return home


def run(*words, stdin=None):
    result = CliRunner().invoke(app, [str(word) for word in words], stdin)
    assert result.exit_code == 0, result.output
    return result.stdout


def fails(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("error: ")
    return result.stderr


@pytest.mark.slow
def test_predict_answers_texts_and_shows_how_they_begin():
    answer = zoo.load("han_tiny").predict(TEXT)
    rows = run("predict", "han_tiny", TEXT, "lovely " * 50, "").splitlines()
    (row,) = [line for line in rows if TEXT in line]
    assert answer["label"] in row
    assert f"{100 * answer['probability']:.1f} %" in row
    (long,) = [line for line in rows if "lovely lovely" in line]
    assert "..." in long and len(long.split("[")[0]) < 70
    assert "[38 words at its end not read]" in long
    assert any(line.strip().startswith('""') for line in rows)


def test_predict_gives_all_as_json():
    (found,) = json.loads(run("predict", "han_tiny", TEXT, "--json"))
    assert found == {"text": TEXT, **zoo.load("han_tiny").predict(TEXT)}


@pytest.mark.slow
def test_signs_and_codes_in_a_text_are_not_obeyed():
    for text in ("lovely :smile: lamp", "[red]lovely[/red] lamp"):
        (found,) = json.loads(run("predict", "han_tiny", text, "--json"))
        assert found["text"] == text
        assert text in run("predict", "han_tiny", text)
    text = run("look", "han_tiny", "\x1b[31mlovely\x1b]0;title\x07 lamp")
    assert "\x1b" not in text and "\x07" not in text


def test_a_text_without_spaces_shows_how_it_begins():
    assert "\u65e5\u672c" * 20 in run(
        "predict", "han_tiny", "\u65e5\u672c" * 90
    )


def test_a_file_is_read(tmp_path):
    (tmp_path / "review.txt").write_text(TEXT, "utf-8")
    (found,) = json.loads(run("predict", "han_tiny", "review.txt", "--json"))
    assert found == {"text": TEXT, **zoo.load("han_tiny").predict(TEXT)}
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    assert "latin.txt, line 1" in fails("predict", "han_tiny", "latin.txt")


@pytest.mark.slow
def test_a_folder_stands_for_the_texts_in_it(tmp_path):
    (tmp_path / "reviews").mkdir()
    assert "none in reviews" in fails("predict", "han_tiny", "reviews")
    (tmp_path / "reviews/one.txt").write_text(TEXT, "utf-8")
    (found,) = json.loads(run("predict", "han_tiny", "reviews", "--json"))
    assert found["label"] == zoo.load("han_tiny").predict(TEXT)["label"]


@pytest.mark.parametrize(
    "word",
    [
        "reveiw.txt",
        "REVEIW.TXT",
        "scan.pdf",
        "./reveiw",
        "~/reveiw",
        "/no/where",
        "reviews/lost",
        "reviews/lost one.txt",
    ],
)
def test_a_mistyped_file_is_not_read_as_a_text(word, tmp_path):
    (tmp_path / "reviews").mkdir()
    message = fails("predict", "han_tiny", TEXT, word)
    assert "must be one; as a text, it is given by standard input" in message
    assert f"Received: {word!r}, no such file" in message
    (found,) = json.loads(run("predict", "han_tiny", "-", "--json", stdin=word))
    assert found["text"] == word


def test_texts_that_are_almost_files_are_texts(tmp_path):
    (tmp_path / "reviews").mkdir()
    texts = [
        "and/or",
        "lovely.",
        "3.14",
        "...",
        "a lamp/tree",
        "see review.txt",
    ]
    found = json.loads(run("predict", "han_tiny", *texts, "--json"))
    assert [each["text"] for each in found] == texts


@pytest.mark.slow
def test_look_is_short_however_long_a_word_is(tmp_path):
    text = run("look", "han_tiny", "-", stdin="lovely " + "x" * 10**6)
    assert len(text) < 3000
    run("look", "han_tiny", "-", "--out", "a.HTM", stdin="x" * 10**6)
    assert (tmp_path / "a.HTM").stat().st_size < 10_000


@pytest.mark.slow
def test_a_minus_is_standard_input():
    text = run("predict", "han_tiny", "-", "--json", stdin=f"{TEXT}\n")
    (found,) = json.loads(text)
    assert found["text"] == f"{TEXT}\n"
    assert found["label"] == zoo.load("han_tiny").predict(TEXT)["label"]


@pytest.mark.slow
def test_look_prints_the_words_and_draws_them(tmp_path):
    text = run("look", "han_tiny", TEXT, "awful")
    sentences = zoo.load("han_tiny").look(TEXT)["words"]
    for sentence in sentences:
        words = " ".join(word for word, _ in sentence["words"])
        assert f"{sentence['weight']:.2f}  {words}" in text
    assert "most weight: " in text and "picture: looked.png" in text
    with Image.open(tmp_path / "looked.png") as picture:
        assert len(picture.convert("RGB").getcolors(100_000)) > 50


def test_look_writes_a_page(tmp_path):
    text = run("look", "transformer_tiny", TEXT, "--out", "seen.html")
    assert "picture: seen.html" in text
    page = (tmp_path / "seen.html").read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>") and "background:#ffb000" in page
    assert " head 1</label>" in page
    for word in ("lamp", "house", "lovely", "tree", "road"):
        assert f">[{word}]</span>" in page  # another vocabulary


def test_look_refuses_what_it_cannot(tmp_path):
    assert "attention layer" in fails("look", "average_tiny", TEXT)
    message = fails("look", "han_tiny", TEXT, "--out", "seen.docx")
    assert "seen.docx" in message and "png" in message
    assert not list(tmp_path.iterdir())


def test_evaluate_agrees_with_the_card_on_the_same_data():
    text = run("evaluate", "transformer_tiny")
    assert "agrees" in text and "1,000 texts" in text


def test_evaluate_asks_for_data_that_are_not_at_hand():
    message = fails("evaluate", "han_tiny")
    assert "pass them as `data`" in message and "data='tiny'" in message


@pytest.mark.slow
def test_finetune_learns_a_table(tmp_path):
    data = tiny_texts(20)
    with open(
        tmp_path / "mine.csv", "w", newline="", encoding="cp1252"
    ) as file:
        table = csv.writer(file, delimiter=";")
        table.writerow(["né", "text", "verdict"])
        for text, label in zip(data.texts, data.labels):
            table.writerow(["é", text, ("no", "yes")[label]])
    words = (
        *("finetune", "transformer_tiny", "--data", "mine.csv"),
        *("--out", "tuned", "--epochs", 1, "--freeze", "embedding"),
    )
    said = "--label-column", "verdict", "--encoding", "cp1252"
    assert "--encoding" in fails(*words)
    assert "--label-column" in fails(*words, *said[2:])
    message = fails(*words, *said, "--left-column", "né")
    assert "must be among those of texts: text, label" in message
    text = run(*words, *said)
    assert "; semicolons between columns; in CP1252; label is 'verdict'" in text
    (hint,) = [line for line in text.splitlines() if line.startswith("try: ")]
    assert "picture: looked.png" in run(*shlex.split(hint)[2:])
    tuned = zoo.load(tmp_path / "tuned")
    assert tuned.assets["labels"] == ["no", "yes"]
    before = zoo.load("transformer_tiny").assets
    assert tuned.assets["vocabulary"] == before["vocabulary"]
    assert tuned.card["metrics"]["accuracy"]["n"] == 4
    found = tuned.card["data"]
    assert found["place"] == str(tmp_path / "mine.csv")
    assert found["columns"] == {"label": "verdict"}
    assert found["encoding"] == "cp1252" and "delimiter" not in found

    text = run("evaluate", "tuned")
    assert "agrees" in text and "same SHA-256" in text
    content = (tmp_path / "mine.csv").read_bytes()
    (tmp_path / "mine.csv").write_bytes(content.replace(b"lamp", b"camp"))
    assert "another SHA-256" in run("evaluate", "tuned")
    (tmp_path / "mine.csv").unlink()
    message = fails("evaluate", "tuned")
    assert "mine.csv', no such file or folder" in message
    assert message.count("Received") == 1


def test_finetune_refuses_to_augment_texts(tmp_path):
    message = fails(
        *("finetune", "han_tiny", "--data", "key_sentences"),
        *("--out", "tuned", "--epochs", 1, "--augment", "flip"),
    )
    assert "leave `augment` empty" in message
    assert not (tmp_path / "tuned").exists()


@pytest.mark.slow
def test_train_makes_presets_of_several_seeds(tmp_path, monkeypatch):
    recipe = {
        "task": "text_classification",
        **tiny_recipe("transformer_classifier"),
        "data": "key_sentences",
        "training": {
            "epochs": 1,
            "batch_size": 500,
            "optimizer": "adamw",
            "learning_rate": 0.001,
            "schedule": "cosine",
            "weight_decay": 0.0,
            "seed": 0,
        },
    }
    monkeypatch.setitem(recipes.RECIPES, "reader", recipe)
    for seed in (1, 2):
        run(
            *("train", "reader", "--seed", seed),
            *("--folder", f"seed_{seed}", "--runs", f"runs_{seed}"),
        )
    first, second = (
        zoo.load(tmp_path / f"seed_{seed}" / "reader") for seed in (1, 2)
    )
    assert first.assets == second.assets
    assert len(first.assets["vocabulary"]) == 10
    assert first.card["recipe"]["command"] == "zoo train reader --seed 1"
    assert second.card["metrics"]["accuracy"]["seeds"] == [2]
    kernels = [
        task.model.get_layer("logits").get_weights()[0]
        for task in (first, second)
    ]
    assert (kernels[0] != kernels[1]).all()
