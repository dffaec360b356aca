"""Three ways to take the keys of a window, and where each is the fastest.

    python benchmarks/local_attention.py

times a forward pass and a training step of `LocalAttention(window=10)` in each
way, and of Keras's `Attention`, which sees all keys, call by call in turn. In
blocks, a block of queries is multiplied by the keys around it; or each query by
all keys, masked; or the windows' keys are gathered. `"predictive"` has no
blocks, since its windows are data. Batches of 8, 64 units.

The layer chooses by these figures: `ALL`, `LEAST_BLOCKS` and others at the head
of `keras_attention/sequence/local_attention.py`. The tables are printed, and
every figure kept in `benchmarks/local_attention.json`; called again after a
kill, it goes on where it was. For TensorFlow.
"""

import json
import pathlib

import keras
import tensorflow as tf
import typer
from sequence import STEPS, call_of, of_pair, ratio, seconds_in_turn

import keras_attention as ka
from zoo import saving
from zoo.atomic import replacing

WINDOW, BATCH, WIDTH = 10, 8, 64
LENGTHS = (64, 128, 256, 512, 1024, 2048)
WAYS = {
    "monotonic": ("blocks", "all keys", "windows"),
    "predictive": ("all keys", "windows"),
}
KERAS = "Keras Attention"
FIGURES = pathlib.Path(__file__).with_suffix(".json")


class OneWay(ka.LocalAttention):
    """Takes the keys as it is told, or as the layer does with `"chosen"`."""

    def __init__(self, way, mode):
        super().__init__(WINDOW, mode=mode)
        self.way = way

    def _cuts(self, query, key):
        if self.way == "chosen":
            return super()._cuts(query, key)
        return self.way == "blocks"

    def _takes_all(self, key, training):
        if self.way == "chosen":
            return super()._takes_all(key, training)
        return self.way == "all keys"


def main(rounds: int = 5, figures: pathlib.Path = FIGURES):
    """Fills the tables, and prints them."""
    known = json.loads(figures.read_text()) if figures.exists() else {}
    if known.get("setting") != {"rounds": rounds}:
        known = {"setting": {"rounds": rounds}, "cells": {}}
    for mode in WAYS:
        for length in LENGTHS:
            cell = f"{mode} {length}"
            if cell in known["cells"]:
                continue
            print(cell, flush=True)
            known["cells"][cell] = measured(mode, length, rounds)
            known["versions"] = {
                **saving.versions(),
                "tensorflow": tf.__version__,
            }
            with replacing(figures) as part:
                part.write_text(json.dumps(known, indent=1) + "\n")
            keras.backend.clear_session()
    for step, title in STEPS.items():
        print(f"\n{title}\n\n{table(known['cells'], step)}")


def measured(mode, length, rounds):
    """Seconds of both steps, for each way in each round."""
    keras.utils.set_random_seed(0)
    made = {way: OneWay(way, mode) for way in (*WAYS[mode], "chosen")}
    made[KERAS] = of_pair(keras.layers.Attention())
    pair = [keras.Input((length, WIDTH), batch_size=BATCH) for _ in range(2)]
    data = [tf.random.normal(x.shape) for x in pair]
    models = {
        side: keras.Model(pair, layer(*pair)) for side, layer in made.items()
    }
    return {
        step: seconds_in_turn(
            {side: call_of(step, each, data) for side, each in models.items()},
            rounds,
        )
        for step in STEPS
    }


def table(cells, step):
    """The time of each way, Keras's being 1."""
    header = ["mode", "keys", *map(str, LENGTHS)]
    rows = [header, ["---"] * len(header)]
    for mode, ways in WAYS.items():
        for way in (*ways, "chosen"):
            found = [cells[f"{mode} {length}"][step] for length in LENGTHS]
            ratios = [f"{ratio(each, way, KERAS):.2f}" for each in found]
            rows.append([mode, way, *ratios])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    typer.run(main)
