"""Two models on the same examples: what differs, and how surely."""

import json
import types

import numpy as np
import pytest
from typer.testing import CliRunner

import zoo
from tests.zoo.tiny import tiny_data, tiny_task
from zoo import comparing
from zoo.cli import app
from zoo.outputs.label import Label
from zoo.outputs.number import Number
from zoo.outputs.several import Several
from zoo.outputs.words import Words
from zoo.scores import Score, difference, mcnemar

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    for name, attention in (("one", "se"), ("other", None)):
        tiny_task(attention).save(home / name)
    return home


@pytest.fixture(scope="module")
def pair():
    return tiny_task("se"), tiny_task(None)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(comparing, "MOST", 3)
    monkeypatch.setattr(comparing, "LEAST", 3)


def right(task, data):
    answers = [each["label"] for each in task.predict(data.images)]
    return np.array(answers) == np.array(data.label_names)[data.labels]


def test_compares_by_name_what_each_gets_right(shelf):
    data = tiny_data(60, seed=3)
    found = zoo.compare("one", zoo.load(shelf / "other"), data)
    assert json.loads(json.dumps(found)) == found
    tasks = zoo.load("one"), zoo.load("other")
    one, other = (right(task, data) for task in tasks)
    accuracy = found["metrics"]["accuracy"]
    assert accuracy["a"]["value"] == one.mean()
    assert accuracy["b"]["value"] == other.mean()
    ends, method = difference(Score.mean(one), Score.mean(other))
    assert accuracy["difference"] == {
        "value": one.mean() - other.mean(),
        "interval": ends,
        "method": method,
    }
    only = int((one & ~other).sum()), int((other & ~one).sum())
    assert sum(only) > 0
    assert accuracy["correct"] == {
        "both": int((one & other).sum()),
        "only_a": only[0],
        "only_b": only[1],
        "neither": int((~one & ~other).sum()),
        "mcnemar_p": mcnemar(*only),
    }
    loss = found["metrics"]["loss"]
    assert loss["correct"] is None
    assert loss["difference"]["method"] == "bootstrap"
    models = found["models"]
    for key, task in zip("ab", tasks):
        total = task.card["parameters"]["total"]
        assert models[key]["parameters"] == total
        assert models[key]["bytes"] == 4 * total
        assert models[key]["seconds_per_example"] > 0
    ratio = found["speed"]["ratio"]
    assert ratio == pytest.approx(
        models["a"]["seconds_per_example"] / models["b"]["seconds_per_example"]
    )
    assert found["data"]["sha256"] == data.sha256()
    assert found["data"]["examples"] == 60


def test_half_precision_takes_half_the_bytes():
    task = tiny_task("se", "bfloat16")
    count = task.model.count_params()
    # What a layer keeps in float32 anyway is counted as that.
    wide = sum(
        np.prod(x.shape) for x in task.model.weights if x.dtype == "float32"
    )
    assert comparing._bytes(task.model) == 2 * count + 2 * wide < 4 * count


def test_models_are_timed_in_turn(pair, monkeypatch):
    asked = []
    one, other = pair
    for name, task in (("a", one), ("b", other)):

        def ask(arrays, name=name):
            asked.append((name, len(arrays["image"])))

        graph = types.SimpleNamespace(predict_on_batch=ask)
        monkeypatch.setattr(task, "graph", lambda graph=graph: graph)
    speed, seconds = comparing._speed(one, other, tiny_data(), 10)
    assert [name for name, _ in asked] == [*"aabb", *"ba", *"ab", *"ba"]
    assert {size for _, size in asked} == {10} == {speed["batch_size"]}
    assert speed["repeats"] == 3
    assert speed["quartiles"][0] <= speed["quartiles"][1]


def test_examples_that_belong_together_are_no_test_of_mcnemar_s():
    groups = np.repeat(np.arange(15), 2)
    flags = np.arange(30) % 3 < 2
    one = Score.mean(flags, groups)
    other = Score.mean(np.roll(flags, 1), groups)
    assert comparing._compared(one, other)["correct"]["mcnemar_p"] is None


def test_other_answers_are_refused():
    task, other = tiny_task(None), tiny_task(None)
    other.output = Label(["red", "green", "violet"])
    message = "same kind of answers.*one of them has: .'blue', 'violet'"
    with pytest.raises(ValueError, match=message):
        zoo.compare(task, other, tiny_data())
    other.name = "cooking"
    message = "the tasks image_classification and cooking"
    with pytest.raises(ValueError, match=message):
        zoo.compare(task, other, tiny_data())
    with pytest.raises(zoo.PresetError, match="name=3"):
        zoo.compare(task, 3)


def test_what_answers_are_unlike():
    assert Label(["a", "b", "c"]).unlike(Label(["c", "b", "a"])) is None
    assert "order" in Label(["a", "b"]).unlike(Label(["b", "a"]))
    assert Number(0, 1).unlike(Number(5, 2)) is None
    assert Words(["a"], 4).unlike(Words(["b"], 9)) is None
    parts = {"pay": Label(["low", "high"]), "rent": Number()}
    both = Several(parts)
    assert both.unlike(Several(dict(reversed(parts.items())))) is None
    assert "targets" in both.unlike(Several({"pay": parts["pay"]}))
    other = Several({**parts, "rent": Label(["x", "y"])})
    assert "'rent', a label and a number" in both.unlike(other)
    other = Several({**parts, "pay": Label(["low", "no"])})
    assert "'pay', labels that only" in both.unlike(other)


def test_a_loss_that_means_something_else_is_left_out(pair, monkeypatch):
    one, other = pair
    found = zoo.compare(one, other, tiny_data())
    assert list(found["metrics"]) == ["accuracy", "loss"]
    measured = other.measured

    def fewer(outputs, data):
        found = measured(outputs, data)
        return {**found, "accuracy": Score.mean(np.ones(3))}

    # Such as words about an object, of which one model says fewer.
    with monkeypatch.context() as patch:
        patch.setattr(other, "measured", fewer)
        assert list(zoo.compare(one, other, tiny_data())["metrics"]) == ["loss"]
    monkeypatch.setattr(other.output, "assets", dict)
    found = zoo.compare(one, other, tiny_data())
    assert list(found["metrics"]) == ["accuracy"]


def test_two_test_sets_must_be_told_apart():
    one, other = tiny_task(None), tiny_task(None)
    one.card |= {"name": "one"}
    one.card["data"] = {"name": "digits", "test_sha256": "0" * 64}
    other.card["data"] = {"name": "mnist", "test_sha256": "1" * 64}
    other.card["data"] |= {"place": "~/here", "test_split": "20%"}
    message = (
        "--data. Received: 'one' was measured on 'digits'; "
        "'ImageClassification' was measured on 'mnist' at '~/here', 20%"
    )
    with pytest.raises(ValueError, match=message):
        zoo.compare(one, other)
    for card in (one.card, other.card):
        del card["data"]["test_sha256"]
    with pytest.raises(ValueError, match=message):
        zoo.compare(one, other)
    # The one has no word of it: the name decides.
    one.card["data"] = {"name": "mnist", "place": "~/here"}
    with pytest.raises(FileNotFoundError, match="~/here"):
        zoo.compare(one, other)


def test_the_data_on_the_card_are_those_of_the_first(pair, monkeypatch):
    data = tiny_data(24, seed=5)
    for task in pair:
        known = {"name": "t", "test_sha256": data.sha256()}
        monkeypatch.setitem(task.card, "data", known)
        monkeypatch.setattr(
            task, "read", lambda source, split: data, raising=False
        )
    found = zoo.compare(*pair)
    assert found["data"]["sha256"] == data.sha256()


def test_the_command_prints_both(tmp_path):
    from PIL import Image

    data = tiny_data(24)
    for place, (image, label) in enumerate(zip(data.images, data.labels)):
        folder = tmp_path / "photos" / data.label_names[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{place}.png")
    words = ["compare", "one", "other", "--data", "photos"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    for text in ("only A", "A - B", "95 % CI, paired", "quartiles", "McNemar"):
        assert text in result.stdout
    result = CliRunner().invoke(app, [*words, "--json"])
    found = json.loads(result.stdout)
    assert found["models"]["b"]["name"] == "other"
    counts = found["metrics"]["accuracy"]["correct"]
    del counts["mcnemar_p"]
    assert sum(counts.values()) == found["data"]["examples"]
