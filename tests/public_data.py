"""Tests of public data sets, which are skipped where those are not prepared."""

import importlib.util
import os
import pathlib

import pytest


def needs_public(*names):
    """A mark for a test that reads these sets of tensorflow-datasets.

    Of one with a builder of ours, upstream's files will do. What is made by
    rule, or comes with scikit-learn, is always there; what is made of another
    set needs that.
    """
    folder = pathlib.Path(os.environ.get("TFDS_DATA_DIR", "no such folder"))
    manual = folder / "downloads" / "manual"
    missing = [
        name
        for name in map(_source, names)
        if name is not None
        and not any((*folder.glob(f"{name}/*"), *manual.glob(f"{name}/*")))
    ]
    reads = any(_source(name) is not None for name in names)
    if reads and importlib.util.find_spec("tensorflow_datasets") is None:
        return pytest.mark.skip(reason="needs tensorflow-datasets")
    return pytest.mark.skipif(
        bool(missing),
        reason=f"needs TFDS_DATA_DIR, a folder with {', '.join(missing)}",
    )


def _source(name):
    """The public set that a set is, or is made of; `None` for none."""
    first = name.split("_")[0]
    made = "copying dates digits glyphs odd scaled scene scenes stories"
    if first in made.split():
        return None
    return first if first in ("mnist", "multi30k") else name
