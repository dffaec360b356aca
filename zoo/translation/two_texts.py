"""What the translators share: two texts in, the words of one told or said.

The id 0 ends a text and fills the places behind it; the id 1 goes before the
first word that is said. The ids are those of `zoo.data.pieces`.
"""

import keras
from keras import ops

from zoo.data.pieces import END

SURE = 30.0  # of the end where there is no text: no other word comes near


def translator(encoder, decoder, name):
    """A network that reads two texts, and tells the words of the second.

    Args:
        encoder: `keras.Model` named `"encoder"`, from `source_ids` `(B, S)` to
            a memory, a tensor or a dict of tensors.
        decoder: A decoder named `"decoder"`, as `zoo.decoding` takes it.
        name: String. The model's name.

    Returns:
        A `keras.Model` from a dict of `source_ids` `(B, S)` and `target_ids`
        `(B, T)`, the words before each word, to logits `(B, T, V)`. Texts of
        any length are taken.
    """
    inputs = {
        key: keras.Input((None,), dtype="int32", name=key)
        for key in ("source_ids", "target_ids")
    }
    memory = encoder(inputs["source_ids"])
    return keras.Model(inputs, decoder(inputs["target_ids"], memory), name=name)


def spec_of_logits(decoder, target_ids, memory, return_attention_scores=False):
    """What the `call` of a decoder gives, for its `compute_output_spec`.

    Args:
        decoder: The layer, with a `vocabulary_size`.
        target_ids: `KerasTensor` `(B, T)`.
        memory: Dict with `mask`, `(B, S)`.
        return_attention_scores: Boolean. Whether the weights come too.

    Returns:
        `KerasTensor`s: logits `(B, T, V)`, or a pair with `(B, T, S)`.
    """
    batch, steps = target_ids.shape
    logits = keras.KerasTensor(
        (batch, steps, decoder.vocabulary_size), dtype="float32"
    )
    if not return_attention_scores:
        return logits
    shape = (batch, steps, memory["mask"].shape[1])
    return logits, keras.KerasTensor(shape, dtype=decoder.compute_dtype)


def nothing_of_nothing(logits, mask):
    """Logits, of the end where there was nothing to translate.

    Args:
        logits: `(B, V)` or `(B, T, V)`.
        mask: Boolean `(B, S)`, `True` where the source has a word.

    Returns:
        As `logits`.
    """
    some = ops.any(mask, axis=1)[:, None]
    if len(logits.shape) == 3:
        some = some[:, None]
    ends = ops.equal(ops.arange(logits.shape[-1]), END)
    ends = ops.cast(ends, logits.dtype) * SURE
    return ops.where(some, logits, ends)


def check_dropout(dropout):
    """Raises unless it is a share that leaves something.

    Args:
        dropout: What a network was given.

    Raises:
        ValueError: If it is not in [0, 1).
    """
    if not 0 <= dropout < 1:
        raise ValueError(
            "`dropout` must be a share of at least 0 and below 1. "
            f"Received: dropout={dropout!r}"
        )
