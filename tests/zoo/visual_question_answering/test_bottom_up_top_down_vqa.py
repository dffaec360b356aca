"""bottom_up_top_down_vqa: its equation, its twin, padding, errors."""

import keras
import numpy as np
import pytest

from keras_attention import attention_maps
from tests.numbers import arrays, close, numpy, randomize
from zoo.visual_question_answering.bottom_up_top_down_vqa import (
    PRESETS,
    QuestionedAttention,
    bottom_up_top_down_vqa,
)

SHAPE = (16, 24, 3)
IDS = np.array(
    [[3, 5, 4, 2, 2, 9], [7, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], "int32"
)


def network(length=6, **options):
    model = bottom_up_top_down_vqa(
        SHAPE, 10, 3, length, **PRESETS["tiny"] | options
    )
    randomize(model)
    return model


def images(count=3, seed=0):
    generator = np.random.default_rng(seed)
    return generator.uniform(0, 255, (count, *SHAPE)).astype("float32")


def asked(ids=IDS, pictures=None):
    pictures = images(len(ids)) if pictures is None else pictures
    return {"image": pictures, "token_ids": ids}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gated(x, kernel, bias, gate_kernel, gate_bias):
    return np.tanh(x @ kernel + bias) * sigmoid(x @ gate_kernel + gate_bias)


GATED = ("hidden/kernel", "hidden/bias", "gate/kernel", "gate/bias")


def test_the_attention_is_the_papers():
    generator = np.random.default_rng(0)
    query = generator.normal(size=(2, 5)).astype("float32")
    value = generator.normal(size=(2, 7, 4)).astype("float32")
    layer = QuestionedAttention(6)
    layer(query, value)
    randomize(layer)
    *joint, vector = arrays(
        layer, *(f"joint/{name}" for name in GATED), "score/kernel"
    )
    scores = np.zeros((2, 7))
    for row in range(2):
        for place in range(7):
            both = np.concatenate([value[row, place], query[row]])
            scores[row, place] = gated(both, *joint) @ vector[:, 0]
    weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    context, found = layer(query, value, return_attention_scores=True)
    close(found, weights)
    close(context, np.einsum("bl,bld->bd", weights, value))
    close(layer(query, value), context)
    again = QuestionedAttention.from_config(layer.get_config())
    assert again.units == 6


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_weights_sum_to_one_in_half_precision(dtype):
    generator = np.random.default_rng(0)
    value = generator.normal(size=(2, 64, 4)).astype("float32")
    layer = QuestionedAttention(6, dtype=dtype)
    _, weights = layer(value[:, 0], value, return_attention_scores=True)
    assert keras.backend.standardize_dtype(weights.dtype) == layer.compute_dtype
    sums = numpy(keras.ops.cast(weights, "float32")).sum(axis=1)
    np.testing.assert_allclose(sums, 1, atol=2e-2)


def test_what_is_seen_and_asked_is_multiplied():
    model = network()
    inputs = asked()
    parts = keras.Model(
        model.input,
        [model.get_layer(name).output for name in ("question", "attention")],
    )
    question, seen = map(numpy, parts(inputs))
    layers = [
        [numpy(weight) for weight in model.get_layer(name).weights]
        for name in ("joint_question", "joint_picture", "answer", "logits")
    ]
    both = gated(question, *layers[0]) * gated(seen, *layers[1])
    kernel, bias = layers[3]
    close(model(inputs), gated(both, *layers[2]) @ kernel + bias)


def test_the_average_is_attention_without_preference():
    model, twin = network(), network(attention=False)
    vector = model.get_layer("attention").score.kernel
    vector.assign(np.zeros(vector.shape))
    for layer in twin.layers:
        if layer.name != "average":
            layer.set_weights(model.get_layer(layer.name).get_weights())
    close(twin(asked()), model(asked()))
    assert np.ptp(numpy(model(asked())), axis=0).min() > 1e-3
    own = model.count_params() - twin.count_params()
    assert own == 2 * (8 + 8 + 1) * 8 + 8


def test_its_map_is_found_and_depends_on_the_question():
    model = network()
    same = images(1).repeat(3, axis=0)
    maps = attention_maps(model, asked(pictures=same))
    assert list(maps) == ["attention"]
    weights = maps["attention"]
    assert weights.shape == (3, 24)
    close(weights.sum(axis=1), np.ones(3))
    assert np.abs(weights[0] - weights[1]).max() > 1e-3
    with pytest.raises(ValueError, match="attention layer"):
        attention_maps(network(attention=False), asked())


def test_padding_changes_nothing():
    model, longer = network(), network(length=9)
    longer.set_weights(model.get_weights())
    close(longer(asked(np.pad(IDS, ((0, 0), (0, 3))))), model(asked()))


def test_a_question_of_nothing_is_read_as_zeros():
    model = network()
    read = keras.Model(model.input, model.get_layer("question").output)
    close(read(asked())[2], np.zeros(8))
    assert np.isfinite(numpy(model(asked()))).all()


def test_drops_in_training_only():
    model = network(dropout=0.5)
    first = numpy(model(asked(), training=True))
    assert not np.allclose(first, numpy(model(asked(), training=True)))
    close(model(asked()), model(asked()))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_classes": 1}, "num_classes=1"),
        ({"vocabulary_size": 2}, "vocabulary_size=2"),
        ({"input_shape": (16, 30, 3)}, "input_shape="),
        ({"filters": ()}, "filters="),
        ({"attention_units": 0}, "units=0"),
    ],
)
def test_refuses_what_it_cannot_build(arguments, message):
    good = {"input_shape": SHAPE, "vocabulary_size": 10, "num_classes": 2}
    with pytest.raises(ValueError, match=message):
        bottom_up_top_down_vqa(**{**good, **PRESETS["tiny"], **arguments})
