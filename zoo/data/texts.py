"""Texts by class: from a public set, a folder, a table, or made by rule here.

A text is a string as it was written; `zoo/data/tokens.py` makes words of it.
"""

import dataclasses
import os
import pathlib
import sys
import textwrap

import numpy as np

from zoo.data import examples, folders, labelled
from zoo.data.examples import read_file
from zoo.data.table_source import Reading, read_rows

# Licence class of the data sets that presets are trained on: A open,
# B non-commercial or research terms, C none stated.
LICENCES = {
    "ag_news_subset": "B",
    "imdb_reviews": "C",
    "key_sentences": "A",
    "trec": "C",
}

# What to read of a public set that has several texts, or several labels.
FEATURES = {
    "ag_news_subset": (("title", "description"), "label"),
    "trec": (("text",), "label-coarse"),
}

MOST_ASKED = 80  # characters of a text that is shown as an argument

# How the names of files end, for which no text should be taken.
FILES = tuple(
    ".csv .doc .docx .htm .html .jpeg .jpg .json .log .md .pdf .png .rtf .text "
    ".tsv .txt .xml".split()
)


@dataclasses.dataclass(repr=False)
class TextData(examples.Examples):
    """Texts and their classes.

    Args:
        texts: List of strings.
        labels: Integers, `(N,)`, places in `label_names`.
        label_names: List of strings.
        name: String. What the data is called.
        split: String. Which part of it this is.
        version: String or `None`. The data set's own version.
        place: String or `None`. Where the data were read from.
        skipped: Tuple of strings. Files that are no examples, and why.
        reading: `Reading` or `None`. How a table was read.
    """

    licences = LICENCES

    texts: list
    labels: np.ndarray
    label_names: list
    name: str = "texts"
    split: str = "all"
    version: str | None = None
    place: str | None = None
    skipped: tuple = ()
    reading: Reading | None = None

    @staticmethod
    def as_bytes(raw):
        encoded = raw.encode()
        return len(encoded).to_bytes(8, "little") + encoded


def load_texts(source="key_sentences", split="train"):
    """Finds texts and their classes.

    Args:
        source: `"key_sentences"`, documents made here by rule, which need no
            download; the official name of a set of tensorflow-datasets with
            one text and one label (`"imdb_reviews"`, `"glue/sst2"`, ...), or
            of `"trec"` (the coarse label) or `"ag_news_subset"` (title and
            description, a line each); a folder with a folder of `.txt` files
            for each class, or with `train/` and `test/` (or `validation/`)
            which hold those; a `.csv` or `.tsv` file with the columns `text`
            and `label`, named in its first line, or a folder with such files
            `train` and `test` (or `validation`); a `zoo.Table` or a frame, in
            which columns may have other names; a pair `(texts, labels)`; a
            `tf.data.Dataset`, `keras.utils.PyDataset`, generator or list of
            such pairs, batched or not, read into memory once; two datasets, to
            learn from and to measure on; or a `TextData`, returned as it is.
            Of a dataset of `keras.utils.text_dataset_from_directory` the
            classes have their names; `map` and `take` drop them, and then the
            names are numbers. Text files are in UTF-8, labels as
            `zoo.data.labelled.number_classes` takes them. How a name is told
            from a place says `zoo.data.sources.place`.
        split: `"train"` or `"test"`. A set that comes in one part is cut, 80
            to 20, the same way every time.

    Returns:
        `TextData`.

    Raises:
        ValueError: If nothing of that name is known, there are fewer than two
            classes (to measure on, one will do), a file is malformed, or
            texts and labels do not fit together.
        FileNotFoundError: If there is no such file or folder.
    """
    return labelled.find(
        source,
        split,
        "texts",
        TextData,
        _from_stream,
        _from_lists,
        _known,
        _from_table,
        _from_folder,
    )


def key_sentences(count, seed=0):
    """Documents in which one sentence decides: the writer's own verdict.

    A document has six to ten sentences of five to eight words. All but one at
    most praise or blame something, half of them each. The class is what the
    one sentence says in which the writer found, thought or called something
    so; in others somebody else did, or the writer heard, read or met. Where no
    sentence is the writer's own verdict, the document is undecided: there
    somebody else found so, and the writer heard what in the other classes
    somebody else heard. So the words of a document say nothing of its class:
    it takes both, side by side. And none of the verdicts can be told by the
    absence of the other.

    Args:
        count: Positive integer. How many documents.
        seed: Integer. Seed of the draw.

    Returns:
        `(data, places)`: `TextData` with the classes "bad", "good" and
        "undecided", and an int64 array `(count,)`, the place of the sentence
        that decides, -1 where none does.
    """
    generator = np.random.default_rng(seed)

    def draw(words):
        return words[generator.integers(len(words))]

    def opinion(pattern, who, label):
        return pattern.format(
            who=who,
            found=draw(_FOUND),
            thing=draw(_THINGS),
            good=draw(_OPINIONS)[label],
        )

    labels = generator.permutation(np.arange(count) % 3)
    places = np.full(count, -1, "int64")
    texts = []
    for index, label in enumerate(labels):
        decided = label < 2
        pairs = generator.integers(3, 6)
        said = label if decided else generator.integers(2)
        # As many of each class, the one that decides included.
        others = generator.permutation(
            [said] * (pairs - 1) + [1 - said] * pairs
        )
        finder, hearer = "I", draw(_OTHERS)
        if not decided:
            finder, hearer = hearer, finder
        sentences = [opinion(draw(_HEARD), hearer, others[0])]
        for other in others[1:]:
            patterns, people = draw(_HEARSAY)
            sentences.append(opinion(draw(patterns), draw(people), other))
        if pairs < 5 and generator.integers(2):
            sentences.append(draw(_NEUTRAL))
        generator.shuffle(sentences)
        place = generator.integers(len(sentences) + 1)
        sentences.insert(place, opinion(draw(_FOUND_SO), finder, said))
        if decided:
            places[index] = place
        texts.append(" ".join(f"{words}." for words in sentences))
    data = TextData(
        texts,
        labels.astype("int64"),
        ["bad", "good", "undecided"],
        "key_sentences",
        f"{count} of seed {seed}",
        "2",
    )
    return data, places


def one_line(text):
    """A text for a terminal: a space for what ends lines or steers."""
    return "".join(each if each.isprintable() else " " for each in text)


def text_from_shell(word):
    """The text that an argument of a command stands for.

    Args:
        word: String: a text, the path of a file that holds one, or `"-"`, what
            comes from standard input.

    Returns:
        String.

    Raises:
        FileNotFoundError: If a word looks like a file and is none.
    """
    if word == "-":
        return sys.stdin.read().removeprefix("\ufeff")
    if os.path.isfile(word):
        return read_file(pathlib.Path(word))
    if _meant_as_file(word):
        raise FileNotFoundError(
            "A word that looks like a file must be one; as a text, it is given "
            f"by standard input, -. Received: {word!r}, "
            + ("a folder" if os.path.isdir(word) else "no such file")
        )
    return word


def text_to_shell(text):
    r"""The beginning of a text, as `text_from_shell` takes it.

    Args:
        text: String.

    Returns:
        String of `MOST_ASKED` characters at most, in one line.

    Example:

    >>> text_to_shell("- A fine\nday.")
    'A fine day.'
    """
    line = textwrap.shorten(text, MOST_ASKED, placeholder=" ...")
    return line.lstrip("- ")  # which would begin an option


_OTHERS = ("The guide", "My aunt", "A neighbour", "Our cook", "The driver")
_FOUND = ("found", "thought", "called")
_THINGS = ("soup", "room", "garden", "music", "bread", "walk", "view", "film")
_OPINIONS = (
    ("awful", "lovely"),
    ("boring", "charming"),
    ("poor", "splendid"),
    ("dreadful", "wonderful"),
)
_FOUND_SO = (
    "{who} {found} the {thing} {good}",
    "{who} {found} the {thing} really {good}",
    "{who} {found} the whole {thing} {good}",
)
_HEARD = (
    "{who} heard that the {thing} was {good}",
    "{who} read that the {thing} was {good}",
)
_MET = ("{who} met people who {found} it {good}",)
# What does not decide, whoever says it.
_HEARSAY = ((_FOUND_SO, _OTHERS), (_HEARD, ("I",)), (_MET, ("I",)))
_NEUTRAL = (
    "We came on a rainy Monday",
    "The train was an hour late",
    "There were twelve of us that day",
)


def _meant_as_file(word):
    """Whether an argument that is no file was hardly meant as a text."""
    named = word.lower().endswith(FILES)
    inside = os.path.dirname(word)
    in_folder = bool(inside) and os.path.isdir(inside)
    if any(map(str.isspace, word)):
        return named and in_folder
    beginnings = ("./", "../", "~/", "/", *{f".{os.sep}", os.sep})
    return (
        named
        or in_folder
        or word.startswith(beginnings)
        or (os.path.isdir(word) and word != "." * len(word))
    )


def _several(texts, place, labels):
    return list(texts) if np.ndim(texts) else None


def _from_stream(source, least):
    found = labelled.unbatched(source, _several, "texts")
    return _from_lists(*found, least, getattr(source, "class_names", None))


def _from_lists(texts, labels, least, class_names=None, where="the labels"):
    texts = [
        text.decode() if isinstance(text, bytes) else text for text in texts
    ]
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(
                "Each text must be a string. "
                f"Received: {type(text).__name__} at place {place}"
            )
    places, names = labelled.number_classes(
        labels, len(texts), "texts", least, class_names, where
    )
    return TextData(texts, places, names)


def _from_folder(path, split, least):
    part = folders.part_of_folder(path, split)
    if part is None:
        return examples.cut(_folder_of_classes(path, least), split)
    found = _folder_of_classes(part, least)
    return dataclasses.replace(found, name=path.name, split=part.stem)


def _folder_of_classes(folder, least):
    paths, labels, names, skipped = folders.files_by_class(
        folder, (".txt",), "texts", least
    )
    texts = [read_file(path) for path in paths]
    return TextData(texts, labels, names, folder.name, skipped=skipped)


def _from_table(table, least):
    found = read_rows(table, "texts", ("text", "label"))
    texts, labels = found.cells("text"), found.cells("label")
    data = _from_lists(texts, labels, least, where=found.about("label"))
    return dataclasses.replace(data, **found.told())


def _known(name, split):
    if name == "key_sentences":
        count, seed = {"train": (4000, 0), "test": (1000, 1)}[split]
        return key_sentences(count, seed)[0]
    return _from_tensorflow_datasets(name, split)


def _from_tensorflow_datasets(name, split):
    builder = examples.public_set(
        name,
        '"key_sentences", a folder of texts by class, a .csv file, texts and '
        "labels, or the name of a set of texts",
    )
    texts, label = _features(builder)

    def read(part):
        lines, labels = examples.read_part(builder, part, texts, label)
        return TextData(
            ["\n".join(each) for each in lines],
            labels,
            list(builder.info.features[label].names),
            _official_name(builder),
            part,
            str(builder.info.version),
        )

    return examples.read_public(builder, split, label, read)


def _features(builder):
    import tensorflow_datasets as tfds

    if builder.name in FEATURES:
        return FEATURES[builder.name]
    features = builder.info.features
    texts, labels = (
        [name for name, kind in features.items() if isinstance(kind, wanted)]
        for wanted in (tfds.features.Text, tfds.features.ClassLabel)
    )
    if len(texts) != 1 or len(labels) != 1:
        raise ValueError(
            "The data set must have one text and one label. "
            f"Received: {builder.info.full_name} with {sorted(features)}"
        )
    return texts, labels[0]


def _official_name(builder):
    # One of several configurations is a data set of its own.
    if len(builder.builder_configs) > 1:
        return f"{builder.name}/{builder.builder_config.name}"
    return builder.name
