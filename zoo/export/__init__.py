"""Export: a trained model for serving, proved to answer as the model does."""

import contextlib
import copy
import difflib
import importlib.util
import json
import pathlib
import tempfile

import keras

from zoo import exported, saving
from zoo.atomic import (
    check_unclaimed,
    listed_by,
    replacing,
    sha256_of_all,
)
from zoo.export.apart import run_python as run_python
from zoo.export.formats import NEEDS, PLACES
from zoo.export.formats import in_float32 as in_float32
from zoo.writable import check_writable

MANIFEST = exported.MANIFEST


def export(task, folder, formats=tuple(PLACES)):
    """Exports a task, and verifies that the export gives the same answers.

    The folder gets `saved_model/` (TensorFlow; raw input, arrays and attention
    maps), `model.tflite` (LiteRT; arrays), and what else the task's input and
    output need: `labels.txt` and, of a model that reads texts,
    `vocabulary.txt`: the word of each id, one a line, of which the first,
    padding, is empty. Beside a LiteRT file `task.json` says how inputs are read
    and answers written, for `zoo.exported`. `export.json` lists what was
    written, so that a later export replaces these files and no others. Each
    format is run in a fresh process, without this package, and compared with
    the task. Models in mixed precision are exported in float32. Where Keras
    runs on another backend, TensorFlow writes the files in a process of its
    own.

    Args:
        task: A `zoo.task.Task`.
        folder: Path. Other files in it stay, and one in the way is an error.
            Nothing in it changes unless every format was written and proved.
        formats: Names among `"saved_model"` and `"litert"`, or one of them.

    Returns:
        Dict from format to a dict: `path`, `bytes`, what
        `zoo.export.parity.compare` reports, and of LiteRT `threads`, how many
        suit one input, 1 or 2.

    Raises:
        ValueError: If a format is unknown, a label cannot be kept, a file that
            no export wrote is in the way, or the model cannot be converted.
        ImportError: If the tools of a format are not installed.
        zoo.export.parity.ParityError: If an export answers differently.
    """
    from zoo.export import litert, parity

    formats = [formats] if isinstance(formats, str) else list(formats)
    _check_formats(formats)
    folder = pathlib.Path(folder)
    digests = check_replaceable(task, folder, formats)
    task = in_float32(task)

    reports = {}
    # Each takes its place when the block ends, and only if it ends well.
    with contextlib.ExitStack() as places:
        manifest = places.enter_context(replacing(folder / MANIFEST))
        written = {}
        for file, text in _files(task, formats).items():
            part = places.enter_context(replacing(folder / file))
            part.write_text(text, "utf-8")
            written[file] = part
        parts = {
            name: places.enter_context(replacing(folder / PLACES[name]))
            for name in formats
        }
        if keras.backend.backend() == "tensorflow":
            write(task, parts)
        else:
            _write_elsewhere(task, parts)
        for name, part in parts.items():
            reports[name] = {
                "path": str(folder / PLACES[name]),
                "bytes": _bytes(part),
                **parity.CHECKS[name](task, part),
            }
            if name == "litert":
                reports[name]["threads"] = litert.threads_of(task)
        written |= {PLACES[name]: part for name, part in parts.items()}
        text = json.dumps({"sha256": _digests(digests, written)}, indent=1)
        manifest.write_text(text + "\n", "utf-8")
    return reports


def check_replaceable(task, folder, formats=tuple(PLACES)):
    """Refuses to export over files that no export wrote.

    Args:
        task: A `zoo.task.Task`.
        folder: Path of the export's folder.
        formats: Names among `"saved_model"` and `"litert"`.

    Returns:
        Dict from path in the folder to SHA-256: what an earlier export wrote.

    Raises:
        ValueError: If another file is in the way, or one was altered.
        OSError: If the folder cannot be written.
    """
    folder = pathlib.Path(folder)
    digests = listed_by(folder / MANIFEST)
    places = [*_files(task, formats), *(PLACES[name] for name in formats)]
    check_unclaimed(folder, places, digests)
    check_writable(folder / MANIFEST, 12 * task.model.count_params())
    return digests


def _files(task, formats):
    """The text of each file beside the formats."""
    files = task.input.files() | task.output.files()
    # It tells how that file is asked, so none may stand beside another.
    if "litert" in formats:
        files |= {exported.FILE: exported.described(task)}
    return files


def _digests(before, written):
    """What the manifest lists: the files of before, and those of `written`."""
    kept = {
        name: digest
        for name, digest in before.items()
        if name.split("/")[0] not in written
    }
    for place, part in written.items():
        for name, digest in sha256_of_all(part.parent, [part.name]).items():
            kept[place + name.removeprefix(part.name)] = digest
    return kept


def write(task, parts):
    """Writes formats, unproved. Keras must run on TensorFlow.

    Args:
        task: A `zoo.task.Task` in float32.
        parts: Dict from format to the path to write.
    """
    from zoo.export import litert, saved_model

    writers = {"saved_model": saved_model.write, "litert": litert.write}
    for name, path in parts.items():
        writers[name](task, pathlib.Path(path))


def _write_elsewhere(task, parts):
    """As `write`, by TensorFlow in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        # A copy: saving writes a name and sums on the card.
        kept = saving.save(copy.copy(task), pathlib.Path(folder) / "task")
        run_python(
            ["-m", "zoo.export", str(kept)]
            + [f"{name}={path.absolute()}" for name, path in parts.items()],
            "Writing the export",
        )


def _check_formats(formats):
    for name in formats:
        if name not in PLACES:
            near = difflib.get_close_matches(name, PLACES, n=2, cutoff=0.3)
            raise ValueError(
                f"`formats` takes names among {sorted(PLACES)}. "
                f"Received: {name!r}" + (f"; near: {near}" if near else "")
            )
        for module, extras in NEEDS[name].items():
            if importlib.util.find_spec(module) is None:
                raise ImportError(
                    f"The format {name!r} needs {module}, which is not "
                    f'installed: pip install "keras-attention-zoo[{extras}]"'
                )


def _bytes(path):
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
