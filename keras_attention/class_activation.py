"""Grad-CAM: which places of a feature map raise a class's score."""

import contextlib

import keras
import numpy as np
from keras import ops

from keras_attention.batches import batches, check_inputs, check_model, rows_of
from keras_attention.functional.axes import (
    channel_axis,
    resolve_data_format,
    spatial_axes,
)
from keras_attention.functional.gradients import gradient_inside
from keras_attention.hooks import (
    forward_hook,
    in_this_thread,
    layers_by_path,
    replaced,
)
from keras_attention.targets import (
    check_target,
    highest_classes,
    target_scores,
)


def grad_cam(
    model, inputs, layer=None, target=None, batch_size=32, data_format=None
):
    """Grad-CAM: which places of a feature map raise a class's score.

        weight[c] = mean over i, j of d score / d features[i, j, c]
        map[i, j] = relu(sum over c of weight[c] * features[i, j, c])

    It needs no attention layer, so models with and without attention can be
    compared by the same measure. `keras_attention.faithfulness` tests whether
    the score really rests on the places that a map shows.

    The score is the one before the softmax, as in the paper: after it, a class
    also gains by what lowers the others. Where the model ends in a softmax, as
    the `activation` of a layer or as a `Softmax` layer, it is left out while
    the scores are computed. Otherwise the score is what the model returns.

    The model runs twice for each batch, in inference mode (`training=False`),
    plainly, not compiled. Its weights, their gradients, its answers and its
    layers are left as they were.

    Args:
        model: A `keras.Model`: functional, Sequential or subclassed, with
            models and layers inside it.
        inputs: What the model takes, as for `model.predict`: an array, or a
            list or dict of arrays, samples first.
        layer: String. The name of a layer whose output is a feature map of rank
            4, or its path, as `attention_maps` writes them: `"conv"`,
            `"backbone/conv"`, and `"conv_2"` for the second call of `"conv"`.
            `None` takes the last output of rank 4 with more than one place, of
            the layers and operations of the model and of models inside it.
        target: Which score to explain: the index of a class, `(B,)` indices,
            or `None` for the class with the highest score of each sample; or a
            function from what the model returns to scores `(B,)`, each of its
            own sample, made of `keras.ops`. For a function no softmax is left
            out.
        batch_size: Positive integer. How many samples run at once.
        data_format: `"channels_last"` or `"channels_first"`, of the feature
            map. `None` takes that of the layer, or of the last layer called
            before it that has one.

    Returns:
        Float32 array `(B, h, w)`, the size of the feature map, not negative and
        not normalised. `keras_attention.pictures.heat_map` stretches it over
        the image.

    Raises:
        ValueError: If the model is not a `keras.Model`, no such feature map is
            computed, it is not of floats, the target is not as above or names
            a class that the model does not have, `batch_size` is below 1, or
            `inputs` is not made of arrays with the same number of samples, at
            least one.

    Example:

    >>> import numpy as np
    >>> image = keras.Input((8, 12, 3))
    >>> x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(image)
    >>> x = keras.layers.GlobalAveragePooling2D()(x)
    >>> model = keras.Model(image, keras.layers.Dense(10)(x))
    >>> grad_cam(model, np.ones((5, 8, 12, 3), "float32"), target=7).shape
    (5, 4, 6)

    Reference:
        Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra. Grad-CAM: Visual
        Explanations from Deep Networks via Gradient-based Localization. ICCV
        2017, section 3, equations 1 and 2. https://arxiv.org/abs/1610.02391
    """
    check_model(model)
    samples = check_inputs(inputs, batch_size)
    target = check_target(target, samples)
    if not model.built:
        model(rows_of(inputs, slice(1)), training=False)
    maps = []
    for rows in batches(samples, batch_size):
        wanted = target[rows] if isinstance(target, np.ndarray) else target
        run = _Run(model, layer, data_format)
        maps.append(_maps(model, rows_of(inputs, rows), run, wanted))
    return np.concatenate(maps)


def _maps(model, inputs, run, target):
    with forward_hook(model, run.note):
        outputs = model(inputs, training=False)
    run.check_found()
    softmax = None if callable(target) else run.softmax_before(outputs)
    if target is None:
        target = highest_classes(outputs)

    def scores(features):
        def put(path, layer, output):
            return features if path == run.path else output

        with _left_out(softmax), forward_hook(model, put):
            return target_scores(model(inputs, training=False), target)

    _, gradient = gradient_inside(scores, run.features)
    places = spatial_axes(4, run.data_format)
    weights = ops.mean(ops.cast(gradient, "float32"), places, keepdims=True)
    features = ops.cast(run.features, "float32")
    maps = ops.sum(weights * features, axis=channel_axis(run.data_format))
    return np.array(ops.convert_to_numpy(ops.relu(maps)))


class _Run:
    """What is kept of a run: one feature map, and the last softmax."""

    def __init__(self, model, layer, data_format):
        self.model = model
        self.layer = layer
        self.given_format = data_format and resolve_data_format(data_format)
        self.last_format = keras.config.image_data_format()
        self.path = self.features = self.data_format = None
        self.shapes = {}  # path -> shape of an output of rank 4
        self.softmax = (None, None)
        # Inside of layers, what is of rank 4 may be something else, such as
        # the weights of several heads.
        named = layers_by_path(
            model, enter=lambda layer: isinstance(layer, keras.Model)
        )
        self.outer = {layer for _, layer in named}

    def note(self, path, layer, output):
        """A forward hook that changes nothing."""
        own_format = getattr(layer, "data_format", None)
        self.last_format = own_format or self.last_format
        if len(getattr(output, "shape", ())) == 4:
            self.shapes[path] = tuple(output.shape)
            if self._is_wanted(path, layer):
                self.path, self.features = path, ops.stop_gradient(output)
                self.data_format = self._format()
        if _is_softmax(layer):
            self.softmax = (layer, output)
        return output

    def softmax_before(self, outputs):
        """The softmax that the model ends in, or `None`."""
        layer, output = self.softmax
        return layer if output is outputs else None

    def check_found(self):
        if self.features is not None:
            return
        if self.layer is None:
            raise ValueError(
                "The model must have a layer whose output is a feature map of "
                "rank 4 with more than one place. Received: "
                f"model={self.model.name!r} with outputs of rank 4: "
                f"{self.shapes}"
            )
        raise ValueError(
            "`layer` must be the name or path of a layer that is called and "
            "whose output is a feature map of rank 4. The last ones are "
            f"{dict(list(self.shapes.items())[-20:])}. "
            f"Received: layer={self.layer!r}"
        )

    def _is_wanted(self, path, layer):
        if self.layer is not None:
            return path == self.layer
        if layer not in self.outer:
            return False
        shape = self.shapes[path]
        axes = spatial_axes(4, self._format())
        return any(shape[axis] > 1 for axis in axes)

    def _format(self):
        return self.given_format or self.last_format


def _is_softmax(layer):
    # Keras's layer, and the operation behind `ops.softmax`.
    return (
        type(layer).__name__ == "Softmax"
        or getattr(layer, "activation", None) is keras.activations.softmax
    )


@contextlib.contextmanager
def _left_out(softmax):
    """Inside, a layer passes on what it would take the softmax of."""
    if softmax is None:
        yield
        return
    name = "activation" if hasattr(softmax, "activation") else "call"
    passing = in_this_thread(_first, getattr(softmax, name))
    with replaced(name, {softmax: passing}):
        yield


def _first(x, *args, **kwargs):
    return x
