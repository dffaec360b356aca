"""SoftVisualAttention against the paper's equations, written out in NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import SoftVisualAttention
from tests.contract import RUN, check_query_layer
from tests.numbers import (
    SLACK,
    arrays,
    as_float32,
    close,
    numpy,
    randomize,
    sigmoid,
    softmax,
)


@pytest.mark.slow
def test_contract(tmp_path):
    check_query_layer(
        SoftVisualAttention,
        inits=[{"units": 5}, {"units": 4, "gate": False}],
        output=(3, 4, 8),
        weights=(3, 4, 6),
        folder=tmp_path,
    )


def made(query, value, key=None, **arguments):
    layer = SoftVisualAttention(units=5, **arguments)
    layer.build(query.shape, value.shape, None if key is None else key.shape)
    randomize(layer)
    return layer


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("keyed", [True, False])
def test_equals_the_equations_of_the_paper(gated, keyed):
    rng = np.random.default_rng(1)
    query, value = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 6, 7))
    key = rng.normal(size=(2, 6, 5)) if keyed else None
    layer = made(query, value, key, gate=gated)
    context, weights = layer(query, value, key, return_attention_scores=True)

    names = "query/kernel", "key/kernel", "key/bias", "score_vector"
    W_h, W_a, b, w = arrays(layer, *names)
    for n, t in np.ndindex(2, 3):
        h, beta = query[n, t], 1
        a = value[n] if key is None else key[n]
        alpha = softmax(
            np.array([w @ np.tanh(W_a.T @ a_i + W_h.T @ h + b) for a_i in a])
        )
        if gated:
            w_b, b_b = arrays(layer, "gate/kernel", "gate/bias")
            beta = sigmoid(w_b[:, 0] @ h + b_b)
        z = beta * sum(share * v for share, v in zip(alpha, value[n]))
        close(weights[n, t], alpha)
        close(context[n, t], z)
    close(layer(query, value, key), context)


def test_the_gate_scales_the_context_and_not_the_weights():
    rng = np.random.default_rng(2)
    query, value = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 6, 7))
    layer = made(query, value)
    open_layer = SoftVisualAttention(units=5, gate=False)
    open_layer.build(query.shape, value.shape)
    for weight in open_layer.weights:
        name = weight.path.split("/", 1)[1]
        weight.assign(arrays(layer, name)[0])
    context, weights = layer(query, value, return_attention_scores=True)
    ungated, same = open_layer(query, value, return_attention_scores=True)
    close(weights, same)
    close(numpy(weights).sum(-1), np.ones((2, 3)))
    shares = numpy(context) / numpy(ungated)
    assert shares.min() > 0 and shares.max() < 1
    close(shares, np.repeat(shares[..., :1], 7, axis=-1))  # one per query


def test_without_a_gate_there_is_no_variable_for_it():
    layer = SoftVisualAttention(units=5, gate=False)
    layer.build((None, 1, 4), (None, 9, 7))
    assert layer.count_params() == 4 * 5 + 7 * 5 + 5 + 5
    layer = SoftVisualAttention(units=5)
    layer.build((None, 1, 4), (None, 9, 7))
    assert layer.count_params() == 4 * 5 + 7 * 5 + 5 + 5 + (4 + 1)


@pytest.mark.parametrize("masked", [False, True])
def test_steps_give_what_a_call_gives(masked):
    rng = np.random.default_rng(3)
    query, value = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 6, 7))
    mask = np.arange(6) < np.array([[4], [0]]) if masked else None
    layer = made(query, value)
    whole = layer(query, value, value_mask=mask, return_attention_scores=True)
    projected = layer.project(value)
    assert tuple(projected.shape) == (2, 6, 5)
    for t in range(3):
        now = query[:, t : t + 1]
        step = layer.attend(now, projected, value, mask)
        for part, known in zip(step, whole, strict=True):
            close(part, known[:, t : t + 1])
    for part, known in zip(layer.attend(query, projected, value, mask), whole):
        close(part, known)


def test_a_step_takes_masks_of_values_and_of_pairs():
    rng = np.random.default_rng(4)
    query, value = rng.normal(size=(3, 3, 4)), rng.normal(size=(3, 3, 7))
    layer = made(query, value)
    projected = layer.project(value)
    mask = np.array([[True, False, True], [True] * 3, [False] * 3])
    expected = layer.attend(query, projected, value, mask)
    # As long as the batch is large: a mask of values is not one of pairs.
    assert not numpy(expected[1])[2].any() and not numpy(expected[0])[2].any()
    pairs = np.repeat(mask[:, None], 3, axis=1)
    for other in (mask[:, None], pairs, mask.astype("int32")):
        for one, known in zip(
            layer.attend(query, projected, value, other), expected
        ):
            close(one, known)
    for wrong in (mask[:, :2], mask[0], -1e9 * (1 - mask)):
        with pytest.raises(ValueError, match="_mask` must be boolean"):
            layer.attend(query, projected, value, wrong)


def test_a_step_refuses_what_does_not_fit():
    layer, rows = SoftVisualAttention(units=5), np.ones((2, 3, 4))
    with pytest.raises(ValueError, match="built=False"):
        layer.project(rows)
    with pytest.raises(ValueError, match="built=False"):
        layer.attend(rows, rows, rows)
    layer(rows, rows)
    projected = layer.project(rows)
    with pytest.raises(ValueError, match="equally long"):
        layer.attend(rows, projected, np.ones((2, 2, 4)))
    with pytest.raises(ValueError, match=r"\(B, T, D\)"):
        layer.attend(rows[:, 0], projected, rows)


class Decoder(keras.layers.Layer):
    """Steps of attention, each from what was read before."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attention = SoftVisualAttention(5, dtype=self.dtype_policy)

    def build(self, input_shape):
        self.attention.build(input_shape, input_shape)

    def call(self, inputs):
        projected = self.attention.project(inputs)

        def step(state, _):
            read, _ = self.attention.attend(state, projected, inputs)
            return read + state, read

        _, contexts = ops.scan(
            step, ops.mean(inputs, axis=1, keepdims=True), length=3
        )
        return ops.moveaxis(contexts[:, :, 0], 0, 1)


@pytest.mark.parametrize("policy", RUN)
def test_a_decoder_takes_steps_in_a_loop_in_every_policy(policy):
    value = np.random.default_rng(5).normal(size=(2, 6, 4)).astype("float32")
    inputs = keras.Input((6, 4))
    decoder = Decoder(dtype=policy)
    model = keras.Model(inputs, decoder(inputs))
    randomize(decoder)
    contexts = model(value)
    assert keras.backend.standardize_dtype(contexts.dtype) == (
        decoder.compute_dtype
    )
    attention, state = decoder.attention, value.mean(1, keepdims=True)
    slack = 10 * SLACK[decoder.compute_dtype]
    for t in range(3):
        read = as_float32(attention(state, value))
        close(as_float32(contexts)[:, t], read[:, 0], slack, slack)
        state = read + state
    # Out of any layer's call, where nothing is cast by itself.
    read, weights = attention.attend(state, attention.project(value), value)
    for part in (read, weights):
        kind = keras.backend.standardize_dtype(part.dtype)
        assert kind == decoder.compute_dtype


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports by TensorFlow"
)
def test_a_decoder_of_steps_exports(tmp_path):
    import tensorflow as tf

    value = np.random.default_rng(6).normal(size=(2, 6, 4)).astype("float32")
    inputs = keras.Input((6, 4))
    model = keras.Model(inputs, Decoder()(inputs))
    model.export(str(tmp_path / "model"), verbose=False)
    served = tf.saved_model.load(str(tmp_path / "model"))
    close(served.serve(value), model(value))


def test_integers_are_not_rounded_to():
    query, value = np.ones((2, 1, 4)), np.arange(24).reshape(2, 3, 4)
    layer = made(query, value)
    close(layer(query, value.astype("int32")), layer(query, value * 1.0))


@pytest.mark.parametrize("units", [0, 2.5])
def test_refuses_bad_arguments(units):
    with pytest.raises(ValueError, match=f"units={units}"):
        SoftVisualAttention(units)
