"""The tasks of masks: an image in, a mask of its own size out."""

import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner

import zoo
from tests.zoo.contract import check_task
from zoo import answer_files
from zoo.cards import PresetError
from zoo.cli import app
from zoo.data import odd_one_out, scenes
from zoo.data.masks import MaskData, load_masks
from zoo.measuring import digests
from zoo.outputs.mask import Mask
from zoo.outputs.saliency import Saliency
from zoo.segmentation.pyramid_attention_network import PRESETS as PYRAMID
from zoo.segmentation.salient_object_detector import PRESETS as SALIENT
from zoo.segmentation.task import SaliencyDetection, Segmentation

COUNT = 24
TRAINING = {
    "epochs": 6,
    "batch_size": 8,
    "optimizer": "adamw",
    "learning_rate": 0.01,
    "schedule": "one_cycle",
    "weight_decay": 0.0,
    "seed": 0,
}


def tiny_scenes(count=COUNT, names=("ground", "small", "large")):
    """Scenes of 32 x 48, whose objects are small or large."""
    made = scenes.make(count, 0, (32, 48))
    kinds = np.concatenate(
        [np.zeros((count, 1), "int8"), 1 + made.kinds[:, :, 0]], axis=1
    )
    masks = np.take_along_axis(
        kinds, made.masks.reshape(count, -1).astype("int64"), axis=1
    )
    masks = masks.reshape(made.masks.shape).astype("uint8")
    return MaskData(made.images, masks, list(names), "tiny")


def tiny_salient(count=COUNT):
    images, masks, _ = odd_one_out.make(count, 0, (32, 48))
    return MaskData(images, masks, ["background", "object"], "tiny")


def untrained(kind=Segmentation, data=None, size=(32, 48), **options):
    data = data or (tiny_scenes() if kind is Segmentation else tiny_salient())
    builder, presets = {
        Segmentation: ("pyramid_attention_network", PYRAMID),
        SaliencyDetection: ("salient_object_detector", SALIENT),
    }[kind]
    recipe = {
        "builder": builder,
        "builder_args": {
            "input_shape": [*size, 3],
            **presets["tiny"],
            **options,
        },
        "training": TRAINING,
    }
    keras.utils.set_random_seed(0)
    task = kind.untrained(recipe, *kind.learn(data, recipe))
    task.card["data"] = {"name": "tiny"}
    return task, recipe, data


def files_of(data, folder, count=3):
    paths = [folder / f"{place}.png" for place in range(count)]
    for path, pixels in zip(paths, data.images):
        Pillow.fromarray(pixels).save(path)
    return paths


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Segmentation, SaliencyDetection])
def test_keeps_the_contract_of_a_task(kind, tmp_path):
    task, recipe, data = untrained(kind)
    other = None
    if kind is Segmentation:
        other = tiny_scenes(names=("Grund", "klein", "gross"))
    check_task(
        task,
        recipe,
        data,
        list(data.images[:3]),
        list(map(str, files_of(data, tmp_path))),
        tmp_path,
        other,
    )


def test_a_checkpoint_knows_networks_of_the_same_first_weights_apart():
    (one, _, data), (other, *_) = untrained(), untrained(gate="sigmoid")
    first, second = (digests(task, data, None) for task in (one, other))
    assert first["start_sha256"] == second["start_sha256"]
    assert first != second and digests(one, data, None) == first


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with an untrained model, and pictures of three sizes."""
    task, _, data = untrained()
    folder = tmp_path_factory.mktemp("masks")
    task.save(folder / "model")
    for name in ("photos", "mine/images", "mine/masks"):
        (folder / name).mkdir(parents=True)
    for place, (image, mask) in enumerate(zip(data.images, data.masks)):
        name = f"{place}.png"
        Pillow.fromarray(image).save(folder / "mine/images" / name)
        Pillow.fromarray(mask).save(folder / "mine/masks" / name)
    names = "\n".join(data.label_names)
    (folder / "mine" / "classes.txt").write_text(names, "utf-8")
    photos = folder / "photos"
    for place, size in enumerate(((48, 32), (31, 77), (1, 1))):
        image = Pillow.fromarray(data.images[place]).resize(size)
        image.save(photos / f"{place}.png")
    return folder


def run(*words):
    return CliRunner().invoke(app, list(map(str, words)))


def test_predict_writes_masks_of_the_images_own_sizes(model, tmp_path):
    found = run(
        "predict", model / "model", model / "photos", "--out", tmp_path / "out"
    )
    assert found.exit_code == 0, found.output
    for place, size in enumerate(((48, 32), (31, 77), (1, 1))):
        with Pillow.open(tmp_path / "out" / f"{place}.png") as mask:
            assert mask.size == size and mask.mode == "P"
            assert np.asarray(mask).max() < 3
    one = tmp_path / "one.png"
    photo = model / "photos" / "1.png"
    assert run("predict", model / "model", photo, "--out", one).exit_code == 0
    assert one.read_bytes() == (tmp_path / "out" / "1.png").read_bytes()


def test_predict_refuses_what_would_lose_something(model, tmp_path):
    kept, photos = model / "model", model / "photos"
    for words, message in (
        ([photos, "--out", tmp_path / "one.png"], "the mask of one image"),
        ([photos / "0.png", "--out", photos], "no files of their names"),
        ([photos / "0.png", "--out", tmp_path / "a.txt"], "one text each"),
        ([photos / "0.png", "--out", tmp_path / "a.bmp"], "that ends with"),
    ):
        found = run("predict", kept, *words)
        assert found.exit_code == 1
        assert message in " ".join(found.output.split()), found.output
    twin = tmp_path / "0.png"
    Pillow.new("RGB", (4, 4)).save(twin)
    found = run(
        "predict", kept, photos / "0.png", twin, "--out", tmp_path / "out"
    )
    assert "different names" in found.output and found.exit_code == 1
    assert not (tmp_path / "out").exists()
    # What somebody else drew is not replaced.
    drawn = tmp_path / "drawn" / "0.png"
    drawn.parent.mkdir()
    drawn.write_bytes(b"mine")
    found = run("predict", kept, photos, "--out", drawn.parent)
    assert found.exit_code == 1 and drawn.read_bytes() == b"mine"
    assert [path.name for path in drawn.parent.iterdir()] == ["0.png"]


def test_masks_are_written_before_the_next_images_are_read(
    model, tmp_path, monkeypatch
):
    monkeypatch.setattr(answer_files, "FEW_TOGETHER", 2)
    photos, out = model / "photos", tmp_path / "out"
    raws, task, there = sorted(photos.iterdir()), zoo.load(model / "model"), []
    predict = task.predict

    def watched(some):
        there.append((len(some), len(list(out.glob("*.png")))))
        return predict(some)

    monkeypatch.setattr(task, "predict", watched)
    failed = answer_files.answer(out, task, raws, lambda count: None)
    assert failed == [] and there == [(2, 0), (1, 2)]
    assert len(list(out.iterdir())) == 3


@pytest.mark.parametrize("kind", [Segmentation, SaliencyDetection])
def test_no_logits_are_kept_of_what_is_measured(kind):
    task, _, data = untrained(kind)
    whole, _ = task.said(data)
    parts, _ = task.said(data, batch_size=5)
    size = 32 * 48
    for name, array in whole.items():
        assert array.size / len(data) < size / 4, name
        np.testing.assert_allclose(parts[name], array, rtol=1e-4, atol=1e-5)


def test_few_large_images_are_computed_at_once(monkeypatch):
    assert Mask(["a", "b"], (512, 512)).most_at_once == 16
    assert Saliency((5000, 5000)).most_at_once == 1
    task, _, data = untrained()
    monkeypatch.setattr(Mask, "most_at_once", 10)
    assert _batches(task, data, 250, monkeypatch) == [10, 10, 4]
    assert _batches(task, data, 9, monkeypatch) == [9, 9, 6]


def test_masks_are_answered_some_at_a_time(monkeypatch):
    task, _, data = untrained()
    whole = task.look(data.images[:7])
    counts, run = [], task.run
    monkeypatch.setattr(
        task,
        "run",
        lambda read, count, *rest, **more: (
            counts.append(count) or run(read, count, *rest, **more)
        ),
    )
    parts = task.look(data.images[:7], batch_size=3)
    assert counts == [3, 3, 1] and len(parts) == 7
    for one, other in zip(whole, parts):
        assert (one["mask"] == other["mask"]).mean() > 0.99
        assert one["attention"].keys() == other["attention"].keys()


def _batches(task, data, batch_size, monkeypatch):
    """How many images are computed at once."""
    found, graph = [], task.graph()
    computed = graph.predict_on_batch
    with monkeypatch.context() as patch:
        patch.setattr(
            graph,
            "predict_on_batch",
            lambda x: found.append(len(x["image"])) or computed(x),
        )
        task.evaluate(data, batch_size)
    return found


def test_of_masks_pixels_are_counted_not_examples(model):
    found = run(
        *("evaluate", model / "model", "--data", model / "mine"),
        *("--out", model / "confused.png"),
    )
    assert found.exit_code == 0, found.output
    (header,) = [x for x in found.output.splitlines() if "precision" in x]
    assert header.split()[-2:] == ["pixels", "predicted"]
    report = json.loads(
        run(
            *("evaluate", model / "model", "--data", model / "mine", "--json")
        ).output
    )
    classes = report["classes"]["label"]
    pixels = report["data"]["examples"] * 32 * 48
    assert classes["counted"] == "pixels"
    assert sum(x["n"] for x in classes["per_class"]) == pixels
    assert np.sum(classes["confusion"]) == pixels > 0


def test_one_broken_image_costs_no_other_its_mask(model, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.png").write_bytes((model / "photos/0.png").read_bytes())
    (photos / "b.png").write_bytes(b"no image")
    out = tmp_path / "out"
    found = run("predict", model / "model", photos, "--out", out)
    assert found.exit_code == 1 and "the first one" in found.output
    assert [path.name for path in out.iterdir()] == ["a.png"]


def test_a_mask_s_size_must_be_that_of_the_images(model, tmp_path):
    shutil.copytree(model / "model", tmp_path / "model")
    path = tmp_path / "model" / "card.json"
    card = json.loads(path.read_text("utf-8"))
    card["postprocessing"]["image_size"] = [32, 32]
    path.write_text(json.dumps(card), "utf-8")
    with pytest.raises(PresetError, match="images of"):
        zoo.load(tmp_path / "model")


def test_a_user_s_two_folders_train_by_one_line(tmp_path):
    data = tiny_scenes(12)
    for name in ("images", "masks"):
        (tmp_path / "mine" / name).mkdir(parents=True)
    for place in range(12):
        image = Pillow.fromarray(data.images[place])
        image.save(tmp_path / "mine" / "images" / f"{place}.jpg")
        mask = Pillow.fromarray(data.masks[place])
        mask.save(tmp_path / "mine" / "masks" / f"{place}.png")
    assert len(load_masks(tmp_path / "mine", "train")) == 9
    found = run(
        *("train", "--task", "segmentation"),
        *("--network", "pyramid_attention_network"),
        *("--data", tmp_path / "mine", "--epochs", 1),
        *("--set", "filters=[8,8]", "--set", "decoder_filters=8"),
        *("--folder", tmp_path / "models", "--runs", tmp_path / "runs"),
    )
    assert found.exit_code == 0, found.output
    assert "mean_iou" in found.output
    card = json.loads(
        next((tmp_path / "models").glob("*/card.json")).read_text()
    )
    assert card["builder_args"]["gate"] == "sigmoid"
    (picture,) = (tmp_path / "runs").glob("*/looked.png")
    assert str(picture) in "".join(found.output.split())
    with Pillow.open(picture) as image:
        assert min(image.size) > 200
    # The two folders by themselves; their card says where they are.
    both = ",".join(str(tmp_path / "mine" / x) for x in ("images", "masks"))
    task = zoo.load(next((tmp_path / "models").glob("*/card.json")).parent)
    before = task.evaluate()
    task.card["data"]["place"] = both
    assert task.evaluate() == before
    assert load_masks(both, "test").place.count(",") == 1
