"""A fine network where it matters: what it costs, and what is lost.

    python benchmarks/dynamic_capacity.py error
    python benchmarks/dynamic_capacity.py cost

`error`: coarse, dynamic and fine networks on the same pictures of
`mnist_cluttered_60`, digits anywhere among 4 pieces of others, with three
seeds: the share of wrong answers on the test set. The dynamic one reads 8
patches of 13 x 13 pixels finely, trained with hints and without (Almahairi et
al. 2016, section 4.1, whose pictures are of 100 x 100 pixels).

`cost`: multiply-adds of a picture's way through each network, counted exactly,
and the time that it takes, all networks in turn, so that a busy machine slows
them alike: the median of the ratios to the fine network's time in the same
round; for pictures of 60 x 60 and of 100 x 100.

Each prints its table and keeps every figure in
`benchmarks/dynamic_capacity.json`; called again after a kill, it goes on where
it was. `error` ends in the table of both.
"""

import json
import pathlib
import statistics
import time

import keras
import numpy as np
import typer
from keras import ops

from zoo import saving
from zoo.atomic import replacing
from zoo.data.distorted_digits import distorted_digits
from zoo.data.images import load_images
from zoo.image_classification.dynamic_capacity_network import (
    CAPACITIES,
    dynamic_capacity_network,
    multiply_adds,
)
from zoo.image_classification.task import ImageClassification

FIGURES = pathlib.Path(__file__).with_suffix(".json")
KINDS = {
    "coarse": {"capacity": "coarse"},
    "dynamic, no hints": {"capacity": "dynamic", "hint_weight": 0.0},
    "dynamic, hints": {"capacity": "dynamic", "hint_weight": 0.01},
    "fine": {"capacity": "fine"},
}
TRAINING = {
    "batch_size": 64,
    "optimizer": "adamw",
    "learning_rate": 0.012,
    "schedule": "one_cycle",
    "weight_decay": 1e-3,
    # Compiling takes longer than it saves on a CPU.
    "jit_compile": False,
}

app = typer.Typer()


@app.command("error")
def error(
    images: int = 30_000,
    epochs: int = 2,
    seeds: int = 3,
    figures: pathlib.Path = FIGURES,
):
    """Shares of wrong answers."""
    setting = {"images": images, "epochs": epochs, "training": TRAINING}
    known = opened(figures, "error", setting)
    train, test = (
        distorted_digits(load_images("mnist", split), "cluttered_60", split, n)
        for split, n in (("train", images), ("test", None))
    )
    for seed in range(seeds):
        for kind in KINDS:
            if f"{kind}; {seed}" not in known["error"]["runs"]:
                found = wrong(kind, train, test, epochs, seed)
                keep(figures, known, "error", f"{kind}; {seed}", found)
    costs = known.get("cost", {}).get("runs", {}).get("60", {})
    print("| network | error, % | multiply-adds | time, fine = 1 |")
    print("| --- | --- | --- | --- |")
    for kind, arguments in KINDS.items():
        runs = [known["error"]["runs"][f"{kind}; {s}"] for s in range(seeds)]
        spread = statistics.stdev(runs) if seeds > 1 else 0
        count = counted(60, arguments["capacity"])
        ratio = costs.get(arguments["capacity"])
        ratio = "" if ratio is None else f"{ratio:.2f}"
        print(
            f"| {kind} | {100 * statistics.mean(runs):.2f} ± "
            f"{100 * spread:.2f} | {count / 1e6:.1f} M | {ratio} |"
        )


def wrong(kind, train, test, epochs, seed):
    """Trains, and gives the share of wrong answers."""
    recipe = {
        "builder": "dynamic_capacity_network",
        "builder_args": {"input_shape": [60, 60, 1], **KINDS[kind]},
        "training": {**TRAINING, "epochs": epochs, "seed": seed},
    }
    keras.utils.set_random_seed(seed)
    learned = ImageClassification.learn(train, recipe)
    task = ImageClassification.untrained(recipe, *learned)
    task.follow(train, recipe, verbose=2)
    return 1 - task.evaluate(test)["accuracy"]


@app.command("cost")
def cost(rounds: int = 30, pictures: int = 64, figures: pathlib.Path = FIGURES):
    """Multiply-adds, and time."""
    setting = {"rounds": rounds, "pictures": pictures}
    known = opened(figures, "cost", setting)
    for side in (60, 100):
        if str(side) not in known["cost"]["runs"]:
            found = ratios(side, rounds, pictures)
            keep(figures, known, "cost", str(side), found)
    print("| pictures | network | multiply-adds | time, fine = 1 |")
    print("| --- | --- | --- | --- |")
    for side in (60, 100):
        for capacity, ratio in known["cost"]["runs"][str(side)].items():
            print(
                f"| {side} x {side} | {capacity} "
                f"| {counted(side, capacity) / 1e6:.1f} M | {ratio:.2f} |"
            )


def counted(side, capacity):
    return multiply_adds((side, side, 1), 10, capacity)["total"]


def ratios(side, rounds, pictures):
    """Median ratio of each network's time to the fine one's."""
    generator = np.random.default_rng(0)
    x = generator.uniform(0, 255, (pictures, side, side, 1)).astype("float32")
    networks = {
        capacity: dynamic_capacity_network((side, side, 1), 10, capacity)
        for capacity in CAPACITIES
    }
    for network in networks.values():
        network.compile(jit_compile=False)
        network.predict_on_batch(x)
    times = {capacity: [] for capacity in CAPACITIES}
    for _ in range(rounds):
        for capacity, network in networks.items():
            start = time.perf_counter()
            ops.convert_to_numpy(network.predict_on_batch(x))
            times[capacity].append(time.perf_counter() - start)
    fine = np.array(times["fine"])
    return {
        capacity: float(np.median(np.array(found) / fine))
        for capacity, found in times.items()
    }


def opened(figures, claim, setting):
    """What is known, the claim's own part emptied if its setting changed."""
    known = json.loads(figures.read_text()) if figures.exists() else {}
    if known.get(claim, {}).get("setting") != setting:
        known[claim] = {"setting": setting, "runs": {}}
    return known


def keep(figures, known, claim, run, found):
    print(f"{claim}, {run}: {found}", flush=True)
    known[claim]["runs"][run] = found
    known[claim]["versions"] = saving.versions()
    with replacing(figures) as part:
        part.write_text(json.dumps(known, indent=1) + "\n")
    keras.backend.clear_session()


if __name__ == "__main__":
    app()
