"""A text as an input: the contract, and what is its own."""

import pytest

from tests.zoo.contract import check_input
from tests.zoo.text_classification.tiny import tiny_texts
from zoo.inputs.text import Text

SETTINGS = [
    {"length": 8},
    {"length": 8, "keep": "last"},
    {"length": 4, "sentences": 3},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_keeps_the_contract(settings):
    data = tiny_texts(6)
    text = Text.learn(data, {"tokens": {"vocabulary_size": 12, **settings}})
    assert text.tokens.vocabulary_size == 12
    wrong = [(b"bytes", "must be a string"), (["a", None], "must be a string")]
    check_input(text, data, data.texts[:3], wrong)


def test_augmentation_is_not_for_texts():
    data = tiny_texts(6)
    text = Text.learn(data, {"tokens": {"length": 8}})
    with pytest.raises(ValueError, match="leave `augment` empty.*'flip'"):
        text.reader(data, ["flip"])
