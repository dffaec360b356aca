"""From scratch: a network of the catalogue, for data that no preset knows."""

import copy
import difflib
import inspect
import json

import keras

from zoo import backbones, catalogue, saving
from zoo.cards import PresetError, arguments_of
from zoo.plan import checked_image_size, enough_epochs

STEPS = 1000  # about as many, of small data too


def new(task, network, data, targets=None, seed=0, dtype=None, **sizes):
    """Makes a model that has learned nothing yet, ready for `fit`.

    What a model takes from its data is taken from their training part: the
    classes, the vocabulary, the length of most texts, the means of numbers, the
    size of images.

    Args:
        task: String, a key of `zoo.catalogue.TASKS`, such as
            `"text_classification"`.
        network: String, the name of a network of that task, such as
            `"transformer_classifier"`.
        data: What the task's `read` takes: a name, a path, arrays, ...
        targets: List of columns to be answered, or a string with commas; for
            tables.
        seed: Integer. Seed of the weights.
        dtype: Name of a dtype policy, `None` for Keras's global one.
        **sizes: Arguments of the network in place of those that
            `zoo.catalogue.from_scratch` has, such as `embedding_dim=64`; and of
            what it reads and says: `vocabulary_size` (at most), `length` and
            `keep` of texts, `image_size` and `channels` of images,
            `target_length` and `beams` of captions and translations, and of
            these `shared`, whether both languages have one vocabulary.

    Returns:
        A `zoo.task.Task`. Its `fit` has by default the options of a training
        that `zoo.catalogue.from_scratch` has, and `zoo.plan.enough_epochs`.

    Raises:
        ValueError: If there is no such task, network or argument, or the data
            cannot be learned from.
        FileNotFoundError: If there is no such file or folder.

    Example:

    >>> texts = ["a fine day", "a fine night", "a poor day", "a poor night"]
    >>> data = texts, ["good", "good", "bad", "bad"]
    >>> task = new("text_classification", "recurrent_classifier", data, units=4)
    >>> task.input.tokens.vocabulary
    ['a', 'day', 'fine', 'night', 'poor']
    >>> log = task.fit(data, epochs=20, batch_size=2, verbose=0)
    >>> len(log)
    20
    """
    recipe = recipe_of(task, network, sizes)
    kind = saving.task_class(task)
    chosen = chosen_targets(kind, targets)
    train = kind.read(data, "train", **chosen)
    keras.utils.set_random_seed(seed)
    made = untrained(kind, recipe, kind.learn(train, recipe), dtype)
    check_asked(made, recipe["asked"])
    made.card["data"] = train.describe()
    made.training = {**recipe["training"], "seed": seed}
    made.training["epochs"] = epochs_of(recipe, len(train))
    return made


def untrained(kind, recipe, learned, dtype=None):
    """A task as `zoo.task.Task.untrained` builds it.

    Args:
        kind: A subclass of `zoo.task.Task`.
        recipe: Dict, as `recipe_of` gives it, or one with its data.
        learned: `(input, output)`, as `kind.learn` gives them.
        dtype: As in `new`.

    Returns:
        A `zoo.task.Task`.

    Raises:
        ValueError: If the network cannot be built. Where the data said at
            which size images are read, the error says how to choose another.
    """
    try:
        return kind.untrained(recipe, *learned, dtype=dtype)
    except ValueError as error:
        said = "input_shape" in recipe["builder_args"]
        if said or "input_shape=" not in str(error):
            raise
        raise ValueError(
            "`image_size`, which by default is that of small images, must be "
            f"one that {recipe['builder']} can read; choose it, in a shell by "
            f'--set "image_size=[96,96]": {error}'
        ) from error


def epochs_of(recipe, count):
    """How often a network from scratch reads its data.

    Args:
        recipe: Dict, as `recipe_of` gives it.
        count: Positive integer. How many examples there are.

    Returns:
        Positive integer, at least the recipe's.
    """
    training, steps = recipe["training"], recipe.get("steps", STEPS)
    return enough_epochs(
        count, training["batch_size"], training["epochs"], steps
    )


def recipe_of(task, network, sizes):
    """The recipe of a network for data that are not known.

    Args:
        task: As in `new`.
        network: As there.
        sizes: Dict, as there.

    Returns:
        Dict, as those in `zoo.recipes.RECIPES`, without `data`. Its `asked` has
        those of the `sizes` that are arguments of the network.

    Raises:
        ValueError: As there.
    """
    if task not in catalogue.TASKS:
        raise PresetError(_unknown("`task`", "task", task, catalogue.TASKS))
    networks = catalogue.networks(task)
    if network not in networks:
        raise PresetError(
            _unknown(f"`network` of {task}", "network", network, networks)
        )
    recipe = {
        "task": task,
        "builder": network,
        **copy.deepcopy(catalogue.from_scratch(task)[network]),
        "asked": {},
    }
    kind = saving.task_class(task)
    own, others = (
        {name for each in functions for name in arguments_of(each)}
        for functions in ([networks[network]], networks.values())
    )
    choices = kind.input.choices | kind.output.choices
    # Of the others' arguments none is meant.
    known = own | (choices.keys() - others)
    for name, value in sizes.items():
        if name not in known:
            raise ValueError(
                _unknown(f"An argument of {network}", "argument", name, known)
            )
        if name == "image_size":
            value = checked_image_size(value)
        if name in choices:
            part, key = choices[name]
            recipe.setdefault(part, {})[key] = value
        else:
            recipe["builder_args"][name] = value
            recipe["asked"][name] = value
    image, arguments = recipe.get("image", {}), recipe["builder_args"]
    if image.get("image_size") == "own":  # that of a backbone
        image["image_size"] = backbones.own_size(arguments["name"])
        if "input_shape" in arguments:
            del image["image_size"]
    return recipe


def chosen_targets(kind, targets):
    """What a task's `read` is told of the columns to be answered.

    Args:
        kind: A subclass of `zoo.task.Task`.
        targets: List of strings, a string with commas, or `None`.

    Returns:
        Dict of arguments.

    Raises:
        ValueError: If they are given to a task that reads none.
    """
    if targets is None:
        return {}
    if "targets" not in inspect.signature(kind.read).parameters:
        raise ValueError(
            "`targets` are columns of a table of the task `multi_task`. "
            f"Received: targets={targets!r}, task={kind.name!r}"
        )
    if isinstance(targets, str):
        targets = [column.strip() for column in targets.split(",")]
    return {"targets": list(targets)}


def check_asked(task, asked):
    """Raises where the data say otherwise than was asked.

    Args:
        task: A `zoo.task.Task`, built.
        asked: Dict of arguments of its network.

    Raises:
        ValueError: If there is one that follows from the data.
    """
    for key, value in asked.items():
        own = task.card["builder_args"][key]
        if json.dumps(own) != json.dumps(value):
            raise ValueError(
                f"`{key}` follows from the data: {own!r} here. "
                f"Received: {key}={value!r}"
            )


def _unknown(what, word, name, known):
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    return (
        f"{what} must be one of {sorted(known)}. Received: {word}={name!r}"
        + (f"; near: {near}" if near else "")
    )
