"""Does looking closer tell apart what is alike? RA-CNN on small glyphs.

    python benchmarks/fine_grained.py

trains RA-CNN (Fu et al. 2017) as the preset `ra_cnn_glyphs` is trained: on
images of 96 x 96 pixels that differ in a glyph of 10 x 10 alone, whose place is
never told. Once with pre-training of the attention proposals, in which they
learn to point to the strongest activation, and once without, when only the loss
of the finer scales trains them.

On the test part: the accuracy of each scale and of all together; for the second
and the third scale the share of images in which the glyph's centre lies in the
box, the mean IoU of the box with the glyph's, and the mean side of a box; and
the rank loss, before training and after. The last row is what a box in the
middle of its parent, of half its side, would get: so boxes begin.

The first run is the preset itself, which `zoo train ra_cnn_glyphs` made.
Tables are printed, and every figure kept in `benchmarks/fine_grained.json`;
called again after a kill, it goes on where it was.
"""

import copy
import json
import pathlib
import statistics

import keras
import numpy as np
import typer
from keras import ops

import zoo
from zoo import saving
from zoo.atomic import replacing
from zoo.data.glyphs import SIDE
from zoo.data.images import load_images
from zoo.image_classification.ra_cnn import rank_loss
from zoo.image_classification.recipes import RECIPES
from zoo.image_classification.task import ImageClassification

FIGURES = pathlib.Path(__file__).with_suffix(".json")
RECIPE = RECIPES["ra_cnn_glyphs"]
KINDS = ("pre-trained proposals", "not pre-trained")
TABLES = {
    "accuracy": {
        "scale 1": "accuracy_1",
        "scale 2": "accuracy_2",
        "scale 3": "accuracy_3",
        "all scales": "accuracy",
        "rank loss before": "rank_before",
        "rank loss after": "rank_after",
    },
    "boxes": {
        f"{what} {scale}": f"{key}_{scale}"
        for scale in (2, 3)
        for what, key in (
            ("glyph's centre inside, scale", "inside"),
            ("IoU, scale", "iou"),
            ("side of the box in pixels, scale", "side"),
        )
    },
}


def main(seeds: int = 3, figures: pathlib.Path = FIGURES):
    """Accuracy by scale, and whether boxes hold what tells classes apart."""
    known = json.loads(figures.read_text()) if figures.exists() else {}
    setting = json.loads(json.dumps(RECIPE))
    if known.get("setting") != setting:
        known = {"setting": setting, "runs": {}}
    parts = {}
    for seed in range(seeds):
        for kind in KINDS:
            if f"{kind}, {seed}" in known["runs"]:
                continue
            parts = parts or {
                split: load_images(RECIPE["data"], split)
                for split in ("train", "test")
            }
            found = run(kind == KINDS[0], parts, seed)
            print(f"{kind}, {seed}: {found}", flush=True)
            known["runs"][f"{kind}, {seed}"] = found
            known["versions"] = saving.versions()
            with replacing(figures) as part:
                part.write_text(json.dumps(known, indent=1) + "\n")
            keras.backend.clear_session()
    for columns in TABLES.values():
        print(f"\n| proposals | {' | '.join(columns)} |")
        print(f"| --- {'| --- ' * len(columns)}|")
        for kind in KINDS:
            runs = [known["runs"][f"{kind}, {seed}"] for seed in range(seeds)]
            entries = [
                mean_and_spread([run[key] for run in runs])
                for key in columns.values()
            ]
            print(f"| {kind} | {' | '.join(entries)} |")
    middle = known["runs"][f"{KINDS[0]}, 0"]["middle"]
    entries = [f"{middle[key]:.3f}" for key in TABLES["boxes"].values()]
    print(f"| none: the middle half | {' | '.join(entries)} |")
    print(
        "\nBest IoU of boxes of the sides that are allowed: "
        + ", ".join(f"scale {scale}: {best_iou(scale):.3f}" for scale in (2, 3))
    )


def run(pretrained, parts, seed):
    recipe = copy.deepcopy(RECIPE)
    recipe["training"]["seed"] = seed
    if not pretrained:
        recipe["builder_args"]["pretraining_steps"] = 0
    train, test = parts["train"], parts["test"]
    keras.utils.set_random_seed(seed)
    learned = ImageClassification.learn(train, recipe)
    task = ImageClassification.untrained(recipe, *learned)
    before = looked(task, test)
    if recipe == RECIPE:
        task = zoo.load("ra_cnn_glyphs")
    else:
        task.follow(train, recipe, verbose=2)
    after = looked(task, test)
    return {
        **{key: after[key] for key in after if key != "rank"},
        "rank_before": before["rank"],
        "rank_after": after["rank"],
        "middle": {key: before[key] for key in TABLES["boxes"].values()},
        "seconds": sum(e["seconds"] for e in task.card["recipe"]["log"]),
    }


def looked(task, test):
    """Accuracies, the rank loss, and where the boxes are."""
    model = task.model
    logits, scales = model.get_layer("logits").output
    boxes = [
        model.get_layer(f"scale_{scale}_proposal").output[0] for scale in (1, 2)
    ]
    probe = keras.Model(model.input, [logits, scales, *boxes])
    logits, scales, *boxes = probe.predict(
        test.images.astype("float32"), batch_size=100, verbose=0
    )
    rank = rank_loss(test.labels, ops.convert_to_tensor(scales))
    found = {
        "accuracy": right(logits, test.labels),
        "rank": float(np.mean(ops.convert_to_numpy(rank))),
    }
    for place in range(scales.shape[1]):
        found[f"accuracy_{place + 1}"] = right(scales[:, place], test.labels)
    glyph = test.truth["box"].astype("float64")
    low, high = glyph[:, :2], glyph[:, :2] + glyph[:, 2:]
    for scale, box in zip((2, 3), boxes):
        centre = (box[:, :2] + 1) * SIDE / 2
        half = box[:, 2:] * SIDE / 2
        shared = np.minimum(centre + half, high) - np.maximum(
            centre - half, low
        )
        shared = np.prod(np.maximum(shared, 0), axis=1)
        both = 4 * half[:, 0] ** 2 + np.prod(glyph[:, 2:], axis=1) - shared
        inside = (np.abs((low + high) / 2 - centre) < half).all(axis=1)
        found[f"inside_{scale}"] = float(np.mean(inside))
        found[f"iou_{scale}"] = float(np.mean(shared / both))
        found[f"side_{scale}"] = float(np.mean(2 * half))
    return found


def right(logits, labels):
    return float(np.mean(np.argmax(logits, axis=-1) == labels))


def best_iou(scale):
    """With a glyph of 10 pixels inside of the smallest box."""
    side = SIDE * RECIPE["builder_args"]["smallest"] ** (scale - 1)
    return (10 / side) ** 2


def mean_and_spread(values):
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"


if __name__ == "__main__":
    typer.run(main)
