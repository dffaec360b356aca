"""Readers for serving: raw text and token ids in, the same answers out."""

import pathlib
import shutil

import keras
import numpy as np
import pytest

import zoo.export
from tests.numbers import close, randomize
from tests.zoo.text_classification.tiny import (
    HAN,
    LABELS,
    NETWORKS,
    RECURRENT,
    TRANSFORMER,
    tiny_reader,
    tiny_texts,
)
from zoo.export import fresh, litert, parity, saved_model
from zoo.export.parity import ParityError
from zoo.inputs.text import Text
from zoo.inputs.word_notes import HARD_TEXTS

tf = pytest.importorskip("tensorflow")
interpreter = pytest.importorskip("ai_edge_litert.interpreter")

TEXTS = [
    "",
    "Lamp, house LOVELY! Tree<br />road",
    "awful; \u00c9tang \U0001f600\tlovely\nstone",
    *tiny_texts(3).texts,
]


def stirred(builder, pooling="attention"):
    task = tiny_reader(builder, pooling)
    randomize(task.model)
    return task


@pytest.fixture(scope="module")
def task():
    return stirred(HAN)


@pytest.fixture(scope="module")
def reports(task, tmp_path_factory):
    """Proved, each in a process of its own."""
    return zoo.export.export(task, tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def loaded(reports):
    return tf.saved_model.load(reports["saved_model"]["path"])


@pytest.fixture
def in_this_process(monkeypatch):
    def answers(kind, path, requests):
        kinds = {"saved_model": fresh._saved_model, "litert": fresh._litert}
        return list(kinds[kind](str(path), requests))

    monkeypatch.setattr(parity, "_answers", answers)


@pytest.mark.slow
def test_both_formats_are_exported_and_proved(reports):
    assert set(reports) == {"saved_model", "litert"}
    for report in reports.values():
        assert report["largest_difference"] <= report["tolerance"] <= 1e-4


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
    token_ids = {"token_ids": ("int32", [None, 3, 4])}
    finals = {"logits": [None, 2], "probabilities": [None, 2]}
    assert found == {
        "serving_default": (
            {"text": ("string", [None])},
            {
                "label": [None],
                "probability": [None],
                "probabilities": [None, 2],
            },
        ),
        "from_tensors": (token_ids, finals),
        "attention": (
            token_ids,
            finals
            | {
                "attention_words": [None, 3, 4],
                "attention_sentences": [None, 3],
            },
        ),
    }


def test_texts_are_answered_as_by_prediction(task, loaded):
    answers = task.predict(TEXTS)
    served = loaded.signatures["serving_default"](text=tf.constant(TEXTS))
    shares = [
        [answer["probabilities"][label] for label in LABELS]
        for answer in answers
    ]
    np.testing.assert_allclose(served["probabilities"], shares, atol=1e-5)
    assert [label.decode() for label in served["label"].numpy()] == [
        answer["label"] for answer in answers
    ]
    assert np.ptp(np.array(shares)[:, 0]) > 0.01


def test_says_where_it_looked(task, loaded):
    ids = task.input.arrays(TEXTS)["token_ids"]
    outputs = loaded.signatures["attention"](token_ids=tf.constant(ids))
    for place, answer in enumerate(task.look(TEXTS)):
        for part in ("words", "sentences"):
            close(
                outputs[f"attention_{part}"][place],
                answer["attention"][f"attention/{part}"],
            )


def test_the_vocabulary_is_inside(task, reports, tmp_path):
    copy = shutil.copytree(reports["saved_model"]["path"], tmp_path / "copy")
    loaded = tf.saved_model.load(copy)
    outputs = loaded.signatures["serving_default"](text=tf.constant(TEXTS))
    for shares, answer in zip(outputs["probabilities"], task.predict(TEXTS)):
        close(max(shares), answer["probability"])
    files = {path.name for path in pathlib.Path(copy).rglob("*.txt")}
    assert files == {"labels.txt"}


def test_a_device_finds_the_words_of_all_ids(task, reports):
    file = pathlib.Path(reports["litert"]["path"]).parent / "vocabulary.txt"
    words = file.read_text("utf-8").split("\n")[:-1]
    assert words == ["", "[UNK]", *task.assets["vocabulary"]]
    assert len(words) == task.input.tokens.vocabulary_size


@pytest.mark.parametrize("builder", NETWORKS)
@pytest.mark.parametrize("pooling", ["attention", "average"])
@pytest.mark.slow
def test_every_network_converts(builder, pooling, tmp_path):
    task = stirred(builder, pooling)
    litert.write(task, tmp_path / "model.tflite")
    lite = interpreter.Interpreter(str(tmp_path / "model.tflite"))
    (token_ids,) = lite.get_input_details()
    assert token_ids["dtype"] == np.int32
    batch = -1 if builder == TRANSFORMER else 1
    shape = [batch, *task.model.input_shape[1:]]
    assert token_ids["shape_signature"].tolist() == shape
    run = lite.get_signature_runner()
    ids = task.input.arrays(TEXTS)["token_ids"]
    for row, logits in zip(ids, task.model(ids)):
        outputs = run(token_ids=row[None])
        assert set(outputs) == {"logits", "probabilities"}
        np.testing.assert_allclose(outputs["logits"][0], logits, atol=1e-4)


def test_a_loop_takes_one_text_at_a_time_on_a_device_only(task):
    assert litert.batch_of(task) == 1
    assert litert.batch_of(stirred(RECURRENT, "average")) == 1
    assert litert.batch_of(stirred(TRANSFORMER)) is None


def test_proves_texts_that_are_hard_to_take_apart(task):
    ids = task.input.golden()["token_ids"]
    columns, texts = task.input.requests({"token_ids": ids})
    assert columns == {"text": texts}
    assert len(texts) == 2 + 4 + len(HARD_TEXTS)
    back = task.input.arrays(texts[:2])["token_ids"]
    np.testing.assert_array_equal(back, ids)


def test_proves_ids_that_are_empty_full_unknown_and_of_one_word(task):
    (ids,) = parity._inputs(task, None).values()
    empty, full, unknown, one = ids[-4:].reshape(4, -1)
    assert not empty.any()
    assert full.all() and len(np.unique(full)) > 2
    assert set(unknown) >= {1} and set(unknown) <= {0, 1}
    assert one[0] > 1 and not one[1:].any()


@pytest.mark.slow
def test_finds_another_vocabulary(task, reports, in_this_process):
    words = task.assets["vocabulary"]
    text = Text(words[::-1], **task.input.settings())
    other = type(task)(task.model, task.card, text, task.output)
    with pytest.raises(ParityError, match="serving_default: "):
        parity.check_saved_model(other, reports["saved_model"]["path"])


@pytest.mark.parametrize("name", ["saved_model", "litert"])
@pytest.mark.slow
def test_finds_a_model_that_is_not_the_one_exported(
    task, reports, name, in_this_process
):
    path, check = reports[name]["path"], parity.CHECKS[name]
    assert check(task, path)["largest_difference"] < 1e-4
    other = task.rebuilt()
    head = other.model.get_layer("logits").bias
    head.assign(head + np.array([0, 0.01], "float32"))
    with pytest.raises(ParityError, match=f"{name}, from_tensors: 'prob"):
        check(other, path)


def test_a_model_of_a_free_batch_keeps_it(tmp_path):
    task = stirred(TRANSFORMER)
    saved_model.write(task, tmp_path / "saved", ["from_tensors"])
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    ids = task.input.arrays(TEXTS)["token_ids"]
    outputs = loaded.signatures["from_tensors"](token_ids=tf.constant(ids))
    close(outputs["logits"], task.model(ids))
    close(outputs["probabilities"], keras.ops.softmax(task.model(ids)))
