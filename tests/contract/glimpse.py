"""The contract of `glimpse/`."""

import inspect

import keras
import numpy as np

from tests.contract.asking import as_numpy, ask, check_close, picked
from tests.contract.layer import check_layer, drawn
from tests.contract.shapes import check_free_axes


def check_glimpse_layer(
    layer_class,
    inits,
    shapes,
    output,
    weights,
    folder,
    swapped=None,
    outside=(9.0, 9.0, 0.5),
    **options,
):
    """The contract of `glimpse/`: an image, and a place to look at.

    Beyond `check_layer`: a transposed image with x and y swapped gives the
    transposed glimpse, and weights that say so; channels are read alike and
    apart; height and width may be unknown; outside of the image are zeros,
    unless the init has another `padding`; Keras's global `image_data_format`
    changes nothing. A layer that is told no place starts as the identity:
    where its output is of the image's size, it is the image, exactly.

    Args:
        layer_class: The layer.
        inits: As in `check_layer`. Pairs among the arguments are sizes,
            `(height, width)`.
        shapes: As in `check_layer`, of `images` and of the place, if there is
            one: height and width differ, and there are several channels.
        output: As in `check_layer`.
        weights: As in `check_layer`.
        folder: As in `check_layer`.
        swapped: Function from an array, the place or a weight, to the same
            with x and y swapped; `None` is `swapped_by_shape`.
        outside: A place, as a row, that is wholly outside of the image, cut to
            as many numbers as a place has; or a list with one for each of
            `inits`, `None` where it need not be zeros there.
        **options: Further ones of `check_layer`.
    """
    own = list(inspect.signature(layer_class.call).parameters)
    assert own[:2] == ["self", "images"], "call must begin with `images`"
    _, height, width, channels = shapes["images"]
    assert height != width, "a square image hides what is exchanged"
    assert channels > 1, "a single channel hides what is mixed"
    check_layer(
        layer_class,
        inits,
        shapes,
        output,
        weights,
        folder,
        **{
            "free_axes": {**dict.fromkeys(shapes, ()), "images": (1, 2)},
            "weights_range": (-np.inf, np.inf),
            **options,
        },
    )
    for number, init in enumerate(inits):
        rng = np.random.default_rng(number)
        data = {
            name: drawn(rng, shape)
            if name == "images"
            # Off the diagonal, inside of the image, and a size if it is one.
            else rng.uniform(0.1, 0.6, shape).astype("float32")
            for name, shape in shapes.items()
        }
        layer = layer_class(**init)
        assert as_numpy(layer(**data)).any(), "it sees nothing"
        if len(data) == 1:
            check_start(layer, data)
        check_channels(layer, data, rng)
        check_outside(layer, init, data, picked(outside, number))
        check_global_format(layer, init, data)
        if not any(isinstance(x, keras.layers.Layer) for x in init.values()):
            # Another's network may be built for one size.
            check_transposed(layer, init, data, swapped or swapped_by_shape)
            axes = {name: () for name in data} | {"images": (1, 2)}
            check_free_axes(layer, data, axes)


def check_start(layer, data):
    """Told no place, a new layer shows the image."""
    glimpse, images = as_numpy(layer(**data)), data["images"]
    if glimpse.shape == images.shape:
        assert np.array_equal(glimpse, images), "at the start, no identity"


def check_transposed(layer, init, data, swapped):
    """The image transposed, x and y swapped: the glimpse transposed."""
    sizes = {
        name: value[::-1]
        for name, value in layer.get_config().items()
        if isinstance(value, (tuple, list)) and len(value) == 2
    }
    twin = type(layer)(**{**init, **sizes})
    turned = {
        name: array.swapaxes(1, 2) if name == "images" else swapped(array)
        for name, array in data.items()
    }
    actual, expected = ask_apart(twin, turned), ask_apart(layer, data)
    glimpse = as_numpy(expected.pop("glimpse")).swapaxes(1, 2)
    message = "a transposed image is not a transposed glimpse"
    assert tuple(actual["glimpse"].shape) == glimpse.shape, message
    check_close(actual.pop("glimpse"), glimpse, message)
    for name, array in expected.items():
        other = {"rows": "columns", "columns": "rows"}.get(name, name)
        array = as_numpy(array)
        turned = array if other != name else swapped(array)
        check_close(actual[other], turned, "the weights are not swapped")


def swapped_by_shape(array):
    """The same with x and y swapped.

    Args:
        array: Transforms `(..., 2, 3)` or `(..., 3, 3)`; points of a square,
            row by row, `(B, k * k, 2)`; or rows that begin with x and y.

    Returns:
        Array of the same shape.
    """
    if array.shape[-2:] in ((2, 3), (3, 3)) and array.ndim > 2:
        rows = [1, 0, 2][: array.shape[-2]]
        return array[..., rows, :][..., [1, 0, 2]]
    if array.ndim == 3:
        side = round(array.shape[1] ** 0.5)
        square = array.reshape(-1, side, side, 2).swapaxes(1, 2)
        return square.reshape(array.shape)[..., ::-1]
    return np.concatenate([array[..., 1::-1], array[..., 2:]], axis=-1)


def check_channels(layer, data, rng):
    """Each channel is read as the others are, whatever they hold."""
    images = data["images"]
    channels = images.shape[-1]
    before = by_channel(layer(**data), channels)
    order = np.roll(np.arange(channels), 1)
    moved = {**data, "images": images[..., order]}
    message = "channels are not read alike"
    check_close(
        by_channel(layer(**moved), channels), before[..., order], message
    )
    other = images.copy()
    other[..., 0] = rng.normal(size=images.shape[:-1])
    after = by_channel(layer(**{**data, "images": other}), channels)
    message = "a channel sees another"
    check_close(after[..., 1:], before[..., 1:], message)


def by_channel(glimpse, channels):
    """`(B, h, w, N * C)` as `(B, h, w, N, C)`."""
    glimpse = as_numpy(glimpse)
    return glimpse.reshape(*glimpse.shape[:-1], -1, channels)


def check_outside(layer, init, data, outside):
    """Beyond the image's edges there are zeros."""
    if outside is None or init.get("padding", "zeros") != "zeros":
        return
    for name in data.keys() - {"images"}:
        count = data[name].shape[-1]
        row = np.array(outside[:count], "float32")
        assert len(row) == count, f"`outside` must be a row of {count}"
        places = np.tile(row, (len(data[name]), 1))
        images = np.ones_like(data["images"])
        glimpse = as_numpy(layer(**{"images": images, name: places}))
        assert not glimpse.any(), "outside of the image are no zeros"


def check_global_format(layer, init, data):
    """Images are channels last, whatever Keras is told of its own layers."""
    setting = keras.config.image_data_format()
    expected = ask(layer, data)
    try:
        keras.config.set_image_data_format("channels_first")
        twin = type(layer)(**init)
        twin(**data)
        twin.set_weights(layer.get_weights())
        actual = ask(twin, data)
    except Exception as error:
        raise AssertionError(f"global channels_first: {error}") from error
    finally:
        keras.config.set_image_data_format(setting)
    check_close(actual, expected, "global channels_first changes the glimpse")


def ask_apart(layer, data):
    """The glimpse and each of the weights, by name."""
    answer = ask(layer, data)
    if not isinstance(answer, tuple):
        return {"glimpse": answer}
    glimpse, weights = answer
    if not isinstance(weights, dict):
        weights = {"weights": weights}
    return {"glimpse": glimpse, **weights}
