"""The demo, whole and small: its numbers are those of what it wrote."""

import io
import json
import pathlib

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import zoo
from tests.zoo.tiny import tiny_task
from zoo import demo, presets
from zoo.data.images import load_images
from zoo.outputs.label import Label


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    """Two tiny models under the names of the trained ones."""
    home = tmp_path / "home"
    monkeypatch.setenv("KERAS_ATTENTION_ZOO_HOME", str(home))
    monkeypatch.delenv("KERAS_ATTENTION_ZOO_URL", raising=False)
    monkeypatch.setattr(presets, "CHECKOUT", tmp_path / "none")
    accuracy = {"seeds": [0], "std": None, "n": 10}
    for name, attention, value in (
        (demo.WITH_ATTENTION, "cbam", 0.8512),
        (demo.PLAIN, None, 0.8234),
    ):
        task = tiny_task(attention)
        task.card["metrics"] = {"accuracy": {"value": value, **accuracy}}
        task.save(home / name)


@pytest.mark.slow
def test_the_demo_tells_what_it_made_and_measured(stand_ins, tmp_path):
    told = io.StringIO()
    folder = tmp_path / "demo"
    results = demo.run(
        folder, epochs=1, repeats=3, console=Console(file=told, width=120)
    )
    text = told.getvalue()
    assert json.loads((folder / "results.json").read_text()) == results

    # Accuracy is that of the model it saved, on digits it never saw.
    test = load_images("digits", "test")
    ours = results["models"][demo.WITH_ATTENTION]
    tuned = zoo.load(results["model"])
    assert results["test_images"] == len(test) == 360
    assert ours["accuracy"] == pytest.approx(tuned.evaluate(test)["accuracy"])
    assert ours["accuracy"] == pytest.approx(1 - ours["wrong"] / 360)
    stated = tuned.card["metrics"]["accuracy"]["value"]
    assert stated == pytest.approx(ours["accuracy"])
    plain = results["models"][demo.PLAIN]
    assert results["difference"]["value"] == pytest.approx(
        ours["accuracy"] - plain["accuracy"]
    )
    for facts in (ours, plain):
        for shown in (f"{facts['accuracy']:.4f}", f"{facts['parameters']:,}"):
            assert shown in text
    assert text.count("0.8512") == text.count("0.8234") == 1

    # The picture opens and is not empty; the digit is the file of the hint.
    with Image.open(results["picture"]) as picture:
        assert picture.width > 1000 and picture.width > picture.height
        assert len(picture.convert("L").getcolors(100000)) > 100
    assert tuned.predict(results["image"])["label"] in test.label_names
    assert f"zoo look {results['model']} {results['image']}" in text

    # Exports are there, proved, and timed.
    assert set(results["exports"]) == {"saved_model", "litert"}
    for facts in results["exports"].values():
        assert facts["largest_difference"] <= facts["tolerance"]
        assert 0 < facts["milliseconds"] < 10_000
        assert f"{facts['milliseconds']:.1f} ms" in text
    for format, facts in results["exports"].items():
        place = pathlib.Path(facts["path"])
        files = place.rglob("*") if place.is_dir() else [place]
        size = sum(file.stat().st_size for file in files if file.is_file())
        assert facts["bytes"] == size
        assert row(text, format)[1:3] == [f"{size / 1e6:.2f}", "MB"]
    exported = folder / "exported"
    assert (exported / "saved_model" / "saved_model.pb").is_file()
    litert = exported / "model.tflite"
    assert results["exports"]["litert"]["bytes"] == litert.stat().st_size


def row(text, name):
    """The words of the one row of a table that begins with a name."""
    rows = map(str.split, text.splitlines())
    (found,) = [words for words in rows if words[:1] == [name]]
    return found


@pytest.mark.slow
def test_what_is_printed_is_what_was_answered_and_measured(
    stand_ins, tmp_path, monkeypatch
):
    """Known answers, sizes and times; the numbers are worked out by hand."""
    test = load_images("digits", "test")
    wrong = {"cbam": range(9), None: range(5, 20)}

    def finetune(self, data, **plan):
        tuned = self.rebuilt(Label(data.label_names))
        tuned.card.update(recipe={"training": {"seed": 0}}, metrics={})
        answers = [{"label": test.label_names[x]} for x in test.labels]
        for place in wrong[self.card["builder_args"]["attention"]]:
            answers[place] = {"label": "another"}
        tuned.predict = lambda images, batch_size: answers[: len(images)]
        tuned.measure = lambda data: None
        return tuned

    def export(self, folder):
        facts = {"path": "p", "bytes": 1_234_567, "tolerance": 1e-5}
        return {
            "saved_model": {**facts, "largest_difference": 2.5e-7},
            "litert": {**facts, "bytes": 76_543, "largest_difference": 3e-6},
        }

    times = {"saved_model": [0.009, 0.001, 0.002], "litert": [0.0305] * 3}
    monkeypatch.setattr("zoo.task.Task.finetune", finetune)
    monkeypatch.setattr("zoo.task.Task.export", export)
    monkeypatch.setattr(demo, "_latencies", lambda name, *rest: times[name])
    told = io.StringIO()
    results = demo.run(
        tmp_path / "demo", epochs=3, console=Console(file=told, width=120)
    )
    text = told.getvalue()
    kept = json.loads((tmp_path / "demo" / "results.json").read_text())
    assert kept == results

    expected = {
        demo.WITH_ATTENTION: (0.8512, 351 / 360, 9),
        demo.PLAIN: (0.8234, 345 / 360, 15),
    }
    for name, (before, accuracy, count) in expected.items():
        facts = results["models"][name]
        card = zoo.card(name)
        parameters = card["parameters"]["trainable"] + 7 * (
            1 + card["builder_args"]["filters"][-1]
        )  # ten classes in place of three
        assert facts["parameters"] == parameters
        assert facts["before"] == before
        assert facts["accuracy"] == pytest.approx(accuracy)
        assert facts["wrong"] == count
        assert row(text, name)[1:7] == [
            *(f"{parameters:,}", f"{before:.4f}", f"{accuracy:.4f}"),
            *(str(count), "of", "360"),
        ]
        assert f"fine-tuned {name} on 1,437 digits, 3 epochs" in text
    assert results["difference"]["only_first"] == 11
    assert results["difference"]["only_second"] == 5
    assert results["difference"]["value"] == pytest.approx(6 / 360)
    # The variance of 11 ones, 5 times minus one and 344 zeros, over 360.
    assert results["difference"]["standard_error"] == pytest.approx(
        ((16 / 360 - (6 / 360) ** 2) / 360) ** 0.5
    )
    assert (
        "Difference: +1.7 points, standard error 1.1; 11 digits only the first "
        "gets right, 5 only the second."
    ) in text

    shown = {
        "saved_model": "saved_model 1.23 MB 2.0 ms 2.5e-07 1e-05",
        "litert": "litert 0.08 MB 30.5 ms 3.0e-06 1e-05",
    }
    for format, words in shown.items():
        assert row(text, format) == words.split()
    assert results["exports"]["saved_model"]["milliseconds"] == 2
    assert f"Done in {results['seconds']:.0f} s." in text
    assert results["picture"] in text and results["image"] in text


def test_both_learn_the_same_digits_by_the_same_plan(
    stand_ins, tmp_path, monkeypatch
):
    plans = []

    class Enough(Exception):
        pass

    def finetune(self, data, **plan):
        plans.append((data.sha256(), plan))
        if len(plans) == 2:
            raise Enough
        return self

    monkeypatch.setattr("zoo.task.Task.finetune", finetune)
    monkeypatch.setattr(demo, "_right", lambda task, data: np.ones(3, "bool"))
    with pytest.raises(Enough):
        demo.run(tmp_path / "demo", epochs=4, seed=7)
    assert plans[0] == plans[1]
    assert plans[0][0] == load_images("digits").sha256()
    assert plans[0][1]["epochs"] == 4 and plans[0][1]["seed"] == 7


def test_a_difference_has_the_standard_error_of_pairs():
    generator = np.random.default_rng(0)
    first, second = generator.random((2, 360)) < [[0.95], [0.9]]
    found = demo._difference(first, second)
    pairs = first.astype(float) - second
    assert found["value"] == pytest.approx(pairs.mean())
    assert found["standard_error"] == pytest.approx(pairs.std() / 360**0.5)
    assert found["only_first"] == (pairs == 1).sum()
    assert found["only_second"] == (pairs == -1).sum()


@pytest.mark.parametrize(
    "value, error, said",
    [
        (0.01, 0.006, "cannot tell them apart"),
        (-0.02, 0.006, "more than two standard errors"),
        (0.0, 0.0, "the very same digits"),
    ],
)
def test_no_more_is_claimed_than_was_measured(value, error, said):
    facts = {"value": value, "standard_error": error}
    verdict = demo._verdict({**facts, "only_first": 3, "only_second": 1})
    assert said in verdict
    if error:
        assert f"{100 * value:+.1f} points" in verdict


def test_digits_shown_are_one_of_each():
    shown = demo._first_of_each(load_images("digits", "test"), 6)
    assert shown.labels.tolist() == [0, 1, 2, 3, 4, 5]


def test_without_its_models_the_demo_says_so_and_writes_nothing(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("KERAS_ATTENTION_ZOO_HOME", str(tmp_path / "empty"))
    monkeypatch.delenv("KERAS_ATTENTION_ZOO_URL", raising=False)
    monkeypatch.setattr(presets, "CHECKOUT", tmp_path / "none")
    with pytest.raises(zoo.PresetError, match=demo.WITH_ATTENTION):
        demo.run(tmp_path / "demo")
    assert not (tmp_path / "demo").exists()
