"""Attention maps over images: one image, or a grid of several."""

import numpy as np

from keras_attention.lettering import INK, write
from keras_attention.pictures.drawing import (
    COLORMAP,
    as_finite,
    as_map,
    beside,
    check_range,
    color_bar,
    color_scale,
    new_figure,
    noted,
)
from keras_attention.pictures.gates import as_gates, draw_gates, gate_limit

ROWS = 8  # of images, one below the other
WIDEST = 16  # inches that blocks of them may take side by side


def heat_map(
    image,
    weights,
    title=None,
    ax=None,
    alpha=0.6,
    colormap=COLORMAP,
    value_range=(0, 255),
    weights_range=None,
):
    """Draws an image with a map of weights over it, and a bar of its colours.

    Under the map the image is grey, so that all colours are the map's. Its
    pixels stay crisp; the map is stretched over the whole image, bilinearly,
    so that the outer edges of both meet.

    Args:
        image: `(H, W, 3)`, `(H, W, 1)` or `(H, W)`, values in `value_range`.
        weights: `(h, w)` or `(h, w, 1)`, one value for each place; any size.
        title: String or `None`. A line above the picture.
        ax: A matplotlib `Axes` to draw into, with the bar beside it. `None`
            makes a figure of the image's aspect ratio.
        alpha: Float in [0, 1]. How much of the map covers the image.
        colormap: String. The name of a matplotlib colormap.
        value_range: Pair of floats, the image's black and white: `(0, 255)`
            or `(0, 1)`. It is never guessed.
        weights_range: Pair of floats, the weights at the ends of the colours.
            `None` takes the least and greatest weight of this map; give it
            to compare several pictures.

    Returns:
        The `matplotlib.figure.Figure`.

    Raises:
        ValueError: If a shape is another, a value is not finite or outside
            `value_range`, `alpha` is outside [0, 1], a range is empty, or the
            colormap is unknown.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import numpy as np
    >>> image = np.zeros((8, 8, 3), "uint8")
    >>> figure = heat_map(image, np.eye(4), title="where it looked")
    >>> figure.axes[0].get_title()
    'where it looked'
    """
    picture = as_image(image, value_range)
    values = as_map(weights)
    _check_alpha(alpha)
    colors = color_scale(colormap, values, weights_range)
    own = ax is None
    height, width = picture.shape[:2]
    if own:
        # Inches; an image that is very long or high has a margin.
        scale = 3.6 / max(height, width)
        size = max(1.2, scale * width) + 0.58, max(0.6, scale * height)
        above = 0 if title is None else 0.3 * (1 + title.count("\n"))
        figure = new_figure(size[0], size[1] + above)
        ax = figure.add_subplot()
    _overlay(ax, picture, values, colors, alpha)
    if title is not None:
        write(ax.set_title, title, fontsize=10)
    # As high as the image, wherever that stands in its axes.
    unit = 0.03 * max(height, width) / width
    color_bar(ax.figure, colors, cax=ax.inset_axes((1 + unit, 0, unit, 1)))
    return noted(ax.figure, own)


def attention_grid(
    images,
    maps,
    gates=None,
    titles=None,
    alpha=0.6,
    colormap=COLORMAP,
    value_range=(0, 255),
):
    """Draws a row for each image: itself, the maps over it, channel gates.

    More than 8 rows stand in blocks side by side where there is room. Each
    column of maps has one range of colours, from its least to its
    greatest weight, so that rows can be compared; its bar is below.

    Args:
        images: `(B, H, W, 3)`, `(B, H, W, 1)` or `(B, H, W)`; or a list of
            images of any sizes.
        maps: Dict from a column's name to its weights, `(B, h, w)` or
            `(B, h, w, 1)`. May be empty where `gates` are given.
        gates: Dict from a column's name to a layer's channel gates, `(B, C)`,
            `(B, 1, 1, C)` or `(B, C, 1, 1)`; or `None`.
        titles: List of `B` strings, one for each row, such as its label; or
            `None`.
        alpha: Float in [0, 1]. How much of a map covers the image.
        colormap: String. The name of a matplotlib colormap.
        value_range: Pair of floats, the images' black and white.

    Returns:
        The `matplotlib.figure.Figure`.

    Raises:
        ValueError: As for `heat_map` and `channel_gates`; or if there is no
            image, nothing to draw beside them, or the numbers of images, maps
            and titles differ.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import numpy as np
    >>> images = np.zeros((2, 8, 8, 1))
    >>> figure = attention_grid(
    ...     images,
    ...     {"early": np.ones((2, 4, 4)), "late": np.ones((2, 2, 2))},
    ...     titles=["zero", "one"],
    ... )
    >>> [ax.get_title() for ax in figure.axes[:3]]
    ['image', 'early', 'late']
    """
    gates = gates or {}
    images = [as_image(image, value_range) for image in images]
    maps = {name: [as_map(w) for w in group] for name, group in maps.items()}
    gates = {name: as_gates(group) for name, group in gates.items()}
    _check_alpha(alpha)
    columns = {"titles": titles} if titles is not None else {}
    columns |= maps | gates
    counts = {name: len(group) for name, group in columns.items()}
    if (
        not images
        or not (maps or gates)
        or set(counts.values()) != {len(images)}
    ):
        raise ValueError(
            "There must be at least one image and one column of maps or gates, "
            "and one map, gate and title for each image. "
            f"Received: {len(images)} images, and by column {counts}"
        )

    sizes = np.array([image.shape[:2] for image in images])
    # Inches, so that each image is as high as the others or three times wider.
    sizes = sizes * 1.7 / np.maximum(sizes[:, :1], sizes[:, 1:] / 3)
    wide = max(0.4, sizes[:, 1].max())
    widths = [wide] * (1 + len(maps)) + [2.6] * len(gates)
    # Many rows stand in several blocks side by side, if there is room.
    blocks = min(-(-len(images) // ROWS), int(WIDEST / sum(widths)) or 1)
    rows = -(-len(images) // blocks)
    heights = [max(0.2, sizes[row::rows, 0].max()) for row in range(rows)] + [
        0.09
    ]
    figure = new_figure(blocks * (sum(widths) + 0.6), sum(heights) + 0.8)
    every = figure.subplots(
        len(heights),
        blocks * len(widths),
        squeeze=False,
        width_ratios=widths * blocks,
        height_ratios=heights,
    )
    for ax in every[:, len(widths) :].flat:
        ax.set_axis_off()
    # By the number of the image; the last row is for the bars of colours.
    bars = every[-1]
    axes = [
        every[row, block * len(widths) : (block + 1) * len(widths)]
        for block in range(blocks)
        for row in range(rows)
    ][: len(images)]
    for row in axes[::rows]:
        for name, ax in zip(("image", *maps, *gates), row):
            write(ax.set_title, name, fontsize=9)
    for row, picture in enumerate(images):
        for ax in axes[row]:
            ax.set_axis_on()
        draw_image(axes[row][0], picture)
        if titles is not None:
            beside(axes[row][0], titles[row])
    for column, group in enumerate(maps.values(), start=1):
        everything = np.concatenate([values.ravel() for values in group])
        colors = color_scale(colormap, everything)
        for row, values in enumerate(group):
            _overlay(axes[row][column], images[row], values, colors, alpha)
        color_bar(figure, colors, cax=bars[column], orientation="horizontal")
    for column, group in enumerate(gates.values(), 1 + len(maps)):
        for row, values in enumerate(group):
            ax = axes[row][column]
            draw_gates(ax, values, gate_limit(group))
            last = row == len(images) - 1 or (row + 1) % rows == 0
            ax.tick_params(labelbottom=last)
            if last:
                ax.set_xlabel("channel", fontsize=8, color=INK)
    for ax in (bars[0], *bars[1 + len(maps) :]):
        ax.set_axis_off()
    return noted(figure)


def as_image(image, value_range):
    """The image as `(H, W, 3)` floats in [0, 1]."""
    low, high = check_range("value_range", value_range)
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[-1] not in (1, 3) or not pixels.size:
        raise ValueError(
            "An image must be (H, W, 3), (H, W, 1) or (H, W). "
            f"Received: image of shape {np.shape(image)}"
        )
    pixels = as_finite("image", pixels)
    if pixels.min() < low or pixels.max() > high:
        raise ValueError(
            f"The image must lie in `value_range`, its black and white. "
            f"Received: value_range=({low:g}, {high:g}), an image from "
            f"{pixels.min():g} to {pixels.max():g}"
        )
    return np.broadcast_to(
        (pixels - low) / (high - low), (*pixels.shape[:2], 3)
    )


def _check_alpha(alpha):
    if not 0 <= alpha <= 1:
        raise ValueError(
            "`alpha` must be in [0, 1], how much of the map covers the image. "
            f"Received: alpha={alpha}"
        )


def draw_image(ax, picture, units=None, **style):
    """Draws an image, its corner at `(0, 0)`.

    Pixels stay crisp where they are much enlarged; an image that is made
    smaller or little larger is smooth.

    Args:
        ax: A matplotlib `Axes`.
        picture: `(H, W, 3)` of 0 to 1 or of bytes; or `(H, W)`, whose colours
            `style` tells.
        units: `(height, width)` of the image on the axes; by default each
            pixel is a unit.
        **style: More options of `Axes.imshow`.
    """
    height, width = units or picture.shape[:2]
    extent = (0, width, height, 0)
    ax.imshow(picture, interpolation="antialiased", extent=extent, **style)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def _overlay(ax, picture, values, colors, alpha):
    height, width = picture.shape[:2]
    # In light greys the picture leaves the colours to the map.
    grey = 0.2 + 0.8 * picture @ (0.299, 0.587, 0.114)
    draw_image(ax, np.repeat(grey[..., None], 3, axis=-1))
    ax.imshow(
        values,
        interpolation="bilinear",
        extent=(0, width, height, 0),
        cmap=colors.cmap,
        norm=colors.norm,
        alpha=alpha,
    )
