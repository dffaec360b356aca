"""The command `zoo`: everything the package does, from a shell.

Keras takes seconds to import, so each command imports what it needs when it
runs, and `zoo --help` answers at once.
"""

import contextlib
import enum
import functools
import importlib.metadata
import inspect
import json
import logging
import os
import pathlib
import sys
import tempfile
from typing import Annotated

try:
    import typer
    from rich import box
    from rich.table import Table
except ModuleNotFoundError as error:
    raise SystemExit(
        f"error: the command `zoo` needs {error.name}, which is not installed: "
        'pip install "keras-attention-zoo[tensorflow,zoo]"'
    ) from None

from zoo import catalogue, report_tables  # noqa: E402
from zoo.printing import (  # noqa: E402
    console,
    exports_table,
    metric_line,
    metrics_line,
    pairs_line,
    plain_answers,
    print_answers,
    print_json,
    print_parts,
    progress_bar,
    reached_line,
    save_page,
    show_error,
    warnings_shown,
)

app = typer.Typer(
    name="zoo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

settings = {"debug": False}
DRAWN = 4  # examples of a new model's picture


class Runtime(enum.StrEnum):
    """What computes an answer."""

    keras = "keras"
    litert = "litert"


Name = Annotated[
    str,
    typer.Argument(help="A model of `zoo list`, or a folder that holds one."),
]
Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        help=(
            "Image files: PNG, JPEG, ...; or texts, each in quotes, or text "
            "files, - being what comes from standard input; of texts that are "
            "compared, two for each pair; or folders of those files; or CSV "
            "files, which name in their first line the columns that are asked "
            "about: image, text, left and right, question and candidate, or "
            "those of the table. Before a text that begins with a dash, write "
            "--."
        )
    ),
]
Data = Annotated[
    str, typer.Option(help="The name or the place of data; see below.")
]
Freeze = Annotated[
    str | None,
    typer.Option(
        help=(
            "backbone, or beginnings of layers' names with commas: "
            "stem,stage_1."
        )
    ),
]
Augment = Annotated[
    str | None,
    typer.Option(
        help=(
            "Of images, with commas: flip, shift, rotate, zoom, contrast, "
            "brightness."
        )
    ),
]
Validation = Annotated[
    float | None,
    typer.Option(help="Share of the training data to validate on."),
]
EarlyStopping = Annotated[
    int | None,
    typer.Option(
        min=1, help="Stop after this many epochs without improvement."
    ),
]
ClassWeight = Annotated[
    str | None, typer.Option(help="balanced: rare classes count more.")
]
Recipe = Annotated[
    str | None,
    typer.Option(
        help=(
            "gradual, of a network with a trained backbone of "
            "keras.applications: at first only what is new learns, then all, "
            "more slowly."
        )
    ),
]
Resume = Annotated[
    bool, typer.Option(help="Continue from the checkpoint, if there is one.")
]
TensorBoard = Annotated[
    bool,
    typer.Option(
        "--tensorboard",
        help=(
            "Write events for TensorBoard beside the checkpoint; needs the "
            "extra tensorboard."
        ),
    ),
]
Dtype = Annotated[
    str | None,
    typer.Option(help="float32, mixed_bfloat16 or mixed_float16."),
]


def main():
    """Runs the command line."""
    app()


def _version(asked):
    if not asked:
        return
    try:
        version = importlib.metadata.version("keras-attention-zoo")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout
        _import_keras()
        from keras_attention import __version__ as version
    console.print(version)
    raise typer.Exit


@app.callback()
def start(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_version,
            is_eager=True,
            help="Print the version and stop.",
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            envvar="KERAS_ATTENTION_ZOO_DEBUG",
            help="Show tracebacks, and what TensorFlow says at its start.",
        ),
    ] = False,
):
    """Trained attention models: look, fine-tune, export.

    Start with `zoo demo`.
    """
    settings["debug"] = debug


def command(name=None, below=None, keras=True):
    """Makes a function a command, whose errors are shown as one message.

    Args:
        name: String, the command's; `None` takes the function's.
        below: String or `None`. Paragraphs below its help.
        keras: Boolean. Whether it needs Keras, which takes seconds to import.
    """

    def decorate(function):
        @app.command(name, epilog=below)
        @functools.wraps(function)
        def run(*args, **kwargs):
            try:
                if keras:
                    _import_keras()
                with warnings_shown():
                    return function(*args, **kwargs)
            except (typer.Exit, typer.Abort, BrokenPipeError):
                raise
            except Exception as error:
                if settings["debug"]:
                    raise
                show_error(error)
                raise typer.Exit(1) from error

        return run

    return decorate


def asked_by_name(function):
    """Gives a command an option for each that the catalogue names.

    And those that say how tables are read, which may be what is asked.
    """
    signature = inspect.signature(function)
    own = [
        parameter
        for parameter in signature.parameters.values()
        if parameter.kind != parameter.VAR_KEYWORD
    ]
    options = {
        name: typer.Option(help=text)
        for name, text in catalogue.options().items()
    } | table_options()
    more = _parameters(options)
    function.__signature__ = signature.replace(parameters=[*own, *more])
    function.__annotations__ |= {each.name: each.annotation for each in more}
    return function


def _parameters(options):
    """Options of a command, each a text or `None`, by name."""
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[str | None, option],
        )
        for name, option in options.items()
    ]


def table_options():
    """The options that say how a table is read, a dict by name."""
    panel = {"rich_help_panel": "Tables"}
    options = {
        f"{name}_column": typer.Option(
            metavar="NAME",
            help=f"The column of `{name}`, where it has another name.",
            **panel,
        )
        for name in catalogue.columns()
    }
    options["delimiter"] = typer.Option(
        help="What stands between columns: ',', ';', '|', tab, ...", **panel
    )
    options["encoding"] = typer.Option(
        help="That of the file, such as cp1252; else UTF-8.", **panel
    )
    return options


def asked_of_tables(function):
    """Gives a command the options that say how the table `data` is read.

    The command gets `data` with them, a `zoo.Table` where one is given.
    """
    options = table_options()

    @functools.wraps(function)
    def asking(*args, data, **kwargs):
        given = {name: kwargs.pop(name) for name in options}
        return function(*args, data=_table(data, given), **kwargs)

    signature = inspect.signature(function)
    more = _parameters(options)
    asking.__signature__ = signature.replace(
        parameters=[*signature.parameters.values(), *more]
    )
    asking.__annotations__ = function.__annotations__ | {
        each.name: each.annotation for each in more
    }
    return asking


def data_by_task():
    """What `--data` may be, a paragraph for each task."""
    texts = [f"{task}: {text}" for task, text in catalogue.data().items()]
    return "\n\n".join(["Data, by the model's task:", *texts])


def networks_by_task():
    """What `--network` may be, a paragraph for each task."""
    texts = [
        f"{task}: {', '.join(sorted(entry['networks']))}"
        for task, entry in catalogue.TASKS.items()
    ]
    return "\n\n".join(["Networks, by task:", *texts])


@command()
def demo(
    out: Annotated[
        pathlib.Path, typer.Option(help="Folder of what it makes.")
    ] = pathlib.Path("zoo_demo"),
    epochs: Annotated[
        int, typer.Option(min=1, help="Epochs of fine-tuning.")
    ] = 2,
):
    """See it work, offline: fine-tune, compare, look, export.

    A network with attention and its plain twin learn scikit-learn's digits;
    about two minutes on two cores.
    """
    from zoo import demo

    demo.run(out, epochs=epochs, console=console)


@command("list", keras=False)
def list_(
    task: Annotated[
        str | None, typer.Option(help="Only models of this task.")
    ] = None,
    filter: Annotated[
        str | None, typer.Option(help="Part of a name, or a pattern: 'se_*'.")
    ] = None,
):
    """List the trained models."""
    import zoo
    from zoo import presets

    names = zoo.list_models(task, filter)
    if not names:
        console.print("No trained models match.")
        return
    table = Table("name", "task", "data", "metric", box=box.SIMPLE)
    table.add_column("parameters", justify="right")
    for name in names:
        folders = [presets.CHECKOUT / name, presets.cache() / name]
        found = [folder for folder in folders if folder.is_dir()]
        if not found:
            table.add_row(name, "(not fetched yet: zoo show fetches it)")
            continue
        card = zoo.card(found[0])  # whatever lies here under that name
        table.add_row(
            name,
            card["task"],
            card["data"]["name"],
            metrics_line(card, most=2),
            f"{card['parameters']['total']:,}",
        )
    console.print(table)


@command(keras=False)
def show(
    name: Name,
    as_json: Annotated[
        bool, typer.Option("--json", help="The card itself.")
    ] = False,
):
    """Show a model's card: what it is, and what it reached."""
    import zoo
    from zoo import presets

    if presets.url():
        _import_keras()  # what is fetched is read whole
    card = zoo.card(name)
    if as_json:
        print_json(card)
        return
    recipe = dict(card.get("recipe", {}))
    log = recipe.pop("log", [])
    plan = recipe.pop("training", {})
    table = Table(box=box.SIMPLE, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("name", card["name"])
    table.add_row("task", card["task"])
    for metric, found in card["metrics"].items():
        table.add_row(metric, metric_line(found))
    table.add_row("parameters", pairs_line(card["parameters"]))
    table.add_row("network", card["builder"])
    table.add_row("", pairs_line(card["builder_args"]))
    table.add_row("reads", pairs_line(card["preprocessing"]))
    table.add_row("data", pairs_line(card["data"]))
    if recipe.get("vectors"):
        table.add_row("vectors", str(recipe["vectors"]))
    if plan:
        table.add_row("training", pairs_line(plan))
    if log:
        seconds = sum(epoch["seconds"] for epoch in log)
        table.add_row("", f"{len(log)} epochs in {seconds:,.0f} s")
    if "command" in recipe:
        table.add_row("made by", recipe["command"])
    table.add_row("versions", pairs_line(card["versions"]))
    table.add_row("files", ", ".join(card["sha256"]))
    console.print(table)


@command(keras=False)
@asked_by_name
def predict(
    name: Name,
    inputs: Inputs = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="All probabilities, as JSON.")
    ] = False,
    out: Annotated[
        pathlib.Path | None,
        typer.Option(
            help=(
                "A file of the answers, in place of printing them: .csv, "
                ".json or .jsonl; or .txt, a line for each, of answers that "
                "are one text; or .png, a mask, and a folder for the masks of "
                "several images. In .csv, a text that a spreadsheet would run "
                "as a formula begins with an apostrophe."
            )
        ),
    ] = None,
    lines: Annotated[
        pathlib.Path | None,
        typer.Option(
            "--in",
            help=(
                "A file of texts, one in each line, in place of arguments; "
                "with --out FILE.txt, the answers stand in the same lines."
            ),
        ),
    ] = None,
    runtime: Annotated[
        Runtime,
        typer.Option(
            help=(
                "litert answers from the folder of an export, without Keras "
                "or TensorFlow: in under a second."
            )
        ),
    ] = Runtime.keras,
    **options,
):
    """Translate, caption images, answer questions, label, rank candidates."""
    from zoo import answer_files, asking

    asked = {k: v for k, v in options.items() if v is not None}
    if lines is not None and (inputs or asked):
        raise ValueError(
            "What a file of lines holds is all that is asked. Received: "
            f"--in {lines}, with {[*(inputs or ()), *asked]}"
        )
    if out is not None:
        answer_files.check(out, [*(inputs or ()), lines, *options.values()])
    task = _to_ask(name, runtime)
    if out is not None:
        answer_files.check(out, [], task.name)
    if lines is None:
        raws = _raws(task, inputs, options)
    else:
        raws = asking.from_lines(task.input, lines)
    if out is not None:
        _save_answers(task, raws, out)
        return
    answers = task.predict(raws)
    if as_json:
        print_json(plain_answers(task, raws, answers))
        return
    print_answers(task, raws, answers)


def _save_answers(task, raws, out):
    from zoo import answer_files

    with progress_bar(f"{task.input.noun}s", len(raws)) as advance:
        failed = answer_files.answer(out, task, raws, advance)
    console.print(
        f"answers: {out} ({len(raws) - len(failed):,} of {len(raws):,})",
        soft_wrap=True,
    )
    if failed:
        why = f"the column `error` of {out} says why"
        if out.suffix.lower() not in answer_files.SUFFIXES:
            why = f"the first one: {failed[0]['error']}"
        raise ValueError(
            f"{len(failed):,} of {len(raws):,} {task.input.noun}s could not be "
            f"answered; {why}"
        )


@command()
@asked_by_name
def look(
    name: Name,
    inputs: Inputs = None,
    out: Annotated[
        pathlib.Path,
        typer.Option(help="Where the picture goes; words to .html too."),
    ] = pathlib.Path("looked.png"),
    **options,
):
    """Answer as `predict`, and draw where the model looked."""
    from keras_attention import pictures
    from zoo.atomic import folders_made
    from zoo.task import Task
    from zoo.writable import check_writable

    is_page = out.suffix.lower() in (".html", ".htm")
    if not is_page:
        pictures.check_format(out)
    if os.path.realpath(out) in map(os.path.realpath, inputs or ()):
        raise ValueError(
            "The picture must not replace what is looked at; choose another "
            f"--out. Received: --out {out}"
        )
    check_writable(out)
    task = _load(name)
    if is_page and type(task).html is Task.html:
        pictures.check_format(out)  # no page is made of its answers
    task.check_attention()
    raws = _raws(task, inputs, options)
    answers = task.look(raws)
    page = task.page(answers)
    if is_page:
        save_page(task.html(answers), out)
    else:
        figure = task.picture(raws, answers)
        with folders_made(pathlib.Path(os.path.realpath(out)).parent):
            pictures.save_figure(figure, out)
    print_answers(task, raws, answers)
    if page is not None:
        console.print(page)
    console.print(f"picture: {out}", soft_wrap=True)


@command(below=f"{data_by_task()}\n\n{networks_by_task()}")
@asked_of_tables
def train(
    name: Annotated[
        str | None,
        typer.Argument(
            help="The name of a recipe; with --task, what the model is called."
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="From scratch, on your --data: the kind of task."),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(help="With --task: one of its networks; see below."),
    ] = None,
    folder: Annotated[
        pathlib.Path, typer.Option(help="The model goes to FOLDER/NAME.")
    ] = pathlib.Path("saved_models"),
    runs: Annotated[
        pathlib.Path,
        typer.Option(
            help=(
                "Checkpoint and log go to RUNS/NAME, and a picture of masks of "
                "test images."
            )
        ),
    ] = pathlib.Path("runs"),
    seed: Annotated[
        int | None, typer.Option(help="In place of the recipe's.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="In place of the recipe's.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="In place of the recipe's.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="In place of the recipe's.")
    ] = None,
    augment: Augment = None,
    validation: Validation = None,
    early_stopping: EarlyStopping = None,
    class_weight: ClassWeight = None,
    freeze: Freeze = None,
    dtype: Dtype = None,
    data: Annotated[
        str | None,
        typer.Option(help="In place of the recipe's; see below."),
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option(help="Columns of a table to be answered, with commas."),
    ] = None,
    vectors: Annotated[
        pathlib.Path | None,
        typer.Option(
            help=(
                "A text file of word vectors, as GloVe and word2vec are given "
                "out, in place of the recipe's."
            )
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help=(
                "An argument of the network in place of the recipe's, such as "
                'backbone=ResNet50 or "input_shape=[224,224,3]", and with '
                "--task of what it reads, such as vocabulary_size=5000 or "
                '"image_size=[128,128]"; may be given several times.'
            ),
        ),
    ] = None,
    backbone_weights: Annotated[
        str | None,
        typer.Option(
            help=(
                "For a network with a backbone of keras.applications: a file "
                "of its weights, .weights.h5, .keras or .h5, without the head; "
                "imagenet, which Keras downloads, the default of "
                "attention_backbone; or none."
            )
        ),
    ] = None,
    recipe: Recipe = None,
    resume: Resume = True,
    data_note: Annotated[
        str | None,
        typer.Option(help="For the card, where data are no official copy."),
    ] = None,
    tensorboard: TensorBoard = False,
):
    """Train a model by a recipe, or from scratch on your data.

    Killed and called again, it goes on.
    """
    import zoo

    parts = []

    def found(part):
        parts.append(part)
        _print_found(part)

    trained = zoo.train(
        name,
        folder,
        runs,
        task=task,
        network=network,
        resume=resume,
        data_note=data_note,
        seed=seed,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        augment=None if augment is None else _words(augment),
        validation=validation,
        early_stopping=early_stopping,
        class_weight=class_weight,
        freeze=_frozen(freeze),
        dtype=dtype,
        tensorboard=tensorboard,
        vectors=vectors,
        data=data,
        targets=targets,
        builder_args=_settings(set_ or ()),
        backbone_weights=backbone_weights,
        recipe=recipe,
        found=found,
    )
    name = trained.card["name"]
    _print_made(trained, folder / name, parts, runs / name)


@command(below=data_by_task())
@asked_of_tables
def evaluate(
    name: Name,
    data: Annotated[
        str | None,
        typer.Option(help="In place of the card's; see below."),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 250,
    as_json: Annotated[
        bool, typer.Option("--json", help="Everything, as JSON.")
    ] = False,
    out: Annotated[
        pathlib.Path | None,
        typer.Option(help="A picture of what is confused, such as c.png."),
    ] = None,
):
    """Measure a model again: intervals, classes, and what its card says."""
    from zoo import measuring

    if out is not None:
        _check_picture(out, [data])
    task = _load(name)
    if out is not None and not task.output.classes:
        raise ValueError(
            "Confusions are drawn of answers that are labels; leave --out "
            f"away. Received: --out {out}, a model of {task.name}"
        )
    found = _read if as_json else _found
    if data is None:
        test = found(lambda: measuring.own_test(task))
    else:
        test = found(lambda: task.read(data, "test"))
    report = task.report(test, batch_size, 0 if as_json else _verbose())
    if out is not None:
        from zoo.report_pictures import confusion_figure

        _save_picture(confusion_figure(report["classes"]), out)
    if as_json:
        print_json(report)
    else:
        noun, has_card = task.input.noun, bool(task.card["metrics"])
        print_parts(report_tables.report_parts(report, noun, has_card))
        if out is not None:
            console.print(f"picture: {out}", soft_wrap=True)
    metrics = report["metrics"]
    if any(x["agrees"] is False for k, x in metrics.items() if k != "loss"):
        raise typer.Exit(1)


@command(below=data_by_task())
@asked_of_tables
def compare(
    a: Annotated[str, typer.Argument(help="A model, as of `zoo evaluate`.")],
    b: Annotated[str, typer.Argument(help="Another of the same task.")],
    data: Annotated[
        str | None,
        typer.Option(help="In place of the test data on A's card; see below."),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 250,
    as_json: Annotated[
        bool, typer.Option("--json", help="Everything, as JSON.")
    ] = False,
):
    """Compare two models on the same examples: answers, speed and size."""
    import zoo

    verbose = 0 if as_json else _verbose()
    found = zoo.compare(a, b, data, batch_size, verbose)
    if as_json:
        print_json(found)
        return
    noun = catalogue.task_class(found["task"]).input.noun
    print_parts(report_tables.comparison_parts(found, noun))


@command(below=data_by_task())
@asked_of_tables
def finetune(
    name: Name,
    data: Data,
    out: Annotated[pathlib.Path, typer.Option(help="Folder of the new model.")],
    runs: Annotated[
        pathlib.Path,
        typer.Option(help="Checkpoint and log go to RUNS/<name of the model>."),
    ] = pathlib.Path("runs"),
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="By default 5; of small data as many as make about 100 steps.",
        ),
    ] = None,
    freeze: Freeze = None,
    layer_decay: Annotated[
        float,
        typer.Option(
            help=(
                "Multiply the learning rate by this for each layer group "
                "further from the head."
            )
        ),
    ] = 1.0,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help=(
                "By default 0.001; 0.003 where words are new to the model, "
                "0.01 where classes are, too; where only a new head learns, "
                "0.1, or 0.01 if it is a decoder."
            )
        ),
    ] = None,
    image_size: Annotated[
        str | None,
        typer.Option(
            metavar="HEIGHTxWIDTH",
            help=(
                "Read images at another size, such as 128x96; one number for "
                "a square."
            ),
        ),
    ] = None,
    augment: Augment = None,
    validation: Validation = None,
    early_stopping: EarlyStopping = None,
    class_weight: ClassWeight = None,
    label_smoothing: Annotated[float, typer.Option(min=0)] = 0.0,
    self_critical: Annotated[
        bool,
        typer.Option(
            "--self-critical",
            help=(
                "Reward the captions that the model says by CIDEr-D, in place "
                "of telling it the right ones; with a low --learning-rate."
            ),
        ),
    ] = False,
    vocabulary: Annotated[
        str | None,
        typer.Option(
            help=(
                "Of texts: extend, new words of the data are learned too; "
                "keep; or new, only those of the data. By default extended "
                "where more than 5 % of the words are unknown."
            )
        ),
    ] = None,
    recipe: Recipe = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    seed: Annotated[int, typer.Option()] = 0,
    dtype: Dtype = None,
    resume: Resume = True,
    tensorboard: TensorBoard = False,
):
    """Train a copy of a model on your data, measure it and save it.

    Interrupted and called again, it continues after the last whole epoch.
    """
    from zoo import measuring, presets, training
    from zoo.plan import (
        Plan,
        check_vocabulary,
        checked_image_size,
        checked_validation,
    )

    size = _image_size(image_size)
    options = {
        "freeze": _frozen(freeze),
        "layer_decay": layer_decay,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "augment": _words(augment),
        "label_smoothing": label_smoothing,
        "self_critical": self_critical,
        "recipe": recipe,
        "class_weight": class_weight,
        "early_stopping": early_stopping,
        "seed": seed,
        "dtype": dtype,
    }
    # What can be refused is refused before anything is loaded.
    Plan(**options)
    checked_validation(validation)
    check_vocabulary(vocabulary)
    checked_image_size(size)
    training.check_tensorboard(tensorboard, runs)
    presets.check_replaceable(out)
    run = runs / out.resolve().name
    training.check_folder(run)
    task = _load(name)
    if presets.check_replaceable(out, roles=task.assets):
        console.print(presets.replaced(out), soft_wrap=True)
    learned = _found(lambda: task.read(data, "train"))
    # Before training: there must be some to measure on.
    test = _found(lambda: task.read(data, "test"))
    measuring.check_readable(task, test)
    tuned = task.finetune(
        learned,
        validation=validation,
        vocabulary=vocabulary,
        folder=run,
        resume=resume,
        tensorboard=tensorboard,
        image_size=size,
        **options,
    )
    tuned.measure(test)
    tuned.save(out)
    _print_made(tuned, out, [learned, test], run)


@command()
def export(
    name: Name,
    out: Annotated[pathlib.Path, typer.Option(help="Folder of the exports.")],
    format: Annotated[
        list[str] | None,
        typer.Option(help="saved_model or litert; may be repeated; both."),
    ] = None,
):
    """Export a model for serving, and verify that it gives the same answers."""
    from zoo.export import MANIFEST
    from zoo.writable import check_writable

    check_writable(out / MANIFEST)
    task = _load(name)
    with console.status("exporting, and asking each export in a new process"):
        found = task.export(out, format)
    console.print(exports_table(found))


def _import_keras():
    """Imports Keras and holds back what its backend chats at its start."""
    if "keras" in sys.modules or settings["debug"]:
        return
    # A level of 3 keeps errors of TensorFlow that end it.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with console.status("importing Keras"), _held_back():
            importlib.import_module("keras")
    except ModuleNotFoundError as error:
        raise ImportError(
            f"Keras needs a backend: {error.name} is not installed. "
            'pip install "keras-attention-zoo[tensorflow,zoo]", or set '
            "KERAS_BACKEND to one that is: tensorflow, jax or torch"
        ) from error
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextlib.contextmanager
def _held_back():
    """Inside, stderr goes to a file, C++'s too; it is shown if it matters.

    TensorFlow greets before its log level counts; no setting stops that.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def _to_ask(name, runtime):
    """A model that predicts."""
    from zoo import exported

    if runtime is Runtime.litert:
        with _held_back():
            return exported.load(name)
    folder = pathlib.Path(name)
    if exported.is_export(folder) and not (folder / "card.json").is_file():
        raise ValueError(
            f"An export answers by its own runtime: add --runtime litert. "
            f"Received: {name}"
        )
    _import_keras()
    return _load(name)


def _load(name):
    import zoo

    with console.status(f"loading {name}"):
        return zoo.load(name)


def _found(read):
    """Reads data, and prints what was found and what was skipped."""
    data = read()
    _print_found(data)
    return data


def _read(read):
    return read()


def _check_picture(out, inputs):
    """Refuses a place for a picture that cannot be, or that is an input."""
    from keras_attention import pictures
    from zoo.writable import check_not_read, check_writable

    pictures.check_format(out)
    check_not_read(out, inputs)
    check_writable(out)


def _save_picture(figure, out):
    from keras_attention import pictures
    from zoo.atomic import folders_made

    with folders_made(pathlib.Path(os.path.realpath(out)).parent):
        pictures.save_figure(figure, out)


def _print_found(data):
    # One line, whatever is in the name of a folder.
    console.print(" ".join(data.found().split("\n")), soft_wrap=True)


def _print_made(task, folder, parts, run):
    """Prints what a new model reached on the last part, and what to try.

    Where answers are pictures, some of that part are drawn in the run's folder.
    """
    from zoo import asking

    test = parts[-1]
    for line in (
        f"{test.name}, {test.split}: {reached_line(task.card)}",
        f"model: {folder}",
        f"try: {asking.command(task, folder, test)}",
    ):
        console.print(line, soft_wrap=True)
    if hasattr(task.output, "image") and task.has_attention():
        raws = list(test.take(range(min(DRAWN, len(test)))).raws)
        out = run / "looked.png"
        _save_picture(task.picture(raws, task.look(raws)), out)
        console.print(f"picture: {out}", soft_wrap=True)


def _how(given):
    """How a table is read, arguments of `zoo.Table`, by its options."""
    columns = {
        name.removesuffix("_column"): text
        for name, text in given.items()
        if name.endswith("_column") and text is not None
    }
    rest = {
        name: text
        for name, text in given.items()
        if not name.endswith("_column") and text is not None
    }
    return ({"columns": columns} if columns else {}) | rest


def _table(data, given):
    """What `--data` means, with what was said of the table that it is."""
    given = {name: text for name, text in given.items() if text is not None}
    if not given:
        return data
    if data is None:
        option = next(iter(given)).replace("_", "-")
        raise ValueError(
            f"--{option} says how a table is read, which --data names. "
            "Received: no --data"
        )
    from zoo import Table

    return Table(data, **_how(given))


def _settings(texts):
    """Arguments of a network, each `NAME=VALUE`, the value JSON or a word."""
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise ValueError(
                "--set takes NAME=VALUE, such as backbone=ResNet50. "
                f"Received: --set {text}"
            )
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def _frozen(text):
    names = _words(text)
    return "backbone" if names == ["backbone"] else names or None


def _image_size(text):
    """`"128x96"` as `(128, 96)`, `"128"` as 128; what is neither is refused."""
    sides = (text or "").strip().lower().split("x")
    if not all(side.isdecimal() for side in sides) or len(sides) > 2:
        return text
    return int(sides[0]) if len(sides) == 1 else tuple(map(int, sides))


def _words(text):
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _verbose():
    return "auto" if sys.stdout.isatty() else 0


def _raws(task, inputs, options):
    """What is asked: arguments, or the options that a task has of its own."""
    options = {k: v for k, v in options.items() if v is not None}
    said = {name: options.pop(name, None) for name in table_options()}
    own = catalogue.TASKS[task.name].get("options", {})
    for name in options:
        if name not in own:
            tasks = [
                task
                for task, entry in catalogue.TASKS.items()
                if name in entry.get("options", {})
            ]
            raise ValueError(
                f"--{name} is for models of the task {' or '.join(tasks)}. "
                f"Received: {name}={options[name]!r}, a model of {task.name}"
            )
    if not inputs and not options and not own:
        raise ValueError(
            f"There must be something to answer: {task.input.asked}. "
            "Received: no arguments"
        )
    from zoo import asking

    return asking.from_words(task.input, inputs or [], options, _how(said))
