"""Captions of images with boxes: the task's contract, and what is its own."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

import zoo
from tests.zoo.captioning.test_task import tiny_recipe as captioning_recipe
from tests.zoo.contract import check_task
from zoo import recipes
from zoo.captioning import task as module
from zoo.captioning.task import Captioning, RegionCaptioning
from zoo.cli import app
from zoo.data import scenes
from zoo.data.captions import CaptionData
from zoo.data.region_captions import RegionCaptionData, proposals

COUNT = 24
HALVES = [(-1, -1, 0, 1), (0, -1, 1, 1)]


def tiny_data(count=COUNT, seed=0):
    """Scenes, of which only what the first object is called is said."""
    made = scenes.make(count, seed, (32, 40))
    boxes, owners = proposals(made, seed)
    return RegionCaptionData(
        made.images,
        [[" ".join(text.split()[:4])] for text in made.captions],
        "tiny",
        truth={"owners": owners[:, :4]},
        boxes=boxes,
    )


def tiny_recipe(**options):
    return captioning_recipe("up_down_captioner", **options)


def raws_of(data, count=3):
    return [
        {"image": image, "boxes": boxes}
        for image, boxes in zip(data.images[:count], data.boxes)
    ]


def trained(**options):
    keras.utils.set_random_seed(0)
    recipe, data = tiny_recipe(**options), tiny_data()
    made = RegionCaptioning.untrained(
        recipe, *RegionCaptioning.learn(data, recipe)
    )
    made.card["data"] = {"name": "tiny"}
    made.follow(data, recipe, verbose=0)
    return made


@pytest.fixture(scope="module")
def task():
    return trained()


@pytest.mark.slow
def test_keeps_the_contract_of_a_task(task, tmp_path):
    data = tiny_data()
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file, pixels in zip(files, data.images):
        Picture.fromarray(pixels).save(file)
    other = dataclasses.replace(
        data, captions=[["ein Bild"], ["noch eines"]] * (COUNT // 2)
    )
    check_task(
        task,
        tiny_recipe(),
        data,
        raws_of(data),
        list(map(str, files)),
        tmp_path / "made",
        other,
        redrawn=("decoder",),
        options={"boxes": "-1 -1 0 1; 0 -1 1 1"},
    )


def test_reads_as_many_boxes_as_the_data_have(task):
    assert task.card["preprocessing"]["boxes"]["most"] == 6
    assert task.card["builder_args"]["regions"] == 6
    assert task.model.input["boxes"].shape == (None, 6, 4)


def test_says_which_box_it_looked_at_for_each_word(task):
    data = tiny_data()
    raw = raws_of(data)[1]
    answer, count = task.look(raw), len(raw["boxes"])
    assert answer["boxes"]["count"] == count < 6
    weights = np.array(answer["boxes"]["weights"])
    maps = answer["attention"]["boxes_attention"]
    assert maps.shape == (5, 6) and weights.shape[1] == count
    assert len(answer["words"]) <= len(weights)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(maps[: len(weights), :count], weights)
    assert not maps[:, count:].any()
    assert task.predict(raw)["boxes"] == {"count": count}


def test_the_order_of_boxes_changes_no_answer_and_moves_their_weights(task):
    (raw,) = raws_of(tiny_data(), 1)
    one = task.look(raw)
    two = task.look({**raw, "boxes": raw["boxes"][::-1].tolist()})
    assert one["caption"] == two["caption"]
    assert one["score"] == pytest.approx(two["score"], abs=1e-4)
    turned = np.array(two["boxes"]["weights"])[:, ::-1]
    np.testing.assert_allclose(one["boxes"]["weights"], turned, atol=1e-4)


def test_other_boxes_are_another_answer(task):
    (raw,) = raws_of(tiny_data(), 1)
    scores = {
        round(task.predict({**raw, "boxes": boxes})["score"], 4)
        for boxes in (raw["boxes"], HALVES, HALVES[:1], [(-1, -1, 1, 1)])
    }
    assert len(scores) == 4


def test_measures_where_it_looks_against_where_to(task, monkeypatch):
    data = tiny_data()
    found = task.evaluate(data)
    assert list(found)[-3:] == ["pointing", "chance", "loss"]
    counts = np.array([len(each) for each in data.boxes])
    words = (data.truth["owners"] >= 0).sum(axis=1)
    expected = (words / counts).sum() / words.sum()
    assert found["chance"] == pytest.approx(expected)
    assert task.count("pointing", data) == words.sum() == 3 * COUNT
    losses, maps = module.taught(task, data)
    right = np.zeros_like(maps)
    for image, word in np.argwhere(data.truth["owners"] >= 0):
        right[image, word, data.truth["owners"][image, word]] = 1
    monkeypatch.setattr(module, "taught", lambda task, data: (losses, right))
    assert task.evaluate(data)["pointing"] == 1
    beside = np.stack(
        [np.roll(x, 1, axis=-1) for x in right]
    )  # the next box, or padding
    monkeypatch.setattr(module, "taught", lambda task, data: (losses, beside))
    assert task.evaluate(data)["pointing"] == 0
    data.truth["owners"][:] = -1
    assert "pointing" not in task.evaluate(data)


@pytest.mark.parametrize(
    "boxes, message",
    [
        ([], "In `boxes`: .*a box at least"),
        (None, "In `boxes`: .*real numbers"),
        ([(0, 0, 0, 0)], "an area"),
        ([(0, 0, np.nan, 1)], "finite"),
        ([(0, 0, 20, 20)], "on the image"),
        (HALVES * 4, "at most 6 boxes.*none are left out silently.*8 boxes"),
    ],
)
def test_what_are_no_boxes_is_refused(boxes, message, task):
    image = tiny_data(1).images[0]
    for answer in (task.predict, task.look):
        with pytest.raises(ValueError, match=message):
            answer({"image": image, "boxes": boxes})
    raws = [{"image": image, "boxes": each} for each in (HALVES, boxes)]
    with pytest.raises(ValueError, match=f"{message}.* of image 1$"):
        task.predict(raws)
    data = ([image] * 2, [HALVES, boxes], ["a large", "a small"])
    with pytest.raises(ValueError, match=message.removeprefix("In `boxes`: ")):
        task.evaluate(data)


class Fitted(Exception):
    """The training has begun."""


def test_data_that_cannot_be_measured_are_refused_before_the_training(
    monkeypatch,
):
    data = tiny_data()
    counts = np.array(list(map(len, data.boxes)))
    parts = {
        "train": data.take(np.flatnonzero(counts <= 3)),
        "test": data.take(np.flatnonzero(counts > 3)),
    }

    def fit(*args, **options):
        raise Fitted

    monkeypatch.setattr(
        RegionCaptioning, "read", staticmethod(lambda _, part: parts[part])
    )
    monkeypatch.setattr(RegionCaptioning, "follow", fit)
    recipe = {"task": "region_captioning", "data": "tiny", **tiny_recipe()}
    with pytest.raises(ValueError, match="at most 3 boxes"):
        recipes.follow(recipe)
    recipe["builder_args"]["regions"] = 6
    with pytest.raises(Fitted):
        recipes.follow(recipe | {"asked": {"regions": 6}})
    with pytest.raises(ValueError, match="`target_length` follows .*=99"):
        recipes.follow(recipe | {"asked": {"target_length": 99}})


def test_a_network_of_boxes_is_none_of_images_alone():
    recipe, data = tiny_recipe(regions=3), tiny_data()
    images = CaptionData(data.images, data.captions)
    with pytest.raises(ValueError, match=r"reads \['boxes'\], too"):
        Captioning.untrained(recipe, *Captioning.learn(images, recipe))


def test_a_card_that_calls_it_a_network_of_images_is_refused(task, tmp_path):
    task.save(tmp_path / "made")
    path = tmp_path / "made" / "card.json"
    card = json.loads(path.read_text())
    card["task"] = "captioning"
    card["preprocessing"] = card["preprocessing"]["image"]
    path.write_text(json.dumps(card))
    with pytest.raises(ValueError, match=r"\['boxes'\], too, in .*card.json"):
        zoo.load(tmp_path / "made")


def test_an_image_without_boxes_is_refused(task):
    image = tiny_data(1).images[0]
    for raw in (image, {"image": image}, {"boxes": HALVES}):
        with pytest.raises(ValueError, match="a dict of `image`, `boxes`"):
            task.predict(raw)
    with pytest.raises(ValueError, match="In `image`: .*Pillow"):
        task.predict({"image": b"no image", "boxes": HALVES})


def test_images_are_not_flipped_away_from_their_boxes(task):
    with pytest.raises(ValueError, match="'contrast'\\]. Received: .*flip"):
        task.finetune(tiny_data(), augment=["flip"], epochs=1, verbose=0)
    task.input.reader(tiny_data(), augment=["contrast", "brightness"])


def test_without_attention_there_is_nothing_to_look_at():
    data, recipe = tiny_data(4), tiny_recipe(attention=False)
    plain = RegionCaptioning.untrained(
        recipe, *RegionCaptioning.learn(data, recipe)
    )
    assert "pointing" not in plain.evaluate(data)
    with pytest.raises(ValueError, match="`look` needs a model with an atten"):
        plain.look(raws_of(data))


@pytest.mark.slow
def test_the_shell_names_boxes_and_trains_by_a_table(task, tmp_path):
    data = tiny_data(4)
    lines = ["image,boxes,caption"]
    for place, pixels in enumerate(data.images):
        Picture.fromarray(pixels).save(tmp_path / f"{place}.png")
        cell = "; ".join(
            " ".join(map(str, box)) for box in data.boxes[place].tolist()
        )
        lines.append(f"{place}.png,{cell},{data.captions[place][0]}")
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    kept, image = str(task.save(tmp_path / "kept")), str(tmp_path / "0.png")
    words = ["predict", kept, image, "--boxes", "-1 -1 0 1; 0 -1 1 1"]
    (said,) = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert said["image and boxes"] == {
        "image": image,
        "boxes": [list(box) for box in HALVES],
    }
    assert (
        said["caption"]
        == task.predict({"image": image, "boxes": HALVES})["caption"]
    )
    found = CliRunner().invoke(app, words[:-2])
    assert found.exit_code and "IMAGE... --boxes BOXES" in found.output
    with pytest.raises(ValueError, match="In `boxes`: .*four numbers"):
        task.input.from_shell([image], {"boxes": "-1 -1 0"})
    out = tmp_path / "tuned"
    options = ["--data", str(tmp_path / "mine.csv"), "--epochs", "1"]
    options += ["--out", str(out), "--runs", str(tmp_path / "runs")]
    found = CliRunner().invoke(app, ["finetune", kept, *options])
    assert found.exit_code == 0, found.output
    assert json.loads((out / "card.json").read_text())["data"]["name"] == "mine"
