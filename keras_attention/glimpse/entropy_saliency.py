"""Entropy saliency: how a dynamic capacity network finds where to look."""

import copy

import keras
from keras import ops

from keras_attention.arguments import check_known_depth
from keras_attention.functional.axes import check_rank
from keras_attention.functional.gradients import gradient_inside
from keras_attention.functional.known import as_floats
from keras_attention.shapes import shapes_by_tracing

LEAST = 1e-30  # to divide by: well above what float32 rounds to zero


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class EntropySaliency(keras.layers.Layer):
    """Entropy saliency: the places that decide how sure a classifier is.

        p = softmax(top(features))
        entropy = -sum_k p[k] * log p[k]
        saliency[i, j] = ||d entropy / d features[i, j]||

    Where the features hardly change the entropy, a closer look would not
    either; where they change it most, it helps most. No label is needed, so it
    works at inference as in training. The saliency is a constant: no gradient
    flows through it, neither to the features nor to the classifier, which
    learns from its own use elsewhere.

    Args:
        top: A Keras layer or model from features to logits `(B, classes)`,
            before the softmax, for at least two classes; or a list of layers,
            one called after the other. It is run as at inference
            (`training=False`), so that it records no statistics.
        own_top: Boolean. Whether the weights of `top` are this layer's, too.
            Say `False` where `top` is part of the model around this layer, as
            in the paper, where it is the classifier: then its weights are
            saved, frozen and built with that model only, and stay shared when
            it is saved and loaded, though not in a clone
            (`keras.models.clone_model`).
        **kwargs: Keras's own: `name`, `dtype`, `trainable`. `top` keeps its own
            `dtype`.

    Call arguments:
        features: `(B, h, w, D)`, channels last. h and w may be unknown where
            `top` allows it (on JAX, without strides and maximum pooling).
        return_attention_scores: Boolean. Whether to return the weights too.

    Returns:
        The saliency, `(B, h, w)`, not negative; with
        `return_attention_scores=True` `(saliency, weights)`, the weights being
        the saliency divided by its sum over all places, or zeros where there is
        none. Where a network is very sure, the saliency is small, and may be
        rounded to zero in half precision; the weights are not.

    Raises:
        ValueError: If `top` is neither a Keras layer nor a list of some, the
            features are not of rank 4, their depth is unknown, or `top` does
            not give `(B, classes)`.

    Example:

    >>> import numpy as np
    >>> top = keras.Sequential(
    ...     [keras.layers.GlobalMaxPooling2D(), keras.layers.Dense(10)]
    ... )
    >>> layer = EntropySaliency(top)
    >>> saliency, weights = layer(
    ...     np.ones((2, 7, 9, 4), "float32"), return_attention_scores=True
    ... )
    >>> tuple(saliency.shape), tuple(weights.shape)
    ((2, 7, 9), (2, 7, 9))

    Notation: features are c_ij, `top` is g, p is o_c, the entropy H and the
    saliency M_ij in the paper.

    Departures: None in the numbers. The gradient of the entropy to the logits
    is written out, from the log-softmax, and is finite for any logits; what
    runs back through `top` is of size 1, so half precision loses none of it.

    Export: PyTorch's exporters do not take a gradient inside a model. LiteRT's
    builtin operators do, with the batch fixed, where `top` is made of
    convolutions (any strides and padding, not depthwise), dense layers,
    normalisations, `Flatten`, global pooling, `tanh`, `sigmoid` and
    `keras.ops.maximum(x, 0)`, which is ReLU; of convolutions, batch
    normalisation, that maximum, global average pooling and dense layers with a
    free batch too. They lack the gradients of
    `keras.layers.ReLU` and its kin, and of max and average pooling.

    Reference:
        Almahairi, Ballas, Cooijmans, Zheng, Larochelle, Courville. Dynamic
        Capacity Networks. ICML 2016, section 3.1, equations 4 and 5.
        https://arxiv.org/abs/1511.07838
    """

    def __init__(self, top, own_top=True, **kwargs):
        layers = list(top) if isinstance(top, (list, tuple)) else [top]
        if not layers or not all(
            isinstance(layer, keras.layers.Layer) for layer in layers
        ):
            raise ValueError(
                "`top` must be a Keras layer or model from features to logits "
                f"(B, classes), or a list of layers. Received: top={top!r}"
            )
        super().__init__(**kwargs)
        self.own_top = bool(own_top)
        if own_top:
            self.top = top
        # In a function, where Keras does not look for layers to own and save.
        self._layers_of_top = lambda: layers
        self._as_list = isinstance(top, (list, tuple))

    def build(self, features_shape):
        check_rank(self, features_shape, (4,))
        check_known_depth(self, features_shape=features_shape)
        spec = keras.KerasTensor(features_shape, dtype=self.compute_dtype)
        for layer in self._layers_of_top():
            if not layer.built:
                layer.build(spec.shape)
            spec = layer.compute_output_spec(spec)
        shape = tuple(getattr(spec, "shape", ()))
        if len(shape) != 2 or shape[1] is None or shape[1] < 2:
            raise ValueError(
                "`top` must give logits (B, classes), two classes at least: "
                "the entropy is of a softmax over them. "
                f"Received: output of top of shape {shape}"
            )

    def call(self, features, return_attention_scores=False):
        features = as_floats(features, self.compute_dtype)
        shares, size = entropy_slopes(self._answer, features)
        saliency = ops.cast(size[:, None, None] * shares, self.compute_dtype)
        if not return_attention_scores:
            return saliency
        total = ops.sum(shares, axis=(1, 2), keepdims=True)
        weights = shares / ops.maximum(total, LEAST)
        return saliency, ops.cast(weights, self.compute_dtype)

    def _answer(self, features):
        for layer in self._layers_of_top():
            features = layer(features, training=False)
        return features

    def get_config(self):
        layers = self._layers_of_top()
        if self.own_top:
            # Else the layers themselves, as which they belong to another model:
            # Keras then knows them for the same ones when that is loaded.
            layers = [keras.saving.serialize_keras_object(x) for x in layers]
        return {
            **super().get_config(),
            "top": layers if self._as_list else layers[0],
            "own_top": self.own_top,
        }

    @classmethod
    def from_config(cls, config):
        top = config["top"]
        many = isinstance(top, (list, tuple))
        layers = [
            # Keras empties the configuration of a functional model.
            keras.saving.deserialize_keras_object(copy.deepcopy(layer))
            if isinstance(layer, dict)
            else layer
            for layer in (top if many else [top])
        ]
        return cls(**{**config, "top": layers if many else layers[0]})


def entropy_slopes(top, features):
    """How much the entropy of an answer changes with each place's features.

    Args:
        top: Function from features to logits `(B, classes)`, as at inference.
        features: Float tensor `(B, h, w, D)`.

    Returns:
        `(shares, size)`, float32 `(B, h, w)` and `(B,)`, constants. Their
        product is the norm of the entropy's gradient at each place; apart, none
        is rounded to zero where a network is very sure.
    """

    def leaning(features):
        """A loss whose slope is the entropy's, but of size 1; and its size."""
        logits = ops.cast(top(features), "float32")
        fixed = ops.stop_gradient(logits)
        slope = _entropy_slope(fixed)
        size = ops.max(ops.abs(slope), axis=-1)
        slope = slope / ops.maximum(size, LEAST)[:, None]
        # The slope of a cross-entropy is the softmax minus the target. LiteRT
        # has its operators where the batch is free, not those of a product.
        target = ops.stop_gradient(ops.softmax(fixed) - slope)
        loss = ops.categorical_crossentropy(target, logits, from_logits=True)
        return ops.stack([loss, size], axis=-1)

    both, gradient = gradient_inside(leaning, ops.stop_gradient(features))
    gradient = ops.cast(gradient, "float32")
    shares = ops.sqrt(ops.sum(ops.square(gradient), axis=-1))
    return shares, ops.stop_gradient(both[:, 1])


def _entropy_slope(logits):
    """`d entropy / d logits`, that is `-p * (log p + entropy)`."""
    logs = ops.log_softmax(logits, axis=-1)
    shares = ops.exp(logs)
    entropy = -ops.sum(shares * logs, axis=-1, keepdims=True)
    return -shares * (logs + entropy)
