"""Targets: which score of each sample is taken."""

import keras
import numpy as np
import pytest

from keras_attention.targets import (
    check_target,
    highest_classes,
    target_scores,
)
from tests.numbers import close

OUTPUTS = np.array([[1, 5, 2], [9, 3, 4]], "float32")


def tensor(array=OUTPUTS):
    return keras.ops.convert_to_tensor(array)


def test_a_class_may_be_one_for_all_or_one_for_each():
    close(target_scores(tensor(), check_target(2, 2)), [2, 4])
    close(target_scores(tensor(), check_target([0, 1], 2)), [1, 3])
    close(target_scores(tensor(), check_target(np.int64(1), 2)), [5, 3])
    assert check_target(None, 2) is None
    assert highest_classes(tensor()).tolist() == [1, 0]


def test_a_function_may_take_any_outputs():
    outputs = {"a": tensor(), "b": tensor()}
    target = check_target(lambda outputs: outputs["b"][:, 1], 2)
    close(target_scores(outputs, target), [5, 3])
    scores = target_scores(tensor(OUTPUTS.astype("float16")), np.array([0, 0]))
    assert keras.backend.standardize_dtype(scores.dtype) == "float32"


@pytest.mark.parametrize("target", [-1, [0], [[0, 1]], 0.5, "dog", True])
def test_refuses_what_is_no_class(target):
    with pytest.raises(ValueError, match="Received: target="):
        check_target(target, 2)


@pytest.mark.parametrize("outputs", [{"a": 1}, [1, 2], tensor(OUTPUTS[0])])
def test_refuses_outputs_without_classes(outputs):
    with pytest.raises(ValueError, match="one tensor"):
        highest_classes(outputs)
    with pytest.raises(ValueError, match="one tensor"):
        target_scores(outputs, np.array([0, 0]))
