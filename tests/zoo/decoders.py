"""The smallest decoders that say tokens: by a table, a Transformer, a GRU."""

import keras
import numpy as np
from keras import ops

from keras_attention import BahdanauAttention, TransformerDecoder
from keras_attention.functional import (
    additive_scores,
    masked_softmax,
    weighted_sum,
)

WORDS = 5  # tokens, END and START included
STEPS = 3  # room of the decoders
DEPTH = 8


class Table:
    """Logits are read from the memory, `(B, T, V, V, V)`.

    The last two tokens choose them, so the state matters: it is the token
    before the last. The map of a step is the token that was said last.
    """

    def begin(self, memory):
        return {"before": ops.zeros_like(memory[:, 0, 0, 0, 0], dtype="int32")}

    def step(self, last, index, state, memory):
        tokens = memory.shape[-1]
        seen = ops.take(memory, index, axis=1)  # (B, V, V, V)
        for token in (state["before"], last):
            chosen = ops.one_hot(token, tokens, dtype=seen.dtype)
            shape = (-1, tokens) + (1,) * (len(seen.shape) - 2)
            seen = ops.sum(seen * ops.reshape(chosen, shape), axis=1)
        return seen, {"before": last}, {"read": ops.one_hot(last, tokens)}


def table(rows, length, words=6, seed=0):
    """A memory of `Table`, with logits that make choices hard to foresee."""
    generator = np.random.default_rng(seed)
    shape = (rows, length, words, words, words)
    logits = 1.5 * generator.normal(size=shape)
    logits[..., 0] -= 1  # Else most answers are short.
    return logits.astype("float32")


class SpeakingTransformer(keras.layers.Layer):
    """One `TransformerDecoder` between embeddings and logits."""

    length = STEPS

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.embedding = self._embedding(WORDS, "embedding")
        self.places = self._embedding(STEPS, "places")
        self.block = TransformerDecoder(
            2 * DEPTH, num_heads=2, dtype=self.dtype_policy, name="block"
        )
        self.logits = speaking(self.dtype_policy)

    def _embedding(self, count, name):
        return keras.layers.Embedding(
            count,
            DEPTH,
            embeddings_initializer=keras.initializers.RandomNormal(seed=1),
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, target_ids_shape, memory_shape):
        shape = (None, STEPS, DEPTH)
        self.embedding.build((None, STEPS))
        self.places.build((STEPS,))
        self.block.build(shape, memory_shape["values"])
        self.logits.build(shape)

    def call(self, target_ids, memory):
        x = self.embedding(target_ids) + self.places(ops.arange(STEPS))
        x = self.block(x, memory["values"], memory_mask=memory["mask"])
        return self.logits(x)

    def begin(self, memory):
        values = memory["values"]
        return self.block.new_cache(ops.shape(values)[0], STEPS, values)

    def step(self, last, index, state, memory):
        x = self.embedding(last)[:, None] + self.places(index)
        x, weights, state = self.block(
            x,
            memory_mask=memory["mask"],
            cache=state,
            cache_index=index,
            return_attention_scores=True,
        )
        return self.logits(x)[:, 0], state, {"cross": weights["cross"][:, :, 0]}


class SpeakingGRU(keras.layers.Layer):
    """A GRU that looks at the memory before each token, as Bahdanau's does."""

    length = None

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.embedding = keras.layers.Embedding(
            WORDS, DEPTH, dtype=policy, name="embedding"
        )
        self.cell = keras.layers.GRUCell(DEPTH, dtype=policy, name="cell")
        self.attention = BahdanauAttention(
            DEPTH, dtype=policy, name="attention"
        )
        self.logits = speaking(policy)

    def build(self, target_ids_shape, memory_shape):
        depth = memory_shape["values"][-1]
        self.embedding.build((None,))
        self.cell.build((None, DEPTH + depth))
        self.attention.build((None, 1, DEPTH), memory_shape["values"])
        self.logits.build((None, DEPTH + depth))

    def call(self, target_ids, memory):
        state, logits = self.begin(memory), []
        for index in range(target_ids.shape[1]):
            said, state, _ = self.step(
                target_ids[:, index], index, state, memory
            )
            logits.append(said)
        return ops.stack(logits, axis=1)

    def begin(self, memory):
        key = self.attention.key_projection(memory["values"])
        return {"key": key, "hidden": ops.zeros_like(key[:, 0])}

    def step(self, last, index, state, memory):
        query = self.attention.query_projection(state["hidden"][:, None])
        scores = additive_scores(
            query,
            state["key"],
            ops.convert_to_tensor(self.attention.score_vector),
        )
        weights = masked_softmax(scores, memory["mask"][:, None])
        context = weighted_sum(weights, memory["values"])[:, 0]
        read = ops.concatenate([self.embedding(last), context], axis=-1)
        hidden, _ = self.cell(read, [state["hidden"]])
        logits = self.logits(ops.concatenate([hidden, context], axis=-1))
        return logits, {**state, "hidden": hidden}, {"where": weights[:, 0]}


def speaking(policy):
    """A last layer that prefers some tokens clearly, untrained as it is."""
    return keras.layers.Dense(
        WORDS,
        kernel_initializer=keras.initializers.RandomNormal(stddev=2, seed=2),
        dtype=policy,
        name="logits",
    )


def read_by(decoder, rows=3, steps=4):
    """Builds a decoder. Returns memory, and the same with other padding."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(rows, steps, DEPTH)).astype("float32")
    mask = np.arange(steps) < np.arange(steps, steps - rows, -1)[:, None]
    other = np.where(mask[..., None], values, 99).astype("float32")
    decoder.build(
        (None, STEPS), {"values": (None, None, DEPTH), "mask": (None, None)}
    )
    return {"values": values, "mask": mask}, {"values": other, "mask": mask}
