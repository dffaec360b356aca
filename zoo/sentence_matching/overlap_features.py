"""What a logistic layer is told of two texts beside what a network found."""

import keras
from keras import ops

from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
@shapes_by_tracing
class OverlapFeatures(keras.layers.Layer):
    """Four numbers of a pair: what words both share, and how long they are.

    The features of Yin et al. (2016) for answer selection: how many distinct
    words both texts hold, the sum of how rare these are, and the two lengths;
    of each the logarithm of one plus it, so that all are of a size.

    Args:
        vocabulary_size: Integer. Ids that all pairs share; those above stand
            for unknown words.
        **kwargs: Keras's own.

    Call arguments:
        left: Ids `(B, Tl)` as `zoo.data.pair_tokens.PairTokens` gives them.
        right: Ids `(B, Tr)`.

    Returns:
        `(B, 4)`: words shared, their rarity, words of left, words of right.
    """

    def __init__(self, vocabulary_size, **kwargs):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size

    def build(self, left_shape, right_shape):
        self.idf = self.add_weight(
            name="idf",
            shape=(self.vocabulary_size,),
            initializer="ones",
            dtype="float32",
            autocast=False,
            trainable=False,
        )

    def call(self, left, right):
        read = ops.not_equal(right, 0)
        # A word counts where it stands first.
        same = ops.equal(ops.expand_dims(right, 2), ops.expand_dims(right, 1))
        earlier = ops.tril(ops.ones(same.shape[1:]), -1) > 0
        again = ops.any(ops.logical_and(same, earlier), axis=2)
        matches = ops.equal(ops.expand_dims(right, 2), ops.expand_dims(left, 1))
        shared = ops.logical_and(ops.any(matches, axis=2), read)
        shared = ops.logical_and(shared, ops.logical_not(again))
        known = ops.where(right < self.vocabulary_size, right, 1)
        rarity = ops.take(self.idf, known, axis=0)
        numbers = [
            _count(shared),
            ops.sum(ops.where(shared, rarity, 0.0), axis=1),
            _count(ops.not_equal(left, 0)),
            _count(read),
        ]
        # ONNX has no `log1p`. What it saves of a small number is below 1e-7.
        features = ops.log(1.0 + ops.stack(numbers, axis=1))
        return ops.cast(features, self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "vocabulary_size": self.vocabulary_size}


def _count(mask):
    return ops.sum(ops.cast(mask, "float32"), axis=1)
