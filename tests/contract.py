"""The promises every layer keeps. One call per layer, in its own test file."""

import copy
import inspect
import json
import random

import keras
import numpy as np

from keras_attention import attention_maps

# What the contract saved in this run: (model file, its inputs and output).
# When the tests end, `tests/reloading.py` loads them all in a fresh process.
SAVED = []

POLICIES = ("float32", "mixed_float16", "mixed_bfloat16", "float16")
# JAX compiles every operation anew for each dtype and shape, which is most of
# its tests' time. There the other policies are traced only, without numbers.
RUN = POLICIES[:2] if keras.backend.backend() == "jax" else POLICIES


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
    policies=POLICIES,
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
            or a list with one for each of `inits`. `None`: the layer has none,
            and is never asked for any.
        folder: Where to save models, pytest's `tmp_path`.
        weights_range: Least and greatest value of the attention weights. An
            init with `identity_start=True` has (0, 2) whatever is given.
        sum_axis: The axis over which the weights sum to one, where they do; or
            a list with one for each of `inits`.
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
    _check_arguments(layer_class, parameters, inits)
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
        axis = _pick(sum_axis, number)

        given = copy.deepcopy(init)
        layer = layer_class(**init)
        assert init == given, f"the constructor changed its arguments: {init}"
        _check_recipe(layer, parameters, init)
        if init.get("identity_start"):
            _check_identity(layer, data)
        _check_shapes(layer, data, *expected)
        _check_weights(layer, data, limits, axis)

        model = _model(layer, data)
        _check_training(model, layer, data, number == 0, still)
        _check_weights(layer, data, limits, axis)
        if number == 0 or RUN == POLICIES:
            _check_alone(layer, data)
        _check_samples(layer, data)
        _check_memory(layer, data)
        _check_reload(model, layer, data, folder, number)

        # With any weights, not only with those of a start.
        _randomize(layer, rng)
        _check_weights(layer, data, limits, axis)
        if "data_format" in parameters:
            _check_data_format(layer, init, shapes, rng)
        if number == 0:
            _check_unknown_depth(layer_class, init, data)
            _check_empty(layer, data)
            _check_questions(layer_class, init, data)
            _check_build(layer, data)
            _check_settings(layer, data, policies)
            _check_steps(layer, data)
            _check_policies(layer_class, init, data, limits, axis, policies)
            _check_free_axes(layer, data, free_axes)
            if keras.backend.backend() == "tensorflow" and litert_batches:
                _check_litert(layer, data, litert_batches, folder)


def check_query_layer(
    layer_class,
    inits,
    output,
    weights,
    folder,
    query=(3, 4, 8),
    value=(3, 6, 8),
    positional=False,
    reads_query=False,
    **options,
):
    """The contract of `sequence/`: a query looks over a sequence of values.

    Beyond `check_layer`: Keras's call arguments; what is masked is never read,
    whoever masks it; a row that sees nothing has zero weights and a zero
    context; the order of keys with their values does not count; causal masks
    are aligned to the end.

    Args:
        layer_class: The layer.
        inits: As in `check_layer`.
        output: As in `check_layer`.
        weights: As in `check_layer`.
        folder: As in `check_layer`.
        query: Shape of the query, `(B, Tq, Dq)`.
        value: Shape of the value, `(B, Tk, Dv)`, with `Tk > Tq`.
        positional: Boolean. Whether the place of a key counts; or a list with
            one for each of `inits`.
        reads_query: Boolean. Whether the output holds the query too, so that
            it is not zero where nothing is seen.
        **options: Further ones of `check_layer`.
    """
    names = list(
        inspect.signature(keras.layers.MultiHeadAttention.call).parameters
    )
    own = list(inspect.signature(layer_class.call).parameters)
    assert own[: len(names)] == names, f"call must begin with {names}"

    check_layer(
        layer_class,
        inits,
        {"query": query, "value": value},
        output,
        weights,
        folder,
        **{
            "sum_axis": -1,
            "free_axes": {"query": (1,), "value": (1,)},
            **options,
        },
    )
    for number, init in enumerate(inits):
        rng = np.random.default_rng(number)
        data = {
            "query": rng.normal(size=query).astype("float32"),
            "value": rng.normal(size=value).astype("float32"),
        }
        layer = layer_class(**init)
        layer(**data)
        _randomize(layer, rng)
        _check_padding(layer, data, rng)
        _check_nothing_seen(layer, init, data, reads_query)
        _check_query_mask(layer, data)
        _check_causal(layer, data)
        if not _pick(positional, number):
            _check_permutation(layer, data, rng)
        _check_masks_agree(layer, data)
        _check_bad_masks(layer, data)
        _check_lengths(layer, data)


def check_pair_layer(
    layer_class,
    inits,
    output,
    weights,
    folder,
    left=(3, 5, 8),
    right=(3, 7, 8),
    symmetric=False,
    **options,
):
    """The contract of `pair/`: two sequences, whose lengths differ.

    Beyond `check_layer`: what is hidden, on either side, is never read and
    leaves zeros; a side with nothing to see does no harm; masks are taken from
    the tensors that carry them; exchanging the sides exchanges the outputs.

    Args:
        layer_class: The layer.
        inits: As in `check_layer`.
        output: As in `check_layer`.
        weights: As in `check_layer`.
        folder: As in `check_layer`.
        left: Shape of the left side, `(B, Tl, D)`.
        right: Shape of the right side, `(B, Tr, D)`, with another length.
        symmetric: Boolean. Whether the sides can be exchanged; or a list with
            one for each of `inits`.
        **options: Further ones of `check_layer`.
    """
    names = ["self", "left", "right", "left_mask", "right_mask"]
    own = list(inspect.signature(layer_class.call).parameters)
    assert own[: len(names)] == names, f"call must begin with {names}"
    assert left[1] != right[1], "sides of one length hide what is exchanged"

    check_layer(
        layer_class,
        inits,
        {"left": left, "right": right},
        output,
        weights,
        folder,
        **{"free_axes": (1,), **options},
    )
    for number, init in enumerate(inits):
        rng = np.random.default_rng(number)
        data = {
            "left": rng.normal(size=left).astype("float32"),
            "right": rng.normal(size=right).astype("float32"),
        }
        layer = layer_class(**init)
        layer(**data)
        _randomize(layer, rng)
        for side in data:
            _check_pair_padding(layer, data, side, rng)
        _check_pair_nothing_seen(layer, init, data)
        _check_pair_masks(layer, data, rng)
        if _pick(symmetric, number):
            _check_exchange(layer, data)


def reload_script():
    """The program that `tests/reloading.py` runs in a fresh process.

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


def _looks(layer):
    """Whether the layer, or its class, has attention weights to return."""
    return "return_attention_scores" in inspect.signature(layer.call).parameters


def _ask(layer, data):
    """The answer, with the attention weights if the layer has any."""
    if _looks(layer):
        *outputs, weights = layer(**data, return_attention_scores=True)
        return outputs[0] if len(outputs) == 1 else tuple(outputs), weights
    return layer(**data)


def _check_names(layer_class, parameters, inits):
    """The registered name; the flags' defaults; every argument is moved."""
    name = layer_class.__name__
    registered = keras.saving.get_registered_name(layer_class)
    assert registered == f"keras_attention>{name}", registered

    flags = inspect.signature(layer_class.call).parameters
    if _looks(layer_class):
        assert flags["return_attention_scores"].default is False
    if "training" in flags:
        # Any other default leaks into the sibling layers of a parent.
        assert flags["training"].default is None, "training=None"

    for argument, parameter in parameters.items():
        values = [init[argument] for init in inits if argument in init]
        moved = [value for value in values if value != parameter.default]
        assert moved, f"`{argument}` is at its default in all of `inits`"


def _check_arguments(layer_class, parameters, inits):
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
                if name != "max_wavelength":  # any positive number
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
    assert _looks(layer) == (weights is not None), "weights: has it any?"
    if weights is not None:
        # First: Keras builds models by the outputs of a layer's first trace.
        both = _ask(layer, data)
        assert _shapes(both) == (output, weights)
        _check_trace(_ask(layer, _symbols(data)), both)
    plain = layer(**data)
    assert _shapes(plain) == output
    _check_trace(layer(**_symbols(data)), plain)


def _check_unknown_depth(layer_class, init, data):
    """A depth that is not known is no matter, or refused in words."""
    first = init.get("data_format") == "channels_first"
    for names in (*([name] for name in data), list(data)):
        inputs = _symbols(data)
        for name in names:
            shape = list(data[name].shape[1:])
            shape[0 if first else -1] = None
            inputs[name] = keras.Input(shape, name=name)
        try:
            layer_class(**init)(**inputs)
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


def _check_empty(layer, data):
    """Without a sample, a place or a feature there is nothing to answer."""
    rank = min(array.ndim for array in data.values())
    for axis in range(rank):
        empty = {
            name: array.take([], axis=axis) for name, array in data.items()
        }
        try:
            layer(**empty)
        except ValueError as error:
            assert "no axis of size 0" in str(error), f"empty: {error}"
        except Exception as error:
            raise AssertionError(f"empty: {error}") from error
        else:
            raise AssertionError(f"empty: takes size 0 of axis {axis}")


def _check_questions(layer_class, init, data):
    """Asked about its outputs, it tells what it then returns, and only that."""
    flags = [{}, {"return_attention_scores": True}][: 1 + _looks(layer_class)]
    symbols = {
        name: keras.KerasTensor(array.shape, dtype="float32")
        for name, array in data.items()
    }
    shapes = {f"{n}_shape": (None, *x.shape[1:]) for n, x in data.items()}
    for policy in ("float32", "mixed_float16"):
        layer = layer_class(**init, dtype=policy)
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
            assert told == free, f"compute_output_shape tells {told}"
            built = layer.compute_output_spec(**symbols, **flag)
            for spec in (specs, built):
                assert _described(spec) == _described(run), (
                    f"{policy}: compute_output_spec tells {_described(spec)}"
                )


def _described(tensors):
    return keras.tree.map_structure(
        lambda x: (
            f"{keras.backend.standardize_dtype(x.dtype)} {tuple(x.shape)}"
        ),
        tensors,
    )


def _check_build(layer, data):
    """Built by shapes, from a recipe in JSON, it has the same variables."""
    takes_mask = any(
        name == "mask" or name.endswith("_mask")
        for name in inspect.signature(layer.call).parameters
    )
    assert layer.supports_masking or not takes_mask, "supports_masking"
    recipe = json.loads(json.dumps(layer.get_config()))
    by_shapes = type(layer).from_config(recipe)
    by_shapes.build(*[array.shape for array in data.values()])
    by_config = type(layer).from_config(recipe)
    by_config.build_from_config(layer.get_build_config())
    for twin in (by_shapes, by_config):
        assert twin.built, "`build` does not build the layer"
        before = _variables(twin)
        assert before == _variables(layer), f"`build` makes {before}"
    by_shapes(**data)
    assert _variables(by_shapes) == before, "a call adds variables"


def _variables(layer):
    weights = [(w.path, tuple(w.shape), w.trainable) for w in layer.weights]
    return weights, len(layer.variables)


def _check_settings(layer, data, policies):
    """Keras's global settings change no layer that was told its own."""
    config, expected = layer.get_config(), _ask(layer, data)
    before = keras.config.image_data_format(), keras.config.floatx()
    settings = [("channels_first", "float32"), (before[0], "float16")]
    if keras.backend.backend() != "jax":  # which has no float64 by default
        settings.append((before[0], "float64"))
    try:
        for data_format, floatx in settings:
            keras.config.set_image_data_format(data_format)
            keras.config.set_floatx(floatx)
            setting = f"under {data_format}, {floatx}"
            for dtype in {"float32", floatx} & {*policies, "float64"}:
                twin = type(layer).from_config({**config, "dtype": dtype})
                twin(**_symbols(data))
                twin.set_weights(layer.get_weights())
                runs = dtype in RUN or dtype == "float64"
                actual = _ask(twin, data if runs else _symbols(data))
                for tensor in keras.tree.flatten(actual):
                    kind = keras.backend.standardize_dtype(tensor.dtype)
                    # Keras's own products of float64 may be float32.
                    kinds = {dtype, "float32"} if dtype == "float64" else dtype
                    assert kind in kinds, f"{setting}: answers in {kind}"
                if dtype != "float16":
                    _close(actual, expected, setting)
    finally:
        keras.config.set_image_data_format(before[0])
        keras.config.set_floatx(before[1])


def _check_steps(layer, data):
    """In `Sequential` and under `TimeDistributed`: as called plainly."""
    if len(data) != 1 or keras.tree.is_nested(layer(**data)):
        return
    (inputs,) = data.values()
    expected = _numpy(layer(inputs))
    model = keras.Sequential([keras.Input(inputs.shape[1:]), layer])
    _close(model(inputs), expected, "in Sequential")
    assert model.compute_output_shape(inputs.shape) == expected.shape
    clips = keras.Input((2, *inputs.shape[1:]))
    output = keras.layers.TimeDistributed(layer)(clips)
    assert output.shape == (None, 2, *expected.shape[1:]), output.shape
    model, clips = keras.Model(clips, output), np.stack([inputs] * 2, axis=1)
    _close(model(clips), np.stack([expected] * 2, 1), "under TimeDistributed")
    if _looks(layer):
        (weights,) = attention_maps(model, clips).values()
        _, looked = layer(inputs, return_attention_scores=True)
        steps = keras.tree.map_structure(
            lambda x: np.stack([_numpy(x)] * 2, axis=1), looked
        )
        _close(weights, steps, "where it looked, step by step")


def _check_trace(traced, run):
    for tensor in keras.tree.flatten(traced):
        assert tensor.shape[0] is None, "the batch must stay free"
    assert _shapes(traced, skip=1) == _shapes(run, skip=1)


def _check_weights(layer, data, limits, sum_axis, slack=1e-5):
    """Shares or gates: within their range, summing to one where they do."""
    if not _looks(layer):
        return
    _, looked = _ask(layer, data)
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
    if not before:
        model.predict(data, verbose=0)  # compiled all the same
        return
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


def _check_alone(layer, data):
    """A sample alone has the answer that it has in a batch; again, too."""
    alone = _ask(layer, {name: array[:1] for name, array in data.items()})
    together = _first(_ask(layer, data))
    _close(alone, together, "a sample alone against the same in a batch")


def _check_samples(layer, data):
    """One sample does not see another."""
    others = {
        name: np.concatenate([array[:1], array[1:] * 3 + 1])
        for name, array in data.items()
    }
    among_others, together = _ask(layer, others), _ask(layer, data)
    message = "a sample alone against the same beside others"
    _close(_first(among_others), _first(together), message)


def _first(tensors):
    return keras.tree.map_structure(lambda x: _numpy(x)[:1], tensors)


def _check_memory(layer, data):
    """A call changes nothing for the next one."""
    first = _ask(layer, data)
    if _looks(layer):
        _close(layer(**data), first[0], "with and without the weights")
    layer(**{name: array * 3 for name, array in data.items()})
    _ask(layer, _symbols(data))
    again = _ask(layer, data)
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


def _check_policies(layer_class, init, data, limits, sum_axis, policies):
    """Every policy: finite, in the compute dtype, in the sublayers too."""
    for policy in policies:
        layer = layer_class(**init, dtype=policy)
        result = layer(**(data if policy in RUN else _symbols(data)))
        for tensor in keras.tree.flatten(result):
            dtype = keras.backend.standardize_dtype(tensor.dtype)
            assert dtype == layer.compute_dtype, f"{policy} answers in {dtype}"
            if policy in RUN:
                array = _numpy(keras.ops.cast(tensor, "float32"))
                assert np.isfinite(array).all(), f"{policy} is not finite"
        if policy in RUN:
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
        answers.append(_ask(twin, data))
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
    model = keras.Model(inputs, _ask(layer, inputs))

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
        expected = _ask(layer, resized)
        _close(run(resized), expected, "sizes unknown when built")


def _check_litert(layer, data, batches, folder):
    """The LiteRT file has builtin operators only, and the same answers."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    inputs = _symbols(data, batches[0] if len(batches) == 1 else None)
    outputs = keras.tree.flatten(_ask(layer, inputs))
    model = keras.Model(
        inputs, {f"output_{i}": tensor for i, tensor in enumerate(outputs)}
    )
    file = str(folder / f"{type(layer).__name__}.tflite")
    fixed = {}
    if len(batches) == 1:
        # Keras frees the batch again unless it is told.
        signature = keras.tree.map_structure(
            lambda x: keras.InputSpec(
                shape=x.shape, dtype=x.dtype, name=x.name
            ),
            inputs,
        )
        fixed = {"input_signature": [signature]}
    model.export(
        file,
        **fixed,
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


def _check_pair_padding(layer, data, side, rng):
    """More positions on one side, all masked, change no number."""
    batch, length, depth = data[side].shape
    more = rng.normal(size=(batch, 3, depth)).astype("float32") * 9
    padded = {**data, side: np.concatenate([data[side], more], axis=1)}
    mask = np.repeat(np.arange(length + 3)[None] < length, batch, axis=0)
    padded[f"{side}_mask"] = mask
    tensors = [keras.tree.flatten(_ask(layer, x)) for x in (padded, data)]
    for long, short in zip(*tensors, strict=True):
        long, short = _numpy(long).copy(), _numpy(short)
        kept = tuple(slice(size) for size in short.shape)
        _close(long[kept], short, f"padding of {side} is read")
        long[kept] = 0
        assert not long.any(), f"padding of {side} has an output"


def _check_pair_nothing_seen(layer, init, data):
    """No NaN where a side, or both, has nothing to see, in any policy."""
    hidden = {
        f"{side}_mask": np.zeros(x.shape[:2], "bool")
        for side, x in data.items()
    }
    for policy in ("float32", "mixed_float16"):
        twin = type(layer)(**init, dtype=policy)
        twin(**data)
        twin.set_weights(layer.get_weights())
        for masks in (
            hidden,
            {"left_mask": hidden["left_mask"]},
            {"right_mask": hidden["right_mask"]},
        ):
            for tensor in keras.tree.flatten(_ask(twin, {**data, **masks})):
                array = _numpy(keras.ops.cast(tensor, "float32"))
                assert np.isfinite(array).all(), f"{policy}: nothing to see"


def _check_pair_masks(layer, data, rng):
    """Hidden places may hold anything; a tensor's own mask counts as given."""
    masks, others = {}, {}
    for side, x in data.items():
        mask = np.ones(x.shape[:2], "bool")
        mask[0, 2:4] = False
        mask[1, 1:] = False
        masks[f"{side}_mask"] = mask
        noise = rng.normal(size=x.shape).astype("float32")
        others[side] = np.where(mask[..., None], x, noise)
    expected = _ask(layer, {**data, **masks})
    _close(_ask(layer, {**others, **masks}), expected, "what is hidden is read")
    carrying = {
        side: _carrying(x, masks[f"{side}_mask"]) for side, x in others.items()
    }
    _close(_ask(layer, carrying), expected, "the masks that tensors carry")

    for name, mask in masks.items():
        additive = mask.astype("float32") - 1
        for bad in (additive, mask[:, 0], mask[:, :-1]):
            _refused(layer, f"`{name}`", **{**data, **masks, name: bad})
    _refused(layer, "`left` and `right`", data["left"][0], data["right"])


def _carrying(x, mask):
    """A tensor with a mask of its own, and what it hides not zero."""
    ids = np.where(mask, 1 + np.arange(mask.size).reshape(mask.shape), 0)
    words = keras.layers.Embedding(1 + mask.size, x.shape[-1], mask_zero=True)
    words.build()
    rows = x.reshape(-1, x.shape[-1])
    words.embeddings.assign(np.concatenate([rows[-1:], rows]))
    return words(ids)


def _check_exchange(layer, data):
    """Left given as right and right as left: the same numbers, exchanged."""
    left, right = layer(**data)
    other_right, other_left = layer(left=data["right"], right=data["left"])
    _close((other_left, other_right), (left, right), "the sides are not alike")


def _check_padding(layer, data, rng):
    """More positions, all masked, change no number."""
    query, value = data["query"], data["value"]
    more = rng.normal(size=(value.shape[0], 3, value.shape[2])) * 9
    padded = np.concatenate([value, more.astype("float32")], axis=1)
    mask = np.arange(padded.shape[1]) < np.full((len(value), 1), len(value[0]))
    context, weights = layer(query, value, return_attention_scores=True)
    padded_context, padded_weights = layer(
        query, padded, value_mask=mask, return_attention_scores=True
    )
    _close(padded_context, context, "padding is read")
    width = value.shape[1]
    _close(padded_weights[..., :width], weights, "padding moves weights")
    assert not _numpy(padded_weights)[..., width:].any()
    plain = layer(query, padded, value_mask=mask)
    _close(plain, context, "padding is read, without weights")


def _check_nothing_seen(layer, init, data, reads_query):
    """Zeros, in every policy, whether or not the weights are asked for."""
    query, value = data["query"], data["value"]
    nothing = np.zeros(value.shape[:2], "bool")
    for policy in RUN:
        twin = type(layer)(**init, dtype=policy)
        twin(query, value)
        twin.set_weights(layer.get_weights())
        context, weights = twin(
            query * -30, value, value_mask=nothing, return_attention_scores=True
        )
        plain = twin(query * -30, value, value_mask=nothing)
        for tensor in (context, plain):
            array = _numpy(keras.ops.cast(tensor, "float32"))
            assert np.isfinite(array).all(), f"{policy}: nothing to see"
            if not reads_query:
                assert not array.any(), f"{policy}: a context of nothing"
        assert not _numpy(keras.ops.cast(weights, "float32")).any(), policy


def _check_query_mask(layer, data):
    """Masked queries get zeros; the others what they had."""
    query, value = data["query"], data["value"]
    mask = np.ones(query.shape[:2], "bool")
    mask[:, -1] = False
    whole = _numpy(layer(query, value))
    context, weights = layer(
        query, value, query_mask=mask, return_attention_scores=True
    )
    plain = layer(query, value, query_mask=mask)
    for answer in map(_numpy, (context, plain)):
        _close(answer[:, :-1], whole[:, :-1], "a query beside a masked one")
        assert not answer[:, -1].any(), "a masked query has an output"
    assert not _numpy(weights)[..., -1, :].any()


def _check_causal(layer, data):
    """The last query stands at the last key; none sees what comes later."""
    query, value = data["query"], data["value"]
    ahead = value.shape[1] - query.shape[1]
    causal = _numpy(layer(query, value, use_causal_mask=True))
    weights = layer(
        query, value, use_causal_mask=True, return_attention_scores=True
    )[1]
    for place in range(query.shape[1]):
        later = value.copy()
        later[:, place + ahead + 1 :] = 9
        changed = _numpy(layer(query, later, use_causal_mask=True))
        _close(changed[:, place], causal[:, place], "a query sees the future")
        row = _numpy(weights)[..., place, :]
        assert not row[..., place + ahead + 1 :].any()
        assert row[..., place + ahead].any(), "a query must see its own place"
    whole = _numpy(layer(query, value))
    _close(causal[:, -1], whole[:, -1], "the last query must see all")


def _check_permutation(layer, data, rng):
    """Keys and values in another order: the same context."""
    query, value = data["query"], data["value"]
    order = rng.permutation(value.shape[1])
    context, weights = layer(query, value, return_attention_scores=True)
    moved, moved_weights = layer(
        query, value[:, order], return_attention_scores=True
    )
    _close(moved, context, "the order of keys counts")
    _close(moved_weights, _numpy(weights)[..., order], "weights do not follow")


def _check_masks_agree(layer, data):
    """One mask said in four ways; and `key` given as the value."""
    query, value = data["query"], data["value"]
    mask = np.ones(value.shape[:2], "bool")
    mask[0, 2:4] = False
    mask[1, :-1] = False  # the last is seen: a length may be told by it
    expected = layer(query, value, value_mask=mask)
    pairs = np.repeat(mask[:, None], query.shape[1], axis=1)
    _close(layer(query, value, key_mask=mask), expected, "key_mask")
    _close(layer(query, value, attention_mask=pairs), expected, "pairs")
    _close(layer(query, value, key=value, value_mask=mask), expected, "key")
    marked = np.where(mask[..., None], value, np.float32(7))
    hidden = np.where(mask[..., None], value, np.float32(0))
    carrying = keras.layers.Masking(mask_value=7.0)(marked)
    _close(
        layer(query, carrying),
        layer(query, hidden, value_mask=mask),
        "the mask that a tensor carries",
    )


def _check_bad_masks(layer, data):
    """1 is visible and 0 is not; other masks, or of other shapes, are refused.

    An additive mask means the opposite. A mask of pairs may lack the batch.
    """
    query, value = data["query"], data["value"]
    pairs = (*query.shape[:2], value.shape[1])
    seen = np.tri(*pairs[1:], 2, dtype="bool")
    expected = layer(query, value, attention_mask=np.stack([seen] * len(query)))
    for mask in (seen, seen.astype("float32"), seen.astype("int32").tolist()):
        _close(layer(query, value, attention_mask=mask), expected, "(Tq, Tk)")
    for name, shape in (
        ("query_mask", query.shape[:2]),
        ("value_mask", value.shape[:2]),
        ("key_mask", value.shape[:2]),
        ("attention_mask", pairs),
    ):
        for mask in (
            np.zeros(shape, "float32"),
            np.ones(shape, "float32") * -1e9,
            np.ones(shape[:-1], "bool"),
            np.ones((*shape[:-1], shape[-1] - 1), "bool"),
            np.ones((1, 1, *shape), "bool"),
        ):
            _refused(layer, f"`{name}`", query, value, **{name: mask})


def _check_lengths(layer, data):
    """Each key stands for one value, in a second call too."""
    query, value = data["query"], data["value"]
    shorter = "`key` and `value` must be equally long"
    _refused(layer, shorter, query, value[:, :-2], key=value)


def _refused(layer, message, *arguments, **options):
    try:
        layer(*arguments, **options)
    except ValueError as error:
        assert message in str(error), error
    else:
        raise AssertionError(f"takes {options}, against: {message}")


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
