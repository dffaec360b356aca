"""What the bilinear reader costs beside the fused ones.

    python benchmarks/sampling.py
    KERAS_BACKEND=torch python benchmarks/sampling.py

times a forward pass and a training step (forward, then the gradients of images
and grid) of `bilinear_sample`: on TensorFlow beside Keras's own
`map_coordinates`, which takes one image at a time, and beside
`ImageProjectiveTransformV3`, whose transform has no gradient (forward only); on
PyTorch beside its `grid_sample`. Call by call in turn, so that a busy machine
slows them alike; a figure is the other's time over ours, the median of the
rounds: above 1, ours is faster. All read a turned image, none of whose pixels
stays in its place.

The table is printed, and every figure kept in `benchmarks/sampling.json`, those
of the other backend too.
"""

import json
import pathlib
import statistics
import time

import keras
import numpy as np
import typer
from keras import ops

from keras_attention.functional import affine_grid, bilinear_sample
from zoo.atomic import replacing

FIGURES = pathlib.Path(__file__).with_suffix(".json")
BATCH = 8
SHAPES = ((32, 32, 64), (224, 224, 3))
ANGLE, SCALE = 0.4, 0.9  # radians


def main(rounds: int = 31, figures: pathlib.Path = FIGURES):
    """Measures on the backend at hand and prints the table of all."""
    backend = keras.backend.backend()
    if backend not in ("tensorflow", "torch"):
        raise typer.BadParameter(
            "there is no fused reader to compare with on this backend. "
            f"Received: KERAS_BACKEND={backend}"
        )
    known = json.loads(figures.read_text()) if figures.exists() else {}
    measured = {}
    for shape in SHAPES:
        cases = {"tensorflow": tensorflow_cases, "torch": torch_cases}
        cases = cases[backend](shape)
        for step, (ours, others) in cases.items():
            for name, other in others.items():
                key = f"{name}, {'x'.join(map(str, shape))}, {step}"
                measured[key] = ratio(ours, other, rounds)
                print(key, measured[key], flush=True)
    known[backend] = {"rounds": rounds, "batch": BATCH, "ratios": measured}
    with replacing(figures) as path:
        path.write_text(json.dumps(known, indent=1) + "\n", "utf-8")
    print("| beside | images | step | its time, ours = 1 | ours, ms |")
    print("| --- | --- | --- | --- | --- |")
    for each in known.values():
        for key, found in each["ratios"].items():
            row = " | ".join(key.split(", "))
            print(f"| {row} | {found['ratio']:.2f} | {found['ms']:.1f} |")


def ratio(ours, other, rounds):
    """The other's time over ours, and our milliseconds, medians of rounds."""
    times = []
    for _ in range(rounds + 3):
        pair = []
        for call in (ours, other):
            start = time.perf_counter()
            call()
            pair.append(time.perf_counter() - start)
        times.append(pair)
    times = times[3:]  # the first ones compile
    return {
        "ratio": statistics.median(b / a for a, b in times),
        "ms": 1000 * statistics.median(a for a, _ in times),
    }


def drawn(shape):
    """Images, a transform, its grid, and what the output is weighed by."""
    generator = np.random.default_rng(0)
    images = generator.normal(size=(BATCH, *shape)).astype("float32")
    slope = generator.normal(size=(BATCH, *shape)).astype("float32")
    c, s = SCALE * np.cos(ANGLE), SCALE * np.sin(ANGLE)
    matrix = np.tile(
        np.array([[c, -s, 0], [s, c, 0]], "float32"), (BATCH, 1, 1)
    )
    return images, matrix, slope


def tensorflow_cases(shape):
    import tensorflow as tf

    images, matrix, slope = map(tf.constant, drawn(shape))
    height, width, channels = shape
    grid = tf.constant(affine_grid(matrix, (height, width)))
    x = (grid[..., 0] + 1) * (width - 1) / 2
    y = (grid[..., 1] + 1) * (height - 1) / 2
    pixels = tf.stack([y, x], axis=1)  # (B, 2, h, w)

    def by_keras(images, pixels):
        read = []
        for image, places in zip(
            tf.unstack(images), tf.unstack(pixels), strict=True
        ):
            rows, columns = (
                tf.repeat(places[axis][..., None], channels, axis=-1)
                for axis in (0, 1)
            )
            depth = tf.zeros_like(rows) + tf.range(channels, dtype="float32")
            read.append(
                ops.image.map_coordinates(
                    image,
                    tf.stack([rows, columns, depth]),
                    order=1,
                    fill_mode="constant",
                )
            )
        return tf.stack(read)

    # In pixels, as the fused operator takes it.
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    turn = matrix.numpy()[0, :, :2].astype("float64")
    spread = np.diag(centre) @ turn @ np.diag(1 / centre)
    rest = centre - spread @ centre
    flat = np.r_[spread[0], rest[0], spread[1], rest[1], 0, 0]
    flat = tf.constant(np.tile(flat, (BATCH, 1)), "float32")

    @tf.function
    def fused():
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=images,
            transforms=flat,
            output_shape=(height, width),
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="CONSTANT",
        )

    def forward(function, places):
        return tf.function(lambda: function(images, places))

    def training(function, places):
        @tf.function
        def step():
            with tf.GradientTape() as tape:
                tape.watch((images, places))
                total = tf.reduce_sum(function(images, places) * slope)
            return tape.gradient(total, (images, places))

        return step

    # That all of them read the same.
    ours = bilinear_sample(images, grid).numpy()
    middle = np.s_[:, 4:-4, 4:-4]
    for other in (by_keras(images, pixels), fused()):
        apart = abs(ours - other.numpy())[middle].max()
        assert apart < 1e-2, f"they do not read alike: {apart}"
    return {
        "forward": (
            forward(bilinear_sample, grid),
            {
                "Keras map_coordinates": forward(by_keras, pixels),
                "ImageProjectiveTransformV3": fused,
            },
        ),
        "training": (
            training(bilinear_sample, grid),
            {"Keras map_coordinates": training(by_keras, pixels)},
        ),
    }


def torch_cases(shape):
    import torch

    images, matrix, slope = map(torch.tensor, drawn(shape))
    grid = torch.as_tensor(affine_grid(matrix, shape[:2]))

    def theirs(images, grid):
        read = torch.nn.functional.grid_sample(
            images.permute(0, 3, 1, 2), grid, align_corners=True
        )
        return read.permute(0, 2, 3, 1)

    def forward(function):
        def step():
            with torch.no_grad():
                return function(images, grid)

        return step

    def training(function):
        def step():
            tensors = [x.clone().requires_grad_() for x in (images, grid)]
            total = (function(*tensors) * slope).sum()
            return torch.autograd.grad(total, tensors)

        return step

    apart = abs(bilinear_sample(images, grid) - theirs(images, grid)).max()
    assert apart < 1e-3, f"they do not read alike: {apart}"
    name = "PyTorch grid_sample"
    return {
        "forward": (forward(bilinear_sample), {name: forward(theirs)}),
        "training": (training(bilinear_sample), {name: training(theirs)}),
    }


if __name__ == "__main__":
    typer.run(main)
