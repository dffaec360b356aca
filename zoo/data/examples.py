"""Examples of any kind: taken apart, cut in two, dealt in batches."""

import dataclasses
import gzip
import hashlib
import math
import zlib

import numpy as np

from zoo.data.sources import near


class Examples:
    """Operations shared by all data sets.

    A subclass is a dataclass with `repr=False`, whose own would show all of the
    examples. Its first field holds the examples, an array, a list, or a dict of
    those; `name`, `split` and `version` are fields, too. It says by `as_bytes`
    what one example is made of. Where the target is not one
    label, it says by `fields`, `strata`, `digest_targets` and `found` what it
    is.
    """

    # Licence class of the public sets that presets are trained on, by name.
    licences = {}
    # What `_cut` keeps alike, or together, in both parts.
    how_cut = "stratified"
    # Fields of those that are read from files.
    place = None
    skipped = ()
    reading = None

    @property
    def raws(self):
        """The examples without their targets."""
        return getattr(self, self.fields[0])

    @property
    def fields(self):
        """Names of the fields that have an entry for each example."""
        return dataclasses.fields(self)[0].name, "labels"

    @property
    def strata(self):
        """What cuts keep in proportion, integers `(N,)`; `None` is nothing."""
        return self.labels

    @property
    def together(self):
        """Which examples depend on each other, integers `(N,)`, or `None`."""
        return None

    def __len__(self):
        return len(self.labels)

    def __repr__(self):
        return f"<{type(self).__name__} {' '.join(self.found().split())}>"

    def found(self):
        """What was read, in words: how many examples of which class."""
        counts = np.bincount(self.labels, minlength=len(self.label_names))
        shown = [
            f"{name} {count:,}"
            for name, count in zip(self.label_names[:20], counts)
        ]
        if len(self.label_names) > 20:
            shown.append("...")
        words = f"{self.name}, {self.split}: {self.counted()}"
        words += f" ({', '.join(shown)})"
        return words + self.beside()

    def counted(self):
        """How many examples of how many classes, in words."""
        return f"{len(self):,} examples of {len(self.label_names)} classes"

    def beside(self):
        """What else is said of how data were read, for the end of `found`."""
        words = "" if self.reading is None else self.reading.words()
        if self.skipped:
            words += f"; {len(self.skipped):,} files skipped"
        return words

    def describe(self):
        """What a card says of the data that were learned from, a dict."""
        return {
            "name": self.name,
            "version": self.version,
            # A version has what is known; of the user's own nothing is.
            "licence_class": self.version and self.licences.get(self.name),
            "train_split": self.split,
            **self.placed(),
        }

    def placed(self):
        """Where the data were read from, and how, as `describe` says it."""
        if self.place is None:
            return {}
        asked = {} if self.reading is None else self.reading.asked
        return {"place": self.place, **asked}

    @staticmethod
    def as_bytes(raw):
        """What one example is made of; never the same for two."""
        raise NotImplementedError

    def digest_targets(self):
        """What the targets are, as bytes."""
        return np.asarray(self.labels, "int64").tobytes()

    def sha256(self):
        """What these examples and targets are, as one number; order counts."""
        digest = hashlib.sha256(self.digest_targets())
        for raw in self.raws:
            digest.update(self.as_bytes(raw))
        return digest.hexdigest()

    def take(self, indices):
        """The examples at some places, in that order."""
        return dataclasses.replace(
            self,
            **{name: at(getattr(self, name), indices) for name in self.fields},
        )

    def sample(self, count, seed=0):
        """At most `count` examples, drawn from every class alike."""
        return self if count >= len(self) else self._cut(count, seed)[1]

    def divide(self, fraction, seed=0):
        """Two parts, the second of size `fraction`, classes in proportion.

        Args:
            fraction: Float in (0, 1). Share of the second part.
            seed: Integer. Seed of the draw.

        Returns:
            `(first, second)`, both of this class.
        """
        if not 0 < fraction < 1:
            raise ValueError(
                "The share of examples to set aside must be between 0 and 1, "
                f"both excluded. Received: fraction={fraction}"
            )
        # As many as scikit-learn takes for a fraction.
        return self._cut(math.ceil(fraction * len(self)), seed)

    def _cut(self, count, seed):
        """Two parts, the second of `count` examples."""
        from sklearn.model_selection import train_test_split

        strata, left = self.strata, len(self) - count
        if strata is not None:
            sizes = np.unique(strata, return_counts=True)[1]
            if min(sizes) < 2 or min(count, left) < len(sizes):
                raise ValueError(
                    "To be divided, data must have two examples of every "
                    "class, and both parts as many as there are classes. "
                    f"Received: {len(self)} examples of {len(sizes)} classes, "
                    f"{min(sizes)} of the smallest, to be cut into {left} and "
                    f"{count}"
                )
        elif min(count, left) < 1:
            raise ValueError(
                "To be divided, data must have an example for either part. "
                f"Received: {len(self)} examples, to be cut into {left} and "
                f"{count}"
            )
        first, second = train_test_split(
            np.arange(len(self)),
            test_size=count,
            random_state=seed,
            stratify=strata,
        )
        return self.take(first), self.take(second)


def at(values, indices):
    """The entries at some places, in that order.

    Args:
        values: Array, list, or dict of those.
        indices: Array of places, or a slice.

    Returns:
        The same kind of thing.
    """
    if isinstance(values, dict):
        return {name: at(value, indices) for name, value in values.items()}
    if isinstance(values, np.ndarray):
        return values[indices]
    if isinstance(indices, slice):
        return values[indices]
    return [values[index] for index in indices]


def check_split(split):
    """Refuses any part of the data but `"train"` and `"test"`."""
    if split not in ("train", "test"):
        raise ValueError(
            f'`split` must be "train" or "test". Received: split={split!r}'
        )


def least_classes(split):
    """Two classes to learn from; to measure on, one will do."""
    return 2 if split == "train" else 1


def check_classes(names, where, least=2):
    """Refuses fewer classes than there must be.

    Args:
        names: List of strings, the classes.
        where: String. Where they were found, for the error.
        least: 2, to learn from; or 1, to measure on.
    """
    if len(names) < least:
        wanted = "two classes to tell apart" if least == 2 else "one class"
        raise ValueError(
            f"There must be at least {wanted}. Received: {names} as {where}"
        )


def cut(whole, split):
    """A part of a set that comes in one: 80 to 20, the same every time.

    Args:
        whole: `Examples`.
        split: `"train"` or `"test"`.

    Returns:
        `Examples`, whose `split` says what they are part of.
    """
    train, test = whole.divide(0.2)
    part, share = (train, "80%") if split == "train" else (test, "20%")
    if whole.split != "all":
        share = f"{share} of {whole.split}"
    return dataclasses.replace(part, split=f"{share} ({whole.how_cut}, seed 0)")


def read_file(path):
    """The text in a file of UTF-8, which may be compressed.

    Args:
        path: `pathlib.Path`. What ends in `.gz` is unpacked.

    Returns:
        String.

    Raises:
        ValueError: If it is in another encoding, or damaged.
    """
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(
                "A file named .gz must be compressed by gzip, and whole. "
                f"Received: {path}: {error}"
            ) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"A text must be in UTF-8. Received: {path}, line {line}: {error}"
        ) from error


def read_lines(path):
    """The lines of a file, parted by line feeds alone, as `wc` counts them.

    Args:
        path: `pathlib.Path` of a file in UTF-8, which may be compressed.

    Returns:
        List of strings, without white space at their ends.

    Raises:
        ValueError: If the file is in another encoding, or damaged.
    """
    lines = read_file(path).split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.strip() for line in lines]


def read_columns(path, columns, header=True):
    """The cells of a file in which tabs part them and quotes mean nothing.

    Args:
        path: `pathlib.Path`.
        columns: Dict from a column's name to a function of a cell, which
            raises `ValueError` or `KeyError` for one that cannot be.
        header: Boolean. Whether the first line names the columns.

    Yields:
        List of what the functions make of a line's cells.

    Raises:
        ValueError: If a line is malformed; file and number are told.
    """
    for number, line in enumerate(read_file(path).split("\n"), 1):
        cells = line.removesuffix("\r").split("\t")
        where = f"{path}, line {number}: {line[:50]!r}"
        if header and number == 1:
            if cells != list(columns):
                raise ValueError(
                    f"The first line must name the columns {list(columns)}, "
                    f"with tabs between them. Received: {where}"
                )
        elif cells != [""]:
            if len(cells) != len(columns) or not all(map(str.strip, cells)):
                raise ValueError(
                    f"Each line must hold {len(columns)} columns with tabs "
                    f"between them, none empty. Received: {where}"
                )
            row = []
            for cell, (name, read) in zip(cells, columns.items()):
                try:
                    row.append(read(cell))
                except (ValueError, KeyError) as error:
                    raise ValueError(
                        f"The column `{name}` must hold what upstream says. "
                        f"Received: {cell!r} in {where}"
                    ) from error
            yield row


def upstream_file(builder, folder, name):
    """Where a file lies that was downloaded by hand.

    Args:
        builder: `tfds.core.DatasetBuilder`, whose
            `MANUAL_DOWNLOAD_INSTRUCTIONS` say what to do without it.
        folder: `pathlib.Path`.
        name: String.

    Returns:
        `pathlib.Path`.

    Raises:
        FileNotFoundError: If it is not there.
    """
    path = folder / name
    if not path.exists():
        raise FileNotFoundError(
            f"{builder.MANUAL_DOWNLOAD_INSTRUCTIONS} Received: no {path}"
        )
    return path


def tensorflow_datasets(name):
    """The package that knows the public sets.

    Args:
        name: String. What is looked up in it, for the error.

    Returns:
        The module `tensorflow_datasets`.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ImportError(
            f"{str(name)!r} is no file or folder here; to look it up as a "
            "public data set, install the extra: pip install "
            '"keras-attention-zoo[data]"'
        ) from error
    return tfds


def public_set(name, choices, names=()):
    """The builder of a set of tensorflow-datasets, unprepared.

    Args:
        name: String, its official name.
        choices: String. What else could have been meant, for the error.
        names: Names of other known data, which the error suggests if near.

    Returns:
        `tfds.core.DatasetBuilder`.
    """
    tfds = tensorflow_datasets(name)
    try:
        return tfds.builder(str(name))
    # A name that its grammar does not know, or a configuration that is not.
    except (tfds.core.DatasetNotFoundError, ValueError) as error:
        raise ValueError(
            f"`data` must be {choices} of tensorflow-datasets. Received: "
            f"data={str(name)!r}, no such file or folder, and no data of this "
            f"name{near(name, names)}"
        ) from error


def prepare(builder):
    """Prepares a public set, unless it is.

    Args:
        builder: `tfds.core.DatasetBuilder`.

    Raises:
        FileNotFoundError: If its files are to be downloaded by hand, and are
            not there.
    """
    try:
        builder.download_and_prepare()
    except AssertionError as error:  # of an empty folder of downloads by hand
        if not builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
            raise
        raise FileNotFoundError(
            f"{builder.MANUAL_DOWNLOAD_INSTRUCTIONS.strip()} "
            f"Received: {str(error).strip().splitlines()[0]}"
        ) from error


def read_public(builder, split, label, read):
    """Prepares a public set of texts and reads what is asked for of it.

    Args:
        builder: `tfds.core.DatasetBuilder`.
        split: `"train"` or `"test"`.
        label: String. The feature that is the label; `None` where there is
            none that could be withheld.
        read: Function from the name of a part to `Examples`.

    Returns:
        `Examples`: the part `train`, or `test`, or else `validation`. A set
        with one part whose labels are known is cut.

    Raises:
        ValueError: If there is no part with labels.
        FileNotFoundError: If its files are to be downloaded by hand, and are
            not there.
    """
    prepare(builder)
    parts = [
        part
        for part in ("train", "test", "validation")
        if part in builder.info.splits and not _withheld(builder, part, label)
    ]
    if not parts:
        raise ValueError(
            "The data set must have a part `train`, `test` or `validation` "
            "with labels. Received: "
            f"{builder.info.full_name} with {sorted(builder.info.splits)}"
        )
    if "train" not in parts or len(parts) == 1:
        return cut(read(parts[0]), split)
    return read("train" if split == "train" else parts[1])


def read_part(builder, part, texts, label):
    """A part of a public set of texts.

    Args:
        builder: `tfds.core.DatasetBuilder`, prepared.
        part: String.
        texts: Tuple of strings, the features to read.
        label: String. The feature that is the label.

    Returns:
        `(rows, labels)`: a list of tuples of strings, int64 array.
    """
    dataset = builder.as_dataset(split=part).batch(1024)
    batches = list(dataset.as_numpy_iterator())
    rows = zip(
        *(
            [line.decode() for batch in batches for line in batch[text]]
            for text in texts
        )
    )
    labels = np.concatenate([batch[label] for batch in batches])
    return list(rows), labels.astype("int64")


def _withheld(builder, part, label):
    """Whether the labels are kept secret, as in the tests of GLUE."""
    if label is None:
        return False
    # One alone is -1 where the annotators did not agree, as in SNLI.
    count = min(100, builder.info.splits[part].num_examples)
    some = builder.as_dataset(split=f"{part}[:{count}]")
    return all([each[label] < 0 for each in some.as_numpy_iterator()])
