"""Saving: a task becomes a folder, and a folder a task.

A folder may be a stranger's: its files are data, checked by `zoo.folder`, and
the network is built by this package's own code.
"""

import pathlib
import platform
from importlib import metadata

import keras
import numpy as np

import keras_attention
from zoo import cards, catalogue, layer_groups, weights
from zoo import folder as folders
from zoo.answering import one_or_all
from zoo.cards import FORMAT_VERSION, PresetError

# What `save` finds out anew; the card's own word does not count.
_SEALED = (
    "format_version",
    "name",
    "dtype",
    "frozen_layers",
    "parameters",
    "versions",
    "assets",
    "sha256",
)


def save(task, folder):
    """Writes a task's folder: model, assets, golden answer and card.

    Args:
        task: A `zoo.task.Task`.
        folder: Path. A model that is there is replaced, at once, at the end;
            other files beside it stay.

    Returns:
        The `pathlib.Path` of the folder.

    Raises:
        PresetError: If the folder holds anything but a model, or the task's
            network is not one that `load` can build again.
    """
    folder = pathlib.Path(folder).absolute()
    assets = task.assets
    folders.check_replaceable(folder, 8 * task.model.count_params(), assets)
    weights.check_finite(task.model, folder)
    # Without the optimizer's state, which is as large as the weights.
    model = keras.Model(
        task.model.input, task.model.output, name=task.model.name
    )
    sealed = {
        "format_version": FORMAT_VERSION,
        "name": folder.name,
        **{k: v for k, v in task.card.items() if k not in _SEALED},
        "dtype": _dtype(task.model),
        "frozen_layers": [la.name for la in model.layers if not la.trainable],
        "parameters": count_parameters(task.model),
        "versions": versions(),
    }
    inputs = one_or_all(task.input.golden() | task.output.golden())
    outputs = task.model(inputs, training=False)
    with folders.replacing_model(folder, assets) as part:
        sealed = folders.write(
            part,
            sealed,
            model,
            assets,
            keras.tree.flatten(inputs),
            list(map(keras.ops.convert_to_numpy, keras.tree.flatten(outputs))),
        )
        load(part)  # what cannot be loaded is not saved
    task.card = sealed
    return folder


def load(folder):
    """The task of a folder.

    Args:
        folder: `pathlib.Path`.

    Returns:
        A `zoo.task.Task`.

    Raises:
        PresetError: If a file is missing, altered, or not what it must be.
    """
    card, assets, stored = folders.read(folder)
    path = folder / "card.json"
    kind = task_class(card["task"])
    networks = catalogue.networks(card["task"])
    if card["builder"] not in networks:
        raise PresetError(
            f"The card's `builder` must be one of {sorted(networks)}, "
            f"the networks of {kind.name}. A network of your own is saved by "
            "`task.model.save(file)`. "
            f"Received: builder={cards.shown(card['builder'])} in {path}"
        )
    roles = {*kind.input.roles, *kind.output.roles}
    if set(assets) != roles:
        raise PresetError(
            f"The card's `assets` must be those of {kind.name}: "
            f"{sorted(roles)}. "
            f"Received: assets={sorted(assets)} in {path}"
        )
    builder = networks[card["builder"]]
    cards.check_arguments(builder, card["builder_args"], path)
    both = _input_and_output(kind, card, assets, path)

    with weights.dtype_policy(card.get("dtype", "float32")):
        model = weights.build(lambda: builder(**card["builder_args"]), stored)
    check_inputs(model, *both, path)
    weights.load_weights(model, stored)
    names = {layer.name: layer for layer in model.layers}
    for name in card.get("frozen_layers", ()):
        if name not in names:
            raise PresetError(
                "The card's `frozen_layers` must be layers of the network. "
                f"Received: {cards.shown(name)} in {path}"
            )
        layer_groups.still(names[name])
    return kind(model, card, *both)


def build(card, dtype=None):
    """The network of a card, its weights drawn at random.

    Args:
        card: Dict, of our own making.
        dtype: Name of a dtype policy, `None` for Keras's global one.

    Returns:
        `keras.Model`.
    """
    network = catalogue.networks(card["task"])[card["builder"]]
    with weights.dtype_policy(dtype):
        return network(**card["builder_args"])


def check_inputs(model, input, output, path=None):
    """Refuses a network that its task does not fit.

    One that reads what is not given; or whose masks have another size.

    Args:
        model: `keras.Model`.
        input: The input of a task.
        output: Its output.
        path: `pathlib.Path` of the card, if it comes from one.

    Raises:
        PresetError: If it does.
    """
    read = model.input if isinstance(model.input, dict) else {}
    given = {*input.tensors(), *output.golden()}
    if missing := sorted(read.keys() - given):
        raise PresetError(
            "The network must read what its task gives it, "
            f"{sorted(given)}. Received: `builder_args` with which it reads "
            f"{missing}, too" + (f", in {path}" if path else "")
        )
    size = getattr(output, "size", None)  # of masks
    if size is not None and tuple(size) != tuple(input.size):
        raise PresetError(
            "Masks must be said at the size at which images are read. "
            f"Received: masks of {size}, images of {input.size}"
            + (f", in {path}" if path else "")
        )


def task_class(name):
    """The class of a task, imported when asked for.

    Raises:
        PresetError: If there is none of that name.
    """
    if name not in catalogue.TASKS:
        raise PresetError(
            f"The card's `task` must be one of {sorted(catalogue.TASKS)}. "
            f"Received: task={cards.shown(name)}"
        )
    return catalogue.task_class(name)


def count_parameters(model):
    """Numbers of the model, learned and in all, for its card."""

    def count(variables):
        return int(sum(np.prod(variable.shape) for variable in variables))

    return {
        "trainable": count(model.trainable_variables),
        "total": count(model.weights),
    }


def versions():
    """What a card says of the software that made it."""
    return {
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "keras_attention": keras_attention.__version__,
        "numpy": metadata.version("numpy"),
    }


def _input_and_output(kind, card, assets, path):
    """The two of a card, which fit each other and the network."""
    settings = card["preprocessing"], card.get("postprocessing", {})
    try:
        both = [
            part.from_card(values, {role: assets[role] for role in part.roles})
            for part, values in zip((kind.input, kind.output), settings)
        ]
        found = {
            "preprocessing": both[0].settings(),
            "postprocessing": both[1].settings(),
            "builder_args": both[0].sizes() | both[1].sizes(),
        }
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise PresetError(
            "The card's settings, its assets and its `builder_args` must be "
            f"those of {kind.name}, and fit each other. "
            f"Received: {path}: {type(error).__name__}: {error}"
        ) from error
    for key, own in found.items():
        given = card.get(key, {})
        # Of the network's arguments, most are its own.
        names = set(own) if key == "builder_args" else own.keys() | given.keys()
        for name in sorted(names):
            if name not in given or own.get(name) != given[name]:
                raise PresetError(
                    f"`{name}` in the card's `{key}` must fit the labels, the "
                    f"vocabulary and the network: {cards.shown(own.get(name))}."
                    f" Received: {name}={cards.shown(given.get(name))} in "
                    f"{path}"
                )
    return both


def _dtype(model):
    """The policy that the network was built in."""
    layers = model._flatten_layers(include_self=False)
    names = {layer.dtype_policy.name for layer in layers} - {"float32"}
    # Logits are float32 in any.
    if not names:
        return "float32"
    if len(names) > 1 or not names <= set(cards.DTYPES):
        raise PresetError(
            "A model is saved in one dtype policy among "
            f"{cards.DTYPES}. Received: layers in {sorted(names)}"
        )
    return names.pop()
