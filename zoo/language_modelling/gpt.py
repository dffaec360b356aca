"""GPT: a Transformer's decoder alone, which goes on from a text.

The network of Radford et al. (2019). Each word is a vector, to which a learned
vector of its place is added. Blocks of causal self-attention follow, each
normalising what it reads, and a last normalisation. The last layer is the table
of words, transposed:

    h_0 = E u + P
    h_l = block_l(h_{l-1}), by what comes before alone
    p(next word) = softmax(E norm(h_L))

`normalize_first=False` is the first GPT (Radford et al. 2018): its blocks
normalise what they leave, and nothing comes behind them.

All kernels and tables begin as noise of standard deviation 0.02. In the later
network those whose products are added to the sums, two in each block, begin
smaller by `1 / sqrt(2 num_layers)`.

There is one text, so there is one network, `decoder`. What the zoo calls
`encoder` has no weights: it puts the start before the beginning of a text, and
counts its words. All that goes on from a text is a text to say after it, so
networks that say words need not know of this one: a translation is said after a
memory, and so is this. Learned are

- texts from their first word on: their beginning is empty;
- what follows a given beginning, and the beginning itself is not learned;
- rows packed full with texts, `document_ids` telling which text each word is
  of. Texts in a row do not see each other, and the places of each count from
  its own first word. A beginning is of the row's first text.

Beginnings of several lengths stand in one batch, padded behind. To answer, the
decoder reads all of them at once into its cache (`begin`), and then says word
by word, each row's place counting from its own end. Where a row has filled all
`length` places it says the end.

Departures: the weights of attention are not dropped, only what is added to the
sums and the vectors of words; released code of GPT-2 begins the vectors of
places with 0.01. Both papers' GELU is that of tanh, as in their code. The start
of a text has an id of its own; in GPT-2 it is that of the end.

Reference: Radford, Wu, Child, Luan, Amodei, Sutskever, "Language Models are
Unsupervised Multitask Learners", 2019, section 2.3,
https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf;
Radford, Narasimhan, Salimans, Sutskever, "Improving Language Understanding by
Generative Pre-Training", 2018, sections 3.1 and 4.1.
"""

import keras
from keras import ops

from keras_attention.arguments import check_share, check_sizes
from keras_attention.sequence.transformer_decoder import TransformerDecoder
from zoo.data.pieces import END, START

NOISE = 0.02  # standard deviation of kernels and tables before training
SURE = 30.0  # of the end where no place is left: no other word comes near

PRESETS = {
    "tiny": {
        "embedding_dim": 8,
        "num_layers": 2,
        "num_heads": 2,
        "intermediate_dim": 16,
        "dropout": 0.1,
    },
    "small": {
        "embedding_dim": 192,
        "num_layers": 4,
        "num_heads": 6,
        "intermediate_dim": 768,
        "dropout": 0.1,
    },
}


def gpt(
    vocabulary_size,
    length,
    embedding_dim=192,
    num_layers=4,
    num_heads=6,
    intermediate_dim=768,
    dropout=0.1,
    normalize_first=True,
    name="gpt",
):
    """Builds the language model.

    Args:
        vocabulary_size: Positive integer, the words, the special ones included.
        length: Positive integer, the places that there are vectors for: the
            most words of a beginning and of what goes on together, the start
            included and the last word not.
        embedding_dim: Positive integer, D, the width of all blocks.
        num_layers: Positive integer, how many blocks.
        num_heads: Positive integer that divides `embedding_dim`.
        intermediate_dim: Positive integer, the width of the blocks' small
            networks; 4 times `embedding_dim` in the papers.
        dropout: Float in [0, 1), of the vectors of words and of what each part
            of a block adds.
        normalize_first: Boolean. Whether blocks normalise what they read, as
            in GPT-2, or what they leave, as in the first GPT.
        name: String. The model's name.

    Returns:
        A `keras.Model` from a dict of integers to logits, float32
        `(B, T, vocabulary_size)`. `token_ids` `(B, S)`: the beginning, 0 behind
        it. `target_ids` `(B, T)`: the words before each word that goes on,
        which is the start for the first. `document_ids` `(B, T)`: 1, 2 and so
        on for the words of the row's first text, its second, and 0 where there
        is none; ones where each row is one text.

    Raises:
        ValueError: If a size is no positive integer, `num_heads` does not
            divide `embedding_dim`, or `dropout` is out of range.

    Example:

    >>> model = gpt(300, 32, **PRESETS["tiny"])
    >>> model.output_shape
    (None, None, 300)

    How it goes on from beginnings of three words and of one:

    >>> import numpy as np
    >>> from zoo.decoding import sample
    >>> encoder, decoder = map(model.get_layer, ("encoder", "decoder"))
    >>> memory = encoder(np.array([[7, 8, 9], [5, 0, 0]]))
    >>> answers, maps = sample(decoder, memory, 1, 4, top_k=20, seed=0)
    >>> tuple(answers["token_ids"].shape)
    (2, 4)
    """
    decoder = GPTDecoder(
        *(vocabulary_size, length, embedding_dim, num_layers),
        num_heads=num_heads,
        intermediate_dim=intermediate_dim,
        dropout=dropout,
        normalize_first=normalize_first,
        name="decoder",
    )
    inputs = {
        key: keras.Input((None,), dtype="int32", name=key)
        for key in ("token_ids", "target_ids", "document_ids")
    }
    memory = _encoder()(inputs["token_ids"])
    logits = decoder(
        inputs["target_ids"], memory, document_ids=inputs["document_ids"]
    )
    return keras.Model(inputs, logits, name=name)


def _encoder():
    """The words before each of the beginning, its last one, and their count."""
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    lengths = ops.sum(ops.cast(ops.not_equal(token_ids, END), "int32"), axis=1)
    start = ops.full_like(lengths, START)[:, None]
    ids = ops.concatenate([start, token_ids], axis=1)
    memory = {
        "before": ids[:, :-1],
        "first": ops.take_along_axis(ids, lengths[:, None], axis=1)[:, 0],
        "lengths": lengths,
    }
    return keras.Model(token_ids, memory, name="encoder")


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class GPTDecoder(keras.layers.Layer):
    """Says how a text goes on, by blocks of causal self-attention.

    A decoder as `zoo.decoding.beam_search` takes it: `begin`, `step`, `call`.
    Where there is a beginning, its last word stands in the place of the first
    that is told, the start. So going on from a beginning needs no calls of
    another form.

    Args:
        vocabulary_size: Positive integer.
        length: Positive integer. The places, those of the beginning included.
        embedding_dim: Positive integer. Width of the blocks.
        num_layers: Positive integer. How many blocks.
        num_heads: Positive integer that divides `embedding_dim`.
        intermediate_dim: Positive integer. Width of the blocks' small networks.
        dropout: Float in [0, 1).
        normalize_first: Boolean. As of `TransformerDecoder`.
        **kwargs: Keras's own.

    Call arguments:
        target_ids: Integers `(B, T)`, the words before each word, T at most
            `length`.
        memory: Dict of `before`, integers `(B, S)`, the words before each of
            the beginning; `first`, `(B,)`, its last word; and `lengths`,
            `(B,)`, how many words it has, which is how many of `before` are
            read.
        document_ids: Integers `(B, T)`, which text each word is of, 0 where
            there is none; or `None`, each row is one text.
        return_attention_scores: Boolean. Whether to return the weights too.
        training: Boolean.

    Returns:
        Logits, float32 `(B, T, vocabulary_size)`. With
        `return_attention_scores=True` `(logits, weights)`, the latter a dict of
        each block's, `(B, num_heads, T, S + T)`, over the beginning, padding
        included, and the words. The maps of a step are each block's too,
        `(B, num_heads, length)`, over all places.

    Raises:
        ValueError: If a size is no positive integer, `num_heads` does not
            divide `embedding_dim`, `dropout` is out of range, or S or T is more
            than `length`, as far as that is known before the layer runs.
    """

    def __init__(
        self,
        vocabulary_size,
        length,
        embedding_dim,
        num_layers,
        num_heads,
        intermediate_dim,
        dropout=0.0,
        normalize_first=True,
        **kwargs,
    ):
        check_sizes(
            "sizes of the network",
            vocabulary_size=vocabulary_size,
            length=length,
            embedding_dim=embedding_dim,
            num_layers=num_layers,
            num_heads=num_heads,
            intermediate_dim=intermediate_dim,
        )
        check_share("dropout", dropout, "a share that leaves something")
        if embedding_dim % num_heads:
            raise ValueError(
                "`num_heads` must divide `embedding_dim`: every head takes an "
                f"equal part. Received: num_heads={num_heads}, "
                f"embedding_dim={embedding_dim}"
            )
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.length = length
        self.embedding_dim = embedding_dim
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout
        self.normalize_first = normalize_first
        policy = self.dtype_policy
        self.embedding = self._table(vocabulary_size, "embedding")
        self.places = self._table(length, "places")
        self.drop = keras.layers.Dropout(dropout, dtype=policy, name="drop")
        less = (2 * num_layers) ** -0.5 if normalize_first else 1.0
        self.blocks = [
            TransformerDecoder(
                intermediate_dim,
                num_heads,
                dropout,
                activation=_gelu,
                normalize_first=normalize_first,
                kernel_initializer=_noise(),
                output_initializer=_noise(less),
                dtype=policy,
                name=f"block_{place}",
            )
            for place in range(num_layers)
        ]
        if normalize_first:
            self.norm = keras.layers.LayerNormalization(
                epsilon=1e-5, dtype=policy, name="norm"
            )

    def build(self, target_ids_shape, memory_shape, document_ids_shape=None):
        shape = (None, None, self.embedding_dim)
        self.embedding.build((None, None))
        self.places.build((None, None))
        for block in self.blocks:
            block.build(shape)
        if self.normalize_first:
            self.norm.build(shape)

    def compute_output_spec(
        self,
        target_ids,
        memory,
        document_ids=None,
        return_attention_scores=False,
        training=None,
    ):
        self._check_widths(target_ids, memory)
        (rows, steps), read = target_ids.shape, memory["before"].shape[1]
        logits = keras.KerasTensor(
            (rows, steps, self.vocabulary_size), dtype="float32"
        )
        if not return_attention_scores:
            return logits
        seen = None if None in (steps, read) else read + steps
        weights = {
            block.name: keras.KerasTensor(
                (rows, self.num_heads, steps, seen), dtype=self.compute_dtype
            )
            for block in self.blocks
        }
        return logits, weights

    def call(
        self,
        target_ids,
        memory,
        document_ids=None,
        return_attention_scores=False,
        training=None,
    ):
        self._check_widths(target_ids, memory)
        read = ops.shape(memory["before"])[1]
        first = _after_the_beginning(target_ids[:, 0], memory)
        ids = ops.concatenate(
            [memory["before"], first[:, None], target_ids[:, 1:]], axis=1
        )
        visible = _visible(target_ids, memory, document_ids)
        # A word's place is how many words of its text it sees before it.
        places = ops.sum(ops.cast(visible, "int32"), axis=-1) - 1
        x = self._vectors(ids, ops.maximum(places, 0), training)
        weights = {}
        for block in self.blocks:
            x = block(
                x,
                attention_mask=visible,
                return_attention_scores=return_attention_scores,
                training=training,
            )
            if return_attention_scores:
                x, seen = x
                weights[block.name] = seen[:, :, read:]
        logits = self._logits(x[:, read:], places[:, read:])
        return (logits, weights) if return_attention_scores else logits

    def begin(self, memory):
        self._check_widths(None, memory)
        before = memory["before"]
        rows, read = ops.shape(before)[0], ops.shape(before)[1]
        state = {
            block.name: block.new_cache(rows, self.length)
            for block in self.blocks
        }
        if before.shape[1] == 0:
            return state
        # What stands behind a beginning is read too, and kept where its next
        # words will be written.
        places = ops.arange(read, dtype="int32")[None]
        x = self._vectors(before, places, training=False)
        for block in self.blocks:
            x, state[block.name] = block(
                x, cache=state[block.name], cache_index=0, training=False
            )
        return state

    def step(self, last, index, state, memory, training=None):
        index = ops.cast(index, "int32")
        first = _after_the_beginning(last, memory)
        last = ops.where(ops.equal(index, 0), first, last)
        places = memory["lengths"] + index
        own = ops.minimum(places, self.length - 1)
        x = self._vectors(last[:, None], own[:, None], training)
        state, maps = dict(state), {}
        for block in self.blocks:
            x, weights, state[block.name] = block(
                x,
                cache=state[block.name],
                cache_index=own,
                return_attention_scores=True,
                training=training,
            )
            maps[block.name] = weights[:, :, 0]
        return self._logits(x, places[:, None])[:, 0], state, maps

    def _vectors(self, ids, places, training):
        places = ops.minimum(places, self.length - 1)
        x = self.embedding(ids) + self.places(places)
        return self.drop(x, training=training)

    def _logits(self, x, places):
        if self.normalize_first:
            x = self.norm(x)
        # Probabilities are taken of them, which needs float32.
        table = ops.cast(self.embedding.embeddings, "float32")
        logits = ops.matmul(ops.cast(x, "float32"), ops.transpose(table))
        ends = ops.equal(ops.arange(self.vocabulary_size), END)
        ends = ops.cast(ends, "float32") * SURE
        return ops.where((places < self.length)[..., None], logits, ends)

    def _table(self, count, name):
        return keras.layers.Embedding(
            count,
            self.embedding_dim,
            embeddings_initializer=_noise(),
            dtype=self.dtype_policy,
            name=name,
        )

    def _check_widths(self, target_ids, memory):
        widths = {"beginning": memory["before"].shape[1]}
        if target_ids is not None:
            widths["target_ids"] = target_ids.shape[1]
        if any((width or 0) > self.length for width in widths.values()):
            received = ", ".join(
                f"{name} of {width} words" for name, width in widths.items()
            )
            raise ValueError(
                "A beginning and what goes on must each have a place for every "
                f"word, `length` at most. Received: {received}, "
                f"length={self.length}"
            )

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "length": self.length,
            "embedding_dim": self.embedding_dim,
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "dropout": self.dropout,
            "normalize_first": self.normalize_first,
        }


def _after_the_beginning(told, memory):
    """What is read first of what goes on: the last word of the beginning."""
    return ops.where(memory["lengths"] > 0, memory["first"], told)


def _visible(target_ids, memory, document_ids):
    """Which word sees which, `(B, S + T, S + T)`: those before, of its text."""
    if document_ids is None:
        document_ids = ops.ones_like(target_ids)
    read = ops.shape(memory["before"])[1]
    begun = ops.arange(read, dtype="int32") < memory["lengths"][:, None]
    texts = ops.concatenate(
        [ops.where(begun, document_ids[:, :1], 0), document_ids], axis=1
    )
    same = ops.equal(texts[:, :, None], texts[:, None])
    same = ops.logical_and(same, ops.not_equal(texts, 0)[:, :, None])
    places = ops.arange(ops.shape(texts)[1], dtype="int32")
    return ops.logical_and(same, places <= places[:, None])


def _noise(times=1.0):
    return keras.initializers.RandomNormal(stddev=NOISE * times)


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
def _gelu(x):
    return keras.activations.gelu(x, approximate=True)
