"""Pervasive attention as a translator: one network over both texts at once.

The network of Elbayad et al. (2018). There is no encoder: each word of the
source is its vector `x_j`, each word said before its vector `y_i`, and a
densely connected network of two-dimensional convolutions reads the grid of all
pairs. Its convolutions see words of the source on both sides, and of the target
only those said before, so that each layer reads the source anew by what was
said:

    H[i, j] = [y_i; x_j]
    f_i = aggregate over j of network(H)[i, j]
    p(y_{i+1}) = softmax(E (W f_i + b) + b')

`E` is the table of the words that are said. The equations of the network are
those of `PervasiveAttention`. A step computes one row of the grid, from what
the convolutions read of the rows above it.

Departures: cells behind the end of either text have no part in the
normalisations and win no maximum. One rate of dropout serves the vectors of
words, the convolutions and the logits, where the authors have three. Vectors
start with a variance of one over their width; the authors' with a standard
deviation of 0.01. The defaults are smaller than the paper's network, which has
24 layers and a growth rate of 32. An empty text has an empty translation.

Reference: Elbayad, Besacier, Verbeek, "Pervasive Attention: 2D Convolutional
Neural Networks for Sequence-to-Sequence Prediction", CoNLL 2018, section 3,
https://arxiv.org/abs/1808.03867.
"""

import keras
from keras import ops

from keras_attention.arguments import check_sizes
from keras_attention.pair.pervasive_attention import PervasiveAttention
from zoo.data.pieces import END
from zoo.translation.two_texts import (
    nothing_of_nothing,
    spec_of_logits,
    translator,
)

PRESETS = {
    "tiny": {"embedding_dim": 8, "num_layers": 2, "growth_rate": 4},
    "small": {
        "embedding_dim": 128,
        "num_layers": 8,
        "growth_rate": 32,
        "dropout": 0.2,
    },
}


def pervasive_translator(
    source_vocabulary_size,
    source_length,
    target_vocabulary_size,
    target_length,
    embedding_dim=64,
    num_layers=8,
    growth_rate=16,
    kernel_size=3,
    aggregator="max",
    dropout=0.1,
    tied="target",
    name="pervasive_translator",
):
    """Builds the translator.

    Args:
        source_vocabulary_size: Positive integer, the words that are read, the
            special ones included.
        source_length: Positive integer, words that are read at most; nothing
            of the network depends on it.
        target_vocabulary_size: Positive integer, the words that are said.
        target_length: Positive integer, words that are said at most, the end
            included; nothing of the network depends on it.
        embedding_dim: Positive integer, the width of a word, of both texts.
        num_layers: Positive integer, the convolutions.
        growth_rate: Positive integer, channels that each one adds.
        kernel_size: Odd integer of at least 3, words of the source that a
            convolution reads at once.
        aggregator: `"max"`, `"mean"` or `"attention"`: how the columns of a
            row are made one vector.
        dropout: Float in [0, 1). Share of what is set to zero of the vectors of
            words, of what each convolution adds, and before the logits.
        tied: `"target"`, the last layer is the table of the words that are
            said, behind a projection to its width; or `None`.
        name: String. The model's name.

    Returns:
        A `keras.Model` from `source_ids` `(B, S)` and `target_ids` `(B, T)`
        to logits `(B, T, target_vocabulary_size)`, as
        `zoo.translation.two_texts.translator` says.

    Raises:
        ValueError: If a size is not positive, `tied` is unknown, or an argument
            is not one that `PervasiveAttention` takes.

    Example:

    >>> model = pervasive_translator(300, 10, 280, 12, **PRESETS["tiny"])
    >>> model.output_shape
    (None, None, 280)
    """
    check_sizes(
        "words of the vocabularies and of texts",
        source_vocabulary_size=source_vocabulary_size,
        source_length=source_length,
        target_vocabulary_size=target_vocabulary_size,
        target_length=target_length,
    )
    if tied not in ("target", None):
        raise ValueError(
            f'`tied` must be "target" or None. Received: tied={tied!r}'
        )
    decoder = PervasiveDecoder(
        target_vocabulary_size,
        embedding_dim,
        num_layers,
        growth_rate,
        kernel_size,
        aggregator,
        dropout,
        tied is not None,
        name="decoder",
    )
    encoder = _encoder(source_vocabulary_size, embedding_dim, dropout)
    return translator(encoder, decoder, name)


def _encoder(vocabulary_size, embedding_dim, dropout):
    """The words of the source as vectors, and where there are any."""
    source_ids = keras.Input((None,), dtype="int32", name="source_ids")
    table = _words_table(vocabulary_size, embedding_dim, name="embedding")
    values = keras.layers.Dropout(dropout, name="drop")(table(source_ids))
    memory = {"values": values, "mask": ops.not_equal(source_ids, END)}
    return keras.Model(source_ids, memory, name="encoder")


def _words_table(size, width, **options):
    initializer = keras.initializers.RandomNormal(stddev=width**-0.5)
    return keras.layers.Embedding(
        size, width, embeddings_initializer=initializer, **options
    )


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class PervasiveDecoder(keras.layers.Layer):
    """Says a translation by convolutions over the grid of both texts' words.

    A decoder as `zoo.decoding.beam_search` takes it: `begin`, `step`, `call`.

    Args:
        vocabulary_size: Positive integer.
        embedding_dim: Positive integer. Width of a word.
        num_layers: Positive integer. The convolutions.
        growth_rate: Positive integer. Channels that each one adds.
        kernel_size: Odd integer of at least 3.
        aggregator: `"max"`, `"mean"` or `"attention"`.
        dropout: Float in [0, 1).
        tied: Boolean. Whether the last layer is the table of words.
        seed: Integer or `None`. Seed of the dropout.
        **kwargs: Keras's own.

    Call arguments:
        target_ids: Integers `(B, T)`, the words before each word. In training
            the rows behind an end, other than at the first place, are zeros and
            have no part in the normalisations.
        memory: Dict of `values`, `(B, S, D)`, and `mask`, boolean `(B, S)`,
            `True` where there is a word. What it hides changes nothing.
        return_attention_scores: Boolean. Whether to return the weights too.
        training: Boolean.

    Returns:
        Logits, float32 `(B, T, vocabulary_size)`. With
        `return_attention_scores=True` `(logits, weights)`, the latter
        `(B, T, S)`, as `PervasiveAttention` returns them.

    Raises:
        ValueError: If an argument is not one that `PervasiveAttention` takes.

    Example:

    >>> decoder = PervasiveDecoder(20, embedding_dim=8, num_layers=2)
    >>> memory = {"values": ops.ones((1, 5, 8)), "mask": ops.ones((1, 5)) > 0}
    >>> tuple(decoder(ops.ones((1, 3), "int32"), memory).shape)
    (1, 3, 20)
    >>> state = decoder.begin(memory)
    >>> start = ops.ones((1,), "int32")
    >>> logits, state, maps = decoder.step(start, 0, state, memory)
    >>> tuple(logits.shape), tuple(maps["attention"].shape)
    ((1, 20), (1, 5))
    """

    length = None  # it goes on for as long as it is asked

    def __init__(
        self,
        vocabulary_size,
        embedding_dim=64,
        num_layers=8,
        growth_rate=16,
        kernel_size=3,
        aggregator="max",
        dropout=0.0,
        tied=True,
        seed=None,
        **kwargs,
    ):
        check_sizes(
            "the words, and the width of one",
            vocabulary_size=vocabulary_size,
            embedding_dim=embedding_dim,
        )
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.num_layers = num_layers
        self.growth_rate = growth_rate
        self.kernel_size = kernel_size
        self.aggregator = aggregator
        self.dropout = dropout
        self.tied = tied
        self.seed = seed
        policy = self.dtype_policy
        self.grid = PervasiveAttention(
            num_layers,
            growth_rate,
            kernel_size,
            aggregator=aggregator,
            dropout=dropout,
            seed=seed,
            dtype=policy,
            name="grid",
        )
        self.embedding = _words_table(
            vocabulary_size, embedding_dim, dtype=policy, name="embedding"
        )
        self.words_drop, self.drop = (
            keras.layers.Dropout(dropout, seed=seed, dtype=policy, name=each)
            for each in ("words_drop", "drop")
        )
        if tied:
            self.projection = keras.layers.Dense(
                embedding_dim, dtype=policy, name="projection"
            )
        else:
            # Probabilities are taken of them, which needs float32.
            self.logits = keras.layers.Dense(
                vocabulary_size, dtype="float32", name="logits"
            )

    def build(self, target_ids_shape, memory_shape):
        self.embedding.build((None, None))
        self.grid.build(
            (None, None, self.embedding_dim), memory_shape["values"]
        )
        channels = self.grid.transition.shape[1]
        if self.aggregator == "attention":
            channels = 2 * channels
        if not self.tied:
            self.logits.build((None, None, channels))
            return
        self.projection.build((None, None, channels))
        self.bias = self.add_weight(
            name="bias",
            shape=(self.vocabulary_size,),
            initializer="zeros",
            autocast=False,
        )

    def compute_output_spec(
        self, target_ids, memory, return_attention_scores=False, training=None
    ):
        return spec_of_logits(self, target_ids, memory, return_attention_scores)

    def call(
        self, target_ids, memory, return_attention_scores=False, training=None
    ):
        words = self.embedding(target_ids)
        rows, weights = self.grid(
            self.words_drop(words, training=training),
            memory["values"],
            query_mask=_said(target_ids) if training else None,
            value_mask=memory["mask"],
            return_attention_scores=True,
            training=training,
        )
        logits = self._logits(self.drop(rows, training=training), memory)
        return (logits, weights) if return_attention_scores else logits

    def begin(self, memory):
        return {"rows": self.grid.begin(memory["values"])}

    def step(self, last, index, state, memory):
        row, weights, rows = self.grid.step(
            self.embedding(last)[:, None],
            state["rows"],
            memory["values"],
            value_mask=memory["mask"],
        )
        maps = {"attention": weights[:, 0]}
        return self._logits(row, memory)[:, 0], {"rows": rows}, maps

    def _logits(self, rows, memory):
        if self.tied:
            rows = ops.cast(self.projection(rows), "float32")
            table = ops.cast(self.embedding.embeddings, "float32")
            bias = ops.cast(self.bias, "float32")
            logits = ops.matmul(rows, ops.transpose(table)) + bias
        else:
            logits = self.logits(rows)
        return nothing_of_nothing(logits, memory["mask"])

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "num_layers": self.num_layers,
            "growth_rate": self.growth_rate,
            "kernel_size": self.kernel_size,
            "aggregator": self.aggregator,
            "dropout": self.dropout,
            "tied": self.tied,
            "seed": self.seed,
        }


def _said(target_ids):
    """Which rows stand for a word: none of them behind an end.

    The first does always, for what it holds is the start.
    """
    ended = ops.cast(ops.equal(target_ids[:, 1:], END), "int32")
    ended = ops.pad(ended, ((0, 0), (1, 0)))
    return ops.equal(ops.cumsum(ended, axis=1), 0)
