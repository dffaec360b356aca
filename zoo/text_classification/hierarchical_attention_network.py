"""Hierarchical attention network: words into sentences, sentences into a text.

The network of Yang et al. (2016, section 2): a bidirectional GRU reads the
words of each sentence, attention pools them, another GRU reads the sentences,
attention pools those. Its twin without attention is their HN-AVE (section 3.2):
the same two GRUs with averages. Ours: word vectors are learned with the rest.
"""

import keras
from keras import ops

from keras_attention import HierarchicalAttention
from zoo.word_networks import (
    AveragePooling,
    check_pooling,
    classify,
    embed,
)

PRESETS = {
    "tiny": {"embedding_dim": 8, "units": 6, "attention_units": 8},
    "imdb": {
        "embedding_dim": 64,
        "units": 50,
        "attention_units": 100,
        "dropout": 0.5,
    },
}


def hierarchical_attention_network(
    vocabulary_size,
    num_classes,
    sentences=12,
    words=20,
    embedding_dim=64,
    units=50,
    attention_units=100,
    pooling="attention",
    dropout=0.0,
    name="hierarchical_attention_network",
):
    """Builds the classifier; logits out.

    Args:
        vocabulary_size: Integer of at least 3. Rows of the embedding: padding,
            the unknown word, and those that are known.
        num_classes: Integer of at least 2.
        sentences: Positive integer. Sentences of a text.
        words: Positive integer. Words of a sentence.
        embedding_dim: Positive integer. Size of a word's vector.
        units: Positive integer. Of each direction of each GRU.
        attention_units: Positive integer. Width of both scoring networks.
        pooling: `"attention"`, or `"average"`, the baseline.
        dropout: Float in [0, 1). Share dropped of the word vectors, of what
            the GRUs say, and of the text's vector.
        name: String. The model's name.

    Returns:
        A `keras.Model` from `token_ids`, int32 `(B, sentences, words)`, where 0
        is padding, to logits `(B, num_classes)`.

    Raises:
        ValueError: If `pooling` is unknown, the vocabulary has no known word,
            or there are fewer than two classes.

    Example:

    >>> model = hierarchical_attention_network(100, 2, **PRESETS["tiny"])
    >>> model.input_shape, model.output_shape
    ((None, 12, 20), (None, 2))
    """
    check_pooling(pooling)
    token_ids = keras.Input((sentences, words), dtype="int32", name="token_ids")
    if pooling == "attention":
        x = embed(token_ids, vocabulary_size, embedding_dim)
        x = keras.layers.Dropout(dropout, name="embedding_dropout")(x)
        x = HierarchicalAttention(
            units, attention_units, dropout=dropout, name="attention"
        )(x)
    else:
        # Every sentence is a sample of its own until its words are averaged.
        rows = ops.reshape(token_ids, (-1, words))
        x = embed(rows, vocabulary_size, embedding_dim)
        x = keras.layers.Dropout(dropout, name="embedding_dropout")(x)
        x = _averaged(x, ops.not_equal(rows, 0), units, dropout, "word")
        x = ops.reshape(x, (-1, sentences, 2 * units))
        said = ops.any(ops.not_equal(token_ids, 0), axis=-1)
        x = _averaged(x, said, units, dropout, "sentence")
    logits = classify(x, num_classes, dropout)
    return keras.Model(token_ids, logits, name=name)


def _averaged(x, mask, units, dropout, name):
    """A floor of `HierarchicalAttention` without its attention."""
    x = keras.layers.Bidirectional(
        keras.layers.GRU(units, return_sequences=True), name=f"{name}_encoder"
    )(x, mask=mask)
    x = keras.layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return AveragePooling(name=f"{name}_average")(x, mask=mask)
