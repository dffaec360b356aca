"""Does attention residual learning stack, and is it robust to label noise?

    TFDS_DATA_DIR=... python benchmarks/residual_attention.py
    python benchmarks/residual_attention.py --only "clean labels, naive"

*Stacked modules* (Wang et al. 2017, section 3.1): features that are multiplied
by the masks of several modules in a row (`naive`) fade; with attention residual
learning (`residual`) they do not. Beside them the same network without masks
(`trunk only`), which has a third of the parameters, and a wider one that has
about as many.

*Label noise* (section 4.1): the same networks trained with wrong labels on half
of the training images, and measured on clean test labels. A wrong label is one
of the other classes, drawn uniformly. Masks weigh the gradients too, so wrong
labels should do less harm where the features are masked. `memorised` is the
share of the wrong labels that a network answers on the training images.

`attention_20`, with three modules in a row, on 5,000 images of CIFAR-10 (JPEG
copy), reduced to 16 x 16 by the means of 2 x 2 pixels, and 2,000 of its test
part; three seeds. A seed decides the initial weights, and the order of the
images and the wrong labels, which are the same for all networks, so differences
are paired. Nothing was chosen on the test images.

The table is printed, and every figure kept in
`benchmarks/residual_attention.json`; called again after a kill, the script goes
on where it was.
"""

import dataclasses
import functools
import pathlib
import time

import keras
import numpy as np
import typer
from seeds import follow, mean_and_spread, of_name

from zoo import saving
from zoo.data.images import load_images
from zoo.image_classification.residual_attention_network import PRESETS
from zoo.image_classification.task import ImageClassification

FIGURES = pathlib.Path(__file__).with_suffix(".json")
IMAGES, TEST_IMAGES, SIDE = 5_000, 2_000, 16
LABELS = {"clean labels": 0.0, "50 % noise": 0.5}  # share of wrong ones
BASELINE = "trunk only"
NETWORKS = {
    "residual": {"mode": "residual"},
    "naive": {"mode": "naive"},
    BASELINE: {"mode": None},
    # About as many parameters as those with masks.
    "trunk only, wider": {"mode": None, "filters": (56, 112, 224)},
}
TRAINING = {
    "epochs": 24,
    "batch_size": 64,
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "schedule": "one_cycle",
    "weight_decay": 2e-3,
    "augment": ["flip"],
    # Compiling takes longer than it saves on a CPU.
    "jit_compile": False,
}
RUNS = [f"{labels}, {network}" for labels in LABELS for network in NETWORKS]


def main(only: list[str] = (), seeds: int = 3, figures: pathlib.Path = FIGURES):
    """Trains each network with each seed, and measures it."""
    setting = {
        "images": [IMAGES, TEST_IMAGES, SIDE],
        "labels": LABELS,
        "runs": {name: recipe(name) for name in RUNS},
    }
    show(follow(figures, setting, only or RUNS, seeds, run))


def recipe(name):
    """The recipe of a run."""
    network = name.partition(", ")[2]
    return {
        "builder": "residual_attention_network",
        "builder_args": {
            "input_shape": [SIDE, SIDE, 3],
            **PRESETS["attention_20"],
            **NETWORKS[network],
        },
        "training": dict(TRAINING),
    }


@functools.cache
def data():
    """The training and the test part, reduced."""
    return [
        reduced(load_images("cifar10", split).sample(count))
        for split, count in (("train", IMAGES), ("test", TEST_IMAGES))
    ]


def reduced(images):
    """Each side halved, by means."""
    pixels = images.images.astype("float32")
    count, _, _, channels = pixels.shape
    pixels = pixels.reshape(count, SIDE, 2, SIDE, 2, channels).mean((2, 4))
    return dataclasses.replace(images, images=np.round(pixels).astype("uint8"))


def mislabelled(images, share, seed):
    """The same with wrong labels, and which those are, `(N,)`."""
    generator = np.random.default_rng(seed)
    count, classes = len(images), len(images.label_names)
    wrong = generator.uniform(size=count) < share
    steps = generator.integers(1, classes, count)
    labels = np.where(wrong, (images.labels + steps) % classes, images.labels)
    return dataclasses.replace(images, labels=labels), wrong


def run(name, seed):
    """Trains a network, and measures it."""
    how = recipe(name)
    how["training"]["seed"] = seed
    train, test = data()
    taught, wrong = mislabelled(train, LABELS[name.partition(", ")[0]], seed)
    keras.utils.set_random_seed(seed)
    learned = ImageClassification.learn(taught, how)
    task = ImageClassification.untrained(how, *learned)
    start = time.perf_counter()
    log = task.follow(taught, how, verbose=0)
    found = {
        "seconds": time.perf_counter() - start,
        "accuracy": float(task.evaluate(test)["accuracy"]),
        "training loss": log[-1]["loss"],
        "parameters": saving.count_parameters(task.model)["trainable"],
        "versions": saving.versions(),
    }
    if wrong.any():
        images = taught.images[wrong].astype("float32")
        said = task.model.predict(images, verbose=0).argmax(axis=1)
        found["memorised"] = float((said == taught.labels[wrong]).mean())
    return found


def show(runs):
    """Prints a table for each kind of labels, seeds together."""
    for labels in LABELS:
        titles = [labels, "accuracy", f"gain over {BASELINE}"]
        if LABELS[labels]:
            titles.append("memorised")
        titles.append("parameters")
        print(f"\n| {' | '.join(titles)} |")
        print("|" + " --- |" * len(titles))
        for network in NETWORKS:
            if not (found := of_name(runs, f"{labels}, {network}")):
                continue
            cells = [mean_and_spread([x["accuracy"] for x in found])]
            cells.append(mean_and_spread(gains(runs, labels, network)))
            if LABELS[labels]:
                cells.append(mean_and_spread([x["memorised"] for x in found]))
            cells.append(f"{found[0]['parameters']:,}")
            print(f"| {network} | {' | '.join(cells)} |")


def gains(runs, labels, network):
    """By how much more it answers rightly than the baseline, of each seed."""
    if network == BASELINE:
        return []
    names = [f"{labels}, {each}" for each in (network, BASELINE)]
    pairs = [
        [runs.get(f"{name}, {seed}") for name in names]
        for seed in range(len(runs))
    ]
    return [
        own["accuracy"] - other["accuracy"]
        for own, other in pairs
        if own and other
    ]


if __name__ == "__main__":
    typer.run(main)
