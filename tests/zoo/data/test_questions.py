"""Questions about pictures: what is found, how it is cut, what is refused."""

import dataclasses
import json
import re

import numpy as np
import PIL.Image
import pytest

from tests.public_data import needs_public
from tests.zoo.contract import check_input
from zoo.data import questions as question_data
from zoo.data import scenes
from zoo.data.questions import (
    QuestionData,
    Shown,
    load_questions,
    scene_questions,
)
from zoo.data.table_source import Table
from zoo.inputs.image import Image
from zoo.inputs.several import Several
from zoo.inputs.text import Text

HEADER = "image,question,answer"


def pixels(seed=0, shape=(8, 10, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, "uint8")


def small(count=12, pictures=4):
    return QuestionData(
        np.stack([pixels(seed) for seed in range(pictures)]),
        np.arange(count) % pictures,
        [f"is it {place}" for place in range(count)],
        np.arange(count) % 3,
        ["a", "b", "c"],
        truth={"box": np.arange(4 * count).reshape(count, 4)},
    )


@pytest.fixture
def few_scenes(monkeypatch):
    parts = {"train": (30, 1), "test": (10, 2)}
    monkeypatch.setattr(scenes, "PARTS", parts)


@pytest.fixture
def album(tmp_path):
    """A folder with two pictures in it."""
    (tmp_path / "pictures").mkdir()
    for seed, name in enumerate(("one", "two")):
        image = PIL.Image.fromarray(pixels(seed))
        image.save(tmp_path / "pictures" / f"{name}.png")
    return tmp_path


def table(folder, *lines, name="asked.csv", header=HEADER):
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


ROWS = [
    "pictures/one.png,what is it?,a dog",
    'pictures/two.png,"red, or blue?",red',
    "pictures/one.png,is it red?,no",
    "pictures/two.png,is it red?,yes",
    "pictures/one.png,is it blue?,no",
]


def test_questions_about_scenes_know_where_to_look(few_scenes):
    data = load_questions("scenes", "train")
    made = scenes.make(30, 1)
    asked = scenes.questions(made, 1)
    assert (data.name, data.split) == ("scenes", "train")
    assert data.describe()["licence_class"] == "A"
    assert data.pictures.shape == (30, 64, 64, 3) and len(data) == len(asked)
    np.testing.assert_array_equal(data.pictures, made.images)
    kinds = set()
    for place, (scene, question, answer, kind, about) in enumerate(asked):
        assert data.shown[place] == scene
        assert data.questions[place] == question
        assert data.label_names[data.labels[place]] == answer
        assert data.truth["kind"][place] == kind
        box = made.boxes[scene, about] if about >= 0 else np.zeros(4)
        np.testing.assert_array_equal(data.truth["box"][place], box)
        kinds.add((kind, about >= 0))
    assert kinds == {
        ("colour", True),
        ("shape", True),
        ("two_hop", True),
        ("count", False),
        ("comparison", False),
    }


def test_of_two_hops_there_are_nothing_but_two_hops(few_scenes):
    data = load_questions("scenes_two_hop", "test")
    assert set(data.truth["kind"]) == {"two_hop"}
    assert data.truth["box"].any(axis=1).all()
    assert len(data) > 10 == len(data.pictures)


def test_scenes_are_drawn_and_asked_as_one_says():
    data = scene_questions(4, seed=5, kinds=("shape", "count"))
    np.testing.assert_array_equal(data.pictures, scenes.make(4, 5).images)
    asked = scenes.questions(scenes.make(4, 5), 5, kinds=("shape", "count"))
    assert data.questions == [each[1] for each in asked]
    assert set(data.truth["kind"]) == {"shape", "count"}
    assert (data.name, data.split) == ("scenes", "4 of seed 5")
    every = scene_questions(10, seed=2)
    assert set(every.truth["kind"]) == set(scenes.QUESTIONS)


def test_pictures_are_shared_and_never_copied():
    data = small()
    images = data.raws["image"]
    assert isinstance(images, Shown) and len(images) == len(data) == 12
    for place in (0, 4, 11):
        assert np.shares_memory(images[place], data.pictures)
        np.testing.assert_array_equal(images[place], data.pictures[place % 4])
    assert len(images[2:5]) == 3 and images[2:5][2] is not None
    part = data.take(np.array([5, 1, 4]))
    assert part.pictures is data.pictures
    assert part.questions == ["is it 5", "is it 1", "is it 4"]
    np.testing.assert_array_equal(
        part.truth["box"], data.truth["box"][[5, 1, 4]]
    )
    np.testing.assert_array_equal(part.raws["image"][2], data.pictures[0])


@pytest.mark.parametrize("groups", [None, np.arange(40) % 20 // 2])
def test_what_belongs_together_is_never_divided(groups):
    data = dataclasses.replace(small(40, 20), groups=groups)
    first, second = data.divide(0.25, seed=3)
    assert len(second) == (10 if groups is None else pytest.approx(10, abs=2))
    assert len(first) + len(second) == 40
    together = "shown" if groups is None else "groups"
    one, two = (set(getattr(part, together)) for part in (first, second))
    assert one and two and not one & two
    again = data.divide(0.25, seed=3)[1]
    assert again.questions == second.questions
    assert data.divide(0.25, seed=4)[1].questions != second.questions
    with pytest.raises(ValueError, match="two pictures.*4 questions about 1"):
        small(4, 1).divide(0.5)


def test_a_digest_tells_pictures_questions_answers_and_their_order():
    data = small()
    other = data.pictures.copy()
    other[2, 0, 0, 0] += 1
    changed = [
        dataclasses.replace(data, pictures=other),
        dataclasses.replace(data, shown=data.shown[::-1]),
        dataclasses.replace(data, questions=["?", *data.questions[1:]]),
        dataclasses.replace(data, labels=data.labels[::-1]),
        data.take(np.arange(12)[::-1]),
    ]
    digests = [each.sha256() for each in (data, *changed)]
    assert len(set(digests)) == 6
    # However pictures are kept, and whatever else is kept with them.
    apart = dataclasses.replace(
        data, pictures=list(data.pictures[data.shown]), shown=np.arange(12)
    )
    assert apart.sha256() == digests[0]
    part = data.take(np.array([0, 4]))
    assert (
        part.sha256()
        == dataclasses.replace(part, pictures=data.pictures[:1]).sha256()
    )


def test_is_read_as_a_picture_and_a_question():
    data, kind = small(), Several.of(image=Image, question=Text)
    recipe = {
        "builder_args": {"input_shape": [8, 10, 3]},
        "tokens": {"vocabulary_size": 9, "length": 4},
    }
    raws = [
        {"image": image, "question": question}
        for image, question in zip(data.raws["image"], data.questions[:3])
    ]
    made = kind.learn(data, recipe)
    check_input(made, data, raws)
    read = made.reader(data)(np.array([6, 1]), 0, 0)["image"]
    np.testing.assert_array_equal(read, data.pictures[[2, 1]])


def test_reads_a_table_beside_its_pictures(album):
    data = load_questions(table(album, *ROWS), "train")
    whole = question_data._from_table(Table(album / "asked.csv"), 2)
    assert whole.questions == [
        "what is it?",
        "red, or blue?",
        "is it red?",
        "is it red?",
        "is it blue?",
    ]
    assert whole.label_names == ["a dog", "no", "red", "yes"]
    assert whole.labels.tolist() == [0, 2, 1, 3, 1]
    assert len(whole.pictures) == 2 and whole.shown.tolist() == [0, 1, 0, 1, 0]
    assert data.split == "80% (by picture, seed 0)"
    assert len(set(data.shown)) == 1
    assert data.place.endswith("asked.csv") and data.name == "asked"
    assert data.describe()["licence_class"] is None
    np.testing.assert_array_equal(
        Image((8, 10), 3).arrays(whole.raws["image"][:2])["image"],
        np.stack([pixels(0), pixels(1)]),
    )


def test_reads_a_folder_that_is_cut_already(album):
    table(album, *ROWS, name="train.csv")
    table(album, ROWS[1], name="val.csv")
    train, test = (load_questions(album, part) for part in ("train", "test"))
    assert (len(train), train.split, len(test), test.split) == (
        5,
        "train",
        1,
        "val",
    )
    assert train.name == test.name == album.name
    (album / "train.csv").unlink()
    (album / "val.csv").unlink()
    with pytest.raises(ValueError, match="`train.csv` and `test.csv`"):
        load_questions(album)


@pytest.mark.parametrize(
    "lines, message",
    [
        (["pictures/three.png,what?,a"], r"'pictures/three.png'.*line 3, no"),
        (["pictures,what?,a"], r"'pictures'.*line 3, no such file"),
        ([",what?,a"], "an empty image in .*line 3"),
        (["../one.png,what?,a"], r"not lead out.*'\.\./one.png'.*line 3"),
        (["pictures/../../one.png,what?,a"], "not lead out.*line 3"),
        (["/etc/hostname,what?,a"], "not lead out.*'/etc/hostname'.*line 3"),
        (["pictures/one.png, ,a"], "an empty question in .*line 3"),
        (["pictures/one.png,what?,"], "an empty answer in .*line 3"),
        (["pictures/one.png,what?"], "3 columns.*2 columns.*line 3"),
        (["pictures/one.png,what?,a dog"], r"at least two.*\['a dog'\]"),
    ],
)
def test_a_bad_line_of_a_table_is_told(album, lines, message):
    path = table(album, ROWS[0], *lines)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        load_questions(path)


def test_a_table_must_name_its_columns(album):
    path = table(album, *ROWS, header="image,text,answer")
    with pytest.raises(ValueError, match="`image`, `question` and `answer`"):
        load_questions(path)
    path = table(album, *(f"7,{row}" for row in ROWS), header=f"id,{HEADER}")
    assert load_questions(path).questions  # others are passed over


def test_raws_and_answers_are_taken_as_lists_columns_and_streams(album):
    paths = [album / "pictures" / f"{name}.png" for name in ("one", "two")]
    images = [paths[0], str(paths[1]), str(paths[0]), paths[1]]
    texts, answers = ["a?", "b?", "c?", "d?"], ["no", "yes", "no", "yes"]
    raws = [
        {"image": image, "question": text} for image, text in zip(images, texts)
    ]
    columns = {"image": images, "question": texts}
    halves = [
        ({k: v[at] for k, v in columns.items()}, answers[at])
        for at in (slice(0, 3), slice(3, 4))
    ]
    for source in (
        (raws, answers),
        (columns, answers),
        list(zip(raws, answers)),
        (each for each in zip(raws, answers)),
        halves,
    ):
        data = load_questions(source)
        assert data.questions == texts and data.label_names == ["no", "yes"]
        assert data.labels.tolist() == [0, 1, 0, 1]
        assert data.shown.tolist() == [0, 1, 0, 1] and len(data.pictures) == 2
    assert load_questions(data) is data


def test_equal_arrays_are_one_picture_and_so_stay_together():
    images = [pixels(0), pixels(1), pixels(0).copy(), pixels(0)[::-1]]
    bytes_ = [b"one", b"two", b"one", b"three"]
    for column, shown in ((images, [0, 1, 0, 2]), (bytes_, [0, 1, 0, 2])):
        raws = {"image": column, "question": ["a?", "b?", "c?", "d?"]}
        data = load_questions((raws, [0, 1, 0, 1]))
        assert data.shown.tolist() == shown
    same_bytes = [np.zeros((2, 3), "uint8"), np.zeros((3, 2), "uint8")]
    raws = {"image": same_bytes, "question": ["a?", "b?"]}
    assert len(load_questions((raws, [0, 1])).pictures) == 2


def test_a_dataset_of_tensorflow_is_read():
    tf = pytest.importorskip("tensorflow")
    images = np.stack([pixels(0), pixels(1), pixels(0)])
    inputs = {"image": images, "question": ["a?", "b?", "c?"]}
    dataset = tf.data.Dataset.from_tensor_slices((inputs, [1, 0, 1]))
    for source in (dataset, dataset.batch(2)):
        data = load_questions(source)
        assert data.questions == ["a?", "b?", "c?"]
        assert data.shown.tolist() == [0, 1, 0]
        assert data.labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "source, message",
    [
        ([({"image": "a.png"}, "x")], "a dict of `image` and `question`"),
        ((["a.png"], ["x"]), "a dict of `image` and `question`.*str"),
        (({"image": ["a"], "more": []}, []), "a dict of `image` and `q.*more"),
        (({"image": ["a"], "question": []}, []), "1 pictures, 0 questions"),
        (
            ({"image": ["a", "b"], "question": ["a?", ""]}, [0, 1]),
            "A question must.*'' at place 1",
        ),
        (
            ({"image": ["a", "b"], "question": ["a?", 5]}, [0, 1]),
            "A question must.*5 at place 1",
        ),
        (({"image": ["a"], "question": ["a?"]}, [0, 1]), "one label for each"),
        ("nothing_like_it", "`data` must be one of easy_vqa.*nothing_like_it"),
        ("easy_vqq", "near: .*easy_vqa"),
    ],
)
def test_what_is_no_question_about_a_picture_is_refused(source, message):
    with pytest.raises(ValueError, match=message):
        load_questions(source)


@pytest.fixture
def upstream(tmp_path, monkeypatch):
    """The manual folder of the data sets, with a little of each in it."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    manual = tmp_path / "downloads" / "manual"
    for part in ("train", "test"):
        folder = manual / "easy_vqa" / "data" / part
        (folder / "images").mkdir(parents=True)
        for number in (0, 7):
            image = PIL.Image.fromarray(pixels(number))
            image.save(folder / "images" / f"{number}.png")
        rows = [["is it red?", "yes", 7], ["what is it?", "circle", 0]]
        rows.append(["is it blue?", "no", 7])
        (folder / "questions.json").write_text(json.dumps(rows))
    (folder.parent / "answers.txt").write_text("circle\nyes\nno\n")
    folder = manual / "nlvr" / "dev"
    lines = []
    for number in range(10):
        place = folder / "images" / str(number % 6)
        place.mkdir(parents=True, exist_ok=True)
        identifier = f"{number // 2}-{number % 2}"
        for order in range(6):
            image = PIL.Image.fromarray(pixels(order, (5, 20, 3)))
            image.quantize(16).save(place / f"dev-{identifier}-{order}.png")
        lines.append(
            {
                "sentence": f"There are {number // 2} boxes.",
                "label": ("true", "false")[number % 2],
                "identifier": identifier,
                "directory": str(number % 6),
            }
        )
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (folder / "dev.json").write_text(text)
    return manual


def test_easy_vqa_is_read_from_upstreams_files(upstream):
    for part in ("train", "test"):
        data = load_questions("easy_vqa", part)
        assert data.questions == ["is it red?", "what is it?", "is it blue?"]
        assert data.label_names == ["circle", "yes", "no"]
        assert data.labels.tolist() == [1, 0, 2]
        np.testing.assert_array_equal(
            data.pictures, np.stack([pixels(7), pixels(0)])
        )
        assert data.shown.tolist() == [0, 1, 0]
        assert (data.split, data.describe()["licence_class"]) == (part, "A")


def test_nlvr_keeps_the_pictures_of_a_sentence_on_one_side(upstream):
    parts = [load_questions("nlvr", part) for part in ("train", "test")]
    assert [len(part) for part in parts] == [48, 12]
    assert parts[1].split == "20% of dev (in groups, seed 0)"
    train, test = (set(part.questions) for part in parts)
    assert len(train) == 4 and len(test) == 1 and not train & test
    data = question_data._nlvr("dev")
    assert data.label_names == ["false", "true"]
    assert data.labels[:12].tolist() == [1] * 6 + [0] * 6
    assert data.pictures[7].name == "dev-0-1-1.png"
    arrays = Image((5, 20), 3).arrays(data.raws["image"][:2])
    assert arrays["image"].shape == (2, 5, 20, 3)


@pytest.mark.parametrize(
    "file, content, message",
    [
        ("easy_vqa/data/train/questions.json", "[[", "must hold JSON"),
        (
            "easy_vqa/data/train/questions.json",
            '[["is it?", "yes", 0], ["is it?", "perhaps", 0]]',
            "an answer of answers.txt.*'perhaps'.*at place 1",
        ),
        (
            "easy_vqa/data/train/questions.json",
            '[["is it?", "yes", "../7"]]',
            "the number of a picture.*at place 0",
        ),
        (
            "easy_vqa/data/train/questions.json",
            '[["is it?", "yes"]]',
            "the number of a picture.*at place 0",
        ),
        (
            "easy_vqa/data/train/questions.json",
            '[["", "yes", 0]]',
            "A question must",
        ),
        (
            "easy_vqa/data/train/questions.json",
            '[["is it?", "yes", 5]]',
            "all of upstream's files.*5.png",
        ),
        ("easy_vqa/data/answers.txt", None, "upstream's files.*answers.txt"),
        ("nlvr/dev/dev.json", "{}\n", "`identifier`.*line 1"),
        (
            "nlvr/dev/dev.json",
            '{"sentence": "a", "label": "maybe", "identifier": "1-1", '
            '"directory": "1"}',
            "`label`.*line 1",
        ),
        (
            "nlvr/dev/dev.json",
            '{"sentence": "a", "label": "true", "identifier": "../1-1", '
            '"directory": "1"}',
            "`identifier`.*line 1",
        ),
    ],
)
def test_what_upstream_does_not_hold_is_told(upstream, file, content, message):
    path = upstream / file
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        load_questions(file.split("/")[0])


@pytest.mark.parametrize("name", question_data.UPSTREAM)
def test_without_upstreams_files_it_says_what_to_get(
    name, tmp_path, monkeypatch
):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    place = re.escape(str(tmp_path / "downloads" / "manual" / name))
    with pytest.raises(FileNotFoundError, match=f"Get the folder.*{place}"):
        load_questions(name)


@needs_public("easy_vqa")
def test_easy_vqa_is_all_there():
    train, test = (
        load_questions("easy_vqa", part) for part in ("train", "test")
    )
    assert [len(part) for part in (train, test)] == [38575, 9673]
    assert train.pictures.shape == (4000, 64, 64, 3)
    assert len(test.pictures) == 1000
    assert len(train.label_names) == 13
    assert train.label_names == test.label_names


@needs_public("nlvr")
def test_nlvr_is_all_there():
    train, test = (load_questions("nlvr", part) for part in ("train", "test"))
    assert len(train) + len(test) == 6 * 989
    assert not set(train.groups) & set(test.groups)
    assert 0.18 < len(test) / (6 * 989) < 0.22
