"""Recipes: how presets are made, so that `zoo train NAME` makes them again."""

import copy
import difflib
import inspect
import json
import pathlib
import shlex

import keras

from zoo import (
    backbones,
    catalogue,
    layer_groups,
    presets,
    saving,
    training,
)
from zoo.data import sources
from zoo.data.table_source import Table, as_table
from zoo.plan import Plan

RECIPES = catalogue.recipes()


def train(
    name,
    folder="saved_models",
    runs="runs",
    resume=True,
    data_note=None,
    seed=None,
    epochs=None,
    learning_rate=None,
    freeze=None,
    dtype=None,
    tensorboard=False,
    vectors=None,
    data=None,
    targets=None,
    builder_args=None,
    backbone_weights=None,
    verbose=None,
    found=None,
):
    """Trains a preset by its recipe, measures it and writes its folder.

    Args:
        name: A name in `zoo.recipes.RECIPES`.
        folder: Path. The preset goes to `<folder>/<name>`, and the folder's
            manifest is written anew.
        runs: Path. The checkpoint and the log go to `<runs>/<name>`; called
            again after a kill, the training goes on from there.
        resume: Boolean. Whether to go on from that checkpoint.
        data_note: String for the card, where the data at hand are not the
            official copy.
        seed: Integer, in place of the recipe's.
        epochs: Positive integer, in place of the recipe's.
        learning_rate: Positive float, in place of the recipe's.
        freeze: What stays as it is, as `zoo.plan.Plan` takes it, in place of
            the recipe's.
        dtype: Name of a dtype policy, `None` for Keras's global one.
        tensorboard: Boolean. Whether to write events for TensorBoard.
        vectors: Path of a file of word vectors as GloVe and word2vec are given
            out, in place of the recipe's; for models of pairs.
        data: Name or path of data, or a `zoo.Table` of a path, in place of the
            recipe's.
        targets: List of columns to be answered, or a string with commas; for
            tables.
        builder_args: Dict, arguments of the network in place of the recipe's,
            such as `{"backbone": "ResNet50", "input_shape": [224, 224, 3]}`.
        backbone_weights: As `zoo.backbones.load_backbone_weights` takes them,
            in place of the recipe's; for networks with a `backbone`.
        verbose: As in `zoo.training.fit`.
        found: As in `follow`.

    Returns:
        The trained `Task`, whose card holds what it reached.

    Raises:
        PresetError: If there is no such recipe.
        ValueError: If `vectors`, `targets` or `backbone_weights` are given to
            a recipe that takes none, or another argument is none of the above.
        ImportError: If `tensorboard` is asked for and not installed.
        OSError: If one of the two folders cannot be written.
    """
    recipe = copy.deepcopy(find(name))
    kind = saving.task_class(recipe["task"])
    command = ["zoo", "train", name]
    if data is not None:
        table = as_table(data) or Table(data)
        if table.in_memory:
            raise ValueError(
                "`data` must be a name or a place, so that the command on the "
                "card makes the same model again; what is in memory is for "
                "`finetune`. Received: data of type "
                f"{type(table.source).__name__}"
            )
        recipe["data"] = str(table.source)
        command += ["--data", str(table.source)]
        if table.asked():
            recipe["table"] = table.asked()
            command += _of_table(**table.asked())
    elif pathlib.PurePath(recipe["data"]).name == recipe["data"]:
        recipe["data"] = sources.Known(recipe["data"])  # whatever lies here
    if targets is not None:
        if "targets" not in inspect.signature(kind.read).parameters:
            raise ValueError(
                "`targets` are columns of a table, which this recipe does not "
                f"read. Received: targets={targets!r}, name={name!r}"
            )
        if isinstance(targets, str):
            targets = [column.strip() for column in targets.split(",")]
        recipe["targets"] = list(targets)
        command += ["--targets", ",".join(targets)]
    if vectors is not None:
        if "vectors" not in recipe:
            raise ValueError(
                "This recipe does not use word vectors. "
                f"Received: vectors={str(vectors)!r}, name={name!r}"
            )
        recipe["vectors"] = str(vectors)
        command += ["--vectors", str(vectors)]
    recipe["asked"] = _known(recipe, builder_args or {})
    for key, value in recipe["asked"].items():
        recipe["builder_args"][key] = value
        command += ["--set", f"{key}={_shell(value)}"]
    if backbone_weights is not None:
        if not recipe["builder_args"].get("backbone"):
            raise ValueError(
                "`backbone_weights` are for a network with a `backbone`, which "
                "`builder_args` may name. Received: "
                f"backbone_weights={str(backbone_weights)!r}, name={name!r}"
            )
        backbones.check_weights(backbone_weights)
        if backbone_weights != "imagenet":  # of which name a file may be too
            backbone_weights = pathlib.Path(backbone_weights).absolute()
        recipe["backbone_weights"] = str(backbone_weights)
        # The card names no path.
        command += ["--backbone-weights", pathlib.Path(backbone_weights).name]
    for option, value in (
        ("seed", seed),
        ("epochs", epochs),
        ("learning_rate", learning_rate),
        ("freeze", freeze),
    ):
        if value is not None:
            recipe["training"][option] = value
            words = (
                ",".join(value) if isinstance(value, (list, tuple)) else value
            )
            command += [f"--{option.replace('_', '-')}", str(words)]
    if dtype is not None:
        recipe["training"]["dtype"] = dtype
        command += ["--dtype", dtype]
    if data_note is not None:
        command += ["--data-note", data_note]
    Plan(**recipe["training"])  # refused before data are read
    training.check_tensorboard(tensorboard, runs)

    # Before the training: what is in the way would be in the way after it.
    roles = (*kind.input.roles, *kind.output.roles)
    presets.check_replaceable(pathlib.Path(folder) / name, roles=roles)
    presets.check_manifest(folder)
    training.check_folder(pathlib.Path(runs) / name)
    task = follow(
        recipe,
        dtype=dtype,
        folder=pathlib.Path(runs) / name,
        resume=resume,
        tensorboard=tensorboard,
        verbose=verbose,
        found=found,
    )
    task.card["recipe"]["command"] = shlex.join(command)
    task.card["data"]["note"] = data_note
    task.save(pathlib.Path(folder) / name)
    presets.write_manifest(folder)
    return task


def follow(recipe, learned=None, dtype=None, found=None, **options):
    """Trains a task by a recipe, and measures it.

    Args:
        recipe: Dict, as those in `RECIPES`. It may have `table`, a dict of how
            that of its `data` is read, as `zoo.Table.asked` gives it;
            `backbone_weights`, which the training begins with; `freeze` in its
            `training`, as `zoo.plan.Plan` takes it; and `asked`, a dict of
            those of its `builder_args` that must stay as they are, whatever the
            data say.
        learned: The input and the output, where another run has learned them
            from the same data already; `None` learns them.
        dtype: Name of a dtype policy, `None` for Keras's global one.
        found: Function that is called with each part of the data once it is
            read, such as one that prints its `found()`; or `None`.
        **options: `folder`, `resume`, `tensorboard` and `verbose`, as in
            `zoo.training.fit`.

    Returns:
        A `Task`, unsaved.

    Raises:
        ValueError: If the data say otherwise than was asked, or the test part
            cannot be read.
    """
    recipe = dict(recipe)
    asked = recipe.pop("asked", {})
    kind = saving.task_class(recipe.pop("task"))
    chosen = {"targets": recipe["targets"]} if "targets" in recipe else {}
    source = recipe["data"]
    if "table" in recipe:
        source = Table(source, **recipe["table"])
    data = kind.read(source, "train", **chosen)
    test = kind.read(source, "test", **chosen)
    for part in (data, test) if found else ():
        found(part)
    keras.utils.set_random_seed(recipe["training"]["seed"])
    task = kind.untrained(
        recipe, *(learned or kind.learn(data, recipe)), dtype=dtype
    )
    for key, value in asked.items():
        own = task.card["builder_args"][key]
        if json.dumps(own) != json.dumps(value):
            raise ValueError(
                f"`{key}` follows from the data: {own!r} here. "
                f"Received: builder_args={{{key!r}: {value!r}}}"
            )
    # Refused before the training, not after it.
    task.input.reader(test)
    if recipe.get("backbone_weights") is not None:
        source = recipe["backbone_weights"]
        backbones.load_backbone_weights(task.model, source)
        # For the card, which names no path.
        recipe["backbone_weights"] = pathlib.PurePath(source).name
    frozen = Plan(**recipe["training"]).freeze
    layer_groups.freeze(task.model, frozen, task.output.heads)
    task.fit(data, recipe, **options)
    task.measure(test)
    return task


def find(name):
    """The recipe of a preset.

    Args:
        name: A name in `RECIPES`.

    Returns:
        Dict.

    Raises:
        PresetError: If there is none of that name; near ones are listed.
    """
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=3, cutoff=0.3)
        raise presets.PresetError(
            "A preset is trained by the name of its recipe. Received: "
            f"name={name!r}; {'near' if near else 'known'}: "
            f"{near or sorted(RECIPES)}"
        )
    return RECIPES[name]


def _known(recipe, builder_args):
    """Arguments that the recipe's network has, or an error."""
    network = catalogue.networks(recipe["task"])[recipe["builder"]]
    known = [*inspect.signature(network).parameters]
    for key in builder_args:
        if key not in known or key == "name":
            near = difflib.get_close_matches(key, known, n=3, cutoff=0.6)
            raise ValueError(
                "`builder_args` must be arguments of the recipe's network, "
                f"{recipe['builder']}. Received: {key}={builder_args[key]!r}; "
                f"{'near' if near else 'known'}: {near or known}"
            )
    return builder_args


def _of_table(columns=None, delimiter=None, encoding=None):
    """The options of `zoo train` that say how a table is read."""
    words = []
    for role, name in (columns or {}).items():
        words += [f"--{role}-column", name]
    if delimiter is not None:
        words += ["--delimiter", "tab" if delimiter == "\t" else delimiter]
    if encoding is not None:
        words += ["--encoding", encoding]
    return words


def _shell(value):
    """A value as `zoo train --set` reads it."""
    return value if isinstance(value, str) else json.dumps(value)
