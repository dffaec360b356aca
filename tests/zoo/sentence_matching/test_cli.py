"""The command `zoo` on models that compare two texts, or rank candidates."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import zoo
from tests.zoo.sentence_matching.tiny import (
    LABELS,
    stirred,
    tiny_matcher,
    tiny_pairs,
    tiny_questions,
    tiny_recipe,
    tiny_selector,
)
from zoo import recipes
from zoo.cli import app
from zoo.data.pairs import load_pairs

pytestmark = pytest.mark.usefixtures("home")

LEFT, RIGHT = "Blick, dax WUG!", "A dax; zorblax?"
QUESTION = "Does blick dax?"
CANDIDATES = ["Fep gorp.", "Blick dax wug.", "toma zav lim"]
ASKED = ("--question", QUESTION, "--candidates")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    for name, task in (
        ("abcnn_tiny", stirred(tiny_matcher())),
        ("bcnn_tiny", tiny_matcher(variant="bcnn")),
    ):
        task.card["metrics"] = {}
        task.save(home / name)

    task = stirred(tiny_selector(overlap_features=True))
    test = load_pairs("who_did_what", "test")
    task.card["data"]["name"] = "who_did_what"
    task.card["recipe"] = {"training": {"seed": 0}}
    task.measure(test)
    task.save(home / "ranking_tiny")
    return home


@pytest.fixture(autouse=True)
def candidates(home, tmp_path):
    """A file with a candidate on each line, in the folder of the command."""
    lines = [f"  {line}\r\n" for line in CANDIDATES]
    (tmp_path / "candidates.txt").write_text("\n".join(lines), "utf-8")


def run(*words, stdin=None):
    result = CliRunner().invoke(app, [str(word) for word in words], stdin)
    assert result.exit_code == 0, result.output
    return result.stdout


def fails(*words, stdin=None):
    result = CliRunner().invoke(app, [str(word) for word in words], stdin)
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("error: ")
    return result.stderr


def plain(answer):
    """An answer as JSON gives it back."""
    return json.loads(json.dumps(answer))


def table(path, columns, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


def test_predict_compares_texts_two_by_two():
    answers = zoo.load("abcnn_tiny").predict([(LEFT, RIGHT), ("lim", "wug")])
    lines = run("predict", "abcnn_tiny", LEFT, RIGHT, "lim", "wug").splitlines()
    for answer, left, right in zip(
        answers, (LEFT, "lim"), (RIGHT, "wug"), strict=True
    ):
        (place,) = [i for i, line in enumerate(lines) if left in line]
        assert answer["label"] in lines[place]
        assert f"{100 * answer['probability']:.1f} %" in lines[place]
        assert lines[place + 1].strip().startswith(right)


def test_predict_gives_all_as_json():
    text = run("predict", "abcnn_tiny", LEFT, RIGHT, "--json")
    (found,) = json.loads(text)
    answer = zoo.load("abcnn_tiny").predict((LEFT, RIGHT))
    assert found == {"pair": [LEFT, RIGHT], **plain(answer)}


def test_says_how_many_words_were_not_read():
    long = "blick dax wug toma fep gorp zav lim"  # two more than six
    text = run("predict", "abcnn_tiny", long, f"{long} dax")
    assert f"{long} [2 words at its end not read]" in text
    assert f"{long} dax [5 words at its end not read]" in text
    assert "not read" not in run("predict", "abcnn_tiny", LEFT, RIGHT)
    text = run("predict", "abcnn_tiny", long, RIGHT, "--json")
    assert json.loads(text)[0]["cut"] == [2, 0]
    rows = run("predict", "ranking_tiny", QUESTION, long, "fep").splitlines()
    (row,) = [line for line in rows if long in line]
    assert f"{long} [2 words at its end not read]" in row
    assert sum("not read" in line for line in rows) == 1
    text = run("predict", "ranking_tiny", f"{QUESTION} {long}", "fep")
    title, *rows = text.strip().splitlines()
    assert not any("not read" in row for row in rows[-3:])
    assert "words at its end" in f"{title} {' '.join(rows[:3])}"


@pytest.mark.parametrize("count", [1, 3])
def test_an_odd_number_of_texts_is_refused(count, tmp_path):
    for command in ("predict", "look"):
        message = fails(command, "abcnn_tiny", *[LEFT] * count)
        assert f"Received: {count}" in message and "two by two" in message
    assert not (tmp_path / "looked.png").exists()


def test_files_and_standard_input_are_texts_too(tmp_path):
    (tmp_path / "left.txt").write_text(LEFT, "utf-8")
    expected = run("predict", "abcnn_tiny", LEFT, RIGHT, "--json")
    text = run("predict", "abcnn_tiny", "left.txt", RIGHT, "--json")
    assert text == expected
    text = run("predict", "abcnn_tiny", LEFT, "-", "--json", stdin=RIGHT)
    assert text == expected


def test_predict_ranks_the_lines_of_a_file():
    (answer,) = zoo.load("ranking_tiny").predict([(QUESTION, CANDIDATES)])
    lines = run("predict", "ranking_tiny", *ASKED, "candidates.txt")
    rows = [
        line.strip().split(maxsplit=2)
        for line in lines.splitlines()
        if line.strip()[:1].isdigit()
    ]
    assert rows == [
        [str(rank), f"{each['score']:.4f}", each["text"]]
        for rank, each in enumerate(answer["answers"], 1)
    ]
    assert QUESTION in lines
    scores = [float(score) for _, score, _ in rows]
    assert scores == sorted(scores, reverse=True) and len(set(scores)) == 3


def test_candidates_come_from_standard_input_or_as_arguments():
    expected = run("predict", "ranking_tiny", *ASKED, "candidates.txt")
    stdin = "\n\n".join(CANDIDATES)
    assert run("predict", "ranking_tiny", *ASKED, "-", stdin=stdin) == expected
    assert run("predict", "ranking_tiny", QUESTION, *CANDIDATES) == expected


def test_a_ranking_is_given_as_json():
    answer = zoo.load("ranking_tiny").predict((QUESTION, CANDIDATES))
    for words in (
        (*ASKED, "candidates.txt", "--json"),
        (QUESTION, *CANDIDATES, "--json"),
    ):
        (found,) = json.loads(run("predict", "ranking_tiny", *words))
        assert found == plain(answer)


def test_signs_and_codes_in_a_text_are_not_obeyed():
    text = run("predict", "abcnn_tiny", "\x1b[31mdax", "[red]lim[/red] :cat:")
    assert "\x1b" not in text and "[red]lim[/red] :cat:" in text
    words = ("[b]dax[/b] wug\x1b]0;title\x07", "[i]lim[/i] a\x1b[31m", "wug\r")
    text = run("predict", "ranking_tiny", *words)
    assert not {"\x1b", "\x07", "\r"} & set(text)
    assert "[b]dax[/b]" in text and "[i]lim[/i]" in text


@pytest.mark.parametrize("command", ["predict", "look"])
@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--question", QUESTION),
        ("--candidates", "candidates.txt"),
        (*ASKED, "candidates.txt", LEFT),
        ("--question", QUESTION, LEFT),
    ],
)
def test_takes_either_arguments_or_a_question_and_its_file(command, words):
    message = fails(command, "ranking_tiny", *words)
    assert "either arguments or both --question and --candidates" in message


def test_only_a_model_that_ranks_takes_a_question():
    message = fails("predict", "abcnn_tiny", *ASKED, "candidates.txt")
    assert "answer_selection" in message
    assert f"{QUESTION!r}, a model of sentence_matching" in message


def test_what_holds_no_candidate_is_refused(tmp_path):
    message = fails("predict", "ranking_tiny", *ASKED, "lost.txt")
    assert "in a file that is there" in message
    assert "'lost.txt', no such file" in message
    for words in ((QUESTION, "lost.txt"), ("lost.txt", CANDIDATES[0])):
        assert "'lost.txt'" in fails("predict", "ranking_tiny", *words)
    assert "'lost.txt'" in fails("predict", "abcnn_tiny", LEFT, "lost.txt")
    (tmp_path / "blank.txt").write_text(" \n\t\n")
    message = fails("predict", "ranking_tiny", *ASKED, "blank.txt")
    assert "not blank" in message and "blank.txt" in message
    assert "not blank" in fails(
        "predict", "ranking_tiny", *ASKED, "-", stdin="\n"
    )
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    message = fails("predict", "ranking_tiny", *ASKED, "latin.txt")
    assert "latin.txt, line 1" in message
    assert "a candidate at least" in fails("predict", "ranking_tiny", QUESTION)
    assert "must hold a word" in fails("predict", "abcnn_tiny", LEFT, "...")


def test_look_draws_pairs(tmp_path):
    text = run("look", "abcnn_tiny", LEFT, RIGHT, "lim", "wug")
    assert "picture: looked.png" in text and RIGHT in text
    with Image.open(tmp_path / "looked.png") as picture:
        assert len(picture.convert("RGB").getcolors(100_000)) > 50
        high = picture.height
    run("look", "abcnn_tiny", LEFT, RIGHT, "--out", "one.png")
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.height < high


def test_look_draws_the_best_candidate(tmp_path):
    text = run(
        *("look", "ranking_tiny", *ASKED, "candidates.txt"),
        *("--out", "best.png"),
    )
    assert "picture: best.png" in text and QUESTION in text
    with Image.open(tmp_path / "best.png") as picture:
        assert len(picture.convert("RGB").getcolors(100_000)) > 50


def test_look_refuses_what_it_cannot(tmp_path):
    message = fails("look", "bcnn_tiny", LEFT, RIGHT)
    assert "attention layer" in message and '"bcnn"' in message
    assert message == fails("look", "bcnn_tiny", LEFT)  # half a pair
    message = fails("look", "abcnn_tiny", LEFT, RIGHT, "--out", "seen.docx")
    assert "seen.docx" in message and "png" in message
    assert [path.name for path in tmp_path.iterdir()] == ["candidates.txt"]


def test_evaluate_agrees_with_the_card_and_counts_questions():
    text = run("evaluate", "ranking_tiny")
    metrics = zoo.card("ranking_tiny")["metrics"]
    assert list(metrics) == ["map", "mrr", "loss"]
    rows = [line.split() for line in text.splitlines()]
    for name, found in metrics.items():
        value = f"{found['value']:.4f}"
        (row,) = [row for row in rows if row[:1] == [name]]
        assert row[1] == value and row[-2:] == [value, "agrees"]
    assert "300 questions" in text and "same SHA-256" in text


def test_evaluate_reads_a_table(tmp_path):
    data = tiny_pairs(20, seed=3)
    table(
        tmp_path / "mine.csv",
        ["left", "right", "label"],
        [
            (*pair, LABELS[place])
            for pair, place in zip(data.pairs, data.labels)
        ],
    )
    text = run("evaluate", "abcnn_tiny", "--data", "mine.csv")
    assert "4 pairs" in text
    assert {"accuracy", "f1", "loss"} <= set(text.split())
    assert "`question`, `candidate` and `label`" in fails(
        "evaluate", "ranking_tiny", "--data", "mine.csv"
    )
    message = fails("evaluate", "abcnn_tiny")
    assert "pass them as `data`" in message and "data='tiny'" in message


@pytest.mark.slow
def test_finetune_learns_a_table_of_questions(tmp_path):
    data = tiny_questions(10)
    rows = [
        (right, left, ("wrong", "1")[label] if label else "0")
        for (left, right), label in zip(data.pairs, data.labels)
    ]
    table(tmp_path / "mine.csv", ["question", "candidate", "label"], rows)
    text = run(
        *("finetune", "ranking_tiny", "--data", "mine.csv", "--out", "tuned"),
        *("--epochs", 1, "--validation", 0.25, "--freeze", "embedding"),
    )
    hint = "try: zoo look tuned --question TEXT --candidates FILE"
    assert hint in text and "map " in text
    tuned = zoo.load(tmp_path / "tuned")
    before = zoo.load("ranking_tiny")
    assert tuned.assets == before.assets
    idf = [
        np.array(task.model.get_layer("overlap_features").idf)
        for task in (tuned, before)
    ]
    np.testing.assert_array_equal(*idf)
    assert list(tuned.card["metrics"]) == ["map", "mrr", "loss"]
    text = run("evaluate", "tuned")
    assert "agrees" in text and "same SHA-256" in text
    assert "val_loss" in tuned.card["recipe"]["log"][0]


def test_finetune_needs_a_right_candidate_before_it_learns(tmp_path):
    rows = [("dax?", word, "wrong") for word in ("wug", "lim", "fep")]
    table(tmp_path / "train.csv", ["question", "candidate", "label"], rows)
    table(tmp_path / "test.csv", ["question", "candidate", "label"], rows)
    words = ("finetune", "ranking_tiny", "--data", tmp_path, "--out", "none")
    assert "a right candidate" in fails(*words)
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_finetune_takes_other_classes_and_no_augmentation(tmp_path):
    classes = ["no", "perhaps", "yes"]
    rows = [
        (*pair, classes[place % 3])
        for place, pair in enumerate(tiny_pairs(30).pairs)
    ]
    table(tmp_path / "mine.csv", ["left", "right", "label"], rows)
    words = ("finetune", "abcnn_tiny", "--data", "mine.csv", "--out", "tuned")
    message = fails(*words, "--epochs", 1, "--augment", "flip")
    assert "leave `augment` empty" in message
    assert not (tmp_path / "tuned").exists()
    run(*words, "--epochs", 1)
    tuned = zoo.load(tmp_path / "tuned")
    assert tuned.assets["labels"] == classes
    assert tuned.card["metrics"]["accuracy"]["n"] == 6
    text = run("predict", "tuned", LEFT, RIGHT)
    assert all(label in text for label in classes)


def test_train_starts_from_vectors_of_a_file(tmp_path, monkeypatch):
    data = tiny_pairs(40)
    table(
        tmp_path / "mine.csv",
        ["left", "right", "label"],
        [
            (*pair, LABELS[place])
            for pair, place in zip(data.pairs, data.labels)
        ],
    )
    (tmp_path / "glove.txt").write_text("dax 1 2 3\nof 0 0 0\nlim 4 5 6\n")
    recipe = {
        "task": "sentence_matching",
        **tiny_recipe(train_embedding=False),
        "data": str(tmp_path / "mine.csv"),
        "vectors": {"learned_from": ["squad"]},
        "training": {
            "epochs": 1,
            "batch_size": 16,
            "optimizer": "adamw",
            "learning_rate": 0.001,
            "schedule": "cosine",
            "weight_decay": 0.1,
            "seed": 0,
        },
    }
    monkeypatch.setitem(recipes.RECIPES, "matcher", recipe)
    text = run(
        *("train", "matcher", "--vectors", "glove.txt", "--seed", 3),
        *("--folder", "shelf", "--runs", "logs"),
    )
    assert "accuracy 0." in text and "f1 " in text
    task = zoo.load(tmp_path / "shelf" / "matcher")
    assert task.card["recipe"]["vectors"] == "glove.txt"
    command = "zoo train matcher --vectors glove.txt --seed 3"
    assert task.card["recipe"]["command"] == command
    rows = np.array(task.model.get_layer("embedding").embeddings)
    assert rows.shape == (task.input.tokens.num_ids, 3)
    for word, row in (("dax", [1, 2, 3]), ("lim", [4, 5, 6])):
        place = 2 + task.input.tokens.vocabulary.index(word)
        assert rows[place].tolist() == row
    assert set(task.assets) == {"labels", "vocabulary"}


def test_train_refuses_vectors_that_cannot_be(tmp_path, monkeypatch):
    message = fails("train", "han_imdb", "--vectors", "glove.txt")
    assert "does not use word vectors" in message and "glove.txt" in message
    recipe = {
        "task": "answer_selection",
        **tiny_recipe(),
        "data": "who_did_what",
        "vectors": None,
        "training": {"seed": 0},
    }
    monkeypatch.setitem(recipes.RECIPES, "ranker", recipe)
    message = fails("train", "ranker", "--vectors", "lost.txt")
    assert "lost.txt" in message
    (tmp_path / "glove.txt").write_text("elsewhere 1 2\n")
    message = fails("train", "ranker", "--vectors", "glove.txt")
    assert "some of the words" in message and "glove.txt" in message
