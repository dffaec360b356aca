"""Does it help if the new parts of a trained backbone learn first?

    python benchmarks/attention_backbone.py
    python benchmarks/attention_backbone.py --only "CBAM, all at once" --seeds 1

A network of `keras.applications`, MobileNetV3Small, learns 10,000 pictures of
CIFAR-10, enlarged to 48x48, for five epochs from weights at random, once; the
weights of its backbone go to a file. `attention_backbone` reads that file, and
learns 400 photographs of five kinds of flower (`tf_flowers`, 48x48) for ten
epochs: its head alone, all from the start, or by `recipe="gradual"`; without
gates inside and with CBAM; and from random weights.

That `gradual` begins at ten times the rate with which it ends was chosen on
these data: before, it ended at a tenth of it, which is the last row of each.

`TFDS_DATA_DIR` must name a folder where `cifar10` and `tf_flowers` are
prepared. The table is printed, and every figure kept in
`benchmarks/attention_backbone.json`; called again after a kill, it goes on
where it was.
"""

import functools
import pathlib
import tempfile
import time

import typer
from seeds import follow, mean_and_spread, of_name

import zoo
from zoo import layer_groups, saving
from zoo.backbones import backbone_of, load_backbone_weights
from zoo.data.images import load_images

FIGURES = pathlib.Path(__file__).with_suffix(".json")
WEIGHTS = pathlib.Path(tempfile.gettempdir(), "mobilenet_cifar10.weights.h5")
NAME, SIZE, COUNT, EPOCHS = "MobileNetV3Small", 48, 400, 10
USUAL = layer_groups.USUAL_RATE
AT_RANDOM = "no gates, from random weights"
# What is inside, and how it learns.
RUNS = {
    AT_RANDOM: (None, {"learning_rate": 3 * USUAL}),
    "no gates, the head alone": (
        None,
        {"freeze": "backbone", "learning_rate": layer_groups.LINEAR_RATE},
    ),
}
for gates, attention in (("no gates", None), ("CBAM", "cbam")):
    RUNS[f"{gates}, all at once"] = attention, {"learning_rate": USUAL}
    for rate in (USUAL, 0.3 * USUAL, 0.1 * USUAL):
        plan = {"learning_rate": rate, "recipe": "gradual"}
        RUNS[f"{gates}, gradual, {rate:g}"] = attention, plan


def main(
    only: list[str] = (),
    seeds: int = 3,
    weights: pathlib.Path = WEIGHTS,
    figures: pathlib.Path = FIGURES,
):
    """Learns CIFAR-10 if need be; fine-tunes with each seed, and measures."""
    if not weights.exists():
        pretrain(weights)
    names = only or RUNS
    show(follow(figures, RUNS, names, seeds, functools.partial(run, weights)))


def made(images, attention, seed):
    return zoo.new(
        *("image_classification", "attention_backbone", images),
        name=NAME,
        attention=attention,
        image_size=SIZE,
        seed=seed,
    )


def pretrain(weights):
    """Learns CIFAR-10, and keeps the weights of the backbone."""
    train = load_images("cifar10", "train").sample(10_000)
    task = made(train, None, 0)
    task.fit(
        train,
        epochs=5,
        batch_size=128,
        learning_rate=3 * USUAL,
        augment=["flip", "shift"],
        jit_compile=False,
    )
    print("CIFAR-10:", task.evaluate(load_images("cifar10", "test")))
    backbone_of(task.model).network.save_weights(weights)


def run(weights, name, seed):
    """Fine-tunes, and measures."""
    attention, plan = RUNS[name]
    train = load_images("tf_flowers", "train").sample(COUNT, seed)
    task = made(train, attention, seed)
    if name != AT_RANDOM:
        load_backbone_weights(task.model, weights)
    start = time.perf_counter()
    options = {"epochs": EPOCHS, "augment": ["flip"], "jit_compile": False}
    log = task.fit(train, seed=seed, verbose=0, **options, **plan)
    return {
        "seconds": time.perf_counter() - start,
        "training loss": log[-1]["loss"],
        **task.evaluate(load_images("tf_flowers", "test")),
        "versions": saving.versions(),
    }


def show(runs):
    """Prints the table: mean and standard deviation over the seeds."""
    print("\n| gates, what learns | rate | accuracy | loss | seeds |")
    print("| --- | --- | --- | --- | --- |")
    for name, (_, plan) in RUNS.items():
        found = of_name(runs, name)
        if not found:
            continue
        cells = [
            mean_and_spread([each[key] for each in found])
            for key in ("accuracy", "loss")
        ]
        rate = plan["learning_rate"]
        print(f"| {name} | {rate:g} | {' | '.join(cells)} | {len(found)} |")


if __name__ == "__main__":
    typer.run(main)
