"""Presets: where trained models are found, how they are checked and written.

A preset is a folder: `card.json`, `model.keras`, `golden.npz` and the assets
that the card names. It is looked for in the checkout's `saved_models/`, then in
the cache, then at a URL, and each file is checked by its SHA-256. What is
missing or altered raises; nothing falls back to random weights.
"""

import contextlib
import difflib
import gc
import hashlib
import importlib
import json
import os
import pathlib
import urllib.error
import urllib.parse
import urllib.request

import keras
import numpy as np

from zoo.files import replacing

FORMAT_VERSION = 1
CHECKOUT = pathlib.Path(__file__).parent.parent / "saved_models"

TASKS = {
    "answer_selection": "zoo.sentence_matching.task:AnswerSelection",
    "image_classification": "zoo.image_classification.task:ImageClassification",
    "sentence_matching": "zoo.sentence_matching.task:SentenceMatching",
    "text_classification": "zoo.text_classification.task:TextClassification",
}


class PresetError(ValueError):
    """A preset that is missing, altered, or of an unknown format."""


def task_class(name):
    """The class of a kind of task, imported when asked for."""
    if name not in TASKS:
        raise PresetError(
            f"The card's `task` must be one of {sorted(TASKS)}. "
            f"Received: task={name!r}"
        )
    module, attribute = TASKS[name].split(":")
    return getattr(importlib.import_module(module), attribute)


def load(name):
    """Loads a trained model.

    Args:
        name: A preset's name, or the path of a folder that `Task.save` wrote.

    Returns:
        A `Task`.

    Raises:
        PresetError: If there is no such preset (near names are listed), or
            one of its files is missing, altered or cut short.
    """
    folder = find(name)
    card = _read_card(folder)
    for file, digest in card["sha256"].items():
        _check(folder / file, digest)
    kind = task_class(card["task"])
    assets = {
        role: json.loads((folder / file).read_text("utf-8"))
        for role, file in card["assets"].items()
    }
    with _nothing_freed():
        model = keras.saving.load_model(folder / "model.keras", compile=False)
    return kind(model, card, assets)


def card(name):
    """The card of a preset, a dict: what it is, and what it reached.

    Args:
        name: A preset's name, or the path of a folder that `Task.save` wrote.

    Returns:
        Dict; the keys are in `saved_models/README.md`.

    Raises:
        PresetError: If there is no such preset.
    """
    return _read_card(find(name))


def list_models(task=None, filter=None):
    """Names of the trained models that are at hand or can be fetched.

    Args:
        task: Name of a task, such as `"image_classification"`; `None` is all.
        filter: Text that the name must hold, or a pattern such as `"se_*"`.

    Returns:
        Sorted list of strings.

    Raises:
        PresetError: If the task is unknown.
    """
    import fnmatch

    if task is not None and task not in TASKS:
        raise PresetError(
            f"`task` must be one of {sorted(TASKS)}. Received: task={task!r}"
        )
    found = {}
    for manifest in _manifests():
        found = {**manifest, **found}
    pattern = filter or "*"
    if not any(sign in pattern for sign in "*?["):
        pattern = f"*{pattern}*"
    return sorted(
        name
        for name, entry in found.items()
        if task in (None, entry["task"]) and fnmatch.fnmatch(name, pattern)
    )


def find(name):
    """The folder of a preset, fetched if it has to be.

    Args:
        name: A preset's name, or the path of a folder with a card.

    Returns:
        `pathlib.Path`.

    Raises:
        PresetError: If there is no such preset, or fetching fails.
    """
    name = str(name)
    if (pathlib.Path(name) / "card.json").is_file():
        return pathlib.Path(name)
    if name in _folders(CHECKOUT):
        return CHECKOUT / name
    if name in _folders(cache()):
        return cache() / name
    if url():
        offered = _remote_manifest()
        if name in offered:
            return _fetch(name, offered[name])
    known = list_models()
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.3)
    raise PresetError(
        "A model is loaded by the name of a preset, or by a folder with a "
        f"card.json. Received: name={name!r}; "
        f"{'near' if near else 'known'}: {near or known}"
    )


def save(task, folder):
    """Writes a task's folder: model, assets, golden answer and card.

    Args:
        task: A `Task`.
        folder: Path. A model that is there is replaced, at once, at the end.

    Returns:
        The `pathlib.Path` of the folder.

    Raises:
        PresetError: If the folder holds anything but a model.
    """
    from zoo.task import count_parameters, versions

    folder = pathlib.Path(folder).absolute()
    check_replaceable(folder)
    with replacing(folder) as part:
        part.mkdir()
        # Without the optimizer's state, which is as large as the weights.
        model = keras.Model(
            task.model.input, task.model.output, name=task.model.name
        )
        model.save(part / "model.keras")
        files = {role: f"{role}.json" for role in task.assets}
        for role, asset in task.assets.items():
            text = json.dumps(asset, indent=1, ensure_ascii=False)
            (part / files[role]).write_text(text + "\n", "utf-8")
        inputs = task.golden_inputs()
        outputs = keras.ops.convert_to_numpy(task.model(inputs, training=False))
        numbered = {
            f"input_{number}": array
            for number, array in enumerate(keras.tree.flatten(inputs))
        }
        np.savez_compressed(part / "golden.npz", **numbered, output_0=outputs)
        sealed = {
            "format_version": FORMAT_VERSION,
            "name": folder.name,
            **{k: v for k, v in task.card.items() if k != "name"},
            "parameters": count_parameters(task.model),
            "versions": versions(),
            "assets": files,
            "sha256": {
                path.name: _sha256(path) for path in sorted(part.iterdir())
            },
        }
        text = json.dumps(sealed, indent=1)
        (part / "card.json").write_text(text + "\n", "utf-8")
    task.card = sealed
    return folder


def check_replaceable(folder):
    """Refuses to write a model over anything but a model.

    Args:
        folder: Path.

    Raises:
        PresetError: If it is a file, or a folder with other things in it.
    """
    folder = pathlib.Path(folder)
    free = not folder.exists() or (folder / "card.json").is_file()
    if not free and (folder.is_file() or any(folder.iterdir())):
        raise PresetError(
            "A model is written to a new or empty folder, or over another "
            f"model: what is there is replaced. Received: {folder}"
        )


def write_manifest(folder=CHECKOUT):
    """Writes `manifest.json` from the cards of a folder of presets.

    Args:
        folder: Path of the folder.

    Returns:
        The manifest: a dict from name to what is needed to list and fetch.
    """
    folder = pathlib.Path(folder)
    manifest = {}
    for name in _folders(folder):
        made = _read_card(folder / name)
        manifest[name] = {
            "task": made["task"],
            "builder": made["builder"],
            "metrics": made["metrics"],
            "sha256": {
                **made["sha256"],
                "card.json": _sha256(folder / name / "card.json"),
            },
        }
    with replacing(folder / "manifest.json") as path:
        path.write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
    return manifest


def cache():
    """The folder of what was fetched."""
    home = os.environ.get("KERAS_ATTENTION_ZOO_HOME")
    return pathlib.Path(home or "~/.cache/keras-attention-zoo").expanduser()


def url():
    """Where presets are fetched from, or an empty string."""
    return os.environ.get("KERAS_ATTENTION_ZOO_URL", "").rstrip("/")


def _manifests():
    for folder in (CHECKOUT, cache()):
        yield {name: _read_card(folder / name) for name in _folders(folder)}
    if url():
        yield _remote_manifest()


def _folders(folder):
    if not folder.is_dir():
        return []
    return sorted(path.parent.name for path in folder.glob("[!.]*/card.json"))


@contextlib.contextmanager
def _nothing_freed():
    """Keeps layers that are dropped while a model is loaded.

    Keras tells the layers that `Bidirectional` copies by their address, and
    takes two for one when the second has the place of the first.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _read_card(folder):
    path = folder / "card.json"
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise PresetError(
            f"A preset needs a readable card.json. Received: {path} ({error})"
        ) from error
    if found.get("format_version") != FORMAT_VERSION:
        raise PresetError(
            f"The card's `format_version` must be {FORMAT_VERSION}; a newer "
            "one needs a newer keras-attention-zoo. Received: format_version="
            f"{found.get('format_version')} in {path}"
        )
    return found


def _remote_manifest():
    return json.loads(_download(f"{url()}/manifest.json"))


def _fetch(name, entry):
    with replacing(cache() / name) as part:
        part.mkdir()
        for file, digest in entry["sha256"].items():
            path = part / pathlib.PurePath(file).name
            path.write_bytes(
                _download(f"{url()}/{urllib.parse.quote(name)}/{path.name}")
            )
            _check(path, digest)
    return cache() / name


def _download(address):
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return answer.read()
    except (urllib.error.URLError, OSError) as error:
        raise PresetError(
            "Presets are fetched from KERAS_ATTENTION_ZOO_URL, which must "
            f"answer. Received: {address} ({error})"
        ) from error


def _check(path, digest):
    if not path.is_file():
        raise PresetError(
            f"A preset needs all the files of its card. Received: no {path}"
        )
    found = _sha256(path)
    if found != digest:
        raise PresetError(
            f"The file must be the one that its card names (SHA-256 {digest}); "
            "it is cut short or altered. Fetch it again. "
            f"Received: {path}, {path.stat().st_size} bytes, SHA-256 {found}"
        )


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
