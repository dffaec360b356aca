"""Folders of examples: which part is where, which class, what was skipped."""

import collections
import warnings

import numpy as np

from zoo.data.examples import check_classes

# How the parts of a data set are called, in any case.
PARTS = {
    "train": ("train", "training"),
    "test": ("test", "testing", "eval", "evaluation"),
    "validation": ("validation", "valid", "val", "dev", "development"),
}


def visible(path):
    """Whether a file or folder counts: no hidden one does."""
    return not path.name.startswith(".") and path.name != "__MACOSX"


def part_of_folder(folder, split, suffix=""):
    """Where a part of the data lies in a folder that is cut already.

    Args:
        folder: `pathlib.Path`.
        split: `"train"` or `"test"`.
        suffix: String. `""` for folders, else how the files' names end, or a
            tuple of such endings.

    Returns:
        Path of the part `train`, or of `test`, or else `validation`, whatever
        of the usual names it has; `None` if the folder is not cut.

    Raises:
        ValueError: If the part is not there, or twice.
    """
    children = sorted(
        child
        for child in folder.iterdir()
        if visible(child)
        and child.is_dir() == (not suffix)
        and child.name.lower().endswith(suffix)
    )
    found = collections.defaultdict(list)
    for child in children:
        stem = child.stem.lower() if suffix else child.name.lower()
        for part, names in PARTS.items():
            if stem in names:
                found[part].append(child)
    # A class may be called `test`, but hardly all of them.
    parts = sum(map(len, found.values()))
    if "train" not in found and (not parts or parts < len(children)):
        return None
    wanted = ["train"] if split == "train" else ["test", "validation"]
    for part in wanted:
        if len(found[part]) > 1:
            raise ValueError(
                f"A folder must hold the part `{part}` once. Received: "
                f"{[child.name for child in found[part]]} in {folder}"
            )
        if found[part]:
            return found[part][0]
    ending = suffix if isinstance(suffix, str) else suffix[0]
    there, *missing = (
        f"`{part}{ending or '/'}`"
        for part in (
            ("train", "test", "validation")
            if split == "test"
            else (next(part for part in found if found[part]), "train")
        )
    )
    raise ValueError(
        f"A folder with {there} must have {' or '.join(missing)} beside it. "
        f"Received: {[child.name for child in children]}"
    )


def files_by_class(folder, suffixes, kind, least=2):
    """The files of a folder that has a folder for each class.

    Warns where files are skipped.

    Args:
        folder: `pathlib.Path`.
        suffixes: Tuple of strings. How the files' names end, in any case.
        kind: String. What the files are, in the plural, for the error.
        least: Integer. How many classes there must be; where one will do, a
            class may have no file.

    Returns:
        `(paths, labels, names, skipped)`: a list, an int64 array, a list of
        strings, and a tuple of strings: the files that are no examples, and
        why.
    """
    children = sorted(filter(visible, folder.iterdir()))
    names = [child.name for child in children if child.is_dir()]
    skipped = [
        f"{child.name}: lies beside the class folders"
        for child in children
        if child.is_file()
    ]
    paths, labels, empty = [], [], []
    for label, name in enumerate(names):
        found, others = _apart(folder / name, folder, suffixes)
        skipped += others
        if not found:
            empty.append(name)
        paths += found
        labels += [label] * len(found)
    where = f"the folders of classes in {folder}"
    if skipped and not names:
        where += f"; skipped: {_listed(skipped)}"
    check_classes(names, where, least)
    if empty and (least > 1 or not paths):
        beside = f"; skipped: {_listed(skipped)}" if skipped else ""
        raise ValueError(
            f"Each class folder must hold {kind} ({', '.join(suffixes)}). "
            f"Received: none in {folder / empty[0]}{beside}"
        )
    if skipped:
        warnings.warn(
            f"{len(skipped)} files in {folder} are skipped: {_listed(skipped)}",
            stacklevel=2,
        )
    return paths, np.array(labels, "int64"), names, tuple(skipped)


def files_below(folder, suffixes, kind):
    """The visible files in a folder and in those below it.

    Warns where files are skipped.

    Args:
        folder: `pathlib.Path`.
        suffixes: Tuple of strings. How the files' names end, in any case.
        kind: String. What the files are, in the plural, for the error.

    Returns:
        Sorted list of `pathlib.Path`, one at least.

    Raises:
        ValueError: If there is none.
    """
    found, skipped = _apart(folder, folder, suffixes)
    if not found:
        beside = f"; skipped: {_listed(skipped)}" if skipped else ""
        raise ValueError(
            f"A folder must hold {kind} ({', '.join(suffixes)}). "
            f"Received: none in {folder}{beside}"
        )
    if skipped:
        warnings.warn(
            f"{len(skipped)} files in {folder} are skipped: {_listed(skipped)}",
            stacklevel=2,
        )
    return found


def _apart(below, folder, suffixes):
    """The visible files below a place, and of others why they are skipped."""
    found, skipped = [], []
    for path in sorted(below.rglob("*")):
        inside = path.relative_to(folder)
        if not path.is_file() or not all(
            visible(each) for each in (inside, *inside.parents[:-1])
        ):
            continue
        if path.suffix.lower() in suffixes:
            found.append(path)
        else:
            skipped.append(f"{inside}: not {', '.join(suffixes)}")
    return found, skipped


def _listed(skipped, most=5):
    more = f"; {len(skipped) - most} more" if len(skipped) > most else ""
    return "; ".join(skipped[:most]) + more
