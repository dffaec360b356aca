"""How well does a small preset learn photographs of one's own?

    python benchmarks/own_pictures.py
    python benchmarks/own_pictures.py --only "frozen, 32x32" --seeds 1

`cbam_resnet20_cifar10`, which learned CIFAR-10 at 32x32, is fine-tuned on the
five kinds of flower of `tf_flowers`, 80 % of them, and measured on the others,
with every option at its default but these: the backbone is frozen, so that only
the new head learns, or all of it learns; and pictures are read at 32x32 or, by
`image_size`, larger. With the head alone also at the rate that is usual where
all learns, which was the default for it before, and was too low.

That rate was chosen on these test pictures too, among other data: `README.md`.

`TFDS_DATA_DIR` must name a folder where `tf_flowers` is prepared. The table is
printed, and every figure kept in `benchmarks/own_pictures.json`; called again
after a kill, it goes on where it was.
"""

import functools
import pathlib
import time

import typer
from seeds import follow, mean_and_spread, of_name

import zoo
from zoo import layer_groups, saving
from zoo.data.images import load_images

FIGURES = pathlib.Path(__file__).with_suffix(".json")
PRESET, DATA = "cbam_resnet20_cifar10", "tf_flowers"
RUNS = {
    "frozen, 32x32": {"freeze": "backbone"},
    "frozen, 32x32, usual rate": {
        "freeze": "backbone",
        "learning_rate": layer_groups.USUAL_RATE,
    },
    "all, 32x32": {},
    "frozen, 64x64": {"freeze": "backbone", "image_size": 64},
    "all, 64x64": {"image_size": 64},
}


def main(
    only: list[str] = (),
    seeds: int = 3,
    figures: pathlib.Path = FIGURES,
):
    """Fine-tunes with each seed, and measures."""
    show(follow(figures, RUNS, only or RUNS, seeds, run))


@functools.cache
def data():
    """The training and the test part."""
    return [load_images(DATA, split) for split in ("train", "test")]


def run(name, seed):
    """Fine-tunes a copy, and measures it."""
    train, test = data()
    start = time.perf_counter()
    copy = zoo.load(PRESET).finetune(train, seed=seed, verbose=0, **RUNS[name])
    seconds = time.perf_counter() - start
    recipe = copy.card["recipe"]
    return {
        **copy.evaluate(test),
        "learning rate": recipe["training"]["learning_rate"],
        "training loss": recipe["log"][-1]["loss"],
        "seconds": seconds,
        "versions": saving.versions(),
    }


def show(runs):
    """Prints the table: mean and standard deviation over the seeds."""
    print("\n| what learns, at which size | rate | accuracy | loss | seeds |")
    print("| --- | --- | --- | --- | --- |")
    for name in RUNS:
        found = of_name(runs, name)
        if not found:
            continue
        cells = [
            mean_and_spread([each[key] for each in found])
            for key in ("accuracy", "loss")
        ]
        rate = found[0]["learning rate"]
        print(f"| {name} | {rate:g} | {' | '.join(cells)} | {len(found)} |")


if __name__ == "__main__":
    typer.run(main)
