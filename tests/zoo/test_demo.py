"""The demo, whole and small: its numbers are those of what it wrote."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import zoo
from tests.zoo.tiny import tiny_task
from zoo import demo, presets
from zoo.data.images import load_images


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    """Two tiny models under the names of the trained ones."""
    home = tmp_path / "home"
    monkeypatch.setenv("KERAS_ATTENTION_ZOO_HOME", str(home))
    monkeypatch.delenv("KERAS_ATTENTION_ZOO_URL", raising=False)
    monkeypatch.setattr(presets, "CHECKOUT", tmp_path / "none")
    accuracy = {"value": 0.8512, "seeds": [0], "std": None, "n": 10}
    for name, attention in ((demo.WITH_ATTENTION, "cbam"), (demo.PLAIN, None)):
        task = tiny_task(attention)
        task.card["metrics"] = {"accuracy": accuracy}
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
    assert text.count("0.8512") == 2

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
    exported = folder / "exported"
    assert (exported / "saved_model" / "saved_model.pb").is_file()
    litert = exported / "model.tflite"
    assert results["exports"]["litert"]["bytes"] == litert.stat().st_size


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
