"""Which axes hold channels, and which hold places."""

import keras
import numpy as np
import pytest

from keras_attention.functional import (
    channel_axis,
    check_rank,
    known_channels,
    resolve_data_format,
    spatial_axes,
)

FORMATS = ("channels_last", "channels_first")
SHAPES = {
    "channels_last": (2, 3, 4, 5, 6),
    "channels_first": (2, 6, 3, 4, 5),
}


@pytest.mark.parametrize("data_format", FORMATS)
def test_a_name_is_kept(data_format):
    assert resolve_data_format(data_format) == data_format


@pytest.mark.parametrize("data_format", FORMATS)
def test_no_name_takes_the_global_setting(data_format):
    keras.config.set_image_data_format(data_format)
    assert resolve_data_format() == data_format
    assert resolve_data_format(None) == data_format


@pytest.mark.parametrize("name", ["NHWC", "channel_last", "", 1])
def test_refuses_another_name(name):
    with pytest.raises(ValueError, match=f"data_format={name!r}"):
        resolve_data_format(name)


@pytest.mark.parametrize("data_format", FORMATS)
def test_the_channel_axis_holds_the_channels(data_format):
    assert SHAPES[data_format][channel_axis(data_format)] == 6


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("rank", [3, 4, 5])
def test_every_axis_is_the_samples_the_channels_or_places(data_format, rank):
    places = spatial_axes(rank, data_format)
    channels = channel_axis(data_format) % rank
    assert sorted((0, channels, *places)) == list(range(rank))


@pytest.mark.parametrize("data_format", FORMATS)
def test_summing_over_places_leaves_samples_and_channels(data_format):
    image = np.ones(SHAPES[data_format])
    assert image.sum(spatial_axes(5, data_format)).shape == (2, 6)


@pytest.mark.parametrize("data_format", FORMATS)
def test_reads_the_channels_off_the_shape(data_format):
    layer = keras.layers.Layer()
    assert known_channels(layer, SHAPES[data_format], data_format) == 6


def test_refuses_channels_that_are_not_known():
    shape = (None, 4, 4, None)
    with pytest.raises(ValueError, match="ReLU must know") as error:
        known_channels(keras.layers.ReLU(), shape, "channels_last")
    assert "input_shape=(None, 4, 4, None)" in str(error.value)
    with pytest.raises(ValueError, match="data_format='channels_first'"):
        known_channels(
            keras.layers.ReLU(), (None, None, 4, 4), "channels_first"
        )


def test_lets_the_right_ranks_pass():
    check_rank(keras.layers.ReLU(), (None, 4, 8), (3, 4))
    check_rank(keras.layers.ReLU(), [None, None, None, 8], (3, 4))


def test_refuses_the_wrong_rank_and_names_the_right_ones():
    with pytest.raises(ValueError, match="ReLU .* rank 3 or 4") as error:
        check_rank(keras.layers.ReLU(), (2, 8), (3, 4))
    assert "input_shape=(2, 8)" in str(error.value)
