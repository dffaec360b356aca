"""Keras's global settings, for the time of a test."""

import contextlib

import keras


@contextlib.contextmanager
def global_setting(value):
    """Sets `floatx`, or `image_data_format`, as at the start of a program."""
    config = keras.config
    before = (
        config.image_data_format(),
        config.floatx(),
        config.dtype_policy(),
    )
    if value.startswith("channels"):
        config.set_image_data_format(value)
    else:
        config.set_floatx(value)
        config.set_dtype_policy(value)  # Keras takes it from there, once
    try:
        yield
    finally:
        image_data_format, floatx, policy = before
        config.set_image_data_format(image_data_format)
        config.set_floatx(floatx)
        config.set_dtype_policy(policy)
