"""What an answer costs beside the network alone: one, many, in a shell.

    python benchmarks/answering.py

One: `predict` and `look` of one raw input beside the same graph as a traced
function on arrays that are ready. Many: `predict` of 1,000 PNG files beside
`keras.Model.predict` on arrays that are ready. The shell: each command beside
the bare import of TensorFlow. What is compared runs in turn, so that a busy
machine slows it alike, and the ratio is the median of the rounds.

The tables are printed, and every figure kept in `benchmarks/answering.json`;
called again after a kill, it goes on where it was. For TensorFlow.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import tensorflow as tf
import typer
from PIL import Image

import zoo
from zoo import saving
from zoo.atomic import replacing

SAMPLES = pathlib.Path(__file__).parent.parent / "docs" / "samples"
FIGURES = pathlib.Path(__file__).with_suffix(".json")
REVIEW = (SAMPLES / "review.txt").read_text("utf-8")
PAIR = ("A man is playing a guitar.", "Somebody makes music on a guitar.")

# Preset -> one raw input.
ONE = {
    "resnet20_cifar10": SAMPLES / "ship.jpg",
    "cbam_resnet20_cifar10": SAMPLES / "ship.jpg",
    "recurrent_imdb": REVIEW,
    "transformer_imdb": REVIEW,
    "han_imdb": REVIEW,
    "mwan_sick": PAIR,
}
MANY = ("resnet20_cifar10", "se_resnet20_cifar10", "cbam_resnet20_cifar10")
SIZES = ((32, 32), (160, 120))  # of the files
COUNT = 1000
IMPORT = "import tensorflow"
SHELL = {
    IMPORT: [sys.executable, "-c", IMPORT],
    "zoo --version": ["--version"],
    "zoo --help": ["--help"],
    "zoo list": ["list"],
    "zoo show mwan_sick": ["show", "mwan_sick"],
    "zoo predict": ["predict", "cbam_resnet20_cifar10", SAMPLES / "ship.jpg"],
}


def main(
    rounds: int = 31, slow_rounds: int = 5, figures: pathlib.Path = FIGURES
):
    """Fills the tables, and prints them."""
    setting = {"rounds": rounds, "slow_rounds": slow_rounds, "count": COUNT}
    known = json.loads(figures.read_text()) if figures.exists() else {}
    if known.get("setting") != setting:
        known = {"setting": setting, "one": {}, "many": {}, "shell": {}}

    def keep(part, name, found):
        known[part][name] = found
        known["versions"] = {
            **saving.versions(),
            "tensorflow": tf.__version__,
        }
        with replacing(figures) as path:
            path.write_text(json.dumps(known, indent=1) + "\n")

    for name, raw in ONE.items():
        if name not in known["one"]:
            keep("one", name, in_turn(of_one(name, raw), rounds))
    for name in MANY:
        for size in SIZES:
            cell = f"{name}, {size[0]}x{size[1]}"
            if cell not in known["many"]:
                keep("many", cell, of_many(name, size, slow_rounds))
    if not known["shell"]:
        with tempfile.TemporaryDirectory() as folder:
            for name, found in in_turn(commands(folder), slow_rounds).items():
                keep("shell", name, found)
    print(tables(known))


def of_one(name, raw):
    """The calls that are compared, by name."""
    task = zoo.load(name)
    _, raws = task.input.several(raw)
    arrays = {
        key: tf.constant(array)
        for key, array in task.input.arrays(raws).items()
    }
    calls = {}
    sides = {"predict": task.predict}
    if task.has_attention():
        sides["look"] = task.look
    for side, ask in sides.items():
        graph = tf.function(task.graph(attention=side == "look"))
        calls[side] = lambda ask=ask: ask(raw)
        calls[f"{side}, traced"] = lambda graph=graph: tf.nest.map_structure(
            lambda tensor: tensor.numpy(), graph(arrays)
        )
    return calls


def of_many(name, size, rounds):
    """Seconds of both sides, of files of one size."""
    task = zoo.load(name)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for place in range(COUNT):
            # Blocks of colour, which compress as pictures do.
            blocks = rng.integers(0, 256, (6, 8, 3), "uint8")
            file = pathlib.Path(folder, f"{place}.png")
            Image.fromarray(blocks).resize(size, Image.BICUBIC).save(file)
            files.append(file)
        (arrays,) = task.input.arrays(files).values()
        return in_turn(
            {
                "predict": lambda: task.predict(files),
                "the network": lambda: task.model.predict(
                    arrays, batch_size=32, verbose=0
                ),
            },
            rounds,
        )


def commands(folder):
    """The calls of the shell, by name; `folder` gets an export to ask."""
    zoo.load("cbam_resnet20_cifar10").export(folder, "litert")
    litert = ["--runtime", "litert"]
    words = SHELL | {
        " ".join(["zoo predict", *litert]): [
            *("predict", folder, SAMPLES / "ship.jpg", *litert)
        ]
    }
    return {name: of_shell(each) for name, each in words.items()}


def of_shell(words):
    """A call of a command; the module is the command where it is not one."""
    if words[0] != sys.executable:
        words = [sys.executable, "-c", "from zoo.cli import main; main()"] + [
            str(word) for word in words
        ]
    silent = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return lambda: subprocess.run(
        words, check=True, capture_output=True, env=silent
    )


def in_turn(calls, rounds):
    """Seconds of each call in each round, after two to warm up."""
    seconds = {side: [] for side in calls}
    for number in range(rounds + 2):
        for side, call in calls.items():
            start = time.perf_counter()
            call()
            if number >= 2:
                seconds[side].append(time.perf_counter() - start)
    return seconds


def ratio(seconds, ours, theirs):
    return statistics.median(
        a / b for a, b in zip(seconds[ours], seconds[theirs], strict=True)
    )


def tables(known):
    rows = [
        "| one input | traced, ms | predict, traced = 1 | look, traced = 1 |",
        "| --- | --- | --- | --- |",
    ]
    for name, seconds in known["one"].items():
        alone = 1000 * statistics.median(seconds["predict, traced"])
        rows.append(
            f"| `{name}` | {alone:.1f} "
            f"| {ratio(seconds, 'predict', 'predict, traced'):.2f} | "
            + (
                f"{ratio(seconds, 'look', 'look, traced'):.2f} |"
                if "look" in seconds
                else "no attention |"
            )
        )
    rows += [
        "",
        f"| {COUNT:,} PNG files | the network, s | predict, network = 1 |",
        "| --- | --- | --- |",
    ]
    for name, seconds in known["many"].items():
        alone = statistics.median(seconds["the network"])
        rows.append(
            f"| `{name.replace(', ', '`, ')} | {alone:.2f} "
            f"| {ratio(seconds, 'predict', 'the network'):.2f} |"
        )
    rows += ["", f"| in a shell | s | {IMPORT} = 1 |", "| --- | --- | --- |"]
    for name in known["shell"]:
        rows.append(
            f"| `{name}` | {statistics.median(known['shell'][name]):.2f} "
            f"| {ratio(known['shell'], name, IMPORT):.2f} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    typer.run(main)
