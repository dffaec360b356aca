"""What the layers of `sequence/` cost beside Keras's own.

    python benchmarks/sequence.py
    python benchmarks/sequence.py --layers LuongAttention --lengths 128

times a forward pass and a training step (forward, then the gradients of inputs
and weights) of our layer and of Keras's, call by call in turn, so that a busy
machine slows them alike; the ratio is the median of five runs. Before that each
is called alone, to see the memory that its tensors take at most, inputs and
weights apart. A layer at a length has a process of its own, which may grow to
8 GiB; what does not fit is left out, and the rest measured without it.

The tables are printed, and every figure kept in `benchmarks/sequence.json`;
called again after a kill, it goes on where it was. For TensorFlow on Linux.
"""

import gc
import json
import multiprocessing
import pathlib
import statistics
import time

import keras
import numpy as np
import tensorflow as tf
import typer

import keras_attention as ka
from zoo import saving
from zoo.atomic import replacing

LENGTHS = (128, 512, 2048, 8192)
LIMIT = 8 * 1024  # MiB
STEPS = {"forward": "Forward", "training": "Training step"}
FIGURES = pathlib.Path(__file__).with_suffix(".json")


def of_pair(layer):
    return lambda query, value: layer([query, value])


def of_value(layer):
    return lambda query, value: layer(value)


def of_projections(units):
    """Keras's additive attention, given the two projections of the paper's."""
    layer = keras.layers.AdditiveAttention()
    query_projection = keras.layers.Dense(units, use_bias=False)
    key_projection = keras.layers.Dense(units, use_bias=False)
    return lambda query, value: layer(
        [query_projection(query), value, key_projection(value)]
    )


# From the width of queries and values to a function of both.
SIDES = {
    "BahdanauAttention": ka.BahdanauAttention,
    "AttentionLayer additive": lambda width: ka.AttentionLayer(
        "additive", units=width
    ),
    "AttentionLayer concat": lambda width: ka.AttentionLayer(
        "concat", units=width
    ),
    "AttentionLayer minus": lambda width: ka.AttentionLayer(
        "minus", units=width
    ),
    "AttentionLayer scaled_dot": lambda width: ka.AttentionLayer("scaled_dot"),
    "AttentionLayer dot": lambda width: ka.AttentionLayer("dot"),
    "ScaledDotProductAttention": lambda width: ka.ScaledDotProductAttention(),
    "MultiHeadAttention": lambda width: ka.MultiHeadAttention(4, width // 4),
    "SelfAttention": lambda width: of_value(ka.SelfAttention(4)),
    "LuongAttention": ka.LuongAttention,
    "LocalAttention": lambda width: ka.LocalAttention(window=10),
    "AttentionPooling": lambda width: of_value(ka.AttentionPooling(width)),
    "Keras AdditiveAttention": lambda width: of_pair(
        keras.layers.AdditiveAttention()
    ),
    "Keras AdditiveAttention after two Dense": of_projections,
    "Keras Attention": lambda width: of_pair(keras.layers.Attention()),
    "Keras MultiHeadAttention": lambda width: keras.layers.MultiHeadAttention(
        4, width // 4
    ),
}

ADDITIVE = {
    "Keras AdditiveAttention": "more: two projections",
    "Keras AdditiveAttention after two Dense": "the same",
}
# Ours, then what it is compared with, and whether its work is the same.
PARTNERS = {
    "BahdanauAttention": ADDITIVE,
    "AttentionLayer additive": ADDITIVE,
    "AttentionLayer concat": ADDITIVE,
    "AttentionLayer minus": ADDITIVE,
    "AttentionLayer scaled_dot": {"Keras Attention": "the same, and the scale"},
    "AttentionLayer dot": {"Keras Attention": "the same"},
    "ScaledDotProductAttention": {"Keras Attention": "the same, and the scale"},
    "MultiHeadAttention": {"Keras MultiHeadAttention": "the same"},
    "SelfAttention": {"Keras MultiHeadAttention": "the same"},
    "LuongAttention": {"Keras Attention": "more: two projections, a tanh"},
    "LocalAttention": {"Keras Attention": "less: 21 keys for each query"},
    "AttentionPooling": {"Keras Attention": "less: one query"},
}
SHORT = "LocalAttention at 1024"  # measured beside LocalAttention at 8192


def main(
    layers: list[str] | None = None,
    lengths: list[int] | None = None,
    rounds: int = 5,
    figures: pathlib.Path = FIGURES,
):
    """Fills the tables, and prints them."""
    layers = layers or list(PARTNERS)
    if not set(layers) <= set(PARTNERS):
        raise typer.BadParameter(f"The layers are {', '.join(PARTNERS)}.")
    setting = {"rounds": rounds, "limit_mebibytes": LIMIT}
    known = json.loads(figures.read_text()) if figures.exists() else {}
    if known.get("setting") != setting:
        known = {"setting": setting, "cells": {}}
    for length in lengths or LENGTHS:
        for name in layers:
            cells = known["cells"].setdefault(name, {})
            if str(length) in cells:
                continue
            print(f"{name}, {length}", flush=True)
            cells[str(length)] = cell(name, length, rounds)
            known["versions"] = {
                **saving.versions(),
                "tensorflow": tf.__version__,
            }
            with replacing(figures) as part:
                part.write_text(json.dumps(known, indent=1) + "\n")
    for step, title in STEPS.items():
        print(f"\n{title}\n\n{table(known['cells'], step)}")
    print(f"\n{growth(known['cells'])}")


def cell(name, length, rounds):
    """The figures of a layer and its partners, as far as they fit."""
    over = {step: [] for step in STEPS}
    while True:
        found, begun = attempt(name, length, rounds, over)
        if found is not None:
            return {**found, "over": over}
        step, side = begun
        over[step].append(side)
        if step == "forward":
            over["training"].append(side)


def attempt(name, length, rounds, over):
    """The figures, or `None` and the call that grew over the limit."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(
        target=measure, args=(sender, name, length, rounds, over)
    )
    process.start()
    found = begun = None
    while process.is_alive() and most_memory(process.pid) <= LIMIT:
        if receiver.poll(0.05):
            found, begun = receiver.recv()
    fits = not process.is_alive()
    process.kill()
    process.join()
    while receiver.poll():
        found, begun = receiver.recv()
    if found is None and (fits or begun is None):
        raise RuntimeError(
            "A process must end by itself, or grow too large with a call that "
            f"it named. Received: exit code {process.exitcode}, {name}, "
            f"{length}, {begun}"
        )
    return found, begun


def measure(sender, name, length, rounds, over):
    """Says what it begins, and in the end what it found."""
    keras.utils.set_random_seed(0)
    found = {"mebibytes": {}, "seconds": {}}
    made = models(name, length)
    for step in STEPS:
        calls = {}
        found["mebibytes"][step] = {}
        for side in [side for side in made if side not in over[step]]:
            sender.send((None, (step, side)))
            calls[side] = call_of(step, *made[side])
            found["mebibytes"][step][side] = peak(calls[side])
        sender.send((None, None))
        found["seconds"][step] = seconds_in_turn(calls, rounds)
    sender.send((found, None))


def models(name, length):
    """Ours first, then its partners: each a model and its inputs."""
    # The longest is smaller, so that it fits where memory is linear.
    batch, width = (1, 32) if length == 8192 else (8, 64)
    sides = {side: (side, length) for side in [name, *PARTNERS[name]]}
    if (name, length) == ("LocalAttention", 8192):
        sides[SHORT] = (name, 1024)
    made = {}
    for side, (layer, steps) in sides.items():
        pair = [keras.Input((steps, width), batch_size=batch) for _ in range(2)]
        model = keras.Model(pair, SIDES[layer](width)(*pair))
        made[side] = model, [tf.random.normal(x.shape) for x in pair]
    return made


def call_of(step, model, inputs):
    """A function without arguments: one step, traced already."""

    @tf.function
    def forward(inputs):
        return model(inputs, training=False)

    @tf.function
    def training(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_mean(tf.square(model(inputs, training=True)))
        return tape.gradient(loss, [inputs, model.trainable_variables])

    function = {"forward": forward, "training": training}[step]
    function.get_concrete_function(inputs)
    return lambda: function(inputs)


def peak(call):
    """MiB of tensors that a call holds at most, beyond those from before."""
    gc.collect()
    tf.config.experimental.reset_memory_stats("CPU:0")
    before = tf.config.experimental.get_memory_info("CPU:0")["current"]
    call()
    after = tf.config.experimental.get_memory_info("CPU:0")["peak"]
    return (after - before) / 2**20


def most_memory(process):
    """MiB that a process has had at most; 0 when it has ended."""
    try:
        status = pathlib.Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return int(lines.get("VmHWM", "0 kB").split()[0]) / 1024


def seconds_in_turn(calls, rounds):
    """Seconds of a call, for each side a mean in each round."""
    if not calls:
        return {}
    seconds = {side: [] for side in calls}
    for _ in range(rounds):
        spent, times = dict.fromkeys(calls, 0.0), 0
        while sum(spent.values()) < 1:  # short calls are taken many times
            times += 1
            for side, call in calls.items():
                spent[side] += timed(call)
        for side, total in spent.items():
            seconds[side].append(total / times)
    return seconds


def timed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def table(cells, step):
    header = ["layer", "against", "its work", *map(str, LENGTHS)]
    rows = [header, ["---"] * len(header)]
    for ours, partners in PARTNERS.items():
        for theirs, work in partners.items():
            entries = [
                entry(cells.get(ours, {}).get(str(length)), step, ours, theirs)
                for length in LENGTHS
            ]
            rows.append([ours, theirs, work, *entries])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def entry(cell, step, ours, theirs):
    """Ours as a multiple of theirs, and the MiB of both."""
    if cell is None:
        return ""
    seconds = cell["seconds"][step]
    mebibytes = {
        side: f"{value:.0f}" if value >= 10 else f"{value:.1f}"
        for side, value in cell["mebibytes"][step].items()
    }
    if ours not in seconds:
        return "over 8 GiB"
    if theirs not in seconds:
        return (
            f"{statistics.median(seconds[ours]):.2f} s "
            f"({mebibytes[ours]} / over 8 GiB)"
        )
    return (
        f"{ratio(seconds, ours, theirs):.2f} "
        f"({mebibytes[ours]} / {mebibytes[theirs]})"
    )


def growth(cells):
    """What LocalAttention takes at 8192 times the positions of 1024."""
    long = cells.get("LocalAttention", {}).get("8192")
    if long is None:
        return ""
    ratios = ", ".join(
        f"{step} {ratio(long['seconds'][step], 'LocalAttention', SHORT):.1f}"
        for step in STEPS
    )
    return f"LocalAttention at 8192, its time at 1024 being 1: {ratios}"


def ratio(seconds, ours, theirs):
    return np.median(np.divide(seconds[ours], seconds[theirs]))


if __name__ == "__main__":
    typer.run(main)
