"""SentenceMatching, AnswerSelection: learn, answer, look, are tuned, kept."""

import io
import json

import keras
import numpy as np
import pytest

import zoo
from tests.zoo.contract import check_task
from tests.zoo.sentence_matching.tiny import (
    ABCNN,
    LABELS,
    MWAN,
    SIDES,
    stirred,
    tiny_matcher,
    tiny_pairs,
    tiny_questions,
    tiny_recipe,
    tiny_selector,
)
from zoo import layer_groups, metrics
from zoo.data.pairs import PairData, scene_claims, who_did_what
from zoo.inputs.candidates import Candidates
from zoo.sentence_matching.task import SentenceMatching

PLAN = {
    "epochs": 10,
    "batch_size": 16,
    "optimizer": "adamw",
    "learning_rate": 0.1,
    "schedule": "one_cycle",
    "weight_decay": 0.0,
    "seed": 0,
}
WAYS = ["concat", "minus"]  # two of the four, for the time they take
PAIR = ("Blick, dax WUG!<br />Zorblax", "A zorblax; dax?")
QUESTION = "Does blick dax?"
CANDIDATES = [
    "Fep gorp.",
    "Blick dax wug.",
    "fep, GORP",
    "toma zav lim fep gorp zav lim toma fep",
    "blick blick",
]


@pytest.fixture(scope="module")
def trained():
    """ABCNN of variant 3, alone: it knows what it found by itself."""
    task = tiny_matcher()
    recipe = {**tiny_recipe(), "training": PLAN}
    task.follow(tiny_pairs(128), recipe, verbose=0)
    return task


@pytest.fixture(scope="module")
def mwan():
    task = tiny_matcher(MWAN, ways=WAYS)
    plan = {**PLAN, "learning_rate": 0.03, "jit_compile": False}
    recipe = {**tiny_recipe(MWAN, ways=WAYS), "training": plan}
    task.follow(tiny_pairs(128), recipe, verbose=0)
    return task


@pytest.fixture(scope="module")
def selector():
    task = tiny_selector(overlap_features=True)
    recipe = {**tiny_recipe(overlap_features=True), "training": PLAN}
    task.follow(tiny_questions(16), recipe, verbose=0)
    return task


@pytest.fixture(scope="module")
def strange():
    """Ranks by words shared alone: every other number weighs nothing."""
    task = tiny_selector(overlap_features=True)
    head = task.model.get_layer("logits")
    kernel = np.zeros(head.kernel.shape, "float32")
    kernel[2, 1] = 5  # after the similarities below and above the block
    head.set_weights([kernel, np.array([0, -2], "float32")])
    return task


def scores(answer):
    return {each["text"]: each["score"] for each in answer["answers"]}


def test_abcnn_learns_a_toy_set(trained):
    results = trained.evaluate(tiny_pairs(40, seed=9))
    assert list(results) == ["accuracy", "f1", "loss"]
    assert results["accuracy"] >= 0.9
    assert len(trained.card["recipe"]["log"]) == 10


@pytest.mark.slow
def test_mwan_learns_a_toy_set(mwan):
    data = tiny_pairs(40, seed=9)
    logits = keras.ops.convert_to_numpy(
        mwan.model(mwan.input.arrays(data.pairs))
    )
    assert np.mean(logits.argmax(axis=1) == data.labels) >= 0.9


def test_learns_which_candidates_are_right(selector):
    results = selector.evaluate(tiny_questions(10, seed=9))
    assert list(results) == ["map", "mrr", "loss"]
    assert results["map"] >= 0.9 and results["mrr"] >= 0.9
    untrained = tiny_selector(overlap_features=True)
    assert untrained.evaluate(tiny_questions(10, seed=9))["map"] < 0.9


def test_answers_one_with_a_dict_and_several_with_a_list(trained):
    one = trained.predict(PAIR)
    keys = ["label", "probability", "probabilities", "cut", "unknown"]
    assert list(one) == keys
    assert one["probability"] == one["probabilities"][one["label"]]
    assert sum(one["probabilities"].values()) == pytest.approx(1, abs=1e-6)
    assert trained.predict([PAIR]) == [one]
    assert trained.predict([]) == [] == trained.look([])
    alike, apart = trained.predict(
        [("blick dax wug toma", "toma dax"), ("blick dax wug toma", "fep lim")]
    )
    assert (alike["label"], apart["label"]) == ("alike", "apart")


def test_ranks_for_one_with_a_dict_and_for_several_with_a_list(selector):
    one = selector.predict((QUESTION, CANDIDATES))
    assert list(one) == ["question", "answers"]
    assert one["question"] == QUESTION
    for answer in one["answers"]:
        assert list(answer) == ["text", "score", "place", "cut", "unknown"]
        assert CANDIDATES[answer["place"]] == answer["text"]
    assert one["answers"][0]["text"] == "Blick dax wug."
    other = ("Zav lim?", ("blick", "lim zav"))
    several = selector.predict([(QUESTION, CANDIDATES), other])
    assert len(several) == 2 and len(several[1]["answers"]) == 2
    assert scores(several[0]) == pytest.approx(scores(one), abs=1e-6)
    assert several[1]["answers"][0]["text"] == "lim zav"
    assert selector.predict([]) == [] == selector.look([])


def test_a_score_is_the_share_of_right_with_the_candidate_on_the_left(selector):
    (answer,) = selector.predict((QUESTION, ["dax blick toma fep"]))["answers"]
    ids = selector.input.tokens([("dax blick toma fep", QUESTION)])
    shares = keras.ops.softmax(selector.model(ids))
    assert selector.assets["labels"] == ["wrong", "right"]
    assert answer["score"] == pytest.approx(float(shares[0, 1]), abs=1e-6)


def test_the_highest_score_is_first_and_equal_ones_keep_their_order(strange):
    answers = strange.predict((QUESTION, CANDIDATES))["answers"]
    places = [answer["place"] for answer in answers]
    found = [answer["score"] for answer in answers]
    assert found == sorted(found, reverse=True)
    assert places == [1, 4, 0, 2, 3]
    turned = strange.predict((QUESTION, CANDIDATES[::-1]))["answers"]
    assert [each["text"] for each in turned] == [
        CANDIDATES[place] for place in (1, 4, 3, 2, 0)
    ]


def test_tells_unknown_words_apart(strange):
    question = "Who met Zorblax?"
    candidates = ["I saw Quuxle.", "I saw Zorblax."]
    assert not {"zorblax", "quuxle"} & set(strange.input.tokens.vocabulary)
    for order in (candidates, candidates[::-1]):
        best, other = strange.predict((question, order))["answers"]
        assert best["text"] == "I saw Zorblax."
        assert best["score"] > other["score"] + 0.1


def test_the_network_tells_unknown_words_apart_too():
    answer = tiny_matcher().look(("dax zorblax quuxle", "zorblax quuxle"))
    grid = answer["attention"]["block_1/input"]
    np.testing.assert_allclose(np.diag(grid[1:3, :2]), 1, atol=1e-3)
    assert grid[1, 1] < 0.99 and grid[2, 0] < 0.99


def test_words_beyond_the_lengths_are_not_read_and_counted(trained, selector):
    left, right = "blick dax wug toma fep gorp", "zav lim toma dax"
    whole, more = trained.predict(
        [(left, right), (f"{left} zav. Lim! Zav", f"{right}, blick")]
    )
    assert (whole["cut"], more.pop("cut")) == ((0, 0), (3, 1))
    assert more["probabilities"] == pytest.approx(whole["probabilities"])
    answers = selector.predict((right + " wug toma", [left, f"{left} lim"]))
    cuts = {each["text"]: each["cut"] for each in answers["answers"]}
    assert cuts == {left: (0, 2), f"{left} lim": (1, 2)}
    assert len(set(scores(answers).values())) == 1


def test_says_which_words_it_found_alike(trained):
    answer = trained.look(PAIR)
    assert answer["label"] == trained.predict(PAIR)["label"]
    assert answer["words"] == (
        ["blick", "dax", "wug", "zorblax"],
        ["a", "zorblax", "dax"],
    )
    maps = answer["attention"]
    assert {name: grid.shape for name, grid in maps.items()} == {
        "block_1/input": (6, 4),
        "block_1/output": (8, 6),
    }
    grid = maps["block_1/input"]
    assert grid[1, 2] == pytest.approx(1)  # dax and dax
    assert grid[:4, :3].min() > 0
    assert not grid[4:].any() and not grid[:, 3:].any()


def test_says_which_words_read_which(mwan):
    answer = mwan.look(PAIR)
    maps = answer["attention"]
    assert {name: grid.shape for name, grid in maps.items()} == {
        "attention/concat": (6, 4),
        "attention/minus": (6, 4),
        "attention/ways": (6, 2),
        "attention/right": (4,),
        "attention/left": (6,),
    }
    for way in WAYS:
        rows = maps[f"attention/{way}"].sum(axis=1)
        np.testing.assert_allclose(rows, [1, 1, 1, 1, 0, 0], atol=1e-5)
        assert not maps[f"attention/{way}"][:, 3:].any()
    assert maps["attention/left"][4:].tolist() == [0, 0]
    assert maps["attention/right"][3:].tolist() == [0]
    *axes, _ = mwan.picture([PAIR], [answer]).axes
    for way, ax in zip(WAYS, axes, strict=True):
        cells = np.asarray(ax.images[0].get_array())
        np.testing.assert_allclose(cells, maps[f"attention/{way}"][:4, :3])


def test_looks_at_every_candidate_in_the_order_of_its_rank(selector):
    raw = (QUESTION, CANDIDATES)
    plain = selector.predict(raw)["answers"]
    looked = selector.look(raw)["answers"]
    for answer, expected in zip(looked, plain, strict=True):
        left, right = answer["words"]
        assert left == selector.input.tokens.words((answer["text"], ""))[0]
        assert right == ["does", "blick", "dax"]
        grid = answer["attention"]["block_1/input"]
        assert grid[len(left) - 1].any() and not grid[len(left) :].any()
        assert answer["score"] == pytest.approx(expected.pop("score"))
        for name, value in expected.items():
            assert answer[name] == value


@pytest.mark.parametrize("make", [tiny_matcher, tiny_selector])
def test_a_model_that_weighs_nothing_cannot_look(make):
    task = make(variant="bcnn")
    raw = PAIR if make is tiny_matcher else (QUESTION, CANDIDATES)
    task.predict(raw)
    with pytest.raises(ValueError, match="attention layer.*'abcnn'"):
        task.look(raw)


@pytest.mark.parametrize("variant", ["bcnn", 1, 2, 3])
def test_every_variant_answers_and_tells_texts_apart(variant):
    task = stirred(tiny_matcher(variant=variant))
    known = ("blick dax wug toma", "lim dax")
    answers = task.predict([known[::-1], known, PAIR, *tiny_pairs(4).pairs])
    turned, *shares = [answer["probability"] for answer in answers]
    assert len(set(shares)) == len(shares)
    # Only attention kernels know which side is which.
    same = turned == pytest.approx(shares[0], rel=1e-5)
    assert same == (variant in ("bcnn", 2))


def test_left_and_right_are_not_exchanged(mwan):
    pair = ("blick dax", "fep gorp zav")
    there, back = mwan.look(pair), mwan.look(pair[::-1])
    assert there["probabilities"]["alike"] != pytest.approx(
        back["probabilities"]["alike"], rel=1e-3
    )
    ids = mwan.input.arrays([pair])
    assert ids["left_ids"].shape == (1, 6) and (ids["left_ids"] > 0).sum() == 2
    assert ids["right_ids"].shape == (1, 4)
    shares = keras.ops.softmax(mwan.model(ids))[0]
    assert there["probabilities"]["alike"] == pytest.approx(
        float(shares[LABELS.index("alike")]), abs=1e-6
    )


def test_numbers_of_a_measurement_are_those_of_the_answers(trained):
    data = tiny_pairs(25, seed=4)
    data.labels[:9] = 1  # so that some are wrong
    answers = trained.predict(data.pairs)
    guesses = np.array([LABELS.index(each["label"]) for each in answers])
    hits = np.sum((guesses == 1) & (data.labels == 1))
    shares = [
        answer["probabilities"][LABELS[label]]
        for answer, label in zip(answers, data.labels, strict=True)
    ]
    results = trained.evaluate(data, batch_size=10)
    assert results["accuracy"] == np.mean(guesses == data.labels) < 1
    f1 = 2 * hits / (np.sum(guesses == 1) + np.sum(data.labels == 1))
    assert results["f1"] == pytest.approx(f1)
    loss = -np.log(shares).mean()
    assert results["loss"] == pytest.approx(loss, rel=1e-4)


def test_map_and_mrr_are_those_of_the_rankings(selector):
    data = tiny_questions(9, seed=3)
    generator = np.random.default_rng(0)
    order = generator.permutation(len(data))  # no question stands together
    data = data.take(order)
    data.labels[generator.random(len(data)) < 0.3] = 1
    of_first = data.groups == 0
    data.labels[of_first] = 0  # this question does not count
    average, reciprocal = [], []
    for question in dict.fromkeys(right for _, right in data.pairs):
        places = [i for i, pair in enumerate(data.pairs) if pair[1] == question]
        candidates = [data.pairs[place][0] for place in places]
        ranked = selector.predict((question, candidates))["answers"]
        marks = [data.labels[places[each["place"]]] for each in ranked]
        ranks = [rank for rank, mark in enumerate(marks, 1) if mark]
        if ranks:
            shares = [(i + 1) / rank for i, rank in enumerate(ranks)]
            average.append(np.mean(shares))
            reciprocal.append(1 / ranks[0])
    assert len(average) == 8 and 0.3 < np.mean(average) < 1
    results = selector.evaluate(data)
    assert results["map"] == pytest.approx(np.mean(average))
    assert results["mrr"] == pytest.approx(np.mean(reciprocal))


def test_a_loss_of_certainty_is_finite_and_exact():
    task = tiny_matcher()
    head = task.model.get_layer("logits")
    head.set_weights([0 * head.kernel, np.array([-400, 400], "float32")])
    data = tiny_pairs(2)
    assert task.evaluate(data)["loss"] == pytest.approx(345.4, abs=0.1)
    data.labels[:] = 1
    assert task.evaluate(data)["loss"] == 0


def test_three_classes_have_no_f1():
    data = scene_claims(30)
    recipe = tiny_recipe(variant="bcnn")
    recipe["tokens"] = {"vocabulary_size": 80, "right_length": 8}
    task = SentenceMatching.untrained(
        recipe, *SentenceMatching.learn(data, recipe)
    )
    results = task.evaluate(data)
    assert list(results) == ["accuracy", "loss"]
    answers = task.predict(data.pairs)
    right = [
        answer["label"] == data.label_names[label]
        for answer, label in zip(answers, data.labels)
    ]
    assert results["accuracy"] == pytest.approx(np.mean(right))


def test_learns_its_vocabulary_and_how_rare_words_are():
    data = PairData(
        [("b b, a", "c b"), ("b a", "c b"), ("d", "B!")],
        np.array([0, 1, 0]),
        ["x", "y"],
    )
    recipe = tiny_recipe(overlap_features=True)
    recipe["tokens"]["vocabulary_size"] = 5
    pair, label = SentenceMatching.learn(data, recipe)
    assert label.labels == ["x", "y"]
    assert pair.tokens.vocabulary == ["b", "a", "c"]
    # Five texts: "c b" counts once. Four hold b, two a, one c.
    expected = [0, np.log(5), np.log(5 / 4), np.log(5 / 2), np.log(5)]
    assert pair.idf == pytest.approx(expected)
    task = SentenceMatching.untrained(recipe, pair, label)
    assert list(task.assets) == ["labels", "vocabulary"]
    layer = task.model.get_layer("overlap_features")
    np.testing.assert_allclose(layer.idf, expected, rtol=1e-6)
    assert task.card["preprocessing"] == {"left_length": 6, "right_length": 4}
    arguments = task.card["builder_args"]
    assert arguments["vocabulary_size"] == 5
    assert (arguments["left_length"], arguments["right_length"]) == (6, 4)


def test_how_rare_words_are_is_kept_with_the_model(selector, tmp_path):
    idf = np.array(selector.model.get_layer("overlap_features").idf)
    assert len(set(idf.tolist())) > 3 and idf[0] == 0
    again = zoo.load(selector.save(tmp_path / "mine"))
    other = tiny_questions(6, seed=5)
    tuned = selector.finetune(
        other, epochs=1, batch_size=8, vocabulary="keep", verbose=0
    )
    for task in (again, tuned):
        layer = task.model.get_layer("overlap_features")
        np.testing.assert_array_equal(layer.idf, idf)


@pytest.mark.parametrize("builder", [ABCNN, MWAN])
def test_is_kept_and_loaded_and_answers_alike(builder, tmp_path, request):
    name = {ABCNN: "trained", MWAN: "mwan"}[builder]
    task = request.getfixturevalue(name)
    folder = task.save(tmp_path / "mine")
    again = zoo.load(folder)
    assert type(again) is SentenceMatching
    ids = task.input.arrays([PAIR, PAIR[::-1], *tiny_pairs(3).pairs])
    np.testing.assert_array_equal(again.model(ids), task.model(ids))
    card = json.loads((folder / "card.json").read_text())
    assert card["assets"] == {
        "labels": "labels.json",
        "vocabulary": "vocabulary.json",
    }
    vocabulary = json.loads((folder / "vocabulary.json").read_text())
    assert vocabulary == task.assets["vocabulary"]
    golden = np.load(folder / "golden.npz")
    ids = {"left_ids": golden["input_0"], "right_ids": golden["input_1"]}
    np.testing.assert_allclose(
        again.model(ids), golden["output_0"], rtol=1e-4, atol=1e-6
    )


def test_golden_ids_are_of_all_kinds_and_one_pair_is_padded(trained):
    ids = trained.input.golden()
    again = trained.input.golden()
    for name, length in (("left_ids", 6), ("right_ids", 4)):
        np.testing.assert_array_equal(ids[name], again[name])
        assert ids[name].shape == (2, length) and ids[name].dtype == "int32"
        assert (ids[name] > 0).sum(axis=1).tolist() == [length, length // 2]
        assert ids[name].max() < trained.input.tokens.num_ids
    everything = np.concatenate([*ids.values()], axis=1)
    assert (everything >= trained.input.tokens.vocabulary_size).any()


def test_finetunes_a_copy_for_other_classes(trained):
    before = [w.copy() for w in trained.model.get_weights()]
    pairs = [
        ("blick dax wug", "dax"),
        ("fep zav", "toma"),
        ("lim gorp", "not lim"),
    ] * 6
    data = PairData(pairs, np.arange(18) % 3, ["follows", "open", "against"])
    copy = trained.finetune(
        data,
        epochs=2,
        batch_size=8,
        validation=data,
        vocabulary="keep",
        verbose=0,
    )
    assert copy.assets["labels"] == ["follows", "open", "against"]
    assert copy.assets["vocabulary"] == trained.assets["vocabulary"]
    assert copy.predict(PAIR)["label"] in copy.assets["labels"]
    assert list(copy.evaluate(data)) == ["accuracy", "loss"]
    assert "val_loss" in copy.card["recipe"]["log"][1]
    for old, now in zip(before, trained.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)


def test_lower_layers_learn_more_slowly(trained):
    groups = layer_groups.multipliers(trained.model, 0.5, ("logits",))
    rates = {path.split("/")[0]: rate for path, rate in groups.items()}
    assert rates == {"embedding": 0.25, "block_1": 0.5, "logits": 1.0}


def test_validation_takes_whole_questions(selector, monkeypatch):
    read = []
    reader = Candidates.reader

    def note(self, data, *args, **options):
        read.append(data)
        return reader(self, data, *args, **options)

    monkeypatch.setattr(Candidates, "reader", note)
    data = tiny_questions(8)
    copy = selector.finetune(
        data, validation=0.25, epochs=1, batch_size=8, verbose=0
    )
    parts = [{right for _, right in part.pairs} for part in read]
    assert len(parts) == 2 and all(parts)
    assert not parts[0] & parts[1]
    assert sum(map(len, parts)) == 8
    assert sum(map(len, read)) == len(data)
    assert "val_loss" in copy.card["recipe"]["log"][0]


def test_rare_classes_count_more_in_whatever_order_they_are(
    trained, monkeypatch
):
    data = tiny_pairs(16).take([0, 1, 2, 4, 6, 8])  # one of them is alike
    turned = PairData(data.pairs, 1 - data.labels, LABELS[::-1])
    weights = []

    def note(model, batches, *args, **options):
        _, labels, counts = batches[0]
        weights.append(dict(zip(labels.tolist(), counts.tolist())))
        return []

    monkeypatch.setattr("zoo.training.fit", note)
    for each in (data, turned):
        trained.finetune(each, class_weight="balanced", verbose=0)
    assert weights[0] == weights[1] == pytest.approx({0: 6 / 10, 1: 6 / 2})


def test_labels_are_told_by_name(trained):
    data = tiny_pairs(12)
    renamed = PairData(data.pairs, 1 - data.labels, LABELS[::-1])
    assert trained.evaluate(renamed) == trained.evaluate(data)
    alien = PairData(data.pairs, data.labels, ["apart", "alikee"])
    with pytest.raises(ValueError, match="'alikee'; near: .*alike"):
        trained.evaluate(alien)


def test_one_class_is_enough_to_measure_on(trained, selector):
    data = tiny_pairs(12)
    alike = [pair for pair, label in zip(data.pairs, data.labels) if label]
    share = np.mean([a["label"] == "alike" for a in trained.predict(alike)])
    one = (alike, ["alike"] * len(alike))
    assert trained.evaluate(one)["accuracy"] == share
    copy = trained.finetune(
        data, validation=one, epochs=1, freeze="backbone", verbose=0
    )
    assert "val_accuracy" in copy.card["recipe"]["log"][0]
    with pytest.raises(ValueError, match=r"two classes.*\['alike'\]"):
        trained.finetune(one, epochs=1)
    questions = tiny_questions(4)
    right = [pair for pair, x in zip(questions.pairs, questions.labels) if x]
    found = selector.evaluate((right, ["right"] * 4))
    assert (found["map"], found["mrr"]) == (1.0, 1.0)


def test_the_card_says_what_was_learned_from_and_measured_on(selector):
    assert who_did_what(2).describe() == {
        "name": "who_did_what",
        "version": "2",
        "licence_class": "A",
        "train_split": "2 of seed 0",
    }
    assert selector.card["data"]["licence_class"] is None
    copy = selector.rebuilt()
    copy.card = {**selector.card, "data": dict(selector.card["data"])}
    test = tiny_questions(5, seed=7)
    results = copy.measure(test)
    assert copy.card["data"]["name"] == "tiny"
    assert copy.card["data"]["test_sha256"] == test.sha256()
    assert copy.card["data"]["test_sha256"] != tiny_questions(5).sha256()
    assert list(copy.card["metrics"]) == ["map", "mrr", "loss"]
    assert copy.card["metrics"]["map"]["value"] == results["map"]
    assert copy.card["metrics"]["map"]["n"] == 5  # questions
    assert copy.card["metrics"]["loss"]["n"] == len(test)
    unanswered = test.take(
        np.flatnonzero((test.groups > 1) | (test.labels < 1))
    )
    assert copy.output.count(unanswered) == 3


@pytest.mark.parametrize(
    "raw, message",
    [
        ("blick", "a tuple of two strings.*'blick' at place 0"),
        (["blick", "dax"], "'blick' at place 0"),
        (("a", "b", "c"), r"\('a', 'b', 'c'\) at place 0"),
        ([PAIR, ("a",)], r"\('a',\) at place 1"),
        ([PAIR, ("a", b"b")], "b'b'.* at place 1"),
        ([["a", "b"]], r"\['a', 'b'\] at place 0"),
        (("a", ["b"]), r"\('a', \['b'\]\)"),
        (5, "Received: 5 "),
        (("", "dax"), "must hold a word.*left='' at place 0"),
        ([PAIR, ("dax", " ...\t!?")], "right=.* at place 1"),
        (("dax", "\ud800"), "valid Unicode"),
    ],
)
def test_what_is_no_pair_is_refused(trained, raw, message):
    for ask in (trained.predict, trained.look):
        with pytest.raises(ValueError, match=message):
            ask(raw)


@pytest.mark.parametrize(
    "raw, message",
    [
        (QUESTION, "a tuple of a string and a list.*at place 0"),
        ((QUESTION, "blick"), "a list of strings.*'blick'"),
        ((QUESTION, ["blick"], "dax"), "'dax'"),
        ((QUESTION, ["blick", 5]), "5"),
        ([(QUESTION, ["a"]), QUESTION], "at place 1"),
        ((QUESTION, []), "a candidate at least.*none for 'Does"),
        (("", ["blick"]), "must hold a word.*question=''"),
        (("?!", ["blick"]), "question='[?]!'"),
        ((QUESTION, ["blick", "..."]), "candidate='...' at place 1"),
    ],
)
def test_what_is_no_question_is_refused(strange, raw, message):
    for ask in (strange.predict, strange.look):
        with pytest.raises(ValueError, match=message):
            ask(raw)


def test_answers_are_selected_from_candidates_only(strange):
    data = tiny_questions(4)
    several = np.arange(len(data)) % 3
    for other in (tiny_pairs(8), (data.pairs, several)):
        for use in (strange.finetune, strange.evaluate):
            with pytest.raises(ValueError, match="question, candidate and lab"):
                use(other)
    names = np.array(data.label_names)[data.labels]
    for listed in (data.labels, names):
        found = strange.read((data.pairs, listed))
        assert found.grouped and found.label_names == ["wrong", "right"]
        np.testing.assert_array_equal(found.labels, data.labels)
    data.label_names = ["right", "wrong"]
    with pytest.raises(ValueError, match=r"\['wrong', 'right'\], in this"):
        strange.evaluate(data)


def test_starts_from_vectors_that_stay(tmp_path):
    file = tmp_path / "vectors.txt"
    known = {"dax": [1.0, 2, 3], "lim": [-1.0, 0, 0.5]}
    file.write_text(
        "".join(
            f"{word} {' '.join(map(str, v))}\n" for word, v in known.items()
        )
        + "elsewhere 9 9 9\n"
    )
    data = tiny_pairs(16)
    recipe = {**tiny_recipe(train_embedding=False), "vectors": str(file)}
    task = SentenceMatching.untrained(
        recipe, *SentenceMatching.learn(data, recipe)
    )
    assert list(task.assets) == ["labels", "vocabulary"]
    assert task.card["builder_args"]["embedding_dim"] == 3
    assert recipe["builder_args"]["embedding_dim"] == 8

    layer = task.model.get_layer("embedding")
    before = np.array(layer.embeddings)
    for word, vector in known.items():
        place = 2 + task.input.tokens.vocabulary.index(word)
        np.testing.assert_array_equal(before[place], vector)
    others = [row for row in before.tolist() if row not in [*known.values()]]
    assert len(others) == len(before) - 2
    assert len({tuple(row) for row in others}) == len(others)
    block = np.array(task.model.get_layer("block_1").get_weights()[0])
    task.follow(data, {**recipe, "training": {**PLAN, "epochs": 1}}, verbose=0)
    np.testing.assert_array_equal(layer.embeddings, before)
    assert (task.model.get_layer("block_1").get_weights()[0] != block).any()

    again = zoo.load(task.save(tmp_path / "mine"))
    np.testing.assert_array_equal(
        again.model.get_layer("embedding").embeddings, before
    )
    assert not again.model.get_layer("embedding").trainable


def test_vectors_are_learned_where_the_recipe_says_so(monkeypatch):
    asked = []

    def corpus(name):
        asked.append(name)
        words = [*SIDES[0], *SIDES[1]]
        return [f"{one} {two}" for one in words for two in words if one != two]

    monkeypatch.setattr("zoo.inputs.text_pair.corpus", corpus)
    recipe = {
        **tiny_recipe(embedding_dim=4),
        "vectors": {"learned_from": ["novels"]},
    }
    task = SentenceMatching.untrained(
        recipe, *SentenceMatching.learn(tiny_pairs(), recipe)
    )
    assert asked == ["novels"]
    assert task.card["builder_args"]["embedding_dim"] == 4
    rows = np.array(task.model.get_layer("embedding").embeddings)
    for word, vector in task.input.vectors.items():
        place = 2 + task.input.tokens.vocabulary.index(word)
        np.testing.assert_array_equal(rows[place], vector)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert set(task.input.vectors) <= set(task.input.tokens.vocabulary)
    assert len(task.input.vectors) >= 6


def test_words_of_the_command_line_are_taken_two_by_two(trained, monkeypatch):
    assert trained.input.from_shell(["a", "b", "c", "d"], {}) == [
        ("a", "b"),
        ("c", "d"),
    ]
    with pytest.raises(ValueError, match="even number of them. Received: 3"):
        trained.input.from_shell(["a", "b", "c"], {})
    monkeypatch.setattr("sys.stdin", io.StringIO("from a pipe\n"))
    assert trained.input.from_shell(["-", "b"], {}) == [("from a pipe\n", "b")]


def test_the_first_word_of_the_command_line_is_the_question(strange):
    assert strange.input.from_shell(["q", "a", "b"], {}) == [("q", ["a", "b"])]
    with pytest.raises(ValueError, match="none for 'q'"):
        strange.predict(strange.input.from_shell(["q"], {}))


def test_metrics_of_one_question_are_those_of_the_module(selector):
    data = tiny_questions(1)
    ranked = scores(selector.predict((data.pairs[0][1], [*dict(data.pairs)])))
    found = [ranked[left] for left, _ in data.pairs]
    assert selector.evaluate(data)["map"] == pytest.approx(
        metrics.mean_average_precision(data.labels, found, data.groups)
    )


@pytest.mark.parametrize("make", [tiny_matcher, tiny_selector])
def test_what_is_no_number_is_not_measured(make):
    task = make()
    head = task.model.get_layer("logits")
    head.set_weights([weight * np.nan for weight in head.get_weights()])
    data = tiny_pairs(8) if make is tiny_matcher else tiny_questions(8)
    with pytest.raises(ValueError, match="Received: loss=nan"):
        task.evaluate(data)


@pytest.mark.slow
def test_keeps_the_contract(trained, tmp_path):
    pairs = [("blick dax wug", "dax"), ("fep zav", "toma")] * 9
    check_task(
        trained,
        {**tiny_recipe(), "training": PLAN},
        tiny_pairs(24),
        [PAIR, ("fep", "gorp")],
        [*PAIR, "fep", "gorp"],
        tmp_path,
        PairData(pairs, np.arange(18) % 2, ["follows", "open"]),
    )


@pytest.mark.slow
def test_a_ranking_keeps_the_contract(selector, tmp_path):
    check_task(
        selector,
        {**tiny_recipe(overlap_features=True), "training": PLAN},
        tiny_questions(8),
        [(QUESTION, CANDIDATES), ("fep?", ["dax fep", "lim"])],
        [QUESTION, *CANDIDATES],
        tmp_path,
    )
