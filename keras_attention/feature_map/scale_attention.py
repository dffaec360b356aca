"""Attention to scale of Chen et al. (2016)."""

import keras
from keras import ops

from keras_attention.arguments import check_sizes
from keras_attention.functional import (
    channel_axis,
    check_rank,
    known_channels,
    masked_softmax,
    resize,
    resolve_data_format,
    size_of,
)
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class ScaleAttention(keras.layers.Layer):
    """Weighs what was found at several scales of an image, place by place.

    One network reads the image at several sizes. What it says of each class at
    each place is brought to one size and mixed, by weights that a small head
    draws from the features of all scales:

        z = conv1x1(relu(conv3x3(concat over s of resize(features[s]))))
        weights[h, w, s] = softmax over s of resize(z)[h, w, s]
        output[h, w] = sum over s of weights[h, w, s] * resize(scores[s])[h, w]

    The first scale's size is that of the output. Scores are resized and mixed
    as they are, logits best, since a mix of probabilities is made from sizes
    that say nothing of it. With one scale the output is its scores. `conv3x3`
    is `units` wide; both convolutions have biases.

    Args:
        units: Positive integer. Width of the head.
        data_format: `"channels_last"` or `"channels_first"`. `None` takes
            Keras's global setting, once, when the layer is made.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        scores: List of maps `(B, Hs, Ws, K)`, or `(B, K, Hs, Ws)` with
            `"channels_first"`, one for each scale.
        features: List of as many maps `(B, hs, ws, Cs)`, or
            `(B, Cs, hs, ws)`: what the network saw at each scale.
        return_attention_scores: Boolean. Whether to return the weights too.

    Returns:
        `(B, H, W, K)`, or `(B, K, H, W)`, of the size of `scores[0]`; with
        `return_attention_scores=True`, `(output, weights)`, where weights is
        `(B, H, W, S)`, or `(B, S, H, W)`, in [0, 1], and sums to one over the
        scales.

    Raises:
        ValueError: If `units` is below 1, `data_format` is unknown, there are
            not as many features as scores or none, an input's rank is not 4, or
            its channels are not known or differ between scores.

    Example:

    >>> import numpy as np
    >>> layer = ScaleAttention(units=16)
    >>> scores = [np.ones((1, 8, 8, 3)), np.ones((1, 4, 4, 3))]
    >>> features = [np.ones((1, 8, 8, 6)), np.ones((1, 4, 4, 6))]
    >>> output, weights = layer(
    ...     scores, features, return_attention_scores=True
    ... )
    >>> tuple(output.shape), tuple(weights.shape)
    ((1, 8, 8, 3), (1, 8, 8, 2))

    Notation: `scores[s]` is f^s, `weights` is w^s, `z` is h^s, `units` is 512
    in the paper.

    Departures: none from the equations. The paper trains each scale by a loss
    of its own beside that of the mix: do so outside of this layer.

    Reference:
        Chen, Yang, Wang, Xu, Yuille. Attention to Scale: Scale-aware Semantic
        Image Segmentation. CVPR 2016, section 3.2, equations 1 and 2.
        https://arxiv.org/abs/1511.03339
    """

    def __init__(self, units=512, data_format=None, **kwargs):
        check_sizes("the width of the head", units=units)
        super().__init__(**kwargs)
        self.units = units
        self.data_format = resolve_data_format(data_format)

    def build(self, scores_shape, features_shape):
        shapes = [*scores_shape, *features_shape]
        if not shapes or len(scores_shape) != len(features_shape):
            raise ValueError(
                "There must be a scale at least, and features of each. "
                f"Received: {len(scores_shape)} scores, "
                f"{len(features_shape)} features"
            )
        for shape in shapes:
            check_rank(self, shape, (4,))
        channels = [
            known_channels(self, shape, self.data_format) for shape in shapes
        ]
        count = len(scores_shape)
        if len(set(channels[:count])) > 1:
            raise ValueError(
                "The scores of all scales must have the same channels, which "
                "are mixed. Received: scores of shapes "
                f"{list(map(tuple, scores_shape))}"
            )
        self.scales = count
        self.expand = self._conv("expand", self.units, 3, "he_normal")
        self.expand.build(self._with_channels(sum(channels[count:])))
        self.weigh = self._conv("weigh", count, 1, "glorot_uniform")
        self.weigh.build(self._with_channels(self.units))

    def call(self, scores, features, return_attention_scores=False):
        axis = channel_axis(self.data_format)
        features = self._resized(features, features[0])
        hidden = ops.relu(self.expand(ops.concatenate(features, axis=axis)))
        (logits,) = self._resized([self.weigh(hidden)], scores[0])
        weights = masked_softmax(logits, axis=axis)

        scores = self._resized(scores, scores[0])
        shares = ops.split(weights, self.scales, axis=axis)
        output = sum(share * each for share, each in zip(shares, scores))
        return (output, weights) if return_attention_scores else output

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "data_format": self.data_format,
        }

    def _resized(self, maps, like):
        size = size_of(like, self.data_format)
        return [resize(each, size, self.data_format) for each in maps]

    def _with_channels(self, channels):
        shape = [None] * 4
        shape[channel_axis(self.data_format)] = channels
        return tuple(shape)

    def _conv(self, name, filters, size, initializer):
        return keras.layers.Conv2D(
            filters,
            size,
            padding="same",
            kernel_initializer=initializer,
            data_format=self.data_format,
            dtype=self.dtype_policy,
            name=name,
        )
