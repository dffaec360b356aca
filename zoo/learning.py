"""Learning: a task trained, or a copy of it fine-tuned."""

import dataclasses
import functools

import keras
import numpy as np

from zoo import layer_groups, measuring, saving, training
from zoo.answering import one_or_all
from zoo.backbones import backbone_of
from zoo.data.batches import Batches
from zoo.data.examples import at
from zoo.data.images import Augmenting
from zoo.plan import (
    LEAST_EPOCHS,
    Plan,
    check_num_classes,
    check_vocabulary,
    checked_image_size,
    checked_validation,
    enough_epochs,
    made,
    takes_a_plan,
)
from zoo.self_critical import SelfCritical, check_self_critical
from zoo.word_networks import EMBEDDING


@takes_a_plan
def finetune(
    task,
    data,
    num_classes=None,
    validation=None,
    folder=None,
    resume=True,
    tensorboard=False,
    verbose=None,
    image_size=None,
    vocabulary=None,
    **plan,
):
    """Trains a copy on other data.

    Args:
        task: A `zoo.task.Task`, of which this is a method.
        data: What `read` takes.
        num_classes: Positive integer. The classes of the copy; by default
            those of the data.
        validation: What `read` takes; or a float, the share of `data` that
            is set aside; or `None`.
        folder: Where checkpoints go; `None` keeps none.
        resume: Boolean. Whether to go on from the folder's checkpoint,
            which must be of the same model, data and arguments.
        tensorboard: Boolean. Whether to write events for TensorBoard to
            the folder.
        verbose: As in `zoo.training.fit`.
        image_size: `(height, width)` at which the copy reads images, or one
            integer, for a square; `None` is the size of before. All weights
            are kept, but for heads that are drawn anew. What they know, they
            know of things as large, in pixels, as those they learned from, so
            at another size the copy has to learn some more, and below the
            head too. The docstring of a network's builder says which sizes its
            weights fit: not any, where a flattened map is read.
        vocabulary: What becomes of the words that a copy reads. `"extend"`:
            the words of the data, 10,000 of them at most, are added, and those
            that are known keep their vectors. `"new"`: only the words of the
            data are read, and those that were known keep their vectors.
            `"keep"`: it stays as it is. `None` extends it where more than 5 %
            of the data's words are unknown and word vectors learn. What was
            done is printed, unless `verbose` is 0.
        **plan: The options of `zoo.plan.Plan`, such as `epochs`,
            `learning_rate`, `freeze="backbone"` and `augment=["flip"]`; and
            `recipe="gradual"`, for a network with a backbone of
            `keras.applications`.

    Returns:
        A new task; this one stays as it was.

    Raises:
        ValueError: If an argument is none of the above, `freeze` leaves
            nothing to learn or names no layer, the network cannot take
            `image_size`, or the data do not fit.
        TypeError: If there is no such option.
        ImportError: If `tensorboard` is asked for and not installed.
        OSError: If `folder` cannot be written.
    """
    options = {"folder": folder, "resume": resume, "verbose": verbose}
    options["tensorboard"] = tensorboard
    check_num_classes(num_classes)
    input = resized = _resized(task, checked_image_size(image_size))
    _check_words(task, vocabulary)
    plan, data, validation = _prepared(task, data, validation, options, plan)
    if hasattr(input, "like"):
        input, said = input.like(data, _vocabulary(vocabulary, plan.freeze))
        if said and verbose != 0:
            print(said)
    output = task.output.like(data, num_classes)
    if resized is not task.input and hasattr(output, "resized"):
        output = output.resized(resized.size)
    try:
        copy = task.rebuilt(output, plan.dtype, input)
    except ValueError as error:
        if resized is task.input:
            raise
        raise ValueError(
            f"`image_size` must be a size that {task.card['builder']} can "
            f"take with the weights that it has, unlike {image_size}: {error}"
        ) from error
    if plan.self_critical and not task.output.kept(copy.output):
        raise ValueError(
            "`self_critical` is for a model that says the words of the data; "
            "fine-tune it without first. Received: self_critical=True, and "
            f"data={data.name!r}, whose words have to be learned anew"
        )
    layer_groups.freeze(copy.model, plan.freeze, copy.output.heads)
    new_words = input is not resized
    plan = _rated(copy, plan, _anew(task.output, output), verbose, new_words)
    recipe = {
        "data": data.name,
        "from": task.card.get("name"),
        "training": plan.record(),
    }
    if resized is not task.input:
        recipe["image_size"] = list(checked_image_size(image_size))
    if vocabulary is not None:
        recipe["vocabulary"] = vocabulary
    copy.follow(data, recipe, validation, plan, **options)
    return copy


@functools.partial(takes_a_plan, of_recipe=True)
def fit(
    task,
    data,
    validation=None,
    folder=None,
    resume=True,
    tensorboard=False,
    verbose=None,
    **plan,
):
    """Trains the model itself, such as one that `zoo.new` made.

    Args:
        task: A `zoo.task.Task`, of which this is a method.
        data: What `read` takes, of the classes or the words that the model
            answers with.
        validation: As in `finetune`.
        folder: As in `finetune`.
        resume: As in `finetune`.
        tensorboard: As in `finetune`.
        verbose: As in `finetune`.
        **plan: As in `finetune`; by default those of `zoo.new`, of a model
            that it made.

    Returns:
        The log, as `zoo.training.fit` gives it; `history` keeps it.

    Raises:
        ValueError: As `finetune`; or if the data have other classes.
        TypeError: As `finetune`.
        ImportError: As `finetune`.
        OSError: As `finetune`.
    """
    plan = {**task.training, **plan}
    if plan.get("dtype") is not None:
        raise ValueError(
            "A model keeps the dtype policy that it was made with: give it to "
            "`zoo.new`, or to `finetune`, which makes a copy. "
            f"Received: dtype={plan['dtype']!r}"
        )
    options = {"folder": folder, "resume": resume, "verbose": verbose}
    options["tensorboard"] = tensorboard
    plan, data, validation = _prepared(task, data, validation, options, plan)
    layer_groups.freeze(task.model, plan.freeze, task.output.heads)
    recipe = {"data": data.name, "training": plan.record()}
    return task.follow(data, recipe, validation, plan, **options)


def follow(task, data, recipe, validation=None, plan=None, **options):
    """Trains the model itself by a recipe, and notes it on the card.

    Args:
        task: A `zoo.task.Task`, of which this is a method.
        data: As `read` gives them.
        recipe: Dict for the card, with `"training"`, a dict of the
            arguments of `zoo.plan.Plan`; classes in it by name.
        validation: As `data`, or `None`.
        plan: `zoo.plan.Plan`, what is done; by default the recipe's.
        **options: `folder`, `resume`, `tensorboard`, `verbose`, as in
            `zoo.training.fit`.

    Returns:
        The log, as `zoo.training.fit` gives it.
    """
    plan = plan or Plan(**recipe["training"])
    plan = plan.named(getattr(data, "label_names", ()))
    if None in (plan.epochs, plan.learning_rate):
        # Before it learns for the first time, all weights are at random.
        anew = () if task.card.get("recipe") else task.output.heads
        plan = _rated(task, plan, anew, options.get("verbose"))
        plan = _with_epochs(plan, data, options.get("verbose"))
        found = {
            name: getattr(plan, name) for name in ("epochs", "learning_rate")
        }
        recipe = {**recipe, "training": {**recipe["training"], **found}}
    frozen = ()
    if plan.recipe == "gradual":
        frozen = backbone_of(task.model).own_layers
    learned = {"augment": plan.augment, "seed": plan.seed, "shuffle": True}
    digests = {}
    if options.get("folder") is not None:  # they take time
        digests = measuring.digests(task, data, validation)
    if plan.self_critical:
        model, metrics = SelfCritical(task, data, plan.seed), ()
        batches = model.batches(task, data, plan, **learned)
        if validation is not None:
            validation = model.batches(task, validation, plan)
    else:
        model, metrics = task.model, task.output.metrics()
        batches = _batches(task, data, plan, plan.class_weight, **learned)
        if validation is not None:
            validation = _batches(task, validation, plan)
    log = training.fit(
        model,
        batches,
        validation,
        loss=task.output.loss(plan.label_smoothing),
        metrics=metrics,
        epochs=plan.epochs,
        optimizer=plan.optimizer,
        learning_rate=plan.learning_rate,
        schedule=plan.schedule,
        weight_decay=plan.weight_decay,
        multipliers=layer_groups.multipliers(
            task.model, plan.layer_decay, task.output.heads
        ),
        early_stopping=plan.early_stopping,
        first_epochs=plan.first_epochs,
        frozen_at_first=frozen,
        jit_compile=_compiled(plan, batches),
        recipe={**recipe, **digests},
        **options,
    )
    task.card["recipe"] = {**recipe, "log": log}
    task.card["data"] = data.describe()
    task.card["metrics"] = {}
    return log


def rebuilt(task, output=None, dtype=None, input=None):
    """A copy for another output or input: the same weights, new heads if need.

    The network is built anew with what the two say of its sizes. Every weight
    is kept, but for those of heads that another output does not keep.

    Args:
        task: A `zoo.task.Task`, of which this is a method.
        output: What the copy answers; by default the same.
        dtype: Name of a dtype policy, `None` for Keras's global one.
        input: What the copy reads, such as images of another size; by default
            the same.

    Returns:
        A task of the same kind, with no weight in common.

    Raises:
        ValueError: If the network cannot have such an input or output, or a
            layer that keeps its weights would need others.
    """
    output, input = output or task.output, input or task.input
    card = {
        key: value
        for key, value in task.card.items()
        if key not in ("name", "metrics", "sha256", "exports")
    }
    card["builder_args"] = {
        **card["builder_args"],
        **output.sizes(),
        **input.sizes(),
    }
    card["preprocessing"] = input.settings()
    if output.settings():
        card["postprocessing"] = output.settings()
    model = saving.build(card, dtype)
    rows = {}
    if hasattr(input, "rows"):
        input.start(model)
        rows = input.rows(task.input)
    _carry(task.model, model, _anew(task.output, output), rows)
    return type(task)(model, card, input, output)


def _anew(before, output):
    """Names of the heads of an output whose weights are drawn anew."""
    kept = before.kept(output)
    return [name for name in output.heads if name not in kept]


def _rated(task, plan, anew, verbose, new_words=False):
    """The plan with a learning rate, which is said if none was given."""
    if plan.learning_rate is not None:
        return plan
    rate, why = layer_groups.learning_rate(
        task.model, task.output.heads, anew, new_words
    )
    if verbose != 0:
        print(f"learning rate: {rate:g} ({why})")
    return dataclasses.replace(plan, learning_rate=rate)


def _carry(before, model, anew, rows):
    """Gives a network the weights of another, but for those drawn anew.

    `rows` say of layers with a row for each id where each was, -1 for new ones.
    """
    # What has none may come and go with the sizes, such as a padding.
    layers, old_layers = (
        [layer for layer in each.layers if layer.weights]
        for each in (model, before)
    )
    if len(layers) != len(old_layers):
        raise ValueError(
            "The network must have the same layers as before, or some would "
            "have learned nothing. Received: "
            f"{len(layers)} layers with weights in place of {len(old_layers)}"
        )
    for layer, old in zip(layers, old_layers):
        if layer.name in anew:
            continue
        if layer.name in rows:
            found = rows[layer.name]
            weights = layer.get_weights()
            for own, others in zip(weights, old.get_weights(), strict=True):
                own[found >= 0] = others[found[found >= 0]]
            layer.set_weights(weights)
            continue
        shapes, old_shapes = (
            {weight.path: tuple(weight.shape) for weight in each.weights}
            for each in (layer, old)
        )
        if [*shapes.values()] != [*old_shapes.values()]:
            raise ValueError(_other_shapes(layer.name, shapes, old_shapes))
        layer.set_weights(old.get_weights())


def _other_shapes(name, shapes, before):
    """What is wrong with a layer whose weights would have other shapes."""
    found = [
        f"{path} of shape {shape} in place of {old}"
        for (path, shape), old in zip(shapes.items(), before.values())
        if shape != old
    ]
    if len(shapes) != len(before):
        found = [f"{len(shapes)} weights in place of {len(before)}"]
    return (
        "Each layer must have weights of the same shapes as before, or what "
        "it has learned would be lost; those that read every place of a "
        "flattened map depend on the size of the image. "
        f"Received: the layer {name!r}, which would need {'; '.join(found)}"
    )


def _resized(task, image_size):
    """The input of a task, or what it is at another image size."""
    if image_size is None:
        return task.input
    resized = getattr(task.input, "resized", lambda size: None)(image_size)
    if resized is None:
        raise ValueError(
            "`image_size` is for a task that reads images. Received: "
            f"image_size={image_size}, and the task {task.name!r}, which "
            f"reads a {task.input.noun}"
        )
    same = resized.settings() == task.input.settings()
    return task.input if same else resized


def _check_words(task, vocabulary):
    """Refuses a vocabulary that is none, or of a task without words."""
    check_vocabulary(vocabulary)
    if vocabulary is not None and not hasattr(task.input, "like"):
        raise ValueError(
            "`vocabulary` is for a task that reads texts. Received: "
            f"vocabulary={vocabulary!r}, and the task {task.name!r}, which "
            f"reads a {task.input.noun}"
        )


def _vocabulary(vocabulary, frozen):
    """Vectors that cannot learn are not drawn anew, unless it is asked for."""
    if vocabulary is None and frozen is not None:
        beginnings = (frozen,) if isinstance(frozen, str) else tuple(frozen)
        if frozen == "backbone" or EMBEDDING.startswith(beginnings):
            return "keep"
    return vocabulary


def _prepared(task, data, validation, options, plan):
    """What a training needs, all refused that can be before the work."""
    plan = made(plan)
    validation = checked_validation(validation)
    training.check_tensorboard(options["tensorboard"], options["folder"])
    if plan.self_critical:
        check_self_critical(task)
    if plan.recipe == "gradual":
        backbone_of(task.model)
    if options["folder"] is not None:
        training.check_folder(options["folder"], task.model)
    keras.utils.set_random_seed(plan.seed)
    data = task.read(data, "train")
    plan = plan.named(getattr(data, "label_names", ()))
    if isinstance(validation, float):
        data, validation = data.divide(validation, plan.seed)
    elif validation is not None:
        validation = task.read(validation, "test")
    plan = _with_epochs(plan, data, options["verbose"])
    return plan, data, validation


def _with_epochs(plan, data, verbose):
    """The plan with as many epochs as the data need, if it says none."""
    if plan.epochs is not None:
        return plan
    epochs = enough_epochs(len(data), plan.batch_size)
    if epochs > LEAST_EPOCHS and verbose != 0:
        print(f"epochs: {epochs} (small data are read more often)")
    return dataclasses.replace(plan, epochs=epochs)


def _compiled(plan, batches):
    """What `fit` is told; each length of sequences would be compiled anew."""
    of_lengths = getattr(batches, "lengths", None) is not None
    return (
        False if of_lengths and plan.jit_compile == "auto" else plan.jit_compile
    )


def _batches(
    task, data, plan, class_weight=None, augment=(), seed=0, shuffle=False
):
    data, change = task.output.select(data), None
    if augment and hasattr(task.output, "masks"):
        # What is learned moves with what is read.
        augment, change = (), Augmenting(augment, seed)
    read = task.input.reader(data, augment, seed)
    places, told = task.output.told(data)

    def heard(indices, epoch, place):
        inputs = read(places[indices], epoch, place)
        return one_or_all({**inputs, **at(told, indices)})

    targets, weights = task.output.teach(data, class_weight)
    lengths = None
    if hasattr(task.input, "lengths"):  # a sequence in, and one out
        lengths = np.maximum(
            task.input.lengths(data)[places], task.output.lengths(targets)
        )
    return Batches(
        len(places),
        heard,
        *(targets, weights, plan.batch_size, shuffle, seed, lengths, change),
    )
