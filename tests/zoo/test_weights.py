"""Weights in half precision: half the file, the same numbers."""

import io
import zipfile

import h5py
import keras
import numpy as np
import pytest

import zoo
from tests.numbers import numpy
from tests.zoo.tiny import tiny_data, tiny_task
from tests.zoo.translation.tiny import tiny_translations
from zoo.translation.task import Translation
from zoo.translation.transformer_translator import PRESETS
from zoo.weights import MEMBER, halve, round_to_half


def arrays_of(path):
    with zipfile.ZipFile(path) as archive:
        data = archive.read(MEMBER)
    found = {}
    with h5py.File(io.BytesIO(data)) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()]})
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return found


@pytest.mark.slow
def test_what_is_rounded_is_kept_in_half_the_space(tmp_path):
    task, data = tiny_task(), tiny_data()
    whole = task.save(tmp_path / "whole") / "model.keras"
    assert {x.dtype.name for x in arrays_of(whole).values()} == {"float32"}
    round_to_half(task.model)
    half = task.save(tmp_path / "half") / "model.keras"
    found = arrays_of(half)
    assert {x.dtype.name for x in found.values()} == {"float16"}
    assert sum(x.nbytes for x in found.values()) == (
        sum(x.nbytes for x in arrays_of(whole).values()) / 2
    )
    again = zoo.load(tmp_path / "half")
    for own, other in zip(task.model.weights, again.model.weights, strict=True):
        assert keras.backend.standardize_dtype(other.dtype) == "float32"
        np.testing.assert_array_equal(numpy(own), numpy(other))
    assert again.evaluate(data) == task.evaluate(data)
    second = again.save(tmp_path / "second") / "model.keras"
    assert {x.dtype.name for x in arrays_of(second).values()} == {"float16"}


def test_one_number_that_is_not_half_keeps_all_whole(tmp_path):
    task = tiny_task()
    round_to_half(task.model)
    weight = task.model.weights[0]
    value = numpy(weight).copy()
    value.flat[0] = 1 / 3
    weight.assign(value)
    path = task.save(tmp_path / "whole") / "model.keras"
    assert {x.dtype.name for x in arrays_of(path).values()} == {"float32"}
    assert not halve(path)


def test_rounds_to_the_nearest_and_refuses_what_is_too_large():
    dense = keras.layers.Dense(1, use_bias=False)
    model = keras.Sequential([keras.Input((2,)), dense])
    dense.kernel.assign([[1 / 3], [1e-9]])
    round_to_half(model)
    expected = np.float16([[1 / 3], [1e-9]]).astype("float32")
    np.testing.assert_array_equal(numpy(dense.kernel), expected)
    dense.kernel.assign([[1e5], [0]])
    with pytest.raises(ValueError, match="below 65,504.*100000.0"):
        round_to_half(model)


@pytest.mark.slow
@pytest.mark.parametrize("half", [False, True])
def test_a_table_that_both_texts_share_is_kept_once(tmp_path, half):
    recipe = {
        **{"builder": "transformer_translator", "words": {"beams": 1}},
        "pieces": {"vocabulary_size": 290, "shared": True},
        "builder_args": {
            **PRESETS["tiny"],
            "tied": "all",
        },
    }
    learned = Translation.learn(tiny_translations(), recipe)
    task = Translation.untrained(recipe, *learned)
    task.card["data"] = {"name": "tiny"}
    if half:
        round_to_half(task.model)
    again = zoo.load(task.save(tmp_path / "tied"))
    assert again.predict(["rot", "Haus"]) == task.predict(["rot", "Haus"])
    encoder, decoder = map(again.model.get_layer, ("encoder", "decoder"))
    assert decoder.embedding in encoder.layers
