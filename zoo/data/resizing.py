"""Images brought to the size and the channels that a network reads.

In NumPy, whatever Keras runs on: nothing is compiled for each new size of an
image, and threads can resize. An export resizes in TensorFlow, to the same
numbers (`zoo.data.encoded_images`).
"""

import functools

import numpy as np

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
ROWS = 16  # of the result, made by one product


def fit_pixels(images, size, channels):
    """Brings images to a size, bilinear with antialiasing, and to channels.

    Args:
        images: Array `(B, H, W, C)`, 0 to 255, C being 1 or 3.
        size: `(height, width)`; images are stretched to it.
        channels: 1 or 3. Colour becomes gray by the weights of ITU-R BT.601;
            gray becomes colour by repeating.

    Returns:
        Float32 array `(B, height, width, channels)`, 0 to 255.
    """
    if images.shape[1:3] != tuple(size):
        for wanted in size:  # rows, and then the columns as rows
            images = _fewer_or_more_rows(images, wanted).swapaxes(1, 2)
    images = images.astype("float32", order="C")
    if images.shape[-1] == 3 and channels == 1:
        return images @ np.array(LUMA, "float32")[:, None]
    if images.shape[-1] == 1 and channels == 3:
        return np.repeat(images, 3, axis=-1)
    return images


def _fewer_or_more_rows(images, wanted):
    batch, rows, *rest = images.shape
    if rows == wanted:
        return images
    flat = np.ascontiguousarray(images).reshape(batch, rows, -1)
    made = [
        weights @ flat[:, covered].astype("float32")
        for covered, weights in _weights(rows, wanted)
    ]
    return np.concatenate(made, axis=1).reshape(batch, wanted, *rest)


@functools.lru_cache(maxsize=128)
def _weights(length, wanted):
    """What each row of the result is made of, `ROWS` of them at a time.

    Triangles around its centre, as wide as what it covers, that are cut at the
    edge and sum to one. Places are computed in float32, as TensorFlow does: in
    float64 an image of 32 rows made 224 would differ by a hundred-thousandth.

    Returns:
        Tuple of pairs: a slice of the rows, and the weights of these.
    """
    step = np.float32(1) / (np.float32(wanted) / np.float32(length))
    width = max(step, np.float32(1))
    centres = (np.arange(wanted, dtype="float32") + np.float32(0.5)) * step
    places = np.arange(length, dtype="float32") + np.float32(0.5)
    found = []
    for start in range(0, wanted, ROWS):
        some = centres[start : start + ROWS, None]
        first = max(int(some[0, 0] - width), 0)
        covered = slice(first, int(np.ceil(some[-1, 0] + width)))
        weights = np.maximum(1 - abs(places[covered] - some) / width, 0)
        weights /= weights.sum(axis=1, keepdims=True)
        found.append((covered, weights))
    return tuple(found)
