"""The training loop: resume, schedule, decay, rates by layer, stopping."""

import json

import keras
import numpy as np
import pytest

from tests.zoo.tiny import tiny_data, tiny_task
from zoo import training, weights
from zoo.data.batches import Batches
from zoo.data.images import Reader

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def small_model():
    """Dropout, whose seed is a state, and a normalisation with averages."""
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, strides=4, name="conv"),
            keras.layers.BatchNormalization(momentum=0.8, name="norm"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dropout(0.3, seed=1),
            keras.layers.Dense(3, name="head"),
        ],
        name="small",
    )


def batches_of(data, batch_size, augment=(), seed=0, **options):
    read = Reader(data.images, (16, 16), 3, augment, seed)
    options = {"batch_size": batch_size, "seed": seed, **options}
    return Batches(len(data), read, data.labels, **options)


def train(model, folder=None, epochs=4, **options):
    batches = batches_of(
        tiny_data(), 8, ["shift", "flip"], shuffle=True, seed=2
    )
    options = {"learning_rate": 0.05, "verbose": 0, **options}
    return training.fit(
        model, batches, loss=LOSS, epochs=epochs, folder=folder, **options
    )


class Killed(Exception):
    pass


def kill_after(monkeypatch, epochs):
    """The process dies once the checkpoint of that epoch is written."""
    write = training._Run.save

    def save(self, model):
        write(self, model)
        if len(self.log) == epochs:
            raise Killed

    monkeypatch.setattr(training._Run, "save", save)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_goes_on_after_a_kill_as_if_there_had_been_none(
    tmp_path, monkeypatch, optimizer
):
    whole = small_model()
    log = train(whole, optimizer=optimizer)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_after(patch, 2)
        train(small_model(), tmp_path, optimizer=optimizer)
    resumed = small_model()
    resumed.set_weights([w + 1 for w in resumed.get_weights()])  # forgotten
    resumed_log = train(resumed, tmp_path, optimizer=optimizer)

    for one, other in zip(
        whole.get_weights(), resumed.get_weights(), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
    assert [e["epoch"] for e in resumed_log] == [1, 2, 3, 4]
    np.testing.assert_allclose(
        [e["loss"] for e in resumed_log], [e["loss"] for e in log], atol=1e-6
    )


def test_killed_in_either_part_it_goes_on_as_if_it_had_not(
    tmp_path, monkeypatch, capsys
):
    """Two epochs with the convolution frozen, and three without."""

    def learn(folder=None, **more):
        model = small_model()
        options = {"first_epochs": 2, "early_stopping": 9, "epochs": 5, **more}
        options["jit_compile"] = False
        frozen = model.layers[1:5]
        log = train(model, folder, frozen_at_first=frozen, **options)
        return model, log

    whole, log = learn()
    rates = [epoch["learning_rate"] for epoch in log]
    assert max(rates[:2]) > 5 * max(rates[2:]) > 0
    for epochs in (1, 2, 3):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            kill_after(patch, epochs)
            learn(tmp_path / str(epochs))
        capsys.readouterr()
        resumed, found = learn(tmp_path / str(epochs), verbose=2)
        said = capsys.readouterr().out
        assert said.count(f"resuming after epoch {epochs} of 5") == 1
        assert "finished" not in said and "Epoch 5/5" in said
        for one, other in zip(
            whole.get_weights(), resumed.get_weights(), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
        assert [e["epoch"] for e in found] == [1, 2, 3, 4, 5]
        np.testing.assert_allclose(
            [e["loss"] for e in found], [e["loss"] for e in log], atol=1e-6
        )
    assert learn(tmp_path / "3", verbose=2)[1] == found
    assert "finished already with epoch 5 of 5" in capsys.readouterr().out


@pytest.mark.parametrize("verbose, said", [(2, True), (0, False)])
def test_interrupted_it_says_where_it_goes_on(
    tmp_path, monkeypatch, capsys, verbose, said
):
    def begin(self, epoch, logs=None):
        begins(self, epoch, logs)
        if epoch == 2:
            raise KeyboardInterrupt

    begins = training._Run.on_epoch_begin
    monkeypatch.setattr(training._Run, "on_epoch_begin", begin)
    with pytest.raises(KeyboardInterrupt):
        train(small_model(), tmp_path, verbose=verbose)
    words = "interrupted; the same training goes on after epoch 2 of 4"
    assert (
        f"{tmp_path}/checkpoint.npz: {words}" in capsys.readouterr().out
    ) is said


def test_logs_every_epoch_and_does_nothing_twice(tmp_path):
    log = train(small_model(), tmp_path, epochs=2)
    assert json.loads((tmp_path / "log.json").read_text()) == log
    assert set(log[0]) == {"epoch", "seconds", "learning_rate", "loss"}
    finished = small_model()
    assert train(finished, tmp_path, epochs=2) == log
    assert not list(tmp_path.glob(".*.part"))


def test_refuses_the_checkpoint_of_another_recipe_or_model(tmp_path):
    train(small_model(), tmp_path, epochs=1, recipe={"data": "a"})
    with pytest.raises(ValueError, match="data='b' in place of 'a'"):
        train(small_model(), tmp_path, epochs=1, recipe={"data": "b"})
    other = keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.Flatten()]
        + [keras.layers.Dense(4) for _ in range(6)]
    )
    with pytest.raises((ValueError, KeyError), match="shapes|variable"):
        train(other, tmp_path, epochs=1, recipe={"data": "a"})
    train(other, tmp_path, epochs=1, recipe={"data": "b"}, resume=False)


def rates(name, steps=100):
    schedule = training.learning_rate_schedule(name, 0.5, steps)
    return np.array([float(schedule(step)) for step in range(steps + 1)])


def test_one_cycle_climbs_over_30_percent_and_falls_to_nothing():
    rate = rates("one_cycle")
    assert rate.argmax() == 30
    np.testing.assert_allclose(rate[[0, 30]], [0.02, 0.5], rtol=1e-6)
    np.testing.assert_allclose(rate[65], (0.5 + 0.5e-4) / 2, rtol=1e-5)
    np.testing.assert_allclose(rate[100], 0.5e-4, rtol=1e-3)


def test_cosine_climbs_over_5_percent():
    rate = rates("cosine")
    assert rate.argmax() == 5 and rate[0] == 0
    np.testing.assert_allclose(rate[100], 0, atol=1e-7)
    assert training.learning_rate_schedule("constant", 0.5, 9) == 0.5
    with pytest.raises(ValueError, match="schedule='linear'"):
        training.learning_rate_schedule("linear", 0.5, 9)


def test_the_transformers_climbs_over_10_percent_and_falls_by_the_root():
    rate = rates("inverse_sqrt", 200)
    steps = np.arange(1, 202)
    expected = 0.5 * np.minimum(steps / 20, np.sqrt(20 / steps))
    np.testing.assert_allclose(rate, expected, rtol=1e-6)
    # The paper's, of a width of 512 and 4,000 steps of warm-up.
    own = training.InverseSquareRoot((512 * 4000) ** -0.5, 4000)
    for step in (1, 3999, 4000, 100_000):
        paper = 512**-0.5 * min(step**-0.5, step * 4000**-1.5)
        assert float(own(step - 1)) == pytest.approx(paper, rel=1e-5)
    again = type(own).from_config(own.get_config())
    assert float(again(7)) == float(own(7))


def decayed(**options):
    """Trains on a loss without gradient, so that only the decay moves."""
    model = small_model()
    before = {v.path: np.array(v) for v in model.trainable_variables}
    training.fit(
        model,
        batches_of(tiny_data(), 24),
        loss=lambda y_true, y_pred: 0.0 * keras.ops.sum(y_pred, axis=-1),
        epochs=1,
        learning_rate=0.1,
        schedule="constant",
        weight_decay=0.5,
        verbose=0,
        **options,
    )
    return {
        v.path.split("/", 1)[-1]: np.mean(np.array(v) / before[v.path])
        for v in model.trainable_variables
        if before[v.path].all()
    }


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_decays_kernels_and_spares_norms(optimizer):
    moved = decayed(optimizer=optimizer)
    np.testing.assert_allclose(moved["conv/kernel"], 0.95, rtol=1e-5)
    np.testing.assert_allclose(moved["norm/gamma"], 1.0, rtol=0)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_trains_as_keras_own_optimizer_would_and_leaves_that_one(name):
    model, twin = small_model(), small_model()
    batches = batches_of(tiny_data(), 8)
    decay = {"learning_rate": 0.05, "weight_decay": 0.5}
    options = {"optimizer": name, "epochs": 4, "verbose": 0, **decay}
    training.fit(model, batches, loss=LOSS, jit_compile=False, **options)
    decay["learning_rate"] = training.learning_rate_schedule(
        "one_cycle", 0.05, 4 * len(batches)
    )
    if name == "sgd":
        own = keras.optimizers.SGD(momentum=0.9, nesterov=True, **decay)
    else:
        own = keras.optimizers.AdamW(**decay)
    own.exclude_from_weight_decay(
        [v for v in twin.trainable_variables if len(v.shape) < 2]
    )
    twin.compile(own, LOSS)
    twin.fit(batches, epochs=4, shuffle=False, verbose=0)
    assert type(model.optimizer) is type(own)
    found, expected = model.optimizer.get_config(), own.get_config()
    assert {**found, "name": ""} == {**expected, "name": ""}
    for ours, theirs in (
        (model.variables, twin.variables),
        (model.optimizer.variables, own.variables),
    ):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(
                keras.ops.convert_to_numpy(one),
                keras.ops.convert_to_numpy(other),
                rtol=1e-4,
                atol=1e-6,
            )


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="no step of one variable there"
)
def test_scales_rate_and_decay_by_layer(tmp_path):
    path = "small/conv/kernel"
    moved = decayed(optimizer="adamw", multipliers={path: 0.1})
    np.testing.assert_allclose(moved["conv/kernel"], 0.995, rtol=1e-5)
    np.testing.assert_allclose(moved["head/kernel"], 0.95, rtol=1e-5)

    # Adam's first step is the rate, whatever the gradient.
    model = small_model()
    before = [np.array(v) for v in model.trainable_variables]
    model.compile(training.LayerwiseAdamW({path: 0.1}, 0.01, 0.0), LOSS)
    data = tiny_data()
    model.train_on_batch(data.images.astype("float32"), data.labels)
    for variable, old in zip(model.trainable_variables, before, strict=True):
        step = np.abs(np.array(variable) - old).max()
        wanted = 0.001 if variable.path == path else 0.01
        if "conv/bias" not in variable.path:  # a norm follows: no gradient
            np.testing.assert_allclose(step, wanted, rtol=0.02)
    with pytest.raises(ValueError, match="no/such"):
        decayed(optimizer="adamw", multipliers={"no/such": 0.1})
    config = model.optimizer.get_config()
    again = training.LayerwiseAdamW.from_config(config)
    assert again.get_config() == config
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras").optimizer
    assert again.multipliers == {"conv/kernel": 0.1}


@pytest.mark.parametrize("name", ["sgd", "adamw", "by layer"])
def test_without_a_decay_none_is_computed(name):
    options = {"optimizer": name, "weight_decay": 0.0, "epochs": 1}
    if name == "by layer":
        layers = {"small/conv/kernel": 0.5}
        options |= {"optimizer": "adamw", "multipliers": layers}
    model = small_model()
    train(model, **options)
    assert model.optimizer.weight_decay is None
    config = model.optimizer.get_config()
    again = type(model.optimizer).from_config(config)
    assert again.weight_decay is None


def test_refuses_rates_by_layer_without_adamw():
    with pytest.raises(ValueError, match="optimizer='sgd'"):
        train(small_model(), multipliers={"conv/kernel": 0.5})
    with pytest.raises(ValueError, match="optimizer='lion'"):
        train(small_model(), optimizer="lion")


def test_stops_early_with_the_best_weights_also_after_a_kill(
    tmp_path, monkeypatch
):
    options = {
        "learning_rate": 3.0,  # too high: the loss climbs at once
        "schedule": "constant",
        "early_stopping": 2,
        "epochs": 12,
        "validation": batches_of(tiny_data(9, seed=1), 9),
    }
    whole = small_model()
    log = train(whole, **options)
    assert 3 <= len(log) < 12
    best = min(entry["val_loss"] for entry in log)
    assert best < log[-1]["val_loss"]
    whole.compile(loss=LOSS)
    batch, labels = options["validation"][0]
    found = whole.evaluate(batch, labels, verbose=0)
    np.testing.assert_allclose(found, best, rtol=1e-4)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_after(patch, len(log) - 1)
        train(small_model(), tmp_path, **options)
    resumed = small_model()
    assert len(train(resumed, tmp_path, **options)) == len(log)
    finished = small_model()
    train(finished, tmp_path, **options)
    for one, two, three in zip(
        whole.get_weights(),
        resumed.get_weights(),
        finished.get_weights(),
        strict=True,
    ):
        np.testing.assert_allclose(one, two, atol=1e-6)
        np.testing.assert_allclose(one, three, atol=1e-6)


@pytest.mark.parametrize("first", ["green", 0])
@pytest.mark.slow
def test_weights_of_classes_reach_the_training_in_any_order(first):
    # The data name their classes in another order than the model.
    data = tiny_data()
    data.label_names = ["green", "red", "blue"]
    task = tiny_task()
    given = {}
    fit = keras.Model.fit

    def spy(self, batches, **options):
        labels, weights = batches[0][1:]
        given.update(zip(labels.tolist(), weights.tolist()))
        return fit(self, batches, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "fit", spy)
        options = {"epochs": 1, "verbose": 0}
        plain = task.finetune(data, class_weight={"blue": 1}, **options)
        given.clear()
        tuned = task.finetune(
            data, class_weight={first: 0, "blue": 5}, **options
        )
    assert tuned.assets["labels"] == ["red", "green", "blue"]
    assert given == {0: 1.0, 1: 0.0, 2: 5.0}
    plan = tuned.card["recipe"]["training"]
    assert plan["class_weight"] == {"green": 0.0, "blue": 5.0}
    losses = [t.card["recipe"]["log"][0]["loss"] for t in (plain, tuned)]
    assert abs(losses[0] - losses[1]) > 1e-3


def test_a_dtype_policy_ends_with_its_block():
    with weights.dtype_policy("mixed_bfloat16"):
        inside = tiny_task().model.get_layer("stem_conv")
    assert inside.compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"


def test_trains_in_mixed_precision():
    task = tiny_task(dtype="mixed_float16")
    before = task.model.get_layer("logits").get_weights()[0]
    log = training.fit(
        task.model,
        batches_of(tiny_data(), 8, shuffle=True),
        loss=LOSS,
        epochs=2,
        verbose=0,
    )
    assert np.isfinite(log[-1]["loss"])
    assert (task.model.get_layer("logits").get_weights()[0] != before).any()


def interrupted(task, folder, monkeypatch, **options):
    """A finetuning that dies after its first epoch."""
    with monkeypatch.context() as patch:
        kill_after(patch, 1)
        with pytest.raises(Killed):
            task.finetune(tiny_data(), folder=folder, **options)


def test_a_finetuning_goes_on_and_says_so(tmp_path, monkeypatch, capsys):
    options = {"epochs": 2, "batch_size": 12, "freeze": ("stem", "stage_1")}
    task = tiny_task(None)
    whole = task.finetune(tiny_data(), verbose=0, **options)
    interrupted(task, tmp_path, monkeypatch, verbose=0, **options)
    capsys.readouterr()
    tuned = task.finetune(tiny_data(), folder=tmp_path, **options)
    said = f"{tmp_path / 'checkpoint.npz'}: resuming after epoch 1 of 2"
    assert said in capsys.readouterr().out
    for one, other in zip(tuned.model.weights, whole.model.weights):
        np.testing.assert_allclose(one, other, atol=1e-6)
    task.finetune(tiny_data(), folder=tmp_path, **options)
    assert "finished already with epoch 2 of 2" in capsys.readouterr().out
    task.finetune(tiny_data(), folder=tmp_path, verbose=0, **options)
    assert not capsys.readouterr().out


@pytest.mark.slow
def test_a_finetuning_goes_on_with_the_same_model_and_data_only(
    tmp_path, monkeypatch
):
    task, options = tiny_task(None), {"epochs": 2, "verbose": 0}
    interrupted(task, tmp_path, monkeypatch, **options)
    data, other = tiny_data(), tiny_data(seed=1)  # of one name
    for key, change in {
        "data_sha256": {"data": other},
        "validation_sha256": {"validation": other},
        "training.learning_rate": {"learning_rate": 0.5},
        "training.dtype": {"dtype": "float32"},
        "answers.labels": {"num_classes": 4},
    }.items():
        with pytest.raises(ValueError, match=f"Received: .*{key}="):
            task.finetune(
                **{"data": data, "folder": tmp_path, **options, **change}
            )
    log = task.finetune(other, folder=tmp_path, resume=False, **options).card[
        "recipe"
    ]["log"]
    assert len(log) == 2
    head = task.model.get_layer("stem_conv")
    head.set_weights([weight + 1 for weight in head.get_weights()])
    with pytest.raises(ValueError, match="Received: .*start_sha256="):
        task.finetune(other, folder=tmp_path, **options)


@pytest.mark.slow
def test_early_stopping_outlives_a_kill(tmp_path, monkeypatch):
    # The better it learns, the worse it is on labels that are wrong.
    validation = tiny_data(6, seed=3)
    validation.labels = (validation.labels + 1) % 3
    options = {"epochs": 6, "early_stopping": 2, "optimizer": "sgd"}
    options |= {"learning_rate": 0.1, "schedule": "constant", "verbose": 0}
    options |= {"validation": validation}
    task = tiny_task(None)
    whole = task.finetune(tiny_data(), **options)
    interrupted(task, tmp_path, monkeypatch, **options)
    tuned = task.finetune(tiny_data(), folder=tmp_path, **options)
    logs = [
        [epoch["val_loss"] for epoch in each.card["recipe"]["log"]]
        for each in (whole, tuned)
    ]
    np.testing.assert_allclose(*logs, rtol=1e-5)
    assert 1 < len(logs[0]) < 6
    for one, other in zip(tuned.model.weights, whole.model.weights):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize(
    "name, content",
    [
        ("log.json", b"my own notes"),
        ("checkpoint.npz", b"my own numbers"),
        ("checkpoint.npz", b""),
        ("checkpoint.npz", "arrays"),
        ("checkpoint.npz", "facts"),
    ],
)
def test_a_file_that_no_training_wrote_stays(tmp_path, name, content, resume):
    file = tmp_path / name
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content == "arrays":
        np.savez(file, mine=np.arange(3))
    else:
        np.savez(file, facts=np.array('{"mine": 1}'))
    before = file.read_bytes()
    with pytest.raises(ValueError, match="move it away.*Received: .*" + name):
        tiny_task(None).finetune(
            tiny_data(), folder=tmp_path, resume=resume, verbose=0
        )
    assert file.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="without XLA, JAX compiles nothing"
)
def test_without_xla_jax_still_compiles():
    model = small_model()
    train(model, epochs=1, jit_compile=False)
    assert model.jit_compile
