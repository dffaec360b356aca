"""What the gates bring and cost: one small ResNet, five kinds of attention.

    python benchmarks/gates.py

trains ResNet-20 plain and with each mechanism on the same 10,000 images of
CIFAR-10 for two epochs, with three seeds, and measures on the whole test set;
then times training steps of all five in turn, so that a busy machine slows them
alike. The table is printed, and every figure kept in `benchmarks/gates.json`;
called again after a kill, it goes on where it was.
"""

import json
import pathlib
import statistics
import time

import keras
import numpy as np
import typer

from zoo import saving
from zoo.atomic import replacing
from zoo.data.images import load_images
from zoo.image_classification.recipes import RECIPES
from zoo.image_classification.task import ImageClassification

KINDS = {"plain": None, "SE": "se", "CBAM": "cbam", "BAM": "bam", "SK": "sk"}
TRAINING = {
    "batch_size": 128,
    "optimizer": "sgd",
    "learning_rate": 0.2,
    "schedule": "one_cycle",
    "weight_decay": 1e-3,
    "augment": ["flip"],
}
FIGURES = pathlib.Path(__file__).with_suffix(".json")


def main(
    data: str = "cifar10",
    images: int = 10_000,
    epochs: int = 2,
    seeds: int = 3,
    steps: int = 15,
    figures: pathlib.Path = FIGURES,
):
    """Fills the table, and prints it."""
    setting = {"data": data, "images": images, "epochs": epochs}
    known = json.loads(figures.read_text()) if figures.exists() else {}
    if known.get("setting") != setting:
        known = {"setting": setting, "accuracy": {}}
    test = load_images(data, "test")
    train = load_images(data, "train").sample(images)
    for seed in range(seeds):
        for kind in KINDS:
            runs = known["accuracy"].setdefault(kind, {})
            if str(seed) in runs:
                continue
            runs[str(seed)] = accuracy(kind, train, test, epochs, seed)
            print(f"{kind}, seed {seed}: {runs[str(seed)]:.4f}", flush=True)
            write(figures, known)
            keras.backend.clear_session()
    if len(known.get("step_seconds", {}).get("plain", [])) != steps:
        known["step_seconds"] = step_seconds(train, steps)
    known["parameters"] = {
        kind: saving.count_parameters(untrained(kind, train).model)["trainable"]
        for kind in KINDS
    }
    known["versions"] = saving.versions()
    write(figures, known)
    print(table(known))


def untrained(kind, data):
    recipe = json.loads(json.dumps(RECIPES["resnet20_cifar10"]))
    recipe["builder_args"]["attention"] = KINDS[kind]
    recipe["builder_args"]["input_shape"] = list(data.images.shape[1:])
    learned = ImageClassification.learn(data, recipe)
    return ImageClassification.untrained(recipe, *learned)


def accuracy(kind, train, test, epochs, seed):
    keras.utils.set_random_seed(seed)
    model = untrained(kind, train)
    plan = {**TRAINING, "epochs": epochs, "seed": seed}
    model.fit(train, {"training": plan}, verbose=0)
    return model.evaluate(test)["accuracy"]


def step_seconds(data, steps):
    """Seconds of each training step, all kinds in turn."""
    models = {}
    for kind in KINDS:
        made = untrained(kind, data)
        loss = made.output.loss()
        made.model.compile("sgd", loss, jit_compile=False)
        models[kind] = made.model
    images = made.input.arrays(data.images[:128])["image"]
    labels = data.labels[:128]
    seconds = {kind: [] for kind in KINDS}
    for step in range(steps + 3):
        for kind, model in models.items():
            start = time.perf_counter()
            model.train_on_batch(images, labels)
            if step >= 3:  # the first ones trace and warm up
                seconds[kind].append(time.perf_counter() - start)
    return seconds


def table(known):
    plain = np.array(known["step_seconds"]["plain"])
    rows = [
        "| attention | accuracy: mean of seeds | std | parameters "
        "| step time, plain = 1 |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind, runs in known["accuracy"].items():
        values = list(runs.values())
        ratio = np.median(np.array(known["step_seconds"][kind]) / plain)
        rows.append(
            f"| {kind} | {statistics.mean(values):.4f} "
            f"| {statistics.stdev(values) if len(values) > 1 else 0:.4f} "
            f"| {known['parameters'][kind]:,} | {ratio:.2f} |"
        )
    return "\n".join(rows)


def write(path, known):
    with replacing(path) as part:
        part.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
