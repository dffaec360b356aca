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
