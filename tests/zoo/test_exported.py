"""An export that answers: as the model does, and without Keras.

What each task's export answers is compared in `tests/zoo/contract.py`.
"""

import json
import pathlib
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

import zoo.export
from tests.zoo.export.conftest import kept, reports, task  # noqa: F401
from tests.zoo.export.exported import encoded, some_images
from zoo import catalogue, exported
from zoo.atomic import sha256
from zoo.cards import PresetError
from zoo.cli import app

needs_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow writes exports"
)
ANSWER = """
import sys
from zoo.cli import app

app(sys.argv[1:], standalone_mode=False)
heavy = {"keras", "tensorflow", "jax", "torch", "pandas", "sklearn"}
sys.exit(", ".join(heavy & {*sys.modules}) or 0)
"""


@pytest.mark.parametrize("name", catalogue.TASKS)
def test_the_catalogue_has_the_input_and_the_output_of_each_task(name):
    entry, kind = catalogue.TASKS[name], catalogue.task_class(name)
    assert catalogue.named(entry["input"]) is kind.input
    assert catalogue.named(entry["output"]) is kind.output


def test_nothing_that_reads_or_answers_imports_keras():
    places = [
        entry[part]
        for entry in catalogue.TASKS.values()
        for part in ("input", "output")
    ]
    code = (
        "import sys\nfrom zoo import answer_files, asking, catalogue, exported"
        f"\nfor place in {places}: catalogue.named(place)"
        "\nassert 'keras' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def export(kept, reports, tmp_path):  # noqa: F811
    """A copy of the export, to be spoilt."""
    return pathlib.Path(shutil.copytree(kept[1], tmp_path / "export"))


@needs_tensorflow
def test_answers_as_the_model_does_one_several_or_none(task, export):  # noqa: F811
    made = exported.load(export)
    images = list(some_images(70, (20, 30)))
    expected = task.predict(images)
    for found in (made.predict(images), made.predict(images, batch_size=7)):
        assert [x["label"] for x in found] == [x["label"] for x in expected]
        np.testing.assert_allclose(
            [list(x["probabilities"].values()) for x in found],
            [list(x["probabilities"].values()) for x in expected],
            atol=1e-5,
        )
    assert made.predict(images[3])["label"] == expected[3]["label"]
    assert made.predict([]) == []
    with pytest.raises(ValueError, match="at place 1"):
        made.predict([images[0], images[1] / 255])


@needs_tensorflow
def test_the_shell_answers_without_keras_and_says_nothing_else(export):
    (export / "a.png").write_bytes(encoded(some_images(1)[0]))
    asked = ["predict", ".", "a.png", "--runtime", "litert", "--json"]
    ran = subprocess.run(
        [sys.executable, "-c", ANSWER, *asked],
        capture_output=True,
        text=True,
        cwd=export,
    )
    assert ran.returncode == 0 and not ran.stderr, ran.stderr
    (answer,) = json.loads(ran.stdout)
    found = exported.load(export).predict(export / "a.png")
    assert answer == {"image": "a.png", **found}


@needs_tensorflow
def test_an_export_asked_without_its_runtime_says_what_to_add(export):
    result = CliRunner().invoke(app, ["predict", str(export), "a.png"])
    assert result.exit_code == 1
    assert "--runtime litert" in result.output


def test_what_is_no_export_is_refused(tmp_path):
    for place, why in ((tmp_path, "no export"), (tmp_path / "a", "no folder")):
        with pytest.raises(PresetError, match=f"zoo export.*{why}"):
            exported.load(place)


@needs_tensorflow
def test_the_threads_are_those_that_are_asked_for(export, monkeypatch):
    from ai_edge_litert import interpreter

    asked, own = [], interpreter.Interpreter

    def recorded(path, num_threads):
        asked.append(num_threads)
        return own(path, num_threads=num_threads)

    monkeypatch.setattr(interpreter, "Interpreter", recorded)
    exported.load(export)
    exported.load(export, threads=2)
    assert asked == [1, 2]
    for threads in (0, -1, True, 1.5):
        with pytest.raises(ValueError, match=f"threads={threads}"):
            exported.load(export, threads=threads)


def rewrite(export, **changes):
    """Changes `task.json`, and lists it as the export's own."""
    path = export / exported.FILE
    found = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(found))
    manifest = export / exported.MANIFEST
    listed = json.loads(manifest.read_text())
    listed["sha256"][exported.FILE] = sha256(path)
    manifest.write_text(json.dumps(listed))


@needs_tensorflow
@pytest.mark.parametrize(
    "changes, message",
    [
        ({"format_version": 2}, "newer keras-attention-zoo.*2"),
        ({"task": "flying"}, "flying"),
        ({"task": "text_classification"}, "vocabulary"),
        ({"preprocessing": {}}, "image_size"),
        ({"assets": {"labels": ["a", "a"]}}, "distinct"),
        ({"assets": {}}, "labels"),
        ({"outputs": {"logits": 1}}, "what each tensor is called"),
        ({"outputs": {"elsewhere": "logits"}}, "tensors.*elsewhere"),
    ],
)
def test_a_task_that_is_not_what_it_must_be_is_refused(
    changes, message, export
):
    rewrite(export, **changes)
    with pytest.raises(PresetError, match=message):
        exported.load(export)


@needs_tensorflow
def test_another_format_over_it_leaves_it_what_it_was(task, export):  # noqa: F811
    before = (export / exported.FILE).read_bytes()
    other = task.rebuilt()
    other.output = type(other.output)(["x", *other.output.labels[1:]])
    zoo.export.export(other, export, "saved_model")
    assert (export / exported.FILE).read_bytes() == before
    image = some_images(1)[0]
    found = exported.load(export).predict(image)
    assert found["label"] == task.predict(image)["label"]


@needs_tensorflow
def test_a_file_that_was_altered_or_is_missing_is_refused(export):
    manifest = export / exported.MANIFEST
    listed = json.loads(manifest.read_text())
    for file in (exported.FILE, exported.MODEL):
        path, whole = export / file, (export / file).read_bytes()
        path.write_bytes(whole[:-1] + b"x")
        with pytest.raises(PresetError, match=f"{file}"):
            exported.load(export)
        path.unlink()
        with pytest.raises(PresetError, match=f"{file}"):
            exported.load(export)
        path.write_bytes(whole)
        without = {k: v for k, v in listed["sha256"].items() if k != file}
        manifest.write_text(json.dumps({"sha256": without}))
        with pytest.raises(PresetError, match=f"must have the file {file}"):
            exported.load(export)
        manifest.write_text(json.dumps(listed))
    exported.load(export)
