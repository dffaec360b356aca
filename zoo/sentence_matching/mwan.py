"""MwAN: one text reads the other in several ways, then a classifier.

The network of Tan et al. (2018): `keras_attention.MwAN` over word vectors, and
two layers on its vector. Ours: word vectors are learned with the rest, unless
some are loaded, and there are no contextual ones beside them.
"""

import keras

from keras_attention import MwAN
from keras_attention.pair.multiway_attention import WAYS
from zoo.word_networks import classify, read_pair

PRESETS = {
    "tiny": {"embedding_dim": 8, "units": 6},
    "sick": {"embedding_dim": 64, "units": 32, "dropout": 0.2},
}


def mwan(
    vocabulary_size,
    num_classes,
    left_length=40,
    right_length=40,
    embedding_dim=64,
    train_embedding=True,
    units=50,
    ways=WAYS,
    attention_units=None,
    dropout=0.0,
    name="mwan",
):
    """Builds the matcher; logits out.

    Args:
        vocabulary_size: Integer of at least 3. Ids that all pairs share:
            padding, the unknown word, and the known ones. The embedding has a
            row for each, and one for each place of a pair, where a word that
            is unknown may first stand.
        num_classes: Integer of at least 2.
        left_length: Positive integer. Words of the left text.
        right_length: Positive integer. Words of the right text.
        embedding_dim: Positive integer. Size of a word's vector.
        train_embedding: Boolean. Whether word vectors are learned with the
            rest, or stay as they are loaded.
        units: Positive integer. Of each direction of each GRU.
        ways: As in `keras_attention.MwAN`.
        attention_units: As there.
        dropout: Float in [0, 1). Share dropped of the word vectors, of what
            the GRUs say, and before the logits.
        name: String. The model's name.

    Returns:
        A `keras.Model` from a dict of `left_ids` `(B, left_length)` and
        `right_ids` `(B, right_length)`, int32 as
        `zoo.data.pair_tokens.PairTokens` gives them, to logits
        `(B, num_classes)`.

    Raises:
        ValueError: If a way is unknown, the vocabulary has no known word, or
            there are fewer than two classes.

    Example:

    >>> model = mwan(100, 3, right_length=20, **PRESETS["tiny"])
    >>> model.output_shape
    (None, 3)
    """
    ids, (left, right), masks = read_pair(
        left_length,
        right_length,
        vocabulary_size,
        embedding_dim,
        train_embedding,
        dropout,
    )
    _, x = MwAN(
        units, tuple(ways), attention_units, dropout=dropout, name="attention"
    )(left, right, left_mask=masks[0], right_mask=masks[1])
    x = keras.layers.Dense(units, activation="relu", name="hidden")(x)
    logits = classify(x, num_classes, dropout)
    return keras.Model(ids, logits, name=name)
