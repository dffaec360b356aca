"""Tests of public data sets, which are skipped where those are not prepared."""

import os
import pathlib

import pytest


def needs_public(*names):
    """A mark for a test that reads these sets of tensorflow-datasets.

    Of one with a builder of ours, upstream's files will do.
    """
    folder = pathlib.Path(os.environ.get("TFDS_DATA_DIR", "no such folder"))
    manual = folder / "downloads" / "manual"
    missing = [
        name
        for name in names
        if not any((*folder.glob(f"{name}/*"), *manual.glob(f"{name}/*")))
    ]
    return pytest.mark.skipif(
        bool(missing),
        reason=f"needs TFDS_DATA_DIR, a folder with {', '.join(missing)}",
    )
