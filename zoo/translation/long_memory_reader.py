"""A reader that remembers what it needs, however long ago it was.

One LSTM with a memory (sparse attentive backtracking, Ke et al. 2018) reads the
source, and another goes on from its state and its memory, and says the answer:

    states = SAB over the source
    h_t, states = SAB(word before, states)
    p(y_t) = softmax(W [h_t; what it recalled])

Every few steps the state is stored, and each step recalls the few stored ones
that fit it best. In training the gradient goes back through few steps only, and
through what was recalled. With `recall=False` nothing is stored, and it is an
LSTM that learns from those few steps, the baseline.

Departures: the word before is read where the paper's copying task has blanks,
and reading and saying have weights of their own, so that any text can be
answered with any other. An empty text has an empty answer.

Reference: Ke et al., "Sparse Attentive Backtracking: Temporal Credit Assignment
Through Reminding", NeurIPS 2018, section 3, https://arxiv.org/abs/1809.03702.
"""

import keras
from keras import ops

from keras_attention.recurrent.sab_cell import SABCell
from zoo.translation.recurrent_decoder import RecurrentDecoder
from zoo.translation.two_texts import check_dropout, translator

STATES = ("output", "cell", "memories", "steps")  # of a `SABCell`
NEVER = 2**23  # steps, more than there are

PRESETS = {
    "tiny": {
        "embedding_dim": 6,
        "units": 8,
        "top_k": 2,
        "attend_every": 2,
        "truncate": 3,
    },
    "copying": {
        "embedding_dim": 16,
        "units": 128,
        "top_k": 5,
        "attend_every": 2,
        "truncate": 5,
    },
}


def long_memory_reader(
    source_vocabulary_size,
    source_length,
    target_vocabulary_size,
    target_length,
    embedding_dim=16,
    units=128,
    top_k=5,
    attend_every=2,
    truncate=5,
    recall=True,
    dropout=0.0,
    name="long_memory_reader",
):
    """Builds the reader.

    Args:
        source_vocabulary_size: Integer, the words that are read, the special
            ones included.
        source_length: Positive integer, words that are read at most. All states
            that are stored of so many, and of `target_length`, are kept.
        target_vocabulary_size: Integer, the words that are said.
        target_length: Positive integer, words that are said at most, the end
            included.
        embedding_dim: Positive integer, the width of a word.
        units: Positive integer, the width of both LSTMs and their memory.
        top_k: Positive integer. How many memories a step recalls.
        attend_every: Positive integer. A state is stored once in so many words.
        truncate: Positive integer: the gradient goes back through blocks of so
            many words; or `None`, through all.
        recall: Boolean. Without it there is no memory; the weights that would
            score one are there, and do nothing.
        dropout: Float in [0, 1). Share of what is set to zero of the vectors of
            words, and before the logits.
        name: String. The model's name.

    Returns:
        A `keras.Model` from `source_ids` `(B, S)` and `target_ids` `(B, T)`
        to logits `(B, T, target_vocabulary_size)`, as
        `zoo.translation.two_texts.translator` says.

    Raises:
        ValueError: If `dropout` is out of range, or a size is not positive.

    Example:

    >>> model = long_memory_reader(300, 10, 280, 12, **PRESETS["tiny"])
    >>> model.output_shape
    (None, None, 280)
    """
    check_dropout(dropout)
    sizes = {
        "units": units,
        "top_k": top_k,
        "attend_every": attend_every,
        "truncate": truncate,
        "max_memories": max(1, (source_length + target_length) // attend_every),
    }
    if not recall:
        # A state that is never stored is never recalled.
        sizes |= {"attend_every": NEVER, "max_memories": 1}
    encoder = _encoder(source_vocabulary_size, embedding_dim, dropout, sizes)
    decoder = RemindedDecoder(
        target_vocabulary_size,
        recall,
        embedding_dim,
        **sizes,
        dropout=dropout,
        name="decoder",
    )
    return translator(encoder, decoder, name)


def _encoder(vocabulary_size, embedding_dim, dropout, sizes):
    """The source, read once, and the state and the memory at its end."""
    source_ids = keras.Input((None,), dtype="int32", name="source_ids")
    mask = ops.not_equal(source_ids, 0)
    words = keras.layers.Embedding(
        vocabulary_size, embedding_dim, name="source_embedding"
    )(source_ids)
    words = keras.layers.Dropout(dropout, name="source_dropout")(words)
    cell = SABCell(**sizes, include_summary=True, name="cell")
    _, *states = keras.layers.RNN(cell, return_state=True, name="reading")(
        words, mask=mask
    )
    memory = {"mask": mask, **dict(zip(STATES, states, strict=True))}
    return keras.Model(source_ids, memory, name="encoder")


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class RemindedDecoder(RecurrentDecoder):
    """Says an answer by an LSTM that recalls what it and another have read.

    Args:
        vocabulary_size: As in `RecurrentDecoder`, whose call arguments it has.
        attention: Boolean. Whether it has weights to show: how much of each
            word of the source a step recalls, by the state that was stored
            there. What it recalls of the answer itself is not among them.
        embedding_dim: As there.
        units: Positive integer, as in `keras_attention.SABCell`; so are the
            next ones.
        top_k: Positive integer.
        attend_every: Positive integer.
        truncate: Positive integer or `None`.
        max_memories: Positive integer.
        **kwargs: As there.

    Call arguments:
        memory: Dict of `mask`, boolean `(B, S)`, and the states of a `SABCell`
            of those sizes, with `include_summary=True`: `output` `(B, 2 *
            units)`, `cell`, `memories` and `steps`.
    """

    changing = STATES

    def __init__(
        self,
        vocabulary_size,
        attention=True,
        embedding_dim=16,
        units=128,
        top_k=5,
        attend_every=2,
        truncate=5,
        max_memories=100,
        **kwargs,
    ):
        super().__init__(vocabulary_size, attention, embedding_dim, **kwargs)
        self.sizes = {
            "units": units,
            "top_k": top_k,
            "attend_every": attend_every,
            "truncate": truncate,
            "max_memories": max_memories,
        }
        self.cell = SABCell(
            **self.sizes,
            include_summary=True,
            dtype=self.dtype_policy,
            name="cell",
        )

    def build(self, target_ids_shape, memory_shape):
        self.embedding.build((None, None))
        self.cell.build((None, self.embedding_dim))
        self.logits.build((None, self.cell.output_size))

    def begin(self, memory):
        return {name: self.in_own_dtype(memory[name]) for name in STATES}

    def advanced(self, word, state, memory):
        output, states, weights = self.cell(
            word, [state[name] for name in STATES], return_attention_scores=True
        )
        weights = self._of_source(weights, memory["mask"])
        return output, weights, dict(zip(STATES, states, strict=True))

    def told(self, read, words, training=None):
        return self.logits(self.drop(read, training=training))

    def get_config(self):
        return {**super().get_config(), **self.sizes}

    def _of_source(self, weights, mask):
        """Weights of memories, `(B, M)`, as those of words, `(B, S)`."""
        every = self.sizes["attend_every"]
        last = every * (1 + ops.arange(weights.shape[-1])) - 1
        words = ops.arange(ops.shape(mask)[1])
        stored = ops.cast(ops.equal(last[:, None], words), weights.dtype)
        return ops.matmul(weights, stored) * ops.cast(mask, weights.dtype)
