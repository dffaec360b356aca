"""What a user means by `data`: a place on this machine, or a known name."""

import difflib
import os
import pathlib
import re

# The word that a name of tensorflow-datasets begins with, and what follows.
_NAME = re.compile(r"[A-Za-z]\w*([/:][\w.\-+]+)*")


class Known(str):
    """The name of known data, which is never a place."""


def place(source, names):
    """Where data lie, if a place is meant.

    A path, and a string that begins with `.`, `~` or a separator, or ends in
    `.csv`, `.tsv` or a separator, is a place. Any other string is a name if
    data of that name are known, else a place if there is one.

    Args:
        source: String or path.
        names: The names of known data.

    Returns:
        `pathlib.Path` of a file or folder that is there; `None` if `source`
        can only be a name.

    Raises:
        FileNotFoundError: If a place is meant and nothing is there.
        ValueError: If a name of known data is also that of a file or folder.
    """
    if isinstance(source, Known):
        return None
    if not isinstance(source, (str, os.PathLike)):
        raise ValueError(
            "`data` must be a name, a path, or examples with labels. "
            f"Received: data of type {type(source).__name__}"
        )
    text = os.fspath(source)
    path = pathlib.Path(os.path.expanduser(text))
    is_place = (
        isinstance(source, os.PathLike)
        or text.startswith((".", "~", os.sep))
        or text.endswith((os.sep, "/"))
        or text.lower().endswith((".csv", ".tsv"))
        or not _NAME.fullmatch(text)
    )
    there = bool(text) and os.path.exists(path)
    if not is_place:
        known = text in names or re.split("[/:]", text)[0] in public_names()
        if known and there:
            raise ValueError(
                "`data` must be either a name or a place, and this is both; "
                f"write ./{text} for what lies here, or go where nothing of "
                f"that name lies. Received: data={text!r}"
            )
        if known or not (there or os.sep in text):
            return None
    if not there:
        raise FileNotFoundError(
            "`data` must be a file or folder that is there, or the name of "
            f"known data. Received: data={text!r}, no such file or folder"
            + ("" if is_place else near(text, names))
        )
    return path


def near(name, names):
    """Known names that are written almost alike, for the end of an error."""
    known = {*names, *public_names()}
    found = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.8)
    return f"; near: {found}" if found else ""


def public_names():
    """The names in tensorflow-datasets; none where it is not installed."""
    try:
        import tensorflow_datasets as tfds
    except ImportError:
        return []
    return tfds.list_builders(with_community_datasets=False)


def shown(path):
    """A place as a card says it: absolute, or from the home folder, `~`.

    Args:
        path: `pathlib.Path`.

    Returns:
        String.
    """
    path = pathlib.Path(os.path.abspath(path))
    home = pathlib.Path.home()
    if path.is_relative_to(home):
        return f"~/{path.relative_to(home).as_posix()}"
    return str(path)
