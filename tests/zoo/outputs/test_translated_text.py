"""A translation as an output: the contract, and what is its own."""

import numpy as np
import pytest

from tests.zoo.contract import check_output
from tests.zoo.translation.tiny import tiny_translations
from zoo.data.translations import TranslationData
from zoo.outputs.translated_text import TranslatedText


def learned(**words):
    recipe = {"words": {"vocabulary_size": 270, **words}}
    return TranslatedText.learn(tiny_translations(12), recipe)


def test_keeps_the_contract():
    data, made = tiny_translations(12), learned(beams=2, length_penalty=0.6)
    generator = np.random.default_rng(0)
    size = made.said.vocabulary_size
    said = generator.normal(size=(12, made.said.length, size)).astype("float32")
    texts = [each[0] for each in data.translations]
    texts[0] = "something else, said"
    final = {
        "token_ids": made.said(texts),
        "score": np.linspace(-3, -1, 12).astype("float32"),
    }
    losses = np.linspace(1, 2, 12).astype("float32")
    check_output(made, data, said, ["x"] * 12, [{}] * 12, final, losses)


def test_nothing_is_unknown_and_only_the_end_ends():
    made = learned()
    assert made.said.unknown(["völlig neu"]) == 0
    assert made.decoding["forbidden"] == made.said.forbidden
    assert made.like(TranslationData(["x"], [["völlig neu"]])) is made


def test_is_measured_beside_the_texts_as_they_are():
    data, made = tiny_translations(12), learned()
    said = made.said([each[0] for each in data.translations])
    losses = np.ones(12, "float32")
    found = made.measure({"token_ids": said, "losses": losses}, data)
    assert found["exact"] == 1 and found["chrf"] == pytest.approx(100)
    assert found["exact"].baseline == 0 and 0 < found["chrf"].baseline < 50


def test_answers_on_one_line():
    made = learned()
    assert made.line({"translation": "red dog"}) == "red dog"


def test_refuses_a_text_without_a_translation():
    with pytest.raises(
        ValueError, match="one text at least, and a translation of each"
    ):
        learned().select(TranslationData(["x"], [[]]))
