"""Does it help to let a trained backbone's new parts learn first?

    python benchmarks/attention_backbone.py
    python benchmarks/attention_backbone.py --only "CBAM, gradual" --seeds 1

A network of `keras.applications`, MobileNetV3Small, learns CIFAR-10 (all of its
training part, enlarged to 64x64) for five epochs from weights at random, once;
the weights of its backbone go to a file. `attention_backbone` reads that file,
and learns 500 photographs of five kinds of flower (`tf_flowers`, 64x64): from
random weights; its head alone; all from the start; or by `recipe="gradual"`,
each with gates inside and without. The rates of each were chosen beforehand
with the seed 9, on 300 other photographs of the training part: `--choose`.

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
from zoo import saving
from zoo.backbones import backbone_of, load_backbone_weights
from zoo.data.images import load_images

FIGURES = pathlib.Path(__file__).with_suffix(".json")
WEIGHTS = pathlib.Path(
    tempfile.gettempdir(), "mobilenet_v3_small_cifar10.weights.h5"
)
TASK, NETWORK, NAME = (
    "image_classification",
    "attention_backbone",
    "MobileNetV3Small",
)
SIZE, COUNT, EPOCHS = 64, 500, 20
GATES = {"no gates": None, "SE": "se", "CBAM": "cbam"}
HOW = {
    "from random weights": {"learning_rate": 3e-3},
    "the head alone": {"freeze": "backbone", "learning_rate": 0.03},
    "all at once": {"learning_rate": 1e-3},
    "gradual": {"recipe": "gradual", "learning_rate": 1e-3},
}
RUNS = {
    f"{gates}, {how}": (attention, how)
    for how in HOW
    for gates, attention in GATES.items()
    if attention is None or how in ("all at once", "gradual")
}
CHOICES = {
    "from random weights": (1e-3, 3e-3, 1e-2),
    "the head alone": (0.01, 0.03, 0.1),
    "all at once": (3e-4, 1e-3, 3e-3),
    "gradual": (1e-3, 3e-3, 1e-2),
}


def main(
    only: list[str] = (),
    seeds: int = 3,
    choose: bool = False,
    weights: pathlib.Path = WEIGHTS,
    figures: pathlib.Path = FIGURES,
):
    """Learns CIFAR-10 if need be; fine-tunes with each seed, and measures."""
    if not weights.exists():
        pretrain(weights)
    if choose:
        choose_rates(weights)
        return

    def fine_tuned(name, seed):
        attention, how = RUNS[name]
        start = None if how == "from random weights" else weights
        return run(start, attention, HOW[how], seed, *data(seed))

    show(follow(figures, [HOW, RUNS], only or RUNS, seeds, fine_tuned))


def made(attention, images, seed):
    return zoo.new(
        TASK,
        NETWORK,
        images,
        name=NAME,
        attention=attention,
        image_size=SIZE,
        seed=seed,
    )


def pretrain(weights):
    """Learns CIFAR-10, and keeps the weights of the backbone."""
    task = made(None, load_images("cifar10", "train"), 0)
    task.fit(
        load_images("cifar10", "train"),
        epochs=5,
        batch_size=128,
        learning_rate=6e-3,
        augment=["flip", "shift"],
    )
    print("CIFAR-10:", task.evaluate(load_images("cifar10", "test")))
    backbone_of(task.model).network.save_weights(weights)


@functools.cache
def data(seed):
    """Some photographs of the training part, and the whole test part."""
    train = load_images("tf_flowers", "train").sample(COUNT, seed)
    return train, load_images("tf_flowers", "test")


def run(weights, attention, plan, seed, train, test):
    """Fine-tunes, and measures."""
    task = made(attention, train, seed)
    if weights is not None:
        load_backbone_weights(task.model, weights)
    start = time.perf_counter()
    options = {"epochs": EPOCHS, "augment": ["flip"], "verbose": 0}
    task.fit(train, seed=seed, **options, **plan)
    seconds = time.perf_counter() - start
    recipe = task.card["recipe"]
    return {
        **task.evaluate(test),
        "training loss": recipe["log"][-1]["loss"],
        "seconds": seconds,
        "versions": saving.versions(),
    }


def choose_rates(weights):
    """Prints what each way reaches at several rates, on no test part."""
    whole = load_images("tf_flowers", "train").sample(COUNT + 300, 9)
    train, other = whole.divide(300 / (COUNT + 300), 9)
    for how, rates in CHOICES.items():
        for rate in rates:
            plan = {**HOW[how], "learning_rate": rate}
            attention = "cbam" if how == "gradual" else None
            start = None if how == "from random weights" else weights
            found = run(start, attention, plan, 9, train, other)
            print(how, rate, found["accuracy"], found["loss"], flush=True)


def show(runs):
    """Prints the table: mean and standard deviation over the seeds."""
    print("\n| gates, what learns | rate | accuracy | loss | seeds |")
    print("| --- | --- | --- | --- | --- |")
    for name, (_, how) in RUNS.items():
        found = of_name(runs, name)
        if not found:
            continue
        cells = [
            mean_and_spread([each[key] for each in found])
            for key in ("accuracy", "loss")
        ]
        rate = HOW[how]["learning_rate"]
        print(f"| {name} | {rate:g} | {' | '.join(cells)} | {len(found)} |")


if __name__ == "__main__":
    typer.run(main)
