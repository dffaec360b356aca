"""A picture of where a classifier looked: maps, gates and glimpses."""

import collections
import inspect
import math
import re

import keras
import numpy as np

from keras_attention.feature_map.selective_kernel import SelectiveKernel
from keras_attention.glimpse.attention_crop import AttentionCrop
from keras_attention.glimpse.entropy_saliency import EntropySaliency
from keras_attention.glimpse.gaussian_attention import GaussianAttention
from keras_attention.glimpse.glimpse_sensor import GlimpseSensor
from keras_attention.glimpse.spatial_transformer import SpatialTransformer
from keras_attention.lettering import shortened, write
from keras_attention.pictures import BAR, COLORMAP, beside, noted, read_region
from keras_attention.pictures.glimpses import (
    draw_read,
    draw_regions,
    region_color,
    region_lines,
)
from keras_attention.pictures.images import draw_image
from zoo.image_classification.dynamic_capacity_network import SalientPatches

SIZE = 1.25  # inches of an image
LEAST = 0.2  # inches of its lower side, however long it is
MOST = 8  # images side by side
STEPS = 8  # glimpses of a sequence that are shown one by one
LETTERS = 22  # of the line above an image
LABELS = 1.5  # inches of the words on the left
GREY = (0.299, 0.587, 0.114)
UNSEEN = 0.3  # contrast of what a glimpse does not show

# A row of the picture: the words on its left, its height in inches, and a
# function that draws an image's part of it, by the number of the image.
Row = collections.namedtuple("Row", "words inches draw")


def where_it_looked(images, answers, titles=None, maps=3, model=None):
    """Draws images side by side; below each, what the network looked at.

    Many images stand in several such blocks, one below the other.

    A network has many attention layers. Shown are the last one of each stage
    that weighs places, at most `maps` of them and the latest ones, and the
    last one of all that weighs channels. A row of maps has one range of
    colours, from dark to bright, which its words on the left state.

    Of glimpses it shows where they were taken and, in a frame of the same
    colour, what was read there, grey outside of the image: the straightened
    image of a `SpatialTransformer`, each scale of `AttentionCrop`, and the
    glimpses of a sequence one by one, the rest of the image being dimmed.

    Args:
        images: Array `(B, H, W, C)` of 0 to 255, as the network read them.
        answers: List of `B` answers of `Task.look`.
        titles: List of `B` strings; by default label and probability.
        maps: Positive integer. How many layers of a kind at most.
        model: The network, whose layers say what their weights are; without
            it they are maps, gates, or what their names say.

    Returns:
        A `matplotlib.figure.Figure`; `keras_attention.pictures.save_figure`
        writes it.

    Raises:
        ValueError: If there is no image.
    """
    from matplotlib.figure import Figure

    if not answers:
        raise ValueError("There must be an image to look at. Received: none")
    if titles is None:
        titles = [
            f"{shortened(answer['label'], LETTERS - 8)} "
            f"({100 * answer['probability']:.0f} %)"
            for answer in answers
        ]
    pixels = np.broadcast_to(images / 255, (*images.shape[:3], 3))
    rows = _rows(pixels, answers, model, maps)

    across = min(MOST, len(images))
    heights = [row.inches for row in rows]
    blocks = -(-len(images) // across)
    figure = Figure(
        (LABELS + SIZE * across, blocks * (sum(heights) + 0.4)),
        layout="constrained",
    )
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03)
    every = figure.subplots(
        blocks * len(heights),
        across,
        squeeze=False,
        height_ratios=blocks * heights,
    )
    for ax in every.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    for block in range(blocks):
        grid = every[block * len(rows) : (block + 1) * len(rows)]
        chosen = range(len(images))[block * across : (block + 1) * across]
        for ax, index in zip(grid[0], chosen):
            title = shortened(titles[index], LETTERS)
            write(ax.set_title, title, fontsize=9)
        for axes, row in zip(grid, rows):
            for ax, index in zip(axes, chosen):
                row.draw(ax, index)
            beside(axes[0], row.words)
    return noted(figure)


def _rows(pixels, answers, model, most):
    """All rows: the images, glimpses, maps, gates."""
    glimpses, crops, places, gates = [], [], {}, {}
    weights = {
        name: np.stack([answer["attention"][name] for answer in answers])
        for name in answers[0]["attention"]
    }
    for name, found in weights.items():
        layer, part = _layer_of(model, name)
        path = name.removesuffix(f"/{part}")
        title = shortened(path.split("/")[-1].replace("_", " "), LETTERS)
        boxes = found.shape[-2:] == (2, 3)
        if isinstance(layer, SpatialTransformer):
            glimpses.append(_straightened(pixels, title, found, layer))
        elif isinstance(layer, AttentionCrop):
            crops.append((title, found, layer))
        elif isinstance(layer, GlimpseSensor):
            glimpses.append(_sequence(pixels, title, found[:, None]))
        elif isinstance(layer, GaussianAttention):
            if part == "rows":
                columns = weights[f"{path}/columns"]
                glimpses.append(_blurred(pixels, title, found, columns))
        elif part == "glimpses" and boxes:
            glimpses.append(_sequence(pixels, title, found))
        elif part == "patches" and boxes:
            saliency = weights.get(f"{path}/saliency")
            glimpses.append(_patches(pixels, title, saliency, found, layer))
        elif part == "saliency" and f"{path}/patches" in weights:
            pass  # drawn below the patches
        elif found.ndim == 3 and (
            isinstance(layer, SelectiveKernel)
            or (layer is None and part != "saliency")
        ):
            # Of branches: the widest one's share.
            gates = {_title(name): found[:, -1]}
        elif isinstance(layer, EntropySaliency) and any(
            other.endswith("/saliency") and np.array_equal(found, same)
            for other, same in weights.items()
        ):
            pass  # drawn below the patches that were cut by it
        elif found.ndim == 3:
            glimpses.append([_heat(pixels, title, found)])
        elif found.shape[1] * found.shape[2] == 1:
            gates = {_title(name): found[:, 0, 0]}
        else:
            stage = name.split("_block_")[0]
            places[stage] = _title(name), found.mean(axis=-1)
    if crops:
        glimpses.append(_crops(pixels, crops[-most:]))
    return [
        Row(
            "the image" if glimpses else "what it read",
            _inches(pixels.shape[1:3]),
            lambda ax, index: ax.imshow(pixels[index], interpolation="nearest"),
        ),
        *(row for group in glimpses[-most:] for row in group),
        *(_map(pixels, *each) for each in list(places.values())[-most:]),
        *(_bars(*each) for each in gates.items()),
    ]


def _layer_of(model, name):
    """The layer that a map is of, `None` if unknown, and the part of it."""
    path = name.split("/")
    if model is None:
        return None, path[-1] if path[1:] else ""
    layer = model
    for place, step in enumerate(path):
        inner = {each.name: each for each in _inside(layer)}
        # That of a further call has a number behind its name.
        layer = inner.get(step) or inner.get(re.sub(r"_\d+$", "", step))
        if layer is None:
            break
        if (
            "return_attention_scores"
            in inspect.signature(layer.call).parameters
        ):
            return layer, "/".join(path[place + 1 :])
    return None, path[-1]


def _inside(layer):
    if isinstance(layer, keras.Model):
        return layer.layers
    return layer._flatten_layers(include_self=False, recursive=False)


def _straightened(pixels, title, found, layer):
    """Where a spatial transformer looked, and what it handed on."""
    size = tuple(layer.output_size or pixels.shape[1:3])
    upwards = layer.transform not in ("attention", "translation")

    def where(ax, index):
        _outlines(
            ax,
            pixels[index],
            found[index][None],
            layer.align_corners,
            upwards=upwards,
        )

    def what(ax, index):
        read = read_region(
            pixels[index],
            found[index],
            size,
            layer.align_corners,
            layer.padding,
            0.5,
        )
        draw_read(ax, read, region_color(0))

    height = _inches(pixels.shape[1:3])
    words = "what it read there"
    if layer.transform == "tps" and layer.steps > 1:
        words = "about what it read"  # what is noted does not tell all
    return [
        Row(f"{title}:\nwhere it looked", height, where),
        Row(_size_words(words, size), _inches(size), what),
    ]


def _crops(pixels, crops):
    """The boxes of all crops, and then crop by crop."""

    def where(ax, index):
        _outlines(ax, pixels[index], [found[index] for _, found, _ in crops])

    def crop(number, found, size):
        def what(ax, index):
            read = read_region(
                pixels[index], found[index], size, False, outside=0.5
            )
            draw_read(ax, read, region_color(number))

        return what

    rows = [Row("where it looked", _inches(pixels.shape[1:3]), where)]
    for number, (title, found, layer) in enumerate(crops):
        size = tuple(layer.output_size)
        rows.append(
            Row(
                _size_words(title, size),
                _inches(size),
                crop(number, found, size),
            )
        )
    return rows


def _sequence(pixels, title, found):
    """Where glimpses were taken, in order; and then one by one."""
    count, scales = found.shape[1:3]
    numbers = [str(number) for number in range(1, 1 + count)]

    def where(ax, index):
        _outlines(
            ax,
            pixels[index],
            found[index, :, 0],
            colors=[region_color(0)],
            labels=numbers,
            path=True,
        )

    def step(number):
        def what(ax, index):
            _seen(ax, pixels[index], found[index, number])

        return what

    height = _inches(pixels.shape[1:3])
    words = f"{count} in order" if count > 1 else "where it looked"
    rows = [Row(f"{title}:\n{words}", height, where)]
    for number in range(min(count, STEPS)):
        words = f"glimpse {number + 1} of {count}"
        if scales > 1:
            words += f"\n{scales} scales"
        rows.append(Row(words, height, step(number)))
    return rows


def _patches(pixels, title, saliency, found, layer):
    """Patches over the map by which they were chosen."""
    words = f"{found.shape[1]} patches"
    if saliency is None:

        def where(ax, index):
            _outlines(ax, pixels[index], found[index], colors=["white"])

        height = _inches(pixels.shape[1:3])
        return [Row(f"{title}:\n{words}", height, where)]
    extent = None
    if isinstance(layer, SalientPatches):
        # Between the centres of patches lies the stride.
        first = layer.offset + layer.patch_size / 2 - layer.stride / 2
        high, wide = (first + layer.stride * n for n in saliency.shape[1:])
        extent = (first, wide, high, first)
    heat = _heat(pixels, title, saliency, extent)

    def draw(ax, index):
        heat.draw(ax, index)
        _regions(ax, pixels[index], found[index], colors=["white"])

    return [Row(f"{heat.words}\n{words}", heat.inches, draw)]


def _blurred(pixels, title, rows, columns):
    """How much a grid of Gaussian filters read of each place, and what."""
    heat = rows.sum(axis=1)[:, :, None] * columns.sum(axis=1)[:, None]
    size = rows.shape[1], columns.shape[1]

    def what(ax, index):
        read = rows[index] @ np.moveaxis(pixels[index], -1, 0)
        read = np.moveaxis(read @ columns[index].T, 0, -1)
        draw_read(ax, read, region_color(0))

    return [
        _heat(pixels, title, heat),
        Row(_size_words("what it read there", size), _inches(size), what),
    ]


def _heat(pixels, title, values, extent=None):
    low, high = values.min(), values.max()

    def draw(ax, index):
        _overlay(ax, pixels[index], values[index], low, high, extent)

    decimals = 2
    if high > low:
        decimals = max(2, 1 - math.floor(math.log10(high - low)))
    words = f"{title}\nplaces: {low:.{decimals}f} to {high:.{decimals}f}"
    return Row(words, _inches(pixels.shape[1:3]), draw)


def _map(pixels, title, values):
    """Weights of places, over the images."""
    low, high = values.min(), values.max()

    def draw(ax, index):
        _overlay(ax, pixels[index], values[index], low, high)

    words = f"{title}\nplaces: {low:.2f} to {high:.2f}"
    return Row(words, _inches(pixels.shape[1:3]), draw)


def _bars(title, shares):
    """Gates of channels."""
    top, channels = max(1, shares.max()), shares.shape[1]

    def draw(ax, index):
        ax.bar(np.arange(channels), shares[index], width=1, color=BAR)
        ax.set(ylim=(0, top), xlim=(-0.5, channels - 0.5))
        ax.set(xticks=[], yticks=[])

    words = f"{title}\n{channels} channels: 0 to {top:g}"
    return Row(words, 0.6 * SIZE, draw)


def _outlines(ax, image, transforms, align_corners=False, **options):
    draw_image(ax, image)
    _regions(ax, image, transforms, align_corners, **options)


def _regions(ax, image, transforms, align_corners=False, **options):
    size = image.shape[:2]
    draw_regions(ax, size, transforms, align_corners, **options)


def _seen(ax, image, boxes):
    """The image, pale outside of the boxes."""
    from matplotlib.path import Path

    draw_image(ax, UNSEEN * image + (1 - UNSEEN) / 2)
    draw_image(ax, image)
    outlines = [
        line
        for box in boxes
        for line in region_lines(box, image.shape[:2], False)[0]
    ]
    parts = [Path([*each, each[0]], closed=True) for each in outlines]
    ax.images[-1].set_clip_path(Path.make_compound_path(*parts), ax.transData)
    _regions(ax, image, boxes)


def _overlay(ax, image, values, low, high, extent=None):
    """The map over the image, which is grey: all colours are the map's."""
    height, width = image.shape[:2]
    whole = (0, width, height, 0)
    grey = np.repeat((image @ GREY)[..., None], 3, axis=-1)
    ax.imshow(0.4 + 0.6 * grey, interpolation="nearest", extent=whole)
    ax.imshow(
        values,
        interpolation="bilinear",
        extent=extent or whole,
        cmap=COLORMAP,
        vmin=low,
        vmax=high,
        alpha=0.7,
    )
    ax.set(xlim=(0, width), ylim=(height, 0))


def _inches(size):
    """How high an image of a size is drawn."""
    height, width = size
    return max(LEAST, height * SIZE / max(width, height / 3))


def _size_words(words, size):
    height, width = size
    return f"{words}\n{width} x {height} pixels"


def _title(name):
    """`stage_1_block_3_attention/spatial` is of `stage 1, block 3`."""
    layer = name.split("/")[-2 if "/" in name else -1]
    words = layer.removesuffix("_attention").split("_")[:4]
    pairs = [" ".join(words[i : i + 2]) for i in range(0, len(words), 2)]
    return ", ".join(pairs)
