"""LiteRT: one file, built-in operators only, any batch."""

import importlib.util
import os
import pathlib

import keras
import numpy as np
import pytest

import zoo
import zoo.export
from tests.zoo.export.exported import some_images, stirred_task
from tests.zoo.tiny import LABELS
from zoo.export import litert
from zoo.image_classification.attention_resnet import ATTENTION

tf = pytest.importorskip("tensorflow")
interpreter = pytest.importorskip("ai_edge_litert.interpreter")

IMAGES = some_images(3).astype("float32")


@pytest.fixture(scope="module")
def report(reports):
    return reports["litert"]


@pytest.mark.parametrize("batch", [1, 3])
def test_answers_a_batch_of_any_size_as_the_model_does(task, report, batch):
    run = runner(report["path"])
    outputs = run(image=IMAGES[:batch])
    logits = task.model(IMAGES[:batch])
    assert set(outputs) == {"logits", "probabilities"}
    close(outputs["logits"], logits, 1e-4)
    close(outputs["probabilities"], keras.ops.softmax(logits), 1e-5)


def test_has_one_signature_and_names_its_inputs(report):
    lite = interpreter.Interpreter(report["path"])
    assert lite.get_signature_list() == {
        "from_tensors": {
            "inputs": ["image"],
            "outputs": ["logits", "probabilities"],
        }
    }
    (image,) = lite.get_input_details()
    assert image["shape_signature"].tolist() == [-1, 16, 16, 3]
    assert image["dtype"] == np.float32


def test_lies_beside_its_labels(report):
    folder = pathlib.Path(report["path"]).parent
    assert sorted(path.name for path in folder.iterdir()) == [
        "export.json",
        "labels.txt",
        "model.tflite",
        "saved_model",
        "task.json",
    ]
    assert (folder / "labels.txt").read_text().splitlines() == LABELS
    assert report["bytes"] == (folder / "model.tflite").stat().st_size


@pytest.mark.parametrize("attention", [None, *ATTENTION])
@pytest.mark.slow
def test_every_attention_of_the_table_converts(attention, tmp_path):
    task = stirred_task(attention)
    litert.write(task, tmp_path / "model.tflite")
    outputs = runner(tmp_path / "model.tflite")(image=IMAGES)
    close(outputs["logits"], task.model(IMAGES), 1e-4)


@pytest.mark.parametrize(
    "name, threads",
    [
        ("resnet20_cifar10", 2),
        ("sat_soft_scenes", 1),
        ("butd_vqa_easy", 2),
        ("abcnn3_wikiqa", 1),
        ("mmoe_adult", 1),
    ],
)
def test_a_second_thread_suits_pictures_alone(name, threads):
    assert litert.threads_of(zoo.load(name)) == threads


def test_the_report_names_the_threads(report):
    assert report["threads"] == 2


def test_a_model_of_other_operators_fails_and_leaves_nothing(task, tmp_path):
    image = keras.Input((16, 16, 3), name="image")
    resize = keras.layers.Resizing(16, 16, interpolation="bicubic")
    half = keras.layers.Cropping2D(4)(image)
    model = keras.Model(image, task.model(resize(half)), name="curved")
    other = type(task)(model, task.card, task.input, task.output)
    message = "built-in operators.*Received: 'curved', which needs tf.ResizeBi"
    with pytest.raises(ValueError, match=message):
        zoo.export.export(other, tmp_path / "new", ["litert"])
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "module, extra", [("ai_edge_litert", "export"), ("tensorflow", "zoo")]
)
def test_a_missing_tool_is_named_with_its_extra(
    task, tmp_path, monkeypatch, module, extra
):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == module else find(name),
    )
    with pytest.raises(
        ImportError, match=rf"{module}.*pip install .*{extra}\]"
    ):
        zoo.export.export(task, tmp_path / "new", ["litert"])
    assert not (tmp_path / "new").exists()


def test_the_terminal_stays_quiet(task, tmp_path, capfd, monkeypatch):
    converter = tf.lite.TFLiteConverter
    find = converter.from_saved_model

    def loud(*args, **options):
        os.write(2, b"W0000 chatter of a compiler\n")
        return find(*args, **options)

    monkeypatch.setattr(converter, "from_saved_model", loud)
    litert.write(task, tmp_path / "model.tflite")
    assert capfd.readouterr() == ("", "")
    os.write(2, b"heard again")
    assert capfd.readouterr().err == "heard again"


def runner(path):
    return interpreter.Interpreter(str(path)).get_signature_runner()


def close(actual, expected, atol):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)
