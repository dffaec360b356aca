"""attention_rollout against the paper's equations, sample by sample."""

import keras
import numpy as np
import pytest

from keras_attention import attention_maps, attention_rollout
from tests.numbers import close


def weights(*shape, seed=0):
    """Random weights `(..., T, T)` whose rows sum to one."""
    scores = np.random.default_rng(seed).random(shape)
    return scores / scores.sum(-1, keepdims=True)


LAYERS = [weights(2, 3, 5, 5, seed=seed) for seed in range(3)]


@pytest.mark.parametrize("residual", [0, 0.5, 0.9])
def test_it_is_the_product_of_the_layers_the_lowest_first(residual):
    actual = attention_rollout(LAYERS, residual=residual)
    assert actual.shape == (2, 5, 5) and actual.dtype == "float32"
    for sample in range(2):
        expected = np.eye(5)
        for layer in LAYERS:
            mean = sum(layer[sample, head] for head in range(3)) / 3
            mixed = residual * np.eye(5) + (1 - residual) * mean
            expected = mixed @ expected
        close(actual[sample], expected)
    close(actual.sum(-1), np.ones((2, 5)))
    reverse = attention_rollout(LAYERS[::-1], residual=residual)
    assert not np.allclose(actual, reverse)


def test_a_query_that_sees_nothing_keeps_itself():
    layer = weights(1, 3, 3)
    layer[0, 1] = 0
    mixed = (np.eye(3) + layer[0]) / 2
    mixed[1] = [0, 1, 0]
    close(attention_rollout([layer, layer])[0], mixed @ mixed)
    close(attention_rollout([layer], residual=0), layer)


def test_rows_rounded_to_half_precision_still_sum_to_one():
    rounded = [layer.astype("float16") for layer in LAYERS] * 8
    sums = attention_rollout(rounded, residual=0).sum(-1)
    close(sums, np.ones((2, 5)))


def test_it_takes_what_attention_maps_returns():
    tokens = keras.Input((6, 4))
    x = keras.layers.MultiHeadAttention(2, 3, name="low")(tokens, tokens)
    x = keras.layers.Attention(name="high")([x, x])
    data = np.random.default_rng(0).random((3, 6, 4)).astype("float32")
    maps = attention_maps(keras.Model(tokens, x), data)
    assert maps["low"].shape == (3, 2, 6, 6) and maps["high"].ndim == 3
    rollout = attention_rollout(maps)
    close(rollout, attention_rollout([maps["low"], maps["high"]]))
    close(rollout.sum(-1), np.ones((3, 6)))


@pytest.mark.parametrize(
    "maps, message",
    [
        ([], "at least one layer"),
        ({"cross": np.ones((2, 3, 5, 4)) / 4}, r"'cross'.*\(2, 3, 5, 4\)"),
        ({"cbam": {"spatial": np.ones((2, 4, 4, 1))}}, "'cbam'.*type dict"),
        ([np.eye(5)], r"maps\[0\].*shape \(5, 5\)"),
        ([*LAYERS, weights(2, 3, 4, 4)], "same samples and tokens"),
        ([2 * LAYERS[0]], "sums from 2 to 2"),
        ([np.eye(3)[None] * 2 - 1 / 3], "values from -0.33"),
        ([np.full((1, 2, 2), np.nan)], "sum to one"),
    ],
)
def test_refuses_what_is_no_stack_of_self_attention(maps, message):
    with pytest.raises(ValueError, match=message):
        attention_rollout(maps)


@pytest.mark.parametrize("residual", [-0.1, 1, "half"])
def test_refuses_a_residual_that_is_no_share(residual):
    with pytest.raises(ValueError, match="residual="):
        attention_rollout(LAYERS, residual=residual)
