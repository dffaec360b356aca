"""Keras's global settings, for the time of a test."""

import contextlib

import keras


@contextlib.contextmanager
def global_setting(value):
    """Sets `floatx`, or `image_data_format`, and sets it back."""
    if value.startswith("channels"):
        get = keras.config.image_data_format
        set_ = keras.config.set_image_data_format
    else:
        get, set_ = keras.config.floatx, keras.config.set_floatx
    before = get()
    set_(value)
    try:
        yield
    finally:
        set_(before)
