"""Parity: the proof that an exported file answers as the model does.

`python -m zoo.export.parity MODEL FOLDER` proves an export again: a preset or a
task's folder, and the folder that `Task.export` wrote.
"""

import argparse
import contextlib
import pathlib
import sys
import tempfile

import keras
import numpy as np

from zoo import presets
from zoo.export import fresh, litert
from zoo.export.apart import run_python
from zoo.export.formats import PLACES, in_float32
from zoo.export.saved_model import quiet, safe_names

# The largest difference allowed. All but these kinds of outputs are shares, or
# numbers that must be the same.
SHARES = 1e-5
MASKS = 1e-4  # share of the pixels that may be of another class
# Those of any size: `SHARES` of the largest number, which counts at least as
# the first of these, at most as the second. 32 bits and many layers cannot tell
# logits of 200 to 1e-4; one of -1e9 is a word that is ruled out, no size.
SIZES = {"logits": (10, 1e3), "score": (10, 1e3), "value": (1, np.inf)}


class ParityError(RuntimeError):
    """An export that answers otherwise than its model."""


def compare(expected, actual, tolerance=None):
    """Compares the outputs of a model and of its export.

    Args:
        expected: Dict from output to array, of numbers or of text.
        actual: The same, of the export.
        tolerance: Float, the largest difference allowed in any output; by
            default 1e-5 in shares, and 1e-5 of the largest in values and in
            logits, or 1e-4 where none of these is above 10; of a mask of
            classes 1e-4 of the pixels may be of another. Text must be equal.

    Returns:
        Dict: `largest_difference`, the `output` it is in (the one nearest to
        its tolerance), and that output's `tolerance`.

    Raises:
        ParityError: If an output differs by more, has another shape, holds
            what is no number, is missing or is not expected.
    """
    if set(expected) != set(actual):
        raise ParityError(
            f"The export must have the outputs {sorted(expected)}. "
            f"Received: {sorted(actual)}"
        )
    reports = [
        {
            "largest_difference": _difference(name, value, actual[name]),
            "output": name,
            "tolerance": _tolerance(name, value)
            if tolerance is None
            else tolerance,
        }
        for name, value in expected.items()
    ]
    return _worst(reports)


def check_saved_model(task, path, inputs=None, tolerance=None):
    """Proves a SavedModel, run in a process that has only TensorFlow.

    Every signature is run on all inputs at once and on one alone. To the
    inputs come extreme ones, `extremes` of the task's input: images that are
    all black and all white; texts that are empty, full, unknown, and of one
    word, and pairs of those. Raw inputs are its `requests`: images as PNG
    files, and files of every kind, size and orientation that is served, with
    one among them that is no image; texts of the words of the same ids, the
    extreme ones, and texts of ours that are hard to take apart.

    Args:
        task: The `zoo.task.Task` that it was made of.
        path: Path of the SavedModel.
        inputs: Dict of the arrays that the model reads; by default seeded
            ones.
        tolerance: As in `compare`.

    Returns:
        As `compare`.

    Raises:
        ParityError: As `compare`.
        RuntimeError: If it cannot be loaded or run.
    """
    task, inputs = in_float32(task), _inputs(task, inputs)
    requests, expected = [], []

    def ask(signature, asked, outputs):
        requests.append((signature, asked))
        expected.append(outputs)

    def ask_all_and_one(signature, asked, outputs):
        for part in (slice(None), slice(1)):
            ask(signature, _part(asked, part), _part(outputs, part))

    ask_all_and_one("from_tensors", inputs, _outputs(task, inputs))
    if task.has_attention():
        maps = _outputs(task, inputs, attention=True)
        ask_all_and_one("attention", inputs, maps)
    columns, raws = task.input.requests(inputs)
    ask_all_and_one("serving_default", columns, _served(task, raws))
    return _prove("saved_model", path, requests, expected, tolerance)


def check_litert(task, path, inputs=None, tolerance=None):
    """Proves a LiteRT file, run in a process without TensorFlow.

    It is run on the inputs of `check_saved_model`, in a batch of one and a
    batch of all; on one after the other where it takes no more.

    Args:
        task: The `zoo.task.Task` that it was made of.
        path: Path of the file.
        inputs: As in `check_saved_model`.
        tolerance: As in `compare`.

    Returns:
        As `compare`.

    Raises:
        ParityError: As `compare`.
        RuntimeError: If it cannot be loaded or run.
    """
    task, inputs = in_float32(task), _inputs(task, inputs)
    outputs = _outputs(task, inputs)
    if litert.batch_of(task) == 1:
        count = len(next(iter(outputs.values())))
        parts = [slice(place, place + 1) for place in range(count)]
    else:
        parts = [slice(None), slice(1)]
    requests = [("from_tensors", _part(inputs, part)) for part in parts]
    expected = [_part(outputs, part) for part in parts]
    return _prove("litert", path, requests, expected, tolerance)


CHECKS = {"saved_model": check_saved_model, "litert": check_litert}


def _prove(kind, path, requests, expected, tolerance):
    reports = []
    actual = _answers(kind, path, requests)
    for (signature, _), theirs, ours in zip(requests, expected, actual):
        try:
            reports.append(compare(theirs, ours, tolerance))
        except ParityError as error:
            raise ParityError(f"{kind}, {signature}: {error}") from error
    return _worst(reports)


def _answers(kind, path, requests):
    """What the export answers, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        asked = pathlib.Path(folder, "requests.npz")
        answers = pathlib.Path(folder, "answers.npz")
        signatures, inputs = zip(*requests)
        np.savez(asked, signatures=signatures, **fresh.pack(inputs))
        run_python(
            ["-P", *map(str, (fresh.__file__, kind, path, asked, answers))],
            f"Running {path}",
        )
        with np.load(answers) as arrays:
            return fresh.unpack(arrays)


def _difference(name, expected, actual):
    expected, actual = np.asarray(expected), np.asarray(actual)
    if expected.shape != actual.shape:
        raise ParityError(
            f"{name!r} must have the shape {expected.shape}. "
            f"Received: {actual.shape}"
        )
    if expected.dtype.kind not in "biuf":
        return 0.0 if (expected == _text(actual)).all() else float("inf")
    for values, whose in ((expected, "model"), (actual, "export")):
        if not np.isfinite(values).all():
            raise ParityError(
                f"{name!r} must hold finite numbers. Received: NaN or infinity "
                f"from the {whose}"
            )
    if _kind(name) == "mask" and expected.dtype.kind in "iu":
        return float((expected != actual).mean())
    return float(np.abs(expected.astype("float64") - actual).max(initial=0))


def _tolerance(name, expected):
    kind = _kind(name)
    if kind in SIZES:
        largest = float(np.abs(expected).max(initial=0))
        return SHARES * float(np.clip(largest, *SIZES[kind]))
    return MASKS if kind == "mask" else SHARES


def _kind(name):
    """The last word of an output's name."""
    return name.rpartition("_")[-1]


def _text(array):
    return [x.decode() if isinstance(x, bytes) else x for x in array.tolist()]


def _worst(reports):
    def share(report):
        return report["largest_difference"] / max(report["tolerance"], 1e-30)

    worst = max(reports, key=share)
    if worst["largest_difference"] > worst["tolerance"]:
        raise ParityError(
            f"{worst['output']!r} must be within {worst['tolerance']} of the "
            "model's own answer. Received: a largest difference of "
            f"{worst['largest_difference']:.3g}"
        )
    return worst


def _inputs(task, inputs):
    """Dict from name to array: those given, or else the golden and more."""
    if inputs is not None:
        return inputs
    extreme = task.input.extremes()
    return {
        name: np.concatenate([array, extreme[name]])
        for name, array in task.input.golden().items()
    }


def _outputs(task, inputs, attention=False):
    outputs, maps = _final(task, inputs, attention)
    return safe_names({**outputs, **maps})


def _final(task, inputs, attention=False):
    with _full_precision(), quiet():
        # A graph of its own, traced at the precision that it is run in.
        own = type(task)(task.model, task.card, task.input, task.output)
        return own.graph(attention).predict_on_batch(inputs)


def _part(arrays, part):
    return {name: array[part] for name, array in arrays.items()}


def _served(task, raws):
    """What is to be served, blank for raw inputs that are not valid."""
    valid = np.array([raw is not None for raw in raws])
    arrays = task.input.arrays([raw for raw in raws if raw is not None])
    outputs = task.output.served(_final(task, arrays)[0])
    outputs = safe_names(outputs)
    if valid.all():
        return {**outputs, **dict.fromkeys(task.input.flags, valid)}
    for name, found in outputs.items():
        found = np.asarray(found)
        blank = np.zeros((len(raws), *found.shape[1:]), found.dtype)
        blank[valid] = found
        outputs[name] = blank.tolist() if found.dtype.kind == "U" else blank
    return {**outputs, **dict.fromkeys(task.input.flags, valid)}


@contextlib.contextmanager
def _full_precision():
    """Keeps GPUs from shortening float32, which the export does not."""
    backend = keras.backend.backend()
    with contextlib.ExitStack() as after:
        if backend == "tensorflow":
            from tensorflow.config import experimental

            before = experimental.tensor_float_32_execution_enabled()
            after.callback(
                experimental.enable_tensor_float_32_execution, before
            )
            experimental.enable_tensor_float_32_execution(False)
        elif backend == "jax":
            import jax

            after.enter_context(jax.default_matmul_precision("highest"))
        yield


def main(arguments=None):
    """Proves an export again; returns the exit status.

    Args:
        arguments: List of strings; those of the command line by default.
    """
    parser = argparse.ArgumentParser(
        prog="python -m zoo.export.parity",
        description="Proves that an export answers as its model does.",
    )
    parser.add_argument("model", help="a preset, or the folder of a saved task")
    parser.add_argument(
        "folder", help="what `zoo export` wrote", type=pathlib.Path
    )
    arguments = parser.parse_args(arguments)
    found = {
        name: arguments.folder / place
        for name, place in PLACES.items()
        if (arguments.folder / place).exists()
    }
    if not found:
        parser.error(
            f"no {' and no '.join(PLACES.values())} in {arguments.folder}"
        )
    task = presets.load(arguments.model)
    status = 0
    for name, path in found.items():
        try:
            report = CHECKS[name](task, path)
        except ParityError as error:
            print(error)
            status = 1
        else:
            print(
                f"{name}: largest difference "
                f"{report['largest_difference']:.2g} in {report['output']}, "
                f"tolerance {report['tolerance']:g}"
            )
    return status


if __name__ == "__main__":
    sys.exit(main())
