"""What every input, output, decoder and task of the zoo promises."""

import csv
import itertools
import json
import pathlib
import tempfile
from unittest import mock

import keras
import numpy as np
import pytest
from keras import ops
from typer.testing import CliRunner

import zoo
import zoo.task
from zoo import answer_files, comparing, exported, layer_groups
from zoo.answering import one_or_all
from zoo.cli import app
from zoo.decoding import beam_search
from zoo.printing import as_json, plain_answers
from zoo.scores import Score, interval

QUICK = {"epochs": 1, "batch_size": 8, "verbose": 0}
STRANGE = (None, "strange", -1, [], {}, 10**9, ["a", 3], {"a": {}}, 0.5)


def check_input(made, data, raws, wrong=()):
    """Checks every promise of an input.

    Args:
        made: An input, learned from `data`.
        data: `zoo.data.examples.Examples`, which it can read.
        raws: List of raw inputs, two at least.
        wrong: Tuples `(raw, part of the message)`, what it refuses.
    """
    kind = type(made)
    assert isinstance(kind.noun, str) and isinstance(kind.asked, str)
    assert all(isinstance(name, str) for name in kind.columns_asked)
    assert all(suffix[0] == "." for suffix in kind.suffixes)
    _check_kept(made)
    for part, key in kind.choices.values():
        assert isinstance(part, str) and isinstance(key, str)
    if hasattr(made, "like"):
        same, said = made.like(data, "keep")
        assert same is made and isinstance(said, str)
        for rows in made.rows(made).values():
            assert rows.tolist() == list(range(len(rows)))

    expected = made.tensors()
    arrays = made.arrays(raws)
    for found in (arrays, made.golden(), made.extremes()):
        assert list(found) == list(expected)
        for name, (shape, dtype) in expected.items():
            assert found[name].shape[1:] == tuple(shape), name
            assert found[name].dtype == dtype, name
            assert np.isfinite(found[name]).all(), name
    golden = made.golden()
    assert all(len(array) == 2 for array in golden.values())
    _equal(golden, made.golden())

    several, found = made.several(raws)
    assert several and len(found) == len(raws)
    several, found = made.several(raws[0])
    assert not several and len(found) == 1
    _equal(made.arrays(found), made.arrays(raws[:1]))
    for raw, message in wrong:
        with pytest.raises(ValueError, match=message):
            made.arrays(made.several(raw)[1])

    words = made.to_shell(raws[0])
    assert words is None or all(isinstance(word, str) for word in words)

    read, places = made.reader(data), np.array([2, 0])
    _equal(
        read(places, 0, 0), made.reader(data.take(places))(np.arange(2), 1, 3)
    )

    rows = len(next(iter(arrays.values())))
    notes = made.notes(raws, {})
    assert len(notes) == rows and all(map(json.dumps, notes))
    shown = [made.shown(raw, note) for raw, note in zip(raws, notes)]
    assert all(isinstance(text, str) and text for text in shown)
    for name, text in made.files().items():
        assert "/" not in name and isinstance(text, str)
    _check_served(made)


def check_output(made, data, said, raws, notes, final=None, losses=None):
    """Checks every promise of an output.

    Args:
        made: An output, learned from `data`.
        data: `zoo.data.examples.Examples`, whose targets it answers.
        said: What a network may have said of `data`, an array or a dict.
        raws: The raw inputs of `data`, as answers need them.
        notes: List of dicts, what an input noted of each row.
        final: The final tensors, of an output that is decoded word by word.
        losses: Array, of such an output, what each target cost.
    """
    _check_kept(made)
    assert made.heads and made.kept(made) == made.heads
    assert (made.decoding is None) == (final is None)
    assert made.like(data) is made

    selected = made.select(data)
    targets, weights = made.teach(selected)
    assert weights is None
    places, told = made.told(selected)
    assert sorted(set(places)) == list(range(len(data)))
    for name, array in {**_named(targets), **told}.items():
        assert len(array) == len(places), name
    golden = made.golden()
    assert list(golden) == list(told)
    for name, array in golden.items():
        count, *shape = array.shape
        assert count == 2 and len(shape) == told[name].ndim - 1, name
        # A network that takes words of any length is shown the first ones.
        assert shape[0] <= told[name].shape[1], name
        assert shape[1:] == list(told[name].shape[2:]), name
        assert array.dtype == told[name].dtype, name
    _check_learning(made, said, targets)

    final = made.final(
        keras.tree.map_structure(
            keras.ops.convert_to_tensor, said if final is None else final
        )
    )
    final = {k: keras.ops.convert_to_numpy(v) for k, v in final.items()}
    measured = final if losses is None else {**final, "losses": losses}
    condense = getattr(made, "condense", None)
    answers = made.answers(final, raws, [dict(note) for note in notes])
    assert len(answers) == len(raws) and _as_json(answers)
    for name, array in measured.items():
        if array.dtype.kind != "f":
            continue
        broken = {**measured, name: np.full_like(array, np.nan)}
        with pytest.raises(ValueError, match="finite"):
            made.answers(broken, raws, [dict(note) for note in notes])
            if condense is not None:
                broken = condense(broken, selected)
            made.measure(broken, selected)
    if condense is not None:
        measured = _condensed_alike(condense, measured, selected)
    found = made.measure(measured, selected)
    assert list(found)[-1] == "loss"
    assert all(map(np.isfinite, found.values()))
    for name, score in found.items():
        _check_score(name, score)
    assert 0 < made.count(selected) <= len(data)
    assert made.unlike(made) is None
    judged = made.judged(measured, selected)
    assert list(judged) == list(made.classes)
    for name, found in judged.items():
        true, said, *counted = found
        for each in (true, said):
            assert set(each) <= set(range(len(made.classes[name])))
        if counted:
            assert len(counted[0]) == len(true) and counted[1].endswith("s")
    rows = list(map(made.cells, answers))
    assert all(rows) and len({tuple(row) for row, *_ in rows}) == 1

    shown = [f"raw {place}" for place in range(len(raws))]
    tables = made.tables("raw", shown, answers)
    for title, columns, rows in tables:
        assert title is None or isinstance(title, str)
        assert rows and all(len(row) == len(columns) for row in rows)
        assert all(isinstance(cell, str) for row in rows for cell in row)
    printed = json.dumps(tables)
    assert all(text in printed for text in shown)
    for name, text in made.files().items():
        assert "/" not in name and isinstance(text, str)

    served = made.served(final)
    assert all(len(value) == len(notes) for value in served.values())
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tensors = {name: tf.constant(array) for name, array in final.items()}
        with tempfile.TemporaryDirectory() as folder:
            module = made.tensorflow(pathlib.Path(folder))
            assert isinstance(module, tf.Module)
            _same_served(module(tensors), served)


def _condensed_alike(condense, tensors, data):
    """What is kept of all at once, which is that of a few at a time."""
    keep = [condense(tensors, data)]
    for part in (slice(2), slice(2, None)):
        some = {name: array[part] for name, array in tensors.items()}
        keep.append(condense(some, data.take(np.arange(len(data))[part])))
    whole, *parts = keep
    _equal(whole, {k: np.concatenate([x[k] for x in parts]) for k in whole})
    return whole


def check_task(
    task,
    recipe,
    data,
    raws,
    words,
    folder,
    other=None,
    redrawn=("logits",),
    options=None,
    one_size=False,
):
    """Checks every promise of a task.

    Args:
        task: A task, trained or not, whose network has attention. One that
            is built alike learns, and keeps the other promises.
        recipe: Dict, how it was built, with `"training"`.
        data: `zoo.data.examples.Examples`, sixteen at least, in its classes.
        raws: List of raw inputs, two at least.
        words: List of strings, what the shell is given for them.
        folder: Path of an empty folder.
        other: As `data`, of other classes; `None` where there are none.
        redrawn: Names of the heads that are drawn anew for them.
        options: Dict, what the shell is given by an option's name.
        one_size: Boolean. Whether the network's weights fit no other size of
            images.
    """
    _check_answers(task, raws)
    task = _check_learns(task, recipe, data)
    _check_reports(task, data, raws, folder)
    again = _check_is_kept(task, raws, folder / "kept")
    _check_finetunes(again, data, raws, other, set(redrawn))
    _check_reads_other_sizes(again, data, raws, folder / "larger", one_size)
    _check_refuses(again, data)
    half = task.rebuilt(dtype="mixed_bfloat16")
    policies = {layer.compute_dtype for layer in half.model.layers}
    assert "bfloat16" in policies
    outputs, _ = half.graph().predict_on_batch(half.input.golden())
    assert {array.dtype.name for array in outputs.values()} <= {
        "float32",
        "int32",
    }
    assert half.evaluate(data)["loss"] > 0
    if keras.backend.backend() == "tensorflow":
        reports = again.export(folder / "exported")
        assert set(reports) == set(again.formats)
        beside = {path.name for path in (folder / "exported").iterdir()}
        assert {*again.input.files(), *again.output.files()} < beside
        if "litert" in again.formats:
            of_export = exported.load(folder / "exported")
            _alike(of_export.predict(raws), again.predict(raws))
            _alike(of_export.predict(raws[0]), again.predict(raws[0]))
    _check_shell(again, words, options or {}, folder)


def _check_answers(task, raws):
    several = task.predict(raws)
    assert len(several) == len(raws) and _as_json(several)
    _alike(task.predict(raws[0]), several[0])
    _alike(task.predict(raws[1:2]), several[1:2])
    _alike(task.predict(raws, batch_size=1), several)
    assert task.predict([]) == [] == task.look([])

    looked = task.look(raws)
    for answer, seen in zip(several, looked, strict=True):
        found = list(_maps(seen))
        assert found and all(np.isfinite(x).all() for x in found)
        _alike(_without_looks(seen), _without_looks(answer))
    figure = task.picture(raws, looked)
    assert figure.axes and callable(figure._repr_png_)
    for shown in ("page", "html"):
        own = getattr(type(task), shown) is not getattr(zoo.task.Task, shown)
        assert (getattr(task, shown)(looked) is not None) == own


def _check_score(name, score):
    """A metric is what its examples make of it, in any order of them."""
    assert isinstance(score, Score), name
    sums = score.parts.sum(axis=0)
    assert score.metric(sums) == pytest.approx(float(score), rel=1e-9), name
    drawn = score.drawn()
    assert np.isfinite(drawn[np.isfinite(drawn)].mean()), name
    ends, _ = interval(score)
    if ends is not None:
        assert ends[0] <= ends[1], name
        assert ends[0] - 1e-9 <= np.nanmax(drawn) and ends[1] >= np.nanmin(
            drawn
        )


def _check_reports(task, data, raws, folder):
    """It says how sure it is, what it is, and its answers fill a table."""
    report = task.report(data)
    assert _as_json(report) == report
    found = {name: x["value"] for name, x in report["metrics"].items()}
    assert found == pytest.approx(task.evaluate(data))
    for name, value in report["metrics"].items():
        assert value["n"] == task.count(name, data), name
    assert list(report["classes"]) == list(task.output.classes)
    lines = []
    task.summary(lines.append)
    assert any(task.input.noun in line for line in lines)
    assert task.card["builder"] in repr(task)
    assert task.history == task.card["recipe"]["log"]
    with mock.patch.multiple(comparing, MOST=1, LEAST=1, WARM=1):
        compared = zoo.compare(task, task, data)
    assert list(compared["metrics"]) == list(report["metrics"])
    for found in compared["metrics"].values():
        assert found["difference"]["value"] == 0
        if found["correct"]:
            assert found["correct"]["only_a"] == 0 == found["correct"]["only_b"]
    path = folder / "answers.csv"
    assert answer_files.answer(path, task, raws, lambda count: None) == []
    with open(folder / "answers.csv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, strict=True)
    assert len(rows) >= len(raws)
    assert {len(row) for row in rows} == {len(set(header))}


def _check_learns(task, recipe, data):
    keras.utils.set_random_seed(0)
    fresh = type(task).untrained(recipe, task.input, task.output)
    before = fresh.evaluate(data)
    plan = {**recipe["training"], "epochs": 4}
    log = fresh.follow(data, {**recipe, "training": plan}, data, verbose=0)
    after = fresh.evaluate(data)
    assert list(before) == list(after) == [*list(after)[:-1], "loss"]
    assert after["loss"] < before["loss"]
    assert len(log) == 4 and "val_loss" in log[-1]
    # What the training saw is what is measured.
    assert log[-1]["val_loss"] == pytest.approx(after["loss"], rel=1e-3)
    assert fresh.card["data"] == data.describe()
    assert fresh.card["recipe"]["log"] == log
    assert fresh.measure(data) == after
    for metric, found in fresh.card["metrics"].items():
        assert found["value"] == after[metric]
        assert found["n"] == fresh.count(metric, data) > 0
    return fresh


def _check_is_kept(task, raws, folder):
    again = zoo.load(task.save(folder))
    assert type(again) is type(task)
    _alike(again.predict(raws), task.predict(raws))
    assert again.card == zoo.card(folder) == task.card
    assert again.assets == _as_json(task.assets)
    assert set(again.card["assets"]) == {
        *again.input.roles,
        *again.output.roles,
    }
    golden = np.load(folder / "golden.npz")
    inputs = one_or_all(again.input.golden() | again.output.golden())
    said = keras.tree.flatten(again.model(inputs))
    for place, array in enumerate(said):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(array),
            golden[f"output_{place}"],
            rtol=1e-4,
            atol=1e-5,
        )
    return again


def _check_finetunes(task, data, raws, other, redrawn):
    before = [w.copy() for w in task.model.get_weights()]
    heads = set(task.output.heads)
    copy = task.finetune(other or data, freeze="backbone", **QUICK)
    assert type(copy) is type(task) and copy.model is not task.model
    assert _moved(copy, task) == heads
    assert copy.input is task.input
    assert copy.card["recipe"]["training"]["freeze"] == "backbone"
    if other is not None:
        assert copy.output is not task.output
        assert copy.assets != task.assets
        assert copy.evaluate(other)["loss"] > 0
        kept = task.rebuilt(copy.output)
        assert _moved(kept, task) == redrawn
    first = next(la.name for la in task.model.layers if la.trainable_variables)
    copy = task.finetune(
        data, freeze=[first], validation=0.25, layer_decay=0.5, **QUICK
    )
    moved = _moved(copy, task)
    assert first not in moved and heads <= moved
    assert copy.input is task.input and copy.output is task.output
    assert "val_loss" in copy.card["recipe"]["log"][0]
    assert len(copy.predict(raws)) == len(raws)
    rates = layer_groups.multipliers(task.model, 0.5, task.output.heads)
    by_layer = {
        layer.name: {rates[v.path] for v in layer.trainable_variables}
        for layer in task.model.layers
    }
    assert all(by_layer[head] == {1.0} for head in heads)
    assert by_layer[first] == {min(rates.values())} and min(rates.values()) < 1
    for old, now in zip(before, task.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)


def _check_reads_other_sizes(task, data, raws, folder, one_size):
    """Of images; a task that reads none refuses to."""
    parts = getattr(task.input, "parts", {"image": task.input})
    if not hasattr(parts.get("image"), "resized"):
        with pytest.raises(ValueError, match=r"`image_size` is for a task"):
            task.finetune(data, image_size=32, **QUICK)
        return
    height, width = parts["image"].size
    size = (2 * height, 3 * width)
    if one_size:
        with pytest.raises(ValueError, match="must be a size that .* can take"):
            task.finetune(data, image_size=size, **QUICK)
        return
    copy = task.finetune(data, image_size=size, freeze="backbone", **QUICK)
    assert _moved(copy, task) == set(task.output.heads)
    shape = copy.input.tensors()["image"][0]
    assert tuple(shape[:2]) == size
    assert copy.card["recipe"]["image_size"] == list(size)
    again = zoo.load(copy.save(folder))
    assert again.input.tensors() == copy.input.tensors()
    assert again.evaluate(data)["loss"] > 0
    if task.output.decoding is not None:
        return  # the same words, which take their time
    looked = again.look(raws)
    for answer, seen in zip(copy.predict(raws), looked, strict=True):
        _alike(_without_looks(seen), _without_looks(answer))
    assert again.picture(raws, looked).axes


def _check_refuses(task, data):
    for options, message in (
        ({"freeze": "nowhere"}, "freeze='nowhere'"),
        ({"learning_rate": -1}, "learning_rate=-1"),
        ({"num_classes": 1}, "num_classes=1"),
        ({"validation": 1.5}, "validation=1.5"),
        ({"class_weight": {"nobody": 2}}, "class_weight=.*nobody"),
    ):
        with pytest.raises(ValueError, match=message):
            task.finetune(data, **{**QUICK, **options})
    with pytest.raises(TypeError, match="near: .*learning_rate"):
        task.finetune(data, learning_rat=1)
    broken = task.rebuilt()
    for name in broken.output.heads:
        head = broken.model.get_layer(name)
        head.set_weights([np.full_like(w, np.nan) for w in head.get_weights()])
    with pytest.raises(ValueError, match="Received: loss=nan"):
        broken.evaluate(data)


def _check_shell(task, words, options, folder):
    kept, picture = str(task.save(folder / "shell")), folder / "seen.png"
    raws = task.input.from_shell(words, options)
    expected = plain_answers(task, raws, task.predict(raws))
    given = [f"--{name}={value}" for name, value in options.items()]
    words = [*given, *words]
    result = CliRunner().invoke(app, ["predict", kept, "--json", *words])
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    for answer in printed:
        del answer[task.input.noun]
    shown = [
        {k: v for k, v in x.items() if k != task.input.noun} for x in expected
    ]
    _alike(printed, _as_json(shown))
    result = CliRunner().invoke(
        app, ["look", kept, "--out", str(picture), *words]
    )
    assert result.exit_code == 0, result.output
    assert picture.read_bytes()[:4] == b"\x89PNG"


def _moved(copy, task):
    """Names of the layers whose weights are others."""
    moved = set()
    for one, two in zip(copy.model.layers, task.model.layers, strict=True):
        for new, old in zip(one.get_weights(), two.get_weights(), strict=True):
            if new.shape != old.shape or (new != old).any():
                moved.add(one.name)
    return moved


def _maps(answer):
    """The attention maps of an answer, wherever they stand."""
    for each in answer.get("answers", [answer]):
        yield from each["attention"].values()


def _without_looks(answer):
    if "answers" in answer:
        return {
            **answer,
            "answers": list(map(_without_looks, answer["answers"])),
        }
    looks = ("attention", "source", "words", "weights")
    return {
        k: _without_looks(v) if isinstance(v, dict) else v
        for k, v in answer.items()
        if k not in looks
    }


def _alike(one, other):
    """Equal but for the last digits of numbers."""
    one, other = (keras.tree.flatten(_as_json(x)) for x in (one, other))
    assert len(one) == len(other)
    for left, right in zip(one, other):
        if isinstance(left, float):
            assert left == pytest.approx(right, abs=1e-5)
        else:
            assert left == right


def _check_kept(made):
    """It is made again from its card, and strangers' cards are refused."""
    settings, assets = _as_json(made.settings()), _as_json(made.assets())
    assert set(assets) == set(type(made).roles)
    again = type(made).from_card(settings, assets)
    assert type(again) is type(made)
    for ask in ("settings", "assets", "sizes"):
        assert _as_json(getattr(again, ask)()) == _as_json(
            getattr(made, ask)()
        ), ask
    for source in (settings, assets):
        for name in source:
            for value in STRANGE:
                if value == source[name]:
                    continue
                changed = {**source, name: value}
                both = (
                    (changed, assets)
                    if source is settings
                    else (settings, changed)
                )
                # Refused; or told by what it keeps or asks of a network.
                try:
                    strange = type(made).from_card(*both)
                    told = (
                        _as_json(strange.settings()) != both[0]
                        or strange.sizes() != made.sizes()
                        or _as_json(strange.assets()) == both[1]
                    )
                except (ValueError, TypeError, KeyError, IndexError):
                    told = True
                assert told, f"{name}={value!r} of a card is believed"


def _check_served(made):
    """What an export makes of raw inputs is what is made of them here."""
    arrays = made.golden()
    columns, raws = made.requests(arrays)
    assert list(columns) == list(made.served())
    count = {len(column) for column in columns.values()}
    assert len(count) == 1
    valid = np.array([raw is not None for raw in raws])
    expected = made.arrays([raw for raw in raws if raw is not None])
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    module = made.tensorflow()
    assert isinstance(module, tf.Module)
    dtypes = {
        name: served if isinstance(served, str) else served[1]
        for name, served in made.served().items()
    }
    tensors, flags = module(
        **{name: tf.constant(columns[name], dtypes[name]) for name in dtypes}
    )
    assert tuple(flags) == type(made).flags
    for flag in flags.values():
        np.testing.assert_array_equal(flag, valid)
    for name, array in expected.items():
        found = np.asarray(tensors[name])
        found = found[valid] if len(valid) == len(found) else found
        np.testing.assert_allclose(found, array, atol=1e-3, err_msg=name)


def _check_learning(made, said, targets):
    """Keras's loss and metrics take what is said, and what is taught."""
    inputs = keras.Input((1,))
    outputs = _mapped(
        lambda array: keras.layers.Reshape(array.shape[1:])(
            keras.layers.Dense(int(np.prod(array.shape[1:])))(inputs)
        ),
        said,
    )
    model = keras.Model(inputs, outputs)
    for smoothing in (0.0, 0.1):
        model.compile(loss=made.loss(smoothing), metrics=made.metrics())
    count = len(next(iter(_named(targets).values())))
    found = model.evaluate(
        np.ones((count, 1), "float32"), targets, verbose=0, return_dict=True
    )
    assert all(map(np.isfinite, found.values()))


def _same_served(tensors, served):
    assert list(tensors) == list(served)
    for name, expected in served.items():
        found = np.asarray(tensors[name])
        if isinstance(expected, list):
            found = [text.decode() for text in found.tolist()]
            assert found == expected, name
        else:
            np.testing.assert_allclose(found, expected, atol=1e-6, err_msg=name)


def _mapped(function, values):
    if isinstance(values, dict):
        return {name: function(value) for name, value in values.items()}
    return function(values)


def _as_json(value):
    return json.loads(as_json(value))


def _named(values):
    return values if isinstance(values, dict) else {"": values}


def _equal(one, other):
    assert list(one) == list(other)
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


def check_decoder(decoder, memory, padded, folder, length, start=1, end=0):
    """Checks a decoder against the contract that `beam_search` relies on.

    Stepping equals `call`; a state keeps its form; a beam of one is the most
    probable token step by step, and a wide beam finds the best of all
    sequences; maps and scores belong to the tokens that are returned; padding
    is never read; samples do not see each other; compiled, with a free batch
    and exported it answers the same.

    Args:
        decoder: A built layer with a vocabulary so small that all sequences
            can be counted, such as 5 tokens.
        memory: Dict of arrays, at least 2 samples, what the decoder reads.
        padded: The same with other values where nothing must be read.
        folder: Where to export to, pytest's `tmp_path`.
        length: Integer. Steps; at most the decoder's `length`.
        start: Integer. The token before the first.
        end: Integer. The token that ends.

    Raises:
        AssertionError: If a promise is broken.
    """
    count = len(decoder.weights)
    rows = len(next(iter(memory.values())))
    _check_steps(decoder, memory, rows, length, start)
    greedy = _answers(decoder, memory, start, length, end=end)
    _check_greedy(decoder, memory, greedy, length, start, end)

    both = {
        name: np.concatenate([x, padded[name]]) for name, x in memory.items()
    }
    few = _answers(decoder, both, start, length, end=end, beams=2)
    again = {name: x[rows:] for name, x in few.items()}
    few = {name: x[:rows] for name, x in few.items()}
    _close(again, few, "padding is read")

    layer = Answers(decoder, start, length, end, 2)
    inputs = {
        name: keras.Input(x.shape[1:], dtype=x.dtype.name, name=name)
        for name, x in memory.items()
    }
    model = keras.Model(inputs, layer(inputs))
    model.compile(jit_compile=keras.backend.backend() != "torch")
    alone = model.predict(memory, batch_size=1, verbose=0)
    _close(alone, few, "compiled, each sample alone")

    tokens = _teach(decoder, memory, few["token_ids"]).shape[-1]
    every = _sequences(tokens, length, start, end)
    for alpha in (0.0, 1.0):
        options = {"beams": tokens ** (length - 1), "length_penalty": alpha}
        widest = _answers(decoder, memory, start, length, end=end, **options)
        _check_best(decoder, memory, widest, every, start, end, alpha)
    for answers in (greedy, widest, few):
        _check_maps(decoder, memory, answers, start, end)

    assert len(decoder.weights) == count, "a step made new weights"
    if keras.backend.backend() == "tensorflow":
        _check_exports(model, memory, few, folder)


class Answers(keras.layers.Layer):
    """A whole search as one layer: memory in, answers and maps out."""

    def __init__(self, decoder, start, length, end, beams):
        super().__init__()
        self.decoder = decoder
        self.options = {
            "start": start,
            "length": length,
            "end": end,
            "beams": beams,
        }

    def call(self, memory):
        answers, maps = beam_search(self.decoder, memory, **self.options)
        return {**answers, **maps}


def _check_steps(decoder, memory, rows, length, start):
    """Stepping says what `call` says, and its state keeps its form."""
    size = _teach(decoder, memory, np.full((rows, length), start)).shape[-1]
    ids = np.random.default_rng(0).integers(0, size, (rows, length))
    ids[:, 0] = start
    tensors = _tensors(memory)
    state, logits = decoder.begin(tensors), []
    form = _form(state)
    assert all(x.shape[0] == rows for x in keras.tree.flatten(state)), (
        "a state has a row for each sample"
    )
    for index in range(length):
        said, state, maps = decoder.step(
            ops.convert_to_tensor(ids[:, index].astype("int32")),
            ops.convert_to_tensor(index, dtype="int32"),
            state,
            tensors,
        )
        logits.append(_numpy(said))
        assert _form(state) == form, "a step changes the form of the state"
        assert all(x.shape[0] == rows for x in maps.values())
    np.testing.assert_allclose(
        np.stack(logits, axis=1),
        _teach(decoder, memory, ids),
        atol=1e-5,
        err_msg="stepping is not `call`",
    )


def _check_greedy(decoder, memory, answers, length, start, end):
    """Each token is the most probable one, until the end."""
    ids = np.full((len(answers["score"]), length + 1), end)
    ids[:, 0] = start
    ended = np.zeros(len(ids), bool)
    for index in range(length):
        logits = _teach(decoder, memory, ids[:, :-1])[:, index]
        logits[:, start] = -np.inf
        ids[:, index + 1] = np.where(ended, end, logits.argmax(-1))
        ended |= ids[:, index + 1] == end
    np.testing.assert_array_equal(answers["token_ids"], ids[:, 1:])


def _check_best(decoder, memory, answers, every, start, end, alpha):
    """No sequence that could be said has a better score."""
    for row, (ids, score) in enumerate(
        zip(answers["token_ids"], answers["score"])
    ):
        copies = {
            name: np.repeat(x[row : row + 1], len(every), axis=0)
            for name, x in memory.items()
        }
        scores = _scores(decoder, copies, every, start, end, alpha)
        second, best = np.sort(scores)[-2:]
        assert best - second > 1e-3, "two are too near to tell apart"
        np.testing.assert_array_equal(ids, every[scores.argmax()])
        np.testing.assert_allclose(score, best, atol=1e-5)


def _check_maps(decoder, memory, answers, start, end):
    """Maps and state are of the tokens returned, and zeros behind them."""
    ids = answers["token_ids"]
    assert ids.dtype == "int32" and answers["score"].dtype == "float32"
    tensors = _tensors(memory)
    state, last = decoder.begin(tensors), np.full(len(ids), start)
    saying = np.ones(len(ids), bool)
    for index in range(ids.shape[1]):
        _, state, maps = decoder.step(
            ops.convert_to_tensor(last.astype("int32")),
            ops.convert_to_tensor(index, dtype="int32"),
            state,
            tensors,
        )
        assert set(answers) == {"token_ids", "score", *maps}
        for name, x in maps.items():
            x = _numpy(x)
            x[~saying] = 0
            np.testing.assert_allclose(
                answers[name][:, index], x, atol=1e-5, err_msg=name
            )
        last = ids[:, index]
        saying &= last != end


def _check_exports(model, memory, expected, folder):
    """SavedModel with any batch; LiteRT with one, of builtin operators."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    path = str(folder / "saved_model")
    model.export(path, format="tf_saved_model", verbose=False)
    loaded = tf.saved_model.load(path)
    _close(loaded.serve(memory), expected, "SavedModel")

    file = str(folder / "decoder.tflite")
    signature = {
        name: keras.InputSpec(shape=(1, *x.shape[1:]), dtype=x.dtype, name=name)
        for name, x in memory.items()
    }
    model.export(
        file,
        input_signature=[signature],
        format="litert",
        verbose=False,
        target_spec={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]},
    )
    run = Interpreter(file).get_signature_runner()
    for row in range(len(expected["score"])):
        one = {name: x[row : row + 1] for name, x in memory.items()}
        wanted = {name: x[row : row + 1] for name, x in expected.items()}
        _close(run(**one), wanted, "LiteRT")


def _sequences(tokens, length, start, end):
    """All that can be said: nothing but the end behind the end; no start."""
    every = np.array(list(itertools.product(range(tokens), repeat=length)))
    ended = np.cumsum(every == end, axis=1) > 0
    stays = (every[:, 1:] == end) | ~ended[:, :-1]
    return every[stays.all(axis=1) & (every != start).all(axis=1)]


def _scores(decoder, memory, ids, start, end, alpha):
    """Of each sequence, by the logits of `call` and plain NumPy."""
    target_ids = np.pad(ids[:, :-1], ((0, 0), (1, 0)), constant_values=start)
    logits = _teach(decoder, memory, target_ids).astype("float64")
    top = logits.max(axis=-1, keepdims=True)
    log_probs = (
        logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))
    )
    said = np.take_along_axis(log_probs, ids[..., None], axis=-1)[..., 0]
    counts = np.minimum((ids != end).sum(axis=1) + 1, ids.shape[1])
    said[np.arange(ids.shape[1]) >= counts[:, None]] = 0
    return said.sum(axis=1) / ((5 + counts) / 6) ** alpha


def _answers(decoder, memory, start, length, **options):
    answers, maps = beam_search(
        decoder, _tensors(memory), start, length, **options
    )
    return {name: _numpy(x) for name, x in {**answers, **maps}.items()}


def _teach(decoder, memory, ids):
    ids = ops.convert_to_tensor(ids.astype("int32"))
    return _numpy(decoder(ids, _tensors(memory)))


def _tensors(memory):
    return {name: ops.convert_to_tensor(x) for name, x in memory.items()}


def _numpy(x):
    return np.array(ops.convert_to_numpy(x))


def _form(state):
    return keras.tree.map_structure(
        lambda x: f"{keras.backend.standardize_dtype(x.dtype)} {x.shape}", state
    )


def _close(actual, expected, what):
    assert set(actual) == set(expected), what
    for name, x in expected.items():
        np.testing.assert_allclose(
            np.asarray(actual[name]), x, atol=1e-5, err_msg=f"{what}: {name}"
        )
