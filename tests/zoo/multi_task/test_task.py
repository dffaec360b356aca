"""MultiTask: answers of several kinds, each by a head of its own."""

import numpy as np
import pytest

from tests.zoo.contract import check_task
from tests.zoo.multi_task.tiny import (
    TARGETS,
    rows_of,
    tiny_multi,
    tiny_recipe,
    tiny_table,
)
from zoo import recipes
from zoo.data.tables import TableData
from zoo.multi_task.task import MultiTask

PLAN = {
    "epochs": 30,
    "batch_size": 16,
    "optimizer": "adamw",
    "learning_rate": 0.03,
    "schedule": "one_cycle",
    "weight_decay": 0.0,
    "seed": 0,
}
CSV = (
    'age,job,town,height\n50,clerk,Bern,180\n20,?,,160\n,baker,"Graz, east",\n'
)


@pytest.fixture(scope="module")
def trained():
    task = tiny_multi()
    recipe = {**tiny_recipe(), "training": PLAN}
    task.follow(tiny_table(128), recipe, verbose=0)
    return task


@pytest.mark.slow
def test_keeps_the_contract(trained, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text(CSV)
    data = tiny_table(48)
    houses = data.columns["house"]
    other = {**data.columns, "house": np.where(houses == "no", "flat", "own")}
    other["house"] = other["house"].astype("object")
    check_task(
        trained,
        {**tiny_recipe(), "training": PLAN},
        data,
        rows_of(tiny_table(4, seed=5)),
        [str(file)],
        tmp_path / "made",
        TableData(other, list(TARGETS), "other"),
        redrawn=["logits_2"],
    )


def test_learns_labels_and_a_number_at_once(trained):
    found = trained.evaluate(tiny_table(200, seed=9))
    assert list(found) == [
        "pay_auc",
        "pay_accuracy",
        "house_auc",
        "house_accuracy",
        "hours_rmse",
        "hours_mae",
        "hours_r2",
        "loss",
    ]
    assert found["house_accuracy"] > 0.95 and found["pay_auc"] > 0.9
    assert found["hours_r2"] > 0.7


def test_an_answer_has_a_part_for_each_target(trained):
    row = {"age": 60, "job": "clerk", "town": "Bern", "height": 170}
    answer = trained.predict(row)
    assert list(answer) == [*TARGETS, "missing", "unseen"]
    assert answer["pay"]["label"] == "high"
    assert answer["house"]["label"] == "no"
    assert 20 < answer["hours"]["value"] < 40  # in hours, not in deviations
    same = trained.predict({**row, "age": "60", "job": " clerk "})
    assert same == answer


def test_metrics_are_those_of_the_answers(trained):
    data = tiny_table(60, seed=3)
    answers = trained.predict(rows_of(data))
    found = trained.evaluate(data)
    for target in ("pay", "house"):
        right = [
            answer[target]["label"] == truth
            for answer, truth in zip(answers, data.columns[target])
        ]
        assert found[f"{target}_accuracy"] == pytest.approx(np.mean(right))
    said = np.array([answer["hours"]["value"] for answer in answers])
    error = np.sqrt(np.mean((said - data.columns["hours"]) ** 2))
    assert found["hours_rmse"] == pytest.approx(error, rel=1e-4)


def test_says_which_expert_each_target_reads(trained):
    (answer,) = trained.look(rows_of(tiny_table(1)))
    (weights,) = answer["attention"].values()
    assert weights.shape == (3, 3)  # targets, experts
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
    with pytest.raises(ValueError, match="attention layer"):
        tiny_multi("shared_bottom").look(rows_of(tiny_table(1)))


def test_weighs_rare_classes_of_each_target(trained):
    data = trained.output.select(tiny_table(40, seed=2))
    targets, weights = trained.output.teach(data, "balanced")
    assert (
        list(targets) == list(weights) == ["logits_1", "logits_2", "logits_3"]
    )
    for head in ("logits_1", "logits_2"):
        labels = targets[head]
        sums = [weights[head][labels == place].sum() for place in range(2)]
        assert sums == pytest.approx([20, 20], rel=1e-5)
    assert (weights["logits_3"] == 1).all()
    with pytest.raises(ValueError, match="several answers.*'pay'"):
        trained.output.teach(data, {"pay": 2})


def test_a_copy_learns_other_classes_of_one_target_alone(trained):
    data = tiny_table(32, seed=4)
    columns = dict(data.columns)
    columns["pay"] = np.array(["a", "b", "c", "d"] * 8, "object")
    copy = trained.finetune(
        TableData(columns, [], "other"), epochs=1, freeze="backbone", verbose=0
    )
    assert copy.card["builder_args"]["num_outputs"] == [4, 2, 1]
    assert copy.output.parts["house"] is trained.output.parts["house"]
    rebuilt = trained.rebuilt(copy.output)
    old, new = (
        task.model.get_layer("logits_2").get_weights()
        for task in (trained, rebuilt)
    )
    np.testing.assert_array_equal(old[0], new[0])


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"hours": ["long", "short"] * 8},
            "'hours' is of another kind.*the word 'long'",
        ),
        (
            {"pay": np.arange(16.0) * 2},
            "classes of the target 'pay' must be among",
        ),
        ({"pay": [""] + ["low"] * 15}, "1 missing cells in the column 'pay'"),
        ({"pay": None}, "a column 'pay' in the data"),
        ({"age": None}, "a column 'age' in the data"),
        ({"age": ["old", "young"] * 8}, "'age' must hold numbers.*'old'"),
    ],
)
def test_data_of_other_columns_or_kinds_are_refused(trained, change, message):
    columns = dict(tiny_table(16).columns)
    for name, values in change.items():
        if values is None:
            del columns[name]
        else:
            kind = "float64" if isinstance(values, np.ndarray) else "object"
            columns[name] = np.array(values, kind)
    with pytest.raises(ValueError, match=message):
        trained.evaluate(TableData(columns, [], "mine"))


def test_a_label_does_not_become_a_number(trained):
    columns = dict(tiny_table(30).columns)
    columns["pay"] = np.arange(30) + 0.5
    with pytest.raises(ValueError, match="'pay' is of another kind.*a label"):
        trained.finetune(TableData(columns, [], "mine"), epochs=1)


def test_other_targets_are_refused(trained):
    data = tiny_table(16).answering(["pay", "town"])
    with pytest.raises(ValueError, match=r"trained on.*\['pay', 'town'\]"):
        trained.evaluate(data)


def test_targets_of_a_table_are_chosen_when_it_is_trained(tmp_path):
    data = tiny_table(60)
    lines = [",".join(data.columns)]
    for row in zip(*data.columns.values()):
        lines.append(",".join(f'"{x}"' if x == x else "" for x in row))
    file = tmp_path / "people.csv"
    file.write_text("\n".join(lines) + "\n")
    options = {"folder": tmp_path / "made", "runs": tmp_path / "runs"}
    task = recipes.train(
        "mmoe_correlated",
        data=file,
        targets="house, pay",
        epochs=1,
        verbose=0,
        **options,
    )
    assert task.output.names == ["house", "pay"]
    assert [c["name"] for c in task.input.columns] == [
        "age",
        "job",
        "town",
        "height",
        "hours",
    ]
    assert "--targets house,pay" in task.card["recipe"]["command"]
    # Measured again by the card, which names no targets.
    assert task.evaluate() == {
        name: found["value"] for name, found in task.card["metrics"].items()
    }
    with pytest.raises(ValueError, match="targets=.*'text_classification'"):
        recipes.train("han_imdb", targets=["x"], **options)


@pytest.mark.slow
def test_every_gate_and_the_baseline_learn():
    data = tiny_table(64)
    for options in ({"gate": "shared"}, {"gate": "context"}, {}):
        task = tiny_multi("mmoe" if options else "shared_bottom", **options)
        before = task.evaluate(data)["loss"]
        plan = {**PLAN, "epochs": 3}
        task.follow(data, {"training": plan}, verbose=0)
        assert task.evaluate(data)["loss"] < before
        assert isinstance(task, MultiTask)
