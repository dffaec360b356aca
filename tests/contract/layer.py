"""The contract of every layer."""

import keras
import numpy as np

from tests.contract.answers import (
    check_alone,
    check_data_format,
    check_memory,
    check_policies,
    check_samples,
    check_settings,
    check_weights,
    drawn,
    shapes_with_channels_first,
    with_channels_first,
)
from tests.contract.asking import (
    POLICIES,
    RUN,
    model_of,
    picked,
    randomize,
)
from tests.contract.constructor import (
    check_arguments,
    check_identity,
    check_names,
    check_recipe,
    constructor_parameters,
)
from tests.contract.lifecycle import (
    check_litert,
    check_reload,
    check_training,
)
from tests.contract.shapes import (
    check_build,
    check_empty,
    check_free_axes,
    check_questions,
    check_shapes,
    check_steps,
    check_unknown_depth,
)


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
    beside=(),
    learning_rate=0.1,
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
            at least 2, best 3. Channels last. A list of shapes, where the
            argument is a list of tensors.
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
        beside: Arguments that are tested beside the contract only, each for a
            reason written where it is given.

    Raises:
        AssertionError: If a promise is broken.
    """
    parameters = constructor_parameters(layer_class)
    for name in beside:
        del parameters[name]
    check_names(layer_class, parameters, inits)
    check_arguments(layer_class, parameters, inits)
    if not isinstance(free_axes, dict):
        free_axes = {name: free_axes for name in shapes}

    for number, init in enumerate(inits):
        rng = np.random.default_rng(number)
        expected = picked(output, number), picked(weights, number)
        data = {name: drawn(rng, shape) for name, shape in shapes.items()}
        if init.get("data_format") == "channels_first":
            data = with_channels_first(data)
            expected = shapes_with_channels_first(expected, shapes)
        limits = (0, 2) if init.get("identity_start") else weights_range
        axis = picked(sum_axis, number)

        given = copied(init)
        layer = layer_class(**init)
        assert init == given, f"the constructor changed its arguments: {init}"
        check_recipe(layer, parameters, init)
        if init.get("identity_start"):
            check_identity(layer, data)
        check_shapes(layer, data, *expected)
        check_weights(layer, data, limits, axis)

        model = model_of(layer, data)
        check_training(model, layer, data, number == 0, still, learning_rate)
        check_weights(layer, data, limits, axis)
        if number == 0 or RUN == POLICIES:
            check_alone(layer, data)
        check_samples(layer, data)
        check_memory(layer, data)
        check_reload(model, layer, data, folder, number)

        # With any weights, not only with those of a start.
        randomize(layer, rng)
        check_weights(layer, data, limits, axis)
        if "data_format" in parameters:
            check_data_format(layer, init, shapes, rng)
        if number == 0:
            check_unknown_depth(layer_class, init, data)
            check_empty(layer, data)
            check_questions(layer_class, init, data)
            check_build(layer, data)
            check_settings(layer, data, policies)
            check_steps(layer, data)
            check_policies(layer_class, init, data, limits, axis, policies)
            check_free_axes(layer, data, free_axes)
            if keras.backend.backend() == "tensorflow" and litert_batches:
                check_litert(layer, data, litert_batches, folder)


def copied(value):
    """A copy of the lists and dicts; what is in them is kept."""
    if isinstance(value, dict):
        return {key: copied(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(copied, value))
    return value
