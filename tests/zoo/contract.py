"""What every input, every output and every task of the zoo promises."""

import json
import pathlib
import tempfile

import keras
import numpy as np
import pytest

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
    _check_kept(made)

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


def check_output(made, data, said, raws, notes):
    """Checks every promise of an output.

    Args:
        made: An output, learned from `data`.
        data: `zoo.data.examples.Examples`, whose targets it answers.
        said: What a network may have said of `data`, an array or a dict.
        raws: The raw inputs of `data`, as answers need them.
        notes: List of dicts, what an input noted of each row.
    """
    _check_kept(made)
    assert made.heads and made.kept(made) == made.heads
    assert made.like(data) is made

    selected = made.select(data)
    targets, weights = made.teach(selected)
    assert weights is None
    for name, array in _named(targets).items():
        assert len(array) == len(data), name
    _check_learning(made, said, targets)

    final = made.final(
        keras.tree.map_structure(keras.ops.convert_to_tensor, said)
    )
    final = {k: keras.ops.convert_to_numpy(v) for k, v in final.items()}
    answers = made.answers(final, raws, [dict(note) for note in notes])
    assert len(answers) == len(raws) and json.dumps(answers)
    for name, array in final.items():
        broken = {**final, name: np.full_like(array, np.nan)}
        with pytest.raises(ValueError, match="finite"):
            made.answers(broken, raws, [dict(note) for note in notes])
            made.measure(broken, selected)
    found = made.measure(final, selected)
    assert list(found)[-1] == "loss"
    assert all(isinstance(value, float) for value in found.values())
    assert all(map(np.isfinite, found.values()))
    assert 0 < made.count(selected) <= len(data)

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
    tensors, flags = module(
        **{
            name: tf.constant(columns[name], dtype)
            for name, dtype in made.served().items()
        }
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
        lambda array: keras.layers.Dense(array.shape[-1])(inputs), said
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
    return json.loads(json.dumps(value))


def _named(values):
    return values if isinstance(values, dict) else {"": values}


def _equal(one, other):
    assert list(one) == list(other)
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)
