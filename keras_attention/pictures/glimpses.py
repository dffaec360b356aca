"""Outlines of the regions that a model read from an image, and what it read."""

import functools
import math

import numpy as np
from keras import ops

from keras_attention.functional.sampling import (
    bilinear_sample,
    check_padding,
    pixel_places,
    splined,
    target_places,
    transformed,
)
from keras_attention.lettering import write
from keras_attention.pictures.drawing import (
    as_finite,
    import_matplotlib,
    new_figure,
    noted,
)
from keras_attention.pictures.images import as_image, draw_image

# Of Okabe and Ito, told apart by the colour-blind; bright, with a dark edge.
REGION_COLORS = (
    "#e69f00",
    "#56b4e9",
    "#cc79a7",
    "#f0e442",
    "#009e73",
    "#d55e00",
)
COLUMNS = 4  # regions side by side, as they were read
LINE = 1.2  # points
EDGE = 0.7  # points on either side of a line
STEPS = 33  # points of a bent line
GAP = 1e-3  # of an edge, on either side of a horizon
CORNERS = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], "float32")
# A triangle inside of a region, which points to its upper edge.
UPWARDS = np.array([[-0.14, -0.5], [0.14, -0.5], [0, -0.78]], "float32")


def region_outlines(
    image,
    transforms,
    align_corners=True,
    size=None,
    padding="zeros",
    labels=None,
    path=False,
    upwards=False,
    title=None,
    ax=None,
    value_range=(0, 255),
):
    """Draws an image, the outlines of regions read from it, and those regions.

    The outline is where the square from -1 to 1 of a region comes from: a
    quadrilateral, or for a thin-plate spline the bent lines through its
    control points. What lies outside of the image is cut off at its frame.
    With `size`, the regions follow on the right as they were read, row by row,
    each framed in the colour of its outline.

    Args:
        image: `(H, W, 3)`, `(H, W, 1)` or `(H, W)`, values in `value_range`.
        transforms: The regions, as the layers of `glimpse/` return them for
            one image: `(N, 2, 3)`, affine; `(N, 3, 3)`, projective; or
            `(N, k * k, 2)`, thin-plate splines. A single one needs no N.
        align_corners: Boolean. See Convention.
        size: `(height, width)` of a region as it was read, or `None`.
        padding: What was read outside of the image: `"zeros"`, which is drawn
            grey, `"border"` or `"reflection"`.
        labels: List of `N` strings at the centres of the regions; or `None`.
        path: Boolean. Whether a line joins the centres in their order.
        upwards: Boolean. Whether a triangle in each region points to its upper
            edge, for those that are turned.
        title: String or `None`. A line above the image.
        ax: A matplotlib `Axes` to draw into, without `size`. `None` makes a
            figure.
        value_range: Pair of floats, the image's black and white.

    Returns:
        The `matplotlib.figure.Figure`.

    Raises:
        ValueError: If a shape is another, a value is not finite or outside
            `value_range`, there is no region, the number of labels is another,
            `padding` is unknown, or both `size` and `ax` are given.
        ImportError: If matplotlib is not installed.

    Convention: Transforms take places of the region to places of the image,
        `(x, y)` in [-1, 1], y down. -1 and 1 are the centres of the corner
        pixels with `align_corners=True`, as in `SpatialTransformer`, and the
        edges of the image with `False`, as in `AttentionCrop` and
        `GlimpseSensor`.

    Example:

    >>> import numpy as np
    >>> image = np.zeros((28, 20), "uint8")
    >>> half = [[0.5, 0, 0], [0, 0.5, 0]]
    >>> figure = region_outlines(image, half, align_corners=False, size=(7, 5))
    >>> figure.axes[0].patches[0].get_xy()[:4].tolist()
    [[5.0, 7.0], [15.0, 7.0], [15.0, 21.0], [5.0, 21.0]]
    """
    picture = as_image(image, value_range)
    regions = as_transforms(transforms)
    if labels is not None and len(labels) != len(regions):
        raise ValueError(
            f"`labels` must hold one label for each of the {len(regions)} "
            f"regions. Received: labels={list(labels)}"
        )
    if size is not None and ax is not None:
        raise ValueError(
            "`size` asks for several pictures and `ax` holds one; give one of "
            f"them. Received: size={size}, ax={ax}"
        )
    check_padding(padding)
    own = ax is None
    height, width = picture.shape[:2]
    panels = [] if size is None else regions
    if own:
        wide = max(0.8, 2.6 * min(1, width / height))
        rows = max(1, math.ceil(len(panels) / COLUMNS))
        columns = math.ceil(len(panels) / rows)
        high = 2.6 if rows == 1 else 1.5
        beside = max(0.6, high * min(1, size[1] / size[0])) if size else 0
        figure = new_figure(wide + columns * beside + 0.3, 0.4 + high * rows)
        places = figure.add_gridspec(
            rows, 1 + columns, width_ratios=[wide] + columns * [beside]
        )
        ax = figure.add_subplot(places[:, 0])
        others = [
            figure.add_subplot(places[index // columns, 1 + index % columns])
            for index in range(len(panels))
        ]
    draw_image(ax, picture)
    draw_regions(
        ax,
        (height, width),
        regions,
        align_corners,
        labels=labels,
        path=path,
        upwards=upwards,
    )
    for index, region in enumerate(panels):
        read = read_region(picture, region, size, align_corners, padding, 0.5)
        draw_read(others[index], read, region_color(index))
    if title is not None:
        write(ax.set_title, title, fontsize=10)
    return noted(ax.figure, own)


def read_region(
    image, transform, size, align_corners=True, padding="zeros", outside=0.0
):
    """What a layer reads of an image by a transform, as an image.

    Args:
        image: `(H, W, C)` or `(H, W)`.
        transform: `(2, 3)`, affine; `(3, 3)`, projective; or `(k * k, 2)`, a
            thin-plate spline.
        size: `(height, width)` of what is read.
        align_corners: Boolean. See Convention.
        padding: What is read outside of the image, as in
            `keras_attention.functional.sampling.bilinear_sample`.
        outside: Float. The value that `"zeros"` stands for: 0.5 for an image
            of 0 to 1 which the model brings to -1 to 1.

    Returns:
        Float32 array `(height, width, C)`, or `(height, width)`.

    Raises:
        ValueError: If a shape is another, or `padding` is unknown.

    Convention: As `region_outlines`.

    Example:

    >>> import numpy as np
    >>> image = np.arange(6.0).reshape(2, 3)
    >>> read_region(image, [[1, 0, 0], [0, -1, 0]], (2, 3)).tolist()
    [[3.0, 4.0, 5.0], [0.0, 1.0, 2.0]]
    """
    (transform,) = as_transforms(transform)
    pixels = np.asarray(image, "float32")
    gray = pixels.ndim == 2
    if gray:
        pixels = pixels[..., None]
    size = tuple(size)
    places = _moved(transform, target_places(size, align_corners)[0])
    read = bilinear_sample(
        (pixels - outside)[None],
        places.reshape(1, *size, 2),
        align_corners,
        padding,
    )
    read = outside + ops.convert_to_numpy(read)[0]
    return read[..., 0] if gray else read


def region_lines(transform, image_size, align_corners=True):
    """The outline of a region in the pixels of an image.

    Args:
        transform: `(2, 3)`, affine; `(3, 3)`, projective; or `(k * k, 2)`, a
            thin-plate spline.
        image_size: `(height, width)` of the image.
        align_corners: Boolean. See Convention.

    Returns:
        `(lines, closed)`: a list of arrays `(n, 2)`, and whether it is one
        closed line: four corners, the upper left one of the region first and
        then clockwise in the region. Otherwise they are the rows and then the
        columns of a spline's control points; or what a projective transform
        leaves of the four edges where they meet its horizon.

    Convention: Transforms as in `region_outlines`. A line's places are
        `(x, y)` from the outer corner of the first pixel at (0, 0), to
        `(width, height)`.
    """
    place = functools.partial(
        _in_pixels, image_size=image_size, align_corners=align_corners
    )
    if transform.shape[1] == 2:
        side = round(len(transform) ** 0.5)
        ticks, along = np.linspace(-1, 1, side), np.linspace(-1, 1, STEPS)
        x, y = np.meshgrid(along, ticks)
        rows = np.stack([x, y], axis=-1)
        lines = np.concatenate([rows, rows[..., ::-1]])
        return [place(_moved(transform, line)) for line in lines], False
    before = np.ones(4, bool)
    if len(transform) == 3:
        before = CORNERS @ transform[2, :2] + transform[2, 2] > 0
    if before.all() or not before.any():
        return [place(_moved(transform, CORNERS))], True
    ends = zip(CORNERS, np.roll(CORNERS, -1, axis=0), strict=True)
    return [
        place(_moved(transform, part))
        for start, end in ends
        for part in _before_and_behind(start, end, transform[2])
    ], False


def draw_regions(
    ax,
    image_size,
    transforms,
    align_corners=True,
    colors=REGION_COLORS,
    labels=None,
    path=False,
    upwards=False,
    line=LINE,
):
    """Draws outlines over an image that is drawn by `draw_image`.

    Args:
        ax: A matplotlib `Axes`.
        image_size: `(height, width)` of the image.
        transforms: The regions, as in `region_outlines`.
        align_corners: Boolean. As in `region_outlines`.
        colors: List of colours, for each region in turn.
        labels: List of strings, or `None`. As in `region_outlines`.
        path: Boolean. As in `region_outlines`.
        upwards: Boolean. As in `region_outlines`.
        line: Float. The width of a line, in points.
    """
    matplotlib = import_matplotlib()
    edged = [
        matplotlib.patheffects.withStroke(
            linewidth=line + 2 * EDGE, foreground="black", alpha=0.8
        )
    ]

    def polygon(points, closed, **style):
        patch = matplotlib.patches.Polygon(
            points,
            closed=closed,
            linewidth=line,
            joinstyle="round",
            path_effects=edged,
            **style,
        )
        ax.add_patch(patch)

    def places(transform, points):
        moved = _moved(transform, np.array(points, "float32"))
        return _in_pixels(moved, image_size, align_corners)

    for index, transform in enumerate(transforms):
        color = region_color(index, colors)
        if upwards:
            polygon(places(transform, UPWARDS), True, color=color)
        lines, closed = region_lines(transform, image_size, align_corners)
        for points in lines:
            polygon(points, closed, fill=False, edgecolor=color)
    centres = [
        places(each, [[0, 0]])[0] for each in transforms if path or labels
    ]
    if path:
        polygon(centres, False, fill=False, edgecolor="white")
    for index, label in enumerate(labels or ()):
        write(
            functools.partial(ax.text, *centres[index]),
            label,
            fontsize=6,
            color="black",
            ha="center",
            va="center",
            clip_on=True,
            bbox={
                "boxstyle": "circle,pad=0.2",
                "facecolor": region_color(index, colors),
                "edgecolor": "black",
                "linewidth": 0.6,
                "clip_on": True,
            },
        )


def draw_read(ax, read, color):
    """Draws what was read, `(h, w, 3)` of 0 to 1, in a frame of a colour."""
    draw_image(ax, np.clip(read, 0, 1))
    ax.spines[:].set(visible=True, color=color, linewidth=2 * LINE)


def region_color(index, colors=REGION_COLORS):
    """The colour of a region by its number; after the last the first again."""
    return colors[index % len(colors)]


def as_transforms(transforms):
    """The transforms of one image, of any kind, as `(N, ...)` floats."""
    values = np.asarray(transforms)
    if values.ndim == 2:
        values = values[None]
    kind = values.shape[1:]
    side = round(kind[0] ** 0.5) if values.ndim == 3 else 0
    if not len(values) or not (
        kind in ((2, 3), (3, 3)) or (side >= 2 and kind == (side * side, 2))
    ):
        raise ValueError(
            "Transforms must be (N, 2, 3), (N, 3, 3) or (N, k * k, 2), one for "
            "each region, of one image. "
            f"Received: transforms of shape {np.shape(transforms)}"
        )
    return as_finite("transforms", values).astype("float32")


def _moved(transform, places):
    """Places `(n, 2)` of a region as places of the image."""
    move = splined if transform.shape[1] == 2 else transformed
    return ops.convert_to_numpy(move(transform[None], places[None]))[0]


def _in_pixels(places, image_size, align_corners):
    """Normalised places from the outer corner of the first pixel on."""
    height, width = image_size
    lengths = ((0, width), (1, height))
    return np.stack(
        [
            pixel_places(places[:, axis], length, align_corners) + 0.5
            for axis, length in lengths
        ],
        axis=-1,
    )


def _before_and_behind(start, end, depth):
    """An edge without the point on the horizon of a projective transform."""
    first, last = (place @ depth[:2] + depth[2] for place in (start, end))
    if first * last > 0:
        return [np.stack([start, end])]
    meets = first / (first - last)
    before, behind = (
        start + np.clip(meets + step, 0, 1) * (end - start)
        for step in (-GAP, GAP)
    )
    return [np.stack([start, before]), np.stack([behind, end])]
