"""Softmax over what is visible, and gates, against NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.functional import (
    check_gate,
    gate,
    masked_softmax,
    one_hot_sample,
    sparse_top_k,
    top_k_softmax,
)
from tests.numbers import (
    DTYPES,
    SLACK,
    as_float32,
    close,
    gradients,
    numpy,
    sigmoid,
    tensor,
)


def softmax(scores, mask, axis=-1):
    """Over the visible positions; zeros where there is none."""
    mask = np.broadcast_to(mask, scores.shape)
    highest = np.where(mask, scores, -np.inf).max(axis, keepdims=True)
    highest = np.where(np.isfinite(highest), highest, 0)
    shares = np.exp(np.where(mask, scores - highest, 0)) * mask
    total = shares.sum(axis, keepdims=True)
    return shares / np.where(total == 0, 1, total)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [-1, 1, 0])
def test_equals_numpy_and_keeps_the_dtype(dtype, axis):
    rng = np.random.default_rng(0)
    held = ops.convert_to_tensor(rng.normal(0, 3, (3, 4, 5)), dtype=dtype)
    exact = as_float32(held)
    for mask in (None, rng.random((3, 4, 5)) < 0.6, rng.random((4, 1)) < 0.5):
        weights = masked_softmax(held, mask, axis=axis)
        assert keras.backend.standardize_dtype(weights.dtype) == dtype
        expected = softmax(exact, True if mask is None else mask, axis)
        close(as_float32(weights), expected, 0, SLACK[dtype])


@pytest.mark.parametrize(
    "dtype, spacing", [("float16", 2**-10), ("bfloat16", 2**-7)]
)
def test_half_precision_loses_nothing_but_the_last_rounding(dtype, spacing):
    rng = np.random.default_rng(3)
    held, exact = tensor(rng.normal(0, 3, (50, 40)), dtype)
    mask = rng.random((50, 40)) < 0.8
    for seen in (None, mask):
        weights = as_float32(masked_softmax(held, seen))
        expected = softmax(exact, True if seen is None else seen)
        large = expected > 1e-3  # smaller ones are rounded to other steps
        close(weights[large], expected[large], 0.52 * spacing, 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_sum_to_one_and_what_is_hidden_gets_nothing(dtype):
    rng = np.random.default_rng(1)
    scores = ops.convert_to_tensor(rng.normal(size=(5, 6)), dtype=dtype)
    mask = rng.random((5, 6)) < 0.5
    mask[:, 0] = True
    weights = as_float32(masked_softmax(scores, mask))
    close(weights.sum(-1), np.ones(5), 0, 5 * SLACK[dtype])
    assert (weights[~mask] == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_that_sees_nothing_is_zeros(dtype):
    """Where Keras's layers give a mean, or NaN in half precision."""
    scores = ops.convert_to_tensor([[1.0, 2.0], [-40.0, -90.0]], dtype=dtype)
    mask = np.array([[True, True], [False, False]])
    weights = as_float32(masked_softmax(scores, mask))
    assert (weights[1] == 0).all()
    close(weights[0].sum(), 1, 0, SLACK[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("huge", [6e4, -6e4])
@pytest.mark.parametrize("mask", [None, [[True, True, False]]])
def test_a_single_huge_score_takes_all_or_nothing(dtype, huge, mask):
    scores = ops.convert_to_tensor([[0.0, huge, 1.0]], dtype=dtype)
    mask = None if mask is None else np.array(mask)
    weights = as_float32(masked_softmax(scores, mask))
    assert np.isfinite(weights).all()
    assert weights[0, 1] == (1 if huge > 0 else 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_huge_score_that_is_hidden_is_never_read(dtype):
    scores = ops.convert_to_tensor([[0.0, 6e4, 1.0]], dtype=dtype)
    mask = np.array([[True, False, True]])
    weights = as_float32(masked_softmax(scores, mask))
    close(weights, softmax(np.array([[0.0, 0.0, 1.0]]), mask), 0, SLACK[dtype])


@pytest.mark.parametrize("scores", [[0.0, 6e4, 1.0], [-300.0, 3.0, 6e4]])
@pytest.mark.parametrize("mask", [[1, 0, 1], [1, 1, 0], [0, 0, 0]])
def test_the_gradient_is_finite_and_zero_where_hidden(scores, mask):
    step = gradient_step(scores, mask)
    assert np.isfinite(step).all()
    assert (step[~np.array(mask, "bool")] == 0).all()


def test_the_gradient_is_that_of_the_softmax():
    scores, values = np.array([0.5, -0.2, 0.9]), np.array([1.0, 2.0, 4.0])
    mask = np.array([True, False, True])
    shares = softmax(scores, mask)
    slope = shares * (values - shares @ values)
    assert np.abs(slope[mask]).min() > 0.1
    close(gradient_step(scores, mask, values), -slope)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [1, 3, 5, 9])
def test_top_k_shares_among_the_best_that_are_visible(dtype, k):
    rng = np.random.default_rng(2)
    held, exact = tensor(rng.permutation(60).reshape(3, 4, 5) / 9, dtype)
    mask = rng.random((3, 4, 5)) < 0.6
    mask[0, 0] = False
    weights = as_float32(top_k_softmax(held, k, mask))
    for row in np.ndindex(3, 4):
        visible = np.flatnonzero(mask[row])
        best = visible[np.argsort(-exact[row][visible])[:k]]
        chosen = np.isin(np.arange(5), best)
        close(weights[row], softmax(exact[row], chosen), 0, SLACK[dtype])
    plain = as_float32(top_k_softmax(held, k))
    assert ((plain > 0).sum(-1) == min(k, 5)).all()


def test_top_k_lets_ties_share():
    scores, _ = tensor([[2.0, 1.0, 2.0, 2.0]], "float32")
    weights = as_float32(top_k_softmax(scores, 2))
    close(weights, [[1 / 3, 0, 1 / 3, 1 / 3]])


def test_top_k_refuses_to_look_at_nothing():
    with pytest.raises(ValueError, match="k=0"):
        top_k_softmax(np.ones((1, 2), "float32"), 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [1, 3, 4, 5, 9])
def test_sparse_top_k_subtracts_the_next_score_and_divides(dtype, k):
    rng = np.random.default_rng(2)
    held, exact = tensor(rng.permutation(60).reshape(3, 4, 5) / 9, dtype)
    mask = rng.random((3, 4, 5)) < 0.8
    mask[0, 0] = False
    mask[0, 1] = True
    weights = as_float32(sparse_top_k(held, k, mask))
    for row in np.ndindex(3, 4):
        ranked = np.sort(exact[row][mask[row]])[::-1]
        if len(ranked) > k:
            excess = np.maximum(exact[row] - ranked[k], 0) * mask[row]
            expected = excess / excess.sum()
            assert (weights[row] > 0).sum() == k
        else:
            expected = softmax(exact[row], mask[row])
        close(weights[row], expected, 0, SLACK[dtype])
    plain = as_float32(sparse_top_k(held, k))
    assert ((plain > 0).sum(-1) == min(k, 5)).all()


@pytest.mark.parametrize(
    "scores, expected",
    [
        ([3.0, 1.0, 1.0, 1.0], [1, 0, 0, 0]),
        ([3.0, 2.0, 1.0, 1.0], [2 / 3, 1 / 3, 0, 0]),
        ([1.0, 1.0, 1.0, 0.0], [0, 0, 0, 0]),
        ([-9e4, -9e4, -9e4, -9e4], [0, 0, 0, 0]),
    ],
)
def test_sparse_top_k_gives_nothing_to_ties_with_the_threshold(
    scores, expected
):
    scores = np.array([scores], "float32")
    close(sparse_top_k(scores, 2), [expected])
    (slope,) = gradients(
        lambda x: ops.sum(ops.multiply(sparse_top_k(x, 2), [[3.0, 1, 4, 1]])),
        scores,
    )
    assert np.isfinite(slope).all()
    assert (slope[0][np.array(expected) == 0] == 0).all()


@pytest.mark.parametrize("mask", [[1, 1, 1, 1], [1, 0, 1, 1], [0, 0, 1, 0]])
def test_sparse_top_k_passes_no_gradient_where_it_gives_no_weight(mask):
    scores = np.array([0.5, 6e4, 0.9, -0.3], "float32")
    scores[1] = scores[1] if mask[1] == 0 else 0.7
    mask, values = np.array(mask, "bool"), np.array([1.0, 2.0, 4.0, 8.0])

    def read(scores):
        weights = sparse_top_k(scores[None], 2, mask[None])[0]
        return ops.sum(ops.multiply(weights, values.tolist()))

    (slope,) = gradients(read, scores)
    weights = as_float32(sparse_top_k(scores[None], 2, mask[None]))[0]
    expected = np.zeros(4)
    if mask.sum() > 2:
        total = (scores - np.sort(scores[mask])[-3])[weights > 0].sum()
        expected = (weights > 0) * (values - weights @ values) / total
    close(slope, expected)
    assert (slope[weights == 0] == 0).all()


def test_sparse_top_k_refuses_to_look_at_nothing():
    with pytest.raises(ValueError, match="k=0"):
        sparse_top_k(np.ones((1, 2), "float32"), 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sample_falls_where_the_softmax_says(dtype):
    scores = np.array([[0.0, 1.0, 2.0, 9.0], [0.0, 0.0, 0.0, 0.0]])
    mask = np.array([[True, True, True, False], [False] * 4])
    held, exact = tensor(np.tile(scores, (4000, 1, 1)), dtype)
    drawn = as_float32(one_hot_sample(held, mask, seed=1))
    assert set(np.unique(drawn)) == {0, 1}
    assert (drawn.sum(-1) == [1, 0]).all()
    close(drawn.mean(0), softmax(exact[0], mask), 0, 0.03)
    again = as_float32(one_hot_sample(held, mask, seed=1))
    assert (again == drawn).all()
    other = as_float32(one_hot_sample(held, mask, seed=2))
    assert (other != drawn).any()


def test_choices_take_a_length_that_is_not_known_yet():
    scores = np.random.default_rng(6).normal(size=(2, 4)).astype("float32")
    row = keras.Input((None,))
    for k in (2, 9):
        best = keras.layers.Lambda(lambda x, k=k: top_k_softmax(x, k))(row)
        best = never_told(keras.Model(row, best))
        close(best(scores), top_k_softmax(scores, k))
        best = keras.layers.Lambda(lambda x, k=k: sparse_top_k(x, k))(row)
        best = never_told(keras.Model(row, best))
        close(best(scores), sparse_top_k(scores, k))
    seed = keras.random.SeedGenerator(1)  # JAX traces no other
    drawn = keras.layers.Lambda(lambda x: one_hot_sample(x, seed=seed))(row)
    drawn = numpy(never_told(keras.Model(row, drawn))(scores))
    assert drawn.shape == (2, 4) and (drawn.sum(axis=1) == 1).all()


def never_told(model):
    """On TensorFlow, the model as a graph that never learns the length."""
    if keras.backend.backend() != "tensorflow":
        return model
    import tensorflow as tf

    return tf.function(model, input_signature=[tf.TensorSpec((None, None))])


@pytest.mark.parametrize("kind", ["sigmoid", "hard_sigmoid"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_gate_equals_numpy_and_keeps_the_dtype(kind, dtype):
    held = ops.convert_to_tensor(np.linspace(-6, 6, 25), dtype=dtype)
    exact = as_float32(held)
    expected = {
        "sigmoid": sigmoid(exact),
        "hard_sigmoid": np.clip(exact / 6 + 0.5, 0, 1),
    }[kind]
    for identity_start, times in ((False, 1), (True, 2)):
        shares = gate(held, kind, identity_start)
        assert keras.backend.standardize_dtype(shares.dtype) == dtype
        close(as_float32(shares), times * expected, 0, 2 * SLACK[dtype])


@pytest.mark.parametrize("kind", ["sigmoid", "hard_sigmoid"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_identity_start_is_exactly_one_at_zero(kind, dtype):
    zeros = ops.zeros((3,), dtype=dtype)
    assert (as_float32(gate(zeros, kind, identity_start=True)) == 1).all()
    assert (as_float32(gate(zeros, kind)) == 0.5).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_gate_of_huge_logits_is_open_or_shut(dtype):
    logits = ops.convert_to_tensor([-6e4, 6e4], dtype=dtype)
    close(as_float32(gate(logits)), [0, 1], 0, 0)


def test_refuses_a_gate_it_does_not_know():
    check_gate("sigmoid")
    check_gate("hard_sigmoid")
    with pytest.raises(ValueError, match="gate='tanh'"):
        check_gate("tanh")


class Shares(keras.layers.Layer):
    """Its weights are scores; trained on any backend, they show a gradient."""

    def __init__(self, scores, mask):
        super().__init__()
        self.scores = self.add_weight(shape=(3,), initializer="zeros")
        self.scores.assign(scores)
        self.visible = np.array(mask, "bool")

    def call(self, values):
        return ops.sum(masked_softmax(self.scores, self.visible) * values, -1)


def gradient_step(scores, mask, values=(1.0, 2.0, 4.0)):
    """What one step of rate 1 down the weighted sum of `values` changes."""
    layer = Shares(scores, mask)
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.SGD(1.0), lambda _, total: total)
    before = np.array(numpy(layer.scores))
    model.train_on_batch(np.array([values], "float32"), np.zeros((1,)))
    return np.array(numpy(layer.scores)) - before
