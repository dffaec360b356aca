"""Recipes: how models are made, so that `zoo train NAME` makes them again."""

import copy
import difflib
import functools
import json
import pathlib
import re
import shlex

import keras

from zoo import (
    backbones,
    cards,
    catalogue,
    from_scratch,
    layer_groups,
    measuring,
    presets,
    saving,
    training,
    weights,
)
from zoo.data import sources
from zoo.data.table_source import Table, as_table
from zoo.plan import Plan, checked_validation, made, takes_a_plan

RECIPES = catalogue.recipes()


@functools.partial(takes_a_plan, of_recipe=True)
def train(
    name=None,
    folder="saved_models",
    runs="runs",
    resume=True,
    data_note=None,
    tensorboard=False,
    vectors=None,
    data=None,
    targets=None,
    builder_args=None,
    backbone_weights=None,
    validation=None,
    verbose=None,
    found=None,
    task=None,
    network=None,
    **plan,
):
    """Trains a model by a recipe, measures it and writes its folder.

    The recipe is that of a preset; or, with `task`, `network` and `data`, that
    of a network for data of one's own, which `zoo.new` makes.

    Args:
        name: A name in `zoo.recipes.RECIPES`. With a `task`, what the model is
            called; by default after the network and the data.
        folder: Path. The model goes to `<folder>/<name>`, and the folder's
            manifest is written anew.
        runs: Path. The checkpoint and the log go to `<runs>/<name>`; called
            again after a kill, the training goes on from there.
        resume: Boolean. Whether to go on from that checkpoint.
        data_note: String for the card, where the data at hand are not the
            official copy.
        tensorboard: Boolean. Whether to write events for TensorBoard.
        vectors: Path of a file of word vectors as GloVe and word2vec are given
            out, in place of the recipe's; for models of pairs.
        data: Name or path of data, or a `zoo.Table` of a path, in place of the
            recipe's.
        targets: List of columns to be answered, or a string with commas; for
            tables.
        builder_args: Dict, arguments of the network in place of the recipe's,
            such as `{"backbone": "ResNet50", "input_shape": [224, 224, 3]}`;
            with a `task`, all that `zoo.new` takes.
        backbone_weights: As `zoo.backbones.load_backbone_weights` takes them,
            in place of the recipe's, or `"none"`, at random; for
            `attention_backbone`, whose recipe has `"imagenet"`, and for
            networks with a `backbone`.
        validation: What the task's `read` takes; or a float, the share of the
            training data that is set aside; or `None`.
        verbose: As in `zoo.training.fit`.
        found: As in `follow`.
        task: String, a key of `zoo.catalogue.TASKS`.
        network: String, the name of a network of that task.
        **plan: The options of `zoo.plan.Plan`, such as `epochs` and `seed`, in
            place of the recipe's; what is `None` is the recipe's.

    Returns:
        The trained `Task`, whose card holds what it reached.

    Raises:
        PresetError: If there is no such recipe, task or network.
        ValueError: If `vectors`, `targets` or `backbone_weights` are given to
            a recipe that takes none, or another argument is none of the above.
        TypeError: If there is no such option.
        ImportError: If `tensorboard` is asked for and not installed.
        OSError: If one of the two folders cannot be written.
    """
    validation = checked_validation(validation)
    command = ["zoo", "train"]
    if task is None and network is None:
        if name is None:
            raise ValueError(
                "What is trained must be said by the name of a recipe, or by "
                "a `task`, a `network` and `data`. Received: none of them"
            )
        recipe = copy.deepcopy(find(name))
        recipe["asked"] = _known(recipe, builder_args or {})
        recipe["builder_args"] |= recipe["asked"]
        command.append(name)
    else:
        if None in (task, network, data):
            raise ValueError(
                "A model from scratch needs a `task`, a `network` and `data`. "
                f"Received: task={task!r}, network={network!r}, data={data!r}"
            )
        recipe = from_scratch.recipe_of(task, network, builder_args or {})
        recipe["enough_epochs"] = plan.get("epochs") is None
        if name is None:
            name = own_name(network, getattr(data, "source", data))
        presets.check_name(name)
        command += [name, "--task", task, "--network", network]
    kind = saving.task_class(recipe["task"])
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
        recipe |= from_scratch.chosen_targets(kind, targets)
        command += ["--targets", ",".join(recipe["targets"])]
    if vectors is not None:
        if "vectors" not in recipe:
            raise ValueError(
                "This recipe does not use word vectors. "
                f"Received: vectors={str(vectors)!r}, name={name!r}"
            )
        recipe["vectors"] = str(vectors)
        command += ["--vectors", str(vectors)]
    for key, value in (builder_args or {}).items():
        command += ["--set", f"{key}={_shell(value)}"]
    if backbone_weights is not None:
        if not (
            recipe["builder_args"].get("backbone")
            or "backbone_weights" in recipe
        ):
            raise ValueError(
                "`backbone_weights` are for a network with a `backbone`, which "
                "`builder_args` may name. Received: "
                f"backbone_weights={str(backbone_weights)!r}, name={name!r}"
            )
        # The card names no path.
        command += ["--backbone-weights", pathlib.Path(backbone_weights).name]
        if backbone_weights == "none":
            recipe["backbone_weights"] = None
            recipe.pop("steps", None)
        else:
            backbones.check_weights(backbone_weights)
            # Of the name of Keras's own a file may be too.
            if backbone_weights != "imagenet":
                backbone_weights = pathlib.Path(backbone_weights).absolute()
            recipe["backbone_weights"] = str(backbone_weights)
    plan = {key: value for key, value in plan.items() if value is not None}
    trained = recipe.get("backbone_weights") is not None
    if plan.get("recipe") == "gradual" and not trained:
        raise ValueError(
            '`recipe="gradual"` must begin with a trained backbone: the '
            "network `attention_backbone`, or one with a `backbone`, and its "
            f"`backbone_weights`. Received: builder={recipe['builder']!r}, "
            f"backbone_weights={recipe.get('backbone_weights')!r}"
        )
    for option, value in plan.items():
        recipe["training"][option] = value
        words = ",".join(value) if isinstance(value, (list, tuple)) else value
        command += [f"--{option.replace('_', '-')}", str(words)]
    if isinstance(validation, float):
        command += ["--validation", str(validation)]
    if data_note is not None:
        command += ["--data-note", data_note]
    made(recipe["training"])  # refused before data are read
    training.check_tensorboard(tensorboard, runs)

    # Before the training: what is in the way would be in the way after it.
    roles = (*kind.input.roles, *kind.output.roles)
    place, run = pathlib.Path(folder) / name, pathlib.Path(runs) / name
    there = presets.check_replaceable(place, roles=roles)
    presets.check_manifest(folder)
    training.check_folder(run)
    if there and verbose != 0:
        print(presets.replaced(place))
    task = follow(
        recipe,
        dtype=plan.get("dtype"),
        validation=validation,
        folder=run,
        resume=resume,
        tensorboard=tensorboard,
        verbose=verbose,
        found=found,
    )
    task.card["recipe"]["command"] = shlex.join(command)
    task.card["data"]["note"] = data_note
    task.save(place)
    presets.write_manifest(folder)
    return task


def follow(
    recipe, learned=None, dtype=None, validation=None, found=None, **options
):
    """Trains a task by a recipe, and measures it.

    Args:
        recipe: Dict, as those in `RECIPES`. It may have `table`, a dict of how
            that of its `data` is read, as `zoo.Table.asked` gives it;
            `backbone_weights`, which the training begins with; `freeze` in its
            `training`, as `zoo.plan.Plan` takes it; `half`, whether its weights
            are rounded to float16, so that its file is half as large; `asked`,
            a dict of those of its `builder_args` that must stay as they are,
            whatever the data say; and `enough_epochs`, whether
            `zoo.from_scratch.epochs_of` counts them.
        learned: The input and the output, where another run has learned them
            from the same data already; `None` learns them.
        dtype: Name of a dtype policy, `None` for Keras's global one.
        validation: As in `train`.
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
    enough_epochs = recipe.pop("enough_epochs", False)
    kind = saving.task_class(recipe.pop("task"))
    chosen = {"targets": recipe["targets"]} if "targets" in recipe else {}
    source = recipe["data"]
    if "table" in recipe:
        source = Table(source, **recipe["table"])
    data = kind.read(source, "train", **chosen)
    test = kind.read(source, "test", **chosen)
    for part in (data, test) if found else ():
        found(part)
    if isinstance(validation, float):
        data, validation = data.divide(
            validation, recipe["training"].get("seed", 0)
        )
    elif validation is not None:
        validation = kind.read(validation, "test", **chosen)
    if enough_epochs:
        recipe["training"]["epochs"] = from_scratch.epochs_of(recipe, len(data))
    keras.utils.set_random_seed(recipe["training"]["seed"])
    task = from_scratch.untrained(
        kind, recipe, learned or kind.learn(data, recipe), dtype
    )
    from_scratch.check_asked(task, asked)
    if recipe.get("backbone_weights") is not None:
        source = recipe["backbone_weights"]
        backbones.load_backbone_weights(task.model, source)
        # For the card, which names no path.
        recipe["backbone_weights"] = pathlib.PurePath(source).name
    measuring.check_readable(task, test)
    frozen = Plan(**recipe["training"]).freeze
    layer_groups.freeze(task.model, frozen, task.output.heads)
    task.follow(data, recipe, validation, **options)
    if recipe.get("half"):
        weights.round_to_half(task.model)
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
    known = cards.arguments_of(network)
    for key in builder_args:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=3, cutoff=0.6)
            raise ValueError(
                "`builder_args` must be arguments of the recipe's network, "
                f"{recipe['builder']}. Received: {key}={builder_args[key]!r}; "
                f"{'near' if near else 'known'}: {near or known}"
            )
    return builder_args


def own_name(network, data):
    """What a model of one's own data is called.

    Args:
        network: String, the name of its network.
        data: Name or path of the data.

    Returns:
        String.
    """
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", pathlib.PurePath(str(data)).stem)
    return f"{network}_{stem}".strip("_")[:100]


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
