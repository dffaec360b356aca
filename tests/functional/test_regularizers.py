"""The doubly stochastic penalty, against NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.functional import doubly_stochastic_penalty
from tests.numbers import DTYPES, SLACK, close, gradients, numpy, tensor


def shares(*shape, seed=0):
    scores = np.random.default_rng(seed).normal(size=shape)
    exponentials = np.exp(scores)
    return (exponentials / exponentials.sum(-1, keepdims=True)).astype(
        "float32"
    )


@pytest.mark.parametrize("target", [1.0, 0.5, 3])
def test_equals_the_formula_of_the_paper(target):
    alpha = shares(3, 4, 5)
    penalty = doubly_stochastic_penalty(alpha, target=target)
    assert tuple(penalty.shape) == (3,)
    for b in range(3):
        expected = 0
        for i in range(5):
            expected += (target - sum(alpha[b, t, i] for t in range(4))) ** 2
        close(penalty[b], expected)


def test_is_zero_only_where_each_place_has_its_share():
    even = np.stack([np.eye(4), np.full((4, 4), 0.25)]).astype("float32")
    close(doubly_stochastic_penalty(even), [0, 0])
    moved = even.copy()
    moved[:, 0] = [0, 1, 0, 0]
    assert (numpy(doubly_stochastic_penalty(moved)) > 0.1).all()
    half = even[:, :2]  # two words over four places
    close(doubly_stochastic_penalty(half[1:], target=0.5), [0])


def test_is_a_sum_over_places_for_each_sample():
    """Not over the batch, nor a mean over places, as in the authors' code."""
    alpha = shares(3, 4, 5)
    penalty = numpy(doubly_stochastic_penalty(alpha))
    for b in range(3):
        close(doubly_stochastic_penalty(alpha[b : b + 1]), penalty[b : b + 1])
    code = ((1 - alpha.sum(1)) ** 2).sum(0).mean()
    close(code, penalty.sum() / 5)
    # All places seen twice, each by half: of each half the penalty is known.
    twice = np.concatenate([alpha, alpha], axis=2)
    close(doubly_stochastic_penalty(twice), 2 * penalty)


@pytest.mark.parametrize("hidden", [0.2, 1e9, np.nan])
def test_padded_words_do_not_count(hidden):
    alpha = shares(2, 6, 5)
    mask = np.arange(6) < np.array([[4], [6]])
    expected = [
        doubly_stochastic_penalty(alpha[:1, :4])[0],
        doubly_stochastic_penalty(alpha[1:])[0],
    ]
    padded = np.where(mask[..., None], alpha, np.float32(hidden))
    for known in (mask, mask.astype("int32"), mask.tolist()):
        close(doubly_stochastic_penalty(padded, known), np.stack(expected))
    unmasked = numpy(doubly_stochastic_penalty(alpha))
    assert abs(unmasked[0] - numpy(expected[0])) > 1e-2


def test_a_caption_of_no_words_has_seen_nothing():
    alpha = shares(1, 3, 5)
    nothing = np.zeros((1, 3), "bool")
    close(doubly_stochastic_penalty(alpha, nothing, target=2.0), [5 * 4.0])


def test_padded_places_do_not_count():
    alpha = shares(1, 4, 3)
    padded = np.concatenate([alpha, np.zeros((1, 4, 2), "float32")], axis=2)
    seen = np.array([[True, True, True, False, False]])
    expected = doubly_stochastic_penalty(alpha)
    close(doubly_stochastic_penalty(padded, value_mask=seen), expected)
    close(doubly_stochastic_penalty(padded), numpy(expected) + 2)


def test_the_gradient_is_that_of_the_formula_and_none_for_padding():
    alpha = shares(2, 4, 3)
    mask = np.arange(4) < np.array([[3], [4]])
    (gradient,) = gradients(
        lambda x: ops.sum(doubly_stochastic_penalty(x, mask)), alpha
    )
    totals = (alpha * mask[..., None]).sum(1, keepdims=True)
    close(gradient, -2 * (1 - totals) * mask[..., None])


@pytest.mark.parametrize("dtype", DTYPES)
def test_is_taken_in_float32(dtype):
    held, exact = tensor(shares(2, 300, 4), dtype)
    penalty = doubly_stochastic_penalty(held)
    assert keras.backend.standardize_dtype(penalty.dtype) == "float32"
    close(penalty, ((1 - exact.sum(1)) ** 2).sum(1), 10 * SLACK["float32"])


def test_takes_a_target_for_each_sample():
    alpha = shares(2, 4, 5)
    target = np.array([[0.5], [1.0]], "float32")
    penalty = doubly_stochastic_penalty(alpha, target=target)
    close(penalty[:1], doubly_stochastic_penalty(alpha[:1], target=0.5))
    close(penalty[1:], doubly_stochastic_penalty(alpha[1:]))


def test_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"weights of shape \(2, 3\)"):
        doubly_stochastic_penalty(np.ones((2, 3)))
    alpha = shares(2, 4, 5)
    with pytest.raises(ValueError, match="`mask` must be boolean"):
        doubly_stochastic_penalty(alpha, np.ones((2, 5), "bool"))
    with pytest.raises(ValueError, match="`mask` must be boolean"):
        doubly_stochastic_penalty(alpha, np.zeros((2, 4)))
    with pytest.raises(ValueError, match="`value_mask` must be boolean"):
        doubly_stochastic_penalty(alpha, value_mask=np.ones((2, 4), "bool"))
