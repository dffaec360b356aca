"""Forward hooks: a model's layers, watched or changed for one run."""

import contextlib
import threading

import keras

# One thread at a time: two that overlap would each restore what the other set.
_LOCK = threading.RLock()


@contextlib.contextmanager
def forward_hook(model, hook):
    """Inside, a function sees and may replace every output in a model.

    Args:
        model: A `keras.Model`, built.
        hook: Function `(path, layer, output)` that returns the output to pass
            on. It is called after each call of a layer or operation inside the
            model, from this thread. A layer that is called again has the path
            `"name_2"`, and so on.
    """
    found = layers_by_path(model)
    reserved = {path for path, _ in found}
    taken = set()

    def hooked(path, layer):
        call = layer.call

        def call_and_hook(*args, **kwargs):
            output = call(*args, **kwargs)
            name = free_path(path, taken, reserved)
            taken.add(name)
            return hook(name, layer, output)

        return in_this_thread(call_and_hook, call)

    calls = {layer: hooked(path, layer) for path, layer in found}
    with replaced("call", calls):
        yield


def layers_by_path(model, enter=lambda layer: True):
    """The layers and operations inside a model, in models and layers in it too.

    Args:
        model: A `keras.Model`.
        enter: Function of a layer: whether to look into it.

    Returns:
        A list of pairs `(path, layer)`, each layer once. The path of a layer at
        the top is its name; one inside follows after a slash.
    """
    found, seen = [], set()

    def walk(layer, prefix):
        for inner in _parts(layer):
            if id(inner) in seen:
                continue
            seen.add(id(inner))
            found.append((prefix + inner.name, inner))
            if enter(inner):
                walk(inner, f"{prefix}{inner.name}/")

    walk(model, "")
    return found


@contextlib.contextmanager
def replaced(attribute, values):
    """Inside, layers have other values of an attribute.

    Other threads wait for their turn to replace something.

    Args:
        attribute: String, the attribute's name.
        values: Dict from a layer to the attribute's value.
    """
    # Straight into the instance's dict: `setattr` would have Keras track it,
    # and PyTorch too.
    with _LOCK:
        own = {layer: vars(layer).get(attribute) for layer in values}
        try:
            for layer, value in values.items():
                vars(layer)[attribute] = value
            yield
        finally:
            for layer, value in own.items():
                if value is None:
                    vars(layer).pop(attribute, None)
                else:
                    vars(layer)[attribute] = value


def in_this_thread(function, elsewhere):
    """A function that does something else when another thread calls it.

    Args:
        function: Function for the calls from this thread.
        elsewhere: Function for the calls from other threads.

    Returns:
        A function.
    """
    thread = threading.get_ident()

    def call(*args, **kwargs):
        here = threading.get_ident() == thread
        return (function if here else elsewhere)(*args, **kwargs)

    return call


def free_path(path, taken, reserved):
    """The path, or the first of `path_2`, `path_3`, ... that names nothing.

    Args:
        path: String.
        taken: Container of the paths that are in use.
        reserved: Container of the paths that only their own layers may have.

    Returns:
        String.
    """
    name, count = path, 1
    while name in taken or (count > 1 and name in reserved):
        count += 1
        name = f"{path}_{count}"
    return name


def _parts(layer):
    if isinstance(layer, keras.Function):
        return layer.operations
    if isinstance(layer, keras.Model):
        return layer.layers
    if isinstance(layer, keras.layers.Layer):
        return layer._flatten_layers(include_self=False, recursive=False)
    return ()  # an operation
