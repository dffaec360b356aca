"""Parity: what is proved, what is refused, and that nothing is left half."""

import importlib.util
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
import zoo.export
from tests.zoo.export.exported import some_images, stirred_task
from zoo.answering import Answering
from zoo.atomic import sha256_of_all
from zoo.export import fresh, litert, parity, saved_model
from zoo.export.parity import ParityError, compare
from zoo.outputs.label import Label

tf = pytest.importorskip("tensorflow")
interpreter = pytest.importorskip("ai_edge_litert.interpreter")

IMAGES = some_images(3).astype("float32")
LOGITS = np.array([[1.0, -2.0], [0.5, 3.0]], "float32")

UNDER_JAX = """
import pathlib, sys
import keras
from tests.zoo.export.exported import stirred_task
assert keras.backend.backend() == "jax"
folder = pathlib.Path(sys.argv[1])
task = stirred_task(dtype="mixed_bfloat16")
card = dict(task.card)
print(task.export(folder / "export", ["saved_model"])["saved_model"])
assert task.card.pop("exports") and task.card == card
task.save(folder / "task")
"""


@pytest.fixture
def in_this_process(monkeypatch):
    """Runs exports here: quicker, where the process is not what is tested."""

    def answers(kind, path, requests):
        kinds = {"saved_model": fresh._saved_model, "litert": fresh._litert}
        return list(kinds[kind](str(path), requests))

    monkeypatch.setattr(parity, "_answers", answers)


def test_what_is_asked_and_answered_travels_without_pickles(tmp_path):
    asked = [
        {"image_bytes": [b"ends with a zero\0", b"", "\u00e9"]},
        {"left": ["a"], "x": np.arange(6.0).reshape(2, 3)},
        {
            "label": np.array([b"b\0", b"c"], object),
            "decoded": np.array([True]),
        },
    ]
    np.savez(tmp_path / "asked.npz", **fresh.pack(asked))
    with np.load(tmp_path / "asked.npz", allow_pickle=False) as arrays:
        first, second, third = fresh.unpack(arrays)
    assert first == {"image_bytes": [b"ends with a zero\0", b"", b"\xc3\xa9"]}
    assert second["left"] == [b"a"]
    np.testing.assert_array_equal(second["x"], asked[1]["x"])
    assert third["label"] == [b"b\0", b"c"] and third["decoded"].dtype == bool


def test_reports_the_largest_difference_and_its_output():
    expected = {"logits": LOGITS, "probabilities": LOGITS}
    actual = {"logits": LOGITS + 2e-5, "probabilities": LOGITS + 8e-6}
    report = compare(expected, actual)
    assert report["output"] == "probabilities"
    assert report["tolerance"] == 1e-5
    assert report["largest_difference"] == pytest.approx(8e-6, rel=0.05)
    report = compare(expected, actual, tolerance=1e-3)
    assert (report["output"], report["tolerance"]) == ("logits", 1e-3)


@pytest.mark.parametrize(
    "name, largest, tolerance",
    [
        ("logits", 0, 1e-4),
        ("logits", -211, 2.11e-3),
        ("answer_logits", 211, 2.11e-3),
        ("score", -50, 5e-4),
        ("value", 0.5, 1e-5),
        ("value", -3e5, 3.0),
        # One word that is ruled out does not make a proof of nothing.
        ("logits", -1e9, 1e-2),
        ("probabilities", 211, 1e-5),
    ],
)
def test_large_logits_and_values_are_proved_by_their_size(
    name, largest, tolerance
):
    expected = np.array([[0.0, largest]], "float64")
    report = compare({name: expected}, {name: expected + tolerance * 0.99})
    assert report["tolerance"] == pytest.approx(tolerance)
    with pytest.raises(ParityError, match=name):
        compare({name: expected}, {name: expected + tolerance * 1.01})


def test_equal_outputs_are_within_no_tolerance_at_all():
    report = compare({"logits": LOGITS}, {"logits": LOGITS}, tolerance=0)
    assert report["largest_difference"] == 0


@pytest.mark.parametrize(
    "actual, message",
    [
        ({"logits": LOGITS + [[0, 0], [0, -2e-4]]}, "'logits'.*0.0002"),
        ({"logits": LOGITS * np.nan}, "'logits'.*NaN.*from the export"),
        ({"logits": LOGITS[:1]}, r"shape \(2, 2\). Received: \(1, 2\)"),
        ({"scores": LOGITS}, r"\['logits'\]. Received: \['scores'\]"),
        ({}, r"Received: \[\]"),
    ],
)
def test_refuses_another_answer(actual, message):
    with pytest.raises(ParityError, match=message):
        compare({"logits": LOGITS}, actual)


def test_a_model_that_answers_nan_proves_nothing():
    nothing = {"logits": LOGITS * np.nan}
    with pytest.raises(ParityError, match="'logits'.*NaN.*from the model"):
        compare(nothing, {"logits": LOGITS})
    with pytest.raises(ParityError, match="NaN"):
        compare(nothing, nothing)


def test_classes_may_differ_where_two_tie_but_hardly_anywhere():
    mask = np.zeros((4, 50, 100), "uint8")
    other = mask.copy()
    other[0, 0, :2] = 200  # of 20,000 pixels, whatever their class
    report = compare({"mask": mask}, {"mask": other})
    assert report["largest_difference"] == pytest.approx(1e-4)
    other[0, 0, 2] = 1
    with pytest.raises(ParityError, match="'mask' must be within 0.0001"):
        compare({"mask": mask}, {"mask": other})
    # Shares of a layer that is called so are numbers as all others.
    shares = np.full((2, 3), 0.5, "float32")
    with pytest.raises(ParityError, match="soft_mask"):
        compare({"soft_mask": shares}, {"soft_mask": shares + 1e-3})


def test_text_must_be_equal():
    labels = np.array([b"cat", b"dog"], object)
    assert compare({"label": ["cat", "dog"]}, {"label": labels})
    with pytest.raises(ParityError, match="'label'"):
        compare({"label": ["cat", "cow"]}, {"label": labels})


@pytest.mark.slow
def test_both_formats_are_exported_and_proved(kept, reports):
    assert set(reports) == {"saved_model", "litert"}
    for report in reports.values():
        assert report["largest_difference"] <= report["tolerance"] <= 1e-4
    assert sorted(path.name for path in kept[1].iterdir()) == [
        "export.json",
        "labels.txt",
        "model.tflite",
        "saved_model",
        "task.json",
    ]


@pytest.mark.parametrize("name", ["saved_model", "litert"])
@pytest.mark.slow
def test_finds_a_model_that_is_not_the_one_exported(
    task, reports, name, in_this_process
):
    path, check = reports[name]["path"], parity.CHECKS[name]
    assert check(task, path, {"image": IMAGES})["largest_difference"] < 1e-5
    other = task.rebuilt()
    head = other.model.get_layer("logits").bias
    head.assign(head + np.array([0, 0.001, 0], "float32"))
    message = f"{name}, from_tensors: 'probabilities' must be within 1e-05"
    with pytest.raises(ParityError, match=message):
        check(other, path, {"image": IMAGES})


@pytest.mark.parametrize("name", ["saved_model", "litert"])
@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.slow
def test_finds_an_export_that_errs_alone_or_in_company(
    task, reports, name, alone, monkeypatch, in_this_process
):
    right, wrong = parity._answers, []

    def answers(kind, path, requests):
        for request, outputs in zip(requests, right(kind, path, requests)):
            (value,) = request[1].values()
            if (len(value) == 1) == alone:
                wrong.append(request[0])
                changed = outputs["probabilities"] + 0.1
                outputs = {**outputs, "probabilities": changed}
            yield outputs

    monkeypatch.setattr(parity, "_answers", answers)
    with pytest.raises(ParityError, match="'probabilities'"):
        parity.CHECKS[name](task, reports[name]["path"])
    monkeypatch.setattr(parity, "_worst", lambda reports: None)
    wrong.clear()
    parity.CHECKS[name](task, reports[name]["path"])
    signatures = ["from_tensors"]
    if name == "saved_model":
        signatures += ["attention", "serving_default"]
    assert wrong == signatures


def test_tries_black_and_white_images_and_every_kind_of_file(task):
    inputs = parity._inputs(task, None)
    assert [len(image) for image in inputs.values()] == [5]
    (images,) = inputs.values()
    assert [image.max() for image in images[-2:]] == [0, 255]
    assert images[-1].min() == 255
    kinds, turned = set(), 0
    files, raws = task.input.requests(inputs)
    for file, raw in zip(files["image_bytes"], raws, strict=True):
        assert raw in (None, file)
        if raw is not None:
            image = Image.open(io.BytesIO(file))
            kinds.add((image.format, image.mode))
            turned += image.getexif().get(0x0112, 1) > 1
    assert kinds >= {
        ("PNG", "RGB"),
        ("PNG", "L"),
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("PNG", "I;16"),
        ("JPEG", "RGB"),
        ("JPEG", "L"),
        ("JPEG", "CMYK"),
        ("GIF", "P"),
        ("BMP", "RGB"),
    }
    assert turned == 7


def test_finds_labels_in_another_order(task, reports, in_this_process):
    labels = Label(["c", "a", "b"])
    other = type(task)(task.model, task.card, task.input, labels)
    with pytest.raises(ParityError, match="serving_default: 'label'"):
        parity.check_saved_model(other, reports["saved_model"]["path"])


def test_finds_pixels_prepared_in_another_way(
    task, reports, monkeypatch, in_this_process
):
    prepare = task.input.arrays
    monkeypatch.setattr(
        task.input,
        "arrays",
        lambda raws: {"image": prepare(raws)["image"][..., ::-1]},
    )
    with pytest.raises(ParityError, match="serving_default: '(label|prob)"):
        parity.check_saved_model(task, reports["saved_model"]["path"])


def test_finds_maps_of_another_layer(
    task, tmp_path, monkeypatch, in_this_process
):
    call = Answering.call

    def swapped(self, inputs):
        outputs, maps = call(self, inputs)
        return outputs, {
            name: 1 - weights if name.endswith("channel") else weights
            for name, weights in maps.items()
        }

    with monkeypatch.context() as patch:
        patch.setattr(Answering, "call", swapped)
        saved_model.write(task.rebuilt(), tmp_path / "swapped")
    with pytest.raises(ParityError, match="attention: 'stage_._block_1_att"):
        parity.check_saved_model(task, tmp_path / "swapped")


def test_a_file_that_is_no_export_is_an_error(task, tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"no model at all")
    with pytest.raises(RuntimeError, match="Running .*model.tflite"):
        parity.check_litert(task, tmp_path / "model.tflite")


def test_prints_the_largest_difference(kept, reports, capsys, in_this_process):
    assert parity.main([str(path) for path in kept]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    for name, line in zip(reports, lines):
        report = reports[name]
        assert line == (
            f"{name}: largest difference {report['largest_difference']:.2g} "
            f"in {report['output']}, tolerance {report['tolerance']:g}"
        )


@pytest.mark.slow
def test_is_a_command_that_fails(task, reports, tmp_path):
    other = task.rebuilt()
    head = other.model.get_layer("logits")
    head.kernel.assign(-head.kernel)
    other.save(tmp_path / "other")
    shutil.copy(reports["litert"]["path"], tmp_path)

    bad = run("-m", "zoo.export.parity", str(tmp_path / "other"), str(tmp_path))
    assert bad.returncode == 1, bad.stderr
    assert re.match("litert, from_tensors: 'logits' must be", bad.stdout)


def test_the_command_asks_for_an_export(kept, tmp_path, capsys):
    with pytest.raises(SystemExit):
        parity.main([str(kept[0]), str(tmp_path)])
    assert "no saved_model and no model.tflite in" in capsys.readouterr().err


@pytest.mark.slow
def test_a_model_in_mixed_precision_is_exported_in_float32(tmp_path):
    task = stirred_task(dtype="mixed_bfloat16")
    half = keras.ops.convert_to_numpy(task.model(IMAGES))
    task.export(tmp_path, ["litert"])
    assert {path.name for path in tmp_path.iterdir()} == {
        "export.json",
        "labels.txt",
        "model.tflite",
        "task.json",
    }
    run = interpreter.Interpreter(
        str(tmp_path / "model.tflite")
    ).get_signature_runner()
    exact = task.rebuilt(dtype="float32").model(IMAGES)
    logits = run(image=IMAGES)["logits"]
    np.testing.assert_allclose(logits, exact, rtol=0, atol=1e-4)
    np.testing.assert_allclose(logits, half, rtol=0.05, atol=0.1)
    assert np.abs(logits - half).max() > 1e-3
    assert task.model.dtype_policy.name == "mixed_bfloat16"


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX")
def test_a_model_made_under_jax_is_exported(tmp_path):
    made = run("-c", UNDER_JAX, str(tmp_path), KERAS_BACKEND="jax")
    assert made.returncode == 0, made.stderr
    assert "'largest_difference'" in made.stdout
    task = zoo.load(tmp_path / "task")
    report = task.export(tmp_path / "export", ["litert"])["litert"]
    assert report["largest_difference"] <= report["tolerance"]
    places = {path.name for path in (tmp_path / "export").iterdir()}
    lists = {"export.json", "labels.txt", "task.json"}
    assert places == {*lists, "model.tflite", "saved_model"}


@pytest.mark.parametrize("before", [False, True])
def test_a_failed_proof_leaves_everything_as_it_was(
    task, tmp_path, monkeypatch, before
):
    folder = tmp_path / "export"
    if before:
        folder.mkdir()
        (folder / "mine.txt").write_text("kept")
        (folder / "model.tflite").write_text("the former")
        digests = sha256_of_all(folder, ["model.tflite"])
        listed = json.dumps({"sha256": digests})
        (folder / "export.json").write_text(listed)

    def fails(task, path):
        assert path.read_bytes() == b"whole"
        raise ParityError("no")

    monkeypatch.setitem(parity.CHECKS, "litert", fails)
    monkeypatch.setitem(parity.CHECKS, "saved_model", lambda task, path: {})
    monkeypatch.setattr(saved_model, "write", lambda task, path: path.mkdir())
    monkeypatch.setattr(
        litert, "write", lambda task, path: path.write_bytes(b"whole")
    )
    with pytest.raises(ParityError, match="no"):
        zoo.export.export(task, folder, ["saved_model", "litert"])
    if before:
        assert sorted(path.name for path in folder.iterdir()) == [
            "export.json",
            "mine.txt",
            "model.tflite",
        ]
        assert (folder / "export.json").read_text() == listed
        assert (folder / "model.tflite").read_text() == "the former"
    else:
        assert not folder.exists()


def test_a_failed_conversion_leaves_nothing(task, tmp_path, monkeypatch):
    def fails(task, path):
        path.write_bytes(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(litert, "write", fails)
    monkeypatch.setattr(saved_model, "write", lambda task, path: path.mkdir())
    with pytest.raises(OSError, match="disk full"):
        zoo.export.export(task, tmp_path / "export", ["saved_model", "litert"])
    assert not (tmp_path / "export").exists()


@pytest.mark.parametrize(
    "formats, message",
    [
        (["lite_rt"], r"\['litert', 'saved_model'\].*'lite_rt'; near: \['lite"),
        ("savedmodel", "'savedmodel'; near: .'saved_model'"),
        (["litert", "xyz"], "Received: 'xyz'$"),
    ],
)
def test_an_unknown_format_is_told_the_near_ones(
    task, tmp_path, formats, message
):
    with pytest.raises(ValueError, match=message):
        task.export(tmp_path / "export", formats)
    assert not (tmp_path / "export").exists()


def run(*arguments, **environment):
    root = pathlib.Path(__file__).parents[3]
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, *arguments],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            **environment,
        },
        capture_output=True,
        text=True,
    )
