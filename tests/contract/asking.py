"""How a layer is asked, and how its answers are compared."""

import inspect

import keras
import numpy as np

POLICIES = ("float32", "mixed_float16", "mixed_bfloat16", "float16")
# JAX compiles every operation anew for each dtype and shape, which is most of
# its tests' time. There the other policies are traced only, without numbers.
RUN = POLICIES[:2] if keras.backend.backend() == "jax" else POLICIES


def looks(layer):
    """Whether the layer, or its class, has attention weights to return."""
    return "return_attention_scores" in inspect.signature(layer.call).parameters


def ask(layer, data):
    """The answer, with the attention weights if the layer has any."""
    if looks(layer):
        *outputs, weights = layer(**data, return_attention_scores=True)
        if not getattr(layer, "scores_of_samples", True):
            # The same for each: what it tells of itself is asked elsewhere.
            first = keras.tree.flatten(outputs)[0]
            ones = keras.ops.ones_like(first[:, :1, :1])
            weights = ones * weights
        return outputs[0] if len(outputs) == 1 else tuple(outputs), weights
    return layer(**data)


def as_numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def shapes_of(tensors, skip=0):
    return keras.tree.map_structure(lambda t: tuple(t.shape)[skip:], tensors)


def check_close(actual, expected, what):
    actual, expected = map(keras.tree.flatten, (actual, expected))
    for one, other in zip(actual, expected, strict=True):
        one, other = as_numpy(one), as_numpy(other)
        slack = 1e-5 * max(1, abs(other).max())  # sums of large numbers
        np.testing.assert_allclose(
            one, other, rtol=1e-4, atol=slack, err_msg=what
        )


def model_of(layer, data):
    inputs = symbols_of(data)
    return keras.Model(flat(inputs), layer(**inputs))


def symbols_of(data, batch=None):
    symbols = {
        name: keras.Input(array.shape[1:], batch_size=batch, name=name)
        for name, array in flat(data).items()
    }
    return packed(symbols, data)


def mapped(function, data):
    """A function of every array of the call arguments, some of them lists."""
    return packed({n: function(x) for n, x in flat(data).items()}, data)


def flat(data):
    """Call arguments as a dict of arrays: those of a list are numbered."""
    found = {}
    for name, value in data.items():
        if isinstance(value, list):
            found |= {f"{name}_{n}": each for n, each in enumerate(value)}
        else:
            found[name] = value
    return found


def packed(arrays, data):
    """The reverse of `flat`, for arguments as those of `data`."""
    return {
        name: [arrays[f"{name}_{n}"] for n in range(len(value))]
        if isinstance(value, list)
        else arrays[name]
        for name, value in data.items()
    }


def first_of(tensors):
    return keras.tree.map_structure(lambda x: as_numpy(x)[:1], tensors)


def randomize(layer, rng):
    """Any weights at all; a variance stays positive."""
    for weight in layer.weights:
        values = rng.normal(size=weight.shape)
        if weight.path.endswith("variance"):
            values = abs(values) + 0.1
        weight.assign(values)


def picked(expected, number):
    return expected[number] if isinstance(expected, list) else expected


def check_refused(layer, message, *arguments, **options):
    try:
        layer(*arguments, **options)
    except ValueError as error:
        assert message in str(error), error
    else:
        raise AssertionError(f"takes {options}, against: {message}")
