"""SavedModel: what it takes, what it answers, and what it needs: TensorFlow."""

import json
import logging
import os
import pathlib
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

import zoo.export
from keras_attention import attention_maps
from tests.zoo.export.exported import encoded, some_images, stir, stirred_task
from tests.zoo.tiny import LABELS
from zoo.export import saved_model
from zoo.image_classification.task import ImageClassification
from zoo.inputs.image import Image
from zoo.outputs.label import Label

tf = pytest.importorskip("tensorflow")

IMAGES = some_images(5)
MAPS = [
    f"stage_{stage}_block_1_attention_{part}"
    for stage in (1, 2)
    for part in ("channel", "spatial")
]

ALONE = """
import json, sys
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
files = [open(path, "rb").read() for path in sys.argv[2:]]
answer = loaded.signatures["serving_default"](image_bytes=tf.constant(files))
assert not {"zoo", "keras_attention"} & set(sys.modules)
print(json.dumps([label.decode() for label in answer["label"].numpy()]))
print(json.dumps(answer["probabilities"].numpy().tolist()))
"""


@pytest.fixture(scope="module")
def report(reports):
    return reports["saved_model"]


@pytest.fixture(scope="module")
def loaded(report):
    return tf.saved_model.load(report["path"])


@pytest.mark.slow
def test_reports_where_it_is_and_how_near(report):
    assert set(report) == {
        "path",
        "bytes",
        "largest_difference",
        "output",
        "tolerance",
    }
    files = pathlib.Path(report["path"]).rglob("*")
    sizes = [path.stat().st_size for path in files if path.is_file()]
    assert report["bytes"] == sum(sizes) > 10_000
    assert 0 <= report["largest_difference"] <= report["tolerance"]


def test_has_the_signatures_promised_and_no_other(loaded):
    found = {
        name: (
            {
                key: (spec.dtype.name, spec.shape.as_list())
                for key, spec in function.structured_input_signature[1].items()
            },
            {
                key: spec.shape.as_list()
                for key, spec in function.structured_outputs.items()
            },
        )
        for name, function in loaded.signatures.items()
    }
    image = {"image": ("float32", [None, 16, 16, 3])}
    finals = {"logits": [None, 3], "probabilities": [None, 3]}
    looked = [[None, 1, 1, 8], [None, 16, 16, 1]]
    looked += [[None, 1, 1, 16], [None, 8, 8, 1]]
    assert found == {
        "serving_default": (
            {"image_bytes": ("string", [None])},
            {
                "label": [None],
                "probability": [None],
                "probabilities": [None, 3],
                "decoded": [None],
            },
        ),
        "from_tensors": (image, finals),
        "attention": (image, finals | dict(zip(MAPS, looked))),
    }


@pytest.mark.slow
def test_answers_where_there_is_only_tensorflow(task, report, tmp_path):
    paths = []
    for index, image in enumerate(IMAGES):
        paths.append(tmp_path / f"{index}.png")
        paths[-1].write_bytes(encoded(image))
    environment = {
        key: value for key, value in os.environ.items() if key != "PYTHONPATH"
    }
    lines = subprocess.run(
        [sys.executable, "-P", "-c", ALONE, report["path"], *paths],
        env={**environment, "TF_CPP_MIN_LOG_LEVEL": "3"},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    answers = task.predict(paths)
    assert json.loads(lines[0]) == [answer["label"] for answer in answers]
    close(json.loads(lines[1]), shares(answers))


def test_files_of_any_kind_and_size_are_answered_as_by_prediction(task, loaded):
    large = some_images(1, (40, 23), seed=1)[0]
    see_through = np.dstack([large, np.arange(40 * 23).reshape(40, 23) % 256])
    gray = some_images(1, (9, 30), 1, seed=2)[0, ..., 0]
    files = [
        encoded(IMAGES[0]),
        encoded(large),
        encoded(see_through.astype("uint8")),
        encoded(gray),
        encoded(gray, "LA"),
        encoded(gray, "1"),
        encoded(large, "P"),
    ]
    answers = task.predict(files)
    served = loaded.signatures["serving_default"](
        image_bytes=tf.constant(files)
    )
    close(served["probabilities"], shares(answers))
    close(served["probability"], [a["probability"] for a in answers])
    assert served["label"].numpy().tolist() == [
        answer["label"].encode() for answer in answers
    ]
    assert len(np.unique(served["probabilities"][:, 0].numpy())) >= 5


@pytest.mark.parametrize("options", [{"quality": 60}, {"subsampling": 0}])
def test_photographs_are_decoded_as_by_prediction(task, loaded, options):
    files = [
        encoded(image, form="jpeg", **options)
        for image in some_images(4, (37, 50), seed=3)
    ]
    gray = some_images(1, (20, 20), 1, seed=4)[0, ..., 0]
    files.append(encoded(gray, form="jpeg"))
    served = loaded.signatures["serving_default"](
        image_bytes=tf.constant(files)
    )
    close(served["probabilities"], shares(task.predict(files)))


def test_a_broken_image_is_told_and_harms_no_other(task, loaded):
    good = encoded(IMAGES[0])
    files = [b"", good, b"no image", good[:99], encoded(IMAGES[1], form="webp")]
    served = loaded.signatures["serving_default"](
        image_bytes=tf.constant([*files, encoded(IMAGES[2])])
    )
    decoded = [False, True, False, False, False, True]
    assert served["decoded"].numpy().tolist() == decoded
    answers = task.predict([IMAGES[0], IMAGES[2]])
    probabilities = served["probabilities"].numpy()
    close(probabilities[decoded], shares(answers))
    for place in (0, 2, 3, 4):
        assert served["label"].numpy()[place] == b""
        assert served["probability"].numpy()[place] == 0
        assert not probabilities[place].any()
    alone = loaded.signatures["serving_default"](
        image_bytes=tf.constant([b"no image"])
    )
    assert alone["decoded"].numpy().tolist() == [False]


@pytest.mark.parametrize("batch", [1, 5])
def test_arrays_are_answered_as_by_the_model(task, loaded, batch):
    images = IMAGES[:batch].astype("float32")
    outputs = loaded.signatures["from_tensors"](image=tf.constant(images))
    logits = task.model(images)
    np.testing.assert_allclose(outputs["logits"], logits, atol=1e-4)
    close(outputs["probabilities"], keras.ops.softmax(logits))


def test_says_where_it_looked(task, loaded):
    images = IMAGES.astype("float32")
    outputs = loaded.signatures["attention"](image=tf.constant(images))
    maps = {
        f"{layer}/{part}": weights
        for layer, gates in attention_maps(task.model, images).items()
        for part, weights in gates.items()
    }
    assert [name.replace("/", "_") for name in maps] == MAPS
    for name, weights in zip(MAPS, maps.values()):
        close(outputs[name], weights)
        assert np.ptp(weights) > 1e-3
    close(outputs["probabilities"], keras.ops.softmax(task.model(images)))


def test_labels_come_from_the_asset(report, tmp_path):
    copy = shutil.copytree(report["path"], tmp_path / "copy")
    asset = copy / "assets" / "labels.txt"
    assert asset.read_text().splitlines() == LABELS
    beside = pathlib.Path(report["path"]).with_name("labels.txt")
    assert beside.read_bytes() == asset.read_bytes()

    asset.write_text("rot\ngrün\nblau\n", "utf-8")
    loaded = tf.saved_model.load(str(copy))
    served = loaded.signatures["serving_default"](
        image_bytes=tf.constant([encoded(IMAGES[0])])
    )
    place = int(np.argmax(served["probabilities"]))
    label = served["label"].numpy()[0].decode()
    assert label == ("rot", "grün", "blau")[place]


def test_a_model_without_attention_has_no_such_signature(tmp_path):
    saved_model.write(stirred_task(attention=None), tmp_path / "plain")
    loaded = tf.saved_model.load(str(tmp_path / "plain"))
    assert set(loaded.signatures) == {"serving_default", "from_tensors"}


def test_a_model_of_one_channel_reads_colour_and_gray(tmp_path):
    recipe = {
        "builder": "attention_resnet",
        "builder_args": {
            "input_shape": [12, 10, 1],
            "num_classes": 3,
            "attention": "se",
            "filters": [8],
            "blocks": 1,
        },
    }
    task = ImageClassification.untrained(
        recipe, Image((12, 10), 1), Label(LABELS)
    )
    stir(task.model)
    saved_model.write(task, tmp_path / "gray", ["serving_default"])
    loaded = tf.saved_model.load(str(tmp_path / "gray"))
    files = [
        encoded(some_images(1, (12, 10), 1)[0, ..., 0]),
        encoded(some_images(1, (30, 31), 1)[0, ..., 0]),
        encoded(some_images(1, (30, 31))[0]),
    ]
    served = loaded.signatures["serving_default"](
        image_bytes=tf.constant(files)
    )
    close(served["probabilities"], shares(task.predict(files)))


def test_the_terminal_stays_quiet(task, tmp_path, capfd, monkeypatch):
    save = tf.saved_model.save

    def loud(*args, **options):
        os.write(2, b"W0000 chatter of a compiler\n")
        logging.getLogger("tensorflow").warning("Assets written")
        return save(*args, **options)

    monkeypatch.setattr(tf.saved_model, "save", loud)
    level = logging.getLogger("tensorflow").level
    saved_model.write(task, tmp_path / "quiet", ["from_tensors"])
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("tensorflow").level == level
    os.write(2, b"heard again")
    assert capfd.readouterr().err == "heard again"


@pytest.mark.parametrize("label", ["two\nlines", "return\r"])
def test_refuses_a_label_of_two_lines(task, tmp_path, label):
    other = ImageClassification(
        task.model, task.card, task.input, Label(["a", label, "c"])
    )
    with pytest.raises(ValueError, match="line's end.*Received: '"):
        zoo.export.export(other, tmp_path / "new", ["saved_model"])
    assert not (tmp_path / "new").exists()


def shares(answers):
    return [
        [answer["probabilities"][label] for label in LABELS]
        for answer in answers
    ]


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)
