"""One of several labels: what is learned, answered, measured and served."""

import numpy as np
import pytest

from tests.zoo.contract import check_output
from tests.zoo.text_classification.tiny import LABELS, tiny_texts
from zoo.data.texts import TextData
from zoo.outputs.label import Label


def test_balanced_weights_count_classes_alike():
    def weights(labels):
        data = Examples(labels)
        return Label(["a", "b", "c"]).teach(data, "balanced")[1].tolist()

    # A class without an example does not count.
    assert weights([0, 0, 0, 1]) == pytest.approx([*[2 / 3] * 3, 2])
    assert weights([0, 0, 0, 2]) == pytest.approx([*[2 / 3] * 3, 2])


def test_weights_of_classes_go_by_their_names():
    label = Label(["a", "b", "c"])
    labels, weights = label.teach(Examples([2, 0, 1]), {"c": 5, "a": 0})
    assert labels.tolist() == [2, 0, 1] and weights.tolist() == [5, 0, 1]
    assert label.teach(Examples([2, 0, 1]))[1] is None


class Examples:
    def __init__(self, labels):
        self.labels = np.array(labels)

    def __len__(self):
        return len(self.labels)


def test_keeps_the_contract():
    data = tiny_texts(6)
    said = np.random.default_rng(0).normal(size=(6, 2)).astype("float32")
    check_output(Label(LABELS), data, said, data.texts, [{}] * 6)


def test_answers_the_likeliest_first_and_says_what_the_input_noted():
    shares = np.array([[0.2, 0.7, 0.1]])
    (answer,) = Label(["a", "b", "c"]).answers(
        {"probabilities": shares}, ["raw"], [{"cut": 3}]
    )
    assert answer == {
        "label": "b",
        "probability": 0.7,
        "probabilities": {"b": 0.7, "a": 0.2, "c": 0.1},
        "cut": 3,
    }
    assert list(answer["probabilities"]) == ["b", "a", "c"]


def test_numbers_are_places_only_where_none_of_them_is_a_label():
    def places(labels, names):
        data = TextData([""] * 3, np.arange(3), names)
        return Label(labels).select(data).labels.tolist()

    assert places(["a", "b", "c"], ["0", "1", "2"]) == [0, 1, 2]
    assert places(["2", "1", "0"], ["0", "1", "2"]) == [2, 1, 0]
    with pytest.raises(ValueError, match="Received: '0'"):
        places(["1", "2", "3"], ["0", "1", "2"])
