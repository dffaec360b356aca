"""Can a locator be trained by the classification loss alone?

    python benchmarks/locator.py

A small network says where in an image of 60 x 60 pixels to look; a classifier
sees that glimpse of 20 x 20 pixels and nothing else. The locator never sees the
digit's box. Three glimpses, the same locator, the same classifier:

`gaussian`: `GaussianAttention`, whose centre, stride and blur the locator says.
At the start it covers the whole image, coarsely. The loss has a gradient to all
three.

`hard crop`: `hard_crop` at the place rounded to whole pixels. It has no
gradient to that, so the locator stays as it is drawn.

`hard crop, score function`: the same, the places drawn around what the locator
says in training, and the locator trained by REINFORCE with a learned baseline.

The pictures are those of MNIST, each at a random place of a black image
(`mnist_translated_60`). Measured on the test part: accuracy, the mean IoU of
the glimpse with the digit's box, and the share of glimpses that hold the box's
centre. A Gaussian glimpse counts as the square from the first to the last of
its filters' centres, and half a stride around.

The table is printed, and every figure kept in `benchmarks/locator.json`; called
again after a kill, it goes on where it was.
"""

import json
import pathlib
import statistics
import time

import keras
import numpy as np
import typer
from keras import ops

from keras_attention.functional.estimators import (
    gaussian_log_probability,
    score_function_loss,
)
from keras_attention.functional.sampling import hard_crop
from keras_attention.glimpse.gaussian_attention import GaussianAttention
from zoo import saving
from zoo.atomic import replacing
from zoo.data.distorted_digits import distorted_digits
from zoo.data.images import load_images
from zoo.own_loss import NetworkWithOwnLoss

FIGURES = pathlib.Path(__file__).with_suffix(".json")
KINDS = ("gaussian", "hard crop", "hard crop, score function")
SIDE, GLIMPSE = 60, 20
DEVIATION = 0.2  # of the places drawn, the image's sides being 2
COLUMNS = {
    "accuracy": "accuracy",
    "iou": "IoU with the digit's box",
    "centre": "digit's centre inside",
    "side": "side of the glimpse, pixels",
    "seconds": "training, s",
}


def main(
    images: int = 6000,
    epochs: int = 5,
    seeds: int = 3,
    figures: pathlib.Path = FIGURES,
):
    """Accuracy of the classifier, and where the locator looks."""
    setting = {"images": images, "test": 2000, "epochs": epochs, "batch": 64}
    known = json.loads(figures.read_text()) if figures.exists() else {}
    if known.get("setting") != setting:
        known = {"setting": setting, "runs": {}}
    parts = {}
    for seed in range(seeds):
        for kind in KINDS:
            if f"{kind}, {seed}" in known["runs"]:
                continue
            parts = parts or {
                "train": digits("train", images),
                "test": digits("test", setting["test"]),
            }
            found = run(kind, parts, epochs, seed)
            print(f"{kind}, {seed}: {found}", flush=True)
            known["runs"][f"{kind}, {seed}"] = found
            known["versions"] = saving.versions()
            with replacing(figures) as part:
                part.write_text(json.dumps(known, indent=1) + "\n")
            keras.backend.clear_session()
    print(f"| glimpse | {' | '.join(COLUMNS.values())} |")
    print(f"| --- {'| --- ' * len(COLUMNS)}|")
    for kind in KINDS:
        runs = [known["runs"][f"{kind}, {seed}"] for seed in range(seeds)]
        entries = [mean_and_spread([run[c] for run in runs]) for c in COLUMNS]
        print(f"| {kind} | {' | '.join(entries)} |")
    best = known["runs"][f"{KINDS[1]}, 0"]["best_iou"]
    print(
        f"\nBest IoU that a crop of {GLIMPSE} x {GLIMPSE} reaches: {best:.3f}"
    )


def digits(split, count):
    base = load_images("mnist", split)
    return distorted_digits(base, "translated_60", split, count)


def run(kind, parts, epochs, seed):
    keras.utils.set_random_seed(seed)
    network, where = KIND_TO_NETWORK[kind]()
    train, test = parts["train"], parts["test"]
    steps = epochs * (len(train.images) // 64)
    network.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(
                0.0, steps, warmup_target=2e-3, warmup_steps=steps // 10
            ),
            clipnorm=1.0,
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    started = time.perf_counter()
    network.fit(
        train.images.astype("float32"),
        train.labels,
        batch_size=64,
        epochs=epochs,
        verbose=2,
    )
    seconds = time.perf_counter() - started
    images = test.images.astype("float32")
    _, accuracy = network.evaluate(images, test.labels, verbose=0)
    squares = where.predict(images, verbose=0, batch_size=250)
    boxes = test.truth["box"].astype("float64")
    whole = boxes[:, 2] * boxes[:, 3]
    return {
        "accuracy": float(accuracy),
        "iou": float(np.mean(iou(squares, boxes))),
        "centre": float(np.mean(holds_centre(squares, boxes))),
        "side": float(np.mean(squares[:, 2])),
        "best_iou": float(np.mean(whole / GLIMPSE**2)),
        "seconds": seconds,
    }


def gaussian():
    """The network, and one that says the square of each glimpse."""
    image, x, features = ends()
    said = keras.layers.Dense(
        4, kernel_initializer="zeros", name="locator", dtype="float32"
    )(features)
    parameters, square = Grid(name="grid")(said)
    glimpse = GaussianAttention(
        (GLIMPSE, GLIMPSE), parametrization="pixels", name="glimpse"
    )(x, parameters)
    logits = classified(glimpse)
    return keras.Model(image, logits), keras.Model(image, square)


def crop(learned):
    image, x, features = ends()
    found = HardGlimpse(learned, name="glimpse")(x, features)
    logits = classified(found["glimpse"])
    where = keras.Model(image, found["square"])
    if not learned:
        return keras.Model(image, logits), where
    more = {name: found[name] for name in ("log_probability", "baseline")}
    return NetworkWithOwnLoss(image, logits, more, reinforce), where


KIND_TO_NETWORK = {
    "gaussian": gaussian,
    "hard crop": lambda: crop(learned=False),
    "hard crop, score function": lambda: crop(learned=True),
}


def ends():
    """The image, the same from 0 to 1, and what the locator makes of it."""
    image = keras.Input((SIDE, SIDE, 1), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    seen = keras.layers.AveragePooling2D(2)(x)
    for filters in (8, 16):
        seen = keras.layers.Conv2D(filters, 3, activation="relu")(seen)
        seen = keras.layers.MaxPooling2D()(seen)
    features = keras.layers.Flatten()(seen)
    return image, x, keras.layers.Dense(64, activation="relu")(features)


def classified(glimpse):
    x = glimpse
    for filters in (16, 32):
        x = keras.layers.Conv2D(filters, 3, activation="relu")(x)
        x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(64, activation="relu")(x)
    return keras.layers.Dense(10, name="logits", dtype="float32")(x)


class Grid(keras.layers.Layer):
    """What the locator says as the filters of a glimpse, and as a square.

    A square is `(x, y, side)`, its corner and side in pixels. At the start it
    is the whole image.
    """

    def call(self, said):
        stride = SIDE / GLIMPSE * ops.exp(said[:, 2:3])
        deviation = 0.3 + (SIDE / GLIMPSE / 2 - 0.3) * ops.exp(said[:, 3:])
        centre = (SIDE - 1) / 2 + SIDE / 2 * ops.tanh(said[:, :2])
        first = centre - (GLIMPSE - 1) / 2 * stride
        along = [deviation, stride]
        parameters = ops.concatenate(
            [first[:, :1], *along, first[:, 1:], *along], axis=-1
        )
        corner = first - stride / 2 + 0.5
        square = ops.concatenate([corner, GLIMPSE * stride], axis=-1)
        return parameters, square


class HardGlimpse(keras.layers.Layer):
    """A crop at whole pixels, at the place that a Dense layer says.

    Args:
        learned: Boolean. Whether places are drawn in training, and the score
            function's terms returned.
    """

    def __init__(self, learned, **kwargs):
        super().__init__(**kwargs)
        self.learned = learned
        self.locator = keras.layers.Dense(2, activation="tanh")
        self.baseline = keras.layers.Dense(1)
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, images, features, training=None):
        mean = self.locator(features)
        place, outputs = mean, {}
        if self.learned:
            if training:
                noise = keras.random.normal(
                    ops.shape(mean), seed=self.seed_generator
                )
                place = ops.stop_gradient(mean + DEVIATION * noise)
            outputs["log_probability"] = gaussian_log_probability(
                place, mean, DEVIATION
            )[:, None]
            outputs["baseline"] = self.baseline(ops.stop_gradient(features))
        # -1 and 1 are the outermost crops of the image.
        free = SIDE - GLIMPSE
        corner = ops.round((ops.clip(place, -1.0, 1.0) + 1) / 2 * free)
        glimpse = hard_crop(
            images, ops.cast(corner, "int32"), (GLIMPSE, GLIMPSE)
        )
        side = GLIMPSE + 0 * corner[:, :1]
        square = ops.concatenate([corner, side], axis=-1)
        return {"glimpse": glimpse, "square": square, **outputs}


def reinforce(labels, logits, more):
    """The loss of the locator and of its baseline."""
    right = ops.equal(
        ops.cast(ops.argmax(logits, axis=-1), "int32"),
        ops.cast(ops.reshape(labels, (-1,)), "int32"),
    )
    reward = ops.stop_gradient(ops.cast(right, "float32")[:, None])
    baseline = more["baseline"]
    error = ops.sum(ops.square(baseline - reward), axis=-1)
    return error + score_function_loss(
        more["log_probability"], reward, baseline
    )


def iou(squares, boxes):
    """Of squares `(x, y, side)` and boxes `(x, y, width, height)`."""
    low = np.maximum(squares[:, :2], boxes[:, :2])
    high = np.minimum(
        squares[:, :2] + squares[:, 2:], boxes[:, :2] + boxes[:, 2:]
    )
    shared = np.prod(np.maximum(high - low, 0), axis=-1)
    both = squares[:, 2] ** 2 + boxes[:, 2] * boxes[:, 3] - shared
    return shared / both


def holds_centre(squares, boxes):
    offset = boxes[:, :2] + boxes[:, 2:] / 2 - squares[:, :2]
    return np.all((offset >= 0) & (offset <= squares[:, 2:]), axis=-1)


def mean_and_spread(values):
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"


if __name__ == "__main__":
    typer.run(main)
