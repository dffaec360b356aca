"""The demo: fine-tune, compare, look, export; offline, in a few minutes."""

import contextlib
import json
import math
import os
import pathlib
import statistics
import tempfile
import time

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from keras_attention import pictures
from zoo import export, presets
from zoo.atomic import check_unclaimed, listed_by, replacing, sha256_of_all
from zoo.data.images import load_images
from zoo.export.apart import run_python
from zoo.saving import count_parameters
from zoo.writable import check_writable

WITH_ATTENTION = "cbam_resnet20_cifar10"
PLAIN = "resnet20_cifar10"
SHOWN = 6  # digits in the picture

# What it makes in its folder, beside a digit; results.json lists the files.
MODEL = "cbam_resnet20_digits"
EXPORTED = "exported"
PICTURE = "where_it_looked.png"
RESULTS = "results.json"


def run(
    folder="zoo_demo",
    epochs=2,
    batch_size=64,
    learning_rate=2e-3,
    seed=0,
    repeats=50,
    console=None,
):
    """Shows what the package does, on two trained models and real digits.

    A network with attention and its plain twin, both trained on CIFAR-10, are
    fine-tuned on scikit-learn's digits with the same budget and measured on
    digits that neither saw. The one with attention is asked where it looked,
    saved and exported; each export is run in processes of its own, which
    compare its answers and measure its latency.

    Args:
        folder: Path of what is made. Files of an earlier run are replaced,
            and only those.
        epochs: Positive integer. Epochs of fine-tuning.
        batch_size: Positive integer.
        learning_rate: Positive float.
        seed: Integer. Of the new heads and the order of the data.
        repeats: Positive integer. How often each export is timed.
        console: `rich.console.Console` to tell of each step; `None` is silent.

    Returns:
        Dict of the results, which `results.json` in the folder holds too:
        `models`, `difference`, `picture`, `model`, `image`, `exports`,
        `seconds`, and `sha256` of the files.

    Raises:
        zoo.PresetError: If one of the two presets is not at hand.
        ValueError: If a file that no earlier run wrote is in the way.
        OSError: If the folder cannot be written.
    """
    console = console or Console(quiet=True)
    folder = pathlib.Path(folder)
    started = time.perf_counter()

    check_writable(folder / RESULTS)
    with _step(console, "loaded the two models"):
        tasks = {name: presets.load(name) for name in (WITH_ATTENTION, PLAIN)}
        train, test = load_images("digits"), load_images("digits", "test")
    shown = _first_of_each(test, SHOWN)
    _check_replaceable(tasks[WITH_ATTENTION], shown, folder)

    tuned, models, right = {}, {}, {}
    for name, task in tasks.items():
        done = f"fine-tuned {name} on {len(train):,} digits, {epochs} epochs"
        with _step(console, done) as step:
            tuned[name] = task.finetune(
                train,
                epochs=epochs,
                batch_size=batch_size,
                learning_rate=learning_rate,
                seed=seed,
                verbose=0,
            )
        right[name] = _right(tuned[name], test)
        models[name] = {
            "parameters": count_parameters(tuned[name].model)["trainable"],
            "before": task.card["metrics"].get("accuracy", {}).get("value"),
            "accuracy": float(right[name].mean()),
            "wrong": int((~right[name]).sum()),
            "seconds": step["seconds"],
        }
    difference = _difference(right[WITH_ATTENTION], right[PLAIN])
    _show_models(console, tasks, models, difference, test)

    pathlib.Path(os.path.realpath(folder)).mkdir(parents=True, exist_ok=True)
    looking = tuned[WITH_ATTENTION]
    with _step(console, "drew where it looked"):
        picture, image = _picture(looking, shown, folder)
    with _step(console, "saved the new model"):
        looking.measure(test)
        model = looking.save(folder / MODEL)
    with _step(console, "exported it; each export answered in a new process"):
        exports = looking.export(folder / EXPORTED)
    with _step(console, f"timed each export, {repeats} times one image"):
        one = looking.input.arrays(shown.images[:1])
        for format, facts in exports.items():
            seconds = _latencies(format, facts["path"], one, repeats)
            facts["milliseconds"] = 1e3 * statistics.median(seconds)
    _show_exports(console, exports)

    results = {
        "epochs": epochs,
        "seed": seed,
        "test_images": len(test),
        "models": models,
        "difference": difference,
        "picture": str(picture),
        "model": str(model),
        "image": str(image),
        "exports": exports,
        "seconds": time.perf_counter() - started,
        "sha256": sha256_of_all(folder, [PICTURE, _digit(shown)]),
    }
    with replacing(folder / RESULTS) as path:
        path.write_text(json.dumps(results, indent=1) + "\n")
    _show_end(console, results)
    return results


@contextlib.contextmanager
def _step(console, done):
    """Times what is inside, and says so while it lasts and at its end."""
    step = {}
    started = time.perf_counter()
    with console.status(f"{done} ..."):
        yield step
    step["seconds"] = time.perf_counter() - started
    console.print(f"{step['seconds']:6.1f} s  {done}")


def _right(task, data):
    """Whether each answer is right, a boolean array."""
    answers = task.predict(list(data.images), batch_size=128)
    truths = [data.label_names[label] for label in data.labels]
    return np.array(
        [answer["label"] == truth for answer, truth in zip(answers, truths)]
    )


def _difference(first, second):
    """Of two accuracies on the same images, and its standard error."""
    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    count = len(first)
    value = (only_first - only_second) / count
    variance = (only_first + only_second) / count - value**2
    return {
        "value": value,
        "standard_error": math.sqrt(variance / count),
        "only_first": only_first,
        "only_second": only_second,
    }


def _first_of_each(data, count):
    """The first example of each of the first `count` classes."""
    places = [int(np.argmax(data.labels == label)) for label in range(count)]
    return data.take(np.array(places))


def _check_replaceable(task, shown, folder):
    """Refuses to begin where files of the user's are in the way."""
    digests = listed_by(folder / RESULTS)
    for place in (PICTURE, _digit(shown)):
        check_unclaimed(folder, [place], digests)
        check_writable(folder / place)
    presets.check_replaceable(folder / MODEL, roles=task.assets)
    export.check_replaceable(task, folder / EXPORTED, task.formats)


def _digit(shown):
    return f"digit_{shown.label_names[shown.labels[-1]]}.png"


def _picture(task, shown, folder):
    """Writes the picture, and the last digit for the reader's own try."""
    from PIL import Image

    answers = task.look(list(shown.images))
    figure = task.picture(shown.images, answers)
    path = pictures.save_figure(figure, folder / PICTURE)
    digit = folder / _digit(shown)
    Image.fromarray(shown.images[-1][..., 0]).save(digit)
    return path, digit


def _latencies(format, path, one, repeats):
    """Seconds of each answer to one input, in a process of its own."""
    script = pathlib.Path(__file__).parent / "export" / "latency.py"
    with tempfile.TemporaryDirectory() as temporary:
        asked = pathlib.Path(temporary, "inputs.npz")
        times = pathlib.Path(temporary, "times.json")
        np.savez(asked, **one)
        arguments = (script, format, path, asked, repeats, times)
        run_python(["-P", *map(str, arguments)], f"Timing {path}")
        return json.loads(times.read_text())


def _show_models(console, tasks, models, difference, test):
    table = Table("fine-tuned on digits", box=box.SIMPLE)
    for header in ("parameters", "CIFAR-10, its card", "digits", "wrong", ""):
        table.add_column(header, justify="right")
    for name, facts in models.items():
        before = facts["before"]
        table.add_row(
            name,
            f"{facts['parameters']:,}",
            "" if before is None else f"{before:.4f}",
            f"{facts['accuracy']:.4f}",
            f"{facts['wrong']} of {len(test)}",
            f"{facts['seconds']:.0f} s",
        )
    console.print(table)
    console.print(_verdict(difference), soft_wrap=True)


def _verdict(difference):
    value, error = difference["value"], difference["standard_error"]
    if not error:
        return "Both are right on the very same digits.\n"
    if abs(value) <= 2 * error:
        meaning = (
            "within two standard errors: these digits cannot tell them apart"
        )
    else:
        meaning = "more than two standard errors, for one seed and one budget"
    return (
        f"Difference: {100 * value:+.1f} points, standard error "
        f"{100 * error:.1f}; {difference['only_first']} digits only the first "
        f"gets right, {difference['only_second']} only the second. That is "
        f"{meaning}.\n"
    )


def _show_exports(console, exports):
    table = Table("export", box=box.SIMPLE)
    for header in ("size", "one image", "largest difference", "allowed"):
        table.add_column(header, justify="right")
    for format, facts in exports.items():
        table.add_row(
            format,
            f"{facts['bytes'] / 1e6:.2f} MB",
            f"{facts['milliseconds']:.1f} ms",
            f"{facts['largest_difference']:.1e}",
            f"{facts['tolerance']:.0e}",
        )
    console.print(table)


def _show_end(console, results):
    console.print(
        f"Done in {results['seconds']:.0f} s. Where it looked: "
        f"{results['picture']}\n\nTry next:\n"
        f"  zoo look {results['model']} {results['image']}\n"
        f"  zoo list\n"
        f"  zoo finetune {WITH_ATTENTION} --data FOLDER --out my_model",
        soft_wrap=True,
    )
