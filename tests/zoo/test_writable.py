"""What will be written is tried before any work, and leaves no trace."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import zoo
from keras_attention import pictures
from tests.zoo.tiny import tiny_data, tiny_task
from zoo import demo, export, presets, recipes, training
from zoo.atomic import replacing
from zoo.cli import app
from zoo.image_classification.task import ImageClassification
from zoo.inputs import image as image_input
from zoo.writable import check_writable


class Worked(Exception):
    """Work began, though its output cannot be written."""


@pytest.fixture
def no_work(monkeypatch):
    """Any loading or training raises, so that it is seen."""

    def work(*args, **kwargs):
        raise Worked

    for place, name in (
        (zoo, "load"),
        (presets, "load"),
        (recipes, "follow"),
        (training, "fit"),
        (ImageClassification, "read"),
        (image_input.Image, "golden"),
        (export, "in_float32"),
    ):
        monkeypatch.setattr(place, name, work)


@pytest.fixture(scope="module")
def task():
    return tiny_task("se")


@pytest.fixture(autouse=True)
def nothing_at_hand(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(presets, "CHECKOUT", tmp_path / "none")
    monkeypatch.setenv("KERAS_ATTENTION_ZOO_HOME", str(tmp_path / "none"))


def tree(folder):
    return sorted(str(path) for path in folder.rglob("*"))


def below_a_file(folder):
    (folder / "file").write_text("mine")
    return folder / "file" / "new"


def name_too_long(folder):
    return folder / "new" / ("x" * 300)


def links_in_a_circle(folder):
    (folder / "circle").symlink_to("circle")
    return folder / "circle" / "new"


BAD = [below_a_file, name_too_long, links_in_a_circle]

# Whatever writes, by a command or from Python, to a folder.
WRITES = {
    "zoo look": lambda out, task: call("look", "m", "x", "--out", f"{out}.png"),
    "zoo predict": lambda out, task: call(
        "predict", "m", "x", "--out", f"{out}.csv"
    ),
    "zoo evaluate": lambda out, task: call(
        "evaluate", "m", "--out", f"{out}.png"
    ),
    "zoo export": lambda out, task: call("export", "m", "--out", out),
    "zoo demo": lambda out, task: call("demo", "--out", out),
    "zoo finetune": lambda out, task: call(
        "finetune", "m", "--data", "digits", "--out", out
    ),
    "zoo train --folder": lambda out, task: call(
        "train", "cbam_resnet20_cifar10", "--folder", out, "--runs", "runs"
    ),
    "zoo train --runs": lambda out, task: call(
        "train", "cbam_resnet20_cifar10", "--folder", "new", "--runs", out
    ),
    "zoo.train": lambda out, task: zoo.train("cbam_resnet20_cifar10", out),
    "Task.finetune": lambda out, task: task.finetune(tiny_data(), folder=out),
    "Task.save": lambda out, task: task.save(out),
    "Task.export": lambda out, task: task.export(out),
    "demo.run": lambda out, task: demo.run(out),
}


def call(*words):
    result = CliRunner().invoke(app, ["--debug", *map(str, words)])
    if result.exception is not None:
        raise result.exception


@pytest.mark.parametrize("place", BAD)
@pytest.mark.parametrize("what", WRITES)
def test_what_cannot_be_written_is_refused_before_any_work(
    what, place, task, tmp_path, no_work
):
    out = place(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(OSError, match="tried before any work") as error:
        WRITES[what](out, task)
    assert str(tmp_path) in str(error.value)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("what", WRITES)
def test_a_full_disk_is_noticed_before_any_work(
    what, task, tmp_path, no_work, monkeypatch
):
    full = shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    before = tree(tmp_path)
    with pytest.raises(OSError, match="MB of free space"):
        WRITES[what](tmp_path / "new" / "place", task)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("what", WRITES)
def test_work_begins_where_the_output_can_be_written(
    what, task, tmp_path, no_work
):
    """Through a link to a folder, and one to a folder that is still to be."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "dangling").symlink_to("to_be")
    before = tree(tmp_path)
    for out in ("link", "link/new", "dangling", "dangling/new"):
        with pytest.raises(Worked):
            WRITES[what](tmp_path / out, task)
        assert tree(tmp_path) == before


@pytest.mark.parametrize(
    "what, stands",
    [
        ("zoo look", "out.png/"),
        ("zoo export", "out"),
        ("zoo demo", "out"),
        ("zoo train --folder", "out"),
        ("zoo train --folder", "out/manifest.json/"),
        ("zoo train --runs", "out/cbam_resnet20_cifar10"),
        ("zoo train --runs", "out/cbam_resnet20_cifar10/checkpoint.npz/"),
        ("zoo finetune", "out"),
        ("Task.finetune", "out/log.json/"),
        ("Task.save", "out"),
    ],
)
def test_what_stands_in_the_way_is_noticed_before_any_work(
    what, stands, task, tmp_path, no_work
):
    path = tmp_path / stands
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir() if stands.endswith("/") else path.write_text("mine")
    before = tree(tmp_path)
    with pytest.raises((OSError, ValueError), match="out"):
        WRITES[what](tmp_path / "out", task)
    assert tree(tmp_path) == before


def test_a_checkpoint_needs_room_for_the_model_and_its_optimizer(
    task, tmp_path, no_work, monkeypatch
):
    large = 10**9 // 32
    monkeypatch.setattr(task.model, "count_params", lambda: large + 1)
    free = shutil._ntuple_diskusage(2 * 10**9, 10**9, 10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    with pytest.raises(OSError, match="1,000 MB of free space"):
        task.finetune(tiny_data(), folder=tmp_path / "run")
    monkeypatch.setattr(task.model, "count_params", lambda: large)
    with pytest.raises(Worked):
        task.finetune(tiny_data(), folder=tmp_path / "run")


def test_a_picture_of_no_known_format_is_refused_before_loading(no_work):
    for name in ("seen.doc", "seen", "seen.tiff.x"):
        with pytest.raises(ValueError, match="'png'.*Received: path='seen"):
            call("look", "m", "x", "--out", name)
    for name in ("seen.svg", "seen.PNG", "seen.html"):
        with pytest.raises(Worked):
            call("look", "m", "x", "--out", name)


def test_only_words_are_drawn_as_a_page(task, monkeypatch, tmp_path):
    def several(self, words, options):
        raise Worked

    monkeypatch.setattr(image_input.Image, "from_shell", several)
    monkeypatch.setattr(zoo, "load", lambda name: task)
    with pytest.raises(ValueError, match="'png'.*seen.html"):
        call("look", "m", "x", "--out", "seen.html")
    with pytest.raises(Worked):
        call("look", "m", "x", "--out", "seen.png")


def test_a_special_file_is_no_place_for_an_output(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a plain file"):
        check_writable(tmp_path / "pipe")


def test_everything_follows_links(task, tmp_path, monkeypatch):
    """What is written stands where the link leads, and the link stays."""
    monkeypatch.setattr(
        export,
        "write",
        lambda task, parts: [p.write_text("1") for p in parts.values()],
    )
    monkeypatch.setattr(export, "_write_elsewhere", export.write)
    monkeypatch.setattr(
        "zoo.export.parity.CHECKS", {"litert": lambda task, part: {}}
    )
    for name in ("model", "run", "export"):
        (tmp_path / name).symlink_to(tmp_path / "real" / name)
    Image.new("RGB", (16, 16)).save(tmp_path / "red.png")
    (tmp_path / "seen.png").symlink_to(tmp_path / "real" / "seen.png")

    task.save(tmp_path / "model")
    task.save(tmp_path / "model")
    tuned = task.finetune(
        tiny_data(6), epochs=1, folder=tmp_path / "run", verbose=0
    )
    tuned.export(tmp_path / "export", "litert")
    call(
        *("look", tmp_path / "model", tmp_path / "red.png"),
        *("--out", tmp_path / "seen.png"),
    )
    real = tmp_path / "real"
    for name in ("model/card.json", "run/checkpoint.npz", "export/export.json"):
        assert (real / name).is_file()
        assert (tmp_path / name.split("/")[0]).is_symlink()
    with Image.open(real / "seen.png") as picture:
        assert picture.format == "PNG"
    assert (tmp_path / "seen.png").is_symlink()


def test_folders_that_were_made_in_vain_are_removed(tmp_path):
    with pytest.raises(Worked):
        with replacing(tmp_path / "a" / "b" / "file") as part:
            part.write_text("half")
            raise Worked
    assert not (tmp_path / "a").exists()
    with pytest.raises(ValueError, match="lie in a folder"):
        figure = pictures.heat_map(np.zeros((8, 8)), np.eye(2))
        pictures.save_figure(figure, tmp_path / "a" / "x.png")
    with replacing(tmp_path / "a" / "b" / "file") as part:
        part.write_text("whole")
    assert (tmp_path / "a" / "b" / "file").read_text() == "whole"
