"""The shapes that a layer takes, tells and gives."""

import inspect
import json
import random

import keras
import numpy as np

from keras_attention import attention_maps
from tests.contract.asking import (
    as_numpy,
    ask,
    check_close,
    flat,
    looks,
    mapped,
    packed,
    shapes_of,
    symbols_of,
)


def check_shapes(layer, data, output, weights):
    """As promised when run, and the same when traced with a free batch."""
    assert looks(layer) == (weights is not None), "weights: has it any?"
    if weights is not None:
        # First: Keras builds models by the outputs of a layer's first trace.
        both = ask(layer, data)
        assert shapes_of(both) == (output, weights)
        check_trace(ask(layer, symbols_of(data)), both)
    plain = layer(**data)
    assert shapes_of(plain) == output
    check_trace(layer(**symbols_of(data)), plain)


def check_trace(traced, run):
    for tensor in keras.tree.flatten(traced):
        assert tensor.shape[0] is None, "the batch must stay free"
    assert shapes_of(traced, skip=1) == shapes_of(run, skip=1)


def check_unknown_depth(layer_class, init, data):
    """A depth that is not known is no matter, or refused in words."""
    first = init.get("data_format") == "channels_first"
    arrays = flat(data)
    for names in (*([name] for name in arrays), list(arrays)):
        inputs = flat(symbols_of(data))
        for name in names:
            shape = list(arrays[name].shape[1:])
            shape[0 if first else -1] = None
            inputs[name] = keras.Input(shape, name=name)
        try:
            layer_class(**init)(**packed(inputs, data))
        except ValueError as error:
            words = str(error)
        except Exception as error:
            raise AssertionError(f"unknown depth: {error}") from error
        else:
            continue
        assert "Received: " in words and "_shape=" in words, (
            f"unknown depth: {words}"
        )
        assert "Exception encountered" not in words, f"unknown depth: {words}"


def check_empty(layer, data):
    """Without a sample, a place or a feature there is nothing to answer."""
    rank = min(array.ndim for array in flat(data).values())
    for axis in range(rank):
        empty = mapped(lambda array, at=axis: array.take([], axis=at), data)
        try:
            layer(**empty)
        except ValueError as error:
            assert "no axis of size 0" in str(error), f"empty: {error}"
        except Exception as error:
            raise AssertionError(f"empty: {error}") from error
        else:
            raise AssertionError(f"empty: takes size 0 of axis {axis}")


def check_questions(layer_class, init, data):
    """Asked about its outputs, it tells what it then returns, and only that."""
    flags = [{}, {"return_attention_scores": True}][: 1 + looks(layer_class)]
    symbols = mapped(
        lambda array: keras.KerasTensor(array.shape, dtype="float32"), data
    )
    shapes = mapped(lambda array: (None, *array.shape[1:]), data)
    shapes = {f"{name}_shape": shape for name, shape in shapes.items()}
    # In this policy the dtypes of inputs, outputs and weights are not all one.
    layer = layer_class(**init, dtype="mixed_float16")
    state = random.getstate()
    asked = [
        (
            layer.compute_output_spec(**symbols, **flag),
            layer.compute_output_shape(**shapes, **flag),
        )
        for flag in flags
    ]
    assert random.getstate() == state, "asking for shapes draws seeds"
    assert not layer.built, "asking for shapes builds the layer"
    for flag, (specs, told) in zip(flags, asked, strict=True):
        run = layer(**data, **flag)
        free = keras.tree.map_structure(lambda x: (None, *x.shape[1:]), run)
        if flag and not getattr(layer, "scores_of_samples", True):
            free = (*free[:-1], tuple(run[-1].shape))
        assert told == free, f"compute_output_shape tells {told}"
        built = layer.compute_output_spec(**symbols, **flag)
        for spec in (specs, built):
            assert described(spec) == described(run), (
                f"mixed_float16: compute_output_spec tells {described(spec)}"
            )


def described(tensors):
    return keras.tree.map_structure(
        lambda x: (
            f"{keras.backend.standardize_dtype(x.dtype)} {tuple(x.shape)}"
        ),
        tensors,
    )


def check_build(layer, data):
    """Built by shapes, from a recipe in JSON, it has the same variables."""
    takes_mask = any(
        name == "mask" or name.endswith("_mask")
        for name in inspect.signature(layer.call).parameters
    )
    assert layer.supports_masking or not takes_mask, "supports_masking"
    recipe = json.loads(json.dumps(layer.get_config()))
    by_shapes = type(layer).from_config(recipe)
    by_shapes.build(*mapped(lambda array: array.shape, data).values())
    by_config = type(layer).from_config(recipe)
    by_config.build_from_config(layer.get_build_config())
    for twin in (by_shapes, by_config):
        assert twin.built, "`build` does not build the layer"
        before = variables_of(twin)
        assert before == variables_of(layer), f"`build` makes {before}"
    by_shapes(**data)
    assert variables_of(by_shapes) == before, "a call adds variables"


def variables_of(layer):
    weights = [(w.path, tuple(w.shape), w.trainable) for w in layer.weights]
    return weights, len(layer.variables)


def check_steps(layer, data):
    """In `Sequential` and under `TimeDistributed`: as called plainly."""
    if len(flat(data)) != 1 or keras.tree.is_nested(layer(**data)):
        return
    (inputs,) = data.values()
    expected = as_numpy(layer(inputs))
    model = keras.Sequential([keras.Input(inputs.shape[1:]), layer])
    check_close(model(inputs), expected, "in Sequential")
    assert model.compute_output_shape(inputs.shape) == expected.shape
    clips = keras.Input((2, *inputs.shape[1:]))
    output = keras.layers.TimeDistributed(layer)(clips)
    assert output.shape == (None, 2, *expected.shape[1:]), output.shape
    model, clips = keras.Model(clips, output), np.stack([inputs] * 2, axis=1)
    check_close(
        model(clips), np.stack([expected] * 2, 1), "under TimeDistributed"
    )
    if looks(layer):
        (weights,) = attention_maps(model, clips).values()
        _, looked = layer(inputs, return_attention_scores=True)
        steps = keras.tree.map_structure(
            lambda x: np.stack([as_numpy(x)] * 2, axis=1), looked
        )
        check_close(weights, steps, "where it looked, step by step")


def check_free_axes(layer, data, free_axes):
    """Unknown sizes: traced without them, run at two of them."""
    axes = {
        each: free_axes[name]
        for name, value in data.items()
        for each in flat({name: value})
    }
    inputs = {}
    for name, array in flat(data).items():
        shape = list(array.shape[1:])
        for axis in axes[name]:
            shape[axis - 1] = None
        inputs[name] = keras.Input(shape, name=name)
    model = keras.Model(inputs, ask(layer, packed(inputs, data)))

    run = model
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # Run, too, by a graph that never learns the sizes.
        signature = {
            name: tf.TensorSpec((None, *symbol.shape[1:]), name=name)
            for name, symbol in inputs.items()
        }
        run = tf.function(model, input_signature=[signature])
    for extra in (0, 2):
        resized = {
            name: np.pad(
                array,
                [
                    (0, extra if axis in axes[name] else 0)
                    for axis in range(array.ndim)
                ],
                constant_values=0.5,
            )
            for name, array in flat(data).items()
        }
        expected = ask(layer, packed(resized, data))
        check_close(run(resized), expected, "sizes unknown when built")
