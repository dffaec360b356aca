"""What a card says: every key, its type, and which values are taken.

A card may come from a stranger, so nothing in it is believed before it was
checked here: it is data, never code, and its strings are never paths.
"""

import inspect
import json
import math
import re
import reprlib

FORMAT_VERSION = 1

# Policies of Keras that a network may be built in.
DTYPES = (
    "float32",
    "mixed_bfloat16",
    "mixed_float16",
    "bfloat16",
    "float16",
    "float64",
)

# Integers in the arguments of a network, by the argument's name, lowest and
# highest: far beyond any use, far below what exhausts a machine.
RANGES = {
    "blocks": (1, 200),
    "global_window": (1, 64),
    "input_shape": (1, 4096),
    "left_length": (1, 10_000),
    "length": (1, 10_000),
    "local_window": (1, 64),
    "mask_units": (0, 200),
    "modules": (0, 200),
    "num_blocks": (1, 200),
    "num_classes": (2, 100_000),
    "num_heads": (1, 1024),
    "num_layers": (1, 200),
    "outer_units": (0, 200),
    "rates": (1, 64),
    "right_length": (1, 10_000),
    "sentences": (1, 1000),
    "trunk_units": (0, 200),
    "vocabulary_size": (3, 5_000_000),
    "words": (1, 10_000),
}
ANY_RANGE = (-1000, 16_384)

MOST_ITEMS = 100  # of a list among those arguments
# Of lists with an entry for each column of a table.
MOST_COLUMNS = {"category_sizes": 10_000, "num_outputs": 1000}
DEEPEST = 20  # lists and dicts inside each other

_ROLE = re.compile(r"[a-z0-9_]{1,60}")
_WORD = re.compile(r"[A-Za-z0-9_]{1,60}")
_PATTERN = re.compile(r"[A-Za-z0-9_.*?/-]{1,60}")  # of names of layers
_DIGEST = re.compile(r"[0-9a-f]{64}")


class PresetError(ValueError):
    """A preset that is missing, altered, or not what a preset must be."""


def parse(data, path):
    """Reads JSON that anyone may have written.

    Args:
        data: Bytes.
        path: Where they are from, for the error.

    Returns:
        The value: dicts, lists, strings, numbers, booleans and `None`.

    Raises:
        PresetError: If it is not JSON in UTF-8, a key stands twice, a number is
            not finite, a string is not valid Unicode, or it is nested deeper
            than `DEEPEST`.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_without_doubles,
            parse_constant=_no_number,
        )
        _check_plain(value)
    except (ValueError, RecursionError) as error:
        raise PresetError(
            f"{_file(path)} must be readable JSON in UTF-8: each key once, "
            "finite numbers, valid Unicode, not nested too deeply. "
            f"Received: {path} ({type(error).__name__}: {error})"
        ) from error
    return value


def check(card, path):
    """Checks every key of a card.

    Args:
        card: What `parse` read.
        path: Where it is from, for the errors.

    Returns:
        The card, a dict, with the keys that it may leave out.

    Raises:
        PresetError: If a key is missing, or its value is not what it must be.
    """
    if not isinstance(card, dict):
        raise _refused("the card", "an object", card, path)
    version = card.get("format_version")
    if not _integer(version) or version != FORMAT_VERSION:
        raise PresetError(
            f"The card's `format_version` must be {FORMAT_VERSION}; a newer "
            "one needs a newer keras-attention-zoo. Received: format_version="
            f"{shown(version)} in {path}"
        )
    card = {"recipe": {}, "data": {"name": None}, "metrics": {}, **card}
    for key, (test, what) in _KEYS.items():
        if key not in card:
            raise PresetError(
                f"The card must have the key `{key}`, {what}. "
                f"Received: no {key} in {path}"
            )
        if not test(card[key]):
            raise _refused(f"the card's `{key}`", what, card[key], path)
    for key, (test, what) in _OPTIONAL_KEYS.items():
        if key in card and not test(card[key]):
            raise _refused(f"the card's `{key}`", what, card[key], path)
    files = {"model.keras", "golden.npz", *card["assets"].values()}
    if set(card["sha256"]) != files:
        raise PresetError(
            "The card's `sha256` must list each file that a model has, and no "
            f"other: {sorted(files)}. Received: "
            f"sha256 of {shown(sorted(card['sha256']))} in {path}"
        )
    return card


def check_strings(asset, role):
    """Checks what a role's file holds: labels, or a vocabulary.

    Args:
        asset: What `parse` read.
        role: String. Its role.

    Returns:
        List of distinct strings.

    Raises:
        PresetError: If it is anything else.
    """
    if (
        not isinstance(asset, list)
        or not asset
        or not all(isinstance(item, str) for item in asset)
        or len(set(asset)) < len(asset)
    ):
        raise PresetError(
            f"`{role}.json` must be a list of distinct strings. "
            f"Received: {shown(asset)}"
        )
    return asset


def arguments_of(builder):
    """The arguments of a network that a card may have.

    Args:
        builder: The function that builds the network.

    Returns:
        List of strings: all but `name`, where that has a default, which is what
        the model is called; without one, a network is built by it.
    """
    return [
        parameter.name
        for parameter in inspect.signature(builder).parameters.values()
        if parameter.name != "name" or parameter.default is parameter.empty
    ]


def check_arguments(builder, arguments, path):
    """Checks the arguments of a network before anything is built.

    Args:
        builder: The function that builds the network.
        arguments: Dict, the card's `builder_args`.
        path: Where they are from, for the errors.

    Raises:
        PresetError: If an argument is unknown or missing, no plain value, or
            out of its range.
    """
    known = arguments_of(builder)
    if unknown := sorted(set(arguments) - set(known)):
        raise PresetError(
            "The card's `builder_args` must be arguments of "
            f"{builder.__name__}: {sorted(known)}. "
            f"Received: builder_args[{shown(unknown[0])}] in {path}"
        )
    try:
        inspect.signature(builder).bind(**arguments)
    except TypeError as error:
        raise PresetError(
            "The card's `builder_args` must have each argument that "
            f"{builder.__name__} needs. Received: {error} in {path}"
        ) from error
    for name, value in arguments.items():
        # What an attention layer takes is one level further down.
        inner = value.items() if isinstance(value, dict) else [(name, value)]
        for key, item in inner:
            _check_argument(str(key), item, f"builder_args[{name!r}]", path)


def is_role(text):
    """Whether a string can be the role of an asset, and so name its file."""
    return bool(_ROLE.fullmatch(text)) and text != "card"


def plain(value, key="the card"):
    """A value as JSON can hold it.

    Args:
        value: What a card is to hold.
        key: Its name, for the error.

    Returns:
        Dicts with string keys, lists, strings, numbers, booleans and `None`;
        numbers that are not finite become `None`.

    Raises:
        PresetError: If something else is inside, such as a function.
    """
    if isinstance(value, dict):
        return {str(k): plain(item, str(k)) for k, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, key) for item in value]
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()  # NumPy's
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise PresetError(
        "A card holds plain values: strings, numbers, booleans, lists and "
        "dicts. A model is loaded from them, so a network with a layer that "
        "is only in your program is saved by `task.model.save(file)` and "
        f"loaded by your program. Received: {key}={shown(value)}"
    )


def is_finite(value):
    """Whether a foreign value is a finite number, and no boolean."""
    try:
        return _number(value) and math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def shown(value):
    """A foreign value, short and without control characters."""
    return _SHORT.repr(value)


def _check_argument(name, value, place, path):
    lowest, highest = RANGES.get(name, ANY_RANGE)
    word = _PATTERN if name == "where" else _WORD
    if isinstance(value, list):
        most = MOST_COLUMNS.get(name, MOST_ITEMS)
        if len(value) > most:
            raise _refused(
                f"`{name}` in the card's `{place}`",
                f"a list of at most {most:,}",
                value,
                path,
            )
        items = value
    else:
        items = [value]
    for item in items:
        if _integer(item):
            taken = lowest <= item <= highest
            what = f"an integer from {lowest} to {highest}"
        else:
            taken = (
                item is None
                or isinstance(item, bool)
                or (isinstance(item, float) and abs(item) <= 1e6)
                or (isinstance(item, str) and word.fullmatch(item))
            )
            what = "a plain value: a number, a word, true, false or null"
        if not taken:
            raise _refused(
                f"`{name}` in the card's `{place}`", what, item, path
            )


def _check_plain(value, depth=0):
    if depth > DEEPEST:
        raise ValueError(f"more than {DEEPEST} levels")
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, float):
        if not math.isfinite(value):
            _no_number(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            key.encode()
            _check_plain(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_plain(item, depth + 1)


def _without_doubles(pairs):
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_number(name):
    raise ValueError(f"{name} is not finite")


def _refused(key, what, value, path):
    name = key[0].upper() + key[1:]
    return PresetError(
        f"{name} must be {what}. Received: {shown(value)} in {path}"
    )


def _file(path):
    return str(path).rsplit("/", 1)[-1]


def _integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value):
    return _integer(value) or isinstance(value, float)


def _text(value):
    return isinstance(value, str) and 0 < len(value) <= 255


def _dict(value):
    return isinstance(value, dict)


def _files(value):
    return _dict(value) and all(
        is_role(role) and file == f"{role}.json" for role, file in value.items()
    )


def _digests(value):
    return _dict(value) and all(
        isinstance(digest, str) and _DIGEST.fullmatch(digest)
        for digest in value.values()
    )


def _metrics(value):
    return _dict(value) and all(
        _dict(found)
        and (found.get("value") is None or _number(found["value"]))
        and (found.get("std") is None or _number(found["std"]))
        and isinstance(found.get("seeds") or [], list)
        and _integer(found.get("n"))
        for found in value.values()
    )


def _data(value):
    return (
        _dict(value)
        and all(
            item is None or isinstance(item, str)
            for item in map(
                value.get, ("name", "place", "test_sha256", *_HOW_READ)
            )
        )
        and _columns(value.get("columns"))
    )


def _columns(value):
    return value is None or (
        _dict(value)
        and len(value) <= MOST_ITEMS
        and all(_text(key) and _text(name) for key, name in value.items())
    )


def _recipe(value):
    return (
        _dict(value)
        and _dict(value.get("training", {}))
        and isinstance(value.get("command", ""), str)
        and isinstance(value.get("log", []), list)
        and all(
            _dict(epoch) and _number(epoch.get("seconds"))
            for epoch in value.get("log", [])
        )
    )


def _parameters(value):
    return (
        _dict(value)
        and _integer(value.get("trainable"))
        and _integer(value.get("total"))
    )


# How the table at a place is read; `zoo.Table` checks what it is given.
_HOW_READ = ("delimiter", "encoding")
_NAME = (_text, "a string of 1 to 255 characters")
_OBJECT = (_dict, "an object")
_KEYS = {
    "name": _NAME,
    "task": _NAME,
    "builder": _NAME,
    "builder_args": _OBJECT,
    "preprocessing": _OBJECT,
    "recipe": (
        _recipe,
        "an object, whose `training` is an object, `command` a string and "
        "`log` a list of objects with `seconds`",
    ),
    "data": (
        _data,
        "an object; name, place, delimiter, encoding and test_sha256 are "
        "strings, columns an object of those",
    ),
    "metrics": (_metrics, "an object of objects with `value` and `n`, numbers"),
    "parameters": (_parameters, "an object with `trainable` and `total`"),
    "versions": _OBJECT,
    "assets": (
        _files,
        "an object from role to file: a role has lower-case letters, digits "
        "and _ only, and its file is <role>.json",
    ),
    "sha256": (_digests, "an object from file to its SHA-256, 64 hex digits"),
}
_OPTIONAL_KEYS = {
    "dtype": (
        lambda value: isinstance(value, str) and value in DTYPES,
        f"one of {DTYPES}",
    ),
    "frozen_layers": (
        lambda value: isinstance(value, list) and all(map(_text, value)),
        "a list of names of layers",
    ),
    "postprocessing": _OBJECT,
    "exports": _OBJECT,
}

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80
