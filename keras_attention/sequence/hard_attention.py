"""Hard attention of Xu et al. (2015): one position, sampled."""

import keras
from keras import ops

from keras_attention.arguments import (
    check_known_depth,
    check_positive,
    check_sizes,
)
from keras_attention.functional import (
    additive_scores,
    as_floats,
    check_depth,
    concat_projections,
    default_block_size,
    dot_scores,
    general_scores,
    masked_softmax,
    minus_projections,
    one_hot_sample,
    scaled_dot_scores,
    visible_pairs,
    weighted_sum,
)
from keras_attention.functional.estimators import (
    choice_log_probability,
    gumbel_softmax,
    straight_through,
)
from keras_attention.functional.weights import LOWEST
from keras_attention.shapes import shapes_by_tracing

HIDDEN = ("additive", "concat", "minus")  # scored by a hidden layer
SCORES = (*HIDDEN, "dot", "general", "scaled_dot")
ESTIMATORS = ("reinforce", "straight_through", "gumbel")


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class HardAttention(keras.layers.Layer):
    """Hard attention: each query reads one position, sampled in training.

        weights[i, :] = softmax over j of score(query[i], key[j])
        s[i] ~ weights[i, :]               in training
        s[i] = argmax_j weights[i, j]      at inference; of equals, the first
        context[i] = value[s[i]]

    The context is one of the values, as it is. A choice has no gradient, so
    that of the scores is estimated:

    | estimator | gradient of the scores |
    |---|---|
    | `"reinforce"` | from a loss of yours, the score function's: unbiased |
    | `"straight_through"` | as if the context were the weighted sum: biased |
    | `"gumbel"` | as if it were the relaxed sample's: biased, less varying |

    `"gumbel"` is the Straight-Through Gumbel estimator of Jang et al. (2017):
    the position with the greatest score plus Gumbel noise is read, and the
    softmax of those sums, divided by the temperature, gets the gradient.

    With `"reinforce"` the scores, and what comes before them, learn nothing
    from the context. Ask for the log-probability of what was chosen and add
    `score_function_loss` to the model's loss:

        context, log_probability = layer(
            query, value, return_log_probability=True
        )
        # in `compute_loss`, with a reward for each query, (B, Tq):
        loss = loss + ops.mean(
            score_function_loss(log_probability, reward, baseline)
        )

    Args:
        score: `"dot"`, `"scaled_dot"`, `"general"`, `"additive"`, `"concat"` or
            `"minus"`, as of `AttentionLayer`.
        estimator: A name of the table.
        temperature: Positive number, for `"gumbel"` only. The lower, the less
            bias, and the more variance.
        units: Positive integer, the width of the hidden layer; for
            `"additive"`, `"concat"` and `"minus"`, which need it, only.
        seed: Integer or `None`. Seed of the samples.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        query: `(B, Tq, Dq)`.
        value: `(B, Tk, Dv)`.
        key: `(B, Tk, Dk)`. Defaults to `value`.
        query_mask: Boolean `(B, Tq)`; where it is `False` the output is zero.
            Taken from `query` when it carries a Keras mask.
        value_mask: Boolean `(B, Tk)`, `True` where a key may be seen. Taken
            from `value` when it carries a Keras mask.
        key_mask: Boolean `(B, Tk)`, the same for `key`.
        attention_mask: Boolean `(Tq, Tk)` or `(B, Tq, Tk)`, which query may
            see which key. As every mask here, it may also hold 1 and 0.
        return_attention_scores: Boolean. Whether to return the weights too.
        training: Boolean. Whether to sample.
        use_causal_mask: Boolean. Whether a query sees no key that comes after
            it; the last query stands at the last key.
        return_log_probability: Boolean. Whether to return the log-probability
            of what was chosen too.

    Returns:
        The context, `(B, Tq, Dv)`; with `return_log_probability=True`
        `(context, log_probability)`, the latter `(B, Tq)`. With
        `return_attention_scores=True` the weights come last, `(B, Tq, Tk)`, the
        probabilities by which is sampled; their rows sum to one. Where nothing
        may be seen, all three are zero.

    Raises:
        ValueError: If the score or estimator is unknown, `units` is missing or
            not used, `temperature` is not positive or not used, sizes do not
            fit, or a mask holds other than booleans, 1 and 0, or has another
            shape.

    Example:

    >>> import numpy as np
    >>> layer = HardAttention(score="additive", units=16)
    >>> context, log_probability, weights = layer(
    ...     np.ones((2, 1, 8), "float32"),
    ...     np.ones((2, 49, 32), "float32"),
    ...     return_log_probability=True,
    ...     return_attention_scores=True,
    ... )
    >>> tuple(context.shape), tuple(log_probability.shape), tuple(weights.shape)
    ((2, 1, 32), (2, 1), (2, 1, 49))

    Notation: query, values, weights, the position and the context are h_{t-1},
    a_i, alpha_t, s_t and z_t in the paper.

    Departures: the paper's moving-average baseline, its entropy term, and its
    reading of the soft context half of the time to lower the variance belong to
    the model's loss and are left to it: the weights are there for both. The
    paper scores by `"additive"`; the other scores, `"straight_through"` and
    `"gumbel"` are not its own.

    Reference:
        Xu et al. Show, Attend and Tell: Neural Image Caption Generation with
        Visual Attention. ICML 2015, section 4.1. https://arxiv.org/abs/1502.03044

        Jang, Gu, Poole. Categorical Reparameterization with Gumbel-Softmax.
        ICLR 2017, section on the straight-through estimator.
        https://arxiv.org/abs/1611.01144

        Bengio, Leonard, Courville. Estimating or Propagating Gradients Through
        Stochastic Neurons for Conditional Computation. 2013 (straight-through).
        https://arxiv.org/abs/1308.3432
    """

    def __init__(
        self,
        score="scaled_dot",
        estimator="reinforce",
        temperature=1.0,
        units=None,
        seed=None,
        **kwargs,
    ):
        if score not in SCORES:
            raise ValueError(
                f"`score` must be one of {sorted(SCORES)}. "
                f"Received: score={score!r}"
            )
        if estimator not in ESTIMATORS:
            raise ValueError(
                f"`estimator` must be one of {ESTIMATORS}, how the gradient of "
                f"a choice is estimated. Received: estimator={estimator!r}"
            )
        check_positive("temperature", temperature, "it divides the scores")
        if temperature != 1 and estimator != "gumbel":
            raise ValueError(
                '`temperature` is for estimator="gumbel" only, which relaxes '
                f"the sample. Received: temperature={temperature}, "
                f"estimator={estimator!r}"
            )
        if score in HIDDEN:
            check_sizes(f"which the score {score!r} needs", units=units)
        elif units is not None:
            raise ValueError(
                f"The score {score!r} does not use `units`. "
                f"Received: units={units}"
            )
        super().__init__(**kwargs)
        self.score = score
        self.estimator = estimator
        self.temperature = temperature
        self.units = units
        self.seed = seed
        self.supports_masking = True
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, query_shape, value_shape, key_shape=None):
        check_known_depth(
            self,
            query_shape=query_shape,
            value_shape=value_shape,
            key_shape=key_shape,
        )
        query_size, key_size = query_shape[-1], (key_shape or value_shape)[-1]
        self.query_size = query_size
        if self.score in ("dot", "scaled_dot", "minus"):
            if query_size != key_size:
                raise ValueError(
                    f"With the score {self.score!r}, query and key must have "
                    "the same size; project one of them, or use another score. "
                    f"Received: query_shape={tuple(query_shape)}, "
                    f"key_shape={tuple(key_shape or value_shape)}"
                )
        # As `AttentionLayer` names them.
        if self.score == "general":
            self.kernel = self._kernel("kernel", query_size, key_size)
        elif self.score == "additive":
            self.query_kernel = self._kernel(
                "query_kernel", query_size, self.units
            )
            self.key_kernel = self._kernel("key_kernel", key_size, self.units)
        elif self.score in HIDDEN:
            rows = query_size + (key_size if self.score == "concat" else 0)
            self.kernel = self._kernel("kernel", rows, self.units)
        if self.score in HIDDEN:
            self.score_vector = self.add_weight(
                name="score_vector", shape=(self.units,)
            )

    def _kernel(self, name, rows, columns):
        return self.add_weight(name=name, shape=(rows, columns))

    def call(
        self,
        query,
        value,
        key=None,
        query_mask=None,
        value_mask=None,
        key_mask=None,
        attention_mask=None,
        return_attention_scores=False,
        training=None,
        use_causal_mask=False,
        return_log_probability=False,
    ):
        key = value if key is None else key
        mask = visible_pairs(
            query,
            value,
            key,
            query_mask,
            value_mask,
            key_mask,
            attention_mask,
            use_causal_mask,
        )
        query, key, value = (
            as_floats(x, self.compute_dtype) for x in (query, key, value)
        )
        scores = ops.cast(self._scores(query, key), "float32")
        choice = self._choice(scores, mask, training)
        context = weighted_sum(ops.cast(choice, value.dtype), value)
        outputs = [context]
        if return_log_probability:
            logs = choice_log_probability(scores, choice, mask)
            outputs.append(ops.cast(logs, self.compute_dtype))
        if return_attention_scores:
            weights = masked_softmax(scores, mask)
            outputs.append(ops.cast(weights, self.compute_dtype))
        return tuple(outputs) if len(outputs) > 1 else context

    def _scores(self, query, key):
        if self.score == "dot":
            return dot_scores(query, key)
        if self.score == "scaled_dot":
            return scaled_dot_scores(query, key)
        if self.score == "general":
            return general_scores(query, key, self.kernel)
        if self.score == "additive":
            query = ops.matmul(query, self.query_kernel)
            key = ops.matmul(key, self.key_kernel)
        elif self.score == "concat":
            check_depth(query, self.query_size)
            query, key = concat_projections(query, key, self.kernel)
        else:
            query, key = minus_projections(query, key, self.kernel)
        return additive_scores(
            query,
            key,
            ops.convert_to_tensor(self.score_vector),
            default_block_size(query.shape[1], key.shape[1], self.units),
        )

    def _choice(self, scores, mask, training):
        """A position of each row, one-hot, with the estimator's gradient."""
        if not training:
            return ops.stop_gradient(_first_of_the_greatest(scores, mask))
        if self.estimator == "gumbel":
            soft = gumbel_softmax(
                scores, self.temperature, mask, self.seed_generator
            )
            return straight_through(_first_of_the_greatest(soft, mask), soft)
        drawn = one_hot_sample(scores, mask, self.seed_generator)
        if self.estimator == "reinforce":
            return drawn
        return straight_through(drawn, masked_softmax(scores, mask))

    def get_config(self):
        return {
            **super().get_config(),
            "score": self.score,
            "estimator": self.estimator,
            "temperature": self.temperature,
            "units": self.units,
            "seed": self.seed,
        }


def _first_of_the_greatest(scores, mask):
    """One-hot of each row's greatest; `argmax` is not in LiteRT."""
    if mask is not None:
        scores = ops.where(mask, scores, LOWEST)
    greatest = ops.max(scores, axis=-1, keepdims=True)
    length = ops.shape(scores)[-1]
    places = ops.arange(length, dtype="int32")
    first = ops.min(
        ops.where(scores >= greatest, places, length), axis=-1, keepdims=True
    )
    chosen = ops.cast(ops.equal(places, first), scores.dtype)
    return chosen if mask is None else ops.where(mask, chosen, 0.0)
