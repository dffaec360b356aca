"""Sampling: where to look in an image, and what is read there.

Places are `(x, y)`, x to the right and y down, the centre of the image at
(0, 0). With `align_corners=True`, -1 and 1 are the centres of the first and the
last pixel; with `align_corners=False` they are the outer edges of the image:

    pixel = (place + 1) / 2 * (length - 1)          align_corners=True
    pixel = ((place + 1) * length - 1) / 2          align_corners=False

A grid `(B, h, w, 2)` holds the place in the source for each pixel of the
output; a transform maps places of the output to places of the source. All of it
is computed in float32, whatever the dtype of the images.
"""

import numpy as np
from keras import ops

from keras_attention.functional.known import as_floats
from keras_attention.functional.weights import masked_softmax

PADDINGS = ("zeros", "border", "reflection")
NORMALIZATIONS = ("softmax", "sum_eps")

# A place this near to the centre of a pixel, as a share of the image's side, is
# that centre: float32 tells no more.
NEAR = 2**-21
HORIZON = 1e-6  # the least third coordinate of a projected point, in size
FAR = 1e6  # outside of any image
LEAST_DEVIATION = 1e-3  # pixels


def pixel_places(places, length, align_corners=True):
    """Normalised places along an axis as places in pixels.

    Args:
        places: Float tensor, -1 to 1 inside the image.
        length: Integer or scalar tensor. Pixels along the axis.
        align_corners: Boolean. See Convention.

    Returns:
        Tensor like `places`, 0 being the centre of the first pixel.

    Convention: -1 and 1 are the centres of the first and the last pixel with
        `align_corners=True`, the outer edges of the image without.
    """
    length = _as_float(length)
    if align_corners:
        return (places + 1) * ((length - 1) / 2)
    return ((places + 1) * length - 1) / 2


def normalised_places(pixels, length, align_corners=True):
    """Places in pixels along an axis as normalised places.

    Args:
        pixels: Float tensor, 0 being the centre of the first pixel.
        length: Integer or scalar tensor. Pixels along the axis.
        align_corners: Boolean. See Convention.

    Returns:
        Tensor like `pixels`, -1 to 1 inside the image.

    Convention: The reverse of `pixel_places`. The only pixel of an axis is at
        0, either way.
    """
    length = _as_float(length)
    centred = 2 * pixels - (length - 1)
    if not align_corners:
        return centred / length
    if isinstance(length, float):
        return centred / max(length - 1, 1.0)
    return centred / ops.maximum(length - 1, 1.0)


def target_places(size, align_corners=True):
    """The places of an image's own pixels, row by row.

    Args:
        size: `(height, width)`, integers or scalar tensors.
        align_corners: Boolean. See Convention.

    Returns:
        `(1, height * width, 2)`, float32; a NumPy array where the size is
        known.

    Convention: `(x, y)` in [-1, 1], as in `pixel_places`.
    """
    height, width = size
    if isinstance(height, int) and isinstance(width, int):
        y, x = (
            normalised_places(np.arange(length), length, align_corners)
            for length in (height, width)
        )
        return np.stack(np.meshgrid(x, y), axis=-1, dtype="float32").reshape(
            1, -1, 2
        )
    y, x = (
        normalised_places(
            ops.cast(ops.arange(length), "float32"), length, align_corners
        )
        for length in (height, width)
    )
    nothing = ops.zeros_like(y[:, None] + x[None])
    grid = ops.stack([nothing + x[None], nothing + y[:, None]], axis=-1)
    return ops.reshape(grid, (1, -1, 2))


def transformed(matrix, places):
    """Places moved by an affine or projective transform.

    Args:
        matrix: `(B, 2, 3)`, affine, or `(B, 3, 3)`, projective.
        places: `(B, N, 2)` or `(1, N, 2)`.

    Returns:
        `(B, N, 2)`, float32. A place whose third coordinate in a projective
        transform is below 1e-6 in size has no image: it is put far outside of
        any. A matrix that is singular elsewhere is no error: it maps the image
        to a line or a point.

    Convention: `(x, y)`; the matrix times `(x, y, 1)`, the third coordinate
        divided by if there is one.
    """
    matrix = ops.cast(matrix, "float32")
    places = ops.cast(places, "float32")
    x, y = places[..., 0], places[..., 1]
    # Products one by one: accelerators shorten those of matrices.
    rows = [
        matrix[:, row, 0, None] * x
        + matrix[:, row, 1, None] * y
        + matrix[:, row, 2, None]
        for row in range(matrix.shape[1])
    ]
    if len(rows) == 3:
        *rows, depth = rows
        seen = ops.abs(depth) >= HORIZON
        depth = ops.where(seen, depth, 1.0)
        rows = [ops.where(seen, row / depth, FAR) for row in rows]
    return ops.stack(rows, axis=-1)


def composed(outer, inner):
    """The transform that does `inner` first and `outer` after it.

    Args:
        outer: `(B, 2, 3)` or `(B, 3, 3)`.
        inner: The same kind.

    Returns:
        The same kind: `transformed(composed(outer, inner), places)` is
        `transformed(outer, transformed(inner, places))`.
    """
    affine = outer.shape[1] == 2
    turn = outer[:, :, :2] if affine else outer
    # Products one by one: accelerators shorten those of matrices.
    product = ops.sum(turn[..., None] * inner[:, None], axis=2)
    if not affine:
        return product
    nothing = ops.zeros_like(outer[:, :, :2])
    return product + ops.concatenate([nothing, outer[:, :, 2:]], axis=-1)


def attention_matrix(scale, shift):
    """The transform that looks at a part of the image, upright.

    Args:
        scale: `(B, 1)`, the part's side over the image's; or `(B, 2)`, of x
            and y.
        shift: `(B, 2)`, the place of the part's centre, `(x, y)`.

    Returns:
        `(B, 2, 3)`: rows `(scale, 0, x)` and `(0, scale, y)`.
    """
    shift = ops.convert_to_tensor(shift)
    scale = ops.cast(scale, shift.dtype) + ops.zeros_like(shift)
    nothing = ops.zeros_like(shift[:, :1])
    x = ops.concatenate([scale[:, :1], nothing, shift[:, :1]], axis=-1)
    y = ops.concatenate([nothing, scale[:, 1:], shift[:, 1:]], axis=-1)
    return ops.stack([x, y], axis=1)


def affine_grid(matrix, size, align_corners=True):
    """The grid of an affine transform.

    Args:
        matrix: `(B, 2, 3)`.
        size: `(h, w)` of the output.
        align_corners: Boolean. See Convention.

    Returns:
        `(B, h, w, 2)`, float32.

    Convention: `matrix` times `(x, y, 1)` of the output is `(x, y)` in the
        source, both in [-1, 1] as `align_corners` says.
    """
    return _as_grid(
        transformed(matrix, target_places(size, align_corners)), size
    )


def projective_grid(matrix, size, align_corners=True):
    """The grid of a projective transform.

    Args:
        matrix: `(B, 3, 3)`.
        size: `(h, w)` of the output.
        align_corners: Boolean. See Convention.

    Returns:
        `(B, h, w, 2)`, float32, far outside of the source where the third
        coordinate is below 1e-6 in size.

    Convention: As `affine_grid`, the third coordinate divided by.
    """
    return _as_grid(
        transformed(matrix, target_places(size, align_corners)), size
    )


def thin_plate_spline_grid(points, size, align_corners=True):
    """The grid of a thin-plate spline.

    Args:
        points: `(B, k * k, 2)`, where in the source the control points are
            found; see `control_points`.
        size: `(h, w)` of the output.
        align_corners: Boolean. See Convention.

    Returns:
        `(B, h, w, 2)`, float32.

    Raises:
        ValueError: If the number of points is no square of at least 2.

    Convention: Control points and places are `(x, y)` in [-1, 1] as
        `align_corners` says.
    """
    places = target_places(size, align_corners)
    return _as_grid(splined(points, places), size)


def control_points(side):
    """Control points of a thin-plate spline: `side` by `side` over the image.

    Args:
        side: Integer, at least 2.

    Returns:
        NumPy array `(side * side, 2)` in [-1, 1], row by row.
    """
    ticks = np.linspace(-1, 1, side)
    return np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)


def splined(points, places):
    """Places moved by a thin-plate spline.

    The spline is the least bent map that takes each control point to its point
    in the source. With U(r) = r^2 log r, its coefficients solve

        [[K, P], [P^T, 0]] [w; a] = [points; 0]

    where K has U of the distances between control points, and P their
    `(1, x, y)`. The inverse is known beforehand.

    Args:
        points: `(B, k * k, 2)`, where the control points go.
        places: `(B, N, 2)` or `(1, N, 2)`.

    Returns:
        `(B, N, 2)`, float32.

    Raises:
        ValueError: If the number of points is no square of at least 2.

    Convention: `(x, y)` in [-1, 1].
    """
    count = points.shape[1]
    side = round(count**0.5) if isinstance(count, int) else 0
    if side < 2 or side * side != count:
        raise ValueError(
            "A thin-plate spline needs k * k points for its k by k control "
            f"points, k at least 2. Received: points of shape {points.shape}"
        )
    control = control_points(side)
    bend = _bend(((control[:, None] - control) ** 2).sum(-1), np)
    flat = np.concatenate([np.ones((count, 1)), control], axis=1)
    system = np.block([[bend, flat], [flat.T, np.zeros((3, 3))]])
    inverse = np.linalg.inv(system)[:, :count]

    constant = isinstance(places, np.ndarray)
    if constant:  # once, and in full precision
        package, places = np, places.astype("float64")
    else:
        package = ops
        places, control, inverse = (
            ops.cast(x, "float32") for x in (places, control, inverse)
        )
    bend = _bend(
        package.sum((places[..., None, :] - control) ** 2, axis=-1), package
    )
    ones = package.ones_like(places[..., :1])
    basis = package.concatenate([bend, ones, places], axis=-1)
    shares = package.matmul(basis, inverse)  # of each point in each place
    places, shares, control, points = (
        ops.cast(x, "float32") for x in (places, shares, control, points)
    )
    # As far as it differs from the identity, which so is exact.
    return places + ops.matmul(shares, points - control)


def bilinear_sample(images, grid, align_corners=True, padding="zeros"):
    """Reads images at the places of a grid, between pixels by their distance.

        output[i, j] = sum over pixels (m, n) of
            image[m, n] * max(0, 1 - |y - m|) * max(0, 1 - |x - n|)

    with `(x, y)` the place `grid[i, j]` in pixels. Gradients flow to the images
    and to the grid; at the centre of a pixel the slope is that to the right,
    or downwards. A place within 2^-21 of the image's side of a centre is read
    there, so the identity, turns by 90 degrees and shifts by whole pixels give
    the pixels back exactly.

    Args:
        images: `(B, H, W, C)`.
        grid: `(B, h, w, 2)`, places `(x, y)`.
        align_corners: Boolean. See Convention.
        padding: What is read outside of the image: `"zeros"`, fading in over
            one pixel; `"border"`, the nearest pixel; `"reflection"`, the image
            mirrored at its corner pixels' centres (`align_corners=True`) or at
            its edges.

    Returns:
        `(B, h, w, C)`, of the images' dtype if that is a float, else float32.
        A place that is NaN is read as NaN.

    Raises:
        ValueError: If `padding` is unknown, or a rank is wrong.

    Convention: `(x, y)`, the centre of the image at 0; -1 and 1 are the centres
        of the corner pixels with `align_corners=True`, the edges of the image
        without.

    Reference:
        Jaderberg, Simonyan, Zisserman, Kavukcuoglu. Spatial Transformer
        Networks. NeurIPS 2015, equation 5. https://arxiv.org/abs/1506.02025
    """
    check_padding(padding)
    if len(images.shape) != 4 or len(grid.shape) != 4 or grid.shape[-1] != 2:
        raise ValueError(
            "Images must be (B, H, W, C) and the grid (B, h, w, 2). "
            f"Received: images of shape {tuple(images.shape)}, grid of shape "
            f"{tuple(grid.shape)}"
        )
    images = as_floats(ops.convert_to_tensor(images), "float32")
    grid = ops.cast(grid, "float32")
    height, width = _sizes(images)[1:3]
    left, right, at_left, at_right = _neighbours(
        grid[..., 0], width, align_corners, padding
    )
    top, bottom, at_top, at_bottom = _neighbours(
        grid[..., 1], height, align_corners, padding
    )
    read = _reader(images)

    def part(row, column, share):
        return read(row, column) * ops.cast(share, images.dtype)[..., None]

    return (
        part(top, left, at_top * at_left)
        + part(top, right, at_top * at_right)
        + part(bottom, left, at_bottom * at_left)
        + part(bottom, right, at_bottom * at_right)
    )


def hard_crop(images, corners, size):
    """Cuts a part of each image at whole pixels.

    No gradient flows to the corners: a place in whole pixels has none.

    Args:
        images: `(B, H, W, C)`.
        corners: Integers `(B, 2)`, the pixel `(x, y)` of the upper left corner.
            The part may lie outside of the image, or be larger.
        size: `(h, w)`, integers.

    Returns:
        `(B, h, w, C)`, zero outside of the image.

    Convention: Pixels, `(0, 0)` the first.
    """
    images = ops.convert_to_tensor(images)
    corners = ops.cast(corners, "int32")
    high, wide = size
    height, width = _sizes(images)[1:3]
    rows = corners[:, 1, None] + ops.arange(high, dtype="int32")
    columns = corners[:, 0, None] + ops.arange(wide, dtype="int32")
    inside = ops.logical_and(
        _within(rows, height)[:, :, None], _within(columns, width)[:, None]
    )
    nothing = ops.zeros_like(rows[:, :, None] + columns[:, None])
    part = _reader(images)(
        _clamped(rows, height - 1)[:, :, None] + nothing,
        _clamped(columns, width - 1)[:, None] + nothing,
    )
    return ops.where(inside[..., None], part, ops.zeros_like(part))


def gaussian_filter_bank(
    first, stride, deviation, count, length, normalize="softmax"
):
    """Gaussian filters in a row along an axis, each a share of every pixel.

        centre[i] = first + i * stride
        filter[i, p] ~ exp(-((p - centre[i]) / deviation)^2 / 2)

    Args:
        first: `(B,)`, pixels: the centre of the first filter.
        stride: `(B,)`, pixels between centres.
        deviation: `(B,)`, pixels. Below 1e-3 it counts as 1e-3.
        count: Positive integer, how many filters.
        length: Integer or scalar tensor. Pixels along the axis.
        normalize: `"softmax"`, by the logarithm, so that a filter far outside
            of the image still reads its nearest pixels and has a gradient;
            `"sum_eps"`, by the sum plus 1e-8, under which it fades to nothing.

    Returns:
        `(B, count, length)`, float32; a filter sums to one, less with
        `"sum_eps"` far outside.

    Raises:
        ValueError: If `normalize` is unknown.

    Convention: Pixels, 0 the centre of the first.

    Reference:
        Gregor, Danihelka, Graves, Rezende, Wierstra. DRAW: A Recurrent Neural
        Network For Image Generation. ICML 2015, equations 19 to 26.
        https://arxiv.org/abs/1502.04623
    """
    if normalize not in NORMALIZATIONS:
        raise ValueError(
            f"`normalize` must be one of {NORMALIZATIONS}. "
            f"Received: normalize={normalize!r}"
        )
    first, stride, deviation = (
        ops.cast(x, "float32") for x in (first, stride, deviation)
    )
    centres = first[:, None] + stride[:, None] * ops.arange(
        count, dtype="float32"
    )
    pixels = ops.cast(ops.arange(length), "float32")
    deviation = ops.maximum(deviation, LEAST_DEVIATION)[:, None, None]
    exponents = -0.5 * ((pixels - centres[..., None]) / deviation) ** 2
    if normalize == "softmax":
        return masked_softmax(exponents)
    heights = ops.exp(exponents)
    return heights / (ops.sum(heights, axis=-1, keepdims=True) + 1e-8)


def check_padding(padding):
    """Refuses a padding that `bilinear_sample` does not know.

    Args:
        padding: The name.

    Raises:
        ValueError: If it is not in `PADDINGS`.
    """
    if padding not in PADDINGS:
        raise ValueError(
            f"`padding` must be one of {PADDINGS}, what is read outside of the "
            f"image. Received: padding={padding!r}"
        )


def _neighbours(places, length, align_corners, padding):
    """The pixels before and after each place, and the share of each."""
    pixels = pixel_places(places, length, align_corners)
    nearest = ops.round(pixels)
    near = ops.abs(pixels - nearest) <= NEAR * _as_float(length)
    pixels = pixels + ops.stop_gradient(
        ops.where(near, nearest - pixels, ops.zeros_like(pixels))
    )
    last = _as_float(length) - 1
    if padding == "reflection":
        pixels = _reflected(pixels, last, align_corners)
    if padding == "zeros":
        pixels = ops.clip(pixels, -1.0, last + 1)
    else:
        pixels = ops.clip(pixels, 0.0, last)
    before = ops.floor(pixels)
    after_share = pixels - before
    before_share = 1 - after_share
    after = before + 1
    if padding == "zeros":
        before_share *= ops.cast(_within(before, last + 1), "float32")
        after_share *= ops.cast(_within(after, last + 1), "float32")
    return (
        ops.cast(_clamped(before, last), "int32"),
        ops.cast(_clamped(after, last), "int32"),
        before_share,
        after_share,
    )


def _clamped(places, last):
    """Places between 0 and the last one; NaN is 0.

    Not `ops.clip`: of integers between 0 and 6 LiteRT makes a ReLU6, which it
    then cannot convert.
    """
    places = ops.where(places >= 0, places, ops.zeros_like(places))
    return ops.minimum(places, last)


def _reflected(pixels, last, align_corners):
    """Places beyond an end, mirrored there as often as it takes."""
    low, span = (0.0, last) if align_corners else (-0.5, last + 1)
    span = ops.maximum(span, 1.0)  # of a single pixel any place is its own
    away = ops.abs(pixels - low)
    turns = ops.floor(away / span)
    rest = away - turns * span
    odd = turns - 2 * ops.floor(turns / 2)
    return low + ops.where(odd > 0.5, span - rest, rest)


def _reader(images):
    """A function that gathers `(B, h, w, C)` at rows and columns in range."""
    batch, height, width, channels = _sizes(images)
    flat = ops.reshape(images, (-1, channels))
    start = ops.reshape(
        ops.arange(batch, dtype="int32") * (height * width), (-1, 1, 1)
    )

    def read(row, column):
        return ops.take(flat, start + row * width + column, axis=0)

    return read


def _sizes(images):
    """The shape, of integers where they are known and of tensors elsewhere."""
    shape = ops.shape(images)
    return [
        shape[axis] if size is None else size
        for axis, size in enumerate(images.shape)
    ]


def _within(places, length):
    return ops.logical_and(places >= 0, places < length)


def _bend(squares, package):
    """U(r) = r^2 log r of squared distances; 0 at 0."""
    apart = squares > 0
    safe = package.where(apart, squares, package.ones_like(squares))
    return 0.5 * squares * package.log(safe)


def _as_float(length):
    return (
        float(length)
        if isinstance(length, int)
        else ops.cast(length, "float32")
    )


def _as_grid(places, size):
    return ops.reshape(places, (-1, *size, 2))
