"""MwAN of Tan et al. (2018): a passage reads a question in several ways."""

import keras
from keras import ops

from keras_attention.arguments import (
    check_known_depth,
    check_share,
    check_sizes,
)
from keras_attention.functional import (
    check_pair_call,
    check_same_depth,
    hide,
)
from keras_attention.pair.directions import (
    both_directions,
    both_directions_of_several,
)
from keras_attention.pair.gated_aggregation import GatedAggregation
from keras_attention.pair.mixed_aggregation import MixedAggregation
from keras_attention.pair.multiway_attention import WAYS, MultiwayAttention
from keras_attention.sequence.attention_pooling import AttentionPooling
from keras_attention.sequence.bahdanau_attention import BahdanauAttention
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class MwAN(keras.layers.Layer):
    """Multiway attention network: two sequences of words into one vector.

        l, r = bidirectional GRU over left, and the same over right
        q[k] = what l reads of r in way k      (MultiwayAttention)
        h[k] = inside aggregation of q[k] and l        (GatedAggregation)
        o = mixed aggregation of all h[k]              (MixedAggregation)
        c = attention pooling of r                     (AttentionPooling)
        vector = additive attention of c over o        (BahdanauAttention)

    Left attends, right is attended: left is the passage, the answer or the
    premise, right the question or the hypothesis. The classifier behind the
    vector is the model's.

    Args:
        units: Positive integer. Size of each direction of all GRUs.
        ways: Names among `"concat"`, `"bilinear"`, `"dot"` and `"minus"`, each
            at most once.
        attention_units: Positive integer. Width of all scoring networks; `None`
            is `units`.
        dropout: Float in [0, 1). Share of what each GRU says that is dropped in
            training.
        seed: Integer or `None`. Seed of the dropout.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        left: Embedded words, `(B, Tl, D)`.
        right: Embedded words, `(B, Tr, D)`.
        left_mask: Boolean `(B, Tl)`, `True` where a position may be seen.
            Taken from `left` when it carries a Keras mask.
        right_mask: Boolean `(B, Tr)`, the same of `right`.
        return_attention_scores: Boolean. Whether to return the weights too.
        training: Boolean. Whether to apply the dropout.

    Returns:
        `(left, vector)`: `o`, `(B, Tl, 2 * units)`, zeros where hidden, and
        the vector, `(B, 2 * units)`, zeros where left has nothing visible.
        With `return_attention_scores=True` `(left, vector, weights)`, where
        weights is a dict: each way's, `(B, Tl, Tr)`; `"ways"`, `(B, Tl, K)`,
        how much each position trusts each way; `"right"`, `(B, Tr)`, and
        `"left"`, `(B, Tl)`, of the poolings. Rows sum to one, or to zero where
        nothing is seen.

    Raises:
        ValueError: If a size is not positive, `dropout` is not in [0, 1), a way
            is unknown or named twice, the sequences are not of rank 3 and of
            one depth, or a mask holds other than booleans, 1 and 0, or has
            another shape.

    Example:

    >>> import numpy as np
    >>> passage = np.ones((2, 7, 16), "float32")
    >>> question = np.ones((2, 5, 16), "float32")
    >>> states, vector = MwAN(units=6)(passage, question)
    >>> tuple(states.shape), tuple(vector.shape)
    ((2, 7, 12), (2, 12))

    Notation: l is h^p, r is h^q, q[k] is q^k, h[k] is h^k, o is h^o, c is r^q
    and the vector is r^p in the paper.

    Departures: none in the equations but that W v_q and W v_a, products of two
    learned things, are one learned vector. Word and contextual embeddings and
    the classifier are not part of the layer. Where dropout falls is ours.

    Reference:
        Tan, Wei, Wang, Lv, Zhou. Multiway Attention Networks for Modeling
        Sentence Pairs. IJCAI 2018, pages 4411-4417, the section on the model.
        https://www.ijcai.org/proceedings/2018/613
    """

    def __init__(
        self,
        units,
        ways=WAYS,
        attention_units=None,
        dropout=0.0,
        seed=None,
        **kwargs,
    ):
        check_sizes(
            "the sizes of the GRUs and of the scoring networks",
            optional=("attention_units",),
            units=units,
            attention_units=attention_units,
        )
        check_share("dropout", dropout, "a share that leaves something")
        super().__init__(**kwargs)
        self.units = units
        self.attention_units = attention_units
        self.dropout = dropout
        self.seed = seed
        self.supports_masking = True
        policy, width = self.dtype_policy, attention_units or units
        self.forward_gru, self.backward_gru = (
            keras.layers.GRU(
                units,
                return_sequences=True,
                go_backwards=name == "backward",
                dtype=policy,
                name=f"{name}_gru",
            )
            for name in ("forward", "backward")
        )
        self.states_dropout = keras.layers.Dropout(
            dropout, seed=seed, dtype=policy, name="dropout"
        )
        self.attention = MultiwayAttention(
            width, ways, dtype=policy, name="attention"
        )
        self.ways = self.attention.ways
        self.inside = [
            GatedAggregation(units, dtype=policy, name=f"{way}_aggregation")
            for way in self.ways
        ]
        self.mixed = MixedAggregation(
            units, width, dtype=policy, name="mixed_aggregation"
        )
        self.right_pooling = AttentionPooling(
            width, dtype=policy, name="right_pooling"
        )
        self.left_pooling = BahdanauAttention(
            width, dtype=policy, name="left_pooling"
        )

    def build(self, left_shape, right_shape):
        check_known_depth(self, left_shape=left_shape, right_shape=right_shape)
        check_same_depth(left_shape, right_shape)
        size = 2 * self.units
        left = (*left_shape[:2], size)
        right = (*right_shape[:2], size)
        self.forward_gru.build(left_shape)
        self.backward_gru.build(left_shape)
        self.attention.build(left, right)
        for aggregation in self.inside:
            aggregation.build(left, left)
        self.mixed.build((*left_shape[:2], len(self.ways), size))
        self.right_pooling.build(right)
        self.left_pooling.build((left_shape[0], 1, size), left)

    def call(
        self,
        left,
        right,
        left_mask=None,
        right_mask=None,
        return_attention_scores=False,
        training=None,
    ):
        left_mask, right_mask = check_pair_call(
            left, right, left_mask, right_mask
        )
        check_same_depth(left.shape, right.shape)
        left = self._states(left, left_mask, training)
        right = self._states(right, right_mask, training)
        read, weights = self.attention(
            left,
            right,
            left_mask=left_mask,
            right_mask=right_mask,
            return_attention_scores=True,
        )
        readings = [
            self.states_dropout(states, training=training)
            for states in self._inside(read, left, left_mask)
        ]
        states, weights["ways"] = self.mixed(
            ops.stack(readings, axis=2),
            mask=left_mask,
            return_attention_scores=True,
        )
        states = self.states_dropout(states, training=training)
        question, weights["right"] = self.right_pooling(
            right, mask=right_mask, return_attention_scores=True
        )
        vector, shares = self.left_pooling(
            ops.expand_dims(question, axis=1),
            states,
            value_mask=left_mask,
            return_attention_scores=True,
        )
        weights["left"] = ops.squeeze(shares, axis=1)
        vector = ops.squeeze(vector, axis=1)
        if return_attention_scores:
            return states, vector, weights
        return states, vector

    def _inside(self, read, left, mask):
        """The inside aggregation of each way, all in common loops."""
        several = both_directions_of_several(
            [(each.forward_gru, each.backward_gru) for each in self.inside],
            [
                aggregation.gated(read[way], left)[0]
                for way, aggregation in zip(self.ways, self.inside)
            ],
            mask,
        )
        if mask is not None:
            mask = ops.expand_dims(mask, axis=-1)
            several = [hide(states, mask) for states in several]
        return several

    def _states(self, words, mask, training):
        states = both_directions(
            self.forward_gru, self.backward_gru, words, mask
        )
        if mask is not None:
            states = hide(states, ops.expand_dims(mask, axis=-1))
        return self.states_dropout(states, training=training)

    def compute_mask(self, inputs, previous_mask=None):
        return previous_mask, None

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "ways": self.ways,
            "attention_units": self.attention_units,
            "dropout": self.dropout,
            "seed": self.seed,
        }
