"""The promises every layer keeps. One call per layer, in its own test file."""

import copy
import inspect
import json

import keras
import numpy as np

# What the contract saved in this run: (model file, its inputs and output).
# `tests/test_reload.py`, the last test, loads them all in a fresh process.
SAVED = []

POLICIES = ("float32", "mixed_float16", "mixed_bfloat16", "float16")


def check_layer(
    layer_class,
    inits,
    shapes,
    output,
    weights,
    folder,
    weights_range=(0, 1),
    sum_axis=None,
    free_axes=(),
    litert_batches=(1, 3),
    still=(),
):
    """Checks one layer against the contract in CONTRIBUTING.md.

    The first of `inits` is the layer's plain form: it alone is compiled by
    XLA, exported and run in the half-precision policies. All the others are
    run, traced, trained, saved and reloaded too.

    A layer with a `data_format` is also checked for `"channels_first"`, with
    `shapes`, `output` and `weights` still written channels last. A layer with
    an `identity_start` must return its input exactly where it is `True`.

    Args:
        layer_class: The layer.
        inits: List of dicts of constructor arguments which together move
            every argument off its default. Narrow networks may die at the
            start (a ReLU that is never positive), so give a small `ratio`
            or enough channels.
        shapes: Dict from call argument to shape, batch included; the batch is
            at least 2, best 3. Channels last.
        output: Expected output shape; or a list with one for each of `inits`.
        weights: Expected shape of the attention weights, or a dict of shapes;
            or a list with one for each of `inits`.
        folder: Where to save models, pytest's `tmp_path`.
        weights_range: Least and greatest value of the attention weights. An
            init with `identity_start=True` has (0, 2) whatever is given.
        sum_axis: The axis over which the weights sum to one, where they do.
        free_axes: The axes, besides the batch, that may be unknown when the
            layer is built and change from call to call: `(1, 2)` for the
            height and width of a feature map; or a dict from call argument to
            its axes.
        litert_batches: The batch sizes at which the layer's LiteRT export is
            run, with a free batch; `(1,)` fixes the batch, as layers that
            loop need; `()` skips the export.
        still: Ends of the paths of trainable weights that training cannot
            move, each for a reason written where it is given (a bias just
            before a normalisation).

    Raises:
        AssertionError: If a promise is broken.
    """
    parameters = _constructor_parameters(layer_class)
    _check_names(layer_class, parameters, inits)
    if not isinstance(free_axes, dict):
        free_axes = {name: free_axes for name in shapes}

    for number, init in enumerate(inits):
        rng = np.random.default_rng(number)
        expected = _pick(output, number), _pick(weights, number)
        data = {
            name: rng.normal(size=shape).astype("float32")
            for name, shape in shapes.items()
        }
        if init.get("data_format") == "channels_first":
            data = _channels_first(data)
            expected = _channels_first_shapes(expected, shapes)
        limits = (0, 2) if init.get("identity_start") else weights_range

        given = copy.deepcopy(init)
        layer = layer_class(**init)
        assert init == given, f"the constructor changed its arguments: {init}"
        _check_recipe(layer, parameters, init)
        if init.get("identity_start"):
            _check_identity(layer, data)
        _check_shapes(layer, data, *expected)
        _check_weights(layer, data, limits, sum_axis)

        model = _model(layer, data)
        _check_training(model, layer, data, number == 0, still)
        _check_weights(layer, data, limits, sum_axis)
        _check_samples(layer, data)
        _check_memory(layer, data)
        _check_reload(model, layer, data, folder, number)

        # With any weights, not only with those of a start.
        _randomize(layer, rng)
        _check_weights(layer, data, limits, sum_axis)
        if "data_format" in parameters:
            _check_data_format(layer, init, shapes, rng)
        if number == 0:
            _check_policies(layer_class, init, data, limits, sum_axis)
            _check_free_axes(layer, data, free_axes)
            if keras.backend.backend() == "tensorflow" and litert_batches:
                _check_litert(layer, data, litert_batches, folder)


def reload_script():
    """The program that `tests/test_reload.py` runs in a fresh process.

    It imports `keras` and `keras_attention` and nothing else of ours, reads a
    list of pairs as `SAVED` holds them from standard input, and prints a dict
    from the file of numbers to what was wrong.
    """
    return """
import json, sys
import keras, numpy, keras_attention
wrong = {}
for model_file, numbers_file in json.load(sys.stdin):
    data = dict(numpy.load(numbers_file))
    expected = [data.pop(name) for name in sorted(data) if "output_" in name]
    try:
        actual = keras.saving.load_model(model_file)(data)
        actual = map(keras.ops.convert_to_numpy, keras.tree.flatten(actual))
        for one, other in zip(actual, expected, strict=True):
            numpy.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    except Exception as error:
        wrong[numbers_file] = f"{type(error).__name__}: {error}"
print()
print(json.dumps(wrong))
"""


def _constructor_parameters(layer_class):
    parameters = dict(inspect.signature(layer_class).parameters)
    assert "kwargs" in parameters, "the constructor must pass on Keras's own"
    del parameters["kwargs"]
    return parameters


def _check_names(layer_class, parameters, inits):
    """The registered name; the flags' defaults; every argument is moved."""
    name = layer_class.__name__
    registered = keras.saving.get_registered_name(layer_class)
    assert registered == f"keras_attention>{name}", registered

    flags = inspect.signature(layer_class.call).parameters
    assert flags["return_attention_scores"].default is False
    if "training" in flags:
        # Any other default leaks into the sibling layers of a parent.
        assert flags["training"].default is None, "training=None"

    for argument, parameter in parameters.items():
        values = [init[argument] for init in inits if argument in init]
        moved = [value for value in values if value != parameter.default]
        assert moved, f"`{argument}` is at its default in all of `inits`"


def _check_recipe(layer, parameters, init):
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
        assert kept == given, f"{argument}={given!r} is kept as {kept!r}"
        assert type(kept) is type(given), f"{argument}: type {type(kept)}"
    assert type(layer).from_config(config).get_config() == config


def _check_identity(layer, data):
    (inputs,) = data.values()
    message = "with identity_start=True the layer must return its input"
    assert np.array_equal(_numpy(layer(inputs)), inputs), message
    if "training" in inspect.signature(layer.call).parameters:
        trained = _numpy(layer(inputs, training=True))
        assert np.array_equal(trained, inputs), message + ", in training too"


def _check_shapes(layer, data, output, weights):
    """As promised when run, and the same when traced with a free batch."""
    result, looked = layer(**data, return_attention_scores=True)
    assert _shapes(result) == output
    assert _shapes(looked) == weights

    traced, traced_looked = layer(
        **_symbols(data), return_attention_scores=True
    )
    for tensor in keras.tree.flatten((traced, traced_looked)):
        assert tensor.shape[0] is None, "the batch must stay free"
    assert _shapes(traced, skip=1) == _shapes(result, skip=1)
    assert _shapes(traced_looked, skip=1) == _shapes(looked, skip=1)

    plain = layer(**_symbols(data))
    assert _shapes(plain, skip=1) == _shapes(result, skip=1)


def _check_weights(layer, data, limits, sum_axis, slack=1e-5):
    """Shares or gates: within their range, summing to one where they do."""
    _, looked = layer(**data, return_attention_scores=True)
    for tensor in keras.tree.flatten(looked):
        array = _numpy(keras.ops.cast(tensor, "float32"))
        assert np.isfinite(array).all(), "attention weights are not finite"
        low, high = array.min(), array.max()
        assert low >= limits[0] - slack and high <= limits[1] + slack, (
            f"attention weights span {low} to {high}, beyond {limits}"
        )
        if sum_axis is not None:
            np.testing.assert_allclose(array.sum(sum_axis), 1, atol=slack)


def _check_training(model, layer, data, compiled, still):
    """Three steps move every trainable weight.

    The first may not: behind a zero gain the gradient is zero. The question is
    exact inequality; "how far" depends on chance.
    """
    if keras.backend.backend() == "torch":
        compiled = False  # 36 to 122 s for one layer
    before = [_numpy(w).copy() for w in layer.trainable_weights]
    model.compile(
        keras.optimizers.SGD(0.1),
        loss="mse",
        jit_compile=True if compiled else "auto",
    )
    rng = np.random.default_rng(0)
    target = keras.tree.map_structure(
        lambda tensor: rng.normal(size=tensor.shape).astype("float32"),
        model(data),
    )
    samples = len(next(iter(data.values())))
    model.fit(data, target, batch_size=samples, epochs=3, verbose=0)
    for old, weight in zip(before, layer.trainable_weights, strict=True):
        new = _numpy(weight)
        assert np.isfinite(new).all(), f"{weight.path} is not finite"
        if not weight.path.endswith(tuple(still)):
            assert (old != new).any(), f"training never moves {weight.path}"


def _check_samples(layer, data):
    """One sample does not see another; alone, a batch statistic shows."""
    together = layer(**data, return_attention_scores=True)
    alone = layer(
        **{name: array[:1] for name, array in data.items()},
        return_attention_scores=True,
    )
    first = keras.tree.map_structure(lambda tensor: tensor[:1], together)
    _close(alone, first, "a sample alone against the same in a batch")


def _check_memory(layer, data):
    """A call changes nothing for the next one."""
    first = layer(**data, return_attention_scores=True)
    plain = layer(**data)
    _close(plain, first[0], "with and without the weights")
    layer(**{name: array[:1] * 3 for name, array in data.items()})
    layer(**_symbols(data), return_attention_scores=True)
    again = layer(**data, return_attention_scores=True)
    _close(again, first, "the same call again, after others")


def _check_reload(model, layer, data, folder, number):
    """Saved without `custom_objects`, here and in a fresh process."""
    name = f"{type(layer).__name__}_{number}"
    model_file = folder / f"{name}.keras"
    answer = model(data)
    model.save(model_file)
    reloaded = keras.saving.load_model(model_file)
    _close(reloaded(data), answer, "a saved model, reloaded")
    (twin,) = [x for x in reloaded.layers if type(x) is type(layer)]
    # A tuple may come back as a list, as in JSON.
    kept, given = map(json.dumps, (twin.get_config(), layer.get_config()))
    assert kept == given, "the reloaded layer has another recipe"

    arrays = [_numpy(tensor) for tensor in keras.tree.flatten(answer)]
    assert len(arrays) <= 10, "the outputs are read back in order of name"
    numbers = {f"output_{i}": array for i, array in enumerate(arrays)}
    np.savez(folder / f"{name}.npz", **data, **numbers)
    SAVED.append((model_file, folder / f"{name}.npz"))


def _check_policies(layer_class, init, data, limits, sum_axis):
    """Every policy: finite, in the compute dtype, in the sublayers too."""
    for policy in POLICIES:
        layer = layer_class(**init, dtype=policy)
        result = layer(**data)
        for tensor in keras.tree.flatten(result):
            dtype = keras.backend.standardize_dtype(tensor.dtype)
            assert dtype == layer.compute_dtype, f"{policy} answers in {dtype}"
            array = _numpy(keras.ops.cast(tensor, "float32"))
            assert np.isfinite(array).all(), f"{policy} is not finite"
        _check_weights(layer, data, limits, sum_axis, slack=1e-2)
        for part in layer._flatten_layers(include_self=False):
            assert part.dtype_policy.name == policy, (
                f"{part.path} has the policy {part.dtype_policy.name} inside "
                f"a layer of {policy}: give it dtype=self.dtype_policy"
            )


def _check_data_format(layer, init, shapes, rng):
    """Channels first equals the transposed channels last, gates too."""
    images = {
        name: rng.normal(size=shape).astype("float32")
        for name, shape in shapes.items()
    }
    answers = []
    for data_format in ("channels_last", "channels_first"):
        twin = type(layer)(**{**init, "data_format": data_format})
        data = images
        if data_format == "channels_first":
            data = _channels_first(images)
        twin(**data)
        twin.set_weights(layer.get_weights())
        answers.append(twin(**data, return_attention_scores=True))
    last, first = answers
    ranks = {len(shape) for shape in shapes.values()}
    last = keras.tree.map_structure(
        lambda tensor: _moved(_numpy(tensor), ranks), last
    )
    _close(first, last, "channels first against channels last")

    # Stored resolved: a saved model means the same under another setting.
    setting = keras.config.image_data_format()
    without = {n: v for n, v in init.items() if n != "data_format"}
    try:
        keras.config.set_image_data_format("channels_first")
        config = type(layer)(**without).get_config()
        kept = config["data_format"]
        assert kept == "channels_first", f"data_format=None is kept as {kept}"
    finally:
        keras.config.set_image_data_format(setting)


def _check_free_axes(layer, data, free_axes):
    """Unknown sizes: traced without them, run at two of them."""
    inputs = {}
    for name, array in data.items():
        shape = list(array.shape[1:])
        for axis in free_axes[name]:
            shape[axis - 1] = None
        inputs[name] = keras.Input(shape, name=name)
    model = keras.Model(inputs, layer(**inputs, return_attention_scores=True))

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
                    (0, extra if axis in free_axes[name] else 0)
                    for axis in range(array.ndim)
                ],
                constant_values=0.5,
            )
            for name, array in data.items()
        }
        expected = layer(**resized, return_attention_scores=True)
        _close(run(resized), expected, "sizes unknown when built")


def _check_litert(layer, data, batches, folder):
    """The LiteRT file has builtin operators only, and the same answers."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    inputs = _symbols(data, batches[0] if len(batches) == 1 else None)
    outputs = keras.tree.flatten(layer(**inputs, return_attention_scores=True))
    model = keras.Model(
        inputs, {f"output_{i}": tensor for i, tensor in enumerate(outputs)}
    )
    file = str(folder / f"{type(layer).__name__}.tflite")
    model.export(
        file,
        format="litert",
        verbose=False,
        target_spec={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]},
    )
    run = Interpreter(file).get_signature_runner()
    for batch in batches:
        few = {
            name: np.resize(a, (batch, *a.shape[1:]))
            for name, a in data.items()
        }
        actual, expected = run(**few), model(few)
        assert set(actual) == set(expected)
        for name in expected:
            _close(actual[name], expected[name], f"LiteRT, batch {batch}")


def _model(layer, data):
    inputs = _symbols(data)
    return keras.Model(inputs, layer(**inputs))


def _symbols(data, batch=None):
    return {
        name: keras.Input(array.shape[1:], batch_size=batch, name=name)
        for name, array in data.items()
    }


def _randomize(layer, rng):
    """Any weights at all; a variance stays positive."""
    for weight in layer.weights:
        values = rng.normal(size=weight.shape)
        if weight.path.endswith("variance"):
            values = abs(values) + 0.1
        weight.assign(values)


def _pick(expected, number):
    return expected[number] if isinstance(expected, list) else expected


def _moved(array, ranks):
    """Channels from last to first, where the array is a map."""
    return np.moveaxis(array, -1, 1) if array.ndim in ranks else array


def _channels_first(data):
    return {name: np.moveaxis(array, -1, 1) for name, array in data.items()}


def _channels_first_shapes(expected, shapes):
    ranks = {len(shape) for shape in shapes.values()}

    def moved(shape):
        if isinstance(shape, dict):
            return {name: moved(one) for name, one in shape.items()}
        if shape and isinstance(shape[0], tuple):
            return tuple(moved(one) for one in shape)
        if len(shape) in ranks:
            return (shape[0], shape[-1], *shape[1:-1])
        return shape

    return tuple(moved(one) for one in expected)


def _numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def _shapes(tensors, skip=0):
    return keras.tree.map_structure(lambda t: tuple(t.shape)[skip:], tensors)


def _close(actual, expected, what):
    actual, expected = map(keras.tree.flatten, (actual, expected))
    for one, other in zip(actual, expected, strict=True):
        one, other = _numpy(one), _numpy(other)
        slack = 1e-5 * max(1, abs(other).max())  # sums of large numbers
        np.testing.assert_allclose(
            one, other, rtol=1e-4, atol=slack, err_msg=what
        )
