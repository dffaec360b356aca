"""ABCNN: two texts convolved side by side, compared at every height.

The network of Yin et al. (2016): blocks of `keras_attention.ABCNN` over word
vectors; the average of each side before the blocks and after each of them, as
all-ap; the cosine of the two averages at each height; and a logistic layer on
these, which may be told how many words both texts share too. Ours: word vectors
are learned with the rest, unless some are loaded.
"""

import keras
from keras import ops

from keras_attention import ABCNN
from keras_attention.functional.matching import cosine_similarity
from zoo.sentence_matching.overlap_features import OverlapFeatures
from zoo.word_networks import AveragePooling, classify, read_pair

PRESETS = {
    "tiny": {"embedding_dim": 8, "filters": 6, "kernel_size": 3},
    "wikiqa": {
        "embedding_dim": 64,
        "filters": 50,
        "kernel_size": 4,
        "num_blocks": 1,
        "train_embedding": False,
    },
}


def abcnn(
    vocabulary_size,
    num_classes,
    left_length=40,
    right_length=40,
    embedding_dim=64,
    train_embedding=True,
    filters=50,
    kernel_size=4,
    num_blocks=1,
    variant=3,
    overlap_features=False,
    dropout=0.0,
    name="abcnn",
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
        filters: Positive integer. Width of each block.
        kernel_size: Positive integer. Words in a window.
        num_blocks: Positive integer. Blocks on top of each other.
        variant: `"bcnn"`, 1, 2 or 3, as in `keras_attention.ABCNN`.
        overlap_features: Boolean. Whether the logistic layer also sees
            `OverlapFeatures`.
        dropout: Float in [0, 1). Share dropped of the word vectors.
        name: String. The model's name.

    Returns:
        A `keras.Model` from a dict of `left_ids` `(B, left_length)` and
        `right_ids` `(B, right_length)`, int32 as
        `zoo.data.pair_tokens.PairTokens` gives them, to logits
        `(B, num_classes)`.

    Raises:
        ValueError: If the variant is unknown, there is no block, the
            vocabulary has no known word, or there are fewer than two classes.

    Example:

    >>> model = abcnn(100, 2, right_length=20, **PRESETS["tiny"])
    >>> model.output_shape
    (None, 2)
    """
    if num_blocks < 1:
        raise ValueError(
            "`num_blocks` must be a positive integer. "
            f"Received: num_blocks={num_blocks}"
        )
    ids, sides, masks = read_pair(
        left_length,
        right_length,
        vocabulary_size,
        embedding_dim,
        train_embedding,
        dropout,
    )
    found = [_similarity(sides, masks, "similarity_0")]
    for index in range(1, num_blocks + 1):
        sides = ABCNN(
            filters,
            kernel_size,
            variant,
            max_length=max(left_length, right_length)
            if variant in (1, 3)
            else None,
            name=f"block_{index}",
        )(*sides, left_mask=masks[0], right_mask=masks[1])
        found.append(_similarity(sides, masks, f"similarity_{index}"))
    if overlap_features:
        found.append(
            OverlapFeatures(vocabulary_size, name="overlap_features")(
                *ids.values()
            )
        )
    x = keras.layers.Concatenate(name="similarities")(found)
    logits = classify(x, num_classes, dropout=0.0)
    return keras.Model(ids, logits, name=name)


def _similarity(sides, masks, name):
    """The cosine of both sides' averages, `(B, 1)`."""
    averages = [
        AveragePooling(name=f"{name}_{side}_average")(x, mask=mask)
        for side, x, mask in zip(("left", "right"), sides, masks)
    ]
    return CosineSimilarity(name=name)(*averages)


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class CosineSimilarity(keras.layers.Layer):
    """The cosine of two vectors; 0 beside a zero vector, on a device too.

    LiteRT's normalisation, which `keras.layers.Dot` becomes there, divides by
    zero for a text without a word.

    Call arguments:
        left: `(B, D)`.
        right: `(B, D)`.

    Returns:
        `(B, 1)`.
    """

    def call(self, left, right):
        left, right = (ops.expand_dims(side, axis=1) for side in (left, right))
        return ops.squeeze(cosine_similarity(left, right), axis=-1)
