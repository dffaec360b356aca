"""Gradients through a choice, against every choice that there is."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.functional.estimators import (
    choice_log_probability,
    gaussian_log_probability,
    gumbel_softmax,
    score_function_loss,
    straight_through,
)
from tests.numbers import (
    DTYPES,
    SLACK,
    as_float32,
    close,
    gradients,
    numpy,
    softmax,
    tensor,
)

SCORES = np.array([0.3, -1.2, 0.9, 0.1], "float32")
REWARDS = np.array([5.0, 7.0, 4.0, 9.0], "float32")
CHOICES = np.eye(4, dtype="float32")  # every choice, a sample each


def estimates(baseline, scores=SCORES, mask=None, dtype="float32"):
    """The estimate of the gradient of the reward, if each were chosen."""

    def loss(rows):
        logs = choice_log_probability(ops.cast(rows, dtype), CHOICES, mask)
        return ops.sum(score_function_loss(logs, REWARDS, baseline))

    (slope,) = gradients(loss, np.tile(scores, (4, 1)))
    return -slope


@pytest.mark.parametrize("baseline", [None, 6.0, -3.0, "of the sample"])
def test_the_expected_gradient_is_that_of_the_expected_reward(baseline):
    """Over all choices, each as often as its probability says."""
    shares = softmax(SCORES)
    exact = shares * (REWARDS - shares @ REWARDS)
    assert np.abs(exact).min() > 0.05
    if baseline is not None:
        value = shares @ REWARDS if baseline == "of the sample" else baseline
        baseline = np.full(4, value, "float32")
    close(shares @ estimates(baseline), exact)


def test_a_baseline_lowers_the_variance():
    shares = softmax(SCORES)

    def variance(baseline):
        found = estimates(baseline)
        return shares @ ((found - shares @ found) ** 2).sum(-1)

    mean = np.full(4, shares @ REWARDS, "float32")
    without, with_mean = variance(None), variance(mean)
    # Written out: (R - b)^2 ||one_hot - shares||^2, less the mean squared.
    exact = shares * (REWARDS - shares @ REWARDS)
    squared = ((CHOICES - shares) ** 2).sum(-1)
    close(without, shares @ (REWARDS**2 * squared) - (exact**2).sum())
    close(with_mean, shares @ ((REWARDS - mean) ** 2 * squared) - exact @ exact)
    assert with_mean < 0.1 * without


@pytest.mark.parametrize("with_baseline", [False, True])
def test_the_gradient_is_unbiased_over_sequences_of_choices(with_baseline):
    """Two choices of three; the second's scores depend on the first."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=3), rng.normal(size=(3, 3))
    reward = rng.normal(3, 1, (3, 3))
    p = softmax(first)
    q = np.stack([softmax(row) for row in second])
    joint = p[:, None] * q

    a, b = (places.ravel() for places in np.indices((3, 3)))
    one_hot = np.eye(3, dtype="float32")
    chosen = np.stack([one_hot[a], one_hot[b]], axis=1)
    rewards = np.repeat(reward.reshape(9, 1), 2, axis=1).astype("float32")
    baseline = None
    if with_baseline:  # of a step, it may know what was chosen before
        before = np.full(9, (joint * reward).sum())
        baseline = np.stack([before, (q * reward).sum(1)[a]], axis=1)

    def loss(rows):
        logs = choice_log_probability(rows, chosen)
        each = score_function_loss(logs, rewards, baseline)
        assert tuple(each.shape) == (9,)
        return ops.sum(each)

    rows = np.stack([np.tile(first, (9, 1)), second[a]], axis=1)
    (slope,) = gradients(loss, rows.astype("float32"))
    weighted = -slope * joint.reshape(9, 1, 1)
    value = (q * reward).sum(1)
    close(weighted[:, 0].sum(0), p * (value - p @ value))
    for choice in range(3):
        exact = p[choice] * q[choice] * (reward[choice] - value[choice])
        close(weighted[a == choice, 1].sum(0), exact)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_loss_is_a_value_for_each_sample_in_float32(dtype):
    rng = np.random.default_rng(1)
    logs, exact = tensor(-rng.random((3, 2)), dtype)
    reward, exact_reward = tensor(rng.random((3, 2)), dtype)
    baseline, exact_baseline = tensor(rng.random((3, 2)), dtype)
    loss = score_function_loss(logs, reward, baseline)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    expected = -((exact_reward - exact_baseline) * exact).sum(1)
    close(loss, expected)
    close(
        score_function_loss(logs[:, 0], reward[:, 0]),
        -exact_reward[:, 0] * exact[:, 0],
    )


def test_reward_and_baseline_are_constants():
    logs = np.array([-0.5, -2.0], "float32")

    def loss(reward, baseline):
        own = ops.sum(reward) + 2 * ops.sum(baseline)  # so there is a way
        return ops.sum(score_function_loss(logs, reward, baseline)) + own

    to_reward, to_baseline = gradients(loss, 3 * logs, logs)
    np.testing.assert_array_equal(to_reward, [1, 1])
    np.testing.assert_array_equal(to_baseline, [2, 2])


@pytest.mark.parametrize(
    "shapes, message",
    [
        (((4, 3), (4,), None), r"`reward`.*\(4,\).*\(4, 3\)"),
        (((4, 3), (4, 1), None), r"`reward`.*\(4, 1\).*\(4, 3\)"),
        (((4,), (4, 3), None), r"`reward`.*\(4, 3\).*\(4,\)"),
        (((3, 3), (3, 3), (3,)), r"`baseline`.*\(3,\).*\(3, 3\)"),
        (((4,), (4,), (4, 1)), r"`baseline`.*\(4, 1\).*\(4,\)"),
        (((), (), None), r"`reward`.*\(\)"),
    ],
)
def test_refuses_rewards_that_would_be_broadcast(shapes, message):
    arrays = [None if s is None else np.ones(s, "float32") for s in shapes]
    with pytest.raises(ValueError, match=message):
        score_function_loss(*arrays)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_log_probability_is_that_of_the_softmax(dtype):
    rng = np.random.default_rng(2)
    held, exact = tensor(rng.normal(0, 2, (3, 4)), dtype)
    mask = np.array([[1, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]], "bool")
    choice = np.eye(4)[[3, 0, 0]] * mask.any(1, keepdims=True)
    logs = choice_log_probability(held, choice, mask)
    assert keras.backend.standardize_dtype(logs.dtype) == "float32"
    seen = softmax(exact[0][mask[0]])
    close(logs, [np.log(seen[-1]), 0, 0])
    every = [softmax(row) for row in exact]
    expected = [np.log(row[place]) for row, place in zip(every, (3, 0, 1))]
    close(choice_log_probability(held, np.eye(4)[[3, 0, 1]]), expected)


def test_a_choice_of_one_is_certain():
    logs = choice_log_probability(np.full((2, 1), -30.0), np.ones((2, 1)))
    np.testing.assert_array_equal(numpy(logs), [0, 0])


@pytest.mark.parametrize("huge", [120.0, 6e4, 1e30])
@pytest.mark.parametrize("mask", [None, [True, True, True, False], [False] * 4])
def test_gradients_are_finite_where_a_share_is_zero(huge, mask):
    """The chosen position's softmax is 0; the log of that would not be."""
    scores = np.array([-huge, 0.0, huge, 0.0], "float32")
    mask = None if mask is None else np.array(mask)
    logs = numpy(choice_log_probability(scores[None] + 0 * CHOICES, CHOICES))
    assert np.isfinite(logs).all()
    close(logs, scores - huge)
    found = estimates(None, scores, mask)
    assert np.isfinite(found).all()
    seen = mask is None or mask.any()
    close(found[0, 0], REWARDS[0] if seen else 0)
    if mask is not None:
        assert not found[:, ~mask].any()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_loses_nothing_but_the_scores_rounding(dtype):
    held = tensor(SCORES, dtype)[1]
    baseline = np.full(4, 6.0, "float32")
    found = estimates(baseline, held, dtype=dtype)
    close(found, estimates(baseline, held), 0, 5 * SLACK[dtype])


def test_straight_through_is_hard_forwards_and_soft_backwards():
    rng = np.random.default_rng(3)
    soft = np.stack([softmax(row) for row in rng.normal(0, 3, (50, 7))])
    soft = soft.astype("float32")
    hard = np.eye(7, dtype="float32")[soft.argmax(1)]
    joined = straight_through(hard, ops.convert_to_tensor(soft))
    np.testing.assert_array_equal(as_float32(joined), hard)  # to the last bit
    other = 100 * rng.normal(size=soft.shape).astype("float32")
    joined = straight_through(other, ops.convert_to_tensor(soft))
    np.testing.assert_array_equal(as_float32(joined), other)
    slope = rng.normal(size=soft.shape).astype("float32")

    def total(hard, soft):
        own = ops.sum(hard)  # so there is a way
        joined = straight_through(hard, soft)
        return ops.sum(ops.multiply(joined, slope)) + own

    to_hard, to_soft = gradients(total, hard, soft)
    np.testing.assert_array_equal(to_hard, np.ones_like(hard))
    close(to_soft, slope)


@pytest.mark.parametrize("dtype", DTYPES)
def test_straight_through_answers_in_the_dtype_of_the_soft(dtype):
    soft, _ = tensor([[0.1, 0.9]], dtype)
    joined = straight_through(np.array([[0.0, 1.0]]), soft)
    assert keras.backend.standardize_dtype(joined.dtype) == dtype
    np.testing.assert_array_equal(as_float32(joined), [[0, 1]])


def test_straight_through_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"hard of shape \(2,\).*\(2, 1\)"):
        straight_through(np.ones(2), np.ones((2, 1)))


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_gumbel_softmax_equals_numpy(temperature):
    rng = np.random.default_rng(4)
    scores = rng.normal(size=(3, 5)).astype("float32")
    mask = rng.random((3, 5)) < 0.7
    mask[2] = False
    uniform = keras.random.uniform((3, 5), 1e-7, 1.0, seed=7)
    noisy = scores - np.log(-np.log(numpy(uniform)))
    found = numpy(gumbel_softmax(scores, temperature, mask, seed=7))
    plain = numpy(gumbel_softmax(scores, temperature, seed=7))
    for row in range(3):
        close(plain[row], softmax(noisy[row] / temperature))
        expected = np.zeros(5)
        if mask[row].any():
            seen = noisy[row][mask[row]] / temperature
            expected[mask[row]] = softmax(seen)
        close(found[row], expected)
    assert not found[2].any() and not found[~mask].any()
    other = numpy(gumbel_softmax(scores, temperature, seed=8))
    assert np.abs(other - plain).max() > 0.01


@pytest.mark.parametrize("dtype", DTYPES)
def test_gumbel_softmax_is_exact_where_one_position_is_visible(dtype):
    scores, _ = tensor(np.random.default_rng(5).normal(size=(4, 4)), dtype)
    found = gumbel_softmax(scores, 0.1, np.eye(4, dtype="bool"), seed=1)
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    np.testing.assert_array_equal(as_float32(found), np.eye(4))
    alone = gumbel_softmax(scores[:, :1], 0.1, seed=1)
    np.testing.assert_array_equal(as_float32(alone), np.ones((4, 1)))


def test_the_greatest_of_gumbel_softmax_falls_where_the_softmax_says():
    many = np.tile(SCORES, (4000, 1))
    for temperature in (0.2, 2.0):
        drawn = numpy(gumbel_softmax(many, temperature, seed=1))
        close(drawn.sum(-1), np.ones(4000))
        often = np.eye(4)[drawn.argmax(-1)].mean(0)
        close(often, softmax(SCORES), 0, 0.03)
    sharp = numpy(gumbel_softmax(many, 0.01, seed=1))
    assert (sharp.max(-1) > 0.99).mean() > 0.95


def test_the_gradient_of_gumbel_softmax_is_that_of_its_softmax():
    slope = np.array([1.0, -2.0, 0.5, 3.0], "float32")
    mask = np.array([True, True, False, True])

    def total(scores):
        drawn = gumbel_softmax(scores, 0.5, mask, seed=2)
        return ops.sum(ops.multiply(drawn, slope))

    (found,) = gradients(total, SCORES)
    shares = numpy(gumbel_softmax(SCORES, 0.5, mask, seed=2))
    close(found, shares * (slope - shares @ slope) / 0.5)
    assert np.abs(found[mask]).min() > 1e-3
    (extreme,) = gradients(total, np.array([-1e30, 0, 1e30, 1e4], "float32"))
    assert np.isfinite(extreme).all()


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan")])
def test_gumbel_softmax_refuses_a_temperature_that_is_not_positive(temperature):
    with pytest.raises(ValueError, match=f"temperature={temperature}"):
        gumbel_softmax(SCORES, temperature)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("deviation", [0.17, [[0.3, 2.0]]])
def test_the_density_is_that_of_normal_distributions(deviation, dtype):
    rng = np.random.default_rng(6)
    sample, x = tensor(rng.normal(size=(3, 2)), dtype)
    mean, m = tensor(rng.normal(size=(3, 2)), dtype)
    logs = gaussian_log_probability(sample, mean, deviation)
    assert keras.backend.standardize_dtype(logs.dtype) == "float32"
    s = np.array(deviation) * np.ones((3, 2))
    density = np.exp(-((x - m) ** 2) / (2 * s**2)) / np.sqrt(2 * np.pi * s**2)
    close(logs, np.log(density.astype("float64")).sum(-1), 1e-4, 1e-4)


def test_the_density_sums_to_one():
    places = np.linspace(-4, 4, 81, dtype="float32")
    grid = np.stack(np.meshgrid(places, places), axis=-1)
    logs = gaussian_log_probability(grid, np.full_like(grid, 0.2), 0.5)
    close(np.exp(numpy(logs)).sum() * 0.1**2, 1)


def test_the_sample_is_a_constant_and_the_mean_is_drawn_to_it():
    sample = np.array([[0.4, -1.3]], "float32")  # beyond -1: not clipped
    mean = np.array([[0.1, -0.8]], "float32")
    deviation = np.array([[0.2, 0.5]], "float32")

    def total(sample, mean, deviation):
        own = ops.sum(sample)  # so there is a way
        return ops.sum(gaussian_log_probability(sample, mean, deviation)) + own

    to_sample, to_mean, to_deviation = gradients(total, sample, mean, deviation)
    np.testing.assert_array_equal(to_sample, [[1, 1]])
    away = sample - mean
    close(to_mean, away / deviation**2)
    close(to_deviation, away**2 / deviation**3 - 1 / deviation)


def test_the_gradient_of_a_density_is_unbiased():
    """By Gauss's quadrature, which is exact here: E[R(x)], R a parabola."""
    nodes, shares = np.polynomial.hermite_e.hermegauss(8)
    shares = shares / shares.sum()
    mean, deviation = 0.3, 0.4
    drawn = (mean + deviation * nodes)[:, None].astype("float32")
    reward = (2 * drawn**2 - drawn)[:, 0]
    for baseline in (None, np.full(8, 1.7, "float32")):

        def loss(means, baseline=baseline):
            logs = gaussian_log_probability(drawn, means, deviation)
            return ops.sum(score_function_loss(logs, reward, baseline))

        (slope,) = gradients(loss, np.full((8, 1), mean, "float32"))
        close(-shares @ slope[:, 0], 4 * mean - 1)


@pytest.mark.parametrize(
    "sample, deviation, message",
    [
        ((2, 1), 1.0, r"sample of shape \(2, 1\).*\(2, 2\)"),
        ((2,), 1.0, r"sample of shape \(2,\)"),
        ((2, 2), 0.0, "deviation=0.0"),
        ((2, 2), -1, "deviation=-1"),
    ],
)
def test_refuses_samples_without_a_mean_and_no_deviation(
    sample, deviation, message
):
    with pytest.raises(ValueError, match=message):
        gaussian_log_probability(np.ones(sample), np.ones((2, 2)), deviation)
