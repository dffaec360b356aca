"""How well a map of probabilities tells what stands out in an image.

The metrics of salient object detection, each of one map `(H, W)` in [0, 1] and
one mask `(H, W)`, `True` on what stands out. Maps are taken as they are, where
some toolboxes first stretch each to the whole range. `py_sod_metrics`, which
has these metrics too, does not install beside NumPy 2.4; its numbers are the
test's.
"""

import numpy as np

BETA_SQUARED = 0.3  # precision counts for more than recall
THRESHOLDS = 256
ALPHA = 0.5  # share of the objects in the structure measure
_TINY = np.finfo("float64").eps


def f_measures(saliency, mask):
    """The F-measure at each of 256 thresholds, from 1 down to 0.

        F = (1 + 0.3) * precision * recall / (0.3 * precision + recall)

    Args:
        saliency: Floats `(H, W)` in [0, 1]; they are cut to 8 bits, as the
            maps are that papers compare.
        mask: Booleans `(H, W)`.

    Returns:
        Floats `(256,)`; zeros where nothing stands out in the mask.

    Reference:
        Achanta et al. (2009), "Frequency-tuned Salient Region Detection",
        section 4.2.

    Example:

    >>> float(f_measures(np.eye(2), np.eye(2) > 0).max())
    1.0
    """
    levels = (np.asarray(saliency, "float64") * 255).astype("int64")
    # How many there are of each level or above, the highest first.
    on, off = (
        np.bincount(levels[where], minlength=THRESHOLDS)[::-1].cumsum()
        for where in (mask, ~mask)
    )
    precision = on / np.maximum(on + off, 1)
    recall = on / max(int(mask.sum()), 1)
    below = BETA_SQUARED * precision + recall
    return (1 + BETA_SQUARED) * precision * recall / np.maximum(below, _TINY)


def structure_measure(saliency, mask):
    """How alike the structure of a map and of a mask are.

    The mean of how even the map is on what stands out and beside it, and of how
    alike map and mask are in four parts, cut at the mask's centre.

    Args:
        saliency: Floats `(H, W)` in [0, 1].
        mask: Booleans `(H, W)`.

    Returns:
        Float in [0, 1]. Where nothing stands out, one less the mean of the map;
        where all does, its mean.

    Reference:
        Fan et al. (2017), "Structure-measure: A New Way to Evaluate Foreground
        Maps", section 3, https://arxiv.org/abs/1708.00786

    Example:

    >>> round(structure_measure(np.eye(4), np.eye(4) > 0), 6)
    1.0
    """
    saliency = np.asarray(saliency, "float64")
    share = mask.mean()
    if share == 0:
        return float(1 - saliency.mean())
    if share == 1:
        return float(saliency.mean())
    objects = share * _evenness(saliency[mask])
    objects += (1 - share) * _evenness(1 - saliency[~mask])
    found = ALPHA * objects + (1 - ALPHA) * _regions(saliency, mask)
    return float(max(0.0, found))


def _evenness(values):
    """Near one where values are high and alike."""
    mean = values.mean()
    spread = values.std(ddof=1) if len(values) > 1 else 0.0
    return 2 * mean / (mean**2 + 1 + spread + _TINY)


def _regions(saliency, mask):
    """The likeness of four parts around the mask's centre, by their areas."""
    rows, columns = np.nonzero(mask)
    down, right = (int(np.round(x.mean())) + 1 for x in (rows, columns))
    total = 0.0
    for row in (slice(None, down), slice(down, None)):
        for column in (slice(None, right), slice(right, None)):
            part = mask[row, column].astype("float64")
            if part.size:
                alike = _likeness(saliency[row, column], part)
                total += part.size / mask.size * alike
    return total


def _likeness(one, other):
    """The structural similarity of two parts of an image, as a whole."""
    means = one.mean(), other.mean()
    count = max(one.size - 1, 1)
    squares = [
        ((x - mean) ** 2).sum() / count for x, mean in zip((one, other), means)
    ]
    both = ((one - means[0]) * (other - means[1])).sum() / count
    above = 4 * means[0] * means[1] * both
    below = (means[0] ** 2 + means[1] ** 2) * sum(squares)
    if above != 0:
        return above / (below + _TINY)
    return 1.0 if below == 0 else 0.0
