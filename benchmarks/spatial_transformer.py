"""What a spatial transformer brings to a classifier of its size, in small.

    python benchmarks/spatial_transformer.py rotated
    python benchmarks/spatial_transformer.py moved
    python benchmarks/spatial_transformer.py cluttered

Two claims of Jaderberg et al. (2015, section 4.1): with a transformer in front,
a network errs less on distorted digits than one of as many parameters without;
and the transformer, taught by the classes alone, undoes what was done to the
digit. The plain network is made wider until it has as many parameters.

`rotated`: digits turned by -90 to 90 degrees, and an affine transformer, which
looks once or twice; a fully connected classifier, and a convolutional one. How
far the transform that was found turns is compared with how far the digit was
turned: Pearson's r over all test images, the mean of its r within each class,
and the slope. An angle is that of the rotation nearest to the transform's
matrix, clockwise as seen where positive, as the truth has it; of a transformer
that makes every digit upright, r and slope are 1.

`moved`: the same of small digits that are turned by -45 to 45 degrees, scaled
and put anywhere, as `stn_digits_rotated_scaled_translated` reads them.

`cluttered`: a digit at a random place among pieces of others, and a transformer
that crops (`"attention"`), at half the image's size. Counted is how often the
centre of the digit is in what was cropped, and the mean overlap (intersection
over union) of the crop with the digit's box.

Training is short, on a part of the images: figures say which network is ahead
here, and are not the paper's. Each command prints its table and keeps every
figure in `benchmarks/spatial_transformer.json`; called again after a kill, it
goes on where it was.
"""

import json
import pathlib
import statistics
import time

import keras
import numpy as np
import typer

from keras_attention.looking import attention_maps
from zoo import saving
from zoo.atomic import replacing
from zoo.data.distorted_digits import distorted_digits
from zoo.data.images import load_images
from zoo.image_classification.spatial_transformer_network import (
    PRESETS,
    equal_baseline,
)
from zoo.image_classification.task import ImageClassification

TRAINING = {
    "batch_size": 64,
    "optimizer": "adamw",
    "learning_rate": 2e-3,
    "schedule": "one_cycle",
    "weight_decay": 1e-3,
    "jit_compile": False,
}
FULLY_CONNECTED = {**PRESETS["mnist"], "filters": []}
ROTATED = {
    "FCN": (FULLY_CONNECTED, False),
    "ST-FCN": (FULLY_CONNECTED, True),
    "CNN": (PRESETS["mnist"], False),
    "ST-CNN": (PRESETS["mnist"], True),
    "ST-CNN, two steps": ({**PRESETS["mnist"], "steps": 2}, True),
}
MOVED_ARGUMENTS = {
    **FULLY_CONNECTED,
    "units": 32,
    "output_size": [28, 28],
}
MOVED = {"FCN": (MOVED_ARGUMENTS, False), "ST-FCN": (MOVED_ARGUMENTS, True)}
CROPPING = {
    **PRESETS["mnist"],
    "transform": "attention",
    "output_size": [28, 28],
}
CLUTTERED = {"CNN": (CROPPING, False), "ST-CNN": (CROPPING, True)}
FIGURES = pathlib.Path(__file__).with_suffix(".json")

app = typer.Typer()


@app.command("rotated")
def rotated(
    base: str = "mnist",
    images: int = 10_000,
    epochs: int = 12,
    seeds: int = 3,
    figures: pathlib.Path = FIGURES,
):
    """Error on turned digits, and whether they are turned back."""
    known = measured(
        "rotated", ROTATED, base, "rotated", images, epochs, seeds, figures
    )
    print(table(known["rotated"], ["r", "r_within_classes", "slope"]))


@app.command("moved")
def moved(
    base: str = "digits",
    images: int = 6_000,
    epochs: int = 40,
    seeds: int = 3,
    figures: pathlib.Path = FIGURES,
):
    """Error on digits that are turned, scaled and moved, and the angle."""
    known = measured(
        "moved",
        MOVED,
        base,
        "rotated_scaled_translated",
        images,
        epochs,
        seeds,
        figures,
    )
    print(table(known["moved"], ["r", "r_within_classes", "slope"]))


@app.command("cluttered")
def cluttered(
    base: str = "mnist",
    images: int = 10_000,
    epochs: int = 10,
    seeds: int = 3,
    figures: pathlib.Path = FIGURES,
):
    """Error among clutter, and whether the digit is cropped."""
    known = measured(
        "cluttered",
        CLUTTERED,
        base,
        "cluttered_60",
        images,
        epochs,
        seeds,
        figures,
    )
    print(table(known["cluttered"], ["centre_inside", "overlap", "scale"]))


def measured(part, kinds, base, distortion, images, epochs, seeds, figures):
    """Every run of a part, those known and those made now."""
    setting = {
        "data": f"{base}_{distortion}",
        "images": images,
        "epochs": epochs,
        "training": TRAINING,
        "networks": {kind: args for kind, (args, _) in kinds.items()},
    }
    setting = json.loads(json.dumps(setting))
    known = json.loads(figures.read_text()) if figures.exists() else {}
    if known.get(part, {}).get("setting") != setting:
        known[part] = {"setting": setting, "runs": {}}
    runs = known[part]["runs"]
    train, test = (
        distorted_digits(load_images(base, split), distortion, split, count)
        for split, count in (("train", images), ("test", None))
    )
    for seed in range(seeds):
        for kind, (arguments, transforms) in kinds.items():
            name = f"{kind}, {seed}"
            if name in runs:
                continue
            runs[name] = one_run(
                arguments, transforms, train, test, epochs, seed
            )
            print(f"{part}, {name}: {json.dumps(runs[name])}", flush=True)
            known["versions"] = saving.versions()
            with replacing(figures) as file:
                file.write_text(json.dumps(known, indent=1) + "\n")
            keras.backend.clear_session()
    return known


def one_run(arguments, transforms, train, test, epochs, seed):
    """Trains a network, and measures it."""
    keras.utils.set_random_seed(seed)
    shape = train.images.shape[1:]
    if not transforms:
        arguments = equal_baseline(shape, 10, **arguments)
    recipe = {
        "builder": "spatial_transformer_network",
        "builder_args": {"input_shape": list(shape), **arguments},
    }
    task = ImageClassification.untrained(
        recipe, *ImageClassification.learn(train, recipe)
    )
    plan = {**TRAINING, "epochs": epochs, "seed": seed}
    start = time.perf_counter()
    log = task.follow(train, {"training": plan}, verbose=0)
    found = {
        "parameters": saving.count_parameters(task.model)["trainable"],
        "seconds": round(time.perf_counter() - start),
        "training_error": 100 * (1 - log[-1]["accuracy"]),
        "error": 100 * (1 - task.evaluate(test)["accuracy"]),
    }
    if transforms:
        images = task.input.arrays(test.images)["image"]
        matrices = attention_maps(task.model, images, 256)["transformer"]
        if "angle" in test.truth:
            found |= turned(matrices, test)
        else:
            found |= cropped(matrices, test)
    return found


def turned(matrices, test):
    """How the angles that were found go with those of the digits."""
    angles = angle_of(matrices)
    truth = test.truth["angle"]
    by_class = [
        correlation(angles[test.labels == label], truth[test.labels == label])
        for label in range(10)
    ]
    return {
        "r": correlation(angles, truth),
        "r_within_classes": statistics.mean(by_class),
        "slope": float(np.polyfit(truth, angles, 1)[0]),
        "r_by_class": by_class,
    }


def angle_of(matrices):
    """The angle in degrees of the rotation nearest to each affine matrix.

    That of rows (cos, -sin) and (sin, cos), times a scale: the polar
    decomposition of a matrix whose determinant is positive.
    """
    sines = matrices[:, 1, 0] - matrices[:, 0, 1]
    cosines = matrices[:, 0, 0] + matrices[:, 1, 1]
    return np.degrees(np.arctan2(sines, cosines))


def cropped(matrices, test):
    """How often the digit's centre is in the crop, and how they overlap."""
    pixels = test.images.shape[1] - 1  # the corner pixels are at -1 and 1
    half, centre = matrices[:, (0, 1), (0, 1)], matrices[:, :, 2]
    low, high = centre - np.abs(half), centre + np.abs(half)
    box = test.truth["box"]
    box_low = 2 * (box[:, :2] - 0.5) / pixels - 1  # a pixel's outer edge
    box_high = box_low + 2 * box[:, 2:] / pixels
    middle = (box_low + box_high) / 2
    inside = ((middle >= low) & (middle <= high)).all(axis=1)
    both = np.minimum(high, box_high) - np.maximum(low, box_low)
    both = np.maximum(both, 0).prod(axis=1)
    either = (high - low).prod(axis=1) + (box_high - box_low).prod(axis=1)
    return {
        "centre_inside": float(inside.mean()),
        "overlap": float((both / (either - both)).mean()),
        "scale": float(half.mean()),
        "r_of_place": [
            correlation(centre[:, axis], middle[:, axis]) for axis in (0, 1)
        ],
    }


def correlation(one, other):
    if np.std(one) == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def table(part, more):
    """Means and standard deviations over the seeds, in Markdown."""
    kinds = {}
    for name, run in part["runs"].items():
        kinds.setdefault(name.rsplit(", ", 1)[0], []).append(run)
    columns = ["error", *more]
    rows = [
        f"| network | parameters | {' | '.join(columns)} |".replace(
            "| error |", "| error, % |"
        ),
        "| --- " * (2 + len(columns)) + "|",
    ]
    for kind, runs in kinds.items():
        cells = [kind, f"{runs[0]['parameters']:,}"]
        for column in columns:
            values = [run[column] for run in runs if column in run]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            cells.append(
                f"{statistics.mean(values):.2f} ± {spread:.2f}"
                if values
                else ""
            )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    app()
