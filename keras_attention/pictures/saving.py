"""Figures written to files."""

import os
import pathlib
import tempfile
import warnings

from keras_attention.pictures.drawing import import_matplotlib


def save_figure(figure, path, dpi=160):
    """Writes a figure to a file, whole or not at all.

    Args:
        figure: A `matplotlib.figure.Figure`.
        path: Where to; the suffix names the format: `.png`, `.svg`, `.pdf`. A
            file that is there is replaced, links being followed. The folder
            must exist.
        dpi: Positive number. Pixels an inch.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If `figure` is no figure, the suffix names no format that
            matplotlib writes, or the folder does not exist.

    Example:

    >>> import numpy as np
    >>> from keras_attention import pictures
    >>> figure = pictures.heat_map(np.zeros((8, 8)), np.eye(4))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_figure(figure, f"{folder}/looked.png").name
    'looked.png'
    """
    given, path = pathlib.Path(path), pathlib.Path(os.path.realpath(path))
    if not hasattr(figure, "savefig"):
        raise ValueError(
            f"`figure` must be a matplotlib figure. Received: figure={figure!r}"
        )
    check_format(given)
    if not path.parent.is_dir():
        raise ValueError(
            "`path` must lie in a folder that exists. "
            f"Received: path={str(given)!r}"
        )
    # More pixels than this no side of a picture may have.
    dpi = min(dpi, 65_000 / max(figure.get_size_inches()))
    handle, partial = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix
    )
    try:
        with os.fdopen(handle, "wb") as file, warnings.catch_warnings():
            # A sign that its font lacks is a box, which the picture says.
            warnings.filterwarnings("ignore", "Glyph .* missing")
            figure.savefig(file, format=given.suffix[1:].lower(), dpi=dpi)
        # What `mkstemp` makes is readable by its owner alone.
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise
    return given


def check_format(path):
    """Raises unless the suffix of a path names a picture format.

    Args:
        path: Path of a picture that `save_figure` will write.

    Raises:
        ValueError: If matplotlib writes no format of that name.

    Example:

    >>> check_format("looked.png")
    """
    canvas = import_matplotlib().figure.Figure().canvas
    formats = sorted(canvas.get_supported_filetypes())
    if pathlib.Path(path).suffix[1:].lower() not in formats:
        raise ValueError(
            f"`path` must end with a format that can be written: {formats}. "
            f"Received: path={str(path)!r}"
        )
