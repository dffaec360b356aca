"""Files: what is written is whole, or not there."""

import contextlib
import os
import shutil


@contextlib.contextmanager
def replacing(path):
    """A temporary path, which takes the place of `path` if all goes well.

    Args:
        path: `pathlib.Path` of a file or a folder, which may exist.

    Yields:
        The `pathlib.Path` to write, in the same folder. If the block raises,
        it is removed and `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(temporary, path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        temporary.unlink(missing_ok=True)
