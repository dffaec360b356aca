"""The encoder of the Transformer over the words of a text, pooled by attention.

The encoder of Vaswani et al. (2017, section 3): word vectors times the root of
their size, which makes them as large as the sinusoidal positions added to them,
then blocks of self-attention and a feed-forward network. A learned context
vector pools the words (Yang et al. 2016, section 2.2); the baseline averages
them.
"""

import math

import keras

from keras_attention import SinusoidalPositionEncoding, TransformerEncoder
from zoo.word_networks import classify, embed, pool

PRESETS = {
    "tiny": {
        "embedding_dim": 8,
        "num_layers": 1,
        "num_heads": 2,
        "intermediate_dim": 16,
        "attention_units": 8,
    },
    "imdb": {
        "embedding_dim": 64,
        "num_layers": 2,
        "num_heads": 4,
        "intermediate_dim": 128,
        "attention_units": 100,
        "dropout": 0.3,
    },
}


def transformer_classifier(
    vocabulary_size,
    num_classes,
    length=200,
    embedding_dim=64,
    num_layers=2,
    num_heads=4,
    intermediate_dim=128,
    attention_units=100,
    pooling="attention",
    dropout=0.0,
    name="transformer_classifier",
):
    """Builds the classifier; logits out.

    Args:
        vocabulary_size: Integer of at least 3. Rows of the embedding: padding,
            the unknown word, and those that are known.
        num_classes: Integer of at least 2.
        length: Positive integer. Words of a text.
        embedding_dim: Positive integer, a multiple of `num_heads`. Size of a
            word's vector in every block.
        num_layers: Positive integer. How many blocks.
        num_heads: Positive integer. Heads of each self-attention.
        intermediate_dim: Positive integer. Width of the feed-forward networks.
        attention_units: Positive integer. Width of the pooling's scoring
            network.
        pooling: `"attention"`, or `"average"`, the baseline.
        dropout: Float in [0, 1). Share dropped of the word vectors, in the
            blocks, and of the text's vector.
        name: String. The model's name.

    Returns:
        A `keras.Model` from `token_ids`, int32 `(B, length)`, where 0 is
        padding, to logits `(B, num_classes)`.

    Raises:
        ValueError: If `pooling` is unknown, `embedding_dim` is no multiple of
            `num_heads`, the vocabulary has no known word, or there are fewer
            than two classes.

    Example:

    >>> model = transformer_classifier(100, 2, length=30, **PRESETS["tiny"])
    >>> model.input_shape, model.output_shape
    ((None, 30), (None, 2))
    """
    token_ids = keras.Input((length,), dtype="int32", name="token_ids")
    scale = math.sqrt(embedding_dim)
    initializer = keras.initializers.RandomNormal(stddev=1 / scale)
    x = embed(token_ids, vocabulary_size, embedding_dim, initializer)
    x = keras.layers.Rescaling(scale, name="embedding_scale")(x)
    x = SinusoidalPositionEncoding(name="embedding_positions")(x)
    x = keras.layers.Dropout(dropout, name="embedding_dropout")(x)
    for index in range(1, num_layers + 1):
        x = TransformerEncoder(
            intermediate_dim, num_heads, dropout, name=f"encoder_{index}"
        )(x)
    x = pool(x, pooling, attention_units)
    logits = classify(x, num_classes, dropout)
    return keras.Model(token_ids, logits, name=name)
