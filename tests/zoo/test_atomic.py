"""What stands where something is written: replaced if ours, else kept."""

import json

import pytest

from tests.zoo.tiny import tiny_data, tiny_task
from zoo import demo, export
from zoo.atomic import replacing
from zoo.export import parity


@pytest.fixture
def quick(monkeypatch):
    """Formats of a few bytes, which need no proof."""

    def write(task, parts):
        for name, path in parts.items():
            if name == "saved_model":
                (path / "variables").mkdir(parents=True)
                (path / "variables" / "data").write_text(str(write.count))
                path = path / "saved_model.pb"
            path.write_text(str(write.count))
            write.count += 1

    write.count = 0
    monkeypatch.setattr(export, "write", write)
    monkeypatch.setattr(export, "_write_elsewhere", write)
    checks = dict.fromkeys(parity.CHECKS, lambda task, part: {})
    monkeypatch.setattr(parity, "CHECKS", checks)


def contents(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in files}


def test_an_export_replaces_what_an_export_wrote_and_no_more(quick, tmp_path):
    task = tiny_task("se")
    export.export(task, tmp_path)
    (tmp_path / "notes.txt").write_text("dear")
    before = contents(tmp_path)
    export.export(task, tmp_path, "litert")
    after = contents(tmp_path)
    changed = {path.name for path in after if after[path] != before[path]}
    assert changed == {"model.tflite", "export.json"}
    assert after.keys() == before.keys()
    listed = json.loads((tmp_path / "export.json").read_text())["sha256"]
    assert set(listed) == {
        "labels.txt",
        "model.tflite",
        "saved_model/saved_model.pb",
        "saved_model/variables/data",
        "task.json",
    }
    export.export(task, tmp_path)


@pytest.mark.parametrize(
    "file",
    [
        "labels.txt",
        "model.tflite",
        "export.json",
        "saved_model/mine.txt",
        "saved_model/variables/data",
        "saved_model/deep/er/mine.txt",
    ],
)
@pytest.mark.parametrize("exported", [False, True])
def test_a_file_in_the_way_of_an_export_is_an_error_first(
    quick, tmp_path, file, exported
):
    task = tiny_task("se")
    if exported:
        export.export(task, tmp_path)
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text("[1]")
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=f"Received: .*{file}"):
        export.export(task, tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "file",
    [
        "results.json",
        "where_it_looked.png",
        "digit_2.png",
        "exported/labels.txt",
        "cbam_resnet20_digits/notes.txt",
    ],
)
def test_the_demo_begins_only_where_nothing_is_in_its_way(tmp_path, file):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("[]")
    task, shown = tiny_task("cbam"), tiny_data(3)
    shown.label_names[:] = ["0", "1", "2"]
    with pytest.raises(ValueError, match=file.split("/")[0]):
        demo._check_replaceable(task, shown, tmp_path)
    (tmp_path / file).unlink()
    demo._check_replaceable(task, shown, tmp_path)


def test_a_file_never_replaces_a_folder(tmp_path):
    (tmp_path / "log.json").mkdir()
    (tmp_path / "log.json" / "mine").write_text("dear")
    with pytest.raises(IsADirectoryError, match="log.json"):
        with replacing(tmp_path / "log.json") as part:
            part.write_text("1")
    assert (tmp_path / "log.json" / "mine").read_text() == "dear"
    assert [path.name for path in tmp_path.iterdir()] == ["log.json"]


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(
    tmp_path, monkeypatch
):
    import os

    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "mine").write_text("dear")
    rename, calls = os.rename, []

    def failing(source, target):
        calls.append(source)
        if len(calls) == 2:
            raise OSError("no")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(OSError, match="no"):
        with replacing(tmp_path / "a") as part:
            part.mkdir()
    assert (tmp_path / "a" / "mine").read_text() == "dear"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
