"""Estimators: gradients through a choice, which has none of its own."""

import keras
from keras import ops

from keras_attention.functional.known import cast_back
from keras_attention.functional.weights import LOWEST, masked_softmax

HALF_LOG_OF_TWO_PI = 0.9189385332046727


def score_function_loss(log_probability, reward, baseline=None):
    """Loss whose gradient is that of the expected reward, with a minus sign.

        loss = -sum over choices of (reward - baseline) * log_probability

    The score function estimator, or REINFORCE (Williams 1992): averaged over
    samples of the choice, the loss's gradient is
    `-E[(reward - baseline) * d log_probability]`, so a step down the loss
    raises the expected reward. The value of the loss means nothing. Reward and
    baseline are constants here; train a baseline by a loss of its own. A
    baseline that does not depend on the choice leaves the expected gradient as
    it is, and one near the mean reward lowers its variance.

    Args:
        log_probability: `(B, ...)`, the log-probability of what was chosen; one
            entry for each choice, as for the steps of a sequence, `(B, T)`.
        reward: What came of each choice, of the same shape. A reward for the
            whole sequence is repeated by the caller, for every step.
        baseline: Of the same shape, or `None` for zero.

    Returns:
        `(B,)`, float32: a loss for each sample, summed over its choices.

    Raises:
        ValueError: If the shapes are not the same.
    """
    shape = tuple(log_probability.shape)
    given = {"reward": reward, "baseline": baseline}
    for name, tensor in given.items():
        other = shape if tensor is None else tuple(tensor.shape)
        if not shape or len(other) != len(shape) or _differ(shape, other):
            raise ValueError(
                f"`{name}` must have the shape of `log_probability`, "
                "(B,) or (B, T): broadcast, samples would get the rewards of "
                f"others. Received: {name} of shape {other}, "
                f"log_probability of shape {shape}"
            )
    advantage = ops.cast(reward, "float32")
    if baseline is not None:
        advantage = advantage - ops.cast(baseline, "float32")
    loss = -ops.stop_gradient(advantage) * ops.cast(log_probability, "float32")
    return ops.sum(loss, axis=tuple(range(1, len(shape))))


def choice_log_probability(scores, choice, mask=None):
    """Log-probability of a choice by the softmax of the scores.

    Computed from the scores: finite, and with a finite gradient, even where
    the softmax itself is rounded to zero.

    Args:
        scores: Float tensor `(..., Tk)`.
        choice: One-hot tensor `(..., Tk)`, a constant here, as from
            `keras_attention.functional.one_hot_sample`.
        mask: Boolean tensor broadcastable to `scores`; `True` is visible.

    Returns:
        `(...)`, float32; 0, without a gradient, where nothing is chosen.
    """
    values = ops.cast(scores, "float32")
    if mask is not None:
        values = ops.where(ops.cast(mask, "bool"), values, LOWEST)
    # Not `log_softmax`, of which Keras warns where there is a single position.
    values = values - ops.stop_gradient(ops.max(values, axis=-1, keepdims=True))
    total = ops.sum(ops.exp(values), axis=-1, keepdims=True)
    chosen = ops.stop_gradient(ops.cast(choice, "float32"))
    logs = ops.where(chosen > 0, values - ops.log(total), 0.0)
    return ops.sum(chosen * logs, axis=-1)


def straight_through(hard, soft):
    """The value of `hard`, with the gradient of `soft` (Bengio et al. 2013).

    A biased estimator: it takes the step from soft to hard for the identity.

    Args:
        hard: Float tensor, the choice; it gets no gradient.
        soft: Float tensor of the same shape, such as the probabilities.

    Returns:
        Tensor exactly equal to `hard`, in the dtype of `soft`.

    Raises:
        ValueError: If the shapes are not the same.
    """
    shapes = tuple(hard.shape), tuple(soft.shape)
    if len(shapes[0]) != len(shapes[1]) or _differ(*shapes):
        raise ValueError(
            "`hard` and `soft` must have the same shape: each value gets a "
            f"gradient. Received: hard of shape {shapes[0]}, "
            f"soft of shape {shapes[1]}"
        )
    # Zero, with a gradient; soft + (hard - soft) would be rounded.
    nothing = soft - ops.stop_gradient(soft)
    return ops.stop_gradient(ops.cast(hard, soft.dtype)) + nothing


def gumbel_softmax(scores, temperature, mask=None, seed=None):
    """A sample, relaxed: the softmax of the scores with Gumbel noise.

        softmax((scores + noise) / temperature)

    Near a temperature of zero it is one-hot, and distributed as the softmax of
    the scores says; the higher it is, the smoother the sample and the smaller
    the variance of its gradient. For a choice with that gradient, take the
    greatest and pass both to `straight_through` (the Straight-Through Gumbel
    estimator).

    Args:
        scores: Float tensor `(..., Tk)`.
        temperature: Positive number, or a tensor.
        mask: Boolean tensor broadcastable to `scores`; `True` is visible.
        seed: Integer, `keras.random.SeedGenerator` or `None`.

    Returns:
        Tensor like `scores`, in [0, 1]; rows sum to one, and are zero where
        nothing is visible.

    Raises:
        ValueError: If `temperature` is a number that is not positive.
    """
    if isinstance(temperature, (int, float)) and not temperature > 0:
        raise ValueError(
            "`temperature` must be positive, it divides the scores. "
            f"Received: temperature={temperature}"
        )
    values = ops.cast(scores, "float32")
    uniform = keras.random.uniform(
        ops.shape(values), 1e-7, 1.0, dtype="float32", seed=seed
    )
    values = values - ops.log(-ops.log(uniform))
    weights = masked_softmax(values / ops.cast(temperature, "float32"), mask)
    return cast_back(weights, scores)


def gaussian_log_probability(sample, mean, deviation):
    """Log-density of a sample of independent normal distributions.

        -sum over the last axis of (sample - mean)^2 / (2 deviation^2)
            + log(deviation) + log(2 pi) / 2

    The sample is a constant here, so that the gradient is that of the policy.
    It is what was drawn: a place that is clipped to the image afterwards has
    the probability of the place before.

    Args:
        sample: `(..., D)`, as it was drawn.
        mean: `(..., D)`.
        deviation: Positive number, or a tensor broadcastable to `mean`: the
            standard deviation.

    Returns:
        `(...)`, float32.

    Raises:
        ValueError: If `sample` and `mean` differ in shape, or `deviation` is a
            number that is not positive.
    """
    shapes = tuple(sample.shape), tuple(mean.shape)
    if len(shapes[0]) != len(shapes[1]) or _differ(*shapes):
        raise ValueError(
            "`sample` and `mean` must have the same shape: each value drawn "
            f"has a mean. Received: sample of shape {shapes[0]}, "
            f"mean of shape {shapes[1]}"
        )
    if isinstance(deviation, (int, float)) and not deviation > 0:
        raise ValueError(
            "`deviation` must be positive, a standard deviation. "
            f"Received: deviation={deviation}"
        )
    mean = ops.cast(mean, "float32")
    drawn = ops.stop_gradient(ops.cast(sample, "float32"))
    deviation = ops.cast(deviation, "float32")
    logs = (
        -0.5 * ops.square((drawn - mean) / deviation)
        - ops.log(deviation)
        - HALF_LOG_OF_TWO_PI
    )
    return ops.sum(logs, axis=-1)


def _differ(one, other):
    """Whether two shapes of the same rank differ in a size that both know."""
    return any(
        isinstance(a, int) and isinstance(b, int) and a != b
        for a, b in zip(one, other)
    )
