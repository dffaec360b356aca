"""Questions about pictures and their answers: made by rule, public, or yours.

Many questions share one picture, so a picture is kept once and each question
says which it is about.
"""

import collections.abc
import dataclasses
import hashlib
import json
import os
import pathlib

import numpy as np

from zoo.data import examples, labelled, scenes, sources
from zoo.data.images import ImageData, identity, read_image
from zoo.data.table_source import Reading, read_rows
from zoo.data.texts import TextData

# Licence class of the data sets that presets are trained on: A open,
# B non-commercial or research terms, C none stated.
LICENCES = {"easy_vqa": "A", "nlvr": "A", "scenes": "A", "scenes_two_hop": "A"}

RAW = ("image", "question")
# What is asked about scenes.
MADE = {"scenes": scenes.QUESTIONS, "scenes_two_hop": ("two_hop",)}
# What upstream hands out, which lies in the manual folder of the data sets.
UPSTREAM = {
    "easy_vqa": "the folder `data` of https://github.com/vzhou842/easy-VQA",
    "nlvr": "the folder `nlvr` of https://github.com/lil-lab/nlvr",
}
NLVR_PICTURES = 6  # of an example, the boxes of its scene in each order


@dataclasses.dataclass(repr=False)
class QuestionData(examples.Examples):
    """Questions about pictures and their answers.

    Args:
        pictures: Array `(P, H, W, C)` of 0 to 255, or a list of anything that
            `zoo.data.images.read_image` takes.
        shown: Integers, `(N,)`, the picture of each question, a place in
            `pictures`.
        questions: List of `N` strings.
        labels: Integers, `(N,)`, places in `label_names`.
        label_names: List of strings, the answers.
        name: String. What the data is called.
        split: String. Which part of it this is.
        version: String or `None`. The data set's own version.
        place: String or `None`. Where the data were read from.
        skipped: Tuple of strings. Files that are no examples, and why.
        reading: `Reading` or `None`. How a table was read.
        truth: Dict of arrays `(N, ...)` or `None`. What is known of each
            question beside its answer; nothing learns from it. `box` is the
            `(x0, y0, x1, y1)` in [-1, 1] of the object that the answer is
            about, zeros where there is none, and `kind` is what is asked for.
        groups: Integers, `(N,)`, or `None`. Questions that are never divided;
            by default those about one picture.
    """

    licences = LICENCES

    pictures: object
    shown: np.ndarray
    questions: list
    labels: np.ndarray
    label_names: list
    name: str = "questions"
    split: str = "all"
    version: str | None = None
    place: str | None = None
    skipped: tuple = ()
    reading: Reading | None = None
    truth: dict | None = None
    groups: np.ndarray | None = None

    @property
    def how_cut(self):
        return "by picture" if self.groups is None else "in groups"

    @property
    def together(self):
        return self.shown if self.groups is None else self.groups

    @property
    def raws(self):
        """The raw inputs by name, as `zoo.inputs.several` reads them."""
        return {
            "image": Shown(self.pictures, self.shown),
            "question": self.questions,
        }

    @property
    def fields(self):
        more = ("truth", "groups")
        return (
            "shown",
            "questions",
            "labels",
            *(name for name in more if getattr(self, name) is not None),
        )

    def sha256(self):
        digest, pictures = hashlib.sha256(self.digest_targets()), {}
        for place, question in zip(self.shown.tolist(), self.questions):
            if place not in pictures:
                content = ImageData.as_bytes(self.pictures[place])
                pictures[place] = hashlib.sha256(content).digest()
            digest.update(pictures[place] + TextData.as_bytes(question))
        return digest.hexdigest()

    def counted(self):
        return (
            f"{len(self):,} questions about {len(np.unique(self.shown)):,} "
            f"pictures with {len(self.label_names)} answers"
        )

    def _cut(self, count, seed):
        """Two parts, the second of about `count` questions."""
        _, groups, sizes = np.unique(
            self.together, return_inverse=True, return_counts=True
        )
        if len(sizes) < 2:
            raise ValueError(
                "To be divided, data must have two pictures, since the "
                "questions about one belong together. Received: "
                f"{len(self)} questions about {len(sizes)}, to be cut into "
                f"{len(self) - count} and {count}"
            )
        drawn = np.random.default_rng(seed).permutation(len(sizes))
        # As many as come nearest, and at least one on either side.
        reached = np.cumsum(sizes[drawn])[:-1]
        chosen = drawn[: np.argmin(np.abs(reached - count)) + 1]
        aside = np.isin(groups, chosen)
        first, second = np.flatnonzero(~aside), np.flatnonzero(aside)
        return self.take(first), self.take(second)


class Shown(collections.abc.Sequence):
    """The picture of each question, without a copy of it.

    Args:
        pictures: Array or list.
        places: Integers, `(N,)`, places in `pictures`.
    """

    def __init__(self, pictures, places):
        self.pictures = pictures
        self.places = places

    def __len__(self):
        return len(self.places)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Shown(self.pictures, self.places[index])
        return self.pictures[self.places[index]]


def load_questions(source="scenes", split="train"):
    """Finds questions about pictures and their answers.

    Args:
        source: `"scenes"`, pictures and questions made by `zoo.data.scenes`,
            or `"scenes_two_hop"`, those of them that lead from one object to
            another, which need no download; `"easy_vqa"`, whose files are
            downloaded by hand; `"nlvr"`, true and false sentences, likewise; a
            `.csv` or `.tsv` file that names in its first line the columns
            `image`, the path of a file from the table's own folder, `question`
            and `answer`, or a folder with such files `train` and `test` (or
            `validation`); a `zoo.Table` or a frame, in which columns may have
            other names; a pair `(raws, answers)`, `raws` being a list of
            dicts of `image` and `question`, or a dict of two lists; a
            `tf.data.Dataset`, `keras.utils.PyDataset`, generator or list of
            pairs `({"image": image, "question": question}, answer)`, batched
            or not, read into memory once; or a `QuestionData`, returned as it
            is. Answers are as `zoo.data.labelled.number_classes` takes labels.
            How a name is told from a place says `zoo.data.sources.place`.
        split: `"train"` or `"test"`. A set that comes in one part is cut, 80
            to 20, the same way every time; the questions about one picture
            stay together.

    Returns:
        `QuestionData`. What is made here has a `truth`.

    Raises:
        ValueError: If nothing of that name is known, there are fewer than two
            answers (to measure on, one will do), a file is malformed, a
            question is empty, or parts do not fit together.
        FileNotFoundError: If there is no such file or folder, or a picture is
            missing.
    """
    return labelled.find(
        source,
        split,
        "questions",
        QuestionData,
        _from_stream,
        _from_lists,
        _known,
        _from_table,
    )


def _from_stream(source, least):
    found = labelled.unbatched(source, _several, "questions")
    return _from_lists(*found, least, getattr(source, "class_names", None))


def _several(raw, place, label):
    """The raws of an element, if it holds several."""
    _check_raw(raw, f"at place {place}")
    if np.ndim(raw["question"]) == 0:
        return None
    return _rows(raw, f"at place {place}")


def _rows(columns, where):
    """Raws of a dict of a column of pictures and one of questions."""
    _check_raw(columns, where)
    counts = [len(columns[name]) for name in RAW]
    if counts[0] != counts[1]:
        raise ValueError(
            "There must be a picture for each question. Received: "
            f"{counts[0]} pictures, {counts[1]} questions {where}"
        )
    return [
        dict(zip(RAW, each)) for each in zip(*(columns[name] for name in RAW))
    ]


def _check_raw(raw, where):
    if not isinstance(raw, dict) or set(raw) != set(RAW):
        keys = sorted(map(str, raw)) if isinstance(raw, dict) else raw
        raise ValueError(
            "What is asked must be a dict of `image` and `question`. Received: "
            f"{type(raw).__name__} {repr(keys)[:50]} {where}"
        )


def _check_question(question, where):
    if not isinstance(question, str) or not question.strip():
        raise ValueError(
            "A question must be a string that is not empty. "
            f"Received: {repr(question)[:50]} {where}"
        )


def _from_lists(raws, answers, least, class_names=None, where="the labels"):
    if isinstance(raws, dict):
        raws = _rows(raws, "as `raws`")
    pictures, places, shown, questions = [], {}, [], []
    for place, raw in enumerate(raws):
        _check_raw(raw, f"at place {place}")
        picture, question = (raw[name] for name in RAW)
        if isinstance(question, bytes):
            question = question.decode()
        _check_question(question, f"at place {place}")
        key = identity(picture)
        if key not in places:
            places[key] = len(pictures)
            pictures.append(picture)
        shown.append(places[key])
        questions.append(question)
    labels, names = labelled.number_classes(
        answers, len(questions), "questions", least, class_names, where
    )
    shown = np.array(shown, "int64")
    return QuestionData(pictures, shown, questions, labels, names)


def _from_table(table, least):
    found = read_rows(table, "questions", (*RAW, "answer"))
    raws = []
    for where, (image, question, _) in found.rows:
        if not table.in_memory:
            image = _inside(table.source.parent, image, where)
        raws.append({"image": image, "question": question})
    answers = found.cells("answer")
    data = _from_lists(raws, answers, least, where=found.about("answer"))
    return dataclasses.replace(data, **found.told())


def _inside(folder, image, where):
    """The file of a picture, which lies in the folder of its table."""
    inside = pathlib.PurePath(image)
    if inside.is_absolute() or ".." in inside.parts:
        raise ValueError(
            "`image` must be the path of a file from the table's own folder, "
            f"and not lead out of it. Received: {image!r} {where}"
        )
    if not (folder / inside).is_file():
        raise FileNotFoundError(
            "`image` must be the path of a file from the table's own folder. "
            f"Received: {image!r} {where}, no such file"
        )
    return folder / inside


def _known(name, split):
    if name in MADE:
        found = scene_questions(*scenes.PARTS[split], kinds=MADE[name])
        return dataclasses.replace(found, name=name, split=split)
    if name == "easy_vqa":
        return _easy_vqa(split)
    if name == "nlvr":
        return examples.cut(_nlvr("dev"), split)
    raise ValueError(
        f"`data` must be one of {', '.join(LICENCES)}, a .csv file, a folder "
        "of them, or raws and answers. Received: "
        f"data={str(name)!r}, no such file or folder"
        f"{sources.near(name, LICENCES)}"
    )


def scene_questions(count, seed=0, kinds=scenes.QUESTIONS):
    """Scenes as `zoo.data.scenes.make` draws them, with five questions each.

    Args:
        count: Positive integer. How many scenes.
        seed: Integer of at least 0. Seed of the scenes and of the questions.
        kinds: Strings of `zoo.data.scenes.QUESTIONS`, what is asked.

    Returns:
        `QuestionData`, which knows the object that answers a question.
    """
    made = scenes.make(count, seed)
    asked = scenes.questions(made, seed, kinds=kinds)
    shown, questions, answers, kind, about = zip(*asked)
    shown = np.array(shown, "int64")
    boxes = np.zeros((len(shown), 4), "float32")
    known = np.array(about) >= 0
    boxes[known] = made.boxes[shown[known], np.array(about)[known]]
    labels, names = labelled.number_classes(answers, len(shown), "questions")
    return QuestionData(
        made.images,
        shown,
        list(questions),
        labels,
        names,
        "scenes",
        f"{count} of seed {seed}",
        scenes.VERSION,
        truth={"box": boxes, "kind": np.array(kind)},
    )


def _easy_vqa(split):
    folder = _upstream("easy_vqa") / "data"
    names = examples.read_file(_file(folder, "answers.txt")).split()
    path = _file(folder / split, "questions.json")
    rows = _json(path, examples.read_file(path))
    places, shown, questions, labels = {}, [], [], []
    for place, row in enumerate(rows):
        try:
            question, answer, picture = row
            labels.append(names.index(answer))
            picture = f"{int(picture)}.png"
        except (TypeError, ValueError) as error:
            raise ValueError(
                "Each entry must be a question, an answer of answers.txt and "
                f"the number of a picture. Received: {row!r} at place {place} "
                f"in {path}"
            ) from error
        _check_question(question, f"at place {place} in {path}")
        shown.append(places.setdefault(picture, len(places)))
        questions.append(question)
    images = folder / split / "images"
    pictures = [read_image(_file(images, picture)) for picture in places]
    if len({picture.shape for picture in pictures}) == 1:
        pictures = np.stack(pictures)
    return QuestionData(
        pictures,
        np.array(shown, "int64"),
        questions,
        np.array(labels, "int64"),
        names,
        "easy_vqa",
        split,
        "1",
    )


def _nlvr(part):
    folder = _upstream("nlvr") / part
    path = _file(folder, f"{part}.json")
    pictures, questions, answers, groups = [], [], [], []
    for number, line in enumerate(examples.read_file(path).splitlines(), 1):
        where = f"in {path}, line {number}"
        record = _json(where, line)
        try:
            identifier = record["identifier"]
            images = folder / "images" / str(int(record["directory"]))
            sentence, label = record["sentence"], record["label"]
            group, _ = map(int, identifier.split("-"))
            answers += [("false", "true").index(label)] * NLVR_PICTURES
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise ValueError(
                "Each line must hold `sentence`, `label`, `identifier` and "
                f"`directory` as upstream does. Received: {line[:50]!r} {where}"
            ) from error
        _check_question(sentence, where)
        pictures += [
            _file(images, f"{part}-{identifier}-{order}.png")
            for order in range(NLVR_PICTURES)
        ]
        questions += [sentence] * NLVR_PICTURES
        groups += [group] * NLVR_PICTURES
    return QuestionData(
        pictures,
        np.arange(len(pictures)),
        questions,
        np.array(answers, "int64"),
        ["false", "true"],
        "nlvr",
        part,
        "1",
        groups=np.array(groups, "int64"),
    )


def _json(where, text):
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"A file must hold JSON as upstream's does. Received: {where}: "
            f"{error}"
        ) from error


def _upstream(name):
    """The folder of a set that is downloaded by hand."""
    data = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    folder = pathlib.Path(data).expanduser() / "downloads" / "manual" / name
    if not folder.is_dir():
        raise FileNotFoundError(
            f"Get {UPSTREAM[name]} and put it into a folder `{name}` in the "
            "manual folder, which is `downloads/manual` in that of the data "
            "sets, the environment variable TFDS_DATA_DIR. "
            f"Received: no {folder}"
        )
    return folder


def _file(folder, name):
    if not (folder / name).is_file():
        raise FileNotFoundError(
            "The data set must have all of upstream's files. "
            f"Received: no {folder / name}"
        )
    return folder / name
