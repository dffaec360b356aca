"""Export: a trained model for serving, proved to answer as the model does."""

import contextlib
import copy
import difflib
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import keras

from zoo import presets
from zoo.atomic import (
    check_unclaimed,
    listed_by,
    replacing,
    sha256_of_all,
)
from zoo.data.tokens import SPECIAL
from zoo.writable import check_writable

MANIFEST = "export.json"  # the SHA-256 of each file that an export wrote

# Format -> its place in the export's folder.
PLACES = {"saved_model": "saved_model", "litert": "model.tflite"}
NEEDS = {
    "saved_model": {"tensorflow": "tensorflow,zoo"},
    "litert": {"tensorflow": "tensorflow,zoo", "ai_edge_litert": "export"},
}


def export(task, folder, formats=tuple(PLACES)):
    """Exports a task, and verifies that the export gives the same answers.

    The folder gets `saved_model/` (TensorFlow; raw input, arrays and attention
    maps), `model.tflite` (LiteRT; arrays), `labels.txt` and, of a model that
    reads texts, `vocabulary.txt`: the word of each id, one a line, of which the
    first, padding, is empty. `export.json` lists what was written, so that a
    later export replaces these files and no others. Each format is run in a
    fresh process, without this package, and compared with the task. Models in
    mixed precision are exported in float32. Where Keras runs on another
    backend, TensorFlow writes the files in a process of its own.

    Args:
        task: A `zoo.task.Task`.
        folder: Path. Other files in it stay, and one in the way is an error.
            Nothing in it changes unless every format was written and proved.
        formats: Names among `"saved_model"` and `"litert"`, or one of them.

    Returns:
        Dict from format to a dict: `path`, `bytes`, and what
        `zoo.export.parity.compare` reports.

    Raises:
        ValueError: If a format is unknown, a label cannot be kept, a file that
            no export wrote is in the way, or the model cannot be converted.
        ImportError: If the tools of a format are not installed.
        zoo.export.parity.ParityError: If an export answers differently.
    """
    from zoo.export import parity

    formats = [formats] if isinstance(formats, str) else list(formats)
    _check_formats(formats)
    labels = task.assets["labels"]
    _check_labels(labels)
    folder = pathlib.Path(folder)
    digests = check_replaceable(task, folder, formats)
    task = in_float32(task)

    reports = {}
    # Each takes its place when the block ends, and only if it ends well.
    with contextlib.ExitStack() as places:
        manifest = places.enter_context(replacing(folder / MANIFEST))
        lists = _lists(task)
        written = {}
        for file, lines in lists.items():
            part = places.enter_context(replacing(folder / file))
            part.write_text("".join(f"{x}\n" for x in lines), "utf-8")
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
    places = [*_lists(task), *(PLACES[name] for name in formats)]
    check_unclaimed(folder, places, digests)
    check_writable(folder / MANIFEST, 12 * task.model.count_params())
    return digests


def _lists(task):
    """The lines of each text file beside the formats."""
    lists = {"labels.txt": task.assets["labels"]}
    if "vocabulary" in task.assets:
        lists["vocabulary.txt"] = [*SPECIAL, *task.assets["vocabulary"]]
    return lists


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


def in_float32(task):
    """The task, or a copy that computes in float32 if it does not.

    Args:
        task: A `zoo.task.Task`.

    Returns:
        A `zoo.task.Task`.
    """
    layers = task.model._flatten_layers(include_self=False)
    policies = {layer.dtype_policy.name for layer in layers}
    if policies <= {"float32"}:
        return task
    return task.rebuilt(task.assets["labels"], dtype="float32")


def _write_elsewhere(task, parts):
    """As `write`, by TensorFlow in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        # A copy: saving writes a name and sums on the card.
        kept = presets.save(copy.copy(task), pathlib.Path(folder) / "task")
        run_python(
            ["-m", "zoo.export", str(kept)]
            + [f"{name}={path.absolute()}" for name, path in parts.items()],
            "Writing the export",
        )


def run_python(arguments, what):
    """Runs Python anew: TensorFlow for Keras, no GPU, its chatter kept.

    Args:
        arguments: List of strings, those of `python`.
        what: String. What it is for, for the error.

    Raises:
        RuntimeError: If it fails, with what it printed.
    """
    root = str(pathlib.Path(__file__).parents[2])
    paths = [root, os.environ.get("PYTHONPATH", "")]
    finished = subprocess.run(
        [sys.executable, *arguments],
        env={
            **os.environ,
            "KERAS_BACKEND": "tensorflow",
            "CUDA_VISIBLE_DEVICES": "-1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        },
        capture_output=True,
        text=True,
    )
    if finished.returncode:
        raise RuntimeError(
            f"{what} in a process of its own must succeed. "
            f"Received: exit status {finished.returncode}\n"
            + finished.stderr[-4000:]
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


def _check_labels(labels):
    for label in labels:
        if "\n" in label or "\r" in label:
            raise ValueError(
                "Labels are exported in a file, one a line, so none may hold "
                f"a line's end. Received: {label!r}"
            )


def _bytes(path):
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
