"""Documents, whose words a network learns to go on with: from wherever.

Nothing here takes a text apart: what is a word says who reads it.
"""

import dataclasses
import re

import numpy as np

from zoo.data import examples, folders, sources, stories
from zoo.data.table_files import SUFFIXES
from zoo.data.table_source import Reading, as_table
from zoo.data.tokens import checked_texts

# Licence class of the data sets that presets are trained on: A open,
# B non-commercial or research terms, C none stated.
LICENCES = {"stories": "A", "squad": "A"}  # SQuAD: CC BY-SA 4.0

BLANK_LINE = re.compile(r"\n[^\S\n]*\n")


@dataclasses.dataclass(repr=False)
class CorpusData(examples.Examples):
    """Documents, plain texts.

    Args:
        texts: List of strings, none blank.
        groups: Integers `(N,)` or `None`. Documents of one article or book have
            the same one; a cut leaves them on one side. Documents that are
            alike stay together with or without it.
        name: String. What the data is called.
        split: String. Which part of it this is.
        version: String or `None`. The data set's own version.
        place: String or `None`. Where the data were read from.
        skipped: Tuple of strings. Documents and files left out, and why.
        reading: `Reading` or `None`. How a file was taken apart.
    """

    licences = LICENCES

    texts: list
    groups: np.ndarray | None = None
    name: str = "documents"
    split: str = "all"
    version: str | None = None
    place: str | None = None
    skipped: tuple = ()
    reading: Reading | None = None

    @staticmethod
    def as_bytes(raw):
        encoded = raw.encode()
        return len(encoded).to_bytes(8, "little") + encoded

    @property
    def fields(self):
        return ("texts",) if self.groups is None else ("texts", "groups")

    @property
    def strata(self):
        return None

    @property
    def how_cut(self):
        return "by document" if self.groups is None else "by article"

    @property
    def together(self):
        """The article of each document; or else which documents are alike."""
        if self.groups is not None:
            return self.groups
        numbers = {}
        return np.array(
            [numbers.setdefault(text, len(numbers)) for text in self.texts],
            "int64",
        )

    def __len__(self):
        return len(self.texts)

    def found(self):
        letters = [len(text) for text in self.texts]
        said = (
            f"{self.name}, {self.split}: {self.counted()} of "
            f"{min(letters):,} to {max(letters):,} characters, "
            f"{sum(letters):,} in all"
            if letters
            else f"{self.name}, {self.split}: no documents"
        )
        return said + self.beside()

    def counted(self):
        words = f"{len(self):,} documents"
        if self.groups is not None:
            words += f" from {len(np.unique(self.groups)):,} articles"
        return words

    def beside(self):
        words = "" if self.reading is None else self.reading.words()
        if self.skipped:
            words += f"; {len(self.skipped):,} skipped"
        return words

    def digest_targets(self):
        """Nothing: what is to be said is the text itself."""
        return b""

    def _cut(self, count, seed):
        """Two parts, the second of about `count`, what belongs together kept.

        It is exactly as many where all documents differ, and are of no article.
        """
        groups, sizes = np.unique(
            self.together, return_inverse=True, return_counts=True
        )[1:]
        if len(sizes) < 2 or not 0 < count < len(self):
            kind = "documents" if self.groups is None else "articles"
            raise ValueError(
                f"To be divided, data must have two {kind} that differ, one "
                f"for either part. Received: {self.counted()}, {len(sizes)} "
                f"different {kind}, to be cut into {len(self) - count} and "
                f"{count}"
            )
        drawn = np.random.default_rng(seed).permutation(len(sizes))
        # As many as come nearest, and at least one on either side.
        reached = np.cumsum(sizes[drawn])[:-1]
        aside = np.isin(groups, drawn[: np.argmin(np.abs(reached - count)) + 1])
        first, second = np.flatnonzero(~aside), np.flatnonzero(aside)
        return self.take(first), self.take(second)


def load_corpus(source="stories", split="train"):
    r"""Finds documents.

    Args:
        source: `"stories"`, made here by `zoo.data.stories`, which need no
            download; `"squad"`, the paragraphs of SQuAD 1.1, if
            tensorflow-datasets has prepared it, each once, its test being
            `validation`, of other articles; a text file, plain or `.gz`, in
            which blank lines part documents, or, if it has none, each line is
            one; a folder, in which each `.txt` file is a document, those in
            folders below too; a folder with two folders `train/` and `test/`
            (or `validation/`) of such files, or with two files `train.txt` and
            `test.txt` (or `validation.txt`), each taken apart as a file is; a
            list of strings, the documents; a pair (a tuple) of any of these, to
            learn from and to measure on; or a `CorpusData`, returned as it is.
            How a name is told from a place says `zoo.data.sources.place`.

            Files are in UTF-8. White space at a document's ends is left out,
            and a line ends by `\n`, however the file ended it.
        split: `"train"` or `"test"`. What comes in one part is cut, 80 to 20,
            by document, the same way every time; documents that are alike
            stay together.

    Returns:
        `CorpusData`. Blank documents are left out and listed as `skipped`.

    Raises:
        ValueError: If nothing of that name is known, there is no document, a
            file is not in UTF-8, something is no text, or one document is to
            be cut in two parts.
        FileNotFoundError: If there is no such file or folder, or a public set
            is not prepared.
        ImportError: If tensorflow-datasets is needed and not installed.

    Example:

    >>> load_corpus((["A dog runs.", "A cat."], ["It sleeps."]), "test").texts
    ['It sleeps.']
    """
    examples.check_split(split)
    if isinstance(source, CorpusData):
        return source
    if isinstance(source, tuple):
        if len(source) != 2:
            raise ValueError(
                "A tuple must be a pair, what is learned from and what is "
                "measured on; documents are given in a list. "
                f"Received: tuple of {len(source)}"
            )
        part = source[0 if split == "train" else 1]
        if isinstance(part, tuple):
            raise ValueError(
                "Each of a pair must be a name, a place, or a list of "
                f"documents. Received: a tuple as the part {split!r}"
            )
        found = _read(part, split)
        whole = found.split == "all"
        return dataclasses.replace(found, split=split) if whole else found
    found = _read(source, split)
    return examples.cut(found, split) if found.split == "all" else found


def _read(source, split):
    """Documents; their `split` is `"all"` where they are not cut yet."""
    if isinstance(source, CorpusData):
        return source
    if isinstance(source, list) or isinstance(source, np.ndarray):
        return _from_list(source)
    if as_table(source) is not None:
        raise _no_table(f"data of type {type(source).__name__}")
    path = sources.place(source, LICENCES)
    if path is None:
        return _known(source, split)
    if path.is_dir():
        found = _from_folder(path, split)
    else:
        found = _from_file(path)
    return dataclasses.replace(found, place=sources.shown(path))


def _no_table(received):
    return ValueError(
        "Documents are not read from tables, and take no `columns`, "
        "`delimiter` or `encoding`: give a column as a list of strings. "
        f"Received: {received}"
    )


def _known(name, split):
    if name == "stories":
        count, seed = stories.PARTS[split]
        return CorpusData(
            stories.make(count, seed),
            None,
            "stories",
            split,
            stories.VERSION,
        )
    return _from_squad(name, split)


def _from_squad(name, split):
    if name not in ("squad", "squad/v1.1"):
        raise ValueError(
            '`data` must be "stories", "squad", a text file, a folder of .txt '
            "files, or a list of strings, such as the texts of other data. "
            f"Received: data={str(name)!r}, no such file or folder, and no "
            f"corpus of this name{sources.near(name, LICENCES)}"
        )
    builder = examples.public_set(name, '"squad"', LICENCES)
    if not builder.is_prepared():
        raise FileNotFoundError(
            f"{name} must be prepared, which downloads it: "
            f'tensorflow_datasets.builder("squad").download_and_prepare(). '
            f"Received: nothing in {builder.data_dir}"
        )
    import tensorflow_datasets as tfds

    part = "train" if split == "train" else "validation"
    dataset = builder.as_dataset(
        split=part,
        decoders=tfds.decode.PartialDecoding({"context": True, "title": True}),
    )
    articles = {}  # by the paragraph; each is asked about several times
    for batch in dataset.batch(1024).as_numpy_iterator():
        for text, title in zip(batch["context"], batch["title"]):
            articles.setdefault(text.decode().strip(), title)
    numbers = {}
    groups = [numbers.setdefault(x, len(numbers)) for x in articles.values()]
    return CorpusData(
        list(articles),
        np.array(groups, "int64"),
        "squad",
        part,
        str(builder.info.version),
    )


def _from_list(given):
    texts = checked_texts(
        [text.decode() if isinstance(text, bytes) else text for text in given]
    )
    return _without_blank(
        [(f"place {place}", text) for place, text in enumerate(texts)],
        "a list",
    )


def _from_file(path):
    """The documents of one file."""
    if path.suffix.lower() in SUFFIXES:
        raise _no_table(path)
    text = _lines_ended(examples.read_file(path)).strip()
    if BLANK_LINE.search(text):
        # Blank lines that follow each other part no blank document.
        parted, how = BLANK_LINE.split(text), "blank lines part documents"
        parted = [each for each in parted if each.strip()]
    else:
        parted, how = text.split("\n"), "each line is a document"
    found = _without_blank(
        [(f"document {place}", each) for place, each in enumerate(parted, 1)],
        path,
    )
    return dataclasses.replace(
        found, name=path.name, reading=Reading({}, (how,))
    )


def _from_folder(folder, split):
    for suffix, read in (("", _files), (".txt", _from_file)):
        part = folders.part_of_folder(folder, split, suffix)
        if part is not None:
            found = read(part)
            return dataclasses.replace(
                found,
                name=folder.name,
                split=part.stem,
                skipped=found.skipped + _beside_parts(folder),
            )
    return _files(folder)


def _beside_parts(folder):
    """What lies beside the parts of a folder, and belongs to none."""
    known = sum(folders.PARTS.values(), ())
    return tuple(
        f"{path.name}: lies beside the parts"
        for path in sorted(filter(folders.visible, folder.iterdir()))
        if path.stem.lower() not in known
        and (path.is_dir() or path.suffix.lower() == ".txt")
    )


def _files(folder):
    """The documents of a folder, one in each file."""
    paths = folders.files_below(folder, (".txt",), "documents")
    texts = [
        (str(path.relative_to(folder)), _lines_ended(examples.read_file(path)))
        for path in paths
    ]
    found = _without_blank(texts, folder)
    return dataclasses.replace(found, name=folder.name)


def _lines_ended(text):
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _without_blank(named, where):
    """The documents that are not blank, of pairs of a name and a text."""
    kept, skipped = [], []
    for name, text in named:
        text = text.strip()
        if text:
            kept.append(text)
        else:
            skipped.append(f"{name}: blank")
    if not kept:
        raise ValueError(
            "There must be a document that is not blank. "
            f"Received: {where} with {len(skipped)}, all blank"
        )
    return CorpusData(kept, skipped=tuple(skipped))
