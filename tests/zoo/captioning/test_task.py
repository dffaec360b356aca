"""The task of captioning: a picture in, words out."""

import json

import keras
import numpy as np
import pytest

from tests.zoo.contract import check_task
from zoo.captioning.show_attend_tell import PRESETS
from zoo.captioning.task import Captioning
from zoo.data import scenes
from zoo.data.captions import CaptionData
from zoo.inputs.image import Image

COUNT = 24


def tiny_data(count=COUNT, seed=0):
    """Scenes, of which only what the first object is called is said."""
    made = scenes.make(count, seed, (32, 40))
    captions = [[" ".join(text.split()[:4])] for text in made.captions]
    truth = {"boxes": made.boxes, "owners": made.owners[:, :4]}
    return CaptionData(made.images, captions, "tiny", truth=truth)


def tiny_recipe(builder="show_attend_tell", **options):
    return {
        "builder": builder,
        "builder_args": {
            "input_shape": [32, 40, 3],
            **PRESETS["tiny"],
            **options,
        },
        "words": {"beams": 2},
        "training": {
            "epochs": 6,
            "batch_size": 8,
            "optimizer": "adamw",
            "learning_rate": 0.01,
            "schedule": "one_cycle",
            "weight_decay": 0.0,
            "seed": 0,
        },
    }


def untrained(data, **options):
    keras.utils.set_random_seed(0)
    recipe = tiny_recipe(**options)
    task = Captioning.untrained(recipe, *Captioning.learn(data, recipe))
    task.card["data"] = {"name": "tiny"}
    return task, recipe


def trained(data, **options):
    task, recipe = untrained(data, **options)
    task.follow(data, recipe, verbose=0)
    return task


# The other network keeps it in `test_region_captioning.py`.
@pytest.mark.slow
def test_keeps_the_contract_of_a_task(tmp_path):
    from PIL import Image as Pillow

    data = tiny_data()
    task, recipe = untrained(data, attention="hard")
    assert isinstance(task.input, Image)
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file, pixels in zip(files, data.images):
        Pillow.fromarray(pixels).save(file)
    other = CaptionData(
        data.images, [["ein Bild"], ["noch eines"]] * (COUNT // 2), "german"
    )
    check_task(
        task,
        recipe,
        data,
        list(data.images[:3]),
        list(map(str, files)),
        tmp_path / "made",
        other,
        redrawn=("decoder",),
    )


def test_a_size_without_whole_cells_is_refused(monkeypatch):
    data = tiny_data(2)
    task, _ = untrained(data)
    monkeypatch.setattr(task, "fit", None)  # nothing is trained
    with pytest.raises(
        ValueError, match=r"show_attend_tell can take.*\(64, 42\): .*multiples"
    ) as refused:
        task.finetune(data, image_size=(64, 42))
    assert str(refused.value).count("Received") == 1


@pytest.fixture(scope="module")
def soft():
    return trained(tiny_data(), attention="soft")


@pytest.mark.slow
def test_says_where_it_looked_for_each_word(soft):
    answer = soft.look(tiny_data().images[0])
    assert answer["caption"] == " ".join(answer["words"])
    maps = answer["attention"]["attention"]
    said = len(answer["words"]) + (len(answer["words"]) < len(maps))
    assert maps.shape == (5, 8, 10)
    np.testing.assert_allclose(maps[:said].sum((1, 2)), 1, atol=1e-5)
    assert not maps[said:].any()


def test_measures_where_it_looks_against_where_to(soft, monkeypatch):
    data = tiny_data()
    found = soft.evaluate(data)
    assert list(found)[-3:] == ["pointing", "chance", "loss"]
    # Of the cells of a grid of 8 x 10, by the boxes of the first objects.
    x = (np.arange(10) + 0.5) / 5 - 1
    y = (np.arange(8) + 0.5) / 4 - 1
    boxes = data.truth["boxes"][:, 0]
    inside = [
        np.mean(
            ((x >= left) & (x <= right))[None]
            & ((y >= top) & (y <= bottom))[:, None]
        )
        for left, top, right, bottom in boxes
    ]
    assert found["chance"] == pytest.approx(np.mean(inside), abs=1e-6)
    # One that always looks at the object points right always.
    from zoo.captioning import task as module

    losses, maps = module.taught(soft, data)
    right = np.zeros_like(maps)
    for image, (left, top, right_edge, bottom) in enumerate(boxes):
        column = int((left + right_edge + 2) / 4 * 10)
        row = int((top + bottom + 2) / 4 * 8)
        right[image, :, row, column] = 1
    monkeypatch.setattr(module, "taught", lambda task, data: (losses, right))
    assert soft.evaluate(data)["pointing"] == 1
    wrong = right[:, :, ::-1, ::-1]
    monkeypatch.setattr(module, "taught", lambda task, data: (losses, wrong))
    assert soft.evaluate(data)["pointing"] < 0.5


def test_a_card_says_how_many_each_figure_is_of(soft):
    data = tiny_data(5)
    texts = [[*texts, "a circle"] for texts in data.captions]
    data = CaptionData(data.images, texts, truth=data.truth)
    data.truth["owners"][0, 3] = -1
    soft.measure(data)
    counts = {name: x["n"] for name, x in soft.card["metrics"].items()}
    assert counts.pop("loss") == 10  # captions
    assert counts.pop("pointing") == counts.pop("chance") == 14  # words
    assert set(counts.values()) == {5}  # images


def test_points_nowhere_where_no_word_is_about_an_object(soft):
    data = tiny_data(4)
    expected = soft.evaluate(data)
    data.truth["owners"][:] = -1
    found = soft.evaluate(data)
    assert "pointing" in expected and "pointing" not in found
    assert found["loss"] == expected["loss"]


def test_the_loss_is_of_all_references(soft):
    data = tiny_data(4)
    one = soft.evaluate(data)["loss"]
    texts = [[*texts, "a small red circle"] for texts in data.captions]
    both = CaptionData(data.images, texts)
    second = CaptionData(data.images, [[texts[1]] for texts in texts])
    expected = (one + soft.evaluate(second)["loss"]) / 2
    assert soft.evaluate(both)["loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_without_attention_there_is_nothing_to_look_at(tmp_path):
    data = tiny_data()
    task = trained(data, attention="none")
    assert "pointing" not in task.evaluate(data)
    with pytest.raises(ValueError, match="`look` needs a model with an atten"):
        task.look(data.images[:1])
    assert task.predict(data.images[:2])[1]["caption"]


def test_learns_that_captions_begin_alike(soft):
    answers = soft.predict(list(tiny_data().images))
    assert {answer["words"][0] for answer in answers} == {"a"}
    assert all(json.dumps(answer) for answer in answers)
    assert all(answer["score"] < 0 for answer in answers)
