"""Matchers for serving: two texts, or their ids, in; the same answers out."""

import functools
import itertools
import pathlib
import shutil

import numpy as np
import pytest

import zoo.export
from tests.numbers import close
from tests.zoo.sentence_matching.tiny import (
    LABELS,
    MWAN,
    stirred,
    tiny_matcher,
    tiny_pairs,
    tiny_selector,
)
from zoo.data import pair_tokens
from zoo.export import fresh, litert, parity, saved_model
from zoo.export.parity import ParityError
from zoo.inputs import text_pair
from zoo.inputs.text_pair import TextPair
from zoo.inputs.word_notes import HARD_TEXTS

tf = pytest.importorskip("tensorflow")
interpreter = pytest.importorskip("ai_edge_litert.interpreter")

WAYS = ["dot", "minus"]  # two of the four, for the time they take
PAIRS = [
    ("Blick, dax WUG!<br />Zorblax", "A zorblax; dax?"),
    ("Blick, dax WUG!<br />Zorblax", "A quuxle; dax?"),
    ("\u00c9tang \U0001f600\tlim zav lim zav lim", "\u00c9tang\nfep " * 5),
    ("dax lim", "lim dax"),
    *tiny_pairs(3).pairs,
]
EMPTY = [("", ""), ("", "dax"), ("dax ... lim", "?!")]


@pytest.fixture(scope="module")
def abcnn():
    return stirred(tiny_matcher(overlap_features=True))


@pytest.fixture(scope="module")
def mwan():
    return stirred(tiny_matcher(MWAN, ways=WAYS))


@pytest.fixture(scope="module")
def reports(abcnn, tmp_path_factory):
    """Proved, each in a process of its own."""
    return zoo.export.export(abcnn, tmp_path_factory.mktemp("abcnn"))


@pytest.fixture(scope="module")
def loaded(reports):
    return tf.saved_model.load(reports["saved_model"]["path"])


@pytest.fixture(scope="module")
def loop(mwan, tmp_path_factory):
    """MwAN in both formats, unproved."""
    folder = tmp_path_factory.mktemp("mwan")
    saved_model.write(mwan, folder / "saved_model")
    litert.write(mwan, folder / "model.tflite")
    return folder


@pytest.fixture(scope="module")
def loop_loaded(loop):
    return tf.saved_model.load(str(loop / "saved_model"))


@pytest.fixture(scope="module")
def looked(request):
    """What a task by its fixture's name answers to the pairs, and why."""

    @functools.cache
    def look(network):
        return request.getfixturevalue(network).look(PAIRS)

    return look


@pytest.fixture
def in_this_process(monkeypatch):
    def answers(kind, path, requests):
        kinds = {"saved_model": fresh._saved_model, "litert": fresh._litert}
        return list(kinds[kind](str(path), requests))

    monkeypatch.setattr(parity, "_answers", answers)


def signatures(loaded):
    return {
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


def asked(pairs):
    lefts, rights = zip(*pairs)
    return {"left": tf.constant(lefts), "right": tf.constant(rights)}


def shares(answers):
    return [
        [answer["probabilities"][label] for label in LABELS]
        for answer in answers
    ]


def as_tensors(ids):
    return {name: tf.constant(array) for name, array in ids.items()}


IDS = {
    "left_ids": ("int32", [None, 6]),
    "right_ids": ("int32", [None, 4]),
}
FINALS = {"logits": [None, 2], "probabilities": [None, 2]}
SERVED = (
    {"left": ("string", [None]), "right": ("string", [None])},
    {"label": [None], "probability": [None], "probabilities": [None, 2]},
)


@pytest.mark.slow
def test_both_formats_are_exported_and_proved(reports):
    assert set(reports) == {"saved_model", "litert"}
    for report in reports.values():
        assert report["largest_difference"] <= report["tolerance"] <= 1e-4


@pytest.mark.slow
def test_has_the_signatures_promised_and_no_other(loaded, loop_loaded):
    maps = {
        "block_1_input": [None, 6, 4],
        "block_1_output": [None, 8, 6],
    }
    assert signatures(loaded) == {
        "serving_default": SERVED,
        "from_tensors": (IDS, FINALS),
        "attention": (IDS, FINALS | maps),
    }
    maps = {
        "attention_dot": [None, 6, 4],
        "attention_minus": [None, 6, 4],
        "attention_ways": [None, 6, 2],
        "attention_left": [None, 6],
        "attention_right": [None, 4],
    }
    assert signatures(loop_loaded) == {
        "serving_default": SERVED,
        "from_tensors": (IDS, FINALS),
        "attention": (IDS, FINALS | maps),
    }


@pytest.mark.parametrize("network", ["abcnn", "mwan"])
def test_texts_are_answered_as_by_prediction(network, looked, request):
    export = {"abcnn": "loaded", "mwan": "loop_loaded"}[network]
    serve = request.getfixturevalue(export).signatures["serving_default"]
    answers = looked(network)
    served = serve(**asked(PAIRS))
    np.testing.assert_allclose(
        served["probabilities"], shares(answers), rtol=0, atol=1e-5
    )
    assert [label.decode() for label in served["label"].numpy()] == [
        answer["label"] for answer in answers
    ]
    close(served["probability"], [a["probability"] for a in answers])
    assert np.ptp(np.array(shares(answers))[:, 0]) > 1e-3


def test_an_unknown_word_of_both_sides_is_told_from_two(abcnn, loaded):
    assert not {"zorblax", "quuxle"} & set(abcnn.input.tokens.vocabulary)
    served = loaded.signatures["serving_default"](**asked(PAIRS[:2]))
    same, other = served["probabilities"][:, 0].numpy()
    assert abs(same - other) > 5e-4


@pytest.mark.parametrize("export", ["loaded", "loop_loaded"])
def test_a_text_without_words_is_answered_with_finite_numbers(export, request):
    serve = request.getfixturevalue(export).signatures["serving_default"]
    served = serve(**asked(EMPTY))
    for name in ("probability", "probabilities"):
        assert np.isfinite(served[name]).all()
    for label in served["label"].numpy():
        assert label.decode() in LABELS


@pytest.mark.parametrize("network", ["abcnn", "mwan"])
def test_says_which_words_it_found_alike(network, looked, request):
    task = request.getfixturevalue(network)
    export = {"abcnn": "loaded", "mwan": "loop_loaded"}[network]
    look = request.getfixturevalue(export).signatures["attention"]
    outputs = look(**as_tensors(task.input.arrays(PAIRS)))
    for place, answer in enumerate(looked(network)):
        for name, weights in answer["attention"].items():
            close(outputs[name.replace("/", "_")][place], weights)
        close(outputs["probabilities"][place], shares([answer])[0])


@pytest.mark.parametrize("batch", [1, 3])
def test_ids_are_answered_as_by_the_model(abcnn, reports, loaded, batch):
    ids = abcnn.input.arrays(PAIRS[:batch])
    logits = abcnn.model(ids)
    outputs = loaded.signatures["from_tensors"](**as_tensors(ids))
    close(outputs["logits"], logits)
    run = lite(reports["litert"]["path"]).get_signature_runner("from_tensors")
    outputs = run(**ids)
    assert set(outputs) == {"logits", "probabilities"}
    np.testing.assert_allclose(outputs["logits"], logits, atol=1e-4)


def test_a_loop_takes_one_pair_at_a_time_on_a_device_only(
    mwan, loop, loop_loaded
):
    run = lite(loop / "model.tflite").get_signature_runner("from_tensors")
    ids = mwan.input.arrays(PAIRS)
    logits = mwan.model(ids)
    for place, row in enumerate(logits):
        outputs = run(**{k: v[place : place + 1] for k, v in ids.items()})
        np.testing.assert_allclose(outputs["logits"][0], row, atol=1e-4)
    outputs = loop_loaded.signatures["from_tensors"](**as_tensors(ids))
    close(outputs["logits"], logits)


def test_only_a_loop_has_a_fixed_batch(abcnn, mwan, reports, loop):
    for task, path, batch in (
        (abcnn, reports["litert"]["path"], -1),
        (mwan, loop / "model.tflite", 1),
    ):
        assert (litert.batch_of(task) or -1) == batch
        shapes = {
            tuple(details["shape_signature"].tolist())
            for details in lite(path).get_input_details()
        }
        assert shapes == {(batch, 6), (batch, 4)}
        assert lite(path).get_signature_list()["from_tensors"] == {
            "inputs": ["left_ids", "right_ids"],
            "outputs": ["logits", "probabilities"],
        }


def test_a_loop_is_proved_one_pair_after_the_other(mwan, loop, in_this_process):
    report = parity.check_litert(mwan, loop / "model.tflite")
    assert report["largest_difference"] <= report["tolerance"]


def test_the_vocabulary_is_inside_and_beside(abcnn, reports, tmp_path):
    path = pathlib.Path(reports["saved_model"]["path"])
    copy = shutil.copytree(path, tmp_path / "copy")
    serve = tf.saved_model.load(copy).signatures["serving_default"]
    close(serve(**asked(PAIRS))["probabilities"], shares(abcnn.predict(PAIRS)))
    words = (path.parent / "vocabulary.txt").read_text("utf-8").split("\n")
    assert words == ["", "[UNK]", *abcnn.assets["vocabulary"], ""]


def test_proves_pairs_that_are_hard_to_take_apart(abcnn):
    ids = abcnn.input.golden()
    columns, pairs = abcnn.input.requests(ids)
    assert [*zip(columns["left"], columns["right"])] == pairs
    assert len(pairs) == 2 + 4 * 4 + 2 * len(HARD_TEXTS) - 1
    back = abcnn.input.arrays(pairs[:2])
    for name in ids:
        np.testing.assert_array_equal(back[name] > 0, ids[name] > 0)
        known = ids[name] < abcnn.input.tokens.vocabulary_size
        np.testing.assert_array_equal(back[name][known], ids[name][known])


def test_proves_ids_of_which_either_side_is_extreme(abcnn):
    found = parity._inputs(abcnn, None)
    count = abcnn.input.tokens.vocabulary_size
    kinds = {
        "empty": lambda ids: not ids.any(),
        "full": lambda ids: (ids > 0).all() and (ids < count).all(),
        "unknown": lambda ids: (ids >= count).all(),
        "one": lambda ids: (
            (ids > 0).tolist() == [True] + [False] * len(ids[1:])
            and ids[0] < count
        ),
    }
    sides = [
        [next(kind for kind, is_ in kinds.items() if is_(row)) for row in rows]
        for rows in (ids[-16:] for ids in found.values())
    ]
    assert set(zip(*sides)) == set(itertools.product(kinds, kinds))


@pytest.mark.parametrize("variant", ["bcnn", 1, 2])
def test_every_variant_converts(variant, tmp_path):
    task = stirred(tiny_matcher(variant=variant))
    litert.write(task, tmp_path / "model.tflite")
    run = lite(tmp_path / "model.tflite").get_signature_runner()
    ids = task.input.arrays([*PAIRS, *EMPTY])
    outputs = run(**ids)
    assert np.isfinite(outputs["logits"]).all()
    np.testing.assert_allclose(outputs["logits"], task.model(ids), atol=1e-4)


def test_a_model_that_weighs_nothing_has_no_such_signature(tmp_path):
    task = tiny_matcher(variant="bcnn")
    assert not task.has_attention()
    saved_model.write(task, tmp_path / "plain")
    found = tf.saved_model.load(str(tmp_path / "plain")).signatures
    assert set(found) == {"serving_default", "from_tensors"}


def test_a_ranking_is_served_candidate_by_candidate(tmp_path, in_this_process):
    task = stirred(tiny_selector(variant="bcnn", overlap_features=True))
    saved_model.write(task, tmp_path / "saved")
    report = parity.check_saved_model(task, tmp_path / "saved")
    assert report["largest_difference"] <= report["tolerance"]
    serve = tf.saved_model.load(str(tmp_path / "saved")).signatures
    question, candidates = "Does dax lim?", ["lim zorblax", "fep", "A dax."]
    served = serve["serving_default"](
        left=tf.constant(candidates), right=tf.constant([question] * 3)
    )
    for answer in task.predict((question, candidates))["answers"]:
        share = served["probabilities"][answer["place"], 1]
        assert answer["score"] == pytest.approx(float(share), abs=1e-5)


@pytest.mark.parametrize(
    "fault",
    [
        lambda ids, left, right: ids(right, left),
        lambda ids, left, right: {
            side: tf.minimum(row, 12) for side, row in ids(left, right).items()
        },
        lambda ids, left, right: ids(tf.strings.upper(left) + "s", right),
    ],
    ids=["sides exchanged", "unknown words as one", "other words"],
)
@pytest.mark.slow
def test_finds_texts_prepared_in_another_way(
    abcnn, tmp_path, monkeypatch, in_this_process, fault
):
    vectorization = pair_tokens.pair_vectorization

    class Faulty(tf.Module):
        def __init__(self, tokens):
            self.ids = vectorization(tokens)

        def __call__(self, left, right):
            return fault(self.ids, left, right)

    assert abcnn.input.tokens.vocabulary_size <= 12
    monkeypatch.setattr(text_pair, "pair_vectorization", Faulty)
    saved_model.write(abcnn, tmp_path / "saved")
    with pytest.raises(ParityError, match="serving_default: 'prob"):
        parity.check_saved_model(abcnn, tmp_path / "saved")


def test_finds_another_vocabulary(abcnn, reports, in_this_process):
    words = abcnn.assets["vocabulary"]
    pair = TextPair(words[::-1], **abcnn.input.settings())
    other = type(abcnn)(abcnn.model, abcnn.card, pair, abcnn.output)
    with pytest.raises(ParityError, match="serving_default: "):
        parity.check_saved_model(other, reports["saved_model"]["path"])


@pytest.mark.parametrize("name", ["saved_model", "litert"])
@pytest.mark.slow
def test_finds_a_model_that_is_not_the_one_exported(
    abcnn, reports, name, in_this_process
):
    path, check = reports[name]["path"], parity.CHECKS[name]
    assert check(abcnn, path)["largest_difference"] < 1e-4
    other = abcnn.rebuilt()
    layer = other.model.get_layer("overlap_features")
    layer.idf.assign(layer.idf + 0.5)
    with pytest.raises(ParityError, match=f"{name}, from_tensors: '"):
        check(other, path)


def lite(path):
    return interpreter.Interpreter(str(path))
