"""Attention to scale against the paper, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import ScaleAttention
from tests.contract import check_layer
from tests.functional.test_resizing import by_hand
from tests.numbers import (
    arrays,
    close,
    convolve,
    numpy,
    randomize,
    relu,
    softmax,
)


@pytest.mark.slow
def test_contract(tmp_path):
    check_layer(
        ScaleAttention,
        inits=[{"units": 8}, {"units": 6, "data_format": "channels_first"}],
        shapes={
            "scores": [(3, 6, 5, 4), (3, 3, 2, 4)],
            "features": [(3, 6, 5, 3), (3, 3, 2, 2)],
        },
        output=(3, 6, 5, 4),
        weights=(3, 6, 5, 2),
        sum_axis=[-1, 1],
        folder=tmp_path,
        free_axes={"scores": (1, 2), "features": (1, 2)},
    )


def drawn(seed=1):
    """Scores and features of three scales, and a layer with any weights."""
    rng = np.random.default_rng(seed)
    sizes = (6, 8), (3, 4), (2, 3)
    scores = [rng.normal(size=(2, *size, 4)) for size in sizes]
    features = [rng.normal(size=(2, *size, 3)) for size in sizes]
    layer = ScaleAttention(units=5)
    layer.build([x.shape for x in scores], [x.shape for x in features])
    randomize(layer)
    return layer, scores, features


def resized(maps, size):
    return np.stack([by_hand(each, size) for each in maps])


def test_equals_the_equations():
    layer, scores, features = drawn()
    joined = np.concatenate([resized(x, (6, 8)) for x in features], axis=-1)
    kernel, bias = arrays(layer, "expand/kernel", "expand/bias")
    hidden = relu(np.stack([convolve(x, kernel) for x in joined]) + bias)
    kernel, bias = arrays(layer, "weigh/kernel", "weigh/bias")
    logits = np.stack([convolve(x, kernel) for x in hidden]) + bias
    expected = np.apply_along_axis(softmax, -1, logits)
    mixed = sum(
        expected[..., s : s + 1] * resized(x, (6, 8))
        for s, x in enumerate(scores)
    )
    output, weights = layer(scores, features, return_attention_scores=True)
    close(weights, expected)
    close(output, mixed)


def test_features_of_another_size_are_read_at_their_own():
    layer, scores, features = drawn()
    small = [x[:, ::2, ::2] for x in features]
    output, weights = layer(scores, small, return_attention_scores=True)
    assert output.shape == (2, 6, 8, 4) and weights.shape == (2, 6, 8, 3)
    close(numpy(weights).sum(-1), np.ones((2, 6, 8)))


def test_one_scale_is_what_it_says():
    rng = np.random.default_rng(0)
    scores, features = rng.normal(size=(2, 2, 4, 5, 3))
    close(ScaleAttention(4)([scores], [features]), scores)


def test_a_heavy_scale_is_taken():
    layer, scores, features = drawn()
    layer.weigh.kernel.assign(np.zeros(layer.weigh.kernel.shape))
    layer.weigh.bias.assign([0.0, 50.0, 0.0])
    close(layer(scores, features), resized(scores[1], (6, 8)))


@pytest.mark.parametrize(
    "arguments, message",
    [({"units": 0}, "units=0"), ({"data_format": "x"}, "data_format='x'")],
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ScaleAttention(**arguments)


def test_refuses_bad_inputs():
    one, other = np.ones((2, 4, 4, 3)), np.ones((2, 4, 4, 2))
    layer = ScaleAttention(4)
    with pytest.raises(ValueError, match="2 scores, 1 features"):
        layer([one, one], [one])
    with pytest.raises(ValueError, match="same channels"):
        layer([one, other], [one, one])
    with pytest.raises(ValueError, match=r"input_shape=\(2, 4, 3\)"):
        layer([one], [one[:, 0]])
    with pytest.raises(ValueError, match="channels"):
        layer([one], [keras.Input((4, 4, None))])
