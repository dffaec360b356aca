"""Attention matrix of Yin et al. (2016): how near each word is to each."""

import keras

from keras_attention.arguments import check_known_depth
from keras_attention.functional import (
    check_pair_call,
    check_same_depth,
    cosine_similarity,
    default_block_size,
    dot_scores,
    hide,
    inverse_distance,
    visible_cells,
)
from keras_attention.shapes import shapes_by_tracing

SCORES = ("inverse_distance", "cosine", "dot")


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class PairAttentionMatrix(keras.layers.Layer):
    """Compares each place of one sequence with each of another.

    By `score`, without weights of its own:

        inverse_distance: 1 / (1 + |left[i] - right[j]|)
        cosine:           left[i] . right[j] / (|left[i]| |right[j]|)
        dot:              left[i] . right[j]

    The inverse distance is the attention matrix of ABCNN. Where either place is
    hidden, the cell is 0. Long sequences are compared in blocks.

    Args:
        score: `"inverse_distance"`, `"cosine"` or `"dot"`.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        left: `(B, Tl, D)`.
        right: `(B, Tr, D)`.
        left_mask: Boolean `(B, Tl)`, `True` where a position may be seen.
            Taken from `left` when it carries a Keras mask.
        right_mask: Boolean `(B, Tr)`, the same of `right`.

    Returns:
        `(B, Tl, Tr)`; in [0, 1] for the inverse distance, in [-1, 1] for the
        cosine.

    Raises:
        ValueError: If the score is unknown, the sequences are not of rank 3 and
            of one depth, or a mask holds other than booleans, 1 and 0, or has
            another shape.

    Example:

    >>> import numpy as np
    >>> question = np.ones((2, 5, 8), "float32")
    >>> answer = np.zeros((2, 7, 8), "float32")
    >>> tuple(PairAttentionMatrix()(question, answer).shape)
    (2, 5, 7)

    Notation: the inverse distance is match-score, and the grid is A in the
    paper, which counts words along columns.

    Departures: none; cosine and dot are ours.

    Reference:
        Yin, Schuetze, Xiang, Zhou. ABCNN: Attention-Based Convolutional Neural
        Network for Modeling Sentence Pairs. TACL 2016, section 4.
        https://arxiv.org/abs/1512.05193
    """

    def __init__(self, score="inverse_distance", **kwargs):
        if score not in SCORES:
            raise ValueError(
                f"`score` must be one of {SCORES}. Received: score={score!r}"
            )
        super().__init__(**kwargs)
        self.score = score
        self.supports_masking = True

    def build(self, left_shape, right_shape):
        check_known_depth(self, left_shape=left_shape, right_shape=right_shape)
        check_same_depth(left_shape, right_shape)

    def call(self, left, right, left_mask=None, right_mask=None):
        masks = check_pair_call(left, right, left_mask, right_mask)
        check_same_depth(left.shape, right.shape)
        if self.score == "inverse_distance":
            block_size = default_block_size(
                left.shape[1], right.shape[1], left.shape[2]
            )
            grid = inverse_distance(left, right, block_size)
        elif self.score == "cosine":
            grid = cosine_similarity(left, right)
        else:
            grid = dot_scores(left, right)
        return hide(grid, visible_cells(*masks))

    def compute_mask(self, inputs, previous_mask=None):
        return None

    def get_config(self):
        return {**super().get_config(), "score": self.score}
