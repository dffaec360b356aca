"""RNNsearch: each word is said by where it looks in the source.

The network of Bahdanau et al. (2015). A bidirectional GRU reads the source; a
GRU says the words. Before each word its state so far says where to look:

    h_j = [forward GRU; backward GRU] of E_x x_j
    s_0 = tanh(W_s h_1 of the backward GRU)
    alpha_i = softmax over j of v . tanh(W_a s_{i-1} + U_a h_j)
    c_i = sum_j alpha_ij h_j
    s_i = GRU([E_y y_{i-1}; c_i], s_{i-1})
    t_i = maxout(U_o s_{i-1} + V_o E_y y_{i-1} + C_o c_i)
    p(y_i) = softmax(W_o t_i)

Without attention it is the network that the paper compares with, RNNencdec:
`c_i` is the same for every word, what both directions know at their ends.

Departures: words are pieces of words, the source has no mark at its end, there
may be dropout (of the vectors of words, and before the last layer), and the
maxout and the logits have biases. An empty text has an empty translation.

Reference: Bahdanau, Cho, Bengio, "Neural Machine Translation by Jointly
Learning to Align and Translate", ICLR 2015, appendices A.1 and A.2,
https://arxiv.org/abs/1409.0473.
"""

import keras
from keras import ops

from keras_attention.functional import (
    additive_scores,
    masked_softmax,
    weighted_sum,
)
from keras_attention.sequence.bahdanau_attention import BahdanauAttention
from zoo.translation.recurrent_decoder import RecurrentDecoder
from zoo.translation.two_texts import check_dropout, translator

PRESETS = {
    "tiny": {"embedding_dim": 8, "units": 12, "attention_units": 8},
    "dates": {"embedding_dim": 32, "units": 64, "attention_units": 64},
    "small": {
        "embedding_dim": 128,
        "units": 160,
        "attention_units": 128,
        "dropout": 0.3,
    },
}


def rnn_search(
    source_vocabulary_size,
    source_length,
    target_vocabulary_size,
    target_length,
    attention=True,
    embedding_dim=128,
    units=160,
    attention_units=128,
    dropout=0.0,
    name="rnn_search",
):
    """Builds the translator.

    Args:
        source_vocabulary_size: Integer, the words that are read, the special
            ones included.
        source_length: Positive integer, words that are read at most; nothing
            of the network depends on it.
        target_vocabulary_size: Integer, the words that are said.
        target_length: Positive integer, words that are said at most, the end
            included; nothing depends on it either.
        attention: Boolean. Without it, one vector stands for the whole source.
        embedding_dim: Positive integer, the width of a word.
        units: Positive integer, the width of the three GRUs.
        attention_units: Positive integer, the width of the scoring network.
        dropout: Float in [0, 1). Share of what is set to zero of the vectors of
            words, and before the logits.
        name: String. The model's name.

    Returns:
        A `keras.Model` from `source_ids` `(B, S)` and `target_ids` `(B, T)`
        to logits `(B, T, target_vocabulary_size)`, as
        `zoo.translation.two_texts.translator` says.

    Raises:
        ValueError: If `dropout` is out of range.

    Example:

    >>> model = rnn_search(300, 10, 280, 12, **PRESETS["tiny"])
    >>> model.output_shape
    (None, None, 280)
    """
    check_dropout(dropout)
    encoder = _encoder(source_vocabulary_size, embedding_dim, units, dropout)
    decoder = SearchingDecoder(
        target_vocabulary_size,
        attention,
        embedding_dim,
        units,
        attention_units,
        dropout=dropout,
        name="decoder",
    )
    return translator(encoder, decoder, name)


def _encoder(vocabulary_size, embedding_dim, units, dropout):
    """Both directions of the source, and where the backward one ended."""
    source_ids = keras.Input((None,), dtype="int32", name="source_ids")
    mask = ops.not_equal(source_ids, 0)
    words = keras.layers.Embedding(
        vocabulary_size, embedding_dim, name="source_embedding"
    )(source_ids)
    words = keras.layers.Dropout(dropout, name="source_dropout")(words)
    values, forward, backward = keras.layers.Bidirectional(
        keras.layers.GRU(
            units, return_sequences=True, return_state=True, reset_after=False
        ),
        name="reading",
    )(words, mask=mask)
    memory = {
        "values": values,
        "mask": mask,
        "forward": forward,
        "backward": backward,
    }
    return keras.Model(source_ids, memory, name="encoder")


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class SearchingDecoder(RecurrentDecoder):
    """Says a translation by a GRU that looks at the source before each word.

    Args:
        vocabulary_size: As in `RecurrentDecoder`, whose call arguments it has.
        attention: Boolean. Without it one vector stands for the source.
        embedding_dim: As there.
        units: Positive integer. Width of the GRU.
        attention_units: Positive integer. Width of the scoring network.
        **kwargs: As there.

    Call arguments:
        memory: Dict of `values` `(B, S, 2 * D)`, `mask`, boolean `(B, S)`, and
            the states at the ends of both directions, `forward` and
            `backward`, `(B, D)`.
    """

    changing = ("hidden",)

    def __init__(
        self,
        vocabulary_size,
        attention=True,
        embedding_dim=128,
        units=160,
        attention_units=128,
        **kwargs,
    ):
        super().__init__(vocabulary_size, attention, embedding_dim, **kwargs)
        self.units = units
        self.attention_units = attention_units
        policy = self.dtype_policy
        self.first = keras.layers.Dense(
            units, activation="tanh", use_bias=False, dtype=policy, name="first"
        )
        if attention:
            self.look = BahdanauAttention(
                attention_units, dtype=policy, name="look"
            )
        self.cell = keras.layers.GRUCell(
            units, reset_after=False, dtype=policy, name="cell"
        )
        self.maxout = keras.layers.Dense(
            2 * embedding_dim, dtype=policy, name="maxout"
        )

    def build(self, target_ids_shape, memory_shape):
        depth = memory_shape["values"][-1]
        self.embedding.build((None, None))
        self.first.build(memory_shape["backward"])
        if self.attention:
            self.look.build((None, 1, self.units), (None, None, depth))
        self.cell.build((None, self.embedding_dim + depth))
        self.maxout.build((None, self.units + depth + self.embedding_dim))
        self.logits.build((None, self.embedding_dim))

    def begin(self, memory):
        state = {"hidden": self.first(self.in_own_dtype(memory["backward"]))}
        if self.attention:
            values = self.in_own_dtype(memory["values"])
            return {**state, "key": self.look.key_projection(values)}
        ends = ops.concatenate([memory["forward"], memory["backward"]], axis=-1)
        return {**state, "context": self.in_own_dtype(ends)}

    def advanced(self, word, state, memory):
        before, weights = state["hidden"], None
        if self.attention:
            scores = additive_scores(
                self.look.query_projection(before[:, None]),
                state["key"],
                ops.cast(self.look.score_vector, self.compute_dtype),
            )
            weights = masked_softmax(scores, memory["mask"][:, None])
            values = self.in_own_dtype(memory["values"])
            context = weighted_sum(weights, values)[:, 0]
            weights = weights[:, 0]
        else:
            context = state["context"]
        hidden, _ = self.cell(ops.concatenate([word, context], -1), [before])
        read = ops.concatenate([before, context], axis=-1)
        return read, weights, {"hidden": hidden}

    def told(self, read, words, training=None):
        hidden = self.maxout(ops.concatenate([read, words], axis=-1))
        shape = (*ops.shape(hidden)[:-1], self.embedding_dim, 2)
        hidden = ops.max(ops.reshape(hidden, shape), axis=-1)
        return self.logits(self.drop(hidden, training=training))

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "attention_units": self.attention_units,
        }
