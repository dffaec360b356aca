"""Learning: a task trained, or a copy of it fine-tuned."""

import functools

import keras

from zoo import layer_groups, measuring, saving, training
from zoo.answering import one_or_all
from zoo.data.examples import Batches, at
from zoo.plan import (
    Plan,
    check_num_classes,
    checked_validation,
    made,
    takes_a_plan,
)
from zoo.self_critical import SelfCritical, check_self_critical


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
        **plan: The options of `zoo.plan.Plan`, such as `epochs`,
            `learning_rate`, `freeze="backbone"` and `augment=["flip"]`.

    Returns:
        A new task; this one stays as it was.

    Raises:
        ValueError: If an argument is none of the above, `freeze` leaves
            nothing to learn or names no layer, or the data do not fit.
        TypeError: If there is no such option.
        ImportError: If `tensorboard` is asked for and not installed.
        OSError: If `folder` cannot be written.
    """
    options = {"folder": folder, "resume": resume, "verbose": verbose}
    options["tensorboard"] = tensorboard
    check_num_classes(num_classes)
    plan, data, validation = _prepared(task, data, validation, options, plan)
    copy = task.rebuilt(task.output.like(data, num_classes), plan.dtype)
    if plan.self_critical and not task.output.kept(copy.output):
        raise ValueError(
            "`self_critical` is for a model that says the words of the data; "
            "fine-tune it without first. Received: self_critical=True, and "
            f"data={data.name!r}, whose words have to be learned anew"
        )
    layer_groups.freeze(copy.model, plan.freeze, copy.output.heads)
    recipe = {
        "data": data.name,
        "from": task.card.get("name"),
        "training": plan.record(),
    }
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
        jit_compile=plan.jit_compile,
        recipe={**recipe, **digests},
        **options,
    )
    task.card["recipe"] = {**recipe, "log": log}
    task.card["data"] = data.describe()
    task.card["metrics"] = {}
    return log


def rebuilt(task, output=None, dtype=None):
    """A copy for another output: the same weights, new heads if need be.

    Args:
        task: A `zoo.task.Task`, of which this is a method.
        output: What the copy answers; by default the same.
        dtype: Name of a dtype policy, `None` for Keras's global one.

    Returns:
        A task of the same kind, with no weight in common.
    """
    output = output or task.output
    card = {
        key: value
        for key, value in task.card.items()
        if key not in ("name", "metrics", "sha256", "exports")
    }
    card["builder_args"] = {**card["builder_args"], **output.sizes()}
    model = saving.build(card, dtype)
    kept = task.output.kept(output)
    for layer, old in zip(model.layers, task.model.layers, strict=True):
        if layer.name not in output.heads or layer.name in kept:
            layer.set_weights(old.get_weights())
    return type(task)(model, card, task.input, output)


def _prepared(task, data, validation, options, plan):
    """What a training needs, all refused that can be before the work."""
    plan = made(plan)
    validation = checked_validation(validation)
    training.check_tensorboard(options["tensorboard"], options["folder"])
    if plan.self_critical:
        check_self_critical(task)
    if options["folder"] is not None:
        training.check_folder(options["folder"], task.model)
    keras.utils.set_random_seed(plan.seed)
    data = task.read(data, "train")
    plan = plan.named(getattr(data, "label_names", ()))
    if isinstance(validation, float):
        data, validation = data.divide(validation, plan.seed)
    elif validation is not None:
        validation = task.read(validation, "test")
    return plan, data, validation


def _batches(
    task, data, plan, class_weight=None, augment=(), seed=0, shuffle=False
):
    data = task.output.select(data)
    read = task.input.reader(data, augment, seed)
    places, told = task.output.told(data)

    def heard(indices, epoch, place):
        inputs = read(places[indices], epoch, place)
        return one_or_all({**inputs, **at(told, indices)})

    return Batches(
        len(places),
        heard,
        *task.output.teach(data, class_weight),
        plan.batch_size,
        shuffle,
        seed,
    )
