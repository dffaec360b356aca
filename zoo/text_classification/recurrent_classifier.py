"""A bidirectional GRU over the words of a text, pooled by attention.

The word level of Yang et al. (2016, section 2.2), with the whole text as one
sentence: a learned context vector asks which words matter. The baseline
averages the same states.
"""

import keras

from zoo.word_networks import classify, embed, pool

PRESETS = {
    "tiny": {"embedding_dim": 8, "units": 6, "attention_units": 8},
    "imdb": {
        "embedding_dim": 64,
        "units": 50,
        "attention_units": 100,
        "dropout": 0.5,
    },
}


def recurrent_classifier(
    vocabulary_size,
    num_classes,
    length=200,
    embedding_dim=64,
    units=50,
    attention_units=100,
    pooling="attention",
    dropout=0.0,
    name="recurrent_classifier",
):
    """Builds the classifier; logits out.

    Args:
        vocabulary_size: Integer of at least 3. Rows of the embedding: padding,
            the unknown word, and those that are known.
        num_classes: Integer of at least 2.
        length: Positive integer. Words of a text.
        embedding_dim: Positive integer. Size of a word's vector.
        units: Positive integer. Of each direction of the GRU.
        attention_units: Positive integer. Width of the scoring network.
        pooling: `"attention"`, or `"average"`, the baseline.
        dropout: Float in [0, 1). Share dropped of the word vectors and of the
            text's vector.
        name: String. The model's name.

    Returns:
        A `keras.Model` from `token_ids`, int32 `(B, length)`, where 0 is
        padding, to logits `(B, num_classes)`.

    Raises:
        ValueError: If `pooling` is unknown, the vocabulary has no known word,
            or there are fewer than two classes.

    Example:

    >>> model = recurrent_classifier(100, 2, length=30, **PRESETS["tiny"])
    >>> model.input_shape, model.output_shape
    ((None, 30), (None, 2))
    """
    token_ids = keras.Input((length,), dtype="int32", name="token_ids")
    x = embed(token_ids, vocabulary_size, embedding_dim)
    x = keras.layers.Dropout(dropout, name="embedding_dropout")(x)
    x = keras.layers.Bidirectional(
        keras.layers.GRU(units, return_sequences=True), name="encoder"
    )(x)
    x = pool(x, pooling, attention_units)
    logits = classify(x, num_classes, dropout)
    return keras.Model(token_ids, logits, name=name)
