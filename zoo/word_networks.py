"""What the networks that read words share: their two ends, and pooling."""

import keras
from keras import ops

from keras_attention import AttentionPooling
from keras_attention.shapes import shapes_by_tracing

POOLINGS = ("attention", "average")
EMBEDDING = "embedding"  # the layer that has a vector for each word


def embed(
    token_ids,
    vocabulary_size,
    embedding_dim,
    initializer="uniform",
    trainable=True,
    more_ids=0,
):
    """Token ids as vectors; the id 0 is padding, and masked from here on.

    Beyond the vocabulary there may be `more_ids`, each with its own vector.
    """
    if vocabulary_size < 3:
        raise ValueError(
            "`vocabulary_size` must be at least 3: padding, the unknown word "
            f"and a known one. Received: vocabulary_size={vocabulary_size}"
        )
    return keras.layers.Embedding(
        vocabulary_size + more_ids,
        embedding_dim,
        embeddings_initializer=initializer,
        mask_zero=True,
        trainable=trainable,
        name=EMBEDDING,
    )(token_ids)


def read_pair(
    left_length,
    right_length,
    vocabulary_size,
    embedding_dim,
    trainable=True,
    dropout=0.0,
):
    """Two texts, as `zoo.data.pair_tokens.PairTokens` gives them, as vectors.

    Both have one table. The unknown words of a pair have ids, and so vectors,
    of their own: two are alike where they are the same word, as known ones
    are. Vectors start at random, and short: what is unknown says little of its
    text.

    Returns `(ids, words, masks)`: the dict of inputs, and a list of two each.
    """
    lengths = {"left": left_length, "right": right_length}
    ids = {
        f"{side}_ids": keras.Input((length,), dtype="int32", name=f"{side}_ids")
        for side, length in lengths.items()
    }
    both = embed(
        ops.concatenate(list(ids.values()), axis=1),
        vocabulary_size,
        embedding_dim,
        keras.initializers.RandomNormal(stddev=0.3 * embedding_dim**-0.5),
        trainable,
        more_ids=left_length + right_length,
    )
    words = [
        keras.layers.Dropout(dropout, name=f"embedding_{side}_dropout")(x)
        for side, x in zip(lengths, ops.split(both, [left_length], axis=1))
    ]
    return ids, words, [ops.not_equal(side, 0) for side in ids.values()]


def pool(x, pooling, attention_units):
    """A sequence as one vector, by attention or by the plain average."""
    check_pooling(pooling)
    if pooling == "attention":
        return AttentionPooling(attention_units, name="pool")(x)
    return AveragePooling(name="pool")(x)


def classify(x, num_classes, dropout):
    """A vector as logits."""
    if num_classes < 2:
        raise ValueError(
            "`num_classes` must be at least 2: with one class there is nothing "
            f"to tell apart. Received: num_classes={num_classes}"
        )
    x = keras.layers.Dropout(dropout, name="pool_dropout")(x)
    return keras.layers.Dense(num_classes, dtype="float32", name="logits")(x)


def check_pooling(pooling):
    """Refuses what is no pooling."""
    if pooling not in POOLINGS:
        raise ValueError(
            f"`pooling` must be one of {POOLINGS}. "
            f"Received: pooling={pooling!r}"
        )


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
@shapes_by_tracing
class AveragePooling(keras.layers.Layer):
    """The mean over the visible positions; zeros where there is none.

    Keras's `GlobalAveragePooling1D` divides by zero there.

    Call arguments:
        inputs: `(B, T, D)`.
        mask: Boolean `(B, T)`, `True` is visible. Taken from `inputs` when it
            carries a Keras mask.

    Returns:
        `(B, D)`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        if mask is None:
            return ops.mean(inputs, axis=1)
        # In half precision, sums of many and their count would be rounded.
        values = ops.cast(inputs, "float32")
        visible = ops.cast(ops.expand_dims(mask, -1), "float32")
        count = ops.maximum(ops.sum(visible, axis=1), 1)
        return ops.cast(ops.sum(values * visible, axis=1) / count, inputs.dtype)

    def compute_mask(self, inputs, previous_mask=None):
        return None
