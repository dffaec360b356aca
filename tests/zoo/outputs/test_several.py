"""Several answers as an output: the contract, and what is its own."""

import json
import pathlib

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.zoo.contract import check_output
from zoo.cards import PresetError
from zoo.data.table_data import TableData
from zoo.data.tables import load_tables
from zoo.outputs.label import Label
from zoo.outputs.number import Number
from zoo.outputs.several import Several

COUNT = 24
COLUMNS = {
    "x": list(range(COUNT)),
    "pay": ["low", "high", "low"] * 8,
    "rooms": [1, 2, 3, 4] * 6,
    "rent": [100.0 * n for n in range(COUNT)],
}
TARGETS = ["pay", "rooms", "rent"]


def table(targets=TARGETS, count=COUNT, **other):
    columns = {**COLUMNS, **other}
    columns = {name: cells[:count] for name, cells in columns.items()}
    return load_tables(columns, targets=targets)


def learned(targets=TARGETS, recipe=None, **other):
    return Several.learn(table(targets, **other), recipe or {})


def said(output, count=COUNT, seed=0):
    """What a network may have said, seeded."""
    generator = np.random.default_rng(seed)
    sizes = output.sizes()["num_outputs"]
    return {
        head: generator.normal(size=(count, size)).astype("float32")
        for head, size in zip(output.heads, sizes)
    }


def final(output, said):
    tensors = {k: keras.ops.convert_to_tensor(x) for k, x in said.items()}
    found = output.final(tensors)
    return {k: keras.ops.convert_to_numpy(x) for k, x in found.items()}


def test_keeps_the_contract():
    data, output = table(), learned()
    raws, notes = [{"x": n} for n in range(COUNT)], [{"missing": []}] * COUNT
    check_output(output, data, said(output), raws, notes)


def test_a_column_is_a_label_or_a_number_by_what_it_holds():
    output = learned(twenty=list(range(20)) + [0] * 4)
    assert output.names == TARGETS
    kinds = [type(part) for part in output.parts.values()]
    assert kinds == [Label, Label, Number]
    assert output.parts["pay"].labels == ["high", "low"]
    assert output.parts["rooms"].labels == ["1", "2", "3", "4"]
    assert output.parts["rent"].mean == pytest.approx(1150)
    assert output.heads == ("logits_1", "logits_2", "logits_3")
    assert output.sizes() == {"num_outputs": [2, 4, 1]}
    both = {
        "twenty": list(range(20)) + [0] * 4,
        "more": list(range(21)) + [0] * 3,
    }
    output = learned(["more", "twenty"], **both)
    kinds = [type(part) for part in output.parts.values()]
    assert kinds == [Number, Label]


def test_a_recipe_can_say_it_otherwise():
    kinds = {"rooms": "number", "rent": "label"}
    output = learned(recipe={"target_kinds": kinds})
    kinds = [type(part) for part in output.parts.values()]
    assert kinds == [Label, Number, Label]
    assert output.sizes() == {"num_outputs": [2, 1, COUNT]}
    # As many numbers as in training are no other kind.
    targets, _ = output.teach(output.select(table()))
    assert targets["logits_3"].tolist() == list(range(COUNT))
    assert output.like(table()) is output


@pytest.mark.parametrize(
    "options, why",
    [
        ({"recipe": {"target_kinds": {"pay": "number"}}}, "words.*'pay'"),
        ({"recipe": {"target_kinds": {"rent": "float"}}}, "'rent'.*='float'"),
        ({"recipe": {"target_kinds": {"rant": "label"}}}, "'rant'.*are.*'rent"),
        (
            {"targets": ["pay", "same"], "same": ["yes"] * COUNT},
            "same in every row.*'yes' in each of 24 rows of the column 'same'",
        ),
        (
            {"targets": ["same"], "same": [0.5] * COUNT},
            "same in every row.*'0.5' in each of 24 rows of the column 'same'",
        ),
        (
            {"targets": ["at"], "at": [1.7e9 + n for n in range(COUNT)]},
            "subtract a constant.*in the column 'at'",
        ),
        *(
            ({"targets": [name], name: COLUMNS["pay"]}, f"called.*{name!r}")
            for name in ("attention", "missing", "unseen", "answers")
        ),
    ],
)
def test_what_cannot_be_learned_is_told_with_its_column(options, why):
    with pytest.raises(ValueError, match=why):
        learned(**options)


def test_without_targets_nothing_is_learned():
    with pytest.raises(
        ValueError, match="`targets` must name the columns.*'x'"
    ):
        Several.learn(load_tables(COLUMNS), {})


# Learning.


def test_each_head_learns_its_own_column():
    output, data = learned(), table()
    targets, weights = output.teach(output.select(data))
    assert weights is None and list(targets) == list(output.heads)
    assert targets["logits_1"].tolist() == [1, 0, 1] * 8
    assert targets["logits_2"].tolist() == [0, 1, 2, 3] * 6
    rent = output.parts["rent"]
    standard = (data.columns["rent"] - rent.mean) / rent.deviation
    np.testing.assert_allclose(targets["logits_3"][:, 0], standard, rtol=1e-6)


def test_balanced_weights_are_each_targets_own():
    output = learned()
    targets, weights = output.teach(output.select(table()), "balanced")
    assert list(weights) == list(output.heads)
    # Sixteen are low, eight are high.
    np.testing.assert_allclose(weights["logits_1"], [0.75, 1.5, 0.75] * 8)
    np.testing.assert_allclose(weights["logits_2"], np.ones(COUNT))
    np.testing.assert_allclose(weights["logits_3"], np.ones(COUNT))
    with pytest.raises(ValueError, match='"balanced" or None.*low'):
        output.teach(output.select(table()), {"low": 2})


def test_classes_go_by_their_names_not_by_their_order():
    output = learned()
    # Of these rows "high" is not there, nor is 1.
    rows = [n for n in range(COUNT) if n % 3 != 1 and n % 4 != 0]
    part = table().take(np.array(rows))
    targets, _ = output.teach(output.select(part))
    assert set(targets["logits_1"]) == {1}
    assert targets["logits_2"].tolist() == [n % 4 for n in rows]


def test_numbers_that_are_classes_are_never_places():
    """0 and 1 could be the first and the second of "1", "2", "3", "4"."""
    output, data = learned(), table(rooms=[0, 1, 2, 3] * 6)
    why = "'rooms' must be among.*'1', '2'.*Received: '0' at place 0"
    with pytest.raises(ValueError, match=why):
        output.select(data)


def test_a_class_that_is_new_is_told_with_its_line(tmp_path):
    text = "pay,rooms,rent\nlow,1,5\nhigh,2,6\nhihg,2,7\n"
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text(text)
    data = load_tables(tmp_path, "test")
    why = r"'pay' must be among.*'hihg' in line 4 of .*near: \['high'\]"
    with pytest.raises(ValueError, match=why):
        learned().select(data)


@pytest.mark.parametrize("ask", ["select", "like"])
@pytest.mark.parametrize(
    "options, why",
    [
        ({"targets": ["pay", "rooms"]}, "those that the model.*'rent'.*'pay'"),
        (
            {"targets": [], "rent": ["cheap", "dear"] * 12},
            "'rent' is of another kind.*was a number.*'cheap' at place 0",
        ),
        (
            {"targets": [], "pay": [n / 2 for n in range(COUNT)]},
            "'pay' is of another kind.*was a label.*24 different numbers",
        ),
        (
            {"targets": [], "rent": [1.0, None] * 12},
            "12 missing cells in the column 'rent', the first at place 1",
        ),
    ],
)
def test_targets_are_those_of_training(ask, options, why):
    columns = {**COLUMNS, **options}
    targets = columns.pop("targets")
    data = load_tables(columns, targets=targets or None)
    with pytest.raises(ValueError, match=why):
        getattr(learned(), ask)(data)


@pytest.mark.parametrize("ask", ["select", "like"])
def test_a_target_that_was_renamed_is_told(ask):
    columns = {**COLUMNS}
    columns["Rent"] = columns.pop("rent")
    why = r"column 'rent' in the data 'rows'.*near: \['Rent'\]"
    with pytest.raises(ValueError, match=why):
        getattr(learned(), ask)(load_tables(columns))


def test_data_need_not_say_their_targets_nor_in_this_order():
    output = learned()
    for targets in (None, TARGETS[::-1]):
        data = output.select(load_tables(COLUMNS, targets=targets))
        assert data.targets == TARGETS
        targets, _ = output.teach(data)
        assert targets["logits_2"].tolist() == [0, 1, 2, 3] * 6


def test_a_copy_has_other_classes_and_keeps_the_other_heads():
    output = learned()
    assert output.like(table()) is output
    other = output.like(table(pay=["low", "high", "some"] * 8))
    assert other.parts["pay"].labels == ["high", "low", "some"]
    assert other.parts["rent"] is output.parts["rent"]
    assert output.kept(other) == ("logits_2", "logits_3")
    assert other.sizes() == {"num_outputs": [3, 4, 1]}
    with pytest.raises(ValueError, match="single label.*num_classes=3"):
        output.like(table(), 3)


@pytest.mark.parametrize("name", TARGETS)
def test_a_copy_cannot_learn_what_is_the_same_in_every_row(name):
    same = [COLUMNS[name][0]] * COUNT
    with pytest.raises(ValueError, match=f"same in every row.*'{name}'"):
        learned().like(table(**{name: same}))


# Answering.


def test_an_answer_is_by_target_and_says_what_the_input_noted():
    output = learned()
    tensors = final(output, said(output))
    assert list(tensors) == [
        "pay/logits",
        "pay/probabilities",
        "rooms/logits",
        "rooms/probabilities",
        "rent/value",
    ]
    notes = [{"missing": [str(n)]} for n in range(COUNT)]
    answers = output.answers(tensors, [{}] * COUNT, notes)
    assert len(answers) == COUNT and json.dumps(answers)
    for place, answer in enumerate(answers):
        assert list(answer) == [*TARGETS, "missing"]
        assert answer["missing"] == [str(place)]
        shares = tensors["pay/probabilities"][place]
        assert answer["pay"]["label"] == ["high", "low"][shares.argmax()]
        assert set(answer["rooms"]["probabilities"]) == {"1", "2", "3", "4"}
        assert answer["rent"] == {"value": float(tensors["rent/value"][place])}


def test_measures_each_target_and_the_sum_of_their_losses():
    output, data = learned(), table()
    spoken = said(output)
    found = output.measure(final(output, spoken), output.select(data))
    assert list(found) == [
        "pay_auc",
        "pay_accuracy",
        "rooms_accuracy",
        "rent_rmse",
        "rent_mae",
        "rent_r2",
        "loss",
    ]
    pay = np.array([1, 0, 1] * 8)
    logits = spoken["logits_1"]
    margin = logits[:, 1] - logits[:, 0]
    assert found["pay_auc"] == pytest.approx(roc_auc_score(pay, margin))
    assert found["pay_accuracy"] == np.mean((margin > 0) == pay)
    rooms = spoken["logits_2"].argmax(axis=1)
    assert found["rooms_accuracy"] == np.mean(rooms == [0, 1, 2, 3] * 6)
    # What Keras sums is what is reported.
    targets, _ = output.teach(output.select(data))
    losses = [
        float(output.loss()[head](targets[head], spoken[head]))
        for head in output.heads
    ]
    assert found["loss"] == pytest.approx(sum(losses), rel=1e-5)


def test_of_one_class_there_is_no_area_under_a_curve():
    output = learned(["pay"])
    data = table(["pay"]).take(np.arange(0, COUNT, 3))
    found = output.measure(final(output, said(output, 8)), output.select(data))
    assert list(found) == ["pay_accuracy", "loss"]


def test_names_that_hold_a_slash_or_each_other_are_kept_apart():
    names = ["a", "a/b", "a/logits", "\x1b[31m b"]
    columns = dict.fromkeys(names, COLUMNS["pay"])
    columns["a/logits"] = COLUMNS["rent"]
    output = learned(names, **columns)
    tensors = final(output, said(output))
    (answer, *_) = output.answers(tensors, [{}] * COUNT, [{}] * COUNT)
    assert list(answer) == names
    assert list(answer["a/logits"]) == ["value"]
    for head, name in (("logits_1", "a"), ("logits_2", "a/b")):
        expected = said(output)[head].argmax(axis=1)[0]
        assert answer[name]["label"] == ["high", "low"][expected]
    (table_,) = output.tables("row", ["shown"], [answer])
    assert "\x1b" not in "".join(table_[1])
    assert not set("".join(output.heads)) & set("/\x1b ")


def test_is_shown_with_a_column_for_each_target():
    output = learned()
    answers = [
        {
            "pay": {
                "label": "low",
                "probability": 0.75,
                "probabilities": {"low": 0.75, "high": 0.25},
            },
            "rooms": {
                "label": "3",
                "probability": 1.0,
                "probabilities": {"3": 1.0},
            },
            "rent": {"value": 512.25},
        }
    ]
    assert output.tables("row", ["x 3"], answers) == [
        (
            None,
            ("row", *TARGETS),
            [("x 3", "low 75.0 %", "3 100.0 %", "512.2")],
        )
    ]


# Served and kept.


def test_each_label_has_a_file_of_its_own(tmp_path):
    output = learned()
    tensors = final(output, said(output))
    tf = pytest.importorskip("tensorflow")

    module = output.tensorflow(pathlib.Path(tmp_path))
    files = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert files == {
        "labels_1.txt": "high\nlow\n",
        "labels_2.txt": "1\n2\n3\n4\n",
    }
    found = module({k: tf.constant(x) for k, x in tensors.items()})
    assert list(found) == [
        *(f"pay/{key}" for key in ("label", "probability", "probabilities")),
        *(f"rooms/{key}" for key in ("label", "probability", "probabilities")),
        "rent/value",
    ]
    targets = json.loads(output.files()["targets.json"])
    assert targets == output.assets()["targets"]


def test_labels_with_a_line_end_cannot_be_exported():
    output = learned(["pay"], pay=["lo\nw", "high", "lo\nw"] * 8)
    with pytest.raises(ValueError, match="line's end.*lo"):
        output.files()


LABEL = {"name": "pay", "kind": "label", "labels": ["low", "high"]}
NUMBER = {"name": "rent", "kind": "number", "mean": 0.0, "deviation": 1.0}


@pytest.mark.parametrize(
    "targets",
    [
        [],
        {"pay": LABEL},
        ["pay"],
        [LABEL, {**NUMBER, "name": "pay"}],
        [{**LABEL, "name": 3}],
        [{**LABEL, "name": ["pay"]}],
        [{**LABEL, "name": "missing"}],
        [{**LABEL, "kind": "word"}],
        [{**LABEL, "kind": None}],
        [{**LABEL, "labels": ["low", "low"]}],
        [{**LABEL, "labels": "low"}],
        [{**LABEL, "labels": []}],
        [{**LABEL, "more": 1}],
        [{**NUMBER, "deviation": 0.0}],
        [{**NUMBER, "mean": "0"}],
        [{**NUMBER, "labels": ["a"]}],
        [{"name": "rent", "kind": "number"}],
    ],
)
def test_a_strangers_targets_are_checked(targets):
    with pytest.raises(PresetError):
        Several.from_card({}, {"targets": targets})


def test_the_first_word_among_numbers_is_the_one_that_is_named():
    def table(cells):
        values = {"y": np.array(cells), "x": np.arange(30.0)}
        return TableData(values, ["y"])

    output = Several.learn(table(np.arange(30) + 0.5), {})
    words = np.array(["1", "2", "many", *["3"] * 27], "object")
    with pytest.raises(ValueError, match="the word 'many' at place 2"):
        output.select(table(words))
