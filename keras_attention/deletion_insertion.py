"""Faithfulness of a map: does the score rest on the places that it shows?"""

import numbers

import numpy as np
from keras import ops

from keras_attention.arguments import check_sizes
from keras_attention.batches import batches, check_model
from keras_attention.functional.axes import channel_axis, resolve_data_format
from keras_attention.targets import (
    check_target,
    highest_classes,
    target_scores,
)


def faithfulness(
    model,
    images,
    maps,
    target=None,
    baseline="blur",
    steps=32,
    seed=0,
    batch_size=32,
    data_format=None,
):
    """Deletion and insertion curves: does the score rest on what a map shows?

    Deletion replaces the pixels of an image by those of a baseline, those with
    the highest values of the map first; insertion puts the pixels of the image
    into the baseline in the same order. Of a faithful map, the score falls fast
    in deletion (a small area under the curve) and rises fast in insertion (a
    large one).

    An area alone says nothing: it depends on the model, the image, the baseline
    and how coarse the map is. So the same is measured of a random map: the same
    values, shuffled over the places of the map before it is resized. Compare
    the areas sample by sample.

    The score is what the model returns for the target, in the paper a
    probability: of a model that returns logits, give
    `keras.Sequential([model, keras.layers.Softmax()])`. The model runs
    `4 * (steps + 1)` times for each batch, and once more where `target` is
    `None`, in inference mode, plainly, not compiled.

    Args:
        model: A `keras.Model` that takes images.
        images: `(B, H, W, C)`, or `(B, C, H, W)` where `data_format` says so,
            as the model takes them; cast to float32.
        maps: `(B, h, w)`, or with a channel axis of size 1 as the images have
            theirs; finite; any size. Resized to the images bilinearly, the
            outer edges of both together, as `keras_attention.pictures.heat_map`
            draws them. Pixels with the same value come in random order.
        target: Which score to measure: the index of a class, `(B,)` indices, or
            `None` for the class with the highest score of each image as it is;
            or a function from what the model returns to scores `(B,)`.
        baseline: What takes the place of a pixel: `"blur"`, the image under a
            Gaussian filter with a standard deviation of 1/16 of its longer
            side; `"mean"`, its mean colour; or a number, the value of all
            channels.
            Hard edges and flat colours are evidence to some models, blur hides
            little from others. The paper deletes to a constant and inserts
            into a blurred image: that takes two calls.
        steps: Positive integer, at most `H * W`. In how many steps, of equally
            many pixels (to the nearest below), all are replaced.
        seed: Integer. Of the random maps and the order of equal values.
        batch_size: Positive integer. How many images run at once.
        data_format: `"channels_last"`, `"channels_first"` or `None`, Keras's
            global one.

    Returns:
        Dict with `"shares"`, `(steps + 1,)`: the share of pixels replaced, from
        0 to 1; and `"deletion"` and `"insertion"`, each a dict of float32
        arrays: `"curve"` and `"random_curve"`, `(B, steps + 1)`, the score at
        each share; `"area"` and `"random_area"`, `(B,)`, the area under each
        curve (trapezoids).

    Raises:
        ValueError: If the model is not a `keras.Model`, the shapes do not fit
            each other, a map is not finite, the target, the baseline or the
            data format is not as above, a size is no positive integer, or
            there are more steps than pixels.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> image = keras.Input((4, 4, 1))
    >>> model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))
    >>> images = np.zeros((1, 4, 4, 1))
    >>> images[:, :2, 2:] = 1
    >>> curves = faithfulness(model, images, images, baseline=0, steps=4)
    >>> curves["deletion"]["curve"].tolist()
    [[0.25, 0.0, 0.0, 0.0, 0.0]]
    >>> curves["insertion"]["area"].tolist()
    [0.21875]

    Reference:
        Petsiuk, Das, Saenko. RISE: Randomized Input Sampling for Explanation of
        Black-box Models. BMVC 2018, section 4.2.
        https://arxiv.org/abs/1806.07421
    """
    check_model(model)
    check_sizes("how many runs are made", steps=steps, batch_size=batch_size)
    axis = channel_axis(resolve_data_format(data_format))
    images = _checked_images(images, axis, steps)
    maps = _checked_maps(maps, axis, len(images))
    target = check_target(target, len(images))
    baselines = _baselines(images, baseline)
    all_rows = batches(len(images), batch_size)

    def answers(batch):
        return model(np.moveaxis(batch, -1, axis), training=False)

    if target is None:
        highest = [highest_classes(answers(images[rows])) for rows in all_rows]
        target = np.concatenate(highest)
    counts = np.arange(steps + 1) * images[0, ..., 0].size // steps
    shares = counts / counts[-1]
    measured = {"deletion": {}, "insertion": {}}
    for name, ranks in _rankings(maps, images.shape[:3], seed).items():
        parts = []
        for rows in all_rows:
            wanted = target if callable(target) else target[rows]
            masks = [(ranks[rows] < count)[..., None] for count in counts]
            ends = images[rows], baselines[rows]
            parts.append(_curves(answers, wanted, masks, *ends))
        for kind, curve in zip(measured, np.concatenate(parts, axis=1)):
            measured[kind][f"{name}curve"] = curve
            measured[kind][f"{name}area"] = _area(curve, shares)
    return {"shares": shares.astype("float32"), **measured}


def _curves(answers, target, masks, images, baselines):
    """Deletion and insertion, `(2, B, steps + 1)`: a mask for each point."""

    def score(batch):
        return ops.convert_to_numpy(target_scores(answers(batch), target))

    deletion = [score(np.where(mask, baselines, images)) for mask in masks]
    insertion = [score(np.where(mask, images, baselines)) for mask in masks]
    return np.moveaxis(np.array([deletion, insertion]), 1, -1)


def _area(curves, shares):
    heights = (curves[:, 1:] + curves[:, :-1]) / 2
    return (heights @ np.diff(shares)).astype("float32")


def _rankings(maps, shape, seed):
    """The rank of each pixel, 0 the highest: of the maps, and shuffled ones."""
    rng = np.random.default_rng(seed)
    shuffled = rng.permuted(maps.reshape(len(maps), -1), axis=1)
    ties = rng.random(shape).reshape(len(maps), -1)

    def ranks(maps):
        values = _resized(maps, *shape[1:]).reshape(len(maps), -1)
        order = np.lexsort((ties, -values))
        return np.argsort(order, axis=-1).reshape(shape)

    return {"": ranks(maps), "random_": ranks(shuffled.reshape(maps.shape))}


def _resized(maps, height, width):
    rows = _bilinear(maps.shape[1], height)
    columns = _bilinear(maps.shape[2], width)
    return rows @ maps @ columns.T


def _bilinear(size, new_size):
    """The matrix `(new_size, size)` that resizes an axis, edge to edge."""
    places = (np.arange(new_size) + 0.5) * size / new_size - 0.5
    places = np.clip(places, 0, size - 1)[:, None]
    return np.maximum(0, 1 - np.abs(places - np.arange(size)))


def _baselines(images, baseline):
    if baseline == "mean":
        means = images.mean(axis=(1, 2), keepdims=True)
        return np.broadcast_to(means, images.shape)
    if baseline == "blur":
        deviation = max(images.shape[1:3]) / 16
        rows, columns = (_blur(n, deviation) for n in images.shape[1:3])
        blurred = np.einsum("ih,jw,bhwc->bijc", rows, columns, images)
        return blurred.astype("float32")
    if isinstance(baseline, numbers.Real) and np.isfinite(baseline):
        return np.full_like(images, baseline)
    raise ValueError(
        '`baseline` must be "blur", "mean" or a finite number, the value of '
        f"what takes a pixel's place. Received: baseline={baseline!r}"
    )


def _blur(size, deviation):
    """The matrix `(size, size)` of a Gaussian filter, within the image."""
    steps = np.arange(size) - np.arange(size)[:, None]
    weights = np.exp(-0.5 * (steps / deviation) ** 2)
    return weights / weights.sum(axis=1, keepdims=True)


def _checked_images(images, axis, steps):
    """The images as float32 `(B, H, W, C)`."""
    shape = np.shape(images)
    if len(shape) != 4 or 0 in shape:
        raise ValueError(
            "`images` must be (B, H, W, C), or (B, C, H, W) with "
            '`data_format="channels_first"`, of at least one pixel. '
            f"Received: images of shape {shape}"
        )
    images = np.moveaxis(np.asarray(images, "float32"), axis, -1)
    pixels = images[0, ..., 0].size
    if steps > pixels:
        raise ValueError(
            "`steps` must be at most the number of pixels, of which each step "
            f"replaces some. Received: steps={steps} for {pixels} pixels"
        )
    return images


def _checked_maps(maps, axis, samples):
    """The maps as float64 `(B, h, w)`."""
    maps = np.asarray(maps, "float64")
    shape = maps.shape
    if maps.ndim == 4 and shape[axis] == 1:
        maps = np.squeeze(maps, axis)
    if maps.ndim != 3 or len(maps) != samples or not maps.size:
        raise ValueError(
            "`maps` must be (B, h, w), one value for each place of each image. "
            f"Received: maps of shape {shape} for {samples} images"
        )
    if not np.isfinite(maps).all():
        raise ValueError(
            "`maps` must be finite, or their places have no order. Received: "
            f"maps with {(~np.isfinite(maps)).sum()} values NaN or infinite"
        )
    return maps
