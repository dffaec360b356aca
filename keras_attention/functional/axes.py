"""Axes: which of a feature map's axes hold channels, and which hold places."""

import keras


def resolve_data_format(data_format=None):
    """The data format by name, Keras's global one if none is given.

    Layers store the resolved name, so that a model saved under one global
    setting means the same under another.

    Args:
        data_format: `"channels_last"`, `"channels_first"` or `None`.

    Returns:
        `"channels_last"` or `"channels_first"`.

    Raises:
        ValueError: If the name is another.
    """
    if data_format is None:
        return keras.config.image_data_format()
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            '`data_format` must be "channels_last" or "channels_first", the '
            "place of the channel axis. "
            f"Received: data_format={data_format!r}"
        )
    return data_format


def channel_axis(data_format):
    """The axis of the channels: -1, or 1 for `"channels_first"`."""
    return -1 if data_format == "channels_last" else 1


def spatial_axes(rank, data_format):
    """The axes of the places of a tensor `(B, ...)` with one channel axis.

    Args:
        rank: Integer, all axes counted, batch and channels too.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tuple of positive integers, `rank - 2` of them.
    """
    first = 1 if data_format == "channels_last" else 2
    return tuple(range(first, first + rank - 2))


def known_channels(layer, shape, data_format):
    """The number of channels of an input that a layer is built for.

    Args:
        layer: The layer, named in the error.
        shape: The input's shape, batch included.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Positive integer.

    Raises:
        ValueError: If the channels are not known.
    """
    channels = shape[channel_axis(data_format)]
    if channels is None:
        raise ValueError(
            f"{type(layer).__name__} must know its number of channels when it "
            "is built, because its weights depend on it. "
            f"Received: input_shape={tuple(shape)}, data_format={data_format!r}"
        )
    return channels


def check_rank(layer, shape, ranks):
    """Refuses an input of the wrong rank.

    Args:
        layer: The layer, named in the error.
        shape: The input's shape, batch included.
        ranks: Container of the ranks allowed.

    Raises:
        ValueError: If the rank is not among `ranks`.
    """
    if len(shape) not in ranks:
        wanted = " or ".join(str(rank) for rank in ranks)
        raise ValueError(
            f"{type(layer).__name__} takes a feature map of rank {wanted}, the "
            "batch and channel axes counted. "
            f"Received: input_shape={tuple(shape)}"
        )
