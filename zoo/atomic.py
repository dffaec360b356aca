"""Files: what is written is whole, or not there; what is not ours stays."""

import contextlib
import hashlib
import os
import pathlib
import shutil

from zoo import cards


@contextlib.contextmanager
def replacing(path, listed=None):
    """A temporary path, which takes the place of `path` if all goes well.

    Links are followed. A folder changes place by two renames: the old one is
    whole until the new one is.

    Args:
        path: `pathlib.Path` of a file or a folder, which may exist.
        listed: Names in a folder at `path` that may be removed; what else is
            in it moves to the new one. `None` removes them all.

    Yields:
        The `pathlib.Path` to write, in the same folder. If the block raises,
        it is removed and `path` stays as it was.
    """
    path = pathlib.Path(os.path.realpath(path))
    temporary = part_of(path)
    with folders_made(path.parent):
        try:
            yield temporary
            if path.is_dir():
                if not temporary.is_dir():
                    raise IsADirectoryError(
                        f"A file never replaces a folder. Received: {path}"
                    )
                _swap(temporary, path, listed)
            else:
                os.replace(temporary, path)
        finally:
            if temporary.is_dir():
                shutil.rmtree(temporary)
            temporary.unlink(missing_ok=True)


def part_of(path):
    """The path under which a file or folder is written before it is whole.

    Args:
        path: `pathlib.Path`.

    Returns:
        `pathlib.Path`, in the same folder.
    """
    return path.with_name(f".{path.name}.{os.getpid()}.part")


@contextlib.contextmanager
def folders_made(folder, keep=True):
    """Makes a folder and those above it that are missing.

    If the block raises, those that were made and are empty are removed.

    Args:
        folder: `pathlib.Path`, absolute, without links.
        keep: Boolean. Whether they stay if all goes well.

    Yields:
        Nothing.
    """
    made = []
    try:
        for path in (*reversed(folder.parents), folder):
            if not path.is_dir():
                path.mkdir(exist_ok=True)
                made.append(path)
        yield
    except BaseException:
        keep = False
        raise
    finally:
        if not keep:
            with contextlib.suppress(OSError):  # one that is not empty stays
                for path in reversed(made):
                    path.rmdir()


def _swap(temporary, path, listed):
    aside = path.with_name(f".{path.name}.{os.getpid()}.old")
    os.rename(path, aside)
    try:
        os.rename(temporary, path)
    except BaseException:
        os.rename(aside, path)
        raise
    if listed is None:
        shutil.rmtree(aside)
        return
    for other in list(aside.iterdir()):
        if other.name in listed:
            other.unlink()
        else:
            os.rename(other, path / other.name)
    aside.rmdir()


def check_unclaimed(folder, places, digests, error=ValueError):
    """Refuses to replace files that an earlier run did not write.

    Args:
        folder: Path of the folder that is written to.
        places: Names of the files and folders in it that will be replaced.
        digests: Dict from path in the folder, with `/`, to SHA-256: what the
            earlier run says that it wrote.
        error: Class of what is raised.

    Raises:
        ValueError: If anything else stands there.
    """
    folder = pathlib.Path(folder)
    for place in places:
        path = folder / place
        inside = path.is_dir() and not path.is_symlink()
        for file in sorted(path.rglob("*")) if inside else [path]:
            if not os.path.lexists(file):
                continue
            if file.is_dir() and not file.is_symlink():
                continue
            name = file.relative_to(folder).as_posix()
            if (
                file.is_symlink()
                or not file.is_file()
                or digests.get(name) != sha256(file)
            ):
                raise error(
                    "Only files that an earlier run wrote, as it wrote them, "
                    "are replaced; move this one away or choose another "
                    f"folder. Received: {file}"
                )


def listed_by(manifest):
    """What an earlier run says that it wrote.

    Args:
        manifest: `pathlib.Path` of a JSON file, an object whose `sha256` has
            the SHA-256 of each file beside it.

    Returns:
        Dict from path, with `/`, to SHA-256; empty where there is no manifest.

    Raises:
        ValueError: If a file of that name is something else.
    """
    if not os.path.lexists(manifest):
        return {}
    found = None
    if manifest.is_file() and not manifest.is_symlink():
        found = cards.parse(manifest.read_bytes(), manifest)
    digests = found.get("sha256") if isinstance(found, dict) else None
    if not isinstance(digests, dict):
        raise ValueError(
            "Only a list that an earlier run wrote is replaced; move this file "
            f"away or choose another folder. Received: {manifest}"
        )
    return digests


def sha256(path):
    """The SHA-256 of a file, in hexadecimal.

    Args:
        path: `pathlib.Path`.

    Returns:
        String.
    """
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sha256_of_all(folder, places):
    """The SHA-256 of each file at some places of a folder.

    Args:
        folder: Path of the folder.
        places: Names of files and folders in it.

    Returns:
        Dict from path in the folder, with `/`, to SHA-256.
    """
    folder = pathlib.Path(folder)
    found = {}
    for place in places:
        path = folder / place
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file():
                found[file.relative_to(folder).as_posix()] = sha256(file)
    return found
