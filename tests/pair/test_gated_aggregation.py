"""GatedAggregation against the paper's equations, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import GatedAggregation
from tests.contract import POLICIES, check_layer
from tests.numbers import arrays, both_ways, close, numpy, randomize, sigmoid


@pytest.mark.slow
def test_contract(tmp_path):
    # JAX and PyTorch have no decomposition of half matrices on CPU, with which
    # Keras starts recurrent kernels.
    halves = keras.backend.backend() == "tensorflow"
    check_layer(
        GatedAggregation,
        inits=[{"units": 3}],
        shapes={"context": (3, 3, 4), "inputs": (3, 3, 6)},
        output=(3, 3, 6),
        weights=(3, 3, 10),
        folder=tmp_path,
        free_axes=(1,),
        litert_batches=(1,),
        policies=[p for p in POLICIES if halves or p != "float16"],
    )


def test_equals_the_equations_of_the_paper():
    rng = np.random.default_rng(0)
    q, p = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 4, 5))
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], "bool")
    layer = GatedAggregation(units=2)
    layer.build(q.shape, p.shape)
    randomize(layer)
    output, gate = layer(q, p, inputs_mask=mask, return_attention_scores=True)
    (W,) = arrays(layer, "gate_kernel")
    for b, length in enumerate((4, 2)):
        x = np.concatenate([q, p], axis=-1)[b, :length]
        g = sigmoid(x @ W)
        close(gate[b, :length], g)
        close(output[b, :length], both_ways(layer, "", g * x))
        assert not numpy(output)[b, length:].any()


def test_takes_the_mask_that_the_inputs_carry():
    rng = np.random.default_rng(0)
    words = keras.layers.Embedding(9, 3, mask_zero=True)
    layer = GatedAggregation(units=2)
    read = rng.normal(size=(1, 4, 3)).astype("float32")
    long = layer(read, words(np.array([[4, 2, 0, 0]])))
    close(long[:, :2], layer(read[:, :2], words(np.array([[4, 2]]))))


def test_refuses_bad_arguments_and_shapes():
    with pytest.raises(ValueError, match="units=0"):
        GatedAggregation(0)
    layer = GatedAggregation(2)
    with pytest.raises(ValueError, match=r"context_shape=\(1, 3, 2\)"):
        layer(np.ones((1, 3, 2)), np.ones((1, 4, 2)))
    layer(np.ones((1, 4, 2)), np.ones((1, 4, 2)))
    with pytest.raises(ValueError, match=r"inputs_shape=\(1, 5, 2\)"):
        layer(np.ones((1, 4, 2)), np.ones((1, 5, 2)))
    with pytest.raises(ValueError, match="`inputs_mask`"):
        layer(
            np.ones((1, 4, 2)),
            np.ones((1, 4, 2)),
            inputs_mask=np.ones((1, 3), "bool"),
        )
