"""Labelled examples in memory: streams taken apart, targets told apart."""

import collections.abc
import dataclasses
import numbers

import numpy as np

from zoo.data import folders, sources
from zoo.data.examples import check_classes, check_split, cut, least_classes
from zoo.data.table_files import SUFFIXES
from zoo.data.table_source import Table, as_table
from zoo.lazy import keras

# More than this of what has no end of its own is not waited for.
MOST = 10**6  # examples
MOST_BYTES = 2**33


def find(
    source,
    split,
    kind,
    result,
    from_stream,
    from_lists,
    from_name,
    from_table=None,
    from_place=None,
):
    """Labelled examples from whatever a user means by `data`.

    Args:
        source: As the loaders of the four kinds take it; or two parts, a pair
            of datasets or `((x, y), (x, y))` as `keras.datasets` gives them.
        split: `"train"` or `"test"`.
        kind: String. What the examples are, in the plural, for errors.
        result: The dataclass that is returned, itself taken as it is.
        from_stream: Function of a stream and the least number of classes.
        from_lists: Function of examples, labels and that number.
        from_name: Function of the name of known data and the split.
        from_table: Function of a `zoo.data.table_source.Table`, of a file or in
            memory, and that number; `None` where tables are not read.
        from_place: Function of the path of what is no table, the split and that
            number; `None` where only tables are read.

    Returns:
        `result`.

    Raises:
        ValueError: If nothing of that name is known, or it cannot be read.
        FileNotFoundError: If there is no such file or folder.
    """
    check_split(split)
    if isinstance(source, result):
        return source
    least = least_classes(split)
    table = as_table(source)
    if table is not None and from_table is None:
        raise ValueError(
            f"{kind.capitalize()} are not read from tables, and take no "
            "`columns`, `delimiter` or `encoding`. Received: data of type "
            f"{type(source).__name__}"
        )
    if table is not None and table.in_memory:
        return from_table(table, least)
    if is_in_parts(source):
        part = source[0 if split == "train" else 1]
        found = (
            from_stream(part, least)
            if is_stream(part)
            else from_lists(*part, least)
        )
        return dataclasses.replace(found, split=split)
    if table is None and is_stream(source):
        return from_stream(source, least)
    if isinstance(source, (tuple, list)):
        return from_lists(*check_pair(source, kind), least)
    path = place_of(table or source, result.licences)
    if path is None:
        return from_name(source, split)
    found, asked = None, table is not None and table.asked()
    if from_table is not None:
        found = part_of_tables(
            table or Table(path),
            path,
            split,
            lambda each: from_table(each, least),
            kind,
            required=from_place is None or bool(asked),
        )
    if found is None:
        found = from_place(path, split, least)
    return dataclasses.replace(found, place=sources.shown(path))


def place_of(source, names):
    """Where data lie, if a place is meant; a `Table` always means one.

    Args:
        source: `Table` of a file or folder, string or path.
        names: The names of known data.

    Returns:
        As `zoo.data.sources.place`.

    Raises:
        ValueError: If a table is none that lies here, and as there.
        FileNotFoundError: As there.
    """
    if not isinstance(source, Table):
        return sources.place(source, names)
    path = sources.place(source.source, names)
    if path is None:
        raise ValueError(
            "A table must be a file, or a folder with tables in it; known data "
            "take no `columns`, `delimiter` or `encoding`. "
            f"Received: {source.source!r}, the name of known data or of none"
        )
    return path


def part_of_tables(table, path, split, read, kind, required=True):
    """A part of the data that lie in a table, or in a folder of tables.

    Args:
        table: `Table`, how to read them.
        path: `pathlib.Path`, where they are.
        split: `"train"` or `"test"`.
        read: Function of the `Table` of a file.
        kind: String. What the rows are, in the plural, for errors.
        required: Boolean. Whether there must be tables.

    Returns:
        What `read` gives, that part of it; `None` if there are no tables.

    Raises:
        ValueError: If there must be tables and are none, and as `read`.
    """
    if path.is_file():
        return cut(read(dataclasses.replace(table, source=path)), split)
    part = folders.part_of_folder(path, split, SUFFIXES)
    if part is not None:
        found = read(dataclasses.replace(table, source=part))
        return dataclasses.replace(found, name=path.name, split=part.stem)
    if required:
        raise ValueError(
            f"A folder of {kind} must hold `train.csv` and `test.csv` (or "
            f"`validation.csv`). Received: {path}"
        )
    return None


def is_in_parts(source):
    """Whether data are two parts, to learn from and to measure on.

    Those are two datasets, as Keras's dataset functions give them for
    `subset="both"`; or `((x, y), (x, y))`, four arrays of which x are images,
    as `keras.datasets` has them.
    """
    if not isinstance(source, (tuple, list)) or len(source) != 2:
        return False
    if all(map(_is_dataset, source)):
        return True
    return isinstance(source, tuple) and all(
        isinstance(part, tuple)
        and len(part) == 2
        and all(isinstance(each, np.ndarray) for each in part)
        and part[0].ndim in (3, 4)
        and part[1].shape[:1] == part[0].shape[:1]
        for part in source
    )


def is_stream(source):
    """Whether data come as elements `(example, label)`, batched or not.

    That is a `tf.data.Dataset`, a `keras.utils.PyDataset`, a generator, or a
    list of tuples. A list of two lists is not.
    """
    if isinstance(source, list):
        return bool(source) and all(isinstance(x, tuple) for x in source)
    return not isinstance(source, (str, bytes, tuple, np.ndarray)) and (
        _is_dataset(source) or isinstance(source, collections.abc.Iterable)
    )


def _is_dataset(source):
    return hasattr(source, "as_numpy_iterator") or isinstance(
        source, keras.utils.PyDataset
    )


def check_pair(source, kind):
    """Refuses anything but `(examples, labels)`.

    Args:
        source: Tuple or list.
        kind: String. What the examples are, in the plural.

    Returns:
        `source`.
    """
    if len(source) != 2:
        raise ValueError(
            f"`data` must be two, {kind} and labels; weights of examples are "
            "not taken, `class_weight` weighs classes. "
            f"Received: {type(source).__name__} of {len(source)}"
        )
    return source


def unbatched(source, several, kind):
    """Takes a stream apart.

    Args:
        source: As in `is_stream`.
        several: Function of what stands for the example in an element, the
            element's place, and what stands for the label: the list of
            examples where it is a batch, else `None`.
        kind: String. What the examples are, in the plural, for errors.

    Returns:
        `(raws, labels)`, two lists.

    Raises:
        ValueError: If an element is no pair, its parts do not fit, or there is
            no end.
    """
    raws, labels, size = [], [], 0
    bounded = _has_length(source)
    for place, element in enumerate(elements(source)):
        if not isinstance(element, (tuple, list)) or len(element) != 2:
            count = (
                f" of {len(element)}"
                if isinstance(element, (tuple, list))
                else ""
            )
            raise ValueError(
                f"Each element must be a pair of {kind} and labels, "
                "(example, label); weights of examples are not taken, "
                "`class_weight` weighs classes. "
                f"Received: {type(element).__name__}{count} at place {place}"
            )
        raw, label = element
        batch = several(raw, place, label)
        if batch is None:
            batch, label = [raw], [label]
        elif np.ndim(label) == 0 or len(label) != len(batch):
            raise ValueError(
                f"A batch must have a label for each of its {kind}. "
                f"Received: {len(batch)} {kind}, labels of shape "
                f"{np.shape(label)} at place {place}"
            )
        raws += batch
        labels += list(label)
        size += getattr(raw, "nbytes", 0)
        if not bounded and (len(raws) > MOST or size > MOST_BYTES):
            raise ValueError(
                "Data without a length must come to an end: they are read "
                f"into memory once. Received: {len(raws)} {kind} so far, from "
                f"{type(source).__name__}"
            )
    return raws, labels


def number_classes(
    labels, count, kind, least=2, class_names=None, where="the labels"
):
    """Labels of any kind as places among their names.

    Args:
        labels: Integers, whole floats, booleans, strings or bytes, `(N,)` or
            `(N, 1)`; or `(N, classes)`, one-hot.
        count: Integer. How many examples there are.
        kind: String. What the examples are, in the plural, for the error.
        least: Integer. How many classes there must be.
        class_names: List of strings, what integers are places in; or `None`:
            the names are the labels, sorted.
        where: String. What they are, for the error of too few classes.

    Returns:
        `(places, names)`: int64 array `(N,)` and list of strings.

    Raises:
        ValueError: If there is not one label for each, or a label is missing,
            negative, or no whole number.
    """
    labels = _as_array(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape[:1] != (count,) or labels.ndim > 2:
        raise ValueError(
            f"There must be one label for each of the {kind}. "
            f"Received: {count} {kind}, labels of shape {labels.shape}"
        )
    if labels.ndim == 2:
        return _from_one_hot(labels, class_names)
    if labels.dtype.kind in "fiu":
        _check_whole(labels)
        labels = labels.astype("int64")
    if class_names is not None and labels.dtype.kind in "ib":
        names, places = list(map(str, class_names)), labels.astype("int64")
        if len(places) and places.max() >= len(names):
            raise ValueError(
                "A label must be a place in the names of the classes. "
                f"Received: {places.max()} at place {places.argmax()}, "
                f"class_names={names}"
            )
    else:
        found, places = np.unique(labels, return_inverse=True)
        names = [str(name) for name in found]
    check_classes(names, where, least)
    return places.astype("int64"), names


def elements(source):
    """The elements of a stream, arrays being NumPy's; refuses endless ones."""
    if isinstance(source, keras.utils.PyDataset):
        length = source.num_batches
        if length is None or length == float("inf"):
            raise ValueError(
                "Data must come to an end: they are read into memory once. "
                f"Received: {type(source).__name__} of {length} batches"
            )
        return (source[place] for place in range(length))
    if hasattr(source, "as_numpy_iterator"):
        if int(source.cardinality()) == -1:  # tf.data.INFINITE_CARDINALITY
            raise ValueError(
                "Data must come to an end: they are read into memory once. "
                "Received: an infinite tf.data.Dataset, such as `repeat` makes"
            )
        return source.as_numpy_iterator()
    return source


def is_one_hot(rows):
    """Which rows are of zeros but for a single 1.

    Args:
        rows: Array `(..., classes)`.

    Returns:
        Boolean array `(...)`.
    """
    if rows.dtype.kind not in "fiub":
        return np.zeros(rows.shape[:-1], bool)
    zeros = ((rows == 0) | (rows == 1)).all(axis=-1)
    return zeros & ((rows == 1).sum(axis=-1) == 1)


def _has_length(source):
    try:
        return isinstance(source, keras.utils.PyDataset) or len(source) >= 0
    except TypeError:  # a generator, or a dataset made of one
        return False


def _as_array(labels):
    """Labels as an array of numbers, of booleans, or of strings."""
    if not isinstance(labels, (list, tuple)):
        labels = np.asarray(labels)
        if labels.dtype.kind in "fiub":
            return labels
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
    plain = []
    for place, label in enumerate(labels):
        if isinstance(label, bytes):
            label = label.decode()
        elif not isinstance(label, (str, list, tuple)) and np.ndim(label) == 0:
            label = np.asarray(label).item()
        elif not isinstance(label, str):
            array = np.asarray(label)
            label = array[0] if array.shape == (1,) else array
            if isinstance(label, bytes):
                label = label.decode()
        one = isinstance(label, (str, numbers.Number, np.bool_))
        vector = isinstance(label, np.ndarray) and label.dtype.kind in "fiub"
        if not (one or vector) or isinstance(label, str) and not label:
            raise ValueError(
                "A label must be a string that is not empty, a whole number, "
                f"or one-hot. Received: {label!r} at place {place}"
            )
        plain.append(label)
    for place, label in enumerate(plain):
        if _kind(label) != _kind(plain[0]):
            raise ValueError(
                "Labels must be of one kind. Received: "
                f"{plain[0]!r} at place 0, {label!r} at place {place}"
            )
    return np.array(plain)


def _kind(label):
    if isinstance(label, np.ndarray):
        return label.shape
    return str if isinstance(label, str) else numbers.Number


def _check_whole(labels):
    wrong = (labels < 0) | ~np.isfinite(labels) | (labels != np.floor(labels))
    if wrong.any():
        place = int(wrong.argmax())
        raise ValueError(
            "A label that is a number must be whole, and not negative. "
            f"Received: {labels[place]} at place {place}"
        )


def _from_one_hot(labels, class_names):
    count = labels.shape[1]
    wrong = ~is_one_hot(labels)
    if wrong.any() or count < 2:
        place = int(wrong.argmax())
        raise ValueError(
            "Labels in rows must be one-hot: a single 1, otherwise 0. "
            f"Received: {labels[place].tolist()} at place {place}, labels of "
            f"shape {labels.shape}"
        )
    names = [str(name) for name in class_names or range(count)]
    if len(names) != count:
        raise ValueError(
            "One-hot labels must have a column for each class. "
            f"Received: {count} columns, class_names={names}"
        )
    return labels.argmax(axis=1).astype("int64"), names
