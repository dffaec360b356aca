"""What recurrent decoders share: every step at once, or one by one."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.numbers import close, numpy
from zoo.translation.recurrent_decoder import RecurrentDecoder

IDS = np.array([[1, 3, 4], [1, 2, 0]], "int32")
MEMORY = {
    "mask": np.array([[True, True], [True, False]]),
    "first": np.array([[1.0, 2.0], [3.0, 4.0]], "float32"),
}


class Summing(RecurrentDecoder):
    """Its state is the sum of the words so far; it looks at the first place."""

    changing = ("total",)

    def build(self, target_ids_shape, memory_shape):
        self.embedding.build((None, None))
        self.logits.build((None, 4))

    def begin(self, memory):
        return {"total": self.in_own_dtype(memory["first"]), "scale": 2.0}

    def advanced(self, word, state, memory):
        total = state["total"] + state["scale"] * word
        weights = None
        if self.attention:
            first = ops.zeros_like(memory["mask"][:, 0], dtype="int32")
            weights = ops.one_hot(first, 2, dtype=self.compute_dtype)
        return total, weights, {"total": total}

    def told(self, read, words, training=None):
        return self.logits(ops.concatenate([read, words], axis=-1))


def made(attention=True, **options):
    keras.utils.set_random_seed(0)
    decoder = Summing(5, attention, 2, **options)
    decoder.build((None, None), {"mask": (None, None), "first": (None, 2)})
    return decoder


@pytest.mark.parametrize("attention", [True, False])
def test_all_steps_at_once_equal_one_by_one(attention):
    decoder = made(attention)
    table = numpy(decoder.embedding.embeddings)
    words = table[IDS]
    totals = MEMORY["first"][:, None] + 2 * np.cumsum(words, axis=1)
    expected = numpy(decoder.logits(np.concatenate([totals, words], -1)))
    close(decoder(IDS, MEMORY), expected, 1e-5, 1e-6)
    state = decoder.begin(MEMORY)
    for index in range(3):
        last = ops.convert_to_tensor(IDS[:, index])
        logits, state, maps = decoder.step(last, index, state, MEMORY)
        close(logits, expected[:, index], 1e-5, 1e-6)
        assert state["scale"] == 2.0
        assert set(maps) == ({"attention"} if attention else set())


def test_gives_the_weights_of_all_steps():
    decoder = made()
    _, weights = decoder(IDS, MEMORY, return_attention_scores=True)
    close(weights, np.broadcast_to([1.0, 0.0], (2, 3, 2)), 0, 0)
    with pytest.raises(ValueError, match="attention=False"):
        made(False)(IDS, MEMORY, return_attention_scores=True)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_logits_are_in_full_precision(policy):
    decoder = made(dtype=policy)
    logits, weights = decoder(IDS, MEMORY, return_attention_scores=True)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    close(logits, numpy(made()(IDS, MEMORY)), 0.1, 0.1)


def test_words_are_dropped_in_training():
    decoder = made(dropout=0.9)
    told = numpy(decoder(IDS, MEMORY, training=True))
    assert abs(told - numpy(decoder(IDS, MEMORY))).max() > 1e-3
