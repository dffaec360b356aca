"""A picture of where a classifier looked: maps, gates and glimpses."""

import collections
import inspect
import math
import re

import keras
import numpy as np

from keras_attention.feature_map.pixelwise_contextual_attention import (
    PixelwiseContextualAttention,
)
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
from zoo.data.images import image_to_draw
from zoo.image_classification.dynamic_capacity_network import SalientPatches

SIZE = 1.25  # inches, how wide an image is drawn
LARGE = 2.0  # of photographs, where they are few
PHOTOGRAPH = 128  # pixels of the longer side of one
LEAST = 0.2  # inches of the height of an image, however wide it is
HIGHEST = 1.5  # of an image's height over the width of its panel
BARS = 0.6  # of the height of gates over the width
MOST = 8  # images side by side
STEPS = 8  # glimpses of a sequence that are shown one by one
LETTERS = 22  # of the line above an image
LABELS = 1.5  # inches of the words on the left
TITLE = 0.25  # of the line above
PAD = 0.03  # around everything
GREY = (0.299, 0.587, 0.114)
ALPHA = 0.6  # how much of the image a map covers
UNSEEN = 0.3  # contrast of what a glimpse does not show

# A row of the picture: the words on its left, the height of each image's part
# over its width, and a function that draws it, by the number of the image.
Row = collections.namedtuple("Row", "words ratios draw")

# Of each image: the user's own, bytes `(H, W, 3)`; its height over its width;
# what maps and outlines lie on; and what the network read, `(h, w, 3)` of 0 to
# 1, whose pixels are the units of all axes. `same`: whether it read just those.
Views = collections.namedtuple("Views", "images ratios grounds read same")


def where_it_looked(
    raws, read, answers, titles=None, maps=3, model=None, answered=()
):
    """Draws images side by side; below each, what the network looked at.

    Many images stand in several such blocks, one below the other.

    The images are the user's own, in their own aspect ratio; those of more
    than 512 pixels a side are reduced. Maps and outlines lie over them where
    the network looked, which read them stretched to one size; if that is
    another, a row shows what it read. Images of fewer pixels than it read are
    smooth under a map.

    A network has many attention layers. Shown are the last one of each stage,
    or of each size where names tell no stages, that weighs places, at most
    `maps` of them and the latest ones, and the last one of all that weighs
    channels. A row of maps has one range of colours, from dark to bright,
    which its words on the left state.

    Of glimpses it shows where they were taken and, in a frame of the same
    colour, what was read there, grey outside of the image: the straightened
    image of a `SpatialTransformer`, each scale of `AttentionCrop`, and the
    glimpses of a sequence one by one, the rest of the image being dimmed.

    Args:
        raws: List of `B` images, each anything that `read_image` takes, sizes
            mixed; or an array `(B, H, W, C)`.
        read: Array `(B, H, W, C)` of 0 to 255, the same as the network read
            them.
        answers: List of `B` answers of `Task.look`.
        titles: List of `B` strings; by default label and probability.
        maps: Positive integer. How many layers of a kind at most.
        model: The network, whose layers say what their weights are; without
            it they are maps, gates, or what their names say.
        answered: List of pairs, words and a function of an axes object, an
            image's number, and a dict of where `imshow` puts it, that draws an
            answer over the image; a row for each comes below the images.

    Returns:
        A `matplotlib.figure.Figure`; `keras_attention.pictures.save_figure`
        writes it.

    Raises:
        ValueError: If there is no image, the numbers differ, or as
            `zoo.data.images.read_image` for what is no image.
    """
    from matplotlib.figure import Figure

    count = len(answers)
    if not count or not len(raws) == len(read) == count:
        raise ValueError(
            "There must be an image to look at, and an answer for each. "
            f"Received: {len(raws)} images, {len(read)} as they were read, "
            f"{count} answers"
        )
    if titles is None:
        titles = [
            f"{shortened(answer['label'], LETTERS - 8)} "
            f"({100 * answer['probability']:.0f} %)"
            for answer in answers
        ]
    views = _views(raws, read)
    rows = _rows(views, answers, model, maps)
    for place, (words, draw) in enumerate(answered, 1):
        rows.insert(place, _answer(views, words, draw))

    across = min(MOST, count)
    wide = SIZE
    if max(max(image.shape) for image in views.images) > PHOTOGRAPH:
        wide = min(LARGE, SIZE * MOST / across)
    blocks = [
        range(count)[first : first + across]
        for first in range(0, count, across)
    ]
    heights = [_heights(rows, block, wide) for block in blocks]
    figure = Figure(
        (
            LABELS + (wide + 2 * PAD) * across,
            sum(TITLE + sum(block) for block in heights),
        ),
        layout="constrained",
    )
    pads = {"w_pad": PAD, "h_pad": PAD, "wspace": 0, "hspace": 0}
    figure.get_layout_engine().set(**pads)
    every = figure.subplots(
        len(blocks) * len(rows),
        across,
        squeeze=False,
        height_ratios=sum(heights, []),
    )
    for ax in every.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    for number, block in enumerate(blocks):
        grid = every[number * len(rows) : (number + 1) * len(rows)]
        for ax, index in zip(grid[0], block):
            title = shortened(titles[index], LETTERS)
            write(ax.set_title, title, fontsize=9)
        for axes, row in zip(grid, rows):
            for ax, index in zip(axes, block):
                row.draw(ax, index)
            # However narrow its image, the words stand beside their row's edge.
            axes[0].set_anchor("W")
            beside(axes[0], row.words)
    return noted(figure)


def _views(raws, read):
    images = [image_to_draw(raw) for raw in raws]
    size, colours = read.shape[1:3], read.shape[3]
    # Read with all pixels and colours. Enlarged, they are smooth as read.
    whole = [
        image.shape[0] <= size[0]
        and image.shape[1] <= size[1]
        and image.shape[2] <= colours
        for image in images
    ]
    same = all(whole) and {image.shape[:2] for image in images} == {size}
    images = [np.broadcast_to(each, (*each.shape[:2], 3)) for each in images]
    read = np.broadcast_to(np.clip(read / 255, 0, 1), (len(read), *size, 3))
    return Views(
        images,
        np.array([each.shape[0] / each.shape[1] for each in images]),
        [
            _as_bytes(255 * seen) if is_whole else image
            for image, seen, is_whole in zip(images, read, whole)
        ],
        read,
        same,
    )


def _as_bytes(values):
    return np.round(values).astype("uint8")


def _heights(rows, block, wide):
    """How high each row of a block is, in inches."""
    ratios = [min(HIGHEST, row.ratios[block].max()) for row in rows]
    return [2 * PAD + max(LEAST, wide * ratio) for ratio in ratios]


def _rows(views, answers, model, most):
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
            glimpses.append(_straightened(views, title, found, layer))
        elif isinstance(layer, AttentionCrop):
            crops.append((title, found, layer))
        elif isinstance(layer, GlimpseSensor):
            glimpses.append(_sequence(views, title, found[:, None]))
        elif isinstance(layer, GaussianAttention):
            if part == "rows":
                columns = weights[f"{path}/columns"]
                glimpses.append(_blurred(views, title, found, columns))
        elif part == "glimpses" and boxes:
            glimpses.append(_sequence(views, title, found))
        elif part == "patches" and boxes:
            saliency = weights.get(f"{path}/saliency")
            glimpses.append(_patches(views, title, saliency, found, layer))
        elif part == "saliency" and f"{path}/patches" in weights:
            pass  # drawn below the patches
        elif found.ndim == 3 and (
            isinstance(layer, SelectiveKernel)
            or (layer is None and part != "saliency")
        ):
            # Of branches: the widest one's share.
            gates = {_title(path): found[:, -1]}
        elif isinstance(layer, EntropySaliency) and any(
            other.endswith("/saliency") and np.array_equal(found, same)
            for other, same in weights.items()
        ):
            pass  # drawn below the patches that were cut by it
        elif found.ndim == 3:
            glimpses.append([_heat(views, title, found)])
        elif isinstance(layer, PixelwiseContextualAttention):
            places[found.shape[1:3]] = _title(path), _seen_by_all(found, layer)
        elif found.shape[1] * found.shape[2] == 1:
            gates = {_title(path): found[:, 0, 0]}
        else:
            stage, in_block, _ = name.partition("_block_")
            stage = stage if in_block else found.shape[1:3]
            places[stage] = _title(path), found.mean(axis=-1)
    if crops:
        glimpses.append(_crops(views, crops[-most:]))
    size = views.read.shape[1:3]
    rows = [
        Row(
            "the image",
            views.ratios,
            lambda ax, index: _draw(ax, views, index, views.images[index]),
        ),
        Row(
            _size_words("what it read", size),
            _ratios(views, size),
            lambda ax, index: draw_image(ax, views.read[index]),
        ),
    ]
    return [
        *rows[: 1 if views.same else 2],
        *(row for group in glimpses[-most:] for row in group),
        *(_map(views, *each) for each in list(places.values())[-most:]),
        *(_bars(*each) for each in gates.items()),
    ]


def _seen_by_all(weights, layer):
    """How much all places together look at each: `(B, H, W)`."""
    _, height, width, _ = weights.shape
    kernel, dilation = layer.kernel, layer.dilation
    before = kernel // 2 * dilation
    after = (kernel - 1) * dilation - before
    found = np.zeros(
        (len(weights), before + height + after, before + width + after)
    )
    for place in range(kernel * kernel):
        row, column = (dilation * each for each in divmod(place, kernel))
        there = slice(row, row + height), slice(column, column + width)
        found[:, *there] += weights[..., place]
    return found[:, before : before + height, before : before + width]


def _answer(views, words, draw):
    """A row of what was answered, over the image in light greys."""

    def both(ax, index):
        _gray(ax, views, index)
        height, width = views.read.shape[1:3]
        style = {"extent": (0, width, height, 0), "aspect": ax.get_aspect()}
        draw(ax, index, style)
        ax.set(xlim=(0, width), ylim=(height, 0))

    return Row(words, views.ratios, both)


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


def _straightened(views, title, found, layer):
    """Where a spatial transformer looked, and what it handed on."""
    size = tuple(layer.output_size or views.read.shape[1:3])
    upwards = layer.transform not in ("attention", "translation")

    def where(ax, index):
        _outlines(
            ax,
            views,
            index,
            found[index][None],
            layer.align_corners,
            upwards=upwards,
        )

    def what(ax, index):
        read = read_region(
            views.read[index],
            found[index],
            size,
            layer.align_corners,
            layer.padding,
            0.5,
        )
        draw_read(ax, read, region_color(0))

    words = "what it read there"
    if layer.transform == "tps" and layer.steps > 1:
        words = "about what it read"  # what is noted does not tell all
    return [
        Row(f"{title}:\nwhere it looked", views.ratios, where),
        Row(_size_words(words, size), _ratios(views, size), what),
    ]


def _crops(views, crops):
    """The boxes of all crops, and then crop by crop."""

    def where(ax, index):
        _outlines(ax, views, index, [found[index] for _, found, _ in crops])

    def crop(number, found, size):
        def what(ax, index):
            read = read_region(
                views.read[index], found[index], size, False, outside=0.5
            )
            draw_read(ax, read, region_color(number))

        return what

    rows = [Row("where it looked", views.ratios, where)]
    for number, (title, found, layer) in enumerate(crops):
        size = tuple(layer.output_size)
        rows.append(
            Row(
                _size_words(title, size),
                _ratios(views, size),
                crop(number, found, size),
            )
        )
    return rows


def _sequence(views, title, found):
    """Where glimpses were taken, in order; and then one by one."""
    count, scales = found.shape[1:3]
    numbers = [str(number) for number in range(1, 1 + count)]

    def where(ax, index):
        _outlines(
            ax,
            views,
            index,
            found[index, :, 0],
            colors=[region_color(0)],
            labels=numbers,
            path=True,
        )

    def step(number):
        def what(ax, index):
            _seen(ax, views, index, found[index, number])

        return what

    words = f"{count} in order" if count > 1 else "where it looked"
    rows = [Row(f"{title}:\n{words}", views.ratios, where)]
    for number in range(min(count, STEPS)):
        words = f"glimpse {number + 1} of {count}"
        if scales > 1:
            words += f"\n{scales} scales"
        rows.append(Row(words, views.ratios, step(number)))
    return rows


def _patches(views, title, saliency, found, layer):
    """Patches over the map by which they were chosen."""
    words = f"{found.shape[1]} patches"
    if saliency is None:

        def where(ax, index):
            _outlines(ax, views, index, found[index], colors=["white"])

        return [Row(f"{title}:\n{words}", views.ratios, where)]
    extent = None
    if isinstance(layer, SalientPatches):
        # Between the centres of patches lies the stride.
        first = layer.offset + layer.patch_size / 2 - layer.stride / 2
        high, wide = (first + layer.stride * n for n in saliency.shape[1:])
        extent = (first, wide, high, first)
    heat = _heat(views, title, saliency, extent)

    def draw(ax, index):
        heat.draw(ax, index)
        _regions(ax, views, found[index], colors=["white"])

    return [Row(f"{heat.words}\n{words}", heat.ratios, draw)]


def _blurred(views, title, rows, columns):
    """How much a grid of Gaussian filters read of each place, and what."""
    heat = rows.sum(axis=1)[:, :, None] * columns.sum(axis=1)[:, None]
    size = rows.shape[1], columns.shape[1]

    def what(ax, index):
        read = rows[index] @ np.moveaxis(views.read[index], -1, 0)
        read = np.moveaxis(read @ columns[index].T, 0, -1)
        draw_read(ax, read, region_color(0))

    return [
        _heat(views, title, heat),
        Row(
            _size_words("what it read there", size), _ratios(views, size), what
        ),
    ]


def _heat(views, title, values, extent=None):
    low, high = values.min(), values.max()

    def draw(ax, index):
        _overlay(ax, views, index, values[index], low, high, extent)

    decimals = 2
    if high > low:
        decimals = max(2, 1 - math.floor(math.log10(high - low)))
    words = f"{title}\nplaces: {low:.{decimals}f} to {high:.{decimals}f}"
    return Row(words, views.ratios, draw)


def _map(views, title, values):
    """Weights of places, over the images."""
    low, high = values.min(), values.max()

    def draw(ax, index):
        _overlay(ax, views, index, values[index], low, high)

    words = f"{title}\nplaces: {low:.2f} to {high:.2f}"
    return Row(words, views.ratios, draw)


def _bars(title, shares):
    """Gates of channels."""
    top, channels = max(1, shares.max()), shares.shape[1]

    def draw(ax, index):
        ax.bar(np.arange(channels), shares[index], width=1, color=BAR)
        ax.set(ylim=(0, top), xlim=(-0.5, channels - 0.5))
        ax.set(xticks=[], yticks=[])
        ax.set_box_aspect(BARS)

    words = f"{title}\n{channels} channels: 0 to {top:.3g}"
    return Row(words, np.full(len(shares), BARS), draw)


def _outlines(ax, views, index, transforms, align_corners=False, **options):
    _draw(ax, views, index, views.grounds[index])
    _regions(ax, views, transforms, align_corners, **options)


def _regions(ax, views, transforms, align_corners=False, **options):
    size = views.read.shape[1:3]
    draw_regions(ax, size, transforms, align_corners, **options)


def _seen(ax, views, index, boxes):
    """The image, pale outside of the boxes."""
    from matplotlib.path import Path

    image = views.grounds[index]
    pale = UNSEEN * image + (1 - UNSEEN) / 2 * 255
    _draw(ax, views, index, _as_bytes(pale))
    _draw(ax, views, index, image)
    size = views.read.shape[1:3]
    outlines = [
        line for box in boxes for line in region_lines(box, size, False)[0]
    ]
    parts = [Path([*each, each[0]], closed=True) for each in outlines]
    ax.images[-1].set_clip_path(Path.make_compound_path(*parts), ax.transData)
    _regions(ax, views, boxes)


def _overlay(ax, views, index, values, low, high, extent=None):
    """The map over the image, which is grey: all colours are the map's."""
    height, width = views.read.shape[1:3]
    _gray(ax, views, index)
    ax.imshow(
        values,
        interpolation="bilinear",
        extent=extent or (0, width, height, 0),
        aspect=ax.get_aspect(),
        cmap=COLORMAP,
        vmin=low,
        vmax=high,
        alpha=ALPHA,
    )
    ax.set(xlim=(0, width), ylim=(height, 0))


def _gray(ax, views, index):
    """The image in light greys, which leave the colours to what covers it."""
    grey = 0.4 * 255 + 0.6 * (views.grounds[index] @ GREY)
    black_and_white = {"cmap": "gray", "vmin": 0, "vmax": 255}
    _draw(ax, views, index, _as_bytes(grey), **black_and_white)


def _draw(ax, views, index, picture, **style):
    """A picture of an image, placed as the network read it."""
    height, width = size = views.read.shape[1:3]
    draw_image(ax, picture, size, **style)
    ax.set_aspect(views.ratios[index] * width / height)


def _ratios(views, size):
    height, width = size
    return np.full(len(views.images), height / width)


def _size_words(words, size):
    height, width = size
    return f"{words}\n{height} x {width} pixels"


def _title(path):
    """`backbone/stage_1_block_3_attention` is of `stage 1, block 3`."""
    layer = path.split("/")[-1]
    words = layer.removesuffix("_attention").split("_")[:4]
    pairs = [" ".join(words[i : i + 2]) for i in range(0, len(words), 2)]
    return ", ".join(pairs)
