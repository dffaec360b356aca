"""Reports: what a model reached, how sure that is, and what it confuses."""

import json

import numpy as np
import pytest
from sklearn import metrics as sk

from tests.zoo.tiny import LABELS, tiny_data, tiny_task
from zoo import report_tables
from zoo.printing import SafeConsole
from zoo.report_pictures import confusion_figure
from zoo.reports import confusions
from zoo.scores import Score, interval


@pytest.fixture(scope="module")
def task():
    return tiny_task("se")


def printed(*parts):
    console = SafeConsole(width=150, record=True)
    for part in parts:
        console.print(part)
    return console.export_text()


def test_a_report_holds_what_evaluate_gives_and_how_sure_it_is(task):
    data = tiny_data(30)
    report = task.report(data, batch_size=7)
    assert json.loads(json.dumps(report)) == report
    found = task.evaluate(data)
    assert list(report["metrics"]) == list(found)
    for name, value in found.items():
        assert report["metrics"][name]["value"] == pytest.approx(value)
        assert type(value) is float
    accuracy = report["metrics"]["accuracy"]
    hits = round(30 * accuracy["value"])
    assert accuracy["interval"] == interval(Score.mean(np.arange(30) < hits))[0]
    assert accuracy["method"] == "wilson"
    assert (accuracy["n"], accuracy["groups"]) == (30, None)
    assert accuracy["baseline"] == pytest.approx(1 / 3)
    assert accuracy["card"] is None and accuracy["agrees"] is None
    assert report["data"] == {
        "name": "tiny",
        "split": "all",
        "sha256": data.sha256(),
        "examples": 30,
        "of_card": False,
    }
    answers = [each["label"] for each in task.predict(data.images)]
    table = sk.confusion_matrix(
        [LABELS[n] for n in data.labels], answers, labels=LABELS
    )
    assert report["classes"]["label"]["confusion"] == table.tolist()


def test_the_network_runs_once_for_a_report(task, monkeypatch):
    asked, run = [], type(task).run
    monkeypatch.setattr(
        type(task), "run", lambda *a, **k: asked.append(a) or run(*a, **k)
    )
    task.report(tiny_data())
    assert len(asked) == 1


def test_a_report_says_whether_the_card_is_reached():
    task, data = tiny_task("se"), tiny_data()
    value = task.evaluate(data)["accuracy"]
    task.card["data"]["test_sha256"] = data.sha256()
    stated = {"loss": {"value": None}, "accuracy": {"value": value + 0.01}}
    task.card["metrics"] = stated
    report = task.report(data)
    assert report["data"]["of_card"]
    assert report["metrics"]["accuracy"]["card"] == value + 0.01
    assert report["metrics"]["accuracy"]["agrees"] is False
    assert report["metrics"]["loss"]["agrees"] is False
    stated["accuracy"]["value"] = value
    assert task.report(data)["metrics"]["accuracy"]["agrees"] is True
    other = task.report(tiny_data(seed=1))
    assert other["metrics"]["accuracy"]["agrees"] is None


def test_figures_per_class_are_scikit_learn_s():
    generator = np.random.default_rng(0)
    true = generator.integers(0, 4, 80)
    predicted = np.where(generator.random(80) < 0.6, true, 3)
    predicted[predicted == 1] = 2  # the second is never answered
    labels = ["a", "b", "c", "d", "e"]  # the last is not there at all
    found = confusions(labels, true, predicted)
    known = sk.precision_recall_fscore_support(
        true, predicted, labels=range(5), zero_division=np.nan
    )
    for place, each in enumerate(found["per_class"]):
        for name, values in zip(("precision", "recall"), known):
            value = np.nan if each[name] is None else each[name]
            np.testing.assert_equal(value, values[place])
        assert each["n"] == (true == place).sum()
        assert each["predicted"] == (predicted == place).sum()
    assert found["per_class"][1]["precision"] is None
    assert found["per_class"][1]["f1"] == 0
    assert found["per_class"][4] == {
        **{"label": "e", "precision": None, "recall": None, "f1": None},
        **{"n": 0, "predicted": 0},
    }
    macro = sk.precision_recall_fscore_support(
        true, predicted, labels=range(4), average="macro", zero_division=0
    )
    np.testing.assert_allclose(list(found["macro"].values()), macro[:3])
    assert found["majority"] == labels[np.bincount(true).argmax()]
    wrong = found["confusions"]
    assert sum(each["n"] for each in wrong) == (true != predicted).sum()
    assert [each["n"] for each in wrong] == sorted(
        (each["n"] for each in wrong), reverse=True
    )
    table = np.array(found["confusion"])
    first = labels.index(wrong[0]["true"]), labels.index(wrong[0]["predicted"])
    assert table[first] == wrong[0]["n"]


# Shown.


def many(count, seed=0):
    """Of many classes, the last ones are often mistaken."""
    true = np.repeat(np.arange(count), 4)
    predicted = np.where(true >= count - 5, (true + 1) % count, true)
    return confusions([f"class {n}" for n in range(count)], true, predicted)


def test_of_many_classes_those_with_the_most_errors_are_shown():
    found = many(60)
    text = printed(*report_tables.classes_tables(found))
    for place in range(55, 60):
        assert f"class {place} " in text
    assert "class 40 " not in text
    assert "20 classes with the most errors; 40 more are in --json" in text
    assert "true" in text and "true \\ predicted" not in text
    text = printed(*report_tables.classes_tables(many(12)))
    assert "true \\ predicted" in text and "more are in" not in text
    shown, left = report_tables.most_wrong(found["per_class"], 3)
    assert [each["label"] for each in shown] == [
        *("class 56", "class 57", "class 58")
    ]
    assert left == 57


def test_a_table_of_confusions_of_very_many_classes_is_a_list():
    found = many(101)
    assert found["confusion"] is None and len(found["confusions"]) == 5


def test_the_metrics_table_says_what_is_known_and_what_is_not(task):
    report = task.report(tiny_data(6))
    text = printed(report_tables.metrics_table(report))
    (accuracy,) = [row for row in text.splitlines() if "accuracy" in row]
    assert "baseline" in text and accuracy.split()[-1] == "0.3333"
    (loss,) = [row for row in text.splitlines() if "loss" in row]
    assert loss.split()[2] == "none"
    (baseline,) = report_tables.baselines(report)
    assert baseline == (
        "Baseline: always answering the commonest class, 'red'."
    )
    several = {
        "metrics": dict.fromkeys(
            ("pay_auc", "rent_rmse", "pointing"), {"baseline": 0.5}
        ),
        "classes": {"pay": {"majority": "low"}},
    }
    (baseline,) = report_tables.baselines(several)
    for part in ("of pay, 'low'", "mean number", "order", "place drawn"):
        assert part in baseline
    for metric, part in (("map", "order drawn"), ("bleu_4", "every image")):
        one = {"metrics": {metric: {"baseline": 0.5}}, "classes": {}}
        (baseline,) = report_tables.baselines(one)
        assert part in baseline
    assert not list(report_tables.baselines({"metrics": {}, "classes": {}}))
    notes = list(report_tables.notes(report["metrics"]))
    assert notes == ["No interval: too few examples, or all alike."]
    grouped = {"interval": [0, 1], "groups": 7}
    (note,) = report_tables.notes({"accuracy": grouped, "loss": grouped})
    assert "of accuracy, loss resample 7 groups" in note


def test_confusions_are_drawn(tmp_path):
    evil = "$\\frac{$ \x1b[31m" + "x" * 50
    true, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    classes = {
        "pay": confusions([evil, "low"], true, predicted),
        "age": {**many(50), "counted": "pixels"},
    }
    figure = confusion_figure(classes)
    table, bars, large, others = figure.axes
    assert bars.get_ylabel() == "examples of the class"
    assert others.get_ylabel() == "pixels of the class"
    shares = table.images[0].get_array()
    np.testing.assert_allclose(shares, [[0.5, 0.5], [0, 1]])
    assert [text.get_text() for text in table.texts] == ["1", "1", "2"]
    recall = [bar.get_width() for bar in bars.containers[1]]
    assert recall == [0.5, 1]
    names = [label.get_text() for label in table.get_yticklabels()]
    assert len(names[0]) == 24 and "\x1b" not in names[0]
    assert large.images[0].get_array().shape == (40, 40)
    assert "40 classes with the most errors" in large.get_title()
    figure.savefig(tmp_path / "c.png")
