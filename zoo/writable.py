"""Writable: whatever will be written is tried before the work begins."""

import os
import pathlib
import shutil

from zoo.atomic import folders_made, part_of

SMALL = 2**24  # bytes: cards, logs, pictures, and the smaller models


def check_writable(path, size=SMALL, is_folder=False):
    """Raises unless a file or folder can be written at a path.

    It writes where `zoo.atomic.replacing` will, and leaves nothing behind:
    folders that are missing are made and removed again. Links are followed.

    Args:
        path: Path of what will be written. Whether its content may be replaced
            is for others to say.
        size: Integer. Bytes that must be free there.
        is_folder: Boolean. Whether a folder will be written.

    Raises:
        OSError: If the path is too long, lies below a file, may not be
            written, is on a full disk, or holds a folder where a file is to
            be written, or the reverse.
    """
    try:
        target = pathlib.Path(os.path.realpath(path))
        if is_folder and os.path.lexists(target) and not target.is_dir():
            raise NotADirectoryError(0, "A file stands there")
        if not is_folder and target.is_dir():
            raise IsADirectoryError(0, "A folder stands there")
        if not is_folder and os.path.lexists(target) and not target.is_file():
            raise OSError("What stands there is not a plain file")
        part = part_of(target)
        with folders_made(target.parent, keep=False):
            free = shutil.disk_usage(target.parent).free
            try:
                part.touch()
            finally:
                part.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise OSError(
            f"The output must be a {'folder' if is_folder else 'file'} that "
            "can be written, which is tried before any work. "
            f"Received: {str(path)!r} ({why})"
        ) from error
    if free < size:
        raise OSError(
            f"The output needs about {size / 1e6:,.0f} MB of free space, which "
            f"is checked before any work. Received: {str(path)!r}, where "
            f"{free / 1e6:,.0f} MB are free"
        )


def check_not_read(path, inputs):
    """Raises if what will be written would replace what is read.

    Args:
        path: Path of what will be written.
        inputs: Paths, or anything else that may be read, of which files and
            folders that are there count; what lies in a folder is read, too.

    Raises:
        ValueError: If it would, or replace a file of a model.
    """
    if not os.path.lexists(path):
        return
    target = os.path.realpath(path)
    for each in inputs:
        if not isinstance(each, (str, os.PathLike)):
            continue
        own = os.path.expanduser(each)
        if not os.path.exists(own):  # a name, or a text
            continue
        own = os.path.realpath(own)
        if (
            os.path.samefile(own, target)
            if os.path.exists(target)
            else own == target
        ) or target.startswith(os.path.join(own, "")):
            raise ValueError(
                "The output must not replace what is read; choose another "
                f"--out. Received: --out {path}, and {each} is read"
            )
    folder, name = os.path.split(target)
    if name.endswith((".json", ".keras", ".npz")) and os.path.isfile(
        os.path.join(folder, "card.json")
    ):
        raise ValueError(
            "The output must not replace a file of a model; choose another "
            f"--out. Received: --out {path}"
        )
