"""Names of a signature: each its own, and none that means something."""

import pytest

from zoo.inputs.safe_names import safe_names


def test_names_are_safe_and_each_its_own():
    names = ["a/b", "a_b", "a.b", "c", "é", "_d", "2nd", "class", "self", ""]
    safe = safe_names({name: name for name in names})
    assert safe == {
        "a_b": "a/b",
        "a_b_2": "a_b",
        "a_b_3": "a.b",
        "c": "c",
        "x__": "é",
        "x__d": "_d",
        "x_2nd": "2nd",
        "x_class": "class",
        "x_self": "self",
        "x_": "",
    }
    assert list(safe.values()) == names


def test_a_number_behind_a_name_may_be_taken_too():
    names = ["a b", "a_b_2", "a/b"]
    safe = safe_names({name: name for name in names})
    assert safe == {"a_b": "a b", "a_b_2": "a_b_2", "a_b_3": "a/b"}


def test_tensorflow_takes_them_as_inputs():
    tf = pytest.importorskip("tensorflow")
    names = safe_names(dict.fromkeys(["_d", "2nd", "class", "self", "x/y"]))
    specs = {name: tf.TensorSpec((), name=name) for name in names}

    @tf.function
    def add(**inputs):
        return tf.add_n(list(inputs.values()))

    add.get_concrete_function(**specs)
