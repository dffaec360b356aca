"""A picture of where a classifier looked: maps and gates, image by image."""

import numpy as np

from keras_attention.lettering import shortened, write
from keras_attention.pictures import BAR, COLORMAP, beside, noted

SIZE = 1.25  # inches of an image
LEAST = 0.2  # inches of its lower side, however long it is
MOST = 8  # images side by side
LETTERS = 22  # of the line above an image
LABELS = 1.5  # inches of the words on the left
GREY = (0.299, 0.587, 0.114)


def where_it_looked(images, answers, titles=None, maps=3):
    """Draws images side by side; below each, its maps and channel gates.

    Many images stand in several such blocks, one below the other.

    A network has many attention layers. Shown are the last one of each stage
    that weighs places, at most `maps` of them and the latest ones, and the
    last one of all that weighs channels. A row of maps has one range of
    colours, from dark to bright, which its words on the left state.

    Args:
        images: Array `(B, H, W, C)` of 0 to 255, as the network read them.
        answers: List of `B` answers of `Task.look`.
        titles: List of `B` strings; by default label and probability.
        maps: Positive integer. How many rows of maps at most.

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
    places, gates = _rows(answers)
    places = dict(list(places.items())[-maps:])

    high, wide = images.shape[1:3]
    scale = SIZE / max(wide, high / 3)  # inches a pixel
    across = min(MOST, len(images))
    heights = [max(LEAST, scale * high)] * (1 + len(places))
    heights += [0.6 * SIZE] * len(gates)
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
    pixels = np.broadcast_to(images / 255, (*images.shape[:3], 3))
    for block in range(blocks):
        chosen = slice(block * across, (block + 1) * across)
        grid = every[block * len(heights) : (block + 1) * len(heights)]
        _draw(
            grid,
            pixels[chosen],
            titles[chosen],
            {name: (w[chosen], w) for name, w in places.items()},
            {name: (w[chosen], w) for name, w in gates.items()},
        )
    return noted(figure)


def _draw(grid, pixels, titles, places, gates):
    """Images side by side, into `(rows, columns)` axes.

    Of each layer there are the weights of these images, and those of all, which
    the range of colours comes from.
    """
    for ax, image, title in zip(grid[0], pixels, titles):
        write(ax.set_title, shortened(title, LETTERS), fontsize=9)
        ax.imshow(image, interpolation="nearest")
    beside(grid[0, 0], "what it read")
    for row, (layer, (weights, every)) in zip(grid[1:], places.items()):
        low, high = every.min(), every.max()
        for ax, image, values in zip(row, pixels, weights):
            _overlay(ax, image, values, low, high)
        beside(row[0], f"{layer}\nplaces: {low:.2f} to {high:.2f}")
    for row, (layer, (shares, every)) in zip(
        grid[1 + len(places) :], gates.items()
    ):
        top = max(1, every.max())
        channels = every.shape[1]
        for ax, values in zip(row, shares):
            ax.bar(np.arange(channels), values, width=1, color=BAR)
            ax.set(ylim=(0, top), xlim=(-0.5, channels - 0.5))
            ax.set(xticks=[], yticks=[])
        beside(row[0], f"{layer}\n{channels} channels: 0 to {top:g}")


def _rows(answers):
    """What to show: layer -> `(B, h, w)` maps, and layer -> `(B, C)` gates."""
    places, gates = {}, {}
    for name in answers[0]["attention"]:
        weights = np.stack([answer["attention"][name] for answer in answers])
        if weights.ndim == 3:  # of branches: the widest one's share
            gates = {_title(name): weights[:, -1]}
        elif weights.shape[1] * weights.shape[2] == 1:
            gates = {_title(name): weights[:, 0, 0]}
        else:
            stage = name.split("_block_")[0]
            places[stage] = _title(name), weights.mean(axis=-1)
    return dict(places.values()), gates


def _overlay(ax, image, values, low, high):
    """The map over the image, which is grey: all colours are the map's."""
    height, width = image.shape[:2]
    extent = (0, width, height, 0)
    grey = np.repeat((image @ GREY)[..., None], 3, axis=-1)
    ax.imshow(0.4 + 0.6 * grey, interpolation="nearest", extent=extent)
    ax.imshow(
        values,
        interpolation="bilinear",
        extent=extent,
        cmap=COLORMAP,
        vmin=low,
        vmax=high,
        alpha=0.7,
    )


def _title(name):
    """`stage_1_block_3_attention/spatial` is of `stage 1, block 3`."""
    layer = name.split("/")[-2 if "/" in name else -1]
    words = layer.removesuffix("_attention").split("_")[:4]
    pairs = [" ".join(words[i : i + 2]) for i in range(0, len(words), 2)]
    return ", ".join(pairs)
