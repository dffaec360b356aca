"""Multiway attention of Tan et al. (2018): one sequence read in four ways."""

import keras
from keras import ops

from keras_attention.arguments import check_known_depth, check_sizes
from keras_attention.functional import (
    additive_scores,
    check_pair_call,
    check_same_depth,
    concat_projections,
    default_block_size,
    general_scores,
    masked_softmax,
    minus_projections,
    product_scores,
    visible_cells,
    weighted_sum,
)
from keras_attention.shapes import shapes_by_tracing

WAYS = ("concat", "bilinear", "dot", "minus")


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class MultiwayAttention(keras.layers.Layer):
    """Left attends, right is attended, in several ways side by side.

    For each way, with weights of its own, and * entry by entry:

        concat:   s[t, j] = v . tanh(W [left[t]; right[j]])
        bilinear: s[t, j] = left[t] . W right[j]
        dot:      s[t, j] = v . tanh(W (right[j] * left[t]))
        minus:    s[t, j] = v . tanh(W (right[j] - left[t]))
        weights = softmax over j of s
        output[t] = sum_j weights[t, j] right[j]

    Args:
        units: Positive integer. Width of the scoring networks of concat, dot
            and minus.
        ways: Names among `"concat"`, `"bilinear"`, `"dot"` and `"minus"`, each
            at most once.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        left: `(B, Tl, D)`, the passage.
        right: `(B, Tr, D)`, the question.
        left_mask: Boolean `(B, Tl)`, `True` where a position may be seen;
            hidden ones get zeros. Taken from `left` when it carries a mask.
        right_mask: Boolean `(B, Tr)`. Hidden ones are never read.
        return_attention_scores: Boolean. Whether to return the weights too.

    Returns:
        Dict from way to what left reads, `(B, Tl, D)`; with
        `return_attention_scores=True` a pair with a dict from way to weights,
        `(B, Tl, Tr)`, whose rows sum to one, or to zero where nothing is seen.

    Raises:
        ValueError: If `units` is not positive, a way is unknown or named twice,
            the sequences are not of rank 3 and of one depth, or a mask holds
            other than booleans, 1 and 0, or has another shape.

    Example:

    >>> import numpy as np
    >>> passage = np.ones((2, 7, 16), "float32")
    >>> question = np.ones((2, 5, 16), "float32")
    >>> read, weights = MultiwayAttention(units=8, ways=("dot", "minus"))(
    ...     passage, question, return_attention_scores=True
    ... )
    >>> {way: tuple(grid.shape) for way, grid in weights.items()}
    {'dot': (2, 7, 5), 'minus': (2, 7, 5)}

    Notation: left[t] is h^p_t, right[j] is h^q_j, the outputs are q^c_t, q^b_t,
    q^d_t and q^m_t in the paper; W of bilinear is the transpose of W_b.

    Departures: none. The three scores with a hidden layer are taken in blocks
    of left where the grid is large.

    Reference:
        Tan, Wei, Wang, Lv, Zhou. Multiway Attention Networks for Modeling
        Sentence Pairs. IJCAI 2018, pages 4411-4417, in the section on matching.
        https://www.ijcai.org/proceedings/2018/613
    """

    def __init__(self, units, ways=WAYS, **kwargs):
        check_sizes("the width of the scoring networks", units=units)
        several = isinstance(ways, list | tuple) and len(ways) > 0
        known = several and all(way in WAYS for way in ways)
        if not known or len(set(ways)) < len(ways):
            raise ValueError(
                f"`ways` must be names among {WAYS}, each at most once, and "
                f"one at least. Received: ways={ways!r}"
            )
        super().__init__(**kwargs)
        self.units = units
        self.ways = tuple(ways)
        self.supports_masking = True

    def build(self, left_shape, right_shape):
        check_known_depth(self, left_shape=left_shape, right_shape=right_shape)
        check_same_depth(left_shape, right_shape)
        depth = left_shape[-1]
        self.kernels, self.vectors = {}, {}
        for way in self.ways:
            rows = 2 * depth if way == "concat" else depth
            columns = depth if way == "bilinear" else self.units
            self.kernels[way] = self.add_weight(
                name=f"{way}_kernel", shape=(rows, columns)
            )
            if way != "bilinear":
                self.vectors[way] = self.add_weight(
                    name=f"{way}_vector", shape=(self.units,)
                )

    def call(
        self,
        left,
        right,
        left_mask=None,
        right_mask=None,
        return_attention_scores=False,
    ):
        masks = check_pair_call(left, right, left_mask, right_mask)
        check_same_depth(left.shape, right.shape)
        cells = visible_cells(*masks)
        weights = {
            way: masked_softmax(self._scores(way, left, right), cells)
            for way in self.ways
        }
        read = {way: weighted_sum(weights[way], right) for way in self.ways}
        return (read, weights) if return_attention_scores else read

    def _scores(self, way, left, right):
        # As plain tensors: JAX recomputes blocks of these only.
        kernel = ops.convert_to_tensor(self.kernels[way])
        if way == "bilinear":
            return general_scores(left, right, kernel)
        vector = ops.convert_to_tensor(self.vectors[way])
        lengths = left.shape[1], right.shape[1]
        if way == "dot":
            widest = max(left.shape[-1], self.units)
            block_size = default_block_size(*lengths, widest)
            return product_scores(left, right, kernel, vector, block_size)
        if way == "concat":
            left, right = concat_projections(left, right, kernel)
        else:
            right, left = minus_projections(right, left, kernel)
        block_size = default_block_size(*lengths, self.units)
        return additive_scores(left, right, vector, block_size)

    def compute_mask(self, inputs, previous_mask=None):
        return {way: previous_mask for way in self.ways}

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "ways": self.ways,
        }
