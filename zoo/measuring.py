"""Measuring: on which data, and what a card and a checkpoint say of them."""

import os
import pathlib
import warnings

from zoo import training
from zoo.data import sources
from zoo.data.table_source import OPTIONS, Table


def to_measure(task, data=None):
    """The data to measure on, with a warning if the card's own changed.

    Args:
        task: A `zoo.task.Task`.
        data: What its `read` takes; `None` is what `own_test` gives.

    Returns:
        As `read`.
    """
    if data is not None:
        return task.read(data, "test")
    test = own_test(task)
    stated = task.card["data"].get("test_sha256")
    if stated is not None and (found := test.sha256()) != stated:
        warnings.warn(
            "The test data are not those of the card, so the metrics need "
            "not agree with it: their SHA-256 is another. Received: "
            f"{found} of {test.name!r}, card's test_sha256={stated}",
            stacklevel=3,
        )
    return test


def own_test(task):
    """The test part of the data that a model was trained on, by its card.

    Args:
        task: A `zoo.task.Task`.

    Returns:
        As `read`. Their `sha256` says whether they are still the same.

    Raises:
        FileNotFoundError: If nothing is at the place on the card.
        ValueError: If what is there, or of that name, cannot be read.
    """
    card = task.card["data"]
    name, place = card.get("name"), card.get("place")
    rule = (
        "Without `data`, those that the model was trained on must be at "
        f"hand {'by the name' if place is None else 'at the place'} on its "
        "card; pass them as `data`. Received: "
    )
    source = sources.Known(name)
    if place is not None:
        source = _at_place(place)
        if source is None:
            raise FileNotFoundError(
                f"{rule}place={place!r}, no such file or folder"
            )
    asked = {key: card[key] for key in OPTIONS if card.get(key) is not None}
    try:
        if place is not None and asked:
            source = Table(source, **asked)
        return task.read(source, "test")
    except (ValueError, OSError) as error:
        raise ValueError(
            f"{rule}card's data={place or name!r}: {error}"
        ) from error


def _at_place(place):
    """What is at the place on a card, or `None`; a comma parts two."""
    path = os.path.expanduser(place)
    if os.path.exists(path):
        return pathlib.Path(path)
    paths = list(map(os.path.expanduser, place.split(",")))
    there = len(paths) == 2 and all(map(os.path.exists, paths))
    return ",".join(paths) if there else None


def said(task, data, batch_size=250, verbose=0):
    """What the model says of data that `read` gave.

    Args:
        task: A `zoo.task.Task`, of which this is a method.
        data: As `read` gives them.
        batch_size: As in `evaluate`.
        verbose: As in `evaluate`.

    Returns:
        `(outputs, data)`: the final tensors, or what the output's `condense`
        keeps of each batch's, where all would be too many; and the data as
        `select` of the output gives them.
    """
    data = task.output.select(data)
    keep = None
    if condense := getattr(task.output, "condense", None):
        batch_size = min(batch_size, task.output.most_at_once)

        def keep(outputs, indices):
            return condense(outputs, data.take(indices))

    outputs, _ = task.run(
        task.input.reader(data),
        len(data),
        batch_size,
        verbose=1 if verbose == "auto" else verbose,
        keep=keep,
    )
    return outputs, data


def check_readable(task, test):
    """Raises where data to measure on cannot be read: before a training.

    Args:
        task: A `zoo.task.Task`.
        test: The data, as `read` gives them.

    Raises:
        ValueError: If an example cannot be read, such as a broken image.
        FileNotFoundError: If a file is gone.
    """
    task.input.reader(test)
    test.sha256()  # reads every file


def note(task, results, test):
    """Notes on the card what was reached, and on which data.

    Args:
        task: A `zoo.task.Task`.
        results: As its `evaluate` gives them.
        test: The data, as `read` gives them.
    """
    card = task.card["data"]
    card.update(test_split=test.split, test_sha256=test.sha256())
    if test.place is not None:
        for key in OPTIONS:
            card.pop(key, None)
        card.update(test.placed())
    task.card["metrics"] = {
        metric: {
            "value": value,
            "seeds": [task.card["recipe"]["training"]["seed"]],
            "std": None,
            "n": task.count(metric, test),
        }
        for metric, value in results.items()
    }
    if hasattr(task.output, "signatures"):  # how some of them are computed
        for metric, signature in task.output.signatures(test).items():
            task.card["metrics"][metric]["signature"] = signature


def digests(task, data, validation):
    """What a checkpoint goes on with only, beside its recipe.

    Args:
        task: A `zoo.task.Task`.
        data: What is learned from.
        validation: What is measured on meanwhile, or `None`.

    Returns:
        Dict of JSON values.
    """
    return {
        "data_sha256": data.sha256(),
        "validation_sha256": None
        if validation is None
        else validation.sha256(),
        "start_sha256": training.weights_digest(task.model),
        # Weights that are drawn alike may be those of other networks.
        "network": {
            key: task.card[key]
            for key in ("builder", "builder_args", "preprocessing")
            if key in task.card
        },
        "answers": task.output.assets(),
    }
