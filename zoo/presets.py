"""Presets: where trained models are found, fetched and made from.

A preset is a folder: `card.json`, `model.keras`, `golden.npz` and the assets
that the card names. It is looked for among those that come with the package,
then in the cache, then at a URL. It may be a stranger's: its files are data,
checked by `zoo.folder`, and its network is built by this package's own code.
What is missing or altered raises; nothing falls back to random weights.
"""

import difflib
import fnmatch
import http.client
import json
import os
import pathlib
import re
import urllib.parse
import urllib.request
import warnings

from zoo import cards, catalogue
from zoo import folder as folders
from zoo.atomic import replacing, sha256
from zoo.cards import PresetError as PresetError
from zoo.folder import check_replaceable as check_replaceable

# A wheel carries the folder inside the package, a checkout beside it.
_CARRIED = pathlib.Path(__file__).parent / "saved_models"
_BESIDE = pathlib.Path(__file__).parent.parent / "saved_models"
CHECKOUT = _CARRIED if _CARRIED.is_dir() else _BESIDE

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


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
    from zoo import saving  # Keras, which a list of models does not need

    return saving.load(find(name))


def card(name):
    """The card of a preset, a dict: what it is, and what it reached.

    Args:
        name: A preset's name, or the path of a folder that `Task.save` wrote.

    Returns:
        Dict; the keys are in `saved_models/README.md`.

    Raises:
        PresetError: If there is no such preset.
    """
    return folders.read_card(find(name))


def replaced(folder):
    """What is said before a training that will replace a model.

    Args:
        folder: Path of the model.

    Returns:
        String.
    """
    return f"{folder}: the model there is replaced when this one is trained"


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
    if task is not None and task not in catalogue.TASKS:
        raise PresetError(
            f"`task` must be one of {sorted(catalogue.TASKS)}. "
            f"Received: task={task!r}"
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


def check_name(name):
    """Raises PresetError unless a model can be called that."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise PresetError(
            "A model's name must have 1 to 100 letters, digits, _, . and - "
            "only, the first no mark; where it goes says `folder`. "
            f"Received: name={cards.shown(name)}"
        )


def find(name):
    """The folder of a preset, fetched if it has to be.

    Args:
        name: A preset's name, or the path of a folder with a card. A string
            that is the name of both is refused; `./name` is the folder.

    Returns:
        `pathlib.Path`.

    Raises:
        PresetError: If there is no such preset or folder, or fetching fails.
    """
    if not isinstance(name, (str, os.PathLike)):
        raise PresetError(
            "`name` must be a preset's name or a folder containing card.json. "
            f"Received: name={cards.shown(name)}"
        )
    folder = pathlib.Path(name)
    here = (folder / "card.json").is_file()
    if isinstance(name, os.PathLike) or os.path.basename(name) != name:
        if not here:
            raise PresetError(
                "`name` must be a preset's name or a folder containing "
                f"card.json. Received: name={str(name)!r}, which has none"
            )
        return folder
    others = [home / name for home in (CHECKOUT, cache())]
    if here and any(
        (other / "card.json").is_file() and not other.samefile(folder)
        for other in others
    ):
        raise PresetError(
            "A name must be either that of a preset or of a folder, and this "
            f"is both; write ./{name} for what lies here, or go where nothing "
            f"of that name lies. Received: name={name!r}"
        )
    if here:
        return folder
    if name in _folders(CHECKOUT):
        return CHECKOUT / name
    why = None
    if name in _folders(cache()):
        try:
            return _whole(cache() / name)
        except PresetError as error:
            why = error
    if url():
        offered = _remote_manifest()
        if name in offered:
            return _fetch(name, offered[name])
    if why is not None:
        raise why
    known = list_models()
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.3)
    raise PresetError(
        "`name` must be a preset's name or a folder containing card.json. "
        f"Received: name={name!r}; "
        f"{'near' if near else 'known'}: {near or known}"
    )


def write_manifest(folder=CHECKOUT):
    """Writes `manifest.json` from the cards of a folder of presets.

    Args:
        folder: Path of the folder.

    Returns:
        The manifest: a dict from name to what is needed to list and fetch.
    """
    folder = pathlib.Path(folder)
    check_manifest(folder)
    manifest = {}
    for name, made in _cards(folder).items():
        manifest[name] = {
            "task": made["task"],
            "builder": made["builder"],
            "metrics": made["metrics"],
            "sha256": {
                **made["sha256"],
                "card.json": sha256(folder / name / "card.json"),
            },
        }
    with replacing(folder / "manifest.json") as path:
        path.write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
    return manifest


def check_manifest(folder):
    """Refuses to write a manifest over a file that is none.

    Args:
        folder: Path.

    Raises:
        PresetError: If `manifest.json` there is something else.
    """
    path = pathlib.Path(folder) / "manifest.json"
    if os.path.lexists(path):
        try:
            _checked_manifest(folders.read_file(path), path)
        except PresetError as error:
            raise PresetError(
                "Only a manifest that this package wrote is replaced; move "
                f"this file away or choose another folder. Received: {error}"
            ) from error


def cache():
    """The folder of what was fetched."""
    home = os.environ.get("KERAS_ATTENTION_ZOO_HOME")
    return pathlib.Path(home or "~/.cache/keras-attention-zoo").expanduser()


def url():
    """Where presets are fetched from, or an empty string."""
    return os.environ.get("KERAS_ATTENTION_ZOO_URL", "").rstrip("/")


def _manifests():
    for folder in (CHECKOUT, cache()):
        yield _cards(folder)
    if url():
        yield _remote_manifest()


def _cards(folder):
    """Name -> card of each preset; those that cannot be read are named."""
    found = {}
    for name in _folders(folder):
        try:
            found[name] = folders.read_card(folder / name)
        except PresetError as error:
            warnings.warn(f"Left out, unreadable: {error}", stacklevel=2)
    return found


def _folders(folder):
    if not folder.is_dir():
        return []
    return sorted(path.parent.name for path in folder.glob("[!.]*/card.json"))


def _whole(folder):
    """A folder in the cache, if its card and all of its files are there."""
    for file in folders.read_card(folder)["sha256"]:
        if not (folder / file).is_file():
            raise PresetError(
                "A preset needs all the files of its card. "
                f"Received: no {folder / file}"
            )
    return folder


def _remote_manifest():
    address = f"{url()}/manifest.json"
    return _checked_manifest(_download(address), address)


def _checked_manifest(data, path):
    manifest = cards.parse(data, path)
    if not isinstance(manifest, dict):
        raise PresetError(
            "A manifest must be an object from name to preset. "
            f"Received: {cards.shown(manifest)} in {path}"
        )
    for name, entry in manifest.items():
        if (
            not _NAME.fullmatch(name)
            or not isinstance(entry, dict)
            or not isinstance(entry.get("task"), str)
            or not isinstance(entry.get("sha256"), dict)
            or not {"card.json", "model.keras"} <= set(entry["sha256"])
            or not all(map(folders.is_file_of_model, entry["sha256"]))
            or not all(isinstance(x, str) for x in entry["sha256"].values())
        ):
            raise PresetError(
                "An entry of a manifest must have a plain name, `task`, a "
                "string, and `sha256`, an object whose keys are files of a "
                f"model. Received: {cards.shown(name)}: "
                f"{cards.shown(entry)} in {path}"
            )
    return manifest


def _fetch(name, entry):
    with folders.replacing_model(cache() / name) as part:
        for file, digest in entry["sha256"].items():
            address = f"{url()}/{urllib.parse.quote(name)}/{file}"
            data = _download(address)
            folders.check_digest(data, digest, address)
            (part / file).write_bytes(data)
        folders.read(part)
    return cache() / name


def _download(address):
    largest = folders.LARGEST[pathlib.PurePosixPath(address).suffix]
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            data = answer.read(largest + 1)
    except (ValueError, OSError, http.client.HTTPException) as error:
        raise PresetError(
            "Presets are fetched from KERAS_ATTENTION_ZOO_URL, which must "
            f"answer. Received: {address} ({error})"
        ) from error
    if len(data) > largest:
        raise PresetError(
            f"A file of a preset must have at most {largest:,} bytes. "
            f"Received: more at {address}"
        )
    return data
