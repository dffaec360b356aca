"""Words as an output: what is learned, answered, measured and served."""

import numpy as np
import pytest

from tests.zoo.contract import check_output
from zoo.data.captions import CaptionData
from zoo.outputs.words import Words

CAPTIONS = [["a red dog.", "a dog"], ["two dogs"], ["a red red cat."]]


def data(captions=CAPTIONS, name="arrays"):
    images = np.zeros((len(captions), 4, 4, 3), "uint8")
    return CaptionData(images, captions, name)


def words(**options):
    return Words.learn(data(), {"words": options})


def test_keeps_the_contract():
    made = words(beams=2, length_penalty=0.5)
    generator = np.random.default_rng(0)
    size = made.said.vocabulary_size
    said = generator.normal(size=(4, made.said.length, size)).astype("float32")
    final = {
        "token_ids": made.said([texts[0] for texts in CAPTIONS]),
        "score": np.array([-1.5, -0.25, -3.0], "float32"),
    }
    losses = np.array([1.0, 2.0, 3.0, 6.0], "float32")
    check_output(made, data(), said, ["x", "y", "z"], [{}] * 3, final, losses)


def test_learns_words_and_settings_from_captions_and_recipe():
    made = words()
    assert made.said.vocabulary == [
        "a",
        "red",
        ".",
        "dog",
        "cat",
        "dogs",
        "two",
    ]
    assert made.said.length == 6 and made.beams == 1
    made = words(vocabulary_size=5, length=3, beams=4, length_penalty=0.7)
    assert made.said.vocabulary == ["a", "red"] and made.said.length == 3
    assert made.settings() == {"length": 3, "beams": 4, "length_penalty": 0.7}
    assert made.sizes() == {"target_vocabulary_size": 5, "target_length": 3}
    assert made.decoding == {
        **{"start": 1, "end": 0, "length": 3, "beams": 4},
        **{"length_penalty": 0.7, "forbidden": (2,)},
    }


def test_each_caption_is_learned_of_its_own_image_after_the_words_before():
    made = words()
    targets, _ = made.teach(data())
    places, told = made.told(data())
    assert places.tolist() == [0, 0, 1, 2]
    a, red, dot, dog, cat, dogs, two = range(3, 10)
    np.testing.assert_array_equal(
        targets,
        [
            [a, red, dog, dot, 0, 0],
            [a, dog, 0, 0, 0, 0],
            [two, dogs, 0, 0, 0, 0],
            [a, red, red, cat, dot, 0],
        ],
    )
    np.testing.assert_array_equal(told["target_ids"][:, 0], 1)
    np.testing.assert_array_equal(told["target_ids"][:, 1:], targets[:, :-1])


def test_answers_a_caption_its_words_and_what_the_input_noted():
    made = words()
    (answer,) = made.answers(
        {"token_ids": made.said(["a red dog."]), "score": np.array([-0.5])},
        ["raw"],
        [{"cut": 3}],
    )
    assert answer == {
        "caption": "a red dog.",
        "words": ["a", "red", "dog", "."],
        "score": -0.5,
        "cut": 3,
    }


def test_measures_captions_against_all_references():
    made = words()
    said = made.said(["a dog", "two dogs", "a cat"])
    found = made.measure(
        {"token_ids": said, "losses": np.array([1.0, 2.0, 3.0, 6.0])}, data()
    )
    assert found["loss"] == 3 and found["exact"] == pytest.approx(2 / 3)


def test_a_copy_keeps_its_words_where_they_do():
    made = words(beams=3)
    known = data([["a cat"], ["red dogs"]])
    assert made.like(known) is made
    other = made.like(data([["un chat noir et deux souris grises"]]))
    assert other.said.vocabulary[:2] == ["chat", "deux"]
    assert other.said.length == 8 and other.beams == 3
    assert made.kept(other) == () and made.kept(made) == ("decoder",)


@pytest.mark.parametrize(
    "captions, message",
    [
        ([["a zebra"]], "50.0% of the words of 'new' are not in the vocab"),
        ([["a red red red dog . a"]], "1 of the 1 captions of 'new' are long"),
    ],
)
def test_says_what_cannot_be_learned(captions, message):
    with pytest.warns(UserWarning, match=message):
        words().select(data(captions, "new"))


@pytest.mark.parametrize(
    "captions, message",
    [([], "Received: 0 images"), ([["a"], []], "2 images.*none at place 1")],
)
def test_refuses_images_without_captions(captions, message):
    with pytest.raises(ValueError, match=message):
        words().select(data(captions))


def test_knows_all_of_its_own_data(recwarn):
    assert words().select(data()) is not None
    assert not recwarn.list


@pytest.mark.parametrize(
    "options, message",
    [
        ({"beams": 0}, "`beams` must be a positive integer.*beams=0"),
        ({"beams": 1.5}, r"beams=1\.5"),
        ({"beams": True}, "beams=True"),
        ({"beams": 1001}, "1000 at most.*beams=1001"),
        ({"length": 10_001}, "10000 at most.*length=10001"),
        ({"beam": 3}, "`words` of a recipe must be among.*Received: 'beam'"),
        ({"length_penalty": -1}, "length_penalty=-1"),
        ({"length_penalty": float("nan")}, "length_penalty=nan"),
        ({"length_penalty": "1"}, "length_penalty='1'"),
    ],
)
def test_refuses_what_it_cannot_search(options, message):
    with pytest.raises(ValueError, match=message):
        words(**options)
    with pytest.raises(ValueError, match="num_classes=3"):
        words().like(data(), 3)
    with pytest.raises(ValueError, match="class_weight='balanced'"):
        words().teach(data(), "balanced")
