"""What a layer answers, and on what that may depend."""

import keras
import numpy as np

from tests.contract.asking import (
    RUN,
    as_numpy,
    ask,
    check_close,
    first_of,
    looks,
    mapped,
    symbols_of,
)


def check_weights(layer, data, limits, sum_axis, slack=1e-5):
    """Shares or gates: within their range, summing to one where they do."""
    if not looks(layer):
        return
    _, looked = ask(layer, data)
    for tensor in keras.tree.flatten(looked):
        array = as_numpy(keras.ops.cast(tensor, "float32"))
        assert np.isfinite(array).all(), "attention weights are not finite"
        low, high = array.min(), array.max()
        assert low >= limits[0] - slack and high <= limits[1] + slack, (
            f"attention weights span {low} to {high}, beyond {limits}"
        )
        if sum_axis is not None:
            np.testing.assert_allclose(array.sum(sum_axis), 1, atol=slack)


def check_alone(layer, data):
    """A sample alone has the answer that it has in a batch; again, too."""
    alone = ask(layer, mapped(lambda array: array[:1], data))
    together = first_of(ask(layer, data))
    check_close(alone, together, "a sample alone against the same in a batch")


def check_samples(layer, data):
    """One sample does not see another."""
    others = mapped(
        lambda array: np.concatenate([array[:1], array[1:] * 3 + 1]), data
    )
    among_others, together = ask(layer, others), ask(layer, data)
    message = "a sample alone against the same beside others"
    check_close(first_of(among_others), first_of(together), message)


def check_memory(layer, data):
    """A call changes nothing for the next one."""
    first = ask(layer, data)
    if looks(layer):
        check_close(layer(**data), first[0], "with and without the weights")
    layer(**mapped(lambda array: array * 3, data))
    ask(layer, symbols_of(data))
    again = ask(layer, data)
    check_close(again, first, "the same call again, after others")


def check_settings(layer, data, policies):
    """Keras's global settings change no layer that was told its own."""
    config, expected = layer.get_config(), ask(layer, data)
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
                twin(**symbols_of(data))
                twin.set_weights(layer.get_weights())
                runs = dtype in RUN or dtype == "float64"
                actual = ask(twin, data if runs else symbols_of(data))
                for tensor in keras.tree.flatten(actual):
                    kind = keras.backend.standardize_dtype(tensor.dtype)
                    # Keras's own products of float64 may be float32.
                    kinds = {dtype, "float32"} if dtype == "float64" else dtype
                    assert kind in kinds, f"{setting}: answers in {kind}"
                if dtype != "float16":
                    check_close(actual, expected, setting)
    finally:
        keras.config.set_image_data_format(before[0])
        keras.config.set_floatx(before[1])


def check_policies(layer_class, init, data, limits, sum_axis, policies):
    """Every policy: finite, in the compute dtype, in the sublayers too."""
    for policy in policies:
        layer = layer_class(**init, dtype=policy)
        result = layer(**(data if policy in RUN else symbols_of(data)))
        for tensor in keras.tree.flatten(result):
            dtype = keras.backend.standardize_dtype(tensor.dtype)
            assert dtype == layer.compute_dtype, f"{policy} answers in {dtype}"
            if policy in RUN:
                array = as_numpy(keras.ops.cast(tensor, "float32"))
                assert np.isfinite(array).all(), f"{policy} is not finite"
        if policy in RUN:
            check_weights(layer, data, limits, sum_axis, slack=1e-2)
        for part in layer._flatten_layers(include_self=False):
            assert part.dtype_policy.name == policy, (
                f"{part.path} has the policy {part.dtype_policy.name} inside "
                f"a layer of {policy}: give it dtype=self.dtype_policy"
            )


def check_data_format(layer, init, shapes, rng):
    """Channels first equals the transposed channels last, gates too."""
    images = {name: drawn(rng, shape) for name, shape in shapes.items()}
    answers = []
    for data_format in ("channels_last", "channels_first"):
        twin = type(layer)(**{**init, "data_format": data_format})
        data = images
        if data_format == "channels_first":
            data = with_channels_first(images)
        twin(**data)
        twin.set_weights(layer.get_weights())
        answers.append(ask(twin, data))
    last, first = answers
    ranks = ranks_of(shapes)
    last = keras.tree.map_structure(
        lambda tensor: channels_moved(as_numpy(tensor), ranks), last
    )
    check_close(first, last, "channels first against channels last")

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


def channels_moved(array, ranks):
    """Channels from last to first, where the array is a map."""
    return np.moveaxis(array, -1, 1) if array.ndim in ranks else array


def with_channels_first(data):
    return keras.tree.map_structure(lambda x: np.moveaxis(x, -1, 1), data)


def ranks_of(shapes):
    """The ranks of all maps, those in lists too."""
    several = (x if isinstance(x, list) else [x] for x in shapes.values())
    return {len(shape) for each in several for shape in each}


def drawn(rng, shape):
    """An array of that shape; a list of them for a list of shapes."""
    if isinstance(shape, list):
        return [drawn(rng, one) for one in shape]
    return rng.normal(size=shape).astype("float32")


def shapes_with_channels_first(expected, shapes):
    ranks = ranks_of(shapes)

    def moved(shape):
        if isinstance(shape, dict):
            return {name: moved(one) for name, one in shape.items()}
        if shape and isinstance(shape[0], tuple):
            return tuple(moved(one) for one in shape)
        if len(shape) in ranks:
            return (shape[0], shape[-1], *shape[1:-1])
        return shape

    return tuple(moved(one) for one in expected)
