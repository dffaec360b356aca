"""Attention attached to an existing model, with all its weights kept."""

import contextlib
import fnmatch
import inspect
import re
from typing import Any, NamedTuple

import keras

from keras_attention.copying import copy_layer, copy_state
from keras_attention.graphs import (
    branch_ends,
    calls_of,
    is_graph,
    plain_graph,
    rebuilt,
)


class AttachmentPoint(NamedTuple):
    """A place in a model, after a layer, where another can be attached.

    Attributes:
        name: String. The layer's name, after those of the models around it:
            `"conv_1"`, `"backbone/conv_1"`. A further call of a layer without
            weights is a place of its own: `"relu_2"`.
        layer: That layer of the model, or the operation (`x + y`).
        shape: Tuple. The shape of its output; unknown sizes are `None`.
        data_format: `"channels_last"` or `"channels_first"`, of that layer or
            of the nearest one before that has one; `None` if there is none.
        dtype_policy: `keras.DTypePolicy`, likewise.
        before_sum: Boolean. Whether a residual branch ends there.
    """

    name: str
    layer: Any
    shape: tuple
    data_format: str | None
    dtype_policy: Any
    before_sum: bool


def attach_attention(model, make_layer, where="before_sum"):
    """Attaches attention to a model, trained or not, at places of your choice.

    At every chosen place a new layer takes the output of the old one and passes
    it on. If it starts as the identity, as `CBAM(identity_start=True)` does,
    the new model gives the same outputs as the old one until it is trained.

    The result has copies of all layers, with the same names and weights, so
    training it leaves `model` as it is. It is a plain functional model, not
    compiled: the state of an optimizer is not carried over, nor is a
    `train_step` of the model's own class. Frozen layers stay frozen; attached
    ones are trainable.

    Args:
        model: A functional or a built Sequential `keras.Model`. Places in the
            models inside it count too, places inside other layers do not.
        make_layer: Callable that makes the layer for one place: a class such as
            `CBAM`, or a function without arguments or of the
            `AttachmentPoint`. While it runs, Keras's global dtype policy and
            image data format are those of the place. The layer must keep the
            shape. It is named after the place, `"conv_1_cbam"`.
        where: Which places to choose:

            - `"before_sum"`: the end of each residual branch, where the papers
              put attention. Of the tensors that are added, the shortcut is
              the one with the fewest layers on its way; the others are
              branches. A branch's last dropout, stochastic depth, LayerScale or
              identity comes after the place.
            - Any other string: a shell pattern for names, `"*_project_BN"`.
            - A class: every layer of it.
            - A function: every `AttachmentPoint` for which it is true.

    Returns:
        A `keras.Model`. A layer with weights that is called several times is
        one place: as it shares its weights, its calls share the attached layer.
        A chosen layer that is an output of the model gives that output the name
        of the attached one.

    Raises:
        ValueError: If the model is subclassed or not built, no place is chosen,
            `make_layer` is not such a callable or gives the same layer twice,
            an attached layer refuses its input or changes its shape, or a
            layer of the model cannot be copied by its configuration.

    Example:

    >>> from keras_attention.feature_map.cbam import CBAM
    >>> image = keras.Input((8, 8, 16))
    >>> x = keras.layers.Conv2D(16, 3, padding="same", name="conv")(image)
    >>> model = keras.Model(image, keras.layers.add([image, x]))
    >>> attached = attach_attention(model, lambda: CBAM(identity_start=True))
    >>> [layer.name for layer in attached.layers][1:3]
    ['conv', 'conv_cbam']
    """
    survey = _Survey(_checked(model))
    chosen = _chosen(survey.points, where)
    if not chosen:
        raise ValueError(
            "`where` must choose at least one place of the model. "
            f"{_listed(survey.points)} Received: where={where!r}"
        )
    return _Attaching(survey, chosen, make_layer).attached(model)


def attachment_points(model, where="before_sum"):
    """The places of a model at which `attach_attention` would attach a layer.

    Args:
        model: As `attach_attention` takes it.
        where: Likewise. `"*"` chooses all places: all layers and operations
            with a single output, except the model's inputs.

    Returns:
        A list of `AttachmentPoint`, named tuples `(name, layer, shape,
        data_format, dtype_policy, before_sum)`, in the order in which the
        layers are called. Empty if no place is chosen.

    Raises:
        ValueError: If the model is subclassed or not built, or `where` is
            neither a string, a class nor a function.

    Example:

    >>> image = keras.Input((8, 8, 16))
    >>> x = keras.layers.Conv2D(16, 3, padding="same", name="conv")(image)
    >>> model = keras.Model(image, keras.layers.add([image, x]))
    >>> [(point.name, point.shape) for point in attachment_points(model)]
    [('conv', (None, 8, 8, 16))]
    """
    return _chosen(_Survey(_checked(model)).points, where)


class _Survey:
    """All places of a model, and which of them each call of a layer is."""

    def __init__(self, model):
        self.points = []
        self.of_calls = {}  # id of a model -> the point of each call, or `None`
        self.taken = {}  # id of a model -> the names in it
        self._visit(model, "")

    def _visit(self, model, prefix):
        calls = calls_of(model)
        ends = {_place(call) for call in branch_ends(calls)}
        taken = {layer.name for layer in plain_graph(model).operations}
        of_calls = []
        self.of_calls[id(model)], self.taken[id(model)] = of_calls, taken
        known, met = {}, set()
        for call in calls:
            layer, place = call.layer, _place(call)
            if is_graph(layer) and id(layer) not in self.of_calls:
                self._visit(layer, f"{prefix}{layer.name}/")
            single = isinstance(call.output, keras.KerasTensor)
            if single and place not in known:
                name = _free(layer.name, taken) if layer in met else layer.name
                known[place] = _point(prefix + name, call, place in ends)
                self.points.append(known[place])
            met.add(layer)
            of_calls.append(known.get(place))


class _Attaching:
    """Copies a model, and attaches a layer at each of the chosen places."""

    def __init__(self, survey, chosen, make_layer):
        self.survey = survey
        self.chosen = {point.name for point in chosen}
        self.make = _maker(make_layer)
        self.made = {}  # name of a place -> the layer attached there
        self.copies = {}  # id of a layer -> (layer, copy, whether it is frozen)

    def attached(self, model):
        new = self._rebuilt(model, frozen=False)
        copies = [
            entry
            for entry in self.copies.values()
            if isinstance(entry[0], keras.layers.Layer)
            and not is_graph(entry[0])
        ]
        _check_owners([layer for layer, _, _ in copies])
        for layer, copy, frozen in copies:
            copy_state(layer, copy)
            if frozen:
                copy.trainable = False
        return new

    def _rebuilt(self, model, frozen):
        points = iter(self.survey.of_calls[id(model)])
        taken = self.survey.taken[id(model)]
        frozen = frozen or not model.trainable

        def call(layer, *args, **kwargs):
            output = layer(*args, **kwargs)
            point = next(points)
            if point is None or point.name not in self.chosen:
                return output
            return _pass(output, self._layer_at(point, taken), point)

        return rebuilt(model, lambda layer: self._copied(layer, frozen), call)

    def _copied(self, layer, frozen):
        if id(layer) not in self.copies:
            if is_graph(layer):
                copy = self._rebuilt(layer, frozen)
            else:
                copy = copy_layer(layer)
            self.copies[id(layer)] = layer, copy, frozen
        return self.copies[id(layer)][1]

    def _layer_at(self, point, taken):
        if point.name not in self.made:
            with _settings_of(point):
                layer = self.make(point)
            if any(layer is other for other in self.made.values()):
                raise ValueError(
                    "`make_layer` must make a new layer at each call, for each "
                    "place has weights of its own. Received: the same layer "
                    f"{layer.name!r} for {list(self.made)} and {point.name!r}"
                )
            place = point.name.rpartition("/")[2]
            layer.name = _free(f"{place}_{_snake_case(layer)}", taken)
            self.made[point.name] = layer
        return self.made[point.name]


def _place(call):
    """What makes the place of a call: its layer, if that has weights."""
    return call.layer if getattr(call.layer, "weights", None) else call


def _point(name, call, before_sum):
    return AttachmentPoint(
        name,
        call.layer,
        tuple(call.output.shape),
        call.data_format,
        call.dtype_policy,
        before_sum,
    )


def _pass(tensor, layer, point):
    """What a layer returns for the output of its place."""
    try:
        output = layer(tensor)
    except Exception as error:
        raise ValueError(
            "The attached layer must take the output of its place; let `where` "
            "choose others, or `make_layer` make what fits. "
            f"Received: {type(layer).__name__} at {point.name!r} of shape "
            f"{point.shape}, which raised {type(error).__name__}: {error}"
        ) from error
    shape = getattr(output, "shape", None)
    if (
        shape is None
        or len(shape) != len(tensor.shape)
        or any(
            None not in (new, old) and new != old
            for new, old in zip(shape, tensor.shape)
        )
    ):
        raise ValueError(
            "The attached layer must return one tensor of the shape that it "
            f"takes. Received: {type(layer).__name__} at {point.name!r} of "
            f"shape {point.shape}, which returned {output}"
        )
    return output


@contextlib.contextmanager
def _settings_of(point):
    """Inside, layers are made under the settings of a place."""
    policy = keras.config.dtype_policy()
    data_format = keras.config.image_data_format()
    try:
        keras.config.set_dtype_policy(point.dtype_policy or policy)
        keras.config.set_image_data_format(point.data_format or data_format)
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        keras.config.set_image_data_format(data_format)


def _maker(make_layer):
    """`make_layer` as a function of the place."""
    needed = _needed(make_layer)
    if (
        isinstance(make_layer, keras.layers.Layer)
        or needed is None
        or needed > (0 if inspect.isclass(make_layer) else 1)
    ):
        raise ValueError(
            "`make_layer` must make a new layer for each place: a class that "
            "needs no arguments (`CBAM`), or a function without arguments or "
            "of the place (`lambda: CBAM(ratio=8)`), and not a layer, which "
            f"all places would share. Received: make_layer={make_layer!r}"
        )

    def make(point):
        layer = make_layer(point) if needed else make_layer()
        if not isinstance(layer, keras.layers.Layer):
            raise ValueError(
                "`make_layer` must return a `keras.layers.Layer`. Received: "
                f"{layer!r} of type {type(layer).__name__} for {point.name!r}"
            )
        return layer

    return make


def _needed(function):
    """How many positional arguments it must have; `None` if not callable."""
    if not callable(function):
        return None
    return sum(
        parameter.default is parameter.empty
        and parameter.kind
        in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        for parameter in inspect.signature(function).parameters.values()
    )


def _chosen(points, where):
    if where == "before_sum":
        return [point for point in points if point.before_sum]
    if isinstance(where, str):
        return [point for point in points if _is_named(point, where)]
    if inspect.isclass(where):
        return [point for point in points if isinstance(point.layer, where)]
    if callable(where) and not isinstance(where, keras.layers.Layer):
        return [point for point in points if where(point)]
    raise ValueError(
        '`where` must be "before_sum", a pattern of names, a class of layers '
        f"or a function of an `AttachmentPoint`. Received: where={where!r}"
    )


def _is_named(point, pattern):
    """Whether a pattern fits a place, or its layer: then all of its calls."""
    prefix = point.name[: point.name.rfind("/") + 1]
    names = point.name, prefix + point.layer.name
    return any(fnmatch.fnmatchcase(name, pattern) for name in names)


def _listed(points, most=50):
    names = ", ".join(point.name for point in points[:most])
    more = len(points) - most
    end = f" and {more} more (`attachment_points(model, '*')`)." * (more > 0)
    return f"Its places are {names}{end or '.'}"


def _free(name, taken):
    """The name, or the first of `name_2`, ... that is not taken; takes it."""
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{name}_{count}"
    taken.add(free)
    return free


def _snake_case(layer):
    """As Keras names a layer after its class: `SEBlock` is `se_block`."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _check_owners(layers):
    """Refuses a variable of two layers, of which each would get a copy."""
    owners = {}
    for layer in layers:
        for variable in layer.variables:
            owner = owners.setdefault(id(variable), layer)
            if owner is not layer:
                raise ValueError(
                    "Every weight must belong to one layer of the model, or "
                    "the copies of two would no longer share it. Received: "
                    f"{variable.path!r} in {owner.name!r} and {layer.name!r}"
                )


def _checked(model):
    if not isinstance(model, keras.Model):
        raise ValueError(
            "`model` must be a functional or Sequential `keras.Model`. "
            f"Received: model={model!r} of type {type(model).__name__}"
        )
    if isinstance(model, keras.Sequential) and not model.built:
        raise ValueError(
            "A Sequential model must be built, so that its shapes are known: "
            "begin it with `keras.Input`, or call it on data first. "
            f"Received: model={model.name!r}"
        )
    if not is_graph(model):
        raise ValueError(
            "`model` must be functional or Sequential: nothing can be put into "
            "a model's own `call` from outside. Call the attention there; or, "
            "if the class holds a functional model, let its constructor do "
            "`self.backbone = attach_attention(backbone, ...)`. "
            f"Received: model={model.name!r} of type {type(model).__name__}"
        )
    return model
