"""What it brings that the GRUs of MwAN's ways run in common loops.

    python benchmarks/mwan.py

trains a classifier of pairs of 32 words, with a loop for each GRU and with two
loops for all: seconds to the first step, which traces the graph, of a new model
in each round; and of later steps, call by call in turn, so that a busy machine
slows both alike. Batches of 64, 32 units, 64 numbers a word.

The table is printed, and every figure kept in `benchmarks/mwan.json`. For
TensorFlow.
"""

import json
import pathlib
import statistics

import keras
import numpy as np
import tensorflow as tf
import typer
from sequence import ratio, timed

import keras_attention as ka
from zoo import saving
from zoo.atomic import replacing

BATCH, WORDS, WIDTH, UNITS = 64, 32, 64, 32  # as the preset mwan_sick
FIGURES = pathlib.Path(__file__).with_suffix(".json")


class Apart(ka.MwAN):
    """With two loops for each way."""

    def _inside(self, read, left, mask):
        return [
            aggregation(read[way], left, inputs_mask=mask)
            for way, aggregation in zip(self.ways, self.inside)
        ]


SIDES = {"common loops": ka.MwAN, "a loop each": Apart}


def main(rounds: int = 5, steps: int = 20, figures: pathlib.Path = FIGURES):
    """Fills the table, and prints it."""
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, BATCH, WORDS, WIDTH)).astype("float32")
    classes = rng.integers(0, 3, BATCH)
    first = {side: [] for side in SIDES}
    after = {side: [] for side in SIDES}
    for _ in range(rounds):
        calls = {}
        for side, layer in SIDES.items():
            model = classifier(layer)
            calls[side] = lambda model=model: model.train_on_batch(
                [left, right], classes
            )
            first[side].append(timed(calls[side]))
        for number in range(steps + 2):  # the first may trace once more
            for side, call in calls.items():
                seconds = timed(call)
                if number >= 2:
                    after[side].append(seconds)
        keras.backend.clear_session()
    known = {
        "setting": {"rounds": rounds, "steps": steps},
        "first": first,
        "after": after,
        "versions": {**saving.versions(), "tensorflow": tf.__version__},
    }
    with replacing(figures) as part:
        part.write_text(json.dumps(known, indent=1) + "\n")
    print(table(known))


def classifier(layer):
    """A compiled network of one MwAN and a head."""
    keras.utils.set_random_seed(0)
    pair = [keras.Input((WORDS, WIDTH)) for _ in range(2)]
    _, vector = layer(UNITS)(*pair)
    model = keras.Model(pair, keras.layers.Dense(3)(vector))
    model.compile(
        "adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    # As our training does; or else Keras traces the first step twice.
    model.optimizer.build(model.trainable_variables)
    return model


def table(known):
    rows = [
        "| the GRUs of the ways | first step, s | later steps, ms | ratio |",
        "| --- | --- | --- | --- |",
    ]
    for side in SIDES:
        rows.append(
            f"| {side} | {statistics.median(known['first'][side]):.1f} "
            f"| {1000 * statistics.median(known['after'][side]):.0f} "
            f"| {ratio(known['after'], side, 'a loop each'):.2f} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    typer.run(main)
