"""Forward hooks: what they see and replace, and that nothing of them stays."""

import threading

import keras
import numpy as np
import pytest

from keras_attention.hooks import (
    forward_hook,
    free_path,
    in_this_thread,
    layers_by_path,
    replaced,
)
from tests.numbers import close

DATA = np.ones((2, 3), "float32")


def scaled(scale, name):
    return keras.layers.Rescaling(scale, name=name)


def nested():
    x = keras.Input((3,))
    inner = keras.Sequential(
        [keras.Input((3,)), scaled(2.0, "double")], name="inner"
    )
    triple = scaled(3.0, "triple")
    return keras.Model(x, triple(triple(inner(x)) + 1))


def test_every_output_is_seen_in_the_order_of_returning():
    seen = []

    def hook(path, layer, output):
        seen.append((path, float(output[0, 0])))
        return output

    model = nested()
    with forward_hook(model, hook):
        model(DATA)
    paths, values = zip(*seen)
    assert paths[:3] == ("inner/double", "inner", "triple")
    # The sum is no layer, but an operation.
    assert paths[3].startswith("add") and paths[4] == "triple_2"
    assert values == (2, 2, 6, 7, 21)


def test_an_output_may_be_replaced():
    model = nested()
    with forward_hook(
        model, lambda path, layer, x: x * 10 if path == "triple" else x
    ):
        close(model(DATA), np.full((2, 3), 183.0))
    close(model(DATA), np.full((2, 3), 21.0))


def test_nothing_stays_after_an_exception():
    def failing(path, layer, output):
        raise RuntimeError("on purpose")

    model = nested()
    with pytest.raises(RuntimeError, match="on purpose"):
        with forward_hook(model, failing):
            model(DATA)
    found = [layer for _, layer in layers_by_path(model)]
    assert len(found) == 5 and not any("call" in vars(x) for x in found)


def test_another_thread_is_not_hooked():
    model, answers = nested(), []
    with forward_hook(model, lambda path, layer, output: output * 0):
        thread = threading.Thread(target=lambda: answers.append(model(DATA)))
        thread.start()
        thread.join()
        close(model(DATA), np.zeros((2, 3)))
    close(answers[0], np.full((2, 3), 21.0))
    here = in_this_thread(lambda: "here", lambda: "elsewhere")
    assert here() == "here"
    thread = threading.Thread(target=lambda: answers.append(here()))
    thread.start()
    thread.join()
    assert answers[1] == "elsewhere"


def test_layers_are_entered_where_they_should_be():
    model = nested()
    paths = [path for path, _ in layers_by_path(model)]
    assert "inner/double" in paths and paths.count("triple") == 1
    outside = layers_by_path(model, enter=lambda layer: False)
    assert "inner/double" not in [path for path, _ in outside]


def test_a_value_of_its_own_comes_back():
    layer = keras.layers.Dense(2, activation="relu")
    with replaced("activation", {layer: keras.activations.tanh}):
        assert layer.activation is keras.activations.tanh
    assert layer.activation is keras.activations.relu


def test_a_free_path_counts_from_two():
    assert free_path("a", {}, ()) == "a"
    assert free_path("a", {"a", "a_2"}, ()) == "a_3"
    assert free_path("a", {"a"}, {"a", "a_2"}) == "a_3"
    assert free_path("a_2", {}, {"a_2"}) == "a_2"
