"""Where a model looked: the weights of its attention layers, asked afterwards.

Models call their attention layers plainly and pay nothing for being looked at.
Here the same model runs once more while each attention layer notes its weights
on the side. Nothing of that stays behind on the model.
"""

import contextlib
import inspect
import math

import keras
import numpy as np
from keras import ops

from keras_attention.batches import batches, check_inputs, check_model, rows_of
from keras_attention.hooks import (
    free_path,
    in_this_thread,
    layers_by_path,
    replaced,
)


def attention_maps(model, inputs, batch_size=32):
    """Where a model looked: the weights of its attention layers, as arrays.

    An attention layer is any whose `call` takes `return_attention_scores`:
    those of this package, Keras's own `MultiHeadAttention`,
    `GroupQueryAttention`, `Attention` and `AdditiveAttention`, and yours. They
    are found in functional, Sequential and subclassed models, in the models
    and layers inside them, and in models loaded from disk. An attention layer
    inside another is not listed: the outer one answers for it.

    The model runs in inference mode (`training=False`), plainly, not compiled.
    Its weights, its answers and its layers are left as they were.

    Args:
        model: A `keras.Model`.
        inputs: What the model takes, as for `model.predict`: an array, or a
            list or dict of arrays, samples first.
        batch_size: Positive integer. How many samples run at once.

    Returns:
        Dict from a layer's path to its weights, in the order in which the
        layers are called. The path of a layer at the top is its name; one
        inside a model or layer follows after a slash, `"backbone/attention"`.
        A layer that is called again is listed again, as `"attention_2"`, and
        so on; the steps of `keras.layers.TimeDistributed` are one map,
        `(B, T, ...)`, and so are those of `keras.layers.RNN`, in the order of
        its outputs, with zeros at masked steps. The weights are a float32
        array, or a dict of arrays where the layer returns a dict, shaped as the
        layer says. Weights without a sample axis (of rank 1 or less) come as
        they are; those that are the same for all samples, as a layer says by
        `scores_of_samples = False`, are repeated for each, `(B, ...)`.

    Raises:
        ValueError: If the model has no attention layer, none was called or has
            weights, `batch_size` is below 1, or `inputs` is not made of arrays
            with the same number of samples, at least one.
        RuntimeError: If a layer was called inside a loop or a compiled
            function, which keep their tensors to themselves.

    Example:

    >>> import numpy as np
    >>> image = keras.Input((8, 8, 3))
    >>> query = keras.layers.Reshape((64, 3))(image)
    >>> attention = keras.layers.MultiHeadAttention(2, 4, name="attention")
    >>> model = keras.Model(image, attention(query, query))
    >>> maps = attention_maps(model, np.ones((5, 8, 8, 3), "float32"))
    >>> {name: weights.shape for name, weights in maps.items()}
    {'attention': (5, 2, 64, 64)}
    """
    check_model(model)
    samples = check_inputs(inputs, batch_size)
    if not model.built:
        model(rows_of(inputs, slice(1)), training=False)
    looks = []
    for rows in batches(samples, batch_size):
        _, maps = _look(model, rows_of(inputs, rows))
        looks.append(keras.tree.map_structure(_array, maps))
    return keras.tree.map_structure(
        lambda *parts: parts[0] if parts[0].ndim < 2 else np.concatenate(parts),
        *looks,
    )


def attention_model(model, return_outputs=False):
    """A model that answers with the attention weights of another.

    It takes the same inputs and shares all variables with `model`, so it
    follows whatever is trained there. It is an ordinary functional model: it
    can be compiled, run with `predict` and exported. Make it anew rather than
    saving it as `.keras`.

    Args:
        model: A functional or Sequential `keras.Model`, or any other that
            knows its inputs. See `attention_maps` for what is found in it.
        return_outputs: Boolean. Whether to return what `model` returns too.

    Returns:
        A `keras.Model` whose output is a flat dict from path to weights, in
        float32. The paths are those of `attention_maps`; weights that come as
        a dict are listed one by one, `"attention/channel"` and
        `"attention/spatial"`. With `return_outputs=True`, its output is
        `(outputs, weights)`, from one run of the network.

    Raises:
        ValueError: If the model has no attention layer, none is called or has
            weights, the model does not know its inputs yet, or the number of
            steps of a `TimeDistributed` is not known.

    Example:

    >>> tokens = keras.Input((6, 4), name="tokens")
    >>> attention = keras.layers.AdditiveAttention(name="attention")
    >>> model = keras.Model(tokens, attention([tokens, tokens]))
    >>> maps = attention_model(model).output
    >>> {path: weights.shape for path, weights in maps.items()}
    {'attention': (None, 6, 6)}
    """
    check_model(model)
    inputs = _fresh_inputs(model)
    looking = _Looking(model, return_outputs, name="looking")
    return keras.Model(inputs, looking(inputs), name=f"{model.name}_attention")


class _Looking(keras.layers.Layer):
    """A whole model as one layer that returns the attention weights inside.

    Being called within a layer, the model is traced and leaves no nodes in the
    graph of its own layers, which rebuilding that graph would.
    """

    def __init__(self, model, return_outputs, **kwargs):
        super().__init__(autocast=False, dtype="float32", **kwargs)
        self.model = model
        self.return_outputs = return_outputs
        self.supports_masking = True

    def call(self, inputs):
        outputs, maps = _look(self.model, inputs)
        flat = {}
        for path, weights in maps.items():
            if isinstance(weights, dict):
                flat |= {f"{path}/{key}": w for key, w in weights.items()}
            else:
                flat[path] = weights
        return (outputs, flat) if self.return_outputs else flat

    def compute_mask(self, inputs, previous_mask=None):
        return None


def _fresh_inputs(model):
    """Inputs of their own, like those of the model."""
    try:
        if isinstance(model, keras.Sequential):
            # One that was built by data holds that data's batch size.
            (x,) = model.inputs
            return keras.Input(x.shape[1:], dtype=x.dtype, name=x.name)
        return keras.tree.map_structure(
            lambda x: keras.Input(
                batch_shape=x.shape, dtype=x.dtype, name=x.name
            ),
            model.input,
        )
    except (AttributeError, TypeError, ValueError):
        raise ValueError(
            "The model must know its inputs, as functional models do, and "
            "Sequential ones that have seen data. For another, use "
            "`attention_maps`, which is given the data. "
            f"Received: model={model.name!r} of type {type(model).__name__}"
        ) from None


def _look(model, inputs):
    """Runs the model; returns its outputs, and path -> float32 weights."""
    found = _attention_layers(model)
    if not found:
        kinds = sorted({type(layer).__name__ for layer in model.layers})
        raise ValueError(
            "The model must contain an attention layer, one whose `call` takes "
            "`return_attention_scores`: a layer of keras_attention, or Keras's "
            "MultiHeadAttention, GroupQueryAttention, Attention or "
            "AdditiveAttention. "
            f"Received: model={model.name!r} with layers of type {kinds}"
        )
    maps = {}
    with _noting(found, _distributed(model), _loops(model, found), maps):
        outputs = model(inputs, training=False)
    if not maps:
        raise ValueError(
            "At least one attention layer must be called when the model is, "
            "and outside of functions compiled before. "
            f"Received: model={model.name!r}, which called none of "
            f"{[path for path, _ in found]}"
        )
    if not keras.tree.flatten(maps):
        raise ValueError(
            "At least one attention layer must have weights to show, which "
            'some have not (`ABCNN(variant="bcnn")`). '
            f"Received: model={model.name!r} with {list(maps)}"
        )
    return outputs, maps


def _attention_layers(model):
    """Pairs (path, layer) of the outermost attention layers, each once."""
    return [
        (path, layer)
        for path, layer in layers_by_path(model, enter=_is_plain)
        if not _is_plain(layer)
    ]


def _distributed(model):
    """The `TimeDistributed` layers of a model, each once."""
    return [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.TimeDistributed)
    ]


def _loops(model, found):
    """The `RNN` layers of a model whose cells look, each once."""
    looking = {id(layer) for _, layer in found}
    return [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.RNN)
        and any(id(part) in looking for part in layer._flatten_layers())
    ]


def _is_plain(layer):
    arguments = inspect.signature(type(layer).call).parameters
    return "return_attention_scores" not in arguments


@contextlib.contextmanager
def _noting(found, distributed, loops, maps):
    """Inside, every call of a found layer from this thread is noted in `maps`.

    For that time the layers carry a `call` of their own in front of their
    class's. Other threads may go on calling them: they get what they ask for.
    """
    reserved = {path for path, _ in found}
    open_maps = [maps]  # the last is that of the step being run

    def noted(path, layer):
        call = layer.call

        def call_and_note(*args, **kwargs):
            asked = kwargs.pop("return_attention_scores", False)
            result = call(*args, **kwargs, return_attention_scores=True)
            *outputs, weights = result
            if not getattr(layer, "scores_of_samples", True):
                weights = _of_each_sample(weights, outputs)
            note(path, keras.tree.map_structure(_float32, weights))
            if asked:
                return result
            return outputs[0] if len(outputs) == 1 else tuple(outputs)

        return in_this_thread(call_and_note, call)

    def note(path, weights):
        open_maps[-1][free_path(path, open_maps[-1], reserved)] = weights

    def in_steps(layer):
        """The call of a `TimeDistributed`, which calls its layer plainly."""
        call = layer.call

        def call_by_steps(inputs, *args, **kwargs):
            if not isinstance(inputs.shape[1], int):
                raise ValueError(
                    "The number of steps must be known, of which the weights "
                    "are put together. Received: "
                    f"{layer.name!r} with inputs of shape {inputs.shape}"
                )
            steps, step = [], layer.layer.call

            def call_step(*args, **kwargs):
                open_maps.append({})
                try:
                    return step(*args, **kwargs)
                finally:
                    steps.append(open_maps.pop())

            stepping = in_this_thread(call_step, step)
            with replaced("call", {layer.layer: stepping}):
                result = call(inputs, *args, **kwargs)
            for path in steps[0] if steps else ():
                weights = keras.tree.map_structure(
                    _of_all_steps, *[maps[path] for maps in steps]
                )
                note(path, weights)
            return result

        return in_this_thread(call_by_steps, call)

    def in_loop(layer):
        """The call of an `RNN`, whose loop keeps its tensors to itself.

        The loop runs once more beforehand, with the weights as its outputs.
        """
        call = layer.call

        def noted_step(inputs, states):
            open_maps.append({})
            try:
                _, states = layer.cell(inputs, states)
                return open_maps[-1], states
            finally:
                open_maps.pop()

        def call_and_note(sequences, initial_state=None, mask=None, **kwargs):
            looks = _run_for_weights(
                layer, noted_step, sequences, initial_state, mask
            )
            open_maps.append({})
            try:
                result = call(
                    sequences, initial_state=initial_state, mask=mask, **kwargs
                )
            finally:
                open_maps.pop()
            for path, weights in looks.items():
                note(path, weights)
            return result

        return in_this_thread(call_and_note, call)

    calls = {layer: noted(path, layer) for path, layer in found}
    calls |= {layer: in_loop(layer) for layer in loops}
    calls |= {layer: in_steps(layer) for layer in distributed}
    with replaced("call", calls):
        yield


class _Weighing:
    """A cell for `keras.layers.RNN` that answers with its weights, flat.

    A step that a mask hides has zeros and keeps the states. Keras's own way
    takes one of the states for the output on JAX; so the mask comes as a last
    feature of the inputs.
    """

    def __init__(self, layer, noted_step, masked):
        self.state_size = layer.cell.state_size
        self.output_size = 1  # is not asked in a plain run
        self.compute_dtype = layer.cell.compute_dtype
        self.get_initial_state = layer.get_initial_state
        self.noted_step = noted_step
        self.masked = masked
        self.weights, self.shapes = {}, []  # of a step, without samples

    def call(self, inputs, states):
        if self.masked:
            inputs, seen = inputs[..., :-1], inputs[..., -1]
            seen = ops.reshape(seen, (ops.shape(seen)[0], -1))[:, :1] > 0
        weights, new_states = self.noted_step(inputs, states)
        parts = keras.tree.flatten(weights)
        self.weights = keras.tree.map_structure(lambda x: 0, weights)
        self.shapes = [tuple(x.shape)[1:] for x in parts]
        flat = ops.concatenate(
            [
                ops.reshape(x, (-1, math.prod(shape)))
                for x, shape in zip(parts, self.shapes)
            ],
            axis=-1,
        )
        if self.masked:
            flat = ops.where(seen, flat, 0.0)
            new_states = keras.tree.map_structure(
                lambda new, old: ops.where(
                    ops.reshape(seen, (-1, *[1] * (len(new.shape) - 1))),
                    new,
                    old,
                ),
                list(new_states),
                list(states),
            )
        return flat, new_states

    __call__ = call


def _run_for_weights(layer, noted_step, sequences, initial_state, mask):
    """Path -> `(B, T, ...)`, what the cell of an `RNN` noted in each step."""
    if mask is not None:
        column = ops.ones_like(sequences[..., :1])
        seen = ops.cast(mask, column.dtype)
        seen = ops.reshape(
            seen, (*ops.shape(seen)[:2], *[1] * (len(column.shape) - 2))
        )
        sequences = ops.concatenate([sequences, column * seen], axis=-1)
    if initial_state is None and layer.stateful:
        initial_state = keras.tree.map_structure(
            ops.convert_to_tensor, list(layer.states)
        )
    cell = _Weighing(layer, noted_step, mask is not None)
    loop = keras.layers.RNN(
        cell,
        return_sequences=True,
        go_backwards=layer.go_backwards,
        unroll=layer.unroll,
        dtype="float32",
    )
    flat = loop.call(sequences, initial_state=initial_state)
    parts, start = [], 0
    for shape in cell.shapes:
        part = flat[:, :, start : start + math.prod(shape)]
        parts.append(ops.reshape(part, (*ops.shape(part)[:2], *shape)))
        start += math.prod(shape)
    packed = keras.tree.pack_sequence_as(cell.weights, parts)
    return {path: packed[path] for path in cell.weights}


def _of_each_sample(weights, outputs):
    """Weights that all samples share as `(B, ...)`, the batch of an output."""
    output = keras.tree.flatten(outputs)[0]
    places = tuple(range(1, len(output.shape)))
    zeros = ops.sum(ops.zeros_like(output), axis=places)  # (B,)
    return weights[None] + ops.reshape(zeros, (-1, *[1] * len(weights.shape)))


def _of_all_steps(first, *others):
    """Weights of each step as `(B, T, ...)`; those of no sample as they are."""
    if len(first.shape) < 2:
        return first
    return ops.stack([first, *others], axis=1)


def _float32(weights):
    kind = keras.backend.standardize_dtype(weights.dtype)
    return ops.cast(weights, "float32") if "float" in kind else weights


def _array(weights):
    try:
        return np.array(ops.convert_to_numpy(weights))
    except Exception as error:
        raise RuntimeError(
            "Every attention layer must be called plainly: this one was called "
            "inside a loop (`while_loop`, `scan`) or a compiled "
            "function, which keep their tensors to themselves. "
            f"Received: weights={weights}"
        ) from error
