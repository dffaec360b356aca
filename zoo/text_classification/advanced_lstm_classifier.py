"""An advanced LSTM over the words of a text, pooled by attention.

The network of Tao and Liu (2018, sections 3 and 4) for a sequence of words: in
both directions, an LSTM that now and then continues from a weighted sum of
several past states, and an attention that weighs its outputs. With one lag of 0
it is an LSTM, the baseline.

Departures: one task, where the paper's network tells speakers and genders too;
one layer; words, where the paper reads frames of speech.

Reference: Tao, Liu, "Advanced LSTM: A Study about Better Time Dependency
Modeling in Emotion Recognition", ICASSP 2018, https://arxiv.org/abs/1710.10197.
"""

import keras

from keras_attention.recurrent.advanced_lstm_cell import AdvancedLSTMCell
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


def advanced_lstm_classifier(
    vocabulary_size,
    num_classes,
    length=200,
    embedding_dim=64,
    units=50,
    lags=(0, 2, 4),
    update_every=3,
    attention_units=100,
    pooling="attention",
    dropout=0.0,
    name="advanced_lstm_classifier",
):
    """Builds the classifier; logits out.

    Args:
        vocabulary_size: Integer of at least 3. Rows of the embedding: padding,
            the unknown word, and those that are known.
        num_classes: Integer of at least 2.
        length: Positive integer. Words of a text.
        embedding_dim: Positive integer. Size of a word's vector.
        units: Positive integer. Of each direction.
        lags: Integers of at least 0, each once: how many words before the last
            one lie the states that a step continues from. `(0,)` is an LSTM.
        update_every: Positive integer. Once in so many words past states are
            looked at.
        attention_units: Positive integer. Width of the scoring network.
        pooling: `"attention"`, or `"average"`.
        dropout: Float in [0, 1). Share dropped of the word vectors and of the
            text's vector.
        name: String. The model's name.

    Returns:
        A `keras.Model` from `token_ids`, int32 `(B, length)`, where 0 is
        padding, to logits `(B, num_classes)`.

    Raises:
        ValueError: If `pooling` is unknown, `lags` or `update_every` are not
            what they must be, the vocabulary has no known word, or there are
            fewer than two classes.

    Example:

    >>> model = advanced_lstm_classifier(100, 2, length=30, **PRESETS["tiny"])
    >>> model.input_shape, model.output_shape
    ((None, 30), (None, 2))
    """
    token_ids = keras.Input((length,), dtype="int32", name="token_ids")
    x = embed(token_ids, vocabulary_size, embedding_dim)
    x = keras.layers.Dropout(dropout, name="embedding_dropout")(x)
    cell = AdvancedLSTMCell(units, tuple(lags), update_every, name="cell")
    x = keras.layers.Bidirectional(
        keras.layers.RNN(cell, return_sequences=True), name="encoder"
    )(x)
    x = pool(x, pooling, attention_units)
    logits = classify(x, num_classes, dropout)
    return keras.Model(token_ids, logits, name=name)
