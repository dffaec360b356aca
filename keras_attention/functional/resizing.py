"""Resizing: feature maps of several sizes brought to one."""

from keras import ops

from keras_attention.functional.axes import spatial_axes


def resize(inputs, size, data_format):
    """Reads a map at other places, by bilinear interpolation.

    One convention on every backend: places are squares whose centres are read
    ("half-pixel centres", `align_corners=False`), beyond the outermost centres
    the map goes on as it ends, and nothing is smoothed before a map is made
    smaller. Place `i` of `n` new ones stands at `(i + 0.5) m / n - 0.5` of the
    `m` old ones, so that `[0, 1]` becomes `[0, 0.25, 0.75, 1]`.

    Args:
        inputs: `(B, H, W, C)`, or `(B, C, H, W)` with `"channels_first"`.
        size: `(H', W')`, integers or scalar integer tensors.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tensor of the dtype of `inputs`, `(B, H', W', C)` or `(B, C, H', W')`.
        A map that has that size already is returned as it is.
    """
    axes = spatial_axes(4, data_format)
    if all(isinstance(each, int) for each in size):
        if tuple(inputs.shape[axis] for axis in axes) == tuple(size):
            return inputs
        return ops.image.resize(
            inputs, tuple(size), "bilinear", data_format=data_format
        )
    # Keras's own wants sizes that are known.
    for axis, new in zip(axes, size):
        shares = ops.cast(_shares(ops.shape(inputs)[axis], new), inputs.dtype)
        inputs = ops.moveaxis(
            ops.matmul(ops.moveaxis(inputs, axis, -1), ops.transpose(shares)),
            -1,
            axis,
        )
    return inputs


def _shares(old, new):
    """What each new place takes of each old one, `(new, old)`."""
    ratio = ops.cast(old, "float32") / ops.cast(new, "float32")
    place = (ops.cast(ops.arange(new), "float32") + 0.5) * ratio - 0.5
    place = ops.clip(place, 0.0, ops.cast(old - 1, "float32"))
    distance = ops.abs(place[:, None] - ops.cast(ops.arange(old), "float32"))
    return ops.relu(1.0 - distance)


def size_of(inputs, data_format):
    """Height and width of a map, as far as they are known, else as tensors.

    Args:
        inputs: `(B, H, W, C)`, or `(B, C, H, W)` with `"channels_first"`.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        `(H, W)`, integers or scalar integer tensors.
    """
    shape = ops.shape(inputs)
    return tuple(shape[axis] for axis in spatial_axes(4, data_format))
