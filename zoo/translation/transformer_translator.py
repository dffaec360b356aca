"""The Transformer as a translator.

The network of Vaswani et al. (2017). Each word is a vector, times the root of
its width, and its place is added as waves. Blocks of self-attention read the
source; others say the words, each block looking at the words before and at what
the encoder made of the source. The last layer is the table of the words that
are said, transposed, and with `tied="all"` also that of those that are read:

    x = sqrt(D) E x + waves
    memory = encoder blocks of the source
    y = decoder blocks of the words before, and the memory
    p(y_t) = softmax(E y_t)

With `transparent=True` each block of the decoder reads its own mean of the
source's vectors and of what all of the encoder's blocks made of them (Bapna et
al. 2018), so that deep encoders can be trained.

Departures: words are pieces of words, and the source has no mark at its end.
`normalize_first=True` normalises what a block reads instead of what it leaves
(Xiong et al. 2020), and so trains without a warm-up; then, of the transparent
form, each source of the means is normalised. An empty text has an empty
translation.

Reference: Vaswani et al., "Attention Is All You Need", NeurIPS 2017, sections 3
and 5.4, https://arxiv.org/abs/1706.03762; Bapna et al., "Training Deeper Neural
Machine Translation Models with Transparent Attention", EMNLP 2018, section 3,
https://aclanthology.org/D18-1338.
"""

import keras
from keras import ops

from keras_attention.mixture.transparent_attention import TransparentAttention
from keras_attention.sequence.position_encoding import (
    SinusoidalPositionEncoding,
)
from keras_attention.sequence.transformer_decoder import TransformerDecoder
from keras_attention.sequence.transformer_encoder import TransformerEncoder
from zoo.translation.two_texts import (
    check_dropout,
    nothing_of_nothing,
    spec_of_logits,
    translator,
)

TIED = ("all", "target", None)

PRESETS = {
    "tiny": {
        "embedding_dim": 8,
        "num_layers": 2,
        "decoder_layers": 1,
        "num_heads": 2,
        "intermediate_dim": 16,
    },
    "dates": {
        "embedding_dim": 64,
        "num_layers": 2,
        "num_heads": 4,
        "intermediate_dim": 128,
    },
    "small": {
        "embedding_dim": 160,
        "num_layers": 3,
        "num_heads": 4,
        "intermediate_dim": 512,
        "dropout": 0.2,
    },
}


def transformer_translator(
    source_vocabulary_size,
    source_length,
    target_vocabulary_size,
    target_length,
    embedding_dim=160,
    num_layers=3,
    decoder_layers=None,
    num_heads=4,
    intermediate_dim=512,
    tied="target",
    normalize_first=False,
    transparent=False,
    dropout=0.1,
    name="transformer_translator",
):
    """Builds the translator.

    Args:
        source_vocabulary_size: Integer, the words that are read, the special
            ones included.
        source_length: Positive integer, words that are read at most; nothing
            of the network depends on it.
        target_vocabulary_size: Integer, the words that are said.
        target_length: Positive integer, words that are said at most, the end
            included; no weight depends on it.
        embedding_dim: Positive even integer, D, the width of all blocks.
        num_layers: Positive integer, the blocks of the encoder.
        decoder_layers: Positive integer, those of the decoder; `None` is as
            many.
        num_heads: Positive integer that divides `embedding_dim`.
        intermediate_dim: Positive integer, the width of the blocks' small
            networks.
        tied: `"all"`, one table for both languages, which must have one
            vocabulary, and for the last layer; `"target"`, one for the words
            that are said and the last layer; or `None`.
        normalize_first: Boolean. Whether blocks normalise what they read.
        transparent: Boolean. Whether each block of the decoder reads a mean of
            its own of all of the encoder's layers.
        dropout: Float in [0, 1), of the vectors of words and of what each part
            of a block adds; with `transparent`, of the logits of the means too.
        name: String. The model's name.

    Returns:
        A `keras.Model` from `source_ids` `(B, S)` and `target_ids` `(B, T)`
        to logits `(B, T, target_vocabulary_size)`, as
        `zoo.translation.two_texts.translator` says.

    Raises:
        ValueError: If `dropout` is out of range, `tied` is unknown, or the
            vocabularies differ in size with `tied="all"`.

    Example:

    >>> model = transformer_translator(300, 10, 280, 12, **PRESETS["tiny"])
    >>> model.output_shape
    (None, None, 280)
    """
    check_dropout(dropout)
    if tied not in TIED:
        raise ValueError(
            f"`tied` must be one of {TIED}. Received: tied={tied!r}"
        )
    if tied == "all" and source_vocabulary_size != target_vocabulary_size:
        raise ValueError(
            'With `tied="all"` both languages must share one vocabulary: '
            "learn it with `shared=True`. Received: source_vocabulary_size="
            f"{source_vocabulary_size}, target_vocabulary_size="
            f"{target_vocabulary_size}"
        )
    if decoder_layers is None:
        decoder_layers = num_layers
    sizes = {
        "num_heads": num_heads,
        "intermediate_dim": intermediate_dim,
        "normalize_first": normalize_first,
        "dropout": dropout,
    }
    decoder = TransformerSpeaker(
        *(target_vocabulary_size, embedding_dim, decoder_layers),
        length=target_length,
        tied=tied is not None,
        name="decoder",
        **sizes,
    )
    if tied == "all":
        table = decoder.embedding
    else:
        table = words_table(
            source_vocabulary_size, embedding_dim, name="source_embedding"
        )
    mixes = decoder_layers if transparent else None
    encoder = _encoder(table, embedding_dim, num_layers, mixes, **sizes)
    return translator(encoder, decoder, name)


def words_table(size, width, **options):
    """A layer with a vector for each word, by the paper's scale."""
    return keras.layers.Embedding(
        size,
        width,
        embeddings_initializer=keras.initializers.RandomNormal(
            stddev=width**-0.5
        ),
        **options,
    )


def _encoder(
    table, embedding_dim, num_layers, mixes, normalize_first, dropout, **sizes
):
    """What the blocks make of the source; `mixes` of it, or the last alone."""
    source_ids = keras.Input((None,), dtype="int32", name="source_ids")
    mask = ops.not_equal(source_ids, 0)
    x = table(source_ids) * embedding_dim**0.5
    x = SinusoidalPositionEncoding(name="places")(x)
    x = keras.layers.Dropout(dropout, name="source_dropout")(x)
    layers = [x]
    for place in range(num_layers):
        block = TransformerEncoder(
            dropout=dropout,
            normalize_first=normalize_first,
            name=f"reading_{place}",
            **sizes,
        )
        layers.append(block(layers[-1], mask=mask))
    if mixes is None:
        layers = layers[-1:]
    if normalize_first:
        layers = [
            keras.layers.LayerNormalization(epsilon=1e-5, name=f"norm_{place}")(
                layer
            )
            for place, layer in enumerate(layers)
        ]
    memory = {"mask": mask, "values": layers[0]}
    if mixes is not None:
        layers = TransparentAttention(mixes, dropout, name="mixing")(layers)
        named = {f"values_{place}": x for place, x in enumerate(layers)}
        memory = {"mask": mask, **named}
    return keras.Model(source_ids, memory, name="encoder")


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class TransformerSpeaker(keras.layers.Layer):
    """Says a translation by blocks of a Transformer's decoder.

    A decoder as `zoo.decoding.beam_search` takes it: `begin`, `step`, `call`.

    Args:
        vocabulary_size: Positive integer.
        embedding_dim: Positive even integer. Width of the blocks.
        num_layers: Positive integer. How many blocks.
        num_heads: Positive integer that divides `embedding_dim`.
        intermediate_dim: Positive integer. Width of the blocks' small networks.
        length: Positive integer. The most steps that are taken one by one.
        tied: Boolean. Whether the last layer is the table of words.
        normalize_first: Boolean. As of `TransformerDecoder`.
        dropout: Float in [0, 1).
        seed: Integer or `None`. Seed of the dropout of the words.
        **kwargs: Keras's own.

    Call arguments:
        target_ids: Integers `(B, T)`, the words before each word.
        memory: Dict of `mask`, boolean `(B, S)`, and `values`, `(B, S, D)`; or
            one for each block, `values_0` and so on.
        return_attention_scores: Boolean. Whether to return the weights too.
        training: Boolean.

    Returns:
        Logits, float32 `(B, T, vocabulary_size)`. With
        `return_attention_scores=True` `(logits, weights)`, the latter
        `(B, T, S)`: the mean of all heads of all blocks. The maps of a step
        are each block's, `(B, num_heads, S)`.
    """

    def __init__(
        self,
        vocabulary_size,
        embedding_dim,
        num_layers,
        num_heads,
        intermediate_dim,
        length,
        tied=True,
        normalize_first=False,
        dropout=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.length = length
        self.tied = tied
        self.normalize_first = normalize_first
        self.dropout = dropout
        self.seed = seed
        self.supports_masking = True
        policy = self.dtype_policy
        self.embedding = words_table(
            vocabulary_size, embedding_dim, dtype=policy, name="embedding"
        )
        self.places = SinusoidalPositionEncoding(dtype=policy, name="places")
        self.drop = keras.layers.Dropout(
            dropout, seed=seed, dtype=policy, name="drop"
        )
        self.blocks = [
            TransformerDecoder(
                intermediate_dim,
                num_heads,
                dropout,
                normalize_first=normalize_first,
                dtype=policy,
                name=f"block_{place}",
            )
            for place in range(num_layers)
        ]
        if normalize_first:
            self.norm = keras.layers.LayerNormalization(
                epsilon=1e-5, dtype=policy, name="norm"
            )
        if not tied:
            # Probabilities are taken of them, which needs float32.
            self.logits = keras.layers.Dense(
                vocabulary_size, use_bias=False, dtype="float32", name="logits"
            )

    def build(self, target_ids_shape, memory_shape):
        shape = (None, None, self.embedding_dim)
        self.embedding.build((None, None))
        self.places.build(shape)
        for block in self.blocks:
            block.build(shape, self._values(memory_shape)[0])
        if self.normalize_first:
            self.norm.build(shape)
        if not self.tied:
            self.logits.build(shape)

    def compute_output_spec(
        self, target_ids, memory, return_attention_scores=False, training=None
    ):
        return spec_of_logits(self, target_ids, memory, return_attention_scores)

    def compute_mask(self, target_ids, memory, previous_mask=None):
        return None

    def call(
        self, target_ids, memory, return_attention_scores=False, training=None
    ):
        x = self._words(target_ids, training=training)
        seen = []
        for block, values in zip(self.blocks, self._values(memory)):
            x = block(
                x,
                values,
                memory_mask=memory["mask"],
                return_attention_scores=return_attention_scores,
                training=training,
            )
            if return_attention_scores:
                x, weights = x
                seen.append(ops.mean(weights["cross"], axis=1))
        logits = self._logits(x, memory)
        if not return_attention_scores:
            return logits
        return logits, sum(seen) / len(seen)

    def begin(self, memory):
        rows = ops.shape(memory["mask"])[0]
        return {
            block.name: block.new_cache(rows, self.length, values)
            for block, values in zip(self.blocks, self._values(memory))
        }

    def step(self, last, index, state, memory, training=None):
        x = self._words(last[:, None], index, training)
        state, maps = dict(state), {}
        for block in self.blocks:
            x, weights, state[block.name] = block(
                x,
                memory_mask=memory["mask"],
                cache=state[block.name],
                cache_index=index,
                return_attention_scores=True,
                training=training,
            )
            maps[block.name] = weights["cross"][:, :, 0]
        return self._logits(x, memory)[:, 0], state, maps

    def _words(self, ids, start=0, training=None):
        x = self.embedding(ids) * self.embedding_dim**0.5
        return self.drop(self.places(x, start=start), training=training)

    def _values(self, memory):
        """What each block reads of the memory, or of its shapes."""
        if "values" in memory:
            return [memory["values"]] * self.num_layers
        return [memory[f"values_{place}"] for place in range(self.num_layers)]

    def _logits(self, x, memory):
        if self.normalize_first:
            x = self.norm(x)
        if self.tied:
            table = ops.cast(self.embedding.embeddings, "float32")
            logits = ops.matmul(ops.cast(x, "float32"), ops.transpose(table))
        else:
            logits = self.logits(x)
        return nothing_of_nothing(logits, memory["mask"])

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "length": self.length,
            "tied": self.tied,
            "normalize_first": self.normalize_first,
            "dropout": self.dropout,
            "seed": self.seed,
        }
