"""Visual question answering: what it learns, answers, measures and refuses."""

import dataclasses
import json

import keras
import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from tests.numbers import randomize
from tests.zoo.contract import check_task
from tests.zoo.visual_question_answering.tiny import (
    BUTD,
    COLOURS,
    GRID,
    MODULES,
    PLAN,
    SLA,
    raws_of,
    tiny_answerer,
    tiny_questions,
    tiny_recipe,
)
from zoo.cli import app
from zoo.pointing import pointing

LEFT, RIGHT = (f"What colour is the {x} square?" for x in ("left", "right"))


@pytest.fixture(scope="module")
def trained():
    task = tiny_answerer()
    task.follow(tiny_questions(96), tiny_recipe(), verbose=0)
    return task


@pytest.fixture
def files(tmp_path):
    """Two pictures on disk, and the colours of their left squares."""
    data = tiny_questions(2, seed=7)
    paths = [tmp_path / f"{place}.png" for place in range(2)]
    for path, image in zip(paths, data.pictures):
        PIL.Image.fromarray(image).save(path)
    return paths, [COLOURS[label] for label in data.labels[::2]]


@pytest.mark.slow
def test_learns_to_answer(trained):
    results = trained.evaluate(tiny_questions(32, seed=9))
    assert list(results) == [
        "accuracy",
        "accuracy_left",
        "accuracy_right",
        "pointing",
        "chance",
        "loss",
    ]
    assert results["accuracy"] >= 0.9
    assert results["pointing"] > results["chance"] > 0.1


@pytest.mark.parametrize("builder", MODULES)
@pytest.mark.parametrize("baseline", [False, True])
@pytest.mark.slow
def test_every_network_learns(builder, baseline):
    options = {BUTD: {"attention": False}, SLA: {"stack": "plain"}}[builder]
    options = options if baseline else {}
    task, data = tiny_answerer(builder, **options), tiny_questions(24)
    before = task.evaluate(data)["loss"]
    plan = {**PLAN, "epochs": 3, "schedule": "constant"}
    task.follow(data, {"training": plan}, verbose=0)
    assert task.evaluate(data)["loss"] < before


def test_a_card_says_how_many_each_figure_is_of(trained):
    data = tiny_questions()
    data.truth["box"][:5] = 0
    data.truth["kind"][:7] = "left"
    trained.measure(data)
    counts = {name: x["n"] for name, x in trained.card["metrics"].items()}
    left = int((data.truth["kind"] == "left").sum())
    assert counts == {
        "accuracy": len(data),
        "accuracy_left": left,
        "accuracy_right": len(data) - left,
        "pointing": len(data) - 5,
        "chance": len(data) - 5,
        "loss": len(data),
    }
    assert 7 < left < len(data) - 1


def test_accuracy_is_the_share_of_right_answers_also_by_kind(trained):
    data = tiny_questions(20, seed=4)
    data.labels[:7] = (data.labels[:7] + 1) % 3  # so that some are wrong
    answers = trained.predict(raws_of(data, 40))
    right = np.array(
        [
            answer["label"] == COLOURS[label]
            for answer, label in zip(answers, data.labels, strict=True)
        ]
    )
    found = trained.evaluate(data)
    assert 0 < right.mean() < 1
    assert found["accuracy"] == pytest.approx(right.mean())
    assert found["accuracy_left"] == pytest.approx(right[::2].mean())
    assert found["accuracy_right"] == pytest.approx(right[1::2].mean())


@pytest.mark.parametrize("builder", MODULES)
def test_pointing_is_of_the_last_look_at_questions_about_an_object(builder):
    task = tiny_answerer(builder)
    randomize(task.model)
    data = tiny_questions(12, seed=5)
    data.truth["box"][::3] = 0  # about no object
    about = np.flatnonzero(data.truth["box"].any(axis=1))
    looked = task.look(raws_of(data, 24))
    last = np.stack(
        [
            each["attention"]["attention"].reshape(-1, *GRID)[-1]
            for each in looked
        ]
    )
    hits, chance = pointing(last[about], data.truth["box"][about])
    found = task.evaluate(data)
    assert 0 < hits.mean() < 1
    assert found["pointing"] == pytest.approx(hits.mean())
    assert found["chance"] == pytest.approx(chance.mean())


def test_what_is_not_known_is_not_measured(trained):
    data = tiny_questions(8)
    for truth, known in (
        (None, []),
        ({}, []),
        ({"box": np.zeros((16, 4), "float32")}, []),
        ({"kind": np.array(["colour"] * 16)}, []),
        ({"box": data.truth["box"]}, ["pointing", "chance"]),
    ):
        found = trained.evaluate(dataclasses.replace(data, truth=truth))
        assert list(found) == ["accuracy", *known, "loss"]
    plain = tiny_answerer(attention=False)
    assert "pointing" not in plain.evaluate(data)


def test_answers_one_with_a_dict_and_several_with_a_list(trained, files):
    paths, colours = files
    one = trained.predict({"image": paths[0], "question": LEFT})
    assert list(one) == ["label", "probability", "probabilities", "question"]
    assert one["label"] == colours[0]
    assert one["question"] == {"cut": 0, "unknown": []}
    both = trained.predict(
        [{"image": str(path), "question": LEFT} for path in paths]
    )
    assert [each["label"] for each in both] == colours
    seen = trained.look({"image": paths[0], "question": LEFT})
    assert seen["attention"]["attention"].shape == (GRID[0] * GRID[1],)


def test_each_look_of_a_stack_is_told():
    task = tiny_answerer(SLA, num_layers=3)
    (seen,) = task.look(raws_of(tiny_questions(1), 1))
    assert seen["attention"]["attention"].shape == (3, GRID[0] * GRID[1])


@pytest.mark.filterwarnings("ignore:.*not in the vocabulary")
def test_questions_of_nothing_or_of_strangers_are_answered(trained, files):
    image = files[0][0]
    answers = trained.predict(
        [
            {"image": image, "question": question}
            for question in ("", " ?! ", "zebra zebra", LEFT + " really" * 50)
        ]
    )
    for answer in answers:
        assert 0 <= answer["probability"] <= 1
    assert answers[0]["probabilities"] == answers[1]["probabilities"]
    assert answers[2]["question"]["unknown"] == ["zebra"]
    assert answers[3]["question"]["cut"] == 49


def test_pictures_of_all_kinds_are_answered(trained, tmp_path):
    picture = PIL.Image.fromarray(tiny_questions(1).pictures[0])
    raws = []
    for mode in ("RGB", "L", "RGBA", "P"):
        path = tmp_path / f"{mode}.png"
        picture.resize((50, 31)).convert(mode).save(path)
        raws.append({"image": path, "question": LEFT})
    picture.convert("CMYK").save(tmp_path / "cmyk.jpg")
    raws.append({"image": tmp_path / "cmyk.jpg", "question": LEFT})
    assert len(trained.predict(raws)) == 5
    figure = trained.picture(raws, trained.look(raws))
    assert figure.axes


@pytest.mark.parametrize(
    "raw, message",
    [
        ("a.png", "a dict of `image`, `question`"),
        ({"image": b"no image", "question": LEFT}, "In `image`: .*Pillow"),
        ({"image": np.zeros((4, 4, 3)), "question": 7}, "In `question`: "),
    ],
)
def test_what_is_no_picture_with_a_question_is_refused(trained, raw, message):
    with pytest.raises(ValueError, match=message):
        trained.predict(raw)


@pytest.mark.slow
def test_keeps_the_contract(trained, files, tmp_path):
    paths, _ = files
    data = tiny_questions(16)
    other = dataclasses.replace(data, label_names=["one", "two", "three"])
    check_task(
        trained,
        tiny_recipe(),
        data,
        [{"image": path, "question": LEFT} for path in paths],
        list(map(str, paths)),
        tmp_path / "contract",
        other,
        options={"question": RIGHT},
    )


@pytest.mark.slow
def test_a_stack_is_exported(tmp_path):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("exports are TensorFlow's")
    task = tiny_answerer(SLA)
    randomize(task.model)
    assert set(task.export(tmp_path)) == {"saved_model", "litert"}


def test_the_command_line_asks_about_pictures(trained, files, tmp_path):
    paths, colours = files
    folder, picture = trained.save(tmp_path / "answerer"), tmp_path / "seen.png"
    words = [str(folder), *map(str, paths), "--question", LEFT]
    printed = CliRunner().invoke(app, ["predict", *words, "--json"])
    assert printed.exit_code == 0, printed.output
    answers = json.loads(printed.stdout)
    assert [each["label"] for each in answers] == colours
    printed = CliRunner().invoke(app, ["look", *words, "--out", str(picture)])
    assert printed.exit_code == 0, printed.output
    with PIL.Image.open(picture) as drawn:
        assert drawn.size[1] > 400
    printed = CliRunner().invoke(app, ["predict", *words[:-2]])
    assert printed.exit_code and "--question TEXT" in printed.output


@pytest.mark.slow
def test_a_table_of_a_user_trains_by_one_line(trained, files, tmp_path):
    paths, _ = files
    folder = trained.save(tmp_path / "answerer")
    lines = ["image,question,answer"]
    for number in range(8):
        path = paths[number % 2]
        lines.append(
            f"{path.name},{(LEFT, RIGHT)[number % 4 // 2]},{number % 2}"
        )
    table = paths[0].parent / "mine.csv"
    table.write_text("\n".join(lines))
    out = tmp_path / "mine"
    words = ["--data", str(table), "--out", str(out), "--epochs", "1"]
    words += ["--runs", str(tmp_path / "runs")]
    printed = CliRunner().invoke(app, ["finetune", str(folder), *words])
    assert printed.exit_code == 0, printed.output
    card = json.loads((out / "card.json").read_text())
    assert card["data"]["name"] == "mine"
