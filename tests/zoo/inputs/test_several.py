"""Several inputs as one: the contract, names, and a task that has them."""

import dataclasses
import json

import keras
import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from keras_attention import AttentionPooling, BahdanauAttention
from tests.zoo.contract import check_input
from zoo import catalogue, saving
from zoo.cli import app
from zoo.data.examples import Examples
from zoo.inputs.image import Image
from zoo.inputs.several import Several
from zoo.inputs.text import Text
from zoo.inputs.text_pair import TextPair
from zoo.outputs.label import Label
from zoo.task import Task

COLOURS = ["red", "green"]
PictureAndQuestion = Several.of(image=Image, question=Text)
TwoTexts = Several.of(title=Text, body=Text)
TwoImages = Several.of(before=Image, after=Image)


@dataclasses.dataclass
class PictureQuestions(Examples):
    """Pictures of one colour, and whether it is the one asked about."""

    examples: dict
    labels: np.ndarray
    label_names: list
    name: str = "picture_questions"
    split: str = "all"
    version: str | None = None

    @property
    def fields(self):
        return "examples", "labels"


class Asking(Task):
    """Answers a question about a picture."""

    name = "asking"
    input, output = PictureAndQuestion, Label
    read = staticmethod(lambda data, split: data)


def glance(input_shape, num_classes, vocabulary_size, length):
    """The colour of the picture, asked for by the words of the question."""
    image = keras.Input(input_shape, name="image")
    ids = keras.Input((length,), dtype="int32", name="token_ids")
    colour = keras.layers.GlobalAveragePooling2D()(image)
    colour = keras.layers.Reshape((1, -1))(
        keras.layers.Rescaling(1 / 128, -1)(colour)
    )
    words = keras.layers.Embedding(vocabulary_size, 3, name="embedding")(ids)
    asked = AttentionPooling(units=4, name="question_pool")(words)
    seen = BahdanauAttention(units=4, name="glance")(colour, words)
    both = keras.layers.Multiply()([keras.layers.Flatten()(colour), asked])
    seen = keras.layers.Flatten()(seen)
    both = keras.layers.Concatenate()([both, asked, seen])
    logits = keras.layers.Dense(num_classes, name="logits")(both)
    return keras.Model({"image": image, "token_ids": ids}, logits)


def pictures_and_questions(count=32, texts=("is it red", "is it green now")):
    generator = np.random.default_rng(0)
    colours, asked = np.arange(count) % 2, np.arange(count) // 2 % 2
    images = generator.integers(0, 60, (count, 8, 8, 3))
    images[np.arange(count), :, :, colours] += 190
    return PictureQuestions(
        {
            "image": images.astype("uint8"),
            "question": [texts[place] for place in asked],
        },
        (colours == asked).astype("int64"),
        ["no", "yes"],
    )


RECIPE = {
    "builder": "glance",
    "builder_args": {"input_shape": [8, 8, 3]},
    "tokens": {"vocabulary_size": 20, "length": 4},
}


@pytest.fixture(scope="module")
def task():
    """It has learned to answer."""
    patch = pytest.MonkeyPatch()
    entry = {
        "class": "tests.zoo.inputs.test_several:Asking",
        "networks": {"glance": "tests.zoo.inputs.test_several:glance"},
        "options": {"question": "What is asked."},
    }
    patch.setitem(catalogue.TASKS, "asking", entry)
    keras.utils.set_random_seed(0)
    data = pictures_and_questions()
    task = Asking.untrained(RECIPE, *Asking.learn(data, RECIPE))
    task.card["data"] = {"name": "tiny"}
    yield task.finetune(
        data,
        epochs=40,
        batch_size=8,
        learning_rate=0.1,
        augment=["shift"],
        verbose=0,
    )
    patch.undo()


def raws_of(data, count):
    columns = data.raws.values()
    return [
        dict(zip(data.raws, each))
        for each in zip(*(column[:count] for column in columns))
    ]


def test_a_picture_and_a_question_keep_the_contract():
    data = pictures_and_questions(6)
    made = PictureAndQuestion.learn(data, RECIPE)
    picture = data.raws["image"][0]
    check_input(
        made,
        data,
        raws_of(data, 3),
        [
            ("a text", "a dict of `image`, `question`.*'a text' at place 0"),
            ({"image": picture}, "a dict of `image`, `question`"),
            (
                {"image": picture, "question": "?", "more": 1},
                "a dict of `image`, `question`",
            ),
            ({"image": picture, "question": 3}, "In `question`: .*a string"),
            (
                [{"image": np.ones((4, 4, 2)), "question": "?"}],
                "In `image`: .*C being 1, 3 or 4",
            ),
        ],
    )


def test_all_images_of_several_inputs_are_brought_to_another_size():
    made = TwoImages(before=Image((8, 6), 3), after=Image((5, 5), 1))
    resized = made.resized((4, 7))
    assert type(resized) is TwoImages
    assert resized.settings()["before"]["image_size"] == [4, 7]
    assert resized.sizes() == {
        "before_input_shape": [4, 7, 3],
        "after_input_shape": [4, 7, 1],
    }
    assert made.parts["before"].size == (8, 6)


def test_what_is_no_image_stays_at_another_size():
    made = PictureAndQuestion.learn(pictures_and_questions(6), RECIPE)
    resized = made.resized((20, 24))
    assert resized.parts["question"] is made.parts["question"]
    assert resized.tensors()["image"][0] == (20, 24, 3)
    texts = TwoTexts(title=made.parts["question"], body=made.parts["question"])
    assert texts.resized((20, 24)) is None


def test_what_an_input_refuses_is_refused_in_its_name():
    pair = TextPair(["one", "two"], left_length=2, right_length=2)
    made = Several.of(image=Image, texts=TextPair)(
        image=Image((8, 8), 3), texts=pair
    )
    with pytest.raises(ValueError, match="In `texts`: .*left='' at place 0"):
        made.several({"image": "a.png", "texts": ("", "one")})


def test_maps_of_no_input_are_noted_with_none():
    data = pictures_and_questions(4)
    made = PictureAndQuestion.learn(data, RECIPE)
    raws, weights = raws_of(data, 4), np.full((4, 4), 0.25)
    for name, noted in (("glance", False), ("question_pool", True)):
        for note in made.notes(raws, {name: weights}):
            assert ("words" in note["question"]) == noted


def test_a_map_is_noted_with_the_input_of_the_longer_name():
    data = pictures_and_questions(2)
    data.examples = {"body": ["one two"] * 2, "body_end": ["three"] * 2}
    made = Several.of(body=Text, body_end=Text).learn(data, RECIPE)
    maps = {"body_end_pool": np.full((2, 4), 0.25)}
    for note in made.notes(raws_of(data, 2), maps):
        assert "words" in note["body_end"]
        assert "words" not in note["body"]


@pytest.mark.parametrize("kind", [TwoTexts, TwoImages])
def test_two_of_one_kind_keep_the_contract(kind):
    data = pictures_and_questions(6)
    column = data.raws["question" if kind is TwoTexts else "image"]
    data.examples = dict.fromkeys(kind.kinds, column)
    second = {
        "tokens": {"length": 7},
        "builder_args": {"input_shape": [9, 9, 1]},
    }
    recipe = {**RECIPE, "inputs": {[*kind.kinds][1]: second}}
    made = kind.learn(data, recipe)
    shapes = [shape for shape, _ in made.tensors().values()]
    assert shapes in ([(4,), (7,)], [(8, 8, 3), (9, 9, 1)])
    check_input(made, data, raws_of(data, 3))


def test_names_stay_unless_two_inputs_have_the_same():
    data = pictures_and_questions(6)
    made = PictureAndQuestion.learn(data, RECIPE)
    assert list(made.tensors()) == ["image", "token_ids"]
    assert list(made.served()) == ["image_bytes", "text"]
    assert list(made.sizes()) == ["input_shape", "vocabulary_size", "length"]
    assert list(made.files()) == ["vocabulary.txt"]
    assert set(made.settings()) == {"image", "question"}

    data.examples = {"title": ["one two"] * 6, "body": ["two three four"] * 6}
    made = TwoTexts.learn(data, RECIPE)
    assert list(made.tensors()) == ["title_token_ids", "body_token_ids"]
    assert made.served() == {"title_text": "string", "body_text": "string"}
    assert made.roles == ("title_vocabulary", "body_vocabulary")
    assert made.assets()["title_vocabulary"] == ["one", "two"]
    assert set(made.assets()["body_vocabulary"]) == {"two", "three", "four"}
    assert {"title_length", "body_length"} < set(made.sizes())
    assert list(made.files()) == ["title_vocabulary.txt", "body_vocabulary.txt"]


def test_refuses_one_input_and_names_that_run_into_each_other():
    with pytest.raises(ValueError, match="two at least.*'image'"):
        Several.of(image=Image)

    class Odd(Text):
        roles = ("vocabulary", "b_vocabulary")

    with pytest.raises(ValueError, match="two names the same.*'a', 'b'"):
        Several.of(a=Odd, b=Text)


def test_each_augmentation_is_for_the_inputs_that_take_it():
    data = pictures_and_questions(6)
    made = PictureAndQuestion.learn(data, RECIPE)
    plain = made.reader(data)(np.arange(6), 0, 0)
    shifted = made.reader(data, ["shift"])(np.arange(6), 0, 0)
    assert (plain["image"] != shifted["image"]).any()
    np.testing.assert_array_equal(plain["token_ids"], shifted["token_ids"])
    for kind, wrong in ((PictureAndQuestion, "turn"), (TwoTexts, "shift")):
        if kind is TwoTexts:
            data.examples = {"title": ["a"] * 6, "body": ["b"] * 6}
        with pytest.raises(ValueError, match=f"augment.*{wrong}"):
            kind.learn(data, RECIPE).reader(data, [wrong])


def test_each_extreme_of_one_input_comes_with_each_of_the_other():
    made = PictureAndQuestion.learn(pictures_and_questions(6), RECIPE)
    extremes = made.extremes()
    rows = {
        (image.tobytes(), ids.tobytes())
        for image, ids in zip(extremes["image"], extremes["token_ids"])
    }
    images, texts = (len({row[place] for row in rows}) for place in (0, 1))
    assert len(rows) == images * texts and images == 3 and texts >= 3


def test_an_export_knows_whether_every_image_was_decoded():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("exports are TensorFlow's")
    data = pictures_and_questions(4)
    data.examples = dict.fromkeys(TwoImages.kinds, data.raws["image"])
    made = TwoImages.learn(data, RECIPE)
    (good, *_) = made.requests(made.golden())[0]["before_image_bytes"]
    tensors, flags = made.tensorflow()(
        before_image_bytes=[good, b"no image", good, b"no image"],
        after_image_bytes=[good, good, b"no image", b"no image"],
    )
    assert list(flags) == ["decoded"]
    assert flags["decoded"].numpy().tolist() == [True, False, False, False]
    assert list(tensors) == ["before_image", "after_image"]


def test_a_shell_gives_the_first_by_arguments_and_others_by_option(tmp_path):
    made = PictureAndQuestion.learn(pictures_and_questions(4), RECIPE)
    assert made.asked == "IMAGE... --question TEXT"
    paths = [tmp_path / name for name in ("a.png", "b.png")]
    for path in paths:
        path.write_bytes(b"")
    raws = made.from_shell(list(map(str, paths)), {"question": "is it red"})
    assert raws == [{"image": path, "question": "is it red"} for path in paths]
    for words, options in (
        ([], {"question": "is it"}),
        (["a.png"], {}),
        (["a.png"], {"question": "is it", "image": "a.png"}),
    ):
        with pytest.raises(ValueError, match="IMAGE... --question TEXT"):
            made.from_shell(words, options)


@pytest.mark.slow
def test_a_task_of_several_inputs_learns_answers_and_notes_by_name(task):
    data = pictures_and_questions()
    assert task.evaluate(data)["accuracy"] == 1.0
    raw = {"image": data.raws["image"][0], "question": "is it red or blue?"}
    answer = task.predict(raw)
    assert answer["label"] == "yes"
    assert answer["question"] == {"cut": 1, "unknown": ["or"]}
    assert "image" not in answer  # it has nothing to note
    assert task.input.shown({**raw, "image": "a.png"}, answer) == (
        "a.png\nis it red or blue? [1 word at its end not read; "
        "not in the vocabulary: or]"
    )
    both = task.predict([raw, {**raw, "question": "is it green now"}])
    assert [each["label"] for each in both] == ["yes", "no"]


def test_maps_are_noted_with_the_input_that_their_layer_is_named_after(task):
    raw = raws_of(pictures_and_questions(), 1)[0]
    looked = task.look(raw)
    maps = looked["attention"]
    assert maps["question_pool"].shape == (4,)
    assert maps["glance"].shape == (1, 4)
    words, weights = zip(*looked["question"]["words"])
    assert words == ("is", "it", "red")
    np.testing.assert_array_equal(weights, maps["question_pool"][:3])


def test_a_task_of_several_inputs_is_saved_and_loaded(task, tmp_path):
    raws = raws_of(pictures_and_questions(), 4)
    again = saving.load(task.save(tmp_path / "asking"))
    assert type(again.input) is PictureAndQuestion
    assert [each["probability"] for each in again.predict(raws)] == [
        each["probability"] for each in task.predict(raws)
    ]


def test_the_command_line_asks_about_pictures(task, tmp_path):
    folder = task.save(tmp_path / "asking")
    paths = [str(tmp_path / f"{colour}.png") for colour in COLOURS]
    pixels = pictures_and_questions().raws["image"]
    for path, image in zip(paths, pixels):
        PIL.Image.fromarray(image).save(path)
    command = ["predict", str(folder), *paths, "--question", "is it red"]
    printed = CliRunner().invoke(app, command)
    assert printed.exit_code == 0, printed.output
    assert "image and question" in printed.output
    printed = CliRunner().invoke(app, [*command, "--json"])
    answers = json.loads(printed.output)
    assert [each["label"] for each in answers] == ["yes", "no"]
    assert [each["image and question"] for each in answers] == [
        {"image": path, "question": "is it red"} for path in paths
    ]
    printed = CliRunner().invoke(app, command[:-2])
    assert printed.exit_code and "--question TEXT" in printed.output


@pytest.mark.slow
def test_a_task_of_several_inputs_is_exported(task, tmp_path):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("exports are TensorFlow's")
    reports = task.export(tmp_path)  # each proves that it answers alike
    assert set(reports) == {"saved_model", "litert"}
    assert (tmp_path / "vocabulary.txt").exists()
