"""What a layer's constructor takes, keeps and refuses."""

import inspect

import keras
import numpy as np

from tests.contract.asking import (
    as_numpy,
    looks,
)


def constructor_parameters(layer_class):
    parameters = dict(inspect.signature(layer_class).parameters)
    assert "kwargs" in parameters, "the constructor must pass on Keras's own"
    del parameters["kwargs"]
    return parameters


def check_names(layer_class, parameters, inits):
    """The registered name; the flags' defaults; every argument is moved."""
    name = layer_class.__name__
    registered = keras.saving.get_registered_name(layer_class)
    assert registered == f"keras_attention>{name}", registered

    flags = inspect.signature(layer_class.call).parameters
    if looks(layer_class):
        assert flags["return_attention_scores"].default is False
    if "training" in flags:
        # Any other default leaks into the sibling layers of a parent.
        assert flags["training"].default is None, "training=None"

    for argument, parameter in parameters.items():
        values = [init[argument] for init in inits if argument in init]
        moved = [value for value in values if value != parameter.default]
        assert moved, f"`{argument}` is at its default in all of `inits`"


def check_arguments(layer_class, parameters, inits):
    """Numbers of another type are refused in words, by name."""
    for init in inits:
        for name, value in init.items():
            if name not in parameters or name == "seed":
                continue
            if isinstance(value, bool | str):
                continue
            wrong = {"8", None} - {parameters[name].default}
            if isinstance(value, int):
                wrong |= {True, -1}
                if not name.endswith("max_wavelength"):  # any positive number
                    wrong.add(2.5)
            elif isinstance(value, float):
                wrong |= {-1.0, float("nan")}
            elif not isinstance(value, tuple):
                continue
            for given in wrong:
                try:
                    layer_class(**{**init, name: given})
                except ValueError as error:
                    assert f"`{name}`" in str(error), error
                    assert f"Received: {name}=" in str(error) or (
                        f", {name}=" in str(error)
                    ), error
                except TypeError as error:
                    raise AssertionError(
                        f"{name}={given!r}: {error}"
                    ) from error
                else:  # what `None` means, the docstring says
                    assert given is None, f"takes {name}={given!r}"


def with_layers_serialized(value):
    if isinstance(value, keras.layers.Layer):
        return keras.saving.serialize_keras_object(value)
    if isinstance(value, list):
        return [with_layers_serialized(part) for part in value]
    return value


def check_recipe(layer, parameters, init):
    """`get_config` holds every argument as given, and rebuilds the layer."""
    config = layer.get_config()
    for argument, parameter in parameters.items():
        assert argument in config, f"`{argument}` is not in get_config()"
        if argument in init:
            given = init[argument]
        elif parameter.default is None:
            continue  # May be resolved when the layer is made.
        else:
            given = parameter.default
        kept = config[argument]
        given = with_layers_serialized(given)
        assert kept == given, f"{argument}={given!r} is kept as {kept!r}"
        assert type(kept) is type(given), f"{argument}: type {type(kept)}"
    assert type(layer).from_config(config).get_config() == config


def check_identity(layer, data):
    (inputs,) = data.values()
    message = "with identity_start=True the layer must return its input"
    assert np.array_equal(as_numpy(layer(inputs)), inputs), message
    if "training" in inspect.signature(layer.call).parameters:
        trained = as_numpy(layer(inputs, training=True))
        assert np.array_equal(trained, inputs), message + ", in training too"
