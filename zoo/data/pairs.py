"""Pairs of texts by class: public sets, tables, and two sets made by rule here.

Of a pair, left is a passage or a candidate and right the question about it;
where one sentence is compared with another, left is the one that the data set
gives first.
"""

import dataclasses
import functools
import itertools
import pathlib
import sys

import numpy as np

from zoo.data import examples, labelled, sources
from zoo.data.table_source import Reading, read_rows

# Licence class of the data sets that presets are trained on: A open,
# B non-commercial or research terms, C none stated.
LICENCES = {
    "glue/mrpc": "B",
    "glue/qqp": "C",
    "msrp": "B",
    "scene_claims": "A",
    "sick": "B",
    "snli": "A",
    "who_did_what": "A",
    "wikiqa": "B",
}

# What is left, and what right, of a public set.
FEATURES = {
    "glue/mrpc": ("sentence1", "sentence2"),
    "glue/qqp": ("question1", "question2"),
    "msrp": ("sentence1", "sentence2"),
    "sick": ("sentence_a", "sentence_b"),
    "snli": ("premise", "hypothesis"),
    "wikiqa": ("candidate", "question"),
}

# The columns of a table.
COMPARED = ("left", "right", "label")
ASKED = ("question", "candidate", "label")

# Classes of candidates, in this order whatever the data hold.
ANSWERS = ("wrong", "right")


@dataclasses.dataclass(repr=False)
class PairData(examples.Examples):
    """Pairs of texts and their classes.

    Args:
        pairs: List of `(left, right)`, strings.
        labels: Integers, `(N,)`, places in `label_names`.
        label_names: List of strings.
        name: String. What the data is called.
        split: String. Which part of it this is.
        version: String or `None`. The data set's own version.
        grouped: Boolean. Whether the pairs of one right text belong together:
            left is a candidate, right its question. Then no question is ever
            divided.
        place: String or `None`. Where the data were read from.
        skipped: Tuple of strings. Files that are no examples, and why.
        reading: `Reading` or `None`. How a table was read.
    """

    licences = LICENCES

    pairs: list
    labels: np.ndarray
    label_names: list
    name: str = "pairs"
    split: str = "all"
    version: str | None = None
    grouped: bool = False
    place: str | None = None
    skipped: tuple = ()
    reading: Reading | None = None

    @staticmethod
    def as_bytes(raw):
        encoded = [text.encode() for text in raw]
        return b"".join(
            len(each).to_bytes(8, "little") + each for each in encoded
        )

    @property
    def groups(self):
        """The number of each pair's right text, int64 `(N,)`, 0 the first."""
        numbers = {}
        return np.array(
            [
                numbers.setdefault(right, len(numbers))
                for _, right in self.pairs
            ],
            "int64",
        )

    @property
    def together(self):
        return self.groups if self.grouped else None

    @property
    def how_cut(self):
        return "by question" if self.grouped else super().how_cut

    def counted(self):
        if not self.grouped:
            return super().counted()
        questions = len(set(right for _, right in self.pairs))
        return f"{len(self):,} candidates of {questions:,} questions"

    def _cut(self, count, seed):
        """Two parts, the second of `count` examples; about, if grouped."""
        if not self.grouped:
            return super()._cut(count, seed)
        groups = self.groups
        sizes = np.bincount(groups)
        if len(sizes) < 2:
            raise ValueError(
                "To be divided, data must have two questions, since the "
                "candidates of one belong together. Received: "
                f"{len(self)} pairs of {len(sizes)} questions, to be cut into "
                f"{len(self) - count} and {count}"
            )
        drawn = np.random.default_rng(seed).permutation(len(sizes))
        # As many questions as come nearest, and at least one on either side.
        reached = np.cumsum(sizes[drawn])[:-1]
        questions = drawn[: np.argmin(np.abs(reached - count)) + 1]
        aside = np.isin(groups, questions)
        first, second = np.flatnonzero(~aside), np.flatnonzero(aside)
        return self.take(first), self.take(second)


def load_pairs(source="scene_claims", split="train"):
    """Finds pairs of texts and their classes.

    Args:
        source: `"scene_claims"` or `"who_did_what"`, made here by rule, which
            need no download; the official name of a set of
            tensorflow-datasets, `"glue/mrpc"`, `"glue/qqp"` or `"snli"`;
            `"msrp"`, `"sick"` or `"wikiqa"`, whose files are downloaded by
            hand; a `.csv` or `.tsv` file that names in its first line the
            columns `left`, `right` and `label`, or `question`, `candidate` and
            `label` (`wrong` or `right`, or 0 or 1; questions that are written
            alike are one), or a folder with such files `train` and `test` (or
            `validation`); a `zoo.Table` or a frame, in which columns may have
            other names; two lists `(pairs, labels)`; a `tf.data.Dataset`,
            `keras.utils.PyDataset`, generator or list of
            `((left, right), label)`, batched or not, read into memory once; or
            a `PairData`, returned as it is. Labels are as
            `zoo.data.labelled.number_classes` takes them. How a name is told
            from a place says `zoo.data.sources.place`.
        split: `"train"` or `"test"`. A set that comes in one part is cut, 80
            to 20, the same way every time; by question where it has questions
            and candidates.

    Returns:
        `PairData`. Of a public set, pairs without a label and those with an
        empty text are left out.

    Raises:
        ValueError: If nothing of that name is known, there are fewer than two
            classes (to measure on, one will do), a file is malformed, a text is
            empty, or pairs and labels do not fit together.
        FileNotFoundError: If there is no such file or folder, or a file is not
            where it should be after a download by hand.
    """
    return _found(source, split, COMPARED, ASKED)


def load_candidates(source="who_did_what", split="train"):
    """Finds questions with their candidate answers.

    Args:
        source: As in `load_pairs`: `"who_did_what"`, `"wikiqa"`, a table with
            the columns `question`, `candidate` and `label`, or pairs
            `(candidate, question)` with the labels wrong and right, or 0 and 1.
        split: `"train"` or `"test"`.

    Returns:
        `PairData`, grouped, with the classes `ANSWERS`.

    Raises:
        ValueError: As `load_pairs`; and if the data are not candidates, or none
            of them is right.
        FileNotFoundError: As `load_pairs`.
    """
    found = _found(source, split, ASKED)
    if isinstance(source, (tuple, list)) or labelled.is_stream(source):
        found = as_candidates(found)
    if not found.grouped:
        raise ValueError(
            "Answers are selected from candidates, so data must have the "
            'columns question, candidate and label, be "wikiqa" or '
            '"who_did_what", or pairs (candidate, question) with the '
            "labels wrong and right, or 0 and 1. "
            f"Received: data={found.name!r}, classes {found.label_names}"
        )
    if list(found.label_names) != list(ANSWERS):
        raise ValueError(
            f"The classes of candidates must be {list(ANSWERS)}, "
            f"in this order. Received: label_names={found.label_names}"
        )
    if not found.labels.any():
        raise ValueError(
            "There must be a question with a right candidate, or there is "
            "nothing to learn or to measure. Received: "
            f"{len(found)} candidates, all of them wrong"
        )
    return found


def _found(source, split, *choices):
    """As `load_pairs`, from tables with one of several choices of columns."""
    return labelled.find(
        source,
        split,
        "pairs",
        PairData,
        _from_stream,
        _from_lists,
        _known,
        functools.partial(_from_table, choices=choices),
    )


def scene_claims(count, seed=0):
    """Scenes of two animals, and a claim about one: does it follow?

    A scene says of two animals what each does, and where. A claim that follows
    says it of one of them again. One that contradicts gives that animal what
    the other does, the other's place, or both: every word of it stands in the
    scene, so that the words tell nothing, and it takes who does what where. A
    neutral claim is about an animal that the scene does not speak of.

    Args:
        count: Positive integer. How many pairs.
        seed: Integer. Seed of the draw.

    Returns:
        `PairData` with the classes "contradiction", "entailment" and
        "neutral", as many of each.
    """
    generator = np.random.default_rng(seed)

    def draw(words, count=2):
        return generator.permutation(words)[:count].tolist()

    names = ["contradiction", "entailment", "neutral"]
    labels = generator.permutation(np.arange(count) % 3)
    pairs = []
    for label in labels:
        looks, verbs, places = map(draw, (_LOOKS, _VERBS, _PLACES))
        *animals, stranger = draw(_ANIMALS, 3)
        facts = [
            f"the {look} {animal} {verb} {place}"
            for look, animal, verb, place in zip(looks, animals, verbs, places)
        ]
        who = verb = place = generator.integers(2)
        animal = animals[who]
        if names[label] == "contradiction":
            swaps = _SWAPS[generator.integers(len(_SWAPS))]
            verb, place = np.bitwise_xor(who, swaps)
        elif names[label] == "neutral":
            animal, verb, place = stranger, *generator.integers(2, size=2)
        look = f"{looks[who]} " if generator.integers(2) else ""
        scene = f" {_LINKS[generator.integers(len(_LINKS))]} ".join(facts)
        claim = f"the {look}{animal} {verbs[verb]} {places[place]}"
        pairs.append((f"{scene}.".capitalize(), f"{claim}.".capitalize()))
    return PairData(
        pairs,
        labels.astype("int64"),
        names,
        "scene_claims",
        f"{count} of seed {seed}",
        "1",
    )


def who_did_what(count, seed=0):
    """Questions with candidates of which one answers, sometimes two.

    A candidate says of two people what each did with which thing. All four to
    six candidates of a question hold its verb, its adjective and its noun. The
    right ones hold them in one clause; in the wrong ones the adjective, the
    noun or both are in the other. So the words that a candidate shares with
    the question tell nothing: it takes which belong together.

    Args:
        count: Positive integer. How many questions, all different.
        seed: Integer. Seed of the draw.

    Returns:
        `PairData`, grouped, with the classes "wrong" and "right".

    Raises:
        ValueError: If there are not so many questions.
    """
    questions = list(itertools.product(_DID, _KINDS, _THINGS))
    if count > len(questions):
        raise ValueError(
            f"There are {len(questions)} different questions, and `count` must "
            f"not be more. Received: count={count}"
        )
    generator = np.random.default_rng(seed)

    def another(words, word):
        others = [each for each in words if each != word]
        return others[generator.integers(len(others))]

    pairs, labels = [], []
    for drawn in generator.permutation(len(questions))[:count]:
        did, kind, thing = questions[drawn]
        candidates = generator.integers(4, 7)
        right = 2 if generator.integers(4) == 0 else 1
        marks = generator.permutation(np.arange(candidates) < right)
        people = generator.permutation(_PEOPLE)
        for mark, who in zip(marks, people.reshape(-1, 2)):
            other_did = another(_DID, did)
            other_kind = another(_KINDS, kind)
            other_thing = another(_THINGS, thing)
            wrong = (
                (other_kind, other_thing, kind, thing),
                (other_kind, thing, kind, other_thing),
                (kind, other_thing, other_kind, thing),
            )
            objects = (kind, thing, other_kind, other_thing)
            if not mark:
                objects = wrong[generator.integers(3)]
            clauses = [
                "{} {} the {} {}".format(who[0], did, *objects[:2]),
                "{} {} the {} {}".format(who[1], other_did, *objects[2:]),
            ]
            generator.shuffle(clauses)
            pairs.append(
                (f"{' and '.join(clauses)}.", f"Who {did} the {kind} {thing}?")
            )
        labels += marks.tolist()
    return PairData(
        pairs,
        np.array(labels, "int64"),
        list(ANSWERS),
        "who_did_what",
        f"{count} of seed {seed}",
        "2",
        grouped=True,
    )


def read_lines(path):
    """The lines of a file of UTF-8, without the blank ones.

    Args:
        path: Path of the file, or `"-"`, what comes from standard input.

    Returns:
        List of strings, without the white space around them.

    Raises:
        ValueError: If there is none, or the file is in another encoding.
    """
    if str(path) != "-" and not pathlib.Path(path).is_file():
        raise FileNotFoundError(
            "Candidates must be in a file that is there. "
            f"Received: {str(path)!r}, no such file"
        )
    if str(path) == "-":
        lines = sys.stdin.read().removeprefix("\ufeff").split("\n")
    else:
        lines = examples.read_file(pathlib.Path(path)).split("\n")
    lines = [line.strip() for line in lines if line.strip()]
    if not lines:
        raise ValueError(
            "A file must hold a line at least that is not blank. "
            f"Received: none in {path}"
        )
    return lines


def as_candidates(data):
    """Pairs as candidates with their questions, if their classes allow it.

    Args:
        data: `PairData`, left a candidate, right its question.

    Returns:
        `PairData`, grouped, with the classes `ANSWERS`; `data` itself, if its
        classes are others than these or 0 and 1.
    """
    numbers = {"0": 0, "1": 1, **dict(zip(ANSWERS, range(2)))}
    if not set(data.label_names) <= set(numbers):
        return data
    places = np.array([numbers[name] for name in data.label_names])
    return dataclasses.replace(
        data,
        labels=places[data.labels],
        label_names=list(ANSWERS),
        grouped=True,
    )


def _part_of_questions(data, count, split):
    """The first `count` questions, or those that follow."""
    first = data.groups < count
    part = data.take(np.flatnonzero(first == (split == "train")))
    return dataclasses.replace(part, split=f"{split} of {data.split}")


_LOOKS = "old young black white brown small big thin".split()
_ANIMALS = "dog cat horse goat duck fox mouse cow hen donkey".split()
_VERBS = "sleeps waits sits plays stands eats drinks digs".split()
_PLACES = (
    "in the garden",
    "in the kitchen",
    "on the roof",
    "on the stairs",
    "under the table",
    "under the bridge",
    "by the river",
    "by the door",
    "behind the barn",
    "behind the wall",
)
_LINKS = ("and", "while", "but")
# Whether a contradiction has the other animal's verb, and its place.
_SWAPS = ((1, 0), (0, 1), (1, 1))

_PEOPLE = (
    "Anna Ben Clara David Emma Felix Grace Henry Iris Jonas Kate Leo".split()
)
_DID = (
    "bought sold found lost painted cleaned broke hid carried wanted borrowed "
    "kept moved drew chose saw"
).split()
_KINDS = (
    "red blue green black white yellow big small old new round heavy wooden "
    "cheap pretty strange"
).split()
_THINGS = (
    "lamp chair table bottle book clock basket box coat cup hat kettle mirror "
    "piano plate shoe spoon tent wagon bicycle"
).split()


def _several(pair, place, labels):
    """The pairs of an element, if it holds several."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ValueError(
            "Each element must be ((left, right), label). "
            f"Received: {type(pair).__name__} for a pair at place {place}"
        )
    return list(zip(*pair)) if np.ndim(pair[0]) else None


def _from_stream(source, least):
    found = labelled.unbatched(source, _several, "pairs")
    return _from_lists(*found, least, getattr(source, "class_names", None))


def _from_lists(pairs, labels, least, class_names=None, where="the labels"):
    found = []
    for place, pair in enumerate(pairs):
        if isinstance(pair, (tuple, list)):
            pair = tuple(
                text.decode() if isinstance(text, bytes) else text
                for text in pair
            )
        if not isinstance(pair, tuple) or [*map(type, pair)] != [str, str]:
            raise ValueError(
                "Each pair must be two strings. "
                f"Received: {repr(pair)[:50]} at place {place}"
            )
        _check_filled(pair, ("left", "right"), f"at place {place}")
        found.append(pair)
    places, names = labelled.number_classes(
        labels, len(found), "pairs", least, class_names, where
    )
    return PairData(found, places, names)


def _from_table(table, least, choices):
    found = read_rows(table, "pairs", *choices)
    grouped = found.roles == ASKED
    sides = ("candidate", "question") if grouped else ("left", "right")
    pairs = list(zip(*map(found.cells, sides)))
    labels = found.cells("label")
    if grouped:
        labels = [_answer(at, cells[-1]) for at, cells in found.rows]
    data = _from_lists(
        pairs, labels, 1 if grouped else least, where=found.about("label")
    )
    if grouped:
        data = as_candidates(data)
    return dataclasses.replace(data, **found.told())


def _answer(where, label):
    """The place of a label among `ANSWERS`."""
    for place, name in enumerate(ANSWERS):
        if label in (name, str(place), place):
            return place
    raise ValueError(
        "The label of a candidate must be wrong or right, or 0 or 1. "
        f"Received: {label!r} {where}"
    )


def _check_filled(texts, names, where):
    for text, name in zip(texts, names):
        if not text.strip():
            raise ValueError(
                "A pair is of two texts, neither of them empty. "
                f"Received: an empty {name} {where}"
            )


def _known(name, split):
    if name == "scene_claims":
        return scene_claims(*{"train": (6000, 0), "test": (1000, 1)}[split])
    if name == "who_did_what":
        return _part_of_questions(who_did_what(1800), 1500, split)
    return _from_tensorflow_datasets(name, split)


def _from_tensorflow_datasets(name, split):
    if name not in FEATURES:
        raise ValueError(
            '`data` must be "scene_claims", "who_did_what", a .csv file, a '
            "folder of them, pairs and labels, or a public set: "
            f"{', '.join(FEATURES)}. Received: data={str(name)!r}, no such "
            f"file or folder{sources.near(name, FEATURES)}"
        )
    builder = _builder(name)

    def read(part):
        pairs, labels = examples.read_part(
            builder, part, FEATURES[name], "label"
        )
        data = PairData(
            pairs,
            labels,
            list(builder.info.features["label"].names),
            name,
            part,
            str(builder.info.version),
            grouped=name == "wikiqa",
        )
        return data.take(
            [
                place
                for place, (left, right) in enumerate(pairs)
                if labels[place] >= 0 and left.strip() and right.strip()
            ]
        )

    return examples.read_public(builder, split, "label", read)


def _builder(name):
    tfds = examples.tensorflow_datasets(name)
    from zoo.data import msrp, sick, wikiqa

    own = {"msrp": msrp.MSRP, "sick": sick.SICK, "wikiqa": wikiqa.WikiQA}
    return own[name]() if name in own else tfds.builder(name)
