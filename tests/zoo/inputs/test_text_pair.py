"""Two texts as an input: the contract, and what is its own."""

import pytest

from tests.zoo.contract import check_input
from tests.zoo.sentence_matching.tiny import TOKENS, tiny_pairs
from zoo.inputs.text_pair import TextPair

RECIPE = {"tokens": TOKENS, "builder_args": {}}


def test_keeps_the_contract():
    data = tiny_pairs(6)
    wrong = [
        ("text", "tuple of two strings"),
        (("a", ""), "right='' at place 0"),
        ([("dax", "wug"), ("a",)], "at place 1"),
    ]
    check_input(TextPair.learn(data, RECIPE), data, data.pairs[:3], wrong)


def test_vectors_say_how_deep_the_network_embeds():
    vectors = {"dax": [1.0, 2.0, 3.0]}
    pair = TextPair(["dax"], vectors=vectors)
    assert pair.sizes()["embedding_dim"] == 3
    assert "embedding_dim" not in TextPair(["dax"]).sizes()


def test_augmentation_is_not_for_pairs():
    data = tiny_pairs(6)
    with pytest.raises(ValueError, match="leave `augment` empty.*'flip'"):
        TextPair.learn(data, RECIPE).reader(data, ["flip"])
