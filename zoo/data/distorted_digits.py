"""Digits turned, warped, moved and cluttered, with the truth about each."""

import collections
import dataclasses
import functools

import numpy as np

VERSION = "1.0.0"
SEED = 2015

SIDE = 28  # of an upright digit, as MNIST has it
DIGIT = 20  # of the part of it that holds the digit
PIECE = 8  # side of a piece of clutter
TRIALS = 20  # how often a distortion is weakened until the digit fits

# How many pictures are made of the scans of a base, unless told otherwise.
COUNTS = {
    "digits": {"train": 6_000, "test": 1_500},
    "mnist": {"train": 60_000, "test": 10_000},
}

# Numbers that place one piece of clutter: a scan, where to crop, where to put.
_OF_A_PIECE = 5


def rotated(scan, drawn, side):
    """Turns a digit about its centre by -90 to 90 degrees.

    Args:
        scan: Array `(28, 28)`, the upright digit.
        drawn: Array `(1,)` of numbers in [0, 1).
        side: Integer. Side of the picture.

    Returns:
        `(picture, truth)`: array `(side, side)`, and a dict with `angle`, in
        degrees. A positive angle turns clockwise as seen, from the x axis to
        the y axis, which points down; so the matrix
        `[[cos, -sin, 0], [sin, cos, 0]]` of a spatial transformer makes the
        digit upright again.
    """
    angle = 180 * drawn[0] - 90
    return _turned(scan, angle, 1.0, side), {"angle": angle}


def rotated_scaled_translated(scan, drawn, side):
    """Turns a digit by -45 to 45 degrees, scales it and puts it anywhere.

    Args:
        scan: Array `(28, 28)`, the upright digit.
        drawn: Array `(4,)` of numbers in [0, 1).
        side: Integer. Side of the picture.

    Returns:
        `(picture, truth)`: array `(side, side)`, and a dict with `angle` as
        `rotated` has it, `scale`, 0.7 to 1.2, and `centre`, the pixel `(x, y)`
        at which the centre of the scan lies. The digit is inside as a whole.
    """
    angle, scale = 90 * drawn[0] - 45, 0.7 + 0.5 * drawn[1]
    picture = _turned(scan, angle, scale, side)
    x, y, width, height = bounding_box(picture)
    right, down = _place(drawn[2:], (side - width + 1, side - height + 1))
    moved = np.zeros_like(picture)
    moved[down : down + height, right : right + width] = picture[
        y : y + height, x : x + width
    ]
    centre = (side - 1) / 2 + np.array([right - x, down - y])
    return moved, {"angle": angle, "scale": scale, "centre": centre}


def projective(scan, drawn, side):
    """Scales a digit by 0.75 to 1 and pulls the corners of its square.

    Args:
        scan: Array `(28, 28)`, the upright digit.
        drawn: Array `(9,)` of numbers in [0, 1).
        side: Integer. Side of the picture.

    Returns:
        `(picture, truth)`: array `(side, side)`, and a dict with `corners`,
        array `(4, 2)`: the pixels `(x, y)` to which the corner pixels of the
        scan go, in the order upper left, upper right, lower right, lower left.
        Each is pulled by a normal distribution of 5 pixels: less where the
        square would be folded over, the digit be cut off, or its box be less
        than half as large.
    """
    before = (SIDE - 1) * np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    x, y, width, height = bounding_box(scan)
    left, right, top, bottom = x - 1, x + width, y - 1, y + height  # all black
    frame = np.array(
        [[left, top], [right, top], [right, bottom], [left, bottom]]
    )
    scale = 0.75 + 0.25 * drawn[0]
    scaled = scale * (before - (SIDE - 1) / 2) + (side - 1) / 2
    pulled = 5 * _normal(drawn[1:]).reshape(4, 2)
    for _ in range(TRIALS):
        corners = scaled + pulled
        found = _through(_homography(before, corners), frame)
        extent = np.ptp(found, axis=0).max()
        large = _area(found) > scale**2 * _area(frame) / 2
        # It can be inside as a whole.
        if large and extent <= side + 1 and _is_convex(corners):
            corners -= np.minimum(found.min(axis=0) + 1, 0)
            corners -= np.maximum(found.max(axis=0) - side, 0)
            break
        pulled *= 0.75
    places = _through(_homography(corners, before), _pixels(side))
    return _read(scan, places), {"corners": corners}


def elastic(scan, drawn, side):
    """Warps a digit by a thin-plate spline through a grid of 4 x 4 points.

    Args:
        scan: Array `(28, 28)`, the upright digit.
        drawn: Array `(32,)` of numbers in [0, 1).
        side: Integer. Side of the picture.

    Returns:
        `(picture, truth)`: array `(side, side)`, and a dict with `points`,
        array `(16, 2)`: the pixels `(x, y)` of the scan that the picture shows
        at the points of an even grid, row by row. Each is moved by a normal
        distribution of 1.5 pixels: less where the digit would be cut off.
    """
    basis, grid = _spline(side)
    moved = 1.5 * _normal(drawn).reshape(16, 2)
    for _ in range(TRIALS):
        points = grid + moved
        picture = _read(scan, basis @ points)
        around = np.r_[picture[[0, -1]].ravel(), picture[:, [0, -1]].ravel()]
        if around.max() < 0.5:  # black, and so is what lies beyond
            break
        moved *= 0.75
    return picture[1:-1, 1:-1], {"points": points}


def translated(scan, drawn, side):
    """Puts a digit at a random place of a larger picture.

    Args:
        scan: Array `(28, 28)`, the upright digit.
        drawn: Array `(2,)` of numbers in [0, 1).
        side: Integer. Side of the picture.

    Returns:
        `(picture, truth)`: array `(side, side)`, and a dict with `corner`, the
        pixel `(x, y)` of the scan's upper left corner.
    """
    x, y = _place(drawn, side - SIDE + 1)
    picture = np.zeros((side, side))
    picture[y : y + SIDE, x : x + SIDE] = scan
    return picture, {"corner": np.array([x, y])}


Distortion = collections.namedtuple(
    "Distortion", "function side draws pieces", defaults=(0,)
)
DISTORTIONS = {
    "rotated": Distortion(rotated, 28, 1),
    "rotated_scaled_translated": Distortion(rotated_scaled_translated, 42, 4),
    "projective": Distortion(projective, 28, 9),
    "elastic": Distortion(elastic, 28, 32),
    "translated_40": Distortion(translated, 40, 2),
    "translated_60": Distortion(translated, 60, 2),
    "cluttered_60": Distortion(translated, 60, 2, 4),
    "cluttered_100": Distortion(translated, 100, 2, 8),
}


def distorted_digits(
    base, distortion, split, count=None, pieces=None, seed=SEED
):
    """Makes pictures of distorted digits, as Jaderberg et al. and Mnih et al.

    | distortion | side | what is done |
    |---|---|---|
    | `rotated` | 28 | turned by -90 to 90 degrees |
    | `rotated_scaled_translated` | 42 | -45 to 45 degrees, 0.7 to 1.2, moved |
    | `projective` | 28 | scaled by 0.75 to 1, corners pulled |
    | `elastic` | 28 | a thin-plate spline through 4 x 4 points |
    | `translated_40`, `translated_60` | 40, 60 | put at a random place |
    | `cluttered_60` | 60 | the same, with 4 pieces of other digits |
    | `cluttered_100` | 100 | the same, with 8 pieces |

    A piece is 8 x 8 pixels of another scan, from the 20 x 20 pixels in its
    middle, at a random place; where it meets the digit, the brighter pixel
    counts. Picture `i` shows scan `i`, or starts again with the first after
    the last. What is done to it depends on the seed, the part and `i` alone:
    with another count, the pictures that both have are the same.

    Args:
        base: `ImageData` of one part of the upright digits: `(N, 28, 28, 1)`
            as MNIST, or `(N, 8, 8, 1)`, which is enlarged as `upright` does.
        distortion: A name in `DISTORTIONS`.
        split: `"train"` or `"test"`. The part that `base` is.
        count: Positive integer. How many pictures; `None` is as many as
            `COUNTS` has for a base of this name, else one for each scan.
        pieces: Integer of at least 0. Pieces of clutter, in place of the
            distortion's.
        seed: Integer.

    Returns:
        As `base`, `ImageData` of images `(count, side, side, 1)`, uint8, with
        a `truth`: a dict of arrays with an entry for each picture, `box` and
        `scan` beside what the distortion's own function says. `box` is `(x, y,
        width, height)` in pixels, int64, the smallest box that holds every
        pixel of the digit which is not black, before the clutter; `scan` is
        the place of its scan in `base`.

    Raises:
        ValueError: If there is no such distortion, or an argument is out of
            range.

    Departures: clutter is cropped from the middle of a scan, which is seldom
    black; `projective` and `elastic` weaken what would cut the digit off;
    `rotated_scaled_translated` moves a digit as far as it stays inside.

    Reference: Jaderberg et al., "Spatial Transformer Networks", NIPS 2015,
    section 4.1 and appendix A.4, https://arxiv.org/abs/1506.02025; Mnih et al.,
    "Recurrent Models of Visual Attention", NIPS 2014, section 4.1,
    https://arxiv.org/abs/1406.6247; Almahairi et al., "Dynamic Capacity
    Networks", ICML 2016, section 4.1, https://arxiv.org/abs/1511.07838.
    """
    if distortion not in DISTORTIONS:
        raise ValueError(
            f"`distortion` must be one of {list(DISTORTIONS)}. "
            f"Received: distortion={distortion!r}"
        )
    if split not in ("train", "test"):
        raise ValueError(
            f'`split` must be "train" or "test". Received: split={split!r}'
        )
    kind = DISTORTIONS[distortion]
    scans = upright(base.images)
    if count is None:
        count = COUNTS.get(base.name, {}).get(split, len(scans))
    pieces = kind.pieces if pieces is None else pieces
    if count < 1 or pieces < 0 or (pieces and len(scans) < 2):
        raise ValueError(
            "There must be a picture to make, and another scan for pieces of "
            f"clutter. Received: count={count}, pieces={pieces}, "
            f"{len(scans)} scans"
        )

    # A row for each picture: longer matrices begin with the same rows.
    part = ("train", "test").index(split)
    drawn = np.random.default_rng((seed, part)).random(
        (count, kind.draws + _OF_A_PIECE * pieces)
    )
    shown = np.arange(count) % len(scans)
    images = np.empty((count, kind.side, kind.side, 1), "uint8")
    truths = []
    for index, place in enumerate(shown):
        own, clutter = np.split(drawn[index], [kind.draws])
        picture, truth = kind.function(scans[place], own, kind.side)
        picture = np.round(picture).astype("uint8")
        truths.append({**truth, "box": bounding_box(picture), "scan": place})
        _add_clutter(
            picture, clutter.reshape(pieces, _OF_A_PIECE), scans, place
        )
        images[index, :, :, 0] = picture
    return dataclasses.replace(
        base,
        images=images,
        labels=base.labels[shown],
        name=f"{base.name}_{distortion}",
        split=f"{count} of {base.split}",
        version=f"{VERSION}, of {base.name} {base.version}",
        truth={
            name: np.array([truth[name] for truth in truths])
            for name in truths[0]
        },
    )


def upright(images):
    """Scans of digits as MNIST has them, 28 x 28 with the digit in 20 x 20.

    Args:
        images: Array `(N, 28, 28, 1)`, taken as it is, or `(N, 8, 8, 1)`,
            enlarged smoothly.

    Returns:
        Float32 array `(N, 28, 28)`, 0 to 255.

    Raises:
        ValueError: If they are of another shape.
    """
    shape = np.shape(images)
    if shape[1:] == (SIDE, SIDE, 1):
        return np.asarray(images, "float32")[..., 0]
    if shape[1:] != (8, 8, 1):
        raise ValueError(
            f"Scans must be of shape (N, {SIDE}, {SIDE}, 1) or (N, 8, 8, 1). "
            f"Received: shape={shape}"
        )
    from scipy import ndimage

    # Along a side 12 pixels become 30, so that the 8 in their middle become
    # 20; what each of the 28 in the middle of those takes of each of the 8:
    shares = ndimage.zoom(
        np.pad(np.eye(8), ((2, 2), (0, 0))),
        (2.5, 1),
        order=3,
        mode="grid-constant",
        grid_mode=True,
    )[1:-1]
    # In float64: the last digits of a product differ from processor to
    # processor, and are not to reach the pixels.
    large = shares @ images[..., 0].astype("float64") @ shares.T
    # A cubic overshoots beside an edge; there it is black.
    return np.where(large < 16, 0, np.minimum(large, 255)).astype("float32")


def bounding_box(picture):
    """The smallest box that holds every pixel that is not black.

    Args:
        picture: Array `(H, W)`.

    Returns:
        Int64 array `(4,)`, `(x, y, width, height)`; zeros if all are black.
    """
    rows = np.flatnonzero(picture.any(axis=1))
    columns = np.flatnonzero(picture.any(axis=0))
    if not len(rows):
        return np.zeros(4, "int64")
    x, y = columns[0], rows[0]
    return np.array([x, y, columns[-1] - x + 1, rows[-1] - y + 1], "int64")


def _add_clutter(picture, drawn, scans, own):
    side = len(picture)
    margin = (SIDE - DIGIT) // 2
    for piece in drawn:
        other = own + 1 + int(piece[0] * (len(scans) - 1))
        scan = scans[other % len(scans)]
        left, top = margin + _place(piece[1:3], DIGIT - PIECE + 1)
        crop = np.round(scan[top : top + PIECE, left : left + PIECE])
        x, y = _place(piece[3:5], side - PIECE + 1)
        there = picture[y : y + PIECE, x : x + PIECE]
        np.maximum(there, crop.astype("uint8"), out=there)


def _place(drawn, choices):
    """Integers below `choices`, from numbers in [0, 1)."""
    return (np.asarray(drawn) * choices).astype("int64")


def _normal(drawn):
    """Numbers of a standard normal distribution, from numbers in [0, 1)."""
    from scipy.special import ndtri

    return ndtri(np.clip(drawn, 1e-6, 1 - 1e-6))


def _pixels(side):
    """Every pixel `(x, y)` of a picture, `(side * side, 2)`, row by row."""
    y, x = np.mgrid[:side, :side]
    return np.stack([x.ravel(), y.ravel()], axis=1).astype("float64")


def _read(scan, places):
    """A square picture of what a scan has at `places`, `(x, y)`, bilinear."""
    from scipy import ndimage

    side = round(len(places) ** 0.5)
    return ndimage.map_coordinates(
        scan,
        places[:, ::-1].T.reshape(2, side, side),
        order=1,
        mode="grid-constant",
    )


def _turned(scan, angle, scale, side):
    """A digit turned clockwise and scaled, about the centre of a picture."""
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    # Where the picture reads: the inverse, of rows that are (x, y).
    backwards = np.array([[cos, -sin], [sin, cos]]) / scale
    centred = _pixels(side) - (side - 1) / 2
    return _read(scan, centred @ backwards + (SIDE - 1) / 2)


def _homography(before, after):
    """The projective transform `(3, 3)` that takes 4 points to 4 others."""
    rows, values = [], []
    for (x, y), (u, v) in zip(before, after):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
        values += [u, v]
    solved = np.linalg.solve(np.array(rows, "float64"), np.array(values))
    return np.append(solved, 1).reshape(3, 3)


def _through(homography, points):
    """Points `(K, 2)` after a projective transform."""
    found = np.c_[points, np.ones(len(points))] @ homography.T
    return found[:, :2] / found[:, 2:]


def _area(corners):
    """The area of a polygon; negative if its corners go anticlockwise."""
    x, y = corners.T
    return (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2


def _is_convex(corners):
    """Whether four corners in order go round clockwise, y pointing down."""
    edges = np.roll(corners, -1, axis=0) - corners
    following = np.roll(edges, -1, axis=0)
    turns = edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0]
    return (turns > 0).all()


@functools.cache
def _spline(side):
    """What each pixel takes of each of 16 points, and the points' own grid.

    The pixels are those of the picture and one more on every side.
    """
    from scipy.interpolate import RBFInterpolator

    even = np.linspace(0, side - 1, 4)
    grid = np.stack(np.meshgrid(even, even), axis=-1).reshape(16, 2)
    spline = RBFInterpolator(grid, np.eye(16), kernel="thin_plate_spline")
    return spline(_pixels(side + 2) - 1), grid
