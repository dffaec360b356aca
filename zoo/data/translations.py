"""Texts and what they are in another language: by rule, from files, from lists.

Nothing here takes a text apart: what is a word says who reads it.
"""

import dataclasses
import os
import pathlib

import numpy as np

from zoo.data import copying, dates, examples, labelled, multi30k_names, sources
from zoo.data.table_source import Reading, Table, as_table, read_rows
from zoo.data.tokens import checked_texts

# Licence class of the data sets that presets are trained on: A open,
# B non-commercial or research terms, C none stated.
MADE = ("dates", *copying.BLANKS)
LICENCES = {
    **dict.fromkeys(MADE, "A"),
    **dict.fromkeys(multi30k_names.PAIRS, "B"),
}

NAMES = (*MADE, *multi30k_names.NAMES)
COLUMNS = ("source", "target")


@dataclasses.dataclass(repr=False)
class TranslationData(examples.Examples):
    """Texts and their translations.

    Args:
        texts: List of strings.
        translations: List of lists of strings, the translations of each text,
            one at least.
        name: String. What the data is called.
        split: String. Which part of it this is.
        version: String or `None`. The data set's own version.
        place: String or `None`. Where the data were read from.
        skipped: Tuple of strings. Lines that are no examples, and why.
        reading: `Reading` or `None`. How a table was read.
        truth: Dict of arrays `(N, ...)` or `None`. What is known of each text
            beside its translations: `spans`, as `zoo.data.dates.Dates` has
            them; nothing learns from it.
    """

    licences = LICENCES
    how_cut = "at random"

    texts: list
    translations: list
    name: str = "translations"
    split: str = "all"
    version: str | None = None
    place: str | None = None
    skipped: tuple = ()
    reading: Reading | None = None
    truth: dict | None = None

    @staticmethod
    def as_bytes(raw):
        return raw.encode()

    @property
    def captions(self):
        """What is to be said of each, as `zoo.outputs.words.Words` reads it."""
        return self.translations

    @property
    def fields(self):
        known = () if self.truth is None else ("truth",)
        return ("texts", "translations", *known)

    @property
    def strata(self):
        return None

    def __len__(self):
        return len(self.texts)

    def found(self):
        words = [len(text.split()) for text in self.texts]
        said = (
            f"{self.name}, {self.split}: {len(self):,} texts of {min(words)} "
            f"to {max(words)} words, translated"
            if words
            else f"{self.name}, {self.split}: no texts"
        )
        return said + self.beside()

    def beside(self):
        words = "" if self.reading is None else self.reading.words()
        if self.skipped:
            words += f"; {len(self.skipped):,} lines skipped"
        return words

    def digest_targets(self):
        return b"".join(
            len(each).to_bytes(8, "little")
            + b"".join(
                len(one).to_bytes(8, "little") + one
                for one in (text.encode() for text in each)
            )
            for each in self.translations
        )


def load_translations(source="dates", split="train"):
    """Finds texts and their translations.

    Args:
        source: `"dates"`, spelled dates and ISO 8601, made here by
            `zoo.data.dates`, or figures to remember, `"copying_50"`,
            `"copying_100"` and `"copying_200"`, by how long, by
            `zoo.data.copying`, which need no download; `"multi30k_de_en"`,
            captions of photographs in German and English, or any other pair of
            `cs`, `de`, `en` and `fr`, whose files are downloaded by hand; a
            set of tensorflow-datasets that has translations from one language
            into another, such as `"ted_hrlr_translate/pt_to_en"`, if it is
            prepared; a pair of paths of two text files, plain or `.gz`, whose
            lines belong to each other, or one string of both with a comma
            between, or two such tuples, to learn from and to measure on; a
            `.csv` or `.tsv` file that names in its first line the columns
            `source` and `target`, or a folder with such files `train` and
            `test` (or `validation`); a `zoo.Table` or a frame, in which columns
            may have other names; a pair of lists `(texts, translations)`,
            translations being strings or lists of strings; or a
            `TranslationData`, returned as it is. How a name is told from a
            place says `zoo.data.sources.place`.
        split: `"train"` or `"test"`. A set that comes in one part is cut, 80
            to 20, the same way every time. The test of Multi30k is
            `test_2016_flickr`, or the part that a name goes on with:
            `"multi30k_de_en/val"`, `/test_2017_flickr`, `/test_2017_mscoco`
            and `/test_2018_flickr`, those of 2017 not in Czech; `"train"` is
            the same in all. Of other sets it is `test`, or else `validation`.

    Returns:
        `TranslationData`. Lines that are blank on either side are left out and
        listed as `skipped`. What is made here has a `truth`.

    Raises:
        ValueError: If nothing of that name is known, files have different
            numbers of lines or are not in UTF-8, a text is blank, or texts and
            translations do not fit together.
        FileNotFoundError: If there is no such file or folder, a file is not
            where it should be after a download by hand, or a public set is
            not prepared.
        ImportError: If tensorflow-datasets is needed and not installed.

    Example:

    >>> load_translations((["ein Hund"], [["a dog", "one dog"]])).translations
    [['a dog', 'one dog']]
    """
    examples.check_split(split)
    if isinstance(source, TranslationData):
        return source
    source = _two_files(source) or source
    table = as_table(source)
    if table is not None and table.in_memory:
        return _from_table(table)
    if isinstance(source, (tuple, list)):
        _check_two(source)
        # Lists of two strings are texts.
        if all(isinstance(x, tuple) and _is_pair_of_files(x) for x in source):
            found = _from_files(*source[0 if split == "train" else 1])
            return dataclasses.replace(found, split=split)
        if _is_pair_of_files(source):
            return examples.cut(_from_files(*source), split)
        return _from_lists(*source)
    path = labelled.place_of(table or source, NAMES)
    if path is None:
        return _known(source, split)
    found = labelled.part_of_tables(
        table or Table(path), path, split, _from_table, "translations"
    )
    return dataclasses.replace(found, place=sources.shown(path))


def spelled_dates(count, seed=0):
    """Dates as `zoo.data.dates` draws them, and what they are in ISO 8601.

    Args:
        count: Positive integer. How many.
        seed: Integer. Seed of the draw.

    Returns:
        `TranslationData` with a `truth`.
    """
    made = dates.dates(count, seed)
    return TranslationData(
        list(made.spelled),
        [[iso] for iso in made.iso],
        "dates",
        f"{count} of seed {seed}",
        dates.VERSION,
        truth={"spans": made.spans.copy()},
    )


def figures_to_copy(name, count, seed=0):
    """Figures as `zoo.data.copying` draws them, and the same behind a silence.

    Args:
        name: String, one of `zoo.data.copying.BLANKS`.
        count: Positive integer. How many texts.
        seed: Integer. Seed of the draw.

    Returns:
        `TranslationData` with a `truth`.
    """
    made = copying.copying(count, seed, copying.BLANKS[name])
    return TranslationData(
        made.read,
        [[said] for said in made.said],
        name,
        f"{count} of seed {seed}",
        copying.VERSION,
        truth={"spans": made.spans},
    )


def _known(name, split):
    if name == "dates":
        found = spelled_dates(*dates.PARTS[split])
        return dataclasses.replace(found, split=split)
    if name in copying.BLANKS:
        found = figures_to_copy(name, *copying.PARTS[split])
        return dataclasses.replace(found, split=split)
    if name in multi30k_names.NAMES:
        return _from_multi30k(name, split)
    return _from_tensorflow_datasets(name, split)


def _from_multi30k(name, split):
    examples.tensorflow_datasets(name)
    from zoo.data.multi30k import Multi30k

    builder = Multi30k()
    examples.prepare(builder)
    name, _, part = name.partition("/")
    part = "train" if split == "train" else part or multi30k_names.TEST
    return _read_part(builder, part, name, multi30k_names.PAIRS[name])


def _from_tensorflow_datasets(name, split):
    builder = examples.public_set(
        name,
        '"dates", two files of lines, a .csv file with the columns source and '
        'target, a folder with such files, two lists, "multi30k_de_en" or '
        "another pair of its languages, or the name of a set of translations",
        NAMES,
    )
    languages = _languages(builder, name)
    if not builder.is_prepared():
        raise FileNotFoundError(
            f"{name} must be prepared, which downloads it: "
            f'tensorflow_datasets.builder("{name}").download_and_prepare(). '
            f"Received: nothing in {builder.data_dir}"
        )

    def read(part):
        return _read_part(builder, part, name, languages)

    return examples.read_public(builder, split, None, read)


def _languages(builder, name):
    """From which language into which, as the set itself says."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    if not isinstance(features, tfds.features.Translation) or len(features) > 2:
        raise ValueError(
            "A public set of translations must be in two languages, as "
            f"tfds.features.Translation has them. Received: data={str(name)!r} "
            f"with {', '.join(sorted(features))}"
        )
    return builder.info.supervised_keys or tuple(features.languages)


def _read_part(builder, part, name, languages):
    dataset = builder.as_dataset(split=part).batch(1024)
    batches = list(dataset.as_numpy_iterator())
    sides = [
        [line.decode().strip() for batch in batches for line in batch[language]]
        for language in languages
    ]
    texts, translations, skipped = _aligned(
        sides, [f"{part}.{language}" for language in languages]
    )
    return TranslationData(
        texts,
        translations,
        str(name),
        part,
        str(builder.info.version),
        skipped=skipped,
    )


def _check_two(source):
    if len(source) != 2:
        raise ValueError(
            "`data` must be two: texts and translations, or the paths of "
            f"theirs. Received: {type(source).__name__} of {len(source)}"
        )


def _two_files(source):
    """The two paths in a string with a comma, as a shell gives them."""
    if not isinstance(source, str):
        return False
    # A shell expands the first `~` alone.
    paths = tuple(map(os.path.expanduser, source.split(",")))
    return len(paths) == 2 and all(map(os.path.isfile, paths)) and paths


def _is_pair_of_files(source):
    """Two paths; two strings are the paths of files, not texts."""
    return (
        isinstance(source, (tuple, list))
        and len(source) == 2
        and all(isinstance(each, (str, os.PathLike)) for each in source)
    )


def _from_files(*paths):
    paths = [pathlib.Path(os.path.expanduser(path)) for path in paths]
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(
                "Parallel texts must be two files that are there. "
                f"Received: {str(path)!r}, no such file"
            )
    sides = [examples.read_lines(path) for path in paths]
    counts = list(map(len, sides))
    if counts[0] != counts[1]:
        raise ValueError(
            "Parallel files must have as many lines, each the translation of "
            f"the other's. Received: {paths[0]} of {counts[0]:,} lines, "
            f"{paths[1]} of {counts[1]:,}"
        )
    texts, translations, skipped = _aligned(sides, [p.name for p in paths])
    return TranslationData(
        texts,
        translations,
        paths[0].name,
        place=",".join(map(sources.shown, paths)),
        skipped=skipped,
    )


def _aligned(sides, names):
    """The lines of two sides that are blank in neither, and what is skipped."""
    kept, skipped = [], []
    for number, pair in enumerate(zip(*sides), 1):
        blank = [name for name, text in zip(names, pair) if not text]
        if blank:
            skipped.append(f"line {number}: blank in {blank[0]}")
        else:
            kept.append(pair)
    if not kept:
        raise ValueError(
            "Parallel texts must have a line at least that is blank in "
            f"neither. Received: {' and '.join(names)}"
        )
    texts, translations = map(list, zip(*kept))
    translations = [[text] for text in checked_texts(translations)]
    return checked_texts(texts), translations, tuple(skipped)


def _from_lists(texts, translations):
    for given, what in ((texts, "texts"), (translations, "translations")):
        if not isinstance(given, (list, tuple, np.ndarray)):
            raise ValueError(
                "`data` must be two lists, of texts and of translations. "
                f"Received: {type(given).__name__} as {what}"
            )
    if not len(texts) or len(texts) != len(translations):
        raise ValueError(
            "There must be a text, and a translation for each. "
            f"Received: {len(texts)} texts, translations of "
            f"{len(translations)}"
        )
    return TranslationData(
        [_checked([text], at)[0] for at, text in enumerate(texts)],
        [_checked(each, at) for at, each in enumerate(translations)],
    )


def _checked(given, place):
    """The translations of one text, a list."""
    found = [given] if isinstance(given, str) else given
    if (
        not isinstance(found, (list, tuple))
        or not found
        or not all(isinstance(each, str) and each.strip() for each in found)
    ):
        raise ValueError(
            "A text must be a string that is not blank, and its translations "
            "one or a list of such. "
            f"Received: {repr(given)[:50]} at place {place}"
        )
    return checked_texts([str(each).strip() for each in found])


def _from_table(table):
    read = read_rows(table, "translations", COLUMNS)
    texts, translations = (
        checked_texts([cell.strip() for cell in read.cells(name)])
        for name in COLUMNS
    )
    return TranslationData(
        texts, [[text] for text in translations], **read.told()
    )
