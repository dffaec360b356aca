"""A command that is shown can be pasted, and asks about a real example."""

import pathlib
import shlex
import types

import numpy as np
import pytest
from PIL import Image as Picture

from zoo import asking
from zoo.data.captions import CaptionData
from zoo.data.pairs import PairData
from zoo.data.questions import load_questions
from zoo.data.region_captions import load_region_captions
from zoo.data.table_data import TableData
from zoo.data.texts import MOST_ASKED, TextData
from zoo.inputs.boxes import Boxes
from zoo.inputs.candidates import Candidates
from zoo.inputs.image import Image
from zoo.inputs.several import Several
from zoo.inputs.table_row import TableRow
from zoo.inputs.text import Text
from zoo.inputs.text_pair import TextPair

WORDS = ["a", "fine", "day"]
LENGTHS = {"left_length": 4, "right_length": 4}
IMAGE = {"image_size": (4, 6), "channels": 3}
QUESTION = Several.of(image=Image, question=Text)(
    image=Image(**IMAGE), question=Text(WORDS, length=4)
)
REGIONS = Several.of(image=Image, boxes=Boxes)(
    image=Image(**IMAGE), boxes=Boxes(3)
)


def command(input, data, attention=True):
    task = types.SimpleNamespace(input=input, has_attention=lambda: attention)
    return asking.command(task, pathlib.Path("my models/m"), data)


def answered(input, said):
    """The raw input that a command names, told apart as a shell does."""
    zoo, verb, model, *words = shlex.split(said)
    assert (zoo, verb, model) == ("zoo", "look", "my models/m")
    options = {}
    while len(words) > 2 and words[-2].startswith("--"):
        options[words[-2].removeprefix("--")] = words[-1]
        words = words[:-2]
    assert not any(word.startswith("-") for word in words)
    (raw,) = asking.from_words(input, words, options)
    return raw


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "temple roof" / "it's 1.png"
    path.parent.mkdir()
    Picture.new("RGB", (6, 4)).save(path)
    return path


def test_of_images_it_names_the_file(picture):
    data = CaptionData([picture, "other.png"], [["a"], ["b"]])
    assert answered(Image(**IMAGE), command(Image(**IMAGE), data)) == picture


def test_of_images_with_more_it_says_all(picture):
    asked = [{"image": picture, "question": 'Is it a "roof"?'}]
    data = load_questions((asked * 2, ["yes", "no"]))
    assert answered(QUESTION, command(QUESTION, data)) == asked[0]

    boxes = [(-1, -0.25, 0.5, 1), (0, 0, 1, 1)]
    data = load_region_captions(([picture], [boxes], ["a roof"]))
    found = answered(REGIONS, command(REGIONS, data))
    assert found["image"] == picture
    np.testing.assert_array_equal(found["boxes"], boxes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('What\'s "new"; $HOME?', 'What\'s "new"; $HOME?'),
        ("two\nlines", "two lines"),
        ("-- so it began", "so it began"),
    ],
)
def test_of_texts_it_says_one(text, said):
    data = TextData([text, "other"], np.array([0, 1]), ["no", "yes"])
    input = Text(WORDS, length=4)
    assert answered(input, command(input, data)) == said

    data = PairData([(text, "b"), ("c", "d")], np.array([0, 1]), ["no", "yes"])
    input = TextPair(WORDS, **LENGTHS)
    assert answered(input, command(input, data)) == (said, "b")


def test_of_a_long_text_it_says_the_beginning():
    data = TextData(["wordy " * 999] * 2, np.array([0, 1]), ["no", "yes"])
    said = answered(Text(WORDS, length=4), command(Text(WORDS, length=4), data))
    assert said.startswith("wordy wordy") and said.endswith(" ...")
    assert 60 < len(said) <= MOST_ASKED


def test_what_cannot_be_written_is_said_in_words():
    images = CaptionData(np.zeros((2, 4, 6, 3), "uint8"), [["a"], ["b"]])
    assert command(Image(**IMAGE), images).endswith("'my models/m' IMAGE...")

    array = {"image": np.zeros((4, 6, 3), "uint8"), "question": "is it?"}
    asked = load_questions(([array] * 2, ["yes", "no"]))
    assert command(QUESTION, asked).endswith(" IMAGE... --question TEXT")

    pairs = PairData([("a", "q"), ("b", "q")], np.array([0, 1]), ["no", "yes"])
    assert command(Candidates(WORDS, **LENGTHS), pairs).endswith(
        " --candidates FILE"
    )

    rows = TableData({"size": np.arange(2.0)}, [])
    row = TableRow([{"name": "size", "kind": "number"}])
    assert command(row, rows).endswith("FILE.csv")


def test_without_attention_there_is_nothing_to_look_at():
    data = TextData(["a", "b"], np.array([0, 1]), ["no", "yes"])
    said = command(Text(WORDS, length=4), data, attention=False)
    assert said == "zoo predict 'my models/m' a"
