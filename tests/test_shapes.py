"""What a layer says of its outputs before it runs, and that asking is free."""

import random

import keras
import numpy as np
import pytest

from keras_attention import (
    CBAM,
    AttentionLayer,
    AttentionPooling,
    BahdanauAttention,
    LocalAttention,
    LuongAttention,
    TransformerDecoder,
)
from keras_attention.shapes import shapes_by_tracing, traced_spec


def test_shapes_go_by_the_order_of_the_call_or_by_name():
    layer = BahdanauAttention(units=4)
    query, value, key = (None, 3, 5), (None, 6, 7), (None, 6, 2)
    assert layer.compute_output_shape(query, value) == (None, 3, 7)
    assert layer.compute_output_shape(
        query, key_shape=key, value_shape=value, return_attention_scores=True
    ) == ((None, 3, 7), (None, 3, 6))
    assert layer.compute_output_shape(
        query, value, value_mask_shape=(None, 6)
    ) == (None, 3, 7)


def test_the_only_input_has_its_usual_name_too():
    layer = AttentionPooling(units=4)
    assert layer.compute_output_shape(input_shape=(2, 5, 8)) == (2, 8)
    assert layer.compute_output_shape([2, None, 8]) == (2, 8)


def test_a_nested_argument_has_nested_shapes():
    layer = TransformerDecoder(intermediate_dim=8, num_heads=2)
    places = {name: (None, 2, 10, 4) for name in ("key", "value")}
    output, cache = layer.compute_output_shape(
        (None, 1, 8), cache_shape=places, cache_index=0
    )
    assert output == (None, 1, 8) and cache == places


def test_asking_leaves_the_layer_and_every_seed_as_they_were():
    layer = AttentionLayer("additive", units=4, dropout=0.1)
    state = random.getstate()
    for shape in ((None, 3, 5), (None, 3, 9)):
        assert layer.compute_output_shape(shape, shape) == shape
        layer.compute_output_spec(*[keras.KerasTensor(shape)] * 2)
    assert random.getstate() == state
    assert not layer.built and not layer.weights


def test_a_layer_that_is_built_is_traced_itself():
    layer = CBAM(ratio=2)
    layer.build((None, 4, 4, 8))
    layer.get_config = None  # of which a twin would be made
    assert layer.compute_output_shape((None, 6, None, 8)) == (None, 6, None, 8)


def test_asking_adds_nothing_to_the_graph_of_the_input():
    x = keras.Input((5, 8))
    AttentionPooling(units=4).compute_output_spec(x)
    built = AttentionPooling(units=4)
    built(np.zeros((1, 5, 8)))
    built.compute_output_spec(x)
    assert not x._keras_history.operation._outbound_nodes


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("built", [True, False])
def test_dtypes_are_right_outside_of_a_call(policy, built):
    layer = LuongAttention(units=4, dtype=policy)
    x = np.ones((2, 3, 8), "float32")
    if built:
        layer(x, x)
    symbol = keras.KerasTensor((None, 3, 8), dtype="float32")
    spec = layer.compute_output_spec(
        symbol, symbol, return_attention_scores=True
    )
    assert [x.dtype for x in spec] == [layer.compute_dtype] * 2


def test_what_is_no_share_keeps_its_own_dtype():
    @shapes_by_tracing
    class Lengths(keras.layers.Layer):
        def call(self, inputs, mask):
            return inputs, keras.ops.sum(keras.ops.cast(mask, "int32"), axis=1)

    words, mask = keras.KerasTensor((2, 3, 4)), keras.KerasTensor((2, 3))
    _, counts = traced_spec(Lengths(dtype="mixed_float16"), words, mask)
    assert counts.shape == (2,) and counts.dtype == "int32"


def test_a_specification_of_its_own_is_kept():
    @shapes_by_tracing
    class Own(keras.layers.Layer):
        def compute_output_spec(self, inputs):
            return keras.KerasTensor((7, 7))

    assert Own().compute_output_shape((None, 2)) == (7, 7)


def test_a_layer_distributed_over_time_is_asked_about_one_step():
    clips = keras.Input((None, 4, 4, 8))
    output = keras.layers.TimeDistributed(CBAM(ratio=2))(clips)
    assert output.shape == (None, None, 4, 4, 8)


def test_a_model_answers_for_the_layers_in_it():
    x = keras.Input((None, 8), name="words")
    local = LocalAttention(window=1, dtype="mixed_float16")
    model = keras.Model(x, local(x, x))
    assert model.compute_output_shape((2, 5, 8)) == (2, 5, 8)
    spec = model.compute_output_spec(keras.KerasTensor((2, 5, 8)))
    assert spec.dtype == "float16"
