"""Graphs of functional models: which layer is called when, and on what."""

import dataclasses
from typing import Any

import keras

# At the end of a residual branch these only drop, scale or pass on what it
# computed. Those by name have no public class in Keras, or are a user's.
_TAILS = (keras.layers.Dropout, keras.layers.Identity)
_TAIL_NAMES = ("DropPath", "LayerScale", "StochasticDepth")
# After these, layers or operations, channels may be on another axis.
_AXIS_MOVERS = ("Moveaxis", "Permute", "Reshape", "Swapaxes", "Transpose")


@dataclasses.dataclass(eq=False)
class Call:
    """One call of a layer in a functional model.

    Attributes:
        layer: The layer of the model, or the operation (`x + y`).
        feeders: List of the calls whose outputs it takes; empty for an input.
        output: `keras.KerasTensor`, or several.
        before: Set of all calls that it depends on.
        depth: Integer. The number of layers on the longest way from an input
            to its output; a layer counts as many as it contains, and itself.
        data_format: `"channels_last"`, `"channels_first"` or `None`, of the
            layer or else of the first feeder that has one. Not known after
            axes were moved.
        dtype_policy: `keras.DTypePolicy` or `None`, likewise.
    """

    layer: Any
    feeders: list
    output: Any
    before: set = dataclasses.field(init=False)
    depth: int = dataclasses.field(init=False)
    data_format: str | None = dataclasses.field(init=False)
    dtype_policy: Any = dataclasses.field(init=False)

    def __post_init__(self):
        feeders = self.feeders
        self.before = set(feeders).union(*[f.before for f in feeders])
        self.depth = _size(self.layer) + max(
            [f.depth for f in feeders], default=0
        )
        self.data_format = self._own_or_inherited("data_format")
        if type(self.layer).__name__ in _AXIS_MOVERS:
            self.data_format = None
        self.dtype_policy = self._own_or_inherited("dtype_policy")

    def _own_or_inherited(self, name):
        found = [getattr(self.layer, name, None)]
        found += [getattr(feeder, name) for feeder in self.feeders]
        return next((value for value in found if value), None)


def is_graph(layer):
    """Whether a layer is a functional or built Sequential model.

    One whose class has a `call` of its own does not count: its graph is not
    all that it does.
    """
    known = isinstance(layer, keras.Function) or (
        isinstance(layer, keras.Sequential) and layer.built
    )
    return known and type(layer).call.__module__.startswith("keras.")


def plain_graph(model):
    """A model as a plain functional one of the same layers, not compiled.

    Args:
        model: A `keras.Model` for which `is_graph` holds.

    Returns:
        A `keras.Model`.
    """
    if isinstance(model, keras.Sequential):
        (inputs,) = model.inputs
        outputs = keras.tree.pack_sequence_as(
            model.compute_output_spec(inputs), model.outputs
        )
    else:
        inputs, outputs = model.input, model.output
    return keras.Model(inputs, outputs, name=model.name)


def rebuilt(model, copy, call):
    """A model rebuilt layer by layer, on inputs of its own.

    Args:
        model: A `keras.Model` for which `is_graph` holds.
        copy: Function of a layer or operation of the model that returns what
            takes its place; asked once for each.
        call: Function `(layer, *args, **kwargs)` that calls what `copy` gave.

    Returns:
        A functional `keras.Model`, not compiled.
    """
    graph = plain_graph(model)
    input_layers = {
        id(layer.output): layer
        for layer in graph.layers
        if isinstance(layer, keras.layers.InputLayer)
    }
    # A Sequential model that was built by data has that data's batch size.
    any_batch = isinstance(model, keras.Sequential)

    def fresh(x):
        config = input_layers[id(x)].get_config()
        if any_batch:
            config["batch_shape"] = (None, *config["batch_shape"][1:])
        return keras.layers.InputLayer.from_config(config).output

    return keras.models.clone_model(
        graph,
        input_tensors=keras.tree.map_structure(fresh, graph.input),
        clone_function=copy,
        call_function=call,
    )


def calls_of(model):
    """All calls of layers in a model, the inputs not counted.

    Nothing is computed, and the model is left as it is.

    Args:
        model: A `keras.Model` for which `is_graph` holds. Models inside it
            count as layers.

    Returns:
        A list of `Call`, in the order in which `rebuilt` calls the layers.
    """
    calls, made_by = [], {}

    def feeder(x):
        if id(x) not in made_by:
            made_by[id(x)] = Call(None, [], x)  # an input
        return made_by[id(x)]

    def call(outline, *args, **kwargs):
        output = outline(*args, **kwargs)
        feeders = [feeder(x) for x in _tensors((args, kwargs))]
        calls.append(Call(outline.layer, feeders, output))
        made_by.update({id(x): calls[-1] for x in _tensors(output)})
        return output

    rebuilt(model, _Outline, call)
    return calls


def branch_ends(calls):
    """The calls at which residual branches end, before the sum.

    Of the tensors that are added the one with the least depth is the shortcut;
    all that are deeper are branches. Dropout, a scale for each channel, and
    what passes its input on do not count to a branch's end.

    Args:
        calls: List of `Call`, of one model.

    Returns:
        A list of those that end a branch.
    """
    ends = []
    for call in calls:
        if _is_residual_sum(call):
            shortcut = min(feeder.depth for feeder in call.feeders)
            ends += [
                _without_tail(feeder, shortcut)
                for feeder in call.feeders
                if feeder.depth > shortcut
            ]
    return ends


class _Outline(keras.Operation):
    """Stands for a layer of a model where only its shapes are asked for."""

    def __init__(self, layer):
        super().__init__(name=layer.name)
        self.layer = layer

    def compute_output_spec(self, *args, **kwargs):
        return self.layer.compute_output_spec(*args, **kwargs)


def _is_residual_sum(call):
    """Whether it adds several tensors of its shape that come from one."""
    # Keras's layer, and the operation behind `+`, which has no public name.
    if type(call.layer).__name__ != "Add" or len(call.feeders) < 2:
        return False
    shapes = [getattr(f.output, "shape", None) for f in call.feeders]
    origins = [f.before | {f} for f in call.feeders]
    return set(shapes) == {call.output.shape} and bool(
        set.intersection(*origins)
    )


def _without_tail(call, shortcut):
    while _is_tail(call.layer) and call.feeders[0].depth > shortcut:
        (call,) = call.feeders
    return call


def _is_tail(layer):
    return (
        isinstance(layer, _TAILS)
        or type(layer).__name__ in _TAIL_NAMES
        or (
            isinstance(layer, keras.layers.Activation)
            and layer.activation is keras.activations.linear
        )
    )


def _size(layer):
    """How many layers a layer contains, and itself."""
    if isinstance(layer, keras.layers.Layer):
        return len(layer._flatten_layers())
    return 1


def _tensors(structure):
    return [
        x
        for x in keras.tree.flatten(structure)
        if isinstance(x, keras.KerasTensor)
    ]
