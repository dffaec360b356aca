"""What is asked in a shell: arguments, folders of files, and tables."""

import os
import pathlib
import shlex

from zoo.data import folders
from zoo.data.examples import read_lines
from zoo.data.table_files import SUFFIXES
from zoo.data.table_source import Table, read_rows


def from_words(input, words, options, how=None):
    """The raw inputs that the arguments of a command stand for.

    Args:
        input: An input, as those of `zoo.inputs`.
        words: List of strings. A folder stands for the files in it and below
            it, a table for its rows, whose columns `input.columns_asked`
            names; anything else is as `input.from_shell` takes it.
        options: Dict from an option's name to a string.
        how: Dict of how tables are read, arguments of `zoo.Table`; or `None`.

    Returns:
        List of raw inputs.

    Raises:
        ValueError: If a folder holds nothing to ask about, a table is
            malformed, or tables come with other things.
        FileNotFoundError: If a file is not there.
    """
    read = [word for word in words if input.columns_asked and _is_table(word)]
    if not read:
        if how and (input.columns_asked or "columns" in how):
            raise ValueError(
                "How a table is read is said where one is asked about, a "
                f".csv or .tsv file. Received: {how}, {words}"
            )
        expanded = [each for word in words for each in _files(input, word)]
        return input.from_shell(expanded, options | (how or {}))
    if len(read) < len(words) or options:
        others = [word for word in words if word not in read]
        raise ValueError(
            "A table holds all that is asked, so nothing else is given beside "
            f"it. Received: {read[0]!r} with {others}, options "
            f"{sorted(options)}"
        )
    return [raw for word in read for raw in _rows(input, word, how or {})]


def from_lines(input, path):
    """The texts of a file, one in each line.

    Args:
        input: An input, as those of `zoo.inputs`.
        path: `pathlib.Path` of a file in UTF-8. A line may be empty.

    Returns:
        List of strings.

    Raises:
        ValueError: If the input is no text, or the file is not in UTF-8, or
            has no line.
        FileNotFoundError: If there is no such file.
    """
    if input.columns_asked != ("text",):
        raise ValueError(
            "A file of lines is for models that read a text. Received: "
            f"--in {path}, a model that reads a {input.noun}"
        )
    lines = read_lines(path)
    if not lines:
        raise ValueError(
            "There must be a line with a text at least. "
            f"Received: --in {path}, an empty file"
        )
    return lines


def command(task, folder, data):
    """A command that asks a model about the first of some examples.

    Args:
        task: A `zoo.task.Task`.
        folder: Path, where the model was saved.
        data: `zoo.data.examples.Examples`, one at least.

    Returns:
        String, to be pasted into a shell; where the example cannot be written
        there, as an array cannot, it ends in what is asked for, such as
        `IMAGE...`. It is `zoo look`, or `zoo predict` of a model without
        attention.
    """
    raws = data.take([0]).raws
    first = (
        {name: of_one[0] for name, of_one in raws.items()}
        if isinstance(raws, dict)
        else raws[0]
    )
    words = task.input.to_shell(first)
    asked = task.input.asked if words is None else shlex.join(words)
    verb = "look" if task.has_attention() else "predict"
    return f"zoo {verb} {shlex.quote(str(folder))} {asked}"


def _is_table(word):
    return word.lower().endswith(SUFFIXES) and os.path.isfile(word)


def _files(input, word):
    if not input.suffixes or not os.path.isdir(word):
        return [word]
    noun = f"{input.noun.split(' and ')[0]}s"
    found = folders.files_below(pathlib.Path(word), input.suffixes, noun)
    return list(map(str, found))


def _rows(input, word, how):
    path = pathlib.Path(word)
    found = read_rows(Table(path, **how), f"{input.noun}s", input.columns_asked)
    return input.from_table(
        {name: found.cells(name) for name in input.columns_asked},
        path.parent,
        lambda place: found.rows[place][0],
    )
