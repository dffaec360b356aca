"""Plan: every option of a training is checked, and reaches the training."""

import inspect
import json
import math

import keras
import numpy as np
import pytest

from tests.zoo.tiny import tiny_data, tiny_task
from zoo import layer_groups, training
from zoo.data.batches import Batches
from zoo.data.images import ImageData, Reader
from zoo.plan import (
    Plan,
    check_num_classes,
    checked_image_size,
    checked_validation,
)
from zoo.task import Task

NAN, INF = math.nan, math.inf
WRONG = {
    "epochs": [0, -1, 1.5, True, "5", NAN],
    "batch_size": [0, -1, 2.5, False, None],
    "early_stopping": [0, -1, 1.5, True],
    "seed": [-1, 2**31, 0.5, True, None],
    "learning_rate": [0, -1, NAN, INF, "fast", True],
    "weight_decay": [-1e-3, NAN, INF, None],
    "label_smoothing": [-0.1, 1, 1.5, NAN],
    "layer_decay": [0, -0.5, 1.1, NAN],
    "optimizer": ["adam", None, 1],
    "schedule": ["cosin", "linear", None],
    "dtype": ["float3", "half", 16],
    "augment": ["flip", ["flop"], ["flip", 1], None],
    "freeze": [1, [1], ["stem", None]],
    "self_critical": ["yes", None, 1],
    "recipe": ["gradualy", "", 1, True],
    "jit_compile": ["yes", None, 2],
    "class_weight": [
        [1, 2, 3],
        "balance",
        {True: 1},
        {1.0: 1},
        {"red": -1},
        {"red": NAN},
        {"red": INF},
        {"red": "2"},
        {"red": True},
    ],
}


@pytest.mark.parametrize(
    "option, value",
    [(option, value) for option, values in WRONG.items() for value in values],
)
def test_refuses_what_no_training_can_follow(option, value):
    with pytest.raises(ValueError, match=f"`{option}` .*Received: {option}="):
        Plan(**{option: value})


def test_every_option_has_its_wrong_values():
    assert set(WRONG) == set(inspect.signature(Plan).parameters)


def test_names_the_near_ones():
    with pytest.raises(ValueError, match="near: .*'cosine'"):
        Plan(schedule="cosin")


def test_layers_of_their_own_rate_need_adamw():
    with pytest.raises(ValueError, match="optimizer='sgd'"):
        Plan(layer_decay=0.5, optimizer="sgd")


@pytest.mark.parametrize(
    "options", [{"label_smoothing": 0.1}, {"class_weight": "balanced"}]
)
def test_rewards_are_the_only_weights_of_captions(options):
    with pytest.raises(ValueError, match="weighs captions by their rewards"):
        Plan(self_critical=True, **options)


def test_the_record_is_json_and_makes_the_plan_again():
    plan = Plan(
        epochs=np.int64(3),
        learning_rate=np.float32(0.5),
        freeze=("stem", "stage_1"),
        augment=["flip"],
        class_weight={"red": 2},
    )
    record = json.loads(json.dumps(plan.record()))
    assert record["epochs"] == 3 and record["freeze"] == ["stem", "stage_1"]
    assert Plan(**record) == plan


@pytest.mark.parametrize(
    "wrong", [{"pink": 1}, {3: 1}, {-1: 1}, {"red": 1, 0: 2}]
)
def test_weighted_classes_are_those_of_the_data(wrong):
    with pytest.raises(ValueError, match="class_weight="):
        Plan(class_weight=wrong).named(["red", "green", "blue"])


def test_classes_are_named_by_their_place_in_the_data():
    plan = Plan(class_weight={np.int64(2): 3, "red": 0})
    named = plan.named(["green", "red", "blue"])
    assert named.class_weight == {"blue": 3.0, "red": 0.0}
    assert named.named(["blue", "red", "green"]) == named


@pytest.mark.parametrize("wrong", [0, 1, 0.0, 1.0, 1.5, -0.1, True, NAN, 2])
def test_a_share_to_validate_on_leaves_both_parts_something(wrong):
    with pytest.raises(ValueError, match="validation="):
        checked_validation(wrong)


def test_what_is_no_number_to_validate_on_is_data():
    assert checked_validation(None) is None
    assert checked_validation("digits") == "digits"
    share = checked_validation(np.float32(0.25))
    assert type(share) is float and share == 0.25


@pytest.mark.parametrize("wrong", [1, 0, -3, 2.5, True, "2"])
def test_there_are_two_classes_at_least(wrong):
    with pytest.raises(ValueError, match="num_classes="):
        check_num_classes(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        0,
        -1,
        4097,
        32.0,
        True,
        "32",
        "32x32",
        (),
        (32,),
        (32, 32, 3),
        (32, None),
        (None, None),
        (0, 32),
        (32, 5000),
        (32, 32.5),
        (True, 32),
        {32, 48},
        {"height": 32},
    ],
)
def test_an_image_size_is_two_sides(wrong):
    with pytest.raises(ValueError, match="`image_size` .*Received: image_size"):
        checked_image_size(wrong)


def test_an_image_size_may_be_one_number_or_of_numpy():
    assert checked_image_size(None) is None
    assert checked_image_size(48) == (48, 48)
    assert checked_image_size([np.int64(48), 31]) == (48, 31)
    assert all(type(x) is int for x in checked_image_size(np.int32(5)))


def test_options_are_refused_before_data_are_read(monkeypatch):
    def read(*arguments):
        raise AssertionError("data were read")

    task = tiny_task()
    monkeypatch.setattr(type(task), "read", read)
    monkeypatch.setattr(training.importlib.util, "find_spec", lambda name: None)
    for options in (
        {"epochs": 0},
        {"learning_rate": -1},
        {"validation": 1},
        {"num_classes": 1},
        {"image_size": (32, None)},
        {"tensorboard": True},
    ):
        with pytest.raises(ValueError, match="Received: "):
            task.finetune("data", **options)
    with pytest.raises(ImportError, match=r"zoo\[tensorboard\]"):
        task.finetune("data", tensorboard=True, folder="runs")


@pytest.fixture
def trainings(monkeypatch):
    """What reaches `training.fit`, which learns nothing."""
    found = []

    def fit(model, batches, validation=None, **options):
        found.append({**options, "model": model, "batches": batches})
        found[-1]["validation"] = validation
        return []

    monkeypatch.setattr(training, "fit", fit)
    return found


def _weights(batches):
    """How much each label counts; nothing is said where all count alike."""
    _, labels, *weights = batches[0]
    return {
        label: weight
        for each in weights
        for label, weight in zip(labels.tolist(), each.tolist())
    }


def shifted_and_flipped():
    """The first batch of a training of `tiny_data`, so augmented."""
    data = tiny_data()
    read = Reader(data.images, (16, 16), 3, ["shift", "flip"])
    return Batches(24, read, data.labels, None, 32, shuffle=True)[0][0]


def _rates(found):
    return sorted(set(found["multipliers"].values()))


# Option of `finetune` -> (value, what of the training shows it, expected).
REACHES = {
    "num_classes": (5, lambda f: f["model"].output_shape[-1], 5),
    "freeze": (
        ["stem", "stage_1"],
        lambda f: {
            la.name.split("_block")[0]
            for la in f["model"].layers
            if la.weights and la.trainable
        },
        {"stage_2", "logits"},
    ),
    "layer_decay": (0.5, _rates, [0.125, 0.25, 0.5, 1.0]),
    "validation": (0.25, lambda f: f["validation"].count, 6),
    "epochs": (7, lambda f: f["epochs"], 7),
    "batch_size": (
        5,
        lambda f: [
            data.batch_size
            for data in (f["batches"], f["validation"])
            if data is not None
        ],
        [5, 5],
    ),
    "optimizer": ("sgd", lambda f: f["optimizer"], "sgd"),
    "learning_rate": (0.3, lambda f: f["learning_rate"], 0.3),
    "schedule": ("constant", lambda f: f["schedule"], "constant"),
    "weight_decay": (0.4, lambda f: f["weight_decay"], 0.4),
    "augment": (
        ["shift", "flip"],
        lambda f: bool((f["batches"][0][0] == shifted_and_flipped()).all()),
        True,
    ),
    "label_smoothing": (
        0.2,
        lambda f: f["loss"].get_config().get("label_smoothing"),
        0.2,
    ),
    "class_weight": (
        {"blue": 3},
        lambda f: _weights(f["batches"]),
        {0: 1.0, 1: 1.0, 2: 3.0},
    ),
    "early_stopping": (4, lambda f: f["early_stopping"], 4),
    "folder": ("runs/x", lambda f: f["folder"], "runs/x"),
    "resume": (False, lambda f: f["resume"], False),
    "tensorboard": (True, lambda f: f["tensorboard"], True),
    "seed": (9, lambda f: f["batches"].seed, 9),
    "dtype": (
        "mixed_bfloat16",
        lambda f: f["model"].get_layer("stem_conv").compute_dtype,
        "bfloat16",
    ),
    "image_size": (
        (24, 20),
        lambda f: f["batches"][0][0].shape[1:3],
        (24, 20),
    ),
    "verbose": (0, lambda f: f["verbose"], 0),
}


def test_every_option_is_in_the_table():
    given = set(inspect.signature(Task.finetune).parameters)
    # The last three are for captions, texts and trained backbones:
    # `test_self_critical.py`, `test_vocabulary.py` and
    # `test_attention_backbone.py`.
    others = {"task", "data", "self_critical", "vocabulary", "recipe"}
    assert set(REACHES) == given - others


@pytest.mark.parametrize("option", REACHES)
def test_every_option_reaches_the_training(
    option, trainings, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training.importlib.util, "find_spec", lambda name: name)
    value, shows, expected = REACHES[option]
    options = {
        "tensorboard": {"folder": "runs"},
        "batch_size": {"validation": 0.25},
    }.get(option, {})
    task = tiny_task()
    task.finetune(tiny_data(), **{**options, option: value})
    assert shows(trainings[0]) == expected
    noted = trainings[0]["recipe"]["training"]
    if option in noted and option != "class_weight":
        assert noted[option] == value
    # It is not so by default.
    task.finetune(tiny_data())
    assert (
        shows(trainings[1]) != expected
        if option != "validation"
        else (trainings[1]["validation"] is None)
    )


def test_what_is_kept_for_the_record_is_not_what_is_done(trainings):
    recipe = {"training": {"epochs": 2, "class_weight": {"blue": 3.0}}}
    tiny_task().follow(tiny_data(), recipe, plan=Plan(epochs=9))
    assert trainings[0]["epochs"] == 9
    assert len(trainings[0]["batches"][0]) == 2  # no weights
    tiny_task().follow(tiny_data(), recipe)
    assert trainings[1]["epochs"] == 2
    assert _weights(trainings[1]["batches"]) == {0: 1.0, 1: 1.0, 2: 3.0}


def test_frozen_layers_have_no_rate_and_no_group(trainings):
    tiny_task().finetune(
        tiny_data(), freeze=["stem", "stage_1"], layer_decay=0.5
    )
    multipliers = trainings[0]["multipliers"]
    assert {name.split("_block")[0].split("/")[0] for name in multipliers} == {
        "stage_2",
        "logits",
    }
    assert _rates(trainings[0]) == [0.5, 1.0]


@pytest.mark.parametrize(
    "freeze, classes, rate",
    [
        ("backbone", ["night", "day"], 0.1),
        (["stem", "stage", "pool"], ["night", "day"], 0.1),
        # What was learned before would be lost.
        ("backbone", None, 1e-3),
        (["stem", "stage_1"], ["night", "day"], 1e-3),
        (None, ["night", "day"], 1e-3),
        (None, None, 1e-3),
    ],
)
def test_the_rate_follows_from_what_learns(
    freeze, classes, rate, trainings, capsys
):
    data = tiny_data()
    if classes is not None:
        data = ImageData(data.images, data.labels % 2, classes)
    copy = tiny_task().finetune(data, freeze=freeze)
    assert trainings[0]["learning_rate"] == rate
    assert trainings[0]["recipe"]["training"]["learning_rate"] == rate
    assert copy.card["recipe"]["training"]["learning_rate"] == rate
    printed = capsys.readouterr().out
    assert f"learning rate: {rate:g} (" in printed
    assert "epochs: 100 (small data are read more often)" in printed
    for options in ({"learning_rate": 0.02, "epochs": 5}, {"verbose": 0}):
        tiny_task().finetune(data, freeze=freeze, **options)
        assert not capsys.readouterr().out
    assert [each["learning_rate"] for each in trainings[1:]] == [0.02, rate]


def test_a_network_that_never_learned_has_new_heads(trainings):
    task = tiny_task()
    layer_groups.freeze(task.model, "backbone", task.output.heads)
    for rate in (0.1, 1e-3):
        task.follow(tiny_data(), {"training": {"epochs": 2}}, verbose=0)
        assert trainings[-1]["learning_rate"] == rate
        assert trainings[-1]["recipe"]["training"]["learning_rate"] == rate
        assert task.card["recipe"]["training"]["learning_rate"] == rate


def test_heads_that_are_networks_learn_more_slowly_than_linear_ones():
    inputs = keras.Input((4,))
    one = keras.layers.Dense(3, name="one")(inputs)
    deep = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(2)], name="deep"
    )
    model = keras.Model(inputs, [one, deep(inputs)])

    def rate(*args, **kwargs):
        return layer_groups.learning_rate(model, *args, **kwargs)[0]

    assert rate(["one", "deep"], ["one", "deep"]) == 0.01
    deep.trainable = False
    assert rate(["one", "deep"], ["one", "deep"]) == 0.1
    assert rate(["one", "deep"], ["deep"]) == 1e-3  # the new one is frozen
    assert rate(["deep"], ["deep"]) == 1e-3


def test_new_words_learn_faster_and_faster_still_below_new_heads():
    tokens = keras.Input((4,), dtype="int32")
    x = keras.layers.Embedding(9, 4, name="words")(tokens)
    logits = keras.layers.Dense(3, name="logits")(x)
    model = keras.Model(tokens, logits)
    for anew, new_words, expected in (
        ([], False, (1e-3, "the usual one")),
        (["logits"], False, (1e-3, "the usual one")),
        ([], True, (3e-3, "words are new to it")),
        (["logits"], True, (0.01, "words and heads are new to it")),
    ):
        assert (
            layer_groups.learning_rate(model, ["logits"], anew, new_words)
            == expected
        )


def test_frozen_layers_drop_nothing():
    images = keras.Input((3,))
    inner = keras.Sequential(
        [keras.layers.Dropout(0.5), keras.layers.Dropout(0.5)], name="inner"
    )
    x = keras.layers.Dropout(0.5, name="outer")(inner(images))
    logits = keras.layers.Dense(2, name="logits")(x)
    model = keras.Model(images, logits)
    ones = np.ones((64, 3), "float32")
    said = np.asarray(model(ones))
    assert np.abs(np.asarray(model(ones, training=True)) - said).max() > 0.1
    layer_groups.freeze(model, ["inner"], ["logits"])
    assert not inner.layers[0].rate and model.get_layer("outer").rate == 0.5
    layer_groups.freeze(model, "backbone", ["logits"])
    np.testing.assert_array_equal(model(ones, training=True), said)


def test_smoothed_and_weighted_is_the_weighted_mean_of_smoothed():
    task = tiny_task()
    loss = task.output.loss(label_smoothing=0.3)
    logits = np.array([[2.0, -1.0, 0.5], [0.0, 1.0, -2.0]], "float32")
    labels, weights = np.array([0, 2]), np.array([2.0, 0.5], "float32")
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    spread = 0.7 * np.eye(3)[labels] + 0.1
    each = -(spread * np.log(shares)).sum(axis=1)
    found = float(loss(labels, logits, sample_weight=weights))
    np.testing.assert_allclose(found, (each * weights).sum() / 2, rtol=1e-5)


def test_spared_variables_are_spared_at_a_rate_of_their_own():
    if keras.backend.backend() == "torch":
        pytest.skip("Keras asks for no step of one variable there")
    task = tiny_task(None)
    variables = task.model.trainable_variables
    multipliers = {variable.path: 0.5 for variable in variables}
    optimizer = training.LayerwiseAdamW(multipliers, 0.1, weight_decay=0.2)
    spared = [v for v in variables if len(v.shape) < 2]
    optimizer.exclude_from_weight_decay(spared)
    before = [keras.ops.convert_to_numpy(v) + 0 for v in variables]
    optimizer.apply([keras.ops.zeros_like(v) for v in variables], variables)
    for variable, old in zip(variables, before):
        kept = 1 if len(variable.shape) < 2 else 1 - 0.1 * 0.5 * 0.2
        new = keras.ops.convert_to_numpy(variable)
        np.testing.assert_allclose(new, old * kept, rtol=1e-5)
