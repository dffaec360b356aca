"""What the recurrent translators share: words said by a state, one by one."""

import keras
from keras import ops

from zoo.stepping import over_steps
from zoo.translation.two_texts import nothing_of_nothing, spec_of_logits


class RecurrentDecoder(keras.layers.Layer):
    """A decoder as `zoo.decoding.beam_search` takes it, with a recurrent state.

    A subclass has `begin(memory)`, the first state, a dict; `changing`, the
    names of those of its entries that a step changes; `advanced(word, state,
    memory)`, which gives what the word after it is told by, `(B, K)`, the
    weights, `(B, S)` or `None`, and the state, of all entries or of those; and
    `told(read, words, training)`, the logits of a step or of all.

    Args:
        vocabulary_size: Positive integer.
        attention: What it looks by; none if it is false.
        embedding_dim: Positive integer. Width of a word.
        dropout: Float in [0, 1).
        seed: Integer or `None`. Seed of the dropout.
        **kwargs: Keras's own.

    Call arguments:
        target_ids: Integers `(B, T)`, the words before each word.
        memory: Dict of tensors, `mask` among them, boolean `(B, S)`, `True`
            where the source has a word.
        return_attention_scores: Boolean. Whether to return the weights too.
        training: Boolean.

    Returns:
        Logits, float32 `(B, T, vocabulary_size)`. With
        `return_attention_scores=True` `(logits, weights)`, the latter
        `(B, T, S)`.

    Raises:
        ValueError: If there are no weights to return.
    """

    length = None  # it goes on for as long as it is asked
    changing = ()

    def __init__(
        self,
        vocabulary_size,
        attention,
        embedding_dim,
        dropout=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.attention = attention
        self.embedding_dim = embedding_dim
        self.dropout = dropout
        self.seed = seed
        self.supports_masking = True
        self.embedding = keras.layers.Embedding(
            vocabulary_size,
            embedding_dim,
            dtype=self.dtype_policy,
            name="embedding",
        )
        self.drop = keras.layers.Dropout(
            dropout, seed=seed, dtype=self.dtype_policy, name="drop"
        )
        # Probabilities are taken of them, which needs float32.
        self.logits = keras.layers.Dense(
            vocabulary_size, dtype="float32", name="logits"
        )

    def compute_output_spec(
        self, target_ids, memory, return_attention_scores=False, training=None
    ):
        return spec_of_logits(self, target_ids, memory, return_attention_scores)

    def compute_mask(self, target_ids, memory, previous_mask=None):
        return None

    def call(
        self, target_ids, memory, return_attention_scores=False, training=None
    ):
        if return_attention_scores and not self.attention:
            raise ValueError(
                "There must be attention to look at. "
                f"Received: attention={self.attention!r}"
            )
        words = self.drop(self.embedding(target_ids), training=training)
        begun = self.begin(memory)
        sizes = []

        def step(word, state):
            state = {**begun, **dict(zip(self.changing, state))}
            read, weights, state = self.advanced(word, state, memory)
            sizes.append(read.shape[-1])
            if return_attention_scores:
                read = ops.concatenate([read, weights], axis=-1)
            return read, [state[name] for name in self.changing]

        said = over_steps(step, words, [begun[name] for name in self.changing])
        read, weights = said[..., : sizes[0]], said[..., sizes[0] :]
        logits = self.told(read, words, training)
        logits = nothing_of_nothing(logits, memory["mask"])
        return (logits, weights) if return_attention_scores else logits

    def step(self, last, index, state, memory, training=None):
        word = self.drop(self.embedding(last), training=training)
        read, weights, changed = self.advanced(word, state, memory)
        logits = self.told(read, word, training)
        logits = nothing_of_nothing(logits, memory["mask"])
        maps = {"attention": weights} if self.attention else {}
        return logits, {**state, **changed}, maps

    def in_own_dtype(self, x):
        return ops.cast(x, self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "attention": self.attention,
            "embedding_dim": self.embedding_dim,
            "dropout": self.dropout,
            "seed": self.seed,
        }
