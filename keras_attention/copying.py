"""Copies of layers: the same class, options and weights, nothing shared."""

import inspect
import tempfile

import keras
import numpy as np
from keras import ops


def copy_layer(layer):
    """A layer or operation made anew by its configuration, not yet built.

    Functions and classes of a user's that it holds need not be registered.

    Args:
        layer: `keras.layers.Layer` or `keras.Operation`.

    Returns:
        Another of the same class, name and options.

    Raises:
        ValueError: If its configuration does not rebuild it.
    """
    try:
        with keras.saving.custom_object_scope(_held_by(layer)):
            if type(layer) is keras.layers.Lambda:
                return _copy_lambda(layer)
            return type(layer).from_config(layer.get_config())
    except Exception as error:
        raise ValueError(
            "Every layer must be rebuilt by `from_config(get_config())`, as "
            "when a model is loaded: the new model has copies of its own. "
            f"Received: {layer.name!r} of type {type(layer).__name__}, "
            f"which raised {type(error).__name__}: {error}"
        ) from error


def copy_state(layer, copy):
    """Gives the copy of a layer its weights, and what is frozen in it.

    Args:
        layer: `keras.layers.Layer`.
        copy: Another, made by `copy_layer` and built.
    """
    pairs = zip(layer._flatten_layers(), copy._flatten_layers(), strict=True)
    for old, new in pairs:
        store = {}
        old.save_own_variables(store)
        new.load_own_variables(
            {key: _own_array(value) for key, value in store.items()}
        )
        if hasattr(old, "save_assets"):  # a vocabulary
            with tempfile.TemporaryDirectory() as folder:
                old.save_assets(folder)
                new.load_assets(folder)
        new.trainable = old.trainable


def _copy_lambda(layer):
    """With the very function, which a configuration cuts off its globals."""
    return keras.layers.Lambda(
        layer.function,
        layer._output_shape,
        layer.mask,
        layer.arguments,
        name=layer.name,
        dtype=layer.dtype_policy,
    )


def _held_by(layer):
    """Functions and classes that a layer and its parts hold, by name."""
    parts = [layer]
    if isinstance(layer, keras.layers.Layer):
        parts = layer._flatten_layers()
    held = {type(part).__name__: type(part) for part in parts}
    for part in parts:
        functions = filter(inspect.isfunction, vars(part).values())
        held |= {function.__name__: function for function in functions}
    return held


def _own_array(value):
    """A copy: JAX gives away, in training, the memory that it may share."""
    return np.array(ops.convert_to_numpy(value))
