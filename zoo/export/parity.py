"""Parity: the proof that an exported file answers as the model does.

`python -m zoo.export.parity MODEL FOLDER` proves an export again: a preset or a
task's folder, and the folder that `Task.export` wrote.
"""

import argparse
import contextlib
import io
import itertools
import pathlib
import sys
import tempfile

import keras
import numpy as np

from zoo import presets
from zoo.export import PLACES, fresh, in_float32, run_python
from zoo.export.saved_model import (
    has_attention,
    one_or_all,
    quiet,
    safe_names,
)
from zoo.task import Task

# The largest difference allowed. Logits are of any size; all else is a share.
TOLERANCE = {"logits": 1e-4}
SHARES = 1e-5

# Ours: what taking texts apart goes wrong on.
TEXTS = [
    "",
    " ...\t!?\n",
    "I LIKED it!<br /><br />Well... most of it; the end (not so) much.",
    "No plot?! No-one's fault.\tThe cast is good,\nthe music is not.",
    "Très beau, ÉCRIT par un génie \u2014 \U0001f600 10/10\u00a0points\u2026",
    "one word " * 300,
]
NO_IMAGE = b"no image"


class ParityError(RuntimeError):
    """An export that answers otherwise than its model."""


def compare(expected, actual, tolerance=None):
    """Compares the outputs of a model and of its export.

    Args:
        expected: Dict from output to array, of numbers or of text.
        actual: The same, of the export.
        tolerance: Float, the largest difference allowed in any output; by
            default 1e-4 in `logits` and 1e-5 in shares. Text must be equal.

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
            "tolerance": TOLERANCE.get(name, SHARES)
            if tolerance is None
            else tolerance,
        }
        for name, value in expected.items()
    ]
    return _worst(reports)


def check_saved_model(task, path, inputs=None, tolerance=None):
    """Proves a SavedModel, run in a process that has only TensorFlow.

    Every signature is run on all inputs at once and on one alone. To the
    inputs come extreme ones: images that are all black and all white; texts
    that are empty, full, unknown, and of one word, and pairs of those. Raw
    inputs are, for images, the same as PNG files, and files of every kind, size
    and orientation that is served, with one among them that is no image; for
    texts the words of the same ids, the extreme ones, and texts of ours that
    are hard to take apart.

    Args:
        task: The `zoo.task.Task` that it was made of.
        path: Path of the SavedModel.
        inputs: Array that the model reads, or a dict of them; by default
            seeded ones.
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
    if has_attention(task.model):
        maps = _outputs(task, inputs, attention=True)
        ask_all_and_one("attention", inputs, maps)
    names = task.signatures()["raw"]
    raws = RAWS[names](task, inputs)
    columns = zip(*raws) if len(names) > 1 else [raws]
    strings = {name: list(column) for name, column in zip(names, columns)}
    ask_all_and_one("serving_default", strings, _predictions(task, raws))
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
    if "batch" in task.signatures():
        count = len(outputs["logits"])
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
    return float(np.abs(expected.astype("float64") - actual).max(initial=0))


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
        return _by_name(task, inputs)
    golden = _by_name(task, task.golden_inputs())
    extreme = _by_name(task, EXTREMES[task.signatures()["raw"]](task))
    return {
        name: np.concatenate(
            [array, array[:1, ::-1], extreme[name].astype(array.dtype)]
        )
        for name, array in golden.items()
    }


def _by_name(task, given):
    if isinstance(given, dict):
        return given
    return dict.fromkeys(task.signatures()["tensors"], given)


def _extreme_images(task):
    shape = (*task.size, task.channels)
    return np.stack([np.zeros(shape), np.full(shape, 255.0)])


def _extreme_texts(task):
    return task.preprocess(_extremes(task))


def _extreme_pairs(task):
    """Each text with each: either side may be empty, or both."""
    return task.preprocess(list(itertools.product(_extremes(task), repeat=2)))


def _extremes(task):
    """Texts: empty, longer than is read, all unknown, and of one word."""
    words = task.assets["vocabulary"][:50]
    sentence = " ".join((words * 100)[:100])
    return [
        "",
        f"{sentence}. " * 20,
        " ".join(f"unheard{place} ." for place in range(20)),
        words[0],
    ]


EXTREMES = {
    ("image_bytes",): _extreme_images,
    ("text",): _extreme_texts,
    ("left", "right"): _extreme_pairs,
}


def _outputs(task, inputs, attention=False):
    symbolic = one_or_all(
        {
            name: keras.Input(array.shape[1:], dtype=array.dtype, name=name)
            for name, array in inputs.items()
        }
    )
    model = keras.Model(symbolic, task.graph(symbolic, attention))
    with _full_precision(), quiet():
        return safe_names(model.predict_on_batch(one_or_all(inputs)))


def _part(arrays, part):
    return {name: array[part] for name, array in arrays.items()}


def _predictions(task, raws):
    labels = task.assets["labels"]
    good = [raw for raw in raws if raw is not NO_IMAGE]
    with _full_precision(), quiet():
        # Not as `predict`, which refuses what has no word, or ranks.
        found = iter(Task.answers(task, good, False, len(good)))
    nothing = {
        "label": "",
        "probability": 0.0,
        "probabilities": dict.fromkeys(labels, 0.0),
    }
    answers = [nothing if raw is NO_IMAGE else next(found) for raw in raws]
    outputs = {
        "label": [answer["label"] for answer in answers],
        "probability": [answer["probability"] for answer in answers],
        "probabilities": [
            [answer["probabilities"][label] for label in labels]
            for answer in answers
        ],
    }
    if NO_IMAGE in raws:
        outputs["decoded"] = [raw is not NO_IMAGE for raw in raws]
    return outputs


def _files(task, inputs):
    """The images as PNG; the first in other kinds, sizes, and turned."""
    from PIL import Image

    (images,) = inputs.values()
    first = np.clip(np.round(images[0]), 0, 255).astype("uint8")
    squeezed = first[..., 0] if first.shape[-1] == 1 else first
    image = Image.fromarray(squeezed).convert("RGB")
    wide = image.resize((2 * image.width + 1, image.height))
    gray = wide.convert("L")
    deep = np.asarray(gray).astype("uint16") * 256 + 200
    see_through = wide.copy()
    see_through.putalpha(gray)
    files = [
        *map(_png, images),
        _encoded(wide, "png"),
        _encoded(gray, "png"),
        _encoded(see_through, "png"),
        _encoded(wide.quantize(16), "png", transparency=0),
        _encoded(Image.fromarray(deep), "png"),
        _encoded(wide, "jpeg"),
        _encoded(gray, "jpeg"),
        _encoded(wide.convert("CMYK"), "jpeg"),
        NO_IMAGE,
        _encoded(wide, "bmp"),
        _encoded(
            wide.quantize(16),
            "gif",
            transparency=0,
            save_all=True,
            append_images=[gray],
        ),
    ]
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        form = "jpeg" if orientation % 2 else "png"
        files.append(_encoded(wide, form, exif=exif))
    return files


def _texts(task, inputs):
    """The words of the ids, a row of them being a sentence; and hard texts."""
    (ids,) = inputs.values()
    said = [_said(task, document) for document in ids]
    return [*said, *_extremes(task), *TEXTS]


def _pairs(task, inputs):
    """The words of the ids; hard texts with themselves, and with others."""
    pairs = [
        tuple(_said(task, row) for row in rows)
        for rows in zip(*inputs.values())
    ]
    extreme = itertools.product(_extremes(task), repeat=2)
    return [*pairs, *extreme, *zip(TEXTS, TEXTS), *zip(TEXTS, TEXTS[1:])]


def _said(task, ids):
    words = ["", "unheard-of", *task.assets["vocabulary"]]
    return ". ".join(
        " ".join(
            words[place] if place < len(words) else f"unheard{place}"
            for place in row
        )
        for row in np.atleast_2d(ids)
    )


RAWS = {
    ("image_bytes",): _files,
    ("text",): _texts,
    ("left", "right"): _pairs,
}


def _png(image):
    from PIL import Image

    pixels = np.clip(np.round(image), 0, 255).astype("uint8")
    gray = pixels.shape[-1] == 1
    return _encoded(Image.fromarray(pixels[..., 0] if gray else pixels), "png")


def _encoded(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


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
