"""A model's folder: read as if a stranger had written it, and written whole.

The folder holds `card.json`, `model.keras`, `golden.npz` and a JSON file for
each asset that the card names. It knows no task: what the numbers and the words
mean is for others to say. A card is read without Keras and NumPy, which take
seconds to import.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import stat

from zoo import cards
from zoo.atomic import check_unclaimed, replacing, sha256
from zoo.cards import PresetError
from zoo.writable import SMALL, check_writable

# What every model's folder has; beside them a `<role>.json` for each asset.
FILES = ("card.json", "golden.npz", "model.keras")

# Bytes of a file at most, by its ending.
LARGEST = {".json": 2**25, ".npz": 2**26, ".keras": 2**31}


def read_card(folder):
    """Reads and checks a card.

    Args:
        folder: `pathlib.Path`.

    Returns:
        Dict.

    Raises:
        PresetError: If it cannot be read, or says what no card may say.
    """
    path = folder / "card.json"
    return cards.check(cards.parse(read_file(path), path), path)


def read(folder):
    """Reads a model's folder, and checks every file.

    Args:
        folder: `pathlib.Path`.

    Returns:
        `(card, assets, weights)`: dict, dict from role to a JSON value, of
        which nothing is known but that it is one, and `zoo.weights.Stored`.

    Raises:
        PresetError: If a file is missing, altered, or not what it must be.
    """
    from zoo.weights import read_weights

    card = read_card(folder)
    found = {
        file: read_file(folder / file, digest)
        for file, digest in card["sha256"].items()
    }
    assets = {
        role: cards.parse(found[file], folder / file)
        for role, file in card["assets"].items()
    }
    path = folder / "model.keras"
    return card, assets, read_weights(found["model.keras"], path)


def read_file(path, digest=None):
    """The bytes of a file of a preset.

    Args:
        path: `pathlib.Path`.
        digest: SHA-256 that it must have, or `None`.

    Returns:
        Bytes.

    Raises:
        PresetError: If it is no plain file, a link, too large, or another one
            than its card names.
    """
    try:
        facts = path.lstat()
    except (OSError, ValueError) as error:
        raise PresetError(
            "A preset needs all the files of its card. "
            f"Received: no {path} ({error})"
        ) from error
    if not stat.S_ISREG(facts.st_mode):
        raise PresetError(
            "The files of a preset must be plain files, no links or folders. "
            f"Received: {path}"
        )
    if facts.st_size > LARGEST[path.suffix]:
        raise PresetError(
            f"{path.name} must have at most {LARGEST[path.suffix]:,} bytes. "
            f"Received: {path}, {facts.st_size:,} bytes"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PresetError(
            f"A preset needs a readable {path.name}. Received: {path} ({error})"
        ) from error
    if digest is not None:
        check_digest(data, digest, path)
    return data


def check_digest(data, digest, path):
    """Refuses bytes that are not those that a card or a manifest names.

    Args:
        data: Bytes.
        digest: Their SHA-256, in hexadecimal.
        path: Where they are from, for the error.

    Raises:
        PresetError: If they have another.
    """
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise PresetError(
            "The file must be the one that its card names (SHA-256 "
            f"{digest}); it is cut short or altered. Fetch it again. "
            f"Received: {path}, {len(data)} bytes, SHA-256 {found}"
        )


def write(part, card, model, assets, inputs, outputs):
    """Writes the files of a model into a new folder.

    Args:
        part: `pathlib.Path` of an empty folder.
        card: Dict: every key but `assets` and `sha256`.
        model: `keras.Model`, not compiled.
        assets: Dict from role to a JSON value.
        inputs: List of arrays, the golden ones.
        outputs: List of arrays, what the model answers to them.

    Returns:
        The card that was written, a dict.

    Raises:
        PresetError: If the card or an asset cannot be read again.
    """
    import numpy as np

    from zoo.weights import halve

    files = {role: f"{role}.json" for role in assets}
    card = {**cards.plain(card), "assets": files}
    if not all(map(cards.is_role, assets)):
        raise PresetError(
            "The role of an asset must have lower-case letters, digits and _ "
            f"only. Received: assets={list(assets)!r}"
        )
    model.save(part / "model.keras")
    halve(part / "model.keras")
    for role, asset in assets.items():
        text = json.dumps(
            cards.plain(asset, role), indent=1, ensure_ascii=False
        )
        data = text.encode("utf-8", "surrogatepass")
        (part / files[role]).write_bytes(data + b"\n")
    numbered = {f"input_{n}": array for n, array in enumerate(inputs)}
    numbered |= {f"output_{n}": array for n, array in enumerate(outputs)}
    np.savez_compressed(part / "golden.npz", **numbered)
    card["sha256"] = {
        path.name: sha256(path) for path in sorted(part.iterdir())
    }
    text = json.dumps(card, indent=1)
    (part / "card.json").write_text(text + "\n", "utf-8")
    return card


@contextlib.contextmanager
def replacing_model(folder, roles=()):
    """A temporary folder, which takes the place of a model if all goes well.

    Args:
        folder: `pathlib.Path`. Of what is there only the files that its card
            lists are replaced; the others stay.
        roles: As in `check_replaceable`.

    Yields:
        The `pathlib.Path` of the temporary folder, made and empty.

    Raises:
        PresetError: As `check_replaceable`.
    """
    listed = check_replaceable(folder, roles=roles)
    with replacing(folder, listed) as part:
        part.mkdir()
        yield part


def is_file_of_model(name):
    """Whether a name is one that a model's folder may have."""
    role, dot, ending = name.rpartition(".")
    return name in FILES or (ending == "json" and cards.is_role(role))


def check_replaceable(folder, size=SMALL, roles=()):
    """Refuses to write a model over anything but a model, or in vain.

    Args:
        folder: Path. It may be new, empty, or hold a model, beside which other
            files may lie.
        size: Integer. Bytes that the model will take, about.
        roles: Strings. Those of the assets that the model will have.

    Returns:
        Set of the names of the files in it that may be replaced.

    Raises:
        PresetError: If it is a file or a folder with other things in it, or if
            a file in the way is not the one that the model's card lists.
        OSError: If it cannot be written.
    """
    given, folder = folder, pathlib.Path(os.path.realpath(folder))
    if not os.path.lexists(folder):
        check_writable(given, size, is_folder=True)
        return set()
    if not folder.is_dir() or (
        any(folder.iterdir()) and not (folder / "card.json").is_file()
    ):
        raise PresetError(
            "A model is written to a new or empty folder, or over another "
            f"model: what is there is replaced. Received: {folder}"
        )
    if os.path.ismount(folder):
        raise PresetError(
            "A model's folder is replaced at once, which cannot be done where "
            "a file system is mounted; choose a folder in it. "
            f"Received: {folder}"
        )
    check_writable(given, size, is_folder=True)
    if not any(folder.iterdir()):
        return set()
    try:
        listed = read_card(folder)["sha256"]
    except PresetError as error:
        raise PresetError(
            "Only a model that this package wrote is replaced, which is told "
            f"by its card. Received: {folder}: {error}"
        ) from error
    others = {*FILES[1:], *(f"{role}.json" for role in roles), *listed}
    check_unclaimed(folder, others, listed, PresetError)
    return {"card.json", *listed}
