"""What the gates of feature maps cost beside the same written by hand in Keras.

    python benchmarks/vision_layers.py

times a forward pass and a training step (forward, then the gradients of inputs
and weights) of our layer and of Keras's own layers put together by hand, call
by call in turn, so that a busy machine slows them alike; the ratio is the
median of the rounds. Both have the same weights, and their outputs are compared
first. Batches of 8, float32.

The table is printed, and every figure kept in `benchmarks/vision_layers.json`;
called again after a kill, it goes on where it was. For TensorFlow.
"""

import json
import pathlib

import keras
import numpy as np
import tensorflow as tf
import typer
from keras import layers, ops
from sequence import STEPS, call_of, ratio, seconds_in_turn

import keras_attention as ka
from zoo import saving
from zoo.atomic import replacing

BATCH = 8
MAPS = ((14, 14, 64), (14, 14, 256), (28, 28, 256), (56, 56, 256))
FIGURES = pathlib.Path(__file__).with_suffix(".json")


def squeeze_and_excitation(x):
    """Of Keras's layers."""
    channels = x.shape[-1]
    shares = layers.GlobalAveragePooling2D(keepdims=True)(x)
    shares = layers.Dense(channels // 16, activation="relu")(shares)
    shares = layers.Dense(channels, activation="sigmoid")(shares)
    return layers.Multiply()([x, shares])


def cbam(x):
    """Of Keras's layers."""
    channels = x.shape[-1]
    reduce = layers.Dense(channels // 16, activation="relu")
    expand = layers.Dense(channels)
    mean = layers.GlobalAveragePooling2D(keepdims=True)(x)
    most = layers.GlobalMaxPooling2D(keepdims=True)(x)
    shares = layers.Add()([expand(reduce(mean)), expand(reduce(most))])
    x = layers.Multiply()([x, layers.Activation("sigmoid")(shares)])
    pooled = ops.concatenate(
        [ops.max(x, -1, keepdims=True), ops.mean(x, -1, keepdims=True)], -1
    )
    places = layers.Conv2D(1, 7, padding="same", use_bias=False)(pooled)
    places = layers.BatchNormalization(epsilon=1e-5)(places)
    return layers.Multiply()([x, layers.Activation("sigmoid")(places)])


def bam(x):
    """Of Keras's layers."""
    channels = x.shape[-1]

    def normed(y):
        y = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(y)
        return layers.ReLU()(y)

    shares = layers.GlobalAveragePooling2D(keepdims=True)(x)
    shares = normed(layers.Dense(channels // 16)(shares))
    shares = layers.Dense(channels)(shares)
    places = normed(layers.Conv2D(channels // 16, 1)(x))
    for _ in range(2):
        places = layers.Conv2D(
            channels // 16, 3, padding="same", dilation_rate=4
        )(places)
        places = normed(places)
    places = layers.Conv2D(1, 1)(places)
    product = layers.Activation("sigmoid")(layers.Multiply()([shares, places]))
    return layers.Multiply()([x, 1 + product])


LAYERS = {
    "SEBlock": (ka.SEBlock, squeeze_and_excitation),
    "CBAM": (ka.CBAM, cbam),
    "BAM": (ka.BAM, bam),
}


def main(rounds: int = 9, figures: pathlib.Path = FIGURES):
    """Fills the tables, and prints them."""
    known = json.loads(figures.read_text()) if figures.exists() else {}
    if known.get("setting") != {"rounds": rounds}:
        known = {"setting": {"rounds": rounds}, "cells": {}}
    for name in LAYERS:
        for shape in MAPS:
            cell = f"{name} {shape}"
            if cell in known["cells"]:
                continue
            print(cell, flush=True)
            known["cells"][cell] = measured(name, shape, rounds)
            known["versions"] = {
                **saving.versions(),
                "tensorflow": tf.__version__,
            }
            with replacing(figures) as part:
                part.write_text(json.dumps(known, indent=1) + "\n")
            keras.backend.clear_session()
    print(table(known["cells"]))


def measured(name, shape, rounds):
    """Seconds of both steps, for each side in each round."""
    make, by_hand = LAYERS[name]
    inputs = keras.Input(shape, batch_size=BATCH)
    models = {
        "ours": keras.Model(inputs, make()(inputs)),
        "by hand": keras.Model(inputs, by_hand(inputs)),
    }
    data = tf.random.normal(inputs.shape)
    check_alike(models, data)
    return {
        step: seconds_in_turn(
            {side: call_of(step, each, data) for side, each in models.items()},
            rounds,
        )
        for step in STEPS
    }


def check_alike(models, data):
    """Gives both the same weights, and sees that they say the same."""
    found = []
    for model in models.values():
        values = {}
        for weight in sorted(model.weights, key=kind):
            # Of one name and shape all are alike: which is which is no matter.
            rng = np.random.default_rng(len(values))
            value = rng.uniform(-0.2, 0.3, weight.shape)
            if "variance" in weight.path or "gamma" in weight.path:
                value = 1 + value
            weight.assign(values.setdefault(kind(weight), value))
        found.append(([*values], ops.convert_to_numpy(model(data))))
    (names, ours), (others, by_hand) = found
    assert names == others
    np.testing.assert_allclose(ours, by_hand, rtol=1e-4, atol=1e-4)


def kind(weight):
    return weight.path.split("/")[-1], tuple(weight.shape)


def table(cells):
    """Ours as a multiple of the time by hand, forward and in training."""
    header = ["layer", *("x".join(map(str, shape)) for shape in MAPS)]
    rows = [header, ["---"] * len(header)]
    for name in LAYERS:
        row = [f"`{name}`"]
        for shape in MAPS:
            found = cells[f"{name} {shape}"]
            row.append(
                ", ".join(
                    f"{ratio(found[step], 'ours', 'by hand'):.2f}"
                    for step in STEPS
                )
            )
        rows.append(row)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    typer.run(main)
