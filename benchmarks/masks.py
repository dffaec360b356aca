"""What does attention bring to masks?

    TFDS_DATA_DIR=... python benchmarks/masks.py
    python benchmarks/masks.py --only "shapes, GAU" --seeds 1

- *Shapes* (`scene_shapes`): which pixel is of a square, a circle or a triangle.
  Global attention upsample, with either gate, against a plain sum and no skip
  at all; feature pyramid attention against a 1x1 convolution.
- *Odd one* (`odd_one_out`): which object is unlike all others; *horses*
  (`weizmann_horse`). The decoder of PFAN against the same one without its
  gates; that of PiCANet against the same one without attention, a plain U-Net.
- *Digits* (`scaled_digits`): which pixel is of which digit, where digits have
  half to twice a size. Attention to scale against the mean and the maximum over
  the scales, and against one scale; by the size of the digit.

Networks of a group have the same data and epochs, and those that differ in one
thing about as many parameters; nothing was chosen on a test part. The tables
are printed, and every figure kept in `benchmarks/masks.json`; called again
after a kill, it goes on where it was.
"""

import functools
import pathlib
import time

import keras
import numpy as np
import typer
from seeds import follow, mean_and_spread, of_name

from zoo import saving

FIGURES = pathlib.Path(__file__).with_suffix(".json")
GROUPS = {  # task, data, images to learn from at most, epochs, size, metrics
    "shapes": {
        "task": "segmentation",
        "data": "scene_shapes",
        "count": 2000,
        "epochs": 5,
        "input_shape": [64, 64, 3],
        "metrics": {"mean_iou": "mean IoU", "pixel_accuracy": "pixels right"},
    },
    "odd one": {
        "task": "saliency",
        "data": "odd_one_out",
        "count": 4000,
        "epochs": 8,
        "input_shape": [64, 64, 3],
        "metrics": {"max_f": "max F", "mae": "MAE", "s_measure": "S"},
    },
    "horses": {
        "task": "saliency",
        "data": "weizmann_horse",
        "count": None,
        "epochs": 40,
        "input_shape": [64, 64, 3],
        "augment": ["flip"],
        "metrics": {"max_f": "max F", "mae": "MAE", "s_measure": "S"},
    },
    "digits": {
        "task": "segmentation",
        "data": "scaled_digits",
        "count": 3000,
        "epochs": 6,
        "input_shape": [64, 64, 1],
        "metrics": {"mean_iou": "mean IoU", "pixel_accuracy": "pixels right"},
    },
}
_PYRAMID = {"filters": [8, 16, 32, 64], "blocks": 1, "decoder_filters": 16}
_SALIENT = {
    "filters": [8, 16, 32, 64],
    "blocks": 1,
    "decoder_filters": 16,
    "rates": [1, 2, 3],
    "global_window": [8, 2],
    "local_window": [7, 1],
}
_SCALES = {"filters": [8, 16, 32], "blocks": 1, "units": 16}
NETWORKS = {
    "shapes": {
        "GAU": ("pyramid_attention_network", _PYRAMID),
        "GAU, gate sigmoid": (
            "pyramid_attention_network",
            {**_PYRAMID, "gate": "sigmoid"},
        ),
        "sum": ("pyramid_attention_network", {**_PYRAMID, "upsample": "add"}),
        "no skip": (
            "pyramid_attention_network",
            {**_PYRAMID, "upsample": "none"},
        ),
        "GAU, no pyramid": (
            "pyramid_attention_network",
            {**_PYRAMID, "pyramid": False},
        ),
    },
    "odd one": {
        name: ("salient_object_detector", {**_SALIENT, "decoder": decoder})
        for name, decoder in (
            ("PFAN", "pfan"),
            ("PFAN without gates", "ungated"),
            ("PiCANet", "picanet"),
            ("plain U-Net", "plain"),
        )
    },
    "digits": {
        "attention": ("attention_to_scale", _SCALES),
        "mean": ("attention_to_scale", {**_SCALES, "merge": "average"}),
        "maximum": ("attention_to_scale", {**_SCALES, "merge": "max"}),
        "one scale": ("attention_to_scale", {**_SCALES, "scales": [1.0]}),
    },
}
NETWORKS["horses"] = NETWORKS["odd one"]
RUNS = [f"{group}, {name}" for group in GROUPS for name in NETWORKS[group]]
EDGES = (20, 30)  # of digits' sides: small, middle, large ones


def main(only: list[str] = (), seeds: int = 3, figures: pathlib.Path = FIGURES):
    """Trains each network with each seed, and measures it."""
    setting = {name: recipe(name) for name in RUNS}
    show(follow(figures, setting, only or RUNS, seeds, run))


def recipe(name):
    """The recipe of a run."""
    group, _, network = name.partition(", ")
    about, (builder, arguments) = GROUPS[group], NETWORKS[group][network]
    return {
        "task": about["task"],
        "data": about["data"],
        "count": about["count"],
        "builder": builder,
        "builder_args": {**arguments, "input_shape": about["input_shape"]},
        "training": {
            "epochs": about["epochs"],
            "batch_size": 32,
            "optimizer": "adamw",
            "learning_rate": 4e-3,
            "schedule": "one_cycle",
            "weight_decay": 1e-2,
            "augment": about.get("augment", []),
            # Compiled, a step takes up to 1.5 times as long on a CPU.
            "jit_compile": False,
        },
    }


@functools.cache
def data(task, name, count):
    """The training and the test part."""
    read = saving.task_class(task).read
    train, test = (read(name, split) for split in ("train", "test"))
    return train if count is None else train.take(np.arange(count)), test


def run(name, seed):
    """Trains a network, and measures it."""
    how = recipe(name)
    how["training"]["seed"] = seed
    kind = saving.task_class(how.pop("task"))
    keras.utils.set_random_seed(seed)
    train, test = data(kind.name, how["data"], how.pop("count"))
    task = kind.untrained(how, *kind.learn(train, how))
    start = time.perf_counter()
    log = task.follow(train, how, verbose=0)
    found = {"seconds": time.perf_counter() - start}
    outputs, test = task.said(test)
    scores = task.measured(outputs, test)
    found |= {key: float(value) for key, value in scores.items()}
    if how["data"] == "scaled_digits":
        found |= by_size(task, test)
    return {
        **found,
        "training loss": log[-1]["loss"],
        "parameters": task.model.count_params(),
        "versions": saving.versions(),
    }


def by_size(task, test):
    """The pixels of digits that are right, and the weights of the scales there.

    Lists, of small, middle and large digits.
    """
    # The images are of the size that the network reads.
    said = task.predict(test.images)
    right = np.stack([answer["mask"] for answer in said]) == test.masks
    groups = np.digitize(test.truth["heights"], EDGES)
    there = [(groups == k) & (test.masks > 0) for k in range(len(EDGES) + 1)]
    found = {"right by size": [float(right[each].mean()) for each in there]}
    if not task.has_attention():
        return found
    few = 200
    looked = task.look(list(test.images[:few]))
    (maps,) = zip(*(each["attention"].values() for each in looked))
    weights = np.stack(maps)
    factor = test.masks.shape[1] // weights.shape[1]
    weights = weights.repeat(factor, axis=1).repeat(factor, axis=2)
    found["weights by size"] = [
        weights[each[:few]].mean(axis=0).tolist() for each in there
    ]
    return found


def show(runs):
    """Prints a table for each group, and one of digits by their size."""
    for group, about in GROUPS.items():
        titles = [group, *about["metrics"].values(), "parameters", "seconds"]
        print(f"\n| {' | '.join(titles)} |")
        print("|" + " --- |" * len(titles))
        for network in NETWORKS[group]:
            if found := of_name(runs, f"{group}, {network}"):
                cells = [
                    mean_and_spread([x[key] for x in found])
                    for key in about["metrics"]
                ]
                seconds = np.mean([x["seconds"] for x in found])
                size = f"{found[0]['parameters']:,}"
                cells += [size, f"{seconds:.0f}"]
                print(f"| {network} | {' | '.join(cells)} |")
    sizes = ["12 to 19", "20 to 29", "30 to 48"]
    print(f"\n| digits right, side in pixels | {' | '.join(sizes)} |")
    print("|" + " --- |" * (1 + len(sizes)))
    for network in NETWORKS["digits"]:
        if found := of_name(runs, f"digits, {network}"):
            cells = [
                mean_and_spread([x["right by size"][k] for x in found])
                for k in range(len(sizes))
            ]
            print(f"| {network} | {' | '.join(cells)} |")
    if found := of_name(runs, "digits, attention"):
        weights = np.mean([x["weights by size"] for x in found], axis=0)
        for scale, row in zip((1.0, 0.75, 0.5), weights.T):
            cells = " | ".join(f"{x:.2f}" for x in row)
            print(f"| weight of scale {scale} | {cells} |")


if __name__ == "__main__":
    typer.run(main)
