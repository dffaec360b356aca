"""Shapes: what a layer returns, found by tracing its `call`.

Keras asks a layer for them in two ways. A plain layer answers the first,
`compute_output_spec`, and fails at the second, `compute_output_shape`, which
`keras.layers.TimeDistributed` and other wrappers rely on. A shape written by
hand repeats the equation and tells nothing of dtypes.
"""

import functools
import inspect
import random

import keras


def shapes_by_tracing(layer_class):
    """Class decorator: the layer answers every question about its outputs.

    It adds `compute_output_shape`, and `compute_output_spec` unless the class
    has its own. Both trace `call` without running it; a layer that is not
    built yet stays so, and no seed is drawn.

        compute_output_shape(*shapes, **options)

    takes the shapes in the order of the call arguments, or by name
    (`value_shape=`), and options as `call` takes them
    (`return_attention_scores=True`). It returns a shape, or shapes nested as
    the outputs are. Unknown sizes are `None`.

    And it refuses calls with an input that is known to be empty, which backends
    answer with NaN or with words of their own.

    Args:
        layer_class: A subclass of `keras.layers.Layer`, whose configuration
            rebuilds it.

    Returns:
        The same class.
    """
    if "compute_output_spec" not in vars(layer_class):
        layer_class.compute_output_spec = traced_spec
    layer_class.compute_output_shape = _compute_output_shape
    layer_class.call = _refusing_empty(layer_class.call)
    return layer_class


def traced_spec(layer, *args, **kwargs):
    """What a call of the layer returns, as `keras.KerasTensor`s.

    Right wherever Keras asks: in the middle of a call, and outside of one,
    where no scope of mixed precision is open and the layer may not be built.
    Floats are in the compute dtype, in which every layer answers (PyTorch's
    tracing takes the variables in full precision).

    Args:
        layer: A layer.
        *args: As `layer.call` takes them, with `keras.KerasTensor`s.
        **kwargs: Likewise.

    Returns:
        `keras.KerasTensor`s, nested as the outputs are.
    """
    if not layer.built:
        return _spec_of_twin(layer, args, kwargs)
    given = keras.tree.flatten((args, kwargs))
    symbolic = [isinstance(x, keras.KerasTensor) for x in given]

    def call(tensors):
        tensors = iter(tensors)
        filled = [next(tensors) if s else x for x, s in zip(given, symbolic)]
        packed = keras.tree.pack_sequence_as((args, kwargs), filled)
        return layer.call(*packed[0], **packed[1])

    fresh = [_unlinked(x) for x, s in zip(given, symbolic) if s]
    trace = _InPolicy(
        call,
        dtype=layer.dtype_policy,
        autocast=layer.autocast,
        name=layer.name,
    )
    return keras.tree.map_structure(
        lambda x: _unlinked(x, layer.compute_dtype), trace(fresh)
    )


def _refusing_empty(call):
    """A layer's `call` that takes no tensor with an axis of size 0."""
    _, *names = inspect.signature(call).parameters

    @functools.wraps(call)
    def checked(self, *args, **kwargs):
        for name, value in (*zip(names, args), *kwargs.items()):
            several = value if isinstance(value, (list, tuple)) else [value]
            for each in several:
                shape = getattr(each, "shape", ())
                if shape and 0 in tuple(shape):
                    raise ValueError(
                        f"`{name}` must have no axis of size 0, which leaves "
                        "nothing to attend to. "
                        f"Received: {name} of shape {tuple(shape)}"
                    )
        return call(self, *args, **kwargs)

    return checked


class _InPolicy(keras.layers.Layer):
    """Runs a function as a layer of that policy runs its `call`."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function
        self.built = True

    def call(self, tensors):
        return self.function(tensors)


def _compute_output_shape(self, *shapes, **options):
    if "input_shape" in options:  # Keras's word for an only input
        shapes = (options.pop("input_shape"), *shapes)
    arguments = {}
    for name, value in options.items():
        if name.endswith("_shape"):
            name = name.removesuffix("_shape")
            dtype = "bool" if name.endswith("mask") else self.compute_dtype
            value = _tensors(value, dtype)
        arguments[name] = value
    tensors = [_tensors(shape, self.compute_dtype) for shape in shapes]
    spec = self.compute_output_spec(*tensors, **arguments)
    return keras.tree.map_structure(lambda x: tuple(x.shape), spec)


def _tensors(shape, dtype):
    """A symbolic tensor of a shape; of nested shapes, several."""
    if isinstance(shape, dict):
        return {key: _tensors(one, dtype) for key, one in shape.items()}
    if shape and isinstance(shape[0], (list, tuple)):
        return [_tensors(one, dtype) for one in shape]
    return None if shape is None else keras.KerasTensor(shape, dtype=dtype)


def _spec_of_twin(layer, args, kwargs):
    state = random.getstate()  # from which Keras draws its default seeds
    try:
        twin = type(layer).from_config(layer.get_config())
        args, kwargs = keras.tree.map_structure(_unlinked, (args, kwargs))
        return keras.tree.map_structure(_unlinked, twin(*args, **kwargs))
    finally:
        random.setstate(state)


def _unlinked(tensor, dtype=None):
    """The same symbol outside of any graph of layers; a float in `dtype`."""
    if not isinstance(tensor, keras.KerasTensor):
        return tensor
    if dtype is None or not keras.backend.is_float_dtype(tensor.dtype):
        dtype = tensor.dtype
    return keras.KerasTensor(tensor.shape, dtype=dtype)
