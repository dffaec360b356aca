"""The task of translation: a text in, the same in another language out."""

import json

import numpy as np
import pytest

import zoo
from tests.zoo.contract import check_task
from tests.zoo.translation.tiny import tiny_translations, untrained
from zoo import training
from zoo.data.translations import TranslationData, spelled_dates
from zoo.plan import Plan
from zoo.printing import metric_line
from zoo.translation import (
    long_memory_reader,
    luong_translator,
    transformer_translator,
)
from zoo.translation.task import Translation

RAWS = ["rot Hund", "blau Haus rot", "Haus"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {
            "builder": "long_memory_reader",
            "presets": long_memory_reader.PRESETS,
        },
        {
            "builder": "luong_translator",
            "presets": luong_translator.PRESETS,
            "attention": "local_p",
            "window": 2,
        },
        {
            "builder": "transformer_translator",
            "presets": transformer_translator.PRESETS,
            "normalize_first": True,
            "transparent": True,
        },
    ],
    ids=lambda options: options.get("builder", "rnn_search"),
)
@pytest.mark.slow
def test_keeps_the_contract_of_a_task(options, tmp_path):
    data = tiny_translations()
    task, recipe = untrained(data, **options)
    check_task(task, recipe, data, RAWS, RAWS[:2], tmp_path / "made")


@pytest.fixture(scope="module")
def task():
    """One that is not trained, and that no test changes."""
    made, _ = untrained()
    return made


def test_answers_of_many_equal_those_of_one(task):
    several = task.predict(RAWS)
    assert [answer["translation"] for answer in several] == [
        task.predict(raw)["translation"] for raw in RAWS
    ]
    assert set(several[0]) == {"translation", "words", "score", "cut"}


def test_an_empty_text_is_translated_by_an_empty_one(task):
    answers = task.predict(["", "rot", " \n"])
    assert [answer["translation"] for answer in answers][::2] == ["", ""]
    assert answers[0]["score"] == pytest.approx(0, abs=1e-6)
    assert task.picture(["", ""], task.look(["", "rot"])).axes


def test_says_what_was_not_read(task):
    text = "rot " * (task.input.pieces.length + 3)
    answer = task.predict(text)
    assert answer["cut"] == 3
    assert "3 pieces at its end not read" in task.input.shown(text, answer)


def test_looks_at_the_pieces_that_were_read(task):
    answer = task.look("rot Hund")
    assert "".join(answer["source"]).strip() == "rot Hund"
    weights = answer["attention"]["attention"]
    said = len(answer["words"])
    read = len(answer["source"])
    np.testing.assert_allclose(weights[:said].sum(axis=1), 1, atol=1e-5)
    assert not weights[:, read:].any()
    assert json.dumps({k: v for k, v in answer.items() if k != "attention"})


def test_measures_translations_and_where_it_looks(task):
    data = tiny_translations()
    found = task.evaluate(data)
    assert list(found) == [
        *("bleu", "chrf", "exact"),
        *("alignment", "chance", "loss"),
    ]
    assert task.count("alignment", data) == task.count("chance", data) == 60
    assert task.count("loss", data) == task.count("bleu", data) == len(data)
    plain = TranslationData(data.texts, data.translations, "plain")
    assert "alignment" not in task.evaluate(plain)


@pytest.mark.parametrize("asked", ["auto", True, False])
def test_learns_from_batches_of_about_one_length(task, monkeypatch, asked):
    """Each length would be compiled anew, so nothing is unless it is asked."""
    given = {}

    def fit(model, batches, validation, **options):
        given.update(options, batches=batches, validation=validation)
        return []

    monkeypatch.setattr(training, "fit", fit)
    copy, data = task.rebuilt(), tiny_translations()
    plan = Plan(epochs=1, learning_rate=0.1, jit_compile=asked)
    copy.follow(data, {"training": {}}, data, plan)
    assert given["jit_compile"] is (asked if asked != "auto" else False)
    source = [len(task.input.pieces.ids(text)) for text in data.texts]
    said = [len(task.output.said.ids(each)) for (each,) in data.translations]
    longest = np.maximum(source, np.array(said) + 1)
    for batches in (given["batches"], given["validation"]):
        assert batches.lengths.tolist() == (-(-longest // 8) * 8).tolist()
    assert given["batches"].shuffle and not given["validation"].shuffle


def test_a_card_says_how_the_metrics_are_computed():
    data = tiny_translations()
    task, recipe = untrained(data)
    task.card["recipe"] = recipe
    task.measure(data)
    signed = task.card["metrics"]["bleu"]["signature"]
    assert signed.startswith("nrefs:1|case:mixed") and "version:" in signed
    assert "signature" not in task.card["metrics"]["exact"]
    assert signed in metric_line(task.card["metrics"]["bleu"])


@pytest.mark.slow
def test_several_translations_of_a_text_are_all_learned():
    data = TranslationData(
        ["rot", "blau"], [["red", "crimson"], ["blue"]], "several"
    )
    task, recipe = untrained(data)
    places, told = task.output.told(data)
    assert places.tolist() == [0, 0, 1] and len(told["target_ids"]) == 3
    log = task.follow(data, recipe, verbose=0)
    assert log[-1]["loss"] < log[0]["loss"]
    assert task.count("loss", data) == 3


def test_one_vocabulary_serves_both_languages_if_it_is_shared():
    data = tiny_translations()
    recipe = {"pieces": {"vocabulary_size": 290, "shared": True}, "words": {}}
    input, output = Translation.learn(data, recipe)
    assert input.pieces.vocabulary == output.said.vocabulary
    apart = Translation.learn(data, {"pieces": {"vocabulary_size": 290}})
    assert apart[0].pieces.vocabulary != apart[1].said.vocabulary


@pytest.mark.parametrize("side", ["", "source_"])
def test_from_scratch_both_vocabularies_and_lengths_are_chosen(side):
    sizes = {f"{side}vocabulary_size": 270, f"{side}length": 5}
    sizes |= {"target_vocabulary_size": 271, "target_length": 6}
    task = zoo.new("translation", "rnn_search", tiny_translations(), **sizes)
    built = task.card["builder_args"]
    assert built["source_vocabulary_size"] == 270
    assert built["target_vocabulary_size"] == 271
    assert (built["source_length"], built["target_length"]) == (5, 6)


@pytest.mark.slow
def test_dates_know_where_each_letter_comes_from():
    data = spelled_dates(200, 1)
    task, _ = untrained(data)
    assert task.count("alignment", data) == 8 * len(data)
    found = task.evaluate(data)
    assert 0.1 < found["chance"] < 0.5


def test_a_translation_beyond_its_length_is_cut_and_said_so(task):
    longer = TranslationData(["rot"], [["red " * 40]], "longer")
    with pytest.warns(UserWarning, match="1 of the 1 translations of 'longer'"):
        task.evaluate(longer)
