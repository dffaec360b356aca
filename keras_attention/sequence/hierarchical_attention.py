"""Hierarchical attention of Yang et al. (2016): words, then sentences."""

import keras
from keras import ops

from keras_attention.arguments import (
    check_known_depth,
    check_share,
    check_sizes,
)
from keras_attention.functional import check_mask
from keras_attention.sequence.attention_pooling import AttentionPooling
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class HierarchicalAttention(keras.layers.Layer):
    """Reads a document as people do: words into sentences, these into one.

    The same two steps on both floors, with weights of their own:

        annotations = bidirectional GRU over the words of a sentence
        sentence    = attention pooling of the annotations
        annotations = bidirectional GRU over the sentences of the document
        document    = attention pooling of the annotations

    All sentences share the encoder and the attention of their words. A sentence
    without a visible word is dropped.

    Args:
        units: Positive integer. Size of each direction of both GRUs.
        attention_units: Positive integer. Width of both scoring networks.
        dropout: Float in [0, 1). Share of the annotations dropped in training.
        seed: Integer or `None`. Seed of the dropout.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: Embedded words, `(B, S, T, D)`: S sentences of T words.
        mask: Boolean `(B, S, T)`, `True` at a word. Taken from `inputs` when
            they carry a Keras mask, as after `Embedding(mask_zero=True)`.
        return_attention_scores: Boolean. Whether to return the weights too.
        training: Boolean. Whether to apply the dropout.

    Returns:
        The document, `(B, 2 * units)`; with `return_attention_scores=True`
        `(document, weights)`, where weights is a dict: `"words"`,
        `(B, S, T)`, sums to one over the words of a sentence, and
        `"sentences"`, `(B, S)`, over the sentences; zeros where there are none.

    Raises:
        ValueError: If a size is not positive, the inputs are not of rank 4, or
            the mask holds other than booleans, 1 and 0, or has another shape.

    Example:

    >>> import numpy as np
    >>> words = np.ones((2, 4, 6, 16), "float32")
    >>> layer = HierarchicalAttention(units=5, attention_units=8)
    >>> document, weights = layer(words, return_attention_scores=True)
    >>> tuple(document.shape)
    (2, 10)
    >>> {name: tuple(share.shape) for name, share in weights.items()}
    {'words': (2, 4, 6), 'sentences': (2, 4)}

    Notation: the annotations are h_it and h_i, the weights alpha_it and
    alpha_i, a sentence is s_i and the document v in the paper.

    Departures: none in the equations. The embedding and the classifier are not
    part of the layer; dropout is ours.

    Reference:
        Yang, Yang, Dyer, He, Smola, Hovy. Hierarchical Attention Networks for
        Document Classification. NAACL 2016, section 2.2.
        https://aclanthology.org/N16-1174
    """

    def __init__(
        self, units=50, attention_units=100, dropout=0.0, seed=None, **kwargs
    ):
        check_sizes(
            "the sizes of the encoders and of the scoring networks",
            units=units,
            attention_units=attention_units,
        )
        check_share("dropout", dropout, "a share that leaves something")
        super().__init__(**kwargs)
        self.units = units
        self.attention_units = attention_units
        self.dropout = dropout
        self.seed = seed
        self.supports_masking = True
        # `Bidirectional` copies what it is given. While a model is loaded,
        # Keras tells what was copied by its address: the first must not be
        # gone, and its place taken, when the second is copied.
        word_gru = self._gru()
        self.word_encoder = self._both_ways(word_gru, "word_encoder")
        self.word_attention = AttentionPooling(
            attention_units, dtype=self.dtype_policy, name="word_attention"
        )
        sentence_gru = self._gru()
        self.sentence_encoder = self._both_ways(
            sentence_gru, "sentence_encoder"
        )
        self.sentence_attention = AttentionPooling(
            attention_units, dtype=self.dtype_policy, name="sentence_attention"
        )
        self.annotations_dropout = keras.layers.Dropout(
            dropout, seed=seed, dtype=self.dtype_policy, name="dropout"
        )

    def _gru(self):
        return keras.layers.GRU(
            self.units,
            return_sequences=True,
            dtype=self.dtype_policy,
            name="gru",
        )

    def _both_ways(self, gru, name):
        return keras.layers.Bidirectional(
            gru, dtype=self.dtype_policy, name=name
        )

    def build(self, input_shape):
        check_known_depth(self, input_shape=input_shape)
        if len(input_shape) != 4:
            raise ValueError(
                "The inputs must be the embedded words of sentences, "
                f"(B, S, T, D). Received: input_shape={tuple(input_shape)}"
            )
        _, sentences, words, depth = input_shape
        size = 2 * self.units
        self.word_encoder.build((None, words, depth))
        self.word_attention.build((None, words, size))
        self.sentence_encoder.build((None, sentences, size))
        self.sentence_attention.build((None, sentences, size))

    def call(
        self, inputs, mask=None, return_attention_scores=False, training=None
    ):
        mask = check_mask("mask", mask, inputs.shape[:3])
        # Not -1: LiteRT needs to know the batch, as far as it is known.
        batch, sentences, words, depth = ops.shape(inputs)
        rows = ops.reshape(inputs, (batch * sentences, words, depth))
        word_mask = read = sentence_mask = None
        if mask is not None:
            sentence_mask = ops.any(mask, axis=-1)
            word_mask = ops.reshape(mask, (batch * sentences, words))
            # An empty sentence is read as one of one word, and dropped later:
            # a row without any would cost the GPU's fast kernel.
            empty = ops.logical_not(ops.any(word_mask, axis=-1, keepdims=True))
            first = ops.equal(ops.arange(words, dtype="int32"), 0)
            read = ops.logical_or(word_mask, ops.logical_and(empty, first))

        annotations = self.annotations_dropout(
            self.word_encoder(rows, mask=read), training=training
        )
        vectors, word_weights = self.word_attention(
            annotations, mask=word_mask, return_attention_scores=True
        )
        vectors = ops.reshape(vectors, (batch, sentences, 2 * self.units))
        annotations = self.annotations_dropout(
            self.sentence_encoder(vectors, mask=sentence_mask),
            training=training,
        )
        document, sentence_weights = self.sentence_attention(
            annotations, mask=sentence_mask, return_attention_scores=True
        )
        if return_attention_scores:
            word_weights = ops.reshape(word_weights, (batch, sentences, words))
            return document, {
                "words": word_weights,
                "sentences": sentence_weights,
            }
        return document

    def compute_mask(self, inputs, previous_mask=None):
        return None

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "attention_units": self.attention_units,
            "dropout": self.dropout,
            "seed": self.seed,
        }
